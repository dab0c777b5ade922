"""``/reconcile facility``: one parent, progress by edits, then the groups."""

import asyncio
import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import StorageError
from bot.model import Action, ActionKind, Cause
from bot.sweep_groups import ALONE, Figures, Group
from bot.sweep_report import as_json, from_json
from handlers.render.sweep import render_page, render_sweep
from handlers.render.sweep_files import as_csv, as_html, safe
from tests.handlers.blockkit import problems
from tests.handlers.conftest import FakeSweep
from tests.handlers.test_commands import texts
from tests.handlers.values import HARBOR, HILL, NOW, SWEEP


async def test_the_groups_follow_a_summary_in_the_thread(bot):
    """The parent names the shop, the summary how many agree, and each group cause, step and first labels."""
    await bot.command("facility")
    parent, _, summary, groups = bot.slack.posts()
    assert texts(parent) == "*All packages* of Harbor Street, asked by <@U0DANA>"
    assert "*953 of 1,000 packages agree.*" in texts(summary)
    said = texts(groups)
    assert "1. *47 packages: the POS files them under another category than METRC.*" in said
    assert "“Edible” where METRC has “Infused Edible”" in said
    assert "*Do:* Correct the POS product once" in said
    assert "`1A4FF0100000022000002010` and 37 more" in said
    assert "POS − METRC +5 Each" in said
    assert {reply["thread_ts"] for reply in (summary, groups)} == {"1700000001.000100"}


async def test_progress_is_one_message_that_tells_how_far_it_is(bot):
    """Numbers, not promises."""
    await bot.command("facility")
    assert bot.slack.edits()[-1]["text"].startswith("Done in ")
    assert {edit["ts"] for edit in bot.slack.edits()} == {"1700000002.000100"}


async def test_the_license_may_be_named_with_or_without_at(start):
    """``facility 402R-X0043`` and ``facility at Hill Road`` are the same question."""
    sweep = FakeSweep()
    bot = await start(HARBOR, HILL, sweep=sweep)
    await bot.command("facility 402r-x0043")
    await bot.command("facility at Hill Road")
    await bot.command("facility")
    assert sweep.asked == ["402R-X0043", "402R-X0043", "402R-X0042"]


async def test_a_channel_of_no_shop_asks_which_one(start):
    """One line to copy for each shop, none with a label in it."""
    bot = await start(HARBOR, HILL, sweep=FakeSweep())
    await bot.command("facility", channel_id="C0OTHER")
    (whisper,) = bot.slack.whispers
    assert "Which shop? Copy one line:" in texts(whisper)
    assert "`/reconcile facility at 402R-X0043`" in texts(whisper)


async def test_a_sweep_that_fails_is_told_in_the_thread(start):
    """Nobody is left waiting."""

    async def broken(_license, _progress):
        raise StorageError("The disk is full.")

    bot = await start(sweep=broken)
    await bot.command("facility")
    assert "The disk is full." in texts(bot.slack.posts()[-1])


async def test_where_the_bot_may_not_post_the_summary_is_whispered(bot):
    """The asker gets the numbers, and why the rest is missing."""
    bot.slack.errors["chat.postMessage"].append("not_in_channel")
    await bot.command("facility")
    (whisper,) = bot.slack.whispers
    assert "953 of 1,000 packages agree" in texts(whisper)


def group(**changes):
    return replace(SWEEP.groups[0], **changes)


def test_many_groups_are_paged_and_every_one_is_on_a_page():
    """Slack's limits are kept however many causes there are, and no cause is dropped."""
    sweep = replace(SWEEP, groups=tuple(group(headline=f"Cause {number}. " * 20) for number in range(60)))
    _, message = render_sweep(sweep, HARBOR, "s-1")
    shown: list[str] = []
    number, last = 1, 2
    while number <= last:
        message = render_page(sweep, HARBOR, "s-1", number)
        assert problems(message.text, list(message.blocks)) == []
        shown += [block["text"]["text"] for block in message.blocks if block["type"] == "section"]
        last = int(re.search(r"Page \d+ of (\d+)", str(message.blocks))[1])
        number += 1
    assert [int(text.split(".", 1)[0]) for text in shown] == list(range(1, 61))
    assert render_page(sweep, HARBOR, "s-1", 999) == message


async def test_the_pages_of_the_causes_are_turned_in_place(start):
    """The message itself is rewritten; the same press twice turns one page."""
    sweep = replace(SWEEP, groups=tuple(group(headline=f"Cause {number}. " * 20) for number in range(60)))
    bot = await start(sweep=FakeSweep(sweep))
    await bot.command("facility")
    page = next(post for post in bot.slack.posts() if "Page 1" in texts(post))
    button = page["blocks"][-1]["elements"][0]
    for _ in range(10):
        await bot.press(
            button["action_id"],
            container={"type": "message", "message_ts": page["ts"], "channel_id": "C0FLOOR"},
            actions=[{**button, "block_id": "b", "action_ts": "1.5"}],
        )
    turned = [edit for edit in bot.slack.edits() if edit["ts"] == page["ts"]]
    assert ["Page 2 of" in texts(edit) for edit in turned] == [True]


async def test_the_full_list_the_report_and_the_chart_are_in_the_thread(bot):
    """As files: for a spreadsheet, for a printer, for the eye."""
    await bot.command("facility")
    assert [file["files"][0]["title"] for file in bot.slack.files] == [
        "Every package that does not agree",
        "The report to print",
        "Packages by cause",
    ]
    assert {file["thread_ts"] for file in bot.slack.files} == {"1700000001.000100"}
    rows, page, chart = bot.slack.uploads
    assert len(rows.decode("utf-8-sig").splitlines()) == 48
    assert b"Harbor Street" in page
    assert chart.startswith(b"\x89PNG")


async def test_a_shop_that_is_being_judged_is_not_judged_twice(start):
    """The second asker is told where the answer will be."""
    gate = asyncio.Event()

    class Slow(FakeSweep):
        async def __call__(self, license_number, progress):
            answer = await super().__call__(license_number, progress)
            await gate.wait()
            return answer

    sweep = Slow()
    bot = await start(sweep=sweep)
    await bot.command("facility", settle=False)
    await bot.slack.until(lambda slack: len(slack.posts()) == 2)
    await bot.command("facility", user_id="U0LEE", settle=False)
    await bot.slack.until(lambda slack: slack.whispers)
    gate.set()
    await bot.settle()
    assert sweep.asked == ["402R-X0042"]
    assert "/archives/C0FLOOR/p1700000001000100|Its thread>" in texts(bot.slack.whispers[0])


def test_what_was_kept_is_read_back():
    """Leafing shows what was found then."""
    assert from_json(json.loads(json.dumps(as_json(SWEEP)))) == SWEEP
    with pytest.raises(ValueError, match="not a sweep"):
        from_json({"groups": [{}]})


@given(st.text(max_size=60) | st.sampled_from(["=1+1", "+SUM(A1)", "-2", "@cmd", "\t=1", "＝1", " =1"]))
def test_no_cell_is_a_formula(text):
    """Whatever a record says, a spreadsheet shows it."""
    assert not safe(text).startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    row = as_csv(replace(SWEEP, groups=(group(headline=text, labels=("A",)),)), HARBOR).decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(row)))["headline"] == safe(text)


@given(st.text(max_size=60) | st.sampled_from(["<script>alert(1)</script>", '"><img src=x>']))
def test_no_record_is_markup_in_the_report(text):
    """The page holds no tag but its own."""
    page = as_html(replace(SWEEP, groups=(group(headline=text, common=text),)), HARBOR, NOW).decode()
    assert "<script" not in page
    assert "<img" not in page


OUTAGE = replace(
    SWEEP,
    packages=57,
    agree=0,
    groups=(
        group(
            cause=Cause.OUTAGE,
            code="outage.metrc-down",
            headline="METRC is not answering.",
            action=Action(ActionKind.RETRY_LATER, "Ask again when METRC answers."),
            difference=(),
        ),
    ),
)


async def test_where_nothing_could_be_looked_at_that_is_all_there_is_to_tell(start):
    """No package is said to differ, and no list, report or chart of differences is made up."""
    bot = await start(sweep=FakeSweep(OUTAGE))
    await bot.command("facility")
    *_, told = bot.slack.posts()
    assert texts(told).splitlines() == [
        "*57 packages could not be looked at:* METRC is not answering.",
        "*Do:* Ask again when METRC answers.",
        "*Do not adjust any quantity* before its cause is settled.",
    ]
    assert bot.slack.files == []


def test_what_could_not_be_looked_at_is_counted_apart():
    """It neither agrees nor differs."""
    unread = group(cause=Cause.UNKNOWN, code=None, labels=tuple("ABCDEFGHIJKL"), difference=())
    summary, _ = render_sweep(replace(SWEEP, groups=(*SWEEP.groups, unread)), HARBOR, "s-1")
    assert "*953 of 1,000 packages agree.* 12 could not be looked at. 2 causes for the rest" in summary.text


def test_what_neither_side_counts_is_no_cause_to_work_on():
    """It is told apart from what somebody has to mend."""
    idle = group(action=Action(ActionKind.NONE, "Nothing to do."), labels=("A", "B"), difference=())
    summary, _ = render_sweep(replace(SWEEP, groups=(*SWEEP.groups, idle)), HARBOR, "s-1")
    assert "2 more need nothing: neither system counts anything of them. 1 cause for the rest" in summary.text
    (summary, _) = render_sweep(replace(SWEEP, groups=(idle,)), HARBOR, "s-1")
    assert summary.text.endswith("Nothing to do.")


def test_that_a_cause_stands_alone_is_not_repeated():
    """Its one label says so."""
    alone = group(common=ALONE)
    _, page = render_sweep(replace(SWEEP, groups=(alone, alone)), HARBOR, "s-1")
    assert "stands alone" not in str(page.blocks)
    assert "stands alone" not in as_html(replace(SWEEP, groups=(alone,)), HARBOR, NOW).decode()


def test_nobody_is_told_twice_not_to_adjust():
    """Once, over all causes."""
    summary, page = render_sweep(SWEEP, HARBOR, "s-1")
    assert "*Do not adjust any quantity* before its cause is settled." in summary.text
    assert "adjust" not in str(page.blocks)


FIGURES = group(
    labels=("A", "B"),
    figures=(Figures("Night Lantern 3.5g", Decimal(38), Decimal("40.00"), Decimal(-2), "Each"), None),
    difference=(("Each", Decimal(-2)),),
)


def test_the_list_holds_what_each_side_counts_in_plain_numbers():
    """They can be added up; what is not known is empty."""
    rows = as_csv(replace(SWEEP, groups=(FIGURES,)), HARBOR).decode("utf-8-sig")
    one, other = csv.DictReader(io.StringIO(rows))
    names = ("product", "pos", "metrc", "difference", "unit")
    assert [one[name] for name in names] == ["Night Lantern 3.5g", "38", "40", "-2", "Each"]
    assert [other[name] for name in names] == [""] * 5


def test_the_report_tells_what_each_side_counts():
    """An inspector reads quantities and not what they have cost to find."""
    page = as_html(replace(SWEEP, groups=(FIGURES,)), HARBOR, NOW).decode()
    cells = "".join(f"<td>{cell}</td>" for cell in ("Night Lantern 3.5g", "38 Each", "40.00 Each", "−2 Each"))
    assert f"<tr><td><code>A</code></td>{cells}</tr>" in page
    assert "Requests" not in page


def test_what_people_read_has_a_real_minus():
    """In the thread and in the report alike."""
    (_, page), report = (
        render_sweep(replace(SWEEP, groups=(FIGURES,)), HARBOR, "s-1"),
        as_html(replace(SWEEP, groups=(FIGURES,)), HARBOR, NOW).decode(),
    )
    assert "POS − METRC −2 Each" in str(page.blocks)
    assert "-2 Each" not in str(page.blocks) + report


def test_a_shop_in_order_needs_one_sentence():
    """Nothing to do is said as such."""
    (message,) = render_sweep(replace(SWEEP, agree=1000, groups=()), HARBOR, "s-1")
    assert message.text == "*1,000 of 1,000 packages agree.* Nothing to do."


texts_of_records = st.text(min_size=1, max_size=200) | st.sampled_from(["<!channel>", "<@U1>", "*a*`b`", "&amp;"])


@settings(deadline=None, max_examples=60)
@given(texts_of_records, texts_of_records, st.lists(texts_of_records, max_size=30), st.booleans())
def test_no_record_breaks_a_message(headline, shared, labels, waits):
    """Whatever records say, Slack takes the message and nothing in it mentions anybody."""
    action = Action(ActionKind.WAIT, headline, NOW if waits else None)
    made = Group(Cause.TIMING, shared, headline, shared, tuple(labels), action, ((shared, Decimal("1.5")),))
    for message in render_sweep(replace(SWEEP, groups=(made,)), HARBOR, "s-1"):
        assert problems(message.text, list(message.blocks)) == []
