"""An alert → its card and the replies in its thread. Pure.

The card says what is wrong, what to do and who has it in hand. Its buttons carry the alert's id and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.alerts import Alert, Kind, Letter, State, What
from bot.attend import KEYS, QUIET, Snooze, lengths
from bot.opening import Opening
from handlers.render import words
from handlers.render.blocks import (
    BUTTON_LIMIT,
    ELLIPSIS,
    SECTION_LIMIT,
    Block,
    Message,
    actions,
    bold,
    context,
    cut,
    cut_plain,
    is_channel,
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

ACKNOWLEDGE: Final = words.ALERT_ACKNOWLEDGE
CLOSED_TODAY: Final = words.ALERT_CLOSED_TODAY
RENEWED: Final = words.ALERT_RENEWED
UNKNOWN: Final = words.ALERT_UNKNOWN
NO_DATE: Final = words.ALERT_NO_DATE
NOT_KNOWN: Final = words.ALERT_NOT_KNOWN

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
        lasted = f" · {words.alert_over_after(alert.closed_at - alert.since)}" if alert.closed_at else ""
        return f"✓ {bold(alert.headline, MOST_CHARACTERS)}{lasted}"
    return f"{'○' if alert.state is not State.OPEN else '●'} {bold(alert.headline, MOST_CHARACTERS)}"


def _notification(alert: Alert) -> str:
    return words.alert_over(alert.headline) if not alert.is_live else f"{alert.headline} {alert.remedy}".strip()


def _guidance(alert: Alert) -> Iterator[Block]:
    if not alert.is_live:
        return
    if alert.kind in KEYS and "new key" in alert.remedy:
        yield section(words.alert_walk_through(_reference(alert)))
    elif alert.remedy:
        yield section(cut(alert.remedy, MOST_CHARACTERS))


def _reference(alert: Alert) -> str:
    """Where the key is kept; an expiry's cause has the day of issue behind it."""
    cause = alert.members[0].cause
    return cause.rpartition("/")[0] if alert.kind is Kind.KEY_EXPIRY else cause


# --- buttons ----------------------------------------------------------------------------------------------------------


def _buttons(alert: Alert, opening: Opening, now: datetime) -> list[Block]:
    if not alert.is_live:
        return []
    own = [*_acknowledge(alert), *_snoozes(alert, opening, now)]
    # one press must not close shops that only share the alert
    if alert.kind in QUIET and alert.state is not State.SNOOZED and len(alert.licenses) == 1:
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
    offered = lengths(opening, now)
    return [
        _button(words.alert_snooze(length.value), action_id=action_id, value=alert.id)
        for action_id, length in SNOOZE_ACTIONS.items()
        if length in offered
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
    told = [words.alert_since(min(member.since for member in alert.members), zone), *_hand(alert, zone)]
    if alert.escalate_to and alert.state is State.OPEN:
        told.append(words.alert_goes_to(_addressee(alert.escalate_to), alert.escalate_after))
    return context(" · ".join(told))


def _hand(alert: Alert, zone: ZoneInfo) -> list[str]:
    """Who has it in hand; after the end, who had."""
    if not alert.by:
        return []
    if not alert.is_live:
        return [words.alert_attended(alert.by)]
    if alert.state is State.SNOOZED:
        return [words.alert_snoozed(alert.by, alert.asks_again_at, zone)]
    if alert.state is State.ACKNOWLEDGED:
        return [words.alert_acknowledged(alert.by, alert.asks_again_at, zone)]
    return []


def _addressee(place: str) -> str:
    return f"<#{place}>" if is_channel(place) else user(place)


def _escalated(letter: Letter, opening: Opening) -> Message:
    alert = letter.alert
    where = words.alert_is_in(_addressee(alert.channel)) if alert.channel else ""
    own = [_button(ACKNOWLEDGE, action_id=ACKNOWLEDGE_ACTION, value=alert.id, style="primary")]
    blocks = (
        section(cut(letter.text, MOST_CHARACTERS) or ELLIPSIS),
        actions(f"alert/{alert.version}", own),
        context(f"{words.alert_since(alert.since, ZoneInfo(opening.zone))}. {where}".strip()),
    )
    return Message(text=cut(letter.text, TEXT_LIMIT) or ELLIPSIS, blocks=blocks)


def render_elsewhere(message: Message, channel: str, reason: str) -> Message:
    """The same for on-call alone, with how to mend the channel that did not take it."""
    return Message(message.text, (*message.blocks, context(words.alert_elsewhere(_addressee(channel), reason))))


def _sentence(markup: str) -> Message:
    return Message(text=markup[:SECTION_LIMIT], blocks=(section(markup),))


def _marked(message: Message, *, is_repeat: bool) -> Message:
    if not is_repeat:
        return message
    return Message(message.text, (*message.blocks, context(words.ALERT_MAY_BE_A_REPEAT)))


# --- answers to those who press ---------------------------------------------------------------------------------------


def render_taken(alert: Alert, by: str) -> str:
    """Somebody was first."""
    return words.alert_taken(alert.by, by, is_live=alert.is_live)


def not_in_channel(channel: str) -> str:
    """Who is not where the alert was told."""
    return words.alert_not_yours(_addressee(channel))


def render_renewed(by: str, on: object, shops: int) -> str:
    """The thread hears of a renewed key that so many shops have."""
    return words.alert_was_renewed(by, on, shops)


def render_renewed_form(alert: Alert, metadata: str, today: object) -> Block:
    """The form that asks for the day."""
    return {
        "type": "modal",
        "callback_id": RENEWED_FORM,
        "private_metadata": metadata,
        "title": {"type": "plain_text", "text": words.ALERT_RENEWED_TITLE},
        "submit": {"type": "plain_text", "text": words.ALERT_RENEWED_SUBMIT},
        "close": {"type": "plain_text", "text": words.FORM_CLOSE},
        "blocks": [
            section(f"{cut(alert.headline, 1000)}\n{words.ALERT_RENEWED_NOTE}"),
            {
                "type": "input",
                "block_id": RENEWED_BLOCK,
                "label": {"type": "plain_text", "text": words.ALERT_RENEWED_LABEL},
                "element": {"type": "datepicker", "action_id": RENEWED_BLOCK, "initial_date": str(today)},
            },
        ],
    }
