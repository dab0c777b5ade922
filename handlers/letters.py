"""Carries letters to Slack: ``bot.ports.Post``. One try each, nothing is waited out: putting off is the outbox's work.

A message bears its letter's key as metadata, so that one which did go out is found again. Looking needs a scope that a
workspace may refuse; then nobody can look, and what is posted once more says that it may be a repeat.

A channel that is archived, gone, or was never joined takes nothing, and an alert must not wait for somebody to notice.
Then on-call hears of it directly, with how to mend that. Where a message really went is part of its id (``D0LEE:17.1``), so
that what follows goes to the same place.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.alerts import Letter
from bot.errors import ChatError
from bot.outbox import is_busy
from handlers.chat import NO_ENTRY
from handlers.render import words
from handlers.render.alert import render_elsewhere
from handlers.render.blocks import Message, is_channel
from handlers.slack_calls import asked, mapping

log = logging.getLogger(__name__)

EVENT: Final = "countlast_letter"
PAGE: Final = 100
MOST_PAGES: Final = 5
# it may not read there, so it cannot tell
BLIND: Final = frozenset(
    {"missing_scope", "not_in_channel", "channel_not_found", "is_archived", "not_allowed_token_type", "no_permission"}
)

Draw = Callable[[Letter, bool], Message]
"""The message of a letter; True: it may be a repeat."""

OnCall = Callable[[Letter], Sequence[str]]
"""Who or which channel hears of a letter that its own channel does not take, the best first."""


def place_of(ref: str, channel: str) -> tuple[str, str]:
    """Channel and timestamp of a message that a letter became. ``channel``: the letter's own."""
    place, found, ts = ref.rpartition(":")
    return (place, ts) if found else (channel, ref)


class SlackLetters:
    """One workspace's Slack, through one bot token."""

    def __init__(self, client: AsyncWebClient, draw: Draw, on_call: OnCall | None = None) -> None:
        self._client = client
        self._draw = draw
        self._on_call = on_call or (lambda _: ())
        # letters that may be out already, and since when
        self._unseen: dict[str, datetime] = {}

    async def send(self, letter: Letter, thread: str | None) -> str:
        """Post it; the message's id. Raises ``ChatError``."""
        message = self._draw(letter, letter.key in self._unseen)
        channel, ts = place_of(thread, letter.channel) if thread else (letter.channel, None)
        try:
            told = await self.say(channel, ts, message, letter.key)
            ref = told if channel == letter.channel else f"{channel}:{told}"
        except ChatError as error:
            if error.code not in NO_ENTRY:
                raise
            ref = await self._tell_on_call(letter, message, error)
        self._unseen.pop(letter.key, None)
        return ref

    async def _tell_on_call(self, letter: Letter, message: Message, error: ChatError) -> str:
        """The first of them that takes it. Raises ``ChatError``: the channel's own where there is nobody."""
        for other in self._on_call(letter):
            if other == letter.channel:
                continue
            try:
                place = other if is_channel(other) else await self._direct(other)
                found = await self._said_there(letter, place)
                told = found or await self.say(
                    place, None, render_elsewhere(message, letter.channel, error.code), letter.key
                )
            except ChatError as fault:
                if is_busy(fault):
                    raise
                log.warning("an alert for %s did not reach %s either (%s)", letter.channel, other, fault.code)
                continue
            log.warning("%s takes no alerts (%s); on-call was told directly", letter.channel, error.code)
            return f"{place}:{told}"
        raise error

    async def _said_there(self, letter: Letter, place: str) -> str | None:
        """Only an earlier try can have said it."""
        since = self._unseen.get(letter.key)
        if since is None:
            return None
        try:
            return await self.find_key(place, None, letter.key, since)
        except ChatError as error:
            if error.code not in BLIND:
                raise
            return None

    async def _direct(self, user: str) -> str:
        """The direct message with a person. Raises ``ChatError``."""
        answer = await asked(self._client.conversations_open(users=user))
        return str(mapping(answer.get("channel")).get("id") or user)

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
        channel, ts = place_of(thread, letter.channel) if thread else (letter.channel, None)
        try:
            found = await self.find_key(channel, ts, letter.key, since)
        except ChatError as error:
            if error.code not in BLIND:
                raise
            log.info("an earlier message could not be looked for (%s)", error.code)
            self._unseen[letter.key] = since
            return None
        return found if found is None or channel == letter.channel else f"{channel}:{found}"

    async def find_key(self, channel: str, thread: str | None, key: str, since: datetime) -> str | None:
        """The message under this key, posted since then. Raises ``ChatError``."""
        async for message in self._messages(channel, thread, since):
            metadata = mapping(message.get("metadata"))
            if mapping(metadata.get("event_payload")).get("key") == key:
                return str(message.get("ts"))
        return None

    async def find_file(self, channel: str, thread: str | None, name: str, since: datetime) -> str | None:
        """The message with a file of this name; None: it is not there, or nobody can look. Raises ``ChatError``."""
        try:
            async for message in self._messages(channel, thread, since):
                files = message.get("files")
                names = [mapping(file).get("name") for file in files] if isinstance(files, list) else []
                if name in names:
                    return str(message.get("ts"))
        except ChatError as error:
            if error.code not in BLIND:
                raise
        return None

    async def rewrite(self, letter: Letter, message: str) -> None:
        """Make the alert's first message show the letter's alert. Raises ``ChatError``."""
        if not message:
            raise ChatError(words.not_answered("message_not_found"), code="message_not_found")
        drawn = self._draw(letter, False)  # noqa: FBT003 - the one question there is
        channel, ts = place_of(message, letter.channel)
        await asked(self._client.chat_update(channel=channel, ts=ts, text=drawn.text, blocks=list(drawn.blocks)))

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
