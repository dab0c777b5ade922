"""A product: do its packages share one fault? The seven checks about one POS product or METRC item. Pure.

A wrong unit, category or unit weight belongs to the product and is mended once; what belongs to single packages is told
with each of them. Two packages whose unexplained rests cancel were taken for one another at the till.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from bot.case import not_read, quote
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    Outcome,
    Quote,
    Result,
)
from bot.record import Labelled, Record, concluded, count_of, tail
from bot.units import plain, same_unit, signed

OF_THE_PRODUCT: Final = frozenset({"mapping.unit", "mapping.item", "mapping.category", "mapping.strain"})


def is_known(record: Record) -> bool:
    """Whether either side has a package of it."""
    return bool(record.evidence.pos_rows.value or (record.evidence.near and record.evidence.near.value))


def name(record: Record) -> str:
    """``Product “Night Lantern 3.5g”``."""
    return f"Product “{record.value}”"


def where_looked(_: Record) -> str:
    """Which books were searched for it."""
    return "the POS's stock list by product, id and METRC item; METRC's packages of the last 90 days by item"


def product_labels(evidence: Evidence) -> tuple[str, ...]:
    """Every label of it, those first whose two sides differ at first sight."""
    seen = {s.label: s.quantity for s in (evidence.near.value or () if evidence.near else ())}
    held: dict[str, Decimal] = {}
    for row in evidence.pos_rows.value or ():
        held[row.label] = held.get(row.label, Decimal(0)) + row.quantity
    labels = dict.fromkeys([*held, *seen])
    return tuple(sorted(labels, key=lambda label: held.get(label) == seen.get(label)))


# --- the checks -------------------------------------------------------------------------------------------------------


def check_mapping(record: Record) -> Outcome:
    """Whether item, category and unit fit, and whether two packages of it were taken for one another."""
    found = record.findings(CheckName.MAPPING, lambda f: f.code in OF_THE_PRODUCT)
    found += _siblings(record)
    said = f"Item, category and unit fit for {count_of(len(record.packages), 'package')}."
    return _or_unread(
        record, concluded(CheckName.MAPPING, found, record.untold(CheckName.MAPPING), said, *_read(record))
    )


def check_timing(_: Record) -> Outcome:
    """Sales belong to packages."""
    return Outcome(CheckName.TIMING, Result.CLEAR, "A product is not posted; see its packages for their sales.")


def check_duplication(record: Record) -> Outcome:
    """Packages belong to no product twice; what is in two rows is told."""
    rows = record.evidence.pos_rows.value or ()
    several = len(rows) - len({row.label for row in rows})
    more = f" {several} of them in another room or product as well." if several > 0 else ""
    said = f"{count_of(len({row.label for row in rows}), 'package')} of it in the POS.{more}"
    return Outcome(CheckName.DUPLICATION, Result.CLEAR, said, evidence=_read(record))


def check_custody(_: Record) -> Outcome:
    """Holds belong to packages."""
    return Outcome(CheckName.CUSTODY, Result.CLEAR, "A product is nowhere; see its packages for where they are.")


def check_definition(record: Record) -> Outcome:
    """Whether one unit of it weighs the same on both sides."""
    found = record.findings(CheckName.DEFINITION)
    said = "No package of it has two unit weights."
    return concluded(CheckName.DEFINITION, found, record.untold(CheckName.DEFINITION), said)


def check_count(_: Record) -> Outcome:
    """A product is not counted."""
    return Outcome(CheckName.COUNT, Result.CLEAR, "A product is not counted as one; see its packages for theirs.")


CHECKS: Final = (
    (CheckName.MAPPING, check_mapping),
    (CheckName.TIMING, check_timing),
    (CheckName.DUPLICATION, check_duplication),
    (CheckName.CUSTODY, check_custody),
    (CheckName.DEFINITION, check_definition),
    (CheckName.COUNT, check_count),
)


# --- siblings ---------------------------------------------------------------------------------------------------------


def _siblings(record: Record) -> Iterator[Labelled]:
    """Pairs of packages of which one has too much by what the other lacks; each package is in one pair at most."""
    left = [package for package in record.packages if package.gap is not None and package.gap.unexplained]
    while left:
        package = left.pop(0)
        sibling = next((other for other in left if _cancel(package, other)), None)
        if sibling is not None:
            left.remove(sibling)
            yield package.subject.value, _taken_for_one_another(package, sibling)


def _cancel(one: Diagnosis, other: Diagnosis) -> bool:
    if one.gap is None or other.gap is None:
        return False
    return one.gap.unexplained == -other.gap.unexplained and same_unit(one.gap.unit, other.gap.unit)


def _taken_for_one_another(one: Diagnosis, other: Diagnosis) -> Finding:
    rests = [(d.subject.value, d.gap.unexplained, d.gap.unit) for d in (one, other) if d.gap is not None]
    both = " and ".join(tail(label) for label, _, _ in rests)
    told = ", ".join(f"{tail(label)} {signed(rest)} {unit}" for label, rest, unit in rests)
    return Finding(
        code="mapping.siblings-cancel",
        cause=Cause.MAPPING,
        headline=f"What is left of {both} cancels: {told}. One was probably sold as the other.",
        action=Action(
            ActionKind.RECOUNT,
            f"Count {both} together and look for sales rung up on the wrong tag before any number is recorded.",
        ),
        evidence=tuple(
            Quote("pos", f"difference of {label}", one.as_of.pos, f"POS − METRC, unexplained: {plain(rest)} {unit}")
            for label, rest, unit in rests
        ),
        related=tuple(label for label, _, _ in rests),
        confidence=Confidence.POSSIBLE,
    )


def _read(record: Record) -> tuple[Quote, ...]:
    e = record.evidence
    quotes = [quote(e.pos_rows, f"{count_of(len(e.pos_rows.value or ()), 'row')} of it")]
    quotes += [quote(e.near, f"{count_of(len(e.near.value or ()), 'package')} of it")] if e.near else []
    return tuple(quotes)


def _or_unread(record: Record, outcome: Outcome) -> Outcome:
    """A list that was not read keeps a check from being clear."""
    missing = not_read(record.evidence.pos_rows, record.evidence.near)
    if outcome.result is not Result.CLEAR or not missing:
        return outcome
    return Outcome(outcome.name, Result.UNKNOWN, "Not all packages of this product could be read.", evidence=missing)
