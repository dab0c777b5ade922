"""The one path of every question, whichever way it came in: keep it, read it, find the shop and the tag, ask, answer.

It is kept before Slack is acknowledged, and closed when its asker has the answer or knows why there is none. What its
process leaves open when it dies is taken up by the next one, see ``handlers.taking_up``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from bot.errors import ChatError, MetrcError, StorageError
from bot.inquiries import Inquiry
from bot.kept_questions import KeptQuestion
from bot.model import SubjectKind
from bot.settings import FacilitySettings
from handlers.admission import Admission
from handlers.answering import Answering
from handlers.cards import Cards
from handlers.chat import Chat, Posted
from handlers.heard import Heard, as_body
from handlers.parse import Ask, Help, History, Parsed, Pending, Status, Unclear, parse
from handlers.places import choose, whole_name
from handlers.render import words
from handlers.render.help import render_help
from handlers.services import Services
from handlers.shops import Shops
from handlers.standing import status
from handlers.thread import Command, Thread
from handlers.work import Job, Work

log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 2.0
"""How long the acknowledgement waits for the database: Slack gives three seconds."""


class Errand:
    """A kept question in this process's hand. ``jobs``: how many parts of it are not answered yet."""

    def __init__(self, heard: Heard, question_id: str) -> None:
        self.heard = heard
        self.question_id = question_id
        self.jobs = 1


class Asking:
    """Answers questions. One per process."""

    def __init__(
        self,
        services: Services,
        chat: Chat,
        work: Work,
        admission: Admission,
        *,
        cards: Cards | None = None,
    ) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._pace = services.door.pace
        self._admission = admission
        self._cards = cards
        self._answering = Answering(services, chat, work, cards=cards)
        self._shops = Shops(services, chat)

    async def take(self, heard: Heard) -> None:
        """Keep it, and answer it in the background; to be awaited before Slack is acknowledged.

        However often it is delivered, it has one effect. Where the database takes longer than Slack waits, Slack is told
        all the same: the answer, or why there is none, comes later.
        """
        errand = _errand(heard)
        question = KeptQuestion(errand.question_id, as_body(heard), self._services.clock.now(), self._services.owner)
        keeping = asyncio.create_task(self._services.questions.keep(question))
        await asyncio.wait({keeping}, timeout=KEEP_SECONDS)
        thread = Thread(self._chat, heard.command)
        self._begin(errand, thread, partial(self._first, errand, thread, keeping))

    def resume(self, heard: Heard, question_id: str, left: Sequence[Inquiry]) -> None:
        """Answer what a process that died has left open; ``left``: what it has begun of it."""
        command = replace(heard.command, question=question_id, left=tuple(left), is_counted=True)
        errand = Errand(replace(heard, command=command), question_id)
        thread = Thread(self._chat, errand.heard.command)
        self._begin(errand, thread, partial(self._whole_errand, errand, thread))

    async def give_up(self, heard: Heard, question_id: str, left: Sequence[Inquiry]) -> None:
        """Tell who asked that there will be no answer, where they look for it. Raises ``ChatError``."""
        # the address that came with it has long expired
        thread = Thread(self._chat, replace(heard.command, response_url=""))
        for one in left:
            if one.ended_at is None and one.channel and one.thread:
                thread.rejoin(Posted(one.channel, one.thread), one.progress)
            await self._services.inquiries.end(one.id, self._services.clock.now(), one.diagnosis_id, one.cause)
        try:
            if not left or any(one.ended_at is None for one in left):
                await thread.apologise(words.interrupted(heard.command.text))
        finally:
            await self._close(question_id)

    # --- from its beginning to its end

    def _begin(self, errand: Errand, thread: Thread, job: Job) -> None:
        command = errand.heard.command
        self._work.start(job, partial(self._sorry, errand, thread), person=command.person, channel=command.channel)

    async def _first(self, errand: Errand, thread: Thread, keeping: asyncio.Task[bool]) -> None:
        if await keeping:
            await self._whole_errand(errand, thread)
        else:
            self._services.metrics.repeats.inc()

    async def _whole_errand(self, errand: Errand, thread: Thread) -> None:
        heard = errand.heard
        command = heard.command
        if heard.again:
            await self._again(heard.again, command, thread)
        elif heard.asks:
            await self._ask_all(heard.asks, errand, thread)
        else:
            await self._parsed(parse(command.text, self._services.settings.command), errand, thread)
        await self._ended(errand)

    async def _ended(self, errand: Errand) -> None:
        errand.jobs -= 1
        if errand.jobs <= 0:
            await self._close(errand.question_id)

    async def _close(self, question_id: str) -> None:
        try:
            await self._services.questions.close(question_id, self._services.clock.now())
        except StorageError as error:
            log.warning("a question that was answered is still open: %s", error)

    async def _sorry(self, errand: Errand, thread: Thread, sentence: str) -> None:
        """No answer, and who asked is told why; where that fails as the bot stops, the next start takes it up."""
        try:
            await thread.apologise(sentence)
        except ChatError:
            if sentence != words.RESTARTING:
                await self._ended(errand)
            raise
        await self._ended(errand)

    # --- what it is

    async def _parsed(self, parsed: Parsed, errand: Errand, thread: Thread) -> None:
        settings, command = self._services.settings, errand.heard.command
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
                await self._ask_all(tuple(whole_name(ask, settings).each()), errand, thread)
                if ask.left_out:
                    await thread.whisper(words.left_out(1 + len(ask.more), ask.left_out))

    async def _list(self, wanted: Pending | History, command: Command, thread: Thread) -> None:
        if self._cards is None:
            await thread.whisper(words.unknown_command(self._services.settings.command))
        else:
            await thread.whisper_message(await self._cards.listed(wanted, command.channel))

    async def _again(self, answer_id: str, command: Command, thread: Thread) -> None:
        """The same question as an earlier answer's, with the same count of the shelf."""
        kept = await self._services.ledger.diagnosis(answer_id)
        if kept is None:
            await thread.whisper(words.NO_EVIDENCE)
            return
        diagnosis = kept[0]
        shelf = diagnosis.gap.shelf if diagnosis.gap is not None else None
        ask = Ask(diagnosis.subject.value, diagnosis.facility, diagnosis.subject.kind)
        await self._ask(ask, replace(command, shelf=shelf), thread)

    # --- the shop, the person, the tag

    async def _ask_all(self, asks: Sequence[Ask], errand: Errand, thread: Thread) -> None:
        """The first one in the thread that was prepared, each other one in a thread of its own, side by side."""
        command = replace(errand.heard.command, is_alone=len(asks) == 1)
        errand.jobs += len(asks) - 1
        for ask in asks[1:]:
            another = replace(command, is_counted=False)
            own = Thread(self._chat, another)
            self._begin(errand, own, partial(self._part, ask, errand, another, own))
        await self._ask(asks[0], command, thread)

    async def _part(self, ask: Ask, errand: Errand, command: Command, thread: Thread) -> None:
        await self._ask(ask, command, thread)
        await self._ended(errand)

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
        elif not command.is_counted and not self._pace.allows(command.person):
            await thread.whisper(words.slow_down(self._pace.limit))
        else:
            await self._look_up(ask, command, thread, facility)

    async def _look_up(self, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings) -> None:
        if not command.channel and facility.channel:
            # asked where there is no channel: the answer belongs where the shop's people are
            command = replace(command, channel=facility.channel)
            thread.move(command)
        notes: tuple[str, ...] = ()
        if ask.retail_id or ask.is_tail:
            found = await self._whole(ask, facility)
            if isinstance(found, Unclear):
                await thread.whisper(found.sentence)
                return
            if found != ask.label:
                notes = (words.read_as(ask.retail_id or ask.label, found),)
            ask = replace(ask, label=found, retail_id="")
        if ask.kind is SubjectKind.FACILITY:
            await self._shops.answer(command, thread, facility)
        else:
            await self._answering.answer(ask, command, thread, facility, notes)

    async def _whole(self, ask: Ask, facility: FacilitySettings) -> str | Unclear:
        """The whole tag behind its last digits or the code on a unit; raises a ``CountlastError``."""
        services, name = self._services, self._services.settings.command
        if ask.retail_id:
            try:
                found = await services.scanned(facility.license, ask.retail_id) if services.scanned else ()
            except MetrcError as error:
                log.warning("a code on a unit was not read: %s", error)
                found = ()
            return found[0] if found else Unclear(words.not_scanned(name))
        if services.ending is None:
            return ask.label
        labels = await services.ending(facility.license, ask.label)
        if not labels:
            return Unclear(words.none_ends_so(ask.label, name))
        return labels[0] if len(labels) == 1 else Unclear(words.several_end_so(ask.label, labels, name))


def _errand(heard: Heard) -> Errand:
    """A delivery without a key cannot be told from a repeat, so it counts as new."""
    delivery = heard.command.delivery or secrets.token_hex(16)
    # a key is Slack's own text; what comes of it fits every database
    question_id = hashlib.sha256(delivery.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Errand(replace(heard, command=replace(heard.command, question=question_id)), question_id)
