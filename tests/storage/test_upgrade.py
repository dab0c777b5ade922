"""The schema comes up to date by itself: once, wholly, and never over a newer program's."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect, text
from sqlalchemy.engine import Engine

from bot.errors import SchemaTooNew, StorageError
from storage.books import open_books
from storage.engine import connect
from storage.tables import Row
from storage.upgrade import MIGRATIONS, revisions, upgrade
from tests.forked import ended, forking

NOW = datetime(2026, 3, 3, tzinfo=UTC)

NEXT = '''
"""One more."""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", "{before}", None, None
def upgrade():
    op.create_table("one_more", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("delivery_key") as batch:
        batch.add_column(sa.Column("note", sa.String(), nullable=True))
    {then}
'''


def upgrading(url, migrations=MIGRATIONS):
    """What a process does."""
    asyncio.run(upgrade(url, migrations))


def dying_at(url, at, migrations):
    """Dies as hard as a process can, right before the statement that it is told to die at."""
    left = at

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_):
        nonlocal left
        left -= statement.lstrip().startswith(("CREATE", "INSERT", "ALTER", "UPDATE"))
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    upgrading(url, migrations)


@pytest.fixture
def newer(tmp_path):
    """The migrations of a program that is one revision further."""
    return extended(tmp_path / "newer", "")


def extended(folder: Path, then: str) -> Path:
    shutil.copytree(MIGRATIONS, folder)
    (folder / "versions" / "9999_one_more.py").write_text(NEXT.format(before=revisions()[-1], then=then))
    return folder


async def look(url, question):
    database = connect(url)
    async with database.reading() as connection:
        answer = await connection.run_sync(question)
    await database.close()
    return answer


def tables(connection):
    return set(inspect(connection).get_table_names())


def differences(connection):
    context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": Row.metadata})
    return compare_metadata(context, Row.metadata)


def dying(url, at, migrations=MIGRATIONS):
    return ended(dying_at, url, at, migrations)


async def test_migrations_and_tables_do_not_differ(empty_url):
    """An empty database that was brought up has exactly the tables, columns, types and indexes of today's code."""
    await upgrade(empty_url)
    assert await look(empty_url, differences) == []


async def test_every_constraint_has_the_name_of_the_convention(empty_url):
    """Primary keys and indexes bear the same names on both databases, so a later migration can speak of them."""
    await upgrade(empty_url)

    def names(connection):
        found = inspect(connection)
        for table in Row.metadata.tables.values():
            assert found.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
            assert {index["name"] for index in found.get_indexes(table.name)} == {i.name for i in table.indexes}
        return True

    assert await look(empty_url, names)


async def test_the_files_tell_the_same_head_as_alembic():
    """The revision is read off the file names, and Alembic reads the same off the files."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS))
    assert script.get_heads() == [revisions()[-1]]
    assert [one.revision for one in script.walk_revisions()][::-1] == list(revisions())


async def test_upgrading_again_changes_nothing(empty_url):
    """A second start finds everything done and keeps every row."""
    await upgrade(empty_url)
    books = await open_books(empty_url)
    await books.ledger.first_time("k", NOW)
    await books.close()
    await upgrade(empty_url)
    books = await open_books(empty_url)
    assert not await books.ledger.first_time("k", NOW)
    await books.close()


def test_a_database_that_is_up_to_date_costs_no_alembic(database_url):
    """When nothing is to be done, Alembic is not even loaded."""
    script = (
        "import asyncio, sys; from storage.books import open_books\n"
        "async def main():\n    books = await open_books(sys.argv[1])\n    await books.close()\n"
        "asyncio.run(main())\nprint(any(name.startswith('alembic') for name in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", script, database_url], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "False"


async def test_a_newer_schema_is_refused(empty_url, newer):
    """What a newer program has written is not touched, and the error says which schema it found and what to do."""
    await upgrade(empty_url, newer)
    with pytest.raises(SchemaTooNew, match=r"has schema 9999.*knows only up to .*newer Countlast.*restore"):
        await open_books(empty_url)


async def test_rows_outlive_an_upgrade(empty_url, newer):
    """The step to a newer schema keeps what was there."""
    books = await open_books(empty_url)
    await books.ledger.first_time("k", NOW)
    await books.close()
    await upgrade(empty_url, newer)
    assert await look(empty_url, lambda c: c.execute(text("SELECT key, note FROM delivery_key")).all()) == [("k", None)]


async def test_a_sqlite_file_is_copied_before_it_is_changed(tmp_path, newer):
    """Before an upgrade the file is set aside under the name of the schema it has, and the copy can be opened."""
    books = await open_books(f"sqlite+aiosqlite:///{tmp_path}/countlast.db")
    await books.ledger.first_time("k", NOW)
    await books.close()
    await upgrade(f"sqlite+aiosqlite:///{tmp_path}/countlast.db", newer)
    with closing(sqlite3.connect(tmp_path / f"countlast.schema-{revisions()[-1]}.db")) as copy:
        assert copy.execute("SELECT key FROM delivery_key").fetchall() == [("k",)]
        assert not copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'one_more'").fetchall()


async def test_downgrade_and_upgrade_again_arrive_at_the_same_schema(empty_url):
    """All migrations can be walked back to nothing and forth again."""
    from alembic import command
    from alembic.config import Config

    def down(connection):
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.downgrade(config, "base")

    await upgrade(empty_url)
    database = connect(empty_url)
    async with database.writing() as connection:
        await connection.run_sync(down)
    await database.close()
    assert await look(empty_url, tables) == {"alembic_version"}
    await upgrade(empty_url)
    assert await look(empty_url, differences) == []


async def test_several_processes_may_start_at_once(empty_url):
    """Of processes that start on one empty database at the same time, one migrates and the others wait for it."""
    starting = [forking().Process(target=upgrading, args=(empty_url,)) for _ in range(3)]
    for process in starting:
        process.start()
    for process in starting:
        process.join()
    assert [process.exitcode for process in starting] == [0, 0, 0]
    assert await look(empty_url, differences) == []


async def test_processes_of_one_program_may_all_upgrade_at_once(empty_url, newer):
    """The same for a step from one schema to the next, within one process."""
    await upgrade(empty_url)
    await asyncio.gather(*(upgrade(empty_url, newer) for _ in range(4)))
    assert "one_more" in await look(empty_url, tables)


@pytest.mark.parametrize("at", [1, 20])
async def test_death_in_the_middle_of_the_first_migration_leaves_nothing(empty_url, at):
    """A process killed between two statements of a migration leaves no table, and the next start does it all."""
    assert dying(empty_url, at) == -signal.SIGKILL
    assert await look(empty_url, tables) == set()
    await upgrade(empty_url)
    assert await look(empty_url, differences) == []


@pytest.mark.parametrize("at", [1, 2])
async def test_death_in_the_middle_of_a_later_migration_loses_no_row(empty_url, newer, at):
    """A process killed halfway from one schema to the next leaves the old one whole, rows and all."""
    books = await open_books(empty_url)
    await books.ledger.first_time("k", NOW)
    await books.close()
    assert dying(empty_url, at, newer) == -signal.SIGKILL
    assert await look(empty_url, differences) == []
    await upgrade(empty_url, newer)
    assert await look(empty_url, lambda c: c.execute(text("SELECT key FROM delivery_key")).all()) == [("k",)]


async def test_a_migration_that_fails_is_told_and_taken_back(empty_url, tmp_path):
    """A migration that the database refuses is one sentence, and the schema is as before."""
    await upgrade(empty_url)
    broken = extended(tmp_path / "broken", 'op.execute("INSERT INTO no_such_table VALUES (1)")')
    with pytest.raises(StorageError, match=r"cannot be used: .*no_such_table"):
        await upgrade(empty_url, broken)
    assert await look(empty_url, differences) == []


def test_no_column_can_hold_a_patient():
    """No table has a column that is named after a patient, a caregiver or a customer."""
    columns = {column.name for table in Row.metadata.tables.values() for column in table.columns}
    assert not [name for name in columns if any(word in name for word in ("patient", "caregiver", "customer"))]
    assert len(columns) > 20


def test_every_table_of_a_facility_begins_its_key_with_the_license():
    """Rows of one facility are never found under another: the license is the first part of every key."""
    free = {"diagnosis", "delivery_key", "removal", "removal_card", "removal_press", "audit_entry", "audit_head"} | {
        "alert",
        "outbox",
        "slot",
        "inquiry",
        "inquiry_asker",
        "verdict",
        "kept_sweep",
        "kept_question",
        "listener",
        "recheck",
    }
    for table in Row.metadata.tables.values():
        if "license" in table.c and table.name not in free:
            assert next(iter(table.primary_key.columns)).name == "license", table.name
        else:
            assert table.name in free, table.name
