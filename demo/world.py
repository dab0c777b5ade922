"""A whole store as plain data: what METRC would hold, what the POS would hold, and ways to break it.

``World.healthy`` gives a shop whose two sides agree; every other public method is one thing that happens in a shop or
one fault. Both sides of what happens are written by the same method, so a fault is the whole difference. Quantities
and prices are ``Decimal``, times are aware and in UTC, dates are days of the facility.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

SCENE_NOW: Final = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
SHOP: Final = "402R-X0042"
SISTER: Final = "403R-X0043"
ZONE: Final = ZoneInfo("America/Denver")
TAG: Final = "1A4FF010000002200000"
REPORTED, PENDING, FAILED, VOIDED = "Reported", "Pending", "Failed", "Voided"
WRONG_UNIT: Final = "Unit of Measure is not valid for the Package."

# name → (abbreviation, quantity type)
UNITS: Final = {
    "Each": ("ea", "CountBased"),
    "Grams": ("g", "WeightBased"),
    "Kilograms": ("kg", "WeightBased"),
    "Milligrams": ("mg", "WeightBased"),
    "Ounces": ("oz", "WeightBased"),
    "Pounds": ("lb", "WeightBased"),
    "Fluid Ounces": ("fl oz", "VolumeBased"),
    "Gallons": ("gal", "VolumeBased"),
    "Liters": ("l", "VolumeBased"),
    "Milliliters": ("ml", "VolumeBased"),
    "Pints": ("pt", "VolumeBased"),
}

# family → the METRC rights of which one is enough to read it; the last one is needed to write
FAMILY_RIGHTS: Final = {
    "packages": ("view packages", "manage packages inventory"),
    "items": ("manage items",),
    "sales": ("view sales", "manage sales"),
    "deliveries": ("view sales delivery", "manage sales delivery"),
    "transfers": ("view transfers", "manage transfers"),
    "employees": ("view employees", "manage employees"),
    "tags": ("manage tags",),
}


RETAIL_FLAGS: Final = frozenset(
    {
        "IsRetail",
        "CanCreateDerivedPackages",
        "CanAssignLocationsToPackages",
        "CanUpdateLocationsOnPackages",
        "CanReturnPackageQuantity",
        "CanSellToConsumers",
        "AdvancedSales",
        "EnableExternalIdentifier",
    }
)


@dataclass(frozen=True)
class Shift:
    """Moves the moments of the written scene so that its clock, 3 March 2026 03:30 UTC, falls on ``now``.

    Moments move by the exact difference, days by the number of local days between the two clocks.
    """

    now: datetime
    zone: ZoneInfo = ZONE

    def at(self, text: str) -> datetime:
        """The moment written as ISO 8601 with an offset."""
        return datetime.fromisoformat(text).astimezone(UTC) + (self.now - SCENE_NOW)

    def local(self, text: str) -> datetime:
        """The moment written as wall-clock time of the facility."""
        return self.at(datetime.fromisoformat(text).replace(tzinfo=self.zone).isoformat())

    def day(self, text: str) -> date:
        """The day written as ``YYYY-MM-DD``."""
        moved = self.now.astimezone(self.zone).date() - SCENE_NOW.astimezone(self.zone).date()
        return date.fromisoformat(text) + moved


@dataclass(frozen=True)
class Party:
    """A license somewhere in the state, known by number and name."""

    number: str
    name: str


FERN_HOLLOW: Final = Party("403-X0007", "Fern Hollow Growers LLC")


@dataclass(kw_only=True)
class License:
    """A facility that a key can reach. ``flags``: the facility-type switches that are on."""

    number: str
    name: str
    facility_id: int
    license_type: str
    starts: date
    ends: date
    hired_on: date
    credentialed_on: date
    employee: str = "M41822"
    alias: str | None = None
    is_manager: bool = False
    support_from: date | None = None
    support_until: date | None = None
    flags: frozenset[str] = frozenset()
    zone: ZoneInfo = ZONE

    @property
    def party(self) -> Party:
        """How other records name it."""
        return Party(self.number, self.name)

    @property
    def sells(self) -> bool:
        """Whether the facility type has sales at all."""
        return "CanSellToConsumers" in self.flags


@dataclass
class Key:
    """A vendor key and user key that work together, what they reach and what they may do."""

    vendor: str
    user: str
    licenses: set[str]
    rights: set[str]
    alive: bool = True


@dataclass
class Employee:
    """A person at METRC; ``permissions`` is what the permission list says, not what a key was made with."""

    name: str
    number: str
    ends: date
    starts: date
    license_type: str = "Retail Marijuana Store"
    is_admin: bool = False
    is_manager: bool = False
    permissions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Category:
    """An item category; ``requires``: the names of the demands it makes, as METRC spells them."""

    name: str
    kind: str
    quantity_type: str
    requires: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Item:
    """A METRC item together with the POS product that is sold under it."""

    id: int
    name: str
    category: Category
    unit: str = "Each"
    unit_weight: Decimal | None = None
    strain_id: int | None = None
    strain: str | None = None
    thc_mg: Decimal | None = None
    approved_at: datetime
    is_active: bool = True
    product_id: str = ""
    product_name: str = ""
    product_category: str = ""
    product_weight: Decimal | None = None
    price: Decimal = Decimal("38.25")


@dataclass(kw_only=True)
class Package:
    """A package as METRC holds it at one license. ``listing``: active, onhold, inactive, intransit or labsamples."""

    id: int
    label: str
    license: str
    item: Item
    quantity: Decimal
    original: Decimal
    modified: datetime
    packaged_on: date
    tested_on: date | None = None
    listing: str = "active"
    lab_state: str = "TestPassed"
    received_at: datetime | None = None
    manifest: str | None = None
    shipper: Party = FERN_HOLLOW
    room_id: int | None = 4101
    room: str | None = "Sales Floor"
    note: str = ""
    on_hold: bool = False
    finished_on: date | None = None
    archived_on: date | None = None
    sources: str = f"{TAG}1900"
    harvests: str = "2025-12-08-Drying Room 2-H"

    def touch(self, at: datetime) -> None:
        """A change at ``at``: the last one counts."""
        self.modified = max(self.modified, at)

    def take(self, quantity: Decimal, at: datetime) -> None:
        """Take ``quantity`` off; a negative one puts it back."""
        self.quantity -= quantity
        self.touch(at)


@dataclass
class Line:
    """One line of a METRC sale. ``unit_weight`` None: the item's."""

    package: Package
    quantity: Decimal
    price: Decimal
    unit_weight: Decimal | None = None


@dataclass(kw_only=True)
class Receipt:
    """A METRC sales receipt. ``sold_at`` is what the till claimed, ``recorded_at`` when METRC stored it."""

    id: int
    license: str
    external: str | None
    sold_at: datetime
    recorded_at: datetime
    modified: datetime
    lines: list[Line]
    by: str = "Lee Marsh"
    is_final: bool = False
    archived_on: date | None = None

    @property
    def is_active(self) -> bool:
        """Whether METRC lists it among the active receipts: neither finalized nor voided."""
        return not self.is_final and self.archived_on is None


@dataclass(kw_only=True)
class Delivery:
    """A sale handed over by delivery; METRC keeps it apart from the receipts."""

    id: int
    license: str
    consumer: str
    sold_at: datetime
    recorded_at: datetime
    modified: datetime
    departs_at: datetime
    arrives_at: datetime
    total_packages: int
    total_price: Decimal
    lines: list[Line] = field(default_factory=list)
    by: str = "Lee Marsh"
    state: str = "Undesignated"
    completed_at: datetime | None = None
    voided_on: date | None = None


@dataclass(kw_only=True)
class Shipped:
    """A package on a manifest. ``state``: Shipped, Accepted, Rejected or Returned."""

    package_id: int
    label: str
    item: Item
    quantity: Decimal
    packaged_on: date
    state: str = "Shipped"
    received: Decimal | None = None
    lab_state: str = "TestPassed"
    price: Decimal | None = None


@dataclass(kw_only=True)
class Transfer:
    """A manifest with its one delivery. Counts are overridden only where the records do not tell them."""

    id: int
    delivery_id: int
    shipper: Party
    recipient: Party
    created_at: datetime
    modified: datetime
    departs_at: datetime
    arrives_at: datetime
    packages: list[Shipped] = field(default_factory=list)
    invoice: str | None = None
    created_by: str = "Kit Lowell"
    departed_at: datetime | None = None
    received_at: datetime | None = None
    is_rejected: bool = False
    is_external: bool = False
    is_voided: bool = False
    package_count: int | None = None
    received_count: int | None = None

    @property
    def manifest(self) -> str:
        """The manifest number: the id padded to ten digits."""
        return f"{self.id:010d}"

    @property
    def sent(self) -> int:
        """How many packages are on it."""
        return len(self.packages) if self.package_count is None else self.package_count

    @property
    def accepted(self) -> int:
        """How many of them were received."""
        if self.received_count is not None:
            return self.received_count
        return sum(package.state == "Accepted" for package in self.packages)


@dataclass(kw_only=True)
class TransferredRow:
    """A row of the list of packages that ``license`` shipped away."""

    id: int
    license: str
    shipped: Shipped
    recipient: Party
    manifest: str
    departed_at: datetime
    received_at: datetime | None


@dataclass(kw_only=True)
class Adjustment:
    """A quantity adjustment in METRC; METRC gives it no id."""

    license: str
    package: Package
    quantity: Decimal
    reason: str
    note: str
    at: datetime
    by: str
    packaged_on: date


@dataclass(kw_only=True)
class PosRow:
    """One inventory row of the POS."""

    label: str
    product_id: str
    product_name: str
    category: str
    quantity: Decimal
    unit: str
    unit_weight_g: Decimal | None
    room: str
    received_at: datetime
    manifest: str = ""
    metrc_item: str = ""
    metrc_category: str = ""
    status: str = "Active"
    license: str = SHOP


@dataclass(kw_only=True)
class PosLine:
    """One line of a POS sale; ``status`` is what the POS says about posting it."""

    sale_id: str
    line_id: int
    sold_at: datetime
    label: str
    quantity: Decimal
    unit: str = "Each"
    is_void: bool = False
    is_return: bool = False
    original_sale_id: str = ""
    status: str = ""
    receipt_id: str = ""
    message: str = ""
    reported_at: datetime | None = None
    license: str = SHOP


@dataclass(kw_only=True)
class PosEvent:
    """One entry of the POS's audit log."""

    event_id: str
    at: datetime
    kind: str
    label: str
    from_quantity: Decimal
    to_quantity: Decimal
    unit: str = "Each"
    actor: str = "D Orrin"
    reason: str = ""
    reference: str = ""
    license: str = SHOP


@dataclass
class Sale:
    """One sale as both sides know it; the first receipt is the one the POS stored."""

    id: str
    at: datetime
    lines: list[PosLine]
    receipts: list[Receipt] = field(default_factory=list)


OUTAGES: Final = ("503", "500", "504", "timeout", "torn", "html200", "empty200")
# how a call that changes something fails: done and told otherwise, or done only later
LOST_ANSWERS: Final = ("504_after", "late")


@dataclass
class Trouble:
    """How METRC fails: one of ``OUTAGES`` or ``LOST_ANSWERS``, ``left`` times (None: until it is lifted).

    ``prefix``: for paths under it; ``method``: only for this one. ``lands_after``: seconds until a ``late`` call takes
    effect, by the stand-in's own clock.
    """

    kind: str
    prefix: str = "/"
    left: int | None = None
    method: str | None = None
    lands_after: float = 45.0


@dataclass
class RateLimit:
    """METRC answers 429, ``left`` times (None: until it is lifted); ``retry_after`` seconds, None: not said."""

    retry_after: int | None = 2
    left: int | None = None


@dataclass(kw_only=True)
class World:
    """The store. ``now`` is the moment it was built for; what happens "by default" is placed before it.

    Switches of the METRC host: ``window_hours`` widest window (None: any), ``unknown_label_status`` 401, 404 or
    ``alternate``, ``repeat_void_status`` answer to voiding a void, ``bare_lists`` arrays without an envelope when no
    page size is given, ``permissions_endpoint`` whether the state has it, ``plant_patients`` fills patient fields with
    recognisable values, ``hang_seconds`` how long a request hangs in a ``timeout``.
    """

    now: datetime
    licenses: dict[str, License] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)
    items: dict[int, Item] = field(default_factory=dict)
    packages: list[Package] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    transferred: list[TransferredRow] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    brands: list[tuple[int, str, str]] = field(default_factory=list)
    spare_tags: list[str] = field(default_factory=list)
    pos_rows: list[PosRow] = field(default_factory=list)
    pos_sales: list[PosLine] = field(default_factory=list)
    pos_events: list[PosEvent] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    scans: dict[str, str] = field(default_factory=dict)  # the code on a single unit, and its package's label

    window_hours: int | None = None
    unknown_label_status: int | str = "alternate"
    repeat_void_status: int = 200
    bare_lists: bool = False
    permissions_endpoint: bool = True
    plant_patients: bool = False
    slow_seconds: float = 0.0
    hang_seconds: float = 30.0
    trouble: Trouble | None = None
    rate_limit: RateLimit | None = None

    # --- building -----------------------------------------------------------------------------------------------------

    @classmethod
    def bare(cls, now: datetime) -> World:
        """The shop with its licenses, key, people and items, and nothing on the shelf."""
        shift = Shift(now)
        world = cls(now=now, categories=_categories(), employees=_employees(shift))
        world.licenses = {each.number: each for each in _licenses(shift)}
        world.items = {each.id: each for each in _items(world.categories, shift)}
        world.brands = [(31, "Fern Hollow", "Paid"), (32, "Bay Sweets", "NotPaid")]
        world.spare_tags = [f"{TAG}1801", f"{TAG}1802"]
        world.keys = [Key("demo-vendor-key", "demo-user-key", set(world.licenses), _every_right())]
        world.ids.update(receipt=860000, package=5520000, transfer=415000, delivery=551000, event=29000, sale=10000)
        world.ids.update(transferred=76000, sales_delivery=6000)
        return world

    @classmethod
    def healthy(cls, now: datetime, *, seed: int = 1) -> World:
        """A shop in good order: 18 packages of three loads, three weeks of sales, each in METRC seconds later."""
        world = cls.bare(now)
        world.stock(seed=seed)
        return world

    def stock(self, *, seed: int = 1, first: int = 3001) -> list[str]:
        """Receive three loads of six packages each, sell from them for three weeks; the labels come back."""
        labels = [f"{TAG}{number}" for number in range(first, first + 18)]
        for load, days in enumerate((21, 14, 7)):
            self.receive_load(labels[load * 6 : load * 6 + 6], days=days)
        self.trade(labels, days=21, seed=seed)
        return labels

    def receive_load(self, labels: Sequence[str], *, days: int, item: Item | None = None) -> Transfer:
        """A load that arrived ``days`` ago and was taken in by both sides within minutes."""
        arrived = self.shop_time(days, hour=9)
        kinds = [self.items[number] for number in (90211, 90213, 90214)]
        goods = [(label, item or kinds[place % 3]) for place, label in enumerate(labels)]
        transfer = self._manifest(goods, arrived - timedelta(days=1))
        self._accept(transfer, arrived)
        for shipped in transfer.packages:
            self.pos_receive(shipped, transfer.manifest, arrived + timedelta(minutes=5))
        return transfer

    def just_accepted(self, labels: Sequence[str], *, age: timedelta = timedelta(minutes=4)) -> Transfer:
        """A load that METRC has as accepted for ``age``; the POS has not imported it yet."""
        at = self.now - age
        goods = [(label, self.items[90211]) for label in labels]
        transfer = self._manifest(goods, at - timedelta(days=1))
        self._accept(transfer, at)
        return transfer

    def trade(self, labels: Sequence[str], *, days: int, seed: int) -> list[Sale]:
        """Sales of one unit at a time, about ten a day, from packages that still hold plenty."""
        chance = random.Random(seed)  # noqa: S311 a repeatable shop, not a secret
        moments = sorted(self._moment(day, chance) for day in range(days) for _ in range(chance.randint(8, 12)))
        past = [moment for moment in moments if moment < self.now - timedelta(hours=1)]
        return [sale for moment in past if (sale := self._one_sale(labels, moment, chance))]

    def shop_time(self, days: int, *, hour: int = 14) -> datetime:
        """``hour`` o'clock of the shop, ``days`` local days before now; never later than now."""
        zone = self.licenses[SHOP].zone
        day = self.now.astimezone(zone).date() - timedelta(days=days)
        return min(datetime.combine(day, time(hour), zone).astimezone(UTC), self.now)

    def _moment(self, days: int, chance: random.Random) -> datetime:
        return self.shop_time(days, hour=9) + timedelta(seconds=chance.randrange(12 * 3600))

    def _one_sale(self, labels: Sequence[str], at: datetime, chance: random.Random) -> Sale | None:
        there = [p for p in self.packages if p.label in labels and p.quantity > 15 and (p.received_at or at) < at]
        if not there:
            return None
        sale = self.sell(chance.choice(there).label, at=at, lag=timedelta(seconds=chance.randint(1, 5)))
        sale.receipts[0].is_final = at < self.now - timedelta(days=4)
        return sale

    def _manifest(self, goods: Iterable[tuple[str, Item]], created_at: datetime, **more: str) -> Transfer:
        transfer = Transfer(
            id=self._next("transfer"),
            delivery_id=self._next("delivery"),
            shipper=FERN_HOLLOW,
            recipient=self.licenses[SHOP].party,
            created_at=created_at,
            modified=created_at,
            departs_at=created_at + timedelta(hours=16),
            arrives_at=created_at + timedelta(hours=22),
            packages=[self._shipped(label, item, created_at) for label, item in goods],
            invoice=more.get("invoice"),
        )
        self.transfers.append(transfer)
        return transfer

    def _shipped(self, label: str, item: Item, created_at: datetime) -> Shipped:
        quantity = Decimal("453.59") if item.unit == "Grams" else Decimal(40)
        packed = self._day(created_at) - timedelta(days=10)
        number = self._next("package")
        return Shipped(
            package_id=number, label=label, item=item, quantity=quantity, packaged_on=packed, price=quantity * 12
        )

    def _accept(self, transfer: Transfer, at: datetime) -> None:
        transfer.departed_at = at - timedelta(hours=3)
        transfer.received_at = transfer.modified = at
        for shipped in transfer.packages:
            shipped.state, shipped.received = "Accepted", shipped.quantity
            self.packages.append(self._arrived(shipped, transfer, at))

    def _arrived(self, shipped: Shipped, transfer: Transfer, at: datetime | None) -> Package:
        return Package(
            id=shipped.package_id,
            label=shipped.label,
            license=SHOP,
            item=shipped.item,
            quantity=shipped.quantity,
            original=shipped.quantity,
            modified=at or transfer.modified,
            packaged_on=shipped.packaged_on,
            tested_on=shipped.packaged_on + timedelta(days=6),
            received_at=at,
            manifest=transfer.manifest if at else None,
        )

    def pos_receive(self, shipped: Shipped, manifest: str, at: datetime, *, actor: str = "D Orrin") -> PosRow:
        """The POS takes a package in: one inventory row and one entry of the log."""
        item = shipped.item
        row = PosRow(
            label=shipped.label,
            product_id=item.product_id,
            product_name=item.product_name,
            category=item.product_category,
            quantity=shipped.quantity,
            unit=item.unit,
            unit_weight_g=item.product_weight,
            room="Sales Floor",
            received_at=at,
            manifest=manifest,
            metrc_item=item.name,
            metrc_category=item.category.name,
        )
        self.pos_rows.append(row)
        self._log("receive", row, Decimal(0), at, actor=actor, reference=manifest)
        return row

    def _log(self, kind: str, row: PosRow, before: Decimal, at: datetime, **words: str) -> PosEvent:
        event = PosEvent(
            event_id=str(self._next("event")),
            at=at,
            kind=kind,
            label=row.label,
            from_quantity=before,
            to_quantity=row.quantity,
            unit=row.unit,
            actor=words.get("actor", "D Orrin"),
            reason=words.get("reason", ""),
            reference=words.get("reference", ""),
        )
        self.pos_events.append(event)
        return event

    def _next(self, kind: str) -> int:
        self.ids[kind] += 1
        return self.ids[kind]

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.licenses[SHOP].zone).date()

    # --- looking ------------------------------------------------------------------------------------------------------

    def package(self, label: str) -> Package:
        """The package at the shop; ``LookupError`` when METRC has none there."""
        found = [each for each in self.packages if each.label == label and each.license == SHOP]
        if not found:
            raise LookupError(f"METRC has no package {label} at {SHOP}")
        return found[0]

    def pos_row(self, label: str) -> PosRow:
        """The first inventory row of a label; ``LookupError`` when the POS has none."""
        found = [each for each in self.pos_rows if each.label == label]
        if not found:
            raise LookupError(f"the POS has no row for {label}")
        return found[0]

    def labels(self) -> list[str]:
        """Every label that either side knows at the shop, sorted."""
        here = {each.label for each in self.packages if each.license == SHOP}
        return sorted(here | {row.label for row in self.pos_rows})

    def receives(self, label: str) -> list[PosEvent]:
        """The POS log's receives of a label, in the order in which they were written."""
        return [event for event in self.pos_events if event.label == label and event.kind == "receive"]

    def metrc_quantity(self, label: str) -> Decimal:
        """What METRC has at the shop: active, on hold or inactive; on the road, elsewhere and unknown are nothing."""
        here = (p for p in self.packages if p.label == label and p.license == SHOP and p.listing != "intransit")
        return sum((p.quantity for p in here), Decimal(0))

    def pos_quantity(self, label: str) -> Decimal:
        """The sum over the POS's rows of a label."""
        return sum((row.quantity for row in self.pos_rows if row.label == label), Decimal(0))

    def difference(self, label: str) -> Decimal:
        """POS − METRC."""
        return self.pos_quantity(label) - self.metrc_quantity(label)

    # --- what happens in a shop ---------------------------------------------------------------------------------------

    def sell(
        self,
        label: str,
        quantity: int | Decimal = 1,
        at: datetime | None = None,
        *,
        posted: bool = True,
        lag: timedelta = timedelta(seconds=3),
    ) -> Sale:
        """A sale of one package (default: two days ago), posted to METRC ``lag`` later unless told otherwise."""
        return self.sell_together([(label, quantity)], at, posted=posted, lag=lag)

    def sell_together(
        self,
        goods: Sequence[tuple[str, int | Decimal]],
        at: datetime | None = None,
        *,
        posted: bool = True,
        lag: timedelta = timedelta(seconds=3),
    ) -> Sale:
        """One sale of several packages, a line each; when as in ``sell``."""
        at = at or self.shop_time(2)
        number = self._sale_id(at)
        sale = Sale(number, at, [self._till(number, at, place, *one) for place, one in enumerate(goods, start=1)])
        if posted:
            self.post(sale, at + lag)
        return sale

    def _till(self, number: str, at: datetime, place: int, label: str, quantity: int | Decimal) -> PosLine:
        row, amount = self.pos_row(label), Decimal(quantity)
        line = PosLine(sale_id=number, line_id=place, sold_at=at, label=label, quantity=amount, unit=row.unit)
        row.quantity -= amount
        self.pos_sales.append(line)
        return line

    def post(self, sale: Sale, at: datetime) -> Receipt:
        """METRC records the sale at ``at`` and the POS stores the receipt's id."""
        receipt = self._record(sale, at, external=sale.id)
        for line in sale.lines:
            line.status, line.receipt_id, line.reported_at = REPORTED, str(receipt.id), at
        return receipt

    def _record(self, sale: Sale, at: datetime, *, external: str | None, by: str = "Lee Marsh") -> Receipt:
        receipt = Receipt(
            id=self._next("receipt"),
            license=SHOP,
            external=external,
            sold_at=sale.at,
            recorded_at=at,
            modified=at,
            lines=self._metrc_lines(sale),
            by=by,
        )
        for line in receipt.lines:
            line.package.take(line.quantity, at)
        self.receipts.append(receipt)
        sale.receipts.append(receipt)
        return receipt

    def _metrc_lines(self, sale: Sale) -> list[Line]:
        lines = []
        for line in sale.lines:
            package = self.package(line.label)
            lines.append(Line(package, line.quantity, package.item.price * line.quantity))
        return lines

    def _sale_id(self, at: datetime) -> str:
        return f"POS-{self._day(at):%Y%m%d}-{self._next('sale'):05d}"

    def deliver(self, label: str, quantity: int | Decimal = 1, at: datetime | None = None) -> Sale:
        """A sale handed over at the door: METRC keeps it among the deliveries and has no receipt for it."""
        sale = self.sell(label, quantity, at, posted=False)
        lines, recorded = self._metrc_lines(sale), sale.at + timedelta(seconds=3)
        delivery = Delivery(
            id=self._next("sales_delivery"),
            license=SHOP,
            consumer="C-1001",
            sold_at=sale.at,
            recorded_at=recorded,
            modified=sale.at + timedelta(minutes=40),
            departs_at=sale.at + timedelta(minutes=10),
            arrives_at=sale.at + timedelta(minutes=40),
            total_packages=len(lines),
            total_price=sum((line.price for line in lines), Decimal(0)),
            lines=lines,
            state="Completed",
            completed_at=sale.at + timedelta(minutes=40),
        )
        self.deliveries.append(delivery)
        for line in lines:
            line.package.take(line.quantity, recorded)
        for mine in sale.lines:
            mine.status, mine.receipt_id, mine.reported_at = REPORTED, str(delivery.id), recorded
        return sale

    def adjust(self, label: str, quantity: int | Decimal, *, days: int = 3, reason: str = "Entry Error") -> Adjustment:
        """A quantity adjustment that both sides have."""
        row, at = self.pos_row(label), self.shop_time(days, hour=11)
        before = row.quantity
        row.quantity += Decimal(quantity)
        self._log("adjust", row, before, at, reason=reason)
        return self.metrc_adjust(label, quantity, at, reason=reason)

    def metrc_adjust(self, label: str, quantity: int | Decimal, at: datetime, *, reason: str) -> Adjustment:
        """A quantity adjustment in METRC alone."""
        package = self.package(label)
        adjustment = Adjustment(
            license=SHOP,
            package=package,
            quantity=Decimal(quantity),
            reason=reason,
            note="Counted by hand",
            at=at,
            by="Dana Orrin",
            packaged_on=package.packaged_on,
        )
        package.take(-adjustment.quantity, at)
        self.adjustments.append(adjustment)
        return adjustment

    def void_receipt(self, receipt: Receipt, at: datetime) -> None:
        """METRC voids a receipt: it is archived and what it took is back on the packages."""
        receipt.archived_on, receipt.modified = self._day(at), at
        for line in receipt.lines:
            line.package.take(-line.quantity, at)

    def finalize(self, receipt: Receipt, at: datetime, *, final: bool) -> None:
        """METRC finalizes a receipt, or takes that back."""
        receipt.is_final, receipt.modified = final, at

    def void_transfer(self, transfer: Transfer, at: datetime) -> None:
        """METRC voids a manifest; a package that is on no other open one is no longer on the road."""
        transfer.is_voided, transfer.modified = True, at
        others = [t for t in self.transfers if not t.is_voided and t.received_at is None]
        riding = {shipped.label for other in others for shipped in other.packages}
        gone = {shipped.label for shipped in transfer.packages} - riding
        self.packages = [p for p in self.packages if p.listing != "intransit" or p.label not in gone]

    # --- faults: sales ------------------------------------------------------------------------------------------------

    def post_twice(self, sale: Sale, *, after: timedelta = timedelta(seconds=4)) -> Receipt:
        """The POS tried again: the same sale is in METRC twice under one number."""
        return self._record(sale, sale.receipts[0].recorded_at + after, external=sale.id)

    def csv_over_api(self, sale: Sale, *, after: timedelta = timedelta(hours=14)) -> Receipt:
        """Somebody imported a file over what had been posted: the copy has no number and another author."""
        return self._record(sale, sale.receipts[0].recorded_at + after, external=None, by="Dana Orrin")

    def sale_pending(self, label: str, quantity: int | Decimal = 1, *, age: timedelta = timedelta(minutes=4)) -> Sale:
        """A sale of a moment ago that waits to be posted."""
        return self._unposted(label, quantity, age, PENDING)

    def sale_failed(
        self,
        label: str,
        message: str,
        quantity: int | Decimal = 1,
        *,
        age: timedelta = timedelta(days=2),
        unit: str | None = None,
    ) -> Sale:
        """A sale that METRC refused with ``message``."""
        sale = self._unposted(label, quantity, age, FAILED)
        for line in sale.lines:
            line.message, line.unit = message, unit or line.unit
        return sale

    def sale_never_posted(self, label: str, quantity: int | Decimal = 1, *, age: timedelta = timedelta(days=2)) -> Sale:
        """A sale of which METRC never heard and about which the POS says nothing."""
        return self._unposted(label, quantity, age, "")

    def _unposted(self, label: str, quantity: int | Decimal, age: timedelta, status: str) -> Sale:
        sale = self.sell(label, quantity, self.now - age, posted=False)
        for line in sale.lines:
            line.status = status
        return sale

    def wrong_unit(self, label: str, quantity: int | Decimal = 1) -> Sale:
        """The POS sold in a unit that the package does not have, and METRC refused the sale."""
        other = "Grams" if self.package(label).item.unit == "Each" else "Each"
        return self.sale_failed(label, WRONG_UNIT, quantity, unit=other)

    def void_in_pos(self, sale: Sale, *, after: timedelta = timedelta(minutes=3)) -> None:
        """The cashier voided the sale; METRC was never told."""
        for line in sale.lines:
            line.is_void, line.status = True, VOIDED
            line.reported_at = sale.at + after
            self.pos_row(line.label).quantity += line.quantity

    # --- faults: receiving --------------------------------------------------------------------------------------------

    def receive_twice(self, label: str, *, after: timedelta = timedelta(minutes=12)) -> PosRow:
        """Two people took the same package into the POS; both rows count."""
        first = next(event for event in self.pos_events if event.label == label and event.kind == "receive")
        row = replace(self.pos_row(label), quantity=first.to_quantity, received_at=first.at + after)
        self.pos_rows.append(row)
        self._log("receive", row, Decimal(0), first.at + after, actor="L Marsh", reference=first.reference)
        return row

    def ship(
        self, label: str, *, item: Item | None = None, pos_received: bool = True, external: bool = False
    ) -> Transfer:
        """A load on the road since this morning; by default the POS was told too early that it is here.

        ``external``: from outside the system, which the facility then may receive from.
        """
        made = self.now - timedelta(hours=20)
        transfer = self._manifest(
            [(label, item or self.items[90211])], made, invoice=f"INV-{self._next('invoice'):04d}"
        )
        transfer.is_external = external
        if external:
            self.licenses[SHOP].flags |= {"CanTransferFromExternalFacilities"}
        transfer.departed_at = transfer.modified = self.now - timedelta(hours=5)
        package = self._arrived(transfer.packages[0], transfer, None)
        package.listing, package.room_id, package.room = "intransit", None, None
        self.packages.append(package)
        if pos_received:
            self.pos_receive(transfer.packages[0], transfer.manifest, self.now - timedelta(hours=4)).room = "Vault"
        return transfer

    def twin_manifest(self, transfer: Transfer, *, after: timedelta = timedelta(seconds=42)) -> Transfer:
        """The sender entered the same load a second time."""
        twin = replace(
            transfer,
            id=self._next("transfer"),
            delivery_id=self._next("delivery"),
            created_at=transfer.created_at + after,
            modified=transfer.created_at + after,
            departed_at=None,
            received_at=None,
            packages=[replace(shipped, state="Shipped", received=None) for shipped in transfer.packages],
        )
        self.transfers.append(twin)
        return twin

    def reject_on_manifest(self, label: str) -> None:
        """The package was refused at the door in METRC, yet the POS took it in. For packages without sales."""
        for shipped in self._on_manifests(label):
            shipped.state, shipped.received = "Rejected", None
        self.packages = [p for p in self.packages if p.label != label or p.license != SHOP]

    def _on_manifests(self, label: str) -> list[Shipped]:
        return [each for transfer in self.transfers for each in transfer.packages if each.label == label]

    def mistype_tag(self, label: str, *, place: int = 15) -> str:
        """The tag was typed into the POS by hand, a letter O for the zero at ``place``; returns what was typed."""
        if label[place] != "0":
            raise ValueError(f"{label} has no zero at place {place}")
        typed = f"{label[:place]}O{label[place + 1 :]}"
        for row in self.pos_rows:
            row.label = typed if row.label == label else row.label
        for event in self.pos_events:
            event.label = typed if event.label == label else event.label
        return typed

    def never_built(self, label: str) -> None:
        """The POS never heard of the package. For packages without sales."""
        self.pos_rows = [row for row in self.pos_rows if row.label != label]
        self.pos_events = [event for event in self.pos_events if event.label != label]

    # --- faults: custody, definition, count ---------------------------------------------------------------------------

    def hold(self, label: str, *, days: int = 1) -> None:
        """METRC put the package on hold; the POS still sells it."""
        package = self.package(label)
        package.listing, package.on_hold = "onhold", True
        package.touch(self.shop_time(days, hour=8))

    def finish(self, label: str, *, pos_leftover: int = 2, days: int = 1) -> None:
        """All but ``pos_leftover`` were sold; METRC was adjusted to zero and finished, the POS was not."""
        package, at = self.package(label), self.shop_time(days, hour=17)
        self.sell(label, package.quantity - pos_leftover, at - timedelta(hours=3))
        if pos_leftover:
            self.metrc_adjust(label, -pos_leftover, at, reason="Entry Error")
        package.listing, package.finished_on = "inactive", self._day(at)
        package.touch(at + timedelta(minutes=1))

    def discontinue(self, label: str, *, days: int = 1) -> None:
        """METRC discontinued the package, the POS did not. For packages without sales: METRC allows no others."""
        package, at = self.package(label), self.shop_time(days, hour=10)
        package.listing, package.archived_on = "inactive", self._day(at)
        package.note, package.quantity = "Discontinued by licensee", Decimal(0)
        package.touch(at)

    def await_lab(self, label: str) -> None:
        """The package waits for the laboratory."""
        self.package(label).lab_state = "SubmittedForTesting"
        self.package(label).tested_on = None

    def transfer_out(self, label: str, to: str = SISTER, *, days: int = 1) -> Transfer:
        """The package went to a sister shop and was received there; the POS still lists it."""
        package, at = self.package(label), self.shop_time(days, hour=12)
        shipped = self._outgoing(package)
        transfer = self._manifest([], at - timedelta(hours=20))
        transfer.shipper, transfer.recipient = self.licenses[SHOP].party, self.licenses[to].party
        transfer.packages = [shipped]
        transfer.departed_at, transfer.received_at, transfer.modified = at - timedelta(hours=2), at, at
        self.transferred.append(self._left(transfer, shipped, at))
        package.license, package.manifest, package.received_at = to, transfer.manifest, at
        package.shipper = transfer.shipper
        package.touch(at)
        return transfer

    def _outgoing(self, package: Package) -> Shipped:
        return Shipped(
            package_id=package.id,
            label=package.label,
            item=package.item,
            quantity=package.quantity,
            packaged_on=package.packaged_on,
            state="Accepted",
            received=package.quantity,
        )

    def _left(self, transfer: Transfer, shipped: Shipped, at: datetime) -> TransferredRow:
        return TransferredRow(
            id=self._next("transferred"),
            license=SHOP,
            shipped=shipped,
            recipient=transfer.recipient,
            manifest=transfer.manifest,
            departed_at=at - timedelta(hours=2),
            received_at=at,
        )

    def split_in_metrc(self, label: str, new_label: str, quantity: int = 10, *, days: int = 1) -> Package:
        """A part was repackaged under a new tag in METRC alone."""
        parent, at = self.package(label), self.shop_time(days, hour=16)
        child = replace(
            parent,
            id=self._next("package"),
            label=new_label,
            quantity=Decimal(quantity),
            original=Decimal(quantity),
            packaged_on=self._day(at),
            received_at=None,
            manifest=None,
            sources=label,
            modified=at,
        )
        parent.take(Decimal(quantity), at)
        self.packages.append(child)
        return child

    def unit_weight(self, label: str, pos: int | Decimal = 5) -> None:
        """The POS gives another unit weight (grams) than METRC's item."""
        for row in self.pos_rows:
            if row.label == label:
                row.unit_weight_g = Decimal(pos)

    def rooms(self, label: str, parts: Sequence[int]) -> None:
        """The POS keeps the package in several rooms; what ``parts`` leave over lies in one more. Nothing is wrong."""
        row = self.pos_row(label)
        shares = [Decimal(part) for part in parts]
        rest = row.quantity - sum(shares, Decimal(0))
        shares += [rest] if rest else []
        names = ("Sales Floor", "Vault", "Back Bar", "Display")
        self.pos_rows.remove(row)
        self.pos_rows += [replace(row, quantity=q, room=name) for q, name in zip(shares, names, strict=False)]

    def adjust_twice(self, label: str, quantity: int = -1) -> Adjustment:
        """One correction reached METRC twice."""
        first = self.adjust(label, quantity, reason="Damage (Record Details)")
        return self.metrc_adjust(label, quantity, first.at, reason=first.reason)

    def drift(self, label: str, quantity: int | Decimal = 1) -> None:
        """The POS differs by ``quantity`` and no record says why."""
        self.pos_row(label).quantity += Decimal(quantity)

    # --- faults: the way to METRC -------------------------------------------------------------------------------------

    def kill_key(self) -> None:
        """Somebody made a new user key: the old one is dead everywhere."""
        self.keys[0].alive = False

    def drop_right(self, right: str) -> None:
        """The key loses a right, or all rights of a family of calls (``sales``, ``items`` …)."""
        lost = set(FAMILY_RIGHTS.get(right, (right,)))
        self.keys[0].rights -= lost
        for employee in self.employees:
            employee.permissions = [name for name in employee.permissions if name not in lost]

    def unlist_license(self, number: str = SHOP) -> None:
        """The key no longer reaches the license."""
        self.keys[0].licenses.discard(number)

    def outage(self, kind: str, *, prefix: str = "/", times: int | None = None) -> None:
        """METRC fails in one of the ways of ``OUTAGES``."""
        if kind not in OUTAGES:
            raise ValueError(f"{kind} is none of {', '.join(OUTAGES)}")
        self.trouble = Trouble(kind, prefix, times)

    def lose_answer(self, kind: str, *, method: str = "DELETE", times: int | None = 1, lands_after: float = 45) -> None:
        """Calls of this method have their effect, or will have it, and do not say so: one of ``LOST_ANSWERS``."""
        if kind not in LOST_ANSWERS:
            raise ValueError(f"{kind} is none of {', '.join(LOST_ANSWERS)}")
        self.trouble = Trouble(kind, "/", times, method, lands_after)

    def slow(self, seconds: float) -> None:
        """Every answer takes this much longer."""
        self.slow_seconds = seconds

    def rate_limit_everything(self, *, retry_after: int | None = 2, times: int | None = None) -> None:
        """METRC answers 429."""
        self.rate_limit = RateLimit(retry_after, times)

    def recover(self) -> None:
        """METRC is well again: no outage, no slowness, no rate limit."""
        self.trouble, self.rate_limit, self.slow_seconds = None, None, 0.0


# --- the shop's own facts ---------------------------------------------------------------------------------------------


def _every_right() -> set[str]:
    return {right for rights in FAMILY_RIGHTS.values() for right in rights}


def _licenses(shift: Shift) -> list[License]:
    shop = License(
        number=SHOP,
        name="Harbor Street Dispensary LLC",
        alias="Harbor Street",
        facility_id=8801,
        license_type="Retail Marijuana Store",
        starts=shift.day("2022-04-18"),
        ends=shift.day("2027-04-17"),
        hired_on=shift.day("2024-05-01"),
        credentialed_on=shift.day("2022-04-18"),
        support_from=shift.day("2022-04-20"),
        support_until=shift.day("2027-04-20"),
        is_manager=True,
        flags=RETAIL_FLAGS,
    )
    sister = License(
        number=SISTER,
        name="Harbor Street Cultivation LLC",
        facility_id=8802,
        license_type="Retail Marijuana Cultivation",
        starts=shift.day("2022-06-02"),
        ends=shift.day("2026-06-01"),
        hired_on=shift.day("2024-05-01"),
        credentialed_on=shift.day("2022-06-02"),
        flags=frozenset(("IsRetail", "CanGrowPlants")),
    )
    return [shop, sister]


def _employees(shift: Shift) -> list[Employee]:
    reading = ["view packages", "view sales", "view transfers"]
    managing = ["view packages", "manage packages inventory", "view sales", "manage sales", "view transfers"]
    starts, ends = shift.day("2024-05-01"), shift.day("2026-12-31")
    return [
        Employee(
            "Dana Orrin",
            "M41822",
            ends,
            starts,
            is_admin=True,
            is_manager=True,
            permissions=[*managing, "manage items"],
        ),
        Employee("Lee Marsh", "M50917", ends, starts, permissions=reading),
    ]


def _categories() -> list[Category]:
    return [
        Category("Bud/Flower", "Buds", "WeightBased", frozenset(("RequiresStrain",))),
        Category("Bud/Flower (Each)", "Buds", "CountBased", frozenset(("RequiresStrain", "RequiresUnitWeight"))),
        Category("Raw Pre-Roll (Each)", "Buds", "CountBased", frozenset(("RequiresStrain", "RequiresUnitWeight"))),
        Category(
            "Infused (edible)",
            "InfusedEdible",
            "CountBased",
            frozenset(("RequiresUnitThcContent", "RequiresUnitWeight")),
        ),
        Category("Shake/Trim", "ShakeTrim", "WeightBased"),
    ]


def _items(categories: Sequence[Category], shift: Shift) -> list[Item]:
    by_name = {each.name: each for each in categories}
    approved = shift.at("2025-11-04T16:20:00+00:00")
    lantern = Item(
        id=90211,
        name="Fern Hollow - Night Lantern - Flower 3.5g",
        category=by_name["Bud/Flower (Each)"],
        unit_weight=Decimal("3.5"),
        strain_id=551,
        strain="Night Lantern",
        approved_at=approved,
        product_id="5001",
        product_name="Night Lantern 3.5g",
        product_category="Flower",
        product_weight=Decimal("3.5"),
    )
    five_pack = Item(
        id=90212,
        name="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
        category=by_name["Raw Pre-Roll (Each)"],
        unit_weight=Decimal("1.0"),
        strain_id=552,
        strain="Sunbreak",
        approved_at=approved,
        product_id="5002",
        product_name="Sunbreak Pre-Roll 5pk",
        product_category="Pre-Rolls",
        product_weight=Decimal("5.0"),
        price=Decimal("42.00"),
    )
    stick = replace(
        five_pack,
        id=90213,
        name="Fern Hollow - Sunbreak - Pre-Roll 1g",
        product_id="5004",
        product_name="Sunbreak Pre-Roll 1g",
        product_weight=Decimal("1.0"),
        price=Decimal("9.00"),
    )
    gummies = Item(
        id=90214,
        name="Bay Sweets - Plum Gummies 10pk",
        category=by_name["Infused (edible)"],
        unit_weight=Decimal("45.0"),
        thc_mg=Decimal("100.0"),
        approved_at=approved,
        product_id="5003",
        product_name="Plum Gummies 10pk",
        product_category="Edibles",
        product_weight=Decimal("45.0"),
    )
    bulk = replace(
        lantern,
        id=90215,
        name="Fern Hollow - Night Lantern - Bulk",
        category=by_name["Bud/Flower"],
        unit="Grams",
        unit_weight=None,
        product_id="5006",
        product_name="Night Lantern Bulk",
        product_category="Bulk Flower",
        product_weight=Decimal("1.0"),
    )
    retired = replace(
        five_pack,
        id=90199,
        name="Fern Hollow - Sunbreak - Pre-Roll 5pk (old)",
        category=by_name["Shake/Trim"],
        unit="Grams",
        unit_weight=None,
        is_active=False,
    )
    return [lantern, five_pack, stick, gummies, bulk, retired]
