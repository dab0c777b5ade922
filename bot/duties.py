"""What the clock proposes: the map of everything the bot does unasked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from bot.alerts import Policy, next_due, overdue
from bot.app import Bot
from bot.clock import Chore, Duty, Rota, daily, every, weekly
from bot.investigate import new_id
from bot.outbox import send_letters
from bot.ports import AlertBook, Clock, Post
from bot.recheck import Desk, Say, keep_promises
from bot.settings import FacilitySettings
from bot.watch import Round

log = logging.getLogger(__name__)

MONITORS: Final = "monitors"
ROUND: Final = timedelta(minutes=5)
# a press puts off what is due by hours, and another process may have made the last round
LOOK_FOR_DUE: Final = timedelta(seconds=10)
SYNC: Final = timedelta(minutes=10)
SYNC_BACK: Final = timedelta(days=30)
NIGHT: Final = time(3, 30)
DIGEST: Final = time(8)
KEEP_LETTERS: Final = timedelta(days=30)
KEEP_SLOTS: Final = timedelta(days=7)
KEEP_ALERTS: Final = timedelta(days=400)


def rota(bot: Bot) -> Rota:
    """What one process tries for."""
    return Rota(bot.books.slots, bot.clock, new_id(), _lease(bot))


def chores(bot: Bot, post: Post, *, more: tuple[Chore, ...] = ()) -> tuple[Chore, ...]:
    """Everything, in no order. ``post`` carries letters."""
    return (
        watching(bot),
        sending(bot, post),
        Chore("sync", timedelta(seconds=20), [_syncing(bot, one) for one in bot.settings.facilities]),
        Chore(
            "nightly search", timedelta(minutes=2), [_searching(bot, one) for one in bot.settings.facilities], at_once=1
        ),
        Chore("pruning", timedelta(minutes=10), [_pruning(bot)]),
        *more,
    )


def watching(bot: Bot) -> Chore:
    """A round of every monitor each five minutes, and the sign of life after it; one more when something is to be said.

    What is held back, repeated or escalated has its moment, which rarely is that of a round. Without a round of its own a
    problem would be told a whole interval late.
    """
    policy = Policy(hold=timedelta(seconds=bot.settings.alert_hold_seconds))
    work, limit = partial(_round, bot, policy), ROUND - timedelta(seconds=10)
    watch = _DueAlerts(bot.books.alerts, policy, bot.clock)

    async def more() -> list[Duty]:
        moment = await watch.moment()
        return [] if moment is None else [Duty(MONITORS, lambda _: moment, work, limit)]

    return Chore(MONITORS, timedelta(seconds=2), [Duty(MONITORS, every(ROUND), work, limit)], more=more)


class _DueAlerts:
    """Knows when an alert has something to say. What it remembers only saves questions to the database."""

    def __init__(self, book: AlertBook, policy: Policy, clock: Clock) -> None:
        self._book, self._policy, self._clock = book, policy, clock
        self._not_before: datetime | None = None

    async def moment(self) -> datetime | None:
        """The newest moment that has come; the same one again and again until it is done, which a slot's row knows."""
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return None
        live = [alert for alert in await self._book.known(now) if alert.is_live]
        ahead = (at for alert in live if (at := next_due([alert], self._policy)) is not None and at > now)
        self._not_before = min((now + LOOK_FOR_DUE, *ahead))
        return overdue(live, self._policy, now)


async def _round(bot: Bot, policy: Policy) -> Round:
    done = await bot.watch(policy)
    # a sign of life after a round that saw nothing, or not everything, would be worse than none
    if done.read and not done.late:
        await bot.beat()
    return done


def sending(bot: Bot, post: Post) -> Chore:
    """What is to be said goes out within seconds."""
    work = partial(send_letters, bot.books.outbox, post, new_id(), bot.clock, _lease(bot))
    return Chore("letters", timedelta(seconds=2), work=work)


def promising(bot: Bot, say: Say) -> Chore:
    """Questions are asked again when it was promised."""
    desk = Desk(bot.books.rechecks, bot.answer_again, say, bot.clock, new_id(), _lease(bot))
    return Chore("re-checks", timedelta(seconds=15), work=partial(keep_promises, desk))


Tell = Callable[[str, str], Awaitable[None]]
"""Posts the digest of a channel; the second is a key under which it is posted once."""


def digesting(bot: Bot, tell: Tell) -> Chore:
    """Each channel's week, on Monday morning of its first shop."""
    zones = {f.channel: f.zone for f in reversed(bot.settings.facilities) if f.channel}
    duties = [_digest(bot, channel, zone, tell) for channel, zone in zones.items()]
    return Chore("digest", timedelta(minutes=1), duties, at_once=1)


def _digest(bot: Bot, channel: str, zone: ZoneInfo, tell: Tell) -> Duty:
    due = weekly(zone, 0, DIGEST)

    async def work() -> None:
        await tell(channel, f"digest/{channel}/{due(bot.clock.now()):%Y-%m-%d}")

    return Duty(f"digest/{channel}", due, work, timedelta(minutes=5), at_first=False)


def _syncing(bot: Bot, facility: FacilitySettings) -> Duty:
    name = f"sync/{facility.license}"

    async def work() -> None:
        # a dead key is not tried on every feed: the monitors tell of it
        if not await bot.reaches(facility):
            return
        report = await bot.sync(facility, SYNC_BACK, _unheard)
        for feed, problems in report.problems.items():
            log.info("%s of %s was not all read: %s", feed, facility.license, problems[0].says)

    return Duty(name, every(SYNC, name), work, SYNC - timedelta(minutes=1))


def _searching(bot: Bot, facility: FacilitySettings) -> Duty:
    name = f"duplicates/{facility.license}"
    return Duty(name, daily(facility.zone, NIGHT), partial(bot.find_duplicates, facility), timedelta(minutes=30))


def _pruning(bot: Bot) -> Duty:
    async def work() -> None:
        now = bot.clock.now()
        await bot.books.outbox.prune(now - KEEP_LETTERS)
        await bot.books.slots.prune(now - KEEP_SLOTS)
        await bot.books.alerts.prune(now - KEEP_ALERTS)
        await bot.books.rechecks.prune(now - KEEP_LETTERS)
        await bot.books.ledger.forget_deliveries(now - KEEP_LETTERS)

    return Duty("prune", daily(ZoneInfo("UTC"), time(4)), work, timedelta(minutes=10))


def _lease(bot: Bot) -> timedelta:
    return timedelta(seconds=bot.settings.lease_seconds)


def _unheard(_feed: str, _done: int, _total: int) -> None:
    """Nobody waits for the progress of a sync."""
