"""The slash command, from Slack's delivery to what stands in the channel."""

import asyncio
import time

import pytest

from bot.errors import QuestionError, StorageError
from handlers import asking
from tests.handlers.conftest import FakeAnswer, MemoryQuestions
from tests.handlers.values import HARBOR, HILL, LABEL


def texts(message):
    return "\n".join(
        part["text"] if isinstance(part.get("text"), str) else part["text"]["text"]
        for block in message["blocks"]
        if block["type"] in {"section", "context"}
        for part in (block.get("elements") or [block])
    )


async def test_a_question_becomes_one_parent_and_everything_else_hangs_in_its_thread(bot):
    """The channel sees one message, and progress, answer and evidence are replies to it, in this order."""
    response = await bot.command(f"package {LABEL}")
    assert (response.status_code, response.text) == (200, "")
    parent, *replies = bot.slack.posts()
    assert "thread_ts" not in parent
    assert parent["channel"] == "C0FLOOR"
    assert "*Package …1002* at Harbor Street, asked by <@U0DANA>" in texts(parent)
    assert f"Reading this as package `{LABEL}`" in texts(parent)
    assert {reply["thread_ts"] for reply in replies} == {"1700000001.000100"}
    assert len(replies) == 3
    assert "posted to METRC twice" in texts(replies[1])
    assert "What was read" in texts(replies[2])


async def test_the_question_names_facility_label_and_asker(bot):
    """What reaches the use case is the whole question."""
    await bot.command(f"package {LABEL.lower()} at 402r-x0042")
    (question,) = bot.answer.questions
    assert (question.facility, question.subject.value, question.asked_by) == ("402R-X0042", LABEL, "U0DANA")


@pytest.mark.parametrize(
    ("text", "kind", "value", "shown"),
    [
        ("receipt 880102", "receipt", "880102", "*Receipt 880102* at Harbor Street"),
        ("manifest 0000418902", "manifest", "0000418902", "*Manifest 0000418902* at Harbor Street"),
        ("product Night at Sea", "product", "Night at Sea", "*Product Night at Sea* at Harbor Street"),
    ],
)
async def test_receipts_manifests_and_products_are_asked_by_their_own_word(bot, text, kind, value, shown):
    """The parent says what was read out of the text, in full."""
    await bot.command(text)
    (question,) = bot.answer.questions
    assert (question.subject.kind.value, question.subject.value) == (kind, value)
    assert shown in texts(bot.slack.posts()[0])


async def test_slack_is_acknowledged_while_the_answer_still_blocks(start):
    """The acknowledgement waits for nothing that is looked up."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(gate=gate))
    began = time.perf_counter()
    response = await bot.command(f"package {LABEL}", settle=False)
    took = time.perf_counter() - began
    assert response.status_code == 200
    assert took < 1
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    gate.set()
    await bot.settle()
    assert len(bot.slack.posts()) == 4


async def test_progress_is_one_message_that_ends_as_done(start):
    """Stages are edits of one message, the last of which says how long it took."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(stages=("Asking METRC", "Reading the POS <now>"), gate=gate))
    await bot.command(f"package {LABEL}", settle=False)
    await bot.slack.until(lambda slack: slack.edits())
    gate.set()
    await bot.settle()
    edits = bot.slack.edits()
    assert {edit["ts"] for edit in edits} == {"1700000002.000100"}
    assert edits[0]["text"] == "Working… Reading the POS &lt;now&gt;"
    assert edits[-1]["text"].startswith("Done in ")
    assert len(edits) == 2


async def test_the_same_delivery_ten_times_has_one_effect(bot):
    """Repeats of one trigger are acknowledged and change nothing."""
    payload = bot.payload(f"package {LABEL}", trigger_id="13.same")
    text = payload.pop("text")
    responses = [await bot.command(text, **payload) for _ in range(10)]
    assert {response.status_code for response in responses} == {200}
    assert len(bot.answer.questions) == 1
    assert len(bot.slack.posts()) == 4
    assert bot.services.metrics.registry.get_sample_value("countlast_repeats_total") == 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("help", "Why does a package read as missing"),
        ("frobnicate", "cannot find a package tag"),
        ("package", "cannot find a package tag"),
        (f"package {LABEL} at", "comes a license"),
        (f"package {LABEL} at 999", "do not know the license"),
        ("x" * 3001, "too long"),
    ],
)
async def test_what_is_no_question_is_answered_privately_with_an_example(bot, text, expected):
    """Nothing is posted or asked; the person alone gets a sentence with a line to copy."""
    await bot.command(text)
    (whisper,) = bot.slack.whispers
    assert expected in texts(whisper)
    assert "`/reconcile package 1A4FF0100000022000001002" in texts(whisper)
    assert whisper["response_type"] == "ephemeral"
    assert bot.slack.calls == []
    assert bot.answer.questions == []


async def test_a_channel_without_a_shop_asks_which_one_is_meant(start):
    """When a choice is left, there is one command to copy for each shop, and nothing is looked up."""
    bot = await start(HARBOR, HILL)
    await bot.command(f"package {LABEL}", channel_id="C0OTHER")
    (whisper,) = bot.slack.whispers
    for facility in (HARBOR, HILL):
        assert f"`/reconcile package {LABEL} at {facility.license}`" in texts(whisper)
    assert bot.answer.questions == []


@pytest.mark.parametrize(
    ("channel", "place", "expected"),
    [
        ("C0HILL", "", HILL),
        ("C0FLOOR", "", HARBOR),
        ("C0HILL", " at 402r–x0042.", HARBOR),
        ("C0OTHER", " at hill road", HILL),
        ("C0OTHER", " at 402R-X0043 please", HILL),
    ],
)
async def test_the_shop_is_the_named_one_else_the_channels(start, channel, place, expected):
    """A named license wins over the channel's, in any case and with what a phone makes of a hyphen."""
    bot = await start(HARBOR, HILL)
    await bot.command(f"{LABEL}{place}", channel_id=channel)
    assert [question.facility for question in bot.answer.questions] == [expected.license]


@pytest.mark.parametrize("reason", ["not_in_channel", "channel_not_found", "is_archived", "restricted_action"])
async def test_a_channel_that_takes_no_message_leaves_nobody_in_silence(bot, reason):
    """The asker is told how to invite the bot, and the headline and the next step all the same."""
    bot.slack.errors["chat.postMessage"].append(reason)
    await bot.command(f"package {LABEL}")
    (whisper,) = bot.slack.whispers
    assert "`/invite @countlast`" in texts(whisper)
    assert "posted to METRC twice" in texts(whisper)
    assert "Void METRC receipt 880102" in texts(whisper)
    assert "Do not adjust the quantity." in texts(whisper)
    assert len(bot.slack.posts()) == 1
    failed = bot.services.metrics.registry.get_sample_value("countlast_slack_posts_failed_total", {"reason": reason})
    assert failed == 1


async def test_an_answer_refused_in_the_thread_is_whispered(bot):
    """Where the bot is thrown out while it works, the asker still gets the headline."""
    gate = asyncio.Event()
    bot.answer.gate = gate
    await bot.command(f"package {LABEL}", settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    bot.slack.errors["chat.postMessage"].append("not_in_channel")
    gate.set()
    await bot.settle()
    (whisper,) = bot.slack.whispers
    assert "posted to METRC twice" in texts(whisper)


async def test_a_question_that_fails_ends_with_its_sentence_in_the_thread(start):
    """An error of ours speaks for itself, escaped, and the progress message says that it stopped."""
    bot = await start(answer=FakeAnswer(error=QuestionError("The <database> is locked.")))
    await bot.command(f"package {LABEL}")
    *_, last = bot.slack.posts()
    assert last["thread_ts"] == "1700000001.000100"
    assert "The &lt;database&gt; is locked." in texts(last)
    assert bot.slack.edits()[-1]["text"].startswith("Stopped after ")


async def test_a_fault_of_the_program_shows_a_code_and_logs_the_rest(start, caplog):
    """A person gets one sentence with a code; the traceback is in the log under that code only."""
    bot = await start(answer=FakeAnswer(error=ZeroDivisionError("private detail")))
    await bot.command(f"package {LABEL}")
    said = texts(bot.slack.posts()[-1])
    error_code = said.split("`")[1]
    assert error_code.startswith("E-")
    assert "private detail" not in said
    (record,) = [record for record in caplog.records if error_code in record.getMessage()]
    assert record.exc_info


async def test_a_broken_ledger_is_told_privately(start):
    """Without a thread, the sentence reaches the asker through the command's own address."""

    class Broken(MemoryQuestions):
        async def keep(self, question):
            raise StorageError("The database cannot be reached.")

    bot = await start(questions=Broken())
    await bot.command(f"package {LABEL}")
    (whisper,) = bot.slack.whispers
    assert "The database cannot be reached." in texts(whisper)


async def test_only_who_asks_too_much_is_slowed_down(start):
    """The third question of one person is refused at two a minute, with the acknowledgement; another person's is answered."""
    bot = await start(questions_per_minute=2)
    first, second, third = [await bot.command(f"package {LABEL}") for _ in range(3)]
    await bot.command(f"package {LABEL}", user_id="U0LEE")
    assert [question.asked_by for question in bot.answer.questions] == ["U0DANA", "U0DANA", "U0LEE"]
    assert (first.text, second.text) == ("", "")
    assert third.json()["response_type"] == "ephemeral"
    assert "more than 2 questions in a minute" in third.json()["text"]
    assert bot.slack.whispers == []


async def test_many_at_once_are_refused_before_the_first_of_them_is_answered(start):
    """A question counts when it is heard, so that a flood never reaches the database; and those let in are answered."""
    bot = await start(questions_per_minute=2)
    answers = [await bot.command(f"receipt {number}", settle=False) for number in range(10)]
    assert [bool(answer.text) for answer in answers] == [False] * 2 + [True] * 8
    await bot.settle()
    assert len(bot.answer.questions) == 2
    assert bot.slack.whispers == []


async def test_whoever_asks_too_much_is_still_helped(start):
    """What is no question is never too many."""
    bot = await start(questions_per_minute=1)
    for _ in range(2):
        await bot.command(f"package {LABEL}")
    await bot.command("help")
    (whisper,) = bot.slack.whispers
    assert "/reconcile" in texts(whisper)


async def test_slack_says_slow_down_and_every_message_still_comes_once_and_in_order(bot):
    """429 is waited out; the thread is the same as without it."""
    bot.slack.limits["chat.postMessage"].extend([0, 0])
    bot.slack.limits["chat.update"].append(0)
    await bot.command(f"package {LABEL}")
    parent, progress, answer, evidence = bot.slack.posts()
    assert "asked by" in parent["text"]
    assert progress["text"].startswith("Working")
    assert "twice" in answer["text"]
    assert evidence["text"].startswith("What was read")


async def test_another_slash_command_gets_a_hint_instead_of_slacks_own_error(bot):
    """A command of another name that points here is acknowledged and answered."""
    response = await bot.command("x", command="/other")
    assert response.status_code == 200
    assert "does not know that" in texts(bot.slack.whispers[0])


async def test_the_bot_speaks_with_its_token(bot):
    """Every Web API call carries the bot token, as a header."""
    await bot.command(f"package {LABEL}")
    assert {call.token for call in bot.slack.calls} == {"Bearer xoxb-planted-bot-token"}
    assert {call.body.get("token") for call in bot.slack.calls} == {None}


async def test_questions_run_at_most_so_many_at_once_and_all_end(start):
    """With two slots, four questions are acknowledged, two are worked on, and in the end all are answered."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(gate=gate), limit=2)
    for number in range(4):
        await bot.command(f"package 1A4FF010000002200000100{number}", settle=False)
    for _ in range(2):
        await asyncio.wait_for(bot.answer.arrived.acquire(), 5)
    await asyncio.sleep(0.02)
    assert (len(bot.answer.questions), bot.work.pending) == (2, 4)
    gate.set()
    await bot.settle()
    assert len(bot.answer.questions) == 4


async def test_what_is_acknowledged_was_kept(start):
    """Whatever dies next, a row says that an answer is owed; it is closed when the answer is there."""
    gate = asyncio.Event()
    bot = await start(answer=FakeAnswer(gate=gate))
    await bot.command(f"package {LABEL}", settle=False)
    assert len(bot.services.questions.open) == 1
    gate.set()
    await bot.settle()
    assert bot.services.questions.open == {}


async def test_a_database_slower_than_slack_waits_does_not_delay_the_acknowledgement(start, monkeypatch):
    """Slack is told in time, and the question is answered when it was kept."""
    gate = asyncio.Event()

    class Slow(MemoryQuestions):
        async def keep(self, question):
            await gate.wait()
            return await super().keep(question)

    monkeypatch.setattr(asking, "KEEP_SECONDS", 0.05)
    bot = await start(questions=Slow())
    async with asyncio.timeout(1):
        assert (await bot.command(f"package {LABEL}", settle=False)).status_code == 200
    assert bot.answer.questions == []
    gate.set()
    await bot.settle()
    assert len(bot.answer.questions) == 1


async def test_a_question_cut_off_by_a_restart_says_so_in_its_thread(start):
    """Closing does not wait for ever, and nobody is left looking at "Working…"."""
    bot = await start(answer=FakeAnswer(gate=asyncio.Event()))
    await bot.command(f"package {LABEL}", settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    await bot.work.close(grace=0)
    assert "being restarted" in texts(bot.slack.posts()[-1])
    assert bot.work.pending == 0
