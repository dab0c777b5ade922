"""Presses of the red button. This version offers the removal and does not carry it out yet."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.chat import Chat
from handlers.commands import first_time
from handlers.render import words
from handlers.render.help import render_sentence
from handlers.services import Services
from handlers.work import Work


class Decisions:
    """Answers presses. Nothing in a button's value is trusted, and nothing is changed."""

    def __init__(self, services: Services, chat: Chat, work: Work) -> None:
        self._services = services
        self._chat = chat
        self._work = work

    async def remove(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of ``remove_duplicate``."""
        await ack()
        response_url = str(body.get("response_url") or "")
        self._work.start(partial(self._explain, delivery_of(body), response_url), partial(self._whisper, response_url))

    async def _explain(self, delivery: str, response_url: str) -> None:
        if await first_time(self._services, delivery):
            await self._whisper(response_url, words.NO_APPROVALS_YET)

    async def _whisper(self, response_url: str, sentence: str) -> None:
        if response_url:
            await self._chat.whisper(response_url, render_sentence(sentence))


def delivery_of(body: Mapping[str, Any]) -> str:
    """One key for every repeat of the same press; empty when the press does not say when it was made."""
    action = _first(body.get("actions"))
    pressed_at = action.get("action_ts")
    if not pressed_at:
        return ""
    container = _mapping(body.get("container"))
    parts = (
        _mapping(body.get("team")).get("id"),
        _mapping(body.get("user")).get("id"),
        container.get("channel_id"),
        container.get("message_ts"),
        action.get("action_id"),
        pressed_at,
    )
    return ":".join(["action", *(str(part or "") for part in parts)])


def _first(rows: object) -> Mapping[str, Any]:
    return _mapping(rows[0]) if isinstance(rows, list) and rows else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
