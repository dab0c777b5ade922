"""How long the command line takes to start, against Python doing nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, Scale
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.scene import sample_scene
from demo.serving import running
from tests.store import NOW

FACILITY = """
[[facility]]
license = "402R-X0042"
name = "Harbor Street"
time_zone = "America/Denver"
[facility.metrc]
base_url = "{url}"
vendor_key = "env:VENDOR"
user_key = "env:USER_KEY"
window_hours = 2000
[facility.pos]
kind = "csv"
directory = "pos"
"""


async def startup(scale: Scale) -> list[Row]:
    """``--help``, and a whole cold ``reconcile package`` at 20 ms a call, process start and migration included."""
    import asyncio

    nothing = _timed(scale, lambda _: [sys.executable, "-c", "pass"])
    helped = _timed(scale, lambda _: [sys.executable, "-m", "bot", "--help"])
    world = sample_scene(NOW)
    metrc = MetrcStandIn(world, _Clock(), latency=0.02)
    async with running(metrc.asgi) as url:
        asked = await asyncio.to_thread(_timed, scale, lambda folder: _reconcile(folder, url, world))
    return [
        Row("countlast --help", helped, "s", nothing, "python -c pass"),
        Row("cold reconcile package, 20 ms a call, all included", asked, "s", nothing, "python -c pass"),
    ]


class _Clock:
    def now(self):
        return NOW


def _reconcile(folder: Path, url: str, world) -> list[str]:
    (folder / "pos").mkdir()
    (folder / "facilities.toml").write_text(FACILITY.format(url=url), encoding="utf-8")
    write_books(world, folder / "pos", NOW)
    return [sys.executable, "-m", "bot", "reconcile", "package", "1A4FF0100000022000001002", "--json"]


def _timed(scale: Scale, command) -> float:
    seconds = []
    for _ in range(scale.repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            arguments = command(folder)
            began = time.perf_counter()
            subprocess.run(arguments, cwd=folder, env=_environment(), check=True, capture_output=True)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    keys = {"VENDOR": "demo-vendor-key", "USER_KEY": "demo-user-key"}
    return kept | keys | {"PYTHONPATH": root, "COUNTLAST_DEV": "1", "COUNTLAST_NOW": NOW.isoformat()}
