"""The whole path of a removal in a real browser: one person asks, another approves, and it happens once."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from demo.run import store
from tests.browser.finding import browser
from tests.browser.test_workspace import DESK, PHONE, ask

LABEL = "1A4FF0100000022000001002"


async def become(page: Page, name: str, *, on_phone: bool) -> Locator:
    """Look at the thread as another person."""
    if await page.locator("#thread").is_visible():
        await page.locator("#close-thread").click()
    if on_phone:
        await page.get_by_role("button", name="Menu").click()
    await page.get_by_label("You are").select_option(label=name)
    if on_phone:
        await page.get_by_role("button", name="Close menu").click()
    return await thread(page)


async def thread(page: Page) -> Locator:
    await page.get_by_text(re.compile(r"\d repl")).first.click()
    return page.locator("#thread")


async def press(page: Page, card: Locator, button: str, yes: str) -> None:
    await card.get_by_role("button", name=button).last.click()
    await page.get_by_role("dialog").get_by_role("button", name=yes).click()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_one_asks_another_approves_and_it_goes_once(size):
    """The asker is refused in private; the other one reads, confirms, and the card says who and what came of it."""
    on_phone = size == PHONE
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=size)
        await ask(page, shop, f"package {LABEL}")
        card = await thread(page)
        await expect(card).to_contain_text("Void receipt 880102 in METRC and keep 880101?")
        await press(page, card, "Void receipt 880102", "Void receipt 880102")
        await expect(card).to_contain_text("so somebody else has to approve")
        assert shop.metrc.writes == []
        card = await become(page, "Lee Marsh", on_phone=on_phone)
        await expect(card).not_to_contain_text("so somebody else has to approve")
        await press(page, card, "Void receipt 880102", "Void receipt 880102")
        await expect(card).to_contain_text("✓ Receipt 880102 removed")
        await expect(card).to_contain_text("The fix held.")
        await expect(card.get_by_role("button", name="Void receipt 880102")).to_have_count(0)
        assert [write.path for write in shop.metrc.writes] == ["/sales/v2/receipts/880102"]


async def test_an_approver_declines_and_says_why():
    """The form opens, takes a reason, and the card is closed with it."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=DESK)
        await ask(page, shop, f"package {LABEL}")
        card = await become(page, "Lee Marsh", on_phone=False)
        await card.get_by_role("button", name="Decline…").click()
        form = page.get_by_role("dialog")
        await form.get_by_label("Why not?").select_option(label="Both records are real")
        await form.get_by_role("button", name="Decline").click()
        await expect(card).to_contain_text("declined, nothing was removed")
        await expect(card).to_contain_text("Both records are real")
        assert shop.metrc.writes == []
