"""Packages that METRC made of another one while the POS knows nothing of it. Pure.

A package made in METRC names its source. The POS knew when it logged a change of that size on the source; a label that
it merely imported says nothing about the source's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from bot.case import in_metrc_units
from bot.model import Evidence, MetrcPackage, PosEvent, Reading
from bot.units import convert, in_grams

# METRC tells the day only, in the shop's own calendar; the POS may log the conversion before it is sent
LOGGED_BEFORE = timedelta(days=2)
# how a POS calls making one package of another
CONVERSIONS = ("convert", "conversion", "split", "repack", "package", "combine", "batch", "produc")


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


def unheard_conversions(evidence: Evidence) -> tuple[tuple[PosEvent, Decimal], ...]:
    """The POS's conversions of which METRC made no package of that size, with their change in METRC's unit, oldest first."""
    whole, made = evidence.package.value, _made(evidence)
    sizes = [size for child in made if whole is not None and (size := _taken(child, whole)) is not None]
    alone = []
    for event in sorted(evidence.pos_events.value or (), key=lambda each: (each.at, each.event_id)):
        change = in_metrc_units(event.change, event.unit, evidence) if _is_conversion(event) and event.change else None
        if change is None:
            continue
        if -change in sizes:
            sizes.remove(-change)
        else:
            alone.append((event, change))
    return tuple(alone)


def made_in_pos(evidence: Evidence) -> tuple[PosEvent, ...]:
    """The POS's conversions that put something on a label that was never received."""
    events = evidence.pos_events.value or ()
    if any(event.kind == "receive" for event in events):
        return ()
    return tuple(event for event in events if _is_conversion(event) and (event.change or 0) > 0)


def _is_conversion(event: PosEvent) -> bool:
    return event.kind.startswith(CONVERSIONS)


def unrecorded_sources(evidence: Evidence) -> tuple[str, ...]:
    """The labels, known to the POS, that METRC made the asked package of; empty when the POS recorded that."""
    package = evidence.package.value
    if package is None or not _is_new_to_pos(evidence) or copied_from(evidence) is not None:
        return ()
    if _was_taken_off(evidence, package):
        return ()
    return tuple(label for label in package.source_labels if label in evidence.pos_kin)


def copied_from(evidence: Evidence) -> MadeTwice | None:
    """The group in which the asked package is one too many: METRC made it again out of a source that the POS knows."""
    package = evidence.package.value
    if package is None or not _is_new_to_pos(evidence):
        return None
    groups = packages_made_twice(_of_source(evidence, package))
    return next((each for each in groups if any(one.label == package.label for one in each.remove)), None)


def _was_taken_off(evidence: Evidence, package: MetrcPackage) -> bool:
    """Whether the POS already took the package's size off its source, so that only the label is missing there."""
    parts = unrecorded_parts(_of_source(evidence, package))
    kindred = (evidence.kindred.value if evidence.kindred is not None else None) or ()
    return bool(kindred) and all(part.package.label != package.label for part in parts)


def _of_source(evidence: Evidence, package: MetrcPackage) -> Evidence:
    """What was made of the asked package's source, counted in the asked package's unit."""
    source = replace(package, label="".join(package.source_labels[:1]), source_labels=())
    read = replace(evidence.package, value=source)
    return replace(evidence, package=read, children=evidence.kindred, pos_events=_log_of_source(evidence))


def _log_of_source(evidence: Evidence) -> Reading[tuple[PosEvent, ...]]:
    return replace(evidence.pos_events, value=evidence.pos_source_events)


def _is_new_to_pos(evidence: Evidence) -> bool:
    """Whether a living package was made here and the POS, as far as it was read, does not know it."""
    package = evidence.package.value
    if package is None or not _was_made_here(package) or package.is_closed or not package.quantity:
        return False
    if evidence.pos_rows.value or evidence.pos_events.value or evidence.pos_sales.value:
        return False
    return evidence.pos_rows.was_read


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
