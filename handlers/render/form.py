"""The form that asks a question. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from bot.settings import FacilitySettings, Settings
from handlers.render import words
from handlers.render.blocks import Block, cut_plain, section, size

FORM: Final = "ask"
WHAT_BLOCK: Final = "what"
SHOP_BLOCK: Final = "shop"
SHELF_BLOCK: Final = "shelf"
MOST_SHOPS: Final = 100
# all shops together, so that the form stays within what a message may hold
SHOPS_BUDGET: Final = 6_500
SHORTEST: Final = 20
OPTION_LIMIT: Final = 75
VALUE_LIMIT: Final = 150


def render_form(settings: Settings, channel: str, metadata: str, note: str = "") -> dict[str, Any]:
    """The modal. ``channel``: where it was opened, whose shop is chosen at first; ``note``: markup above the fields."""
    blocks = [section(note)] if note else []
    blocks.append(_what())
    if len(settings.facilities) > 1:
        blocks.append(_shop(settings, channel))
    blocks.append(_shelf())
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": metadata,
        "title": _plain(words.FORM_TITLE, 24),
        "submit": _plain(words.FORM_SUBMIT, 24),
        "close": _plain(words.FORM_CLOSE, 24),
        "blocks": blocks,
    }


def plain_sentence(markup: str) -> str:
    """Markup as the plain text that stands under a field."""
    text = re.sub(r"<[^<>|]*\|([^<>]*)>", r"\1", markup).replace("`", "").replace("*", "")
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, plain)
    return cut_plain(text, 300)


def _what() -> Block:
    return {
        "type": "input",
        "block_id": WHAT_BLOCK,
        "label": _plain(words.FORM_WHAT, 100),
        "hint": _plain(words.FORM_WHAT_HINT, 300),
        "element": {"type": "plain_text_input", "action_id": WHAT_BLOCK, "max_length": 3000, "focus_on_load": True},
    }


def _shop(settings: Settings, channel: str) -> Block:
    shops = _offered(settings, channel)
    limit = _option_limit(shops)
    element: Block = {
        "type": "static_select",
        "action_id": SHOP_BLOCK,
        "placeholder": _plain(words.FORM_SHOP_PLACEHOLDER, 150),
        "options": [_option(shop, limit) for shop in shops],
    }
    here = [shop for shop in shops if shop.channel is not None and shop.channel == channel]
    if len(here) == 1:
        element["initial_option"] = _option(here[0], limit)
    return {
        "type": "input",
        "block_id": SHOP_BLOCK,
        "optional": True,
        "label": _plain(words.FORM_SHOP, 100),
        "element": element,
    }


def _offered(settings: Settings, channel: str) -> list[FacilitySettings]:
    """As many as Slack takes; where that leaves some out, the channel's own stay in. The others can be typed."""
    shops = list(settings.facilities)
    if len(shops) > MOST_SHOPS:
        shops.sort(key=lambda shop: shop.channel != channel)
    room, kept = SHOPS_BUDGET, []
    for shop in shops[:MOST_SHOPS]:
        room -= _weight(shop) + SHORTEST
        if room < 0:
            break
        kept.append(shop)
    return kept


def _option_limit(shops: Sequence[FacilitySettings]) -> int:
    """How long a shop may be called, the more there are the shorter."""
    left = SHOPS_BUDGET - sum(_weight(shop) for shop in shops)
    return max(SHORTEST, min(OPTION_LIMIT, left // max(1, len(shops))))


def _weight(shop: FacilitySettings) -> int:
    """What an option takes beside its name."""
    return min(size(shop.license), VALUE_LIMIT) + size("plain_text")


def _option(shop: FacilitySettings, limit: int) -> Block:
    """The license tells two shops of one name apart, so it is the name that is cut."""
    number = cut_plain(shop.license, limit // 2)
    name = cut_plain(shop.name, limit - size(number) - 3)
    return {"text": _plain(f"{name} · {number}", limit), "value": cut_plain(shop.license, VALUE_LIMIT)}


def _shelf() -> Block:
    return {
        "type": "input",
        "block_id": SHELF_BLOCK,
        "optional": True,
        "label": _plain(words.FORM_SHELF, 100),
        "hint": _plain(words.FORM_SHELF_HINT, 300),
        "element": {"type": "plain_text_input", "action_id": SHELF_BLOCK, "max_length": 20},
    }


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut_plain(text, limit) or "…"}
