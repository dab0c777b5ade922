"""The other ways to ask: a mention, a direct message, a shortcut on a message, a shortcut from anywhere."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.asking import Asking
from handlers.forms import Forms
from handlers.heard import Heard
from handlers.parse import MOST_LABELS, subjects_in
from handlers.render import words
from handlers.services import Services
from handlers.slack_calls import mapping
from handlers.thread import Command

MESSAGE_SHORTCUT: Final = "why_missing"
GLOBAL_SHORTCUT: Final = "ask_package"

Next = Callable[[], Awaitable[object]]

_MENTION: Final = re.compile(r"<@[UW][A-Z0-9]+(?:\|[^<>]*)?>")


class Entries:
    """Listeners that read a payload into a ``Command``, and nothing more."""

    def __init__(self, services: Services, asking: Asking, forms: Forms) -> None:
        self._services = services
        self._asking = asking
        self._forms = forms

    def listen(self, app: AsyncApp) -> None:
        """Register every listener. Bolt acknowledges an event before its listener runs, so middleware hears it."""
        app.event("app_mention", middleware=[self.mentioned])(self.acknowledged)
        app.event("message", middleware=[self.written])(self.acknowledged)
        app.message_shortcut(MESSAGE_SHORTCUT)(self.on_message)
        app.global_shortcut(GLOBAL_SHORTCUT)(self.from_anywhere)

    async def acknowledged(self, ack: AsyncAck) -> None:
        """What was to be done was begun before."""
        await ack()

    async def mentioned(self, body: dict[str, Any], next: Next) -> None:  # noqa: A002 - Bolt's name
        """Answers in the thread that it stands in, else in a thread under it."""
        event = mapping(body.get("event"))
        if _is_from_a_person(event):
            self._services.metrics.commands.inc()
            await self._asking.take(Heard(_of_event(body, event)))
        await next()

    async def written(self, body: dict[str, Any], next: Next) -> None:  # noqa: A002 - Bolt's name
        """A message; only one in the direct message with the bot is meant for it."""
        event = mapping(body.get("event"))
        if event.get("channel_type") == "im" and not event.get("subtype") and _is_from_a_person(event):
            self._services.metrics.commands.inc()
            await self._asking.take(Heard(_of_event(body, event)))
        await next()

    async def on_message(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """What the message speaks of is asked in its thread; when it names nothing, the form is opened."""
        self._services.metrics.commands.inc()
        command = _of_message(body)
        found = subjects_in(text_of(mapping(body.get("message"))))
        if found:
            await self._asking.take(Heard(command, found[:MOST_LABELS]))
            await ack()
            self._forms.tell_left_out(command, MOST_LABELS, len(found) - MOST_LABELS)
        else:
            await ack()
            self._forms.start(command, words.NO_SUBJECT)

    async def from_anywhere(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The form."""
        await ack()
        self._services.metrics.commands.inc()
        self._forms.start(of_press(body, ""))


def text_of(message: Mapping[str, Any]) -> str:
    """All that a message shows: its text, and that of its blocks and attachments, which other apps write into."""
    return "\n".join(dict.fromkeys(_texts(message)))


def _texts(value: object, depth: int = 0) -> list[str]:
    if depth > 12:
        return []
    if isinstance(value, list):
        return [text for each in value for text in _texts(each, depth + 1)]
    if not isinstance(value, dict):
        return []
    own = [str(value[name]) for name in ("text", "fallback", "url", "title") if isinstance(value.get(name), str)]
    parts = [part for name, part in value.items() if isinstance(part, dict | list) and name != "metadata"]
    return own + [text for part in parts for text in _texts(part, depth + 1)]


def of_press(body: Mapping[str, Any], key: str) -> Command:
    """A press in a message, a form or the Home tab; ``key`` tells one press from another, empty: its trigger does."""
    user = mapping(body.get("user"))
    team = str(user.get("team_id") or mapping(body.get("team")).get("id") or "")
    container = mapping(body.get("container"))
    trigger = str(body.get("trigger_id") or "")
    return Command(
        text="",
        user=str(user.get("id") or ""),
        channel=str(mapping(body.get("channel")).get("id") or container.get("channel_id") or ""),
        team=team,
        delivery=key or (f"trigger:{team}:{trigger}" if trigger else ""),
        response_url=str(body.get("response_url") or ""),
        thread=str(container.get("thread_ts") or ""),
        trigger=trigger,
    )


def _of_message(body: Mapping[str, Any]) -> Command:
    message = mapping(body.get("message"))
    pressed = of_press(body, "")
    thread = message.get("thread_ts") or message.get("ts") or body.get("message_ts") or ""
    return Command(
        text="",
        user=pressed.user,
        channel=pressed.channel,
        team=pressed.team,
        delivery=pressed.delivery,
        response_url=pressed.response_url,
        thread=str(thread),
        trigger=pressed.trigger,
    )


def _of_event(body: Mapping[str, Any], event: Mapping[str, Any]) -> Command:
    team = str(event.get("user_team") or event.get("team") or body.get("team_id") or "")
    event_id = str(body.get("event_id") or "")
    return Command(
        text=_MENTION.sub(" ", str(event.get("text") or ""), count=1),
        user=str(event.get("user") or ""),
        channel=str(event.get("channel") or ""),
        team=team,
        delivery=f"event:{event_id}" if event_id else "",
        thread=str(event.get("thread_ts") or event.get("ts") or ""),
    )


def _is_from_a_person(event: Mapping[str, Any]) -> bool:
    """Bots that answer one another would never end."""
    return bool(event.get("user")) and not event.get("bot_id")
