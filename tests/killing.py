"""Kills a process at a named point of a removal, starts another one over what it left, and counts what METRC saw.

The process is a fork made after everything was imported, so that a death costs milliseconds; METRC is a file, which
outlives it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

from bot.approve import act, decide, recover, take
from bot.removals import Intent, State
from storage.books import open_books
from tests.dying import watched
from tests.removing import Bench, Clock, FileJournal, Receipts

LEASES = 2
SWEEPS_A_LEASE = 4


def killed_at(url: str, folder: Path, point: str, number: int) -> tuple[Intent, Receipts, bool]:
    """One removal whose first process dies at ``point``: how it ended, what METRC saw, and whether the press was kept."""
    record = f"{number + 10_000}2"
    journal = folder / f"metrc-{number}"
    FileJournal(journal)
    _in_a_process(lambda: asyncio.run(_first(url, journal, record, point)))
    return asyncio.run(_second(url, journal, record))


def _in_a_process(work: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        gc.disable()  # it would touch, and so copy, all that the parent has imported
        try:
            work()
        finally:
            os._exit(3)  # the point was never passed
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
        raise AssertionError(f"the process was to be killed and ended with {status}")


def _receipts(journal: Path, record: str) -> Receipts:
    return Receipts(Clock(), FileJournal(journal), (record,))


async def _first(url: str, journal: Path, record: str, point: str) -> None:
    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    bench = Bench(await open_books(url), _receipts(journal, record))
    await bench.proposed(record, intent_id=record)
    office = watched(bench.process("first"), die)
    press = bench.press(intent_id=record)
    await take(office, press)
    await decide(office, press)
    await act(office, record)


async def _second(url: str, journal: Path, record: str) -> tuple[Intent, Receipts, bool]:
    books = await open_books(url)
    try:
        bench = Bench(books, _receipts(journal, record))
        kept = not await take(bench.office, bench.press(intent_id=record))
        for _ in range(LEASES * SWEEPS_A_LEASE):
            bench.clock.forward(seconds=bench.office.pace.lease.total_seconds() / SWEEPS_A_LEASE)
            await recover(bench.office)
        intent = await books.intents.get(record)
        assert intent is not None
        return intent, bench.receipts, kept
    finally:
        await books.close()


def must_be_right(intent: Intent, receipts: Receipts) -> None:
    """One effect, not one more request than allowed, and the intent at its end."""
    assert intent.state is State.DONE, intent
    assert receipts.effects(intent.id) == 1
    assert 1 <= receipts.deletes() <= 2
    assert intent.held is True
