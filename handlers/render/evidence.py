"""Every reading behind an answer → the pages of a form: what was asked, as of when, what it said. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bot.model import Diagnosis, Outcome, Quote
from bot.settings import FacilitySettings
from handlers.render import words
from handlers.render.blocks import ELLIPSIS, Block, button, code, context, cut, cut_plain, section, size

NEXT_ACTION: Final = "evidence_next"
PREVIOUS_ACTION: Final = "evidence_previous"
PAGE_ACTIONS: Final = (NEXT_ACTION, PREVIOUS_ACTION)

PAGE_BUDGET: Final = 6500
MOST_READINGS: Final = 40
ASKED_LIMIT: Final = 300
SAYS_LIMIT: Final = 1800


def render_loading() -> dict[str, Any]:
    """What stands there until the evidence was looked up."""
    return render_notice(words.LOADING)


def render_notice(markup: str, title: str = words.EVIDENCE_TITLE) -> dict[str, Any]:
    """A form that only says one thing."""
    return _modal([section(markup)], title)


def render_evidence_page(
    diagnosis: Diagnosis, facility: FacilitySettings, number: int, product: str = ""
) -> dict[str, Any]:
    """One page, from 1; a number beyond the last shows the last. ``product``: what the package holds."""
    pages = _paged(diagnosis, facility)
    number = max(1, min(number, len(pages)))
    subject = words.subject_line(diagnosis.subject.kind, diagnosis.subject.value, facility.name, product)
    blocks = [section(f"*{cut(diagnosis.headline, 300)}*\n{subject}"), *pages[number - 1]]
    if len(pages) > 1:
        blocks += [context(words.page_of(number, len(pages))), _leaf(diagnosis.id, number, len(pages))]
    return _modal(blocks, words.EVIDENCE_TITLE)


def _paged(diagnosis: Diagnosis, facility: FacilitySettings) -> list[list[Block]]:
    pages: list[list[Block]] = [[]]
    room, count = PAGE_BUDGET, 0
    for outcome in diagnosis.checks:
        heading = section(_heading(outcome))
        for reading in _readings(outcome, facility):
            weight = size(str(reading["text"]["text"]))
            if weight > room or count >= MOST_READINGS:
                pages.append([])
                room, count = PAGE_BUDGET, 0
            if heading not in pages[-1]:
                # on a new page it is said again whose readings these are
                pages[-1].append(heading)
                room -= size(str(heading["text"]["text"]))
            pages[-1].append(reading)
            room -= weight
            count += 1
    return pages if pages[0] else [[section(words.EVIDENCE_NONE)]]


def _heading(outcome: Outcome) -> str:
    return f"*{words.CHECKS[outcome.name]}* · {words.MARKS[outcome.result]}"


def _readings(outcome: Outcome, facility: FacilitySettings) -> Iterator[Block]:
    quotes = dict.fromkeys([*outcome.evidence, *(quote for found in outcome.findings for quote in found.evidence)])
    if not quotes and outcome.summary:
        yield section(cut(outcome.summary, SAYS_LIMIT))
    for quote in quotes:
        yield section(_reading(quote, facility))


def _reading(quote: Quote, facility: FacilitySettings) -> str:
    source = words.SYSTEMS.get(quote.source) or cut(quote.source, 20)
    when = words.as_of(quote.as_of, facility.zone)
    return f"{source} {code(quote.asked, ASKED_LIMIT)}, {when}\n{cut(quote.says, SAYS_LIMIT) or ELLIPSIS}"


def _leaf(answer_id: str, number: int, of: int) -> Block:
    leaves = []
    if number > 1:
        leaves.append(button(words.PREVIOUS_PAGE, action_id=PREVIOUS_ACTION, value=f"{answer_id}:{number - 1}"))
    if number < of:
        leaves.append(button(words.NEXT_PAGE, action_id=NEXT_ACTION, value=f"{answer_id}:{number + 1}"))
    return {"type": "actions", "elements": leaves}


def _modal(blocks: list[Block], title: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": cut_plain(title, 24) or ELLIPSIS},
        "close": {"type": "plain_text", "text": words.EVIDENCE_CLOSE},
        "blocks": blocks,
    }
