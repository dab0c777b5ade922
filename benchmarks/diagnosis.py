"""Requests and seconds of one diagnosis, cold and warm, over real loopback with METRC's latency.

The yardstick is the floor: the rounds that depend on one another, times the latency of one call.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.table import Row, Scale
from bot.app import Bot, opened
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.scene import sample_scene
from demo.serving import running
from demo.world import World
from tests.store import NOW, asked, quiet, settings

LABEL = "1A4FF0100000022000001002"
COLD_ROUNDS, WARM_ROUNDS = 3, 2


async def diagnosis(scale: Scale) -> list[Row]:
    """A package of the sample scene: on an empty database, then again with the mirror filled."""
    cold, warm = [], []
    for _ in range(scale.repeats):
        async with shop(sample_scene(NOW), scale.latency) as (bot, metrc):
            cold.append(await _ask(bot, metrc))
            warm.append(await _ask(bot, metrc))
    return [
        *_rows("cold diagnosis", cold, COLD_ROUNDS, scale.latency),
        *_rows("warm diagnosis", warm, WARM_ROUNDS, scale.latency),
    ]


@asynccontextmanager
async def shop(world: World, latency: float) -> AsyncIterator[tuple[Bot, MetrcStandIn]]:
    """The bot in front of a METRC on loopback that takes ``latency`` seconds a call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = settings(folder, now=world.now)
        metrc = MetrcStandIn(world, _Fixed(world), latency=latency)
        write_books(world, folder / "pos", world.now)
        async with running(metrc.asgi) as url:
            facility = config.facilities[0]
            near = replace(facility, metrc=replace(facility.metrc, base_url=url, requests_per_second=50))
            async with opened(replace(config, facilities=(near,))) as bot:
                yield bot, metrc


class _Fixed:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self):
        return self._world.now


async def _ask(bot: Bot, metrc: MetrcStandIn) -> tuple[float, int]:
    before, began = len(metrc.requests), time.perf_counter()
    await bot.answer(asked(LABEL), quiet)
    return time.perf_counter() - began, len(metrc.requests) - before


def _rows(name: str, runs: list[tuple[float, int]], rounds: int, latency: float) -> list[Row]:
    seconds = statistics.median(run[0] for run in runs)
    requests = statistics.median(run[1] for run in runs)
    floor = rounds * latency
    return [
        Row(f"{name}, {latency * 1000:.0f} ms a call", seconds, "s", floor, f"{rounds} rounds of one call"),
        Row(f"{name}, requests to METRC", requests, "", 8 if rounds == WARM_ROUNDS else 12, "the budget"),
    ]
