"""The small Slack of these tests judges whatever reaches it, and whatever the bot says in front of it passes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot import model as m
from handlers.render.blocks import section
from tests.handlers import fake_slack
from tests.handlers.conftest import FakeAnswer, FakeSweep
from tests.handlers.values import DOUBLE_RECEIPT, HARBOR, LABEL, NOW, SWEEP

BAD = [section("<!channel>")]
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Evidence"}, "blocks": BAD}

FAULTY = {
    "chat.postMessage": {"channel": "C0FLOOR", "text": "x", "blocks": BAD},
    "chat.update": {"channel": "C0FLOOR", "ts": "1.2", "text": "x", "blocks": BAD},
    "chat.postEphemeral": {"channel": "C0FLOOR", "user": "U0DANA", "text": "x", "blocks": BAD},
    "views.open": {"trigger_id": "1.2", "view": MODAL},
    "views.update": {"view_id": "V1", "view": MODAL},
    "views.publish": {"user_id": "U0DANA", "view": {"type": "home", "blocks": BAD}},
}


@pytest.mark.parametrize("method", FAULTY)
async def test_a_faulty_call_is_refused_and_remembered(method):
    """So that a test in which the bot makes one fails, whatever else it looks at."""
    async with fake_slack.serving() as slack:
        client = AsyncWebClient(token="xoxb-1", base_url=slack.api)
        with pytest.raises(SlackApiError) as refused:
            await client.api_call(method, json=FAULTY[method])
        assert refused.value.response["error"] == "invalid_blocks"
        assert any("raw control sequence" in fault for fault in slack.faults)


async def test_a_faulty_private_answer_is_remembered():
    """Slack answers those with a word only, so nobody would notice."""
    async with fake_slack.serving() as slack:
        await AsyncWebhookClient(slack.response_url).send_dict({"text": "", "blocks": []})
        assert slack.faults == ["no fallback text"]


HOSTILE = (
    "<!channel> <@U0EVIL> <!subteam^S0EVIL> <http://evil.example|Approve> & `x",
    "=cmd|' /C calc'!A0 " * 500,
    "مرحبا \u202e👩‍👩‍👧‍👦\x00\n*Do:* adjust. " * 300,
    "&`<>|*" * 1_600,
)


def spoiled(text):
    """The healthy answer, this text wherever one can be."""
    action = m.Action(m.ActionKind.REMOVE_DUPLICATE, text, NOW)
    quotes = (m.Quote(text, text, NOW, text),) * 40
    share = m.Share(text, Decimal(1), (text,) * 9)
    return replace(
        DOUBLE_RECEIPT,
        code=text,
        headline=text,
        action=action,
        provisional=True,
        gap=m.Gap(Decimal(19), Decimal(18), text, (share,) * 40),
        checks=tuple(m.Outcome(name, m.Result.UNKNOWN, text, evidence=quotes) for name in m.CheckName),
        related=(text,) * 40,
    )


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("closed", [False, True])
async def test_whatever_records_hold_slack_takes_all_that_is_said(start, text, closed):
    """In the thread, or privately where the channel is closed to the bot; evidence, hand-over, Home tab, whole shop."""
    group = replace(SWEEP.groups[0], headline=text[:2_000], common=text[:2_000], labels=(text[:60],) * 2)
    sweep = FakeSweep(replace(SWEEP, groups=(group,) * 40))
    shop = replace(HARBOR, name=text, contact="U0LEE")
    bot = await start(shop, answer=FakeAnswer(spoiled(text), stages=(text,)), sweep=sweep)
    bot.services.ledger.kept["d-1"] = spoiled(text)
    if closed:
        bot.slack.errors["chat.postMessage"].extend(["not_in_channel"] * 60)
    for asked in (f"package {LABEL}", f"package {LABEL} at {text[:300]}", text[:2_000], "facility", "help"):
        await bot.command(asked)
    for pressed in ("show_evidence", "hand_over", "was_right"):
        await bot.press(pressed, trigger_id="1.2", actions=[_action(pressed)])
    await bot.event({"type": "app_home_opened", "user": "U0DANA", "tab": "home"})
    await asyncio.sleep(0)
    await bot.settle()
    said = str([*bot.slack.posts(), *bot.slack.edits(), *bot.slack.ephemerals(), *bot.slack.whispers])
    assert bot.slack.whispers if closed else bot.slack.posts()
    assert bot.slack.views
    assert "<@U0EVIL" not in said
    assert "<!subteam^S0EVIL" not in said


def _action(action_id):
    return {
        "type": "button",
        "action_id": action_id,
        "block_id": "b",
        "value": "d-1",
        "action_ts": f"1.{len(action_id)}",
    }
