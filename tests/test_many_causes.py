"""Two and three causes at once on one package: each is told, to the unit, and nobody is sent to adjust anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations
from typing import Final

import pytest

from bot.model import ActionKind, Adjustment, Cause, Evidence, Forbidden, MetrcLine, Submission
from tests.evidence import (
    HEALTHY,
    LABEL,
    NOW,
    OTHER_LABEL,
    RECEIVED,
    add_events,
    add_receipts,
    add_sales,
    case,
    counted,
    days,
    delivered,
    judged,
    line,
    logged,
    minutes,
    package,
    pending,
    posted_twice,
    read,
    receipt,
    received,
    refused,
    row,
    stocked,
    unheard,
    with_package,
    with_row,
)


def pos_by(change: int, evidence: Evidence) -> Evidence:
    """The POS's first row holds so many more."""
    (first, *_) = evidence.pos_rows.value or ()
    return stocked(first.quantity + change, evidence)


def metrc_by(change: int, evidence: Evidence) -> Evidence:
    """METRC counts so many more."""
    assert evidence.package.value is not None
    assert evidence.package.value.quantity is not None
    return counted(evidence.package.value.quantity + change, evidence)


def corrected(quantity: int, reason: str) -> Adjustment:
    return Adjustment(LABEL, 5510101, Decimal(quantity), "Each", reason, on=case().day(NOW - days(3)))


def on_its_way(e: Evidence) -> Evidence:
    return pos_by(-1, add_sales(pending(11), to=e))


def metrc_refused(e: Evidence) -> Evidence:
    return pos_by(-2, add_sales(refused(12, quantity=2), to=e))


def never_posted(e: Evidence) -> Evidence:
    return pos_by(-3, add_sales(unheard(13, quantity=3), to=e))


def void_unheard(e: Evidence) -> Evidence:
    at = NOW - days(4)
    sold = add_sales(line(14, at, 4, is_void=True, submission=Submission.VOIDED, receipt_id="8814"), to=e)
    return metrc_by(-4, add_receipts(receipt(14, at, 4), to=sold))


def receipt_voided(e: Evidence) -> Evidence:
    at = NOW - days(5)
    return pos_by(-5, add_receipts(receipt(15, at, 5, archived_on=at.date()), to=add_sales(line(15, at, 5), to=e)))


def imported(e: Evidence) -> Evidence:
    at = NOW - days(3)
    return metrc_by(-1, add_receipts(receipt(2, at, id=8891, external_number=None, recorded_at=at + days(1)), to=e))


def received_twice(e: Evidence) -> Evidence:
    again = received(event_id="e2", at=RECEIVED + minutes(17))
    second = row(record_id="r2", quantity=Decimal(40), received_at=again.at, where="inventory.csv, line 3")
    return replace(add_events(again, to=e), pos_rows=replace(e.pos_rows, value=(*(e.pos_rows.value or ()), second)))


def adjusted_twice(e: Evidence) -> Evidence:
    both = (*(e.adjustments.value or ()), corrected(-9, "Damage"), corrected(-9, "Damage"))
    once = logged(-9, at=NOW - days(3), event_id="c9", reason="Damage")
    return pos_by(-9, metrc_by(-18, replace(add_events(once, to=e), adjustments=read(both))))


def split_in_metrc(e: Evidence) -> Evidence:
    child = package(
        id=5550001, label=OTHER_LABEL, quantity=Decimal(10), original_quantity=Decimal(10), received_at=None,
        received_from_manifest=None, source_labels=(LABEL,), packaged_on=(NOW - days(2)).date(),
    )  # fmt: skip
    return metrc_by(-10, replace(e, children=read((child,))))


def given_back(e: Evidence) -> Evidence:
    return pos_by(-6, add_events(logged(-6, "return to vendor", NOW - days(1), event_id="c6"), to=e))


def delivered_twice(e: Evidence) -> Evidence:
    at = NOW - days(6)
    both = (delivered(at, 7), delivered(at, 7, id=6612))
    sold = add_sales(line(17, at, 7, receipt_id=None), to=replace(e, deliveries=read(both)))
    return pos_by(-7, metrc_by(-14, sold))


def on_other_label(e: Evidence) -> Evidence:
    at = NOW - days(1)
    moved = receipt(18, at, 8, lines=(MetrcLine(OTHER_LABEL, Decimal(8), "Each"),))
    sold = add_sales(line(18, at, 8, receipt_id=None), to=e)
    return pos_by(-8, replace(sold, receipts_elsewhere=(moved,)))


def came_back_in_part(e: Evidence) -> Evidence:
    at = NOW - days(4) + minutes(60)
    sold = add_sales(line(19, at, 3), line(19, at + minutes(9), 2, line_id="2", is_return=True), to=e)
    return pos_by(-1, metrc_by(-3, add_receipts(receipt(19, at, 3), to=sold)))


def change_on_its_way(e: Evidence) -> Evidence:
    return pos_by(-11, add_events(logged(-11, "adjust", NOW - minutes(5), event_id="c11"), to=e))


def made_in_pos(e: Evidence) -> Evidence:
    return pos_by(-12, add_events(logged(-12, "convert", NOW - days(2), event_id="c12"), to=e))


def note_too_long(e: Evidence) -> Evidence:
    return pos_by(-13, add_events(logged(-13, "adjust", NOW - days(2), event_id="c13", reason="x" * 201), to=e))


def stray(e: Evidence) -> Evidence:
    return metrc_by(-14, add_receipts(receipt(21, NOW - days(4) + minutes(90), 14), to=e))


def reported_in_vain(e: Evidence) -> Evidence:
    return pos_by(-15, add_sales(line(22, NOW - days(4) + minutes(30), 15), to=e))


def held(e: Evidence) -> Evidence:
    return with_package(e, is_on_hold=True)


def other_weight(e: Evidence) -> Evidence:
    return with_row(e, unit_weight_g=Decimal("17.5"))


def other_strain(e: Evidence) -> Evidence:
    assert e.package.value is not None
    return with_row(with_package(e, item=replace(e.package.value.item, strain="Night Lantern")), strain="Sunbreak")


@dataclass(frozen=True)
class Broken:
    """One thing that is broken, the code that tells it, and what it explains; None: it explains no unit."""

    break_it: Callable[[Evidence], Evidence]
    code: str
    by: int | None = None

    def __str__(self) -> str:
        return self.break_it.__name__


FAULTS: Final = (
    Broken(on_its_way, "timing.sale-on-its-way", -1),
    Broken(metrc_refused, "failed_post.refused", -2),
    Broken(never_posted, "failed_post.never-posted", -3),
    Broken(void_unheard, "failed_post.void-not-posted", 4),
    Broken(receipt_voided, "failed_post.receipt-voided", -5),
    Broken(posted_twice, "duplication.receipt-retry", 1),
    Broken(imported, "duplication.receipt-csv-over-api", 1),
    Broken(received_twice, "duplication.receive-twice", 40),
    Broken(adjusted_twice, "duplication.adjustment-twice", 9),
    Broken(split_in_metrc, "split.in-metrc", 10),
    Broken(given_back, "in_transit.returned-without-manifest", -6),
    Broken(delivered_twice, "duplication.delivery-twice", 7),
    Broken(on_other_label, "mapping.sale-on-other-label", -8),
    Broken(came_back_in_part, "failed_post.quantity-differs", 2),
    Broken(change_on_its_way, "timing.change-on-its-way", -11),
    Broken(made_in_pos, "split.in-pos", -12),
    Broken(note_too_long, "failed_post.note-too-long", -13),
    Broken(stray, "mapping.receipt-without-sale", 14),
    Broken(reported_in_vain, "failed_post.never-posted", -15),
    Broken(held, "on_hold.hold"),
    Broken(other_weight, "definition.pack-vs-piece"),
    Broken(other_strain, "mapping.strain"),
)


def wrong_in(faults: tuple[Broken, ...], shelf: int | None = None) -> list[str]:
    """What is wrong in the answer to a package that is broken in all these ways, a sentence each."""
    evidence = replace(HEALTHY, shelf=None if shelf is None else Decimal(shelf))
    for fault in faults:
        evidence = fault.break_it(evidence)
    diagnosis = judged(evidence)
    gap = diagnosis.gap
    assert gap is not None
    told = sorted((share.code, share.quantity) for share in gap.explained)
    meant = sorted((fault.code, Decimal(fault.by)) for fault in faults if fault.by)
    found = {finding.code for outcome in diagnosis.checks for finding in outcome.findings}
    wrong = []
    if told != meant or gap.unexplained:
        wrong.append(f"explained {[f'{code} {by}' for code, by in told]}, left {gap.unexplained}")
    if found != {fault.code for fault in faults}:
        wrong.append(f"found {sorted(found)}")
    if Forbidden.ADJUST_QUANTITY not in diagnosis.must_not or diagnosis.action.kind is ActionKind.RECORD_COUNT:
        wrong.append("adjust_quantity is allowed")
    if diagnosis.cause in {Cause.COUNT_ERROR, Cause.NONE, Cause.UNKNOWN}:
        wrong.append(f"cause {diagnosis.cause}")
    return [f"{' + '.join(map(str, faults))}: {each}" for each in wrong]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_cause_is_told_beside_the_others(count):
    """Whatever they add up to; some of them cancel out, and a difference of nothing is explained all the same."""
    every = list(combinations(FAULTS, count))
    assert [sentence for faults in every for sentence in wrong_in(faults)] == []


@pytest.mark.parametrize("shelf", [0, 37, 38, 80])
def test_a_shelf_that_was_counted_changes_nothing_of_that(shelf):
    """Whatever it has, it is compared once the causes are put right; nobody records it before."""
    assert [sentence for fault in FAULTS if fault.by for sentence in wrong_in((fault,), shelf)] == []
