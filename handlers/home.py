"""The Home tab: looked at, it is drawn anew for who looks, and shows only what that person may see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.approvers import GROUP_MARK
from bot.errors import ChatError
from bot.inquiries import Inquiry
from bot.removals import Intent
from bot.settings import FacilitySettings
from handlers.admission import Admission
from handlers.cards import Cards
from handlers.chat import Chat, Posted
from handlers.deliveries import first_time
from handlers.directory import SlackDirectory
from handlers.entries import of_press
from handlers.forms import Forms
from handlers.payloads import delivery_of, presser_of
from handlers.render import words
from handlers.render.home import ASK_ACTION, MOST_PENDING, MOST_RECENT, REFRESH_ACTION, Home, render_closed, render_home
from handlers.render.status import render_status
from handlers.services import Services
from handlers.slack_calls import mapping
from handlers.thread import is_direct
from handlers.work import Work

log = logging.getLogger(__name__)

MOST_LINKS = 5
LOOK_AT = 4
"""How many times as many cases are looked at as are shown, for some are somebody else's own."""


def _is_private(one: Inquiry, user: str) -> bool:
    """Whether somebody else asked it in their direct message, which nobody else can open."""
    return one.asked_by != user and is_direct(one.channel or "")


class HomeTab:
    """Draws it."""

    def __init__(
        self,
        services: Services,
        chat: Chat,
        work: Work,
        forms: Forms,
        admission: Admission,
        *,
        directory: SlackDirectory,
        cards: Cards | None,
    ) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._forms = forms
        self._admission = admission
        self._directory = directory
        self._cards = cards

    def listen(self, app: AsyncApp) -> None:
        """Register every listener."""
        app.event("app_home_opened")(self.opened)
        app.action(ASK_ACTION)(self.ask)
        app.action(REFRESH_ACTION)(self.refresh)

    async def opened(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Somebody looks at it."""
        await ack()
        event, event_id = mapping(body.get("event")), body.get("event_id")
        if event.get("tab") in (None, "home"):
            self._start(str(event.get("user") or ""), f"event:{event_id}" if event_id else "")

    async def ask(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The form."""
        await ack()
        self._forms.start(replace(of_press(body, delivery_of(body)), channel="", thread=""))

    async def refresh(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Drawn anew."""
        await ack()
        self._start(presser_of(body)[1], delivery_of(body))

    def _start(self, user: str, delivery: str) -> None:
        self._work.start(partial(self._draw, user, delivery), partial(self._say, user), person=user)

    async def _draw(self, user: str, delivery: str) -> None:
        if user and await first_time(self._services, delivery):
            await self._chat.publish_home(user, await self._view(user))

    async def _say(self, user: str, sentence: str) -> None:
        """What went wrong stands where the tab would."""
        if user:
            await self._chat.publish_home(user, render_closed(sentence))

    async def _view(self, user: str) -> dict[str, Any]:
        try:
            why_not = await self._admission.who_is_not(user)
            shops = await self._admission.shops_of(user, self._services.settings.facilities)
        except ChatError as error:
            log.warning("who looks at the Home tab could not be looked up: %s", error)
            return render_closed(words.NOT_KNOWN)
        if why_not is not None:
            return render_closed(why_not)
        return render_home(await self._seen_by(user, shops), self._zone_of)

    async def _seen_by(self, user: str, shops: Sequence[FacilitySettings]) -> Home:
        services = self._services
        newest = await services.inquiries.recent([shop.license for shop in shops], MOST_RECENT * LOOK_AT)
        recent = [one for one in newest if not _is_private(one, user)][:MOST_RECENT]
        approves = [shop.license for shop in services.settings.facilities if await self._is_in(user, shop.approvers)]
        pending = await self._pending(approves, user) if approves else None
        called = [shop.license for shop in services.settings.facilities if await self._is_on_call(user, shop)]
        standing = None
        if called and services.status is not None:
            standing = render_status(await services.status(called), services.clock.now())
        return Home(
            recent=recent,
            links=await self._links(recent, pending or ()),
            shops={shop.license: shop.name for shop in services.settings.facilities},
            standing=standing,
            pending=pending,
        )

    async def _pending(self, licenses: Sequence[str], user: str) -> tuple[Intent, ...] | None:
        """Those that wait for this person: not for who has asked for it where that must be a second one."""
        if self._cards is None:
            return None
        found = await self._cards.office.intents.pending(licenses)
        return tuple(intent for intent in found if self._may_approve(user, intent))

    def _may_approve(self, user: str, intent: Intent) -> bool:
        shop = self._services.settings.facility(intent.facility)
        return shop is None or not shop.second_person or user not in intent.askers

    async def _is_on_call(self, user: str, shop: FacilitySettings) -> bool:
        """Who is called when something lasts; where nobody is named, who approves."""
        named = [name for name in (shop.escalate_to, shop.contact) if name]
        return await self._is_in(user, named or shop.approvers)

    async def _is_in(self, user: str, names: Sequence[str]) -> bool:
        if user in names:
            return True
        for name in names:
            try:
                if name.startswith(GROUP_MARK) and user in await self._directory.members(name):
                    return True
            except ChatError as error:
                log.warning("who is in a user group could not be looked up: %s", error)
        return False

    async def _links(self, recent: Sequence[Inquiry], pending: Sequence[Intent]) -> Mapping[str, str]:
        """Where the newest ones are; each is a call to Slack."""
        places = {one.id: Posted(one.channel, one.thread) for one in recent[:MOST_LINKS] if one.channel and one.thread}
        for intent in pending[:MOST_PENDING] if self._cards is not None else ():
            cards = await self._cards.office.intents.cards(intent.id) if self._cards else ()
            if cards:
                places[intent.id] = Posted(cards[-1].channel, cards[-1].message)
        found = await asyncio.gather(*(self._chat.permalink(place) for place in places.values()))
        return {name: address for name, address in zip(places, found, strict=True) if address}

    def _zone_of(self, license_number: str) -> ZoneInfo:
        facility = self._services.settings.facility(license_number)
        return facility.zone if facility is not None else ZoneInfo("UTC")
