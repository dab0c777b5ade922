"""Errors → one sentence for people. A person never sees a traceback, and is never left in silence."""

from __future__ import annotations

import logging
import secrets

from bot.errors import CountlastError
from handlers.render import words
from handlers.render.blocks import cut

log = logging.getLogger(__name__)


def explain(error: Exception) -> str:
    """Markup that says what went wrong. Errors of our own speak for themselves; others get a code to find them by."""
    if isinstance(error, CountlastError):
        return words.failed(cut(str(error), 900))
    return unexpected(error)


def unexpected(error: Exception) -> str:
    """Log a fault of the program under a short code, and return the sentence that names the code."""
    error_code = f"E-{secrets.token_hex(3).upper()}"
    log.error("unexpected error %s", error_code, exc_info=error)
    return words.unexpected(error_code)


def kind(error: Exception) -> str:
    """The error's class as a metric label: ours by name, all others together."""
    return type(error).__name__ if isinstance(error, CountlastError) else "unexpected"
