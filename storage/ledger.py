"""What is remembered across restarts: ``bot.ports.Ledger`` in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from bot.model import Diagnosis, Evidence
from storage.bodies import from_json, to_json
from storage.engine import Database
from storage.tables import DeliveryKeyRow, DiagnosisRow, table_of

_DIAGNOSES = table_of(DiagnosisRow)
_KEYS = table_of(DeliveryKeyRow)


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
        """Read both back, equal to what was saved; None: there is no such answer."""
        statement = select(_DIAGNOSES.c.body, _DIAGNOSES.c.evidence).where(_DIAGNOSES.c.id == diagnosis_id)
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).one_or_none()
        return found and (from_json(Diagnosis, found.body), from_json(Evidence, found.evidence))

    async def first_time(self, key: str, now: datetime) -> bool:
        """Whether this delivery key was never seen before; whoever inserts the row wins, all others get False."""
        statement = self._database.insert(_KEYS).values(key=key, first_seen_at=now).on_conflict_do_nothing()
        async with self._database.writing() as connection:
            # What comes back is the row that was inserted; a row count is not the same on every driver.
            return await connection.scalar(statement.returning(_KEYS.c.key)) is not None
