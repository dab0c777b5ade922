"""Charts and the digest, beside the alerts: what fails here is logged, and never keeps an alert from being told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from bot.alerts import Alert, Kind, Letter, What
from bot.digest import Arrivals, Digest
from bot.errors import ChatError, CountlastError
from bot.ports import Clock
from bot.settings import Settings
from handlers.chat import Chat
from handlers.letters import BLIND, SlackLetters
from handlers.render.charts import digest_alt, digest_chart, silence_alt, silence_chart
from handlers.render.digest import render_digest

log = logging.getLogger(__name__)

LOOK_BACK: Final = timedelta(days=1)
SECONDS: Final = 60.0
TITLES: Final = {"silence.png": "Receipts recorded by METRC", "weeks.png": "The last weeks"}


class Charting:
    """Draws and uploads. ``arrivals`` and ``digest`` gather what is drawn; they raise a ``CountlastError``."""

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
        self._drawing: set[asyncio.Task[None]] = set()

    async def sent(self, letter: Letter, ref: str) -> None:
        """A letter is out: where a feed fell silent, its chart follows in the thread, and nothing waits for it."""
        if letter.what is What.FIRE and letter.alert.kind is Kind.SYNC_SILENT:
            task = asyncio.create_task(self._draw(letter, ref))
            self._drawing.add(task)
            task.add_done_callback(self._drawing.discard)

    async def close(self) -> None:
        """Let what is being drawn come to its end."""
        if self._drawing:
            await asyncio.wait(set(self._drawing), timeout=SECONDS)

    async def _draw(self, letter: Letter, ref: str) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                facts = await self._arrivals(letter.alert)
                png = await asyncio.to_thread(silence_chart, facts)
                await self._show(letter.channel, ref, "silence.png", png, silence_alt(facts))
        except (CountlastError, TimeoutError) as error:
            log.warning("the chart of an alert was not shown: %s", str(error) or "it took too long")

    async def _show(self, channel: str, thread: str, name: str, png: bytes, alt: str) -> None:
        await self._chat.upload(channel, thread, name=name, content=png, title=TITLES[name], alt=alt)

    async def tell_week(self, channel: str, key: str) -> None:
        """Post a channel's digest, unless it is there. Raises a ``CountlastError`` when it could not be posted."""
        if await self._is_there(channel, key):
            return
        facts = await self._digest(channel)
        ref = await self._letters.say(channel, None, render_digest(facts, self._command), key)
        try:
            png = await asyncio.to_thread(digest_chart, facts)
            await self._show(channel, ref, "weeks.png", png, digest_alt(facts))
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
