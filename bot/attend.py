"""What people do about an alert: take it in hand, put it off, say that the shop is closed, say that a key was renewed.

A change is a conditional update; whoever is outrun looks again. Each is written into the audit log with its name, in the
same transaction as the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from bot import alerts
from bot.alerts import LONGEST_SNOOZE, Alert, Change, Kind, State
from bot.audit import Event
from bot.errors import QuestionError, StorageError
from bot.opening import Opening
from bot.ports import AlertBook, AuditLog, Clock, Memory
from bot.removals import Person
from bot.watch import close_day, key_renewed

TRIES: Final = 5
OLDEST_KEY: Final = timedelta(days=3 * 366)

KEYS: Final = frozenset({Kind.DEAD_KEY, Kind.KEY_EXPIRY})
"""What a renewed key ends."""

QUIET: Final = frozenset({Kind.SYNC_SILENT, Kind.EXPORT_STALE})
"""What a closed shop explains."""


class Snooze(StrEnum):
    """The lengths that are offered, by the words of ``bot.alerts.snoozes``."""

    HOUR = "1 hour"
    OPENING = "until we open"
    TOMORROW = "until tomorrow"


@dataclass(frozen=True, slots=True)
class Post:
    """Where people attend to alerts. ``opening``: the hours of a license; None: it is not configured any more."""

    book: AlertBook
    memory: Memory
    audit: AuditLog
    opening: Callable[[str], Opening | None]
    clock: Clock

    def hours(self, alert: Alert) -> Opening:
        """The hours that its snoozes go by: those of the first shop that is still configured."""
        found = (self.opening(license_number) for license_number in alert.licenses)
        return next((opening for opening in found if opening is not None), Opening("UTC"))


@dataclass(frozen=True, slots=True)
class Attended:
    """The alert as it is now. ``taken`` False: somebody was first (``alert.by``), so nothing changed."""

    alert: Alert
    taken: bool = True


def may_attend(person: Person, home: str) -> str | None:
    """Why this person may not; None: they may. ``home``: the workspace the bot is installed in."""
    if person.is_bot:
        return "Bots cannot attend to alerts."
    if person.is_deactivated or person.is_guest:
        return "Guests cannot attend to alerts; ask a member of this workspace."
    return None if person.team == home else "Only members of this workspace can attend to alerts."


async def acknowledge(post: Post, alert_id: str, by: str) -> Attended:
    """Take it in hand. Raises ``QuestionError`` for one that has ended or is unknown."""

    def deed(alert: Alert, now: datetime) -> Change | None:
        is_held = alert.state is State.ACKNOWLEDGED and alert.asks_again_at is not None and now < alert.asks_again_at
        return None if is_held else alerts.acknowledge(alert, by, now)

    return await _done(post, alert_id, deed)


async def snooze(post: Post, alert_id: str, by: str, length: Snooze) -> Attended:
    """Put it off. Raises ``QuestionError`` for one that has ended, and for a length that is not offered now."""

    def deed(alert: Alert, now: datetime) -> Change:
        until = dict(alerts.snoozes(post.hours(alert), now)).get(length.value)
        if until is None:
            raise QuestionError("This length is not offered now; choose another one.")
        return alerts.snooze(alert, by, until, now)

    return await _done(post, alert_id, deed)


async def closed_today(post: Post, alert_id: str, by: str) -> Attended:
    """The shops of this alert stay closed today: silence is no sign, and nobody hears of it before they open again."""
    alert = await _known(post, alert_id)
    now, ends = post.clock.now(), []
    for license_number in alert.licenses:
        opening = post.opening(license_number)
        if opening is None:
            continue
        day = opening.day_of(now)
        await close_day(post.memory, license_number, day, now)
        await post.audit.append([alerts.entry(Event.CLOSED_DAY, alert, now, actor=by, day=str(day))])
        ends.append(opening.also_closed([day]).next_opening(now))
    until = min((end for end in ends if end is not None), default=now + LONGEST_SNOOZE)

    def deed(alert: Alert, now: datetime) -> Change:
        return alerts.snooze(alert, by, min(until, now + LONGEST_SNOOZE), now)

    return await _done(post, alert_id, deed)


async def renewed(post: Post, alert_id: str, by: str, on: date) -> Alert:
    """The key of this alert was renewed on that day; the next round counts from it. Raises ``QuestionError``."""
    alert = await _known(post, alert_id)
    now = post.clock.now()
    today = post.hours(alert).day_of(now)
    if not today - OLDEST_KEY <= on <= today:
        raise QuestionError("Choose the day on which the key was made: today or earlier, within the last three years.")
    for license_number in alert.licenses:
        await key_renewed(post.memory, license_number, on, now)
    await post.audit.append([alerts.entry(Event.KEY_RENEWED, alert, now, actor=by, on=str(on))])
    return alert


async def _known(post: Post, alert_id: str) -> Alert:
    alert = await post.book.alert(alert_id)
    if alert is None:
        raise QuestionError("This alert is no longer kept; a new one comes if the problem is still there.")
    return alert


async def _done(post: Post, alert_id: str, deed: Callable[[Alert, datetime], Change | None]) -> Attended:
    for _ in range(TRIES):
        alert, now = await _known(post, alert_id), post.clock.now()
        change = deed(alert, now)
        if change is None or change.after is None:
            return Attended(alert, taken=False)
        if await post.book.write([change], now, alerts.entries([change], now)):
            return Attended(change.after)
    raise StorageError("This alert was changed by others all the time; please press again.")
