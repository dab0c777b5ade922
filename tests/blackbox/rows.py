"""Raw METRC rows for scenarios: a sample row with a few cells changed, so that every other cell keeps its shape."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from tests.blackbox.metrc_files import MetrcFiles, Row, sample

PREFIX = "1A4FF01000000220000"


def label(number: int) -> str:
    """A label of 24 characters."""
    return f"{PREFIX}{number:05d}"


@cache
def _templates() -> dict[str, Row]:
    return {
        "package": sample("package-by-label.json"),
        "receipt": sample("sales-receipt-by-id-880101.json"),
        "transfer": sample("transfers-incoming.json")["Data"][0],
        "shipped": sample("delivery-560144-packages.json")["Data"][0],
    }


def _copy(name: str) -> Row:
    return copy.deepcopy(_templates()[name])


def package(number: int, quantity: float, *, unit: str = "Each", item: Row | None = None, **cells: Any) -> Row:
    """A package row, active unless its cells say otherwise; received long ago from a manifest outside the lists."""
    row = _copy("package")
    row |= {"Id": 5_600_000 + number, "Label": label(number), "Quantity": quantity, "UnitOfMeasureName": unit}
    row |= {"OriginalPackageQuantity": 50.0, "LastModified": "2026-02-25T18:00:00+00:00"}
    row |= {"ReceivedDateTime": "2026-02-20T17:32:10+00:00", "ReceivedFromManifestNumber": "0000410001"}
    row["Item"] |= {"Id": 95_000, "Name": "Test Cookies 1g"} | (item or {})
    return row | cells


def receipt(
    number: int,
    external: str | None,
    sold: str,
    recorded: str,
    *lines: tuple[int, float] | tuple[int, float, str],
    price: float = 20.0,
    **cells: Any,
) -> Row:
    """A receipt with its lines. ``sold``: the till's wall clock; ``recorded``: with offset; a line: label, quantity."""
    row = _copy("receipt")
    line = row["Transactions"][0]
    row |= {"Id": number, "ReceiptNumber": f"{number:010d}", "ExternalReceiptNumber": external, "SalesDateTime": sold}
    row |= {"RecordedDateTime": recorded, "LastModified": recorded, "TotalPackages": len(lines)}
    row |= {"TotalPrice": price * len(lines)}
    row["Transactions"] = [_line(line, what) | {"LastModified": recorded, "TotalPrice": price} for what in lines]
    return row | cells


def _line(like: Row, what: tuple[int, float] | tuple[int, float, str]) -> Row:
    number, quantity, unit = (*what, "Each")[:3]
    changed = {"PackageLabel": label(number), "PackageId": 5_600_000 + number, "QuantitySold": quantity}
    return copy.deepcopy(like) | changed | {"UnitOfMeasureName": unit, "ProductName": "Test Cookies 1g"}


def add_receipt(metrc: MetrcFiles, row: Row) -> None:
    """Put a receipt where METRC has it: finalized and voided ones are inactive; lists carry no lines."""
    closed = row["IsFinal"] or row["ArchivedDate"]
    metrc.receipts[row["Id"]] = row
    metrc.lists[f"sales/v2/receipts/{'inactive' if closed else 'active'}"].append(row | {"Transactions": []})


def transfer(number: int, *, delivery: int, created: str, **cells: Any) -> Row:
    """A manifest that left and was not received."""
    row = _copy("transfer")
    row |= {"Id": number, "ManifestNumber": f"{number:010d}", "DeliveryId": delivery, "InvoiceNumber": None}
    row |= {"CreatedDateTime": created, "LastModified": created, "PackageCount": 1, "DeliveryPackageCount": 1}
    return row | cells


def shipped(number: int, quantity: float, **cells: Any) -> Row:
    """A package on a manifest."""
    row = _copy("shipped")
    row |= {"PackageId": 5_600_000 + number, "PackageLabel": label(number), "ShippedQuantity": quantity}
    return row | {"ItemId": 95_000, "ItemName": "Test Cookies 1g"} | cells
