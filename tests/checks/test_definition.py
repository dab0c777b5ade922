from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.checks.definition import check
from bot.errors import ProblemKind
from bot.model import (
    ActionKind,
    Confidence,
    Forbidden,
    Result,
)
from tests.evidence import (
    HEALTHY,
    ITEM,
    absent,
    carried,
    case,
    codes,
    failed,
    judged,
    load,
    no_trade,
    on_the_road,
    read,
    row,
    shares,
    unstocked,
    with_package,
    with_row,
)


def weighing(pos: str | None, metrc: str | None, unit: str | None = "Grams"):
    item = replace(ITEM, unit_weight=Decimal(metrc) if metrc else None, unit_weight_unit=unit)
    return with_row(with_package(item=item), unit_weight_g=Decimal(pos) if pos else None)


def test_equal_weights_are_clear():
    """Both sides say 3.5 g a piece."""
    outcome = check(case())
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "Both sides say 3.5 g a piece.")


@pytest.mark.parametrize(
    ("pos", "metrc", "code", "confidence"),
    [
        ("5", "1", "definition.pack-vs-piece", Confidence.CERTAIN),
        ("1", "5", "definition.pack-vs-piece", Confidence.CERTAIN),
        ("2", "1", "definition.pack-vs-piece", Confidence.CERTAIN),
        ("0.5", "1", "definition.half-gram", Confidence.CERTAIN),
        ("1", "0.5", "definition.half-gram", Confidence.CERTAIN),
        ("1.5", "1", "definition.gross-vs-net", Confidence.CERTAIN),
        ("28.35", "1", "definition.ounce-vs-gram", Confidence.CERTAIN),
        ("1", "28", "definition.ounce-vs-gram", Confidence.CERTAIN),
        ("1000", "1", "definition.milligram-vs-gram", Confidence.CERTAIN),
        ("3.5", "3.4", "definition.unit-weight", Confidence.LIKELY),
        ("1", "1.3", "definition.unit-weight", Confidence.LIKELY),
    ],
)
def test_the_ratio_names_the_two_definitions(pos, metrc, code, confidence):
    """Which weight is meant by which side follows from how many times one is the other."""
    finding = check(case(weighing(pos, metrc))).findings[0]
    assert (finding.code, finding.confidence, finding.action.kind) == (code, confidence, ActionKind.FIX_DEFINITION)
    assert not finding.shares


@pytest.mark.parametrize(
    ("pos", "result"), [("1.004", Result.CLEAR), ("1.005", Result.CLEAR), ("1.0051", Result.FOUND)]
)
def test_weights_nearer_than_half_a_percent_are_the_same(pos, result):
    """They are typed by hand and rounded."""
    assert check(case(weighing(pos, "1"))).result is result


def test_milligrams_are_weights_too():
    """METRC's 3,500 mg are the POS's 3.5 g."""
    assert check(case(weighing("3.5", "3500", "Milligrams"))).result is Result.CLEAR


@pytest.mark.parametrize(
    ("pos", "metrc", "unit", "who"),
    [
        ("3.5", None, "Grams", "METRC"),
        ("3.5", "3.5", None, "METRC"),
        ("3.5", "3.5", "Fluid Ounces", "METRC"),
        (None, "3.5", "Grams", "The POS"),
        ("0", "3.5", "Grams", "The POS"),
    ],
)
def test_a_missing_weight_cannot_be_compared(pos, metrc, unit, who):
    """A side that gives none leaves it unknown, never clear."""
    outcome = check(case(weighing(pos, metrc, unit)))
    assert outcome.result is Result.UNKNOWN
    assert outcome.summary.startswith(who)


def test_what_is_sold_by_weight_needs_no_definition():
    """A gram is a gram."""
    outcome = check(case(with_row(with_package(unit="Grams"), unit_weight_g=Decimal(5))))
    assert outcome.result is Result.CLEAR
    assert "Sold by weight" in outcome.summary


def test_one_side_alone_has_no_second_definition():
    """Neither a label only METRC has nor one only the POS has can differ."""
    assert [check(case(each)).result for each in (unstocked(), absent())] == [Result.CLEAR] * 2


def test_the_manifest_gives_the_item_of_a_load_on_the_road():
    """The weight on the manifest is METRC's before there is a package."""
    evidence = on_the_road(load(packages=(carried(item_unit_weight=Decimal(1)),)))
    assert codes(check(case(evidence))) == ["definition.unit-weight"]


def test_a_manifest_that_could_not_be_read_may_hold_the_item():
    """Without package and manifests METRC's weight is unknown; where a state has no manifests there is none."""
    unread = replace(absent(), transfers=failed())
    none = replace(absent(), transfers=failed(ProblemKind.NOT_OFFERED))
    assert [check(case(each)).result for each in (unread, none)] == [Result.UNKNOWN, Result.CLEAR]


def test_a_side_that_could_not_be_read_is_unknown():
    """Either side."""
    unread = (replace(HEALTHY, package=failed()), replace(HEALTHY, pos_rows=failed(source="pos")))
    assert [check(case(each)).result for each in unread] == [Result.UNKNOWN] * 2


def test_rows_that_were_read_are_compared_though_others_were_not():
    """A part of the stock list is proof enough of a difference."""
    part = weighing("5", "1")
    part = replace(part, pos_rows=replace(part.pos_rows, problem=failed().problem))
    assert codes(check(case(part))) == ["definition.pack-vs-piece"]


def test_another_product_made_of_the_package_may_weigh_something_else():
    """Beside a product that fits, a conversion is no wrong definition."""
    other = row(record_id="r2", product_id="5002", product_name="Lantern Single 1g", unit_weight_g=Decimal(1))
    assert check(case(replace(HEALTHY, pos_rows=read((row(), other), "pos")))).result is Result.CLEAR


def test_two_rows_of_one_product_may_not_weigh_differently():
    """The room that was edited is found beside the one that was not."""
    other = row(record_id="r2", room="Vault", unit_weight_g=Decimal(7))
    outcome = check(case(replace(HEALTHY, pos_rows=read((row(), other), "pos"))))
    assert codes(outcome) == ["definition.pack-vs-piece"]


# --- an ounce of 28 g -------------------------------------------------------------------------------------------------


def weighed(pos: str, pos_unit: str, metrc: str, metrc_unit: str = "Grams", original: str | None = None):
    """Bulk goods, received and not sold yet."""
    came = Decimal(original if original is not None else metrc)
    jar = with_package(no_trade(), unit=metrc_unit, quantity=Decimal(metrc), original_quantity=came)
    return with_row(jar, unit=pos_unit, quantity=Decimal(pos))


@pytest.mark.parametrize(
    ("evidence", "by"),
    [
        (weighed("1", "Ounces", "28"), "0.349523"),
        (weighed("28", "Grams", "1", "Ounces"), "-0.012329"),
        (weighed("112", "Grams", "113.4"), "-1.4"),
        (weighed("113.4", "Grams", "112"), "1.4"),
        (weighed("105", "Grams", "106.4", original="113.4"), "-1.4"),
    ],
    ids=["POS in ounces", "METRC in ounces", "POS by 28", "METRC by 28", "seven grams sold since"],
)
def test_an_ounce_of_28_grams_beside_one_of_28_3495_is_a_definition(evidence, by):
    """The difference is that of the ounces, so nobody counts and nothing is touched."""
    diagnosis = judged(evidence)
    assert (diagnosis.code, diagnosis.action.kind) == ("definition.rounded-ounce", ActionKind.FIX_DEFINITION)
    assert [entry[:2] for entry in shares(diagnosis)] == [("definition.rounded-ounce", by)]
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


@pytest.mark.parametrize(
    "evidence",
    [
        weighed("112", "Grams", "114"),
        weighed("12", "Grams", "12.15"),
        weighed("10", "Pounds", "11", "Pounds"),
        weighed("1", "Ounces", "28.35"),
        replace(weighed("112", "Grams", "113.4"), pos_rows=read((), "pos")),
    ],
    ids=["another difference", "less than an ounce", "pounds", "no difference", "no row"],
)
def test_a_difference_that_is_not_the_ounces_is_none_of_its_business(evidence):
    """Coincidence is not enough."""
    assert "definition.rounded-ounce" not in codes(judged(evidence))
