"""Work that goes on after Slack was acknowledged: bounded, supervised, drained at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from typing import Final
from weakref import WeakValueDictionary

from bot.errors import CountlastError
from bot.turns import Turns
from handlers import trouble
from handlers.render import words

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]
Apologise = Callable[[str], Awaitable[None]]

MOST_AT_ONCE: Final = 50
MOST_OF_ONE: Final = 10
MOST_IN_ONE: Final = 20
"""Of one channel: at its pace of a message a second more would only stand in each other's way."""
LAST_WORDS_SECONDS: Final = 3.0


class Work:
    """Runs jobs, at most ``limit`` at once, ``MOST_OF_ONE`` of one person and ``MOST_IN_ONE`` of one channel; the rest queue.

    So whoever floods it waits for himself, and for nobody else. A job that only waits for Slack's pace or for another job
    steps aside meanwhile, and counts for its person and channel alone: a busy channel holds up no other. Belongs to one
    event loop.
    """

    def __init__(self, limit: int = MOST_AT_ONCE) -> None:
        self._slots = Turns(limit)
        self._working: ContextVar[asyncio.Task[None] | None] = ContextVar("working", default=None)
        # they vanish with the last job that holds or awaits them
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def start(self, job: Job, apologise: Apologise, *, person: str = "", channel: str = "") -> None:
        """Run a job later. ``apologise`` is told one sentence (markup) if it ends in an error or cannot end at all.

        ``person``, ``channel``: for whom, and where; empty: for nobody, or nowhere in particular.
        """
        task = asyncio.create_task(self._run(job, apologise, person, channel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def pending(self) -> int:
        """How many jobs run or queue."""
        return len(self._tasks)

    async def idle(self) -> None:
        """Wait until nothing runs and nothing queues."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self, grace: float) -> None:
        """Take no more jobs, give the running ones ``grace`` seconds, then stop the rest and tell their askers."""
        self._is_closing = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_WORDS_SECONDS)

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Whoever only waits in here leaves the job's slot to others; for what is no job nothing changes."""
        # what a job has started beside itself must not give away its slot
        if self._working.get() is not asyncio.current_task():
            yield
            return
        self._working.set(None)
        self._slots.give()
        try:
            yield
        finally:
            await self._slots.take(first=True)
            self._working.set(asyncio.current_task())

    @asynccontextmanager
    async def _slot(self, person: str, channel: str) -> AsyncIterator[None]:
        async with self._share(person, MOST_OF_ONE), self._share(channel and f"channel:{channel}", MOST_IN_ONE):
            await self._slots.take()
            self._working.set(asyncio.current_task())
            try:
                yield
            finally:
                # it is None where the job was stopped while it stood aside
                if self._working.get() is not None:
                    self._slots.give()
                self._working.set(None)

    def _share(self, name: str, most: int) -> AbstractAsyncContextManager[None]:
        return self._own.setdefault(name, asyncio.Semaphore(most)) if name else nullcontext()

    async def _run(self, job: Job, apologise: Apologise, person: str, channel: str) -> None:
        try:
            if self._is_closing:
                await _say(apologise, words.RESTARTING)
                return
            async with self._slot(person, channel):
                await job()
        except asyncio.CancelledError:
            await _say(apologise, words.RESTARTING)
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can keep a person from being left in silence
            await _say(apologise, trouble.explain(error))


async def _say(apologise: Apologise, sentence: str) -> None:
    try:
        await apologise(sentence)
    except CountlastError as error:
        log.warning("who asked could not be told why there is no answer: %s", error)
    except Exception as error:  # noqa: BLE001 - nobody is left to tell; the log is the last resort
        trouble.unexpected(error)
