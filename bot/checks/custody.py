"""Custody: whose is the package now, and may it be sold?

Recognised by METRC's own words: on a manifest that was not received, refused on one, sent to another license, on hold,
finished, discontinued, or in a lab state that may not be sold.

Do: what custody asks for (accept the load, post the transfer out, call compliance, look at the shelf). Never: correct a
quantity because a package is elsewhere or held.
"""

from __future__ import annotations

from typing import Final

from bot.case import (
    Case,
    clear,
    found,
    metrc_side,
    not_read,
    on_the_road,
    own,
    pos_total,
    quote,
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
    Direction,
    Evidence,
    Finding,
    Forbidden,
    MetrcPackage,
    Outcome,
    Quote,
    Transfer,
    TransferPackage,
)
from bot.posting import Fate
from bot.refusals import Blame, could_be
from bot.units import plain

NAME = CheckName.CUSTODY

FAILED_POSTS: Final = ("failed_post.refused", "failed_post.never-posted")
MAY_BE_SOLD: Final = frozenset(
    {"testpassed", "retestpassed", "notrequired", "processvalidated", "remediated", "decontaminated", "randdcompleted"}
)
FAILED_TESTS: Final = frozenset({"testfailed", "retestfailed"})


def check(case: Case) -> Outcome:
    """Tell where METRC says the package is."""
    findings = [*_road(case), *_left(case), *_holds(case), *_closed(case), *_lab(case)]
    if findings:
        return found(NAME, findings)
    e = case.evidence
    missing = not_read(e.package)
    # a living package at this license needs no manifest to say where it is
    if e.package.value is None:
        missing = (*missing, *not_read(e.transfers), *not_read(e.transferred))
    if missing:
        return unknown(NAME, "Where the package is could not be read.", *missing)
    return clear(NAME, _where(e), quote(e.package, _where(e)))


def _where(e: Evidence) -> str:
    package = e.package.value
    if package is None:
        return "METRC has this label on no manifest of this license and in none of its packages."
    return f"METRC has it active at this license, not held, {package.lab_state or 'lab state not given'}."


# --- on a manifest ----------------------------------------------------------------------------------------------------


def _road(case: Case) -> list[Finding]:
    load = on_the_road(case.evidence)
    if load is None:
        return _refused_load(case)
    return [_incoming(case, *load)]


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


def _refused_load(case: Case) -> list[Finding]:
    """The label came on a manifest and was refused there."""
    e = case.evidence
    if e.package.value is not None:
        return []
    refused = [
        (t, p) for t in e.transfers.value or () for p in own(t, case.label) if state_of(p) in {"rejected", "returned"}
    ]
    if not refused:
        return []
    transfer, package = refused[-1]
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
            shares=share(code, held, f"metrc manifest {transfer.manifest}", rest=True),
            brings_about=FAILED_POSTS,
        )
    ]


def _left(case: Case) -> list[Finding]:
    """It left this license on a manifest of ours, or another license holds it now."""
    e = case.evidence
    if metrc_side(e) or on_the_road(e) is not None:
        return []
    out = [(t, p) for t in e.transfers.value or () if t.direction is Direction.OUTGOING for p in own(t, case.label)]
    gone = [row for row in e.transferred.value or () if row.recipient_license not in {None, e.shop.license}]
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
        shares=share(code, held, f"metrc manifest {manifest}" if manifest else f"metrc package at {to}", rest=True),
        brings_about=FAILED_POSTS,
        confidence=Confidence.LIKELY,
    )


def _manifest(e: Evidence, transfer: Transfer, package: TransferPackage) -> Quote:
    path = f"GET /transfers/v2/deliveries/{transfer.delivery_id}/packages"
    received = "received" if transfer.received_at else "not received"
    return Quote("metrc", path, e.transfers.as_of, f"manifest {transfer.manifest}: {package.state}, {received}")


# --- held, closed, untested -------------------------------------------------------------------------------------------


def _holds(case: Case) -> list[Finding]:
    package = case.evidence.package.value
    if package is None or not package.is_held:
        return []
    kind = "recall" if package.is_on_recall else "investigation" if package.is_on_investigation else "hold"
    texts = [s.sale.message for s in case.matched.having(Fate.REFUSED)]
    return [
        Finding(
            code=f"on_hold.{kind}",
            cause=Cause.ON_HOLD,
            headline=f"METRC has this package on {'a recall' if kind == 'recall' else 'administrative hold' if kind == 'hold' else 'investigation'}.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Quarantine it in the POS and call compliance. No count, no sale and no resend until it is lifted.",
            ),
            evidence=(quote(case.evidence.package, f"on {kind}, location {package.location or 'not given'}"),),
            must_not=(Forbidden.RESEND,),
            brings_about=("failed_post.refused",) if could_be(Blame.HOLD, texts) else (),
        )
    ]


def _closed(case: Case) -> list[Finding]:
    e = case.evidence
    package = e.package.value
    if package is None or not package.is_closed:
        return []
    discontinued = package.archived_on is not None and not package.is_finished and package.finished_on is None
    reason, day = ("discontinued", package.archived_on) if discontinued else ("finished", package.finished_on)
    code = f"finished.{reason}"
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
            shares=share(code, held, f"metrc package {package.id}", rest=True),
            must_not=(Forbidden.RESEND,) if refused else (),
            brings_about=FAILED_POSTS if could_be(Blame.ABSENT, refused) else (),
        )
    ]


def _after_closing(case: Case, package: MetrcPackage, *, discontinued: bool) -> Action:
    held, shelf = pos_total(case.evidence), case.evidence.shelf
    if not held:
        return Action(ActionKind.NONE, "Nothing to do: neither system counts anything of it.")
    if shelf is not None and shelf == 0:
        return Action(ActionKind.FIX_POS_RECORD, "The shelf is empty: close the row in the POS.")
    if shelf:
        back = "call compliance" if discontinued else "unfinish it in METRC, then correct the side that is wrong"
        return Action(ActionKind.CONTACT_COMPLIANCE, f"{plain(shelf)} are on the shelf: {back}.")
    back = "call compliance" if discontinued else "unfinish it in METRC first"
    unit = package.unit or ""
    return Action(
        ActionKind.RECOUNT,
        f"Look at the shelf. If the {plain(held)} {unit} are there, {back}; if not, close the row in the POS.",
    )


def _lab(case: Case) -> list[Finding]:
    package = case.evidence.package.value
    state = (package.lab_state or "").strip() if package is not None else ""
    if package is None or package.is_closed or not state or state.casefold() in MAY_BE_SOLD:
        return []
    failed = state.casefold() in FAILED_TESTS
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
