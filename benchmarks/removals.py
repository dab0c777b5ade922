"""Many presses on few removals from two processes, beside a handler that reads, deletes and marks."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psycopg
from sqlalchemy import text

from benchmarks.table import Row, Scale
from bot.approve import act, decide, take
from bot.audit import verify
from bot.removals import Policy, Press, State, Verb
from storage.books import SqlBooks, open_books
from tests.databases import server_uri
from tests.dying import POINTS
from tests.forked import forking
from tests.killing import killed
from tests.removal_machine import run
from tests.removing import HOME, NOW, Bench, Clock, FileJournal, Receipts, an_intent

PEOPLE = tuple(f"U0P{number}" for number in range(10))
HANDS = 16  # presses under way at once, a process
PRESSES_EACH = 50
REQUEST = 0.02  # seconds that METRC takes for a DELETE


async def removals(scale: Scale) -> list[Row]:
    """The rush, the kills and the storm, on both databases."""
    rows = []
    for kind in ("SQLite", "PostgreSQL"):
        async with _database(kind) as (url, folder):
            rows += await _rush(kind, url, folder, scale.intents)
            rows += await _kills(kind, url, scale)
        async with _database(kind) as (url, _):
            rows += await asyncio.to_thread(_storm, kind, url, scale)
    return rows


async def _rush(kind: str, url: str, folder: Path, count: int) -> list[Row]:
    records = tuple(f"{number + 1000}2" for number in range(count))
    books = await open_books(url)
    await _lay_out(books, records)
    ours, naive = folder / "ours", folder / "naive"
    told = await _two_processes("ours", url, ours, count)
    naively = await _two_processes("naive", url, naive, count)
    await _must_be_right(books, records, ours, told)
    await books.close()
    presses = count * PRESSES_EACH
    deletes = len(_deletes(naive))
    load = f"{count} removals, {presses:,} presses, 10 people, 2 processes"
    return [
        Row(f"DELETEs, {load}, {kind}", len(_deletes(ours)), "", deletes, "a naive handler"),
        Row(
            f"presses a second, {kind}",
            presses / told["seconds"],
            "/s",
            presses / naively["seconds"],
            "a naive handler",
        ),
    ]


async def _lay_out(books: SqlBooks, records: Sequence[str]) -> None:
    for record in records:
        alone = Receipts(Clock(), records=(record,))
        await books.intents.add(an_intent(alone, (record,), record), lambda _kept: ())
    async with books.database.writing() as connection:
        await connection.execute(text("CREATE TABLE naive (id TEXT PRIMARY KEY, state TEXT)"))
        for record in records:
            await connection.execute(text("INSERT INTO naive VALUES (:id, 'pending')"), {"id": record})


async def _two_processes(way: str, url: str, journal: Path, count: int) -> dict[str, float]:
    FileJournal(journal)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2, forking()) as pool:
        running = [loop.run_in_executor(pool, _in_a_process, way, url, journal, count, part) for part in range(2)]
        parts = await asyncio.gather(*running)
    counts = {key: sum(part[key] for part in parts) for key in ("taken", "told")}
    return counts | {"seconds": max(part["seconds"] for part in parts)}


def _deletes(journal: Path) -> list[str]:
    return [line for line in FileJournal(journal).lines() if line.startswith("DELETE ")]


async def _must_be_right(books: SqlBooks, records: Sequence[str], journal: Path, told: dict[str, float]) -> None:
    rows = [row async for row in books.audit.rows()]
    if sorted(_deletes(journal)) != sorted(f"DELETE {record}" for record in records):
        raise AssertionError("not exactly one DELETE each")
    for event in ("approved", "sent", "done"):
        if sorted(row.intent for row in rows if row.event == event) != sorted(records):
            raise AssertionError(f"not exactly one {event} each in the log")
    if (told["taken"], told["told"]) != (len(records), len(records) * (PRESSES_EACH - 1)):
        raise AssertionError(f"some presser was not told who decided: {told}")
    if not verify(rows, head=await books.audit.head()).holds:
        raise AssertionError("the log is broken")


# --- one process ------------------------------------------------------------------------------------------------------


def _in_a_process(way: str, url: str, journal: Path, count: int, part: int) -> dict[str, float]:
    return asyncio.run(_worker(way, url, journal, count, part))


async def _worker(way: str, url: str, journal: Path, count: int, part: int) -> dict[str, float]:
    chance = random.Random(part)  # noqa: S311 - a load, not a secret
    records = [f"{number + 1000}2" for number in range(count)]
    # everybody presses the same card at the same time, as people do when it appears
    queue = [record for record in records for _ in range(PRESSES_EACH // 2)]
    books = await open_books(url)
    handler = _Ours(books, journal, tuple(records), part) if way == "ours" else _Naive(books, journal)

    async def hand() -> None:
        while queue:
            await handler.press(queue.pop(), chance.choice(PEOPLE), len(queue))

    await _both_are_here(journal, part)
    began = time.perf_counter()
    await asyncio.gather(*(hand() for _ in range(HANDS)))
    took = time.perf_counter() - began
    await books.close()
    return {"taken": handler.taken, "told": handler.told, "seconds": took}


async def _both_are_here(journal: Path, part: int) -> None:
    """Starting takes longer than pressing, and one process alone would be no race."""
    places = [journal.with_suffix(f".{number}") for number in range(2)]
    places[part].touch()
    while not all(place.exists() for place in places):  # noqa: ASYNC110 - an event does not reach the other process
        await asyncio.sleep(0.001)


class _Ours:
    def __init__(self, books: SqlBooks, journal: Path, records: tuple[str, ...], part: int) -> None:
        receipts = _OneAtATime(Clock(), FileJournal(journal), records)
        bench = Bench(books, receipts, Policy(approvers=PEOPLE, act=True))
        self.office = bench.process(f"p{part}")
        self.part, self.taken, self.told = part, 0, 0

    async def press(self, record: str, person: str, number: int) -> None:
        press = Press(f"{self.part}:{number}", record, Verb.APPROVE, person, HOME, NOW)
        await take(self.office, press)
        answer = await decide(self.office, press)
        if answer.taken:
            self.taken += 1
            intent = await act(self.office, record)
            if intent is None or intent.state is not State.DONE:
                raise AssertionError(f"{record} is not done")
        self.told += answer.says.startswith("Already decided by <@U0P")


class _OneAtATime(Receipts):
    """Each card speaks of one record only, whatever else is removed meanwhile; a request takes its time."""

    def sight(self, targets):
        alone = Receipts(self.clock, self.journal, tuple(target.record_id for target in targets))
        return alone.sight(targets)

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        await asyncio.sleep(REQUEST)
        await super().void_receipt(receipt_id, deadline)


class _Naive:
    """Reads the state; pending: deletes, then marks. As it is written when nobody thinks of a second press."""

    def __init__(self, books: SqlBooks, journal: Path) -> None:
        self.books, self.journal = books, FileJournal(journal)
        self.taken = self.told = 0

    async def press(self, record: str, _person: str, _number: int) -> None:
        async with self.books.database.reading() as connection:
            state = await connection.scalar(text("SELECT state FROM naive WHERE id = :id"), {"id": record})
        if state != "pending":
            self.told += 1
            return
        self.taken += 1
        await asyncio.sleep(REQUEST)
        self.journal.add(f"DELETE {record}")
        async with self.books.database.writing() as connection:
            await connection.execute(text("UPDATE naive SET state = 'done' WHERE id = :id"), {"id": record})


# --- storms and kills -------------------------------------------------------------------------------------------------


def _storm(kind: str, url: str, scale: Scale) -> list[Row]:
    began = time.perf_counter()
    world = run(url, scale.storms, seed_free=True)
    took = time.perf_counter() - began
    what = f"storms played, {world.deletes} DELETEs in them, no fault, {kind}"
    return [Row(what, world.runs, "", scale.storms, f"asked for; took {took:.0f} s")]


async def _kills(kind: str, url: str, scale: Scale) -> list[Row]:
    """In a process of its own: only one without threads may be forked."""
    points = POINTS[: scale.points]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, forking()) as pool:
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(pool, killed, url, Path(folder), points, scale.kills)
    what = f"kills at {len(points)} points, one effect each, none lost, {kind}"
    return [Row(what, done, "", len(points) * scale.kills, "asked for")]


@asynccontextmanager
async def _database(kind: str) -> AsyncIterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "SQLite":
            yield f"sqlite+aiosqlite:///{folder}/rush.db", Path(folder)
            return
        name = f"bench_{uuid.uuid4().hex}"
        with closing(psycopg.connect(server_uri(), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            url = server_uri().replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
            yield url, Path(folder)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
