"""The demo page in a real browser: ask, and read the thread."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from demo.run import Store, store
from tests.browser.finding import browser

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


async def ask(page: Page, shop: Store, text: str) -> None:
    await page.goto(shop.page)
    await page.get_by_placeholder(re.compile("reconcile")).fill(f"/reconcile {text}")
    await page.get_by_role("button", name="Send").click()


async def test_a_question_without_a_twin_has_no_button():
    """A package that is on hold is explained, and there is nothing to press."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=DESK)
        held = next(label for label, hint in shop.shown if hint == "on hold")
        await ask(page, shop, f"package {held}")
        await page.get_by_text(re.compile(r"\d repl")).first.click()
        await expect(page.locator("#thread")).to_contain_text("What was read")
        await expect(page.locator("#thread").get_by_role("button", name="Decline…")).to_have_count(0)


async def test_help_is_seen_by_the_asker_alone():
    """``help`` answers with something that can be copied, and only for who asked."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=DESK)
        await ask(page, shop, "help")
        await expect(page.locator("body")).to_contain_text("Only visible to you")
        assert shop.slack.messages() == []
