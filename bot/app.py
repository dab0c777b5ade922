"""The composition root: the only file that names concrete classes together. Nothing is built at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.errors import QuestionError
from bot.gather import Desk
from bot.investigate import investigate
from bot.metrc.client import Keys, MetrcClient
from bot.mirror import SyncReport, Told, sync
from bot.model import Diagnosis, Question
from bot.ports import Books, Clock, PointOfSale, Progress
from bot.pos.csv.adapter import CsvPos
from bot.settings import FacilitySettings, Settings
from bot.transport import Limiter, Transport

# just under what METRC grants: a facility 50 reads a second and 10 at a time, a software key 150 and 30
UNDER_THE_LIMIT = 0.98
AT_ONCE = 10
AT_ONCE_PER_KEY = 30
PER_SECOND_PER_KEY = 147.0


@dataclass(frozen=True)
class SystemClock:
    """The time; ``fixed`` stops it, for development."""

    fixed: datetime | None = None

    def now(self) -> datetime:
        """Aware, in UTC."""
        return self.fixed or datetime.now(UTC)


@dataclass
class Bot:
    """Everything wired together for one process."""

    settings: Settings
    books: Books
    transport: Transport
    clock: Clock
    _limiters: dict[str, Limiter] = field(default_factory=dict)

    async def answer(self, question: Question, progress: Progress) -> Diagnosis:
        """Answer one question about a facility that is configured."""
        desk = self.desk(self.facility(question.facility))
        return await investigate(question, desk, self.books.ledger, progress)

    async def sync(self, facility: FacilitySettings, since: timedelta, progress: Told) -> SyncReport:
        """Bring the mirror of one facility up to date."""
        desk, now = self.desk(facility), self.clock.now()
        return await sync(desk.metrc, desk.pos, desk.mirror, since=now - since, now=now, progress=progress)

    def facility(self, license_number: str) -> FacilitySettings:
        """The facility with this license; raises ``QuestionError``."""
        facility = self.settings.facility(license_number)
        if facility is None:
            known = ", ".join(f.license for f in self.settings.facilities)
            raise QuestionError(f"License {license_number!r} is not configured; known: {known}.")
        return facility

    def desk(self, facility: FacilitySettings) -> Desk:
        """Where the facts of one facility come from."""
        return Desk(
            shop=facility.shop,
            metrc=self._metrc(facility),
            pos=self._pos(facility),
            mirror=self.books.mirror(facility.license),
            clock=self.clock,
            others=tuple((other.name, self._metrc(other)) for other in self._unrelated(facility)),
        )

    def _unrelated(self, facility: FacilitySettings) -> tuple[FacilitySettings, ...]:
        """Facilities on the same host whose user key is another one."""
        return tuple(
            other
            for other in self.settings.facilities
            if other.metrc.base_url == facility.metrc.base_url and other.metrc.user_key != facility.metrc.user_key
        )

    def _metrc(self, facility: FacilitySettings) -> MetrcClient:
        metrc = facility.metrc
        # read anew for every question, so that a renewed key needs no restart
        keys = Keys(metrc.vendor_key.read(), metrc.user_key.read())
        return MetrcClient(
            self.transport,
            base_url=metrc.base_url,
            license_number=facility.license,
            keys=lambda: keys,
            zone=facility.zone,
            limiter=self._limiter(facility),
            window_hours=metrc.window_hours,
            now=self.clock.now,
        )

    def _limiter(self, facility: FacilitySettings) -> Limiter:
        metrc = facility.metrc
        shared_name = f"{metrc.base_url} {metrc.vendor_key.reference}"
        shared = self._limiters.setdefault(shared_name, Limiter(rate=PER_SECOND_PER_KEY, concurrency=AT_ONCE_PER_KEY))
        rate = max(1.0, metrc.requests_per_second * UNDER_THE_LIMIT)
        return self._limiters.setdefault(facility.license, Limiter(rate=rate, concurrency=AT_ONCE, shared=shared))

    def _pos(self, facility: FacilitySettings) -> PointOfSale:
        pos = facility.pos
        return CsvPos(
            pos.directory,
            license_number=facility.license,
            zone=facility.zone,
            file_zone=ZoneInfo(pos.file_zone) if pos.file_zone else None,
            date_format=pos.date_format,
            max_age_minutes=pos.max_age_minutes,
            exports=self.books.exports(facility.license),
        )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Bot]:
    """The bot, its database brought up to date; everything is given back at the end."""
    from storage.books import open_books  # noqa: PLC0415 - heavy, and not needed for --help

    books = await open_books(settings.database_url)
    try:
        async with Transport(dev=settings.dev) as transport:
            yield Bot(settings, books, transport, SystemClock(settings.fixed_now))
    finally:
        await books.close()
