"""The store in a box: METRC, POS and Slack stand-ins on loopback, and the real bot in front of them."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bot.app import Bot, SystemClock, opened
from bot.errors import CountlastError, QuestionError
from bot.logs import configure
from bot.model import Posting
from bot.serve import SlackSide, recovering, slack_side, stop_on_signals, ticking
from bot.settings import FacilitySettings, MetrcSettings, PosSettings, Secret, Settings, SlackSettings
from demo.generator import shop
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.scene import SHOWCASE, seeded_shop
from demo.serving import running
from demo.slack import Shortcut, SlackStandIn
from demo.world import SHOP, World
from handlers.entries import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT

BOT_TOKEN: Final = "xoxb-demo"  # noqa: S105 - opens nothing but the stand-in
SIGNING_SECRET: Final = "demo-signing-secret"  # noqa: S105 - the same
CHANNEL: Final = "C0FLOOR"
ZONE: Final = "America/Denver"
FIRST_QUESTION: Final = "package 1A4FF0100000022000001002"
# longer than the bot gives itself
ANSWER_SECONDS: Final = 90.0
# the shop goes on living while the demo runs: its POS exports as often as a real one would
EXPORT_EVERY: Final = timedelta(minutes=10)
# whoever looks around first is not to be interrupted by alerts
QUIET_FIRST: Final = timedelta(minutes=2)
# METRC is not next door
LATENCY_SECONDS: Final = 0.05


# whoever reads it through a pipe wants to see it at once
tell = partial(print, flush=True)


@dataclass(frozen=True)
class Store:
    """The whole store while it runs."""

    world: World
    metrc: MetrcStandIn
    slack: SlackStandIn
    bot: Bot
    side: SlackSide
    page: str
    shown: list[tuple[str, str]]
    """Labels to ask about, each with what was done to the package."""
    seed: int | None = None


async def demo(*, port: int, execute: str | None, seed: int | None = None) -> None:
    """Start the store; ask ``execute`` and stop, or ask one question and stay until Ctrl-C or SIGTERM.

    ``seed`` None: the shop that shows every cause, else the random shop of that seed.
    """
    if execute is not None:
        await _ask_once(execute, seed)
        return
    stop = asyncio.Event()
    stop_on_signals(stop)
    await _stay(port, stop, seed)


async def _ask_once(line: str, seed: int | None) -> None:
    command, text = _split(line)
    async with store(seed=seed) as running_store:
        tell(await ask(running_store, text, command))


async def _stay(port: int, stop: asyncio.Event, seed: int | None) -> None:
    try:
        async with store(port=port, seed=seed) as running_store, asyncio.TaskGroup() as group:
            showing = group.create_task(_show(running_store))
            group.create_task(ticking(running_store.bot, stop, QUIET_FIRST))
            await stop.wait()
            showing.cancel()
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        raise QuestionError(f"port {port} is taken; name another one with --port, or 0 for any free one") from None


@asynccontextmanager
async def store(
    *, port: int = 0, now: datetime | None = None, latency: float = LATENCY_SECONDS, seed: int | None = None
) -> AsyncIterator[Store]:
    """The store, all in this process, with the bot reached over signed HTTP as Slack would.

    ``now`` stops the clock of the shop, of METRC and of the bot; ``latency`` is METRC's, in seconds.
    ``seed``: a random shop instead of the one that shows every cause.
    """
    clock = SystemClock(now)
    world, shown = _shop(clock.now(), seed)
    metrc = MetrcStandIn(world, clock, latency=latency)
    slack = SlackStandIn(
        signing_secret=SIGNING_SECRET,
        bot_token=BOT_TOKEN,
        suggestions=[(f"package {label}", hint) for label, hint in shown],
        shortcuts=(
            Shortcut(MESSAGE_SHORTCUT, "Why is this missing?", "message"),
            Shortcut(GLOBAL_SHORTCUT, "Ask about a package"),
        ),
    )
    with tempfile.TemporaryDirectory(prefix="countlast-demo-") as name:
        folder = Path(name)
        async with running(metrc.asgi) as metrc_url, slack.serving(port=port) as page:
            settings = replace(_settings(folder, metrc_url, f"{page}/api/"), fixed_now=now)
            configure(settings)
            write_books(world, settings.facilities[0].pos.directory, world.now)
            async with opened(settings) as bot, slack_side(bot) as side, running(side.web) as bot_url:
                slack.app_url = f"{bot_url}/slack/events"
                beside = (
                    asyncio.create_task(_export(world, settings.facilities[0].pos.directory)),
                    asyncio.create_task(recovering(side.unfinished, asyncio.Event())),
                )
                try:
                    yield Store(world, metrc, slack, bot, side, page, shown, seed)
                finally:
                    for task in beside:
                        task.cancel()
                    await asyncio.wait(beside)


def _shop(now: datetime, seed: int | None) -> tuple[World, list[tuple[str, str]]]:
    if seed is None:
        return seeded_shop(now), SHOWCASE
    random_shop = shop(seed, now=now, zone=ZONE, posting=Posting.BATCH.value, faulty=5)
    return random_shop.world, [(truth.label, truth.hint) for truth in random_shop.truths]


def _settings(folder: Path, metrc_url: str, slack_api: str) -> Settings:
    for name, key in (("vendor", "demo-vendor-key"), ("user", "demo-user-key")):
        (folder / name).write_text(key, encoding="utf-8")
    (folder / "pos").mkdir()
    metrc = MetrcSettings(
        metrc_url, Secret(f"file:{folder / 'vendor'}"), Secret(f"file:{folder / 'user'}"), window_hours=24 * 60
    )
    facility = FacilitySettings(
        license=SHOP,
        name="Harbor Street",
        time_zone=ZONE,
        metrc=metrc,
        pos=PosSettings("csv", folder / "pos", Posting.BATCH),
        channel=CHANNEL,
        approvers=("U0DANA", "U0LEE"),
        contact="U0DANA",
        act=True,
    )
    return Settings(
        (facility,),
        slack=SlackSettings(BOT_TOKEN, SIGNING_SECRET, None, slack_api),
        database_url=f"sqlite+aiosqlite:///{folder / 'countlast.db'}",
        log_level="warning",
        dev=True,
    )


async def _export(world: World, folder: Path) -> None:
    while True:
        await asyncio.sleep(EXPORT_EVERY.total_seconds())
        await asyncio.to_thread(write_books, world, folder, datetime.now(UTC))


def _split(line: str) -> tuple[str, str]:
    """``/reconcile package X`` → the command and its text."""
    command, _, text = line.strip().partition(" ")
    if not command.startswith("/") or len(command) < 2:
        raise QuestionError(f"--exec is {line!r}; accepted: a slash command, for example '/reconcile {FIRST_QUESTION}'")
    return command, text


async def ask(running_store: Store, text: str, command: str = "/reconcile", user: str = "U0DANA") -> str:
    """Send one command, wait until the bot has said all it has to say, and return that as text."""
    slack = running_store.slack
    before = {message.ts for message in slack.messages(CHANNEL)}
    whispered, forms = len(slack.ephemerals(user)), len(slack.workspace.stack(user))
    result = await slack.command(text, command=command, channel=CHANNEL, user=user)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await running_store.side.work.idle()
    except TimeoutError:
        raise CountlastError(f"The bot did not answer within {ANSWER_SECONDS:.0f} s.") from None
    parents = [m.ts for m in slack.messages(CHANNEL) if m.ts not in before and not m.is_reply]
    said = [slack.thread_as_text(CHANNEL, ts) for ts in parents]
    said += [f"(only visible to you) {slack.message_as_text(m)}" for m in slack.ephemerals(user)[whispered:]]
    said += [f"(a form, open before you)\n{slack.modal_as_text(view)}" for view in slack.workspace.stack(user)[forms:]]
    return "\n\n".join([*said, f"(acknowledged in {result.ack_seconds * 1000:.0f} ms)"])


async def _show(running_store: Store) -> None:
    """Ask one question, and tell what else there is and where to look."""
    seeded = "" if running_store.seed is None else f" --seed {running_store.seed}"
    first = f"package {running_store.shown[0][0]}" if seeded else FIRST_QUESTION
    tell(await ask(running_store, first))
    tell(f"\nThings to try (type them on the page, or with: countlast demo{seeded} --exec '/reconcile package LABEL')")
    for label, hint in running_store.shown:
        tell(f"  {label}  {hint}")
    tell("\nWho asks cannot approve: on the page, ask as Dana Orrin, then become Lee Marsh and press the red button.")
    tell(f"The workspace page: {running_store.page}/  (Ctrl-C stops everything)")
