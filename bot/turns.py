"""Some at once, the others wait in their order, and some of them go first. Belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """``number`` at once. Who takes one gives it back, whatever happens."""

    def __init__(self, number: int) -> None:
        self.free = number
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def take(self, *, first: bool = False) -> None:
        """Wait for one; ``first``: before all who are not."""
        if self.free > 0:
            self.free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._first if first else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # it may have come at the same moment, and nobody would give it back
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Leave it to the next one."""
        for waiting in (self._first, self._others):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self.free += 1
