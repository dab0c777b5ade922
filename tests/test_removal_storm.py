"""Removals when everything goes wrong: any order of troubles, and processes killed at every step."""

import os
import shutil

import pytest

from benchmarks.table import SMALL
from bot import removals
from bot.removals import State, Verdict
from tests.databases import database_url
from tests.dying import POINTS
from tests.killing import killing, must_be_right
from tests.removal_machine import run

__all__ = ["database_url"]

KILLS = int(os.environ.get("COUNTLAST_TEST_KILLS", "10"))


def test_whatever_happens_in_any_order_it_goes_once_or_not_at_all(database_url):
    """Asks, presses, redeliveries, deaths, lost answers, others in METRC: no effect twice, none without approval."""
    world = run(database_url, SMALL.storms)
    assert world.runs >= SMALL.storms
    assert world.deletes > 0
    assert world.ends[State.DONE] > 0


def test_the_storm_finds_a_look_that_is_left_out(tmp_path, empty_database, monkeypatch):
    """A program that does not look again before it acts is caught."""
    shutil.copy(empty_database, tmp_path / "countlast.db")
    monkeypatch.setattr(removals, "judge", lambda *_: (Verdict.GO, ()))
    with pytest.raises(AssertionError):
        run(f"sqlite+aiosqlite:///{tmp_path}/countlast.db", 300, seed_free=True)


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_anywhere_leaves_nothing_undone_and_nothing_done_twice(point, database_url, tmp_path):
    """One effect in the end, within two leases; only a press that was never acknowledged may have to be made again."""
    with killing(database_url, tmp_path) as ground:
        for number in range(KILLS):
            intent, receipts, kept = ground.at(point, number)
            assert kept or point == "before take"
            must_be_right(intent, receipts)
