"""The local page: what one person sees of the workspace as JSON, live updates, and the clicks that come back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from demo.slack_workspace import BOT_USER, Channel, Message, SlackRefusal, User, View, Workspace

if TYPE_CHECKING:
    from demo.slack import SlackStandIn
    from demo.slack_delivery import CommandResult

Json = dict[str, Any]

_FOLDER = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: http: https:"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut the app offers; ``kind`` is ``global`` or ``message``."""

    callback_id: str
    name: str
    kind: str = "global"


class Page:
    """Routes under ``/``, ``/events`` and ``/page/``. Nobody but the page uses them."""

    def __init__(self, stand_in: SlackStandIn) -> None:
        self._slack = stand_in
        self._acts: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "command": self._command,
            "press": self._press,
            "submit": self._submit,
            "close": self._close,
            "shortcut": self._shortcut,
            "home": self._home,
        }

    def routes(self) -> list[Route]:
        """What to mount at the root of the workspace's server."""
        return [
            Route("/", self._index),
            Route("/archives/{channel}/{message}", self._index),
            Route("/page/page.js", self._script),
            Route("/page/page.css", self._style),
            Route("/events", self._events),
            Route("/page/state", self._state),
            Route("/page/{act}", self._act, methods=["POST"]),
        ]

    async def _index(self, _request: Request) -> Response:
        return FileResponse(_FOLDER / "index.html", headers=_HEADERS)

    async def _script(self, _request: Request) -> Response:
        return FileResponse(_FOLDER / "page.js", headers=_HEADERS)

    async def _style(self, _request: Request) -> Response:
        return FileResponse(_FOLDER / "page.css", headers=_HEADERS)

    async def _state(self, request: Request) -> Response:
        try:
            reader = self._slack.workspace.user(request.query_params.get("user", "U0DANA"))
        except SlackRefusal as refusal:
            return JSONResponse({"error": refusal.code}, status_code=404)
        return JSONResponse(self._seen_by(reader), headers=_HEADERS)

    async def _events(self, _request: Request) -> Response:
        return StreamingResponse(self._versions(), media_type="text/event-stream", headers=_HEADERS)

    async def _versions(self) -> AsyncIterator[str]:
        """The version of the workspace, now and after every change; the page then asks for the state."""
        bell = self._slack.workspace.bell
        version = -1
        while True:
            version = await bell.rung_since(version)
            yield f"id: {version}\ndata: {json.dumps({'version': version})}\n\n"

    async def _act(self, request: Request) -> Response:
        act = self._acts.get(str(request.path_params["act"]))
        if act is None:
            return JSONResponse({"error": "unknown_act"}, status_code=404)
        if not _is_from_the_page(request):
            return JSONResponse({"error": "not_from_the_page"}, status_code=403)
        try:
            return JSONResponse(await act(await request.json()))
        except SlackRefusal as refusal:
            return JSONResponse({"error": refusal.code}, status_code=409)
        except LookupError as missing:
            return JSONResponse({"error": str(missing)}, status_code=409)
        except ValueError:
            return JSONResponse({"error": "invalid_json"}, status_code=400)

    # --- acts ---

    async def _command(self, given: Json) -> Json:
        """Whatever was typed: a slash command, a mention, or just words."""
        text, user, channel = str(given["text"]).strip(), str(given["user"]), str(given["channel"])
        thread_ts = given.get("thread_ts")
        if text.startswith("/") and not thread_ts:
            name, _, rest = text.partition(" ")
            return _told(await self._slack.command(rest.strip(), user=user, channel=channel, command=name))
        if self._slack.workspace.channel(channel).id.startswith("D"):
            return _told(await self._slack.direct(text, user=user, thread_ts=thread_ts))
        if f"@{self._bot.name}" in text.lower():
            return _told(await self._slack.mention(text, user=user, channel=channel, thread_ts=thread_ts))
        self._slack.say(text, user=user, channel=channel, thread_ts=thread_ts)
        return {"status": 200}

    async def _press(self, given: Json) -> Json:
        action_id, user = str(given["action_id"]), str(given["user"])
        shared = {"block_id": given.get("block_id"), "selected": given.get("selected"), "typed": given.get("typed")}
        if "view_id" in given:
            return _told(await self._slack.press_in_view(str(given["view_id"]), action_id, user, **shared))
        return _told(await self._slack.press(str(given["ts"]), action_id, user, **shared))

    async def _submit(self, given: Json) -> Json:
        return _told(await self._slack.submit_view(str(given["view_id"]), given.get("typed"), str(given["user"])))

    async def _close(self, given: Json) -> Json:
        result = await self._slack.close_view(str(given["view_id"]), every=bool(given.get("every")))
        return _told(result) if result else {"status": 200}

    async def _shortcut(self, given: Json) -> Json:
        callback_id, user = str(given["callback_id"]), str(given["user"])
        if given.get("ts"):
            return _told(await self._slack.message_shortcut(callback_id, str(given["ts"]), user))
        return _told(await self._slack.shortcut(callback_id, user))

    async def _home(self, given: Json) -> Json:
        return _told(await self._slack.open_home(str(given["user"])))

    # --- state ---

    @property
    def _bot(self) -> User:
        return self._slack.workspace.users[BOT_USER]

    def _seen_by(self, reader: User) -> Json:
        space = self._slack.workspace
        home = space.home(reader.id)
        return {
            "version": space.bell.version,
            "me": reader.id,
            "bot": BOT_USER,
            "users": {user.id: _person(user) for user in space.users.values()},
            "groups": space.group_names,
            "channels": [_place(channel) for channel in _visible(space, reader)],
            "messages": [_message(message) for message in _readable(space, reader)],
            "views": [_view(view) for view in space.stack(reader.id)],
            "home": _view(home) if home else None,
            "command": self._slack.slash_command,
            "suggestions": [{"text": text, "hint": hint} for text, hint in self._slack.suggestions],
            "shortcuts": [
                {"callback_id": one.callback_id, "name": one.name, "kind": one.kind} for one in self._slack.shortcuts
            ],
        }


def _is_from_the_page(request: Request) -> bool:
    """No other site's page may act here: its origin would differ, and it may not send JSON unasked."""
    origin = request.headers.get("origin")
    same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    return same and request.headers.get("content-type", "").startswith("application/json")


def _told(result: CommandResult) -> Json:
    return {"status": result.status, "seconds": round(result.ack_seconds, 3), "body": result.body[:300]}


def _visible(space: Workspace, reader: User) -> list[Channel]:
    return [channel for channel in space.channels.values() if reader.id in channel.members]


def _readable(space: Workspace, reader: User) -> list[Message]:
    places = {channel.id for channel in _visible(space, reader)}
    return [one for one in space.everything() if one.channel in places and one.only_for in {None, reader.id}]


def _person(user: User) -> Json:
    return {"name": user.real_name, "handle": user.name, "is_bot": user.is_bot, "is_guest": user.is_guest}


def _place(channel: Channel) -> Json:
    return {"id": channel.id, "name": channel.name, "is_direct": channel.id.startswith("D")}


def _message(message: Message) -> Json:
    return {
        "channel": message.channel,
        "ts": message.ts,
        "user": message.user,
        "text": message.text,
        "blocks": list(message.blocks),
        "thread_ts": message.thread_ts if message.is_reply else None,
        "edited": message.edited,
        "only_me": message.only_for is not None,
        "files": list(message.files),
    }


def _view(view: View) -> Json:
    errors: Mapping[str, str] = view.errors
    return {"id": view.id, "hash": view.hash, "payload": view.payload, "errors": dict(errors)}
