"""What two receipts of one sale have in common, as numbers that a database can group by. Pure.

Each key is 64 bits of a digest, so equal keys are a hint and never a proof: ``bot.twins`` compares the receipts themselves.
Changing what a key is made of means filling the columns anew in a migration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

Line = tuple[str, Decimal, str | None]
"""Label, quantity and unit."""


def lines_key(living: Iterable[Line]) -> int | None:
    """Of the lines that were not taken back, in any order; None: there is none."""
    told = sorted(f"{label}\x1f{_plain(quantity)}\x1f{(unit or '').casefold()}" for label, quantity, unit in living)
    return _digest("\x1e".join(told)) if told else None


def number_key(external_number: str | None) -> int | None:
    """Of the sale's number, whatever its case; None: it has none."""
    folded = (external_number or "").strip().casefold()
    return _digest(folded) if folded else None


def moment_key(sold_at: datetime | None, total: Decimal | None) -> int | None:
    """Of the sale's time and total; None: the time is not known."""
    if sold_at is None:
        return None
    return _digest(f"{sold_at.astimezone(UTC).isoformat()}\x1f{'' if total is None else _plain(total)}")


def _plain(number: Decimal) -> str:
    # 1, 1.0 and 10E-1 are one quantity, and so are 0 and -0
    return str((number + 0).normalize())


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
