"""Labels as they should be, as they are mistyped, and how far two of them are apart. Pure; any text may be asked."""

from __future__ import annotations

from collections.abc import Iterable

from bot.model import LABEL_LENGTH

MOST_EDITS = 2

_LOOKALIKES = str.maketrans("OIL", "011")


def is_well_formed(label: str) -> bool:
    """Whether METRC could have issued it: 24 letters and digits, none of them a letter that is typed for a digit."""
    return len(label) == LABEL_LENGTH and label.isalnum() and as_digits(label) == label


def as_digits(label: str) -> str:
    """The label with O, I and L read as the digits they are mistaken for."""
    return label.translate(_LOOKALIKES)


def edits(a: str, b: str, most: int = MOST_EDITS) -> int | None:
    """How many characters must be changed, added or left out to turn ``a`` into ``b``; None: more than ``most``.

    Two neighbours swapped count as two.
    """
    if abs(len(a) - len(b)) > most:
        return None
    a, b = _without_common_ends(a, b)
    longer = max(len(a), len(b))
    if longer <= 1 or not a or not b:
        return longer if longer <= most else None
    if most <= 1:
        return None
    # Both begin with different characters now, so the next edit is here: change, leave out, or add.
    rests = ((a[1:], b[1:]), (a[1:], b), (a, b[1:]))
    found = [count + 1 for count in (edits(*rest, most - 1) for rest in rests) if count is not None]
    return min(found, default=None)


def nearest(label: str, others: Iterable[str], most: int = MOST_EDITS) -> tuple[tuple[int, str], ...]:
    """Those of ``others`` within ``most`` edits of ``label``, itself left out, with their edits, nearest first."""
    pieces = _pieces(label, 3 * most)
    near = {
        other: count
        for other in others
        if _may_be_near(label, other, pieces, most) and (count := edits(label, other, most))
    }
    return tuple(sorted((count, other) for other, count in near.items()))


def _may_be_near(label: str, other: str, pieces: tuple[str, ...], most: int) -> bool:
    """Cheap: one edit spoils one piece, so all but ``most`` pieces are found unchanged in a near label."""
    if abs(len(other) - len(label)) > most:
        return False
    return sum(piece not in other for piece in pieces) <= most


def _pieces(label: str, count: int) -> tuple[str, ...]:
    width = max(1, -(-len(label) // max(1, count)))
    return tuple(label[at : at + width] for at in range(0, len(label), width))


def _without_common_ends(a: str, b: str) -> tuple[str, str]:
    start, stop_a, stop_b = 0, len(a), len(b)
    while start < stop_a and start < stop_b and a[start] == b[start]:
        start += 1
    while start < stop_a and start < stop_b and a[stop_a - 1] == b[stop_b - 1]:
        stop_a -= 1
        stop_b -= 1
    return a[start:stop_a], b[start:stop_b]
