"""Socket Mode: Slack's deliveries over a WebSocket that the bot opens itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from handlers.metrics import Metrics


class SocketLink:
    """Whether Slack can reach the bot through its socket. A break shorter than ``patience`` seconds is no problem."""

    def __init__(self, patience: float = 30.0, timer: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._timer = timer
        self._down_since: float | None = timer()
        self._was_up = False

    def saw(self, *, connected: bool) -> None:
        """Note what was seen just now."""
        if connected:
            self._down_since = None
            self._was_up = True
        elif self._down_since is None:
            self._down_since = self._timer()

    def problems(self) -> tuple[str, ...]:
        """One sentence when the link is down: at once before the first connection, later after ``patience``."""
        if self._down_since is None:
            return ()
        seconds = self._timer() - self._down_since
        if not self._was_up:
            return ("the socket to Slack is not connected yet",)
        if seconds < self._patience:
            return ()
        return (f"the socket to Slack has been down for {seconds:.0f} s",)


async def run_socket(
    app: AsyncApp,
    app_token: str,
    *,
    stop: asyncio.Event,
    link: SocketLink,
    metrics: Metrics,
    look_every: float = 1.0,
    ping_interval: float = 10.0,
) -> None:
    """Serve until ``stop`` is set, reconnecting as often as it takes; no delivery is taken after it returns."""
    handler = _TimedHandler(app, app_token, metrics, ping_interval=ping_interval)
    connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]
    try:
        while not stop.is_set():
            link.saw(connected=await handler.client.is_connected())
            await _wait(stop, look_every)
    finally:
        link.saw(connected=False)
        connecting.cancel()
        await asyncio.wait({connecting})
        await handler.close_async()  # type: ignore[no-untyped-call]


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


class _TimedHandler(AsyncSocketModeHandler):
    def __init__(self, app: AsyncApp, app_token: str, metrics: Metrics, *, ping_interval: float) -> None:
        super().__init__(app, app_token, ping_interval=ping_interval)
        self._metrics = metrics

    async def handle(self, client: Any, req: Any) -> None:  # noqa: ANN401 - the client's types differ by version
        """Answer one envelope, and note how long Slack waited for it."""
        began = time.perf_counter()
        await super().handle(client, req)
        self._metrics.acks.labels(transport="socket").observe(time.perf_counter() - began)
