"""How many questions one person may ask in a minute. In memory: a restart forgives."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0

Key = str | object


class Pace:
    """A sliding window for each person; nobody pays for somebody else's questions.

    ``timer`` counts seconds. It is not the bot's clock, which may be fixed.
    """

    def __init__(self, limit: int, timer: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._timer = timer
        self._asked: dict[str, dict[Key, float]] = {}
        self._swept = timer()

    def allows(self, person: str, delivery: str = "") -> bool:
        """Whether this person may ask now; a question that is allowed counts, once however often it is delivered.

        ``delivery``: the same for every repeat; a question without one is always another.
        """
        now = self._timer()
        self._forget_all(now)
        mine = self._asked.setdefault(person, {})
        _forget(mine, now)
        if delivery and delivery in mine:
            return True
        if len(mine) >= self.limit:
            return False
        mine[delivery or object()] = now
        return True

    def _forget_all(self, now: float) -> None:
        if now - self._swept < WINDOW_SECONDS:
            return  # going through everybody for each question would make all pay for the many
        self._swept = now
        for person, moments in list(self._asked.items()):
            _forget(moments, now)
            if not moments:
                del self._asked[person]


def _forget(moments: dict[Key, float], now: float) -> None:
    """Drop what is a minute old; the oldest comes first."""
    for key, moment in list(moments.items()):
        if moment > now - WINDOW_SECONDS:
            return
        del moments[key]
