"""Text of POS exports into values: whole sample files, then every rule of a cell, a column and a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import PosUnreadable
from bot.model import LABEL_LENGTH, PosEvent, PosPackage, PosSaleLine, RefusedRow, Submission
from bot.pos.csv.wire import (
    COLUMNS,
    Book,
    CellRefused,
    Rules,
    clean,
    decode,
    header_key,
    read_events,
    read_flag,
    read_inventory,
    read_moment,
    read_quantity,
    read_sales,
    read_submission,
    read_tag,
    read_unit,
)

SAMPLES = Path(__file__).parents[1] / "data" / "pos-csv"
DENVER = ZoneInfo("America/Denver")
RULES = Rules("402R-X0042", DENVER)
TAG = "1A4FF0100000022000001001"
OTHER_TAG = "1A4FF0100000022000001002"


def sample(name: str) -> str:
    return decode((SAMPLES / name).read_bytes())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def inventory(*rows: str, header: str = "package_id,product_name,quantity,unit,room,received_at", rules: Rules = RULES):
    return read_inventory("inventory.csv", "\n".join((header, *rows)) + "\n", rules)


def reasons(sheet) -> list[str]:
    return [row.reason for row in sheet.refused]


# --- sample files -----------------------------------------------------------------------------------------------------

RECEIVED = utc(2026, 2, 20, 17, 32, 10)
STOCK = PosPackage(
    record_id=f"{TAG}/Sales Floor/5001/0000417733",
    label=TAG,
    quantity=Decimal(42),
    unit="Each",
    product_name="Night Lantern 3.5g",
    product_id="5001",
    category="Flower",
    metrc_item="Fern Hollow - Night Lantern - Flower 3.5g",
    metrc_category="Bud/Flower (Each)",
    unit_weight_g=Decimal("3.5"),
    room="Sales Floor",
    status="Active",
    received_at=RECEIVED,
    manifest="0000417733",
    as_of=utc(2026, 3, 3, 3, 30),
    where="generic_inventory.csv line 2",
)
TWICE = replace(
    STOCK,
    record_id="1A4FF0100000022000001007/Vault/5002/0000418902",
    label="1A4FF0100000022000001007",
    quantity=Decimal(40),
    product_name="Sunbreak Pre-Roll 5pk",
    product_id="5002",
    category="Pre-Rolls",
    metrc_item=None,
    metrc_category=None,
    unit_weight_g=Decimal("5.0"),
    room="Vault",
    received_at=utc(2026, 3, 2, 21, 35, 40),
    manifest="0000418902",
    where="generic_inventory.csv line 6",
)


def test_the_generic_inventory_is_read_whole():
    """Every row of the sample is a value, the twice received package twice, the mistyped tag as it was typed."""
    sheet = read_inventory("generic_inventory.csv", sample("generic_inventory.csv"), RULES)
    assert sheet.rows == (
        STOCK,
        replace(
            STOCK,
            record_id=f"{OTHER_TAG}/Sales Floor/5002/0000417733",
            label=OTHER_TAG,
            quantity=Decimal(19),
            product_name="Sunbreak Pre-Roll 5pk",
            product_id="5002",
            category="Pre-Rolls",
            metrc_item="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
            metrc_category="Raw Pre-Roll (Each)",
            unit_weight_g=Decimal(5),
            where="generic_inventory.csv line 3",
        ),
        replace(
            TWICE,
            record_id="1A4FF0100000022000001004/Sales Floor/5004/0000411208",
            label="1A4FF0100000022000001004",
            quantity=Decimal(11),
            product_name="Sunbreak Pre-Roll 1g",
            product_id="5004",
            unit_weight_g=Decimal(1),
            room="Sales Floor",
            received_at=utc(2026, 1, 12, 18, 20),
            manifest="0000411208",
            where="generic_inventory.csv line 4",
        ),
        replace(
            STOCK,
            record_id="1A4FF0100000022000001006/Sales Floor/5006/0000417733",
            label="1A4FF0100000022000001006",
            quantity=Decimal("452.59"),
            unit="Grams",
            product_name="Night Lantern Bulk",
            product_id="5006",
            category="Bulk Flower",
            metrc_item="Fern Hollow - Night Lantern - Bulk",
            metrc_category="Bud/Flower",
            unit_weight_g=Decimal(1),
            where="generic_inventory.csv line 5",
        ),
        TWICE,
        replace(
            TWICE,
            record_id="1A4FF0100000022000001007/Vault/5002/0000418903",
            received_at=utc(2026, 3, 2, 21, 47, 2),
            manifest="0000418903",
            where="generic_inventory.csv line 7",
        ),
        replace(
            TWICE,
            record_id="1A4FF0100000022O00001011/Sales Floor/5003/2026-02-24T12:00:00+00:00",
            label="1A4FF0100000022O00001011",
            quantity=Decimal(24),
            product_name="Plum Gummies 10pk",
            product_id="5003",
            category="Edibles",
            unit_weight_g=Decimal(45),
            room="Sales Floor",
            received_at=utc(2026, 2, 24, 12),
            manifest=None,
            where="generic_inventory.csv line 8",
        ),
    )
    assert (sheet.refused, sheet.notes, sheet.foreign) == ((), (), 0)


def test_the_dirty_inventory_is_read_row_by_row():
    """A lost tag and a missing one are refused, padding and date styles are understood, the total is no row."""
    sheet = read_inventory("dirty.csv", sample("generic_inventory_dirty.csv"), RULES)
    assert sheet.rows == (
        PosPackage(
            record_id=f"{OTHER_TAG}/Sales Floor/-/2026-02-20T07:00:00+00:00",
            label=OTHER_TAG,
            quantity=Decimal(19),
            unit="Each",
            product_name="Sunbreak Pre-Roll 5pk",
            room="Sales Floor",
            received_at=utc(2026, 2, 20, 7),
            where="dirty.csv line 3",
        ),
        PosPackage(
            record_id="1A4FF0100000022000001006/Vault/-/-",
            label="1A4FF0100000022000001006",
            quantity=Decimal("453.59"),
            unit="Grams",
            product_name="Night Lantern Bulk",
            room="Vault",
            where="dirty.csv line 4",
        ),
    )
    assert sheet.refused == (
        RefusedRow(
            "dirty.csv",
            2,
            'the package tag "1.A4FF01E+23" is a number: the tag was lost in the spreadsheet',
            "1.A4FF01E+23",
        ),
        RefusedRow("dirty.csv", 5, "it has no package tag"),
    )
    assert sheet.count == 4


def test_the_generic_sales_are_read_whole():
    """Every line of the sample is a value: reported, failed with the refusal's words, pending and voided."""
    reported = PosSaleLine(
        sale_id="POS-20260301-00388",
        line_id="1",
        label=TAG,
        quantity=Decimal(1),
        sold_at=utc(2026, 3, 1, 19, 15),
        unit="Each",
        submission=Submission.REPORTED,
        receipt_id="880110",
        reported_at=utc(2026, 3, 1, 19, 15, 4),
        where="generic_sales.csv line 2",
    )
    second = replace(
        reported,
        sale_id="POS-20260302-00418",
        sold_at=utc(2026, 3, 3, 0, 52, 30),
        receipt_id="880103",
        reported_at=utc(2026, 3, 3, 0, 52, 33),
        where="generic_sales.csv line 4",
    )
    assert read_sales("generic_sales.csv", sample("generic_sales.csv"), RULES).rows == (
        reported,
        replace(
            reported,
            sale_id="POS-20260302-00417",
            label=OTHER_TAG,
            sold_at=utc(2026, 3, 3, 0, 41, 7),
            receipt_id="880101",
            reported_at=utc(2026, 3, 3, 0, 41, 11),
            where="generic_sales.csv line 3",
        ),
        second,
        replace(second, line_id="2", label="1A4FF0100000022000001003", where="generic_sales.csv line 5"),
        replace(
            reported,
            sale_id="POS-20260302-00422",
            label="1A4FF0100000022000001006",
            sold_at=utc(2026, 3, 3, 1, 9, 30),
            submission=Submission.FAILED,
            receipt_id=None,
            message="Unit of Measure is not valid for the Package.",
            reported_at=None,
            where="generic_sales.csv line 6",
        ),
        replace(
            reported,
            sale_id="POS-20260302-00423",
            label="1A4FF0100000022000001004",
            sold_at=utc(2026, 3, 3, 3, 28, 10),
            submission=Submission.PENDING,
            receipt_id=None,
            reported_at=None,
            where="generic_sales.csv line 7",
        ),
        replace(
            reported,
            sale_id="POS-20260302-00419",
            sold_at=utc(2026, 3, 3, 0, 55, 10),
            is_void=True,
            submission=Submission.VOIDED,
            receipt_id="880099",
            reported_at=utc(2026, 3, 3, 0, 57, 5),
            where="generic_sales.csv line 8",
        ),
        replace(
            reported,
            sale_id="POS-20260302-00421",
            sold_at=utc(2026, 3, 3, 1, 5, 12),
            receipt_id="880104",
            reported_at=utc(2026, 3, 3, 3, 20, 44),
            where="generic_sales.csv line 9",
        ),
    )


def test_the_generic_events_are_read_whole():
    """Two receives with their manifests and an adjustment with its reason."""
    receive = PosEvent(
        event_id="31001",
        kind="receive",
        label="1A4FF0100000022000001007",
        at=utc(2026, 3, 2, 21, 35, 40),
        from_quantity=Decimal(0),
        to_quantity=Decimal(40),
        unit="Each",
        actor="D Orrin",
        reference="0000418902",
        where="generic_events.csv line 2",
    )
    assert read_events("generic_events.csv", sample("generic_events.csv"), RULES).rows == (
        receive,
        replace(
            receive,
            event_id="31003",
            at=utc(2026, 3, 2, 21, 47, 2),
            actor="L Marsh",
            reference="0000418903",
            where="generic_events.csv line 3",
        ),
        PosEvent(
            event_id="31010",
            kind="adjust",
            label=TAG,
            at=utc(2026, 2, 21, 18, 10),
            from_quantity=Decimal(60),
            to_quantity=Decimal(59),
            unit="Each",
            actor="D Orrin",
            reason="Damaged",
            where="generic_events.csv line 4",
        ),
    )


def test_a_treez_table_gives_the_state_tag_and_not_its_own_package_id():
    """One tag in two rooms is two rows; the shop's own package id is no tag and so is not taken for one."""
    rows = read_inventory("t.csv", sample("treez_inventory_table.csv"), RULES).rows
    assert [(r.label, r.room, r.quantity, r.unit, r.product_id, r.status) for r in rows] == [
        (OTHER_TAG, "VAULT", Decimal(8), "Each", "prod-5002", "AVAILABLE"),
        (OTHER_TAG, "FRONT OF HOUSE", Decimal(11), "Each", "prod-5002", "AVAILABLE"),
    ]
    assert len({row.record_id for row in rows}) == 2


def test_a_metrc_grid_holds_the_unit_in_the_quantity_cell():
    """A unit column is not missing where "41 ea" says it."""
    rows = read_inventory("m.csv", sample("metrc_active_packages.csv"), RULES).rows
    assert [(r.label[-4:], r.quantity, r.unit, r.received_at) for r in rows] == [
        ("1001", Decimal(41), "Each", utc(2026, 2, 20, 17, 32)),
        ("1002", Decimal(18), "Each", utc(2026, 2, 20, 17, 32)),
        ("1004", Decimal(12), "Each", utc(2026, 1, 12, 18, 20)),
    ]


def test_a_dutchie_package_history_is_an_audit_log():
    """The manifest number is found in the detail; without ids an event is named by its local time and manifest."""
    rows = read_events("h.csv", sample("dutchie_package_history.csv"), RULES).rows
    assert [(r.event_id, r.kind, r.change, r.reference, r.has_id) for r in rows] == [
        ("2026-03-02T14:35:00-07:00 0000418902", "receive", Decimal(40), "0000418902", False),
        ("2026-03-02T14:47:00-07:00 0000418903", "receive", Decimal(40), "0000418903", False),
    ]


def test_a_dutchie_journal_tells_the_quantity_of_a_receive_only():
    """Its one quantity column is what a receive brought, but says nothing about a changed detail."""
    rows = read_events("j.csv", sample("dutchie_inventory_journal.csv"), RULES).rows
    assert [(r.kind, r.label[-4:], r.change, r.actor) for r in rows] == [
        ("receive", "1007", Decimal(40), "D Orrin"),
        ("detail update", "1002", None, "L Marsh"),
    ]


# --- cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "tag"),
    [
        (TAG, TAG),
        (f"  {TAG.lower()}\t", TAG),
        (f"'{TAG}", TAG),
        (f'="{TAG}"', TAG),
        ("1A4FF0100000022O0000I011", "1A4FF0100000022O0000I011"),
        ("1A4000000000000000000E23", "1A4000000000000000000E23"),
    ],
)
def test_a_tag_is_taken_out_of_its_wrapping_and_never_changed(cell: str, tag: str):
    """Case and padding do not matter; a letter O stays a letter O."""
    assert read_tag(cell) == tag


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("", "no package tag"),
        ("   ", "no package tag"),
        ("1.A4FF01E+23", "lost in the spreadsheet"),
        ("1.4E+23", "lost in the spreadsheet"),
        ("1E23", "lost in the spreadsheet"),
        ("46073", "lost in the spreadsheet"),
        ("100000000000000000000000", "lost in the spreadsheet"),
        (TAG[:-1], "has 23 characters instead of 24"),
        (TAG + "0", "has 25 characters instead of 24"),
        (TAG[:-1] + "-", "something else than letters and digits"),
        (TAG[:-1] + "é", "something else than letters and digits"),
        (TAG[:-1] + "٣", "something else than letters and digits"),
        (f"={TAG}", "is a formula"),
        ("=A1&B1", "is a formula"),
    ],
)
def test_what_is_no_tag_is_refused_with_its_reason(cell: str, why: str):
    """A tag that cannot be read for certain is never guessed."""
    with pytest.raises(CellRefused, match=why):
        read_tag(cell)


@pytest.mark.parametrize(
    ("cell", "mark", "quantity", "unit"),
    [
        ("42", ".", "42", None),
        (" 1,042.00 ", ".", "1042.00", None),
        ("1,042", ".", "1042", None),
        ("1,234,567.5", ".", "1234567.5", None),
        ("-3", ".", "-3", None),
        ("+.5", ".", "0.5", None),
        ("41 ea", ".", "41", "Each"),
        ("453.59g", ".", "453.59", "Grams"),
        ("12 fl. oz.", ".", "12", "Fluid Ounces"),
        ("'7", ".", "7", None),
        ("1.042,00", ",", "1042.00", None),
        ("1.042", ",", "1042", None),
        ("1,042", ",", "1.042", None),
        ("1.042,00", None, "1042.00", None),
        ("1,042.00", None, "1042.00", None),
        ("3,5", None, "3.5", None),
        ("3.5", None, "3.5", None),
        ("42", None, "42", None),
        ("0.30000000000000004", ".", "0.30000000000000004", None),
    ],
)
def test_a_quantity_is_an_exact_decimal(cell: str, mark: str | None, quantity: str, unit: str | None):
    """Separators of thousands are taken off, and the unit is taken from the cell where it stands there."""
    assert read_quantity(cell, mark) == (Decimal(quantity), unit)


@pytest.mark.parametrize("mark", [".", ",", None])
@pytest.mark.parametrize(
    "cell",
    [
        "",
        "n/a",
        "-",
        "NaN",
        "inf",
        "Infinity",
        "1E3",
        "1.04E+03",
        "(3)",
        "$4",
        "1O",
        "4 2",
        "1,0,4",
        "٣",
        "=1+1",
        "9" * 40,
    ],
)
def test_what_is_no_number_is_refused_and_never_zero(cell: str, mark: str | None):
    """No text that is not a plain number becomes a quantity."""
    with pytest.raises(CellRefused):
        read_quantity(cell, mark)


@pytest.mark.parametrize("cell", ["3,5", "1,04", "1.042,00"])
def test_a_decimal_comma_is_no_number_where_the_comma_cuts_thousands(cell: str):
    """In a file with decimal points a comma may only stand before three digits."""
    with pytest.raises(CellRefused, match="is not a number"):
        read_quantity(cell, ".")


@pytest.mark.parametrize("cell", ["1.042", "1,042"])
def test_a_number_with_two_meanings_is_refused_as_ambiguous(cell: str):
    """Without a known decimal mark, one separator before three digits may be either."""
    with pytest.raises(CellRefused, match="ambiguous"):
        read_quantity(cell, None)


@pytest.mark.parametrize(
    ("cells", "quantities", "refused"),
    [
        (["1.042", "7"], ["7"], 1),
        (["1.042", "3.5"], ["1.042", "3.5"], 0),
        (["1.042", "3,5"], ["1042", "3.5"], 0),
        (["1.042", "3,5", "3.5"], ["3.5", "3.5"], 1),
        (["1.042,00", "8"], ["1042.00", "8"], 0),
    ],
)
def test_a_file_cut_by_semicolons_proves_its_decimal_mark_itself(cells, quantities, refused):
    """Another cell of the file decides what "1.042" means; contradictory cells decide nothing."""
    rows = [f"{TAG[:-4]}{at:04};x;{cell};g" for at, cell in enumerate(cells)]
    sheet = inventory(*rows, header="tag;product;qty;uom")
    assert [row.quantity for row in sheet.rows] == [Decimal(q) for q in quantities]
    assert len(sheet.refused) == refused


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-02-20T10:32:10-07:00", utc(2026, 2, 20, 17, 32, 10)),
        ("2026-02-20T17:32:10Z", utc(2026, 2, 20, 17, 32, 10)),
        ("2026-02-20 17:32:10.250 UTC", utc(2026, 2, 20, 17, 32, 10, 250_000)),
        ("2026-02-20T10:32:10.1234567-0700", utc(2026, 2, 20, 17, 32, 10, 123_456)),
        ("2026-02-20T10:32-07", utc(2026, 2, 20, 17, 32)),
        ("20260220T103210-0700", utc(2026, 2, 20, 17, 32, 10)),
        ("2026-02-20", utc(2026, 2, 20, 7)),
        ("2026-02-20 10:32 am", utc(2026, 2, 20, 17, 32)),
        ("2026/02/20 22:32", utc(2026, 2, 21, 5, 32)),
        ("2/20/2026 10:32 AM", utc(2026, 2, 20, 17, 32)),
        ("2/20/2026 10:32:05 PM", utc(2026, 2, 21, 5, 32, 5)),
        ("02/20/2026, 22:32", utc(2026, 2, 21, 5, 32)),
        ("02/20/26", utc(2026, 2, 20, 7)),
        ("3/2/2026 12:00 AM", utc(2026, 3, 2, 7)),
        ("3/2/2026 12:00 PM", utc(2026, 3, 2, 19)),
        ("20/02/2026", utc(2026, 2, 20, 7)),
        ("'2026-07-01 00:00", utc(2026, 7, 1, 6)),
        ("2087-01-01T00:00:00Z", utc(2087, 1, 1)),
    ],
)
def test_a_date_is_iso_or_month_first_in_the_facilitys_zone(cell: str, moment: datetime):
    """A time without an offset is the shop's wall clock; the future is taken like any other time."""
    assert read_moment(cell, RULES) == moment


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "yesterday",
        "46073.43",
        "20260220",
        "2026-02-30",
        "13/13/2026",
        "2/30/2026",
        "20.02.2026",
        "2026-02-20T25:00",
        "2/20/2026 13:05 PM",
        "2026-02-20T10:00+99:00",
        "0001-01-01",
        "9999-12-31T23:59:59-07:00",
        "=NOW()",
    ],
)
def test_what_is_no_date_is_refused(cell: str):
    """Serial numbers, impossible days, other styles and the year 1 that means never are no dates."""
    with pytest.raises(CellRefused):
        read_moment(cell, RULES)


def test_a_time_of_the_files_own_zone_is_read_there():
    """The file's zone wins over the facility's for times without an offset, and only for them."""
    rules = replace(RULES, file_zone=ZoneInfo("America/New_York"))
    assert read_moment("2026-02-20 12:00", rules) == utc(2026, 2, 20, 17)
    assert read_moment("2026-02-20T12:00-07:00", rules) == utc(2026, 2, 20, 19)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [("2026-03-08 02:30", utc(2026, 3, 8, 9, 30)), ("2026-11-01 01:30", utc(2026, 11, 1, 7, 30))],
)
def test_the_hours_that_clocks_skip_or_repeat_have_one_fixed_reading(cell: str, moment: datetime):
    """The hour that does not exist is read with the offset before it, the repeated one as its first."""
    assert read_moment(cell, RULES) == moment


def test_a_set_format_is_the_only_one():
    """With a date format, what is ambiguous is clear and what looks clear is refused."""
    rules = replace(RULES, date_format="%d/%m/%Y %H:%M")
    assert read_moment("03/02/2026 10:00", rules) == utc(2026, 2, 3, 17)
    with pytest.raises(CellRefused):
        read_moment("2026-02-03T10:00:00Z", rules)


@pytest.mark.parametrize("date_format", ["%", "%Q", "%d %d", "["])
def test_a_format_that_is_none_refuses_the_cell(date_format: str):
    """A broken date format shows as unreadable dates."""
    with pytest.raises(CellRefused):
        read_moment("03/02/2026", replace(RULES, date_format=date_format))


def test_one_day_first_date_makes_the_ambiguous_ones_of_the_file_unreadable():
    """In such a file 03/02 is refused, while 20/02, 02/02 and ISO dates still have one meaning."""
    header = "transaction_id,date,tag,qty"
    dates = ["20/02/2026", "03/02/2026", "02/02/2026", "2026-02-03"]
    text = "\n".join([header, *(f"S{at},{date},{TAG},1" for at, date in enumerate(dates))])
    sheet = read_sales("sales.csv", text, RULES)
    assert [(line.sale_id, line.sold_at.date().isoformat()) for line in sheet.rows] == [
        ("S0", "2026-02-20"),
        ("S2", "2026-02-02"),
        ("S3", "2026-02-03"),
    ]
    assert sheet.refused == (
        RefusedRow(
            "sales.csv",
            3,
            "sold_at: the date 3/2 is ambiguous: other dates of this file have the day first; set date_format",
            TAG,
        ),
    )


def test_an_optional_date_that_cannot_be_read_costs_the_date_and_not_the_row():
    """The package stays, its arrival is unknown, and a note says why."""
    sheet = inventory(f"{TAG},Flower,3,Each,Vault,soon")
    assert [(row.label, row.received_at) for row in sheet.rows] == [(TAG, None)]
    assert sheet.notes == (
        RefusedRow(
            "inventory.csv", 2, 'received_at: "soon" is not a date; the row was kept without it', TAG, kept=True
        ),
    )
    assert sheet.refused == ()


@pytest.mark.parametrize(
    ("cells", "value"),
    [(("true", "YES", "1", "y", " T "), True), (("false", "No", "0", "n", "f", "", "  "), False)],
)
def test_a_flag_has_many_spellings(cells, value):
    """Yes and no are understood in every usual spelling; nothing is no."""
    assert [read_flag(cell) for cell in cells] == [value] * len(cells)


def test_an_unclear_void_flag_refuses_the_line():
    """Whether a sale was voided decides its quantity, so it is never guessed."""
    sheet = read_sales("s.csv", f"transaction_id,date,tag,qty,is_void\nS1,2026-03-01,{TAG},1,maybe\n", RULES)
    assert reasons(sheet) == ['is_void: "maybe" is neither yes nor no']


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        (("Reported", "submitted", "Completed", "SUCCESS", "posted"), Submission.REPORTED),
        (("Pending", "queued", "In Progress", "in_progress", "SubmissionPending"), Submission.PENDING),
        (("SubmissionInProgress", "SubmissionWaitingID", "submission_waiting_id", "Rescheduled"), Submission.PENDING),
        (("Failed", "error", "SubmissionError", "rejected", "Parked"), Submission.FAILED),
        (("Voided", "deleted", "VOID"), Submission.VOIDED),
        (("", "None", "unreported", "???"), Submission.UNKNOWN),
    ],
)
def test_a_trace_status_is_understood_in_any_spelling(cells, status):
    """Case, spaces and underscores do not matter; what is not known is unknown."""
    assert [read_submission(cell) for cell in cells] == [status] * len(cells)


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("ea", "Each"),
        ("EACH", "Each"),
        ("g", "Grams"),
        ("GR", "Grams"),
        ("Gram", "Grams"),
        ("kg", "Kilograms"),
        ("mg", "Milligrams"),
        ("oz.", "Ounces"),
        ("Lbs", "Pounds"),
        ("fl oz", "Fluid Ounces"),
        ("ML", "Milliliters"),
        ("l", "Liters"),
        ("gal", "Gallons"),
        ("Bushel", "Bushel"),
        ("", None),
    ],
)
def test_a_unit_gets_metrcs_name(cell: str, unit: str | None):
    """Short forms get METRC's name; an unknown unit stays as it was read."""
    assert read_unit(cell) == unit


@pytest.mark.parametrize(
    ("cell", "text"), [('="0000417733"', "0000417733"), ("'0042", "0042"), ("  x ", "x"), ('""', '""')]
)
def test_a_cell_is_unwrapped(cell: str, text: str):
    """What a spreadsheet puts around a text to keep it a text is taken off."""
    assert clean(cell) == text


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("book", list(Book))
def test_no_header_means_two_columns_of_one_book(book: Book):
    """Within a kind of file every accepted header has one meaning."""
    keys = [key for column in COLUMNS[book] for key in set(column.keys)]
    assert len(keys) == len(set(keys))
    assert all(key == header_key(key) for key in keys)


READERS: dict[Book, Callable] = {Book.INVENTORY: read_inventory, Book.SALES: read_sales, Book.EVENTS: read_events}
HEALTHY = {
    Book.INVENTORY: {"package_id": TAG, "quantity": "3", "unit": "ea", "product_name": "Flower"},
    Book.SALES: {"transaction_id": "S1", "sold_at": "2026-03-01", "package_id": TAG, "quantity": "3"},
    Book.EVENTS: {"occurred_at": "2026-03-01", "event_type": "receive", "package_id": TAG},
}


def renamed(book: Book, name: str, header: str):
    cells = {header if field == name else field: cell for field, cell in HEALTHY[book].items()}
    return READERS[book]("f.csv", f"{','.join(cells)}\n{','.join(cells.values())}\n", RULES)


@pytest.mark.parametrize(
    ("book", "name", "alias"),
    [
        (book, column.name, alias)
        for book in Book
        for column in COLUMNS[book]
        if column.required
        for alias in column.keys
    ],
)
def test_every_alias_of_a_required_column_is_as_good_as_its_name(book: Book, name: str, alias: str):
    """A file with the alias, in any case and punctuation, reads the same as one with the canonical header."""
    assert renamed(book, name, f" {alias[:3].upper()}_{alias[3:]} ").rows == renamed(book, name, name).rows


@pytest.mark.parametrize(
    ("book", "name"), [(book, column.name) for book in Book for column in COLUMNS[book] if column.required]
)
def test_a_missing_required_column_refuses_the_file(book: Book, name: str):
    """The sentence names the file, the column and what it may be called."""
    with pytest.raises(PosUnreadable, match=rf"f\.csv has no column {name}; accepted names: {name}"):
        renamed(book, name, "something_else")


def test_an_invoice_is_no_manifest():
    """The invoice number is another number than the manifest's."""
    header = "tag,product,qty,uom,invoice"
    assert inventory(f"{TAG},x,1,ea,777", header=header).rows[0].manifest is None


def test_metrcid_is_the_tag_of_a_package_and_the_receipt_of_a_sale():
    """The same header means two things in two kinds of file."""
    assert inventory(f"{TAG},x,1,ea", header="MetrcId,product,qty,uom").rows[0].label == TAG
    sale = read_sales("s.csv", f"ticket_id,date,tag,qty,metrcId\nS1,2026-03-01,{TAG},1,880101\n", RULES).rows[0]
    assert (sale.label, sale.receipt_id) == (TAG, "880101")


def test_of_two_columns_for_one_field_the_canonical_name_wins_then_the_first():
    """A shop's "available" beside its "quantity" is not taken for it."""
    header = "tag,product,available,quantity,uom,location,room_name"
    row = inventory(f"{TAG},x,1,2,ea,Vault,Bin 4", header=header).rows[0]
    assert (row.quantity, row.room) == (Decimal(2), "Vault")


@pytest.mark.parametrize(
    ("header", "cells", "weight"),
    [
        ("unit_weight_g", "3.5", "3.5"),
        ("Net Weight (g)", "3.5", "3.5"),
        ("weight grams", "3.5", "3.5"),
        ("product_grams", "3.5", "3.5"),
        ("unit_weight", "3.5", None),
        ("unit_weight", "3.5 g", "3.5"),
        ("unit_weight", "0.12 oz", None),
        ("unit_weight,unit_weight_unit", "3.5,GR", "3.5"),
        ("net_weight,net_weight_uom", "0.12,oz", None),
        ("unit_weight_g", "", None),
    ],
)
def test_a_unit_weight_counts_only_where_something_says_grams(header: str, cells: str, weight: str | None):
    """The header, the cell or a column beside it must say so."""
    row = inventory(f"{TAG},x,1,ea,{cells}", header=f"tag,product,qty,uom,{header}").rows[0]
    assert row.unit_weight_g == (None if weight is None else Decimal(weight))


def test_columns_about_customers_never_reach_a_value():
    """Nothing of an unknown column is in a row, nor in the refusal of one."""
    text = f"transaction_id,date,tag,qty,patient,note\nS1,2026-03-01,{TAG},1,Pat Smith,ok\nS2,2026-03-01,{TAG},1,Pat,Smith,x\n"
    sheet = read_sales("s.csv", text + 'S3,2026-03-01,"Pat Smith"s,1,Pat,Smith\n', RULES)
    assert [line.sale_id for line in sheet.rows] == ["S1"]
    assert [row.line for row in sheet.refused] == [3, 4]
    assert "Pat" not in repr(sheet)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_of_another_license_are_left_out_and_not_refused():
    """They are not ours; a row that does not say is ours."""
    header = "license_number,tag,product,qty,uom"
    sheet = inventory(
        f"402r-x0042 ,{TAG},x,1,ea", f"403-X9,{OTHER_TAG},x,1,ea", f",{OTHER_TAG},x,2,ea", "403-X9,,,,", header=header
    )
    assert [(row.label, row.quantity) for row in sheet.rows] == [(TAG, Decimal(1)), (OTHER_TAG, Decimal(2))]
    assert (sheet.refused, sheet.foreign) == ((), 2)


def test_totals_and_blank_lines_are_no_rows():
    """They are neither read nor refused."""
    sheet = inventory(f"{TAG},x,1,Each,,", "", ",,,,,", "Total,,1,,,", "total")
    assert (len(sheet.rows), sheet.refused) == (1, ())


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f"{TAG},x,,Each,,", "quantity is empty"),
        (f"{TAG},x,many,Each,,", 'quantity: "many" is not a number'),
        (f"{TAG},x,3,,,", "it has no unit"),
        (f"{TAG},x,41 ea,Grams,,", "quantity is in Each, but its unit is said to be Grams"),
        (f"{TAG},x, y,3,Each,,", "it has 7 cells under a header of 6"),
        (f"{TAG},=cmd(),3,Each,,", 'product_name: "=cmd()" is a formula'),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_tag(row: str, why: str):
    """The reason quotes the cell, and the tag is kept so that the package counts as unreadable and not as absent."""
    sheet = inventory(f"{OTHER_TAG},x,1,Each,,", row, f"{OTHER_TAG},x,2,Each,,")
    assert sheet.refused == (RefusedRow("inventory.csv", 3, why, TAG),)
    assert [line.quantity for line in sheet.rows] == [Decimal(1), Decimal(2)]


def test_the_raw_cell_of_a_bad_tag_is_kept():
    """A person finds the row by what is written in it."""
    sheet = inventory("1a4ff010000002200,x,1,Each,,")
    assert [(row.cell, row.line) for row in sheet.refused] == [("1a4ff010000002200", 2)]


@pytest.mark.parametrize("tag", [TAG[:-1], TAG[:10] + TAG[12:], f"{TAG}0"])
def test_a_tag_that_lost_a_character_is_kept_as_it_was_typed(tag: str):
    """That is how the POS has it; a note says that it cannot be METRC's."""
    sheet = inventory(f"{tag.lower()},x,1,Each,,")
    assert ([row.label for row in sheet.rows], sheet.refused) == ([tag], ())
    (note,) = sheet.notes
    assert note.kept
    assert f"has {len(tag)} characters instead of 24; the row was kept as it was typed" in note.reason


@pytest.mark.parametrize("cut", [f"{OTHER_TAG},x,4,Each", f"{OTHER_TAG},x,4", f'{OTHER_TAG},"x', f"{OTHER_TAG[:9]}"])
def test_the_last_row_of_a_file_cut_while_it_was_written_is_refused(cut: str):
    """Half a row is no row, even where its quantity looks whole."""
    whole = inventory(f"{TAG},x,1,Each,,")
    torn = read_inventory(
        "inventory.csv", f"package_id,product_name,quantity,unit,room,received_at\n{TAG},x,1,Each,,\n{cut}", RULES
    )
    assert torn.rows == whole.rows
    assert [row.line for row in torn.refused] == [3]


def test_a_file_cut_inside_a_character_keeps_its_other_rows():
    """Half a letter at the end does not turn the whole file into another encoding."""
    data = f"tag,product,qty,uom,room\n{TAG},Crème,1,ea,V\n{OTHER_TAG},Crè".encode()[:-1]
    sheet = read_inventory("i.csv", decode(data), RULES)
    assert ([row.product_name for row in sheet.rows], len(sheet.refused)) == (["Crème"], 1)


def test_cells_left_out_in_the_middle_are_empty():
    """Some programs write no trailing delimiters."""
    assert [row.room for row in inventory(f"{TAG},x,1,Each", f"{OTHER_TAG},x,1,Each,Vault,").rows] == [None, "Vault"]


def test_a_stray_quote_costs_its_own_row_only():
    """The rows that the open quote would swallow are still read."""
    sheet = inventory(f'{TAG},"5 inch pipe,1,Each,,', *(f"{TAG},x,{n},Each,," for n in range(1, 90)))
    assert [row.quantity for row in sheet.rows] == [Decimal(n) for n in range(1, 90)]
    assert sheet.refused == (RefusedRow("inventory.csv", 2, "its quotes do not match", TAG),)


@pytest.mark.parametrize("between", [(), (f"{TAG},x,2,Each,,",)])
def test_a_stray_quote_that_finds_a_partner_further_down_hides_no_row(between):
    """Where the cells would even fit the header, the first line alone is refused and no quantity moves to it."""
    sheet = inventory(f'{TAG},"5 inch,1,Each,,', *between, f'{TAG},6 inch",3,Each,,', f"{TAG},x,4,Each,,")
    assert [row.quantity for row in sheet.rows] == [*(Decimal(2) for _ in between), Decimal(3), Decimal(4)]
    assert [row.line for row in sheet.refused] == [2]


def test_a_quoted_cell_may_hold_a_newline_and_lines_are_counted_as_they_stand():
    """The line of a row is the physical line on which it starts."""
    sheet = inventory(f'{TAG},"two\nlines, one cell",1,Each,,', f"{OTHER_TAG},x,none,Each,,")
    assert [(row.product_name, row.where) for row in sheet.rows] == [("two\nlines, one cell", "inventory.csv line 2")]
    assert [row.line for row in sheet.refused] == [4]


def test_equal_rows_are_kept_apart():
    """A load that was received twice stands there twice, each row with its own id."""
    sheet = inventory(f"{TAG},x,40,Each,Vault,2026-03-02", f"{TAG},x,40,Each,Vault,2026-03-02")
    assert len(sheet.rows) == len({row.record_id for row in sheet.rows}) == 2


def test_lines_without_an_id_are_numbered_within_their_sale():
    """The number is the place in the sale, and a refused line keeps its place."""
    rows = [f"S1,2026-03-01,{TAG},1", f"S2,2026-03-01,{TAG},1", "S1,2026-03-01,,1", f"S1,2026-03-01,{TAG},1"]
    sheet = read_sales("s.csv", "\n".join(["transaction_id,date,tag,qty", *rows]), RULES)
    assert [(line.sale_id, line.line_id) for line in sheet.rows] == [("S1", "1"), ("S2", "1"), ("S1", "3")]


def test_one_line_that_draws_on_two_packages_is_two_lines():
    """Neither share of the line hides the other."""
    rows = [f"S1,7,2026-03-01,{TAG},1", f"S1,7,2026-03-01,{OTHER_TAG},2"]
    sheet = read_sales("s.csv", "\n".join(["transaction_id,line_id,date,tag,qty", *rows]), RULES)
    assert [(line.line_id, line.label) for line in sheet.rows] == [("7", TAG), ("7/2", OTHER_TAG)]


def test_a_return_puts_back_what_it_names():
    """The flag and the first sale's id are read."""
    header = "transaction_id,date,tag,qty,is_return,original_transaction_id"
    line = read_sales("s.csv", f"{header}\nS2,2026-03-01,{TAG},1,yes,S1\n", RULES).rows[0]
    assert (line.takes, line.original_sale_id) == (Decimal(-1), "S1")


def test_an_event_with_an_unreadable_quantity_is_refused():
    """An unreadable start would make its change wrong, not unknown."""
    header = "occurred_at,event_type,tag,from_quantity,to_quantity"
    sheet = read_events("e.csv", f"{header}\n2026-03-01,adjust,{TAG},?,4\n", RULES)
    assert reasons(sheet) == ['from_quantity: "?" is not a number']


# --- encodings and delimiters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_delimiter_and_line_ends_do_not_matter(encoding: str, delimiter: str, end: str):
    """The same rows come out of every way to write them."""
    lines = [["Package ID", "Product", "Qty", "UoM"], [TAG, "Crème “A”", "3", "ea"], [OTHER_TAG, "x", "4", "g"]]
    text = "".join(delimiter.join(cells) + end for cells in lines)
    sheet = read_inventory("i.csv", decode(text.encode(encoding)), RULES)
    assert [(row.label, row.product_name, row.quantity, row.unit) for row in sheet.rows] == [
        (TAG, "Crème “A”", Decimal(3), "Each"),
        (OTHER_TAG, "x", Decimal(4), "Grams"),
    ]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_bytes_of_another_encoding_cost_no_more_than_their_letters(mark: bytes):
    """One foreign byte in a name does not hide the header behind the byte-order mark."""
    data = mark + f"tag,product,qty,uom\n{TAG},Cr".encode() + b"\xe8me,1,ea\n"
    assert [row.label for row in read_inventory("i.csv", decode(data), RULES).rows] == [TAG]


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_a_file_without_a_header_is_refused(text: str):
    """An empty file says nothing, also not that the shelves are empty."""
    with pytest.raises(PosUnreadable, match=r"i\.csv is empty"):
        read_inventory("i.csv", text, RULES)


def test_zero_characters_do_not_reach_a_value():
    """What no database takes is taken off."""
    assert decode(b"a\x00b") == "ab"


# --- laws -------------------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20).map(str.strip)
texts = words.filter(lambda text: not text.startswith(("=", "'")))
optional = texts.map(lambda text: text or None)
tags = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=20, max_size=20).map(lambda rest: "1A4F" + rest)
moments = st.datetimes(datetime(2015, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside it
quantities = st.decimals(Decimal(-99_999), Decimal(99_999), places=4)
packages = st.builds(
    PosPackage,
    record_id=st.just(""),
    label=tags.filter(lambda tag: "E" not in tag[4:]),
    quantity=quantities,
    unit=st.sampled_from(["Each", "Grams", "Milliliters", "Bushel"]),
    product_name=texts,
    product_id=optional,
    category=optional,
    metrc_item=optional,
    metrc_category=optional,
    strain=optional,
    unit_weight_g=st.none() | quantities,
    room=optional,
    status=optional,
    received_at=st.none() | moments,
    manifest=optional,
    as_of=st.none() | moments,
)
FIELDS = {
    "license_number": lambda row: RULES.license_number,
    "package_id": lambda row: row.label,
    "product_id": lambda row: row.product_id,
    "product_name": lambda row: row.product_name,
    "category": lambda row: row.category,
    "metrc_item_name": lambda row: row.metrc_item,
    "metrc_category": lambda row: row.metrc_category,
    "strain": lambda row: row.strain,
    "quantity": lambda row: row.quantity,
    "unit": lambda row: row.unit,
    "unit_weight_g": lambda row: row.unit_weight_g,
    "room": lambda row: row.room,
    "received_at": lambda row: row.received_at and row.received_at.isoformat(),
    "manifest_number": lambda row: row.manifest,
    "status": lambda row: row.status,
    "exported_at": lambda row: row.as_of and row.as_of.isoformat(),
}


def written(rows: list[PosPackage]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(FIELDS)
    writer.writerows([["" if (cell := read(row)) is None else cell for read in FIELDS.values()] for row in rows])
    return out.getvalue()


@given(st.lists(packages, max_size=5))
def test_what_was_written_is_read_back_equal(rows: list[PosPackage]):
    """Every field survives the way through a file, and ids are unique."""
    sheet = read_inventory("i.csv", written(rows), RULES)
    assert sheet.refused == sheet.notes == ()
    assert [replace(row, record_id="", where="") for row in sheet.rows] == rows
    assert len({row.record_id for row in sheet.rows}) == len(rows)


@given(moments, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
def test_a_time_with_an_offset_means_the_same_everywhere(at: datetime, ahead: timedelta):
    """The offset of the text decides, whatever the zones of shop and file."""
    whole = timedelta(minutes=ahead // timedelta(minutes=1))
    local = (at + whole).replace(tzinfo=None).isoformat()
    sign = "-" if whole < timedelta(0) else "+"
    hours, minutes = divmod(abs(whole) // timedelta(minutes=1), 60)
    assert read_moment(f"{local}{sign}{hours:02}:{minutes:02}", RULES) == at


headers = st.sampled_from(
    [
        "package_id,product_name,quantity,unit,received_at,unit_weight_g",
        "tag;product;qty;uom;received;weight",
        "transaction_id,sold_at,package_id,quantity,is_void,is_return,reported_at,license",
        "occurred_at\tevent_type\tpackage_id\tfrom_quantity\tto_quantity\tdetail",
        "",
    ]
)
cells = st.sampled_from(
    [TAG, "1", "1,5", "1.042", "2026-03-01", "3/2/2026", "20/2/26", '"', "=1", "'", "Total", "yes", ""]
)
messy = st.lists(cells | st.text(max_size=8), max_size=9)
lines = st.tuples(st.sampled_from([",", ";", "\t"]), messy).map(lambda line: line[0].join(line[1]))


@settings(max_examples=300)
@given(st.sampled_from(list(Book)), headers, st.lists(lines, max_size=6))
def test_no_text_makes_a_reader_fail_in_any_other_way_than_refusing(book: Book, header: str, rows: list[str]):
    """Every text is a sheet or a typed refusal, and no row of it is both read and refused."""
    with suppress(PosUnreadable):
        sheet = READERS[book]("f.csv", "\n".join([header, *rows]), RULES)
        assert all(len(row.label) == LABEL_LENGTH and row.label.isalnum() for row in sheet.rows)
        assert not {row.where for row in sheet.rows} & {f"f.csv line {row.line}" for row in sheet.refused}


@given(st.binary(max_size=300))
def test_any_bytes_are_some_text(data: bytes):
    """Decoding never fails and never leaves a zero character."""
    assert "\x00" not in decode(data)
