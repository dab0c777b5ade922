"""The sentences around a question: who may ask, what was understood, what the buttons and forms say. Pure; markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.model import Cause
from handlers.render.blocks import code, cut, date, link, listed, user
from handlers.render.words import example

NO_GUESTS: Final = "Guests cannot ask about packages. Ask a member of this workspace to ask for you."
NO_STRANGERS: Final = "Only members of this workspace can ask about packages; you are of another one."
NO_BOTS: Final = "Bots cannot ask about packages."
NOT_KNOWN: Final = "I could not ask Slack who you are, so I did not look anything up. Please ask again in a minute."
JOINED_NO_ANSWER: Final = "The same question was being answered, and it ended without an answer. Please ask again."
NO_SUBJECT: Final = (
    "I found no package tag, receipt or manifest in that message. Type what you are looking for, and I look it up."
)
NO_EVIDENCE: Final = "This answer is no longer kept, so there is no evidence to show."
NOT_OPENED: Final = "Slack did not open the form in time. Please press again."
LOADING: Final = "Loading…"

EVIDENCE_BUTTON: Final = "Show evidence"
AGAIN_BUTTON: Final = "Ask again"
HAND_BUTTON: Final = "Hand to a person"
RIGHT_BUTTON: Final = "Was this right?"
ASK_BUTTON: Final = "Ask about a package"
REFRESH_BUTTON: Final = "Refresh"

HOME_HEAD: Final = (
    "*Why does a package read as missing?* Ask here, in a channel, or on any message by its shortcut. "
    "Asking changes nothing. Touch the count last."
)
HOME_PENDING: Final = "Waits for an approval"
HOME_NO_PENDING: Final = "Nothing waits for you."
HOME_STANDING: Final = "How the shops stand"
HOME_RECENT: Final = "Recent cases"
HOME_NO_RECENT: Final = "Nobody has asked yet. Try a tag from the shelf."
HOME_MORE: Final = "… and more than this page holds."

FORM_TITLE: Final = "Why is this missing?"
FORM_SUBMIT: Final = "Ask"
FORM_CLOSE: Final = "Cancel"
FORM_WHAT: Final = "Package tag"
FORM_WHAT_HINT: Final = (
    "24 letters and digits under the bar code; its last digits do, too. Or: receipt 880102, manifest 0000418902."
)
FORM_SHOP: Final = "Shop"
FORM_SHOP_PLACEHOLDER: Final = "Which shop?"
FORM_SHELF: Final = "What the shelf says"
FORM_SHELF_HINT: Final = "What somebody counted, as a number. Leave it empty if nobody has."
FORM_NO_SHOP: Final = "Choose the shop."
FORM_NO_NUMBER: Final = "A number, like 19 or 3.5."
FORM_SHELF_OF_ONE: Final = "A count belongs to one package tag."

VERDICT_TITLE: Final = "Was this right?"
VERDICT_SUBMIT: Final = "Send"
VERDICT_QUESTION: Final = "What turned out?"
VERDICT_RIGHT: Final = "It was right"
VERDICT_WRONG: Final = "It was wrong"
VERDICT_CAUSE: Final = "What it really was"
VERDICT_CAUSE_PLACEHOLDER: Final = "Not known"
VERDICT_NOTE: Final = "Anything to add?"
VERDICT_THANKS: Final = "Kept with the evidence. Thank you: this is how the checks get better."
VERDICT_MISSING: Final = "Choose one."

EVIDENCE_TITLE: Final = "Evidence"
EVIDENCE_CLOSE: Final = "Close"
EVIDENCE_NONE: Final = "Nothing was read for this answer."
LIST_TITLE: Final = "Every package that does not agree"
REPORT_TITLE: Final = "The report to print"
CHART_TITLE: Final = "Packages by cause"
NEXT_PAGE: Final = "Next page"
PREVIOUS_PAGE: Final = "Previous page"

CAUSES: Final = {
    Cause.AUTHENTICATION: "METRC key or right",
    Cause.WRONG_LICENSE: "Wrong license",
    Cause.OUTAGE: "METRC was down",
    Cause.MAPPING: "Product set-up",
    Cause.TIMING: "Only late",
    Cause.FAILED_POST: "A sale METRC never took",
    Cause.DUPLICATION: "Recorded twice",
    Cause.IN_TRANSIT: "On the road",
    Cause.ON_HOLD: "On hold or recalled",
    Cause.FINISHED: "Finished in METRC",
    Cause.LAB_STATE: "Lab state",
    Cause.SPLIT: "Split or repacked",
    Cause.DEFINITION: "Another definition of the count",
    Cause.COUNT_ERROR: "A miscount",
    Cause.NONE: "Nothing was wrong",
    Cause.UNKNOWN: "Still not known",
}


def channel(channel_id: str) -> str:
    """A channel by its id; anything else is only shown."""
    return f"<#{channel_id}>" if re.fullmatch(r"[CG][A-Z0-9]{2,30}", channel_id) else cut(channel_id, 40)


def not_in_channel(shop: str, channel_id: str) -> str:
    """Who asks is not in the shop's channel."""
    return (
        f"Questions about {cut(shop, 80)} are for the members of {channel(channel_id)}. Join it, or ask somebody there."
    )


def read_as(typed: str, label: str) -> str:
    """The end of a tag, or a link, was enough to know the tag."""
    return f"Reading {code(typed, 40)} as package {code(label, 40)}"


def several_end_so(tail: str, labels: Sequence[str], command: str) -> str:
    """More than one tag ends like this: one line to copy for each."""
    lines = [f"{len(labels)} packages end in {code(tail, 20)}. Copy one line:"]
    lines += [f"• {example(command, label)}" for label in labels]
    return "\n".join(lines)


def none_ends_so(tail: str, command: str) -> str:
    """No known tag ends like this."""
    return (
        f"I know no package here that ends in {code(tail, 20)}. Copy this and put the whole tag in: {example(command)}"
    )


def not_scanned(command: str) -> str:
    """The code on a unit led to no tag."""
    return (
        "METRC does not tell me which package that Retail ID belongs to. "
        f"Type the tag that is printed beside the code: {example(command)}"
    )


def left_out(asked: int, left: int) -> str:
    """More tags than are answered in one go."""
    return f"I take {asked} packages at a time; {left} more were left out. Ask about those next."


def running_already(address: str) -> str:
    """The same question is being answered; ``address`` may be empty."""
    where = f" {link(address, 'Its thread')} has the answer in a moment." if address else " The answer comes here."
    return f"The same question is being answered already; you were added to it.{where}"


def shop_running(address: str) -> str:
    """The whole shop is being looked at; ``address`` may be empty."""
    where = f" {link(address, 'Its thread')} tells how far it is." if address else " Please ask again in some minutes."
    return f"This shop is being looked at already.{where}"


def asked_before(at: datetime, zone: ZoneInfo, address: str) -> str:
    """An earlier answer to the same question."""
    return f"Asked before: {link(address, 'earlier answer')} of {date(at, zone)}"


def handed(contact: str | None, by: str, shop: str, headline: str, *, diagnosis_id: str, address: str) -> str:
    """The case, for a person."""
    to = person(contact) if contact else f"Somebody at {cut(shop, 80)}"
    where = f" {link(address, 'The answer')}." if address else ""
    return f"{to}, {user(by)} hands you this: {cut(headline, 400)}{where} Case {code(diagnosis_id, 60)}"


def person(name: str) -> str:
    """A user or user group by id; a plain name is only shown."""
    if re.fullmatch(r"S[A-Z0-9]{2,30}", name):
        return f"<!subteam^{name}>"
    return user(name)


def handed_already() -> str:
    """A second press."""
    return "This case was handed over already; the thread says to whom."


def judged(by: str, *, is_right: bool, cause: Cause | None) -> str:
    """What somebody said of an answer, for the thread."""
    if is_right:
        return f"{user(by)}: this was right."
    truth = f" It really was: {CAUSES[cause].lower()}." if cause else ""
    return f"{user(by)}: this was wrong.{truth}"


def counted(shelf: str) -> str:
    """What somebody counted."""
    return f"On the shelf: {code(shelf, 40)}"


def page_of(number: int, of: int) -> str:
    """Where one is in something long."""
    return f"Page {number} of {of}"


def missed_channel(channel_id: str, why: str) -> str:
    """Why an answer comes as a direct message; ``why`` is markup."""
    return f"I could not answer in {channel(channel_id)}. {why}"


def names(items: Sequence[str]) -> str:
    """Plain names in a row."""
    return listed([cut(item, 60) for item in items], 10)
