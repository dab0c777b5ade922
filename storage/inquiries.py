"""Questions as they are asked in Slack, and what people said of the answers: ``bot.inquiries.Inquiries`` in SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.inquiries import LEFT_BEHIND, Inquiry, Verdict
from bot.model import Cause, SubjectKind
from storage.engine import Database
from storage.kept_questions import lock_of
from storage.tables import InquiryAskerRow, InquiryRow, KeptQuestionRow, KeptSweepRow, VerdictRow, table_of

_INQUIRIES = table_of(InquiryRow)
_ASKERS = table_of(InquiryAskerRow)
_VERDICTS = table_of(VerdictRow)
_SWEEPS = table_of(KeptSweepRow)
_QUESTIONS = table_of(KeptQuestionRow)

# nobody leafs through an older one: the shop has long moved on
SWEEPS_KEPT: Final = timedelta(days=7)


class SqlInquiries:
    """See ``bot.inquiries.Inquiries``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, one: Inquiry) -> Inquiry | None:
        """Write it down as running; the other one if the same question is running already, None: it is ours."""
        insert = self._database.insert(_INQUIRIES).values(_columns(one)).on_conflict_do_nothing()
        statement = insert.returning(_INQUIRIES.c.id)

        async def begin(connection: AsyncConnection) -> bool:
            return await connection.scalar(statement) is not None

        if await self._database.together.write(begin):
            return None
        async with self._database.writing(lock="inquiry") as connection:
            # what a dead process has left behind would block the question for ever
            old = _INQUIRIES.c.started_at < one.started_at - LEFT_BEHIND
            await connection.execute(
                update(_INQUIRIES).where(*_same(one), _is_running(), old).values(ended_at=one.started_at)
            )
            if await connection.scalar(statement) is not None:
                return None
            found = (await connection.execute(select(_INQUIRIES).where(*_same(one), _is_running()))).first()
        return None if found is None else _inquiry(found)

    async def get(self, inquiry_id: str) -> Inquiry | None:
        """One question."""
        found = await self._all(select(_INQUIRIES).where(_INQUIRIES.c.id == inquiry_id))
        return _inquiry(found[0]) if found else None

    async def place(self, inquiry_id: str, channel: str, thread: str, progress: str | None = None) -> None:
        """Where it is answered, and in which message it is told how far it is."""
        await self._change(inquiry_id, channel=channel, thread=thread, progress=progress)

    async def of_question(self, question_id: str) -> tuple[Inquiry, ...]:
        """What was begun for one delivery, in its order."""
        mine = select(_INQUIRIES).where(_INQUIRIES.c.question_id == question_id)
        return tuple(_inquiry(row) for row in await self._all(mine.order_by(_INQUIRIES.c.started_at)))

    async def begin_again(self, inquiry_id: str, now: datetime) -> bool:
        """Go on with one whose process died; False: somebody else has ended it since."""
        mine = _INQUIRIES.c.id == inquiry_id, _is_running()
        statement = update(_INQUIRIES).where(*mine).values(started_at=now, told_at=None).returning(_INQUIRIES.c.id)
        async with self._database.writing(lock="inquiry") as connection:
            return await connection.scalar(statement) is not None

    async def tell(
        self, one: Inquiry, owner: str, now: datetime, diagnosis_id: str | None = None, cause: Cause | None = None
    ) -> bool:
        """Its answer is about to be told; False: this process was taken for dead, and another one answers."""
        lost = exists().where(_QUESTIONS.c.id == _INQUIRIES.c.question_id, _QUESTIONS.c.owner != owner)
        columns = {"told_at": now, "diagnosis_id": diagnosis_id, "cause": cause.value if cause else None}
        statement = update(_INQUIRIES).where(_INQUIRIES.c.id == one.id, ~lost).values(columns)
        async with self._database.writing(lock=lock_of(one.question_id or one.id)) as connection:
            return await connection.scalar(statement.returning(_INQUIRIES.c.id)) is not None

    async def join(self, inquiry_id: str, person: str, now: datetime) -> None:
        """Somebody else asks the same; again changes nothing."""
        columns = {"inquiry_id": inquiry_id, "person": person, "joined_at": now}
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(_ASKERS).values(columns).on_conflict_do_nothing())

    async def askers(self, inquiry_id: str) -> tuple[str, ...]:
        """Who asked, then who joined, in their order."""
        joined = select(_ASKERS.c.person).where(_ASKERS.c.inquiry_id == inquiry_id)
        asked = await self._all(select(_INQUIRIES.c.asked_by).where(_INQUIRIES.c.id == inquiry_id))
        others = await self._all(joined.order_by(_ASKERS.c.joined_at, _ASKERS.c.person))
        return tuple(dict.fromkeys([row.asked_by for row in asked if row.asked_by] + [row.person for row in others]))

    async def end(self, inquiry_id: str, now: datetime, diagnosis_id: str | None, cause: Cause | None) -> None:
        """It is answered, or there will be no answer."""
        await self._change(inquiry_id, ended_at=now, diagnosis_id=diagnosis_id, cause=cause.value if cause else None)

    async def earlier(self, one: Inquiry, since: datetime) -> Inquiry | None:
        """The newest that asked the same, and was answered since then."""
        answered = _INQUIRIES.c.diagnosis_id.is_not(None)
        statement = select(_INQUIRIES).where(*_same(one), answered, _INQUIRIES.c.ended_at >= since)
        found = await self._all(statement.order_by(_INQUIRIES.c.ended_at.desc()).limit(1))
        return _inquiry(found[0]) if found else None

    async def answered_by(self, diagnosis_id: str) -> Inquiry | None:
        """The question that this is the answer to."""
        found = await self._all(select(_INQUIRIES).where(_INQUIRIES.c.diagnosis_id == diagnosis_id).limit(1))
        return _inquiry(found[0]) if found else None

    async def recent(self, facilities: Collection[str], limit: int) -> tuple[Inquiry, ...]:
        """What was answered at these shops, newest first."""
        answered = _INQUIRIES.c.diagnosis_id.is_not(None), _INQUIRIES.c.ended_at.is_not(None)
        mine = _INQUIRIES.c.license.in_(facilities), *answered
        newest = select(_INQUIRIES).where(*mine).order_by(_INQUIRIES.c.ended_at.desc()).limit(limit)
        return tuple(_inquiry(row) for row in await self._all(newest))

    async def judge(self, verdict: Verdict) -> None:
        """Keep what somebody says of an answer; their later word replaces the earlier one."""
        columns: dict[str, Any] = {
            "diagnosis_id": verdict.diagnosis_id,
            "person": verdict.person,
            "license": verdict.facility,
            "at": verdict.at,
            "is_right": verdict.is_right,
            "cause": verdict.cause.value if verdict.cause else None,
            "note": verdict.note,
        }
        said = {name: value for name, value in columns.items() if name not in {"diagnosis_id", "person"}}
        statement = self._database.insert(_VERDICTS).values(columns)
        async with self._database.writing() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["diagnosis_id", "person"], set_=said)
            )

    async def verdicts(self) -> AsyncIterator[Verdict]:
        """All of them, oldest first."""
        for row in await self._all(select(_VERDICTS).order_by(_VERDICTS.c.at, _VERDICTS.c.person)):
            yield Verdict(
                diagnosis_id=row.diagnosis_id,
                facility=row.license,
                person=row.person,
                at=row.at,
                is_right=row.is_right,
                cause=_cause(row.cause),
                note=row.note,
            )

    async def keep_sweep(self, sweep_id: str, facility: str, now: datetime, body: str) -> None:
        """Keep the causes of a whole shop as JSON, so that they can be leafed through."""
        columns = {"id": sweep_id, "license": facility, "at": now, "body": body}
        async with self._database.writing() as connection:
            await connection.execute(delete(_SWEEPS).where(_SWEEPS.c.at < now - SWEEPS_KEPT))
            await connection.execute(self._database.insert(_SWEEPS).values(columns).on_conflict_do_nothing())

    async def sweep(self, sweep_id: str) -> str | None:
        """The JSON of a kept one; None: there is none."""
        found = await self._all(select(_SWEEPS.c.body).where(_SWEEPS.c.id == sweep_id))
        return str(found[0].body) if found else None

    async def _change(self, inquiry_id: str, **columns: object) -> None:
        statement = update(_INQUIRIES).where(_INQUIRIES.c.id == inquiry_id).values(columns)

        async def change(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.together.write(change)

    async def _all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found


def _same(one: Inquiry) -> tuple[Any, ...]:
    return (
        _INQUIRIES.c.license == one.facility,
        _INQUIRIES.c.kind == one.kind.value,
        _INQUIRIES.c.value == one.value,
        _INQUIRIES.c.shelf == one.shelf,
    )


def _is_running() -> Any:  # noqa: ANN401 - a condition of SQLAlchemy's
    return _INQUIRIES.c.ended_at.is_(None)


def _columns(one: Inquiry) -> dict[str, Any]:
    return {
        "id": one.id,
        "license": one.facility,
        "kind": one.kind.value,
        "value": one.value,
        "shelf": one.shelf,
        "asked_by": one.asked_by,
        "started_at": one.started_at,
        "question_id": one.question_id,
    }


def _inquiry(row: Row[Any]) -> Inquiry:
    return Inquiry(
        id=row.id,
        facility=row.license,
        kind=SubjectKind(row.kind),
        value=row.value,
        asked_by=row.asked_by,
        started_at=row.started_at,
        shelf=row.shelf,
        channel=row.channel,
        thread=row.thread,
        ended_at=row.ended_at,
        diagnosis_id=row.diagnosis_id,
        cause=_cause(row.cause),
        question_id=row.question_id,
        progress=row.progress,
        told_at=row.told_at,
    )


def _cause(word: str | None) -> Cause | None:
    """A cause that this version does not know is none."""
    return Cause(word) if word in set(Cause) else None
