"""Removals as lists: those that wait for somebody, and all that there were. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from bot.model import SubjectKind
from bot.removals import Intent, State
from handlers.render import words
from handlers.render.blocks import Message, cut, link, section, size
from handlers.render.words import date

MOST_LINES: Final = 20
BUDGET: Final = 2900

Zone = Callable[[str], ZoneInfo]
"""The wall clock of a license."""


def render_pending(intents: Sequence[Intent], links: Mapping[str, str], zone: Zone) -> Message:
    """What is open, oldest first. ``links``: the address of a removal's card, by its id, as far as it is known."""
    if not intents:
        return _message([words.card_none_pending()])
    title = words.open_removals(len(intents))
    return _message([title, *(_pending(intent, links, zone(intent.facility)) for intent in intents)])


def render_history(intents: Sequence[Intent], links: Mapping[str, str], zone: Zone, label: str) -> Message:
    """What there was, newest first; ``label`` empty: of all packages."""
    if not intents:
        return _message([words.card_none_ever(label)])
    title = words.past_removals(label)
    return _message([title, *(_past(intent, links, zone(intent.facility)) for intent in intents)])


def _pending(intent: Intent, links: Mapping[str, str], zone: ZoneInfo) -> str:
    until = intent.expires_at if intent.state is State.PROPOSED else None
    return f"{_head(intent, links)} · {words.waits_since(intent.askers, intent.proposed_at, until, zone)}"


def _past(intent: Intent, links: Mapping[str, str], zone: ZoneInfo) -> str:
    at = date(intent.decided_at or intent.proposed_at, zone)
    by = words.by_whom(intent.decided_by)
    return f"{_head(intent, links)}{by} · {at}{words.card_outcome(intent)}"


def _head(intent: Intent, links: Mapping[str, str]) -> str:
    thing = cut(words.card_what(intent), 60)
    named = link(links[intent.id], thing) if intent.id in links else thing
    return f"• {named} ({_subject(intent)}): *{words.card_standing(intent)}*"


def _subject(intent: Intent) -> str:
    subject = intent.subject
    if subject.kind is SubjectKind.PACKAGE:
        return words.short_label(subject.value)
    return f"{words.SUBJECTS[subject.kind]} {cut(subject.value, 40)}"


def _message(lines: Sequence[str]) -> Message:
    shown = list(_fitting(lines))
    if len(shown) < len(lines):
        shown.append(words.more(len(lines) - len(shown)))
    text = "\n".join(shown)
    return Message(text=text, blocks=(section(text),))


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    room = BUDGET
    for line in lines[: MOST_LINES + 1]:
        room -= size(line) + 1
        if room < 0:
            return
        yield line
