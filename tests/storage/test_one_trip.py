"""SQLite's thread is crossed to once a statement, and nothing else changes for whoever uses the database."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from bot.errors import StorageError
from storage.engine import Database, connect
from storage.one_trip import OneTripConnection
from storage.tables import DeliveryKeyRow, table_of

KEYS = table_of(DeliveryKeyRow)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path, empty_database):
    """An SQLite file at the newest schema."""
    path = tmp_path / "countlast.db"
    path.write_bytes(empty_database.read_bytes())
    database = connect(f"sqlite+aiosqlite:///{path}")
    for opened in (database.reading(), database.writing()):
        async with opened as connection:
            await connection.execute(text("SELECT 1"))
    yield database
    await database.close()


@pytest.fixture
def crossings(monkeypatch):
    """One entry for each crossing to the thread."""
    seen: list[str] = []
    crossed = OneTripConnection._execute

    async def counted(self, function, *arguments):
        seen.append(function.__name__)
        return await crossed(self, function, *arguments)

    monkeypatch.setattr(OneTripConnection, "_execute", counted)
    return seen


async def test_a_statement_crosses_once_and_the_end_of_the_transaction_once(database: Database, crossings):
    """Two statements and the end: three, however many rows there are."""
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT value FROM json_each('[1,2,3]')"))
        assert rows.scalars().all() == [1, 2, 3]
        assert await connection.scalar(text("SELECT 7")) == 7
    assert len(crossings) == 3


async def test_a_change_crosses_once_and_its_commit_once(database: Database, crossings):
    """Given back, the connection is not cleaned again."""
    async with database.writing() as connection:
        await connection.execute(KEYS.insert().values(key="k", first_seen_at=NOON))
    assert crossings == ["_done", "commit"]


async def test_a_transaction_without_a_statement_crosses_never(database: Database, crossings):
    """Nothing was begun, so there is nothing to end."""
    async with database.writing():
        pass
    async with database.reading():
        pass
    assert crossings == []


async def test_what_is_written_is_counted_and_kept(database: Database):
    """Rows changed are told of one statement and of many values at once."""
    rows = [{"key": f"k{n}", "first_seen_at": NOON} for n in range(3)]
    async with database.writing() as connection:
        assert (await connection.execute(KEYS.insert(), rows)).rowcount == 3
        assert (await connection.execute(KEYS.delete().where(KEYS.c.key == "k1"))).rowcount == 1
    async with database.reading() as connection:
        assert (await connection.execute(KEYS.select().order_by(KEYS.c.key))).scalars().all() == ["k0", "k2"]


async def test_a_statement_that_fails_undoes_the_whole_transaction(database: Database):
    """What came before it in the transaction is gone, and the connection is good for the next one."""
    with pytest.raises(StorageError):
        await _write_and_fail(database)
    async with database.writing() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM delivery_key")) == 0


async def test_the_first_statement_of_a_writer_holds_the_others_back(database: Database):
    """A second writer on the same file does not read what it would then overwrite: it waits, here until its patience ends."""
    other = connect(str(database.url))
    try:
        event.listen(other._writes.sync_engine, "connect", _impatient)
        async with database.writing() as writer:
            await writer.scalar(text("SELECT count(*) FROM delivery_key"))
            with pytest.raises(StorageError, match="locked"):
                await _counted(other)
        assert await _counted(other) == 0
    finally:
        await other.close()


async def test_a_statement_that_nobody_waits_for_is_undone(database: Database):
    """Whoever gives up waiting leaves no transaction open behind a connection that the next one gets."""
    for turns in range(40):
        writing = asyncio.create_task(_write_and_fail(database))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert await _counted(database) == 0


async def test_closing_waits_for_whoever_was_cancelled(database: Database):
    """Nothing of a read that nobody waits for is left to the loop when the database is closed."""
    reads = [asyncio.create_task(_counted_by_reading(database)) for _ in range(12)]
    for _ in range(7):
        await asyncio.sleep(0)
    for _ in range(2):  # the second time while the first one's closing is under way
        for read in reads:
            read.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*reads, return_exceptions=True)
    await database.close()
    for _ in range(3):  # what the threads left is told to whoever waited for it
        await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set()


async def _counted_by_reading(database):
    async with database.reading() as connection:
        return await connection.scalar(text("SELECT count(*) FROM delivery_key"))


async def _write_and_fail(database):
    async with database.writing() as connection:
        await connection.execute(KEYS.insert().values(key="k", first_seen_at=NOON))
        await connection.execute(text("SELECT nothing FROM nowhere"))


async def _counted(database):
    async with database.writing() as connection:
        return await connection.scalar(text("SELECT count(*) FROM delivery_key"))


def _impatient(connection, _record):
    connection.cursor().execute("PRAGMA busy_timeout = 1")
