"""Who asks more than they may is told at the door, and everything else passes it."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from bot.settings import Settings
from handlers.door import Door
from handlers.thread import Command

FIRST = {
    "command": "/reconcile",
    "text": "package 1A4FF0100000022000001002",
    "user_id": "U0DANA",
    "team_id": "T0DEMO",
    "trigger_id": "1.1",
}
FIELDS = FIRST | {"trigger_id": "1.2"}


@pytest.fixture
def door():
    """One question a minute, and Dana has asked it."""
    door = Door(replace(Settings(facilities=()), questions_per_minute=1))
    assert door.refusal_of(urlencode(FIRST).encode()) is None
    return door


def test_one_too_many_is_refused_over_http_and_over_a_socket(door):
    """In the same words, to nobody but the asker."""
    refusal = door.refusal(Command.of(FIELDS))
    assert refusal["response_type"] == "ephemeral"
    assert "more than 1 question" in refusal["text"]
    assert door.refusal_of(urlencode(FIELDS).encode()) == refusal


def test_the_same_delivery_passes_however_often_it_is_looked_at(door):
    """It is looked at as a request and as a command, and Slack may repeat it."""
    assert [door.refusal(Command.of(FIRST)) for _ in range(10)] == [None] * 10
    assert door.refusal_of(urlencode(FIRST).encode()) is None


@pytest.mark.parametrize(
    "change",
    [{"text": "help"}, {"text": "status"}, {"text": ""}, {"user_id": "U0LEE"}, {"command": "/other"}],
    ids=str,
)
def test_what_is_no_question_of_this_person_passes(door, change):
    """Help, status, the form, another person, another app's command."""
    assert door.refusal_of(urlencode(FIELDS | change).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"command=\xff\xfe", b"command=%FF&text=%00", b"&".join([b"command=/reconcile"] * 200)]
)
def test_what_cannot_be_read_is_left_to_whoever_reads_it_in_full(door, body):
    """No exception, no answer."""
    assert door.refusal_of(body) is None
