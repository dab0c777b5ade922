"""What the bot does unasked, each piece of it against a healthy store in which one thing is broken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.alerts import Kind
from bot.audit import Event
from bot.clock import do
from bot.duties import chores, digesting, rota, watching
from bot.errors import ChatError, MetrcUnauthorized
from bot.model import Feed
from bot.removals import State
from bot.watch import Round
from demo.world import TAG, World
from tests.removing import LABEL, TWIN, Clock, Receipts, an_intent
from tests.store import NOW, opened_store, settings

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Slack:
    """Every letter that was posted; ``busy`` refuses."""

    posted: list = field(default_factory=list)
    busy: bool = False

    async def send(self, letter, thread):
        if self.busy:
            raise ChatError("Slack is busy.", code="ratelimited", retry_after=30)
        self.posted.append(letter)
        return f"ts{len(self.posted)}"

    async def find(self, letter, thread, since):
        return None

    async def rewrite(self, letter, message):
        """Shows what is true now."""


@dataclass
class House:
    bot: object
    world: World
    clock: Clock
    slack: Slack
    rota: object

    async def tick(self, *, after=timedelta(0), everything=False):
        """Every chore once, a little later; the costly ones only where the test is about them."""
        self.clock.at += after
        for chore in chores(self.bot, self.slack):
            if everything or chore.name in {"monitors", "letters"}:
                await do(chore, self.rota)


@pytest.fixture
async def house(tmp_path, empty_database):
    config = settings(tmp_path, now=NOW)
    config = replace(config, fixed_now=NOW)
    async with opened_store(World.healthy(NOW), tmp_path, config, empty_database) as (bot, metrc):
        clock = Clock(NOW)
        bot.clock = metrc.clock = clock
        yield House(bot, metrc.world, clock, Slack(), rota(bot))


async def test_everything_runs_in_a_healthy_shop_and_says_nothing(house):
    """The mirror is filled, a round is made, the night's search is done, and nobody hears of it."""
    await house.tick(everything=True)
    await house.tick(after=6 * MINUTES)
    assert house.slack.posted == []
    held = await house.bot.books.mirror("402R-X0042").coverage(Feed.ITEMS)
    assert held.window.end >= NOW
    assert await house.bot.books.memory.recall("duplicates") == {"402R-X0042": "[]"}
    assert await house.bot.books.slots.last("monitors") is not None


async def test_a_problem_is_held_back_told_once_and_ended_after_two_good_rounds(house):
    """The hold of a minute is over by the next round; the letter goes out in the same tick."""
    house.world.kill_key()
    await house.tick()
    assert house.slack.posted == []
    for _ in range(3):
        await house.tick(after=5 * MINUTES)
    [told] = house.slack.posted
    assert told.alert.kind is Kind.DEAD_KEY
    house.world.keys[0].alive = True
    for _ in range(2):
        await house.tick(after=5 * MINUTES)
    assert house.slack.posted[-1].text.startswith("It is over after")
    events = [row.event async for row in house.bot.books.audit.rows()]
    assert events == [Event.ALERT_OPENED, Event.ALERT_CLOSED]


async def test_a_busy_slack_loses_nothing(house):
    """It is said as soon as Slack takes it."""
    house.slack.busy = True
    house.world.kill_key()
    await house.tick()
    await house.tick(after=5 * MINUTES)
    house.slack.busy = False
    await house.tick(after=1 * MINUTES)
    assert [letter.alert.kind for letter in house.slack.posted] == [Kind.DEAD_KEY]


async def test_new_duplicates_are_told_after_the_night(house):
    """What was there at first is no news; a sale posted twice since is."""
    await house.tick(everything=True)
    await house.tick(after=6 * MINUTES)
    sale = house.world.sell(f"{TAG}3001", at=house.clock.at + MINUTES)
    house.world.post_twice(sale)
    # the search comes at 03:30 in Denver
    await house.tick(after=8 * HOURS, everything=True)
    await house.tick(after=5 * MINUTES)
    await house.tick(after=5 * MINUTES)
    keep, again = sale.receipts
    told = [letter.text for letter in house.slack.posted if letter.alert.kind is Kind.NEW_DUPLICATES]
    assert len(told) == 1
    assert f"receipt {keep.id} of sale {sale.id} again as {again.id}" in told[0]


async def test_a_heartbeat_is_sent_only_after_a_round_that_read_something(house, monkeypatch):
    """METRC down: nothing was looked at, so nothing says that somebody looked."""
    beats = []

    async def beat():
        beats.append(house.clock.at)

    monkeypatch.setattr(house.bot, "beat", beat)
    await do(watching(house.bot), house.rota)
    assert beats == [NOW]
    house.world.outage("html200")
    house.clock.at += 10 * MINUTES
    await do(watching(house.bot), house.rota)
    assert beats == [NOW]


async def test_a_round_that_was_cut_sends_no_heartbeat(house, monkeypatch):
    """Some shops had no turn: that is no full round."""
    beats = []

    async def beat():
        beats.append(house.clock.at)

    async def cut(_policy):
        return Round((), (), (), read=1, late=("402R-X0043",))

    monkeypatch.setattr(house.bot, "beat", beat)
    monkeypatch.setattr(house.bot, "watch", cut)
    await do(watching(house.bot), house.rota)
    assert beats == []


async def test_a_key_renewed_while_work_goes_on_is_used_at_once(house, tmp_path):
    """METRC refuses the old one; the file has the new one, and the same client goes on with it. Nobody restarts anything."""
    [facility] = house.bot.settings.facilities
    metrc = house.bot.desk(facility).metrc
    assert await metrc.facilities()
    house.world.keys[0] = replace(house.world.keys[0], user="renewed-user-key")
    with pytest.raises(MetrcUnauthorized):
        await metrc.facilities()
    (tmp_path / "user").write_text("renewed-user-key", encoding="utf-8")
    assert await metrc.facilities()
    (tmp_path / "user").write_text("", encoding="utf-8")
    assert await metrc.facilities()


async def test_a_heartbeat_that_nobody_hears_stops_nothing(house):
    """There is none to tell, or it does not answer."""
    assert await house.bot.beat()
    house.bot.settings = replace(house.bot.settings, heartbeat_url="http://watcher.test/ping")
    assert not await house.bot.beat()


async def test_a_week_is_told_on_monday_morning_once(house):
    """Not the week before the bot came; then one message a channel, under a key of its own."""
    told = []

    async def tell(channel, key):
        told.append((channel, key))

    chore = digesting(house.bot, tell)
    await do(chore, house.rota)
    assert told == []
    house.clock.at += timedelta(days=7)
    await do(chore, house.rota)
    await do(chore, house.rota)
    assert told == [("C0FLOOR", "digest/C0FLOOR/2026-03-09")]


async def test_the_digest_counts_what_happened(house):
    """Delays of the mirror's receipts, alerts by kind, for the shops of that channel."""
    await house.tick()
    house.world.kill_key()
    await house.tick(after=5 * MINUTES)
    await house.tick(after=5 * MINUTES)
    digest = await house.bot.digest("C0FLOOR")
    assert digest.names == ("Harbor Street",)
    assert digest.weeks[-1].alerts == {Kind.DEAD_KEY: 1}
    assert digest.weeks[-1].delay is not None
    assert [alert.kind for alert in digest.open] == [Kind.DEAD_KEY]


async def test_a_fix_that_did_not_hold_is_an_alert(house):
    """The removal is undone a day later; the next round says so."""
    receipts = Receipts(house.clock)
    intent = an_intent(receipts, [TWIN], "r1")
    settled = replace(intent, state=State.DONE, done_at=NOW, held=False)
    await house.bot.books.intents.add(settled, lambda _: ())
    await house.tick()
    await house.tick(after=5 * MINUTES)
    [told] = house.slack.posted
    assert told.text.startswith(f"Harbor Street: A fix did not hold: package {LABEL}.")


async def test_a_dead_key_is_not_tried_on_every_feed(house):
    """One question tells that METRC does not let it in; the rest is left alone."""
    house.world.kill_key()
    before = house.bot.transport.requests
    [sync] = [chore for chore in chores(house.bot, house.slack) if chore.name == "sync"]
    assert await do(sync, house.rota) == 1
    assert house.bot.transport.requests == before + 1
