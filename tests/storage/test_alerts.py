"""Alerts and their letters are written together, sent once, and slots are won once, on both databases."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.outbox import EVENTS, POINTS, faults, killed
from benchmarks.slots import played
from bot.alerts import Condition, Kind, Policy, Seen, What, acknowledge, decide, snooze
from bot.app import SystemClock
from bot.errors import ChatError, QuestionError
from bot.outbox import send_letters
from storage.alerts import SqlAlertBook, SqlMemory, SqlOutbox, SqlSlots
from storage.engine import connect

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=120)
AT_ONCE = Policy(hold=timedelta(0), good_rounds=1)
SILENT = Condition(
    Kind.POSTS_FAILING, "L1", "Harbor Street", cause="L1", says="3 sales wait.", remedy="Look.", channel="C0FLOOR"
)


ESCALATED = replace(SILENT, escalate_to="U0GONE")
HOUR = timedelta(hours=1)


class Slack:
    """A channel in memory. ``breaks`` are raised one after another before anything is posted; ``refused``: kinds always."""

    def __init__(self, *breaks, refused=()):
        self.posted = []
        self.rewritten = []
        self.looked = 0
        self.breaks = list(breaks)
        self.refused = dict(refused)
        self.refusals = 0

    async def send(self, letter, thread):
        self._break()
        if error := self.refused.get(letter.what):
            self.refusals += 1
            raise error
        self.posted.append((letter.key, letter.what, letter.channel, thread))
        return f"ts{len(self.posted)}"

    async def find(self, letter, thread, since):
        self.looked += 1
        self._break()
        places = [place for place, (key, *_) in enumerate(self.posted, start=1) if key == letter.key]
        return f"ts{places[0]}" if places else None

    async def rewrite(self, letter, message):
        self._break()
        self.rewritten.append((letter.alert.state, message))

    def _break(self):
        if self.breaks and (error := self.breaks.pop(0)):
            raise error

    @property
    def said(self):
        return [what for _, what, *_ in self.posted]


@pytest.fixture
def book(books):
    return SqlAlertBook(books.database)


@pytest.fixture
def outbox(books):
    return SqlOutbox(books.database)


async def round_of(book, now, *conditions):
    changes = decide(await book.known(now), Seen(conditions), now, AT_ONCE)
    assert await book.write(changes, now)


async def send(outbox, slack, now, owner="one"):
    return await send_letters(outbox, slack, owner, SystemClock(now), LEASE)


async def only(book, now=NOW):
    [alert] = await book.known(now)
    return alert


async def test_an_alert_comes_back_equal(book):
    """What was decided is read back as it was, letters counted."""
    changes = decide((), Seen((SILENT,)), NOW, AT_ONCE)
    assert await book.write(changes, NOW)
    assert await only(book) == changes[0].after
    assert await book.alert(changes[0].after.id) == changes[0].after


async def test_closed_alerts_are_known_for_a_day(book):
    """An alert that has ended is remembered for a day, and not longer."""
    await round_of(book, NOW, SILENT)
    await round_of(book, NOW + MINUTE)
    assert await book.known(NOW + timedelta(hours=23))
    assert not await book.known(NOW + timedelta(hours=25))


async def test_a_round_that_was_outrun_writes_nothing(book, outbox):
    """Somebody acknowledged meanwhile: the whole round is taken back, letters too, and is simply made again."""
    await round_of(book, NOW, SILENT)
    other = replace(SILENT, license="L2", cause="L2")
    changes = decide(await book.known(NOW), Seen((other,)), NOW + MINUTE, AT_ONCE)
    assert await book.write([acknowledge(await only(book), "U0DANA", NOW)], NOW)
    before = await outbox.waiting()
    assert not await book.write(changes, NOW)
    assert (await only(book)).by == "U0DANA"
    assert await outbox.waiting() == before


async def test_two_rounds_at_once_open_one_alert(book, outbox):
    """Two processes that see the same problem at the same moment: one of them writes, the database refuses the other."""
    rounds = [decide((), Seen((SILENT,)), NOW + n * timedelta(microseconds=1), AT_ONCE) for n in range(4)]
    assert sorted(await asyncio.gather(*(book.write(changes, NOW) for changes in rounds))) == [
        False,
        False,
        False,
        True,
    ]
    assert len(await outbox.waiting()) == 1


async def test_a_blip_leaves_no_row(book):
    """A pending alert that nobody was told of is forgotten."""
    held = Policy()
    assert await book.write(decide((), Seen((SILENT,)), NOW, held), NOW)
    assert await book.write(decide(await book.known(NOW), Seen(), NOW + MINUTE, held), NOW + MINUTE)
    assert await book.known(NOW) == ()


async def test_a_life_is_told_in_order_and_in_one_thread(book, outbox):
    """The first message, its rewriting and the replies go out in order; replies are in the first message's thread."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    await send(outbox, slack, NOW)
    assert await book.write([snooze(await only(book), "U0DANA", NOW + 3 * MINUTE, NOW)], NOW)
    await round_of(book, NOW + 4 * MINUTE, SILENT)
    await round_of(book, NOW + 5 * MINUTE)
    assert await send(outbox, slack, NOW + 5 * MINUTE) == 5
    assert slack.said == [What.FIRE, What.REPEAT, What.RESOLVE]
    assert [thread for *_, thread in slack.posted] == [None, "ts1", "ts1"]
    assert [(state.value, ts) for state, ts in slack.rewritten] == [
        ("snoozed", "ts1"),
        ("open", "ts1"),
        ("closed", "ts1"),
    ]
    assert await outbox.waiting() == ()


async def test_nothing_is_looked_for_on_a_first_try(book, outbox):
    """Looking costs a call that Slack limits, so it is done only where somebody tried before."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    await send(outbox, slack, NOW)
    assert slack.looked == 0


async def test_a_letter_in_somebody_elses_hand_is_left_alone(book, outbox):
    """While the lease lasts nobody else sends it; after that whoever comes looks for it first."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    assert await outbox.claim("dying", NOW, LEASE)
    assert await send(outbox, slack, NOW + LEASE) == 0
    assert await send(outbox, slack, NOW + LEASE + timedelta(seconds=1)) == 1
    assert (slack.said, slack.looked) == ([What.FIRE], 1)


async def test_a_lease_counts_from_its_own_claim(book, outbox):
    """Of many letters the last is claimed minutes after the first, and nobody may take it over meanwhile."""
    await round_of(book, NOW, SILENT, replace(SILENT, license="L2", cause="L2"))

    class Slow(Slack):
        now_is = NOW

        def now(self):
            return self.now_is

        async def send(self, letter, thread):
            stolen.append(await outbox.claim("thief", self.now_is + MINUTE, LEASE) if self.posted else None)
            self.now_is += LEASE
            return await super().send(letter, thread)

    stolen, slack = [], Slow()
    assert await send_letters(outbox, slack, "one", slack, LEASE) == 2
    assert stolen == [None, None]


async def test_a_message_that_went_out_unmarked_is_found(book, outbox):
    """Posted, then killed before it was marked: the next sender finds it, marks it, and replies in its thread."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    claim = await outbox.claim("dying", NOW, LEASE)
    await slack.send(claim.letter, None)
    await round_of(book, NOW + 5 * MINUTE)
    assert await send(outbox, slack, NOW + 5 * MINUTE) == 3
    assert slack.said == [What.FIRE, What.RESOLVE]
    assert slack.posted[1][3] == "ts1"


async def test_a_sender_that_slept_cannot_mark_what_another_took_over(book, outbox):
    """The old claim's fence is refused, be it to mark or to postpone."""
    await round_of(book, NOW, SILENT)
    old = await outbox.claim("slow", NOW, LEASE)
    new = await outbox.claim("quick", NOW + 2 * LEASE, LEASE)
    assert not await outbox.mark(old, "ts1", NOW)
    assert not await outbox.postpone(old, NOW, "late")
    assert await outbox.mark(new, "ts2", NOW)


async def test_a_limit_puts_off_and_drops_nothing(book, outbox):
    """Slack says when to come back; until then nothing is tried, and then it goes out once."""
    slack = Slack(ChatError("Slack asks to wait.", code="ratelimited", retry_after=30))
    await round_of(book, NOW, SILENT)
    assert await send(outbox, slack, NOW) == 0
    assert [problem for _, problem in await outbox.waiting()] == ["Slack asks to wait."]
    assert await send(outbox, slack, NOW + timedelta(seconds=29)) == 0
    assert await send(outbox, slack, NOW + timedelta(seconds=30)) == 1
    assert slack.said == [What.FIRE]


async def test_an_outage_of_slack_delays_everything_and_loses_nothing(book, outbox):
    """Two hours without Slack: tried ever more seldom, then all of it goes out in order."""
    slack = Slack(*[TimeoutError()] * 100)
    await round_of(book, NOW, SILENT)
    at = NOW
    while at < NOW + timedelta(hours=2):
        await send(outbox, slack, at)
        at += timedelta(seconds=10)
    tries = 100 - len(slack.breaks)
    assert 10 < tries < 30
    slack.breaks.clear()
    await round_of(book, at, *())
    assert await send(outbox, slack, at + timedelta(minutes=10)) == 3
    assert slack.said == [What.FIRE, What.RESOLVE]


async def test_one_channel_that_is_gone_holds_up_no_other(book, outbox):
    """A letter that Slack refuses waits by itself; the other shop's goes out in the same run."""
    slack = Slack(ChatError("No such channel.", code="channel_not_found"))
    await round_of(book, NOW, SILENT, replace(SILENT, license="L2", cause="L2", channel="C0OTHER"))
    assert await send(outbox, slack, NOW) == 1
    assert len(await outbox.waiting()) == 1


NOBODY = ChatError("Slack did not take it (user_not_found).", code="user_not_found")


async def escalated(book, outbox, slack):
    """An alert that was told, and that goes to its second address half an hour later."""
    await round_of(book, NOW, ESCALATED)
    await send(outbox, slack, NOW)
    await round_of(book, NOW + 31 * MINUTE, ESCALATED)
    await send(outbox, slack, NOW + 31 * MINUTE)


async def test_an_escalation_that_reaches_nobody_holds_up_nothing(book, outbox):
    """``escalate_to`` is mistyped: the floor's card is rewritten and the end is told at once, in their order."""
    slack = Slack(refused={What.ESCALATE: NOBODY})
    await escalated(book, outbox, slack)
    assert slack.refusals == 1
    await round_of(book, NOW + 32 * MINUTE, ESCALATED, replace(ESCALATED, license="L2", name="Mill Road"))
    await send(outbox, slack, NOW + 32 * MINUTE)
    assert [state.value for state, _ in slack.rewritten] == ["open"]
    await round_of(book, NOW + 33 * MINUTE)
    await send(outbox, slack, NOW + 33 * MINUTE)
    assert slack.said == [What.FIRE, What.RESOLVE]
    assert [state.value for state, _ in slack.rewritten] == ["open", "closed"]
    assert await outbox.waiting() == ()


async def test_an_escalation_that_reaches_nobody_is_given_up_after_an_hour(book, outbox, caplog):
    """The log says which setting is wrong; whoever mends it within the hour is still told."""
    slack = Slack(refused={What.ESCALATE: NOBODY})
    await escalated(book, outbox, slack)
    with caplog.at_level(logging.WARNING):
        await send(outbox, slack, NOW + 90 * MINUTE)
        assert [letter.what for letter, _ in await outbox.waiting()] == [What.ESCALATE]
        assert caplog.text == ""
        await send(outbox, slack, NOW + 101 * MINUTE)
    assert await outbox.waiting() == ()
    assert "escalate_to (U0GONE) of Harbor Street" in caplog.text
    assert "user_not_found" in caplog.text


async def test_an_outage_of_slack_gives_up_no_escalation(book, outbox):
    """Slack refused nobody: it goes out when Slack is back, however late."""
    slack = Slack(refused={What.ESCALATE: ChatError("Slack did not answer (503).", code="503")})
    await escalated(book, outbox, slack)
    for hours in range(1, 5):
        await send(outbox, slack, NOW + 31 * MINUTE + hours * HOUR)
    slack.refused.clear()
    await send(outbox, slack, NOW + 6 * HOUR)
    assert slack.said == [What.FIRE, What.ESCALATE]


@pytest.mark.parametrize("ends", ["closed", "acknowledged"])
async def test_nobody_is_woken_late_for_what_is_over_or_in_hand(book, outbox, ends):
    """An escalation that is not out when the alert ends, or is taken in hand, is withdrawn and not sent after it."""
    slack = Slack(refused={What.ESCALATE: TimeoutError()})
    await escalated(book, outbox, slack)
    if ends == "closed":
        await round_of(book, NOW + 32 * MINUTE)
    else:
        assert await book.write([acknowledge(await only(book), "U0DANA", NOW)], NOW + 32 * MINUTE)
    slack.refused.clear()
    await send(outbox, slack, NOW + HOUR)
    assert What.ESCALATE not in slack.said
    assert await outbox.waiting() == ()


async def test_a_chart_whose_facts_cannot_be_gathered_stops_no_other_letter(book, outbox, caplog):
    """Its shop is not configured any more: what waits behind it goes out in the same pass; after an hour it is left out."""
    gone = QuestionError("License 'L1' is not configured; known: L2.")
    slack = Slack(refused={What.CHART: gone})
    silent = replace(SILENT, kind=Kind.SYNC_SILENT)
    await round_of(book, NOW, silent)
    await round_of(book, NOW, silent, replace(SILENT, license="L2", cause="L2"))
    assert await send(outbox, slack, NOW) == 2
    assert slack.said == [What.FIRE, What.FIRE]
    [(letter, problem)] = await outbox.waiting()
    assert (letter.what, problem) == (What.CHART, str(gone))
    await send(outbox, slack, NOW + HOUR)
    assert await outbox.waiting() == ()
    assert str(gone) in caplog.text


async def test_a_message_that_a_person_deleted_is_not_rewritten_for_ever(book, outbox):
    """There is nothing to edit any more, so the letters behind it go on."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    await send(outbox, slack, NOW)
    await round_of(book, NOW + MINUTE)
    slack.breaks = [None, ChatError("It is gone.", code="message_not_found")]
    assert await send(outbox, slack, NOW + MINUTE) == 2
    assert await outbox.waiting() == ()


async def test_eight_senders_send_each_letter_once(book, outbox, database_url):
    """Many senders on connections of their own, one outbox: every letter goes out exactly once."""
    await round_of(book, NOW, *(replace(SILENT, license=f"L{n}", cause=f"L{n}") for n in range(20)))
    slack = Slack()
    databases = [connect(database_url) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        for n, database in enumerate(databases):
            group.create_task(send(SqlOutbox(database), slack, NOW, str(n)))
    assert len(slack.posted) == len(set(slack.posted)) == 20
    for database in databases:
        await database.close()


async def test_old_letters_are_forgotten_but_those_of_live_alerts(book, outbox):
    """The first message of an alert that still lasts is needed for its thread, however old."""
    slack = Slack()
    await round_of(book, NOW, SILENT)
    await send(outbox, slack, NOW)
    await outbox.prune(NOW + MINUTE)
    await round_of(book, NOW + 2 * MINUTE)
    assert (await outbox.claim("one", NOW + 2 * MINUTE, LEASE)).thread == "ts1"
    await send(outbox, slack, NOW + 2 * LEASE + 2 * MINUTE)
    await outbox.prune(NOW + timedelta(days=1))
    assert await outbox.claim("one", NOW + timedelta(days=2), LEASE) is None


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("what", EVENTS)
def test_a_death_at_any_point_loses_nothing_and_repeats_nothing(database_url, tmp_path, what, point):
    """A process killed in the middle of telling, and one that comes after it: the message is in the channel once."""
    assert faults(killed(database_url, tmp_path, what, point), what) == (0, 0)


# --- slots ------------------------------------------------------------------------------------------------------------


async def test_a_slot_is_won_once(books):
    """Of many that try at the same moment one wins; once it is finished nobody does it again."""
    slots = SqlSlots(books.database)
    fences = await asyncio.gather(*(slots.win("sync/L1", NOW, str(n), NOW, LEASE) for n in range(8)))
    assert sorted(fence for fence in fences if fence) == [1]
    assert await slots.finish("sync/L1", NOW, 1, NOW)
    assert await slots.win("sync/L1", NOW, "late", NOW + 2 * LEASE, LEASE) is None


async def test_a_slot_whose_owner_died_is_taken_over(books):
    """Only after its lease, by one only, and the old owner's fence is refused from then on."""
    slots = SqlSlots(books.database)
    assert await slots.win("round", NOW, "dead", NOW, LEASE) == 1
    assert await slots.abandoned(NOW + LEASE) == ()
    assert await slots.win("round", NOW, "heir", NOW + LEASE, LEASE) is None
    later = NOW + LEASE + timedelta(seconds=1)
    assert await slots.abandoned(later) == (("round", NOW),)
    assert await slots.win("round", NOW, "heir", later, LEASE) == 2
    assert not await slots.finish("round", NOW, 1, later)
    assert not await slots.extend("round", NOW, 1, later + LEASE)
    assert await slots.finish("round", NOW, 2, later)
    assert await slots.abandoned(later + 2 * LEASE) == ()


def test_every_slot_is_run_once_though_most_processes_die(database_url, tmp_path):
    """Four processes, three of them killed right after they have won: no slot is missed and none is run twice."""
    assert played(database_url, tmp_path / "journal.txt", 60) == dict.fromkeys(range(60), 1)


async def test_long_work_keeps_its_slot(books):
    """An owner that says it lives is not taken over."""
    slots = SqlSlots(books.database)
    await slots.win("round", NOW, "slow", NOW, LEASE)
    assert await slots.extend("round", NOW, 1, NOW + 3 * LEASE)
    assert await slots.win("round", NOW, "heir", NOW + 2 * LEASE, LEASE) is None


async def test_finished_slots_are_forgotten(books):
    """What is done and old is pruned; what is not done stays, and so does each job's newest."""
    slots, later = SqlSlots(books.database), NOW + timedelta(hours=1)
    for at in (NOW, later):
        await slots.win("done", at, "one", NOW, LEASE)
        await slots.finish("done", at, 1, NOW)
    await slots.win("open", NOW, "one", NOW, LEASE)
    await slots.prune(NOW + timedelta(days=1))
    assert await slots.last("done") == later
    assert await slots.last("never") is None
    assert await slots.win("done", NOW, "two", NOW, LEASE) == 1
    assert await slots.win("done", later, "two", NOW, LEASE) is None
    assert await slots.win("open", NOW, "two", NOW, LEASE) is None


# --- memory -----------------------------------------------------------------------------------------------------------


async def test_memory_is_kept_by_name_and_license(books):
    """What one shop has under a name is replaced, what others have stays."""
    memory = SqlMemory(books.database)
    await memory.remember("rights", {"L1": "[1]", "L2": "[2]"}, NOW)
    await memory.remember("rights", {"L1": "[3]"}, NOW)
    await memory.remember("other", {}, NOW)
    assert await memory.recall("rights") == {"L1": "[3]", "L2": "[2]"}
    assert await memory.recall("other") == {}
