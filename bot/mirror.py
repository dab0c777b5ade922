"""Keep the local copy of METRC and the POS up to date: read what is missing, nothing else, and lose nothing on the way.

Each window is stored together with the claim that it is held, in one transaction, and after the one that it touches. So
whatever dies in between, the mirror never claims what it does not hold, and starting again goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from bot.backlogs import Times, backlogs, usual_delays
from bot.errors import MetrcError, MetrcNotFound, Problem, ProblemKind
from bot.model import (
    Coverage,
    Direction,
    Feed,
    MetrcDelivery,
    MetrcReceipt,
    PackageList,
    PostingDelays,
    Transfer,
    Window,
)
from bot.ports import FeedRow, Mirror, PointOfSale, Portion, TrackAndTrace

OVERLAP = timedelta(minutes=5)
"""Read again at every seam: clocks differ, and METRC may show a change a little after its ``LastModified``."""

CHUNK = timedelta(days=7)
"""What is stored in one transaction, at least; the METRC client cuts it into the windows its host accepts."""

AHEAD = 8
"""How many windows of one feed are asked for at once; they are stored one after another, each touching the one before."""

MOST_SPANS = 20
"""How many spans before holes are remembered of one feed; older ones are read again."""

BATCH = 200
"""How many receipts, deliveries or manifests are asked for their lines at once."""

FRESH = timedelta(minutes=2)
"""What was read so lately is not read again to know how things stand."""

NEAR = timedelta(hours=2)
"""A feed that is held until then is brought up to date at once; what is further back is caught up with step by step."""

GLANCE = timedelta(minutes=15)
"""What is read of a feed of which nothing near is held, to know that it can be read."""

STEP = timedelta(hours=24)
"""How much is filled at a time, so that one shop's busy days do not keep the others waiting."""

Told = Callable[[str, int, int], None]
"""Told the feed's name, how many steps are done and how many are known of; the total may grow."""

T = TypeVar("T")
R = TypeVar("R", MetrcReceipt, MetrcDelivery, Transfer)
Outcome = tuple[tuple[R, ...], tuple[tuple[R, Problem], ...]]
"""What was read, with its lines, and what was not, with the reason."""


@dataclass(frozen=True, slots=True)
class Fed:
    """How one feed, or one kind of lines, went: rows written, and what went wrong, equal problems told once."""

    name: str
    rows: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How one sync went. ``requests``: sent to METRC."""

    fed: tuple[Fed, ...]
    requests: int

    @property
    def rows(self) -> dict[str, int]:
        """Rows written by the feed's name."""
        return {fed.name: fed.rows for fed in self.fed}

    @property
    def problems(self) -> dict[str, tuple[Problem, ...]]:
        """What went wrong by the feed's name; feeds without a problem are left out."""
        return {fed.name: fed.problems for fed in self.fed if fed.problems}


# --- what is held, what is missing ------------------------------------------------------------------------------------


def join(held: Coverage | None, new: Coverage) -> Coverage:
    """What is held after ``new`` was stored beside ``held``: never a span with a hole in it.

    Touching windows become one; of what is left apart the newest is the coverage's own, the others lie before holes.
    """
    if held is None:
        return new
    newer = max(held, new, key=lambda coverage: (coverage.window.end, coverage.read_at))
    *earlier, newest = merged((*held.earlier, held.window, *new.earlier, new.window))
    return replace(newer, window=newest, earlier=tuple(earlier[-MOST_SPANS:]))


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same spans, touching ones as one, oldest first."""
    spans: list[Window] = []
    for window in sorted(windows, key=lambda each: (each.start, each.end)):
        if spans and window.start <= spans[-1].end:
            spans[-1] = Window(spans[-1].start, max(spans[-1].end, window.end))
        else:
            spans.append(window)
    return tuple(spans)


def missing(
    held: Window | None, wanted: Window, chunk: timedelta = CHUNK, earlier: Sequence[Window] = ()
) -> tuple[Window, ...]:
    """The windows to read so that ``wanted`` is held, in the order to read them.

    First the tail, oldest first, then the part before what is held, newest first: either way each window touches what
    is held when it is stored, so a stop in between costs nothing. ``earlier``: spans held before a hole, oldest first.
    """
    if held is None or wanted.start > held.end:
        return wanted.slices(chunk)
    seam = held.end - OVERLAP
    tail = Window(seam, wanted.end).slices(chunk) if wanted.end > seam else ()
    return (*tail, *_head(held, wanted.start, chunk, earlier))


def _head(held: Window, since: datetime, chunk: timedelta, earlier: Sequence[Window]) -> tuple[Window, ...]:
    """What is not held between ``since`` and what is held: before it, and each hole before that."""
    windows: list[Window] = []
    start = held.start
    for span in reversed(earlier):
        if since < start:
            windows += reversed(Window(max(since, span.end - OVERLAP), start + OVERLAP).slices(chunk))
        start = min(start, span.start)
    if since < start:
        windows += reversed(Window(since, start + OVERLAP).slices(chunk))
    return tuple(windows)


def posting_delays(delays: Iterable[timedelta]) -> PostingDelays | None:
    """The distribution of these delays; negative ones (a clock or zone is wrong) are dropped. None: none are left.

    Percentiles are nearest-rank, so each is a delay that really happened.
    """
    seconds = sorted(delay.total_seconds() for delay in delays if delay >= timedelta(0))
    if not seconds:
        return None
    p50, p95, p999 = (_percentile(seconds, per_mille) for per_mille in (500, 950, 999))
    return PostingDelays(len(seconds), p50, p95, p999)


def delays_of(times: Iterable[Times]) -> PostingDelays | None:
    """The distribution of these sales' delays, without those that waited out an outage; these are told beside it."""
    times = tuple(times)
    flushed = backlogs(times)
    delays = posting_delays(usual_delays(times, flushed))
    return replace(delays, backlogs=flushed) if delays is not None and flushed else delays


def _percentile(ordered: Sequence[float], per_mille: int) -> float:
    return ordered[max(0, math.ceil(len(ordered) * per_mille / 1000) - 1)]


# --- one feed ---------------------------------------------------------------------------------------------------------


async def freshen(
    metrc: TrackAndTrace, mirror: Mirror, feed: Feed, since: datetime, now: datetime, *, newest: bool = True
) -> Coverage:
    """Read what is missing of ``feed`` between ``since`` and ``now``, and say what is held then.

    ``newest`` False: the end of what is held was read a moment ago, so only what lies before it is read.
    Raises a ``MetrcError`` when METRC does not answer; what was stored before stays.
    """
    span = Window(min(since, now), now)
    walk = _walk(metrc, mirror, feed, span, _nobody, newest=newest)
    return [coverage async for _, coverage in walk][-1]


async def _walk(
    metrc: TrackAndTrace, mirror: Mirror, feed: Feed, span: Window, progress: Told, *, newest: bool = True
) -> AsyncIterator[tuple[int, Coverage]]:
    """Rows stored and what is held after them, a window each; first what is held already, if anything is."""
    held = await mirror.coverage(feed)
    if held:
        yield 0, held
    # a host that takes wide windows is not asked week by week
    chunk = max(CHUNK, metrc.widest)
    windows = missing(held.window if held else None, span, chunk, held.earlier if held else ())
    if held and not newest:
        windows = _head(held.window, span.start, chunk, held.earlier)
    failed: MetrcError | None = None
    for at in range(0, len(windows), AHEAD):
        some = windows[at : at + AHEAD]
        ended = await _together(_attempt(partial(_rows, metrc, feed, window)) for window in some)
        for done, (window, rows) in enumerate(zip(some, ended, strict=True), start=at + 1):
            if isinstance(rows, MetrcError):
                # what lies after it is kept all the same; the hole stays known, and is read again the next time
                failed = failed or rows
                continue
            yield len(rows), await mirror.store(feed, rows, window, span.end)
            progress(feed.value, done, len(windows))
        if failed is not None:
            raise failed


async def touch(
    metrc: TrackAndTrace, mirror: Mirror, held: Mapping[Feed, Coverage | None], now: datetime
) -> dict[Feed, Coverage | Problem]:
    """Read the newest records of these feeds at once, of none more than ``NEAR``; what is held then, or what went wrong.

    Of a feed that is held until long ago only a glance is read, and a hole is left that ``extend`` closes.
    """
    wanted = {feed: Window(_newest(coverage, now), now) for feed, coverage in held.items()}
    reads = (_attempt(partial(_rows, metrc, feed, window)) for feed, window in wanted.items())
    ended = dict(zip(wanted, await _together(reads), strict=True))
    portions = {f: Portion(f, rows, wanted[f]) for f, rows in ended.items() if not isinstance(rows, MetrcError)}
    problems = {feed: rows.problem for feed, rows in ended.items() if isinstance(rows, MetrcError)}
    return {**problems, **(await mirror.store_all(list(portions.values()), now) if portions else {})}


def _newest(held: Coverage | None, now: datetime) -> datetime:
    """From when on to read."""
    is_near = held is not None and now - held.window.end <= NEAR
    return min(held.window.end, now) - OVERLAP if held is not None and is_near else now - GLANCE


def is_whole(held: Coverage | None, since: datetime) -> bool:
    """Whether a feed is held from then on."""
    return held is not None and held.window.start <= since


async def extend(metrc: TrackAndTrace, mirror: Mirror, held: Coverage, since: datetime, now: datetime) -> Coverage:
    """One step of ``STEP`` towards holding a feed from ``since`` on, the newest part first.

    Raises a ``MetrcError`` when METRC does not answer; what was stored before stays.
    """
    return await freshen(metrc, mirror, held.feed, max(since, held.window.start - STEP), now, newest=False)


async def _attempt(read: Callable[[], Awaitable[T]]) -> T | MetrcError:
    """One failure must not cost what was read beside it."""
    try:
        return await read()
    except MetrcError as error:
        return error


def _nobody(_feed: str, _done: int, _total: int) -> None:
    """Nobody wants to be told."""


_PACKAGE_LISTS = {
    Feed.PACKAGES_ACTIVE: PackageList.ACTIVE,
    Feed.PACKAGES_ON_HOLD: PackageList.ON_HOLD,
    Feed.PACKAGES_INACTIVE: PackageList.INACTIVE,
    Feed.PACKAGES_IN_TRANSIT: PackageList.IN_TRANSIT,
}
_DIRECTIONS = {
    Feed.TRANSFERS_INCOMING: Direction.INCOMING,
    Feed.TRANSFERS_OUTGOING: Direction.OUTGOING,
    Feed.TRANSFERS_REJECTED: Direction.REJECTED,
}


async def _rows(metrc: TrackAndTrace, feed: Feed, window: Window) -> Sequence[FeedRow]:
    if feed in _PACKAGE_LISTS:
        return await metrc.packages(_PACKAGE_LISTS[feed], window)
    if feed in _DIRECTIONS:
        return await metrc.transfers(_DIRECTIONS[feed], window)
    match feed:
        case Feed.RECEIPTS_ACTIVE | Feed.RECEIPTS_INACTIVE:
            return await metrc.receipts(active=feed is Feed.RECEIPTS_ACTIVE, window=window)
        case Feed.DELIVERIES_ACTIVE | Feed.DELIVERIES_INACTIVE:
            return await metrc.deliveries(active=feed is Feed.DELIVERIES_ACTIVE, window=window)
        case Feed.PACKAGES_TRANSFERRED:
            return await metrc.transferred(window)
        case Feed.ADJUSTMENTS:
            return await metrc.adjustments(window)
        case _:
            return await metrc.items(window)


# --- lines, by id -----------------------------------------------------------------------------------------------------


async def read_receipt_lines(
    metrc: TrackAndTrace, mirror: Mirror, receipts: Collection[MetrcReceipt], now: datetime
) -> Outcome[MetrcReceipt]:
    """Read these receipts by id, with their lines, and store each as it comes; one that fails costs no other."""

    async def read(receipt: MetrcReceipt) -> MetrcReceipt:
        full = await metrc.receipt(receipt.id)
        await mirror.store_receipt(full, now)
        return full

    return await _each(receipts, read)


async def read_delivery_lines(
    metrc: TrackAndTrace, mirror: Mirror, deliveries: Collection[MetrcDelivery], now: datetime
) -> Outcome[MetrcDelivery]:
    """Read these deliveries by id, with their lines, and store each as it comes; one that fails costs no other."""

    async def read(delivery: MetrcDelivery) -> MetrcDelivery:
        full = await metrc.delivery(delivery.id)
        await mirror.store_delivery(full, now)
        return full

    return await _each(deliveries, read)


async def read_transfer_packages(
    metrc: TrackAndTrace, mirror: Mirror, transfers: Collection[Transfer], now: datetime
) -> Outcome[Transfer]:
    """Read the packages of these manifests, and store each as it comes; one that fails costs no other.

    A manifest that names no delivery cannot be asked, and fails as not found.
    """

    async def read(transfer: Transfer) -> Transfer:
        if transfer.delivery_id is None:
            raise MetrcNotFound(f"METRC names no delivery for manifest {transfer.manifest}, so it lists no packages.")
        packages = await metrc.transfer_packages(transfer.delivery_id)
        await mirror.store_transfer_packages(transfer, packages, now)
        return replace(transfer, packages=packages)

    return await _each(transfers, read)


async def _each(records: Collection[R], read: Callable[[R], Awaitable[R]]) -> Outcome[R]:
    ended = list(zip(records, await _together(_attempt(partial(read, record)) for record in records), strict=True))
    failed = tuple((record, result.problem) for record, result in ended if isinstance(result, MetrcError))
    return tuple(result for _, result in ended if not isinstance(result, MetrcError)), failed


async def _together(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run them at once. The first error stops them all and is raised as it is, not as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]


# --- everything -------------------------------------------------------------------------------------------------------


async def sync(
    metrc: TrackAndTrace, pos: PointOfSale, mirror: Mirror, *, since: datetime, now: datetime, progress: Told = _nobody
) -> SyncReport:
    """Bring every feed, the lines of what was sold or shipped since then, and the POS's books up to date.

    A feed that METRC refuses is reported and costs no other. May be killed and started again at any point.
    """
    before = metrc.requests
    span = Window(min(since, now), now)
    feeds = [_feed(metrc, mirror, feed, span, progress) for feed in Feed]
    fed = await _together([*feeds, _books(pos, mirror, now, progress)])
    # Only now: which lines are missing is told by the lists.
    lines = await _together(_all_lines(metrc, mirror, span, progress))
    return SyncReport((*fed, *lines), metrc.requests - before)


async def _feed(metrc: TrackAndTrace, mirror: Mirror, feed: Feed, span: Window, progress: Told) -> Fed:
    rows = 0
    try:
        async for count, _ in _walk(metrc, mirror, feed, span, progress):
            rows += count
    except MetrcError as error:
        return Fed(feed.value, rows, (error.problem,))
    return Fed(feed.value, rows)


async def _books(pos: PointOfSale, mirror: Mirror, now: datetime, progress: Told) -> Fed:
    books = await pos.read(now)
    await mirror.store_books(books)
    progress("pos", 1, 1)
    readings = (books.inventory, books.sales, books.events)
    problems = [reading.problem for reading in readings if reading.problem]
    return Fed(
        "pos",
        sum(len(reading.value or ()) for reading in readings),
        tuple(dict.fromkeys(problem for problem in problems if problem.kind is not ProblemKind.NOT_OFFERED)),
    )


def _all_lines(
    metrc: TrackAndTrace, mirror: Mirror, span: Window, progress: Told
) -> tuple[Coroutine[Any, Any, Fed], ...]:
    async def deliveries(limit: int) -> Sequence[MetrcDelivery]:
        found = await mirror.deliveries_between(span)
        return [one for one in found if one.lines is None and one.voided_on is None][:limit]

    now = span.end
    return (
        _lines(
            "receipts/lines",
            lambda limit: mirror.receipts_unread(span.start, limit),
            lambda batch: read_receipt_lines(metrc, mirror, batch, now),
            progress,
        ),
        _lines("deliveries/lines", deliveries, lambda batch: read_delivery_lines(metrc, mirror, batch, now), progress),
        _lines(
            "transfers/packages",
            lambda limit: mirror.transfers_unread(span.start, limit),
            lambda batch: read_transfer_packages(metrc, mirror, batch, now),
            progress,
        ),
    )


async def _lines(
    name: str,
    unread: Callable[[int], Awaitable[Sequence[R]]],
    read: Callable[[Collection[R]], Awaitable[Outcome[R]]],
    progress: Told,
) -> Fed:
    """Read batch after batch until none is left or a whole batch failed; nothing is tried twice."""
    tried: set[R] = set()
    rows, problems = 0, dict[Problem, None]()
    while batch := [one for one in await unread(BATCH + len(tried) - rows) if one not in tried]:
        done, failed = await read(batch)
        tried.update(batch)
        rows += len(done)
        problems.update((problem, None) for _, problem in failed)
        progress(name, rows, len(tried))
        if not done:
            break
    return Fed(name, rows, tuple(problems))
