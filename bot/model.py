"""Value types. All frozen; times are aware UTC, quantities are ``Decimal``, absence is ``None``.

Two rules hold everywhere:

* a ``Reading`` says what was asked, of whom and as of when, and holds either a value or the problem that kept it from
  being read. ``value is None and problem is None`` means: asked, answered, and there is none.
* no type here has a field for a patient, a caregiver or a customer, so nothing downstream can store one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from bot.errors import Problem

T = TypeVar("T")

LABEL_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One fact of the outside world, or the reason why it is missing.

    A value together with a problem is a part of the answer: what it shows is true, what it lacks proves nothing.

    ``source``: ``metrc``, ``pos`` or ``mirror``. ``asked``: the question in the source's own words, never with a key.
    ``as_of``: when the answer was true at its source; None when nothing was read.
    """

    source: str
    asked: str
    as_of: datetime | None = None
    value: T | None = None
    problem: Problem | None = None

    @property
    def was_read(self) -> bool:
        """Whether the source answered, be it with a value or with "there is none"."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends included, as METRC's ``lastModifiedStart`` and ``lastModifiedEnd`` take it."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive times and a window that ends before it starts."""
        for at in (self.start, self.end):
            if at.tzinfo is None:
                raise ValueError(f"{at.isoformat()} has no time zone")
        if self.end < self.start:
            raise ValueError(
                f"a window cannot end ({self.end.isoformat()}) before it starts ({self.start.isoformat()})"
            )

    @property
    def width(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def slices(self, width: timedelta) -> tuple[Window, ...]:
        """Cut into touching windows of at most ``width``, oldest first."""
        cuts = []
        start = self.start
        while self.end - start > width:
            cuts.append(Window(start, start + width))
            start += width
        return (*cuts, Window(start, self.end))


# --- METRC ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facility:
    """A license as ``GET /facilities/v2/`` lists it for the key that asked."""

    license: str
    name: str
    license_type: str | None = None
    license_ends_on: date | None = None
    support_expires_on: date | None = None
    employee_license: str | None = None
    sells: bool | None = None


@dataclass(frozen=True, slots=True)
class MetrcItem:
    """A METRC item, from the item list or as embedded in a package (there the unit is often missing)."""

    id: int | None
    name: str | None
    category: str | None = None
    unit: str | None = None
    quantity_type: str | None = None
    unit_weight: Decimal | None = None
    unit_weight_unit: str | None = None
    strain: str | None = None
    is_active: bool | None = None
    last_modified: datetime | None = None


class PackageList(StrEnum):
    """METRC's lists of packages; the value is the last part of the path."""

    ACTIVE = "active"
    ON_HOLD = "onhold"
    INACTIVE = "inactive"
    IN_TRANSIT = "intransit"


@dataclass(frozen=True, slots=True)
class MetrcPackage:
    """A package as METRC has it. ``listing`` is the list it was read from; None when it was read by label or id."""

    id: int
    label: str
    quantity: Decimal | None
    unit: str | None
    item: MetrcItem
    original_quantity: Decimal | None = None
    package_type: str | None = None
    lab_state: str | None = None
    lab_state_on: date | None = None
    location: str | None = None
    is_on_hold: bool = False
    is_on_investigation: bool = False
    is_on_recall: bool = False
    is_finished: bool = False
    finished_on: date | None = None
    archived_on: date | None = None
    packaged_on: date | None = None
    received_at: datetime | None = None
    received_from_manifest: str | None = None
    received_from_license: str | None = None
    source_labels: tuple[str, ...] = ()
    is_production_batch: bool = False
    is_testing_sample: bool = False
    note: str | None = None
    last_modified: datetime | None = None
    listing: PackageList | None = None

    @property
    def is_closed(self) -> bool:
        """Whether METRC counts it as inactive: finished or discontinued."""
        return self.is_finished or self.finished_on is not None or self.archived_on is not None

    @property
    def is_held(self) -> bool:
        """Whether any hold, investigation or recall is on it."""
        return self.is_on_hold or self.is_on_investigation or self.is_on_recall


@dataclass(frozen=True, slots=True)
class PackageHead:
    """A package in the mirror by what tells whether it changed. ``id``: METRC's; ``changed_at``: its last change there."""

    label: str
    id: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class MetrcLine:
    """One line of a receipt or delivery: ``quantity`` of ``label`` in ``unit``."""

    label: str
    quantity: Decimal
    unit: str | None = None
    price: Decimal | None = None
    unit_weight: Decimal | None = None
    unit_weight_unit: str | None = None
    item_name: str | None = None
    archived_on: date | None = None


@dataclass(frozen=True, slots=True)
class MetrcReceipt:
    """A sales receipt. ``sold_at``: the till's wall clock read in the facility's zone; ``lines`` None: not read yet."""

    id: int
    number: str | None
    external_number: str | None
    sold_at: datetime | None
    recorded_at: datetime | None
    last_modified: datetime | None = None
    recorded_by: str | None = None
    is_final: bool = False
    archived_on: date | None = None
    total_price: Decimal | None = None
    total_packages: int | None = None
    lines: tuple[MetrcLine, ...] | None = None

    @property
    def is_live(self) -> bool:
        """Whether it still takes its lines off the packages: neither voided nor archived."""
        return self.archived_on is None


@dataclass(frozen=True, slots=True)
class MetrcDelivery:
    """A sale handed over by delivery; it never appears among the receipts."""

    id: int
    number: str | None
    sold_at: datetime | None
    recorded_at: datetime | None
    last_modified: datetime | None = None
    recorded_by: str | None = None
    state: str | None = None
    completed_at: datetime | None = None
    voided_on: date | None = None
    total_price: Decimal | None = None
    total_packages: int | None = None
    lines: tuple[MetrcLine, ...] | None = None


class Direction(StrEnum):
    """Which transfer list a manifest was read from; the value is the last part of the path."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class TransferPackage:
    """A package on a manifest. ``state``: Shipped, Accepted, Rejected or Returned, as METRC spells it."""

    label: str
    package_id: int | None = None
    state: str | None = None
    shipped_quantity: Decimal | None = None
    shipped_unit: str | None = None
    received_quantity: Decimal | None = None
    received_unit: str | None = None
    item_id: int | None = None
    item_name: str | None = None
    item_category: str | None = None
    item_unit_weight: Decimal | None = None
    item_unit_weight_unit: str | None = None
    lab_state: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A manifest with the delivery that concerns this license. ``packages`` None: not read yet."""

    id: int
    manifest: str
    direction: Direction
    delivery_id: int | None = None
    invoice: str | None = None
    shipper_license: str | None = None
    shipper_name: str | None = None
    recipient_license: str | None = None
    recipient_name: str | None = None
    shipment_type: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    departed_at: datetime | None = None
    received_at: datetime | None = None
    last_modified: datetime | None = None
    is_voided: bool = False
    package_count: int | None = None
    received_package_count: int | None = None
    packages: tuple[TransferPackage, ...] | None = None


@dataclass(frozen=True, slots=True)
class TransferredPackage:
    """A row of ``/packages/v2/transferred``: shipped by this license, received elsewhere."""

    label: str
    package_id: int | None
    manifest: str | None
    recipient_license: str | None
    recipient_name: str | None = None
    state: str | None = None
    shipped_quantity: Decimal | None = None
    received_quantity: Decimal | None = None
    unit: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A quantity adjustment that somebody made in METRC. METRC gives it no id. ``on`` is day precision by nature."""

    label: str
    package_id: int | None
    quantity: Decimal
    unit: str | None
    reason: str | None = None
    note: str | None = None
    on: date | None = None
    by: str | None = None


# --- POS --------------------------------------------------------------------------------------------------------------


class Submission(StrEnum):
    """What the POS says about posting a sale to METRC."""

    PENDING = "pending"
    REPORTED = "reported"
    FAILED = "failed"
    VOIDED = "voided"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PosPackage:
    """One inventory row of the POS. One label may rightly have several: rooms, or products made of one package.

    ``where`` names file and line. ``metrc_item``, ``metrc_category`` and ``strain`` are the POS's own idea of the METRC
    item; None means that the cell is empty or the column is not there.
    """

    record_id: str
    label: str
    quantity: Decimal
    unit: str
    product_name: str
    product_id: str | None = None
    category: str | None = None
    metrc_item: str | None = None
    metrc_category: str | None = None
    strain: str | None = None
    unit_weight_g: Decimal | None = None
    room: str | None = None
    status: str | None = None
    received_at: datetime | None = None
    manifest: str | None = None
    as_of: datetime | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class PosSaleLine:
    """One line of a POS sale. ``quantity`` is positive as sold; a return line puts it back."""

    sale_id: str
    line_id: str
    label: str
    quantity: Decimal
    sold_at: datetime
    unit: str | None = None
    is_void: bool = False
    is_return: bool = False
    original_sale_id: str | None = None
    submission: Submission = Submission.UNKNOWN
    receipt_id: str | None = None
    message: str | None = None
    reported_at: datetime | None = None
    where: str = ""

    @property
    def takes(self) -> Decimal:
        """What this line took off the package in the POS: 0 for a void, negative for a return."""
        if self.is_void:
            return Decimal(0)
        return -abs(self.quantity) if self.is_return else self.quantity


@dataclass(frozen=True, slots=True)
class PosEvent:
    """One entry of the POS's audit log. ``kind``: receive, adjust, move, convert …, lower case as an open set.

    ``has_id`` is False when the file gives no id and ``event_id`` was composed of the time and the manifest number.
    """

    event_id: str
    kind: str
    label: str
    at: datetime
    from_quantity: Decimal | None = None
    to_quantity: Decimal | None = None
    unit: str | None = None
    actor: str | None = None
    reason: str | None = None
    reference: str | None = None
    has_id: bool = True
    where: str = ""

    @property
    def change(self) -> Decimal | None:
        """By how much the quantity changed; None when the log does not say."""
        if self.to_quantity is None:
            return None
        return self.to_quantity - (self.from_quantity or Decimal(0))


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that could not be used: it counts as "not readable", never as "not there".

    ``cell`` is its label as far as it can be read. ``kept``: only an optional cell was given up, the row is in use.
    """

    file: str
    line: int
    reason: str
    cell: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class PosBooks:
    """All that one POS says about one facility, each book with its own reading.

    ``inventory`` is the newest stock list; ``sales`` and ``events`` are everything the POS still keeps, de-duplicated.
    ``sales_since`` and ``events_since``: from when on these books are complete; None: not known.
    ``refused``: rows that could not be used. A book that is not offered has a problem of kind ``not_offered``.
    """

    inventory: Reading[tuple[PosPackage, ...]]
    sales: Reading[tuple[PosSaleLine, ...]]
    events: Reading[tuple[PosEvent, ...]]
    sales_since: datetime | None = None
    events_since: datetime | None = None
    refused: tuple[RefusedRow, ...] = ()


# --- the mirror -------------------------------------------------------------------------------------------------------


class Feed(StrEnum):
    """What the mirror keeps of METRC, one cursor each."""

    PACKAGES_ACTIVE = "packages/active"
    PACKAGES_ON_HOLD = "packages/onhold"
    PACKAGES_INACTIVE = "packages/inactive"
    PACKAGES_IN_TRANSIT = "packages/intransit"
    PACKAGES_TRANSFERRED = "packages/transferred"
    RECEIPTS_ACTIVE = "receipts/active"
    RECEIPTS_INACTIVE = "receipts/inactive"
    DELIVERIES_ACTIVE = "deliveries/active"
    DELIVERIES_INACTIVE = "deliveries/inactive"
    TRANSFERS_INCOMING = "transfers/incoming"
    TRANSFERS_OUTGOING = "transfers/outgoing"
    TRANSFERS_REJECTED = "transfers/rejected"
    ADJUSTMENTS = "packages/adjustments"
    ITEMS = "items/active"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The span of ``LastModified`` that the mirror holds of one feed without a hole, and when its end was read.

    ``earlier``: what is held before a hole, oldest first, each without one.
    """

    feed: Feed
    window: Window
    read_at: datetime
    earlier: tuple[Window, ...] = ()

    def holes(self, wanted: Window) -> tuple[Window, ...]:
        """The spans of ``wanted`` that are not held, oldest first."""
        at, found = wanted.start, list[Window]()
        for span in (*self.earlier, self.window):
            if at < min(span.start, wanted.end):
                found.append(Window(at, min(span.start, wanted.end)))
            at = max(at, span.end)
        return (*found, Window(at, wanted.end)) if at < wanted.end else tuple(found)


@dataclass(frozen=True, slots=True)
class ExportSeen:
    """A POS file that was read before. ``digest`` is of its content; ``rows`` is how many rows it held."""

    kind: str
    name: str
    digest: str
    rows: int
    as_of: datetime


# --- the question and its answer --------------------------------------------------------------------------------------


class SubjectKind(StrEnum):
    """What a question can be about."""

    PACKAGE = "package"
    RECEIPT = "receipt"
    MANIFEST = "manifest"
    PRODUCT = "product"
    FACILITY = "facility"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked about."""

    kind: SubjectKind
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``facility`` is a license; ``shelf`` is what somebody counted; ``asked_by`` a Slack user id."""

    facility: str
    subject: Subject
    shelf: Decimal | None = None
    asked_by: str | None = None
    deadline_seconds: float = 60.0


class CheckName(StrEnum):
    """The seven checks; their order lives in ``bot.checks.ORDER``."""

    AUTHENTICATION = "authentication"
    MAPPING = "mapping"
    TIMING = "timing"
    DUPLICATION = "duplication"
    CUSTODY = "custody"
    DEFINITION = "definition"
    COUNT = "count"


class Result(StrEnum):
    """How a check ended. ``unknown``: a needed reading failed, or this POS cannot tell; never the same as clear."""

    CLEAR = "clear"
    FOUND = "found"
    UNKNOWN = "unknown"
    NOT_REACHED = "not_reached"


class Cause(StrEnum):
    """The classes of causes."""

    AUTHENTICATION = "authentication"
    WRONG_LICENSE = "wrong_license"
    OUTAGE = "outage"
    MAPPING = "mapping"
    TIMING = "timing"
    FAILED_POST = "failed_post"
    DUPLICATION = "duplication"
    IN_TRANSIT = "in_transit"
    ON_HOLD = "on_hold"
    FINISHED = "finished"
    LAB_STATE = "lab_state"
    SPLIT = "split"
    DEFINITION = "definition"
    COUNT_ERROR = "count_error"
    NONE = "none"
    UNKNOWN = "unknown"


class ActionKind(StrEnum):
    """What to do about it."""

    FIX_KEY = "fix_key"
    FIX_PERMISSION = "fix_permission"
    FIX_LICENSE = "fix_license"
    FIX_MAPPING = "fix_mapping"
    WAIT = "wait"
    RESEND = "resend"
    REMOVE_DUPLICATE = "remove_duplicate"
    ACCEPT_TRANSFER = "accept_transfer"
    FIX_POS_RECORD = "fix_pos_record"
    CONTACT_COMPLIANCE = "contact_compliance"
    FIX_DEFINITION = "fix_definition"
    RECOUNT = "recount"
    RECORD_COUNT = "record_count"
    RETRY_LATER = "retry_later"
    NONE = "none"


class Forbidden(StrEnum):
    """What must not be done now."""

    ADJUST_QUANTITY = "adjust_quantity"
    RENEW_KEY = "renew_key"
    REMOVE_RECORD = "remove_record"
    RESEND = "resend"


class Confidence(StrEnum):
    """How sure the answer is. ``certain``: named records, and the arithmetic closes."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Quote:
    """One piece of evidence: who was asked what, as of when, and what the answer says."""

    source: str
    asked: str
    as_of: datetime | None
    says: str


@dataclass(frozen=True, slots=True)
class Action:
    """The next step, in one or two sentences. ``not_before`` is set for ``wait`` and ``retry_later``."""

    kind: ActionKind
    text: str
    not_before: datetime | None = None


class DuplicateKind(StrEnum):
    """What exists twice."""

    SALES_RECEIPT = "sales_receipt"
    SALES_DELIVERY = "sales_delivery"
    EXTERNAL_TRANSFER = "external_transfer"
    TRANSFER = "transfer"
    RECEIVE = "receive"
    PACKAGE = "package"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Records that are one thing entered more than once. ``system``: ``metrc`` or ``pos``.

    ``removable``: METRC's API can void it and nothing about this package may still be on its way.
    """

    system: str
    kind: DuplicateKind
    keep: str
    remove: tuple[str, ...]
    removable: bool
    why: str


@dataclass(frozen=True, slots=True)
class Share:
    """An event that explains a part of the difference POS − METRC, in the package's METRC unit, sign included.

    ``rest``: the quantity is whatever the named events leave over (a finished package explains all the POS still
    holds), so it is settled last and never takes the other sign; ``quantity`` is then the most it can explain.
    ``whole``: only the difference tells whether it did happen, and then all of it did.
    """

    code: str
    quantity: Decimal
    refs: tuple[str, ...]
    rest: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that a check found.

    ``code`` is ``cause.reason``, stable. ``shares`` are the events that explain units of the difference.
    ``brings_about``: codes of other findings that exist because of this one; that makes this one the root. ``events``:
    references of those findings' events that are due to this one; empty: all of them.
    """

    code: str
    cause: Cause
    headline: str
    action: Action
    evidence: tuple[Quote, ...] = ()
    shares: tuple[Share, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    must_not: tuple[Forbidden, ...] = ()
    related: tuple[str, ...] = ()
    brings_about: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    confidence: Confidence = Confidence.CERTAIN


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check says. ``summary`` is one sentence; findings are there only when ``result`` is found.

    ``must_not`` holds warnings that apply although the check found no cause (look-alikes that are not twins).
    ``closes``: nothing behind this check can be trusted, so the later ones are not reached.
    """

    name: CheckName
    result: Result
    summary: str
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Quote, ...] = ()
    must_not: tuple[Forbidden, ...] = ()
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """The account of the difference: ``difference = Σ explained + unexplained``, exactly. None: read, no record."""

    pos: Decimal | None
    metrc: Decimal | None
    unit: str
    explained: tuple[Share, ...]
    shelf: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        """POS − METRC; a side without a record counts as 0."""
        return (self.pos or Decimal(0)) - (self.metrc or Decimal(0))

    @property
    def unexplained(self) -> Decimal:
        """What no named event explains."""
        return self.difference - sum((share.quantity for share in self.explained), Decimal(0))


@dataclass(frozen=True, slots=True)
class AsOf:
    """How fresh the answer is, a side each."""

    metrc: datetime | None
    pos: datetime | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer to one question."""

    id: str
    facility: str
    subject: Subject
    asked_at: datetime
    as_of: AsOf
    cause: Cause
    code: str | None
    confidence: Confidence
    provisional: bool
    headline: str
    action: Action
    must_not: tuple[Forbidden, ...]
    gap: Gap | None
    checks: tuple[Outcome, ...]
    duplicates: tuple[Duplicate, ...] = ()
    related: tuple[str, ...] = ()
    packages: tuple[Diagnosis, ...] = ()
    """For a receipt, manifest or product: one diagnosis for each package it touches."""


# --- evidence ---------------------------------------------------------------------------------------------------------


class Posting(StrEnum):
    """How a POS posts its sales to METRC."""

    REALTIME = "realtime"
    BATCH = "batch"
    NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class Shop:
    """What the configuration says about the facility, as far as a check may need it."""

    license: str
    name: str
    time_zone: str
    posting: Posting
    nightly_at: str | None = None
    import_minutes: int = 10
    max_age_minutes: int = 60
    drying_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One rung of the ladder: which family of records was asked for, and how it went."""

    family: str
    reading: Reading[bool]


@dataclass(frozen=True, slots=True)
class Access:
    """The readings that tell a dead key from a missing right, a wrong license, an outage and a foreign label.

    ``facilities``: what this key sees. ``probes``: one cheap read a family (packages, sales, transfers).
    ``other_keys``: the same first rung with unrelated keys of other facilities on the same host, by name.
    ``rights``: this employee's permissions, lower case; many states do not offer the call.
    """

    facilities: Reading[tuple[Facility, ...]]
    probes: tuple[Probe, ...] = ()
    other_keys: tuple[Probe, ...] = ()
    rights: Reading[frozenset[str]] | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Sales that waited out an outage and were recorded together: rung up and recorded in these spans."""

    count: int
    sold_from: datetime
    sold_until: datetime
    recorded_from: datetime
    recorded_until: datetime


@dataclass(frozen=True, slots=True)
class PostingDelays:
    """How long this shop's sales took to be recorded, in seconds; ``count`` sales, the newest 30 days.

    ``backlogs``: what arrived together after an outage, and is not among those sales.
    """

    count: int
    p50: float
    p95: float
    p999: float
    backlogs: tuple[Backlog, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A package with (nearly) the asked label, seen somewhere: in the POS, at this license, or at another one.

    ``manifest``: what it was received on there.
    """

    label: str
    where: str
    quantity: Decimal | None = None
    item: str | None = None
    in_pos: bool = False
    manifest: str | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """Another package of the same product, as both sides count it, in one unit."""

    label: str
    pos: Decimal
    metrc: Decimal
    unit: str

    @property
    def difference(self) -> Decimal:
        """POS − METRC."""
        return self.pos - self.metrc


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was read for one question. Checks see this and the time, nothing else.

    ``package``: the package at this license; a reading without value and problem means that METRC has none.
    ``receipts``: every receipt, live or voided, whose lines touch the label, plus ``unread_receipts``: candidates
    whose lines could not be read. ``receipts`` covers ``receipts_window`` but for ``receipts_holes``: what METRC recorded
    or changed in those spans was not read, oldest first. ``receipts_elsewhere``: live receipts that bear the number of one of
    the label's POS sales and have lines on other labels only.
    ``near``: labels at most two characters away, as seen in METRC; ``elsewhere``: the label at another license.
    ``pos_rows``, ``pos_sales``, ``pos_events``: the POS's books cut down to this label; ``pos_other_lines``: the
    other lines of the same sales, and of the sales whose receipts touch the label; ``pos_siblings``: rows of other
    labels that came on the same manifest; ``pos_unheard``: rows of nearly this label that METRC does not know.
    ``pos_sales_since`` and ``pos_events_since``: from when on those books are complete; ``pos_sales_until``: the newest
    sale in the whole book, up to which it is complete.
    ``children``: packages that METRC made of this one, asked for when the POS holds more than METRC; ``pos_kin``: which
    labels of the package's sources and children the POS knows. ``kindred``: packages that METRC made of the package's one
    source, itself among them, and ``pos_source_events`` the POS's log of that source; asked for when the POS does not
    know the package and knows the source. ``lots``: other packages of the product whose two sides differ the other way,
    told when this one's differ; those with a sale that is not settled are left out. ``pos_twins``: rows of other labels
    that bear the package's METRC item under another product, while the package's own row names no item.

    For a receipt, manifest or product everything is cut down to that record instead of to a label, and ``package`` is
    not asked. ``packages``: the evidence of each label it touches, each whole in itself; ``left_out``: labels that were
    not looked at; ``alike``: names or numbers nearly the same, when nothing bears the very one that was asked about;
    ``near``: for a product its packages as METRC lists them.
    """

    shop: Shop
    subject: Subject
    asked_at: datetime
    access: Access
    package: Reading[MetrcPackage]
    receipts: Reading[tuple[MetrcReceipt, ...]]
    deliveries: Reading[tuple[MetrcDelivery, ...]]
    transfers: Reading[tuple[Transfer, ...]]
    transferred: Reading[tuple[TransferredPackage, ...]]
    adjustments: Reading[tuple[Adjustment, ...]]
    pos_rows: Reading[tuple[PosPackage, ...]]
    pos_sales: Reading[tuple[PosSaleLine, ...]]
    pos_events: Reading[tuple[PosEvent, ...]]
    receipts_window: Window | None = None
    receipts_holes: tuple[Window, ...] = ()
    unread_receipts: tuple[MetrcReceipt, ...] = ()
    receipts_elsewhere: tuple[MetrcReceipt, ...] = ()
    near: Reading[tuple[Sighting, ...]] | None = None
    elsewhere: Reading[tuple[Sighting, ...]] | None = None
    pos_near: tuple[PosPackage, ...] = ()
    pos_other_lines: tuple[PosSaleLine, ...] = ()
    pos_siblings: tuple[PosPackage, ...] = ()
    pos_unheard: tuple[PosPackage, ...] = ()
    pos_sales_since: datetime | None = None
    pos_sales_until: datetime | None = None
    pos_events_since: datetime | None = None
    pos_refused: tuple[RefusedRow, ...] = ()
    delays: PostingDelays | None = None
    shelf: Decimal | None = None
    requests: int = field(default=0, compare=False)
    packages: tuple[Evidence, ...] = ()
    left_out: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    children: Reading[tuple[MetrcPackage, ...]] | None = None
    pos_kin: tuple[str, ...] = ()
    kindred: Reading[tuple[MetrcPackage, ...]] | None = None
    pos_source_events: tuple[PosEvent, ...] = ()
    lots: tuple[Lot, ...] = ()
    pos_twins: tuple[PosPackage, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer as the ledger keeps it. ``kept`` None: this version cannot read it, and ``problem`` says why.

    ``subject``: kind and value in one text; ``code``: as it was answered, None for ``none`` and ``unknown``.
    """

    id: str
    facility: str
    subject: str
    asked_at: datetime
    code: str | None
    kept: tuple[Diagnosis, Evidence] | None = None
    problem: str | None = None
