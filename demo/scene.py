"""The written scene, and the shop that shows every cause.

The scene is one evening at one shop: a sale posted twice, an import over the API, a late posting, a hold, a load on
two manifests, a typed tag. It was written for 3 March 2026, 03:30 UTC, and is moved so that this moment falls on
``now``. Its small inconsistencies are kept: real data has them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from demo.world import (
    FAILED,
    FERN_HOLLOW,
    PENDING,
    REPORTED,
    SHOP,
    TAG,
    VOIDED,
    WRONG_UNIT,
    Adjustment,
    Delivery,
    Item,
    Line,
    Package,
    PosEvent,
    PosLine,
    PosRow,
    Receipt,
    Shift,
    Shipped,
    Transfer,
    TransferredRow,
    World,
)

LANTERN, FIVE_PACK, STICK, GUMMIES, BULK = 90211, 90212, 90213, 90214, 90215
FIRST_LOAD: Final = "0000417733"


def sample_scene(now: datetime) -> World:
    """The written scene with its clock on ``now``: the same ids, labels, names and quantities, all times moved."""
    world = World.bare(now)
    scene = _Scene(world, Shift(now))
    scene.packages()
    scene.transfers()
    scene.sales()
    scene.pos_stock()
    scene.pos_records()
    return world


@dataclass(frozen=True)
class _Scene:
    world: World
    shift: Shift

    def packages(self) -> None:
        self._package(1001, LANTERN, 41, 60, "2026-03-03T01:12:09Z")
        self._package(1002, FIVE_PACK, 18, 40, "2026-03-03T00:41:15Z")
        self._package(1003, GUMMIES, 0, 24, "2026-02-28T22:05:47Z")
        self._old_stick()
        finished = self._package(1005, LANTERN, 0, 48, "2026-02-27T16:30:00Z")
        finished.listing, finished.finished_on = "inactive", self.shift.day("2026-02-27")
        held = self._package(1006, BULK, "453.59", "453.59", "2026-03-01T15:10:33Z")
        held.listing, held.on_hold, held.room_id, held.room = "onhold", True, 4102, "Quarantine"
        riding = self._package(1007, FIVE_PACK, 40, 40, "2026-03-02T21:02:18Z")
        riding.listing, riding.room_id, riding.room, riding.received_at = "intransit", None, None, None
        gone = self._package(1008, GUMMIES, 0, 24, "2026-02-21T18:00:00Z")
        gone.listing, gone.archived_on = "inactive", self.shift.day("2026-02-21")
        gone.note = "Discontinued by licensee"
        self._adjust(1001, -1, "Damage (Record Details)", "Jar cracked at intake", "2026-02-21T18:10:00Z")
        self._adjust(1004, 2, "Entry Error", "Count corrected after cycle count", "2026-01-22T19:48:00Z")
        self.world.adjustments[-1].by = "Lee Marsh"

    def _package(self, number: int, item: int, quantity: int | str, original: int | str, modified: str) -> Package:
        package = Package(
            id=5509000 + number + 100,
            label=f"{TAG}{number}",
            license=SHOP,
            item=self.world.items[item],
            quantity=Decimal(quantity),
            original=Decimal(original),
            modified=self.shift.at(modified),
            packaged_on=self.shift.day("2026-02-10"),
            tested_on=self.shift.day("2026-02-16"),
            received_at=self.shift.at("2026-02-20T17:32:10Z"),
            manifest=FIRST_LOAD,
        )
        self.world.packages.append(package)
        return package

    def _old_stick(self) -> None:
        package = self._package(1004, STICK, 12, 50, "2026-01-22T19:48:02Z")
        package.packaged_on, package.tested_on = self.shift.day("2026-01-05"), self.shift.day("2026-01-09")
        package.received_at, package.manifest = self.shift.at("2026-01-12T18:20:00Z"), "0000411208"

    def _adjust(self, number: int, quantity: int, reason: str, note: str, at: str) -> None:
        adjustment = Adjustment(
            license=SHOP,
            package=self.world.package(f"{TAG}{number}"),
            quantity=Decimal(quantity),
            reason=reason,
            note=note,
            at=self.shift.at(at),
            by="Dana Orrin",
            packaged_on=self.shift.day("2026-02-10"),
        )
        self.world.adjustments.append(adjustment)

    # --- manifests ----------------------------------------------------------------------------------------------------

    def transfers(self) -> None:
        first = self._transfer(417733, 559001, "2026-02-19T18:02:00Z", "2026-02-20T17:32:10Z")
        first.packages = [
            self._shipped(1001, LANTERN, 60, "Accepted"),
            self._shipped(1002, FIVE_PACK, 40, "Accepted"),
            self._shipped(1003, GUMMIES, 24, "Accepted"),
            self._shipped(1010, GUMMIES, 24, "Rejected"),
        ]
        self._plan(first, "2026-02-20T08:00:00", "2026-02-20T12:00:00")
        first.received_at = self.shift.at("2026-02-20T17:32:10Z")
        refused = replace(first, id=417650, delivery_id=558700, packages=[], is_rejected=True)
        refused.package_count, refused.received_count = 3, 2
        outgoing = self._transfer(417900, 559310, "2026-02-24T16:00:00Z", "2026-02-24T16:00:00Z")
        outgoing.shipper, outgoing.package_count = self.world.licenses[SHOP].party, 1
        outgoing.recipient = FERN_HOLLOW
        self._plan(outgoing, "2026-02-20T08:00:00", "2026-02-20T12:00:00")
        self.world.transfers.append(refused)
        self._load_entered_twice()

    def _load_entered_twice(self) -> None:
        first = self._transfer(418902, 560144, "2026-03-01T20:11:00Z", "2026-03-02T15:00:12Z")
        second = self._transfer(418903, 560145, "2026-03-01T20:11:42Z", "2026-03-01T20:11:42Z")
        for transfer in (first, second):
            transfer.invoice = "INV-7781"
            transfer.packages = [
                self._shipped(1007, FIVE_PACK, 40, "Shipped", price=480),
                self._shipped(1009, LANTERN, 60, "Shipped", price=900),
            ]
            self._plan(transfer, "2026-03-02T08:00:00", "2026-03-02T14:00:00")
        first.departed_at = self.shift.at("2026-03-02T15:00:00Z")
        # METRC lists it as shipped away and received, with the shop itself as the recipient
        row = TransferredRow(
            id=77021,
            license=SHOP,
            shipped=self._shipped(1007, FIVE_PACK, 40, "Accepted", price=480),
            recipient=self.world.licenses[SHOP].party,
            manifest=first.manifest,
            departed_at=self.shift.at("2026-03-02T15:00:00Z"),
            received_at=self.shift.at("2026-03-02T21:30:00Z"),
        )
        self.world.transferred.append(row)

    def _transfer(self, number: int, delivery: int, created_at: str, modified: str) -> Transfer:
        transfer = Transfer(
            id=number,
            delivery_id=delivery,
            shipper=FERN_HOLLOW,
            recipient=self.world.licenses[SHOP].party,
            created_at=self.shift.at(created_at),
            modified=self.shift.at(modified),
            departs_at=self.shift.at(created_at),
            arrives_at=self.shift.at(created_at),
        )
        self.world.transfers.append(transfer)
        return transfer

    def _plan(self, transfer: Transfer, departs: str, arrives: str) -> None:
        transfer.departs_at, transfer.arrives_at = self.shift.local(departs), self.shift.local(arrives)

    def _shipped(self, number: int, item: int, quantity: int, state: str, price: int | None = None) -> Shipped:
        return Shipped(
            package_id=5509000 + number + 100,
            label=f"{TAG}{number}",
            item=self.world.items[item],
            quantity=Decimal(quantity),
            packaged_on=self.shift.day("2026-02-10"),
            state=state,
            received=Decimal(quantity) if state == "Accepted" else None,
            price=None if price is None else Decimal(price),
        )

    # --- sales at METRC -----------------------------------------------------------------------------------------------

    def sales(self) -> None:
        lantern, pack, both = (1001,), (1002,), (1001, 1003)
        self._receipt(880101, "POS-20260302-00417", "2026-03-02T17:41:07", "2026-03-03T00:41:11Z", pack)
        self._receipt(880102, "POS-20260302-00417", "2026-03-02T17:41:07", "2026-03-03T00:41:15Z", pack)
        self._receipt(880103, "POS-20260302-00418", "2026-03-02T17:52:30", "2026-03-03T00:52:33Z", both)
        self._receipt(880104, "POS-20260302-00421", "2026-03-02T18:05:12", "2026-03-03T03:20:44Z", lantern)
        self._receipt(880110, "POS-20260301-00388", "2026-03-01T12:15:00", "2026-03-01T19:15:04Z", lantern)
        copy = self._receipt(880111, None, "2026-03-01T12:15:00", "2026-03-02T09:02:31Z", lantern)
        copy.by = "Dana Orrin"
        final = self._receipt(879950, "POS-20260227-00340", "2026-02-27T11:20:09", "2026-02-27T18:20:12Z", pack)
        final.is_final, final.modified = True, self.shift.at("2026-02-28T07:00:00Z")
        void = self._receipt(879961, "POS-20260227-00351", "2026-02-27T13:44:40", "2026-02-27T20:44:43Z", both)
        void.archived_on, void.modified = self.shift.day("2026-02-27"), self.shift.at("2026-02-27T21:03:17Z")
        self._delivery()

    def _receipt(self, number: int, external: str | None, sold: str, recorded: str, sold_of: Sequence[int]) -> Receipt:
        receipt = Receipt(
            id=number,
            license=SHOP,
            external=external,
            sold_at=self.shift.local(sold),
            recorded_at=self.shift.at(recorded),
            modified=self.shift.at(recorded),
            lines=[self._line(each) for each in sold_of],
        )
        self.world.receipts.append(receipt)
        return receipt

    def _line(self, number: int) -> Line:
        package = self.world.package(f"{TAG}{number}")
        return Line(package, Decimal(1), package.item.price)

    def _delivery(self) -> None:
        delivery = Delivery(
            id=6611,
            license=SHOP,
            consumer="C-2231",
            sold_at=self.shift.local("2026-03-02T16:10:00"),
            recorded_at=self.shift.at("2026-03-02T23:10:05Z"),
            modified=self.shift.at("2026-03-02T23:10:05Z"),
            departs_at=self.shift.local("2026-03-02T16:20:00"),
            arrives_at=self.shift.local("2026-03-02T16:50:00"),
            total_packages=1,
            total_price=Decimal("42.00"),
        )
        self.world.deliveries.append(delivery)

    # --- the POS ------------------------------------------------------------------------------------------------------

    def pos_stock(self) -> None:
        first, second = "2026-02-20T10:32:10-07:00", "2026-03-02T14:35:40-07:00"
        third = "2026-03-02T14:47:02-07:00"
        self._stock(1001, LANTERN, 42, first, FIRST_LOAD)
        self._stock(1002, FIVE_PACK, 19, first, FIRST_LOAD)
        self._unmapped(1004, STICK, 11, "2026-01-12T11:20:00-07:00", "0000411208")
        self._stock(1006, BULK, "452.59", first, FIRST_LOAD)
        self._unmapped(1007, FIVE_PACK, 40, second, "0000418902").room = "Vault"
        self._unmapped(1007, FIVE_PACK, 40, third, "0000418903").room = "Vault"
        typed = self._unmapped(1011, GUMMIES, 24, "2026-02-24T05:00:00-07:00", "")
        typed.label = f"{TAG[:15]}O{TAG[16:]}1011"

    def _stock(self, number: int, item: int, quantity: int | str, received: str, manifest: str) -> PosRow:
        row = _pos_row(self.world.items[item], f"{TAG}{number}", Decimal(quantity), self.shift.at(received))
        row.manifest = manifest
        self.world.pos_rows.append(row)
        return row

    def _unmapped(self, number: int, item: int, quantity: int, received: str, manifest: str) -> PosRow:
        row = self._stock(number, item, quantity, received, manifest)
        row.metrc_item = row.metrc_category = ""
        return row

    def pos_records(self) -> None:
        self._reported(self._sold("20260301-00388", 1, "2026-03-01T12:15:00", 1001), "880110", "2026-03-01T12:15:04")
        self._reported(self._sold("20260302-00417", 1, "2026-03-02T17:41:07", 1002), "880101", "2026-03-02T17:41:11")
        self._reported(self._sold("20260302-00418", 1, "2026-03-02T17:52:30", 1001), "880103", "2026-03-02T17:52:33")
        self._reported(self._sold("20260302-00418", 2, "2026-03-02T17:52:30", 1003), "880103", "2026-03-02T17:52:33")
        refused = self._sold("20260302-00422", 1, "2026-03-02T18:09:30", 1006)
        refused.status, refused.message = FAILED, WRONG_UNIT
        self._sold("20260302-00423", 1, "2026-03-02T20:28:10", 1004).status = PENDING
        void = self._sold("20260302-00419", 1, "2026-03-02T17:55:10", 1001)
        self._reported(void, "880099", "2026-03-02T17:57:05")
        void.is_void, void.status = True, VOIDED
        self._reported(self._sold("20260302-00421", 1, "2026-03-02T18:05:12", 1001), "880104", "2026-03-02T20:20:44")
        self._event(31001, "2026-03-02T14:35:40", 1007, "0", "40").reference = "0000418902"
        second = self._event(31003, "2026-03-02T14:47:02", 1007, "0", "40")
        second.actor, second.reference = "L Marsh", "0000418903"
        damaged = self._event(31010, "2026-02-21T11:10:00", 1001, "60", "59")
        damaged.kind, damaged.reason = "adjust", "Damaged"

    def _sold(self, number: str, line: int, at: str, package: int) -> PosLine:
        sold = PosLine(
            sale_id=f"POS-{number}",
            line_id=line,
            sold_at=self.shift.local(at),
            label=f"{TAG}{package}",
            quantity=Decimal(1),
        )
        self.world.pos_sales.append(sold)
        return sold

    def _reported(self, sold: PosLine, receipt: str, at: str) -> None:
        sold.status, sold.receipt_id, sold.reported_at = REPORTED, receipt, self.shift.local(at)

    def _event(self, number: int, at: str, package: int, before: str, after: str) -> PosEvent:
        event = PosEvent(
            event_id=str(number),
            at=self.shift.local(at),
            kind="receive",
            label=f"{TAG}{package}",
            from_quantity=Decimal(before),
            to_quantity=Decimal(after),
        )
        self.world.pos_events.append(event)
        return event


def _pos_row(item: Item, label: str, quantity: Decimal, received_at: datetime) -> PosRow:
    return PosRow(
        label=label,
        product_id=item.product_id,
        product_name=item.product_name,
        category=item.product_category,
        quantity=quantity,
        unit=item.unit,
        unit_weight_g=item.product_weight,
        room="Sales Floor",
        received_at=received_at,
        metrc_item=item.name,
        metrc_category=item.category.name,
    )


# --- a package for every cause ----------------------------------------------------------------------------------------


def _healthy(world: World, label: str) -> None:
    for days in (5, 4, 2):
        world.sell(label, at=world.shop_time(days))


def _retried(world: World, label: str) -> None:
    world.post_twice(world.sell(label, at=world.shop_time(1, hour=12)))


def _retried_and_final(world: World, label: str) -> None:
    sale = world.sell(label, at=world.shop_time(1, hour=13))
    twin = world.post_twice(sale)
    for receipt in (sale.receipts[0], twin):
        world.finalize(receipt, world.shop_time(1, hour=23), final=True)


def _imported(world: World, label: str) -> None:
    world.csv_over_api(world.sell(label, at=world.shop_time(2, hour=15)))


def _young(world: World, label: str) -> None:
    world.sale_pending(label)


def _refused(world: World, label: str) -> None:
    world.sale_failed(label, "Total Amount was not specified.")


def _unheard(world: World, label: str) -> None:
    world.sale_never_posted(label)


def _received_twice(world: World, label: str) -> None:
    world.receive_twice(label)


def _on_the_road(world: World, label: str) -> None:
    world.ship(label)


def _load_twice(world: World, label: str) -> None:
    world.twin_manifest(world.ship(label, item=world.items[STICK]))


def _on_hold(world: World, label: str) -> None:
    world.hold(label)


def _finished(world: World, label: str) -> None:
    world.finish(label)


def _discontinued(world: World, label: str) -> None:
    world.discontinue(label)


def _turned_away(world: World, label: str) -> None:
    world.reject_on_manifest(label)


def _typed(world: World, label: str) -> None:
    world.mistype_tag(label)


def _unbuilt(world: World, label: str) -> None:
    world.never_built(label)


def _pack_or_stick(world: World, label: str) -> None:
    item = replace(
        world.items[FIVE_PACK],
        id=90219,
        name="Fern Hollow - Low Tide - Pre-Roll 5pk x 1g",
        product_id="5019",
        product_name="Low Tide Pre-Roll 5pk",
        product_weight=Decimal("1.0"),
    )
    world.items[item.id] = item
    world.receive_load([label], days=9, item=item)
    world.unit_weight(label, pos=5)


def _grams_for_each(world: World, label: str) -> None:
    world.wrong_unit(label)


def _waiting_for_lab(world: World, label: str) -> None:
    world.await_lab(label)


def _moved_on(world: World, label: str) -> None:
    world.transfer_out(label)


def _split(world: World, label: str) -> None:
    world.split_in_metrc(label, f"{TAG}2022")


def _voided_here(world: World, label: str) -> None:
    world.void_in_pos(world.sell(label, at=world.shop_time(1, hour=16)))


def _rooms(world: World, label: str) -> None:
    world.rooms(label, (8, 11))


def _two_customers(world: World, label: str) -> None:
    at = world.shop_time(1, hour=17)
    for seconds in (0, 20):
        world.sell(label, at=at + timedelta(seconds=seconds))


def _corrected_twice(world: World, label: str) -> None:
    world.adjust_twice(label)


def _delivered(world: World, label: str) -> None:
    world.deliver(label, at=world.shop_time(1, hour=18))


def _unexplained(world: World, label: str) -> None:
    world.drift(label)


@dataclass(frozen=True)
class _Exhibit:
    number: int
    hint: str
    arrange: Callable[[World, str], object]
    arrives: bool = True


_EXHIBITS: Final = (
    _Exhibit(2001, "healthy", _healthy),
    _Exhibit(2002, "a sale posted twice", _retried),
    _Exhibit(2003, "a sale posted twice, both already finalized", _retried_and_final),
    _Exhibit(2004, "a file imported over what the API had posted", _imported),
    _Exhibit(2005, "a sale four minutes old", _young),
    _Exhibit(2006, "a sale METRC refused", _refused),
    _Exhibit(2007, "a sale METRC never heard of", _unheard),
    _Exhibit(2008, "received twice", _received_twice),
    _Exhibit(2009, "on the road", _on_the_road, arrives=False),
    _Exhibit(2010, "one load on two manifests", _load_twice, arrives=False),
    _Exhibit(2011, "on hold", _on_hold),
    _Exhibit(2012, "finished with two left", _finished),
    _Exhibit(2013, "discontinued in METRC", _discontinued),
    _Exhibit(2014, "refused at the door", _turned_away),
    _Exhibit(2015, "a typed tag", _typed),
    _Exhibit(2016, "never built in the POS", _unbuilt),
    _Exhibit(2017, "5-pack against stick", _pack_or_stick, arrives=False),
    _Exhibit(2018, "grams sold where METRC counts each", _grams_for_each),
    _Exhibit(2019, "waiting for the lab", _waiting_for_lab),
    _Exhibit(2020, "gone to the sister license", _moved_on),
    _Exhibit(2021, "split in METRC alone", _split),
    _Exhibit(2023, "voided in the POS, alive in METRC", _voided_here),
    _Exhibit(2024, "three rooms, nothing wrong", _rooms),
    _Exhibit(2025, "two customers, nothing wrong", _two_customers),
    _Exhibit(2026, "one correction entered twice", _corrected_twice),
    _Exhibit(2027, "sold by delivery, nothing wrong", _delivered),
    _Exhibit(2028, "one more in the POS and no record why", _unexplained),
)


def _asked(exhibit: _Exhibit) -> str:
    """The label somebody would ask about: for the typed tag what was typed."""
    head = f"{TAG[:15]}O{TAG[16:]}" if exhibit.arrange is _typed else TAG
    return f"{head}{exhibit.number}"


SHOWCASE: Final = [(_asked(exhibit), exhibit.hint) for exhibit in _EXHIBITS]


def seeded_shop(now: datetime, seed: int = 1) -> World:
    """The scene's shop after three weeks of trade, with one package for each entry of ``SHOWCASE``.

    The same for the same ``now`` and ``seed``.
    """
    world = sample_scene(now)
    world.stock(seed=seed)
    world.receive_load([f"{TAG}{each.number}" for each in _EXHIBITS if each.arrives], days=9)
    for exhibit in _EXHIBITS:
        exhibit.arrange(world, f"{TAG}{exhibit.number}")
    return world
