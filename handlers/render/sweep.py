"""A sweep → a short summary and the groups behind it, a few to a message. Pure.

What is shared comes first, labels last: a manager mends a cause once, and looks up a label only when standing before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bot.settings import FacilitySettings
from bot.sweep_groups import ALONE, Group, Sweep
from handlers.render import words
from handlers.render.blocks import Block, Message, actions, bold, button, code, context, cut, section, size

MOST_LABELS: Final = 10
MESSAGE_BUDGET: Final = 6500
MOST_BLOCKS: Final = 24

NEXT_ACTION: Final = "causes_next"
PREVIOUS_ACTION: Final = "causes_previous"
PAGE_ACTIONS: Final = (NEXT_ACTION, PREVIOUS_ACTION)


def render_sweep(sweep: Sweep, facility: FacilitySettings, sweep_id: str) -> tuple[Message, ...]:
    """How many agree, then the first page of groups, the largest first; none where there is nothing to do.

    Where nothing could be looked at for one reason, the reason and the step are all there is to tell.
    """
    if sweep.is_blind and len(sweep.groups) == 1:
        steps = _steps(sweep.groups[0], facility)
        return (_sentence("\n".join([words.swept(sweep), *steps, words.SWEPT_NO_ADJUSTING])),)
    summary = _sentence(words.swept(sweep))
    return (summary, render_page(sweep, facility, sweep_id, 1)) if sweep.groups else (summary,)


def render_page(sweep: Sweep, facility: FacilitySettings, sweep_id: str, number: int) -> Message:
    """One page of groups, from 1, with buttons to leaf; a number beyond the last shows the last."""
    pages = _paged([_group(place, group, facility) for place, group in enumerate(sweep.groups, 1)])
    if not pages:
        return _sentence(words.swept(sweep))
    number = max(1, min(number, len(pages)))
    message = _message(pages[number - 1], sweep.groups)
    if len(pages) == 1:
        return message
    leaves = _leaves(sweep_id, number, len(pages))
    return Message(message.text, (*message.blocks, context(words.page_of(number, len(pages))), leaves))


def _leaves(sweep_id: str, number: int, of: int) -> Block:
    found = []
    if number > 1:
        found.append(button(words.PREVIOUS_PAGE, action_id=PREVIOUS_ACTION, value=f"{sweep_id}:{number - 1}"))
    if number < of:
        found.append(button(words.NEXT_PAGE, action_id=NEXT_ACTION, value=f"{sweep_id}:{number + 1}"))
    return actions(f"leaf-{number}", found)


def _group(number: int, group: Group, facility: FacilitySettings) -> list[Block]:
    # that a package has its cause to itself is seen by its label standing alone
    shared = [] if group.common == ALONE else [cut(group.common, 300)]
    lines = [f"{number}. {bold(group.headline, 300)}", *shared, *_steps(group, facility)]
    return [section("\n".join(lines)), context(" · ".join(_small_print(group)))]


def _steps(group: Group, facility: FacilitySettings) -> Iterator[str]:
    yield words.do(group.action.text, 400)
    if group.action.not_before is not None:
        yield words.not_before(group.action.not_before, facility.zone)


def _small_print(group: Group) -> Iterator[str]:
    yield _labels(group.labels)
    total = words.totals(group.difference)
    if total:
        yield f"{words.DIFFERENCE} {cut(total, 120)}"
    if group.code:
        yield code(group.code, 60)


def _labels(labels: Sequence[str]) -> str:
    named = ", ".join(code(label, 30) for label in labels[:MOST_LABELS]) or words.NO_LABEL
    left = len(labels) - MOST_LABELS
    return words.and_more(named, left) if left > 0 else named


def _paged(groups: list[list[Block]]) -> list[list[list[Block]]]:
    pages: list[list[list[Block]]] = []
    room, places = 0, 0
    for group in groups:
        weight = _weight(group)
        if weight > room or places < len(group):
            pages.append([])
            room, places = MESSAGE_BUDGET, MOST_BLOCKS
        pages[-1].append(group)
        room -= weight
        places -= len(group)
    return pages


def _weight(group: list[Block]) -> int:
    texts = (block["text"]["text"] if "text" in block else block["elements"][0]["text"] for block in group)
    return sum(size(text) for text in texts)


def _message(page: list[list[Block]], groups: Sequence[Group]) -> Message:
    first = page[0][0]["text"]["text"].split("\n", 1)[0]
    text = first if len(page) == 1 else words.more_causes(first, len(page) - 1, len(groups))
    return Message(text=text, blocks=tuple(block for group in page for block in group))


def _sentence(markup: str) -> Message:
    return Message(text=markup, blocks=(section(markup),))
