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
    now = 60.0
    assert pace.allows("dana")
    assert not pace.allows("dana")


def test_a_repeat_counts_once_and_nobody_pays_for_others():
    """Slack delivers again what was not acknowledged in time; what bears no key is always another question."""
    pace = Pace(2, lambda: 0.0)
    assert all(pace.allows("lee", "trigger 1") for _ in range(10))
    assert pace.allows("lee", "")
    assert not pace.allows("lee", "trigger 2")
    assert not pace.allows("lee", "")
    assert pace.allows("lee", "trigger 1")
    assert pace.allows("dana", "trigger 1")


def test_whoever_has_not_asked_for_a_minute_is_forgotten():
    """Memory does not grow with all who ever asked."""
    now = 0.0
    pace = Pace(5, lambda: now)
    for number in range(100):
        assert pace.allows(f"person {number}")
    now = 120.0
    assert pace.allows("dana")
    assert len(pace._asked) == 1
