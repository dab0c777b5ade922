"""What is read for one question, and what becomes of a reading that fails."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

import httpx
import pytest

from bot.app import Bot, SystemClock
from bot.errors import ProblemKind, StorageError
from bot.gather import Known, gather
from bot.model import (
    CheckName,
    Direction,
    Feed,
    MetrcItem,
    MetrcPackage,
    PosBooks,
    Reading,
    Result,
    Sighting,
    Transfer,
    Window,
)
from bot.transport import Patience, Transport
from demo.metrc import MetrcStandIn
from demo.scene import sample_scene
from demo.world import SHOP, SISTER, TAG, World
from storage.books import open_books
from tests.store import NOW, asked, opened_store, quiet, settings

TWIN = f"{TAG}1002"


DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Barrier:
    """An application that nobody gets an answer from before ``count`` requests are waiting, not counting ``skip``."""

    def __init__(self, inner, count: int, skip: int = 0) -> None:
        self.inner, self.count, self.skip = inner, count, skip
        self.open = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        self.skip -= 1
        if self.skip < 0:
            self.count -= 1
            if self.count <= 0:
                self.open.set()
            await self.open.wait()
        await self.inner(scope, receive, send)


class Hanging:
    """Hands every call on, after a thread has hung until ``end``."""

    def __init__(self, inner, end: threading.Event) -> None:
        self.inner, self.end = inner, end

    def __getattr__(self, name):
        async def call(*arguments):
            # cancelling does not end a thread, so neither does it end the wait for one that is shielded
            await asyncio.shield(asyncio.to_thread(self.end.wait, 5))
            return await getattr(self.inner, name)(*arguments)

        return call


class Failing:
    """A mirror whose disk is full when it is to tell how late receipts come."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def delays(self, _since):
        raise StorageError("The disk is full.")


@asynccontextmanager
async def synced_store(world: World, folder, age: timedelta):
    """The store, its mirror filled ``age`` ago with all that METRC had then."""
    folder.mkdir(exist_ok=True)
    async with opened_store(world, folder, settings(folder, now=NOW - age)) as (bot, metrc):
        await bot.sync(bot.settings.facilities[0], timedelta(days=60), lambda *_: None)
        yield bot, metrc


@asynccontextmanager
async def store_at(world: World, folder, now, metrc: MetrcStandIn | None = None):
    """The bot over the same folder at another time, in front of ``metrc`` or of a new one."""
    config = settings(folder, now=now)
    metrc = metrc or MetrcStandIn(world, SystemClock(now))
    metrc.clock = SystemClock(now)
    books = await open_books(config.database_url)
    quick = Patience(total=20.0, attempt=20.0, first_wait=0.001, first_wait_when_limited=0.001)
    async with Transport(dev=True, patience=quick, inner=httpx.ASGITransport(metrc.asgi)) as transport:
        try:
            yield Bot(config, books, transport, SystemClock(now)), metrc
        finally:
            await books.close()


async def evidence_of(bot: Bot, label: str):
    diagnosis = await bot.answer(asked(label), quiet)
    _, evidence = await bot.books.ledger.diagnosis(diagnosis.id)
    return evidence


def no_books() -> PosBooks:
    return PosBooks(*(Reading("pos", name, NOW, ()) for name in ("inventory", "sales", "events")))


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


async def test_a_cold_question_does_not_open_every_receipt(tmp_path):
    """What no POS sale accounts for and what touches the label is opened, nothing else; the next one opens none."""
    world = World.healthy(NOW)
    async with opened_store(world, tmp_path) as (bot, metrc):
        await bot.answer(asked(a_label(world)), quiet)
        cold = len(metrc.requests)
        await bot.answer(asked(a_label(world)), quiet)
        assert len(metrc.requests) - cold <= 8
        assert metrc.writes == []
        assert cold < len(world.receipts) / 2


# --- what a question costs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "budget"), [(timedelta(seconds=30), 8), (timedelta(hours=6), 12), (DAY, 12)], ids=str)
async def test_a_question_over_a_filled_mirror_keeps_the_budget(tmp_path, age, budget):
    """The median over the labels of the written scene, each asked on a mirror as old as that."""
    world, costs = sample_scene(NOW), []
    async with synced_store(world, tmp_path / "synced", age):
        pass
    for label in sorted(set(world.labels())):
        shutil.copytree(tmp_path / "synced", tmp_path / label)
        async with store_at(world, tmp_path / label, NOW) as (bot, metrc):
            await bot.answer(asked(label), quiet)
            costs.append(len(metrc.requests))
    assert len(costs) == 9
    assert statistics.median(costs) <= budget


async def test_all_that_a_warm_question_asks_is_asked_at_once(tmp_path):
    """METRC answers nothing before the fifth request is there, so none of them waits for another."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, timedelta(seconds=30)) as (_, metrc):
        before = len(metrc.requests)
        metrc.asgi = Barrier(metrc.asgi, 5)
        async with asyncio.timeout(30), store_at(world, tmp_path, NOW, metrc) as (bot, _):
            diagnosis = await bot.answer(asked(TWIN), quiet)
    assert diagnosis.code == "duplication.receipt-retry"
    assert len(metrc.requests) - before == 5


async def test_what_an_older_mirror_lacks_is_asked_in_two_rounds(tmp_path):
    """First the newest changes of every list; then, at once, whatever they show to be read by its id."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, DAY) as (_, metrc):
        before = len(metrc.requests)
        async with store_at(world, tmp_path, NOW, metrc) as (bot, _):
            await bot.answer(asked(TWIN), quiet)
        asked_for = [entry.path for entry in metrc.requests[before:]]
    assert len(asked_for) <= 12
    (tmp_path / "again").mkdir()
    async with synced_store(world, tmp_path / "again", DAY) as (_, metrc):
        # the package changed within the day, so the mirror does not hold it, and packages have a probe of their own
        first = Barrier(metrc.asgi, 6)
        metrc.asgi = Barrier(first, len(asked_for) - 6, skip=6)
        async with asyncio.timeout(30), store_at(world, tmp_path / "again", NOW, metrc) as (bot, _):
            diagnosis = await bot.answer(asked(TWIN), quiet)
    assert diagnosis.code == "duplication.receipt-retry"


async def test_rights_are_asked_for_only_where_metrc_refused_a_sale(tmp_path, ask):
    """They can explain nothing else, and cost a round."""
    world = World.healthy(NOW)
    label = a_label(world)
    await ask(world, label)
    assert (ask.metrc.count("/employees"), ask.evidence.access.rights) == (0, None)
    world.sale_failed(label, "Unauthorized")
    await ask(world, label)
    assert ask.metrc.count("/employees") == 1
    assert "manage sales" in ask.evidence.access.rights.value


async def test_a_list_that_failed_is_not_asked_for_again_by_the_same_question(tmp_path):
    """The transport has tried already; the other readings go on."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, DAY) as (_, metrc), store_at(world, tmp_path, NOW, metrc) as (bot, _):
        world.outage("503", prefix="/sales/v2/receipts/inactive")
        before = metrc.count("/sales/v2/receipts/inactive")
        diagnosis = await bot.answer(asked(TWIN), quiet)
        assert metrc.count("/sales/v2/receipts/inactive") - before == Patience().tries
        _, evidence = await bot.books.ledger.diagnosis(diagnosis.id)
    assert evidence.receipts.problem.kind is ProblemKind.SERVER_FAULT


async def test_a_host_that_takes_a_day_at_a_time_is_asked_wider_once(tmp_path):
    """The next question, too, knows that a wider window is refused."""
    world = World.healthy(NOW)
    world.window_hours = 24
    async with opened_store(world, tmp_path) as (bot, metrc):
        await bot.answer(asked(a_label(world)), quiet)
        assert any(entry.status == 400 for entry in metrc.requests)
        metrc.requests.clear()
        world.package(a_label(world)).received_at -= timedelta(days=3)
        await bot.answer(asked(a_label(world)), quiet)
        assert not any(entry.status == 400 for entry in metrc.requests)
        assert metrc.count("/sales/v2/receipts/active") > 1


def test_an_open_manifest_is_opened_only_where_it_can_carry_the_package():
    """METRC puts on a manifest what its shipper holds: one from elsewhere cannot carry a package that is here."""
    package = MetrcPackage(
        1, TWIN, Decimal(18), "Each", MetrcItem(1, "Five Pack"), received_at=NOW - DAY, received_from_license="402R-1"
    )
    here = Known(TWIN, NOW, Reading("metrc", "package", NOW, package), no_books())
    missing = Known(TWIN, NOW, Reading("metrc", "package", NOW), no_books())
    ours, other = (
        Transfer(number, f"000{number}", Direction.INCOMING, shipper_license=shipper)
        for number, shipper in enumerate(["402R-1", "402R-2"], 1)
    )
    untold = replace(other, shipper_license=None)
    assert [here.may_concern(one) for one in (ours, other, untold)] == [True, False, True]
    assert all(missing.may_concern(one) for one in (ours, other, untold))
    assert not here.may_concern(replace(ours, received_at=NOW))


# --- how old the facts are --------------------------------------------------------------------------------------------


async def test_a_list_read_after_the_package_last_changed_is_not_read_again(tmp_path):
    """It holds all there is, and its facts are as old as that reading."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, HOUR) as (_, metrc), store_at(world, tmp_path, NOW, metrc) as (bot, _):
        before = metrc.count("/packages/v2/adjustments")
        evidence = await evidence_of(bot, TWIN)
        assert metrc.count("/packages/v2/adjustments") == before
        assert evidence.adjustments.as_of == NOW - HOUR
        assert (evidence.package.as_of, evidence.receipts.as_of) == (NOW, NOW)


async def test_a_package_that_changed_since_has_its_adjustments_read(tmp_path):
    """An adjustment made a moment ago is there, whatever the age of the mirror."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, HOUR) as (_, metrc), store_at(world, tmp_path, NOW, metrc) as (bot, _):
        world.metrc_adjust(TWIN, -2, NOW - timedelta(seconds=5), reason="Damage")
        evidence = await evidence_of(bot, TWIN)
    assert evidence.adjustments.as_of == NOW
    assert [one.quantity for one in evidence.adjustments.value] == [-2]


async def test_what_could_not_be_read_again_is_as_old_as_the_mirror(tmp_path):
    """The mirror's receipts are told with the time of their reading, and with the problem."""
    world = sample_scene(NOW)
    async with synced_store(world, tmp_path, HOUR) as (_, metrc), store_at(world, tmp_path, NOW, metrc) as (bot, _):
        world.outage("503", prefix="/sales/v2/receipts/active")
        evidence = await evidence_of(bot, TWIN)
    assert evidence.receipts.as_of == NOW - HOUR
    assert evidence.receipts.value
    assert evidence.receipts.problem.kind is ProblemKind.SERVER_FAULT


async def test_sales_that_waited_out_an_outage_are_told_once(ask):
    """Eight of two hours arrived together; the delays that the shop learns from know nothing of it."""
    world = World.healthy(NOW)
    label, other = sorted(label for label in set(world.labels()) if world.pos_quantity(label) > 9)[:2]
    for number in range(8):
        sold = NOW - 17 * HOUR + timedelta(minutes=15 * number)
        sale = world.sale_never_posted(label if number < 3 else other, age=NOW - sold)
        world.post(sale, NOW - 14 * HOUR + timedelta(seconds=number))
    diagnosis = await ask(world, label)
    timing = next(check for check in diagnosis.checks if check.name is CheckName.TIMING)
    assert diagnosis.code is None
    assert "8 sales of 03:30–05:15 arrived together at 06:30, 3 of them of this package" in timing.summary
    assert ask.evidence.delays.p999 < 60


# --- a hole in what was read ------------------------------------------------------------------------------------------


class Spotty:
    """An application that answers 503 for receipts changed in a span, as long as ``is_down``."""

    def __init__(self, inner, span: Window) -> None:
        self.inner, self.span, self.is_down = inner, span, True

    async def __call__(self, scope, receive, send) -> None:
        query = dict(parse_qsl(scope["query_string"].decode()))
        start = datetime.fromisoformat(query["lastModifiedStart"]) if "lastModifiedStart" in query else None
        hit = scope["path"] == "/sales/v2/receipts/active" and start is not None
        if self.is_down and hit and start < self.span.end:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.inner(scope, receive, send)


@asynccontextmanager
async def with_a_hole(world: World, folder):
    """The mirror was filled three hours ago, then stood still, and was read on from an hour ago: two hours are missing."""
    async with synced_store(world, folder, 3 * HOUR) as (_, metrc):
        pass
    hole = Window(NOW - 3 * HOUR, NOW - HOUR)
    metrc.asgi = Spotty(metrc.asgi, hole)
    async with store_at(world, folder, NOW, metrc) as (bot, _):
        mirror = bot.books.mirror(SHOP)
        for feed in (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE):
            await mirror.store(feed, (), Window(hole.end, NOW - timedelta(minutes=5)), NOW - timedelta(minutes=5))
        yield bot, metrc, hole


async def test_a_hole_is_read_again_and_nothing_else(tmp_path):
    """The receipt that was recorded meanwhile is found, and what was held before the hole is not asked for once more."""
    world = World.healthy(NOW - 3 * HOUR)
    label = a_label(world)
    async with with_a_hole(world, tmp_path) as (bot, metrc, hole):
        metrc.asgi.is_down = False
        world.now = NOW
        sale = world.sell(label, at=hole.start + HOUR)
        before = len(metrc.requests)
        evidence = await evidence_of(bot, label)
        assert len(metrc.requests) - before <= 12
        held = await bot.books.mirror(SHOP).coverage(Feed.RECEIPTS_ACTIVE)
    assert sale.id in {one.external_number for one in evidence.receipts.value}
    assert (evidence.receipts.problem, evidence.receipts_holes, held.earlier) == (None, (), ())


async def test_a_hole_that_cannot_be_read_is_named_and_never_clear(tmp_path):
    """The family answers, so the key is not doubted; but a sale of those hours may be there or not."""
    world = World.healthy(NOW - 3 * HOUR)
    label = a_label(world)
    async with with_a_hole(world, tmp_path) as (bot, _, hole):
        world.now = NOW
        diagnosis = await bot.answer(asked(label), quiet)
        evidence = (await bot.books.ledger.diagnosis(diagnosis.id))[1]
    timing = next(check for check in diagnosis.checks if check.name is CheckName.TIMING)
    assert evidence.receipts_holes == (hole,)
    assert (timing.result, diagnosis.provisional) == (Result.UNKNOWN, True)
    assert timing.summary.startswith("Receipts between 17:30 and 19:30 were not read, so a late sale cannot be told.")
    assert next(check for check in diagnosis.checks if check.name is CheckName.AUTHENTICATION).result is Result.CLEAR


# --- what goes wrong --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("hanging", ["pos", "mirror"])
async def test_the_deadline_bounds_the_pos_and_the_database_too(tmp_path, hanging):
    """A folder or a database that hangs holds on to its thread; the answer comes without it and says so."""
    world, end = World.healthy(NOW), threading.Event()
    async with opened_store(world, tmp_path) as (bot, _):
        desk = bot.desk(bot.settings.facilities[0])
        desk = replace(desk, **{hanging: Hanging(getattr(desk, hanging), end)})
        began = time.monotonic()
        try:
            evidence = await gather(asked(a_label(world), deadline=0.4), desk, quiet)
        finally:
            took = time.monotonic() - began
            end.set()
    late = evidence.pos_rows if hanging == "pos" else evidence.receipts
    assert late.problem.kind is ProblemKind.DEADLINE
    assert took < 2


async def test_a_database_that_fails_is_told_as_itself(tmp_path):
    """Not as a group of errors, which nobody could catch by its kind."""
    world = World.healthy(NOW)
    async with opened_store(world, tmp_path) as (bot, _):
        desk = bot.desk(bot.settings.facilities[0])
        with pytest.raises(StorageError, match="full"):
            await gather(asked(a_label(world)), replace(desk, mirror=Failing(desk.mirror)), quiet)


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


async def test_what_metrc_made_of_a_package_is_read_when_the_pos_holds_more(tmp_path):
    """A warm question about a split still costs eight requests at most, and names the child and what the POS knows."""
    world = World.healthy(NOW)
    label, child = a_label(world), f"{TAG}2601"
    world.split_in_metrc(label, child, 2, days=1)
    async with synced_store(world, tmp_path, HOUR) as (_, metrc), store_at(world, tmp_path, NOW, metrc) as (bot, metrc):
        before = len(metrc.requests)
        evidence = await evidence_of(bot, label)
        assert len(metrc.requests) - before <= 8
        assert [package.label for package in evidence.children.value] == [child]
        assert evidence.pos_kin == ()
        asked_by_child = await evidence_of(bot, child)
        assert (asked_by_child.pos_kin, asked_by_child.children) == ((label,), None)


async def test_what_metrc_made_of_a_package_is_not_asked_when_both_sides_agree(ask):
    """Nothing is missing, so nothing was taken."""
    world = World.healthy(NOW)
    await ask(world, a_label(world))
    assert ask.evidence.children is None


async def test_a_package_of_which_nothing_was_made_has_no_children(ask):
    """The POS holds two more for another reason: asked, answered, and there is none."""
    world = World.healthy(NOW)
    label = a_label(world)
    world.drift(label, 2)
    await ask(world, label)
    assert (ask.evidence.children.value, ask.evidence.children.problem) == ((), None)
