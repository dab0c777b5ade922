"""Processes that are forked from a server which has imported everything, so that hundreds of them take seconds."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerContext

from storage import engine

HASTY = tuple(pragma.replace("synchronous = FULL", "synchronous = OFF") for pragma in engine._PRAGMAS)

_LOADED = ("benchmarks.outbox", "benchmarks.removals", "tests.syncing", "alembic.command", "psycopg", "aiosqlite")


def forking() -> ForkServerContext:
    """Where such processes come from; the server is started with the first of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_LOADED))
    return context


def without_power_cuts() -> None:
    """What a process is begun with whose SQLite need not wait for the disk: a death loses nothing by that."""
    engine._PRAGMAS = HASTY


def ended(work: Callable[..., None], *arguments: object) -> int:
    """How a process that does this work ends: 0, 1 after an error, or the negative number of the signal that killed it."""
    process = forking().Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode
