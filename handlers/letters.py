"""Carries letters to Slack: ``bot.ports.Post``. One try each, nothing is waited out: putting off is the outbox's work.

A message bears its letter's key as metadata, so that one which did go out is found again. Looking needs a scope that a
workspace may refuse; then nobody can look, and what is posted once more says that it may be a repeat.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.alerts import Letter
from bot.errors import ChatError
from handlers.render import words
from handlers.render.blocks import Message
from handlers.slack_calls import asked, mapping

log = logging.getLogger(__name__)

EVENT: Final = "countlast_letter"
PAGE: Final = 100
MOST_PAGES: Final = 5
# it may not read there, so it cannot tell
BLIND: Final = frozenset(
    {"missing_scope", "not_in_channel", "channel_not_found", "not_allowed_token_type", "no_permission"}
)

Draw = Callable[[Letter, bool], Message]
"""The message of a letter; True: it may be a repeat."""


class SlackLetters:
    """One workspace's Slack, through one bot token."""

    def __init__(self, client: AsyncWebClient, draw: Draw) -> None:
        self._client = client
        self._draw = draw
        self._unseen: set[str] = set()

    async def send(self, letter: Letter, thread: str | None) -> str:
        """Post it; the message's id. Raises ``ChatError``."""
        message = self._draw(letter, letter.key in self._unseen)
        ref = await self.say(letter.channel, thread, message, letter.key)
        self._unseen.discard(letter.key)
        return ref

    async def say(self, channel: str, thread: str | None, message: Message, key: str) -> str:
        """Post any message under a key; its id. Raises ``ChatError``."""
        answer = await asked(
            self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=list(message.blocks),
                thread_ts=thread,
                metadata={"event_type": EVENT, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        return str(answer.get("ts"))

    async def find(self, letter: Letter, thread: str | None, since: datetime) -> str | None:
        """The message with this letter's key; None: it is not there, or nobody can look. Raises ``ChatError``."""
        try:
            return await self.find_key(letter.channel, thread, letter.key, since)
        except ChatError as error:
            if error.code not in BLIND:
                raise
            log.info("an earlier message could not be looked for (%s)", error.code)
            self._unseen.add(letter.key)
            return None

    async def find_key(self, channel: str, thread: str | None, key: str, since: datetime) -> str | None:
        """The message under this key, posted since then. Raises ``ChatError``."""
        async for message in self._messages(channel, thread, since):
            metadata = mapping(message.get("metadata"))
            if mapping(metadata.get("event_payload")).get("key") == key:
                return str(message.get("ts"))
        return None

    async def rewrite(self, letter: Letter, message: str) -> None:
        """Make the alert's first message show the letter's alert. Raises ``ChatError``."""
        if not message:
            raise ChatError(words.not_answered("message_not_found"), code="message_not_found")
        drawn = self._draw(letter, False)  # noqa: FBT003 - the one question there is
        await asked(
            self._client.chat_update(channel=letter.channel, ts=message, text=drawn.text, blocks=list(drawn.blocks))
        )

    async def _messages(self, channel: str, thread: str | None, since: datetime) -> AsyncIterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await asked(self._page(channel, thread, since, cursor))
            rows = answer.get("messages")
            for row in rows if isinstance(rows, list) else ():
                yield mapping(row)
            cursor = str(mapping(answer.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return

    def _page(self, channel: str, thread: str | None, since: datetime, cursor: str) -> Any:  # noqa: ANN401 - awaitable
        wanted: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{since.timestamp():.6f}",
            "limit": PAGE,
            "include_all_metadata": True,
        }
        if cursor:
            wanted["cursor"] = cursor
        if thread is None:
            return self._client.conversations_history(**wanted)
        return self._client.conversations_replies(ts=thread, **wanted)
