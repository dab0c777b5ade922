"""How the shops stand: for whoever asks, who alone sees it."""

from __future__ import annotations

from handlers.places import find
from handlers.render import words
from handlers.render.blocks import Message
from handlers.render.help import places, render_sentence
from handlers.render.status import render_status
from handlers.services import Services


async def status(services: Services, place: str | None, channel: str) -> Message:
    """The shop that was named, else those of the channel, else all. Raises a ``CountlastError``."""
    settings = services.settings
    shops = settings.facilities_of(channel) or settings.facilities
    if place is not None:
        named = find(place, settings)
        if named is None:
            return render_sentence(words.no_such_place(place, places(settings.facilities)))
        shops = (named,)
    if services.status is None:
        return render_sentence(words.no_facilities())
    standing = await services.status([shop.license for shop in shops])
    return render_status(standing, services.clock.now())
