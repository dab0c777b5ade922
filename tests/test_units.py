from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.units import EACH, FINEST, GRAMS, MILLILITERS, convert, in_grams, plain, same_unit, signed

QUANTITIES = st.decimals("-99999", "99999", places=4)


@pytest.mark.parametrize(
    ("quantity", "unit", "wanted", "result"),
    [
        ("1", "Pounds", "Grams", "453.592370"),
        ("1", "ounces", "GRAMS", "28.349523"),
        ("2.5", "Kilograms", "Grams", "2500.000000"),
        ("250", "Milligrams", "Grams", "0.250000"),
        ("1", "Fluid Ounces", "Milliliters", "29.573530"),
        ("3.5", " each ", "Each", "3.5"),
    ],
)
def test_weights_and_volumes_are_converted(quantity, unit, wanted, result):
    """A unit's case and blanks do not matter; what is converted is rounded to a millionth."""
    assert convert(Decimal(quantity), unit, wanted) == Decimal(result)


def test_pieces_and_weights_meet_through_what_a_piece_weighs():
    """Twenty eighths are 70 g, and back."""
    assert convert(Decimal(20), EACH, "Grams", grams_each=Decimal("3.5")) == 70
    assert convert(Decimal(70), "Grams", EACH, grams_each=Decimal("3.5")) == 20


@pytest.mark.parametrize(
    ("unit", "wanted", "each"),
    [(EACH, "Grams", None), ("Grams", "Milliliters", None), (EACH, "Liters", "3.5"), ("Liters", EACH, "3.5")],
)
def test_what_cannot_be_compared_is_none(unit, wanted, each):
    """A weight is no volume, and a piece without a weight is no weight."""
    assert convert(Decimal(1), unit, wanted, grams_each=Decimal(each) if each else None) is None


def test_a_weight_in_grams_needs_a_weight_and_a_unit():
    """A missing cell is no zero."""
    assert in_grams(Decimal(1), "Ounces") == Decimal("28.349523")
    assert (in_grams(None, "Grams"), in_grams(Decimal(1), None), in_grams(Decimal(1), EACH)) == (None, None, None)


def test_a_missing_unit_is_the_same_as_nothing():
    """Two empty cells do not agree."""
    assert (same_unit(None, None), same_unit("Each", None), same_unit(" GRAMS", "grams")) == (False, False, True)


@given(QUANTITIES, st.sampled_from([GRAMS, MILLILITERS]), st.data())
def test_a_conversion_there_and_back_keeps_the_quantity(quantity, scale, data):
    """Whatever unit lies between, only the rounding of a millionth is lost."""
    names = st.sampled_from(sorted(scale))
    unit, between = data.draw(names), data.draw(names)
    there = convert(quantity, unit, between)
    back = convert(there, between, unit)
    assert abs(back - quantity) <= FINEST * (1 + scale[between] / scale[unit])


@given(QUANTITIES)
def test_a_quantity_in_words_is_the_quantity(quantity):
    """No exponent, no needless zero, a sign only where one belongs, and nothing is lost."""
    text, with_sign = plain(quantity), signed(quantity)
    assert Decimal(text) == quantity == Decimal(with_sign)
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))
    assert with_sign.startswith("+") is (quantity > 0)
