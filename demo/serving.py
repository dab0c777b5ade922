"""Serves an ASGI application on loopback inside the running event loop, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GRACE_SECONDS = 2  # what still runs after this is cancelled
_LOOK_SECONDS = 0.005


class _Server(uvicorn.Server):
    """Uvicorn as a guest: it installs no signal handlers, and tells when it has started and is to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals of the host program alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as the parent does, but look every few milliseconds whether all is said; it sleeps a tenth at least."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(_LOOK_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    async def main_loop(self) -> None:
        """Wait to be told to stop, instead of looking ten times a second."""
        await self.on_tick(0)
        await self.leave.wait()


def _ending_streams(app: ASGIApp, leave: asyncio.Event) -> ASGIApp:
    """The same application, told on shutdown that its readers have hung up, so that endless streams end."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        await app(scope, lambda: _receive_until(receive, leave), send)

    return wrapped


async def _receive_until(receive: Receive, leave: asyncio.Event) -> Message:
    waiting = asyncio.ensure_future(receive())
    leaving = asyncio.ensure_future(leave.wait())
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else {"type": "http.disconnect"}
    finally:
        leaving.cancel()
        waiting.cancel()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _configured(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@contextlib.asynccontextmanager
async def running(asgi: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve ``asgi`` and yield its base address without a trailing slash; port 0 takes a free one.

    On leaving, open streams are ended, requests under way get two seconds, and the application's shutdown has run.
    Raises ``OSError`` when the port is taken.
    """
    listener = _bound(host, port)
    server = _Server(_configured(asgi))
    server.config.app = _ending_streams(asgi, server.leave)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    started = asyncio.create_task(server.ready.wait())
    await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield _address(host, listener)
    finally:
        started.cancel()
        server.leave.set()
        await serving
        listener.close()
