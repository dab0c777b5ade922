"""Numbers of receipts and manifests as they are compared: METRC pads them with zeros, the POS may store either form."""

from __future__ import annotations


def bare(number: str | None) -> str:
    """Without blanks, case and leading zeros; empty when there is none."""
    text = (number or "").strip().casefold()
    return text.lstrip("0") or text[:1]


def same_number(one: str | None, other: str | None) -> bool:
    """Whether two numbers are the same but for case and leading zeros; a missing one is equal to nothing."""
    return bool(one) and bool(other) and bare(one) == bare(other)
