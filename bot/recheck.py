"""Keep the promise to look again: claim, ask, look whether it was said, say it, mark. Once, whatever dies in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.errors import CountlastError, QuestionError
from bot.follow_ups import Claimed, Recheck, follow_up
from bot.model import Diagnosis, Question, Subject
from bot.ports import Clock, Rechecks

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(minutes=5)
GIVEN_UP: Final = timedelta(hours=24)
# an answer, and saying it, end well within the lease
SHARE: Final = 0.8

Ask = Callable[[Question], Awaitable[Diagnosis]]
Say = Callable[[Claimed, Diagnosis], Awaitable[None]]
"""Says an answer in the thread that asked, unless it was said by an earlier try. Raises a ``CountlastError``."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where promises are kept."""

    rechecks: Rechecks
    ask: Ask
    say: Say
    clock: Clock
    owner: str
    lease: timedelta


async def keep_promises(desk: Desk) -> int:
    """Answer everything that is due; how much that was. Raises ``StorageError``."""
    kept = 0
    while (claimed := await desk.rechecks.claim(desk.owner, desk.clock.now(), desk.lease)) is not None:
        kept += await _keep(desk, claimed)
    return kept


async def _keep(desk: Desk, claimed: Claimed) -> bool:
    recheck = claimed.recheck
    try:
        async with asyncio.timeout(desk.lease.total_seconds() * SHARE):
            diagnosis = await desk.ask(_question(recheck, desk.lease))
            await desk.say(claimed, diagnosis)
    except QuestionError as error:  # the shop was taken out of the configuration
        log.warning("a question is not asked again: %s", error)
    except (CountlastError, TimeoutError) as error:
        log.warning("a question could not be asked again now: %s", str(error) or "it took too long")
        if desk.clock.now() - recheck.due_at < GIVEN_UP:
            await desk.rechecks.postpone(claimed, desk.clock.now() + PAUSE)
            return False
    else:
        later = follow_up(diagnosis, recheck.channel, recheck.thread, recheck.asked_by, before=recheck)
        if later is not None:
            await desk.rechecks.book(later)
    return await desk.rechecks.done(claimed, desk.clock.now())


def _question(recheck: Recheck, lease: timedelta) -> Question:
    seconds = min(60.0, lease.total_seconds() / 2)
    subject = Subject(recheck.kind, recheck.value)
    return Question(recheck.license, subject, recheck.shelf, recheck.asked_by, deadline_seconds=seconds)
