"""What is read for one question, and what becomes of a reading that fails."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import ProblemKind
from bot.model import Sighting
from demo.scene import sample_scene
from demo.world import SHOP, SISTER, TAG, World
from tests.store import NOW, asked, opened_store, quiet, settings

TWIN = f"{TAG}1002"


def a_label(world: World) -> str:
    return next(label for label in world.labels() if world.pos_quantity(label) > 2)


async def test_everything_is_read_and_nothing_failed(ask):
    """On a healthy shop every reading has a value and a time."""
    world = World.healthy(NOW)
    await ask(world, a_label(world))
    e = ask.evidence
    readings = (e.package, e.receipts, e.transfers, e.transferred, e.adjustments, e.pos_rows, e.pos_sales, e.pos_events)
    assert [reading.problem for reading in readings] == [None] * len(readings)
    assert all(reading.as_of is not None for reading in readings)


async def test_receipts_come_with_their_lines_and_only_those_that_touch_the_label(ask):
    """Receipts of other packages are not evidence."""
    world = World.healthy(NOW)
    label = a_label(world)
    await ask(world, label)
    assert ask.evidence.receipts.value
    assert all(any(line.label == label for line in r.lines) for r in ask.evidence.receipts.value)
    assert ask.evidence.unread_receipts == ()


async def test_a_warm_question_costs_eight_requests_and_a_cold_one_does_not_open_every_receipt(tmp_path):
    """The mirror is asked first; what no POS sale accounts for and what touches the label is opened, nothing else."""
    world = World.healthy(NOW)
    async with opened_store(world, tmp_path) as (bot, metrc):
        await bot.answer(asked(a_label(world)), quiet)
        cold = len(metrc.requests)
        await bot.answer(asked(a_label(world)), quiet)
        assert len(metrc.requests) - cold == 8
        assert metrc.writes == []
        assert cold < len(world.receipts) / 2


async def test_the_newest_changes_are_read_again_for_every_question(tmp_path):
    """A twin made between two questions is seen by the second one, even on a stopped clock."""
    world = World.healthy(NOW)
    label = a_label(world)
    sale = world.sell(label, at=NOW - timedelta(minutes=2))
    async with opened_store(world, tmp_path) as (bot, _):
        first = await bot.answer(asked(label), quiet)
        world.post_twice(sale)
        second = await bot.answer(asked(label), quiet)
    assert (first.code, second.code) == (None, "duplication.receipt-retry")


@pytest.mark.parametrize("status", [401, 404])
async def test_an_unknown_label_is_absent_and_not_unreadable(ask, status):
    """401 and 404 for one label mean "no such package", once packages answer for this license."""
    world = World.healthy(NOW)
    world.unknown_label_status = status
    await ask(world, f"{TAG}9999")
    assert ask.evidence.package.was_read
    assert ask.evidence.package.value is None


async def test_transfers_that_do_not_answer_leave_the_rest_readable(ask):
    """One family down costs that family: its reading holds the problem, and the twin is still found."""
    world = sample_scene(NOW)
    world.outage("503", prefix="/transfers/v2/deliveries")
    diagnosis = await ask(world, TWIN)
    assert ask.evidence.transfers.problem.kind is ProblemKind.SERVER_FAULT
    assert diagnosis.code == "duplication.receipt-retry"
    assert diagnosis.provisional


async def test_a_receipt_whose_lines_do_not_come_is_named_as_unread(ask):
    """A candidate that could not be opened is never taken for one that does not touch the label."""
    world = sample_scene(NOW)
    world.outage("500", prefix="/sales/v2/receipts/880102")
    diagnosis = await ask(world, TWIN)
    assert [r.id for r in ask.evidence.unread_receipts] == [880102]
    assert diagnosis.provisional
    assert diagnosis.cause.value != "count_error"


async def test_the_deadline_bounds_the_answer_and_what_came_too_late_is_unknown(tmp_path, empty_database):
    """METRC takes a second a call and half a second is left: the answer is there in time and says so."""
    world = sample_scene(NOW)
    async with opened_store(world, tmp_path, template=empty_database) as (bot, _):
        world.slow(1.0)
        began = time.monotonic()
        diagnosis = await bot.answer(asked(TWIN, deadline=0.3), quiet)
        assert time.monotonic() - began < 1.0
        _, evidence = await bot.books.ledger.diagnosis(diagnosis.id)
    assert evidence.package.problem.kind is ProblemKind.DEADLINE
    assert diagnosis.cause.value == "unknown"
    assert diagnosis.provisional


async def test_a_dead_key_stops_the_reading(ask):
    """Once the ladder's first rungs are refused nothing more is asked of METRC."""
    world = World.healthy(NOW)
    world.kill_key()
    await ask(world, a_label(world))
    assert len(ask.metrc.requests) == 5


async def test_unrelated_keys_are_asked_only_when_the_own_key_is_refused(tmp_path, ask):
    """Another shop's key on the same host tells a dead user key from METRC's own trouble."""
    config = settings(tmp_path)
    (tmp_path / "other").write_text("another-user-key", encoding="utf-8")
    own = config.facilities[0]
    other_key = replace(own.metrc.user_key, reference=f"file:{tmp_path / 'other'}")
    other = replace(own, license=SISTER, name="Sister", metrc=replace(own.metrc, user_key=other_key))
    both = replace(config, facilities=(own, other))
    world = World.healthy(NOW)
    label = a_label(world)
    await ask(world, label, config=both)
    assert ask.evidence.access.other_keys == ()

    world.keys.append(replace(world.keys[0], user="another-user-key"))
    world.keys.pop(0)
    diagnosis = await ask(world, label, config=both)
    assert diagnosis.code == "authentication.user-key"


async def test_a_mistyped_label_finds_the_one_it_stands_for(ask):
    """O for 0: the label it must be is looked up, and is told to be missing in the POS."""
    world = World.healthy(NOW)
    label = a_label(world)
    typed = world.mistype_tag(label)
    await ask(world, typed)
    assert [(s.label, s.in_pos) for s in ask.evidence.near.value] == [(label, False)]


async def test_a_label_with_two_wrong_digits_finds_its_neighbours(ask):
    """No letter gives it away: the shop's own living labels are searched."""
    world = World.healthy(NOW)
    label = a_label(world)
    wrong = label[:10] + "77" + label[12:]
    world.pos_row(label).label = wrong
    await ask(world, wrong)
    assert label in [s.label for s in ask.evidence.near.value]


async def test_a_package_of_the_sister_license_is_seen_there(ask):
    """The other licenses of the same key are asked about a label that is not here."""
    world = World.healthy(NOW)
    label = a_label(world)
    world.package(label).license = SISTER
    await ask(world, label)
    [sighting] = ask.evidence.elsewhere.value
    assert isinstance(sighting, Sighting)
    assert SISTER in sighting.where
    assert ask.evidence.package.value is None


async def test_a_refused_stock_row_is_not_readable_rather_than_not_there(ask):
    """The label's own row has a broken quantity: the POS side is unknown, and no gap is made up."""
    world = World.healthy(NOW)
    label = a_label(world)

    def spoil(folder):
        stock = folder / "inventory.csv"
        lines = stock.read_text(encoding="utf-8").splitlines()
        at = next(n for n, line in enumerate(lines) if label in line)
        quantity = f",{world.pos_quantity(label)},"
        lines[at] = lines[at].replace(quantity, ",many,", 1)
        stock.write_text("\n".join(lines) + "\n", encoding="utf-8")

    diagnosis = await ask(world, label, spoil=spoil)
    assert ask.evidence.pos_rows.problem.kind is ProblemKind.UNREADABLE
    assert diagnosis.gap is None
    assert diagnosis.cause.value == "unknown"


async def test_a_lost_row_leaves_a_label_without_a_row_unknown(ask):
    """A label a spreadsheet destroyed could be anybody's: a package without a row is not told to be missing."""
    world = World.healthy(NOW)
    label = a_label(world)
    world.never_built(label)

    def spoil(folder):
        with (folder / "inventory.csv").open("a", encoding="utf-8") as stock:
            stock.write(f"{SHOP},1.A4FF01E+23,1,Night Lantern,Flower,,,5,Each,,,,,Active,\n")

    diagnosis = await ask(world, label, spoil=spoil)
    assert ask.evidence.pos_rows.problem is not None
    assert diagnosis.code != "mapping.not-in-pos"


async def test_what_was_counted_reaches_the_evidence(ask):
    """``--shelf`` is a fact like the others."""
    world = World.healthy(NOW)
    await ask(world, a_label(world), shelf="12.5")
    assert ask.evidence.shelf == Decimal("12.5")


async def test_no_patient_reaches_the_evidence(ask):
    """METRC's patient fields are filled, and nothing of them is in what is kept."""
    world = sample_scene(NOW)
    world.plant_patients = True
    await ask(world, TWIN)
    assert "PLANTED" not in repr(ask.evidence)
