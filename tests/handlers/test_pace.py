"""How many questions one person may ask in a minute."""

from handlers.pace import Pace


def test_a_minute_passes_for_each_question_by_itself():
    """Two in a minute: the third must wait until the first one is a minute old."""
    now = 0.0
    pace = Pace(2, lambda: now)
    assert pace.allows("dana")
    now = 30.0
    assert pace.allows("dana")
    assert not pace.allows("dana")
    assert pace.is_over("dana")
    now = 60.0
    assert not pace.is_over("dana")
    assert pace.allows("dana")
    assert not pace.allows("dana")


def test_looking_counts_nothing_and_nobody_pays_for_others():
    """Whoever only looks may ask as before."""
    pace = Pace(1, lambda: 0.0)
    assert pace.allows("lee")
    for _ in range(5):
        assert not pace.is_over("dana")
    assert pace.allows("dana")


def test_whoever_has_not_asked_for_a_minute_is_forgotten():
    """Memory does not grow with all who ever asked."""
    now = 0.0
    pace = Pace(5, lambda: now)
    for number in range(100):
        assert pace.allows(f"person {number}")
    now = 120.0
    assert pace.allows("dana")
    assert len(pace._asked) == 1
