"""Alerts, their letters, the clock's slots and a round's memory in SQL: ``AlertBook``, ``Outbox``, ``Slots``, ``Memory``.

A row decides, never memory: every change names the version or the fence it has read, and one row changed means it won.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts import FLAPS_WITHIN, Alert, Change, Claim, Letter, State, What
from bot.audit import Entry
from bot.model import Window
from storage.audit import append_within
from storage.bodies import from_json, to_json
from storage.engine import Database
from storage.tables import AlertRow, OutboxRow, SlotRow, WatchMemoryRow, table_of

_ALERTS = table_of(AlertRow)
_OUTBOX = table_of(OutboxRow)
_SLOTS = table_of(SlotRow)
_MEMORY = table_of(WatchMemoryRow)

# It may never get through: a picture that Slack does not take, a second address that is nobody's.
_HOLDS_UP_NOTHING = (What.CHART.value, What.ESCALATE.value)


class _OutrunError(Exception):
    """Somebody else changed the row first; the transaction is taken back."""


class SqlAlertBook:
    """See ``bot.ports.AlertBook``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, now: datetime) -> tuple[Alert, ...]:
        """Every live alert, and those closed within the last day; oldest first."""
        lately = or_(_ALERTS.c.closed_at.is_(None), _ALERTS.c.closed_at > now - FLAPS_WITHIN)
        return await self._where(lately)

    async def alert(self, alert_id: str) -> Alert | None:
        """One episode, whatever its state."""
        found = await self._where(_ALERTS.c.id == alert_id)
        return found[0] if found else None

    async def opened(self, window: Window) -> tuple[Alert, ...]:
        """Those that people were told of within this time, whatever became of them; oldest first."""
        lately = or_(_ALERTS.c.closed_at.is_(None), _ALERTS.c.closed_at >= window.start)
        return tuple(a for a in await self._where(lately) if a.fired_at and window.start <= a.fired_at <= window.end)

    async def prune(self, before: datetime) -> None:
        """Forget alerts that were closed before then."""
        async with self._database.writing() as connection:
            await connection.execute(delete(_ALERTS).where(_ALERTS.c.closed_at < before))

    async def write(self, changes: Sequence[Change], now: datetime, told: Sequence[Entry] = ()) -> bool:
        """All changes, their letters and their audit rows in one transaction; False: one was outrun, nothing is written."""
        try:
            async with self._database.writing() as connection:
                for change in changes:
                    await self._change(connection, change)
                    await self._withdraw(connection, change.after, now)
                    await self._post(connection, change.letters, now)
                await append_within(self._database, connection, told)
        except _OutrunError:
            return False
        return True

    async def _change(self, connection: AsyncConnection, change: Change) -> None:
        before, after = change.before, change.after
        if before is None and after is not None:
            statement: Any = self._database.insert(_ALERTS).values(_columns(after)).on_conflict_do_nothing()
        elif before is not None and after is None:
            statement = delete(_ALERTS).where(_same(before))
        elif before is not None and after is not None:
            statement = update(_ALERTS).where(_same(before)).values(_columns(after))
        else:
            return
        if await connection.scalar(statement.returning(_ALERTS.c.id)) is None:
            raise _OutrunError

    async def _withdraw(self, connection: AsyncConnection, after: Alert | None, now: datetime) -> None:
        """Nobody is woken for what is over or in somebody's hand: since escalations hold nothing up, one may be late."""
        if after is None or after.state is State.OPEN or not after.escalations:
            return
        late = and_(
            _OUTBOX.c.alert == after.id,
            _OUTBOX.c.what == What.ESCALATE.value,
            _OUTBOX.c.sent_at.is_(None),
            _free(_OUTBOX, now),
        )
        await connection.execute(update(_OUTBOX).where(late).values(sent_at=now, ref="", problem=None))

    async def _post(self, connection: AsyncConnection, letters: Sequence[Letter], now: datetime) -> None:
        if letters:
            await connection.execute(_OUTBOX.insert(), [_letter_columns(letter, now) for letter in letters])

    async def _where(self, condition: ColumnElement[bool]) -> tuple[Alert, ...]:
        async with self._database.reading() as connection:
            found = (await connection.execute(select(_ALERTS.c.body).where(condition))).scalars().all()
        alerts = (from_json(Alert, body) for body in found)
        return tuple(sorted(alerts, key=lambda alert: (alert.since, alert.id)))


class SqlOutbox:
    """See ``bot.ports.Outbox``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> Claim | None:
        """The oldest letter that is due, is in nobody's hand, and has no unsent letter of its alert before it.

        A chart or an escalation that is not out yet holds nothing up.
        """
        while (found := await self._due(now)) is not None:
            claim = await self._take(found, owner, now, lease)
            if claim is not None:
                return claim
        return None

    async def mark(self, claim: Claim, ref: str, now: datetime) -> bool:
        """It went out as message ``ref``; False: the claim was lost meanwhile."""
        return await self._settle(claim, {"sent_at": now, "ref": ref, "lease_until": None, "problem": None})

    async def postpone(self, claim: Claim, until: datetime, problem: str) -> bool:
        """It did not go out, or nobody knows; it is tried again then. False: the claim was lost meanwhile."""
        return await self._settle(claim, {"not_before": until, "lease_until": None, "problem": problem})

    async def waiting(self) -> tuple[tuple[Letter, str | None], ...]:
        """Every letter that has not gone out, with the last problem; oldest first."""
        order = (_OUTBOX.c.created_at, _OUTBOX.c.alert, _OUTBOX.c.seq)
        statement = select(_OUTBOX.c.body, _OUTBOX.c.problem).where(_OUTBOX.c.sent_at.is_(None)).order_by(*order)
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).all()
        return tuple((from_json(Letter, row.body), row.problem) for row in found)

    async def prune(self, before: datetime) -> None:
        """Forget letters that went out before then, but for those of live alerts, whose first message is still needed."""
        live = select(_ALERTS.c.id).where(_ALERTS.c.closed_at.is_(None))
        async with self._database.writing() as connection:
            gone = delete(_OUTBOX).where(_OUTBOX.c.sent_at < before, _OUTBOX.c.alert.not_in(live))
            await connection.execute(gone)

    async def _due(self, now: datetime) -> Any:  # noqa: ANN401 - a row
        async with self._database.reading() as connection:
            return (await connection.execute(_next_letter(now))).one_or_none()

    async def _take(self, found: Any, owner: str, now: datetime, lease: timedelta) -> Claim | None:  # noqa: ANN401
        columns = {
            "owner": owner,
            "lease_until": now + lease,
            "fence": found.fence + 1,
            "first_tried_at": found.first_tried_at or now,
        }
        mine = and_(_OUTBOX.c.key == found.key, _OUTBOX.c.fence == found.fence, _OUTBOX.c.sent_at.is_(None))
        async with self._database.writing() as connection:
            won = await connection.scalar(update(_OUTBOX).where(mine).values(columns).returning(_OUTBOX.c.key))
            if won is None:
                return None
            first = select(_OUTBOX.c.ref).where(_OUTBOX.c.alert == found.alert, _OUTBOX.c.what == What.FIRE.value)
            thread = await connection.scalar(first)
        return Claim(from_json(Letter, found.body), found.fence + 1, found.first_tried_at, thread)

    async def _settle(self, claim: Claim, columns: dict[str, Any]) -> bool:
        mine = and_(_OUTBOX.c.key == claim.letter.key, _OUTBOX.c.fence == claim.fence, _OUTBOX.c.sent_at.is_(None))
        async with self._database.writing() as connection:
            statement = update(_OUTBOX).where(mine).values(columns).returning(_OUTBOX.c.key)
            return await connection.scalar(statement) is not None


class SqlSlots:
    """See ``bot.ports.Slots``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def win(self, job: str, starts_at: datetime, owner: str, now: datetime, lease: timedelta) -> int | None:
        """The fence of whoever may do it now; None: it is done, or in somebody else's hand."""
        columns = {"job": job, "starts_at": starts_at, "owner": owner, "lease_until": now + lease, "fence": 1}
        fresh = self._database.insert(_SLOTS).values(columns).on_conflict_do_nothing().returning(_SLOTS.c.fence)
        lost = and_(_slot(job, starts_at), _SLOTS.c.finished_at.is_(None), _SLOTS.c.lease_until < now)
        take_over = (
            update(_SLOTS)
            .where(lost)
            .values(owner=owner, lease_until=now + lease, fence=_SLOTS.c.fence + 1)
            .returning(_SLOTS.c.fence)
        )
        async with self._database.writing() as connection:
            fence: int | None = await connection.scalar(fresh)
            return fence if fence is not None else await connection.scalar(take_over)

    async def extend(self, job: str, starts_at: datetime, fence: int, until: datetime) -> bool:
        """Long work says that it lives; False: somebody else has taken it over, so stop."""
        return await self._mine(job, starts_at, fence, {"lease_until": until})

    async def finish(self, job: str, starts_at: datetime, fence: int, now: datetime) -> bool:
        """It is done; False: somebody else has taken it over meanwhile."""
        return await self._mine(job, starts_at, fence, {"finished_at": now})

    async def abandoned(self, now: datetime) -> tuple[tuple[str, datetime], ...]:
        """Slots that were begun and not finished within their lease, oldest first."""
        dead = and_(_SLOTS.c.finished_at.is_(None), _SLOTS.c.lease_until < now)
        statement = select(_SLOTS.c.job, _SLOTS.c.starts_at).where(dead).order_by(_SLOTS.c.starts_at, _SLOTS.c.job)
        async with self._database.reading() as connection:
            return tuple((row.job, row.starts_at) for row in (await connection.execute(statement)).all())

    async def last(self, job: str) -> datetime | None:
        """The newest slot of this job that anybody began; None: none is known."""
        async with self._database.reading() as connection:
            found: datetime | None = await connection.scalar(
                select(func.max(_SLOTS.c.starts_at)).where(_SLOTS.c.job == job)
            )
        return found

    async def prune(self, before: datetime) -> None:
        """Forget slots that were finished before then, but for each job's newest, which tells when it was last done."""
        later = _SLOTS.alias("later")
        is_newest = ~exists().where(later.c.job == _SLOTS.c.job, later.c.starts_at > _SLOTS.c.starts_at)
        async with self._database.writing() as connection:
            await connection.execute(delete(_SLOTS).where(_SLOTS.c.finished_at < before, ~is_newest))

    async def _mine(self, job: str, starts_at: datetime, fence: int, columns: dict[str, Any]) -> bool:
        mine = and_(_slot(job, starts_at), _SLOTS.c.fence == fence, _SLOTS.c.finished_at.is_(None))
        async with self._database.writing() as connection:
            won = await connection.scalar(update(_SLOTS).where(mine).values(columns).returning(_SLOTS.c.fence))
        return won is not None


class SqlMemory:
    """See ``bot.ports.Memory``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recall(self, name: str) -> dict[str, str]:
        """What is remembered under this name, by license."""
        statement = select(_MEMORY.c.license, _MEMORY.c.body).where(_MEMORY.c.name == name)
        async with self._database.reading() as connection:
            return {row.license: row.body for row in (await connection.execute(statement)).all()}

    async def remember(self, name: str, bodies: dict[str, str], now: datetime) -> None:
        """Keep these, by license; what others hold under the name stays."""
        if not bodies:
            return
        insert = self._database.insert(_MEMORY)
        statement = insert.on_conflict_do_update(
            index_elements=list(_MEMORY.primary_key.columns),
            set_={"body": insert.excluded.body, "changed_at": insert.excluded.changed_at},
        )
        rows = [{"license": lic, "name": name, "changed_at": now, "body": body} for lic, body in bodies.items()]
        async with self._database.writing() as connection:
            await connection.execute(statement, rows)


def _next_letter(now: datetime) -> Select[Any]:
    earlier = _OUTBOX.alias("earlier")
    waits = exists().where(
        earlier.c.alert == _OUTBOX.c.alert,
        earlier.c.seq < _OUTBOX.c.seq,
        earlier.c.sent_at.is_(None),
        earlier.c.what.not_in(_HOLDS_UP_NOTHING),
    )
    return (
        select(_OUTBOX)
        .where(_OUTBOX.c.sent_at.is_(None), _OUTBOX.c.not_before <= now, _free(_OUTBOX, now), ~waits)
        .order_by(_OUTBOX.c.created_at, _OUTBOX.c.alert, _OUTBOX.c.seq)
        .limit(1)
    )


def _free(table: Table, now: datetime) -> ColumnElement[bool]:
    return or_(table.c.lease_until.is_(None), table.c.lease_until < now)


def _slot(job: str, starts_at: datetime) -> ColumnElement[bool]:
    return and_(_SLOTS.c.job == job, _SLOTS.c.starts_at == starts_at)


def _same(alert: Alert) -> ColumnElement[bool]:
    return and_(_ALERTS.c.id == alert.id, _ALERTS.c.version == alert.version)


def _columns(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "key": alert.key,
        "kind": alert.kind.value,
        "state": alert.state.value,
        "channel": alert.channel,
        "version": alert.version,
        "closed_at": alert.closed_at,
        "body": to_json(Alert, alert),
    }


def _letter_columns(letter: Letter, now: datetime) -> dict[str, Any]:
    return {
        "key": letter.key,
        "alert": letter.alert.id,
        "seq": letter.seq,
        "what": letter.what.value,
        "created_at": now,
        "not_before": now,
        "fence": 0,
        "body": to_json(Letter, letter),
    }
