"""One person's questions in a minute."""

from handlers.pace import Pace


class Timer:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_window_slides():
    """The oldest question is forgotten exactly a minute later, not before."""
    timer = Timer()
    pace = Pace(2, timer)
    assert [pace.allows("dana") for _ in range(3)] == [True, True, False]
    timer.now = 59.9
    assert not pace.allows("dana")
    timer.now = 60.0
    assert pace.allows("dana")


def test_a_refused_question_does_not_prolong_the_wait():
    """Only what was allowed counts."""
    timer = Timer()
    pace = Pace(1, timer)
    assert pace.allows("dana")
    for second in range(1, 60):
        timer.now = float(second)
        assert not pace.allows("dana")
    timer.now = 60.0
    assert pace.allows("dana")


def test_nobody_pays_for_others_and_nobody_is_kept_for_ever():
    """A thousand people ask; a minute later none of them is remembered."""
    timer = Timer()
    pace = Pace(1, timer)
    assert all(pace.allows(f"person {n}") for n in range(1000))
    timer.now = 61.0
    assert pace.allows("dana")
    assert list(pace._asked) == ["dana"]
