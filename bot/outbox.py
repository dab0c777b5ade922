"""Carry letters to Slack: claim, look, post, mark. Whatever dies in between, none is lost and none goes out twice.

A letter that somebody tried before may be out already, so it is looked for first; only then is it posted. Slack's limits
and outages put a letter off and drop nothing. Given up, after an hour, are a picture that could not be shown and an
escalation that names nobody. Only a process that sleeps through its whole lease between the claim and
the post, and then goes on, could post twice; so a try must end well within the lease.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from bot.alerts import Claim, What
from bot.errors import ChatError, CountlastError
from bot.ports import Clock, Outbox, Post

log = logging.getLogger(__name__)

TRY_SECONDS: Final = 10.0
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
# Clocks differ, and Slack stamps a message itself.
LOOK_BACK: Final = timedelta(minutes=2)

BUSY: Final = frozenset({"ratelimited", "rate_limited", "timeout"})
# There is nothing left to rewrite: a person has deleted the message, or it is too old.
GONE: Final = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
# Nor in a channel that was lost meanwhile; what follows goes elsewhere, and must not wait for it.
LOST: Final = frozenset({"is_archived", "channel_not_found", "not_in_channel"})
# An escalation to such an address reaches nobody, however often it is tried.
NOBODY: Final = frozenset(
    {
        *LOST,
        "cannot_dm_bot",
        "messages_tab_disabled",
        "restricted_action",
        "user_disabled",
        "user_not_found",
        "user_not_visible",
    }
)
# A picture that could not be shown for so long shows nothing any more.
CHART_FOR: Final = timedelta(hours=1)
# For so long somebody may mend the setting and still be told.
NOBODY_FOR: Final = timedelta(hours=1)
NOT_THREADED: Final = frozenset({What.FIRE, What.ESCALATE})


async def send_letters(outbox: Outbox, post: Post, owner: str, clock: Clock, lease: timedelta) -> int:
    """Send what is due; how many went out. Stops for now when Slack is too busy to take more.

    A clock and not a time, for a lease counts from the claim, and a hundred letters take minutes.
    """
    sent = 0
    while (claim := await outbox.claim(owner, clock.now(), lease)) is not None:
        try:
            async with asyncio.timeout(min(TRY_SECONDS, lease.total_seconds() / 2)):
                ref = await _deliver(post, claim)
        except (CountlastError, TimeoutError) as error:
            farewell = _farewell(claim, error, clock.now())
            if farewell is not None:
                log.warning(farewell)
                await outbox.mark(claim, "", clock.now())
                continue
            await outbox.postpone(claim, clock.now() + _pause(claim, error), _says(error))
            if is_busy(error):
                break
        else:
            sent += await outbox.mark(claim, ref, clock.now())
    return sent


async def _deliver(post: Post, claim: Claim) -> str:
    """The id of the message that now says it."""
    letter, thread = claim.letter, None if claim.letter.what in NOT_THREADED else claim.thread
    if letter.what is What.REWRITE:
        return await _rewrite(post, claim)
    if claim.tried_since is not None:
        found = await post.find(letter, thread, claim.tried_since - LOOK_BACK)
        if found is not None:
            return found
    return await post.send(letter, thread)


async def _rewrite(post: Post, claim: Claim) -> str:
    message = claim.thread or ""
    try:
        await post.rewrite(claim.letter, message)
    except ChatError as error:
        if error.code not in GONE | LOST:
            raise
    return message


def _farewell(claim: Claim, error: CountlastError | TimeoutError, now: datetime) -> str | None:
    """What to log about a letter that is given up; None: it is tried again."""
    letter, since = claim.letter, claim.tried_since
    if since is None:
        return None
    if letter.what is What.CHART and now - since >= CHART_FOR:
        return f"a chart was left out: {_says(error)}"
    if letter.what is What.ESCALATE and _is_nobody(error) and now - since >= NOBODY_FOR:
        shops = ", ".join(dict.fromkeys(member.name for member in letter.alert.members))
        return f"nobody was told of an alert a second time: escalate_to ({letter.channel}) of {shops}: {_says(error)}"
    return None


def _is_nobody(error: CountlastError | TimeoutError) -> bool:
    return isinstance(error, ChatError) and error.code in NOBODY


def _says(error: CountlastError | TimeoutError) -> str:
    return str(error) or "Slack did not answer in time."


def _pause(claim: Claim, error: CountlastError | TimeoutError) -> timedelta:
    asked = error.retry_after if isinstance(error, ChatError) else None
    if asked is not None:
        return timedelta(seconds=asked)
    return min(FIRST_PAUSE * (1 << min(claim.fence - 1, 10)), LONGEST_PAUSE)


def is_busy(error: CountlastError | TimeoutError) -> bool:
    """Whether Slack takes nothing now, whatever it is and wherever it goes."""
    return isinstance(error, TimeoutError) or (isinstance(error, ChatError) and error.code in BUSY)
