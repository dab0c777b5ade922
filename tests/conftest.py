"""Fixtures that many tests share."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import slack_api
from demo.slack_hooks import Hook, Hooks
from storage import engine
from storage.books import open_books
from tests import once
from tests.forked import HASTY
from tests.handlers import blockkit
from tests.store import Asking

# What was compiled is kept, whatever the environment says: both workers and some sixty processes import it all again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

once.share()

# Thousands of modules and tests are loaded and none of them becomes garbage.
gc.set_threshold(200_000, 50, 50)

HEAVY = (
    "test_benchmarks.py",
    "test_removal_storm.py",
    "test_watch.py",
    "test_subjects.py",
    "test_gather.py",
    "test_removals_live.py",
    "browser/test_removal.py",
    "test_mirror.py",
    "test_sweep.py",
    "test_accuracy.py",
    "test_laws.py",
    "test_serve.py",
    "demo/test_run.py",
    "handlers/test_ten_deliveries.py",
    "test_promises.py",
    "storage/test_sweeping.py",
    "demo/test_showcase.py",
    "blackbox/test_stock.py",
    "storage/test_duplicates.py",
    "browser/test_app.py",
    "storage/test_mirror.py",
    "test_approve.py",
    "handlers/test_decisions.py",
    "test_cli.py",
    "storage/test_upgrade.py",
    "blackbox/test_sales.py",
    "blackbox/test_command.py",
    "test_catalogue.py",
    "handlers/test_render.py",
    "browser/test_workspace.py",
    "storage/test_alerts.py",
)
"""The files that take longest, longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy files first: a worker that begins one late would end it alone."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(HEAVY)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """All that is loaded now stays, so the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def no_power_fails(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait for the disk: a killed process loses nothing by that, and no test cuts the power."""
    if request.path.name != "test_engine.py":  # it looks at the settings themselves
        monkeypatch.setattr(engine, "_PRAGMAS", HASTY)


@pytest.fixture(autouse=True)
def everything_said_is_sound(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the bot sends to the stand-in of Slack, in whatever test, passes our own rules besides Slack's.

    Slack itself would take a message without text, a mention out of a record, or twelve thousand characters.
    """
    faults: list[str] = []
    if "tests/demo/test_slack.py" in request.path.as_posix():  # it sends by itself what no bot should
        yield
        return

    def called(method: str, arguments: dict[str, Any]) -> slack_api.Call:
        faults.extend(f"{method}: {fault}" for fault in blockkit.call_problems(method, arguments))
        return known_call(method, arguments)

    def responded(hooks: Hooks, hook: Hook, body: dict[str, Any]) -> None:
        faults.extend(f"response_url: {fault}" for fault in blockkit.problems_of(body))
        known_respond(hooks, hook, body)

    known_call, known_respond = slack_api.Call, Hooks.respond
    monkeypatch.setattr(slack_api, "Call", called)
    monkeypatch.setattr(Hooks, "respond", responded)
    yield
    assert faults == []


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
