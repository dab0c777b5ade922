"""The buttons under an answer: its evidence, asking again, handing it to a person, and saying whether it was right.

A button holds the id of the answer and nothing else; everything is looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.errors import ChatError
from bot.inquiries import Verdict
from bot.model import Cause, Diagnosis, Evidence
from bot.settings import FacilitySettings
from handlers.admission import Admission
from handlers.asking import KEEP_SECONDS, Asking
from handlers.chat import Chat, Posted
from handlers.deliveries import first_time
from handlers.entries import of_press
from handlers.heard import Heard
from handlers.payloads import chosen_in, delivery_of, metadata_of, presser_of, sent_view, typed_in, value_of
from handlers.render import words
from handlers.render.blocks import Message
from handlers.render.diagnosis import AGAIN_ACTION, EVIDENCE_ACTION, HAND_ACTION, RIGHT_ACTION
from handlers.render.evidence import PAGE_ACTIONS, render_evidence_page, render_loading, render_notice
from handlers.render.help import render_sentence
from handlers.render.verdict import (
    CAUSE_BLOCK,
    NOTE_BLOCK,
    RIGHT_BLOCK,
    VERDICT_FORM,
    render_verdict_form,
)
from handlers.services import Services
from handlers.slack_calls import mapping
from handlers.thread import Command, Thread
from handlers.work import Work

log = logging.getLogger(__name__)

NOTE_LIMIT: Final = 500

Deed = Callable[["Pressed"], Awaitable[None]]


class Pressed:
    """A press, and the answer that it belongs to."""

    def __init__(self, command: Command, thread: Thread, answer_id: str) -> None:
        self.command = command
        self.thread = thread
        self.answer_id = answer_id


class FollowUps:
    """Answers presses under an answer."""

    def __init__(self, services: Services, chat: Chat, work: Work, asking: Asking, admission: Admission) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._asking = asking
        self._admission = admission

    def listen(self, app: AsyncApp) -> None:
        """Register every listener."""
        for action_id, deed in (
            (EVIDENCE_ACTION, self._show_evidence),
            (HAND_ACTION, self._hand_over),
            (RIGHT_ACTION, self._ask_verdict),
        ):
            app.action(action_id)(self._listener(deed))
        app.action(AGAIN_ACTION)(self.ask_again)
        for action_id in PAGE_ACTIONS:
            app.action(action_id)(self.turn_page)
        app.view(VERDICT_FORM)(self.judged)

    def _listener(self, deed: Deed) -> Any:  # noqa: ANN401 - Bolt takes a listener's parameters by their names
        async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
            await ack()
            command = of_press(body, delivery_of(body))
            press = Pressed(command, Thread(self._chat, command), value_of(body))
            self._work.start(partial(self._once, deed, press), press.thread.whisper, person=command.person)

        return pressed

    async def _once(self, deed: Deed, press: Pressed) -> None:
        if await first_time(self._services, press.command.delivery):
            await deed(press)

    async def _kept(self, press: Pressed) -> tuple[Diagnosis, Evidence, FacilitySettings] | None:
        """The answer, its evidence and its shop; None, and told why: it is gone, or this person may not see it."""
        kept = await self._services.ledger.diagnosis(press.answer_id)
        facility = self._services.settings.facility(kept[0].facility) if kept else None
        if kept is None or facility is None:
            await press.thread.whisper(words.NO_EVIDENCE)
            return None
        why_not = await self._admission.why_not(press.command.user, press.command.channel, facility)
        if why_not is not None:
            await press.thread.whisper(why_not)
            return None
        return (*kept, facility)

    # --- evidence

    async def _show_evidence(self, press: Pressed) -> None:
        """A form at once, for Slack gives three seconds; then what it shows."""
        try:
            view_id = await self._chat.open_view(press.command.trigger, render_loading())
        except ChatError as error:
            log.info("the evidence was not shown (%s)", error.code)
            await press.thread.whisper(words.NOT_OPENED)
            return
        kept = await self._kept(press)
        if kept is None:
            await self._chat.update_view(view_id, render_notice(words.NO_EVIDENCE))
            return
        diagnosis, _, facility = kept
        await self._chat.update_view(view_id, render_evidence_page(diagnosis, facility, 1))

    async def turn_page(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of the buttons in the evidence."""
        await ack()
        command = of_press(body, delivery_of(body))
        self._work.start(partial(self._turn, body, command), self._unheard, person=command.person)

    async def _turn(self, body: Mapping[str, Any], command: Command) -> None:
        if not await first_time(self._services, command.delivery):
            return
        answer_id, _, page = value_of(body).rpartition(":")
        kept = await self._services.ledger.diagnosis(answer_id)
        facility = self._services.settings.facility(kept[0].facility) if kept else None
        view_id = str(mapping(body.get("view")).get("id") or "")
        if kept is None or facility is None or not page.isdecimal():
            await self._chat.update_view(view_id, render_notice(words.NO_EVIDENCE))
        else:
            await self._chat.update_view(view_id, render_evidence_page(kept[0], facility, int(page[:4])))

    # --- asking again, handing over

    async def ask_again(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of “Ask again”: a question like any other, so it is kept before it is acknowledged."""
        await self._asking.take(Heard(of_press(body, delivery_of(body)), again=value_of(body)))
        await ack()

    async def _hand_over(self, press: Pressed) -> None:
        kept = await self._kept(press)
        if kept is None:
            return
        diagnosis, _, facility = kept
        command = press.command
        if not await self._services.ledger.first_time(f"handed:{diagnosis.id}", self._services.clock.now()):
            await press.thread.whisper(words.handed_already())
            return
        answer = Posted(command.channel, command.thread)
        sentence = words.handed(
            facility.contact,
            command.user,
            facility.name,
            diagnosis.headline,
            diagnosis_id=diagnosis.id,
            address=await self._chat.permalink(answer) if command.thread else "",
        )
        await self._say(command, render_sentence(sentence))

    async def _say(self, command: Command, message: Message) -> None:
        """In the thread of the answer, else to who pressed."""
        try:
            await self._chat.post(command.channel, message, thread=command.thread or None)
        except ChatError as error:
            log.info("a thread was not told (%s)", error.code)
            await Thread(self._chat, command).whisper_message(message)

    # --- was this right?

    async def _ask_verdict(self, press: Pressed) -> None:
        command = press.command
        told = json.dumps({"answer": press.answer_id, "channel": command.channel, "thread": command.thread})
        try:
            await self._chat.open_view(command.trigger, render_verdict_form(told))
        except ChatError as error:
            log.info("the form was not opened (%s)", error.code)
            await press.thread.whisper(words.NOT_OPENED)

    async def judged(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of that form."""
        view, delivery = sent_view(body)
        said = chosen_in(view, RIGHT_BLOCK)
        if said not in {"right", "wrong"}:
            await ack(response_action="errors", errors={RIGHT_BLOCK: words.VERDICT_MISSING})
            return
        chosen = chosen_in(view, CAUSE_BLOCK)
        cause = Cause(chosen) if said == "wrong" and chosen in set(Cause) else None
        note = " ".join(typed_in(view, NOTE_BLOCK).split())[:NOTE_LIMIT]
        team, person = presser_of(body)
        told = metadata_of(view, "answer", "channel", "thread")
        verdict = Verdict(told["answer"], "", person, self._services.clock.now(), said == "right", cause, note)
        command = Command("", person, told["channel"], team, delivery, thread=told["thread"])
        thread, decided = Thread(self._chat, command), asyncio.Event()
        self._work.start(partial(self._judge, verdict, command, decided), thread.whisper, person=command.person)
        # “kept” is true when it is read, unless that takes longer than Slack waits
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEP_SECONDS):
                await decided.wait()
        await ack(response_action="update", view=render_notice(words.VERDICT_THANKS, words.VERDICT_TITLE))

    async def _judge(self, verdict: Verdict, command: Command, decided: asyncio.Event) -> None:
        try:
            if not await first_time(self._services, command.delivery):
                return
            press = Pressed(command, Thread(self._chat, command), verdict.diagnosis_id)
            kept = await self._kept(press)
            if kept is None:
                return
            await self._services.inquiries.judge(replace(verdict, facility=kept[0].facility))
        finally:
            decided.set()
        sentence = words.judged(verdict.person, is_right=verdict.is_right, cause=verdict.cause)
        if command.channel:
            await self._say(command, render_sentence(sentence))

    async def _unheard(self, sentence: str) -> None:
        log.warning("who leafs through evidence was not told: %s", sentence)
