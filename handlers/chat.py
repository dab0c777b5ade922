"""Sending to Slack: messages, edits, files and private answers.

* One queue a channel, at Slack's pace; order is kept within it.
* 429 is waited out as long as Slack asks, for Slack has not taken that message.
* A message that may or may not have arrived is looked for by its key, and posted again only when it is not there. Where
  nobody can look (it needs a scope), it is not sent again: a message sent twice is worse than one that is missed.
* Every refusal is a ``ChatError`` with Slack's own word as its code.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import ChatError
from handlers.lanes import Lanes, Sleep
from handlers.metrics import Metrics
from handlers.render import words
from handlers.render.blocks import Message
from handlers.render.splitting import parts

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 60.0
MOST_WAITS: Final = 5
EDIT_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 15
UPLOAD_SECONDS: Final = 60
LOOK_BACK: Final = 100
EVENT: Final = "countlast_message"

NO_ENTRY: Final = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action"})
"""Slack's words for a channel that takes nothing from this bot."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in Slack. ``ts`` is unique within its channel only."""

    channel: str
    ts: str


class _Unsure(Exception):
    """Nobody can tell whether Slack took the message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Chat:
    """One workspace's Slack, through one bot token."""

    def __init__(
        self,
        client: AsyncWebClient,
        metrics: Metrics,
        *,
        sleep: Sleep = asyncio.sleep,
        aside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        """``aside``: entered by whoever waits for a channel's pace."""
        self._client = client
        self._aside = aside
        self._metrics = metrics
        self._sleep = sleep
        self._lanes = Lanes(sleep)

    async def post(
        self, channel: str, message: Message, *, thread: str | None = None, key: str | None = None
    ) -> Posted:
        """Post in a channel, or in the thread of ``thread``; raises ``ChatError``.

        What is too long for one message is posted as several, in the same thread; the first is returned. ``key`` is
        the message's own, by which it is found again; the default is a fresh one.
        """
        first, *rest = parts(message)
        posted = await self._post(channel, first, thread, key or secrets.token_hex(12))
        for part in rest:
            await self._post(posted.channel, part, thread or posted.ts, secrets.token_hex(12))
        return posted

    async def edit(self, posted: Posted, message: Message) -> None:
        """Rewrite one of our own messages; raises ``ChatError``."""
        first = parts(message)[0]
        try:
            await self._send(
                posted.channel,
                # text without blocks would remove the blocks
                lambda: self._client.chat_update(
                    channel=posted.channel, ts=posted.ts, text=first.text, blocks=list(first.blocks)
                ),
                paced=False,
            )
        except _Unsure as error:
            raise self._refused(error.reason) from error

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

    async def whisper_in(self, channel: str, user: str, message: Message, *, thread: str | None = None) -> None:
        """The same where no address for it was given; both must be in the channel. Raises ``ChatError``."""
        await self._asked(
            lambda: self._client.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=list(message.blocks), thread_ts=thread
            )
        )

    async def direct(self, user: str, message: Message) -> Posted:
        """Post in the direct message with one person; raises ``ChatError``, also where the scope for it is missing."""
        answer = await self._asked(lambda: self._client.conversations_open(users=user))
        channel = answer.get("channel")
        if not isinstance(channel, dict) or not channel.get("id"):
            raise self._refused("no_channel")
        return await self.post(str(channel["id"]), message)

    async def upload(self, channel: str, thread: str | None, name: str, content: bytes, *, title: str, alt: str) -> str:
        """Show a file in a channel or thread; its id. ``alt`` describes a picture. Raises ``ChatError``.

        Slack takes it in three steps, and shows it only after the last: a file whose last step fails is seen nowhere.
        """
        place = await self._asked(
            lambda: self._client.files_getUploadURLExternal(
                filename=name, length=len(content), alt_txt=alt[:1000] or None
            )
        )
        url, file_id = str(place.get("upload_url") or ""), str(place.get("file_id") or "")
        if not url or not file_id:
            raise self._refused("no_upload_url")
        await self._put(url, name, content)
        await self._complete(channel, thread, file_id, title)
        return file_id

    async def permalink(self, posted: Posted) -> str:
        """Where a message can be read; empty when Slack does not tell."""
        try:
            answer = await self._asked(
                lambda: self._client.chat_getPermalink(channel=posted.channel, message_ts=posted.ts)
            )
        except ChatError as error:
            # it was taken away, or its channel was
            log.debug("a message has no link: %s", error)
            return ""
        return str(answer.get("permalink") or "")

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Open a modal before whoever the trigger belongs to; its id. Raises ``ChatError``."""
        return _view_id(await self._asked(lambda: self._client.views_open(trigger_id=trigger_id, view=view)))

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        """Replace a modal that is open; raises ``ChatError``."""
        await self._asked(lambda: self._client.views_update(view_id=view_id, view=view))

    async def publish_home(self, user: str, view: dict[str, Any]) -> None:
        """Give somebody a new Home tab; raises ``ChatError``."""
        await self._asked(lambda: self._client.views_publish(user_id=user, view=view))

    async def find(self, channel: str, thread: str | None, key: str) -> Posted | None:
        """Our own message under this key, among the last ones; None: it was not posted. Raises ``ChatError``."""
        return _among(await self._asked(lambda: self._look(channel, thread)), channel, key)

    # --- files

    async def _put(self, url: str, name: str, content: bytes) -> None:
        timeout = aiohttp.ClientTimeout(total=UPLOAD_SECONDS)
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url, data=form) as answer:
                if answer.status >= 300:
                    raise self._refused(f"upload_{answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._refused("unreachable") from error

    async def _complete(self, channel: str, thread: str | None, file_id: str, title: str) -> None:
        try:
            await self._send(
                channel,
                lambda: self._client.files_completeUploadExternal(
                    files=[{"id": file_id, "title": title[:200]}], channel_id=channel, thread_ts=thread
                ),
                paced=True,
            )
        except _Unsure as error:
            raise self._refused(error.reason) from error

    # --- sending

    async def _post(self, channel: str, message: Message, thread: str | None, key: str) -> Posted:
        def request() -> Awaitable[AsyncSlackResponse]:
            return self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=list(message.blocks),
                thread_ts=thread,
                metadata={"event_type": EVENT, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            )

        try:
            answer = await self._send(channel, request, paced=True)
        except _Unsure as unsure:
            found = await self._found(channel, thread, key, unsure.reason)
            if found is not None:
                return found
            answer = await self._once_more(channel, request)
        return Posted(channel=str(answer.get("channel") or channel), ts=str(answer.get("ts")))

    async def _once_more(
        self, channel: str, request: Callable[[], Awaitable[AsyncSlackResponse]]
    ) -> AsyncSlackResponse:
        try:
            return await self._send(channel, request, paced=True)
        except _Unsure as error:
            raise self._refused(error.reason) from error

    async def _found(self, channel: str, thread: str | None, key: str, reason: str) -> Posted | None:
        """The message under this key, if it did arrive. Raises ``ChatError`` where nobody can look."""
        try:
            return await self.find(channel, thread, key)
        except ChatError as error:
            log.warning("a message may be missing (%s), and could not be looked for (%s)", reason, error.code)
            raise self._refused(reason) from error

    def _look(self, channel: str, thread: str | None) -> Awaitable[AsyncSlackResponse]:
        wanted: dict[str, Any] = {"channel": channel, "limit": LOOK_BACK, "include_all_metadata": True}
        if thread is None:
            return self._client.conversations_history(**wanted)
        return self._client.conversations_replies(ts=thread, **wanted)

    async def _asked(self, request: Callable[[], Awaitable[AsyncSlackResponse]]) -> AsyncSlackResponse:
        """One call that belongs to no channel's queue."""
        try:
            return await self._tried(request)
        except _Unsure as error:
            raise self._refused(error.reason) from error

    async def _send(
        self, channel: str, request: Callable[[], Awaitable[AsyncSlackResponse]], *, paced: bool
    ) -> AsyncSlackResponse:
        async with self._aside(), self._lanes.lane(channel, paced=paced):
            # the lane stays closed while 429 is waited out, or a later message would overtake this one
            return await self._tried(request)

    async def _tried(self, request: Callable[[], Awaitable[AsyncSlackResponse]]) -> AsyncSlackResponse:
        for _ in range(MOST_WAITS):
            try:
                return await request()
            except SlackApiError as error:
                if _is_fault_of_slack(error):
                    raise _Unsure(_reason(error)) from error
                if not _is_too_fast(error):
                    raise self._refused(_reason(error)) from error
                await self._wait(getattr(error.response, "headers", {}))
            except aiohttp.ClientConnectorError as error:
                raise self._refused("unreachable") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise _Unsure("unreachable") from error
        raise self._refused("ratelimited")

    async def _wait(self, headers: Mapping[str, object]) -> None:
        await self._sleep(retry_after(headers))

    def _refused(self, reason: str) -> ChatError:
        self._metrics.posts_failed.labels(reason=words.one_word(reason)).inc()
        return ChatError(words.posting_failed(reason), code=reason)


def _among(answer: AsyncSlackResponse, channel: str, key: str) -> Posted | None:
    messages = answer.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if _key_of(message) == key:
            return Posted(channel, str(message["ts"]))
    return None


def _key_of(message: object) -> str | None:
    metadata = message.get("metadata") if isinstance(message, dict) else None
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    key = payload.get("key") if isinstance(payload, dict) else None
    return str(key) if key else None


def _view_id(answer: AsyncSlackResponse) -> str:
    view = answer.get("view")
    return str(view.get("id") or "") if isinstance(view, dict) else ""


def _is_fault_of_slack(error: SlackApiError) -> bool:
    """Slack failed half-way, so it may have done what was asked."""
    status = getattr(error.response, "status_code", None)
    return (isinstance(status, int) and status >= 500) or _reason(error) in {"internal_error", "fatal_error"}


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
