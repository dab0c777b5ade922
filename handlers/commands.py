"""The slash command: acknowledge, then parse, ask, render and post in the background."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck

from bot.model import Question, Subject, SubjectKind
from bot.settings import FacilitySettings
from handlers import trouble
from handlers.cards import Cards
from handlers.chat import Chat, ProgressMessage
from handlers.metrics import Metrics
from handlers.pace import Pace
from handlers.parse import Ask, Help, History, Pending, Unclear, parse
from handlers.places import choose, whole_name
from handlers.render import words
from handlers.render.help import render_help
from handlers.render.sweep import render_sweep
from handlers.services import Services
from handlers.thread import Command, Thread
from handlers.work import Work

SWEEP_EDIT_SECONDS: Final = 3.0


class Commands:
    """Answers ``/reconcile``."""

    def __init__(self, services: Services, chat: Chat, work: Work, pace: Pace, cards: Cards | None = None) -> None:
        self._services = services
        self._chat = chat
        self._work = work
        self._pace = pace
        self._cards = cards

    async def reconcile(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        """The listener. Slack waits for the acknowledgement, so it comes before everything else."""
        await ack()
        self._services.metrics.commands.inc()
        received = Command.of(command)
        thread = Thread(self._chat, received)
        self._work.start(partial(self._handle, received, thread), thread.apologise)

    async def _handle(self, command: Command, thread: Thread) -> None:
        if not await first_time(self._services, command.delivery):
            return
        settings = self._services.settings
        match parse(command.text, settings.command):
            case Help():
                await thread.whisper_message(render_help(settings))
            case Unclear(sentence):
                await thread.whisper(sentence)
            case Pending() | History() as wanted:
                await self._list(wanted, command, thread)
            case Ask() as ask:
                await self._ask(whole_name(ask, settings), command, thread)

    async def _list(self, wanted: Pending | History, command: Command, thread: Thread) -> None:
        if self._cards is None:
            await thread.whisper(words.unknown_command(self._services.settings.command))
        else:
            await thread.whisper_message(await self._cards.listed(wanted, command.channel))

    async def _ask(self, ask: Ask, command: Command, thread: Thread) -> None:
        facility = choose(ask, command.channel, self._services.settings)
        if isinstance(facility, Unclear):
            await thread.whisper(facility.sentence)
        elif not self._pace.allows(command.person):
            await thread.whisper(words.slow_down(self._pace.limit))
        else:
            answer = self._sweep if ask.kind is SubjectKind.FACILITY else self._answer
            await answer(ask, command, thread, facility)

    async def _answer(self, ask: Ask, command: Command, thread: Thread, facility: FacilitySettings) -> None:
        question = Question(facility.license, Subject(ask.kind, ask.label), asked_by=command.user or None)
        metrics = self._services.metrics
        with counted(metrics):
            await thread.open(ask.label, facility, ask.kind)
            async with ProgressMessage(thread.show) as progress:
                diagnosis = await self._services.answer(question, progress.stage)
        metrics.answers.labels(cause=diagnosis.cause.value).inc()
        offer = partial(self._cards.offer, diagnosis, command.user) if self._cards else None
        await thread.deliver(diagnosis, facility, offer)

    async def _sweep(self, ask: Ask, _command: Command, thread: Thread, facility: FacilitySettings) -> None:
        metrics = self._services.metrics
        with counted(metrics):
            await thread.open(ask.label, facility, ask.kind)
            async with ProgressMessage(thread.show, every=SWEEP_EDIT_SECONDS) as message:

                async def progress(stage: str, done: int, total: int) -> None:
                    await message.stage(words.counted_so_far(stage, done, total))

                sweep = await self._services.sweep(facility.license, progress)
        metrics.answers.labels(cause="facility").inc()
        await thread.deliver_all(render_sweep(sweep, facility))


async def first_time(services: Services, delivery: str) -> bool:
    """Whether this delivery was not seen before; one that bears no key is taken for new."""
    if not delivery or await services.ledger.first_time(delivery, services.clock.now()):
        return True
    services.metrics.repeats.inc()
    return False


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Count a question while it runs, and how it failed if it does."""
    with metrics.running.track_inprogress():
        try:
            yield
        except Exception as error:
            metrics.failures.labels(kind=trouble.kind(error)).inc()
            raise
