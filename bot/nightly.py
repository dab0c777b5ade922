"""What is done at night, shop by shop: the history that rhythms are learned from, and the search for duplicates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from bot.mirror import freshen
from bot.model import Feed, MetrcReceipt
from bot.ports import Memory
from bot.silence import HISTORY
from bot.twins import Twins, find_twins
from bot.watch import News, Station

LOOK_BACK: Final = timedelta(days=30)
MOST_GROUPS: Final = 500
NAME: Final = "duplicates"


async def find_duplicates(station: Station, memory: Memory, now: datetime) -> int:
    """Fill the history, search it, and remember what is there for the next round; how many sales that are.

    Raises a ``MetrcError`` when METRC does not answer; then what was remembered stays.
    """
    metrc, license_number = station.metrc(), station.watched.shop.license
    for feed in (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE):
        await freshen(metrc, station.mirror, feed, now - HISTORY, now)
    found: list[Twins] = []
    async for group in station.mirror.duplicate_receipts(now - LOOK_BACK, MOST_GROUPS):
        found += twins_of(group)
    named = sorted({_named(twins) for twins in found})
    await memory.remember(NAME, {license_number: json.dumps(named)}, now)
    return len(named)


async def known_duplicates(memory: Memory) -> News:
    """What the last searches have found, by name, for one round; None: nobody has searched yet."""
    found = await memory.recall(NAME)

    async def known(license_number: str) -> tuple[str, ...] | None:
        text = found.get(license_number)
        return None if text is None else tuple(str(name) for name in json.loads(text))

    return known


def twins_of(group: Iterable[MetrcReceipt]) -> tuple[Twins, ...]:
    """Receipts that are one sale, each sale once, whatever the number of its packages."""
    receipts = tuple(group)
    labels = dict.fromkeys(line.label for receipt in receipts for line in receipt.lines or ())
    found = (twins for label in labels for twins in find_twins(receipts, None, label).twins)
    return tuple({twins.keep.id: twins for twins in found}.values())


def _named(twins: Twins) -> str:
    extra = ", ".join(str(receipt.id) for receipt in twins.remove)
    sale = f" of sale {twins.keep.external_number}" if twins.keep.external_number else ""
    return f"receipt {twins.keep.id}{sale} again as {extra}"
