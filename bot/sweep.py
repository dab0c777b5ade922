"""The whole shop: read the lists of both sides, judge every label, and group what is wrong by its common cause.

Every label gets the full diagnosis. It is first judged by what the stock lists and the POS's books say, most of them as
their page comes and while METRC is asked for the next; where anything is found or left open, a closer look reads what
may explain it, and the label is judged anew. Labels pass through a few hundred at a time and in a thread, so that a large
shop takes no more room than a small one and nobody waits behind it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from bot.diagnose import diagnose
from bot.errors import Problem, ProblemKind
from bot.gather import MARGIN, UNKNOWN_AGE, access_is_open
from bot.model import (
    Access,
    Cause,
    Diagnosis,
    Evidence,
    MetrcPackage,
    MetrcReceipt,
    PackageHead,
    PackageList,
    PostingDelays,
    Sighting,
)
from bot.sweep_agreement import Glance
from bot.sweep_books import ShopBooks
from bot.sweep_evidence import Closer, Ground, full_evidence, known, lots_beside, plain_evidence, sources_of
from bot.sweep_groups import Sweep, Tally, of_whole_shop
from bot.sweep_reading import (
    Beside,
    Listed,
    Look,
    Wants,
    Yard,
    climb,
    look_beside,
    look_closer,
    near_labels,
    read_lists,
)

__all__ = ["SweepProgress", "Yard", "sweep"]

AT_ONCE: Final = 250
"""Labels that are judged in one go: a second's work at most."""

HEADS: Final = 2000
"""Labels that are looked up at once to see which of them are judged already."""

MOST_WAITING: Final = 60
"""Pages that are read and not judged: more than a second of reading, for that long the POS's books may take."""

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

SweepProgress = Callable[[str, int, int], Awaitable[None]]
"""Told what is done now, how much of it is done and how much there is; 0 as long as that is not known."""

Judged = tuple[Evidence, Diagnosis]
Packages = dict[str, MetrcPackage]


async def sweep(yard: Yard, progress: SweepProgress, *, timer: Callable[[], float] = time.monotonic) -> Sweep:
    """Judge every label that either side knows. Raises ``StorageError``; all that METRC refuses is in the answer."""
    began, before = timer(), yard.desk.metrc.requests
    with _first_error(), _without_long_pauses():
        tally = await _Sweeping(yard, progress).run()
    requests, seconds = yard.desk.metrc.requests - before, timer() - began
    return Sweep(yard.desk.shop.license, tally.packages, tally.agree, tally.groups(), requests, seconds)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some labels to be judged, METRC's packages of them, and how many others were found to agree before."""

    labels: list[str]
    packages: Packages
    agreed: int = 0


@dataclass
class _Sweeping:
    yard: Yard
    progress: SweepProgress
    now: datetime = field(init=False)
    tally: Tally = field(default_factory=Tally)
    suspects: list[str] = field(default_factory=list)
    pos_alone: list[str] = field(default_factory=list)
    metrc_alone: list[str] = field(default_factory=list)
    counted: int = 0
    # active packages that were not read since then have left the list
    active_since: datetime = LONG_AGO
    # pages of the active list that are not judged yet; by id and last change, what was found to agree as it came; and
    # the ids of what another list held as well
    pages: asyncio.Queue[Sequence[MetrcPackage]] = field(default_factory=asyncio.Queue)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_WAITING))
    agreed: set[int] = field(default_factory=set)
    elsewhere: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.now = self.yard.desk.clock.now()

    async def run(self) -> Tally:
        await self.progress("Reading the POS and METRC", 0, 0)
        async with asyncio.TaskGroup() as group:
            # METRC's lists do not wait for the POS's books: reading those is work, not waiting
            reading = group.create_task(self._books())
            access, expected = await climb(self.yard, self.now)
            listed = await self._read_lists(access, reading, expected) if access_is_open(access) else None
        ground = Ground(self.yard.desk.shop, self.now, access, reading.result())
        if listed is None:
            await self._closed(ground)
            return self.tally
        self.active_since = self.now if listed.is_whole else LONG_AGO
        self.counted = 0
        ground = replace(ground, package_problem=listed.problem, delays=await self._delays())
        await self._judge_all(ground)
        await self._look_closer(ground)
        return self.tally

    async def _books(self) -> ShopBooks:
        return ShopBooks(await self.yard.desk.pos.read(self.now))

    async def _delays(self) -> PostingDelays | None:
        return await self.yard.desk.mirror.delays(self.now - UNKNOWN_AGE)

    async def _read_lists(self, access: Access, reading: Awaitable[ShopBooks], expected: int | None) -> Listed:
        """Judge pages of the active list beside the reading, which without that would mostly wait."""
        async with asyncio.TaskGroup() as group:
            judging = group.create_task(self._judge_pages(access, reading))
            oldest = partial(_oldest, reading)
            listed = await read_lists(self.yard, oldest, self.now, self._came, expected=expected)
            await self.pages.join()
            judging.cancel()
        return listed

    async def _came(self, listing: PackageList, packages: Sequence[MetrcPackage]) -> None:
        if listing is PackageList.ACTIVE:
            await self.room.acquire()
            self.pages.put_nowait(packages)
        else:
            self.elsewhere.update(package.id for package in packages)
        self.counted += len(packages)
        await self.progress("Reading METRC's packages", self.counted, 0)

    async def _judge_pages(self, access: Access, reading: Awaitable[ShopBooks]) -> None:
        ground = Ground(self.yard.desk.shop, self.now, access, await reading, delays=await self._delays())
        judge = _Judge(ground)
        while True:
            for package in await self.pages.get():
                if judge.agrees(package):
                    self.agreed.add(_sign(package.id, package.last_modified))
                if judge.took_long():
                    # one label at a time, so that no answer of METRC waits for long
                    await asyncio.sleep(0)
            self.pages.task_done()
            self.room.release()

    async def _closed(self, ground: Ground) -> None:
        """Behind a closed gate one answer holds for every label, and nothing more is read."""
        labels = [label async for chunk in self._chunks(ground) for label in chunk.labels]
        evidence = plain_evidence(labels[0] if labels else "", None, ground)
        self.tally.add_all(labels, evidence, of_whole_shop(diagnose(evidence, "")))

    # --- every label --------------------------------------------------------------------------------------------------

    async def _judge_all(self, ground: Ground) -> None:
        """The first pass: what agrees is counted, the rest is remembered by its label."""
        total = len(ground.books.labels)
        async for chunk in self._chunks(ground):
            judged = await asyncio.to_thread(_judged_plainly, chunk.labels, chunk.packages, ground)
            self._sort(judged, ground)
            self.tally.agreed(chunk.agreed)
            self.counted += len(chunk.labels) + chunk.agreed
            await self.progress("Comparing both sides", self.counted, max(total, self.counted))

    def _sort(self, judged: Sequence[Judged], ground: Ground) -> None:
        for evidence, diagnosis in judged:
            label, package = diagnosis.subject.value, evidence.package.value
            if package is None and evidence.pos_rows.value:
                self.pos_alone.append(label)
            elif package is not None and not package.is_closed and not ground.books.rows(label):
                self.metrc_alone.append(label)
            if diagnosis.cause is Cause.NONE and not ground.books.has_open_sale(label):
                self.tally.agreed(1)
            elif not ground.books.books.inventory.was_read:
                # without the POS's stock nothing can differ, so there is nothing to look at more closely
                self.tally.add(evidence, diagnosis)
            else:
                self.suspects.append(label)

    async def _chunks(self, ground: Ground) -> AsyncIterator[_Chunk]:
        """Labels known to either side, in order and in pieces, with METRC's packages of them."""
        stock, closed_since = self.yard.stock, self.now - UNKNOWN_AGE
        more_expected = (await self._expected()).difference(ground.books.labels)
        expected = sorted([*ground.books.labels, *more_expected]) if more_expected else ground.books.labels
        after, more = "", True
        while more:
            found = await stock.heads_after(after, HEADS, active_since=self.active_since, closed_since=closed_since)
            heads = {head.label: head for head in found}
            more = bool(found)
            last = found[-1].label if more else None
            until = bisect_right(expected, last) if last is not None else len(expected)
            labels = sorted({*expected[bisect_right(expected, after) : until], *heads})
            doubtful = [label for label in labels if not self._has_agreed(heads.get(label))]
            yield _Chunk([], {}, len(labels) - len(doubtful))
            for start in range(0, len(doubtful), AT_ONCE):
                some = doubtful[start : start + AT_ONCE]
                listed = [label for label in some if label in heads]
                yield _Chunk(some, await stock.packages_of(listed, active_since=self.active_since))
            after = last or after

    def _has_agreed(self, head: PackageHead | None) -> bool:
        """Whether the mirror holds the label as it was when it was judged."""
        return head is not None and _sign(head.id, head.changed_at) in self.agreed and head.id not in self.elsewhere

    async def _expected(self) -> set[str]:
        """Labels on loads that are on their way here."""
        loads = await self.yard.stock.open_loads(self.now - UNKNOWN_AGE)
        return {package.label for load in loads for package in load.packages or ()}

    # --- those that differ --------------------------------------------------------------------------------------------

    async def _look_closer(self, ground: Ground) -> None:
        if not self.suspects:
            return
        await self.progress("Looking closer at what differs", 0, len(self.suspects))
        wants = Wants(self.now - MARGIN)
        async for labels, packages in self._suspected():
            await asyncio.to_thread(_add_wants, wants, labels, packages, ground)
        look = await look_closer(self.yard, ground.books, wants, self.now, self._count_receipts)
        beside = Beside(self.now)
        async for labels, packages in self._suspected():
            receipts = await self.yard.stock.receipts_on(labels)
            await asyncio.to_thread(_add_beside, beside, labels, packages, receipts, ground=ground)
        look = await look_beside(self.yard, ground.books, beside, look, self._count_receipts)
        near, near_pos = await asyncio.to_thread(self._near)
        self.counted = 0
        async for labels, packages in self._suspected():
            closer = await self._closer(labels, packages, look, near, near_pos, ground=ground)
            for evidence, diagnosis in await asyncio.to_thread(_judged_fully, labels, packages, ground, closer):
                self.tally.add(evidence, diagnosis)
            self.counted += len(labels)
            await self.progress("Explaining the differences", self.counted, len(self.suspects))

    async def _suspected(self) -> AsyncIterator[tuple[list[str], Packages]]:
        for start in range(0, len(self.suspects), AT_ONCE):
            labels = self.suspects[start : start + AT_ONCE]
            yield labels, await self.yard.stock.packages_of(labels, active_since=self.active_since)

    def _near(self) -> tuple[dict[str, tuple[str, ...]] | None, dict[str, tuple[str, ...]]]:
        """Near labels among those that one side alone has: METRC's for the POS's, and the other way round."""
        near = near_labels(self.pos_alone, self.metrc_alone)
        back: dict[str, list[str]] = {}
        for label, others in (near or {}).items():
            for other in others:
                back.setdefault(other, []).append(label)
        return near, {label: tuple(others[:5]) for label, others in back.items()}

    async def _closer(
        self,
        labels: Collection[str],
        packages: Packages,
        look: Look,
        near: dict[str, tuple[str, ...]] | None,
        near_pos: dict[str, tuple[str, ...]],
        *,
        ground: Ground,
    ) -> Closer:
        stock = self.yard.stock
        beside = {*labels, *(other for label in labels for other in near_pos.get(label, ()))}
        numbers = {line.sale_id for label in labels for line in ground.books.sales(label)}
        by_number: dict[str, list[MetrcReceipt]] = defaultdict(list)
        for receipt in await self.yard.desk.mirror.receipts_like(numbers, ()):
            by_number[receipt.external_number or ""].append(receipt)
        sightings, problems = await self._sightings(labels, near), dict(look.problems)
        if near is None:
            problems["near"] = Problem(ProblemKind.DEADLINE, "Too many labels differ to compare them letter by letter.")
        return Closer(
            receipts=await stock.receipts_on(labels),
            unread=look.unread,
            unread_beside=look.unread_beside,
            held=look.held,
            by_number={number: tuple(own) for number, own in by_number.items()},
            deliveries=look.deliveries,
            transfers=await stock.transfers_on(beside),
            transferred=await stock.transferred_on(beside),
            adjustments=await stock.adjustments_on(labels),
            children=await stock.children_of({*labels, *sources_of(packages)}),
            lots=await stock.packages_of(lots_beside(labels, packages, ground), active_since=LONG_AGO),
            near=sightings,
            near_pos=near_pos,
            problems=problems,
        )

    async def _sightings(
        self, labels: Collection[str], near: dict[str, tuple[str, ...]] | None
    ) -> dict[str, tuple[Sighting, ...]]:
        mine = {label: others for label, others in (near or {}).items() if label in frozenset(labels)}
        wanted = {other for others in mine.values() for other in others}
        seen = await self.yard.stock.packages_of(wanted, active_since=LONG_AGO)
        return {
            label: tuple(Sighting(o, "METRC", seen[o].quantity, seen[o].item.name) for o in others if o in seen)
            for label, others in mine.items()
        }

    async def _count_receipts(self, count: int) -> None:
        self.counted += count
        await self.progress("Opening receipts that may explain a difference", self.counted, 0)


# --- thinking, away from the event loop -------------------------------------------------------------------------------


def _judged_plainly(labels: Sequence[str], packages: Packages, ground: Ground) -> list[Judged]:
    found = (plain_evidence(label, packages.get(label), ground) for label in labels)
    return [(evidence, diagnose(evidence, "")) for evidence in found]


async def _oldest(reading: Awaitable[ShopBooks]) -> datetime | None:
    return (await reading).oldest


class _Judge:
    """Judges packages as they come, most of them at a glance."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._glance = Glance(ground.books, ground.shop, ground.now, ground.delays)
        self._gates_are_open = False
        self._was_diagnosed = False

    def agrees(self, package: MetrcPackage) -> bool:
        """Whether the POS holds it too and nothing is found; what cannot be told by its last change is judged later."""
        self._was_diagnosed = False
        books = self._ground.books
        if package.last_modified is None or not books.rows(package.label) or books.has_open_sale(package.label):
            return False
        plainly = self._glance.agrees(package)
        if plainly and self._gates_are_open:
            return True
        self._was_diagnosed = True
        found = diagnose(plain_evidence(package.label, package, self._ground), "").cause is not Cause.NONE
        # of a package that agrees at a glance nothing but a gate can be found
        self._gates_are_open = self._gates_are_open or (plainly and not found)
        return not found

    def took_long(self) -> bool:
        """Whether the last one was more than a glance."""
        return self._was_diagnosed


def _sign(package_id: int, changed_at: datetime | None) -> int:
    """A package at one moment, in less room than the two take."""
    return hash((package_id, changed_at))


def _judged_fully(labels: Sequence[str], packages: Packages, ground: Ground, closer: Closer) -> list[Judged]:
    found = (full_evidence(label, packages.get(label), ground, closer) for label in labels)
    return [(evidence, diagnose(evidence, "")) for evidence in found]


def _add_wants(wants: Wants, labels: Sequence[str], packages: Packages, ground: Ground) -> None:
    for label in labels:
        wants.add(known(label, packages.get(label), ground))


def _add_beside(
    beside: Beside,
    labels: Sequence[str],
    packages: Packages,
    receipts: Mapping[str, tuple[MetrcReceipt, ...]],
    *,
    ground: Ground,
) -> None:
    for label in labels:
        beside.add(known(label, packages.get(label), ground), receipts.get(label, ()))


@contextmanager
def _without_long_pauses() -> Iterator[None]:
    """Keep the garbage collector from looking through all that was there before; it stops everything for that long.

    Where the program has set something aside already, that is left as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _first_error() -> Iterator[None]:
    """The first error of tasks that ran together, as it is and not as a group."""
    try:
        yield
    except ExceptionGroup as errors:
        first: Exception = errors
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        raise first from errors
