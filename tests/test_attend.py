"""What people do about an alert, by the hours of its shops: days that stay closed, snoozes, and keys that were renewed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot import attend
from bot.alerts import Condition, Kind, Policy, Seen, State, acknowledge, decide
from bot.app import Bot
from bot.attend import Snooze, lengths
from bot.errors import QuestionError
from bot.opening import Opening, opening
from storage.books import open_books
from tests.removing import Clock
from tests.store import settings
from tests.watched import DENVER

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
ZONE = ZoneInfo("America/Denver")
NIGHTS = opening("America/Denver", "Mo-Su 16:00-02:00")
DAYS = opening("America/Denver", "Mo-Su 09:00-21:00")
WEEKDAYS = opening("America/Denver", "Mo-Sa 09:00-21:00")
ALWAYS = opening("America/Denver", "24/7")
SILENT = Condition(Kind.SYNC_SILENT, "L1", "Shop L1", cause="L1", says="Sales wait.", channel="C0FLOOR", kin="csv/1")
EXPIRY = Condition(Kind.KEY_EXPIRY, "L1", "Shop L1", cause="env:K/2025-03-10", says="It expires.", channel="C0FLOOR")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026 on the shop's wall clock; the 3rd is a Tuesday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


@dataclass
class Desk:
    """A post whose clock and hours are the test's."""

    books: object
    clock: Clock
    hours: Opening = DAYS

    def post(self, **changes) -> attend.Post:
        return replace(
            attend.Post(self.books.alerts, self.books.memory, self.books.audit, lambda _: self.hours, self.clock),
            **changes,
        )

    async def told(self, *conditions):
        """An alert that people were told of a while ago."""
        now = self.clock.now() - timedelta(minutes=10)
        changes = decide((), Seen(conditions), now, Policy(hold=timedelta(0)))
        assert await self.books.alerts.write(changes, now)
        [change] = changes
        return change.after

    async def closed(self):
        return await self.books.memory.recall("closed_days")

    async def done(self):
        return [(row.event, row.actor) async for row in self.books.audit.rows()]


@pytest.fixture
async def desk(tmp_path, empty_database):
    path = tmp_path / "attend.db"
    shutil.copy(empty_database, path)
    books = await open_books(f"sqlite+aiosqlite:///{path}")
    yield Desk(books, Clock(NOW))
    await books.close()


@pytest.mark.parametrize(
    ("hours", "pressed", "day", "until"),
    [
        (DAYS, at(3, 11), "2026-03-03", at(4, 9)),
        (DAYS, at(3, 22), "2026-03-03", at(4, 9)),
        (DAYS, at(4, 8), "2026-03-04", at(5, 9)),
        (DAYS, at(4, 0, 30), "2026-03-03", at(4, 9)),
        (NIGHTS, at(3, 20), "2026-03-03", at(4, 16)),
        (NIGHTS, at(4, 0, 30), "2026-03-03", at(4, 16)),
        (NIGHTS, at(4, 2, 30), "2026-03-03", at(4, 16)),
        (NIGHTS, at(4, 12), "2026-03-04", at(5, 16)),
        (WEEKDAYS, at(8, 12), "2026-03-08", at(9, 9)),
        (ALWAYS, at(3, 23, 50), "2026-03-03", at(4, 0)),
    ],
)
async def test_closed_today_is_the_day_whose_doors_are_meant(desk, hours, pressed, day, until):
    """The running night's, else the one just past, else the date's; quiet until the shop opens after it."""
    desk.hours, desk.clock.at = hours, pressed
    alert = await desk.told(SILENT)
    attended = await attend.closed_today(desk.post(), alert.id, "U0LEE")
    assert await desk.closed() == {"L1": f'["{day}"]'}
    assert not hours.also_closed([date.fromisoformat(day)]).is_open(pressed)
    assert (attended.alert.state, attended.alert.asks_again_at) == (State.SNOOZED, until)
    assert ("closed_day", "U0LEE") in await desk.done()


async def test_what_is_refused_has_written_nothing(desk):
    """The alert has ended: no day is declared closed, and nothing is said to have been done."""
    alert = await desk.told(SILENT)
    ended = replace(alert, state=State.CLOSED, closed_at=NOW, version=alert.version + 1)
    assert await desk.books.alerts.write([replace(acknowledge(alert, "U0LEE", NOW), after=ended, letters=())], NOW)
    with pytest.raises(QuestionError, match="already ended"):
        await attend.closed_today(desk.post(), alert.id, "U0LEE")
    assert await desk.closed() == {}
    assert "closed_day" not in [event for event, _ in await desk.done()]


async def test_one_press_closes_no_ten_shops(desk):
    """Several shops share the alert, so nobody knows which one is meant; who pressed is told what to do instead."""
    others = [replace(SILENT, license=f"L{n}", name=f"Shop L{n}", cause=f"L{n}") for n in range(2, 11)]
    alert = await desk.told(SILENT, *others)
    with pytest.raises(QuestionError, match=r"10 shops share this alert.*holidays"):
        await attend.closed_today(desk.post(), alert.id, "U0LEE")
    assert await desk.closed() == {}
    assert (await desk.books.alerts.alert(alert.id)).state is State.OPEN


@pytest.mark.parametrize(
    ("hours", "pressed", "until"),
    [
        (DAYS, at(3, 11), at(4, 9)),
        (DAYS, at(3, 22), at(4, 9)),
        (opening("America/Denver", "Mo-Su 06:00-22:00"), at(3, 11), at(4, 6)),
        (opening("America/Denver", "Mo-Su 10:00-02:00"), at(3, 22, 30), at(4, 10)),
        (NIGHTS, at(3, 17), at(4, 16)),
        (NIGHTS, at(4, 0, 30), at(4, 16)),
        (ALWAYS, at(3, 11), at(4, 8)),
        (ALWAYS, at(3, 23, 50), at(4, 8)),
        (ALWAYS, at(4, 0, 30), at(4, 8)),
        (ALWAYS, at(4, 5), at(5, 8)),
        (opening("America/Denver", None), at(3, 23, 50), at(4, 8)),
        (opening("America/Denver", "24/7"), at(7, 23), at(8, 8)),  # the night in which the clocks change
    ],
)
def test_until_tomorrow_lasts_the_night(hours, pressed, until):
    """Also where the doors do not close at midnight."""
    assert lengths(hours, pressed)[Snooze.TOMORROW] == until


def test_no_length_is_offered_that_lies_beyond_a_week():
    """Closed for long: only the hour."""
    shut = DENVER.also_closed([NOW.date() + timedelta(days=n) for n in range(10)])
    assert list(lengths(shut, NOW)) == [Snooze.HOUR]


async def test_a_snooze_until_tomorrow_is_quiet_all_night(desk):
    """What is offered is what is kept."""
    desk.hours, desk.clock.at = ALWAYS, at(3, 23, 50)
    alert = await desk.told(SILENT)
    attended = await attend.snooze(desk.post(), alert.id, "U0LEE", Snooze.TOMORROW)
    assert attended.alert.asks_again_at == at(4, 8)


async def test_a_renewed_key_is_the_key_of_every_shop_that_has_it(desk):
    """Two channels, one key: pressed in one of them the date counts in both, and the audit log names all shops."""
    alert = await desk.told(EXPIRY)
    post = desk.post(sharing=lambda license_number: (license_number, "L2", "L3"))
    await attend.renewed(post, alert.id, "U0LEE", date(2026, 3, 3))
    kept = await desk.books.memory.recall("key_issued_on")
    assert kept == dict.fromkeys(("L1", "L2", "L3"), '"2026-03-03"')
    [row] = [row async for row in desk.books.audit.rows() if row.event == "key_renewed"]
    assert '"L3"' in row.detail


def test_a_key_is_shared_by_reference_and_host(tmp_path):
    """The same name at another state's METRC is another key; a license that is gone stands for itself."""
    config = settings(tmp_path, now=NOW)
    [one] = config.facilities
    other = replace(one.metrc, base_url="https://api-or.metrc.com")
    own = replace(one.metrc, user_key=replace(one.metrc.user_key, reference="env:OTHER"))
    shops = [
        one,
        replace(one, license="L2"),
        replace(one, license="L3", metrc=other),
        replace(one, license="L4", metrc=own),
    ]
    bot = Bot(replace(config, facilities=tuple(shops)), None, None, Clock(NOW))
    sharing = bot.sharing_a_key
    assert sharing(one.license) == (one.license, "L2")
    assert [sharing(name) for name in ("L3", "L4", "L9")] == [("L3",), ("L4",), ("L9",)]
