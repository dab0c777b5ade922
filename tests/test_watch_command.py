"""``countlast watch --once``: one round against METRC and POS stand-ins, from the command line to the outbox."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts import What
from bot.cli import _round_text
from bot.watch import Round
from demo.pos import write_books
from demo.slack import SlackStandIn
from demo.world import World
from storage.books import open_books
from tests.in_process import countlast
from tests.loopback import served, shop_on_loopback

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "countlast.db")
    with shop_on_loopback(World.healthy(NOW), tmp_path) as shop:
        yield shop


def watch(shop, *options, at=NOW):
    """One round; its object, or its text without ``--json``."""
    env = shop.env | {"COUNTLAST_NOW": at.isoformat()}
    return told(countlast(shop.folder, env, "watch", "--once", *options), *options)


def watch_process(shop, *options):
    """The same in a process of its own."""
    ran = shop.program("watch", "--once", *options, COUNTLAST_NOW=NOW.isoformat())
    out, err = ran.communicate(timeout=120)
    return told((ran.returncode, out, err), *options)


def told(ended, *options):
    code, out, err = ended
    assert (code, err) == (0, "")
    return json.loads(out) if "--json" in options else out


def kinds(entries):
    return [entry["kind"] for entry in entries]


def waiting(shop):
    """The letters that wait to be sent."""

    async def letters():
        books = await open_books(f"sqlite+aiosqlite:///{shop.folder}/countlast.db")
        found = await books.outbox.waiting()
        await books.close()
        return [letter for letter, _ in found]

    return asyncio.run(letters())


def test_a_healthy_shop_is_well(shop):
    """On an empty database, and again on the one that the first round made."""
    (shop.folder / "countlast.db").unlink()
    nothing = {"schema": "countlast.watch/1", "opened": [], "open": [], "closed": []}
    assert watch_process(shop, "--json") == nothing
    assert watch(shop, "--json", at=NOW + timedelta(minutes=5)) == nothing
    assert watch(shop) == "All is well.\n"


def test_what_was_not_read_is_not_called_well():
    """A round that opened nothing because it saw nothing says so."""
    blind = Round(opened=(), open=(), closed=(), read=1)
    assert _round_text(blind, 3).startswith("METRC was read at 1 of 3 shops")
    assert _round_text(replace(blind, read=3), 3) == "All is well."


def test_a_dead_key_is_opened_once_and_closed_when_it_lives_again(shop):
    """Three rounds of three runs: opened, still open, closed; two messages and the rewriting wait for Slack."""
    shop.world.kill_key()
    [opened] = watch(shop, "--json")["opened"]
    assert (opened["kind"], opened["facility"]) == ("dead_key", "402R-X0042")
    assert opened["since"] == "2026-03-03T03:30:00Z"
    again = watch(shop, "--json", at=NOW + timedelta(minutes=5))
    assert (again["opened"], again["open"], again["closed"]) == ([], [opened], [])
    shop.world.keys[0].alive = True
    ended = watch(shop, "--json", at=NOW + timedelta(minutes=10))
    assert (ended["opened"], ended["open"], ended["closed"]) == ([], [], [opened])
    assert [letter.what for letter in waiting(shop)] == [What.FIRE, What.RESOLVE, What.REWRITE]


def test_with_slack_the_round_is_told_there(shop):
    """One message with its buttons, and nothing is left to be sent."""
    slack = SlackStandIn(signing_secret="s", bot_token="xoxb-right")
    shop.world.kill_key()
    with served(slack.asgi) as page:
        env = shop.env | {"SLACK_BOT_TOKEN": "xoxb-right", "SLACK_API_URL": f"{page}/api/"}
        done = told(countlast(shop.folder, env, "watch", "--once", "--json"), "--json")
    assert kinds(done["opened"]) == ["dead_key"]
    [message] = slack.messages()
    assert "[ Acknowledge ]" in slack.message_as_text(message)
    assert waiting(shop) == []


def test_an_outage_is_an_outage(shop):
    """METRC answers HTML: one alert about the host, none about the key."""
    shop.world.outage("html200")
    assert kinds(watch(shop, "--json")["opened"]) == ["metrc_outage"]


def test_a_license_that_is_no_longer_seen_is_a_lost_right(shop):
    """The key lives, and does not reach the facility any more."""
    shop.world.unlist_license()
    assert kinds(watch(shop, "--json")["opened"]) == ["lost_right"]


def test_a_lost_right_is_told_as_that(shop):
    """Sales can be read no longer: the right is named, and no feed is called silent."""
    watch(shop, "--json")
    shop.world.drop_right("sales")
    [opened] = watch(shop, "--json", at=NOW + timedelta(minutes=5))["opened"]
    assert opened["kind"] == "lost_right"
    assert "read sales" in opened["headline"]


def test_sales_that_stay_away_are_a_silent_sync(shop):
    """The till has sold for more than an hour and METRC has none of it."""
    for minutes in (65, 50, 40, 30, 20):
        shop.world.sale_never_posted(shop.world.labels()[0], age=timedelta(minutes=minutes))
    write_books(shop.world, shop.folder / "pos", NOW)
    opened = watch(shop, "--json")["opened"]
    assert kinds(opened) == ["sync_silent"]
    assert opened[0]["headline"].startswith("Harbor Street: 5 sales wait, the oldest for 1 h 5 min")


def test_the_text_says_what_to_do(shop):
    """Without ``--json`` a person reads the headline and the remedy."""
    shop.world.kill_key()
    text = watch(shop)
    assert text.startswith("opened: Harbor Street: METRC refuses the user key (env:METRC_USER_KEY).")
    assert "countlast doctor" in text


def test_a_back_test_tells_what_would_have_been_said(shop):
    """Before anything was mirrored there is nothing to judge by, and the sentence says so; nothing is opened by it."""
    code, out, err = countlast(shop.folder, shop.env, "watch", "--back-test")
    assert (code, err) == (0, "")
    assert out.startswith("Harbor Street (402R-X0042): There is too little history to try it out;")


def test_rounds_are_only_made_one_by_one(shop):
    """Without ``--once`` nothing would be done, so it is refused with the reason."""
    code, out, err = countlast(shop.folder, shop.env, "watch")
    assert (code, out) == (2, "")
    assert err == "countlast watch needs --once or --back-test\n"


def test_hours_that_cannot_be_read_are_a_configuration_error(shop):
    """The sentence names file, key, value and what is accepted."""
    path = shop.folder / "facilities.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("channel = ", 'opening_hours = "nine to five"\nchannel = '), encoding="utf-8")
    code, _, err = countlast(shop.folder, shop.env, "watch", "--once")
    assert code == 2
    assert (
        "facilities.toml: facility 402R-X0042.opening_hours is 'nine to five'; accepted: opening hours such as" in err
    )
