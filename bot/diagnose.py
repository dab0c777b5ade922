"""Run the checks in ORDER over the evidence and say what the root is. Pure: same evidence, same diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.case import Case, metrc_side, pos_total
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
)
from bot.units import plain


def diagnose(evidence: Evidence, diagnosis_id: str) -> Diagnosis:
    """Judge one question's evidence."""
    outcomes = _run(evidence)
    closed = any(outcome.closes for outcome in outcomes)
    gap = None if closed else account(evidence, outcomes)
    lead = root(outcomes)
    cause = _cause(lead, gap, outcomes)
    provisional = _is_provisional(evidence, outcomes, cause)
    return Diagnosis(
        id=diagnosis_id,
        facility=evidence.shop.license,
        subject=evidence.subject,
        asked_at=evidence.asked_at,
        as_of=AsOf(metrc=_metrc_as_of(evidence), pos=evidence.pos_rows.as_of),
        cause=cause,
        code=lead.code if lead else None,
        confidence=_confidence(lead, cause, gap, provisional=provisional),
        provisional=provisional,
        headline=lead.headline if lead else _headline(cause, gap, outcomes),
        action=lead.action if lead else _action(cause, evidence, outcomes),
        must_not=_must_not(cause, outcomes),
        gap=gap,
        checks=outcomes,
        duplicates=tuple(dict.fromkeys(d for o in outcomes for f in o.findings for d in f.duplicates)),
        related=tuple(dict.fromkeys(r for o in outcomes for f in o.findings for r in f.related)),
    )


def root(outcomes: Sequence[Outcome]) -> Finding | None:
    """The finding behind the others: a closed gate; else one that nothing else brings about and explains the most."""
    for outcome in outcomes:
        if outcome.closes:
            return outcome.findings[0] if outcome.findings else None
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    brought = {code for finding in findings for code in finding.brings_about if code != finding.code}
    roots = [finding for finding in findings if finding.code not in brought] or findings
    # max() keeps the first of equals, and the findings stand in the order of the checks
    return max(roots, key=_weight, default=None)


def _weight(finding: Finding) -> Decimal:
    return abs(sum((share.quantity for share in finding.shares), Decimal(0)))


def _run(evidence: Evidence) -> tuple[Outcome, ...]:
    outcomes: tuple[Outcome, ...] = ()
    for name, check in ORDER:
        if any(outcome.closes for outcome in outcomes):
            outcomes = (*outcomes, _not_reached(name))
            continue
        outcomes = (*outcomes, check(Case(evidence, outcomes, account(evidence, outcomes))))
    return outcomes


def _not_reached(name: CheckName) -> Outcome:
    return Outcome(name, Result.NOT_REACHED, "Not looked at: METRC could not be read, so this would be a guess.")


def _cause(lead: Finding | None, gap: Gap | None, outcomes: Sequence[Outcome]) -> Cause:
    if lead is not None:
        return lead.cause
    if gap is None or gap.unexplained or any(outcome.closes for outcome in outcomes):
        return Cause.UNKNOWN
    return Cause.NONE


def _is_provisional(evidence: Evidence, outcomes: Sequence[Outcome], cause: Cause) -> bool:
    """Whether a reading that could change the answer failed or is stale."""
    if any(outcome.closes for outcome in outcomes):
        # a refused key or a wrong license is a plain answer; silence is not
        return cause in {Cause.OUTAGE, Cause.UNKNOWN}
    failed = any(not r.was_read and _matters(r) for r in _readings(evidence))
    return failed or is_stale(evidence) or bool(evidence.unread_receipts)


def is_stale(evidence: Evidence) -> bool:
    """Whether the POS export is older than this shop allows."""
    exported = evidence.pos_rows.as_of
    return exported is not None and evidence.asked_at - exported > timedelta(minutes=evidence.shop.max_age_minutes)


def _readings(evidence: Evidence) -> tuple[Reading[object], ...]:
    e = evidence
    return (e.package, e.receipts, e.transfers, e.transferred, e.pos_rows, e.pos_sales, e.pos_events)  # type: ignore[return-value]


def _matters(reading: Reading[object]) -> bool:
    """What a POS or a state does not offer is no failure; the check that needs it says that it cannot tell."""
    return reading.problem is not None and reading.problem.kind is not ProblemKind.NOT_OFFERED


def _confidence(lead: Finding | None, cause: Cause, gap: Gap | None, *, provisional: bool) -> Confidence:
    if cause is Cause.UNKNOWN:
        return Confidence.UNKNOWN
    if lead is None:
        return Confidence.LIKELY if provisional else Confidence.CERTAIN
    loose = provisional or (gap is not None and gap.unexplained and cause is not Cause.COUNT_ERROR)
    return Confidence.LIKELY if loose and lead.confidence is Confidence.CERTAIN else lead.confidence


def _must_not(cause: Cause, outcomes: Sequence[Outcome]) -> tuple[Forbidden, ...]:
    said = [f for o in outcomes for source in (o.must_not, *(x.must_not for x in o.findings)) for f in source]
    if not _may_count(cause, outcomes):
        said.insert(0, Forbidden.ADJUST_QUANTITY)
    return tuple(dict.fromkeys(said))


def _may_count(cause: Cause, outcomes: Sequence[Outcome]) -> bool:
    """Only the count check's own finding, with every other check clear, lets anybody touch a number."""
    others = [outcome for outcome in outcomes if outcome.name is not CheckName.COUNT]
    return cause is Cause.COUNT_ERROR and all(outcome.result is Result.CLEAR for outcome in others)


def _headline(cause: Cause, gap: Gap | None, outcomes: Sequence[Outcome]) -> str:
    if cause is Cause.NONE:
        counted = gap is not None and (gap.pos is not None or gap.metrc is not None)
        if not counted:
            return "Neither system counts this label here, and nothing about it is open."
        amount = plain((gap.metrc if gap.metrc is not None else gap.pos) or Decimal(0)) if gap else "0"
        return f"Nothing is wrong: POS and METRC agree on {amount} {gap.unit if gap else ''}.".replace(" .", ".")
    unread = [outcome for outcome in outcomes if outcome.result is Result.UNKNOWN]
    return unread[0].summary if unread else "It cannot be told what is wrong."


def _action(cause: Cause, evidence: Evidence, outcomes: Sequence[Outcome]) -> Action:
    if cause is Cause.NONE:
        return Action(ActionKind.NONE, "Nothing to do.")
    gate = next((outcome for outcome in outcomes if outcome.closes), None)
    if gate is not None:
        again = evidence.asked_at + timedelta(minutes=5)
        return Action(ActionKind.RETRY_LATER, "Ask again in a few minutes; nothing was changed.", again)
    unread = [outcome.name.value for outcome in outcomes if outcome.result is Result.UNKNOWN]
    ours, theirs = pos_total(evidence), metrc_side(evidence)
    known = f" (POS {plain(ours) if ours is not None else '?'}, METRC {plain(theirs) if theirs is not None else '?'})"
    return Action(
        ActionKind.RETRY_LATER,
        f"Get what is missing read first: {', '.join(unread)}{known}. Until then the count tells nothing.",
    )


def _metrc_as_of(evidence: Evidence) -> datetime | None:
    times = [
        r.as_of for r in (evidence.package, evidence.receipts, evidence.access.facilities) if r.as_of and r.was_read
    ]
    return times[0] if times else None
