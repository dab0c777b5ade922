"""Charts and the digest, beside the alerts: what fails here never keeps an alert from being told.

A chart is tried again for an hour, then left out. A silent sync's is a letter of its own; the digest's follows its message,
and is tried again only where the bot may look whether the message is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from bot.alerts import Alert, Letter, What
from bot.digest import Arrivals, Digest
from bot.errors import ChatError
from bot.outbox import CHART_FOR
from bot.ports import Clock
from bot.settings import Settings
from handlers.chat import Chat
from handlers.letters import BLIND, SlackLetters, place_of
from handlers.render import words
from handlers.render.charts import digest_alt, digest_chart, silence_alt, silence_chart
from handlers.render.digest import render_digest

log = logging.getLogger(__name__)

SILENCE: Final = "silence.png"
WEEKS: Final = "weeks.png"
TITLES: Final = {SILENCE: words.CHART_TITLE_RECEIPTS, WEEKS: words.CHART_TITLE_WEEKS}


class Charting:
    """Draws and uploads: ``bot.ports.Post``, of which all but charts is done by ``letters``.

    ``arrivals`` and ``digest`` gather what is drawn; they raise a ``CountlastError``.
    """

    def __init__(
        self,
        settings: Settings,
        letters: SlackLetters,
        chat: Chat,
        arrivals: Callable[[Alert], Awaitable[Arrivals]],
        digest: Callable[[str], Awaitable[Digest]],
        *,
        clock: Clock,
    ) -> None:
        self._letters = letters
        self._chat = chat
        self._command = settings.command
        self._arrivals = arrivals
        self._digest = digest
        self._clock = clock

    async def send(self, letter: Letter, thread: str | None) -> str:
        """Post it, or show its chart in the thread; the message's id, or the file's. Raises ``ChatError``."""
        if letter.what is not What.CHART:
            return await self._letters.send(letter, thread)
        facts = await self._arrivals(letter.alert)
        png = await asyncio.to_thread(silence_chart, facts)
        channel, ts = place_of(thread or "", letter.channel)
        return await self._show(channel, ts or None, SILENCE, png, silence_alt(facts))

    async def find(self, letter: Letter, thread: str | None, since: datetime) -> str | None:
        """What an earlier try has posted; None: nothing, or nobody can look. Raises ``ChatError``."""
        if letter.what is not What.CHART:
            return await self._letters.find(letter, thread, since)
        channel, ts = place_of(thread or "", letter.channel)
        return await self._letters.find_file(channel, ts or None, SILENCE, since)

    async def rewrite(self, letter: Letter, message: str) -> None:
        """Make the alert's first message show the letter's alert. Raises ``ChatError``."""
        await self._letters.rewrite(letter, message)

    async def _show(self, channel: str, thread: str | None, name: str, png: bytes, alt: str) -> str:
        return await self._chat.upload(channel, thread, name=name, content=png, title=TITLES[name], alt=alt)

    async def tell_week(self, channel: str, key: str) -> None:
        """Post a channel's digest, unless it is there. Raises a ``CountlastError`` when it, or its chart, is to be tried again.

        ``key`` ends in the day on which the digest is due, for it may have been posted days ago by a process that died.
        """
        since = _slot_of(key)
        try:
            posted, may_look = await self._letters.find_key(channel, None, key, since), True
        except ChatError as error:
            if error.code not in BLIND:
                raise
            # a digest told twice is better than one that is missed
            posted, may_look = None, False
        if posted and (self._is_over(posted) or await self._letters.find_file(channel, posted, WEEKS, since)):
            return
        facts = await self._digest(channel)
        ref = posted or await self._letters.say(channel, None, render_digest(facts, self._command), key)
        try:
            png = await asyncio.to_thread(digest_chart, facts)
            await self._show(channel, ref, WEEKS, png, digest_alt(facts))
        except ChatError as error:
            log.warning("the digest's chart was not shown: %s", error)
            if may_look:
                raise

    def _is_over(self, message: str) -> bool:
        """Whether a chart that belongs to this message has been tried for long enough."""
        posted_at = datetime.fromtimestamp(float(message), UTC)
        return self._clock.now() - posted_at >= CHART_FOR


def _slot_of(key: str) -> datetime:
    """Since when the digest of this key can be there."""
    return datetime.fromisoformat(key.rpartition("/")[2]).replace(tzinfo=UTC)
