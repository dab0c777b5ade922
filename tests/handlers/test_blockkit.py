"""The judge of the other tests: it takes a good message, and each single fault in it is seen."""

from copy import deepcopy

import pytest

from handlers.render.card import render_card
from tests.handlers import blockkit
from tests.handlers.values import HARBOR
from tests.removing import ACTING, TWIN, Clock, Receipts, an_intent


def message():
    good = render_card(an_intent(Receipts(Clock()), [TWIN], "i1"), ACTING, HARBOR.name, HARBOR.zone)
    return deepcopy({"text": good.text, "blocks": list(good.blocks)})


def section(text):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_good_message_has_no_faults():
    """The healthy case."""
    assert blockkit.problems_of(message()) == []


@pytest.mark.parametrize("text", [None, "", "  ", "<!channel>", "a & b", "a < b", "x" * 4001, "`open"])
def test_a_bad_fallback_is_seen(text):
    """Missing, empty, pinging, unescaped, too long, or with an open code span."""
    assert blockkit.problems_of(message() | {"text": text})


@pytest.mark.parametrize(
    "block",
    [
        section(""),
        section("x" * 3001),
        section("🙂" * 1501),
        section("<!here>"),
        section("<!subteam^S1>"),
        section("<http://evil|Approve>"),
        section("<!date^1^{date} at {time}|x>"),
        section("fish & chips"),
        section("a\u202eb"),
        {"type": "section", "text": {"type": "plain_text", "text": "x"}},
        section("x") | {"colour": "red"},
        {"type": "header", "text": {"type": "plain_text", "text": "x"}},
        {"type": "context", "elements": []},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11},
        {"type": "actions", "elements": []},
    ],
)
def test_a_bad_block_is_seen(block):
    """One block more, with one fault."""
    faulty = message()
    faulty["blocks"].append(block)
    assert blockkit.problems_of(faulty)


@pytest.mark.parametrize(
    "change",
    [
        {"style": "red"},
        {"value": ""},
        {"value": "x" * 2001},
        {"text": {"type": "mrkdwn", "text": "x"}},
        {"text": {"type": "plain_text", "text": "x" * 76}},
        {"action_id": None},
        {"confirm": {"title": {"type": "plain_text", "text": "x"}}},
        {"url": "http://x"},
    ],
)
def test_a_bad_button_is_seen(change):
    """The button of the good message, with one thing changed."""
    faulty = message()
    (row,) = [block for block in faulty["blocks"] if block["type"] == "actions"]
    row["elements"][0] |= change
    assert blockkit.problems_of(faulty)


def test_too_much_of_everything_is_seen():
    """Fifty-one blocks, ten thousand characters, or one id twice."""
    assert blockkit.problems("x", [section("x")] * 51)
    assert blockkit.problems("x", [section("x" * 2600)] * 4)
    assert blockkit.problems("x", [section("x") | {"block_id": "a"}] * 2)
