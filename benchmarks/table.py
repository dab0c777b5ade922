"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, in which unit, and what it is held against in the same run."""

    what: str
    figure: float
    unit: str
    yardstick: float
    against: str

    @property
    def ratio(self) -> float:
        """The figure over its yardstick."""
        return self.figure / self.yardstick if self.yardstick else float("inf")


@dataclass(frozen=True)
class Scale:
    """How large to run: the tests run the same code small."""

    repeats: int = 5
    latency: float = 0.2
    rows: int = 100_000
    commands: int = 200


SMALL = Scale(repeats=1, latency=0.005, rows=500, commands=5)
FULL = Scale()


def printed(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    lines = [f"{'what':<58}{'figure':>12}  {'ratio':>7}  against", "-" * 118]
    lines += [
        f"{row.what:<58}{row.figure:>9.3f} {row.unit:<4}{row.ratio:>6.2f}x  {row.against} ({row.yardstick:.3f} {row.unit})"
        for row in rows
    ]
    return "\n".join(lines)
