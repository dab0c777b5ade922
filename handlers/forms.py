"""The form behind the bare command, the shortcuts and the Home tab: what is missing, where, and what the shelf says."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.errors import ChatError
from bot.model import SubjectKind
from bot.settings import Settings
from handlers.asking import Asking
from handlers.chat import Chat
from handlers.deliveries import first_time
from handlers.heard import Heard
from handlers.parse import Ask, Unclear, parse
from handlers.payloads import chosen_in, metadata_of, presser_of, sent_view, typed_in
from handlers.places import whole_name
from handlers.render import words
from handlers.render.form import FORM, SHELF_BLOCK, SHOP_BLOCK, WHAT_BLOCK, plain_sentence, render_form
from handlers.render.help import render_help
from handlers.services import Services
from handlers.thread import Command, Thread
from handlers.work import Work

log = logging.getLogger(__name__)

LONGEST_SHELF: Final = 20


class Forms:
    """Opens the form, and asks what it says."""

    def __init__(self, services: Services, chat: Chat, work: Work, asking: Asking) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._asking = asking

    def listen(self, app: AsyncApp) -> None:
        """Register the listener of the form."""
        app.view(FORM)(self.submitted)

    def start(self, command: Command, note: str = "") -> None:
        """Open it before whoever asked, in the background; the trigger lives three seconds."""
        thread = Thread(self._chat, command)
        self._work.start(partial(self._open, command, thread, note), thread.apologise)

    async def _open(self, command: Command, thread: Thread, note: str) -> None:
        if not await first_time(self._services, command.delivery):
            return
        settings = self._services.settings
        view = render_form(settings, command.channel, _remembered(command), note)
        try:
            await self._chat.open_view(command.trigger, view)
        except ChatError as error:
            log.info("the form was not opened (%s), so the help is told", error.code)
            await thread.whisper_message(render_help(settings))

    async def submitted(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of the form: what cannot be asked comes back to its field, typed values kept."""
        view, delivery = sent_view(body)
        found = _read(view, self._services.settings)
        if isinstance(found, dict):
            await ack(response_action="errors", errors=found)
            return
        ask, shelf = found
        command = replace(_command(body, view), delivery=delivery, shelf=shelf)
        await self._asking.take(Heard(command, tuple(ask.each())))
        await ack()
        self.tell_left_out(command, 1 + len(ask.more), ask.left_out)

    def tell_left_out(self, command: Command, asked: int, left: int) -> None:
        """That more was named than is asked in one go, to who asked alone; nothing where nothing was left out."""
        if left > 0:
            thread = Thread(self._chat, command)
            self._work.start(partial(self._tell, command, thread, words.left_out(asked, left)), thread.apologise)

    async def _tell(self, command: Command, thread: Thread, sentence: str) -> None:
        if await first_time(self._services, command.delivery and f"{command.delivery}:left_out"):
            await thread.whisper(sentence)


def _read(view: Mapping[str, Any], settings: Settings) -> tuple[Ask, Decimal | None] | dict[str, str]:
    """What was asked and counted; else a sentence for each field that cannot be read."""
    typed, counted = typed_in(view, WHAT_BLOCK), typed_in(view, SHELF_BLOCK)
    parsed = parse(typed, settings.command)
    errors: dict[str, str] = {}
    if not isinstance(parsed, Ask):
        said = parsed.sentence if isinstance(parsed, Unclear) else words.FORM_WHAT_HINT
        errors[WHAT_BLOCK] = plain_sentence(said if typed else words.FORM_NOTHING)
    shelf = shelf_of(counted)
    if counted and shelf is None:
        errors[SHELF_BLOCK] = words.FORM_NO_NUMBER
    if not isinstance(parsed, Ask):
        return errors
    asked = whole_name(parsed, settings)
    if shelf is not None and (asked.kind is not SubjectKind.PACKAGE or asked.more):
        errors[SHELF_BLOCK] = words.FORM_SHELF_OF_ONE
    place = asked.place or chosen_in(view, SHOP_BLOCK) or None
    if place is None and len(settings.facilities) > 1:
        errors[SHOP_BLOCK] = words.FORM_NO_SHOP
    return errors or (replace(asked, place=place), shelf)


def shelf_of(text: str) -> Decimal | None:
    """A count as people type it, with a comma or a point; None: it is none."""
    plain = text.replace(" ", "").replace("\u00a0", "")
    if "," in plain and "." not in plain:
        whole, _, rest = plain.partition(",")
        # 1,250 is a thousand and more; 3,5 is three and a half
        plain = whole + rest if len(rest) == 3 and whole != "0" else f"{whole}.{rest}"
    plain = plain.replace(",", "")
    if len(plain) > LONGEST_SHELF or not plain.isascii() or not all(c.isdigit() or c == "." for c in plain):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _remembered(command: Command) -> str:
    """Where the form was opened, for when it is sent. Nothing in it is trusted for more than where to answer."""
    return json.dumps({"channel": command.channel, "thread": command.thread, "url": command.response_url[:1500]})


def _command(body: Mapping[str, Any], view: Mapping[str, Any]) -> Command:
    told = metadata_of(view, "channel", "url", "thread")
    team, person = presser_of(body)
    return Command("", person, told["channel"], team, "", response_url=told["url"], thread=told["thread"])
