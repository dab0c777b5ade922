"""Manifests by their number and packages by their item, as people name them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.model import Direction, Feed, Window
from tests import evidence as ev

NOW = ev.NOW
ALL = Window(NOW - timedelta(days=30), NOW)


@pytest.fixture
async def mirror(books):
    mirror = books.mirror(ev.SHOP.license)
    await mirror.store(Feed.TRANSFERS_INCOMING, [ev.load(418902), ev.load(418903)], ALL, NOW)
    sent = ev.load(418904, direction=Direction.OUTGOING)
    await mirror.store(Feed.TRANSFERS_OUTGOING, [sent], ALL, NOW)
    return mirror


@pytest.mark.parametrize("typed", ["0000418902", "418902", " 00418902 "])
async def test_a_manifest_is_found_whatever_its_zeros(mirror, typed):
    """METRC pads to ten digits, paper does not."""
    (found,) = await mirror.transfers_named(typed)
    assert found.manifest == "0000418902"


async def test_a_manifest_is_found_by_its_id_in_any_direction(books, mirror):
    """The id need not be the number, and our own loads are found as well."""
    renumbered = replace(ev.load(418904, direction=Direction.OUTGOING), id=77, manifest="0000555555")
    await mirror.store(Feed.TRANSFERS_OUTGOING, [renumbered], ALL, NOW)
    assert [t.manifest for t in await mirror.transfers_named("77")] == ["0000555555"]
    assert [t.direction for t in await mirror.transfers_named("418904")] == [Direction.OUTGOING]
    assert await books.mirror("402R-X0099").transfers_named("418904") == ()


@pytest.mark.parametrize("typed", ["", "0", "x418902", "9" * 40, "418902'; --", "%"])
async def test_what_names_no_manifest_finds_none(mirror, typed):
    """Any text may be asked."""
    assert await mirror.transfers_named(typed) == ()


async def test_packages_read_with_a_manifest_come_with_it(mirror):
    """They are none until they were read."""
    (listed,) = await mirror.transfers_named("418902")
    assert listed.packages is None
    await mirror.store_transfer_packages(listed, (ev.carried(),), NOW)
    (opened,) = await mirror.transfers_named("418902")
    assert [package.label for package in opened.packages] == [ev.LABEL]


@pytest.fixture
async def shelf(books):
    mirror = books.mirror(ev.SHOP.license)
    items = [("Crème Brûlée 1g", 7), ("100% Lantern", 8), ("Night Lantern", 9), ("Sunbreak", 10)]
    packages = [
        ev.package(id=n, label=f"L{n}", item=replace(ev.ITEM, id=n, name=name), note="lantern") for name, n in items
    ]
    await mirror.store(Feed.PACKAGES_ACTIVE, packages, ALL, NOW)
    return mirror


@pytest.mark.parametrize(
    ("word", "labels"),
    [
        ("LANTERN", ["L8", "L9"]),
        ("brûlée", ["L7"]),
        ("CRÈME", ["L7"]),
        ("100%", ["L8"]),
        ("%", ["L8"]),
        ("_", []),
        ("10", ["L10", "L8"]),
        ("nothing", []),
    ],
)
async def test_packages_are_found_by_a_word_of_their_item(shelf, word, labels):
    """Whatever its case; a note that holds the word is no item, and what SQL takes for a wildcard is a letter."""
    assert [package.label for package in await shelf.packages_mentioning(word)] == labels
