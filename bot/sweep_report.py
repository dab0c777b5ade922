"""A sweep as the JSON object that scripts rely on (schema ``countlast.sweep/1``), and as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bot.model import Action, ActionKind, Cause
from bot.report import stamp
from bot.sweep_groups import Group, Sweep
from bot.units import plain

SCHEMA: Final = "countlast.sweep/1"
MOST_LABELS: Final = 5


def as_json(sweep: Sweep) -> dict[str, Any]:
    """Plain dicts, lists and texts; decimals are texts, times end in Z."""
    return {
        "schema": SCHEMA,
        "facility": sweep.facility,
        "packages": sweep.packages,
        "agree": sweep.agree,
        "groups": [_group(group) for group in sweep.groups],
        "requests": sweep.requests,
        "seconds": round(sweep.seconds, 3),
    }


def from_json(told: Mapping[str, Any]) -> Sweep:
    """What ``as_json`` made of it; raises ``ValueError`` for anything else."""
    try:
        groups = tuple(_group_from(group) for group in told["groups"])
        return Sweep(
            told["facility"], told["packages"], told["agree"], groups, told["requests"], float(told["seconds"])
        )
    except (KeyError, TypeError, InvalidOperation) as error:
        raise ValueError(f"not a sweep that this version has written: {error}") from error


def _group_from(told: Mapping[str, Any]) -> Group:
    action, waits = told["action"], told["action"]["not_before"]
    return Group(
        cause=Cause(told["cause"]),
        code=told["code"],
        headline=told["headline"],
        common=told["common"],
        labels=tuple(told["packages"]),
        action=Action(ActionKind(action["kind"]), action["text"], datetime.fromisoformat(waits) if waits else None),
        difference=tuple((unit, Decimal(total)) for unit, total in told["difference"].items()),
    )


def as_text(sweep: Sweep) -> str:
    """A line for the shop, then a paragraph a group."""
    lines = [summary(sweep), *(line for group in sweep.groups for line in ("", *_paragraph(group)))]
    return "\n".join(lines)


def summary(sweep: Sweep) -> str:
    """How many packages agree, in one sentence."""
    if not sweep.packages and not sweep.groups:
        return f"{sweep.facility}: neither side names a package."
    cost = f"{_count(sweep.requests, 'request')} to METRC in {sweep.seconds:.1f} s."
    if sweep.is_blind:
        return f"{sweep.facility}: {_count(sweep.packages, 'package')} could not be looked at. {cost}"
    causes = f"{_count(len(sweep.groups), 'common cause')} for the rest"
    return f"{sweep.facility}: {sweep.agree:,} of {sweep.packages:,} packages agree; {causes}{_apart(sweep)}. {cost}"


def _apart(sweep: Sweep) -> str:
    """What does not agree and is no difference that somebody has to mend."""
    told = [f"{sweep.unread:,} could not be looked at"] if sweep.unread else []
    told += [f"{sweep.idle:,} counted by neither side, nothing to do"] if sweep.idle else []
    return "".join(f"; {each}" for each in told)


def differences(totals: tuple[tuple[str, Decimal], ...]) -> str:
    """``+5 Each, -2.5 Grams``; a total of zero is left out."""
    return ", ".join(f"{'+' if total > 0 else ''}{plain(total)} {unit}" for unit, total in totals if total)


def _group(group: Group) -> dict[str, Any]:
    action = group.action
    return {
        "cause": group.cause.value,
        "code": group.code,
        "headline": group.headline,
        "common": group.common,
        "packages": list(group.labels),
        "action": {"kind": action.kind.value, "text": action.text, "not_before": stamp(action.not_before)},
        "difference": {unit: plain(total) for unit, total in group.difference},
    }


def _paragraph(group: Group) -> Iterator[str]:
    total = differences(group.difference)
    yield f"{_count(len(group.labels), 'package')} · {group.code or group.cause.value}" + (
        f" · {total}" if total else ""
    )
    yield f"  {group.headline}"
    yield f"  {group.common}"
    yield f"  Do: {group.action.text}"
    if group.action.not_before is not None:
        yield f"  Not before {stamp(group.action.not_before)}"
    left = len(group.labels) - MOST_LABELS
    yield f"  {', '.join(group.labels[:MOST_LABELS])}" + (f" and {left:,} more" if left > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
