"""What the use cases need of the world, as Protocols. Concrete classes are named together only in ``bot.app``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

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
    PackageList,
    PosBooks,
    PostingDelays,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)

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


class Mirror(Protocol):
    """The local copy of METRC for one facility. Rows and coverage move in one transaction; writes may be repeated."""

    async def coverage(self, feed: Feed) -> Coverage | None:
        """What is held of this feed."""
        ...

    async def store(self, feed: Feed, rows: Sequence[FeedRow], covered: Window, read_at: datetime) -> Coverage:
        """Write what one window of the feed held, and join the window to the coverage.

        A window that touches or overlaps the coverage extends it; one that leaves a hole replaces it only if it is the
        newer one (then what is older is no longer claimed), else the rows are kept and the coverage stays as it was.
        A row older than the one held (by ``last_modified``) never overwrites it, and lines or packages that were read
        are kept unless the row's ``last_modified`` moved on.
        """
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

    async def deliveries_between(self, window: Window) -> tuple[MetrcDelivery, ...]:
        """Deliveries by sale time; lines where they were read."""
        ...

    async def transfers_touching(self, label: str) -> tuple[Transfer, ...]:
        """Manifests, any direction, that carry this label; with all their packages."""
        ...

    async def transfers_unread(self, since: datetime, limit: int) -> tuple[Transfer, ...]:
        """Manifests changed since then whose packages were not read, newest first."""
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

    async def first_time(self, key: str, now: datetime) -> bool:
        """Whether this delivery key was never seen before; whoever inserts the row wins, all others get False."""
        ...


class Books(Protocol):
    """The database: hands out what belongs to one facility."""

    def mirror(self, license_number: str) -> Mirror:
        """The mirror of one facility."""
        ...

    def exports(self, license_number: str) -> Exports:
        """The POS files seen for one facility."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The ledger of all facilities."""
        ...

    async def ping(self) -> None:
        """Ask the database for nothing; raises ``StorageError`` when it does not answer."""
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...
