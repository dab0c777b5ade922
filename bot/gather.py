"""Read what one question needs, everything at once and within its deadline, and end in frozen ``Evidence``.

Three rounds at most. First: may the key see the license, does each family answer, the package by its label, the POS, and
the newest changes of the lists that the mirror holds. Then, as far as the package's age asks for it: the lists that it
does not hold yet. Last: the lines of those receipts and manifests that can concern the label. A reading that fails or
comes too late is a problem in its place; it never stops the others.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeVar

from bot.errors import DeadlineReached, Problem, ProblemKind, SourceError
from bot.labels import as_digits, edits, is_well_formed
from bot.mirror import OVERLAP, freshen, merged, read_delivery_lines, read_receipt_lines, read_transfer_packages
from bot.model import (
    LABEL_LENGTH,
    Access,
    Adjustment,
    Coverage,
    Evidence,
    Facility,
    Feed,
    Lot,
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
    Submission,
    Transfer,
    TransferredPackage,
    Window,
)
from bot.numbers import bare
from bot.ports import Clock, Mirror, PointOfSale, Progress, TrackAndTrace
from bot.posting import quantity_on

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
# METRC and the POS may be waited for so long; what is left of the question's time is for the database and the answer
SHARE: Final = 0.9
MOST_LEFT: Final = 1.0
TIDYING: Final = 1.0
# what the mirror holds decides what METRC is asked for; a mirror that hangs must not take the time to ask at all
LOOKING_UP: Final = 0.2
# the event loop alone would let go of a task that nobody waits for
_LEFT_BEHIND: Final[set[asyncio.Task[Any]]] = set()
MOST_UNHEARD: Final = 5
# so many other lots of a product are looked at
MOST_LOTS: Final = 20
MOST_TWINS: Final = 3
# and so many receipts of their sales are opened
MOST_ELSEWHERE: Final = 100
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
UNSETTLED: Final = frozenset({Submission.PENDING, Submission.FAILED})
FAMILIES: Final = ("packages", "sales", "transfers")
TAILS: Final = {
    "packages": (Feed.PACKAGES_ACTIVE,),
    "sales": (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE),
    "transfers": (Feed.TRANSFERS_INCOMING,),
}
DELIVERY_FEEDS: Final = (Feed.DELIVERIES_ACTIVE, Feed.DELIVERIES_INACTIVE)
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
    """Gather the evidence for one question, within its deadline. Raises ``StorageError`` when the mirror fails."""
    try:
        return await _Gathering(question, desk, progress).run()
    except ExceptionGroup as errors:
        raise _innermost(errors) from errors


@dataclass
class _Gathering:
    question: Question
    desk: Desk
    progress: Progress
    # feeds whose newest changes were read for this question, and from when on they are held
    fresh: dict[Feed, datetime] = field(default_factory=dict)
    # feeds that could not be read, which are not tried again for this question; and how old is what the mirror holds
    failed: dict[Feed, Problem] = field(default_factory=dict)
    held_as_of: dict[Feed, datetime | None] = field(default_factory=dict)
    turns: dict[Feed, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    label: str = field(init=False)
    now: datetime = field(init=False)
    deadline: float = field(init=False)
    end: float = field(init=False)
    looked_up: float = field(init=False)

    def __post_init__(self) -> None:
        self.label = self.question.subject.value
        self.now = self.desk.clock.now()
        seconds = self.question.deadline_seconds
        start = asyncio.get_running_loop().time()
        self.looked_up = start + seconds * LOOKING_UP
        self.end = start + seconds
        self.deadline = self.end - min(MOST_LEFT, seconds * (1 - SHARE))

    async def run(self) -> Evidence:
        before = self.desk.metrc.requests
        await self._in_time(self._tell("Reading the POS and METRC"), None)
        books, access, package = await self._first_round()
        if not access_is_open(access):
            access = await self._ask_other_keys(access)
            return self._closed(access, Known(self.label, self.now, package, books))
        known = Known(self.label, self.now, _absent_if_refused(package, access), books)
        await self._in_time(self._tell("Laying receipts and manifests side by side"), None)
        lists = await self._lists(known, access)
        return replace(
            self._closed(lists.access, known),
            package=lists.package,
            receipts=lists.receipts,
            receipts_window=lists.receipts_window,
            receipts_holes=lists.receipts_holes,
            unread_receipts=lists.unread_receipts,
            receipts_elsewhere=lists.receipts_elsewhere,
            pos_other_lines=known.lines_beside(lists.receipts.value or ()),
            deliveries=lists.deliveries,
            transfers=lists.transfers,
            transferred=lists.transferred,
            adjustments=lists.adjustments,
            near=lists.near,
            elsewhere=lists.elsewhere,
            delays=lists.delays,
            children=lists.children,
            pos_unheard=lists.pos_unheard,
            kindred=lists.kindred,
            pos_source_events=known.source_events if lists.kindred is not None else (),
            pos_kin=known.kin(lists.package.value, lists.made),
            lots=lists.lots,
            pos_twins=known.twins(known.books.inventory.value or ()),
            requests=self.desk.metrc.requests - before,
        )

    # --- the first round ----------------------------------------------------------------------------------------------

    async def _first_round(self) -> tuple[PosBooks, Access, Reading[MetrcPackage]]:
        metrc, asked = self.desk.metrc, f"GET /packages/v2/{self.label}"
        held = await self._in_time(self.desk.mirror.package(self.label), None, until=self.looked_up)
        since = held.received_at - MARGIN if held is not None and held.received_at is not None else self.now
        async with asyncio.TaskGroup() as group:
            books = group.create_task(self._books())
            facilities = group.create_task(self._read("metrc", "GET /facilities/v2/", metrc.facilities))
            package = group.create_task(self._read("metrc", asked, lambda: metrc.package(self.label)))
            probes = [group.create_task(self._packages_probe(package, is_held=held is not None))]
            probes += [group.create_task(self._probe(family, since)) for family in FAMILIES[1:]]
        access = Access(facilities.result(), tuple(probe.result() for probe in probes))
        return books.result(), access, package.result()

    async def _books(self) -> PosBooks:
        return await self._in_time(self.desk.pos.read(self.now), _unread_books(), until=self.deadline)

    async def _packages_probe(self, package: Awaitable[Reading[MetrcPackage]], *, is_held: bool) -> Probe:
        """A package that answers proves the family. One that METRC was never seen to have needs a proof beside it."""
        if is_held:
            reading = await package
            if reading.was_read:
                return Probe("packages", Reading(reading.source, reading.asked, reading.as_of, value=True))
        return await self._probe("packages", self.now)

    async def _probe(self, family: str, since: datetime) -> Probe:
        """One cheap read of a family. Where the mirror holds it, its newest changes are read: that proves as much."""
        feeds = TAILS.get(family, ())
        tail = await self._newest(feeds, since) if feeds else None
        if tail is not None:
            return Probe(family, tail)

        async def ask() -> bool:
            await self.desk.metrc.probe(family)
            return True

        return Probe(family, await self._read("metrc", f"GET one page of {family}", ask))

    async def _newest(self, feeds: Sequence[Feed], since: datetime) -> Reading[bool] | None:
        """Bring feeds up to now, and reach back to ``since``; None, and nothing is asked, if one is not held at all."""
        mirror, until = self.desk.mirror, self.looked_up
        coverages = [await self._in_time(mirror.coverage(feed), None, until=until) for feed in feeds]
        ends = [coverage.window.end for coverage in coverages if coverage is not None]
        if len(ends) < len(feeds):
            return None
        problem = await self._freshen(feeds, min(since, *ends))
        if problem is not None and max(ends) < self.now and await self._are_held_until_now(feeds):
            # the newest came and a hole is left further back: the family answers
            problem = None
        asked = f"GET {' and '.join(feed.value for feed in feeds)}, newest changes"
        return Reading("metrc", asked, self.now if problem is None else None, problem is None, problem)

    async def _are_held_until_now(self, feeds: Sequence[Feed]) -> bool:
        held = [await self.desk.mirror.coverage(feed) for feed in feeds]
        return all(each is not None and each.window.end >= self.now for each in held)

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
            pos_near=known.near_rows[:5],
            pos_other_lines=known.lines_beside(()),
            pos_siblings=known.siblings,
            pos_sales_since=books.sales_since,
            pos_sales_until=max((line.sold_at for line in sales), default=None),
            pos_events_since=books.events_since,
            pos_refused=tuple(row for row in books.refused if _could_be(row, self.label))[:20],
            shelf=self.question.shelf,
        )

    # --- the lists ----------------------------------------------------------------------------------------------------

    async def _lists(self, known: Known, access: Access) -> Lists:
        lists = Lists(access, known.package)
        jobs = (
            self._receipts(known, lists),
            self._transfers(known, lists),
            self._adjustments(known, lists),
            self._rights(known, lists),
            self._search(known, lists),
            self._children(known, lists),
            self._kindred(known, lists),
            self._unheard(known, lists),
            self._delays(lists),
        )
        await _at_once(*(self._in_time(job, None) for job in jobs))
        return lists

    async def _delays(self, lists: Lists) -> None:
        lists.delays = await self.desk.mirror.delays(self.now - UNKNOWN_AGE)

    async def _receipts(self, known: Known, lists: Lists) -> None:
        mirror, window = self.desk.mirror, Window(known.since, self.now)
        problem = await self._freshen(RECEIPT_FEEDS, window.start)
        if lists.delays is None:
            # an empty mirror had nothing to tell before
            await self._delays(lists)
        wanted, too_many = await self._candidates(known, window)
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(self._open(wanted, read_receipt_lines))
            group.create_task(self._expect_deliveries(known, wanted))
        done, failed = opening.result()
        unread = {receipt.id: receipt for receipt in (*(r for r, _ in failed), *too_many)}
        touching = await mirror.receipts_touching(self.label)
        if done:
            # a twin of a receipt that was only now seen to touch the label
            moments = [r.sold_at for r in touching if r.sold_at]
            twins = [r for r in await mirror.receipts_like((), moments) if r.lines is None and r.id not in unread]
            _, failed = await self._open(twins, read_receipt_lines)
            unread |= {receipt.id: receipt for receipt, _ in failed}
            touching = await mirror.receipts_touching(self.label)
        if await self._open_siblings(known, touching, window, unread):
            touching = await mirror.receipts_touching(self.label)
        lists.unread_receipts = tuple(unread.values())
        lists.receipts_elsewhere = await self._receipts_elsewhere(known, touching)
        asked = "GET /sales/v2/receipts/active and inactive"
        lists.receipts = self._from_mirror(asked, touching, problem, window, RECEIPT_FEEDS)
        lists.receipts_window = window
        lists.receipts_holes = await self._holes(RECEIPT_FEEDS, window) if problem is not None else ()
        await _at_once(self._deliveries(known, touching, lists), self._lots(known, touching, lists))

    async def _holes(self, feeds: Sequence[Feed], window: Window) -> tuple[Window, ...]:
        """What is not held of any one of these feeds; they are read again by whoever asks next."""
        held = [await self.desk.mirror.coverage(feed) for feed in feeds]
        return merged(hole for each in held for hole in (each.holes(window) if each is not None else (window,)))

    async def _open_siblings(
        self, known: Known, touching: Sequence[MetrcReceipt], window: Window, unread: dict[int, MetrcReceipt]
    ) -> bool:
        """Open the receipts of other lots' sales when METRC took off more than is told: one may name this label.

        Those that fail or are beyond the limit stay unread, for any of them may be what is looked for.
        """
        if known.left_over(touching) <= 0:
            return False
        like = await self.desk.mirror.receipts_like(known.sibling_sales(window.start), ())
        wanted = [r for r in like if r.lines is None and r.is_live and r.id not in unread]
        _, failed = await self._open(wanted[-MOST_ELSEWHERE:], read_receipt_lines)
        unread |= {r.id: r for r in (*wanted[:-MOST_ELSEWHERE], *(receipt for receipt, _ in failed))}
        return bool(wanted)

    async def _receipts_elsewhere(self, known: Known, touching: Sequence[MetrcReceipt]) -> tuple[MetrcReceipt, ...]:
        """Receipts of the label's sales in which METRC has other labels only."""
        own = {receipt.id for receipt in touching}
        like = await self.desk.mirror.receipts_like({sale.sale_id for sale in known.sales}, ())
        return tuple(r for r in like if r.id not in own and r.lines and r.is_live)

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

    async def _expect_deliveries(self, known: Known, opening: Sequence[MetrcReceipt]) -> None:
        """Read the lists of deliveries while receipts are opened, where no receipt can be the sale's already."""
        mirror = self.desk.mirror
        numbered = await mirror.receipts_like({sale.sale_id for sale in known.sales}, ())
        lost = known.lost((*opening, *numbered, *await mirror.receipts_touching(self.label)))
        if lost:
            await self._freshen_own(known, DELIVERY_FEEDS, known.sold_since(lost))

    async def _deliveries(self, known: Known, touching: Sequence[MetrcReceipt], lists: Lists) -> None:
        """A sale handed over by delivery is in no receipt; asked when a sale found none, or METRC took off too much."""
        lost = known.lost(touching) or (known.sales if known.left_over(touching) > 0 else ())
        asked = "GET /sales/v2/deliveries/active and inactive"
        if not lost:
            lists.deliveries = Reading("metrc", asked, self.now, ())
            return
        window = Window(known.sold_since(lost), self.now)
        problem = await self._freshen_own(known, DELIVERY_FEEDS, window.start)
        moments = {s.sold_at for s in lost}
        rows = await self.desk.mirror.deliveries_between(window)
        wanted = [d for d in rows if d.lines is None and d.sold_at in moments]
        await self._open(wanted, read_delivery_lines)
        rows = await self.desk.mirror.deliveries_between(window)
        ours = tuple(d for d in rows if any(line.label == self.label for line in d.lines or ()))
        lists.deliveries = self._from_mirror(asked, ours, problem, window, DELIVERY_FEEDS)

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
        lists.transfers = self._from_mirror(asked, rows, problem, Window(since, self.now), feeds)

    async def _adjustments(self, known: Known, lists: Lists) -> None:
        asked = "GET /packages/v2/adjustments"
        if known.is_missing:
            lists.adjustments = Reading("metrc", asked, self.now, ())
            return
        problem = await self._freshen_own(known, (Feed.ADJUSTMENTS,), known.since)
        rows = await self.desk.mirror.adjustments_of(self.label)
        window = Window(known.since, self.now)
        lists.adjustments = self._from_mirror(asked, rows, problem, window, (Feed.ADJUSTMENTS,))

    async def _rights(self, known: Known, lists: Lists) -> None:
        """What this employee may do; only asked when METRC refused a sale, for nothing else can rest on it.

        Many states do not offer the call.
        """
        if not any(sale.message for sale in known.sales):
            return
        facilities = lists.access.facilities.value or ()
        own = next((f for f in facilities if f.license == self.desk.shop.license), None)
        if own is None or own.employee_license is None:
            return
        employee = own.employee_license
        reading = await self._read("metrc", "GET /employees/v2/permissions", lambda: self.desk.metrc.rights(employee))
        lists.access = Access(lists.access.facilities, lists.access.probes, lists.access.other_keys, reading)

    async def _children(self, known: Known, lists: Lists) -> None:
        """What METRC made of the package; only asked when the POS holds more than METRC."""
        if not known.may_be_split:
            return
        problem = await self._freshen_own(known, (Feed.PACKAGES_ACTIVE,), known.since)
        rows = await self.desk.mirror.children_of(self.label)
        asked = "GET /packages/v2/active, made of this one"
        window = Window(known.since, self.now)
        lists.children = self._from_mirror(asked, rows, problem, window, (Feed.PACKAGES_ACTIVE,))

    async def _kindred(self, known: Known, lists: Lists) -> None:
        """What else METRC made of the package's source; only asked when the POS knows the source and not the package."""
        source = known.only_source
        if source is None or not known.kin(known.package.value, ()):
            return
        problem = await self._freshen_own(known, (Feed.PACKAGES_ACTIVE,), known.since)
        rows = await self.desk.mirror.children_of(source)
        asked = f"GET /packages/v2/active, made of {source}"
        window = Window(known.since, self.now)
        lists.kindred = self._from_mirror(asked, rows, problem, window, (Feed.PACKAGES_ACTIVE,))

    async def _lots(self, known: Known, touching: Sequence[MetrcReceipt], lists: Lists) -> None:
        """Other lots of the product as METRC's list of packages has them, where the mirror holds it or it is read anyway."""
        if not known.left_over(touching) or not known.sibling_lots:
            return
        held = await self.desk.mirror.coverage(Feed.PACKAGES_ACTIVE)
        since = held.window.end if held is not None else known.since if known.may_be_split else None
        if since is None or await self._freshen((Feed.PACKAGES_ACTIVE,), since) is not None:
            return
        pairs = [(row, await self.desk.mirror.package(row.label)) for row in known.sibling_lots]
        lists.lots = known.contrary([(row, package) for row, package in pairs if package is not None])

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
        window = Window(since, self.now)
        lists.transferred = self._from_mirror(asked, rows, problem, window, (Feed.PACKAGES_TRANSFERRED,))

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
            Sighting(
                self.label,
                f"{f.name} ({f.license})",
                r.value.quantity,
                r.value.item.name,
                manifest=r.value.received_from_manifest,
            )
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

    async def _unheard(self, known: Known, lists: Lists) -> None:
        """Rows of nearly this label that METRC does not know: one of them may be this package, mistyped."""
        package, near = known.package.value, known.near_and_alone
        if package is None or package.is_closed or not near:
            return
        await self._freshen((Feed.PACKAGES_ACTIVE,), known.since)
        heard = {each.label for each in await self.desk.mirror.packages_near(self.label)}
        rows = [row for row in near if row.label not in heard][:MOST_UNHEARD]

        async def ask(row: PosPackage) -> Reading[MetrcPackage]:
            reading = await self._read(
                "metrc", f"GET /packages/v2/{row.label}", lambda: self.desk.metrc.package(row.label)
            )
            return _absent_if_refused(reading, lists.access)

        readings = await _at_once(*(ask(row) for row in rows))
        none = (reading.was_read and reading.value is None for reading in readings)
        absent = [row for row, is_absent in zip(rows, none, strict=True) if is_absent]
        lists.pos_unheard = tuple([row for row in absent if not await self._was_sent_on(row.label, known)])

    async def _was_sent_on(self, label: str, known: Known) -> bool:
        """Whether METRC knows it after all, as one that left this shop or is on a manifest; so too when that is not read."""
        problem = await self._freshen((Feed.PACKAGES_TRANSFERRED,), known.since)
        offered = problem is None or problem.kind is ProblemKind.NOT_OFFERED
        mirror = self.desk.mirror
        seen = (*await mirror.transferred_touching(label), *await mirror.transfers_touching(label))
        return not offered or bool(seen)

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

    async def _in_time(self, job: Coroutine[Any, Any, T], late: T, *, until: float | None = None) -> T:
        """What the job gives; ``late`` once there is no time left for it, and then it is left behind.

        Left behind, neither waited for nor cancelled: a file or a database that hangs holds on to its thread anyway, and
        a statement cut in two leaves a connection that cannot be closed. Nothing more is asked of METRC by then.
        """
        task = asyncio.create_task(job)
        left = (self.end if until is None else until) - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({task}, timeout=max(0.0, left))
        except asyncio.CancelledError:
            task.cancel()
            # it may have to give back a connection, before whoever cancels closes the database
            await asyncio.wait({task}, timeout=TIDYING)
            raise
        if task.done():
            return task.result()
        _LEFT_BEHIND.add(task)
        task.add_done_callback(_forget)
        return late

    async def _tell(self, sentence: str) -> None:
        await self.progress(sentence)

    async def _freshen(self, feeds: Sequence[Feed], since: datetime) -> Problem | None:
        """Bring feeds up to now; the first problem, if any. What was read before it stays in the mirror."""
        ended = await _at_once(*(self._freshen_one(feed, since) for feed in feeds))
        problems = [problem for problem in ended if problem is not None]
        return next((p for p in problems if p.kind is not ProblemKind.NOT_OFFERED), problems[0] if problems else None)

    async def _freshen_own(self, known: Known, feeds: Sequence[Feed], since: datetime) -> Problem | None:
        """The same for what always moves the package's own time of change: lists read after that hold all there is.

        So their facts are as old as that reading, and true still.
        """
        moved = [feed for feed in feeds if not await self._has_settled(known, feed, since)]
        return await self._freshen(moved, since)

    async def _has_settled(self, known: Known, feed: Feed, since: datetime) -> bool:
        changed = known.package.value.last_modified if known.package.value is not None else None
        held = await self.desk.mirror.coverage(feed)
        if held is None or not holds_all(held, changed, since):
            return False
        self.held_as_of.setdefault(feed, held.read_at)
        return True

    async def _freshen_one(self, feed: Feed, since: datetime) -> Problem | None:
        async with self.turns[feed]:
            if feed in self.failed or (feed in self.fresh and self.fresh[feed] <= since):
                return self.failed.get(feed)
            reading = await self._read("metrc", feed.value, lambda: self._bring_up(feed, since))
            if reading.value is not None:
                self.fresh[feed] = reading.value.window.start
                self.held_as_of[feed] = self.now
                return None
            self.failed[feed] = problem = _as_offered(feed, reading.problem)
            held = await self.desk.mirror.coverage(feed)
            self.held_as_of[feed] = held.read_at if held is not None else None
            return problem

    async def _bring_up(self, feed: Feed, since: datetime) -> Coverage:
        metrc, mirror = self.desk.metrc, self.desk.mirror
        return await freshen(metrc, mirror, feed, since, self.now, newest=feed not in self.fresh)

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
        self, asked: str, rows: Sequence[T], problem: Problem | None, window: Window, feeds: Sequence[Feed]
    ) -> Reading[tuple[T, ...]]:
        """What the mirror holds, as old as the oldest of its feeds; with a problem when one could not be read."""
        days = max(1, round(window.width / timedelta(days=1)))
        ages = [self.held_as_of.get(feed) for feed in feeds]
        as_of = min((age for age in ages if age is not None), default=None) if None not in ages else None
        return Reading("metrc", f"{asked}, last {days} days", as_of, tuple(rows), problem)


R = TypeVar("R", MetrcReceipt, MetrcDelivery, Transfer)
Failures = tuple[tuple[R, Problem], ...]


def _unread(what: str, source: str = "metrc") -> Reading[tuple[T, ...]]:
    return Reading(source, what, problem=_too_late().problem)


def _unread_books() -> PosBooks:
    return PosBooks(_unread("inventory", "pos"), _unread("sales", "pos"), _unread("events", "pos"))


def _as_offered(feed: Feed, problem: Problem | None) -> Problem:
    """A list that is not found is one that the state does not offer."""
    if problem is None:
        return _too_late().problem
    if problem.kind is ProblemKind.NOT_FOUND:
        return Problem(ProblemKind.NOT_OFFERED, f"This state does not offer {feed.value}.", problem.status)
    return problem


def _forget(task: asyncio.Task[Any]) -> None:
    """Take note of how a task ended that nobody waits for, so that it is not told as lost."""
    _LEFT_BEHIND.discard(task)
    if not task.cancelled():
        task.exception()


def _innermost(error: ExceptionGroup[Exception]) -> Exception:
    first = error.exceptions[0]
    return _innermost(first) if isinstance(first, ExceptionGroup) else first


@dataclass
class Lists:
    """The METRC side while it is being put together; what nobody sets came too late."""

    access: Access
    package: Reading[MetrcPackage]
    receipts: Reading[tuple[MetrcReceipt, ...]] = field(default_factory=lambda: _unread("receipts"))
    receipts_window: Window | None = None
    receipts_holes: tuple[Window, ...] = ()
    unread_receipts: tuple[MetrcReceipt, ...] = ()
    receipts_elsewhere: tuple[MetrcReceipt, ...] = ()
    deliveries: Reading[tuple[MetrcDelivery, ...]] = field(default_factory=lambda: _unread("deliveries"))
    transfers: Reading[tuple[Transfer, ...]] = field(default_factory=lambda: _unread("transfers"))
    transferred: Reading[tuple[TransferredPackage, ...]] = field(default_factory=lambda: _unread("transferred"))
    adjustments: Reading[tuple[Adjustment, ...]] = field(default_factory=lambda: _unread("adjustments"))
    near: Reading[tuple[Sighting, ...]] | None = None
    elsewhere: Reading[tuple[Sighting, ...]] | None = None
    delays: PostingDelays | None = None
    children: Reading[tuple[MetrcPackage, ...]] | None = None
    pos_unheard: tuple[PosPackage, ...] = ()
    kindred: Reading[tuple[MetrcPackage, ...]] | None = None
    lots: tuple[Lot, ...] = ()

    @property
    def made(self) -> tuple[MetrcPackage, ...]:
        """What METRC made of the package, and of its source."""
        return tuple(each for reading in (self.children, self.kindred) if reading for each in reading.value or ())


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
        return frozenset(number for number in map(bare, named) if number)

    def lost(self, receipts: Iterable[MetrcReceipt]) -> list[PosSaleLine]:
        """The label's sales that are in none of these receipts, by number or by the receipt's id."""
        known = {name for r in receipts for name in ((r.external_number or "").casefold(), str(r.id))} - {""}
        return [s for s in self.sales if not {s.sale_id.casefold(), bare(s.receipt_id)} & known]

    def sold_since(self, sales: Iterable[PosSaleLine]) -> datetime:
        """From when on these may have been recorded."""
        return min(self.now, *(sale.sold_at for sale in sales)) - MARGIN

    def may_concern(self, transfer: Transfer) -> bool:
        """Whether a manifest has to be opened: it may still bring the package, it is named, or the package is missing.

        METRC puts on a manifest only what its shipper holds. So a package that came from one place and is here now can
        be on an open manifest of that place alone.
        """
        package = self.package.value
        origin = package.received_from_license if package is not None else None
        elsewhere = origin and transfer.shipper_license and transfer.shipper_license.strip() != origin.strip()
        is_open = transfer.received_at is None and not transfer.is_voided and not elsewhere
        return is_open or self.is_missing or bare(transfer.manifest) in self.manifests

    @property
    def is_missing(self) -> bool:
        """Whether METRC has no living package of this label here, so that it has to be looked for."""
        package = self.package.value
        return package is None or (package.received_at is None and not package.is_closed and not package.location)

    @property
    def may_be_split(self) -> bool:
        """Whether METRC counts less than the POS, or cannot be compared at a glance."""
        package = self.package.value
        if package is None or package.quantity is None or not self.rows:
            return False
        units = {row.unit.casefold() for row in self.rows} | {(package.unit or "").casefold()}
        return len(units) > 1 or sum((row.quantity for row in self.rows), Decimal(0)) > package.quantity

    @property
    def only_source(self) -> str | None:
        """The one source of a package that was made here and that the POS does not know."""
        package = self.package.value
        if package is None or len(package.source_labels) != 1 or package.received_at is not None or package.is_closed:
            return None
        if self.rows or self.sales or self.events or not self.books.inventory.was_read:
            return None
        return package.source_labels[0]

    @property
    def source_events(self) -> tuple[PosEvent, ...]:
        """The POS's audit log of the package's sources."""
        sources = self.package.value.source_labels if self.package.value is not None else ()
        return tuple(event for event in self.books.events.value or () if event.label in sources)

    @property
    def off_by(self) -> Decimal | None:
        """POS − METRC at first sight; None where the two are not told in one unit."""
        package = self.package.value
        if package is None or package.quantity is None or not self.rows:
            return None
        units = {row.unit.strip().casefold() for row in self.rows} | {(package.unit or "").strip().casefold()}
        return sum((row.quantity for row in self.rows), -package.quantity) if len(units) == 1 else None

    def twins(self, stock: Iterable[PosPackage]) -> tuple[PosPackage, ...]:
        """Rows of another product, in the same unit, that name the package's METRC item, when the own rows name none."""
        package = self.package.value
        item = (package.item.name or "").strip().casefold() if package is not None else ""
        if not item or not self.rows or any(row.metrc_item for row in self.rows):
            return ()
        own = {(row.product_id or row.product_name, row.unit.strip().casefold()) for row in self.rows}
        units, products = {unit for _, unit in own}, {product for product, _ in own}
        twins = (
            row
            for row in stock
            if (row.metrc_item or "").strip().casefold() == item
            and row.unit.strip().casefold() in units
            and (row.product_id or row.product_name) not in products
        )
        return tuple(islice(twins, MOST_TWINS))

    def left_over(self, receipts: Iterable[MetrcReceipt]) -> Decimal:
        """POS − METRC at first sight, less what receipts took off beyond the POS's sales: what they do not explain."""
        taken = sum((quantity_on(receipt, self.label) for receipt in receipts if receipt.is_live), Decimal(0))
        return (self.off_by or Decimal(0)) - (taken - sum((line.takes for line in self.sales), Decimal(0)))

    @property
    def sibling_lots(self) -> tuple[PosPackage, ...]:
        """A row for each of the newest other labels of the product that is in one row and whose sales are settled."""
        if not self.off_by:
            return ()
        keys = {key for row in self.rows for key in product_keys(row)}
        stock = self.books.inventory.value or ()
        alike = newest_first(row for row in stock if keys.intersection(product_keys(row)))
        unsettled = {line.label for line in self.books.sales.value or () if line.submission in UNSETTLED}
        count = Counter(row.label for row in alike)
        return siblings_of(self.label, alike, unsettled, {label for label, rows in count.items() if rows > 1})

    def sibling_sales(self, since: datetime) -> frozenset[str]:
        """The numbers of sales of other labels of the product."""
        keys = {key for row in self.rows for key in product_keys(row)}
        stock = self.books.inventory.value or ()
        labels = {row.label for row in stock if keys.intersection(product_keys(row))} - {self.label}
        return frozenset(x.sale_id for x in self.books.sales.value or () if x.label in labels and x.sold_at >= since)

    def contrary(self, lots: Iterable[tuple[PosPackage, MetrcPackage]]) -> tuple[Lot, ...]:
        """Those of the lots whose two sides differ the other way."""
        off, unit = self.off_by or Decimal(0), (self.rows[0].unit if self.rows else "").strip().casefold()
        told = [
            Lot(row.label, row.quantity, package.quantity, row.unit)
            for row, package in lots
            if package.quantity is not None
            and not package.is_closed
            and (package.unit or "").strip().casefold() == unit
        ]
        return tuple(lot for lot in told if lot.difference * off < 0)

    def kin(self, package: MetrcPackage | None, children: Sequence[MetrcPackage]) -> tuple[str, ...]:
        """Which labels that the package was made of, or that were made of it, are in any of the POS's books."""
        wanted = {*(package.source_labels if package is not None else ()), *(child.label for child in children)}
        books = (self.books.inventory.value or (), self.books.events.value or (), self.books.sales.value or ())
        return tuple(sorted({entry.label for book in books for entry in book if entry.label in wanted}))

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

    def lines_beside(self, receipts: Sequence[MetrcReceipt]) -> tuple[PosSaleLine, ...]:
        """What was rung up on other labels in the label's sales, and in the sales of these receipts."""
        ids = {line.sale_id for line in self.sales} | {r.external_number for r in receipts}
        return tuple(x for x in self.books.sales.value or () if x.sale_id in ids and x.label != self.label)

    @cached_property
    def siblings(self) -> tuple[PosPackage, ...]:
        """A few of the POS's rows of other labels that came on the manifest that METRC received this one on."""
        package = self.package.value
        manifest = bare(package.received_from_manifest) if package is not None else ""
        rows = self.books.inventory.value or () if manifest else ()
        return tuple(row for row in rows if row.label != self.label and bare(row.manifest) == manifest)[:5]

    @property
    def near_and_alone(self) -> tuple[PosPackage, ...]:
        """Rows in stock under nearly this label that came on the same manifest, or on none: another load is its own."""
        package = self.package.value
        manifest = bare(package.received_from_manifest) if package is not None else ""
        rows = [row for row in self.near_rows if is_well_formed(row.label) and row.quantity]
        return tuple(row for row in rows if bare(row.manifest) in {"", manifest})

    @cached_property
    def near_rows(self) -> tuple[PosPackage, ...]:
        """Rows with nearly this label, when the label itself is not there; those that cannot be right come first.

        Labels are numbered in rows, so a load's own labels are near one another.
        """
        rows = () if self.rows else self.books.inventory.value or ()
        near = [
            (is_well_formed(row.label), count, row) for row in rows if (count := edits(row.label, self.label, most=2))
        ]
        return tuple(row for _, _, row in sorted(near, key=lambda found: found[:2]))


def holds_all(held: Coverage, changed: datetime | None, since: datetime) -> bool:
    """Whether a list that was read holds all since then of a package that last changed at ``changed``.

    METRC moves a package's time of change with every record of these lists. The clocks may differ by the overlap.
    """
    return changed is not None and held.window.start <= since and changed <= held.window.end - OVERLAP


def product_keys(row: PosPackage) -> tuple[tuple[str, str], ...]:
    """What tells the product of a row: its id and its METRC item, as far as the POS has them, each with its unit."""
    unit = row.unit.strip().casefold()
    names = (row.product_id or "", (row.metrc_item or "").strip().casefold())
    return tuple((f"{kind} {name}", unit) for kind, name in zip(("id", "item"), names, strict=True) if name)


def newest_first(rows: Iterable[PosPackage]) -> list[PosPackage]:
    """Rows by when they were received, then by label."""
    return sorted(rows, key=age_of, reverse=True)


def age_of(row: PosPackage) -> tuple[datetime, str]:
    """What orders rows by age."""
    return row.received_at or LONG_AGO, row.label


def siblings_of(
    label: str, alike: Iterable[PosPackage], unsettled: Collection[str], several: Collection[str]
) -> tuple[PosPackage, ...]:
    """Rows of other labels of the product, of those in one row and without an open sale; ``alike``: newest first."""
    lots = (row for row in alike if row.label != label and row.label not in unsettled and row.label not in several)
    return tuple(islice(dict.fromkeys(lots), MOST_LOTS))


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
