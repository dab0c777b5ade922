"""The same bot over Socket Mode."""

import asyncio

import pytest

from handlers.socket import SocketLink, run_socket
from tests.handlers.conftest import FakeAnswer
from tests.handlers.values import APP_TOKEN, LABEL


@pytest.fixture
async def connected(start, slack):
    """A bot whose socket stands; ``stop`` ends it."""
    bot = await start(answer=FakeAnswer(gate=asyncio.Event()))
    stop, link = asyncio.Event(), SocketLink()
    running = asyncio.create_task(
        run_socket(
            bot.app, APP_TOKEN, stop=stop, link=link, metrics=bot.services.metrics, look_every=0.005, ping_interval=0.05
        )
    )
    await slack.until(lambda fake: fake.sockets)
    yield bot, stop, link, running
    stop.set()
    async with asyncio.timeout(5):
        await running


async def test_an_envelope_is_acknowledged_while_the_answer_still_blocks(connected):
    """The ack carries the envelope's id and nothing else; the thread follows when the answer is there."""
    bot, _, _, _ = connected
    envelope = {
        "envelope_id": "e-1",
        "type": "slash_commands",
        "accepts_response_payload": True,
        "payload": bot.payload(f"package {LABEL}"),
    }
    await bot.slack.sockets[0].send_json(envelope)
    await bot.slack.until(lambda fake: fake.acks)
    assert bot.slack.acks == [{"envelope_id": "e-1"}]
    bot.answer.gate.set()
    await bot.slack.until(lambda fake: len(fake.posts()) == 4)
    numbers = bot.services.metrics.registry
    assert numbers.get_sample_value("countlast_ack_seconds_count", {"transport": "socket"}) == 1


async def test_a_press_comes_through_the_socket_too(connected):
    """Unknown buttons as well, or Slack would wait for an ack that never comes."""
    bot, _, _, _ = connected
    for number, action_id in enumerate(("remove_duplicate", "unknown")):
        payload = {
            "type": "block_actions",
            "user": {"id": "U0DANA"},
            "team": {"id": "T0DEMO"},
            "response_url": bot.slack.response_url,
            "actions": [{"type": "button", "action_id": action_id, "block_id": "b", "action_ts": str(number)}],
        }
        await bot.slack.sockets[0].send_json(
            {"envelope_id": f"p-{number}", "type": "interactive", "accepts_response_payload": False, "payload": payload}
        )
    await bot.slack.until(lambda fake: len(fake.acks) == 2 and len(fake.whispers) == 2)
    assert {ack["envelope_id"] for ack in bot.slack.acks} == {"p-0", "p-1"}


async def test_the_connection_is_asked_for_with_the_app_token(connected):
    """And with nothing else."""
    bot, _, _, _ = connected
    (call,) = [call for call in bot.slack.calls if call.method == "apps.connections.open"]
    assert call.token == f"Bearer {APP_TOKEN}"


async def test_a_lost_connection_is_replaced(connected):
    """Slack renews sockets every few hours."""
    bot, _, link, _ = connected
    await bot.slack.sockets[0].close()
    await bot.slack.until(lambda fake: len(fake.sockets) == 2)
    while link.problems():  # noqa: ASYNC110 - until the next look
        await asyncio.sleep(0.001)


async def test_stopping_closes_the_socket(connected):
    """Slack sees the end, and no delivery is taken after it."""
    bot, stop, _, running = connected
    stop.set()
    async with asyncio.timeout(5):
        await running
    assert bot.slack.sockets[0].closed


async def test_a_slack_that_cannot_be_reached_does_not_keep_the_bot_from_stopping(start, slack):
    """It tries on, is not ready meanwhile, and ends when told to."""
    bot = await start()
    slack.errors["apps.connections.open"].append("invalid_auth")
    stop, link = asyncio.Event(), SocketLink()
    bot.app.client.base_url = "http://127.0.0.1:9/api/"
    running = asyncio.create_task(
        run_socket(bot.app, APP_TOKEN, stop=stop, link=link, metrics=bot.services.metrics, look_every=0.005)
    )
    await asyncio.sleep(0.02)
    assert link.problems() == ("the socket to Slack is not connected yet",)
    stop.set()
    async with asyncio.timeout(5):
        await running


def test_a_short_break_is_no_problem_and_a_long_one_is():
    """Reconnecting takes a moment; only past the patience is the bot not ready."""
    now = [0.0]
    link = SocketLink(patience=30, timer=lambda: now[0])
    assert link.problems() == ("the socket to Slack is not connected yet",)
    link.saw(connected=True)
    assert link.problems() == ()
    link.saw(connected=False)
    now[0] = 29.9
    link.saw(connected=False)
    assert link.problems() == ()
    now[0] = 30.0
    assert link.problems() == ("the socket to Slack has been down for 30 s",)
    link.saw(connected=True)
    assert link.problems() == ()
