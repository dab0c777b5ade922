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

    def allows(self, person: str) -> bool:
        """Whether this person may ask now; a question that is allowed counts."""
        now = self._timer()
        self._forget(now)
        mine = self._asked.setdefault(person, deque())
        if len(mine) >= self.limit:
            return False
        mine.append(now)
        return True

    def _forget(self, now: float) -> None:
        for person, moments in list(self._asked.items()):
            while moments and moments[0] <= now - WINDOW_SECONDS:
                moments.popleft()
            if not moments:
                del self._asked[person]
