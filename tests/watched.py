"""Shops that are watched: a METRC, their POS and a Slack in memory, a database, and rounds on a clock that is turned."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from bot.alerts import Policy, What
from bot.app import SystemClock
from bot.clock import Rota, do
from bot.duties import sending, watching
from bot.errors import ConfigurationError, MetrcRateLimited, MetrcServerFault, MetrcUnauthorized
from bot.model import Facility, MetrcItem, MetrcPackage, MetrcReceipt, PosBooks, PosSaleLine, Posting, Reading, Shop
from bot.monitors import Watched
from bot.opening import opening
from bot.outbox import send_letters
from bot.watch import Desk, Station, watch
from storage.alerts import SqlAlertBook, SqlMemory, SqlOutbox, SqlSlots
from storage.watching import SqlStatistics

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)  # a Tuesday, 11:00 in Denver
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ROUND = timedelta(minutes=5)
HOLD = timedelta(seconds=60)
TICK = timedelta(seconds=2)
DENVER = opening("America/Denver", "Mo-Su 09:00-21:00")
is_open = functools.cache(DENVER.is_open)


class World:
    """One METRC host and its shops. A sale every ten minutes while the doors are open; METRC has it after two."""

    def __init__(self):
        self.host_down = False
        self.dead_keys = set()
        self.missing_keys = set()
        self.busy = False
        self.allowance = None
        self.silences = {}
        self.broken = set()
        self.stuck_since = None
        self.asked = []

    def sales(self, shop, since, until):
        first = int(since.timestamp() // 600) + 1
        moments = (datetime.fromtimestamp(n * 600, UTC) for n in range(first, int(until.timestamp() // 600) + 1))
        return [at for at in moments if is_open(at)]

    def falls_silent(self, shop, at):
        """From then on nothing is recorded."""
        self.silences[shop] = (at, None)

    def recovers(self, shop, at):
        """All that has gathered is recorded then."""
        self.silences[shop] = (self.silences[shop][0], at)

    def recorded(self, shop, sold):
        """When METRC has a sale; None: not yet."""
        at = sold + 2 * MINUTE
        begins, ends = self.silences.get(shop, (None, None))
        silent = begins is not None and begins <= at and (ends is None or at < ends)
        return ends if silent else at

    def answer(self, what, key):
        self.asked.append(what)
        if self.host_down:
            raise MetrcServerFault("METRC answered 503.", status=503)
        if key in self.dead_keys:
            raise MetrcUnauthorized("METRC answered 401.", status=401)
        if what in self.broken:
            raise MetrcServerFault(f"METRC answered 500 for {what}.", status=500)
        if what == "receipts" and self.allowance is not None:
            self.allowance -= 1
        if (self.busy and what != "facilities") or (self.allowance is not None and self.allowance < 0):
            raise MetrcRateLimited("METRC asks to wait.", status=429)


class Metrc:
    """METRC as one shop's key sees it."""

    requests = 0
    widest = timedelta(days=7)

    def __init__(self, world, shop, key):
        self.world, self.license, self.key = world, shop, key

    async def facilities(self):
        self.world.answer("facilities", self.key)
        return tuple(Facility(f"L{n}", f"Shop {n}") for n in range(400))

    async def receipts(self, *, active, window):
        self.world.answer("receipts", self.key)
        sold = self.world.sales(self.license, window.start - DAY, window.end) if active else []
        rows = ((at, self.world.recorded(self.license, at)) for at in sold)
        return tuple(self._receipt(at, told) for at, told in rows if told and window.start <= told <= window.end)

    def _receipt(self, at, told):
        number = int(at.timestamp() // 600)
        return MetrcReceipt(number, None, f"S{number}", at, told, told)

    async def packages(self, listing, window):
        """Every sale changes one of forty packages, a moment after it is recorded; a list that is stuck shows no more."""
        self.world.answer("packages", self.key)
        sold = self.world.sales(self.license, window.start - DAY, window.end)
        recorded = (self.world.recorded(self.license, at) for at in sold)
        changes = [at + timedelta(seconds=4) for at in recorded if at]
        stuck = self.world.stuck_since or window.end
        return tuple(self._package(at) for at in changes if window.start <= at <= min(window.end, stuck))

    def _package(self, changed):
        number = int(changed.timestamp() // 600) % 40
        item = MetrcItem(1, "Sunbreak")
        return MetrcPackage(number, f"1A4FF01000000220000{number:05d}", Decimal(9), "Each", item, last_modified=changed)

    async def transfers(self, direction, window):
        self.world.answer("transfers", self.key)
        return ()


class Pos:
    """A POS that knows its sales of the last two days, or of ``memory``."""

    memory = 2 * DAY

    def __init__(self, world, shop):
        self.world, self.shop = world, shop

    async def read(self, now):
        sold = self.world.sales(self.shop, now - self.memory, now)
        lines = tuple(
            PosSaleLine(f"S{int(at.timestamp() // 600)}", "1", "1A4FF0100000022000001002", Decimal(1), at)
            for at in sold
        )
        return PosBooks(
            Reading("pos", "inventory", now, ()), Reading("pos", "sales", now, lines), Reading("pos", "events", now, ())
        )


class Slack:
    """Every message that was posted."""

    def __init__(self):
        self.posted = []

    async def send(self, letter, thread):
        if letter.what is not What.CHART:
            self.posted.append(letter)
        return f"ts{len(self.posted)}"

    async def find(self, letter, thread, since):
        return None

    async def rewrite(self, letter, message):
        """Shows what is true now."""


class House:
    """A database, a world, and rounds that look at it."""

    def __init__(self, books, *, shops=1, one_key=False, with_pos=True):
        self.world, self.slack, self.books = World(), Slack(), books
        self.alerts, self.memory = SqlAlertBook(books.database), SqlMemory(books.database)
        self.outbox = SqlOutbox(books.database)
        self.with_pos = with_pos
        self.desk = Desk(
            [self.station(n, "env:ONE" if one_key else f"env:KEY{n}") for n in range(shops)], self.alerts, self.memory
        )

    def station(self, n, key):
        shop = f"L{n}"
        watched = Watched(
            shop=Shop(shop, f"Shop {n}", "America/Denver", Posting.BATCH),
            host="api-co.metrc.com",
            key=key,
            opening=DENVER,
            channel="C0FLOOR",
        )
        return Station(
            watched,
            lambda: self.metrc(shop, key),
            self.books.mirror(shop),
            SqlStatistics(self.books.database, shop),
            Pos(self.world, shop) if self.with_pos else None,
        )

    def metrc(self, shop, key):
        if key in self.world.missing_keys:
            raise ConfigurationError([f"{key} is not set or empty"])
        return Metrc(self.world, shop, key)

    def watched(self, **changes):
        self.desk = replace(
            self.desk, stations=[replace(s, watched=replace(s.watched, **changes)) for s in self.desk.stations]
        )

    async def round(self, at, policy=Policy()):  # noqa: B008 - a frozen value
        done = await watch(self.desk, at, policy)
        await send_letters(self.outbox, self.slack, "one", SystemClock(at), timedelta(seconds=120))
        return done

    async def run(self, start, until, every=ROUND):
        """Rounds from start to until, and as soon as one is due; what was posted."""
        before, at = len(self.slack.posted), start
        while at <= until:
            done = await self.round(at)
            at = min(at + every, max(done.due_at, at + MINUTE / 4)) if done.due_at else at + every
        return [letter.what for letter in self.slack.posted[before:]]

    @property
    def told(self):
        return [(letter.what, letter.alert.kind) for letter in self.slack.posted]

    async def tick(self, start, until, every=TICK, *, real=False):
        """The same as the bot's own clock does it, seconds apart: slots, holds, letters; when each letter was posted.

        ``real``: what the work really takes passes on the clock, too.
        """
        clockwork = Clockwork(self, start)
        rota = Rota(SqlSlots(self.books.database), clockwork.clock, "one", timedelta(seconds=120))
        chores = (watching(clockwork), sending(clockwork, self.slack))
        before, times = len(self.slack.posted), []
        while clockwork.clock.at <= until:
            began = time.monotonic()
            for chore in chores:
                await do(chore, rota)
                if real:
                    clockwork.clock.at += timedelta(seconds=time.monotonic() - began)
                    began = time.monotonic()
            times += [clockwork.clock.at] * (len(self.slack.posted) - before - len(times))
            clockwork.clock.at += every
        return list(zip(self.slack.posted[before:], times, strict=True))


@dataclass
class Hands:
    """A clock that is turned."""

    at: datetime

    def now(self):
        return self.at


class Clockwork:
    """What the bot's duties need of it, in front of a house."""

    settings = SimpleNamespace(alert_hold_seconds=60, lease_seconds=120)

    def __init__(self, house, at):
        self.house, self.clock, self.beats = house, Hands(at), 0
        self.books = SimpleNamespace(alerts=house.alerts, outbox=house.outbox)

    async def watch(self, policy):
        return await watch(self.house.desk, self.clock.at, policy)

    async def beat(self):
        self.beats += 1
