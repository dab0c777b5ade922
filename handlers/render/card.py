"""A removal → the card that asks for it and later says what came of it. Pure.

The card holds what an approver signs: what goes, what stays, why, what it does to the difference, and the short name of
the evidence. Buttons carry the removal's id and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot import removals
from bot.model import DuplicateKind
from bot.removals import Intent, Policy, State, Target
from handlers.render import words
from handlers.render.blocks import (
    BUTTON_LIMIT,
    Block,
    Message,
    actions,
    code,
    confirmation,
    context,
    cut,
    cut_plain,
    danger_button,
    section,
    size,
)
from handlers.render.words import date

APPROVE_ACTION: Final = "remove_duplicate"
DECLINE_ACTION: Final = "decline_removal"
WITHDRAW_ACTION: Final = "withdraw_removal"
CHECK_ACTION: Final = "check_removal"
ABANDON_ACTION: Final = "abandon_removal"
DECLINE_FORM: Final = "decline_removal_form"
REASON_BLOCK: Final = "reason"
NOTE_BLOCK: Final = "note"

LIST_BUDGET: Final = 2800
MOST_PACKAGES: Final = 6
FACT_LIMIT: Final = 160

_SHOWN_FACTS: Final = {
    DuplicateKind.SALES_RECEIPT: ("number", "total", "lines"),
    DuplicateKind.EXTERNAL_TRANSFER: ("manifest", "invoice", "packages"),
    DuplicateKind.TRANSFER: ("manifest", "invoice", "packages"),
}


def render_card(intent: Intent, policy: Policy, place: str, zone: ZoneInfo) -> Message:
    """The card as the removal stands. ``policy``: whom it waits for; ``place``: the shop's name."""
    parts = [
        section(words.card_title(intent)),
        *_paragraph(_account(intent, zone)),
        *_paragraph(_steps(intent)),
        section(_records(intent)),
        *_paragraph(_effects(intent)),
        *_paragraph(_whom(intent, policy)),
        *_buttons(intent),
        context(*_small_print(intent, place, zone)),
    ]
    return Message(text=cut_plain(words.card_notification(intent), 2000), blocks=tuple(parts))


def _paragraph(markup: str) -> list[Block]:
    return [section(markup)] if markup else []


def _account(intent: Intent, zone: ZoneInfo) -> str:
    """Who decided and what came of it; before that, why it is a duplicate."""
    decided = [line for line in (words.card_approvals(intent, zone), words.card_decision(intent, zone)) if line]
    if intent.state is State.PROPOSED:
        return "\n".join([*dict.fromkeys(cut(text, 500) for text in (intent.headline, intent.why) if text), *decided])
    return "\n".join([*decided, words.card_news(intent)])


# --- what goes, what stays --------------------------------------------------------------------------------------------


def _records(intent: Intent) -> str:
    if len(intent.targets) == 1:
        (target,) = intent.targets
        pairs = zip(words.card_roles(intent), (target.keep, target.record_id), strict=True)
        return "\n".join(words.card_record(role, _name(intent, one), _facts(intent, one)) for role, one in pairs)
    return _list(intent)


def _name(intent: Intent, record: str) -> str:
    return f"{words.KINDS[intent.kind]} {cut(record, 40)}"


def _facts(intent: Intent, record: str) -> list[str]:
    seen = intent.sight.of(removals.record_name(intent.kind, record))
    facts = dict(seen.facts or ()) if seen is not None else {}
    wanted = _SHOWN_FACTS.get(intent.kind, ())
    told = [_fact(name, facts[name]) for name in wanted if facts.get(name, "none") not in {"none", "not read"}]
    return [*told, words.CARD_FINALIZED] if facts.get(removals.FINALIZED) == "yes" else told


def _fact(name: str, value: str) -> str:
    return f"{name} {cut(value, 40)}" if name in {"total", "invoice"} else cut(value, FACT_LIMIT)


def _list(intent: Intent) -> str:
    """All records of a list, those that are gone marked; Slack folds what is long."""
    done = words.card_progress(len(intent.removed), len(intent.targets))
    lines = [f"*{done}*" if intent.removed else f"*{words.card_what(intent)}*"]
    room = LIST_BUDGET
    for number, target in enumerate(intent.targets):
        line = _list_line(intent, target)
        room -= size(line) + 1
        if room < 0:
            return "\n".join([*lines, words.more(len(intent.targets) - number)])
        lines.append(line)
    return "\n".join(lines)


def _list_line(intent: Intent, target: Target) -> str:
    mark = "✓" if target.is_done else "•"
    facts = _facts(intent, target.record_id)[:2]
    return f"{mark} {words.card_line(target.record_id, target.keep, facts)}"


def _effects(intent: Intent) -> str:
    """What the removal gives back to each package; once it is decided the news say it."""
    if intent.state is not State.PROPOSED:
        return ""
    given: dict[str, Decimal] = {}
    for target in intent.targets:
        for effect in target.effects:
            given[effect.label] = given.get(effect.label, Decimal(0)) + effect.quantity
    lines = [words.card_effect(label, *_before(intent, label, by)) for label, by in given.items()]
    left = len(lines) - MOST_PACKAGES
    return "\n".join([*lines[:MOST_PACKAGES], words.more(left)] if left > 0 else lines)


def _before(intent: Intent, label: str, by: Decimal) -> tuple[Decimal | None, Decimal, str]:
    seen = intent.sight.of(removals.difference_name(label))
    facts = dict(seen.facts or ()) if seen is not None else {}
    amount = facts.get("amount")
    return (Decimal(amount) if amount is not None else None), by, facts.get("unit", "")


# --- what to do -------------------------------------------------------------------------------------------------------


def _steps(intent: Intent) -> str:
    if intent.state is not State.APPROVED or not words.card_by_hand(intent):
        return ""
    return "\n".join(f"{number}. {cut(step, 400)}" for number, step in enumerate(removals.steps(intent), 1))


def _whom(intent: Intent, policy: Policy) -> str:
    if intent.state is not State.PROPOSED:
        return ""
    out = set(intent.askers) if policy.second_person else set()
    out |= {one.person for one in intent.approvals}
    left = [one for one in policy.approvers if one not in out]
    needed = intent.needed - len(intent.approvals)
    return words.card_who_may(left, needed=needed, second_person=policy.second_person)


def _buttons(intent: Intent) -> list[Block]:
    elements = list(_elements(intent))
    # a fresh id each time, or a client may keep what it has drawn
    return [actions(f"removal-{intent.id}-{intent.revision}", elements)] if elements else []


def _elements(intent: Intent) -> Iterator[Block]:
    if intent.state is State.PROPOSED:
        yield _approve(intent)
        yield _button(words.CARD_DECLINE, DECLINE_ACTION, intent)
        yield _button(words.CARD_WITHDRAW, WITHDRAW_ACTION, intent)
    elif intent.state is State.APPROVED and words.card_by_hand(intent):
        yield _button(words.CARD_CHECK_DONE, CHECK_ACTION, intent) | {"style": "primary"}
        yield _abandon(intent)
        yield _button(words.CARD_WITHDRAW, WITHDRAW_ACTION, intent)
    elif intent.state is State.APPROVED and not intent.has_sent:
        yield _button(words.CARD_WITHDRAW, WITHDRAW_ACTION, intent)
    elif intent.state is State.UNKNOWN:
        yield _button(words.CARD_CHECK, CHECK_ACTION, intent)
        yield _abandon(intent)


def _approve(intent: Intent) -> Block:
    dialog = confirmation(
        words.card_confirm_title(intent),
        words.card_confirm_text(intent),
        yes=words.card_confirm_yes(intent),
        no=words.CARD_LEAVE_IT,
    )
    label = words.button(by_bot=not words.card_by_hand(intent))
    button = danger_button(label, action_id=APPROVE_ACTION, value=intent.id, confirm=dialog)
    return button | {"accessibility_label": cut_plain(words.card_act(intent), BUTTON_LIMIT)}


def _abandon(intent: Intent) -> Block:
    text = words.CARD_GIVE_UP_TEXT
    dialog = confirmation(words.CARD_GIVE_UP_TITLE, text, yes=words.CARD_GIVE_UP, no=words.CARD_KEEP_OPEN)
    return _button(words.CARD_ABANDON, ABANDON_ACTION, intent) | {"confirm": dialog}


def _button(label: str, action_id: str, intent: Intent) -> Block:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": cut_plain(label, BUTTON_LIMIT)},
        "action_id": action_id,
        "value": intent.id,
    }


# --- small print ------------------------------------------------------------------------------------------------------


def _small_print(intent: Intent, place: str, zone: ZoneInfo) -> Iterator[str]:
    yield words.card_asked_by(intent.askers)
    yield f"{words.card_evidence(intent.digest)} {words.as_of(intent.sight.at, zone)}"
    if intent.state is State.PROPOSED:
        yield words.card_open_until(date(intent.expires_at, zone))
    if intent.state is State.DONE and intent.checks_left and intent.due_at is not None and intent.held is not None:
        yield words.card_looked_at_again(date(intent.due_at, zone))
    yield f"{cut(place, 80)} · {code(intent.diagnosis_id, 60)}"


# --- the form that declines -------------------------------------------------------------------------------------------


def render_decline_form(intent: Intent, metadata: str) -> Block:
    """The modal that asks why. ``metadata`` comes back with the answer."""
    options = [{"text": _plain(text), "value": value} for value, text in words.CARD_REASONS.items()]
    return {
        "type": "modal",
        "callback_id": DECLINE_FORM,
        "private_metadata": metadata,
        "title": _plain(words.CARD_FORM_TITLE),
        "submit": _plain(words.CARD_FORM_SUBMIT),
        "close": _plain(words.FORM_CLOSE),
        "blocks": [
            section(f"{cut(words.card_act(intent), 60)}: {cut(intent.headline, 300)}"),
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": _plain(words.CARD_FORM_REASON),
                "element": {
                    "type": "static_select",
                    "action_id": REASON_BLOCK,
                    "options": options,
                    "initial_option": options[0],
                },
            },
            {
                "type": "input",
                "block_id": NOTE_BLOCK,
                "optional": True,
                "label": _plain(words.CARD_FORM_NOTE),
                "element": {"type": "plain_text_input", "action_id": NOTE_BLOCK, "max_length": 300},
            },
        ],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
