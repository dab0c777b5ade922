"""A message that Slack would not take whole → several that it takes, cut at the best place there is. Pure.

Blocks stay whole where they can. A paragraph that is too long is cut at the end of a line, else between words, else
anywhere but inside an escaped character, a control sequence or a code span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from handlers.render import words
from handlers.render.blocks import ELLIPSIS, SECTION_LIMIT, Block, Message, section, size

MOST_BLOCKS: Final = 50
MOST_CHARACTERS: Final = 9_500
TEXT_LIMIT: Final = 3_900

# what must not be cut: a control sequence, an escaped character, a code span of one line
_WHOLE: Final = re.compile(r"<[^<>\n]{1,400}>|&(?:amp|lt|gt);|`[^`\n]{1,400}`")


def parts(message: Message) -> tuple[Message, ...]:
    """The message itself where Slack takes it; else parts, the first of which keeps the text for notifications."""
    text = split_markup(message.text, TEXT_LIMIT)[0] if message.text else ELLIPSIS
    blocks = [piece for block in message.blocks for piece in _fitting(block)]
    pages = list(_paged(blocks, MOST_CHARACTERS - size(text)))
    if len(pages) <= 1:
        return (Message(text, tuple(blocks)),)
    return tuple(
        Message(text if number == 1 else words.part_of(number, len(pages)), tuple(page))
        for number, page in enumerate(pages, 1)
    )


def split_markup(markup: str, limit: int) -> tuple[str, ...]:
    """Markup in pieces of at most ``limit``; nothing but white space at the cuts is lost. Never empty."""
    pieces = []
    rest = markup
    while size(rest) > limit:
        at = _cut_at(rest, limit)
        pieces.append(rest[:at].rstrip() or ELLIPSIS)
        rest = rest[at:].lstrip()
    return (*pieces, rest) if rest or not pieces else tuple(pieces)


def _fitting(block: Block) -> Iterator[Block]:
    text = block.get("text")
    if block.get("type") != "section" or not isinstance(text, dict) or size(str(text.get("text"))) <= SECTION_LIMIT:
        yield block
        return
    for number, piece in enumerate(split_markup(str(text["text"]), SECTION_LIMIT)):
        yield {**block, "text": {**text, "text": piece}} if number == 0 else section(piece)


def _paged(blocks: list[Block], room: int) -> Iterator[list[Block]]:
    """``room``: what the text of the first page leaves to its blocks."""
    page: list[Block] = []
    for block in blocks:
        weight = _weight(block)
        if page and (weight > room or len(page) == MOST_BLOCKS):
            yield page
            page, room = [], MOST_CHARACTERS
        page.append(block)
        room -= weight
    if page:
        yield page


def _weight(value: Any) -> int:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return size(value)
    if isinstance(value, dict):
        return sum(_weight(each) for each in value.values())
    return sum(_weight(each) for each in value) if isinstance(value, list) else 0


def _cut_at(text: str, limit: int) -> int:
    """Where to cut so that the first piece is at most ``limit`` long; at least one character is taken."""
    most = _characters_within(text, limit)
    line, word = text.rfind("\n", 1, most), text.rfind(" ", 1, most)
    at = line if line > most // 2 else word if word > most // 2 else most
    for whole in _WHOLE.finditer(text, 0, min(len(text), most + 400)):
        if whole.start() < at < whole.end():
            # one that is longer than the whole limit cannot be kept
            return whole.start() or most
    return max(at, 1)


def _characters_within(text: str, limit: int) -> int:
    room = limit
    for number, character in enumerate(text):
        room -= 2 if ord(character) > 0xFFFF else 1
        if room < 0:
            return number
    return len(text)
