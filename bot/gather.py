"""Read what one question needs, everything at once and within its deadline, and end in frozen ``Evidence``.

Three rounds at most. First: may the key see the license, does each family answer, the package by its label, the POS.
Then, as far as the package's age asks for it: the lists that the mirror does not hold yet. Last: the lines of those
receipts and manifests that can concern the label. A reading that fails or comes too late is a problem in its place;
it never stops the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Final, TypeVar

from bot.errors import DeadlineReached, Problem, ProblemKind, SourceError
from bot.labels import as_digits, edits, is_well_formed
from bot.mirror import freshen, read_delivery_lines, read_receipt_lines, read_transfer_packages
from bot.model import (
    LABEL_LENGTH,
    Access,
    Adjustment,
    Evidence,
    Facility,
    Feed,
    MetrcDelivery,
    MetrcPackage,
    MetrcReceipt,
    PosBooks,
    PosEvent,
    PosPackage,
    PosSaleLine,
    PostingDelays,
    Probe,
    Question,
    Reading,
    RefusedRow,
    Shop,
    Sighting,
    Transfer,
    TransferredPackage,
    Window,
)
from bot.ports import Clock, Mirror, PointOfSale, Progress, TrackAndTrace

T = TypeVar("T")

MARGIN: Final = timedelta(hours=1)
# what a package that nobody knows the age of is looked for in
UNKNOWN_AGE: Final = timedelta(days=30)
# nothing older can still explain today's difference within a minute's reading
LONGEST: Final = timedelta(days=180)
# near labels are looked for among packages that changed since then
NEAR_AGE: Final = timedelta(days=90)
# a manifest is made some days before its load is received
MANIFEST_AGE: Final = timedelta(days=7)
# at most so many receipts are opened for one question
MOST_RECEIPTS: Final = 300
MOST_TRANSFERS: Final = 60
MOST_LISTED: Final = 2000
OTHER_LICENSES: Final = 5
FAMILIES: Final = ("packages", "sales", "transfers")
TAILS: Final = {
    "sales": (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE),
    "transfers": (Feed.TRANSFERS_INCOMING,),
}
RECEIPT_FEEDS: Final = (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE)
TRANSFER_FEEDS: Final = (Feed.TRANSFERS_INCOMING, Feed.TRANSFERS_OUTGOING, Feed.TRANSFERS_REJECTED)
SEARCH_FEEDS: Final = (Feed.PACKAGES_IN_TRANSIT, Feed.PACKAGES_ON_HOLD, Feed.PACKAGES_INACTIVE)


@dataclass(frozen=True)
class Desk:
    """Where the facts of one facility come from. ``others``: METRC with unrelated keys of the same host, by name."""

    shop: Shop
    metrc: TrackAndTrace
    pos: PointOfSale
    mirror: Mirror
    clock: Clock
    others: tuple[tuple[str, TrackAndTrace], ...] = ()


async def gather(question: Question, desk: Desk, progress: Progress) -> Evidence:
    """Gather the evidence for one question."""
    return await _Gathering(question, desk, progress).run()


@dataclass
class _Gathering:
    question: Question
    desk: Desk
    progress: Progress
    # feeds whose newest changes were read for this question, and from when on they are held
    fresh: dict[Feed, datetime] = field(default_factory=dict)
    label: str = field(init=False)
    now: datetime = field(init=False)
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.label = self.question.subject.value
        self.now = self.desk.clock.now()
        self.deadline = asyncio.get_running_loop().time() + self.question.deadline_seconds

    async def run(self) -> Evidence:
        before = self.desk.metrc.requests
        await self.progress("Reading the POS and METRC")
        books, access, package = await self._first_round()
        if not access_is_open(access):
            access = await self._ask_other_keys(access)
            return self._closed(access, Known(self.label, self.now, package, books))
        known = Known(self.label, self.now, _absent_if_refused(package, access), books)
        await self.progress("Laying receipts and manifests side by side")
        lists = await self._lists(known, access)
        return replace(
            self._closed(lists.access, known),
            package=lists.package,
            receipts=lists.receipts,
            receipts_window=lists.receipts_window,
            unread_receipts=lists.unread_receipts,
            deliveries=lists.deliveries,
            transfers=lists.transfers,
            transferred=lists.transferred,
            adjustments=lists.adjustments,
            near=lists.near,
            elsewhere=lists.elsewhere,
            delays=lists.delays,
            requests=self.desk.metrc.requests - before,
        )

    # --- the first round ----------------------------------------------------------------------------------------------

    async def _first_round(self) -> tuple[PosBooks, Access, Reading[MetrcPackage]]:
        metrc = self.desk.metrc
        async with asyncio.TaskGroup() as group:
            books = group.create_task(self.desk.pos.read(self.now))
            facilities = group.create_task(self._read("metrc", "GET /facilities/v2/", metrc.facilities))
            asked = f"GET /packages/v2/{self.label}"
            package = group.create_task(self._read("metrc", asked, lambda: metrc.package(self.label)))
            probes = [group.create_task(self._probe(family)) for family in FAMILIES]
        access = Access(facilities.result(), tuple(probe.result() for probe in probes))
        return books.result(), access, package.result()

    async def _probe(self, family: str) -> Probe:
        """One cheap read of a family. Where the mirror holds it, its newest changes are read: that proves as much."""
        feeds = TAILS.get(family, ())
        held = {feed: await self.desk.mirror.coverage(feed) for feed in feeds}
        ends = {feed: coverage.window.end for feed, coverage in held.items() if coverage is not None}
        if feeds and len(ends) == len(feeds):
            problems = await _at_once(*(self._freshen((feed,), end) for feed, end in ends.items()))
            problem = next((problem for problem in problems if problem is not None), None)
            asked = f"GET {' and '.join(feed.value for feed in feeds)}, newest changes"
            return Probe(
                family, Reading("metrc", asked, self.now if problem is None else None, problem is None, problem)
            )

        async def ask() -> bool:
            await self.desk.metrc.probe(family)
            return True

        return Probe(family, await self._read("metrc", f"GET one page of {family}", ask))

    async def _ask_other_keys(self, access: Access) -> Access:
        """Do unrelated keys fail as well? Only asked when the own key was refused."""
        problem = access.facilities.problem
        if problem is None or not problem.kind.is_refusal:
            return access

        async def ask(name: str, metrc: TrackAndTrace) -> Probe:
            async def facilities() -> bool:
                await metrc.facilities()
                return True

            return Probe(name, await self._read("metrc", "GET /facilities/v2/ with another key", facilities))

        probes = await _at_once(*(ask(name, metrc) for name, metrc in self.desk.others[:3]))
        return Access(access.facilities, access.probes, tuple(probes), access.rights)

    def _closed(self, access: Access, known: Known) -> Evidence:
        """The evidence before any list is asked for; it stays so once it is plain that METRC cannot answer."""
        problem = Problem(ProblemKind.NOT_OFFERED, "Not asked: METRC could not be read at all.")
        books, sales = known.books, known.books.sales.value or ()
        return Evidence(
            shop=self.desk.shop,
            subject=self.question.subject,
            asked_at=self.now,
            access=access,
            package=known.package,
            receipts=Reading("metrc", "receipts", problem=problem),
            deliveries=Reading("metrc", "deliveries", problem=problem),
            transfers=Reading("metrc", "transfers", problem=problem),
            transferred=Reading("metrc", "transferred packages", problem=problem),
            adjustments=Reading("metrc", "adjustments", problem=problem),
            pos_rows=_cut(books.inventory, known.rows, _lost("inventory", known.rows, known)),
            pos_sales=_cut(books.sales, known.sales, _lost("sales", known.sales, known)),
            pos_events=_cut(books.events, known.events, None),
            pos_near=known.near_rows,
            pos_other_lines=known.other_lines,
            pos_sales_since=books.sales_since,
            pos_sales_until=max((line.sold_at for line in sales), default=None),
            pos_events_since=books.events_since,
            pos_refused=tuple(row for row in books.refused if _could_be(row, self.label))[:20],
            shelf=self.question.shelf,
        )

    # --- the lists ----------------------------------------------------------------------------------------------------

    async def _lists(self, known: Known, access: Access) -> Lists:
        lists = Lists(access, known.package)
        await _at_once(
            self._receipts(known, lists),
            self._transfers(known, lists),
            self._adjustments(known, lists),
            self._rights(lists),
            self._search(known, lists),
        )
        lists.delays = await self.desk.mirror.delays(self.now - UNKNOWN_AGE)
        return lists

    async def _receipts(self, known: Known, lists: Lists) -> None:
        mirror, window = self.desk.mirror, Window(known.since, self.now)
        problem = await self._freshen(RECEIPT_FEEDS, window.start)
        wanted, too_many = await self._candidates(known, window)
        done, failed = await self._open(wanted, read_receipt_lines)
        unread = {receipt.id: receipt for receipt in (*(r for r, _ in failed), *too_many)}
        touching = await mirror.receipts_touching(self.label)
        if done:
            # a twin of a receipt that was only now seen to touch the label
            moments = [r.sold_at for r in touching if r.sold_at]
            twins = [r for r in await mirror.receipts_like((), moments) if r.lines is None and r.id not in unread]
            _, failed = await self._open(twins, read_receipt_lines)
            unread |= {receipt.id: receipt for receipt, _ in failed}
            touching = await mirror.receipts_touching(self.label)
        lists.unread_receipts = tuple(unread.values())
        lists.receipts = self._from_mirror("GET /sales/v2/receipts/active and inactive", touching, problem, window)
        lists.receipts_window = window
        await self._deliveries(known, touching, lists)

    async def _candidates(self, known: Known, window: Window) -> tuple[list[MetrcReceipt], list[MetrcReceipt]]:
        """Receipts that may touch the label and whose lines are not known: those to open, and those beyond the limit.

        A list row has no lines, so it is told by number and moment; what no POS sale accounts for is opened as well.
        """
        mirror = self.desk.mirror
        sales = known.sales
        like = await mirror.receipts_like({s.sale_id for s in sales}, {s.sold_at for s in sales})
        if known.books.sales.was_read:
            others = await mirror.receipts_foreign(known.sale_ids, window, MOST_RECEIPTS + 1)
        else:
            others = await mirror.receipts_unread(window.start, MOST_RECEIPTS + 1)
        wanted = {r.id: r for r in (*like, *others) if r.lines is None}
        ordered = list(wanted.values())
        return ordered[:MOST_RECEIPTS], ordered[MOST_RECEIPTS:]

    async def _deliveries(self, known: Known, touching: Sequence[MetrcReceipt], lists: Lists) -> None:
        """A sale handed over by delivery is in no receipt; only asked when a sale found none."""
        numbers = {(r.external_number or "").casefold() for r in touching} | {str(r.id) for r in touching}
        lost = [s for s in known.sales if not {s.sale_id.casefold(), (s.receipt_id or "").lstrip("0")} & numbers]
        asked = "GET /sales/v2/deliveries/active and inactive"
        if not lost:
            lists.deliveries = Reading("metrc", asked, self.now, ())
            return
        window = Window(min(self.now, *(s.sold_at for s in lost)) - MARGIN, self.now)
        problem = await self._freshen((Feed.DELIVERIES_ACTIVE, Feed.DELIVERIES_INACTIVE), window.start)
        moments = {s.sold_at for s in lost}
        rows = await self.desk.mirror.deliveries_between(window)
        wanted = [d for d in rows if d.lines is None and d.sold_at in moments]
        await self._open(wanted, read_delivery_lines)
        rows = await self.desk.mirror.deliveries_between(window)
        ours = tuple(d for d in rows if any(line.label == self.label for line in d.lines or ()))
        lists.deliveries = self._from_mirror(asked, ours, problem, window)

    async def _transfers(self, known: Known, lists: Lists) -> None:
        since = max(known.since - MANIFEST_AGE, self.now - LONGEST)
        feeds = TRANSFER_FEEDS if known.is_missing else TRANSFER_FEEDS[:1]
        problem = await self._freshen(feeds, since)
        unread = await self.desk.mirror.transfers_unread(since, MOST_LISTED)
        wanted = [transfer for transfer in unread if known.may_concern(transfer)]
        _, failed = await self._open(wanted[:MOST_TRANSFERS], read_transfer_packages)
        if problem is None and (failed or len(wanted) > MOST_TRANSFERS):
            problem = failed[0][1] if failed else _too_many(len(wanted) - MOST_TRANSFERS, "manifests")
        rows = await self.desk.mirror.transfers_touching(self.label)
        asked = "GET /transfers/v2/" + ", ".join(feed.value.rsplit("/", 1)[1] for feed in feeds)
        lists.transfers = self._from_mirror(asked, rows, problem, Window(since, self.now))

    async def _adjustments(self, known: Known, lists: Lists) -> None:
        asked = "GET /packages/v2/adjustments"
        if known.is_missing:
            lists.adjustments = Reading("metrc", asked, self.now, ())
            return
        problem = await self._freshen((Feed.ADJUSTMENTS,), known.since)
        rows = await self.desk.mirror.adjustments_of(self.label)
        lists.adjustments = self._from_mirror(asked, rows, problem, Window(known.since, self.now))

    async def _rights(self, lists: Lists) -> None:
        """What this employee may do; many states do not offer the call, and nothing rests on it alone."""
        facilities = lists.access.facilities.value or ()
        own = next((f for f in facilities if f.license == self.desk.shop.license), None)
        if own is None or own.employee_license is None:
            return
        employee = own.employee_license
        reading = await self._read("metrc", "GET /employees/v2/permissions", lambda: self.desk.metrc.rights(employee))
        lists.access = Access(lists.access.facilities, lists.access.probes, lists.access.other_keys, reading)

    # --- a label that was not found -----------------------------------------------------------------------------------

    async def _search(self, known: Known, lists: Lists) -> None:
        """Where else could it be: in another list, at another license, under a label nearly the same?"""
        asked = "GET /packages/v2/transferred"
        if not known.is_missing:
            lists.transferred = Reading("metrc", asked, self.now, ())
            return
        since = max(min(known.since, self.now - UNKNOWN_AGE), self.now - LONGEST)
        await _at_once(self._other_lists(since, lists), self._transferred(asked, since, lists), self._elsewhere(lists))
        if lists.package.value is None:
            await self._near(known, lists)

    async def _other_lists(self, since: datetime, lists: Lists) -> None:
        problem = await self._freshen(SEARCH_FEEDS, since)
        seen = await self.desk.mirror.package(self.label)
        if seen is not None:
            lists.package = Reading("metrc", f"GET /packages/v2/{seen.listing or 'lists'}", self.now, seen)
        elif problem is not None and lists.package.was_read:
            lists.package = Reading("metrc", lists.package.asked, problem=problem)

    async def _transferred(self, asked: str, since: datetime, lists: Lists) -> None:
        problem = await self._freshen((Feed.PACKAGES_TRANSFERRED,), since)
        rows = await self.desk.mirror.transferred_touching(self.label)
        lists.transferred = self._from_mirror(asked, rows, problem, Window(since, self.now))

    async def _elsewhere(self, lists: Lists) -> None:
        """The same label at the other licenses this key sees."""
        facilities = lists.access.facilities.value or ()
        others = [f for f in facilities if f.license != self.desk.shop.license][:OTHER_LICENSES]

        async def ask(facility: Facility) -> Reading[MetrcPackage]:
            asked = f"GET /packages/v2/{self.label} at {facility.license}"
            reading = await self._read(
                "metrc", asked, lambda: self.desk.metrc.package(self.label, license_number=facility.license)
            )
            return _absent_if_refused(reading, lists.access)

        readings = await _at_once(*(ask(facility) for facility in others))
        found = tuple(
            Sighting(self.label, f"{f.name} ({f.license})", r.value.quantity, r.value.item.name)
            for f, r in zip(others, readings, strict=True)
            if r.value is not None
        )
        problem = next((r.problem for r in readings if r.problem is not None), None)
        lists.elsewhere = Reading("metrc", f"GET /packages/v2/{self.label} at other licenses", self.now, found, problem)

    async def _near(self, known: Known, lists: Lists) -> None:
        """A label with O for 0 or a slipped digit: first the obvious reading, then the shop's own living packages.

        A label of the right shape that neither side knows has neighbours by nature: labels are numbered in rows.
        """
        if not known.rows and is_well_formed(self.label):
            return
        asked = "labels at most two characters away"
        guess = as_digits(self.label)
        seen: list[MetrcPackage] = []
        if guess != self.label and len(guess) == LABEL_LENGTH:
            reading = await self._read("metrc", f"GET /packages/v2/{guess}", lambda: self.desk.metrc.package(guess))
            seen = [reading.value] if reading.value else []
        problem = None
        if not seen:
            problem = await self._freshen((Feed.PACKAGES_ACTIVE,), self.now - NEAR_AGE)
            near = await self.desk.mirror.packages_near(self.label)
            seen = [package for package in near if not package.is_closed]
        held = {row.label for row in known.books.inventory.value or ()}
        sightings = tuple(Sighting(p.label, "METRC", p.quantity, p.item.name, p.label in held) for p in seen)
        lists.near = Reading("metrc", asked, self.now, sightings, problem)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self, source: str, asked: str, ask: Callable[[], Awaitable[T]]) -> Reading[T]:
        """Ask once within the question's deadline; a failure becomes the reading's problem."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return Reading(source, asked, self.now, await ask())
        except SourceError as error:
            return Reading(source, asked, problem=error.problem)
        except TimeoutError:
            return Reading(source, asked, problem=_too_late().problem)

    async def _freshen(self, feeds: Sequence[Feed], since: datetime) -> Problem | None:
        """Bring feeds up to now; the first problem, if any. What was read before it stays in the mirror."""

        async def one(feed: Feed) -> Problem | None:
            if feed in self.fresh and self.fresh[feed] <= since:
                return None
            reading = await self._read(
                "metrc", feed.value, lambda: freshen(self.desk.metrc, self.desk.mirror, feed, since, self.now)
            )
            if reading.value is not None:
                self.fresh[feed] = reading.value.window.start
            if reading.problem is not None and reading.problem.kind is ProblemKind.NOT_FOUND:
                return Problem(
                    ProblemKind.NOT_OFFERED, f"This state does not offer {feed.value}.", reading.problem.status
                )
            return reading.problem

        problems = [problem for problem in await _at_once(*(one(feed) for feed in feeds)) if problem is not None]
        return next((p for p in problems if p.kind is not ProblemKind.NOT_OFFERED), problems[0] if problems else None)

    async def _open(
        self,
        records: Sequence[R],
        read: Callable[[TrackAndTrace, Mirror, Sequence[R], datetime], Awaitable[tuple[Sequence[R], Failures[R]]]],
    ) -> tuple[Sequence[R], Failures[R]]:
        """Read records by id within the deadline; past it, those not stored yet have failed."""
        if not records:
            return (), ()
        try:
            async with asyncio.timeout_at(self.deadline):
                return await read(self.desk.metrc, self.desk.mirror, records, self.now)
        except TimeoutError:
            return (), tuple((record, _too_late().problem) for record in records)

    def _from_mirror(
        self, asked: str, rows: Sequence[T], problem: Problem | None, window: Window
    ) -> Reading[tuple[T, ...]]:
        """What the mirror holds; with a problem when its tail or head could not be read."""
        days = max(1, round(window.width / timedelta(days=1)))
        return Reading("metrc", f"{asked}, last {days} days", self.now, tuple(rows), problem)


R = TypeVar("R", MetrcReceipt, MetrcDelivery, Transfer)
Failures = tuple[tuple[R, Problem], ...]


def _unasked(what: str) -> Reading[tuple[T, ...]]:
    return Reading("metrc", what, problem=Problem(ProblemKind.NOT_OFFERED, f"{what}: not asked."))


@dataclass
class Lists:
    """The METRC side while it is being put together."""

    access: Access
    package: Reading[MetrcPackage]
    receipts: Reading[tuple[MetrcReceipt, ...]] = field(default_factory=lambda: _unasked("receipts"))
    receipts_window: Window | None = None
    unread_receipts: tuple[MetrcReceipt, ...] = ()
    deliveries: Reading[tuple[MetrcDelivery, ...]] = field(default_factory=lambda: _unasked("deliveries"))
    transfers: Reading[tuple[Transfer, ...]] = field(default_factory=lambda: _unasked("transfers"))
    transferred: Reading[tuple[TransferredPackage, ...]] = field(default_factory=lambda: _unasked("transferred"))
    adjustments: Reading[tuple[Adjustment, ...]] = field(default_factory=lambda: _unasked("adjustments"))
    near: Reading[tuple[Sighting, ...]] | None = None
    elsewhere: Reading[tuple[Sighting, ...]] | None = None
    delays: PostingDelays | None = None


@dataclass(frozen=True)
class Known:
    """What the first round told about the label."""

    label: str
    now: datetime
    package: Reading[MetrcPackage]
    books: PosBooks

    @cached_property
    def rows(self) -> tuple[PosPackage, ...]:
        """The POS's rows for the label."""
        return tuple(row for row in self.books.inventory.value or () if row.label == self.label)

    @cached_property
    def sales(self) -> tuple[PosSaleLine, ...]:
        """The POS's sale lines for the label."""
        return tuple(line for line in self.books.sales.value or () if line.label == self.label)

    @cached_property
    def sale_ids(self) -> frozenset[str]:
        """The number of every sale in the book."""
        return frozenset(line.sale_id for line in self.books.sales.value or ())

    @cached_property
    def manifests(self) -> frozenset[str]:
        """The manifests that either side names for the label, without their leading zeros."""
        package = self.package.value
        named = [row.manifest for row in self.rows] + [event.reference for event in self.events]
        named += [package.received_from_manifest] if package is not None else []
        return frozenset(number.strip().lstrip("0") for number in named if number)

    def may_concern(self, transfer: Transfer) -> bool:
        """Whether a manifest has to be opened: it is still open, it is named, or the package has to be looked for."""
        is_open = transfer.received_at is None and not transfer.is_voided
        return is_open or self.is_missing or transfer.manifest.lstrip("0") in self.manifests

    @property
    def is_missing(self) -> bool:
        """Whether METRC has no living package of this label here, so that it has to be looked for."""
        package = self.package.value
        return package is None or (package.received_at is None and not package.is_closed and not package.location)

    @property
    def since(self) -> datetime:
        """From when on anything about the label may have happened here."""
        package = self.package.value
        times = [package.received_at] if package is not None and package.received_at is not None else []
        if not times:
            times = [row.received_at for row in self.rows if row.received_at] + [line.sold_at for line in self.sales]
        if package is not None and package.packaged_on is not None and not times:
            times = [datetime.combine(package.packaged_on, time(), UTC)]
        start = min(times, default=self.now - UNKNOWN_AGE) - MARGIN
        return min(max(start, self.now - LONGEST), self.now - MARGIN)

    @cached_property
    def events(self) -> tuple[PosEvent, ...]:
        """The POS's audit log for the label."""
        return tuple(event for event in self.books.events.value or () if event.label == self.label)

    @cached_property
    def other_lines(self) -> tuple[PosSaleLine, ...]:
        """What else was rung up in the label's sales."""
        ids = {line.sale_id for line in self.sales}
        return tuple(x for x in self.books.sales.value or () if x.sale_id in ids and x.label != self.label)

    @cached_property
    def near_rows(self) -> tuple[PosPackage, ...]:
        """Rows with nearly this label, when the label itself is not there."""
        rows = () if self.rows else self.books.inventory.value or ()
        return tuple(row for row in rows if edits(row.label, self.label, most=2) is not None)[:5]


def access_is_open(access: Access) -> bool:
    """Whether it makes sense to ask METRC for more: something answered for this license."""
    if any(probe.reading.was_read for probe in access.probes):
        refused = [p for p in access.probes if p.reading.problem and p.reading.problem.kind.is_refusal]
        return not refused
    return False


def _absent_if_refused(package: Reading[MetrcPackage], access: Access) -> Reading[MetrcPackage]:
    """401 and 404 for one label mean "no such package here", once packages are known to answer for this license."""
    problem = package.problem
    answers = any(probe.family == "packages" and probe.reading.was_read for probe in access.probes)
    if problem is None or not answers:
        return package
    # a host may dress its 404 as a web page; with packages answering beside it, that is no outage
    refused = {ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND, ProblemKind.FORBIDDEN, ProblemKind.REJECTED}
    if problem.kind in refused or problem.status == 404:
        return Reading(package.source, package.asked, access.probes[0].reading.as_of)
    return package


def _cut(book: Reading[tuple[T, ...]], own: tuple[T, ...], lost: Problem | None) -> Reading[tuple[T, ...]]:
    """A book cut down to one label; rows that could not be read and may be the label's make it incomplete."""
    value = own if book.value is not None else None
    return Reading(book.source, book.asked, book.as_of, value, book.problem or lost)


def _lost(kind: str, there: tuple[object, ...], known: Known) -> Problem | None:
    """A refused row counts as "not readable", never as "not there"."""
    lost = [row for row in known.books.refused if not row.kept]
    mine = [row for row in lost if row.file.rsplit("/", 1)[-1].casefold().startswith(kind)]
    certain = [row for row in mine if (row.cell or "").strip().upper() == known.label]
    possible = [row for row in mine if _could_be(row, known.label)]
    rows = certain or ([] if there else possible)
    if not rows:
        return None
    return Problem(ProblemKind.UNREADABLE, f"{rows[0].file}, line {rows[0].line}: {rows[0].reason}")


def _could_be(row: RefusedRow, label: str) -> bool:
    """Whether the refused row may be about this label: only a well-formed other label rules it out."""
    cell = (row.cell or "").strip().upper()
    return cell == label or not (len(cell) == LABEL_LENGTH and cell.isalnum())


def _too_many(count: int, what: str) -> Problem:
    return Problem(ProblemKind.DEADLINE, f"{count} more {what} could not be opened for one question.")


def _too_late() -> DeadlineReached:
    return DeadlineReached("There was no time left to read this.")


async def _at_once(*jobs: Awaitable[T]) -> list[T]:
    """Run readings together; they carry their own problems, so an error here is a fault of ours."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_as_coroutine(job)) for job in jobs]
    return [task.result() for task in tasks]


async def _as_coroutine(job: Awaitable[T]) -> T:
    return await job
