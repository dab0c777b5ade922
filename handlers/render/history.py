"""Removals as lists: those that wait for somebody, and all that there were. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from bot.model import SubjectKind
from bot.removals import Intent, State
from handlers.render import card_words, words
from handlers.render.blocks import Message, cut, date, link, section, size, user

MOST_LINES: Final = 20
BUDGET: Final = 2900

Zone = Callable[[str], ZoneInfo]
"""The wall clock of a license."""


def render_pending(intents: Sequence[Intent], links: Mapping[str, str], zone: Zone) -> Message:
    """What is open, oldest first. ``links``: the address of a removal's card, by its id, as far as it is known."""
    if not intents:
        return _message([card_words.none_pending()])
    title = f"*{len(intents)} open {_removals(len(intents))}*"
    return _message([title, *(_pending(intent, links, zone(intent.facility)) for intent in intents)])


def render_history(intents: Sequence[Intent], links: Mapping[str, str], zone: Zone, label: str) -> Message:
    """What there was, newest first; ``label`` empty: of all packages."""
    if not intents:
        return _message([card_words.none_ever(label)])
    of = f" of {cut(label, 60)}" if label else ""
    title = f"*Removals{of}, newest first*"
    return _message([title, *(_past(intent, links, zone(intent.facility)) for intent in intents)])


def _removals(count: int) -> str:
    return "removal" if count == 1 else "removals"


def _pending(intent: Intent, links: Mapping[str, str], zone: ZoneInfo) -> str:
    until = f", until {date(intent.expires_at, zone)}" if intent.state is State.PROPOSED else ""
    return f"{_head(intent, links)} · asked by {_asker(intent)} {date(intent.proposed_at, zone)}{until}"


def _past(intent: Intent, links: Mapping[str, str], zone: ZoneInfo) -> str:
    at = date(intent.decided_at or intent.proposed_at, zone)
    who = user(intent.decided_by) if intent.decided_by else ""
    by = f" by {who}" if who else ""
    return f"{_head(intent, links)}{by} · {at}{card_words.outcome(intent)}"


def _head(intent: Intent, links: Mapping[str, str]) -> str:
    thing = cut(card_words.what(intent), 60)
    named = link(links[intent.id], thing) if intent.id in links else thing
    return f"• {named} ({_subject(intent)}): *{card_words.standing(intent)}*"


def _subject(intent: Intent) -> str:
    subject = intent.subject
    if subject.kind is SubjectKind.PACKAGE:
        return words.short_label(subject.value)
    return f"{words.SUBJECTS[subject.kind]} {cut(subject.value, 40)}"


def _asker(intent: Intent) -> str:
    return user(intent.askers[0]) if intent.askers else "nobody"


def _message(lines: Sequence[str]) -> Message:
    shown = list(_fitting(lines))
    if len(shown) < len(lines):
        shown.append(card_words.more(len(lines) - len(shown)))
    text = "\n".join(shown)
    return Message(text=text, blocks=(section(text),))


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    room = BUDGET
    for line in lines[: MOST_LINES + 1]:
        room -= size(line) + 1
        if room < 0:
            return
        yield line
