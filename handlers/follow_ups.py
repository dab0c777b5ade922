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
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.case import product_of
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
from handlers.render.blocks import Message, is_channel
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
HANDING: Final = timedelta(minutes=2)
"""Until then a press may still be about to post, so another one does not."""

Kept = tuple[Diagnosis, Evidence, FacilitySettings]

Deed = Callable[["Pressed"], Awaitable[None]]


def handed_key(answer_id: str) -> str:
    """By which the message is found that handed a case over."""
    return f"handed-{answer_id}"


def handing_keys(answer_id: str, now: datetime) -> tuple[str, ...]:
    """What one press takes in this order; whoever finds one taken takes no more, so that it keeps off nobody later."""
    span = int(now.timestamp() // HANDING.total_seconds())
    return tuple(f"handing:{answer_id}:{number}" for number in (span - 1, span))


def called(facility: FacilitySettings, presser: str) -> tuple[str, ...]:
    """Whom a case is handed to: the first who is named and is not who hands it; else who approves; empty: nobody."""
    named = [name for name in (facility.contact, facility.escalate_to) if name and not is_channel(name)]
    for name in named:
        if name != presser:
            return (name,)
    return tuple(name for name in facility.approvers if name != presser)


def _page(kept: Kept | str, number: int) -> dict[str, Any]:
    """A page of the evidence, or why there is none."""
    if isinstance(kept, str):
        return render_notice(kept)
    diagnosis, evidence, facility = kept
    return render_evidence_page(diagnosis, facility, number, product_of(evidence))


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

    async def _kept(self, answer_id: str, command: Command) -> Kept | str:
        """The answer, its evidence and its shop; else why not, as markup: it is gone, or this person may not see it."""
        kept = await self._services.ledger.diagnosis(answer_id)
        facility = self._services.settings.facility(kept[0].facility) if kept else None
        if kept is None or facility is None:
            return words.NO_EVIDENCE
        return await self._admission.why_not(command.user, command.channel, facility) or (*kept, facility)

    # --- evidence

    async def _show_evidence(self, press: Pressed) -> None:
        """A form at once, for Slack gives three seconds; then what it shows."""
        try:
            view_id = await self._chat.open_view(press.command.trigger, render_loading())
        except ChatError as error:
            log.info("the evidence was not shown (%s)", error.code)
            await press.thread.whisper(words.NOT_OPENED)
            return
        await self._chat.update_view(view_id, _page(await self._kept(press.answer_id, press.command), 1))

    async def turn_page(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of the buttons in the evidence."""
        await ack()
        command = of_press(body, delivery_of(body))
        self._work.start(partial(self._turn, body, command), self._unheard, person=command.person)

    async def _turn(self, body: Mapping[str, Any], command: Command) -> None:
        if not await first_time(self._services, command.delivery):
            return
        answer_id, _, page = value_of(body).rpartition(":")
        view_id = str(mapping(body.get("view")).get("id") or "")
        kept = await self._leafed(answer_id) if page.isdecimal() else words.NO_EVIDENCE
        await self._chat.update_view(view_id, _page(kept, int(page[:4]) if page.isdecimal() else 1))

    async def _leafed(self, answer_id: str) -> Kept | str:
        """What somebody has open already: who may see it was asked when it was opened."""
        kept = await self._services.ledger.diagnosis(answer_id)
        facility = self._services.settings.facility(kept[0].facility) if kept else None
        return words.NO_EVIDENCE if kept is None or facility is None else (*kept, facility)

    # --- asking again, handing over

    async def ask_again(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of “Ask again”: a question like any other, so it is kept before it is acknowledged."""
        await self._asking.take(Heard(of_press(body, delivery_of(body)), again=value_of(body)))
        await ack()

    async def _hand_over(self, press: Pressed) -> None:
        command = press.command
        kept = await self._kept(press.answer_id, command)
        if isinstance(kept, str):
            await press.thread.whisper(kept)
            return
        diagnosis, _, facility = kept
        why_not = await self._was_handed(diagnosis.id, command)
        if why_not is not None:
            await press.thread.whisper(why_not)
            return
        answer = Posted(command.channel, command.thread)
        sentence = words.handed(
            called(facility, command.user),
            command.user,
            facility.name,
            diagnosis.headline,
            subject=diagnosis.subject,
            diagnosis_id=diagnosis.id,
            address=await self._chat.permalink(answer) if command.thread else "",
        )
        await self._say(command, render_sentence(sentence), key=handed_key(diagnosis.id))

    async def _was_handed(self, answer_id: str, command: Command) -> str | None:
        """Why it is not to be handed over, as markup; None: it is this press's to do.

        What counts is the message in the thread: a process that died before it posted has handed over nothing. Only one
        press at a time may look, or two would both find none.
        """
        now = self._services.clock.now()
        is_alone = await self._is_alone(answer_id, now)
        try:
            found = await self._chat.find(command.channel, command.thread or None, handed_key(answer_id))
        except ChatError as error:
            log.info("whether a case was handed over could not be looked up (%s)", error.code)
            # once too little rather than twice
            is_first = is_alone and await self._services.ledger.first_time(f"handed:{answer_id}", now)
            return None if is_first else words.handed_already()
        if found is not None:
            return words.handed_already()
        return None if is_alone else words.being_handed()

    async def _is_alone(self, answer_id: str, now: datetime) -> bool:
        for key in handing_keys(answer_id, now):
            if not await self._services.ledger.first_time(key, now):
                return False
        return True

    async def _say(self, command: Command, message: Message, *, key: str | None = None) -> None:
        """In the thread of the answer, else to who pressed. ``key``: see ``Chat.post``."""
        try:
            await self._chat.post(command.channel, message, thread=command.thread or None, key=key)
        except ChatError as error:
            log.info("a thread was not told (%s)", error.code)
            await Thread(self._chat, command).whisper_message(message)

    # --- was this right?

    async def _ask_verdict(self, press: Pressed) -> None:
        command = press.command
        kept = await self._kept(press.answer_id, command)
        if isinstance(kept, str):
            await press.thread.whisper(kept)
            return
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
            kept = await self._kept(verdict.diagnosis_id, command)
            if isinstance(kept, str):
                await Thread(self._chat, command).whisper(kept)
                return
            await self._services.inquiries.judge(replace(verdict, facility=kept[0].facility))
        finally:
            decided.set()
        sentence = words.judged(verdict.person, is_right=verdict.is_right, cause=verdict.cause)
        if command.channel:
            await self._say(command, render_sentence(sentence))

    async def _unheard(self, sentence: str) -> None:
        log.warning("who leafs through evidence was not told: %s", sentence)
