"""The one path of every question, whichever way it came in: read it, find the shop and the tag, ask, answer.

A question that is being answered is joined: who joins is told where its answer comes, or gets it in a thread of their
own when they asked elsewhere. Who asked and who joined is known when a removal is offered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from bot.errors import MetrcError
from bot.inquiries import LEFT_BEHIND, STILL_NEWS, Inquiry, inquiry
from bot.investigate import new_id
from bot.model import Diagnosis, Question, Subject, SubjectKind
from bot.settings import FacilitySettings
from handlers.admission import Admission
from handlers.cards import Cards
from handlers.chat import Chat, Posted, ProgressMessage
from handlers.deliveries import counted, first_time
from handlers.pace import Pace
from handlers.parse import Ask, Help, History, Parsed, Pending, Status, Unclear, parse
from handlers.places import choose, whole_name
from handlers.rechecking import promise
from handlers.render import ask_words, words
from handlers.render.help import render_help
from handlers.services import Services
from handlers.shops import Shops
from handlers.standing import status
from handlers.thread import Command, Offer, Thread
from handlers.work import Work

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS: Final = 1.0


class Asking:
    """Answers questions. One per process."""

    def __init__(
        self,
        services: Services,
        chat: Chat,
        work: Work,
        pace: Pace,
        admission: Admission,
        *,
        cards: Cards | None = None,
    ) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._pace = pace
        self._admission = admission
        self._cards = cards
        self._shops = Shops(services, chat)

    def start(self, command: Command) -> None:
        """Answer what was typed, in the background; the delivery counts once however often it comes."""
        thread = Thread(self._chat, command)
        self._work.start(partial(self._once, command, thread), thread.apologise, person=command.person)

    def start_asks(self, asks: Sequence[Ask], command: Command) -> None:
        """The same for what somebody else's message speaks of, or a form says."""
        thread = Thread(self._chat, command)
        self._work.start(partial(self._once, command, thread, tuple(asks)), thread.apologise, person=command.person)

    async def _once(self, command: Command, thread: Thread, asks: Sequence[Ask] = ()) -> None:
        if not await first_time(self._services, command.delivery):
            return
        if asks:
            await self._ask_all(asks, command, thread)
        else:
            await self._parsed(parse(command.text, self._services.settings.command), command, thread)

    async def _parsed(self, parsed: Parsed, command: Command, thread: Thread) -> None:
        settings = self._services.settings
        match parsed:
            case Help():
                await thread.whisper_message(render_help(settings))
            case Unclear(sentence):
                await thread.whisper(sentence)
            case Pending() | History() as wanted:
                await self._list(wanted, command, thread)
            case Status(place):
                await thread.whisper_message(await status(self._services, place, command.channel))
            case Ask() as ask:
                await self._ask_all(tuple(whole_name(ask, settings).each()), command, thread)
                if ask.left_out:
                    await thread.whisper(ask_words.left_out(1 + len(ask.more), ask.left_out))

    async def _list(self, wanted: Pending | History, command: Command, thread: Thread) -> None:
        if self._cards is None:
            await thread.whisper(words.unknown_command(self._services.settings.command))
        else:
            await thread.whisper_message(await self._cards.listed(wanted, command.channel))

    # --- the shop, the person, the tag

    async def _ask_all(self, asks: Sequence[Ask], command: Command, thread: Thread) -> None:
        """The first one in the thread that was prepared, each other one in a thread of its own, side by side."""
        others = asks[1:]
        for ask in others:
            own = Thread(self._chat, command)
            self._work.start(partial(self._ask, ask, command, own), own.apologise, person=command.person)
        await self._ask(asks[0], command, thread)

    async def _ask(self, ask: Ask, command: Command, thread: Thread) -> None:
        if command.place is not None and ask.place is None:
            ask = replace(ask, place=command.place)
        facility = choose(ask, command.channel, self._services.settings)
        if isinstance(facility, Unclear):
            await thread.whisper(facility.sentence)
            return
        why_not = await self._admission.why_not(command.user, command.channel, facility)
        if why_not is not None:
            await thread.whisper(why_not)
        elif not self._pace.allows(command.person):
            await thread.whisper(words.slow_down(self._pace.limit))
        else:
            await self._look_up(ask, command, thread, facility)

    async def _look_up(self, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings) -> None:
        if not command.channel and facility.channel:
            # asked where there is no channel: the answer belongs where the shop's people are
            command = replace(command, channel=facility.channel)
            thread = Thread(self._chat, command)
        notes: tuple[str, ...] = ()
        if ask.retail_id or ask.is_tail:
            found = await self._whole(ask, facility)
            if isinstance(found, Unclear):
                await thread.whisper(found.sentence)
                return
            if found != ask.label:
                notes = (ask_words.read_as(ask.retail_id or ask.label, found),)
            ask = replace(ask, label=found, retail_id="")
        if ask.kind is SubjectKind.FACILITY:
            await self._shops.answer(command, thread, facility)
        else:
            await self._answer(ask, command, thread, facility, notes)

    async def _whole(self, ask: Ask, facility: FacilitySettings) -> str | Unclear:
        """The whole tag behind its last digits or the code on a unit; raises a ``CountlastError``."""
        services, name = self._services, self._services.settings.command
        if ask.retail_id:
            try:
                found = await services.scanned(facility.license, ask.retail_id) if services.scanned else ()
            except MetrcError as error:
                log.warning("a code on a unit was not read: %s", error)
                found = ()
            return found[0] if found else Unclear(ask_words.not_scanned(name))
        if services.ending is None:
            return ask.label
        labels = await services.ending(facility.license, ask.label)
        if not labels:
            return Unclear(ask_words.none_ends_so(ask.label, name))
        return labels[0] if len(labels) == 1 else Unclear(ask_words.several_end_so(ask.label, labels, name))

    # --- one question

    async def _answer(
        self, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings, notes: tuple[str, ...]
    ) -> None:
        shelf = command.shelf if ask.kind is SubjectKind.PACKAGE else None
        question = Question(facility.license, Subject(ask.kind, ask.label), shelf, command.user or None)
        one = inquiry(question, new_id(), self._services.clock.now())
        running = await self._services.inquiries.begin(one)
        if running is not None:
            await self._join(running, ask, command, thread, facility)
            return
        if shelf is not None:
            notes = (*notes, ask_words.counted(f"{shelf:f}"))
        notes = (*notes, *await self._asked_before(one, command, facility))
        ended = False
        try:
            with counted(self._services.metrics):
                await thread.open(ask.label, facility, ask.kind, *notes)
                await self._placed(one, thread)
                async with ProgressMessage(thread.show) as progress:
                    diagnosis = await self._services.answer(question, progress.stage)
            self._services.metrics.answers.labels(cause=diagnosis.cause.value).inc()
            await thread.deliver(diagnosis, facility, self._offer(one, diagnosis, command))
            await promise(self._services.rechecks, diagnosis, command.user, thread.parent)
            await self._end(one, diagnosis)
            ended = True
        finally:
            if not ended:
                await self._end(one, None)

    async def _placed(self, one: Inquiry, thread: Thread) -> None:
        if thread.parent is not None:
            await self._services.inquiries.place(one.id, thread.parent.channel, thread.parent.ts)

    async def _asked_before(self, one: Inquiry, command: Command, facility: FacilitySettings) -> tuple[str, ...]:
        """A link to the earlier thread, where whoever asks can read it."""
        earlier = await self._services.inquiries.earlier(one, one.started_at - STILL_NEWS)
        if earlier is None or earlier.ended_at is None:
            return ()
        address = await self._address(earlier, command, facility)
        return (ask_words.asked_before(earlier.ended_at, facility.zone, address),) if address else ()

    async def _address(self, one: Inquiry, command: Command, facility: FacilitySettings) -> str:
        """Where a thread is; empty when it has none, or whoever asks may not be able to read it."""
        if one.channel is None or one.thread is None or one.channel not in {command.channel, facility.channel}:
            return ""
        return await self._chat.permalink(Posted(one.channel, one.thread))

    def _offer(self, one: Inquiry, diagnosis: Diagnosis, command: Command) -> Offer | None:
        cards = self._cards
        if cards is None:
            return None

        async def offer(parent: Posted | None) -> None:
            joined = await self._services.inquiries.askers(one.id)
            others = [who for who in joined if who != command.user]
            await cards.offer(diagnosis, command.user, parent, team=command.team, joined=others)

        return offer

    async def _end(self, one: Inquiry, diagnosis: Diagnosis | None) -> None:
        """Nobody can join any more; who did since the removal was offered is told to it."""
        now = self._services.clock.now()
        found = (diagnosis.id, diagnosis.cause) if diagnosis else (None, None)
        await self._services.inquiries.end(one.id, now, *found)
        if self._cards is not None and diagnosis is not None:
            for person in await self._services.inquiries.askers(one.id):
                await self._cards.joined(diagnosis, person)

    # --- joining

    async def _join(
        self, running: Inquiry, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings
    ) -> None:
        inquiries = self._services.inquiries
        if command.user:
            await inquiries.join(running.id, command.user, self._services.clock.now())
        running = await inquiries.get(running.id) or running
        address = await self._address(running, command, facility)
        if address and running.channel == command.channel:
            await thread.whisper(ask_words.running_already(address))
            return
        with counted(self._services.metrics):
            await thread.open(ask.label, facility, ask.kind, ask_words.running_already(address))
            diagnosis = await self._awaited(running)
        if diagnosis is None:
            await thread.apologise(ask_words.JOINED_NO_ANSWER)
            return
        await thread.deliver(diagnosis, facility)
        if self._cards is not None:
            await self._cards.joined(diagnosis, command.user)

    async def _awaited(self, running: Inquiry) -> Diagnosis | None:
        """The answer that somebody else's question gets; None: there is none."""
        for _ in range(int(LEFT_BEHIND.total_seconds())):
            now = await self._services.inquiries.get(running.id)
            if now is None or now.ended_at is not None:
                break
            await self._services.sleep(LOOK_AGAIN_SECONDS)
        if now is None or now.diagnosis_id is None:
            return None
        kept = await self._services.ledger.diagnosis(now.diagnosis_id)
        return kept[0] if kept else None
