from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.model import (
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    DuplicateKind,
    Evidence,
    Forbidden,
    MetrcPackage,
    PosEvent,
    Result,
)
from bot.splits import packages_made_twice, unrecorded_parts, unrecorded_sources
from tests.evidence import (
    HEALTHY,
    ITEM,
    LABEL,
    NOW,
    add_events,
    add_receipts,
    codes,
    counted,
    days,
    failed,
    judged,
    outcome_of,
    package,
    read,
    receipt,
    received,
    shares,
    stocked,
    unstocked,
    with_package,
)

CHILD = "1A4FF0100000022000002601"
SECOND = "1A4FF0100000022000002602"
DAY = date(2026, 3, 1)


def child(label: str = CHILD, quantity: Any = 10, **changes: Any) -> MetrcPackage:
    """A package that METRC made of the label on the first of March, ten pieces of it."""
    size = Decimal(quantity)
    made: dict[str, Any] = {
        "id": 5530000 + int(label[-4:]),
        "label": label,
        "quantity": size,
        "original_quantity": size,
        "packaged_on": DAY,
        "received_at": None,
        "received_from_manifest": None,
        "source_labels": (LABEL,),
    }
    return package(**(made | changes))


def split(*children: MetrcPackage, evidence: Evidence = HEALTHY, **changes: Any) -> Evidence:
    """METRC took the children out of the label; the POS still holds what it held."""
    made = children or (child(),)
    taken = sum((each.original_quantity or Decimal(0) for each in made), Decimal(0))
    return replace(counted(38 - taken, evidence), children=read(made), **changes)


def converted(quantity: Any = -10, **changes: Any) -> PosEvent:
    """The POS's own conversion, on the day of the children."""
    change = {"kind": "convert", "at": NOW - days(2), "from_quantity": Decimal(0), "to_quantity": Decimal(quantity)}
    return received(**({"event_id": "e9", "reference": None} | change | changes))


def posted_twice(evidence: Evidence = HEALTHY) -> Evidence:
    """The first sale is in METRC once more, four seconds later, so METRC counts one less."""
    assert evidence.package.value is not None
    twin = receipt(1, id=8901, recorded_at=NOW - days(2) + timedelta(seconds=7))
    return counted((evidence.package.value.quantity or Decimal(0)) - 1, add_receipts(twin, to=evidence))


def test_a_split_made_in_metrc_explains_the_parent():
    """The new label is named, takes its own size of the difference, and is to be recorded in the POS."""
    diagnosis = judged(split())
    assert (diagnosis.cause, diagnosis.code) == (Cause.SPLIT, "split.in-metrc")
    assert shares(diagnosis) == [("split.in-metrc", "10", f"metrc package {CHILD}")]
    assert (diagnosis.related, diagnosis.action.kind) == ((CHILD,), ActionKind.FIX_POS_RECORD)
    assert (diagnosis.confidence, diagnosis.must_not) == (Confidence.CERTAIN, (Forbidden.ADJUST_QUANTITY,))
    assert "without telling METRC" in diagnosis.action.text
    assert diagnosis.headline.endswith("out of this one on 2026-03-01; the POS did not take it off.")


def test_several_children_each_take_their_own():
    """Two labels of different days and sizes are two events of one finding."""
    diagnosis = judged(split(child(), child(SECOND, 4, packaged_on=date(2026, 3, 2))))
    assert [quantity for _, quantity, _ in shares(diagnosis)] == ["10", "4"]
    assert diagnosis.related == (CHILD, SECOND)
    assert diagnosis.headline == "METRC made 2 packages out of this one; the POS did not take it off."


def test_a_split_beside_another_cause_closes_the_account():
    """A receipt that was posted twice takes one, the split ten."""
    diagnosis = judged(posted_twice(split()))
    assert sorted(codes(diagnosis)) == ["duplication.receipt-retry", "split.in-metrc"]
    assert (diagnosis.cause, diagnosis.gap and diagnosis.gap.unexplained) == (Cause.SPLIT, 0)


def test_a_split_that_is_larger_than_the_difference_leaves_the_rest_open():
    """METRC certainly took ten, so the four that are missing beside it stay unexplained."""
    diagnosis = judged(stocked(34, split()))
    assert shares(diagnosis) == [("split.in-metrc", "10", f"metrc package {CHILD}")]
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == -4


def test_a_conversion_that_the_pos_made_as_well_is_clear():
    """The POS took ten off on its own, so both sides agree and nothing is said."""
    evidence = stocked(28, add_events(converted(), to=split(pos_kin=(CHILD,))))
    diagnosis = judged(evidence)
    assert (diagnosis.cause, codes(diagnosis)) == (Cause.NONE, [])


def test_a_conversion_of_two_packages_at_once_is_clear():
    """One entry of fourteen in the POS's log is both children."""
    evidence = add_events(converted(-14), to=split(child(), child(SECOND, 4)))
    assert unrecorded_parts(evidence) == ()


def test_a_conversion_in_the_log_explains_one_of_two_equal_children():
    """The one whose label the POS has is the one that it logged."""
    first = child(packaged_on=date(2026, 2, 28))
    evidence = add_events(converted(), to=split(first, child(SECOND), pos_kin=(SECOND,)))
    assert [part.package.label for part in unrecorded_parts(evidence)] == [CHILD]


def test_a_split_without_a_log_only_takes_what_is_left_over():
    """The POS may have recorded it, so nothing is said while both agree, and it is likely when they do not."""
    silent = replace(split(), pos_events=failed(source="pos"))
    assert codes(judged(stocked(28, silent))) == []
    diagnosis = judged(silent)
    assert (diagnosis.code, diagnosis.confidence) == ("split.in-metrc", Confidence.LIKELY)


def test_a_log_that_begins_after_the_split_proves_nothing():
    """The POS may have logged it before, so the child takes no more than is left."""
    diagnosis = judged(stocked(34, split(pos_events_since=NOW)))
    assert (shares(diagnosis)[0][1], diagnosis.confidence) == ("6", Confidence.LIKELY)


def test_a_part_that_another_cause_explains_is_not_accused():
    """Without a log the child is only a guess, and the twin receipt closes the account by itself."""
    evidence = replace(posted_twice(), children=read((child(),)), pos_events=failed(source="pos"))
    assert codes(judged(evidence)) == ["duplication.receipt-retry"]


@pytest.mark.parametrize(
    "changes",
    [
        {"received_at": NOW, "received_from_manifest": "0000417733"},
        {"archived_on": DAY},
    ],
)
def test_what_came_on_a_manifest_or_was_discontinued_is_no_split(changes):
    """The shipper made it, or its goods went back to where they came from."""
    assert unrecorded_parts(split(child(**changes))) == ()


def test_a_child_in_another_unit_is_weighed():
    """Twenty pieces of 3.5 g were taken from a jar."""
    jar = with_package(unit="Grams", quantity=Decimal("383.6"))
    evidence = replace(jar, children=read((child(quantity=20),)))
    assert [part.quantity for part in unrecorded_parts(evidence)] == [Decimal("70.000000")]


@pytest.mark.parametrize("lost", [{"item": replace(ITEM, unit_weight=None)}, {"unit": None}])
def test_a_child_that_cannot_be_weighed_takes_what_is_left(lost):
    """Its own size is unknown in the parent's unit, so it can only take the rest, and is likely."""
    bulk = replace(ITEM, unit_weight=None)
    jar = with_package(stocked(400), unit="Grams", quantity=Decimal(330), item=bulk)
    rows = tuple(replace(row, unit="Grams") for row in jar.pos_rows.value or ())
    evidence = replace(jar, pos_rows=read(rows, "pos"), children=read((child(quantity=20, **lost),)))
    if "unit" in lost:
        evidence = replace(evidence, children=read((child(quantity=20, unit=None),)))
    assert [part.quantity for part in unrecorded_parts(evidence)] == [None]
    diagnosis = judged(evidence)
    assert "split.in-metrc" in codes(diagnosis)
    assert ("split.in-metrc", "70", f"metrc package {CHILD}") in shares(diagnosis)


def test_a_child_of_several_sources_takes_no_more_than_is_left():
    """METRC does not say how much came from which."""
    mixed = child(quantity=30, source_labels=(LABEL, SECOND))
    diagnosis = judged(replace(counted(33), children=read((mixed,))))
    assert shares(diagnosis) == [("split.in-metrc", "5", f"metrc package {CHILD}")]
    assert diagnosis.confidence is Confidence.LIKELY


def test_a_parent_that_was_used_up_is_a_split_and_not_left_over():
    """METRC finished the parent when its last piece went into the child."""
    evidence = with_package(split(child(quantity=38)), finished_on=DAY, is_finished=True)
    diagnosis = judged(evidence)
    assert (diagnosis.code, diagnosis.action.kind) == ("split.in-metrc", ActionKind.FIX_POS_RECORD)
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == 0


def test_children_that_could_not_be_read_leave_the_residue_unknown():
    """What is too much in the POS may be in a package that nobody saw."""
    diagnosis = judged(replace(counted(28), children=failed()))
    assert outcome_of(diagnosis, CheckName.CUSTODY).result is Result.UNKNOWN
    assert diagnosis.cause is Cause.UNKNOWN


def test_a_sale_of_the_child_does_not_shrink_what_was_taken():
    """METRC took ten when it was made, whatever is left of it."""
    assert [p.quantity for p in unrecorded_parts(split(child(quantity=10, original_quantity=None)))] == [10]
    sold = replace(child(), quantity=Decimal(3))
    assert [p.quantity for p in unrecorded_parts(split(sold))] == [10]
    nothing_told = child(original_quantity=None)
    assert [p.quantity for p in unrecorded_parts(split(replace(nothing_told, quantity=None)))] == [None]


# --- asked by the new label -------------------------------------------------------------------------------------------


def made_of(*sources: str, **changes: Any) -> Evidence:
    """The asked label was made in METRC of a package that the POS knows; the POS does not know the label itself."""
    made = {"received_at": None, "received_from_manifest": None, "source_labels": sources, "packaged_on": DAY}
    return replace(with_package(unstocked(), quantity=Decimal(10), **made), **({"pos_kin": sources} | changes))


def test_a_label_that_metrc_made_is_a_split_of_its_source():
    """The source is named, and the POS is to record the split."""
    diagnosis = judged(made_of(CHILD))
    assert (diagnosis.code, diagnosis.related) == ("split.in-metrc", (CHILD,))
    assert shares(diagnosis) == [("split.in-metrc", "-10", f"metrc package {LABEL}")]
    assert diagnosis.action.text.startswith(f"Record the split in the POS: take 10 Each off {CHILD}")


def test_a_label_of_two_sources_names_those_that_the_pos_knows():
    """The third source is of the shipper."""
    assert unrecorded_sources(made_of(CHILD, SECOND, pos_kin=(SECOND,))) == (SECOND,)


@pytest.mark.parametrize(
    "evidence",
    [
        made_of(CHILD, pos_kin=()),
        made_of(CHILD, pos_events=read((received(),), "pos")),
        made_of(CHILD, pos_rows=failed(source="pos")),
        with_package(made_of(CHILD), received_at=NOW),
        with_package(made_of(CHILD), quantity=Decimal(0)),
        with_package(made_of(CHILD), finished_on=DAY),
        replace(made_of(CHILD), package=read(None)),
    ],
    ids=["source unknown", "logged", "unread", "received", "empty", "finished", "absent"],
)
def test_what_is_no_split_names_no_source(evidence):
    """The POS knows neither, or knows the label, or nothing is left to record."""
    assert unrecorded_sources(evidence) == ()


def test_without_a_package_nothing_was_made_of_it():
    """There is nothing to take a part from."""
    gone = replace(split(), package=read(None))
    assert (unrecorded_parts(gone), packages_made_twice(gone)) == ((), ())


# --- made twice -------------------------------------------------------------------------------------------------------


def made_twice(**changes: Any) -> Evidence:
    """METRC took ten twice on one day; the POS converted ten once."""
    evidence = split(child(), child(SECOND), pos_kin=(CHILD,))
    return replace(stocked(28, add_events(converted(), to=evidence)), **changes)


def test_a_package_that_was_made_twice_is_a_duplicate():
    """The copy that the POS does not know goes; a person does it, and it explains what it took."""
    diagnosis = judged(made_twice())
    (duplicate,) = diagnosis.duplicates
    assert (diagnosis.code, duplicate.kind) == ("duplication.package-twice", DuplicateKind.PACKAGE)
    assert (duplicate.keep, duplicate.remove, duplicate.removable) == ("5532601", ("5532602",), False)
    assert shares(diagnosis) == [("duplication.package-twice", "10", f"metrc package {SECOND}")]
    assert codes(diagnosis) == ["duplication.package-twice"]
    assert "discontinue it in METRC" in diagnosis.action.text


def test_the_older_is_kept_when_the_pos_knows_neither():
    """The POS logged one conversion without a label of its own."""
    (found,) = packages_made_twice(made_twice(pos_kin=()))
    assert (found.keep.label, found.why_keep) == (CHILD, "it is the older one")


def test_a_copy_that_was_used_needs_compliance():
    """METRC discontinues only what nothing was taken from."""
    used = split(child(), replace(child(SECOND), quantity=Decimal(7)), pos_kin=(CHILD,))
    diagnosis = judged(stocked(28, add_events(converted(), to=used)))
    assert "call compliance" in diagnosis.action.text


@pytest.mark.parametrize(
    "second",
    [child(SECOND, packaged_on=date(2026, 3, 2)), child(SECOND, item=replace(ITEM, id=1)), child(SECOND, 9)],
    ids=["another day", "another item", "another size"],
)
def test_packages_that_differ_were_not_made_twice(second):
    """Two different packages are two packages."""
    evidence = add_events(converted(), to=split(child(), second, pos_kin=(CHILD,)))
    assert packages_made_twice(evidence) == ()


def test_two_that_the_pos_knows_were_not_made_twice():
    """Both labels are in the POS, so both are meant."""
    assert packages_made_twice(made_twice(pos_kin=(CHILD, SECOND))) == ()
