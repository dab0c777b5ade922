"""What is remembered across restarts: ``bot.ports.Ledger`` in SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StorageError
from bot.model import Diagnosis, Evidence, Stored
from storage.bodies import from_json, to_json, why_unreadable
from storage.engine import Database
from storage.tables import DeliveryKeyRow, DiagnosisRow, table_of

_DIAGNOSES = table_of(DiagnosisRow)
_KEYS = table_of(DeliveryKeyRow)

# ids alone are small; the bodies behind them are fetched one by one, for a single one may hold megabytes
_PAGE: Final = 500


class SqlLedger:
    """See ``bot.ports.Ledger``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, diagnosis: Diagnosis, evidence: Evidence, asked_by: str | None) -> None:
        """Keep the answer and what it rests on; the same id again changes nothing, for answers are never rewritten."""
        columns = {
            "id": diagnosis.id,
            "license": diagnosis.facility,
            "subject": f"{diagnosis.subject.kind} {diagnosis.subject.value}",
            "asked_at": diagnosis.asked_at,
            "asked_by": asked_by,
            "cause": diagnosis.cause,
            "code": diagnosis.code,
            "body": to_json(Diagnosis, diagnosis),
            "evidence": to_json(Evidence, evidence),
        }
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(_DIAGNOSES).on_conflict_do_nothing(), columns)

    async def diagnosis(self, diagnosis_id: str) -> tuple[Diagnosis, Evidence] | None:
        """Read both back, equal to what was saved; None: there is no such answer.

        Raises ``StorageError`` for an answer that this version cannot read.
        """
        stored = await self.stored(diagnosis_id)
        if stored is None:
            return None
        if stored.kept is None:
            raise StorageError(f"Answer {diagnosis_id} is stored, but this version cannot read it ({stored.problem}).")
        return stored.kept

    async def stored(self, diagnosis_id: str) -> Stored | None:
        """One answer as it is kept, readable or not; None: there is no such answer."""
        statement = select(_DIAGNOSES).where(_DIAGNOSES.c.id == diagnosis_id)
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).one_or_none()
        return None if found is None else _stored(found)

    async def answers(self, *, newest_first: bool = False) -> AsyncIterator[Stored]:
        """Every answer by the time it was asked, one at a time, in bounded memory.

        What is saved while this runs may or may not be among them.
        """
        last: Row[Any] | None = None
        while page := await self._page(last, newest_first=newest_first):
            for row in page:
                stored = await self.stored(row.id)
                if stored is not None:
                    yield stored
            last = page[-1]

    async def _page(self, last: Row[Any] | None, *, newest_first: bool) -> Sequence[Row[Any]]:
        key = tuple_(_DIAGNOSES.c.asked_at, _DIAGNOSES.c.id)
        order = (_DIAGNOSES.c.asked_at, _DIAGNOSES.c.id)
        statement: Select[Any] = select(*order).limit(_PAGE)
        if newest_first:
            statement = statement.order_by(*(column.desc() for column in order))
        else:
            statement = statement.order_by(*order)
        if last is not None:
            here = tuple_(last.asked_at, last.id)
            statement = statement.where(key < here if newest_first else key > here)
        async with self._database.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found

    async def first_time(self, key: str, now: datetime) -> bool:
        """Whether this delivery key was never seen before; whoever inserts the row wins, all others get False."""
        statement = self._database.insert(_KEYS).values(key=key, first_seen_at=now).on_conflict_do_nothing()

        async def insert(connection: AsyncConnection) -> bool:
            # What comes back is the row that was inserted; a row count is not the same on every driver.
            return await connection.scalar(statement.returning(_KEYS.c.key)) is not None

        return await self._database.together.write(insert)

    async def forget_deliveries(self, before: datetime) -> None:
        """Forget the keys that were seen before then: nobody delivers again what is so old."""
        async with self._database.writing() as connection:
            await connection.execute(delete(_KEYS).where(_KEYS.c.first_seen_at < before))


def _stored(row: Row[Any]) -> Stored:
    """The row with its bodies read; one that cannot be read is told by its columns."""
    columns = (row.id, row.license, row.subject, row.asked_at, row.code)
    try:
        kept = from_json(Diagnosis, row.body), from_json(Evidence, row.evidence)
    except ValueError as error:
        return Stored(*columns, problem=why_unreadable(error))
    return Stored(*columns, kept)
