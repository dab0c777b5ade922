"""POS sales against METRC receipts: what arrived, what is on its way, what will never arrive. Pure.

A sale and a receipt are the same when the receipt bears the sale's number, or when the POS stores the receipt's id. A
receipt whose number the POS does not know is tried by moment and quantity, nearest first, each at most once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.errors import ProblemKind
from bot.hours import apart, next_nightly
from bot.model import (
    Evidence,
    MetrcDelivery,
    MetrcReceipt,
    PosSaleLine,
    Posting,
    PostingDelays,
    Shop,
    Submission,
)
from bot.numbers import bare
from bot.units import LEAST, same_unit

# Under this age an unposted sale is normal everywhere; see also the learned delays below.
NORMAL: Final = timedelta(minutes=15)
# Batch posting tries three times before it parks a sale; past this it is not late, it has failed.
RETRY_LIMIT: Final = {Posting.REALTIME: timedelta(minutes=15), Posting.BATCH: timedelta(minutes=60)}
# A nightly run needs time to get through its list.
NIGHTLY_GRACE: Final = timedelta(hours=1)
# A shop's own slowness is believed up to here, and only from this many sales on.
LEARNED_MOST: Final = timedelta(hours=4)
LEARNED_FROM: Final = 50
# A till may start its numbers anew: a receipt further away than this is another sale of the same number.
SAME_SALE: Final = timedelta(hours=1)
# METRC's clock and the till's differ: a hole reaches this much further.
HOLE_MARGIN: Final = timedelta(minutes=5)
# The till's clock and METRC's copy of it may differ by rounding and a slow form.
SAME_MOMENT: Final = timedelta(seconds=60)
# No clock is set back by more.
LONGEST_FOLD: Final = timedelta(hours=2)


class Fate(StrEnum):
    """What became of a POS sale."""

    POSTED = "posted"
    POSTED_OTHERWISE = "posted_otherwise"
    POSTED_ELSEWHERE = "posted_elsewhere"
    ON_ITS_WAY = "on_its_way"
    REFUSED = "refused"
    NEVER_POSTED = "never_posted"
    REPORTED_BUT_ABSENT = "reported_but_absent"
    RECEIPT_VOIDED = "receipt_voided"
    VOID_ON_ITS_WAY = "void_on_its_way"
    VOID_NOT_POSTED = "void_not_posted"
    VOIDED = "voided"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class PosSale:
    """A POS sale as far as it touches one label. ``quantity`` is what it took off, in ``unit``; a return puts back.

    ``is_void``: nothing of it is left, because it was voided or all of it came back. ``touched_at``: when the till
    changed it last, as far as the POS tells.
    """

    sale_id: str
    sold_at: datetime
    quantity: Decimal
    unit: str | None
    is_void: bool
    submission: Submission
    receipt_ids: tuple[str, ...]
    message: str | None
    where: str
    touched_at: datetime


@dataclass(frozen=True, slots=True)
class PostedSale:
    """A sale with what METRC has of it. ``until``: until when it may still arrive by itself."""

    sale: PosSale
    fate: Fate
    receipts: tuple[MetrcReceipt, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """Both books laid side by side. ``orphans``: live receipts on this label that no POS sale accounts for."""

    sales: tuple[PostedSale, ...]
    orphans: tuple[MetrcReceipt, ...]

    @property
    def all_sales(self) -> tuple[PosSale, ...]:
        """The sales alone."""
        return tuple(posted.sale for posted in self.sales)

    def having(self, *fates: Fate) -> tuple[PostedSale, ...]:
        """The sales with one of these fates."""
        return tuple(sale for sale in self.sales if sale.fate in fates)


def match(evidence: Evidence) -> Matched:
    """Lay the POS's sales of the label beside METRC's receipts and deliveries and tell each sale's fate."""
    label = evidence.subject.value
    sales = sales_of(evidence.pos_sales.value or ())
    receipts = tuple(r for r in evidence.receipts.value or () if quantity_on(r, label) or not r.is_live)
    pairs, orphans = _pair(sales, receipts, evidence)
    delivered = _delivered(evidence.deliveries.value or (), label)
    posted = tuple(_judge(sale, pairs[sale.sale_id], delivered, evidence) for sale in sales)
    return Matched(posted, tuple(r for r in orphans if r.is_live))


def sales_of(lines: Iterable[PosSaleLine]) -> tuple[PosSale, ...]:
    """Fold lines into sales, oldest first. A return counts with the sale it takes back, when that is known.

    METRC has no receipt for a return: there the receipt of the sale is edited or voided.
    """
    lines = tuple(lines)
    sold = {line.sale_id for line in lines if not line.is_return}
    grouped: dict[str, list[PosSaleLine]] = defaultdict(list)
    for line in lines:
        back = line.original_sale_id if line.is_return and line.original_sale_id in sold else None
        grouped[back or line.sale_id].append(line)
    return tuple(sorted((_fold(own) for own in grouped.values()), key=lambda sale: (sale.sold_at, sale.sale_id)))


def quantity_on(record: MetrcReceipt | MetrcDelivery, label: str) -> Decimal:
    """How much of the label the record's living lines take."""
    lines = [line for line in record.lines or () if line.label == label and line.archived_on is None]
    return sum((line.quantity for line in lines), Decimal(0))


def may_arrive_until(sold_at: datetime, shop: Shop, delays: PostingDelays | None) -> datetime:
    """Until when an unposted sale may still arrive by itself; past it, it has failed.

    One of an outage's hours may come with the rest of them.
    """
    if shop.posting is Posting.NIGHTLY and shop.nightly_at:
        return next_nightly(shop.nightly_at, sold_at) + NIGHTLY_GRACE
    limit = RETRY_LIMIT.get(shop.posting, RETRY_LIMIT[Posting.BATCH])
    if delays is not None and delays.count >= LEARNED_FROM:
        limit = max(limit, min(timedelta(seconds=delays.p999), LEARNED_MOST))
    waited_out = [
        each for each in (delays.backlogs if delays else ()) if each.sold_from <= sold_at < each.recorded_from
    ]
    return max([sold_at + limit, *(each.recorded_until + NORMAL for each in waited_out)])


def expected_by(sale: PostedSale, shop: Shop, now: datetime) -> datetime:
    """When it is worth looking again: the normal delay while that lies ahead, else the very limit."""
    normal = sale.sale.touched_at + NORMAL
    limit = sale.until or normal
    at_once = shop.posting is not Posting.NIGHTLY
    return normal if at_once and now < normal < limit else limit


def _fold(lines: list[PosSaleLine]) -> PosSale:
    first = min(lines, key=lambda line: (line.is_return, line.sold_at, line.line_id))
    living = [line for line in lines if not line.is_void]
    left = sum((line.takes for line in living), Decimal(0))
    counted = living or lines
    return PosSale(
        sale_id=first.sale_id,
        sold_at=first.sold_at,
        quantity=left or sum((line.quantity for line in counted if not line.is_return), Decimal(0)),
        unit=next((line.unit for line in counted if line.unit), None),
        is_void=not left,
        submission=_worst(line.submission for line in counted),
        receipt_ids=tuple(dict.fromkeys(line.receipt_id for line in lines if line.receipt_id)),
        message=next((line.message for line in counted if line.message), None),
        where=first.where,
        touched_at=max(_touched(line) for line in lines),
    )


def _touched(line: PosSaleLine) -> datetime:
    """A void is reported when it is made; a sale's own report says nothing about the till."""
    return max(line.sold_at, line.reported_at) if line.is_void and line.reported_at else line.sold_at


def _worst(states: Iterable[Submission]) -> Submission:
    """A sale is only as posted as its worst line."""
    seen = set(states)
    order = (Submission.FAILED, Submission.PENDING, Submission.UNKNOWN, Submission.VOIDED, Submission.REPORTED)
    return next(state for state in order if state in seen)


def _pair(
    sales: tuple[PosSale, ...], receipts: tuple[MetrcReceipt, ...], evidence: Evidence
) -> tuple[dict[str, tuple[MetrcReceipt, ...]], tuple[MetrcReceipt, ...]]:
    by_number: dict[str, list[MetrcReceipt]] = defaultdict(list)
    for receipt in receipts:
        by_number[_key(receipt.external_number)].append(receipt)
    by_id = {str(receipt.id): receipt for receipt in receipts}
    pairs: dict[str, tuple[MetrcReceipt, ...]] = {}
    numbered: set[int] = set()
    for sale in sales:
        stored = [by_id[i] for i in (bare(r) for r in sale.receipt_ids) if i in by_id]
        own = {r.id: r for r in (*by_number.get(_key(sale.sale_id), ()), *stored)}
        pairs[sale.sale_id] = _of_one_sale(sale, tuple(own.values()), evidence)
        numbered |= own.keys()
    left = [r for r in receipts if r.id not in numbered]
    pairs, orphans = _pair_by_moment(sales, pairs, left, evidence)
    taken = {r.id for own in pairs.values() for r in own}
    return pairs, tuple(r for r in receipts if r in orphans or r.id in numbered - taken)


def _of_one_sale(sale: PosSale, receipts: tuple[MetrcReceipt, ...], evidence: Evidence) -> tuple[MetrcReceipt, ...]:
    """Without those that only bear its number: beside a receipt of just this sale, they are neither its copies nor parts."""
    living = [r for r in receipts if r.is_live and quantity_on(r, evidence.subject.value)]
    if len(living) < 2 or sale.is_void or not _same_units(sale, evidence):
        return receipts
    label = evidence.subject.value
    stored = {bare(r) for r in sale.receipt_ids}
    exact = [r for r in living if abs(quantity_on(r, label) - sale.quantity) < LEAST]
    own = min(exact, key=lambda r: (str(r.id) not in stored, r.id), default=None)
    if own is None:
        return receipts
    return tuple(r for r in receipts if r not in living or str(r.id) in stored or lines_of(r) == lines_of(own))


def _pair_by_moment(
    sales: tuple[PosSale, ...], pairs: dict[str, tuple[MetrcReceipt, ...]], left: list[MetrcReceipt], evidence: Evidence
) -> tuple[dict[str, tuple[MetrcReceipt, ...]], tuple[MetrcReceipt, ...]]:
    """Give receipts with a number the POS does not know to unpaired sales of the same moment and quantity."""
    label, zone = evidence.subject.value, evidence.shop.time_zone
    options = [
        (abs(receipt.sold_at - sale.sold_at), sale.sale_id, receipt)
        for sale in sales
        if not pairs[sale.sale_id]
        for receipt in left
        if receipt.sold_at is not None
        and is_near(receipt.sold_at, sale.sold_at, zone)
        and (quantity_on(receipt, label) == sale.quantity or not receipt.is_live)
    ]
    used: set[int] = set()
    for _, sale_id, receipt in sorted(options, key=lambda o: (o[0], not o[2].is_live, o[2].id)):
        if not pairs[sale_id] and receipt.id not in used:
            pairs[sale_id] = (receipt,)
            used.add(receipt.id)
    return pairs, tuple(r for r in left if r.id not in used)


def is_near(told: datetime, sold_at: datetime, zone: str) -> bool:
    """Whether METRC's time of a record, which is the wall clock's alone, may be the sale's."""
    return abs(told - sold_at) <= LONGEST_FOLD and apart(told, sold_at, zone) <= SAME_MOMENT


def _delivered(deliveries: Iterable[MetrcDelivery], label: str) -> list[tuple[datetime, Decimal]]:
    return [(d.sold_at, quantity_on(d, label)) for d in deliveries if d.sold_at and d.voided_on is None]


def _judge(
    sale: PosSale, receipts: tuple[MetrcReceipt, ...], delivered: list[tuple[datetime, Decimal]], evidence: Evidence
) -> PostedSale:
    until = may_arrive_until(sale.touched_at, evidence.shop, evidence.delays)
    living = tuple(r for r in receipts if r.is_live)
    if sale.is_void:
        return PostedSale(sale, _fate_of_void(living, until, evidence), living, until)
    if living and not _fits(sale, living, evidence):
        young = evidence.asked_at < until
        return PostedSale(sale, Fate.VOID_ON_ITS_WAY if young else Fate.POSTED_OTHERWISE, living, until)
    if living or _was_delivered(sale, delivered, evidence.shop.time_zone):
        return PostedSale(sale, Fate.POSTED, living)
    beside = _beside(sale, evidence)
    if beside and not receipts:
        return PostedSale(sale, _fate_beside(sale, beside[0], evidence), beside, until)
    return PostedSale(sale, _fate_of_unposted(sale, receipts, until, evidence), receipts, until)


def _beside(sale: PosSale, evidence: Evidence) -> tuple[MetrcReceipt, ...]:
    """The one receipt that bears the sale's number and does not name the label."""
    own = [
        r
        for r in evidence.receipts_elsewhere
        if _key(r.external_number) == _key(sale.sale_id)
        and r.sold_at is not None
        and abs(r.sold_at - sale.sold_at) <= SAME_SALE
    ]
    return (own[0],) if len(own) == 1 else ()


def _fate_beside(sale: PosSale, receipt: MetrcReceipt, evidence: Evidence) -> Fate:
    """A label that the till did not sell stands in for ours; without one, our line was left out."""
    rung_up = {line.label for line in evidence.pos_other_lines if line.sale_id == sale.sale_id}
    return Fate.POSTED_ELSEWHERE if _foreign(receipt, rung_up) else Fate.POSTED_OTHERWISE


def _foreign(receipt: MetrcReceipt, rung_up: set[str]) -> bool:
    return any(line.label not in rung_up for line in receipt.lines or () if line.archived_on is None)


def _fate_of_void(living: tuple[MetrcReceipt, ...], until: datetime, evidence: Evidence) -> Fate:
    if not living:
        return Fate.VOIDED
    return Fate.VOID_ON_ITS_WAY if evidence.asked_at < until else Fate.VOID_NOT_POSTED


def _fate_of_unposted(sale: PosSale, receipts: tuple[MetrcReceipt, ...], until: datetime, evidence: Evidence) -> Fate:
    if receipts:
        return Fate.RECEIPT_VOIDED
    if sale.submission is Submission.FAILED:
        return Fate.REFUSED
    if evidence.asked_at < until:
        return Fate.ON_ITS_WAY
    if not receipts_cover(sale.sold_at, evidence):
        return Fate.NOT_TOLD
    if sale.submission is Submission.REPORTED or sale.quantity < 0:
        return Fate.REPORTED_BUT_ABSENT
    return Fate.NEVER_POSTED


def receipts_cover(moment: datetime, evidence: Evidence) -> bool:
    """Whether all that METRC could have of a sale of that moment was read, receipts and deliveries."""
    window, delivered = evidence.receipts_window, evidence.deliveries
    none_here = delivered.problem is not None and delivered.problem.kind is ProblemKind.NOT_OFFERED
    holes = evidence.receipts_holes
    # METRC moves a receipt's time of change, so one of this sale is not in a hole that ends before the sale
    listed = evidence.receipts.was_read or (bool(holes) and all(hole.end + HOLE_MARGIN < moment for hole in holes))
    complete = listed and not evidence.unread_receipts and (delivered.was_read or none_here)
    return complete and window is not None and window.start <= moment


def _fits(sale: PosSale, receipts: tuple[MetrcReceipt, ...], evidence: Evidence) -> bool:
    """Whether the one receipt takes what the sale took. Several receipts are twins or parts, and judged as such."""
    if len(receipts) != 1 or not _same_units(sale, evidence):
        return True
    return abs(quantity_on(receipts[0], evidence.subject.value) - sale.quantity) < LEAST


def _same_units(sale: PosSale, evidence: Evidence) -> bool:
    """Whether what the sale took can be laid beside METRC's numbers as it is."""
    package = evidence.package.value
    return package is not None and same_unit(sale.unit or package.unit, package.unit)


def _was_delivered(sale: PosSale, delivered: list[tuple[datetime, Decimal]], zone: str) -> bool:
    return any(is_near(at, sale.sold_at, zone) and quantity == sale.quantity for at, quantity in delivered)


def lines_of(receipt: MetrcReceipt) -> tuple[tuple[str, Decimal, str], ...]:
    """What a receipt takes: label, quantity and unit of its living lines, in one order."""
    living = [line for line in receipt.lines or () if line.archived_on is None]
    return tuple(sorted((line.label, line.quantity, (line.unit or "").casefold()) for line in living))


def _key(number: str | None) -> str:
    return (number or "").strip().casefold()
