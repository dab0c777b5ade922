"""The buttons under an answer: its evidence, asking again, handing it to a person, and saying whether it was right.

A button holds the id of the answer and nothing else; everything is looked up.
"""

from __future__ import annotations

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
from handlers.asking import Asking
from handlers.chat import Chat, Posted
from handlers.deliveries import first_time
from handlers.entries import of_press
from handlers.heard import Heard
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

ID_LIMIT: Final = 80
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
            press = Pressed(command, Thread(self._chat, command), _value(body))
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
        answer_id, _, page = _value(body).rpartition(":")
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
        await self._asking.take(Heard(of_press(body, delivery_of(body)), again=_value(body)))
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
        view = mapping(body.get("view"))
        values = mapping(mapping(view.get("state")).get("values"))
        said = _chosen(values, RIGHT_BLOCK)
        if said not in {"right", "wrong"}:
            await ack(response_action="errors", errors={RIGHT_BLOCK: words.VERDICT_MISSING})
            return
        await ack(response_action="update", view=render_notice(words.VERDICT_THANKS, words.VERDICT_TITLE))
        chosen = _chosen(values, CAUSE_BLOCK)
        cause = Cause(chosen) if said == "wrong" and chosen in set(Cause) else None
        note = " ".join(str(_input(values, NOTE_BLOCK).get("value") or "").split())[:NOTE_LIMIT]
        user = mapping(body.get("user"))
        team = str(user.get("team_id") or mapping(body.get("team")).get("id") or "")
        told = _metadata(view)
        verdict = Verdict(
            told["answer"], "", str(user.get("id") or ""), self._services.clock.now(), said == "right", cause, note
        )
        command = Command(
            text="",
            user=verdict.person,
            channel=told["channel"],
            team=team,
            delivery=f"view:{team}:{verdict.person}:{view.get('id')}",
            thread=told["thread"],
        )
        thread = Thread(self._chat, command)
        self._work.start(partial(self._judge, verdict, command), thread.whisper, person=command.person)

    async def _judge(self, verdict: Verdict, command: Command) -> None:
        if not await first_time(self._services, command.delivery):
            return
        press = Pressed(command, Thread(self._chat, command), verdict.diagnosis_id)
        kept = await self._kept(press)
        if kept is None:
            return
        await self._services.inquiries.judge(replace(verdict, facility=kept[0].facility))
        sentence = words.judged(verdict.person, is_right=verdict.is_right, cause=verdict.cause)
        if command.channel:
            await self._say(command, render_sentence(sentence))

    async def _unheard(self, sentence: str) -> None:
        log.warning("who leafs through evidence was not told: %s", sentence)


# --- reading payloads -------------------------------------------------------------------------------------------------


def delivery_of(body: Mapping[str, Any]) -> str:
    """One key for every repeat of the same press."""
    action = _action(body)
    container = mapping(body.get("container"))
    place = container.get("message_ts") or mapping(body.get("view")).get("id")
    parts = (
        mapping(body.get("team")).get("id"),
        mapping(body.get("user")).get("id"),
        container.get("channel_id"),
        place,
        action.get("action_id"),
        action.get("action_ts") or body.get("trigger_id"),
    )
    return ":".join(["action", *(str(part or "") for part in parts)])


def _metadata(view: Mapping[str, Any]) -> dict[str, str]:
    try:
        told = mapping(json.loads(str(view.get("private_metadata") or "{}")))
    except ValueError:
        told = {}
    return {name: str(told.get(name) or "")[:ID_LIMIT] for name in ("answer", "channel", "thread")}


def _value(body: Mapping[str, Any]) -> str:
    return str(_action(body).get("value") or "")[:ID_LIMIT]


def _action(body: Mapping[str, Any]) -> Mapping[str, Any]:
    rows = body.get("actions")
    return mapping(rows[0]) if isinstance(rows, list) and rows else {}


def _input(values: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    return mapping(mapping(values.get(block)).get(block))


def _chosen(values: Mapping[str, Any], block: str) -> str:
    return str(mapping(_input(values, block).get("selected_option")).get("value") or "")
