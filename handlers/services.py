"""What the listeners are given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property

from bot import attend
from bot.approve import Office
from bot.inquiries import Inquiries
from bot.investigate import new_id
from bot.kept_questions import KeptQuestions
from bot.model import Diagnosis, Question
from bot.ports import Clock, Directory, Ledger, Progress, Rechecks
from bot.settings import Settings
from bot.status import Standing
from bot.sweep import SweepProgress
from bot.sweep_groups import Sweep
from handlers.door import Door
from handlers.metrics import Metrics

Answer = Callable[[Question, Progress], Awaitable[Diagnosis]]
SweepShop = Callable[[str, SweepProgress], Awaitable[Sweep]]
"""Judges the whole shop of a license; raises a ``CountlastError`` and nothing else."""

StatusOf = Callable[[Collection[str]], Awaitable[tuple[Standing, ...]]]
"""How the shops of these licenses stand; raises a ``CountlastError`` and nothing else."""

FindLabels = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""The tags at a license that something short stands for; raises a ``CountlastError`` and nothing else."""


@dataclass(frozen=True)
class Services:
    """The use cases and what stands behind them. ``answer`` raises a ``CountlastError`` and nothing else.

    ``office``: where removals are decided, for a directory that says who people are; None: nothing is offered.
    ``attending``: where people attend to alerts; None: there are none.
    ``ending``: the shop's tags by their last digits; ``scanned``: by the code on a single unit. None: nobody looks.
    ``sleep``: how the pace that Slack asks for is kept. ``owner``: this process among those that share the database.
    """

    settings: Settings
    answer: Answer
    ledger: Ledger
    clock: Clock
    sweep: SweepShop
    inquiries: Inquiries
    questions: KeptQuestions
    metrics: Metrics = field(default_factory=Metrics)
    office: Callable[[Directory], Office] | None = None
    attending: attend.Post | None = None
    status: StatusOf | None = None
    ending: FindLabels | None = None
    scanned: FindLabels | None = None
    rechecks: Rechecks | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    owner: str = field(default_factory=new_id)

    @cached_property
    def door(self) -> Door:
        """Where questions that are too many are refused."""
        return Door(self.settings)
