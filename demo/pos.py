"""The POS's side of a ``World`` as the three files that a shop without a POS interface exports."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from demo.world import PosEvent, PosLine, PosRow, World

INVENTORY: Final = (
    "license_number",
    "package_id",
    "product_id",
    "product_name",
    "category",
    "metrc_item_name",
    "metrc_category",
    "quantity",
    "unit",
    "unit_weight_g",
    "room",
    "received_at",
    "manifest_number",
    "status",
    "exported_at",
)
SALES: Final = (
    "license_number",
    "transaction_id",
    "line_id",
    "sold_at",
    "package_id",
    "quantity",
    "unit",
    "is_void",
    "is_return",
    "original_transaction_id",
    "trace_status",
    "trace_receipt_id",
    "trace_message",
    "reported_at",
)
EVENTS: Final = (
    "license_number",
    "event_id",
    "occurred_at",
    "event_type",
    "package_id",
    "from_quantity",
    "to_quantity",
    "unit",
    "actor",
    "reason",
    "reference",
)


def write_books(world: World, folder: Path, now: datetime, *, license_number: str | None = None) -> tuple[Path, ...]:
    """Write ``inventory.csv``, ``sales.csv`` and ``events.csv`` into ``folder``, each in one step; returns the paths.

    ``now`` becomes ``exported_at``. ``license_number`` None: every license of the world, else that one alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    books = Books(world, now, license_number)
    files = (
        ("inventory.csv", INVENTORY, books.inventory()),
        ("sales.csv", SALES, books.sales()),
        ("events.csv", EVENTS, books.events()),
    )
    return tuple(_write(folder / name, columns, rows) for name, columns, rows in files)


class Books:
    """The rows of the three files as text, in the world's order and the facility's zone."""

    def __init__(self, world: World, now: datetime, license_number: str | None = None) -> None:
        self.world = world
        self.now = now
        self.license_number = license_number

    def inventory(self) -> Iterator[list[str]]:
        """Rows in the order of ``INVENTORY``."""
        return (self._stock(row) for row in self.world.pos_rows if self._wanted(row.license))

    def sales(self) -> Iterator[list[str]]:
        """Rows in the order of ``SALES``."""
        return (self._sale(line) for line in self.world.pos_sales if self._wanted(line.license))

    def events(self) -> Iterator[list[str]]:
        """Rows in the order of ``EVENTS``."""
        return (self._event(event) for event in self.world.pos_events if self._wanted(event.license))

    def _wanted(self, number: str) -> bool:
        return self.license_number in (None, number)

    def _zone(self, number: str) -> ZoneInfo:
        return self.world.licenses[number].zone

    def _stock(self, row: PosRow) -> list[str]:
        zone = self._zone(row.license)
        return [
            row.license,
            row.label,
            row.product_id,
            row.product_name,
            row.category,
            row.metrc_item,
            row.metrc_category,
            _plain(row.quantity),
            row.unit,
            _plain(row.unit_weight_g),
            row.room,
            _local(row.received_at, zone),
            row.manifest,
            row.status,
            _local(self.now, zone),
        ]

    def _sale(self, line: PosLine) -> list[str]:
        zone = self._zone(line.license)
        return [
            line.license,
            line.sale_id,
            str(line.line_id),
            _local(line.sold_at, zone),
            line.label,
            _plain(line.quantity),
            line.unit,
            _yes(line.is_void),
            _yes(line.is_return),
            line.original_sale_id,
            line.status,
            line.receipt_id,
            line.message,
            _local(line.reported_at, zone),
        ]

    def _event(self, event: PosEvent) -> list[str]:
        return [
            event.license,
            event.event_id,
            _local(event.at, self._zone(event.license)),
            event.kind,
            event.label,
            _plain(event.from_quantity),
            _plain(event.to_quantity),
            event.unit,
            event.actor,
            event.reason,
            event.reference,
        ]


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _yes(value: object) -> str:
    return "true" if value else "false"


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else at.astimezone(zone).isoformat()


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A reader sees the old file or the new one, never a half."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    half = path.with_name(f".{path.name}.part")
    half.write_text(text.getvalue(), encoding="utf-8")
    return half.replace(path)
