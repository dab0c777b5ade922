from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.checks.mapping import check
from bot.errors import ProblemKind
from bot.model import (
    ActionKind,
    Cause,
    Confidence,
    Direction,
    Forbidden,
    MetrcLine,
    RefusedRow,
    Result,
    Sighting,
    Submission,
    TransferredPackage,
)
from tests.evidence import (
    HEALTHY,
    ITEM,
    LABEL,
    NOW,
    OTHER_LABEL,
    absent,
    add_receipts,
    add_sales,
    case,
    codes,
    counted,
    days,
    failed,
    judged,
    line,
    load,
    minutes,
    nothing,
    on_the_road,
    package,
    read,
    receipt,
    refused,
    row,
    shares,
    stocked,
    unstocked,
    with_package,
    with_row,
)

WRONG_UNIT = "Unit of Measure is not valid for the Package."
TYPED = "1A4FF0100000022O00001001"


def test_label_item_and_unit_that_fit_are_clear():
    """The POS names METRC's item."""
    outcome = check(case())
    assert (outcome.result, outcome.summary) == (Result.CLEAR, "Label, item and unit fit.")


@pytest.mark.parametrize("side", ["package", "pos_rows", "pos_sales"])
def test_what_could_not_be_read_cannot_be_compared(side):
    """Either side's record of the package, or what was rung up on it."""
    assert check(case(replace(HEALTHY, **{side: failed()}))).result is Result.UNKNOWN


# --- in the POS, not in METRC -----------------------------------------------------------------------------------------


def typed_in(label: str = TYPED, *near: Sighting):
    """The POS holds a label that METRC does not know; ``near`` is what METRC has close to it."""
    evidence = with_row(absent(), label=label)
    subject = replace(evidence.subject, value=label)
    return replace(evidence, subject=subject, near=read(near))


def test_a_letter_o_among_digits_with_the_true_label_in_metrc():
    """METRC has one living package one character away, of the same product and unknown to the POS."""
    near = Sighting(LABEL, "METRC", Decimal(40), ITEM.name)
    outcome = check(case(typed_in(TYPED, near)))
    finding = outcome.findings[0]
    assert (finding.code, finding.action.kind) == ("mapping.label-mistyped", ActionKind.FIX_POS_RECORD)
    assert (finding.confidence, finding.related) == (Confidence.CERTAIN, (LABEL,))
    assert LABEL in finding.headline
    assert "in the POS only" in finding.action.text


@pytest.mark.parametrize(
    ("label", "odd"),
    [
        (TYPED, "the letter O where"),
        ("IA4FF0L00000022O00001001", "the letter I and L and O"),
        ("1A4FF010000002200000100", "23 characters"),
    ],
)
def test_a_label_that_cannot_be_right_is_mistyped_even_without_a_near_one(label, odd):
    """Its own shape gives it away."""
    finding = check(case(typed_in(label))).findings[0]
    assert (finding.code, finding.confidence) == ("mapping.label-mistyped", Confidence.LIKELY)
    assert odd in finding.headline


def test_a_wellformed_label_one_digit_off_is_mistyped():
    """A slipped digit looks like any other label; the package beside it proves it."""
    near = Sighting("1A4FF0100000022000001007", "METRC", Decimal(40), ITEM.name)
    assert codes(check(case(typed_in(LABEL, near)))) == ["mapping.label-mistyped"]


def test_a_near_label_of_another_product_or_known_to_the_pos_or_one_of_two_proves_nothing():
    """A neighbour on the shelf is not the same package."""
    other = Sighting("1A4FF0100000022000001007", "METRC", Decimal(40), "Bay Sweets - Plum Gummies 10pk")
    held = Sighting("1A4FF0100000022000001008", "METRC", Decimal(40), ITEM.name, in_pos=True)
    two = [Sighting(f"1A4FF010000002200000100{n}", "METRC", Decimal(40), None) for n in (2, 3)]
    found = [codes(check(case(typed_in(LABEL, *near)))) for near in ((other,), (held,), two)]
    assert found == [["mapping.label-unknown"]] * 3


def test_the_poss_own_idea_of_the_item_decides_when_its_product_is_named_otherwise():
    """The link names METRC's item, however the product is called at the till."""
    near = Sighting("1A4FF0100000022000001007", "METRC", Decimal(40), ITEM.name)
    evidence = with_row(typed_in(LABEL, near), product_name="House special")
    assert codes(check(case(evidence))) == ["mapping.label-mistyped"]


def test_a_label_that_nobody_knows_is_unknown_to_metrc_and_possible_at_best():
    """Nothing like it anywhere."""
    finding = check(case(absent())).findings[0]
    assert (finding.code, finding.confidence) == ("mapping.label-unknown", Confidence.POSSIBLE)
    assert shares(judged(absent())) == [("mapping.label-unknown", "40", f"pos package {LABEL}")]


@pytest.mark.parametrize("search", ["transfers", "transferred", "near", "elsewhere"])
def test_a_label_is_unknown_to_metrc_only_when_it_was_looked_for_everywhere(search):
    """A list that failed may hold it; one that the state does not offer cannot."""
    unread = replace(absent(), **{search: failed()})
    none = replace(absent(), **{search: failed(ProblemKind.NOT_OFFERED)})
    assert check(case(unread)).result is Result.UNKNOWN
    assert codes(check(case(none))) == ["mapping.label-unknown"]


def test_a_label_that_custody_can_follow_is_not_called_unknown():
    """On a manifest of any kind, received by another license, or seen at one."""
    there = Sighting(LABEL, "Pine Street (402R-X0100)", Decimal(40))
    gone = TransferredPackage(LABEL, 1, "0000417900", "402R-X0100")
    followed = [
        replace(absent(), elsewhere=read((there,))),
        replace(absent(), transferred=read((gone,))),
        replace(absent(), transfers=read((load(direction=Direction.OUTGOING),))),
        replace(absent(), transfers=read((load(state="Rejected", received_at=NOW - days(1)),))),
        replace(absent(), transfers=read((load(is_voided=True),))),
        on_the_road(),
    ]
    assert [codes(check(case(evidence))) for evidence in followed] == [[]] * 6


def test_one_side_without_the_label_is_clear_when_nothing_is_mistaken_for_it():
    """A sold-out package has no row any more, and a label on the road no package yet."""
    sold_out = replace(unstocked(), package=read(package(quantity=Decimal(0))))
    nowhere = replace(unstocked(), package=nothing())
    summaries = [check(case(each)).summary for each in (sold_out, nowhere)]
    assert summaries[0].startswith("The POS holds no record")
    assert summaries[1].startswith("METRC holds no record")


def test_goods_on_the_shelf_that_neither_system_knows_go_to_compliance():
    """Somebody counted five of a label without any record."""
    nowhere = replace(absent(), pos_rows=read((), "pos"), shelf=Decimal(5))
    finding = check(case(nowhere)).findings[0]
    assert (finding.code, finding.action.kind) == ("mapping.label-nowhere", ActionKind.CONTACT_COMPLIANCE)
    quiet = [replace(nowhere, shelf=None), replace(nowhere, shelf=Decimal(0))]
    followed = replace(nowhere, transfers=read((load(state="Rejected", received_at=NOW),)))
    assert [check(case(each)).result for each in (*quiet, followed)] == [Result.CLEAR] * 3
    assert check(case(replace(nowhere, near=failed()))).result is Result.UNKNOWN


# --- in METRC, not in the POS -----------------------------------------------------------------------------------------


def test_a_package_that_the_pos_never_built():
    """Received weeks ago; no row, no receive, no sale."""
    finding = check(case(unstocked())).findings[0]
    assert (finding.code, finding.action.kind) == ("mapping.not-in-pos", ActionKind.FIX_MAPPING)
    assert shares(judged(unstocked())) == [("mapping.not-in-pos", "-40", "metrc package 5510101")]


def test_a_package_that_the_pos_holds_under_a_mistyped_label():
    """A row with an O for a zero is this package, and its label is told."""
    evidence = replace(unstocked(), pos_near=(row(label=TYPED),))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.related) == ("mapping.label-mistyped", (TYPED,))
    assert codes(check(case(replace(unstocked(), pos_near=(row(label=OTHER_LABEL),))))) == ["mapping.not-in-pos"]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(minutes(19), []), (minutes(20), ["mapping.not-in-pos"]), (minutes(21), ["mapping.not-in-pos"])],
)
def test_two_import_intervals_belong_to_timing(age, expected):
    """Until then the POS has simply not imported it yet."""
    evidence = with_package(unstocked(), received_at=NOW - age)
    assert codes(check(case(evidence))) == expected


def test_a_package_without_a_receive_time_was_made_here_and_is_missing_all_the_same():
    """Nothing is on its way then."""
    assert codes(check(case(with_package(unstocked(), received_at=None)))) == ["mapping.not-in-pos"]


def test_a_package_that_the_pos_once_had_is_not_called_never_built():
    """A receive, or a sale, or an empty package, or a closed one."""
    known = [
        replace(unstocked(), pos_events=HEALTHY.pos_events),
        replace(unstocked(), pos_sales=HEALTHY.pos_sales, receipts=HEALTHY.receipts),
        with_package(unstocked(), quantity=Decimal(0)),
        with_package(unstocked(), quantity=None),
        with_package(unstocked(), is_finished=True),
    ]
    assert [codes(check(case(evidence))) for evidence in known] == [[]] * 5


# --- units ------------------------------------------------------------------------------------------------------------


def test_a_sale_in_a_unit_that_metrc_refused_is_a_wrong_unit():
    """The message names the unit, and the sale was rung up in another one than the package has."""
    evidence = add_sales(refused(message=WRONG_UNIT, unit="Grams"), to=stocked(37))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("mapping.unit", ActionKind.FIX_MAPPING)
    assert finding.confidence is Confidence.CERTAIN
    assert finding.headline == "The POS sells this package in Grams; METRC takes Each for it."
    assert finding.brings_about == ("failed_post.refused",)
    assert "Then resend the refused sales, with" in finding.action.text


def test_a_refused_sale_without_a_text_is_a_likely_wrong_unit():
    """The units differ; no text says otherwise."""
    evidence = add_sales(refused(unit="Grams"), to=stocked(37))
    assert check(case(evidence)).findings[0].confidence is Confidence.LIKELY


def test_a_hold_delays_the_resend():
    """What is refused for the unit would be refused for the hold next."""
    evidence = add_sales(refused(message=WRONG_UNIT, unit="Grams"), to=stocked(37, with_package(is_on_hold=True)))
    assert "once the hold is lifted" in check(case(evidence)).findings[0].action.text


def test_a_text_about_something_else_clears_the_unit():
    """The refusal's own text decides."""
    evidence = add_sales(refused(message="Package is on hold", unit="Grams"), to=stocked(37))
    assert codes(check(case(evidence))) == []


def test_a_refused_sale_in_the_right_unit_is_no_wrong_unit():
    """Case does not matter, and a line without a unit says nothing."""
    same = add_sales(refused(8, message=WRONG_UNIT, unit="each"), refused(9, message=WRONG_UNIT, unit=None))
    assert codes(check(case(same))) == []


def test_a_stock_row_that_cannot_be_converted_is_a_wrong_unit():
    """Milliliters of flower."""
    finding = check(case(with_row(unit="Milliliters"))).findings[0]
    assert (finding.code, finding.confidence) == ("mapping.unit", Confidence.CERTAIN)
    assert "The count stays" in finding.action.text


def test_a_stock_row_in_grams_of_what_metrc_counts_is_a_fault_only_when_they_disagree():
    """133 g are 38 pieces of 3.5 g; 120 g are not."""
    agree, differ = (with_row(unit="Grams", quantity=Decimal(grams)) for grams in (133, 120))
    assert codes(check(case(agree))) == []
    assert check(case(differ)).findings[0].confidence is Confidence.LIKELY


def test_ounces_and_grams_are_one_kind():
    """A weight that differs is not a wrong unit."""
    grams = with_package(unit="Grams", quantity=Decimal("56.7"))
    assert codes(check(case(with_row(grams, unit="Ounces", quantity=Decimal(1))))) == []


def test_a_package_without_a_unit_has_none_that_could_be_wrong():
    """METRC leaves it out at times."""
    assert codes(check(case(with_package(unit=None)))) == []


# --- items ------------------------------------------------------------------------------------------------------------


def test_a_product_linked_to_another_item():
    """The POS names an item that is not this package's."""
    finding = check(case(with_row(metrc_item="Fern Hollow - Low Tide - Flower 3.5g"))).findings[0]
    assert (finding.code, finding.action.kind) == ("mapping.item", ActionKind.FIX_MAPPING)


def test_punctuation_and_case_are_retyped_all_the_time():
    """Dashes, commas and capitals do not make another item or category."""
    retyped = with_row(metrc_item="fern hollow – night lantern, flower 3.5G", metrc_category="BUD FLOWER each")
    assert codes(check(case(retyped))) == []


def test_a_category_that_changed_under_a_live_item():
    """METRC moved the item; the POS still has the old category."""
    finding = check(case(with_row(metrc_category="Infused Edible"))).findings[0]
    assert (finding.code, finding.cause) == ("mapping.category", Cause.MAPPING)


@pytest.mark.parametrize(
    ("message", "brought"),
    [("Item category is not allowed", ("failed_post.refused",)), (None, ("failed_post.refused",)), (WRONG_UNIT, ())],
)
@pytest.mark.parametrize("change", [{"metrc_category": "Infused Edible"}, {"metrc_item": "Something else"}])
def test_refusals_come_from_the_item_unless_their_text_says_otherwise(message, brought, change):
    """The text decides between causes."""
    evidence = add_sales(refused(message=message), to=with_row(**change))
    assert check(case(evidence)).findings[0].brings_about == brought


def test_a_product_without_a_link_has_to_be_called_nearly_the_same():
    """Otherwise the POS cannot tell which METRC item it is: unknown, never clear."""
    near = with_row(metrc_item=None, metrc_category=None)
    far = with_row(metrc_item=None, metrc_category=None, product_name="House special")
    unnamed = with_package(with_row(metrc_item=None), item=replace(ITEM, name=None))
    assert [check(case(each)).result for each in (near, far, unnamed)] == [
        Result.CLEAR,
        Result.UNKNOWN,
        Result.CLEAR,
    ]


def test_a_product_name_without_words_is_like_no_item():
    """A name in another script cannot be compared."""
    assert check(case(with_row(metrc_item=None, product_name="夜"))).result is Result.UNKNOWN


# --- receipts whose sale is elsewhere ---------------------------------------------------------------------------------


def stray(**changes):
    """METRC took one off with a receipt that no POS sale of this label accounts for."""
    return add_receipts(receipt(7, NOW - days(2) + minutes(90), **changes), to=counted(37))


def test_a_receipt_without_a_sale_is_found_and_not_accused():
    """Within the POS's own coverage METRC has a receipt that the POS does not know: find the sale, remove nothing."""
    finding = check(case(stray())).findings[0]
    assert (finding.code, finding.confidence) == ("mapping.receipt-without-sale", Confidence.POSSIBLE)
    assert finding.must_not == (Forbidden.REMOVE_RECORD,)
    assert shares(judged(stray())) == [("mapping.receipt-without-sale", "1", "metrc receipt 8807")]


@pytest.mark.parametrize(("quantity", "left"), [(2, 36), (3, 35)])
def test_another_receipt_under_a_sales_number_is_no_part_of_it(quantity, left):
    """The POS has the sale once, METRC beside its receipt one more of that number with other lines: named, and no miscount."""
    other = replace(receipt(1, quantity=quantity), id=8899)
    diagnosis = judged(add_receipts(other, to=counted(left)))
    assert shares(diagnosis) == [("mapping.receipt-without-sale", str(quantity), "metrc receipt 8899")]
    assert diagnosis.headline.startswith("METRC has one more receipt under sale POS-1, 8899, with other lines")
    assert {Forbidden.ADJUST_QUANTITY, Forbidden.REMOVE_RECORD} <= set(diagnosis.must_not)
    assert diagnosis.duplicates == ()


def test_the_label_that_the_sale_was_rung_up_on_is_named():
    """The POS has the same number on another package."""
    other = line(7, NOW - days(2) + minutes(90), label=OTHER_LABEL)
    evidence = replace(stray(), pos_other_lines=(other,))
    finding = check(case(evidence)).findings[0]
    assert finding.related == (OTHER_LABEL,)
    assert f"the POS has sale POS-7 on {OTHER_LABEL}" in finding.headline


def test_a_receipt_outside_the_books_coverage_accuses_nobody():
    """Before the first sale, after the last, without a time, or with books whose reach is not known."""
    at = NOW - days(2) + minutes(90)
    outside = [
        replace(stray(), pos_sales_since=at + minutes(1)),
        replace(stray(), pos_sales_until=at - minutes(1)),
        replace(stray(), pos_sales_since=None),
        replace(stray(), pos_sales_until=None),
        stray(sold_at=None),
    ]
    inside = [replace(stray(), pos_sales_since=at), replace(stray(), pos_sales_until=at)]
    assert [codes(check(case(each))) for each in outside] == [[]] * 5
    assert [codes(check(case(each))) for each in inside] == [["mapping.receipt-without-sale"]] * 2


def test_an_imported_copy_is_duplications_and_no_stray():
    """The second receipt of a known sale, without a number, is told there."""
    copy = replace(receipt(1), id=8890, external_number=None)
    assert codes(check(case(add_receipts(copy, to=counted(37))))) == []


def test_a_receipt_that_takes_nothing_of_this_label_is_nobodys_stray():
    """Only living lines on the label count."""
    other = receipt(7, lines=(MetrcLine(OTHER_LABEL, Decimal(1), "Each"),))
    assert codes(check(case(add_receipts(other)))) == []


def test_unread_submission_states_do_not_matter_here():
    """A sale whose state the POS does not tell still pairs by its number."""
    plain = replace(HEALTHY, pos_sales=read((line(1, submission=Submission.UNKNOWN), line(2, NOW - days(3))), "pos"))
    assert codes(check(case(plain))) == []


# --- a receipt that names another package -----------------------------------------------------------------------------

AT = NOW - days(2) + minutes(30)


def moved(number: int = 9, *, label: str = OTHER_LABEL, evidence=HEALTHY, **changes):
    """A sale of one that METRC has under its number, on another label."""
    lines = (MetrcLine(label, Decimal(1), "Each"), MetrcLine(LABEL, Decimal(1), "Each", archived_on=NOW.date()))
    beside = (*evidence.receipts_elsewhere, receipt(number, AT, lines=lines, **changes))
    return replace(add_sales(line(number, AT, receipt_id=None), to=evidence), receipts_elsewhere=beside)


def test_a_sale_that_metrc_took_off_another_package_is_not_sent_again():
    """The receipt bears the sale's number and a label that the till did not sell."""
    evidence = moved(evidence=stocked(37))
    diagnosis = judged(evidence)
    assert (diagnosis.code, diagnosis.confidence) == ("mapping.sale-on-other-label", Confidence.CERTAIN)
    assert (diagnosis.action.kind, diagnosis.related) == (ActionKind.FIX_POS_RECORD, (OTHER_LABEL,))
    assert {Forbidden.ADJUST_QUANTITY, Forbidden.RESEND} <= set(diagnosis.must_not)
    assert shares(diagnosis) == [("mapping.sale-on-other-label", "-1", "pos sale POS-9")]
    assert "receipt 8809" in diagnosis.headline
    assert OTHER_LABEL in diagnosis.headline


def test_several_such_sales_are_one_finding():
    """Each explains its own unit."""
    diagnosis = judged(moved(8, evidence=moved(evidence=stocked(36))))
    assert codes(diagnosis) == ["mapping.sale-on-other-label"]
    assert diagnosis.headline.endswith("So with 1 more.")
    assert [quantity for _, quantity, _ in shares(diagnosis)] == ["-1", "-1"]


def test_a_line_that_metrc_left_out_of_the_sales_receipt_is_no_swap():
    """All that the receipt names was rung up in that sale: our line is missing, and its change is sent again."""
    other = line(9, AT, label=OTHER_LABEL, line_id="2")
    diagnosis = judged(replace(moved(evidence=stocked(37)), pos_other_lines=(other,)))
    assert (diagnosis.code, diagnosis.action.kind) == ("failed_post.quantity-differs", ActionKind.RESEND)
    assert shares(diagnosis) == [("failed_post.quantity-differs", "-1", "metrc receipt 8809")]


def test_a_sale_in_a_unit_that_cannot_be_compared_is_named_without_a_share():
    """Liters of what METRC counts in pieces."""
    evidence = moved(evidence=stocked(37))
    lines = tuple(
        replace(each, unit="Liters") if each.sale_id == "POS-9" else each for each in evidence.pos_sales.value
    )
    finding = check(case(replace(evidence, pos_sales=read(lines, "pos")))).findings[0]
    assert (finding.code, finding.shares) == ("mapping.sale-on-other-label", ())


def test_a_number_that_is_not_surely_this_sales_swaps_nothing():
    """Sold hours away, at an unknown time, or on two receipts: the sale is simply not there."""
    unsure = [
        moved(evidence=stocked(37), sold_at=AT + minutes(61)),
        moved(evidence=stocked(37), sold_at=None),
        moved(evidence=stocked(37), external_number="POS-77"),
    ]
    twice = moved(evidence=stocked(37))
    unsure.append(replace(twice, receipts_elsewhere=twice.receipts_elsewhere * 2))
    assert [judged(each).code for each in unsure] == ["failed_post.never-posted"] * 4


# --- labels lost in a spreadsheet -------------------------------------------------------------------------------------


def spoilt(cell: str):
    """The POS's file has a row whose label cannot be read, so that it may be this package's."""
    row_ = RefusedRow("inventory.csv", 7, "the label cannot be read", cell)
    return replace(unstocked(), pos_rows=failed(source="pos"), pos_refused=(row_,))


@pytest.mark.parametrize("cell", ["1.A4FF01E+23", "1,A4FF0100000E+23", " 1.a4ff01e+23 "])
def test_a_row_whose_label_a_spreadsheet_spoilt_may_be_this_package(cell):
    """What is left of the cell begins like the label: nobody calls it absent, and the line is told."""
    outcome = check(case(spoilt(cell)))
    assert (outcome.result, codes(outcome)) == (Result.UNKNOWN, [])
    assert "inventory.csv, line 7" in outcome.summary


@pytest.mark.parametrize("cell", ["1.B4FF01E+23", "TOTAL", "1A4FF01", ""])
def test_a_row_that_cannot_be_this_label_is_not_pointed_at(cell):
    """Another beginning, or no number at all."""
    outcome = check(case(spoilt(cell)))
    assert (outcome.result, "inventory.csv" in outcome.summary) == (Result.UNKNOWN, False)


def test_asking_for_what_a_spreadsheet_left_says_so():
    """Nobody can tell which label it was, and it is told once."""
    subject = replace(HEALTHY.subject, value="1.A4FF01E+23")
    diagnosis = judged(replace(unstocked(), subject=subject, package=nothing(), near=read(()), elsewhere=read(())))
    assert codes(diagnosis) == ["mapping.label-mistyped"]
    assert diagnosis.headline == "1.A4FF01E+23 is what a spreadsheet leaves of a label."


@pytest.mark.parametrize(
    ("near", "said"),
    [
        ((LABEL,), f"Is it {LABEL}?"),
        ((LABEL, f"{LABEL[:10]}7{LABEL[11:]}"), "Some labels are nearly the same."),
        ((), "24."),
    ],
)
def test_a_short_label_that_nobody_has_was_mistyped_in_the_question(near, said):
    """One label that it may be is asked about; several are only listed; without any the length is told."""
    subject = replace(HEALTHY.subject, value=LABEL[:10] + LABEL[11:])
    sighted = tuple(Sighting(label, "METRC") for label in near)
    evidence = replace(unstocked(), subject=subject, package=nothing(), near=read(sighted), elsewhere=read(()))
    diagnosis = judged(evidence)
    assert (diagnosis.code, diagnosis.related) == ("mapping.label-mistyped", near)
    assert diagnosis.headline.endswith(said)


# --- rows of nearly this label ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (row(label=OTHER_LABEL), "mapping.label-mistyped"),
        (row(label=OTHER_LABEL, metrc_item=None), "mapping.label-mistyped"),
        (row(label=OTHER_LABEL, metrc_item="Other", product_name="Plum Gummies 10pk"), "mapping.not-in-pos"),
    ],
)
def test_a_row_that_metrc_does_not_know_is_this_package_when_its_product_is(typed, code):
    """By its link or by its name; another product under a near label is another matter."""
    diagnosis = judged(replace(unstocked(), pos_unheard=(typed,)))
    assert diagnosis.code == code
    assert diagnosis.related == ((OTHER_LABEL,) if code == "mapping.label-mistyped" else ())


def test_an_item_that_metrc_leaves_nameless_fits_any_row():
    """There is nothing to compare."""
    nameless = with_package(unstocked(), item=replace(ITEM, name=None))
    assert judged(replace(nameless, pos_unheard=(row(label=OTHER_LABEL),))).code == "mapping.label-mistyped"


# --- the rest of the load ---------------------------------------------------------------------------------------------


def test_one_package_of_an_imported_load_that_is_missing_was_never_built():
    """Received six minutes ago; the others of the manifest are in the POS, so this one is not just late."""
    fresh = with_package(unstocked(), received_at=NOW - minutes(6))
    assert judged(fresh).code == "timing.import-on-its-way"
    diagnosis = judged(replace(fresh, pos_siblings=(row(label=OTHER_LABEL),)))
    assert diagnosis.code == "mapping.not-in-pos"
    said = [quote.says for outcome in diagnosis.checks for quote in outcome.evidence]
    assert f"of the same manifest the POS has {OTHER_LABEL}" in said


def test_a_mistyped_label_stands_for_the_refused_sales_too():
    """The POS holds 38 of 40 under the wrong label: METRC refused its two sales, and both parts are accounted for."""
    evidence = add_sales(refused(9, "Package could not be found", 2), to=stocked(38, absent()))
    typed = replace(evidence, near=read((Sighting(OTHER_LABEL, "METRC", Decimal(40), ITEM.name),)))
    diagnosis = judged(typed)
    assert diagnosis.code == "mapping.label-mistyped"
    assert [quantity for _, quantity, _ in shares(diagnosis)] == ["-2", "40"]
    assert diagnosis.gap.unexplained == 0


@pytest.mark.parametrize(("typed", "means_it"), [("O", True), ("another", False)])
def test_a_typed_row_that_reads_as_another_label_is_not_this_one(typed, means_it):
    """With O for 0 it names the next package of the load outright, however near that is."""
    here = HEALTHY.package.value.label
    label = (
        here.replace("0", "O", 1)
        if typed == "O"
        else f"{here[:-1]}{'7' if here[-1] != '7' else '8'}".replace("0", "O", 1)
    )
    evidence = replace(
        unstocked(),
        pos_near=(replace(HEALTHY.pos_rows.value[0], label=label),),
        pos_events=read((), "pos"),
        pos_sales=read((), "pos"),
    )
    found = codes(check(case(evidence)))
    assert found == (["mapping.label-mistyped"] if means_it else ["mapping.not-in-pos"])


# --- strains and names ------------------------------------------------------------------------------------------------


def of_strain(ours: str | None, theirs: str | None):
    """The POS names one strain and METRC's item another."""
    return with_row(with_package(item=replace(ITEM, strain=theirs)), strain=ours)


def test_a_strain_that_differs_is_said_and_nothing_is_adjusted():
    """Name and category agree."""
    diagnosis = judged(of_strain("Sunbreak", "Night Lantern"))
    assert (diagnosis.code, diagnosis.action.kind) == ("mapping.strain", ActionKind.FIX_MAPPING)
    assert diagnosis.headline == "The POS sells this package as strain “Sunbreak”; METRC's item is of “Night Lantern”."
    assert diagnosis.must_not == (Forbidden.ADJUST_QUANTITY,)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, "Night Lantern"),
        ("Sunbreak", None),
        ("night-lantern", "Night Lantern"),
        ("Night Lantern (Hybrid)", "Night Lantern"),
        ("N/A", "Night Lantern"),
        ("Sunbreak", "Mixed"),
        ("NightLantern", "Night Lantern"),
    ],
)
def test_a_strain_that_one_side_does_not_state_is_none(ours, theirs):
    """Nor is the kind of plant, nor a hyphen."""
    assert codes(judged(of_strain(ours, theirs))) == []


def test_the_item_comes_before_its_strain():
    """Another item has another strain by nature."""
    assert codes(judged(with_row(of_strain("Sunbreak", "Night Lantern"), metrc_item="Sunbreak - Flower 1g"))) == [
        "mapping.item"
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Preroll 5 pk x 1.0 g", "Pre-Roll 5pk x 1g", True),
        (".5g Cart", "0.5g Cart", True),
        ("5g Cart", ".5g Cart", False),
        ("Crème & Co 3,5g", "Creme and Co 3.5g", True),
        ("夜灯", "日出", False),
        ("Gummies 1 0.5g", "Gummies 10.5g", False),
    ],
)
def test_names_are_the_same_whatever_the_keyboard_made_of_them(ours, theirs, same):
    """Accents, hyphens, ampersands and leading zeros; but not another number, and not another script's name."""
    evidence = with_row(with_package(item=replace(ITEM, name=theirs)), metrc_item=ours)
    assert codes(judged(evidence)) == ([] if same else ["mapping.item"])


@pytest.mark.parametrize("cell", [f"{LABEL[:8]}-{LABEL[8:]}", f"{LABEL[:4].lower()} {LABEL[4:]}", f"#{LABEL}"])
def test_a_label_with_characters_between_is_named_as_this_one(cell):
    """No row is repaired by guessing, but the person is told where to look."""
    said = check(case(spoilt(cell))).summary
    assert f"has this label as “{cell}”" in said


@pytest.mark.parametrize(
    ("cell", "item", "same"),
    [
        ("90211", ITEM, True),
        (" 0090211 ", ITEM, True),
        ("90212", ITEM, False),
        ("90212", replace(ITEM, name="90212"), True),
        ("90212", replace(ITEM, id=None, name=None), True),
    ],
)
def test_the_pos_may_link_a_product_by_metrcs_id(cell, item, same):
    """The number of another item is another item."""
    evidence = with_row(with_package(item=item), metrc_item=cell)
    assert ("mapping.item" in codes(judged(evidence))) is not same
