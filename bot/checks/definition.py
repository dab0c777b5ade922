"""Definition: do both sides mean the same thing by one unit?

Recognised by the ratio of the unit weights of a count-based package: 5 or 0.2 is pack against piece, 1.5 is with paper
against without, 0.5 or 2 a half-gram template, 28 an ounce taken for a gram. It changes weights and purchase limits,
never the number of units.

Do: decide by the state's rule which weight is right and correct that definition. Never: touch the count.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from bot.case import (
    Case,
    clear,
    found,
    has_residue,
    metrc_item,
    metrc_unit,
    not_read,
    not_searched,
    quote,
    share,
    unknown,
)
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Finding,
    MetrcItem,
    MetrcPackage,
    Outcome,
    PosPackage,
    Quote,
)
from bot.units import EACH, in_grams, plain, same_unit, signed

NAME = CheckName.DEFINITION

# weights are typed by hand and rounded; nearer than half a percent is the same weight
TOLERANCE: Final = Decimal("0.005")
OUNCE: Final = Decimal("28.349523125")
SHORT_OUNCE: Final = Decimal(28)
# weights are typed with two digits: so much may be missing of a gram, and of an ounce
TYPED_GRAM: Final = Decimal("0.006")
TYPED_OUNCE: Final = Decimal("0.0003")
NAMED: Final = (
    (Decimal(2), "definition.half-gram", "a half-gram template against a gram"),
    (Decimal("1.5"), "definition.gross-vs-net", "with paper and tip against without"),
    (OUNCE, "definition.ounce-vs-gram", "an ounce against a gram"),
    (SHORT_OUNCE, "definition.ounce-vs-gram", "an ounce (28 g) against a gram"),
    (Decimal(1000), "definition.milligram-vs-gram", "a gram against a milligram"),
)


def check(case: Case) -> Outcome:
    """Compare what one unit weighs on both sides."""
    e = case.evidence
    rounded = _rounded_ounces(case)
    if rounded:
        return found(NAME, rounded)
    item, rows = metrc_item(e), e.pos_rows.value or ()
    weighed = [row for row in rows if row.unit_weight_g]
    missing = not_read(e.package, e.pos_rows)
    if e.package.value is None and rows:
        # the item may stand on a manifest alone
        missing = (*missing, *not_searched(e.transfers))
    if missing and not (item and weighed):
        return unknown(NAME, "One side's unit weight could not be read.", *missing)
    if item is None or not rows:
        return clear(
            NAME, "Only one side knows this label, so there are no two definitions.", quote(e.pos_rows, "read")
        )
    if not same_unit(metrc_unit(e), EACH):
        return clear(
            NAME, f"Sold by weight or volume ({metrc_unit(e)}): a unit is itself.", quote(e.package, metrc_unit(e))
        )
    return _weights(case, item, weighed)


def _rounded_ounces(case: Case) -> list[Finding]:
    """One side takes an ounce for 28 g and the other for 28.3495 g, and that is the very difference."""
    e, gap = case.evidence, case.gap
    package, rows = e.package.value, e.pos_rows.value or ()
    if package is None or gap is None or not has_residue(gap, e) or not rows:
        return []
    code, ref = "definition.rounded-ounce", f"pos row {rows[0].record_id}"
    typed = TYPED_GRAM if same_unit(package.unit, "Grams") else TYPED_OUNCE
    if not any(abs(gap.unexplained - by) <= max(abs(by) / 200, typed) for by in _between_ounces(package, rows)):
        return []
    return [
        Finding(
            code=code,
            cause=Cause.DEFINITION,
            headline=f"One side takes an ounce for 28 g, the other for 28.3495 g: that is {signed(gap.unexplained)} {gap.unit}.",
            action=Action(
                ActionKind.FIX_DEFINITION,
                "Decide by your state's rule what an ounce weighs and set the POS to it. Nobody lost anything: the count stays.",
            ),
            evidence=(
                quote(e.package, f"{plain(package.quantity or Decimal(0))} {package.unit}"),
                Quote("pos", rows[0].where, rows[0].as_of, f"{plain(rows[0].quantity)} {rows[0].unit}"),
            ),
            shares=share(code, gap.unexplained, ref, rest=True),
            confidence=Confidence.LIKELY,
        )
    ]


def _between_ounces(package: MetrcPackage, rows: tuple[PosPackage, ...]) -> Iterator[Decimal]:
    """POS − METRC if the whole difference were that of the ounces: of what is held, or of what once came."""
    grams, ounces = same_unit(package.unit, "Grams"), same_unit(package.unit, "Ounces")
    if not (grams or ounces):
        return
    held = sum((row.quantity for row in rows if same_unit(row.unit, "Ounces" if grams else "Grams")), Decimal(0))
    if held:
        yield held * (OUNCE - SHORT_OUNCE) if grams else held / OUNCE - held / SHORT_OUNCE
    elif grams and package.original_quantity and package.original_quantity >= SHORT_OUNCE - 1:
        yield package.original_quantity * (SHORT_OUNCE / OUNCE - 1)
        yield package.original_quantity * (OUNCE / SHORT_OUNCE - 1)


def _weights(case: Case, item: MetrcItem, weighed: list[PosPackage]) -> Outcome:
    e = case.evidence
    theirs = in_grams(item.unit_weight, item.unit_weight_unit)
    if not theirs or not weighed:
        who = "METRC" if not theirs else "The POS"
        return unknown(NAME, f"{who} gives no unit weight for this item, so the definitions cannot be compared.")
    row = next(iter(_odd(weighed, theirs)), None)
    named = Quote(
        "pos", weighed[0].where, weighed[0].as_of, f"unit weight {plain(weighed[0].unit_weight_g or Decimal(0))} g"
    )
    said = quote(e.package, f"item “{item.name}”: unit weight {plain(theirs)} g")
    if row is None:
        return clear(NAME, f"Both sides say {plain(theirs)} g a piece.", said, named)
    return found(NAME, [_differs(row, theirs, said)])


def _odd(weighed: list[PosPackage], theirs: Decimal) -> list[PosPackage]:
    """Rows that weigh something else. Beside a product that fits, another product made of the package is none."""
    odd = [row for row in weighed if not _same(row, theirs)]
    fitting = {row.product_id or row.product_name for row in weighed if _same(row, theirs)}
    return [row for row in odd if not fitting or (row.product_id or row.product_name) in fitting]


def _differs(row: PosPackage, theirs: Decimal, said: Quote) -> Finding:
    ours = row.unit_weight_g or Decimal(0)
    code, words = _why(ours, theirs)
    return Finding(
        code=code,
        cause=Cause.DEFINITION,
        headline=f"One unit weighs {plain(ours)} g in the POS and {plain(theirs)} g in METRC: {words}.",
        action=Action(
            ActionKind.FIX_DEFINITION,
            "Decide by your state's rule which unit weight is right and correct that definition. The count stays.",
        ),
        evidence=(said, Quote("pos", row.where, row.as_of, f"unit weight {plain(ours)} g")),
        confidence=Confidence.CERTAIN if code != "definition.unit-weight" else Confidence.LIKELY,
    )


def _why(ours: Decimal, theirs: Decimal) -> tuple[str, str]:
    """The name of the ratio, whichever side is the larger."""
    ratio = max(ours, theirs) / min(ours, theirs)
    half_gram = min(ours, theirs) == Decimal("0.5")
    for known, code, words in NAMED:
        if _close(ratio, known) and (code != "definition.half-gram" or half_gram):
            return code, words
    pieces = ratio.to_integral_value()
    if pieces >= 2 and _close(ratio, pieces):
        return "definition.pack-vs-piece", f"a pack of {plain(pieces)} against one piece"
    return "definition.unit-weight", "the two definitions differ"


def _same(row: PosPackage, theirs: Decimal) -> bool:
    return _close((row.unit_weight_g or Decimal(0)) / theirs, Decimal(1))


def _close(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= other * TOLERANCE
