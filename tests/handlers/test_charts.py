"""Charts: they draw, they say in words what they show, and strange data breaks nothing."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.alerts import Kind
from bot.digest import Arrivals, Digest, Week
from bot.model import Action, ActionKind, Cause
from bot.silence import Band
from bot.sweep_groups import Group, Sweep
from handlers.render.charts import (
    DPI,
    SMALL,
    causes_alt,
    causes_chart,
    digest_alt,
    digest_chart,
    silence_alt,
    silence_chart,
)

NOW = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def arrivals(**changes):
    start = NOW.replace(minute=0) - 12 * HOUR
    values = {
        "name": "Harbor $treet",
        "zone": "America/Denver",
        "hours": tuple((start + n * HOUR, 9 if n < 8 else 0) for n in range(13)),
        "expected": tuple(Band(start + n * HOUR, 9.0, 4.0, 14.0) for n in range(13)),
        "broke_at": start + 8 * HOUR,
        "until": NOW,
    }
    return Arrivals(**{**values, **changes})


def weeks(**changes):
    start = NOW - timedelta(weeks=8)
    causes = {cause: 2 for cause in Cause if cause is not Cause.NONE}
    made = tuple(Week(start + n * timedelta(weeks=1), causes, (120.0, 540.0), {Kind.DEAD_KEY: n}) for n in range(8))
    return Digest(**{"names": ("Harbor Street",), "weeks": made, "open": (), **changes})


def size(png: bytes) -> tuple[int, int]:
    """Width and height of what must be a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize(
    "of", [arrivals(), arrivals(expected=()), arrivals(hours=((NOW, 0),), broke_at=NOW - 9 * HOUR)]
)
def test_a_silence_is_drawn(of):
    """With a band, without history, and when nothing at all arrived."""
    assert size(silence_chart(of)) == (880, 620)


@pytest.mark.parametrize("of", [weeks(), weeks(weeks=(Week(NOW, {}, None, {}),) * 8)])
def test_a_digest_is_drawn(of):
    """Full, and of a shop where nothing ever happened."""
    assert size(digest_chart(of)) == (880, 1520)


def test_the_words_say_what_the_chart_shows():
    """Counts before and after, the moment on the shop's clock, what was to be expected."""
    assert silence_alt(arrivals()) == (
        "Chart: receipts METRC recorded at Harbor $treet hour by hour over the last 12 h 30 min. "
        "72 before it broke at Tue 09:00, 0 after it; 45 were to be expected since."
    )
    assert "Alerts: 0, 1, 2, 3, 4, 5, 6, 7." in digest_alt(weeks())


def causes(*found):
    """A shop with so many packages of each cause."""
    groups = tuple(
        Group(cause, None, "It.", "All.", tuple(map(str, range(count))), Action(ActionKind.WAIT, "Wait."))
        for cause, count in found
    )
    return Sweep("402R-X0042", 57, 24, groups, 9, 1.0)


def test_a_shops_causes_are_drawn_and_told_in_the_words_of_the_answers():
    """No code of ours is read by anybody; the narrowest causes share a bar."""
    few = causes((Cause.FAILED_POST, 3), (Cause.COUNT_ERROR, 1))
    many = causes(*((cause, 2) for cause in Cause if cause is not Cause.NONE))
    assert causes_alt(few, "Harbor Street").endswith("A sale METRC never took 3, A miscount 1.")
    assert causes_alt(many, "Harbor Street").endswith("Others 12.")
    assert size(causes_chart(few, "Harbor Street"))[1] < size(causes_chart(many, "Harbor Street"))[1]


@pytest.mark.parametrize(
    "picture", [silence_chart(arrivals()), digest_chart(weeks()), causes_chart(causes((Cause.TIMING, 2)), "Harbor")]
)
def test_the_smallest_letters_can_be_read_on_a_phone(picture):
    """On a screen 390 points wide they are ten points high."""
    assert SMALL / 72 * DPI * 390 / size(picture)[0] > 10


def look(folder: Path) -> None:
    """For a person who wants to see them."""
    (folder / "silence.png").write_bytes(silence_chart(arrivals()))
    (folder / "digest.png").write_bytes(digest_chart(weeks()))
