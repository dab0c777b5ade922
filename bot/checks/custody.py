"""Custody: whose is the package now, and may it be sold?

Recognised by METRC's own words: on a manifest that was not received, refused on one, sent to another license, on hold,
finished, discontinued, or in a lab state that may not be sold.

Do: what custody asks for (accept the load, post the transfer out, call compliance, look at the shelf). Never: correct a
quantity because a package is elsewhere or held.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from bot.case import (
    Case,
    arrived_elsewhere,
    brought_here,
    clear,
    found,
    in_metrc_units,
    metrc_side,
    not_read,
    not_searched,
    on_the_road,
    pos_before,
    pos_total,
    quote,
    sent_away,
    share,
    state_of,
    unknown,
)
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Evidence,
    Finding,
    Forbidden,
    MetrcPackage,
    Outcome,
    PackageList,
    PosEvent,
    Quote,
    Share,
    Transfer,
    TransferPackage,
)
from bot.numbers import same_number
from bot.posting import Fate, may_arrive_until
from bot.refusals import Blame, blame, could_be
from bot.splits import Part, made_in_pos, unheard_conversions, unrecorded_parts, unrecorded_sources
from bot.units import plain, same_unit, signed

NAME = CheckName.CUSTODY

TURNED_AWAY: Final = frozenset({"rejected", "returned"})

FAILED_POSTS: Final = ("failed_post.refused", "failed_post.never-posted")
MAY_BE_SOLD: Final = frozenset(
    {"testpassed", "retestpassed", "notrequired", "processvalidated", "remediated", "decontaminated", "randdcompleted"}
)
ON_HOLD: Final = {"recall": "on_hold.recall", "investigation": "on_hold.investigation", "hold": "on_hold.hold"}
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ABOUT_A_TEST: Final = re.compile(r"\b(?:lab|laboratory|untested|test|testing|tests)\b|not ?submitted")
_TESTED: Final = re.compile(r"pass|not ?required|complete|done|tested\b(?<!untested)")
_BACK: Final = re.compile(
    r"\b(?:return(?:ed|s)? to (?:the )?(?:vendor|supplier|shipper|distributor|sender)|(?:vendor|supplier) returns?|rtv)\b"
)
FAILED_TESTS: Final = frozenset({"testfailed", "retestfailed"})


def check(case: Case) -> Outcome:
    """Tell where METRC says the package is."""
    findings = [
        *_road(case),
        *_left(case),
        *_sent_back(case),
        *_holds(case),
        *_less(case),
        *_split(case),
        *_made_in_pos(case),
        *_no_source(case),
        *_closed(case),
        *_lab(case),
    ]
    if findings:
        return found(NAME, findings)
    e = case.evidence
    missing = (*not_read(e.package), *_unread_search(e), *_unread_parts(case))
    if missing:
        return unknown(NAME, "Where the package is could not be read.", *missing)
    return _lost(e) or clear(NAME, _where(e), quote(e.package, _where(e)))


def _lost(e: Evidence) -> Outcome | None:
    """METRC's own records do not fit together: nothing may be concluded from that."""
    package = e.package.value
    if package is not None and package.listing is PackageList.IN_TRANSIT:
        return unknown(NAME, "METRC lists it as in transit, on no open manifest of this license.", quote(e.package))
    accepted = next(iter(brought_here(e)), None) if package is None else None
    if accepted is None or (accepted[0].is_voided and not e.pos_rows.value):
        return None
    said = f"METRC has it on manifest {accepted[0].manifest}, but in none of its packages."
    return unknown(NAME, said, _manifest(e, *accepted))


def _unread_search(e: Evidence) -> tuple[Quote, ...]:
    """A package that was received here needs no manifest to say where it is; any other may be on one."""
    package = e.package.value
    if package is None:
        return not_searched(e.transfers, e.transferred, e.elsewhere)
    settled = package.listing is not PackageList.IN_TRANSIT and (package.received_at is not None or package.is_closed)
    return () if settled else not_searched(e.transfers)


def _unread_parts(case: Case) -> tuple[Quote, ...]:
    """What the POS holds too much of may have been repackaged in METRC."""
    return not_searched(case.evidence.children) if case.gap is not None and case.gap.unexplained > 0 else ()


def _where(e: Evidence) -> str:
    package = e.package.value
    if package is None:
        return "METRC has this label on no manifest of this license and in none of its packages."
    return f"METRC has it active at this license, not held, {package.lab_state or 'lab state not given'}."


# --- on a manifest ----------------------------------------------------------------------------------------------------


def _road(case: Case) -> list[Finding]:
    load = on_the_road(case.evidence)
    if load is not None:
        return [_incoming(case, *load)]
    return _refused_load(case) or _voided_load(case)


def _incoming(case: Case, transfer: Transfer, package: TransferPackage) -> Finding:
    e = case.evidence
    code = "in_transit.incoming"
    ahead = bool(e.pos_rows.value)
    shipped = (
        f"{plain(package.shipped_quantity)} {package.shipped_unit or ''}".strip() if package.shipped_quantity else "it"
    )
    then = " The POS received it ahead of that." if ahead else ""
    block = " Block sales of it in the POS until then." if ahead else ""
    return Finding(
        code=code,
        cause=Cause.IN_TRANSIT,
        headline=f"It is on the road: manifest {transfer.manifest} was not accepted in METRC yet.{then}",
        action=Action(
            ActionKind.ACCEPT_TRANSFER,
            f"Check the load, then accept manifest {transfer.manifest} ({shipped}) in METRC.{block}",
        ),
        evidence=(_manifest(e, transfer, package), quote(e.package, _seen(e.package.value))),
        shares=share(
            code, package.shipped_quantity if ahead else None, f"metrc manifest {transfer.manifest}", rest=True
        ),
        must_not=(Forbidden.RESEND,) if case.matched.having(Fate.REFUSED, Fate.NEVER_POSTED) else (),
        # an open load is why the label is not found; what was entered twice around it is settled by accepting one
        brings_about=(*FAILED_POSTS, "duplication.receive-twice", "duplication.manifest-twice"),
    )


def _seen(package: MetrcPackage | None) -> str:
    if package is None:
        return "not a package of this license yet"
    return f"listed as {package.listing or 'a package'}, not received"


def _less(case: Case) -> list[Finding]:
    """A part of the load was refused on arrival, and the POS took in all of it."""
    e = case.evidence
    package, left = e.package.value, case.gap.unexplained if case.gap is not None else Decimal(0)
    if package is None or package.received_from_manifest is None or case.gap is None or not case.has_room(1):
        return []
    code = "in_transit.received-less"
    for transfer, carried in brought_here(e):
        short = _short(carried)
        ref = f"metrc manifest {transfer.manifest}"
        same = same_number(transfer.manifest, package.received_from_manifest)
        if not same or not short or ref in case.idle or _took_in_less(e, carried):
            continue
        unit = carried.received_unit or carried.shipped_unit or package.unit or ""
        shipped, came = plain(carried.shipped_quantity or Decimal(0)), plain(carried.received_quantity or Decimal(0))
        return [
            Finding(
                code=code,
                cause=Cause.IN_TRANSIT,
                headline=f"METRC received {came} of the {shipped} {unit} on manifest {transfer.manifest}; the POS took in more.",
                action=Action(
                    ActionKind.FIX_POS_RECORD,
                    f"Correct the POS's receive to {came} {unit} without telling METRC; the rest went back.",
                ),
                evidence=(_manifest(e, transfer, carried), quote(e.pos_events, f"no receive of {came} {unit}")),
                shares=share(code, short, ref, rest=True),
                confidence=Confidence.CERTAIN if left >= short else Confidence.LIKELY,
            )
        ]
    return []


def _short(carried: TransferPackage) -> Decimal | None:
    """What was shipped and not received, when METRC tells both in one unit."""
    shipped, came = carried.shipped_quantity, carried.received_quantity
    one_unit = carried.received_unit is None or same_unit(carried.received_unit, carried.shipped_unit)
    return shipped - came if shipped is not None and came is not None and one_unit and shipped > came else None


def _took_in_less(e: Evidence, carried: TransferPackage) -> bool:
    """Whether the POS's own receive is of what METRC received."""
    receives = [event for event in e.pos_events.value or () if event.kind == "receive" and event.change is not None]
    return any(in_metrc_units(x.change or Decimal(0), x.unit, e) == carried.received_quantity for x in receives)


def _refused_load(case: Case) -> list[Finding]:
    """The label came on a manifest and was refused there."""
    e = case.evidence
    if e.package.value is not None:
        return []
    refused = [(t, p) for t, p in brought_here(e) if state_of(p) in TURNED_AWAY]
    if not refused:
        return []
    transfer, package = max(refused, key=lambda load: load[0].id)
    code = "in_transit.rejected"
    held = pos_total(e)
    todo = (
        Action(ActionKind.FIX_POS_RECORD, "Take it out of the POS: METRC has it on its way back to the shipper.")
        if held
        else Action(
            ActionKind.NONE, "Nothing to do here: neither system counts it. Ask the shipper if you need it back."
        )
    )
    return [
        Finding(
            code=code,
            cause=Cause.IN_TRANSIT,
            headline=f"It was {state_of(package)} on manifest {transfer.manifest}, so it never became this shop's.",
            action=todo,
            evidence=(_manifest(e, transfer, package),),
            shares=share(code, pos_before(case), f"metrc manifest {transfer.manifest}", rest=True),
            brings_about=FAILED_POSTS,
        )
    ]


def _voided_load(case: Case) -> list[Finding]:
    """The only manifest that brought it was voided: the POS holds goods that METRC never sent."""
    e = case.evidence
    loads = brought_here(e)
    if e.package.value is not None or not loads or not all(t.is_voided for t, _ in loads) or not e.pos_rows.value:
        return []
    transfer, package = loads[-1]
    code = "in_transit.manifest-voided"
    return [
        Finding(
            code=code,
            cause=Cause.IN_TRANSIT,
            headline=f"The POS received it on manifest {transfer.manifest}, which was voided in METRC.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Set the goods aside and call compliance and the shipper: goods without a manifest may not be sold.",
            ),
            evidence=(_manifest(e, transfer, package),),
            shares=share(code, pos_before(case), f"metrc manifest {transfer.manifest}", rest=True),
            brings_about=FAILED_POSTS,
        )
    ]


def _left(case: Case) -> list[Finding]:
    """It left this license on a manifest of ours, or another license holds it now."""
    e = case.evidence
    if metrc_side(e) is not None or on_the_road(e) is not None:
        return []
    out, gone = sent_away(e), arrived_elsewhere(e)
    there = (e.elsewhere.value if e.elsewhere else None) or ()
    code = "in_transit.outgoing"
    if gone:
        row = gone[-1]
        manifest, to = row.manifest, row.recipient_name or row.recipient_license
        seen = quote(e.transferred, f"shipped on manifest {manifest} to {to}, {row.state}")
    elif out:
        transfer, package = out[-1]
        manifest, to = transfer.manifest, transfer.recipient_name or "another license"
        seen = _manifest(e, transfer, package)
    elif there and e.elsewhere is not None:
        code, manifest, to = "in_transit.elsewhere", None, there[0].where
        seen = quote(e.elsewhere, f"{plain(there[0].quantity or 0)} at {there[0].where}")  # type: ignore[arg-type]
    else:
        return []
    return [_gone(case, code, manifest, str(to), seen)]


def _gone(case: Case, code: str, manifest: str | None, to: str, seen: Quote) -> Finding:
    held = pos_total(case.evidence)
    on = f" on manifest {manifest}" if manifest else ""
    todo = (
        Action(ActionKind.FIX_POS_RECORD, f"Post the transfer out in the POS, and check that {to} received it once.")
        if held
        else Action(ActionKind.NONE, "Nothing to do here: neither system counts it at this license.")
    )
    return Finding(
        code=code,
        cause=Cause.IN_TRANSIT,
        headline=f"METRC has it at {to}{on}, not here.",
        action=todo,
        evidence=(seen,),
        shares=share(
            code, pos_before(case), f"metrc manifest {manifest}" if manifest else f"metrc package at {to}", rest=True
        ),
        brings_about=FAILED_POSTS,
        confidence=Confidence.LIKELY,
    )


def _sent_back(case: Case) -> list[Finding]:
    """The POS gave goods back to a vendor; METRC still counts them here, so no manifest carries them."""
    e = case.evidence
    package = e.package.value
    if metrc_side(e) is None or package is None or package.is_closed or arrived_elsewhere(e):
        return []
    code = "in_transit.returned-without-manifest"
    back = [
        event for event in e.pos_events.value or () if _is_return_to_vendor(event) and _back_ref(event) not in case.idle
    ]
    if not back or not case.has_room(-1):
        return []
    said = ", ".join(f"{plain(-(event.change or Decimal(0)))} at {case.clock(event.at)}" for event in back[:3])
    return [
        Finding(
            code=code,
            cause=Cause.IN_TRANSIT,
            headline=f"The POS gave back to the vendor {said}; METRC still counts that here, on no manifest.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Find the goods. If they are here, undo the return in the POS; if they left, call compliance and the vendor: "
                "goods travel on a manifest only.",
            ),
            evidence=(
                *(Quote("pos", x.where, e.pos_events.as_of, f"{x.kind}, {x.reason or 'no reason'}") for x in back[:3]),
                quote(e.package, "active at this license, not on a manifest of ours"),
            ),
            shares=tuple(
                entry
                for event in back
                for entry in share(
                    code, in_metrc_units(event.change or Decimal(0), event.unit, e), _back_ref(event), whole=True
                )
            ),
            confidence=Confidence.LIKELY,
        )
    ]


def _is_return_to_vendor(event: PosEvent) -> bool:
    """Whether the log entry took goods off because they went back to whom they came from."""
    said = f"{event.kind} {event.reason or ''}".replace("_", " ").replace("-", " ").casefold()
    return (event.change or Decimal(0)) < 0 and bool(_BACK.search(said))


def _back_ref(event: PosEvent) -> str:
    return f"pos event {event.event_id}"


def _manifest(e: Evidence, transfer: Transfer, package: TransferPackage) -> Quote:
    path = f"GET /transfers/v2/deliveries/{transfer.delivery_id}/packages"
    received = "voided" if transfer.is_voided else "received" if transfer.received_at else "not received"
    return Quote("metrc", path, e.transfers.as_of, f"manifest {transfer.manifest}: {package.state}, {received}")


# --- repackaged -------------------------------------------------------------------------------------------------------


def _split(case: Case) -> list[Finding]:
    """It was repackaged in METRC alone; the asked label is what was taken from, or what was made."""
    sources = unrecorded_sources(case.evidence)
    package = case.evidence.package.value
    if sources and package is not None:
        return [_made_of(case, package, sources)]
    if package is None or case.gap is None or not case.has_room(1):
        return []
    parts = [part for part in unrecorded_parts(case.evidence) if _ref(part) not in case.idle]
    return [_parts_taken(case, package, parts, case.gap.unexplained)] if parts else []


def _ref(part: Part) -> str:
    return f"metrc package {part.package.label}"


def _parts_taken(case: Case, package: MetrcPackage, parts: list[Part], left: Decimal) -> Finding:
    code = "split.in-metrc"
    labels = tuple(part.package.label for part in parts)
    new = f"package {labels[0]}" if len(labels) == 1 else f"{len(labels)} packages"
    tags = "the same new label" if len(labels) == 1 else "the same new labels"
    return Finding(
        code=code,
        cause=Cause.SPLIT,
        headline=f"METRC made {new} out of this one{_on_day(parts)}; the POS did not take it off.",
        action=Action(
            ActionKind.FIX_POS_RECORD,
            f"Record the split in the POS under {tags} ({', '.join(labels[:5])}), without telling METRC.",
        ),
        evidence=tuple(_part_quote(case, package, part) for part in parts),
        shares=tuple(
            s
            for part in parts
            for s in share(code, left if part.quantity is None else part.quantity, _ref(part), rest=not part.sure)
        ),
        related=labels,
        brings_about=("finished.finished",) if package.is_closed else (),
        confidence=Confidence.CERTAIN if all(part.sure for part in parts) else Confidence.LIKELY,
    )


def _on_day(parts: list[Part]) -> str:
    days = {part.package.packaged_on for part in parts}
    day = days.pop() if len(days) == 1 else None
    return f" on {day}" if day else ""


def _part_quote(case: Case, package: MetrcPackage, part: Part) -> Quote:
    child, children = part.package, case.evidence.children
    size = child.original_quantity if child.original_quantity is not None else child.quantity
    made = f", packaged {child.packaged_on}" if child.packaged_on else ""
    held = f"{plain(size)} {child.unit or package.unit}" if size is not None else "quantity not given"
    says = f"{child.label}: {held} made of this package{made}; the POS logged no such change"
    return Quote("metrc", f"GET /packages/v2/{child.label}", children.as_of if children is not None else None, says)


def _made_of(case: Case, package: MetrcPackage, sources: tuple[str, ...]) -> Finding:
    code = "split.in-metrc"
    day = f" on {package.packaged_on}" if package.packaged_on else ""
    quantity = f"{plain(package.quantity or Decimal(0))} {package.unit or ''}".strip()
    of = " and ".join(sources)
    return Finding(
        code=code,
        cause=Cause.SPLIT,
        headline=f"METRC made this package{day} out of {of}; the POS does not know it.",
        action=Action(
            ActionKind.FIX_POS_RECORD,
            f"Record the split in the POS: take {quantity} off {of} and put it on this label, without telling METRC.",
        ),
        evidence=(
            quote(case.evidence.package, f"{quantity}{f', packaged{day}' if day else ''}, source {of}"),
            quote(case.evidence.pos_rows, f"no row with this label; {of} is in the POS"),
        ),
        shares=share(
            code, -package.quantity if package.quantity else None, f"metrc package {package.label}", rest=True
        ),
        related=sources,
    )


def _made_in_pos(case: Case) -> list[Finding]:
    """The POS made one package of another and METRC was never told; asked by the source, or by what was made."""
    e = case.evidence
    if case.gap is None or e.pos_sales.value is None:
        return []
    code, made = "split.in-pos", made_in_pos(e) if e.package.value is None and e.pos_rows.value else ()
    if made and not _known_elsewhere(e) and not not_searched(e.transfers, e.transferred, e.near, e.elsewhere):
        held = share(code, pos_before(case), f"pos package {case.label}", rest=True)
        return [_not_told(case, code, made[0], held)] if f"pos package {case.label}" not in case.idle else []
    old = [(x, by) for x, by in unheard_conversions(e) if case.now >= may_arrive_until(x.at, e.shop, e.delays)]
    taken = [(x, by) for x, by in old if by < 0 and _back_ref(x) not in case.idle]
    if e.package.value is None or not taken or not case.has_room(-1):
        return []
    shares = tuple(s for event, by in taken for s in share(code, by, _back_ref(event), whole=True))
    return [_not_told(case, code, taken[0][0], shares)]


def _no_source(case: Case) -> list[Finding]:
    """METRC has a production batch that was made of nothing, so what went into it is still counted there."""
    e, package = case.evidence, case.evidence.package.value
    made = made_in_pos(e)
    if package is None or not package.is_production_batch or package.source_labels or not made:
        return []
    if package.received_at is not None or package.received_from_manifest is not None:
        return []
    event = made[0]
    return [
        Finding(
            code="split.batch-without-source",
            cause=Cause.SPLIT,
            headline="METRC has this production batch without any source; the POS made it of other packages.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Ask compliance how your state has the ingredients entered after the fact. Until then METRC still counts them "
                "in the packages they came from; adjust none of those.",
            ),
            evidence=(
                quote(e.package, "a production batch, no source package"),
                Quote("pos", event.where, e.pos_events.as_of, f"{event.kind} at {case.clock(event.at)}"),
            ),
            confidence=Confidence.LIKELY,
        )
    ]


def _known_elsewhere(e: Evidence) -> bool:
    return bool(brought_here(e) or sent_away(e) or arrived_elsewhere(e) or (e.elsewhere and e.elsewhere.value))


def _not_told(case: Case, code: str, event: PosEvent, shares: tuple[Share, ...]) -> Finding:
    by = signed(event.change or Decimal(0))
    return Finding(
        code=code,
        cause=Cause.SPLIT,
        headline=f"The POS logged a {event.kind} of {by} at {case.clock(event.at)}; METRC made no such package.",
        action=Action(
            ActionKind.RESEND,
            "Find in the POS why METRC never took the conversion, then send it again under the same labels; make no "
            "package in METRC by hand.",
        ),
        evidence=(
            Quote("pos", event.where, case.evidence.pos_events.as_of, f"{event.kind} {by} at {case.clock(event.at)}"),
            quote(case.evidence.package, _seen_here(case.evidence)),
        ),
        shares=shares,
        brings_about=FAILED_POSTS if case.evidence.package.value is None else (),
        confidence=Confidence.LIKELY,
    )


def _seen_here(e: Evidence) -> str:
    package = e.package.value
    if package is None or package.quantity is None:
        return "METRC knows no such label at this license"
    return f"METRC still has {plain(package.quantity)} {package.unit or ''}".rstrip()


# --- held, closed, untested -------------------------------------------------------------------------------------------


def _holds(case: Case) -> list[Finding]:
    package = case.evidence.package.value
    if package is None or not package.is_held:
        return []
    kind = "recall" if package.is_on_recall else "investigation" if package.is_on_investigation else "hold"
    texts = [s.sale.message for s in case.matched.having(Fate.REFUSED)]
    return [
        Finding(
            code=ON_HOLD[kind],
            cause=Cause.ON_HOLD,
            headline=f"METRC has this package on {'a recall' if kind == 'recall' else 'administrative hold' if kind == 'hold' else 'investigation'}.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Quarantine it in the POS and call compliance. No count, no sale and no resend until it is lifted.",
            ),
            evidence=(quote(case.evidence.package, f"on {kind}, location {package.location or 'not given'}"),),
            must_not=(Forbidden.RESEND,),
            brings_about=FAILED_POSTS if could_be(Blame.HOLD, texts) and _hold_came_first(case, package) else (),
        )
    ]


def _hold_came_first(case: Case, package: MetrcPackage) -> bool:
    """METRC tells no date of the hold; it cannot be younger than the package's last change. A text needs no date."""
    failed = case.matched.having(Fate.REFUSED, Fate.NEVER_POSTED)
    told = any(blame(s.sale.message) is Blame.HOLD for s in failed)
    since = package.last_modified
    return told or since is None or any(s.sale.sold_at >= since for s in failed)


def _closed(case: Case) -> list[Finding]:
    e = case.evidence
    package = e.package.value
    if package is None or not package.is_closed:
        return []
    discontinued = package.archived_on is not None and not package.is_finished and package.finished_on is None
    reason, day = ("discontinued", package.archived_on) if discontinued else ("finished", package.finished_on)
    code = "finished.discontinued" if discontinued else "finished.finished"
    held = pos_total(e)
    left = f"; the POS still has {plain(held)}" if held else ""
    on = f" on {day}" if day else ""
    refused = [s.sale.message for s in case.matched.having(Fate.REFUSED)]
    return [
        Finding(
            code=code,
            cause=Cause.FINISHED,
            headline=f"METRC {'closed' if discontinued else 'finished'} this package{on}{' (discontinued)' if discontinued else ''}{left}.",
            action=_after_closing(case, package, discontinued=discontinued),
            evidence=(
                quote(
                    e.package,
                    f"{reason}{on}, quantity {plain(package.quantity)}" if package.quantity is not None else reason,
                ),
            ),
            shares=share(
                code,
                (pos_before(case) or Decimal(0)) - (package.quantity or Decimal(0)),
                f"metrc package {package.id}",
                rest=True,
            ),
            must_not=(Forbidden.RESEND,) if refused else (),
            brings_about=FAILED_POSTS if could_be(Blame.ABSENT, refused) else (),
        )
    ]


def _after_closing(case: Case, package: MetrcPackage, *, discontinued: bool) -> Action:
    held, shelf = pos_total(case.evidence), case.evidence.shelf
    if shelf:
        back = "call compliance" if discontinued else "unfinish it in METRC, then correct the side that is wrong"
        return Action(ActionKind.CONTACT_COMPLIANCE, f"{plain(shelf)} are on the shelf: {back}.")
    if not held:
        return Action(ActionKind.NONE, "Nothing to do: neither system counts anything of it.")
    if shelf is not None:
        return Action(ActionKind.FIX_POS_RECORD, "The shelf is empty: close the row in the POS.")
    back = "call compliance" if discontinued else "unfinish it in METRC first"
    unit = package.unit or ""
    return Action(
        ActionKind.RECOUNT,
        f"Look at the shelf. If the {plain(held)} {unit} are there, {back}; if not, close the row in the POS.",
    )


def _lab(case: Case) -> list[Finding]:
    package = case.evidence.package.value
    state = (package.lab_state or "").strip() if package is not None else ""
    if package is None or package.is_closed or not state:
        return []
    if _letters(state) in MAY_BE_SOLD:
        return _lab_is_stale(case, state)
    failed = _letters(state) in FAILED_TESTS
    texts = [s.sale.message for s in case.matched.having(Fate.REFUSED)]
    since = f" since {package.lab_state_on}" if package.lab_state_on else ""
    return [
        Finding(
            code="lab_state.failed" if failed else "lab_state.waiting",
            cause=Cause.LAB_STATE,
            headline=f"METRC does not let it be sold: its lab state is {state}{since}.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Keep it off the floor and call compliance." if failed else "Ask the lab or the sender for the result.",
            ),
            evidence=(quote(case.evidence.package, f"lab state {state}{since}"),),
            must_not=(Forbidden.RESEND,) if texts else (),
            brings_about=("failed_post.refused",) if could_be(Blame.LAB, texts) else (),
        )
    ]


def _letters(state: str) -> str:
    return "".join(c for c in state.casefold() if c.isalnum())


def _lab_is_stale(case: Case, state: str) -> list[Finding]:
    """METRC lets it be sold and the POS's row still waits for the laboratory."""
    waiting = [row for row in case.evidence.pos_rows.value or () if _waits_for_lab(row.status)]
    if not waiting:
        return []
    row = waiting[0]
    return [
        Finding(
            code="lab_state.pos-stale",
            cause=Cause.LAB_STATE,
            headline=f"METRC says {state}; the POS still shows it as “{row.status}” and does not sell it.",
            action=Action(
                ActionKind.FIX_POS_RECORD, "Refresh the lab state in the POS: import the package from METRC again."
            ),
            evidence=(
                quote(case.evidence.package, f"lab state {state}"),
                Quote("pos", row.where, row.as_of, f"status “{row.status}”"),
            ),
        )
    ]


def _waits_for_lab(status: str | None) -> bool:
    """Whether the POS's own word is about a test, and not that it was passed: ``Awaiting test``, ``NotSubmitted``."""
    words = _CAMEL.sub(" ", status or "").replace("_", " ").casefold()
    return bool(_ABOUT_A_TEST.search(words)) and not _TESTED.search(words)
