"""Many shops that share a channel and a key, or a METRC host, when that dies: how many messages there are, and when.

The clock is turned in the steps in which the bot's own clock ticks, drives the bot's own duties, and goes on by what their
work really takes. A key dies at three moments between two rounds; the worst is the one right after a round has looked.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.table import Row, Scale
from bot.alerts import Kind, What
from storage.books import open_books
from tests.watched import HOLD, NOW, ROUND, House

SPARE = timedelta(seconds=10)
PHASES = (timedelta(seconds=1), timedelta(seconds=150), timedelta(seconds=298))
LOOKS = timedelta(minutes=15)


async def dead_key(scale: Scale) -> list[Row]:
    """Seconds from the death to the post, messages, and what was told beside them."""
    return [*(await _keys(scale.sharing)), *(await _outage(scale.sharing))]


async def _keys(shops: int) -> list[Row]:
    delays, told = [], []
    for phase in PHASES:
        async with _house(shops, one_key=True) as house:
            await house.tick(NOW, NOW)
            died = NOW + phase
            house.world.dead_keys = {"env:ONE"}
            posted = await house.tick(died, died + 2 * ROUND + HOLD, real=True)
            delays.append((posted[0][1] - died).total_seconds())
            told += [letter.alert.kind for letter, _ in posted]
    what, limit = f"a dead key at {shops} shops", (HOLD + ROUND + SPARE).total_seconds()
    return [
        Row(f"{what}: from its death to the post, worst", max(delays), "s", limit, "hold + round + 10 s"),
        Row(f"{what}: messages", told.count(Kind.DEAD_KEY), "", len(PHASES), "deaths"),
        Row(f"{what}: messages about anything else", len(told) - told.count(Kind.DEAD_KEY), "", len(PHASES), "deaths"),
    ]


async def _outage(shops: int) -> list[Row]:
    """Of an hour, while every shop goes on selling and its posts wait; half an hour after it they arrive together."""
    async with _house(shops) as house:
        await house.run(NOW, NOW + ROUND)
        begins, ends = NOW + 2 * ROUND, NOW + 2 * ROUND + timedelta(hours=1)
        house.world.host_down = True
        licenses = [station.watched.shop.license for station in house.desk.stations]
        for license_number in licenses:
            house.world.falls_silent(license_number, begins)
        await house.run(begins, ends)
        house.world.host_down = False
        await house.run(ends + ROUND, ends + timedelta(minutes=30), every=LOOKS)
        for license_number in licenses:
            house.world.recovers(license_number, ends + timedelta(minutes=30))
        await house.run(ends + timedelta(minutes=45), ends + timedelta(hours=2), every=LOOKS)
        told = house.told
    what, own = f"an outage at {shops} shops", [(what, Kind.METRC_OUTAGE) for what in (What.FIRE, What.RESOLVE)]
    return [
        Row(f"{what}: alerts", told.count(own[0]), "", 1, "outage"),
        Row(f"{what}: ends told", told.count(own[1]), "", 1, "outage"),
        Row(f"{what}: anything else, the backlog after it too", sum(one not in own for one in told), "", 1, "outage"),
    ]


@asynccontextmanager
async def _house(shops: int, **kinds):
    with tempfile.TemporaryDirectory() as name:
        books = await open_books(f"sqlite+aiosqlite:///{Path(name)}/bench.db")
        try:
            yield House(books, shops=shops, **kinds)
        finally:
            await books.close()
