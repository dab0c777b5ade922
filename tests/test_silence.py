"""A feed that is silent is told, and a shop that is only quiet is not."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.opening import Opening, opening, parse_hours, spoken
from bot.silence import (
    CAUTION,
    CELLS,
    HISTORY,
    LEAST_POSTS,
    LONGEST,
    POISSON,
    WEEK,
    Law,
    Pace,
    Posted,
    Rhythm,
    back_test,
    backlog,
    band,
    cadence,
    drifted,
    hourly,
    hours_of,
    learn,
    learn_delays,
    unseen,
    waiting_posts,
)
from tests.simulation import (
    BATCHED,
    BURSTY,
    REALTIME,
    REGIMES,
    STEADY,
    ShopYears,
    by_backlog,
    by_cadence,
    by_clock,
    by_longest_gaps,
    by_oracle,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)  # a Tuesday, 11:00 in Denver
DENVER = opening("America/Denver", "Mo-Su 09:00-21:00")


# --- opening hours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day", "spans"),
    [
        ("Mo-Su 09:00-21:00", 6, ((540, 1260),)),
        ("09:00-21:00", 2, ((540, 1260),)),
        ("24/7", 0, ((0, 1440),)),
        ("Mo-Fr 09:00-12:00,13:00-21:00; Sa 10:00-18:00", 0, ((540, 720), (780, 1260))),
        ("Mo-Fr 09:00-12:00; Sa 10:00-18:00", 6, ()),
        ("Mo-Su 09:00-21:00; Su off", 6, ()),
        ("Mo-Su 9:00 - 21:00; Sa,Su closed", 5, ()),
        ("Fr-Mo 22:00-02:00", 0, ((1320, 1560),)),
        ("Fr-Mo 22:00-26:00", 1, ()),
        ("mo,we 09:00-24:00", 2, ((540, 1440),)),
    ],
)
def test_opening_hours_are_read(text, day, spans):
    """Days, ranges, several spans, closed days, later rules over earlier ones, and spans past midnight."""
    assert parse_hours(text)[day] == spans


@pytest.mark.parametrize(
    "text",
    ["", "off", "Mo-Su", "Xx 09:00-21:00", "Mo 09:00", "Mo 09:60-10:00", "Mo 25:00-26:00", "Mo-Tu-We 09:00-10:00", "nine to five", "Mo 09:00-12:00,11:00-13:00", "Mo 09:00-40:00"],
)  # fmt: skip
def test_hours_that_cannot_be_read_are_refused(text):
    """Each fault is one sentence that says what is accepted or what is wrong."""
    with pytest.raises(ValueError, match=r"accepted|overlap"):
        parse_hours(text)


@pytest.mark.parametrize(("sunday", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 3, 15), 24)])
def test_a_day_is_as_long_as_it_really_is(sunday, hours):
    """A shop open all Sunday is open for 23 hours when the clock goes forward and for 25 when it goes back."""
    noon = datetime(*sunday, 19, tzinfo=UTC)
    assert opening("America/Denver", "Su 00:00-24:00").open_time(noon - DAY, noon + DAY) == hours * HOUR


def test_opening_follows_the_wall_clock_through_the_change():
    """Nine in the morning is an hour earlier in UTC after the change in spring."""
    saturday, sunday = datetime(2026, 3, 7, 10, tzinfo=UTC), datetime(2026, 3, 8, 10, tzinfo=UTC)
    assert DENVER.next_opening(saturday) == datetime(2026, 3, 7, 16, tzinfo=UTC)
    assert DENVER.next_opening(sunday) == datetime(2026, 3, 8, 15, tzinfo=UTC)


def test_both_sides_of_the_doors():
    """At nine it is open, at 21 it is not."""
    nine = datetime(2026, 3, 3, 16, tzinfo=UTC)
    assert [DENVER.is_open(at) for at in (nine - MINUTE, nine, nine + 12 * HOUR - MINUTE, nine + 12 * HOUR)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_holiday_shuts_the_whole_day_and_its_night():
    """A span that would run past midnight is shut with the day it begins on."""
    late = opening("America/Denver", "Mo-Su 18:00-02:00", [date(2026, 3, 3)])
    assert late.spans(NOW, NOW + DAY) == ()
    assert late.open_time(NOW - DAY, NOW) == 8 * HOUR
    assert late.next_opening(NOW) == datetime(2026, 3, 5, 1, tzinfo=UTC)


def test_a_shop_that_never_opens_again_has_no_next_opening():
    """Closed for more than a year ahead: there is no time to wait for."""
    days = [NOW.date() + n * DAY for n in range(-1, 500)]
    assert DENVER.also_closed(days).next_opening(NOW) is None


def test_nobody_told_the_hours():
    """Without hours a shop counts as open at any time, but for its holidays."""
    silent = opening("America/Denver", None, [date(2026, 3, 4)])
    assert silent.is_open(NOW)
    assert silent.open_time(NOW, NOW + 2 * DAY) == DAY


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (40 * MINUTE, "40 min"),
        (3 * HOUR, "3 h"),
        (200 * MINUTE, "3 h 20 min"),
        (DAY, "1 day"),
        (52 * HOUR, "2 days 4 h"),
    ],
)
def test_spans_are_spoken(span, words):
    """Durations are words."""
    assert spoken(span) == words


# --- the backlog ------------------------------------------------------------------------------------------------------


def law(seconds=60.0, count=5000):
    """Posts that take a minute, with an exponential tail."""
    return learn_delays((timedelta(seconds=-seconds * math.log((n + 0.5) / count)) for n in range(count)), HISTORY)


def sales(*minutes, recorded=(), parked=()):
    """Sales so many minutes ago; those in ``recorded`` are in METRC."""
    return [
        Posted(f"S{m}", NOW - m * MINUTE, NOW - m * MINUTE + MINUTE if m in recorded else None, m in parked)
        for m in minutes
    ]


def verdict(posts, **changes):
    given = {"law": law(), "plain": HOUR, "per_year": 1.0, "as_of": NOW} | changes
    return backlog(posts, **given)


def test_a_law_knows_the_median_and_the_limit():
    """Of exponential delays with a mean of a minute half are under 42 s, and one in a thousand is over 7 minutes."""
    learned = law()
    assert learned.usual == pytest.approx(timedelta(seconds=42), abs=timedelta(seconds=5))
    assert learned.limit == pytest.approx(timedelta(seconds=414), abs=timedelta(seconds=30))
    assert learned.surprise(timedelta(0)) == 0
    assert 6.5 < learned.surprise(learned.limit) < 7.3


def test_beyond_the_longest_delay_the_surprise_grows_with_care():
    """It goes on from what 5,000 posts can show, at a third of the pace at which the longest delays grew rarer."""
    learned = law()
    longest = timedelta(seconds=learned.knots[-1])
    assert learned.surprise(longest) == pytest.approx(math.log(5000), abs=0.1)
    hundredth, fifth = learned.longer_than(100 / 5000), learned.longer_than(5 / 5000)
    pace = math.log(100 / 5) / math.log(fifth / hundredth)
    assert learned.surprise(2 * longest) - learned.surprise(longest) == pytest.approx(pace / 3 * math.log(2), rel=0.2)


def test_a_shop_whose_posts_all_take_the_same_time_shows_no_pace():
    """There is nothing to go on from, so the surprise ends where the posts do; the plain four hours still hold."""
    learned = learn_delays([MINUTE] * 5000, HISTORY)
    assert learned.surprise(9 * DAY) == pytest.approx(math.log(5000), abs=0.1)
    assert verdict(sales(300, 241, recorded=(300,)), law=learned).silent


@pytest.mark.parametrize(("count", "weeks"), [(LEAST_POSTS - 1, 8), (LEAST_POSTS, 3.9)])
def test_a_law_is_not_claimed_from_too_little(count, weeks):
    """Too few posts, or under four weeks of them, teach nothing."""
    assert learn_delays([MINUTE] * count, weeks * WEEK) is None
    assert learn_delays([MINUTE] * LEAST_POSTS, 4 * WEEK) is not None


def test_delays_that_run_backwards_teach_nothing():
    """A clock that is wrong makes negative delays; they are dropped."""
    assert learn_delays([-MINUTE] * 1000, HISTORY) is None


@given(st.lists(st.floats(0, 1e5), min_size=LEAST_POSTS, max_size=400), st.floats(0, 2e5), st.floats(0, 2e5))
@settings(deadline=None, max_examples=60)
def test_older_is_never_less_surprising(delays, one, other):
    """The surprise grows with the age, and the limit stays within its bounds, whatever was learned."""
    learned = learn_delays([timedelta(seconds=s) for s in delays], HISTORY)
    young, old = sorted((one, other))
    assert learned.surprise(timedelta(seconds=young)) <= learned.surprise(timedelta(seconds=old))
    assert 5 * MINUTE <= learned.limit <= LONGEST


def test_all_recorded_is_well():
    """A shop whose sales are all in METRC is not silent."""
    assert not verdict(sales(50, 30, 10, 5, recorded=(50, 30, 10, 5))).silent


def test_sales_that_wait_as_long_as_usual_are_well():
    """Young sales may still arrive."""
    assert not verdict(sales(50, 30, 4, 3, 1, recorded=(50, 30))).silent


def test_a_feed_that_died_is_told():
    """Nothing sold in the last quarter of an hour has arrived."""
    told = verdict(sales(50, 30, 15, 12, 9, 6, 2, recorded=(50, 30)))
    assert told.silent
    assert told.since == NOW - 15 * MINUTE
    assert told.waiting == 5
    assert "5 sales wait, the oldest for 15 min" in told.says


def test_a_single_straggler_is_no_silence_while_later_sales_arrive():
    """One sale that hangs is a failed post, not a dead feed."""
    assert not verdict(sales(200, 30, 15, 1, recorded=(30, 15))).silent


def test_what_the_pos_gave_up_is_no_silence():
    """A refused or voided sale will never arrive, and is told as failed elsewhere."""
    assert not verdict(sales(90, 60, 50, 40, recorded=(90,), parked=(60, 50, 40))).silent


def test_a_single_last_sale_needs_more_time_than_several():
    """The last sale before closing may be the one in a thousand; when it waits three times as long as any ever did it is none."""
    assert verdict(sales(90, 12, 10, 8, recorded=(90,))).silent
    assert not verdict(sales(90, 12, recorded=(90,))).silent
    longest = timedelta(seconds=law().knots[-1])
    minutes = math.ceil(3 * longest / MINUTE)
    assert verdict(sales(90, minutes, recorded=(90,))).silent


def test_sales_of_one_moment_share_a_fate():
    """Ten sales posted in one go are one witness, not ten."""
    burst = [Posted(f"S{n}", NOW - 8 * MINUTE + timedelta(seconds=n), None) for n in range(10)]
    assert not verdict([*sales(60, recorded=(60,)), *burst]).silent
    assert verdict([*sales(60, 6, 5, 4, 3, recorded=(60,)), *burst]).silent


def test_without_history_a_plain_limit_holds_and_says_so():
    """Just under the plain limit nothing is said, past it it is, with the reason."""
    assert not verdict(sales(60), law=None).silent
    told = verdict(sales(61), law=None)
    assert told.silent
    assert "too little history" in told.says


def test_sales_after_the_reading_are_not_judged():
    """METRC was read ten minutes ago, so what was sold since then cannot be missing."""
    assert waiting_posts(sales(30, 5), NOW - 10 * MINUTE) == tuple(sales(30))


def test_drift_is_told_by_the_median():
    """Posts that take ten times as long are a drift, a few slow ones are none, and few posts tell nothing."""
    assert drifted([10 * MINUTE] * 20, law())
    assert not drifted([10 * MINUTE] * 9 + [MINUTE] * 11, law())
    assert not drifted([10 * MINUTE] * 19, law())
    assert not drifted([4 * MINUTE] * 30, law(20.0))


# --- the heartbeat ----------------------------------------------------------------------------------------------------


def test_not_looking_is_told_only_while_we_were_there_to_look():
    """A quarter of an hour without a reading counts from when the bot began to run without a break."""
    long_ago = NOW - 6 * HOUR
    assert not unseen(NOW - 15 * MINUTE, long_ago, 15 * MINUTE, NOW)
    assert unseen(NOW - 15 * MINUTE - timedelta(seconds=1), long_ago, 15 * MINUTE, NOW)
    assert not unseen(long_ago, NOW - MINUTE, 15 * MINUTE, NOW)
    assert unseen(None, NOW - 16 * MINUTE, 15 * MINUTE, NOW)


# --- the cadence ------------------------------------------------------------------------------------------------------


def every(gap, weeks=8, hours=DENVER):
    """A record every so often while the doors are open."""
    count = int(weeks * WEEK / gap)
    return [at for at in (NOW - n * gap for n in reversed(range(1, count + 1))) if hours.is_open(at)]


def rhythm_of(events, hours=DENVER):
    return learn(hourly(events), hours_of(hours, NOW - HISTORY, NOW))


def test_the_rate_is_drawn_towards_its_hour_of_the_day():
    """Two extra weeks of the hour's mean over all days: one busy Tuesday noon in 8 weeks is tempered so."""
    noon = [datetime(2026, 1, 6, 19, 30, tzinfo=UTC) + n * WEEK for n in range(8)]
    learned = rhythm_of([*noon, noon[0] - 5 * DAY])
    tuesday, monday = 24 + 12, 12
    assert learned.rates[tuesday] == pytest.approx((8 * 1 + 2 * (1 + 1 / 7) / 7) / 10, rel=0.2)
    assert 0 < learned.rates[monday] < 0.05
    assert learned.rates[24 + 13] == 0


def test_the_score_is_the_tempered_rate_added_up():
    """Two open hours at rate 4 and dispersion 2 score 2 · 2 · ln(1 + 4/2)."""
    flat = Rhythm((4.0,) * CELLS, 2.0, 336.0, 8.0)
    pace = Pace(flat, DENVER, NOW - HOUR, NOW + HOUR)
    assert pace.total(NOW + HOUR) == pytest.approx(2 * 2 * math.log(3))
    assert pace.total(NOW) == pytest.approx(2 * math.log(3))
    assert pace.total(NOW - DAY) == 0
    assert Rhythm((4.0,) * CELLS, POISSON, 336.0, 8.0).tempered(0) == pytest.approx(4.0, rel=1e-5)


def test_the_limit_is_the_logarithm_of_gaps_a_false_alarm():
    """ln(N/α), asked of a rate a little lower than the stated one."""
    assert Rhythm((), 1.0, 1000.0, 8.0).needed(2.0) == pytest.approx(math.log(1000 * 52 / 2 * CAUTION))


def test_the_score_stands_still_while_the_shop_is_shut():
    """A night adds nothing, so a record shortly before closing is not missed before the next morning."""
    flat = Rhythm((4.0,) * CELLS, POISSON, 336.0, 8.0)
    closing = datetime(2026, 3, 4, 4, tzinfo=UTC)
    pace = Pace(flat, DENVER, NOW, NOW + 2 * DAY)
    assert pace.total(closing + 12 * HOUR) == pytest.approx(pace.total(closing))
    assert pace.reached(closing - MINUTE, 5.0) == pytest.approx(
        closing + 12 * HOUR + 5 / 4 * HOUR - MINUTE, abs=timedelta(seconds=1)
    )
    assert pace.reached(NOW, 1e9) is None


@given(st.floats(0.1, 50), st.integers(0, 60 * 24 * 6), st.floats(0.01, 30))
@settings(deadline=None, max_examples=60)
def test_reached_is_the_inverse_of_the_score(rate, minutes, score):
    """When a silence has a score, and what it has then, are the same question."""
    pace = Pace(Rhythm((rate,) * CELLS, 3.0, 100.0, 8.0), DENVER, NOW, NOW + 60 * DAY)
    since = NOW + minutes * MINUTE
    at = pace.reached(since, score)
    if at is not None:
        assert pace.total(at) - pace.total(since) == pytest.approx(score, rel=1e-4, abs=1e-4)


def test_a_steady_shop_is_told_within_hours_and_not_before():
    """A record every five minutes: half an hour of nothing is nothing, two hours are an alarm."""
    learned = rhythm_of(every(5 * MINUTE))
    assert not cadence(learned, DENVER, NOW - HOUR / 2, 1.0, NOW).silent
    told = cadence(learned, DENVER, NOW - 2 * HOUR, 1.0, NOW)
    assert told.silent
    assert "once a year at most" in told.says


def test_a_holiday_raises_nothing_when_declared():
    """The same gap over a day: a day that was declared closed counts for nothing."""
    learned = rhythm_of(every(5 * MINUTE))
    last = datetime(2026, 3, 4, 3, 55, tzinfo=UTC)
    after = datetime(2026, 3, 5, 16, 10, tzinfo=UTC)
    assert cadence(learned, DENVER, last, 1.0, after).silent
    assert not cadence(learned, DENVER.also_closed([date(2026, 3, 4)]), last, 1.0, after).silent


@pytest.mark.parametrize("night", [datetime(2026, 3, 8, 3, 59, tzinfo=UTC), datetime(2026, 11, 1, 2, 59, tzinfo=UTC)])
def test_the_nights_of_the_clock_change_raise_nothing(night):
    """From closing to a few minutes after opening, on both nights and in five zones."""
    for zone in ("America/Denver", "America/New_York", "America/Los_Angeles", "America/Chicago", "America/Phoenix"):
        hours = opening(zone, "Mo-Su 09:00-21:00")
        learned = Rhythm((12.0,) * CELLS, POISSON, 1008.0, 8.0)
        last = max(end for _, end in hours.spans(night - DAY, night + 4 * HOUR)) - MINUTE
        opens = hours.next_opening(last + 2 * HOUR)
        assert not cadence(learned, hours, last, 1.0, opens + 20 * MINUTE).silent
        assert cadence(learned, hours, last, 1.0, opens + 90 * MINUTE).silent


def test_under_four_weeks_a_plain_limit_holds_and_says_so():
    """Four open hours where the hours are known, a day on the clock where they are not; the sentence says why."""
    assert rhythm_of(every(5 * MINUTE, weeks=3)) is None
    assert rhythm_of(every(5 * MINUTE, weeks=5)) is not None
    assert rhythm_of([]) is None
    closing = datetime(2026, 3, 3, 4, tzinfo=UTC)
    four_open_hours = closing - HOUR + 12 * HOUR + 4 * HOUR
    assert not cadence(None, DENVER, closing - HOUR, 1.0, four_open_hours).silent
    told = cadence(None, DENVER, closing - HOUR, 1.0, four_open_hours + MINUTE)
    assert told.silent
    assert "under 4 weeks of history the limit is a plain 4 open hours" in told.says
    unknown = Opening("America/Denver")
    assert not cadence(None, unknown, NOW - DAY, 1.0, NOW).silent
    assert cadence(None, unknown, NOW - DAY - MINUTE, 1.0, NOW).silent


def test_burstiness_is_learned():
    """Records that come in clumps have a small dispersion; even ones count as Poisson."""
    clumps = [at + n * timedelta(seconds=30) for at in every(timedelta(hours=5)) for n in range(20)]
    assert rhythm_of(every(5 * MINUTE)).dispersion == POISSON
    assert 1.0 <= rhythm_of(clumps).dispersion < 2.0


def test_a_back_test_tells_what_would_have_been():
    """An even shop would never have been told of; a dead afternoon would have been, once."""
    events = every(5 * MINUTE)
    assert back_test(events, DENVER, 1.0, NOW).says == "Over the last 8 weeks it would have alerted 0 times."
    hole = (NOW - 10 * DAY, NOW - 10 * DAY + 4 * HOUR)
    tested = back_test([e for e in events if not hole[0] < e < hole[1]], DENVER, 1.0, NOW)
    assert tested.says == "Over the last 8 weeks it would have alerted once."
    [(start, end)] = tested.alarms
    assert start <= hole[0]
    assert end >= hole[1]


def test_a_back_test_begins_with_the_first_record():
    """Weeks before anything was mirrored are no silence, and are not counted as judged."""
    tested = back_test(every(5 * MINUTE, weeks=6), DENVER, 1.0, NOW)
    assert (tested.weeks, tested.alarms) == (6, ())


def test_a_back_test_without_history_says_so():
    """Nothing was judged, and the sentence does not claim that it was."""
    assert back_test([], DENVER, 1.0, NOW).says.startswith("There is too little history")


def test_the_band_of_a_chart_holds_what_is_usual():
    """Every open hour has what to expect, and a band around it that is wider for a bursty shop."""
    steady = Rhythm((16.0,) * CELLS, POISSON, 1344.0, 8.0)
    bars = band(steady, DENVER, NOW - DAY, NOW)
    assert len(bars) == 12
    assert (bars[0].expected, bars[0].low, bars[0].high) == pytest.approx((16, 8, 24), abs=0.01)
    assert band(Rhythm((16.0,) * CELLS, 2.0, 1344.0, 8.0), DENVER, NOW - DAY, NOW)[0].high > 39


# --- a simulated year, small ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_every_simulated_failure_is_told(regime):
    """In a quarter of a year, season, holidays and slow days in it, no death of the feed stays untold."""
    shop = ShopYears(1, regime, weeks=13)
    deaths = shop.deaths(12)
    ours, best = by_cadence(shop, deaths), by_oracle(shop, deaths)
    assert None not in ours.delays
    assert ours.false_alarms <= 3
    assert len(ours.delays) == len(best.delays) == 12


def test_rivals_cry_wolf_or_sleep():
    """On the same quarter: an hour on the clock wakes people every night, a day on the clock takes a day."""
    shop = ShopYears(2, BURSTY, weeks=13)
    deaths = shop.deaths(12)
    assert by_clock(shop, HOUR, deaths).false_alarms > 80
    assert min(by_clock(shop, DAY, deaths).delays) > 20
    assert by_longest_gaps(shop, deaths).false_alarms + min(by_longest_gaps(shop, deaths).delays) > 1


@pytest.mark.parametrize("posting", [REALTIME, BATCHED], ids=lambda posting: posting.name)
def test_a_backlog_is_told_within_the_hour(posting):
    """Where the POS can be read a death is told fast, with next to no false alarms in a quarter."""
    shop = ShopYears(3, STEADY, weeks=13)
    told, learned = by_backlog(shop, posting, shop.deaths(12))
    assert learned.limit < 15 * MINUTE
    assert sorted(told.delays)[len(told.delays) // 2] < 0.6
    assert told.false_alarms <= 3


def test_law_is_a_value():
    """What was learned can be kept and compared."""
    assert law() == law()
    assert isinstance(law(), Law)
