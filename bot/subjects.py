"""Judge whatever was asked about: a package by its checks, a receipt, manifest or product by its own. Pure.

A receipt, manifest or product is answered like a package: seven checks in order, one root. What is found about the record
itself leads; where nothing is, the answer rests on what its packages' own diagnoses found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bot import manifest_subject, product_subject, receipt_subject
from bot.case import Case
from bot.checks import authentication
from bot.diagnose import diagnose, is_stale, root
from bot.errors import ProblemKind
from bot.model import (
    Action,
    ActionKind,
    AsOf,
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Duplicate,
    Evidence,
    Finding,
    Forbidden,
    Outcome,
    Reading,
    Result,
    SubjectKind,
)
from bot.record import BY_PACKAGE, Record, count_of, lifted, tail
from bot.units import signed

Check = Callable[[Record], Outcome]


@dataclass(frozen=True)
class Kind:
    """What is special about one kind of subject; ``checks`` are the six behind authentication, in order."""

    checks: tuple[tuple[CheckName, Check], ...]
    is_known: Callable[[Record], bool]
    name: Callable[[Record], str]
    where_looked: Callable[[Record], str]


MOST_OPEN: Final = 3

_UNDONE_BY: Final = {
    ActionKind.RESEND: Forbidden.RESEND,
    ActionKind.REMOVE_DUPLICATE: Forbidden.REMOVE_RECORD,
}
KINDS: Final = {
    SubjectKind.RECEIPT: Kind(
        receipt_subject.CHECKS, receipt_subject.is_known, receipt_subject.name, receipt_subject.where_looked
    ),
    SubjectKind.MANIFEST: Kind(
        manifest_subject.CHECKS, manifest_subject.is_known, manifest_subject.name, manifest_subject.where_looked
    ),
    SubjectKind.PRODUCT: Kind(
        product_subject.CHECKS, product_subject.is_known, product_subject.name, product_subject.where_looked
    ),
}


def judge(evidence: Evidence, diagnosis_id: str) -> Diagnosis:
    """Judge one question's evidence, whatever its subject is."""
    kind = KINDS.get(evidence.subject.kind)
    if kind is None:
        return diagnose(evidence, diagnosis_id)
    packages = tuple(diagnose(each, f"{diagnosis_id}.{n}") for n, each in enumerate(evidence.packages, 1))
    return _judge(Record(evidence, packages), kind, diagnosis_id)


def _judge(record: Record, kind: Kind, diagnosis_id: str) -> Diagnosis:
    e = record.evidence
    outcomes = _outcomes(record, kind)
    lead = root(outcomes, None)
    cause = _cause(record, lead, outcomes)
    provisional = _is_provisional(record, outcomes, cause)
    action = _waits(outcomes) or (lead.action if lead else _action(record, kind, cause, outcomes))
    action = _beside_others(action, record, lead) if lead else action
    return Diagnosis(
        id=diagnosis_id,
        facility=e.shop.license,
        subject=e.subject,
        asked_at=e.asked_at,
        as_of=AsOf(_first(e.receipts, e.transfers, e.near, e.access.facilities), _first(e.pos_sales, e.pos_rows)),
        cause=cause,
        code=lead.code if lead else None,
        confidence=_confidence(cause, lead, outcomes, provisional=provisional),
        provisional=provisional,
        headline=_led(record, lead) if lead else _headline(record, kind, cause, outcomes),
        action=action,
        must_not=_must_not(cause, action, outcomes),
        gap=None,
        checks=outcomes,
        duplicates=_duplicates(outcomes, lead),
        related=_related(record, outcomes),
        packages=record.packages,
    )


# --- the checks -------------------------------------------------------------------------------------------------------


def _outcomes(record: Record, kind: Kind) -> tuple[Outcome, ...]:
    gate = _authentication(record)
    if gate.closes:
        closed = "Not looked at: METRC could not be read, so this would be a guess."
        return (gate, *(Outcome(name, Result.NOT_REACHED, closed) for name, _ in kind.checks))
    if not kind.is_known(record):
        return (gate, *(_nothing_known(record, kind, name) for name, _ in kind.checks))
    own = (gate, *(check(record) for _, check in kind.checks))
    if any(outcome.findings for outcome in own):
        return own
    return tuple(lifted(outcome.name, outcome, record) for outcome in own)


def _authentication(record: Record) -> Outcome:
    """The ladder is the same for every question; posts that METRC refused are told by the packages that were in them."""
    e = record.evidence
    bare = Evidence(
        shop=e.shop,
        subject=e.subject,
        asked_at=e.asked_at,
        access=e.access,
        package=e.package,
        receipts=_none(e.receipts),
        deliveries=e.deliveries,
        transfers=_none(e.transfers),
        transferred=e.transferred,
        adjustments=e.adjustments,
        pos_rows=_none(e.pos_rows),
        pos_sales=_none(e.pos_sales),
        pos_events=_none(e.pos_events),
    )
    return authentication.check(Case(bare))


def _none(reading: Reading[Any]) -> Reading[Any]:
    return Reading(reading.source, reading.asked, reading.as_of, None, reading.problem)


def _nothing_known(record: Record, kind: Kind, name: CheckName) -> Outcome:
    """Neither side has such a record: why is said once, by the check that compares names; no other has anything to tell."""
    if name is not CheckName.MAPPING:
        return Outcome(
            name,
            Result.UNKNOWN,
            f"No such {record.evidence.subject.kind.value} is known, so there is nothing to look at.",
        )
    unread = [reading for reading in _readings(record.evidence) if _failed(reading)]
    said = f"Nothing is known under {record.value}. Looked in: {kind.where_looked(record)}."
    if unread and unread[0].problem is not None:
        said = f"{said} Not all of it could be read: {unread[0].problem.says}"
    return Outcome(name, Result.UNKNOWN, said)


# --- the answer -------------------------------------------------------------------------------------------------------


def _cause(record: Record, lead: Finding | None, outcomes: Sequence[Outcome]) -> Cause:
    if lead is not None:
        return lead.cause
    unsure = any(_failed(reading) for reading in _readings(record.evidence)) or _unread(outcomes, CheckName.MAPPING)
    packages_unsure = any(package.cause is Cause.UNKNOWN for package in record.packages)
    looked_at_none = bool(record.evidence.left_out) and not record.packages
    return Cause.UNKNOWN if unsure or packages_unsure or looked_at_none or outcomes[0].closes else Cause.NONE


def _unread(outcomes: Sequence[Outcome], name: CheckName | None = None) -> list[Outcome]:
    return [o for o in outcomes if o.result is Result.UNKNOWN and name in {None, o.name}]


def _is_provisional(record: Record, outcomes: Sequence[Outcome], cause: Cause) -> bool:
    """Whether a reading that could change the answer failed, is stale, or was left out."""
    if any(outcome.closes for outcome in outcomes):
        return cause in {Cause.OUTAGE, Cause.UNKNOWN}
    e = record.evidence
    failed = any(_failed(reading) for reading in _readings(e))
    partly = any(package.provisional for package in record.packages)
    return failed or partly or is_stale(e) or bool(e.unread_receipts) or bool(e.left_out)


def _readings(evidence: Evidence) -> tuple[Reading[Any], ...]:
    e = evidence
    near = () if e.near is None else (e.near,)
    return (e.receipts, e.transfers, e.pos_rows, e.pos_sales, e.pos_events, *near)


def _failed(reading: Reading[Any]) -> bool:
    """What does not belong to this kind of subject, or is not offered, is no failure."""
    return reading.problem is not None and reading.problem.kind is not ProblemKind.NOT_OFFERED


def _confidence(cause: Cause, lead: Finding | None, outcomes: Sequence[Outcome], *, provisional: bool) -> Confidence:
    if cause is Cause.UNKNOWN:
        return Confidence.UNKNOWN
    if lead is None:
        return Confidence.LIKELY if provisional or _unread(outcomes) else Confidence.CERTAIN
    return Confidence.LIKELY if provisional and lead.confidence is Confidence.CERTAIN else lead.confidence


def _waits(outcomes: Sequence[Outcome]) -> Action | None:
    """While anything of a package with twins is on its way, waiting comes before whatever else there is to do."""
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    actions = [finding.action for finding in findings if finding.duplicates and not _is_lifted(finding)]
    return next((action for action in actions if action.kind is ActionKind.WAIT), None)


def _must_not(cause: Cause, action: Action, outcomes: Sequence[Outcome]) -> tuple[Forbidden, ...]:
    """What any check warns of, but for the very thing that is to be done; a number only the count check frees."""
    said = [f for o in outcomes for source in (o.must_not, *(x.must_not for x in o.findings)) for f in source]
    others = [outcome for outcome in outcomes if outcome.name is not CheckName.COUNT]
    if cause is not Cause.COUNT_ERROR or any(outcome.result is not Result.CLEAR for outcome in others):
        said.insert(0, Forbidden.ADJUST_QUANTITY)
    to_do = _UNDONE_BY.get(action.kind)
    return tuple(dict.fromkeys(forbidden for forbidden in said if forbidden is not to_do))


def _duplicates(outcomes: Sequence[Outcome], lead: Finding | None) -> tuple[Duplicate, ...]:
    """The record's own twins. What only its packages hold is offered with them, but for what is to be done first."""
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    if lead is not None and _is_lifted(lead):
        findings = [lead]
    return tuple(dict.fromkeys(twin for finding in findings for twin in finding.duplicates))


def _is_lifted(finding: Finding) -> bool:
    return finding.headline.startswith(BY_PACKAGE)


def _led(record: Record, lead: Finding) -> str:
    """The lead's own words; where several packages have something of their own, how many of them."""
    ailing = [package for package in record.packages if package.code is not None]
    if len(ailing) < 2 or not _is_lifted(lead):
        return lead.headline
    return f"{len(ailing)} of {count_of(len(record.packages), 'package')} have a finding. {lead.headline}"


def _headline(record: Record, kind: Kind, cause: Cause, outcomes: Sequence[Outcome]) -> str:
    unread = _unread(outcomes)
    if cause is Cause.UNKNOWN:
        unsure = next((package for package in record.packages if package.cause is Cause.UNKNOWN), None)
        if unread or unsure is None:
            return unread[0].summary if unread else f"{kind.name(record)}: its packages were not looked at."
        return f"{BY_PACKAGE}{tail(unsure.subject.value)}: {unsure.headline}"
    packages = count_of(len(record.packages), "package")
    names = " and ".join(outcome.name.value for outcome in unread)
    if unread:
        return f"{kind.name(record)}: nothing was found with its {packages}, but {names} could not be fully checked."
    return f"Nothing is wrong: {kind.name(record)}, {packages}."


def _action(record: Record, kind: Kind, cause: Cause, outcomes: Sequence[Outcome]) -> Action:
    e = record.evidence
    if cause is Cause.NONE:
        return Action(ActionKind.NONE, "Nothing to do.")
    if any(outcome.closes for outcome in outcomes):
        again = e.asked_at + timedelta(minutes=5)
        return Action(ActionKind.RETRY_LATER, "Ask again in a few minutes; nothing was changed.", again)
    if not kind.is_known(record) and not any(_failed(reading) for reading in _readings(e)):
        near = f" Nearly the same: {', '.join(e.alike)}." if e.alike else ""
        return Action(ActionKind.NONE, f"Check what was typed, and ask again.{near}")
    names = ", ".join(outcome.name.value for outcome in _unread(outcomes)) or "its packages"
    return Action(ActionKind.RETRY_LATER, f"Get what is missing read first: {names}. Until then nothing is certain.")


def _beside_others(action: Action, record: Record, lead: Finding) -> Action:
    """The step with the package it is for, and with those that it does not settle."""
    if action is not lead.action:
        return action
    led = next((p for p in record.packages if p.code == lead.code and p.action == action), None)
    lifted_from = led if _is_lifted(lead) else None
    text = action.text
    if lifted_from is not None and len(record.packages) > 1:
        text = f"{BY_PACKAGE}{record.short(lifted_from.subject.value)}: {text}"
    still = [package for package in record.packages if not _is_settled(package, lead, lifted_from)]
    if not still:
        return replace(action, text=text)
    still.sort(key=lambda p: abs(p.gap.difference) if p.gap is not None else Decimal(0), reverse=True)
    named = ", ".join(_open(record, package) for package in still[:MOST_OPEN])
    more = f" and {len(still) - MOST_OPEN} more" if len(still) > MOST_OPEN else ""
    return replace(action, text=f"{text} Still open beside this: {named}{more}. Ask about each tag.")


def _is_settled(package: Diagnosis, lead: Finding, lifted_from: Diagnosis | None) -> bool:
    """Whether nothing is left to do for a package once the lead's step is done."""
    if package.code is None or package.action.kind is ActionKind.NONE or package.code in lead.brings_about:
        return True
    label = package.subject.value
    if lifted_from is not None:
        return package is lifted_from or label in lifted_from.related
    # a rest that the lead explains is no miscount
    explained = label in lead.related and package.cause is Cause.COUNT_ERROR
    return package.code == lead.code or explained


def _open(record: Record, package: Diagnosis) -> str:
    gap = package.gap
    by = f" ({signed(gap.difference)} {gap.unit})" if gap is not None and gap.difference else ""
    return f"{record.short(package.subject.value)}{by}"


def _related(record: Record, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    found = [label for o in outcomes for f in o.findings for label in f.related]
    named = dict.fromkeys([*found, *record.evidence.left_out])
    return tuple(label for label in named if label != record.value)


def _first(*readings: Reading[Any] | None) -> datetime | None:
    return next((r.as_of for r in readings if r is not None and r.was_read and r.as_of), None)
