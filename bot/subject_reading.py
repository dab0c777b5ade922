"""Read what a question about a receipt, manifest or product needs, and end in frozen ``Evidence``.

First the record itself, on both sides; then every package it touches, by the very path of a question about that package.
All of them share one reading of the POS, one ladder and one reading of each list. A reading that fails or comes too late
is a problem in its place; packages for which there was no room or no time are named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from bot.asked_once import MetrcOnce, Once, PosOnce
from bot.errors import DeadlineReached, Problem, ProblemKind, SourceError
from bot.gather import Desk, access_is_open, gather
from bot.manifest_subject import manifest_labels, own_manifests
from bot.mirror import freshen, read_receipt_lines, read_transfer_packages
from bot.model import (
    Access,
    Evidence,
    Feed,
    MetrcPackage,
    MetrcReceipt,
    PosBooks,
    PosPackage,
    PosSaleLine,
    Probe,
    Question,
    Reading,
    Sighting,
    Subject,
    SubjectKind,
    Window,
)
from bot.numbers import bare, same_number
from bot.ports import Progress, TrackAndTrace
from bot.product_subject import product_labels
from bot.receipt_subject import sale_labels
from bot.subject_names import name_words, names_alike, numbers_alike, telling_word

T = TypeVar("T")

MOST_PACKAGES: Final = 50
# packages looked at together; METRC's own limit for a license lies above it
TOGETHER: Final = 4
# with less time than this left, a package would only be a row of missing readings
LEAST_SECONDS: Final = 1.0
MOST_OPENED: Final = 60
# how far back a number is looked for that nothing dates
UNDATED: Final = timedelta(days=30)
LONGEST: Final = timedelta(days=180)
MARGIN: Final = timedelta(hours=1)
# a manifest is made some days before its load is received
BEFORE_ARRIVAL: Final = timedelta(days=7)
# packages of a product are found by their last change
PRODUCT_AGE: Final = timedelta(days=90)

FAMILIES: Final = ("packages", "sales", "transfers")
RECEIPTS: Final = (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE)
TRANSFERS: Final = (Feed.TRANSFERS_INCOMING, Feed.TRANSFERS_OUTGOING, Feed.TRANSFERS_REJECTED)
PACKAGES: Final = (Feed.PACKAGES_ACTIVE, Feed.PACKAGES_ON_HOLD, Feed.PACKAGES_IN_TRANSIT)


async def gather_subject(question: Question, desk: Desk, progress: Progress) -> Evidence:
    """Gather the evidence for a question about a receipt, manifest or product."""
    before, now = desk.metrc.requests, desk.clock.now()
    async with Once() as once:
        shared = replace(desk, metrc=MetrcOnce(desk.metrc, once), pos=PosOnce(desk.pos, once), clock=_Stopped(now))
        evidence = await _Reading(question, shared, progress, now).run()
    return replace(evidence, requests=desk.metrc.requests - before)


@dataclass(frozen=True)
class _Stopped:
    """One question has one moment, however many packages it looks at."""

    at: datetime

    def now(self) -> datetime:
        return self.at


class _Reading:
    """One question while it is being read."""

    def __init__(self, question: Question, desk: Desk, progress: Progress, now: datetime) -> None:
        self.question = question
        self.desk = desk
        self.progress = progress
        self.now = now
        self.value = question.subject.value
        self.deadline = asyncio.get_running_loop().time() + question.deadline_seconds

    async def run(self) -> Evidence:
        await self.progress("Reading the POS and METRC")
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._books())
            climbing = group.create_task(self._access())
        books, access = reading.result(), climbing.result()
        is_open = access_is_open(access)
        record = await self._record(_blank(self.question, self.desk, self.now, access), books, is_open=is_open)
        labels = _LABELS[self.question.subject.kind](record)
        if not is_open:
            return replace(record, left_out=labels)
        packages, left_out = await self._packages(labels)
        return replace(record, packages=packages, left_out=left_out)

    async def _record(self, blank: Evidence, books: PosBooks, *, is_open: bool) -> Evidence:
        match self.question.subject.kind:
            case SubjectKind.RECEIPT:
                return await self._receipt(blank, books, is_open=is_open)
            case SubjectKind.MANIFEST:
                return await self._manifest(blank, books, is_open=is_open)
            case _:
                return await self._product(blank, books, is_open=is_open)

    # --- a receipt ----------------------------------------------------------------------------------------------------

    async def _receipt(self, blank: Evidence, books: PosBooks, *, is_open: bool) -> Evidence:
        lines = _lines_of(books, {self.value})
        direct = await self._by_id(self.value) if is_open and not _is_sale(lines, self.value) else None
        if direct is not None and direct.value is not None and direct.value.external_number:
            lines = _lines_of(books, {self.value, direct.value.external_number})
        cut = replace(
            blank,
            pos_sales=_cut(books.sales, lines, "sales", books),
            pos_sales_since=books.sales_since,
            pos_sales_until=max((line.sold_at for line in books.sales.value or ()), default=None),
        )
        if not is_open:
            return cut
        cut = await self._receipts(cut, lines, direct)
        known = bool(lines or cut.receipts.value)
        return cut if known else replace(cut, alike=numbers_alike(self.value, _sale_numbers(books)))

    async def _receipts(
        self, cut: Evidence, lines: tuple[PosSaleLine, ...], direct: Reading[MetrcReceipt] | None
    ) -> Evidence:
        stored = [await self._by_id(i) for i in dict.fromkeys(bare(x.receipt_id) for x in lines) if _is_id(i)]
        direct_readings = [*stored, *([direct] if direct is not None else [])]
        by_id = [reading.value for reading in direct_readings if reading.value is not None]
        numbers = {x.sale_id for x in lines} | {r.external_number for r in by_id if r.external_number}
        numbers |= {self.value, self.value.upper(), self.value.lower()}
        moments = {x.sold_at for x in lines} | {r.sold_at for r in by_id if r.sold_at}
        window = Window(self._back_to(min(moments, default=self.now - UNDATED) - MARGIN), self.now)
        problem = await self._freshen(RECEIPTS, window.start)
        failed = await self._open_receipts(numbers, moments)
        found = {r.id: r for r in (*await self.desk.mirror.receipts_like(numbers, moments), *by_id)}
        problem = next((r.problem for r in direct_readings if r.problem is not None), problem)
        asked = f"GET /sales/v2/receipts/{{id}}, active and inactive, since {window.start:%Y-%m-%d}"
        whole = replace(cut, receipts=Reading("metrc", asked, self.now, tuple(found.values()), problem))
        labels = set(sale_labels(whole))
        ours = tuple(r for r in found.values() if r in by_id or _may_be(r, numbers, labels))
        unread = tuple(r for r in failed if r.id in {one.id for one in ours})
        read = tuple(r for r in ours if r not in unread)
        return replace(
            whole,
            receipts=replace(whole.receipts, value=read),
            receipts_window=window,
            unread_receipts=unread,
            delays=await self.desk.mirror.delays(self.now - UNDATED),
        )

    async def _open_receipts(self, numbers: Collection[str], moments: Collection[datetime]) -> list[MetrcReceipt]:
        """Read the lines of candidates; those that could not be read come back."""
        rows = await self.desk.mirror.receipts_like(numbers, moments)
        wanted = [receipt for receipt in rows if receipt.lines is None]
        if not wanted:
            return []
        try:
            async with asyncio.timeout_at(self.deadline):
                _, failed = await read_receipt_lines(self.desk.metrc, self.desk.mirror, wanted[:MOST_OPENED], self.now)
        except TimeoutError:
            return wanted
        return [*(receipt for receipt, _ in failed), *wanted[MOST_OPENED:]]

    async def _by_id(self, number: str) -> Reading[MetrcReceipt]:
        """A receipt by its id; METRC's refusal of a single one means that there is none, once sales answer."""
        asked = f"GET /sales/v2/receipts/{bare(number)}"
        if not _is_id(bare(number)):
            return Reading("metrc", asked, self.now)
        reading = await self._read(asked, lambda: self.desk.metrc.receipt(int(bare(number))))
        if reading.value is not None:
            await self.desk.mirror.store_receipt(reading.value, self.now)
        if reading.problem is not None and reading.problem.kind in _NO_SUCH:
            return Reading("metrc", asked, self.now)
        return reading

    # --- a manifest ---------------------------------------------------------------------------------------------------

    async def _manifest(self, blank: Evidence, books: PosBooks, *, is_open: bool) -> Evidence:
        rows = tuple(row for row in books.inventory.value or () if same_number(row.manifest, self.value))
        events = tuple(event for event in books.events.value or () if same_number(event.reference, self.value))
        cut = replace(
            blank,
            pos_rows=_cut(books.inventory, rows, "inventory", books),
            pos_events=_cut(books.events, events, "events", books),
            pos_events_since=books.events_since,
        )
        if not is_open:
            return cut
        held = await self.desk.mirror.transfers_named(self.value)
        times = [t.created_at or t.last_modified for t in held] + [row.received_at for row in rows]
        told = [at for at in (*times, *(event.at for event in events)) if at is not None]
        since = self._back_to(min(told, default=self.now - UNDATED + BEFORE_ARRIVAL) - BEFORE_ARRIVAL)
        problem = await self._freshen(TRANSFERS, since)
        asked = f"GET /transfers/v2/incoming, outgoing and rejected, since {since:%Y-%m-%d}"
        problem = await self._open_manifests() or problem
        found = own_manifests(await self.desk.mirror.transfers_named(self.value), self.value)
        cut = replace(cut, transfers=Reading("metrc", asked, self.now, found, problem))
        known = bool(found or rows or events)
        return cut if known else replace(cut, alike=numbers_alike(self.value, _manifest_numbers(books)))

    async def _open_manifests(self) -> Problem | None:
        found = own_manifests(await self.desk.mirror.transfers_named(self.value), self.value)
        wanted = [transfer for transfer in found if transfer.packages is None]
        if not wanted:
            return None
        try:
            async with asyncio.timeout_at(self.deadline):
                _, failed = await read_transfer_packages(self.desk.metrc, self.desk.mirror, wanted, self.now)
        except TimeoutError:
            return _too_late()
        return failed[0][1] if failed else None

    # --- a product ----------------------------------------------------------------------------------------------------

    async def _product(self, blank: Evidence, books: PosBooks, *, is_open: bool) -> Evidence:
        rows = tuple(row for row in books.inventory.value or () if self._is_of_product(row))
        cut = replace(blank, pos_rows=_cut(books.inventory, rows, "inventory", books))
        if not is_open:
            return cut
        problem = await self._freshen(PACKAGES, self.now - PRODUCT_AGE)
        items = {name_words(row.metrc_item) for row in rows if row.metrc_item} | {name_words(self.value)}
        names = {row.metrc_item for row in rows if row.metrc_item} | {self.value}
        seen = await self._packages_called(names)
        held = {row.label for row in rows}
        ours = [p for p in seen if _is_item(p, items, self.value) and (not p.is_closed or p.label in held)]
        near = tuple(Sighting(p.label, "METRC", p.quantity, p.item.name, p.label in held) for p in ours)
        asked = f"GET /packages/v2/active, onhold and intransit, since {self.now - PRODUCT_AGE:%Y-%m-%d}"
        cut = replace(cut, near=Reading("metrc", asked, self.now, near, problem))
        known = bool(rows or near)
        return cut if known else replace(cut, alike=names_alike(self.value, _product_names(books, seen)))

    def _is_of_product(self, row: PosPackage) -> bool:
        wanted = name_words(self.value)
        names = (name_words(row.product_name), name_words(row.metrc_item))
        return wanted in names or (row.product_id or "").casefold() == self.value.casefold()

    async def _packages_called(self, names: Iterable[str]) -> tuple[MetrcPackage, ...]:
        found: dict[str, MetrcPackage] = {}
        for word in sorted({telling_word(name) for name in names}):
            found |= {package.label: package for package in await self.desk.mirror.packages_mentioning(word)}
        return tuple(found.values())

    # --- the packages -------------------------------------------------------------------------------------------------

    async def _packages(self, labels: Sequence[str]) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
        """The evidence of each label, in order, and the labels that were left out."""
        wanted = labels[:MOST_PACKAGES]
        gate = asyncio.Semaphore(TOGETHER)

        async def one(number: int, label: str) -> Evidence | None:
            async with gate:
                return await self._package(label, f"Looking at package {number} of {len(wanted)}")

        # alone, so that all others find its lists read
        first = [await one(1, wanted[0])] if wanted else []
        async with asyncio.TaskGroup() as group:
            rest = [group.create_task(one(number, label)) for number, label in enumerate(wanted[1:], 2)]
        read = [*first, *(task.result() for task in rest)]
        missed = [label for label, evidence in zip(wanted, read, strict=True) if evidence is None]
        return tuple(evidence for evidence in read if evidence is not None), (*missed, *labels[MOST_PACKAGES:])

    async def _package(self, label: str, stage: str) -> Evidence | None:
        left = self.deadline - asyncio.get_running_loop().time()
        if left < LEAST_SECONDS:
            return None
        await self.progress(stage)
        question = replace(self.question, subject=Subject(SubjectKind.PACKAGE, label), deadline_seconds=left)
        return await gather(question, self.desk, _quietly)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _books(self) -> PosBooks:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.desk.pos.read(self.now)
        except TimeoutError:
            late: Reading[Any] = Reading("pos", "the POS's books", problem=_too_late())
            return PosBooks(late, late, late)

    async def _access(self) -> Access:
        async with asyncio.TaskGroup() as group:
            seeing = group.create_task(self._read("GET /facilities/v2/", self.desk.metrc.facilities))
            probes = [group.create_task(self._probe(family)) for family in FAMILIES]
        facilities = seeing.result()
        refused = facilities.problem is not None and facilities.problem.kind.is_refusal
        others = [await self._other_key(name, metrc) for name, metrc in self.desk.others[:3]] if refused else []
        return Access(facilities, tuple(probe.result() for probe in probes), tuple(others))

    async def _probe(self, family: str) -> Probe:
        async def ask() -> bool:
            await self.desk.metrc.probe(family)
            return True

        return Probe(family, await self._read(f"GET one page of {family}", ask))

    async def _other_key(self, name: str, metrc: TrackAndTrace) -> Probe:
        async def ask() -> bool:
            await metrc.facilities()
            return True

        return Probe(name, await self._read("GET /facilities/v2/ with another key", ask))

    async def _read(self, asked: str, ask: Callable[[], Awaitable[T]]) -> Reading[T]:
        """Ask METRC once within the question's deadline; a failure becomes the reading's problem."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return Reading("metrc", asked, self.now, await ask())
        except SourceError as error:
            return Reading("metrc", asked, problem=error.problem)
        except TimeoutError:
            return Reading("metrc", asked, problem=_too_late())

    async def _freshen(self, feeds: Sequence[Feed], since: datetime) -> Problem | None:
        """Bring feeds up to now; the first problem, if any. A list that a state does not offer holds nothing."""

        async def one(feed: Feed) -> Problem | None:
            reading = await self._read(
                feed.value, lambda: freshen(self.desk.metrc, self.desk.mirror, feed, since, self.now)
            )
            return reading.problem

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(feed)) for feed in feeds]
        problems = [task.result() for task in tasks]
        return next((p for p in problems if p is not None and p.kind is not ProblemKind.NOT_FOUND), None)

    def _back_to(self, moment: datetime) -> datetime:
        return min(max(moment, self.now - LONGEST), self.now - MARGIN)


# --- small words ------------------------------------------------------------------------------------------------------

_LABELS: Final[dict[SubjectKind, Callable[[Evidence], tuple[str, ...]]]] = {
    SubjectKind.RECEIPT: sale_labels,
    SubjectKind.MANIFEST: manifest_labels,
    SubjectKind.PRODUCT: product_labels,
}
# what METRC says of one record that it does not have
_NO_SUCH: Final = frozenset(
    {ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND, ProblemKind.FORBIDDEN, ProblemKind.REJECTED}
)


def _blank(question: Question, desk: Desk, now: datetime, access: Access) -> Evidence:
    """The evidence before the record was read: what belongs to other kinds of subjects stays so."""

    def unasked(source: str, what: str) -> Reading[Any]:
        said = f"Not asked for a {question.subject.kind.value}."
        return Reading(source, what, problem=Problem(ProblemKind.NOT_OFFERED, said))

    return Evidence(
        shop=desk.shop,
        subject=question.subject,
        asked_at=now,
        access=access,
        package=unasked("metrc", "package"),
        receipts=unasked("metrc", "receipts"),
        deliveries=unasked("metrc", "deliveries"),
        transfers=unasked("metrc", "transfers"),
        transferred=unasked("metrc", "transferred packages"),
        adjustments=unasked("metrc", "adjustments"),
        pos_rows=unasked("pos", "stock list"),
        pos_sales=unasked("pos", "sales"),
        pos_events=unasked("pos", "log"),
    )


def _cut(book: Reading[tuple[T, ...]], own: tuple[T, ...], kind: str, books: PosBooks) -> Reading[tuple[T, ...]]:
    """A book cut down to the record; where nothing of it is there, a row that could not be read may be it."""
    lost = [r for r in books.refused if not r.kept and r.file.rsplit("/", 1)[-1].casefold().startswith(kind)]
    problem = book.problem
    if problem is None and lost and not own:
        problem = Problem(ProblemKind.UNREADABLE, f"{lost[0].file}, line {lost[0].line}: {lost[0].reason}")
    return Reading(book.source, book.asked, book.as_of, own if book.value is not None else None, problem)


def _lines_of(books: PosBooks, numbers: Collection[str]) -> tuple[PosSaleLine, ...]:
    """All lines of the sales that bear a number, store it as their receipt's id, or are taken back by it."""
    every = books.sales.value or ()
    wanted = {bare(number) for number in numbers}
    ids = {x.sale_id for x in every if {bare(x.sale_id), bare(x.receipt_id), bare(x.original_sale_id)} & wanted}
    return tuple(line for line in every if line.sale_id in ids)


def _is_sale(lines: Iterable[PosSaleLine], number: str) -> bool:
    """Whether the POS has a sale of this very number: then it is not also looked for as a METRC id."""
    return any(same_number(line.sale_id, number) for line in lines)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) <= 18


def _may_be(receipt: MetrcReceipt, numbers: Collection[str], labels: Collection[str]) -> bool:
    """Whether a receipt of the number or of the moment may be this sale's: it bears the number or takes its labels."""
    known = {bare(number) for number in numbers}
    if bare(receipt.external_number) in known or receipt.lines is None:
        return True
    return any(line.label in labels for line in receipt.lines)


def _is_item(package: MetrcPackage, items: Collection[tuple[str, ...]], value: str) -> bool:
    return name_words(package.item.name) in items or str(package.item.id) == value.strip()


def _sale_numbers(books: PosBooks) -> set[str]:
    lines = books.sales.value or ()
    return {line.sale_id for line in lines} | {line.receipt_id for line in lines if line.receipt_id}


def _manifest_numbers(books: PosBooks) -> set[str]:
    numbers = {row.manifest for row in books.inventory.value or () if row.manifest}
    return numbers | {event.reference for event in books.events.value or () if event.reference}


def _product_names(books: PosBooks, seen: Iterable[MetrcPackage]) -> set[str]:
    names = {row.product_name for row in books.inventory.value or ()}
    names |= {row.metrc_item for row in books.inventory.value or () if row.metrc_item}
    return names | {package.item.name for package in seen if package.item.name}


def _too_late() -> Problem:
    return DeadlineReached("There was no time left to read this.").problem


async def _quietly(_sentence: str) -> None:
    """The question itself tells how far it is."""
