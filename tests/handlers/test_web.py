"""Only what Slack signed gets in, and a supervisor can see how the bot is."""

import json
import random
import time
from urllib.parse import urlencode

import pytest

from handlers.web import BODY_LIMIT, Gate
from tests.handlers.conftest import signed
from tests.handlers.values import LABEL

STAMP = str(1531420618)


def now(offset: int = 0) -> str:
    return str(int(time.time()) + offset)


@pytest.mark.parametrize("offset", [-290, 0, 290])
async def test_a_fresh_signature_gets_in(bot, offset):
    """Five minutes to either side are forgiven, for clocks differ."""
    response = await bot.deliver(urlencode(bot.payload("help")), timestamp=now(offset))
    assert response.status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": -301},
        {"offset": 310},
        {"timestamp": "soon"},
        {"timestamp": "1e9"},
        {"timestamp": "-1"},
        {"timestamp": "9" * 5000},
        {"timestamp": "１７００００００００".encode()},
        {"signature": "v0=" + "0" * 64},
        {"signature": "v0=é".encode()},
        {"signature": ""},
        {"signature": None},
    ],
)
async def test_a_stale_forged_or_senseless_signature_is_refused(bot, changes):
    """401, and nothing happens."""
    body = urlencode(bot.payload(f"package {LABEL}"))
    headers = signed(body)
    names = {"timestamp": "X-Slack-Request-Timestamp", "signature": "X-Slack-Signature"}
    for name, value in changes.items():
        stamp = now(value) if name == "offset" else value
        if name != "signature" and isinstance(stamp, str):
            headers = signed(body, timestamp=stamp)
        headers[names.get(name, names["timestamp"])] = stamp
    headers = {name: value for name, value in headers.items() if value is not None}
    response = await bot.http.post("/slack/events", content=body, headers=headers)
    assert response.status_code == 401
    await bot.settle()
    assert bot.answer.questions == []
    assert bot.slack.whispers == []


async def test_a_request_without_a_time_is_refused(bot):
    """The header is not optional."""
    body = urlencode(bot.payload("help"))
    headers = signed(body)
    del headers["X-Slack-Request-Timestamp"]
    assert (await bot.http.post("/slack/events", content=body, headers=headers)).status_code == 401


async def test_one_changed_byte_is_refused(bot):
    """The signature is over the raw body."""
    body = urlencode(bot.payload(f"package {LABEL}"))
    response = await bot.http.post("/slack/events", content=body + "&", headers=signed(body))
    assert response.status_code == 401


class ClockOf2018:
    def now(self):
        return 1531420618.0


def test_slacks_published_example_is_genuine():
    """The vector of Slack's documentation, with a clock of its time."""
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    gate = Gate("8f742231b10e8888abcd99yyyzzz85a5")
    gate._verifier.clock = ClockOf2018()
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert gate.lets_in(body.encode(), STAMP, signature)
    assert not gate.lets_in(body.encode() + b" ", STAMP, signature)


def test_ten_thousand_guesses_and_an_empty_secret_let_nobody_in():
    """No random header is taken, none raises, and without a secret there is no way in."""
    dice = random.Random(7)  # noqa: S311 - guesses, not keys
    gate, closed = Gate("secret"), Gate("")
    for _ in range(10_000):
        signature = "v0=" + "".join(dice.choice("0123456789abcdef") for _ in range(64))
        stamp = dice.choice([now(), now(-10), "", "x", "0", "٣"])
        assert not gate.lets_in(b"text=help", stamp, signature)
        assert not closed.lets_in(b"text=help", stamp, signature)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{not json", "application/json"),
        ("[1, 2]", "application/json"),
        ("payload=%7Bnot", "application/x-www-form-urlencoded"),
        ("payload=1", "application/x-www-form-urlencoded"),
    ],
)
async def test_signed_nonsense_is_refused_without_a_crash(bot, body, content_type):
    """A body that cannot be read is the sender's fault, not ours."""
    response = await bot.deliver(body, content_type=content_type)
    assert response.status_code == 400


async def test_bytes_that_are_no_text_are_refused(bot):
    """Slack sends UTF-8 only."""
    headers = signed("x")
    assert (await bot.http.post("/slack/events", content=b"\xff\xfe", headers=headers)).status_code == 401


async def test_a_body_larger_than_slack_sends_is_refused(bot):
    """413, whether the length is announced or only shows while reading; just below it is read."""

    async def drip():
        for _ in range(BODY_LIMIT // 100_000 + 1):
            yield b"x" * 100_000

    big = b"x" * (BODY_LIMIT + 1)
    assert (await bot.http.post("/slack/events", content=big)).status_code == 413
    assert (await bot.http.post("/slack/events", content=drip())).status_code == 413
    assert (await bot.http.post("/slack/events", content=big[:-1])).status_code == 401


async def test_slacks_address_check_is_answered(bot):
    """The challenge comes back."""
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "t"})
    response = await bot.deliver(body, content_type="application/json")
    assert (response.status_code, response.json()) == (200, {"challenge": "abc"})


async def test_an_event_nobody_asked_for_is_acknowledged(bot):
    """It would be delivered three times more otherwise."""
    body = json.dumps({"type": "event_callback", "team_id": "T0DEMO", "event": {"type": "app_mention", "user": "U1"}})
    assert (await bot.deliver(body, content_type="application/json")).status_code == 200


async def test_alive_and_ready_are_two_things(bot):
    """A bot that cannot answer is alive, and says why it is not ready."""
    assert (await bot.http.get("/healthz")).text == "ok"
    assert (await bot.http.get("/readyz")).status_code == 200
    bot.problems.append("the database cannot be reached")
    ready = await bot.http.get("/readyz")
    assert (ready.status_code, ready.text) == (503, "the database cannot be reached")
    assert (await bot.http.get("/healthz")).status_code == 200


async def test_numbers_are_counted(bot):
    """Commands, answers by cause, and how long Slack waited."""
    await bot.command(f"package {LABEL}")
    numbers = (await bot.http.get("/metrics")).text
    assert "countlast_commands_total 1.0" in numbers
    assert 'countlast_answers_total{cause="duplication"} 1.0' in numbers
    assert 'countlast_ack_seconds_count{transport="http"} 1.0' in numbers
    assert "countlast_questions_running 0.0" in numbers
    assert LABEL not in numbers


async def test_only_the_four_routes_exist(bot):
    """There is nothing else to find."""
    assert (await bot.http.get("/slack/events")).status_code == 405
    assert (await bot.http.get("/")).status_code == 404
    assert (await bot.http.post("/slack/install")).status_code == 404
