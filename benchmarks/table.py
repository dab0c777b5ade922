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
    """How large to run: the tests run the same code small. ``points``: at how many, at most, processes are killed."""

    repeats: int = 5
    latency: float = 0.2
    rows: int = 100_000
    packages: int = 10_000
    many_packages: int = 100_000
    receipts: int = 1_000_000
    questions: int = 100
    shops: int = 500
    intents: int = 100
    storms: int = 2000
    kills: int = 50
    points: int = 100
    shop_years: int = 52
    shop_weeks: int = 52
    slots: int = 1000
    texts: int = 100_000
    rush: int = 1000
    facilities: int = 1000
    sharing: int = 300


SMALL = Scale(
    packages=60,
    many_packages=60,
    repeats=1,
    latency=0.005,
    rows=500,
    receipts=3000,
    questions=3,
    shops=3,
    intents=2,
    storms=2,
    kills=1,
    points=3,
    shop_years=1,
    shop_weeks=8,
    slots=40,
    texts=300,
    rush=20,
    facilities=3,
    sharing=3,
)
FULL = Scale()


def printed(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    lines = [f"{'what':<58}{'figure':>12}  {'ratio':>7}  against", "-" * 118]
    lines += [
        f"{row.what:<58}{row.figure:>9.3f} {row.unit:<4}{row.ratio:>6.2f}x  {row.against} ({row.yardstick:.3f} {row.unit})"
        for row in rows
    ]
    return "\n".join(lines)
