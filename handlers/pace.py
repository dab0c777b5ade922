"""How many questions one person may ask in a minute. In memory: a restart forgives."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0


class Pace:
    """A sliding window for each person; nobody pays for somebody else's questions.

    ``timer`` counts seconds. It is not the bot's clock, which may be fixed.
    """

    def __init__(self, limit: int, timer: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._timer = timer
        self._asked: dict[str, deque[float]] = {}
        self._swept = timer()

    def allows(self, person: str) -> bool:
        """Whether this person may ask now; a question that is allowed counts."""
        if self.is_over(person):
            return False
        self._asked.setdefault(person, deque()).append(self._timer())
        return True

    def is_over(self, person: str) -> bool:
        """Whether one more question of this person would be too many; nothing is counted."""
        now = self._timer()
        self._forget_all(now)
        mine = self._asked.get(person, deque())
        _forget(mine, now)
        return len(mine) >= self.limit

    def _forget_all(self, now: float) -> None:
        if now - self._swept < WINDOW_SECONDS:
            return  # going through everybody for each question would make all pay for the many
        self._swept = now
        for person, moments in list(self._asked.items()):
            _forget(moments, now)
            if not moments:
                del self._asked[person]


def _forget(moments: deque[float], now: float) -> None:
    while moments and moments[0] <= now - WINDOW_SECONDS:
        moments.popleft()
