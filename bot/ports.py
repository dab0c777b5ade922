"""What the use cases need of the world, as Protocols. Concrete classes are named together only in ``bot.app``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.alerts import Alert, Change, Claim, Letter
from bot.audit import Anchor, Entry, Row
from bot.follow_ups import Claimed, Recheck
from bot.inquiries import Inquiries
from bot.kept_questions import KeptQuestions
from bot.model import (
    Adjustment,
    Coverage,
    Diagnosis,
    Direction,
    Evidence,
    ExportSeen,
    Facility,
    Feed,
    MetrcDelivery,
    MetrcItem,
    MetrcPackage,
    MetrcReceipt,
    PackageHead,
    PackageList,
    PosBooks,
    PostingDelays,
    Stored,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from bot.removals import Card, Intent, Person, Press, Sight, Target

FeedRow = MetrcPackage | MetrcReceipt | MetrcDelivery | Transfer | TransferredPackage | Adjustment | MetrcItem


Progress = Callable[[str], Awaitable[None]]
"""Told one short sentence whenever a stage of the work begins."""


class Clock(Protocol):
    """Where ``now`` comes from."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        ...


class TrackAndTrace(Protocol):
    """METRC as one key sees it at one license. Reads only. Every method raises a ``MetrcError``.

    ``requests`` counts what was sent; ``widest`` is the widest window that one call may ask for.

    A window wider than the host accepts is cut into slices inside; pages are walked inside. Rows come back once each
    (by id, the newest ``last_modified`` wins), oldest ``last_modified`` first.
    """

    license: str
    requests: int
    widest: timedelta

    async def facilities(self) -> tuple[Facility, ...]:
        """``GET /facilities/v2/``: needs no license and no right, only a living key."""
        ...

    async def rights(self, employee_license: str) -> frozenset[str]:
        """``GET /employees/v2/permissions``, lower case; 404 where the state does not offer it."""
        ...

    async def package(self, label: str, *, license_number: str | None = None) -> MetrcPackage:
        """``GET /packages/v2/{label}``; 401 or 404 also when METRC knows no such package at this license."""
        ...

    async def packages(self, listing: PackageList, window: Window) -> tuple[MetrcPackage, ...]:
        """One of the package lists; every row has ``listing`` set."""
        ...

    async def transferred(self, window: Window) -> tuple[TransferredPackage, ...]:
        """``GET /packages/v2/transferred``."""
        ...

    async def adjustments(self, window: Window) -> tuple[Adjustment, ...]:
        """``GET /packages/v2/adjustments``. Equal rows are kept, METRC gives adjustments no id."""
        ...

    async def receipts(self, *, active: bool, window: Window) -> tuple[MetrcReceipt, ...]:
        """``GET /sales/v2/receipts/active|inactive``; rows come without lines."""
        ...

    async def receipt(self, receipt_id: int) -> MetrcReceipt:
        """``GET /sales/v2/receipts/{id}``, with lines."""
        ...

    async def deliveries(self, *, active: bool, window: Window) -> tuple[MetrcDelivery, ...]:
        """``GET /sales/v2/deliveries/active|inactive``; rows come without lines."""
        ...

    async def delivery(self, delivery_id: int) -> MetrcDelivery:
        """``GET /sales/v2/deliveries/{id}``, with lines."""
        ...

    async def transfers(self, direction: Direction, window: Window) -> tuple[Transfer, ...]:
        """``GET /transfers/v2/incoming|outgoing|rejected``; rows come without packages."""
        ...

    async def transfer_packages(self, delivery_id: int) -> tuple[TransferPackage, ...]:
        """``GET /transfers/v2/deliveries/{id}/packages``; the id is the delivery's, not the manifest's."""
        ...

    async def items(self, window: Window) -> tuple[MetrcItem, ...]:
        """``GET /items/v2/active``; needs a *manage* right, so a good key may be refused here."""
        ...

    async def probe(self, family: str) -> None:
        """One cheap read of ``packages``, ``sales`` or ``transfers``: one row, last hour. Raises like the rest."""
        ...


class PointOfSale(Protocol):
    """The POS of one facility."""

    async def read(self, now: datetime) -> PosBooks:
        """Everything the POS says now. Never raises for an unreadable book: the book holds its problem."""
        ...


class Exports(Protocol):
    """Which POS files were read before, so that a halved or repeated export is noticed. One facility."""

    async def last(self, kind: str) -> ExportSeen | None:
        """The newest accepted file of this kind (``inventory``)."""
        ...

    async def seen(self, kind: str, digest: str) -> ExportSeen | None:
        """The first accepted file of this kind with this content."""
        ...

    async def remember(self, export: ExportSeen) -> None:
        """Record an accepted file; the same name and digest again changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Portion:
    """All rows of one feed in one window."""

    feed: Feed
    rows: Sequence[FeedRow]
    covered: Window


class Mirror(Protocol):
    """The local copy of METRC for one facility. Rows and coverage move in one transaction; writes may be repeated."""

    async def coverage(self, feed: Feed) -> Coverage | None:
        """What is held of this feed."""
        ...

    async def store(self, feed: Feed, rows: Sequence[FeedRow], covered: Window, read_at: datetime) -> Coverage:
        """Write what one window of the feed held, and join the window to the coverage.

        A window that touches or overlaps the coverage extends it; one that leaves a hole becomes the coverage if it is
        the newer one, and what lies before the hole is remembered as ``earlier``.
        A row older than the one held (by ``last_modified``) never overwrites it, and lines or packages that were read
        are kept unless the row's ``last_modified`` moved on.
        """
        ...

    async def store_all(self, portions: Sequence[Portion], read_at: datetime) -> Mapping[Feed, Coverage]:
        """The same for several feeds in one transaction; what is held of them then."""
        ...

    async def store_receipt(self, receipt: MetrcReceipt, read_at: datetime) -> None:
        """Write one receipt with its lines."""
        ...

    async def store_delivery(self, delivery: MetrcDelivery, read_at: datetime) -> None:
        """Write one delivery with its lines."""
        ...

    async def store_transfer_packages(
        self, transfer: Transfer, packages: Sequence[TransferPackage], read_at: datetime
    ) -> None:
        """Write the packages of one manifest."""
        ...

    async def store_books(self, books: PosBooks) -> None:
        """Write POS records; sales and events by id, inventory as the newest state."""
        ...

    async def receipts_touching(self, label: str) -> tuple[MetrcReceipt, ...]:
        """Receipts, live and voided, with a line on this label; with all their lines."""
        ...

    async def receipts_like(
        self, external_numbers: Collection[str], sold_at: Collection[datetime]
    ) -> tuple[MetrcReceipt, ...]:
        """Receipts with one of these external numbers, or rung up at one of these moments; lines where read."""
        ...

    async def receipts_unread(self, since: datetime, limit: int) -> tuple[MetrcReceipt, ...]:
        """Live receipts sold since then whose lines were not read, newest first."""
        ...

    async def receipts_foreign(self, known: Collection[str], window: Window, limit: int) -> tuple[MetrcReceipt, ...]:
        """Live receipts sold in the window whose external number is missing or not among ``known``."""
        ...

    def duplicate_receipts(self, since: datetime, limit: int) -> AsyncIterator[tuple[MetrcReceipt, ...]]:
        """Groups of live receipts, with lines, that may be one sale entered more than once; the newest sale first.

        Together by number and lines, or by sale time, total and lines where a number is missing. Candidates only:
        ``bot.twins`` judges them. Groups with a sale since then, at most ``limit``; a receipt is in one group at most.
        """
        ...

    async def deliveries_between(self, window: Window) -> tuple[MetrcDelivery, ...]:
        """Deliveries by sale time; lines where they were read."""
        ...

    async def transfers_touching(self, label: str) -> tuple[Transfer, ...]:
        """Manifests, any direction, that carry this label; with all their packages."""
        ...

    async def transfers_unread(self, since: datetime, limit: int) -> tuple[Transfer, ...]:
        """Manifests changed since then whose packages were not read, newest first."""
        ...

    async def transfers_named(self, number: str) -> tuple[Transfer, ...]:
        """Manifests, any direction, of this number (whatever its leading zeros) or id; packages where they were read."""
        ...

    async def transferred_touching(self, label: str) -> tuple[TransferredPackage, ...]:
        """Rows of the transferred list for this label."""
        ...

    async def adjustments_of(self, label: str) -> tuple[Adjustment, ...]:
        """Adjustments of this package, oldest first."""
        ...

    async def package(self, label: str) -> MetrcPackage | None:
        """The package as last seen in any list."""
        ...

    async def packages_near(self, label: str) -> tuple[MetrcPackage, ...]:
        """Packages whose label is at most two edits from this one, itself left out."""
        ...

    async def labels_ending(self, tail: str, limit: int) -> tuple[str, ...]:
        """Labels that end like this, in their order; at most ``limit``."""
        ...

    async def packages_mentioning(self, word: str) -> tuple[MetrcPackage, ...]:
        """Packages whose item's name holds this word, whatever its case, or whose item has it as its id; by label."""
        ...

    async def children_of(self, label: str) -> tuple[MetrcPackage, ...]:
        """Packages that name this one as a source."""
        ...

    async def delays(self, since: datetime) -> PostingDelays | None:
        """How long receipts sold since then took to be recorded; None when there are none."""
        ...


class Ledger(Protocol):
    """What the bot must remember across restarts."""

    async def save(self, diagnosis: Diagnosis, evidence: Evidence, asked_by: str | None) -> None:
        """Keep the answer and what it rests on."""
        ...

    async def diagnosis(self, diagnosis_id: str) -> tuple[Diagnosis, Evidence] | None:
        """Read both back, equal to what was saved."""
        ...

    async def stored(self, diagnosis_id: str) -> Stored | None:
        """One answer as it is kept, readable or not; None: there is no such answer."""
        ...

    def answers(self, *, newest_first: bool = False) -> AsyncIterator[Stored]:
        """Every answer by the time it was asked, one at a time; one that cannot be read stops none of the others."""
        ...

    async def first_time(self, key: str, now: datetime) -> bool:
        """Whether this delivery key was never seen before; whoever inserts the row wins, all others get False."""
        ...

    async def forget_deliveries(self, before: datetime) -> None:
        """Forget the keys that were seen before then."""
        ...


class AlertBook(Protocol):
    """The alerts. Every method raises ``StorageError`` when the database fails."""

    async def known(self, now: datetime) -> tuple[Alert, ...]:
        """Every live alert, and those closed within the last day; oldest first."""
        ...

    async def alert(self, alert_id: str) -> Alert | None:
        """One episode, whatever its state."""
        ...

    async def write(self, changes: Sequence[Change], now: datetime, told: Sequence[Entry] = ()) -> bool:
        """All changes, their letters and their audit rows in one transaction; False: one was outrun, nothing is written."""
        ...

    async def opened(self, window: Window) -> tuple[Alert, ...]:
        """Those that people were told of within this time, whatever became of them; oldest first."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget alerts that were closed before then."""
        ...


class Outbox(Protocol):
    """What is to be said in Slack. A letter is in one sender's hand at a time, those of one alert go in their order."""

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> Claim | None:
        """The oldest letter that is due, is in nobody's hand, and has no unsent letter of its alert before it."""
        ...

    async def mark(self, claim: Claim, ref: str, now: datetime) -> bool:
        """It went out as message ``ref``; False: the claim was lost meanwhile."""
        ...

    async def postpone(self, claim: Claim, until: datetime, problem: str) -> bool:
        """It did not go out, or nobody knows; it is tried again then. False: the claim was lost meanwhile."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget letters that went out before then, but for those of live alerts."""
        ...


class Post(Protocol):
    """Carries a letter to Slack. Every method raises ``ChatError``; no answer in time leaves the outcome unknown."""

    async def send(self, letter: Letter, thread: str | None) -> str:
        """Post it, with ``letter.key`` as the message's metadata; the message's id. ``thread`` None: a new message."""
        ...

    async def find(self, letter: Letter, thread: str | None, since: datetime) -> str | None:
        """The message with ``letter.key`` posted since then, where it would have gone; None: it is not there."""
        ...

    async def rewrite(self, letter: Letter, message: str) -> None:
        """Make the alert's first message show ``letter.alert``; doing so twice shows the same."""
        ...


class Slots(Protocol):
    """Work that the clock proposes: ``job`` at ``starts_at``, done once among any number of processes."""

    async def win(self, job: str, starts_at: datetime, owner: str, now: datetime, lease: timedelta) -> int | None:
        """The fence of whoever may do it now; None: it is done, or in somebody else's hand."""
        ...

    async def extend(self, job: str, starts_at: datetime, fence: int, until: datetime) -> bool:
        """Long work says that it lives; False: somebody else has taken it over, so stop."""
        ...

    async def finish(self, job: str, starts_at: datetime, fence: int, now: datetime) -> bool:
        """It is done; False: somebody else has taken it over meanwhile."""
        ...

    async def abandoned(self, now: datetime) -> tuple[tuple[str, datetime], ...]:
        """Slots that were begun and not finished within their lease, oldest first."""
        ...

    async def last(self, job: str) -> datetime | None:
        """The newest slot of this job that anybody began; None: none is known."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget slots that were finished before then, but for each job's newest."""
        ...


class Rechecks(Protocol):
    """Questions that are asked again at a stated time, once. Every method raises ``StorageError``."""

    async def book(self, recheck: Recheck) -> bool:
        """Keep one; False: it is kept already."""
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> Claimed | None:
        """The longest due that is in nobody's hand; None: nothing is due."""
        ...

    async def done(self, claimed: Claimed, now: datetime) -> bool:
        """It is answered, or given up; False: the claim was lost meanwhile."""
        ...

    async def postpone(self, claimed: Claimed, until: datetime) -> bool:
        """It could not be answered; it is tried again then. False: the claim was lost meanwhile."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget what was done before then."""
        ...


class Memory(Protocol):
    """What a round of monitors remembers from the one before, as JSON text by license."""

    async def recall(self, name: str) -> dict[str, str]:
        """What is remembered under this name."""
        ...

    async def remember(self, name: str, bodies: dict[str, str], now: datetime) -> None:
        """Keep these; what other licenses have under the name stays."""
        ...


class Statistics(Protocol):
    """What the mirror of one facility shows of its rhythm. Reads only."""

    async def receipts(self, since: datetime) -> tuple[MetrcReceipt, ...]:
        """Receipts, live and voided, sold since then; without lines, oldest sale first."""
        ...

    async def deliveries(self, since: datetime) -> tuple[MetrcDelivery, ...]:
        """Deliveries sold since then; without lines, oldest sale first."""
        ...

    async def sold(self, since: datetime) -> tuple[tuple[MetrcReceipt, ...], tuple[MetrcDelivery, ...]]:
        """Both, as they were at one moment."""
        ...

    async def recorded(self, since: datetime) -> tuple[tuple[datetime | None, datetime], ...]:
        """When receipts recorded since then were sold, and when METRC recorded them; in the order of recording."""
        ...

    async def newest_record(self) -> datetime | None:
        """When METRC recorded the newest receipt."""
        ...

    async def newest_change(self) -> datetime | None:
        """When a package changed last, as METRC tells it; None: it tells of none."""
        ...

    async def changed(self, since: datetime) -> tuple[datetime, ...]:
        """When each package that changed since then did so last, oldest first."""
        ...


class Holdings(Protocol):
    """What the mirrors of all facilities hold. Reads only. Raises ``StorageError``."""

    async def held(self, feeds: Collection[Feed]) -> Mapping[str, Mapping[Feed, Coverage]]:
        """What is held of these feeds, by license."""
        ...


class Books(Protocol):
    """The database: hands out what belongs to one facility."""

    def mirror(self, license_number: str) -> Mirror:
        """The mirror of one facility."""
        ...

    def exports(self, license_number: str) -> Exports:
        """The POS files seen for one facility."""
        ...

    def stock(self, license_number: str) -> Stock:
        """The mirror of one facility in bulk."""
        ...

    def statistics(self, license_number: str) -> Statistics:
        """What the mirror of one facility shows of its rhythm."""
        ...

    @property
    def holdings(self) -> Holdings:
        """What the mirrors of all facilities hold."""
        ...

    @property
    def alerts(self) -> AlertBook:
        """The alerts of all facilities."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What is to be said in Slack about them."""
        ...

    @property
    def rechecks(self) -> Rechecks:
        """Questions that are asked again."""
        ...

    @property
    def slots(self) -> Slots:
        """Work that the clock proposed."""
        ...

    @property
    def memory(self) -> Memory:
        """What a round of monitors remembers."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The ledger of all facilities."""
        ...

    @property
    def intents(self) -> Intents:
        """The removals of all facilities."""
        ...

    @property
    def inquiries(self) -> Inquiries:
        """Questions in Slack, of all facilities."""
        ...

    @property
    def questions(self) -> KeptQuestions:
        """Questions in Slack that are kept before they are acknowledged."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log of all facilities."""
        ...

    async def ping(self) -> None:
        """Ask the database for nothing; raises ``StorageError`` when it does not answer."""
        ...

    def warm(self) -> None:
        """Do now what the first question would have to wait for: half a second during which nobody is answered."""
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...


# --- removing a duplicate ---------------------------------------------------------------------------------------------


class Remover(Protocol):
    """The only calls that change anything at METRC. One request each, never repeated inside; raises a ``MetrcError``.

    ``deadline``: seconds for all of it. After ``MetrcRateLimited`` nothing was done; after a timeout, a 5xx or a lost
    connection it is not known.
    """

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        """``DELETE /sales/v2/receipts/{id}``."""
        ...

    async def unfinalize_receipt(self, receipt_id: int, deadline: float) -> None:
        """``PUT /sales/v2/receipts/unfinalize``."""
        ...

    async def void_external_transfer(self, transfer_id: int, deadline: float) -> None:
        """``DELETE /transfers/v2/external/incoming/{id}``."""
        ...


class Lookout(Protocol):
    """Looks at what a removal rests on, at one facility. Raises a ``SourceError`` when METRC cannot be read."""

    async def look(self, intent: Intent, targets: Sequence[Target]) -> Sight:
        """Ask the question anew for the packages that these records touch; last, read the records and their twins."""
        ...

    async def gone(self, intent: Intent, target: Target) -> bool:
        """Whether METRC shows the record as removed: by its id, and in both lists."""
        ...


class Directory(Protocol):
    """Who people are, as Slack says now. Raises ``ChatError``; whoever asks then takes it for a no."""

    async def person(self, user: str) -> Person:
        """One user."""
        ...

    async def members(self, group: str) -> frozenset[str]:
        """The user ids in a user group (``S…``)."""
        ...


class Intents(Protocol):
    """The removals that were proposed. A change and its audit rows are one transaction. Raises ``StorageError``."""

    async def add(self, intent: Intent, told: Callable[[Intent], Sequence[Entry]]) -> Intent:
        """Keep a new intent, but for records that another open intent holds; ``told`` gives the audit rows of what is kept.

        Where that leaves none, nothing is kept and the one that holds them comes back.
        """
        ...

    async def save(self, before: Intent, after: Intent, entries: Sequence[Entry]) -> bool:
        """Write ``after`` if the row is still exactly ``before`` (state, fence and revision); False: somebody was first."""
        ...

    async def get(self, intent_id: str) -> Intent | None:
        """One intent; None: there is none of this id."""
        ...

    async def holding(self, facility: str, system: str, kind: str, record_id: str) -> Intent | None:
        """The open intent that holds this record."""
        ...

    async def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Ids of those that the sweep has to look at, longest overdue first."""
        ...

    async def pending(self, facilities: Collection[str]) -> tuple[Intent, ...]:
        """The open ones of these facilities, oldest first."""
        ...

    async def history(self, facilities: Collection[str], subject: str | None, limit: int) -> tuple[Intent, ...]:
        """All of these facilities, newest first; ``subject``: only those about this label or number."""
        ...

    async def place(self, intent_id: str, card: Card, revision: int) -> None:
        """Remember where a card is and which revision it shows; one that is known already stays as it is."""
        ...

    async def cards(self, intent_id: str) -> tuple[Card, ...]:
        """The cards of an intent, those that were posted first in front."""
        ...

    async def places(self, limit: int, intent_id: str | None = None) -> tuple[tuple[Intent, Card], ...]:
        """Cards, of this intent or of all, that show an older revision than it has."""
        ...

    async def shown(self, card: Card, revision: int) -> bool:
        """The card shows this revision now; False: a newer one was shown before, which has to be shown again."""
        ...

    async def take(self, press: Press) -> bool:
        """Keep a press before it is acknowledged; False: it was taken before."""
        ...

    async def was_taken(self, press_id: str) -> bool:
        """Whether this press was kept before."""
        ...

    async def answered(self, press_id: str) -> None:
        """The press has led to what it leads to."""
        ...

    async def is_pressed(self, intent_id: str) -> bool:
        """Whether a press on it was taken that is not answered yet."""
        ...

    async def unanswered(self, before: datetime, limit: int) -> tuple[Press, ...]:
        """Presses taken before then that were never answered, oldest first."""
        ...


class AuditLog(Protocol):
    """The append-only log. Raises ``StorageError``."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Put entries at its end."""
        ...

    def rows(self, after: int = 0) -> AsyncIterator[Row]:
        """All rows behind number ``after``, in order."""
        ...

    async def head(self) -> Anchor:
        """Where the log says that it ends."""
        ...


# --- a whole shop -----------------------------------------------------------------------------------------------------


class PackageStream(Protocol):
    """METRC's package lists for a whole shop, never held as a whole. Raises a ``MetrcError``."""

    async def each_package(
        self,
        listing: PackageList,
        window: Window,
        take: Callable[[tuple[MetrcPackage, ...]], Awaitable[None]],
        *,
        expected: int | None = None,
    ) -> None:
        """Hand over page after page, in no order; a row may come more than once.

        Whether the list was whole is only known at the end: an error then means that what was taken is a part of it.
        ``expected``: how many there are as far as is known; only what is asked for at first rests on it.
        """
        ...

    async def count(self, listing: PackageList, window: Window) -> int | None:
        """How many a list has, told with its first row; None: METRC does not tell. The window is sent as it is."""
        ...


class Stock(Protocol):
    """The mirror of one facility in bulk: pages in the order of labels, and answers for many labels at once."""

    async def keep(self, packages: Sequence[MetrcPackage], read_at: datetime) -> None:
        """Write packages without claiming that any window of the feed is held."""
        ...

    async def heads_after(
        self, label: str, limit: int, *, active_since: datetime, closed_since: datetime
    ) -> tuple[PackageHead, ...]:
        """Which packages there are behind ``label``: at most ``limit``, by label, each label's last change last.

        Left out: active ones that were not read since ``active_since``, for they have left the list; and inactive ones
        that did not change since ``closed_since``.
        """
        ...

    async def packages_of(self, labels: Collection[str], *, active_since: datetime) -> dict[str, MetrcPackage]:
        """These packages as last seen, whatever their age; active ones as in ``heads_after``."""
        ...

    async def children_of(self, labels: Collection[str]) -> dict[str, tuple[MetrcPackage, ...]]:
        """As ``Mirror.children_of``, by the label of the source."""
        ...

    async def open_loads(self, since: datetime) -> tuple[Transfer, ...]:
        """Incoming manifests changed since then, neither received nor voided; packages where they were read."""
        ...

    async def receipts_on(self, labels: Collection[str]) -> dict[str, tuple[MetrcReceipt, ...]]:
        """As ``Mirror.receipts_touching``."""
        ...

    async def transfers_on(self, labels: Collection[str]) -> dict[str, tuple[Transfer, ...]]:
        """As ``Mirror.transfers_touching``."""
        ...

    async def transferred_on(self, labels: Collection[str]) -> dict[str, tuple[TransferredPackage, ...]]:
        """As ``Mirror.transferred_touching``."""
        ...

    async def adjustments_on(self, labels: Collection[str]) -> dict[str, tuple[Adjustment, ...]]:
        """As ``Mirror.adjustments_of``."""
        ...
