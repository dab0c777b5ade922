"""Fixtures that many tests share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.books import open_books
from tests.store import Asking


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at the newest schema, to be copied: migrating anew for every test would cost minutes."""
    path = tmp_path_factory.mktemp("template") / "countlast.db"

    async def make() -> None:
        await (await open_books(f"sqlite+aiosqlite:///{path}")).close()

    asyncio.run(make())
    return path


@pytest.fixture
def ask(tmp_path: Path, empty_database: Path) -> Asking:
    """One question through the whole bot, short of the network."""
    return Asking(tmp_path, empty_database)
