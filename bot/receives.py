"""POS receives of one label: which are one load entered twice. Pure.

Two receives are twins when they brought the same quantity in the same unit and METRC received that quantity once. Rows
in several rooms, or several products made of one package, come from one receive and are nobody's twins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.case import in_metrc_units, open_loads, own, pos_total
from bot.model import Evidence, PosEvent, PosPackage
from bot.numbers import bare
from bot.units import same_unit

CORRECTIONS = frozenset({"adjust", "adjustment", "reconcile", "reconciliation", "void", "discontinue", "finish"})


@dataclass(frozen=True, slots=True)
class Receive:
    """One receive, told by an event of the audit log or by a stock row. ``id`` is how a person finds it in the POS.

    ``id`` is empty for a stock row without a receive time and manifest: nobody can point at it.
    """

    id: str
    at: datetime | None
    manifest: str | None
    quantity: Decimal
    unit: str | None
    actor: str | None
    where: str
    row: PosPackage | None = None

    @property
    def name(self) -> str:
        """Its id, else the file and line it was read from."""
        return self.id or self.where


@dataclass(frozen=True, slots=True)
class TwinReceive:
    """One load received more than once in the POS. ``sure``: METRC's received quantity proves it."""

    keep: Receive
    remove: tuple[Receive, ...]
    quantity: Decimal
    why_keep: str
    sure: bool

    @property
    def can_be_told_apart(self) -> bool:
        """Whether each of them has a name that a person finds in the POS."""
        ids = [receive.id for receive in (self.keep, *self.remove)]
        return all(ids) and len(set(ids)) == len(ids)


def find_twin_receives(evidence: Evidence) -> TwinReceive | None:
    """The load that was received twice, or None."""
    receives = _from_events(evidence)
    if len(receives) < 2:
        receives = _from_rows(evidence)
    groups = [[r for r in receives if _equal(r, first)] for first in receives]
    largest = max(groups, key=len, default=[])
    if len(largest) < 2:
        return None
    return _judge(largest, evidence)


def _judge(group: list[Receive], evidence: Evidence) -> TwinReceive | None:
    quantity = in_metrc_units(group[0].quantity, group[0].unit, evidence)
    came = _metrc_received(evidence)
    if quantity is None or quantity <= 0 or came is None or came >= quantity * len(group):
        return None
    keep, why = _to_keep(group, evidence)
    rest = tuple(sorted((r for r in group if r is not keep), key=_age))
    return TwinReceive(keep, rest, quantity, why, sure=came == quantity)


def _to_keep(group: list[Receive], evidence: Evidence) -> tuple[Receive, str]:
    """The accepted manifest first, then the row that sold, then the older one."""
    accepted = _accepted_manifest(evidence)
    on_it = [r for r in group if accepted and bare(r.manifest) == bare(accepted)]
    if 0 < len(on_it) < len(group):
        return min(on_it, key=_age), f"it came on manifest {accepted}, the one METRC goes by"
    sold = [r for r in group if r.row is not None and r.row.quantity < r.quantity]
    if 0 < len(sold) < len(group):
        return min(sold, key=_age), "it has sales on it"
    dated = [r for r in group if r.at is not None]
    return min(dated or group, key=_age), "it is the older one"


def _accepted_manifest(evidence: Evidence) -> str | None:
    package = evidence.package.value
    if package is not None and package.received_from_manifest:
        return package.received_from_manifest
    loads = sorted(open_loads(evidence), key=lambda load: (load[0].departed_at is None, load[0].id))
    return loads[0][0].manifest if loads else None


def _metrc_received(evidence: Evidence) -> Decimal | None:
    """What METRC says came in: by the package itself, else by what its manifest says."""
    package = evidence.package.value
    if package is not None and package.original_quantity is not None and package.received_at is not None:
        return package.original_quantity
    for transfer in evidence.transfers.value or ():
        for entry in own(transfer, evidence.subject.value):
            return entry.received_quantity or entry.shipped_quantity
    return package.original_quantity if package is not None else None


def _from_events(evidence: Evidence) -> list[Receive]:
    events = evidence.pos_events.value or ()
    receives = [e for e in events if e.kind == "receive" and (e.change or Decimal(0)) > 0]
    taken_back = [e for e in events if e.kind in CORRECTIONS and (e.change or Decimal(0)) < 0]
    rows = list(evidence.pos_rows.value or ())
    living = []
    for event in sorted(receives, key=lambda e: e.at, reverse=True):
        correction = next((c for c in taken_back if c.at > event.at and c.change == -(event.change or 0)), None)
        if correction is not None:
            taken_back.remove(correction)
            continue
        living.append(_receive(event, _row_of(event, rows)))
    return living


def _receive(event: PosEvent, row: PosPackage | None) -> Receive:
    return Receive(
        id=event.event_id,
        at=event.at,
        manifest=event.reference,
        quantity=event.change or Decimal(0),
        unit=event.unit,
        actor=event.actor,
        where=event.where,
        row=row,
    )


def _row_of(event: PosEvent, rows: Sequence[PosPackage]) -> PosPackage | None:
    exact = [r for r in rows if r.received_at == event.at]
    by_manifest = [r for r in rows if r.manifest and bare(r.manifest) == bare(event.reference)]
    return next(iter(exact or by_manifest), None)


def _from_rows(evidence: Evidence) -> list[Receive]:
    """Without an audit log, stock rows that came at different times, or on different manifests, are receives."""
    rows = evidence.pos_rows.value or ()
    came, held = _metrc_received(evidence), pos_total(evidence)
    # a shop cannot hold more than came in; below that, rows of different times are rooms or moves
    if len({(row.received_at, row.manifest) for row in rows}) < 2 or came is None or held is None or held <= came:
        return []
    return [
        Receive(
            id=" ".join(p for p in (row.received_at.isoformat() if row.received_at else "", row.manifest or "") if p),
            at=row.received_at,
            manifest=row.manifest,
            # a row that sold holds less than came in; METRC's figure tells what that was
            quantity=max(row.quantity, came),
            unit=row.unit,
            actor=None,
            where=row.where,
            row=row,
        )
        for row in rows
    ]


def _equal(one: Receive, other: Receive) -> bool:
    same_product = one.row is None or other.row is None or one.row.product_id == other.row.product_id
    units = one.unit is None or other.unit is None or same_unit(one.unit, other.unit)
    return one.quantity == other.quantity and units and same_product


def _age(receive: Receive) -> tuple[float, str]:
    return (receive.at.timestamp() if receive.at else 0.0), receive.id
