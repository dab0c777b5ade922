from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from unittest.mock import ANY

import pytest

from bot.checks.duplication import check
from bot.errors import ProblemKind
from bot.model import (
    ActionKind,
    Adjustment,
    Confidence,
    Duplicate,
    DuplicateKind,
    Forbidden,
    Posting,
    Result,
    Submission,
)
from tests.evidence import (
    HEALTHY,
    LABEL,
    NOW,
    OTHER_LABEL,
    RECEIVED,
    add_events,
    add_receipts,
    add_sales,
    carried,
    case,
    codes,
    counted,
    days,
    delivered,
    failed,
    judged,
    line,
    load,
    minutes,
    no_trade,
    on_the_road,
    package,
    pending,
    posted_twice,
    read,
    receipt,
    received,
    row,
    shares,
    stocked,
    with_package,
    with_shop,
)

LATER = timedelta(seconds=7)


def imported(evidence=HEALTHY, number=8890):
    """Sale POS-1 is in METRC a second time without a number, recorded fourteen hours later."""
    copy = replace(
        receipt(1), id=number, external_number=None, recorded_at=receipt(1).recorded_at + timedelta(hours=14)
    )
    return add_receipts(copy, to=counted(37, evidence))


def test_one_receipt_a_sale_and_one_receive_are_clear():
    """Nothing is there twice, and nothing warns."""
    outcome = check(case())
    assert (outcome.result, outcome.must_not) == (Result.CLEAR, ())
    assert "2 living receipts" in [quote.says for quote in outcome.evidence]


@pytest.mark.parametrize(
    "side", ["receipts", "pos_rows", "pos_sales", "pos_events", "package", "transfers", "adjustments"]
)
def test_what_could_not_be_read_may_exist_twice(side):
    """Every side that could show a twin is needed to deny one."""
    assert check(case(replace(HEALTHY, **{side: failed()}))).result is Result.UNKNOWN


def test_a_receipt_whose_lines_were_not_read_may_be_a_twin():
    """It is a candidate as long as nobody has seen what it takes."""
    assert check(case(replace(HEALTHY, unread_receipts=(receipt(9, lines=None),)))).result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("side", "result"), [("adjustments", Result.CLEAR), ("transfers", Result.CLEAR), ("pos_events", Result.UNKNOWN)]
)
def test_what_a_state_does_not_offer_holds_no_twin_and_what_a_pos_does_not_offer_may(side, result):
    """The POS had receives, whether it tells of them or not."""
    assert check(case(replace(HEALTHY, **{side: failed(ProblemKind.NOT_OFFERED)}))).result is result


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_a_sale_posted_twice_is_told_with_the_one_to_keep():
    """The POS stores the first id, so the second goes."""
    finding = check(case(posted_twice())).findings[0]
    assert finding.code == "duplication.receipt-retry"
    assert finding.headline == "Sale POS-1 was posted to METRC twice, 4 s apart."
    assert finding.action.kind is ActionKind.REMOVE_DUPLICATE
    assert finding.confidence is Confidence.CERTAIN
    assert finding.duplicates == (
        Duplicate(
            system="metrc",
            kind=DuplicateKind.SALES_RECEIPT,
            keep="8801",
            remove=("8890",),
            removable=True,
            why="Keep 8801: the POS stores its id.",
        ),
    )
    assert shares(judged(posted_twice())) == [("duplication.receipt-retry", "1", "metrc receipt 8890")]


def test_a_sale_posted_three_times_loses_two():
    """Both copies are named, and the words follow."""
    third = replace(receipt(1), id=8891, recorded_at=None)
    finding = check(case(add_receipts(third, to=counted(36, posted_twice())))).findings[0]
    assert finding.duplicates[0].remove == ("8890", "8891")
    assert "3 times" in finding.headline


@pytest.mark.parametrize(("count", "more"), [(2, "And so was 1 more sale."), (7, "And so were 6 more sales.")])
def test_many_sales_posted_twice_are_one_finding_with_every_twin_listed(count, more):
    """One cause, one approval, and a text that does not run away."""
    numbers = range(10, 10 + count)
    pairs = [replace(receipt(n), id=id_) for n in numbers for id_ in (8800 + n, 8900 + n)]
    sales = [line(n) for n in numbers]
    evidence = add_receipts(*pairs, to=add_sales(*sales, to=counted(38 - 2 * count, stocked(38 - count))))
    finding = check(case(evidence)).findings[0]
    assert finding.headline.endswith(more)
    assert [d.remove for d in finding.duplicates] == [(str(8900 + n),) for n in numbers]
    assert ("and 2 more as listed" in finding.action.text) is (count == 7)
    assert len(finding.shares) == count


def test_a_file_imported_over_the_api_is_told_as_such():
    """Same moment, same lines, no number."""
    finding = check(case(imported())).findings[0]
    assert finding.code == "duplication.receipt-csv-over-api"
    assert "14 h apart; the second copy has no sale number" in finding.headline
    assert finding.duplicates[0].remove == ("8890",)


def test_receipts_without_times_are_quoted_and_the_headline_says_no_gap():
    """METRC left the recording time out."""
    twin = replace(receipt(1), id=8890, recorded_at=None)
    finding = check(case(add_receipts(twin, to=counted(37)))).findings[0]
    assert finding.headline == "Sale POS-1 was posted to METRC twice."
    undated = replace(receipt(1, sold_at=None), id=8801), replace(receipt(1, sold_at=None), id=8890)
    evidence = replace(counted(37), receipts=read((*undated, receipt(2, NOW - days(3)))))
    assert any("no sale time" in quote.says for quote in check(case(evidence)).evidence)


def test_receipts_without_any_number_are_twins_only_when_the_pos_has_one_sale_of_that_moment():
    """Then the sale is told by the receipt that stays."""
    first = receipt(1, external_number=None)
    evidence = add_receipts(
        replace(first, id=8890), to=replace(counted(37), receipts=read((first, receipt(2, NOW - days(3)))))
    )
    finding = check(case(evidence)).findings[0]
    assert finding.headline.startswith("The sale of receipt 8801 is in METRC twice")


def test_a_removal_waits_for_a_sale_that_is_still_on_its_way():
    """The twin is listed, cannot be removed now, and the time to look again is told."""
    finding = check(case(posted_twice(add_sales(pending(), to=stocked(37))))).findings[0]
    assert (finding.action.kind, finding.action.not_before) == (ActionKind.WAIT, NOW + minutes(11))
    assert finding.duplicates[0].removable is False
    assert finding.must_not == (Forbidden.REMOVE_RECORD,)


def test_a_removal_waits_for_a_void_that_is_still_on_its_way():
    """Another sale was voided a moment ago."""
    voided = line(2, NOW - days(3), is_void=True, submission=Submission.VOIDED, reported_at=NOW - minutes(5))
    evidence = posted_twice(replace(stocked(39), pos_sales=read((line(1), voided), "pos")))
    finding = check(case(evidence)).findings[0]
    assert finding.action.kind is ActionKind.WAIT


@pytest.mark.parametrize(
    ("age", "kind"),
    [
        (minutes(9), ActionKind.WAIT),
        (minutes(10), ActionKind.REMOVE_DUPLICATE),
        (minutes(-1), ActionKind.REMOVE_DUPLICATE),
    ],
)
def test_a_removal_waits_one_import_for_a_receive(age, kind):
    """A receive in the POS, or in METRC, of the last ten minutes may bring more; one of tomorrow is a wrong clock."""
    in_pos = posted_twice(add_events(received(event_id="e2", at=NOW - age, to_quantity=Decimal(7))))
    in_metrc = with_package(posted_twice(), received_at=NOW - age)
    assert [check(case(each)).findings[0].action.kind for each in (in_pos, in_metrc)] == [kind, kind]


def test_a_removal_in_a_nightly_shop_waits_for_the_night():
    """What is on its way arrives with the nightly run."""
    shop = {"nightly_at": "04:00 America/New_York", "posting": Posting.NIGHTLY}
    evidence = with_shop(posted_twice(add_sales(pending(), to=stocked(37))), **shop)
    assert check(case(evidence)).findings[0].action.not_before == (NOW + minutes(390))


def test_without_the_poss_sales_nobody_can_tell_whether_one_is_on_its_way():
    """Two receipts of one number are twins all the same; the POS has to be read before one goes."""
    evidence = replace(posted_twice(), pos_sales=failed(source="pos"))
    finding = check(case(evidence)).findings[0]
    assert finding.confidence is Confidence.LIKELY
    assert finding.duplicates[0].removable is False
    assert finding.action.text.startswith("Get the POS's sales read first")


def test_two_customers_with_equal_baskets_are_two_sales():
    """Different numbers in one second: no twin, and a warning not to remove one."""
    evidence = add_receipts(receipt(9), to=add_sales(line(9), to=counted(37, stocked(37))))
    outcome = check(case(evidence))
    assert (outcome.result, outcome.must_not) == (Result.CLEAR, (Forbidden.REMOVE_RECORD,))
    assert "8801, 8809 look alike but are separate sales" in outcome.summary


def test_look_alikes_are_warned_of_while_something_is_unread():
    """What could not be read makes nothing safer."""
    evidence = add_receipts(receipt(9), to=add_sales(line(9), to=counted(37, stocked(37))))
    outcome = check(case(replace(evidence, transfers=failed())))
    assert (outcome.result, outcome.must_not) == (Result.UNKNOWN, (Forbidden.REMOVE_RECORD,))


def test_a_voided_sales_receipts_are_none_of_its_business():
    """All of them have to go, so none is the other's twin."""
    voided = line(1, is_void=True, submission=Submission.VOIDED)
    evidence = posted_twice(replace(stocked(39), pos_sales=read((voided, line(2, NOW - days(3))), "pos")))
    assert codes(check(case(evidence))) == []


# --- receives ---------------------------------------------------------------------------------------------------------


def received_twice(evidence=None, **changes):
    """Two people took the same load in; both rows count."""
    evidence = evidence or no_trade()
    at = RECEIVED + minutes(17)
    second = row(record_id="r2", quantity=Decimal(40), received_at=at, where="inventory.csv, line 3")
    again = received(event_id="e2", at=at, actor="L Marsh", where="events.csv, line 3", **changes)
    rows = (replace(evidence.pos_rows.value[0]), second)
    return add_events(again, to=replace(evidence, pos_rows=read(rows, "pos")))


def test_one_truck_and_two_receives():
    """METRC shipped it once; the newer receive is reconciled to zero without telling METRC."""
    finding = check(case(received_twice())).findings[0]
    assert (finding.code, finding.action.kind) == ("duplication.receive-twice", ActionKind.REMOVE_DUPLICATE)
    assert "do not tell METRC" in finding.action.text
    assert finding.duplicates == (
        Duplicate(
            system="pos",
            kind=DuplicateKind.RECEIVE,
            keep="e1",
            remove=("e2",),
            removable=False,
            why="Keep e1: it is the older one.",
        ),
    )
    assert shares(judged(received_twice())) == [("duplication.receive-twice", "40", "pos receive e2")]


def test_a_receive_twice_waits_for_what_is_on_its_way():
    """A sale of the same package may still be subtracted from the wrong row."""
    finding = check(case(received_twice(add_sales(pending(), to=no_trade())))).findings[0]
    assert finding.action.kind is ActionKind.WAIT
    assert finding.must_not == (Forbidden.REMOVE_RECORD,)


def test_a_receive_without_an_actor_or_manifest_is_quoted_without():
    """Not every POS tells."""
    evidence = received_twice(reference=None, unit=None)
    assert any(
        quote.says.startswith("received 40  at") or quote.says.startswith("received 40 ")
        for quote in check(case(evidence)).evidence
    )
    anonymous = replace(evidence, pos_events=read(tuple(replace(e, actor=None) for e in evidence.pos_events.value)))
    assert not any(" by " in quote.says for quote in check(case(anonymous)).findings[0].evidence)


def test_receives_told_by_rows_alone_may_have_no_time():
    """Without a log the rows speak, and a row may not know when it came."""
    rows = (row(quantity=Decimal(40)), row(record_id="r2", quantity=Decimal(40), received_at=None, manifest="2"))
    evidence = replace(no_trade(), pos_rows=read(rows, "pos"), pos_events=read((), "pos"))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "duplication.receive-twice"
    assert any("at an unknown time" in quote.says for quote in finding.evidence)


def test_rooms_of_one_receive_are_no_twins_and_none_is_removed():
    """Three rows whose sum is METRC's count."""
    rows = tuple(row(record_id=f"r{n}", quantity=Decimal(q), room=f"Room {n}") for n, q in enumerate((8, 11, 19)))
    outcome = check(case(replace(HEALTHY, pos_rows=read(rows, "pos"))))
    assert (outcome.result, outcome.must_not) == (Result.CLEAR, (Forbidden.REMOVE_RECORD,))
    assert "in 3 rows (rooms or products), which is right" in outcome.summary


# --- manifests --------------------------------------------------------------------------------------------------------


def twin_load(**changes):
    """The shipper entered the same load again 42 seconds later; that one has not departed."""
    first = load()
    return load(418903, created_at=first.created_at + timedelta(seconds=42), departed_at=None, **changes)


def test_one_load_on_two_manifests():
    """The truck that left decides; the API cannot remove the other."""
    both = (carried(), carried(label=OTHER_LABEL))
    evidence = on_the_road(load(packages=both), twin_load(packages=both))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "duplication.manifest-twice"
    assert finding.headline == "One load is on two manifests: 0000418902 and 0000418903."
    assert finding.related == (OTHER_LABEL,)
    assert finding.duplicates == (
        Duplicate(
            system="metrc",
            kind=DuplicateKind.TRANSFER,
            keep="418902",
            remove=("418903",),
            removable=False,
            why="Keep manifest 0000418902: its truck has left.",
        ),
    )
    assert "ask the shipper to void it" in finding.action.text


def test_an_external_manifest_can_be_voided_here():
    """METRC's API takes external incoming transfers back."""
    external = {"shipment_type": "External Transfer"}
    evidence = on_the_road(load(departed_at=None, **external), twin_load(**external))
    finding = check(case(evidence)).findings[0]
    duplicate = finding.duplicates[0]
    assert (duplicate.kind, duplicate.removable) == (DuplicateKind.EXTERNAL_TRANSFER, True)
    assert duplicate.why == "Keep manifest 0000418902: it is the older one."
    assert "void it here" in finding.action.text


def test_an_external_twin_waits_for_what_is_on_its_way():
    """A receive of the package this minute may be of the very manifest."""
    external = {"shipment_type": "External Transfer"}
    evidence = on_the_road(load(**external), twin_load(**external))
    busy = add_events(received(event_id="e2", at=NOW - minutes(2)), to=replace(evidence, pos_events=read((), "pos")))
    finding = check(case(busy)).findings[0]
    assert (finding.action.kind, finding.duplicates[0].removable) == (ActionKind.WAIT, False)
    assert finding.must_not == (Forbidden.REMOVE_RECORD,)


def test_a_received_manifest_is_the_one_that_counts():
    """The other stays open for ever, and is why the POS received twice."""
    came = load(state="Accepted", received_at=RECEIVED, created_at=NOW - days(1))
    evidence = replace(HEALTHY, transfers=read((came, twin_load())))
    finding = check(case(evidence)).findings[0]
    assert finding.duplicates[0].why == "Keep manifest 0000418902: it was received."
    assert finding.brings_about == ("duplication.receive-twice",)


@pytest.mark.parametrize(
    "other",
    [
        twin_load(is_voided=True),
        twin_load(packages=(carried(state="Rejected"),)),
        twin_load(shipper_license="403-X0008"),
        twin_load(packages=(carried(), carried(label=OTHER_LABEL))),
        replace(twin_load(invoice=None), created_at=load().created_at + timedelta(hours=2, seconds=1)),
        replace(twin_load(invoice="INV-2"), created_at=None),
        replace(twin_load(), direction="outgoing"),
    ],
)
def test_a_load_that_only_looks_alike_is_another_load(other):
    """Voided, refused before, from somebody else, of other goods, of another time, or leaving."""
    assert codes(check(case(on_the_road(load(), other)))) == []


def test_loads_within_two_hours_or_of_one_invoice_are_one():
    """A manifest without an invoice is told by its time, one of another day by its invoice."""
    by_time = replace(twin_load(invoice=None), created_at=load().created_at + timedelta(hours=2))
    by_invoice = replace(twin_load(), created_at=None)
    for other in (by_time, by_invoice):
        assert codes(check(case(on_the_road(load(), other)))) == ["duplication.manifest-twice"]


def test_two_received_loads_are_two_loads():
    """Both came, so both were real."""
    came = [replace(each, received_at=RECEIVED) for each in (load(state="Accepted"), twin_load())]
    assert codes(check(case(replace(HEALTHY, transfers=read(tuple(came)))))) == []


# --- adjustments ------------------------------------------------------------------------------------------------------

WHEN = NOW - days(3)


def correction(quantity: int = -1, **changes) -> Adjustment:
    made = Adjustment(LABEL, 5510101, Decimal(quantity), "Each", "Damage", None, WHEN.date(), "Dana Orrin")
    return replace(made, **changes)


def corrected(*in_metrc: Adjustment, in_pos: int = 1):
    """METRC has these corrections and counts one less; the POS made ``in_pos`` of minus one."""
    events = [
        received(
            event_id=f"a{n}",
            kind="adjust",
            at=NOW - days(3) + minutes(n),
            from_quantity=Decimal(39),
            to_quantity=Decimal(38),
        )
        for n in range(in_pos)
    ]
    return replace(add_events(*events, to=counted(37)), adjustments=read(in_metrc))


def test_equal_corrections_are_no_twins_where_the_account_closes():
    """Both sides agree, so the POS made the second one under another name."""
    entry = correction(on=case().day(NOW - days(3)))
    assert codes(check(case(counted(38, corrected(entry, entry))))) == []


def test_a_correction_that_reached_metrc_twice():
    """The POS made it once; METRC cannot take one back, so a person does."""
    evidence = counted(37, corrected(correction(on=None), correction(on=None)))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.confidence) == ("duplication.adjustment-twice", Confidence.LIKELY)
    assert finding.duplicates[0].kind is DuplicateKind.ADJUSTMENT
    assert finding.duplicates[0].removable is False
    assert "twice, the POS once" in finding.headline
    diagnosis = judged(evidence)
    assert [entry[:2] for entry in shares(diagnosis)] == [("duplication.adjustment-twice", "1")]
    assert diagnosis.must_not[0] is Forbidden.ADJUST_QUANTITY


@pytest.mark.parametrize(
    ("in_metrc", "in_pos"),
    [
        ((correction(),), 1),
        ((correction(), correction()), 0),
        ((correction(), correction(-2)), 1),
        ((correction(), correction(reason="Entry Error")), 1),
    ],
)
def test_corrections_that_differ_or_that_the_pos_never_made_are_no_twins(in_metrc, in_pos):
    """Only what the POS made fewer times than METRC has."""
    assert codes(check(case(corrected(*in_metrc, in_pos=in_pos)))) == []


def test_two_corrections_on_both_sides_are_two_corrections():
    """Two jars broke."""
    day = case().day(NOW - days(3))
    pair = (correction(on=day), correction(on=day))
    assert codes(check(case(corrected(*pair, in_pos=2)))) == []
    assert codes(check(case(corrected(*pair, correction(on=day), in_pos=2)))) == ["duplication.adjustment-twice"]


def test_a_correction_of_another_day_in_the_pos_is_another_correction():
    """The day is the shop's own."""
    other = case().day(NOW - days(5))
    assert codes(check(case(corrected(correction(on=other), correction(on=other))))) == []


def test_look_alikes_beside_a_real_twin_do_not_forbid_its_removal():
    """The warning is for removals that nobody asked for."""
    alike = (receipt(9, NOW - days(1)), receipt(10, NOW - days(1)))
    sales = (line(9, NOW - days(1)), line(10, NOW - days(1)))
    evidence = add_receipts(*alike, to=add_sales(*sales, to=posted_twice(stocked(36))))
    outcome = check(case(evidence))
    assert (codes(outcome), outcome.must_not) == (["duplication.receipt-retry"], ())


# --- deliveries -------------------------------------------------------------------------------------------------------


def handed_over(evidence=HEALTHY, *, records=2, **changes):
    """One sale of the day before went out by delivery; METRC has it so many times."""
    at = NOW - days(1)
    sold = add_sales(line(7, at, receipt_id=None, submission=Submission.UNKNOWN), to=evidence)
    entries = tuple(delivered(at, id=6600 + number, **changes) for number in range(1, records + 1))
    return replace(stocked(37, counted(38 - records, sold)), deliveries=read(entries))


def test_a_delivery_that_is_in_metrc_twice_is_for_a_person_to_void():
    """The older one stays; the bot does not remove deliveries."""
    diagnosis = judged(handed_over())
    assert diagnosis.code == "duplication.delivery-twice"
    assert diagnosis.duplicates == (
        Duplicate("metrc", DuplicateKind.SALES_DELIVERY, "6601", ("6602",), removable=False, why=ANY),
    )
    assert shares(diagnosis) == [("duplication.delivery-twice", "1", "metrc delivery 6602")]
    assert diagnosis.action.kind is ActionKind.REMOVE_DUPLICATE


def test_a_delivery_in_three_copies_loses_two():
    """Each copy takes its own piece."""
    diagnosis = judged(handed_over(records=3))
    assert [ref for _, _, ref in shares(diagnosis)] == ["metrc delivery 6602", "metrc delivery 6603"]


@pytest.mark.parametrize(
    "evidence",
    [
        handed_over(records=1),
        handed_over(voided_on=NOW.date()),
        handed_over(sold_at=None),
        handed_over(lines=None),
        replace(handed_over(), pos_sales=failed(source="pos")),
        replace(HEALTHY, deliveries=read((delivered(), delivered(id=6612)))),
        add_sales(line(8, NOW - days(1), receipt_id=None, submission=Submission.UNKNOWN), to=handed_over()),
    ],
    ids=["one", "voided", "no time", "no lines", "sales unread", "not the POS's", "two sales"],
)
def test_what_is_no_second_delivery_is_not_accused(evidence):
    """It takes two living records of a moment in which the POS sold fewer."""
    assert "duplication.delivery-twice" not in codes(check(case(evidence)))


def test_a_voided_sale_is_no_reason_to_keep_its_delivery():
    """Two sales of the second, one of them voided: one delivery is right."""
    voided = line(8, NOW - days(1), is_void=True, submission=Submission.VOIDED, receipt_id=None)
    assert "duplication.delivery-twice" in codes(check(case(add_sales(voided, to=handed_over()))))


def test_a_second_delivery_waits_for_what_is_on_its_way():
    """A sale of four minutes ago may still arrive."""
    diagnosis = judged(add_sales(pending(), to=stocked(36, handed_over())))
    assert diagnosis.action.kind is ActionKind.WAIT
    assert Forbidden.REMOVE_RECORD in diagnosis.must_not


def test_a_second_package_waits_for_what_is_on_its_way():
    """The same holds for a package that METRC made twice."""
    made = {"received_at": None, "received_from_manifest": None, "source_labels": (LABEL,)}
    ten = {"quantity": Decimal(10), "original_quantity": Decimal(10)}
    children = tuple(package(id=number, label=OTHER_LABEL[:-1] + str(number), **made, **ten) for number in (7, 8))
    event = received(event_id="e9", kind="convert", at=NOW - days(1), to_quantity=Decimal(-10), reference=None)
    evidence = add_events(event, to=replace(stocked(28, counted(18)), children=read(children)))
    assert judged(evidence).code == "duplication.package-twice"
    waiting = judged(add_sales(pending(), to=stocked(27, evidence)))
    assert waiting.action.kind is ActionKind.WAIT


def test_equal_sums_for_different_reasons_are_different_corrections():
    """Two went for damage and two for an error; the third entry of two is a copy of the one made too often."""
    entries = [
        Adjustment(LABEL, 1, Decimal(-2), "Each", reason, on=date(2026, 3, 1))
        for reason in ("Damage", "Damage", "Entry Error")
    ]
    made = [
        received(
            event_id=f"e{number}",
            kind="adjust",
            at=NOW - days(1) - minutes(600),
            from_quantity=Decimal(2),
            to_quantity=Decimal(0),
            reason=reason,
        )
        for number, reason in ((8, "Damage"), (9, "Entry Error"))
    ]
    books = replace(add_events(*made), adjustments=read(tuple(entries)))
    diagnosis = judged(stocked(34, counted(32, books)))
    (duplicate,) = diagnosis.duplicates
    assert diagnosis.code == "duplication.adjustment-twice"
    assert duplicate.remove == (f"{entries[0].on} -2 Damage #3",)
