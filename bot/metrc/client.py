"""METRC as one pair of keys sees it at one license. Reads only: no method here can change anything in METRC."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from bot.errors import MetrcNotJson, MetrcRejected, MetrcUnauthorized
from bot.metrc import wire
from bot.model import (
    Adjustment,
    Direction,
    Facility,
    MetrcDelivery,
    MetrcItem,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from bot.transport import Answer, Limiter, Patience, Transport, refuse_private

T = TypeVar("T")
HashableT = TypeVar("HashableT", bound=Hashable)
Digest = Callable[[tuple[object, ...]], Awaitable[tuple[T, ...]]]
"""What becomes of the raw rows of one page."""

Take = Callable[[tuple[MetrcPackage, ...]], Awaitable[None]]

SLICES_AT_ONCE = 12
"""Of one long list: more than METRC takes at a time, and few enough for a person's question to pass by."""

_DAY = timedelta(hours=24)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

_FAMILIES = {
    "packages": "/packages/v2/active",
    "sales": "/sales/v2/receipts/active",
    "transfers": "/transfers/v2/incoming",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The vendor's key and one user's key; METRC takes them as user name and password."""

    vendor: str = field(repr=False)
    user: str = field(repr=False)

    def hide_in(self, text: bytes) -> bytes:
        """The same text without the keys, plain or as sent: a host may echo what it refuses."""
        for key in (self.vendor, self.user):
            text = text.replace(key.encode(), b"***") if key else text
        return text.replace(b64encode(f"{self.vendor}:{self.user}".encode()), b"***")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _keep() -> None:
    """Nobody remembers how wide a window may be."""


class MetrcClient:
    """Fits ``bot.ports.TrackAndTrace``.

    ``keys`` is asked at each request, so that a renewed key needs no restart; ``keys_again`` when METRC refuses those.
    ``zone``: the facility's, for sale times.
    ``window_hours``: the widest ``lastModified`` window this host takes; where it turns out to take less, 24 h are used,
    and ``narrowed`` is told, so that the next client need not find out again.
    ``patience`` replaces the transport's own, for work that may wait longer than a person.
    ``requests`` counts every try. Raises ``ConfigurationError`` for a base URL that keys may not be sent to.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        license_number: str,
        keys: Callable[[], Keys],
        keys_again: Callable[[], Keys] | None = None,
        zone: ZoneInfo,
        limiter: Limiter,
        window_hours: float = 24,
        patience: Patience | None = None,
        now: Callable[[], datetime] = _utc_now,
        narrowed: Callable[[], None] = _keep,
    ) -> None:
        refuse_private(base_url, dev=transport.dev)
        self.license = license_number
        self.requests = 0
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._keys = keys
        self._keys_again = keys_again
        self._zone = zone
        self._limiter = limiter
        self.widest = timedelta(hours=window_hours)
        self._narrowed = narrowed
        self._patience = patience
        self._now = now

    # --- what the keys see

    async def facilities(self) -> tuple[Facility, ...]:
        """Every license these keys see."""
        body = await self._get(wire.facilities_request())
        return tuple(wire.facility(row) for row in wire.page(body).rows)

    async def rights(self, employee_license: str) -> frozenset[str]:
        """What an employee may do here, lower case."""
        return wire.rights(await self._get(wire.rights_request(self.license, employee_license)))

    async def probe(self, family: str) -> None:
        """One row of the last hour. ``family``: packages, sales or transfers."""
        now = self._now()
        window = Window(now - timedelta(hours=1), now)
        wire.page(await self._get(wire.list_request(_FAMILIES[family], self.license, window, number=1, size=1)))

    # --- records

    async def scanned(self, code: str) -> tuple[str, ...]:
        """The tags behind the code on a single unit; needs a right of its own."""
        return wire.scanned(await self._get(wire.scan_request(code, self.license)))

    async def package(self, label: str, *, license_number: str | None = None) -> MetrcPackage:
        """One package by label, at this license or at another one that the same keys see."""
        request = wire.package_request(label, license_number or self.license)
        package = wire.package(await self._get(request))
        # A label of digits only is an id to METRC.
        _must_be(package.label, label.strip().upper(), request)
        return package

    async def receipt(self, receipt_id: int) -> MetrcReceipt:
        """One receipt with its lines."""
        request = wire.record_request(f"/sales/v2/receipts/{receipt_id}", self.license)
        receipt = wire.receipt(await self._get(request), self._zone)
        _must_be(receipt.id, receipt_id, request)
        return receipt

    async def delivery(self, delivery_id: int) -> MetrcDelivery:
        """One sales delivery with its lines."""
        request = wire.record_request(f"/sales/v2/deliveries/{delivery_id}", self.license)
        delivery = wire.delivery(await self._get(request), self._zone)
        _must_be(delivery.id, delivery_id, request)
        return delivery

    async def transfer_packages(self, delivery_id: int) -> tuple[TransferPackage, ...]:
        """The packages of one delivery of a manifest."""
        passes = await self._walk(partial(wire.transfer_packages_request, delivery_id), _each(wire.transfer_package))
        return tuple({row.label: row for one in passes for row in one}.values())

    # --- lists

    async def packages(self, listing: PackageList, window: Window) -> tuple[MetrcPackage, ...]:
        """One of the package lists."""
        parse = partial(wire.package, listing=listing)
        return _newest(await self._list(f"/packages/v2/{listing}", parse, window), lambda row: row.id)

    async def count(self, listing: PackageList, window: Window) -> int | None:
        """How many rows one of the package lists has."""
        request = wire.list_request(f"/packages/v2/{listing}", self.license, window, number=1, size=1)
        return wire.page(await self._get(request)).total

    async def each_package(
        self, listing: PackageList, window: Window, take: Take, *, expected: int | None = None
    ) -> None:
        """The same list for a whole shop; see ``bot.ports.PackageStream``."""
        parse = _each(partial(wire.package, listing=listing))
        turns = asyncio.Semaphore(SLICES_AT_ONCE)

        async def digest(rows: tuple[object, ...]) -> tuple[int, ...]:
            packages = await parse(rows)
            await take(packages)
            # their number and sameness is all that is asked of them from here on
            return tuple(package.id for package in packages)

        async def one(ask: Callable[[int], wire.Request]) -> None:
            async with turns:
                # of many windows nobody knows which one holds how many
                await self._walk(ask, digest, expected if window.width <= self.widest else None)

        path = f"/packages/v2/{listing}"
        await self._in_slices(window, lambda windows: _together(one(ask) for ask in self._asks(path, windows)))

    async def transferred(self, window: Window) -> tuple[TransferredPackage, ...]:
        """Packages that this license shipped."""
        rows = await self._list("/packages/v2/transferred", wire.transferred, window)
        return _newest(rows, lambda row: (row.label, row.manifest, row.recipient_license))

    async def adjustments(self, window: Window) -> tuple[Adjustment, ...]:
        """Adjustments made by people, equal ones as often as they were made."""
        return _as_often_as_seen(await self._list("/packages/v2/adjustments", wire.adjustment, window))

    async def receipts(self, *, active: bool, window: Window) -> tuple[MetrcReceipt, ...]:
        """Active: neither finalized nor voided. Inactive: one of both."""
        path = f"/sales/v2/receipts/{_listing(active=active)}"
        return _newest(await self._list(path, partial(wire.receipt, zone=self._zone), window), lambda row: row.id)

    async def deliveries(self, *, active: bool, window: Window) -> tuple[MetrcDelivery, ...]:
        """Sales deliveries."""
        path = f"/sales/v2/deliveries/{_listing(active=active)}"
        return _newest(await self._list(path, partial(wire.delivery, zone=self._zone), window), lambda row: row.id)

    async def transfers(self, direction: Direction, window: Window) -> tuple[Transfer, ...]:
        """Manifests. The window is sent for rejected ones too, though METRC documents none there."""
        parse = partial(wire.transfer, direction=direction)
        return _newest(await self._list(f"/transfers/v2/{direction}", parse, window), lambda row: row.id)

    async def items(self, window: Window) -> tuple[MetrcItem, ...]:
        """Active items."""
        parse = partial(wire.item, is_active=True)
        return _newest(await self._list("/items/v2/active", parse, window), lambda row: row.id)

    # --- how

    async def _list(self, path: str, parse: Callable[[object], T], window: Window) -> list[list[T]]:
        """The rows of every slice, oldest slice first; neighbours share the rows on their bound."""

        async def read(windows: Sequence[Window]) -> list[list[T]]:
            slices = await _together(self._walk(ask, _each(parse)) for ask in self._asks(path, windows))
            return [[row for rows in passes for row in rows] for passes in slices]

        return await self._in_slices(window, read)

    async def _in_slices(self, window: Window, read: Callable[[Sequence[Window]], Awaitable[T]]) -> T:
        """Read in windows as wide as the host takes; in days where it turns out to take less."""
        width = self.widest
        try:
            return await read(window.slices(width))
        except MetrcRejected as error:
            if error.status != 400 or min(width, window.width) <= _DAY:
                raise
        self.widest = _DAY
        self._narrowed()
        return await read(window.slices(_DAY))

    def _asks(self, path: str, windows: Iterable[Window]) -> list[Callable[[int], wire.Request]]:
        return [partial(wire.list_request, path, self.license, window) for window in windows]

    async def _walk(
        self, ask: Callable[[int], wire.Request], digest: Digest[T], expected: int | None = None
    ) -> list[tuple[T, ...]]:
        """All pages; twice where the list changed its length meanwhile, for then a row may have moved past us."""
        pages = await self._pages(ask, digest, wire.first_pages(expected))
        passes = [wire.rows_of(pages)]
        if not wire.is_steady(pages):
            pages = await self._pages(ask, digest, wire.first_pages(None))
            passes.append(wire.rows_of(pages))
        wire.must_be_whole(pages, ask(1).asked)
        return passes

    async def _pages(self, ask: Callable[[int], wire.Request], digest: Digest[T], first: range) -> list[wire.Page[T]]:
        pages: list[wire.Page[T]] = []
        try:
            async with asyncio.TaskGroup() as group:
                await self._further(ask, digest, pages, group, first=first)
        except ExceptionGroup as failures:
            failure = failures.exceptions[0]
        else:
            return pages
        raise failure

    async def _further(
        self,
        ask: Callable[[int], wire.Request],
        digest: Digest[T],
        pages: list[wire.Page[T]],
        group: asyncio.TaskGroup,
        *,
        first: range,
    ) -> None:
        """Add all pages. As one comes, the next is asked for: nothing waits for a whole wave."""
        flying: deque[asyncio.Task[wire.Page[T]]] = deque()
        numbers = first
        while numbers:
            flying.extend(group.create_task(self._page(ask(number), digest)) for number in numbers[len(flying) :])
            pages.append(await flying.popleft())
            numbers = wire.next_pages(pages)
        for task in flying:
            task.cancel()

    async def _page(self, request: wire.Request, digest: Digest[T]) -> wire.Page[T]:
        # digested as it comes: as parsed JSON a long list would take ten times the room
        page = wire.page(await self._get(request))
        return wire.Page(await digest(page.rows), page.page, page.total_pages, page.total, is_bare=page.is_bare)

    async def _get(self, request: wire.Request) -> object:
        keys = self._keys()
        try:
            return await self._ask(request, keys)
        except MetrcUnauthorized:
            # a new key kills the old one at once: in the middle of long work it may have been renewed
            renewed = self._keys_again() if self._keys_again else keys
            if renewed == keys:
                raise
            self._keys = lambda: renewed
            return await self._ask(request, renewed)

    async def _ask(self, request: wire.Request, keys: Keys) -> object:
        return await self._transport.get(
            self._base_url + request.path,
            partial(self._read, keys, request.asked),
            asked=request.asked,
            limiter=self._limiter,
            params=request.params,
            auth=(keys.vendor, keys.user),
            patience=self._patience,
            sent=self._count,
        )

    def _read(self, keys: Keys, asked: str, answer: Answer) -> object:
        body = answer.body if answer.status < 300 else keys.hide_in(answer.body)
        return wire.decode(answer.status, answer.headers, body, asked, now=self._now())

    def _count(self) -> None:
        self.requests += 1


def _each(parse: Callable[[object], T]) -> Digest[T]:
    async def digest(rows: tuple[object, ...]) -> tuple[T, ...]:
        return tuple(parse(row) for row in rows)

    return digest


def _listing(*, active: bool) -> str:
    return "active" if active else "inactive"


def _must_be(got: object, wanted: object, request: wire.Request) -> None:
    if got != wanted:
        raise MetrcNotJson(f"METRC answered {request.asked} with another record ({got}).")


def _newest(slices: Iterable[Iterable[T]], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Each record once, as last modified; of equal times the one read later. Oldest change first."""
    kept: dict[Hashable, T] = {}
    for row in (row for one in slices for row in one):
        held = kept.get(key(row))
        if held is None or _modified(held) <= _modified(row):
            kept[key(row)] = row
    return tuple(sorted(kept.values(), key=_modified))


def _modified(row: object) -> datetime:
    at = getattr(row, "last_modified", None)
    return at if isinstance(at, datetime) else _BEFORE_ALL


def _as_often_as_seen(slices: Iterable[Iterable[HashableT]]) -> tuple[HashableT, ...]:
    """Rows without an id: as often as in the slice that has most of them, for touching slices share a bound."""
    kept: Counter[HashableT] = Counter()
    for one in slices:
        kept |= Counter(one)
    return tuple(kept.elements())


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure stops the rest and is raised itself, not as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise failure
