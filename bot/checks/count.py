"""Count: what is left when everything else is ruled out. The last thing to touch.

Recognised by elimination: both sides were read, every other check is clear or explains its share, and a difference
remains; or both systems agree and the shelf does not.

Do: count again, by two people; then record the count in the system that is wrong, with its reason. Never: while any
other check found something, or could not be read.
"""

from __future__ import annotations

from decimal import Decimal

from bot.case import Case, clear, found, metrc_side, pos_total, quote, unknown
from bot.model import Action, ActionKind, Cause, CheckName, Confidence, Finding, Gap, Outcome, Quote, Result
from bot.units import plain, signed

NAME = CheckName.COUNT


def check(case: Case) -> Outcome:
    """Look at what nothing explains."""
    gap = case.gap
    if gap is None:
        return unknown(NAME, "The two counts could not be compared.", *_sides(case))
    if gap.unexplained:
        return _residue(case, gap)
    shelf = _shelf(case, gap)
    if shelf is not None:
        return found(NAME, [shelf])
    return clear(NAME, _agree(gap), *_sides(case))


def _residue(case: Case, gap: Gap) -> Outcome:
    unread = [outcome.name.value for outcome in case.earlier if outcome.result is Result.UNKNOWN]
    left = f"{signed(gap.unexplained)} {gap.unit}"
    if unread:
        return unknown(
            NAME, f"{left} is unexplained, and {' and '.join(unread)} could not be fully read.", *_sides(case)
        )
    explained = "All other causes are ruled out" if not gap.explained else "Named causes explain the rest"
    return found(
        NAME,
        [
            Finding(
                code="count_error.unexplained",
                cause=Cause.COUNT_ERROR,
                headline=f"{left} is unexplained. {explained}: somebody has to count.",
                action=_record(gap) if gap.shelf is not None else _recount(gap),
                evidence=_sides(case),
                confidence=Confidence.LIKELY,
            )
        ],
    )


def _recount(gap: Gap) -> Action:
    pos, metrc = plain(gap.pos or Decimal(0)), plain(gap.metrc or Decimal(0))
    return Action(
        ActionKind.RECOUNT,
        f"Two people count the shelf. The POS says {pos}, METRC {metrc} {gap.unit}; whichever differs from the shelf is wrong.",
    )


def _shelf(case: Case, gap: Gap) -> Finding | None:
    """Both systems agree, once what is explained is settled, and the shelf says otherwise."""
    if gap.shelf is None or gap.explained or gap.difference or gap.shelf == (gap.pos or Decimal(0)):
        return None
    off = gap.shelf - (gap.pos or Decimal(0))
    return Finding(
        code="count_error.shelf",
        cause=Cause.COUNT_ERROR,
        headline=f"POS and METRC agree on {plain(gap.pos or Decimal(0))}; the shelf has {plain(gap.shelf)} {gap.unit}.",
        action=_record(gap),
        evidence=(
            *_sides(case),
            Quote("shelf", "counted by a person", case.now, f"{plain(gap.shelf)} {gap.unit}, {signed(off)}"),
        ),
    )


def _record(gap: Gap) -> Action:
    shelf = plain(gap.shelf or Decimal(0))
    wrong = _wrong_side(gap)
    return Action(
        ActionKind.RECORD_COUNT,
        f"Have a second person confirm {shelf} {gap.unit} on the shelf, then record it with its true reason in {wrong}.",
    )


def _wrong_side(gap: Gap) -> str:
    """The shelf decides which system is wrong."""
    pos_fits, metrc_fits = gap.shelf == (gap.pos or Decimal(0)), gap.shelf == (gap.metrc or Decimal(0))
    if pos_fits and not metrc_fits:
        return "METRC (the POS agrees with the shelf)"
    if metrc_fits and not pos_fits:
        return "the POS without telling METRC (METRC agrees with the shelf)"
    return "the POS, so that it posts to METRC once"


def _agree(gap: Gap) -> str:
    if gap.difference:
        return f"Nothing is left: {signed(gap.difference)} {gap.unit} is explained to the unit."
    if gap.explained:
        return "Both counts agree; what was found cancels out."
    if gap.pos is None and gap.metrc is None:
        return "Neither system counts this label here."
    counted = f", and so does the shelf ({plain(gap.shelf)})" if gap.shelf is not None else ""
    return f"POS and METRC agree: {plain(gap.pos or Decimal(0))} {gap.unit}{counted}."


def _sides(case: Case) -> tuple[Quote, ...]:
    e = case.evidence
    ours, theirs = pos_total(e), metrc_side(e)
    return (
        quote(
            e.pos_rows,
            f"POS {plain(ours)}" if ours is not None else None if not e.pos_rows.was_read else "no stock row",
        ),
        quote(
            e.package,
            f"METRC {plain(theirs)}" if theirs is not None else None if not e.package.was_read else "no count here",
        ),
    )
