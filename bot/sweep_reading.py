"""What a sweep reads of METRC: whole lists page by page, and a closer look at the labels that differ.

Never a call a package. The lists of packages are read whole, or on from where the mirror stands; receipts are opened by id
only where they may explain a difference, and those that were not opened are told as unread.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from bot.errors import MetrcError, MetrcRejected, Problem, ProblemKind, SourceError
from bot.gather import (
    FAMILIES,
    LONG_AGO,
    LONGEST,
    MANIFEST_AGE,
    MARGIN,
    RECEIPT_FEEDS,
    TRANSFER_FEEDS,
    UNKNOWN_AGE,
    Desk,
    Known,
    product_keys,
)
from bot.labels import as_digits, nearest
from bot.mirror import CHUNK, freshen, missing, read_delivery_lines, read_receipt_lines, read_transfer_packages
from bot.model import (
    Access,
    Coverage,
    Feed,
    MetrcDelivery,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    Probe,
    Reading,
    Transfer,
    Window,
)
from bot.numbers import bare
from bot.ports import Mirror, PackageStream, Stock, TrackAndTrace
from bot.sweep_books import Product, ShopBooks

T = TypeVar("T")
R = TypeVar("R", MetrcReceipt, MetrcDelivery, Transfer)

WHOLE: Final = timedelta(days=365)
"""How far back the list of active packages is read at least; further where the POS's stock is older."""

FARTHEST: Final = timedelta(days=3 * 365)
TOGETHER: Final = 500
"""Packages that are written to the mirror at once."""

MOST_RECEIPTS: Final = 2000
MOST_BESIDE: Final = 500
"""Receipts of other lots that are opened; a question about one label alone may open more of its own."""

MOST_LOADS: Final = 300
MOST_LISTED: Final = 5000
MOST_NUMBERS: Final = 20_000
MOST_COMPARED: Final = 2_000_000
"""Pairs of labels that are compared letter by letter to find mistyped ones."""

BATCH: Final = 200

LISTS: Final = {
    Feed.PACKAGES_ON_HOLD: PackageList.ON_HOLD,
    Feed.PACKAGES_IN_TRANSIT: PackageList.IN_TRANSIT,
    Feed.PACKAGES_INACTIVE: PackageList.INACTIVE,
}

Count = Callable[[int], Awaitable[None]]
"""Told how many receipts came."""

Came = Callable[[PackageList, Sequence[MetrcPackage]], Awaitable[None]]
"""Told which packages came with a page of a list."""


@dataclass(frozen=True)
class Yard:
    """Where a sweep reads. ``stream`` and ``desk.metrc`` are one client, ``stock`` and ``desk.mirror`` one mirror."""

    desk: Desk
    stream: PackageStream
    stock: Stock


# --- may the key see anything -----------------------------------------------------------------------------------------


async def climb(yard: Yard, now: datetime) -> tuple[Access, int | None]:
    """The ladder: the key, then a cheap read of each family; unrelated keys only when the own one is refused.

    And how many active packages there are, for the rung of packages tells it by the way; None: it did not.
    """
    desk, told = yard.desk, list[int]()
    metrc = desk.metrc
    async with asyncio.TaskGroup() as group:
        facilities = group.create_task(_reading("GET /facilities/v2/", desk, metrc.facilities))
        asks = {family: _asking(metrc, family) for family in FAMILIES} | {"packages": _counting(yard, now, told)}
        rungs = [(f"GET one page of {family}", family, ask) for family, ask in asks.items()]
        probes = [group.create_task(_probe(*rung, desk)) for rung in rungs]
    access = Access(facilities.result(), tuple(probe.result() for probe in probes))
    total = told[0] if told else None
    problem = access.facilities.problem
    if problem is None or not problem.kind.is_refusal:
        return access, total
    others = [("GET /facilities/v2/ with another key", name, _seeing(other)) for name, other in desk.others[:3]]
    return replace(access, other_keys=tuple(await _all(*(_probe(*rung, desk) for rung in others)))), total


def _counting(yard: Yard, now: datetime, told: list[int]) -> Callable[[], Awaitable[bool]]:
    """The rung of packages with one row of the very list that is read next, where METRC takes so wide a window."""
    probe, window = _asking(yard.desk.metrc, "packages"), _usual(now)

    async def ask() -> bool:
        if window.width > yard.desk.metrc.widest:
            return await probe()
        try:
            total = await yard.stream.count(PackageList.ACTIVE, window)
        except MetrcRejected:
            # it may be the window that is too wide
            return await probe()
        told.extend([] if total is None else [total])
        return True

    return ask


def _asking(metrc: TrackAndTrace, family: str) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        await metrc.probe(family)
        return True

    return ask


def _seeing(metrc: TrackAndTrace) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        await metrc.facilities()
        return True

    return ask


async def _probe(asked: str, name: str, ask: Callable[[], Awaitable[bool]], desk: Desk) -> Probe:
    return Probe(name, await _reading(asked, desk, ask))


async def _reading(asked: str, desk: Desk, ask: Callable[[], Awaitable[T]]) -> Reading[T]:
    try:
        return Reading("metrc", asked, desk.clock.now(), await ask())
    except SourceError as error:
        return Reading("metrc", asked, problem=error.problem)


# --- the lists of packages --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """How reading the package lists went. ``is_whole``: what the active list does not hold is no longer active."""

    is_whole: bool
    problem: Problem | None = None


async def read_lists(
    yard: Yard,
    oldest: Callable[[], Awaitable[datetime | None]],
    now: datetime,
    came: Came,
    *,
    expected: int | None = None,
) -> Listed:
    """Read METRC's package lists and the loads on their way into the mirror.

    The active list is read whole, for only so can it be seen what has left it. ``oldest``: since when the POS holds the
    oldest of its stock, which need not be known yet. ``expected``: how many active packages the ladder was told of.
    """
    active, *others, _ = await _all(
        _tried(_whole_list(yard, oldest, now, came, expected=expected)),
        *(_tried(_caught_up(yard, feed, now - UNKNOWN_AGE, now, came)) for feed in LISTS),
        # a load that cannot be read is asked for again when a label is looked for
        _tried(read_loads(yard.desk, now - UNKNOWN_AGE, now, _is_open)),
    )
    problem = _first((active, *others))
    # a list that a state does not offer holds nothing that could be missed
    is_offered = problem is not None and problem.kind is not ProblemKind.NOT_OFFERED
    return Listed(active is None, problem if is_offered else None)


def _usual(now: datetime) -> Window:
    """How much of the active list is read at least."""
    return Window(now - WHOLE - UNKNOWN_AGE, now)


async def _whole_list(
    yard: Yard,
    oldest: Callable[[], Awaitable[datetime | None]],
    now: datetime,
    came: Came,
    *,
    expected: int | None,
) -> None:
    usual = _usual(now)
    await _store(yard, PackageList.ACTIVE, usual, now, came, expected=expected)
    start = max((await oldest() or now) - UNKNOWN_AGE, now - FARTHEST)
    if start < usual.start:
        await _store(yard, PackageList.ACTIVE, Window(start, usual.start), now, came)
    await yard.desk.mirror.store(Feed.PACKAGES_ACTIVE, (), Window(min(start, usual.start), now), now)


async def _caught_up(yard: Yard, feed: Feed, since: datetime, now: datetime, came: Came) -> None:
    """Read a list on from where the mirror stands; the claim that a window is held is written after its rows."""
    mirror = yard.desk.mirror
    held = await mirror.coverage(feed)
    widest, earlier = max(CHUNK, yard.desk.metrc.widest), held.earlier if held else ()
    windows = missing(held.window if held else None, Window(since, now), widest, earlier)
    for window in windows:
        await _store(yard, LISTS[feed], window, now, came)
        await mirror.store(feed, (), window, now)


async def read_further_back(yard: Yard, since: datetime, now: datetime) -> Problem | None:
    """Read the lists that are not read whole further back, for packages that no list held so far."""
    return _first(await _all(*(_tried(_caught_up(yard, feed, since, now, _unseen)) for feed in LISTS)))


async def _store(
    yard: Yard, listing: PackageList, window: Window, now: datetime, came: Came, *, expected: int | None = None
) -> None:
    waiting: list[MetrcPackage] = []

    async def take(packages: Sequence[MetrcPackage]) -> None:
        waiting.extend(packages)
        if len(waiting) >= TOGETHER:
            ready = tuple(waiting)
            waiting.clear()
            await yard.stock.keep(ready, now)
        await came(listing, packages)

    await yard.stream.each_package(listing, window, take, expected=expected)
    if waiting:
        await yard.stock.keep(tuple(waiting), now)


async def read_loads(
    desk: Desk,
    since: datetime,
    now: datetime,
    wanted: Callable[[Transfer], bool],
    feeds: Sequence[Feed] = TRANSFER_FEEDS[:1],
) -> None:
    """Read manifests, and open those that are wanted. Raises a ``MetrcError`` for the first that cannot be read."""
    problem = await freshened(desk, feeds, since, now)
    listed = await desk.mirror.transfers_unread(since, MOST_LISTED)
    loads = [load for load in listed if wanted(load)]
    _, failed = await read_transfer_packages(desk.metrc, desk.mirror, loads[:MOST_LOADS], now)
    if problem is None and len(loads) > MOST_LOADS:
        problem = _too_many(len(loads) - MOST_LOADS, "manifests")
    problem = problem or next((each for _, each in failed), None)
    if problem is not None:
        raise Unread(problem)


def _is_open(load: Transfer) -> bool:
    return load.received_at is None and not load.is_voided


# --- a closer look ----------------------------------------------------------------------------------------------------


@dataclass
class Wants:
    """What the labels that differ need to be read, added up label by label."""

    since: datetime
    numbers: set[str] = field(default_factory=set)
    moments: set[datetime] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    missing_since: datetime | None = None

    def add(self, it: Known) -> None:
        """Take in what one label needs."""
        self.since = min(self.since, it.since)
        self.numbers.update(line.sale_id for line in it.sales)
        self.moments.update(line.sold_at for line in it.sales)
        self.manifests |= it.manifests
        if it.is_missing:
            earliest = max(min(it.since, it.now - UNKNOWN_AGE), it.now - LONGEST)
            self.missing_since = min(self.missing_since or earliest, earliest)

    def concern(self, load: Transfer) -> bool:
        """Whether a manifest has to be opened."""
        return _is_open(load) or self.missing_since is not None or bare(load.manifest) in self.manifests


@dataclass
class Beside:
    """What else is needed where a sale found no receipt, or METRC took off more than receipts and sales tell."""

    now: datetime
    sold: set[datetime] = field(default_factory=set)
    sold_since: datetime | None = None
    products: dict[Product, datetime] = field(default_factory=dict)

    def add(self, it: Known, receipts: Sequence[MetrcReceipt]) -> None:
        """Take in what one label needs; ``receipts``: those that were found on it."""
        too_much = it.left_over(receipts) > 0
        lost = it.lost(receipts) or (it.sales if too_much else ())
        if lost:
            self.sold.update(line.sold_at for line in lost)
            self.sold_since = min(self.sold_since or it.now, it.sold_since(lost))
        if too_much:
            for key in {key for row in it.rows for key in product_keys(row)}:
                self.products[key] = min(self.products.get(key, it.since), it.since)


@dataclass(frozen=True)
class Look:
    """How a closer look went. ``unread``: receipts that may matter and were not opened. ``problems``: by family.

    ``unread_beside``: by product, those of its other lots' sales. ``held``: how far the lists of receipts are held.
    """

    unread: tuple[MetrcReceipt, ...] = ()
    unread_beside: dict[Product, tuple[MetrcReceipt, ...]] = field(default_factory=dict)
    deliveries: tuple[MetrcDelivery, ...] = ()
    problems: dict[str, Problem] = field(default_factory=dict)
    held: tuple[Coverage | None, ...] = ()


async def look_closer(yard: Yard, books: ShopBooks, wants: Wants, now: datetime, told: Count) -> Look:
    """Read what may explain the differences: receipts, manifests, adjustments, what left the shop."""
    desk = yard.desk
    feeds = TRANSFER_FEEDS if wants.missing_since is not None else TRANSFER_FEEDS[:1]
    since = max(wants.since - MANIFEST_AGE, now - LONGEST)
    async with asyncio.TaskGroup() as group:
        receipts = group.create_task(_receipts(desk, books, wants, now, told))
        transfers = group.create_task(_tried(read_loads(desk, since, now, wants.concern, feeds)))
        transferred = group.create_task(_gone(yard, wants, now))
        adjustments = group.create_task(freshened(desk, (Feed.ADJUSTMENTS,), wants.since, now))
    problem, unread = receipts.result()
    problems = {
        "receipts": problem,
        "transfers": transfers.result(),
        "transferred": transferred.result(),
        "adjustments": adjustments.result(),
    }
    held = tuple([await desk.mirror.coverage(feed) for feed in RECEIPT_FEEDS])
    return Look(unread, problems={family: each for family, each in problems.items() if each is not None}, held=held)


async def look_beside(yard: Yard, books: ShopBooks, beside: Beside, look: Look, told: Count) -> Look:
    """The same look with what the labels' receipts left open: deliveries, and receipts of other lots' sales."""
    async with asyncio.TaskGroup() as group:
        delivered = group.create_task(_deliveries(yard.desk, beside))
        others = group.create_task(_receipts_beside(yard.desk, books, beside, told))
    deliveries, problem = delivered.result()
    problems = look.problems if problem is None else {**look.problems, "deliveries": problem}
    return replace(look, deliveries=deliveries, problems=problems, unread_beside=others.result())


async def _receipts_beside(
    desk: Desk, books: ShopBooks, beside: Beside, told: Count
) -> dict[Product, tuple[MetrcReceipt, ...]]:
    """Open receipts of the products' other lots, the newest, for any may name the wrong lot; those left unread by product."""
    numbers = books.sales_of(beside.products)
    wanted = await _unopened(desk, numbers)
    newest = wanted[max(0, len(wanted) - MOST_BESIDE) :]
    await _opened(desk, newest, read_receipt_lines, beside.now, told)
    unread: dict[Product, list[MetrcReceipt]] = defaultdict(list)
    for receipt in await _unopened(desk, numbers):
        for key in books.products_in(receipt.external_number or "") & beside.products.keys():
            unread[key].append(receipt)
    return {key: tuple(own) for key, own in unread.items()}


async def _unopened(desk: Desk, numbers: Collection[str]) -> list[MetrcReceipt]:
    """Living receipts with one of these numbers whose lines are not known, oldest sale first."""
    found = [
        receipt
        for some in _pieces(sorted(numbers))
        for receipt in await desk.mirror.receipts_like(some, ())
        if receipt.lines is None and receipt.is_live
    ]
    return sorted(found, key=lambda receipt: (receipt.sold_at or LONG_AGO, receipt.id))


async def _receipts(
    desk: Desk, books: ShopBooks, wants: Wants, now: datetime, told: Count
) -> tuple[Problem | None, tuple[MetrcReceipt, ...]]:
    """Bring the lists up to date, then open what bears a number or moment in question, or is nobody's sale."""
    problem = await freshened(desk, RECEIPT_FEEDS, wants.since, now)
    window = Window(wants.since, now)
    candidates = await _candidates(desk, books, wants, window)
    await _opened(desk, candidates[:MOST_RECEIPTS], read_receipt_lines, now, told)
    # asked again, for one that failed or was left over is as unread as before
    return problem, await _candidates(desk, books, wants, window)


async def _candidates(desk: Desk, books: ShopBooks, wants: Wants, window: Window) -> tuple[MetrcReceipt, ...]:
    mirror = desk.mirror
    numbers, moments = _at_most(wants.numbers), _at_most(wants.moments)
    like = await mirror.receipts_like(numbers, moments)
    if books.books.sales.was_read:
        others = await mirror.receipts_foreign(books.sale_ids, window, MOST_RECEIPTS)
    else:
        others = await mirror.receipts_unread(window.start, MOST_RECEIPTS)
    # what no sale accounts for comes first: it explains most, and there is little of it
    return tuple({receipt.id: receipt for receipt in (*others, *like) if receipt.lines is None}.values())


async def _gone(yard: Yard, wants: Wants, now: datetime) -> Problem | None:
    """Where is what METRC's lists do not hold: shipped from here, or closed long ago?"""
    if wants.missing_since is None:
        return None
    problems = await _all(
        freshened(yard.desk, (Feed.PACKAGES_TRANSFERRED,), wants.missing_since, now),
        read_further_back(yard, wants.missing_since, now),
    )
    return _first(problems)


async def _deliveries(desk: Desk, beside: Beside) -> tuple[tuple[MetrcDelivery, ...], Problem | None]:
    """Sales handed over by delivery; only asked when a sale in question found no receipt, or METRC took off too much."""
    if beside.sold_since is None:
        return (), None
    now = beside.now
    window = Window(max(beside.sold_since, now - LONGEST - MARGIN), now)
    problem = await freshened(desk, (Feed.DELIVERIES_ACTIVE, Feed.DELIVERIES_INACTIVE), window.start, now)
    rows = await desk.mirror.deliveries_between(window)
    wanted = [row for row in rows if row.lines is None and row.sold_at in beside.sold]
    await _opened(desk, wanted[:MOST_RECEIPTS], read_delivery_lines, now, _unheard)
    if problem is None and len(wanted) > MOST_RECEIPTS:
        problem = _too_many(len(wanted) - MOST_RECEIPTS, "deliveries")
    return await desk.mirror.deliveries_between(window), problem


async def _opened(
    desk: Desk,
    records: Sequence[R],
    read: Callable[[TrackAndTrace, Mirror, Sequence[R], datetime], Awaitable[object]],
    now: datetime,
    told: Count,
) -> None:
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        await read(desk.metrc, desk.mirror, batch, now)
        await told(len(batch))


# --- labels that are nearly the same ----------------------------------------------------------------------------------


def near_labels(asked: Sequence[str], others: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """For each asked label the others at most two characters away; None: too many to compare letter by letter.

    ``others`` are labels that the other side alone has: one that both sides have is nobody's true label.
    """
    there = frozenset(others)
    if len(asked) * len(others) > MOST_COMPARED:
        return None
    found = {}
    for label in asked:
        guess = as_digits(label)
        near = (guess,) if guess != label and guess in there else tuple(other for _, other in nearest(label, others))
        if near:
            found[label] = near
    return found


# --- small things -----------------------------------------------------------------------------------------------------


class Unread(SourceError):
    """Carries a problem out of a reading that is made of several."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.says, status=problem.status)
        self.kind = problem.kind


async def freshened(desk: Desk, feeds: Iterable[Feed], since: datetime, now: datetime) -> Problem | None:
    """Bring feeds up to now; the first problem, if any. What was read before it stays in the mirror."""
    return _first(await _all(*(_tried(freshen(desk.metrc, desk.mirror, feed, since, now)) for feed in feeds)))


async def _all(*jobs: Coroutine[Any, Any, T]) -> list[T]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return [task.result() for task in tasks]


async def _tried(job: Awaitable[object]) -> Problem | None:
    try:
        await job
    except (MetrcError, Unread) as error:
        problem = error.problem
        if problem.kind is ProblemKind.NOT_FOUND:
            return Problem(ProblemKind.NOT_OFFERED, "This state does not offer the list.", problem.status)
        return problem
    return None


def _first(problems: Collection[Problem | None]) -> Problem | None:
    """The first one that is more than a list which the state does not offer."""
    there = [problem for problem in problems if problem is not None]
    return next((each for each in there if each.kind is not ProblemKind.NOT_OFFERED), there[0] if there else None)


def _pieces(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + MOST_NUMBERS] for at in range(0, len(values), MOST_NUMBERS))


def _at_most(values: Collection[T]) -> Collection[T]:
    return values if len(values) <= MOST_NUMBERS else tuple(values)[:MOST_NUMBERS]


def _too_many(count: int, what: str) -> Problem:
    return Problem(ProblemKind.DEADLINE, f"{count} more {what} could not be opened for one sweep.")


async def _unheard(_count: int) -> None:
    """Nobody counts."""


async def _unseen(_listing: PackageList, _packages: Sequence[MetrcPackage]) -> None:
    """Nobody looks at them as they come."""
