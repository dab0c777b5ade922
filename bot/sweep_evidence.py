"""The evidence for each of many labels: the same frozen value that a single question ends in. Pure.

What a sweep does not read for a label says so in its reading and is never taken for "there is none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from bot.errors import Problem, ProblemKind
from bot.gather import Known, product_keys
from bot.mirror import merged
from bot.model import (
    Access,
    Adjustment,
    Coverage,
    Evidence,
    Lot,
    MetrcDelivery,
    MetrcPackage,
    MetrcReceipt,
    PosPackage,
    PostingDelays,
    Reading,
    Shop,
    Sighting,
    Subject,
    SubjectKind,
    Transfer,
    TransferredPackage,
    Window,
)
from bot.sweep_books import Product, ShopBooks

T = TypeVar("T")

MOST_NEAR = 5
LISTS = "GET /packages/v2/active, onhold, inactive and intransit"


@dataclass(frozen=True)
class Ground:
    """What all labels of one sweep share. ``package_problem``: one of METRC's package lists could not be read."""

    shop: Shop
    now: datetime
    access: Access
    books: ShopBooks
    package_problem: Problem | None = None
    delays: PostingDelays | None = None


@dataclass(frozen=True)
class Closer:
    """What a closer look read for a few labels; by label unless said otherwise. Problems: by family of records.

    ``unread``: receipts that may concern any of them and whose lines are not known; ``unread_beside``: by product, those
    of its other lots' sales, which concern only a label of which METRC took off more than is told.
    ``held``: how far the lists of receipts are held.
    ``by_number``: receipts by the number of the POS sale that they bear.
    """

    receipts: Mapping[str, tuple[MetrcReceipt, ...]] = field(default_factory=dict)
    unread: tuple[MetrcReceipt, ...] = ()
    unread_beside: Mapping[Product, tuple[MetrcReceipt, ...]] = field(default_factory=dict)
    held: tuple[Coverage | None, ...] = ()
    by_number: Mapping[str, tuple[MetrcReceipt, ...]] = field(default_factory=dict)
    deliveries: tuple[MetrcDelivery, ...] = ()
    transfers: Mapping[str, tuple[Transfer, ...]] = field(default_factory=dict)
    transferred: Mapping[str, tuple[TransferredPackage, ...]] = field(default_factory=dict)
    adjustments: Mapping[str, tuple[Adjustment, ...]] = field(default_factory=dict)
    children: Mapping[str, tuple[MetrcPackage, ...]] = field(default_factory=dict)
    lots: Mapping[str, MetrcPackage] = field(default_factory=dict)
    near: Mapping[str, tuple[Sighting, ...]] = field(default_factory=dict)
    near_pos: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


def plain_evidence(label: str, package: MetrcPackage | None, ground: Ground) -> Evidence:
    """What stock lists and the POS's books say about a label; nothing else was asked."""
    books = ground.books
    return Evidence(
        shop=ground.shop,
        subject=Subject(SubjectKind.PACKAGE, label),
        asked_at=ground.now,
        access=ground.access,
        package=package_reading(package, ground),
        receipts=_unasked("receipts"),
        deliveries=_unasked("deliveries"),
        transfers=_unasked("transfers"),
        transferred=_unasked("transferred packages"),
        adjustments=_unasked("adjustments"),
        pos_rows=books.stock(label),
        pos_sales=books.trade(label),
        pos_events=books.log(label),
        pos_sales_since=books.books.sales_since,
        pos_sales_until=books.sales_until,
        pos_events_since=books.books.events_since,
        pos_refused=books.refused(label),
        delays=ground.delays,
    )


def package_reading(package: MetrcPackage | None, ground: Ground) -> Reading[MetrcPackage]:
    """The package as its list has it. A list that could not be read may hold what the others do not."""
    if package is not None:
        return Reading("metrc", f"GET /packages/v2/{package.listing or 'lists'}", ground.now, package)
    if ground.package_problem is not None:
        return Reading("metrc", LISTS, problem=ground.package_problem)
    return Reading("metrc", LISTS, ground.now)


def known(label: str, package: MetrcPackage | None, ground: Ground) -> Known:
    """What is known of a label before a closer look."""
    manifest = package.received_from_manifest if package is not None else None
    return Known(label, ground.now, package_reading(package, ground), ground.books.about(label, manifest=manifest))


def full_evidence(label: str, package: MetrcPackage | None, ground: Ground, closer: Closer) -> Evidence:
    """The same as a single question gathers, but for what only a call a package could tell."""
    receipts = closer.receipts.get(label, ())
    manifest = package.received_from_manifest if package is not None else None
    numbers = [receipt.external_number for receipt in receipts if receipt.external_number]
    near = closer.near_pos.get(label, ())
    books = ground.books.about(label, manifest=manifest, near=near, numbers=numbers)
    it = Known(label, ground.now, package_reading(package, ground), books)
    window = Window(it.since, ground.now)
    plain = plain_evidence(label, package, ground)
    children = closer.children.get(label, ())
    source = it.only_source if _kin(package, (), ground) else None
    kindred = closer.children.get(source, ()) if source is not None else ()
    return Evidence(
        shop=plain.shop,
        subject=plain.subject,
        asked_at=plain.asked_at,
        access=plain.access,
        package=plain.package,
        receipts=_read("GET /sales/v2/receipts/active and inactive", receipts, "receipts", ground, closer),
        receipts_window=window,
        receipts_holes=_holes(window, closer) if "receipts" in closer.problems else (),
        unread_receipts=(*(unread := _unread(it, ground, closer)), *_unread_beside(it, receipts, unread, closer)),
        receipts_elsewhere=_elsewhere(it, receipts, closer),
        deliveries=_read("GET /sales/v2/deliveries", _delivered(label, closer), "deliveries", ground, closer),
        transfers=_read("GET /transfers/v2", closer.transfers.get(label, ()), "transfers", ground, closer),
        transferred=_read(
            "GET /packages/v2/transferred", closer.transferred.get(label, ()), "transferred", ground, closer
        ),
        adjustments=_read(
            "GET /packages/v2/adjustments", closer.adjustments.get(label, ()), "adjustments", ground, closer
        ),
        children=_read("GET /packages/v2/active, made of this one", children, "packages", ground, closer)
        if it.may_be_split
        else None,
        near=_near(it, ground, closer),
        pos_rows=plain.pos_rows,
        pos_sales=plain.pos_sales,
        pos_events=plain.pos_events,
        pos_near=it.near_rows[:MOST_NEAR],
        pos_unheard=_unheard(it, closer),
        pos_kin=_kin(package, (*children, *kindred), ground),
        kindred=_read(f"GET /packages/v2/active, made of {source}", kindred, "packages", ground, closer)
        if source is not None
        else None,
        pos_source_events=ground.books.events(source) if source is not None else (),
        lots=_lots(it, ground, closer),
        pos_twins=it.twins(ground.books.of_item(package.item.name, it.rows)) if package is not None else (),
        pos_other_lines=it.lines_beside(receipts),
        pos_siblings=it.siblings,
        pos_sales_since=plain.pos_sales_since,
        pos_sales_until=plain.pos_sales_until,
        pos_events_since=plain.pos_events_since,
        pos_refused=plain.pos_refused,
        delays=plain.delays,
    )


def sources_of(packages: Mapping[str, MetrcPackage]) -> set[str]:
    """What packages that METRC made of one other were made of."""
    return {package.source_labels[0] for package in packages.values() if len(package.source_labels) == 1}


def lots_beside(labels: Iterable[str], packages: Mapping[str, MetrcPackage], ground: Ground) -> set[str]:
    """Labels of other lots of the same products, for those that differ at first sight."""
    differing = (label for label in labels if known(label, packages.get(label), ground).off_by)
    return {row.label for label in differing for row in ground.books.lots_beside(label)}


def _lots(it: Known, ground: Ground, closer: Closer) -> tuple[Lot, ...]:
    """Other lots of the product whose two sides differ the other way."""
    rows = ground.books.lots_beside(it.label) if it.off_by else ()
    return it.contrary([(row, closer.lots[row.label]) for row in rows if row.label in closer.lots])


def _unread(it: Known, ground: Ground, closer: Closer) -> tuple[MetrcReceipt, ...]:
    """Receipts without lines that bear one of the label's numbers or moments, or that no POS sale accounts for."""
    numbers, moments = {line.sale_id for line in it.sales}, {line.sold_at for line in it.sales}
    foreign = ground.books.sale_ids
    return tuple(
        receipt
        for receipt in closer.unread
        if receipt.external_number in numbers or receipt.sold_at in moments or receipt.external_number not in foreign
    )


def _unread_beside(
    it: Known, own: Sequence[MetrcReceipt], unread: Sequence[MetrcReceipt], closer: Closer
) -> tuple[MetrcReceipt, ...]:
    """Receipts of other lots of the product, of which any may name this label, where METRC took off more than is told."""
    if it.left_over(own) <= 0:
        return ()
    keys = {key for row in it.rows for key in product_keys(row)}
    told = {receipt.id for receipt in unread}
    found = {receipt.id: receipt for key in sorted(keys) for receipt in closer.unread_beside.get(key, ())}
    return tuple(
        receipt
        for receipt in found.values()
        if receipt.id not in told and (receipt.sold_at is None or receipt.sold_at >= it.since)
    )


def _holes(window: Window, closer: Closer) -> tuple[Window, ...]:
    """What is not held of any one of the lists of receipts."""
    return merged(hole for each in closer.held for hole in (each.holes(window) if each is not None else (window,)))


def _elsewhere(it: Known, own: Sequence[MetrcReceipt], closer: Closer) -> tuple[MetrcReceipt, ...]:
    """Receipts of the label's sales in which METRC has other labels only."""
    ids, numbers = {receipt.id for receipt in own}, sorted({line.sale_id for line in it.sales})
    like = [receipt for number in numbers for receipt in closer.by_number.get(number, ())]
    return tuple(receipt for receipt in like if receipt.id not in ids and receipt.lines and receipt.is_live)


def _delivered(label: str, closer: Closer) -> tuple[MetrcDelivery, ...]:
    return tuple(d for d in closer.deliveries if any(line.label == label for line in d.lines or ()))


def _kin(package: MetrcPackage | None, children: Sequence[MetrcPackage], ground: Ground) -> tuple[str, ...]:
    """Which of its sources and children the POS knows."""
    labels = {*(package.source_labels if package is not None else ()), *(child.label for child in children)}
    return tuple(sorted(label for label in labels if ground.books.knows(label)))


def _unheard(it: Known, closer: Closer) -> tuple[PosPackage, ...]:
    """Near labels that METRC does not know, as a question about this one would look at them.

    Only those that the POS alone has are candidates; METRC does know one that left this shop or is on a manifest, and
    nobody can tell when that was not read.
    """
    problem = closer.problems.get("transferred")
    if problem is not None and problem.kind is not ProblemKind.NOT_OFFERED:
        return ()
    heard, alone = {*closer.transferred, *closer.transfers}, frozenset(closer.near_pos.get(it.label, ()))
    rows = (row for row in it.near_and_alone if row.label in alone and row.label not in heard)
    return tuple(rows)[:MOST_NEAR]


def _near(it: Known, ground: Ground, closer: Closer) -> Reading[tuple[Sighting, ...]] | None:
    if it.package.value is not None or not it.rows:
        return None
    asked = "labels at most two characters away that METRC alone has"
    return Reading("metrc", asked, ground.now, closer.near.get(it.label, ()), closer.problems.get("near"))


def _read(asked: str, rows: tuple[T, ...], family: str, ground: Ground, closer: Closer) -> Reading[tuple[T, ...]]:
    return Reading("metrc", asked, ground.now, rows, closer.problems.get(family))


def _unasked(what: str) -> Reading[tuple[T, ...]]:
    return Reading("metrc", what, problem=Problem(ProblemKind.NOT_OFFERED, f"The {what} were not asked for."))
