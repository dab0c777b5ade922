"""``pending`` and ``history``: what is understood, and what the lists say."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from bot import removals
from bot.model import Subject, SubjectKind
from bot.removals import Person
from handlers.parse import History, Pending, parse
from handlers.render.history import render_history, render_pending
from tests.handlers import blockkit
from tests.removing import HOME, LABEL, LEE, NOW, TWIN, Clock, Receipts, an_intent

INTENT = an_intent(Receipts(Clock()), [TWIN], "i1")
LINK = {"i1": "https://demo.slack.com/archives/C0FLOOR/p1772508600000100?thread_ts=1772508600.000000&cid=C0FLOOR"}


def zone(_license):
    return ZoneInfo("America/Denver")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pending", Pending()),
        ("Pending at Harbor Street", Pending("Harbor Street")),
        ("history", History()),
        (f"history {LABEL}", History(LABEL)),
        (f"history “{LABEL.lower()}” at 402R-X0042", History(LABEL, "402R-X0042")),
        ("history POS-1", History("POS-1")),
    ],
)
def test_lists_are_understood(text, wanted):
    """With or without a place, and history also by label or number."""
    assert parse(text, "/reconcile") == wanted


def test_a_list_says_what_where_who_and_until_when():
    """One line each, with a link to the card where there is one."""
    message = render_pending((INTENT,), LINK, zone)
    assert blockkit.problems(message.text, list(message.blocks)) == []
    assert "*1 open removal*" in message.text
    assert "&amp;cid=C0FLOOR|receipt 880102> (…1002): *waits for approval* · asked by <@U0ASKER>" in message.text
    denied = removals.deny(INTENT, Person(LEE, "Lee", HOME), "Two <!channel> sales.", NOW)
    message = render_history((denied,), {}, zone, LABEL)
    assert blockkit.problems(message.text, list(message.blocks)) == []
    assert "receipt 880102 (…1002): *declined* by <@U0LEE>" in message.text
    assert "Two &lt;!channel&gt; sales." in message.text


def test_a_long_list_is_cut_with_a_count():
    """Within one section; what does not fit is counted."""
    subject = Subject(SubjectKind.RECEIPT, "x" * 200)
    many = [replace(INTENT, id=f"i{n}", subject=subject, says="y" * 500) for n in range(45)]
    for message in (render_history(many, {}, zone, ""), render_pending(many, LINK, zone)):
        assert blockkit.problems(message.text, list(message.blocks)) == []
        shown = message.text.count("• ")
        assert f"… {45 - shown} more" in message.text


def test_an_empty_list_says_so():
    """Silence would look like a failure."""
    assert render_pending((), {}, zone).text == "No removal waits for anybody."
    assert render_history((), {}, zone, "").text == "No removal was ever proposed."


def test_a_removal_that_did_not_hold_is_told_as_such():
    """It is done, and it is there again."""
    gone = replace(INTENT, state=removals.State.DONE, held=False, says="It is there again.")
    late = replace(gone, proposed_at=NOW + timedelta(days=1))
    assert "*did not hold*" in render_history((late,), {}, zone, "").text
