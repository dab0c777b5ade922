"""The engine keeps every update, tells times as they are, and speaks of a broken database in one sentence."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from bot.errors import StorageError
from storage.books import SqlBooks, open_books
from storage.engine import connect
from storage.tables import DeliveryKeyRow, table_of

KEYS = table_of(DeliveryKeyRow)
DENVER = timezone(timedelta(hours=-7))


async def test_eight_writers_lose_no_increment(database_url):
    """Eight connections that each read a number and write it one higher, fifty times, arrive at four hundred."""
    databases = [connect(database_url) for _ in range(8)]
    async with databases[0].writing() as connection:
        await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))

    async def count(database):
        for _ in range(50):
            async with database.writing("counter") as connection:
                n = await connection.scalar(text("SELECT n FROM counter"))
                await asyncio.sleep(0)
                await connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    async with asyncio.TaskGroup() as group:
        for database in databases:
            group.create_task(count(database))
    async with databases[0].reading() as connection:
        assert await connection.scalar(text("SELECT n FROM counter")) == 400
    for database in databases:
        await database.close()


async def test_sqlite_is_set_up_on_every_connection(tmp_path):
    """Write-ahead log, full sync, foreign keys and patience hold on each connection, not only on the first."""
    books = await open_books(f"sqlite+aiosqlite:///{tmp_path}/countlast.db")
    async with books.database.reading() as one, books.database.reading() as other:
        for connection in (one, other):
            found = [
                await connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert found == ["wal", 2, 1, 30000]
    await books.close()


async def test_a_reader_does_not_wait_for_a_writer(books):
    """While one transaction writes, another reads what was there before."""
    async with books.database.writing() as writer:
        await writer.execute(KEYS.insert().values(key="k", first_seen_at=datetime.now(UTC)))
        async with asyncio.timeout(5), books.database.reading() as reader:
            assert await reader.scalar(text("SELECT count(*) FROM delivery_key")) == 0


async def test_reading_sees_one_state_throughout(books):
    """What another process commits in between does not show until the next transaction."""
    async with books.database.reading() as reader:
        before = await reader.scalar(text("SELECT count(*) FROM delivery_key"))
        assert await books.ledger.first_time("k", datetime.now(UTC))
        assert await reader.scalar(text("SELECT count(*) FROM delivery_key")) == before


async def test_times_come_back_as_the_same_moment_in_utc(books):
    """A time of any zone goes in, and the same moment comes out in UTC."""
    noon = datetime(2026, 3, 2, 12, 0, 0, 250, tzinfo=DENVER)
    async with books.database.writing() as connection:
        await connection.execute(KEYS.insert().values(key="k", first_seen_at=noon))
    async with books.database.reading() as connection:
        found = (await connection.execute(KEYS.select())).one().first_seen_at
    assert found == noon
    assert found.utcoffset() == timedelta(0)


async def test_times_are_compared_as_moments(books):
    """Noon in Denver is after half past six in the evening in UTC, whatever the text looks like."""
    async with books.database.writing() as connection:
        await connection.execute(KEYS.insert().values(key="k", first_seen_at=datetime(2026, 3, 2, 12, tzinfo=DENVER)))
    later = KEYS.select().where(KEYS.c.first_seen_at > datetime(2026, 3, 2, 18, 30, tzinfo=UTC))
    async with books.database.reading() as connection:
        assert (await connection.execute(later)).one().key == "k"


async def test_a_time_without_a_zone_is_refused(books):
    """A naive time never reaches a table."""
    with pytest.raises(StatementError, match="timezone"):
        async with books.database.writing() as connection:
            await connection.execute(
                KEYS.insert().values(key="k", first_seen_at=datetime(2026, 3, 2, 12))  # noqa: DTZ001
            )


async def test_the_session_zone_of_postgres_changes_nothing(postgres_url):
    """A PostgreSQL whose sessions live in Denver gives the same UTC times."""
    books = await open_books(f"{postgres_url}&options=-ctimezone%3DAmerica/Denver")
    async with books.database.writing() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "America/Denver"
    at = datetime(2026, 3, 8, 9, 30, tzinfo=UTC)
    await books.ledger.first_time("k", at)
    async with books.database.reading() as connection:
        found = (await connection.execute(KEYS.select())).one().first_seen_at
    assert (found, found.utcoffset()) == (at, timedelta(0))
    await books.close()


async def test_postgres_gives_up_on_a_statement_that_hangs(postgres_url):
    """Every connection has time limits, so nothing waits for ever."""
    database = connect(postgres_url)
    async with database.reading() as connection:
        shown = [
            await connection.scalar(text(f"SHOW {name}"))
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert shown == ["10s", "5s", "30s"]
    await database.close()


async def test_a_writer_that_is_cancelled_leaves_the_database_usable(books):
    """A deadline that strikes in the middle of a write takes the write back and holds nothing."""
    at = datetime.now(UTC)

    async def stall():
        async with books.database.writing("lock") as connection:
            await connection.execute(KEYS.insert().values(key="k", first_seen_at=at))
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await stall()
    async with asyncio.timeout(5):
        assert await books.ledger.first_time("k", at)


async def test_what_was_written_before_an_error_is_taken_back(books):
    """An error inside a transaction leaves nothing of it."""
    at = datetime.now(UTC)

    async def fail():
        async with books.database.writing() as connection:
            await connection.execute(KEYS.insert().values(key="k", first_seen_at=at))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await books.ledger.first_time("k", at)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "DATABASE_URL is not a database URL"),
        ("mysql://me:hunter2@db/x", r"begins with mysql://, but must begin with sqlite\+aiosqlite://"),
        ("sqlite:///countlast.db", "begins with sqlite://"),
        ("sqlite+aiosqlite://", "must name a file"),
        ("sqlite+aiosqlite:///:memory:", "must name a file"),
        ("sqlite+aiosqlite:////no/such/folder/countlast.db", "/no/such/folder/countlast.db cannot be used"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1:1/countlast", "countlast on 127.0.0.1 cannot be used: .*refused"),
    ],
)
async def test_a_database_that_cannot_be_used_is_told_in_one_sentence(url, sentence):
    """The sentence names the database and the reason, and never the password."""
    with pytest.raises(StorageError, match=sentence) as raised:
        await open_books(url)
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


async def test_a_file_that_is_no_database_is_told(tmp_path):
    """A file with other content is left alone and named."""
    (tmp_path / "countlast.db").write_text("not a database, " * 100)
    with pytest.raises(StorageError, match=r"countlast\.db cannot be used"):
        await open_books(f"sqlite+aiosqlite:///{tmp_path}/countlast.db")
    assert (tmp_path / "countlast.db").read_text().startswith("not a database")


async def test_a_table_that_vanished_is_told_as_a_storage_error(books):
    """What the driver raises in the middle of work is a StorageError too."""
    async with books.database.writing() as connection:
        await connection.execute(text("DROP TABLE delivery_key"))
    with pytest.raises(StorageError, match="cannot be used"):
        await books.ledger.first_time("k", datetime.now(UTC))


async def test_a_ping_tells_whether_the_database_answers(postgres_url):
    """It is silent while the database is there, and a StorageError once it is not."""
    books = await open_books(postgres_url)
    await books.ping()
    other = connect(postgres_url.replace("/test_", "/gone_"))
    with pytest.raises(StorageError, match=r"gone_\w+ on .* cannot be used: .*does not exist"):
        await SqlBooks(other).ping()
    await books.close()
    await other.close()
