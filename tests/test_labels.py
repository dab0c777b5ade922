"""Labels that are nearly the same are found, and by the fewest edits."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.labels import edits, nearest

LABEL = "1A4FF0100000022000001002"
words = st.text(alphabet="01A", max_size=9)


def oracle(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@pytest.mark.parametrize(
    ("other", "count"),
    [
        (LABEL, 0),
        ("1A4FF0100000022000001003", 1),  # changed
        ("1A4FF01000000220000010022", 1),  # added at the end
        ("A4FF0100000022000001002", 1),  # first one left out
        ("1A4FF0100000022000001020", 2),  # swapped neighbours
        ("1A4FF01000000220000010", 2),  # two left out
        ("1A4FF010000002200000100", 1),
        ("1A4FF01000000220000", None),
        ("1A4FF0100000022000002113", None),  # three changed
        ("", None),
    ],
)
def test_a_label_is_as_many_edits_away_as_a_typist_made(other, count):
    """Changed, added and left-out characters count one each, and more than two is too far."""
    assert edits(LABEL, other) == count


@given(words, words, st.integers(0, 4))
def test_edits_agree_with_the_full_table(a, b, most):
    """The short cut finds what the full distance table finds, up to the limit."""
    count = oracle(a, b)
    assert edits(a, b, most) == (count if count <= most else None)


@given(words, words)
def test_edits_are_the_same_both_ways(a, b):
    """Distance does not depend on the side it is measured from."""
    assert edits(a, b) == edits(b, a)


@given(st.text("01A", min_size=1, max_size=12), st.lists(words, max_size=12))
def test_nearest_finds_exactly_the_near_ones(label, others):
    """Nothing near is lost by the cheap test that goes first, and the label itself is left out."""
    expected = sorted({(oracle(label, other), other) for other in others if 0 < oracle(label, other) <= 2})
    assert list(nearest(label, others)) == expected


def test_a_hundred_thousand_labels_are_searched_in_a_moment():
    """A big shop's labels, which all begin alike, are searched in well under two seconds."""
    others = [f"1A4FF01000000220{number:08d}" for number in range(100_000)]
    began = time.perf_counter()
    found = nearest("1A4FF0100000022000050000", others)
    assert (1, "1A4FF0100000022000050001") in found
    assert time.perf_counter() - began < 2
