from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.case import clear, unknown
from bot.checks.count import check
from bot.model import (
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Forbidden,
    Result,
)
from tests.evidence import (
    HEALTHY,
    NOW,
    RECEIVED,
    add_receipts,
    add_sales,
    case,
    codes,
    counted,
    days,
    failed,
    judged,
    line,
    minutes,
    nothing,
    outcome_of,
    package,
    pending,
    read,
    receipt,
    stocked,
    unstocked,
    with_package,
    with_row,
    with_shop,
)

COUNT = CheckName.COUNT


def test_counts_that_agree_are_clear():
    """Both sides hold 38."""
    outcome = check(case())
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "POS and METRC agree: 38 Each.")


def test_a_counted_shelf_is_in_the_headline():
    """Whoever has counted is not asked to count: the sentence says what the count has shown."""
    told = [check(case(replace(stocked(39), shelf=Decimal(n)))).findings[0].headline for n in (39, 38, 37)]
    assert [each.partition("ruled out")[2] for each in told] == [
        ": METRC is wrong, the shelf has 39 as the POS.",
        ": the POS is wrong, the shelf has 38.",
        "; the shelf has 37.",
    ]


def test_a_residue_with_everything_else_clear_is_a_count_error_and_somebody_counts():
    """One more in the POS and no record why; the shelf is not known."""
    outcome = check(case(stocked(39)))
    finding = outcome.findings[0]
    assert (finding.code, finding.cause) == ("count_error.unexplained", Cause.COUNT_ERROR)
    assert (finding.action.kind, finding.confidence) == (ActionKind.RECOUNT, Confidence.LIKELY)
    assert not finding.shares
    assert "+1 Each" in finding.headline


@pytest.mark.parametrize(
    ("shelf", "where"),
    [
        (39, "in METRC (the POS agrees with the shelf)"),
        (38, "in the POS without telling METRC (METRC agrees with the shelf)"),
        (37, "in both, each by what it is off: the POS by -2, METRC by -1"),
        (0, "in both, each by what it is off: the POS by -39, METRC by -38"),
    ],
)
def test_a_known_shelf_says_which_side_is_wrong(shelf, where):
    """The shelf decides, and then the wrong system is corrected."""
    outcome = check(case(replace(stocked(39), shelf=Decimal(shelf))))
    action = outcome.findings[0].action
    assert action.kind is ActionKind.RECORD_COUNT
    assert where in action.text


def test_both_systems_agree_and_the_shelf_does_not():
    """41 on both sides and 40 on the shelf is a count error, though the difference is zero."""
    outcome = check(case(replace(HEALTHY, shelf=Decimal(37))))
    finding = outcome.findings[0]
    assert (finding.code, finding.action.kind) == ("count_error.shelf", ActionKind.RECORD_COUNT)
    assert finding.headline == "POS and METRC agree on 38; the shelf has 37 Each."


def test_a_shelf_that_agrees_is_said():
    """All three hold 38."""
    outcome = check(case(replace(HEALTHY, shelf=Decimal(38))))
    assert outcome.result is Result.CLEAR
    assert "so does the shelf (38)" in outcome.summary


def test_a_shelf_of_goods_that_nobody_counts_is_no_miscount():
    """Where neither system counts the label there is no count to correct."""
    evidence = replace(unstocked(), package=nothing(), shelf=Decimal(5))
    outcome = check(case(evidence))
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "Neither system counts this label here.")


def test_a_residue_is_unknown_while_any_other_check_is():
    """What could not be read may be what explains it."""
    earlier = (clear(CheckName.MAPPING, "fine"), unknown(CheckName.TIMING, "not read"))
    outcome = check(case(stocked(39), earlier))
    assert outcome.result is Result.UNKNOWN
    assert "timing could not be fully read" in outcome.summary


def test_sides_that_cannot_be_compared_are_unknown():
    """Without METRC's package, without the POS's rows, or with units that do not convert."""
    unread = [
        replace(HEALTHY, package=failed()),
        replace(HEALTHY, pos_rows=failed(source="pos")),
        with_package(quantity=None),
        with_row(unit="Milliliters"),
    ]
    assert [check(case(evidence)).result for evidence in unread] == [Result.UNKNOWN] * 4


def test_an_explained_difference_is_clear_and_says_so():
    """One sale on its way explains the one that is missing."""
    outcome = outcome_of(judged(add_sales(pending(), to=stocked(37))), COUNT)
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "Nothing is left: -1 Each is explained to the unit.")


def test_causes_that_cancel_out_are_said():
    """A sale on its way and one more in METRC's disfavour leave equal counts behind."""
    evidence = add_sales(pending(), to=counted(38, stocked(38)))
    twin = replace(evidence.receipts.value[0], id=8899)
    doubled = replace(evidence, receipts=read((*evidence.receipts.value, twin)))
    outcome = outcome_of(judged(doubled), COUNT)
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "Both counts agree; what was found cancels out.")


def test_what_is_left_beside_a_named_cause_is_counted_with_it():
    """Two are missing and one sale explains one."""
    outcome = outcome_of(judged(add_sales(pending(), to=stocked(36))), COUNT)
    assert outcome.findings[0].headline.startswith("-1 Each is unexplained. Named causes explain the rest")


@pytest.mark.parametrize(
    ("since", "result"),
    [
        (NOW - days(4), Result.FOUND),
        (NOW - days(4) + minutes(1), Result.UNKNOWN),
        (None, Result.UNKNOWN),
    ],
)
def test_sales_from_before_the_book_begins_may_hide_the_cause(since, result):
    """METRC has a receipt of four days ago that the POS's book does not reach."""
    evidence = replace(add_receipts(receipt(7, NOW - days(4)), to=stocked(39)), pos_sales_since=since)
    assert check(case(evidence)).result is result


@pytest.mark.parametrize(
    ("held", "since", "result"),
    [
        (37, RECEIVED + days(1), Result.FOUND),
        (37, RECEIVED + days(1) + minutes(1), Result.UNKNOWN),
        (39, RECEIVED + days(2), Result.FOUND),
    ],
)
def test_a_book_that_was_cut_may_hide_a_sale_that_metrc_lacks(held, since, result):
    """The POS took off more than it tells, and its first sale of all is days younger than the package."""
    assert check(case(replace(stocked(held), pos_sales_since=since))).result is result


def test_a_book_that_was_cut_hides_nothing_while_the_pos_adds_up():
    """What came less what was sold is what it holds: then METRC is the odd one."""
    evidence = replace(with_package(stocked(38), quantity=Decimal(39)), pos_sales_since=RECEIVED + days(2))
    assert codes(check(case(evidence))) == ["count_error.unexplained"]


def test_a_cut_book_and_no_original_quantity_tell_nothing():
    """What cannot be added up may hide a sale."""
    evidence = with_package(replace(stocked(37), pos_sales_since=RECEIVED + days(2)), original_quantity=None)
    assert check(case(evidence)).result is Result.UNKNOWN


def test_a_receipt_without_a_time_proves_no_older_sale():
    """It may be of any day."""
    evidence = add_receipts(receipt(7, sold_at=None), to=stocked(39))
    assert codes(check(case(evidence))) == ["count_error.unexplained"]


@pytest.mark.parametrize(
    ("held", "since", "result"),
    [
        (77, RECEIVED + minutes(1), Result.FOUND),
        (78, RECEIVED + minutes(1), Result.UNKNOWN),
        (78, RECEIVED, Result.FOUND),
        (78, None, Result.FOUND),
    ],
)
def test_a_second_receive_from_before_the_log_begins_leaves_a_whole_load(held, since, result):
    """Only a residue as large as the load can be one that was received twice unseen."""
    evidence = replace(stocked(held), pos_events_since=since, pos_events=read((), "pos"))
    assert check(case(evidence)).result is result


def test_a_log_that_has_the_receive_does_not_begin_too_late():
    """Or the package did not come on a day that a log could miss."""
    seen = replace(stocked(78), pos_events_since=NOW)
    made_here = with_package(replace(seen, pos_events=read((), "pos")), received_at=None)
    for evidence in (seen, made_here):
        assert codes(check(case(evidence))) == ["count_error.unexplained"]


def test_a_package_without_an_original_quantity_counts_every_residue_as_a_load():
    """When METRC does not say what came, any surplus may have been received."""
    evidence = replace(stocked(39), pos_events_since=NOW, pos_events=read((), "pos"))
    assert check(case(with_package(evidence, original_quantity=None))).result is Result.UNKNOWN


def test_the_rounding_of_an_ounce_is_no_miscount():
    """One ounce in the POS and 28.35 g in METRC are the same flower."""
    grams = replace(HEALTHY, package=read(package(quantity=Decimal("28.35"), unit="Grams")))
    outcome = check(case(with_row(grams, quantity=Decimal(1), unit="Ounces")))
    assert outcome.result is Result.CLEAR
    assert "rounding of the units" in outcome.summary


def test_two_hundredths_of_a_gram_in_an_ounce_are_a_miscount():
    """The tolerance is one part in twenty thousand, and only where units were converted."""
    grams = replace(HEALTHY, package=read(package(quantity=Decimal("28.33"), unit="Grams")))
    converted = with_row(grams, quantity=Decimal(1), unit="Ounces")
    same = with_row(grams, quantity=Decimal("28.3301"), unit="Grams")
    assert [codes(check(case(each))) for each in (converted, same)] == [["count_error.unexplained"]] * 2


def test_a_missing_row_counts_as_nothing():
    """METRC holds three, the POS none, and nothing else was found: somebody looks at the shelf."""
    evidence = replace(counted(3), pos_rows=read((), "pos"))
    action = check(case(evidence)).findings[0].action
    assert "The POS says 0, METRC 3 Each" in action.text


# --- drying -----------------------------------------------------------------------------------------------------------


def jar(shelf, unit="Grams", percent="2"):
    """Both sides hold 453.6 g, this shop allows so many percent, and the scale shows less."""
    weighed = with_package(quantity=Decimal("453.6"), original_quantity=Decimal("453.6"), unit=unit)
    held = with_row(weighed, quantity=Decimal("453.6"), unit=unit)
    quiet = replace(held, receipts=read(()), pos_sales=read((), "pos"), shelf=Decimal(shelf))
    return with_shop(quiet, drying_percent=Decimal(percent) if percent else None)


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (jar("449.8"), "count_error.drying"),
        (jar("444.528"), "count_error.drying"),
        (jar("444.527"), "count_error.shelf"),
        (jar("455"), "count_error.shelf"),
        (jar("449.8", unit="Each"), "count_error.shelf"),
        (jar("449.8", percent=None), "count_error.shelf"),
    ],
    ids=["within", "to the limit", "beyond", "heavier", "pieces", "no rule"],
)
def test_a_weight_that_fell_within_the_shops_rule_dried(evidence, code):
    """Only a weight, only downwards, and only as much as the shop allows; either way a person records it."""
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == (code, ActionKind.RECORD_COUNT)
    assert ("reason drying" in finding.action.text) is (code == "count_error.drying")


@pytest.mark.parametrize(
    ("pos", "metrc", "who"), [(0, -1, "METRC holds -1"), (-2, 0, "The POS holds -2"), (-2, -2, "METRC holds -2")]
)
def test_fewer_than_none_is_another_packages_sale_and_no_number(pos, metrc, who):
    """No shelf can hold it; a recorded number would hide the package that is short."""
    diagnosis = judged(stocked(pos, counted(metrc)))
    assert (diagnosis.code, diagnosis.action.kind) == ("count_error.below-zero", ActionKind.RECOUNT)
    assert diagnosis.headline.startswith(who)
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_the_shelf_is_compared_again_once_what_was_found_is_put_right():
    """It fits neither side now, and that says nothing yet."""
    twin = receipt(1, id=8890)
    for evidence in (
        counted(37, add_receipts(twin)),
        stocked(37, counted(37, add_sales(pending(), to=add_receipts(twin)))),
    ):
        diagnosis = judged(replace(evidence, shelf=Decimal(37)))
        assert "The shelf has 37; compare that once" in outcome_of(diagnosis, CheckName.COUNT).summary
        assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_what_arithmetic_leaves_behind_is_no_difference():
    """A tenth and two tenths are three tenths, whatever a computer says."""
    noisy = with_row(
        with_package(unit="Grams", quantity=Decimal("0.30000000000000004")), unit="Grams", quantity=Decimal("0.3")
    )
    assert codes(judged(noisy)) == []
    tenths = add_receipts(receipt(9, NOW - days(1), "0.3"), to=add_sales(line(9, NOW - days(1), "0.30000000000000004")))
    assert codes(judged(tenths)) == []


def test_a_shelf_is_not_recorded_while_something_is_unread():
    """What could not be read may be the cause."""
    diagnosis = judged(replace(HEALTHY, shelf=Decimal(37), adjustments=failed()))
    assert (diagnosis.code, diagnosis.action.kind) == ("count_error.shelf", ActionKind.RECOUNT)
    assert diagnosis.action.text.startswith("Get what is missing read first (duplication)")
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not
