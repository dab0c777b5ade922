"""Which facility a question is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from bot.model import SubjectKind
from bot.settings import FacilitySettings, Settings
from handlers.parse import Ask, Unclear
from handlers.render import words
from handlers.render.help import places

MOST_WORDS: Final = 12
SHORTEST_PART: Final = 3


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
    """A product may have an “at” in its name, and anything may be “in” a box: a place is one where there is such a shop."""
    within, ask = ask.within, replace(ask, within=None)
    if within is not None and within.place is not None:
        is_product = within.kind is SubjectKind.PRODUCT
        shop = _named(within.place, settings) or (None if is_product else _beginning_so(within.place, settings))
        if shop is not None:
            return replace(within, place=shop.license)
    if ask.kind is not SubjectKind.PRODUCT or ask.place is None or _named(ask.place, settings) is not None:
        return ask
    return replace(ask, label=f"{ask.label} at {ask.place}", place=None)


def find(place: str, settings: Settings) -> FacilitySettings | None:
    """By license or name, without regard to dashes; else by a part of them that only one facility has."""
    found = _named(place, settings)
    part = _plain(place)
    if found is not None or len(part) < SHORTEST_PART:
        return found
    return _only(f for f in settings.facilities if part in _plain(f.name) or part in _plain(f.license))


def _named(place: str, settings: Settings) -> FacilitySettings | None:
    """By license, or by a name that only one facility bears; words after it are left alone."""
    heads = place.split()[:MOST_WORDS]
    for count in range(len(heads), 0, -1):
        head = _plain("".join(heads[:count]))
        found = _only(f for f in settings.facilities if head and head == _plain(f.name))
        found = found or _only(f for f in settings.facilities if head and head == _plain(f.license))
        if found is not None:
            return found
    return None


def _beginning_so(place: str, settings: Settings) -> FacilitySettings | None:
    """By the first words of its name, for what may be no shop at all: nobody's box is called like that."""
    wanted = place.casefold().split()
    return _only(f for f in settings.facilities if f.name.casefold().split()[: len(wanted)] == wanted)


def _only(found: Iterable[FacilitySettings]) -> FacilitySettings | None:
    several = tuple(found)
    return several[0] if len(several) == 1 else None


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
