"""Every way to ask leads to the same answer, and every delivery has one effect."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.errors import MetrcUnauthorized
from bot.model import Subject, SubjectKind
from handlers.answering import LOOK_AGAIN_SECONDS
from handlers.forms import shelf_of
from tests.handlers.conftest import FakeAnswer
from tests.handlers.fake_slack import PATIENCE
from tests.handlers.test_commands import texts
from tests.handlers.values import DOUBLE_RECEIPT, HARBOR, HILL, LABEL

RETRY_AFTER = 7
OTHER = "1A4FF0100000022000001003"


async def test_a_mention_is_answered_in_a_thread_under_it(bot):
    """No parent of our own: the mention is the parent, and what was understood stands above the progress."""
    await bot.mention(f"package {LABEL}")
    progress, answer, _ = bot.slack.posts()
    assert {post["thread_ts"] for post in bot.slack.posts()} == {"1700000000.000900"}
    assert f"Reading this as package `{LABEL}`" in texts(progress)
    assert "twice" in texts(answer)
    assert bot.slack.edits()[-1]["text"].splitlines()[-1].startswith("Done in ")


async def test_a_mention_inside_a_thread_is_answered_there(bot):
    """So it is in the thread of an alert."""
    await bot.mention(LABEL, thread_ts="1690000000.000100")
    assert {post["thread_ts"] for post in bot.slack.posts()} == {"1690000000.000100"}


async def test_a_mention_that_asks_nothing_is_answered_to_who_wrote_it(bot):
    """Seen by nobody else, in the same thread."""
    await bot.mention("hello there", thread_ts="1690000000.000100")
    (whisper,) = bot.slack.ephemerals()
    assert (whisper["user"], whisper["thread_ts"]) == ("U0DANA", "1690000000.000100")
    assert "cannot find a package tag" in texts(whisper)


async def test_a_direct_message_is_answered_beneath_it(bot):
    """What other bots write, and what is edited, is left alone."""
    message = {
        "type": "message",
        "channel_type": "im",
        "channel": "D0DANA",
        "user": "U0DANA",
        "ts": "1700000000.000900",
    }
    await bot.event({**message, "text": LABEL})
    await bot.event({**message, "text": LABEL, "bot_id": "B1"})
    await bot.event({**message, "text": LABEL, "subtype": "message_changed"})
    await bot.event({**message, "text": LABEL, "channel_type": "channel"})
    assert len(bot.answer.questions) == 1
    assert {post["channel"] for post in bot.slack.posts()} == {"D0DANA"}


async def test_the_same_event_ten_times_has_one_effect(bot):
    """Slack repeats what it believes lost."""
    for _ in range(10):
        assert (await bot.mention(LABEL, event_id="EvSame")).status_code == 200
    assert len(bot.answer.questions) == 1


async def test_a_message_is_asked_about_by_its_shortcut(bot):
    """Each thing that it names, in its thread; the same shortcut ten times asks once."""
    message = {"ts": "1690000000.000200", "thread_ts": "1690000000.000100", "text": f"{LABEL} and sale POS-1 are gone"}
    for _ in range(10):
        await bot.interact(
            "message_action",
            callback_id="why_missing",
            channel={"id": "C0FLOOR"},
            message=message,
            response_url=bot.slack.response_url,
            trigger_id="14.same",
        )
    asked = {question.subject for question in bot.answer.questions}
    assert asked == {Subject(SubjectKind.PACKAGE, LABEL), Subject(SubjectKind.RECEIPT, "POS-1")}
    assert len(bot.answer.questions) == 2
    assert {post["thread_ts"] for post in bot.slack.posts()} == {"1690000000.000100"}


async def test_what_a_message_names_beyond_five_is_counted(bot):
    """With the sentence of the command, once however often the press is delivered."""
    labels = [f"1A4FF01000000220000010{number:02d}" for number in range(7)]
    for _ in range(3):
        await bot.interact(
            "message_action",
            callback_id="why_missing",
            channel={"id": "C0FLOOR"},
            message={"ts": "1690000000.000200", "text": " ".join(labels)},
            response_url=bot.slack.response_url,
            trigger_id="14.same",
        )
    assert len(bot.answer.questions) == 5
    (whisper,) = bot.slack.whispers
    assert "2 more were left out" in texts(whisper)


async def test_what_a_form_names_beyond_five_is_counted(bot):
    """The same sentence again."""
    labels = [f"1A4FF01000000220000010{number:02d}" for number in range(7)]
    await bot.command("")
    (view,) = bot.slack.views
    await bot.submit(view, {"what": {"value": " ".join(labels)}})
    assert len(bot.answer.questions) == 5
    (whisper,) = bot.slack.whispers
    assert "2 more were left out" in texts(whisper)


async def test_an_alerts_own_list_of_sales_is_asked_by_its_shortcut(bot):
    """Each by the POS's number."""
    text = "5 sales will not reach METRC by themselves: POS-20260302-00417, POS-20260302-00418 and 3 more."
    await bot.interact(
        "message_action",
        callback_id="why_missing",
        channel={"id": "C0FLOOR"},
        message={"ts": "1690000000.000200", "text": text},
    )
    asked = {(question.subject.kind, question.subject.value) for question in bot.answer.questions}
    receipt = SubjectKind.RECEIPT
    assert asked == {(receipt, "POS-20260302-00417"), (receipt, "POS-20260302-00418")}


async def test_what_another_app_wrote_into_blocks_is_found_too(bot):
    """An alert's text is in its blocks."""
    block = {"type": "section", "text": {"type": "mrkdwn", "text": f"`{LABEL}` is missing"}}
    await bot.interact(
        "message_action",
        callback_id="why_missing",
        channel={"id": "C0FLOOR"},
        message={"ts": "1690000000.000200", "text": "An alert", "blocks": [block]},
    )
    assert [question.subject.value for question in bot.answer.questions] == [LABEL]


async def test_a_message_that_names_nothing_opens_the_form(bot):
    """With a sentence that says so; the answer goes into that message's thread."""
    await bot.interact(
        "message_action",
        callback_id="why_missing",
        channel={"id": "C0FLOOR"},
        message={"ts": "1690000000.000200", "text": "Something is missing"},
    )
    (view,) = bot.slack.views
    assert "found no package tag" in str(view["blocks"][0])
    await bot.submit(view, {"what": {"value": LABEL}})
    assert {post["thread_ts"] for post in bot.slack.posts()} == {"1690000000.000200"}


async def test_the_bare_command_opens_the_form_and_its_answer_comes_in_the_channel(bot):
    """Tag, shop and what the shelf says; sent ten times it asks once."""
    await bot.command("")
    (view,) = bot.slack.views
    for _ in range(10):
        response = await bot.submit(view, {"what": {"value": f" {LABEL.lower()}."}, "shelf": {"value": "3,5"}})
        assert (response.status_code, response.text) == (200, "")
    (question,) = bot.answer.questions
    assert (question.subject.value, question.shelf, question.asked_by) == (LABEL, Decimal("3.5"), "U0DANA")
    parent = bot.slack.posts()[0]
    assert parent["channel"] == "C0FLOOR"
    assert "On the shelf: `3.5`" in texts(parent)


async def test_where_no_form_can_be_opened_the_help_is_told(bot):
    """A trigger that has run out, or none at all."""
    bot.slack.errors["views.open"].append("expired_trigger_id")
    await bot.command("")
    await bot.command("", trigger_id="")
    assert ["Why does a package read as missing" in texts(whisper) for whisper in bot.slack.whispers] == [True, True]


async def test_what_a_form_cannot_ask_comes_back_to_its_field(start):
    """Nothing is asked, and what was typed stays."""
    bot = await start(HARBOR, HILL)
    await bot.command("", channel_id="C0OTHER")
    (view,) = bot.slack.views
    wrong = await bot.submit(view, {"what": {"value": "abc"}, "shelf": {"value": "many"}})
    assert set(wrong.json()["errors"]) == {"what", "shelf"}
    empty = await bot.submit(view, {"what": {"value": None}})
    assert "Nothing was typed" in empty.json()["errors"]["what"]
    shopless = await bot.submit(view, {"what": {"value": LABEL}})
    assert set(shopless.json()["errors"]) == {"shop"}
    counted = await bot.submit(view, {"what": {"value": f"{LABEL} {OTHER} at Hill Road"}, "shelf": {"value": "3"}})
    assert set(counted.json()["errors"]) == {"shelf"}
    several = await bot.submit(view, {"what": {"value": "02011 02012 in Hill Road"}, "shelf": {"value": "3"}})
    assert set(several.json()["errors"]) == {"shelf"}
    number = await bot.submit(view, {"what": {"value": "0000418902 in Hill Road"}})
    assert "manifest 0000418902" in number.json()["errors"]["what"]
    assert bot.answer.questions == []
    chosen = {"selected_option": {"value": HILL.license}}
    await bot.submit(view, {"what": {"value": LABEL}, "shop": chosen})
    assert [question.facility for question in bot.answer.questions] == [HILL.license]


async def test_the_global_shortcut_asks_in_the_shops_channel(bot):
    """It knows no channel of its own."""
    await bot.interact("shortcut", callback_id="ask_package")
    (view,) = bot.slack.views
    await bot.submit(view, {"what": {"value": LABEL}})
    assert bot.slack.posts()[0]["channel"] == "C0FLOOR"


async def test_several_tags_are_answered_side_by_side(bot):
    """Each in a thread of its own."""
    await bot.command(f"package {LABEL} {OTHER}")
    assert {question.subject.value for question in bot.answer.questions} == {LABEL, OTHER}
    assert sum("thread_ts" not in post for post in bot.slack.posts()) == 2


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ((LABEL,), None),
        ((LABEL, "1A4FF0100000033000001002"), "2 packages end in `01002`"),
        ((), "no package here that ends in `01002`"),
    ],
)
async def test_the_last_digits_are_enough_where_they_are_unique(start, known, said):
    """What was understood is read back; METRC is asked nothing where it is not known."""

    async def ending(license_number, tail):
        assert (license_number, tail) == (HARBOR.license, "01002")
        return known

    bot = await start(ending=ending)
    await bot.command("01002")
    if said is None:
        assert "Reading `01002` as package" in texts(bot.slack.posts()[0])
        assert [question.subject.value for question in bot.answer.questions] == [LABEL]
    else:
        assert said in texts(bot.slack.whispers[0])
        assert bot.answer.questions == []


async def test_each_end_of_a_tag_is_looked_up(start):
    """Also beside a whole tag."""

    async def ending(_license, tail):
        return ("1A4FF010000002200000" + tail[-4:],)

    bot = await start(ending=ending)
    await bot.command(f"{LABEL} 02005 2006")
    assert {question.subject.value[-4:] for question in bot.answer.questions} == {LABEL[-4:], "2005", "2006"}


async def test_a_link_on_a_unit_leads_to_its_package(start):
    """Or to a sentence that says what to type, where METRC does not tell."""

    async def scanned(_license, code):
        if code == "3W5E11264SGPN":
            return (LABEL,)
        raise MetrcUnauthorized("Not for this key.", status=401)

    bot = await start(scanned=scanned)
    await bot.command("<https://1a4.com/3W5E11264SGPN>")
    await bot.command("<https://1a4.com/ZZZZZZ>")
    assert [question.subject.value for question in bot.answer.questions] == [LABEL]
    assert "Type the tag that is printed beside the code" in texts(bot.slack.whispers[0])


async def test_a_question_that_is_being_answered_is_joined(start):
    """The second asker is told where; both are known as askers; METRC is asked once."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(gate=gate))
    await bot.command(LABEL, settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    await bot.command(LABEL, user_id="U0LEE", settle=False)
    await bot.slack.until(lambda slack: slack.whispers)
    gate.set()
    await bot.settle()
    assert len(bot.answer.questions) == 1
    assert "answered already" in texts(bot.slack.whispers[0])
    (one,) = bot.services.inquiries.all
    assert await bot.services.inquiries.askers(one) == ("U0DANA", "U0LEE")


@pytest.mark.parametrize("person", ["U0LEE", "U0DANA"])
async def test_who_joins_before_the_thread_is_there_waits_for_its_address(start, person):
    """While the first message waits for its channel's pace; the answer is posted once all the same."""
    held, looked, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleep(seconds):
        if seconds == RETRY_AFTER:
            held.set()
            await gate.wait()
        if seconds == LOOK_AGAIN_SECONDS:
            looked.set()
        await asyncio.sleep(0.002)

    bot = await start(sleep=sleep)
    bot.services.ledger.kept[DOUBLE_RECEIPT.id] = DOUBLE_RECEIPT
    bot.slack.limits["chat.postMessage"].append(RETRY_AFTER)
    await bot.command(LABEL, settle=False)
    async with asyncio.timeout(PATIENCE):
        await held.wait()
    await bot.command(LABEL, user_id=person, settle=False)
    async with asyncio.timeout(PATIENCE):
        await looked.wait()
    gate.set()
    await bot.settle()
    (whisper,) = bot.slack.whispers
    assert "/archives/C0FLOOR/p1700000001000100|Its thread>" in texts(whisper)
    assert sum("twice" in texts(post) for post in bot.slack.posts()) == 1


async def test_who_joins_from_another_channel_gets_the_answer_there(start):
    """It would not be seen otherwise."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(gate=gate))
    bot.services.ledger.kept[DOUBLE_RECEIPT.id] = DOUBLE_RECEIPT
    await bot.command(LABEL, settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    await bot.command(LABEL, user_id="U0LEE", channel_id="C0OTHER", settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 4)
    gate.set()
    await bot.settle()
    assert len(bot.answer.questions) == 1
    elsewhere = [texts(post) for post in bot.slack.posts() if post["channel"] == "C0OTHER"]
    assert any("twice" in text for text in elsewhere)


async def test_an_answered_question_is_asked_afresh_and_links_the_earlier_thread(bot):
    """An old answer is no answer; but it is a click away."""
    await bot.command(LABEL)
    await bot.command(LABEL, user_id="U0LEE")
    assert len(bot.answer.questions) == 2
    parents = [post for post in bot.slack.posts() if "thread_ts" not in post]
    assert "/archives/C0FLOOR/p1700000001000100|earlier answer>" in texts(parents[1])


async def test_a_closed_channel_becomes_a_direct_message_where_that_is_granted(bot):
    """With the whole answer, and how to mend it."""
    bot.slack.missing.discard("conversations.open")
    bot.slack.errors["chat.postMessage"].append("not_in_channel")
    await bot.command(LABEL)
    direct = [post for post in bot.slack.posts() if post["channel"] == "D0DANA"]
    assert "twice" in texts(direct[0])
    assert "Type `/invite @countlast` in <#C0FLOOR>, then ask again" in texts(direct[0])
    assert "`1A4FF0100000022000001002` · Harbor Street" in texts(direct[0])
    assert direct[0]["text"].startswith("Package …1002 at Harbor Street: ")
    assert bot.slack.whispers == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("19", "19"),
        ("3.5", "3.5"),
        ("3,5", "3.5"),
        ("1,250", "1250"),
        ("1,250.5", "1250.5"),
        ("0,125", "0.125"),
        (" 1 250 ", "1250"),
        ("-3", None),
        ("1e9", None),
        ("NaN", None),
        ("", None),
        (".", None),
        ("٣", None),
        ("1.2.3", None),
    ],
)
def test_a_count_is_read_as_people_type_it(text, count):
    """Commas for points, points for thousands; nothing else is a number."""
    assert shelf_of(text) == (None if count is None else Decimal(count))


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ({"is_restricted": True}, "Guests cannot ask"),
        ({"team_id": "T0OTHER"}, "you are of another one"),
        ({"is_bot": True}, "Bots cannot ask"),
    ],
)
async def test_guests_strangers_and_bots_are_told_why_not(bot, user, reason):
    """In private; METRC is not asked."""
    bot.slack.people["U0SAM"] = user
    await bot.command(LABEL, user_id="U0SAM")
    assert reason in texts(bot.slack.whispers[0])
    assert bot.answer.questions == []


async def test_who_is_not_in_the_shops_channel_is_told_where_to_ask(start):
    """Unless the setting opens it to the whole workspace."""
    bot = await start()
    await bot.command(LABEL, user_id="U0KIT", channel_id="C0OTHER")
    assert "members of <#C0FLOOR>" in texts(bot.slack.whispers[0])
    await bot.command(LABEL, user_id="U0KIT")
    wide = await start(who_may_ask="workspace")
    await wide.command(LABEL, user_id="U0KIT", channel_id="C0OTHER")
    assert (len(bot.answer.questions), len(wide.answer.questions)) == (1, 1)


async def test_when_slack_does_not_say_who_asks_only_the_shops_own_channel_is_open(bot):
    """Elsewhere nothing is looked up, and that is said."""
    bot.slack.errors["users.info"] += ["fatal_error", "fatal_error"]
    await bot.command(LABEL, channel_id="C0OTHER")
    assert "could not ask Slack who you are" in texts(bot.slack.whispers[0])
    assert bot.answer.questions == []
    await bot.command(LABEL)
    assert len(bot.answer.questions) == 1


async def test_a_shelf_in_the_answer_is_asked_again_with_it(bot):
    """The count belongs to the question."""
    gap = replace(DOUBLE_RECEIPT.gap, shelf=Decimal(18))
    bot.services.ledger.kept["d-1"] = replace(DOUBLE_RECEIPT, gap=gap)
    await bot.press("ask_again", actions=[_button("ask_again")])
    assert [question.shelf for question in bot.answer.questions] == [Decimal(18)]


def _button(action_id, value="d-1"):
    return {"type": "button", "action_id": action_id, "block_id": "answer", "value": value, "action_ts": "1.5"}
