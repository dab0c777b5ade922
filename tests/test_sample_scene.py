"""The written scene, every label: the table of ``docs/sample-scene.md`` against the real bot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.model import CheckName, Confidence, Diagnosis
from bot.units import plain
from demo.scene import sample_scene
from tests.evidence import codes, outcome_of
from tests.store import NOW

PAGE = Path(__file__).parents[1] / "docs" / "sample-scene.md"
TAG = "1A4FF0100000022000001"
TYPED = "1A4FF0100000022O00001011"


def table() -> dict[str, list[str]]:
    """The cells behind each label of the page."""
    rows = re.findall(r"^\| (…\d{3}|O-typo) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {label.replace("…", TAG).replace("O-typo", TYPED): cells.split(" | ") for label, cells in rows}


def told(diagnosis: Diagnosis) -> list[str]:
    """A diagnosis in the cells of the page."""
    gap = diagnosis.gap
    assert gap is not None
    parts = [f"{share.refs[-1]}: {plain(share.quantity)}" for share in gap.explained]
    return [
        diagnosis.cause.value,
        diagnosis.code or "–",
        "–" if gap.pos is None else plain(gap.pos),
        "–" if gap.metrc is None else plain(gap.metrc),
        plain(gap.difference),
        "; ".join(parts) or "–",
        diagnosis.action.kind.value,
        ", ".join(forbidden.value for forbidden in diagnosis.must_not),
    ]


def test_the_page_tells_every_label():
    """Ten labels and the mistyped one."""
    assert list(table()) == [*(f"{TAG}{number:03d}" for number in range(1, 11)), TYPED]


@pytest.mark.parametrize("label", table())
async def test_the_bot_says_what_the_page_says(ask, label):
    """Cause, code, both counts, the account to the unit, action, and what must not be done."""
    diagnosis = await ask(sample_scene(NOW), label)
    assert told(diagnosis) == table()[label]
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == 0
    assert not diagnosis.provisional


async def test_a_pack_that_weighs_five_is_a_second_finding_beside_the_twin(ask):
    """The count is explained by the twin; the definition is told and moves nothing."""
    diagnosis = await ask(sample_scene(NOW), f"{TAG}002")
    assert codes(outcome_of(diagnosis, CheckName.DEFINITION)) == ["definition.pack-vs-piece"]
    assert [(d.keep, d.remove, d.removable) for d in diagnosis.duplicates] == [("880101", ("880102",), True)]


async def test_the_imported_copy_goes_and_the_late_posting_is_only_mentioned(ask):
    """880111 has no number; 880104 came late and is nobody's twin."""
    diagnosis = await ask(sample_scene(NOW), f"{TAG}001")
    assert [(d.keep, d.remove, d.removable) for d in diagnosis.duplicates] == [("880110", ("880111",), True)]
    said = [quote.says for quote in outcome_of(diagnosis, CheckName.TIMING).evidence]
    assert any("880104" in each and "2 h 16 min" in each for each in said)


async def test_the_wait_ends_at_a_told_time(ask):
    """Fifteen minutes after the sale."""
    diagnosis = await ask(sample_scene(NOW), f"{TAG}004")
    assert diagnosis.action.not_before is not None
    assert diagnosis.action.not_before.isoformat() == "2026-03-03T03:43:10+00:00"
    assert "20:43" in diagnosis.action.text


async def test_the_hold_is_found_behind_the_wrong_unit(ask):
    """Both are told, and the resend waits for the hold."""
    diagnosis = await ask(sample_scene(NOW), f"{TAG}006")
    assert codes(diagnosis) == ["mapping.unit", "failed_post.refused", "on_hold.hold"]
    assert "once the hold is lifted" in diagnosis.action.text


@pytest.mark.parametrize(
    ("label", "twins"),
    [
        ("007", [("receive", "31001", ("31003",), False), ("transfer", "418902", ("418903",), False)]),
        ("009", [("transfer", "418902", ("418903",), False)]),
    ],
)
async def test_the_load_entered_twice_is_listed_and_not_removable(ask, label, twins):
    """The open load is the root; the other label of the load is related."""
    diagnosis = await ask(sample_scene(NOW), f"{TAG}{label}")
    assert [(d.kind.value, d.keep, d.remove, d.removable) for d in diagnosis.duplicates] == twins
    assert diagnosis.related == (f"{TAG}{'009' if label == '007' else '007'}",)


async def test_the_typed_label_is_likely_and_names_no_other(ask):
    """METRC knows no label near it."""
    diagnosis = await ask(sample_scene(NOW), TYPED)
    assert (diagnosis.confidence, diagnosis.related) == (Confidence.LIKELY, ())
