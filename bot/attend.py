"""What people do about an alert: take it in hand, put it off, say that the shop is closed, say that a key was renewed.

A change is a conditional update; whoever is outrun looks again. Each is written into the audit log with its name, in the
same transaction as the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

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
# Whoever says “today” so soon after the doors were shut means that day, also after midnight.
LATE: Final = timedelta(hours=6)
MORNING: Final = time(8)
SHORTEST_NIGHT: Final = timedelta(hours=4)

KEYS: Final = frozenset({Kind.DEAD_KEY, Kind.KEY_EXPIRY})
"""What a renewed key ends."""

QUIET: Final = frozenset({Kind.SYNC_SILENT, Kind.EXPORT_STALE})
"""What a closed shop explains."""


class Snooze(StrEnum):
    """The lengths that may be offered, by the words of ``bot.alerts.snoozes``."""

    HOUR = "1 hour"
    OPENING = "until we open"
    TOMORROW = "until tomorrow"


def _alone(license_number: str) -> tuple[str, ...]:
    return (license_number,)


@dataclass(frozen=True, slots=True)
class Post:
    """Where people attend to alerts. ``opening``: the hours of a license; None: it is not configured any more.

    ``sharing``: every license that has the key of this one, itself first.
    """

    book: AlertBook
    memory: Memory
    audit: AuditLog
    opening: Callable[[str], Opening | None]
    clock: Clock
    sharing: Callable[[str], tuple[str, ...]] = _alone

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
        until = lengths(post.hours(alert), now).get(length)
        if until is None:
            raise QuestionError("This length is not offered now; choose another one.")
        return alerts.snooze(alert, by, until, now)

    return await _done(post, alert_id, deed)


def lengths(opening: Opening, now: datetime) -> dict[Snooze, datetime]:
    """The snoozes that are offered now, and until when each of them lasts."""
    offered = {Snooze(label): until for label, until in alerts.snoozes(opening, now)}
    # doors that are open at midnight have no opening there
    if Snooze.TOMORROW in offered and opening.is_open(opening.midnight_after(now)):
        offered[Snooze.TOMORROW] = opening.next_opening(_morning_after(opening, now)) or offered[Snooze.TOMORROW]
    return offered


def _morning_after(opening: Opening, now: datetime) -> datetime:
    """The first morning that has a night before it."""
    rested = now + SHORTEST_NIGHT
    days = (opening.day_of(rested) + timedelta(days=n) for n in (0, 1))
    mornings = (datetime.combine(day, MORNING, ZoneInfo(opening.zone)).astimezone(UTC) for day in days)
    return next(morning for morning in mornings if morning >= rested)


async def closed_today(post: Post, alert_id: str, by: str) -> Attended:
    """The shop of this alert stays closed today: silence is no sign, and nobody hears of it before it opens again.

    Raises ``QuestionError`` for an alert that has ended, and for one that several shops share.
    """
    alert, now = await _known(post, alert_id), post.clock.now()
    if len(alert.licenses) > 1:
        raise QuestionError(
            f"{len(alert.licenses)} shops share this alert, so nobody knows which one is closed. Snooze it, or add the day "
            "to the holidays of the closed shop in the facilities file."
        )
    [license_number] = alert.licenses
    opening = post.opening(license_number)
    day = None if opening is None else day_meant(opening, now)
    opens = opening.also_closed([day]).next_opening(now) if opening and day else None
    until = min(opens or now + LONGEST_SNOOZE, now + LONGEST_SNOOZE)

    def deed(alert: Alert, now: datetime) -> Change:
        return alerts.snooze(alert, by, until, now)

    # what is refused is refused before anything is written
    deed(alert, now)
    if day is not None:
        await close_day(post.memory, license_number, day, now)
        await post.audit.append([alerts.entry(Event.CLOSED_DAY, alert, now, actor=by, day=str(day))])
    return await _done(post, alert_id, deed)


def day_meant(opening: Opening, now: datetime) -> date:
    """What “today” is at a shop: the day whose doors are open, or were shut just now; else the date."""
    doors = now if opening.is_open(now) else _just_shut(opening, now)
    today = opening.day_of(now)
    if doors is None:
        return today
    days = (opening.day_of(doors) - timedelta(days=n) for n in (1, 0))
    return next((day for day in days if not opening.also_closed([day]).is_open(doors)), today)


def _just_shut(opening: Opening, now: datetime) -> datetime | None:
    """The last moment of the span that ended lately; None: there is none, or the shop opens sooner than that."""
    past, ahead = opening.spans(now - LATE, now), opening.next_opening(now)
    shut = past[-1][1] if past else None
    if shut is None or (ahead is not None and ahead - now < now - shut):
        return None
    return shut - timedelta(microseconds=1)


async def renewed(post: Post, alert_id: str, by: str, on: date) -> tuple[str, ...]:
    """The key of this alert was renewed on that day; the next round counts from it. The shops that have this key.

    Raises ``QuestionError`` for an alert that is unknown, and for a day that cannot be.
    """
    alert = await _known(post, alert_id)
    now = post.clock.now()
    today = post.hours(alert).day_of(now)
    if not today - OLDEST_KEY <= on <= today:
        raise QuestionError("Choose the day on which the key was made: today or earlier, within the last three years.")
    shops = tuple(dict.fromkeys(shop for license_number in alert.licenses for shop in post.sharing(license_number)))
    for license_number in shops:
        await key_renewed(post.memory, license_number, on, now)
    await post.audit.append([alerts.entry(Event.KEY_RENEWED, alert, now, actor=by, on=str(on), shops=list(shops))])
    return shops


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
