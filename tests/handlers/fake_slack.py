"""A small Slack on loopback: Web API, ``response_url`` and Socket Mode. It keeps what it was sent and judges it.

Every message, view and file goes through ``blockkit.call_problems``; a faulty one is refused with ``invalid_blocks`` and
remembered in ``faults``, which every test checks at its end.
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
    # methods for which the token was given no scope
    missing: set[str] = field(default_factory=lambda: {"conversations.open"})
    # methods that are carried out, but whose answer is lost
    lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
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

    def ephemerals(self) -> list[dict[str, Any]]:
        return [call.body for call in self.calls if call.method == "chat.postEphemeral"]

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
    form: dict[str, Any] = {**request.query, **await request.post()}
    for name in ("blocks", "metadata", "view", "files"):
        if isinstance(form.get(name), str):
            form[name] = json.loads(form[name])
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
        if slack.lost[name]:
            slack.lost[name] -= 1
            return web.Response(status=500, text="lost")
        return web.json_response(answer)

    async def upload(request: web.Request) -> web.Response:
        form = await request.post()
        slack.uploads.append(form["file"].file.read())
        return web.Response(text="OK")

    async def respond(request: web.Request) -> web.Response:
        return await _respond(slack, request)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        return await _socket(slack, request)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", method)
    app.router.add_post("/respond/{number}", respond)
    app.router.add_post("/upload/{number}", upload)
    app.router.add_get("/socket", socket)
    return app


def _answer(slack: FakeSlack, name: str, body: dict[str, Any]) -> dict[str, Any]:
    if name == "apps.connections.open":
        return {"ok": True, "url": slack.url.replace("http", "ws", 1) + "/socket"}
    if slack.errors[name]:
        return {"ok": False, "error": slack.errors[name].popleft()}
    if name in slack.missing:
        return {"ok": False, "error": "missing_scope", "needed": "x", "provided": "y"}
    if found := blockkit.call_problems(name, body):
        slack.faults += found
        return {"ok": False, "error": "invalid_blocks"}
    if name in {"chat.postMessage", "chat.update", "chat.postEphemeral"}:
        return _message(slack, body)
    if name in {"views.open", "views.push", "views.update", "views.publish"}:
        return _view(slack, body)
    other = _OTHERS.get(name)
    return {"ok": True, **other(slack, body)} if other else {"ok": False, "error": "unknown_method"}


def _message(slack: FakeSlack, body: dict[str, Any]) -> dict[str, Any]:
    body.setdefault("ts", slack.next_stamp())
    return {"ok": True, "channel": body["channel"], "ts": body["ts"], "message_ts": body["ts"]}


def _view(slack: FakeSlack, body: dict[str, Any]) -> dict[str, Any]:
    slack.views.append(body["view"])
    return {"ok": True, "view": {**body["view"], "id": body.get("view_id") or f"V{len(slack.views)}", "hash": "1.a"}}


def _messages(slack: FakeSlack, body: dict[str, Any]) -> dict[str, Any]:
    posts = [post for post in slack.posts() if post["channel"] == body["channel"] and "ts" in post]
    if "ts" in body:
        posts = [post for post in posts if body["ts"] in {post.get("thread_ts"), post["ts"]}]
    return {"messages": posts, "has_more": False}


def _completed(slack: FakeSlack, body: dict[str, Any]) -> dict[str, Any]:
    slack.files.append(body)
    return {"files": body["files"]}


_OTHERS = {
    "auth.test": lambda *_: {"team_id": "T0DEMO", "user_id": "U0BOT", "bot_id": "B0BOT"},
    "conversations.history": _messages,
    "conversations.replies": _messages,
    "conversations.open": lambda _, body: {"channel": {"id": "D" + body["users"][1:]}},
    "chat.getPermalink": lambda slack, body: {
        "permalink": f"{slack.url}/archives/{body['channel']}/p{body['message_ts'].replace('.', '')}"
    },
    "files.getUploadURLExternal": lambda slack, body: {"upload_url": f"{slack.url}/upload/1", "file_id": "F0FILE"},
    "files.completeUploadExternal": _completed,
    "users.info": lambda slack, body: {
        "user": {"id": body["user"], "team_id": "T0DEMO", "name": "x", **slack.people.get(body["user"], {})}
    },
    "conversations.members": lambda *_: {"members": ["U0DANA", "U0LEE"], "response_metadata": {"next_cursor": ""}},
}


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
