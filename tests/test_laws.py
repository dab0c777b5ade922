"""What holds for any evidence, however odd."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.case import metrc_side
from bot.checks import ORDER
from bot.diagnose import diagnose
from bot.errors import Problem
from bot.model import (
    Access,
    ActionKind,
    Adjustment,
    Cause,
    CheckName,
    Direction,
    Evidence,
    Facility,
    Forbidden,
    PackageList,
    Posting,
    PostingDelays,
    Probe,
    Reading,
    Result,
    Sighting,
    Submission,
    TransferredPackage,
)
from bot.report import as_json
from tests.evidence import (
    FAILURES,
    HEALTHY,
    ITEM,
    LABEL,
    NOW,
    OTHER_LABEL,
    SHOP,
    add_receipts,
    add_sales,
    carried,
    judged,
    line,
    load,
    package,
    read,
    receipt,
    received,
    row,
    with_package,
    with_row,
)

quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

# few moments and few sizes, so that things meet
moments = st.sampled_from([0, 1, 4, 16, 59, 60, 200, 2880, 2881, 4320, 14_400]).map(
    lambda m: NOW - timedelta(minutes=m)
)
sizes = st.sampled_from([Decimal(q) for q in ("0", "1", "2", "3.5", "38", "40", "80", "0.0001")])
units = st.sampled_from(["Each", "Grams", "Ounces", "Milliliters", "each"])
texts = st.sampled_from([None, "Unauthorized", "Unit of Measure is not valid", "on hold", "not found", "Odd"])
problems = st.builds(Problem, st.sampled_from(FAILURES), st.just("It could not be read."))


@functools.cache
def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@functools.cache
def readings(values: st.SearchStrategy[Any], source: str = "metrc") -> st.SearchStrategy[Reading[Any]]:
    """Mostly read, at times not, at times in part."""
    whole = values.map(lambda value: read(value, source))
    none = problems.map(lambda problem: Reading(source, "asked", problem=problem))
    part = st.builds(lambda value, problem: Reading(source, "asked", NOW, value, problem), values, problems)
    return st.one_of(whole, whole, whole, whole, none, part)


@functools.cache
def few(strategy: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=most).map(tuple)


numbers = st.integers(min_value=1, max_value=4)
items = st.builds(
    lambda name, weight: replace(ITEM, name=name, unit_weight=weight),
    st.sampled_from([ITEM.name, "Bay Sweets - Plum Gummies 10pk", None]),
    maybe(st.sampled_from([Decimal("3.5"), Decimal(1), Decimal(5)])),
)
packages = st.builds(
    package,
    quantity=maybe(sizes),
    unit=maybe(units),
    item=items,
    original_quantity=maybe(sizes),
    lab_state=st.sampled_from([None, "TestPassed", "SubmittedForTesting", "TestFailed"]),
    is_on_hold=st.booleans(),
    is_on_recall=st.booleans(),
    is_finished=st.booleans(),
    archived_on=maybe(st.just(NOW.date())),
    received_at=maybe(moments),
    listing=maybe(st.sampled_from(list(PackageList))),
    last_modified=maybe(moments),
)
sale_lines = st.builds(
    line,
    numbers,
    moments,
    sizes,
    unit=maybe(units),
    is_void=st.booleans(),
    is_return=st.booleans(),
    original_sale_id=maybe(numbers.map("POS-{}".format)),
    submission=st.sampled_from(list(Submission)),
    receipt_id=maybe(numbers.map(lambda n: str(8800 + n))),
    message=texts,
    reported_at=maybe(moments),
)
whole_receipts = st.builds(
    receipt,
    numbers,
    moments,
    sizes,
    id=st.integers(8801, 8808),
    external_number=maybe(numbers.map("POS-{}".format)),
    recorded_at=maybe(moments),
    archived_on=maybe(st.just(NOW.date())),
)
lacks = st.sampled_from([{}, {"sold_at": None}, {"lines": None}])
receipts = st.tuples(whole_receipts, lacks).map(lambda both: replace(both[0], **both[1]))
unique_receipts = st.lists(receipts, max_size=5, unique_by=lambda one: one.id).map(tuple)
rows = st.builds(
    row,
    record_id=st.sampled_from(["r1", "r2"]),
    quantity=sizes,
    unit=units,
    product_id=st.sampled_from([None, "5001", "5002"]),
    metrc_item=st.sampled_from([None, ITEM.name, "Other"]),
    unit_weight_g=maybe(st.sampled_from([Decimal("3.5"), Decimal(5)])),
    received_at=maybe(moments),
    manifest=maybe(st.sampled_from(["0000418902", "418903"])),
)
events = st.builds(
    received,
    event_id=st.sampled_from(["e1", "e2", "e3"]),
    kind=st.sampled_from(["receive", "adjust", "move"]),
    at=moments,
    from_quantity=maybe(sizes),
    to_quantity=maybe(sizes),
    unit=maybe(units),
    reference=maybe(st.sampled_from(["0000418902", "418903"])),
)
manifests = st.builds(
    load,
    st.sampled_from([418902, 418903]),
    direction=st.sampled_from(list(Direction)),
    created_at=maybe(moments),
    departed_at=maybe(moments),
    received_at=maybe(moments),
    is_voided=st.booleans(),
    shipment_type=maybe(st.just("External Transfer")),
    packages=few(
        st.builds(
            carried,
            label=st.sampled_from([LABEL, OTHER_LABEL]),
            state=st.sampled_from([None, "Shipped", "Accepted", "Rejected"]),
            shipped_quantity=maybe(sizes),
            shipped_unit=maybe(units),
        ),
        2,
    ),
)
gone = st.builds(
    TransferredPackage,
    st.just(LABEL),
    st.none(),
    maybe(st.just("0000417900")),
    maybe(st.sampled_from([SHOP.license, "402R-X0100"])),
)
corrections = st.builds(
    Adjustment,
    st.just(LABEL),
    st.none(),
    sizes.map(lambda q: -q),
    st.just("Each"),
    maybe(st.just("Damage")),
    st.none(),
    maybe(st.just((NOW - timedelta(days=2)).date())),
)
sightings = few(
    st.builds(
        Sighting,
        st.sampled_from([OTHER_LABEL, "1A4FF0100000022000001007"]),
        st.just("METRC"),
        maybe(sizes),
        maybe(st.just(ITEM.name)),
        st.booleans(),
    ),
    2,
)
probes = st.tuples(
    *(readings(st.just(True)).map(lambda r, f=family: Probe(f, r)) for family in ("packages", "sales", "transfers"))
)
accesses = st.builds(
    Access,
    readings(few(st.builds(Facility, st.sampled_from([SHOP.license, "402R-X0024"]), st.just("Shop")), 2)),
    probes,
    few(readings(st.just(True)).map(lambda reading: Probe("Pine Street", reading)), 2),
    maybe(readings(st.just(frozenset({"view packages"})))),
)


# made once: making a strategy costs more than drawing from it
postings = st.sampled_from(list(Posting))
any_access = st.just(HEALTHY.access) | accesses
parts = {
    "package": readings(maybe(packages)),
    "receipts": readings(unique_receipts),
    "deliveries": readings(st.just(())),
    "transfers": readings(few(manifests, 3)),
    "transferred": readings(few(gone, 1)),
    "adjustments": readings(few(corrections, 3)),
    "pos_rows": readings(few(rows, 3), "pos"),
    "pos_sales": readings(few(sale_lines, 5), "pos"),
    "pos_events": readings(few(events, 4), "pos"),
    "unread_receipts": st.just(()) | unique_receipts,
    "near": maybe(readings(sightings)),
    "elsewhere": maybe(readings(sightings)),
    "pos_near": few(rows, 1),
    "pos_sales_since": maybe(moments),
    "pos_events_since": maybe(moments),
    "delays": maybe(st.just(PostingDelays(60, 5.0, 60.0, 7200.0))),
    "shelf": maybe(sizes),
}


@st.composite
def evidences(draw: st.DrawFn, *, open_gate: bool = False) -> Evidence:
    return replace(
        HEALTHY,
        shop=replace(SHOP, posting=draw(postings), nightly_at="04:00 America/New_York"),
        access=HEALTHY.access if open_gate else draw(any_access),
        **{name: draw(part) for name, part in parts.items()},
    )


@quick
@given(evidences())
def test_any_evidence_has_an_answer_of_seven_checks_in_order(evidence):
    """Nothing raises, the same evidence has the same answer, and a closed gate leaves the rest unreached."""
    diagnosis = judged(evidence)
    assert [outcome.name for outcome in diagnosis.checks] == [name for name, _ in ORDER]
    assert diagnosis == diagnose(evidence, "q1")
    closed = [n for n, outcome in enumerate(diagnosis.checks) if outcome.closes]
    late = diagnosis.checks[closed[0] + 1 :] if closed else ()
    assert all(outcome.result is Result.NOT_REACHED for outcome in late)
    assert all(bool(outcome.findings) is (outcome.result is Result.FOUND) for outcome in diagnosis.checks)


@quick
@given(evidences(open_gate=True))
def test_the_account_adds_up_in_values_and_in_texts(evidence):
    """Every explained unit has a reference, no record explains twice, and the printed figures add up as well."""
    diagnosis = judged(evidence)
    printed = json.loads(json.dumps(as_json(diagnosis)))
    if diagnosis.gap is None:
        assert printed["gap"] is None
        return
    gap = printed["gap"]
    assert Decimal(gap["difference"]) == Decimal(gap["pos"] or 0) - Decimal(gap["metrc"] or 0)
    explained = sum((Decimal(share["quantity"]) for share in gap["explained"]), Decimal(0))
    assert Decimal(gap["difference"]) == explained + Decimal(gap["unexplained"])
    assert all(share["refs"] for share in gap["explained"])
    assert len({share["refs"][-1] for share in gap["explained"]}) == len(gap["explained"])
    found = {finding.code for outcome in diagnosis.checks for finding in outcome.findings}
    assert {share["code"] for share in gap["explained"]} <= found


@quick
@given(evidences())
def test_a_quantity_is_touched_only_for_a_count_error_with_all_else_clear(evidence):
    """In every other case the answer forbids it."""
    diagnosis = judged(evidence)
    others = [outcome for outcome in diagnosis.checks if outcome.name is not CheckName.COUNT]
    alone = diagnosis.cause is Cause.COUNT_ERROR and all(outcome.result is Result.CLEAR for outcome in others)
    assert (Forbidden.ADJUST_QUANTITY not in diagnosis.must_not) is alone
    assert alone or diagnosis.action.kind is not ActionKind.RECORD_COUNT


@quick
@given(evidences())
def test_cause_and_code_fit_together(evidence):
    """The code begins with its cause; only none and unknown have no code."""
    diagnosis = judged(evidence)
    if diagnosis.code is None:
        assert diagnosis.cause in {Cause.NONE, Cause.UNKNOWN}
    else:
        assert diagnosis.code.split(".")[0] == diagnosis.cause.value
    assert (diagnosis.action.not_before is not None) is (
        diagnosis.action.kind.value == "wait"
    ) or diagnosis.cause is Cause.UNKNOWN


NEEDS = {
    # the bot's own key proves itself by reading; the POS's refused posts are more than it needs
    CheckName.AUTHENTICATION: (),
    CheckName.MAPPING: ("package", "pos_rows", "pos_sales", "transfers", "transferred", "near", "elsewhere"),
    CheckName.TIMING: ("package", "pos_rows", "pos_sales", "receipts", "deliveries"),
    CheckName.DUPLICATION: ("package", "pos_rows", "pos_sales", "pos_events", "receipts", "transfers", "adjustments"),
    CheckName.CUSTODY: ("package", "transfers", "transferred", "elsewhere"),
    CheckName.DEFINITION: ("package", "pos_rows", "transfers"),
    CheckName.COUNT: ("package", "pos_rows"),
}


@quick
@given(evidences(open_gate=True), st.data())
def test_a_reading_that_fails_never_makes_a_check_clear(evidence, data):
    """What could not be read is unknown, never clear."""
    check = data.draw(st.sampled_from([name for name in NEEDS if NEEDS[name]]))
    side = data.draw(st.sampled_from(NEEDS[check]))
    if getattr(evidence, side) is None:
        return
    before = {o.name: o.result for o in judged(evidence).checks}
    lost = replace(evidence, **{side: Reading("metrc", "asked", problem=data.draw(problems))})
    after = {o.name: o.result for o in judged(lost).checks}
    assert after[check] is not Result.CLEAR or before[check] is Result.CLEAR


@quick
@given(evidences(open_gate=True), st.integers(1, 5))
def test_sales_that_both_sides_have_change_nothing(evidence, count):
    """Trade that agrees on both sides moves neither cause, code nor what is unexplained."""
    if not (evidence.package.was_read and metrc_side(evidence)):
        return  # on the road METRC counts nothing here, so no sale can agree
    if not (
        evidence.pos_rows.was_read
        and evidence.pos_rows.value
        and evidence.receipts.was_read
        and evidence.pos_sales.was_read
    ):
        return
    evidence = _plain_units(evidence)
    before, after = judged(evidence), judged(_with_noise(evidence, count))
    assert (after.cause, after.code) == (before.cause, before.code)
    assert before.gap is not None
    assert after.gap is not None
    assert after.gap.unexplained == before.gap.unexplained


def _plain_units(evidence: Evidence) -> Evidence:
    """One unit on both sides, and enough on both to sell from."""
    first, *rest = evidence.pos_rows.value or ()
    stock = (replace(first, unit="Each", quantity=first.quantity + 20), *(replace(each, unit="Each") for each in rest))
    evidence = replace(evidence, pos_rows=read(stock, "pos"), pos_sales_until=NOW)
    return with_package(evidence, unit="Each", quantity=evidence.package.value.quantity + 20)


def _with_noise(evidence: Evidence, count: int) -> Evidence:
    for number in range(50, 50 + count):
        at = NOW - timedelta(days=1, minutes=7 * number)
        evidence = add_receipts(receipt(number, at), to=add_sales(line(number, at), to=evidence))
    stock = evidence.pos_rows.value[0].quantity - count
    return with_row(with_package(evidence, quantity=evidence.package.value.quantity - count), quantity=stock)
