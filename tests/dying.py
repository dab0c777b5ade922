"""Every step of a removal as a named point at which a process can be made to die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.approve import Office
from bot.audit import Entry
from bot.removals import Intent, Press, Sight, Target

At = Callable[[str], None]

STEPS = ("take", "approved", "answered", "claimed", "look", "sent", "delete", "gone", "done", "verified")
# these a receipt has to take only when it is finalized
FINAL_STEPS = ("unfinalized", "unfinalize")
POINTS = tuple(f"{when} {what}" for what in (*STEPS, *FINAL_STEPS) for when in ("before", "after"))


class WatchedIntents:
    """The intents, which call out before and after each step that is written."""

    def __init__(self, inner: object, at: At) -> None:
        self._inner = inner
        self._at = at

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def save(self, before: Intent, after: Intent, entries: Sequence[Entry]) -> bool:
        step = str(entries[0].event) if entries else "claim"
        self._at(f"before {step}")
        won = await self._inner.save(before, after, entries)
        self._at(f"after {step}")
        return won

    async def take(self, press: Press) -> bool:
        self._at("before take")
        taken = await self._inner.take(press)
        self._at("after take")
        return taken

    async def answered(self, press_id: str) -> None:
        self._at("before answered")
        await self._inner.answered(press_id)
        self._at("after answered")


class WatchedMetrc:
    """METRC's both ends, which call out before and after each request; an effect lies before the second call."""

    def __init__(self, inner: object, at: At) -> None:
        self._inner = inner
        self._at = at

    async def look(self, intent: Intent, targets: Sequence[Target]) -> Sight:
        self._at("before look")
        sight = await self._inner.look(intent, targets)
        self._at("after look")
        return sight

    async def gone(self, intent: Intent, target: Target) -> bool:
        self._at("before gone")
        gone = await self._inner.gone(intent, target)
        self._at("after gone")
        return gone

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        self._at("before delete")
        await self._inner.void_receipt(receipt_id, deadline)
        self._at("after delete")

    async def unfinalize_receipt(self, receipt_id: int, deadline: float) -> None:
        self._at("before unfinalize")
        await self._inner.unfinalize_receipt(receipt_id, deadline)
        self._at("after unfinalize")


def watched(office: Office, at: At) -> Office:
    """The same office; ``at`` is called with the name of each point that is passed."""
    shop = office.lookout("")
    metrc = WatchedMetrc(shop, at)
    return replace(office, intents=WatchedIntents(office.intents, at), lookout=lambda _: metrc, remover=lambda _: metrc)
