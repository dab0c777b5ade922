"""A sale: is it in METRC once, and with what the POS rang up? The seven checks about one receipt. Pure.

Each label of the sale is looked at with its own evidence, cut down to this sale and its receipts, by the very checks
that judge a package; what they find about the sale is told once, however many labels it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.case import Case, not_read, quote
from bot.checks import duplication, mapping, timing
from bot.model import (
    ActionKind,
    Cause,
    CheckName,
    Evidence,
    Finding,
    MetrcReceipt,
    Outcome,
    Quote,
    Result,
    Submission,
)
from bot.numbers import bare, same_number
from bot.posting import Fate
from bot.record import Record, concluded, count_of, tail
from bot.twins import find_twins

ABOUT_THE_SALE: Final = ("timing.sale", "timing.void", "timing.nightly", "failed_post.")
# a wrong item or category is the package's own affair as long as METRC takes its sales
ONLY_WHEN_REFUSED: Final = frozenset({"mapping.item", "mapping.category", "mapping.strain"})


def is_known(record: Record) -> bool:
    """Whether either side has such a sale."""
    return bool(record.evidence.pos_sales.value or record.evidence.receipts.value)


def name(record: Record) -> str:
    """``Sale POS-20260302-00417 (receipt 880101)``, as far as either is known."""
    numbers = sale_numbers(record.evidence)
    ids = [str(receipt.id) for receipt in named_receipts(record.evidence) if receipt.is_live]
    if numbers and ids:
        return f"Sale {', '.join(numbers[:2])} (receipt {', '.join(ids[:3])})"
    if numbers:
        return f"Sale {', '.join(numbers[:2])}"
    return f"Receipt {', '.join(ids[:3]) or record.value}"


def where_looked(record: Record) -> str:
    """Which books were searched for it."""
    e = record.evidence
    since = f" since {e.receipts_window.start:%d %b %Y}" if e.receipts_window else ""
    till = f" since {e.pos_sales_since:%d %b %Y}" if e.pos_sales_since else ""
    return f"METRC's receipts by id, and by number{since}; the POS's sales{till}"


def sale_numbers(evidence: Evidence) -> tuple[str, ...]:
    """The POS's number of the sale; none when it was never rung up there."""
    return tuple(dict.fromkeys(line.sale_id for line in evidence.pos_sales.value or ()))


# --- the checks -------------------------------------------------------------------------------------------------------


def check_mapping(record: Record) -> Outcome:
    """Whether both sides name the same packages, in units METRC takes."""
    outcomes = [(cut.label, mapping.check(cut.case)) for cut in _cuts(record)]
    refused = any(line.submission is Submission.FAILED for line in record.evidence.pos_sales.value or ())
    found = [(x, f) for x, o in outcomes for f in o.findings if refused or f.code not in ONLY_WHEN_REFUSED]
    said = f"Both sides know its {count_of(len(record.packages), 'package')}."
    return _or_unread(record, concluded(CheckName.MAPPING, found, _untold(outcomes), said, *_read(record)))


def check_timing(record: Record) -> Outcome:
    """Whether the sale arrived in METRC, may still arrive, or never will."""
    outcomes = [(cut.label, timing.check(cut.case)) for cut in _cuts(record)]
    found = [(x, f) for x, o in outcomes for f in o.findings if f.code.startswith(ABOUT_THE_SALE)]
    said = _arrived(record)
    return _or_unread(record, concluded(CheckName.TIMING, found, _untold(outcomes), said, *_read(record)))


def check_duplication(record: Record) -> Outcome:
    """Whether METRC has the sale more than once."""
    outcomes = [(cut, duplication.check(cut.case)) for cut in _cuts(record)]
    found = [
        (cut.label, _as_the_package_waits(f, record, cut.label))
        for cut, outcome in outcomes
        for f in outcome.findings
        if f.code.startswith("duplication.receipt")
    ]
    # of all that a package may lack, only sales and receipts can hide a second copy of a sale
    blind = [(cut.label, outcome) for cut, outcome in outcomes if _lacks_sales(cut.case.evidence)]
    said = _how_often(record)
    return _or_unread(record, concluded(CheckName.DUPLICATION, found, _untold(blind), said, *_read(record)))


def _untold(outcomes: Iterable[tuple[str, Outcome]]) -> list[tuple[str, Outcome]]:
    return [(label, outcome) for label, outcome in outcomes if outcome.result is Result.UNKNOWN]


def _lacks_sales(evidence: Evidence) -> bool:
    return not (evidence.receipts.was_read and evidence.pos_sales.was_read)


def _how_often(record: Record) -> str:
    living = [str(r.id) for r in named_receipts(record.evidence) if r.is_live]
    if len(living) > 1:
        return f"Receipts {', '.join(living[:4])} are separate sales or parts of one."
    return "METRC has it once." if living else "METRC has no living receipt of it, so none twice."


def check_custody(record: Record) -> Outcome:
    """Whether a package on it could not be sold at that time."""
    untaken = [(label, f) for label, f in record.findings(CheckName.CUSTODY) if _stood_in_the_way(f, record, label)]
    now = record.findings(CheckName.CUSTODY)
    said = "Every package on it could be sold."
    if now:
        said = f"Package {tail(now[0][0])} may not be sold now, but this sale was taken before that."
    return concluded(CheckName.CUSTODY, untaken, record.untold(CheckName.CUSTODY), said, *_read(record))


def check_definition(_: Record) -> Outcome:
    """A receipt defines nothing."""
    return Outcome(
        CheckName.DEFINITION, Result.CLEAR, "A sale has no unit weight of its own; see its packages for theirs."
    )


def check_count(_: Record) -> Outcome:
    """A receipt is not counted."""
    return Outcome(CheckName.COUNT, Result.CLEAR, "A sale is not counted on a shelf; see its packages for theirs.")


CHECKS: Final = (
    (CheckName.MAPPING, check_mapping),
    (CheckName.TIMING, check_timing),
    (CheckName.DUPLICATION, check_duplication),
    (CheckName.CUSTODY, check_custody),
    (CheckName.DEFINITION, check_definition),
    (CheckName.COUNT, check_count),
)


# --- one label of the sale --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cut:
    """A package's case with no other sale in it."""

    label: str
    case: Case


def _cuts(record: Record) -> Iterator[_Cut]:
    numbers = set(sale_numbers(record.evidence))
    for package in record.evidence.packages:
        label = package.subject.value
        ids = _ids_of(package, numbers, {r.id for r in named_receipts(record.evidence)})
        receipts = tuple(r for r in package.receipts.value or () if r.id in ids)
        lines = tuple(line for line in package.pos_sales.value or () if line.sale_id in numbers)
        cut = replace(
            package,
            receipts=replace(package.receipts, value=receipts),
            pos_sales=replace(package.pos_sales, value=lines),
        )
        yield _Cut(label, Case(cut))


def _ids_of(package: Evidence, numbers: set[str], ids: set[int]) -> set[int]:
    """The sale's receipts among the package's, paired while all other sales are still there, and their twins."""
    whole = Case(package)
    own = ids | {r.id for sale in whole.matched.sales if sale.sale.sale_id in numbers for r in sale.receipts}
    sales = whole.matched.all_sales if package.pos_sales.was_read else None
    zone = package.shop.time_zone
    for twins in find_twins(package.receipts.value or (), sales, package.subject.value, zone).twins:
        group = {twins.keep.id, *(r.id for r in twins.remove)}
        own |= group if group & own else set()
    return own


def sale_labels(evidence: Evidence) -> tuple[str, ...]:
    """Every label that either side names in the sale, the POS's first."""
    labels = [line.label for line in evidence.pos_sales.value or ()]
    labels += [line.label for receipt in named_receipts(evidence) for line in receipt.lines or ()]
    return tuple(dict.fromkeys(labels))


def named_receipts(evidence: Evidence) -> tuple[MetrcReceipt, ...]:
    """The receipts that bear the number, or whose id the POS stores; the others are candidates for twins."""
    lines = evidence.pos_sales.value or ()
    numbers = {line.sale_id.casefold() for line in lines}
    ids = {bare(line.receipt_id) for line in lines if line.receipt_id}
    return tuple(
        r
        for r in evidence.receipts.value or ()
        if same_number(str(r.id), evidence.subject.value)
        or same_number(r.external_number, evidence.subject.value)
        or (r.external_number or "").strip().casefold() in numbers
        or str(r.id) in ids
    )


def _as_the_package_waits(finding: Finding, record: Record, label: str) -> Finding:
    """Another sale of the package may be on its way; then nothing is removed, although this sale is complete."""
    whole = [f for other, f in record.findings(CheckName.DUPLICATION) if other == label and f.code == finding.code]
    if not whole or whole[0].action.kind is not ActionKind.WAIT:
        return finding
    twins = tuple(replace(twin, removable=False) for twin in finding.duplicates)
    return replace(finding, action=whole[0].action, duplicates=twins, must_not=whole[0].must_not)


# --- words ------------------------------------------------------------------------------------------------------------


def _stood_in_the_way(finding: Finding, record: Record, label: str) -> bool:
    """A sale that METRC has was possible when it was rung up, unless the package was closed before that day."""
    e = record.evidence
    sold = [line.sold_at for line in e.pos_sales.value or () if line.label == label]
    sold += [r.sold_at for r in named_receipts(e) if r.sold_at]
    package = next((p.package.value for p in e.packages if p.subject.value == label), None)
    closed = None if package is None else package.finished_on or package.archived_on
    taken = any(r.is_live for r in named_receipts(e))
    if finding.cause is Cause.FINISHED and closed is not None and sold:
        return closed < _day(record, sold)
    return not taken


def _day(record: Record, sold: Iterable[datetime]) -> date:
    return max(sold).astimezone(ZoneInfo(record.evidence.shop.time_zone)).date()


def _arrived(record: Record) -> str:
    fates = {sale.fate for cut in _cuts(record) for sale in cut.case.matched.sales}
    if fates == {Fate.VOIDED}:
        return "It was voided, and nothing of it is left in METRC."
    if not fates:
        return "The POS has no such sale, so none is on its way."
    return "It has arrived in METRC."


def _read(record: Record) -> tuple[Quote, ...]:
    e = record.evidence
    return (
        quote(e.receipts, f"{count_of(len(named_receipts(e)), 'receipt')} of it"),
        quote(e.pos_sales, f"{count_of(len(e.pos_sales.value or ()), 'line')} in the POS"),
    )


def _or_unread(record: Record, outcome: Outcome) -> Outcome:
    """A side that was not read keeps a check from being clear."""
    e = record.evidence
    missing = not_read(e.receipts, e.pos_sales)
    if outcome.result is not Result.CLEAR or not (missing or e.unread_receipts):
        return outcome
    return Outcome(outcome.name, Result.UNKNOWN, "Not all that could hold this sale could be read.", evidence=missing)
