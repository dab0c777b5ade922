"""Packages that METRC made of another one while the POS knows nothing of it. Pure.

A package made in METRC names its source. The POS knew when it logged a change of that size on the source; a label that
it merely imported says nothing about the source's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from bot.case import in_metrc_units
from bot.model import Evidence, MetrcPackage
from bot.units import convert, in_grams

# METRC tells the day only, in the shop's own calendar; the POS may log the conversion before it is sent
LOGGED_BEFORE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Part:
    """A package made of the asked one. ``quantity``: what it took, in the asked package's unit; None: incomparable.

    ``sure``: one source only, and the POS was read and has neither the new label nor a change of that size.
    """

    package: MetrcPackage
    quantity: Decimal | None
    sure: bool


@dataclass(frozen=True, slots=True)
class MadeTwice:
    """Equal packages made of the asked one on one day, of which the POS logged fewer; ``quantity`` is each one's."""

    keep: MetrcPackage
    remove: tuple[MetrcPackage, ...]
    quantity: Decimal
    why_keep: str


def packages_made_twice(evidence: Evidence) -> tuple[MadeTwice, ...]:
    """Groups of equal children of which the POS made some, but not as many."""
    whole, made = evidence.package.value, _made(evidence)
    groups: dict[tuple[Decimal, object], list[MetrcPackage]] = {}
    for child in made:
        quantity = _taken(child, whole) if whole is not None else None
        if quantity and len(child.source_labels) == 1:
            alike = (child.item.id or child.item.name, child.packaged_on)
            groups.setdefault((quantity, alike), []).append(child)
    logged, twice = _changes(evidence, made), []
    for (quantity, _), group in groups.items():
        right = sum(1 for each in logged if each == quantity)
        unknown = [child for child in group if child.label not in evidence.pos_kin]
        extra = len(group) - right
        # what the POS has under its own label was not made by mistake
        if right > 0 and 0 < extra <= len(unknown):
            keep = next((child for child in group if child.label in evidence.pos_kin), group[0])
            remove = [child for child in unknown if child is not keep][-extra:]
            why = "the POS knows it" if keep.label in evidence.pos_kin else "it is the older one"
            twice.append(MadeTwice(keep, tuple(remove), quantity, why))
    return tuple(twice)


def unrecorded_parts(evidence: Evidence) -> tuple[Part, ...]:
    """Packages made of the asked one that no change in the POS's log accounts for, oldest first."""
    whole, made = evidence.package.value, _made(evidence)
    if whole is None or not made:
        return ()
    twice = {child.id for each in packages_made_twice(evidence) for child in each.remove}
    made = [child for child in made if child.id not in twice]
    logged = _changes(evidence, made)
    known = set(evidence.pos_kin)
    parts = []
    # a change of the right size is that of the package the POS knows, where two are equal
    for child in sorted(made, key=lambda one: (one.label not in known, one.id)):
        quantity = _taken(child, whole)
        if quantity is not None and quantity in logged:
            logged.remove(quantity)
            continue
        parts.append(Part(child, quantity, sure=_is_sure(child, quantity, evidence)))
    together = [part.quantity for part in parts]
    if None not in together and sum((each or Decimal(0) for each in together), Decimal(0)) in logged:
        return ()
    return tuple(sorted(parts, key=lambda part: part.package.id))


def unrecorded_sources(evidence: Evidence) -> tuple[str, ...]:
    """The labels, known to the POS, that METRC made the asked package of; empty when the POS knows the package."""
    package = evidence.package.value
    if package is None or not _was_made_here(package) or package.is_closed or not package.quantity:
        return ()
    if evidence.pos_rows.value or evidence.pos_events.value or evidence.pos_sales.value:
        return ()
    if not evidence.pos_rows.was_read:
        return ()
    return tuple(label for label in package.source_labels if label in evidence.pos_kin)


def _made(evidence: Evidence) -> list[MetrcPackage]:
    """The living packages made of the asked one at this license, oldest first."""
    children = (evidence.children.value if evidence.children is not None else None) or ()
    made = [child for child in children if _was_made_here(child) and child.archived_on is None]
    return sorted(made, key=lambda child: child.id)


def _was_made_here(package: MetrcPackage) -> bool:
    """A package that came on a manifest was made of its source by somebody else."""
    return package.received_at is None and package.received_from_manifest is None


def _taken(child: MetrcPackage, whole: MetrcPackage) -> Decimal | None:
    quantity = child.original_quantity if child.original_quantity is not None else child.quantity
    if quantity is None or child.unit is None or whole.unit is None:
        return None
    each = in_grams(child.item.unit_weight, child.item.unit_weight_unit)
    return convert(quantity, child.unit, whole.unit, grams_each=each)


def _is_sure(child: MetrcPackage, quantity: Decimal | None, evidence: Evidence) -> bool:
    alone = len(child.source_labels) == 1 and quantity is not None
    since, made = evidence.pos_events_since, child.packaged_on
    told = evidence.pos_events.was_read and (since is None or made is None or since.date() <= made)
    return alone and told and child.label not in evidence.pos_kin


def _changes(evidence: Evidence, made: Iterable[MetrcPackage]) -> list[Decimal]:
    """What the POS's log took off since the first of them was made, in METRC's unit, positive."""
    days = [child.packaged_on for child in made if child.packaged_on is not None]
    events = [e for e in evidence.pos_events.value or () if not days or e.at.date() >= min(days) - LOGGED_BEFORE]
    taken = [in_metrc_units(-event.change, event.unit, evidence) for event in events if event.change]
    return [each for each in taken if each is not None and each > 0]
