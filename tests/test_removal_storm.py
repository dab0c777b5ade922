"""Removals when everything goes wrong: any order of troubles, and processes killed at every step."""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest

from bot import removals
from bot.removals import State, Verdict
from tests.databases import database_url
from tests.dying import POINTS
from tests.forked import forking, without_power_cuts
from tests.killing import killed
from tests.removal_machine import run

__all__ = ["database_url"]

STORMS = 12
KILLS = int(os.environ.get("COUNTLAST_TEST_KILLS", "10"))


def test_whatever_happens_in_any_order_it_goes_once_or_not_at_all(database_url):
    """Asks, presses, redeliveries, deaths, lost answers, others in METRC: no effect twice, none without approval."""
    world = run(database_url, STORMS)
    assert world.runs >= STORMS
    assert world.deletes > 0
    assert world.ends[State.DONE] > 0


def test_the_storm_finds_a_look_that_is_left_out(tmp_path, empty_database, monkeypatch):
    """A program that does not look again before it acts is caught."""
    shutil.copy(empty_database, tmp_path / "countlast.db")
    monkeypatch.setattr(removals, "judge", lambda *_: (Verdict.GO, ()))
    with pytest.raises(AssertionError):
        run(f"sqlite+aiosqlite:///{tmp_path}/countlast.db", 300, seed_free=True)


@pytest.fixture(scope="module")
def small_parent():
    """A process that holds little, and so is forked in little time."""
    with ProcessPoolExecutor(1, forking(), without_power_cuts) as pool:
        yield pool


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_anywhere_leaves_nothing_undone_and_nothing_done_twice(
    point, database_url, tmp_path, small_parent
):
    """One effect in the end, within two leases; only a press that was never acknowledged may have to be made again."""
    assert small_parent.submit(killed, database_url, tmp_path, [point], KILLS).result() == KILLS
