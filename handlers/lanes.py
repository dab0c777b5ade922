"""One queue a channel, at Slack's pace: about a message a second, after a short burst. In memory: a restart forgives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

Sleep = Callable[[float], Awaitable[None]]

SECONDS_BETWEEN: Final = 1.0
BURST: Final = 6
# channels whose last message is so old that nothing has to be remembered of them are forgotten at this many
MOST_REMEMBERED: Final = 1000


class Lanes:
    """Whoever enters a channel's lane waits for those before; a paced entry also waits until Slack would take it.

    The pace is a GCRA: ``BURST`` messages at once, then one every ``SECONDS_BETWEEN``.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep, timer: Callable[[], float] = time.monotonic) -> None:
        self._sleep = sleep
        self._timer = timer
        # locks vanish with the last one who waits for them
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._due: dict[str, float] = {}

    @asynccontextmanager
    async def lane(self, channel: str, *, paced: bool) -> AsyncIterator[None]:
        """The channel's lane, alone; ``paced``: something new is going to be posted."""
        lock = self._locks.setdefault(channel, asyncio.Lock())
        async with lock:
            if paced:
                await self._take_turn(channel)
            yield

    async def _take_turn(self, channel: str) -> None:
        now = self._timer()
        due = max(self._due.get(channel, now), now)
        wait = due - now - (BURST - 1) * SECONDS_BETWEEN
        self._forget(now)
        self._due[channel] = due + SECONDS_BETWEEN
        if wait > 0:
            await self._sleep(wait)

    def _forget(self, now: float) -> None:
        if len(self._due) >= MOST_REMEMBERED:
            self._due = {channel: due for channel, due in self._due.items() if due > now}
