"""The mirror in SQL: ``bot.ports.Mirror`` for one license."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.labels import nearest
from bot.mirror import delays_of, join
from bot.model import (
    Adjustment,
    Coverage,
    Feed,
    MetrcDelivery,
    MetrcItem,
    MetrcPackage,
    MetrcReceipt,
    PosBooks,
    PosPackage,
    PostingDelays,
    Reading,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from bot.ports import FeedRow, Portion
from storage import rows, tables
from storage.bodies import from_json
from storage.duplicates import duplicate_receipts
from storage.engine import Database, Insert
from storage.rows import UNTOLD, Columns

T = TypeVar("T")

_PACKAGES = tables.table_of(tables.PackageRow)
_SOURCES = tables.table_of(tables.PackageSourceRow)
_RECEIPTS = tables.table_of(tables.ReceiptRow)
_RECEIPT_LINES = tables.table_of(tables.ReceiptLineRow)
_DELIVERIES = tables.table_of(tables.DeliveryRow)
_TRANSFERS = tables.table_of(tables.TransferRow)
_TRANSFER_PACKAGES = tables.table_of(tables.TransferPackageRow)
_TRANSFERRED = tables.table_of(tables.TransferredRow)
_ADJUSTMENTS = tables.table_of(tables.AdjustmentRow)
_ITEMS = tables.table_of(tables.ItemRow)
_COVERAGE = tables.table_of(tables.CoverageRow)
_POS_PACKAGES = tables.table_of(tables.PosPackageRow)
_POS_SALES = tables.table_of(tables.PosSaleLineRow)
_POS_EVENTS = tables.table_of(tables.PosEventRow)

_AT_ONCE = 500  # values in one IN list; SQLite takes 32,766 parameters, and plans stay small


class SqlMirror:
    """See ``bot.ports.Mirror``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database, license_number: str) -> None:
        self._database = database
        self._license = license_number

    # --- writing ------------------------------------------------------------------------------------------------------

    async def store(self, feed: Feed, rows: Sequence[FeedRow], covered: Window, read_at: datetime) -> Coverage:
        """Write what one window of the feed held, and join the window to the coverage."""
        async with self._database.writing(self._lock) as connection:
            await self._write(connection, rows, read_at)
            return await self._cover(connection, Coverage(feed, covered, read_at))

    async def store_all(self, portions: Sequence[Portion], read_at: datetime) -> dict[Feed, Coverage]:
        """The same for several feeds in one transaction."""
        async with self._database.writing(self._lock) as connection:
            await self._write(connection, [row for portion in portions for row in portion.rows], read_at)
            return {
                one.feed: await self._cover(connection, Coverage(one.feed, one.covered, read_at)) for one in portions
            }

    async def keep(self, found: Sequence[FeedRow], read_at: datetime) -> None:
        """Write rows of a feed without claiming that any window of it is held."""
        async with self._database.writing(self._lock) as connection:
            await self._write(connection, found, read_at)

    async def store_receipt(self, receipt: MetrcReceipt, read_at: datetime) -> None:
        """Write one receipt with its lines."""
        columns = rows.receipt_columns(receipt, read_at) | rows.receipt_lines_columns(receipt, read_at)
        async with self._database.writing(self._lock) as connection:
            if await self._write_whole(connection, _RECEIPTS, columns):
                key = {"metrc_id": receipt.id}
                await self._index(connection, _RECEIPT_LINES, key, (line.label for line in receipt.lines or ()))

    async def store_delivery(self, delivery: MetrcDelivery, read_at: datetime) -> None:
        """Write one delivery with its lines."""
        columns = rows.delivery_columns(delivery, read_at) | rows.lines_columns(delivery.lines, read_at)
        async with self._database.writing(self._lock) as connection:
            await self._write_whole(connection, _DELIVERIES, columns)

    async def store_transfer_packages(
        self, transfer: Transfer, packages: Sequence[TransferPackage], read_at: datetime
    ) -> None:
        """Write the packages of one manifest, and the manifest itself."""
        columns = rows.transfer_columns(transfer, read_at) | rows.packages_columns(packages, read_at)
        async with self._database.writing(self._lock) as connection:
            if await self._write_whole(connection, _TRANSFERS, columns):
                key = {"direction": transfer.direction.value, "metrc_id": transfer.id}
                await self._index(connection, _TRANSFER_PACKAGES, key, (package.label for package in packages))

    async def store_books(self, books: PosBooks) -> None:
        """Write POS records; sales and events by id, inventory as the newest state."""
        async with self._database.writing(f"pos/{self._license}") as connection:
            await self._replace_inventory(connection, books.inventory)
            await self._write_book(connection, _POS_SALES, books.sales, rows.sale_line_columns)
            await self._write_book(connection, _POS_EVENTS, books.events, rows.event_columns)

    @property
    def _lock(self) -> str:
        return f"metrc/{self._license}"

    async def _write(self, connection: AsyncConnection, found: Sequence[FeedRow], read_at: datetime) -> None:
        adjustments = [one for one in found if isinstance(one, Adjustment)]
        await self._add(connection, _ADJUSTMENTS, list(rows.adjustment_columns(adjustments, read_at)))
        sources = [source for one in found if isinstance(one, MetrcPackage) for source in rows.source_columns(one)]
        await self._add(connection, _SOURCES, sources)
        # Only an item embedded in a package may come without an id, and that is kept with its package.
        listed = [one for one in found if not (isinstance(one, MetrcItem) and one.id is None)]
        for kind, (table, columns) in _LISTS.items():
            await self._upsert(connection, table, [columns(one, read_at) for one in listed if isinstance(one, kind)])

    async def _cover(self, connection: AsyncConnection, new: Coverage) -> Coverage:
        joined = join(await self._held(connection, new.feed), new)
        await self._upsert(connection, _COVERAGE, [rows.coverage_columns(joined)])
        return joined

    async def _held(self, connection: AsyncConnection, feed: Feed) -> Coverage | None:
        found = (await connection.execute(_HELD, {"of": self._license, "which": feed.value})).one_or_none()
        return None if found is None else rows.coverage_of(found)

    async def _write_whole(self, connection: AsyncConnection, table: Table, columns: Columns) -> bool:
        """Write a record that was read by id; False: a newer one is held already."""
        keys = [column for column in table.primary_key.columns if column.name != "license"]
        same = and_(*(column == columns[column.name] for column in keys))
        held = await connection.scalar(select(table.c.changed_at).where(table.c.license == self._license, same))
        if columns["changed_at"] == UNTOLD:
            # It was just read, so without a time of its own it is as new as what is held.
            columns = columns | {"changed_at": held or UNTOLD}
        if held and columns["changed_at"] < held:
            return False
        await self._upsert(connection, table, [columns])
        return True

    async def _index(self, connection: AsyncConnection, table: Table, key: Columns, labels: Iterable[str]) -> None:
        same = and_(*(table.c[name] == value for name, value in key.items()))
        await connection.execute(delete(table).where(table.c.license == self._license, same))
        await self._add(connection, table, [key | {"label": label} for label in sorted(set(labels))])

    async def _replace_inventory(self, connection: AsyncConnection, inventory: Reading[tuple[PosPackage, ...]]) -> None:
        if inventory.value is None:
            return
        as_of = inventory.as_of or UNTOLD
        newest = select(func.max(_POS_PACKAGES.c.as_of)).where(_POS_PACKAGES.c.license == self._license)
        if (held := await connection.scalar(newest)) and as_of < held:
            return
        await connection.execute(delete(_POS_PACKAGES).where(_POS_PACKAGES.c.license == self._license))
        found = [rows.pos_package_columns(at, package, as_of) for at, package in enumerate(inventory.value)]
        await self._add(connection, _POS_PACKAGES, found)

    async def _write_book(
        self,
        connection: AsyncConnection,
        table: Table,
        book: Reading[tuple[T, ...]],
        columns: Callable[[T, datetime], Columns],
    ) -> None:
        as_of = book.as_of or UNTOLD
        await self._upsert(connection, table, [columns(entry, as_of) for entry in book.value or ()])

    async def _upsert(self, connection: AsyncConnection, table: Table, found: Sequence[Columns]) -> None:
        """Write rows of equal columns over older ones; a row that is older than the one held changes nothing."""
        if not found:
            return
        statement = _upserting(self._database.insert, table, tuple(found[0]))
        await connection.execute(statement, self._licensed(found))

    async def _add(self, connection: AsyncConnection, table: Table, found: Sequence[Columns]) -> None:
        """Write rows that are not there yet."""
        if found:
            await connection.execute(_adding(self._database.insert, table), self._licensed(found))

    def _licensed(self, found: Sequence[Columns]) -> list[Columns]:
        return [{"license": self._license, **columns} for columns in found]

    # --- reading ------------------------------------------------------------------------------------------------------

    async def coverage(self, feed: Feed) -> Coverage | None:
        """What is held of this feed."""
        async with self._database.reading() as connection:
            return await self._held(connection, feed)

    async def receipts_touching(self, label: str) -> tuple[MetrcReceipt, ...]:
        """Receipts, live and voided, with a line on this label; with all their lines; oldest sale first.

        One that changed since its lines were read is among ``receipts_unread`` instead, unless the change voided it.
        """
        on = and_(_RECEIPTS.c.license == _RECEIPT_LINES.c.license, _RECEIPTS.c.metrc_id == _RECEIPT_LINES.c.metrc_id)
        statement = (
            self._select_receipts()
            .join(_RECEIPT_LINES, on)
            .where(_RECEIPT_LINES.c.license == self._license, _RECEIPT_LINES.c.label == label)
            .where(_RECEIPTS.c.lines_read_at.is_not(None))
        )
        return _receipts(await self._all(statement))

    async def receipts_like(
        self, external_numbers: Collection[str], sold_at: Collection[datetime]
    ) -> tuple[MetrcReceipt, ...]:
        """Receipts with one of these external numbers, or rung up at one of these moments; oldest sale first."""
        numbers = [_RECEIPTS.c.external_number.in_(some) for some in _pieces(set(external_numbers))]
        moments = [_RECEIPTS.c.sold_at.in_(some) for some in _pieces(set(sold_at))]
        return await self._receipts_where(*numbers, *moments)

    async def receipts_unread(self, since: datetime, limit: int) -> tuple[MetrcReceipt, ...]:
        """Live receipts sold since then whose lines were not read, newest first; those of unknown time come last."""
        statement = (
            self._select_receipts()
            .order_by(None)
            .where(_RECEIPTS.c.archived_on.is_(None), _RECEIPTS.c.lines_read_at.is_(None))
            .where(or_(_RECEIPTS.c.sold_at >= since, _RECEIPTS.c.sold_at.is_(None)))
            .order_by(_RECEIPTS.c.sold_at.desc().nulls_last(), _RECEIPTS.c.metrc_id.desc())
            .limit(limit)
        )
        return _receipts(await self._all(statement))

    async def receipts_foreign(self, known: Collection[str], window: Window, limit: int) -> tuple[MetrcReceipt, ...]:
        """Live receipts sold in the window whose external number is missing or not among ``known``; the newest."""
        numbers = (
            select(_RECEIPTS.c.metrc_id, _RECEIPTS.c.external_number)
            .where(_RECEIPTS.c.license == self._license, _RECEIPTS.c.archived_on.is_(None))
            .where(_RECEIPTS.c.sold_at.between(window.start, window.end))
            .order_by(_RECEIPTS.c.sold_at.desc(), _RECEIPTS.c.metrc_id.desc())
        )
        # Compared here, for thousands of known numbers do not fit into one statement.
        ours = frozenset(known) - {""}
        foreign = [row.metrc_id for row in await self._all(numbers) if row.external_number not in ours][:limit]
        return await self._receipts_where(*(_RECEIPTS.c.metrc_id.in_(some) for some in _pieces(foreign)))

    def duplicate_receipts(self, since: datetime, limit: int) -> AsyncIterator[tuple[MetrcReceipt, ...]]:
        """Groups of live receipts with lines that may be one sale, the newest sale first; see ``storage.duplicates``."""
        return duplicate_receipts(self._database, self._license, since, limit)

    async def deliveries_between(self, window: Window) -> tuple[MetrcDelivery, ...]:
        """Deliveries by sale time, oldest first; lines where they were read."""
        statement = (
            select(_DELIVERIES.c.body, _valid(_DELIVERIES.c.lines, _DELIVERIES.c.lines_read_at))
            .where(_DELIVERIES.c.license == self._license)
            .where(_DELIVERIES.c.sold_at.between(window.start, window.end))
            .order_by(_DELIVERIES.c.sold_at, _DELIVERIES.c.metrc_id)
        )
        return tuple(rows.delivery_of(row.body, row.parts) for row in await self._all(statement))

    async def transfers_touching(self, label: str) -> tuple[Transfer, ...]:
        """Manifests, any direction, that carry this label; with all their packages; the last changed comes last.

        One that changed since its packages were read is among ``transfers_unread`` instead.
        """
        both = ("license", "direction", "metrc_id")
        on = and_(*(_TRANSFERS.c[name] == _TRANSFER_PACKAGES.c[name] for name in both))
        statement = (
            self._select_transfers()
            .join(_TRANSFER_PACKAGES, on)
            .where(_TRANSFER_PACKAGES.c.license == self._license, _TRANSFER_PACKAGES.c.label == label)
            .where(_TRANSFERS.c.packages_read_at.is_not(None))
            .order_by(_TRANSFERS.c.changed_at, _TRANSFERS.c.metrc_id, _TRANSFERS.c.direction)
        )
        return tuple(rows.transfer_of(row.body, row.parts) for row in await self._all(statement))

    async def transfers_unread(self, since: datetime, limit: int) -> tuple[Transfer, ...]:
        """Manifests changed since then whose packages were not read, newest first."""
        statement = (
            self._select_transfers()
            .where(_TRANSFERS.c.packages_read_at.is_(None), _TRANSFERS.c.changed_at >= since)
            .order_by(_TRANSFERS.c.changed_at.desc(), _TRANSFERS.c.metrc_id.desc(), _TRANSFERS.c.direction)
            .limit(limit)
        )
        return tuple(rows.transfer_of(row.body, row.parts) for row in await self._all(statement))

    async def transfers_named(self, number: str) -> tuple[Transfer, ...]:
        """Manifests, any direction, of this number (whatever its leading zeros) or id; the last changed comes last."""
        bare = number.strip().lstrip("0")
        # METRC pads manifest numbers to ten digits; a shop may leave the zeros out
        named = _TRANSFERS.c.manifest.in_({number.strip(), bare, bare.zfill(10)})
        of_id = _TRANSFERS.c.metrc_id == int(bare) if _may_be_id(bare) else false()
        order = (_TRANSFERS.c.changed_at, _TRANSFERS.c.metrc_id, _TRANSFERS.c.direction)
        statement = self._select_transfers().where(or_(named, of_id)).order_by(*order)
        return tuple(rows.transfer_of(row.body, row.parts) for row in await self._all(statement))

    async def transferred_touching(self, label: str) -> tuple[TransferredPackage, ...]:
        """Rows of the transferred list for this label."""
        order = (_TRANSFERRED.c.manifest, _TRANSFERRED.c.recipient)
        return await self._bodies(TransferredPackage, _TRANSFERRED, _TRANSFERRED.c.label == label, *order)

    async def adjustments_of(self, label: str) -> tuple[Adjustment, ...]:
        """Adjustments of this package, oldest first; those of one day in no particular order."""
        order = (_ADJUSTMENTS.c.adjusted_on.nulls_first(), _ADJUSTMENTS.c.fingerprint, _ADJUSTMENTS.c.ordinal)
        return await self._bodies(Adjustment, _ADJUSTMENTS, _ADJUSTMENTS.c.label == label, *order)

    async def package(self, label: str) -> MetrcPackage | None:
        """The package as last seen in any list."""
        found = await self._packages_where(_PACKAGES.c.label == label)
        return found[-1] if found else None

    async def packages_near(self, label: str) -> tuple[MetrcPackage, ...]:
        """Packages whose label is at most two edits from this one, itself left out; nearest first."""
        labels = select(_PACKAGES.c.label).where(_PACKAGES.c.license == self._license).distinct()
        held = [row.label for row in await self._all(labels)]
        near = [other for _, other in await asyncio.to_thread(nearest, label, held)]
        found = [one for some in _pieces(near) for one in await self._packages_where(_PACKAGES.c.label.in_(some))]
        newest = {package.label: package for package in found}
        return tuple(newest[other] for other in near if other in newest)

    async def labels_ending(self, tail: str, limit: int) -> tuple[str, ...]:
        """Labels that end like this, in their order; at most ``limit``."""
        ending = _PACKAGES.c.label.endswith(tail, autoescape=True)
        labels = select(_PACKAGES.c.label).where(_PACKAGES.c.license == self._license, ending).distinct()
        return tuple(row.label for row in await self._all(labels.order_by(_PACKAGES.c.label).limit(limit)))

    async def packages_mentioning(self, word: str) -> tuple[MetrcPackage, ...]:
        """Packages whose item's name holds this word, whatever its case, or whose item has it as its id; by label."""
        wanted = word.casefold()
        # the database folds the case of plain letters only, so other words are compared here alone
        holds = func.lower(_PACKAGES.c.body).contains(wanted, autoescape=True) if wanted.isascii() else true()
        found = await self._packages_where(holds)
        named = [one for one in found if wanted in (one.item.name or "").casefold() or wanted == str(one.item.id)]
        return tuple(sorted({one.label: one for one in named}.values(), key=lambda one: one.label))

    async def children_of(self, label: str) -> tuple[MetrcPackage, ...]:
        """Packages that name this one as a source."""
        ids = select(_SOURCES.c.metrc_id).where(_SOURCES.c.license == self._license, _SOURCES.c.label == label)
        found = await self._packages_where(_PACKAGES.c.metrc_id.in_(ids))
        # The index keeps a source that METRC has since taken off the package; the package itself does not.
        return tuple(package for package in found if label in package.source_labels)

    async def delays(self, since: datetime) -> PostingDelays | None:
        """How long receipts sold since then took to be recorded; None when there are none."""
        statement = (
            select(_RECEIPTS.c.sold_at, _RECEIPTS.c.recorded_at)
            .where(_RECEIPTS.c.license == self._license, _RECEIPTS.c.archived_on.is_(None))
            .where(_RECEIPTS.c.sold_at >= since, _RECEIPTS.c.recorded_at.is_not(None))
        )
        return delays_of((row.sold_at, row.recorded_at) for row in await self._all(statement))

    def _of(self, table: Table) -> Select[Any]:
        return select(table).where(table.c.license == self._license)

    def _select_receipts(self) -> Select[Any]:
        return (
            select(_RECEIPTS.c.body, _valid(_RECEIPTS.c.lines, _RECEIPTS.c.lines_read_at))
            .where(_RECEIPTS.c.license == self._license)
            .order_by(_RECEIPTS.c.sold_at, _RECEIPTS.c.metrc_id)
        )

    def _select_transfers(self) -> Select[Any]:
        return select(_TRANSFERS.c.body, _valid(_TRANSFERS.c.packages, _TRANSFERS.c.packages_read_at)).where(
            _TRANSFERS.c.license == self._license
        )

    async def _receipts_where(self, *any_of: ColumnElement[bool]) -> tuple[MetrcReceipt, ...]:
        found: dict[int, MetrcReceipt] = {}
        for condition in any_of:
            found |= {one.id: one for one in _receipts(await self._all(self._select_receipts().where(condition)))}
        return tuple(sorted(found.values(), key=lambda one: (one.sold_at or UNTOLD, one.id)))

    async def _packages_where(self, condition: ColumnElement[bool]) -> tuple[MetrcPackage, ...]:
        order = (_PACKAGES.c.changed_at, _PACKAGES.c.read_at, _PACKAGES.c.metrc_id)
        return await self._bodies(MetrcPackage, _PACKAGES, condition, *order)

    async def _bodies(
        self, kind: type[T], table: Table, condition: ColumnElement[bool], *order: ColumnElement[Any]
    ) -> tuple[T, ...]:
        statement = select(table.c.body).where(table.c.license == self._license, condition).order_by(*order)
        return tuple(from_json(kind, row.body) for row in await self._all(statement))

    async def _all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found


_LISTS: dict[type, tuple[Table, Callable[[Any, datetime], Columns]]] = {
    MetrcPackage: (_PACKAGES, rows.package_columns),
    MetrcReceipt: (_RECEIPTS, rows.receipt_columns),
    MetrcDelivery: (_DELIVERIES, rows.delivery_columns),
    Transfer: (_TRANSFERS, rows.transfer_columns),
    TransferredPackage: (_TRANSFERRED, rows.transferred_columns),
    MetrcItem: (_ITEMS, rows.item_columns),
}


# Statements are made once: making one costs more than executing it.


@cache
def _upserting(insert: Callable[[Table], Insert], table: Table, names: tuple[str, ...]) -> Insert:
    into = insert(table)
    values = {name: into.excluded[name] for name in names if not table.c[name].primary_key}
    values |= _outdated(table, into, values)
    return into.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=values, where=_no_older(table, into)
    )


@cache
def _adding(insert: Callable[[Table], Insert], table: Table) -> Insert:
    return insert(table).on_conflict_do_nothing()


_HELD = select(_COVERAGE).where(_COVERAGE.c.license == bindparam("of"), _COVERAGE.c.feed == bindparam("which"))


def _no_older(table: Table, insert: Insert) -> ColumnElement[bool] | None:
    """Which of two versions of a row stands: by METRC's time of change, or by the time of the POS's answer."""
    clock = next((name for name in ("changed_at", "as_of") if name in table.c), None)
    return None if clock is None else insert.excluded[clock] >= table.c[clock]


def _outdated(table: Table, insert: Insert, values: Columns) -> Columns:
    """A record that moved on must have its lines or packages read again; voiding one leaves its lines as they were.

    Either way a receipt is out of the search for duplicates, until its lines are read again.
    """
    mark = next((name for name in ("lines_read_at", "packages_read_at") if name in table.c), None)
    if mark is None or mark in values:
        return {}
    moved_on = insert.excluded.changed_at > table.c.changed_at
    stale = moved_on
    if "archived_on" in table.c:
        is_live, was_live = insert.excluded.archived_on.is_(None), table.c.archived_on.is_(None)
        stale = and_(is_live, or_(moved_on, not_(was_live)))
        moved_on = or_(moved_on, not_(is_live), not_(was_live))
    kept = {mark: case((stale, null()), else_=table.c[mark])}
    return kept | ({"lines_key": case((moved_on, null()), else_=table.c.lines_key)} if "lines_key" in table.c else {})


def _may_be_id(text: str) -> bool:
    # eighteen digits fit into the column on every database
    return text.isascii() and text.isdigit() and len(text) <= 18


def _valid(parts: ColumnElement[Any], read_at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((read_at.is_(None), null()), else_=parts).label("parts")


def _receipts(found: Iterable[Row[Any]]) -> tuple[MetrcReceipt, ...]:
    return tuple(rows.receipt_of(row.body, row.parts) for row in found)


def _pieces(values: Collection[T]) -> Iterator[list[T]]:
    every = list(values)
    return (every[at : at + _AT_ONCE] for at in range(0, len(every), _AT_ONCE))
