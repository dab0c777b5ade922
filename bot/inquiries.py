"""Questions as they are asked in Slack: who asks, who joined, where the answer is; and what people said of answers.

A question that is being answered is joined, not run twice; so of one question only one is running at a time, which the
database itself holds. A process that dies while it answers leaves a question behind; after ``LEFT_BEHIND`` the next one
who asks takes its place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from bot.model import Cause, Question, SubjectKind

LEFT_BEHIND: Final = timedelta(minutes=3)
"""No answer takes that long, so nobody is working on it any more."""

STILL_NEWS: Final = timedelta(minutes=30)
"""How long an earlier answer to the same question is linked."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question in Slack. ``channel`` and ``thread``: where it is answered, None until that is known.

    ``ended_at`` None: it is being answered. ``diagnosis_id`` None: there is no answer yet, or there was none.
    ``question_id``: the delivery that asked it. ``progress``: the message that tells how far it is. ``told_at``: when
    its answer began to be told.
    """

    id: str
    facility: str
    kind: SubjectKind
    value: str
    asked_by: str
    started_at: datetime
    shelf: str = ""
    channel: str | None = None
    thread: str | None = None
    ended_at: datetime | None = None
    diagnosis_id: str | None = None
    cause: Cause | None = None
    question_id: str | None = None
    progress: str | None = None
    told_at: datetime | None = None

    def is_same(self, other: Inquiry) -> bool:
        """Whether both ask the same."""
        mine = (self.facility, self.kind, self.value, self.shelf)
        return mine == (other.facility, other.kind, other.value, other.shelf)


def inquiry(question: Question, inquiry_id: str, now: datetime, question_id: str | None = None) -> Inquiry:
    """A question that begins now."""
    shelf = "" if question.shelf is None else f"{question.shelf.normalize():f}"
    return Inquiry(
        id=inquiry_id,
        facility=question.facility,
        kind=question.subject.kind,
        value=question.subject.value,
        asked_by=question.asked_by or "",
        started_at=now,
        shelf=shelf,
        question_id=question_id,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of an answer. ``cause``: the true one; None: not known, or the answer's own was right."""

    diagnosis_id: str
    facility: str
    person: str
    at: datetime
    is_right: bool
    cause: Cause | None = None
    note: str = ""


class Inquiries(Protocol):
    """Kept in the database; every method raises ``StorageError``."""

    async def begin(self, one: Inquiry) -> Inquiry | None:
        """Write it down as running; the other one if the same question is running already, None: it is ours."""
        ...

    async def get(self, inquiry_id: str) -> Inquiry | None:
        """One question."""
        ...

    async def place(self, inquiry_id: str, channel: str, thread: str, progress: str | None = None) -> None:
        """Where it is answered, and in which message it is told how far it is."""
        ...

    async def of_question(self, question_id: str) -> tuple[Inquiry, ...]:
        """What was begun for one delivery, in its order."""
        ...

    async def begin_again(self, inquiry_id: str, now: datetime) -> bool:
        """Go on with one whose process died; False: somebody else has ended it since."""
        ...

    async def tell(
        self, one: Inquiry, owner: str, now: datetime, diagnosis_id: str | None = None, cause: Cause | None = None
    ) -> bool:
        """Its answer is about to be told; False: this process was taken for dead, and another one answers."""
        ...

    async def join(self, inquiry_id: str, person: str, now: datetime) -> None:
        """Somebody else asks the same; again changes nothing."""
        ...

    async def askers(self, inquiry_id: str) -> tuple[str, ...]:
        """Who asked, then who joined, in their order."""
        ...

    async def end(self, inquiry_id: str, now: datetime, diagnosis_id: str | None, cause: Cause | None) -> None:
        """It is answered, or there will be no answer."""
        ...

    async def earlier(self, one: Inquiry, since: datetime) -> Inquiry | None:
        """The newest that asked the same, and was answered since then."""
        ...

    async def answered_by(self, diagnosis_id: str) -> Inquiry | None:
        """The question that this is the answer to."""
        ...

    async def recent(self, facilities: Collection[str], limit: int) -> tuple[Inquiry, ...]:
        """What was answered at these shops, newest first."""
        ...

    async def judge(self, verdict: Verdict) -> None:
        """Keep what somebody says of an answer; their later word replaces the earlier one."""
        ...

    def verdicts(self) -> AsyncIterator[Verdict]:
        """All of them, oldest first."""
        ...

    async def keep_sweep(self, sweep_id: str, facility: str, now: datetime, body: str) -> None:
        """Keep the causes of a whole shop as JSON, so that they can be leafed through."""
        ...

    async def sweep(self, sweep_id: str) -> str | None:
        """The JSON of a kept one; None: there is none."""
        ...
