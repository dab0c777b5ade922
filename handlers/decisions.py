"""Presses on a removal's card: kept first, then acknowledged, then decided, then drawn.

Nothing that matters comes from the payload but who pressed: the button holds an id, and all else is looked up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot import approve
from bot.errors import ChatError, StorageError
from bot.removals import Card, Press, State, Verb
from handlers.cards import Cards
from handlers.chat import Chat, Posted
from handlers.deliveries import first_time
from handlers.payloads import chosen_in, delivery_of, metadata_of, pressed_in, presser_of, sent_view, typed_in, value_of
from handlers.render import card, words
from handlers.render.help import render_sentence
from handlers.services import Services
from handlers.slack_calls import asked, mapping
from handlers.work import Work

log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 2.5
NOTE_LIMIT: Final = 300
NOT_ACKNOWLEDGED: Final = 503

VERBS: Final = {
    card.APPROVE_ACTION: Verb.APPROVE,
    card.WITHDRAW_ACTION: Verb.WITHDRAW,
    card.CHECK_ACTION: Verb.CHECK,
    card.ABANDON_ACTION: Verb.ABANDON,
}


@dataclass(frozen=True, slots=True)
class Ear:
    """Where one person can be answered privately; ``url`` empty: nowhere. ``thread``: in which thread, empty: in none."""

    url: str
    thread: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Ear:
        """Of who pressed a button in a message."""
        return cls(str(body.get("response_url") or ""), str(mapping(body.get("container")).get("thread_ts") or ""))


class Decisions:
    """Answers presses. ``client`` opens the form that asks for a reason."""

    def __init__(self, services: Services, cards: Cards, chat: Chat, client: AsyncWebClient, work: Work) -> None:
        self._services = services
        self._cards = cards
        self._chat = chat
        self._client = client
        self._work = work

    def listen(self, app: AsyncApp) -> None:
        """Register every listener."""
        for action_id, verb in VERBS.items():
            app.action(action_id)(self._listener(verb))
        app.action(card.DECLINE_ACTION)(self.ask_why)
        app.view(card.DECLINE_FORM)(self.decline)

    def _listener(self, verb: Verb) -> Any:  # noqa: ANN401 - Bolt takes a listener's parameters by their names
        async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
            await self._pressed(ack, body, verb)

        return pressed

    async def _pressed(self, ack: AsyncAck, body: Mapping[str, Any], verb: Verb) -> None:
        press, ear = self._press_of(body, verb), Ear.of(body)
        if await self._keep(ack, press, ear):
            self._start(press, ear, pressed_in(body))

    async def ask_why(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of “Decline…”: a form, for which Slack gives three seconds. It decides nothing yet."""
        await ack()
        ear = Ear.of(body)
        self._work.start(partial(self._open_form, body, ear), partial(self._not_opened, ear))

    async def decline(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of that form."""
        view, delivery = sent_view(body)
        reason = reason_of(view)
        if not reason:
            await ack(response_action="errors", errors={card.NOTE_BLOCK: words.CARD_FORM_NOTE_MISSING})
            return
        told = metadata_of(view, "removal", "url", "thread")
        team, person = presser_of(body)
        press = Press(
            id=delivery,
            intent_id=told["removal"],
            verb=Verb.DECLINE,
            person=person,
            team=team,
            at=self._services.clock.now(),
            reason=reason,
        )
        ear = Ear(told["url"], told["thread"])
        if await self._keep(ack, press, ear):
            self._start(press, ear, None)

    # --- keeping

    async def _keep(self, ack: AsyncAck, press: Press, ear: Ear) -> bool:
        """Whether there is something to do. What could not be kept is not acknowledged: Slack then shows a warning."""
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                is_new = await approve.take(self._cards.office, press)
        except (StorageError, TimeoutError) as error:
            log.warning("a press was not kept, and not acknowledged: %s", error or "the database is busy")
            ack.response = BoltResponse(status=NOT_ACKNOWLEDGED)
            self._work.start(partial(self._whisper, ear, words.CARD_NOT_KEPT), self._unheard)
            return False
        await ack()
        if not is_new:
            self._services.metrics.repeats.inc()
        return is_new

    def _press_of(self, body: Mapping[str, Any], verb: Verb) -> Press:
        team, person = presser_of(body)
        return Press(
            # without a delivery of its own it cannot be told from a repeat, so it counts as new
            id=delivery_of(body) or f"action:{secrets.token_hex(8)}",
            intent_id=value_of(body),
            verb=verb,
            person=person,
            team=team,
            at=self._services.clock.now(),
        )

    # --- deciding

    def _start(self, press: Press, ear: Ear, pressed: Posted | None) -> None:
        self._work.start(partial(self._decide, press, ear, pressed), partial(self._late, ear))

    async def _decide(self, press: Press, ear: Ear, pressed: Posted | None) -> None:
        if not await self._cards.office.intents.was_taken(press.id) and not await first_time(self._services, press.id):
            return
        if pressed is not None:
            await self._cards.adopt(press.intent_id, Card(pressed.channel, pressed.ts, ear.thread or None))
        answer = await approve.decide(self._cards.office, press)
        sentence = words.card_answer(answer, press.verb, self._cards.zone(answer.intent))
        if sentence:
            await self._tell(ear, sentence)
        await self._cards.carry_on(answer, press)

    async def _tell(self, ear: Ear, sentence: str) -> None:
        """What was decided stands, whether or not its presser can be told."""
        try:
            await self._whisper(ear, sentence)
        except ChatError as error:
            log.warning("who pressed was not answered: %s", error)

    async def _late(self, ear: Ear, _sentence: str) -> None:
        """The press is in the database, so the next round finishes what was begun."""
        await self._tell(ear, words.CARD_KEPT)

    # --- the form

    async def _open_form(self, body: Mapping[str, Any], ear: Ear) -> None:
        intent_id, delivery = value_of(body), delivery_of(body)
        if not await first_time(self._services, f"form:{delivery}" if delivery else ""):
            return
        intent = await self._cards.office.intents.get(intent_id)
        if intent is None or intent.state is not State.PROPOSED:
            await self._refuse_form(body, ear)
            return
        metadata = json.dumps({"removal": intent.id, "url": ear.url, "thread": ear.thread})
        view = card.render_decline_form(intent, metadata)
        await asked(self._client.views_open(trigger_id=str(body.get("trigger_id") or ""), view=view))

    async def _refuse_form(self, body: Mapping[str, Any], ear: Ear) -> None:
        """No form for what is decided; the press is answered, and written down, like any other that comes late."""
        press = self._press_of(body, Verb.DECLINE)
        if await first_time(self._services, press.id):
            answer = await approve.decide(self._cards.office, press)
            await self._tell(ear, words.card_answer(answer, press.verb, self._cards.zone(answer.intent)))
            await self._cards.carry_on(answer, press)

    async def _not_opened(self, ear: Ear, _sentence: str) -> None:
        await self._tell(ear, words.CARD_NOT_OPENED)

    async def _whisper(self, ear: Ear, sentence: str) -> None:
        if ear.url:
            await self._chat.whisper(ear.url, render_sentence(sentence), thread=ear.thread or None)

    async def _unheard(self, _sentence: str) -> None:
        log.warning("who pressed was not told that it was not kept")


# --- reading payloads -------------------------------------------------------------------------------------------------


def reason_of(view: Mapping[str, Any]) -> str:
    """What was chosen and typed, as one line; empty when it says nothing."""
    reason = chosen_in(view, card.REASON_BLOCK)
    note = " ".join(typed_in(view, card.NOTE_BLOCK).split())[:NOTE_LIMIT]
    if reason == "other" or reason not in words.CARD_REASONS:
        return note
    label = words.CARD_REASONS[reason]
    return f"{label}: {note}" if note else label
