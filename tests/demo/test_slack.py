import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo import blockkit
from demo.serving import running
from demo.slack import Shortcut, SlackStandIn
from demo.slack_delivery import Courier, Parcel, signature
from demo.slack_socket import SocketHub
from demo.slack_text import flattened

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "xoxb-demo"
START = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)


class Hands:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class EchoBot:
    """Keeps what it was sent and answers what it was told to."""

    answer: Response = field(default_factory=Response)
    bodies: list[bytes] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def endpoint(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.requests.append(request)
        return self.answer

    @property
    def asgi(self) -> Starlette:
        return Starlette(routes=[Route("/slack/events", self.endpoint, methods=["POST"])])

    @property
    def form(self) -> dict[str, str]:
        parsed = parse_qs(self.bodies[-1].decode(), keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @property
    def payload(self) -> dict:
        return json.loads(self.form["payload"])


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def bot():
    return EchoBot()


@pytest.fixture
def slack(clock):
    return SlackStandIn(
        signing_secret=SECRET,
        bot_token=TOKEN,
        clock=clock,
        suggestions=[("/reconcile package 1A4FF01", "a sale posted twice")],
        shortcuts=[Shortcut("reconcile_global", "Reconcile a package")],
    )


@asynccontextmanager
async def connected(slack: SlackStandIn, bot: EchoBot) -> AsyncIterator[str]:
    async with running(bot.asgi) as bot_url, slack.serving() as base_url:
        slack.app_url = f"{bot_url}/slack/events"
        yield base_url


@pytest.fixture
async def base(slack, bot):
    async with connected(slack, bot) as base_url:
        yield base_url


@pytest.fixture
def web(base):
    return AsyncWebClient(token=TOKEN, base_url=f"{base}/api/")


def section(text="Hello"):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**more):
    return {"type": "button", "action_id": "remove", "text": {"type": "plain_text", "text": "Remove…"}, **more}


def card():
    confirm = {
        "title": {"type": "plain_text", "text": "Remove?"},
        "text": {"type": "mrkdwn", "text": "This voids receipt 880102."},
        "confirm": {"type": "plain_text", "text": "Remove record"},
        "deny": {"type": "plain_text", "text": "Keep it"},
    }
    return [section(), {"type": "actions", "elements": [button(value="intent-1", style="danger", confirm=confirm)]}]


def modal(**more):
    label = {"type": "plain_text", "text": "Label"}
    entry = {"type": "plain_text_input", "action_id": "label"}
    return {
        "type": "modal",
        "callback_id": "lookup",
        "title": {"type": "plain_text", "text": "Look up"},
        "submit": {"type": "plain_text", "text": "Ask"},
        "blocks": [{"type": "input", "block_id": "asked", "label": label, "element": entry}],
        **more,
    }


async def refusal(call) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response["error"]


# --- signing ---


def test_signature_is_the_one_slack_publishes():
    """Slack's own example request gets Slack's own example signature."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    wanted = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert signature(SECRET, "1531420618", body) == wanted


# --- commands ---


async def test_a_command_arrives_signed_with_the_fields_of_slack(slack, bot, base):
    """A slash command reaches the bot as a signed form with a fresh trigger and a response URL."""
    result = await slack.command("package 1A4FF01", user="U0LEE")
    request = bot.requests[-1]
    assert (result.status, result.body) == (200, "")
    assert SignatureVerifier(SECRET).is_valid_request(bot.bodies[-1], dict(request.headers))
    assert bot.form["response_url"].startswith(f"{base}/hooks/commands/T0DEMO/")
    assert {
        name: bot.form[name] for name in ("command", "text", "user_id", "channel_id", "channel_name", "team_id")
    } == {
        "command": "/reconcile",
        "text": "package 1A4FF01",
        "user_id": "U0LEE",
        "channel_id": "C0FLOOR",
        "channel_name": "floor",
        "team_id": "T0DEMO",
    }
    first = bot.form["trigger_id"]
    await slack.command("help")
    assert bot.form["trigger_id"] != first


async def test_typed_text_is_escaped_and_names_become_ids(slack, bot, base):
    """The three special characters arrive escaped, a known name arrives as its id, an unknown one as typed."""
    await slack.command("product A & B <x> for @lee in #ops, @nobody")
    assert bot.form["text"] == "product A &amp; B &lt;x&gt; for <@U0LEE|lee> in <#C0OPS|ops>, @nobody"


@pytest.mark.parametrize(
    "answer", [Response("Usage: package LABEL"), JSONResponse({"text": "Usage: package LABEL"})], ids=["plain", "json"]
)
async def test_an_ack_with_a_body_is_shown_to_the_asker_alone(slack, bot, base, answer):
    """The body of an ack becomes an ephemeral message."""
    bot.answer = answer
    await slack.command("help")
    assert [message.text for message in slack.ephemerals("U0DANA")] == ["Usage: package LABEL"]
    assert slack.ephemerals("U0LEE") == []
    assert slack.messages("C0FLOOR") == []


async def test_a_failing_bot_is_shown_as_a_failed_command(slack, bot, base):
    """An HTTP error is not an ack, and the asker is told."""
    bot.answer = Response("no", status_code=500)
    result = await slack.command("help")
    assert (result.status, result.acked) == (500, False)
    assert "dispatch_failed" in slack.ephemerals("U0DANA")[-1].text


async def test_a_silent_bot_times_out_after_three_seconds(slack, base, monkeypatch):
    """No answer within the limit is Slack's operation_timeout."""
    monkeypatch.setattr("demo.slack_delivery.ACK_SECONDS", 0.05)
    stuck = asyncio.Event()

    async def never(_request: Request) -> Response:
        await stuck.wait()
        return Response()

    async with running(Starlette(routes=[Route("/", never, methods=["POST"])])) as url:
        slack.app_url = url
        result = await slack.command("help")
        stuck.set()
    assert (result.status, result.body) == (504, "operation_timeout")
    assert "operation_timeout" in slack.ephemerals("U0DANA")[-1].text


async def test_a_bot_that_is_not_there_fails_the_command(slack, base):
    """A refused connection is a failed command, not an exception."""
    with socket.socket() as held:
        # bound and not listened on, so that nobody else can answer there
        held.bind(("127.0.0.1", 0))
        slack.app_url = f"http://127.0.0.1:{held.getsockname()[1]}/slack/events"
        assert (await slack.command("help")).status == 502


# --- posting ---


async def test_posting_threads_and_editing(slack, web):
    """A parent, a reply and an edited progress message stand in one thread, each with a ts of its own."""
    parent = await web.chat_postMessage(channel="C0FLOOR", text="Package 1A4")
    reply = await web.chat_postMessage(channel="C0FLOOR", text="Reading…", thread_ts=parent["ts"])
    await web.chat_update(channel="C0FLOOR", ts=reply["ts"], text="Done", blocks=[section("Done")])
    thread = slack.thread("C0FLOOR", parent["ts"])
    assert [(one.text, one.is_reply, one.edited) for one in thread] == [
        ("Package 1A4", False, False),
        ("Done", True, False),
    ]
    assert parent["ts"] == "1772500200.000000"
    assert reply["ts"] == "1772500200.000100"


async def test_text_without_blocks_removes_the_blocks(slack, web):
    """An update with text alone drops the blocks and counts as edited, as Slack does it."""
    posted = await web.chat_postMessage(channel="C0FLOOR", text="Card", blocks=card())
    await web.chat_update(channel="C0FLOOR", ts=posted["ts"], text="Removed")
    message = slack.messages("C0FLOOR")[0]
    assert (message.blocks, message.edited) == ((), True)


async def test_metadata_is_kept_by_an_update_and_told_only_when_asked_for(slack, web):
    """An update without metadata keeps it; history shows its payload only with include_all_metadata."""
    metadata = {"event_type": "run", "event_payload": {"id": "7"}}
    posted = await web.chat_postMessage(channel="C0FLOOR", text="Card", metadata=metadata)
    await web.chat_update(channel="C0FLOOR", ts=posted["ts"], text="Card 2")
    shy = await web.conversations_history(channel="C0FLOOR")
    full = await web.conversations_replies(channel="C0FLOOR", ts=posted["ts"], include_all_metadata=True)
    assert shy["messages"][0]["metadata"] == {"event_type": "run"}
    assert full["messages"][0]["metadata"] == metadata


async def test_form_encoded_requests_are_understood(slack, base):
    """Blocks may come as JSON text in a form, the token as a field."""
    form = {"token": TOKEN, "channel": "C0FLOOR", "text": "x", "blocks": json.dumps(card())}
    async with httpx.AsyncClient() as client:
        answer = (await client.post(f"{base}/api/chat.postMessage", data=form)).json()
    assert answer["ok"]
    assert len(slack.messages("C0FLOOR")[0].blocks) == 2


async def test_missing_ids_are_filled_in_as_slack_does(slack, web):
    """Every block gets an id of its own."""
    await web.chat_postMessage(channel="C0FLOOR", text="x", blocks=[section(), section()])
    ids = [block["block_id"] for block in slack.messages("C0FLOOR")[0].blocks]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0FLOOR"}, "no_text"),
        ("chat.postMessage", {"channel": "C0FLOOR", "text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": "C0FLOOR", "text": "x", "blocks": [{"type": "hedaer"}]}, "invalid_blocks"),
        (
            "chat.postMessage",
            {"channel": "C0FLOOR", "text": "x", "blocks": [section("y" * 2700)] * 5},
            "msg_blocks_too_long",
        ),
        ("chat.postMessage", {"channel": "C0FLOOR", "text": "x", "thread_ts": 1772500200.0}, "invalid_thread_ts"),
        (
            "chat.postMessage",
            {"channel": "C0FLOOR", "text": "x", "thread_ts": "1772500200.000900"},
            "message_not_found",
        ),
        ("chat.postMessage", {"channel": "C0FLOOR", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
        ("chat.update", {"channel": "C0FLOOR", "ts": "1.1", "text": "x"}, "message_not_found"),
        ("chat.delete", {"channel": "C0FLOOR", "ts": "1.1"}, "message_not_found"),
        ("chat.postEphemeral", {"channel": "C0OPS", "user": "U0SAM", "text": "x"}, "user_not_in_channel"),
        ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
        ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
        ("views.open", {"trigger_id": "1.2.3", "view": modal()}, "invalid_trigger_id"),
        ("views.update", {"view_id": "V0", "view": modal()}, "not_found"),
        ("views.open", {"trigger_id": "1.2.3", "view": {"type": "modal"}}, "invalid_arguments"),
        ("chat.shout", {}, "unknown_method"),
        ("apps.connections.open", {}, "not_allowed_token_type"),
    ],
)
async def test_refusals_have_the_names_slack_gives_them(web, method, arguments, error):
    """What Slack would refuse is refused by the same name."""
    assert await refusal(web.api_call(method, json=arguments)) == error


async def test_invalid_blocks_say_where(web):
    """The refusal of blocks names the place as a JSON pointer."""
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel="C0FLOOR", text="x", blocks=[section("")])
    told = caught.value.response["response_metadata"]["messages"]
    assert told == ["[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"]


async def test_only_the_author_may_edit(slack, web):
    """A person's message cannot be changed or deleted by the bot, and an ephemeral one is not there to be found."""
    said = slack.say("hello")
    whisper = await web.chat_postEphemeral(channel="C0FLOOR", user="U0DANA", text="psst")
    assert await refusal(web.chat_update(channel="C0FLOOR", ts=said.ts, text="x")) == "cant_update_message"
    assert await refusal(web.chat_delete(channel="C0FLOOR", ts=said.ts)) == "cant_delete_message"
    assert await refusal(web.chat_update(channel="C0FLOOR", ts=whisper["message_ts"], text="x")) == "message_not_found"


async def test_a_reply_cannot_be_a_parent(web):
    """The ts of a reply is refused as thread_ts."""
    parent = await web.chat_postMessage(channel="C0FLOOR", text="a")
    reply = await web.chat_postMessage(channel="C0FLOOR", text="b", thread_ts=parent["ts"])
    lost = web.chat_postMessage(channel="C0FLOOR", text="c", thread_ts=reply["ts"])
    assert await refusal(lost) == "cannot_reply_to_message"


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-other", "invalid_auth")])
async def test_the_token_is_checked(base, token, error):
    """No token and a wrong token are told apart."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient() as client:
        answer = (await client.post(f"{base}/api/auth.test", headers=headers)).json()
    assert answer == {"ok": False, "error": error}


async def test_people_and_groups_can_change(slack, web):
    """A guest is told as restricted, and somebody deleted leaves the group's list."""
    assert (await web.users_info(user="U0SAM"))["user"]["is_restricted"] is True
    slack.workspace.change_user("U0LEE", is_deleted=True)
    assert (await web.usergroups_users_list(usergroup="S0MANAGERS"))["users"] == ["U0DANA"]
    assert (await web.users_info(user="U0LEE"))["user"]["deleted"] is True


async def test_permalinks_lead_back_to_the_page(slack, web, base):
    """The permalink of a reply is an address that this workspace serves."""
    parent = await web.chat_postMessage(channel="C0FLOOR", text="a")
    reply = await web.chat_postMessage(channel="C0FLOOR", text="b", thread_ts=parent["ts"])
    link = (await web.chat_getPermalink(channel="C0FLOOR", message_ts=reply["ts"]))["permalink"]
    assert link == f"{base}/archives/C0FLOOR/p1772500200000100?thread_ts={parent['ts']}&cid=C0FLOOR"
    async with httpx.AsyncClient() as client:
        assert (await client.get(link)).status_code == 200


# --- faults ---


async def test_rate_limits_strike_the_next_calls_only(slack, base):
    """A limited call answers 429 with Retry-After and does nothing; the one after it works."""
    slack.faults.rate_limit(1, retry_after=7, method="chat.postMessage")
    form = {"token": TOKEN, "channel": "C0FLOOR", "text": "x"}
    async with httpx.AsyncClient() as client:
        other = await client.post(f"{base}/api/auth.test", data=form)
        limited = await client.post(f"{base}/api/chat.postMessage", data=form)
        assert slack.messages("C0FLOOR") == []
        after = await client.post(f"{base}/api/chat.postMessage", data=form)
    assert (limited.status_code, limited.headers["retry-after"], limited.json()["error"]) == (429, "7", "ratelimited")
    assert other.json()["ok"]
    assert after.json()["ok"]


async def test_a_lost_answer_has_done_its_work(slack, base):
    """With a lost answer the message stands, though the caller saw a server fault."""
    slack.faults.lose_answers(method="chat.postMessage")
    form = {"token": TOKEN, "channel": "C0FLOOR", "text": "x"}
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{base}/api/chat.postMessage", data=form)).status_code == 500
    assert len(slack.messages("C0FLOOR")) == 1


async def test_the_bot_can_be_put_out_of_a_channel(slack, web):
    """The switch turns posting into not_in_channel, and any error can be asked for by name."""
    slack.faults.not_in_channel.add("C0FLOOR")
    assert await refusal(web.chat_postMessage(channel="C0FLOOR", text="x")) == "not_in_channel"
    slack.faults.refuse("token_revoked")
    assert await refusal(web.auth_test()) == "token_revoked"


# --- response URLs ---


async def respond(url, **body) -> tuple[int, str]:
    async with httpx.AsyncClient() as client:
        answer = await client.post(url, json=body)
        return answer.status_code, answer.text


async def test_a_response_url_works_five_times(slack, bot, base):
    """The fifth use is the last."""
    await slack.command("help")
    url = bot.form["response_url"]
    answers = [await respond(url, text=f"{turn}") for turn in range(6)]
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert [message.text for message in slack.ephemerals("U0DANA")] == ["0", "1", "2", "3", "4"]


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(("seconds", "wanted"), [(1800, (200, "ok")), (1801, (404, "expired_url"))])
async def test_a_response_url_lives_thirty_minutes(slack, bot, clock, seconds, wanted):
    """At thirty minutes it still works, a second later it does not."""
    await slack.command("help")
    clock.now += timedelta(seconds=seconds)
    assert await respond(bot.form["response_url"], text="late") == wanted


async def test_a_response_can_replace_or_delete_an_ephemeral_card(slack, bot, base):
    """The response URL of a press changes the very message that was pressed, also an ephemeral one."""
    bot.answer = JSONResponse({"text": "card", "blocks": card()})
    await slack.command("help")
    bot.answer = Response()
    shown = slack.ephemerals("U0DANA")[0]
    await slack.press(shown.ts, "remove")
    assert "message" not in bot.payload
    assert bot.payload["container"]["is_ephemeral"] is True
    url = bot.payload["response_url"]
    assert await respond(url, text="settled", replace_original=True) == (200, "ok")
    assert [(one.ts, one.text) for one in slack.ephemerals("U0DANA")] == [(shown.ts, "settled")]
    assert await respond(url, delete_original=True) == (200, "ok")
    assert slack.ephemerals("U0DANA") == []


async def test_a_response_with_blocks_slack_would_refuse_is_refused(slack, bot, base):
    """The validator guards response URLs too."""
    await slack.command("help")
    assert await respond(bot.form["response_url"], blocks=[{"type": "header"}]) == (400, "invalid_blocks")


# --- presses ---


async def test_a_press_tells_who_pressed_what_where(slack, bot, web):
    """The payload of a press carries the container, the message, the action and a response URL."""
    parent = await web.chat_postMessage(channel="C0FLOOR", text="a")
    posted = await web.chat_postMessage(channel="C0FLOOR", text="card", blocks=card(), thread_ts=parent["ts"])
    result = await slack.press(posted["ts"], "remove", "U0LEE")
    payload = bot.payload
    assert result.acked
    assert payload["type"] == "block_actions"
    assert payload["user"] == {"id": "U0LEE", "username": "lee", "name": "lee", "team_id": "T0DEMO"}
    assert payload["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C0FLOOR",
        "is_ephemeral": False,
        "thread_ts": parent["ts"],
    }
    action = payload["actions"][0]
    assert (action["action_id"], action["value"], action["type"]) == ("remove", "intent-1", "button")
    assert payload["message"]["blocks"][1]["block_id"] == action["block_id"]
    assert SignatureVerifier(SECRET).is_valid_request(bot.bodies[-1], dict(bot.requests[-1].headers))


async def test_what_is_not_there_cannot_be_pressed_but_a_stale_view_can(slack, bot, web):
    """A button that is gone cannot be pressed, unless the presser's client still shows the old card."""
    posted = await web.chat_postMessage(channel="C0FLOOR", text="card", blocks=card())
    before = slack.messages("C0FLOOR")[0]
    await web.chat_update(channel="C0FLOOR", ts=posted["ts"], text="done", blocks=[section("done")])
    with pytest.raises(LookupError, match="remove"):
        await slack.press(posted["ts"], "remove")
    assert (await slack.press(posted["ts"], "remove", as_seen=before)).acked
    assert bot.payload["actions"][0]["value"] == "intent-1"


async def test_a_choice_is_in_the_action_and_in_the_state(slack, bot, web):
    """Choosing from a menu tells the whole option, twice, and an option that is not offered cannot be chosen."""
    options = [{"text": {"type": "plain_text", "text": word}, "value": word} for word in ("1h", "8h")]
    menu = {"type": "static_select", "action_id": "snooze", "options": options}
    blocks = [{"type": "actions", "block_id": "b", "elements": [menu]}]
    posted = await web.chat_postMessage(channel="C0FLOOR", text="x", blocks=blocks)
    await slack.press(posted["ts"], "snooze", selected="8h")
    assert bot.payload["actions"][0]["selected_option"] == options[1]
    assert bot.payload["state"]["values"]["b"]["snooze"]["selected_option"] == options[1]
    with pytest.raises(LookupError, match="2h"):
        await slack.press(posted["ts"], "snooze", selected="2h")


# --- modals, Home, shortcuts, events ---


async def opened(slack, bot, web, **more) -> str:
    await slack.command("")
    return (await web.views_open(trigger_id=bot.form["trigger_id"], view=modal(**more)))["view"]["id"]


async def test_a_modal_is_filled_in_and_closed_by_an_empty_ack(slack, bot, web):
    """A submission carries what was typed, and an empty ack closes the modal."""
    view_id = await opened(slack, bot, web, private_metadata="C0FLOOR")
    await slack.submit_view(view_id, {"asked": {"label": "1A4"}})
    payload = bot.payload
    assert payload["type"] == "view_submission"
    assert payload["view"]["private_metadata"] == "C0FLOOR"
    assert payload["view"]["state"]["values"] == {"asked": {"label": {"type": "plain_text_input", "value": "1A4"}}}
    assert slack.workspace.stack("U0DANA") == ()


async def test_errors_keep_the_modal_open(slack, bot, web):
    """A submission answered with errors leaves the modal with them."""
    view_id = await opened(slack, bot, web)
    bot.answer = JSONResponse({"response_action": "errors", "errors": {"asked": "No label in it."}})
    await slack.submit_view(view_id)
    assert slack.workspace.stack("U0DANA")[0].errors == {"asked": "No label in it."}


async def test_update_push_and_clear(slack, bot, web):
    """A submission's answer can change the modal, put another on top, or close them all."""
    view_id = await opened(slack, bot, web)
    bot.answer = JSONResponse({"response_action": "update", "view": modal(callback_id="second")})
    await slack.submit_view(view_id)
    bot.answer = JSONResponse({"response_action": "push", "view": modal(callback_id="third")})
    await slack.submit_view(view_id)
    first, second = slack.workspace.stack("U0DANA")
    assert (first.payload["callback_id"], second.payload["callback_id"]) == ("second", "third")
    assert second.previous == first.id
    bot.answer = JSONResponse({"response_action": "clear"})
    await slack.submit_view(second.id)
    assert slack.workspace.stack("U0DANA") == ()


async def test_a_trigger_lives_three_seconds(slack, bot, web, clock):
    """At three seconds a view still opens, a second later it does not."""
    await slack.command("")
    early = bot.form["trigger_id"]
    clock.now += timedelta(seconds=3)
    assert (await web.views_open(trigger_id=early, view=modal()))["ok"]
    await slack.command("")
    clock.now += timedelta(seconds=4)
    late = web.views_open(trigger_id=bot.form["trigger_id"], view=modal())
    assert await refusal(late) == "expired_trigger_id"


async def test_a_trigger_works_once(slack, bot, web):
    """The second view on the same trigger is refused."""
    await opened(slack, bot, web)
    again = web.views_open(trigger_id=bot.form["trigger_id"], view=modal())
    assert await refusal(again) == "exchanged_trigger_id"


async def test_a_stale_hash_does_not_overwrite(slack, bot, web):
    """views.update with an old hash is a conflict, with the current one it goes through."""
    view_id = await opened(slack, bot, web)
    current = slack.workspace.view(view_id).hash
    assert (await web.views_update(view_id=view_id, hash=current, view=modal()))["ok"]
    assert await refusal(web.views_update(view_id=view_id, hash=current, view=modal())) == "hash_conflict"


async def test_dismissing_is_told_only_when_asked_for(slack, bot, web):
    """view_closed is delivered with notify_on_close and not without."""
    assert await slack.close_view(await opened(slack, bot, web)) is None
    await slack.close_view(await opened(slack, bot, web, notify_on_close=True))
    assert (bot.payload["type"], bot.payload["is_cleared"]) == ("view_closed", False)


async def test_home_is_published_for_one_person_and_can_be_pressed(slack, bot, web):
    """Looking at the Home tab is an event, and what is published there can be pressed without a channel."""
    await slack.open_home("U0LEE")
    assert json.loads(bot.bodies[-1])["event"]["type"] == "app_home_opened"
    await web.views_publish(user_id="U0LEE", view={"type": "home", "blocks": card()})
    home = slack.workspace.home("U0LEE")
    await slack.press_in_view(home.id, "remove", "U0LEE")
    assert bot.payload["container"] == {"type": "view", "view_id": home.id}
    assert "channel" not in bot.payload
    assert slack.workspace.home("U0DANA") is None


async def test_shortcuts_tell_their_kind(slack, bot, base):
    """A global shortcut has no channel; a message shortcut has the message."""
    said = slack.say("look at 1A4")
    await slack.shortcut("reconcile_global")
    assert bot.payload["type"] == "shortcut"
    assert "channel" not in bot.payload
    await slack.message_shortcut("diagnose_message", said.ts)
    assert (bot.payload["type"], bot.payload["message"]["text"]) == ("message_action", "look at 1A4")


async def test_a_mention_in_a_thread_names_the_thread(slack, bot, base):
    """thread_ts is in the event only when the mention stands in a thread; a repetition keeps its event id."""
    parent = slack.say("hm")
    await slack.mention("@countlast package 1A4")
    assert "thread_ts" not in json.loads(bot.bodies[-1])["event"]
    await slack.mention("@countlast package 1A4", thread_ts=parent.ts)
    event = json.loads(bot.bodies[-1])
    assert (event["event"]["thread_ts"], event["event"]["text"]) == (parent.ts, "<@U0BOT> package 1A4")
    await slack.event(event["event"], event_id=event["event_id"], retry=1)
    assert json.loads(bot.bodies[-1])["event_id"] == event["event_id"]
    assert bot.requests[-1].headers["x-slack-retry-num"] == "1"


# --- socket ---


async def test_socket_mode_carries_the_same_payloads(slack, bot, base):
    """A connected Socket Mode client gets commands and presses, and its ack is the command's answer."""
    seen = []

    async def listener(client, request):
        seen.append(request)
        payload = {"text": "over the wire"} if request.type == "slash_commands" else None
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=payload))

    web = AsyncWebClient(token=TOKEN, base_url=f"{base}/api/")
    client = SocketModeClient(app_token="xapp-1-demo", web_client=web)
    client.socket_mode_request_listeners.append(listener)
    async with asyncio.timeout(5):
        await client.connect()
    try:
        posted = await web.chat_postMessage(channel="C0FLOOR", text="card", blocks=card())
        result = await slack.command("package 1A4")
        await slack.press(posted["ts"], "remove")
    finally:
        await client.close()
    assert (result.status, result.answer) == (200, {"text": "over the wire"})
    assert slack.ephemerals("U0DANA")[0].text == "over the wire"
    assert [request.type for request in seen] == ["slash_commands", "interactive"]
    assert seen[0].payload["text"] == "package 1A4"
    assert seen[1].payload["actions"][0]["value"] == "intent-1"
    assert bot.bodies == []


async def test_a_socket_address_works_once(slack, base):
    """The address apps.connections.open gave cannot be used by a second client."""
    url = (await slack.socket.new_address()).replace("ws://", "http://")
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 400
        assert (await client.get(url)).status_code == 403


# --- waiting, page, serving ---


async def test_waiting_ends_when_the_message_changes(slack, web):
    """wait_for wakes on an edit, without polling."""
    posted = await web.chat_postMessage(channel="C0FLOOR", text="Reading…")
    waiting = asyncio.create_task(slack.wait_for(lambda message: message.text == "Done", timeout=5))
    await asyncio.sleep(0)
    await web.chat_update(channel="C0FLOOR", ts=posted["ts"], text="Done")
    assert (await waiting).ts == posted["ts"]
    with pytest.raises(TimeoutError):
        await slack.wait_for(lambda message: message.text == "Never", timeout=0.01)


async def test_the_page_is_told_of_every_change(slack, base):
    """The event stream yields a new version after an update."""
    async with httpx.AsyncClient() as client, client.stream("GET", f"{base}/events") as stream:
        lines = (line async for line in stream.aiter_lines() if line.startswith("data:"))
        before = json.loads((await anext(lines)).removeprefix("data:"))["version"]
        slack.say("hello")
        after = json.loads((await anext(lines)).removeprefix("data:"))["version"]
    assert after > before


async def test_an_open_stream_does_not_hold_up_the_end(slack):
    """Serving stops at once although somebody still reads the event stream, and no handler of signals is touched."""
    async with httpx.AsyncClient() as client:
        async with slack.serving() as base_url:
            stream = await client.send(client.build_request("GET", f"{base_url}/events"), stream=True)
            begun = time.monotonic()
        assert time.monotonic() - begun < 1.5
        await stream.aclose()


async def test_a_taken_port_is_an_error(slack, base):
    """Serving on a port in use raises OSError."""
    port = int(base.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        async with running(slack.asgi, port=port):
            pass


async def test_the_page_shows_each_reader_only_their_own(slack, web, base):
    """Ephemerals and channels of others are not in a reader's state."""
    await web.chat_postEphemeral(channel="C0FLOOR", user="U0DANA", text="for Dana")
    await web.chat_postMessage(channel="C0OPS", text="for ops")
    async with httpx.AsyncClient() as client:
        dana = (await client.get(f"{base}/page/state?user=U0DANA")).json()
        sam = (await client.get(f"{base}/page/state?user=U0SAM")).json()
        assert (await client.get(f"{base}/page/state?user=U0X")).status_code == 404
    assert [message["text"] for message in dana["messages"]] == ["for Dana", "for ops"]
    assert dana["suggestions"] == [{"text": "/reconcile package 1A4FF01", "hint": "a sale posted twice"}]
    assert sam["messages"] == []
    assert [channel["id"] for channel in sam["channels"]] == ["C0FLOOR"]


async def test_the_page_can_type_press_and_submit(slack, bot, web, base):
    """What the page sends reaches the bot as the same deliveries."""
    posted = await web.chat_postMessage(channel="C0FLOOR", text="card", blocks=card())
    person = {"user": "U0DANA", "channel": "C0FLOOR"}
    async with httpx.AsyncClient(base_url=base) as client:
        typed = await client.post("/page/command", json={**person, "text": "/reconcile package 1A4"})
        assert (typed.json()["status"], bot.form["text"]) == (200, "package 1A4")
        await client.post("/page/press", json={**person, "ts": posted["ts"], "action_id": "remove"})
        assert bot.payload["actions"][0]["action_id"] == "remove"
        await client.post("/page/command", json={**person, "text": "@countlast status"})
        assert json.loads(bot.bodies[-1])["event"]["type"] == "app_mention"
        await client.post("/page/shortcut", json={"user": "U0DANA", "callback_id": "reconcile_global"})
        view = await web.views_open(trigger_id=bot.payload["trigger_id"], view=modal())
        sent = {"user": "U0DANA", "view_id": view["view"]["id"], "typed": {"asked": {"label": "1A4"}}}
        await client.post("/page/submit", json=sent)
        assert bot.payload["view"]["state"]["values"]["asked"]["label"]["value"] == "1A4"
        gone = await client.post("/page/press", json={**person, "ts": posted["ts"], "action_id": "nothing"})
        assert gone.status_code == 409


async def test_other_sites_cannot_act_through_the_page(slack, bot, base):
    """A request of another origin, or one that a plain form could send, is refused."""
    body = json.dumps({"user": "U0DANA", "channel": "C0FLOOR", "text": "/reconcile help"})
    async with httpx.AsyncClient(base_url=base) as client:
        foreign = {"Origin": "http://evil.example", "Content-Type": "application/json"}
        assert (await client.post("/page/command", content=body, headers=foreign)).status_code == 403
        plain = {"Content-Type": "text/plain"}
        assert (await client.post("/page/command", content=body, headers=plain)).status_code == 403
    assert bot.bodies == []


# --- text for the terminal ---


@pytest.mark.parametrize(
    ("mrkdwn", "plain"),
    [
        ("*bold* _italic_ ~gone~ `code`", "bold italic gone code"),
        ("*_both_*", "both"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("<!date^1772500200^{time}|18:10> today", "18:10 today"),
        ("<https://example.com|docs> <https://example.com>", "docs (https://example.com) https://example.com"),
        ("<@U0LEE> in <#C0OPS|ops>", "@Lee Marsh in #ops"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("```*kept*```", "*kept*"),
    ],
)
def test_mrkdwn_flattened(mrkdwn, plain):
    """Marks vanish, references become readable, escapes are undone once."""
    assert flattened(mrkdwn, {"U0LEE": "@Lee Marsh", "C0OPS": "#ops"}) == plain


@given(st.text(alphabet="ab<>&;ltgmp ", max_size=40))
def test_escaped_text_reads_as_it_was(text):
    """Escaping and flattening give back any text without marks."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert flattened(escaped, {}) == text


async def test_a_thread_as_text(slack, web):
    """A thread reads as author, blocks in order, and buttons in brackets."""
    parent = await web.chat_postMessage(channel="C0FLOOR", text="Package *1A4*")
    footer = {"type": "context", "elements": [{"type": "mrkdwn", "text": "as of <!date^1772500200^{time}|01:10>"}]}
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Posted twice"}}, *card(), footer]
    await web.chat_postMessage(channel="C0FLOOR", text="x", blocks=blocks, thread_ts=parent["ts"])
    assert slack.thread_as_text("C0FLOOR", parent["ts"]) == (
        "Countlast  2026-03-03 01:10 UTC\nPackage 1A4\n\n"
        "    Countlast  2026-03-03 01:10 UTC\n"
        "    Posted twice\n    Hello\n    [ Remove… ]\n    as of 01:10\n"
    )


# --- Block Kit ---


def plain(length):
    return {"type": "plain_text", "text": "x" * length}


def option(text=5, value=5, **more):
    return {"text": plain(text), "value": "v" * value, **more}


def acting(element):
    return [{"type": "actions", "elements": [{"action_id": "a", **element}]}]


def confirming(**change):
    parts = {"title": plain(5), "text": plain(5), "confirm": plain(5), "deny": plain(5)}
    return acting(button(confirm={**parts, **change}))


def choosing(**more):
    return acting({"type": "static_select", **more})


LIMITS = {
    "blocks": (50, lambda n: [{"type": "divider"}] * n),
    "section text": (3000, lambda n: [section("x" * n)]),
    "section fields": (10, lambda n: [{"type": "section", "fields": [plain(1)] * n}]),
    "section field text": (2000, lambda n: [{"type": "section", "fields": [plain(n)]}]),
    "header text": (150, lambda n: [{"type": "header", "text": plain(n)}]),
    "context elements": (10, lambda n: [{"type": "context", "elements": [plain(1)] * n}]),
    "actions elements": (
        25,
        lambda n: [{"type": "actions", "elements": [button(action_id=f"b{i}") for i in range(n)]}],
    ),
    "block_id": (255, lambda n: [{"type": "divider", "block_id": "b" * n}]),
    "action_id": (255, lambda n: acting(button(action_id="a" * n))),
    "button text": (75, lambda n: acting(button(text=plain(n)))),
    "button value": (2000, lambda n: acting(button(value="v" * n))),
    "button url": (3000, lambda n: acting(button(url="u" * n))),
    "button accessibility_label": (75, lambda n: acting(button(accessibility_label="l" * n))),
    "confirm title": (100, lambda n: confirming(title=plain(n))),
    "confirm text": (300, lambda n: confirming(text=plain(n))),
    "confirm confirm": (30, lambda n: confirming(confirm=plain(n))),
    "confirm deny": (30, lambda n: confirming(deny=plain(n))),
    "select options": (100, lambda n: choosing(options=[option()] * n)),
    "select groups": (100, lambda n: choosing(option_groups=[{"label": plain(1), "options": [option()]}] * n)),
    "select placeholder": (150, lambda n: choosing(options=[option()], placeholder=plain(n))),
    "option text": (75, lambda n: choosing(options=[option(text=n)])),
    "option value": (150, lambda n: choosing(options=[option(value=n)])),
    "option description": (75, lambda n: choosing(options=[option(description=plain(n))])),
    "overflow options": (5, lambda n: acting({"type": "overflow", "options": [option()] * n})),
    "checkbox options": (10, lambda n: acting({"type": "checkboxes", "options": [option()] * n})),
    "radio options": (10, lambda n: acting({"type": "radio_buttons", "options": [option()] * n})),
    "image url": (3000, lambda n: [{"type": "image", "alt_text": "a", "image_url": "u" * n}]),
    "image alt": (2000, lambda n: [{"type": "image", "alt_text": "a" * n, "image_url": "u"}]),
    "image title": (2000, lambda n: [{"type": "image", "alt_text": "a", "image_url": "u", "title": plain(n)}]),
    "markdown": (12_000, lambda n: [{"type": "markdown", "text": "m" * n}]),
    "table rows": (100, lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * n}]),
    "table cells": (20, lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * n]}]),
    "tables": (1, lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * n),
    "list indent": (
        8,
        lambda n: [
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_list",
                        "style": "bullet",
                        "indent": n,
                        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
                    }
                ],
            }
        ],
    ),
}


@pytest.mark.parametrize(("most", "build"), LIMITS.values(), ids=LIMITS)
def test_message_limits(most, build):
    """Exactly at the limit passes, one more does not."""
    assert blockkit.message_problems(build(most)) == []
    assert blockkit.message_problems(build(most + 1)) != []


def inputs(**more):
    block = modal()["blocks"][0]
    return modal(blocks=[{**block, **more}])


def entry(**more):
    return inputs(element={"type": "plain_text_input", "action_id": "label", **more})


VIEW_LIMITS = {
    "title": (24, lambda n: modal(title=plain(n))),
    "submit": (24, lambda n: modal(submit=plain(n))),
    "close": (24, lambda n: modal(close=plain(n))),
    "callback_id": (255, lambda n: modal(callback_id="c" * n)),
    "external_id": (255, lambda n: modal(external_id="e" * n)),
    "private_metadata": (3000, lambda n: modal(private_metadata="p" * n)),
    "blocks": (100, lambda n: modal(blocks=[{"type": "divider"}] * n)),
    "home blocks": (100, lambda n: {"type": "home", "blocks": [{"type": "divider"}] * n}),
    "label": (2000, lambda n: inputs(label=plain(n))),
    "hint": (2000, lambda n: inputs(hint=plain(n))),
    "max_length": (3000, lambda n: entry(max_length=n)),
    "min_length": (3000, lambda n: entry(min_length=n)),
    "placeholder": (150, lambda n: entry(placeholder=plain(n))),
    "alert": (200, lambda n: modal(blocks=[{"type": "alert", "text": plain(n)}])),
}


@pytest.mark.parametrize(("most", "build"), VIEW_LIMITS.values(), ids=VIEW_LIMITS)
def test_view_limits(most, build):
    """Exactly at the limit passes, one more does not."""
    assert blockkit.view_problems(build(most)) == []
    assert blockkit.view_problems(build(most + 1)) != []


def without(key, block):
    return [{name: value for name, value in block.items() if name != key}]


MISTAKES = {
    "empty text": [section("")],
    "no text and no fields": [{"type": "section"}],
    "mrkdwn header": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    "mrkdwn button": acting(button(text={"type": "mrkdwn", "text": "x"})),
    "mrkdwn confirm title": confirming(title={"type": "mrkdwn", "text": "x"}),
    "unknown style": acting(button(style="warning")),
    "empty actions": [{"type": "actions", "elements": []}],
    "empty context": [{"type": "context", "elements": []}],
    "button in context": [{"type": "context", "elements": [button()]}],
    "image without alt": without("alt_text", {"type": "image", "image_url": "u", "alt_text": "a"}),
    "unknown block": [{"type": "carousel"}],
    "unknown key": [{"type": "divider", "colour": "red"}],
    "no type": [{"text": plain(1)}],
    "not an object": ["divider"],
    "same block_id twice": [{"type": "divider", "block_id": "b"}] * 2,
    "same action_id twice": [{"type": "actions", "elements": [button(), button()]}],
    "options and groups": choosing(options=[option()], option_groups=[]),
    "initial option not offered": choosing(options=[option()], initial_option=option(value=6)),
    "no options": choosing(options=[]),
    "text input in actions": acting({"type": "plain_text_input"}),
    "alert in a message": [{"type": "alert", "text": plain(1)}],
    "markdown in total": [{"type": "markdown", "text": "m" * 6001}] * 2,
    "number without decimal rule": [{"type": "input", "label": plain(1), "element": {"type": "number_input"}}],
    "not a list": {"type": "divider"},
}


@pytest.mark.parametrize("blocks", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_slack_would_refuse(blocks):
    """Each mistake is refused, and the sound card beside it is not."""
    assert blockkit.message_problems(card()) == []
    assert blockkit.message_problems(blocks) != []


def test_a_modal_with_inputs_needs_a_submit_button():
    """Without inputs submit may be missing, with one it may not; markdown does not belong in a modal."""
    bare = {name: value for name, value in modal().items() if name != "submit"}
    assert blockkit.view_problems({**bare, "blocks": [section()]}) == []
    assert blockkit.view_problems(bare) != []
    assert blockkit.view_problems(modal(blocks=[{"type": "markdown", "text": "x"}])) != []
    assert blockkit.view_problems([]) != []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "text", "blocks", "elements", "accessory", "options", "option_groups", "element"]
                ),
                inner | st.sampled_from(["section", "actions", "static_select", "modal", "plain_text"]),
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_the_validator_judges_anything(value):
    """Whatever arrives is judged in sentences, never with an exception."""
    for problem in [*blockkit.message_problems(value), *blockkit.view_problems(value)]:
        assert problem.startswith("[ERROR] ")


async def test_a_connection_that_the_bot_closes_as_it_is_used_again_loses_no_delivery():
    """A bot closes what was idle for some seconds; a command that comes in that moment must not fail for it."""
    answered = 0

    async def once_per_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        answered += 1
        # the connection stays open until the next request is on its way, and then nobody answers that
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(once_per_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    courier = Courier(SECRET, lambda: f"http://127.0.0.1:{port}/", SocketHub())
    parcel = Parcel("slash_commands", {}, "text/plain", b"")
    assert [(await courier.deliver(parcel)).status for _ in range(3)] == [200, 200, 200]
    assert answered == 3
    await courier.close()
    server.close()
