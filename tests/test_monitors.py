"""Each monitor: a healthy shop first, then one thing is broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.alerts import Kind
from bot.errors import Problem, ProblemKind
from bot.model import (
    Facility,
    Feed,
    MetrcDelivery,
    MetrcReceipt,
    PosPackage,
    PosSaleLine,
    Posting,
    Reading,
    Shop,
    Submission,
)
from bot.monitors import (
    FAMILIES,
    MONITORS,
    PATIENCE,
    SYNC_PATIENCE,
    SYNCED,
    Facts,
    Learned,
    Watched,
    failed,
    hosts_down,
    posted,
    seen,
    step_of,
    unmapped,
)
from bot.opening import opening
from bot.silence import HISTORY, Posted, Verdict, learn_delays

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SHOP = Shop("L1", "Harbor Street", "America/Denver", Posting.BATCH, max_age_minutes=60)
WATCHED = Watched(
    shop=SHOP,
    host="api-co.metrc.com",
    key="env:METRC_USER_KEY_HARBOR",
    opening=opening("America/Denver", "Mo-Su 09:00-21:00"),
    channel="C0FLOOR",
    key_issued_on=date(2025, 12, 1),
)
LAW = learn_delays([timedelta(seconds=n % 300) for n in range(5000)], HISTORY)


def problem(kind):
    return Reading("metrc", "GET /x", problem=Problem(kind, f"METRC said {kind}.", status=400))


def held(at=NOW):
    return Reading("metrc", "GET /x", at, at)


def sees(*licenses, **changes):
    return Reading("metrc", "GET /facilities/v2/", NOW, tuple(Facility(lic, lic, **changes) for lic in licenses))


HEALTHY = Facts(
    watched=WATCHED,
    at=NOW,
    facilities=sees("L1"),
    feeds={feed: held() for feed in FAMILIES},
    watching_since=NOW - 10 * DAY,
    last_seen=NOW,
    families=frozenset({"sales", "packages"}),
    exported=held(NOW - 5 * MINUTE),
    posts=(Posted("S1", NOW - 30 * MINUTE, NOW - 28 * MINUTE), Posted("S2", NOW - MINUTE)),
    newest_record=NOW - 28 * MINUTE,
    read_at=dict.fromkeys(Feed, NOW),
    behind=Verdict(silent=False, since=None, says="METRC's packages change as its sales are recorded."),
    learned=Learned(NOW.date(), LAW),
    unmapped=(),
    duplicates=(),
    unheld=(),
)


def but(**changes):
    return replace(HEALTHY, **changes)


def kinds(*every):
    return {condition.kind for condition in seen(every or (HEALTHY,)).conditions}


def only(facts):
    [condition] = seen([facts]).conditions
    return condition


def unknown(facts):
    return {kind for kind, _ in seen([facts]).unknown}


def test_a_healthy_shop_has_no_condition_and_nothing_is_unknown():
    """All monitors looked, and all is well."""
    assert seen([HEALTHY]).conditions == ()
    assert seen([HEALTHY]).unknown == frozenset()


# --- METRC, the key, the rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in ProblemKind if k.is_outage])
def test_a_host_that_does_not_answer_is_an_outage_and_nothing_else(kind):
    """No key is called dead, no feed silent, and what needs METRC is unknown."""
    down = but(facilities=problem(kind), feeds={feed: problem(kind) for feed in FAMILIES}, posts=None)
    assert kinds(down) == {Kind.METRC_OUTAGE}
    assert {Kind.DEAD_KEY, Kind.SYNC_SILENT, Kind.LICENSE_END} <= unknown(down)
    assert "do not renew" in only(down).remedy


def test_an_outage_needs_most_of_the_shops_of_the_host():
    """One shop of three without an answer has a trouble of its own; two of three are the host's."""
    down = problem(ProblemKind.TIMEOUT)
    shops = [another(n) for n in range(3)]
    one = [replace(shops[0], facilities=down), *shops[1:]]
    two = [*(replace(shop, facilities=down) for shop in shops[:2]), shops[2]]
    assert hosts_down(one) == frozenset()
    assert hosts_down(two) == {"api-co.metrc.com"}
    other_state = replace(HEALTHY, watched=replace(WATCHED, host="api-or.metrc.com"))
    assert hosts_down([*two, other_state]) == {"api-co.metrc.com"}


def another(number, **changes):
    name = f"L{number}"
    watched = replace(WATCHED, shop=replace(SHOP, license=name), key=f"env:KEY{number}")
    return replace(HEALTHY, watched=watched, facilities=sees(name), **changes)


def test_shops_whose_turn_did_not_come_say_nothing_about_their_host():
    """Three of a hundred were asked and all failed: the host is down, for the others as well."""
    down = [but(facilities=problem(ProblemKind.TIMEOUT), watched=named(f"L{n}")) for n in range(3)]
    late = [but(facilities=problem(ProblemKind.DEADLINE), late=True, watched=named(f"M{n}")) for n in range(97)]
    assert hosts_down(late) == frozenset()
    assert hosts_down([*down, *late]) == {"api-co.metrc.com"}
    found = seen([*down, *late]).conditions
    assert {condition.kind for condition in found} == {Kind.METRC_OUTAGE}
    assert len(found) == 100


def test_what_is_read_at_a_turn_is_unknown_without_one():
    """The POS, the past, the news; not the date of the key, which needs nothing."""
    late = but(late=True, exported=None, posts=None, duplicates=("R1",))
    assert seen([late]).conditions == ()
    assert {Kind.SYNC_SILENT, Kind.EXPORT_STALE, Kind.NEW_DUPLICATES} <= unknown(late)
    assert Kind.KEY_EXPIRY not in unknown(late)


def test_a_shop_that_is_being_filled_is_not_judged_by_its_sales():
    """Neither silent nor well; its key and its rights are."""
    filling = but(filling=True, posts=(Posted("S1", NOW - 9 * HOUR),))
    assert unknown(filling) == {Kind.CHANGES_SILENT, Kind.SYNC_SILENT, Kind.POSTS_FAILING, Kind.DELAY_GROWN}
    assert kinds(filling) == set()


def named(license_number):
    return replace(WATCHED, shop=replace(SHOP, license=license_number), key=f"env:{license_number}")


def test_a_dead_key_is_told_with_the_way_to_renew_it():
    """METRC answers and refuses: the alert names where the key is kept, and what a new key does to the old one."""
    dead = but(
        facilities=problem(ProblemKind.UNAUTHORIZED), feeds={f: problem(ProblemKind.UNAUTHORIZED) for f in FAMILIES}
    )
    found = only(dead)
    assert (found.kind, found.cause) == (Kind.DEAD_KEY, "env:METRC_USER_KEY_HARBOR")
    for words in ("env:METRC_USER_KEY_HARBOR", "countlast doctor", "kills the old one", "Never paste a key into Slack"):
        assert words in found.remedy
    assert Kind.SYNC_SILENT in unknown(dead)


def test_a_key_that_cannot_be_read_is_told_as_that():
    """Nothing came from METRC, so nobody is told to renew the key: it is missing where it should be."""
    gone = Reading(
        "metrc", "GET /facilities/v2/", problem=Problem(ProblemKind.UNAUTHORIZED, "env:KEY is not set or empty")
    )
    found = only(but(facilities=gone, feeds=dict.fromkeys(FAMILIES, gone)))
    assert found.kind is Kind.DEAD_KEY
    assert "cannot be read: env:KEY is not set or empty." in found.says
    assert "new key" not in found.remedy


def test_all_keys_refused_in_one_round_are_an_outage():
    """Keys of different shops do not die together, and nobody is told to renew good ones."""
    refused = [another(n, last_seen=NOW - 5 * MINUTE) for n in range(3)]
    refused = [replace(facts, facilities=problem(ProblemKind.UNAUTHORIZED)) for facts in refused]
    assert kinds(*refused) == {Kind.METRC_OUTAGE}


def test_a_second_key_that_dies_later_is_a_dead_key():
    """The first one has been dead for an hour, so this is no outage."""
    refused = [
        replace(another(n, last_seen=NOW - age), facilities=problem(ProblemKind.UNAUTHORIZED))
        for n, age in enumerate((HOUR, 5 * MINUTE))
    ]
    assert kinds(*refused) == {Kind.DEAD_KEY, Kind.CANNOT_SEE}


def test_keys_that_died_together_stay_an_outage_and_nobody_is_told_to_renew_them():
    """Forty minutes later they have still died in the same moment; what they share may have ended, and that is said."""
    shops = [replace(another(n, last_seen=NOW - 40 * MINUTE), facilities=refused_key()) for n in range(3)]
    assert kinds(*shops) == {Kind.METRC_OUTAGE}
    outage = seen(shops).conditions[0]
    assert "refuses every key since the same moment" in outage.says
    assert "vendor key" in outage.remedy
    assert "renew none of them" in outage.remedy


def test_keys_that_cannot_be_read_are_no_outage():
    """Two references that point nowhere never came to METRC: each is told as that."""
    gone = Reading("metrc", "GET /facilities/v2/", problem=Problem(ProblemKind.UNAUTHORIZED, "env:KEY is not set"))
    assert kinds(*(replace(another(n), facilities=gone) for n in range(2))) == {Kind.DEAD_KEY}


def refused_key():
    return Reading("metrc", "GET /facilities/v2/", problem=Problem(ProblemKind.UNAUTHORIZED, "Refused.", status=401))


def test_one_dead_key_at_many_shops_is_not_an_outage():
    """A single key says nothing about the host."""
    refused = [
        replace(
            another(n), watched=replace(another(n).watched, key="env:ONE"), facilities=problem(ProblemKind.UNAUTHORIZED)
        )
        for n in range(5)
    ]
    assert kinds(*refused) == {Kind.DEAD_KEY}


def test_a_right_that_was_there_and_is_refused_is_lost():
    """The key lives, transfers could be read before, now they are refused."""
    feeds = HEALTHY.feeds | {Feed.TRANSFERS_INCOMING: problem(ProblemKind.UNAUTHORIZED)}
    assert kinds(but(feeds=feeds)) == set()
    lost = only(but(feeds=feeds, families=frozenset({"transfers", "sales", "packages"})))
    assert (lost.kind, lost.family) == (Kind.LOST_RIGHT, "transfers")


def test_without_sales_or_packages_nothing_can_be_compared():
    """These two rights are missed even where they were never there."""
    feeds = HEALTHY.feeds | {Feed.PACKAGES_ACTIVE: problem(ProblemKind.FORBIDDEN)}
    assert only(but(feeds=feeds, families=frozenset())).family == "packages"


def test_a_license_the_key_no_longer_sees_is_a_lost_right():
    """The key lives, but the facility is not in its list."""
    found = only(but(facilities=sees("L7")))
    assert found.kind is Kind.LOST_RIGHT
    assert "no longer sees license L1" in found.says


@pytest.mark.parametrize(
    ("kind", "is_unknown"),
    [(ProblemKind.NOT_FOUND, False), (ProblemKind.TIMEOUT, True), (ProblemKind.RATE_LIMITED, True)],
)
def test_a_feed_that_was_not_read_may_still_have_lost_its_right(kind, is_unknown):
    """What a state does not offer is settled; what gave no answer is unknown."""
    feeds = HEALTHY.feeds | {Feed.TRANSFERS_INCOMING: problem(kind)}
    assert (Kind.LOST_RIGHT in unknown(but(feeds=feeds))) is is_unknown


def test_not_having_looked_is_told_after_a_quarter_of_an_hour():
    """Just before it nothing is said, after it the reason is given; and nothing is called silent."""
    limited = {feed: problem(ProblemKind.RATE_LIMITED) for feed in FAMILIES}
    assert kinds(but(feeds=limited, last_seen=NOW - PATIENCE)) == set()
    blind = but(feeds=limited, last_seen=NOW - PATIENCE - MINUTE)
    assert only(blind).kind is Kind.CANNOT_SEE
    assert "METRC has not been read for 16 min. METRC said rate_limited." in only(blind).says
    assert Kind.SYNC_SILENT in unknown(blind)


def test_looks_in_vain_are_told_however_far_apart():
    """Whoever looks by hand each half hour has no unbroken watch; three looks in vain are told all the same."""
    limited = {feed: problem(ProblemKind.RATE_LIMITED) for feed in FAMILIES}
    by_hand = but(feeds=limited, last_seen=NOW - 2 * HOUR, watching_since=NOW)
    assert kinds(replace(by_hand, blind=2)) == set()
    assert only(replace(by_hand, blind=3)).kind is Kind.CANNOT_SEE


def test_a_bot_that_was_down_does_not_blame_metrc():
    """After six hours of sleep the first round has seen nothing for six hours, and says nothing."""
    limited = {feed: problem(ProblemKind.RATE_LIMITED) for feed in FAMILIES}
    assert kinds(but(feeds=limited, last_seen=NOW - 6 * HOUR, watching_since=NOW)) == set()


# --- one list of METRC's ----------------------------------------------------------------------------------------------


def broken(kind, age, feed=Feed.PACKAGES_ACTIVE):
    """One list fails, and was last read so long ago; the others are well."""
    return but(feeds=HEALTHY.feeds | {feed: problem(kind)}, read_at=HEALTHY.read_at | {feed: NOW - age})


@pytest.mark.parametrize("kind", [ProblemKind.TIMEOUT, ProblemKind.RATE_LIMITED, ProblemKind.SERVER_FAULT])
def test_a_list_that_is_not_read_is_told_though_the_others_are(kind):
    """After a quarter of an hour, with its name, since when, and METRC's words."""
    assert kinds(broken(kind, PATIENCE)) == set()
    found = only(broken(kind, PATIENCE + MINUTE))
    assert (found.kind, found.family, found.since) == (Kind.FEED_UNREAD, "packages", NOW - 16 * MINUTE)
    assert (
        f"METRC's packages have not been read for 16 min, while its other lists have. METRC said {kind}." == found.says
    )
    assert "countlast doctor" in found.remedy


def test_a_list_that_is_refused_or_not_offered_is_told_elsewhere():
    """A right is lost, or the state has no such list; that is no list that was forgotten."""
    for kind in (ProblemKind.UNAUTHORIZED, ProblemKind.NOT_FOUND):
        assert Kind.FEED_UNREAD not in kinds(broken(kind, DAY, Feed.TRANSFERS_INCOMING))


def test_where_nothing_is_read_only_that_is_told():
    """All lists fail: METRC could not be read, and no single list is named beside it; nor is one closed."""
    limited = {feed: problem(ProblemKind.RATE_LIMITED) for feed in FAMILIES}
    blind = but(feeds=limited, last_seen=NOW - HOUR, read_at=dict.fromkeys(Feed, NOW - HOUR))
    assert only(blind).kind is Kind.CANNOT_SEE
    assert Kind.FEED_UNREAD in unknown(blind)


def test_a_list_of_the_sync_is_told_with_what_metrc_said():
    """Adjustments failed in the last sync; once they were held, and that is over an hour old."""
    said = {Feed.ADJUSTMENTS: "METRC answered 500."}
    fresh = HEALTHY.read_at | {Feed.ADJUSTMENTS: NOW - SYNC_PATIENCE}
    assert kinds(but(refused=said, read_at=fresh)) == set()
    found = only(but(refused=said, read_at=fresh | {Feed.ADJUSTMENTS: NOW - SYNC_PATIENCE - MINUTE}))
    assert (
        "METRC's adjustments have not been read for 1 h 1 min, while its other lists have. METRC answered 500."
        in found.says
    )
    never = {feed: at for feed, at in fresh.items() if feed is not Feed.ADJUSTMENTS}
    assert kinds(but(refused=said, read_at=never)) == set()


def test_a_sync_that_does_not_run_names_no_list():
    """Whoever only calls single commands has no sync; nothing has failed, so nothing is told."""
    assert kinds(but(read_at=dict.fromkeys(Feed, NOW - 9 * DAY) | dict.fromkeys(FAMILIES, NOW))) == set()


def test_a_sync_that_begins_and_never_gets_to_its_lists_is_told_once():
    """However many lists there are; one that METRC refused is told with its own words instead."""
    old = HEALTHY.read_at | dict.fromkeys(SYNCED, NOW - DAY)
    assert kinds(but(read_at=old, sync_begun=NOW - SYNC_PATIENCE - MINUTE)) == set()
    found = only(but(read_at=old, sync_begun=NOW - MINUTE))
    assert (found.kind, found.since) == (Kind.FEED_UNREAD, NOW - DAY)
    assert "have not been read for 1 day: the sync does not get to them." in found.says
    fresh = HEALTHY.read_at | {Feed.ITEMS: NOW - DAY}
    assert len(seen([but(read_at=fresh, sync_begun=NOW, refused={Feed.ITEMS: "METRC said no."})]).conditions) == 1


def test_a_list_of_packages_that_is_behind_the_sales_is_told():
    """With what not to do, and what reads afresh; where it cannot be told it is unknown."""
    said = Verdict(silent=True, since=NOW - 40 * MINUTE, says="METRC has recorded 9 sales.", waiting=9)
    found = only(but(behind=said))
    assert (found.kind, found.since, found.family) == (Kind.CHANGES_SILENT, NOW - 40 * MINUTE, "packages")
    assert "adjust nothing" in found.remedy
    feeds = HEALTHY.feeds | {Feed.PACKAGES_ACTIVE: problem(ProblemKind.TIMEOUT)}
    for blind in (but(behind=None), but(behind=said, feeds=feeds), but(behind=said, filling=True)):
        assert Kind.CHANGES_SILENT in unknown(blind)
        assert Kind.CHANGES_SILENT not in kinds(blind)


# --- the sync ---------------------------------------------------------------------------------------------------------


def waiting(*minutes, since=200):
    known = (Posted("known", NOW - since * MINUTE, NOW - since * MINUTE + MINUTE),)
    return known + tuple(Posted(f"S{m}", NOW - m * MINUTE) for m in minutes)


def test_sales_that_do_not_arrive_are_a_silent_sync():
    """Told with how many wait and for how long, that the key was tried, and since when."""
    found = only(but(posts=waiting(40, 30, 20, 10, 5)))
    assert found.kind is Kind.SYNC_SILENT
    assert found.since == NOW - 40 * MINUTE
    assert "5 sales wait, the oldest for 40 min" in found.says
    assert "was tried just now and is alive" in found.remedy


def test_silence_is_judged_only_on_a_fresh_reading():
    """The same sales, but METRC's receipts were not read in this round: unknown, not silent."""
    feeds = HEALTHY.feeds | {Feed.RECEIPTS_ACTIVE: problem(ProblemKind.RATE_LIMITED)}
    blind = but(posts=waiting(40, 30, 20, 10, 5), feeds=feeds)
    assert kinds(blind) == set()
    assert Kind.SYNC_SILENT in unknown(blind)


def test_a_shop_that_is_shut_is_not_woken():
    """At night the silence waits for the doors to open; a dead key does not."""
    night = NOW + 13 * HOUR
    feeds = {feed: held(night) for feed in FAMILIES}
    silent = but(at=night, feeds=feeds, last_seen=night, exported=None, posts=waiting(40, 30))
    assert only(silent).quiet_until == datetime(2026, 3, 4, 16, tzinfo=UTC)
    dead = but(at=night, facilities=problem(ProblemKind.UNAUTHORIZED), exported=None)
    assert {c.quiet_until for c in seen([dead]).conditions if c.kind is Kind.DEAD_KEY} == {None}


def test_a_pos_that_posts_at_night_is_late_only_after_its_run():
    """An hour after the run begins what is still missing has been left behind."""
    nightly = replace(SHOP, posting=Posting.NIGHTLY, nightly_at="04:00 America/Denver")
    watched = replace(WATCHED, shop=nightly)
    run = datetime(2026, 3, 3, 11, tzinfo=UTC)
    posts = (Posted("S1", run - 10 * HOUR),)
    for at, silent in ((run + HOUR, False), (run + HOUR + MINUTE, True)):
        feeds = {feed: held(at) for feed in FAMILIES}
        facts = but(watched=watched, at=at, feeds=feeds, last_seen=at, exported=None, posts=posts)
        assert (kinds(facts) == {Kind.SYNC_SILENT}) is silent


def test_a_nightly_pos_that_cannot_be_read_is_judged_by_its_runs():
    """Three healthy days raise nothing, whatever the hour; a run that left nothing is told an hour after it began."""
    nightly = replace(SHOP, posting=Posting.NIGHTLY, nightly_at="04:00 America/Denver")
    watched = replace(WATCHED, shop=nightly)
    run = datetime(2026, 3, 3, 11, tzinfo=UTC)

    def at(moment, newest):
        feeds = {feed: held(moment) for feed in FAMILIES}
        facts = but(watched=watched, at=moment, feeds=feeds, last_seen=moment, exported=None, posts=None)
        return kinds(replace(facts, newest_record=newest, learned=None, read_at=dict.fromkeys(Feed, moment)))

    for quarters in range(3 * 96):
        moment = run + HOUR + quarters * 15 * MINUTE
        assert at(moment, run + (moment - HOUR - run) // DAY * DAY + 5 * MINUTE) == set()
    assert at(run + HOUR, run - DAY) == set()
    assert at(run + HOUR + MINUTE, run - DAY) == {Kind.SYNC_SILENT}


def test_a_run_after_a_closed_day_may_bring_nothing():
    """Nothing was sold, so nothing is to be posted."""
    nightly = replace(SHOP, posting=Posting.NIGHTLY, nightly_at="04:00 America/Denver")
    shut = opening("America/Denver", "Mo-Su 09:00-21:00", [date(2026, 3, 2)])
    facts = but(watched=replace(WATCHED, shop=nightly, opening=shut), posts=None, newest_record=NOW - 31 * HOUR)
    assert kinds(facts) == set()


def test_days_without_a_sale_do_not_say_that_what_waited_has_arrived():
    """The POS has sold nothing in the days that are looked at: unknown, which closes nothing."""
    assert Kind.SYNC_SILENT in unknown(but(posts=()))


def test_without_a_pos_the_cadence_is_judged():
    """Nothing new in METRC for a day of open hours, and no POS to ask: silent, by the plain limit."""
    assert kinds(but(posts=None, newest_record=NOW - HOUR, learned=None)) == set()
    found = only(but(posts=None, newest_record=NOW - DAY, learned=None))
    assert found.kind is Kind.SYNC_SILENT
    assert "under 4 weeks of history" in found.says
    assert Kind.SYNC_SILENT in unknown(but(posts=None, newest_record=None))


def test_three_failed_posts_are_a_pile():
    """Two are a till's slip, three are told by their numbers."""
    assert kinds(but(failed=("S1", "S2"))) == set()
    found = only(but(failed=("S1", "S2", "S3")))
    assert found.kind is Kind.POSTS_FAILING
    assert "S1, S2, S3" in found.says


def test_posting_that_became_slow_is_told():
    """The median of the last hours is far beyond what used to be usual."""
    assert kinds(but(recent=(3 * MINUTE,) * 30)) == set()
    found = only(but(recent=(20 * MINUTE,) * 30))
    assert found.kind is Kind.DELAY_GROWN
    assert "now take 20 min" in found.says


def test_an_old_export_is_told_while_the_doors_are_open():
    """61 minutes are too old at eleven; at five past nine last night's export is 5 open minutes old."""
    assert kinds(but(exported=held(NOW - 60 * MINUTE))) == set()
    assert kinds(but(exported=held(NOW - 61 * MINUTE))) == {Kind.EXPORT_STALE}
    morning = datetime(2026, 3, 3, 16, 5, tzinfo=UTC)
    feeds = {feed: held(morning) for feed in FAMILIES}
    assert kinds(but(at=morning, feeds=feeds, last_seen=morning, exported=held(morning - 12 * HOUR), posts=())) == set()


def test_a_pos_that_cannot_be_read_is_told():
    """A refused file is not an old one: the reason is given."""
    found = only(but(exported=problem(ProblemKind.UNREADABLE)))
    assert "cannot be read: METRC said unreadable." in found.says


# --- what ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "step"),
    [
        (31, None),
        (30, 30),
        (15, 30),
        (14, 14),
        (8, 14),
        (7, 7),
        (4, 7),
        (3, 3),
        (2, 3),
        (1, 1),
        (0, 0),
        (-1, -1),
        (-9, -9),
    ],
)
def test_steps_are_30_14_7_3_1_and_then_every_day(days, step):
    """On both sides of every step."""
    assert step_of(days) == step


def test_a_key_that_expires_is_told_by_the_shops_own_date():
    """Issued on 1 December for 365 days; 30 days before it the first step is reached."""
    at = datetime(2026, 11, 1, 18, tzinfo=UTC)
    feeds = {feed: held(at) for feed in FAMILIES}
    facts = but(at=at, feeds=feeds, last_seen=at, exported=None, posts=())
    found = only(facts)
    assert (found.kind, found.step) == (Kind.KEY_EXPIRY, 30)
    assert "ends in 30 days, on 2026-12-01" in found.says
    assert kinds(replace(facts, at=at - DAY)) == set()


def test_a_key_without_a_date_is_not_guessed_at():
    """METRC tells no date; where no person did, there is nothing to tell."""
    assert kinds(but(watched=replace(WATCHED, key_issued_on=None), at=NOW + 900 * DAY, last_seen=NOW + 900 * DAY, exported=None, posts=())) <= {Kind.SYNC_SILENT}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "kind"), [("license_ends_on", Kind.LICENSE_END), ("support_expires_on", Kind.SUPPORT_END)]
)
def test_metrcs_own_dates_are_told(field, kind):
    """The license's end, and the end of support."""
    assert kinds(but(facilities=sees("L1", **{field: date(2026, 4, 3)}))) == set()
    found = only(but(facilities=sees("L1", **{field: date(2026, 3, 4)})))
    assert (found.kind, found.step) == (kind, 1)
    assert "ends tomorrow" in found.says
    assert found.quiet_until is None


def test_what_ended_is_told_as_ended():
    """Two days after the end the sentence says so."""
    assert "ended 2 days ago" in only(but(facilities=sees("L1", license_ends_on=date(2026, 3, 1)))).says


# --- news -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "kind"),
    [("unmapped", Kind.MAPPING_DRIFT), ("duplicates", Kind.NEW_DUPLICATES), ("unheld", Kind.FIX_NOT_HELD)],
)
def test_news_are_listed(field, kind):
    """The first five are named, the rest is counted; not having looked is unknown."""
    found = only(but(**{field: tuple("abcdefg")}))
    assert found.kind is kind
    assert found.says.endswith("a, b, c, d, e and 2 more.")
    assert unknown(but(**{field: None})) == {kind}


def test_every_kind_has_a_monitor_but_the_hosts():
    """An outage is judged over all shops, everything else at each."""
    assert set(Kind) - set(MONITORS) == {Kind.METRC_OUTAGE}


# --- POS beside METRC -------------------------------------------------------------------------------------------------


def line(sale, minutes, **changes):
    made = PosSaleLine(sale, "1", "1A4FF0100000022000001002", Decimal(1), NOW - minutes * MINUTE)
    return replace(made, **changes)


def receipt(number, minutes, external=None, delay=2):
    sold = NOW - minutes * MINUTE
    return MetrcReceipt(number, None, external, sold, sold + delay * MINUTE)


def test_sales_are_matched_by_number_by_id_and_by_moment():
    """Whatever the POS sends: its number, METRC's id kept at the sale, or nothing but the same moment."""
    lines = [line("S1", 50), line("S2", 40, receipt_id="0000880102"), line("S3", 30), line("S4", 20), line("S5", 10)]
    receipts = [receipt(880101, 50, "s1"), receipt(880102, 41), receipt(880103, 30)]
    delivered = [MetrcDelivery(1, None, NOW - 20 * MINUTE, NOW - 15 * MINUTE)]
    found, refused = posted(lines, receipts, delivered, "UTC")
    assert [(p.sale_id, p.recorded_at and (NOW - p.recorded_at) // MINUTE) for p in found] == [
        ("S1", 48),
        ("S2", 39),
        ("S3", 28),
        ("S4", 15),
        ("S5", None),
    ]
    assert refused == frozenset()


def test_a_record_accounts_for_one_sale():
    """Two sales of the same moment and one receipt: one of them waits."""
    found, _ = posted([line("S1", 30), line("S2", 30)], [receipt(1, 30)], [], "UTC")
    assert sum(post.recorded_at is None for post in found) == 1


def test_voided_and_refused_sales_do_not_wait():
    """A void needs no receipt, a refused post will not bring one; the refused one is told by name."""
    lines = [line("S1", 30, is_void=True), line("S2", 20, submission=Submission.FAILED)]
    found, refused = posted(lines, [], [], "UTC")
    assert all(post.parked for post in found)
    assert refused == {"S2"}


def test_a_sale_overtaken_for_longer_than_its_time_has_failed():
    """An hour and a minute after a batch sale, with later ones recorded, it will not arrive by itself."""
    later = Posted("S9", NOW - 5 * MINUTE, NOW - 3 * MINUTE)
    for minutes, lost in ((60, ()), (61, ("S1",))):
        posts = (Posted("S1", NOW - minutes * MINUTE), later)
        assert failed(posts, frozenset(), SHOP, None, NOW) == lost
    assert failed((Posted("S1", NOW - 3 * HOUR),), frozenset(), SHOP, None, NOW) == ()


def test_products_without_a_metrc_item_are_unmapped():
    """Missing items count; an export that tells no items says nothing, and is not taken for one in which all are mapped."""

    def stock(*items):
        return [PosPackage(str(n), "x", Decimal(1), "Each", f"P{n}", metrc_item=item) for n, item in enumerate(items)]

    assert unmapped(stock("Known", None, "Strange")) == {"P1"}
    assert unmapped(stock("Known")) == frozenset()
    assert unmapped(stock(None, None)) is None


@pytest.mark.parametrize("with_receipts", [True, False])
def test_sales_of_the_hour_that_comes_twice_are_matched(with_receipts):
    """METRC tells the wall clock alone, and is read as its first time; forty sales over the night, none is lost."""
    zone = ZoneInfo("America/Denver")
    sold = [datetime(2026, 11, 1, 6, tzinfo=UTC) + n * 7 * MINUTE for n in range(40)]
    lines = [replace(line(f"S{n}", 0), sold_at=at) for n, at in enumerate(sold)]
    told = [at.astimezone(zone).replace(fold=0).astimezone(UTC) for at in sold]
    pairs = list(enumerate(zip(told, sold, strict=True)))
    receipts = [MetrcReceipt(n, None, None, wall, at + MINUTE) for n, (wall, at) in pairs if with_receipts]
    delivered = [MetrcDelivery(n, None, wall, at + MINUTE) for n, (wall, at) in pairs if not with_receipts]
    found, _ = posted(lines, receipts, delivered, "America/Denver")
    assert told != sold
    assert sorted(post.recorded_at for post in found if post.recorded_at) == [at + MINUTE for at in sold]
