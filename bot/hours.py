"""Wall-clock arithmetic: when a nightly run comes next, in its own zone, across daylight-saving changes. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def is_zone(name: str) -> bool:
    """Whether this is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def nightly_time(text: str) -> tuple[time, ZoneInfo]:
    """``04:00 America/New_York`` → the time and its zone; raises ``ValueError``."""
    clock, _, zone = text.strip().partition(" ")
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", clock) or not is_zone(zone.strip()):
        raise ValueError(f"{text!r} is not a time and a zone")
    hour, minute = clock.split(":")
    return time(int(hour), int(minute)), ZoneInfo(zone.strip())


def next_nightly(text: str, after: datetime) -> datetime:
    """The first nightly run strictly after a moment, in UTC."""
    at, zone = nightly_time(text)
    day = after.astimezone(zone).date()
    run = datetime.combine(day, at, zone).astimezone(UTC)
    if run > after:
        return run
    return datetime.combine(day + timedelta(days=1), at, zone).astimezone(UTC)


def apart(told: datetime, at: datetime, zone: str) -> timedelta:
    """How far a moment told by the wall clock of a zone is from another; in the hour that comes twice, from the nearer."""
    local = told.astimezone(ZoneInfo(zone))
    return min(abs(local.replace(fold=fold).astimezone(UTC) - at) for fold in (0, 1))
