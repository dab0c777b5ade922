"""The answer to a question that was asked again. Pure."""

from __future__ import annotations

from bot.follow_ups import Recheck
from handlers.render.blocks import Message, context, user


def render_again(answer: Message, recheck: Recheck) -> Message:
    """The same answer, saying why it comes unasked."""
    whom = f" {user(recheck.asked_by)}" if recheck.asked_by else ""
    return Message(f"Looked again: {answer.text}", (context(f"Looked again, as promised.{whom}"), *answer.blocks))
