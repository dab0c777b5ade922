"""A small METRC and POS in memory, and a process that syncs from them and may die at any statement."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import event
from sqlalchemy.engine import Engine

from bot.errors import MetrcError, MetrcNotFound
from bot.mirror import SyncReport, sync
from bot.model import (
    Adjustment,
    Direction,
    MetrcDelivery,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    PosBooks,
    PosEvent,
    PosPackage,
    PosSaleLine,
    Reading,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from storage.books import SqlBooks, open_books

SINCE = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 3, tzinfo=UTC)
LICENSE = "402R-X0042"


def day(number: int) -> datetime:
    return SINCE + timedelta(days=number)


def label(number: int) -> str:
    return f"1A4FF01000000220{number:08d}"


def line(number: int) -> MetrcLine:
    return MetrcLine(label(number), Decimal("1.0"), "Each")


def receipt(number: int, **changes: object) -> MetrcReceipt:
    at = day(number)
    healthy = MetrcReceipt(
        number, None, f"POS-{number}", at, at, last_modified=at, lines=(line(number), line(number + 1))
    )
    return replace(healthy, **changes)


class FakeMetrc:
    """Holds records and answers by window. ``failing``: method name → error. ``asked``: method name and argument."""

    license = LICENSE

    def __init__(self) -> None:
        self.requests = 0
        self.widest = timedelta(days=1)
        self.asked: list[tuple[str, object]] = []
        self.failing: dict[object, MetrcError] = {}
        self.receipt_rows = [receipt(n) for n in range(1, 28)]
        self.voided = [receipt(n, id=100 + n, archived_on=date(2026, 3, 1)) for n in (3, 9)]
        self.delivery_rows = [
            MetrcDelivery(n, None, day(n), day(n), last_modified=day(n), lines=(line(n),)) for n in (2, 12)
        ]
        self.transfer_rows = [
            Transfer(n, f"{n:010d}", way, 50 + n, last_modified=day(n))
            for n, way in ((4, Direction.INCOMING), (4, Direction.OUTGOING), (20, Direction.INCOMING))
        ]
        self.package_rows = [
            MetrcPackage(
                n, label(n), Decimal(n), "Each", MetrcItem(1, "Sunbreak"),
                last_modified=day(n % 29), source_labels=(label(n + 1),), listing=listing,
            )
            for n in range(1, 30)
            for listing in [PackageList.ACTIVE if n % 3 else PackageList.INACTIVE]
        ]  # fmt: skip
        self.adjustment_rows = [Adjustment(label(1), 1, Decimal("-1.0"), "Each", on=date(2026, 2, 2))] * 2

    def _answer(self, name: str, about: object) -> None:
        self.requests += 1
        self.asked.append((name, about))
        for key in (name, (name, about)):
            if key in self.failing:
                raise self.failing[key]

    async def packages(self, listing: PackageList, window: Window) -> tuple[MetrcPackage, ...]:
        self._answer(f"packages/{listing}", window)
        return tuple(one for one in within(self.package_rows, window) if one.listing is listing)

    async def transferred(self, window: Window) -> tuple[TransferredPackage, ...]:
        self._answer("transferred", window)
        return (TransferredPackage(label(7), 7, "0000000004", "402R-X0099"),)

    async def adjustments(self, window: Window) -> tuple[Adjustment, ...]:
        self._answer("adjustments", window)
        return tuple(self.adjustment_rows)

    async def receipts(self, *, active: bool, window: Window) -> tuple[MetrcReceipt, ...]:
        self._answer(f"receipts/{'active' if active else 'inactive'}", window)
        rows = within(self.receipt_rows if active else self.voided, window)
        return tuple(replace(row, lines=None) for row in rows)

    async def receipt(self, receipt_id: int) -> MetrcReceipt:
        self._answer("receipt", receipt_id)
        return next(row for row in self.receipt_rows + self.voided if row.id == receipt_id)

    async def deliveries(self, *, active: bool, window: Window) -> tuple[MetrcDelivery, ...]:
        self._answer(f"deliveries/{'active' if active else 'inactive'}", window)
        return tuple(replace(row, lines=None) for row in within(self.delivery_rows, window) if active)

    async def delivery(self, delivery_id: int) -> MetrcDelivery:
        self._answer("delivery", delivery_id)
        return next(row for row in self.delivery_rows if row.id == delivery_id)

    async def transfers(self, direction: Direction, window: Window) -> tuple[Transfer, ...]:
        self._answer(f"transfers/{direction}", window)
        return tuple(row for row in within(self.transfer_rows, window) if row.direction is direction)

    async def transfer_packages(self, delivery_id: int) -> tuple[TransferPackage, ...]:
        self._answer("transfer_packages", delivery_id)
        return (TransferPackage(label(delivery_id), shipped_quantity=Decimal(40)),)

    async def items(self, window: Window) -> tuple[MetrcItem, ...]:
        self._answer("items", window)
        return (MetrcItem(1, "Sunbreak", last_modified=day(1)),)

    async def facilities(self) -> tuple[object, ...]:
        raise MetrcNotFound("Not asked for in a sync.")

    async def rights(self, employee_license: str) -> frozenset[str]:
        raise MetrcNotFound("Not asked for in a sync.")

    async def package(self, label: str, *, license_number: str | None = None) -> MetrcPackage:
        raise MetrcNotFound("Not asked for in a sync.")

    async def probe(self, family: str) -> None:
        raise MetrcNotFound("Not asked for in a sync.")


class FakePos:
    """A POS with one package, one sale and one event."""

    def __init__(self, **changes: object) -> None:
        self.changes = changes

    async def read(self, now: datetime) -> PosBooks:
        healthy = PosBooks(
            Reading("pos", "inventory", NOW, (PosPackage("r1", label(1), Decimal(20), "Each", "Sunbreak"),)),
            Reading("pos", "sales", NOW, (PosSaleLine("s1", "1", label(1), Decimal(1), day(1)),)),
            Reading("pos", "events", NOW, (PosEvent("e1", "receive", label(1), day(1)),)),
        )
        return replace(healthy, **self.changes)


def within(rows: list, window: Window) -> list:
    return [row for row in rows if window.start <= row.last_modified <= window.end]


async def synced(books: SqlBooks) -> SyncReport:
    return await sync(FakeMetrc(), FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW)


async def main(url: str) -> None:
    books = await open_books(url)
    await synced(books)
    await books.close()


def die_before_write(number: int) -> None:
    left = number

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_) -> None:
        nonlocal left
        left -= statement.lstrip().startswith(("INSERT", "DELETE"))
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def dying(url: str, writes: int) -> None:
    """A process that syncs into the database and kills itself right before its n-th write."""
    die_before_write(writes)
    asyncio.run(main(url))
