"""Questions that are asked again: “wait until 14:35” is a promise to look then. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.model import ActionKind, Diagnosis, SubjectKind

# what was to arrive by then is looked for a little later
GRACE: Final = timedelta(minutes=1)
MOST_ROUNDS: Final = 3
FARTHEST: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Recheck:
    """A question to be asked again. ``id``: of the answer that promised it. ``round``: how often it was asked again.

    ``shelf``: what somebody had counted when it was asked first; the count still holds, for nobody counts anew meanwhile.
    """

    id: str
    license: str
    kind: SubjectKind
    value: str
    channel: str
    thread: str
    asked_by: str | None
    due_at: datetime
    round: int = 1
    shelf: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A recheck in one process's hand. ``tried_since``: an earlier try began then, and may have been answered."""

    recheck: Recheck
    fence: int
    tried_since: datetime | None = None


def follow_up(
    diagnosis: Diagnosis,
    channel: str,
    thread: str,
    asked_by: str | None,
    *,
    shelf: Decimal | None = None,
    before: Recheck | None = None,
) -> Recheck | None:
    """What this answer promises; None: nothing, or it was looked at often enough.

    ``shelf``: the count that came with the question; ``before``: what led to this answer, whose count goes on.
    """
    due_at = diagnosis.action.not_before
    number = 1 if before is None else before.round + 1
    if diagnosis.action.kind is not ActionKind.WAIT or due_at is None or number > MOST_ROUNDS:
        return None
    if due_at - diagnosis.asked_at > FARTHEST:
        return None
    subject = diagnosis.subject
    due_at = max(due_at, diagnosis.asked_at) + GRACE
    return Recheck(
        id=diagnosis.id,
        license=diagnosis.facility,
        kind=subject.kind,
        value=subject.value,
        channel=channel,
        thread=thread,
        asked_by=asked_by,
        due_at=due_at,
        round=number,
        shelf=shelf if before is None else before.shelf,
    )
