"""Count: what is left when everything else is ruled out. The last thing to touch.

Recognised by elimination: both sides were read, every other check is clear or explains its share, and a difference
remains; or both systems agree and the shelf does not.

Do: count again, by two people; then record the count in the system that is wrong, with its reason. Never: while any
other check found something, or could not be read.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot.case import Case, clear, found, has_residue, metrc_side, pos_total, quote, unknown
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Finding,
    Forbidden,
    Gap,
    Lot,
    Outcome,
    Quote,
    Result,
)
from bot.one_sided import Alone, corrections_alone
from bot.units import GRAMS, plain, signed

NAME = CheckName.COUNT

# a shop sells every day: a book whose first sale is younger than the package by more than this was cut
BEGINS_LATE: Final = timedelta(days=1)


def check(case: Case) -> Outcome:
    """Look at what nothing explains."""
    gap = case.gap
    if gap is None:
        return unknown(NAME, "The two counts could not be compared.", *_sides(case))
    if has_residue(gap, case.evidence):
        return _residue(case, gap)
    shelf = _shelf(case, gap)
    if shelf is not None:
        return found(NAME, [shelf])
    below = None if gap.explained else _below_zero(case, gap)
    if below is not None:
        return found(NAME, [below])
    return clear(NAME, _agree(gap), *_sides(case))


def _residue(case: Case, gap: Gap) -> Outcome:
    left = f"{signed(gap.unexplained)} {gap.unit}"
    unread = _not_fully_read(case, gap)
    if unread:
        return unknown(
            NAME, f"{left} is unexplained, and {' and '.join(unread)} could not be fully read.", *_sides(case)
        )
    explained = "All other causes are ruled out" if not gap.explained else "Named causes explain the rest"
    alone = _one_sided(case, gap)
    if alone is not None:
        return found(NAME, [alone])
    other = next((lot for lot in case.evidence.lots if lot.difference == -gap.unexplained), None)
    if other is not None:
        return found(NAME, [_other_lot(case, gap, other)])
    below = _below_zero(case, gap)
    if below is not None:
        return found(NAME, [below])
    return found(
        NAME,
        [
            Finding(
                code="count_error.unexplained",
                cause=Cause.COUNT_ERROR,
                headline=f"{left} is unexplained. {explained}{_counted(gap)}",
                action=_record(gap) if gap.shelf is not None else _recount(gap),
                evidence=_sides(case),
                confidence=Confidence.LIKELY,
            )
        ],
    )


def _counted(gap: Gap) -> str:
    """What the count of the shelf has shown, where there is one."""
    if gap.shelf is None:
        return ": somebody has to count."
    shelf, pos, metrc = (plain(each or Decimal(0)) for each in (gap.shelf, gap.pos, gap.metrc))
    if gap.explained or shelf not in {pos, metrc}:
        return f"; the shelf has {shelf}."
    return (
        f": METRC is wrong, the shelf has {shelf} as the POS."
        if shelf == pos
        else f": the POS is wrong, the shelf has {shelf}."
    )


def _one_sided(case: Case, gap: Gap) -> Finding | None:
    """The one correction, made on one side alone, that is as large as what is left. Which side is right, a count tells."""
    every = corrections_alone(case)
    sides = [tuple(each for each in every if each.in_metrc is side) for side in (True, False)]
    sets = (*((each,) for each in every), *sides, every)
    lonely = next((some for some in sets if some and _effect(some) == gap.unexplained), None)
    if lonely is None:
        return None
    first = lonely[0]
    other = (
        ("the POS" if first.in_metrc else "METRC") if len({each.in_metrc for each in lonely}) == 1 else "the other side"
    )
    names = f"{first.name}, which" if len(lonely) == 1 else f"{' and '.join(each.name for each in lonely[:4])}, which"
    return Finding(
        code="count_error.corrected-once",
        cause=Cause.COUNT_ERROR,
        headline=f"{signed(gap.unexplained)} {gap.unit} is left, as much as {names} {other} never saw.",
        action=_record(gap) if gap.shelf is not None else _recount(gap),
        evidence=(*(each.quote for each in lonely[:5]), *_sides(case)),
        confidence=Confidence.LIKELY,
    )


def _effect(corrections: tuple[Alone, ...]) -> Decimal:
    return sum((each.effect for each in corrections), Decimal(0))


def _below_zero(case: Case, gap: Gap) -> Finding | None:
    """Fewer than none cannot lie on a shelf: something was taken off here that belongs to another package."""
    short = [(who, held) for who, held in (("METRC", gap.metrc), ("The POS", gap.pos)) if held is not None and held < 0]
    if not short:
        return None
    who, held = short[0]
    return Finding(
        code="count_error.below-zero",
        cause=Cause.COUNT_ERROR,
        headline=f"{who} holds {plain(held)} {gap.unit}: more was taken off than ever came in.",
        action=Action(
            ActionKind.RECOUNT,
            "Look among the sales of this package for one whose goods bore another label, and correct that sale. Record no "
            "number before: it would hide the package that is short.",
        ),
        evidence=_sides(case),
        must_not=(Forbidden.ADJUST_QUANTITY,),
        confidence=Confidence.POSSIBLE,
    )


def _other_lot(case: Case, gap: Gap, lot: Lot) -> Finding:
    """Another lot of the product lacks what this one has too much, or the reverse."""
    says = f"{lot.label}: POS {plain(lot.pos)}, METRC {plain(lot.metrc)} {lot.unit}"
    return Finding(
        code="count_error.sibling-lots",
        cause=Cause.COUNT_ERROR,
        headline=f"{signed(gap.unexplained)} {gap.unit} here and {signed(lot.difference)} on {lot.label}, a lot of the same "
        "product: one was probably taken for the other.",
        action=Action(
            ActionKind.RECOUNT,
            f"Two people count {case.label} and {lot.label} together and look for sales or counts under the other label. "
            "Correct those; the sum is right, so record no number before that.",
        ),
        evidence=(Quote("pos", "stock of the product's other lots", case.evidence.pos_rows.as_of, says), *_sides(case)),
        must_not=(Forbidden.ADJUST_QUANTITY,),
        related=(lot.label,),
        confidence=Confidence.POSSIBLE,
    )


def _not_fully_read(case: Case, gap: Gap) -> list[str]:
    """What may hide the cause of a residue: a check that could not tell, or books that begin too late."""
    unread = _unread(case)
    if _sales_begin_late(case, gap):
        unread.append("the POS's older sales")
    if _log_begins_late(case, gap):
        unread.append("the POS's older receives")
    return unread


def _unread(case: Case) -> list[str]:
    return [outcome.name.value for outcome in case.earlier if outcome.result is Result.UNKNOWN]


def _read_first(unread: list[str]) -> Action:
    return Action(
        ActionKind.RECOUNT,
        f"Get what is missing read first ({', '.join(unread)}), then two people count again. Record nothing before that.",
    )


def _sales_begin_late(case: Case, gap: Gap) -> bool:
    """Sales of this package may be older than the POS's book: METRC has such, or the POS took more off than it tells."""
    since = case.evidence.pos_sales_since
    if any(since is None or (r.sold_at is not None and r.sold_at < since) for r in case.matched.orphans):
        return True
    package = case.evidence.package.value
    came = package.received_at if package is not None else None
    # a sale that METRC lacks leaves METRC the higher; any other kind would show in its receipts
    begins_late = came is not None and since is not None and since - came > BEGINS_LATE and gap.unexplained < 0
    return begins_late and _taken_unseen(case)


def _taken_unseen(case: Case) -> bool:
    """Whether the POS holds less than what came, less its own sales and corrections."""
    e = case.evidence
    package, held = e.package.value, pos_total(e)
    if package is None or package.original_quantity is None or held is None:
        return True
    sold = sum((s.quantity for s in case.matched.all_sales if not s.is_void), Decimal(0))
    changed = sum(
        (event.change or Decimal(0) for event in e.pos_events.value or () if event.kind != "receive"), Decimal(0)
    )
    return held < package.original_quantity - sold + changed


def _log_begins_late(case: Case, gap: Gap) -> bool:
    """The load came before the log begins, and what is left over is large enough to be that load again."""
    package, since = case.evidence.package.value, case.evidence.pos_events_since
    if package is None or package.received_at is None or since is None or package.received_at >= since:
        return False
    told = any(event.kind == "receive" for event in case.evidence.pos_events.value or ())
    return not told and gap.unexplained >= (package.original_quantity or Decimal(0))


def _recount(gap: Gap) -> Action:
    pos, metrc = plain(gap.pos or Decimal(0)), plain(gap.metrc or Decimal(0))
    return Action(
        ActionKind.RECOUNT,
        f"Two people count the shelf. The POS says {pos}, METRC {metrc} {gap.unit}; whichever differs from the shelf is wrong.",
    )


def _shelf(case: Case, gap: Gap) -> Finding | None:
    """Both systems agree and the shelf says otherwise. Goods that neither system counts are no miscount."""
    counted = gap.pos is not None or gap.metrc is not None
    if gap.shelf is None or not counted or gap.explained or gap.shelf == (gap.pos or Decimal(0)):
        return None
    off = gap.shelf - (gap.pos or Decimal(0))
    unread = _unread(case)
    dried = _dried(case, gap)
    both, shelf = plain(gap.pos or Decimal(0)), plain(gap.shelf)
    headline = f"POS and METRC agree on {both}; the shelf has {shelf} {gap.unit}."
    return Finding(
        code="count_error.drying" if dried else "count_error.shelf",
        cause=Cause.COUNT_ERROR,
        headline=f"{headline[:-1]}, within what this shop lets it dry." if dried else headline,
        action=_read_first(unread) if unread else _record_drying(gap) if dried else _record(gap),
        evidence=(
            *_sides(case),
            Quote("shelf", "counted by a person", case.now, f"{plain(gap.shelf)} {gap.unit}, {signed(off)}"),
        ),
    )


def _dried(case: Case, gap: Gap) -> bool:
    """A weight, held by nobody as pieces, that fell by no more than the shop's own rule allows."""
    allowed, held, shelf = case.evidence.shop.drying_percent, gap.pos, gap.shelf
    if allowed is None or held is None or shelf is None or gap.unit.strip().casefold() not in GRAMS:
        return False
    return 0 < held - shelf <= held * allowed / 100


def _record_drying(gap: Gap) -> Action:
    return Action(
        ActionKind.RECORD_COUNT,
        f"Have a second person weigh it, then record {plain(gap.shelf or Decimal(0))} {gap.unit} in the POS with the "
        "reason drying, on the day the shop does that; it posts to METRC once.",
    )


def _record(gap: Gap) -> Action:
    shelf = plain(gap.shelf or Decimal(0))
    return Action(
        ActionKind.RECORD_COUNT,
        f"Have a second person confirm {shelf} {gap.unit} on the shelf, then record it with its true reason in "
        f"{_wrong_side(gap)}.",
    )


def _wrong_side(gap: Gap) -> str:
    """The shelf decides which system is wrong."""
    shelf, pos, metrc = (each or Decimal(0) for each in (gap.shelf, gap.pos, gap.metrc))
    if shelf == pos != metrc:
        return "METRC (the POS agrees with the shelf)"
    if shelf == metrc != pos:
        return "the POS without telling METRC (METRC agrees with the shelf)"
    if pos == metrc:
        return "the POS, so that it posts to METRC once"
    # a POS posts by how much it changed, and METRC is off by something else
    return (
        f"both, each by what it is off: the POS by {signed(shelf - pos)}, METRC by {signed(shelf - metrc)}. See to it that the "
        "POS does not post its own correction as well"
    )


def _agree(gap: Gap) -> str:
    if gap.unexplained:
        return f"Both counts agree; {signed(gap.unexplained)} {gap.unit} is the rounding of the units."
    if gap.difference:
        return f"Nothing is left: {signed(gap.difference)} {gap.unit} is explained to the unit.{_shelf_later(gap)}"
    if gap.explained:
        return f"Both counts agree; what was found cancels out.{_shelf_later(gap)}"
    if gap.pos is None and gap.metrc is None:
        return "Neither system counts this label here."
    counted = f", and so does the shelf ({plain(gap.shelf)})" if gap.shelf is not None else ""
    return f"POS and METRC agree: {plain(gap.pos or Decimal(0))} {gap.unit}{counted}."


def _shelf_later(gap: Gap) -> str:
    if gap.shelf is None:
        return ""
    shelf = plain(gap.shelf)
    return f" The shelf has {shelf}; compare that once what was found is put right, and record nothing before."


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
