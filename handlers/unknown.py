"""What this version does not know. It is acknowledged all the same, or Slack would show an error of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.chat import Chat
from handlers.deliveries import first_time
from handlers.payloads import delivery_of
from handlers.render import words
from handlers.render.help import render_sentence
from handlers.services import Services
from handlers.work import Work


class Unknown:
    """Answers everything that nobody else does."""

    def __init__(self, services: Services, chat: Chat, work: Work) -> None:
        self._services = services
        self._chat = chat
        self._work = work

    async def hint(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Commands, presses, forms, shortcuts: say what can be asked, where there is an address to say it to."""
        await ack()
        response_url = str(body.get("response_url") or "")
        if response_url:
            trigger = str(body.get("trigger_id") or "")
            delivery = delivery_of(body) if body.get("actions") else trigger and f"unknown:{trigger}"
            self._work.start(partial(self._once, delivery, response_url), partial(self._whisper, response_url))

    async def no_options(self, ack: AsyncAck) -> None:
        """A menu that asks for its entries."""
        await ack(options=[])

    async def event(self, ack: AsyncAck) -> None:
        """An event nobody subscribed to here."""
        await ack()

    async def _once(self, delivery: str, response_url: str) -> None:
        if await first_time(self._services, delivery):
            await self._whisper(response_url, words.unknown_command(self._services.settings.command))

    async def _whisper(self, response_url: str, sentence: str) -> None:
        await self._chat.whisper(response_url, render_sentence(sentence))
