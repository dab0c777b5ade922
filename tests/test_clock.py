"""The clock: which slot is due when, who does it, and that nothing is done twice or forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import Chore, Duty, Rota, daily, do, every, tick, weekly
from bot.errors import MetrcTimeout

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
LEASE = timedelta(seconds=120)
MINUTES = timedelta(minutes=1)
DENVER = ZoneInfo("America/Denver")


class Clock:
    def __init__(self, at=NOW):
        self.at = at

    def now(self):
        return self.at


class Slots:
    """The rows, in a dictionary."""

    def __init__(self):
        self.rows = {}

    async def win(self, job, starts_at, owner, now, lease):
        row = self.rows.get((job, starts_at))
        if row and (row["done"] or row["until"] >= now):
            return None
        fence = row["fence"] + 1 if row else 1
        self.rows[job, starts_at] = {"fence": fence, "until": now + lease, "done": False, "owner": owner}
        return fence

    async def extend(self, job, starts_at, fence, until):
        row = self.rows[job, starts_at]
        if row["fence"] != fence or row["done"]:
            return False
        row["until"] = until
        return True

    async def finish(self, job, starts_at, fence, now):
        row = self.rows[job, starts_at]
        if row["fence"] != fence or row["done"]:
            return False
        row["done"] = True
        return True

    async def abandoned(self, now):
        return tuple(key for key, row in sorted(self.rows.items()) if not row["done"] and row["until"] < now)

    async def last(self, job):
        return max((at for name, at in self.rows if name == job), default=None)

    async def prune(self, before):
        """Nothing is forgotten here."""


@pytest.fixture
def slots():
    return Slots()


@pytest.fixture
def rota(slots):
    return Rota(slots, Clock(), "one", LEASE)


def duty(work, *, due=None, **changes):
    return Duty("round", due or every(5 * MINUTES), work, timedelta(minutes=4), **changes)


class Work:
    """Counts how often it is done; ``fails`` so often first."""

    def __init__(self, fails=0):
        self.times, self.fails = 0, fails

    async def __call__(self):
        self.times += 1
        if self.times <= self.fails:
            raise MetrcTimeout("METRC did not answer in time.")


# --- when -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**9), st.text(max_size=5))
def test_the_newest_slot_has_begun_and_the_next_has_not(second, name):
    """For any time and any offset, and it is the same slot until the next one begins."""
    now = NOW + timedelta(seconds=second)
    due = every(5 * MINUTES, name)
    slot = due(now)
    assert slot <= now < slot + 5 * MINUTES
    assert due(slot) == slot


def test_many_of_one_kind_do_not_begin_together():
    """Facilities are spread over the period."""
    slots = {every(10 * MINUTES, f"sync/{n}")(NOW) for n in range(50)}
    assert len(slots) > 40


@pytest.mark.parametrize("zone", ["America/Denver", "America/New_York", "America/Los_Angeles", "America/Chicago"])
@pytest.mark.parametrize("at", [time(1, 30), time(2, 30), time(3, 30)])
def test_a_local_time_comes_once_a_day_also_when_clocks_change(zone, at):
    """Every quarter of an hour through both nights of 2026: one slot a local day, whatever the wall clock skips or repeats."""
    due = daily(ZoneInfo(zone), at)
    for first in (datetime(2026, 3, 6, 20, tzinfo=UTC), datetime(2026, 10, 30, 20, tzinfo=UTC)):
        slots = [due(first + n * 15 * MINUTES) for n in range(4 * 24 * 4)]
        assert slots == sorted(slots)
        days = Counter(slot.astimezone(ZoneInfo(zone)).date() for slot in set(slots))
        assert set(days.values()) == {1}
        assert len(days) == 5


def test_a_week_begins_on_its_day():
    """The newest Monday at eight, also on Monday at seven."""
    due = weekly(DENVER, 0, time(8))
    assert due(NOW) == datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert due(datetime(2026, 3, 2, 14, tzinfo=UTC)) == datetime(2026, 2, 23, 15, tzinfo=UTC)


# --- who --------------------------------------------------------------------------------------------------------------


async def test_a_slot_is_done_once_by_one_of_many(slots):
    """Four processes tick a hundred times each."""
    work, clock = Work(), Clock()
    rotas = [Rota(slots, clock, str(n), LEASE) for n in range(4)]
    for _ in range(100):
        await asyncio.gather(*(rota.propose(duty(work)) for rota in rotas))
        clock.at += timedelta(seconds=15)
    assert work.times == len(slots.rows) == 5
    assert all(row["done"] for row in slots.rows.values())


async def test_what_was_slept_through_is_done_once(rota):
    """Six hours later only the newest slot is due."""
    work = Work()
    assert await rota.propose(duty(work))
    rota.clock.at += timedelta(hours=6)
    assert await rota.propose(duty(work))
    assert not await rota.propose(duty(work))
    assert work.times == 2


async def test_a_first_start_does_not_catch_up_with_a_week_before_it(rota):
    """A digest of a week in which nobody watched says nothing; the next one comes."""
    work = Work()
    week = duty(work, due=weekly(DENVER, 0, time(8)), at_first=False)
    assert not await rota.propose(week)
    assert work.times == 0
    rota.clock.at += timedelta(days=7)
    assert await rota.propose(week)


async def test_what_fails_is_tried_again_after_the_lease(rota, caplog):
    """The sentence is logged, nothing is raised, and the slot is not finished."""
    work = Work(fails=1)
    nightly = duty(work, due=daily(DENVER, time(3)))
    assert not await rota.propose(nightly)
    assert "round was not done: METRC did not answer in time." in caplog.text
    assert not await rota.propose(nightly)
    rota.clock.at += LEASE + timedelta(seconds=1)
    assert await rota.propose(nightly)
    assert work.times == 2


async def test_work_that_takes_too_long_is_stopped(rota, caplog):
    """It is bounded, and said to be."""
    assert not await rota.propose(Duty("round", every(5 * MINUTES), asyncio.Event().wait, timedelta(seconds=0.01)))
    assert "it took too long" in caplog.text


async def test_long_work_keeps_its_slot(slots):
    """It says that it lives, so nobody takes it over."""
    rota, done = Rota(slots, Clock(), "one", timedelta(seconds=0.03)), asyncio.Event()
    going = asyncio.create_task(rota.propose(duty(done.wait)))
    await asyncio.sleep(0)
    rota.clock.at += timedelta(seconds=10)
    extended, extend = asyncio.Event(), slots.extend

    async def seen(*row):
        extended.set()
        return await extend(*row)

    slots.extend = seen
    async with asyncio.timeout(5):
        await extended.wait()
    done.set()
    assert await going


async def test_who_has_lost_a_slot_stops(slots, caplog):
    """Another process has taken it over while this one slept."""
    rota = Rota(slots, Clock(), "one", timedelta(seconds=0.03))
    going = asyncio.create_task(rota.propose(duty(asyncio.Event().wait)))
    await asyncio.sleep(0)
    [key] = slots.rows
    slots.rows[key]["fence"] += 1
    assert not await going
    assert "another process has taken it over" in caplog.text


async def test_an_overtaken_slot_is_closed_without_its_work(rota, slots):
    """Its owner died; the newer slot has done the work of both. The newest one is left for whoever proposes it."""
    work = Work()
    old, newest = every(5 * MINUTES)(NOW - 10 * MINUTES), every(5 * MINUTES)(NOW)
    for at in (old, newest):
        await slots.win("round", at, "dead", NOW - timedelta(hours=1), LEASE)
    assert await rota.sweep([duty(work)]) == 1
    assert (slots.rows["round", old]["done"], slots.rows["round", newest]["done"]) == (True, False)
    assert await rota.propose(duty(work))
    assert work.times == 1


async def test_one_duty_that_fails_stops_no_other(rota):
    """Facilities go one beside the other."""
    good, bad = Work(), Work(fails=9)
    duties = [Duty("a", every(MINUTES), bad, MINUTES), Duty("b", every(MINUTES), good, MINUTES)]
    assert await do(Chore("both", MINUTES, duties, work=bad), rota) == 1
    assert (good.times, bad.times) == (1, 2)


async def test_the_clock_ticks_until_it_is_stopped(rota):
    """APScheduler proposes; the second tick finds the slot done."""
    work, chores, stop, ticks = Work(), Work(), asyncio.Event(), asyncio.Event()

    async def seen():
        await chores()
        if chores.times == 3:
            ticks.set()

    chore = Chore("round", timedelta(milliseconds=10), [duty(work)], work=seen)
    going = asyncio.create_task(tick([chore], rota, stop))
    async with asyncio.timeout(5):
        await ticks.wait()
    stop.set()
    await going
    assert work.times == 1


async def test_what_runs_at_the_end_is_let_through_and_a_fault_is_logged(rota, caplog):
    """A fault of the program stops no other chore, and the last piece of work is not cut off."""
    begun, stop, ended = asyncio.Event(), asyncio.Event(), []

    async def faulty():
        raise ZeroDivisionError

    async def slow():
        begun.set()
        await stop.wait()
        await asyncio.sleep(0)
        ended.append(True)

    chores = [Chore("faulty", timedelta(milliseconds=10), work=faulty), Chore("slow", timedelta(hours=1), work=slow)]
    going = asyncio.create_task(tick(chores, rota, stop))
    async with asyncio.timeout(5):
        await begun.wait()
    stop.set()
    await going
    assert ended == [True]
    assert "faulty failed" in caplog.text
