"""The same delivery ten times has one effect, whichever way it came in; ten at once are the hardest."""

import asyncio
from collections import Counter

import pytest

from handlers.render.form import FORM
from handlers.render.verdict import VERDICT_FORM
from tests.handlers.test_follow_ups import button, pressed
from tests.handlers.values import DOUBLE_RECEIPT, LABEL

MESSAGE = {"ts": "1690000000.000200", "text": f"{LABEL} and sale POS-1 are gone"}
TAGGED = {"callback_id": "why_missing", "channel": {"id": "C0FLOOR"}, "trigger_id": "14.7"}
TOLD = '{"channel": "C0FLOOR", "thread": "", "url": ""}'
JUDGED = '{"answer": "d-1", "channel": "C0FLOOR", "thread": "1.2"}'
DIRECT = {
    "type": "message",
    "channel_type": "im",
    "channel": "D0DANA",
    "user": "U0DANA",
    "ts": "1690000000.000900",
    "text": LABEL,
}
OPENED = {"type": "app_home_opened", "user": "U0DANA", "tab": "home"}
RIGHT = {"right": {"selected_option": {"value": "right"}}}
PRESSED = {"container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1"}, "trigger_id": "14.7"}


def on_view(action_id, value):
    return {"actions": [button(action_id, value)], **PRESSED}


ENTRIES = {
    "command": lambda bot: bot.command(f"package {LABEL}", settle=False, trigger_id="13.7"),
    "several": lambda bot: bot.command(f"{LABEL} {LABEL[:-1]}3", settle=False, trigger_id="13.7"),
    "help": lambda bot: bot.command("help", settle=False, trigger_id="13.7"),
    "facility": lambda bot: bot.command("facility", settle=False, trigger_id="13.7"),
    "bare command": lambda bot: bot.command("", settle=False, trigger_id="13.7"),
    "other command": lambda bot: bot.command("x", settle=False, trigger_id="13.7", command="/other"),
    "mention": lambda bot: bot.mention(LABEL, event_id="Ev7"),
    "direct message": lambda bot: bot.event(DIRECT, event_id="Ev7", settle=False),
    "message shortcut": lambda bot: bot.interact("message_action", settle=False, message=MESSAGE, **TAGGED),
    "message that names nothing": lambda bot: bot.interact(
        "message_action", settle=False, message={**MESSAGE, "text": "gone"}, **TAGGED
    ),
    "global shortcut": lambda bot: bot.interact("shortcut", settle=False, callback_id="ask_package", trigger_id="14.7"),
    "form": lambda bot: bot.submit(
        {"type": "modal", "callback_id": FORM, "private_metadata": TOLD}, {"what": {"value": LABEL}}, settle=False
    ),
    "evidence": lambda bot: bot.press("show_evidence", **pressed("show_evidence")),
    "page of evidence": lambda bot: bot.interact("block_actions", settle=False, **on_view("evidence_next", "d-1:1")),
    "ask again": lambda bot: bot.press("ask_again", **pressed("ask_again")),
    "hand over": lambda bot: bot.press("hand_over", **pressed("hand_over")),
    "was this right": lambda bot: bot.press("was_right", **pressed("was_right")),
    "verdict": lambda bot: bot.submit(
        {"type": "modal", "callback_id": VERDICT_FORM, "private_metadata": JUDGED}, RIGHT, settle=False
    ),
    "home": lambda bot: bot.event(OPENED, event_id="Ev7", settle=False),
    "home refresh": lambda bot: bot.interact("block_actions", settle=False, **on_view("home_refresh", "refresh")),
    "home ask": lambda bot: bot.interact("block_actions", settle=False, **on_view("home_ask", "ask")),
}


@pytest.mark.parametrize("entry", ENTRIES)
async def test_ten_deliveries_have_the_effect_of_one(entry, start):
    """As many messages, edits, forms, files and questions; every one of the ten is acknowledged."""
    effects = []
    for times in (1, 10):
        bot = await start()
        bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
        before = _effect(bot)
        found = await asyncio.gather(*(ENTRIES[entry](bot) for _ in range(times)))
        await bot.settle()
        assert {response.status_code for response in found} == {200}
        effects.append(_effect(bot) - before)
    assert effects[0] == effects[1]
    assert sum(effects[0].values()) > 0


def _effect(bot):
    """Edits of a progress message may fall together, so they are not counted."""
    done = Counter(call.method for call in bot.slack.calls if call.method.startswith(("chat.post", "views.", "files.")))
    done["whisper"] = len(bot.slack.whispers)
    done["question"] = len(bot.answer.questions)
    return done
