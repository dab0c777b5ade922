"""Run the checks in ORDER over the evidence and say what the root is. Pure: same evidence, same diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bot.case import Case, has_residue, metrc_side, pos_total
from bot.checks import ORDER
from bot.errors import ProblemKind
from bot.gap import account
from bot.model import (
    Action,
    ActionKind,
    AsOf,
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    Forbidden,
    Gap,
    Outcome,
    Reading,
    Result,
    Share,
)
from bot.posting import match
from bot.units import plain

_UNDONE_BY: Final = {
    ActionKind.RESEND: Forbidden.RESEND,
    ActionKind.REMOVE_DUPLICATE: Forbidden.REMOVE_RECORD,
}


def diagnose(evidence: Evidence, diagnosis_id: str) -> Diagnosis:
    """Judge one question's evidence."""
    outcomes, gap = _judged(evidence)
    lead = root(outcomes, gap)
    action = _waits_for_twins(outcomes) or (lead.action if lead else None)
    cause = _cause(lead, gap, evidence)
    closes = lead is not None and gap is not None and not has_residue(gap, evidence)
    provisional = _is_provisional(evidence, outcomes, cause, accounted=closes)
    return Diagnosis(
        id=diagnosis_id,
        facility=evidence.shop.license,
        subject=evidence.subject,
        asked_at=evidence.asked_at,
        as_of=AsOf(metrc=_metrc_as_of(evidence), pos=evidence.pos_rows.as_of),
        cause=cause,
        code=lead.code if lead else None,
        confidence=Confidence.UNKNOWN
        if cause is Cause.UNKNOWN
        else _confidence(lead, gap, outcomes, provisional=provisional),
        provisional=provisional,
        headline=lead.headline if lead else _headline(cause, gap, evidence, outcomes),
        action=action or _action(cause, evidence, outcomes),
        must_not=_must_not(cause, action, outcomes),
        gap=gap,
        checks=outcomes,
        duplicates=tuple(dict.fromkeys(d for o in outcomes for f in o.findings for d in f.duplicates)),
        related=tuple(dict.fromkeys(r for o in outcomes for f in o.findings for r in f.related)),
    )


def root(outcomes: Sequence[Outcome], gap: Gap | None) -> Finding | None:
    """The finding behind the others: a closed gate; else one that nothing else brings about and explains the most.

    What a finding brings about counts as its own: a wrong unit explains the sales that were refused for it.
    """
    for outcome in outcomes:
        if outcome.closes:
            return outcome.findings[0] if outcome.findings else None
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    roots = [finding for finding in findings if not _is_brought(finding, findings)]
    # max() keeps the first of equals, and the findings stand in the order of the checks
    return max(roots, key=lambda finding: _weight(finding, findings, gap), default=None)


def _is_brought(finding: Finding, findings: Sequence[Finding]) -> bool:
    """Whether another finding is behind all of it; what no other is behind makes it a root of its own."""
    brings = any(finding.code in other.brings_about for other in findings)
    return brings and (not finding.shares or not _unbrought(finding, findings))


def _unbrought(finding: Finding, findings: Sequence[Finding]) -> list[Share]:
    """The events of a finding that no other brings about."""
    behind = [other for other in findings if finding.code in other.brings_about]
    if any(not other.events for other in behind):
        return []
    events = {event for other in behind for event in other.events}
    return [share for share in finding.shares if share.refs[-1] not in events]


def _brought(finding: Finding, findings: Sequence[Finding]) -> list[Share]:
    """The events of other findings that this one brings about."""
    others = [share for other in findings if other.code in finding.brings_about for share in other.shares]
    return [share for share in others if not finding.events or share.refs[-1] in finding.events]


def _weight(finding: Finding, findings: Sequence[Finding], gap: Gap | None) -> Decimal:
    own = (*_unbrought(finding, findings), *_brought(finding, findings))
    shares = {share.refs[-1]: share.quantity for share in own}
    settled = shares if gap is None else {s.refs[-1]: s.quantity for s in gap.explained if s.refs[-1] in shares}
    return abs(sum(settled.values(), Decimal(0)))


def _judged(evidence: Evidence) -> tuple[tuple[Outcome, ...], Gap | None]:
    """Every check's outcome and the account; heard openly when something is left that this explains to the unit."""
    outcomes, gap = _heard(evidence)
    if gap is not None and has_residue(gap, evidence):
        opened, closing = _heard(evidence, is_open=True)
        if closing is not None and not has_residue(closing, evidence):
            outcomes, gap = opened, closing
    closed = any(outcome.closes for outcome in outcomes)
    return outcomes, None if closed else gap


def _heard(evidence: Evidence, *, is_open: bool = False) -> tuple[tuple[Outcome, ...], Gap | None]:
    """All checks, and once more when an event turned out to explain nothing."""
    outcomes, gap = _run(evidence, is_open=is_open)
    idle = _idle(outcomes, gap)
    leaves = gap is not None and bool(gap.unexplained)
    return _run(evidence, idle, is_open=is_open, leaves=leaves) if idle else (outcomes, gap)


def _idle(outcomes: Sequence[Outcome], gap: Gap | None) -> frozenset[str]:
    """References of events that could explain whatever is left, when nothing was."""
    if gap is None:
        return frozenset()
    used = {share.refs[-1] for share in gap.explained}
    shares = (share for outcome in outcomes for finding in outcome.findings for share in finding.shares)
    return frozenset(share.refs[-1] for share in shares if share.rest and share.refs[-1] not in used)


def _run(
    evidence: Evidence, idle: frozenset[str] = frozenset(), *, is_open: bool, leaves: bool = False
) -> tuple[tuple[Outcome, ...], Gap | None]:
    outcomes: tuple[Outcome, ...] = ()
    gap, laid = account(evidence, ()), match(evidence)
    for name, check in ORDER:
        if any(outcome.closes for outcome in outcomes):
            outcomes = (*outcomes, _not_reached(name))
            continue
        outcome = check(Case(evidence, outcomes, gap, idle, is_open, leaves, laid))
        outcomes = (*outcomes, outcome)
        if any(finding.shares for finding in outcome.findings):
            gap = account(evidence, outcomes)
    return outcomes, gap


def _not_reached(name: CheckName) -> Outcome:
    return Outcome(name, Result.NOT_REACHED, "Not looked at: METRC could not be read, so this would be a guess.")


def _cause(lead: Finding | None, gap: Gap | None, evidence: Evidence) -> Cause:
    if lead is not None:
        return lead.cause
    return Cause.UNKNOWN if gap is None or has_residue(gap, evidence) else Cause.NONE


def _is_provisional(evidence: Evidence, outcomes: Sequence[Outcome], cause: Cause, *, accounted: bool) -> bool:
    """Whether a reading that could change the answer failed or is stale.

    A receipt whose lines could not be read might be on this package; but where named records explain the difference
    to the unit, no unit is left for it.
    """
    if any(outcome.closes for outcome in outcomes):
        # a refused key or a wrong license is a plain answer; silence is not
        return cause in {Cause.OUTAGE, Cause.UNKNOWN}
    failed = any(not r.was_read and _matters(r) for r in _readings(evidence))
    return failed or is_stale(evidence) or (bool(evidence.unread_receipts) and not accounted)


def is_stale(evidence: Evidence) -> bool:
    """Whether the POS export is older than this shop allows."""
    exported = evidence.pos_rows.as_of
    return exported is not None and evidence.asked_at - exported > timedelta(minutes=evidence.shop.max_age_minutes)


def _readings(evidence: Evidence) -> tuple[Reading[Any], ...]:
    e = evidence
    lists: tuple[Reading[Any], ...] = (e.receipts, e.deliveries, e.transfers, e.transferred, e.adjustments)
    searched: tuple[Reading[Any], ...] = tuple(
        reading for reading in (e.near, e.elsewhere, e.children) if reading is not None
    )
    return (e.package, *lists, *searched, e.pos_rows, e.pos_sales, e.pos_events)


def _matters(reading: Reading[object]) -> bool:
    """What a POS or a state does not offer is no failure; the check that needs it says that it cannot tell."""
    return reading.problem is not None and reading.problem.kind is not ProblemKind.NOT_OFFERED


def _unread(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.result is Result.UNKNOWN]


def _confidence(lead: Finding | None, gap: Gap | None, outcomes: Sequence[Outcome], *, provisional: bool) -> Confidence:
    """Certain only while nothing stays unexplained; a count error is what stays unexplained."""
    if lead is None:
        return Confidence.LIKELY if provisional or _unread(outcomes) else Confidence.CERTAIN
    left = gap is not None and gap.unexplained and lead.cause is not Cause.COUNT_ERROR
    return Confidence.LIKELY if (provisional or left) and lead.confidence is Confidence.CERTAIN else lead.confidence


def _waits_for_twins(outcomes: Sequence[Outcome]) -> Action | None:
    """While anything of a package with twins is still on its way, waiting comes before whatever else there is to do."""
    actions = [finding.action for outcome in outcomes for finding in outcome.findings if finding.duplicates]
    return next((action for action in actions if action.kind is ActionKind.WAIT), None)


def _must_not(cause: Cause, action: Action | None, outcomes: Sequence[Outcome]) -> tuple[Forbidden, ...]:
    """What any check warns of, but for the very thing that is to be done: each warning is about its own records."""
    said = [f for o in outcomes for source in (o.must_not, *(x.must_not for x in o.findings)) for f in source]
    if not _may_count(cause, outcomes):
        said.insert(0, Forbidden.ADJUST_QUANTITY)
    to_do = _UNDONE_BY.get(action.kind) if action is not None else None
    return tuple(dict.fromkeys(forbidden for forbidden in said if forbidden is not to_do))


def _may_count(cause: Cause, outcomes: Sequence[Outcome]) -> bool:
    """Only the count check's own finding, with every other check clear, lets anybody touch a number."""
    others = [outcome for outcome in outcomes if outcome.name is not CheckName.COUNT]
    return cause is Cause.COUNT_ERROR and all(outcome.result is Result.CLEAR for outcome in others)


def _headline(cause: Cause, gap: Gap | None, evidence: Evidence, outcomes: Sequence[Outcome]) -> str:
    unread = _unread(outcomes)
    if cause is not Cause.NONE or gap is None:
        # the earliest check that could not tell is what keeps the later ones from telling
        return unread[0].summary
    if _is_nowhere(evidence):
        return "Neither system has any record of this label, and nothing of it is on its way."
    if gap.pos is None and gap.metrc is None:
        return "Neither system counts this label here, and nothing about it is open."
    agreed = f"POS and METRC agree on {plain(gap.metrc or Decimal(0))} {gap.unit}"
    names = " and ".join(outcome.name.value for outcome in unread)
    return f"{agreed}, but {names} could not be fully checked." if unread else f"Nothing is wrong: {agreed}."


def _is_nowhere(evidence: Evidence) -> bool:
    """Whether both systems were asked, and neither knows the label at all."""
    both = (evidence.package, evidence.pos_rows)
    return all(reading.was_read for reading in both) and not any(reading.value for reading in both)


def _action(cause: Cause, evidence: Evidence, outcomes: Sequence[Outcome]) -> Action:
    if cause is Cause.NONE and _is_nowhere(evidence):
        text = (
            "Nothing to do in either system. If such a package is in front of you, read its tag again; if the tag is right, "
            "ask again with what the shelf says."
        )
        return Action(ActionKind.NONE, text)
    if cause is Cause.NONE:
        return Action(ActionKind.NONE, "Nothing to do.")
    gate = next((outcome for outcome in outcomes if outcome.closes), None)
    if gate is not None:
        again = evidence.asked_at + timedelta(minutes=5)
        return Action(ActionKind.RETRY_LATER, "Ask again in a few minutes; nothing was changed.", again)
    unread = [outcome.name.value for outcome in _unread(outcomes)]
    ours, theirs = pos_total(evidence), metrc_side(evidence)
    known = f" (POS {plain(ours) if ours is not None else '?'}, METRC {plain(theirs) if theirs is not None else '?'})"
    return Action(
        ActionKind.RETRY_LATER,
        f"Get what is missing read first: {', '.join(unread)}{known}. Until then the count tells nothing.",
    )


def _metrc_as_of(evidence: Evidence) -> datetime | None:
    readings: tuple[Reading[Any], ...] = (evidence.package, evidence.receipts, evidence.access.facilities)
    return next((reading.as_of for reading in readings if reading.was_read and reading.as_of), None)
