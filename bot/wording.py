"""Labels as people type them, and a diagnosis as plain text for a terminal. Pure."""

from __future__ import annotations

import re
from typing import Final

from bot.errors import QuestionError
from bot.model import LABEL_LENGTH, Diagnosis, Forbidden, Gap, Outcome, Result
from bot.units import plain, signed

LONGEST: Final = 64
# shorter than this nothing can be looked up by, not even in the POS
SHORTEST: Final = 5

_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_WRAPPING: Final = " \t\r\n\u00a0`'\"“”‘’«»*_~<>()[]{}.,;:!?"

MARKS: Final = {Result.CLEAR: "✓", Result.FOUND: "●", Result.UNKNOWN: "?", Result.NOT_REACHED: "–"}
FORBIDDEN: Final = {
    Forbidden.ADJUST_QUANTITY: "Do not adjust the quantity.",
    Forbidden.RENEW_KEY: "Do not make a new METRC key: that kills the present one everywhere.",
    Forbidden.REMOVE_RECORD: "Do not remove a record.",
    Forbidden.RESEND: "Do not resend the sale.",
}


def readable_label(text: str) -> str:
    """What was typed, as a label: no blanks, dashes or quotes, upper case. Raises ``QuestionError`` for what is none.

    A label of the wrong length or with odd letters is still a question; the bot looks among near labels.
    """
    shown = text.strip()[:40]
    label = text.translate(_INVISIBLE).strip(_WRAPPING).upper()
    joined = re.sub(r"[\s\u00a0\-\u2010-\u2015_.]", "", label)
    if not re.fullmatch(rf"[A-Z0-9]{{{SHORTEST},{LONGEST}}}", joined) or not _may_be_tag(joined):
        raise QuestionError(
            f"{shown!r} cannot be a label; accepted: the 24 letters and digits of a METRC tag, "
            "for example 1A4FF0100000022000001002"
        )
    return joined


def _may_be_tag(joined: str) -> bool:
    """Tags hold digits, so a plain word is none, and several words in a row are a sentence."""
    return len(joined) == LABEL_LENGTH or any(c.isdigit() for c in joined)


def as_text(diagnosis: Diagnosis) -> str:
    """The answer for a terminal."""
    d = diagnosis
    lines = [d.headline, "", *(_check(outcome) for outcome in d.checks), ""]
    lines += _account(d.gap) if d.gap is not None else []
    lines += [*(_package(package) for package in d.packages), ""] if d.packages else []
    lines += ["Do:     " + d.action.text]
    lines += ["Do not: " + FORBIDDEN[f] for f in d.must_not]
    lines += [f"Twin:   {e.system} {e.kind.value} {', '.join(e.remove)}. {e.why}" for e in d.duplicates]
    if d.provisional:
        lines += ["", "Provisional: something that could change this answer could not be read, or is old."]
    code = d.code or d.cause.value
    lines += ["", f"{code}, {d.confidence.value}. Question {d.id}."]
    return "\n".join(lines)


def _package(package: Diagnosis) -> str:
    gap = package.gap
    difference = f"{signed(gap.difference)} {gap.unit}" if gap is not None else "no difference is given"
    return f"{package.subject.value}  {package.code or package.cause.value}, {difference}: {package.headline}"


def _check(outcome: Outcome) -> str:
    return f"{MARKS[outcome.result]} {outcome.name.value:<15}{outcome.summary}"


def _account(gap: Gap) -> list[str]:
    def side(quantity: object) -> str:
        return "no record" if quantity is None else plain(quantity)  # type: ignore[arg-type]

    lines = [f"POS {side(gap.pos)}, METRC {side(gap.metrc)}: {signed(gap.difference)} {gap.unit}"]
    lines += [f"  {signed(share.quantity):>8}  {', '.join(share.refs)} ({share.code})" for share in gap.explained]
    lines += [f"  {signed(gap.unexplained):>8}  unexplained", ""]
    return lines
