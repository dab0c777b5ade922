"""Receipts that are one sale entered more than once. Pure.

The rule: the same external number on equal lines is one sale; so is the same sale time with equal lines and total when
a number is missing, as long as the POS does not hold that many sales of that moment. Two receipts with different
numbers are two sales, however alike they look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.hours import apart
from bot.model import MetrcReceipt
from bot.numbers import bare
from bot.posting import PosSale, lines_of, quantity_on

# A retry repeats the sale time; minutes of difference come from clocks, not from another sale.
ONE_SALE: Final = timedelta(hours=1)


class HowTwinned(StrEnum):
    """How the second receipt came about."""

    RETRY = "receipt-retry"
    CSV_OVER_API = "receipt-csv-over-api"


@dataclass(frozen=True, slots=True)
class Twins:
    """One sale with more receipts than it should have. ``sure``: the POS confirms how many sales there were."""

    keep: MetrcReceipt
    remove: tuple[MetrcReceipt, ...]
    how: HowTwinned
    why_keep: str
    sure: bool

    @property
    def apart(self) -> timedelta | None:
        """How long after the kept one the last twin was recorded."""
        times = [r.recorded_at for r in self.remove if r.recorded_at]
        return max(times) - self.keep.recorded_at if times and self.keep.recorded_at else None


@dataclass(frozen=True, slots=True)
class TwinSearch:
    """What the search found; ``lookalikes`` are equal at first sight but proven, or not provable, to be twins."""

    twins: tuple[Twins, ...]
    lookalikes: tuple[MetrcReceipt, ...]


def find_twins(
    receipts: Iterable[MetrcReceipt], sales: tuple[PosSale, ...] | None, label: str, zone: str = "UTC"
) -> TwinSearch:
    """Search the live receipts on a label; ``sales`` None: the POS's sales could not be read. ``zone``: the shop's."""
    living = [r for r in receipts if r.is_live and r.lines is not None and quantity_on(r, label)]
    twins: list[Twins] = []
    lookalikes: list[MetrcReceipt] = []
    leaders: list[MetrcReceipt] = []
    for group in _same_number(living):
        extra = _more_than_sold(group, sales, label)
        if extra:
            twins.append(_twins(group, extra, sales, HowTwinned.RETRY, sure=_sale_of(group[0], sales) is not None))
            leaders.append(twins[-1].keep)
        else:
            lookalikes.extend(group if len(group) > 1 else ())
            leaders.extend(group)
    unnumbered = [r for r in living if not _number(r)]
    for group in _group([*leaders, *unnumbered], lambda r: r.sold_at and (r.sold_at, lines_of(r), r.total_price)):
        found, alike = _missing_number(group, sales, label, zone)
        twins.extend(found)
        lookalikes.extend(alike)
    return TwinSearch(tuple(_merged(twins)), tuple(lookalikes))


def _missing_number(
    group: list[MetrcReceipt], sales: tuple[PosSale, ...] | None, label: str, zone: str
) -> tuple[list[Twins], list[MetrcReceipt]]:
    """Judge receipts of one moment with equal lines, of which some bear no number."""
    numbered = [r for r in group if _number(r)]
    bare = sorted((r for r in group if not _number(r)), key=lambda r: r.id)
    if len(group) < 2:
        return [], []
    if not bare:
        return [], group
    rung_up = None if sales is None else _rung_up(group[0], sales, label, zone)
    # without the POS, one number among them proves one sale; no number at all proves nothing
    real = max(len(numbered), rung_up or 0, _sales_behind(group, sales or ()))
    if real == 0 or len(group) <= real:
        return [], group
    extra = bare[real - len(numbered) :]
    kept = [r for r in group if r not in extra]
    sure = rung_up is not None and rung_up > 0
    return [_twins([kept[0], *extra], len(extra), sales, HowTwinned.CSV_OVER_API, sure=sure)], []


def _same_number(receipts: list[MetrcReceipt]) -> Iterable[list[MetrcReceipt]]:
    """Receipts with one number, equal lines and nearly one sale time: a till may start its numbers anew each day."""
    for group in _group(receipts, lambda r: _number(r) and (_number(r), lines_of(r))):
        run: list[MetrcReceipt] = []
        for receipt in sorted(group, key=_by_time):
            if run and _far(run[-1].sold_at, receipt.sold_at):
                yield run
                run = []
            run.append(receipt)
        yield run


def _by_time(receipt: MetrcReceipt) -> tuple[float, int]:
    return (receipt.sold_at.timestamp() if receipt.sold_at else 0.0), receipt.id


def _far(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and other - one > ONE_SALE


def _more_than_sold(group: list[MetrcReceipt], sales: tuple[PosSale, ...] | None, label: str) -> int:
    """How many receipts of the group are too many: a sale rung up in two equal parts rightly has two."""
    sale = _sale_of(group[0], sales)
    each = quantity_on(group[0], label)
    rightly = max(1, int(sale.quantity / each)) if sale is not None and each else 1
    return max(0, len(group) - rightly)


def _twins(
    group: list[MetrcReceipt], extra: int, sales: tuple[PosSale, ...] | None, how: HowTwinned, *, sure: bool
) -> Twins:
    stored = {bare(i) for sale in sales or () for i in sale.receipt_ids}

    def rank(receipt: MetrcReceipt) -> tuple[bool, bool, int]:
        return str(receipt.id) not in stored, not _number(receipt), receipt.id

    ranked = sorted(group, key=rank)
    keep, rest = ranked[0], ranked[-extra:]
    if str(keep.id) in stored:
        why = "the POS stores its id"
    elif any(not _number(r) for r in rest):
        why = "it bears the sale's number"
    else:
        why = "it is the older one"
    return Twins(keep, tuple(sorted(rest, key=lambda r: r.id)), how, why, sure)


def _merged(twins: list[Twins]) -> Iterable[Twins]:
    """A retry and a file can hit the same sale: one entry then, with everything that goes."""
    by_keep: dict[int, Twins] = {}
    for entry in twins:
        other = by_keep.get(entry.keep.id)
        if other is None:
            by_keep[entry.keep.id] = entry
        else:
            by_keep[entry.keep.id] = Twins(
                other.keep, (*other.remove, *entry.remove), other.how, other.why_keep, other.sure and entry.sure
            )
    return by_keep.values()


def _sale_of(receipt: MetrcReceipt, sales: tuple[PosSale, ...] | None) -> PosSale | None:
    return next((sale for sale in sales or () if sale.sale_id.strip().casefold() == _number(receipt)), None)


def _sales_behind(group: list[MetrcReceipt], sales: tuple[PosSale, ...]) -> int:
    """How many living POS sales store the id of one of these receipts, or bear its number: each is a sale of its own."""
    ids, numbers = {str(r.id) for r in group}, {_number(r) for r in group} - {""}
    own = (
        sale.sale_id
        for sale in sales
        if not sale.is_void
        if sale.sale_id.strip().casefold() in numbers or any(bare(i) in ids for i in sale.receipt_ids)
    )
    return len(set(own))


def _rung_up(receipt: MetrcReceipt, sales: tuple[PosSale, ...], label: str, zone: str) -> int:
    """How many living POS sales of that very moment took as much of the label."""
    quantity = quantity_on(receipt, label)
    own = (sale for sale in sales if not sale.is_void and sale.quantity == quantity)
    return sum(1 for sale in own if receipt.sold_at and _is_moment(receipt.sold_at, sale.sold_at, zone))


def _is_moment(told: datetime, sold_at: datetime, zone: str) -> bool:
    """Whether METRC's time may be the sale's: to the second, or to the minute where it has none; an hour may come twice."""
    told, sold_at = told.replace(microsecond=0), sold_at.replace(microsecond=0)
    is_cut = told.second == 0 and sold_at.replace(second=0) == told
    return is_cut or apart(told, sold_at, zone) == timedelta(0)


def _group(receipts: Iterable[MetrcReceipt], key: Callable[[MetrcReceipt], Hashable]) -> list[list[MetrcReceipt]]:
    groups: dict[Hashable, list[MetrcReceipt]] = defaultdict(list)
    for receipt in receipts:
        own = key(receipt)
        if own:
            groups[own].append(receipt)
    return list(groups.values())


def _number(receipt: MetrcReceipt) -> str:
    return (receipt.external_number or "").strip().casefold()
