"""Which alerts are open, and what is said about them, round after round."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts import (
    AFTERMATH,
    CHAIN,
    FLAPS,
    REOPENS,
    Alert,
    Condition,
    Kind,
    Policy,
    Seen,
    State,
    What,
    acknowledge,
    decide,
    next_due,
    overdue,
    snooze,
    snoozes,
)
from bot.errors import QuestionError
from bot.opening import opening

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ROUND = timedelta(minutes=5)
POLICY = Policy()
FLOOR = "C0FLOOR"


def condition(kind=Kind.SYNC_SILENT, shop="L1", **changes):
    made = Condition(kind, shop, f"Shop {shop}", cause=shop, says="Sales wait.", remedy="Look.", channel=FLOOR)
    return replace(made, **changes)


def outage(shop="L1", **changes):
    return condition(Kind.METRC_OUTAGE, shop, cause="api-co.metrc.com", says="METRC does not answer.", **changes)


def dead_key(shop="L1", **changes):
    return condition(Kind.DEAD_KEY, shop, cause="env:KEY", says="METRC refuses the key.", **changes)


class Book:
    """A ledger in memory, and every letter that was written; ``letters`` are those that say something."""

    def __init__(self, policy=POLICY):
        self.alerts = {}
        self.every = []
        self.policy = policy

    def round(self, now, *conditions, unknown=()):
        """One round; what it said."""
        known = [a for a in self.alerts.values() if a.is_live or now - a.closed_at < timedelta(days=1)]
        changes = decide(known, Seen(conditions, frozenset(unknown)), now, self.policy)
        for change in changes:
            self.take(change)
        said = [letter.what for change in changes for letter in change.letters]
        return [what for what in said if what is not What.CHART]

    def take(self, change):
        if change.before is not None:
            del self.alerts[change.before.id]
        if change.after is not None:
            assert change.after.id not in self.alerts
            self.alerts[change.after.id] = change.after
        self.every += change.letters
        live = [alert.key for alert in self.alerts.values() if alert.is_live]
        assert len(live) == len(set(live))

    def run(self, start, rounds, *conditions, every=ROUND, **more):
        """Several rounds; what they said in order."""
        return [what for n in range(rounds) for what in self.round(start + n * every, *conditions, **more)]

    @property
    def letters(self):
        return [letter for letter in self.every if letter.what is not What.CHART]

    @property
    def live(self):
        return [alert for alert in self.alerts.values() if alert.is_live]

    @property
    def only(self) -> Alert:
        [alert] = self.live
        return alert


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def fired(book):
    """A book with one alert that was told at 18:05."""
    assert book.run(NOW, 2, condition()) == [What.FIRE]
    return book


# --- the first message ------------------------------------------------------------------------------------------------


def test_a_healthy_shop_says_nothing(book):
    """Without a condition there is no alert and no letter."""
    assert book.run(NOW, 5) == []
    assert not book.alerts


def test_a_problem_is_held_back_before_its_first_message(book):
    """Until the hold has passed nothing is said; on the very second it is."""
    assert book.round(NOW, condition()) == []
    assert book.only.state is State.PENDING
    assert book.round(NOW + timedelta(seconds=59), condition()) == []
    assert book.round(NOW + timedelta(seconds=60), condition()) == [What.FIRE]
    assert book.only.state is State.OPEN


def test_the_scheduler_is_told_when_the_hold_ends(book):
    """The next moment with something to say is known, so a message need not wait for a whole interval."""
    book.round(NOW, condition())
    assert next_due(book.alerts.values(), POLICY) == NOW + timedelta(seconds=60)


def test_only_what_cannot_wait_is_overdue(book):
    """The end of a hold and an escalation have a round of their own; a repeat waits for the next one."""
    escalating = condition(escalate_to="U0DANA")
    book.round(NOW, escalating)
    assert overdue(book.live, POLICY, NOW + 59 * MINUTE / 60) is None
    assert overdue(book.live, POLICY, NOW + MINUTE) == NOW + MINUTE
    book.round(NOW + MINUTE, escalating)
    assert overdue(book.live, POLICY, NOW + 30 * MINUTE) is None
    assert overdue(book.live, POLICY, NOW + 31 * MINUTE) == NOW + 31 * MINUTE
    book.take(acknowledge(book.only, "U0LEE", NOW + 32 * MINUTE))
    assert overdue(book.live, POLICY, NOW + 9 * HOUR) is None
    assert next_due(book.live, POLICY) == NOW + 32 * MINUTE + 8 * HOUR


def test_a_blip_is_never_told(book):
    """What is over before the hold has passed leaves nothing behind."""
    book.round(NOW, condition())
    assert book.round(NOW + ROUND) == []
    assert not book.alerts


def test_without_a_hold_the_first_round_tells():
    """A single round by hand holds nothing back."""
    book = Book(Policy(hold=timedelta(0), good_rounds=1))
    assert book.round(NOW, condition()) == [What.FIRE]


def test_a_problem_is_told_once(fired):
    """While it lasts, round after round says nothing more."""
    assert fired.run(NOW + 2 * ROUND, 40, condition()) == []


def test_a_silent_sync_is_shown_as_well_as_told(book):
    """Its chart is a letter of its own, behind the first message; no other problem has one, nor has a repeat."""
    book.run(NOW, 2, condition(), condition(Kind.DEAD_KEY, "L2"))
    book.run(NOW + 4 * HOUR + ROUND, 2, condition(), condition(Kind.DEAD_KEY, "L2"))
    charts = [(letter.alert.kind, letter.seq) for letter in book.every if letter.what is What.CHART]
    assert charts == [(Kind.SYNC_SILENT, 2)]


def test_the_message_names_the_shop_and_what_to_do(fired):
    """The first message is the problem and the remedy in plain words, to the shop's channel."""
    [letter] = fired.letters
    assert letter.text == "Shop L1: Sales wait. Look."
    assert letter.channel == FLOOR


def test_a_shop_without_a_channel_has_alerts_but_no_letters(book):
    """The problem is known and can be asked for, though there is nobody to write to."""
    assert book.run(NOW, 3, condition(channel=None)) == []
    assert book.only.state is State.OPEN


def test_what_can_wait_does_not_wake_anybody(book):
    """A message that is not urgent waits until the shop opens."""
    sleepy = condition(quiet_until=NOW + 3 * HOUR)
    assert book.run(NOW, 35, sleepy) == []
    assert book.round(NOW + 3 * HOUR, sleepy) == [What.FIRE]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_one_good_round_does_not_end_it(fired):
    """The end takes two good rounds in a row, and a bad one in between starts the count anew."""
    assert fired.round(NOW + 2 * ROUND) == []
    assert fired.round(NOW + 3 * ROUND, condition()) == []
    assert fired.round(NOW + 4 * ROUND) == []
    assert fired.round(NOW + 5 * ROUND) == [What.RESOLVE, What.REWRITE]
    assert not fired.live


def test_the_end_says_how_long_it_lasted(fired):
    """The reply tells the duration in words."""
    fired.run(NOW + HOUR, 2)
    assert fired.letters[-2].text == "It is over after 1 h 5 min."


def test_what_was_not_judged_neither_opens_nor_closes(fired):
    """Rounds that could not look leave the alert as it is, for however long."""
    blind = {(Kind.SYNC_SILENT, "L1")}
    assert fired.run(NOW + 2 * ROUND, 20, unknown=blind) == []
    assert fired.only.state is State.OPEN
    assert fired.run(NOW + 22 * ROUND, 2) == [What.RESOLVE, What.REWRITE]


def test_a_pending_problem_is_not_told_on_a_round_that_could_not_look(book):
    """The hold may have passed, but the problem was not seen again."""
    book.round(NOW, condition())
    assert book.round(NOW + ROUND, unknown={(Kind.SYNC_SILENT, "L1")}) == []
    assert book.round(NOW + 2 * ROUND, condition()) == [What.FIRE]


def test_one_that_returns_soon_is_the_same_alert(fired):
    """Within 30 minutes after the end it goes on in the same thread; later it is a new alert with a message of its own."""
    first = fired.only.id
    ended = NOW + 3 * ROUND
    fired.run(NOW + 2 * ROUND, 2)
    assert fired.round(ended + REOPENS, condition()) == [What.REFIRE, What.REWRITE]
    assert fired.only.id == first
    over = ended + REOPENS + 2 * ROUND
    fired.run(over - ROUND, 2)
    assert fired.run(over + REOPENS + timedelta(seconds=1), 2, condition()) == [What.FIRE]
    assert fired.only.id != first


def test_one_that_comes_and_goes_is_damped(fired):
    """After more than six changes within a day one notice is given, then an hourly digest, and no more ends."""
    said = []
    for cycle in range(8):
        at = NOW + 20 * MINUTE + cycle * 20 * MINUTE
        said += [
            what for what in fired.run(at, 2) + fired.run(at + 2 * ROUND, 2, condition()) if what is not What.REWRITE
        ]
    assert said.count(What.FLAPPING) == 1
    assert said.count(What.REFIRE) == FLAPS // 2 - 1
    assert What.RESOLVE not in said[said.index(What.FLAPPING) :]
    assert fired.run(NOW + 4 * HOUR, 24, condition()).count(What.REPEAT) == 2
    assert fired.run(NOW + 40 * HOUR, 37, condition()).count(What.REPEAT) == 1


def test_a_problem_that_returns_after_each_short_pause_is_damped_across_its_episodes():
    """Ten minutes of silence every hour, all day: in the second half of it only the hourly word that it comes and goes."""
    book = Book()
    hours = [book.run(NOW + n * HOUR, 3, condition()) + book.run(NOW + n * HOUR + 3 * ROUND, 3) for n in range(24)]
    assert sum(said.count(What.FIRE) for said in hours) <= FLAPS // 2 + 1
    assert {what for said in hours[12:] for what in said} <= {What.REPEAT, What.REWRITE}
    assert "It comes and goes" in [letter.text for letter in book.letters if letter.what is What.REPEAT][-1]


def test_the_end_of_one_that_came_and_went_is_said_after_hours_of_calm():
    """Once, in its thread; the card was rewritten before."""
    book = Book()
    for n in range(8):
        at = NOW + n * timedelta(minutes=20)
        book.run(at, 2, condition())
        book.run(at + 2 * ROUND, 2)
    ended = NOW + 8 * timedelta(minutes=20)
    assert What.RESOLVE not in book.run(ended, 40)
    said = book.run(ended + timedelta(hours=4), 40)
    assert said == [What.RESOLVE]
    assert "it has not come back for 4 h" in book.letters[-1].text


# --- people -----------------------------------------------------------------------------------------------------------


def test_it_repeats_after_four_hours_then_daily(fired):
    """Nobody took it: once after 4 hours, and then once a day."""
    told = NOW + ROUND
    hours = [n for n in range(1, 80) if fired.round(told + n * HOUR, condition())]
    assert hours == [4, 28, 52, 76]


def test_an_acknowledged_alert_asks_again_after_eight_hours(fired):
    """Acknowledging stops the repeats and shows who; after 8 hours it asks again."""
    fired.take(acknowledge(fired.only, "U0DANA", NOW + 2 * ROUND))
    assert fired.only.by == "U0DANA"
    hours = {n: said for n in range(1, 14) if (said := fired.round(NOW + 2 * ROUND + n * HOUR, condition()))}
    assert hours == {8: [What.REPEAT, What.REWRITE], 12: [What.REPEAT]}


def test_a_snoozed_alert_speaks_again_only_if_still_so(fired):
    """At the end of the snooze it speaks again when the problem is there."""
    fired.take(snooze(fired.only, "U0DANA", NOW + 3 * HOUR, NOW + HOUR))
    assert fired.run(NOW + HOUR, 24, condition()) == []
    assert fired.round(NOW + 3 * HOUR, condition()) == [What.REPEAT, What.REWRITE]


def test_a_snooze_that_outlives_the_problem_stays_quiet(fired):
    """A problem that ended during the snooze is told as ended, and the snooze's end says nothing."""
    fired.take(snooze(fired.only, "U0DANA", NOW + 3 * HOUR, NOW + HOUR))
    assert fired.run(NOW + HOUR, 2) == [What.RESOLVE, What.REWRITE]
    assert fired.run(NOW + 2 * HOUR, 24) == []


@pytest.mark.parametrize("until", [NOW, NOW + timedelta(days=7, seconds=1)])
def test_a_snooze_has_an_end_within_a_week(fired, until):
    """A time that is past, or more than a week ahead, is refused in one sentence."""
    with pytest.raises(QuestionError, match="within the next 7 days"):
        snooze(fired.only, "U0DANA", until, NOW)


def test_snoozes_end_at_the_doors():
    """While the shop is open: an hour or tomorrow; at night also until it opens; closed for long: only the hour."""
    hours = opening("America/Denver", "Mo-Su 09:00-21:00")
    nine = datetime(2026, 3, 4, 16, tzinfo=UTC)
    assert dict(snoozes(hours, NOW)) == {"1 hour": NOW + HOUR, "until tomorrow": nine}
    night = NOW + 12 * HOUR
    assert dict(snoozes(hours, night)) == {
        "1 hour": night + HOUR,
        "until we open": nine,
        "until tomorrow": nine,
    }
    shut = hours.also_closed([(NOW + timedelta(days=n)).date() for n in range(10)])
    assert list(dict(snoozes(shut, NOW))) == ["1 hour"]


def test_an_alert_that_has_ended_cannot_be_taken(fired):
    """Pressing the button of a closed alert is refused."""
    fired.run(NOW + HOUR, 2)
    [ended] = fired.alerts.values()
    with pytest.raises(QuestionError, match="already ended"):
        acknowledge(ended, "U0DANA", NOW)
    with pytest.raises(QuestionError, match="already ended"):
        snooze(ended, "U0DANA", NOW + 2 * HOUR, NOW + HOUR)


def test_nobody_acknowledging_escalates(book):
    """After the shop's minutes it goes to its second channel, again and again, five times at most."""
    told = condition(escalate_to="U0BOSS", escalate_after=30 * MINUTE)
    book.run(NOW, 2, told)
    assert book.run(NOW + 2 * ROUND, 5, told) == []
    said = book.run(NOW + 35 * MINUTE, 60, told)
    assert said.count(What.ESCALATE) == 5
    assert {letter.channel for letter in book.letters if letter.what is What.ESCALATE} == {"U0BOSS"}


def test_acknowledging_stops_the_escalation(book):
    """A second before the limit is soon enough."""
    told = condition(escalate_to="U0BOSS", escalate_after=30 * MINUTE)
    book.run(NOW, 2, told)
    book.take(acknowledge(book.only, "U0DANA", NOW + ROUND + 30 * MINUTE - timedelta(seconds=1)))
    assert book.run(NOW + 2 * ROUND, 40, told) == []


def test_a_closed_shop_is_not_escalated(book):
    """While the shop is shut the second channel is left alone as well."""
    book.run(NOW, 2, condition(escalate_to="U0BOSS"))
    shut = condition(escalate_to="U0BOSS", quiet_until=NOW + 12 * HOUR)
    assert book.run(NOW + 2 * ROUND, 100, shut) == []
    opens = NOW + 12 * HOUR
    assert book.round(opens, shut) == [What.REPEAT]
    assert book.round(opens + 29 * MINUTE, shut) == []
    assert book.round(opens + 30 * MINUTE, shut) == [What.ESCALATE]


def test_an_acknowledgement_that_ends_at_night_asks_in_the_morning(fired):
    """Who took it is not woken about a closed shop."""
    fired.take(acknowledge(fired.only, "U0DANA", NOW + 2 * ROUND))
    shut = condition(quiet_until=NOW + 12 * HOUR)
    assert fired.run(NOW + 3 * ROUND, 140, shut) == []
    assert fired.round(NOW + 12 * HOUR, shut) == [What.REPEAT, What.REWRITE]


def test_what_comes_back_at_night_is_told_in_the_morning(fired):
    """It is the same alert again, but nobody hears of it before the shop opens; nor if it has gone by then."""
    fired.run(NOW + 2 * ROUND, 2)
    shut = condition(quiet_until=NOW + 12 * HOUR)
    assert fired.run(NOW + 4 * ROUND, 100, shut) == []
    assert fired.round(NOW + 12 * HOUR, shut) == [What.REFIRE, What.REWRITE]
    assert fired.only.fired_at == NOW + ROUND


def test_a_snooze_survives_a_flicker(fired):
    """Two good rounds within it end the problem, and its return is not news before the snooze is over."""
    fired.take(snooze(fired.only, "U0DANA", NOW + 20 * HOUR, NOW + 2 * ROUND))
    fired.run(NOW + 3 * ROUND, 2)
    assert fired.run(NOW + 5 * ROUND, 12, condition()) == [What.REWRITE]
    assert (fired.only.state, fired.only.by) == (State.SNOOZED, "U0DANA")
    assert fired.round(NOW + 20 * HOUR, condition()) == [What.REPEAT, What.REWRITE]


@pytest.mark.parametrize("turned", [False, True])
def test_any_shop_of_a_shared_alert_may_name_whom_it_escalates_to(book, turned):
    """Whichever shop comes first in a round."""
    shops = [dead_key("L1"), dead_key("L2", escalate_to="U0BOSS")]
    for n in range(13):
        book.round(NOW + n * ROUND, *(reversed(shops) if turned or n % 2 else shops))
    assert [letter.channel for letter in book.letters if letter.what is What.ESCALATE] == ["U0BOSS"]


def test_an_escalation_that_is_configured_later_holds_for_what_is_open(fired):
    """From then on it counts, and one that is taken away goes nowhere."""
    named = condition(escalate_to="U0BOSS")
    assert fired.round(NOW + HOUR, named) == []
    assert fired.round(NOW + HOUR + 30 * MINUTE, named) == [What.ESCALATE]
    assert fired.run(NOW + 2 * HOUR, 12, condition()) == []


# --- one problem, one alert -------------------------------------------------------------------------------------------


def test_a_dead_key_at_three_hundred_shops_is_one_message(book):
    """Shops that share key and channel share the message, and none of them is called silent."""
    shops = [f"L{n}" for n in range(300)]
    everything = [dead_key(shop) for shop in shops] + [condition(shop=shop) for shop in shops]
    assert book.run(NOW, 4, *everything) == [What.FIRE]
    assert book.only.kind is Kind.DEAD_KEY
    assert len(book.only.members) == 300
    assert book.letters[0].text.startswith("300 shops (Shop L0, ")
    assert "and 280 more" in book.letters[0].text


def test_shops_of_two_channels_have_a_message_each(book):
    """Every channel hears of the outage once."""
    assert book.run(NOW, 3, outage(), outage("L2", channel="C0OTHER")) == [What.FIRE, What.FIRE]


@pytest.mark.parametrize("above", range(1, len(CHAIN)))
def test_a_cause_silences_every_consequence(book, above):
    """Of all that is wrong at a shop only the first of the chain speaks."""
    said = book.run(NOW, 3, *(condition(kind) for kind in reversed(CHAIN[above - 1 :])))
    assert said == [What.FIRE]
    assert book.only.kind is CHAIN[above - 1]


def test_a_cause_at_one_shop_silences_nothing_at_another(book):
    """Inhibition ends at the shop's door."""
    assert book.run(NOW, 3, dead_key("L1"), condition(shop="L2")) == [What.FIRE, What.FIRE]


def test_a_right_lost_for_transfers_says_nothing_about_sales(book):
    """A cause that concerns one kind of records leaves the others to be judged."""
    lost = condition(Kind.LOST_RIGHT, cause="env:KEY/transfers", family="transfers")
    assert book.run(NOW, 3, lost, condition(family="sales")) == [What.FIRE, What.FIRE]
    assert Book().run(NOW, 3, replace(lost, family="sales"), condition(family="sales")) == [What.FIRE]


def test_a_cause_that_arrives_within_the_hold_is_the_only_one_told(book):
    """The silence was seen first, the dead key half a minute later: one message, about the key."""
    book.round(NOW, condition())
    book.round(NOW + timedelta(seconds=30), condition(), dead_key())
    assert book.run(NOW + ROUND, 3, condition(), dead_key()) == [What.FIRE]
    assert book.only.kind is Kind.DEAD_KEY


def test_a_cause_found_late_takes_over(fired):
    """An alert about the silence that was already told is closed, and says which alert explains it."""
    said = fired.run(NOW + 2 * ROUND, 3, condition(), dead_key())
    assert said == [What.RESOLVE, What.REWRITE, What.FIRE]
    assert fired.only.kind is Kind.DEAD_KEY
    assert "explained by another alert: METRC refuses the key" in fired.letters[1].text


def test_an_old_problem_outlives_a_short_outage(fired):
    """A dead key that was told stays open through an outage: no end is claimed that nobody saw, and nothing is said twice."""
    book = Book()
    book.run(NOW, 2, dead_key())
    assert book.run(NOW + 2 * HOUR, 4, dead_key(), outage()) == [What.FIRE]
    assert {alert.kind for alert in book.live} == {Kind.DEAD_KEY, Kind.METRC_OUTAGE}
    assert book.run(NOW + 3 * HOUR, 4, dead_key()) == [What.RESOLVE, What.REWRITE]


def test_the_backlog_after_an_outage_raises_nothing(book):
    """For a while after the end its traces are expected; what is still there afterwards is told."""
    book.run(NOW, 3, outage())
    book.run(NOW + HOUR, 2)
    ended = NOW + HOUR + ROUND
    piled = condition(Kind.POSTS_FAILING)
    assert book.run(ended + ROUND, 20, condition(), piled) == []
    assert book.run(ended + AFTERMATH, 3, condition(), piled) == [What.FIRE]
    assert book.only.kind is Kind.SYNC_SILENT


def test_the_backlog_after_a_silence_raises_nothing(fired):
    """What the silence held back is flushed, slowly and in part refused: still one problem."""
    fired.run(NOW + HOUR, 2)
    flushed = [condition(Kind.POSTS_FAILING), condition(Kind.DELAY_GROWN)]
    assert fired.run(NOW + HOUR + 2 * ROUND, 22, *flushed) == []
    assert fired.run(NOW + HOUR + ROUND + AFTERMATH, 3, *flushed) == [What.FIRE]


@pytest.mark.parametrize(("began", "told_after"), [(-30, 125), (-5, 60), (5, 70), (25, 35)])
def test_a_silence_that_begins_after_an_outage_does_not_wait_for_its_traces(book, began, told_after):
    """Sales held back by the outage are its traces; what begins clearly later is told, what is unclear within the hour."""
    book.run(NOW, 3, outage())
    book.run(NOW + HOUR, 2)
    ended = NOW + HOUR + ROUND
    silent = condition(since=ended + began * MINUTE)
    told = [n for n in range(max(began, 0) + 5, 140, 5) if book.round(ended + n * MINUTE, silent)]
    assert told == [told_after]


def test_one_shop_of_a_shared_alert_leaves_after_good_rounds_only(book):
    """As the whole alert does; one that was not looked at stays."""
    shops = [dead_key("L1"), dead_key("L2")]
    book.run(NOW, 2, *shops)
    assert book.run(NOW + 2 * ROUND, 5, shops[0], unknown={(Kind.DEAD_KEY, "L2")}) == []
    assert book.round(NOW + 7 * ROUND, shops[0]) == []
    assert book.only.licenses == ("L1", "L2")
    assert book.round(NOW + 8 * ROUND, shops[0]) == [What.REWRITE]
    assert book.only.licenses == ("L1",)


def test_an_outage_of_a_state_is_one_alert_and_one_end(book):
    """Fifty shops, flickering one by one, hear of it once, and once of its end."""
    shops = [f"L{n}" for n in range(50)]
    said = []
    for n in range(12):
        hit = [outage(shop) for place, shop in enumerate(shops) if (place + n) % 3]
        said += book.round(NOW + n * ROUND, *hit)
    said += book.run(NOW + 2 * HOUR, 3)
    assert [what for what in said if what is not What.REWRITE] == [What.FIRE, What.RESOLVE]


def test_shops_of_one_make_that_fall_silent_together_share_a_message(book):
    """Three shops on one POS, silent in the same round, are one alert; one that falls silent later is told by itself."""
    three = [condition(shop=f"L{n}", kin="csv@co") for n in range(3)]
    assert book.run(NOW, 3, *three) == [What.FIRE]
    assert len(book.only.members) == 3
    assert book.run(NOW + HOUR, 2, *three, condition(shop="L9", kin="csv@co")) == [What.FIRE]
    assert len(book.live) == 2


def test_the_founder_of_a_shared_alert_may_leave_and_come_back(book):
    """It rejoins the alert that bears its name, as news in its thread."""
    pair = [condition(shop=f"L{n}", kin="csv@co") for n in range(2)]
    book.run(NOW, 2, *pair)
    assert book.run(NOW + HOUR, 3, pair[1]) == [What.REWRITE]
    assert book.run(NOW + 2 * HOUR, 2, *pair) == [What.REWRITE, What.JOIN]
    assert len(book.only.members) == 2


# --- what comes nearer day by day -------------------------------------------------------------------------------------


def expiry(days):
    return condition(Kind.KEY_EXPIRY, cause="env:KEY/2026-01-05", step=days, says=f"The key expires in {days} days.")


def test_each_step_is_told_once(book):
    """30, 14, 7, 3 and 1 days, then daily: a message each, in one thread."""
    said = []
    for day, step in enumerate((30, 30, 14, 14, 7, 3, 1, 0, -1)):
        said += book.run(NOW + timedelta(days=day), 5, expiry(step))
    assert [what for what in said if what is not What.REWRITE] == [What.FIRE] + [What.STEP] * 6


def test_after_downtime_only_the_tightest_step_is_told(book):
    """Whoever slept through two steps hears of the one that counts."""
    book.run(NOW, 2, expiry(30))
    assert book.run(NOW + timedelta(days=24), 3, expiry(3)) == [What.STEP, What.REWRITE]


def test_a_tighter_step_asks_again_whoever_had_it(book):
    """An acknowledgement holds for the step it was given for."""
    book.run(NOW, 2, expiry(14))
    book.take(acknowledge(book.only, "U0DANA", NOW + HOUR))
    assert book.run(NOW + timedelta(days=7), 2, expiry(7)) == [What.STEP, What.REWRITE]
    assert book.only.state is State.OPEN


def test_a_renewed_key_closes_the_old_series(book):
    """The new date has a series of its own, and the old alert ends."""
    book.run(NOW, 2, expiry(3))
    assert book.run(NOW + HOUR, 2) == [What.RESOLVE, What.REWRITE]


@pytest.mark.parametrize("deed", [acknowledge, lambda a, by, now: snooze(a, by, now + 20 * HOUR, now)])
def test_the_last_day_breaks_in_and_starts_the_clocks(book, deed):
    """It is told whoever had it, and escalates only when nobody takes it after that."""
    key = [replace(expiry(days), escalate_to="U0BOSS") for days in (3, 1)]
    book.run(NOW, 2, key[0])
    book.take(deed(book.only, "U0DANA", NOW + 2 * ROUND))
    assert book.run(NOW + HOUR, 6, key[1]) == [What.STEP, What.REWRITE]
    assert book.round(NOW + HOUR + 30 * MINUTE, key[1]) == [What.ESCALATE]


def test_a_step_waits_for_the_end_of_a_snooze_and_for_the_shop(book):
    """But for the last day; then the tightest one is told."""
    book.run(NOW, 2, expiry(30))
    book.take(snooze(book.only, "U0DANA", NOW + 20 * HOUR, NOW + HOUR))
    assert book.run(NOW + 2 * HOUR, 5, expiry(14)) == []
    assert book.round(NOW + 20 * HOUR, expiry(14)) == [What.STEP, What.REWRITE]
    shut = replace(expiry(7), quiet_until=NOW + 30 * HOUR)
    assert book.run(NOW + 21 * HOUR, 5, shut) == []
    assert book.round(NOW + 30 * HOUR, shut) == [What.STEP, What.REWRITE]


def test_an_old_expiry_ends_soon_after_the_dead_key(book):
    """That the key was dead silences its expiry; it does not keep one open that is gone."""
    book.run(NOW, 2, expiry(1))
    book.run(NOW + HOUR, 3, expiry(1), dead_key())
    assert book.run(NOW + 2 * HOUR, 4).count(What.RESOLVE) == 2


def test_a_dead_key_silences_its_own_expiry(book):
    """When the key is refused nobody is told that it will expire."""
    assert book.run(NOW, 3, expiry(1), dead_key()) == [What.FIRE]
    assert book.only.kind is Kind.DEAD_KEY


def test_what_returns_under_the_key_of_an_alert_that_ended_lately_is_that_alert_again(book):
    """It began with one cause and went on with another of its make; both return: one alert, and no second of its key."""
    own, other = (condition(Kind.METRC_OUTAGE, cause=cause, kin="k") for cause in "ab")
    book.round(NOW, own)
    assert book.round(NOW + ROUND, other) == [What.FIRE]
    book.run(NOW + 2 * ROUND, 2)
    assert book.round(NOW + 4 * ROUND, replace(own, kin=""), replace(other, license="L2", kin=""))[0] is What.REFIRE
    assert {member.cause for member in book.only.members} == {"a", "b"}


# --- laws -------------------------------------------------------------------------------------------------------------

conditions = st.builds(
    condition,
    st.sampled_from(CHAIN),
    st.sampled_from(["L1", "L2"]),
    cause=st.sampled_from(["a", "b"]),
    kin=st.sampled_from(["", "k"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(conditions, max_size=4, unique_by=lambda c: (c.kind, c.license)), max_size=15))
def test_letters_are_unique_and_every_end_has_a_beginning(rounds):
    """Whatever comes and goes: one live alert a key, no letter twice, letters in order, no end that nobody heard begin."""
    book = Book()
    for n, found in enumerate(rounds):
        book.round(NOW + n * ROUND, *found)
    keys = [letter.key for letter in book.every]
    assert len(keys) == len(set(keys))
    for alert in {letter.alert.id for letter in book.every}:
        own = [letter for letter in book.every if letter.alert.id == alert]
        assert own[0].what is What.FIRE
        assert [letter.seq for letter in own] == list(range(1, len(own) + 1))
        assert sum(letter.what is What.FIRE for letter in own) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(conditions, max_size=6, unique_by=lambda c: (c.kind, c.license)))
def test_only_the_first_of_the_chain_speaks(found):
    """In one round a shop is told of nothing that stands behind something else that is told of it."""
    book = Book()
    book.run(NOW, 2, *found)
    for shop in ("L1", "L2"):
        kinds = {alert.kind for alert in book.live if shop in alert.licenses}
        wrong = [CHAIN.index(c.kind) for c in found if c.license == shop]
        assert kinds == ({CHAIN[min(wrong)]} if wrong else set())
