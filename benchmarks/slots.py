"""Slots that the clock proposes: several processes try each, most of them are killed, and every slot is run once.

They begin together. The victims die right after they have won a slot, before its work, or at the latest when nothing is
left to win; whoever comes after the lease does the work they abandoned.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.outbox import databases
from benchmarks.table import Row, Scale
from storage.alerts import SqlSlots
from storage.engine import connect
from storage.upgrade import upgrade
from tests.forked import forking

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
LEASE = timedelta(seconds=120)
PROCESSES, VICTIMS = 4, 3
JOB = "round"


@dataclass(frozen=True)
class Worker:
    """One process: it tries every slot, and dies at its ``wins``-th win; None: it lives."""

    url: str
    journal: Path
    name: str
    slots: int
    wins: int | None = None


async def slots(scale: Scale) -> list[Row]:
    """How many of the slots were not run, and how many were run more than once, on both databases."""
    rows = []
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as urls:
        for kind, url in urls.items():
            await upgrade(url)
            runs = await asyncio.to_thread(played, url, Path(name) / f"{kind}.txt", scale.slots)
            what = f"{scale.slots} slots, {PROCESSES} processes, {VICTIMS} killed, {kind}"
            rows.append(Row(f"{what}: missed", sum(not runs[n] for n in range(scale.slots)), "", scale.slots, "slots"))
            rows.append(Row(f"{what}: doubled", sum(runs[n] > 1 for n in runs), "", scale.slots, "slots"))
    return rows


def played(url: str, journal: Path, number: int) -> Counter[int]:
    """How often each slot was run."""
    workers = [
        Worker(url, journal, str(n), number, wins=1 + n * number // 200 if n < VICTIMS else None)
        for n in range(PROCESSES)
    ]
    together = forking().Barrier(PROCESSES)
    processes = [forking().Process(target=_live, args=(worker, together)) for worker in workers]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    ends = sorted(process.exitcode or 0 for process in processes)
    if ends != [-signal.SIGKILL] * VICTIMS + [0] * (PROCESSES - VICTIMS):
        raise AssertionError(f"the processes ended with {ends}")
    asyncio.run(_sweep(url, journal))
    return Counter(int(line) for line in journal.read_text(encoding="utf-8").split())


def _live(worker: Worker, together: Barrier) -> None:
    together.wait()
    asyncio.run(_work(worker))
    if worker.wins is not None:
        os.kill(os.getpid(), signal.SIGKILL)


async def _work(worker: Worker) -> None:
    database = connect(worker.url)
    claims, won = SqlSlots(database), 0
    for number in range(worker.slots):
        fence = await claims.win(JOB, NOW + timedelta(seconds=number), worker.name, NOW, LEASE)
        if fence is None:
            continue
        won += 1
        if won == worker.wins:
            os.kill(os.getpid(), signal.SIGKILL)
        await _run(claims, worker.journal, number, fence)
    await database.close()


async def _sweep(url: str, journal: Path) -> None:
    """After the lease somebody takes over what was abandoned."""
    database, later = connect(url), NOW + LEASE + timedelta(seconds=1)
    claims = SqlSlots(database)
    for job, starts_at in await claims.abandoned(later):
        fence = await claims.win(job, starts_at, "heir", later, LEASE)
        assert fence is not None
        await _run(claims, journal, int((starts_at - NOW).total_seconds()), fence)
    await database.close()


async def _run(claims: SqlSlots, journal: Path, number: int, fence: int) -> None:
    """The work is a line in a file, written in one piece."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(f"{number}\n")
    await claims.finish(JOB, NOW + timedelta(seconds=number), fence, NOW)
