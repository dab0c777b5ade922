"""Response URLs: answers without a token, five times within thirty minutes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from demo.slack_api import checked_blocks
from demo.slack_workspace import BOT_USER, TEAM, Message, SlackRefusal, Workspace

Json = dict[str, Any]

USES = 5
MINUTES = 30
_SWITCHES = frozenset({"replace_original", "delete_original", "response_type", "thread_ts"})


@dataclass(frozen=True, slots=True)
class Hook:
    """Who may be answered, where, and from which message (None for a command)."""

    user: str
    channel: str
    made: datetime
    original: str | None = None
    uses: int = 0


class Hooks:
    """``/hooks/{kind}/T0DEMO/{secret}``."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._hooks: dict[str, Hook] = {}

    def new_path(self, kind: str, user: str, channel: str, original: str | None = None) -> str:
        """The path of a fresh response URL; ``kind`` is ``commands`` or ``actions``."""
        secret = secrets.token_urlsafe(18)
        self._hooks[secret] = Hook(user, channel, self.workspace.clock(), original)
        return f"/hooks/{kind}/{TEAM}/{secret}"

    async def endpoint(self, request: Request) -> Response:
        """Answer one use: ``ok``, or Slack's word for what is wrong."""
        secret = str(request.path_params["secret"])
        try:
            hook = self._used(secret)
            self.respond(hook, await request.json())
        except SlackRefusal as refusal:
            return PlainTextResponse(refusal.code, status_code=404 if refusal.code.endswith("_url") else 400)
        except ValueError:
            return PlainTextResponse("invalid_payload", status_code=400)
        return PlainTextResponse("ok")

    def _used(self, secret: str) -> Hook:
        hook = self._hooks.get(secret)
        if hook is None or self.workspace.clock() - hook.made > timedelta(minutes=MINUTES):
            raise SlackRefusal("expired_url")
        if hook.uses >= USES:
            raise SlackRefusal("used_url")
        self._hooks[secret] = replace(hook, uses=hook.uses + 1)
        return hook

    def respond(self, hook: Hook, body: Json) -> None:
        """Carry out one answer: replace or delete the original, or post anew (ephemeral unless told otherwise)."""
        original = self._original(hook)
        if body.get("delete_original"):
            if original is not None:
                self.workspace.drop(original)
            if not set(body) - _SWITCHES:
                return
        text, blocks = str(body.get("text") or ""), checked_blocks(body.get("blocks"))
        if not text and not blocks:
            raise SlackRefusal("no_text")
        if original is not None and body.get("replace_original"):
            self.workspace.put(replace(original, text=text, blocks=blocks))
            return
        self.workspace.put(self._posted(hook, body, text, blocks))

    def _original(self, hook: Hook) -> Message | None:
        if hook.original is None:
            return None
        known = (message for message in self.workspace.everything() if message.channel == hook.channel)
        return next((message for message in known if message.ts == hook.original), None)

    def _posted(self, hook: Hook, body: Json, text: str, blocks: tuple[Json, ...]) -> Message:
        is_public = body.get("response_type") == "in_channel"
        return Message(
            channel=hook.channel,
            ts=self.workspace.next_ts(),
            user=BOT_USER,
            text=text,
            blocks=blocks,
            thread_ts=body.get("thread_ts"),
            only_for=None if is_public else hook.user,
        )
