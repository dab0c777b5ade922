from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.checks import ORDER
from bot.diagnose import diagnose, is_stale, root
from bot.errors import ProblemKind
from bot.model import (
    Access,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Forbidden,
    Probe,
    Result,
    Submission,
)
from tests.evidence import (
    FAILURES,
    HEALTHY,
    NOW,
    SHOP,
    absent,
    add_sales,
    counted,
    days,
    failed,
    judged,
    line,
    load,
    minutes,
    no_trade,
    nothing,
    on_the_road,
    outcome_of,
    pending,
    posted_twice,
    read,
    receipt,
    received,
    refused,
    row,
    shares,
    stocked,
    unstocked,
    with_package,
    with_row,
)

WRONG_UNIT = "Unit of Measure is not valid for the Package."
SEVEN = ["authentication", "mapping", "timing", "duplication", "custody", "definition", "count"]


def test_the_order_is_the_product():
    """Seven checks, the count last."""
    assert [name.value for name, _ in ORDER] == SEVEN


def test_a_healthy_package():
    """Everything was read, everything fits, nothing to do, and still nobody touches the count."""
    diagnosis = judged(HEALTHY)
    assert (diagnosis.cause, diagnosis.code, diagnosis.confidence) == (Cause.NONE, None, Confidence.CERTAIN)
    assert diagnosis.headline == "Nothing is wrong: POS and METRC agree on 38 Each."
    assert (diagnosis.action.kind, diagnosis.provisional) == (ActionKind.NONE, False)
    assert diagnosis.must_not == (Forbidden.ADJUST_QUANTITY,)
    assert [outcome.name.value for outcome in diagnosis.checks] == SEVEN
    assert {outcome.result for outcome in diagnosis.checks} == {Result.CLEAR}


def test_the_answer_says_who_asked_what_and_how_fresh_it_is():
    """License, subject, the time of the question and of both sides."""
    diagnosis = diagnose(HEALTHY, "abc")
    assert (diagnosis.id, diagnosis.facility, diagnosis.subject) == ("abc", SHOP.license, HEALTHY.subject)
    assert (diagnosis.asked_at, diagnosis.as_of.metrc, diagnosis.as_of.pos) == (NOW, NOW, NOW)


def test_metrcs_time_is_that_of_the_first_reading_that_answered():
    """The package, else the receipts, else the list of facilities, else none."""
    earlier = replace(HEALTHY, package=failed(), receipts=replace(HEALTHY.receipts, as_of=NOW - minutes(3)))
    dead = failed(ProblemKind.TIMEOUT)
    down = replace(HEALTHY, access=Access(dead), package=dead, receipts=dead)
    assert judged(earlier).as_of.metrc == NOW - minutes(3)
    assert judged(down).as_of.metrc is None


def test_a_label_that_nobody_counts():
    """Neither system has it, and nothing is open."""
    diagnosis = judged(replace(unstocked(), package=nothing(), near=read(()), elsewhere=read(())))
    assert diagnosis.cause is Cause.NONE
    assert diagnosis.headline.startswith("Neither system has any record of this label")
    assert "read its tag again" in diagnosis.action.text


# --- gates ------------------------------------------------------------------------------------------------------------


def test_a_closed_gate_leaves_the_rest_not_reached_and_no_gap():
    """Behind a dead key everything would be a guess."""
    no = failed(ProblemKind.UNAUTHORIZED)
    dead = replace(HEALTHY, access=Access(no, (Probe("packages", no),)), package=no)
    diagnosis = judged(dead)
    assert diagnosis.cause is Cause.AUTHENTICATION
    assert [outcome.result for outcome in diagnosis.checks[1:]] == [Result.NOT_REACHED] * 6
    assert (diagnosis.gap, diagnosis.provisional) == (None, False)
    assert diagnosis.must_not == (Forbidden.ADJUST_QUANTITY,)


def test_an_outage_is_provisional_and_keeps_the_key():
    """It will pass by itself."""
    down = failed(ProblemKind.SERVER_FAULT)
    diagnosis = judged(replace(HEALTHY, access=Access(down, (Probe("packages", down),)), package=down))
    assert (diagnosis.cause, diagnosis.code) == (Cause.OUTAGE, "outage.metrc-down")
    assert diagnosis.provisional
    assert set(diagnosis.must_not) >= {Forbidden.ADJUST_QUANTITY, Forbidden.RENEW_KEY}


def test_a_gate_without_a_verdict_asks_to_come_back():
    """METRC asked for fewer requests: nothing is known, and a time is told."""
    slow = failed(ProblemKind.RATE_LIMITED)
    diagnosis = judged(replace(HEALTHY, access=Access(slow), package=slow))
    assert (diagnosis.cause, diagnosis.code, diagnosis.confidence) == (Cause.UNKNOWN, None, Confidence.UNKNOWN)
    assert (diagnosis.action.kind, diagnosis.action.not_before) == (ActionKind.RETRY_LATER, NOW + minutes(5))
    assert diagnosis.provisional


def test_posts_refused_for_a_right_do_not_close_the_gate():
    """The bot can read, so every check runs, and the missing right is the root of the refused sale."""
    diagnosis = judged(add_sales(refused(message="Unauthorized"), to=stocked(37)))
    assert (diagnosis.cause, diagnosis.code) == (Cause.AUTHENTICATION, "authentication.post-refused")
    assert shares(diagnosis) == [("failed_post.refused", "-1", "pos sale POS-9")]
    assert Result.NOT_REACHED not in {outcome.result for outcome in diagnosis.checks}
    assert set(diagnosis.must_not) == {Forbidden.ADJUST_QUANTITY, Forbidden.RESEND}


# --- the root ---------------------------------------------------------------------------------------------------------


def test_a_hold_is_the_root_of_the_sales_it_makes_fail():
    """Not the first hit and not the loudest symptom."""
    diagnosis = judged(add_sales(refused(message="Package is on hold"), to=with_package(stocked(37), is_on_hold=True)))
    assert (diagnosis.cause, diagnosis.code) == (Cause.ON_HOLD, "on_hold.hold")


def test_the_refusals_text_decides_between_a_hold_and_a_wrong_unit():
    """Both could make the sale fail."""
    evidence = with_package(stocked(37), is_on_hold=True)
    by_unit = judged(add_sales(refused(message=WRONG_UNIT, unit="Grams"), to=evidence))
    by_hold = judged(add_sales(refused(message="Package is on hold", unit="Grams"), to=evidence))
    untold = judged(add_sales(refused(unit="Grams"), to=evidence))
    assert [d.code for d in (by_unit, by_hold, untold)] == ["mapping.unit", "on_hold.hold", "mapping.unit"]


def test_a_load_on_the_road_is_the_root_of_what_was_received_and_entered_twice():
    """Accepting one manifest settles the rest; the twins are listed."""
    at = NOW - timedelta(hours=6)
    rows = tuple(
        row(record_id=f"r{n}", quantity=Decimal(40), received_at=at + minutes(n), manifest=f"000041890{n}")
        for n in (2, 3)
    )
    again = tuple(received(event_id=f"e{n}", at=at + minutes(n), reference=f"000041890{n}") for n in (2, 3))
    twin = load(418903, created_at=load().created_at + minutes(1), departed_at=None)
    evidence = replace(on_the_road(load(), twin), pos_rows=read(rows, "pos"), pos_events=read(again, "pos"))
    diagnosis = judged(evidence)
    assert diagnosis.code == "in_transit.incoming"
    assert [(d.kind.value, d.keep, d.remove, d.removable) for d in diagnosis.duplicates] == [
        ("receive", "e2", ("e3",), False),
        ("transfer", "418902", ("418903",), False),
    ]
    assert shares(diagnosis) == [
        ("duplication.receive-twice", "40", "pos receive e3"),
        ("in_transit.incoming", "40", "metrc manifest 0000418902"),
    ]


def test_what_a_finding_brings_about_counts_as_its_own():
    """A wrong unit behind two refused sales outweighs one twin."""
    evidence = add_sales(
        refused(8, WRONG_UNIT, unit="Grams"), refused(9, WRONG_UNIT, unit="Grams"), to=posted_twice(stocked(36))
    )
    assert judged(evidence).code == "mapping.unit"


def test_the_larger_share_leads_and_the_earlier_check_on_a_tie():
    """One on its way against one twin, then against two."""
    one = judged(posted_twice(add_sales(pending(), to=stocked(37))))
    two = judged(posted_twice(posted_twice(add_sales(pending(), to=stocked(37))), number=2))
    assert (one.code, two.code) == ("timing.sale-on-its-way", "duplication.receipt-retry")


def test_a_share_weighs_what_it_settles_and_not_what_it_could():
    """A finished package with 40 sold rightly leaves two, and five sales that failed weigh more than those."""
    lost = [refused(number, message="Item is not valid.") for number in range(10, 15)]
    evidence = add_sales(*lost, to=stocked(35, with_package(quantity=Decimal(38), finished_on=NOW.date())))
    diagnosis = judged(evidence)
    assert {code for code, _, _ in shares(diagnosis)} == {"failed_post.refused", "finished.finished"}
    assert diagnosis.code == "failed_post.refused"


@pytest.mark.parametrize(
    ("grams", "unauthorized", "odd", "code"),
    [
        (2, 1, 0, "mapping.unit"),
        (1, 2, 0, "authentication.post-refused"),
        (1, 1, 0, "authentication.post-refused"),
        (1, 1, 3, "failed_post.refused"),
        (2, 0, 1, "mapping.unit"),
    ],
)
def test_each_cause_weighs_the_refused_sales_that_are_due_to_it(grams, unauthorized, odd, code):
    """Three ways to be refused on one package: each text has its own cause, and what has none stands for itself."""
    unit = "Unit of Measure is not valid for the Package."
    sales = [(7, grams, unit, "Grams"), (8, unauthorized, "Unauthorized", "Each"), (9, odd, "Odd", "Each")]
    lines = [refused(n, message, size, unit=measure) for n, size, message, measure in sales if size]
    diagnosis = judged(add_sales(*lines, to=stocked(38 - grams - unauthorized - odd)))
    assert diagnosis.code == code
    assert diagnosis.gap.unexplained == 0


def test_without_findings_there_is_no_root():
    """A healthy package has none."""
    diagnosis = judged(HEALTHY)
    assert root(diagnosis.checks, diagnosis.gap) is None


def test_without_a_gap_the_findings_weigh_what_they_claim():
    """Nothing can be settled when the POS's count is unread."""
    evidence = replace(posted_twice(posted_twice(add_sales(pending())), number=2), pos_rows=failed(source="pos"))
    diagnosis = judged(evidence)
    assert (diagnosis.gap, diagnosis.code) == (None, "duplication.receipt-retry")


# --- unknown ----------------------------------------------------------------------------------------------------------


def test_a_residue_while_a_check_is_unknown_is_unknown():
    """It is not called a count error as long as something unread could explain it."""
    diagnosis = judged(replace(stocked(39), pos_events=failed(source="pos")))
    assert (diagnosis.cause, diagnosis.code, diagnosis.confidence) == (Cause.UNKNOWN, None, Confidence.UNKNOWN)
    assert diagnosis.action.kind is ActionKind.RETRY_LATER
    assert "duplication, count (POS 39, METRC 38)" in diagnosis.action.text
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_sides_that_were_not_read_are_told_as_such():
    """What is missing is named, with a question mark for its count."""
    diagnosis = judged(replace(HEALTHY, package=failed(), pos_rows=failed(source="pos")))
    assert diagnosis.cause is Cause.UNKNOWN
    assert "(POS ?, METRC ?)" in diagnosis.action.text
    assert diagnosis.headline == outcome_of(diagnosis, CheckName.MAPPING).summary


def test_counts_that_agree_while_something_is_unread_are_likely_in_order():
    """The headline says what was not checked, and the answer is provisional."""
    diagnosis = judged(replace(HEALTHY, pos_events=failed(source="pos")))
    assert (diagnosis.cause, diagnosis.confidence) == (Cause.NONE, Confidence.LIKELY)
    assert diagnosis.headline == "POS and METRC agree on 38 Each, but duplication could not be fully checked."
    assert diagnosis.provisional


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize(
    "side",
    [
        "package",
        "receipts",
        "deliveries",
        "transfers",
        "transferred",
        "adjustments",
        "near",
        "elsewhere",
        "pos_rows",
        "pos_sales",
        "pos_events",
    ],
)
def test_every_failed_reading_makes_the_answer_provisional(side, kind):
    """It could change the answer."""
    assert judged(replace(HEALTHY, **{side: failed(kind)})).provisional


def test_what_is_not_offered_is_no_failure():
    """A POS without a log cannot be asked again with more success; the check says that it cannot tell."""
    diagnosis = judged(replace(HEALTHY, pos_events=failed(ProblemKind.NOT_OFFERED, "pos")))
    assert (diagnosis.provisional, diagnosis.confidence) == (False, Confidence.LIKELY)


def test_receipts_with_unread_lines_make_the_answer_provisional():
    """One of them may be the twin."""
    assert judged(replace(HEALTHY, unread_receipts=(receipt(9, lines=None),))).provisional


@pytest.mark.parametrize(("age", "stale"), [(59, False), (60, False), (61, True)])
def test_an_export_older_than_the_shop_allows_is_stale(age, stale):
    """An hour here; the answer then is provisional."""
    old = replace(HEALTHY, pos_rows=replace(HEALTHY.pos_rows, as_of=NOW - minutes(age)))
    assert (is_stale(old), judged(old).provisional) == (stale, stale)


def test_an_export_without_a_time_cannot_be_called_stale():
    """Nothing says how old it is."""
    assert not is_stale(replace(HEALTHY, pos_rows=replace(HEALTHY.pos_rows, as_of=None)))


# --- what must not be done --------------------------------------------------------------------------------------------


def test_a_count_error_alone_lets_a_number_be_touched():
    """Every other check was clear."""
    diagnosis = judged(stocked(39))
    assert (diagnosis.cause, diagnosis.must_not) == (Cause.COUNT_ERROR, ())


def test_a_shelf_that_differs_is_a_certain_count_error():
    """Both systems agree, and somebody counted."""
    diagnosis = judged(replace(HEALTHY, shelf=Decimal(37)))
    assert (diagnosis.code, diagnosis.action.kind) == ("count_error.shelf", ActionKind.RECORD_COUNT)
    assert (diagnosis.must_not, diagnosis.confidence) == ((), Confidence.CERTAIN)
    assert diagnosis.gap is not None
    assert (diagnosis.gap.unexplained, diagnosis.gap.shelf) == (Decimal(0), Decimal(37))


def test_a_count_error_beside_an_unknown_check_touches_nothing():
    """A shelf that differs is found; the log that was not read forbids the adjustment."""
    diagnosis = judged(replace(HEALTHY, shelf=Decimal(37), pos_events=failed(ProblemKind.NOT_OFFERED, "pos")))
    assert (diagnosis.cause, diagnosis.must_not) == (Cause.COUNT_ERROR, (Forbidden.ADJUST_QUANTITY,))


def test_a_residue_beside_a_named_cause_stays_with_that_cause():
    """One sale failed, another one is missing without a reason: no number is touched, and certainty is gone."""
    diagnosis = judged(add_sales(refused(message="Odd"), to=stocked(36)))
    assert (diagnosis.code, diagnosis.confidence) == ("failed_post.refused", Confidence.LIKELY)
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == Decimal(-1)


def test_warnings_are_said_once():
    """A hold and a refused sale both forbid a resend."""
    evidence = add_sales(refused(message="on hold"), to=with_package(stocked(37), is_on_hold=True))
    assert judged(evidence).must_not == (Forbidden.ADJUST_QUANTITY, Forbidden.RESEND)


def test_a_certain_finding_is_likely_while_the_answer_is_provisional():
    """The transfers were not read."""
    diagnosis = judged(replace(posted_twice(), transfers=failed()))
    assert (diagnosis.code, diagnosis.confidence) == ("duplication.receipt-retry", Confidence.LIKELY)


def test_the_rounding_of_a_unit_is_none():
    """One pound in the POS and 453.59 g in METRC agree; what is left over is shown and not called a cause."""
    grams = with_package(no_trade(), quantity=Decimal("453.59"), unit="Grams", original_quantity=Decimal("453.59"))
    diagnosis = judged(with_row(grams, quantity=Decimal(1), unit="Pounds"))
    assert diagnosis.cause is Cause.NONE
    assert diagnosis.gap is not None
    assert str(diagnosis.gap.unexplained) == "0.002370"


def test_a_return_and_its_sale_leave_nothing_open():
    """Sold yesterday, back today, and METRC voided the receipt."""
    back = line(8, NOW - days(1), is_return=True, original_sale_id="POS-1", submission=Submission.UNKNOWN)
    gone = receipt(1, archived_on=NOW.date())
    evidence = replace(add_sales(back, to=stocked(39)), receipts=read((gone, receipt(2, NOW - days(3)))))
    assert judged(counted(39, evidence)).cause is Cause.NONE


def test_an_unknown_label_is_possible_at_best():
    """Nobody can be sure what the true label is."""
    diagnosis = judged(absent())
    assert (diagnosis.code, diagnosis.confidence) == ("mapping.label-unknown", Confidence.POSSIBLE)
