from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot.model import ActionKind, Adjustment, Cause, Evidence, Forbidden
from bot.one_sided import corrections_alone
from tests.evidence import (
    HEALTHY,
    LABEL,
    NOW,
    add_events,
    add_receipts,
    case,
    codes,
    counted,
    failed,
    judged,
    logged,
    minutes,
    read,
    receipt,
    shares,
    stocked,
    with_package,
)


def adjusted(quantity: Any = -2, **changes: Any) -> Adjustment:
    """METRC's correction of the second of March."""
    entry = Adjustment(LABEL, 5510101, Decimal(quantity), "Each", "Damage", on=date(2026, 3, 2), by="Lee Marsh")
    return replace(entry, **changes)


def in_metrc(*entries: Adjustment, evidence: Evidence = HEALTHY) -> Evidence:
    return replace(evidence, adjustments=read(entries))


def test_equal_corrections_on_both_sides_pair_off():
    """One on each side is one correction, whatever their reasons are called; the second one in METRC is alone."""
    both = add_events(logged(-2), to=in_metrc(adjusted(), adjusted()))
    assert [(each.effect, each.in_metrc) for each in corrections_alone(case(both))] == [(Decimal(2), True)]


def test_a_correction_in_the_pos_alone_is_told_with_its_time_and_person():
    """The quote names when, by whom and by how much, on the shop's clock."""
    (alone,) = corrections_alone(case(add_events(logged(-2))))
    assert (alone.effect, alone.in_metrc) == (Decimal(-2), False)
    assert alone.name == "the POS's correction of 20:30 on 01 Mar by -2"
    assert alone.quote.says == "adjust -2 at 20:30 on 01 Mar by D Orrin; no such correction in METRC"


def test_a_correction_in_another_unit_of_weight_pairs_off():
    """METRC's ounce and the POS's grams are one correction."""
    jar = with_package(unit="Grams", quantity=Decimal(400))
    entry = adjusted(-1, unit="Kilograms")
    event = logged(-1000, unit="Grams", actor=None)
    assert corrections_alone(case(add_events(event, to=in_metrc(entry, evidence=jar)))) == ()


@pytest.mark.parametrize("kind", ["move", "receive", "convert"])
def test_what_is_no_correction_is_left_alone(kind):
    """A move between rooms changes a row and no package."""
    assert corrections_alone(case(add_events(logged(-2, kind)))) == ()


@pytest.mark.parametrize("lost", ["adjustments", "pos_events"])
def test_without_both_books_nothing_is_alone(lost):
    """The other half of a pair may be in the book that was not read."""
    evidence = add_events(logged(-2), to=in_metrc(adjusted(-5)))
    assert corrections_alone(case(replace(evidence, **{lost: failed()}))) == ()


def test_a_correction_that_cannot_be_weighed_is_passed_over():
    """Nothing can be said about pieces of a package in milliliters."""
    drink = with_package(unit="Milliliters", quantity=Decimal(400))
    assert corrections_alone(case(in_metrc(adjusted(unit="Pounds"), evidence=drink))) == ()


def test_a_correction_without_units_reason_or_day_is_taken_as_it_stands():
    """METRC leaves cells empty, and its figure still counts."""
    bare = with_package(unit=None)
    entry = adjusted(unit=None, reason=None, on=None)
    (alone,) = corrections_alone(case(in_metrc(entry, evidence=bare)))
    assert alone.name == "METRC's correction by -2"


def test_a_residue_as_large_as_a_lonely_correction_names_it():
    """METRC took two off that the POS never saw; which side is right, a count tells."""
    diagnosis = judged(in_metrc(adjusted(), evidence=counted(36)))
    assert (diagnosis.cause, diagnosis.code) == (Cause.COUNT_ERROR, "count_error.corrected-once")
    assert diagnosis.action.kind is ActionKind.RECOUNT
    assert diagnosis.headline == (
        "+2 Each is left, as much as METRC's correction of 2026-03-02 by -2 for “Damage”, which the POS never saw."
    )
    assert diagnosis.gap is not None
    assert (diagnosis.gap.explained, diagnosis.gap.unexplained) == ((), 2)


def test_the_shelf_decides_which_side_of_a_lonely_correction_is_right():
    """The shelf has what the POS has, so METRC is to be corrected."""
    evidence = replace(add_events(logged(-2), to=stocked(36)), shelf=Decimal(36))
    diagnosis = judged(evidence)
    assert (diagnosis.code, diagnosis.action.kind) == ("count_error.corrected-once", ActionKind.RECORD_COUNT)
    assert "METRC (the POS agrees with the shelf)" in diagnosis.action.text


def test_a_residue_of_another_size_is_unexplained():
    """Three are missing and the correction took two, so nobody knows."""
    assert judged(in_metrc(adjusted(), evidence=counted(35))).code == "count_error.unexplained"


def test_corrections_that_together_make_up_the_residue_are_named_together():
    """Five found and three lost in METRC, of which the POS knows neither; or some on either side."""
    paired = in_metrc(adjusted(5, reason="Found"), adjusted(-3, reason="Lost"), evidence=counted(40))
    diagnosis = judged(paired)
    assert diagnosis.code == "count_error.corrected-once"
    assert "by +5 for “Found” and METRC's correction of 2026-03-02 by -3 for “Lost”, which the POS never saw" in (
        diagnosis.headline
    )
    both = add_events(logged(-4), to=in_metrc(adjusted(-5), evidence=stocked(39)))
    assert "which the other side never saw" in judged(both).headline


def young(quantity: int = -2, age: int = 5, **changes: Any):
    return logged(quantity, at=NOW - minutes(age), **changes)


def test_a_correction_of_a_moment_ago_is_awaited_and_not_made_twice():
    """Somebody who adjusted METRC now would have it twice when the POS's own arrives."""
    diagnosis = judged(add_events(young(), young(-1, event_id="e8"), to=stocked(35)))
    assert (diagnosis.code, diagnosis.action.kind) == ("timing.change-on-its-way", ActionKind.WAIT)
    assert "And so is 1 more." in diagnosis.headline
    assert diagnosis.must_not == (Forbidden.ADJUST_QUANTITY, Forbidden.RESEND)
    three = judged(add_events(*(young(-1, event_id=f"x{n}", actor=None) for n in range(3)), to=stocked(35)))
    assert "And so are 2 more." in three.headline


@pytest.mark.parametrize(
    "evidence",
    [
        add_events(young()),
        add_events(young(age=61), to=stocked(36)),
        add_events(young(), to=in_metrc(adjusted(), evidence=stocked(36, counted(36)))),
    ],
    ids=["no difference", "an hour old", "METRC has it"],
)
def test_a_correction_that_is_not_missing_is_not_awaited(evidence):
    """Only what the difference leaves room for."""
    assert "timing.change-on-its-way" not in codes(judged(evidence))


def test_a_young_correction_of_another_size_keeps_anybody_from_adjusting():
    """It explains nothing that is told yet; once it has arrived the difference will be another one."""
    diagnosis = judged(add_events(young(), to=stocked(39)))
    assert codes(diagnosis) == ["timing.change-on-its-way", "count_error.unexplained"]
    assert (diagnosis.action.kind, shares(diagnosis)) == (ActionKind.WAIT, [])


def test_a_young_correction_beside_what_explains_all_is_not_awaited():
    """The account closes without it, so METRC need not hear of it."""
    twin = counted(37, add_receipts(receipt(1, id=8890)))
    assert codes(judged(add_events(young(), to=twin))) == ["duplication.receipt-retry"]


@pytest.mark.parametrize(("length", "code"), [(201, "failed_post.note-too-long"), (200, "count_error.corrected-once")])
def test_a_note_that_is_longer_than_metrc_takes_keeps_the_correction_out(length, code):
    """METRC drops it without an error; the same correction is sent again, no second one is made."""
    diagnosis = judged(add_events(logged(-2, reason="B" * length), to=stocked(36)))
    assert diagnosis.code == code
    if length > 200:
        assert diagnosis.action.kind is ActionKind.RESEND
        assert [entry[1:] for entry in shares(diagnosis)] == [("-2", "pos event e9")]


def test_changes_alone_are_told_where_nothing_can_be_compared():
    """Without METRC's count there is no difference to fit."""
    assert "timing.change-on-its-way" in codes(judged(add_events(young(), to=with_package(quantity=None))))
