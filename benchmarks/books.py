"""Reading a large POS export, against the standard library merely splitting the same file."""

from __future__ import annotations

import csv
import io
import time
from zoneinfo import ZoneInfo

from benchmarks.table import Row, Scale
from bot.pos.csv.wire import Rules, read_inventory

HEADER = "license_number,package_id,product_name,quantity,unit,unit_weight_g,room,received_at,exported_at\n"


async def books(scale: Scale) -> list[Row]:
    """An inventory of many rows."""
    rows = (
        f"402R-X0042,1A4FF01{number:017d},Night Lantern 3.5g,{number % 90},Each,3.5,Sales Floor,"
        "2026-02-20T10:32:10-07:00,2026-03-02T20:30:00-07:00\n"
        for number in range(scale.rows)
    )
    text = HEADER + "".join(rows)
    began = time.perf_counter()
    sheet = read_inventory("inventory.csv", text, Rules("402R-X0042", ZoneInfo("America/Denver"), None, None))
    ours = time.perf_counter() - began
    began = time.perf_counter()
    split = sum(1 for _ in csv.reader(io.StringIO(text))) - 1
    theirs = time.perf_counter() - began
    if len(sheet.rows) != split:
        raise AssertionError(f"{split - len(sheet.rows)} rows were lost")
    return [Row(f"inventory export of {scale.rows:,} rows, read and checked", ours, "s", theirs, "csv.reader alone")]
