"""The sentences on and around the card of a removal. Short, plain, for whoever has to answer for it. Pure.

What these functions return is markup, ready to be sent, unless they say that it is plain text; foreign text in it has
been escaped here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot.approve import Answer
from bot.model import Duplicate
from bot.removals import SENTENCES, Intent, State, Verb, Way
from handlers.render import words
from handlers.render.blocks import code, cut, cut_plain, date, listed, user

MOST_PEOPLE: Final = 8
SAYS_LIMIT: Final = 1200

APPROVE_BY_HAND: Final = "Approve"
DECLINE: Final = "Decline…"
WITHDRAW: Final = "Take back"
CHECK_DONE: Final = "Done, check again"
CHECK: Final = "Check again"
ABANDON: Final = "Give up…"

LOOKING: Final = "Looking again at METRC…"
BY_HAND: Final = "Please do this, step by step:"
NOT_KEPT: Final = "Your press could not be kept, so nothing was decided. Please press again in a minute."
KEPT: Final = "Your press was kept. It is carried out within a minute, and the card will say how it ended."
NOT_OPENED: Final = "Slack did not open the form, so nothing was decided. Please press again."
NO_CARD: Final = "What can be removed could not be offered"

REASONS: Final = {
    "both_real": "Both records are real",
    "wrong_one": "The other record should go",
    "look_first": "Somebody has to look at the shop first",
    "by_hand": "It is being corrected by hand",
    "other": "Something else",
}
"""Why an approver declines; ``other`` needs words of its own."""

FORM_TITLE: Final = "Decline the removal"
FORM_SUBMIT: Final = "Decline"
FORM_REASON: Final = "Why not?"
FORM_NOTE: Final = "In your own words"
FORM_NOTE_MISSING: Final = "Say in a few words what else it is."

_STATES: Final = {
    State.PROPOSED: "waits for approval",
    State.APPROVED: "approved",
    State.SENDING: "being removed",
    State.UNKNOWN: "outcome not known yet",
    State.DONE: "removed",
    State.REFUSED: "not removed",
    State.ABANDONED: "given up",
    State.DENIED: "declined",
    State.EXPIRED: "expired",
    State.WITHDRAWN: "taken back",
}
_NOT_BY_THE_BOT: Final = frozenset({State.ABANDONED, State.DENIED, State.EXPIRED, State.WITHDRAWN})


# --- the card ---------------------------------------------------------------------------------------------------------


def what(intent: Intent) -> str:
    """``receipt 880102``, ``12 receipts``; plain text."""
    kind = words.KINDS[intent.kind]
    if len(intent.targets) == 1:
        return f"{kind} {cut_plain(intent.targets[0].record_id, 40)}"
    return f"{len(intent.targets)} {kind}s"


def where(intent: Intent) -> str:
    """``METRC`` or ``the POS``; plain text."""
    return words.SYSTEMS.get(intent.system, cut_plain(intent.system, 20))


def title(intent: Intent) -> str:
    """The first line of the card, bold: what is asked, or what came of it."""
    thing = cut(what(intent), 80)
    said = {
        State.PROPOSED: f"{cut(act(intent), 60)} in {cut(where(intent), 20)}{_keeping(intent)}?",
        State.APPROVED: f"{_capital(thing)}: approved" + (", to be removed by hand" if by_hand(intent) else ""),
        State.SENDING: f"{_capital(thing)}: approved, being removed",
        State.UNKNOWN: f"{_capital(thing)}: it is not known yet whether it was removed",
        State.DONE: f"✓ {_capital(thing)} removed"
        if intent.held is not False
        else f"! {_capital(thing)}: did not hold",
        State.REFUSED: f"✗ {_capital(thing)}{': the rest' if intent.removed else ''} was not removed",
        State.ABANDONED: f"– {_capital(thing)}: given up",
        State.DENIED: f"✗ {_capital(thing)}: declined, nothing was removed",
        State.EXPIRED: f"– {_capital(thing)}: expired{'' if intent.removed else ', nothing was removed'}",
        State.WITHDRAWN: f"– {_capital(thing)}: taken back, nothing was removed",
    }
    return f"*{said[intent.state]}*"


def _keeping(intent: Intent) -> str:
    return f" and keep {cut(intent.targets[0].keep, 40)}" if len(intent.targets) == 1 else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def by_hand(intent: Intent) -> bool:
    """Whether a person removes it."""
    return intent.way is Way.PERSON


def act(intent: Intent) -> str:
    """``Void receipt 880102``; plain text of at most 30 characters where the ids are short."""
    return words.removal_act(_duplicate(intent), by_bot=True)


def confirm_title(intent: Intent) -> str:
    """Plain text."""
    return "Approve the removal by hand?" if by_hand(intent) else "Remove the duplicate?"


def confirm_text(intent: Intent) -> str:
    """What the dialog says before the press counts; plain text."""
    then = "You approve; a person then does it by hand." if by_hand(intent) else "This cannot be undone."
    return f"{then} {words.removal_question(_duplicate(intent))}"


def confirm_yes(intent: Intent) -> str:
    """The dialog's button names the act; plain text."""
    return APPROVE_BY_HAND if by_hand(intent) else act(intent)


def _duplicate(intent: Intent) -> Duplicate:
    ids = tuple(target.record_id for target in intent.targets)
    return Duplicate(
        intent.system, intent.kind, intent.targets[0].keep, ids, removable=not by_hand(intent), why=intent.why
    )


def news(intent: Intent) -> str:
    """What there is to say now, under the title; empty while nothing was decided."""
    if intent.state is State.PROPOSED:
        return ""
    if intent.state in {State.APPROVED, State.SENDING} and _is_only_approved(intent):
        return BY_HAND if by_hand(intent) else LOOKING
    told = cut(intent.says, SAYS_LIMIT)
    if intent.state in _NOT_BY_THE_BOT | {State.REFUSED}:
        return f"{told} Ask again to see how it stands now."
    return told


def _is_only_approved(intent: Intent) -> bool:
    """Whether nothing was said since the approval."""
    return intent.says.startswith("Approved by ")


def approvals(intent: Intent, zone: ZoneInfo) -> str:
    """Who approved, and when; empty when nobody did."""
    if not intent.approvals:
        return ""
    told = [f"{user(one.person)} {date(one.at, zone)}" for one in intent.approvals]
    more = intent.needed - len(intent.approvals)
    missing = f"; {more} more needed" if intent.state is State.PROPOSED and more > 0 else ""
    return f"Approved by {listed(told, MOST_PEOPLE)}{missing}"


def decision(intent: Intent, zone: ZoneInfo) -> str:
    """Who ended it, and when, where that was no approval; empty otherwise."""
    said = {State.DENIED: "Declined", State.WITHDRAWN: "Taken back", State.ABANDONED: "Given up"}
    if intent.state not in said or intent.decided_by is None:
        return ""
    at = f" {date(intent.decided_at, zone)}" if intent.decided_at and intent.state is not State.ABANDONED else ""
    return f"{said[intent.state]} by {user(intent.decided_by)}{at}"


def who_may(approvers: Sequence[str], *, needed: int, second_person: bool) -> str:
    """Whom the card waits for; ``approvers`` are user ids and ids of user groups, without those who may not."""
    if not approvers:
        return "*Nobody is set up who may approve this.* Somebody has to name approvers in the facilities file."
    people = listed([_approver(one) for one in approvers], MOST_PEOPLE, between=" or ")
    rule = "somebody who neither asked nor joined" if second_person else "one of the approvers"
    return f"Needs {rule}: {people}" if needed == 1 else f"Needs {needed} people: {people}"


def _approver(name: str) -> str:
    return f"<!subteam^{name}>" if re.fullmatch(r"S[A-Z0-9]{3,30}", name) else user(name)


def roles(intent: Intent) -> tuple[str, str]:
    """What is said of the record that stays and of the one that goes."""
    if intent.state is State.DONE:
        return "Kept", "Removed"
    return "Keep", "Remove" if intent.state.is_open else "Not removed"


def record(role: str, name: str, facts: Sequence[str]) -> str:
    """One record: ``Remove receipt 880102: POS-1 · total 45``; ``facts`` are markup."""
    return f"*{role}* {name}" + (f": {' · '.join(facts)}" if facts else "")


def effect(label: str, before: Decimal | None, by: Decimal, unit: str) -> str:
    """What the removal does to the difference of one package."""
    shrinks = (
        f"{words.signed(before)} → {words.signed(before - by)}" if before is not None else f"by {words.signed(by)}"
    )
    return f"Difference of {code(words.short_label(label), 40)}: {shrinks} {cut(unit, 20)}".rstrip()


def more(count: int) -> str:
    """What a list leaves out."""
    return f"… {count} more"


def progress(done: int, total: int) -> str:
    """How far a list has come."""
    return f"{done} of {total} removed"


def evidence(digest: str) -> str:
    """The short form of what the approval is bound to."""
    return f"Evidence {code(digest[:12])}"


def asked_by(people: Sequence[str]) -> str:
    """Who asked or joined the question."""
    return f"Asked by {listed([user(one) for one in people], MOST_PEOPLE)}"


def open_until(when: str) -> str:
    """``when`` is markup."""
    return f"Open until {when}"


def looked_at_again(when: str) -> str:
    """``when`` is markup."""
    return f"Will be looked at again {when}"


def notification(intent: Intent) -> str:
    """The card as one line, for notifications and screen readers."""
    return " ".join(part for part in (title(intent).strip("*"), news(intent)) if part)


@dataclass(frozen=True, slots=True)
class News:
    """A reply in the thread. ``key`` is the same for the same news."""

    key: str
    markup: str


def announcement(intent: Intent) -> News | None:
    """What people who asked or approved wait for; None while there is nothing that they do not know themselves."""
    said = _announced(intent)
    if said is None:
        return None
    key, sentence = said
    people = dict.fromkeys((*intent.askers[:1], *(one.person for one in intent.approvals)))
    return News(key, f"{' '.join(user(one) for one in people)} {sentence}".strip())


def _announced(intent: Intent) -> tuple[str, str] | None:
    thing, told = _capital(cut(what(intent), 80)), cut(intent.says, 600)
    if intent.state is State.APPROVED and by_hand(intent):
        return "by_hand", f"{thing}: approved, to be removed by hand. The steps are on the card."
    if intent.state is State.UNKNOWN and intent.with_person_since is not None:
        return "with_person", f"{thing} needs a person. {told}"
    if intent.state is State.DONE and intent.held is not None:
        return ("held", f"{thing} was removed. {told}") if intent.held else ("not_held", told)
    if intent.state in {State.REFUSED, State.DENIED}:
        return intent.state.value, f"{thing} was not removed. {told}"
    return None


# --- answers to a press -----------------------------------------------------------------------------------------------


def answer(told: Answer, verb: Verb, zone: ZoneInfo) -> str:
    """What the presser alone is told; empty when the card says it all."""
    if told.fault is not None:
        return SENTENCES[told.fault]
    if told.is_late and told.intent is not None:
        return late(told.intent, zone)
    return "" if told.taken and verb is not Verb.CHECK else cut(told.says, SAYS_LIMIT)


def late(intent: Intent, zone: ZoneInfo) -> str:
    """A press that came after the decision."""
    if intent.state is State.PROPOSED:
        return f"You have approved this already; {intent.needed - len(intent.approvals)} more needed."
    told = cut(intent.says, SAYS_LIMIT)
    if intent.decided_by is None:
        return f"Nothing to decide any more: {told}"
    at = f" {date(intent.decided_at, zone)}" if intent.decided_at else ""
    return f"Already decided by {user(intent.decided_by)}{at}. {told}"


# --- lists ------------------------------------------------------------------------------------------------------------


def standing(intent: Intent) -> str:
    """One word or two for the state."""
    if intent.state is State.APPROVED and by_hand(intent):
        return "to be removed by hand"
    return "did not hold" if intent.held is False else _STATES[intent.state]


def outcome(intent: Intent) -> str:
    """What came of it, where that says more than the state alone; empty otherwise."""
    said_by_state = intent.state.is_open and _is_only_approved(intent)
    return "" if said_by_state or not intent.says else f": {cut(intent.says, 160)}"


def none_pending() -> str:
    """Nothing waits."""
    return "No removal waits for anybody."


def none_ever(label: str) -> str:
    """Nothing was ever proposed; ``label`` empty: for no package."""
    return f"No removal was ever proposed for {code(label)}." if label else "No removal was ever proposed."
