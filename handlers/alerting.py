"""Presses on an alert's card, and drawing it. Nothing that matters comes from the payload but who pressed and an id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import attend
from bot.alerts import Alert, Letter
from bot.attend import Attended, Snooze
from bot.errors import ChatError, QuestionError
from bot.settings import Settings
from handlers.admission import Admission
from handlers.chat import Chat, Posted
from handlers.deliveries import first_time
from handlers.directory import SlackDirectory
from handlers.letters import BLIND, SlackLetters
from handlers.metrics import Metrics
from handlers.payloads import delivery_of, input_of, metadata_of, pressed_in, presser_of, sent_view, value_of
from handlers.render import alert as card
from handlers.render.blocks import Message, is_channel, is_person
from handlers.render.help import render_sentence
from handlers.services import Services
from handlers.slack_calls import asked
from handlers.work import Work

log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 2.0
# a try ends well within the outbox's lease
SECONDS: Final = 8

Deed = Callable[[str, str], Awaitable[Attended]]
"""Given an alert's id and a user's."""


class Alerting:
    """Answers presses on alerts. ``client`` opens the form that asks for a date, and says who people are."""

    def __init__(
        self,
        services: Services,
        post: attend.Post,
        chat: Chat,
        client: AsyncWebClient,
        work: Work,
        *,
        admission: Admission,
    ) -> None:
        self._services = services
        self._post = post
        self._chat = chat
        self._directory = SlackDirectory(client)
        self._admission = admission
        self._client = client
        self._work = work

    def listen(self, app: AsyncApp) -> None:
        """Register every listener."""
        self._on(app, card.ACKNOWLEDGE_ACTION, partial(attend.acknowledge, self._post))
        self._on(app, card.CLOSED_ACTION, partial(attend.closed_today, self._post))
        for action_id, length in card.SNOOZE_ACTIONS.items():
            self._on(app, action_id, self._snoozing(length))
        app.action(card.RENEWED_ACTION)(self.ask_when)
        app.view(card.RENEWED_FORM)(self.renewed)

    def _snoozing(self, length: Snooze) -> Deed:
        async def snooze(alert_id: str, by: str) -> Attended:
            return await attend.snooze(self._post, alert_id, by, length)

        return snooze

    def _on(self, app: AsyncApp, action_id: str, deed: Deed) -> None:
        async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
            url, decided = str(body.get("response_url") or ""), asyncio.Event()
            self._work.start(partial(self._attend, deed, body, url, decided), partial(self._tell, url))
            # what is acknowledged is in the database, unless that takes longer than Slack waits
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SECONDS):
                    await decided.wait()
            await ack()

        app.action(action_id)(pressed)

    async def _attend(self, deed: Deed, body: Mapping[str, Any], url: str, decided: asyncio.Event) -> None:
        _, by = presser_of(body)
        try:
            if not await first_time(self._services, delivery_of(body)):
                return
            if not await self._may(value_of(body), by, url, pressed_in(body)):
                return
            attended = await deed(value_of(body), by)
        finally:
            decided.set()
        if not attended.taken:
            await self._tell(url, card.render_taken(attended.alert, by))
        await self._redraw(attended.alert, pressed_in(body))

    async def _redraw(self, alert: Alert, pressed: Posted | None) -> None:
        """At once, so that who pressed sees it; the outbox draws the first message once more, whatever dies here."""
        if pressed is None:
            return
        try:
            await self._chat.edit(pressed, draw(alert, self._post))
        except ChatError as error:
            log.warning("an alert's card was not redrawn: %s", error)

    # --- the form

    async def ask_when(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of “Renewed on…”. Slack gives the form three seconds, so who may is asked when it is sent."""
        await ack()
        url = str(body.get("response_url") or "")
        self._work.start(partial(self._open_form, body, url), partial(self._tell, url))

    async def _open_form(self, body: Mapping[str, Any], url: str) -> None:
        if not await first_time(self._services, delivery_of(body)):
            return
        alert = await self._post.book.alert(value_of(body))
        if alert is None:
            await self._tell(url, card.UNKNOWN)
            return
        pressed = pressed_in(body)
        told = {"alert": alert.id, "url": url, "channel": "", "ts": ""}
        if pressed is not None:
            told |= {"channel": pressed.channel, "ts": pressed.ts}
        today = self._post.hours(alert).day_of(self._services.clock.now())
        view = card.render_renewed_form(alert, json.dumps(told), today)
        await asked(self._client.views_open(trigger_id=str(body.get("trigger_id") or ""), view=view))

    async def renewed(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener of that form."""
        (view, delivery), (_, by) = sent_view(body), presser_of(body)
        told, on = metadata_of(view, "alert", "url", "channel", "ts"), _chosen(view)
        if on is None:
            await ack(response_action="errors", errors={card.RENEWED_BLOCK: card.NO_DATE})
            return
        # what could not be kept leaves the form open, and sent again it is new
        delivery = f"{delivery}:{body.get('trigger_id') or ''}"
        try:
            shops = await self._keep(told, by, on, delivery)
        except QuestionError as error:
            await ack(response_action="errors", errors={card.RENEWED_BLOCK: str(error)[:150]})
            return
        await ack()
        if shops is not None:
            self._work.start(
                partial(self._reply, told, card.render_renewed(by, on, len(shops))), partial(self._tell, told["url"])
            )

    async def _keep(self, told: Mapping[str, str], by: str, on: date, delivery: str) -> tuple[str, ...] | None:
        """The shops that have this key; None: who sent it may not, and was told so; or it is a repeat."""
        pressed = Posted(told["channel"], told["ts"]) if told["channel"] else None
        refusal = await self._refusal(told["alert"], by, pressed)
        if refusal is not None:
            if await first_time(self._services, delivery):
                await self._tell(told["url"], refusal)
            return None
        # a day that is not taken has no effect, and each repeat of it is answered like the first
        if await self._is_possible(told["alert"], on) and not await first_time(self._services, delivery):
            return None
        return await attend.renewed(self._post, told["alert"], by, on)

    async def _is_possible(self, alert_id: str, on: date) -> bool:
        """Whether ``attend.renewed`` takes this day."""
        alert = await self._post.book.alert(alert_id)
        if alert is None:
            return False
        today = self._post.hours(alert).day_of(self._post.clock.now())
        return today - attend.OLDEST_KEY <= on <= today

    async def _reply(self, told: Mapping[str, str], sentence: str) -> None:
        if told["channel"] and told["ts"]:
            await self._chat.post(told["channel"], render_sentence(sentence), thread=told["ts"])

    # --- who, and how they hear of it

    async def _may(self, alert_id: str, user: str, url: str, pressed: Posted | None) -> bool:
        """Whether this person may; who may not is told why."""
        refusal = await self._refusal(alert_id, user, pressed)
        if refusal is not None:
            await self._tell(url, refusal)
        return refusal is None

    async def _refusal(self, alert_id: str, user: str, pressed: Posted | None) -> str | None:
        """Why this person may not, as Slack says now; None: they may. Whom Slack does not vouch for may not."""
        try:
            refusal = attend.may_attend(await self._directory.person(user), await self._directory.home())
            return refusal or await self._outside(await self._post.book.alert(alert_id), user, pressed)
        except ChatError as error:
            log.warning("who pressed could not be looked up: %s", error)
            return card.NOT_KNOWN

    async def _outside(self, alert: Alert | None, user: str, pressed: Posted | None) -> str | None:
        """Why somebody who is not where an alert was told may not attend to it; None: they may.

        An alert that is not known, or that was told nowhere, is refused by whoever looks for it. Where the bot may not
        see who is in the channel, pressing there must do: on-call must not wait for a scope.
        """
        if alert is None or alert.channel is None or self._services.settings.who_may_ask != "channel":
            return None
        if user in {alert.escalate_to, *self._contacts(alert)}:
            return None
        other = alert.escalate_to if is_channel(alert.escalate_to) else None
        places = [channel for channel in (alert.channel, other) if channel is not None]
        try:
            is_there = [await self._admission.is_in(user, channel) for channel in places]
        except ChatError as error:
            if error.code not in BLIND or pressed is None or pressed.channel not in places:
                raise
            return None
        return None if any(is_there) else card.not_in_channel(alert.channel)

    def _contacts(self, alert: Alert) -> tuple[str | None, ...]:
        facilities = (self._services.settings.facility(license_number) for license_number in alert.licenses)
        return tuple(facility.contact for facility in facilities if facility is not None)

    async def _tell(self, url: str, sentence: str) -> None:
        """What was done stands, whether or not its presser can be told."""
        if not url:
            return
        try:
            await self._chat.whisper(url, render_sentence(sentence))
        except ChatError as error:
            log.warning("who pressed was not answered: %s", error)


def draw(alert: Alert, post: attend.Post) -> Message:
    """The card as the alert stands now."""
    return card.render_alert(alert, post.hours(alert), post.clock.now())


def drawing(post: attend.Post) -> Callable[[Letter, bool], Message]:
    """How letters are drawn."""

    def draw_letter(letter: Letter, is_repeat: bool) -> Message:  # noqa: FBT001 - see ``handlers.letters.Draw``
        return card.render_letter(letter, post.hours(letter.alert), post.clock.now(), is_repeat=is_repeat)

    return draw_letter


def on_call(settings: Settings, letter: Letter) -> tuple[str, ...]:
    """Who hears of an alert that its channel does not take: a shop's contact, then who escalations go to."""
    shops = [settings.facility(license_number) for license_number in letter.alert.licenses]
    named = [name for shop in shops if shop for name in (shop.contact, shop.escalate_to)]
    return tuple(dict.fromkeys(name for name in named if name and (is_person(name) or is_channel(name))))


def letters_of(settings: Settings, post: attend.Post) -> SlackLetters:
    """What carries letters to this workspace."""
    client = AsyncWebClient(
        token=settings.slack.bot_token, base_url=settings.slack.api_url, timeout=SECONDS, retry_handlers=[]
    )
    return SlackLetters(client, drawing(post), partial(on_call, settings))


def chat_of(settings: Settings) -> Chat:
    """What posts what is no letter; it counts for itself, for nobody asked for it."""
    client = AsyncWebClient(token=settings.slack.bot_token, base_url=settings.slack.api_url, retry_handlers=[])
    return Chat(client, Metrics())


# --- reading payloads -------------------------------------------------------------------------------------------------


def _chosen(view: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(input_of(view, card.RENEWED_BLOCK).get("selected_date")))
    except ValueError:
        return None
