"""A question that was acknowledged is answered, whatever dies: by the next process, in the same thread, once."""

import asyncio
import gc
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

import httpx
import pytest

from bot.inquiries import Inquiry
from bot.kept_questions import FRESH, SILENT, KeptQuestion
from bot.model import SubjectKind
from handlers import Services, Unfinished, Work, build_bolt, register
from handlers.heard import Heard, as_body, from_body
from handlers.parse import Ask
from handlers.thread import Command
from handlers.web import build_web
from storage.books import open_books
from tests.databases import database_url
from tests.evidence import HEALTHY
from tests.handlers import fake_slack
from tests.handlers.conftest import FakeAnswer, FakeSweep, at_once, signed
from tests.handlers.values import DOUBLE_RECEIPT, LABEL, NOW, settings
from tests.removing import Clock

__all__ = ["database_url"]

POINTS = (
    "before keep",
    "after keep",
    "after begin",
    "before place",
    "after place",
    "before answer",
    "before tell",
    "after tell",
    "before end",
    "after end",
    "before close",
)


class Passing:
    """Calls out before and after each call of what is behind it."""

    def __init__(self, inner, at):
        self._inner = inner
        self._at = at

    def __getattr__(self, name):
        inner = getattr(self._inner, name)

        async def passed(*args, **kwargs):
            self._at(f"before {name}")
            found = await inner(*args, **kwargs)
            self._at(f"after {name}")
            return found

        return passed


@dataclass
class Process:
    """One of the bot's, in front of a database and a Slack that outlive it."""

    services: Services
    work: Work
    unfinished: Unfinished
    http: httpx.AsyncClient

    async def ask(self, text, **fields):
        body = urlencode(
            {
                "command": "/reconcile",
                "text": text,
                "user_id": "U0DANA",
                "channel_id": "C0FLOOR",
                "team_id": "T0DEMO",
                "trigger_id": "13.1",
            }
            | fields
        )
        return await self.http.post("/slack/events", content=body, headers=signed(body))

    async def round(self):
        await self.unfinished.questions.round()
        await self.work.idle()


@asynccontextmanager
async def process(url, slack_api, *, clock=None, at=lambda _: None, answer=None):
    books = await open_books(url)
    answer = answer or FakeAnswer()

    async def answered(question, progress):
        at("before answer")
        diagnosis = await answer(question, progress)
        await books.ledger.save(diagnosis, HEALTHY, question.asked_by)
        return diagnosis

    chosen = settings(api_url=slack_api)
    services = Services(
        chosen,
        answered,
        books.ledger,
        clock or Clock(NOW),
        FakeSweep(),
        Passing(books.inquiries, at),
        Passing(books.questions, at),
        sleep=at_once,
    )
    app, work = build_bolt(chosen), Work()
    unfinished = register(app, services, work)

    async def ready():
        return ()

    web = build_web(app, ready=ready, metrics=services.metrics)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://bot") as http:
        try:
            yield Process(services, work, unfinished, http)
        finally:
            await work.close(grace=0)
            await books.close()


# --- whatever dies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
def test_a_question_whose_process_was_killed_is_answered_once(point, database_url):
    """One thread, one answer in it; a question that was not kept was not acknowledged either."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        gc.freeze()  # it would touch, and so copy, all that the parent has imported
        try:
            asyncio.run(_first(database_url, os.read(reading, 200).decode(), point))
        finally:
            os._exit(3)  # the point was never passed
    slack = asyncio.run(_second(database_url, writing, child))
    os.close(reading)
    os.close(writing)
    kept = point != "before keep"
    assert len(answers(slack)) == kept
    assert sum("asked by" in post["text"] for post in slack.posts() if "thread_ts" not in post) == kept
    assert sum(post["text"].startswith("Working") for post in slack.posts()) == kept


async def _first(url, slack_api, point):
    def die(passed):
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    async with process(url, slack_api, at=die) as one:
        await one.round()
        assert (await one.ask(f"package {LABEL}")).status_code == 200
        await one.work.idle()


async def _second(url, writing, child):
    async with fake_slack.serving() as slack:
        os.write(writing, slack.api.encode())
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.WIFSIGNALED(status), status
        clock = Clock(NOW + SILENT)
        async with process(url, slack.api, clock=clock) as other:
            await other.round()
            clock.forward(seconds=1)
            for _ in range(2):
                await other.round()
            assert await other.services.questions.orphaned("anybody", clock.now()) == ()
        assert slack.faults == []
    return slack


def answers(slack):
    return [post for post in slack.posts() if DOUBLE_RECEIPT.headline in post["text"]]


# --- who takes it up, and when ----------------------------------------------------------------------------------------


@pytest.fixture
async def slack():
    async with fake_slack.serving() as fake:
        yield fake


COMMAND = Command(f"package {LABEL}", "U0DANA", "C0FLOOR", "T0DEMO", "13.1")


async def left_behind(url, command=COMMAND, **changes):
    """What a process that died has kept, and nothing else."""
    books = await open_books(url)
    question = KeptQuestion("q1", as_body(Heard(command)), NOW, "dead")
    assert await books.questions.keep(replace(question, **changes))
    await books.close()


async def test_of_many_processes_one_takes_a_question_up(slack, database_url):
    """All of them look at the same moment."""
    await left_behind(database_url)
    clock = Clock(NOW + SILENT + timedelta(seconds=1))
    async with (
        process(database_url, slack.api, clock=clock) as one,
        process(database_url, slack.api, clock=clock) as two,
    ):
        await asyncio.gather(*(each.round() for each in (one, two, one, two)))
    assert len(answers(slack)) == 1


async def test_a_process_that_lives_keeps_its_questions(slack, database_url):
    """However long they take; once it is silent, another one answers, and it drops its own answer when it wakes."""
    gate, clock = asyncio.Event(), Clock(NOW)
    held = process(database_url, slack.api, clock=clock, answer=FakeAnswer(gate=gate))
    async with held as slow, process(database_url, slack.api, clock=clock) as other:
        await slow.ask(f"package {LABEL}")
        await slack.until(lambda slack: len(slack.posts()) == 2)
        clock.forward(minutes=2)
        await slow.unfinished.questions.round()
        await other.round()
        assert answers(slack) == []
        clock.forward(seconds=SILENT.total_seconds() + 1)
        await other.round()
        assert len(answers(slack)) == 1
        gate.set()
        await slow.work.idle()
    assert len(answers(slack)) == 1
    assert len(slack.posts()) == len([post for post in slack.posts() if "thread_ts" in post]) + 1


async def test_one_that_is_too_old_is_answered_with_the_truth(slack, database_url):
    """The shop has moved on; nothing is looked up."""
    await left_behind(database_url)
    async with process(database_url, slack.api, clock=Clock(NOW + FRESH)) as other:
        await other.round()
        await other.round()
    (whisper,) = slack.ephemerals()
    assert "I was interrupted before I could answer" in whisper["text"]
    assert slack.posts() == []


async def test_what_killed_two_processes_is_not_tried_on_a_third(slack, database_url):
    """It was taken up once, and that one died of it as well."""
    await left_behind(database_url)
    clock = Clock(NOW + SILENT + timedelta(seconds=1))
    books = await open_books(database_url)
    (question,) = await books.questions.orphaned("second", clock.now())
    assert await books.questions.take_up(question, "second", clock.now())
    await books.close()
    async with process(database_url, slack.api, clock=clock) as third:
        await third.round()
    assert answers(slack) == []
    assert "Please ask again" in slack.ephemerals()[0]["text"]


async def test_one_that_another_version_wrote_stops_nothing(slack, database_url):
    """It is closed, and the next one is answered."""
    await left_behind(database_url, body="{}", id="q0")
    await left_behind(database_url)
    async with process(database_url, slack.api, clock=Clock(NOW + timedelta(minutes=1))) as other:
        await other.round()
        assert await other.services.questions.orphaned("anybody", NOW + timedelta(hours=1)) == ()
    assert len(answers(slack)) == 1


async def test_where_nobody_may_look_an_answer_that_may_be_there_is_not_told_again(slack, database_url):
    """The history scopes are not granted: silence would be worse, and so would a second answer."""
    await left_behind(database_url)
    books = await open_books(database_url)
    one = Inquiry("i1", "402R-X0042", SubjectKind.PACKAGE, LABEL, "U0DANA", NOW, question_id="q1")
    await books.inquiries.begin(one)
    await books.inquiries.place("i1", "C0FLOOR", "1.2")
    assert await books.inquiries.tell(one, "dead", NOW, DOUBLE_RECEIPT.id, DOUBLE_RECEIPT.cause)
    await books.close()
    slack.missing |= {"conversations.replies", "conversations.history"}
    async with process(database_url, slack.api, clock=Clock(NOW + timedelta(minutes=1))) as other:
        await other.round()
    assert ["If you see no answer here" in post["text"] for post in slack.posts()] == [True]


async def test_of_several_packages_only_those_that_were_not_answered_are_asked_again(slack, database_url):
    """Each has an answer of its own."""
    other_label = f"{LABEL[:-1]}3"
    await left_behind(database_url, replace(COMMAND, text=f"{LABEL} {other_label}"))
    books = await open_books(database_url)
    await books.inquiries.begin(
        Inquiry("i1", "402R-X0042", SubjectKind.PACKAGE, LABEL, "U0DANA", NOW, question_id="q1")
    )
    await books.inquiries.end("i1", NOW, "d-1", DOUBLE_RECEIPT.cause)
    await books.close()
    answer = FakeAnswer()
    async with process(database_url, slack.api, clock=Clock(NOW + timedelta(minutes=1)), answer=answer) as heir:
        await heir.round()
    assert [question.subject.value for question in answer.questions] == [other_label]


def test_what_is_kept_comes_back_whole():
    """But for the trigger, which nobody could use any more."""
    command = replace(
        COMMAND, shelf=Decimal("3.50"), place="402R-X0042", thread="1.2", response_url="https://x", trigger="t"
    )
    heard = Heard(command, (Ask(LABEL, "Hill", SubjectKind.RECEIPT, ("a", "b"), 2, "code"),), "d-1")
    assert from_body(as_body(heard)) == replace(heard, command=replace(command, trigger=""))
    assert [from_body(body) for body in ("", "[]", "{}", "nothing", as_body(heard)[:-9])] == [None] * 5
