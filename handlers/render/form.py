"""The form that asks a question. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from bot.settings import FacilitySettings, Settings
from handlers.render import words
from handlers.render.blocks import Block, cut_plain, section

FORM: Final = "ask"
WHAT_BLOCK: Final = "what"
SHOP_BLOCK: Final = "shop"
SHELF_BLOCK: Final = "shelf"
MOST_SHOPS: Final = 100


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
    shops = settings.facilities[:MOST_SHOPS]
    element: Block = {
        "type": "static_select",
        "action_id": SHOP_BLOCK,
        "placeholder": _plain(words.FORM_SHOP_PLACEHOLDER, 150),
        "options": [_option(shop) for shop in shops],
    }
    here = [shop for shop in shops if shop.channel is not None and shop.channel == channel]
    if len(here) == 1:
        element["initial_option"] = _option(here[0])
    return {
        "type": "input",
        "block_id": SHOP_BLOCK,
        "optional": True,
        "label": _plain(words.FORM_SHOP, 100),
        "element": element,
    }


def _option(shop: FacilitySettings) -> Block:
    return {"text": _plain(f"{shop.name} · {shop.license}", 75), "value": shop.license[:150]}


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
