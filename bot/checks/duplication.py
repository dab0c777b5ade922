"""Duplication: does a sale, a receive or a manifest exist twice?

Recognised by grouping before accusing: the same external number on equal lines, or the same sale time and lines with a
number missing, is one sale entered twice; two receives of the quantity that METRC received once are one load. Rooms,
conversions and two customers in the same second are not twins.

Do: remove the twin that is named, on the side that is named, with a second person. Never: remove a record while a sale
or receive of the package may still arrive, and never a look-alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.case import Case, ago, clear, found, not_read, not_searched, own, quote, share, state_of, unknown
from bot.model import (
    Action,
    ActionKind,
    Adjustment,
    Cause,
    CheckName,
    Confidence,
    Direction,
    Duplicate,
    DuplicateKind,
    Finding,
    Forbidden,
    MetrcDelivery,
    MetrcReceipt,
    Outcome,
    PosEvent,
    Quote,
    Share,
    Transfer,
)
from bot.posting import Fate, PostedSale, expected_by, quantity_on
from bot.receives import Receive, TwinReceive, find_twin_receives
from bot.splits import MadeTwice, copied_from, packages_made_twice
from bot.twins import HowTwinned, Twins, TwinSearch, find_twins
from bot.units import plain, signed

NAME = CheckName.DUPLICATION
SAME_LOAD = timedelta(hours=2)
CODES: Final = {
    HowTwinned.RETRY: "duplication.receipt-retry",
    HowTwinned.CSV_OVER_API: "duplication.receipt-csv-over-api",
}


def check(case: Case) -> Outcome:
    """Look for what exists twice, on either side."""
    search = _search(case)
    received = find_twin_receives(case.evidence)
    findings = [
        _receipts(case, how, of_kind) for how in HowTwinned if (of_kind := [t for t in search.twins if t.how is how])
    ]
    findings += [_receive(case, received)] if received else []
    findings += _manifests(case)
    findings += [*_deliveries(case), *_handed_over_twice(case), *_packages(case), *_adjustments(case)]
    warnings = (Forbidden.REMOVE_RECORD,) if search.lookalikes and not search.twins else ()
    if findings:
        return found(NAME, findings, must_not=warnings)
    e = case.evidence
    missing = not_read(e.receipts, e.pos_rows, e.pos_sales, e.pos_events, e.package)
    missing = (*missing, *not_searched(e.transfers, e.adjustments, e.deliveries))
    if missing or e.unread_receipts:
        return unknown(NAME, "Not everything that could exist twice could be read.", *missing, must_not=warnings)
    return clear(NAME, _nothing_twice(case, search), *_read(case), must_not=_and_rows(case, warnings))


def _search(case: Case) -> TwinSearch:
    """A voided sale's receipts are timing's: all of them should go, none of them is a twin."""
    e = case.evidence
    voided = {r.id for s in case.matched.having(Fate.VOID_NOT_POSTED, Fate.VOID_ON_ITS_WAY) for r in s.receipts}
    receipts = [r for r in e.receipts.value or () if r.id not in voided]
    return find_twins(receipts, case.matched.all_sales if e.pos_sales.was_read else None, case.label, e.shop.time_zone)


def _nothing_twice(case: Case, search: TwinSearch) -> str:
    rows = case.evidence.pos_rows.value or ()
    if search.lookalikes:
        ids = ", ".join(str(r.id) for r in search.lookalikes[:4])
        return f"Receipts {ids} look alike but are separate sales: their numbers differ."
    if len(rows) > 1:
        return f"One receive; the POS shows it in {len(rows)} rows (rooms or products), which is right."
    return "One receipt a sale, one receive."


def _and_rows(case: Case, warnings: tuple[Forbidden, ...]) -> tuple[Forbidden, ...]:
    """Several rows of one label invite somebody to remove one."""
    several = len(case.evidence.pos_rows.value or ()) > 1
    return warnings or ((Forbidden.REMOVE_RECORD,) if several else ())


# --- receipts ---------------------------------------------------------------------------------------------------------


def _receipts(case: Case, how: HowTwinned, groups: list[Twins]) -> Finding:
    """All sales that came to be twice in one way; each keeps one receipt and loses the rest."""
    code = CODES[how]
    wait = _still_on_its_way(case)
    removed = [(twins, receipt) for twins in groups for receipt in twins.remove]
    more = (
        f" And so {'was 1 more sale' if len(groups) == 2 else f'were {len(groups) - 1} more sales'}."
        if groups[1:]
        else ""
    )
    return Finding(
        code=code,
        cause=Cause.DUPLICATION,
        headline=_headline(groups[0]) + more,
        action=_wait(case, wait, _ids(r for _, r in removed))
        or Action(ActionKind.REMOVE_DUPLICATE, _void(case, groups)),
        evidence=tuple(_quoted(case, r) for twins in groups for r in (twins.keep, *twins.remove)),
        shares=tuple(
            entry
            for twins, r in removed
            for entry in share(code, quantity_on(r, case.label), f"metrc receipt {r.id}", whole=not twins.sure)
        ),
        duplicates=tuple(_duplicate(case, twins, wait) for twins in groups),
        must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
        confidence=Confidence.CERTAIN if all(twins.sure for twins in groups) else Confidence.LIKELY,
    )


def _duplicate(case: Case, twins: Twins, wait: datetime | None) -> Duplicate:
    """Without the POS's sales nobody can tell whether one is still on its way, so nothing is removable then."""
    return Duplicate(
        system="metrc",
        kind=DuplicateKind.SALES_RECEIPT,
        keep=str(twins.keep.id),
        remove=tuple(str(r.id) for r in twins.remove),
        removable=wait is None and case.evidence.pos_sales.was_read,
        why=f"Keep {twins.keep.id}: {twins.why_keep}.",
    )


def _void(case: Case, groups: list[Twins]) -> str:
    first = "" if case.evidence.pos_sales.was_read else "Get the POS's sales read first. Then: "
    each = "; ".join(f"{_ids(twins.remove)}, keep {twins.keep.id} ({twins.why_keep})" for twins in groups[:5])
    rest = f"; and {len(groups) - 5} more as listed" if len(groups) > 5 else ""
    return f"{first}Void METRC receipt {each}{rest}. The POS stays as it is."


def _ids(receipts: Iterable[MetrcReceipt]) -> str:
    return ", ".join(str(receipt.id) for receipt in receipts)


def _headline(twins: Twins) -> str:
    number = twins.keep.external_number
    name = f"Sale {number}" if number else f"The sale of receipt {twins.keep.id}"
    times = "twice" if len(twins.remove) == 1 else f"{len(twins.remove) + 1} times"
    apart = f", {ago(twins.apart)} apart" if twins.apart is not None else ""
    if twins.how is HowTwinned.CSV_OVER_API:
        return f"{name} is in METRC {times}{apart}; the second copy has no sale number, as from a file upload."
    return f"{name} was posted to METRC {times}{apart}."


def _quoted(case: Case, receipt: MetrcReceipt) -> Quote:
    recorded = f", recorded {case.clock(receipt.recorded_at)}" if receipt.recorded_at else ""
    sold = f"sold {case.clock(receipt.sold_at)}" if receipt.sold_at else "no sale time"
    number = receipt.external_number or "none"
    quantity = plain(quantity_on(receipt, case.label))
    says = f"receipt {receipt.id}: number {number}, {sold}{recorded}, {quantity} of this package"
    return Quote("metrc", f"GET /sales/v2/receipts/{receipt.id}", case.evidence.receipts.as_of, says)


def _still_on_its_way(case: Case) -> datetime | None:
    """Until when a sale, void or receive of this package may still arrive; a removal has to wait for it."""
    young = case.matched.having(Fate.ON_ITS_WAY, Fate.VOID_ON_ITS_WAY)
    shop, package = case.evidence.shop, case.evidence.package.value
    times = [expected_by(s, shop, case.now) for s in young]
    interval = timedelta(minutes=shop.import_minutes)
    receives = [e.at for e in case.evidence.pos_events.value or () if e.kind == "receive"]
    receives += [package.received_at] if package is not None and package.received_at is not None else []
    times += [at + interval for at in receives if case.now - interval < at <= case.now]
    return max(times, default=None)


def _wait(case: Case, until: datetime | None, ids: str) -> Action | None:
    if until is None:
        return None
    return Action(
        ActionKind.WAIT,
        f"Something of this package is still on its way. Look again at {case.clock(until)}, before {ids} is removed.",
        until,
    )


# --- receives ---------------------------------------------------------------------------------------------------------


def _receive(case: Case, twin: TwinReceive) -> Finding:
    code = "duplication.receive-twice"
    ids = ", ".join(r.name for r in twin.remove)
    wait = _still_on_its_way(case)
    duplicate = Duplicate(
        system="pos",
        kind=DuplicateKind.RECEIVE,
        keep=twin.keep.id,
        remove=tuple(r.id for r in twin.remove),
        removable=False,
        why=f"Keep {twin.keep.name}: {twin.why_keep}.",
    )
    return Finding(
        code=code,
        cause=Cause.DUPLICATION,
        headline=f"The POS received this package {_times(len(twin.remove) + 1)}; METRC shipped it once.",
        action=_wait(case, wait, f"receive {ids}")
        or Action(
            ActionKind.REMOVE_DUPLICATE,
            f"In the POS, reconcile the stock of receive {ids} to zero with “do not tell METRC”; keep {twin.keep.name}.",
        ),
        evidence=tuple(_receive_quote(case, r) for r in (twin.keep, *twin.remove)),
        shares=tuple(
            s for r in twin.remove for s in share(code, twin.quantity, f"pos receive {r.name}", whole=not twin.sure)
        ),
        duplicates=(duplicate,) if twin.can_be_told_apart else (),
        must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
        confidence=Confidence.CERTAIN if twin.sure else Confidence.LIKELY,
    )


def _receive_quote(case: Case, receive: Receive) -> Quote:
    when = case.clock(receive.at) if receive.at else "an unknown time"
    who = f" by {receive.actor}" if receive.actor else ""
    manifest = f", manifest {receive.manifest}" if receive.manifest else ""
    as_of = case.evidence.pos_events.as_of or case.evidence.pos_rows.as_of
    unit = receive.unit or ""
    return Quote(
        "pos", receive.where, as_of, f"received {plain(receive.quantity)} {unit} at {when}{who}{manifest}".strip()
    )


# --- manifests --------------------------------------------------------------------------------------------------------


def _manifests(case: Case) -> list[Finding]:
    """Two living manifests of one shipper with the same load. Goods sent again after a refusal are no twin."""
    living = [
        t
        for t in case.evidence.transfers.value or ()
        if t.direction is Direction.INCOMING
        and not t.is_voided
        and all(state_of(p) not in {"rejected", "returned"} for p in own(t, case.label))
    ]
    for group in _loads(living):
        if len(group) > 1 and any(t.received_at is None for t in group):
            return [_manifest(case, group)]
    return []


def _loads(transfers: Iterable[Transfer]) -> list[list[Transfer]]:
    groups: list[list[Transfer]] = []
    for transfer in sorted(transfers, key=lambda t: t.id):
        home = next((g for g in groups if _same_load(g[0], transfer)), None)
        if home is None:
            groups.append([transfer])
        else:
            home.append(transfer)
    return groups


def _same_load(one: Transfer, other: Transfer) -> bool:
    close = one.created_at and other.created_at and abs(one.created_at - other.created_at) <= SAME_LOAD
    invoice = one.invoice is not None and one.invoice == other.invoice
    return one.shipper_license == other.shipper_license and _load(one) == _load(other) and bool(close or invoice)


def _load(transfer: Transfer) -> frozenset[str]:
    return frozenset(package.label for package in transfer.packages or ())


def _manifest(case: Case, group: list[Transfer]) -> Finding:
    keep = min(group, key=lambda t: (t.received_at is None, t.departed_at is None, t.id))
    remove = [t for t in group if t is not keep]
    wait = _still_on_its_way(case)
    external = "external" in (keep.shipment_type or "").casefold()
    names = ", ".join(t.manifest for t in remove)
    why = "it was received" if keep.received_at else "its truck has left" if keep.departed_at else "it is the older one"
    duplicate = Duplicate(
        system="metrc",
        kind=DuplicateKind.EXTERNAL_TRANSFER if external else DuplicateKind.TRANSFER,
        keep=str(keep.id),
        remove=tuple(str(t.id) for t in remove),
        removable=external and all(t.received_at is None for t in remove) and wait is None,
        why=f"Keep manifest {keep.manifest}: {why}.",
    )
    how = "void it here" if external else "ask the shipper to void it, or reject it on arrival"
    return Finding(
        code="duplication.manifest-twice",
        cause=Cause.DUPLICATION,
        headline=f"One load is on two manifests: {keep.manifest} and {names}.",
        action=_wait(case, wait, f"manifest {names}")
        or Action(ActionKind.REMOVE_DUPLICATE, f"Keep manifest {keep.manifest} ({why}). For {names}: {how}."),
        evidence=tuple(_manifest_quote(case, t) for t in group),
        duplicates=(duplicate,),
        related=tuple(sorted(_load(keep) - {case.label})),
        must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
        brings_about=("duplication.receive-twice",) if keep.received_at else (),
        confidence=Confidence.LIKELY,
    )


def _manifest_quote(case: Case, transfer: Transfer) -> Quote:
    made = case.clock(transfer.created_at) if transfer.created_at else "an unknown time"
    says = f"manifest {transfer.manifest}, invoice {transfer.invoice}, made {made}, {len(transfer.packages or ())} packages"
    return Quote("metrc", "GET /transfers/v2/incoming", case.evidence.transfers.as_of, says)


# --- deliveries -------------------------------------------------------------------------------------------------------


def _deliveries(case: Case) -> list[Finding]:
    """Living deliveries of one moment with equal lines, of which the POS sold fewer. They bear no number of the POS."""
    if not case.evidence.pos_sales.was_read:
        return []
    groups: dict[tuple[object, ...], list[MetrcDelivery]] = {}
    for one in sorted(case.evidence.deliveries.value or (), key=lambda d: d.id):
        if one.voided_on is None and one.sold_at is not None and _delivered(case, one):
            lines = tuple(sorted((line.label, line.quantity) for line in one.lines or ()))
            groups.setdefault((one.sold_at, lines, one.total_price), []).append(one)
    return [
        _delivered_twice(case, group, sold)
        for group in groups.values()
        if 0 < (sold := _sold_then(case, group[0])) < len(group)
    ]


def _delivered(case: Case, delivery: MetrcDelivery) -> Decimal:
    lines = delivery.lines or ()
    return sum((line.quantity for line in lines if line.label == case.label), Decimal(0))


def _sold_then(case: Case, delivery: MetrcDelivery) -> int:
    """How many of the POS's sales of that very moment took as much, and are not told by a receipt already."""
    quantity = _delivered(case, delivery)
    sales = [posted.sale for posted in case.matched.sales if not posted.receipts]
    return sum(1 for s in sales if not s.is_void and s.sold_at == delivery.sold_at and s.quantity == quantity)


def _delivered_twice(case: Case, group: list[MetrcDelivery], sold: int) -> Finding:
    code = "duplication.delivery-twice"
    keep, remove = group[0], group[sold:]
    ids = ", ".join(str(one.id) for one in remove)
    wait = _still_on_its_way(case)
    at = f" of {case.clock(keep.sold_at)}" if keep.sold_at else ""
    return Finding(
        code=code,
        cause=Cause.DUPLICATION,
        headline=f"METRC has the delivery{at} {_times(len(group))}, the POS sold it {_times(sold)}.",
        action=_wait(case, wait, f"delivery {ids}")
        or Action(
            ActionKind.REMOVE_DUPLICATE,
            f"Have a person void delivery {ids} in METRC's delivery screen; keep {keep.id}, the older one.",
        ),
        evidence=tuple(
            Quote(
                "metrc",
                f"GET /sales/v2/deliveries/{one.id}",
                case.evidence.deliveries.as_of,
                f"delivery {one.id}: sold{at}, {plain(_delivered(case, one))} of this package",
            )
            for one in group
        ),
        shares=tuple(s for one in remove for s in share(code, _delivered(case, one), f"metrc delivery {one.id}")),
        duplicates=(
            Duplicate(
                system="metrc",
                kind=DuplicateKind.SALES_DELIVERY,
                keep=str(keep.id),
                remove=tuple(str(one.id) for one in remove),
                removable=False,
                why=f"Keep {keep.id}: it is the older one.",
            ),
        ),
        must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
    )


def _handed_over_twice(case: Case) -> list[Finding]:
    """Deliveries of a sale that has its receipt already; METRC keeps the two apart and takes both off."""
    code = "duplication.receipt-and-delivery"
    pairs = [pair for pair in _receipts_delivered(case) if f"metrc delivery {pair[1].id}" not in case.idle]
    if not pairs or not case.evidence.pos_sales.was_read:
        return []
    sale, delivery = pairs[0]
    receipt = sale.receipts[0]
    ids = ", ".join(str(one.id) for _, one in pairs)
    wait = _still_on_its_way(case)
    more = f" So with {len(pairs) - 1} more." if pairs[1:] else ""
    return [
        Finding(
            code=code,
            cause=Cause.DUPLICATION,
            headline=f"Sale {sale.sale.sale_id} is in METRC as receipt {receipt.id} and as delivery {delivery.id}.{more}",
            action=_wait(case, wait, f"delivery {ids}")
            or Action(
                ActionKind.REMOVE_DUPLICATE,
                f"The POS has the receipt. If it was sold over the counter, have a person void delivery {ids} in METRC's "
                "delivery screen; if it was driven out, ask compliance which of the two stays.",
            ),
            evidence=tuple(q for s, one in pairs for q in (_quoted(case, s.receipts[0]), _delivery_quote(case, one))),
            shares=tuple(
                s
                for _, one in pairs
                for s in share(code, _delivered(case, one), f"metrc delivery {one.id}", whole=True)
            ),
            duplicates=tuple(
                Duplicate(
                    system="metrc",
                    kind=DuplicateKind.SALES_DELIVERY,
                    keep=str(s.receipts[0].id),
                    remove=(str(one.id),),
                    removable=False,
                    why=f"Keep receipt {s.receipts[0].id}: it is the sale's own in the POS.",
                )
                for s, one in pairs
            ),
            must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
            confidence=Confidence.LIKELY,
        )
    ]


def _receipts_delivered(case: Case) -> list[tuple[PostedSale, MetrcDelivery]]:
    """Sales with a living receipt, each with the delivery of that moment and size that no other sale can be."""
    posted = [s for s in case.matched.having(Fate.POSTED) if s.receipts and not s.sale.is_void]
    open_sales = [s.sale for s in case.matched.sales if not s.receipts and not s.sale.is_void]
    pairs = []
    for one in sorted(case.evidence.deliveries.value or (), key=lambda d: d.id):
        size = _delivered(case, one)
        if one.voided_on is not None or one.sold_at is None or not size:
            continue
        if any(s.quantity == size and s.sold_at == one.sold_at for s in open_sales):
            continue
        own = next((s for s in posted if s.sale.sold_at == one.sold_at and s.sale.quantity == size), None)
        if own is not None:
            posted.remove(own)
            pairs.append((own, one))
    return pairs


def _delivery_quote(case: Case, one: MetrcDelivery) -> Quote:
    at = f"sold {case.clock(one.sold_at)}" if one.sold_at else "no sale time"
    says = f"delivery {one.id}: {at}, {plain(_delivered(case, one))} of this package"
    return Quote("metrc", f"GET /sales/v2/deliveries/{one.id}", case.evidence.deliveries.as_of, says)


# --- packages ---------------------------------------------------------------------------------------------------------


def _packages(case: Case) -> list[Finding]:
    copy = copied_from(case.evidence)
    copied = [_made_twice(case, copy, of=copy.keep.source_labels[0])] if copy is not None else []
    return [*copied, *(_made_twice(case, each) for each in packages_made_twice(case.evidence))]


def _made_twice(case: Case, made: MadeTwice, of: str | None = None) -> Finding:
    """Asked by the source, the copies took too much off it; asked by a copy (then ``of`` is its source), it is too much."""
    code = "duplication.package-twice"
    labels = ", ".join(child.label for child in made.remove)
    wait = _still_on_its_way(case)
    untouched = all(child.quantity == child.original_quantity for child in made.remove)
    seen = case.evidence.kindred if of else case.evidence.children
    undo = "discontinue it in METRC" if untouched else "call compliance: something was already taken from it"
    return Finding(
        code=code,
        cause=Cause.DUPLICATION,
        headline=f"METRC made the same package {_times(len(made.remove) + 1)} out of {of or 'this one'}; the POS made it once.",
        action=_wait(case, wait, f"package {labels}")
        or Action(
            ActionKind.REMOVE_DUPLICATE,
            f"Keep {made.keep.label} ({made.why_keep}). For {labels}: see that no goods bear it, then {undo}.",
        ),
        evidence=tuple(
            Quote(
                "metrc",
                f"GET /packages/v2/{child.label}",
                seen.as_of if seen is not None else None,
                f"{child.label}: made of {of or 'this package'}{f' on {child.packaged_on}' if child.packaged_on else ''}, "
                f"{plain(made.quantity)} of it",
            )
            for child in (made.keep, *made.remove)
        ),
        shares=_too_much(code, case, made, asked_by_copy=of is not None),
        duplicates=(
            Duplicate(
                system="metrc",
                kind=DuplicateKind.PACKAGE,
                keep=str(made.keep.id),
                remove=tuple(str(child.id) for child in made.remove),
                removable=False,
                why=f"Keep {made.keep.label}: {made.why_keep}.",
            ),
        ),
        must_not=(Forbidden.REMOVE_RECORD,) if wait else (),
        related=tuple(
            label
            for label in (of, *(child.label for child in (made.keep, *made.remove)))
            if label and label != case.label
        )
        if of
        else tuple(child.label for child in (made.keep, *made.remove)),
        confidence=Confidence.LIKELY,
    )


def _too_much(code: str, case: Case, made: MadeTwice, *, asked_by_copy: bool) -> tuple[Share, ...]:
    package = case.evidence.package.value
    if asked_by_copy:
        left = package.quantity if package is not None else None
        return share(code, -left if left else None, f"metrc package {case.label}", rest=True)
    return tuple(
        s for child in made.remove for s in share(code, made.quantity, f"metrc package {child.label}", whole=True)
    )


# --- adjustments ------------------------------------------------------------------------------------------------------


def _adjustments(case: Case) -> list[Finding]:
    """Equal corrections of one day, of which the POS made fewer. METRC gives them no id, so they are told by content."""
    if case.gap is not None and not case.gap.unexplained and not case.is_open:
        # where the account closes, what looks like a copy was made in the POS as well, under another name
        return []
    groups: dict[tuple[object, ...], list[Adjustment]] = {}
    for entry in case.evidence.adjustments.value or ():
        groups.setdefault((entry.quantity, entry.unit, entry.on), []).append(entry)
    return [
        _adjusted(case, _of_one_reason(case, group, made), made)
        for group in groups.values()
        if 0 < (made := len(_made(case, group[0]))) < len(group)
    ]


def _made(case: Case, entry: Adjustment) -> list[PosEvent]:
    """The POS's own corrections of that size, by the shop's day."""
    events = [e for e in case.evidence.pos_events.value or () if e.kind.startswith("adjust")]
    return [e for e in events if e.change == entry.quantity and entry.on in {None, case.day(e.at)}]


def _of_one_reason(case: Case, group: list[Adjustment], made: int) -> list[Adjustment]:
    """The group, ending in what was entered too often: equal sums for different reasons are different corrections."""
    reasons = [(e.reason or "").casefold() for e in _made(case, group[0])]
    extra = len(group) - made
    ranked = sorted(group, key=lambda entry: _excess(group, entry, reasons))
    return [*ranked[:made], *ranked[-extra:]]


def _excess(group: list[Adjustment], entry: Adjustment, reasons: list[str]) -> int:
    reason = (entry.reason or "").casefold()
    return sum(1 for each in group if (each.reason or "").casefold() == reason) - reasons.count(reason)


def _adjusted(case: Case, group: list[Adjustment], made: int) -> Finding:
    code = "duplication.adjustment-twice"
    entry, extra = group[-1], len(group) - made
    name = f"{entry.on} {signed(entry.quantity)} {entry.reason or 'no reason'}"
    removed = tuple(f"{name} #{number}" for number in range(made + 1, len(group) + 1))
    duplicate = Duplicate(
        system="metrc",
        kind=DuplicateKind.ADJUSTMENT,
        keep=f"{name} #1",
        remove=removed,
        removable=False,
        why=f"The POS made this correction {_times(made)}.",
    )
    return Finding(
        code=code,
        cause=Cause.DUPLICATION,
        headline=f"METRC has the correction of {entry.on} ({signed(entry.quantity)}) {_times(len(group))}, the POS {_times(made)}.",
        action=Action(
            ActionKind.REMOVE_DUPLICATE,
            f"METRC cannot take a correction back: have a manager enter the opposite of the {extra} too many, with the "
            "reason that it was entered twice.",
        ),
        evidence=(
            quote(case.evidence.adjustments, f"{len(group)} × {name}"),
            quote(case.evidence.pos_events, f"{made} ×"),
        ),
        shares=tuple(s for one in removed for s in share(code, -entry.quantity, f"metrc adjustment {one}")),
        duplicates=(duplicate,),
        confidence=Confidence.LIKELY,
    )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _read(case: Case) -> tuple[Quote, ...]:
    e = case.evidence
    receives = [event for event in e.pos_events.value or () if event.kind == "receive"]
    return (
        quote(e.receipts, _count(len([r for r in e.receipts.value or () if r.is_live]), "living receipt")),
        quote(e.pos_events, _count(len(receives), "receive") if e.pos_events.was_read else None),
        quote(e.pos_rows, _count(len(e.pos_rows.value or ()), "stock row")),
    )


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
