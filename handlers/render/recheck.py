"""The answer to a question that was asked again. Pure."""

from __future__ import annotations

from bot.follow_ups import Recheck
from handlers.render import words
from handlers.render.blocks import Message, context


def render_again(answer: Message, recheck: Recheck) -> Message:
    """The same answer, saying why it comes unasked."""
    note = context(words.looked_again(recheck.asked_by))
    return Message(words.looked_again_short(answer.text), (note, *answer.blocks))
