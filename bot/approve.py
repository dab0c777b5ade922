"""Removing a duplicate: propose, decide, act, settle, verify. Rows decide, never memory.

What the listeners call: ``propose`` when an answer has twins, ``take`` before a press is acknowledged and ``decide`` after
it, ``act`` when that has approved something. What the clock calls, at start-up and every 30 s: ``recover``, which
finishes whatever a crash, a lost answer or a busy METRC has left.

Each step writes what it is about to do before it does it, on the condition that nobody else has moved the intent since it
was read. So a process can die anywhere, or two can try the same, and the record is asked for at most twice and goes once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from bot import removals
from bot.approvers import is_approver
from bot.audit import PROGRAM, Entry, Event
from bot.errors import ChatError, CountlastError, MetrcError, ProblemKind, SourceError
from bot.investigate import new_id
from bot.model import Diagnosis, DuplicateKind, Evidence
from bot.ports import AuditLog, Clock, Directory, Intents, Ledger, Lookout, Remover
from bot.removals import (
    Approval,
    Fault,
    Intent,
    Pace,
    Person,
    Policy,
    Press,
    Sight,
    State,
    Target,
    Verb,
    Verdict,
    Way,
)

T = TypeVar("T")

# one round of the sweep; what is left comes in the next
MOST_AT_ONCE: Final = 200
# a press that was taken and not answered by then was left behind by a process that died
LEFT_BEHIND: Final = timedelta(seconds=15)
# how long a fix that did not hold is news
TOLD_FOR: Final = timedelta(days=7)
WAITS_FOR_SLACK: Final = timedelta(hours=1)
# a press that loses this often to others finds the intent decided long before
TRIES: Final = 20

_REFUSALS: Final = frozenset(
    {
        ProblemKind.UNAUTHORIZED,
        ProblemKind.FORBIDDEN,
        ProblemKind.NOT_FOUND,
        ProblemKind.REJECTED,
        ProblemKind.TOO_LARGE,
    }
)


@dataclass(frozen=True)
class Office:
    """What the use cases need. ``policy``, ``lookout`` and ``remover`` are asked by license each time they are needed.

    ``fresh_directory`` is asked right before the act, ``directory`` at a press. ``owner`` names this process.
    """

    intents: Intents
    audit: AuditLog
    ledger: Ledger
    directory: Directory
    fresh_directory: Directory
    policy: Callable[[str], Policy]
    lookout: Callable[[str], Lookout]
    remover: Callable[[str], Remover]
    clock: Clock
    owner: str
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a press led to. ``says`` is for whoever pressed; ``taken``: the press moved the intent.

    ``is_late``: it came after the decision.
    """

    says: str
    taken: bool
    intent: Intent | None = None
    fault: Fault | None = None
    is_late: bool = False


# --- propose ----------------------------------------------------------------------------------------------------------


async def propose(office: Office, diagnosis_id: str, *, askers: Sequence[str], team: str) -> tuple[Intent, ...]:
    """The intents that this answer's card can offer; one that is open already is joined, and offered again.

    ``askers``: who asked or joined the question, the asker first.
    """
    pairs = await _pairs(office.ledger, diagnosis_id)
    if not pairs:
        return ()
    diagnosis, policy, now = pairs[0][0], office.policy(pairs[0][0].facility), office.clock.now()
    found = []
    for offer in removals.offers(diagnosis):
        intent = removals.propose(offer, pairs, intent_id=new_id(), askers=askers, team=team, policy=policy, now=now)
        found.append(await _offered(office, intent))
    return tuple(found)


def may_offer(diagnosis: Diagnosis) -> bool:
    """Whether ``propose`` finds anything in this answer."""
    return bool(removals.offers(diagnosis))


async def _pairs(ledger: Ledger, diagnosis_id: str) -> list[tuple[Diagnosis, Evidence]]:
    """The answer and those about its packages, each with its evidence as far as that was kept."""
    first = await ledger.diagnosis(diagnosis_id)
    if first is None:
        return []
    parts = [await ledger.diagnosis(part.id) for part in first[0].packages]
    return [first, *(part for part in parts if part is not None)]


async def _offered(office: Office, intent: Intent) -> Intent:
    for _ in range(TRIES):
        kept = await office.intents.add(
            intent, lambda one: (_entry(one, Event.PROPOSED, one.proposed_at, _offer(one)),)
        )
        if kept.id == intent.id:
            return kept
        if not _is_outdated(kept, intent):
            return await _joined(office, kept, intent.askers)
        says = "Replaced by newer evidence."
        entry = _entry(kept, Event.EXPIRED, intent.proposed_at, {"says": says})
        await office.intents.save(kept, removals.expire(kept, intent.proposed_at, says), (entry,))
    return kept


def _is_outdated(kept: Intent, intent: Intent) -> bool:
    """Whether nobody has decided on the open one, and it rests on what has changed since, or has run out."""
    undecided = kept.state is State.PROPOSED and not kept.approvals
    return undecided and (kept.digest != intent.digest or kept.expires_at <= intent.proposed_at)


async def _joined(office: Office, intent: Intent, people: Sequence[str]) -> Intent:
    for person in people:
        intent = await join(office, intent.id, person) or intent
    return intent


async def join(office: Office, intent_id: str, person: str) -> Intent | None:
    """Somebody asked or joined the question: with ``second_person`` they cannot approve any more.

    Whoever has approved before stays an approver: that they look at it again takes nothing from what they said.
    """
    for _ in range(TRIES):
        intent = await office.intents.get(intent_id)
        if intent is None or not intent.state.is_open:
            return intent
        if person in {*intent.askers, *(approval.person for approval in intent.approvals)}:
            return intent
        after = removals.join(intent, person)
        entry = _entry(after, Event.JOINED, office.clock.now(), {}, actor=person)
        if await office.intents.save(intent, after, (entry,)):
            return after
    return intent


async def join_answer(office: Office, diagnosis: Diagnosis, person: str) -> tuple[Intent, ...]:
    """``join`` whatever is open about the twins of this answer, also what an earlier answer has proposed."""
    held: dict[str, Intent] = {}
    for offer in removals.offers(diagnosis):
        for record in dict.fromkeys(record for duplicate in offer.duplicates for record in duplicate.remove):
            intent = await office.intents.holding(diagnosis.facility, offer.system, offer.kind, record)
            if intent is not None:
                held[intent.id] = intent
    joined = [await join(office, intent_id, person) for intent_id in held]
    return tuple(intent for intent in joined if intent is not None)


def _offer(intent: Intent) -> dict[str, object]:
    return {
        "system": intent.system,
        "kind": intent.kind.value,
        "remove": [target.record_id for target in intent.targets],
        "keep": list(dict.fromkeys(target.keep for target in intent.targets)),
        "way": intent.way.value,
        "why": intent.why,
        "diagnosis": intent.diagnosis_id,
        "digest": intent.digest,
        "askers": list(intent.askers),
        "seen": {seen.name: dict(seen.facts) if seen.facts is not None else None for seen in intent.sight.seen},
    }


async def note_question(office: Office, diagnosis: Diagnosis, person: str) -> None:
    """Write down who asked what, and what the answer was."""
    detail = {"diagnosis": diagnosis.id, "cause": diagnosis.cause.value, "code": diagnosis.code or ""}
    subject = f"{diagnosis.subject.kind.value} {diagnosis.subject.value}"
    entry = Entry(office.clock.now(), Event.ASKED, person, diagnosis.facility, "", subject, detail)
    await office.audit.append((entry,))


# --- decide -----------------------------------------------------------------------------------------------------------


async def take(office: Office, press: Press) -> bool:
    """Keep a press; only then acknowledge it. False: it is a repeat, and nothing is to be done.

    One that comes after the decision has nothing to lose, so it costs no write.
    """
    intent = await office.intents.get(press.intent_id)
    if intent is not None and not _takes(intent, press):
        return not await office.intents.was_taken(press.id)
    return await office.intents.take(press)


async def decide(office: Office, press: Press) -> Answer:
    """What a press leads to; for an approval that was the last one needed, ``act`` comes next."""
    answer = await _decided(office, press)
    if await office.intents.was_taken(press.id):
        await office.intents.answered(press.id)
    return answer


async def _decided(office: Office, press: Press) -> Answer:
    for _ in range(TRIES):
        intent = await office.intents.get(press.intent_id)
        if intent is None:
            return await _turned_down(office, None, press, Fault.NO_SUCH_CARD)
        if not _takes(intent, press):
            await _note_refusal(office, intent, press, Fault.TOO_LATE)
            return Answer(too_late(intent), taken=False, intent=intent, is_late=True)
        person, fault = await _judged(office, intent, press)
        if fault is not None or person is None:
            return await _turned_down(office, intent, press, fault or Fault.CANNOT_TELL)
        answer = await _carry(office, intent, press, person)
        if answer is not None:
            return answer
    return Answer("Others are deciding this right now; try again.", taken=False, intent=intent)


def _takes(intent: Intent, press: Press) -> bool:
    """Whether the state has an answer to this press; a second approval by the same person changes nothing."""
    if press.verb is Verb.APPROVE:
        return intent.state is State.PROPOSED and press.person not in {one.person for one in intent.approvals}
    if press.verb is Verb.DECLINE:
        return intent.state is State.PROPOSED
    if press.verb is Verb.WITHDRAW:
        return intent.state is State.PROPOSED or (intent.state is State.APPROVED and not intent.has_sent)
    return intent.state is State.UNKNOWN or (intent.state is State.APPROVED and intent.way is Way.PERSON)


def too_late(intent: Intent) -> str:
    """What a press is told that comes after the decision."""
    if intent.state is State.PROPOSED:
        return f"You have approved this already; {intent.needed - len(intent.approvals)} more needed."
    if intent.decided_by is None:
        return f"Nothing to decide any more: {intent.says}"
    at = f" at {intent.decided_at:%H:%M} UTC" if intent.decided_at else ""
    return f"Already decided by <@{intent.decided_by}>{at}. {intent.says}"


async def _judged(office: Office, intent: Intent, press: Press) -> tuple[Person | None, Fault | None]:
    """Who pressed, and why they may not. When Slack does not say, they may not."""
    if press.team != intent.team:
        return None, Fault.STRANGER
    policy = office.policy(intent.facility)
    try:
        person = await office.directory.person(press.person)
        may = press.verb in {Verb.CHECK, Verb.WITHDRAW} or await is_approver(office.directory, policy, press.person)
    except ChatError:
        return None, Fault.CANNOT_TELL
    fault = removals.person_fault(person, intent.team)
    return person, fault or removals.press_fault(intent, press, policy, is_approver=may)


async def _turned_down(office: Office, intent: Intent | None, press: Press, fault: Fault) -> Answer:
    await _note_refusal(office, intent, press, fault)
    return Answer(removals.SENTENCES[fault], taken=False, intent=intent, fault=fault)


async def _note_refusal(office: Office, intent: Intent | None, press: Press, fault: Fault) -> None:
    detail = {"press": press.verb.value, "fault": fault.value, "value": press.intent_id[:40], "team": press.team}
    facility, subject = (intent.facility, _subject(intent)) if intent else ("", "")
    known = intent.id if intent else ""
    entry = Entry(press.at, Event.REFUSED, press.person, facility, known, subject, detail)
    await office.audit.append((entry,))


async def _carry(office: Office, intent: Intent, press: Press, person: Person) -> Answer | None:
    """None: somebody else moved the intent first."""
    if press.verb is Verb.CHECK:
        return await _check_again(office, intent, person)
    after, event = _step(intent, press, person, office.policy(intent.facility))
    detail = {"name": person.name, "digest": intent.digest, "says": after.says, "reason": press.reason}
    if not await office.intents.save(intent, after, (_entry(after, event, press.at, detail, actor=person.id),)):
        return None
    return Answer(after.says, taken=True, intent=after)


def _step(intent: Intent, press: Press, person: Person, policy: Policy) -> tuple[Intent, Event]:
    if press.verb is Verb.APPROVE:
        approval = Approval(person.id, person.name, press.at, intent.digest)
        return removals.approve(intent, approval, policy), Event.APPROVED
    if press.verb is Verb.DECLINE:
        return removals.deny(intent, person, press.reason, press.at), Event.DENIED
    if press.verb is Verb.WITHDRAW:
        return removals.withdraw(intent, person, press.at), Event.WITHDRAWN
    says = f"Given up by {person.name}: {press.reason.strip() or 'no reason given'}"
    return removals.abandon(intent, press.at, says, person.id), Event.ABANDONED


# --- act --------------------------------------------------------------------------------------------------------------


class _Lost(CountlastError):
    """Another process has taken the intent over."""


class _Work:
    """An intent while this process holds it. ``keep`` writes each step before the next is made."""

    def __init__(self, office: Office, intent: Intent) -> None:
        self.office = office
        self.intent = intent
        self.lookout = office.lookout(intent.facility)
        self.remover = office.remover(intent.facility)

    @property
    def now(self) -> datetime:
        return self.office.clock.now()

    @property
    def deadline(self) -> float:
        return self.office.pace.deadline.total_seconds()

    def target(self, record_id: str) -> Target:
        return next(target for target in self.intent.targets if target.record_id == record_id)

    async def keep(self, after: Intent, event: Event, detail: Mapping[str, object] | None = None) -> None:
        told = {"says": after.says, "fence": after.fence, **(detail or {})}
        if not await self.office.intents.save(self.intent, after, (_entry(after, event, self.now, told),)):
            raise _Lost(f"Removal {after.id} was taken over by another process.")
        self.intent = after


async def act(office: Office, intent_id: str) -> Intent | None:
    """Carry an approved removal as far as it goes now: claim, look again, send, record, settle, verify."""
    intent = await office.intents.get(intent_id)
    now = office.clock.now()
    if intent is None or not removals.may_claim(intent, now):
        return intent
    work = _Work(office, intent)
    try:
        if await _claimed(work):
            await _carry_out(work)
        if work.intent.state is State.DONE:
            await _verify(work)
    except _Lost:
        return await office.intents.get(intent_id)
    return work.intent


async def _claimed(work: _Work) -> bool:
    """Take it up, unless nothing was sent yet and time has run out or the kill switch is on."""
    intent, now, target = work.intent, work.now, work.intent.next_target
    if target is not None and not target.requests:
        if now >= intent.expires_at:
            return await _ran_out(work, target)
        if intent.state is State.APPROVED and work.office.policy(intent.facility).read_only:
            await work.keep(removals.postpone(intent, now, work.office.pace, _SWITCHED_OFF), Event.POSTPONED)
            return False
    claimed = removals.claim(intent, work.office.owner, now, work.office.pace)
    await work.keep(claimed, Event.CLAIMED, {"owner": work.office.owner, "after": intent.state.value})
    return True


async def _ran_out(work: _Work, target: Target) -> bool:
    """The approval's time is over: nothing is sent any more. What was sent before is for a person to look at."""
    if target.requests:
        return await _stop(
            work, target, Verdict.CHANGED, f"The approval ran out, and {target.record_id} is still there."
        )
    says = f"The approval ran out before it was carried out. {work.intent.says}"
    await work.keep(removals.expire(work.intent, work.now, says), Event.EXPIRED)
    return False


_SWITCHED_OFF: Final = "Sending is switched off (read_only), so nothing is sent for now."


async def _carry_out(work: _Work) -> None:
    while (target := work.intent.next_target) is not None and await _one(work, target.record_id):
        pass


async def _one(work: _Work, record_id: str) -> bool:
    """One record; False: this one stops the rest."""
    target = work.target(record_id)
    try:
        if target.requests and await work.lookout.gone(work.intent, target):
            return await _is_removed(work, target, unsure=True)
        sight = await work.lookout.look(work.intent, (target,))
    except SourceError as error:
        return await _not_now(work, target, f"It could not be looked at again: {error}")
    verdict, told = removals.judge(work.intent, target, sight)
    if verdict is Verdict.GONE:
        return await _is_removed(work, target, unsure=True)
    if verdict is not Verdict.GO:
        return await _stop(work, target, verdict, " ".join(told))
    if not await _may_still(work, target):
        return False
    if removals.is_final(work.intent, target, sight) and not await _unfinalized(work, target):
        return False
    return await _send(work, work.target(record_id))


async def _stop(work: _Work, target: Target, verdict: Verdict, told: str) -> bool:
    if verdict is Verdict.WAIT:
        return await _not_now(work, target, told)
    if target.requests:
        # what was sent may have been the cause, so this is nothing to refuse but something to look at
        await work.keep(removals.hand_over(work.intent, work.now, told), Event.HANDED_OVER)
    else:
        says = f"{_so_far(work.intent)} {told}"
        await work.keep(removals.refuse(work.intent, work.now, says), Event.REFUSED)
    return False


def _so_far(intent: Intent) -> str:
    if intent.removed:
        return "Stopped."
    return "Nothing was removed." if any(target.unfinalizes for target in intent.targets) else "Nothing was done."


async def _not_now(work: _Work, target: Target, says: str, wait: timedelta | None = None) -> bool:
    """Try again later: from the start when nothing was sent, by reading when something was."""
    pace = work.office.pace
    if target.requests:
        return await _is_unknown(work, target, says)
    await work.keep(removals.postpone(work.intent, work.now, pace, says, wait), Event.POSTPONED)
    return False


async def _may_still(work: _Work, target: Target) -> bool:
    """Whether the shop still wants the bot to act, and whoever approved may still approve."""
    policy = work.office.policy(work.intent.facility)
    if policy.read_only:
        return await _not_now(work, target, _SWITCHED_OFF)
    if target.sent_at is not None and work.now < target.sent_at + work.office.pace.settling:
        return await _not_now(work, target, f"{target.record_id} is still there; what was sent may still land.")
    if work.now >= work.intent.expires_at:
        return await _ran_out(work, target)
    if not policy.act:
        return await _left_to_a_person(work, target)
    try:
        against = await _against(work, policy)
    except ChatError as error:
        return await _not_now(work, target, f"Slack did not say who may approve: {error}")
    if against:
        await _stop(work, target, Verdict.CHANGED, " ".join(against))
    return not against


async def _left_to_a_person(work: _Work, target: Target) -> bool:
    says = "The bot may not act any more"
    if target.requests:
        return await _stop(work, target, Verdict.CHANGED, f"{says}, and {target.record_id} is still there.")
    after = removals.by_hand(work.intent, work.now, f"{says}; please do the steps by hand.")
    await work.keep(after, Event.HANDED_OVER)
    return False


async def _against(work: _Work, policy: Policy) -> tuple[str, ...]:
    """What speaks against the approvals now, one sentence each. Raises ``ChatError``."""
    gone = [one.name for one in work.intent.approvals if not await _is_still_approver(work, policy, one)]
    lost = (f"{', '.join(gone)} may no longer approve this.",) if gone else ()
    return (*lost, *removals.objections(work.intent, policy))


async def _is_still_approver(work: _Work, policy: Policy, approval: Approval) -> bool:
    directory = work.office.fresh_directory
    person = await directory.person(approval.person)
    if removals.person_fault(person, work.intent.team) is not None:
        return False
    return await is_approver(directory, policy, approval.person)


async def _unfinalized(work: _Work, target: Target) -> bool:
    """Unfinalize first; whether it is done is read, not believed."""
    if target.unfinalizes >= removals.MOST_REQUESTS:
        return await _stop(work, target, Verdict.CHANGED, f"{target.record_id} cannot be unfinalized.")
    detail = {"record": target.record_id, "request": f"PUT /sales/v2/receipts/unfinalize {target.record_id}"}
    await work.keep(removals.unfinalizing(work.intent, target, work.now, work.office.pace), Event.UNFINALIZED, detail)
    target = work.target(target.record_id)
    try:
        await work.remover.unfinalize_receipt(int(target.record_id), work.deadline)
    except MetrcError as error:
        if error.kind in _REFUSALS:
            return await _stop(work, target, Verdict.CHANGED, f"METRC did not unfinalize it: {error}")
        return await _not_now(work, target, f"Unfinalizing was not confirmed: {error}", _wait_of(error))
    return True


async def _send(work: _Work, target: Target) -> bool:
    detail = {"record": target.record_id, "attempt": target.requests + 1, "request": _request(work.intent, target)}
    await work.keep(removals.sending(work.intent, target, work.now, work.office.pace), Event.SENT, detail)
    target = work.target(target.record_id)
    try:
        await _delete(work, target)
    except MetrcError as error:
        return await _after_error(work, target, error)
    return await _after(work, target, "accepted", unsure=target.requests > 1)


async def _delete(work: _Work, target: Target) -> None:
    record, deadline = int(target.record_id), work.deadline
    if work.intent.kind is DuplicateKind.SALES_RECEIPT:
        await work.remover.void_receipt(record, deadline)
    else:
        await work.remover.void_external_transfer(record, deadline)


def _request(intent: Intent, target: Target) -> str:
    if intent.kind is DuplicateKind.SALES_RECEIPT:
        return f"DELETE /sales/v2/receipts/{target.record_id}"
    return f"DELETE /transfers/v2/external/incoming/{target.record_id}"


async def _after(work: _Work, target: Target, answer: str, *, unsure: bool) -> bool:
    """What METRC shows counts, not what it answered."""
    try:
        gone = await work.lookout.gone(work.intent, target)
    except SourceError as error:
        return await _is_unknown(work, target, f"METRC answered “{answer}”, then could not be read: {error}")
    if gone:
        return await _is_removed(work, target, answer=answer, unsure=unsure)
    return await _is_unknown(work, target, f"METRC answered “{answer}”, but still shows {target.record_id}.")


async def _after_error(work: _Work, target: Target, error: MetrcError) -> bool:
    if error.kind is ProblemKind.RATE_LIMITED and target.requests < removals.MOST_REQUESTS:
        wait = _wait_of(error)
        detail = {"record": target.record_id, "answer": str(error)}
        after = removals.postpone(work.intent, work.now, work.office.pace, f"METRC is busy: {error}", wait)
        await work.keep(after, Event.POSTPONED, detail)
        return False
    if error.kind not in _REFUSALS:
        return await _after(work, target, str(error), unsure=True)
    try:
        gone = await work.lookout.gone(work.intent, target)
    except SourceError as unread:
        return await _is_unknown(work, target, f"{error} Then METRC could not be read: {unread}")
    if gone:
        return await _is_removed(work, target, answer=str(error), unsure=True)
    detail = {"record": target.record_id, "answer": str(error)}
    says = f"METRC refused and still shows {target.record_id}: {error}"
    await work.keep(removals.refuse(work.intent, work.now, says), Event.REFUSED, detail)
    return False


def _wait_of(error: MetrcError) -> timedelta | None:
    return timedelta(seconds=error.retry_after) if error.retry_after else None


async def _is_unknown(work: _Work, target: Target, says: str) -> bool:
    after = removals.unsettled(work.intent, target, work.now, work.office.pace, says)
    is_new = after.with_person_since is not None and work.intent.with_person_since is None
    await work.keep(after, Event.HANDED_OVER if is_new else Event.UNKNOWN, {"record": target.record_id})
    return False


async def _is_removed(work: _Work, target: Target, *, answer: str = "read back", unsure: bool) -> bool:
    after = removals.removed(work.intent, target, work.now, work.office.pace, answer=answer, unsure=unsure)
    event = Event.DONE if after.state is State.DONE else Event.REMOVED
    detail = {"record": target.record_id, "answer": answer, "requests": target.requests, "unsure": unsure}
    await work.keep(after, event, detail)
    return True


# --- by hand ----------------------------------------------------------------------------------------------------------


async def _check_again(office: Office, intent: Intent, person: Person) -> Answer | None:
    """“Done, check again”: whatever was said, METRC and the POS are read."""
    if intent.state is State.UNKNOWN:
        return await _settled(office, intent, person)
    try:
        sight = await office.lookout(intent.facility).look(intent, intent.targets)
    except SourceError as error:
        return Answer(f"It could not be checked: {error}", taken=False, intent=intent)
    if not sight.certain:
        return Answer(
            "Not everything could be read, so it cannot be said yet; try again later.", taken=False, intent=intent
        )
    there = [t.record_id for t in intent.targets if not _is_away(intent, t, sight)]
    if there:
        return Answer(f"{', '.join(there)} is still there.", taken=False, intent=intent)
    now = office.clock.now()
    after = removals.finish_by_hand(intent, now)
    entry = _entry(after, Event.DONE, now, {"says": after.says, "by": "hand", "name": person.name}, actor=person.id)
    if not await office.intents.save(intent, after, (entry,)):
        return None
    return Answer(after.says, taken=True, intent=await check(office, intent.id))


def _is_away(intent: Intent, target: Target, sight: Sight) -> bool:
    if removals.is_gone(intent.kind, target, sight):
        return True
    seen = sight.of(removals.record_name(intent.kind, target.record_id))
    return target.record_id not in sight.twins and (seen is None or seen.facts is None)


async def _settled(office: Office, intent: Intent, person: Person) -> Answer | None:
    now = office.clock.now()
    after = removals.look_now(intent, now)
    entry = _entry(after, Event.CLAIMED, now, {"asked_by": person.name}, actor=person.id)
    if not await office.intents.save(intent, after, (entry,)):
        return None
    settled = await act(office, intent.id)
    return Answer(settled.says if settled else "", taken=True, intent=settled)


# --- verify -----------------------------------------------------------------------------------------------------------


async def check(office: Office, intent_id: str) -> Intent | None:
    """Verify a removal that is due for it: the question asked anew, the records read."""
    intent = await office.intents.get(intent_id)
    if intent is None or intent.state is not State.DONE or intent.due_at is None or intent.due_at > office.clock.now():
        return intent
    work = _Work(office, intent)
    try:
        await _verify(work)
    except _Lost:
        return await office.intents.get(intent_id)
    return work.intent


async def _verify(work: _Work) -> None:
    office = work.office
    claimed = removals.checking(work.intent, office.owner, work.now, office.pace)
    # not an event of its own: it says nothing that the verdict does not say
    if not await office.intents.save(work.intent, claimed, ()):
        raise _Lost(f"Removal {claimed.id} is verified by another process.")
    work.intent = claimed
    try:
        sight = await work.lookout.look(claimed, claimed.targets)
    except SourceError as error:
        return await _verify_later(work, f"It could not be verified yet: {error}")
    held, says = removals.did_hold(claimed, sight)
    if held and not sight.certain:
        return await _verify_later(work, "It could not be verified yet: not everything could be read.")
    after = removals.verified(claimed, work.now, held=held, says=says)
    numbers = {seen.name: dict(seen.facts) for seen in sight.seen if seen.facts is not None}
    await work.keep(after, Event.VERIFIED if held else Event.DID_NOT_HOLD, {"seen": numbers})
    return None


async def _verify_later(work: _Work, says: str) -> None:
    await work.keep(removals.check_later(work.intent, work.now, f"{work.intent.says} {says}"), Event.POSTPONED)


async def unheld(office: Office, facility: str) -> tuple[str, ...]:
    """What was removed within the last days and is there again, by package; a later removal that held settles it."""
    since = office.clock.now() - TOLD_FOR
    latest: dict[str, Intent] = {}
    for intent in await office.intents.history((facility,), None, MOST_AT_ONCE):
        if intent.held is not None and intent.done_at is not None and intent.done_at >= since:
            latest.setdefault(_subject(intent), intent)
    return tuple(subject for subject, intent in latest.items() if intent.held is False)


# --- recover ----------------------------------------------------------------------------------------------------------


async def recover(office: Office) -> tuple[Intent, ...]:
    """Finish what was left: presses never answered, intents that are due. Returns those that it looked at, as they are now.

    Called at start-up and every 30 s by each process; who comes first does the work. Where one fails the others still
    have their turn; then the first error is raised.
    """
    failures: list[CountlastError] = []
    for press in await office.intents.unanswered(office.clock.now() - LEFT_BEHIND, MOST_AT_ONCE):
        await _kept_going(_decide_late(office, press), failures)
    due = await office.intents.due(office.clock.now(), MOST_AT_ONCE)
    moved = [await _kept_going(advance(office, intent_id), failures) for intent_id in due]
    if failures:
        raise failures[0]
    return tuple(intent for intent in moved if intent is not None)


async def _decide_late(office: Office, press: Press) -> None:
    """A press that was left behind. It was acknowledged, so while Slack does not say who it was it waits its turn."""
    if office.clock.now() - press.at < WAITS_FOR_SLACK:
        try:
            await office.directory.person(press.person)
        except ChatError:
            return
    await decide(office, press)


async def _kept_going(step: Awaitable[T], failures: list[CountlastError]) -> T | None:
    try:
        return await step
    except CountlastError as error:
        failures.append(error)
        return None


async def advance(office: Office, intent_id: str) -> Intent | None:
    """The next step of one intent that is due."""
    intent = await office.intents.get(intent_id)
    now = office.clock.now()
    if intent is None or intent.due_at is None or intent.due_at > now:
        return None
    if intent.state is State.DONE:
        return await check(office, intent_id)
    if intent.state is State.PROPOSED:
        if await office.intents.is_pressed(intent_id):
            return None  # it was made in time and acknowledged, so it has its turn first
        return await _run_out(office, intent, removals.expire(intent, now), Event.EXPIRED)
    if intent.state is State.APPROVED and intent.way is Way.PERSON:
        after = removals.abandon(intent, now, "Nobody said that it was done, for a week.")
        return await _run_out(office, intent, after, Event.ABANDONED)
    return await act(office, intent_id)


async def _run_out(office: Office, intent: Intent, after: Intent, event: Event) -> Intent | None:
    entry = _entry(after, event, office.clock.now(), {"says": after.says})
    return after if await office.intents.save(intent, after, (entry,)) else None


# --- audit ------------------------------------------------------------------------------------------------------------


def _entry(
    intent: Intent, event: Event, at: datetime, detail: Mapping[str, object], *, actor: str | None = None
) -> Entry:
    return Entry(at, event, actor or _actor(intent, event), intent.facility, intent.id, _subject(intent), detail)


def _actor(intent: Intent, event: Event) -> str:
    asked = event is Event.PROPOSED and intent.askers
    return intent.askers[0] if asked else PROGRAM


def _subject(intent: Intent) -> str:
    return f"{intent.subject.kind.value} {intent.subject.value}"
