"""Questions whose process died: taken up by another one, each once, or their askers are told to ask again."""

from __future__ import annotations

import logging
from functools import partial

from bot.errors import StorageError
from bot.kept_questions import FRESH, KeptQuestion
from handlers.asking import Asking
from handlers.heard import from_body
from handlers.services import Services
from handlers.work import Work

log = logging.getLogger(__name__)


class TakingUp:
    """Of one process."""

    def __init__(self, services: Services, asking: Asking, work: Work) -> None:
        self._services = services
        self._asking = asking
        self._work = work

    async def round(self) -> None:
        """Say that this process lives, and take up what others have left. Raises nothing of our own.

        To be called at start-up and every ``bot.kept_questions.BEAT``.
        """
        services = self._services
        try:
            await services.questions.beat(services.owner, services.clock.now())
            for question in await services.questions.orphaned(services.owner, services.clock.now()):
                if await services.questions.take_up(question, services.owner, services.clock.now()):
                    await self._take_up(question)
        except StorageError as error:
            log.warning("not every question that was left behind could be taken up: %s", error)

    async def _take_up(self, question: KeptQuestion) -> None:
        services = self._services
        heard = from_body(question.body)
        if heard is None:
            await services.questions.close(question.id, services.clock.now())
            return
        left = await services.inquiries.of_question(question.id)
        # whatever killed two processes is not tried on a third
        if question.taken_up_at is None and services.clock.now() - question.kept_at < FRESH:
            log.info("a question of a process that died is taken up")
            self._asking.resume(heard, question.id, left)
        else:
            self._work.start(partial(self._asking.give_up, heard, question.id, left), self._unheard)

    async def _unheard(self, sentence: str) -> None:
        log.warning("who asked was not told that there is no answer: %s", sentence)
