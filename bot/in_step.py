"""Do METRC's own feeds move together? A sale that METRC records changes its packages, so one list tells of the other. Pure.

A list of packages that shows no change while sales are recorded is behind, and every quantity read from it is old. In a
state whose sales leave ``LastModified`` alone that proves nothing: so a shop's own last day must show that it does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.opening import spoken
from bot.silence import Verdict

AFTER: Final = timedelta(seconds=15)
"""A package changes within so much after its sale is recorded."""

BEFORE: Final = timedelta(seconds=2)
"""Both times are rounded, each its own way."""

LAG: Final = timedelta(minutes=30)
"""For so long a change may be on its way, whatever the shop."""

FEWEST: Final = 5
"""Fewer sales, or fewer changes beside them, may be chance."""

PROOF: Final = timedelta(days=1)
"""How much of the past shows whether the two move together."""


def behind(recorded: Sequence[datetime], changed: Sequence[datetime], as_of: datetime) -> Verdict | None:
    """Whether the list of packages, as read ``as_of``, is behind the sales; None: this shop's past proves nothing.

    ``recorded``: when METRC recorded its receipts; ``changed``: the last change of its packages; each of the last day
    before the newest change and since, in any order.
    """
    recorded, changed = sorted(recorded), sorted(changed)
    if not changed:
        return None
    newest = changed[-1]
    later = recorded[bisect_left(recorded, newest + BEFORE) :]
    if len(later) < FEWEST or as_of - later[0] < LAG:
        return Verdict(silent=False, since=None, says="METRC's packages change as its sales are recorded.")
    if not _moved_together(recorded, [at for at in changed if at > newest - PROOF], newest):
        return None
    says = (
        f"METRC has recorded {len(later)} sales in the last {spoken(as_of - later[0])}, and its list of packages shows no "
        f"change for {spoken(as_of - newest)}."
    )
    return Verdict(silent=True, since=later[0], says=says, waiting=len(later))


def _moved_together(recorded: Sequence[datetime], changed: Sequence[datetime], until: datetime) -> bool:
    """Whether more packages changed right after a sale than would by chance, if each changed at any moment of the day."""
    own = [at for at in recorded if until - PROOF < at <= until + BEFORE]
    if not own:
        return False
    beside = sum(_is_beside(at, own) for at in changed)
    span = max(own[-1] - own[0], timedelta(hours=1))
    by_chance = len(changed) * min(1.0, len(own) * (BEFORE + AFTER) / span)
    return beside >= FEWEST + 1.5 * by_chance


def _is_beside(change: datetime, recorded: Sequence[datetime]) -> bool:
    place = bisect_left(recorded, change - AFTER)
    return place < len(recorded) and recorded[place] <= change + BEFORE
