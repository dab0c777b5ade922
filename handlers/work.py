"""Work that goes on after Slack was acknowledged: bounded, supervised, drained at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from handlers import trouble
from handlers.render import words

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]
Apologise = Callable[[str], Awaitable[None]]

MOST_AT_ONCE: Final = 50
MOST_OF_ONE: Final = 10
LAST_WORDS_SECONDS: Final = 3.0


class Work:
    """Runs jobs, at most ``limit`` at once, at most ``MOST_OF_ONE`` of one person; the rest queue.

    So whoever floods it waits for himself, and for nobody else. Belongs to one event loop.
    """

    def __init__(self, limit: int = MOST_AT_ONCE) -> None:
        self._slots = asyncio.Semaphore(limit)
        # they vanish with the last job that holds or awaits them
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def start(self, job: Job, apologise: Apologise, *, person: str = "") -> None:
        """Run a job later. ``apologise`` is told one sentence (markup) if it ends in an error or cannot end at all.

        ``person``: for whom; empty: for nobody in particular.
        """
        task = asyncio.create_task(self._run(job, apologise, person))
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
    async def _slot(self, person: str) -> AsyncIterator[None]:
        if not person:
            async with self._slots:
                yield
            return
        own = self._own.setdefault(person, asyncio.Semaphore(MOST_OF_ONE))
        async with own, self._slots:
            yield

    async def _run(self, job: Job, apologise: Apologise, person: str) -> None:
        try:
            if self._is_closing:
                await _say(apologise, words.RESTARTING)
                return
            async with self._slot(person):
                await job()
        except asyncio.CancelledError:
            await _say(apologise, words.RESTARTING)
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can keep a person from being left in silence
            await _say(apologise, trouble.explain(error))


async def _say(apologise: Apologise, sentence: str) -> None:
    try:
        await apologise(sentence)
    except Exception as error:  # noqa: BLE001 - nobody is left to tell; the log is the last resort
        trouble.unexpected(error)
