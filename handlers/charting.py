"""Charts and the digest, beside the alerts: what fails here never keeps an alert from being told.

A silent sync's chart is a letter of its own: it is tried again for an hour, then left out. The digest's is tried once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from bot.alerts import Alert, Letter, What
from bot.digest import Arrivals, Digest
from bot.errors import ChatError
from bot.ports import Clock
from bot.settings import Settings
from handlers.chat import Chat
from handlers.letters import BLIND, SlackLetters, place_of
from handlers.render import words
from handlers.render.charts import digest_alt, digest_chart, silence_alt, silence_chart
from handlers.render.digest import render_digest

log = logging.getLogger(__name__)

LOOK_BACK: Final = timedelta(days=1)
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
        return await self._letters.find_file(letter, thread, SILENCE, since)

    async def rewrite(self, letter: Letter, message: str) -> None:
        """Make the alert's first message show the letter's alert. Raises ``ChatError``."""
        await self._letters.rewrite(letter, message)

    async def _show(self, channel: str, thread: str | None, name: str, png: bytes, alt: str) -> str:
        return await self._chat.upload(channel, thread, name=name, content=png, title=TITLES[name], alt=alt)

    async def tell_week(self, channel: str, key: str) -> None:
        """Post a channel's digest, unless it is there. Raises a ``CountlastError`` when it could not be posted."""
        if await self._is_there(channel, key):
            return
        facts = await self._digest(channel)
        ref = await self._letters.say(channel, None, render_digest(facts, self._command), key)
        try:
            png = await asyncio.to_thread(digest_chart, facts)
            await self._show(channel, ref, WEEKS, png, digest_alt(facts))
        except ChatError as error:
            log.warning("the digest's chart was not shown: %s", error)

    async def _is_there(self, channel: str, key: str) -> bool:
        """Whoever cannot look posts: a digest told twice is better than one that is missed."""
        try:
            return await self._letters.find_key(channel, None, key, self._clock.now() - LOOK_BACK) is not None
        except ChatError as error:
            if error.code not in BLIND:
                raise
            return False
