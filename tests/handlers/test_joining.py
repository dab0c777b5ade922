"""The whole Slack side with a real database: joining, last digits, the shelf, and the Home tab by role."""

import asyncio
from decimal import Decimal

import pytest

from tests.handlers.removal_shop import ASKER, LABEL, LEE, opened


@pytest.fixture
async def shop(tmp_path, empty_database):
    async with opened(tmp_path, empty_database, contact=ASKER) as shop:
        yield shop


async def test_who_joins_a_question_counts_as_its_asker(shop):
    """METRC is asked once, and with a second person needed, neither of the two may approve."""
    first = asyncio.create_task(shop.slack.command(f"package {LABEL}", user=ASKER))
    await shop.slack.wait_for(lambda message: "asked by" in message.text)
    await shop.slack.command(f"package {LABEL}", user=LEE)
    assert (await first).acked
    await shop.settle()
    assert (await shop.intent()).askers == (ASKER, LEE)
    assert len(shop.cards()) == 1
    assert "answered already" in shop.told(LEE)
    await shop.press(user=LEE)
    assert shop.writes() == []


async def test_the_last_digits_and_the_shelf_lead_to_a_comparison_of_three(shop):
    """Found in the POS on an empty mirror; the count stands in the account."""
    result = await shop.slack.command("", user=ASKER)
    assert result.acked
    await shop.settle()
    (view,) = shop.slack.workspace.stack(ASKER)
    sent = await shop.slack.submit_view(view.id, {"what": {"what": LABEL[-5:]}, "shelf": {"shelf": "40"}})
    assert sent.answer == {}
    await shop.settle()
    assert shop.slack.workspace.stack(ASKER) == ()
    said = "\n".join(shop.slack.message_as_text(message) for message in shop.slack.messages())
    assert f"Reading {LABEL[-5:]} as package {LABEL}" in said
    assert "shelf 40" in said
    (one,) = [stored async for stored in shop.bot.books.ledger.answers()]
    assert one.kept[0].gap.shelf == Decimal(40)


async def test_the_home_tab_goes_by_what_somebody_does(shop):
    """Approvers see what waits, who is on call how the shops stand, everybody else the recent cases."""
    await shop.ask(user=ASKER)
    seen = {}
    for user in (ASKER, LEE, "U0SAM"):
        await shop.slack.open_home(user)
        await asyncio.sleep(0.01)
        await shop.settle()
        seen[user] = str(shop.slack.workspace.home(user).payload)
    assert ["Waits for an approval" in seen[user] for user in seen] == [True, True, False]
    assert ["How the shops stand" in seen[user] for user in seen] == [True, False, False]
    assert "Guests cannot ask" in seen["U0SAM"]
    assert "Recorded twice" in seen[LEE]
    (twin,) = (await shop.intent()).targets
    assert f"remove receipt `{twin.record_id}` in METRC, of package …3001" in seen[LEE]
    # a second person is needed, so hers does not wait for who asked
    assert twin.record_id not in seen[ASKER]
    assert "Nothing waits for you" in seen[ASKER]
