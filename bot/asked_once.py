"""METRC and the POS for one question about many packages: whatever is asked twice is asked once.

Every package of such a question reads the same lists and climbs the same ladder. Here the first one asks and the others
wait for its answer; a refusal is shared like an answer, so a METRC that is down is not asked fifty times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from bot.model import (
    Adjustment,
    Direction,
    Facility,
    MetrcDelivery,
    MetrcItem,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    PosBooks,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from bot.ports import PointOfSale, TrackAndTrace

T = TypeVar("T")


class Once:
    """Answers by question. Used as a context: what is still being asked when it is left is given up."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to ``key``, asked now or before; raises what the one asking raised."""
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(ask())
        # one that stops waiting, because its time is up, must not stop the others
        return cast("T", await asyncio.shield(self._asked[key]))

    async def __aenter__(self) -> Self:
        """Nothing was asked yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what nobody waits for any more."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


class MetrcOnce:
    """See ``bot.ports.TrackAndTrace``; a list or record asked for in the same words is read once."""

    def __init__(self, metrc: TrackAndTrace, once: Once) -> None:
        self._metrc = metrc
        self._once = once
        self.license = metrc.license

    @property
    def requests(self) -> int:
        """What was really sent."""
        return self._metrc.requests

    @requests.setter
    def requests(self, count: int) -> None:
        self._metrc.requests = count

    @property
    def widest(self) -> timedelta:
        """The widest window that one call may ask for."""
        return self._metrc.widest

    @widest.setter
    def widest(self, width: timedelta) -> None:
        self._metrc.widest = width

    async def facilities(self) -> tuple[Facility, ...]:
        """What the key sees."""
        return await self._once.ask("facilities", self._metrc.facilities)

    async def rights(self, employee_license: str) -> frozenset[str]:
        """What the employee may do."""
        return await self._once.ask(("rights", employee_license), lambda: self._metrc.rights(employee_license))

    async def package(self, label: str, *, license_number: str | None = None) -> MetrcPackage:
        """One package."""
        key = ("package", label, license_number)
        return await self._once.ask(key, lambda: self._metrc.package(label, license_number=license_number))

    async def packages(self, listing: PackageList, window: Window) -> tuple[MetrcPackage, ...]:
        """One of the package lists."""
        return await self._once.ask(("packages", listing, window), lambda: self._metrc.packages(listing, window))

    async def transferred(self, window: Window) -> tuple[TransferredPackage, ...]:
        """Packages shipped from here."""
        return await self._once.ask(("transferred", window), lambda: self._metrc.transferred(window))

    async def adjustments(self, window: Window) -> tuple[Adjustment, ...]:
        """Adjustments."""
        return await self._once.ask(("adjustments", window), lambda: self._metrc.adjustments(window))

    async def receipts(self, *, active: bool, window: Window) -> tuple[MetrcReceipt, ...]:
        """Receipts without lines."""
        key = ("receipts", active, window)
        return await self._once.ask(key, lambda: self._metrc.receipts(active=active, window=window))

    async def receipt(self, receipt_id: int) -> MetrcReceipt:
        """One receipt."""
        return await self._once.ask(("receipt", receipt_id), lambda: self._metrc.receipt(receipt_id))

    async def deliveries(self, *, active: bool, window: Window) -> tuple[MetrcDelivery, ...]:
        """Deliveries without lines."""
        key = ("deliveries", active, window)
        return await self._once.ask(key, lambda: self._metrc.deliveries(active=active, window=window))

    async def delivery(self, delivery_id: int) -> MetrcDelivery:
        """One delivery."""
        return await self._once.ask(("delivery", delivery_id), lambda: self._metrc.delivery(delivery_id))

    async def transfers(self, direction: Direction, window: Window) -> tuple[Transfer, ...]:
        """Manifests without packages."""
        return await self._once.ask(("transfers", direction, window), lambda: self._metrc.transfers(direction, window))

    async def transfer_packages(self, delivery_id: int) -> tuple[TransferPackage, ...]:
        """The packages of one manifest."""
        key = ("transfer packages", delivery_id)
        return await self._once.ask(key, lambda: self._metrc.transfer_packages(delivery_id))

    async def items(self, window: Window) -> tuple[MetrcItem, ...]:
        """Items."""
        return await self._once.ask(("items", window), lambda: self._metrc.items(window))

    async def probe(self, family: str) -> None:
        """One cheap read of a family."""
        await self._once.ask(("probe", family), lambda: self._metrc.probe(family))


class PosOnce:
    """See ``bot.ports.PointOfSale``; its books are read once."""

    def __init__(self, pos: PointOfSale, once: Once) -> None:
        self._pos = pos
        self._once = once

    async def read(self, now: datetime) -> PosBooks:
        """Everything the POS says."""
        return await self._once.ask("books", lambda: self._pos.read(now))
