"""The form that asks whether an answer was right. Pure."""

from __future__ import annotations

from typing import Any, Final

from bot.model import Cause
from handlers.render import words
from handlers.render.blocks import Block, cut_plain

VERDICT_FORM: Final = "verdict"
RIGHT_BLOCK: Final = "right"
CAUSE_BLOCK: Final = "cause"
NOTE_BLOCK: Final = "note"


def render_verdict_form(metadata: str) -> dict[str, Any]:
    """Right or wrong, the true cause, a note."""
    return {
        "type": "modal",
        "callback_id": VERDICT_FORM,
        "private_metadata": metadata,
        "title": _plain(words.VERDICT_TITLE, 24),
        "submit": _plain(words.VERDICT_SUBMIT, 24),
        "close": _plain(words.FORM_CLOSE, 24),
        "blocks": [
            _input(RIGHT_BLOCK, words.VERDICT_QUESTION, _right()),
            _input(CAUSE_BLOCK, words.VERDICT_CAUSE, _cause(), optional=True),
            _input(NOTE_BLOCK, words.VERDICT_NOTE, _note(), optional=True),
        ],
    }


def _right() -> Block:
    options = [_option(words.VERDICT_RIGHT, "right"), _option(words.VERDICT_WRONG, "wrong")]
    return {"type": "radio_buttons", "action_id": RIGHT_BLOCK, "options": options}


def _cause() -> Block:
    return {
        "type": "static_select",
        "action_id": CAUSE_BLOCK,
        "placeholder": _plain(words.VERDICT_CAUSE_PLACEHOLDER, 150),
        "options": [_option(words.CAUSES[cause], cause.value) for cause in Cause if cause is not Cause.UNKNOWN],
    }


def _note() -> Block:
    return {"type": "plain_text_input", "action_id": NOTE_BLOCK, "multiline": True, "max_length": 500}


def _input(block_id: str, label: str, element: Block, *, optional: bool = False) -> Block:
    block: Block = {"type": "input", "block_id": block_id, "label": _plain(label, 100), "element": element}
    return block | ({"optional": True} if optional else {})


def _option(label: str, value: str) -> Block:
    return {"text": _plain(label, 75), "value": value}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut_plain(text, limit)}
