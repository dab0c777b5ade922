"""``make pictures``: the README's pictures, taken from the demo page as a person would see it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Browser

from demo.run import Store, ask, store
from tests.browser.finding import browser

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
QUESTION = "package 1A4FF0100000022000001002"
DESK, PHONE = {"width": 1280, "height": 1180}, {"width": 390, "height": 1180}


async def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with store() as shop, browser() as opened:
        await ask(shop, QUESTION)
        await _thread(opened, shop, DESK, "thread.png")
        await _thread(opened, shop, PHONE, "thread-phone.png")


async def _thread(opened: Browser, shop: Store, size: dict[str, int], name: str) -> None:
    page = await opened.new_page(viewport=size, device_scale_factor=1.5)
    await page.goto(shop.page)
    await page.get_by_text(re.compile(r"\d repl")).first.click()
    await page.get_by_text("Remove duplicate…").first.wait_for()
    # the evidence is a message of its own; the picture shows the answer
    await page.get_by_text("Done in").first.scroll_into_view_if_needed()
    await page.screenshot(path=FOLDER / name)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
