"""SQLite's driver, with one trip to its thread for a statement.

SQLite blocks, so every connection has a thread of its own. The plain driver crosses over to it four times for a statement: to
make a cursor, to execute, to fetch, to close. Each crossing wakes two threads, and together they cost more than SQLite's own
work. Here a statement crosses once and brings all its rows back; a ``BEGIN`` waits and crosses with the statement after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Self, cast

import aiosqlite

_Action = Callable[[sqlite3.Cursor], object]


class OneTripConnection(aiosqlite.Connection):
    """Made with a function that opens the file; it is called in the thread. Await it to have it open."""

    def __init__(self, opening: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(opening, iter_chunk_size=1)
        self._thread.daemon = True  # a process that ends does not wait for it
        self._begin: str | None = None
        self._settled = True  # False while a statement may still be running that nobody waits for any more

    def begin_with_next(self, begin: str) -> None:
        """``begin`` is executed right before the next statement; when none comes there is no transaction."""
        self._begin = begin

    def cursor(self) -> OneTripCursor:  # type: ignore[override]
        """Nothing is asked of the thread yet."""
        return OneTripCursor(self.trip)

    def __await__(self) -> Generator[Any, None, Self]:
        return cast("Generator[Any, None, Self]", super().__await__())

    async def commit(self) -> None:
        """Nothing to do when nothing was begun."""
        if self._has_transaction():
            await super().commit()

    async def rollback(self) -> None:
        """Nothing to do when nothing was begun."""
        if self._has_transaction():
            await super().rollback()
            self._settled = True

    async def close(self) -> None:
        """The thread does what it was given before, closes the file and ends. Whoever stops waiting does not stop that."""
        if self._running:
            ended = self.stop()
            if ended is not None:
                await ended

    @property
    def is_leaving(self) -> bool:
        """It was told to close, and its thread has not ended yet."""
        return not self._running and self._thread.is_alive()

    async def trip(self, action: _Action) -> Outcome:
        """Do ``action`` in the thread, on a cursor of its own. Raises what SQLite raises."""
        begin, self._begin = self._begin, None
        self._settled = False
        outcome = await self._execute(_done, self._conn, begin, action)  # type: ignore[no-untyped-call]
        self._settled = True
        return cast("Outcome", outcome)

    def _has_transaction(self) -> bool:
        self._begin = None
        return self.in_transaction or not self._settled


class Outcome:
    """What a statement left: its rows, and what a cursor tells of them."""

    __slots__ = ("description", "lastrowid", "rowcount", "rows")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.rows: Sequence[Any] = cursor.fetchall()
        self.description = cursor.description
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid


class OneTripCursor:
    """What SQLAlchemy asks of an asynchronous cursor, except reading a result bit by bit: rows are few, and come at once."""

    def __init__(self, trip: Callable[[_Action], Awaitable[Outcome]]) -> None:
        self._trip = trip
        self._outcome: Outcome | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> OneTripCursor:
        """Raises what SQLite raises."""
        return await self._do(lambda cursor: cursor.execute(statement, parameters))

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> OneTripCursor:
        """Raises what SQLite raises."""
        return await self._do(lambda cursor: cursor.executemany(statement, parameters))

    async def fetchall(self) -> Sequence[Any]:
        """The rows, once."""
        if self._outcome is None:
            return ()
        rows, self._outcome.rows = self._outcome.rows, ()
        return rows

    async def close(self) -> None:
        """It was closed in the thread already."""

    @property
    def description(self) -> Sequence[Sequence[object]] | None:
        """Names of the columns, ``None`` for a statement without rows."""
        return self._outcome.description if self._outcome else None

    @property
    def rowcount(self) -> int:
        """Rows changed, -1 when that is not known."""
        return self._outcome.rowcount if self._outcome else -1

    @property
    def lastrowid(self) -> int | None:
        """Of the last row inserted."""
        return self._outcome.lastrowid if self._outcome else None

    async def _do(self, action: _Action) -> OneTripCursor:
        self._outcome = await self._trip(action)
        return self


def _done(connection: sqlite3.Connection, begin: str | None, action: _Action) -> Outcome:
    cursor = connection.cursor()
    try:
        if begin:
            cursor.execute(begin)
        action(cursor)
        return Outcome(cursor)
    finally:
        cursor.close()


def opened(path: str, options: Mapping[str, Any], pragmas: Sequence[str]) -> sqlite3.Connection:
    """The file at ``path`` with ``pragmas`` set, and no transaction that the driver begins by itself: it would begin too late."""
    connection: sqlite3.Connection = sqlite3.connect(path, **options, isolation_level=None)
    try:
        for pragma in pragmas:
            connection.execute(pragma).close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
