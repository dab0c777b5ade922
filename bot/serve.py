"""Run the bot: the Slack side over HTTP or Socket Mode, its health pages, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import uvicorn

from bot.app import Bot
from bot.clock import do, tick
from bot.duties import chores, digesting, promising, rota, sending
from bot.errors import ConfigurationError, StorageError
from bot.kept_questions import BEAT
from handlers import Services, Unfinished, Work, build_bolt, register
from handlers.alerting import chat_of, letters_of
from handlers.charting import Charting
from handlers.lanes import Sleep
from handlers.letters import SlackLetters
from handlers.rechecking import Rechecking
from handlers.socket import SocketLink, run_socket
from handlers.web import Ready, build_web

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from starlette.applications import Starlette

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 10.0
RECOVER_SECONDS: Final = 30.0


@dataclass(frozen=True)
class SlackSide:
    """What answers Slack: the Bolt app, the web application around it, and what it counts."""

    bolt: AsyncApp
    web: Starlette
    services: Services
    link: SocketLink
    work: Work
    unfinished: Unfinished


@asynccontextmanager
async def slack_side(bot: Bot, sleep: Sleep = asyncio.sleep) -> AsyncIterator[SlackSide]:
    """Wire the Slack side; work under way gets some seconds at the end. ``sleep``: how the pace of messages is kept."""
    bot.books.warm()
    services = Services(
        bot.settings,
        bot.answer,
        bot.books.ledger,
        bot.clock,
        bot.sweep_license,
        bot.books.inquiries,
        bot.books.questions,
        office=bot.office,
        attending=bot.attending(),
        status=bot.status,
        rechecks=bot.books.rechecks,
        ending=bot.labels_ending,
        scanned=bot.scanned,
        sleep=sleep,
    )
    bolt, work, link = build_bolt(bot.settings), Work(), SocketLink()
    unfinished = register(bolt, services, work)
    web = build_web(bolt, ready=_readiness(bot, link), metrics=services.metrics, door=services.door)
    try:
        yield SlackSide(bolt, web, services, link, work, unfinished)
    finally:
        await work.close(GRACE_SECONDS)


def keep_loaded() -> None:
    """Tell the collector that what was loaded stays to the end. For processes that serve, once, when all is loaded.

    Else it looks through all of it again and again, a tenth of a second each time, in which nobody is acknowledged.
    """
    gc.collect()
    gc.freeze()


def _readiness(bot: Bot, link: SocketLink | None) -> Ready:
    async def problems() -> tuple[str, ...]:
        """One sentence for each thing without which no question can be answered."""
        found = list(link.problems()) if link is not None and bot.settings.slack.app_token else []
        try:
            await bot.books.ping()
        except StorageError as error:
            found.append(str(error))
        return tuple(found)

    return problems


async def serve(bot: Bot, role: str = "all") -> None:
    """Serve until SIGINT or SIGTERM; a second one ends at once. Raises ``ConfigurationError`` for a port that is taken.

    ``role``: ``web`` answers Slack, ``worker`` does what the clock proposes and shows its health, ``all`` does both.
    At the end no delivery is taken any more, those under way are answered, and questions get some seconds.
    """
    with contextlib.closing(_listener(*bot.settings.listen)) as listener:
        stop = asyncio.Event()
        stop_on_signals(stop)
        async with slack_side(bot) as side, asyncio.TaskGroup() as group:
            keep_loaded()
            group.create_task(_serve_web(side.web if role != "worker" else health_only(bot, side), listener, stop))
            group.create_task(recovering(side.unfinished, stop))
            if role != "web":
                group.create_task(ticking(bot, stop))
            token = bot.settings.slack.app_token
            if token and role != "worker":
                group.create_task(_serve_socket(side, token, stop))


async def ticking(bot: Bot, stop: asyncio.Event, wait: timedelta = timedelta(0)) -> None:
    """Do what the clock proposes until ``stop`` is set, for the first time after ``wait``."""
    letters, charting = voices(bot)
    more = (digesting(bot, charting.tell_week), promising(bot, Rechecking(bot.settings, letters).say))
    await tick(chores(bot, charting, more=more), rota(bot), stop, wait)


async def send_now(bot: Bot) -> None:
    """Send what waits in the outbox, with its charts, as the clock would."""
    await do(sending(bot, voices(bot)[1]), rota(bot))


def voices(bot: Bot) -> tuple[SlackLetters, Charting]:
    """What speaks unasked; the second one carries charts, too."""
    letters = letters_of(bot.settings, bot.attending())
    return letters, Charting(bot.settings, letters, chat_of(bot.settings), bot.arrivals, bot.digest, clock=bot.clock)


def health_only(bot: Bot, side: SlackSide) -> Starlette:
    """The pages of a process that Slack never reaches, over HTTP or a socket."""
    web = build_web(side.bolt, ready=_readiness(bot, None), metrics=side.services.metrics)
    web.router.routes = [route for route in web.routes if getattr(route, "path", "") != "/slack/events"]
    return web


async def recovering(unfinished: Unfinished, stop: asyncio.Event) -> None:
    """Finish what processes that died have left, at once and in rounds, until ``stop`` is set."""
    async with asyncio.TaskGroup() as group:
        group.create_task(in_rounds(unfinished.questions.round, stop, BEAT.total_seconds()))
        if unfinished.cards is not None:
            group.create_task(in_rounds(unfinished.cards.recover_round, stop, RECOVER_SECONDS))


async def in_rounds(a_round: Callable[[], Awaitable[None]], stop: asyncio.Event, every: float) -> None:
    """Again and again, at once and every so many seconds, until ``stop`` is set."""
    while not stop.is_set():
        await a_round()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()


def _listener(host: str, port: int) -> socket.socket:
    """Bound before anything else is begun, so that a port that is taken ends the start and not a running bot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = (error.strerror or "no such address").partition(" (while ")[0]
        raise ConfigurationError([f"COUNTLAST_LISTEN is {host}:{port}, which cannot be listened on: {why}"]) from error


async def _serve_web(web: Starlette, listener: socket.socket, stop: asyncio.Event) -> None:
    server = _Server(
        uvicorn.Config(
            web,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=int(GRACE_SECONDS),
        ),
        stop,
    )
    log.info("listening on %s:%d", *listener.getsockname()[:2])
    await server.serve(sockets=[listener])


async def _serve_socket(side: SlackSide, token: str, stop: asyncio.Event) -> None:
    await run_socket(side.bolt, token, stop=stop, link=side.link, metrics=side.services.metrics)


class _Server(uvicorn.Server):
    """Uvicorn that ends when ``stop`` is set, and leaves the signals to us.

    So Slack's socket and the database end in order as well.
    """

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Asked ten times a second whether to end."""
        return await super().on_tick(counter) or self._stop.is_set()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at the first SIGINT or SIGTERM; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    names = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        stop.set()
        # whoever asks twice wants no farewell; the database bears being left at any moment
        for name in names:
            loop.remove_signal_handler(name)
            signal.signal(name, signal.SIG_DFL)

    for name in names:
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers; Ctrl-C ends the loop there
            loop.add_signal_handler(name, end)
