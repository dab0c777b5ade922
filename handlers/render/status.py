"""How shops stand → one message. Pure. What is late or wrong is marked, so that a glance is enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.alerts import Alert, State
from bot.opening import spoken
from bot.status import Standing
from handlers.render.blocks import Block, Message, bold, context, cut, date, listed, section, size, user

LATE: Final = timedelta(minutes=30)
SOON: Final = 14
MOST_SHOPS: Final = 20
MOST_ALERTS: Final = 5
MOST_CHARACTERS: Final = 9000


def render_status(shops: Sequence[Standing], now: datetime) -> Message:
    """A paragraph for each shop; those with something to do stand first."""
    ordered = sorted(shops, key=lambda shop: (not _is_troubled(shop, now), shop.name))
    shown = _that_fit([_shop(shop, now) for shop in ordered[:MOST_SHOPS]])
    blocks: list[Block] = [section(markup) for markup in shown]
    if len(ordered) > len(shown):
        blocks.append(
            context(f"… {len(ordered) - len(shown)} more shops, all quiet or less urgent. Name one: status at LICENSE")
        )
    if not blocks:
        blocks = [section("No shop is configured.")]
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
    return f"Something to do at: {', '.join(troubled[:5])}" if troubled else "All is well."


def _is_troubled(shop: Standing, now: datetime) -> bool:
    return bool(shop.alerts or shop.approvals) or _key_is_due(shop) or bool(_late(shop, now))


def _key_is_due(shop: Standing) -> bool:
    return shop.days_left is not None and shop.days_left <= SOON


def _late(shop: Standing, now: datetime) -> list[str]:
    return [name for name, at in shop.synced.items() if at is None or now - at > LATE]


def _shop(shop: Standing, now: datetime) -> str:
    lines = [
        f"{'●' if _is_troubled(shop, now) else '✓'} {bold(shop.name, 60)} · {cut(shop.license, 40)}",
        f"Key: {_key(shop)}",
        f"Synced: {_synced(shop, now)}",
        f"Posting: {_posting(shop)}",
        f"Alerts: {_alerts(shop)}",
        f"Approvals: {_approvals(shop)}",
    ]
    return "\n".join(lines)


def _key(shop: Standing) -> str:
    if shop.days_left is None or shop.key_ends is None:
        return "expiry not known; put key_issued_on into the facilities file"
    if shop.days_left < 0:
        return f"*expired {-shop.days_left} days ago*, on {shop.key_ends.isoformat()}"
    told = f"{shop.days_left} days left, until {shop.key_ends.isoformat()}"
    return f"*{told}*" if _key_is_due(shop) else told


def _synced(shop: Standing, now: datetime) -> str:
    late = _late(shop, now)
    groups: dict[str, list[str]] = {}
    for name, at in shop.synced.items():
        said = "*never*" if at is None else date(at, ZoneInfo(shop.zone))
        groups.setdefault(f"*{said}*" if name in late and at is not None else said, []).append(name)
    return "; ".join(f"{', '.join(names)} {said}" for said, names in groups.items())


def _posting(shop: Standing) -> str:
    delays = shop.delays
    if delays is None:
        return "no sale of the last 30 days is mirrored"
    return f"half of {delays.count:,} sales in METRC after {_span(delays.p50)}, 95 of 100 after {_span(delays.p95)}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else spoken(timedelta(seconds=seconds))


def _alerts(shop: Standing) -> str:
    if not shop.alerts:
        return "none"
    return listed([_alert(alert) for alert in shop.alerts], MOST_ALERTS, between="; ")


def _alert(alert: Alert) -> str:
    said = cut(alert.members[0].says, 120)
    if alert.state is State.ACKNOWLEDGED and alert.by:
        return f"{said} ({user(alert.by)} has it)"
    if alert.state is State.SNOOZED and alert.by:
        return f"{said} (snoozed by {user(alert.by)})"
    return f"*{said}*"


def _approvals(shop: Standing) -> str:
    count = len(shop.approvals)
    if not count:
        return "none waiting"
    return f"*{count} removal{'s' if count > 1 else ''} not decided or not done*; see pending"
