"""The benchmarks' own code runs, small; the figures themselves are never judged here."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import ALL, measured
from benchmarks.table import SMALL, Row, printed


@pytest.mark.parametrize("name", sorted(ALL))
async def test_a_benchmark_runs_small(name):
    """Every benchmark gives at least one row with a figure and a yardstick; a figure that counts faults may be 0."""
    rows = await measured([name], SMALL)
    assert rows
    assert all(row.figure >= 0 and row.yardstick > 0 for row in rows)


def test_the_table_names_figure_ratio_and_yardstick():
    """A reader sees what was measured and against what."""
    table = printed([Row("a thing", 3.0, "s", 1.5, "another thing")])
    assert "a thing" in table
    assert "2.00x" in table
    assert "another thing (1.500 s)" in table
