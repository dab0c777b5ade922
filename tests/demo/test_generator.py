"""What the generator says is wrong is what it did, and the demo can open any of its shops."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.generator import RANK, Event, Fault, Truth, shop
from demo.run import ask, store

GATES = {"authentication", "wrong_license", "outage"}
NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_the_truths_add_up(seed: int):
    """What is known of a package is exactly the difference between the two sides of the store."""
    one = shop(seed)
    for truth in one.truths:
        if truth.causes & GATES and not truth.events:
            continue
        told = sum((event.quantity for event in truth.events), Decimal(0)) + truth.residue
        assert told == one.world.difference(truth.label), f"{truth.label}: {truth.hint}"


@settings(max_examples=20, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_a_seed_is_a_shop(seed: int):
    """The same seed is the same shop, to the last record."""
    assert shop(seed) == shop(seed)


def test_every_cause_is_made():
    """A few hundred shops hold every cause there is, packages in good order, and packages with three faults."""
    truths = [truth for seed in range(300) for truth in shop(seed).truths]
    assert {cause for truth in truths for cause in truth.causes} == {*RANK, "none"}
    assert {len(truth.faults) for truth in truths} >= {0, 1, 2, 3}


def _fault(cause: str, units: int, *, root: bool = False) -> Fault:
    return Fault(cause, cause, (Event(cause, Decimal(units)),), root=root)


@pytest.mark.parametrize(
    ("faults", "causes"),
    [
        ((), {"none"}),
        # the most units
        ((_fault("timing", -1), _fault("duplication", 2)), {"duplication"}),
        # a tie: the earlier check
        ((_fault("duplication", 2), _fault("timing", -2)), {"timing"}),
        # two of one cause together outweigh a third
        ((_fault("timing", -2), _fault("timing", -2), _fault("split", 3)), {"timing", "split"}),
        # a root may lead although it moves less
        ((_fault("on_hold", -1, root=True), _fault("duplication", 3)), {"on_hold", "duplication"}),
        # a residue leads alone only
        ((Fault("count", "count_error", residue=Decimal(4), miscount=True),), {"count_error"}),
        ((Fault("count", "count_error", residue=Decimal(4), miscount=True), Fault("lab", "lab_state")), {"lab_state"}),
    ],
)
def test_which_cause_may_lead(faults: tuple[Fault, ...], causes: set[str]):
    """The rule of the interface, and both answers where it leaves two."""
    assert Truth("label", faults).causes == causes


async def test_the_demo_opens_a_random_shop():
    """Its packages are listed with what was done to them, and the bot answers about the first one."""
    async with store(now=NOW, latency=0, seed=3) as running_store:
        labels = [label for label, _ in running_store.shown]
        assert len(labels) >= 7
        assert "nothing wrong" in {hint for _, hint in running_store.shown}
        assert labels[0][-4:] in await ask(running_store, f"package {labels[0]}")
