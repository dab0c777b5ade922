"""A whole shop against the floor of METRC's own limits, and a very large one's memory. ``python -m benchmarks sweep``.

The floor of a scan is 2 L + (P - 1) / min(50, 10 / L): page 1 tells how many there are, the rest run at once.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

from benchmarks.bulk_metrc import AT_ONCE, NOW, PAGE, PER_SECOND, quantity, tag
from benchmarks.table import Row, Scale
from bot.app import Bot, opened
from bot.settings import Settings
from demo.world import World
from tests.store import settings

RSS_LIMIT = 300.0
HEADER = "license_number,package_id,product_name,quantity,unit,unit_weight_g,received_at,exported_at\n"


async def sweep(scale: Scale) -> list[Row]:
    """Seconds and refusals at three latencies, seconds of thinking, and megabytes."""
    rows = []
    for latency in (scale.latency / 2, scale.latency, scale.latency * 2)[: scale.repeats]:
        rows += await _scan(scale.packages, latency)
    return [*rows, await _memory(scale.many_packages)]


async def _scan(packages: int, latency: float) -> list[Row]:
    async with _metrc(packages, latency, "limited") as url:
        told = await _in_own_process(url, packages, per_second=PER_SECOND)
        seen = json.loads(await asyncio.to_thread(_get, f"{url}/told"))
    if told["agree"] != packages or told["groups"]:
        raise AssertionError(f"a healthy shop of {packages} was judged as {told}")
    floor = 2 * latency + (-(-packages // PAGE) - 1) / min(PER_SECOND, AT_ONCE / latency)
    what = f"sweep of {packages:,}, {latency * 1000:.0f} ms a call"
    return [
        Row(f"{what}: reading", told["reading"], "s", floor, "the floor of METRC's limits"),
        Row(f"{what}: all of it", told["seconds"], "s", floor, "the same floor"),
        Row(f"{what}: the bot's own CPU", told["cpu"], "s", told["seconds"], "all of it"),
        Row(f"{what}: answers but 429", seen["asked"] - seen["refused"], "", seen["asked"], "all answers"),
    ]


async def _memory(packages: int) -> Row:
    async with _metrc(packages, 0, "unlimited") as url:
        told = await _in_own_process(url, packages, per_second=100_000)
    return Row(f"sweep of {packages:,}: peak memory", told["peak"], "MB", RSS_LIMIT, "what it may take")


# --- processes --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _metrc(packages: int, latency: float, limits: str) -> AsyncIterator[str]:
    command = (sys.executable, "-m", "benchmarks.bulk_metrc", str(packages), str(latency), limits)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    if process.stdout is None:
        raise AssertionError("a pipe was asked for")
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await process.communicate(b"")


async def _in_own_process(url: str, packages: int, *, per_second: int) -> dict[str, float]:
    command = (sys.executable, "-m", "benchmarks.sweep", url, str(packages), str(per_second))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise AssertionError(f"the sweep ended with {process.returncode}")
    found: dict[str, float] = json.loads(out)
    return found


def _get(url: str) -> bytes:
    with urlopen(url) as answer:  # noqa: S310 - the address is our own process's
        body: bytes = answer.read()
    return body


# --- the process that is measured -------------------------------------------------------------------------------------


async def _measured(url: str, packages: int, per_second: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = _settings(folder, url, per_second)
        _write_stock(folder / "pos" / "inventory.csv", packages)
        async with opened(config) as bot:
            return await _timed(bot)


def _settings(folder: Path, url: str, per_second: int) -> Settings:
    config = settings(folder, now=NOW)
    facility = config.facilities[0]
    metrc = replace(facility.metrc, base_url=url, requests_per_second=per_second)
    return replace(config, facilities=(replace(facility, metrc=metrc),))


def _write_stock(path: Path, packages: int) -> None:
    item = World.healthy(NOW).packages[0].item
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(packages):
            row = (item.name, quantity(number), "Each", "3.5", "2026-02-20T10:32:10-07:00", "2026-03-02T20:30:00-07:00")
            file.write(",".join(map(str, ("402R-X0042", tag(number), *row))) + "\n")


async def _timed(bot: Bot) -> dict[str, float]:
    """``reading``: until METRC's lists are read; ``cpu``: seconds of this process, reading and judging."""
    loop = asyncio.get_running_loop()
    began, worked, reading = loop.time(), time.process_time(), []

    async def told(stage: str, _done: int, _total: int) -> None:
        if stage == "Comparing both sides" and not reading:
            reading.append(loop.time() - began)

    found = await bot.sweep(bot.settings.facilities[0], told)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "reading": reading[0] if reading else found.seconds,
        "seconds": found.seconds,
        "cpu": time.process_time() - worked,
        "agree": found.agree,
        "groups": len(found.groups),
        "peak": peak,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
