"""Questions in Slack: one at a time of the same, who joined, what was said; on both databases."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.inquiries import LEFT_BEHIND, Inquiry, Verdict
from bot.model import Cause, SubjectKind

NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
ONE = Inquiry("q1", "402R-X0042", SubjectKind.PACKAGE, "1A4FF0100000022000001002", "U0DANA", NOW)


@pytest.fixture
def inquiries(books):
    return books.inquiries


async def test_of_many_who_ask_the_same_one_runs_and_the_others_join_it(inquiries):
    """Also when they ask at the same moment; another count is another question."""
    asked = [replace(ONE, id=f"q{number}", asked_by=f"U{number}") for number in range(8)]
    found = await asyncio.gather(*(inquiries.begin(one) for one in asked))
    ours = [one for one, other in zip(asked, found, strict=True) if other is None]
    assert len(ours) == 1
    assert {other.id for other in found if other is not None} == {ours[0].id}
    assert await inquiries.begin(replace(ONE, id="other", shelf="19")) is None


async def test_who_asked_and_who_joined_are_told_in_their_order(inquiries):
    """Once each."""
    await inquiries.begin(ONE)
    for number, person in enumerate(["U0LEE", "U0KIT", "U0LEE", "U0DANA"]):
        await inquiries.join("q1", person, NOW + timedelta(seconds=number))
    assert await inquiries.askers("q1") == ("U0DANA", "U0LEE", "U0KIT")


async def test_an_ended_question_is_found_by_the_next_one_and_by_its_answer(inquiries):
    """With its thread; one without an answer is not."""
    await inquiries.begin(ONE)
    await inquiries.place("q1", "C0FLOOR", "1.2")
    await inquiries.end("q1", NOW, "d-1", Cause.TIMING)
    again = replace(ONE, id="q2", started_at=NOW + timedelta(minutes=5))
    assert await inquiries.begin(again) is None
    ended = replace(ONE, channel="C0FLOOR", thread="1.2", ended_at=NOW, diagnosis_id="d-1", cause=Cause.TIMING)
    assert await inquiries.earlier(again, NOW - timedelta(minutes=25)) == ended
    assert await inquiries.earlier(again, NOW + timedelta(minutes=1)) is None
    assert await inquiries.answered_by("d-1") == ended
    await inquiries.end("q2", NOW, None, None)
    assert await inquiries.recent([ONE.facility], 10) == (ended,)
    assert await inquiries.recent(["another"], 10) == ()


async def test_what_a_dead_process_left_behind_blocks_nobody_for_long(inquiries):
    """After some minutes the next one who asks takes its place."""
    await inquiries.begin(ONE)
    soon = replace(ONE, id="q2", started_at=NOW + LEFT_BEHIND / 2)
    assert (await inquiries.begin(soon)).id == "q1"
    later = replace(ONE, id="q3", started_at=NOW + LEFT_BEHIND * 2)
    assert await inquiries.begin(later) is None
    assert (await inquiries.get("q1")).ended_at is not None


async def test_a_later_word_replaces_the_earlier_one_of_the_same_person(inquiries):
    """Other people's words stay."""
    first = Verdict("d-1", ONE.facility, "U0DANA", NOW, is_right=True)
    second = Verdict("d-1", ONE.facility, "U0DANA", NOW, is_right=False, cause=Cause.TIMING, note="late")
    other = Verdict("d-1", ONE.facility, "U0LEE", NOW + timedelta(1), is_right=True)
    for verdict in (first, second, other):
        await inquiries.judge(verdict)
    assert [verdict async for verdict in inquiries.verdicts()] == [second, other]


async def test_a_kept_sweep_comes_back(inquiries):
    """As it was kept; an unknown one is none."""
    await inquiries.keep_sweep("s-1", ONE.facility, NOW, '{"a":1}')
    assert await inquiries.sweep("s-1") == '{"a":1}'
    assert await inquiries.sweep("s-2") is None


async def test_tags_are_found_by_their_end(books):
    """Of this license only, and a per cent sign is a character."""
    mirror = books.mirror(ONE.facility)
    assert await mirror.labels_ending("01002", 5) == ()
    assert await mirror.labels_ending("%", 5) == ()
