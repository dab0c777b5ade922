from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import MetrcLine, Submission
from bot.posting import Fate, Matched, match, sales_of
from tests.evidence import (
    HEALTHY,
    LABEL,
    NOW,
    OTHER_LABEL,
    TWO_DAYS_AGO,
    days,
    line,
    minutes,
    read,
    receipt,
)


def laid(sales, receipts) -> Matched:
    """Only these sales and receipts."""
    return match(replace(HEALTHY, pos_sales=read(tuple(sales), "pos"), receipts=read(tuple(receipts))))


def pairs(matched: Matched) -> dict[str, list[int]]:
    return {posted.sale.sale_id: [r.id for r in posted.receipts] for posted in matched.sales}


def nameless(number: int = 1, **changes):
    """METRC dropped the number, as it does with a long note."""
    return receipt(number, external_number=None, **changes)


def unstored(number: int = 1, **changes):
    """The POS did not store the receipt's id."""
    return line(number, receipt_id=None, **changes)


def test_a_number_pairs_whatever_its_case():
    """Blanks around it do not matter either."""
    matched = laid([unstored()], [receipt(external_number=" pos-1 ")])
    assert (pairs(matched), matched.orphans) == ({"POS-1": [8801]}, ())


def test_a_stored_id_pairs_without_a_number_with_or_without_its_zeros():
    """METRC prints the id padded."""
    assert pairs(laid([line(receipt_id="0000008801")], [nameless()])) == {"POS-1": [8801]}


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({}, Fate.POSTED),
        ({"sold_at": TWO_DAYS_AGO + minutes(1)}, Fate.POSTED),
        ({"sold_at": TWO_DAYS_AGO + timedelta(seconds=61)}, Fate.NEVER_POSTED),
        ({"sold_at": None}, Fate.NEVER_POSTED),
        ({"lines": (MetrcLine(LABEL, Decimal(2), "Each"),)}, Fate.NEVER_POSTED),
        ({"lines": (MetrcLine(OTHER_LABEL, Decimal(1), "Each"),)}, Fate.NEVER_POSTED),
        ({"archived_on": NOW.date()}, Fate.RECEIPT_VOIDED),
    ],
)
def test_a_receipt_that_lost_its_number_is_told_by_moment_and_quantity(changes, fate):
    """Within a minute and of the same size; a voided one says that the sale was there."""
    matched = laid([unstored(submission=Submission.UNKNOWN)], [nameless(**changes)])
    assert [posted.fate for posted in matched.sales] == [fate]


def test_a_receipt_is_given_to_one_sale_the_nearest():
    """Two sales of the same minute and one receipt."""
    sales = [unstored(1), unstored(2, at=TWO_DAYS_AGO + timedelta(seconds=40))]
    matched = laid(sales, [nameless(7, sold_at=TWO_DAYS_AGO + timedelta(seconds=35))])
    assert pairs(matched) == {"POS-1": [], "POS-2": [8807]}


def test_a_living_receipt_is_preferred_to_a_voided_one():
    """Entered, voided and entered again."""
    matched = laid([unstored()], [nameless(3, archived_on=NOW.date()), nameless(4)])
    assert pairs(matched) == {"POS-1": [8804]}


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 2)), max_size=5), st.lists(st.integers(0, 90), max_size=5))
def test_no_receipt_serves_two_sales_and_none_is_lost(sold, recorded):
    """Each receipt is one sale's or an orphan."""
    sales = [
        unstored(n, at=TWO_DAYS_AGO + timedelta(seconds=at), quantity=size) for n, (at, size) in enumerate(sold, 1)
    ]
    receipts = [nameless(50 + n, at=TWO_DAYS_AGO + timedelta(seconds=at)) for n, at in enumerate(recorded)]
    matched = laid(sales, receipts)
    given_away = [r.id for posted in matched.sales for r in posted.receipts]
    assert sorted([*given_away, *(r.id for r in matched.orphans)]) == sorted(r.id for r in receipts)


def test_a_return_counts_with_the_sale_that_it_takes_back():
    """Three sold, one came back under a number of its own."""
    sold = line(1, quantity=3)
    back = line(2, NOW - days(1), is_return=True, original_sale_id="POS-1")
    (sale,) = sales_of([sold, back])
    assert (sale.sale_id, sale.quantity, sale.is_void, sale.touched_at) == ("POS-1", Decimal(2), False, NOW - days(1))


def test_a_return_of_a_sale_that_nobody_has_stands_for_itself():
    """It puts one back."""
    (sale,) = sales_of([line(2, is_return=True, original_sale_id="POS-77")])
    assert (sale.sale_id, sale.quantity) == ("POS-2", Decimal(-1))
