"""The silence detectors over simulated shop-years, beside an oracle that knows the true rates and the usual rivals.

Every detector is shown the same sales and the same deaths of the feed. Days that a shop stays closed without declaring
it are counted apart, for no detector can tell them from a dead feed.

``bot.silence.CAUTION`` and ``CREDIT`` were chosen on shops of the seeds below ``HELD_OUT``; what is reported here comes from
shops that they have never seen. The seeds decide everything about a shop: its sales, its season, its posting, its deaths.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from itertools import repeat

from benchmarks.table import Row, Scale
from tests.simulation import (
    BATCHED,
    REALTIME,
    REGIMES,
    Regime,
    Score,
    ShopYears,
    by_backlog,
    by_cadence,
    by_clock,
    by_longest_gaps,
    by_oracle,
)

STATED = 1.0
BACKLOG_HOURS = 0.35
SECRET_DAYS = 6
OURS, ORACLE = "cadence", "oracle"
RIVALS = ("1 h on the clock", "24 h on the clock", "p99.9 of past gaps")
PROCESSES = 2
HELD_OUT = 1000


async def silence(scale: Scale) -> list[Row]:
    """Median delay and false alarms a shop-year, for steady, bursty and heavy-tailed sales."""
    rows = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for regime in REGIMES:
            shops = await asyncio.to_thread(_all_shops, pool, regime, scale)
            rows += _rows(regime, _by_name([scores for scores, _ in shops]))
            rows += _longest(regime, [longest for _, longest in shops])
    return rows


Scores = dict[str, Score]
Longest = dict[str, timedelta]
"""By how a POS posts: within which time 999 of 1,000 posts of a shop arrive."""


def _all_shops(pool: ProcessPoolExecutor, regime: Regime, scale: Scale) -> list[tuple[Scores, Longest]]:
    seeds = range(HELD_OUT, HELD_OUT + scale.shop_years)
    return list(pool.map(_shop, repeat(regime), seeds, repeat(scale.shop_weeks)))


def _by_name(one_by_one: Sequence[Scores]) -> dict[str, list[Score]]:
    return {name: [scores[name] for scores in one_by_one] for name in one_by_one[0]}


def _shop(regime: Regime, seed: int, weeks: int) -> tuple[Scores, Longest]:
    shop = ShopYears(seed, regime, weeks, false_alarms=STATED)
    deaths = shop.deaths(40)
    secretive = ShopYears(seed, regime, weeks, secret=SECRET_DAYS, false_alarms=STATED)
    backlogs = {posting.name: by_backlog(shop, posting, deaths) for posting in (REALTIME, BATCHED)}
    scores = {
        OURS: by_cadence(shop, deaths),
        ORACLE: by_oracle(shop, deaths),
        RIVALS[0]: by_clock(shop, timedelta(hours=1), deaths),
        RIVALS[1]: by_clock(shop, timedelta(hours=24), deaths),
        RIVALS[2]: by_longest_gaps(shop, deaths),
        "undeclared": by_cadence(secretive, ()),
        **{name: score for name, (score, _) in backlogs.items()},
    }
    return scores, {name: law.limit for name, (_, law) in backlogs.items()}


def _longest(regime: Regime, every: Sequence[Longest]) -> list[Row]:
    """The backlog's target holds for shops of which 999 of 1,000 posts arrive within a quarter of an hour."""
    limits = {name: max(longest[name] for longest in every) / timedelta(minutes=1) for name in every[0]}
    what = "the slowest shop's p99.9 posting delay"
    return [Row(f"{regime.name}: {name} posting, {what}", limit, "min", 15.0, "") for name, limit in limits.items()]


def _rows(regime: Regime, every: dict[str, list[Score]]) -> list[Row]:
    best = _median(every[ORACLE])
    told, asked = _told(every)
    held_out = f"{len(every[OURS])} shops held out of tuning"
    rows = [Row(f"{regime.name}, {held_out}: failures told", told, "", asked, "injected")]
    for name in (OURS, *RIVALS):
        rows.append(Row(f"{regime.name}: {name}, median delay", _median(every[name]), "h", best, "oracle"))
        rows.append(_alarms(f"{regime.name}: {name}, false alarms", every[name], "stated"))
    rows.append(_alarms(f"{regime.name}: oracle, false alarms", every[ORACLE], "stated"))
    rows.append(_alarms(f"{regime.name}: {OURS}, {SECRET_DAYS} undeclared closed days", every["undeclared"], "stated"))
    for name in (REALTIME.name, BATCHED.name):
        what = f"{regime.name}: backlog, {name} posting"
        rows.append(Row(f"{what}, median delay", _median(every[name]), "h", BACKLOG_HOURS, "target"))
        rows.append(_alarms(f"{what}, false alarms", every[name], "stated"))
    return rows


def _told(every: dict[str, list[Score]]) -> tuple[int, int]:
    """By ours, all three of them."""
    delays = [delay for name in (OURS, REALTIME.name, BATCHED.name) for score in every[name] for delay in score.delays]
    return sum(delay is not None for delay in delays), len(delays)


def _alarms(what: str, scores: Sequence[Score], against: str) -> Row:
    rate = sum(score.false_alarms for score in scores) / sum(score.years for score in scores)
    return Row(what, rate, "/y", STATED, against)


def _median(scores: Iterable[Score]) -> float:
    return statistics.median(delay for score in scores for delay in score.delays if delay is not None)
