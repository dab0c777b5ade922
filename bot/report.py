"""A diagnosis as the JSON object that scripts rely on (schema ``countlast.diagnosis/1``). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bot.model import Diagnosis, Duplicate, Gap, Outcome, Quote, Share, SubjectKind
from bot.units import plain

SCHEMA: Final = "countlast.diagnosis/1"


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Plain dicts, lists and texts; decimals are texts, times end in Z.

    For a receipt, manifest or product ``packages`` holds the same object for each package it touches.
    """
    d = diagnosis
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "id": d.id,
        "facility": d.facility,
        "subject": {"kind": d.subject.kind.value, "value": d.subject.value},
        "asked_at": stamp(d.asked_at),
        "as_of": {"metrc": stamp(d.as_of.metrc), "pos": stamp(d.as_of.pos)},
        "cause": d.cause.value,
        "code": d.code,
        "confidence": d.confidence.value,
        "provisional": d.provisional,
        "headline": d.headline,
        "action": {"kind": d.action.kind.value, "text": d.action.text, "not_before": stamp(d.action.not_before)},
        "must_not": [forbidden.value for forbidden in d.must_not],
        "gap": _gap(d.gap),
        "checks": [_outcome(outcome) for outcome in d.checks],
        "duplicates": [_duplicate(duplicate) for duplicate in d.duplicates],
        "related": list(d.related),
    }
    if d.subject.kind is not SubjectKind.PACKAGE:
        told["packages"] = [as_json(package) for package in d.packages]
    return told


def stamp(at: datetime | None) -> str | None:
    """``2026-03-03T01:10:00Z``; fractions only when there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def _gap(gap: Gap | None) -> dict[str, Any] | None:
    if gap is None:
        return None
    return {
        "pos": plain(gap.pos) if gap.pos is not None else None,
        "metrc": plain(gap.metrc) if gap.metrc is not None else None,
        "difference": plain(gap.difference),
        "unit": gap.unit,
        "shelf": plain(gap.shelf) if gap.shelf is not None else None,
        "explained": [_share(share) for share in gap.explained],
        "unexplained": plain(gap.unexplained),
    }


def _share(share: Share) -> dict[str, Any]:
    return {"code": share.code, "quantity": plain(share.quantity), "refs": list(share.refs)}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name.value,
        "outcome": outcome.result.value,
        "code": outcome.findings[0].code if outcome.findings else None,
        "summary": outcome.summary,
        "evidence": [_quote(quote) for quote in outcome.evidence],
    }


def _quote(quote: Quote) -> dict[str, Any]:
    return {"source": quote.source, "asked": quote.asked, "as_of": stamp(quote.as_of), "says": quote.says}


def _duplicate(duplicate: Duplicate) -> dict[str, Any]:
    return {
        "system": duplicate.system,
        "kind": duplicate.kind.value,
        "keep": duplicate.keep,
        "remove": list(duplicate.remove),
        "removable": duplicate.removable,
        "why": duplicate.why,
    }
