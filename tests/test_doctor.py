"""``countlast doctor``: each thing that can be wrong is found, said with what to do, and no secret is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bot.doctor import Health, ShopLook, SlackLook, as_json, as_text, judge_shop, judge_slack, must_fix
from bot.errors import Problem, ProblemKind
from bot.model import Facility, MetrcReceipt, PosBooks, PosSaleLine, Posting, Reading, Shop
from bot.monitors import Watched
from bot.opening import opening
from demo.slack import SlackStandIn
from demo.world import World
from tests.in_process import countlast
from tests.loopback import USER_KEY, VENDOR_KEY, served, shop_on_loopback

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
REFUSED = Problem(ProblemKind.UNAUTHORIZED, "METRC answered 401.", 401)
DOWN = Problem(ProblemKind.SERVER_FAULT, "METRC answered 503.", 503)


def sale(n, at):
    return PosSaleLine(f"S{n}", "1", "1A4FF0100000022000001002", Decimal(1), at)


def books(**changes):
    readings = {name: Reading("pos", name, NOW, ()) for name in ("inventory", "sales", "events")}
    return PosBooks(**{**readings, **changes})


def look(**changes):
    watched = Watched(
        Shop("402R-X0042", "Harbor Street", "America/Denver", Posting.BATCH),
        "api-co.metrc.com",
        "env:KEY",
        opening("America/Denver", "Mo-Su 09:00-21:00"),
        channel="C0FLOOR",
        key_issued_on=date(2026, 1, 5),
    )
    values = {
        "watched": watched,
        "at": NOW,
        "facilities": Reading("metrc", "GET", NOW, (Facility("402R-X0042", "Harbor Street"),)),
        "probes": dict.fromkeys(("packages", "sales", "transfers")),
        "books": books(),
        "far": NOW + timedelta(seconds=1),
    }
    return ShopLook(**{**values, **changes})


def wrong(findings, health=Health.FIX):
    return [finding.says for finding in findings if finding.health is health]


def test_a_healthy_shop_has_nothing_to_fix():
    """And nothing to warn of either."""
    findings = judge_shop(look())
    assert {finding.health for finding in findings} == {Health.FINE}
    assert as_text(findings).endswith("Nothing must be fixed.")
    assert as_json(findings)["healthy"] is True


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"facilities": Reading("metrc", "GET", problem=REFUSED)}, "METRC refuses the user key (env:KEY)."),
        ({"facilities": Reading("metrc", "GET", problem=DOWN)}, "METRC (api-co.metrc.com) cannot be asked"),
        (
            {"facilities": Reading("metrc", "GET", problem=replace(REFUSED, status=None, says="env:KEY is not set or empty"))},
            "The key cannot be read: env:KEY is not set or empty.",
        ),
        ({"facilities": Reading("metrc", "GET", NOW, ())}, "does not see license 402R-X0042"),
        ({"probes": {"sales": REFUSED}}, "The key may not read sales."),
        ({"far": NOW + 3 * MINUTES}, "clock is 180 s away"),
        ({"books": books(inventory=Reading("pos", "inventory", problem=Problem(ProblemKind.UNREADABLE, "torn")))}, "stock cannot be read: torn"),
        ({"books": books(inventory=Reading("pos", "inventory", NOW - 90 * MINUTES, ()))}, "export of the stock is 1 h 30 min old"),
        ({"books": books(sales=Reading("pos", "sales", NOW, (sale(1, NOW + 60 * MINUTES),)))}, "sales that have not happened yet"),
    ],
)  # fmt: skip
def test_what_is_broken_is_found_with_what_to_do(changes, says):
    """One thing is broken at a time, and only that is to be fixed."""
    findings = judge_shop(look(**changes))
    [told] = wrong(findings)
    assert says in told
    assert next(finding.do for finding in findings if finding.says == told)
    assert must_fix(findings)


def test_an_outage_renews_no_key():
    """Renewing kills a good key everywhere."""
    [finding] = [
        f for f in judge_shop(look(facilities=Reading("metrc", "GET", problem=DOWN))) if f.health is Health.FIX
    ]
    assert "do not renew" in finding.do


@pytest.mark.parametrize(("hours", "said"), [(1, "1 h behind"), (-2, "2 h ahead of")])
def test_a_wrong_zone_shows_in_the_sale_times(hours, said):
    """The same sales, all off by whole hours; a minute of difference is a slow till."""
    lines = tuple(sale(n, NOW - n * 10 * MINUTES) for n in range(20, 30))
    receipts = [
        MetrcReceipt(n, None, f"s{n}", NOW - n * 10 * MINUTES + timedelta(hours=hours), None) for n in range(20, 30)
    ]
    late = look(books=books(sales=Reading("pos", "sales", NOW, lines)), receipts=receipts)
    assert wrong(judge_shop(late)) == [f"The POS's sale times are {said} METRC's."]
    near = [replace(receipt, sold_at=receipt.sold_at - timedelta(hours=hours) + MINUTES) for receipt in receipts]
    assert wrong(judge_shop(replace(late, receipts=near))) == []


@pytest.mark.parametrize(
    ("issued", "health"),
    [(date(2025, 3, 1), Health.FIX), (date(2025, 3, 10), Health.WARNING), (None, Health.WARNING)],
)
def test_keys_that_end(issued, health):
    """Past, near, and not known."""
    findings = judge_shop(look(watched=replace(look().watched, key_issued_on=issued)))
    assert [finding.health for finding in findings if finding.area == "key"] == [health]


@pytest.mark.parametrize(
    ("seen", "fixes", "warnings"),
    [
        (None, 0, 1),
        (SlackLook(problem="invalid_auth"), 1, 0),
        (SlackLook("Demo", None), 0, 0),
        (SlackLook("Demo", frozenset({"chat:write", "commands"})), 1, 3),
    ],
)
def test_slack_is_judged_by_its_own_word(seen, fixes, warnings):
    """No token, a refused one, one whose scopes nobody told, one that lacks some."""
    findings = judge_slack(seen)
    assert (len(wrong(findings)), len(wrong(findings, Health.WARNING))) == (fixes, warnings)


def test_the_command_exits_1_when_something_must_be_fixed_and_shows_no_secret(tmp_path):
    """A healthy shop; then, through the real program, a dead key and a refused token."""
    world = World.healthy(NOW)
    slack = SlackStandIn(signing_secret="s", bot_token="xoxb-right")
    with shop_on_loopback(world, tmp_path) as shop, served(slack.asgi) as page:
        env = {"SLACK_BOT_TOKEN": "xoxb-right", "SLACK_API_URL": f"{page}/api/"}
        code, out, err = countlast(shop.folder, shop.env | env, "doctor", "--json")
        told = json.loads(out)
        assert (code, err, told["healthy"], told["schema"]) == (0, "", True, "countlast.doctor/1")
        assert "Slack takes the token" in out
        world.kill_key()
        ran = shop.program("doctor", **(env | {"SLACK_BOT_TOKEN": "xoxb-wrong"}))
        out, err = ran.communicate(timeout=60)
        assert (ran.returncode, err) == (1, "")
        assert "✗ slack: Slack does not take the token (invalid_auth)." in out
        assert "✗ metrc: METRC refuses the user key (env:METRC_USER_KEY)." in out
        assert out.endswith("2 things to fix.\n")
        for secret in (VENDOR_KEY, USER_KEY, "xoxb"):
            assert secret not in out
