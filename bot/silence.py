"""Is a feed silent, or is the shop only quiet? Three detectors, best first. Pure.

* **Backlog age**: what the POS sold and METRC has not recorded, judged against how long this shop's posts really take.
* **Heartbeat**: when METRC was last read. Silence is judged only on a fresh reading; "we did not look" is another alert.
* **Cadence**: the gap since the last METRC record, for shops whose POS cannot be read, judged against the shop's week.

Each is tuned by one number, the false alarms a shop accepts in a year. A rate that the history cannot carry is never
claimed: under four weeks of it there is a plain limit, and the verdict says so. Rates here are statistics, so they are
floats; a UTC hour is counted in whole hours since 1970 and belongs to the local hour of the week it begins in.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.opening import Opening, spoken

WEEK: Final = timedelta(weeks=1)
HISTORY: Final = timedelta(weeks=8)
LEAST_HISTORY: Final = timedelta(weeks=4)
CELLS: Final = 168
# A cell's own mean is drawn towards its hour of the day as if by two more weeks.
PULL: Final = 2.0
POISSON: Final = 1e6
WEEKS_A_YEAR: Final = 52.0

# Rates are learned and slow days are not declared, so the score asks for a rate this much lower than the stated one.
CAUTION: Final = 1.5
# Of the sales that are late, about one in twelve has no later one recorded, and only those are looked at; this credits
# a part of that. Beyond the longest delay ever seen, posts grow rarer at this share of the pace at which the longest
# ones did: a law that stopped there would need a second sale to be sure, for which a slow shop waits. All three
# numbers were chosen on simulated shops; the benchmark judges them on others.
CREDIT: Final = 0.5
BEYOND: Final = 0.3

# Posts that were learned from; fewer carry no p99.9.
LEAST_POSTS: Final = 200
SHORTEST: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(hours=4)
# Without history: this long without a record while the doors are open, or on the clock where nobody told the hours.
PLAIN_OPEN: Final = timedelta(hours=4)
PLAIN_CLOCK: Final = timedelta(hours=24)

_HOUR = 3600
_STEP = 1 / 16
# The last of so many steps of a law lie between its hundred longest and its five longest delays.
_TAIL = (round(math.log(100) / _STEP), round(math.log(5) / _STEP))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says. ``since``: the last sign of life, or the oldest sale that waits; ``says``: one sentence."""

    silent: bool
    since: datetime | None
    says: str
    waiting: int = 0


# --- backlog age ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Posted:
    """A POS sale and when METRC recorded it; None: not yet. ``parked``: the POS gave up, or there is nothing to post."""

    sale_id: str
    sold_at: datetime
    recorded_at: datetime | None = None
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Law:
    """How long a shop's posts take: ``knots[i]`` seconds were exceeded by a share of e^(−i/16) of ``count`` posts.

    ``weeks``: how long a history that is.
    """

    count: int
    weeks: float
    knots: tuple[float, ...]

    @property
    def usual(self) -> timedelta:
        """The median."""
        return timedelta(seconds=self.longer_than(0.5))

    @property
    def limit(self) -> timedelta:
        """The age at which a waiting post is no longer normal: the p99.9, within sane bounds."""
        return min(max(timedelta(seconds=self.longer_than(0.001)), SHORTEST), LONGEST)

    def longer_than(self, share: float) -> float:
        """The delay in seconds that this share of the posts exceeded; the longest one where the history is too short."""
        at = math.ceil(-math.log(share) / _STEP)
        return self.knots[min(at, len(self.knots) - 1)]

    def surprise(self, age: timedelta) -> float:
        """−ln of the share of posts that take longer; beyond the longest that was seen it is a careful guess."""
        seconds = age.total_seconds()
        place = bisect_right(self.knots, seconds) - 1
        seen = max(0, place) * _STEP
        longest = self.knots[-1]
        if place < len(self.knots) - 1 or longest <= 0:
            return seen
        return seen + BEYOND * self._steepness * math.log(seconds / longest)

    @property
    def _steepness(self) -> float:
        """By how much the surprise grows from the hundred longest delays to the five longest, per e-fold of the delay."""
        begin, end = (self.knots[-1 - steps] for steps in _TAIL)
        steps = _TAIL[0] - _TAIL[1]
        return steps * _STEP / math.log(end / begin) if 0 < begin < end else 0.0

    def needed(self, per_year: float) -> float:
        """The surprise that healthy posting reaches only ``per_year`` times a year."""
        return max(1.0, math.log(self.count / self.weeks * WEEKS_A_YEAR / per_year) - CREDIT)


def learn_delays(delays: Iterable[timedelta], history: timedelta) -> Law | None:
    """The law of these delays; None: too few posts, or under four weeks of them. Negative ones are dropped."""
    seconds = sorted(delay.total_seconds() for delay in delays if delay >= timedelta(0))
    if len(seconds) < LEAST_POSTS or history < LEAST_HISTORY:
        return None
    steps = int(math.log(len(seconds) + 1) / _STEP)
    knots = (seconds[_rank(len(seconds), math.exp(-step * _STEP))] for step in range(steps + 1))
    return Law(len(seconds), history / WEEK, tuple(knots))


def _rank(count: int, share: float) -> int:
    """Of sorted values, the place of the one that at most this share exceed: the bound that holds for any law."""
    return min(count - 1, max(0, math.ceil((count + 1) * (1 - share)) - 1))


def backlog(posts: Iterable[Posted], law: Law | None, plain: timedelta, per_year: float, as_of: datetime) -> Verdict:
    """Judge what waits behind the newest recorded sale, as METRC was read ``as_of``.

    A single straggler is no silence while later sales arrive. ``plain``: the limit where no law could be learned.
    """
    waiting = waiting_posts(posts, as_of)
    if not waiting:
        return Verdict(silent=False, since=None, says="Every sale that should have arrived is in METRC.")
    oldest = waiting[0].sold_at
    age = as_of - oldest
    if law is None:
        says = (
            f"{_sales(waiting)}, the oldest for {spoken(age)}; limit {spoken(plain)}, for there is too little history."
        )
        return Verdict(age > plain, oldest, says, len(waiting))
    says = f"{_sales(waiting)}, the oldest for {spoken(age)}; 999 of 1,000 posts take at most {spoken(law.limit)}."
    late = age > law.limit and _surprise(waiting, law, as_of) >= law.needed(per_year)
    return Verdict(late or age > LONGEST, oldest, says, len(waiting))


def waiting_posts(posts: Iterable[Posted], as_of: datetime) -> tuple[Posted, ...]:
    """The sales after the newest recorded one, oldest first, that METRC does not have and still should get."""
    known = [post for post in posts if post.sold_at <= as_of]
    newest = max((post.sold_at for post in known if post.recorded_at), default=None)
    behind = (p for p in known if p.recorded_at is None and not p.parked and (newest is None or p.sold_at > newest))
    return tuple(sorted(behind, key=lambda post: (post.sold_at, post.sale_id)))


def _surprise(waiting: Sequence[Posted], law: Law, as_of: datetime) -> float:
    """The surprises added up; sales within the usual delay of each other share a post's fate and count once."""
    total, counted = 0.0, None
    for post in waiting:
        if counted is None or post.sold_at - counted >= law.usual:
            total += law.surprise(as_of - post.sold_at)
            counted = post.sold_at
    return total


def drifted(recent: Sequence[timedelta], law: Law) -> bool:
    """Whether posting has become slow: the median of the newest posts is beyond what one in twenty used to take."""
    if len(recent) < 20:
        return False
    median = sorted(recent)[len(recent) // 2]
    return median > max(timedelta(seconds=law.longer_than(0.05)), 2 * law.usual, SHORTEST)


def _sales(waiting: Sequence[Posted]) -> str:
    return "1 sale waits" if len(waiting) == 1 else f"{len(waiting)} sales wait"


# --- heartbeat --------------------------------------------------------------------------------------------------------


def unseen(last_success: datetime | None, watching_since: datetime, patience: timedelta, now: datetime) -> bool:
    """Whether nothing was read for too long; time in which the bot itself did not run is no silence of anybody's."""
    return now - max(last_success or watching_since, watching_since) > patience


# --- cadence ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hour:
    """A UTC hour: its number, its local hour of the week (0 = Monday midnight), and the share in which doors are open."""

    number: int
    cell: int
    share: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A shop's week: ``rates`` in records an open hour for each hour of the week, and how unsteady they are.

    ``dispersion``: small is bursty, a million is Poisson. ``weekly``: records a week. ``weeks``: the history behind it.
    """

    rates: tuple[float, ...]
    dispersion: float
    weekly: float
    weeks: float

    def tempered(self, cell: int) -> float:
        """−ln of the chance that such an hour stays empty (gamma–Poisson), an hour's worth of silence."""
        return self.dispersion * math.log1p(self.rates[cell] / self.dispersion)

    def needed(self, per_year: float) -> float:
        """The silence score that a healthy week reaches ``per_year`` times a year."""
        return max(1.0, math.log(self.weekly * WEEKS_A_YEAR / per_year * CAUTION))


def hours_of(opening: Opening, start: datetime, end: datetime) -> tuple[Hour, ...]:
    """Every UTC hour between two moments in which the doors are open at all, oldest first."""
    shares: dict[int, float] = defaultdict(float)
    for begin, until in opening.spans(start, end):
        for hour, share in _cut(begin, until):
            shares[hour] += share
    zone = ZoneInfo(opening.zone)
    return tuple(Hour(hour, _cell(hour, zone), min(share, 1.0)) for hour, share in sorted(shares.items()))


def hourly(events: Iterable[datetime]) -> Counter[int]:
    """How many events fell into each UTC hour."""
    return Counter(int(event.timestamp()) // _HOUR for event in events)


def learn(counts: Mapping[int, int], hours: Sequence[Hour]) -> Rhythm | None:
    """The rhythm of these hours; None: under four weeks of history, or nothing ever happened.

    ``hours`` is what the doors were open of one or several spans; holidays are not among them, so they teach nothing.
    """
    weeks = _weeks(counts, hours)
    if weeks < LEAST_HISTORY / WEEK:
        return None
    seen: list[list[tuple[float, int]]] = [[] for _ in range(CELLS)]
    for hour in hours:
        seen[hour.cell].append((hour.share, counts.get(hour.number, 0)))
    exposure = [sum(share for share, _ in cell) for cell in seen]
    totals = [sum(count for _, count in cell) for cell in seen]
    rates = _smoothed(exposure, totals)
    return Rhythm(rates, _dispersion(seen, rates), sum(totals) / weeks, weeks)


def _weeks(counts: Mapping[int, int], hours: Sequence[Hour]) -> float:
    """How many weeks' worth of hours there are since the first event."""
    first = next((place for place, hour in enumerate(hours) if counts.get(hour.number)), None)
    if first is None:
        return 0.0
    days = {hour.number // 24 for hour in hours[first:]}
    spanned = (hours[-1].number - hours[first].number) / CELLS
    # spans that do not touch leave a gap between them, which is no history
    gaps = sum(later - earlier - 1 for earlier, later in itertools.pairwise(sorted(days)) if later - earlier > 7)
    return spanned - gaps / 7


def _smoothed(exposure: Sequence[float], totals: Sequence[int]) -> tuple[float, ...]:
    means = [total / exposed if exposed else 0.0 for total, exposed in zip(totals, exposure, strict=True)]
    rates = []
    for cell in range(CELLS):
        alike = [means[other] for other in range(cell % 24, CELLS, 24) if exposure[other]]
        same_hour = sum(alike) / len(alike) if alike else 0.0
        rates.append((exposure[cell] * means[cell] + PULL * same_hour) / (exposure[cell] + PULL))
    return tuple(rates)


def _dispersion(seen: Sequence[Sequence[tuple[float, int]]], rates: Sequence[float]) -> float:
    """By moments over whole open hours."""
    squares = excess = 0.0
    for cell, rate in zip(seen, rates, strict=True):
        whole = [count for share, count in cell if share > 0.99]
        if len(whole) > 1 and rate:
            squares += rate * rate
            excess += _variance(whole) - rate
    return max(1.0, min(POISSON, squares / excess)) if excess > 0 else POISSON


def _variance(counts: Sequence[int]) -> float:
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)


class Pace:
    """The silence score over a span of time, added up once: a score is then two look-ups. It stands still while shut."""

    def __init__(self, rhythm: Rhythm, opening: Opening, start: datetime, end: datetime) -> None:
        zone = ZoneInfo(opening.zone)
        self._moments = [start.timestamp()]
        self._totals = [0.0]
        for begin, until in opening.spans(start, end):
            self._add(begin.timestamp(), 0.0)
            for hour, share in _cut(begin, until):
                closes = min(until.timestamp(), (hour + 1.0) * _HOUR)
                self._add(closes, rhythm.tempered(_cell(hour, zone)) * share)

    def _add(self, moment: float, score: float) -> None:
        self._moments.append(moment)
        self._totals.append(self._totals[-1] + score)

    def total(self, at: datetime) -> float:
        """The score from the start of the span until then."""
        moment = at.timestamp()
        place = bisect_right(self._moments, moment)
        if place >= len(self._moments):
            return self._totals[-1]
        if place == 0:
            return 0.0
        return self._between(place, moment)

    def _between(self, place: int, moment: float) -> float:
        before, after = self._moments[place - 1], self._moments[place]
        share = (moment - before) / (after - before) if after > before else 1.0
        return self._totals[place - 1] + share * (self._totals[place] - self._totals[place - 1])

    def reached(self, since: datetime, score: float) -> datetime | None:
        """When a silence that began then has this score; None: not within the span."""
        wanted = self.total(since) + score
        place = next_place(self._totals, wanted)
        if place is None:
            return None
        before, after = self._totals[place - 1], self._totals[place]
        share = (wanted - before) / (after - before)
        at = self._moments[place - 1] + share * (self._moments[place] - self._moments[place - 1])
        return datetime.fromtimestamp(at, UTC)


def next_place(totals: Sequence[float], wanted: float) -> int | None:
    """The first place in a rising list whose value reaches ``wanted``; None: none does."""
    low, high = 0, len(totals)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if totals[middle] < wanted else (low, middle)
    return None if low >= len(totals) else max(low, 1)


def cadence(rhythm: Rhythm | None, opening: Opening, last: datetime, per_year: float, as_of: datetime) -> Verdict:
    """Judge the gap since the last METRC record, as METRC was read ``as_of``."""
    if rhythm is None:
        return _plain(opening, last, as_of)
    score = Pace(rhythm, opening, last, as_of).total(as_of)
    silent = score >= rhythm.needed(per_year)
    says = (
        f"Nothing new in METRC for {spoken(as_of - last)}, which this shop's own week makes likely "
        f"{_times(per_year)} a year at most."
        if silent
        else f"The newest METRC record is {spoken(as_of - last)} old, which is usual here at this time."
    )
    return Verdict(silent, last, says)


def _plain(opening: Opening, last: datetime, as_of: datetime) -> Verdict:
    told = opening.week is not None
    limit = PLAIN_OPEN if told else PLAIN_CLOCK
    gap = opening.open_time(last, as_of) if told else as_of - last
    hours = "open hours" if told else "hours"
    says = (
        f"Nothing new in METRC for {spoken(as_of - last)}; under 4 weeks of history the limit is a plain "
        f"{limit // timedelta(hours=1)} {hours}."
    )
    return Verdict(gap > limit, last, says)


@dataclass(frozen=True, slots=True)
class BackTest:
    """What the cadence detector would have done over the past: ``alarms`` are the gaps that it would have told."""

    weeks: int
    alarms: tuple[tuple[datetime, datetime], ...]

    @property
    def says(self) -> str:
        """One sentence for whoever is about to switch it on."""
        if not self.weeks:
            return "There is too little history to try it out; until there are 4 weeks a plain limit holds."
        return f"Over the last {self.weeks} weeks it would have alerted {_times(len(self.alarms))}."


def back_test(events: Sequence[datetime], opening: Opening, per_year: float, now: datetime) -> BackTest:
    """Replay the last 8 weeks; each week is judged by a rhythm that was learned without it, from the first event on."""
    counts, first = hourly(events), min(events, default=now)
    weeks = [(now - (n + 1) * WEEK, now - n * WEEK) for n in reversed(range(HISTORY // WEEK))]
    hours = [hours_of(opening, start, end) for start, end in weeks]
    alarms: list[tuple[datetime, datetime]] = []
    judged = 0
    for place, (start, end) in enumerate(weeks):
        rest = [hour for other, own in enumerate(hours) if other != place for hour in own]
        rhythm = learn(counts, rest)
        if rhythm is not None and first < end:
            judged += 1
            alarms += _gaps_told(events, rhythm, opening, per_year, (max(first, start), end))
    return BackTest(judged, tuple(alarms))


def _gaps_told(
    events: Sequence[datetime], rhythm: Rhythm, opening: Opening, per_year: float, span: tuple[datetime, datetime]
) -> Iterator[tuple[datetime, datetime]]:
    start, end = span
    inside = [start, *sorted(event for event in events if start < event < end), end]
    pace = Pace(rhythm, opening, start, end)
    needed = rhythm.needed(per_year)
    return ((a, b) for a, b in itertools.pairwise(inside) if pace.total(b) - pace.total(a) >= needed)


@dataclass(frozen=True, slots=True)
class Band:
    """What one hour should bring: about 95 of 100 such hours lie between ``low`` and ``high``."""

    start: datetime
    expected: float
    low: float
    high: float


def band(rhythm: Rhythm, opening: Opening, start: datetime, end: datetime) -> tuple[Band, ...]:
    """The expected band of every open hour between two moments, for a chart."""
    return tuple(_band(rhythm, hour) for hour in hours_of(opening, start, end))


def _band(rhythm: Rhythm, hour: Hour) -> Band:
    mean = rhythm.rates[hour.cell] * hour.share
    reach = 2 * math.sqrt(mean + mean * mean / rhythm.dispersion)
    return Band(datetime.fromtimestamp(hour.number * _HOUR, UTC), mean, max(0.0, mean - reach), mean + reach)


# --- helpers ----------------------------------------------------------------------------------------------------------


def _times(number: float) -> str:
    return "once" if number == 1 else f"{number:g} times"


def _cell(hour: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(hour * _HOUR, zone)
    return local.weekday() * 24 + local.hour


def _cut(begin: datetime, until: datetime) -> Iterator[tuple[int, float]]:
    """A span cut at full UTC hours: the hour's number and the share of the hour."""
    at, end = begin.timestamp(), until.timestamp()
    while at < end:
        hour = int(at // _HOUR)
        closes = min(end, (hour + 1.0) * _HOUR)
        yield hour, (closes - at) / _HOUR
        at = closes
