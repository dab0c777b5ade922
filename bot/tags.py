"""A tag by what people have at hand: its last digits, or the code on a single unit."""

from __future__ import annotations

from typing import Final, Protocol

from bot.gather import Desk

MOST_FOUND: Final = 10


class Scanner(Protocol):
    """What turns the code on a single unit into tags."""

    async def scanned(self, code: str) -> tuple[str, ...]:
        """The tags that METRC knows it by, the package's own first; raises ``MetrcError``."""
        ...


async def labels_ending(desk: Desk, tail: str) -> tuple[str, ...]:
    """The shop's tags that end like this, by the mirror and the POS, in their order; METRC is not asked.

    At most ``MOST_FOUND``: more than one is already too many to choose for somebody.
    """
    books = await desk.pos.read(desk.clock.now())
    named = {package.label for package in books.inventory.value or ()}
    named |= {line.label for line in books.sales.value or () if line.label}
    found = {label for label in named if label.endswith(tail)}
    found |= set(await desk.mirror.labels_ending(tail, MOST_FOUND))
    return tuple(sorted(found))[:MOST_FOUND]
