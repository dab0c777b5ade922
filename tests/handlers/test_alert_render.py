"""Cards of alerts, status and digests: Slack takes each of them, whatever names and sentences hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts import Alert, Kind, Letter, Member, State, What
from bot.digest import Digest, Week
from bot.model import Cause, PostingDelays
from bot.opening import opening
from bot.status import Standing
from handlers.render.alert import render_alert, render_letter, render_renewed_form
from handlers.render.digest import render_digest
from handlers.render.status import render_status
from tests.handlers import blockkit

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
DENVER = opening("America/Denver", "Mo-Su 09:00-21:00")
HOSTILE = "<!channel> <@U0EVIL> `x` *b* & <http://x|y> \u202e" + "long " * 300
TEXTS = st.one_of(st.text(max_size=300), st.just(HOSTILE))


def alert(kind=Kind.DEAD_KEY, name="Harbor Street", says="It is broken.", **changes):
    members = tuple(Member(f"L{n}", f"{name} {n}", "env:KEY", says, NOW) for n in range(changes.pop("shops", 1)))
    values = {"key": "k", "kind": kind, "channel": "C0FLOOR", "members": members, "since": NOW, "state": State.OPEN}
    return Alert(**{**values, "remedy": "Make a new key in METRC.", "fired_at": NOW, **changes})


def faults(message):
    return blockkit.problems(message.text, list(message.blocks))


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(Kind), st.sampled_from([s for s in State if s is not State.PENDING]))
def test_slack_takes_every_card_and_letter(name, says, remedy, kind, state):
    """For any text in any kind and state, and for every letter about it."""
    of = alert(kind, name, says, remedy=remedy, state=state, by="U0LEE", asks_again_at=NOW, shops=3)
    of = replace(of, closed_at=NOW if state is State.CLOSED else None, escalate_to="U0BOSS")
    assert faults(render_alert(of, DENVER, NOW)) == []
    for what in What:
        letter = Letter("k", 1, what, "C0FLOOR", f"{says} {remedy}", of)
        assert faults(render_letter(letter, DENVER, NOW, is_repeat=True)) == []
    assert blockkit.view_problems(render_renewed_form(of, "{}", date(2026, 3, 3))) == []


def test_three_hundred_shops_are_one_card():
    """The first twenty are named, the rest counted."""
    message = render_alert(alert(shops=300), DENVER, NOW)
    assert faults(message) == []
    assert "300 shops" in message.text
    assert "and 280 more" in message.text


@pytest.mark.parametrize(
    ("at", "offered"),
    [
        (NOW, ["1 hour", "until tomorrow"]),
        (datetime(2026, 3, 4, 6, tzinfo=UTC), ["1 hour", "until we open", "until tomorrow"]),
    ],
)
def test_only_lengths_that_make_sense_are_offered(at, offered):
    """While the shop is open nobody snoozes until it opens."""
    [row] = [block for block in render_alert(alert(), DENVER, at).blocks if block["type"] == "actions"]
    labels = [element["text"]["text"] for element in row["elements"]]
    assert [label.removeprefix("Snooze ") for label in labels if label.startswith("Snooze")] == offered


def test_a_day_is_closed_where_one_shop_has_the_alert():
    """With several shops nobody could say which one is meant."""
    one, three = (str(render_alert(alert(Kind.SYNC_SILENT, shops=n), DENVER, NOW).blocks) for n in (1, 3))
    assert "Closed today" in one
    assert "Closed today" not in three


def test_a_key_that_cannot_be_read_is_not_to_be_renewed():
    """The walk-through is for keys that METRC refuses; a file that is missing is put back."""
    lost = alert(remedy="Put the key back where env:KEY points, then run countlast doctor; no restart is needed.")
    assert "generate" not in str(render_alert(lost, DENVER, NOW).blocks)
    assert "generate" in str(render_alert(alert(), DENVER, NOW).blocks)


def test_an_expiring_key_is_named_without_its_day():
    """Its alert's cause holds the day of issue behind the reference, which may itself be a path."""
    of = alert(Kind.KEY_EXPIRY)
    of = replace(of, members=(replace(of.members[0], cause="file:/run/keys/harbor/2026-01-05"),))
    assert "`file:/run/keys/harbor`" in str(render_alert(of, DENVER, NOW).blocks)


@settings(max_examples=12, deadline=None)
@given(TEXTS, TEXTS, st.booleans())
def test_slack_takes_every_status_and_digest(name, says, known):
    """Many shops, few facts, strange names."""
    shop = Standing(
        license="402R-X0042",
        name=name,
        zone="America/Denver",
        key="env:KEY",
        key_ends=date(2026, 3, 9) if known else None,
        days_left=6 if known else None,
        synced={"sales": NOW if known else None, "items": NOW - timedelta(days=2)},
        delays=PostingDelays(200, 12.0, 400.0, 900.0) if known else None,
        alerts=(alert(says=says, by="U0LEE", state=State.ACKNOWLEDGED), alert(says=says)),
        approvals=(),
    )
    assert faults(render_status([shop] * 40, NOW)) == []
    causes = dict.fromkeys((cause for cause in Cause if cause is not Cause.NONE), 3)
    weeks = (Week(NOW, {}, None, {}), Week(NOW, causes, (40.0, 700.0) if known else None, dict.fromkeys(Kind, 2)))
    assert faults(render_digest(Digest((name,) * 9, weeks, (alert(says=says),) * 5), "/reconcile")) == []


QUIET = Standing(
    license="L1",
    name="Able",
    zone="America/Denver",
    key="env:K",
    key_ends=date(2027, 1, 1),
    days_left=300,
    synced={"sales": NOW},
    delays=None,
    alerts=(),
    approvals=(),
    watched_at=NOW - timedelta(minutes=4),
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"watched_at": None}, "no round of monitors has looked at this shop yet"),
        ({"watched_at": NOW - timedelta(minutes=16)}, "no round of monitors since"),
        ({"filling": True}, "are still being read"),
    ],
)
def test_a_shop_that_nobody_could_look_at_is_not_called_well(change, said):
    """Neither by its mark, nor in the notification, nor by having no alerts."""
    message = render_status([QUIET, replace(QUIET, name="Zeta", **change)], NOW)
    unknown, well = (str(block["text"]["text"]) for block in message.blocks)
    assert unknown.startswith("? *Zeta*")
    assert said in unknown
    assert "none known, and nobody could look" in unknown
    assert well.startswith("✓ *Able*")
    assert message.text == "Not known, for nobody could look: Zeta"


def test_status_puts_what_is_to_be_done_first():
    """A quiet shop is marked so, and stands behind."""
    quiet = QUIET
    busy = replace(quiet, license="L2", name="Zeta", alerts=(alert(),))
    message = render_status([quiet, busy], NOW)
    assert [str(block["text"]["text"])[:1] for block in message.blocks] == ["●", "✓"]
    assert message.text == "Something to do at: Zeta"
    assert render_status([quiet], NOW).text == "All is well."
