"""The real bot's Slack side over ASGI, in front of a small Slack on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier

from bot.inquiries import Inquiry, Verdict
from bot.kept_questions import KeptQuestion
from bot.model import Diagnosis, Question
from bot.settings import Settings
from bot.sweep_groups import Sweep
from handlers import Services, Work, build_bolt, register
from handlers.web import build_web
from tests.handlers import blockkit, fake_slack
from tests.handlers.values import DOUBLE_RECEIPT, LABEL, NOW, SIGNING_SECRET, SWEEP, settings


class FixedClock:
    def now(self):
        return NOW


async def at_once(_seconds):
    """Slack's pace, nearly without the waiting."""
    await asyncio.sleep(0.002)


class MemoryLedger:
    """Remembers deliveries, and the answers that were put into it."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.kept: dict[str, Diagnosis] = {}

    async def diagnosis(self, diagnosis_id):
        found = self.kept.get(diagnosis_id)
        return (found, None) if found else None

    async def first_time(self, key, now):
        if key in self.seen:
            return False
        self.seen.add(key)
        return True


class MemoryInquiries:
    """Questions and verdicts, as the database keeps them."""

    def __init__(self) -> None:
        self.all: dict[str, Inquiry] = {}
        self.joined: dict[str, list[str]] = defaultdict(list)
        self.said: dict[tuple[str, str], Verdict] = {}
        self.sweeps: dict[str, str] = {}

    async def begin(self, one):
        for other in self.all.values():
            if other.ended_at is None and other.is_same(one):
                return other
        self.all[one.id] = one
        return None

    async def get(self, inquiry_id):
        return self.all.get(inquiry_id)

    async def place(self, inquiry_id, channel, thread, progress=None):
        self.all[inquiry_id] = replace(self.all[inquiry_id], channel=channel, thread=thread, progress=progress)

    async def of_question(self, question_id):
        return tuple(one for one in self.all.values() if one.question_id == question_id)

    async def begin_again(self, inquiry_id, now):
        return self.all[inquiry_id].ended_at is None

    async def tell(self, one, owner, now, diagnosis_id=None, cause=None):
        self.all[one.id] = replace(self.all[one.id], told_at=now, diagnosis_id=diagnosis_id, cause=cause)
        return True

    async def join(self, inquiry_id, person, now):
        if person not in self.joined[inquiry_id]:
            self.joined[inquiry_id].append(person)

    async def askers(self, inquiry_id):
        return tuple(dict.fromkeys([self.all[inquiry_id].asked_by, *self.joined[inquiry_id]]))

    async def end(self, inquiry_id, now, diagnosis_id, cause):
        self.all[inquiry_id] = replace(self.all[inquiry_id], ended_at=now, diagnosis_id=diagnosis_id, cause=cause)

    async def earlier(self, one, since):
        found = [
            e for e in self.all.values() if e.diagnosis_id and e.ended_at and e.is_same(one) and e.ended_at >= since
        ]
        return found[-1] if found else None

    async def answered_by(self, diagnosis_id):
        return next((e for e in self.all.values() if e.diagnosis_id == diagnosis_id), None)

    async def recent(self, facilities, limit):
        found = [e for e in self.all.values() if e.diagnosis_id and e.ended_at and e.facility in facilities]
        return tuple(reversed(found))[:limit]

    async def judge(self, verdict):
        self.said[verdict.diagnosis_id, verdict.person] = verdict

    async def verdicts(self):
        for verdict in self.said.values():
            yield verdict

    async def keep_sweep(self, sweep_id, facility, now, body):
        self.sweeps[sweep_id] = body

    async def sweep(self, sweep_id):
        return self.sweeps.get(sweep_id)


class MemoryQuestions:
    """Questions as they came in, of one process that never dies."""

    def __init__(self) -> None:
        self.open: dict[str, KeptQuestion] = {}
        self.seen: set[str] = set()

    async def keep(self, question):
        if question.id in self.seen:
            return False
        self.seen.add(question.id)
        self.open[question.id] = question
        return True

    async def close(self, question_id, now):
        self.open.pop(question_id, None)

    async def beat(self, owner, now):
        """Nobody else looks."""

    async def orphaned(self, owner, now):
        return ()

    async def take_up(self, question, owner, now):
        return False


@dataclass
class FakeAnswer:
    """Answers with ``diagnosis`` after telling ``stages``; waits at ``gate`` first, raises ``error`` at last."""

    diagnosis: Diagnosis = DOUBLE_RECEIPT
    stages: tuple[str, ...] = ()
    error: Exception | None = None
    gate: asyncio.Event | None = None
    questions: list[Question] = field(default_factory=list)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def __call__(self, question, progress):
        self.questions.append(question)
        self.arrived.release()
        for stage in self.stages:
            await progress(stage)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.diagnosis


@dataclass
class FakeSweep:
    """Answers a sweep with ``result`` after telling a stage of its progress."""

    result: Sweep = SWEEP
    asked: list[str] = field(default_factory=list)

    async def __call__(self, license_number, progress):
        self.asked.append(license_number)
        await progress("Comparing both sides", 250, 1000)
        return self.result


@dataclass
class Bot:
    """One running bot and the Slack in front of it."""

    slack: fake_slack.FakeSlack
    settings: Settings
    answer: FakeAnswer
    services: Services
    work: Work
    app: object
    http: httpx.AsyncClient
    problems: list[str] = field(default_factory=list)
    trigger: int = 0

    async def command(self, text: str, /, *, settle: bool = True, **changes) -> httpx.Response:
        """Send a slash command; with ``settle``, wait until everything that follows has happened."""
        response = await self.deliver(urlencode(self.payload(text, **changes)))
        if settle:
            await self.settle()
        return response

    def payload(self, text: str, /, **changes) -> dict[str, str]:
        self.trigger += 1
        return {
            "command": "/reconcile",
            "text": text,
            "user_id": "U0DANA",
            "channel_id": "C0FLOOR",
            "team_id": "T0DEMO",
            "api_app_id": "A1",
            "trigger_id": f"13.{self.trigger}",
            "response_url": self.slack.response_url,
            "token": "planted-deprecated-token",
        } | changes

    async def press(self, action_id: str = "remove_duplicate", /, **changes) -> httpx.Response:
        body = {
            "type": "block_actions",
            "team": {"id": "T0DEMO"},
            "user": {"id": "U0DANA", "team_id": "T0DEMO"},
            "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0FLOOR"},
            "channel": {"id": "C0FLOOR"},
            "response_url": self.slack.response_url,
            "actions": [
                {"type": "button", "action_id": action_id, "block_id": "b", "value": "d-1:0", "action_ts": "1.5"}
            ],
        } | changes
        response = await self.deliver(urlencode({"payload": json.dumps(body)}))
        await self.settle()
        return response

    async def event(self, event: dict, /, *, settle: bool = True, event_id: str = "") -> httpx.Response:
        """Deliver an event; without an id it is a new one."""
        self.trigger += 1
        outer = {"type": "event_callback", "team_id": "T0DEMO", "event_id": event_id or f"Ev{self.trigger}"}
        body = json.dumps({**outer, "event": event})
        response = await self.deliver(body, content_type="application/json")
        # Bolt acknowledges events before their listeners run
        for _ in range(20):
            await asyncio.sleep(0)
        if settle:
            await self.settle()
        return response

    async def mention(self, text: str, /, *, event_id: str = "", **changes) -> httpx.Response:
        event = {"type": "app_mention", "user": "U0DANA", "text": f"<@U0BOT> {text}", "ts": "1700000000.000900"}
        return await self.event({**event, "channel": "C0FLOOR", **changes}, event_id=event_id)

    async def interact(self, kind: str, /, *, settle: bool = True, **fields) -> httpx.Response:
        """A shortcut, a press in a view, or a form that is sent."""
        self.trigger += 1
        body = {
            "type": kind,
            "team": {"id": "T0DEMO"},
            "user": {"id": "U0DANA", "team_id": "T0DEMO"},
            "trigger_id": f"14.{self.trigger}",
        } | fields
        response = await self.deliver(urlencode({"payload": json.dumps(body)}))
        if response.content and response.headers.get("content-type", "").startswith("application/json"):
            # a form is answered in the acknowledgement, which Slack refuses like any other view
            self.slack.faults += blockkit.ack_problems(response.json())
        if settle:
            await self.settle()
        return response

    async def submit(self, view: dict, values: dict, /, *, view_id: str = "V1", **fields) -> httpx.Response:
        """Send a form with these values, by block."""
        state = {block: {block: value} for block, value in values.items()}
        return await self.interact(
            "view_submission", view={**view, "id": view_id, "state": {"values": state}}, **fields
        )

    async def deliver(self, body: str | bytes, **headers: str | None) -> httpx.Response:
        """POST with a good signature; ``timestamp`` and ``signature`` replace or (None) leave out a header."""
        return await self.http.post("/slack/events", content=body, headers=signed(body, **headers))

    async def settle(self) -> None:
        async with asyncio.timeout(5):
            await self.work.idle()


def signed(body: str | bytes, **changes: str | None) -> dict[str, str]:
    timestamp = changes.get("timestamp") or str(int(time.time()))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=timestamp, body=body)
    headers = {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    names = {"timestamp": "X-Slack-Request-Timestamp", "signature": "X-Slack-Signature", "content_type": "Content-Type"}
    for name, value in changes.items():
        headers[names[name]] = value
    return {name: value for name, value in headers.items() if value is not None}


@pytest.fixture
async def slack():
    async with fake_slack.serving() as fake:
        yield fake
        assert fake.faults == []


@pytest.fixture
async def start(slack):
    """Makes bots, for the facilities and with the answer that are given; they are drained at the end."""
    started: list[Bot] = []

    async def _start(
        *facilities,
        answer: FakeAnswer | None = None,
        ledger=None,
        sweep=None,
        limit: int = 50,
        ending=None,
        scanned=None,
        questions=None,
        sleep=at_once,
        **changes,
    ) -> Bot:
        chosen = settings(*facilities, api_url=slack.api, **changes)
        answer = answer or FakeAnswer()
        services = Services(
            chosen,
            answer,
            ledger or MemoryLedger(),
            FixedClock(),
            sweep or FakeSweep(),
            MemoryInquiries(),
            questions or MemoryQuestions(),
            sleep=sleep,
            ending=ending,
            scanned=scanned,
        )
        app, work, problems = build_bolt(chosen), Work(limit), []
        register(app, services, work)

        async def ready():
            return tuple(problems)

        web = build_web(app, ready=ready, metrics=services.metrics, door=services.door)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://bot")
        bot = Bot(slack, chosen, answer, services, work, app, client, problems)
        started.append(bot)
        return bot

    yield _start
    for bot in started:
        await bot.work.close(grace=0)
        await bot.http.aclose()


@pytest.fixture
async def bot(start):
    """A bot for one shop that knows the answer."""
    return await start()


__all__ = ["LABEL"]
