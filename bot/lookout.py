"""Looks at METRC and the POS right before a removal, and after it. Fits ``bot.ports.Lookout``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bot import removals
from bot.errors import MetrcError, ProblemKind, StorageError
from bot.model import (
    Diagnosis,
    Direction,
    DuplicateKind,
    Evidence,
    MetrcReceipt,
    Question,
    Subject,
    SubjectKind,
    Transfer,
    Window,
)
from bot.ports import Clock, Ledger, TrackAndTrace
from bot.removals import Intent, Seen, Sight, Target

Ask = Callable[[Question], Awaitable[Diagnosis]]

# how far back a manifest is looked for when METRC did not tell when it was last changed
MANIFEST_AGE: Final = timedelta(days=30)
# what a receipt's void moved is younger than the request that moved it, but for the clocks
CLOCKS_APART: Final = timedelta(minutes=10)

_MAYBE_UNKNOWN: Final = frozenset({ProblemKind.UNAUTHORIZED, ProblemKind.FORBIDDEN, ProblemKind.NOT_FOUND})


class LiveLookout:
    """``ask`` answers a question afresh and keeps the answer in ``ledger``; ``metrc`` is the same license."""

    def __init__(self, metrc: TrackAndTrace, ask: Ask, ledger: Ledger, clock: Clock) -> None:
        self._metrc = metrc
        self._ask = ask
        self._ledger = ledger
        self._clock = clock

    async def look(self, intent: Intent, targets: Sequence[Target]) -> Sight:
        """The diagnosis first, the records last: what is to be removed is read as late as can be."""
        labels = dict.fromkeys(label for target in targets for label in removals.labels_of(intent, target))
        subjects = [Subject(SubjectKind.PACKAGE, label) for label in labels] or [intent.subject]
        pairs = [await self._asked(intent, subject) for subject in subjects]
        ids = dict.fromkeys(record for target in targets for record in (target.keep, target.record_id))
        records = await self._records(intent, ids)
        sight = removals.sight_of([diagnosis for diagnosis, _ in pairs], intent.kind, self._clock.now())
        around = [seen for diagnosis, evidence in pairs for seen in _around(diagnosis, evidence)]
        read = all(_is_read(intent, evidence) for _, evidence in pairs)
        return replace(sight, seen=(*around, *records), certain=sight.certain and read)

    async def _asked(self, intent: Intent, subject: Subject) -> tuple[Diagnosis, Evidence]:
        diagnosis = await self._ask(Question(intent.facility, subject))
        kept = await self._ledger.diagnosis(diagnosis.id)
        if kept is None:
            raise StorageError(f"The answer {diagnosis.id} was not kept.")
        return kept

    async def gone(self, intent: Intent, target: Target) -> bool:
        """METRC alone, by id and in both lists."""
        seen = tuple(await self._records(intent, [target.record_id, target.keep]))
        now = self._clock.now()
        if removals.is_gone(intent.kind, target, Sight(now, seen)):
            return True
        return intent.kind is DuplicateKind.SALES_RECEIPT and await self._is_listed_as_voided(target, now)

    # --- records

    async def _records(self, intent: Intent, ids: Iterable[str]) -> list[Seen]:
        if intent.kind is DuplicateKind.SALES_RECEIPT:
            return [removals.seen_receipt(record, await self._receipt(record)) for record in ids]
        if intent.kind in {DuplicateKind.EXTERNAL_TRANSFER, DuplicateKind.TRANSFER}:
            return await self._transfers(intent, tuple(ids))
        return []

    async def _receipt(self, record_id: str) -> MetrcReceipt | None:
        """None: METRC says that there is none, with a key that sees others."""
        try:
            return await self._metrc.receipt(int(record_id))
        except MetrcError as error:
            if error.kind not in _MAYBE_UNKNOWN:
                raise
        # 401 is the answer for an unknown receipt and for a dead key; only this tells them apart
        await self._metrc.probe("sales")
        return None

    async def _is_listed_as_voided(self, target: Target, now: datetime) -> bool:
        since = (target.sent_at or now) - CLOCKS_APART
        for active in (False, True):
            rows = await self._metrc.receipts(active=active, window=Window(since, now + CLOCKS_APART))
            if any(str(row.id) == target.record_id and not row.is_live for row in rows):
                return True
        return False

    async def _transfers(self, intent: Intent, ids: Sequence[str]) -> list[Seen]:
        now = self._clock.now()
        window = Window(_first_change(intent), now + CLOCKS_APART)
        rows = {str(row.id): row for row in await self._metrc.transfers(Direction.INCOMING, window)}
        return [removals.seen_transfer(record, await self._with_packages(rows.get(record))) for record in ids]

    async def _with_packages(self, transfer: Transfer | None) -> Transfer | None:
        if transfer is None or transfer.delivery_id is None or transfer.is_voided:
            return transfer
        return replace(transfer, packages=await self._metrc.transfer_packages(transfer.delivery_id))


def _first_change(intent: Intent) -> datetime:
    """``LastModified`` only goes forward, so a manifest is listed from the moment it had at the card."""
    return intent.sight.oldest or intent.proposed_at - MANIFEST_AGE


def _around(diagnosis: Diagnosis, evidence: Evidence) -> tuple[Seen, ...]:
    if diagnosis.subject.kind is not SubjectKind.PACKAGE:
        return ()
    return removals.seen_around(diagnosis, evidence.package.value)


def _is_read(intent: Intent, evidence: Evidence) -> bool:
    """Whether the package was read as well as at the card; one that is on the road may be readable by nobody."""
    before = intent.sight.of(removals.package_name(evidence.subject.value))
    return evidence.package.was_read or before is None or before.facts is None
