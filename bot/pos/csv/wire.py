"""Text of a POS export ↔ meaning: columns by alias, cells by strict rules. No I/O, no clock.

Three kinds of files exist (``Book``). A file is first a ``Table`` (delimiter, columns, records), then a ``Sheet`` of
values. What cannot be read with exactly one meaning is refused, never repaired: a refused row says "not readable here",
which is something else than "not there". Columns that are not named below are dropped, and with them whatever they
say about customers.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, partial
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from bot.errors import PosUnreadable
from bot.labels import MOST_EDITS
from bot.model import LABEL_LENGTH, PosEvent, PosPackage, PosSaleLine, RefusedRow, Submission

T = TypeVar("T")


class Book(StrEnum):
    """The kinds of files; the value is how their names begin."""

    INVENTORY = "inventory"
    SALES = "sales"
    EVENTS = "events"


class CellRefused(PosUnreadable):
    """One row or cell cannot be used; the sentence says why."""


class MisshapenTag(CellRefused):
    """A package tag that lost or gained a character; ``tag`` is what stands there, upper case."""

    def __init__(self, why: str, tag: str) -> None:
        super().__init__(why)
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Rules:
    """How the files of one shop are read.

    ``zone`` is the facility's; ``file_zone`` that of times without an offset, where it is another one; ``date_format``
    a ``strptime`` format that, when set, every date of the files must have.
    """

    license_number: str
    zone: ZoneInfo
    file_zone: ZoneInfo | None = None
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """One file, read. ``refused`` rows are lost, ``notes`` are about optional cells of rows that were kept.

    ``foreign`` counts the rows of other licenses, which are in none of the tuples.
    """

    rows: tuple[T, ...] = ()
    refused: tuple[RefusedRow, ...] = ()
    notes: tuple[RefusedRow, ...] = ()
    foreign: int = 0

    @property
    def count(self) -> int:
        """How many rows of this license the file holds, readable or not."""
        return len(self.rows) + len(self.refused)


# --- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A field and the headers that mean it; headers are compared by their lower-case letters and digits only."""

    name: str
    aliases: tuple[str, ...] = ()
    required: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Every accepted header, the canonical one first."""
        return (header_key(self.name), *self.aliases)


_TAG = (
    "externalpackageid",
    "packagelabel",
    "label",
    "tag",
    "metrctag",
    "regulatoryid",
    "statetrackingid",
    "trackpackagelabel",
    "package",
    "uid",
)
_QUANTITY = ("qty", "quantityavailable", "amount", "onhand", "livequantity", "quantityonhand", "available")
_UNIT = ("uom", "unitofmeasure", "units", "quantityunits", "inventoryunitofmeasure")
_WEIGHT = ("unitweight", "netweight", "productweight", "weight")
_WEIGHT_IN_GRAMS = ("productgrams", *(f"{stem}{word}" for stem in _WEIGHT for word in ("g", "gram", "grams")))
_LICENSE = Column("license_number", ("license", "licenseno", "facilitylicense", "facilitylicensenumber"))

# METRC's own word for the tag column is what several systems call the receipt in their sales files.
COLUMNS: Mapping[Book, tuple[Column, ...]] = {
    Book.INVENTORY: (
        _LICENSE,
        Column("package_id", (*_TAG, "metrcid"), required=True),
        Column("quantity", _QUANTITY, required=True),
        Column("unit", _UNIT, required=True),
        Column("product_name", ("product", "productname", "item", "itemname"), required=True),
        Column("product_id"),
        Column("category"),
        Column("metrc_item_name", ("metrcitem",)),
        Column("metrc_category"),
        Column("strain", ("strainname", "metrcstrain")),
        Column("unit_weight_g", (*_WEIGHT_IN_GRAMS, *_WEIGHT)),
        Column("unit_weight_unit", tuple(f"{stem}{word}" for stem in _WEIGHT for word in ("unit", "uom"))),
        Column("room", ("location", "locationname", "roomname")),
        Column("received_at", ("received", "receivedon", "receiveddate", "datereceived")),
        Column("manifest_number", ("manifest", "manifestid", "compliancemn")),
        Column("status"),
        Column("exported_at"),
    ),
    Book.SALES: (
        _LICENSE,
        Column("transaction_id", ("receiptid", "ticketid", "transno", "ordernumber"), required=True),
        Column("sold_at", ("receiptdate", "date", "completedtime", "transactiondate"), required=True),
        Column("package_id", _TAG, required=True),
        Column("quantity", _QUANTITY, required=True),
        Column("line_id"),
        Column("unit", _UNIT),
        Column("is_void", ("void", "voided", "isvoided")),
        Column("is_return", ("return", "returned", "isreturned")),
        Column("original_transaction_id"),
        Column("trace_status", ("metrcstatus", "submitstatus", "reportingstatus")),
        Column("trace_receipt_id", ("metrcid", "metrcreceiptid")),
        Column("trace_message"),
        Column("reported_at"),
    ),
    Book.EVENTS: (
        _LICENSE,
        Column("occurred_at", ("date", "transactiondate"), required=True),
        Column("event_type", ("action", "activity", "transactiontype"), required=True),
        Column("package_id", (*_TAG, "metrcid"), required=True),
        Column("event_id", ("inventorytransactionid",)),
        Column("from_quantity", ("start",)),
        Column("to_quantity", ("end",)),
        Column("quantity", ("qty",)),
        Column("unit", _UNIT),
        Column("actor", ("by", "transactionby")),
        Column("reason", ("detail",)),
        Column("reference"),
    ),
}

_MOMENTS = ("received_at", "sold_at", "reported_at", "occurred_at", "exported_at")
_NUMBERS = ("quantity", "unit_weight_g", "from_quantity", "to_quantity")


def header_key(header: str) -> str:
    """A header as it is compared: lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", header.lower())


def _candidates(column: Column, keys: Sequence[str]) -> list[int]:
    """Positions of the headers that mean this column, the canonical name first, then from the left."""
    found = [at for at, key in enumerate(keys) if key in column.keys]
    return sorted(found, key=lambda at: (keys[at] != column.keys[0], at))


# --- records ----------------------------------------------------------------------------------------------------------

_DELIMITERS = (",", ";", "\t")
_LONGEST_RECORD = 50  # physical lines: a quote that is open for longer was never meant to be one
_PEEK = 50


@dataclass(frozen=True, slots=True)
class Record:
    """One row as cells. ``line`` is the physical line it starts on; ``broken`` says why it has no cells."""

    line: int
    cells: tuple[str, ...]
    broken: str | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file as records under known columns. ``width`` counts all header cells, ``named`` those up to the last name."""

    name: str
    book: Book
    delimiter: str
    columns: Mapping[str, int]
    width: int
    named: int
    weight_in_grams: bool
    records: tuple[Record, ...]


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8 or UTF-16 by their byte-order mark, else UTF-8, else Windows-1252. Never fails."""
    # No database takes a zero character in a text, and no cell means one.
    return _decoded(data).replace("\x00", "")


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        # Not final: a file cut inside its last character is still UTF-8, and its last row is refused on its own.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=False)
    except UnicodeDecodeError:
        return data.removeprefix(codecs.BOM_UTF8).decode("cp1252", errors="replace")


def read_table(book: Book, name: str, text: str) -> Table:
    """Find delimiter, columns and records. Raises PosUnreadable when a required column is missing."""
    lines = list(io.StringIO(text, newline=""))
    start = next((at for at, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise PosUnreadable(f"{name} is empty, not even a header is in it.")
    delimiter = max(_DELIMITERS, key=lambda mark: _header_fit(book, lines, start, mark))
    header, begin = _record(lines, start, delimiter)
    if header.broken:
        raise PosUnreadable(f"The header of {name} (line {start + 1}) cannot be read: {header.broken}.")
    records = tuple(_records(lines, begin, delimiter, len(header.cells)))
    return _table(book, name, delimiter, header, records)


def _header_fit(book: Book, lines: Sequence[str], start: int, delimiter: str) -> tuple[int, int]:
    cells = _record(lines, start, delimiter)[0].cells
    keys = [header_key(cell) for cell in cells]
    return sum(bool(_candidates(column, keys)) for column in COLUMNS[book]), len(cells)


def _record(lines: Sequence[str], at: int, delimiter: str) -> tuple[Record, int]:
    """The record that starts at this index, and the index after it. A broken one costs its first line only."""
    reader = csv.reader(lines[at : at + _LONGEST_RECORD], delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
    except csv.Error:
        return Record(at + 1, (), "its quotes do not match", lines[at]), at + 1
    return Record(at + 1, tuple(cells)), at + reader.line_num


def _records(lines: Sequence[str], at: int, delimiter: str, width: int) -> Iterator[Record]:
    while at < len(lines):
        record, after = _record(lines, at, delimiter)
        if after - at > 1 and _swallows(record.cells, delimiter, width):
            # The rows below must not vanish with it.
            record, after = Record(at + 1, (), "its quotes do not match", lines[at]), at + 1
        if record.broken or any(cell.strip() for cell in record.cells):
            yield record
        at = after


def _swallows(cells: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether a stray quote joined rows: a cell that ends one row's worth of cells and begins another's is no text."""
    for at, cell in enumerate(cells):
        first, *rest = re.split(r"\r\n|\r|\n", cell)
        if rest and first.count(delimiter) >= width - 1 - at and rest[-1].count(delimiter) >= at:
            return True
    return len(cells) != width


def _table(book: Book, name: str, delimiter: str, header: Record, records: tuple[Record, ...]) -> Table:
    keys = [header_key(cell) for cell in header.cells]
    found = {column.name: at for column in COLUMNS[book] if (at := _choose(column, keys, records)) is not None}
    for column in COLUMNS[book]:
        if column.required and column.name not in found and not _is_dispensable(column, found, records):
            raise PosUnreadable(_missing(name, column))
    weight = found.get("unit_weight_g")
    return Table(
        name=name,
        book=book,
        delimiter=delimiter,
        columns=found,
        width=len(keys),
        named=max(at for at, key in enumerate(keys) if key) + 1,
        weight_in_grams=weight is not None and keys[weight] in _WEIGHT_IN_GRAMS,
        records=records,
    )


def _choose(column: Column, keys: Sequence[str], records: Sequence[Record]) -> int | None:
    """The column's position. Of several tag columns one that holds tags wins: a package id may be the shop's own."""
    places = _candidates(column, keys)
    if column.name == "package_id" and len(places) > 1:
        return next((at for at in places if any(_is_tag(cell) for cell in _peek(records, at))), places[0])
    return places[0] if places else None


def _is_dispensable(column: Column, found: Mapping[str, int], records: Sequence[Record]) -> bool:
    """Whether the missing column is the unit, and the quantity cells hold it ("41 ea")."""
    quantity = found.get("quantity")
    if column.name != "unit" or quantity is None:
        return False
    return any(re.search(r"[0-9]\s*[A-Za-z]", cell) for cell in _peek(records, quantity))


def _peek(records: Sequence[Record], at: int) -> Iterator[str]:
    return (record.cells[at] for record in records[:_PEEK] if at < len(record.cells))


def _missing(name: str, column: Column) -> str:
    accepted = ", ".join((column.name, *(alias for alias in column.aliases if alias != header_key(column.name))))
    return f"{name} has no column {column.name}; accepted names: {accepted}."


# --- cells ------------------------------------------------------------------------------------------------------------

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp])?(?(half)\.?[Mm]\.?)\s*(?P<offset>Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?"
)
_ISO_DATE = re.compile(rf"(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})(?:[T ]\s*{_TIME})?", re.ASCII)
_SLASH_DATE = re.compile(
    rf"(?P<first>\d{{1,2}})/(?P<next>\d{{1,2}})/(?P<year>\d{{4}}|\d{{2}})(?:,?\s+{_TIME})?", re.ASCII
)
_SLASH_START = re.compile(r"\s*'?(\d{1,2})/(\d{1,2})/", re.ASCII)

_POINT = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|[+-]?\.\d+", re.ASCII)
_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?|[+-]?,\d+", re.ASCII)
_AMOUNT = re.compile(r"([-+.,0-9]+)\s*([A-Za-z][A-Za-z. ]*)?", re.ASCII)
_GRAMMARS = {".": (_POINT, ","), ",": (_COMMA, ".")}
_LONGEST_NUMBER = 28  # characters: Decimal arithmetic keeps as many digits without rounding

_YES = frozenset({"true", "t", "yes", "y", "1"})
_NO = frozenset({"false", "f", "no", "n", "0", ""})

_UNITS: Mapping[str, tuple[str, ...]] = {
    "Each": ("ea", "each", "unit", "count", "ct", "pc", "pcs", "piece", "pieces"),
    "Grams": ("g", "gr", "gm", "gram", "grams"),
    "Kilograms": ("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms"),
    "Milligrams": ("mg", "mgs", "milligram", "milligrams"),
    "Ounces": ("oz", "ounce", "ounces"),
    "Pounds": ("lb", "lbs", "pound", "pounds"),
    "Fluid Ounces": ("floz", "fluidounce", "fluidounces"),
    "Gallons": ("gal", "gallon", "gallons"),
    "Liters": ("l", "lt", "liter", "liters", "litre", "litres"),
    "Milliliters": ("ml", "milliliter", "milliliters", "millilitre", "millilitres"),
    "Pints": ("pt", "pint", "pints"),
}
_UNIT_NAMES = {word: name for name, words in _UNITS.items() for word in words}

_STATUSES: Mapping[Submission, tuple[str, ...]] = {
    Submission.REPORTED: ("reported", "submitted", "completed", "success", "posted"),
    Submission.PENDING: (
        "pending",
        "queued",
        "inprogress",
        "submissionpending",
        "submissioninprogress",
        "submissionwaitingid",
        "rescheduled",
    ),
    Submission.FAILED: ("failed", "error", "submissionerror", "rejected", "parked"),
    Submission.VOIDED: ("voided", "deleted", "void"),
}
_SUBMISSIONS = {word: status for status, words in _STATUSES.items() for word in words}


def clean(cell: str) -> str:
    """A cell without the wrapping that spreadsheets put around text; raises CellRefused for any other formula."""
    text = cell.strip()
    if not text.startswith(("=", "'")):
        return text
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        text = text[2:-1].strip()
    text = text.removeprefix("'").strip()
    if text.startswith("="):
        raise CellRefused(f"{_cut(cell)} is a formula")
    return text


def read_tag(cell: str) -> str:
    """A package tag, upper case. O and I are kept as read. Raises CellRefused; nothing is ever repaired."""
    text = clean(cell)
    if not text:
        raise CellRefused("it has no package tag")
    if _is_number(text):
        raise CellRefused(f"the package tag {_cut(text)} is a number: the tag was lost in the spreadsheet")
    if not (text.isascii() and text.isalnum()):
        raise CellRefused(f"the package tag {_cut(text)} holds something else than letters and digits")
    if len(text) != LABEL_LENGTH:
        why = f"the package tag {_cut(text)} has {len(text)} characters instead of {LABEL_LENGTH}"
        raise MisshapenTag(why, text.upper()) if abs(len(text) - LABEL_LENGTH) <= MOST_EDITS else CellRefused(why)
    return text.upper()


def _is_number(text: str) -> bool:
    if re.search(r"[0-9]E[+-]", text, re.IGNORECASE) or re.fullmatch(r"[+-]?[0-9][0-9.,]*", text):
        return True
    return len(text) != LABEL_LENGTH and re.fullmatch(r"[0-9.,]+E[0-9]+", text, re.IGNORECASE) is not None


def _is_tag(cell: str) -> bool:
    try:
        read_tag(cell)
    except CellRefused:
        return False
    return True


def read_quantity(cell: str, mark: str | None) -> tuple[Decimal, str | None]:
    """A quantity and the unit that stands in the same cell, if any. Raises CellRefused.

    ``mark`` is the file's decimal mark; None: not known, then only what reads the same either way is taken.
    """
    found = _AMOUNT.fullmatch(clean(cell))
    number = _number(found[1], mark) if found else None
    # Only a known unit may follow: in "1O" a letter was typed for a digit.
    unit = _UNIT_NAMES.get(_letters(found[2])) if found and found[2] else None
    if found is None or number is None or (found[2] and unit is None):
        raise CellRefused(f"{_cut(cell)} is not a number")
    return number, unit


def _number(text: str, mark: str | None) -> Decimal | None:
    if len(text) > _LONGEST_NUMBER:
        return None
    if mark is not None:
        return _reading(text, mark)
    readings = _readings(text)
    if len(set(readings.values())) > 1:
        raise CellRefused(f"{_cut(text)} is ambiguous: this file does not tell its decimal mark")
    return next(iter(readings.values()), None)


def _readings(text: str) -> dict[str, Decimal]:
    """What the text means with each decimal mark under which it is a number."""
    return {mark: number for mark in _GRAMMARS if (number := _reading(text, mark)) is not None}


def _reading(text: str, mark: str) -> Decimal | None:
    grammar, thousands = _GRAMMARS[mark]
    if not grammar.fullmatch(text):
        return None
    return Decimal(text.replace(thousands, "").replace(mark, "."))


def decimal_mark(cells: Iterable[str], delimiter: str) -> str | None:
    """The decimal mark of a file: the point, unless it is cut by semicolons; then what its own cells prove."""
    if delimiter != ";":
        return "."
    numbers = (found[1] for cell in cells if (found := _AMOUNT.fullmatch(cell.strip())))
    proofs = {marks[0] for number in numbers if len(marks := list(_readings(number))) == 1}
    return proofs.pop() if len(proofs) == 1 else None


def read_unit(cell: str) -> str | None:
    """METRC's name of the unit; an unknown one as read; None for an empty cell."""
    text = clean(cell)
    return _UNIT_NAMES.get(_letters(text), text) or None


def read_flag(cell: str) -> bool:
    """Yes or no; an empty cell is no. Raises CellRefused."""
    text = clean(cell).lower()
    if text not in _YES | _NO:
        raise CellRefused(f"{_cut(cell)} is neither yes nor no")
    return text in _YES


def read_submission(cell: str) -> Submission:
    """What the POS says about posting to METRC, in whatever spelling."""
    return _SUBMISSIONS.get(_letters(cell), Submission.UNKNOWN)


@lru_cache(maxsize=4096)  # most rows of a file share their times of export and arrival
def read_moment(cell: str, rules: Rules, *, day_first: bool = False) -> datetime:
    """A time in UTC: ISO 8601 or month-first; one without an offset is in the file's zone. Raises CellRefused.

    ``day_first``: the file proves that it writes days first; then a date that can be read both ways is refused.
    """
    text = clean(cell)
    try:
        at = _moment(text, rules, day_first)
    except (ValueError, re.error) as error:
        raise CellRefused(f"{_cut(cell)} is not a date") from error
    if not 1970 <= at.year <= 9998:  # systems write year 1 for "never"
        raise CellRefused(f"{_cut(cell)} is not a date of our time")
    zone = rules.file_zone or rules.zone
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _moment(text: str, rules: Rules, day_first: bool) -> datetime:  # noqa: FBT001 - private, one caller
    if rules.date_format:
        return datetime.strptime(text, rules.date_format)  # noqa: DTZ007 - the zone is put on by the caller
    if found := _ISO_DATE.fullmatch(text):
        return _assemble(found, int(found["year"]), int(found["month"]), int(found["day"]))
    if found := _SLASH_DATE.fullmatch(text):
        month, day = _month_and_day(int(found["first"]), int(found["next"]), day_first=day_first)
        return _assemble(found, _full_year(found["year"]), month, day)
    if re.match(r"\d{8}T|\d{4}-", text):
        return datetime.fromisoformat(text)
    raise ValueError(text)


def _month_and_day(first: int, second: int, *, day_first: bool) -> tuple[int, int]:
    if first > 12:
        return second, first
    if day_first and second <= 12 and first != second:
        raise CellRefused(
            f"the date {first}/{second} is ambiguous: other dates of this file have the day first; set date_format"
        )
    return first, second


def _full_year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _assemble(found: re.Match[str], year: int, month: int, day: int) -> datetime:
    if found["hour"] is None:
        return datetime(year, month, day)  # noqa: DTZ001 - the zone is put on by the caller
    fraction = int((found["fraction"] or "").ljust(6, "0")[:6])
    hour, minute, second = _hour(found), int(found["minute"]), int(found["second"] or 0)
    return datetime(year, month, day, hour, minute, second, fraction, tzinfo=_offset(found["offset"]))


def _hour(found: re.Match[str]) -> int:
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} is no hour of a twelve-hour clock")
    return hour % 12 + (12 if half == "p" else 0)


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in {"Z", "z", "UTC"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def is_day_first(cells: Iterable[str]) -> bool:
    """Whether one of these cells can only be a date with the day first."""
    starts = (_SLASH_START.match(cell) for cell in cells if "/" in cell)
    return any(found and int(found[1]) > 12 >= int(found[2]) for found in starts)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def _cut(cell: str) -> str:
    text = " ".join(cell.split())
    return f'"{text}"' if len(text) <= 60 else f'"{text[:60]}…"'


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Habits:
    """What only the whole file tells about its cells."""

    mark: str | None
    day_first: bool


def _habits(table: Table, rules: Rules) -> _Habits:
    mark = decimal_mark(_cells(table, _NUMBERS), table.delimiter)
    return _Habits(mark, rules.date_format is None and is_day_first(_cells(table, _MOMENTS)))


def _cells(table: Table, names: Iterable[str]) -> Iterator[str]:
    places = [table.columns[name] for name in names if name in table.columns]
    return (record.cells[at] for record in table.records for at in places if at < len(record.cells))


@dataclass(slots=True)
class _Row:
    """One record under its columns. Collects the notes about optional cells that were given up."""

    record: Record
    table: Table
    rules: Rules
    habits: _Habits
    notes: list[RefusedRow] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"{self.table.name} line {self.record.line}"

    def raw(self, name: str) -> str:
        """The cell as it stands in the file; an absent column reads as empty."""
        at, cells = self.table.columns.get(name), self.record.cells
        return "" if at is None or at >= len(cells) else cells[at]

    def refusal(self, reason: str) -> RefusedRow:
        return RefusedRow(self.table.name, self.record.line, reason, self.shown_tag())

    def shown_tag(self) -> str | None:
        """What stands in the tag cell, so that a person finds the row; only a whole tag where cells may have moved."""
        if self.record.broken or len(self.record.cells) > self.table.width:
            text = self.record.raw or " ".join(self.record.cells)
            found = re.search(rf"(?<![A-Za-z0-9])[A-Za-z0-9]{{{LABEL_LENGTH}}}(?![A-Za-z0-9])", text)
            return found[0].upper() if found else None
        cell = self.raw("package_id")
        return read_tag(cell) if _is_tag(cell) else cell.strip()[:100] or None

    def is_total(self) -> bool:
        return bool(self.record.cells) and self.record.cells[0].strip().upper() == "TOTAL"

    def is_foreign(self) -> bool:
        license_number = self.raw("license_number").strip().strip("'\"=").upper()
        return license_number not in {"", self.rules.license_number.strip().upper()}

    def check_shape(self, *, is_last: bool) -> None:
        """Refuse a record whose cells may stand under the wrong header, or that was cut while being written."""
        if self.record.broken:
            raise CellRefused(self.record.broken)
        count = len(self.record.cells)
        if count > self.table.width:
            raise CellRefused(f"it has {count} cells under a header of {self.table.width}")
        if is_last and count < self.table.named:
            raise CellRefused(f"it is cut off after {count} of {self.table.named} cells")

    def text(self, name: str) -> str | None:
        """An optional text; None when empty. A formula is given up with a note."""
        return self._optional(name, clean) or None

    def moment_or_none(self, name: str) -> datetime | None:
        return self._optional(name, self._read_moment)

    def moment(self, name: str) -> datetime:
        return self._required(name, self._read_moment)

    def needed(self, name: str) -> str:
        return self._required(name, clean)

    def flag(self, name: str) -> bool:
        return self.value(name, read_flag)

    def tag(self) -> str:
        """One that lost a character is kept as it was typed: that is how the POS has it, and what a person looks for."""
        try:
            return read_tag(self.raw("package_id"))
        except MisshapenTag as odd:
            self.notes.append(replace(self.refusal(f"{odd}; the row was kept as it was typed"), kept=True))
            return odd.tag

    def amount(self, name: str) -> tuple[Decimal, str | None]:
        """A quantity and its unit, from its own cell or the unit column; the two must not contradict each other."""
        number, unit = self._required(name, self._read_quantity)
        stated = self.value("unit", read_unit)
        if unit and stated and unit != stated:
            raise CellRefused(f"{name} is in {unit}, but its unit is said to be {stated}")
        return number, unit or stated

    def number_or_none(self, name: str) -> Decimal | None:
        """A quantity where an empty cell is fine, but an unreadable one is not."""
        return self.value(name, self._read_quantity)[0] if self.raw(name).strip() else None

    def grams(self) -> Decimal | None:
        """The unit weight, if anything says that it is in grams."""
        found = self._optional("unit_weight_g", self._read_quantity)
        if found is None:
            return None
        number, unit = found
        column = read_unit(self.text("unit_weight_unit") or "")
        said = unit or column or ("Grams" if self.table.weight_in_grams else None)
        return number if said == "Grams" else None

    def _read_moment(self, cell: str) -> datetime:
        return read_moment(cell, self.rules, day_first=self.habits.day_first)

    def _read_quantity(self, cell: str) -> tuple[Decimal, str | None]:
        return read_quantity(cell, self.habits.mark)

    def value(self, name: str, read: Callable[[str], T]) -> T:
        try:
            return read(self.raw(name))
        except CellRefused as refusal:
            raise CellRefused(f"{name}: {refusal}") from refusal

    def _required(self, name: str, read: Callable[[str], T]) -> T:
        if not self.raw(name).strip():
            raise CellRefused(f"{name} is empty")
        return self.value(name, read)

    def _optional(self, name: str, read: Callable[[str], T]) -> T | None:
        cell = self.raw(name)
        if not cell or cell.isspace():
            return None
        try:
            return read(cell)
        except CellRefused as refusal:
            note = self.refusal(f"{name}: {refusal}; the row was kept without it")
            self.notes.append(replace(note, kept=True))
            return None


# --- books ------------------------------------------------------------------------------------------------------------


def read_inventory(name: str, text: str, rules: Rules) -> Sheet[PosPackage]:
    """An inventory file. ``as_of`` of a row is the export time it states, else None. Raises PosUnreadable."""
    return _sheet(read_table(Book.INVENTORY, name, text), rules, partial(_package, twins=Counter()))


def read_sales(name: str, text: str, rules: Rules) -> Sheet[PosSaleLine]:
    """A sales file; every line gets a ``line_id`` that is its own within the sale. Raises PosUnreadable."""
    return _sheet(read_table(Book.SALES, name, text), rules, partial(_sale_line, ids=_LineIds()))


def read_events(name: str, text: str, rules: Rules) -> Sheet[PosEvent]:
    """An audit log. Raises PosUnreadable."""
    return _sheet(read_table(Book.EVENTS, name, text), rules, _event)


def _sheet(table: Table, rules: Rules, build: Callable[[_Row], T]) -> Sheet[T]:
    habits = _habits(table, rules)
    rows: list[T] = []
    refused: list[RefusedRow] = []
    notes: list[RefusedRow] = []
    foreign = 0
    for record in table.records:
        row = _Row(record, table, rules, habits)
        if row.is_total():
            continue
        try:
            row.check_shape(is_last=record is table.records[-1])
            if row.is_foreign():
                foreign += 1
                continue
            rows.append(build(row))
        except CellRefused as refusal:
            refused.append(row.refusal(str(refusal)))
            continue
        notes.extend(row.notes)
    return Sheet(tuple(rows), tuple(refused), tuple(notes), foreign)


def _package(row: _Row, *, twins: Counter[str]) -> PosPackage:
    label = row.tag()
    quantity, unit = row.amount("quantity")
    if unit is None:
        raise CellRefused("it has no unit")
    product_id, room = row.text("product_id"), row.text("room")
    manifest, received_at = row.text("manifest_number"), row.moment_or_none("received_at")
    arrival = manifest or (received_at.isoformat() if received_at else "-")
    return PosPackage(
        record_id=_unique(f"{label}/{room or '-'}/{product_id or '-'}/{arrival}", twins),
        label=label,
        quantity=quantity,
        unit=unit,
        product_name=row.value("product_name", clean),
        product_id=product_id,
        category=row.text("category"),
        metrc_item=row.text("metrc_item_name"),
        metrc_category=row.text("metrc_category"),
        strain=row.text("strain"),
        unit_weight_g=row.grams(),
        room=room,
        status=row.text("status"),
        received_at=received_at,
        manifest=manifest,
        as_of=row.moment_or_none("exported_at"),
        where=row.where,
    )


def _unique(stem: str, taken: Counter[str]) -> str:
    """The stem, numbered from its second use on: equal rows may be one load that was received twice."""
    taken[stem] += 1
    return stem if taken[stem] == 1 else f"{stem}/{taken[stem]}"


class _LineIds:
    """Names the lines of the sales of one file."""

    def __init__(self) -> None:
        self._lines: Counter[str] = Counter()
        self._labels: dict[tuple[str, str], list[str]] = {}

    def number(self, sale_id: str) -> str:
        """The position of the next line within its sale; refused lines count, or numbers would move when one heals."""
        self._lines[sale_id] += 1
        return str(self._lines[sale_id])

    def name(self, sale_id: str, line_id: str, label: str) -> str:
        """The line's id; numbered where one line draws on several packages."""
        labels = self._labels.setdefault((sale_id, line_id), [])
        if label not in labels:
            labels.append(label)
        at = labels.index(label)
        return line_id if at == 0 else f"{line_id}/{at + 1}"


def _sale_line(row: _Row, *, ids: _LineIds) -> PosSaleLine:
    sale_id = row.needed("transaction_id")
    number = ids.number(sale_id)
    label = row.tag()
    quantity, unit = row.amount("quantity")
    return PosSaleLine(
        sale_id=sale_id,
        line_id=ids.name(sale_id, row.text("line_id") or number, label),
        label=label,
        quantity=quantity,
        sold_at=row.moment("sold_at"),
        unit=unit,
        is_void=row.flag("is_void"),
        is_return=row.flag("is_return"),
        original_sale_id=row.text("original_transaction_id"),
        submission=read_submission(row.raw("trace_status")),
        receipt_id=row.text("trace_receipt_id"),
        message=row.text("trace_message"),
        reported_at=row.moment_or_none("reported_at"),
        where=row.where,
    )


def _event(row: _Row) -> PosEvent:
    label, at = row.tag(), row.moment("occurred_at")
    kind = " ".join(row.needed("event_type").lower().split())
    reason = row.text("reason")
    reference = row.text("reference") or _manifest_in(reason)
    event_id = row.text("event_id")
    return PosEvent(
        event_id=event_id or composed_id(at, reference, row.rules),
        kind=kind,
        label=label,
        at=at,
        from_quantity=row.number_or_none("from_quantity"),
        to_quantity=_to_quantity(row, kind),
        unit=row.value("unit", read_unit),
        actor=row.text("actor"),
        reason=reason,
        reference=reference,
        has_id=event_id is not None,
        where=row.where,
    )


def composed_id(at: datetime, reference: str | None, rules: Rules) -> str:
    """The id of an event without one: its time on the facility's clock, and the manifest number if there is one."""
    return " ".join(filter(None, [at.astimezone(rules.zone).isoformat(), reference]))


def _to_quantity(row: _Row, kind: str) -> Decimal | None:
    """The quantity after the event. A log with one quantity column tells it for a receive only: that starts at 0."""
    after = row.number_or_none("to_quantity")
    return row.number_or_none("quantity") if after is None and kind == "receive" else after


def _manifest_in(detail: str | None) -> str | None:
    found = re.search(r"\bmanifest\W{0,3}([0-9]{7,10})\b", detail or "", re.IGNORECASE)
    return found[1] if found else None
