from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.case import found
from bot.gap import account, comparable, settle
from bot.model import Action, ActionKind, Cause, CheckName, Finding, Gap, PackageList, Share
from tests.evidence import (
    HEALTHY,
    absent,
    counted,
    failed,
    no_trade,
    nothing,
    on_the_road,
    read,
    row,
    stocked,
    unstocked,
    with_package,
    with_row,
)


def entry(quantity: str, ref: str = "pos sale 1", *, code: str = "timing.sale-on-its-way", rest: bool = False) -> Share:
    return Share(code, Decimal(quantity), (ref,), rest)


def outcome(*parts: Share):
    action = Action(ActionKind.NONE, "Nothing to do.")
    return found(CheckName.TIMING, [Finding("timing.sale-on-its-way", Cause.TIMING, "It is so.", action, shares=parts)])


def test_a_side_without_a_record_is_null_and_counts_as_nothing():
    """The POS holds 40 of a label that METRC does not know, and the reverse."""
    ours, theirs = account(absent(), ()), account(unstocked(), ())
    assert ours == Gap(Decimal(40), None, "Each", ())
    assert theirs == Gap(None, Decimal(40), "Each", ())
    assert (ours.difference, theirs.difference) == (Decimal(40), Decimal(-40))


def test_neither_side_has_a_record():
    """The difference is zero all the same."""
    gap = account(replace(unstocked(), package=nothing()), ())
    assert gap == Gap(None, None, "Each", ())
    assert gap.difference == 0


def test_a_load_on_the_road_and_a_package_in_transit_are_no_stock():
    """Null, as the contract says."""
    riding = with_package(no_trade(), listing=PackageList.IN_TRANSIT)
    assert [account(each, ()).metrc for each in (on_the_road(), riding)] == [None, None]


@pytest.mark.parametrize("listing", [PackageList.ACTIVE, PackageList.ON_HOLD, PackageList.INACTIVE, None])
def test_active_held_and_inactive_packages_are_metrcs_side(listing):
    """Wherever METRC lists it at this license."""
    assert account(with_package(listing=listing), ()).metrc == Decimal(38)


def test_rooms_are_summed():
    """One label, three rows."""
    rows = tuple(row(record_id=str(n), quantity=Decimal(q)) for n, q in enumerate((8, 11, 19)))
    assert account(replace(HEALTHY, pos_rows=read(rows, "pos")), ()).pos == Decimal(38)


def test_what_cannot_be_compared_has_no_difference():
    """A side that could not be read, a quantity METRC left out, a unit that does not convert."""
    without = [
        replace(HEALTHY, package=failed()),
        replace(HEALTHY, pos_rows=failed()),
        with_package(quantity=None),
        with_row(unit="Liters"),
    ]
    assert [account(each, ()) for each in without] == [None] * 4
    assert comparable(HEALTHY)


def test_pieces_and_grams_are_compared_through_the_items_weight():
    """38 pieces of 3.5 g are 133 g."""
    assert account(with_row(unit="Grams", quantity=Decimal(133)), ()).difference == 0


def test_an_event_counts_once_whoever_names_it():
    """Two checks may point at the same receipt."""
    same = (entry("1", "metrc receipt 7"), entry("1", "metrc receipt 7", code="duplication.receipt-retry"))
    assert settle(Decimal(1), same) == (same[0],)


def test_known_events_count_as_they_are_even_past_the_difference():
    """A residue of the other sign is then left over, and told."""
    gap = account(stocked(37), (outcome(entry("-1"), entry("-1", "pos sale 2")),))
    assert gap.unexplained == Decimal(1)


@pytest.mark.parametrize(
    ("difference", "most", "takes"),
    [
        ("5", "40", "5"),
        ("40", "40", "40"),
        ("41", "40", "40"),
        ("-5", "40", None),
        ("0", "40", None),
        ("-5", "-40", "-5"),
        ("-41", "-40", "-40"),
        ("5", "-40", None),
    ],
)
def test_a_rest_takes_what_is_left_never_more_than_its_size_and_never_the_other_sign(difference, most, takes):
    """A finished package explains what the POS still holds."""
    settled = settle(Decimal(difference), (entry(most, rest=True),))
    assert [str(share.quantity) for share in settled] == ([] if takes is None else [takes])


def test_a_rest_waits_for_the_events_whose_size_is_known():
    """Whatever the order of the checks."""
    settled = settle(Decimal(39), (entry("40", "metrc manifest 1", rest=True), entry("-1")))
    assert [(share.refs[-1], str(share.quantity)) for share in settled] == [
        ("pos sale 1", "-1"),
        ("metrc manifest 1", "40"),
    ]


def test_a_rest_whose_event_is_known_already_takes_nothing():
    """The same receipt is not told twice."""
    settled = settle(Decimal(5), (entry("1", "metrc receipt 7"), entry("4", "metrc receipt 7", rest=True)))
    assert [str(share.quantity) for share in settled] == ["1"]


def test_of_competing_events_those_that_close_the_account_are_taken():
    """Two stray receipts of 1 and 3 and a difference of 3: the later one fits."""
    strays = [entry(size, f"metrc receipt {n}", rest=True) for n, size in enumerate(("1", "3", "2"))]
    assert [share.refs[-1] for share in settle(Decimal(3), strays[:2])] == ["metrc receipt 1"]
    assert [share.refs[-1] for share in settle(Decimal(3), strays)] == ["metrc receipt 0", "metrc receipt 2"]


def test_where_none_close_it_the_order_decides():
    """The first takes what it can, the next what is left."""
    strays = [entry(size, f"metrc receipt {n}", rest=True) for n, size in enumerate(("2", "4"))]
    assert [str(share.quantity) for share in settle(Decimal(5), strays)] == ["2", "3"]


def test_more_events_than_can_be_looked_through_are_taken_in_order():
    """Twenty sizes of which any sum is another: the search ends and the order decides."""
    strays = [entry(str(2**n), f"metrc receipt {n}", rest=True) for n in range(20)]
    assert [str(share.quantity) for share in settle(Decimal(2**19), strays)][:3] == ["1", "2", "4"]


def test_the_account_carries_the_shelf_and_metrcs_unit():
    """What was counted stands beside what is booked."""
    gap = account(replace(with_package(counted(38), unit="Grams"), shelf=Decimal(37)), ())
    assert (gap.shelf, gap.unit) == (Decimal(37), "Grams")


amounts = st.decimals(min_value=-10_000, max_value=10_000, places=4)
events = st.lists(st.builds(entry, amounts.map(str), st.sampled_from("abcdef"), rest=st.booleans()), max_size=8)


@given(amounts, events)
def test_the_account_always_adds_up(difference, parts):
    """Difference = Σ explained + unexplained, exactly, and no event explains twice."""
    settled = settle(difference, parts)
    gap = Gap(difference, None, "Each", settled)
    assert sum((share.quantity for share in settled), gap.unexplained) == difference
    assert len({share.refs[-1] for share in settled}) == len(settled)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_a_difference_that_some_of_the_events_make_up_is_explained_to_the_unit(sizes, data):
    """Whichever of them it was, and in whatever order they stand, whole events close the account."""
    real = data.draw(st.lists(st.sampled_from(range(len(sizes))), unique=True, min_size=1))
    difference = Decimal(sum(sizes[n] for n in real))
    settled = settle(difference, [entry(str(size), f"pos sale {n}", rest=True) for n, size in enumerate(sizes)])
    assert sum(share.quantity for share in settled) == difference
    assert all(share.quantity == sizes[int(share.refs[-1].split()[-1])] for share in settled)
