"""METRC's list of packages beside its sales: which of them is behind, and when nobody can tell."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.in_step import FEWEST, LAG, behind

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AFTER_A_SALE = timedelta(seconds=4)


def day(*, every=10 * MINUTE, until=NOW, hours=12):
    """Sales of a day, recorded one after another, the newest at ``until``."""
    return [until - n * every for n in range(int(hours * HOUR / every))]


def test_a_shop_whose_packages_change_with_its_sales_is_well():
    """The newest sale changed its package a moment later."""
    sales = day()
    assert not behind(sales, [at + AFTER_A_SALE for at in sales], NOW + MINUTE).silent


def test_sales_without_a_change_are_told():
    """An hour of sales after the last change: how many, since when, and how old the list is."""
    sales = day()
    changes = [at + AFTER_A_SALE for at in sales if at <= NOW - HOUR]
    found = behind(sales, changes, NOW)
    assert (found.silent, found.since, found.waiting) == (True, NOW - 50 * MINUTE, 6)
    assert found.says == (
        "METRC has recorded 6 sales in the last 50 min, and its list of packages shows no change for 1 h."
    )


def test_few_sales_or_little_time_are_no_sign():
    """Four sales may be chance, and a change may be on its way for half an hour."""
    sales = day(every=10 * MINUTE)
    few = [at + AFTER_A_SALE for at in sales if at <= NOW - (FEWEST - 1) * 10 * MINUTE]
    assert not behind(sales, few, NOW).silent
    busy = day(every=MINUTE)
    young = [at + AFTER_A_SALE for at in busy if at <= NOW - LAG]
    assert not behind(busy, young, NOW).silent
    assert behind(busy, young, NOW + 2 * MINUTE).silent


@pytest.mark.parametrize("per_hour", [6, 20, 60])
def test_where_sales_do_not_change_their_packages_nothing_is_claimed(per_hour):
    """Packages that change at moments of their own beside even busy tills prove nothing."""
    dice = random.Random(per_hour)  # noqa: S311 - moments
    sales = day(every=HOUR / per_hour)
    changes = [NOW - HOUR - dice.random() * 12 * HOUR for _ in range(200)]
    assert behind(sales, changes, NOW) is None


def test_a_big_delivery_that_day_hides_nothing():
    """Two hundred packages received in the morning beside a hundred that were sold: the proof still holds."""
    dice = random.Random(1)  # noqa: S311
    sales = day(every=5 * MINUTE)
    sold = [at + AFTER_A_SALE for at in sales if at <= NOW - HOUR]
    received = [NOW - 9 * HOUR + dice.random() * HOUR for _ in range(200)]
    assert behind(sales, sold + received, NOW).silent


def test_without_packages_nothing_can_be_said():
    """A shop that holds none yet."""
    assert behind(day(), [], NOW) is None


@given(
    st.lists(st.integers(0, 100_000), max_size=60),
    st.lists(st.integers(0, 100_000), max_size=60),
    st.integers(0, 200_000),
)
def test_whatever_the_times_nothing_is_told_that_is_not_so(recorded, changed, at):
    """Silent only with enough sales after the newest change, the first of them old enough."""
    begin = NOW - timedelta(days=2)
    sales, changes = ([begin + timedelta(seconds=s) for s in seconds] for seconds in (recorded, changed))
    found = behind(sales, changes, begin + timedelta(seconds=at))
    if found is not None and found.silent:
        later = sorted(sale for sale in sales if sale > max(changes))
        assert found.waiting >= FEWEST
        assert len(later) >= found.waiting
        assert begin + timedelta(seconds=at) - found.since >= LAG
