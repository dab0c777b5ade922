"""The app in a real browser: the form, the evidence, the Home tab, a mention, a phone."""

from __future__ import annotations

import re

from playwright.async_api import expect

from demo.run import store
from tests.browser.finding import browser
from tests.browser.test_workspace import DESK, PHONE, ask

LABEL = "1A4FF0100000022000001002"


async def test_the_form_asks_and_the_evidence_opens():
    """The bare command opens the form; the count on the shelf is in the answer; every reading is a press away."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=DESK)
        await ask(page, shop, "")
        form = page.get_by_role("dialog")
        await form.get_by_label("Package tag").fill("abc")
        await form.get_by_role("button", name="Ask").click()
        await expect(form).to_contain_text("cannot find a package tag")
        await form.get_by_label("Package tag").fill("01002")
        await form.get_by_label("What the shelf says").fill("19")
        await form.get_by_role("button", name="Ask").click()
        await expect(form).to_have_count(0)
        await page.get_by_text(re.compile(r"\d repl")).first.click()
        thread = page.locator("#thread")
        await expect(thread).to_contain_text("shelf 19")
        await thread.get_by_role("button", name="Show evidence").click()
        evidence = page.get_by_role("dialog")
        await expect(evidence).to_contain_text("GET /facilities/v2/")
        await evidence.get_by_role("button", name="Close").click()
        await thread.get_by_role("button", name="Was this right?").click()
        await page.get_by_role("dialog").get_by_label("It was right").check()
        await page.get_by_role("dialog").get_by_role("button", name="Send").click()
        await expect(thread).to_contain_text("this was right")


async def test_the_home_tab_and_a_mention_on_a_phone():
    """Recent cases with their cause; a mention is answered beneath it; nothing is wider than the screen."""
    async with store(latency=0) as shop, browser() as opened:
        page = await opened.new_page(viewport=PHONE)
        await page.goto(shop.page)
        await page.get_by_placeholder(re.compile("reconcile")).fill(f"@countlast {LABEL}")
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text(re.compile(r"\d repl")).first.click()
        await expect(page.locator("#thread")).to_contain_text("twice")
        thread = page.locator("#thread")
        await expect(thread.get_by_role("button", name="Show evidence")).to_be_visible()
        # the menu beside a message is on what people wrote, and on nothing of the bot's
        (menu,) = await thread.get_by_label("More actions").all()
        await menu.click()
        await thread.get_by_role("button", name="Why is this missing?").click()
        await expect(thread.get_by_role("button", name="Show evidence")).to_have_count(2)
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert await page.evaluate(wide) is False
        await page.locator("#close-thread").click()
        await page.get_by_role("button", name="Menu").click()
        await page.locator("#apps").get_by_role("button").click()
        home = page.locator("#home")
        await expect(home).to_contain_text("Recorded twice")
        await expect(home).to_contain_text("Waits for an approval")
        await expect(home).to_contain_text("How the shops stand")
        assert await page.evaluate(wide) is False
        await home.get_by_role("button", name="Ask about a package").click()
        await expect(page.get_by_role("dialog")).to_contain_text("What the shelf says")
