"""The buttons under an answer, the Home tab, and what is kept of what people say."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.inquiries import Inquiry
from bot.model import Cause, CheckName, Outcome, Quote, Result, SubjectKind
from handlers.follow_ups import handing_keys
from handlers.render.blocks import Message, section
from handlers.render.evidence import render_evidence_page
from handlers.render.form import render_form
from handlers.render.help import render_sentence
from handlers.render.home import Home, render_home
from handlers.render.splitting import parts, split_markup
from handlers.render.verdict import render_verdict_form
from handlers.render.words import CAUSES
from tests.handlers import blockkit
from tests.handlers.test_commands import texts
from tests.handlers.values import DOUBLE_RECEIPT, HARBOR, HILL, LABEL, NOW
from tests.handlers.values import settings as configured


def button(action_id, value="d-1", stamp="1.5"):
    return {"type": "button", "action_id": action_id, "block_id": "answer", "value": value, "action_ts": stamp}


def pressed(action_id, **changes):
    container = {"type": "message", "message_ts": "1.2", "channel_id": "C0FLOOR", "thread_ts": "1700000001.000100"}
    return {"actions": [button(action_id)], "container": container, "trigger_id": "15.1"} | changes


@pytest.fixture
async def answered(bot):
    """A bot that has answered one question."""
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    await bot.command(LABEL)
    return bot


async def test_an_answer_has_four_buttons_that_hold_its_id(answered):
    """Words, not colours; nothing but an id."""
    answer = next(post for post in answered.slack.posts() if "twice" in texts(post))
    labels = {each["text"]["text"]: each["value"] for each in answer["blocks"][-1]["elements"]}
    assert labels == dict.fromkeys(("Show evidence", "Ask again", "Hand to a person", "Was this right?"), "d-1")


async def test_the_evidence_opens_at_once_and_then_shows_every_reading(answered):
    """A form within three seconds, filled a moment later; the same press ten times opens one."""
    for _ in range(10):
        await answered.press("show_evidence", **pressed("show_evidence"))
    loading, shown = answered.slack.views
    assert "Loading" in str(loading)
    assert "GET /authentication/v2/" in str(shown)
    assert "sales.csv line 4" in str(shown)
    assert "as of <!date^" in str(shown)


async def test_evidence_that_is_not_kept_is_said_to_be_gone(bot):
    """And who may not ask may not look either."""
    await bot.press("show_evidence", **pressed("show_evidence"))
    assert "no longer kept" in str(bot.slack.views[-1])
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    bot.slack.people["U0SAM"] = {"is_restricted": True}
    await bot.press("show_evidence", **pressed("show_evidence", user={"id": "U0SAM"}))
    assert "GET /" not in str(bot.slack.views)
    assert "Guests cannot ask" in str(bot.slack.views[-1])


async def test_a_guest_says_nothing_of_an_answer(answered):
    """No form is opened; why not is told."""
    answered.slack.people["U0SAM"] = {"is_restricted": True}
    await answered.press("was_right", **pressed("was_right", user={"id": "U0SAM"}))
    assert answered.slack.views == []
    assert "Guests cannot ask" in texts(answered.slack.whispers[-1])


async def test_long_evidence_is_leafed_through(bot):
    """Every reading is on some page."""
    quotes = tuple(Quote("metrc", f"GET /thing/{number}", NOW, "says " * 60) for number in range(60))
    checks = tuple(
        replace(each, evidence=quotes) if each.name is CheckName.TIMING else each for each in DOUBLE_RECEIPT.checks
    )
    long = replace(DOUBLE_RECEIPT, checks=checks)
    bot.services.ledger.kept["d-1"] = long
    await bot.press("show_evidence", **pressed("show_evidence"))
    while leaf := [
        b for b in bot.slack.views[-1]["blocks"][-1].get("elements", []) if b.get("action_id") == "evidence_next"
    ]:
        await bot.interact(
            "block_actions",
            container={"type": "view", "view_id": "V1"},
            view={"id": "V1"},
            actions=[{**leaf[0], "block_id": "b", "action_ts": leaf[0]["value"]}],
        )
    seen = str(bot.slack.views[1:])
    assert all(f"GET /thing/{number}`" in seen for number in range(60))


async def test_ask_again_asks_the_same_in_the_same_thread(answered):
    """Afresh, and once however often the press comes."""
    for _ in range(10):
        await answered.press("ask_again", **pressed("ask_again"))
    assert [question.subject.value for question in answered.answer.questions] == [LABEL, LABEL]
    assert answered.slack.posts()[-1]["thread_ts"] == "1700000001.000100"


async def test_a_case_is_handed_to_the_shops_contact_once(start):
    """With what it is about, and where it is."""
    bot = await start(replace(HARBOR, contact="U0LEE"))
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    await bot.press("hand_over", **pressed("hand_over"))
    await bot.press("hand_over", **pressed("hand_over", actions=[button("hand_over", stamp="1.9")]))
    (handed,) = bot.slack.posts()
    assert handed["text"].startswith(
        f"<@U0LEE>, <@U0DANA> hands you this: *Package …1002* · `{LABEL}` · Harbor Street: "
    )
    assert "Sale POS-20260302-00417" in handed["text"]
    assert "Case `d-1`" in handed["text"]
    assert "handed over already" in texts(bot.slack.whispers[0])


@pytest.mark.parametrize(
    ("named", "people"),
    [
        ({"contact": "U0DANA", "escalate_to": "U0KIT"}, "<@U0KIT>"),
        ({"contact": "U0DANA", "approvers": ("U0DANA", "U0LEE", "S0MANAGERS")}, "<@U0LEE>, <!subteam^S0MANAGERS>"),
        ({"contact": "U0DANA", "escalate_to": "C0ONCALL", "approvers": ("U0LEE",)}, "<@U0LEE>"),
        ({"approvers": ("U0LEE",)}, "<@U0LEE>"),
        ({"contact": "U0DANA"}, "Somebody at Harbor Street"),
    ],
)
async def test_a_case_is_handed_to_somebody_else_than_who_hands_it(start, named, people):
    """The contact himself hands it on: to on-call, else to who approves."""
    bot = await start(replace(HARBOR, **named))
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    await bot.press("hand_over", **pressed("hand_over"))
    (handed,) = bot.slack.posts()
    assert handed["text"].startswith(f"{people}, <@U0DANA> hands you this: ")


@pytest.mark.parametrize(("age", "posts"), [(timedelta(0), 0), (timedelta(minutes=2), 0), (timedelta(minutes=4), 1)])
async def test_a_case_that_a_dead_process_did_not_hand_over_is_handed_over(start, age, posts):
    """It began and never posted; a press that comes while it may still be posting waits."""
    bot = await start(replace(HARBOR, contact="U0LEE"))
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    bot.services.ledger.seen.update(handing_keys("d-1", NOW - age))
    await bot.press("hand_over", **pressed("hand_over"))
    assert len(bot.slack.posts()) == posts
    assert ["being handed over" in texts(whisper) for whisper in bot.slack.whispers] == [True] * (1 - posts)


async def test_of_two_who_hand_a_case_over_at_once_one_does(start):
    """In whichever order they are taken, and a press that was one too many keeps off nobody later."""
    bot = await start(replace(HARBOR, contact="U0LEE"))
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    stamps = ("1.5", "1.7", "1.9")
    await asyncio.gather(
        *(bot.press("hand_over", **pressed("hand_over", actions=[button("hand_over", stamp=each)])) for each in stamps)
    )
    assert len(bot.slack.posts()) == 1
    assert {key for key in bot.services.ledger.seen if key.startswith("handing")} == set(handing_keys("d-1", NOW))


async def test_where_nobody_can_look_a_case_is_handed_over_once(start):
    """Once too little rather than twice."""
    bot = await start(replace(HARBOR, contact="U0LEE"))
    bot.slack.missing.add("conversations.replies")
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    for stamp in ("1.5", "1.9"):
        await bot.press("hand_over", **pressed("hand_over", actions=[button("hand_over", stamp=stamp)]))
        bot.services.ledger.seen.difference_update(handing_keys("d-1", NOW))
    assert len(bot.slack.posts()) == 1
    assert "handed over already" in texts(bot.slack.whispers[0])


async def test_what_turned_out_is_kept_with_the_answer(answered):
    """A later word of the same person replaces the earlier one; the thread hears of it."""
    await answered.press("was_right", **pressed("was_right"))
    view = answered.slack.views[-1]
    empty = await answered.submit(view, {})
    assert set(empty.json()["errors"]) == {"right"}
    wrong = {"right": {"selected_option": {"value": "wrong"}}, "cause": {"selected_option": {"value": "timing"}}}
    thanks = await answered.submit(view, wrong | {"note": {"value": "It came  later."}}, view_id="V2")
    assert thanks.json()["response_action"] == "update"
    assert blockkit.view_problems(thanks.json()["view"]) == []
    (verdict,) = answered.services.inquiries.said.values()
    assert (verdict.diagnosis_id, verdict.is_right, verdict.cause) == ("d-1", False, Cause.TIMING)
    assert (verdict.facility, verdict.note) == (HARBOR.license, "It came later.")
    assert answered.slack.posts()[-1]["text"] == "<@U0DANA>: this was wrong. It really was: only late."
    await answered.submit(view, {"right": {"selected_option": {"value": "right"}}}, view_id="V3")
    (verdict,) = answered.services.inquiries.said.values()
    assert (verdict.is_right, verdict.cause) == (True, None)


async def test_the_home_tab_shows_recent_cases_and_asks(answered):
    """Drawn for who looks; its button opens the form."""
    await answered.event({"type": "app_home_opened", "user": "U0DANA", "tab": "home", "channel": "D0DANA"})
    home = answered.slack.views[-1]
    assert home["type"] == "home"
    assert "Recorded twice" in str(home)
    assert "…1002" in str(home)
    await answered.interact(
        "block_actions", container={"type": "view", "view_id": "V1"}, actions=[button("home_ask", "ask")]
    )
    assert answered.slack.views[-1]["callback_id"] == "ask"
    await answered.interact(
        "block_actions", container={"type": "view", "view_id": "V1"}, actions=[button("home_refresh", "x")]
    )
    assert answered.slack.views[-1]["type"] == "home"


@pytest.mark.parametrize(("user", "is_shown"), [("U0DANA", True), ("U0LEE", False)])
async def test_what_somebody_asked_in_a_direct_message_is_on_nobody_elses_home(bot, user, is_shown):
    """It was a private question, and the link would lead nowhere."""
    bot.services.ledger.kept["d-1"] = DOUBLE_RECEIPT
    await bot.event(
        {
            "type": "message",
            "channel_type": "im",
            "user": "U0DANA",
            "text": LABEL,
            "ts": "1700000000.000900",
            "channel": "D0DANA",
        }
    )
    await bot.event({"type": "app_home_opened", "user": user, "tab": "home"})
    assert ("…1002" in str(bot.slack.views[-1])) is is_shown
    assert ("/archives/D0DANA/" in str(bot.slack.views[-1])) is is_shown


async def test_the_home_tab_of_a_guest_says_why_it_is_empty(bot):
    """No case of the shop is shown."""
    bot.slack.people["U0SAM"] = {"is_ultra_restricted": True}
    await bot.event({"type": "app_home_opened", "user": "U0SAM", "tab": "home"})
    assert "Guests cannot ask" in str(bot.slack.views[-1])


async def test_the_messages_tab_draws_nothing(bot):
    """Only the Home tab is drawn."""
    await bot.event({"type": "app_home_opened", "user": "U0DANA", "tab": "messages"})
    assert bot.slack.views == []


# --- laws -------------------------------------------------------------------------------------------------------------

NASTY = st.sampled_from(
    [
        "<!channel>",
        "<@U0DANA>",
        "`x",
        "``",
        "=cmd|' /C calc'!A0",
        "\u202eabc",
        "שלום עולם",
        "👩‍👩‍👧‍👦" * 40,
        "&amp;&lt;",
        "*a*",
        "x" * 10_000,
        "\n" * 50,
        "<http://evil|Approve>",
        "\ud800",
        "&" * 3000,
    ]
)
RECORDS = NASTY | st.text(max_size=300)


@settings(deadline=None, max_examples=60)
@given(RECORDS, RECORDS, st.lists(RECORDS, max_size=12), st.integers(-1, 40))
def test_every_page_of_any_evidence_is_a_form_that_slack_takes(headline, asked, says, number):
    """Whatever records say: within all limits, and nobody is mentioned."""
    quotes = tuple(Quote("pos", asked or "x", None, each) for each in says)
    checks = tuple(Outcome(name, Result.UNKNOWN, headline, evidence=quotes) for name in CheckName)
    view = render_evidence_page(replace(DOUBLE_RECEIPT, headline=headline, checks=checks), HARBOR, number)
    assert blockkit.view_problems(view) == []
    assert blockkit.characters(view) < 10_000


@settings(deadline=None, max_examples=60)
@given(RECORDS, RECORDS, st.lists(st.sampled_from(SubjectKind), max_size=20), st.booleans())
def test_any_home_tab_is_one_that_slack_takes(value, shop, kinds, is_called):
    """However many cases and however long their names."""
    moment = datetime(2026, 3, 3, tzinfo=UTC)
    recent = [
        Inquiry(str(n), HARBOR.license, kind, value, "U0DANA", moment, ended_at=moment, cause=Cause.TIMING)
        for n, kind in enumerate(kinds)
    ]
    standing = Message("x", tuple(section(f"line {n} " + "y" * 900) for n in range(20))) if is_called else None
    home = Home(recent, {}, {HARBOR.license: shop}, standing, ())
    view = render_home(home, lambda _: HARBOR.zone)
    assert blockkit.view_problems(view) == []
    assert blockkit.characters(view) < 10_000


@settings(deadline=None, max_examples=60)
@given(RECORDS, st.integers(0, 150))
def test_any_form_is_one_that_slack_takes(name, shops):
    """However the shops are called, and however many there are."""
    facilities = [replace(HILL, license=f"402R-{n}", name=name) for n in range(shops)]
    view = render_form(configured(HARBOR, *facilities), "C0FLOOR", "{}", "")
    assert blockkit.view_problems(view) == []
    assert blockkit.view_problems(render_verdict_form("{}")) == []


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        RECORDS.map(lambda text: section(text[:4000].replace("<", "").replace("&", "").replace("`", "") or "x")),
        max_size=70,
    )
)
def test_any_message_is_split_into_parts_that_slack_takes(blocks):
    """Nothing but white space at the cuts is lost, and order is kept."""
    found = parts(Message("text", tuple(blocks)))
    for part in found:
        assert len(part.blocks) <= 50
        assert blockkit.characters(list(part.blocks)) < 10_000
    told = "".join("".join(b["text"]["text"].split()) for part in found for b in part.blocks)
    assert told == "".join("".join(block["text"]["text"].split()) for block in blocks)


@given(st.text(alphabet="ab &;<>`\n@!|é🙂", max_size=300), st.integers(20, 60))
def test_no_cut_falls_into_something_that_belongs_together(text, limit):
    """Escapes, control sequences and code spans stay whole."""
    markup = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "") + " <@U0DANA> `code`"
    pieces = split_markup(markup, limit)
    assert all(blockkit._units(piece) <= limit for piece in pieces)
    for piece in pieces:
        assert blockkit.problems(piece or "…", []) == []


def test_every_cause_has_its_words():
    """So that what really was can be said of any."""
    assert set(CAUSES) == set(Cause)
    assert render_sentence(CAUSES[Cause.NONE]).text
