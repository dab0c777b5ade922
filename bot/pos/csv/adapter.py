"""The POS as a folder of CSV files: reads them, and refuses an export that cannot be today's.

Of inventory the newest file by name counts, and nothing stands in for it when it is refused. Of sales and events every
file counts; where two files hold the same id, the later name wins, because statuses move on.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from bot.errors import PosUnreadable, Problem, ProblemKind
from bot.model import ExportSeen, PosBooks, PosEvent, PosPackage, PosSaleLine, Reading, RefusedRow
from bot.ports import Exports
from bot.pos.csv.wire import Book, Rules, Sheet, decode, read_events, read_inventory, read_sales

T = TypeVar("T")

LARGEST_FILE = 200_000_000
"""In bytes; no export of a shop comes near it."""

SMALLEST_COMPARED = 10
"""A stock list shorter than this may halve within a day of good business."""

_Files = Mapping[Book, Sequence[Path]]


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it was read. ``written_at`` is its modification time, never later than the reading."""

    name: str
    digest: str
    text: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class _Shelf(Generic[T]):
    """One book, and what belongs to it in ``PosBooks``."""

    reading: Reading[tuple[T, ...]]
    since: datetime | None = None
    refused: tuple[RefusedRow, ...] = ()


class CsvPos:
    """A ``PointOfSale`` that reads ``inventory*.csv``, ``sales*.csv`` and ``events*.csv`` of one folder.

    ``zone`` is the facility's; ``file_zone`` and ``date_format`` are those of the files, None for the usual rules.
    ``max_age_minutes`` is for whoever judges ``as_of``: an old export is still read. ``exports`` remembers what was
    accepted before.
    """

    def __init__(
        self,
        directory: Path,
        *,
        license_number: str,
        zone: ZoneInfo,
        file_zone: ZoneInfo | None,
        date_format: str | None,
        max_age_minutes: int,
        exports: Exports,
    ) -> None:
        self.max_age_minutes = max_age_minutes
        self._directory = directory
        self._rules = Rules(license_number, zone, file_zone, date_format)
        self._exports = exports

    async def read(self, now: datetime) -> PosBooks:
        """Everything the folder says now. A book that cannot be read holds its problem; only storage errors raise."""
        try:
            files = await asyncio.to_thread(_listing, self._directory)
        except PosUnreadable as error:
            return _all_closed(error)
        stock = await self._stock(files[Book.INVENTORY], now)
        sales = await self._book(Book.SALES, files[Book.SALES], now, self._sales)
        events = await self._book(Book.EVENTS, files[Book.EVENTS], now, self._events)
        return PosBooks(
            inventory=stock.reading,
            sales=sales.reading,
            events=events.reading,
            sales_since=sales.since,
            events_since=events.since,
            refused=stock.refused + sales.refused + events.refused,
        )

    async def _stock(self, paths: Sequence[Path], now: datetime) -> _Shelf[PosPackage]:
        if not paths:
            return _closed(Book.INVENTORY, PosUnreadable(f"There is no inventory*.csv in {self._folder}.").problem)
        try:
            return await self._newest_stock(paths[-1], paths[:-1], now)
        except PosUnreadable as error:
            return _closed(Book.INVENTORY, error.problem, asked=_shown(paths[-1]))

    async def _newest_stock(self, newest: Path, older: Sequence[Path], now: datetime) -> _Shelf[PosPackage]:
        file, sheet = await asyncio.to_thread(self._inventory_file, newest, now)
        _refuse_unusable(file.name, sheet, self._rules.license_number)
        await self._refuse_stale(file, newest, older)
        last = await self._exports.last(Book.INVENTORY.value)
        await self._refuse_halved(file, sheet, older, last, now)
        as_of = max((row.as_of for row in sheet.rows if row.as_of), default=file.written_at)
        export = ExportSeen(Book.INVENTORY.value, file.name, file.digest, sheet.count, as_of)
        if export != last:
            await self._exports.remember(export)
        rows = tuple(row if row.as_of else replace(row, as_of=as_of) for row in sheet.rows)
        return _Shelf(Reading("pos", file.name, as_of, rows), refused=sheet.refused + sheet.notes)

    async def _refuse_stale(self, file: _File, newest: Path, older: Sequence[Path]) -> None:
        """A new name with content that another name had is yesterday's export, uploaded again."""
        twin = await asyncio.to_thread(_twin, newest, file.digest, older)
        seen = await self._exports.seen(Book.INVENTORY.value, file.digest)
        other = twin or (seen.name if seen and seen.name != file.name else None)
        if other:
            raise PosUnreadable(f"{file.name} holds exactly what {other} held: an old export was uploaded again.")

    async def _refuse_halved(
        self, file: _File, sheet: Sheet[PosPackage], older: Sequence[Path], last: ExportSeen | None, now: datetime
    ) -> None:
        """Half a stock list reads as a shop full of missing packages. ``last``: what was read before."""
        if last:
            before: tuple[str, int] | None = (last.name, last.rows)
        else:
            before = await asyncio.to_thread(self._counted, older, now)
        if before and _is_halved(sheet.count, before[1]):
            raise PosUnreadable(
                f"{file.name} holds {sheet.count} rows, {before[0]} held {before[1]}: the export looks cut short."
            )

    def _counted(self, older: Sequence[Path], now: datetime) -> tuple[str, int] | None:
        """Name and row count of the file before the newest; None when there is none that can be read."""
        if not older:
            return None
        try:
            file, sheet = self._inventory_file(older[-1], now)
        except PosUnreadable:
            return None
        return file.name, sheet.count

    def _inventory_file(self, path: Path, now: datetime) -> tuple[_File, Sheet[PosPackage]]:
        file = _open(path, now)
        return file, read_inventory(file.name, file.text, self._rules)

    def _sales(self, paths: Sequence[Path], now: datetime) -> _Shelf[PosSaleLine]:
        files, sheets = self._every(paths, read_sales, now)
        return _history(files, sheets, newest_lines(sheets), lambda line: line.sold_at, now)

    def _events(self, paths: Sequence[Path], now: datetime) -> _Shelf[PosEvent]:
        files, sheets = self._every(paths, read_events, now)
        return _history(files, sheets, newest_events(sheets), lambda event: event.at, now)

    def _every(
        self, paths: Sequence[Path], read: Callable[[str, str, Rules], Sheet[T]], now: datetime
    ) -> tuple[list[_File], list[Sheet[T]]]:
        """All files of a book; one that cannot be read leaves a hole in it, so it raises."""
        files = [_open(path, now) for path in paths]
        return files, [_legible(file.name, read(file.name, file.text, self._rules)) for file in files]

    async def _book(
        self, book: Book, paths: Sequence[Path], now: datetime, read: Callable[[Sequence[Path], datetime], _Shelf[T]]
    ) -> _Shelf[T]:
        if not paths:
            says = f"There is no {book}*.csv in {self._folder}."
            return _closed(book, Problem(ProblemKind.NOT_OFFERED, says))
        try:
            return await asyncio.to_thread(read, paths, now)
        except PosUnreadable as error:
            return _closed(book, error.problem)

    @property
    def _folder(self) -> str:
        return _shown(self._directory)


# --- the folder -------------------------------------------------------------------------------------------------------


def _listing(directory: Path) -> _Files:
    """The files of each book, oldest name first."""
    with _explained(_shown(directory)):
        paths = sorted(directory.iterdir(), key=natural_key)
    return {book: [path for path in paths if _belongs(path, book)] for book in Book}


def _belongs(path: Path, book: Book) -> bool:
    name = path.name.lower()
    return name.startswith(book.value) and name.endswith(".csv")


def natural_key(path: Path) -> tuple[list[tuple[str, int]], str]:
    """Order by name with numbers as numbers: ``inventory.csv``, ``inventory-9.csv``, ``inventory-10.csv``."""
    parts = re.split(r"([0-9]+)", path.stem.lower())
    texts, numbers = parts[::2], [int(digits) for digits in parts[1::2]]
    return list(zip(texts, [*numbers, -1], strict=True)), path.name


def _open(path: Path, now: datetime) -> _File:
    name = _shown(path)
    with _explained(name):
        status = path.stat()
        _refuse_odd(name, status)
        data = path.read_bytes()
    written_at = datetime.fromtimestamp(max(0, min(status.st_mtime, now.timestamp())), UTC)
    return _File(name, hashlib.sha256(data).hexdigest(), decode(data), written_at)


def _refuse_odd(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
        raise PosUnreadable(f"{name} cannot be read: it is not a file.")
    if status.st_size > LARGEST_FILE:
        raise PosUnreadable(f"{name} is larger than {LARGEST_FILE // 1_000_000} MB, which no export of a shop is.")


def _twin(newest: Path, digest: str, older: Sequence[Path]) -> str | None:
    """The name of an older file with the same content; only files of the same size are opened."""
    size = _size(newest)
    twins = (path for path in older if _size(path) == size and _digest(path) == digest)
    return next((_shown(path) for path in twins), None)


def _size(path: Path) -> int | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PosUnreadable(f"{name} cannot be read: {error.strerror or type(error).__name__}.") from error


def _shown(path: Path) -> str:
    """The name without bytes that no database takes."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


# --- what is accepted -------------------------------------------------------------------------------------------------


def _refuse_unusable(name: str, sheet: Sheet[PosPackage], license_number: str) -> None:
    if sheet.foreign and not sheet.count:
        raise PosUnreadable(f"{name} holds {sheet.foreign} rows of other licenses and none of {license_number}.")
    if len(sheet.refused) * 2 > sheet.count:
        raise PosUnreadable(f"{name}: {_told(sheet)}.")


def _legible(name: str, sheet: Sheet[T]) -> Sheet[T]:
    """The sheet, unless not one of its rows could be read."""
    if sheet.refused and not sheet.rows:
        raise PosUnreadable(f"{name}: {_told(sheet)}.")
    return sheet


def _told(sheet: Sheet[T]) -> str:
    first = sheet.refused[0]
    lost = f"{len(sheet.refused)} of {sheet.count} rows cannot be read"
    return f"{lost}, the first of them on line {first.line}: {first.reason}"


def _is_halved(rows: int, before: int) -> bool:
    if rows == 0:
        return before > 0
    return before >= SMALLEST_COMPARED and rows * 2 <= before


# --- many files, one book ---------------------------------------------------------------------------------------------


def newest_lines(sheets: Sequence[Sheet[PosSaleLine]]) -> tuple[PosSaleLine, ...]:
    """Every sale line once; the later sheet wins."""
    return tuple({(line.sale_id, line.line_id): line for sheet in sheets for line in sheet.rows}.values())


def newest_events(sheets: Sequence[Sheet[PosEvent]]) -> tuple[PosEvent, ...]:
    """Every event once; the later sheet wins. ``event_id`` and ``label`` together are unique in the result."""
    events = {key: event for sheet in sheets for key, event in _keyed(sheet.rows)}
    return tuple(_distinct(events.values()))


def _keyed(events: Sequence[PosEvent]) -> Iterator[tuple[tuple[object, ...], PosEvent]]:
    """Events of one file with what makes each the same event in another file.

    One id may stand for a load of several packages. Without an id it is the whole content, and which of several equal
    rows it is: a load that was received twice within a second is two events.
    """
    times: Counter[PosEvent] = Counter()
    for event in events:
        if event.has_id:
            yield (event.event_id, event.label), event
        else:
            content = replace(event, where="")
            times[content] += 1
            yield (content, times[content]), event


def _distinct(events: Iterable[PosEvent]) -> Iterator[PosEvent]:
    """Number the composed ids that would be shared by events of one package."""
    times: Counter[tuple[str, str]] = Counter()
    for event in events:
        times[event.event_id, event.label] += 1
        number = times[event.event_id, event.label]
        yield event if number == 1 else replace(event, event_id=f"{event.event_id} #{number}")


# --- answers ----------------------------------------------------------------------------------------------------------


def _history(
    files: Sequence[_File],
    sheets: Sequence[Sheet[T]],
    rows: tuple[T, ...],
    moment: Callable[[T], datetime],
    now: datetime,
) -> _Shelf[T]:
    moments = [moment(row) for row in rows]
    # A file that tells of a moment was written after it, whatever a copy did to its modification time.
    as_of = max([file.written_at for file in files] + [at for at in moments if at <= now])
    refused = tuple(row for sheet in sheets for row in sheet.refused + sheet.notes)
    return _Shelf(Reading("pos", _asked(files), as_of, rows), min(moments, default=None), refused)


def _closed(book: Book, problem: Problem, *, asked: str | None = None) -> _Shelf[T]:
    return _Shelf(Reading("pos", asked or f"{book}*.csv", problem=problem))


def _all_closed(error: PosUnreadable) -> PosBooks:
    return PosBooks(
        inventory=Reading("pos", f"{Book.INVENTORY}*.csv", problem=error.problem),
        sales=Reading("pos", f"{Book.SALES}*.csv", problem=error.problem),
        events=Reading("pos", f"{Book.EVENTS}*.csv", problem=error.problem),
    )


def _asked(files: Sequence[_File]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} … {files[-1].name} ({len(files)} files)"
