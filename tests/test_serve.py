"""The running bot: it starts, says how it is, answers over both transports, and ends in order."""

import asyncio
import os
import re
import signal
import socket
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import pytest

from bot.app import Bot
from bot.errors import StorageError
from bot.serve import slack_side
from bot.settings import SlackSettings
from demo.scene import seeded_shop
from demo.slack import SlackStandIn
from tests.in_process import countlast
from tests.loopback import ROOT, Shop, shop_on_loopback
from tests.store import opened_store, settings

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
LABEL = "1A4FF0100000022000002002"
BOT_TOKEN, SIGNING_SECRET, APP_TOKEN = "xoxb-demo", "demo-signing-secret", "xapp-1-demo"


@pytest.fixture(scope="module")
def running_shop(tmp_path_factory):
    with shop_on_loopback(seeded_shop(NOW), tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
async def slack():
    stand_in = SlackStandIn(signing_secret=SIGNING_SECRET, bot_token=BOT_TOKEN, app_token=APP_TOKEN)
    async with stand_in.serving():
        yield stand_in


@dataclass
class Program:
    """``countlast run`` in a process of its own, listening."""

    process: asyncio.subprocess.Process
    url: str
    slack: SlackStandIn

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"{self.url}{path}")

    async def end(self, name: signal.Signals = signal.SIGTERM, *, seconds: float = 8) -> tuple[int, str]:
        """Send the signal; exit status and what was still written to stderr."""
        self.process.send_signal(name)
        async with asyncio.timeout(seconds):
            _, err = await self.process.communicate()
        return self.process.returncode, err.decode()


def environment(shop: Shop, slack: SlackStandIn, **more: str) -> dict[str, str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | shop.env
    env |= {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_SIGNING_SECRET": SIGNING_SECRET}
    return env | {"SLACK_API_URL": f"{slack.base_url}/api/", "COUNTLAST_LISTEN": "127.0.0.1:0"} | more


async def launched(shop: Shop, slack: SlackStandIn, **more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run",
        cwd=shop.folder, env=environment(shop, slack, **more), stdout=-1, stderr=-1,
    )  # fmt: skip


@pytest.fixture
async def start(running_shop, slack):
    """Starts bots with the variables that are given; none of them outlives its test."""
    started = []
    running_shop.world.recover()

    async def _start(**more: str) -> Program:
        process = await launched(running_shop, slack, **more)
        started.append(process)
        async with asyncio.timeout(20):
            line = (await process.stderr.readline()).decode()
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        assert found, line
        url = f"http://127.0.0.1:{found[1]}"
        slack.app_url = f"{url}/slack/events"
        return Program(process, url, slack)

    yield _start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def thread_text(slack: SlackStandIn) -> str:
    parents = [message for message in slack.messages() if not message.is_reply]
    return "\n".join(slack.thread_as_text(message.channel, message.ts) for message in parents)


async def answered(slack: SlackStandIn) -> None:
    await slack.wait_for(lambda message: "was posted to METRC twice" in message.text, timeout=20)


async def test_over_http_it_answers_tells_how_it_is_and_ends(start, running_shop):
    """Signed commands are answered in a thread, the health pages answer, and SIGTERM ends it with status 0."""
    bot = await start()
    assert (await bot.get("/healthz")).text == "ok"
    ready = await bot.get("/readyz")
    assert (ready.status_code, ready.text) == (200, "ready")
    result = await bot.slack.command(f"package {LABEL}")
    assert result.acked
    await answered(bot.slack)
    numbers = (await bot.get("/metrics")).text
    assert 'countlast_answers_total{cause="duplication"} 1.0' in numbers
    assert await bot.end() == (0, "")


async def test_over_socket_mode_it_answers_and_ends(start):
    """Ready once the socket stands; no signing secret is needed; the command's answer comes in a thread."""
    bot = await start(SLACK_APP_TOKEN=APP_TOKEN, SLACK_SIGNING_SECRET="")
    async with asyncio.timeout(10):
        while (await bot.get("/readyz")).status_code != 200:
            pass
    assert bot.slack.socket.is_connected
    result = await bot.slack.command(f"package {LABEL}")
    assert result.acked
    await answered(bot.slack)
    assert 'countlast_ack_seconds_count{transport="socket"} 1.0' in (await bot.get("/metrics")).text
    code, err = await bot.end(signal.SIGINT)
    assert code == 0
    assert not re.search(r"Traceback|\[error|\[warning", err)
    assert not bot.slack.socket.is_connected


async def test_a_question_under_way_is_answered_before_the_end(start, running_shop):
    """A deploy in the middle of a question costs nobody an answer."""
    bot = await start()
    running_shop.world.slow(0.3)
    assert (await bot.slack.command(f"package {LABEL}")).acked
    assert await bot.end() == (0, "")
    assert "was posted to METRC twice" in thread_text(bot.slack)


async def listens(bot: Program) -> bool:
    try:
        await bot.get("/healthz")
    except httpx.TransportError:
        return False
    return True


async def test_a_second_signal_ends_at_once(start, running_shop):
    """Whoever presses Ctrl-C twice means it, and sees no traceback."""
    bot = await start()
    running_shop.world.slow(5)
    assert (await bot.slack.command(f"package {LABEL}")).acked
    await bot.slack.wait_for(lambda message: message.is_reply)
    bot.process.send_signal(signal.SIGINT)
    while await listens(bot):
        pass
    code, err = await bot.end(signal.SIGINT, seconds=5)
    assert (code, err) == (-signal.SIGINT, "")


async def test_a_port_that_is_taken_is_one_sentence(running_shop, slack):
    """Told at the start, before Slack is asked anything."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await launched(running_shop, slack, COUNTLAST_LISTEN=address)
        _, err = await process.communicate()
    sentence = f"COUNTLAST_LISTEN is {address}, which cannot be listened on: Address already in use\n"
    assert (process.returncode, err.decode()) == (2, sentence)


async def refused(shop: Shop, slack: SlackStandIn, **more: str) -> tuple[int, str]:
    """A start in this process that comes to nothing: exit status and stderr; it has an event loop of its own."""
    code, _, err = await asyncio.to_thread(countlast, shop.folder, environment(shop, slack, **more), "run")
    return code, err


async def test_an_address_that_is_not_ours_is_one_sentence(running_shop, slack):
    """A host that does not exist, an address of somebody else."""
    for address in ("no-such-host.invalid:3000", "203.0.113.7:3000"):
        code, err = await refused(running_shop, slack, COUNTLAST_LISTEN=address)
        assert code == 2
        assert err.startswith(f"COUNTLAST_LISTEN is {address}, which cannot be listened on: ")
        assert err.count("\n") == 1


async def test_every_missing_slack_variable_is_named(running_shop, slack):
    """All of them at once, exit 2."""
    code, err = await refused(running_shop, slack, SLACK_BOT_TOKEN="", SLACK_SIGNING_SECRET="")
    assert code == 2
    assert err.splitlines() == [
        "SLACK_BOT_TOKEN is not set: countlast run needs it to talk to Slack",
        "SLACK_SIGNING_SECRET is not set: countlast run needs it to talk to Slack",
    ]


class Unreachable:
    """Books whose database went away."""

    def __init__(self, books):
        self._books = books

    def __getattr__(self, name):
        return getattr(self._books, name)

    async def ping(self):
        raise StorageError("The database shop.db cannot be used: disk I/O error.")


@pytest.fixture
async def wired(tmp_path):
    """The bot in this process, and what changes in it."""
    world = seeded_shop(NOW)
    slack = SlackSettings(BOT_TOKEN, SIGNING_SECRET, None, "http://slack.test/api/")
    config = replace(settings(tmp_path, now=NOW), slack=slack)
    async with opened_store(world, tmp_path, config) as (bot, _):
        yield bot


async def ready(bot: Bot) -> tuple[int, str]:
    async with slack_side(bot) as side:
        transport = httpx.ASGITransport(side.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
            assert (await client.get("/healthz")).status_code == 200
            answer = await client.get("/readyz")
    return answer.status_code, answer.text


async def test_without_its_database_it_is_alive_and_not_ready(wired):
    """Restarting would not help, so only readiness says so, in a sentence."""
    assert await ready(wired) == (200, "ready")
    broken = replace(wired, books=Unreachable(wired.books))
    assert await ready(broken) == (503, "The database shop.db cannot be used: disk I/O error.")


async def test_over_socket_mode_it_is_not_ready_before_the_socket_stands(wired):
    """Every problem is told, one on a line; over HTTP there is no socket to miss."""
    config = replace(wired.settings, slack=replace(wired.settings.slack, app_token=APP_TOKEN))
    broken = replace(wired, settings=config, books=Unreachable(wired.books))
    assert await ready(broken) == (
        503,
        "the socket to Slack is not connected yet\nThe database shop.db cannot be used: disk I/O error.",
    )
