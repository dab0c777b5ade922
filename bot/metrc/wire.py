"""METRC's Web API v2, bytes to meaning and back: what to ask, what an answer says, which page comes next. No I/O.

Three habits of the host shape this file:

* keys come in any case, "not set" comes as ``null``, ``""`` or the year 1, and numbers come with or without a fraction;
* a row that lacks what makes it that row (its id, its label, the quantity of a sale line) is a broken answer and raises
  ``MetrcNotJson``: dropped in silence it would read as "METRC has none";
* a list may come in an envelope or as a bare array, and the counts in the envelope are claims, not facts.

Patients, caregivers, consumers, drivers and addresses are in many rows. Nothing here reads them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from bot.errors import (
    MetrcError,
    MetrcForbidden,
    MetrcNotFound,
    MetrcNotJson,
    MetrcRateLimited,
    MetrcRejected,
    MetrcServerFault,
    MetrcTimeout,
    MetrcTooLarge,
    MetrcUnauthorized,
)
from bot.model import (
    Adjustment,
    Direction,
    Facility,
    MetrcDelivery,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)

T = TypeVar("T")

PAGE_SIZE = 20
"""The largest page METRC documents; what a larger one does is not known."""

MAX_BODY = 10_000_000
"""Bytes of one answer."""

MAX_PAGES = 20_000
"""Pages of one list. A longer one is taken for a host that makes up rows."""

_MAX_DEPTH = 32
_MAX_VALUES = 500_000  # about 60 MB once parsed
_MAX_NUMBER = 40  # characters; Python's own limit for whole numbers is a slow 4300
_MAX_TEXT = 4_000
_MAX_QUOTE = 200
_MAX_WAIT = 120.0
_MAX_ID = 2**63 - 1
_MAX_SHAPES = 200  # kinds of rows whose keys are remembered
_WAVE = 16  # METRC takes 10 at a time; the rest stand ready, and are few enough for a person to pass by


# --- what to ask ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One GET: path and query. ``asked`` is how errors and evidence name it."""

    path: str
    params: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> str:
        """Method, path and license; never a key."""
        license_number = dict(self.params).get("licenseNumber")
        return f"GET {self.path}" + (f" (license {license_number})" if license_number else "")


def facilities_request() -> Request:
    """Needs neither license nor right, so it asks only whether the keys live."""
    return Request("/facilities/v2/")


def rights_request(license_number: str, employee_license: str) -> Request:
    """What one employee may do at one license."""
    params = (("licenseNumber", license_number), ("employeeLicenseNumber", employee_license))
    return Request("/employees/v2/permissions", params)


def package_request(label: str, license_number: str) -> Request:
    """One package by its label. Raises ``MetrcRejected`` for text that cannot be a label: it would be another path."""
    label = label.strip().upper()
    if not (label.isascii() and label.isalnum()):
        raise MetrcRejected(f"METRC was not asked: “{_cut(label)}” cannot be a package label.", status=None)
    return record_request(f"/packages/v2/{label}", license_number)


def scan_request(code: str, license_number: str) -> Request:
    """The tags behind the code on a single unit. Raises ``MetrcRejected`` for text that cannot be a code."""
    if not (code.isascii() and code.isalnum()):
        raise MetrcRejected(f"METRC was not asked: “{_cut(code)}” cannot be the code of a unit.", status=None)
    return record_request(f"/retailid/v2/receive/qr/{code}", license_number)


def scanned(body: object) -> tuple[str, ...]:
    """The tags behind the code on a single unit, the package's own first; they come in any case."""
    fields = body if isinstance(body, dict) else {}
    siblings = fields.get("SiblingTags")
    tags = [fields.get("ChildTag"), *(siblings if isinstance(siblings, list) else ())]
    return tuple(dict.fromkeys(tag.strip().upper() for tag in tags if isinstance(tag, str) and tag.strip()))


def record_request(path: str, license_number: str) -> Request:
    """One record by its full path."""
    return Request(quote(path), (("licenseNumber", license_number),))


def list_request(path: str, license_number: str, window: Window, number: int, size: int = PAGE_SIZE) -> Request:
    """One page of a list, limited to what changed in the window. Pages count from 1."""
    return Request(path, (("licenseNumber", license_number), *_between(window), *_paging(number, size)))


def transfer_packages_request(delivery_id: int, number: int) -> Request:
    """One page of a delivery's packages; this call takes no license."""
    return Request(f"/transfers/v2/deliveries/{delivery_id}/packages", _paging(number, PAGE_SIZE))


def _paging(number: int, size: int) -> tuple[tuple[str, str], ...]:
    return (("pageNumber", str(number)), ("pageSize", str(size)))


def _between(window: Window) -> tuple[tuple[str, str], ...]:
    # Fractions are cut outwards: cutting the end inwards would lose what changed in its last second.
    end = window.end + timedelta(seconds=1) if window.end.microsecond else window.end
    return (("lastModifiedStart", _stamp(window.start)), ("lastModifiedEnd", _stamp(end)))


def _stamp(at: datetime) -> str:
    # "Z" and not "+00:00": an unescaped plus turns into a space on its way, and the window is wrong without an error.
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- what an answer says ----------------------------------------------------------------------------------------------


def decode(status: int, headers: Mapping[str, str], body: bytes, asked: str, *, now: datetime | None = None) -> object:
    """The JSON of a good answer, numbers as ``Decimal``; None for an empty body. Raises the ``MetrcError`` that fits.

    ``now`` is used for a ``Retry-After`` date when the answer does not carry its own ``Date``.
    """
    if not 200 <= status < 300:
        raise _refusal(status, headers, body, asked, now)
    if not body.strip():
        return None
    value, fault = _json(body)
    if fault:
        raise MetrcNotJson(f"METRC answered {asked} with {fault} instead of data.", status=status)
    return value


def _json(body: bytes) -> tuple[object, str]:
    """The value, or what the body is instead. The parser's own error is not passed on, for it holds the whole body."""
    if len(body) > MAX_BODY:
        return None, "more than 10 MB"
    if _is_html(body):
        return None, "a web page"
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MAX_VALUES:
        return None, "far too many values"
    return _parse(body)


def _parse(body: bytes) -> tuple[object, str]:
    try:
        value = json.loads(
            body, parse_float=_digits, parse_int=_digits, parse_constant=_digits, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        return None, "broken JSON"
    return (None, "JSON nested too deep") if _is_deep(value) else (value, "")


def _digits(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= _MAX_NUMBER else Decimal("NaN")
    if not number.is_finite():
        raise ValueError
    return number


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two values under one name leave it open which one is true."""
    value = dict(pairs)
    if len(value) < len(pairs) or not _names(tuple(value)).are_unlike:
        raise ValueError
    return value


class _Names(dict[str, str | None]):
    """The keys of an object by the name that is asked for, in any case; None: there is no such key."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__()
        self._folded = {key.lower(): key for key in keys}
        self.are_unlike = len(self._folded) == len(keys)

    def __missing__(self, name: str) -> str | None:
        """Only this program's own names are ever asked for, so there is an end to them."""
        self[name] = found = self._folded.get(name.lower())
        return found


_NAMES: dict[tuple[str, ...], _Names] = {}


def _names(keys: tuple[str, ...]) -> _Names:
    """Rows of one list have the same keys, and there are many rows; so what was made of them once is kept, if small."""
    found = _NAMES.get(keys)
    if found is None:
        found = _Names(keys)
        if sum(map(len, keys)) <= _MAX_TEXT:
            if len(_NAMES) >= _MAX_SHAPES:
                _NAMES.clear()
            _NAMES[keys] = found
    return found


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH - 1):
        # most are texts and numbers, and there are very many of them
        level = [child for parent in level for child in _children(parent) if type(child) in _NESTING]
        if not level:
            return False
    return any(_children(parent) for parent in level)


_NESTING = frozenset({dict, list})  # the parser makes no others


def _children(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _is_html(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _refusal(status: int, headers: Mapping[str, str], body: bytes, asked: str, now: datetime | None) -> MetrcError:
    if status == 400:
        return _rejected(body, asked)
    if status == 429:
        return _rate_limited(headers, asked, now)
    if status == 404 and _is_html(body):
        # METRC's own 404 is JSON or empty. A gateway's page must not pass for "METRC has no such record".
        return MetrcNotJson(f"METRC answered {asked} with a web page (404) instead of data.", status=status)
    return _by_status(status, f"METRC answered {asked} with {status}{_quoted(body)}")


def _by_status(status: int, says: str) -> MetrcError:
    if status in _MEANINGS:
        kind, meaning = _MEANINGS[status]
        return kind(f"{says}: {meaning}.", status=status)
    if status >= 500:
        return MetrcServerFault(f"{says}: the fault is METRC's.", status=status)
    if status >= 400:
        return MetrcRejected(f"{says}: what was asked is not accepted.", status=status)
    return MetrcNotJson(f"{says}: no data came.", status=status)


_MEANINGS: dict[int, tuple[type[MetrcError], str]] = {
    401: (MetrcUnauthorized, "the key may not read this, or METRC knows no such record at this license"),
    403: (MetrcForbidden, "the key is known but may not do this"),
    404: (MetrcNotFound, "METRC knows no such record, or does not offer this in this state"),
    # Not MetrcNotFound: a retired call says nothing about the record.
    405: (MetrcRejected, "METRC no longer offers this"),
    408: (MetrcTimeout, "the question did not arrive in time"),
    413: (MetrcTooLarge, "too much was asked at once"),
}


def _rejected(body: bytes, asked: str) -> MetrcRejected:
    messages = _messages(body)
    says = f"METRC did not accept {asked} (400)"
    text = f"{says}: {_cut(' '.join(messages))}" if messages else f"{says} and gave no reason."
    return MetrcRejected(text, messages=messages)


def _rate_limited(headers: Mapping[str, str], asked: str, now: datetime | None) -> MetrcRateLimited:
    wait = retry_after(headers, now)
    until = "" if wait is None else f" and wants {wait:.0f} s of quiet"
    return MetrcRateLimited(f"METRC was asked too often at {asked} (429){until}.", status=429, retry_after=wait)


def retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Seconds METRC wants to be left alone: 0 to 120, None when it does not say or cannot be understood."""
    folded = {key.lower(): value for key, value in headers.items()}
    text = folded.get("retry-after", "").strip()
    since = _http_date(folded.get("date", "")) or now
    until = _http_date(text)
    if until is not None:
        return None if since is None else _capped((until - since).total_seconds())
    # Only plain digits: float() would also take "inf", "nan" and "1_0".
    digits = text.replace(".", "", 1)
    return _capped(float(text)) if digits.isascii() and digits.isdigit() else None


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), _MAX_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _quoted(body: bytes) -> str:
    if _is_html(body):
        return " and a web page, so it may be a gateway that speaks"
    messages = _messages(body)
    return f" (“{_cut(' '.join(messages))}”)" if messages else ""


def _messages(body: bytes) -> tuple[str, ...]:
    """METRC's own sentences in any of the shapes it uses: object, list of objects, list of texts, text, nothing."""
    if _is_html(body):
        return ()
    value, fault = _json(body)
    if fault:
        value = body[:MAX_BODY].decode("utf-8", errors="replace")
    parts = value if isinstance(value, list) else [value]
    return tuple(text for part in parts[:20] if (text := _cut(_message(part))))


def _message(part: object) -> str:
    if isinstance(part, dict):
        part = next((value for key, value in part.items() if key.lower() == "message"), "")
    return part if isinstance(part, str) else ""


def _cut(text: str) -> str:
    """Foreign text as one printable line of at most 200 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * _MAX_QUOTE]).split())
    return line if len(line) <= _MAX_QUOTE else line[: _MAX_QUOTE - 1] + "…"


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. What the envelope did not say is None; a bare array says nothing and is the whole list."""

    rows: tuple[T, ...]
    page: int | None = None
    total_pages: int | None = None
    total: int | None = None
    is_bare: bool = False


def page(body: object) -> Page[object]:
    """Read an envelope or a bare array. Raises ``MetrcNotJson`` for anything else, so for an empty answer too."""
    if isinstance(body, list):
        return Page(tuple(body), page=1, total_pages=1, total=len(body), is_bare=True)
    row = _Row.of(body, "list")
    rows = row.value("Data")
    if not isinstance(rows, list):
        raise row.broken("Data")
    return Page(
        rows=tuple(rows),
        page=row.first_whole("CurrentPage", "Page"),
        total_pages=row.whole("TotalPages"),
        total=row.first_whole("TotalRecords", "Total"),
    )


def first_pages(expected: int | None) -> range:
    """The page numbers that may be asked for before any page came; one when it is not known how many rows there are."""
    return range(1, 1 + max(1, min(_WAVE, -(-(expected or 0) // PAGE_SIZE))))


def next_pages(pages: Sequence[Page[Any]]) -> range:
    """The page numbers that may be asked for, given the pages from 1 on; empty when there is nothing left to ask.

    A few ahead of those that came, so that a host which claims a billion pages is found out by the first empty one.
    """
    done = len(pages)
    if done >= MAX_PAGES or pages[0].is_bare or not pages[-1].rows or _is_repeated(pages, done):
        return range(0)
    last = _last_page(pages)
    return range(done + 1, min(done + (1 if last is None else _WAVE), last or MAX_PAGES, MAX_PAGES) + 1)


def _last_page(pages: Sequence[Page[Any]]) -> int | None:
    """By the number of rows where it is known: absurd page counts were seen more often than absurd row counts."""
    first = pages[0]
    if first.total is None:
        return first.total_pages
    return -(-first.total // len(first.rows))


def _is_repeated(pages: Sequence[Page[Any]], number: int) -> bool:
    """Whether the host ignores page numbers and sent page 1 again; equal rows alone do not prove it."""
    this = pages[number - 1]
    return number > 1 and this.rows == pages[0].rows and this.page != number


def rows_of(pages: Sequence[Page[T]]) -> tuple[T, ...]:
    """The rows of all pages in order, without pages that were sent again."""
    numbers = range(1, len(pages) + 1)
    return tuple(row for number in numbers if not _is_repeated(pages, number) for row in pages[number - 1].rows)


def is_steady(pages: Sequence[Page[Any]]) -> bool:
    """Whether the list kept its length while it was read; if not, a row may have slipped from one page to another."""
    return len({each.total for each in pages if each.total is not None}) <= 1


def must_be_whole(pages: Sequence[Page[Any]], asked: str) -> None:
    """Raise ``MetrcNotJson`` when fewer rows came than METRC says there are: a torn list is not a short list."""
    seen = len(rows_of(pages))
    total = min((each.total for each in pages if each.total is not None), default=None)
    if total is not None and seen < total:
        raise MetrcNotJson(f"METRC says that {asked} has {total} rows, but gave {seen}.")
    if len(pages) >= MAX_PAGES or (total is None and any(_is_repeated(pages, n) for n in range(1, len(pages) + 1))):
        raise MetrcNotJson(f"METRC did not come to an end with {asked}; {seen} rows were read.")


# --- rows -------------------------------------------------------------------------------------------------------------


class _Row:
    """A JSON object read with care: keys in any case, a missing or mistyped value is None."""

    __slots__ = ("_kind", "_names", "_values")

    def __init__(self, values: Mapping[str, object], kind: str) -> None:
        self._values = values
        self._names = _names(tuple(values))
        self._kind = kind

    @classmethod
    def of(cls, row: object, kind: str) -> _Row:
        """Raises ``MetrcNotJson`` for what is no object."""
        if not isinstance(row, Mapping):
            raise MetrcNotJson(f"METRC sent something else where a {kind} was expected.")
        return cls(row, kind)

    def broken(self, key: str) -> MetrcNotJson:
        return MetrcNotJson(f"METRC sent a {self._kind} without a usable “{key}”.")

    def value(self, key: str) -> object:
        name = self._names[key]
        return None if name is None else self._values[name]

    def inner(self, key: str) -> _Row | None:
        value = self.value(key)
        return _Row(value, key) if isinstance(value, Mapping) else None

    def inners(self, key: str) -> list[object]:
        value = self.value(key)
        return value if isinstance(value, list) else []

    def text(self, *keys: str) -> str | None:
        """The first of these keys that holds text; blank text is no text."""
        for key in keys:
            text = _text(self.value(key))
            if text:
                return text
        return None

    def code(self, key: str) -> str | None:
        """Text made of a number too: external numbers are anything a POS likes."""
        value = self.value(key)
        number = None if isinstance(value, str) else _number(value)
        return self.text(key) if number is None else str(number)

    def label(self, key: str) -> str:
        text = self.text(key)
        if text is None:
            raise self.broken(key)
        return text.upper()

    def id(self, key: str) -> int:
        value = self.whole(key)
        if not value:
            raise self.broken(key)
        return value

    def whole(self, key: str) -> int | None:
        """Not negative, fits a database column; ids come as text now and then."""
        value = self.value(key)
        if isinstance(value, str) and len(value) < _MAX_NUMBER and value.isascii() and value.isdigit():
            value = int(value)
        number = _number(value)
        return int(number) if number is not None and number % 1 == 0 and 0 <= number <= _MAX_ID else None

    def first_whole(self, *keys: str) -> int | None:
        return next((value for key in keys if (value := self.whole(key)) is not None), None)

    def number(self, key: str) -> Decimal | None:
        return _number(self.value(key))

    def must_number(self, key: str) -> Decimal:
        number = self.number(key)
        if number is None:
            raise self.broken(key)
        return number

    def flag(self, key: str) -> bool | None:
        return _flag(self.value(key))

    def any_flag(self, *keys: str) -> bool:
        return any(map(self.flag, keys))

    def day(self, key: str) -> date | None:
        return _day(self.value(key))

    def instant(self, key: str, zone: tzinfo = UTC) -> datetime | None:
        return _instant(self.value(key), zone)


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    # Lone surrogates and NUL pass JSON but no database.
    if value.isascii() and "\x00" not in value:
        return value[:_MAX_TEXT].strip() or None
    clean = value[:_MAX_TEXT].encode("utf-8", errors="replace").decode("utf-8").replace("\x00", "")
    return clean.strip() or None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return _usual(number) if number.is_finite() and -_MAX_NUMBER < number.adjusted() < 20 else None


@lru_cache(maxsize=2000)
def _usual(number: Decimal) -> Decimal:
    # 18.0, 18 and 1.8E+1 are one quantity and should read the same in a sentence; more than 28 digits are rounded.
    return Decimal(int(number)) if number == number.to_integral_value() else number.normalize()


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower())
    if isinstance(value, (bool, int, Decimal)) and value in {0, 1}:
        return bool(value)
    return None


def _moment(value: object) -> datetime | None:
    """As written, with or without an offset. Year 1 is METRC's "not set", to be caught before any change of zone."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.year >= 1900 else None


def _day(value: object) -> date | None:
    """The day as written. Days are not moved between zones: METRC gives them day precision."""
    moment = _moment(value)
    return None if moment is None else moment.date()


def _instant(value: object, zone: tzinfo) -> datetime | None:
    """In UTC. Without an offset it is read in ``zone``; in the hour that a clock change doubles, the first one."""
    moment = _moment(value)
    if moment is None or moment.year >= 9999:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


# --- records ----------------------------------------------------------------------------------------------------------

_SELLS = ("CanSellToConsumers", "CanSellToPatients", "CanSellToExternalPatients", "CanSellToCaregivers")


def facility(row: object) -> Facility:
    """A row of ``/facilities/v2/``. ``sells``: whether this type of facility may sell to anyone; None: not said."""
    fields = _Row.of(row, "facility")
    permit = fields.inner("License")
    number = permit.code("Number") if permit else None
    if permit is None or number is None:
        raise fields.broken("License.Number")
    return Facility(
        license=number,
        name=fields.text("Name", "DisplayName", "Alias") or number,
        license_type=permit.text("LicenseType"),
        license_ends_on=permit.day("EndDate"),
        support_expires_on=fields.day("SupportExpirationDate"),
        employee_license=permit.code("EmployeeLicenseNumber"),
        sells=_sells(fields.inner("FacilityType")),
    )


def _sells(kind: _Row | None) -> bool | None:
    said = [flag for key in _SELLS if kind is not None and (flag := kind.flag(key)) is not None]
    return any(said) if said else None


def rights(body: object) -> frozenset[str]:
    """The names of an employee's permissions, lower case."""
    names = [_text(name) for name in page(body).rows]
    if None in names:
        raise MetrcNotJson("METRC sent something else where the name of a permission was expected.")
    return frozenset(name.lower() for name in names if name)


def item(row: object, *, is_active: bool | None = None) -> MetrcItem:
    """A row of the item lists."""
    fields = _Row.of(row, "item")
    fields.id("Id")
    return _item(fields, is_active=is_active)


def _item(fields: _Row, *, is_active: bool | None = None) -> MetrcItem:
    # Enums are words in item lists and bare numbers inside packages; what the numbers mean is not documented.
    return MetrcItem(
        id=fields.whole("Id") or None,
        name=fields.text("Name"),
        category=fields.text("ProductCategoryName"),
        unit=fields.text("UnitOfMeasureName"),
        quantity_type=fields.text("QuantityType"),
        unit_weight=fields.number("UnitWeight"),
        unit_weight_unit=fields.text("UnitWeightUnitOfMeasureName"),
        strain=fields.text("StrainName"),
        is_active=is_active,
        last_modified=fields.instant("LastModified"),
    )


def package(row: object, listing: PackageList | None = None) -> MetrcPackage:
    """A package by id or label, or a row of the active, onhold, inactive and intransit lists.

    A quantity that is missing or no number is None: METRC did not say, which is not 0.
    """
    fields = _Row.of(row, "package")
    inner = fields.inner("Item")
    return MetrcPackage(
        id=fields.id("Id"),
        label=fields.label("Label"),
        quantity=fields.number("Quantity"),
        unit=fields.text("UnitOfMeasureName", "UnitOfMeasureAbbreviation"),
        item=_item(inner) if inner else MetrcItem(id=None, name=None),
        original_quantity=fields.number("OriginalPackageQuantity"),
        package_type=fields.text("PackageType"),
        lab_state=fields.text("LabTestingState"),
        lab_state_on=fields.day("LabTestingStateDate"),
        location=fields.text("LocationName"),
        is_on_hold=fields.any_flag("IsOnHold", "IsOnHoldCombined"),
        is_on_investigation=fields.any_flag("IsOnInvestigation", "IsOnInvestigationHold", "IsOnInvestigationRecall"),
        is_on_recall=fields.any_flag("IsOnRecall", "IsOnRecallCombined"),
        is_finished=fields.any_flag("IsFinished"),
        finished_on=fields.day("FinishedDate"),
        archived_on=fields.day("ArchivedDate"),
        packaged_on=fields.day("PackagedDate"),
        received_at=fields.instant("ReceivedDateTime"),
        received_from_manifest=fields.code("ReceivedFromManifestNumber"),
        received_from_license=fields.code("ReceivedFromFacilityLicenseNumber"),
        source_labels=_labels(fields.text("SourcePackageLabels")),
        is_production_batch=fields.any_flag("IsProductionBatch"),
        is_testing_sample=fields.any_flag("IsTestingSample"),
        note=fields.text("Note"),
        last_modified=fields.instant("LastModified"),
        listing=listing,
    )


def _labels(text: str | None) -> tuple[str, ...]:
    return tuple(label.strip().upper() for label in (text or "").split(",") if label.strip())


def receipt(row: object, zone: ZoneInfo) -> MetrcReceipt:
    """A sales receipt, from a list (then without lines) or by id. ``SalesDateTime`` is read in the facility's zone."""
    fields = _Row.of(row, "receipt")
    return MetrcReceipt(
        id=fields.id("Id"),
        number=fields.code("ReceiptNumber"),
        external_number=fields.code("ExternalReceiptNumber"),
        sold_at=fields.instant("SalesDateTime", zone),
        recorded_at=fields.instant("RecordedDateTime"),
        last_modified=fields.instant("LastModified"),
        recorded_by=fields.text("RecordedByUserName"),
        is_final=fields.any_flag("IsFinal"),
        archived_on=fields.day("ArchivedDate"),
        total_price=fields.number("TotalPrice"),
        total_packages=fields.whole("TotalPackages"),
        lines=_lines(fields),
    )


def delivery(row: object, zone: ZoneInfo) -> MetrcDelivery:
    """A sales delivery, from a list (then without lines) or by id. Times without an offset are the facility's."""
    fields = _Row.of(row, "delivery")
    return MetrcDelivery(
        id=fields.id("Id"),
        number=fields.code("DeliveryNumber"),
        sold_at=fields.instant("SalesDateTime", zone),
        recorded_at=fields.instant("RecordedDateTime"),
        last_modified=fields.instant("LastModified"),
        recorded_by=fields.text("RecordedByUserName"),
        state=fields.text("SalesDeliveryState"),
        completed_at=fields.instant("CompletedDateTime", zone),
        voided_on=fields.day("VoidedDate"),
        total_price=fields.number("TotalPrice"),
        total_packages=fields.whole("TotalPackages"),
        lines=_lines(fields),
    )


def _lines(fields: _Row) -> tuple[MetrcLine, ...] | None:
    """List rows come with an empty ``Transactions``: that is "not read", unless the sale is of no package at all."""
    lines = tuple(_line(row) for row in fields.inners("Transactions"))
    return lines if lines or fields.whole("TotalPackages") == 0 else None


def _line(row: object) -> MetrcLine:
    fields = _Row.of(row, "sale line")
    return MetrcLine(
        label=fields.label("PackageLabel"),
        quantity=fields.must_number("QuantitySold"),
        unit=fields.text("UnitOfMeasureName", "UnitOfMeasureAbbreviation"),
        price=fields.number("TotalPrice"),
        unit_weight=fields.number("UnitWeight"),
        unit_weight_unit=fields.text("UnitWeightUnitOfMeasureName", "ItemUnitWeightUnitOfMeasureName"),
        item_name=fields.text("ProductName"),
        archived_on=fields.day("ArchivedDate"),
    )


def transfer(row: object, direction: Direction) -> Transfer:
    """A row of the incoming, outgoing or rejected list. The counts are the delivery's where METRC gives them."""
    fields = _Row.of(row, "transfer")
    number = fields.id("Id")
    # Outgoing rows have zeros in the delivery's counts.
    of = "Delivery" if fields.whole("DeliveryPackageCount") else ""
    return Transfer(
        id=number,
        # Every documented manifest number is the transfer's id, padded.
        manifest=fields.code("ManifestNumber") or f"{number:010d}",
        direction=direction,
        delivery_id=fields.whole("DeliveryId") or None,
        invoice=fields.code("InvoiceNumber"),
        shipper_license=fields.code("ShipperFacilityLicenseNumber"),
        shipper_name=fields.text("ShipperFacilityName"),
        recipient_license=fields.code("RecipientFacilityLicenseNumber"),
        recipient_name=fields.text("RecipientFacilityName"),
        shipment_type=fields.text("ShipmentTypeName"),
        created_at=fields.instant("CreatedDateTime"),
        created_by=fields.text("CreatedByUserName"),
        departed_at=fields.instant("ActualDepartureDateTime"),
        received_at=fields.instant("ReceivedDateTime"),
        last_modified=fields.instant("LastModified"),
        is_voided=fields.any_flag("IsVoided"),
        package_count=fields.whole(f"{of}PackageCount"),
        received_package_count=fields.whole(f"{of}ReceivedPackageCount"),
    )


def transfer_package(row: object) -> TransferPackage:
    """A row of ``/transfers/v2/deliveries/{id}/packages``."""
    fields = _Row.of(row, "transferred package")
    return TransferPackage(
        label=fields.label("PackageLabel"),
        package_id=fields.whole("PackageId") or None,
        state=fields.text("ShipmentPackageState", "ShipmentPackageStateName"),
        shipped_quantity=fields.number("ShippedQuantity"),
        shipped_unit=fields.text("ShippedUnitOfMeasureName", "ShippedUnitOfMeasureAbbreviation"),
        received_quantity=fields.number("ReceivedQuantity"),
        received_unit=fields.text("ReceivedUnitOfMeasureName", "ReceivedUnitOfMeasureAbbreviation"),
        item_id=fields.whole("ItemId") or None,
        item_name=fields.text("ItemName"),
        item_category=fields.text("ItemCategoryName"),
        item_unit_weight=fields.number("ItemUnitWeight"),
        item_unit_weight_unit=fields.text("ItemUnitWeightUnitOfMeasureName"),
        lab_state=fields.text("LabTestingState"),
    )


def transferred(row: object) -> TransferredPackage:
    """A row of ``/packages/v2/transferred``."""
    fields = _Row.of(row, "transferred package")
    return TransferredPackage(
        label=fields.label("PackageLabel"),
        package_id=fields.whole("PackageId") or None,
        manifest=fields.code("ManifestNumber"),
        recipient_license=fields.code("RecipientFacilityLicenseNumber"),
        recipient_name=fields.text("RecipientFacilityName"),
        state=fields.text("ShipmentPackageStateName", "ShipmentPackageState"),
        shipped_quantity=fields.number("ShippedQuantity"),
        received_quantity=fields.number("ReceivedQuantity"),
        unit=fields.text("ShippedUnitOfMeasureName", "ShippedUnitOfMeasureAbbreviation"),
        received_at=fields.instant("ReceivedDateTime"),
    )


def adjustment(row: object) -> Adjustment:
    """A row of ``/packages/v2/adjustments``."""
    fields = _Row.of(row, "adjustment")
    return Adjustment(
        label=fields.label("PackageLabel"),
        package_id=fields.whole("PackageId") or None,
        quantity=fields.must_number("AdjustmentQuantity"),
        unit=fields.text("AdjustmentUnitOfMeasureName", "AdjustmentUnitOfMeasureAbbreviation"),
        reason=fields.text("AdjustmentReasonName"),
        note=fields.text("AdjustmentNote"),
        on=fields.day("AdjustmentDate"),
        by=fields.text("AdjustedByUserName"),
    )
