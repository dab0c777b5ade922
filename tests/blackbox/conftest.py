"""Stores and the way to ask about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.books import open_books
from tests.blackbox.command import Asker, Store, healthy_store, sample_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with today's schema and no rows."""
    path = tmp_path_factory.mktemp("blackbox") / "empty.db"

    async def make() -> None:
        await (await open_books(f"sqlite+aiosqlite:///{path}")).close()

    asyncio.run(make())
    return path


@pytest.fixture
def ask(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Asker:
    """Ask in this process, on an empty database."""
    return Asker(tmp_path, empty_database, monkeypatch)


@pytest.fixture
def scene() -> Iterator[Store]:
    """The sample scene."""
    with sample_store() as store:
        yield store


@pytest.fixture
def store() -> Iterator[Store]:
    """A healthy shop of its own."""
    with healthy_store() as store:
        yield store
