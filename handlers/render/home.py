"""The Home tab, by what somebody does: asks on the floor, is on call, approves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.inquiries import Inquiry
from bot.model import SubjectKind
from bot.removals import Intent
from handlers.render import words
from handlers.render.blocks import Block, Message, actions, button, code, context, cut, cut_plain, link, section, size
from handlers.render.diagnosis import EVIDENCE_ACTION
from handlers.render.words import date

ASK_ACTION: Final = "home_ask"
REFRESH_ACTION: Final = "home_refresh"

MOST_RECENT: Final = 8
MOST_PENDING: Final = 10
MOST_RECORDS: Final = 3
BUDGET: Final = 9000
MOST_BLOCKS: Final = 90


@dataclass(frozen=True, slots=True)
class Home:
    """What one person sees. ``links``: addresses by the id of a question or a removal.

    ``standing``: how the shops stand, for who is on call; ``pending``: for who approves; None: they are not.
    """

    recent: Sequence[Inquiry]
    links: Mapping[str, str]
    shops: Mapping[str, str]
    standing: Message | None = None
    pending: Sequence[Intent] | None = None


def render_home(home: Home, zone_of: Callable[[str], ZoneInfo]) -> dict[str, Any]:
    """The whole tab; what is most urgent for this person comes first."""
    blocks: list[Block] = [section(words.HOME_HEAD), _ask()]
    if home.pending is not None:
        blocks += [_header(words.HOME_PENDING), *_pending(home, zone_of)]
    if home.standing is not None:
        blocks += [_header(words.HOME_STANDING), *home.standing.blocks]
    blocks += [_header(words.HOME_RECENT), section(_recent(home, zone_of))]
    return {"type": "home", "blocks": list(_within(blocks))}


def render_closed(markup: str) -> dict[str, Any]:
    """For somebody who may not ask: why not."""
    return {"type": "home", "blocks": [section(markup)]}


def _ask() -> Block:
    return actions(
        "home",
        [
            button(words.ASK_BUTTON, action_id=ASK_ACTION, value="ask", style="primary"),
            button(words.REFRESH_BUTTON, action_id=REFRESH_ACTION, value="refresh"),
        ],
    )


def _recent(home: Home, zone_of: Callable[[str], ZoneInfo]) -> str:
    lines = [_case(one, home, zone_of) for one in home.recent[:MOST_RECENT]]
    return "\n".join(lines) or words.HOME_NO_RECENT


def _case(one: Inquiry, home: Home, zone_of: Callable[[str], ZoneInfo]) -> str:
    name = code(one.value, 30) if one.kind is not SubjectKind.PACKAGE else code(words.short_label(one.value), 30)
    what = f"{words.SUBJECTS[one.kind]} {name}"
    cause = words.CAUSES[one.cause] if one.cause else words.ANSWERED
    when = f" · {date(one.ended_at, zone_of(one.facility))}" if one.ended_at else ""
    address = home.links.get(one.id, "")
    where = f" · {link(address, words.THREAD)}" if address else ""
    return f"• *{cause}* · {what} · {cut(home.shops.get(one.facility, one.facility), 60)}{when}{where}"


def _pending(home: Home, zone_of: Callable[[str], ZoneInfo]) -> list[Block]:
    intents = home.pending or ()
    blocks: list[Block] = []
    for number, intent in enumerate(intents[:MOST_PENDING]):
        address = home.links.get(intent.id, "")
        where = f"\n{link(address, words.HOME_DECIDE)}" if address else ""
        until = f" · {words.until(intent.expires_at, zone_of(intent.facility))}"
        shop = cut(home.shops.get(intent.facility, intent.facility), 60)
        what = words.to_remove(words.records_of(intent, MOST_RECORDS))
        blocks.append(section(f"*{shop}* · {what}{until}\n{cut(intent.why, 400)}{where}"))
        evidence = button(words.EVIDENCE_BUTTON, action_id=EVIDENCE_ACTION, value=intent.diagnosis_id)
        blocks.append(actions(f"pending-{number}", [evidence]))
    if len(intents) > MOST_PENDING:
        blocks.append(context(words.more(len(intents) - MOST_PENDING)))
    return blocks or [section(words.HOME_NO_PENDING)]


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": cut_plain(text, 150)}}


def _within(blocks: Sequence[Block]) -> list[Block]:
    """As many as the tab holds; what does not fit is said."""
    kept: list[Block] = []
    room = BUDGET
    for block in blocks:
        room -= _weight(block)
        if room < 0 or len(kept) >= MOST_BLOCKS:
            return [*kept, context(words.HOME_MORE)]
        kept.append(block)
    return kept


def _weight(value: Any) -> int:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return size(value)
    if isinstance(value, dict):
        return sum(_weight(each) for each in value.values())
    return sum(_weight(each) for each in value) if isinstance(value, list) else 0
