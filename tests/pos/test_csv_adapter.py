"""The folder of POS files: which file counts, which is refused, and what every book says when it cannot be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Problem, ProblemKind
from bot.model import ExportSeen, PosBooks, Reading, Submission
from bot.ports import Exports, PointOfSale
from bot.pos.csv.adapter import LARGEST_FILE, CsvPos, natural_key, newest_events
from bot.pos.csv.wire import Rules, read_events

SAMPLES = Path(__file__).parents[1] / "data" / "pos-csv"
NOW = datetime(2026, 3, 3, 3, 35, tzinfo=UTC)
WRITTEN = NOW - timedelta(minutes=5)
STOCK_HEADER = "package_id,product_name,quantity,unit"
SALES_HEADER = "transaction_id,line_id,sold_at,package_id,quantity,trace_status"
EVENTS_HEADER = "event_id,occurred_at,event_type,package_id,to_quantity,reference"


@dataclass
class RememberedExports:
    """``Exports`` as a list, oldest first."""

    kept: list[ExportSeen] = field(default_factory=list)

    async def last(self, kind: str) -> ExportSeen | None:
        return next((export for export in reversed(self.kept) if export.kind == kind), None)

    async def seen(self, kind: str, digest: str) -> ExportSeen | None:
        return next((export for export in self.kept if (export.kind, export.digest) == (kind, digest)), None)

    async def remember(self, export: ExportSeen) -> None:
        if (export.name, export.digest) not in {(kept.name, kept.digest) for kept in self.kept}:
            self.kept.append(export)


@pytest.fixture
def exports() -> RememberedExports:
    return RememberedExports()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A healthy folder with one file of each kind."""
    for kind in ("inventory", "sales", "events"):
        write(tmp_path, f"{kind}.csv", (SAMPLES / f"generic_{kind}.csv").read_text())
    return tmp_path


def tag(number: int) -> str:
    return f"1A4FF01{number:017}"


def stock(count: int, *, first: int = 0, header: str = STOCK_HEADER) -> str:
    return "\n".join([header, *(f"{tag(first + at)},Flower,{at + 1},Each" for at in range(count))]) + "\n"


def write(directory: Path, name: str, text: str, at: datetime = WRITTEN) -> Path:
    path = directory / name
    path.write_bytes(text.encode())
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def pos(directory: Path, exports: Exports) -> CsvPos:
    return CsvPos(
        directory,
        license_number="402R-X0042",
        zone=ZoneInfo("America/Denver"),
        file_zone=None,
        date_format=None,
        max_age_minutes=60,
        exports=exports,
    )


async def read(directory: Path, exports: Exports, now: datetime = NOW) -> PosBooks:
    return await pos(directory, exports).read(now)


def says(reading: Reading) -> str:
    assert reading.value is None
    assert reading.as_of is None
    assert reading.problem is not None
    assert reading.problem.kind is ProblemKind.UNREADABLE
    return reading.problem.says


def labels(reading: Reading) -> list[str]:
    assert reading.problem is None
    return [row.label for row in reading.value]


# --- a healthy folder -------------------------------------------------------------------------------------------------


async def test_a_healthy_folder_gives_three_books(folder: Path, exports: RememberedExports):
    """Every book was read, says which file was asked, how fresh it is and since when it is complete."""
    books = await read(folder, exports)
    assert (len(books.inventory.value), len(books.sales.value), len(books.events.value)) == (7, 8, 3)
    assert (books.inventory.source, books.inventory.asked) == ("pos", "inventory.csv")
    assert books.inventory.as_of == datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
    assert books.sales.as_of == books.events.as_of == WRITTEN
    assert books.sales_since == datetime(2026, 3, 1, 19, 15, tzinfo=UTC)
    assert books.events_since == datetime(2026, 2, 21, 18, 10, tzinfo=UTC)
    assert books.refused == ()


async def test_the_adapter_is_a_point_of_sale(folder: Path, exports: RememberedExports):
    """It fits the port, and tells how old an export may be."""
    source: PointOfSale = pos(folder, exports)
    assert (await source.read(NOW)).inventory.was_read
    assert pos(folder, exports).max_age_minutes == 60


async def test_an_accepted_inventory_is_remembered_once(folder: Path, exports: RememberedExports):
    """Reading an unchanged file again is no repeated upload."""
    first, again = await read(folder, exports), await read(folder, exports, NOW + timedelta(hours=3))
    assert first.inventory == again.inventory
    assert [(seen.kind, seen.name, seen.rows, seen.as_of) for seen in exports.kept] == [
        ("inventory", "inventory.csv", 7, first.inventory.as_of)
    ]


async def test_file_names_may_be_upper_case(tmp_path: Path, exports: RememberedExports):
    """Some systems shout."""
    write(tmp_path, "INVENTORY_0302.CSV", stock(2))
    assert labels((await read(tmp_path, exports)).inventory) == [tag(0), tag(1)]


async def test_the_time_of_the_file_stands_in_for_an_export_time(tmp_path: Path, exports: RememberedExports):
    """Without exported_at, book and rows are as of the file's modification."""
    write(tmp_path, "inventory.csv", stock(1))
    inventory = (await read(tmp_path, exports)).inventory
    assert (inventory.as_of, inventory.value[0].as_of) == (WRITTEN, WRITTEN)


async def test_the_newest_export_time_is_the_books(tmp_path: Path, exports: RememberedExports):
    """Rows keep their own export time, one without gets the book's."""
    times = ["2026-03-03T03:00:00Z", "2026-03-03T03:20:00Z", ""]
    rows = [f"{tag(at)},Flower,1,Each,{time}" for at, time in enumerate(times)]
    write(tmp_path, "inventory.csv", "\n".join([f"{STOCK_HEADER},exported_at", *rows]))
    inventory = (await read(tmp_path, exports)).inventory
    newest = datetime(2026, 3, 3, 3, 20, tzinfo=UTC)
    assert inventory.as_of == newest
    assert [row.as_of for row in inventory.value] == [newest - timedelta(minutes=20), newest, newest]


@pytest.mark.parametrize("written", [NOW + timedelta(days=90), NOW])
async def test_no_file_was_written_after_it_was_read(tmp_path: Path, exports: RememberedExports, written: datetime):
    """A modification time ahead of the clock is the time of reading."""
    write(tmp_path, "inventory.csv", stock(1), written)
    assert (await read(tmp_path, exports)).inventory.as_of == NOW


async def test_an_old_inventory_is_read_and_says_its_age(folder: Path, exports: RememberedExports):
    """Whether old is too old is for the reader of as_of to judge."""
    books = await read(folder, exports, NOW + timedelta(days=9))
    assert books.inventory.was_read
    assert books.inventory.as_of == datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


async def test_refused_rows_and_notes_of_all_files_are_told(folder: Path, exports: RememberedExports):
    """A row that cannot be read is in none of the books and in the list of refused ones."""
    write(folder, "inventory.csv", stock(4) + "oops,Flower,1,Each\n")
    write(folder, "sales.csv", f"{SALES_HEADER}\nS1,1,2026-03-01,{tag(1)},1,\nS2,1,someday,{tag(1)},1,\n")
    books = await read(folder, exports)
    assert [(row.file, row.line, row.cell) for row in books.refused] == [
        ("inventory.csv", 6, "oops"),
        ("sales.csv", 3, tag(1)),
    ]


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sales", "events"])
async def test_a_kind_of_file_that_is_not_there_is_not_offered(folder: Path, exports: RememberedExports, kind: str):
    """The shop does not export it, which is something else than an empty book."""
    (folder / f"{kind}.csv").unlink()
    books = await read(folder, exports)
    reading = getattr(books, kind)
    assert reading.value is None
    assert reading.problem == Problem(ProblemKind.NOT_OFFERED, f"There is no {kind}*.csv in {folder.name}.")
    assert getattr(books, f"{kind}_since") is None
    assert books.inventory.was_read


async def test_a_folder_without_inventory_cannot_be_read(folder: Path, exports: RememberedExports):
    """The other books are still there."""
    (folder / "inventory.csv").unlink()
    books = await read(folder, exports)
    assert says(books.inventory) == f"There is no inventory*.csv in {folder.name}."
    assert books.sales.was_read


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("a file")])
async def test_a_folder_that_is_none_closes_every_book(tmp_path: Path, exports: RememberedExports, make):
    """A missing folder does not read as a shop without sales."""
    make(tmp_path / "pos")
    books = await read(tmp_path / "pos", exports)
    for reading in (books.inventory, books.sales, books.events):
        assert says(reading).startswith("pos cannot be read: ")


def vanish(path: Path) -> None:
    path.symlink_to(path.with_suffix(".gone"))


def bloat(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.mkdir, "it is not a file"),
        (os.mkfifo, "it is not a file"),
        (vanish, "No such file"),
        (bloat, "larger than 200 MB"),
        (Path.touch, "is empty"),
        (lambda path: path.write_text("a,b\n1,2\n"), "has no column"),
        (lambda path: path.write_bytes(b'"\x00'), "cannot be read: its quotes do not match"),
    ],
)
@pytest.mark.parametrize("kind", ["inventory", "sales", "events"])
async def test_a_file_that_cannot_be_read_closes_its_book_only(folder, exports, kind, make, why):
    """Be it a folder, a pipe, gone, huge, empty or something else: its book says so, the others are read."""
    (folder / f"{kind}.csv").unlink()
    make(folder / f"{kind}.csv")
    books = await read(folder, exports)
    sentence = says(getattr(books, kind))
    assert f"{kind}.csv" in sentence
    assert why in sentence
    assert sum(getattr(books, other).was_read for other in ("inventory", "sales", "events")) == 2


@pytest.mark.parametrize("kind", ["sales", "events"])
async def test_one_unreadable_file_leaves_a_hole_in_its_book(folder: Path, exports: RememberedExports, kind: str):
    """What the other files hold is no answer to "was it sold"."""
    write(folder, f"{kind}-2.csv", "not,what,it\nshould,be,\n")
    assert f"{kind}-2.csv has no column" in says(getattr(await read(folder, exports), kind))


async def test_sales_of_which_no_row_can_be_read_are_unreadable_and_not_empty(folder: Path, exports: RememberedExports):
    """A file in a foreign date style does not read as a day without sales."""
    write(folder, "sales.csv", f"{SALES_HEADER}\nS1,1,1. Mar,{tag(1)},1,\nS2,1,2. Mar,{tag(1)},1,\n")
    assert says((await read(folder, exports)).sales) == (
        'sales.csv: 2 of 2 rows cannot be read, the first of them on line 2: sold_at: "1. Mar" is not a date.'
    )


async def test_a_header_alone_is_a_book_without_entries(folder: Path, exports: RememberedExports):
    """Nothing was sold and nothing happened, as far as the file goes; since when is not known."""
    write(folder, "sales.csv", SALES_HEADER)
    write(folder, "events.csv", EVENTS_HEADER)
    books = await read(folder, exports)
    assert (books.sales.value, books.events.value) == ((), ())
    assert (books.sales_since, books.events_since) == (None, None)


# --- which inventory counts -------------------------------------------------------------------------------------------


async def test_the_newest_inventory_by_name_counts(tmp_path: Path, exports: RememberedExports):
    """Numbers in names are numbers, and the modification time does not matter."""
    write(tmp_path, "inventory-10.csv", stock(3))
    write(tmp_path, "inventory-9.csv", stock(2), NOW)
    inventory = (await read(tmp_path, exports)).inventory
    assert (inventory.asked, len(inventory.value)) == ("inventory-10.csv", 3)


@given(st.permutations(["inventory.csv", "inventory-2.csv", "inventory-10.csv", "inventory-20260302T2030.csv"]))
def test_names_sort_like_people_read_them(names: list[str]):
    """Without a number first, then by number, whatever the order in the folder."""
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert [path.name for path in ordered] == [
        "inventory.csv",
        "inventory-2.csv",
        "inventory-10.csv",
        "inventory-20260302T2030.csv",
    ]


HALVED = [(20, 10, True), (20, 11, False), (10, 5, True), (10, 6, False), (9, 1, False), (9, 0, True), (1, 0, True)]


@pytest.mark.parametrize("counts", HALVED)
@pytest.mark.parametrize("name", ["inventory.csv", "inventory-2.csv"])
async def test_a_halved_inventory_is_refused(tmp_path, exports, name, counts):
    """No more than half of the rows of the last accepted file, under its name or another; tiny shops may sell out."""
    before, now, refused = counts
    write(tmp_path, "inventory.csv", stock(before))
    assert (await read(tmp_path, exports)).inventory.was_read
    write(tmp_path, name, stock(now, first=500))
    inventory = (await read(tmp_path, exports)).inventory
    assert inventory.was_read is not refused
    assert len(exports.kept) == (1 if refused else 2)
    if refused:
        assert says(inventory) == f"{name} holds {now} rows, inventory.csv held {before}: the export looks cut short."


@pytest.mark.parametrize(("before", "now", "refused"), HALVED)
async def test_without_a_memory_the_file_before_it_is_compared(tmp_path, exports, before, now, refused):
    """A first reading of a folder notices a halved file too."""
    write(tmp_path, "inventory-1.csv", stock(before))
    write(tmp_path, "inventory-2.csv", stock(now, first=500))
    assert (await read(tmp_path, exports)).inventory.was_read is not refused


async def test_only_the_file_just_before_it_is_compared(tmp_path: Path, exports: RememberedExports):
    """A shop that shrinks step by step is no shop with a cut export."""
    for number, size in enumerate((30, 16, 9)):
        write(tmp_path, f"inventory-{number}.csv", stock(size))
    assert (await read(tmp_path, exports)).inventory.was_read


async def test_a_file_before_it_that_cannot_be_read_is_no_measure(tmp_path: Path, exports: RememberedExports):
    """Then there is nothing to compare with."""
    write(tmp_path, "inventory-1.csv", "")
    write(tmp_path, "inventory-2.csv", stock(2))
    assert (await read(tmp_path, exports)).inventory.was_read


async def test_an_empty_shop_may_say_so(tmp_path: Path, exports: RememberedExports):
    """A header alone is a stock list without stock where nothing bigger came before."""
    write(tmp_path, "inventory.csv", STOCK_HEADER)
    assert (await read(tmp_path, exports)).inventory.value == ()


async def test_refused_rows_count_as_rows(tmp_path: Path, exports: RememberedExports):
    """A file with as many rows as before was not cut short, it is hard to read."""
    write(tmp_path, "inventory.csv", stock(20))
    await read(tmp_path, exports)
    lost = "".join("1.4E+23,Flower,1,Each\n" for _ in range(9))
    write(tmp_path, "inventory.csv", stock(9) + lost)
    assert len((await read(tmp_path, exports)).inventory.value) == 9


async def test_a_new_name_with_old_content_is_a_stale_upload(tmp_path: Path, exports: RememberedExports):
    """Found by memory even when the older file is gone, and again on the next reading."""
    write(tmp_path, "inventory-1.csv", stock(3))
    await read(tmp_path, exports)
    (tmp_path / "inventory-1.csv").rename(tmp_path / "inventory-2.csv")
    for _ in range(2):
        assert says((await read(tmp_path, exports)).inventory) == (
            "inventory-2.csv holds exactly what inventory-1.csv held: an old export was uploaded again."
        )
    assert len(exports.kept) == 1


async def test_a_stale_upload_is_found_in_the_folder_too(tmp_path: Path, exports: RememberedExports):
    """Without a memory the files beside it are enough, not only the one just before it."""
    for number, size in ((1, 3), (2, 4), (3, 3)):
        write(tmp_path, f"inventory-{number}.csv", stock(size))
    assert "inventory-3.csv holds exactly what inventory-1.csv held" in says((await read(tmp_path, exports)).inventory)


async def test_a_file_of_the_same_size_is_not_the_same_file(tmp_path: Path, exports: RememberedExports):
    """One changed digit is another content."""
    write(tmp_path, "inventory-1.csv", stock(3))
    write(tmp_path, "inventory-2.csv", stock(3, first=1))
    assert labels((await read(tmp_path, exports)).inventory) == [tag(1), tag(2), tag(3)]


async def test_an_overwritten_file_is_a_new_export(tmp_path: Path, exports: RememberedExports):
    """One name for every export is fine, also when the content comes back."""
    for size in (3, 4, 3):
        write(tmp_path, "inventory.csv", stock(size))
        assert len((await read(tmp_path, exports)).inventory.value) == size


async def test_a_refused_inventory_is_not_replaced_by_the_older_one(tmp_path: Path, exports: RememberedExports):
    """The book is unreadable; yesterday's stock is no answer. The next good file is read again."""
    write(tmp_path, "inventory-1.csv", stock(20))
    await read(tmp_path, exports)
    write(tmp_path, "inventory-2.csv", stock(2))
    inventory = (await read(tmp_path, exports)).inventory
    assert inventory.asked == "inventory-2.csv"
    assert "looks cut short" in says(inventory)
    write(tmp_path, "inventory-3.csv", stock(21))
    assert (await read(tmp_path, exports)).inventory.was_read


@pytest.mark.parametrize(("bad", "refused"), [(3, False), (4, True)])
async def test_an_inventory_of_which_most_rows_cannot_be_read_is_refused(tmp_path, exports, bad, refused):
    """More than half lost is no stock list; half is one with holes."""
    write(tmp_path, "inventory.csv", stock(3) + "".join(f"{tag(50 + at)},Flower,x,Each\n" for at in range(bad)))
    inventory = (await read(tmp_path, exports)).inventory
    assert inventory.was_read is not refused
    assert len(exports.kept) == (0 if refused else 1)
    if refused:
        assert says(inventory) == (
            'inventory.csv: 4 of 7 rows cannot be read, the first of them on line 5: quantity: "x" is not a number.'
        )


async def test_an_inventory_of_another_shop_is_refused(tmp_path: Path, exports: RememberedExports):
    """A file without one row of this license is the wrong file, not an empty shop."""
    header = f"license_number,{STOCK_HEADER}"
    write(tmp_path, "inventory.csv", f"{header}\n403-X9,{tag(1)},Flower,1,Each\n")
    assert says((await read(tmp_path, exports)).inventory) == (
        "inventory.csv holds 1 rows of other licenses and none of 402R-X0042."
    )


# --- many files, one book ---------------------------------------------------------------------------------------------


def sale(sale_id: str, status: str, at: str = "2026-03-01T12:00:00Z", line: str = "1") -> str:
    return f"{sale_id},{line},{at},{tag(1)},1,{status}"


def book(header: str, rows: Sequence[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


async def test_of_two_files_with_one_sale_the_later_name_wins(folder: Path, exports: RememberedExports):
    """Statuses move on: what was pending in one export is reported in the next."""
    write(folder, "sales.csv", SALES_HEADER)
    write(folder, "sales-9.csv", book(SALES_HEADER, [sale("S1", "Pending"), sale("S2", "Pending")]))
    write(folder, "sales-10.csv", book(SALES_HEADER, [sale("S2", "Reported"), sale("S3", "Pending")]))
    books = await read(folder, exports)
    assert [(line.sale_id, line.submission, line.where) for line in books.sales.value] == [
        ("S1", Submission.PENDING, "sales-9.csv line 2"),
        ("S2", Submission.REPORTED, "sales-10.csv line 2"),
        ("S3", Submission.PENDING, "sales-10.csv line 3"),
    ]
    assert books.sales.asked == "sales.csv … sales-10.csv (3 files)"


async def test_coverage_begins_with_the_earliest_row_of_all_files(folder: Path, exports: RememberedExports):
    """Whatever file it stands in."""
    write(folder, "sales-1.csv", book(SALES_HEADER, [sale("S1", "", "2026-02-01T00:00:00Z")]))
    assert (await read(folder, exports)).sales_since == datetime(2026, 2, 1, tzinfo=UTC)


async def test_a_book_is_no_older_than_its_newest_row(folder: Path, exports: RememberedExports):
    """A copy that lost its modification time was still written after what it tells; a date ahead proves nothing."""
    rows = [sale("S1", "", "2026-03-03T02:00:00Z"), sale("S2", "", "2031-01-01T00:00:00Z")]
    write(folder, "sales.csv", book(SALES_HEADER, rows), NOW - timedelta(days=300))
    assert (await read(folder, exports)).sales.as_of == datetime(2026, 3, 3, 2, tzinfo=UTC)


def receive(event_id: str, number: int, quantity: int = 40, manifest: str = "0000418902") -> str:
    return f"{event_id},2026-03-02T14:35:00-07:00,receive,{tag(number)},{quantity},{manifest}"


async def events_of(folder: Path, exports: Exports, *files: Sequence[str]):
    for number, rows in enumerate(files):
        write(folder, f"events-{number}.csv", book(EVENTS_HEADER, rows))
    (folder / "events.csv").unlink()
    events = (await read(folder, exports)).events.value
    return [(event.event_id, event.label, event.to_quantity) for event in events]


async def test_an_event_in_two_files_is_one_event(folder: Path, exports: RememberedExports):
    """The later file's version counts; one id for several packages is an event of each."""
    events = await events_of(folder, exports, [receive("7", 1, 39), receive("7", 2)], [receive("7", 1, 40)])
    assert events == [("7", tag(1), Decimal(40)), ("7", tag(2), Decimal(40))]


async def test_events_without_an_id_are_known_by_what_they_say(folder: Path, exports: RememberedExports):
    """The same row in two files is one event; equal rows in one file are two, and can be told apart."""
    twice = [receive("", 1), receive("", 1), receive("", 2)]
    composed = "2026-03-02T14:35:00-07:00 0000418902"
    assert await events_of(folder, exports, twice, twice) == [
        (composed, tag(1), Decimal(40)),
        (f"{composed} #2", tag(1), Decimal(40)),
        (composed, tag(2), Decimal(40)),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["", "a", "b"])), max_size=12))
def test_the_same_log_twice_is_the_same_log(entries):
    """Overlapping exports add nothing, and id and package together name one event."""
    rows = [receive(event_id, number, quantity) for number, quantity, event_id in entries]
    sheet = read_events("events.csv", book(EVENTS_HEADER, rows), Rules("402R-X0042", ZoneInfo("America/Denver")))
    once = newest_events([sheet])
    assert newest_events([sheet, sheet]) == once
    assert len({(event.event_id, event.label) for event in once}) == len(once)
