"""The Web API of the stand-in: the methods the bot may call, Slack's errors by their names, faults on request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from demo import blockkit
from demo.slack_files import Files
from demo.slack_payloads import message_as_slack_sends_it, with_ids
from demo.slack_socket import SocketHub
from demo.slack_workspace import (
    APP,
    BOT,
    BOT_USER,
    DOMAIN,
    TEAM,
    Channel,
    Message,
    SlackRefusal,
    User,
    View,
    Workspace,
)

Json = dict[str, Any]

TEXT_CHARACTERS = 40_000  # what is longer is cut off, with a warning
UPDATE_CHARACTERS = 4_000
ATTACHMENTS = 100
_TS = re.compile(r"\d{10}\.\d{6}")
_IN_JSON = ("blocks", "view", "attachments", "metadata", "files")  # sent as JSON text in a form


@dataclass(slots=True)
class Fault:
    """Something that goes wrong at the next ``left`` calls of ``method`` (any method when None).

    ``code`` is Slack's error; ``ratelimited`` comes as HTTP 429 with ``retry_after`` seconds. With ``after`` the call
    is carried out first and only its answer is lost (HTTP 500).
    """

    code: str
    left: int
    method: str | None = None
    retry_after: int = 1
    after: bool = False


@dataclass(slots=True)
class Faults:
    """The switches. ``not_in_channel``: ids of channels the bot is told it is not a member of."""

    not_in_channel: set[str] = field(default_factory=set)
    pending: list[Fault] = field(default_factory=list)

    def rate_limit(self, calls: int, *, retry_after: int = 1, method: str | None = None) -> None:
        """Answer the next calls with 429 and ``Retry-After``."""
        self.pending.append(Fault("ratelimited", calls, method, retry_after))

    def refuse(self, code: str, *, calls: int = 1, method: str | None = None) -> None:
        """Answer the next calls with this error, and do nothing."""
        self.pending.append(Fault(code, calls, method))

    def lose_answers(self, calls: int = 1, *, method: str | None = None) -> None:
        """Do what the next calls ask for, but answer HTTP 500."""
        self.pending.append(Fault("internal_error", calls, method, after=True))

    def due(self, method: str) -> Fault | None:
        """Use up and return the fault that strikes this call."""
        for fault in self.pending:
            if fault.left > 0 and fault.method in {None, method}:
                fault.left -= 1
                return fault
        return None


@dataclass(frozen=True, slots=True)
class Call:
    """One call the bot made, for tests to look at; tokens are not kept."""

    method: str
    arguments: Json


class WebApi:
    """``/api/{method}``. ``calls`` records every accepted call in order."""

    def __init__(self, workspace: Workspace, hub: SocketHub, *, bot_token: str, app_token: str) -> None:
        self.workspace = workspace
        self.faults = Faults()
        self.calls: list[Call] = []
        self.files = Files(workspace)
        self._hub = hub
        self._tokens = {"bot": bot_token, "app": app_token}
        self._methods: dict[str, Callable[[Json], Json]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.delete": self._delete,
            "chat.getPermalink": self._permalink,
            "views.open": self._views_open,
            "views.push": self._views_push,
            "views.update": self._views_update,
            "views.publish": self._views_publish,
            "users.info": self._users_info,
            "usergroups.users.list": self._group_members,
            "conversations.info": self._conversation,
            "conversations.members": self._members,
            "conversations.open": self._open_conversation,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete_upload,
        }

    async def endpoint(self, request: Request) -> Response:
        """Answer one call."""
        method = str(request.path_params["method"])
        fault = self.faults.due(method)
        if fault is not None and not fault.after:
            return _struck(fault)
        try:
            answer = await self._answer(method, request)
        except SlackRefusal as refusal:
            return JSONResponse(_refused(refusal))
        return Response("lost", status_code=500) if fault else JSONResponse({"ok": True, **answer})

    async def _answer(self, method: str, request: Request) -> Json:
        arguments = await _arguments(request)
        self._authorize(method, _token(request, arguments))
        arguments.pop("token", None)
        self.calls.append(Call(method, arguments))
        if method == "apps.connections.open":
            return {"url": await self._hub.new_address()}
        if method in {"chat.getPermalink", "files.getUploadURLExternal", "files.completeUploadExternal"}:
            arguments["base"] = str(request.base_url).rstrip("/")
        if method not in self._methods:
            raise SlackRefusal("unknown_method")
        return self._methods[method](arguments)

    def _authorize(self, method: str, token: str) -> None:
        wanted = "app" if method == "apps.connections.open" else "bot"
        if not token:
            raise SlackRefusal("not_authed")
        if token == self._tokens[wanted]:
            return
        raise SlackRefusal("not_allowed_token_type" if token in self._tokens.values() else "invalid_auth")

    # --- who am I ---

    def _auth_test(self, _arguments: Json) -> Json:
        bot = self.workspace.users[BOT_USER]
        whose = {"team": DOMAIN, "team_id": TEAM, "user": bot.name, "user_id": bot.id, "bot_id": BOT}
        return {"url": f"https://{DOMAIN}.slack.com/", **whose, "is_enterprise_install": False}

    # --- chat ---

    def _post_message(self, arguments: Json) -> Json:
        channel = self._writable(arguments)
        text, blocks = _content(arguments)
        message = Message(
            channel=channel.id,
            ts=self.workspace.next_ts(),
            user=BOT_USER,
            text=text[:TEXT_CHARACTERS],
            blocks=blocks,
            thread_ts=self._thread(channel, arguments.get("thread_ts")),
            metadata=_metadata(arguments),
        )
        answer = _posted(self.workspace.put(message))
        return answer | ({"warning": "message_truncated"} if len(text) > TEXT_CHARACTERS else {})

    def _update(self, arguments: Json) -> Json:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        known = self.workspace.message(channel.id, _needed(arguments, "ts"))
        if known.user != BOT_USER:
            raise SlackRefusal("cant_update_message")
        if len(str(arguments.get("text") or "")) > UPDATE_CHARACTERS:
            raise SlackRefusal("msg_too_long")
        message = self.workspace.put(_updated(known, arguments))
        return {**_posted(message), "text": message.text}

    def _post_ephemeral(self, arguments: Json) -> Json:
        channel = self._writable(arguments)
        reader = self.workspace.user(_needed(arguments, "user"))
        if reader.id not in channel.members:
            raise SlackRefusal("user_not_in_channel")
        text, blocks = _content(arguments)
        thread = self._thread(channel, arguments.get("thread_ts"))
        message = Message(
            channel.id, self.workspace.next_ts(), BOT_USER, text, blocks, thread_ts=thread, only_for=reader.id
        )
        return {"message_ts": self.workspace.put(message).ts}

    def _delete(self, arguments: Json) -> Json:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        message = self.workspace.message(channel.id, _needed(arguments, "ts"))
        if message.user != BOT_USER:
            raise SlackRefusal("cant_delete_message")
        self.workspace.drop(message)
        return {"channel": channel.id, "ts": message.ts}

    def _permalink(self, arguments: Json) -> Json:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        message = self.workspace.message(channel.id, _needed(arguments, "message_ts"))
        link = f"{arguments['base']}/archives/{channel.id}/p{message.ts.replace('.', '')}"
        query = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.is_reply else ""
        return {"channel": channel.id, "permalink": link + query}

    def _writable(self, arguments: Json) -> Channel:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        if channel.is_archived:
            raise SlackRefusal("is_archived")
        if BOT_USER in channel.members and channel.id not in self.faults.not_in_channel:
            return channel
        raise SlackRefusal("channel_not_found" if channel.is_private else "not_in_channel")

    def _thread(self, channel: Channel, thread_ts: object) -> str | None:
        """The parent's ts. Stricter than Slack, which lets a float or a reply's ts go astray silently."""
        if thread_ts is None:
            return None
        if not isinstance(thread_ts, str) or not _TS.fullmatch(thread_ts):
            raise SlackRefusal("invalid_thread_ts")
        parent = self.workspace.message(channel.id, thread_ts)
        if parent.is_reply:
            raise SlackRefusal("cannot_reply_to_message")
        return thread_ts

    # --- files ---

    def _upload_url(self, arguments: Json) -> Json:
        length = str(arguments.get("length") or "")
        made = self.files.announce(
            _needed(arguments, "filename"), int(length) if length.isdigit() else 0, str(arguments.get("alt_txt") or "")
        )
        return {"upload_url": f"{arguments['base']}/upload/{made.id}", "file_id": made.id}

    def _complete_upload(self, arguments: Json) -> Json:
        given = arguments.get("files")
        if not isinstance(given, list) or not given:
            raise SlackRefusal("invalid_arguments", ["[ERROR] missing required field: files"])
        files = [self.files.complete(str(one.get("id")), str(one.get("title") or "")) for one in given]
        if arguments.get("channel_id"):
            channel = self._writable({"channel": arguments["channel_id"]})
            self.files.share(files, channel, self._thread(channel, arguments.get("thread_ts")))
        return {"files": [{"id": file.id, "title": file.title} for file in files]}

    # --- views ---

    def _views_open(self, arguments: Json) -> Json:
        payload = _view(arguments, "modal")
        user = self._presser(arguments)
        return _viewed(self.workspace.open_view(user, payload))

    def _views_push(self, arguments: Json) -> Json:
        payload = _view(arguments, "modal")
        user = self._presser(arguments)
        return _viewed(self.workspace.push_view(user, payload))

    def _presser(self, arguments: Json) -> str:
        return self.workspace.spend_trigger(_needed(arguments, "trigger_id"))

    def _views_update(self, arguments: Json) -> Json:
        external = arguments.get("external_id")
        known = self.workspace.view_named(external) if external else self.workspace.view(_needed(arguments, "view_id"))
        payload = _view(arguments, str(known.payload["type"]))
        _same_hash(arguments, known)
        return _viewed(self.workspace.change_view(known, payload=payload, errors={}))

    def _views_publish(self, arguments: Json) -> Json:
        payload = _view(arguments, "home")
        user = self.workspace.user(_needed(arguments, "user_id"))
        known = self.workspace.home(user.id)
        if known is not None:
            _same_hash(arguments, known)
        return _viewed(self.workspace.publish_home(user.id, payload))

    # --- people and places ---

    def _users_info(self, arguments: Json) -> Json:
        return {"user": _person(self.workspace.user(_needed(arguments, "user")))}

    def _group_members(self, arguments: Json) -> Json:
        group = _needed(arguments, "usergroup")
        if group not in self.workspace.groups:
            raise SlackRefusal("no_such_subteam")
        members = self.workspace.groups[group]
        return {"users": sorted(one for one in members if not self.workspace.user(one).is_deleted)}

    def _conversation(self, arguments: Json) -> Json:
        return {"channel": self._place(self.workspace.channel(_needed(arguments, "channel")))}

    def _members(self, arguments: Json) -> Json:
        members = sorted(self.workspace.channel(_needed(arguments, "channel")).members)
        return {"members": members, "response_metadata": {"next_cursor": ""}}

    def _open_conversation(self, arguments: Json) -> Json:
        return {"channel": {"id": self.workspace.channel(self.workspace.user(_needed(arguments, "users")).id).id}}

    def _place(self, channel: Channel) -> Json:
        direct = channel.id.startswith("D")
        kind = {"is_channel": not direct, "is_im": direct, "is_private": channel.is_private}
        standing = {"is_archived": channel.is_archived, "is_member": BOT_USER in channel.members}
        return {"id": channel.id, "name": channel.name, **kind, **standing, "num_members": len(channel.members)}

    def _history(self, arguments: Json) -> Json:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        shown = [message for message in self.workspace.messages(channel.id) if not message.is_reply]
        return _listed(list(reversed(shown)), arguments)

    def _replies(self, arguments: Json) -> Json:
        channel = self.workspace.channel(_needed(arguments, "channel"))
        thread = self.workspace.thread(channel.id, _needed(arguments, "ts"))
        if not thread:
            raise SlackRefusal("thread_not_found")
        return _listed(thread, arguments)


# --- reading a request ---


async def _arguments(request: Request) -> Json:
    given: Json = dict(request.query_params)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        given |= _json_body(body)
    else:
        given |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return {name: _decoded(name, value) for name, value in given.items()}


def _json_body(body: bytes) -> Json:
    try:
        parsed = json.loads(body or b"{}")
    except json.JSONDecodeError:
        raise SlackRefusal("invalid_json") from None
    if not isinstance(parsed, dict):
        raise SlackRefusal("json_not_object")
    return parsed


def _decoded(name: str, value: object) -> object:
    if name not in _IN_JSON or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise SlackRefusal("invalid_blocks_format" if name == "blocks" else "invalid_arguments") from None


def _token(request: Request, arguments: Mapping[str, object]) -> str:
    header = request.headers.get("authorization", "")
    return header.removeprefix("Bearer ").strip() or str(arguments.get("token") or "")


def _needed(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise SlackRefusal("invalid_arguments", [f"[ERROR] missing required field: {name}"])
    return value


# --- judging content ---


def _content(arguments: Json) -> tuple[str, tuple[Json, ...]]:
    text, blocks = str(arguments.get("text") or ""), checked_blocks(arguments.get("blocks"))
    attachments = arguments.get("attachments") or ()
    if len(attachments) > ATTACHMENTS:
        raise SlackRefusal("too_many_attachments")
    if not text.strip() and not blocks and not attachments:
        raise SlackRefusal("no_text")
    return text, blocks


def checked_blocks(blocks: object) -> tuple[Json, ...]:
    """The blocks with all ids filled in, or Slack's refusal of them."""
    if not blocks:
        return ()
    if not isinstance(blocks, list):
        raise SlackRefusal("invalid_blocks_format")
    if problems := blockkit.message_problems(blocks):
        raise SlackRefusal("invalid_blocks", problems)
    if blockkit.characters(blocks) > blockkit.MESSAGE_CHARACTERS:
        raise SlackRefusal("msg_blocks_too_long")
    return with_ids(blocks)


def _updated(known: Message, arguments: Json) -> Message:
    """What ``chat.update`` makes of a message: text alone removes the blocks, and only then it counts as edited."""
    has_text, has_blocks = bool(arguments.get("text")), arguments.get("blocks") is not None
    if not has_text and not has_blocks:
        raise SlackRefusal("no_text")
    blocks = checked_blocks(arguments.get("blocks"))
    text = str(arguments["text"]) if has_text else known.text
    metadata = _metadata(arguments) if "metadata" in arguments else known.metadata
    return replace(known, text=text, blocks=blocks, metadata=metadata, edited=known.edited or not has_blocks)


def _metadata(arguments: Json) -> Json | None:
    given = arguments.get("metadata")
    if not given:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("event_type"), str):
        raise SlackRefusal("invalid_metadata_format")
    if not isinstance(given.get("event_payload"), dict):
        raise SlackRefusal("invalid_metadata_format")
    return given


def _view(arguments: Json, kind: str) -> Json:
    return checked_view(arguments.get("view"), kind)


def checked_view(view: object, kind: str) -> Json:
    """The view with all ids filled in, or Slack's refusal of it. ``kind`` is ``modal`` or ``home``."""
    problems = blockkit.view_problems(view)
    if isinstance(view, dict) and view.get("type") != kind:
        problems.append(f"[ERROR] must be one of: {kind} [json-pointer:/type]")
    if problems or not isinstance(view, dict):
        raise SlackRefusal("invalid_arguments", problems)
    return {**view, "blocks": list(with_ids(view["blocks"]))}


def _same_hash(arguments: Json, known: View) -> None:
    if arguments.get("hash") not in {None, known.hash}:
        raise SlackRefusal("hash_conflict")


# --- answers ---


def _refused(refusal: SlackRefusal) -> Json:
    answer: Json = {"ok": False, "error": refusal.code}
    if refusal.messages:
        answer |= {"errors": list(refusal.messages), "response_metadata": {"messages": list(refusal.messages)}}
    return answer


def _struck(fault: Fault) -> Response:
    answer = {"ok": False, "error": fault.code}
    if fault.code != "ratelimited":
        return JSONResponse(answer)
    return JSONResponse(answer, status_code=429, headers={"Retry-After": str(fault.retry_after)})


def _posted(message: Message) -> Json:
    return {"channel": message.channel, "ts": message.ts, "message": message_as_slack_sends_it(message)}


def _viewed(view: View) -> Json:
    return {"view": view.as_slack_sends_it()}


def _listed(messages: list[Message], arguments: Json) -> Json:
    shown = [message_as_slack_sends_it(message) for message in messages[: int(arguments.get("limit") or 100)]]
    if str(arguments.get("include_all_metadata")).lower() not in {"true", "1"}:
        shown = [_without_payload(message) for message in shown]
    return {"messages": shown, "has_more": len(messages) > len(shown), "response_metadata": {"next_cursor": ""}}


def _without_payload(message: Json) -> Json:
    if "metadata" not in message:
        return message
    return {**message, "metadata": {"event_type": message["metadata"]["event_type"]}}


def _person(user: User) -> Json:
    standing = {"is_bot": user.is_bot, "is_restricted": user.is_guest, "is_ultra_restricted": False}
    profile = {"real_name": user.real_name, "display_name": user.name, "team": user.team}
    own = {"id": user.id, "team_id": user.team, "name": user.name, "real_name": user.real_name}
    away = {"is_stranger": user.team != TEAM, "tz": user.time_zone, "is_app_user": False}
    bot = {"bot_id": BOT, "api_app_id": APP} if user.is_bot else {}
    return {**own, "deleted": user.is_deleted, **standing, **away, "profile": {**profile, **bot}}
