"""Random shops with faults that are known: what was done to which package, and what an honest answer has to say.

``shop(seed)`` is the same shop every time. A truth is written down where the fault is made, from what was done and from
the rules of the interface; nothing here looks at how the bot finds anything.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from demo.world import SHOP, TAG, Package, Receipt, Sale, World

BULK: Final = 90215
LANTERN, STICK, GUMMIES = 90211, 90213, 90214
ZONES: Final = ("America/Denver", "America/Los_Angeles", "America/Detroit", "America/Phoenix", "America/Anchorage")
NIGHTLY_AT: Final = "04:00 America/New_York"
NIGHT_ZONE: Final = ZoneInfo("America/New_York")
FIRST_CLOCK: Final = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
WORDLESS: Final = "Total Amount was not specified."
HELD: Final = "Package is on administrative hold."
UNKNOWN_THERE: Final = "Package could not be found."
OTHER_CATEGORY: Final = "Item category is not valid for the Package."

# the place of each cause's check in the order of the checks
RANK: Final = {
    "authentication": 0,
    "wrong_license": 0,
    "outage": 0,
    "mapping": 1,
    "timing": 2,
    "failed_post": 2,
    "duplication": 3,
    "in_transit": 4,
    "on_hold": 4,
    "finished": 4,
    "lab_state": 4,
    "split": 4,
    "definition": 5,
    "count_error": 6,
}


@dataclass(frozen=True)
class Event:
    """A share of the difference POS − METRC that has to be told.

    ``cause`` begins its code; ``quantity`` is in the package's METRC unit with its sign. ``records``: the share names one of
    these; empty: METRC gives the record no id.
    """

    cause: str
    quantity: Decimal
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removal:
    """A record that may be offered for removal while any of ``keep`` stays. Any other offer is wrong."""

    kind: str
    remove: str
    keep: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """One fault on one package.

    ``cause`` leads when there is no other fault. ``root``: it brings about findings of another cause. ``young``:
    something of the package is still on its way. ``residue``: units that no record explains. ``miscount``: only the count
    is wrong.
    """

    hint: str
    cause: str
    events: tuple[Event, ...] = ()
    removals: tuple[Removal, ...] = ()
    root: bool = False
    young: bool = False
    residue: Decimal = Decimal(0)
    miscount: bool = False

    @property
    def weight(self) -> Decimal:
        """How many units it moves, whatever the sign."""
        return sum((abs(event.quantity) for event in self.events), Decimal(0))


@dataclass(frozen=True)
class Truth:
    """What is known about one package. ``label`` is what somebody would ask about, ``shelf`` what they counted."""

    label: str
    faults: tuple[Fault, ...] = ()
    shelf: Decimal | None = None

    @property
    def hint(self) -> str:
        """What was done to it, for people."""
        return ", ".join(fault.hint for fault in self.faults) or "nothing wrong"

    @property
    def causes(self) -> frozenset[str]:
        """The causes that may lead: one, but where the rule leaves it open."""
        return _leading(self.faults)

    @property
    def events(self) -> tuple[Event, ...]:
        """All shares of the difference."""
        return tuple(event for fault in self.faults for event in fault.events)

    @property
    def removals(self) -> tuple[Removal, ...]:
        """All that may be offered for removal."""
        return tuple(removal for fault in self.faults for removal in fault.removals)

    @property
    def residue(self) -> Decimal:
        """What stays unexplained."""
        return sum((fault.residue for fault in self.faults), Decimal(0))

    @property
    def must_wait(self) -> bool:
        """Whether nothing may be removed yet."""
        return any(fault.young for fault in self.faults)

    @property
    def is_miscount(self) -> bool:
        """Whether a person may correct the count: nothing but a miscount is there."""
        return bool(self.faults) and all(fault.miscount for fault in self.faults)


@dataclass(frozen=True)
class Shop:
    """A shop and all that is known to be wrong with it. ``posting`` and ``nightly_at`` are its POS's settings."""

    seed: int
    world: World
    posting: str
    nightly_at: str | None
    zone: str
    truths: tuple[Truth, ...]


def shop(
    seed: int,
    *,
    now: datetime | None = None,
    zone: str | None = None,
    posting: str | None = None,
    faulty: int | None = None,
) -> Shop:
    """A random shop with ``faulty`` (else one to three) packages that have one to three faults each.

    What is not given is drawn by the seed: the clock, the shop's zone, how the POS posts. Beside the faulty ones the
    truths hold a package with harmless oddities and a plain one.
    """
    chance = random.Random(seed)  # noqa: S311 a repeatable shop, not a secret
    drawn_now = FIRST_CLOCK + timedelta(seconds=chance.randrange(40 * 86400))
    drawn_zone, drawn_posting = chance.choice(ZONES), chance.choice(("realtime", "batch", "batch", "nightly"))
    world = World.bare(now or drawn_now)
    world.licenses[SHOP].zone = ZoneInfo(zone or drawn_zone)
    return _Builder(world, chance, posting or drawn_posting).built(seed, zone or drawn_zone, faulty)


def _leading(faults: Sequence[Fault]) -> frozenset[str]:
    """The gateless part of the rule: a root, else the most units, else the earlier check; a residue leads alone only."""
    told = [fault for fault in faults if not fault.miscount]
    if not told:
        return frozenset({"count_error" if faults else "none"})
    together: dict[str, Decimal] = defaultdict(Decimal)
    largest: dict[str, Decimal] = defaultdict(Decimal)
    for fault in told:
        together[fault.cause] += fault.weight
        largest[fault.cause] = max(largest[fault.cause], fault.weight)
    roots = {fault.cause for fault in told if fault.root}
    return frozenset(_heaviest(together) | _heaviest(largest) | roots)


def _heaviest(weights: dict[str, Decimal]) -> set[str]:
    most = max(weights.values())
    heavy = [cause for cause, weight in weights.items() if weight == most]
    first = min(RANK[cause] for cause in heavy)
    return {cause for cause in heavy if RANK[cause] == first}


@dataclass
class _Builder:
    world: World
    chance: random.Random
    posting: str
    age: dict[str, int] = field(default_factory=dict)

    def built(self, seed: int, zone: str, faulty: int | None) -> Shop:
        labels = self._stocked()
        truths: list[Truth] = []
        for _ in range(faulty or self.chance.randint(1, 3)):
            truths += self._broken(labels)
        truths += [self._odd(labels.pop()), self._plain(labels.pop())]
        for label in labels[: self.chance.randint(0, 8)]:
            self._traded(label)
        if self.chance.random() < 0.06:
            truths = self._behind_a_gate(truths)
        nightly = NIGHTLY_AT if self.posting == "nightly" else None
        return Shop(seed, self.world, self.posting, nightly, zone, tuple(truths))

    def _behind_a_gate(self, truths: Sequence[Truth]) -> list[Truth]:
        """METRC cannot be read: whatever else is wrong would be a guess."""
        cause, hint, close = self.chance.choice(
            (
                ("authentication", "a dead key", self.world.kill_key),
                ("wrong_license", "the license is not on the key", self.world.unlist_license),
                ("outage", "METRC is down", lambda: self.world.outage("503")),
            )
        )
        close()
        return [Truth(truth.label, (Fault(hint, cause),)) for truth in truths]

    def _odd(self, label: str) -> Truth:
        self._traded(label)
        self._oddities(label, at_least=2)
        return Truth(label)

    def _plain(self, label: str) -> Truth:
        """Nothing is wrong, or both sides agree on what the shelf does not hold."""
        self._traded(label)
        if self.chance.random() < 0.6:
            return Truth(label)
        counted = self.world.pos_quantity(label) - self.chance.choice((-1, 1, 2))
        return Truth(label, (Fault("miscounted on the shelf", "count_error", miscount=True),), counted)

    # --- a shop in good order -----------------------------------------------------------------------------------------

    def _stocked(self) -> list[str]:
        self._long_open()
        loads = self.chance.randint(2, 4)
        labels = [f"{TAG}{number}" for number in range(3001, 3001 + 7 * loads)]
        for load in range(loads):
            days = self.chance.randint(8, 21)
            mine = labels[load * 7 : load * 7 + 7]
            self.world.receive_load(mine[:6], days=days)
            self.world.receive_load(mine[6:], days=days, item=self.world.items[BULK])
            self.age |= dict.fromkeys(mine, days)
        self.chance.shuffle(labels)
        return labels

    def _long_open(self) -> None:
        """The POS's books reach back behind every load that is asked about."""
        oldest = f"{TAG}1700"
        self.world.receive_load([oldest], days=32)
        self.age[oldest] = 32
        self._sold(oldest, self.world.shop_time(30))

    def _traded(self, label: str) -> None:
        for _ in range(self.chance.randint(0, 4)):
            self._sold(label)

    def _sold(self, label: str, at: datetime | None = None, quantity: Decimal | None = None) -> Sale:
        at = at or self._moment(label)
        return self.world.sell(label, quantity or self._amount(label), at, lag=self._lag(at))

    def _amount(self, label: str) -> Decimal:
        if self.world.package(label).item.id == BULK:
            return Decimal(self.chance.choice(("3.5", "7", "14.25", "1")))
        return Decimal(self.chance.randint(1, 3))

    def _moment(self, label: str) -> datetime:
        days = self.chance.randint(2, min(7, self.age[label] - 1))
        return self.world.shop_time(days, hour=10) + timedelta(seconds=self.chance.randrange(10 * 3600))

    def _lag(self, at: datetime) -> timedelta:
        if self.posting == "nightly":
            return _next_night(at) + timedelta(seconds=self.chance.randint(10, 1200)) - at
        widest = 5 if self.posting == "realtime" else 300
        return timedelta(seconds=self.chance.randint(1, widest))

    def _oddities(self, label: str, *, at_least: int = 0) -> None:
        """Things that look like faults and are none."""
        ways = [self._two_customers, self._delivered, self._voided_on_both, self._corrected_on_both, self._settled_twin]
        for way in self.chance.sample(ways, self.chance.randint(at_least, 3)):
            way(label)
        if at_least and self.chance.random() < 0.5:
            self._in_rooms(label)

    def _two_customers(self, label: str) -> None:
        at, quantity = self._moment(label), self._amount(label)
        for _ in range(2):
            self._sold(label, at, quantity)

    def _delivered(self, label: str) -> None:
        self.world.deliver(label, self._amount(label), self._moment(label))

    def _voided_on_both(self, label: str) -> None:
        sale = self._sold(label)
        self.world.void_in_pos(sale)
        self.world.void_receipt(sale.receipts[0], sale.receipts[0].recorded_at + timedelta(minutes=4))

    def _corrected_on_both(self, label: str) -> None:
        self.world.adjust(label, -2)

    def _settled_twin(self, label: str) -> None:
        twin = self.world.post_twice(self._sold(label))
        self.world.void_receipt(twin, twin.recorded_at + timedelta(hours=2))

    def _in_rooms(self, label: str) -> None:
        self.world.rooms(label, [self.chance.randint(2, 5), self.chance.randint(2, 5)])

    # --- breaking it --------------------------------------------------------------------------------------------------

    def _broken(self, labels: list[str]) -> list[Truth]:
        if self.chance.random() < 0.3:
            return self.chance.choice(self._whole_ways(labels))(labels.pop())
        label = labels.pop()
        self._traded(label)
        self._oddities(label)
        chosen = self._compatible(label, self.chance.choices((1, 2, 3), (4, 4, 3))[0])
        every = self._ways()
        faults = tuple(every[name](label) for name in chosen)
        # of these the POS is told about all that left the shelf, so somebody who counts agrees with it
        counted = set(chosen) <= TWINS | UNSENT and self.chance.random() < 0.4
        return [Truth(label, faults, self.world.pos_quantity(label) if counted else None), *self._children(label)]

    def _children(self, label: str) -> list[Truth]:
        made = [each for each in self.world.packages if each.sources == label]
        return [Truth(each.label, (Fault("made in METRC alone", "split", (_made(each, label),)),)) for each in made]

    def _compatible(self, label: str, count: int) -> list[str]:
        """Faults that can be on one package at once, in an order in which they can happen."""
        every = list(self._ways())
        if not self.world.package(label).item.unit_weight:
            every.remove("weight")
        chosen: list[str] = []
        for name in self.chance.sample(every, len(every)):
            if len(chosen) < count and all(_fit(name, other) for other in chosen):
                chosen.append(name)
        return [name for name in every if name in chosen]

    def _ways(self) -> dict[str, Callable[[str], Fault]]:
        # in the order in which they are made: sales first, what closes a package last
        return {
            "posted twice": self._posted_twice,
            "second kept": self._second_kept,
            "finalized": self._finalized_twins,
            "three copies": self._three_copies,
            "imported": self._imported,
            "refused": self._refused,
            "never posted": self._never_posted,
            "voided": self._voided_here,
            "wrong unit": self._wrong_unit,
            "category": self._category,
            "right": self._right,
            "pending": self._pending,
            "adjusted twice": self._adjusted_twice,
            "received twice": self._received_twice,
            "split": self._split,
            "weight": self._weight,
            "lab": self._lab,
            "held": self._held,
            "held at the till": self._held_at_the_till,
            "drift": self._drift,
            "finished": self._finished,
            "moved": self._moved,
        }

    def _whole_ways(self, labels: list[str]) -> list[Callable[[str], list[Truth]]]:
        return [
            partial(self._basket_twice, labels),
            partial(self._afternoon_imported, labels),
            self._lookalikes_imported,
            self._never_built,
            self._mistyped,
            self._rejected,
            self._discontinued,
            self._just_accepted,
            self._riding,
            self._riding_and_sold,
            self._riding_unreceived,
            self._riding_twice,
        ]

    # --- duplicates ---------------------------------------------------------------------------------------------------

    def _posted_twice(self, label: str) -> Fault:
        sale = self._sold(label)
        twin = self.world.post_twice(sale, after=timedelta(seconds=self.chance.randint(2, 50)))
        return _twins("a sale posted twice", sale.receipts[0], [twin])

    def _second_kept(self, label: str) -> Fault:
        sale = self._sold(label)
        twin = self.world.post_twice(sale)
        sale.lines[0].receipt_id = str(twin.id)
        return _twins("a sale posted twice, the second answer stored", twin, [sale.receipts[0]])

    def _finalized_twins(self, label: str) -> Fault:
        sale = self._sold(label)
        twin = self.world.post_twice(sale)
        for receipt in (sale.receipts[0], twin):
            self.world.finalize(receipt, receipt.recorded_at + timedelta(hours=6), final=True)
        return _twins("a sale posted twice, both finalized", sale.receipts[0], [twin])

    def _three_copies(self, label: str) -> Fault:
        sale = self._sold(label)
        more = [self.world.post_twice(sale, after=timedelta(seconds=seconds)) for seconds in (4, 9)]
        return _twins("a sale posted three times", sale.receipts[0], more)

    def _imported(self, label: str) -> Fault:
        sale = self._sold(label)
        copy = self.world.csv_over_api(sale, after=timedelta(hours=self.chance.randint(1, 14)))
        return _twins("a file imported over the API", sale.receipts[0], [copy])

    def _received_twice(self, label: str) -> Fault:
        row = self.world.receive_twice(label, after=timedelta(minutes=self.chance.randint(2, 40)))
        first, second = self.world.receives(label)
        event = Event("duplication", row.quantity, (second.event_id,))
        return Fault(
            "received twice", "duplication", (event,), (Removal("receive", second.event_id, (first.event_id,)),)
        )

    def _adjusted_twice(self, label: str) -> Fault:
        quantity = self.chance.randint(1, 3)
        self.world.adjust_twice(label, -quantity)
        return Fault("one correction entered twice", "duplication", (Event("duplication", Decimal(quantity)),))

    # --- sales that METRC does not have, or still has -----------------------------------------------------------------

    def _unsent(self, sale: Sale, hint: str, cause: str, *, root: bool = False) -> Fault:
        (line,) = sale.lines
        return Fault(hint, cause, (Event("failed_post", -line.quantity, (sale.id,)),), root=root)

    def _old(self) -> timedelta:
        return timedelta(hours=self.chance.randint(40, 80))

    def _refused(self, label: str) -> Fault:
        sale = self.world.sale_failed(label, WORDLESS, self._amount(label), age=self._old())
        return self._unsent(sale, "a sale METRC refused", "failed_post")

    def _never_posted(self, label: str) -> Fault:
        sale = self.world.sale_never_posted(label, self._amount(label), age=self._old())
        return self._unsent(sale, "a sale METRC never heard of", "failed_post")

    def _wrong_unit(self, label: str) -> Fault:
        sale = self.world.wrong_unit(label, self.chance.randint(1, 3))
        return self._unsent(sale, "a sale in a unit METRC does not take", "mapping", root=True)

    def _category(self, label: str) -> Fault:
        self.world.pos_row(label).metrc_category = "Shake/Trim"
        sale = self.world.sale_failed(label, OTHER_CATEGORY, self._amount(label), age=self._old())
        return self._unsent(sale, "a category METRC has changed", "mapping", root=True)

    def _right(self, label: str) -> Fault:
        sale = self.world.sale_failed(label, "Unauthorized", self._amount(label), age=self._old())
        return self._unsent(sale, "a sale refused for a right", "authentication", root=True)

    def _voided_here(self, label: str) -> Fault:
        sale = self._sold(label)
        self.world.void_in_pos(sale)
        (line,) = sale.lines
        event = Event("failed_post", line.quantity, (sale.id, str(sale.receipts[0].id)))
        return Fault("voided in the POS, alive in METRC", "failed_post", (event,))

    def _pending(self, label: str) -> Fault:
        sale = self.world.sale_pending(label, self._amount(label), age=self._young())
        (line,) = sale.lines
        event = Event("timing", -line.quantity, (sale.id,))
        return Fault("a sale on its way", "timing", (event,), young=True)

    def _young(self) -> timedelta:
        if self.posting == "nightly":
            since = self.world.now - (_next_night(self.world.now) - timedelta(days=1))
            return max(timedelta(minutes=2), since * self.chance.random())
        return timedelta(seconds=self.chance.randint(20, 150 if self.posting == "realtime" else 600))

    # --- custody, definition, count -----------------------------------------------------------------------------------

    def _held(self, label: str) -> Fault:
        self.world.hold(label)
        return Fault("on hold", "on_hold")

    def _held_at_the_till(self, label: str) -> Fault:
        self.world.hold(label, days=6)
        sale = self.world.sale_failed(label, HELD, self._amount(label), age=self._old())
        return self._unsent(sale, "on hold, and sold all the same", "on_hold", root=True)

    def _lab(self, label: str) -> Fault:
        self.world.await_lab(label)
        return Fault("waiting for the lab", "lab_state")

    def _split(self, label: str) -> Fault:
        child, quantity = f"{TAG}5{label[-3:]}", self.chance.randint(4, 9)
        self.world.split_in_metrc(label, child, quantity)
        return Fault("split in METRC alone", "split", (Event("split", Decimal(quantity), (child,)),))

    def _weight(self, label: str) -> Fault:
        weight = self.world.package(label).item.unit_weight
        self.world.unit_weight(label, (weight or Decimal(1)) * 5)
        return Fault("another unit weight", "definition")

    def _drift(self, label: str) -> Fault:
        quantity = Decimal(self.chance.choice((-2, -1, 1, 2, 3)))
        self.world.drift(label, quantity)
        return Fault("no record says why", "count_error", residue=quantity, miscount=True)

    def _finished(self, label: str) -> Fault:
        left = self.chance.randint(1, 3)
        self.world.finish(label, pos_leftover=left)
        package = self.world.package(label)
        event = Event("finished", Decimal(left), (label, str(package.id), str(package.finished_on)))
        return Fault("finished with some left", "finished", (event,))

    def _moved(self, label: str) -> Fault:
        quantity = self.world.package(label).quantity
        transfer = self.world.transfer_out(label)
        event = Event("in_transit", quantity, (transfer.manifest, str(transfer.id)))
        return Fault("gone to the sister shop", "in_transit", (event,))

    # --- more than one package ----------------------------------------------------------------------------------------

    def _basket_twice(self, labels: list[str], label: str) -> list[Truth]:
        goods = [label, labels.pop()]
        at = max(self._moment(each) for each in goods)
        sale = self.world.sell_together([(each, self._amount(each)) for each in goods], at, lag=self._lag(at))
        twin = self.world.post_twice(sale)
        return [
            Truth(each, (_twins("a sale of two packages posted twice", sale.receipts[0], [twin], place),))
            for place, each in enumerate(goods)
        ]

    def _afternoon_imported(self, labels: list[str], label: str) -> list[Truth]:
        """Of every package two sales; one package had two customers in the same second as well."""
        self._two_customers(label)
        goods = [label, labels.pop()]
        return [Truth(each, (self._imported(each), self._imported(each))) for each in goods]

    def _lookalikes_imported(self, label: str) -> list[Truth]:
        """Two customers of one second are both in the file: two sales, two copies, and no telling whose copy is whose."""
        at, quantity = self._moment(label), self._amount(label)
        sales = [self._sold(label, at, quantity) for _ in range(2)]
        copies = [self.world.csv_over_api(sale) for sale in sales]
        kept = tuple(str(sale.receipts[0].id) for sale in sales)
        events = tuple(Event("duplication", quantity, (str(copy.id),)) for copy in copies)
        removals = tuple(Removal("sales_receipt", str(copy.id), kept) for copy in copies)
        return [Truth(label, (Fault("two customers of one second, both imported", "duplication", events, removals),))]

    # --- a whole package ----------------------------------------------------------------------------------------------

    def _never_built(self, label: str) -> list[Truth]:
        package = self.world.package(label)
        self.world.never_built(label)
        event = Event("mapping", -package.quantity, (label, str(package.id)))
        return [Truth(label, (Fault("never built in the POS", "mapping", (event,)),))]

    def _mistyped(self, label: str) -> list[Truth]:
        typed, quantity = self.world.mistype_tag(label), self.world.package(label).quantity
        names = (typed, label, str(self.world.package(label).id))
        return [
            Truth(typed, (Fault("a typed tag", "mapping", (Event("mapping", quantity, names),)),)),
            Truth(label, (Fault("typed wrong in the POS", "mapping", (Event("mapping", -quantity, names),)),)),
        ]

    def _rejected(self, label: str) -> list[Truth]:
        quantity, manifest = self.world.pos_quantity(label), self.world.pos_row(label).manifest
        self.world.reject_on_manifest(label)
        event = Event("in_transit", quantity, (manifest, str(int(manifest))))
        return [Truth(label, (Fault("refused at the door", "in_transit", (event,)),))]

    def _discontinued(self, label: str) -> list[Truth]:
        quantity = self.world.pos_quantity(label)
        self.world.discontinue(label)
        package = self.world.package(label)
        event = Event("finished", quantity, (label, str(package.id), str(package.archived_on)))
        return [Truth(label, (Fault("discontinued in METRC", "finished", (event,)),))]

    def _just_accepted(self, label: str) -> list[Truth]:
        new = _new(label)
        transfer = self.world.just_accepted([new], age=timedelta(seconds=self.chance.randint(30, 400)))
        names = (transfer.manifest, str(transfer.id), new, str(self.world.package(new).id))
        event = Event("timing", Decimal(-40), names)
        return [Truth(new, (Fault("accepted a moment ago", "timing", (event,), young=True),))]

    def _riding(self, label: str) -> list[Truth]:
        return [Truth(_new(label), (self._on_the_road(_new(label)),))]

    def _on_the_road(self, label: str) -> Fault:
        item = self.world.items[self.chance.choice((LANTERN, STICK, GUMMIES))]
        transfer = self.world.ship(label, item=item)
        event = Event("in_transit", Decimal(40), (transfer.manifest, str(transfer.id)))
        return Fault("on the road", "in_transit", (event,))

    def _riding_and_sold(self, label: str) -> list[Truth]:
        new = _new(label)
        riding = self._on_the_road(new)
        sale = self.world.sale_failed(new, UNKNOWN_THERE, self.chance.randint(1, 3), age=timedelta(hours=2))
        sold = self._unsent(sale, "sold before it was accepted", "in_transit", root=True)
        return [Truth(new, (riding, sold))]

    def _riding_unreceived(self, label: str) -> list[Truth]:
        new = _new(label)
        self.world.ship(new, pos_received=False)
        return [Truth(new, (Fault("on the road, not taken in yet", "in_transit"),))]

    def _riding_twice(self, label: str) -> list[Truth]:
        new = _new(label)
        riding = self._on_the_road(new)
        first = self.world.transfers[-1]
        second = self.world.twin_manifest(first)
        twice = Fault(
            "on two manifests", "in_transit", removals=(Removal("transfer", str(second.id), (str(first.id),)),)
        )
        return [Truth(new, (riding, twice))]


TWINS: Final = frozenset({"posted twice", "second kept", "finalized", "three copies", "imported"})
# a package that is closed or gone: only what happened long before can be wrong with it as well
CLOSED: Final = frozenset({"finished", "moved"})
# where a hold could be why the sale failed, nothing told which of two it was
HOLDS: Final = frozenset({"held", "held at the till"})
UNSENT: Final = frozenset({"refused", "never posted", "wrong unit", "category", "right", "pending", "voided"})


def _fit(one: str, other: str) -> bool:
    for mine, theirs in ((one, other), (other, one)):
        if mine in CLOSED and theirs not in TWINS:
            return False
        if mine in HOLDS and theirs in UNSENT | HOLDS | CLOSED:
            return False
    return True


def _twins(hint: str, kept: Receipt, others: Sequence[Receipt], line: int = 0) -> Fault:
    """Every other receipt takes the units of its ``line`` off METRC once more."""
    events = tuple(Event("duplication", each.lines[line].quantity, (str(each.id),)) for each in others)
    removals = tuple(Removal("sales_receipt", str(each.id), (str(kept.id),)) for each in others)
    return Fault(hint, "duplication", events, removals)


def _made(child: Package, parent: str) -> Event:
    return Event("split", -child.quantity, (parent, child.label, str(child.id)))


def _new(label: str) -> str:
    """A label that nobody has yet."""
    return f"{TAG}6{label[-3:]}"


def _next_night(after: datetime) -> datetime:
    """The next nightly run behind a moment."""
    day = after.astimezone(NIGHT_ZONE).date()
    runs = (datetime.combine(day + timedelta(days=more), time(4), NIGHT_ZONE) for more in (0, 1))
    return next(run for run in (each.astimezone(UTC) for each in runs) if run > after)
