"""The audit log: ``bot.ports.AuditLog`` in SQL. Rows are only ever put at its end, in the caller's own transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.audit import EMPTY, Anchor, Entry, Row, head_of, seal_all
from storage.engine import Database
from storage.tables import AuditHeadRow, AuditRow, table_of

_ENTRIES = table_of(AuditRow)
_HEADS = table_of(AuditHeadRow)

LOG: Final = "log"
_AT_ONCE: Final = 1000


class SqlAudit:
    """See ``bot.ports.AuditLog``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[Entry]) -> None:
        """Put entries at its end."""
        async with self._database.writing() as connection:
            await append_within(self._database, connection, entries)

    async def rows(self, after: int = 0) -> AsyncIterator[Row]:
        """All rows behind number ``after``, in order; read piece by piece, so that no reader holds up a writer."""
        columns = [_ENTRIES.c[name] for name in Row.__dataclass_fields__]
        while True:
            piece = select(*columns).where(_ENTRIES.c.seq > after).order_by(_ENTRIES.c.seq).limit(_AT_ONCE)
            async with self._database.reading() as connection:
                found = [Row(*one) for one in await connection.execute(piece)]
            for row in found:
                yield row
            if len(found) < _AT_ONCE:
                return
            after = found[-1].seq

    async def head(self) -> Anchor:
        """Where the log says that it ends."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(_HEADS.c.seq, _HEADS.c.hash).where(_HEADS.c.name == LOG))).first()
        return Anchor(*found) if found else EMPTY


async def append_within(database: Database, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Append as part of a transaction that writes; the end of the log stays locked until that one ends."""
    if not entries:
        return
    rows = seal_all(entries, await _locked_head(database, connection))
    await connection.execute(_ENTRIES.insert(), [asdict(row) for row in rows])
    last = head_of(rows[-1])
    await connection.execute(update(_HEADS).where(_HEADS.c.name == LOG).values(seq=last.seq, hash=last.hash))


async def _locked_head(database: Database, connection: AsyncConnection) -> Anchor:
    wanted = select(_HEADS.c.seq, _HEADS.c.hash).where(_HEADS.c.name == LOG).with_for_update()
    found = (await connection.execute(wanted)).first()
    if found is None:
        first = database.insert(_HEADS).values(name=LOG, seq=EMPTY.seq, hash=EMPTY.hash).on_conflict_do_nothing()
        await connection.execute(first)
        found = (await connection.execute(wanted)).one()
    return Anchor(*found)
