"""Random shops with known faults: every answer says what was done, to the unit, and offers nothing else for removal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generator import answers

SEEDS = range(25)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_fault_is_told(tmp_path: Path, empty_database: Path, seed: int):
    """The cause is right, every share is named, no wrong record is offered, and nobody may adjust too early."""
    verdicts = [verdict async for verdict in answers(seed, tmp_path, empty_database)]
    assert len(verdicts) >= 3
    assert not [str(verdict) for verdict in verdicts if verdict.wrong]
