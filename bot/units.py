"""Units of measure as METRC names them, and what can be turned into what. Pure; exact in ``Decimal``."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

EACH: Final = "Each"
# what was converted is rounded to this, so that the shares of an account add up to the last digit
FINEST: Final = Decimal("0.000001")
# no scale and no METRC item tells less: smaller is what arithmetic leaves behind
LEAST: Final = Decimal("0.00005")

GRAMS: Final = {
    "grams": Decimal(1),
    "milligrams": Decimal("0.001"),
    "kilograms": Decimal(1000),
    "ounces": Decimal("28.349523125"),
    "pounds": Decimal("453.59237"),
}
MILLILITERS: Final = {
    "milliliters": Decimal(1),
    "liters": Decimal(1000),
    "fluid ounces": Decimal("29.5735295625"),
    "pints": Decimal("473.176473"),
    "gallons": Decimal("3785.411784"),
}


def same_unit(one: str | None, other: str | None) -> bool:
    """Whether two unit names are the same, whatever their case; a missing name is equal to nothing."""
    if one is None or other is None:
        return False
    return one == other or one.strip().casefold() == other.strip().casefold()


def convert(quantity: Decimal, unit: str, wanted: str, *, grams_each: Decimal | None = None) -> Decimal | None:
    """Express a quantity in another unit; None when that cannot be done.

    ``grams_each``: what one piece weighs, which lets counts and weights be compared.
    """
    if same_unit(unit, wanted):
        return quantity
    for scale in (GRAMS, MILLILITERS):
        have, want = scale.get(unit.strip().casefold()), scale.get(wanted.strip().casefold())
        if have is not None and want is not None:
            return _rounded(quantity * have / want)
    return _through_weight(quantity, unit, wanted, grams_each)


def in_grams(quantity: Decimal | None, unit: str | None) -> Decimal | None:
    """A weight in grams; None when it is no weight, or there is none."""
    if quantity is None or unit is None:
        return None
    return convert(quantity, unit, "Grams")


def plain(quantity: Decimal) -> str:
    """A decimal without exponent and without needless zeros: ``1``, ``-0.5``, ``452.59``."""
    text = format(quantity, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def signed(quantity: Decimal) -> str:
    """The same with its sign, as it stands in an account: ``+1``, ``-0.5``, ``0``."""
    text = plain(quantity)
    return text if text.startswith("-") or text == "0" else f"+{text}"


def _through_weight(quantity: Decimal, unit: str, wanted: str, grams_each: Decimal | None) -> Decimal | None:
    if not grams_each:
        return None
    have, want = GRAMS.get(unit.strip().casefold()), GRAMS.get(wanted.strip().casefold())
    if same_unit(unit, EACH) and want is not None:
        return _rounded(quantity * grams_each / want)
    if same_unit(wanted, EACH) and have is not None:
        return _rounded(quantity * have / grams_each)
    return None


def _rounded(quantity: Decimal) -> Decimal:
    return quantity.quantize(FINEST, ROUND_HALF_EVEN)
