"""Bring a database's schema to what this program knows. Safe when several processes start at once, or die halfway.

A migration's file name begins with its revision; the last file is the head. So whether anything is to be done is known
without loading Alembic, which would cost every command more than its own work.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import SchemaTooNew
from storage.engine import Database, connect, shown, telling

MIGRATIONS = Path(__file__).parent / "migrations"

_PATIENCE = 120  # seconds that a process waits for another one's migration
_LOCK_KEY = 0x636F756E746C6173  # "countlas"


async def upgrade(url: str, migrations: Path = MIGRATIONS) -> None:
    """Bring the schema to the head of ``migrations``, on a database that may be empty.

    Raises ``SchemaTooNew`` when a newer program has been here, ``StorageError`` when the database cannot be used.
    """
    database = connect(url)
    try:
        await bring_up(database, migrations)
    finally:
        await database.close()


async def bring_up(database: Database, migrations: Path = MIGRATIONS) -> None:
    """``upgrade`` for a database that is connected already."""
    known = revisions(migrations)
    if not database.is_sqlite and await _is_current(database, known):
        return
    async with _alone(database):
        if not await _is_current(database, known):
            await _migrate(database, migrations)


def revisions(migrations: Path = MIGRATIONS) -> tuple[str, ...]:
    """All revisions this program knows, oldest first."""
    return tuple(sorted(path.name.split("_")[0] for path in (migrations / "versions").glob("[0-9]*.py")))


async def _is_current(database: Database, known: tuple[str, ...]) -> bool:
    async with database.reading() as connection:
        found = await connection.run_sync(_revision)
    if found is not None and found not in known:
        raise SchemaTooNew(
            f"The database {shown(database.url)} has schema {found}, and this program knows only up to {known[-1]}. "
            "Start the newer Countlast that has already used it, or restore the copy made before that upgrade."
        )
    return found == known[-1]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


async def _migrate(database: Database, migrations: Path) -> None:
    async with database.writing() as connection:
        await _no_limits(database, connection)
        before = await connection.run_sync(_revision)
        if before and database.is_sqlite:
            await asyncio.to_thread(_copy_aside, Path(str(database.url.database)), before)
        await connection.run_sync(_run_alembic, migrations)


async def _no_limits(database: Database, connection: AsyncConnection) -> None:
    if not database.is_sqlite:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))


def _run_alembic(connection: Connection, migrations: Path) -> None:
    from alembic import command  # noqa: PLC0415 — slow to load, and needed only here
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    command.upgrade(config, "head")


def _copy_aside(path: Path, revision: str) -> None:
    """Keep a copy of the file as it was, named after the schema it still has: ``countlast.schema-0001.db``."""
    target = path.with_name(f"{path.stem}.schema-{revision}{path.suffix}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Hold what only one process at a time can hold; the system frees it when that process dies."""
    with telling(database.url):
        async with _only_on_sqlite(database) if database.is_sqlite else _only_on_postgres(database):
            yield


@asynccontextmanager
async def _only_on_sqlite(database: Database) -> AsyncIterator[None]:
    # A lock on the database itself would stop the migration, so an empty file beside it is locked.
    path = Path(str(database.url.database))
    lock = sqlite3.connect(
        path.with_name(f"{path.stem}.lock.db"), timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    with closing(lock):
        await asyncio.to_thread(lock.execute, "BEGIN EXCLUSIVE")
        yield


@asynccontextmanager
async def _only_on_postgres(database: Database) -> AsyncIterator[None]:
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for limit in ("statement_timeout", "lock_timeout"):
            await connection.execute(text(f"SET {limit} = '{_PATIENCE}s'"))
        try:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
            yield
        finally:
            await connection.invalidate()  # ends the session, and with it the lock and the longer limits
