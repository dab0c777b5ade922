"""How every shop stands now: keys, syncs, posting, alerts, approvals. Read from the database alone; METRC is not asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from bot.alerts import Alert
from bot.mirror import is_whole
from bot.model import Feed, PostingDelays
from bot.monitors import Watched, key_ends
from bot.ports import Books
from bot.removals import Intent
from bot.watch import SALES, TAIL, last_round, learned_of, told_by_people

DELAYS: Final = timedelta(days=30)

FEEDS: Final = {
    "sales": (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE),
    "packages": (Feed.PACKAGES_ACTIVE,),
    "transfers": (Feed.TRANSFERS_INCOMING,),
    "deliveries": (Feed.DELIVERIES_ACTIVE,),
    "adjustments": (Feed.ADJUSTMENTS,),
    "items": (Feed.ITEMS,),
}
"""What is shown, in the words of a shop; the oldest of several feeds counts."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One shop. ``synced``: until when each feed is held, None: never read. ``key_ends`` None: nobody told when it began.

    ``filling``: too little of its past sales is held yet to say whether they arrive. ``limit_is_plain``: under four weeks
    of history nothing was learned, so a plain limit holds. ``watched_at``: the last round of monitors that was made; None:
    none has looked at this shop, so that nothing is known to be wrong says nothing.
    """

    license: str
    name: str
    zone: str
    key: str
    key_ends: date | None
    days_left: int | None
    synced: Mapping[str, datetime | None]
    delays: PostingDelays | None
    alerts: tuple[Alert, ...]
    approvals: tuple[Intent, ...]
    filling: bool = False
    limit_is_plain: bool = False
    watched_at: datetime | None = None


async def standing(books: Books, watched: Watched, now: datetime) -> Standing:
    """How one shop stands. Raises ``StorageError``."""
    license_number = watched.shop.license
    watched = await told_by_people(books.memory, watched, now)
    ends = key_ends(watched)
    mirror = books.mirror(license_number)
    held = {feed: await mirror.coverage(feed) for feeds in FEEDS.values() for feed in feeds}
    synced = {name: [held[feed] for feed in feeds] for name, feeds in FEEDS.items()}
    learned = await learned_of(books.memory, license_number)
    return Standing(
        license=license_number,
        name=watched.shop.name,
        zone=watched.opening.zone,
        key=watched.key,
        key_ends=ends,
        days_left=None if ends is None else (ends - watched.opening.day_of(now)).days,
        synced={
            name: min(one.window.end for one in every if one) if all(every) else None for name, every in synced.items()
        },
        delays=await mirror.delays(now - DELAYS),
        alerts=tuple(
            a for a in await books.alerts.known(now) if a.is_live and a.is_told and license_number in a.licenses
        ),
        approvals=await books.intents.pending([license_number]),
        filling=not all(is_whole(held[feed], now - TAIL) for feed in SALES),
        limit_is_plain=learned is not None and learned.law is None and learned.rhythm is None,
        watched_at=None if learned is None else await last_round(books.memory),
    )
