"""Alerts under SIGKILL: none is lost and none is told twice, beside senders that mark first or mark last.

A process makes a round and sends its letters, and is killed at a named point; another one comes after the lease has run
out and does the same. The channel is a file that outlives them both. Forked from a server that has imported everything,
so that hundreds of deaths take seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import Engine, event, text

from benchmarks.table import Row, Scale
from bot.alerts import Claim, Condition, Kind, Letter, Policy, Seen, What, decide
from bot.app import SystemClock
from bot.outbox import send_letters
from storage.alerts import SqlAlertBook, SqlOutbox
from storage.engine import Database, connect
from storage.upgrade import upgrade
from tests.databases import server_uri
from tests.forked import ended

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
LEASE = timedelta(seconds=120)
POLICY = Policy(hold=timedelta(0), good_rounds=1)
SILENT = Condition(
    Kind.POSTS_FAILING,
    "402R-X0042",
    "Harbor Street",
    cause="402R-X0042",
    says="9 sales wait.",
    remedy="Look at the POS.",
    channel="C0FLOOR",
    escalate_to="U0BOSS",
)

POINTS = (
    "before the commit",
    "after the commit",
    "after the claim",
    "before the post",
    "after the post",
    "after the mark",
)
EVENTS: dict[What, tuple[timedelta, tuple[Condition, ...]]] = {
    What.FIRE: (timedelta(0), (SILENT,)),
    What.ESCALATE: (timedelta(minutes=30), (SILENT,)),
    What.REPEAT: (timedelta(hours=4), (SILENT,)),
    What.RESOLVE: (timedelta(hours=1), ()),
}
"""What is told, how long after the first message, and what is still wrong then."""


@dataclass(frozen=True)
class Channel:
    """A Slack that is a file: a message a line, its id the line's number. ``dies``: where its user is killed."""

    path: Path
    dies: Callable[[str], None]

    async def send(self, letter: Letter, thread: str | None) -> str:
        self.dies("before the post")
        line = json.dumps({"key": letter.key, "what": letter.what, "channel": letter.channel, "thread": thread})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        place = str(len(self.messages()))
        self.dies("after the post")
        return place

    async def find(self, letter: Letter, _thread: str | None, _since: datetime) -> str | None:
        keys = [message["key"] for message in self.messages()]
        return str(keys.index(letter.key) + 1) if letter.key in keys else None

    async def rewrite(self, _letter: Letter, _message: str) -> None:
        self.dies("before the post")
        self.dies("after the post")

    def messages(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


class Mortal(SqlOutbox):
    """The outbox of a process that is to be killed."""

    def __init__(self, database: Database, dies: Callable[[str], None]) -> None:
        super().__init__(database)
        self._dies = dies

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> Claim | None:
        claim = await super().claim(owner, now, lease)
        if claim is not None:
            self._dies("after the claim")
        return claim

    async def mark(self, claim: Claim, ref: str, now: datetime) -> bool:
        marked = await super().mark(claim, ref, now)
        self._dies("after the mark")
        return marked


# --- senders ----------------------------------------------------------------------------------------------------------


async def claim_look_post_mark(outbox, channel, now) -> None:
    """Ours."""
    await send_letters(outbox, channel, "one", SystemClock(now), LEASE)


async def mark_first(outbox, channel, now) -> None:
    """A rival: written off before it is sent."""
    while (claim := await outbox.claim("one", now, LEASE)) is not None:
        await outbox.mark(claim, "?", now)
        await channel.send(claim.letter, claim.thread)


async def mark_last(outbox, channel, now) -> None:
    """A rival: sent again whenever nobody wrote it off."""
    while (claim := await outbox.claim("one", now, LEASE)) is not None:
        await outbox.mark(claim, await channel.send(claim.letter, claim.thread), now)


SENDERS = {"claim, look, post, mark": claim_look_post_mark, "mark first": mark_first, "mark last": mark_last}


@dataclass(frozen=True)
class Job:
    """What one process does: a round at a time when that is wrong, and its letters by that sender."""

    url: str
    path: Path
    now: datetime
    wrong: tuple[Condition, ...]
    sender: str


# --- one death --------------------------------------------------------------------------------------------------------


def killed(url: str, folder: Path, what: What, point: str, sender: str = "claim, look, post, mark") -> Counter[str]:
    """How often each kind of message is in the channel after a death at that point and a second process's work."""
    path = folder / f"{time.monotonic_ns()}.jsonl"
    after, wrong = EVENTS[what]
    asyncio.run(_clear(url))
    if what is not What.FIRE:
        asyncio.run(_work(Job(url, path, NOW, (SILENT,), sender)))
    status = ended(_die, Job(url, path, NOW + after, wrong, sender), point)
    if status != -signal.SIGKILL:
        raise AssertionError(f"the process that should die {point} ended with {status}")
    asyncio.run(_work(Job(url, path, NOW + after + LEASE + timedelta(seconds=1), wrong, sender)))
    return Counter(message["what"] for message in Channel(path, _lives).messages())


def _die(job: Job, point: str) -> None:
    def dies(at: str) -> None:
        if at == point:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(_work(job, dies))


def _lives(_point: str) -> None:
    """Nobody kills this one."""


async def _work(job: Job, dies=_lives) -> None:
    """A round, and then its letters."""
    database = connect(job.url)
    book = SqlAlertBook(database)
    changes = decide(await book.known(job.now), Seen(job.wrong), job.now, POLICY)
    with _before_commit(dies):
        await book.write(changes, job.now)
    dies("after the commit")
    await SENDERS[job.sender](Mortal(database, dies), Channel(job.path, dies), job.now)
    await database.close()


@contextmanager
def _before_commit(dies: Callable[[str], None]) -> Iterator[None]:
    def about_to(_connection: object) -> None:
        dies("before the commit")

    # of whichever engine the database writes with
    event.listen(Engine, "commit", about_to)
    yield
    event.remove(Engine, "commit", about_to)


async def _clear(url: str) -> None:
    database = connect(url)
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM alert"))
        await connection.execute(text("DELETE FROM outbox"))
    await database.close()


def faults(told: Counter[str], what: What) -> tuple[int, int]:
    """Lost and doubled messages: the first one, and the one that the event is about."""
    wanted = {What.FIRE.value, what.value}
    return sum(told[one] == 0 for one in wanted), sum(max(0, number - 1) for number in told.values())


# --- all of them ------------------------------------------------------------------------------------------------------


async def outbox(scale: Scale) -> list[Row]:
    """Six points, four events, both databases; raises when ours loses or doubles a single message."""
    rows = []
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as urls:
        for kind, url in urls.items():
            await upgrade(url)
            rows.append(await asyncio.to_thread(_ours, kind, url, Path(name), scale.kills, POINTS[: scale.points]))
        for sender in ("mark first", "mark last"):
            rows += await asyncio.to_thread(_rival, sender, urls["SQLite"], Path(name), scale.kills)
    return rows


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    name = f"bench_{uuid.uuid4().hex}"
    with closing(psycopg.connect(server_uri(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        server = server_uri().replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
        yield {"SQLite": f"sqlite+aiosqlite:///{folder}/bench.db", "PostgreSQL": server}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _ours(kind: str, url: str, folder: Path, runs: int, points: tuple[str, ...]) -> Row:
    deaths = wrong = 0
    for what in EVENTS:
        for point in points * runs:
            lost, doubled = faults(killed(url, folder, what, point), what)
            deaths, wrong = deaths + 1, wrong + lost + doubled
            if lost or doubled:
                raise AssertionError(f"{kind}, {what} killed {point}: {lost} lost, {doubled} doubled")
    return Row(f"{deaths} kills, {kind}: alerts lost or doubled", wrong, "", deaths, "kills")


def _rival(sender: str, url: str, folder: Path, runs: int) -> list[Row]:
    found = [faults(killed(url, folder, What.FIRE, point, sender), What.FIRE) for point in POINTS * runs]
    lost, doubled = (sum(column) for column in zip(*found, strict=True))
    return [
        Row(f"{len(found)} kills, {sender}: lost", lost, "", len(found), "kills"),
        Row(f"{len(found)} kills, {sender}: doubled", doubled, "", len(found), "kills"),
    ]
