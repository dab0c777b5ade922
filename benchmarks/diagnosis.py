"""Requests, round trips and seconds of a diagnosis over real loopback with METRC's latency, as old as its mirror is.

One question is held against the floor of its own round trips: their depth times the latency of one call. Many at once
share the facility's limiter, so theirs is the time in which METRC lets that many requests through.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from benchmarks.table import Row, Scale
from bot.app import AT_ONCE, UNDER_THE_LIMIT, Bot, SystemClock
from bot.transport import Transport
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.scene import sample_scene
from demo.serving import running
from demo.world import World
from storage.books import open_books
from tests.store import NOW, asked, quiet, settings

PER_SECOND = 50
HISTORY = timedelta(days=60)


@dataclass(frozen=True)
class Mirror:
    """How old the mirror is when the question comes, and what the question may cost then: requests and round trips."""

    name: str
    age: timedelta | None
    budget: tuple[int, int]


MIRRORS = (
    Mirror("warm", timedelta(seconds=30), (8, 2)),
    Mirror("a day old", timedelta(days=1), (12, 3)),
    Mirror("cold", None, (40, 6)),
)


@dataclass(frozen=True)
class Run:
    """What one or more questions took."""

    seconds: float
    requests: int
    depth: int


class Watched:
    """An application that notes when each request came and when it was answered."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.spans: list[tuple[float, float]] = []

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        await self.inner(scope, receive, send)
        self.spans.append((began, time.perf_counter()))

    def depth(self) -> int:
        """The longest chain: a request may depend on whatever had been answered before it came.

        More than ten at once wait for one another without depending, so this is never too low and may be too high.
        """
        ended: list[tuple[float, int]] = []
        for began, answered in sorted(self.spans):
            ended.append((answered, 1 + max((depth for at, depth in ended if at <= began), default=0)))
        return max((depth for _, depth in ended), default=0)


async def diagnosis(scale: Scale) -> list[Row]:
    """Every label of the written scene by itself, then many labels of a large shop at once; the medians."""
    found = []
    for mirror in MIRRORS:
        scene = sample_scene(NOW)
        labels = sorted(set(scene.labels()))[: 9 if scale.repeats > 1 else 1]
        alone = [await _run(scene, mirror, [label], scale.latency) for label in labels]
        found += _alone(mirror, alone, scale.latency)
    for mirror in MIRRORS[:2]:
        shop = World.healthy(NOW)
        while len(shop.labels()) < scale.questions:
            shop.stock(seed=len(shop.labels()), first=4001 + len(shop.labels()))
        run = await _run(shop, mirror, sorted(set(shop.labels()))[: scale.questions], scale.latency)
        found.append(_together(mirror, run, scale))
    return found


def _alone(mirror: Mirror, runs: list[Run], latency: float) -> list[Row]:
    requests = statistics.median(run.requests for run in runs)
    depth = statistics.median(run.depth for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    floor = statistics.median(run.depth * latency for run in runs)
    name, (most, deepest) = f"one diagnosis, mirror {mirror.name}", mirror.budget
    return [
        Row(f"{name}: requests to METRC", requests, "", most, "the budget"),
        Row(f"{name}: round trips deep", depth, "", deepest, "the budget"),
        Row(f"{name}, {latency * 1000:.0f} ms a call", seconds, "s", floor, "its round trips"),
    ]


def _together(mirror: Mirror, run: Run, scale: Scale) -> Row:
    rate = min(PER_SECOND * UNDER_THE_LIMIT, AT_ONCE / scale.latency)
    what = f"{scale.questions} diagnoses at once, mirror {mirror.name}, {run.requests} requests"
    return Row(what, run.seconds, "s", scale.latency + run.requests / rate, f"METRC lets {rate:.0f}/s through")


async def _run(world: World, mirror: Mirror, labels: list[str], latency: float) -> Run:
    with tempfile.TemporaryDirectory() as name:
        async with _shop(world, Path(name), mirror, latency) as (bot, metrc, watched):
            metrc.requests.clear()
            watched.spans.clear()
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for label in labels:
                    group.create_task(bot.answer(asked(label, deadline=600), quiet))
            return Run(time.perf_counter() - began, len(metrc.requests), watched.depth())


@asynccontextmanager
async def _shop(
    world: World, folder: Path, mirror: Mirror, latency: float
) -> AsyncIterator[tuple[Bot, MetrcStandIn, Watched]]:
    """The bot in front of a METRC on loopback that takes ``latency`` seconds a call; its mirror filled without it."""
    then = SystemClock(NOW - (mirror.age or timedelta()))
    config = settings(folder, now=NOW)
    metrc = MetrcStandIn(world, then)
    watched = Watched(metrc.asgi)
    write_books(world, folder / "pos", NOW)
    async with running(watched) as url, Transport(dev=True) as transport:
        (facility,) = config.facilities
        fast = replace(facility, metrc=replace(facility.metrc, base_url=url))
        near = replace(fast, metrc=replace(fast.metrc, requests_per_second=PER_SECOND))
        books = await open_books(config.database_url)
        try:
            if mirror.age is not None:
                filling = Bot(replace(config, facilities=(fast,)), books, transport, then)
                await filling.sync(fast, HISTORY, lambda *_: None)
            metrc.clock, metrc.latency = SystemClock(NOW), latency
            yield Bot(replace(config, facilities=(near,)), books, transport, SystemClock(NOW)), metrc, watched
        finally:
            await books.close()
