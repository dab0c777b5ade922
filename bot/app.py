"""The composition root: the only file that names concrete classes together. Nothing is built at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from bot import alerts
from bot.approve import Office, unheld
from bot.approvers import RememberingDirectory
from bot.attend import Post as Attending
from bot.digest import Arrivals, Digest, Shelf, arrivals, digest
from bot.doctor import Finding, ShopLook, judge_shop
from bot.errors import ChatError, ConfigurationError, MetrcError, Problem, ProblemKind, QuestionError
from bot.gather import FAMILIES, Desk
from bot.investigate import investigate, new_id
from bot.lookout import LiveLookout
from bot.metrc.client import Keys, MetrcClient
from bot.metrc.removals import MetrcRemovals
from bot.mirror import SyncReport, Told, sync
from bot.model import Diagnosis, Facility, Question, Reading
from bot.monitors import Watched
from bot.nightly import find_duplicates, known_duplicates
from bot.opening import Opening, opening
from bot.ports import Books, Clock, Directory, PointOfSale, Progress
from bot.pos.csv.adapter import CsvPos
from bot.removals import Pace, Person, Policy
from bot.settings import FacilitySettings, MetrcSettings, Settings, switched_off
from bot.silence import BackTest
from bot.status import Standing, standing
from bot.sweep import SweepProgress, Yard, sweep
from bot.sweep_groups import Sweep
from bot.tags import labels_ending
from bot.transport import Answer, Limiter, Transport
from bot.watch import Desk as WatchDesk
from bot.watch import News, Round, Station, learned_of, synced, syncing, told_by_people, try_out, watch

log = logging.getLogger(__name__)

# under what METRC grants (a facility 50 reads a second and 10 at a time, a software key 150 and 30) by as much as a request
# may be late on its way: 50 of them then take 1.03 s, so 30 ms
UNDER_THE_LIMIT = 0.97
AT_ONCE = 10
AT_ONCE_PER_KEY = 30
PER_SECOND_PER_KEY = 150
# newest first; where there are more, every shop is asked about its own
MOST_REMOVALS = 500


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
    # licenses at whose host a window wider than a day was refused
    _narrow: set[str] = field(default_factory=set)

    async def answer(self, question: Question, progress: Progress) -> Diagnosis:
        """Answer one question about a facility that is configured."""
        desk = self.desk(self.facility(question.facility))
        return await investigate(question, desk, self.books.ledger, progress)

    async def answer_again(self, question: Question) -> Diagnosis:
        """The same when nobody waits for its progress."""
        return await self.answer(question, _unheard)

    async def sync(self, facility: FacilitySettings, since: timedelta, progress: Told) -> SyncReport:
        """Bring the mirror of one facility up to date."""
        desk, now = self.desk(facility), self.clock.now()
        await syncing(self.books.memory, facility.license, now)
        report = await sync(desk.metrc, desk.pos, desk.mirror, since=now - since, now=now, progress=progress)
        await synced(self.books.memory, facility.license, report, now)
        return report

    async def reaches(self, facility: FacilitySettings) -> bool:
        """Whether METRC takes the key now, by the one question that needs no right."""
        try:
            await self._metrc(facility).facilities()
        except MetrcError as error:
            log.info("METRC does not let %s in now (%s)", facility.license, error.kind.value)
            return False
        return True

    def office(self, directory: Directory) -> Office:
        """Where removals are decided and carried out; ``directory`` says who people are."""
        return Office(
            intents=self.books.intents,
            audit=self.books.audit,
            ledger=self.books.ledger,
            directory=RememberingDirectory(directory, self.clock),
            fresh_directory=directory,
            policy=lambda license_number: policy_of(self.settings, self.facility(license_number)),
            lookout=self._lookout,
            remover=self._remover,
            clock=self.clock,
            owner=new_id(),
            pace=Pace(timedelta(seconds=self.settings.lease_seconds)),
        )

    def _lookout(self, license_number: str) -> LiveLookout:
        metrc = self._metrc(self.facility(license_number))
        return LiveLookout(metrc, lambda question: self.answer(question, _unheard), self.books.ledger, self.clock)

    def _remover(self, license_number: str) -> MetrcRemovals:
        facility = self.facility(license_number)
        return MetrcRemovals(
            self.transport,
            base_url=facility.metrc.base_url,
            license_number=facility.license,
            keys=lambda: Keys(facility.metrc.vendor_key.read(), facility.metrc.user_key.read()),
            limiter=self._limiter(facility),
            now=self.clock.now,
        )

    async def labels_ending(self, license_number: str, tail: str) -> tuple[str, ...]:
        """The shop's tags that end like this, as the mirror and the POS know them."""
        return await labels_ending(self.desk(self.facility(license_number)), tail)

    async def scanned(self, license_number: str, code: str) -> tuple[str, ...]:
        """The tags that METRC knows the code on a single unit by."""
        return await self._metrc(self.facility(license_number)).scanned(code)

    async def sweep(self, facility: FacilitySettings, progress: SweepProgress) -> Sweep:
        """Judge the whole shop."""
        return await sweep(self._yard(facility), progress)

    async def sweep_license(self, license_number: str, progress: SweepProgress) -> Sweep:
        """The same by license; raises ``QuestionError`` for one that is not configured."""
        return await self.sweep(self.facility(license_number), progress)

    def _yard(self, facility: FacilitySettings) -> Yard:
        metrc = self._metrc(facility)
        desk = replace(self.desk(facility), metrc=metrc)
        return Yard(desk, stream=metrc, stock=self.books.stock(facility.license))

    async def watch(self, policy: alerts.Policy) -> Round:
        """One round of every monitor at every facility; what is to be said of it waits in the outbox."""
        stations = tuple(self._station(facility) for facility in self.settings.facilities)
        desk = WatchDesk(
            stations,
            self.books.alerts,
            self.books.memory,
            duplicates=await known_duplicates(self.books.memory),
            unheld=await self._unheld(),
            holdings=self.books.holdings,
        )
        return await watch(desk, self.clock.now(), policy)

    async def _unheld(self) -> News:
        """Tells of fixes that did not hold, for one round; of a shop that has no removal nothing is asked."""
        office = self.office(_Nobody())
        licenses = [facility.license for facility in self.settings.facilities]
        newest = await self.books.intents.history(licenses, None, MOST_REMOVALS)
        acting = {intent.facility for intent in newest}
        is_all = len(newest) < MOST_REMOVALS

        async def of(license_number: str) -> tuple[str, ...]:
            return () if is_all and license_number not in acting else await unheld(office, license_number)

        return of

    async def beat(self) -> bool:
        """Tell the outside watcher that a round was made; whether it heard, also where there is none to tell."""
        url = self.settings.heartbeat_url
        if url is None:
            return True
        try:
            return await self.transport.get(
                url, lambda answer: 200 <= answer.status < 300, asked="the heartbeat", limiter=Limiter(rate=1.0)
            )
        except MetrcError as error:
            log.warning("the heartbeat was not heard (%s)", error.kind.value)
            return False

    def attending(self) -> Attending:
        """Where people attend to alerts."""
        books = self.books
        return Attending(books.alerts, books.memory, books.audit, self._opening, self.clock, self.sharing_a_key)

    def _opening(self, license_number: str) -> Opening | None:
        facility = self.settings.facility(license_number)
        return None if facility is None else watched_of(facility).opening

    def sharing_a_key(self, license_number: str) -> tuple[str, ...]:
        """The licenses whose METRC user key is the one of this license, itself first."""
        facility = self.settings.facility(license_number)
        same = (
            [] if facility is None else [f.license for f in self.settings.facilities if _key_of(f) == _key_of(facility)]
        )
        return tuple(dict.fromkeys((license_number, *same)))

    async def arrivals(self, alert: alerts.Alert) -> Arrivals:
        """What METRC recorded at the shop of an alert, beside what was to be expected."""
        facility = self.facility(alert.members[0].license)
        learned = await learned_of(self.books.memory, facility.license)
        statistics = self.books.statistics(facility.license)
        return await arrivals(statistics, learned, watched_of(facility).opening, alert, self.clock.now())

    async def examine(self, facility: FacilitySettings) -> tuple[Finding, ...]:
        """Look at everything that one shop needs, and judge it."""
        return judge_shop(await self._look(facility))

    async def _look(self, facility: FacilitySettings) -> ShopLook:
        now = self.clock.now()
        seen, probes, far = await self._rungs(facility)
        watched = await told_by_people(self.books.memory, watched_of(facility), now)
        return ShopLook(
            watched=watched,
            at=now,
            facilities=seen,
            probes=probes,
            books=await self._pos(facility).read(now),
            receipts=await self.books.statistics(facility.license).receipts(now - timedelta(days=3)),
            far=far,
            acts=facility.act,
            approvers=len(facility.approvers),
        )

    async def _rungs(
        self, facility: FacilitySettings
    ) -> tuple[Reading[tuple[Facility, ...]], dict[str, Problem | None], datetime | None]:
        """What the key sees, what it may read, and METRC's time."""
        asked = "GET /facilities/v2/"
        try:
            metrc = self._metrc(facility)
        except ConfigurationError as error:
            problem = Problem(ProblemKind.UNAUTHORIZED, " ".join(error.problems))
            return Reading("metrc", asked, problem=problem), {}, None
        far = await self._far_time(facility)
        try:
            seen = Reading("metrc", asked, self.clock.now(), await metrc.facilities())
        except MetrcError as error:
            return Reading("metrc", asked, problem=error.problem), {}, far
        return seen, {family: await _refusal(metrc, family) for family in FAMILIES}, far

    async def _far_time(self, facility: FacilitySettings) -> datetime | None:
        """The time at METRC's host, by the date of any answer; None: it is not told, or ours is stopped."""
        if self.settings.fixed_now is not None:
            return None
        try:
            return await self.transport.get(
                facility.metrc.base_url, _dated, asked="the time", limiter=self._limiter(facility)
            )
        except MetrcError:
            return None

    async def status(self, licenses: Collection[str]) -> tuple[Standing, ...]:
        """How these shops stand, as the database has it."""
        shops = [watched_of(self.facility(license_number)) for license_number in licenses]
        return tuple([await standing(self.books, watched, self.clock.now()) for watched in shops])

    async def digest(self, channel: str) -> Digest:
        """The last weeks of the shops of a channel."""
        shops = {f.license: (f.name, self.books.statistics(f.license)) for f in self.settings.facilities_of(channel)}
        return await digest(Shelf(self.books.ledger, self.books.alerts, shops), self.clock.now())

    async def find_duplicates(self, facility: FacilitySettings) -> int:
        """The nightly search; how many sales are in METRC more than once."""
        return await find_duplicates(self._station(facility), self.books.memory, self.clock.now())

    async def try_out(self, facility: FacilitySettings) -> BackTest:
        """What the watch over a silent feed would have told in the last 8 weeks."""
        return await try_out(self._station(facility), self.clock.now())

    def _station(self, facility: FacilitySettings) -> Station:
        return Station(
            watched=watched_of(facility),
            metrc=lambda: self._metrc(facility),
            mirror=self.books.mirror(facility.license),
            statistics=self.books.statistics(facility.license),
            pos=self._pos(facility),
        )

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
        keys = _keys_of(metrc)
        return MetrcClient(
            self.transport,
            base_url=metrc.base_url,
            license_number=facility.license,
            keys=lambda: keys,
            keys_again=partial(_keys_now, metrc, keys),
            zone=facility.zone,
            limiter=self._limiter(facility),
            window_hours=min(24, metrc.window_hours) if facility.license in self._narrow else metrc.window_hours,
            now=self.clock.now,
            narrowed=partial(self._narrow.add, facility.license),
        )

    def _limiter(self, facility: FacilitySettings) -> Limiter:
        metrc = facility.metrc
        shared_name = f"{metrc.base_url} {metrc.vendor_key.reference}"
        per_key = Limiter(
            rate=PER_SECOND_PER_KEY * UNDER_THE_LIMIT, granted=PER_SECOND_PER_KEY, concurrency=AT_ONCE_PER_KEY
        )
        shared = self._limiters.setdefault(shared_name, per_key)
        granted = metrc.requests_per_second
        rate = max(1.0, granted * UNDER_THE_LIMIT)
        limiter = Limiter(rate=rate, granted=int(granted), concurrency=AT_ONCE, shared=shared)
        return self._limiters.setdefault(facility.license, limiter)

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


def _key_of(facility: FacilitySettings) -> tuple[str, str]:
    """What tells one user key from another: a key is good at one host."""
    return facility.metrc.user_key.reference, urlsplit(facility.metrc.base_url).netloc


def _keys_of(metrc: MetrcSettings) -> Keys:
    """Raises ``ConfigurationError`` when they are not there."""
    return Keys(metrc.vendor_key.read(), metrc.user_key.read())


def _keys_now(metrc: MetrcSettings, before: Keys) -> Keys:
    """Read once more; those from before where they are just being replaced."""
    try:
        return _keys_of(metrc)
    except ConfigurationError:
        return before


def watched_of(facility: FacilitySettings) -> Watched:
    """What the configuration says about a shop, as far as a monitor may need it."""
    return Watched(
        shop=facility.shop,
        host=urlsplit(facility.metrc.base_url).netloc,
        key=facility.metrc.user_key.reference,
        opening=opening(facility.time_zone, facility.opening_hours, facility.holidays),
        pos=facility.pos.kind,
        channel=facility.channel,
        key_issued_on=facility.metrc.key_issued_on,
        key_max_age_days=facility.metrc.key_max_age_days,
        false_alarms_per_year=float(facility.false_alarms_per_year),
        escalate_to=facility.escalate_to,
        escalate_after=timedelta(minutes=facility.escalate_after_minutes),
    )


def policy_of(settings: Settings, facility: FacilitySettings) -> Policy:
    """What the configuration says about removals at this shop; the kill switch is read from the file each time."""
    return Policy(
        approvers=facility.approvers,
        second_person=facility.second_person,
        act=facility.act,
        approval=timedelta(minutes=facility.approval_minutes),
        two_approvals_over=facility.two_approvals_over,
        read_only=switched_off(otherwise=settings.read_only),
    )


async def _refusal(metrc: MetrcClient, family: str) -> Problem | None:
    try:
        await metrc.probe(family)
    except MetrcError as error:
        return error.problem
    return None


def _dated(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


class _Nobody:
    """A directory where nobody has to be known."""

    async def person(self, user: str) -> Person:
        """Nobody."""
        raise ChatError(f"Nobody knows {user}.", code="user_not_found")

    async def members(self, group: str) -> frozenset[str]:
        """No one."""
        raise ChatError(f"Nobody knows {group}.", code="no_such_subteam")


async def _unheard(_sentence: str) -> None:
    """Nobody waits for the progress of a look."""


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
