"""What the listeners are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot import attend
from bot.approve import Office
from bot.model import Diagnosis, Question
from bot.ports import Clock, Directory, Ledger, Progress
from bot.settings import Settings
from bot.sweep import SweepProgress
from bot.sweep_groups import Sweep
from handlers.metrics import Metrics

Answer = Callable[[Question, Progress], Awaitable[Diagnosis]]
SweepShop = Callable[[str, SweepProgress], Awaitable[Sweep]]
"""Judges the whole shop of a license; raises a ``CountlastError`` and nothing else."""


@dataclass(frozen=True)
class Services:
    """The use cases and what stands behind them. ``answer`` raises a ``CountlastError`` and nothing else.

    ``office``: where removals are decided, for a directory that says who people are; None: nothing is offered.
    ``attending``: where people attend to alerts; None: there are none.
    """

    settings: Settings
    answer: Answer
    ledger: Ledger
    clock: Clock
    sweep: SweepShop
    metrics: Metrics = field(default_factory=Metrics)
    office: Callable[[Directory], Office] | None = None
    attending: attend.Post | None = None
