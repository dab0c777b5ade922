"""An alert → its card and the replies in its thread. Pure.

The card says what is wrong, what to do and who has it in hand. Its buttons carry the alert's id and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.alerts import Alert, Kind, Letter, State, What, snoozes
from bot.attend import KEYS, QUIET, Snooze
from bot.opening import Opening, spoken
from handlers.render.blocks import (
    BUTTON_LIMIT,
    ELLIPSIS,
    SECTION_LIMIT,
    Block,
    Message,
    actions,
    bold,
    code,
    context,
    cut,
    cut_plain,
    date,
    section,
    user,
)

ACKNOWLEDGE_ACTION: Final = "acknowledge_alert"
CLOSED_ACTION: Final = "alert_closed_today"
RENEWED_ACTION: Final = "alert_key_renewed"
SNOOZE_ACTIONS: Final = {
    "snooze_alert_hour": Snooze.HOUR,
    "snooze_alert_opening": Snooze.OPENING,
    "snooze_alert_tomorrow": Snooze.TOMORROW,
}
RENEWED_FORM: Final = "alert_key_renewed_form"
RENEWED_BLOCK: Final = "renewed_on"

ACKNOWLEDGE: Final = "Acknowledge"
CLOSED_TODAY: Final = "Closed today"
RENEWED: Final = "Renewed on…"
UNKNOWN: Final = "This alert is no longer kept; a new one comes if the problem is still there."
NO_DATE: Final = "Choose the day on which the key was made."
NOT_KNOWN: Final = "Slack did not say who you are, so nothing was changed. Please press again in a minute."

MOST_CHARACTERS: Final = 2800
TEXT_LIMIT: Final = 2000


def render_letter(letter: Letter, opening: Opening, now: datetime, *, is_repeat: bool = False) -> Message:
    """The message of a letter: the card for what begins a thread, else one sentence.

    ``is_repeat``: an earlier try may have gone out, and nobody could look.
    """
    if letter.what in {What.FIRE, What.REWRITE}:
        return _marked(render_alert(letter.alert, opening, now), is_repeat=is_repeat)
    if letter.what is What.ESCALATE:
        return _marked(_escalated(letter, opening), is_repeat=is_repeat)
    return _marked(_sentence(cut(letter.text, MOST_CHARACTERS) or ELLIPSIS), is_repeat=is_repeat)


def render_alert(alert: Alert, opening: Opening, now: datetime) -> Message:
    """The card as the alert stands. ``now``: which snoozes are offered."""
    blocks = [
        section(_headline(alert)),
        *_guidance(alert),
        *_buttons(alert, opening, now),
        _small_print(alert, opening),
    ]
    return Message(text=cut(_notification(alert), TEXT_LIMIT), blocks=tuple(blocks))


def _headline(alert: Alert) -> str:
    if not alert.is_live:
        lasted = f" · over after {spoken(alert.closed_at - alert.since)}" if alert.closed_at else ""
        return f"✓ {bold(alert.headline, MOST_CHARACTERS)}{lasted}"
    return f"{'○' if alert.state is not State.OPEN else '●'} {bold(alert.headline, MOST_CHARACTERS)}"


def _notification(alert: Alert) -> str:
    return f"Over: {alert.headline}" if not alert.is_live else f"{alert.headline} {alert.remedy}".strip()


def _guidance(alert: Alert) -> Iterator[Block]:
    if not alert.is_live:
        return
    if alert.kind in KEYS and "new key" in alert.remedy:
        yield section(walk_through(_reference(alert)))
    elif alert.remedy:
        yield section(cut(alert.remedy, MOST_CHARACTERS))


def _reference(alert: Alert) -> str:
    """Where the key is kept; an expiry's cause has the day of issue behind it."""
    cause = alert.members[0].cause
    return cause.rpartition("/")[0] if alert.kind is Kind.KEY_EXPIRY else cause


def walk_through(reference: str) -> str:
    """How to renew a key without it ever passing through Slack."""
    return "\n".join(
        [
            "*To renew the key:*",
            "1. In METRC, as the key's user: open *API Keys* in the user menu and generate a new one.",
            f"2. Put it where {code(reference)} points, and into the POS in the same minute.",
            "    A new key kills the old one at once, everywhere it is used.",
            f"3. Run {code('countlast doctor')}. The key is read anew each time, so nothing is restarted.",
            f"4. Press *{RENEWED}* and choose the day, so that the next expiry is known.",
            "Never paste a key into Slack.",
        ]
    )


# --- buttons ----------------------------------------------------------------------------------------------------------


def _buttons(alert: Alert, opening: Opening, now: datetime) -> list[Block]:
    if not alert.is_live:
        return []
    own = [*_acknowledge(alert), *_snoozes(alert, opening, now)]
    if alert.kind in QUIET and alert.state is not State.SNOOZED:
        own.append(_button(CLOSED_TODAY, action_id=CLOSED_ACTION, value=alert.id))
    if alert.kind in KEYS:
        own.append(_button(RENEWED, action_id=RENEWED_ACTION, value=alert.id))
    return [actions(f"alert/{alert.version}", own)]


def _acknowledge(alert: Alert) -> list[Block]:
    if alert.state is State.ACKNOWLEDGED:
        return []
    return [_button(ACKNOWLEDGE, action_id=ACKNOWLEDGE_ACTION, value=alert.id, style="primary")]


def _snoozes(alert: Alert, opening: Opening, now: datetime) -> list[Block]:
    if alert.state is State.SNOOZED:
        return []
    offered = dict(snoozes(opening, now))
    return [
        _button(f"Snooze {length.value}", action_id=action_id, value=alert.id)
        for action_id, length in SNOOZE_ACTIONS.items()
        if length.value in offered
    ]


def _button(label: str, *, action_id: str, value: str, style: str | None = None) -> Block:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": cut_plain(label, BUTTON_LIMIT)},
        "action_id": action_id,
        "value": value,
        **({"style": style} if style else {}),
    }


def _small_print(alert: Alert, opening: Opening) -> Block:
    zone = ZoneInfo(opening.zone)
    told = [f"Since {date(min(member.since for member in alert.members), zone)}", *_hand(alert, zone)]
    if alert.escalate_to and alert.state is State.OPEN:
        told.append(f"goes to {_addressee(alert.escalate_to)} after {spoken(alert.escalate_after)}")
    return context(" · ".join(told))


def _hand(alert: Alert, zone: ZoneInfo) -> list[str]:
    """Who has it in hand; after the end, who had."""
    if not alert.by:
        return []
    name = user(alert.by)
    if not alert.is_live:
        return [f"attended to by {name}"]
    until = date(alert.asks_again_at, zone) if alert.asks_again_at else ""
    if alert.state is State.SNOOZED:
        return [f"Snoozed by {name} until {until}"]
    return [f"Acknowledged by {name}, asks again {until}"] if alert.state is State.ACKNOWLEDGED else []


def _addressee(place: str) -> str:
    return f"<#{place}>" if place[:1] in {"C", "G"} and place.isalnum() else user(place)


def _escalated(letter: Letter, opening: Opening) -> Message:
    alert = letter.alert
    where = f"The alert is in {_addressee(alert.channel)}." if alert.channel else ""
    own = [_button(ACKNOWLEDGE, action_id=ACKNOWLEDGE_ACTION, value=alert.id, style="primary")]
    blocks = (
        section(cut(letter.text, MOST_CHARACTERS) or ELLIPSIS),
        actions(f"alert/{alert.version}", own),
        context(f"Since {date(alert.since, ZoneInfo(opening.zone))}. {where}".strip()),
    )
    return Message(text=cut(letter.text, TEXT_LIMIT) or ELLIPSIS, blocks=blocks)


def _sentence(markup: str) -> Message:
    return Message(text=markup[:SECTION_LIMIT], blocks=(section(markup),))


def _marked(message: Message, *, is_repeat: bool) -> Message:
    if not is_repeat:
        return message
    return Message(
        message.text, (*message.blocks, context("This may be a repeat: it was not clear whether Slack took it."))
    )


# --- answers to those who press ---------------------------------------------------------------------------------------


def render_taken(alert: Alert, by: str) -> str:
    """Somebody was first."""
    if not alert.is_live:
        return "This alert has already ended."
    return "You already have it in hand." if alert.by == by else f"{user(alert.by or '')} already has it in hand."


def render_renewed(alert: Alert, by: str, on: object) -> str:
    """The thread hears of a renewed key."""
    shops = len(alert.licenses)
    of = "" if shops == 1 else f" for {shops} shops"
    return f"{user(by)} renewed the METRC key on {on}{of}. The next round tries it."


def render_renewed_form(alert: Alert, metadata: str, today: object) -> Block:
    """The form that asks for the day."""
    return {
        "type": "modal",
        "callback_id": RENEWED_FORM,
        "private_metadata": metadata,
        "title": {"type": "plain_text", "text": "Key renewed"},
        "submit": {"type": "plain_text", "text": "Keep the date"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            section(f"{cut(alert.headline, 1000)}\nOnly the day is kept. Never paste a key into Slack."),
            {
                "type": "input",
                "block_id": RENEWED_BLOCK,
                "label": {"type": "plain_text", "text": "Renewed on"},
                "element": {"type": "datepicker", "action_id": RENEWED_BLOCK, "initial_date": str(today)},
            },
        ],
    }
