"""Questions as they came in, written down before Slack is told that they were heard.

From the acknowledgement on somebody owes an answer, whatever dies. A process says every ``BEAT`` that it lives; the open
questions of one that has been silent for ``SILENT`` are taken up by another, each once. What nobody took up while it was
``FRESH`` is not answered any more, for the shop has moved on: who asked is told so instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

BEAT: Final = timedelta(seconds=5)
SILENT: Final = timedelta(seconds=20)
FRESH: Final = timedelta(minutes=15)
FORGOTTEN: Final = timedelta(days=7)
"""How long a question that was answered is kept, so that a repeat of it is known; its body is dropped at once."""


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    """One delivery. ``id``: the same for every repeat of it; ``body``: what was asked, as its reader wrote it.

    ``owner``: the process that works on it. ``taken_up_at``: when it was taken from a dead one; None: it never was.
    """

    id: str
    body: str
    kept_at: datetime
    owner: str
    taken_up_at: datetime | None = None


class KeptQuestions(Protocol):
    """Kept in the database; every method raises ``StorageError``."""

    async def keep(self, question: KeptQuestion) -> bool:
        """Write it down; False: this delivery was kept before, so there is nothing to do."""
        ...

    async def close(self, question_id: str, now: datetime) -> None:
        """It was answered, or its asker was told why not."""
        ...

    async def beat(self, owner: str, now: datetime) -> None:
        """Say that this process lives."""
        ...

    async def orphaned(self, owner: str, now: datetime) -> tuple[KeptQuestion, ...]:
        """Open ones of other processes that have been silent for too long, oldest first."""
        ...

    async def take_up(self, question: KeptQuestion, owner: str, now: datetime) -> bool:
        """Make an orphaned one one's own; False: somebody else was first."""
        ...
