"""The store that tests start from: a healthy world, the real bot in front of it, all in one process.

A question goes through the real client, mirror, database and checks; only the network is short-circuited.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx

from bot.app import Bot, SystemClock
from bot.model import Diagnosis, Evidence, Posting, Question, Subject, SubjectKind
from bot.settings import FacilitySettings, MetrcSettings, PosSettings, Secret, Settings
from bot.transport import Patience, Transport
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.world import SHOP, World
from storage.books import open_books

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


def settings(folder: Path, *, now: datetime = NOW, posting: Posting = Posting.BATCH, **pos: object) -> Settings:
    """One facility whose METRC and POS are the stand-ins; keys are files in ``folder``."""
    (folder / "vendor").write_text("demo-vendor-key", encoding="utf-8")
    (folder / "user").write_text("demo-user-key", encoding="utf-8")
    (folder / "pos").mkdir(exist_ok=True)
    facility = FacilitySettings(
        license=SHOP,
        name="Harbor Street",
        time_zone="America/Denver",
        channel="C0FLOOR",
        metrc=MetrcSettings(
            "http://metrc.test",
            Secret(f"file:{folder / 'vendor'}"),
            Secret(f"file:{folder / 'user'}"),
            window_hours=24 * 400,
            requests_per_second=100_000,
        ),
        pos=PosSettings("csv", folder / "pos", posting, **pos),
    )
    return Settings(
        (facility,),
        database_url=f"sqlite+aiosqlite:///{folder / 'countlast.db'}",
        fixed_now=now,
        dev=True,
    )


@asynccontextmanager
async def opened_store(
    world: World, folder: Path, config: Settings | None = None, template: Path | None = None
) -> AsyncIterator[tuple[Bot, MetrcStandIn]]:
    """The bot and the METRC it talks to; the POS's files are written once, as the world stands."""
    config = config or settings(folder, now=world.now)
    write_books(world, folder / "pos", world.now)
    if template is not None and not (folder / "countlast.db").exists():
        shutil.copy(template, folder / "countlast.db")
    metrc = MetrcStandIn(world, SystemClock(config.fixed_now))
    books = await open_books(config.database_url)
    quick = Patience(total=3.0, attempt=2.0, first_wait=0.001, first_wait_when_limited=0.001)
    async with Transport(dev=True, patience=quick, inner=httpx.ASGITransport(metrc.asgi)) as transport:
        try:
            yield Bot(config, books, transport, SystemClock(config.fixed_now)), metrc
        finally:
            await books.close()


async def quiet(_sentence: str) -> None:
    """Nobody listens."""


def asked(label: str, *, shelf: str | None = None, deadline: float = 30) -> Question:
    """A question about one package."""
    counted = Decimal(shelf) if shelf is not None else None
    return Question(SHOP, Subject(SubjectKind.PACKAGE, label), counted, None, deadline)


class Asking:
    """``ask(world, label)`` → the diagnosis, with the evidence and the requests of that question kept beside it."""

    def __init__(self, folder: Path, template: Path | None) -> None:
        self.folder = folder
        self.template = template
        self.evidence: Evidence | None = None
        self.metrc: MetrcStandIn | None = None

    async def __call__(
        self,
        world: World,
        label: str,
        *,
        shelf: str | None = None,
        config: Settings | None = None,
        spoil: Callable[[Path], None] | None = None,
    ) -> Diagnosis:
        async with opened_store(world, self.folder, config, self.template) as (bot, metrc):
            if spoil is not None:
                spoil(self.folder / "pos")
            diagnosis = await bot.answer(asked(label, shelf=shelf), quiet)
            kept = await bot.books.ledger.diagnosis(diagnosis.id)
            assert kept is not None
            assert kept[0] == diagnosis
            self.evidence, self.metrc = kept[1], metrc
            return diagnosis
