"""Whole rounds: METRC and the POS are read, alerts and letters are written, and people hear of each problem once."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.alerts import Kind, State, What, acknowledge
from bot.errors import Problem, ProblemKind, StorageError
from bot.mirror import GLANCE, STEP, Fed, SyncReport, freshen
from bot.model import Feed, Window
from bot.opening import opening
from bot.watch import LEARNING_HOURS, ONCE, SALES, Times, as_json, close_day, key_renewed, learned_of, synced, try_out
from storage.books import open_books
from tests.watched import DAY, HOLD, HOUR, MINUTE, NOW, ROUND, House


@pytest.fixture
async def make(tmp_path, empty_database):
    """Makes houses, each with a database of its own."""
    opened = []

    async def house(**kinds):
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(empty_database, path)
        opened.append(await open_books(f"sqlite+aiosqlite:///{path}"))
        return House(opened[-1], **kinds)

    yield house
    for books in opened:
        await books.close()


@pytest.fixture
async def house(make):
    return await make()


async def test_a_healthy_shop_is_never_told_of(house):
    """A day and a night, sales by day and none at night: nothing is opened and nothing is posted."""
    assert await house.run(NOW, NOW + DAY, every=6 * ROUND) == []
    assert await house.alerts.known(NOW) == ()


@pytest.mark.parametrize("night", [datetime(2026, 3, 8, 0, tzinfo=UTC), datetime(2026, 11, 1, 0, tzinfo=UTC)])
async def test_the_nights_of_the_clock_change_raise_nothing(make, night):
    """From the evening before to the evening after, with and without a POS."""
    for with_pos in (True, False):
        house = await make(with_pos=with_pos)
        assert await house.run(night, night + DAY, every=9 * ROUND) == []


async def test_a_silent_sync_is_told_once_and_its_end_once(house):
    """The feed dies, the first message comes within the plain limit and one round, and the end is told with the reply."""
    await house.run(NOW, NOW + HOUR, every=3 * ROUND)
    house.world.falls_silent("L0", NOW + HOUR)
    assert await house.run(NOW + HOUR, NOW + 3 * HOUR) == [What.FIRE]
    first = house.slack.posted[0].alert
    assert first.kind is Kind.SYNC_SILENT
    assert HOUR < first.fired_at - (NOW + HOUR) < HOUR + 10 * MINUTE + 3 * ROUND
    house.world.recovers("L0", NOW + 3 * HOUR)
    assert await house.run(NOW + 3 * HOUR, NOW + 5 * HOUR) == [What.RESOLVE]


async def test_a_silent_sync_is_noticed_without_a_pos(make):
    """No POS to ask: METRC's own rhythm, under four weeks of history a plain limit, and the message says so."""
    house = await make(with_pos=False)
    await house.run(NOW, NOW + HOUR, every=3 * ROUND)
    house.world.falls_silent("L0", NOW + HOUR)
    assert await house.run(NOW + HOUR, NOW + 6 * HOUR, every=3 * ROUND) == [What.FIRE]
    assert "under 4 weeks of history" in house.slack.posted[0].text


async def test_a_learned_shop_is_told_far_sooner(house):
    """Six weeks in the mirror: the shop's own p99.9 of two minutes is the limit, and three sales are enough."""
    assert await learned(house) == [What.FIRE]
    fired = house.slack.posted[0].alert
    assert fired.fired_at - (NOW + HOUR) < 45 * MINUTE
    assert "999 of 1,000 posts take at most 5 min" in house.slack.posted[0].text


async def test_a_back_test_judges_what_the_mirror_holds(house):
    """Six even weeks would have raised nothing; an empty mirror is not judged at all."""
    station = house.desk.stations[0]
    assert (await try_out(station, NOW)).weeks == 0
    await learned(house)
    tested = await try_out(station, NOW)
    assert tested.weeks >= 6
    assert tested.alarms == ()


async def test_what_a_rhythm_would_have_told_is_said_before_it_is_switched_on(house, caplog):
    """Once, when there is enough history for the first time."""
    caplog.set_level(logging.INFO, "bot.watch")
    await learned(house)
    said = [record.message for record in caplog.records if "rhythm" in record.message]
    assert len(said) == 1
    assert said[0].startswith("L0 is watched by its own rhythm from now on. Over the last")
    assert said[0].endswith("weeks it would have alerted 0 times.")


async def learned(house):
    station = house.desk.stations[0]
    for feed in SALES:
        await freshen(station.metrc(), station.mirror, feed, NOW - 42 * DAY, NOW)
    await house.run(NOW, NOW + HOUR, every=3 * ROUND)
    house.world.falls_silent("L0", NOW + HOUR)
    return await house.run(NOW + HOUR, NOW + 3 * HOUR)


async def test_a_dead_key_at_forty_shops_is_one_message_in_time(make):
    """Within the hold, one round and ten seconds there is one message, about the key; none calls a shop silent."""
    house = await make(shops=40, one_key=True)
    await house.round(NOW)
    house.world.dead_keys = {"env:ONE"}
    died = NOW + timedelta(seconds=1)
    await house.run(NOW + ROUND, NOW + 20 * MINUTE)
    assert house.told == [(What.FIRE, Kind.DEAD_KEY)]
    assert house.slack.posted[0].alert.fired_at - died <= HOLD + ROUND + timedelta(seconds=10)
    assert len(house.slack.posted[0].alert.members) == 40


@pytest.mark.parametrize("phase", [timedelta(seconds=1), 4 * MINUTE])
async def test_the_clock_tells_of_a_dead_key_in_time(make, phase):
    """Whenever between two rounds it dies: as soon as the hold is over, and not at the round after that."""
    house = await make(shops=2, one_key=True)
    await house.tick(NOW, NOW)
    house.world.dead_keys = {"env:ONE"}
    posted = await house.tick(NOW + phase, NOW + 3 * ROUND)
    [(told, at)] = posted
    assert told.alert.kind is Kind.DEAD_KEY
    assert at - (NOW + phase) <= HOLD + ROUND + timedelta(seconds=10)


async def test_a_problem_that_ends_within_its_hold_is_never_told(make):
    """The round that the hold brings about looks again."""
    house = await make(one_key=True)
    house.world.dead_keys = {"env:ONE"}
    await house.tick(NOW, NOW + MINUTE / 2)
    house.world.dead_keys = set()
    assert await house.tick(NOW + MINUTE / 2, NOW + 2 * ROUND) == []


async def test_a_key_that_is_not_there_fails_its_own_shop_only(make):
    """One shop's secret has vanished: that is told, and the other shop is watched as ever."""
    house = await make(shops=2)
    house.world.missing_keys = {"env:KEY0"}
    assert (await house.round(NOW, ONCE)).read == 1
    assert house.told == [(What.FIRE, Kind.DEAD_KEY)]
    house.world.missing_keys = set()
    assert (await house.round(NOW + ROUND, ONCE)).read == 2


async def test_a_key_is_asked_once_for_all_its_shops(make):
    """Thirty shops on one key cost one question whether it lives; a refused key is not asked for feeds."""
    house = await make(shops=30, one_key=True)
    house.world.dead_keys = {"env:ONE"}
    await house.round(NOW)
    assert house.world.asked == ["facilities"]


async def test_an_outage_of_a_state_is_one_alert_and_one_end(make):
    """Three shops, an hour of 503 while sales pile up: told once, ended once, and the backlog afterwards says nothing."""
    house = await make(shops=3)
    await house.run(NOW, NOW + 2 * ROUND)
    house.world.host_down = True
    for shop in ("L0", "L1", "L2"):
        house.world.falls_silent(shop, NOW + 2 * ROUND)
    await house.run(NOW + 3 * ROUND, NOW + 70 * MINUTE)
    house.world.host_down = False
    await house.run(NOW + 75 * MINUTE, NOW + 100 * MINUTE)
    for shop in ("L0", "L1", "L2"):
        house.world.recovers(shop, NOW + 100 * MINUTE)
    await house.run(NOW + 105 * MINUTE, NOW + 3 * HOUR)
    await house.run(NOW + 3 * HOUR, NOW + 5 * HOUR, every=3 * ROUND)
    assert house.told == [(What.FIRE, Kind.METRC_OUTAGE), (What.RESOLVE, Kind.METRC_OUTAGE)]


async def test_not_being_able_to_see_is_told_as_that(house):
    """METRC only ever asks to wait: after a quarter of an hour "cannot see", never "silent"."""
    await house.round(NOW)
    house.world.busy = True
    house.world.falls_silent("L0", NOW)
    await house.run(NOW + ROUND, NOW + 3 * HOUR)
    assert house.told == [(What.FIRE, Kind.CANNOT_SEE)]
    assert "METRC asks to wait" in house.slack.posted[0].text


async def test_one_list_that_cannot_be_read_is_told_and_the_others_are_judged(house):
    """Packages answer 500 for two hours: told once after a quarter of an hour, ended once; and sales fall silent beside it."""
    await house.run(NOW - 2 * HOUR, NOW)
    house.world.broken = {"packages"}
    assert await house.run(NOW + ROUND, NOW + 4 * ROUND) == []
    house.world.falls_silent("L0", NOW + 4 * ROUND)
    await house.run(NOW + 5 * ROUND, NOW + 3 * HOUR)
    assert set(house.told) == {(What.FIRE, Kind.FEED_UNREAD), (What.FIRE, Kind.SYNC_SILENT)}
    assert len(house.told) == 2
    house.world.broken = set()
    house.world.recovers("L0", NOW + 3 * HOUR)
    await house.run(NOW + 3 * HOUR + ROUND, NOW + 4 * HOUR)
    assert set(house.told[2:]) == {(What.RESOLVE, Kind.FEED_UNREAD), (What.RESOLVE, Kind.SYNC_SILENT)}


@pytest.mark.parametrize("with_pos", [True, False])
async def test_a_list_of_packages_that_no_longer_moves_is_told(make, with_pos):
    """METRC answers, sales are recorded, and no package changes: told once, and ended once when it catches up."""
    house = await make(with_pos=with_pos)
    await house.run(NOW - 2 * HOUR, NOW)
    house.world.stuck_since = NOW
    await house.run(NOW + ROUND, NOW + 2 * HOUR)
    assert house.told == [(What.FIRE, Kind.CHANGES_SILENT)]
    assert "its list of packages shows no change" in house.slack.posted[0].text
    house.world.stuck_since = None
    await house.run(NOW + 2 * HOUR + ROUND, NOW + 3 * HOUR)
    assert house.told[1:] == [(What.RESOLVE, Kind.CHANGES_SILENT)]


async def test_a_sync_keeps_what_metrc_said_of_lists_that_it_could_not_read(house):
    """Kept until the next sync has ended; what a state does not have is not kept."""
    await house.round(NOW)
    mirror = house.books.mirror("L0")
    await mirror.store(Feed.ADJUSTMENTS, [], Window(NOW - DAY, NOW), NOW)
    fault, no_such = (
        Problem(ProblemKind.SERVER_FAULT, "METRC answered 500."),
        Problem(ProblemKind.NOT_FOUND, "Not here."),
    )
    report = SyncReport(
        (Fed("packages/adjustments", 0, (fault,)), Fed("items/active", 0, (no_such,)), Fed("pos", 9)), 3
    )
    await synced(house.memory, "L0", report, NOW)
    await house.run(NOW + ROUND, NOW + 2 * HOUR)
    assert house.told == [(What.FIRE, Kind.FEED_UNREAD)]
    assert "adjustments have not been read" in house.slack.posted[0].text
    await synced(house.memory, "L0", SyncReport((Fed("pos", 9),), 3), NOW + 2 * HOUR)
    await house.run(NOW + 2 * HOUR + ROUND, NOW + 3 * HOUR)
    assert house.told[1:] == [(What.RESOLVE, Kind.FEED_UNREAD)]


async def test_keys_that_die_together_are_one_outage_to_its_end(make):
    """Ten shops with keys of their own, all refused for forty minutes: one message, one end, nobody renews a good key."""
    house = await make(shops=10)
    await house.run(NOW, NOW + ROUND)
    house.world.dead_keys = {f"env:KEY{n}" for n in range(10)}
    await house.run(NOW + 2 * ROUND, NOW + 10 * ROUND)
    house.world.dead_keys = set()
    await house.run(NOW + 11 * ROUND, NOW + 14 * ROUND)
    assert house.told == [(What.FIRE, Kind.METRC_OUTAGE), (What.RESOLVE, Kind.METRC_OUTAGE)]


async def test_a_bot_that_was_away_for_hours_blames_no_list(make):
    """A slow shop, a sale each half hour: what the bot itself has not read of the packages is no standstill of METRC's."""
    house = await make()
    every, house.world.sales = house.world.sales, None
    house.world.sales = lambda *span: [at for at in every(*span) if at.minute % 30 == 0]
    await house.run(NOW - 2 * HOUR, NOW, every=3 * ROUND)
    for minutes in (288, 298):
        assert (await house.round(NOW + minutes * MINUTE, ONCE)).opened == ()


async def test_a_hole_after_a_sleep_unteaches_nothing(house):
    """Five weeks were learned from; five days away leave a hole, and what is usual here is still known."""
    await freshen_sales(house, NOW - 35 * DAY, NOW)
    await house.round(NOW)
    before = await learned_of(house.memory, "L0")
    assert before.law is not None
    await house.round(NOW + 5 * DAY)
    assert (await learned_of(house.memory, "L0")).law == before.law


async def test_what_waits_does_not_arrive_by_growing_old(house):
    """The feed dies for five days of selling: told once and repeated, never said to be over; and its age is the true one."""
    house.desk.stations[0].pos.memory = 10 * DAY
    await freshen_sales(house, NOW - 20 * DAY, NOW)
    await house.run(NOW - HOUR, NOW)
    house.world.falls_silent("L0", NOW)
    await house.run(NOW + HOUR, NOW + 5 * DAY, every=HOUR)
    assert What.RESOLVE not in {what for what, _ in house.told}
    [alert] = [alert for alert in await house.alerts.known(NOW + 5 * DAY) if alert.is_live]
    assert alert.kind is Kind.SYNC_SILENT
    assert "the oldest for 4 days 23 h" in alert.members[0].says


async def freshen_sales(house, since, until):
    station = house.desk.stations[0]
    for feed in SALES:
        await freshen(station.metrc(), station.mirror, feed, since, until)


async def test_a_shop_that_is_new_has_the_patience_of_a_new_one(make):
    """One fault in its first round, hours after the bot began: it is not said to have been unread since then."""
    house = await make(shops=2)
    both = house.desk.stations
    house.desk = replace(house.desk, stations=both[:1])
    await house.run(NOW, NOW + HOUR)
    house.desk = replace(house.desk, stations=both)
    house.world.broken = {"transfers"}
    await house.run(NOW + HOUR + ROUND, NOW + HOUR + ROUND)
    assert house.told == []


async def test_shops_that_cannot_be_seen_together_share_a_message(make):
    """A key's limit is used up by somebody else: one message names all its shops, not one each."""
    house = await make(shops=5, one_key=True)
    await house.round(NOW)
    house.world.busy = True
    await house.run(NOW + ROUND, NOW + HOUR)
    assert house.told == [(What.FIRE, Kind.CANNOT_SEE)]
    assert len(house.slack.posted[0].alert.members) == 5


async def test_a_bot_that_slept_over_closing_and_opening_raises_nothing(house):
    """Down for a night and a morning: the first rounds read everything anew, and nothing is wrong."""
    await house.run(NOW, NOW + HOUR)
    assert await house.run(NOW + DAY, NOW + DAY + HOUR) == []


async def test_a_day_that_stays_closed_is_declared_by_a_press(make):
    """Without a POS a closed day looks like a dead feed; declared closed it raises nothing."""
    for declared, said in ((True, []), (False, [What.FIRE, What.REPEAT])):
        house = await make(with_pos=False)
        await house.round(NOW - HOUR)
        house.world.falls_silent("L0", NOW - HOUR)
        if declared:
            await close_day(house.memory, "L0", date(2026, 3, 3), NOW)
        assert await house.run(NOW, NOW + 8 * HOUR, every=6 * ROUND) == said


async def test_closed_days_are_kept_for_eight_weeks(house):
    """A second press adds a day; what is too old to learn from is forgotten."""
    await close_day(house.memory, "L0", date(2026, 1, 2), NOW - 60 * DAY)
    await close_day(house.memory, "L0", date(2026, 3, 3), NOW)
    await close_day(house.memory, "L0", date(2026, 3, 3), NOW)
    assert (await house.memory.recall("closed_days"))["L0"] == '["2026-03-03"]'


async def test_a_renewed_key_ends_the_expiry(house):
    """Told at the step it has reached; the day of renewal ends it, though the configuration still has the old date."""
    house.watched(key_issued_on=date(2025, 3, 10))
    await house.run(NOW, NOW + 2 * ROUND)
    assert house.told == [(What.FIRE, Kind.KEY_EXPIRY)]
    assert house.slack.posted[0].alert.step == 7
    await key_renewed(house.memory, "L0", date(2026, 3, 3), NOW)
    await house.run(NOW + 3 * ROUND, NOW + 5 * ROUND)
    assert house.told[1:] == [(What.RESOLVE, Kind.KEY_EXPIRY)]


async def test_news_are_what_was_not_there_at_first(house):
    """Old duplicates are no alert, a new one is, and it ends when it is gone."""
    there = ["R1"]

    async def duplicates(license_number):
        return there

    house.desk = replace(house.desk, duplicates=duplicates)
    assert await house.run(NOW, NOW + ROUND) == []
    there.append("R2")
    assert await house.run(NOW + 2 * ROUND, NOW + 4 * ROUND) == [What.FIRE]
    assert "New duplicates in METRC: R2." in house.slack.posted[0].text
    there.remove("R2")
    assert await house.run(NOW + 5 * ROUND, NOW + 7 * ROUND) == [What.RESOLVE]


async def test_one_round_by_hand_holds_nothing_back(house):
    """It tells at once, at night too; the next one finds it open, and a good one closes it."""
    house.world.dead_keys = {"env:KEY0"}
    night = NOW + 13 * HOUR
    first = as_json(await house.round(night, ONCE))
    assert first["schema"] == "countlast.watch/1"
    [opened] = first["opened"]
    assert opened == {
        "key": "dead_key/env:KEY0/C0FLOOR",
        "kind": "dead_key",
        "facility": "L0",
        "facilities": ["L0"],
        "since": "2026-03-04T07:00:00Z",
        "headline": "Shop 0: METRC refuses the user key (env:KEY0).",
    }
    second = as_json(await house.round(night + ROUND, ONCE))
    assert (second["opened"], second["open"], second["closed"]) == ([], [opened], [])
    house.world.dead_keys = set()
    third = as_json(await house.round(night + 2 * ROUND, ONCE))
    assert (third["opened"], third["open"], third["closed"]) == ([], [], [opened])
    assert [letter.what for letter in house.slack.posted] == [What.FIRE, What.RESOLVE]


async def test_a_press_between_reading_and_writing_is_not_lost(house):
    """Somebody acknowledges while a round is being written: the round is compared again, and both hold."""
    house.world.dead_keys = {"env:KEY0"}
    await house.round(NOW, ONCE)
    alerts = house.alerts

    class Pressed:
        known, alert = alerts.known, alerts.alert
        presses = 1

        async def write(self, changes, now, told=()):
            if self.presses:
                self.presses -= 1
                [alert] = await alerts.known(now)
                assert await alerts.write([acknowledge(alert, "U0DANA", now)], now)
            return await alerts.write(changes, now, told)

    house.desk = replace(house.desk, alerts=Pressed())
    house.world.dead_keys = set()
    await house.round(NOW + ROUND, ONCE)
    [ended] = await alerts.known(NOW)
    assert (ended.state, ended.by) == (State.CLOSED, "U0DANA")


async def test_a_round_that_is_always_outrun_gives_up_in_one_sentence(house):
    """It does not spin for ever."""

    class Contested:
        known = house.alerts.known

        async def write(self, changes, now, told=()):
            return False

    house.desk = replace(house.desk, alerts=Contested())
    with pytest.raises(StorageError, match="changed by others all the time"):
        await house.round(NOW)


async def test_a_round_counts_the_shops_it_read(make):
    """A heartbeat may be sent only when METRC was read at all."""
    house = await make(shops=2)
    assert (await house.round(NOW)).read == 2
    house.world.host_down = True
    assert (await house.round(NOW + ROUND)).read == 0


# --- filling ----------------------------------------------------------------------------------------------------------

NO_TIME = timedelta(0)


async def test_a_shop_that_is_not_filled_yet_is_neither_silent_nor_well(house):
    """Nothing is mirrored and there is no time to fill: key and rights are judged, its sales are not known either way."""
    house.world.falls_silent("L0", NOW - DAY)
    house.desk = replace(house.desk, times=Times(fill=NO_TIME))
    done = await house.round(NOW, ONCE)
    assert (done.read, done.filling, done.open) == (1, ("L0",), ())
    house.world.dead_keys = {"env:KEY0"}
    assert [alert.kind for alert in (await house.round(NOW + ROUND, ONCE)).open] == [Kind.DEAD_KEY]
    house.world.dead_keys = set()
    for rounds in range(2, 8):
        assert (await house.round(NOW + rounds * ROUND)).filling == ("L0",)
    assert [kind for _, kind in house.told] == [Kind.DEAD_KEY, Kind.DEAD_KEY]
    house.desk = replace(house.desk, times=Times())
    # what a dead key leaves behind is no news for two hours
    done = await house.round(NOW + 3 * HOUR, ONCE)
    assert (done.filling, [alert.kind for alert in done.open]) == ((), [Kind.SYNC_SILENT])


async def test_an_alert_that_is_open_stays_while_a_shop_is_filled_again(house):
    """The bot was down for a day: until the gap is read nobody knows, so nothing is closed and nothing is opened."""
    house.world.falls_silent("L0", NOW - 3 * HOUR)
    await house.run(NOW, NOW + 2 * ROUND)
    assert house.told == [(What.FIRE, Kind.SYNC_SILENT)]
    house.desk = replace(house.desk, times=Times(fill=NO_TIME))
    done = await house.round(NOW + DAY, ONCE)
    assert (done.filling, [alert.kind for alert in done.open]) == (("L0",), [Kind.SYNC_SILENT])


async def test_filling_is_fair_and_resumed(make):
    """METRC gives six more answers: each shop gets a step of both feeds. The next round reads what is left, nothing twice."""
    house = await make(shops=3)
    house.desk = replace(house.desk, times=Times(fill=NO_TIME), at_once=1)
    await house.round(NOW)
    assert await widths(house) == {GLANCE}
    house.world.allowance, house.desk = 6, replace(house.desk, times=Times())
    done = await house.round(NOW + MINUTE)
    assert (sorted(done.filling), await widths(house)) == (["L0", "L1", "L2"], {STEP + GLANCE})
    house.world.allowance, house.world.asked = None, []
    done = await house.round(NOW + 2 * MINUTE)
    assert (done.filling, len(house.world.asked)) == ((), 3 + 3 * 2 * 2)


async def widths(house):
    held = [await s.mirror.coverage(feed) for s in house.desk.stations for feed in SALES]
    return {coverage.window.width for coverage in held}


async def test_what_there_was_no_time_for_is_unknown_and_comes_first_the_next_time(make):
    """Neither opened nor closed; told as not looked at only when that lasts."""
    house = await make(shops=2)
    await house.round(NOW)
    house.world.dead_keys = {"env:KEY0"}
    await house.round(NOW + ROUND, ONCE)
    house.desk = replace(house.desk, times=Times(touch=NO_TIME, fill=NO_TIME, judge=NO_TIME))
    late = await house.round(NOW + 2 * ROUND, ONCE)
    assert (late.read, sorted(late.late), [alert.kind for alert in late.open]) == (0, ["L0", "L1"], [Kind.DEAD_KEY])
    later = await house.round(NOW + 5 * ROUND, ONCE)
    assert [alert.kind for alert in later.open] == [Kind.DEAD_KEY, Kind.CANNOT_SEE]


async def test_a_database_that_fails_at_one_shop_ends_the_round_in_one_sentence(make):
    """Not as a group of errors, which nobody who waits for it would know; nothing is written."""
    house = await make(shops=2)

    async def broken(_memory):
        raise StorageError("The database cannot be used.")

    house.desk = replace(house.desk, duplicates=broken)
    with pytest.raises(StorageError, match="cannot be used"):
        await house.round(NOW)
    assert await house.alerts.known(NOW) == ()


async def test_a_host_that_hangs_is_not_waited_for_at_every_key(make):
    """Ten shops, a key each: three failures are enough, the others are told of the same outage."""
    house = await make(shops=10)
    house.desk = replace(house.desk, at_once=1)
    house.world.host_down = True
    done = await house.round(NOW, ONCE)
    assert house.world.asked == ["facilities"] * 3
    [outage] = done.open
    assert (outage.kind, len(outage.members)) == (Kind.METRC_OUTAGE, 10)


async def test_each_shop_learns_anew_at_a_time_of_its_own(house):
    """Not all of them in the round after midnight, for learning is the costly part; but every day."""
    await learned(house)

    async def learned_on():
        return json.loads((await house.memory.recall("learned"))["L0"])["on"]

    assert await learned_on() == "2026-03-03"
    midnight = datetime(2026, 3, 4, 7, tzinfo=UTC)
    await house.round(midnight + MINUTE)
    assert await learned_on() == "2026-03-03"
    await house.round(midnight + LEARNING_HOURS * HOUR)
    assert await learned_on() == "2026-03-04"


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("America/Chicago", "Mo-Su 10:00-22:00"), ("America/Phoenix", "Mo-Su 09:00-21:00"), ("America/Denver", None)],
)
async def test_another_zone_or_other_hours_raise_nothing_in_a_healthy_shop(make, zone, hours):
    """A shop that has learned its week is told to be elsewhere, or to have no hours: a day later all is still well."""
    house = await make(with_pos=False)
    for feed in SALES:
        await freshen(house.desk.stations[0].metrc(), house.desk.stations[0].mirror, feed, NOW - 42 * DAY, NOW)
    await house.round(NOW)
    house.watched(opening=opening(zone, hours))
    assert await house.run(NOW + ROUND, NOW + DAY + HOUR, every=4 * ROUND) == []
