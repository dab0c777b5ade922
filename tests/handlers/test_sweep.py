"""``/reconcile facility``: one parent, progress by edits, then the groups."""

import re
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import StorageError
from bot.model import Action, ActionKind, Cause
from bot.sweep_groups import Group
from handlers.render.sweep import MOST_MESSAGES, render_sweep
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


def test_many_groups_are_paged_and_the_rest_is_counted():
    """Slack's limits are kept however many causes there are, and no cause is dropped in silence."""
    sweep = replace(SWEEP, groups=tuple(group(headline=f"Cause {number}. " * 20) for number in range(400)))
    messages = render_sweep(sweep, HARBOR)
    assert len(messages) == MOST_MESSAGES + 2
    for message in messages:
        assert problems(message.text, list(message.blocks)) == []
    shown = sum(block["type"] == "section" for message in messages[1:-1] for block in message.blocks)
    assert int(re.search(r"… (\d+) more causes", messages[-1].text)[1]) + shown == 400


def test_a_shop_in_order_needs_one_sentence():
    """Nothing to do is said as such."""
    (message,) = render_sweep(replace(SWEEP, agree=1000, groups=()), HARBOR)
    assert message.text == "*1,000 of 1,000 packages agree.* Nothing to do."


texts_of_records = st.text(min_size=1, max_size=200) | st.sampled_from(["<!channel>", "<@U1>", "*a*`b`", "&amp;"])


@settings(deadline=None, max_examples=60)
@given(texts_of_records, texts_of_records, st.lists(texts_of_records, max_size=30), st.booleans())
def test_no_record_breaks_a_message(headline, shared, labels, waits):
    """Whatever records say, Slack takes the message and nothing in it mentions anybody."""
    action = Action(ActionKind.WAIT, headline, NOW if waits else None)
    made = Group(Cause.TIMING, shared, headline, shared, tuple(labels), action, ((shared, Decimal("1.5")),))
    for message in render_sweep(replace(SWEEP, groups=(made,)), HARBOR):
        assert problems(message.text, list(message.blocks)) == []
