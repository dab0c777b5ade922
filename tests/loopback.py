"""A shop on loopback, for tests whose subject has an event loop or a process of its own."""

from __future__ import annotations

import asyncio
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from bot.app import SystemClock
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.serving import running
from demo.world import SHOP, World

ROOT = Path(__file__).parent.parent
VENDOR_KEY, USER_KEY = "demo-vendor-key", "demo-user-key"


@contextmanager
def served(asgi: ASGIApp) -> Iterator[str]:
    """Serve an application from a thread of its own, and yield its base address."""
    begun: queue.Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with running(asgi) as url:
            begun.put((url, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url, loop, stop = begun.get(timeout=10)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@dataclass(frozen=True)
class Shop:
    """A configured shop: its folder is the working directory, ``env`` is the whole environment."""

    folder: Path
    world: World
    metrc: MetrcStandIn
    metrc_url: str
    env: dict[str, str]

    def program(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """The program as a user starts it."""
        return subprocess.Popen(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def shop_on_loopback(world: World, folder: Path) -> Iterator[Shop]:
    """Everything ``countlast`` needs to answer, with the clock at ``world.now``."""
    metrc = MetrcStandIn(world, SystemClock(world.now))
    with served(metrc.asgi) as url:
        write_books(world, folder / "pos", world.now)
        (folder / "facilities.toml").write_text(facility(SHOP, url), encoding="utf-8")
        env = {"COUNTLAST_DEV": "1", "COUNTLAST_NOW": world.now.isoformat()}
        env |= {"METRC_VENDOR_KEY": VENDOR_KEY, "METRC_USER_KEY": USER_KEY}
        yield Shop(folder, world, metrc, url, env)


def facility(license_number: str, metrc_url: str) -> str:
    """A facility's tables."""
    return (
        f'[[facility]]\nlicense = "{license_number}"\nname = "Harbor Street"\ntime_zone = "America/Denver"\n'
        f'channel = "C0FLOOR"\n[facility.metrc]\nbase_url = "{metrc_url}"\nvendor_key = "env:METRC_VENDOR_KEY"\n'
        'user_key = "env:METRC_USER_KEY"\nwindow_hours = 9600\nrequests_per_second = 1000\n'
        '[facility.pos]\nkind = "csv"\ndirectory = "pos"\n'
    )
