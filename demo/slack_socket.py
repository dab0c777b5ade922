"""The Socket Mode end of the stand-in: a WebSocket server that hands out envelopes and waits for their acks."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]

CONNECTIONS = 10  # Slack's limit for one app


class SocketHub:
    """Single-use addresses, up to ten connections, each envelope to any one of them.

    It listens on a port of its own, because the web server of the demo speaks no WebSocket.
    """

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._tickets: set[str] = set()
        self._links: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._turn = itertools.count()

    @property
    def is_connected(self) -> bool:
        """Whether a Socket Mode client is there to be served."""
        return bool(self._links)

    async def new_address(self) -> str:
        """A ``ws://`` address that one client may use once."""
        if self._runner is None:
            self._runner = await self._started()
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        host, port = self._runner.addresses[0][:2]
        return f"ws://{host}:{port}/link/?ticket={ticket}&app_id=A0BOT"

    async def deliver(self, kind: str, payload: Json, *, takes_answer: bool) -> Json:
        """Send one envelope and return the payload of its ack, ``{}`` when the ack bears none."""
        link = self._links[next(self._turn) % len(self._links)]
        own = secrets.token_hex(16)
        envelope = {"envelope_id": own, "type": kind, "payload": payload}
        acked: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[own] = acked
        try:
            await link.send_json({**envelope, "accepts_response_payload": takes_answer})
            return await acked
        finally:
            del self._waiting[own]

    async def refresh(self) -> None:
        """Ask every client to reconnect and hang up, as Slack does every few hours."""
        for link in list(self._links):
            await link.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "demo"}})
            await link.close()

    async def close(self) -> None:
        """Hang up and stop listening; a later address starts anew."""
        runner, self._runner = self._runner, None
        for link in list(self._links):
            await link.close()
        if runner is not None:
            await runner.cleanup()

    async def _started(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_get("/link/", self._link)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self._links) >= CONNECTIONS:
            raise web.HTTPForbidden
        self._tickets.remove(ticket)
        link = web.WebSocketResponse()
        await link.prepare(request)
        await self._served(link)
        return link

    async def _served(self, link: web.WebSocketResponse) -> None:
        self._links.append(link)
        try:
            await link.send_json(self._hello())
            async for message in link:
                if message.type is WSMsgType.TEXT:
                    self._settle(json.loads(message.data))
        finally:
            self._links.remove(link)

    def _hello(self) -> Json:
        debug = {"host": "demo", "approximate_connection_time": 3600}
        return {
            "type": "hello",
            "num_connections": len(self._links),
            "connection_info": {"app_id": "A0BOT"},
            "debug_info": debug,
        }

    def _settle(self, ack: Json) -> None:
        waiting = self._waiting.get(str(ack.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(ack.get("payload") or {})
