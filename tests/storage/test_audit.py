"""The audit log in the database: in order, without a gap, and not to be rewritten."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from bot.audit import EMPTY, Entry, Event, Walk, verify
from bot.errors import StorageError
from storage.books import open_books

NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)

AGAIN = (
    "SELECT seq, at, event, 'U0EVE', facility, intent, subject, detail, prev_hash, hash FROM audit_entry WHERE seq = 2"
)


def entry(number=1):
    return Entry(NOW, Event.APPROVED, "U0DANA", "402R-X0042", f"i{number}", "package X", {"n": number})


async def rows_of(books, after=0):
    return [row async for row in books.audit.rows(after)]


async def test_what_is_appended_comes_back_as_a_chain(books):
    """Several calls make one chain, and the head is its last row."""
    assert await books.audit.head() == EMPTY
    await books.audit.append([entry(1), entry(2)])
    await books.audit.append([entry(3)])
    rows = await rows_of(books)
    assert [row.seq for row in rows] == [1, 2, 3]
    assert verify(rows, head=await books.audit.head()).holds
    assert await rows_of(books, after=2) == rows[2:]


async def test_more_than_one_piece_is_read(books):
    """A long log is read piece by piece, without a hole between them."""
    await books.audit.append([entry(n) for n in range(2100)])
    walk = Walk([await books.audit.head()])
    async for row in books.audit.rows():
        walk.feed(row)
    assert walk.verdict().rows == 2100


async def test_two_processes_never_fork_it(database_url):
    """Forty appends from two connections at once make one chain of forty."""
    both = [await open_books(database_url) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(both[number % 2].audit.append([entry(number)]))
    assert verify(await rows_of(both[0]), head=await both[0].audit.head()).rows == 40
    for books in both:
        await books.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'U0EVE'",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE seq = 2",
        f"INSERT INTO audit_entry {AGAIN} ON CONFLICT (seq) DO UPDATE SET actor = 'U0EVE'",
    ],
)
async def test_the_database_refuses_to_change_or_delete_a_row(statement, books):
    """Whatever program asks for it, and all rows stay as they were."""
    await books.audit.append([entry(1), entry(2)])
    before = await rows_of(books)
    with pytest.raises(StorageError, match="append-only"):
        async with books.database.writing() as connection:
            await connection.execute(text(statement))
    assert await rows_of(books) == before


@pytest.mark.parametrize("row", [AGAIN, AGAIN.replace("seq,", "9,", 1)])
async def test_sqlite_refuses_to_put_another_row_in_the_place_of_one(row, books):
    """There REPLACE takes a row away without a DELETE: the one with its number, or the one that follows the same."""
    if not books.database.is_sqlite:
        return  # PostgreSQL has no such statement
    await books.audit.append([entry(1), entry(2)])
    before = await rows_of(books)
    with pytest.raises(StorageError, match="append-only"):
        async with books.database.writing() as connection:
            await connection.execute(text(f"INSERT OR REPLACE INTO audit_entry {row}"))
    assert await rows_of(books) == before


async def test_postgresql_refuses_to_empty_the_table(books):
    """TRUNCATE is no DELETE there, so it has a rule of its own."""
    if books.database.is_sqlite:
        return  # SQLite has no such statement
    await books.audit.append([entry(1)])
    with pytest.raises(StorageError, match="append-only"):
        async with books.database.writing() as connection:
            await connection.execute(text("TRUNCATE audit_entry"))


async def test_two_rows_cannot_follow_the_same_one(books):
    """The database itself allows no fork."""
    await books.audit.append([entry(1)])
    with pytest.raises(StorageError):
        async with books.database.writing() as connection:
            await connection.execute(
                text(
                    "INSERT INTO audit_entry SELECT 2, at, event, actor, facility, intent, subject, detail, prev_hash, hash "
                    "FROM audit_entry"
                )
            )
