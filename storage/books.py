"""The way in: opens the database, and hands out what belongs to one facility (``bot.ports.Books``)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from bot.model import (
    Diagnosis,
    Evidence,
    ExportSeen,
    MetrcPackage,
    MetrcReceipt,
    PosEvent,
    PosPackage,
    PosSaleLine,
    Transfer,
)
from storage.alerts import SqlAlertBook, SqlMemory, SqlOutbox, SqlSlots
from storage.audit import SqlAudit
from storage.bodies import ready
from storage.engine import Database, connect
from storage.inquiries import SqlInquiries
from storage.intents import SqlIntents
from storage.kept_questions import SqlKeptQuestions
from storage.ledger import SqlLedger
from storage.mirror import SqlMirror
from storage.rechecks import SqlRechecks
from storage.sweeping import SqlStock
from storage.tables import PosExportRow, table_of
from storage.upgrade import bring_up
from storage.watching import SqlHoldings, SqlStatistics

_EXPORTS = table_of(PosExportRow)


async def open_books(url: str) -> SqlBooks:
    """The database behind ``url``, its schema brought up to date.

    Raises ``StorageError`` when it cannot be used, ``SchemaTooNew`` when a newer program has been here.
    """
    database = connect(url)
    try:
        await bring_up(database)
    except BaseException:
        await database.close()
        raise
    return SqlBooks(database)


class SqlBooks:
    """See ``bot.ports.Books``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = SqlLedger(database)
        self._questions = SqlKeptQuestions(database)

    def mirror(self, license_number: str) -> SqlMirror:
        """The mirror of one facility."""
        return SqlMirror(self._database, license_number)

    def stock(self, license_number: str) -> SqlStock:
        """The mirror of one facility in bulk."""
        return SqlStock(self._database, license_number)

    def exports(self, license_number: str) -> SqlExports:
        """The POS files seen for one facility."""
        return SqlExports(self._database, license_number)

    def statistics(self, license_number: str) -> SqlStatistics:
        """What the mirror of one facility shows of its rhythm."""
        return SqlStatistics(self._database, license_number)

    @property
    def holdings(self) -> SqlHoldings:
        """What the mirrors of all facilities hold."""
        return SqlHoldings(self._database)

    @property
    def alerts(self) -> SqlAlertBook:
        """The alerts of all facilities."""
        return SqlAlertBook(self._database)

    @property
    def outbox(self) -> SqlOutbox:
        """What is to be said in Slack about them."""
        return SqlOutbox(self._database)

    @property
    def rechecks(self) -> SqlRechecks:
        """Questions that are asked again."""
        return SqlRechecks(self._database)

    @property
    def slots(self) -> SqlSlots:
        """Work that the clock proposed."""
        return SqlSlots(self._database)

    @property
    def memory(self) -> SqlMemory:
        """What a round of monitors remembers."""
        return SqlMemory(self._database)

    @property
    def ledger(self) -> SqlLedger:
        """The ledger of all facilities."""
        return self._ledger

    @property
    def intents(self) -> SqlIntents:
        """The removals of all facilities."""
        return SqlIntents(self._database)

    @property
    def inquiries(self) -> SqlInquiries:
        """Questions in Slack, of all facilities."""
        return SqlInquiries(self._database)

    @property
    def questions(self) -> SqlKeptQuestions:
        """Questions in Slack that are kept before they are acknowledged."""
        return self._questions

    @property
    def audit(self) -> SqlAudit:
        """The audit log of all facilities."""
        return SqlAudit(self._database)

    @property
    def database(self) -> Database:
        """The database itself, for what else lives in this package."""
        return self._database

    async def ping(self) -> None:
        """Ask the database for nothing; raises ``StorageError`` when it does not answer."""
        async with self._database.reading() as connection:
            await connection.execute(select(1))

    def warm(self) -> None:
        """Build what reads and writes the kinds of values that are kept."""
        for kind in (Diagnosis, Evidence, MetrcPackage, MetrcReceipt, Transfer, PosPackage, PosSaleLine, PosEvent):
            ready(kind)

    async def close(self) -> None:
        """Give back every connection."""
        await self._database.close()


class SqlExports:
    """See ``bot.ports.Exports``."""

    def __init__(self, database: Database, license_number: str) -> None:
        self._database = database
        self._license = license_number

    async def last(self, kind: str) -> ExportSeen | None:
        """The newest accepted file of this kind (``inventory``)."""
        order = (_EXPORTS.c.as_of.desc(), _EXPORTS.c.name.desc())
        return await self._first(self._of(kind).order_by(*order))

    async def seen(self, kind: str, digest: str) -> ExportSeen | None:
        """The first accepted file of this kind with this content."""
        order = (_EXPORTS.c.as_of, _EXPORTS.c.name)
        return await self._first(self._of(kind).where(_EXPORTS.c.digest == digest).order_by(*order))

    async def remember(self, export: ExportSeen) -> None:
        """Record an accepted file; the same name and digest again changes nothing."""
        columns = {
            "license": self._license,
            "kind": export.kind,
            "name": export.name,
            "digest": export.digest,
            "rows": export.rows,
            "as_of": export.as_of,
        }
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(_EXPORTS).on_conflict_do_nothing(), columns)

    def _of(self, kind: str) -> Select[Any]:
        columns = (_EXPORTS.c.kind, _EXPORTS.c.name, _EXPORTS.c.digest, _EXPORTS.c.rows, _EXPORTS.c.as_of)
        return select(*columns).where(_EXPORTS.c.license == self._license, _EXPORTS.c.kind == kind)

    async def _first(self, statement: Select[Any]) -> ExportSeen | None:
        async with self._database.reading() as connection:
            found = (await connection.execute(statement.limit(1))).mappings().first()
        return found and ExportSeen(**found)
