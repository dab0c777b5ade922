"""Judges answers against what is known about a random shop, and asks the whole bot for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from bot.model import ActionKind, Diagnosis, Forbidden, Posting, Result
from bot.settings import Settings
from bot.units import plain
from demo.generator import Event, Shop, Truth, shop
from tests.store import asked, opened_store, quiet, settings

__all__ = ["Verdict", "answers", "judged", "shop"]


@dataclass(frozen=True)
class Verdict:
    """One answer beside its truth. Every tuple is empty when the answer is right; texts are for people."""

    seed: int
    truth: Truth
    diagnosis: Diagnosis
    lost: tuple[str, ...]
    wrong_removals: tuple[str, ...]
    missing_removals: tuple[str, ...]
    unsafe: tuple[str, ...]
    adjust_allowed: bool

    @property
    def cause(self) -> str:
        """The answered cause."""
        return self.diagnosis.cause.value

    @property
    def is_right(self) -> bool:
        """Whether the leading cause is right."""
        return self.cause in self.truth.causes

    @property
    def recovered(self) -> int:
        """How many of the injected shares were told to the unit, by name."""
        return len(self.truth.events) - len([each for each in self.lost if each.startswith("share")])

    @property
    def wrong(self) -> list[str]:
        """All that is wrong, a sentence each."""
        cause = (
            [] if self.is_right else [f"cause {self.diagnosis.code or self.cause}, not {_either(self.truth.causes)}"]
        )
        adjust = ["adjust_quantity is allowed"] if self.adjust_allowed else []
        return [*cause, *self.lost, *self.wrong_removals, *self.missing_removals, *self.unsafe, *adjust]

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.truth.label} ({self.truth.hint}): " + "; ".join(self.wrong)


def judged(seed: int, truth: Truth, diagnosis: Diagnosis, difference: Decimal) -> Verdict:
    """``difference``: POS − METRC as the store itself holds it."""
    offered = {(each.kind.value, one): each for each in diagnosis.duplicates for one in each.remove}
    right = {(each.kind, each.remove): each for each in truth.removals}
    wrong = [
        f"{kind} {one} is offered for removal, {offer.keep} stays"
        for (kind, one), offer in offered.items()
        if _is_wrong(kind, offer.keep, right.get((kind, one)), truth)
    ]
    return Verdict(
        seed,
        truth,
        diagnosis,
        lost=tuple(_lost(truth, diagnosis, difference)),
        wrong_removals=tuple(wrong),
        missing_removals=tuple(f"{kind} {one} is not offered" for kind, one in right if (kind, one) not in offered),
        unsafe=tuple(_unsafe(truth, diagnosis)),
        adjust_allowed=_allows(diagnosis) and not truth.is_miscount,
    )


def _is_wrong(kind: str, kept: str, right: object, truth: Truth) -> bool:
    if kind == "adjustment":
        return not any(fault.hint == "one correction entered twice" for fault in truth.faults)
    return right is None or kept not in right.keep


def _allows(diagnosis: Diagnosis) -> bool:
    return Forbidden.ADJUST_QUANTITY not in diagnosis.must_not or diagnosis.action.kind is ActionKind.RECORD_COUNT


def _lost(truth: Truth, diagnosis: Diagnosis, difference: Decimal) -> Iterable[str]:
    gap = diagnosis.gap
    if gap is None:
        yield from (f"share of {event.quantity} is lost with the whole account" for event in truth.events)
        return
    if gap.difference != difference:
        yield f"difference {gap.difference}, not {difference}"
    if gap.unexplained != truth.residue:
        yield f"unexplained {gap.unexplained}, not {truth.residue}"
    for event in truth.events:
        if not any(_tells(share, event, truth.events) for share in gap.explained):
            yield f"share {event.cause} {event.quantity} of {_either(event.records)} is not told"


def _tells(share, event: Event, events: tuple[Event, ...]) -> bool:
    """Whether a share is this event: to the unit, by name, alone or with others that it names as well."""
    mine = [each for each in events if share.code.startswith(f"{each.cause}.") and _names(share.refs, each)]
    if event.records:
        return event in mine and share.quantity in {event.quantity, sum(each.quantity for each in mine)}
    return event in mine and share.quantity == event.quantity


def _names(refs: Iterable[str], event: Event) -> bool:
    words = {word.strip(",;()") for ref in refs for word in ref.split()}
    return not event.records or bool(words & set(event.records))


def _unsafe(truth: Truth, diagnosis: Diagnosis) -> Iterable[str]:
    if truth.must_wait and any(each.removable for each in diagnosis.duplicates):
        yield "a record is removable while another is on its way"
    if truth.must_wait and truth.removals and diagnosis.action.kind is not ActionKind.WAIT:
        yield f"{diagnosis.action.kind.value} is advised while a record is on its way"
    if diagnosis.action.kind is ActionKind.RESEND and Forbidden.RESEND in diagnosis.must_not:
        yield "resend is advised and forbidden"
    if not truth.faults and any(check.result is not Result.CLEAR for check in diagnosis.checks):
        yield "a check is not clear where nothing is wrong"


def _either(names: Iterable[str]) -> str:
    return " or ".join(sorted(names)) or "a record"


# --- asking -----------------------------------------------------------------------------------------------------------


def configured(one: Shop, folder: Path) -> Settings:
    """The shop's own clock, zone and way of posting."""
    config = settings(folder, now=one.world.now, posting=Posting(one.posting), nightly_at=one.nightly_at)
    (facility,) = config.facilities
    return replace(config, facilities=(replace(facility, time_zone=one.zone),))


async def answers(seed: int, folder: Path, template: Path | None = None) -> AsyncIterator[Verdict]:
    """Ask one bot about every package of the seed's shop of which a truth is known. ``folder`` is empty."""
    one = shop(seed)
    async with opened_store(one.world, folder, configured(one, folder), template) as (bot, _metrc):
        for truth in one.truths:
            shelf = None if truth.shelf is None else plain(truth.shelf)
            diagnosis = await bot.answer(asked(truth.label, shelf=shelf), quiet)
            yield judged(seed, truth, diagnosis, one.world.difference(truth.label))
