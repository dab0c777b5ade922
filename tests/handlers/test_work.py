"""Who waits for whom: a flooding person for himself, a busy channel for itself."""

import asyncio
from functools import partial

from handlers.work import MOST_IN_ONE, Work
from tests.handlers.conftest import FakeAnswer
from tests.handlers.values import HARBOR, HILL


async def said(_sentence):
    """Nobody listens."""


async def spun():
    """Everything that can go on without time passing goes on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_job_that_only_waits_leaves_its_slot_to_others_and_comes_back_before_them():
    """In the order in which they step back; those who have not begun come last."""
    work, done, gate = Work(limit=1), [], asyncio.Event()

    async def waiting():
        async with work.aside():
            await gate.wait()
        done.append("waited")

    async def busy(name):
        done.append(name)
        await asyncio.sleep(0)
        gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    work.start(waiting, said)
    for name in ("first", "second"):

        async def job(name=name):
            await busy(name)

        work.start(job, said)
    await asyncio.wait_for(work.idle(), 5)
    assert done == ["first", "waited", "second"]


async def test_what_a_job_has_started_beside_itself_gives_nothing_away():
    """A progress message that waits for its channel does not make room for another job."""
    work, running, gate = Work(limit=1), [], asyncio.Event()

    async def edits():
        async with work.aside():
            await gate.wait()

    async def job():
        running.append(1)
        beside = asyncio.create_task(edits())
        await gate.wait()
        await beside

    work.start(job, said)
    work.start(job, said)
    await spun()
    assert len(running) == 1
    gate.set()
    await asyncio.wait_for(work.idle(), 5)
    assert len(running) == 2


async def test_slots_survive_jobs_that_are_stopped_at_any_moment():
    """While it queues, runs, stands aside, or has just been let back."""
    for steps in range(12):
        work, ran, gate = Work(limit=1), [], asyncio.Event()

        async def job(work=work, gate=gate):
            async with work.aside():
                await gate.wait()

        for _ in range(3):
            work.start(job, said)
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in list(work._tasks)[:2]:
            task.cancel()
        gate.set()
        await asyncio.wait_for(work.idle(), 5)
        assert work._slots.free == 1, steps

        async def last(ran=ran):
            ran.append(1)

        work.start(last, said)
        await asyncio.wait_for(work.idle(), 5)
        assert ran == [1]


async def test_a_channel_at_slacks_pace_keeps_no_other_channel_waiting(start):
    """Thirty questions wait for one channel's messages, with room for four; one elsewhere is answered meanwhile."""
    bot = await start(HARBOR, HILL, limit=4, answer=FakeAnswer(), sleep=_as_asked)
    for number in range(30):
        await bot.command(f"1A4FF01000000220000010{number:02d}", user_id=f"U0{number}", settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) >= 6)
    await bot.command("1A4FF0100000022000009999", channel_id=HILL.channel, user_id="U0LEE", settle=False)
    await bot.slack.until(lambda slack: any("twice" in post["text"] for post in elsewhere(slack)))
    assert len(elsewhere(bot.slack)) >= 3
    await bot.work.close(grace=0)


def elsewhere(slack):
    return [post for post in slack.posts() if post["channel"] == HILL.channel]


async def _as_asked(seconds):
    """A wait that lasts longer than the test."""
    await asyncio.sleep(seconds if seconds < 0.3 else 60)


async def test_of_one_channel_only_so_many_are_in_work():
    """More would only stand in each other's way; another channel, and what belongs to none, is not counted."""
    work, begun, gate = Work(), [], asyncio.Event()

    async def job(name):
        begun.append(name)
        async with work.aside():
            await gate.wait()

    for number in range(MOST_IN_ONE + 5):
        work.start(partial(job, "busy"), said, person=f"U{number}", channel="C0BUSY")
    work.start(partial(job, "other"), said, person="U0", channel="C0OTHER")
    work.start(partial(job, "none"), said)
    await spun()
    assert (begun.count("busy"), begun.count("other"), begun.count("none")) == (MOST_IN_ONE, 1, 1)
    gate.set()
    await asyncio.wait_for(work.idle(), 5)
    assert begun.count("busy") == MOST_IN_ONE + 5
