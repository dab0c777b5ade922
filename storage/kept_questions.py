"""Questions as they came in: ``bot.kept_questions.KeptQuestions`` in SQL. One row a question, committed in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Executable, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.kept_questions import FORGOTTEN, SILENT, KeptQuestion
from storage.engine import Database
from storage.tables import KeptQuestionRow, ListenerRow, table_of
from storage.together import RowsTogether

_QUESTIONS = table_of(KeptQuestionRow)
_LISTENERS = table_of(ListenerRow)

MOST_AT_ONCE: Final = 200


class SqlKeptQuestions:
    """See ``bot.kept_questions.KeptQuestions``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keeping = RowsTogether(partial(database.writing, is_urgent=True), self._new, "id")

    def _new(self, rows: Sequence[Mapping[str, Any]]) -> Executable:
        return self._database.insert(_QUESTIONS).values(rows).on_conflict_do_nothing().returning(_QUESTIONS.c.id)

    async def keep(self, question: KeptQuestion) -> bool:
        """Write it down; False: this delivery was kept before, so there is nothing to do."""
        row = {"id": question.id, "body": question.body, "kept_at": question.kept_at, "owner": question.owner}
        return await self._keeping.insert(row)

    async def close(self, question_id: str, now: datetime) -> None:
        """It was answered, or its asker was told why not."""
        statement = update(_QUESTIONS).where(_QUESTIONS.c.id == question_id).values(done_at=now, body="")

        async def end(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.together.write(end)

    async def beat(self, owner: str, now: datetime) -> None:
        """Say that this process lives."""
        statement = self._database.insert(_LISTENERS).values({"id": owner, "seen_at": now})
        async with self._database.writing() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_={"seen_at": statement.excluded.seen_at})
            )
            await connection.execute(delete(_LISTENERS).where(_LISTENERS.c.seen_at < now - FORGOTTEN))
            await connection.execute(delete(_QUESTIONS).where(_QUESTIONS.c.done_at < now - FORGOTTEN))

    async def orphaned(self, owner: str, now: datetime) -> tuple[KeptQuestion, ...]:
        """Open ones of other processes that have been silent for too long, oldest first."""
        lives = exists().where(_LISTENERS.c.id == _QUESTIONS.c.owner, _LISTENERS.c.seen_at > now - SILENT)
        columns = (
            _QUESTIONS.c.id,
            _QUESTIONS.c.body,
            _QUESTIONS.c.kept_at,
            _QUESTIONS.c.owner,
            _QUESTIONS.c.taken_up_at,
        )
        statement = select(*columns).where(
            _QUESTIONS.c.done_at.is_(None),
            _QUESTIONS.c.owner != owner,
            # a process that has just begun may have kept one before it said that it lives
            _QUESTIONS.c.kept_at < now - SILENT,
            ~lives,
        )
        async with self._database.reading() as connection:
            found = await connection.execute(statement.order_by(_QUESTIONS.c.kept_at).limit(MOST_AT_ONCE))
            return tuple(KeptQuestion(**row) for row in found.mappings())

    async def take_up(self, question: KeptQuestion, owner: str, now: datetime) -> bool:
        """Make an orphaned one one's own; False: somebody else was first."""
        mine = _QUESTIONS.c.id == question.id, _QUESTIONS.c.owner == question.owner, _QUESTIONS.c.done_at.is_(None)
        statement = update(_QUESTIONS).where(*mine).values(owner=owner, taken_up_at=now).returning(_QUESTIONS.c.id)
        # whoever is about to answer after all, and whoever takes it up, follow one another
        async with self._database.writing(lock=lock_of(question.id)) as connection:
            return await connection.scalar(statement) is not None


def lock_of(question_id: str) -> str:
    """The lock under which it is decided who answers a question."""
    return f"question {question_id}"
