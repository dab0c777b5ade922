from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.twins import find_twins
from tests.evidence import HEALTHY, LABEL, case, receipt

SALES = case(HEALTHY).matched.all_sales
ALONE = st.builds(
    lambda place, number, later, final: replace(
        receipt(number),
        id=9000 + place,
        recorded_at=receipt(number).recorded_at + timedelta(seconds=later),
        is_final=final,
    ),
    st.integers(0, 50),
    st.integers(1, 4),
    st.integers(0, 600),
    st.booleans(),
)
RECEIPTS = st.lists(ALONE, max_size=8, unique_by=lambda r: r.id)


@given(RECEIPTS)
def test_one_receipt_of_each_sale_always_stays(receipts):
    """Whatever is there twice, nothing is kept and removed at once, and each number keeps exactly one."""
    search = find_twins(receipts, None, LABEL)
    removed = {r.id for twins in search.twins for r in twins.remove}
    assert not removed & {twins.keep.id for twins in search.twins}
    left = [r.external_number for r in receipts if r.id not in removed]
    assert sorted(left) == sorted({r.external_number for r in receipts})


@given(RECEIPTS, st.randoms(use_true_random=False))
def test_the_order_of_reading_changes_nothing(receipts, chance):
    """METRC lists receipts in any order, and the same ones are kept."""
    shuffled = list(receipts)
    chance.shuffle(shuffled)

    def told(given_in):
        search = find_twins(given_in, SALES, LABEL)
        return {(t.keep.id, frozenset(r.id for r in t.remove)) for t in search.twins}

    assert told(receipts) == told(shuffled)


@given(st.lists(ALONE, max_size=5, unique_by=lambda r: r.external_number))
def test_different_numbers_are_different_sales(receipts):
    """However alike two customers' receipts are, nothing of them is offered."""
    assert find_twins(receipts, SALES, LABEL).twins == ()


def test_a_final_twin_is_a_twin():
    """Being finalised changes how it is voided, not what it is."""
    twin = replace(receipt(1), id=8890, is_final=True)
    (found,) = find_twins([receipt(1), twin], SALES, LABEL).twins
    assert (found.keep.id, [r.id for r in found.remove], found.sure) == (8801, [8890], True)


def test_the_receipt_whose_id_the_pos_stores_stays_though_it_is_the_younger():
    """The POS's own answer decides, then the age."""
    older = replace(receipt(1), id=700)
    (found,) = find_twins([older, receipt(1)], SALES, LABEL).twins
    assert (found.keep.id, found.why_keep) == (8801, "the POS stores its id")
    (found,) = find_twins([older, receipt(1)], None, LABEL).twins
    assert (found.keep.id, found.why_keep, found.sure) == (700, "it is the older one", False)


def test_voided_receipts_and_receipts_of_other_labels_are_nobodys_twins():
    """Only what takes something off this package can take it off twice."""
    voided = replace(receipt(1), id=8890, archived_on=receipt(1).sold_at.date())
    assert find_twins([receipt(1), voided], SALES, LABEL).twins == ()
    assert find_twins([receipt(1), replace(receipt(1), id=8890)], SALES, "another").twins == ()


def test_how_far_apart_twins_are_needs_both_times():
    """METRC may leave one out."""
    twin = replace(receipt(1), id=8890, recorded_at=None)
    (found,) = find_twins([receipt(1), twin], SALES, LABEL).twins
    assert found.apart is None


def test_a_receipt_without_a_number_whose_id_another_sale_stores_is_that_sale():
    """Two sales of one minute, METRC without seconds: the POS stores the second receipt's id at the second sale."""
    first, second = of_one_minute()
    search = find_twins([first, second], sales_of_one_minute(stored=True), LABEL)
    assert (search.twins, {r.id for r in search.lookalikes}) == ((), {first.id, second.id})


def test_times_without_seconds_hold_as_many_sales_as_the_minute_does():
    """Nobody stores ids, but the POS has two sales in that minute: nothing is offered."""
    assert find_twins(of_one_minute(), sales_of_one_minute(), LABEL).twins == ()
    alone = find_twins(of_one_minute(), sales_of_one_minute()[:1], LABEL)
    assert [twins.remove for twins in alone.twins] == [(of_one_minute()[1],)]


def test_an_hour_that_comes_twice_holds_the_sales_of_both():
    """METRC tells the wall clock, read as its first time; the POS has a sale at each. On any other day they are an hour apart."""
    night, hour = datetime(2026, 11, 1, 7, 30, 5, tzinfo=UTC), timedelta(hours=1)
    pair = [replace(each, sold_at=night) for each in of_one_minute()]
    first, second = (replace(each, sold_at=night) for each in sales_of_one_minute())
    both = (first, replace(second, sold_at=night + hour))
    assert find_twins(pair, both, LABEL, "America/Denver").twins == ()
    assert find_twins(pair, both, LABEL, "America/Phoenix").twins != ()


def of_one_minute():
    told = MINUTE_SHARP
    first = replace(receipt(1), id=9001, sold_at=told, external_number="POS-A")
    return [first, replace(first, id=9002, external_number=None)]


def sales_of_one_minute(*, stored=False):
    first = replace(SALES[0], sale_id="POS-A", sold_at=MINUTE_SHARP, receipt_ids=("9001",) if stored else ())
    second = replace(
        first, sale_id="POS-B", sold_at=MINUTE_SHARP + timedelta(seconds=30), receipt_ids=("9002",) if stored else ()
    )
    return (first, second)


MINUTE_SHARP = receipt(1).sold_at.replace(second=0, microsecond=0)
