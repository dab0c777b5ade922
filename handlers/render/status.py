"""How shops stand → one message. Pure. What is late or wrong is marked, so that a glance is enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.alerts import Alert, State
from bot.status import Standing
from handlers.render import words
from handlers.render.blocks import Block, Message, bold, context, cut, cut_between_words, section, size
from handlers.render.words import date, listed

LATE: Final = timedelta(minutes=30)
UNWATCHED: Final = timedelta(minutes=15)
"""Three rounds of monitors: longer ago says nothing of now."""
SOON: Final = 14
MOST_SHOPS: Final = 20
MOST_ALERTS: Final = 5
MOST_SAID: Final = 120
MOST_CHARACTERS: Final = 9000


def render_status(shops: Sequence[Standing], now: datetime) -> Message:
    """A paragraph for each shop; those with something to do stand first, then those that nobody knows about."""
    ordered = sorted(shops, key=lambda shop: (not _is_troubled(shop, now), _is_known(shop, now), shop.name))
    shown = _that_fit([_shop(shop, now) for shop in ordered[:MOST_SHOPS]])
    blocks: list[Block] = [section(markup) for markup in shown]
    if len(ordered) > len(shown):
        blocks.append(context(words.status_more(len(ordered) - len(shown))))
    if not blocks:
        blocks = [section(words.STATUS_NO_SHOP)]
    return Message(text=cut(_summary(ordered, now), 300), blocks=tuple(blocks))


def _that_fit(paragraphs: Sequence[str]) -> list[str]:
    """As many as one message can hold, the first one always."""
    kept: list[str] = []
    room = MOST_CHARACTERS
    for paragraph in paragraphs:
        room -= size(paragraph)
        if kept and room < 0:
            break
        kept.append(paragraph)
    return kept


def _summary(shops: Sequence[Standing], now: datetime) -> str:
    troubled = [shop.name for shop in shops if _is_troubled(shop, now)]
    unknown = [shop.name for shop in shops if not _is_known(shop, now)]
    return words.status_short(troubled[:5], unknown[:5])


def _is_troubled(shop: Standing, now: datetime) -> bool:
    return bool(shop.alerts or shop.approvals) or _key_is_due(shop) or bool(_late(shop, now))


def _is_known(shop: Standing, now: datetime) -> bool:
    """Whether anybody looked at it lately, and could see enough: what was not looked at is not well."""
    return shop.watched_at is not None and now - shop.watched_at <= UNWATCHED and not shop.filling


def _mark(shop: Standing, now: datetime) -> str:
    if _is_troubled(shop, now):
        return "●"
    return "✓" if _is_known(shop, now) else "?"


def _key_is_due(shop: Standing) -> bool:
    return shop.days_left is not None and shop.days_left <= SOON


def _late(shop: Standing, now: datetime) -> list[str]:
    return [name for name, at in shop.synced.items() if at is None or now - at > LATE]


def _shop(shop: Standing, now: datetime) -> str:
    lines = [
        f"{_mark(shop, now)} {bold(shop.name, 60)} · {cut(shop.license, 40)}",
        words.status_line(words.STATUS_KEY, _key(shop)),
        words.status_line(words.STATUS_SYNCED, _synced(shop, now)),
        words.status_line(words.STATUS_POSTING, _posting(shop)),
        words.status_line(words.STATUS_WATCH, _watch(shop, now)),
        words.status_line(words.STATUS_ALERTS, _alerts(shop, now)),
        words.status_line(words.STATUS_APPROVALS, words.status_approvals(len(shop.approvals))),
    ]
    return "\n".join(lines)


def _key(shop: Standing) -> str:
    if shop.days_left is None or shop.key_ends is None:
        return words.STATUS_NO_EXPIRY
    if shop.days_left < 0:
        return words.status_expired(-shop.days_left, shop.key_ends)
    told = words.status_days_left(shop.days_left, shop.key_ends)
    return f"*{told}*" if _key_is_due(shop) else told


def _synced(shop: Standing, now: datetime) -> str:
    late = _late(shop, now)
    groups: dict[str, list[str]] = {}
    for name, at in shop.synced.items():
        said = words.STATUS_NEVER if at is None else date(at, ZoneInfo(shop.zone))
        groups.setdefault(f"*{said}*" if name in late and at is not None else said, []).append(name)
    return "; ".join(f"{', '.join(names)} {said}" for said, names in groups.items())


def _posting(shop: Standing) -> str:
    delays = shop.delays
    if delays is None:
        return words.STATUS_NO_SALE
    return words.status_delays(delays.count, delays.p50, delays.p95)


def _watch(shop: Standing, now: datetime) -> str:
    """What can be said about silence now."""
    if shop.watched_at is None:
        return words.STATUS_UNWATCHED
    if now - shop.watched_at > UNWATCHED:
        return words.status_unwatched_since(date(shop.watched_at, ZoneInfo(shop.zone)))
    if shop.filling:
        return words.STATUS_FILLING
    if shop.limit_is_plain:
        return words.STATUS_PLAIN
    return words.STATUS_RHYTHM


def _alerts(shop: Standing, now: datetime) -> str:
    if not shop.alerts:
        return words.STATUS_NONE if _is_known(shop, now) else words.STATUS_NONE_KNOWN
    return listed([_alert(alert) for alert in shop.alerts], MOST_ALERTS, between="; ")


def _alert(alert: Alert) -> str:
    said = cut_between_words(alert.members[0].says, MOST_SAID)
    if alert.state is State.ACKNOWLEDGED and alert.by:
        return words.status_has_it(said, alert.by)
    if alert.state is State.SNOOZED and alert.by:
        return words.status_snoozed(said, alert.by)
    return f"*{said}*"
