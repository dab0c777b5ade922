"""Small builders of Block Kit blocks. Pure. They cut what is too long, so that Slack never refuses a message.

Text comes in two sorts. *Foreign* text (a record's name, an error's sentence) is passed through ``escape``, ``cut`` or
``code`` before it becomes *markup*; builders that take markup say so. Sizes are counted in UTF-16 units, as clients do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Block = dict[str, Any]

SECTION_LIMIT: Final = 3000
BUTTON_LIMIT: Final = 75
CONFIRM_TITLE_LIMIT: Final = 100
CONFIRM_TEXT_LIMIT: Final = 300
CONFIRM_BUTTON_LIMIT: Final = 30
VALUE_LIMIT: Final = 2000

ELLIPSIS: Final = "…"

# Characters that reorder or hide what a reader sees: a name could otherwise pass for another one.
_INVISIBLE: Final = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
# Control characters, and those that separate lines or paragraphs: the categories Cc, Zl and Zp.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Back-ticks would open or end a code span, so they become plain quotes.
_ESCAPES: Final[dict[int, str]] = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})


@dataclass(frozen=True, slots=True)
class Message:
    """One Slack message: blocks, and the text that notifications and screen readers get instead."""

    text: str
    blocks: tuple[Block, ...] = ()


def size(text: str) -> int:
    """How long Slack's clients count it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def one_line(text: str) -> str:
    """Foreign text without control, reordering and zero-width characters, its white space collapsed."""
    # nearly every text is, and then holds none of what is looked for here
    if not text.isprintable():
        text = text.encode("utf-8", "replace").decode("utf-8")
        text = _INVISIBLE.sub("", text)
        text = _CONTROL.sub(" ", text)
    return " ".join(text.split())


def escape(text: str) -> str:
    """Foreign text as markup of one line: nothing in it can mention, link or fake another line."""
    return one_line(text).translate(_ESCAPES)


def cut(text: str, limit: int) -> str:
    """``escape``, and at most ``limit`` long; never cut inside an escaped character."""
    return _cut(one_line(text), limit, escaped=True)


def cut_between_words(text: str, limit: int) -> str:
    """``cut`` where half a number would be read as another one; what has no words is cut anywhere."""
    short, whole = cut(text, limit), escape(text)
    if short == whole or not short.endswith(ELLIPSIS):
        return short
    kept = short[: -len(ELLIPSIS)]
    if whole[len(kept) : len(kept) + 1] in {"", " "}:
        return short
    # a semicolon may be the end of an escaped character
    words = kept.rpartition(" ")[0].rstrip(" ,:")
    return f"{words} {ELLIPSIS}" if words else short


def cut_plain(text: str, limit: int) -> str:
    """One line of at most ``limit`` for plain-text objects, where nothing is parsed and nothing needs escaping."""
    return _cut(one_line(text), limit, escaped=False)


def _cut(text: str, limit: int, *, escaped: bool) -> str:
    whole = text.translate(_ESCAPES) if escaped else text
    if size(whole) <= limit:
        return whole
    room = limit - size(ELLIPSIS)
    kept: list[str] = []
    # every character takes a unit or more, so none behind so many can be kept
    for character in text[: max(0, room)]:
        piece = _ESCAPES.get(ord(character), character) if escaped else character
        room -= 2 if piece > "\uffff" else len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS


def code(text: str, limit: int = 80) -> str:
    """Foreign text in a code span."""
    return f"`{cut(text, limit) or ' '}`"


def bold(text: str, limit: int) -> str:
    """Foreign text in bold; an asterisk would end it, so it becomes the look-alike that means nothing to Slack."""
    return f"*{cut(text.replace('*', '∗'), limit) or ELLIPSIS}*"


def is_channel(place: str | None) -> bool:
    """Whether an id is a channel's, and not a person's."""
    return place is not None and place[:1] in {"C", "G"} and place.isalnum()


def is_person(name: str) -> bool:
    """Whether it is a user's id, and not a plain name or a group."""
    return name[:1] in {"U", "W"} and len(name) > 2 and name.isalnum() and name.isupper()


def user(user_id: str) -> str:
    """A mention of a Slack user id; anything else is only shown."""
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]{2,30}", user_id) else cut(user_id, 40)


def link(address: str, markup: str) -> str:
    """A link to a message of this workspace, whose address Slack itself has told.

    A bar in its markup would be a second one, so it becomes the look-alike that means nothing to Slack.
    """
    return f"<{escape(address).replace('|', '%7C')}|{markup.replace('|', '¦')}>"


def section(markup: str) -> Block:
    """A paragraph of markup."""
    return {"type": "section", "text": _mrkdwn(markup)}


def context(*markups: str) -> Block:
    """Small print, up to ten pieces of markup."""
    return {"type": "context", "elements": [_mrkdwn(markup) for markup in markups[:10]]}


def actions(block_id: str, elements: Iterable[Block]) -> Block:
    """A row of buttons."""
    return {"type": "actions", "block_id": block_id[:255], "elements": list(elements)}


def button(label: str, *, action_id: str, value: str, style: str | None = None) -> Block:
    """A button; ``style``: ``primary``, or None for a plain one."""
    block: Block = {
        "type": "button",
        "text": _plain(label, BUTTON_LIMIT),
        "action_id": action_id,
        "value": cut_plain(value, VALUE_LIMIT),
    }
    return block | ({"style": style} if style else {})


def danger_button(label: str, *, action_id: str, value: str, confirm: Block) -> Block:
    """A red button that asks once more before Slack sends the press."""
    return {
        "type": "button",
        "text": _plain(label, BUTTON_LIMIT),
        "action_id": action_id,
        "value": cut_plain(value, VALUE_LIMIT),
        "style": "danger",
        "confirm": confirm,
    }


def confirmation(title: str, text: str, *, yes: str, no: str) -> Block:
    """The dialog of a dangerous button; all four are foreign text."""
    return {
        "title": _plain(title, CONFIRM_TITLE_LIMIT),
        "text": _plain(text, CONFIRM_TEXT_LIMIT),
        "confirm": _plain(yes, CONFIRM_BUTTON_LIMIT),
        "deny": _plain(no, CONFIRM_BUTTON_LIMIT),
        "style": "danger",
    }


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut_plain(text, limit) or ELLIPSIS}


def _mrkdwn(markup: str) -> Block:
    return {"type": "mrkdwn", "text": markup or ELLIPSIS, "verbatim": True}
