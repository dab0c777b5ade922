"""Packages in which nothing can be found, told at a glance. Pure.

In a healthy shop nearly all packages are alike in this: one stock row, the unit and quantity that METRC has, nothing
held, closed or untested, no sale that was refused or is still under way. Of such a one the full diagnosis can only say
that both sides agree, and it would say so a hundred times slower. Whatever is otherwise in any way is not for this
module to judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from bot.checks.custody import MAY_BE_SOLD
from bot.checks.definition import TOLERANCE
from bot.model import (
    MetrcItem,
    MetrcPackage,
    PackageList,
    PosEvent,
    PosPackage,
    PosSaleLine,
    PostingDelays,
    Shop,
    Submission,
)
from bot.posting import may_arrive_until
from bot.sweep_books import ShopBooks
from bot.units import EACH, in_grams, same_unit

LONG_SETTLED: Final = timedelta(days=3)
"""A sale of this age is on its way to METRC by no way of posting, unless an outage held it up."""


EVERYDAY: Final = frozenset({"available", "unavailable"})


class Glance:
    """What one shop's books say of a package, as far as a glance tells.

    That ``agrees`` proves what stock lists and books alone can tell, and nothing about the gates of the license: those
    are the same for all its packages, and one full diagnosis tells them.
    """

    def __init__(self, books: ShopBooks, shop: Shop, now: datetime, delays: PostingDelays | None) -> None:
        self._books = books
        self._shop = shop
        self._now = now
        self._delays = delays
        self._inventory_was_read = books.books.inventory.was_read
        backlogs = delays.backlogs if delays is not None else ()
        self._long_ago = min((now - LONG_SETTLED, *(each.sold_from for each in backlogs)))

    def agrees(self, package: MetrcPackage) -> bool:
        """Whether a diagnosis of the stock lists and the POS's books could only end in "nothing is wrong"."""
        rows = self._books.rows(package.label)
        return (
            len(rows) == 1
            and self._inventory_was_read
            and not self._books.is_torn(package.label)
            and _is_free(package)
            and _is_same_stock(package, rows[0])
            and _is_same_item(package.item, rows[0])
            and _is_quiet(self._books.events(package.label))
            and all(self._is_settled(line) for line in self._books.sales(package.label))
        )

    def _is_settled(self, line: PosSaleLine) -> bool:
        """Neither refused nor so young that it may still be under way."""
        if line.submission is Submission.FAILED:
            return False
        touched = max(line.sold_at, line.reported_at) if line.is_void and line.reported_at else line.sold_at
        return touched < self._long_ago or self._now >= may_arrive_until(touched, self._shop, self._delays)


def _is_free(package: MetrcPackage) -> bool:
    """Here, open, not held, and in a lab state that may be sold or is not told."""
    lab = package.lab_state
    return (
        package.label.isalnum()
        and package.listing is not PackageList.IN_TRANSIT
        and not package.is_closed
        and not package.is_held
        and not (package.is_production_batch and not package.source_labels)
        and (not lab or lab.strip().casefold() in MAY_BE_SOLD)
    )


def _is_same_stock(package: MetrcPackage, row: PosPackage) -> bool:
    # the POS's word for a state may say that the row waits for a laboratory
    is_stock = package.quantity == row.quantity and row.quantity >= 0
    return is_stock and same_unit(row.unit, package.unit) and _is_plain(row.status)


def _is_same_item(item: MetrcItem, row: PosPackage) -> bool:
    """Name, category and strain differ by no more than case, and both sides give one piece the same weight."""
    return (
        _is_same(row.metrc_item, item.name)
        and _is_same(row.metrc_category, item.category)
        and _is_same(row.strain, item.strain)
        and (not row.unit_weight_g or not same_unit(row.unit, EACH) or _weighs(row.unit_weight_g, item))
    )


def _is_same(ours: str | None, theirs: str | None) -> bool:
    """What one side does not say cannot differ."""
    return not ours or not theirs or ours == theirs or ours.casefold() == theirs.casefold()


def _weighs(grams: Decimal, item: MetrcItem) -> bool:
    return _is_same_weight(grams, item.unit_weight, item.unit_weight_unit)


@lru_cache(maxsize=10_000)
def _is_same_weight(grams: Decimal, weight: Decimal | None, unit: str | None) -> bool:
    """Well within the tolerance, so that no rounding decides; METRC may say nothing."""
    theirs = in_grams(weight, unit)
    return not theirs or abs(grams - theirs) * 2 <= theirs * TOLERANCE


def _is_plain(status: str | None) -> bool:
    """Whether the POS's word for the row's state cannot be about a laboratory."""
    word = (status or "").strip().casefold()
    return word in EVERYDAY or not any(part in word for part in ("lab", "test", "submit"))


def _is_quiet(events: Iterable[PosEvent]) -> bool:
    """One receive at most: two may be one load, entered twice."""
    return sum(event.kind == "receive" for event in events) <= 1
