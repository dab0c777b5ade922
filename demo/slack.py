"""A Slack workspace on loopback: Web API, response URLs, signed deliveries, Socket Mode, and a page to look at it.

It knows nothing of the bot but its address, and judges what the bot sends by Slack's own rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo import slack_payloads as payloads
from demo.serving import running
from demo.slack_api import Faults, WebApi, checked_view
from demo.slack_delivery import CommandResult, Courier, command_parcel, event_parcel, interactive_parcel
from demo.slack_hooks import Hook, Hooks
from demo.slack_page import Page, Shortcut
from demo.slack_socket import SocketHub
from demo.slack_text import message_as_text, modal_as_text, thread_as_text
from demo.slack_workspace import (
    BOT_USER,
    Message,
    SlackRefusal,
    User,
    View,
    Workspace,
)

Json = dict[str, Any]
T = TypeVar("T")

__all__ = ["CommandResult", "Message", "Shortcut", "SlackStandIn", "User", "View"]

_NAMED = re.compile(r"(?<!\w)([@#])([\w.-]+)")


def _now() -> datetime:
    return datetime.now(UTC)


class SlackStandIn:
    """Team T0DEMO with #floor and #ops, Dana, Lee and the guest Sam, and the bot.

    ``app_url`` is the bot's ``/slack/events`` (a string, or a function that tells it; may be set later). ``clock``
    stamps messages and ages triggers and response URLs; signatures use the real time. ``suggestions`` are
    (text, hint) pairs the page offers to try. ``base_url`` is where this workspace itself is served; it must be known
    before the first delivery, ``serving`` sets it.
    """

    def __init__(
        self,
        *,
        signing_secret: str,
        bot_token: str,
        app_url: str | Callable[[], str] = "",
        clock: Callable[[], datetime] = _now,
        app_token: str = "xapp-1-demo",  # noqa: S107 - opens nothing but this stand-in
        command: str = "/reconcile",
        suggestions: Sequence[tuple[str, str]] = (),
        shortcuts: Sequence[Shortcut] = (),
        bot_name: str = "Countlast",
    ) -> None:
        self.app_url = app_url
        self.base_url = ""
        self.slash_command = command
        self.suggestions = tuple(suggestions)
        self.shortcuts = tuple(shortcuts)
        self.workspace = Workspace(clock, bot_name)
        self.socket = SocketHub()
        self.api = WebApi(self.workspace, self.socket, bot_token=bot_token, app_token=app_token)
        self.hooks = Hooks(self.workspace)
        self._courier = Courier(signing_secret, self._bot_address, self.socket)
        self.asgi = self._application()

    @property
    def faults(self) -> Faults:
        """The switches that make the Web API fail."""
        return self.api.faults

    def _bot_address(self) -> str:
        return self.app_url if isinstance(self.app_url, str) else self.app_url()

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/{method}", self._api, methods=["GET", "POST"]),
                Route("/hooks/{kind}/{team}/{secret}", self.hooks.endpoint, methods=["POST"]),
                Route("/upload/{file}", self.api.files.put, methods=["POST"]),
                Route("/files/{file}/{name}", self.api.files.get),
                *Page(self).routes(),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        await self.socket.close()
        await self._courier.close()

    async def _api(self, request: Request) -> Response:
        return await self.api.endpoint(request)

    @contextlib.asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve this workspace and yield its base address; the Web API is at ``{base}/api/``."""
        async with running(self.asgi, host, port) as base_url:
            self.base_url = base_url
            yield base_url

    # --- what people do ---

    async def command(
        self, text: str, *, user: str = "U0DANA", channel: str = "C0FLOOR", command: str | None = None
    ) -> CommandResult:
        """Type a slash command; the ack's body, or the failure Slack shows, becomes an ephemeral message."""
        name = command or self.slash_command
        path = self.hooks.new_path("commands", user, channel)
        fields = payloads.command_fields(
            name,
            self._escaped(text),
            self.workspace.user(user),
            self.workspace.channel(channel),
            trigger_id=self.workspace.new_trigger(user),
            response_url=self.base_url + path,
        )
        result = await self._courier.deliver(command_parcel(fields))
        self._show_ack(name, user, channel, result)
        return result

    async def press(
        self,
        message_ts: str,
        action_id: str,
        user: str = "U0DANA",
        *,
        block_id: str | None = None,
        value: str | None = None,
        selected: object = None,
        as_seen: Message | None = None,
        typed: Mapping[str, Mapping[str, object]] | None = None,
    ) -> CommandResult:
        """Press a button or choose from a menu of a message.

        ``selected`` is the option's value, a user id, or the like; ``as_seen`` the message as the presser still sees
        it, for presses on a card that has changed since; ``typed`` other answers in the message, by block and action.
        Raises ``LookupError`` when there is nothing to press.
        """
        message = as_seen or self.workspace.anywhere(message_ts)
        holder, element = payloads.found_element(message.blocks, action_id, block_id=block_id, value=value)
        path = self.hooks.new_path("actions", user, message.channel, message.ts)
        payload = payloads.message_press(
            message,
            self._pressed(holder, element, selected),
            self.workspace.user(user),
            self.workspace.channel(message.channel),
            trigger_id=self.workspace.new_trigger(user),
            response_url=self.base_url + path,
            state=payloads.state_values(message.blocks, _with_choice(typed, holder, element, selected)),
        )
        return await self._courier.deliver(interactive_parcel(payload))

    async def press_in_view(
        self,
        view_id: str,
        action_id: str,
        user: str = "U0DANA",
        *,
        block_id: str | None = None,
        selected: object = None,
        typed: Mapping[str, Mapping[str, object]] | None = None,
    ) -> CommandResult:
        """The same in a modal or on the Home tab."""
        view = self.workspace.view(view_id)
        holder, element = payloads.found_element(view.payload["blocks"], action_id, block_id=block_id)
        payload = payloads.view_press(
            view,
            self._pressed(holder, element, selected),
            self.workspace.user(user),
            trigger_id=self.workspace.new_trigger(user),
            state=payloads.state_values(view.payload["blocks"], _with_choice(typed, holder, element, selected)),
        )
        return await self._courier.deliver(interactive_parcel(payload))

    async def submit_view(
        self, view_id: str, typed: Mapping[str, Mapping[str, object]] | None = None, user: str = "U0DANA"
    ) -> CommandResult:
        """Press a modal's submit button and do what the ack says: close, show errors, update, push or clear.

        ``typed`` is ``{block_id: {action_id: value}}``; what is left out keeps its initial value.
        """
        view = self.workspace.view(view_id)
        payload = payloads.view_submission(
            view,
            self.workspace.user(user),
            trigger_id=self.workspace.new_trigger(user),
            state=payloads.state_values(view.payload["blocks"], typed or {}),
        )
        result = await self._courier.deliver(interactive_parcel(payload))
        if result.acked:
            self._after_submit(view, result.answer)
        return result

    async def close_view(self, view_id: str, *, every: bool = False) -> CommandResult | None:
        """Dismiss a modal; the bot hears of it only when the view asked with ``notify_on_close``."""
        view = self.workspace.view(view_id)
        self.workspace.close_view(view, every=every or bool(view.payload.get("clear_on_close")))
        if not view.payload.get("notify_on_close"):
            return None
        payload = payloads.view_closed(view, self.workspace.user(view.user), is_cleared=every)
        return await self._courier.deliver(interactive_parcel(payload))

    async def shortcut(self, callback_id: str, user: str = "U0DANA") -> CommandResult:
        """Use a global shortcut."""
        payload = payloads.global_shortcut(
            callback_id,
            self.workspace.user(user),
            trigger_id=self.workspace.new_trigger(user),
            action_ts=self.workspace.next_ts(),
        )
        return await self._courier.deliver(interactive_parcel(payload))

    async def message_shortcut(self, callback_id: str, message_ts: str, user: str = "U0DANA") -> CommandResult:
        """Use a shortcut on a message."""
        message = self.workspace.anywhere(message_ts)
        path = self.hooks.new_path("actions", user, message.channel, message.ts)
        payload = payloads.message_shortcut(
            callback_id,
            message,
            self.workspace.user(user),
            self.workspace.channel(message.channel),
            trigger_id=self.workspace.new_trigger(user),
            response_url=self.base_url + path,
            action_ts=self.workspace.next_ts(),
        )
        return await self._courier.deliver(interactive_parcel(payload))

    def say(
        self, text: str, *, user: str = "U0DANA", channel: str = "C0FLOOR", thread_ts: str | None = None
    ) -> Message:
        """Write an ordinary message."""
        place = self.workspace.channel(channel)
        written = Message(place.id, self.workspace.next_ts(), user, self._escaped(text), thread_ts=thread_ts)
        return self.workspace.put(written)

    async def mention(
        self, text: str, *, user: str = "U0DANA", channel: str = "C0FLOOR", thread_ts: str | None = None
    ) -> CommandResult:
        """Write a message that mentions the bot (``@countlast …`` or ``<@U0BOT> …``), and deliver the event."""
        message = self.say(text, user=user, channel=channel, thread_ts=thread_ts)
        return await self.event(payloads.mention_event(message))

    async def direct(self, text: str, *, user: str = "U0DANA", thread_ts: str | None = None) -> CommandResult:
        """Write to the bot directly, and deliver the event."""
        message = self.say(text, user=user, channel=user, thread_ts=thread_ts)
        return await self.event(payloads.direct_event(message))

    async def open_home(self, user: str = "U0DANA") -> CommandResult:
        """Look at the bot's Home tab."""
        channel = self.workspace.channel(user).id
        ts = self.workspace.next_ts()
        return await self.event(
            {"type": "app_home_opened", "user": user, "channel": channel, "tab": "home", "event_ts": ts}
        )

    async def event(self, event: Json, *, event_id: str | None = None, retry: int = 0) -> CommandResult:
        """Deliver an event; the same ``event_id`` with ``retry`` 1 to 3 repeats a delivery as Slack does."""
        own = event_id or "Ev" + secrets.token_hex(5).upper()
        body = payloads.event_callback(event, event_id=own, event_time=int(self.workspace.clock().timestamp()))
        return await self._courier.deliver(event_parcel(body, retry=retry))

    # --- what can be seen ---

    def messages(self, channel: str = "C0FLOOR") -> list[Message]:
        """What everybody sees in a channel, replies included, oldest first."""
        return self.workspace.messages(channel)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """A parent and its replies, oldest first."""
        return self.workspace.thread(channel, ts)

    def ephemerals(self, user: str = "U0DANA") -> list[Message]:
        """What only this user sees, oldest first."""
        return self.workspace.ephemerals(user)

    async def wait_for(
        self,
        predicate: Callable[[Message], bool],
        timeout: float = 10.0,  # noqa: ASYNC109 - callers give seconds, as with wait_for of asyncio
    ) -> Message:
        """The oldest message, ephemeral ones included, that fits, now or later. Raises ``TimeoutError``."""
        return await self.wait_until(
            lambda: next((message for message in self.workspace.everything() if predicate(message)), None), timeout
        )

    async def wait_until(
        self,
        find: Callable[[], T | None],
        timeout: float = 10.0,  # noqa: ASYNC109 - as above
    ) -> T:
        """The first answer of ``find`` that is not None, asked again after every change of the workspace."""
        async with asyncio.timeout(timeout):
            return await self.workspace.bell.until(find)

    def thread_as_text(self, channel: str, ts: str) -> str:
        """A thread as plain text for a terminal."""
        return thread_as_text(self.workspace, self.thread(channel, ts))

    def message_as_text(self, message: Message) -> str:
        """One message as plain text."""
        return message_as_text(self.workspace, message)

    def modal_as_text(self, view: View) -> str:
        """One open form as plain text."""
        return modal_as_text(self.workspace, view)

    # --- inside ---

    def _pressed(self, holder: str, element: Json, selected: object) -> Json:
        return payloads.pressed(holder, element, selected=selected, action_ts=self.workspace.next_ts())

    def _show_ack(self, name: str, user: str, channel: str, result: CommandResult) -> None:
        hook = Hook(user, self.workspace.channel(channel).id, self.workspace.clock())
        body = result.answer if result.acked else _failure(name, result)
        if not body.get("text") and not body.get("blocks"):
            return
        try:
            self.hooks.respond(hook, body)
        except SlackRefusal as refusal:
            self.hooks.respond(hook, {"text": f"{name} failed with the error “{refusal.code}”"})

    def _after_submit(self, view: View, answer: Json) -> None:
        action = answer.get("response_action")
        if action == "errors":
            self.workspace.change_view(view, errors=dict(answer["errors"]))
        elif action == "update":
            self.workspace.change_view(view, payload=checked_view(answer["view"], "modal"), errors={})
        elif action == "push":
            self.workspace.push_view(view.user, checked_view(answer["view"], "modal"))
        else:
            self.workspace.close_view(view, every=action == "clear")

    def _escaped(self, text: str) -> str:
        """Typed text as Slack sends it: names as ids, the three special characters escaped, ids left alone."""
        parts = re.split(r"(<[@#!][^>]*>)", text)
        return "".join(part if place % 2 else self._with_ids(_escape(part)) for place, part in enumerate(parts))

    def _with_ids(self, text: str) -> str:
        people = {user.name: f"<@{user.id}|{user.name}>" for user in self.workspace.users.values()}
        people[self.workspace.users[BOT_USER].name] = f"<@{BOT_USER}>"
        places = {channel.name: f"<#{channel.id}|{channel.name}>" for channel in self.workspace.channels.values()}
        known = {"@": people, "#": places}
        return _NAMED.sub(lambda found: known[found[1]].get(found[2].lower(), found[0]), text)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _failure(name: str, result: CommandResult) -> Json:
    word = result.body if result.status in {502, 504} else "dispatch_failed"
    return {"text": f"{name} failed with the error “{word}”"}


def _with_choice(
    typed: Mapping[str, Mapping[str, object]] | None, holder: str, element: Json, selected: object
) -> dict[str, Mapping[str, object]]:
    """What was typed, and the choice that is being made with it."""
    given = dict(typed or {})
    if selected is not None:
        given[holder] = {**given.get(holder, {}), element["action_id"]: selected}
    return given
