"""Every sentence the bot says by itself. Short, plain, for a floor manager on a phone. Pure.

What these functions return is markup, ready to be sent; foreign text in it has been escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot.model import (
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Duplicate,
    DuplicateKind,
    Forbidden,
    Result,
    SubjectKind,
)
from bot.sweep_groups import Sweep
from handlers.render.blocks import code, cut, escape, listed, user

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
    Forbidden.RESEND: "send the sale again",
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
        f"• {example(command)} — the 24 letters and digits of the METRC tag",
        f"• {example(command, place=facilities[0][0] if facilities else '402R-X0042')} — at one license",
        f"• {example(command, EXAMPLES[SubjectKind.RECEIPT], kind=SubjectKind.RECEIPT)} — one sale, by either side's number",
        f"• {example(command, EXAMPLES[SubjectKind.MANIFEST], kind=SubjectKind.MANIFEST)} — one load",
        f"• {example(command, EXAMPLES[SubjectKind.PRODUCT], kind=SubjectKind.PRODUCT)} — all packages of a product",
        f"• {example(command, '', kind=SubjectKind.FACILITY)} — the whole shop, by common cause",
        f"• {code(f'{command} pending')} — removals that wait for somebody; {code(f'{command} history')} — all of them",
        f"• {code(f'{command} help')} — this text",
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
    lines = [f"{which} Copy one line:", *_commands(facilities[:10], label, command, kind)]
    if len(facilities) > 10:
        lines.append(f"… {len(facilities) - 10} more: {_facilities(facilities[10:])}")
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
    # only a tag is known by its end; a number or a name is read as a whole
    shown = short_label(label) if kind is SubjectKind.PACKAGE else cut(label.replace("*", "∗"), 60)
    headline = f"*{SUBJECTS[kind].capitalize()} {shown}* at {cut(place, 80)}, asked by {user(who)}"
    return f"{headline}\nReading this as {SUBJECTS[kind]} {code(label)}"


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


def cannot_post(reason: str, bot_name: str) -> str:
    """Why the answer is not in the channel; ``reason`` is Slack's own word."""
    invite = code(f"/invite @{bot_name}")
    sentences = {
        "not_in_channel": f"I am not in this channel. Type {invite} here, then ask again.",
        "channel_not_found": f"I cannot see this channel. Type {invite} here, then ask again.",
        "is_archived": f"This channel is archived, so I cannot post in it. Ask in another one; there type {invite}",
        "restricted_action": (
            f"Posting is restricted in this channel. Ask an admin, or ask in another one; there type {invite}"
        ),
    }
    return sentences.get(
        reason, f"Slack did not take my message ({code(reason, 60)}). If I am not in this channel, type {invite}"
    )


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
    """``duplication.receipt-retry`` → ``receipt retry``: the event in words."""
    return cut(finding_code.partition(".")[2].replace("-", " ") or finding_code, 60)


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
    missing = f" Not read: {listed(list(not_read), 4, between='; ')}." if not_read else ""
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


def package_line(package: Diagnosis) -> str:
    """One package of a receipt, manifest or product: ``…1002 · receipt retry · +1 Each``."""
    said = event(package.code) if package.code else _without_code(package.cause)
    gap = package.gap
    difference = f"{signed(gap.difference)} {cut(gap.unit, 20)}" if gap is not None else "difference not known"
    label = package.subject.value
    shown = f"…{label[-4:]}" if len(label) > 8 else label
    return f"{code(shown, 40)} {said} · {difference}"


def _without_code(cause: Cause) -> str:
    return "nothing wrong" if cause is Cause.NONE else "not certain"


def more_packages(agreeing: int, others: int) -> str:
    """The packages that have no line of their own."""
    told = [f"{agreeing} more with nothing wrong"] if agreeing else []
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


def swept(sweep: Sweep) -> str:
    """How a whole shop stands."""
    if not sweep.packages and not sweep.groups:
        return "*Neither side names a package.*"
    head = f"*{sweep.agree:,} of {sweep.packages:,} packages agree.*"
    if not sweep.groups:
        return f"{head} Nothing to do."
    causes = "1 cause" if len(sweep.groups) == 1 else f"{len(sweep.groups):,} causes"
    return f"{head} {causes} for the rest, the widest first. For one package: ask about its tag."


def counted_so_far(stage: str, done: int, total: int) -> str:
    """A stage of a long piece of work, and how far it is."""
    if not done:
        return stage
    return f"{stage}: {done:,} of {total:,}" if total else f"{stage}: {done:,}"
