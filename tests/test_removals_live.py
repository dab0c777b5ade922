"""Removing a duplicate with the real client, mirror, checks and database, in front of the METRC stand-in."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.approve import act, decide, join_answer, note_question, propose, recover, take
from bot.approvers import RememberingDirectory
from bot.errors import MetrcNotFound
from bot.lookout import LiveLookout
from bot.model import MetrcReceipt
from bot.removals import Fault, Press, State, Verb, Way
from demo.world import TAG, World
from tests.removing import ASKER, DANA, HOME, Clock, People, Receipts, an_intent
from tests.store import NOW, asked, opened_store, quiet, settings

LABEL = f"{TAG}3001"


class Shop:
    """The bot in front of a world, an answer with twins in it, and what came of it."""

    def __init__(self, bot, metrc, clock):
        self.bot, self.metrc, self.clock = bot, metrc, clock
        self.world = metrc.world
        self.office = bot.office(People())

    async def proposed(self, label=LABEL):
        diagnosis = await self.bot.answer(asked(label), quiet)
        return await propose(self.office, diagnosis.id, askers=(ASKER,), team=HOME)

    async def press(self, intent, person=DANA, verb=Verb.APPROVE):
        press = Press(f"{person}{verb}{self.clock.now()}", intent.id, verb, person, HOME, self.clock.now())
        assert await take(self.office, press)
        return await decide(self.office, press)

    async def approved(self, label=LABEL):
        (intent,) = await self.proposed(label)
        assert (await self.press(intent)).taken
        return intent

    async def swept(self, intent, seconds=30):
        self.clock.forward(seconds=seconds)
        await recover(self.office)
        return await self.office.intents.get(intent.id)

    def writes(self):
        return [f"{write.method} {write.path}" for write in self.metrc.writes]


@asynccontextmanager
async def opened(world, folder, template, **changes):
    config = settings(folder, now=NOW)
    (facility,) = config.facilities
    facility = replace(facility, **{"act": True, "approvers": (DANA,), **changes})
    async with opened_store(world, folder, replace(config, facilities=(facility,)), template) as (bot, metrc):
        clock = Clock(NOW)
        bot.clock = metrc.clock = clock
        yield Shop(bot, metrc, clock)


def sold_twice():
    world = World.healthy(NOW)
    sale = world.sell(LABEL)
    world.post_twice(sale)
    return world, sale


@pytest.fixture
async def shop(tmp_path, empty_database):
    """A sale that is in METRC twice."""
    world, sale = sold_twice()
    async with opened(world, tmp_path, empty_database) as shop:
        shop.sale = sale
        yield shop


async def test_a_twin_receipt_is_voided_and_the_fix_is_verified(shop):
    """One DELETE of the later receipt; the difference is zero, and the log says how."""
    intent = await act(shop.office, (await shop.approved()).id)
    keep, remove = shop.sale.receipts
    assert (intent.state, intent.held) == (State.DONE, True), intent.says
    assert shop.writes() == [f"DELETE /sales/v2/receipts/{remove.id}"]
    assert (keep.archived_on, remove.archived_on is not None) == (None, True)
    assert shop.world.difference(LABEL) == 0
    assert "is now 0 Each" in intent.says


async def test_the_same_answer_again_is_the_same_card(shop):
    """Asked anew by another person: the open intent is joined, not doubled."""
    (first,) = await shop.proposed()
    diagnosis = await shop.bot.answer(asked(LABEL), quiet)
    (again,) = await propose(shop.office, diagnosis.id, askers=(DANA,), team=HOME)
    assert (again.id, again.askers) == (first.id, (ASKER, DANA))


async def test_whoever_joins_a_later_answer_joins_what_an_earlier_one_has_proposed(shop):
    """The removal is found by its records, not by the answer that proposed it."""
    (first,) = await shop.proposed()
    diagnosis = await shop.bot.answer(asked(LABEL), quiet)
    (joined,) = await join_answer(shop.office, diagnosis, DANA)
    assert (joined.id, joined.askers) == (first.id, (ASKER, DANA))
    assert (await shop.press(first)).fault is Fault.ASKED


async def test_newer_evidence_replaces_an_undecided_card(shop):
    """What the old card rested on has changed, so it expires and a new one is made."""
    (first,) = await shop.proposed()
    shop.clock.forward(minutes=1)
    shop.world.finalize(shop.sale.receipts[0], shop.clock.now(), final=True)
    (second,) = await shop.proposed()
    assert second.id != first.id
    assert (await shop.office.intents.get(first.id)).state is State.EXPIRED


async def test_a_finalized_twin_is_unfinalized_first(shop):
    """PUT, then DELETE, and nothing else."""
    remove = shop.sale.receipts[1]
    shop.world.finalize(remove, NOW - timedelta(minutes=5), final=True)
    intent = await act(shop.office, (await shop.approved()).id)
    assert intent.state is State.DONE, intent.says
    assert shop.writes() == ["PUT /sales/v2/receipts/unfinalize", f"DELETE /sales/v2/receipts/{remove.id}"]
    assert shop.metrc.writes[0].body == f'[{{"Id": {remove.id}}}]'


CHANGES = {
    "voided by somebody else": lambda world, keep, remove: world.void_receipt(remove, NOW),
    "its twin voided": lambda world, keep, remove: world.void_receipt(keep, NOW),
    "deleted": lambda world, keep, remove: world.receipts.remove(remove),
    "its twin deleted": lambda world, keep, remove: world.receipts.remove(keep),
    "lines": lambda world, keep, remove: setattr(remove.lines[0], "quantity", Decimal(2)),
    "its twin's lines": lambda world, keep, remove: setattr(keep.lines[0], "quantity", Decimal(2)),
    "price": lambda world, keep, remove: setattr(remove.lines[0], "price", Decimal(7)),
    "number": lambda world, keep, remove: setattr(remove, "external", "POS-20260301-99999"),
    "sale time": lambda world, keep, remove: setattr(remove, "sold_at", keep.sold_at + timedelta(minutes=2)),
    "finalized": lambda world, keep, remove: world.finalize(remove, NOW, final=True),
    "its twin finalized": lambda world, keep, remove: world.finalize(keep, NOW, final=True),
    "adjusted": lambda world, keep, remove: world.metrc_adjust(LABEL, 1, NOW, reason="Entry Error"),
    "on hold": lambda world, keep, remove: setattr(world.package(LABEL), "on_hold", True),
    "finished": lambda world, keep, remove: setattr(world.package(LABEL), "finished_on", NOW.date()),
    "another label": lambda world, keep, remove: setattr(remove.lines[0], "package", world.package(f"{TAG}3002")),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_changed_in_metrc_since_the_card_refuses_the_act(name, shop):
    """No request that changes anything leaves, and the card says what was and what is."""
    intent = await shop.approved()
    keep, remove = shop.sale.receipts
    CHANGES[name](shop.world, keep, remove)
    for receipt in (keep, remove):
        receipt.modified = NOW
    after = await act(shop.office, intent.id)
    assert (after.state, shop.writes()) == (State.REFUSED, []), after.says
    assert after.says.startswith("Nothing was done.")
    assert len(after.says) > 40


async def test_an_effect_without_an_answer_is_found_by_reading(shop):
    """The answer is lost after the effect: done, with one request."""
    intent = await shop.approved()
    shop.world.lose_answer("504_after")
    after = await act(shop.office, intent.id)
    assert (after.state, len(shop.writes())) == (State.DONE, 1), after.says


async def test_an_effect_that_lands_after_45_seconds_is_waited_for(shop):
    """Known within three minutes, with one request and one effect."""
    intent = await shop.approved()
    shop.world.lose_answer("late")
    after = await act(shop.office, intent.id)
    assert after.state is State.UNKNOWN
    for _ in range(6):
        after = await shop.swept(intent)
        if after.state is not State.UNKNOWN:
            break
    assert (after.state, len(shop.writes())) == (State.DONE, 1), after.says
    assert shop.clock.now() - NOW <= timedelta(minutes=3)
    assert shop.world.difference(LABEL) == 0


class Lists:
    """A METRC that knows no receipt by its id, and lists a voided one as active, as inactive, or not at all."""

    def __init__(self, listed):
        self.listed = listed

    async def receipt(self, _receipt_id):
        raise MetrcNotFound("There is no such receipt.", status=404)

    async def probe(self, _permission):
        return None

    async def receipts(self, *, active, window):
        voided = MetrcReceipt(
            id=2, number="2", external_number=None, sold_at=NOW, recorded_at=NOW, archived_on=NOW.date()
        )
        return (voided,) if active is self.listed else ()


@pytest.mark.parametrize(("listed", "gone"), [(True, True), (False, True), (None, False)])
async def test_a_receipt_that_its_id_does_not_find_is_looked_for_in_both_lists(listed, gone):
    """Not to be found by its id proves nothing; listed as voided, in whichever list, does."""
    lookout = LiveLookout(Lists(listed), None, None, Clock(NOW))
    intent = an_intent(Receipts(Clock()), ("2",), "i1")
    assert await lookout.gone(intent, replace(intent.targets[0], keep="1")) is gone


async def test_the_act_asks_slack_and_not_what_was_remembered(shop):
    """The press may be judged by what was known a moment ago, the act may not."""
    people = People()
    office = shop.bot.office(people)
    assert office.fresh_directory is people
    assert isinstance(office.directory, RememberingDirectory)


async def test_a_dead_key_at_the_act_postpones_it(shop):
    """401 to everything is no change of the record: nothing is sent, and the approval runs out."""
    intent = await shop.approved()
    shop.world.kill_key()
    assert (await act(shop.office, intent.id)).state is State.APPROVED
    assert (await shop.swept(intent, seconds=1801)).state is State.EXPIRED
    assert shop.writes() == []


async def test_a_key_without_the_right_to_write_is_refused(shop):
    """METRC's 401 to the DELETE is told, and the receipt is still there."""
    intent = await shop.approved()
    shop.world.keys[0].rights -= {"manage sales"}
    after = await act(shop.office, intent.id)
    assert (after.state, len(shop.writes())) == (State.REFUSED, 1), after.says
    assert "METRC refused" in after.says
    assert shop.sale.receipts[1].archived_on is None


async def test_who_asked_is_in_the_log(shop):
    """The question, its answer and the proposal, in this order."""
    diagnosis = await shop.bot.answer(asked(LABEL), quiet)
    await note_question(shop.office, diagnosis, ASKER)
    await propose(shop.office, diagnosis.id, askers=(ASKER,), team=HOME)
    rows = [row async for row in shop.office.audit.rows()]
    assert [(row.event, row.actor) for row in rows] == [("asked", ASKER), ("proposed", ASKER)]
    assert diagnosis.id in rows[0].detail


async def test_the_kill_switch_in_the_file_works_without_a_restart(shop, tmp_path, monkeypatch):
    """``read_only`` written into the facilities file stops the next claim; taken out again, it goes on."""
    monkeypatch.setenv("COUNTLAST_CONFIG", str(tmp_path / "facilities.toml"))
    intent = await shop.approved()
    (tmp_path / "facilities.toml").write_text("[countlast]\nread_only = true\n", encoding="utf-8")
    assert (await act(shop.office, intent.id)).state is State.APPROVED
    (tmp_path / "facilities.toml").write_text("[countlast\n", encoding="utf-8")
    assert (await shop.swept(intent)).state is State.APPROVED
    assert shop.writes() == []
    (tmp_path / "facilities.toml").write_text("[countlast]\nread_only = false\n", encoding="utf-8")
    assert (await shop.swept(intent)).state is State.DONE


async def test_a_list_of_copies_goes_one_by_one(tmp_path, empty_database):
    """A file imported over what was posted: one card for all of them, each gone once."""
    world = World.healthy(NOW)
    copies = [world.csv_over_api(world.sell(LABEL, at=NOW - timedelta(days=2, hours=hours))) for hours in range(3)]
    async with opened(world, tmp_path, empty_database) as shop:
        intent = await shop.approved()
        assert sorted(target.record_id for target in intent.targets) == sorted(str(copy.id) for copy in copies)
        after = await act(shop.office, intent.id)
        assert (after.state, after.held) == (State.DONE, True), after.says
        assert sorted(shop.writes()) == sorted(f"DELETE /sales/v2/receipts/{copy.id}" for copy in copies)


@pytest.mark.parametrize(("over", "needed"), [(None, 1), (3, 1), (2, 2)])
async def test_a_long_list_needs_two_approvals_where_the_shop_says_so(over, needed, tmp_path, empty_database):
    """Exactly as many records as the limit need one approval, one more needs two."""
    world = World.healthy(NOW)
    for hours in range(3):
        world.csv_over_api(world.sell(LABEL, at=NOW - timedelta(days=2, hours=hours)))
    async with opened(world, tmp_path, empty_database, two_approvals_over=over) as shop:
        (intent,) = await shop.proposed()
        assert (len(intent.targets), intent.needed) == (3, needed)


async def test_an_external_transfer_is_voided(tmp_path, empty_database):
    """A load from outside the state's system, entered twice: the second one goes."""
    world = World.healthy(NOW)
    label = f"{TAG}1050"
    first = world.ship(label, external=True)
    second = world.twin_manifest(first)
    async with opened(world, tmp_path, empty_database) as shop:
        intents = await shop.proposed(label)
        (intent,) = [one for one in intents if one.way is Way.API]
        await shop.press(intent)
        after = await act(shop.office, intent.id)
        gone = {t.record_id for t in intent.targets}
        assert after.state is State.DONE, after.says
        assert shop.writes() == [f"DELETE /transfers/v2/external/incoming/{next(iter(gone))}"]
        assert {str(t.id) for t in (first, second) if t.is_voided} == gone


async def test_a_receive_entered_twice_is_for_a_person(tmp_path, empty_database):
    """Nothing is sent to METRC; the steps name the record, and a check believes only what it reads."""
    world = World.healthy(NOW)
    world.receive_twice(LABEL)
    async with opened(world, tmp_path, empty_database) as shop:
        (intent,) = await shop.proposed()
        answer = await shop.press(intent)
        assert (intent.way, answer.intent.state) == (Way.PERSON, State.APPROVED)
        assert "still there" in (await shop.press(intent, DANA, Verb.CHECK)).says
        assert shop.writes() == []


async def test_a_shop_that_does_not_let_the_bot_act_gets_steps(tmp_path, empty_database):
    """``act = false``: the approval is recorded, a person voids it in METRC, the check finds it done."""
    world, sale = sold_twice()
    async with opened(world, tmp_path, empty_database, act=False) as shop:
        intent = await shop.approved()
        assert (await act(shop.office, intent.id)).state is State.APPROVED
        world.void_receipt(sale.receipts[1], NOW)
        answer = await shop.press(intent, DANA, Verb.CHECK)
        assert (answer.intent.state, answer.intent.held, shop.writes()) == (State.DONE, True, []), answer.says
