"""A package in good order as frozen evidence, and small functions that each change one thing about it.

The package holds 38 of 40 pieces on both sides: two sales, each with its receipt. Time stands at ``NOW``; nothing here
touches a file or a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from bot.case import Case
from bot.diagnose import diagnose
from bot.errors import Problem, ProblemKind
from bot.gap import account
from bot.model import (
    Access,
    CheckName,
    Diagnosis,
    Direction,
    Evidence,
    Facility,
    MetrcDelivery,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    Outcome,
    PosEvent,
    PosPackage,
    PosSaleLine,
    Posting,
    Probe,
    Reading,
    Shop,
    Subject,
    SubjectKind,
    Submission,
    Transfer,
    TransferPackage,
    Window,
)

T = TypeVar("T")

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
LABEL = "1A4FF0100000022000001001"
OTHER_LABEL = "1A4FF0100000022000001003"
SHOP = Shop("402R-X0042", "Harbor Street", "America/Denver", Posting.BATCH)
TWO_DAYS_AGO = NOW - timedelta(days=2)
FOUR_MINUTES = timedelta(minutes=4)
RECEIVED = NOW - timedelta(days=10)
ITEM = MetrcItem(
    id=90211,
    name="Fern Hollow - Night Lantern - Flower 3.5g",
    category="Bud/Flower (Each)",
    unit_weight=Decimal("3.5"),
    unit_weight_unit="Grams",
)
FAILURES = tuple(kind for kind in ProblemKind if kind is not ProblemKind.NOT_OFFERED)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def days(count: float) -> timedelta:
    return timedelta(days=count)


def read(value: T, source: str = "metrc") -> Reading[T]:
    return Reading(source, "asked", NOW, value)


def failed(kind: ProblemKind = ProblemKind.TIMEOUT, source: str = "metrc") -> Reading[Any]:
    return Reading(source, "asked", problem=Problem(kind, "It could not be read."))


def nothing(source: str = "metrc") -> Reading[Any]:
    """Asked, answered, and there is none."""
    return Reading(source, "asked", NOW)


def package(**changes: Any) -> MetrcPackage:
    return replace(
        MetrcPackage(
            id=5510101,
            label=LABEL,
            quantity=Decimal(38),
            unit="Each",
            item=ITEM,
            original_quantity=Decimal(40),
            lab_state="TestPassed",
            received_at=RECEIVED,
            received_from_manifest="0000417733",
            last_modified=NOW - days(1),
        ),
        **changes,
    )


def row(**changes: Any) -> PosPackage:
    return replace(
        PosPackage(
            record_id="r1",
            label=LABEL,
            quantity=Decimal(38),
            unit="Each",
            product_name="Night Lantern 3.5g",
            product_id="5001",
            metrc_item=ITEM.name,
            metrc_category=ITEM.category,
            unit_weight_g=Decimal("3.5"),
            room="Sales Floor",
            received_at=RECEIVED + minutes(5),
            manifest="0000417733",
            as_of=NOW,
            where="inventory.csv, line 2",
        ),
        **changes,
    )


def line(number: int = 1, at: datetime = TWO_DAYS_AGO, quantity: Any = 1, **changes: Any) -> PosSaleLine:
    """A sale line of the POS: sale ``POS-<number>``, reported and stored with its receipt's id."""
    return replace(
        PosSaleLine(
            sale_id=f"POS-{number}",
            line_id="1",
            label=LABEL,
            quantity=Decimal(quantity),
            sold_at=at,
            unit="Each",
            submission=Submission.REPORTED,
            receipt_id=str(8800 + number),
            where=f"sales.csv, line {number}",
        ),
        **changes,
    )


def receipt(number: int = 1, at: datetime = TWO_DAYS_AGO, quantity: Any = 1, **changes: Any) -> MetrcReceipt:
    """METRC's receipt of sale ``POS-<number>``, recorded three seconds later."""
    return replace(
        MetrcReceipt(
            id=8800 + number,
            number=f"{8800 + number:010d}",
            external_number=f"POS-{number}",
            sold_at=at,
            recorded_at=at + timedelta(seconds=3),
            total_price=Decimal(42),
            lines=(MetrcLine(LABEL, Decimal(quantity), "Each"),),
        ),
        **changes,
    )


def received(**changes: Any) -> PosEvent:
    """The POS's own receive of the load."""
    return replace(
        PosEvent(
            event_id="e1",
            kind="receive",
            label=LABEL,
            at=RECEIVED + minutes(5),
            from_quantity=Decimal(0),
            to_quantity=Decimal(40),
            unit="Each",
            actor="D Orrin",
            reference="0000417733",
            where="events.csv, line 2",
        ),
        **changes,
    )


def carried(**changes: Any) -> TransferPackage:
    return replace(
        TransferPackage(
            label=LABEL,
            state="Shipped",
            shipped_quantity=Decimal(40),
            shipped_unit="Each",
            item_id=ITEM.id,
            item_name=ITEM.name,
            item_category=ITEM.category,
            item_unit_weight=ITEM.unit_weight,
            item_unit_weight_unit=ITEM.unit_weight_unit,
        ),
        **changes,
    )


def load(number: int = 418902, state: str = "Shipped", **changes: Any) -> Transfer:
    """An incoming manifest that carries the label, on the road."""
    return replace(
        Transfer(
            id=number,
            manifest=f"{number:010d}",
            direction=Direction.INCOMING,
            delivery_id=560144,
            invoice="INV-7781",
            shipper_license="403-X0007",
            recipient_license=SHOP.license,
            recipient_name=SHOP.name,
            created_at=NOW - days(1),
            departed_at=NOW - timedelta(hours=6),
            packages=(carried(state=state),),
        ),
        **changes,
    )


def delivered(at: datetime = TWO_DAYS_AGO, quantity: Any = 1, **changes: Any) -> MetrcDelivery:
    return replace(
        MetrcDelivery(
            id=6611,
            number="D6611",
            sold_at=at,
            recorded_at=at,
            lines=(MetrcLine(LABEL, Decimal(quantity), "Each"),),
        ),
        **changes,
    )


OPEN = Access(
    facilities=read((Facility(SHOP.license, SHOP.name),)),
    probes=tuple(Probe(family, read(value=True)) for family in ("packages", "sales", "transfers")),
)

HEALTHY = Evidence(
    shop=SHOP,
    subject=Subject(SubjectKind.PACKAGE, LABEL),
    asked_at=NOW,
    access=OPEN,
    package=read(package()),
    receipts=read((receipt(1), receipt(2, NOW - days(3)))),
    deliveries=read(()),
    transfers=read(()),
    transferred=read(()),
    adjustments=read(()),
    pos_rows=read((row(),), "pos"),
    pos_sales=read((line(1), line(2, NOW - days(3))), "pos"),
    pos_events=read((received(),), "pos"),
    receipts_window=Window(NOW - days(11), NOW),
    pos_sales_since=RECEIVED,
    pos_sales_until=NOW - minutes(1),
    pos_events_since=RECEIVED,
)


# --- changing one thing -----------------------------------------------------------------------------------------------


def with_package(evidence: Evidence = HEALTHY, **changes: Any) -> Evidence:
    assert evidence.package.value is not None
    return replace(evidence, package=read(replace(evidence.package.value, **changes)))


def with_row(evidence: Evidence = HEALTHY, **changes: Any) -> Evidence:
    """The first POS row, changed."""
    first, *rest = evidence.pos_rows.value or ()
    return replace(evidence, pos_rows=replace(evidence.pos_rows, value=(replace(first, **changes), *rest)))


def with_shop(evidence: Evidence = HEALTHY, **changes: Any) -> Evidence:
    return replace(evidence, shop=replace(evidence.shop, **changes))


def stocked(quantity: Any, evidence: Evidence = HEALTHY) -> Evidence:
    """The POS's one row holds this many."""
    return with_row(evidence, quantity=Decimal(quantity))


def counted(quantity: Any, evidence: Evidence = HEALTHY) -> Evidence:
    """METRC counts this many."""
    return with_package(evidence, quantity=Decimal(quantity))


def add_sales(*lines: PosSaleLine, to: Evidence = HEALTHY) -> Evidence:
    return replace(to, pos_sales=replace(to.pos_sales, value=(*(to.pos_sales.value or ()), *lines)))


def add_receipts(*receipts: MetrcReceipt, to: Evidence = HEALTHY) -> Evidence:
    return replace(to, receipts=replace(to.receipts, value=(*(to.receipts.value or ()), *receipts)))


def add_events(*events: PosEvent, to: Evidence = HEALTHY) -> Evidence:
    return replace(to, pos_events=replace(to.pos_events, value=(*(to.pos_events.value or ()), *events)))


def logged(quantity: Any, kind: str = "adjust", at: datetime | None = None, **changes: Any) -> PosEvent:
    """A change in the POS's log, of a day ago unless it is told, on no manifest."""
    own: dict[str, Any] = {"event_id": "e9", "from_quantity": Decimal(0), "reference": None}
    return received(**(own | {"kind": kind, "at": at or NOW - days(1), "to_quantity": Decimal(quantity)} | changes))


def posted_twice(evidence: Evidence = HEALTHY, number: int = 1) -> Evidence:
    """One sale's receipt is in METRC a second time under its own number, recorded four seconds after the first."""
    first = next(one for one in evidence.receipts.value or () if one.id == 8800 + number)
    assert first.recorded_at is not None
    assert evidence.package.value is not None
    assert evidence.package.value.quantity is not None
    twin = replace(first, id=8889 + number, recorded_at=first.recorded_at + timedelta(seconds=4))
    return add_receipts(twin, to=counted(evidence.package.value.quantity - 1, evidence))


def no_trade(evidence: Evidence = HEALTHY) -> Evidence:
    """Received, never sold: 40 on both sides."""
    sold = replace(evidence, receipts=read(()), pos_sales=read((), "pos"))
    return stocked(40, counted(40, sold))


def absent(evidence: Evidence = HEALTHY) -> Evidence:
    """METRC knows no such label at this license; it was looked for everywhere."""
    return replace(
        no_trade(evidence), package=nothing(), near=read(()), elsewhere=read(()), transfers=read(()), receipts=read(())
    )


def unstocked(evidence: Evidence = HEALTHY) -> Evidence:
    """The POS never heard of the label."""
    return replace(no_trade(evidence), pos_rows=read((), "pos"), pos_events=read((), "pos"))


def on_the_road(*loads: Transfer, evidence: Evidence = HEALTHY) -> Evidence:
    """Loads carry the label; METRC has no package of it here yet."""
    return replace(absent(evidence), transfers=read(loads or (load(),)))


def pending(number: int = 9, age: timedelta = FOUR_MINUTES, quantity: Any = 1, **changes: Any) -> PosSaleLine:
    """A sale that waits to be posted."""
    state: dict[str, Any] = {"submission": Submission.PENDING, "receipt_id": None}
    return line(number, NOW - age, quantity, **(state | changes))


def refused(number: int = 9, message: str | None = None, quantity: Any = 1, **changes: Any) -> PosSaleLine:
    """A sale that METRC refused yesterday."""
    state: dict[str, Any] = {"submission": Submission.FAILED, "receipt_id": None, "message": message}
    return line(number, NOW - days(1) + minutes(60), quantity, **(state | changes))


def unheard(number: int = 9, quantity: Any = 1, at: datetime | None = None, **changes: Any) -> PosSaleLine:
    """A sale, of two days ago unless it is told, of which METRC has nothing and the POS says nothing."""
    state: dict[str, Any] = {"submission": Submission.UNKNOWN, "receipt_id": None}
    return line(number, at or NOW - days(2) + minutes(30), quantity, **(state | changes))


# --- asking -----------------------------------------------------------------------------------------------------------


def case(evidence: Evidence = HEALTHY, earlier: Iterable[Outcome] = ()) -> Case:
    """What a check is given when it is asked first, or after ``earlier`` ones."""
    outcomes = tuple(earlier)
    return Case(evidence, outcomes, account(evidence, outcomes))


def judged(evidence: Evidence) -> Diagnosis:
    return diagnose(evidence, "q1")


def outcome_of(diagnosis: Diagnosis, name: CheckName) -> Outcome:
    return next(outcome for outcome in diagnosis.checks if outcome.name is name)


def codes(source: Outcome | Diagnosis) -> list[str]:
    """The codes of all findings, in order."""
    outcomes = source.checks if isinstance(source, Diagnosis) else (source,)
    return [finding.code for outcome in outcomes for finding in outcome.findings]


def shares(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    """Code, quantity, and the reference that names the event, as texts."""
    assert diagnosis.gap is not None
    return [(s.code, str(s.quantity), s.refs[-1]) for s in diagnosis.gap.explained]
