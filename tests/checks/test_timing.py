from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bot.checks.timing import check
from bot.errors import ProblemKind
from bot.model import (
    ActionKind,
    Backlog,
    Cause,
    Confidence,
    Evidence,
    Forbidden,
    Posting,
    PostingDelays,
    Result,
    Submission,
    Window,
)
from tests.evidence import (
    HEALTHY,
    NOW,
    RECEIVED,
    TWO_DAYS_AGO,
    add_receipts,
    add_sales,
    case,
    codes,
    counted,
    days,
    delivered,
    failed,
    judged,
    line,
    minutes,
    package,
    pending,
    read,
    receipt,
    refused,
    row,
    shares,
    stocked,
    unheard,
    unstocked,
    with_package,
    with_row,
    with_shop,
)

YESTERDAY = NOW - timedelta(days=1)
WRONG_UNIT = "Unit of Measure is not valid for the Package."


def test_every_sale_with_its_receipt_is_clear():
    """Two sales, two receipts."""
    outcome = check(case())
    assert outcome.result is Result.CLEAR
    assert "2 sales of this package" in [quote.says for quote in outcome.evidence]


@pytest.mark.parametrize("side", ["receipts", "pos_sales", "package", "pos_rows"])
def test_a_side_that_could_not_be_read_is_unknown(side):
    """A late sale, a fresh import and an old export all need both sides."""
    assert check(case(replace(HEALTHY, **{side: failed()}))).result is Result.UNKNOWN


def test_a_sale_handed_over_by_delivery_needs_no_receipt():
    """METRC keeps it among the deliveries."""
    evidence = replace(add_sales(unheard(), to=HEALTHY), deliveries=read((delivered(TWO_DAYS_AGO + minutes(30)),)))
    assert check(case(evidence)).result is Result.CLEAR


def test_a_receipt_that_took_long_but_came_is_worth_a_word():
    """Two hours late is no cause any more."""
    late = receipt(2, NOW - days(3), recorded_at=NOW - days(3) + timedelta(hours=2, minutes=15))
    outcome = check(case(replace(HEALTHY, receipts=read((receipt(1), late)))))
    assert outcome.result is Result.CLEAR
    assert any(quote.says.endswith("arrived 2 h 15 min after the sale") for quote in outcome.evidence)


# --- on its way -------------------------------------------------------------------------------------------------------


def test_a_young_sale_is_on_its_way_and_the_time_to_look_again_is_told():
    """Wait until 20:41, never "a bit"; and do not resend."""
    evidence = add_sales(pending(), to=stocked(37))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("timing.sale-on-its-way", ActionKind.WAIT)
    assert finding.action.not_before == NOW + minutes(11)
    assert finding.action.text == "Nothing to do. Look again at 20:41."
    assert finding.must_not == (Forbidden.RESEND,)
    assert shares(judged(evidence)) == [("timing.sale-on-its-way", "-1", "pos sale POS-9")]


@pytest.mark.parametrize(
    ("age", "code", "again"),
    [
        (14, "timing.sale-on-its-way", 1),
        (15, "timing.sale-on-its-way", 45),
        (59, "timing.sale-on-its-way", 1),
        (60, "failed_post.never-posted", None),
        (61, "failed_post.never-posted", None),
    ],
)
def test_a_batch_sale_is_late_until_the_retries_end_and_has_failed_from_then_on(age, code, again):
    """Past fifteen minutes the limit itself is the time to look again; at sixty it will not come by itself."""
    finding = check(case(add_sales(pending(age=minutes(age)), to=stocked(37)))).findings[0]
    assert finding.code == code
    assert finding.action.not_before == (None if again is None else NOW + minutes(again))


@pytest.mark.parametrize(("age", "code"), [(14, "timing.sale-on-its-way"), (15, "failed_post.never-posted")])
def test_a_realtime_sale_has_failed_after_a_quarter_of_an_hour(age, code):
    """Real-time posting does not try again."""
    evidence = with_shop(add_sales(pending(age=minutes(age)), to=stocked(37)), posting=Posting.REALTIME)
    assert codes(check(case(evidence))) == [code]


@pytest.mark.parametrize(
    ("count", "p999", "age", "code"),
    [
        (50, 7200, 119, "timing.sale-on-its-way"),
        (50, 7200, 120, "failed_post.never-posted"),
        (49, 7200, 60, "failed_post.never-posted"),
        (50, 36_000, 239, "timing.sale-on-its-way"),
        (50, 36_000, 240, "failed_post.never-posted"),
        (50, 5, 59, "timing.sale-on-its-way"),
    ],
)
def test_a_shops_own_slowness_is_believed_within_reason(count, p999, age, code):
    """From fifty sales on, up to four hours, and never below the POS's own limit."""
    slow = replace(
        add_sales(pending(age=minutes(age)), to=stocked(37)), delays=PostingDelays(count, 5.0, 60.0, float(p999))
    )
    assert codes(check(case(slow))) == [code]


NIGHTLY = {"posting": Posting.NIGHTLY, "nightly_at": "04:00 America/New_York"}


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (datetime(2026, 3, 3, 9, 59, tzinfo=UTC), "timing.nightly-post"),
        (datetime(2026, 3, 3, 10, 0, tzinfo=UTC), "failed_post.never-posted"),
    ],
)
def test_a_nightly_shop_waits_for_the_night_and_an_hour(now, code):
    """Sold at 20:00 in Denver, posted at 04:00 Eastern, failed from 05:00 Eastern on."""
    sold = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
    sale = line(9, sold, submission=Submission.PENDING, receipt_id=None)
    evidence = with_shop(add_sales(sale, to=stocked(37)), **NIGHTLY)
    evidence = replace(with_row(evidence, as_of=now), asked_at=now, pos_rows=replace(evidence.pos_rows, as_of=now))
    assert codes(check(case(evidence))) == [code]


def test_a_nightly_shop_is_not_told_to_look_again_in_ten_minutes():
    """Nothing can have changed before the nightly run."""
    evidence = with_shop(add_sales(pending(), pending(10, minutes(200)), to=stocked(36)), **NIGHTLY)
    finding = check(case(evidence)).findings[0]
    assert finding.code == "timing.nightly-post"
    assert finding.action.not_before == datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    assert finding.headline == "2 sales (first POS-10) are on their way to METRC (this POS posts at night)."


@pytest.mark.parametrize(
    ("sold", "limit"),
    [
        # in the night to 8 March New York skips an hour, in the night to 1 November it repeats one
        (datetime(2026, 3, 8, 4, 0, tzinfo=UTC), datetime(2026, 3, 8, 9, 0, tzinfo=UTC)),
        (datetime(2026, 11, 1, 4, 0, tzinfo=UTC), datetime(2026, 11, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_the_night_of_a_clock_change_keeps_the_wall_clock(sold, limit):
    """04:00 is 04:00, however many hours the night has."""
    sale = line(9, sold, submission=Submission.PENDING, receipt_id=None)
    evidence = replace(with_shop(add_sales(sale, to=stocked(37)), **NIGHTLY), asked_at=sold + minutes(5))
    assert check(case(evidence)).findings[0].action.not_before == limit


def test_a_void_of_a_moment_ago_is_on_its_way_and_its_receipt_stays():
    """Voided three minutes after a sale two days ago, five minutes ago: METRC may still be told."""
    voided = line(1, is_void=True, submission=Submission.VOIDED, reported_at=NOW - minutes(5))
    evidence = replace(stocked(39), pos_sales=read((voided, line(2, NOW - days(3))), "pos"))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("timing.void-on-its-way", ActionKind.WAIT)
    assert finding.must_not == (Forbidden.REMOVE_RECORD,)
    assert shares(judged(evidence)) == [("timing.void-on-its-way", "1", "metrc receipt 8801")]


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (minutes(5), ["timing.import-on-its-way"]),
        (minutes(19), ["timing.import-on-its-way"]),
        (minutes(20), []),
    ],
)
def test_a_package_that_metrc_received_within_two_imports_is_on_its_way_to_the_pos(age, expected):
    """The POS imports every ten minutes; after two of them it should be there."""
    evidence = with_package(unstocked(), received_at=NOW - age)
    outcome = check(case(evidence))
    assert codes(outcome) == expected
    if expected:
        assert outcome.findings[0].action.not_before == NOW - age + minutes(20)
        assert shares(judged(evidence)) == [("timing.import-on-its-way", "-40", "metrc package 5510101")]


def test_an_empty_package_is_not_awaited():
    """There is nothing to import."""
    assert codes(check(case(with_package(unstocked(), received_at=NOW, quantity=Decimal(0))))) == []


def exported(ago: timedelta):
    at = NOW - ago
    rows = with_row(stocked(40), as_of=at).pos_rows
    return replace(HEALTHY, pos_rows=replace(rows, as_of=at))


def test_an_old_export_does_not_know_of_later_sales():
    """Exported four days ago; METRC counts two sales since. A newer export tells."""
    evidence = exported(days(4))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("timing.export-older", ActionKind.WAIT)
    assert finding.action.not_before == NOW + minutes(5)
    assert shares(judged(evidence)) == [
        ("timing.export-older", "1", "metrc receipt 8801"),
        ("timing.export-older", "1", "metrc receipt 8802"),
    ]


def test_receipts_that_no_sale_accounts_for_are_later_than_an_old_export_too():
    """The sales book may be as old as the stock list."""
    evidence = add_receipts(receipt(7, NOW - minutes(10)), to=counted(37, exported(minutes(20))))
    evidence = stocked(38, replace(evidence, pos_sales_until=NOW - minutes(30)))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "timing.export-older"
    assert finding.action.not_before == NOW + minutes(40)


@pytest.mark.parametrize("side", [{"pos_rows": read((), "pos")}, {"package": failed()}])
def test_without_both_counts_an_export_is_not_called_old(side):
    """There is nothing to be old against."""
    assert "timing.export-older" not in codes(check(case(replace(exported(days(4)), **side))))


def test_sales_after_the_stock_list_are_not_in_it():
    """A sale rung up after the export took nothing off the exported count."""
    evidence = add_sales(pending(age=minutes(4)), to=exported(minutes(10)))
    evidence = stocked(38, evidence)
    assert check(case(evidence)).findings[0].shares == ()


def test_a_backlog_that_was_flushed_is_one_remark():
    """Five sales of an outage arrived within a minute, twenty hours late."""
    times = [NOW - days(2) + minutes(10 * n) for n in range(5)]
    sales = [line(20 + n, at) for n, at in enumerate(times)]
    late = [receipt(20 + n, at, recorded_at=NOW - minutes(60 - n)) for n, at in enumerate(times)]
    outcome = check(case(add_receipts(*late, to=add_sales(*sales))))
    said = "5 sales of 20:30–21:10 on 28 Feb arrived late and are all there now, recorded 19:30–19:34."
    assert [quote.says for quote in outcome.evidence if "late" in quote.says] == [said]
    assert outcome.summary == f"Every POS sale of this package has its receipt in METRC. {said}"


def outage(count: int = 300) -> PostingDelays:
    """What waited from 12:00 until 15:20 two days ago, in the shop's own time."""
    noon = datetime(2026, 2, 28, 19, tzinfo=UTC)
    hours = [noon + minutes(n) for n in (0, 180, 200, 204)]
    return PostingDelays(900, 5.0, 60.0, 120.0, (Backlog(count, *hours),))


def test_sales_that_waited_out_an_outage_are_told_once_for_the_whole_shop():
    """Two of this package were among three hundred; a third that came late by itself is told by itself."""
    delays = outage()
    (backlog,) = delays.backlogs
    times = [backlog.sold_from + minutes(n) for n in (10, 100)]
    flushed = [receipt(20 + n, at, recorded_at=backlog.recorded_from + minutes(n)) for n, at in enumerate(times)]
    alone = receipt(30, NOW - days(1), recorded_at=NOW - days(1) + minutes(31))
    sales = (*(line(20 + n, at) for n, at in enumerate(times)), line(30, NOW - days(1)))
    evidence = replace(add_receipts(*flushed, alone, to=add_sales(*sales)), delays=delays)
    outcome = check(case(evidence))
    said = "300 sales of 12:00–15:00 on 28 Feb arrived together at 15:20 on 28 Feb, 2 of them of this package: the delay was an outage's."
    assert outcome.result is Result.CLEAR
    assert [quote.says for quote in outcome.evidence[2:]] == [
        said,
        "receipt 8830, sold 20:30 on 01 Mar, arrived 31 min after the sale",
    ]
    assert said in outcome.summary


@pytest.mark.parametrize(("minute", "code"), [(10, "timing.sale-on-its-way"), (30, "failed_post.never-posted")])
def test_a_sale_of_an_outage_may_still_come_with_the_rest_of_them(minute, code):
    """While the rest arrives, and a quarter of an hour longer; then it has failed."""
    delays = outage()
    (backlog,) = delays.backlogs
    now = backlog.recorded_until + minutes(minute)
    sale = unheard(at=backlog.sold_from + minutes(60))
    evidence = replace(
        add_sales(sale, to=stocked(37)), delays=delays, asked_at=now, receipts_window=Window(RECEIVED, now)
    )
    assert codes(check(case(evidence)))[0] == code


def holed(*holes: Window, evidence: Evidence = HEALTHY) -> Evidence:
    """METRC's receipts of some spans were not read."""
    part = replace(evidence.receipts, problem=failed().problem)
    return replace(evidence, receipts=part, receipts_holes=holes)


HOLE = Window(datetime(2026, 3, 1, 21, 5, tzinfo=UTC), datetime(2026, 3, 1, 22, 10, tzinfo=UTC))


def test_a_hole_in_what_was_read_is_named_and_never_clear():
    """Between its ends a receipt may be missing; asking again reads it once more."""
    outcome = check(case(holed(HOLE)))
    assert outcome.result is Result.UNKNOWN
    assert outcome.summary == (
        "Receipts between 14:05 on 01 Mar and 15:10 on 01 Mar were not read, so a late sale cannot be told. "
        "Ask again: then they are read once more."
    )
    assert outcome.evidence[0].says == "Receipts between 14:05 on 01 Mar and 15:10 on 01 Mar were not read"
    assert judged(holed(HOLE)).provisional


@pytest.mark.parametrize(
    ("sold", "code"),
    [
        (HOLE.end + minutes(6), "failed_post.never-posted"),
        (HOLE.end + minutes(4), None),
        (HOLE.start - minutes(60), None),
    ],
)
def test_a_sale_from_after_a_hole_is_not_hidden_in_it(sold, code):
    """METRC cannot have recorded it before it was sold; any other may be there."""
    evidence = holed(HOLE, evidence=add_sales(unheard(at=sold), to=stocked(37)))
    outcome = check(case(evidence))
    assert codes(outcome) == ([code] if code else [])
    said = "were not read" if code else "whether sale POS-9 reached METRC cannot be told"
    assert any(said in text for text in (outcome.summary, *(quote.says for quote in outcome.evidence)))


def test_many_holes_are_counted():
    """Three are named."""
    holes = [Window(HOLE.start + n * days(-1), HOLE.end + n * days(-1)) for n in range(5)]
    assert "and 2 more spans, were not read" in check(case(holed(*holes))).summary


# --- will never arrive ------------------------------------------------------------------------------------------------


def test_a_refused_sale_is_told_with_its_message_and_is_resent():
    """It stands in the POS, and METRC has nothing."""
    evidence = add_sales(refused(message="Total Amount was not specified."), to=stocked(37))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.cause, finding.action.kind) == (
        "failed_post.refused",
        Cause.FAILED_POST,
        ActionKind.RESEND,
    )
    assert finding.headline == (
        "METRC refused sale POS-9: “Total Amount was not specified.” It will not arrive by itself."
    )
    assert finding.must_not == ()
    assert shares(judged(evidence)) == [("failed_post.refused", "-1", "pos sale POS-9")]


def test_a_refused_sale_without_a_message_reads_as_a_sentence():
    """The reason is looked for in the POS."""
    finding = check(case(add_sales(refused(8), refused(9), to=stocked(36)))).findings[0]
    assert finding.headline == "METRC refused 2 sales (first POS-8). They will not arrive by themselves."
    assert finding.action.text.startswith("Find in the POS why it was refused")


@pytest.mark.parametrize("message", [WRONG_UNIT, "Unauthorized", "Package is on hold", "Item category is invalid"])
def test_what_would_be_refused_again_is_not_resent(message):
    """First the cause, then the sale."""
    finding = check(case(add_sales(refused(message=message), to=stocked(37)))).findings[0]
    assert finding.must_not == (Forbidden.RESEND,)


@pytest.mark.parametrize("change", [{"is_on_recall": True}, {"is_finished": True}])
def test_a_held_or_closed_package_takes_no_resend(change):
    """Whatever the text says."""
    finding = check(case(add_sales(refused(message="Odd"), to=with_package(stocked(37), **change)))).findings[0]
    assert finding.must_not == (Forbidden.RESEND,)


def test_what_a_held_package_needs_first_is_said():
    """The kind of action and its sentence agree."""
    finding = check(case(add_sales(refused(message="Odd"), to=with_package(stocked(37), is_on_hold=True)))).findings[0]
    assert finding.action.kind is ActionKind.CONTACT_COMPLIANCE
    assert finding.action.text.startswith("Call compliance")


def test_a_refused_sale_is_not_resent_while_metrcs_receipts_are_unread():
    """A refusal may have been a timeout, and then the receipt is there: it would be taken off twice."""
    evidence = replace(add_sales(refused(message="Odd"), to=stocked(37)), receipts=failed())
    finding = check(case(evidence)).findings[0]
    assert finding.must_not == (Forbidden.RESEND,)
    assert finding.shares[0].rest


def test_a_refused_sale_that_metrc_has_after_all_is_posted():
    """The POS timed out and METRC did not."""
    evidence = add_receipts(receipt(9), to=add_sales(refused(message="Timeout"), to=counted(37, stocked(37))))
    assert check(case(evidence)).result is Result.CLEAR


def test_a_till_set_to_grams_takes_the_bare_number_off_its_stock():
    """The POS sold "1 Grams" of what METRC counts in pieces, and its stock fell by one piece."""
    evidence = add_sales(refused(message=WRONG_UNIT, unit="Grams"), to=stocked(37))
    assert shares(judged(evidence)) == [("failed_post.refused", "-1", "pos sale POS-9")]


def test_a_till_that_sells_pieces_of_a_weight_converts_them():
    """One piece of 3.5 g from a jar that METRC weighs."""
    jar = with_package(unit="Grams", quantity=Decimal(100))
    jar = with_row(jar, unit="Grams", quantity=Decimal("96.5"))
    evidence = add_sales(refused(message=WRONG_UNIT), to=jar)
    assert shares(judged(evidence)) == [("failed_post.refused", "-3.500000", "pos sale POS-9")]


def test_a_sale_in_a_unit_that_cannot_be_compared_explains_nothing():
    """Neither by its own unit nor by the stock row's."""
    evidence = with_row(add_sales(refused(message="Odd", unit="Liters")), unit="Milliliters")
    assert check(case(evidence)).findings[0].shares == ()


def test_a_sale_that_metrc_never_took():
    """Two days old, no receipt, and the POS says nothing."""
    evidence = add_sales(unheard(), to=stocked(37))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.confidence) == ("failed_post.never-posted", Confidence.CERTAIN)
    assert finding.action.kind is ActionKind.RESEND
    assert shares(judged(evidence)) == [("failed_post.never-posted", "-1", "pos sale POS-9")]


def test_many_sales_are_named_up_to_five():
    """The rest is counted."""
    lost = [unheard(number) for number in range(10, 17)]
    finding = check(case(add_sales(*lost, to=stocked(31)))).findings[0]
    assert "POS-10, POS-11, POS-12, POS-13, POS-14 and 2 more" in finding.action.text
    assert len(finding.shares) == 7


def reported_in_vain(evidence):
    return add_sales(unheard(submission=Submission.REPORTED), to=evidence)


def test_a_sale_that_the_pos_calls_reported_is_missing_when_the_count_says_so():
    """Reported, no receipt, and METRC is one higher."""
    evidence = reported_in_vain(stocked(37))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.confidence) == ("failed_post.never-posted", Confidence.LIKELY)
    assert shares(judged(evidence)) == [("failed_post.never-posted", "-1", "pos sale POS-9")]


def test_a_sale_that_the_pos_calls_reported_is_unknown_when_the_counts_leave_no_room():
    """METRC has taken it off somewhere that was not seen; nobody is told to send it again."""
    outcome = check(case(reported_in_vain(HEALTHY)))
    assert outcome.result is Result.UNKNOWN
    assert "POS-9" in outcome.summary


def test_of_two_reported_sales_the_one_that_fits_the_difference_is_lost():
    """METRC is two higher: the sale of two is missing, the sale of one is mentioned and not accused."""
    one = line(8, NOW - days(3), 1, receipt_id=None)
    evidence = add_sales(one, unheard(9, 2, submission=Submission.REPORTED), to=stocked(36))
    diagnosis = judged(evidence)
    assert shares(diagnosis) == [("failed_post.never-posted", "-2", "pos sale POS-9")]
    assert diagnosis.headline.startswith("METRC never took sale POS-9")
    assert any("POS-8" in quote.says for quote in diagnosis.checks[2].evidence)


def test_another_lost_sale_uses_the_room_first():
    """One is missing and one sale certainly failed: the reported one is not accused."""
    evidence = add_sales(refused(8, message="Odd"), to=reported_in_vain(stocked(37)))
    assert codes(check(case(evidence))) == ["failed_post.refused"]


def test_without_a_difference_to_look_at_a_reported_sale_counts_as_lost():
    """Neither count nor receipt shows it."""
    evidence = replace(reported_in_vain(HEALTHY), pos_rows=failed(source="pos"))
    assert codes(check(case(evidence))) == ["failed_post.never-posted"]


def came_back(**changes):
    return unheard(is_return=True, **changes)


def test_a_return_that_metrc_does_not_know_is_found_by_the_difference():
    """The POS put one back on the shelf; METRC has no receipt for a return, so only the count can tell."""
    assert codes(check(case(add_sales(came_back(), to=stocked(39))))) == ["failed_post.never-posted"]
    assert check(case(add_sales(came_back()))).result is Result.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        {"receipts_window": Window(NOW - days(1), NOW)},
        {"receipts_window": None},
        {"unread_receipts": (receipt(99, lines=None),)},
        {"deliveries": failed()},
    ],
)
@pytest.mark.parametrize("state", [Submission.UNKNOWN, Submission.PENDING, Submission.REPORTED])
def test_a_sale_is_lost_only_when_everything_that_could_hold_it_was_read(change, state):
    """An unread window, receipt or delivery may be where it is."""
    evidence = replace(add_sales(unheard(submission=state), to=stocked(37)), **change)
    outcome = check(case(evidence))
    assert outcome.result is Result.UNKNOWN
    assert outcome.summary == "Whether sale POS-9 reached METRC could not be read."


def test_a_state_without_deliveries_has_none():
    """What is not offered holds nothing."""
    evidence = replace(add_sales(unheard(), to=stocked(37)), deliveries=failed(ProblemKind.NOT_OFFERED))
    assert codes(check(case(evidence))) == ["failed_post.never-posted"]


def test_a_receipt_voided_in_metrc_while_the_sale_stands():
    """Either the sale is real and is sent again, or it is voided in the POS."""
    voided = receipt(1, archived_on=date(2026, 3, 1))
    evidence = replace(counted(39), receipts=read((voided, receipt(2, NOW - days(3)))))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "failed_post.receipt-voided"
    assert "its METRC receipt 8801 was voided" in finding.headline
    assert shares(judged(evidence)) == [("failed_post.receipt-voided", "-1", "metrc receipt 8801")]


def voided_here(**changes):
    lines = (line(1, is_void=True, submission=Submission.VOIDED, **changes), line(2, NOW - days(3)))
    return replace(stocked(39), pos_sales=read(lines, "pos"))


def test_a_sale_voided_at_the_till_and_alive_in_metrc():
    """The void was never sent; the receipt goes in the sales screen, not by an adjustment."""
    finding = check(case(voided_here())).findings[0]
    assert (finding.code, finding.action.kind) == ("failed_post.void-not-posted", ActionKind.RESEND)
    assert shares(judged(voided_here())) == [("failed_post.void-not-posted", "1", "metrc receipt 8801")]


def test_every_living_receipt_of_a_voided_sale_is_too_many():
    """Posted twice and voided once: both have to go, and neither is the other's twin."""
    twin = replace(receipt(1), id=8890)
    evidence = add_receipts(twin, to=counted(37, voided_here()))
    diagnosis = judged(evidence)
    assert shares(diagnosis) == [
        ("failed_post.void-not-posted", "1", "metrc receipt 8801"),
        ("failed_post.void-not-posted", "1", "metrc receipt 8890"),
    ]
    assert diagnosis.duplicates == ()


def test_a_void_that_both_sides_have_is_nothing():
    """METRC's receipt is archived."""
    gone = receipt(1, archived_on=date(2026, 3, 1))
    evidence = replace(voided_here(), receipts=read((gone, receipt(2, NOW - days(3)))))
    assert check(case(counted(39, evidence))).result is Result.CLEAR


def returned(quantity: int, at: datetime = YESTERDAY):
    """Three were sold; ``quantity`` came back under another number that names the first."""
    back = line(8, at, quantity, is_return=True, original_sale_id="POS-1", receipt_id=None)
    evidence = replace(
        HEALTHY,
        pos_sales=read((line(1, quantity=3), line(2, NOW - days(3)), back), "pos"),
        receipts=read((receipt(1, quantity=3), receipt(2, NOW - days(3)))),
    )
    return stocked(36 + quantity, counted(36, evidence))


def test_a_part_that_came_back_and_metrc_was_not_told():
    """The receipt still takes three where the POS counts two."""
    evidence = returned(1)
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.confidence) == ("failed_post.quantity-differs", Confidence.LIKELY)
    assert finding.headline == "Sale POS-1 took 2 in the POS, but its METRC receipt 8801 takes 3."
    assert shares(judged(evidence)) == [("failed_post.quantity-differs", "1", "metrc receipt 8801")]


def test_a_part_that_came_back_a_moment_ago_is_on_its_way():
    """The change may still arrive."""
    assert codes(check(case(returned(1, NOW - minutes(5))))) == ["timing.void-on-its-way"]


def test_a_sale_that_came_back_whole_is_as_good_as_voided():
    """Its receipt has to go."""
    evidence = returned(3)
    assert codes(check(case(evidence))) == ["failed_post.void-not-posted"]
    assert shares(judged(evidence)) == [("failed_post.void-not-posted", "3", "metrc receipt 8801")]


def test_a_part_that_came_back_on_both_sides_is_nothing():
    """The receipt was edited."""
    edited = replace(returned(1), receipts=read((receipt(1, quantity=2), receipt(2, NOW - days(3)))))
    assert check(case(counted(37, edited))).result is Result.CLEAR


def test_receipts_and_sales_in_other_units_are_not_compared_by_number():
    """A sale of one ounce and a receipt of 28.35 g are one."""
    grams = replace(HEALTHY, package=read(package(unit="Grams")))
    sale = replace(grams, pos_sales=read((line(1, unit="Ounces"), line(2, NOW - days(3), unit="Grams")), "pos"))
    heavier = replace(sale, receipts=read((receipt(1, quantity="28.35"), receipt(2, NOW - days(3)))))
    assert "failed_post.quantity-differs" not in codes(check(case(heavier)))


def test_an_ounce_on_its_way_takes_its_grams_off_rounded_as_the_till_rounds():
    """The till sells one ounce, METRC holds grams, and the POS's stock keeps two decimals: explained, and nothing is left."""
    weighed = replace(HEALTHY, package=read(package(unit="Grams", quantity=Decimal(100))), receipts=read(()))
    grams = with_row(weighed, quantity=Decimal("71.65"), unit="Grams")
    diagnosis = judged(replace(grams, pos_sales=read((pending(9, unit="Ounces"),), "pos")))
    assert shares(diagnosis) == [("timing.sale-on-its-way", "-28.349523", "pos sale POS-9")]
    assert "count_error.unexplained" not in codes(diagnosis)


def test_the_worst_comes_first():
    """What will not arrive is told before what still may."""
    evidence = add_sales(pending(8), refused(9, message="Odd"), to=stocked(36))
    outcome = check(case(evidence))
    assert codes(outcome) == ["failed_post.refused", "timing.sale-on-its-way"]
    assert outcome.summary.endswith("And 1 more.")


def test_a_receipt_without_times_can_still_be_quoted():
    """METRC leaves fields out."""
    bare = receipt(1, sold_at=None, recorded_at=None)
    evidence = replace(voided_here(), receipts=read((bare, receipt(2, NOW - days(3)))))
    assert any("sold an unknown time" in quote.says for quote in check(case(evidence)).evidence)


def test_the_unread_reason_names_what_is_missing():
    """The POS's sales, METRC's receipts, or one of the counts."""
    no_sales = check(case(replace(HEALTHY, pos_sales=failed(source="pos")))).summary
    no_receipts = check(case(replace(unstocked(), receipts=failed(), pos_rows=read((row(),), "pos")))).summary
    no_count = check(case(replace(HEALTHY, package=failed()))).summary
    assert no_sales.startswith("The POS's sales")
    assert no_receipts.startswith("METRC's receipts")
    assert no_count.startswith("One side's count")


def test_what_came_back_after_the_package_was_finished_reopens_it():
    """The sale was taken back at the till only; METRC finished the package meanwhile."""
    closed = with_package(voided_here(), is_finished=True, finished_on=date(2026, 3, 2))
    assert "METRC has finished the package meanwhile" in check(case(closed)).findings[0].action.text


# --- the hour that comes twice ----------------------------------------------------------------------------------------

AUTUMN = datetime(2026, 11, 2, 18, tzinfo=UTC)
FIRST_HALF_PAST_ONE = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)


def in_autumn(sold: datetime, **records):
    """Asked on the day after the clocks were set back in Denver; one sale, of which METRC tells the wall clock alone."""
    moved = replace(HEALTHY, asked_at=AUTUMN, receipts_window=Window(AUTUMN - days(300), AUTUMN))
    moved = replace(moved, pos_rows=replace(moved.pos_rows, as_of=AUTUMN), **records)
    return add_sales(line(9, sold, receipt_id=None, submission=Submission.UNKNOWN), to=stocked(37, counted(37, moved)))


@pytest.mark.parametrize("hours", [0, 1])
def test_a_sale_at_half_past_one_is_found_whichever_half_past_one_it_was(hours):
    """METRC's copy bears another number and no offset, so it reads as the first of the two."""
    sold = FIRST_HALF_PAST_ONE + timedelta(hours=hours)
    there = add_receipts(receipt(99, FIRST_HALF_PAST_ONE, external_number="W-1"), to=in_autumn(sold))
    assert codes(judged(there)) == []
    driven = in_autumn(sold, deliveries=read((delivered(FIRST_HALF_PAST_ONE),)))
    assert codes(judged(driven)) == []


@pytest.mark.parametrize("sold", [FIRST_HALF_PAST_ONE + timedelta(hours=2), FIRST_HALF_PAST_ONE - timedelta(hours=1)])
def test_an_hour_beside_it_is_another_sale(sold):
    """Half past twelve and half past two come once."""
    there = add_receipts(receipt(99, FIRST_HALF_PAST_ONE, external_number="W-1"), to=in_autumn(sold))
    assert "failed_post.never-posted" in codes(judged(there))


def test_an_hour_apart_on_any_other_night_is_another_sale():
    """No clock was set back."""
    night = FIRST_HALF_PAST_ONE - days(7)
    there = add_receipts(receipt(99, night, external_number="W-1"), to=in_autumn(night + timedelta(hours=1)))
    assert "failed_post.never-posted" in codes(judged(there))
