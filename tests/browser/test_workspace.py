"""The demo page in a real browser: ask, read the thread, press the button."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from demo.run import Store, store
from tests.browser.finding import browser

LABEL = "1A4FF0100000022000001002"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


async def ask(page: Page, shop: Store, text: str) -> None:
    await page.goto(shop.page)
    await page.get_by_placeholder(re.compile("reconcile")).fill(f"/reconcile {text}")
    await page.get_by_role("button", name="Send").click()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_thread_of_a_twin_is_read_and_its_button_does_not_act(size):
    """A person asks, opens the thread, sees which receipt goes, presses, confirms, and nothing was changed."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=size)
        await ask(page, shop, f"package {LABEL}")
        await page.get_by_text(re.compile(r"\d repl")).first.click()
        thread = page.get_by_role("main").or_(page.get_by_role("complementary")).or_(page.locator("body"))
        await expect(thread.first).to_contain_text("was posted to METRC twice, 4 s apart")
        await expect(thread.first).to_contain_text("880102")
        await page.get_by_text("Remove duplicate…").last.click()
        await page.get_by_role("dialog").get_by_role("button", name="Void receipt 880102").click()
        await expect(thread.first).to_contain_text("nothing was changed")
        assert shop.metrc.writes == []


async def test_help_is_seen_by_the_asker_alone():
    """``help`` answers with something that can be copied, and only for who asked."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=DESK)
        await ask(page, shop, "help")
        await expect(page.locator("body")).to_contain_text("Only visible to you")
        assert shop.slack.messages() == []
