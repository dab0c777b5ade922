"""One question: run it, or join the one that runs already; tell its answer once, whichever process tells it.

Who joins is told where the answer comes, or gets it in a thread of their own when they asked elsewhere. Who asked and who
joined is known when a removal is offered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot.case import product_of
from bot.errors import ChatError, StorageError
from bot.inquiries import LEFT_BEHIND, STILL_NEWS, Inquiry, inquiry
from bot.investigate import new_id
from bot.model import Diagnosis, Question, Subject, SubjectKind
from bot.settings import FacilitySettings
from handlers.cards import Cards
from handlers.chat import Chat, Posted, ProgressMessage
from handlers.deliveries import counted
from handlers.parse import Ask
from handlers.rechecking import promise
from handlers.render import words
from handlers.services import Services
from handlers.thread import Command, Offer, Thread
from handlers.work import Work

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS: Final = 1.0


def answer_key(one: Inquiry) -> str:
    """By which its answer is found."""
    return f"{one.id}-answer"


def left_of(one: Inquiry, command: Command) -> Inquiry | None:
    """The same question as a process has begun that died since; None: it did not come so far."""
    return next((left for left in command.left if left.is_same(one)), None)


class Answering:
    """Answers questions whose shop and subject are known."""

    def __init__(self, services: Services, chat: Chat, work: Work, *, cards: Cards | None = None) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._cards = cards

    async def answer(
        self, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings, notes: tuple[str, ...]
    ) -> None:
        """Raises a ``CountlastError`` when there is no answer. ``notes``: what stands beside the question, as markup."""
        shelf = command.shelf if ask.kind is SubjectKind.PACKAGE else None
        question = Question(facility.license, Subject(ask.kind, ask.label), shelf, command.user or None)
        one = inquiry(question, new_id(), self._services.clock.now(), command.question or None)
        # who joins before its thread is there knows already in which channel that will be
        one = replace(one, channel=command.channel or None)
        left = left_of(one, command)
        if left is not None:
            if left.channel and left.thread:
                thread.rejoin(Posted(left.channel, left.thread), left.progress)
            if await self._was_told(left, command, thread):
                return
            one = left
        if left is None or not await self._services.inquiries.begin_again(left.id, self._services.clock.now()):
            one = replace(one, id=new_id())
            running = await self._services.inquiries.begin(one)
            if running is not None:
                await self._join(running, ask, command, thread, facility)
                return
        if shelf is not None:
            notes = (*notes, words.counted(f"{shelf:f}"))
        await self._run(one, question, command, thread, facility, notes=notes)

    async def _run(
        self,
        one: Inquiry,
        question: Question,
        command: Command,
        thread: Thread,
        facility: FacilitySettings,
        *,
        notes: tuple[str, ...],
    ) -> None:
        notes = (*notes, *await self._asked_before(one, command, facility))
        subject, found, is_mine = question.subject, None, True
        try:
            with counted(self._services.metrics):
                await thread.open(subject.value, facility, subject.kind, *notes, key=one.id, again=one in command.left)
                await self._placed(one, thread)
                async with ProgressMessage(thread.show) as progress:
                    diagnosis = await self._services.answer(question, progress.stage)
            if not await self._is_mine(one, diagnosis):
                is_mine = False
                return
            self._services.metrics.answers.labels(cause=diagnosis.cause.value).inc()
            offer, product = self._offer(one, diagnosis, command), await self._product(diagnosis)
            await thread.deliver(diagnosis, facility, offer, key=answer_key(one), product=product)
            await promise(self._services.rechecks, diagnosis, command.user, thread.parent, shelf=question.shelf)
            found = diagnosis
        finally:
            if is_mine:
                await self._end(one, found)

    async def _is_mine(self, one: Inquiry, diagnosis: Diagnosis) -> bool:
        """Whether the answer is still this process's to tell; from here on it may have been told."""
        services = self._services
        if await services.inquiries.tell(one, services.owner, services.clock.now(), diagnosis.id, diagnosis.cause):
            return True
        log.warning("another process took up a question while this one stood still, and answers it")
        return False

    async def _product(self, diagnosis: Diagnosis) -> str:
        """What the package holds, for the head of the answer; an answer does not fail for it."""
        try:
            kept = await self._services.ledger.diagnosis(diagnosis.id)
        except StorageError as error:
            log.warning("what a package holds could not be looked up: %s", error)
            return ""
        return product_of(kept[1]) if kept else ""

    async def _placed(self, one: Inquiry, thread: Thread) -> None:
        if thread.parent is not None:
            progress = thread.progress.ts if thread.progress else None
            await self._services.inquiries.place(one.id, thread.parent.channel, thread.parent.ts, progress)

    async def _asked_before(self, one: Inquiry, command: Command, facility: FacilitySettings) -> tuple[str, ...]:
        """A link to the earlier thread, where whoever asks can read it."""
        earlier = await self._services.inquiries.earlier(one, one.started_at - STILL_NEWS)
        if earlier is None or earlier.ended_at is None:
            return ()
        address = await self._address(earlier, command, facility)
        return (words.asked_before(earlier.ended_at, facility.zone, address),) if address else ()

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

    # --- what a process that died has left

    async def _was_told(self, left: Inquiry, command: Command, thread: Thread) -> bool:
        """Whether nothing is to be asked again: it was told, or may have been, and nobody can look."""
        if left.ended_at is not None:
            return True
        if left.told_at is None or left.diagnosis_id is None:
            return False
        try:
            if not await thread.was_told(answer_key(left)):
                return False
        except ChatError as error:
            log.warning("whether an answer was told could not be looked up: %s", error)
            await self._end(left, None)
            await thread.apologise(words.MAYBE_TOLD)
            return True
        kept = await self._services.ledger.diagnosis(left.diagnosis_id)
        diagnosis = kept[0] if kept else None
        await thread.follow(self._offer(left, diagnosis, command) if diagnosis else None)
        if diagnosis is not None:
            shelf = command.shelf if left.kind is SubjectKind.PACKAGE else None
            await promise(self._services.rechecks, diagnosis, command.user, thread.parent, shelf=shelf)
        await self._end(left, diagnosis)
        return True

    # --- joining

    async def _join(
        self, running: Inquiry, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings
    ) -> None:
        inquiries = self._services.inquiries
        if command.user:
            await inquiries.join(running.id, command.user, self._services.clock.now())
        running = await self._opened(running, command)
        address = await self._address(running, command, facility)
        if running.thread is not None and running.channel == command.channel:
            await thread.whisper(words.running_already(address))
            return
        with counted(self._services.metrics):
            await thread.open(ask.label, facility, ask.kind, words.running_already(address))
            diagnosis = await self._awaited(running)
        if diagnosis is None:
            await thread.apologise(words.JOINED_NO_ANSWER)
            return
        if command.is_alone:
            # it is in the other thread already: better once too little here than twice
            await self._services.questions.close(command.question, self._services.clock.now())
        await thread.deliver(diagnosis, facility, product=await self._product(diagnosis))
        if self._cards is not None:
            await self._cards.joined(diagnosis, command.user)

    async def _opened(self, running: Inquiry, command: Command) -> Inquiry:
        """The question once its thread is there: while that waits for the channel's pace, nobody can be sent to it.

        Elsewhere it is not waited for, and not where it will not come.
        """

        def is_settled(one: Inquiry) -> bool:
            return one.thread is not None or one.channel not in {None, command.channel}

        return await self._looked_at_until(is_settled, running) or running

    async def _awaited(self, running: Inquiry) -> Diagnosis | None:
        """The answer that somebody else's question gets; None: there is none."""
        now = await self._looked_at_until(lambda _: False, running)
        if now is None or now.diagnosis_id is None:
            return None
        kept = await self._services.ledger.diagnosis(now.diagnosis_id)
        return kept[0] if kept else None

    async def _looked_at_until(self, is_enough: Callable[[Inquiry], bool], running: Inquiry) -> Inquiry | None:
        """Somebody else's question when it is so, or has ended, or nobody works on it any more; None: it is gone."""
        now: Inquiry | None = running
        for _ in range(int(LEFT_BEHIND.total_seconds())):
            now = await self._services.inquiries.get(running.id)
            if now is None or now.ended_at is not None or is_enough(now):
                break
            async with self._work.aside():
                await self._services.sleep(LOOK_AGAIN_SECONDS)
        return now
