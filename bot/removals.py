"""The life of a removal: which states there are, which moves are legal, who may, what changed. Pure.

::

    proposed ─▶ approved ─▶ sending ─▶ done
        │          │  ▲        │ ├───▶ refused
        │          │  └────────┘ └───▶ unknown ─▶ sending | done | abandoned
        │          └▶ done | expired | withdrawn | abandoned
        └▶ denied | expired | withdrawn

An ``Intent`` is a value: each step below makes the next value from the last one, or raises ``IllegalMove``. Storing it is
a conditional update on what was read, so of two that step from the same value only one goes on.

``sending`` means that one process has claimed the intent; whether anything was sent yet is told by ``requests`` of its
target, which is written before the request leaves. ``unknown`` is left by reading METRC, never by sending blindly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from bot.audit import canonical
from bot.errors import CountlastError
from bot.model import (
    CheckName,
    Diagnosis,
    Duplicate,
    DuplicateKind,
    Evidence,
    Forbidden,
    Gap,
    MetrcPackage,
    MetrcReceipt,
    Result,
    Subject,
    Transfer,
)
from bot.units import plain

MOST_REQUESTS: Final = 2
"""Requests to delete one record, in all."""

VERIFY_AGAIN: Final = timedelta(hours=24)
PERSON_TAKES: Final = timedelta(days=7)
"""How long a removal by hand stays open before it is taken for abandoned."""


class State(StrEnum):
    """Where an intent stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether it still holds its records, so that no second intent can."""
        return self in OPEN


OPEN: Final = frozenset({State.PROPOSED, State.APPROVED, State.SENDING, State.UNKNOWN})

MOVES: Final[dict[State, frozenset[State]]] = {
    State.PROPOSED: frozenset({State.APPROVED, State.DENIED, State.EXPIRED, State.WITHDRAWN}),
    State.APPROVED: frozenset(
        {State.SENDING, State.DONE, State.REFUSED, State.EXPIRED, State.WITHDRAWN, State.ABANDONED}
    ),
    State.SENDING: frozenset({State.APPROVED, State.DONE, State.REFUSED, State.UNKNOWN, State.EXPIRED}),
    State.UNKNOWN: frozenset({State.SENDING, State.DONE, State.ABANDONED}),
    State.DONE: frozenset(),
    State.REFUSED: frozenset(),
    State.ABANDONED: frozenset(),
    State.DENIED: frozenset(),
    State.EXPIRED: frozenset(),
    State.WITHDRAWN: frozenset(),
}


class IllegalMove(CountlastError):
    """A removal cannot go from where it is to where it was to go."""


class Way(StrEnum):
    """Who removes what was approved: the bot through METRC's API, or a person by hand."""

    API = "api"
    PERSON = "person"


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that the removal rests on, as it was seen. ``facts`` None: it was not there."""

    name: str
    facts: tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one look.

    ``twins``: ids that the diagnosis of that moment says are to be removed; ``ready``: those of them that may go now.
    ``kept``: ids that it says have a twin. ``certain``: the search for duplicates could read all it needed, so an id
    that is not among the twins is none. ``oldest``: the earliest ``LastModified`` among the records, for a list read.
    """

    at: datetime
    seen: tuple[Seen, ...]
    twins: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    certain: bool = True
    oldest: datetime | None = None

    def of(self, name: str) -> Seen | None:
        """The thing of this name; None: it was not looked at."""
        return next((seen for seen in self.seen if seen.name == name), None)


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much the difference POS − METRC of a package shrinks when the record is gone."""

    label: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Target:
    """One record to remove. ``keep``: its twin that stays. ``requests``: to delete it, counted before each is sent.

    ``unfinalizes``: requests to unfinalize it, counted likewise; from the first on its finalized flag is our doing.
    ``unsure``: it is gone after a request of ours whose answer was lost, so somebody else may have been first.
    """

    record_id: str
    keep: str
    effects: tuple[Effect, ...] = ()
    requests: int = 0
    unfinalizes: int = 0
    sent_at: datetime | None = None
    answer: str | None = None
    is_done: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved what: the digest is that of the evidence on the card."""

    person: str
    name: str
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Intent:
    """One removal that was proposed: one card, one or several records of one kind.

    ``askers``: who asked or joined the question, the proposer first. ``team``: the workspace of the card. ``sight``: what
    it rests on. ``needed``: approvals. ``fence`` counts claims, ``revision`` every change. ``due_at``: when the sweep
    has to look at it, None: never again. ``says``: the latest news in one sentence. ``with_person_since``: from when on
    a person has to look. ``held``: what the last verification found; ``checks_left``: verifications still to come.
    """

    id: str
    facility: str
    system: str
    kind: DuplicateKind
    subject: Subject
    diagnosis_id: str
    headline: str
    why: str
    askers: tuple[str, ...]
    team: str
    proposed_at: datetime
    expires_at: datetime
    way: Way
    needed: int
    targets: tuple[Target, ...]
    sight: Sight
    digest: str
    state: State = State.PROPOSED
    approvals: tuple[Approval, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    says: str = ""
    owner: str | None = None
    lease_until: datetime | None = None
    fence: int = 0
    revision: int = 0
    due_at: datetime | None = None
    with_person_since: datetime | None = None
    done_at: datetime | None = None
    checks_left: int = 0
    held: bool | None = None

    @property
    def next_target(self) -> Target | None:
        """The record whose turn it is; None when all are gone."""
        return next((target for target in self.targets if not target.is_done), None)

    @property
    def removed(self) -> tuple[str, ...]:
        """The records that are gone."""
        return tuple(target.record_id for target in self.targets if target.is_done)

    @property
    def has_sent(self) -> bool:
        """Whether any request to delete was ever counted."""
        return any(target.requests for target in self.targets)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the shop's configuration says at this moment. ``read_only`` is the kill switch."""

    approvers: tuple[str, ...] = ()
    second_person: bool = True
    act: bool = False
    approval: timedelta = timedelta(minutes=30)
    two_approvals_over: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock of sending, all of it cut from the lease, so that a test can shrink it.

    A request gets an eighth of the lease. After an unknown outcome METRC is left alone for half of it: what was sent may
    still land. A process that died holds its claim for all of it, which is longer than both together.
    """

    lease: timedelta = timedelta(seconds=120)

    @property
    def deadline(self) -> timedelta:
        """For one request, the wait for a turn included."""
        return self.lease / 8

    @property
    def settling(self) -> timedelta:
        """How long after an unknown outcome METRC is read again."""
        return self.lease / 2

    @property
    def again(self) -> timedelta:
        """When to try again what could not be read."""
        return self.lease / 4


@dataclass(frozen=True, slots=True)
class Card:
    """A message in Slack that shows an intent: channel, its ``ts``, and the ``ts`` of its thread's parent if known."""

    channel: str
    message: str
    thread: str | None = None


class Verb(StrEnum):
    """What a press asks for."""

    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    CHECK = "check"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button. ``id`` is the same for every repeat of it; ``person`` and ``team`` are who pressed."""

    id: str
    intent_id: str
    verb: Verb
    person: str
    team: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack user, as Slack says now. ``team``: the home workspace."""

    id: str
    name: str
    team: str
    is_bot: bool = False
    is_guest: bool = False
    is_deactivated: bool = False


# --- what is offered --------------------------------------------------------------------------------------------------

_BY_API: Final = frozenset({DuplicateKind.SALES_RECEIPT, DuplicateKind.EXTERNAL_TRANSFER})


@dataclass(frozen=True, slots=True)
class Offer:
    """Duplicates of one kind that one card can speak of."""

    system: str
    kind: DuplicateKind
    removable: bool
    duplicates: tuple[Duplicate, ...]


def offers(diagnosis: Diagnosis) -> tuple[Offer, ...]:
    """What may be proposed after this answer, one a kind; nothing while a record may still be on its way."""
    kinds: dict[tuple[str, DuplicateKind, bool], list[Duplicate]] = {}
    for answer in (diagnosis, *diagnosis.packages):
        for duplicate in answer.duplicates:
            group = kinds.setdefault((duplicate.system, duplicate.kind, duplicate.removable), [])
            if is_offered(duplicate, answer.must_not) and duplicate not in group:
                group.append(duplicate)
    return tuple(Offer(*kind, tuple(group)) for kind, group in kinds.items() if group)


def is_offered(duplicate: Duplicate, must_not: Collection[Forbidden]) -> bool:
    """Whether this twin may go now, by the bot or by hand."""
    if duplicate.removable:
        return True
    # the API could void it, so that it says "not now" is the diagnosis's own reservation
    return duplicate.kind is not DuplicateKind.SALES_RECEIPT and Forbidden.REMOVE_RECORD not in must_not


def way_of(offer: Offer, policy: Policy) -> Way:
    """Who would do it."""
    return Way.API if offer.removable and offer.kind in _BY_API and policy.act else Way.PERSON


def targets_of(offer: Offer, answers: Iterable[Diagnosis]) -> tuple[Target, ...]:
    """Every record once, with what its removal gives back to which package."""
    answers = tuple(answers)
    keeps = {record: duplicate.keep for duplicate in offer.duplicates for record in duplicate.remove}
    return tuple(Target(record, keep, _effects(offer, record, answers)) for record, keep in keeps.items())


def _effects(offer: Offer, record: str, answers: Sequence[Diagnosis]) -> tuple[Effect, ...]:
    ref = f"{offer.system} {_REFS.get(offer.kind, offer.kind.value)} {record}"
    return tuple(
        Effect(answer.subject.value, sum((s.quantity for s in answer.gap.explained if ref in s.refs), Decimal(0)))
        for answer in answers
        if answer.gap is not None and any(ref in share.refs for share in answer.gap.explained)
    )


_REFS: Final = {DuplicateKind.SALES_RECEIPT: "receipt"}


def propose(
    offer: Offer,
    pairs: Sequence[tuple[Diagnosis, Evidence]],
    *,
    intent_id: str,
    askers: Sequence[str],
    team: str,
    policy: Policy,
    now: datetime,
) -> Intent:
    """The intent for one offer. ``pairs``: the answer with its evidence first, then those of its packages."""
    asked = pairs[0][0]
    targets = targets_of(offer, [diagnosis for diagnosis, _ in pairs])
    sight = sight_at_card(offer.kind, targets, pairs, now)
    return Intent(
        id=intent_id,
        facility=asked.facility,
        system=offer.system,
        kind=offer.kind,
        subject=asked.subject,
        diagnosis_id=asked.id,
        headline=asked.headline,
        why=" ".join(dict.fromkeys(duplicate.why for duplicate in offer.duplicates)),
        askers=tuple(dict.fromkeys(askers)),
        team=team,
        proposed_at=now,
        expires_at=now + policy.approval,
        way=way_of(offer, policy),
        needed=approvals_for(len(targets), policy),
        targets=targets,
        sight=sight,
        digest=digest_of(offer.system, offer.kind, targets, sight),
        due_at=now + policy.approval,
    )


def approvals_for(records: int, policy: Policy) -> int:
    """How many people have to approve a card of so many records."""
    over = policy.two_approvals_over
    return 2 if over is not None and records > over else 1


def digest_of(system: str, kind: DuplicateKind, targets: Iterable[Target], sight: Sight) -> str:
    """One name for the records and all that the removal rests on; the time of the look is no part of it."""
    told = {
        "system": system,
        "kind": kind.value,
        "remove": sorted([target.record_id, target.keep] for target in targets),
        "seen": sorted([s.name, [list(fact) for fact in s.facts or ()]] for s in sight.seen),
    }
    return hashlib.sha256(canonical(told).encode()).hexdigest()


# --- what is seen -----------------------------------------------------------------------------------------------------


def sight_at_card(
    kind: DuplicateKind, targets: Iterable[Target], pairs: Sequence[tuple[Diagnosis, Evidence]], at: datetime
) -> Sight:
    """What the card's evidence shows of the records, their twins and the packages."""
    ids = {record for target in targets for record in (target.record_id, target.keep)}
    seen: dict[str, Seen] = {}
    times: list[datetime] = []
    for diagnosis, evidence in pairs:
        records = _records(kind, evidence, ids)
        times += [record.last_modified for record in records if record.last_modified is not None]
        found = [*map(_seen_record, records), *seen_around(diagnosis, evidence.package.value)]
        seen |= {one.name: one for one in found}
    sight = sight_of([diagnosis for diagnosis, _ in pairs], kind, at)
    return replace(sight, seen=tuple(seen.values()), oldest=min(times, default=None))


def _records(kind: DuplicateKind, evidence: Evidence, ids: Collection[str]) -> list[MetrcReceipt | Transfer]:
    if kind is DuplicateKind.SALES_RECEIPT:
        return [receipt for receipt in evidence.receipts.value or () if str(receipt.id) in ids]
    if kind in {DuplicateKind.EXTERNAL_TRANSFER, DuplicateKind.TRANSFER}:
        return [transfer for transfer in evidence.transfers.value or () if str(transfer.id) in ids]
    return []


def _seen_record(record: MetrcReceipt | Transfer) -> Seen:
    if isinstance(record, MetrcReceipt):
        return seen_receipt(str(record.id), record)
    return seen_transfer(str(record.id), record)


def sight_of(answers: Iterable[Diagnosis], kind: DuplicateKind, at: datetime) -> Sight:
    """Which records of this kind these answers say are to be removed."""
    answers = tuple(answers)
    named = [(a, d) for a in answers for d in a.duplicates if d.kind is kind]
    return Sight(
        at=at,
        seen=(),
        twins=tuple(dict.fromkeys(record for _, d in named for record in d.remove)),
        ready=tuple(dict.fromkeys(r for a, d in named if is_offered(d, a.must_not) for r in d.remove)),
        kept=tuple(dict.fromkeys(d.keep for _, d in named)),
        certain=all(_searched(answer) for answer in answers),
    )


def _searched(answer: Diagnosis) -> bool:
    results = [check.result for check in answer.checks if check.name is CheckName.DUPLICATION]
    return all(result in {Result.CLEAR, Result.FOUND} for result in results) and bool(results or answer.packages)


def seen_around(diagnosis: Diagnosis, package: MetrcPackage | None) -> tuple[Seen, ...]:
    """The package and its difference, for an answer about a package."""
    label = diagnosis.subject.value
    return (seen_package(label, package), seen_difference(label, diagnosis.gap))


def receipt_name(record_id: str) -> str:
    """How a receipt is called in ``Seen``."""
    return f"METRC receipt {record_id}"


def transfer_name(record_id: str) -> str:
    """How a manifest is called in ``Seen``."""
    return f"METRC transfer {record_id}"


def difference_name(label: str) -> str:
    """How a package's difference is called in ``Seen``."""
    return f"The difference of {label}"


def package_name(label: str) -> str:
    """How a package is called in ``Seen``."""
    return f"Package {label}"


ACTIVE: Final = "active"
VOIDED: Final = "voided"
STANDING: Final = "standing"
FINALIZED: Final = "finalized"


def seen_receipt(record_id: str, receipt: MetrcReceipt | None) -> Seen:
    """A receipt, but for when METRC last touched it: our own unfinalizing changes that."""
    if receipt is None:
        return Seen(receipt_name(record_id), None)
    facts = {
        STANDING: ACTIVE if receipt.is_live else VOIDED,
        FINALIZED: "yes" if receipt.is_final else "no",
        "number": receipt.external_number or "none",
        "sale time": receipt.sold_at.isoformat() if receipt.sold_at else "none",
        "total": plain(receipt.total_price) if receipt.total_price is not None else "none",
        "lines": _lines(receipt),
    }
    return Seen(receipt_name(record_id), tuple(facts.items()))


def _lines(receipt: MetrcReceipt) -> str:
    if receipt.lines is None:
        return "not read"
    told = sorted(
        f"{plain(line.quantity)} {line.unit or ''} of {line.label} at {plain(line.price) if line.price is not None else 'no price'}"
        for line in receipt.lines
    )
    return "; ".join(told) or "none"


def seen_transfer(record_id: str, transfer: Transfer | None) -> Seen:
    """A manifest with its packages."""
    if transfer is None:
        return Seen(transfer_name(record_id), None)
    facts = {
        STANDING: VOIDED if transfer.is_voided else ACTIVE,
        "manifest": transfer.manifest,
        "invoice": transfer.invoice or "none",
        "shipper": transfer.shipper_license or "none",
        "kind": transfer.shipment_type or "none",
        "left": "yes" if transfer.departed_at else "no",
        "received": "yes" if transfer.received_at else "no",
        "packages": _packages(transfer),
    }
    return Seen(transfer_name(record_id), tuple(facts.items()))


def _packages(transfer: Transfer) -> str:
    if transfer.packages is None:
        return "not read"
    told = sorted(
        f"{plain(p.shipped_quantity) if p.shipped_quantity is not None else '?'} {p.shipped_unit or ''} of {p.label}, "
        f"{(p.state or 'no state').lower()}"
        for p in transfer.packages
    )
    return "; ".join(told) or "none"


def seen_package(label: str, package: MetrcPackage | None) -> Seen:
    """The package, but for its quantity: what counts is the difference."""
    if package is None:
        return Seen(package_name(label), None)
    facts = {
        "hold": "on hold" if package.is_held else "none",
        "life": "finished" if package.is_closed else "active",
        "unit": package.unit or "none",
        "item": package.item.name or "none",
    }
    return Seen(package_name(label), tuple(facts.items()))


def seen_difference(label: str, gap: Gap | None) -> Seen:
    """POS − METRC of a package."""
    if gap is None:
        return Seen(difference_name(label), None)
    return Seen(difference_name(label), (("amount", plain(gap.difference)), ("unit", gap.unit)))


# --- what changed -----------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a look before the act leads to. ``spent``: both requests were made and the record is still there."""

    GO = "go"
    GONE = "gone"
    CHANGED = "changed"
    WAIT = "wait"
    SPENT = "spent"


def judge(intent: Intent, target: Target, sight: Sight) -> tuple[Verdict, tuple[str, ...]]:
    """Whether the record may be removed after this look, and what changed since the card."""
    if is_gone(intent.kind, target, sight):
        if target.requests:
            return Verdict.GONE, ()
        return Verdict.CHANGED, (f"{record_name(intent.kind, target.record_id)} was already removed by somebody else.",)
    records, around = names_of(intent, target)[:2], names_of(intent, target)[2:]
    if told := changes(intent, target, sight, records):
        return Verdict.CHANGED, told
    if not sight.certain:
        return Verdict.WAIT, ("Not everything that the search for duplicates needs could be read.",)
    if told := changes(intent, target, sight, around):
        return Verdict.CHANGED, told
    if target.record_id not in sight.ready:
        return Verdict.CHANGED, (_not_ready(intent, target, sight),)
    if target.requests >= MOST_REQUESTS:
        return Verdict.SPENT, (f"It is still there after {target.requests} requests.",)
    return Verdict.GO, ()


def _not_ready(intent: Intent, target: Target, sight: Sight) -> str:
    name = record_name(intent.kind, target.record_id)
    if target.record_id in sight.twins:
        return f"Something of this package may still be on its way, so {name} cannot go now."
    return f"{name} is no longer found to be a twin of {target.keep}."


def is_gone(kind: DuplicateKind, target: Target, sight: Sight) -> bool:
    """Whether METRC shows the record as removed.

    A voided manifest may not be listed any more; that its twin is, shows that the list was read in the right place.
    """
    seen = sight.of(record_name(kind, target.record_id))
    if seen is None:
        return False
    if seen.facts is None:
        keep = sight.of(record_name(kind, target.keep))
        return kind is DuplicateKind.EXTERNAL_TRANSFER and keep is not None and keep.facts is not None
    return (STANDING, VOIDED) in seen.facts


def record_name(kind: DuplicateKind, record_id: str) -> str:
    """How a record is called in ``Seen`` and in sentences."""
    if kind is DuplicateKind.SALES_RECEIPT:
        return receipt_name(record_id)
    if kind in {DuplicateKind.EXTERNAL_TRANSFER, DuplicateKind.TRANSFER}:
        return transfer_name(record_id)
    return f"{kind.value.replace('_', ' ')} {record_id}"


def changes(intent: Intent, target: Target, sight: Sight, names: Iterable[str]) -> tuple[str, ...]:
    """What of these things is not as the card showed it, one sentence each; our own doings do not count."""
    told: list[str] = []
    for name in names:
        before, after = intent.sight.of(name), sight.of(name)
        if before is not None:
            told += _compared(_expected(before, intent, target), after or Seen(name, None), _ours(intent, target, name))
    return tuple(told)


def names_of(intent: Intent, target: Target) -> tuple[str, ...]:
    """What has to be as it was, for this record to go."""
    around = [name for label in labels_of(intent, target) for name in (package_name(label), difference_name(label))]
    return (record_name(intent.kind, target.record_id), record_name(intent.kind, target.keep), *around)


def labels_of(intent: Intent, target: Target) -> tuple[str, ...]:
    """The packages that the record touches; where the account names none, all that the card speaks of."""
    labels = tuple(effect.label for effect in target.effects)
    return labels or all_labels(intent)


def all_labels(intent: Intent) -> tuple[str, ...]:
    """Every package that the card speaks of."""
    start = package_name("")
    return tuple(seen.name.removeprefix(start) for seen in intent.sight.seen if seen.name.startswith(start))


def objections(intent: Intent, policy: Policy) -> tuple[str, ...]:
    """Why the approvals do not carry the act any more: of other evidence, or of people or too few by today's rules."""
    told: list[str] = []
    digest = digest_of(intent.system, intent.kind, intent.targets, intent.sight)
    if any(shown != digest for shown in (intent.digest, *(one.digest for one in intent.approvals))):
        told.append("What is kept of this removal is not what was approved.")
    if policy.second_person and (own := [one.name for one in intent.approvals if one.person in intent.askers]):
        told.append(f"{', '.join(own)} asked or joined this question, so somebody else has to approve.")
    needed = max(intent.needed, approvals_for(len(intent.targets), policy))
    if len({one.person for one in intent.approvals}) < needed:
        told.append(f"This needs the approval of {needed} people.")
    return tuple(told)


def _ours(intent: Intent, target: Target, name: str) -> frozenset[str]:
    unfinalized = target.unfinalizes and name == record_name(intent.kind, target.record_id)
    return frozenset({FINALIZED}) if unfinalized else frozenset()


def _expected(before: Seen, intent: Intent, target: Target) -> Seen:
    """What should be there now: the records of this intent that are gone already have shrunk the difference."""
    for label in labels_of(intent, target):
        if before.name == difference_name(label) and before.facts is not None:
            return _shrunk(before, _taken(intent, label))
    return before


def _taken(intent: Intent, label: str) -> Decimal:
    gone = [effect for target in intent.targets if target.is_done for effect in target.effects]
    return sum((effect.quantity for effect in gone if effect.label == label), Decimal(0))


def _shrunk(seen: Seen, by: Decimal) -> Seen:
    facts = tuple(
        (name, plain(Decimal(value) - by)) if name == "amount" else (name, value) for name, value in seen.facts or ()
    )
    return replace(seen, facts=facts)


def _compared(before: Seen, after: Seen, ours: Collection[str]) -> list[str]:
    if before.facts is None and after.facts is None:
        return []
    if after.facts is None:
        return [f"{before.name} is no longer there, or can no longer be read."]
    if before.facts is None:
        return [f"{before.name} was not there before, and is now."]
    now = dict(after.facts)
    return [
        f"{before.name}: {fact} was {value} and is now {now.get(fact, 'none')}."
        for fact, value in before.facts
        if fact not in ours and now.get(fact, "none") != value
    ]


def is_final(intent: Intent, target: Target, sight: Sight) -> bool:
    """Whether the record has to be unfinalized before it can go."""
    seen = sight.of(record_name(intent.kind, target.record_id))
    return seen is not None and (FINALIZED, "yes") in (seen.facts or ())


# --- who may ----------------------------------------------------------------------------------------------------------


class Fault(StrEnum):
    """Why a press is turned down; the reason for machines."""

    NO_SUCH_CARD = "no_such_card"
    STRANGER = "stranger"
    BOT = "bot"
    GUEST = "guest"
    DEACTIVATED = "deactivated"
    ASKED = "asked"
    NO_APPROVER = "no_approver"
    NOT_PROPOSER = "not_proposer"
    CANNOT_TELL = "cannot_tell"
    EXPIRED = "expired"
    NO_REASON = "no_reason"
    TOO_LATE = "too_late"


SENTENCES: Final = {
    Fault.NO_SUCH_CARD: "This button belongs to no removal that Countlast knows.",
    Fault.STRANGER: "Only people of this workspace may decide this.",
    Fault.BOT: "A bot cannot decide this.",
    Fault.GUEST: "Guests cannot decide this.",
    Fault.DEACTIVATED: "A deactivated account cannot decide this.",
    Fault.ASKED: "You asked or joined this question, so somebody else has to approve.",
    Fault.NO_APPROVER: "You are not among the approvers of this shop.",
    Fault.NOT_PROPOSER: "Only who asked the question can take it back.",
    Fault.CANNOT_TELL: "Slack did not say whether you may decide this, so nothing was decided; try again in a minute.",
    Fault.EXPIRED: "This proposal has expired; ask the question again.",
    Fault.NO_REASON: "Declining needs a reason.",
    Fault.TOO_LATE: "This was decided already.",
}


def person_fault(person: Person, team: str) -> Fault | None:
    """Why nobody like this may decide anything."""
    if person.team != team:
        return Fault.STRANGER
    if person.is_bot:
        return Fault.BOT
    if person.is_deactivated:
        return Fault.DEACTIVATED
    return Fault.GUEST if person.is_guest else None


def press_fault(intent: Intent, press: Press, policy: Policy, *, is_approver: bool) -> Fault | None:
    """Why this press by an acceptable person is turned down. Whether the state takes it is another question."""
    if press.verb is Verb.CHECK:
        return None
    if press.verb is Verb.WITHDRAW:
        return None if press.person in intent.askers[:1] else Fault.NOT_PROPOSER
    if not is_approver:
        return Fault.NO_APPROVER
    if press.verb is Verb.DECLINE and not press.reason.strip():
        return Fault.NO_REASON
    if press.verb is Verb.APPROVE and policy.second_person and press.person in intent.askers:
        return Fault.ASKED
    return Fault.EXPIRED if intent.state is State.PROPOSED and press.at >= intent.expires_at else None


# --- moves ------------------------------------------------------------------------------------------------------------


def _move(intent: Intent, to: State, **changes: Any) -> Intent:  # noqa: ANN401 - fields of the intent, checked by replace
    if to is not intent.state and to not in MOVES[intent.state]:
        raise IllegalMove(f"A removal that is {intent.state} cannot become {to}.")
    return replace(intent, state=to, revision=intent.revision + 1, **changes)


def _end(intent: Intent, to: State, now: datetime, says: str, **changes: Any) -> Intent:  # noqa: ANN401 - as above
    """A last state. What we unfinalized, or may have, and did not remove is told to a person."""
    left = [target.record_id for target in intent.targets if target.unfinalizes and not target.is_done]
    ids = ", ".join(left)
    also = f" Countlast asked METRC to unfinalize {ids}: if it is still there, finalize it again." if left else ""
    told = {"with_person_since": now if left else None, **changes}
    return _move(intent, to, says=f"{says}{also}", due_at=None, owner=None, lease_until=None, **told)


def join(intent: Intent, person: str) -> Intent:
    """Somebody else asked the same."""
    return _move(intent, intent.state, askers=(*intent.askers, person))


def approve(intent: Intent, approval: Approval, policy: Policy) -> Intent:
    """One approval more; the last one needed approves the intent, which then has its own time to be carried out."""
    if intent.state is not State.PROPOSED:
        raise IllegalMove(f"A removal that is {intent.state} cannot be approved.")
    approvals = (*intent.approvals, approval)
    missing = intent.needed - len({one.person for one in approvals})
    if missing > 0:
        says = f"Approved by {approval.name}; {missing} more needed."
        return _move(intent, State.PROPOSED, approvals=approvals, says=says)
    by_hand = intent.way is Way.PERSON
    return _move(
        intent,
        State.APPROVED,
        approvals=approvals,
        decided_by=approval.person,
        decided_at=approval.at,
        expires_at=approval.at + policy.approval,
        says=f"Approved by {approval.name}.",
        due_at=approval.at + (PERSON_TAKES if by_hand else timedelta(0)),
        with_person_since=approval.at if by_hand else None,
    )


def deny(intent: Intent, person: Person, reason: str, now: datetime) -> Intent:
    """An approver says no."""
    says = f"Declined by {person.name}: {reason.strip()}"
    return _end(intent, State.DENIED, now, says, decided_by=person.id, decided_at=now, reason=reason.strip())


def withdraw(intent: Intent, person: Person, now: datetime) -> Intent:
    """Who asked takes it back."""
    return _end(intent, State.WITHDRAWN, now, f"Taken back by {person.name}.", decided_by=person.id, decided_at=now)


def expire(intent: Intent, now: datetime, says: str = "Nobody approved it in time.") -> Intent:
    """Time ran out."""
    return _end(intent, State.EXPIRED, now, f"{says}{_partly(intent)}")


def abandon(intent: Intent, now: datetime, says: str, person: str | None = None) -> Intent:
    """A person, or time, ends what could not be settled."""
    return _end(intent, State.ABANDONED, now, says, decided_by=person or intent.decided_by)


def may_claim(intent: Intent, now: datetime) -> bool:
    """Whether a process may take it up now: approved for the bot, or left behind, or unknown and due."""
    if intent.state is State.APPROVED:
        return intent.way is Way.API and _is_due(intent, now)
    if intent.state is State.SENDING:
        return intent.lease_until is None or intent.lease_until <= now
    return intent.state is State.UNKNOWN and _is_due(intent, now)


def _is_due(intent: Intent, now: datetime) -> bool:
    return intent.due_at is not None and intent.due_at <= now


def claim(intent: Intent, owner: str, now: datetime, pace: Pace) -> Intent:
    """Take it up until the lease runs out."""
    until = now + pace.lease
    return _move(intent, State.SENDING, owner=owner, lease_until=until, due_at=until, fence=intent.fence + 1)


def sending(intent: Intent, target: Target, now: datetime, pace: Pace) -> Intent:
    """Count a request to delete, right before it leaves; the lease begins anew."""
    counted = replace(target, requests=target.requests + 1, sent_at=now, answer=None)
    return _with_target(
        intent, counted, now, pace, f"Request {counted.requests} to remove {target.record_id} was sent."
    )


def unfinalizing(intent: Intent, target: Target, now: datetime, pace: Pace) -> Intent:
    """Count a request to unfinalize, right before it leaves."""
    counted = replace(target, unfinalizes=target.unfinalizes + 1)
    return _with_target(intent, counted, now, pace, f"{target.record_id} is being unfinalized first.")


def _with_target(intent: Intent, target: Target, now: datetime, pace: Pace, says: str) -> Intent:
    until = now + pace.lease
    targets = _put(intent.targets, target)
    return _move(intent, State.SENDING, targets=targets, lease_until=until, due_at=until, says=says)


def _put(targets: Iterable[Target], target: Target) -> tuple[Target, ...]:
    return tuple(target if one.record_id == target.record_id else one for one in targets)


def removed(intent: Intent, target: Target, now: datetime, pace: Pace, *, answer: str, unsure: bool) -> Intent:
    """The record is gone; after the last one the intent is done and waits to be verified."""
    gone = replace(target, is_done=True, answer=answer, unsure=unsure)
    targets = _put(intent.targets, gone)
    left = sum(not one.is_done for one in targets)
    if left:
        says = f"{len(targets) - left} of {len(targets)} removed."
        return _with_target(replace(intent, targets=targets), gone, now, pace, says)
    return finish(replace(intent, targets=targets), now)


def finish(intent: Intent, now: datetime) -> Intent:
    """All is removed, by us or by hand: verify now, and again a day later."""
    ids = ", ".join(target.record_id for target in intent.targets[:5])
    more = f" and {len(intent.targets) - 5} more" if len(intent.targets) > 5 else ""
    unsure = " Its answer was lost, so somebody else may have been first." if _any_unsure(intent) else ""
    return _move(
        intent,
        State.DONE,
        says=f"Removed {ids}{more}.{unsure}",
        done_at=now,
        due_at=now,
        checks_left=2,
        owner=None,
        lease_until=None,
        with_person_since=None,
    )


def finish_by_hand(intent: Intent, now: datetime) -> Intent:
    """A person did it, and a look has shown that it is done."""
    return finish(replace(intent, targets=tuple(replace(target, is_done=True) for target in intent.targets)), now)


def _any_unsure(intent: Intent) -> bool:
    return any(target.unsure for target in intent.targets)


def postpone(intent: Intent, now: datetime, pace: Pace, says: str, wait: timedelta | None = None) -> Intent:
    """Not now: back to where a claim finds it, with nothing sent that is not settled."""
    due = now + (pace.again if wait is None else wait)
    return _move(intent, State.APPROVED, owner=None, lease_until=None, due_at=due, says=says)


def unsettled(intent: Intent, target: Target, now: datetime, pace: Pace, says: str) -> Intent:
    """Whether the request had its effect is not known. After the last request, or a whole lease, a person is told."""
    told = replace(intent, targets=_put(intent.targets, target))
    late = target.requests >= MOST_REQUESTS or (target.sent_at is not None and now - target.sent_at >= pace.lease)
    if intent.with_person_since is None and late:
        return hand_over(told, now, says)
    # a person knows already, so the next looks can take their time
    wait = pace.settling if intent.with_person_since is None else _PATIENT
    return _move(told, State.UNKNOWN, owner=None, lease_until=None, due_at=now + wait, says=says)


_PATIENT: Final = timedelta(hours=1)


def hand_over(intent: Intent, now: datetime, says: str) -> Intent:
    """A person has to look at METRC; meanwhile it is still read now and then."""
    since = intent.with_person_since or now
    told = f"{says} Please look at METRC yourself, then press “check again”."
    return _move(
        intent, State.UNKNOWN, owner=None, lease_until=None, due_at=now + _PATIENT, says=told, with_person_since=since
    )


def refuse(intent: Intent, now: datetime, says: str) -> Intent:
    """Nothing more is done."""
    return _end(intent, State.REFUSED, now, f"{says}{_partly(intent)}")


def _partly(intent: Intent) -> str:
    done = len(intent.removed)
    return f" {done} of {len(intent.targets)} were removed before; the rest was not touched." if done else ""


def by_hand(intent: Intent, now: datetime, says: str) -> Intent:
    """The bot may not act any more, so a person does what was approved."""
    return _move(
        intent,
        State.APPROVED,
        way=Way.PERSON,
        owner=None,
        lease_until=None,
        due_at=now + PERSON_TAKES,
        with_person_since=now,
        says=says,
    )


def look_now(intent: Intent, now: datetime) -> Intent:
    """A person asks for another look at what is unknown."""
    return _move(intent, intent.state, due_at=now)


def checking(intent: Intent, owner: str, now: datetime, pace: Pace) -> Intent:
    """Take up a verification, so that no other process does the same one."""
    return _move(intent, State.DONE, owner=owner, due_at=now + pace.lease, fence=intent.fence + 1)


def check_later(intent: Intent, now: datetime, says: str) -> Intent:
    """The verification could not be made now."""
    return _move(intent, State.DONE, owner=None, due_at=now + timedelta(minutes=15), says=says)


def verified(intent: Intent, now: datetime, *, held: bool, says: str) -> Intent:
    """One verification made; the second is due a day after the removal."""
    left = max(0, intent.checks_left - 1)
    again = (intent.done_at or now) + VERIFY_AGAIN
    return _move(
        intent, State.DONE, held=held, says=says, checks_left=left, owner=None, due_at=max(again, now) if left else None
    )


def did_hold(intent: Intent, sight: Sight) -> tuple[bool, str]:
    """Whether the records are gone and nothing new stands beside what was kept; needs a look that could read all."""
    there = [t.record_id for t in intent.targets if not _is_out(intent, t, sight)]
    if there:
        return False, f"The fix did not hold: {', '.join(there)} is there again."
    again = sorted({target.keep for target in intent.targets} & set(sight.kept))
    if again and set(sight.twins) - set(intent.sight.twins):
        return False, f"The fix did not hold: {', '.join(again)} has a new twin."
    return True, f"The fix held. {_differences(sight)}".strip()


def _is_out(intent: Intent, target: Target, sight: Sight) -> bool:
    seen = sight.of(record_name(intent.kind, target.record_id))
    stands = seen is not None and (STANDING, ACTIVE) in (seen.facts or ())
    return target.record_id not in sight.twins and not stands


def _differences(sight: Sight) -> str:
    start = difference_name("")
    told = [
        f"{seen.name} is now {' '.join(value for _, value in seen.facts)}."
        for seen in sight.seen
        if seen.name.startswith(start) and seen.facts is not None
    ]
    return " ".join(told)


# --- by hand ----------------------------------------------------------------------------------------------------------


def steps(intent: Intent) -> tuple[str, ...]:
    """What a person does, in order."""
    ids = ", ".join(target.record_id for target in intent.targets)
    keep = ", ".join(dict.fromkeys(target.keep for target in intent.targets))
    last = "Then press “done, check again”."
    return (*_STEPS[intent.kind](ids, keep, _needs_unfinalizing(intent)), last)


def _needs_unfinalizing(intent: Intent) -> bool:
    return any(is_final(intent, target, intent.sight) for target in intent.targets)


def _receipt_steps(ids: str, keep: str, unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    first = (f"Unfinalize receipt {ids}.",) if unfinalize else ()
    return ("In METRC open Sales, then Receipts.", *first, f"Void receipt {ids}.", f"Leave receipt {keep} as it is.")


def _delivery_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return ("In METRC open Sales, then Deliveries.", f"Void delivery {ids}.", f"Leave delivery {keep} as it is.")


def _external_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return (
        "In METRC open Transfers, then External Incoming.",
        f"Void transfer {ids} before anything of it is received.",
        f"Leave transfer {keep} as it is.",
    )


def _manifest_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return (
        f"Ask the shipper to void transfer {ids} in METRC before it is received.",
        f"If it arrives all the same, reject its packages on receipt; receive only transfer {keep}.",
    )


def _receive_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return (
        f"In the POS, open the stock that receive {ids} made.",
        f"Reconcile receive {ids} to zero with “do not tell METRC”.",
        f"Leave receive {keep} as it is.",
    )


def _package_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return (
        "In METRC open Packages, then Active.",
        f"Discontinue package {ids}; its tag is used up for good.",
        f"Leave package {keep} as it is.",
    )


def _adjustment_steps(ids: str, keep: str, _unfinalize: bool) -> tuple[str, ...]:  # noqa: FBT001 - a row of the table
    return (
        "METRC cannot take a correction back.",
        f"Have a manager enter the opposite of {ids} by hand, with the reason that it was entered twice.",
        f"Leave {keep} as it is.",
    )


_STEPS: Final = {
    DuplicateKind.SALES_RECEIPT: _receipt_steps,
    DuplicateKind.SALES_DELIVERY: _delivery_steps,
    DuplicateKind.EXTERNAL_TRANSFER: _external_steps,
    DuplicateKind.TRANSFER: _manifest_steps,
    DuplicateKind.RECEIVE: _receive_steps,
    DuplicateKind.PACKAGE: _package_steps,
    DuplicateKind.ADJUSTMENT: _adjustment_steps,
}
