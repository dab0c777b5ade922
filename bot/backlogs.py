"""Sales that were recorded together long after they were rung up, because nothing could be recorded before. Pure.

After an outage everything that waited arrives within minutes. The delay of each is the outage's: it says nothing about
how fast this shop posts, and three hundred of them are one event.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from bot.model import Backlog

Times = tuple[datetime, datetime]
"""Two times of one sale: when it was rung up and when it was recorded."""

# a sale that took this long waited for something
WAITED: Final = timedelta(hours=1)
# what came with it may have waited less: it was rung up near the end
LATE: Final = timedelta(minutes=15)
# recorded this near one another is recorded together
TOGETHER: Final = timedelta(minutes=5)
# fewer than this have their own reasons
FEWEST: Final = 5
# while it lasts next to nothing is recorded: one in so many of what comes at its end
SELDOM: Final = 10


def backlogs(times: Iterable[Times]) -> tuple[Backlog, ...]:
    """The backlogs among these, oldest first; none where most sales come that way, for then the shop posts so."""
    times = tuple(times)
    late = sorted((recorded, sold) for sold, recorded in times if recorded - sold >= LATE)
    runs = _runs(late)
    if not runs:
        return ()
    recorded = sorted(at for _, at in times)
    found = [backlog for run in runs if (backlog := _backlog(run, recorded))]
    return tuple(found) if 2 * sum(each.count for each in found) <= len(times) else ()


def usual_delays(times: Iterable[Times], flushed: Collection[Backlog]) -> Iterator[timedelta]:
    """How long the sales took that did not wait out an outage."""
    return (at - sold for sold, at in times if not any(is_of(backlog, sold, at) for backlog in flushed))


def is_of(backlog: Backlog, sold_at: datetime, recorded_at: datetime) -> bool:
    """Whether a sale came with it."""
    together = backlog.recorded_from <= recorded_at <= backlog.recorded_until
    return together and recorded_at - sold_at >= LATE


def _runs(late: Sequence[Times]) -> list[Sequence[Times]]:
    """Runs of sales, recorded and sold, that were recorded near one another and of which enough had waited."""
    cuts = [n for n, (one, following) in enumerate(pairwise(late), 1) if following[0] - one[0] > TOGETHER]
    runs = [late[start:end] for start, end in pairwise([0, *cuts, len(late)])]
    return [run for run in runs if sum(recorded - sold >= WAITED for recorded, sold in run) >= FEWEST]


def _backlog(run: Sequence[Times], recorded: Sequence[datetime]) -> Backlog | None:
    """The run, when hardly anything was recorded between the first sale of it and its beginning."""
    sold, first, last = [each for _, each in run], run[0][0], run[-1][0]
    meanwhile = bisect_left(recorded, first) - bisect_right(recorded, min(sold) + LATE)
    return None if meanwhile * SELDOM > len(run) else Backlog(len(run), min(sold), max(sold), first, last)
