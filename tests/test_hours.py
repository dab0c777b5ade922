from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hours import is_zone, next_nightly, nightly_time

NIGHTLY = "04:00 America/New_York"


@pytest.mark.parametrize(
    ("name", "known"),
    [("America/Denver", True), ("UTC", True), ("Denver", False), ("", False), ("../etc/passwd", False), ("\0", False)],
)
def test_a_zone_is_one_of_the_worlds_list(name, known):
    """A town alone, nothing, and a path are none."""
    assert is_zone(name) is known


def test_a_nightly_time_is_a_clock_and_a_zone():
    """One digit of the hour is enough."""
    assert nightly_time(" 4:05 America/New_York ") == (time(4, 5), ZoneInfo("America/New_York"))


@pytest.mark.parametrize("text", ["", "04:00", "24:00 UTC", "4 UTC", "04:60 UTC", "04:00 Mars/Base", "UTC 04:00"])
def test_what_is_no_nightly_time_is_refused(text):
    """With what was written in the sentence."""
    with pytest.raises(ValueError, match="not a time and a zone"):
        nightly_time(text)


@pytest.mark.parametrize(
    ("after", "run"),
    [
        ((2026, 3, 3, 8, 59), (2026, 3, 3, 9)),
        ((2026, 3, 3, 9, 0), (2026, 3, 4, 9)),
        ((2026, 3, 7, 12, 0), (2026, 3, 8, 8)),
        ((2026, 10, 31, 12, 0), (2026, 11, 1, 9)),
    ],
)
def test_the_next_run_lies_strictly_after_and_keeps_the_wall_clock(after, run):
    """A moment before, at the very minute, and over the nights that lose and gain an hour."""
    assert next_nightly(NIGHTLY, datetime(*after, tzinfo=UTC)) == datetime(*run, tzinfo=UTC)


@given(st.integers(0, 15 * 365 * 24 * 60))
def test_a_run_comes_every_day(minute):
    """Within 25 hours, at four o'clock of its own zone."""
    after = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    run = next_nightly(NIGHTLY, after)
    assert after < run <= after + timedelta(hours=25)
    assert run.astimezone(ZoneInfo("America/New_York")).time() == time(4)
