"""Simulated shop-years on an accelerated clock: what a shop sells, when METRC records it, and when that breaks.

Steady sales are Poisson; bursty ones have a gamma factor each hour; heavy-tailed ones a lognormal factor. All have a
shape of day and week, a season, declared holidays and slow days that nobody declared. Days on which a shop stays closed
without saying so are made only on request, and counted apart. Everything follows from the seed.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from bot.opening import Opening, opening
from bot.silence import (
    HISTORY,
    POISSON,
    WEEK,
    Hour,
    Law,
    Pace,
    Posted,
    backlog,
    hourly,
    hours_of,
    learn,
    learn_delays,
)

START = datetime(2025, 1, 6, 8, tzinfo=UTC)
ROUND = timedelta(minutes=5)
SHOPS = (
    ("America/Denver", "Mo-Su 09:00-21:00"),
    ("America/New_York", "Mo-Sa 10:00-22:00; Su 11:00-19:00"),
    ("America/Los_Angeles", "Mo-Su 08:00-22:00"),
    ("America/Phoenix", "Mo-Fr 09:00-19:30; Sa,Su 10:00-18:00"),
    ("America/Chicago", "Mo-Su 09:00-01:00"),
)
# Of the day's peak, by how far the day has gone.
_DAY = (0.35, 0.5, 0.7, 0.8, 0.7, 0.6, 0.7, 0.9, 1.0, 0.95, 0.8, 0.55)
_WEEK = (0.8, 0.8, 0.85, 0.95, 1.25, 1.3, 0.95)


@dataclass(frozen=True)
class Regime:
    """How sales are spread within an hour's mean: ``dispersion`` is the true one, 1 / cv² of the hourly factor."""

    name: str
    dispersion: float

    def factor(self, dice: random.Random) -> float:
        """The hour's factor, of mean 1."""
        if self.name == "bursty":
            return dice.gammavariate(self.dispersion, 1 / self.dispersion)
        if self.name == "heavy-tailed":
            sigma = math.sqrt(math.log1p(1 / self.dispersion))
            return dice.lognormvariate(-sigma * sigma / 2, sigma)
        return 1.0


STEADY, BURSTY, HEAVY = Regime("steady", POISSON), Regime("bursty", 4.0), Regime("heavy-tailed", 1.5)
REGIMES = (STEADY, BURSTY, HEAVY)


@dataclass(frozen=True)
class ShopYears:
    """One shop: 8 weeks to learn from, then ``weeks`` to be judged.

    ``secret``: how many days in a year it stays closed without declaring it. ``false_alarms``: accepted a year.
    """

    seed: int
    regime: Regime
    weeks: int = 52
    secret: int = 0
    false_alarms: float = 1.0
    start: datetime = field(default=START)

    @cached_property
    def _dice(self) -> random.Random:
        return random.Random(f"{self.seed} {self.regime.name} {self.secret}")  # noqa: S311 - a simulation

    @property
    def end(self) -> datetime:
        """The end of the time that is simulated."""
        return self.start + HISTORY + self.weeks * WEEK

    @property
    def judged_from(self) -> datetime:
        """The end of the weeks that are only learned from."""
        return self.start + HISTORY

    @cached_property
    def opening(self) -> Opening:
        """Its hours; six holidays a year are declared."""
        zone, text = SHOPS[self.seed % len(SHOPS)]
        days = self._days()
        holidays = self._dice.sample(days, max(1, round(len(days) * 6 / 365)))
        return opening(zone, text, holidays)

    def _days(self) -> list[date]:
        return [(self.start + timedelta(days=n)).date() for n in range(2, (self.end - self.start).days)]

    @cached_property
    def hours(self) -> tuple[Hour, ...]:
        """Every hour in which it says it is open."""
        return hours_of(self.opening, self.start, self.end)

    @cached_property
    def means(self) -> dict[int, float]:
        """The true mean of each of these hours, slow days and season in it; 0 on the days it keeps secret."""
        peak = math.exp(self._dice.uniform(math.log(4), math.log(60)))
        swing, phase = self._dice.uniform(0.05, 0.2), self._dice.uniform(0, 2 * math.pi)
        slow = {day for day in self._days() if self._dice.random() < 1 / 30}
        shut = set(self._dice.sample(self._days(), round(self.secret * len(self._days()) / 365)))
        means = {}
        for hour in self.hours:
            day = date.fromordinal(719163 + hour.number // 24)
            season = 1 + swing * math.sin(phase + 2 * math.pi * hour.number / (24 * 365))
            of_day = _DAY[(hour.cell % 24 + 15) % 24 * len(_DAY) // 24]
            level = 0.0 if day in shut else 0.55 if day in slow else 1.0
            means[hour.number] = peak * _WEEK[hour.cell // 24] * of_day * season * level * hour.share
        return means

    @cached_property
    def sales(self) -> list[datetime]:
        """When it sold, oldest first, while the doors were open."""
        dice = self._dice
        found = []
        for number, mean in self.means.items():
            expected = mean * self.regime.factor(dice)
            moment, end = number * 3600.0, (number + 1) * 3600.0
            while expected and (moment := moment + dice.expovariate(expected) * 3600) < end:
                found.append(datetime.fromtimestamp(moment, UTC))
        return [sale for sale in found if self._open(sale)]

    def _open(self, sale: datetime) -> bool:
        """Only the first and the last hour of a day may be open in part."""
        place = bisect_left(self.hours, int(sale.timestamp()) // 3600, key=lambda hour: hour.number)
        return self.hours[place].share > 0.99 or self.opening.is_open(sale)

    def deaths(self, count: int) -> list[datetime]:
        """Moments, doors open, at which everything breaks; each is looked at by itself."""
        dice = random.Random(f"deaths {self.seed} {self.regime.name}")  # noqa: S311
        open_hours = [h for h in self.hours if h.number * 3600 > self.judged_from.timestamp() and h.share > 0.99]
        chosen = sorted(dice.sample(open_hours, min(count, len(open_hours))), key=lambda hour: hour.number)
        return [datetime.fromtimestamp((hour.number + dice.random()) * 3600, UTC) for hour in chosen]


# --- the detectors, a year at a time ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """What a detector did: false alarms, in how many years, and the delay of each failure in hours; None: missed."""

    false_alarms: int
    years: float
    delays: tuple[float | None, ...]


def next_round(at: datetime) -> datetime:
    """The watch looks every five minutes."""
    return datetime.fromtimestamp(math.ceil(at.timestamp() / ROUND.total_seconds()) * ROUND.total_seconds(), UTC)


def _score(shop: ShopYears, alarms: int, told: Sequence[tuple[datetime, datetime | None]]) -> Score:
    hours = tuple(None if at is None else (next_round(at) - death) / timedelta(hours=1) for death, at in told)
    return Score(alarms, shop.weeks / 52, hours)


def _gaps(shop: ShopYears) -> Iterator[tuple[datetime, datetime]]:
    first = bisect_left(shop.sales, shop.judged_from)
    return itertools.pairwise(shop.sales[first - 1 :])


def _last(shop: ShopYears, death: datetime) -> datetime:
    return shop.sales[bisect_right(shop.sales, death) - 1]


def by_clock(shop: ShopYears, limit: timedelta, deaths: Sequence[datetime]) -> Score:
    """A rival: so long without a record, whatever the hour."""
    alarms = sum(next_round(a + limit) < b for a, b in _gaps(shop))
    return _score(shop, alarms, [(death, _last(shop, death) + limit) for death in deaths])


def by_longest_gaps(shop: ShopYears, deaths: Sequence[datetime]) -> Score:
    """A rival: the p99.9 of the gaps of the 8 weeks that were learned from."""
    learned = shop.sales[: bisect_left(shop.sales, shop.judged_from)]
    gaps = sorted(b - a for a, b in itertools.pairwise(learned))
    return by_clock(shop, gaps[math.ceil(len(gaps) * 0.999) - 1], deaths)


def by_cadence(shop: ShopYears, deaths: Sequence[datetime]) -> Score:
    """Ours: the tempered cadence, learned anew every week from the 8 weeks before."""
    counts = hourly(shop.sales)
    paces: dict[int, tuple[Pace, float]] = {}

    def pace(at: datetime) -> tuple[Pace, float]:
        week = (at - shop.start) // WEEK
        if week not in paces:
            paces[week] = _learned_pace(shop, counts, shop.start + week * WEEK)
        return paces[week]

    return _by_pace(shop, deaths, pace)


def _learned_pace(shop: ShopYears, counts: dict[int, int], now: datetime) -> tuple[Pace, float]:
    numbers = [int((now - back).timestamp()) // 3600 for back in (HISTORY, timedelta(0))]
    first, last = (bisect_left(shop.hours, number, key=lambda hour: hour.number) for number in numbers)
    rhythm = learn(counts, shop.hours[first:last])
    assert rhythm is not None
    return Pace(rhythm, shop.opening, now - WEEK, now + 2 * WEEK), rhythm.needed(shop.false_alarms)


def by_oracle(shop: ShopYears, deaths: Sequence[datetime]) -> Score:
    """The best there could be: it knows the true mean of every hour, slow days too, and the true dispersion."""
    true = _TruePace(shop)
    return _by_pace(shop, deaths, lambda _: (true, true.needed))


def _by_pace(shop: ShopYears, deaths: Sequence[datetime], pace) -> Score:
    alarms = 0
    for a, b in _gaps(shop):
        if b - a < timedelta(minutes=5):
            continue
        scores, needed = pace(a)
        alarms += scores.total(b) - scores.total(a) >= needed and _round_between(scores, a, b, needed)
    told = []
    for death in deaths:
        scores, needed = pace(death)
        told.append((death, scores.reached(_last(shop, death), needed)))
    return _score(shop, alarms, told)


def _round_between(scores, a: datetime, b: datetime, needed: float) -> bool:
    """Whether a round looked while it was silent."""
    at = scores.reached(a, needed)
    return at is not None and next_round(at) < b


class _TruePace(Pace):
    """The silence score of the true rates."""

    def __init__(self, shop: ShopYears) -> None:
        k = shop.regime.dispersion
        self._moments, self._totals = [shop.start.timestamp()], [0.0]
        for hour in shop.hours:
            self._add(hour.number * 3600.0, 0.0)
            self._add((hour.number + 1) * 3600.0, k * math.log1p(shop.means[hour.number] / k))
        weekly = sum(shop.means.values()) / ((shop.end - shop.start) / WEEK)
        self.needed = math.log(weekly * 52 / shop.false_alarms)  # what is known needs no caution


# --- posting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Posting:
    """How a POS posts: at once with a heavy tail of delays, or every few minutes what has gathered."""

    name: str
    batch: timedelta | None = None

    def recorded(self, sales: Sequence[datetime], dice: random.Random) -> list[datetime]:
        """When METRC recorded each sale."""
        if self.batch is None:
            return [sale + timedelta(seconds=40 * dice.paretovariate(3)) for sale in sales]
        return list(self._in_batches(sales, dice))

    def _in_batches(self, sales: Sequence[datetime], dice: random.Random) -> Iterator[datetime]:
        late: dict[int, float] = {}
        assert self.batch is not None
        for sale in sales:
            run = int(sale.timestamp() // self.batch.total_seconds()) + 1
            delay = late.setdefault(run, 20 * dice.paretovariate(3))
            yield datetime.fromtimestamp(run * self.batch.total_seconds() + delay, UTC)


REALTIME, BATCHED = Posting("realtime"), Posting("batch", timedelta(minutes=8))


def by_backlog(shop: ShopYears, posting: Posting, deaths: Sequence[datetime]) -> tuple[Score, Law]:
    """Ours: the age of what waits behind the newest recorded sale; the law is learned from the first 8 weeks."""
    dice = random.Random(f"posting {shop.seed} {posting.name}")  # noqa: S311
    recorded = posting.recorded(shop.sales, dice)
    first = bisect_left(shop.sales, shop.judged_from)
    law = learn_delays((b - a for a, b in zip(shop.sales[:first], recorded[:first], strict=True)), HISTORY)
    assert law is not None
    judge = _Backlog(shop, recorded, law)
    return _score(shop, judge.false_alarms(first), [(death, judge.told(death)) for death in deaths]), law


@dataclass(frozen=True)
class _Backlog:
    shop: ShopYears
    recorded: list[datetime]
    law: Law

    def false_alarms(self, first: int) -> int:
        """Only a sale that took longer than the limit can bring one about, so only those are looked at."""
        alarms, until = 0, self.shop.judged_from
        for place in range(first, len(self.recorded)):
            sold, recorded = self.shop.sales[place], self.recorded[place]
            if recorded - sold <= self.law.limit or sold < until:
                continue
            at = next_round(sold + self.law.limit)
            while at < recorded and not self._silent(at, None):
                at += ROUND
            if at < recorded:
                alarms, until = alarms + 1, recorded
        return alarms

    def told(self, death: datetime) -> datetime | None:
        """The round that tells; None: none within 4 days."""
        at = next_round(death)
        while at < death + timedelta(days=4):
            if self._silent(at, death):
                return at
            at += ROUND
        return None

    def _silent(self, at: datetime, death: datetime | None) -> bool:
        """What the watch would say, of the sales of the last 12 hours; what is recorded after the death is not."""
        low, high = bisect_left(self.shop.sales, at - timedelta(hours=12)), bisect_right(self.shop.sales, at)
        known = min(at, death) if death else at
        posts = [
            Posted(str(place), self.shop.sales[place], self.recorded[place] if self.recorded[place] <= known else None)
            for place in range(low, high)
        ]
        return backlog(posts, self.law, timedelta(hours=1), self.shop.false_alarms, at).silent
