"""One round of the watch: read what is needed, judge it, and write alerts and letters in one transaction.

Rounds are idempotent: the same world gives the same alerts however often it is looked at, and a round that dies leaves
either all of its changes or none. Sending is somebody else's work (``bot.outbox``). METRC is asked little: once a key
whether it lives, and the tail of four feeds a shop; a feed that the sync has read within two minutes is not read again.

A round always ends within its interval, however many shops there are. First every shop is touched: its key, its rights, its
newest records. Then, for a share of the interval, the shops whose sales of the last days are not held yet are filled, a
step each, those with the least first; until one is whole nobody says that it is silent, nor that it is not. Then every shop
is judged. What there was no time for is unknown in this round, which opens and closes nothing, and comes first in the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zlib import crc32

from bot.alerts import Alert, Change, Policy, Seen, State, decide, entries, next_due
from bot.backlogs import backlogs, is_of, usual_delays
from bot.errors import ConfigurationError, MetrcError, Problem, ProblemKind, StorageError
from bot.in_step import AFTER, PROOF, behind
from bot.mirror import FRESH, SyncReport, extend, is_whole, touch
from bot.model import Coverage, Facility, Feed, PosBooks, Reading
from bot.monitors import FAMILIES, NEVER_OFFERED, Facts, Learned, Watched, failed, posted, seen, unmapped
from bot.ports import AlertBook, Holdings, Memory, Mirror, PointOfSale, Statistics, TrackAndTrace
from bot.silence import (
    HISTORY,
    LEAST_HISTORY,
    BackTest,
    Law,
    Posted,
    Rhythm,
    Verdict,
    back_test,
    hourly,
    hours_of,
    learn,
    learn_delays,
)

log = logging.getLogger(__name__)

GAP: Final = timedelta(minutes=15)
# Long enough for a nightly run that failed on Friday to be told on Monday.
TAIL: Final = timedelta(hours=72)
# What waits is followed for longer, so that growing old is not taken for having arrived.
LONGEST_LOOK: Final = timedelta(days=14)
RECENT: Final = timedelta(hours=6)
TRIES: Final = 5
# keys of one host without an answer; one or two may be a hiccup
ENOUGH_FAILED: Final = 3
# over which shops learn anew each day, so that no round has to do it for all of them
LEARNING_HOURS: Final = 20
SALES: Final = (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE)
EVERYBODY: Final = "*"
"""The license under which is remembered what concerns no single shop."""

News = Callable[[str], Awaitable[Sequence[str] | None]]
"""Tells of one license what is there now: duplicates by their numbers, fixes that did not hold; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Station:
    """Where the facts of one shop come from. ``pos`` None: its POS cannot be read.

    ``metrc`` is made anew in every round, so that a renewed key is used at once; raises ``ConfigurationError`` when the
    key cannot be read.
    """

    watched: Watched
    metrc: Callable[[], TrackAndTrace]
    mirror: Mirror
    statistics: Statistics
    pos: PointOfSale | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Of a round, from its beginning: until when shops are touched, filled, and judged. What is late is unknown."""

    touch: timedelta = timedelta(seconds=150)
    fill: timedelta = timedelta(seconds=120)
    judge: timedelta = timedelta(seconds=260)


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a round needs. ``at_once``: how many shops are looked at together.

    ``holdings`` tells of all mirrors in one question; None: each mirror is asked.
    """

    stations: Sequence[Station]
    alerts: AlertBook
    memory: Memory
    duplicates: News | None = None
    unheld: News | None = None
    holdings: Holdings | None = None
    times: Times = Times()
    at_once: int = 32


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did. ``opened`` and ``closed`` in this round, ``open`` after it; of what people were told.

    ``read``: at how many shops METRC was read. ``due_at``: when the next round has something to say at the latest.
    ``filling``: shops of which too little is held yet to say whether their sales arrive. ``late``: those that there was
    no time for.
    """

    opened: tuple[Alert, ...]
    open: tuple[Alert, ...]
    closed: tuple[Alert, ...]
    read: int
    due_at: datetime | None = None
    filling: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


ONCE: Final = Policy(hold=timedelta(0), good_rounds=1)
"""A round by hand: nothing is held back, and one good look ends an alert."""


async def watch(desk: Desk, now: datetime, policy: Policy) -> Round:
    """One round. Raises ``StorageError`` when the database fails; what METRC and the POS do not answer is a fact."""
    past = await _recall(desk.memory, now)
    pass_ = _Pass(desk, past, now, asyncio.get_running_loop().time())
    shops = await pass_.shops()
    await pass_.each(pass_.touch, shops, desk.times.touch)
    await pass_.fill(shops)
    await pass_.each(pass_.judge, shops, desk.times.judge)
    looked = [shop.looked or pass_.unjudged(shop) for shop in shops]
    found = seen([one.facts for one in looked])
    known, changes = await _write(desk.alerts, found if policy.hold else _at_once(found), now, policy)
    await _remember(desk.memory, looked, past, now)
    done = _round(known, changes, policy, read=sum(_was_read(one.facts) for one in looked))
    return replace(
        done,
        filling=tuple(one.facts.license for one in looked if one.facts.filling),
        late=tuple(one.facts.license for one in looked if one.facts.late),
    )


def _was_read(facts: Facts) -> bool:
    return any(reading.was_read for reading in facts.feeds.values())


async def _write(
    book: AlertBook, found: Seen, now: datetime, policy: Policy
) -> tuple[tuple[Alert, ...], tuple[Change, ...]]:
    """Somebody may press a button meanwhile; then the ledger is read and compared again."""
    for _ in range(TRIES):
        known = await book.known(now)
        changes = decide(known, found, now, policy)
        if await book.write(changes, now, entries(changes, now)):
            return known, changes
    raise StorageError("The alerts were changed by others all the time, so this round was given up.")


def _at_once(found: Seen) -> Seen:
    return replace(found, conditions=tuple(replace(c, quiet_until=None) for c in found.conditions))


def _round(known: Iterable[Alert], changes: Iterable[Change], policy: Policy, *, read: int) -> Round:
    after = {alert.id: alert for alert in known}
    opened, closed = [], []
    for change in changes:
        if change.before is not None:
            after.pop(change.before.id)
        if change.after is None:
            continue
        after[change.after.id] = change.after
        was_told = change.before is not None and change.before.is_told and change.before.is_live
        if change.after.is_told and change.after.is_live and not was_told:
            opened.append(change.after)
        if was_told and not change.after.is_live:
            closed.append(change.after)
    live = tuple(sorted((a for a in after.values() if a.is_live), key=lambda alert: (alert.since, alert.id)))
    told = tuple(alert for alert in live if alert.state is not State.PENDING)
    return Round(tuple(opened), told, tuple(closed), read, next_due(live, policy))


def as_json(done: Round) -> dict[str, Any]:
    """The round as ``countlast watch --once --json`` prints it."""
    return {
        "schema": "countlast.watch/1",
        "opened": [_entry(alert) for alert in done.opened],
        "open": [_entry(alert) for alert in done.open],
        "closed": [_entry(alert) for alert in done.closed],
    }


def _entry(alert: Alert) -> dict[str, Any]:
    """``facility`` is null where shops share the alert; ``facilities`` names them all."""
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "facility": alert.licenses[0] if len(alert.licenses) == 1 else None,
        "facilities": list(alert.licenses),
        "since": _told(min(member.since for member in alert.members)),
        "headline": alert.headline,
    }


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --- looking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looked:
    facts: Facts
    past: _Past


@dataclass(slots=True)
class _Shop:
    """One shop on its way through a round. ``held`` and ``problems``: by feed. ``stuck``: METRC gave no more of it."""

    station: Station
    watched: Watched
    before: _Past
    held: dict[Feed, Coverage | None]
    facilities: Reading[tuple[Facility, ...]]
    problems: dict[Feed, Problem] = field(default_factory=dict)
    touched: bool = False
    stuck: bool = False
    looked: _Looked | None = None

    def filling(self, now: datetime) -> tuple[Coverage, ...]:
        """What is held of the sales where that is not yet all that is needed to judge them."""
        parts = (self.held[feed] for feed in SALES if feed not in self.problems)
        return tuple(part for part in parts if part is not None and not is_whole(part, now - TAIL))


class _Pass:
    """One round's look at all shops. ``began``: by the event loop's clock."""

    def __init__(self, desk: Desk, past: _Memories, now: datetime, began: float) -> None:
        self._desk, self._past, self._now, self._began = desk, past, now, began
        self._keys = _Keys(now)
        self._gate = asyncio.Semaphore(desk.at_once)

    async def shops(self) -> list[_Shop]:
        """All of them, whoever has waited longest in front."""
        held = None if self._desk.holdings is None else await self._desk.holdings.held(tuple(Feed))
        shops = []
        for station in self._desk.stations:
            license_number, mirror = station.watched.shop.license, station.mirror
            if held is None:
                own: dict[Feed, Coverage | None] = {feed: await mirror.coverage(feed) for feed in tuple(Feed)}
            else:
                own = {feed: held.get(license_number, {}).get(feed) for feed in tuple(Feed)}
            before = self._past.shops.get(license_number, _Past(since=self._now))
            shops.append(_Shop(station, self._past.told_by_people(station.watched), before, own, _not_asked()))
        return sorted(shops, key=lambda shop: shop.before.last_seen or _NEVER)

    async def each(self, work: Callable[[_Shop], Awaitable[None]], shops: Sequence[_Shop], until: timedelta) -> None:
        """Do this with every shop, some at a time; where the time is over it is left as it is."""
        ends = self._began + until.total_seconds()
        loop = asyncio.get_running_loop()

        async def one(shop: _Shop) -> None:
            async with self._gate:
                if loop.time() >= ends:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(ends):
                        await work(shop)

        try:
            async with asyncio.TaskGroup() as group:
                for shop in shops:
                    group.create_task(one(shop))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def touch(self, shop: _Shop) -> None:
        """Its key, its rights, its newest records. A key that is refused, or a host that is down, is asked no further."""
        shop.facilities = await self._keys.facilities(shop.station)
        if shop.facilities.problem is None:
            held = {feed: shop.held[feed] for feed in FAMILIES}
            old = {f: c for f, c in held.items() if c is None or self._now - c.window.end > FRESH}
            await self._touch(shop, old)
        shop.touched = True

    async def _touch(self, shop: _Shop, old: Mapping[Feed, Coverage | None]) -> None:
        if not old:
            return
        try:
            found = await touch(shop.station.metrc(), shop.station.mirror, old, self._now)
        except ConfigurationError as error:
            shop.problems |= dict.fromkeys(old, _no_key(error))
            return
        for feed, one in found.items():
            if isinstance(one, Problem):
                shop.problems[feed] = one
            else:
                shop.held[feed] = one

    async def fill(self, shops: Sequence[_Shop]) -> None:
        """Step by step, those first of which the least is held, until all are whole or the time for it is over."""
        loop, share = asyncio.get_running_loop(), self._desk.times.fill
        # where touching took long there is still some time for it, or it would never come to an end
        until = max(share, timedelta(seconds=loop.time() - self._began) + share / 4)
        while shops := [shop for shop in shops if not shop.stuck and shop.touched and shop.filling(self._now)]:
            if loop.time() - self._began >= until.total_seconds():
                return
            shops.sort(key=lambda shop: min(part.window.width for part in shop.filling(self._now)))
            await self.each(self._extend, shops, until)

    async def _extend(self, shop: _Shop) -> None:
        try:
            metrc = shop.station.metrc()
            for part in shop.filling(self._now):
                shop.held[part.feed] = await extend(metrc, shop.station.mirror, part, self._now - TAIL, self._now)
        except (MetrcError, ConfigurationError):
            # it was read a moment ago, so this is no news; the next round goes on
            shop.stuck = True

    async def judge(self, shop: _Shop) -> None:
        """What is known of it, its POS and its past beside it; nothing where it was not touched."""
        if not shop.touched:
            return
        facts = self._facts(shop)
        statistics, before = shop.station.statistics, self._past.learned.get(facts.license)
        facts = replace(facts, learned=await _learned(shop, before, self._now))
        facts = await _with_pos(facts, shop.station, _looks_back(shop, self._now))
        if facts.posts is None:
            facts = replace(facts, newest_record=await statistics.newest_record())
        facts = replace(facts, behind=await _behind(facts, statistics, shop.held[Feed.PACKAGES_ACTIVE]))
        facts = replace(facts, unheld=await _news(self._desk.unheld, facts.watched))
        after = self._after(shop, facts)
        shop.looked = _with_news(facts, after, await _news(self._desk.duplicates, facts.watched))

    def unjudged(self, shop: _Shop) -> _Looked:
        """What is known of one that there was no time for."""
        facts = replace(self._facts(shop), late=True, learned=self._past.learned.get(shop.watched.shop.license))
        return _Looked(facts, self._after(shop, facts))

    def _facts(self, shop: _Shop) -> Facts:
        feeds = {feed: _reading(shop, feed) for feed in FAMILIES}
        return Facts(
            watched=shop.watched,
            at=self._now,
            facilities=shop.facilities,
            feeds=feeds,
            watching_since=max(self._past.since, shop.before.since or self._past.since),
            last_seen=self._last_seen(shop, feeds),
            blind=0 if any(reading.was_read for reading in feeds.values()) else shop.before.blind + 1,
            read_at={feed: coverage.read_at for feed, coverage in shop.held.items() if coverage is not None},
            refused=self._past.refused.get(shop.watched.shop.license, {}),
            sync_begun=self._past.begun.get(shop.watched.shop.license),
            families=shop.before.families,
            filling=shop.touched and bool(shop.filling(self._now)),
        )

    def _last_seen(self, shop: _Shop, feeds: Mapping[Feed, Reading[datetime]]) -> datetime | None:
        """What was only glanced at was seen as well."""
        read = [reading.value for reading in feeds.values() if reading.value is not None]
        glanced = [self._now] if read and shop.filling(self._now) else []
        return max((at for at in (*read, *glanced, shop.before.last_seen) if at is not None), default=None)

    @staticmethod
    def _after(shop: _Shop, facts: Facts) -> _Past:
        waits = shop.before.waits_since if facts.posts is None else _waits_since(facts)
        return replace(
            shop.before,
            last_seen=facts.last_seen,
            blind=facts.blind,
            waits_since=waits,
            families=_families(shop.before, facts.feeds),
        )


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_ASKED_FIRST: Final = "GET /facilities/v2/"


def _not_asked() -> Reading[tuple[Facility, ...]]:
    return Reading("metrc", _ASKED_FIRST, problem=_LATE)


_LATE: Final = Problem(ProblemKind.DEADLINE, "The round ended before this shop's turn.")


class _Keys:
    """Asks once a key and host what the key sees, whatever the number of its shops.

    A host that has answered nobody and failed several is not asked for the others: each would wait for nothing, and there
    would be no time left to tell.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._asked: dict[tuple[str, str], asyncio.Task[Reading[tuple[Facility, ...]]]] = {}
        self._answered: set[str] = set()
        self._failed: dict[str, list[Problem]] = defaultdict(list)

    async def facilities(self, station: Station) -> Reading[tuple[Facility, ...]]:
        """What this shop's key sees, or why that is not known."""
        host = station.watched.host
        address = (host, station.watched.key)
        if address not in self._asked and host not in self._answered and len(self._failed[host]) >= ENOUGH_FAILED:
            return Reading("metrc", _ASKED_FIRST, problem=self._failed[host][0])
        if address not in self._asked:
            self._asked[address] = asyncio.create_task(self._ask(station))
        # one shop that gives up waiting must not take the answer from the others
        return await asyncio.shield(self._asked[address])

    async def _ask(self, station: Station) -> Reading[tuple[Facility, ...]]:
        host = station.watched.host
        try:
            seen = await station.metrc().facilities()
        except MetrcError as error:
            if error.problem.kind.is_outage:
                self._failed[host].append(error.problem)
            else:
                self._answered.add(host)
            return Reading("metrc", _ASKED_FIRST, problem=error.problem)
        except ConfigurationError as error:
            return Reading("metrc", _ASKED_FIRST, problem=_no_key(error))
        self._answered.add(host)
        return Reading("metrc", _ASKED_FIRST, self._now, seen)


def _reading(shop: _Shop, feed: Feed) -> Reading[datetime]:
    """Until when the feed is held, or why it could not be read now."""
    asked = f"GET /{feed.value}"
    problem, held = shop.facilities.problem or shop.problems.get(feed), shop.held[feed]
    if problem is None and (held is None or not shop.touched):
        problem = _LATE
    if problem is not None or held is None:
        return Reading("metrc", asked, problem=problem)
    return Reading("metrc", asked, held.window.end, held.window.end)


def _no_key(error: ConfigurationError) -> Problem:
    """A key that cannot be read is as good as a dead one: only that no status came from METRC."""
    return Problem(ProblemKind.UNAUTHORIZED, " ".join(error.problems))


def _families(before: _Past, feeds: Mapping[Feed, Reading[datetime]]) -> frozenset[str]:
    return before.families | {FAMILIES[feed] for feed, reading in feeds.items() if reading.was_read}


async def _with_pos(facts: Facts, station: Station, since: datetime) -> Facts:
    """``since``: from when on sales are laid beside METRC's."""
    if station.pos is None:
        return facts
    books = await station.pos.read(facts.at)
    lines = books.sales.value
    facts = replace(facts, exported=_exported(books))
    if books.inventory.value is not None:
        products = unmapped(books.inventory.value)
        facts = replace(facts, unmapped=None if products is None else tuple(sorted(products)))
    if lines is None or facts.sales_read_at is None:
        return facts
    # a receipt may bear a slightly earlier sale time than the sale
    receipts, deliveries = await station.statistics.sold(since - timedelta(hours=1))
    shop = facts.watched.shop
    posts, refused = posted((line for line in lines if line.sold_at >= since), receipts, deliveries, shop.time_zone)
    lost = failed(posts, refused, shop, facts.law, facts.sales_read_at)
    newest = max((receipt.recorded_at for receipt in receipts if receipt.recorded_at), default=None)
    return replace(facts, posts=posts, failed=lost, newest_record=newest, recent=_recent(posts, facts.at))


def _looks_back(shop: _Shop, now: datetime) -> datetime:
    """From when on sales are laid beside METRC's: some days, or from the oldest on that was still waiting before."""
    start = now - TAIL
    waits, held = shop.before.waits_since, [shop.held[feed] for feed in SALES]
    if waits is None or not all(is_whole(part, waits) for part in held):
        return start
    return max(min(start, waits), now - LONGEST_LOOK)


def _waits_since(facts: Facts) -> datetime | None:
    """When the oldest sale was rung up that is not in METRC and still should be."""
    lost = frozenset(facts.failed)
    open_ = (p.sold_at for p in facts.posts or () if p.recorded_at is None and (p.sale_id in lost or not p.parked))
    return min(open_, default=None)


def _recent(posts: Iterable[Posted], now: datetime) -> tuple[timedelta, ...]:
    """What was recorded lately, and did not wait out an outage."""
    times = [(post.sold_at, post.recorded_at) for post in posts if post.recorded_at]
    flushed = backlogs(times)
    return tuple(
        recorded - sold
        for sold, recorded in times
        if recorded > now - RECENT and not any(is_of(backlog, sold, recorded) for backlog in flushed)
    )


async def _behind(facts: Facts, statistics: Statistics, packages: Coverage | None) -> Verdict | None:
    """Whether METRC's list of packages is behind its sales. Its past is read only where it may be.

    Where the bot itself has not read all of the list since the newest change, nothing can be said.
    """
    as_of, record = facts.sales_read_at, facts.newest_record
    if as_of is None or record is None:
        return None
    newest = await statistics.newest_change()
    if newest is None or not is_whole(packages, newest):
        return None
    since = min(newest, record) - PROOF
    may_be = record - newest > AFTER
    recorded = await statistics.recorded(since) if may_be else ()
    return behind([at for _, at in recorded], await statistics.changed(since) if may_be else [newest], as_of)


def _exported(books: PosBooks) -> Reading[datetime] | None:
    stock = books.inventory
    if stock.problem is not None and stock.problem.kind is ProblemKind.NOT_OFFERED:
        return None
    problem: Problem | None = stock.problem if stock.value is None else None
    return Reading(stock.source, stock.asked, stock.as_of, stock.as_of, problem)


async def _news(supplier: News | None, watched: Watched) -> tuple[str, ...] | None:
    found = None if supplier is None else await supplier(watched.shop.license)
    return None if found is None else tuple(found)


def _with_news(facts: Facts, past: _Past, duplicates: tuple[str, ...] | None) -> _Looked:
    """What was there when we first looked is no news; what has gone since may be news again."""
    drift, past_drift = _fresh(facts.unmapped, past.unmapped)
    twins, past_twins = _fresh(duplicates, past.duplicates)
    known = replace(past, unmapped=past_drift, duplicates=past_twins)
    return _Looked(replace(facts, unmapped=drift, duplicates=twins), known)


def _fresh(
    now: tuple[str, ...] | None, known: frozenset[str] | None
) -> tuple[tuple[str, ...] | None, frozenset[str] | None]:
    if now is None:
        return None, known
    if known is None:
        return (), frozenset(now)
    return tuple(one for one in now if one not in known), known & frozenset(now)


# --- learning ---------------------------------------------------------------------------------------------------------


async def _learned(shop: _Shop, before: Learned | None, now: datetime) -> Learned:
    """Once a day, or as soon as there is enough history; only from what the mirror holds without a hole."""
    held = shop.held[Feed.RECEIPTS_ACTIVE]
    enough = held is not None and now - held.window.start >= LEAST_HISTORY
    if before is not None and not _must_learn(shop.watched, before, now, enough=enough):
        return before
    today = shop.watched.opening.day_of(now)
    if held is None or not enough:
        # a hole, as after a sleep, unteaches nothing
        is_known = before is not None and today - before.on <= HISTORY
        return before if before is not None and is_known else Learned(today)
    recorded = await shop.station.statistics.recorded(max(now - HISTORY, held.window.start))
    learned = await asyncio.to_thread(learned_from, recorded, shop.watched, now)
    if learned.rhythm is not None and (before is None or before.rhythm is None):
        await _announce(shop.watched, [at for _, at in recorded], now)
    return learned


async def _announce(watched: Watched, recorded: Sequence[datetime], now: datetime) -> None:
    """Before a shop's own rhythm replaces the plain limit: what it would have told."""
    tested = await asyncio.to_thread(back_test, recorded, watched.opening, watched.false_alarms_per_year, now)
    log.info("%s is watched by its own rhythm from now on. %s", watched.shop.license, tested.says)


def _must_learn(watched: Watched, before: Learned, now: datetime, *, enough: bool) -> bool:
    """Each shop has its own time of the day for it, for learning costs more than all the rest of a round."""
    if before.law is None and before.rhythm is None and enough:
        return True
    days = (watched.opening.day_of(now) - before.on).days
    own_time = timedelta(seconds=crc32(watched.shop.license.encode()) % (LEARNING_HOURS * 3600))
    begins = watched.opening.midnight_after(now) - timedelta(days=1)
    return days > 1 or (days == 1 and now - begins >= own_time)


def learned_from(recorded: Sequence[tuple[datetime | None, datetime]], watched: Watched, now: datetime) -> Learned:
    """What these records (sold at, recorded at; by the time of recording) teach about the shop."""
    today = watched.opening.day_of(now)
    if not recorded:
        return Learned(today)
    history = now - recorded[0][1]
    if history < LEAST_HISTORY:
        return Learned(today)
    times = [(sold, at) for sold, at in recorded if sold is not None]
    # an outage's delays are its own
    law = learn_delays(usual_delays(times, backlogs(times)), history)
    hours = hours_of(watched.opening, now - HISTORY, now)
    return Learned(today, law, learn(hourly(at for _, at in recorded), hours))


async def try_out(station: Station, now: datetime) -> BackTest:
    """What the cadence detector would have told over the last 8 weeks, from what the mirror holds without a hole."""
    held = await station.mirror.coverage(Feed.RECEIPTS_ACTIVE)
    since = max(now - HISTORY, held.window.start) if held else now
    recorded = [at for _, at in await station.statistics.recorded(since)]
    watched = station.watched
    return await asyncio.to_thread(back_test, recorded, watched.opening, watched.false_alarms_per_year, now)


# --- what is remembered -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Past:
    """Of one shop. ``unmapped`` and ``duplicates``: what was there before and is no news; None: never looked.

    ``since``: when it was watched first; None: always. ``blind``: rounds in a row that read nothing of METRC.
    ``waits_since``: when the oldest sale was rung up that METRC does not have and should.
    """

    last_seen: datetime | None = None
    since: datetime | None = None
    blind: int = 0
    waits_since: datetime | None = None
    families: frozenset[str] = frozenset()
    unmapped: frozenset[str] | None = None
    duplicates: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class _Memories:
    """Of all shops. ``since``: since when rounds have followed one another without a gap."""

    since: datetime
    shops: Mapping[str, _Past]
    learned: Mapping[str, Learned]
    closed_days: Mapping[str, tuple[date, ...]]
    issued: Mapping[str, date]
    refused: Mapping[str, Mapping[Feed, str]]
    begun: Mapping[str, datetime]

    def told_by_people(self, watched: Watched) -> Watched:
        """The shop with its days that are closed for once, and with the day on which its key was renewed."""
        license_number = watched.shop.license
        opening = watched.opening.also_closed(self.closed_days.get(license_number, ()))
        dates = [day for day in (watched.key_issued_on, self.issued.get(license_number)) if day is not None]
        return replace(watched, opening=opening, key_issued_on=max(dates, default=None))


async def close_day(memory: Memory, license_number: str, day: date, now: datetime) -> None:
    """The shop stays closed on that local date, be it today: silence is no sign then. Kept for 8 weeks to learn from."""
    days = _days((await memory.recall("closed_days")).get(license_number, "[]"))
    kept = {one for one in (*days, day) if one >= (now - HISTORY).date() - timedelta(days=1)}
    await memory.remember("closed_days", {license_number: json.dumps(sorted(map(str, kept)))}, now)


async def key_renewed(memory: Memory, license_number: str, on: date, now: datetime) -> None:
    """Somebody has renewed the METRC user key on that date; an earlier date in the configuration no longer counts."""
    await memory.remember("key_issued_on", {license_number: json.dumps(str(on))}, now)


async def syncing(memory: Memory, license_number: str, now: datetime) -> None:
    """A sync begins: from here on its lists are expected to be read."""
    await memory.remember("sync_begun", {license_number: json.dumps(str(now))}, now)


async def synced(memory: Memory, license_number: str, report: SyncReport, now: datetime) -> None:
    """A sync has ended: what METRC said of each list that could not be read is kept until the next one."""
    said = {
        feed: problems[0].says for feed, problems in report.problems.items() if problems[0].kind not in NEVER_OFFERED
    }
    await memory.remember("refused", {license_number: json.dumps(said)}, now)


async def told_by_people(memory: Memory, watched: Watched, now: datetime) -> Watched:
    """The shop with its days that are closed for once, and with the day on which its key was renewed."""
    return (await _recall(memory, now)).told_by_people(watched)


async def learned_of(memory: Memory, license_number: str) -> Learned | None:
    """What the last round learned, or knew, of a shop; None: no round has seen it."""
    text = (await memory.recall("learned")).get(license_number)
    return None if text is None else _learning(text)


async def last_round(memory: Memory) -> datetime | None:
    """When the last whole round was made; None: never."""
    kept = json.loads((await memory.recall("round")).get(EVERYBODY, "null"))
    return None if kept is None else _time(kept["at"])


async def _recall(memory: Memory, now: datetime) -> _Memories:
    rounds = json.loads((await memory.recall("round")).get(EVERYBODY, "null"))
    unbroken = rounds is not None and now - _time(rounds["at"]) <= GAP
    return _Memories(
        since=_time(rounds["since"]) if unbroken else now,
        shops={lic: _past(text) for lic, text in (await memory.recall("shop")).items()},
        learned={lic: _learning(text) for lic, text in (await memory.recall("learned")).items()},
        closed_days={lic: _days(text) for lic, text in (await memory.recall("closed_days")).items()},
        issued={
            lic: date.fromisoformat(json.loads(text)) for lic, text in (await memory.recall("key_issued_on")).items()
        },
        refused={lic: _refusals(text) for lic, text in (await memory.recall("refused")).items()},
        begun={lic: _time(json.loads(text)) for lic, text in (await memory.recall("sync_begun")).items()},
    )


async def _remember(memory: Memory, looked: Sequence[_Looked], past: _Memories, now: datetime) -> None:
    shops = {one.facts.license: _past_text(one.past) for one in looked}
    fresh = [one.facts for one in looked if one.facts.learned != past.learned.get(one.facts.license)]
    learned = {facts.license: _learning_text(facts.learned) for facts in fresh if facts.learned}
    await memory.remember("shop", shops, now)
    await memory.remember("learned", learned, now)
    # last, for it says that the round is whole
    await memory.remember("round", {EVERYBODY: json.dumps({"at": str(now), "since": str(past.since)})}, now)


def _past_text(past: _Past) -> str:
    return json.dumps(
        {
            "last_seen": past.last_seen and str(past.last_seen),
            "since": past.since and str(past.since),
            "blind": past.blind,
            "waits_since": past.waits_since and str(past.waits_since),
            "families": sorted(past.families),
            "unmapped": None if past.unmapped is None else sorted(past.unmapped),
            "duplicates": None if past.duplicates is None else sorted(past.duplicates),
        }
    )


def _past(text: str) -> _Past:
    kept = json.loads(text)
    return _Past(
        last_seen=kept["last_seen"] and _time(kept["last_seen"]),
        since=_time_or_none(kept.get("since")),
        blind=kept.get("blind", 0),
        waits_since=_time_or_none(kept.get("waits_since")),
        families=frozenset(kept["families"]),
        unmapped=None if kept["unmapped"] is None else frozenset(kept["unmapped"]),
        duplicates=None if kept["duplicates"] is None else frozenset(kept["duplicates"]),
    )


def _learning_text(learned: Learned) -> str:
    law = learned.law and asdict(learned.law)
    rhythm = learned.rhythm and asdict(learned.rhythm)
    return json.dumps({"on": str(learned.on), "law": law, "rhythm": rhythm})


def _learning(text: str) -> Learned:
    kept = json.loads(text)
    law, rhythm = kept["law"], kept["rhythm"]
    return Learned(
        date.fromisoformat(kept["on"]),
        law and Law(law["count"], law["weeks"], tuple(law["knots"])),
        rhythm and Rhythm(tuple(rhythm["rates"]), rhythm["dispersion"], rhythm["weekly"], rhythm["weeks"]),
    )


def _refusals(text: str) -> dict[Feed, str]:
    """Of METRC's lists only: a sync reads more than these."""
    return {Feed(name): says for name, says in json.loads(text).items() if name in _FEEDS}


_FEEDS: Final = frozenset(feed.value for feed in Feed)


def _days(text: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in json.loads(text))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str | None) -> datetime | None:
    return _time(text) if text else None
