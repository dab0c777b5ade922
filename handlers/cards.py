"""The cards of removals: offered in the thread that asked, kept in line with what the database says, whoever changed it.

What is drawn is always read from the database first, and which revision a card shows is written down after it was drawn.
So a card that a crash left behind is found by the next round, and an older state never stays over a newer one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from slack_sdk.web.async_client import AsyncWebClient

from bot import approve
from bot.approve import Answer, Office
from bot.audit import PROGRAM
from bot.errors import ChatError, CountlastError
from bot.model import Diagnosis
from bot.outbox import GONE
from bot.removals import Card, Intent, Policy, Press, State, Way
from bot.settings import Settings
from handlers.chat import Chat, Posted
from handlers.directory import SlackDirectory
from handlers.parse import History, Pending
from handlers.places import find
from handlers.render import words
from handlers.render.blocks import Message, cut
from handlers.render.card import render_card
from handlers.render.help import places as named
from handlers.render.help import render_sentence
from handlers.render.history import render_history, render_pending
from handlers.slack_calls import asked

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

MOST_AT_ONCE: Final = 200
MOST_LISTED: Final = 50
MOST_LINKS: Final = 10
FOLLOW_SECONDS: Final = 2.0
# others that draw the same card again and again are drawing the newest state themselves
TRIES: Final = 5
NEVER_SHOWN: Final = -1
# there is no card to draw any more, or none that this bot may draw: it would fail every 30 s for ever
OUT_OF_REACH: Final = GONE | {"channel_not_found", "is_archived", "not_in_channel"}


class Cards:
    """``office`` decides and acts, ``chat`` shows. One per process."""

    def __init__(
        self,
        office: Office,
        chat: Chat,
        directory: SlackDirectory,
        settings: Settings,
        client: AsyncWebClient,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.office = office
        self._chat = chat
        self._directory = directory
        self._settings = settings
        self._client = client
        self._sleep = sleep
        # one drawing at a time for each removal, or an older edit could overtake a newer one
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- offering

    async def offer(
        self,
        diagnosis: Diagnosis,
        asked_by: str,
        thread: Posted | None,
        *,
        team: str = "",
        joined: Sequence[str] = (),
    ) -> None:
        """Write down who asked what; then offer what may be removed, one card each. Raises nothing of our own.

        ``thread``: the parent of the thread that has the answer; None: it was told privately, where no card can be.
        ``joined``: who asked the same while it was being answered. ``team``: the workspace that the question was signed for.
        """
        try:
            await approve.note_question(self.office, diagnosis, asked_by or PROGRAM)
            if thread is not None and approve.may_offer(diagnosis):
                askers = [who for who in (asked_by, *joined) if who]
                await self._offer(diagnosis, askers, thread, await self._home(team))
        except CountlastError as error:
            log.warning("the removal was not offered: %s", error)
            await self._say(thread, f"{words.CARD_NO_CARD}: {cut(str(error), 600)}")

    async def joined(self, diagnosis: Diagnosis, person: str) -> None:
        """Somebody asked the same question, so they count as its askers too. Raises nothing of our own."""
        if not person or not approve.may_offer(diagnosis):
            return
        try:
            for intent in await approve.join_answer(self.office, diagnosis, person):
                await self.refresh(intent.id)
        except CountlastError as error:
            log.warning("who joined a question was not written down: %s", error)

    async def _home(self, team: str) -> str:
        """The workspace that a card is for; while Slack does not say, the one of the question, for the act asks again."""
        try:
            return await self._directory.home()
        except ChatError as error:
            if not team:
                raise
            log.warning("which workspace this is was not told: %s", error)
            return team

    async def _offer(self, diagnosis: Diagnosis, askers: Sequence[str], thread: Posted, home: str) -> None:
        for intent in await approve.propose(self.office, diagnosis.id, askers=askers, team=home):
            posted = await self._chat.post(thread.channel, self._drawn(intent), thread=thread.ts)
            await self.office.intents.place(intent.id, Card(posted.channel, posted.ts, thread.ts), intent.revision)
            # cards in other threads may not show yet who has joined
            await self.refresh(intent.id)

    async def _say(self, thread: Posted | None, sentence: str) -> None:
        if thread is None:
            return
        try:
            await self._chat.post(thread.channel, render_sentence(sentence), thread=thread.ts)
        except ChatError as error:
            log.warning("a thread was not told: %s", error)

    # --- pressing

    async def adopt(self, intent_id: str, card: Card) -> None:
        """A card that was pressed and whose place was never written down is one all the same."""
        known = {(one.channel, one.message) for one in await self.office.intents.cards(intent_id)}
        if (card.channel, card.message) not in known and await self.office.intents.get(intent_id) is not None:
            await self.office.intents.place(intent_id, card, NEVER_SHOWN)

    async def carry_on(self, answer: Answer, press: Press) -> None:
        """After the decision: draw it, and carry out what it has approved."""
        await self.refresh(press.intent_id)
        intent = answer.intent
        if not answer.taken or intent is None or intent.state is not State.APPROVED or intent.way is Way.PERSON:
            return
        try:
            async with self._followed(intent.id):
                await approve.act(self.office, intent.id)
        finally:
            await self.refresh(intent.id)

    @asynccontextmanager
    async def _followed(self, intent_id: str) -> AsyncIterator[None]:
        """Draw the progress while work runs; a drawing on its way is let through, or it could overtake the last one."""
        follower = asyncio.create_task(self._follow(intent_id))
        try:
            yield
        finally:
            async with self._lane(intent_id):
                follower.cancel()
            await asyncio.wait({follower})

    async def _follow(self, intent_id: str) -> None:
        while True:
            await self._sleep(FOLLOW_SECONDS)
            await self.refresh(intent_id)

    # --- listing

    async def listed(self, wanted: Pending | History, channel: str) -> Message:
        """What is open, or what there was: at the shop that was named, else at the channel's, else at all."""
        facilities = self._settings.facilities_of(channel) or self._settings.facilities
        if wanted.place is not None:
            facility = find(wanted.place, self._settings)
            if facility is None:
                return render_sentence(words.no_such_place(wanted.place, named(self._settings.facilities)))
            facilities = (facility,)
        licenses = [facility.license for facility in facilities]
        if isinstance(wanted, Pending):
            intents = await self.office.intents.pending(licenses)
            return render_pending(intents, await self._links(intents), self._zone_of)
        intents = await self.office.intents.history(licenses, wanted.label or None, MOST_LISTED)
        return render_history(intents, await self._links(intents), self._zone_of, wanted.label)

    async def _links(self, intents: Sequence[Intent]) -> dict[str, str]:
        """Where the newest card of each is; one that Slack does not tell has no link."""
        found = await asyncio.gather(*(self._link(intent.id) for intent in intents[:MOST_LINKS]))
        return {intent.id: link for intent, link in zip(intents, found, strict=False) if link}

    async def _link(self, intent_id: str) -> str:
        cards = await self.office.intents.cards(intent_id)
        if not cards:
            return ""
        newest = cards[-1]
        try:
            answer = await asked(self._client.chat_getPermalink(channel=newest.channel, message_ts=newest.message))
        except ChatError as error:
            log.warning("a card has no link: %s", error)
            return ""
        return str(answer.get("permalink") or "")

    def _zone_of(self, license_number: str) -> ZoneInfo:
        facility = self._settings.facility(license_number)
        return facility.zone if facility is not None else ZoneInfo("UTC")

    # --- drawing

    async def recover_round(self) -> None:
        """Finish what a crash, a lost answer or a busy METRC has left, and bring every card in line.

        To be called at start-up and every 30 s, by each process. Raises nothing of our own: what fails now is tried
        again in the next round.
        """
        try:
            await approve.recover(self.office)
        except CountlastError as error:
            log.warning("not every removal could be carried on: %s", error)
        await self._redraw(None)

    async def refresh(self, intent_id: str) -> None:
        """Bring all cards of one removal in line. Raises nothing of our own: the next round tries again."""
        async with self._lane(intent_id):
            await self._redraw(intent_id)

    async def _redraw(self, intent_id: str | None) -> None:
        """Those of one removal, or all; one that Slack does not take holds up no other."""
        try:
            stale = await self.office.intents.places(MOST_AT_ONCE, intent_id)
        except CountlastError as error:
            log.warning("which cards are out of line could not be read: %s", error)
            return
        for intent, card in stale:
            try:
                await self._draw(intent, card)
            except CountlastError as error:
                log.warning("a card was not brought in line: %s", error)

    def _lane(self, intent_id: str) -> asyncio.Lock:
        return self._lanes.setdefault(intent_id, asyncio.Lock())

    async def _draw(self, intent: Intent, card: Card) -> None:
        for _ in range(TRIES):
            await self._edit(intent, card)
            if await self.office.intents.shown(card, intent.revision):
                await self._announce(intent, card)
                return
            newer = await self.office.intents.get(intent.id)
            if newer is None:
                return
            intent = newer

    async def _announce(self, intent: Intent, card: Card) -> None:
        """An edit calls nobody, so what people wait for is also a reply in the thread, once."""
        news = words.card_announcement(intent)
        if news is None or card.thread is None:
            return
        # noted first: a reply that is missed is on the card, one that comes twice is a nuisance
        key = f"removal:{intent.id}:{news.key}:{card.channel}:{card.message}"
        if await self.office.ledger.first_time(key, self.office.clock.now()):
            await self._say(Posted(card.channel, card.thread), news.markup)

    async def _edit(self, intent: Intent, card: Card) -> None:
        try:
            await self._chat.edit(Posted(card.channel, card.message), self._drawn(intent))
        except ChatError as error:
            if error.code not in OUT_OF_REACH:
                raise
            log.warning("a card is no longer there to be drawn: %s", error)

    def _drawn(self, intent: Intent) -> Message:
        facility = self._settings.facility(intent.facility)
        if facility is None:
            # the shop was taken out of the configuration, so nobody may approve; what was done stays told
            return render_card(intent, Policy(), intent.facility, ZoneInfo("UTC"))
        return render_card(intent, self.office.policy(intent.facility), facility.name, facility.zone)

    def zone(self, intent: Intent | None) -> ZoneInfo:
        """The shop's wall clock; without a shop, UTC."""
        return self._zone_of(intent.facility if intent is not None else "")
