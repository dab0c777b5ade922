"""The mirror in bulk: ``bot.ports.Stock`` for one license."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, case, null, or_, select

from bot.model import (
    Adjustment,
    Direction,
    MetrcPackage,
    MetrcReceipt,
    PackageHead,
    PackageList,
    Transfer,
    TransferredPackage,
)
from storage import rows, tables
from storage.bodies import from_json
from storage.engine import Database
from storage.mirror import SqlMirror

T = TypeVar("T")

_PACKAGES = tables.table_of(tables.PackageRow)
_SOURCES = tables.table_of(tables.PackageSourceRow)
_RECEIPTS = tables.table_of(tables.ReceiptRow)
_RECEIPT_LINES = tables.table_of(tables.ReceiptLineRow)
_TRANSFERS = tables.table_of(tables.TransferRow)
_TRANSFER_PACKAGES = tables.table_of(tables.TransferPackageRow)
_TRANSFERRED = tables.table_of(tables.TransferredRow)
_ADJUSTMENTS = tables.table_of(tables.AdjustmentRow)

_AT_ONCE = 500  # labels in one IN list


class SqlStock:
    """See ``bot.ports.Stock``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database, license_number: str) -> None:
        self._database = database
        self._license = license_number
        self._mirror = SqlMirror(database, license_number)

    async def keep(self, packages: Sequence[MetrcPackage], read_at: datetime) -> None:
        """Write packages without claiming that any window of the feed is held."""
        await self._mirror.keep(packages, read_at)

    async def heads_after(
        self, label: str, limit: int, *, active_since: datetime, closed_since: datetime
    ) -> tuple[PackageHead, ...]:
        """A page of packages in the order of labels; all rows of one label are in the same page."""
        listing, changed_at = _PACKAGES.c.listing, _PACKAGES.c.changed_at
        statement = (
            self._packages(active_since, _PACKAGES.c.metrc_id, changed_at)
            .where(_PACKAGES.c.label > label)
            .where(or_(listing.is_(None), listing != PackageList.INACTIVE, changed_at >= closed_since))
            .limit(limit)
        )
        found = await self._all(statement)
        if len(found) == limit and found[0].label != found[-1].label:
            # the last label's other rows may be on the next page, so all of it is left to that one
            found = [row for row in found if row.label != found[-1].label]
        return tuple(PackageHead(row.label, row.metrc_id, row.changed_at) for row in found)

    async def packages_of(self, labels: Collection[str], *, active_since: datetime) -> dict[str, MetrcPackage]:
        """These packages as last seen."""
        bodies = self._packages(active_since, _PACKAGES.c.body)
        found = await self._some(labels, lambda some: bodies.where(_PACKAGES.c.label.in_(some)))
        return {row.label: from_json(MetrcPackage, row.body) for row in found}

    async def children_of(self, labels: Collection[str]) -> dict[str, tuple[MetrcPackage, ...]]:
        """Packages that name these as a source, by source; the last changed comes last."""
        on = and_(_PACKAGES.c.license == _SOURCES.c.license, _PACKAGES.c.metrc_id == _SOURCES.c.metrc_id)
        statement = (
            select(_SOURCES.c.label, _PACKAGES.c.body)
            .join(_PACKAGES, on)
            .where(_SOURCES.c.license == self._license)
            .order_by(_PACKAGES.c.changed_at, _PACKAGES.c.read_at, _PACKAGES.c.metrc_id)
        )
        found = await self._some(labels, lambda some: statement.where(_SOURCES.c.label.in_(some)))
        children = _by_label(found, lambda row: from_json(MetrcPackage, row.body))
        # the index keeps a source that METRC has since taken off the package; the package itself does not
        return {label: tuple(c for c in own if label in c.source_labels) for label, own in children.items()}

    async def open_loads(self, since: datetime) -> tuple[Transfer, ...]:
        """Incoming manifests on their way, by the time of their last change."""
        table = _TRANSFERS.c
        parts = case((table.packages_read_at.is_(None), null()), else_=table.packages).label("parts")
        statement = (
            select(table.body, parts)
            .where(table.license == self._license, table.direction == Direction.INCOMING, table.changed_at >= since)
            .order_by(table.changed_at, table.metrc_id)
        )
        loads = [rows.transfer_of(row.body, row.parts) for row in await self._all(statement)]
        return tuple(load for load in loads if load.received_at is None and not load.is_voided)

    async def receipts_on(self, labels: Collection[str]) -> dict[str, tuple[MetrcReceipt, ...]]:
        """Receipts with a line on these labels, as far as their lines hold true; oldest sale first."""
        on = and_(_RECEIPTS.c.license == _RECEIPT_LINES.c.license, _RECEIPTS.c.metrc_id == _RECEIPT_LINES.c.metrc_id)
        statement = (
            select(_RECEIPT_LINES.c.label, _RECEIPTS.c.body, _RECEIPTS.c.lines.label("parts"))
            .join(_RECEIPTS, on)
            .where(_RECEIPT_LINES.c.license == self._license, _RECEIPTS.c.lines_read_at.is_not(None))
            .order_by(_RECEIPTS.c.sold_at, _RECEIPTS.c.metrc_id)
        )
        found = await self._some(labels, lambda some: statement.where(_RECEIPT_LINES.c.label.in_(some)))
        return _by_label(found, lambda row: rows.receipt_of(row.body, row.parts))

    async def transfers_on(self, labels: Collection[str]) -> dict[str, tuple[Transfer, ...]]:
        """Manifests that carry these labels, as far as their packages hold true; the last changed comes last."""
        both = ("license", "direction", "metrc_id")
        on = and_(*(_TRANSFERS.c[name] == _TRANSFER_PACKAGES.c[name] for name in both))
        statement = (
            select(_TRANSFER_PACKAGES.c.label, _TRANSFERS.c.body, _TRANSFERS.c.packages.label("parts"))
            .join(_TRANSFERS, on)
            .where(_TRANSFER_PACKAGES.c.license == self._license, _TRANSFERS.c.packages_read_at.is_not(None))
            .order_by(_TRANSFERS.c.changed_at, _TRANSFERS.c.metrc_id, _TRANSFERS.c.direction)
        )
        found = await self._some(labels, lambda some: statement.where(_TRANSFER_PACKAGES.c.label.in_(some)))
        return _by_label(found, lambda row: rows.transfer_of(row.body, row.parts))

    async def transferred_on(self, labels: Collection[str]) -> dict[str, tuple[TransferredPackage, ...]]:
        """Rows of the transferred list for these labels."""
        table = _TRANSFERRED.c
        statement = select(table.label, table.body).where(table.license == self._license)
        ordered = statement.order_by(table.manifest, table.recipient)
        found = await self._some(labels, lambda some: ordered.where(table.label.in_(some)))
        return _by_label(found, lambda row: from_json(TransferredPackage, row.body))

    async def adjustments_on(self, labels: Collection[str]) -> dict[str, tuple[Adjustment, ...]]:
        """Adjustments of these packages, oldest first."""
        table = _ADJUSTMENTS.c
        statement = select(table.label, table.body).where(table.license == self._license)
        ordered = statement.order_by(table.adjusted_on.nulls_first(), table.fingerprint, table.ordinal)
        found = await self._some(labels, lambda some: ordered.where(table.label.in_(some)))
        return _by_label(found, lambda row: from_json(Adjustment, row.body))

    def _packages(self, active_since: datetime, *columns: ColumnElement[Any]) -> Select[Any]:
        listing, read_at = _PACKAGES.c.listing, _PACKAGES.c.read_at
        still_there: ColumnElement[bool] = or_(
            listing.is_(None), listing != PackageList.ACTIVE, read_at >= active_since
        )
        order = (_PACKAGES.c.label, _PACKAGES.c.changed_at, read_at, _PACKAGES.c.metrc_id)
        wanted = select(_PACKAGES.c.label, *columns)
        return wanted.where(_PACKAGES.c.license == self._license, still_there).order_by(*order)

    async def _some(self, labels: Collection[str], statement: Callable[[Sequence[str]], Select[Any]]) -> list[Row[Any]]:
        return [row for some in _pieces(sorted(set(labels))) for row in await self._all(statement(some))]

    async def _all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found


def _by_label(found: Sequence[Row[Any]], read: Callable[[Row[Any]], T]) -> dict[str, tuple[T, ...]]:
    grouped: dict[str, list[T]] = defaultdict(list)
    for row in found:
        grouped[row.label].append(read(row))
    return {label: tuple(own) for label, own in grouped.items()}


def _pieces(labels: Sequence[str]) -> Iterator[Sequence[str]]:
    return (labels[at : at + _AT_ONCE] for at in range(0, len(labels), _AT_ONCE))
