"""A diagnosis → the message in the thread, and its evidence → smaller messages behind it. Pure.

Every part has its own budget, so that the worst record still makes a message that Slack takes and a phone shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot.model import (
    Cause,
    Diagnosis,
    Gap,
    Outcome,
    Quote,
    Result,
    Share,
    SubjectKind,
)
from bot.settings import FacilitySettings
from handlers.render import words
from handlers.render.blocks import Block, Message, actions, bold, button, code, context, cut, section, size
from handlers.render.words import listed

EVIDENCE_ACTION: Final = "show_evidence"
AGAIN_ACTION: Final = "ask_again"
HAND_ACTION: Final = "hand_over"
RIGHT_ACTION: Final = "was_right"

MOST_SHARES: Final = 6
MOST_REFS: Final = 3
MOST_RELATED: Final = 6
MOST_PACKAGES: Final = 20
EVIDENCE_BUDGET: Final = 7000
EVIDENCE_MESSAGES: Final = 3
QUOTE_LIMIT: Final = 400


def render_diagnosis(diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None) -> Message:
    """The answer: headline, the seven checks, the account, what to do and not to do, small print."""
    parts = [
        section(bold(diagnosis.headline, 400)),
        section("\n".join(_check_line(outcome) for outcome in diagnosis.checks[:7]) or words.NO_CHECKS),
        section(_account(diagnosis) if diagnosis.subject.kind is SubjectKind.PACKAGE else _packages(diagnosis)),
        section(_what_to_do(diagnosis, facility.zone)),
        *_reservations(diagnosis, facility),
        context(*_small_print(diagnosis, facility, asked_by)),
    ]
    return Message(text=_fallback(diagnosis), blocks=tuple(parts))


def render_answer(diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None) -> Message:
    """The answer with the buttons that belong to every answer."""
    answer = render_diagnosis(diagnosis, facility, asked_by)
    return Message(answer.text, (*answer.blocks, _buttons(diagnosis.id)))


def _buttons(diagnosis_id: str) -> Block:
    labels = (
        (EVIDENCE_ACTION, words.EVIDENCE_BUTTON),
        (AGAIN_ACTION, words.AGAIN_BUTTON),
        (HAND_ACTION, words.HAND_BUTTON),
        (RIGHT_ACTION, words.RIGHT_BUTTON),
    )
    return actions("answer", [button(label, action_id=action, value=diagnosis_id) for action, label in labels])


def render_summary(diagnosis: Diagnosis) -> str:
    """Headline, next step and warnings as one piece of markup, for places that hold no blocks."""
    return _fallback(diagnosis)


def render_evidence(diagnosis: Diagnosis, facility: FacilitySettings) -> tuple[Message, ...]:
    """What was read for each check, in at most three messages; none when nothing was quoted."""
    lines = list(_evidence_lines(diagnosis, facility.zone))
    if not lines:
        return ()
    pages = _paged(lines, EVIDENCE_BUDGET)
    shown = pages[:EVIDENCE_MESSAGES]
    left_out = sum(len(page) for page in pages[EVIDENCE_MESSAGES:])
    if left_out:
        shown[-1].append(words.more_evidence(left_out, diagnosis.id))
    return tuple(_evidence_message(page, number, len(shown)) for number, page in enumerate(shown, 1))


# --- the account ------------------------------------------------------------------------------------------------------


def _account(diagnosis: Diagnosis) -> str:
    gap = diagnosis.gap
    if gap is None:
        return words.no_gap(diagnosis.cause)
    unit = cut(gap.unit, 30)
    return "\n".join([f"*{_sides(gap)} · {words.difference(gap.difference, unit)}*", *_shares(gap)])


def _sides(gap: Gap) -> str:
    sides = words.sides(gap.pos, gap.metrc)
    return sides if gap.shelf is None else f"{sides} · {words.shelf(gap.shelf)}"


def _shares(gap: Gap) -> Iterator[str]:
    for share in gap.explained[:MOST_SHARES]:
        yield f"{words.signed(share.quantity)}  {words.event(share.code)}: {_refs(share)}"
    rest = gap.explained[MOST_SHARES:]
    if rest:
        yield f"{words.signed(sum((s.quantity for s in rest), Decimal(0)))}  {words.more(len(rest))}"
    yield words.unexplained(gap.unexplained)


def _refs(share: Share) -> str:
    return listed([cut(words.reference(ref), 44) for ref in share.refs], MOST_REFS) or words.NO_RECORD


# --- the packages of a receipt, manifest or product -------------------------------------------------------------------


def _packages(diagnosis: Diagnosis) -> str:
    """One line each, those with a finding first; what is in order is only counted when there are many."""
    if not diagnosis.packages:
        return words.no_packages()
    ailing = [package for package in diagnosis.packages if package.cause is not Cause.NONE]
    healthy = [package for package in diagnosis.packages if package.cause is Cause.NONE]
    shown = [*ailing, *healthy][:MOST_PACKAGES]
    lines = [words.package_line(package) for package in shown]
    agreeing = len(healthy) - sum(package.cause is Cause.NONE for package in shown)
    others = len(diagnosis.packages) - len(shown) - agreeing
    return "\n".join([*lines, words.more_packages(agreeing, others)] if agreeing or others else lines)


# --- what to do -------------------------------------------------------------------------------------------------------


def _what_to_do(diagnosis: Diagnosis, zone: ZoneInfo) -> str:
    lines = [words.do(diagnosis.action.text)]
    if diagnosis.action.not_before is not None:
        lines.append(words.not_before(diagnosis.action.not_before, zone))
    if diagnosis.must_not:
        lines.append(f"*{words.must_not(diagnosis.must_not)}*")
    return "\n".join(lines)


def _reservations(diagnosis: Diagnosis, facility: FacilitySettings) -> list[Block]:
    sentences = []
    if diagnosis.provisional:
        unread = [outcome for outcome in diagnosis.checks if outcome.result is Result.UNKNOWN]
        sentences.append(words.provisional([_not_read(outcome) for outcome in unread]))
    age = _pos_age(diagnosis)
    if age is not None and age > timedelta(minutes=facility.pos.max_age_minutes):
        sentences.append(words.stale(age))
    return [section(" ".join(sentences))] if sentences else []


def _not_read(outcome: Outcome) -> str:
    return f"{words.CHECKS[outcome.name]} ({cut(outcome.summary.rstrip('.'), 120)})"


def _pos_age(diagnosis: Diagnosis) -> timedelta | None:
    return diagnosis.asked_at - diagnosis.as_of.pos if diagnosis.as_of.pos else None


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_line(outcome: Outcome) -> str:
    head = f"{words.MARKS[outcome.result]} · {words.CHECKS[outcome.name]}"
    if outcome.result is Result.CLEAR:
        # on a phone seven sentences are a wall; what is clear needs no reason, and the evidence has it
        return head
    if outcome.result is Result.FOUND:
        head = f"*{head}*"
    summary = cut(outcome.summary, 140)
    return f"{head}: {summary}" if summary else head


# --- small print ------------------------------------------------------------------------------------------------------


def _small_print(diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None) -> Iterator[str]:
    yield words.sureness(diagnosis)
    yield words.sides_as_of(diagnosis.as_of.metrc, diagnosis.as_of.pos, facility.zone)
    if diagnosis.related:
        yield words.also_concerns(diagnosis.related, MOST_RELATED)
    yield f"{words.asked_at(facility.name, asked_by)} · {code(diagnosis.id, 60)}"


def _as_of(at: datetime | None, zone: ZoneInfo) -> str:
    return words.as_of(at, zone)


def _fallback(diagnosis: Diagnosis) -> str:
    lines = [cut(diagnosis.headline, 400), words.do_plainly(diagnosis.action.text)]
    if diagnosis.must_not:
        lines.append(words.must_not(diagnosis.must_not))
    return "\n".join(line for line in lines if line)


# --- evidence ---------------------------------------------------------------------------------------------------------


def _evidence_lines(diagnosis: Diagnosis, zone: ZoneInfo) -> Iterator[str]:
    usual = {"metrc": diagnosis.as_of.metrc, "pos": diagnosis.as_of.pos}
    for outcome in diagnosis.checks:
        quotes = tuple(dict.fromkeys(_quotes(outcome)))
        if quotes:
            yield f"*{words.CHECKS[outcome.name]}*"
            yield from (_quote_line(quote, usual.get(quote.source), zone) for quote in quotes)


def _quotes(outcome: Outcome) -> Iterable[Quote]:
    yield from outcome.evidence
    for finding in outcome.findings:
        yield from finding.evidence


def _quote_line(quote: Quote, usual: datetime | None, zone: ZoneInfo) -> str:
    """One reading; when it is as of the same moment as the whole side, that is said once, under the answer."""
    source = words.SYSTEMS.get(quote.source) or cut(quote.source, 20)
    when = "" if quote.as_of is not None and quote.as_of == usual else f", {_as_of(quote.as_of, zone)}"
    return f"• {source} {code(quote.asked, 120)}{when}: {cut(quote.says, QUOTE_LIMIT)}"


def _paged(lines: list[str], budget: int) -> list[list[str]]:
    """Split so that no page is larger than the budget; a heading never ends a page."""
    pages: list[list[str]] = [[]]
    room = budget
    for line in lines:
        if _weight(line) > room and pages[-1]:
            heading = [pages[-1].pop()] if pages[-1][-1].startswith("*") else []
            pages.append(heading)
            room = budget
        pages[-1].append(line)
        room -= _weight(line)
    return [page for page in pages if page]


def _weight(line: str) -> int:
    return size(line) + 1


def _evidence_message(lines: list[str], number: int, of: int) -> Message:
    title = words.what_was_read(number, of)
    blocks = tuple(context("\n".join(page)) for page in _paged(lines, 2600))
    return Message(text=title, blocks=(context(f"*{title}*"), *blocks))
