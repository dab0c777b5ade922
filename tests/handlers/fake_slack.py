"""A small Slack on loopback: Web API, ``response_url`` and Socket Mode. It keeps what it was sent and judges it.

Every message goes through ``blockkit.problems_of``; a faulty one is refused with ``invalid_blocks`` and remembered in
``faults``, which every test checks at its end.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.handlers import blockkit

PATIENCE = 5.0


@dataclass
class Call:
    """One Web API call."""

    method: str
    body: dict[str, Any]
    token: str


@dataclass
class FakeSlack:
    """What happened, and what shall go wrong. ``errors`` and ``limits`` are used up call by call."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    whispers: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    errors: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    limits: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    whisper_statuses: deque[int] = field(default_factory=deque)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    stamp: int = 1_700_000_000

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    @property
    def response_url(self) -> str:
        return f"{self.url}/respond/1"

    def posts(self) -> list[dict[str, Any]]:
        return [call.body for call in self.calls if call.method == "chat.postMessage"]

    def edits(self) -> list[dict[str, Any]]:
        return [call.body for call in self.calls if call.method == "chat.update"]

    async def until(self, condition) -> None:
        """Wait until it holds; no sleeping, and a test that waits in vain fails."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: condition(self))

    async def note(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def next_stamp(self) -> str:
        self.stamp += 1
        return f"{self.stamp}.000100"


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        return await request.json()
    form = dict(await request.post())
    if isinstance(form.get("blocks"), str):
        form["blocks"] = json.loads(form["blocks"])
    return form


def _routes(slack: FakeSlack) -> web.Application:
    async def method(request: web.Request) -> web.Response:
        name = request.match_info["method"]
        body = await _body(request)
        if slack.limits[name]:
            headers = {"Retry-After": str(slack.limits[name].popleft())}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        slack.calls.append(Call(name, body, request.headers.get("Authorization", "")))
        answer = _answer(slack, name, body)
        await slack.note()
        return web.json_response(answer)

    async def respond(request: web.Request) -> web.Response:
        return await _respond(slack, request)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        return await _socket(slack, request)

    app = web.Application()
    app.router.add_post("/api/{method}", method)
    app.router.add_post("/respond/{number}", respond)
    app.router.add_get("/socket", socket)
    return app


def _answer(slack: FakeSlack, name: str, body: dict[str, Any]) -> dict[str, Any]:
    if name == "apps.connections.open":
        return {"ok": True, "url": slack.url.replace("http", "ws", 1) + "/socket"}
    if slack.errors[name]:
        return {"ok": False, "error": slack.errors[name].popleft()}
    if name not in {"chat.postMessage", "chat.update"}:
        return {"ok": False, "error": "unknown_method"}
    found = blockkit.problems_of(body)
    slack.faults += found
    if found:
        return {"ok": False, "error": "invalid_blocks"}
    return {"ok": True, "channel": body["channel"], "ts": body.get("ts") or slack.next_stamp()}


async def _respond(slack: FakeSlack, request: web.Request) -> web.Response:
    if slack.whisper_statuses:
        return web.Response(status=slack.whisper_statuses.popleft(), text="expired_url")
    body = await _body(request)
    slack.faults += blockkit.problems_of(body)
    slack.whispers.append(body)
    await slack.note()
    return web.Response(text="ok")


async def _socket(slack: FakeSlack, request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})
    slack.sockets.append(ws)
    await slack.note()
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            slack.acks.append(message.json())
            await slack.note()
    return ws


@asynccontextmanager
async def serving():
    """The fake, listening on a free port of loopback."""
    slack = FakeSlack()
    server = TestServer(_routes(slack))
    await server.start_server()
    slack.url = str(server.make_url("")).rstrip("/")
    try:
        yield slack
    finally:
        await server.close()
