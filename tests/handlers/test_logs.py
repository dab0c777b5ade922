"""No secret reaches a log line, whoever logs it and however it is written."""

import base64
import io
import json
import logging
from dataclasses import replace
from urllib.parse import quote, quote_plus, urlencode

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import configure
from bot.redact import REPLACEMENT, Redactor, forms
from tests.handlers.conftest import FakeAnswer, signed
from tests.handlers.values import BOT_TOKEN, LABEL, SIGNING_SECRET, settings

CANARY = "k3y/with+odd=\"chars'&ä"


@pytest.fixture
def log_to():
    """Configure logging into a buffer; everything is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: logging.getLogger(name).level for name in ("slack_bolt", "slack_sdk", "httpx", "httpcore", "asyncio")
    }

    def _configure(form="console", level_name="debug"):
        stream = io.StringIO()
        configure(replace(settings(), log_format=form, log_level=level_name), stream)
        return stream

    yield _configure
    root.handlers, root.level = handlers, level
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    structlog.reset_defaults()


@given(st.text(min_size=4, max_size=40))
def test_every_form_of_a_secret_is_taken_out(secret):
    """As it is, URL-encoded, in base64, and inside JSON."""
    redact = Redactor(lambda: [secret])
    encoded = secret.encode()
    for form in (secret, quote(encoded), quote_plus(encoded), base64.b64encode(encoded).decode(), json.dumps(secret)):
        if len(form.strip('"')) >= 4:
            assert secret not in redact(f"before {form} after").replace(REPLACEMENT, "")
    assert secret in set(forms(secret))


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("token xoxb-1-2-abc failed", "xoxb-1-2-abc"),
        ("xoxe.xoxb-1-refresh", "xoxb-1-refresh"),
        ("xapp-1-A-b", "xapp-1-A-b"),
        ("Authorization: Basic dmVuZG9yOnVzZXI=", "dmVuZG9yOnVzZXI"),
        ("Authorization: Bearer abcdefgh", "abcdefgh"),
        ("POST https://hooks.slack.com/commands/T1/2/abc", "commands/T1"),
        ("body: a=1&response_url=http%3A%2F%2F127.0.0.1%2Fr%2F9&b=2", "127.0.0.1"),
        ('{"response_url":"http:\\/\\/127.0.0.1\\/r\\/9","x":1}', "127.0.0.1"),
        ("{'response_url': 'http://127.0.0.1/r/9'}", "127.0.0.1"),
        ("payload=%7B%22response_url%22%3A%22http%3A%2F%2F127.0.0.1%2Fr%22%7D", "127.0.0.1"),
        ("token=gIkuvaNzQIHg97ATvDxqgjtO&team_id=T1", "gIkuvaNzQIHg97ATvDxqgjtO"),
        ('{"token": "gIkuvaNzQIHg97ATvDxqgjtO"}', "gIkuvaNzQIHg97ATvDxqgjtO"),
        (f"signature: v0={'ab' * 32}", "ab" * 32),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(line, secret):
    """Without knowing its value; the rest of the line stays."""
    clean = Redactor(list)(line)
    assert secret not in clean
    assert REPLACEMENT in clean


def test_plain_sentences_are_left_alone():
    """Redaction does not eat what people need to read."""
    for line in ("the token is missing", "package 1A4FF0100000022000001002 has 18 Each", "Basic rules", "a basic idea"):
        assert Redactor(lambda: ["", "abc"])(line) == line


@pytest.mark.parametrize("form", ["console", "json"])
def test_messages_fields_and_tracebacks_are_redacted(log_to, form, monkeypatch):
    """Whether structlog or the standard library wrote them, and whatever locals a traceback could show."""
    monkeypatch.setattr("bot.settings.Settings.secrets", lambda self: (CANARY,))
    stream = log_to(form)

    def fail(key):
        raise ValueError(f"refused {key}")

    structlog.get_logger("a").info("asked", key=CANARY, nested={"deep": [CANARY]})
    logging.getLogger("b").info("asked %s", CANARY, extra={"key": CANARY})
    try:
        fail(CANARY)
    except ValueError:
        logging.getLogger("c").exception("failed")
        structlog.get_logger("d").exception("failed")
    written = stream.getvalue()
    assert written.count("asked") == 2
    assert written.count("ValueError: refused [redacted]") == 2
    for shape in forms(CANARY):
        assert shape not in written
    if form == "json":
        assert {json.loads(line)["level"] for line in written.splitlines()} == {"info", "error"}


def test_a_renewed_key_is_redacted_at_once(log_to, monkeypatch):
    """The secrets are read for each line, not once."""
    current = ["old-key-1234"]
    monkeypatch.setattr("bot.settings.Settings.secrets", lambda self: tuple(current))
    stream = log_to()
    logging.getLogger("a").info("old-key-1234")
    current[0] = "new-key-5678"
    logging.getLogger("a").info("new-key-5678")
    assert "key-" not in stream.getvalue()


def test_libraries_stay_quiet(log_to):
    """Their INFO and DEBUG lines hold bodies and license numbers."""
    stream = log_to(level_name="debug")
    for name in ("httpx", "httpcore.http11", "slack_sdk.web.async_base_client", "slack_bolt.AsyncApp"):
        logging.getLogger(name).info("licenseNumber=402R-X0042")
    logging.getLogger("handlers").debug("seen")
    assert "402R" not in stream.getvalue()
    assert "seen" in stream.getvalue()


async def test_a_whole_day_at_debug_leaves_no_secret_behind(log_to, start):
    """Good, bad, failing and forged requests, with every library as talkative as it can be."""
    stream = log_to(level_name="debug")
    for name in ("slack_bolt", "slack_sdk", "httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    bot = await start(answer=FakeAnswer(error=RuntimeError(f"refused {SIGNING_SECRET}")))
    await bot.command(f"package {LABEL}")
    await bot.press("unknown")
    bot.slack.errors["chat.postMessage"].append("invalid_auth")
    bot.slack.whisper_statuses.append(500)
    await bot.command(f"package {LABEL}")
    body = urlencode(bot.payload("help"))
    await bot.deliver(body, signature="v0=" + "0" * 64)
    good = signed(body)["X-Slack-Signature"]
    bot.app.logger.info("Invalid request signature detected (signature: %s, body: %s)", good, body)
    written = stream.getvalue()
    assert "unexpected error" in written
    assert "Invalid request signature" in written
    assert urlencode({"response_url": bot.slack.response_url}) not in written
    for secret in (BOT_TOKEN, SIGNING_SECRET, "planted-deprecated-token", good):
        for shape in forms(secret):
            assert shape not in written
