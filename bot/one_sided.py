"""Corrections of a package's quantity that one side made and the other never saw. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bot.case import Case, in_metrc_units
from bot.model import Adjustment, PosEvent, Quote
from bot.units import convert, signed


@dataclass(frozen=True, slots=True)
class Alone:
    """One correction. ``effect``: what it adds to POS − METRC, in the METRC unit; ``name`` is how a person finds it.

    ``event``: the POS's own record of it.
    """

    effect: Decimal
    name: str
    in_metrc: bool
    quote: Quote
    event: PosEvent | None = None


def corrections_alone(case: Case) -> tuple[Alone, ...]:
    """Every correction without an equal one on the other side; nothing unless both books were read."""
    e = case.evidence
    if not (e.adjustments.was_read and e.pos_events.was_read):
        return ()
    theirs = list(e.adjustments.value or ())
    ours = []
    for event in e.pos_events.value or ():
        change = in_metrc_units(event.change, event.unit, e) if event.change and _is_correction(event) else None
        if change is None:
            continue
        twin = next((each for each in theirs if _quantity(case, each) == change), None)
        if twin is None:
            ours.append(_in_pos(case, event, change))
        else:
            theirs.remove(twin)
    return (*_in_metrc(case, theirs), *ours)


def _is_correction(event: PosEvent) -> bool:
    return event.kind.startswith(("adjust", "reconcil", "waste", "destr", "void"))


def _quantity(case: Case, adjustment: Adjustment) -> Decimal | None:
    package = case.evidence.package.value
    unit = package.unit if package is not None and package.unit else adjustment.unit
    if unit is None:
        return adjustment.quantity
    return convert(adjustment.quantity, adjustment.unit or unit, unit)


def _in_metrc(case: Case, adjustments: Iterable[Adjustment]) -> tuple[Alone, ...]:
    reading = case.evidence.adjustments
    found = []
    for each in adjustments:
        change = _quantity(case, each)
        if change is None:
            continue
        on = f" of {each.on}" if each.on else ""
        reason = f" for “{each.reason}”" if each.reason else ""
        name = f"METRC's correction{on} by {signed(change)}{reason}"
        says = f"{signed(change)}{on}{reason}; no such correction in the POS's log"
        found.append(Alone(-change, name, in_metrc=True, quote=Quote("metrc", reading.asked, reading.as_of, says)))
    return tuple(found)


def _in_pos(case: Case, event: PosEvent, change: Decimal) -> Alone:
    who = f" by {event.actor}" if event.actor else ""
    name = f"the POS's correction of {case.clock(event.at)} by {signed(change)}"
    says = f"{event.kind} {signed(change)} at {case.clock(event.at)}{who}; no such correction in METRC"
    said = Quote("pos", event.where, case.evidence.pos_events.as_of, says)
    return Alone(change, name, in_metrc=False, quote=said, event=event)
