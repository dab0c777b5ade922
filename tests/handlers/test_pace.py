"""One person's questions in a minute, and that nobody waits for somebody else's."""

import asyncio

from handlers.pace import Pace
from handlers.work import Work


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


async def test_who_floods_the_work_waits_for_himself():
    """Another person's job begins at once, however many of one person queue."""
    gate, began = asyncio.Event(), []
    work = Work(limit=50)

    async def held():
        await gate.wait()

    async def other():
        began.append("other")

    async def unheard(_):
        raise AssertionError("nothing went wrong")

    for _ in range(500):
        work.start(held, unheard, person="U0FLOOD")
    work.start(other, unheard, person="U0LEE")
    for _ in range(20):
        await asyncio.sleep(0)
    assert began == ["other"]
    gate.set()
    await work.idle()
