"""A thousand commands in flight while METRC takes 3 s a call, beside a bare Bolt app that only acknowledges.

Everybody has a process of their own, as in life: Slack and METRC, the bot, the bare app, and whoever presses return.
Commands come evenly; as each question takes many seconds, all of them are open at the same time before the last has come.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp

from benchmarks.table import Row, Scale

PER_SECOND = 60
FLOOD_PER_SECOND = 60
CALM_PER_SECOND = 20
METRC_SECONDS = 3.0
SECRET = "rush-signing-secret"  # noqa: S105 - signs between these processes only
TOKEN = "xoxb-demo"  # noqa: S105 - opens nothing but the stand-in
MOST_PEOPLE = 2000
MOST_FLOODED = 5000
TRIALS = 10
"""Commands before the clock runs, for what is only loaded when it is needed."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked, and where the asker can be answered privately."""

    url: str
    whisper: str


async def rush(scale: Scale) -> list[Row]:
    """Milliseconds to the acknowledgement: of many at once, and of everybody else while one person floods."""
    async with _child("store") as store:
        urls = json.loads(store)
        async with _child("echo") as bare:
            echoed = await _rushed(Target(bare, urls["whisper"]), scale.rush)
        async with _child("bot", urls["metrc"], urls["slack"]) as bot:
            target = Target(bot, urls["whisper"])
            calm, flooded = await _with_and_without(target, scale.rush // 10, rounds=scale.repeats)
            asked = await _rushed(target, scale.rush)
    asked_in_company = [each for phase in (*calm, *flooded) for each in phase]
    lost = sum(1 for each in (*asked, *asked_in_company) if each is None)
    what = f"acknowledging {scale.rush:,} questions at once"
    return [
        Row(f"{what}, p50", _ms(asked, 50), "ms", _ms(echoed, 50), "a bare Bolt app"),
        Row(f"{what}, p99", _ms(asked, 99), "ms", _ms(echoed, 99), "a bare Bolt app"),
        Row(f"{what}, p99 of 300", _ms(asked, 99), "ms", 300.0, "the limit"),
        Row("others while one person floods, p95", _middle(flooded), "ms", _middle(calm), "without the flood"),
        Row("commands that were not acknowledged", lost, "", len(asked) + len(asked_in_company), "commands"),
    ]


def _ms(seconds: Sequence[float | None], percent: int) -> float:
    known = [each for each in seconds if each is not None]
    return statistics.quantiles(known, n=100, method="inclusive")[percent - 1] * 1000


def _middle(phases: Sequence[Sequence[float | None]]) -> float:
    """The median of the phases' p95, so that one phase in which the machine did something else does not decide."""
    return statistics.median(_ms(phase, 95) for phase in phases)


# --- who presses return -----------------------------------------------------------------------------------------------


async def _rushed(target: Target, count: int) -> list[float | None]:
    async with _session() as session:
        await _evenly(session, target, ["U0TRIAL"] * TRIALS, PER_SECOND)
        return await _evenly(session, target, [f"U{number:06d}" for number in range(count)], PER_SECOND)


async def _with_and_without(
    target: Target, count: int, *, rounds: int
) -> tuple[list[list[float | None]], list[list[float | None]]]:
    """Many people's acknowledgements, in turns without and with one person who sends three times as many commands as all.

    The turns alternate, and whoever is first changes, for what the questions before have left to do grows all the time.
    """
    calm: list[list[float | None]] = []
    flooded: list[list[float | None]] = []
    async with _session() as session:
        await _evenly(session, target, ["U0TRIAL"] * TRIALS, PER_SECOND)
        for turn in range(rounds):
            for is_flooded in (False, True) if turn % 2 == 0 else (True, False):
                others = _evenly(
                    session, target, [f"U{number:06d}" for number in range(count)], CALM_PER_SECOND, off_beat=1.0
                )
                if is_flooded:
                    async with _child("flood", target.url, target.whisper):
                        flooded.append(await others)
                else:
                    calm.append(await others)
    return calm, flooded


async def _flood(url: str, whisper: str) -> None:
    """One person who does not stop; in a process of its own that does next to nothing, for sending is not the bot's cost."""
    address = urlsplit(url)
    requests = [_raw(Target(url, whisper), "U0FLOOD", number) for number in range(MOST_FLOODED)]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    print("flooding", flush=True)
    began = time.perf_counter()
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, began + (number + chance.random()) / FLOOD_PER_SECOND - time.perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)


def _raw(target: Target, person: str, number: int) -> bytes:
    body, headers = _signed(target, person, number)
    lines = {"Host": urlsplit(target.url).netloc, "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /slack/events HTTP/1.1\r\n{head}\r\n".encode() + body


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=60))


async def _evenly(
    session: aiohttp.ClientSession, target: Target, people: Sequence[str], per_second: int, *, off_beat: float = 0.0
) -> list[float | None]:
    """``off_beat``: by how much of the time between two a command may come late; two that keep one beat always meet."""
    began = time.perf_counter()
    chance = random.Random(per_second)  # noqa: S311 - moments, not secrets
    sent = []
    for number, person in enumerate(people):
        due = began + (number + off_beat * chance.random()) / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent.append(asyncio.create_task(_command(session, target, person, number)))
    return list(await asyncio.gather(*sent))


def _signed(target: Target, person: str, number: int) -> tuple[bytes, dict[str, str]]:
    """A command's body and headers."""
    from demo.slack_delivery import signature

    fields = {
        "team_id": "T0DEMO",
        "channel_id": "C0FLOOR",
        "channel_name": "floor",
        "user_id": person,
        "command": "/reconcile",
        "text": f"package 1A4FF01000000220000{number:05d}",
        "response_url": target.whisper,
        # a delivery of its own each time, or it would be taken for a repeat
        "trigger_id": f"{person}.{number}.{time.perf_counter_ns()}",
    }
    body, stamp = urlencode(fields).encode(), str(int(time.time()))
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(SECRET, stamp, body),
    }


async def _command(session: aiohttp.ClientSession, target: Target, person: str, number: int) -> float | None:
    """Seconds to the acknowledgement; None when there was none within Slack's three seconds."""
    body, headers = _signed(target, person, number)
    began = time.perf_counter()
    try:
        async with asyncio.timeout(3), session.post(f"{target.url}/slack/events", data=body, headers=headers) as answer:
            await answer.read()
    except (TimeoutError, aiohttp.ClientError):
        return None
    return time.perf_counter() - began if answer.status == 200 else None


# --- processes --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _child(role: str, *more: str) -> AsyncIterator[str]:
    """What the process says when it is ready. It ends with its input."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.rush", role, *more, stdin=pipe, stdout=pipe
    )
    if process.stdout is None:
        raise AssertionError("a pipe was asked for")
    told = (await process.stdout.readline()).decode().strip()
    if not told:
        raise AssertionError(f"{role} ended with {await process.wait()} before it was ready")
    try:
        yield told
    finally:
        # what is under way would go on for minutes, and nobody waits for it
        process.kill()
        await process.wait()


async def _echo() -> None:
    from bot.settings import Settings, SlackSettings
    from demo.serving import running
    from handlers.bolt import build_bolt
    from handlers.metrics import Metrics
    from handlers.web import build_web

    settings = Settings((), slack=SlackSettings(TOKEN, SECRET, None, "http://127.0.0.1:9/api/"), dev=True)
    app = build_bolt(settings)

    @app.command("/reconcile")
    async def acknowledge(ack) -> None:
        await ack()

    async def ready() -> tuple[str, ...]:
        return ()

    async with running(build_web(app, ready=ready, metrics=Metrics())) as url:
        await _until_the_end(url)


async def _store() -> None:
    from bot.app import SystemClock
    from demo.metrc import MetrcStandIn
    from demo.serving import running
    from demo.slack import SlackStandIn, User
    from demo.world import World

    now = datetime.now(UTC)
    world = World.healthy(now)
    slack = SlackStandIn(signing_secret=SECRET, bot_token=TOKEN)
    for person in ("U0TRIAL", "U0FLOOD", *(f"U{number:06d}" for number in range(MOST_PEOPLE))):
        slack.workspace.users[person] = User(person, person.lower(), person)
    metrc = MetrcStandIn(world, SystemClock(), latency=METRC_SECONDS)
    async with running(metrc.asgi) as metrc_url, slack.serving() as page, running(_hear) as whisper:
        await _until_the_end(json.dumps({"metrc": metrc_url, "slack": f"{page}/api/", "whisper": whisper}))


async def _hear(scope, receive, send) -> None:
    """Slack's end of a private answer."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


async def _bot(metrc_url: str, slack_api: str) -> None:
    from bot.app import opened
    from bot.serve import keep_loaded, slack_side
    from bot.settings import SlackSettings
    from demo.pos import write_books
    from demo.serving import running
    from demo.world import World
    from tests.store import settings

    with tempfile.TemporaryDirectory() as name:
        now = datetime.now(UTC)
        config = settings(Path(name), now=now)
        facility = config.facilities[0]
        config = replace(
            config,
            facilities=(replace(facility, metrc=replace(facility.metrc, base_url=metrc_url, requests_per_second=50)),),
            slack=SlackSettings(TOKEN, SECRET, None, slack_api),
            fixed_now=None,
        )
        world = World.healthy(now)
        write_books(world, facility.pos.directory, now)
        async with opened(config) as bot, slack_side(bot) as side, running(side.web) as url:
            keep_loaded()
            await _until_the_end(url)


async def _until_the_end(told: str) -> None:
    print(told, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run({"echo": _echo, "store": _store, "bot": _bot, "flood": _flood}[sys.argv[1]](*sys.argv[2:]))
