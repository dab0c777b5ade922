"""Every sentence the bot says by itself, and nowhere else: whoever translates needs this file only. Pure.

Short, plain, for a floor manager on a phone. What these functions return is markup, ready to be sent, unless they say that
it is plain text; foreign text in it has been escaped here. What a check found, what METRC said and what is written down
with a removal or an alert comes from where it was found out (``bot``), and is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as day
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot.approve import Answer
from bot.model import (
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Duplicate,
    DuplicateKind,
    Forbidden,
    Result,
    Subject,
    SubjectKind,
)
from bot.opening import spoken
from bot.removals import SENTENCES, Intent, State, Verb, Way
from bot.sweep_groups import Group, Sweep
from handlers.render.blocks import code, cut, cut_plain, escape, link, user

EXAMPLE_LABEL: Final = "1A4FF0100000022000001002"
EXAMPLES: Final = {
    SubjectKind.RECEIPT: "POS-20260302-00417",
    SubjectKind.MANIFEST: "0000418902",
    SubjectKind.PRODUCT: "Night Lantern 3.5g",
}
SUBJECTS: Final = {
    SubjectKind.PACKAGE: "package",
    SubjectKind.RECEIPT: "receipt",
    SubjectKind.MANIFEST: "manifest",
    SubjectKind.PRODUCT: "product",
    SubjectKind.FACILITY: "shop",
}
MARKS: Final = {
    Result.CLEAR: "✓ clear",
    Result.FOUND: "● found",
    Result.UNKNOWN: "? not read",
    Result.NOT_REACHED: "– not reached",
}
CHECKS: Final = {
    CheckName.AUTHENTICATION: "Authentication",
    CheckName.MAPPING: "Mapping",
    CheckName.TIMING: "Timing",
    CheckName.DUPLICATION: "Duplication",
    CheckName.CUSTODY: "Custody",
    CheckName.DEFINITION: "Definition",
    CheckName.COUNT: "Count",
}
FORBIDDEN: Final = {
    Forbidden.ADJUST_QUANTITY: "adjust the quantity",
    Forbidden.RENEW_KEY: "renew the METRC key",
    Forbidden.REMOVE_RECORD: "remove a record",
    Forbidden.RESEND: "send the sale again as it is",
}
CONFIDENCE: Final = {
    Confidence.CERTAIN: "Certain",
    Confidence.LIKELY: "Likely",
    Confidence.POSSIBLE: "Possible",
    Confidence.UNKNOWN: "Not certain",
}
SYSTEMS: Final = {"metrc": "METRC", "pos": "POS", "mirror": "METRC, as read before"}
KINDS: Final = {
    DuplicateKind.SALES_RECEIPT: "receipt",
    DuplicateKind.SALES_DELIVERY: "delivery",
    DuplicateKind.EXTERNAL_TRANSFER: "transfer",
    DuplicateKind.TRANSFER: "manifest",
    DuplicateKind.RECEIVE: "receive",
    DuplicateKind.PACKAGE: "package row",
    DuplicateKind.ADJUSTMENT: "adjustment",
}
_VOIDABLE: Final = frozenset(
    {DuplicateKind.SALES_RECEIPT, DuplicateKind.SALES_DELIVERY, DuplicateKind.EXTERNAL_TRANSFER, DuplicateKind.TRANSFER}
)

EVENTS: Final = {
    "count_error.below-zero": "sold below zero",
    "count_error.corrected-once": "corrected on one side only",
    "count_error.drying": "drying",
    "count_error.shelf": "miscounted",
    "count_error.sibling-lots": "sold from another lot",
    "count_error.unexplained": "not explained by any record",
    "definition.gross-vs-net": "gross on one side, net on the other",
    "definition.half-gram": "half grams rounded",
    "definition.milligram-vs-gram": "milligrams taken for grams",
    "definition.ounce-vs-gram": "ounces taken for grams",
    "definition.pack-vs-piece": "packs taken for pieces",
    "definition.rounded-ounce": "ounces rounded",
    "definition.unit-weight": "another weight per piece",
    "duplication.adjustment-twice": "adjusted twice",
    "duplication.delivery-twice": "delivery recorded twice",
    "duplication.manifest-twice": "manifest made twice",
    "duplication.package-twice": "package made twice",
    "duplication.receipt-and-delivery": "recorded as receipt and as delivery",
    "duplication.receipt-csv-over-api": "sale sent by file and by the POS",
    "duplication.receipt-retry": "sale sent twice",
    "duplication.receive-twice": "received twice",
    "failed_post.never-posted": "sale never sent to METRC",
    "failed_post.note-too-long": "change METRC refused, its note is too long",
    "failed_post.quantity-differs": "sale sent with another quantity",
    "failed_post.receipt-voided": "receipt voided in METRC, sale stands",
    "failed_post.refused": "sale METRC refused",
    "failed_post.void-not-posted": "void never sent to METRC",
    "finished.discontinued": "discontinued in METRC",
    "finished.finished": "finished in METRC",
    "in_transit.elsewhere": "received at another license",
    "in_transit.incoming": "on the road to this shop",
    "in_transit.manifest-voided": "its manifest was voided",
    "in_transit.outgoing": "sent away",
    "in_transit.received-less": "less received than shipped",
    "in_transit.rejected": "rejected on arrival",
    "in_transit.returned-without-manifest": "came back without a manifest",
    "mapping.label-mistyped": "under a mistyped tag in the POS",
    "mapping.label-unknown": "tag not known to METRC",
    "mapping.not-in-pos": "in METRC only, the POS has no such package",
    "mapping.not-on-manifest": "not on the manifest",
    "mapping.receipt-without-sale": "METRC receipt without a sale in the POS",
    "mapping.sale-on-other-label": "sold under another tag",
    "mapping.siblings-cancel": "rung up on another package of the product",
    "mapping.twin-products": "two products for one METRC item",
    "mapping.unit": "another unit in the POS",
    "split.batch-without-source": "batch without a source in METRC",
    "split.in-metrc": "split in METRC only",
    "split.in-pos": "split in the POS only",
    "timing.change-on-its-way": "change on its way to METRC",
    "timing.export-older": "sold after the POS export",
    "timing.import-on-its-way": "not yet imported into the POS",
    "timing.nightly-post": "sale waits for the nightly run",
    "timing.sale-on-its-way": "sale on its way to METRC",
    "timing.void-on-its-way": "void on its way to METRC",
}
"""Events that can have a share of a difference; others are told by their code."""

MOST_COPIED: Final = 10
"""Lines to copy that one answer holds."""

RESTARTING: Final = "The bot is being restarted and did not finish. Nothing was changed. Please ask again in a minute."
NO_CHECKS: Final = "No check was made."


# --- answers to a command that is no question -------------------------------------------------------------------------


def example(
    command: str,
    label: str = EXAMPLE_LABEL,
    place: str | None = None,
    kind: SubjectKind = SubjectKind.PACKAGE,
) -> str:
    """One line to copy."""
    asked_for = " ".join(part for part in (command, kind.value, label) if part)
    return code(asked_for + (f" at {place}" if place else ""), 160)


def usage(command: str, facilities: Sequence[tuple[str, str]]) -> str:
    """The whole help; ``facilities`` are pairs of license and name."""
    lines = [
        "*Why does a package read as missing?* Ask, and the answer comes in a thread. Asking changes nothing.",
        f"• {example(command)} — the 24 letters and digits of the METRC tag, or its last 4 to 8 digits; up to five in one go",
        f"• {example(command, place=facilities[0][0] if facilities else '402R-X0042')} — at one license",
        f"• {example(command, EXAMPLES[SubjectKind.RECEIPT], kind=SubjectKind.RECEIPT)} — one sale, by either side's number",
        f"• {example(command, EXAMPLES[SubjectKind.MANIFEST], kind=SubjectKind.MANIFEST)} — one load",
        f"• {example(command, EXAMPLES[SubjectKind.PRODUCT], kind=SubjectKind.PRODUCT)} — all packages of a product",
        f"• {example(command, '', kind=SubjectKind.FACILITY)} — the whole shop, by common cause",
        f"• {code(f'{command} status')} — how the shops stand",
        f"• {code(f'{command} pending')} — removals that wait for somebody; {code(f'{command} history')} — all of them",
        f"• {code(f'{command} help')} — this text; {code(command)} alone opens a form",
        "• mention me with the same words, also inside a thread, or take *Why is this missing?* from the menu of a message",
        "Touch the count last: most missing packages are not miscounted.",
    ]
    if facilities:
        lines.append(f"Licenses: {_facilities(facilities)}")
    return "\n".join(lines)


def too_long(command: str) -> str:
    """The text is longer than any question."""
    return f"That is too long to be a question. Send one package tag: {example(command)}"


def no_label(command: str) -> str:
    """No run of characters in it can be a tag."""
    return (
        "I cannot find a package tag in that. A METRC tag has 24 letters and digits, printed under its bar code. "
        f"Copy this and put your tag in: {example(command)}"
    )


def did_you_mean(meant: str, command: str) -> str:
    """The first word is nearly one that is known; ``meant``: what to type after the command."""
    return f"Did you mean {code(f'{command} {meant}')}? What else can be asked: {code(f'{command} help')}"


def bare_number(number: str, command: str) -> str:
    """Only digits, too many for the end of a tag and too few for a tag."""
    manifest, receipt = (example(command, number, kind=kind) for kind in (SubjectKind.MANIFEST, SubjectKind.RECEIPT))
    return (
        f"{code(number, 40)} is no package tag: a tag has 24 letters and digits, and its last 4 to 8 are enough. "
        f"Is it a manifest? Then copy {manifest}. Or a receipt? Then copy {receipt}"
    )


def no_subject(kind: SubjectKind, command: str) -> str:
    """No number or name follows the word for it."""
    what = "a name" if kind is SubjectKind.PRODUCT else "a number"
    copied = example(command, EXAMPLES[kind], kind=kind)
    return f"I cannot find {what} of a {SUBJECTS[kind]} in that. Copy this and put yours in: {copied}"


def no_place(command: str) -> str:
    """Nothing follows ``at``."""
    return f"After _at_ comes a license: {example(command, place='402R-X0042')}"


def unknown_command(command: str) -> str:
    """A slash command, button or form that is not this version's."""
    return f"This version of the bot does not know that. Nothing was changed. Ask about a package: {example(command)}"


def unknown_place(
    place: str,
    facilities: Sequence[tuple[str, str]],
    label: str,
    command: str,
    kind: SubjectKind = SubjectKind.PACKAGE,
) -> str:
    """The license that was named is not configured."""
    return "\n".join(
        [
            f"I do not know the license {code(place, 60)}. I know: {_facilities(facilities)}",
            *_commands(facilities[:1], label, command, kind),
        ]
    )


def no_such_place(place: str, facilities: Sequence[tuple[str, str]]) -> str:
    """The same where there is no question to repeat."""
    return f"I do not know the license {code(place, 60)}. I know: {_facilities(facilities)}"


def which_place(
    facilities: Sequence[tuple[str, str]], label: str, command: str, kind: SubjectKind = SubjectKind.PACKAGE
) -> str:
    """The question may be about several shops: one command to copy for each."""
    which = f"Which shop is {SUBJECTS[kind]} {code(label)} in?" if label else "Which shop?"
    lines = [f"{which} Copy one line:", *_commands(facilities[:MOST_COPIED], label, command, kind)]
    if len(facilities) > MOST_COPIED:
        lines.append(f"{more(len(facilities) - MOST_COPIED)}: {_facilities(facilities[MOST_COPIED:])}")
    return "\n".join(lines)


def no_facilities() -> str:
    """Nothing is configured."""
    return "No license is set up for this bot yet. Somebody has to add one to its facilities file."


def slow_down(limit: int) -> str:
    """One person asked too much."""
    return f"That is more than {limit} questions in a minute. Please slow down and ask again in a minute."


def _facilities(facilities: Sequence[tuple[str, str]]) -> str:
    named = [f"{code(license_number, 40)} {cut(name, 60)}" for license_number, name in facilities]
    return listed(named, 10)


def _commands(facilities: Sequence[tuple[str, str]], label: str, command: str, kind: SubjectKind) -> list[str]:
    return [f"• {example(command, label, place, kind)} — {cut(name, 60)}" for place, name in facilities]


# --- the thread -------------------------------------------------------------------------------------------------------


def asked(label: str, place: str, who: str, kind: SubjectKind = SubjectKind.PACKAGE) -> str:
    """The parent message."""
    if kind is SubjectKind.FACILITY:
        return f"*All packages* of {cut(place, 80)}, asked by {user(who)}"
    headline = f"*{named(kind, label)}* at {cut(place, 80)}, asked by {user(who)}"
    return f"{headline}\nReading this as {SUBJECTS[kind]} {code(label)}"


def named(kind: SubjectKind, value: str) -> str:
    """What was asked about, as short as people say it: ``Package …1002``."""
    if kind is SubjectKind.FACILITY:
        return "All packages"
    # only a tag is known by its end; a number or a name is read as a whole
    shown = short_label(value) if kind is SubjectKind.PACKAGE else cut(value, 60)
    return f"{SUBJECTS[kind].capitalize()} {shown.replace('*', '∗')}"


def subject_line(kind: SubjectKind, value: str, shop: str, product: str = "") -> str:
    """The same to be told apart and copied: ``Package …1002 · 1A4F…1002 · Night Lantern 3.5g · Harbor Street``."""
    whole = code(value, 40) if kind is SubjectKind.PACKAGE and short_label(value) != value else ""
    parts = (f"*{named(kind, value)}*", whole, cut(product, 80), cut(shop, 80))
    return " · ".join(part for part in parts if part)


def about(kind: SubjectKind, value: str, shop: str, said: str, product: str = "") -> str:
    """The head of an answer for a notification: ``Package …1002 (Night Lantern 3.5g) at Harbor Street: …``."""
    what = f" ({cut(product, 60)})" if product else ""
    return f"{named(kind, value)}{what} at {cut(shop, 60)}: {cut(said, 400)}"


def short_label(label: str) -> str:
    """The end of a tag, by which people know it: ``…1002``."""
    tail = "…" + label[-4:] if len(label) > 8 else label
    return escape(tail)


def working(stage: str | None = None) -> str:
    """The progress message while work runs."""
    return f"Working… {cut(stage, 200)}" if stage else "Working…"


def done(seconds: float) -> str:
    """The progress message afterwards."""
    return f"Done in {seconds:.1f} s"


def stopped(seconds: float) -> str:
    """The progress message after a failure."""
    return f"Stopped after {seconds:.1f} s"


def failed(sentence: str) -> str:
    """No answer; ``sentence`` is markup and says why."""
    return f"No answer this time. {sentence} Nothing was changed."


def unexpected(error_code: str) -> str:
    """A fault in the bot itself; the log has the rest under this code."""
    return f"Something went wrong inside the bot. Tell your administrator the code {code(error_code)}."


def cannot_post(reason: str, bot_name: str, channel_id: str = "") -> str:
    """Why the answer is not in the channel; ``reason`` is Slack's own word. ``channel_id``: where this is read elsewhere."""
    invite = code(f"/invite @{bot_name}")
    place, here = (channel(channel_id), f"in {channel(channel_id)}") if channel_id else ("this channel", "here")
    sentences = {
        "not_in_channel": f"I am not in {place}. Type {invite} {here}, then ask again.",
        "channel_not_found": f"I cannot see {place}. Type {invite} {here}, then ask again.",
        "is_archived": f"{_capital(place)} is archived, so I cannot post in it. Ask in another one; there type {invite}",
        "restricted_action": (
            f"Posting is restricted in {place}. Ask an admin, or ask in another one; there type {invite}"
        ),
    }
    return sentences.get(
        reason, f"Slack did not take my message ({code(reason, 60)}). If I am not in {place}, type {invite} {here}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def posting_failed(reason: str) -> str:
    """Slack's refusal as one sentence for people; plain text."""
    return f"Slack did not take a message ({one_word(reason)})."


def not_answered(reason: str) -> str:
    """Slack's refusal of a question as one sentence for people; plain text."""
    return f"Slack did not answer ({one_word(reason)})."


def one_word(reason: str) -> str:
    """Slack's error code, cut down to what it may be."""
    return "".join(c for c in reason if c.isalnum() or c in "_-")[:60] or "unknown"


# --- the diagnosis ----------------------------------------------------------------------------------------------------


def number(quantity: Decimal) -> str:
    """``19``, ``3.5``; never an exponent, cut when absurdly long."""
    text = f"{quantity:f}" if -30 < quantity.adjusted() < 30 else str(quantity)
    return text if len(text) <= 40 else text[:39] + "…"


def signed(quantity: Decimal) -> str:
    """``+1``, ``−3.5``, ``0``."""
    if not quantity:
        return "0"
    return f"{'−' if quantity < 0 else '+'}{number(abs(quantity))}"


def side(quantity: Decimal | None) -> str:
    """One side of the account; None: it was read and has no record."""
    return "no record" if quantity is None else number(quantity)


def reference(ref: str) -> str:
    """``metrc receipt 880102`` as people write it."""
    system, _, rest = ref.partition(" ")
    return f"{SYSTEMS[system]} {rest}" if system in SYSTEMS and rest else ref


def event(finding_code: str) -> str:
    """``duplication.receipt-retry`` → ``receipt sent twice``: the event in words."""
    return EVENTS.get(finding_code) or cut(finding_code.partition(".")[2].replace("-", " ") or finding_code, 60)


def must_not(forbidden: Sequence[Forbidden]) -> str:
    """One sentence that forbids: ``Do not adjust the quantity; do not renew the METRC key.`` is an example."""
    return "Do not " + "; do not ".join(FORBIDDEN[each] for each in dict.fromkeys(forbidden)) + "."


def button(*, by_bot: bool) -> str:
    """The red button: either the bot removes, or it keeps record of what a person removes."""
    return "Remove duplicate…" if by_bot else "Record removal…"


def removal_act(duplicate: Duplicate, *, by_bot: bool) -> str:
    """What the confirm button does, in at most 30 characters: ``Void receipt 880102``."""
    kind = KINDS[duplicate.kind]
    verb = "Void" if duplicate.kind in _VOIDABLE else "Remove"
    if not by_bot and duplicate.kind not in _VOIDABLE:
        verb = "Record"
    if len(duplicate.remove) == 1:
        return f"{verb} {kind} {duplicate.remove[0]}"
    return f"{verb} {len(duplicate.remove)} {kind}s"


def removal_question(duplicate: Duplicate) -> str:
    """What the confirm dialog says; plain text."""
    kind = KINDS[duplicate.kind]
    gone = listed([record[:40] for record in duplicate.remove], 3)
    system = SYSTEMS.get(duplicate.system, duplicate.system)
    return f"Keep {kind} {duplicate.keep[:40]}, remove {gone} in {system[:20]}. {duplicate.why[:160]}"


def sureness(diagnosis: Diagnosis) -> str:
    """How sure the answer is, and its stable code."""
    sure = CONFIDENCE[diagnosis.confidence] + (", provisional" if diagnosis.provisional else "")
    return f"{sure} · {code(diagnosis.code, 80)}" if diagnosis.code else sure


def provisional(not_read: Sequence[str]) -> str:
    """What could change the answer; ``not_read`` is markup."""
    missing = f" Not read: {listed(list(not_read), 7)}." if not_read else ""
    return f"*This may still change.*{missing} Ask again before you act on it."


def stale(age: timedelta) -> str:
    """The POS export is older than it should be."""
    return f"The POS export is {span(age)} old."


def span(age: timedelta) -> str:
    """``3 h``, ``45 min``, ``2 days``: one unit is enough to judge by."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def package_line(package: Diagnosis, *, whole: bool = False) -> str:
    """One package of a receipt, manifest or product: ``…1002 · receipt retry · +1 Each``; ``whole``: its whole label."""
    said = event(package.code) if package.code else _without_code(package.cause)
    gap = package.gap
    difference = "difference not known"
    if gap is not None:
        difference = f"{signed(gap.difference)} {cut(gap.unit, 20)}" if gap.difference else "no difference"
    label = package.subject.value
    shown = f"…{label[-4:]}" if len(label) > 8 and not whole else label
    return f"{code(shown, 40)} {said} · {difference}"


def _without_code(cause: Cause) -> str:
    return "nothing wrong" if cause is Cause.NONE else "not certain"


def more_packages(agreeing: int, others: int) -> str:
    """The packages that have no line of their own."""
    told = [f"{agreeing} with nothing wrong"] if agreeing else []
    told += [f"{others} more; ask about them one by one"] if others else []
    return f"… {', '.join(told)}"


def no_packages() -> str:
    """The record touches none, or none could be looked at."""
    return "No package of it was looked at."


def no_gap(cause: Cause) -> str:
    """There is no account of the difference."""
    if cause is Cause.NONE:
        return "No difference to account for."
    return "No difference is given: a side could not be read, or the units cannot be compared."


SWEPT_NO_ADJUSTING: Final = "*Do not adjust any quantity* before its cause is settled."


def swept(sweep: Sweep) -> str:
    """How a whole shop stands."""
    if not sweep.packages and not sweep.groups:
        return "*Neither side names a package.*"
    if sweep.is_blind:
        why = f" {_why_blind(sweep.groups[0])}" if len(sweep.groups) == 1 else ""
        return f"*{_packages(sweep.packages)} could not be looked at{':' if why else '.'}*{why}"
    told = [f"*{sweep.agree:,} of {_packages(sweep.packages)} agree.*"]
    if sweep.idle:
        told.append(f"{sweep.idle:,} more need nothing: neither system counts anything of them.")
    if sweep.unread:
        told.append(f"{sweep.unread:,} could not be looked at.")
    causes = sum(not group.needs_nobody for group in sweep.groups)
    if not causes:
        return " ".join([*told, "Nothing to do."])
    many = "1 cause" if causes == 1 else f"{causes:,} causes"
    told.append(f"{many} for the rest, the widest first. For one package: ask about its tag.")
    return f"{' '.join(told)}\n{SWEPT_NO_ADJUSTING}"


def _why_blind(group: Group) -> str:
    """What keeps a whole shop from being looked at; a side that failed is named by what the packages share."""
    said = f"{group.headline} {group.common}" if group.cause is Cause.UNKNOWN else group.headline
    return cut(said, 400)


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count:,} packages"


def totals(differences: Sequence[tuple[str, Decimal]]) -> str:
    """``+5 Each, −2.5 Grams``; a total of zero is left out; plain text."""
    return ", ".join(f"{signed(total)} {unit}" for unit, total in differences if total)


def counted_so_far(stage: str, done: int, total: int) -> str:
    """A stage of a long piece of work, and how far it is."""
    if not done:
        return stage
    return f"{stage}: {done:,} of {total:,}" if total else f"{stage}: {done:,}"


# --- around a question: who may ask, what was understood, buttons and forms ---

NO_GUESTS: Final = "Guests cannot ask about packages. Ask a member of this workspace to ask for you."
NO_STRANGERS: Final = "Only members of this workspace can ask about packages; you are of another one."
NO_BOTS: Final = "Bots cannot ask about packages."
NOT_KNOWN: Final = "I could not ask Slack who you are, so I did not look anything up. Please ask again in a minute."
JOINED_NO_ANSWER: Final = "The same question was being answered, and it ended without an answer. Please ask again."
NO_SUBJECT: Final = (
    "I found no package tag, receipt or manifest in that message. Type what you are looking for, and I look it up."
)
MAYBE_TOLD: Final = "I was interrupted as I answered. If you see no answer here, please ask again. Nothing was changed."
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
FORM_NOTHING: Final = "Nothing was typed. Scan the bar code, or type the last digits under it."
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
    """More than one tag ends like this: one line to copy for each, and more digits to be typed where there are many."""
    lines = [f"{len(labels)} packages end in {code(tail, 20)}. Copy one line:"]
    lines += [f"• {example(command, label)}" for label in labels[:MOST_COPIED]]
    if len(labels) > MOST_COPIED:
        lines.append(f"{more(len(labels) - MOST_COPIED)}; type more of its digits.")
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
    return f"I take {asked} at a time; {left} more were left out. Ask about those next."


def running_already(address: str) -> str:
    """The same question is being answered; ``address`` may be empty."""
    where = f" {link(address, 'Its thread')} has the answer in a moment." if address else " The answer comes here."
    return f"The same question is being answered already; you were added to it.{where}"


def shop_running(address: str) -> str:
    """The whole shop is being looked at; ``address`` may be empty."""
    where = f" {link(address, 'Its thread')} tells how far it is." if address else " Please ask again in some minutes."
    return f"This shop is being looked at already.{where}"


def interrupted(text: str) -> str:
    """A question whose process died, and that nobody took up in time."""
    what = f" {code(text, 80)}" if text.strip() else ""
    return f"I was interrupted before I could answer{what}. Nothing was changed. Please ask again."


def asked_before(at: datetime, zone: ZoneInfo, address: str) -> str:
    """An earlier answer to the same question."""
    return f"Asked before: {link(address, 'earlier answer')} of {date(at, zone)}"


def handed(
    people: Sequence[str], by: str, shop: str, headline: str, *, subject: Subject, diagnosis_id: str, address: str
) -> str:
    """The case, for those who are called; nobody: for whoever reads it."""
    to = listed([person(one) for one in people], MOST_PEOPLE) or f"Somebody at {cut(shop, 80)}"
    what = subject_line(subject.kind, subject.value, shop)
    where = f" {link(address, 'The answer')}." if address else ""
    return f"{to}, {user(by)} hands you this: {what}: {cut(headline, 400)}{where} Case {code(diagnosis_id, 60)}"


def person(name: str) -> str:
    """A user or user group by id; a plain name is only shown."""
    if re.fullmatch(r"S[A-Z0-9]{2,30}", name):
        return f"<!subteam^{name}>"
    return user(name)


def handed_already() -> str:
    """A second press."""
    return "This case was handed over already; the thread says to whom."


def being_handed() -> str:
    """A second press, and the first one is not in the thread yet."""
    return "This case is being handed over. If the thread does not say to whom, press again in some minutes."


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


# --- the card of a removal ---

MOST_PEOPLE: Final = 8
CARD_SAYS_LIMIT: Final = 1200

CARD_APPROVE_BY_HAND: Final = "Approve"
CARD_DECLINE: Final = "Decline…"
CARD_WITHDRAW: Final = "Take back"
CARD_CHECK_DONE: Final = "Done, check again"
CARD_CHECK: Final = "Check again"
CARD_ABANDON: Final = "Give up…"

CARD_LOOKING: Final = "Looking again at METRC…"
CARD_BY_HAND: Final = "Please do this, step by step:"
CARD_NOT_KEPT: Final = "Your press could not be kept, so nothing was decided. Please press again in a minute."
CARD_KEPT: Final = "Your press was kept. It is carried out within a minute, and the card will say how it ended."
CARD_NOT_OPENED: Final = "Slack did not open the form, so nothing was decided. Please press again."
CARD_GIVE_UP_TITLE: Final = "Give this removal up?"
CARD_GIVE_UP_TEXT: Final = "Countlast then stops asking about it. It removes nothing, and nothing is taken back."
CARD_GIVE_UP: Final = "Give up"
CARD_KEEP_OPEN: Final = "Keep it open"
CARD_LEAVE_IT: Final = "Leave it"
CARD_FINALIZED: Final = "finalized"
CARD_NO_CARD: Final = "What can be removed could not be offered"

CARD_REASONS: Final = {
    "both_real": "Both records are real",
    "wrong_one": "The other record should go",
    "look_first": "Somebody has to look at the shop first",
    "by_hand": "It is being corrected by hand",
    "other": "Something else",
}
"""Why an approver declines; ``other`` needs words of its own."""

CARD_FORM_TITLE: Final = "Decline the removal"
CARD_FORM_SUBMIT: Final = "Decline"
CARD_FORM_REASON: Final = "Why not?"
CARD_FORM_NOTE: Final = "In your own words"
CARD_FORM_NOTE_MISSING: Final = "Say in a few words what else it is."

_CARD_STATES: Final = {
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
_CARD_NOT_BY_THE_BOT: Final = frozenset({State.ABANDONED, State.DENIED, State.EXPIRED, State.WITHDRAWN})


# --- the card ---------------------------------------------------------------------------------------------------------


def card_what(intent: Intent) -> str:
    """``receipt 880102``, ``12 receipts``; plain text."""
    kind = KINDS[intent.kind]
    if len(intent.targets) == 1:
        return f"{kind} {cut_plain(intent.targets[0].record_id, 40)}"
    return f"{len(intent.targets)} {kind}s"


def card_where(intent: Intent) -> str:
    """``METRC`` or ``the POS``; plain text."""
    return SYSTEMS.get(intent.system, cut_plain(intent.system, 20))


def card_title(intent: Intent) -> str:
    """The first line of the card, bold: what is asked, or what came of it."""
    thing = cut(card_what(intent), 80)
    said = {
        State.PROPOSED: f"{cut(card_act(intent), 60)} in {cut(card_where(intent), 20)}{_card_keeping(intent)}?",
        State.APPROVED: f"{_card_capital(thing)}: approved"
        + (", to be removed by hand" if card_by_hand(intent) else ""),
        State.SENDING: f"{_card_capital(thing)}: approved, being removed",
        State.UNKNOWN: f"{_card_capital(thing)}: it is not known yet whether it was removed",
        State.DONE: f"✓ {_card_capital(thing)} removed"
        if intent.held is not False
        else f"! {_card_capital(thing)}: did not hold",
        State.REFUSED: f"✗ {_card_capital(thing)}{': the rest' if intent.removed else ''} was not removed",
        State.ABANDONED: f"– {_card_capital(thing)}: given up",
        State.DENIED: f"✗ {_card_capital(thing)}: declined, nothing was removed",
        State.EXPIRED: f"– {_card_capital(thing)}: expired{'' if intent.removed else ', nothing was removed'}",
        State.WITHDRAWN: f"– {_card_capital(thing)}: taken back, nothing was removed",
    }
    return f"*{said[intent.state]}*"


def _card_keeping(intent: Intent) -> str:
    return f" and keep {cut(intent.targets[0].keep, 40)}" if len(intent.targets) == 1 else ""


def _card_capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def card_by_hand(intent: Intent) -> bool:
    """Whether a person removes it."""
    return intent.way is Way.PERSON


def card_act(intent: Intent) -> str:
    """``Void receipt 880102``; plain text of at most 30 characters where the ids are short."""
    return removal_act(_card_duplicate(intent), by_bot=True)


def card_confirm_title(intent: Intent) -> str:
    """Plain text."""
    return "Approve the removal by hand?" if card_by_hand(intent) else "Remove the duplicate?"


def card_confirm_text(intent: Intent) -> str:
    """What the dialog says before the press counts; plain text."""
    then = "You approve; a person then does it by hand." if card_by_hand(intent) else "This cannot be undone."
    return f"{then} {removal_question(_card_duplicate(intent))}"


def card_confirm_yes(intent: Intent) -> str:
    """The dialog's button names the act; plain text."""
    return CARD_APPROVE_BY_HAND if card_by_hand(intent) else card_act(intent)


def _card_duplicate(intent: Intent) -> Duplicate:
    ids = tuple(target.record_id for target in intent.targets)
    return Duplicate(
        intent.system, intent.kind, intent.targets[0].keep, ids, removable=not card_by_hand(intent), why=intent.why
    )


def card_news(intent: Intent) -> str:
    """What there is to say now, under the title; empty while nothing was decided."""
    if intent.state is State.PROPOSED:
        return ""
    if intent.state in {State.APPROVED, State.SENDING} and _card_is_only_approved(intent):
        return CARD_BY_HAND if card_by_hand(intent) else CARD_LOOKING
    told = cut(intent.says, CARD_SAYS_LIMIT)
    if intent.state in _CARD_NOT_BY_THE_BOT | {State.REFUSED}:
        return f"{told} Ask again to see how it stands now."
    return told


def _card_is_only_approved(intent: Intent) -> bool:
    """Whether nothing was said since the approval."""
    return intent.says.startswith("Approved by ")


def card_approvals(intent: Intent, zone: ZoneInfo) -> str:
    """Who approved, and when; empty when nobody did."""
    if not intent.approvals:
        return ""
    told = [f"{user(one.person)} {date(one.at, zone)}" for one in intent.approvals]
    more = intent.needed - len(intent.approvals)
    missing = f"; {more} more needed" if intent.state is State.PROPOSED and more > 0 else ""
    return f"Approved by {listed(told, MOST_PEOPLE)}{missing}"


def card_decision(intent: Intent, zone: ZoneInfo) -> str:
    """Who ended it, and when, where that was no approval; empty otherwise."""
    said = {State.DENIED: "Declined", State.WITHDRAWN: "Taken back", State.ABANDONED: "Given up"}
    if intent.state not in said or intent.decided_by is None:
        return ""
    at = f" {date(intent.decided_at, zone)}" if intent.decided_at and intent.state is not State.ABANDONED else ""
    return f"{said[intent.state]} by {user(intent.decided_by)}{at}"


def card_who_may(approvers: Sequence[str], *, needed: int, second_person: bool) -> str:
    """Whom the card waits for; ``approvers`` are user ids and ids of user groups, without those who may not."""
    if not approvers:
        return "*Nobody is set up who may approve this.* Somebody has to name approvers in the facilities file."
    people = listed([person(one) for one in approvers], MOST_PEOPLE, between=" or ")
    rule = "somebody who neither asked nor joined" if second_person else "one of the approvers"
    return f"Needs {rule}: {people}" if needed == 1 else f"Needs {needed} people: {people}"


def card_roles(intent: Intent) -> tuple[str, str]:
    """What is said of the record that stays and of the one that goes."""
    if intent.state is State.DONE:
        return "Kept", "Removed"
    return "Keep", "Remove" if intent.state.is_open else "Not removed"


def card_record(role: str, name: str, facts: Sequence[str]) -> str:
    """One record: ``Remove receipt 880102: POS-1 · total 45``; ``facts`` are markup."""
    return f"*{role}* {name}" + (f": {' · '.join(facts)}" if facts else "")


def card_effect(label: str, before: Decimal | None, by: Decimal, unit: str) -> str:
    """What the removal does to the difference of one package."""
    shrinks = f"{signed(before)} → {signed(before - by)}" if before is not None else f"by {signed(by)}"
    return f"Difference of {code(short_label(label), 40)}: {shrinks} {cut(unit, 20)}".rstrip()


def card_line(record_id: str, keep: str, facts: Sequence[str]) -> str:
    """One record of many; ``facts`` are markup."""
    told = f" ({' · '.join(facts)})" if facts else ""
    return f"{cut(record_id, 40)}{told}, keep {cut(keep, 40)}"


def card_progress(done: int, total: int) -> str:
    """How far a list has come."""
    return f"{done} of {total} removed"


def card_evidence(digest: str) -> str:
    """The short form of what the approval is bound to."""
    return f"Evidence {code(digest[:12])}"


def card_asked_by(people: Sequence[str]) -> str:
    """Who asked or joined the question."""
    return f"Asked by {listed([user(one) for one in people], MOST_PEOPLE)}"


def card_open_until(when: str) -> str:
    """``when`` is markup."""
    return f"Open until {when}"


def card_looked_at_again(when: str) -> str:
    """``when`` is markup."""
    return f"Will be looked at again {when}"


def card_notification(intent: Intent) -> str:
    """The card as one line, for notifications and screen readers."""
    return " ".join(part for part in (card_title(intent).strip("*"), card_news(intent)) if part)


@dataclass(frozen=True, slots=True)
class News:
    """A reply in the thread. ``key`` is the same for the same news."""

    key: str
    markup: str


def card_announcement(intent: Intent) -> News | None:
    """What people who asked or approved wait for; None while there is nothing that they do not know themselves."""
    said = _card_announced(intent)
    if said is None:
        return None
    key, sentence = said
    people = dict.fromkeys((*intent.askers[:1], *(one.person for one in intent.approvals)))
    return News(key, f"{' '.join(user(one) for one in people)} {sentence}".strip())


def _card_announced(intent: Intent) -> tuple[str, str] | None:
    thing, told = _card_capital(cut(card_what(intent), 80)), cut(intent.says, 600)
    if intent.state is State.APPROVED and card_by_hand(intent):
        return "by_hand", f"{thing}: approved, to be removed by hand. The steps are on the card."
    if intent.state is State.UNKNOWN and intent.with_person_since is not None:
        return "with_person", f"{thing} needs a person. {told}"
    if intent.state is State.DONE and intent.held is not None:
        return ("held", f"{thing} was removed. {told}") if intent.held else ("not_held", told)
    if intent.state in {State.REFUSED, State.DENIED}:
        return intent.state.value, f"{thing} was not removed. {told}"
    return None


# --- answers to a press -----------------------------------------------------------------------------------------------


def card_answer(told: Answer, verb: Verb, zone: ZoneInfo) -> str:
    """What the presser alone is told; empty when the card says it all."""
    if told.fault is not None:
        return SENTENCES[told.fault]
    if told.is_late and told.intent is not None:
        return card_late(told.intent, zone)
    return "" if told.taken and verb is not Verb.CHECK else cut(told.says, CARD_SAYS_LIMIT)


def card_late(intent: Intent, zone: ZoneInfo) -> str:
    """A press that came after the decision."""
    if intent.state is State.PROPOSED:
        return f"You have approved this already; {intent.needed - len(intent.approvals)} more needed."
    told = cut(intent.says, CARD_SAYS_LIMIT)
    if intent.decided_by is None:
        return f"Nothing to decide any more: {told}"
    at = f" {date(intent.decided_at, zone)}" if intent.decided_at else ""
    return f"Already decided by {user(intent.decided_by)}{at}. {told}"


# --- lists ------------------------------------------------------------------------------------------------------------


def card_standing(intent: Intent) -> str:
    """One word or two for the state."""
    if intent.state is State.APPROVED and card_by_hand(intent):
        return "to be removed by hand"
    return "did not hold" if intent.held is False else _CARD_STATES[intent.state]


def card_outcome(intent: Intent) -> str:
    """What came of it, where that says more than the state alone; empty otherwise."""
    said_by_state = intent.state.is_open and _card_is_only_approved(intent)
    return "" if said_by_state or not intent.says else f": {cut(intent.says, 160)}"


def card_none_pending() -> str:
    """Nothing waits."""
    return "No removal waits for anybody."


def card_none_ever(label: str) -> str:
    """Nothing was ever proposed; ``label`` empty: for no package."""
    return f"No removal was ever proposed for {code(label)}." if label else "No removal was ever proposed."


# --- an answer's parts ------------------------------------------------------------------------------------------------


def date(at: datetime, zone: ZoneInfo) -> str:
    """A moment as each reader's own clock shows it; where that cannot be drawn, on the shop's wall clock."""
    local = at.astimezone(zone)
    fallback = f"{local:%H:%M} {local.tzname() or ''} on {local:%b} {local.day}".replace("  ", " ")
    return f"<!date^{int(at.astimezone(UTC).timestamp())}^{{date_short_pretty}} at {{time}}|{fallback}>"


def listed(items: Sequence[str], most: int, *, between: str = ", ") -> str:
    """Markup items in a row; what does not fit is counted: ``a, b … 3 more``."""
    shown = between.join(items[:most])
    return f"{shown} {more(len(items) - most)}" if len(items) > most else shown


NO_RECORD: Final = "no record named"
NO_LABEL: Final = "no label known"
DIFFERENCE: Final = "POS − METRC"
ANSWERED: Final = "answered"
THREAD: Final = "thread"


def as_of(at: datetime | None, zone: ZoneInfo) -> str:
    """How fresh a reading is; None: there is none."""
    return f"as of {date(at, zone)}" if at else "not read"


def sides_as_of(metrc: datetime | None, pos: datetime | None, zone: ZoneInfo) -> str:
    """How fresh both sides are."""
    return f"METRC {as_of(metrc, zone)} · POS {as_of(pos, zone)}"


def sides(pos: Decimal | None, metrc: Decimal | None) -> str:
    """What both sides say."""
    return f"POS {side(pos)} · METRC {side(metrc)}"


def shelf(counted_there: Decimal) -> str:
    """What the shelf says."""
    return f"shelf {number(counted_there)}"


def difference(quantity: Decimal, unit: str) -> str:
    """What there is to explain; ``unit`` is markup."""
    return f"difference {signed(quantity)} {unit}"


def unexplained(quantity: Decimal) -> str:
    """What no event explains."""
    return f"unexplained {signed(quantity)}"


def do(text: str, limit: int = 700) -> str:
    """The next step."""
    return f"*Do:* {cut(text, limit) or 'Nothing.'}"


def do_when(before: str, at: datetime, after: str, zone: ZoneInfo) -> str:
    """The next step where its sentence names a moment; ``before`` and ``after``: what stands around that."""
    return f"*Do:* {cut(before, 500)} {date(at, zone)}{cut(after, 200)}"


def do_plainly(text: str) -> str:
    """The same for a notification."""
    return f"Do: {cut(text, 700)}"


def not_before(at: datetime, zone: ZoneInfo) -> str:
    """When the next step makes sense."""
    return f"*Not before:* {date(at, zone)}"


def also_concerns(labels: Sequence[str], most: int) -> str:
    """Other packages that have a part in it."""
    return f"Also concerns {listed([code(label, 40) for label in labels], most)}"


def asked_at(shop: str, who: str | None) -> str:
    """Where, and by whom."""
    return f"{cut(shop, 80)}, asked by {user(who)}" if who else cut(shop, 80)


def what_was_read(part: int, of: int) -> str:
    """The heading over the evidence; plain text."""
    return "What was read" if of == 1 else f"What was read, {part} of {of}"


def more_evidence(lines: int, diagnosis_id: str) -> str:
    """What did not fit."""
    return f"… {lines} more lines, kept with question {code(diagnosis_id, 60)}"


def part_of(part: int, of: int) -> str:
    """A message that goes on an earlier one; plain text."""
    return f"… {part} of {of}"


def more(count: int) -> str:
    """What a list leaves out."""
    return f"… {count} more"


def and_more(named: str, left: int) -> str:
    """The same in a row of names; ``named`` is markup."""
    return f"{named} and {left:,} more"


def more_causes(first: str, rest: int, of: int) -> str:
    """A page of causes in one line; ``first`` is markup."""
    return f"{first} … {rest} more of {of} causes"


def looked_again(who: str | None) -> str:
    """Why an answer comes unasked."""
    return f"Looked again, as promised. {user(who)}" if who else "Looked again, as promised."


def looked_again_short(text: str) -> str:
    """The same for a notification; ``text`` is the answer's own."""
    return f"Looked again: {text}"


# --- a shop's report to print; plain text -----------------------------------------------------------------------------

REPORT_READ_ONLY: Final = "Read only: nothing was changed in METRC or in the POS to make this report."
REPORT_LICENSE: Final = "License"
REPORT_AS_OF: Final = "As of"
REPORT_PACKAGES: Final = "Packages looked at"
REPORT_AGREE: Final = "In agreement"
REPORT_CAUSES: Final = "Causes for the rest"
REPORT_SHARED: Final = "Shared"
REPORT_DO: Final = "To do"
REPORT_NOT_BEFORE: Final = "Not before"
REPORT_CODE: Final = "Code"
REPORT_LABELS: Final = "Packages"
REPORT_UNREAD: Final = "Could not be looked at"
REPORT_IDLE: Final = "Counted by neither side"
REPORT_COLUMNS: Final = ("Package", "Product", "POS", "METRC", "POS − METRC")


def report_heading(shop: str) -> str:
    """Over the whole report."""
    return f"{shop}: packages that METRC and the POS do not agree on"


# --- lists of removals ------------------------------------------------------------------------------------------------

HOME_DECIDE: Final = "Decide in the thread"


def open_removals(count: int) -> str:
    """Over those that wait."""
    return f"*{count} open {'removal' if count == 1 else 'removals'}*"


def past_removals(label: str) -> str:
    """Over those there were; ``label`` empty: of all packages."""
    return f"*Removals of {cut(label, 60)}, newest first*" if label else "*Removals, newest first*"


def waits_since(askers: Sequence[str], since: datetime, ends: datetime | None, zone: ZoneInfo) -> str:
    """Who asked for it, when, and until when it can be decided."""
    who = user(askers[0]) if askers else "nobody"
    return f"asked by {who} {date(since, zone)}" + (f", {until(ends, zone)}" if ends else "")


def until(at: datetime, zone: ZoneInfo) -> str:
    """A deadline."""
    return f"until {date(at, zone)}"


def by_whom(person_id: str | None) -> str:
    """Who decided; with a blank before it, empty when nobody did."""
    return f" by {user(person_id)}" if person_id else ""


def records_of(intent: Intent, most: int) -> str:
    """What would go, and of what: ``receipt 880102 in METRC, of package …1002``."""
    count = len(intent.targets)
    kind = KINDS[intent.kind] if count == 1 else f"{count} {KINDS[intent.kind]}s"
    records = listed([code(target.record_id, 30) for target in intent.targets], most)
    subject = intent.subject
    shown = short_label(subject.value) if subject.kind is SubjectKind.PACKAGE else cut(subject.value, 60)
    return f"{kind} {records} in {cut(card_where(intent), 20)}, of {SUBJECTS[subject.kind]} {shown}".rstrip()


def to_remove(records: str) -> str:
    """``records`` is markup."""
    return f"remove {records}"


# --- a week in one message --------------------------------------------------------------------------------------------

DIGEST_TITLE: Final = "The last seven days"


def digest_short(shops: str, explained: int) -> str:
    """For a notification."""
    return f"The last seven days at {shops}: {explained} differences explained."


def digest_note(command: str) -> str:
    """What the figures are held against."""
    return f"Weeks are compared with the one before. {cut(command, 40)} status shows how things stand now."


def digest_differences(this: int, before: int) -> str:
    """How many answers found a cause."""
    return f"Differences explained: {this} (before: {before})"


def digest_alerts(this: int, before: int) -> str:
    """How many alerts there were."""
    return f"Alerts: {this} (before: {before})"


def digest_delay(this: tuple[float, float] | None, before: tuple[float, float] | None) -> str:
    """How long sales take to METRC: half of them, and 95 of 100, in seconds."""
    if this is None:
        return "METRC recorded no sale"
    was = f" (before: {seconds_long(before[0])} and {seconds_long(before[1])})" if before else ""
    return (
        f"Half of the sales were in METRC after {seconds_long(this[0])}, 95 of 100 after {seconds_long(this[1])}{was}"
    )


def digest_open(headlines: Sequence[str]) -> str:
    """Alerts that are not over."""
    return f"Open now: {listed([cut(headline, 200) for headline in headlines], 3, between='; ')}"


def seconds_long(seconds: float) -> str:
    """A short time."""
    return f"{seconds:.0f} s" if seconds < 60 else spoken(timedelta(seconds=seconds))


# --- charts; plain text -----------------------------------------------------------------------------------------------

CHART_TITLE_RECEIPTS: Final = "Receipts recorded by METRC"
CHART_TITLE_WEEKS: Final = "The last weeks"
CHART_AN_HOUR: Final = "receipts an hour"
CHART_DIFFERENCES: Final = "Differences explained, by cause"
CHART_MINUTES: Final = "Minutes from the sale to METRC's record"
CHART_RECORDED: Final = "recorded by METRC"
CHART_EXPECTED: Final = "expected"
CHART_HALF: Final = "half of them"
CHART_MOST: Final = "95 of 100"
CHART_ALERTS: Final = "Alerts"
CHART_OTHERS: Final = "Others"


def chart_broke(clock: str) -> str:
    """At the line that marks it."""
    return f"broke at {clock}"


def chart_of_receipts(shop: str) -> str:
    """Over the chart of a silent feed."""
    return f"{shop}: receipts recorded by METRC"


def chart_of_silence(
    shop: str, span_of_it: timedelta, broke: str, *, before: int, after: int, due: float | None
) -> str:
    """The same chart in words."""
    expected = f"; {due:.0f} were to be expected since" if due is not None else ""
    return (
        f"Chart: receipts METRC recorded at {shop} hour by hour over the last {spoken(span_of_it)}. "
        f"{before} before it broke at {broke}, {after} after it{expected}."
    )


def chart_by_cause(shop: str) -> str:
    """Over the chart of a whole shop."""
    return f"{shop}: packages by cause"


def chart_of_causes(shop: str, told: str) -> str:
    """The same chart in words."""
    return f"Chart: packages of {shop} that do not agree, by cause. {told}."


def charts_of_weeks(weeks: int, told: str, delays: str, alerts: str) -> str:
    """The charts of a digest in words."""
    return (
        f"Charts over {weeks} weeks, oldest first. Differences explained: {told}. "
        f"Median minutes from the sale to METRC's record: {delays}. Alerts: {alerts}."
    )


# --- how shops stand --------------------------------------------------------------------------------------------------

STATUS_NO_SHOP: Final = "No shop is configured."
STATUS_KEY: Final = "Key"
STATUS_SYNCED: Final = "Synced"
STATUS_POSTING: Final = "Posting"
STATUS_WATCH: Final = "Watch"
STATUS_ALERTS: Final = "Alerts"
STATUS_APPROVALS: Final = "Approvals"
STATUS_NEVER: Final = "*never*"
STATUS_NONE: Final = "none"
STATUS_NONE_KNOWN: Final = "none known, and nobody could look"
STATUS_NO_EXPIRY: Final = "expiry not known; put key_issued_on into the facilities file"
STATUS_NO_SALE: Final = "no sale of the last 30 days is mirrored"
STATUS_UNWATCHED: Final = "*no round of monitors has looked at this shop yet*, so nobody knows whether it is well"
STATUS_FILLING: Final = "the sales of the last 3 days are still being read; until then nobody knows whether they arrive"
STATUS_PLAIN: Final = "under 4 weeks of history, so a silent sync is told by a plain limit"
STATUS_RHYTHM: Final = "a silent sync is told by this shop's own rhythm"


def status_line(name: str, told: str) -> str:
    """One thing about a shop; ``told`` is markup."""
    return f"{name}: {told}"


def status_more(shops: int) -> str:
    """Shops that one message does not hold."""
    return f"… {shops} more shops, all quiet or less urgent. Name one: status at LICENSE"


def status_unwatched_since(at: str) -> str:
    """The monitors stand still; ``at`` is markup."""
    return f"*no round of monitors since {at}*, so nobody knows whether it is well"


def status_short(troubled: Sequence[str], unknown: Sequence[str]) -> str:
    """For a notification; plain text."""
    if troubled:
        return f"Something to do at: {', '.join(troubled)}"
    return f"Not known, for nobody could look: {', '.join(unknown)}" if unknown else "All is well."


def status_expired(days: int, on: day) -> str:
    """The METRC key has ended."""
    return f"*expired {days} days ago*, on {on.isoformat()}"


def status_days_left(days: int, on: day) -> str:
    """The METRC key ends."""
    return f"{days} days left, until {on.isoformat()}"


def status_delays(sales: int, half: float, most: float) -> str:
    """How long sales take to METRC, in seconds."""
    return f"half of {sales:,} sales in METRC after {seconds_long(half)}, 95 of 100 after {seconds_long(most)}"


def status_has_it(said: str, who: str) -> str:
    """An alert that somebody attends to; ``said`` is markup."""
    return f"{said} ({user(who)} has it)"


def status_snoozed(said: str, who: str) -> str:
    """One that was snoozed."""
    return f"{said} (snoozed by {user(who)})"


def status_approvals(count: int) -> str:
    """Removals that wait."""
    if not count:
        return "none waiting"
    return f"*{count} removal{'s' if count > 1 else ''} not decided or not done*; see pending"


# --- alerts -----------------------------------------------------------------------------------------------------------

ALERT_ACKNOWLEDGE: Final = "Acknowledge"
ALERT_CLOSED_TODAY: Final = "Closed today"
ALERT_RENEWED: Final = "Renewed on…"
ALERT_UNKNOWN: Final = "This alert is no longer kept; a new one comes if the problem is still there."
ALERT_NO_DATE: Final = "Choose the day on which the key was made."
ALERT_NOT_KNOWN: Final = "Slack did not say who you are, so nothing was changed. Please press again in a minute."
ALERT_MAY_BE_A_REPEAT: Final = "This may be a repeat: it was not clear whether Slack took it."
ALERT_RENEWED_TITLE: Final = "Key renewed"
ALERT_RENEWED_SUBMIT: Final = "Keep the date"
ALERT_RENEWED_LABEL: Final = "Renewed on"
ALERT_RENEWED_NOTE: Final = "Only the day is kept. Never paste a key into Slack."


def alert_over_after(age: timedelta) -> str:
    """How long it lasted."""
    return f"over after {spoken(age)}"


def alert_over(headline: str) -> str:
    """For a notification."""
    return f"Over: {headline}"


def alert_walk_through(reference: str) -> str:
    """How to renew a key without it ever passing through Slack."""
    return "\n".join(
        [
            "*To renew the key:*",
            "1. In METRC, as the key's user: open *API Keys* in the user menu. Has somebody made a new key? Then take that one.",
            "2. Only if not: generate a new one. It kills the old one at once, everywhere it is used.",
            f"3. Put it where {code(reference)} points, and into the POS in the same minute.",
            f"4. Run {code('countlast doctor')}. The key is read anew each time, so nothing is restarted.",
            f"5. Press *{ALERT_RENEWED}* and choose the day, so that the next expiry is known.",
            "Never paste a key into Slack.",
        ]
    )


def alert_snooze(length: str) -> str:
    """A button; plain text."""
    return f"Snooze {length}"


def alert_since(at: datetime, zone: ZoneInfo) -> str:
    """When it began."""
    return f"Since {date(at, zone)}"


def alert_goes_to(addressee: str, after: timedelta) -> str:
    """Who hears of it when nobody attends to it; ``addressee`` is markup."""
    return f"goes to {addressee} after {spoken(after)}"


def alert_attended(who: str) -> str:
    """Who had it in hand."""
    return f"attended to by {user(who)}"


def alert_snoozed(who: str, at: datetime | None, zone: ZoneInfo) -> str:
    """Who snoozed it."""
    return f"Snoozed by {user(who)} until {date(at, zone) if at else ''}".rstrip()


def alert_acknowledged(who: str, at: datetime | None, zone: ZoneInfo) -> str:
    """Who has it in hand, and when it asks again."""
    return f"Acknowledged by {user(who)}, asks again {date(at, zone) if at else ''}".rstrip()


def alert_is_in(place: str) -> str:
    """Where the first message is; ``place`` is markup."""
    return f"The alert is in {place}."


def alert_elsewhere(place: str, reason: str) -> str:
    """How to mend a channel that did not take it; ``place`` is markup, ``reason`` Slack's own word."""
    invite = code("/invite @countlast")
    told = {
        "not_in_channel": f"I am not in {place}. Type {invite} there",
        "channel_not_found": f"I cannot see {place}: it is private, or gone. Type {invite} there",
        "is_archived": f"{place} is archived. Bring it back",
        "restricted_action": f"Posting is restricted in {place}. Ask an admin to let this app post there",
    }
    how = told.get(reason, f"{place} did not take this alert")
    return f"{how}, or give the shop another channel in the facilities file. Until then its alerts come to you."


def alert_taken(by: str | None, presser: str, *, is_live: bool) -> str:
    """Somebody was first."""
    if not is_live:
        return "This alert has already ended."
    return "You already have it in hand." if by == presser else f"{user(by or '')} already has it in hand."


def alert_not_yours(place: str) -> str:
    """Who is not where the alert was told; ``place`` is markup."""
    return f"Only people in {place} can attend to this alert. Join the channel, or ask somebody in it."


def alert_was_renewed(who: str, on: object, shops: int) -> str:
    """The thread hears of a renewed key."""
    of = "" if shops == 1 else f" for {shops} shops"
    return f"{user(who)} renewed the METRC key on {on}{of}. The next round tries it."
