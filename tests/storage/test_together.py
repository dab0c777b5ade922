"""Writes of the same moment share a commit, and nobody pays for another."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from bot.errors import StorageError
from bot.kept_questions import KeptQuestion
from storage.together import Together

NOW = datetime(2026, 3, 3, tzinfo=UTC)


class Disk:
    """Counts commits; refuses a transaction that holds ``bad``."""

    def __init__(self):
        self.commits = []

    @asynccontextmanager
    async def writing(self):
        group = []
        yield group
        await asyncio.sleep(0)
        if "bad" in group:
            raise StorageError("no")
        self.commits.append(group)


def noting(what):
    async def write(group):
        group.append(what)
        return what

    return write


async def test_a_hundred_writes_of_one_moment_take_two_commits():
    """The first group is what came before the writer began, the second all that came meanwhile."""
    disk = Disk()
    together = Together(disk.writing)
    answers = await asyncio.gather(*(together.write(noting(number)) for number in range(100)))
    assert answers == list(range(100))
    assert len(disk.commits) <= 2
    assert sorted(number for group in disk.commits for number in group) == list(range(100))


async def test_one_that_is_refused_takes_no_other_with_it():
    """The group is written one by one then."""
    together = Together(Disk().writing)
    found = await asyncio.gather(*(together.write(noting(w)) for w in (1, "bad", 2)), return_exceptions=True)
    assert (found[0], found[2]) == (1, 2)
    assert isinstance(found[1], StorageError)


async def test_who_gives_up_waiting_stops_nobody():
    """A press that took too long is not acknowledged; the others are kept."""
    disk = Disk()
    together = Together(disk.writing)
    first = asyncio.create_task(together.write(noting(1)))
    second = asyncio.create_task(together.write(noting(2)))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 2
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_same_key_many_times_in_one_group_is_new_once(books):
    """Also inside one commit."""
    found = await asyncio.gather(*(books.ledger.first_time("k", NOW) for _ in range(20)))
    assert sorted(found) == [False] * 19 + [True]


async def test_questions_that_come_together_share_a_statement_and_each_counts_once(books):
    """Of ten deliveries of the same one is new, whether they come in one group or later."""
    questions = [KeptQuestion(f"q{number % 4}", "{}", NOW, "me") for number in range(40)]
    found = await asyncio.gather(*(books.questions.keep(question) for question in questions))
    assert (found.count(True), [found[number] for number in range(4)]) == (4, [True] * 4)
    assert not await books.questions.keep(questions[0])


async def test_one_question_that_cannot_be_kept_costs_no_other(books):
    """The group is written one by one then."""
    good, bad = KeptQuestion("good", "{}", NOW, "me"), KeptQuestion("bad", "{}", NOW, None)
    found = await asyncio.gather(books.questions.keep(bad), books.questions.keep(good), return_exceptions=True)
    assert isinstance(found[0], StorageError)
    assert found[1] is True
