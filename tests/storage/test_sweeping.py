"""The mirror in bulk answers as the mirror does for one label, and by pages in the order of labels."""

from datetime import timedelta

import pytest

from bot.model import Direction, Feed, TransferPackage, Window
from tests.syncing import LICENSE, NOW, SINCE, FakeMetrc, label, synced

EVERY = timedelta(days=400)


@pytest.fixture
async def stock(books):
    """A mirror that holds all of ``FakeMetrc``, in bulk."""
    await synced(books)
    return books.stock(LICENSE)


async def pages(stock, limit, **since):
    since = {"active_since": NOW, "closed_since": SINCE - EVERY} | since
    found, after = [], ""
    while page := await stock.heads_after(after, limit, **since):
        found.append([head.label for head in page])
        after = page[-1].label
    return found


@pytest.mark.parametrize("limit", [1, 7, 29, 100])
async def test_pages_hold_every_package_once_in_the_order_of_labels(stock, limit):
    """Whatever their size, pages put together are all packages by label."""
    found = await pages(stock, limit)
    assert [each for page in found for each in page] == [label(number) for number in range(1, 30)]
    assert all(len(page) <= limit for page in found)


async def test_all_rows_of_one_label_are_on_the_same_page(books, stock):
    """A label that was packaged anew has two rows, and the newer one comes last."""
    first = FakeMetrc().package_rows[0]
    again = type(first)(99, first.label, first.quantity, first.unit, first.item, last_modified=NOW)
    await stock.keep([again], NOW)
    found = await stock.heads_after("", 2, active_since=NOW, closed_since=SINCE)
    assert [head.id for head in found] == [1, 99]
    assert (await stock.packages_of([first.label], active_since=NOW))[first.label].id == 99


async def test_an_active_package_that_left_the_list_is_no_longer_there(stock):
    """What the newest reading of the active list did not hold has gone elsewhere; other lists are not read whole."""
    later = NOW + timedelta(days=1)
    found = [each for page in await pages(stock, 100, active_since=later) for each in page]
    assert found == [label(number) for number in range(1, 30) if number % 3 == 0]
    assert set(await stock.packages_of([label(1), label(3)], active_since=later)) == {label(3)}


async def test_what_was_closed_long_ago_is_left_out_of_the_pages_only(stock):
    """Asked for by its label it is still known."""
    found = [each for page in await pages(stock, 100, closed_since=NOW) for each in page]
    assert found == [label(number) for number in range(1, 30) if number % 3]
    assert label(3) in await stock.packages_of([label(3)], active_since=NOW)


async def test_packages_are_kept_without_a_claim(books, stock):
    """Rows of a list that is not read to its end are there, and the mirror does not say that it holds the list."""
    empty = books.stock("402R-X0099")
    await empty.keep(FakeMetrc().package_rows, NOW)
    assert len(await empty.heads_after("", 100, active_since=NOW, closed_since=SINCE - EVERY)) == 29
    assert await books.mirror("402R-X0099").coverage(Feed.PACKAGES_ACTIVE) is None


async def test_bulk_answers_are_those_of_the_mirror(books, stock):
    """Receipts, manifests, shipments, adjustments and children of many labels are those of each label."""
    mirror, labels = books.mirror(LICENSE), [label(number) for number in range(1, 60)]
    bulk = {
        "receipts": (await stock.receipts_on(labels), mirror.receipts_touching),
        "transfers": (await stock.transfers_on(labels), mirror.transfers_touching),
        "transferred": (await stock.transferred_on(labels), mirror.transferred_touching),
        "adjustments": (await stock.adjustments_on(labels), mirror.adjustments_of),
        "children": (await stock.children_of(labels), mirror.children_of),
    }
    for found, single in bulk.values():
        assert found
        assert {each: found.get(each, ()) for each in labels} == {each: await single(each) for each in labels}


async def test_loads_on_their_way_are_incoming_and_not_received(books, stock):
    """Outgoing manifests are none, whatever became of them."""
    loads = await stock.open_loads(SINCE)
    assert [(load.id, load.direction) for load in loads] == [(4, Direction.INCOMING), (20, Direction.INCOMING)]
    assert loads[0].packages == (TransferPackage(label(54), shipped_quantity=loads[0].packages[0].shipped_quantity),)
    received = [
        type(load)(load.id, load.manifest, load.direction, received_at=NOW, last_modified=NOW) for load in loads
    ]
    await books.mirror(LICENSE).store(Feed.TRANSFERS_INCOMING, received, Window(SINCE, NOW), NOW)
    assert await stock.open_loads(SINCE) == ()


async def test_another_license_sees_nothing(books, stock):
    """Rows belong to one license."""
    other = books.stock("402R-X0099")
    assert await other.heads_after("", 100, active_since=SINCE, closed_since=SINCE) == ()
    assert await other.receipts_on([label(1)]) == {}
