"""The gap accountant: every unit of the difference goes to at most one named event, exactly. Pure.

Events whose size is known count as they are. An event that explains "whatever is left" (a finished package, a load on
the road, a sale that only the difference can prove) is settled after them, and never takes more than its own size or the
other sign; one that happened wholly or not at all takes all of its size. Where several compete, those whose sizes close the
account to the unit are preferred; else the order of the checks decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from bot.case import metrc_side, metrc_unit, pos_total
from bot.model import Evidence, Gap, Outcome, Share

# sums of competing events that are looked at before the order of the checks has to decide
MOST_SUMS: Final = 2000


def account(evidence: Evidence, outcomes: Iterable[Outcome]) -> Gap | None:
    """Account for POS − METRC; None when a side could not be read, or the units cannot be compared."""
    if not comparable(evidence):
        return None
    shares = [share for outcome in outcomes for finding in outcome.findings for share in finding.shares]
    gap = Gap(pos_total(evidence), metrc_side(evidence), metrc_unit(evidence), (), evidence.shelf)
    return Gap(gap.pos, gap.metrc, gap.unit, settle(gap.difference, shares), gap.shelf)


def comparable(evidence: Evidence) -> bool:
    """Whether there is a difference at all: both sides were read, and can be told in one unit."""
    if not evidence.package.was_read or not evidence.pos_rows.was_read:
        return False
    package = evidence.package.value
    if package is not None and package.quantity is None:
        return False
    return not evidence.pos_rows.value or pos_total(evidence) is not None


def settle(difference: Decimal, shares: Iterable[Share]) -> tuple[Share, ...]:
    """Assign the difference; each event, told by its last reference, explains once."""
    explained: dict[str, Share] = {}
    waiting: list[Share] = []
    for share in shares:
        if share.rest:
            waiting.append(share)
        elif share.refs[-1] not in explained:
            explained[share.refs[-1]] = share
    left = difference - sum((share.quantity for share in explained.values()), Decimal(0))
    competing: dict[str, Share] = {}
    for share in waiting:
        if share.refs[-1] not in explained:
            competing.setdefault(share.refs[-1], share)
    closing = _closing(tuple(competing.values()), left)
    for share in closing if closing is not None else competing.values():
        part = share.quantity if closing is not None else _part(share, left)
        if part:
            explained[share.refs[-1]] = Share(share.code, part, share.refs)
            left -= part
    return tuple(explained.values())


def _closing(competing: Sequence[Share], left: Decimal) -> Sequence[Share] | None:
    """The competing events that close the account to the unit; None when none do.

    The earliest of those that pull one way; else the fewest that do so together with others that pull back.
    """
    fitting = [share for share in competing if _part(share, left) == share.quantity]
    reachable = _sums(fitting)
    if reachable is None or left not in reachable[0]:
        return _fewest(competing, left)
    chosen = []
    for share, later in zip(fitting, reachable[1:], strict=True):
        if left - share.quantity in later:
            chosen.append(share)
            left -= share.quantity
    return chosen


def _sums(shares: Sequence[Share]) -> list[set[Decimal]] | None:
    """For every place in the row, what those from there on can add up to; None: more sums than are worth a look."""
    sums = [{Decimal(0)}]
    for share in reversed(shares):
        sums.append(sums[-1] | {each + share.quantity for each in sums[-1]})
        if len(sums[-1]) > MOST_SUMS:
            return None
    return sums[::-1]


def _fewest(shares: Sequence[Share], left: Decimal) -> Sequence[Share] | None:
    """The fewest events of either sign that add up to what is left; None when none do, or too many would be looked at."""
    ways: dict[Decimal, tuple[Share, ...]] = {Decimal(0): ()}
    for share in shares:
        for total, way in tuple(ways.items()):
            known = ways.get(total + share.quantity)
            if known is None or len(known) > len(way) + 1:
                ways[total + share.quantity] = (*way, share)
        if len(ways) > MOST_SUMS:
            return None
    return ways.get(left)


def _part(share: Share, left: Decimal) -> Decimal:
    """What an event of this size can take of what is left: never more, never with the other sign, or all or nothing."""
    if share.whole:
        return share.quantity if share.quantity * left > 0 and abs(share.quantity) <= abs(left) else Decimal(0)
    if share.quantity > 0:
        return max(Decimal(0), min(share.quantity, left))
    return min(Decimal(0), max(share.quantity, left))
