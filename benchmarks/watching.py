"""Many shops watched by one process: how long a round takes of its five minutes, and how much of a core.

The process that is measured reads METRC over loopback and each shop's POS files, and writes what it finds; METRC is a
process of its own. Nothing is mirrored at first: the first rounds fill, and each of them has to end within its interval all
the same. Rounds go on until every shop is filled; the one after that is what every five minutes bring.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchmarks.many_shops import NOW, license_of, number_of, sales_between
from benchmarks.table import Row, Scale
from bot.alerts import Policy
from bot.app import Bot, SystemClock, opened
from bot.settings import FacilitySettings, Secret, Settings
from tests.store import settings

ROUND = timedelta(minutes=5)
MOST_ROUNDS = 8
SHOPS_A_KEY = 10
POS_BACK = timedelta(days=1)
INVENTORY = "license_number,package_id,product_name,quantity,unit,exported_at\n"
SALES = "license_number,transaction_id,line_id,sold_at,package_id,quantity,unit\n"
LABEL = "1A4FF0100000022000001002"


async def watching(scale: Scale) -> list[Row]:
    """Seconds a round, share of one core, megabytes."""
    command = (sys.executable, "-m", "benchmarks.many_shops", str(scale.facilities), str(scale.latency / 4))
    pipe = asyncio.subprocess.PIPE
    metrc = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert metrc.stdout is not None
    try:
        url = (await metrc.stdout.readline()).decode().strip()
        told = await _in_own_process(url, scale.facilities)
    finally:
        await metrc.communicate(b"")
    what, interval = f"{scale.facilities:,} facilities watched", ROUND.total_seconds()
    rounds = int(told["rounds"])
    return [
        Row(f"{what}: the first round, nothing mirrored", told["first"], "s", interval, "the interval"),
        Row(f"{what}: longest of {rounds} rounds that fill", told["longest"], "s", interval, "the interval"),
        Row(f"{what}: keys and feeds looked at in the first", told["first_read"], "", scale.facilities, "all"),
        Row(f"{what}: shops not filled after {rounds}", told["unfilled"], "", scale.facilities, "all"),
        Row(f"{what}: a round", told["seconds"], "s", interval, "the interval"),
        Row(f"{what}: CPU of a round", told["cpu"], "s", interval, "one core"),
        Row(f"{what}: shops not read", scale.facilities - told["read"], "", scale.facilities, "all"),
        Row(f"{what}: shops not judged in time", told["late"], "", scale.facilities, "all"),
        Row(f"{what}: alerts that nothing was wrong for", told["alerts"], "", scale.facilities, "all"),
        Row(f"{what}: peak memory", told["peak"], "MB", 500.0, "what it may take"),
    ]


async def _in_own_process(url: str, shops: int) -> dict[str, float]:
    command = (sys.executable, "-m", "benchmarks.watching", url, str(shops))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise AssertionError(f"the watch ended with {process.returncode}")
    found: dict[str, float] = json.loads(out)
    return found


# --- the process that is measured -------------------------------------------------------------------------------------


async def _measured(url: str, shops: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        config = _settings(Path(name), url, shops)
        for facility in config.facilities:
            _write_books(facility)
        async with opened(config) as bot:
            rounds = [await _round(bot, at=0)]
            while rounds[-1]["filling"] and len(rounds) < MOST_ROUNDS:
                rounds.append(await _next(bot, len(rounds)))
            steady = await _next(bot, len(rounds))
    told = {
        "first": rounds[0]["seconds"],
        "first_read": rounds[0]["read"],
        "longest": max(one["seconds"] for one in rounds),
        "rounds": len(rounds),
        "unfilled": rounds[-1]["filling"],
        "alerts": max(one["alerts"] for one in (*rounds, steady)),
        "late": max(one["late"] for one in (*rounds, steady)),
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**steady, **told, "peak": peak}


async def _next(bot: Bot, number: int) -> dict[str, float]:
    """The round after, with what the tills have sold meanwhile."""
    for facility in bot.settings.facilities:
        _write_books(facility, later=number * ROUND)
    return await _round(bot, at=number)


async def _round(bot: Bot, *, at: int) -> dict[str, float]:
    bot.clock = SystemClock(NOW + at * ROUND)
    began, busy = time.monotonic(), time.process_time()
    done = await bot.watch(Policy(hold=timedelta(0), good_rounds=1))
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - busy,
        "read": done.read,
        "alerts": len(done.open),
        "filling": len(done.filling),
        "late": len(done.late),
    }


def _settings(folder: Path, url: str, shops: int) -> Settings:
    config = settings(folder, now=NOW)
    return replace(config, facilities=tuple(_facility(config.facilities[0], folder, url, n) for n in range(shops)))


def _facility(pattern: FacilitySettings, folder: Path, url: str, number: int) -> FacilitySettings:
    key, pos = folder / f"key{number // SHOPS_A_KEY}", folder / "pos" / str(number)
    key.write_text(f"key-{number // SHOPS_A_KEY}", encoding="utf-8")
    pos.mkdir()
    metrc = replace(pattern.metrc, base_url=url, user_key=Secret(f"file:{key}"), requests_per_second=50)
    return replace(
        pattern,
        license=license_of(number),
        name=f"Shop {number}",
        metrc=metrc,
        pos=replace(pattern.pos, directory=pos),
    )


def _write_books(facility: FacilitySettings, later: timedelta = timedelta(0)) -> None:
    now, folder = NOW + later, facility.pos.directory
    stamp = f"{now:%Y%m%d%H%M}"
    row = f"{facility.license},{LABEL},Night Lantern 3.5g,19,Each,{now.isoformat()}\n"
    (folder / f"inventory-{stamp}.csv").write_text(INVENTORY + row, encoding="utf-8")
    lines = [
        f"{facility.license},{number_of(sold)},1,{sold.isoformat()},{LABEL},1,Each\n"
        for sold in sales_between(now - (ROUND if later else POS_BACK), now)
    ]
    (folder / f"sales-{stamp}.csv").write_text(SALES + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1], int(sys.argv[2])))))
