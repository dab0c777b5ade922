"""When a shop is open: weekly hours, holidays and days it stays closed, on its own wall clock. Pure.

``Mo-Fr 09:00-12:00,13:00-21:00; Sa 10:00-26:00; Su off``: rules are parted by semicolons, a later one replaces an
earlier one for the days it names, a day that no rule names is closed, and a span may end after midnight (``22:00-02:00``
or ``22:00-26:00``). Hours that a clock change leaves out or repeats last as long as they really do.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
ACCEPTED: Final = 'opening hours such as "Mo-Su 09:00-21:00" or "Mo-Fr 09:00-12:00,13:00-21:00; Sa 10:00-18:00; Su off"'

Span = tuple[int, int]
"""From and until, in minutes after local midnight; past 1440 it runs into the next day."""

Week = tuple[tuple[Span, ...], ...]
"""The spans of each day, Monday first."""

_DAY = 1440
_FAR: Final = 400
_TIMES: Final = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Opening:
    """A shop's hours. ``week`` None: nobody told them, so it may be open at any time. ``closed``: local dates."""

    zone: str
    week: Week | None = None
    closed: frozenset[date] = frozenset()

    def also_closed(self, days: Iterable[date]) -> Opening:
        """The same with these days closed as well."""
        return replace(self, closed=self.closed | frozenset(days))

    def day_of(self, at: datetime) -> date:
        """The shop's date at that moment."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def is_open(self, at: datetime) -> bool:
        """Whether the doors are open; at the minute of closing they are not."""
        return any(start <= at < end for start, end in self._around(at, at))

    def spans(self, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """The open spans between two moments, in UTC, in order, each one whole and none touching the next."""
        clipped = ((max(s, start), min(e, end)) for s, e in self._around(start, end))
        return tuple(_joined(span for span in clipped if span[0] < span[1]))

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """How long the doors were open between two moments."""
        return sum((e - s for s, e in self.spans(start, end)), timedelta(0))

    def next_opening(self, after: datetime) -> datetime | None:
        """``after`` itself while the shop is open, else when it opens next; None: never within a year."""
        if self.is_open(after):
            return after
        for days in range(_FAR):
            day = self.day_of(after) + timedelta(days=days)
            found = next((start for start, _ in self._on(day) if start >= after), None)
            if found:
                return found
        return None

    def midnight_after(self, at: datetime) -> datetime:
        """When the shop's next day begins."""
        return self._moment(self.day_of(at), _DAY)

    def _around(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = self.day_of(start) - timedelta(days=1)
        last = self.day_of(end)
        while day <= last:
            yield from self._on(day)
            day += timedelta(days=1)

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if day in self.closed:
            return
        spans = ((0, _DAY),) if self.week is None else self.week[day.weekday()]
        for start, end in spans:
            opens, closes = self._moment(day, start), self._moment(day, end)
            if opens < closes:  # a clock change may leave nothing of it
                yield opens, closes

    def _moment(self, day: date, minutes: int) -> datetime:
        days, rest = divmod(minutes, _DAY)
        at = time(rest // 60, rest % 60)
        return datetime.combine(day + timedelta(days=days), at, ZoneInfo(self.zone)).astimezone(UTC)


def opening(zone: str, hours: str | None, closed: Iterable[date] = ()) -> Opening:
    """The hours of a shop; raises ``ValueError`` for hours that cannot be read."""
    return Opening(zone, None if hours is None else parse_hours(hours), frozenset(closed))


def parse_hours(text: str) -> Week:
    """``Mo-Su 09:00-21:00`` → seven days of spans; raises ``ValueError`` that names what is accepted."""
    week: list[tuple[Span, ...]] = [()] * 7
    rules = [rule.strip() for rule in text.split(";") if rule.strip()]
    for rule in rules:
        days, spans = _rule(rule)
        for day in days:
            week[day] = spans
    if not any(week):
        raise ValueError(f"{text!r} never opens; accepted: {ACCEPTED}")
    return tuple(week)


def spoken(span: timedelta) -> str:
    """``40 min``, ``3 h 20 min``, ``2 days 4 h``."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {rest} min" if rest else "")
    return f"{minutes} min"


def _rule(rule: str) -> tuple[tuple[int, ...], tuple[Span, ...]]:
    found = re.fullmatch(r"([A-Za-z,\s-]*?)\s*(24/7|off|closed|[\d:,\s-]+)", rule, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{rule!r} cannot be read; accepted: {ACCEPTED}")
    return _days(found[1]), _spans(found[2])


def _days(text: str) -> tuple[int, ...]:
    if not text.strip():
        return tuple(range(7))
    return tuple(day for part in text.split(",") for day in _range(part))


def _range(part: str) -> tuple[int, ...]:
    names = [name.strip().capitalize() for name in part.split("-")]
    if len(names) > 2 or not all(name in DAYS for name in names):
        raise ValueError(f"{part.strip()!r} is no day; accepted: {', '.join(DAYS)}, alone or as Mo-Fr")
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return tuple((first + step) % 7 for step in range((last - first) % 7 + 1))


def _spans(text: str) -> tuple[Span, ...]:
    if text == "24/7":
        return ((0, _DAY),)
    if text.lower() in {"off", "closed"}:
        return ()
    spans = sorted(_span(part) for part in text.split(","))
    if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
        raise ValueError(f"{text.strip()!r} has spans that overlap")
    return tuple(spans)


def _span(text: str) -> Span:
    found = _TIMES.fullmatch(re.sub(r"\s", "", text))
    if found is None:
        raise ValueError(f"{text.strip()!r} is no span of time; accepted: 09:00-21:00")
    from_hour, from_minute, to_hour, to_minute = (int(part) for part in found.groups())
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if end <= start:
        end += _DAY
    if start >= _DAY or end > start + _DAY or max(from_minute, to_minute) > 59:
        raise ValueError(f"{text.strip()!r} is no span of time; accepted: 09:00-21:00")
    return start, end


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    held: tuple[datetime, datetime] | None = None
    for span in spans:
        if held is None or span[0] > held[1]:
            if held is not None:
                yield held
            held = span
        else:
            held = (held[0], max(held[1], span[1]))
    if held is not None:
        yield held
