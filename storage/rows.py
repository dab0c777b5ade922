"""Values → columns. Pure; the way back is the body alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Row

from bot.model import (
    Adjustment,
    Coverage,
    Feed,
    MetrcDelivery,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    PosEvent,
    PosPackage,
    PosSaleLine,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from storage.bodies import from_json, to_json
from storage.keys import lines_key, moment_key, number_key

Columns = dict[str, Any]

UNTOLD = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time of change that METRC did not tell, so that times can be compared by the database."""

Lines = tuple[MetrcLine, ...]
Packages = tuple[TransferPackage, ...]


Spans = tuple[Window, ...]


def coverage_columns(coverage: Coverage) -> Columns:
    """A row of ``feed_coverage``."""
    return {
        "feed": coverage.feed,
        "starts_at": coverage.window.start,
        "ends_at": coverage.window.end,
        "read_at": coverage.read_at,
        "earlier": to_json(Spans, coverage.earlier) if coverage.earlier else None,
    }


def coverage_of(row: Row[Any]) -> Coverage:
    """The coverage that a row of ``feed_coverage`` holds."""
    earlier = from_json(Spans, row.earlier) if row.earlier else ()
    return Coverage(Feed(row.feed), Window(row.starts_at, row.ends_at), row.read_at, earlier)


def package_columns(package: MetrcPackage, read_at: datetime) -> Columns:
    """A row of ``metrc_package``."""
    return {
        "metrc_id": package.id,
        "label": package.label,
        "listing": package.listing,
        "changed_at": package.last_modified or UNTOLD,
        "read_at": read_at,
        "body": to_json(MetrcPackage, package),
    }


def source_columns(package: MetrcPackage) -> Iterator[Columns]:
    """Rows of ``metrc_package_source``."""
    return ({"label": label, "metrc_id": package.id} for label in package.source_labels)


def receipt_columns(receipt: MetrcReceipt, read_at: datetime) -> Columns:
    """A row of ``metrc_receipt`` without its lines."""
    return {
        "metrc_id": receipt.id,
        "external_number": receipt.external_number,
        "sold_at": receipt.sold_at,
        "recorded_at": receipt.recorded_at,
        "archived_on": receipt.archived_on,
        "changed_at": receipt.last_modified or UNTOLD,
        "read_at": read_at,
        "body": to_json(MetrcReceipt, replace(receipt, lines=None)),
        "number_key": number_key(receipt.external_number),
        "moment_key": moment_key(receipt.sold_at, receipt.total_price),
    }


def receipt_lines_columns(receipt: MetrcReceipt, read_at: datetime) -> Columns:
    """The columns that hold the lines of a receipt; one that was voided has no twin, so its lines get no key."""
    lines = receipt.lines if receipt.is_live else None
    living = [(line.label, line.quantity, line.unit) for line in lines or () if line.archived_on is None]
    return lines_columns(receipt.lines, read_at) | {"lines_key": lines_key(living)}


def delivery_columns(delivery: MetrcDelivery, read_at: datetime) -> Columns:
    """A row of ``metrc_delivery`` without its lines."""
    return {
        "metrc_id": delivery.id,
        "sold_at": delivery.sold_at,
        "recorded_at": delivery.recorded_at,
        "archived_on": delivery.voided_on,
        "changed_at": delivery.last_modified or UNTOLD,
        "read_at": read_at,
        "body": to_json(MetrcDelivery, replace(delivery, lines=None)),
    }


def transfer_columns(transfer: Transfer, read_at: datetime) -> Columns:
    """A row of ``metrc_transfer`` without its packages."""
    return {
        "direction": transfer.direction,
        "metrc_id": transfer.id,
        "manifest": transfer.manifest,
        "changed_at": transfer.last_modified or UNTOLD,
        "read_at": read_at,
        "body": to_json(Transfer, replace(transfer, packages=None)),
    }


def lines_columns(lines: Lines | None, read_at: datetime) -> Columns:
    """The columns that hold the lines of a delivery, and those of a receipt but for their key."""
    text = None if lines is None else to_json(Lines, lines)
    return {"lines": text, "lines_read_at": None if lines is None else read_at}


def packages_columns(packages: Sequence[TransferPackage], read_at: datetime) -> Columns:
    """The columns that hold the packages of a manifest."""
    return {"packages": to_json(Packages, tuple(packages)), "packages_read_at": read_at}


def transferred_columns(row: TransferredPackage, read_at: datetime) -> Columns:
    """A row of ``metrc_transferred``."""
    return {
        "label": row.label,
        "manifest": row.manifest or "",
        "recipient": row.recipient_license or "",
        "changed_at": read_at,
        "body": to_json(TransferredPackage, row),
    }


def adjustment_columns(adjustments: Iterable[Adjustment], read_at: datetime) -> Iterator[Columns]:
    """Rows of ``metrc_adjustment``. Equal ones of one reading are numbered, so reading them again adds none."""
    seen: Counter[str] = Counter()
    for adjustment in adjustments:
        fingerprint = _fingerprint(adjustment)
        seen[fingerprint] += 1
        yield {
            "fingerprint": fingerprint,
            "ordinal": seen[fingerprint],
            "label": adjustment.label,
            "adjusted_on": adjustment.on,
            "read_at": read_at,
            "body": to_json(Adjustment, adjustment),
        }


def item_columns(item: MetrcItem, read_at: datetime) -> Columns:
    """A row of ``metrc_item``."""
    return {
        "metrc_id": item.id,
        "name": item.name,
        "changed_at": item.last_modified or UNTOLD,
        "read_at": read_at,
        "body": to_json(MetrcItem, item),
    }


def pos_package_columns(ordinal: int, package: PosPackage, as_of: datetime) -> Columns:
    """A row of ``pos_package``."""
    return {
        "ordinal": ordinal,
        "record_id": package.record_id,
        "label": package.label,
        "as_of": as_of,
        "body": to_json(PosPackage, package),
    }


def sale_line_columns(line: PosSaleLine, as_of: datetime) -> Columns:
    """A row of ``pos_sale_line``."""
    return {
        "sale_id": line.sale_id,
        "line_id": line.line_id,
        "label": line.label,
        "sold_at": line.sold_at,
        "as_of": as_of,
        "body": to_json(PosSaleLine, line),
    }


def event_columns(entry: PosEvent, as_of: datetime) -> Columns:
    """A row of ``pos_event``."""
    return {
        "event_id": entry.event_id,
        "label": entry.label,
        "happened_at": entry.at,
        "as_of": as_of,
        "body": to_json(PosEvent, entry),
    }


def receipt_of(body: str, lines: str | None) -> MetrcReceipt:
    """A receipt, with its lines if there are any."""
    return replace(from_json(MetrcReceipt, body), lines=_lines(lines))


def delivery_of(body: str, lines: str | None) -> MetrcDelivery:
    """A delivery, with its lines if there are any."""
    return replace(from_json(MetrcDelivery, body), lines=_lines(lines))


def transfer_of(body: str, packages: str | None) -> Transfer:
    """A manifest, with its packages if there are any."""
    return replace(from_json(Transfer, body), packages=None if packages is None else from_json(Packages, packages))


def _lines(text: str | None) -> Lines | None:
    return None if text is None else from_json(Lines, text)


def _fingerprint(adjustment: Adjustment) -> str:
    # METRC sends 1 and 1.0 for the same quantity.
    alike = replace(adjustment, quantity=adjustment.quantity.normalize())
    return hashlib.sha256(to_json(Adjustment, alike).encode()).hexdigest()
