"""What charts and the weekly digest are drawn from: an alert's arrivals beside what was to be expected, and weeks."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.alerts import Alert, Kind
from bot.model import Cause, Stored, Window
from bot.monitors import Learned
from bot.opening import Opening
from bot.ports import AlertBook, Ledger, Statistics
from bot.silence import HISTORY, WEEK, Band, band

SHOWN: Final = timedelta(hours=36)
AFTER: Final = timedelta(hours=1)
WEEKS: Final = 8
# nobody asks so much, and a digest must end
MOST_ANSWERS: Final = 20_000

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How many receipts METRC recorded in each hour, and how many were to be expected. Hours without one are 0.

    ``broke_at``: the last sign of life, or the oldest sale that waits.
    """

    name: str
    zone: str
    hours: tuple[tuple[datetime, int], ...]
    expected: tuple[Band, ...]
    broke_at: datetime
    until: datetime


async def arrivals(
    statistics: Statistics, learned: Learned | None, opening: Opening, alert: Alert, now: datetime
) -> Arrivals:
    """Of the shop that the alert names first. Raises ``StorageError``."""
    member = alert.members[0]
    start = _full_hour(min(member.since - AFTER, now - SHOWN))
    recorded = Counter(_full_hour(at) for _, at in await statistics.recorded(start) if at <= now)
    count = int((now - start) / _HOUR) + 1
    hours = tuple((start + n * _HOUR, recorded[start + n * _HOUR]) for n in range(count))
    rhythm = learned.rhythm if learned else None
    expected = band(rhythm, opening, start, now) if rhythm else ()
    return Arrivals(member.name, opening.zone, hours, expected, member.since, now)


def _full_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Week:
    """One week of some shops: answers by cause, delays of posts in seconds, alerts by kind."""

    start: datetime
    causes: Mapping[Cause, int]
    delay: tuple[float, float] | None
    alerts: Mapping[Kind, int]

    @property
    def discrepancies(self) -> int:
        """Answers that found something."""
        return sum(self.causes.values())


@dataclass(frozen=True, slots=True)
class Digest:
    """The weeks of the shops that share a channel, oldest first; the last one is told. ``open``: alerts open now."""

    names: tuple[str, ...]
    weeks: tuple[Week, ...]
    open: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a digest's facts are, for the shops of one channel. ``shops``: license → name and statistics."""

    ledger: Ledger
    book: AlertBook
    shops: Mapping[str, tuple[str, Statistics]]


async def digest(shelf: Shelf, now: datetime) -> Digest:
    """The last eight weeks until now. Raises ``StorageError``."""
    starts = [now - n * WEEK for n in range(WEEKS, 0, -1)]
    causes: dict[int, Counter[Cause]] = {}
    async for stored in _answers(shelf.ledger, now - HISTORY):
        if stored.facility in shelf.shops and stored.kept is not None and stored.kept[0].cause is not Cause.NONE:
            causes.setdefault(_place(stored.asked_at, starts), Counter())[stored.kept[0].cause] += 1
    delays: dict[int, list[float]] = {}
    for _, statistics in shelf.shops.values():
        for sold, at in await statistics.recorded(now - HISTORY):
            if sold is not None and sold <= at <= now:
                delays.setdefault(_place(at, starts), []).append((at - sold).total_seconds())
    told: dict[int, Counter[Kind]] = {}
    for alert in await shelf.book.opened(Window(now - HISTORY, now)):
        if alert.fired_at is not None and set(alert.licenses) & set(shelf.shops):
            told.setdefault(_place(alert.fired_at, starts), Counter())[alert.kind] += 1
    weeks = tuple(
        Week(start, causes.get(n, Counter()), _percentiles(delays.get(n, ())), told.get(n, Counter()))
        for n, start in enumerate(starts)
    )
    live = (a for a in await shelf.book.known(now) if a.is_live and a.is_told and set(a.licenses) & set(shelf.shops))
    return Digest(tuple(name for name, _ in shelf.shops.values()), weeks, tuple(live))


async def _answers(ledger: Ledger, since: datetime) -> AsyncIterator[Stored]:
    count = 0
    async for stored in ledger.answers(newest_first=True):
        count += 1
        if stored.asked_at < since or count > MOST_ANSWERS:
            return
        yield stored


def _place(at: datetime, starts: Sequence[datetime]) -> int:
    return min(len(starts) - 1, max(0, int((at - starts[0]) / WEEK)))


def _percentiles(seconds: Sequence[float]) -> tuple[float, float] | None:
    """The median and the 95th, nearest rank; None: nothing was posted."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    p50, p95 = (ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (50, 95))
    return p50, p95
