from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.receives import find_twin_receives
from tests.evidence import HEALTHY, RECEIVED, add_events, minutes, nothing, read, received, row, stocked, with_package

AGAIN = received(event_id="e2", at=RECEIVED + minutes(17))


def rows_of(*rows):
    """The POS keeps no log; these are its stock rows."""
    return replace(HEALTHY, pos_rows=read(rows, "pos"), pos_events=read((), "pos"))


@given(st.integers(2, 5))
def test_a_load_in_any_number_of_receives_keeps_the_oldest(count):
    """Each other one is a load that METRC never sent."""
    more = [received(event_id=f"e{n}", at=RECEIVED + minutes(5 + n)) for n in range(2, count + 1)]
    found = find_twin_receives(add_events(*more, to=stocked(40 * count - 2)))
    assert found is not None
    assert (found.keep.id, found.quantity, found.sure) == ("e1", 40, True)
    assert [receive.id for receive in found.remove] == [f"e{n}" for n in range(2, count + 1)]


def test_a_receive_that_was_taken_back_is_no_twin():
    """Somebody reconciled the second one to zero already."""
    undone = received(
        event_id="e3", kind="reconcile", at=AGAIN.at + minutes(5), from_quantity=Decimal(40), to_quantity=Decimal(0)
    )
    assert find_twin_receives(add_events(AGAIN, to=stocked(78))) is not None
    assert find_twin_receives(add_events(AGAIN, undone, to=stocked(38))) is None


def test_a_package_that_metrc_received_twice_as_large_came_in_two_parts():
    """Both receives are needed to make up what METRC has."""
    assert find_twin_receives(add_events(AGAIN, to=with_package(original_quantity=Decimal(80)))) is None


def test_receives_of_other_sizes_or_products_are_no_twins():
    """Thirty are not forty, and two products made of one package came with one load."""
    assert find_twin_receives(add_events(replace(AGAIN, to_quantity=Decimal(30)))) is None
    one, other = row(quantity=Decimal(40)), row(quantity=Decimal(40), product_id="5002", received_at=RECEIVED)
    assert find_twin_receives(rows_of(one, other)) is None


def test_rows_are_receives_only_where_the_shop_holds_more_than_came():
    """Two rooms of nineteen are the 38 that are left of one load."""
    rooms = [row(quantity=Decimal(19), room=room, received_at=RECEIVED + minutes(n)) for n, room in enumerate("AB")]
    assert find_twin_receives(rows_of(*rooms)) is None
    found = find_twin_receives(rows_of(row(), row(quantity=Decimal(40), received_at=RECEIVED + minutes(17))))
    assert found is not None
    assert found.why_keep == "it has sales on it"


def test_rows_without_time_and_manifest_cannot_be_told_apart():
    """They are told in words, by file and line, and never by an empty id."""
    rows = (row(), row(quantity=Decimal(40), received_at=None, manifest=None, where="inventory.csv, line 3"))
    found = find_twin_receives(rows_of(*rows))
    assert found is not None
    assert (found.can_be_told_apart, found.remove[0].name) == (False, "inventory.csv, line 3")


def test_without_metrcs_figure_nothing_is_twice():
    """What came in is not known, so nobody can say that it came in once."""
    assert find_twin_receives(replace(add_events(AGAIN), package=nothing())) is None
