"""The store in a box: one command from nothing to an answered question."""

import asyncio
import logging
import os
import re
import signal
import socket
import sys
from datetime import UTC, datetime

import httpx
import pytest

from bot.errors import CountlastError, QuestionError
from demo import run as demo_run
from demo.run import ask, demo, store
from demo.scene import SHOWCASE
from tests.loopback import ROOT

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def logging_is_put_back():
    """The demo sets up logging for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


def label(hint: str) -> str:
    return next(label for label, told in SHOWCASE if told == hint)


@pytest.fixture
async def shop():
    async with store(now=NOW, latency=0) as running_store:
        yield running_store


SHOWN = [
    ("healthy", "duplicat", False),
    ("a sale posted twice", "was posted to METRC twice", True),
    ("on hold", "hold", False),
    ("a sale METRC refused", "refused", False),
]


@pytest.mark.parametrize(("hint", "said", "has_button"), SHOWN)
async def test_a_thread_tells_the_whole_story(shop, hint, said, has_button):
    """Parent, progress, the seven checks, what to do, the button only where there is something to remove."""
    text = await ask(shop, f"package {label(hint)}")
    parent, progress, diagnosis = re.split(r"\n\s*Countlast  .*\n", f"\n{text}")[1:4]
    assert parent.startswith(f"Package …{label(hint)[-4:]} at Harbor Street, asked by @Dana Orrin")
    assert re.search(r"Done in \d", progress)
    for check in ("Authentication", "Mapping", "Timing", "Duplication", "Custody", "Definition", "Count"):
        assert f"· {check}" in diagnosis
    assert said in diagnosis.lower() or said in diagnosis
    assert "Do: " in diagnosis
    assert ("[ Remove duplicate… ]" in text) is has_button
    assert re.search(r"\(acknowledged in \d+ ms\)$", text)


async def test_help_and_bad_grammar_are_told_to_the_asker_alone(shop):
    """Nothing is posted to the channel."""
    before = len(shop.slack.messages())
    text = await ask(shop, "help")
    assert text.startswith("(only visible to you) ")
    assert "/reconcile package 1A4FF0100000022000001002" in text
    assert (await ask(shop, "package")).startswith("(only visible to you) ")
    assert len(shop.slack.messages()) == before


async def test_another_command_is_answered_with_the_right_one(shop):
    """The bot does not fail on a command that is not its own."""
    assert "/reconcile" in await ask(shop, "anything", "/recon")


async def test_the_page_offers_every_label_of_the_showcase(shop):
    """Whoever opens it finds what to try."""
    async with httpx.AsyncClient() as client:
        page = await client.get(f"{shop.page}/")
    assert page.status_code == 200
    assert [text for text, _ in shop.slack.suggestions] == [f"package {label}" for label, _ in SHOWCASE]


async def test_an_answer_that_never_comes_is_told(shop, monkeypatch):
    """The terminal does not wait for ever."""
    shop.world.slow(0.3)
    monkeypatch.setattr(demo_run, "ANSWER_SECONDS", 0.05)
    with pytest.raises(CountlastError, match="did not answer within"):
        await ask(shop, f"package {label('healthy')}")
    shop.world.recover()


async def test_one_command_prints_its_thread_and_ends(capsys):
    """``--exec`` leaves nothing running, and no folder behind."""
    await demo(port=0, execute=f"/reconcile package {label('a sale posted twice')}")
    out = capsys.readouterr().out
    assert out.startswith("Countlast  ")
    assert "was posted to METRC twice" in out


async def test_the_bare_command_prints_the_form_that_it_opens(capsys):
    """Nothing is silent: where Slack opens a form, the terminal shows it."""
    await demo(port=0, execute="/reconcile")
    out = capsys.readouterr().out
    assert "(a form, open before you)" in out
    assert "[ Ask ]" in out


@pytest.mark.parametrize("line", ["", "reconcile package X", "/", " / package"])
async def test_what_is_no_slash_command_is_refused(line):
    """Before anything is started."""
    with pytest.raises(QuestionError, match="accepted: a slash command"):
        await demo(port=0, execute=line)


async def test_a_port_that_is_taken_is_told():
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(QuestionError, match=f"^port {port} is taken; name another one with --port"):
            await demo(port=port, execute=None)


async def started() -> asyncio.subprocess.Process:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--port", "0", env=env, stdout=-1, stderr=-1
    )


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_until_it_is_told_to_stop(name):
    """It prints the thread, every label, and the page's address; then it can be looked at, and ends with status 0."""
    program = await started()
    async with asyncio.timeout(30):
        told = b""
        while b"The workspace page" not in told:
            line = await program.stdout.readline()
            assert line, (await program.communicate())[1].decode()
            told += line
    text = told.decode()
    assert "was posted to METRC twice" in text
    assert all(f"  {label}  {hint}\n" in text for label, hint in SHOWCASE)
    page = re.search(r"The workspace page: (http://127\.0\.0\.1:\d+/)", text)[1]
    async with httpx.AsyncClient() as client:
        assert (await client.get(page)).status_code == 200
    program.send_signal(name)
    async with asyncio.timeout(8):
        out, err = await program.communicate()
    assert (program.returncode, out, err) == (0, b"", b"")
