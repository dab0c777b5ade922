"""The database: one async engine, and the two ways to use it, for reading and for writing.

SQLite begins a transaction lazily, at its first write, and two that have both read then lose one another's update. So
every transaction that may write begins IMMEDIATE, and only ``reading`` begins without the write lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import Connection, Table, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import StorageError
from bot.turns import Turns
from storage.one_trip import OneTripConnection, opened
from storage.together import Together

ACCEPTED = ("sqlite+aiosqlite", "postgresql+psycopg")

FEW_TOGETHER = 20

_LAST_LOOKS = 5000  # a millisecond apart

Insert = sqlite.Insert | postgresql.Insert
Threads = WeakSet[OneTripConnection]

_READS = "countlast_reads"
_PRAGMAS = (
    "PRAGMA busy_timeout = 30000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits when the power fails
    "PRAGMA foreign_keys = ON",
)
_POSTGRES_LIMITS = (
    "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"  # milliseconds
)


class Database:
    """An engine with its manners. Everything it raises is a ``StorageError`` that never shows a password."""

    def __init__(
        self,
        url: URL,
        engine: AsyncEngine,
        writes: AsyncEngine | None = None,
        threads: Iterable[OneTripConnection] = (),
    ) -> None:
        """``writes``: for what is urgent, and on SQLite for all that writes; so neither waits for readers' connections."""
        self.url = url
        self.engine = engine
        self._writes = writes or engine
        self._threads = threads
        self.is_sqlite = url.get_backend_name() == "sqlite"
        # SQLite has one writer at a time anyway; waiting here keeps its threads free, and lets what is urgent go first.
        self._turns = Turns(1) if self.is_sqlite else None
        self.together = Together(self.writing, FEW_TOGETHER)
        self.urgent = Together(partial(self.writing, is_urgent=True))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and sees one state of the database throughout."""
        with telling(self.url):
            async with self.engine.connect() as connection:
                await connection.execution_options(**self._snapshot())
                yield connection

    @asynccontextmanager
    async def writing(self, lock: str | None = None, *, is_urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; committed at the end, rolled back on any error.

        Transactions with the same ``lock`` follow one another, so what one has read still holds when it writes.
        ``is_urgent``: Slack waits for it, so it goes before all others that wait.
        """
        with telling(self.url):
            engine = self._writes if self.is_sqlite or is_urgent else self.engine
            async with self._turn(first=is_urgent), engine.begin() as connection:
                if lock and not self.is_sqlite:
                    await connection.execute(_LOCK, {"name": lock})
                yield connection

    @property
    def insert(self) -> Callable[[Table], Insert]:
        """``INSERT`` into a table in the dialect's own kind, which knows ``ON CONFLICT``."""
        return sqlite.insert if self.is_sqlite else postgresql.insert

    async def close(self) -> None:
        """Give back every connection."""
        for engine in {self.engine, self._writes}:
            await engine.dispose()
        # whoever was cancelled a moment ago is still closing its connection, and a loop that ends now would tear that apart
        for _ in range(_LAST_LOOKS):
            if not any(connection.is_leaving for connection in self._threads):
                return
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def _turn(self, *, first: bool) -> AsyncIterator[None]:
        if self._turns is None:
            yield
            return
        await self._turns.take(first=first)
        try:
            yield
        finally:
            self._turns.give()

    def _snapshot(self) -> dict[str, Any]:
        return {_READS: True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


# Ends with the transaction, so unlike a session's lock it holds nothing back when a connection is lost.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@contextmanager
def telling(url: URL) -> Iterator[None]:
    """Turn what the driver raises into one sentence that names the database but no password."""
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
        raise StorageError(f"The database {shown(url)} cannot be used: {_reason(error, url)}.") from error


def connect(url: str) -> Database:
    """The database behind ``url``; nothing is opened yet. Raises ``StorageError`` for a URL of another kind."""
    parsed = parse(url)
    threads: Threads = WeakSet()
    if parsed.get_backend_name() == "sqlite":
        return Database(parsed, _sqlite(parsed, 5, threads), _sqlite(parsed, 1, threads), threads)
    return Database(parsed, _postgres(parsed, 10, 10), _postgres(parsed, 1, 0), threads)


def parse(url: str) -> URL:
    """Raises ``StorageError`` for a URL of another kind."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError(f"DATABASE_URL is not a database URL; it must begin with {_accepted()}.") from None
    if parsed.drivername not in ACCEPTED:
        raise StorageError(f"DATABASE_URL begins with {parsed.drivername}://, but must begin with {_accepted()}.")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StorageError("DATABASE_URL must name a file for SQLite: what is kept only in memory is lost on restart.")
    return parsed


def shown(url: URL) -> str:
    """The database's name for people."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = url.host or url.query.get("host") or "this machine"
    return f"{url.database} on {host}"


def _accepted() -> str:
    return " or ".join(f"{name}://" for name in ACCEPTED)


def _reason(error: Exception, url: URL) -> str:
    said = str(error.orig) if isinstance(error, DBAPIError) and error.orig else str(error)
    first = (said.strip().splitlines() or ["no reason given"])[0].rstrip(".")
    for secret in (url.password, url.query.get("password")):
        if secret:
            first = first.replace(str(secret), "***")
    return first


def _sqlite(url: URL, connections: int, threads: Threads) -> AsyncEngine:
    (path,), options = url.get_dialect()().create_connect_args(url)

    async def connected() -> OneTripConnection:
        connection = OneTripConnection(partial(opened, path, options, _PRAGMAS))
        threads.add(connection)
        return await connection

    engine = create_async_engine(url, pool_size=connections, max_overflow=0, async_creator=connected)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    driver = cast("OneTripConnection", connection.connection.driver_connection)
    driver.begin_with_next("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL, connections: int, more: int) -> AsyncEngine:
    options = " ".join(str(part) for part in (_POSTGRES_LIMITS, url.query.get("options", "")) if part)
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=more,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"options": options, "connect_timeout": 10},
    )
