"""How payloads reach the bot: signed HTTP, or the socket while a Socket Mode client is connected."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from demo.slack_socket import SocketHub

Json = dict[str, Any]

ACK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How the bot answered a delivery.

    ``status``: the HTTP status; over the socket 200 for an ack; 504 when neither came within three seconds, 502 when
    nobody could be reached. ``body``: the answer's text, JSON as it came. ``ack_seconds``: how long it took.
    """

    status: int
    ack_seconds: float
    body: str

    @property
    def acked(self) -> bool:
        """Whether Slack would be content."""
        return 200 <= self.status < 300

    @property
    def answer(self) -> Json:
        """The body as an object: ``{}`` when empty, ``{"text": body}`` when it is plain text."""
        if not self.acked or not self.body.strip():
            return {}
        try:
            parsed = json.loads(self.body)
        except json.JSONDecodeError:
            return {"text": self.body}
        return parsed if isinstance(parsed, dict) else {"text": self.body}


@dataclass(frozen=True, slots=True)
class Parcel:
    """One payload in both of its wrappings. ``kind`` is the socket's envelope type."""

    kind: str
    payload: Json
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    takes_answer: bool = True


def command_parcel(fields: Json) -> Parcel:
    """A slash command: a plain form."""
    return Parcel("slash_commands", fields, _FORM, urlencode(fields).encode())


def interactive_parcel(payload: Json) -> Parcel:
    """A press, shortcut or view submission: a form with one field that holds JSON."""
    return Parcel("interactive", payload, _FORM, urlencode({"payload": json.dumps(payload)}).encode())


def event_parcel(payload: Json, *, retry: int = 0, reason: str = "http_timeout") -> Parcel:
    """An Events API callback; ``retry`` is the number of the repetition, 0 for the first delivery."""
    headers = (("X-Slack-Retry-Num", str(retry)), ("X-Slack-Retry-Reason", reason)) if retry else ()
    return Parcel("events_api", payload, "application/json", json.dumps(payload).encode(), headers, takes_answer=False)


_FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``v0=`` and the hex HMAC-SHA256 of ``v0:timestamp:body``, as Slack signs requests."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class Courier:
    """Delivers parcels. ``app_url`` is the bot's ``/slack/events``, asked for anew at each delivery."""

    def __init__(self, signing_secret: str, app_url: Callable[[], str], hub: SocketHub) -> None:
        self._secret = signing_secret
        self._app_url = app_url
        self._hub = hub
        self._client: httpx.AsyncClient | None = None

    async def deliver(self, parcel: Parcel) -> CommandResult:
        """Deliver once and wait for the ack at most three seconds."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(ACK_SECONDS):
                status, body = await self._carried(parcel)
        except TimeoutError:
            status, body = 504, "operation_timeout"
        except (httpx.TransportError, ConnectionError):
            status, body = 502, "dispatch_failed"
        return CommandResult(status, time.monotonic() - begun, body)

    async def close(self) -> None:
        """Close connections; a later delivery opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _carried(self, parcel: Parcel) -> tuple[int, str]:
        if self._hub.is_connected:
            answer = await self._hub.deliver(parcel.kind, parcel.payload, takes_answer=parcel.takes_answer)
            return 200, json.dumps(answer) if answer else ""
        response = await self._posted(parcel)
        return response.status_code, response.text

    async def _posted(self, parcel: Parcel) -> httpx.Response:
        if self._client is None:
            # a connection that is kept may be closed by the bot in the very moment in which it is used again
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(trust_env=False, timeout=ACK_SECONDS + 1, limits=limits)
        return await self._client.post(self._app_url(), content=parcel.body, headers=self._headers(parcel))

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        # The bot's own clock may be fixed for a demo, but signatures are always judged by the real one.
        timestamp = str(int(time.time()))
        signed = {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._secret, timestamp, parcel.body),
        }
        return {"Content-Type": parcel.content_type, "User-Agent": "Slackbot 1.0", **signed, **dict(parcel.headers)}
