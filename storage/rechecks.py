"""Questions that are asked again, in SQL: ``bot.ports.Rechecks``. A row decides, as with letters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from bot.follow_ups import Claimed, Recheck
from storage.bodies import from_json, to_json
from storage.engine import Database
from storage.tables import RecheckRow, table_of

_RECHECKS = table_of(RecheckRow)


class SqlRechecks:
    """See ``bot.ports.Rechecks``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def book(self, recheck: Recheck) -> bool:
        """Keep one; False: it is kept already."""
        columns = {
            "id": recheck.id,
            "due_at": recheck.due_at,
            "not_before": recheck.due_at,
            "fence": 0,
            "body": to_json(Recheck, recheck),
        }
        insert = self._database.insert(_RECHECKS).values(columns).on_conflict_do_nothing()
        async with self._database.writing() as connection:
            return await connection.scalar(insert.returning(_RECHECKS.c.id)) is not None

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> Claimed | None:
        """The longest due that is in nobody's hand; None: nothing is due."""
        free = or_(_RECHECKS.c.lease_until.is_(None), _RECHECKS.c.lease_until < now)
        due = select(_RECHECKS).where(_RECHECKS.c.done_at.is_(None), _RECHECKS.c.not_before <= now, free)
        oldest = due.order_by(_RECHECKS.c.not_before, _RECHECKS.c.id).limit(1)
        while True:
            async with self._database.reading() as connection:
                found = (await connection.execute(oldest)).one_or_none()
            if found is None:
                return None
            fence = found.fence + 1
            columns = {"owner": owner, "lease_until": now + lease, "fence": fence}
            if found.first_tried_at is None:
                columns["first_tried_at"] = now
            if await self._change(found.id, found.fence, columns):
                return Claimed(from_json(Recheck, found.body), fence, found.first_tried_at)

    async def done(self, claimed: Claimed, now: datetime) -> bool:
        """It is answered, or given up; False: the claim was lost meanwhile."""
        return await self._change(claimed.recheck.id, claimed.fence, {"done_at": now, "lease_until": None})

    async def postpone(self, claimed: Claimed, until: datetime) -> bool:
        """It could not be answered; it is tried again then. False: the claim was lost meanwhile."""
        return await self._change(claimed.recheck.id, claimed.fence, {"not_before": until, "lease_until": None})

    async def prune(self, before: datetime) -> None:
        """Forget what was done before then."""
        async with self._database.writing() as connection:
            await connection.execute(delete(_RECHECKS).where(_RECHECKS.c.done_at < before))

    async def _change(self, recheck_id: str, fence: int, columns: dict[str, Any]) -> bool:
        mine = and_(_RECHECKS.c.id == recheck_id, _RECHECKS.c.fence == fence, _RECHECKS.c.done_at.is_(None))
        statement = update(_RECHECKS).where(mine).values(columns).returning(_RECHECKS.c.id)
        async with self._database.writing() as connection:
            return await connection.scalar(statement) is not None
