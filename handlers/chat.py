"""Sending to Slack: messages, edits and private answers.

* Order is kept within a channel: one message at a time.
* 429 is waited out as long as Slack asks, for Slack has not taken that message. Nothing else is tried again: Slack
  gives no way to tell a lost request from a lost answer, and a message sent twice is worse than one that is missed.
* Every refusal is a ``ChatError`` with Slack's own word as its code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakValueDictionary

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import ChatError
from handlers.metrics import Metrics
from handlers.render import words
from handlers.render.blocks import Message

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

LONGEST_WAIT: Final = 60.0
MOST_WAITS: Final = 5
EDIT_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in Slack. ``ts`` is unique within its channel only."""

    channel: str
    ts: str


class Chat:
    """One workspace's Slack, through one bot token."""

    def __init__(self, client: AsyncWebClient, metrics: Metrics, *, sleep: Sleep = asyncio.sleep) -> None:
        self._client = client
        self._metrics = metrics
        self._sleep = sleep
        # locks vanish with the last one who waits for them
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def post(self, channel: str, message: Message, *, thread: str | None = None) -> Posted:
        """Post in a channel, or in the thread of ``thread``; raises ``ChatError``."""
        answer = await self._send(
            channel,
            lambda: self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=list(message.blocks),
                thread_ts=thread,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return Posted(channel=str(answer.get("channel") or channel), ts=str(answer.get("ts")))

    async def edit(self, posted: Posted, message: Message) -> None:
        """Rewrite one of our own messages; raises ``ChatError``."""
        await self._send(
            posted.channel,
            # text without blocks would remove the blocks
            lambda: self._client.chat_update(
                channel=posted.channel, ts=posted.ts, text=message.text, blocks=list(message.blocks)
            ),
        )

    async def whisper(self, response_url: str, message: Message, *, thread: str | None = None) -> None:
        """Answer one person privately, in a thread if told; works where the bot is no member. Raises ``ChatError``."""
        body = _private(message) | ({"thread_ts": thread} if thread else {})
        # Slack's own client would send again after a broken connection, and the person would read it twice
        client = AsyncWebhookClient(response_url, timeout=TIMEOUT_SECONDS, retry_handlers=[])
        try:
            for _ in range(MOST_WAITS):
                answer = await client.send_dict(body)
                if answer.status_code != 429:
                    break
                await self._wait(answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._refused("unreachable") from error
        if answer.status_code >= 300:
            raise self._refused(words.one_word(answer.body) if len(answer.body) < 60 else str(answer.status_code))

    async def _send(self, channel: str, request: Callable[[], Awaitable[AsyncSlackResponse]]) -> AsyncSlackResponse:
        lane = self._lanes.setdefault(channel, asyncio.Lock())
        async with lane:
            for _ in range(MOST_WAITS):
                try:
                    return await request()
                except SlackApiError as error:
                    if not _is_too_fast(error):
                        raise self._refused(_reason(error)) from error
                    # the lane stays closed, or a later message would overtake this one
                    await self._wait(getattr(error.response, "headers", {}))
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    raise self._refused("unreachable") from error
        raise self._refused("ratelimited")

    async def _wait(self, headers: Mapping[str, object]) -> None:
        await self._sleep(retry_after(headers))

    def _refused(self, reason: str) -> ChatError:
        self._metrics.posts_failed.labels(reason=words.one_word(reason)).inc()
        return ChatError(words.posting_failed(reason), code=reason)


def retry_after(headers: Mapping[str, object]) -> float:
    """Seconds that Slack asks us to wait: 1 when it does not say, at most a minute."""
    for name, value in headers.items():
        if str(name).lower() == "retry-after":
            text = value[0] if isinstance(value, list) else str(value)
            return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else 1.0
    return 1.0


def _is_too_fast(error: SlackApiError) -> bool:
    return getattr(error.response, "status_code", None) == 429 or _reason(error) in {"ratelimited", "rate_limited"}


def _reason(error: SlackApiError) -> str:
    data = getattr(error.response, "data", None)
    reason = data.get("error") if isinstance(data, dict) else None
    return str(reason or getattr(error.response, "status_code", None) or "unreadable_answer")


def _private(message: Message) -> dict[str, Any]:
    return {
        "text": message.text,
        "blocks": list(message.blocks),
        "response_type": "ephemeral",
        "replace_original": False,
    }


class ProgressMessage:
    """One message that is edited while work runs. Used as a context: editing stops when the block is left.

    ``stage`` returns at once; stages that follow one another quickly become one edit, the newest wins. An edit that
    Slack refuses is only logged, for the answer itself matters more.
    """

    def __init__(
        self, edit: Callable[[str], Awaitable[None]], *, every: float = EDIT_SECONDS, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._edit = edit
        self._every = every
        self._sleep = sleep
        self._newest: str | None = None
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    async def stage(self, sentence: str) -> None:
        """A stage of the work begins."""
        self._newest = sentence
        self._news.set()

    async def __aenter__(self) -> Self:
        """Start to write."""
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; an edit that is on its way is let through, or it could overtake the last one."""
        if self._writer is None:
            return
        async with self._writing:
            self._writer.cancel()
        await asyncio.wait({self._writer})

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            async with self._writing:
                await self._edit_or_log(self._newest or "")
            await self._sleep(self._every)

    async def _edit_or_log(self, sentence: str) -> None:
        try:
            await self._edit(sentence)
        except ChatError as error:
            log.warning("a progress message was not edited: %s", error)
