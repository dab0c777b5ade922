"""Kills a process at a named point of a removal, starts another one over what it left, and counts what METRC saw.

The process is a fork made after everything was imported and every statement was compiled, so that a death costs
milliseconds; METRC is a file, which outlives it. Of the parent the two lives have nothing but that: each has its own
connections, its own office and its own loop or turn of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.approve import act, decide, recover, take
from bot.removals import Intent, State
from storage.books import SqlBooks, open_books
from storage.engine import Database
from tests.dying import FINAL_STEPS, watched
from tests.removing import Bench, Clock, FileJournal, Receipts

LEASES = 2
SWEEPS_A_LEASE = 4


@contextmanager
def killing(url: str, folder: Path) -> Iterator[Killing]:
    """Removals over this database; the folder has METRC's files."""
    ground = Killing(url, folder)
    try:
        yield ground
    finally:
        ground.close()


def killed(url: str, folder: Path, points: Sequence[str], times: int) -> int:
    """So many removals at each point, all of them right in the end; how many there were.

    To be called in a small process without threads: of a large one, whatever it holds is copied for each death.
    """
    number = 0
    with killing(url, folder) as ground:
        for point in points:
            for _ in range(times):
                number += 1
                intent, receipts, kept = ground.at(point, number)
                # only a press that was never acknowledged may have to be made again
                assert kept or point == "before take", point
                must_be_right(intent, receipts)
    return number


class Killing:
    """The parent of all that die. To be used where no loop runs."""

    def __init__(self, url: str, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._database = self._run(open_books(url)).database

    def at(self, point: str, number: int) -> tuple[Intent, Receipts, bool]:
        """One removal whose first process dies at ``point``: how it ended, what METRC saw, and whether the press was kept."""
        record = f"{number + 10_000}2"
        journal = self._folder / f"metrc-{number}"
        metrc = FileJournal(journal)
        if point.split()[1] in FINAL_STEPS:
            metrc.add(f"final {record}")
        self._run(self._bench(journal, record).proposed(record, intent_id=record))
        self._dies(lambda: self._first(self._bench(journal, record), record, point))
        return self._run(_second(self._bench(journal, record), record))

    def close(self) -> None:
        """Give back every connection."""
        self._run(self._database.close())
        self._loop.close()

    def _run(self, work):
        return self._loop.run_until_complete(work)

    def _bench(self, journal: Path, record: str) -> Bench:
        """All that a life has in its memory, but for compiled statements."""
        books = SqlBooks(Database(self._database.url, self._database.engine))
        return Bench(books, Receipts(Clock(), FileJournal(journal), (record,)))

    def _dies(self, work: Callable[[], None]) -> None:
        if self._database.is_sqlite:
            # what SQLite knows of its locks must not be inherited, nor may its thread be missed
            self._run(self._database.close())
        child = os.fork()
        if child == 0:
            gc.disable()  # it would touch, and so copy, all that the parent has imported
            try:
                self._database.engine.sync_engine.dispose(close=False)  # those are the parent's
                work()
            finally:
                os._exit(3)  # the point was never passed
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise AssertionError(f"the process was to be killed and ended with {status}")

    def _first(self, bench: Bench, record: str, point: str) -> None:
        def die(passed: str) -> None:
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)

        async def lives() -> None:
            office = watched(bench.process("first"), die)
            press = bench.press(intent_id=record)
            await take(office, press)
            await decide(office, press)
            await act(office, record)

        asyncio.run(lives())


async def _second(bench: Bench, record: str) -> tuple[Intent, Receipts, bool]:
    """Sweeps every quarter of a lease until all is done, and once more after two leases."""
    kept = not await take(bench.office, bench.press(intent_id=record))
    pause = bench.office.pace.lease / SWEEPS_A_LEASE
    end = bench.clock.now() + LEASES * bench.office.pace.lease
    while bench.clock.now() < end:
        bench.clock.forward(seconds=pause.total_seconds())
        moved = await recover(bench.office)
        if any(intent.state is State.DONE and intent.checks_left == 1 for intent in moved):
            pause = end - bench.clock.now()
    intent = await bench.books.intents.get(record)
    assert intent is not None
    return intent, bench.receipts, kept


def must_be_right(intent: Intent, receipts: Receipts) -> None:
    """One effect, not one more request than allowed, and the intent at its end."""
    assert intent.state is State.DONE, intent
    assert receipts.effects(intent.id) == 1
    assert 1 <= receipts.deletes() <= 2
    assert receipts.unfinalizes() <= 2
    assert intent.held is True
