"""A diagnosis → the message in the thread, and its evidence → smaller messages behind it. Pure.

Every part has its own budget, so that the worst record still makes a message that Slack takes and a phone shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from bot.case import wall_clock
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
MOST_HEALTHY: Final = 2
EVIDENCE_BUDGET: Final = 7000
EVIDENCE_MESSAGES: Final = 3
QUOTE_LIMIT: Final = 400


def render_diagnosis(
    diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None, product: str = ""
) -> Message:
    """The answer: headline and subject, the seven checks, the account, what to do and not to do, small print.

    ``product``: what the package holds; empty: not known.
    """
    parts = [
        section(f"{bold(diagnosis.headline, 400)}\n{_subject(diagnosis, facility, product)}"),
        section("\n".join(_check_lines(diagnosis)) or words.NO_CHECKS),
        section(_account(diagnosis) if diagnosis.subject.kind is SubjectKind.PACKAGE else _packages(diagnosis)),
        section(_what_to_do(diagnosis, facility.zone)),
        *_reservations(diagnosis, facility),
        context(*_small_print(diagnosis, facility, asked_by)),
    ]
    subject = diagnosis.subject
    head = words.about(subject.kind, subject.value, facility.name, diagnosis.headline, product)
    return Message(text=_fallback(head, diagnosis, facility.zone), blocks=tuple(parts))


def render_answer(diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None, product: str = "") -> Message:
    """The answer with the buttons that belong to every answer."""
    answer = render_diagnosis(diagnosis, facility, asked_by, product)
    return Message(answer.text, (*answer.blocks, _buttons(diagnosis.id)))


def _buttons(diagnosis_id: str) -> Block:
    labels = (
        (EVIDENCE_ACTION, words.EVIDENCE_BUTTON),
        (AGAIN_ACTION, words.AGAIN_BUTTON),
        (HAND_ACTION, words.HAND_BUTTON),
        (RIGHT_ACTION, words.RIGHT_BUTTON),
    )
    return actions("answer", [button(label, action_id=action, value=diagnosis_id) for action, label in labels])


def render_summary(diagnosis: Diagnosis, facility: FacilitySettings, product: str = "") -> str:
    """Subject, headline, next step and warnings as one piece of markup, for places that hold no blocks."""
    head = f"{_subject(diagnosis, facility, product)}\n{cut(diagnosis.headline, 400)}"
    return _fallback(head, diagnosis, facility.zone)


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
    name = words.named(diagnosis.subject.kind, diagnosis.subject.value)
    return tuple(_evidence_message(page, number, len(shown), name) for number, page in enumerate(shown, 1))


def _subject(diagnosis: Diagnosis, facility: FacilitySettings, product: str) -> str:
    return words.subject_line(diagnosis.subject.kind, diagnosis.subject.value, facility.name, product)


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
    """One line each for those with a finding; what is in order is only counted where it is more than a line or two."""
    if not diagnosis.packages:
        return words.no_packages()
    ailing = [package for package in diagnosis.packages if package.cause is not Cause.NONE]
    healthy = [package for package in diagnosis.packages if package.cause is Cause.NONE]
    shown = [*ailing, *(healthy if len(healthy) <= MOST_HEALTHY else ())][:MOST_PACKAGES]
    ends = Counter(words.short_label(label) for label in {package.subject.value for package in shown})
    lines = [words.package_line(package, whole=ends[words.short_label(package.subject.value)] > 1) for package in shown]
    agreeing = len(healthy) - sum(package.cause is Cause.NONE for package in shown)
    others = len(diagnosis.packages) - len(shown) - agreeing
    return "\n".join([*lines, words.more_packages(agreeing, others)] if agreeing or others else lines)


# --- what to do -------------------------------------------------------------------------------------------------------


def _what_to_do(diagnosis: Diagnosis, zone: ZoneInfo) -> str:
    text, at = diagnosis.action.text, diagnosis.action.not_before
    lines = [words.do(text)]
    if at is not None:
        # one moment is told once, on one clock: the reader's
        before, named, after = text.partition(wall_clock(at, diagnosis.asked_at, zone))
        if named:
            lines = [words.do_when(before, at, after, zone)]
        else:
            lines.append(words.not_before(at, zone))
    if diagnosis.must_not:
        lines.append(f"*{words.must_not(diagnosis.must_not)}*")
    return "\n".join(lines)


def _reservations(diagnosis: Diagnosis, facility: FacilitySettings) -> list[Block]:
    sentences = []
    if diagnosis.provisional:
        unread = [outcome for outcome in diagnosis.checks if outcome.result is Result.UNKNOWN]
        # why each was not read stands beside its name above
        sentences.append(words.provisional([words.CHECKS[outcome.name] for outcome in unread]))
    age = _pos_age(diagnosis)
    if age is not None and age > timedelta(minutes=facility.pos.max_age_minutes):
        sentences.append(words.stale(age))
    return [section(" ".join(sentences))] if sentences else []


def _pos_age(diagnosis: Diagnosis) -> timedelta | None:
    return diagnosis.asked_at - diagnosis.as_of.pos if diagnosis.as_of.pos else None


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """One line a check; those that say the same for the same reason share one."""
    for (result, said), alike in groupby(diagnosis.checks[:7], key=lambda outcome: _said(outcome, diagnosis.headline)):
        names = [words.CHECKS[outcome.name] for outcome in alike]
        # seven states are found at a glance only where each has its own line
        for name in [", ".join(names)] if said and len(names) > 1 else names:
            head = f"{words.MARKS[result]} · {name}"
            head = f"*{head}*" if result is Result.FOUND else head
            yield f"{head}: {said}" if said else head


def _said(outcome: Outcome, headline: str) -> tuple[Result, str]:
    """What stands beside the mark: on a phone seven sentences are a wall, and one that is read twice is no news."""
    if outcome.result is Result.CLEAR:
        return outcome.result, ""
    return outcome.result, cut(outcome.summary.removeprefix(headline).strip(), 140)


# --- small print ------------------------------------------------------------------------------------------------------


def _small_print(diagnosis: Diagnosis, facility: FacilitySettings, asked_by: str | None) -> Iterator[str]:
    yield words.sureness(diagnosis)
    yield words.sides_as_of(diagnosis.as_of.metrc, diagnosis.as_of.pos, facility.zone)
    if diagnosis.related:
        yield words.also_concerns(diagnosis.related, MOST_RELATED)
    yield f"{words.asked_at(facility.name, asked_by)} · {code(diagnosis.id, 60)}"


def _as_of(at: datetime | None, zone: ZoneInfo) -> str:
    return words.as_of(at, zone)


def _fallback(head: str, diagnosis: Diagnosis, zone: ZoneInfo) -> str:
    lines = [head, words.do_plainly(_zoned(diagnosis, zone))]
    if diagnosis.must_not:
        lines.append(words.must_not(diagnosis.must_not))
    return "\n".join(line for line in lines if line)


def _zoned(diagnosis: Diagnosis, zone: ZoneInfo) -> str:
    """The next step; a moment in it is told with its zone."""
    text, at = diagnosis.action.text, diagnosis.action.not_before
    bare = wall_clock(at, diagnosis.asked_at, zone) if at is not None else ""
    return text.replace(bare, wall_clock(at, diagnosis.asked_at, zone, zoned=True), 1) if at and bare else text


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


def _evidence_message(lines: list[str], number: int, of: int, name: str) -> Message:
    title = f"{words.what_was_read(number, of)} · {name}"
    blocks = tuple(context("\n".join(page)) for page in _paged(lines, 2600))
    return Message(text=title, blocks=(context(f"*{title}*"), *blocks))
