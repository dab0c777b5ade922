"""The answers that are not a diagnosis: help and short sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.settings import FacilitySettings, Settings
from handlers.render import words
from handlers.render.blocks import SECTION_LIMIT, Message, section
from handlers.render.splitting import TEXT_LIMIT, split_markup


def render_help(settings: Settings) -> Message:
    """What can be asked, with lines to copy."""
    return render_sentence(words.usage(settings.command, places(settings.facilities)))


def render_sentence(markup: str) -> Message:
    """Markup as a message of its own: one paragraph, or several where it is too long for one."""
    paragraphs = split_markup(markup, SECTION_LIMIT)
    return Message(text=split_markup(markup, TEXT_LIMIT)[0], blocks=tuple(section(one) for one in paragraphs))


def places(facilities: Iterable[FacilitySettings]) -> tuple[tuple[str, str], ...]:
    """License and name of each facility."""
    return tuple((facility.license, facility.name) for facility in facilities)
