"""Promises to look again: kept when an answer says “wait until”, answered in the same thread when the time has come."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot.errors import ChatError, StorageError
from bot.follow_ups import Claimed, follow_up
from bot.model import Diagnosis
from bot.ports import Rechecks
from bot.settings import Settings
from handlers.chat import Posted
from handlers.letters import BLIND, SlackLetters
from handlers.render.diagnosis import render_diagnosis
from handlers.render.recheck import render_again

log = logging.getLogger(__name__)

LOOK_BACK: Final = timedelta(minutes=2)


async def promise(
    rechecks: Rechecks | None,
    diagnosis: Diagnosis,
    asked_by: str,
    parent: Posted | None,
    *,
    shelf: Decimal | None = None,
) -> None:
    """Keep what the answer in this thread promises; a promise that cannot be kept is logged, the answer stands.

    ``shelf``: what was counted when it was asked.
    """
    if rechecks is None or parent is None:
        return
    recheck = follow_up(diagnosis, parent.channel, parent.ts, asked_by or None, shelf=shelf)
    if recheck is None:
        return
    try:
        await rechecks.book(recheck)
    except StorageError as error:
        log.warning("the promise to look again was not kept: %s", error)


class Rechecking:
    """Says answers in the threads that asked."""

    def __init__(self, settings: Settings, letters: SlackLetters) -> None:
        self._settings = settings
        self._letters = letters

    async def say(self, claimed: Claimed, diagnosis: Diagnosis) -> None:
        """See ``bot.recheck.Say``."""
        recheck = claimed.recheck
        key, facility = f"recheck/{recheck.id}", self._settings.facility(recheck.license)
        if facility is None or await self._was_said(claimed, key):
            return
        again = render_again(render_diagnosis(diagnosis, facility, recheck.asked_by or ""), recheck)
        await self._letters.say(recheck.channel, recheck.thread, again, key)

    async def _was_said(self, claimed: Claimed, key: str) -> bool:
        """Only an earlier try can have said it; who cannot look says it once more rather than never."""
        if claimed.tried_since is None:
            return False
        recheck, since = claimed.recheck, claimed.tried_since - LOOK_BACK
        try:
            return await self._letters.find_key(recheck.channel, recheck.thread, key, since) is not None
        except ChatError as error:
            if error.code not in BLIND:
                raise
            return False
