"""Timing: is a sale, a void, an import or an export still on its way, or will it never arrive?

Recognised by laying the POS's sales beside METRC's receipts. How long a sale may take follows the POS's way of posting
(realtime, batch, nightly), this shop's own delays, and the till's status. Past the POS's retry limit a sale is not
late: it has failed, and will not come by itself.

Do: wait until the time that is told, or mend the cause and resend the sale. Never: adjust the package instead; when the
sale is resent later it would be taken off twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.backlogs import is_of
from bot.case import (
    UNPOSTED,
    Case,
    ago,
    clear,
    found,
    in_metrc_units,
    is_settled,
    metrc_side,
    not_read,
    pos_total,
    pos_unit,
    quote,
    share,
    unknown,
)
from bot.model import (
    Action,
    ActionKind,
    Backlog,
    Cause,
    CheckName,
    Confidence,
    Finding,
    Forbidden,
    MetrcReceipt,
    Outcome,
    PosEvent,
    Posting,
    Quote,
    Share,
)
from bot.one_sided import corrections_alone
from bot.posting import NORMAL, Fate, PostedSale, expected_by, may_arrive_until, quantity_on, receipts_cover
from bot.refusals import Blame, blames
from bot.splits import unheard_conversions
from bot.units import plain, signed

NAME = CheckName.TIMING
MOST_LATE: Final = 3
# the back offices' own manuals give this for a note to a correction
LONGEST_NOTE: Final = 200
LONGEST_TO_REPORT: Final = timedelta(hours=24)


def check(case: Case) -> Outcome:
    """Tell what is late from what has failed."""
    findings = [
        *_refused(case),
        *_never_posted(case),
        *_receipts_voided(case),
        *_voids_not_posted(case),
        *_posted_otherwise(case),
        *_on_their_way(case),
        *_voids_on_their_way(case),
        *_changes_on_their_way(case),
        *_notes_too_long(case),
        *_just_received(case),
        *_export_older(case),
    ]
    if findings:
        others = (*_late_but_there(case), *_quoted(case, _reported_in_vain(case)), *_holes(case))
        return found(NAME, findings, *others)
    e = case.evidence
    missing = not_read(e.receipts, e.pos_sales, e.package, e.pos_rows)
    untold = (*case.matched.having(Fate.NOT_TOLD), *_reported_in_vain(case))
    if missing or untold:
        return unknown(NAME, _what_is_missing(case, untold), *_holes(case), *missing)
    waited = "".join(f" {says}" for says, _ in _flushed(case, _late(case)))
    said = f"Every POS sale of this package has its receipt in METRC.{waited}"
    return clear(NAME, said, *_read(case), *_late_but_there(case))


# --- will never arrive ------------------------------------------------------------------------------------------------


def _refused(case: Case) -> list[Finding]:
    """Sales that METRC refused and that wait for a person."""
    refused = case.matched.having(Fate.REFUSED)
    if not refused:
        return []
    code = "failed_post.refused"
    texts = [s.sale.message for s in refused if s.sale.message]
    why = f": {_cited(texts[0])}" if texts else "."
    action = _after_refusal(case, refused)
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"METRC refused {_name(refused)}{why} {_upper(_it(refused))} will not arrive by {_self(refused)}.",
            action=action,
            evidence=_quoted(case, refused),
            shares=_taken(code, case, refused),
            must_not=() if action.kind is ActionKind.RESEND else (Forbidden.RESEND,),
        )
    ]


def _after_refusal(case: Case, refused: tuple[PostedSale, ...]) -> Action:
    """While the cause stands a resend only fails once more; where METRC could not be read it might be taken twice."""
    names, kind = _names(refused), _mended_by(case, refused)
    if any(not receipts_cover(s.sale.sold_at, case.evidence) for s in refused):
        return Action(
            ActionKind.RETRY_LATER,
            f"METRC may have taken {names} after all. Get its receipts read, and ask again before anything is resent.",
        )
    told = any(s.sale.message for s in refused)
    mend = "Mend what the message says" if told else "Find in the POS why it was refused, and mend that"
    if kind is ActionKind.CONTACT_COMPLIANCE:
        mend = "Call compliance: as the package stands METRC takes no sale of it. Mend what the message says"
    return Action(kind, f"{mend}, then resend {names} with the original sale time.{_overdue(case, refused)}")


def _overdue(case: Case, sales: tuple[PostedSale, ...]) -> str:
    """The state's own time to report a sale. California's is documented; a day is the longest that is known of any."""
    if all(case.now - s.sale.sold_at <= LONGEST_TO_REPORT for s in sales):
        return ""
    return " More than 24 h have passed, the longest that a state is known to allow: tell compliance as well."


def _mended_by(case: Case, refused: tuple[PostedSale, ...]) -> ActionKind:
    said = blames(s.sale.message for s in refused)
    package = case.evidence.package.value
    held = package is not None and (package.is_held or package.is_closed)
    if Blame.ACCESS in said:
        return ActionKind.FIX_PERMISSION
    if said & {Blame.UNIT, Blame.ITEM}:
        return ActionKind.FIX_MAPPING
    return ActionKind.CONTACT_COMPLIANCE if held or said & {Blame.HOLD, Blame.LAB} else ActionKind.RESEND


def _never_posted(case: Case) -> list[Finding]:
    """Sales without a receipt, older than the POS's own retry limit."""
    lost = case.matched.having(Fate.NEVER_POSTED)
    absent = _missed(case)
    if not lost and not absent:
        return []
    code = "failed_post.never-posted"
    sales = (*lost, *absent)
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"METRC never took {_name(sales)}, rung up {ago(case.now - sales[0].sale.sold_at)} ago. {_upper(_it(sales))} will not arrive by {_self(sales)}.",
            action=Action(
                ActionKind.RESEND,
                f"Find why it failed in the POS, then resend {_names(sales)} with the original sale time."
                f"{_overdue(case, sales)}",
            ),
            evidence=(*_quoted(case, sales), quote(case.evidence.receipts, "no receipt for it")),
            shares=(*_taken(code, case, lost), *_taken(code, case, absent, rest=True)),
            confidence=Confidence.LIKELY if absent else Confidence.CERTAIN,
        )
    ]


def _missed(case: Case) -> tuple[PostedSale, ...]:
    """What the POS calls reported, or a return: only the difference tells whether METRC lacks it."""
    absent = tuple(s for s in case.matched.having(Fate.REPORTED_BUT_ABSENT) if _ref(s) not in case.idle)
    if case.gap is None:
        return absent
    if case.is_open:
        return absent
    definite = _taken("", case, case.matched.having(*UNPOSTED))
    left = case.gap.unexplained - sum((entry.quantity for entry in definite), Decimal(0))
    return tuple(s for s in absent if left * s.sale.quantity < 0)


def _reported_in_vain(case: Case) -> tuple[PostedSale, ...]:
    """Reported by the POS, without a receipt in METRC, and yet the counts leave no room for it."""
    missed = _missed(case)
    return tuple(s for s in case.matched.having(Fate.REPORTED_BUT_ABSENT) if s not in missed)


def _receipts_voided(case: Case) -> list[Finding]:
    """The sale stands in the POS, its receipt was voided in METRC."""
    gone = case.matched.having(Fate.RECEIPT_VOIDED)
    if not gone:
        return []
    code = "failed_post.receipt-voided"
    receipt = gone[0].receipts[0]
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"{_upper(_name(gone))} stands in the POS, but its METRC receipt {receipt.id} was voided.",
            action=Action(
                ActionKind.RESEND,
                f"If the sale is real, resend {_names(gone)} with the original sale time; if not, void it in the POS.",
            ),
            evidence=(*_quoted(case, gone), _receipt_quote(case, receipt, f"voided on {receipt.archived_on}")),
            shares=_taken(code, case, gone),
            confidence=Confidence.LIKELY,
        )
    ]


def _voids_not_posted(case: Case) -> list[Finding]:
    """Voided at the till, alive in METRC, and past the limit."""
    voids = case.matched.having(Fate.VOID_NOT_POSTED)
    if not voids:
        return []
    code = "failed_post.void-not-posted"
    receipt = voids[0].receipts[0]
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"{_upper(_name(voids))} was voided in the POS, but receipt {receipt.id} is still alive in METRC.",
            action=Action(
                ActionKind.RESEND,
                f"Send the void of {_names(voids)} again from the POS, or void the receipt in METRC's sales screen."
                f"{_reopens(case)}",
            ),
            evidence=(
                *_quoted(case, voids),
                *(_receipt_quote(case, r, "still alive") for s in voids for r in s.receipts),
            ),
            shares=_given_back(code, case, voids),
        )
    ]


def _reopens(case: Case) -> str:
    package = case.evidence.package.value
    closed = package is not None and package.is_closed
    return (
        " METRC has finished the package meanwhile; have it unfinished where that does not reopen it." if closed else ""
    )


def _posted_otherwise(case: Case) -> list[Finding]:
    """The sale is in METRC with another quantity: a part came back, or a line was changed, and METRC was not told."""
    other = case.matched.having(Fate.POSTED_OTHERWISE)
    if not other:
        return []
    code = "failed_post.quantity-differs"
    sale, receipt = other[0].sale, other[0].receipts[0]
    taken = plain(quantity_on(receipt, case.label))
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"Sale {sale.sale_id} took {plain(sale.quantity)} in the POS, but its METRC receipt {receipt.id} takes {taken}.",
            action=Action(
                ActionKind.RESEND,
                f"Send the change of {_names(other)} again from the POS, or correct the receipt in METRC's sales screen.",
            ),
            evidence=(
                *_quoted(case, other),
                *(
                    _receipt_quote(case, r, f"takes {plain(quantity_on(r, case.label))}")
                    for s in other
                    for r in s.receipts
                ),
            ),
            shares=_given_back(code, case, other),
            confidence=Confidence.LIKELY,
        )
    ]


# --- on its way -------------------------------------------------------------------------------------------------------


def _on_their_way(case: Case) -> list[Finding]:
    """Young sales without a receipt."""
    young = case.matched.having(Fate.ON_ITS_WAY)
    if not young:
        return []
    nightly = case.evidence.shop.posting is Posting.NIGHTLY
    code = "timing.nightly-post" if nightly else "timing.sale-on-its-way"
    when = max(expected_by(sale, case.evidence.shop, case.now) for sale in young)
    age = ago(case.now - young[-1].sale.sold_at)
    how = "this POS posts at night" if nightly else f"rung up {age} ago"
    return [
        Finding(
            code=code,
            cause=Cause.TIMING,
            headline=f"{_upper(_name(young))} {_are(young)} on {_its(young)} way to METRC ({how}).",
            action=Action(ActionKind.WAIT, f"Nothing to do. Look again at {case.clock(when)}.", when),
            evidence=_quoted(case, young),
            shares=_taken(code, case, young),
            must_not=(Forbidden.RESEND,),
        )
    ]


def _voids_on_their_way(case: Case) -> list[Finding]:
    young = case.matched.having(Fate.VOID_ON_ITS_WAY)
    if not young:
        return []
    code = "timing.void-on-its-way"
    when = max(expected_by(sale, case.evidence.shop, case.now) for sale in young)
    return [
        Finding(
            code=code,
            cause=Cause.TIMING,
            headline=f"The void of {_name(young)} is on its way to METRC.",
            action=Action(ActionKind.WAIT, f"Nothing to do. Look again at {case.clock(when)}.", when),
            evidence=_quoted(case, young),
            shares=_given_back(code, case, young),
            must_not=(Forbidden.REMOVE_RECORD,),
        )
    ]


def _changes_on_their_way(case: Case) -> list[Finding]:
    """Corrections and conversions that the POS made a moment ago and METRC does not show yet."""
    changes = [(event, change, _change_until(case, event)) for event, change in _changes_alone(case)]
    young = [
        (event, change, until)
        for event, change, until in changes
        # while anything is left over it may be this one, whatever its size: nobody adjusts before it has arrived
        if case.now < until and (case.leaves or _event_ref(event) not in case.idle)
    ]
    if not young:
        return []
    code = "timing.change-on-its-way"
    event, change, _ = young[0]
    when = max(until for _, _, until in young)
    more = f" And so {_are_more(len(young) - 1)}." if young[1:] else ""
    return [
        Finding(
            code=code,
            cause=Cause.TIMING,
            headline=f"The POS's {event.kind} by {signed(change)} of {ago(case.now - event.at)} ago is on its way to METRC.{more}",
            action=Action(ActionKind.WAIT, f"Nothing to do. Look again at {case.clock(when)}.", when),
            evidence=tuple(_event_quote(case, event, change) for event, change, _ in young[:5]),
            shares=tuple(s for event, change, _ in young for s in share(code, change, _event_ref(event), whole=True)),
            must_not=(Forbidden.RESEND,),
            confidence=Confidence.LIKELY,
        )
    ]


def _notes_too_long(case: Case) -> list[Finding]:
    """Corrections whose note is longer than METRC takes: it drops them, and the POS shows no error."""
    changes = [(event, change) for event, change in _changes_alone(case) if len(event.reason or "") > LONGEST_NOTE]
    old = [(event, change) for event, change in changes if case.now >= _change_until(case, event)]
    long = [(event, change) for event, change in old if case.has_room(change) and _event_ref(event) not in case.idle]
    if not long:
        return []
    code = "failed_post.note-too-long"
    event, change = long[0]
    return [
        Finding(
            code=code,
            cause=Cause.FAILED_POST,
            headline=f"METRC never took the POS's {event.kind} by {signed(change)} of {case.clock(event.at)}: its note has "
            f"{len(event.reason or '')} characters, METRC takes {LONGEST_NOTE}.",
            action=Action(
                ActionKind.RESEND,
                f"In the POS, shorten the note to {LONGEST_NOTE} characters and send that correction again; make no second one.",
            ),
            evidence=tuple(_event_quote(case, event, change) for event, change in long[:5]),
            shares=tuple(s for event, change in long for s in share(code, change, _event_ref(event), whole=True)),
            confidence=Confidence.LIKELY,
        )
    ]


def _changes_alone(case: Case) -> list[tuple[PosEvent, Decimal]]:
    """What the POS changed by itself and METRC does not show, while there is any difference that it may be a part of."""
    if case.gap is not None and not case.gap.difference and not case.is_open:
        return []
    corrected = [(alone.event, alone.effect) for alone in corrections_alone(case) if alone.event is not None]
    return [*corrected, *unheard_conversions(case.evidence)]


def _change_until(case: Case, event: PosEvent) -> datetime:
    return may_arrive_until(event.at, case.evidence.shop, case.evidence.delays)


def _event_ref(event: PosEvent) -> str:
    return f"pos event {event.event_id}"


def _event_quote(case: Case, event: PosEvent, change: Decimal) -> Quote:
    who = f" by {event.actor}" if event.actor else ""
    says = f"{event.kind} {signed(change)} at {case.clock(event.at)}{who}; no such change in METRC"
    return Quote("pos", event.where, case.evidence.pos_events.as_of, says)


def _are_more(count: int) -> str:
    return "is 1 more" if count == 1 else f"are {count} more"


def _just_received(case: Case) -> list[Finding]:
    """Accepted in METRC a moment ago; the POS has not imported it yet."""
    e = case.evidence
    package = e.package.value
    if package is None or package.received_at is None or e.pos_rows.value or not e.pos_rows.was_read:
        return []
    age, interval = case.now - package.received_at, timedelta(minutes=e.shop.import_minutes)
    # once the load itself was imported, what it lacks will not come with it
    if age >= 2 * interval or not package.quantity or e.pos_siblings:
        return []
    code = "timing.import-on-its-way"
    when = package.received_at + 2 * interval
    return [
        Finding(
            code=code,
            cause=Cause.TIMING,
            headline=f"METRC received this package {ago(age)} ago; the POS has not imported it yet.",
            action=Action(ActionKind.WAIT, f"Import in the POS, or look again at {case.clock(when)}.", when),
            evidence=(quote(e.package, f"received {ago(age)} ago on manifest {package.received_from_manifest}"),),
            shares=share(code, -package.quantity, f"metrc package {package.id}", rest=True),
            confidence=Confidence.LIKELY,
        )
    ]


def _export_older(case: Case) -> list[Finding]:
    """METRC already counts sales that were rung up after the POS export was made."""
    e = case.evidence
    exported = e.pos_rows.as_of
    if exported is None or pos_total(e) is None or metrc_side(e) is None:
        return []
    later = _receipts_after(case, exported)
    if not later:
        return []
    code = "timing.export-older"
    when = exported + timedelta(minutes=e.shop.max_age_minutes)
    again = max(when, case.now + timedelta(minutes=5))
    return [
        Finding(
            code=code,
            cause=Cause.TIMING,
            headline=f"The POS export is from {case.clock(exported)}; METRC already counts {_count(len(later), 'later sale')}.",
            action=Action(
                ActionKind.WAIT, f"Ask again with a newer export, at {case.clock(again)} at the latest.", again
            ),
            evidence=(
                quote(e.pos_rows, f"exported {case.clock(exported)}"),
                *(_receipt_quote(case, r) for r in later[:5]),
            ),
            shares=tuple(s for r in later for s in share(code, quantity_on(r, case.label), f"metrc receipt {r.id}")),
        )
    ]


def _receipts_after(case: Case, exported: datetime) -> list[MetrcReceipt]:
    """Live receipts rung up after the export that the stock list cannot have in it."""
    posted = {r.id for s in case.matched.having(Fate.POSTED) for r in s.receipts[:1] if s.sale.sold_at > exported}
    orphans = {r.id for r in case.matched.orphans if r.sold_at is not None and r.sold_at > exported}
    return [r for r in case.evidence.receipts.value or () if r.id in posted | orphans]


# --- words ------------------------------------------------------------------------------------------------------------


def _name(sales: tuple[PostedSale, ...]) -> str:
    return f"sale {sales[0].sale.sale_id}" if len(sales) == 1 else f"{len(sales)} sales (first {sales[0].sale.sale_id})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _upper(text: str) -> str:
    """Sale numbers keep their case."""
    return text[:1].upper() + text[1:]


def _cited(message: str) -> str:
    """METRC's own words, with the full stop that they may lack."""
    return f"“{message}”" if message.endswith((".", "!", "?")) else f"“{message}”."


def _are(sales: tuple[PostedSale, ...]) -> str:
    return "is" if len(sales) == 1 else "are"


def _ref(posted: PostedSale) -> str:
    return f"pos sale {posted.sale.sale_id}"


def _it(sales: tuple[PostedSale, ...]) -> str:
    return "it" if len(sales) == 1 else "they"


def _self(sales: tuple[PostedSale, ...]) -> str:
    return "itself" if len(sales) == 1 else "themselves"


def _its(sales: tuple[PostedSale, ...]) -> str:
    return "its" if len(sales) == 1 else "their"


def _names(sales: tuple[PostedSale, ...]) -> str:
    shown = ", ".join(s.sale.sale_id for s in sales[:5])
    return shown if len(sales) <= 5 else f"{shown} and {len(sales) - 5} more"


def _quoted(case: Case, sales: tuple[PostedSale, ...]) -> tuple[Quote, ...]:
    as_of = case.evidence.pos_sales.as_of
    return tuple(Quote("pos", s.sale.where, as_of, _sale_says(case, s)) for s in sales[:10])


def _sale_says(case: Case, posted: PostedSale) -> str:
    sale = posted.sale
    void = ", voided" if sale.is_void else ""
    message = f", “{sale.message}”" if sale.message else ""
    return f"sale {sale.sale_id}, {case.clock(sale.sold_at)}, status {sale.submission}{void}{message}"


def _receipt_quote(case: Case, receipt: MetrcReceipt, says: str = "") -> Quote:
    sold = case.clock(receipt.sold_at) if receipt.sold_at else "an unknown time"
    text = f"receipt {receipt.id}, sold {sold}" + (f", {says}" if says else "")
    return Quote("metrc", f"GET /sales/v2/receipts/{receipt.id}", case.evidence.receipts.as_of, text)


def _taken(code: str, case: Case, sales: tuple[PostedSale, ...], *, rest: bool = False) -> tuple[Share, ...]:
    """The POS took these off and METRC did not. What was sold after the stock list was made is not in it."""
    exported = case.evidence.pos_rows.as_of
    in_stock_list = [s for s in sales if exported is None or s.sale.sold_at <= exported]
    return _shares(code, case, in_stock_list, rest=rest)


def _given_back(code: str, case: Case, sales: tuple[PostedSale, ...]) -> tuple[Share, ...]:
    """The POS put these back and METRC did not; every living receipt of the sale counts."""
    return tuple(
        entry
        for s in sales
        for r in s.receipts
        for entry in share(code, quantity_on(r, case.label) - _kept(case, s), _ref(s), f"metrc receipt {r.id}")
    )


def _kept(case: Case, posted: PostedSale) -> Decimal:
    """What the POS still counts as sold, in METRC's unit where the two can be compared."""
    sale = posted.sale
    return Decimal(0) if sale.is_void else in_metrc_units(sale.quantity, sale.unit, case.evidence) or sale.quantity


def _shares(code: str, case: Case, sales: list[PostedSale], *, rest: bool) -> tuple[Share, ...]:
    entries: list[Share] = []
    for s, quantity in zip(sales, _sizes(case, sales), strict=True):
        refs = (_ref(s), *(f"metrc receipt {r.id}" for r in s.receipts))
        # where METRC could not be read the sale may be there after all
        unsure = rest or not receipts_cover(s.sale.sold_at, case.evidence)
        entries += share(code, None if quantity is None else -quantity, *refs, whole=unsure)
    return tuple(entries)


def _sizes(case: Case, sales: list[PostedSale]) -> list[Decimal | None]:
    """What the sales took off the POS's stock, in METRC's unit.

    A till set to the wrong unit takes the bare number off its stock; one that sells pieces of a weight converts. Which
    one this is, the difference tells.
    """
    e = case.evidence
    converted = [in_metrc_units(s.sale.quantity, s.sale.unit, e) for s in sales]
    bare = [in_metrc_units(s.sale.quantity, pos_unit(e), e) for s in sales]
    known = [size for size in converted if size is not None]
    gap, sold = (case.gap if len(known) == len(sales) else None), sum(known, Decimal(0))
    closes = gap is not None and is_settled(gap.unexplained + sold, gap, e, moved=abs(sold))
    return converted if closes else bare


Late = tuple[datetime, datetime, MetrcReceipt]


def _late(case: Case) -> list[Late]:
    """When each receipt was recorded that took long but arrived, and when it was sold."""
    return [
        (receipt.recorded_at, receipt.sold_at, receipt)
        for s in case.matched.having(Fate.POSTED)
        for receipt in s.receipts[:1]
        if receipt.recorded_at and receipt.sold_at and receipt.recorded_at - receipt.sold_at > NORMAL
    ]


def _late_but_there(case: Case) -> tuple[Quote, ...]:
    """Receipts that took long but arrived: no cause, but worth saying; those that came together, once."""
    late = _late(case)
    flushed = _flushed(case, late)
    told = {receipt.id for _, receipts in flushed for receipt in receipts}
    source = case.evidence.receipts
    once = (Quote("metrc", source.asked, source.as_of, says) for says, _ in flushed)
    each = (
        _receipt_quote(case, r, f"arrived {ago(at - sold)} after the sale") for at, sold, r in late if r.id not in told
    )
    return (*once, *each)


def _flushed(case: Case, late: list[Late]) -> list[tuple[str, list[MetrcReceipt]]]:
    """Each outage behind late receipts, in a sentence, with the receipts; many late ones without one are one as well."""
    delays = case.evidence.delays
    outages = [
        (backlog, [r for at, sold, r in late if is_of(backlog, sold, at)])
        for backlog in (delays.backlogs if delays is not None else ())
    ]
    told = {r.id for _, receipts in outages for r in receipts}
    rest = [one for one in late if one[2].id not in told]
    flushed = [(_outage_says(case, backlog, len(own)), own) for backlog, own in outages if own]
    return [*flushed, (_backlog_says(case, rest), [r for _, _, r in rest])] if len(rest) > MOST_LATE else flushed


def _outage_says(case: Case, backlog: Backlog, own: int) -> str:
    hours, at = case.span(backlog.sold_from, backlog.sold_until), case.clock(backlog.recorded_from)
    return (
        f"{_count(backlog.count, 'sale')} of {hours} arrived together at {at}, {own} of them of this package: "
        "the delay was an outage's."
    )


def _backlog_says(case: Case, late: list[Late]) -> str:
    sold, recorded = [sold for _, sold, _ in late], [at for at, _, _ in late]
    hours = case.span(min(sold), max(sold))
    return f"{len(late)} sales of {hours} arrived late and are all there now, recorded {case.span(min(recorded), max(recorded))}."


def _read(case: Case) -> tuple[Quote, ...]:
    e = case.evidence
    sales, receipts = case.matched.sales, [r for r in e.receipts.value or () if r.is_live]
    return (
        quote(e.pos_sales, f"{_count(len(sales), 'sale')} of this package"),
        quote(e.receipts, f"{_count(len(receipts), 'living receipt')} on this package"),
    )


def _holes(case: Case) -> tuple[Quote, ...]:
    """Spans of METRC's receipts that were not read although later ones were, or earlier ones."""
    asked = case.evidence.receipts.asked
    return (Quote("metrc", asked, None, f"{_not_read_between(case)}"),) if case.evidence.receipts_holes else ()


def _not_read_between(case: Case) -> str:
    spans = [f"between {case.clock(hole.start)} and {case.clock(hole.end)}" for hole in case.evidence.receipts_holes]
    return (
        f"Receipts {', and '.join(spans[:3])}{f', and {len(spans) - 3} more spans,' if spans[3:] else ''} were not read"
    )


def _what_is_missing(case: Case, untold: tuple[PostedSale, ...]) -> str:
    e = case.evidence
    if not e.pos_sales.was_read:
        return "The POS's sales could not be read, so a late sale cannot be told."
    if e.receipts_holes:
        of = f"whether {_name(untold)} reached METRC" if untold else "a late sale"
        return f"{_not_read_between(case)}, so {of} cannot be told. Ask again: then they are read once more."
    if untold:
        return f"Whether {_name(untold)} reached METRC could not be read."
    if not e.receipts.was_read:
        return "METRC's receipts could not all be read, so a late sale cannot be told."
    return "One side's count could not be read, so a late import or an old export cannot be told."
