"""The answers that are not a diagnosis: help and short sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.settings import FacilitySettings, Settings
from handlers.render import words
from handlers.render.blocks import Message, section


def render_help(settings: Settings) -> Message:
    """What can be asked, with lines to copy."""
    return render_sentence(words.usage(settings.command, places(settings.facilities)))


def render_sentence(markup: str) -> Message:
    """One paragraph of markup as a message of its own."""
    return Message(text=markup, blocks=(section(markup),))


def places(facilities: Iterable[FacilitySettings]) -> tuple[tuple[str, str], ...]:
    """License and name of each facility."""
    return tuple((facility.license, facility.name) for facility in facilities)
