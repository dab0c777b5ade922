"""What the mirror shows of a shop's rhythm: ``bot.ports.Statistics`` in SQL, for one license."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from bot.model import Coverage, Feed, MetrcDelivery, MetrcReceipt
from storage.engine import Database
from storage.rows import UNTOLD, coverage_of
from storage.tables import CoverageRow, DeliveryRow, PackageRow, ReceiptRow, table_of

_RECEIPTS = table_of(ReceiptRow)
_DELIVERIES = table_of(DeliveryRow)
_PACKAGES = table_of(PackageRow)
_COVERAGE = table_of(CoverageRow)


class SqlStatistics:
    """See ``bot.ports.Statistics``. Every method raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database, license_number: str) -> None:
        self._database = database
        self._license = license_number

    async def receipts(self, since: datetime) -> tuple[MetrcReceipt, ...]:
        """Receipts, live and voided, sold since then; without lines, oldest sale first."""
        return tuple(_receipt(row) for row in await self._all(self._receipts(since)))

    async def deliveries(self, since: datetime) -> tuple[MetrcDelivery, ...]:
        """Deliveries sold since then; without lines, oldest sale first."""
        return tuple(_delivery(row) for row in await self._all(self._deliveries(since)))

    async def sold(self, since: datetime) -> tuple[tuple[MetrcReceipt, ...], tuple[MetrcDelivery, ...]]:
        """Both, as they were at one moment."""
        async with self._database.reading() as connection:
            receipts = (await connection.execute(self._receipts(since))).all()
            deliveries = (await connection.execute(self._deliveries(since))).all()
        return tuple(map(_receipt, receipts)), tuple(map(_delivery, deliveries))

    async def recorded(self, since: datetime) -> tuple[tuple[datetime | None, datetime], ...]:
        """When receipts recorded since then were sold, and when METRC recorded them; in the order of recording."""
        mine = (
            select(_RECEIPTS.c.sold_at, _RECEIPTS.c.recorded_at)
            .where(_RECEIPTS.c.license == self._license, _RECEIPTS.c.recorded_at >= since)
            .order_by(_RECEIPTS.c.recorded_at)
        )
        return tuple((row.sold_at, row.recorded_at) for row in await self._all(mine))

    async def newest_record(self) -> datetime | None:
        """When METRC recorded the newest receipt."""
        mine = select(func.max(_RECEIPTS.c.recorded_at)).where(_RECEIPTS.c.license == self._license)
        async with self._database.reading() as connection:
            found: datetime | None = await connection.scalar(mine)
        return found

    async def newest_change(self) -> datetime | None:
        """When a package changed last, as METRC tells it."""
        mine = select(func.max(_PACKAGES.c.changed_at)).where(_PACKAGES.c.license == self._license)
        async with self._database.reading() as connection:
            found: datetime | None = await connection.scalar(mine)
        return None if found == UNTOLD else found

    async def changed(self, since: datetime) -> tuple[datetime, ...]:
        """When each package that changed since then did so last."""
        changed_at = _PACKAGES.c.changed_at
        mine = select(changed_at).where(_PACKAGES.c.license == self._license, changed_at >= since)
        return tuple(row.changed_at for row in await self._all(mine.order_by(changed_at)))

    def _receipts(self, since: datetime) -> Select[Any]:
        # the body is most of a row, and nobody here reads it
        columns = ("metrc_id", "external_number", "sold_at", "recorded_at", "archived_on")
        mine = select(*(_RECEIPTS.c[name] for name in columns)).where(_RECEIPTS.c.license == self._license)
        return mine.where(_RECEIPTS.c.sold_at >= since).order_by(_RECEIPTS.c.sold_at, _RECEIPTS.c.metrc_id)

    def _deliveries(self, since: datetime) -> Select[Any]:
        columns = ("metrc_id", "sold_at", "recorded_at", "archived_on")
        mine = select(*(_DELIVERIES.c[name] for name in columns)).where(_DELIVERIES.c.license == self._license)
        return mine.where(_DELIVERIES.c.sold_at >= since).order_by(_DELIVERIES.c.sold_at, _DELIVERIES.c.metrc_id)

    async def _all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading() as connection:
            found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return found


class SqlHoldings:
    """See ``bot.ports.Holdings``. Raises ``StorageError`` when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def held(self, feeds: Collection[Feed]) -> dict[str, dict[Feed, Coverage]]:
        """What is held of these feeds, by license."""
        found: dict[str, dict[Feed, Coverage]] = defaultdict(dict)
        statement = select(_COVERAGE).where(_COVERAGE.c.feed.in_([feed.value for feed in feeds]))
        async with self._database.reading() as connection:
            for row in (await connection.execute(statement)).all():
                coverage = coverage_of(row)
                found[row.license][coverage.feed] = coverage
        return found


def _receipt(row: Row[Any]) -> MetrcReceipt:
    return MetrcReceipt(
        id=row.metrc_id,
        number=None,
        external_number=row.external_number,
        sold_at=row.sold_at,
        recorded_at=row.recorded_at,
        archived_on=row.archived_on,
    )


def _delivery(row: Row[Any]) -> MetrcDelivery:
    return MetrcDelivery(
        id=row.metrc_id,
        number=None,
        sold_at=row.sold_at,
        recorded_at=row.recorded_at,
        voided_on=row.archived_on,
    )
