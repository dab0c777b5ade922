"""Finds a Chromium, or fetches one: Playwright's own, or the system's package where this user may install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LONGEST_FETCH = 600


class NoBrowser(RuntimeError):
    """No browser was found and none could be fetched; the message says what was tried."""


def find_browser() -> str:
    """The path of a Chromium that can be run; raises ``NoBrowser``."""
    return _on_path() or _playwrights_own() or _fetched()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A headless browser, closed at the end."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        try:
            yield opened
        finally:
            await opened.close()


def _on_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _playwrights_own() -> str | None:
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    own = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return str(own[-1]) if own else None


def _fetched() -> str:
    tried = []
    for name, commands in _ways():
        failure = _run(commands)
        found = _on_path() or _playwrights_own()
        if found:
            return found
        tried.append(f"{name}: {failure or 'it ended well, but there is no browser'}")
    raise NoBrowser("Browser tests need a Chromium and none was found. " + " ".join(tried))


def _ways() -> list[tuple[str, list[list[str]]]]:
    ways = [("Playwright's own", [[sys.executable, "-m", "playwright", "install", "chromium"]])]
    if shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        # the system's package first: a package mirror is often nearer than a download site
        ways.insert(0, ("Debian's chromium", [["apt-get", "update"], install]))
    return ways


def _run(commands: list[list[str]]) -> str:
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_FETCH, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{command[0]} could not be run ({type(error).__name__})."
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            return f"{' '.join(command[:3])} failed: {last[0][:200]}"
    return ""
