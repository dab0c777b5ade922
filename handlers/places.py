"""Which facility a question is about. Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.model import SubjectKind
from bot.settings import FacilitySettings, Settings
from handlers.parse import Ask, Unclear
from handlers.render import words
from handlers.render.help import places


def choose(ask: Ask, channel: str, settings: Settings) -> FacilitySettings | Unclear:
    """The one that was named, else the channel's, else the only one there is; ``Unclear`` when a choice is left."""
    if ask.place is not None:
        named = find(ask.place, settings)
        return named or Unclear(
            words.unknown_place(ask.place, places(settings.facilities), ask.label, settings.command, ask.kind)
        )
    candidates = settings.facilities_of(channel) or settings.facilities
    if not candidates:
        return Unclear(words.no_facilities())
    if len(candidates) > 1:
        return Unclear(words.which_place(places(candidates), ask.label, settings.command, ask.kind))
    return candidates[0]


def whole_name(ask: Ask, settings: Settings) -> Ask:
    """A product may have an “at” in its name: what follows it is only a place when there is such a place."""
    if ask.kind is not SubjectKind.PRODUCT or ask.place is None or find(ask.place, settings) is not None:
        return ask
    return replace(ask, label=f"{ask.label} at {ask.place}", place=None)


def find(place: str, settings: Settings) -> FacilitySettings | None:
    """By license, or by a name that only one facility bears; words after a license are left alone."""
    by_name = [f for f in settings.facilities if f.name.casefold() == place.casefold()]
    if len(by_name) == 1:
        return by_name[0]
    return settings.facility(place) or settings.facility(place.split(" ", 1)[0])
