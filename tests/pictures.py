"""``make pictures``: the README's pictures, taken from the demo page as a person would see it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Browser, Page

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
        await _card(opened, shop)
        await _forms(opened, shop)
        await _home(opened, shop, DESK, "home.png")
        await _home(opened, shop, PHONE, "home-phone.png")
        await _shop(opened, shop)


async def _card(opened: Browser, shop: Store) -> None:
    """The card of a removal before, during and after the second person's press."""
    page = await opened.new_page(viewport=DESK, device_scale_factor=1.5)
    await page.goto(shop.page)
    await page.get_by_label("You are").select_option(label="Lee Marsh")
    await page.get_by_text(re.compile(r"\d repl")).first.click()
    await _shot(page, "Needs somebody who neither", "card-before.png")
    # METRC takes its time, so that a picture can be taken meanwhile
    shop.world.slow(1.5)
    await page.locator("#thread").get_by_role("button", name="Void receipt 880102").click()
    await page.get_by_role("dialog").get_by_role("button", name="Void receipt 880102").click()
    await _shot(page, "Looking again at METRC", "card-during.png")
    shop.world.recover()
    await _shot(page, "Will be looked at again", "card-after.png")
    await page.close()


async def _forms(opened: Browser, shop: Store) -> None:
    """The form behind the bare command, and the evidence behind an answer."""
    page = await opened.new_page(viewport=DESK, device_scale_factor=1.5)
    await page.goto(shop.page)
    await page.get_by_role("button", name="Ask about a package").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Package tag").fill("01002")
    await dialog.get_by_label("What the shelf says").fill("19")
    await dialog.screenshot(path=FOLDER / "form.png")
    await dialog.get_by_role("button", name="Cancel").click()
    await page.get_by_text(re.compile(r"\d repl")).first.click()
    await page.locator("#thread").get_by_role("button", name="Show evidence").first.click()
    await dialog.get_by_text("GET /facilities/v2/").wait_for()
    await dialog.screenshot(path=FOLDER / "evidence.png")
    await dialog.get_by_role("button", name="Close").click()
    await page.close()


async def _home(opened: Browser, shop: Store, size: dict[str, int], name: str) -> None:
    page = await opened.new_page(viewport=size, device_scale_factor=1.5)
    await page.goto(shop.page)
    if size == PHONE:
        await page.get_by_role("button", name="Menu").click()
    await page.locator("#apps").get_by_role("button").click()
    await page.get_by_text("Recent cases").wait_for()
    await page.screenshot(path=FOLDER / name)
    await page.close()


async def _shop(opened: Browser, shop: Store) -> None:
    """The causes of a whole shop, and the files behind them."""
    await ask(shop, "facility")
    page = await opened.new_page(viewport=DESK, device_scale_factor=1.5)
    await page.goto(shop.page)
    await page.get_by_text(re.compile(r"\d repl")).last.click()
    await page.locator("#thread").get_by_text("Packages by cause").wait_for()
    await page.screenshot(path=FOLDER / "facility.png")
    await page.close()


async def _shot(page: Page, said: str, name: str) -> None:
    card = page.locator("#thread article").filter(has_text=said).last
    await card.wait_for()
    await card.screenshot(path=FOLDER / name)


async def _thread(opened: Browser, shop: Store, size: dict[str, int], name: str) -> None:
    page = await opened.new_page(viewport=size, device_scale_factor=1.5)
    await page.goto(shop.page)
    await page.get_by_text(re.compile(r"\d repl")).first.click()
    await page.get_by_role("button", name="Void receipt 880102").first.wait_for()
    # the evidence is a message of its own; the picture shows the answer
    await page.get_by_text("Done in").first.scroll_into_view_if_needed()
    await page.screenshot(path=FOLDER / name)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
