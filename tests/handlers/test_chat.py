"""Sending: once, in order, and as slowly as Slack wants."""

import asyncio

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ChatError
from handlers.chat import Chat, ProgressMessage, retry_after
from handlers.metrics import Metrics
from handlers.render.help import render_sentence
from handlers.thread import Command, Thread


def chat_to(url, sleep=asyncio.sleep):
    return Chat(AsyncWebClient(token="xoxb-1", base_url=url, retry_handlers=[]), Metrics(), sleep=sleep)


class Sleeps(list):
    async def __call__(self, seconds):
        self.append(seconds)


async def test_the_wait_slack_asks_for_is_kept_and_nothing_overtakes(slack):
    """While the first message waits, the second of the same channel waits behind it; another channel goes on."""
    released, waits = asyncio.Event(), []

    async def sleep(seconds):
        waits.append(seconds)
        await released.wait()

    chat = chat_to(slack.api, sleep)
    slack.limits["chat.postMessage"].append(7)
    first = asyncio.create_task(chat.post("C1", render_sentence("first")))
    while not waits:  # noqa: ASYNC110 - until the first one waits
        await asyncio.sleep(0)
    second = asyncio.create_task(chat.post("C1", render_sentence("second")))
    await chat.post("C2", render_sentence("elsewhere"))
    released.set()
    await asyncio.gather(first, second)
    assert waits == [7]
    assert [post["text"] for post in slack.posts()] == ["elsewhere", "first", "second"]


async def test_a_limit_that_never_ends_becomes_an_error(slack):
    """After five waits the message is given up, by name."""
    sleeps = Sleeps()
    slack.limits["chat.postMessage"].extend([1] * 9)
    with pytest.raises(ChatError) as caught:
        await chat_to(slack.api, sleeps).post("C1", render_sentence("x"))
    assert caught.value.code == "ratelimited"
    assert sleeps == [1] * 5


async def test_a_broken_connection_is_not_tried_again(slack, unused_tcp_port):
    """Nobody can tell whether the message arrived, so it is not sent twice."""
    chat = chat_to(f"http://127.0.0.1:{unused_tcp_port}/api/")
    with pytest.raises(ChatError) as caught:
        await chat.post("C1", render_sentence("x"))
    assert caught.value.code == "unreachable"
    with pytest.raises(ChatError) as caught:
        await chat.whisper(f"http://127.0.0.1:{unused_tcp_port}/r", render_sentence("x"))
    assert caught.value.code == "unreachable"


async def test_a_connection_cut_after_sending_posts_once():
    """A server that takes the message and hangs up gets it exactly once: nobody can look, so nothing is repeated."""
    taken = []

    async def hang_up(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        taken.append(request.split(b" ", 2)[1].rpartition(b"/")[2].partition(b"?")[0])
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ChatError):
            await chat_to(f"http://127.0.0.1:{port}/api/").post("C1", render_sentence("x"))
        with pytest.raises(ChatError):
            await chat_to(f"http://127.0.0.1:{port}/api/").whisper(f"http://127.0.0.1:{port}/r", render_sentence("x"))
    # looking changes nothing, so it may be tried again
    assert [what for what in taken if what != b"conversations.history"] == [b"chat.postMessage", b"r"]


async def test_a_lost_answer_is_looked_for_and_nothing_is_posted_twice(slack):
    """The message is found by its key, in a channel and in a thread."""
    slack.lost["chat.postMessage"] = 2
    chat = chat_to(slack.api)
    parent = await chat.post("C1", render_sentence("parent"))
    reply = await chat.post("C1", render_sentence("reply"), thread=parent.ts)
    assert [(post["ts"], post["text"]) for post in slack.posts()] == [(parent.ts, "parent"), (reply.ts, "reply")]


async def test_a_message_that_did_not_arrive_is_posted_once_more(slack):
    """Slack failed before it took it; looking shows that it is not there."""
    slack.errors["chat.postMessage"].append("internal_error")
    await chat_to(slack.api).post("C1", render_sentence("x"), key="k")
    keys = [post["metadata"]["event_payload"]["key"] for post in slack.posts()]
    # the first one was refused by the stand-in, so only the second is a message
    assert keys == ["k", "k"]
    assert "ts" not in slack.posts()[0]


async def test_where_nobody_can_look_a_lost_answer_is_an_error(slack):
    """Without the scope for it the message is missed rather than doubled."""
    slack.missing.add("conversations.history")
    slack.lost["chat.postMessage"] = 1
    with pytest.raises(ChatError):
        await chat_to(slack.api).post("C1", render_sentence("x"))
    assert len(slack.posts()) == 1


async def test_a_channel_gets_a_short_burst_and_then_a_message_a_second(slack):
    """Another channel has its own pace."""
    sleeps = Sleeps()
    chat = chat_to(slack.api, sleeps)
    for number in range(8):
        await chat.post("C1", render_sentence(str(number)))
    await chat.post("C2", render_sentence("elsewhere"))
    assert [round(seconds) for seconds in sleeps] == [1, 2]


async def test_a_file_comes_in_three_steps(slack):
    """Slack's words for where to put it, the bytes, and the place that shows it."""
    await chat_to(slack.api).upload("C1", "1.2", "all.csv", b"a,b", title="All", alt="A list")
    assert slack.uploads == [b"a,b"]
    (shown,) = slack.files
    assert (shown["channel_id"], shown["thread_ts"], shown["files"]) == (
        "C1",
        "1.2",
        [{"id": "F0FILE", "title": "All"}],
    )


async def test_a_message_that_is_too_long_becomes_several_in_its_thread(slack):
    """Nothing is lost, and the first one carries the thread."""
    lines = [f"line {number} " + "x" * 90 for number in range(200)]
    await chat_to(slack.api).post("C1", render_sentence("\n".join(lines)))
    first, *rest = slack.posts()
    assert rest
    assert {post["thread_ts"] for post in rest} == {first["ts"]}
    shown = [block["text"]["text"] for post in slack.posts() for block in post["blocks"]]
    assert "\n".join(shown).split("\n") == lines


async def test_a_refused_whisper_is_an_error(slack):
    """An expired address is noticed; Slack's own client would say nothing."""
    slack.whisper_statuses.append(404)
    with pytest.raises(ChatError) as caught:
        await chat_to(slack.api).whisper(slack.response_url, render_sentence("x"))
    assert caught.value.code == "expired_url"


async def test_a_whisper_waits_its_turn(slack):
    """429 is honoured for private answers too."""
    sleeps = Sleeps()
    slack.whisper_statuses.append(429)
    await chat_to(slack.api, sleeps).whisper(slack.response_url, render_sentence("x"))
    assert sleeps == [1.0]
    assert len(slack.whispers) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 1),
        ({"Retry-After": "3"}, 3),
        ({"retry-after": ["4"]}, 4),
        ({"Retry-After": "900"}, 60),
        ({"Retry-After": "x"}, 1),
    ],
)
def test_a_wait_is_what_slack_says_up_to_a_minute(headers, seconds):
    """A missing or senseless header is a second."""
    assert retry_after(headers) == seconds


async def test_quick_stages_become_one_edit():
    """The newest wins, and the next edit comes no earlier than the pause allows."""
    edits, sleeps, go = [], [], asyncio.Event()

    async def edit(sentence):
        edits.append(sentence)

    async def sleep(seconds):
        sleeps.append(seconds)
        await go.wait()

    async with ProgressMessage(edit, sleep=sleep) as progress:
        await progress.stage("one")
        await asyncio.sleep(0)
        for sentence in ("two", "three", "four"):
            await progress.stage(sentence)
        await asyncio.sleep(0)
        go.set()
        for _ in range(5):
            await asyncio.sleep(0)
    assert edits == ["one", "four"]
    assert sleeps == [1.0, 1.0]


async def test_an_edit_on_its_way_is_let_through_before_the_last_one():
    """Or it could land on top of "Done"."""
    order, sent, may_end = [], asyncio.Event(), asyncio.Event()

    async def edit(sentence):
        sent.set()
        await may_end.wait()
        order.append(sentence)

    async def work():
        async with ProgressMessage(edit) as progress:
            await progress.stage("slow")
            await sent.wait()
        order.append("left")

    task = asyncio.create_task(work())
    await sent.wait()
    may_end.set()
    await task
    assert order == ["slow", "left"]


async def test_a_refused_edit_does_not_stop_the_work():
    """Progress is a courtesy."""

    async def edit(_):
        raise ChatError("no", code="message_not_found")

    async with ProgressMessage(edit) as progress:
        await progress.stage("one")
        await asyncio.sleep(0)


async def test_a_delivery_without_an_address_is_logged_not_crashed(slack, caplog):
    """Nothing can be whispered, and the log says so."""
    thread = Thread(chat_to(slack.api), Command.of({"text": "help"}))
    await thread.whisper("x")
    assert "names no address" in caplog.text
