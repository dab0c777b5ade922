"""Run the bot: the Slack side over HTTP or Socket Mode, its health pages, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvicorn

from bot.app import Bot
from bot.errors import ConfigurationError, StorageError
from handlers import Services, Work, build_bolt, register
from handlers.socket import SocketLink, run_socket
from handlers.web import Ready, build_web

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp
    from starlette.applications import Starlette

GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class SlackSide:
    """What answers Slack: the Bolt app, the web application around it, and what it counts."""

    bolt: AsyncApp
    web: Starlette
    services: Services
    link: SocketLink
    work: Work


@asynccontextmanager
async def slack_side(bot: Bot, *, role: str = "all") -> AsyncIterator[SlackSide]:
    """Wire the Slack side; work under way gets some seconds at the end."""
    services = Services(bot.settings, bot.answer, bot.books.ledger, bot.clock)
    bolt, work, link = build_bolt(bot.settings), Work(), SocketLink()
    register(bolt, services, work)
    watched = link if bot.settings.slack.app_token and role != "worker" else None
    web = build_web(bolt, ready=_readiness(bot, watched), metrics=services.metrics)
    try:
        yield SlackSide(bolt, web, services, link, work)
    finally:
        await work.close(GRACE_SECONDS)


def _readiness(bot: Bot, link: SocketLink | None) -> Ready:
    async def problems() -> tuple[str, ...]:
        """One sentence for each thing without which no question can be answered."""
        found = list(link.problems()) if link is not None else []
        try:
            await bot.books.ping()
        except StorageError as error:
            found.append(str(error))
        return tuple(found)

    return problems


async def serve(bot: Bot, *, role: str = "all") -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with slack_side(bot, role=role) as side, asyncio.TaskGroup() as group:
        server = _server(bot, side)
        group.create_task(_serve_web(server, bot))
        if bot.settings.slack.app_token and role != "worker":
            token = bot.settings.slack.app_token
            group.create_task(run_socket(side.bolt, token, stop=stop, link=side.link, metrics=side.services.metrics))
        await stop.wait()
        server.should_exit = True


def _server(bot: Bot, side: SlackSide) -> _Server:
    host, port = bot.settings.listen
    return _Server(
        uvicorn.Config(
            side.web,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(GRACE_SECONDS),
        )
    )


class _Server(uvicorn.Server):
    """Uvicorn that leaves the signals to us, so that Slack's socket and the database end in order as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


async def _serve_web(server: _Server, bot: Bot) -> None:
    host, port = bot.settings.listen
    try:
        await server.serve()
    except SystemExit as error:
        # uvicorn's way to say that it could not bind
        raise ConfigurationError([f"COUNTLAST_LISTEN is {host}:{port}, which cannot be listened on"]) from error


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers; Ctrl-C ends the loop there
            loop.add_signal_handler(name, stop.set)
