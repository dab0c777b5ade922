"""Whatever is delivered, signed and torn in any way: it is acknowledged or refused, and nothing breaks."""

import asyncio
import copy
import json
import logging
import random
from urllib.parse import urlencode

from handlers.render.form import FORM
from handlers.render.verdict import VERDICT_FORM
from tests.handlers.test_follow_ups import button, pressed
from tests.handlers.values import DOUBLE_RECEIPT, LABEL

MESSAGE = {"ts": "1690000000.000200", "text": f"{LABEL} and sale POS-1 are gone"}
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

ROUNDS = 12
JUNK = (
    *(None, True, 0, -1, 1e308, "", " ", "\x00", "\ud800", "`", "<!channel>", "=1+1", "a" * 5000, "\u202e", "½²٣"),
    *([], {}, [[]], [None], {"": None}, {"value": {}}, {"id": []}, ["<@U0BOT>"], {"selected_option": "x"}),
    *(f"package {LABEL} at ", "manifest", "sale \x00", f"{LABEL}\t19\tEach\t{LABEL[:-1]}3", "at at at", "1a4.com/"),
)
PERSON = {"team": {"id": "T0DEMO"}, "user": {"id": "U0DANA", "team_id": "T0DEMO"}, "trigger_id": "14.1"}
PRESSED = {"type": "block_actions", "channel": {"id": "C0FLOOR"}, **PERSON}
IN_VIEW = {"type": "block_actions", "container": {"type": "view"}, "view": {"type": "modal", "id": "V1"}, **PERSON}
ACTIONS = (
    *("show_evidence", "ask_again", "hand_over", "was_right", "causes_next", "remove_duplicate", "decline_removal"),
    *("withdraw_removal", "check_removal", "abandon_removal", "acknowledge_alert", "snooze_alert_hour", "unknown"),
)


def bodies():
    """One good payload of each kind."""
    for action_id in ACTIONS:
        yield {**PRESSED, **pressed(action_id)}
    for action_id in ("evidence_next", "home_refresh", "home_ask"):
        yield {**IN_VIEW, "actions": [button(action_id, "d-1:1")]}
    values = {"what": {"what": {"value": LABEL}}, "shelf": {"shelf": {"value": "3"}}, "shop": {"shop": {}}}
    for form, told, state in ((FORM, TOLD, values), (VERDICT_FORM, JUDGED, {"right": RIGHT}), ("other", "", {})):
        view = {"type": "modal", "id": "V1", "callback_id": form, "private_metadata": told, "state": {"values": state}}
        yield {"type": "view_submission", "view": view, **PERSON}
    yield {
        "type": "message_action",
        "callback_id": "why_missing",
        "channel": {"id": "C0FLOOR"},
        "message": MESSAGE,
        **PERSON,
    }
    yield {"type": "shortcut", "callback_id": "ask_package", **PERSON}


def events():
    mention = {
        "type": "app_mention",
        "user": "U0DANA",
        "text": f"<@U0BOT> {LABEL}",
        "ts": "1690000000.000900",
        "channel": "C0FLOOR",
    }
    for number, event in enumerate((mention, DIRECT, OPENED)):
        yield {"type": "event_callback", "team_id": "T0DEMO", "event_id": f"Ev{number}", "event": event}


def torn(payload, rng):
    """The payload with a few of its parts replaced by junk, or gone; what says which kind it is stays."""
    payload = copy.deepcopy(payload)
    for _ in range(rng.randint(1, 3)):
        spots = [spot for spot in _spots(payload) if spot[1] not in {"type", "callback_id", "action_id"}]
        holder, key = rng.choice(spots)
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = rng.choice(JUNK)
    return payload


def _spots(value):
    """Every place in it."""
    if isinstance(value, dict):
        return [(value, key) for key in value] + [spot for each in value.values() for spot in _spots(each)]
    if isinstance(value, list):
        return [(value, at) for at in range(len(value))] + [spot for each in value for spot in _spots(each)]
    return []


async def test_torn_payloads_break_nothing(start, caplog):
    """Presses, forms, shortcuts and events; Bolt's own reading of a torn envelope may fail, ours never."""
    rng, bot = random.Random(4), await start()  # noqa: S311 - a seed, not a secret
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    caplog.set_level(logging.ERROR)
    sent = [(urlencode({"payload": json.dumps(torn(body, rng))}), None) for body in bodies() for _ in range(ROUNDS)]
    sent += [(json.dumps(torn(event, rng)), "application/json") for event in events() for _ in range(4 * ROUNDS)]
    for text, kind in sent:
        response = await bot.deliver(text, **({"content_type": kind} if kind else {}))
        assert response.status_code in {200, 400, 404, 500, 503}, text
    await asyncio.sleep(0)
    await bot.settle()
    # a link to a torn time stamp is none of Slack's
    bot.slack.faults[:] = [fault for fault in bot.slack.faults if "/archives/" not in fault]
    ours = [record for record in caplog.records if record.name.startswith(("handlers", "bot"))]
    assert [record.getMessage() for record in ours] == []
    assert [record.getMessage() for record in caplog.records if "handlers/" in (record.exc_text or "")] == []


async def test_texts_that_ask_nothing_reach_neither_metrc_nor_a_channel(start, caplog):
    """Typed, mentioned, written to the bot or into the form; each is answered, to who wrote it alone."""
    rng, bot = random.Random(5), await start(questions_per_minute=10_000)  # noqa: S311
    caplog.set_level(logging.ERROR)
    letters = "abc xyz ,.;:!?'\"`´“”‘’–—-_*~<>&()[]{}|/\\\t\n\u200b\u200d\u202e\u00a0ßéñ漢字🙂"
    form = {"type": "modal", "callback_id": FORM, "private_metadata": TOLD}
    for number in range(150):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(1, 60)))
        await bot.command(text, settle=False)
        await bot.event(
            {
                "type": "app_mention",
                "user": "U0DANA",
                "text": f"<@U0BOT> {text}",
                "ts": "1690000000.000900",
                "channel": "C0FLOOR",
            },
            event_id=f"Ev{number}",
            settle=False,
        )
        if number % 10 == 0:
            answer = await bot.submit(form, {"what": {"value": text}}, settle=False)
            assert "errors" in answer.text
    await bot.settle()
    assert bot.answer.questions == []
    assert bot.slack.posts() == []
    assert [record.getMessage() for record in caplog.records] == []
