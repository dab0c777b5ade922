"""Removals in the database: one open one a record, changed only by whoever saw it last, with its audit rows or not at all."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import removals
from bot.audit import Entry, Event
from bot.errors import StorageError
from bot.removals import Card, IllegalMove, Pace, Person, State, Verb
from storage.books import open_books
from tests.removing import DANA, HOME, LEE, NOW, SHOP, TWIN, Bench, Clock, Receipts, an_intent

FLOOR, OPS = Card("C0FLOOR", "1.2", "1.1"), Card("C0OPS", "1.3")


@pytest.fixture
def bench(books):
    return Bench(books, Receipts(Clock()))


def nothing(_kept):
    return ()


def told(intent):
    return (
        Entry(
            NOW,
            Event.PROPOSED,
            "U0ASKER",
            SHOP,
            intent.id,
            "package X",
            {"remove": [t.record_id for t in intent.targets]},
        ),
    )


async def test_what_is_added_comes_back_equal(books, bench):
    """Every field, times and decimals included."""
    intent = bench.intent()
    assert await books.intents.add(intent, told) == intent
    assert await books.intents.get("i1") == intent
    assert await books.intents.get("nope") is None
    assert await bench.events() == ["proposed"]


async def test_one_open_intent_a_record(books, bench):
    """A second one for the same record gives back the first, and writes nothing."""
    first = await books.intents.add(bench.intent(), told)
    assert await books.intents.add(bench.intent(intent_id="i2"), told) == first
    assert await books.intents.get("i2") is None
    assert await bench.events() == ["proposed"]


async def test_many_at_once_leave_one(database_url):
    """Sixteen proposals of two overlapping lists at the same moment, over two connections: each record is held once."""
    both = [await open_books(database_url) for _ in range(2)]
    receipts = Receipts(Clock(), records=("880102", "880103", "880104"))
    lists = (("880102", "880103"), ("880104", "880103"))

    async def add(number):
        return await both[number % 2].intents.add(an_intent(receipts, lists[number % 2], f"i{number}"), nothing)

    await asyncio.gather(*(add(number) for number in range(16)))
    held = [target.record_id for intent in await both[0].intents.pending([SHOP]) for target in intent.targets]
    assert sorted(held) == ["880102", "880103", "880104"]
    for books in both:
        await books.close()


async def test_a_list_that_overlaps_keeps_only_what_is_free(books):
    """The digest is that of the records that are left."""
    receipts = Receipts(Clock(), records=("880102", "880103"))
    await books.intents.add(an_intent(receipts, ("880102",), "i1"), nothing)
    kept = await books.intents.add(an_intent(receipts, ("880102", "880103"), "i2"), told)
    assert [target.record_id for target in kept.targets] == ["880103"]
    assert kept.digest == removals.digest_of("metrc", kept.kind, kept.targets, kept.sight)
    assert await books.intents.get("i2") == kept


async def test_a_closed_intent_lets_its_records_go(books, bench):
    """After a refusal the same record can be proposed again."""
    intent = await bench.proposed()
    ended = removals.expire(intent, NOW)
    assert await books.intents.save(intent, ended, ())
    assert await books.intents.holding(SHOP, "metrc", "sales_receipt", TWIN) is None
    assert (await bench.proposed(intent_id="i2")).id == "i2"


async def test_only_who_saw_it_last_can_change_it(books, bench):
    """The second of two that read the same loses, and its audit rows with it."""
    intent = await bench.proposed()
    dana, lee = Person(DANA, "Dana", HOME), Person(LEE, "Lee", HOME)
    assert await books.intents.save(intent, removals.deny(intent, dana, "no", NOW), told(intent))
    assert not await books.intents.save(intent, removals.deny(intent, lee, "no", NOW), told(intent))
    assert (await books.intents.get("i1")).decided_by == DANA
    assert await bench.events() == ["proposed"]


async def test_state_fence_and_revision_all_have_to_be_as_they_were_read(books, bench):
    """One of them another one, and nothing is written: a claim by others, an approval by others, any change at all."""
    intent = await bench.proposed()
    for other in ({"state": State.APPROVED}, {"fence": 1}, {"revision": 1}):
        before = replace(intent, **other)
        assert not await books.intents.save(before, removals.join(before, LEE), told(intent))
    assert await books.intents.get("i1") == intent
    assert await bench.events() == []


async def test_of_many_that_claim_one_wins(database_url):
    """Twenty claims over two connections: one fence, one owner."""
    both = [await open_books(database_url) for _ in range(2)]
    bench = Bench(both[0], Receipts(Clock()))
    intent = replace(bench.intent(), state=State.APPROVED)
    await both[0].intents.add(intent, nothing)
    claims = [removals.claim(intent, f"p{n}", NOW, Pace()) for n in range(20)]
    won = await asyncio.gather(*(both[n % 2].intents.save(intent, claim, ()) for n, claim in enumerate(claims)))
    assert sum(won) == 1
    assert (await both[0].intents.get("i1")).fence == 1
    for books in both:
        await books.close()


async def test_a_move_that_there_is_not_is_refused(books, bench):
    """Whatever the program thinks, the table of moves decides."""
    intent = await bench.proposed()
    with pytest.raises(IllegalMove, match="proposed cannot become done"):
        await books.intents.save(intent, replace(intent, state=State.DONE), ())


async def test_a_change_whose_audit_rows_cannot_be_written_is_none(books, bench):
    """State and log move together or not at all."""
    intent = await bench.proposed()
    bad = Entry(NOW, Event.EXPIRED, None, SHOP, "i1", "package X", {})
    with pytest.raises(StorageError):
        await books.intents.save(intent, removals.expire(intent, NOW), (bad,))
    assert await books.intents.get("i1") == intent


async def test_what_is_due_comes_longest_overdue_first(books):
    """Neither what is due later nor what is over."""
    receipts = Receipts(Clock(), records=("880102", "880103", "880104"))
    for minutes, record in ((5, "880102"), (1, "880103"), (60, "880104")):
        intent = replace(an_intent(receipts, (record,), record), due_at=NOW + timedelta(minutes=minutes))
        await books.intents.add(intent, nothing)
    assert await books.intents.due(NOW + timedelta(minutes=5), 10) == ("880103", "880102")
    assert await books.intents.due(NOW + timedelta(minutes=5), 1) == ("880103",)


async def test_pending_and_history_are_of_the_facilities_asked_for(books, bench):
    """Open ones oldest first; all of them newest first, also by label."""
    intent = await bench.proposed()
    other = replace(bench.intent("777"), id="i2", facility="402R-X0043", proposed_at=NOW + timedelta(hours=1))
    await books.intents.add(other, nothing)
    assert await books.intents.pending([SHOP]) == (intent,)
    assert await books.intents.history([SHOP, "402R-X0043"], None, 10) == (other, intent)
    assert await books.intents.history([SHOP], intent.subject.value, 10) == (intent,)
    assert await books.intents.history([SHOP], "1A4FF01000000220000", 10) == ()
    assert await books.intents.pending([]) == ()


async def test_a_card_that_shows_an_older_state_is_found_until_it_is_shown(books, bench):
    """What a crash left between the change and the card is still to be drawn, in each thread that asked."""
    intent = await bench.proposed()
    await books.intents.place("i1", FLOOR, intent.revision)
    await books.intents.place("i1", OPS, intent.revision)
    assert await books.intents.cards("i1") == (FLOOR, OPS)
    assert await books.intents.places(10) == ()
    after = removals.expire(intent, NOW)
    await books.intents.save(intent, after, ())
    assert await books.intents.places(10) == ((after, FLOOR), (after, OPS))
    assert await books.intents.shown(FLOOR, after.revision)
    assert await books.intents.places(10) == ((after, OPS),)
    assert await books.intents.shown(OPS, after.revision)
    assert await books.intents.places(10) == ()


async def test_an_older_state_never_counts_as_shown_after_a_newer_one(books, bench):
    """Of two that draw at once, the one with the older state hears that it has to draw again."""
    intent = await bench.proposed()
    await books.intents.place("i1", FLOOR, 3)
    assert not await books.intents.shown(FLOOR, 2)
    assert await books.intents.shown(FLOOR, 3)
    await books.intents.place("i1", FLOOR, intent.revision)
    assert await books.intents.cards("i1") == (FLOOR,)


async def test_a_press_is_taken_once_and_kept_until_it_is_answered(books, bench):
    """The same press again is no press; one without an answer is found by the sweep."""
    press = bench.press(verb=Verb.DECLINE, reason="No.")
    assert not await books.intents.was_taken(press.id)
    assert await books.intents.take(press)
    assert not await books.intents.take(press)
    assert await books.intents.was_taken(press.id)
    assert await books.intents.unanswered(NOW, 10) == ()
    assert await books.intents.unanswered(NOW + timedelta(seconds=1), 10) == (press,)
    assert (await books.intents.is_pressed("i1"), await books.intents.is_pressed("i2")) == (True, False)
    await books.intents.answered(press.id)
    assert await books.intents.unanswered(NOW + timedelta(seconds=1), 10) == ()
    assert not await books.intents.is_pressed("i1")
