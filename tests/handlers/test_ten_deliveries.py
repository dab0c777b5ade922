"""Whatever Slack delivers ten times has one effect, in every way that it can deliver something.

Everything is real but Slack and METRC: signed HTTP or a socket, two processes that share a database, and that database.
A repeat reaches now the one process, now the other, so nothing that a process remembers can tell it from a first delivery.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from bot.serve import SlackSide, slack_side
from demo import slack_payloads as payloads
from demo.slack import CommandResult, Message
from demo.slack_delivery import Parcel, event_parcel, interactive_parcel
from demo.slack_socket import SocketHub
from demo.world import TAG, World
from handlers import Services, Work, register
from handlers.render import alert, card, evidence, sweep
from handlers.socket import run_socket
from tests.handlers.conftest import at_once
from tests.handlers.removal_shop import ASKER, GUEST, KIT, LEE, Asked, Shop, asked, opened, opened_again, sold_twice
from tests.handlers.test_alerting import round_of
from tests.store import NOW

HEALTHY, ANOTHER = f"{TAG}3002", f"{TAG}3003"
APP_TOKEN = "xapp-1-demo"
TIMES = 10
ALL = ""
"""Stands for the listener of a kind that takes what no other does."""

COUNTED = ("chat.postMessage", "chat.postEphemeral", "files.complete", "views.")
"""How the names of the methods begin that somebody sees the effect of."""

Reply = tuple[int, dict[str, object]]
"""How a delivery was acknowledged: the status, and what stood in it."""


@dataclass(frozen=True)
class Delivery:
    """Something that Slack delivers. ``packed``: makes it, and whatever it needs.

    ``is_silent``: it is acknowledged and has no effect at all.
    """

    packed: Callable[[Shop], Awaitable[Parcel]]
    is_silent: bool = False


@dataclass(frozen=True)
class Left:
    """What the scenes begin with: ``asked`` is what Dana's question about a sale that is in METRC twice has left."""

    empty: Path
    asked: Asked


@dataclass(frozen=True)
class Scene:
    """Deliveries that follow one another in the same shop."""

    opened: Callable[[Path, Left], AbstractAsyncContextManager[Shop]]
    deliveries: Mapping[str, Delivery]


@dataclass
class Shared(Shop):
    """A shop whose deliveries reach this process and another one in turn."""

    other: SlackSide

    async def settle(self) -> None:
        # Bolt acknowledges events before their listeners run
        for _ in range(20):
            await asyncio.sleep(0)
        for side in (self.side, self.other):
            await side.work.idle()

    @property
    def database(self) -> str:
        return self.bot.settings.database_url.partition("///")[2]

    def rows(self, what: str = "*") -> dict[str, list[tuple[object, ...]]]:
        """The whole database, or ``what`` of each table."""
        with closing(sqlite3.connect(self.database)) as found:
            names = [name for (name,) in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: found.execute(f'SELECT {what} FROM "{name}"').fetchall() for name in names}  # noqa: S608

    async def deliver(self, parcel: Parcel, number: int) -> Reply:
        """Over HTTP to the one process, over its socket to the other."""
        if number % 2:
            answer = await self.slack.socket.deliver(parcel.kind, parcel.payload, takes_answer=parcel.takes_answer)
            return 200, answer
        response = await self.slack._courier._posted(parcel)
        return response.status_code, response.json() if response.content.startswith(b"{") else {}

    def effect(self, already: frozenset[str]) -> Counter[str]:
        """What Slack was asked for, what METRC was, what only one person saw, and how many rows there are.

        ``already``: the messages that were there before. Edits of others follow progress, and fall together or not.
        """
        slack = self.slack
        done = Counter(call.method for call in slack.api.calls if call.method.startswith(COUNTED))
        for call in slack.api.calls:
            done["chat.update"] += call.method == "chat.update" and call.arguments["ts"] in already
        done["private"] = sum(message.only_for is not None for message in slack.workspace.everything())
        done["removals"] = len(self.writes())
        return done + Counter({f"rows of {name}": rows for name, ((rows,),) in self.rows("count(*)").items()})


# --- what is delivered ------------------------------------------------------------------------------------------------


async def held(shop: Shop, deed: Awaitable[object]) -> Parcel:
    """What Slack would deliver when somebody does this, before it is delivered."""
    courier, kept = shop.slack._courier, []

    async def keep(parcel: Parcel) -> CommandResult:
        kept.append(parcel)
        return CommandResult(200, 0.0, "")

    shop.slack._courier = SimpleNamespace(deliver=keep)
    try:
        await deed
    finally:
        shop.slack._courier = courier
    (parcel,) = kept
    return parcel


def command(text: str, **changes: str) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        return await held(shop, shop.slack.command(text, **changes))

    return Delivery(packed)


def button(action_id: str, value: str) -> dict[str, object]:
    label = {"type": "plain_text", "text": "Press"}
    element = {"type": "button", "action_id": action_id, "value": value, "text": label}
    return {"type": "actions", "block_id": "b", "elements": [element]}


def as_drawn(message: Message, action_id: str, value: str) -> Message:
    """The message as somebody may still see it, with this button."""
    return replace(message, blocks=(button(action_id, value), *message.blocks))


async def in_view(shop: Shop, action_id: str, value: str) -> Parcel:
    """Dana's press in the form that is open, as if it had this button."""
    workspace = shop.slack.workspace
    (view,) = workspace.stack(ASKER)
    (element,) = button(action_id, value)["elements"]
    pressed = payloads.pressed("b", element, selected=None, action_ts=workspace.next_ts())
    trigger = workspace.new_trigger(ASKER)
    return interactive_parcel(payloads.view_press(view, pressed, workspace.user(ASKER), trigger_id=trigger, state={}))


def on_answer(action_id: str, user: str = ASKER) -> Delivery:
    """A press under the first answer."""

    async def packed(shop: Shop) -> Parcel:
        answer = next(message for message in shop.slack.messages() if action_id in str(message.blocks))
        return await held(shop, shop.slack.press(answer.ts, action_id, user))

    return Delivery(packed)


async def press_on_card(shop: Shop, action_id: str, user: str) -> CommandResult:
    """On the newest card, whether or not it still has this button."""
    newest = shop.cards()[-1]
    intent = await shop.intent()
    return await shop.slack.press(newest.ts, action_id, user, as_seen=as_drawn(newest, action_id, intent.id))


async def ask_later(shop: Shop) -> None:
    """Once more, so that there is another card: what was open is decided."""
    shop.clock.forward(seconds=1)
    await shop.ask()


def on_card(action_id: str, user: str, *, asks: bool = False) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        if asks:
            await ask_later(shop)
        return await held(shop, press_on_card(shop, action_id, user))

    return Delivery(packed)


def opened_form(opening: Callable[[Shop], Awaitable[object]], user: str, **typed: object) -> Delivery:
    """A form that was opened and filled, and is sent."""

    async def packed(shop: Shop) -> Parcel:
        await opening(shop)
        await shop.settle()
        (view,) = shop.slack.workspace.stack(user)
        values = {block: {block: value} for block, value in typed.items()}
        return await held(shop, shop.slack.submit_view(view.id, values, user))

    return Delivery(packed)


def question_form(what: str) -> Delivery:
    return opened_form(lambda shop: shop.slack.shortcut("ask_package"), ASKER, what=what)


def verdict_form(**typed: object) -> Delivery:
    async def opening(shop: Shop) -> None:
        answer = next(message for message in shop.slack.messages() if "was_right" in str(message.blocks))
        await shop.slack.press(answer.ts, "was_right", ASKER)

    return opened_form(opening, ASKER, **typed)


def decline_form(user: str, reason: str) -> Delivery:
    return opened_form(lambda shop: press_on_card(shop, card.DECLINE_ACTION, user), user, reason=reason)


def event(fields: Mapping[str, object], *, is_silent: bool = False) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        return await held(shop, shop.slack.event(dict(fields)))

    return Delivery(packed, is_silent)


def said(text: str, *, mention: bool = False) -> Delivery:
    """In a direct message, or where everybody reads it."""

    async def packed(shop: Shop) -> Parcel:
        slack = shop.slack
        return await held(shop, slack.mention(f"<@U0BOT> {text}") if mention else slack.direct(text))

    return Delivery(packed)


def shortcut(name: str, *, text: str = "", is_silent: bool = False) -> Delivery:
    """``text``: of the message that it is used on; without one it is used from anywhere."""

    async def packed(shop: Shop) -> Parcel:
        if not text:
            return await held(shop, shop.slack.shortcut(name))
        return await held(shop, shop.slack.message_shortcut(name, shop.slack.say(text).ts))

    return Delivery(packed, is_silent)


def page_of_evidence(action_id: str) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        answer = next(message for message in shop.slack.messages() if "show_evidence" in str(message.blocks))
        await shop.slack.press(answer.ts, "show_evidence", ASKER)
        await shop.settle()
        _, element = payloads.found_element(answer.blocks, "show_evidence")
        return await in_view(shop, action_id, f"{element['value']}:1")

    return Delivery(packed)


def page_of_causes(action_id: str) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        with closing(sqlite3.connect(shop.database)) as found:
            ((sweep_id,),) = found.execute("SELECT id FROM kept_sweep LIMIT 1").fetchall()
        shown = as_drawn(shop.slack.messages()[0], action_id, f"{sweep_id}:1")
        return await held(shop, shop.slack.press(shown.ts, action_id, as_seen=shown))

    return Delivery(packed)


def on_home(action_id: str) -> Delivery:
    async def packed(shop: Shop) -> Parcel:
        await shop.slack.open_home(ASKER)
        await shop.settle()
        home = shop.slack.workspace.home(ASKER)
        return await held(shop, shop.slack.press_in_view(home.id, action_id, ASKER))

    return Delivery(packed)


def of_another_version(kind: str) -> Delivery:
    """A button, a form and what else a version of the bot that is gone or to come may have shown."""

    async def packed(shop: Shop) -> Parcel:
        slack = shop.slack
        shown = as_drawn(slack.messages()[0], "of_another_version", "x")
        if kind == "action":
            return await held(shop, slack.press(shown.ts, "of_another_version", as_seen=shown))
        text = {"type": "plain_text", "text": "x"}
        view = slack.workspace.open_view(ASKER, {"type": "modal", "callback_id": "x", "title": text, "blocks": []})
        person = slack.workspace.user(ASKER)
        if kind == "view":
            sent = payloads.view_submission(view, person, trigger_id=slack.workspace.new_trigger(ASKER), state={})
        elif kind == "view_closed":
            sent = payloads.view_closed(view, person, is_cleared=False)
        else:
            asked = {"type": "block_suggestion", "action_id": "x", "block_id": "b", "value": ""}
            sent = payloads.view_closed(view, person, is_cleared=False) | asked
        slack.workspace.close_view(view)
        return interactive_parcel(sent)

    return Delivery(packed, is_silent=kind != "action")


def alert_card(shop: Shop, words: str) -> Message:
    return next(message for message in shop.slack.messages() if words in message.text)


def on_alert(action_id: str, user: str = LEE, *, words: str = "refuses the user key", value: str = "") -> Delivery:
    """On the card of the alert with these words, whether or not it still has this button; ``value``: what it holds."""

    async def packed(shop: Shop) -> Parcel:
        known = await shop.bot.books.alerts.known(shop.clock.now())
        (alert_id,) = [one.id for one in known if words in one.headline]
        shown = as_drawn(alert_card(shop, words), action_id, value or alert_id)
        return await held(shop, shop.slack.press(shown.ts, action_id, user, as_seen=shown))

    return Delivery(packed)


def renewed_form(user: str, on: str | None) -> Delivery:
    async def opening(shop: Shop) -> None:
        await shop.slack.press(alert_card(shop, "refuses the user key").ts, alert.RENEWED_ACTION, user)

    return opened_form(opening, user, **{alert.RENEWED_BLOCK: on})


# --- the scenes -------------------------------------------------------------------------------------------------------


def after_a_question(folder: Path, left: Left) -> AbstractAsyncContextManager[Shop]:
    """Dana has asked, and a card offers to remove the second receipt."""
    return opened_again(folder, left.asked)


@asynccontextmanager
async def done_by_hand(folder: Path, left: Left) -> AsyncIterator[Shop]:
    """The same where the bot may not remove anything: Lee has approved, and somebody does it in METRC."""
    async with opened(folder, left.empty, sold_twice()[0], act=False) as shop:
        await shop.ask()
        await shop.press()
        yield shop


@asynccontextmanager
async def alerted(folder: Path, left: Left) -> AsyncIterator[Shop]:
    """Sales do not reach METRC, and then the key dies."""
    world = World.healthy(NOW)
    for minutes in (65, 50, 40, 30, 20):
        world.sale_never_posted(world.labels()[0], age=timedelta(minutes=minutes))
    async with opened(folder, left.empty, world, opening_hours="Mo-Su 09:00-21:00") as shop:
        await round_of(shop)
        shop.world.kill_key()
        await round_of(shop, minutes=5)
        yield shop


QUESTIONS = {
    "a question": command(f"package {HEALTHY}"),
    "several questions": command(f"{HEALTHY} {ANOTHER}"),
    "a whole shop": command("facility"),
    "a page on": page_of_causes(sweep.NEXT_ACTION),
    "a page back": page_of_causes(sweep.PREVIOUS_ACTION),
    "a command that cannot be read": command("where is it"),
    "help": command("help"),
    "status": command("status"),
    "what is pending": command("pending"),
    "the bare command": command(""),
    "a command of another version": command("x", command="/other"),
}

ENTRIES = {
    "a mention": said(HEALTHY, mention=True),
    "a direct message": said(HEALTHY),
    "a direct message that asks nothing": said("hello"),
    "somebody else's message": event(
        {"type": "message", "channel": "C0FLOOR", "user": LEE, "text": HEALTHY, "ts": "1.1"}, is_silent=True
    ),
    "an event nobody subscribed to": event({"type": "reaction_added", "user": LEE}, is_silent=True),
    "a message's shortcut": shortcut("why_missing", text=f"{HEALTHY} and {ANOTHER}"),
    "a message's shortcut that finds nothing": shortcut("why_missing", text="It is gone."),
    "the shortcut": shortcut("ask_package"),
    "a shortcut of another version": shortcut("x", is_silent=True),
    "a message's shortcut of another version": shortcut("x", text="It is gone."),
    "the form": question_form(HEALTHY),
    "the form that cannot be read": replace(question_form("where is it"), is_silent=True),
}

FOLLOW_UPS = {
    "the evidence": on_answer("show_evidence"),
    "the evidence, a guest": on_answer("show_evidence", GUEST),
    "the evidence, a page on": page_of_evidence(evidence.NEXT_ACTION),
    "the evidence, a page back": page_of_evidence(evidence.PREVIOUS_ACTION),
    "ask again": on_answer("ask_again"),
    "hand to a person": on_answer("hand_over"),
    "hand to a person, once more": on_answer("hand_over", LEE),
    "was this right": on_answer("was_right"),
    "it was": verdict_form(right="right"),
    "it was not": verdict_form(right="wrong", cause="timing", note="It came later."),
    "it was neither": replace(verdict_form(), is_silent=True),
    "Home": event({"type": "app_home_opened", "user": ASKER, "tab": "home"}),
    "Home, the messages": event({"type": "app_home_opened", "user": ASKER, "tab": "messages"}, is_silent=True),
    "Home, ask": on_home("home_ask"),
    "Home, refresh": on_home("home_refresh"),
    "a button of another version": of_another_version("action"),
    "a form of another version": of_another_version("view"),
    "a form of another version that is closed": of_another_version("view_closed"),
    "a menu of another version": of_another_version("options"),
}

REMOVALS = {
    "approve, somebody who may not": on_card(card.APPROVE_ACTION, GUEST),
    "take back, somebody who may not": on_card(card.WITHDRAW_ACTION, LEE),
    "decline": on_card(card.DECLINE_ACTION, LEE),
    "decline without a reason": replace(decline_form(LEE, "other"), is_silent=True),
    "decline, somebody who may not": decline_form(KIT, "both_real"),
    "decline with a reason": decline_form(LEE, "both_real"),
    "decline too late": on_card(card.DECLINE_ACTION, LEE),
    "take back": on_card(card.WITHDRAW_ACTION, ASKER, asks=True),
    "take back too late": on_card(card.WITHDRAW_ACTION, ASKER),
    "approve": on_card(card.APPROVE_ACTION, LEE, asks=True),
    "approve too late": on_card(card.APPROVE_ACTION, LEE),
}

BY_HAND = {
    "done, check again, while it is there": on_card(card.CHECK_ACTION, LEE),
    "give up": on_card(card.ABANDON_ACTION, LEE),
    "done, check again, too late": on_card(card.CHECK_ACTION, LEE),
}

ALERTS = {
    "acknowledge, a guest": on_alert(alert.ACKNOWLEDGE_ACTION, GUEST),
    "acknowledge what is unknown": on_alert(alert.ACKNOWLEDGE_ACTION, value="0123456789abcdef"),
    "acknowledge": on_alert(alert.ACKNOWLEDGE_ACTION),
    "acknowledge second": on_alert(alert.ACKNOWLEDGE_ACTION, ASKER),
    "snooze an hour": on_alert("snooze_alert_hour"),
    "snooze until the shop opens": on_alert("snooze_alert_opening"),
    "snooze until tomorrow": on_alert("snooze_alert_tomorrow"),
    "closed today": on_alert(alert.CLOSED_ACTION, words="5 sales wait"),
    "renewed": on_alert(alert.RENEWED_ACTION),
    "renewed, unknown": on_alert(alert.RENEWED_ACTION, value="0123456789abcdef"),
    "renewed on no day": replace(renewed_form(LEE, None), is_silent=True),
    "renewed in the future": replace(renewed_form(LEE, "2030-01-01"), is_silent=True),
    "renewed, somebody who may not": renewed_form(KIT, "2026-03-02"),
    "renewed on a day": renewed_form(LEE, "2026-03-02"),
}

SCENES = {
    "questions": Scene(after_a_question, QUESTIONS),
    "follow-ups": Scene(after_a_question, FOLLOW_UPS),
    "entries": Scene(after_a_question, ENTRIES),
    "removals": Scene(after_a_question, REMOVALS),
    "by hand": Scene(done_by_hand, BY_HAND),
    "alerts": Scene(alerted, ALERTS),
}


# --- how it is delivered ----------------------------------------------------------------------------------------------

Way = Callable[[Shared, Parcel], Awaitable[list[Reply]]]


@asynccontextmanager
async def two_processes(scene: Scene, folder: Path, left: Left) -> AsyncIterator[Shared]:
    """The one is reached over HTTP, the other through its socket."""
    async with (
        scene.opened(folder, left) as shop,
        slack_side(shop.bot, at_once) as one,
        slack_side(shop.bot, at_once) as other,
        connected(other, shop.slack.socket),
    ):
        for side in (one, other):
            # these are many questions for one minute
            side.services.door.pace.limit = 10_000
        await shop.slack._courier.close()
        shop.slack._courier._client = httpx.AsyncClient(transport=httpx.ASGITransport(one.web))
        yield Shared(shop.bot, one, shop.slack, shop.metrc, shop.clock, other)


@asynccontextmanager
async def connected(side: SlackSide, hub: SocketHub) -> AsyncIterator[None]:
    """The process has opened a socket."""
    stop, metrics = asyncio.Event(), side.services.metrics
    serving = run_socket(side.bolt, APP_TOKEN, stop=stop, link=side.link, metrics=metrics, look_every=0.005)
    running = asyncio.create_task(serving)
    async with asyncio.timeout(5):
        while not hub.is_connected:  # noqa: ASYNC110 - it rings no bell
            await asyncio.sleep(0.001)
    yield
    stop.set()
    await running


def retried(parcel: Parcel, number: int) -> Parcel:
    """The same once more; Slack marks repeated events, and nothing else."""
    if parcel.kind != "events_api" or not number:
        return parcel
    return replace(parcel, headers=event_parcel({}, retry=number).headers)


async def once(two: Shared, parcel: Parcel) -> list[Reply]:
    return [await two.deliver(parcel, 0)]


async def in_turn(two: Shared, parcel: Parcel) -> list[Reply]:
    """Each when all that follows from the one before has happened; but the first, none changes a row."""
    replies = await once(two, parcel)
    await two.settle()
    before = two.rows()
    for number in range(1, TIMES):
        replies.append(await two.deliver(retried(parcel, number), number))
        await two.settle()
    assert two.rows() == before
    return replies


async def all_at_once(two: Shared, parcel: Parcel) -> list[Reply]:
    return list(await asyncio.gather(*(two.deliver(retried(parcel, number), number) for number in range(TIMES))))


@dataclass(frozen=True)
class Played:
    """What a delivery came to. ``listener``: who has heard it."""

    listener: tuple[str, str]
    effect: Counter[str]


async def played(scene: Scene, way: Way, folder: Path, left: Left) -> dict[str, Played]:
    """A whole scene, each delivery after the one before it."""
    found = {}
    async with two_processes(scene, folder, left) as two:
        listeners = listening(two.side.services)
        for name, delivery in scene.deliveries.items():
            parcel = await delivery.packed(two)
            await two.settle()
            already = frozenset(message.ts for message in two.slack.workspace.everything())
            before = two.effect(already)
            replies = await way(two, parcel)
            await two.settle()
            assert replies == [(200, replies[0][1])] * len(replies), name
            found[name] = Played(listener_of(parcel, listeners), two.effect(already) - before)
    return found


async def all_played(way: Way, folder: Path, left: Left) -> dict[str, dict[str, Played]]:
    """The scenes side by side, for a delivery mostly waits for its acknowledgement."""
    folders = {name: folder / name for name in SCENES}
    for own in folders.values():
        own.mkdir()
    scenes = await asyncio.gather(*(played(scene, way, folders[name], left) for name, scene in SCENES.items()))
    return dict(zip(SCENES, scenes, strict=True))


# --- who listens ------------------------------------------------------------------------------------------------------


class Listeners:
    """Stands in for Bolt, and writes down what is listened to."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def __getattr__(self, kind: str):
        def listen(wanted: object, **_: object):
            self.found.add((kind, wanted.pattern if isinstance(wanted, re.Pattern) else str(wanted)))
            return lambda listener: listener

        return listen


def listening(services: Services) -> set[tuple[str, str]]:
    """Every listener that a bot with these services has, by its kind and name."""
    found = Listeners()
    register(found, services, Work())
    return found.found


def listener_of(parcel: Parcel, listeners: set[tuple[str, str]]) -> tuple[str, str]:
    """Who of them hears this."""
    kind, name = _address(parcel)
    rest = "shortcut" if kind.endswith("_shortcut") else kind
    return (kind, name) if (kind, name) in listeners else (rest, ALL)


def _address(parcel: Parcel) -> tuple[str, str]:
    payload = parcel.payload
    if parcel.kind == "slash_commands":
        return "command", payload["command"]
    if parcel.kind == "events_api":
        return "event", payload["event"]["type"]
    match payload["type"]:
        case "block_actions":
            return "action", payload["actions"][0]["action_id"]
        case "block_suggestion":
            return "options", payload["action_id"]
        case "view_submission":
            return "view", payload["view"]["callback_id"]
        case "view_closed":
            return "view_closed", payload["view"]["callback_id"]
        case kind:
            return {"shortcut": "global_shortcut", "message_action": "message_shortcut"}[kind], payload["callback_id"]


# --- the laws ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def left(tmp_path_factory, empty_database):
    """One question, so that not every scene has to ask it."""
    return Left(empty_database, asyncio.run(asked(tmp_path_factory.mktemp("asked"), empty_database)))


@pytest.fixture(scope="module")
def single(tmp_path_factory, left):
    """What each delivery leads to when it comes once."""
    return asyncio.run(all_played(once, tmp_path_factory.mktemp("single"), left))


def test_one_delivery_has_an_effect(single):
    """Else nothing would be proven of ten; what is silent has none."""
    has_effect = {(scene, name): bool(one.effect) for scene, found in single.items() for name, one in found.items()}
    assert has_effect == {
        (scene, name): not one.is_silent for scene, found in SCENES.items() for name, one in found.deliveries.items()
    }


async def test_nothing_is_listened_to_that_is_not_delivered_here(tmp_path, left, single):
    """Whoever adds a button, a form, a command or an event adds its delivery to a scene above."""
    async with after_a_question(tmp_path, left) as shop:
        assert {one.listener for found in single.values() for one in found.values()} == listening(shop.side.services)


async def test_ten_one_after_another_have_the_effect_of_one(tmp_path, left, single):
    """As many messages, forms, files, removals and rows; and every repeat is answered as the first was."""
    assert await all_played(in_turn, tmp_path, left) == single


async def test_ten_at_once_have_the_effect_of_one(tmp_path, left, single):
    """The hardest: none knows of the others but by the database."""
    assert await all_played(all_at_once, tmp_path, left) == single


async def test_what_bears_no_key_is_always_new(bot):
    """It cannot be told from a repeat, and a look too many at the Home tab is better than none."""
    look = {"type": "app_home_opened", "user": ASKER, "tab": "home"}
    body = json.dumps({"type": "event_callback", "team_id": "T0DEMO", "event": look})
    for drawn in (1, 2):
        await bot.deliver(body, content_type="application/json")
        await bot.slack.until(lambda slack, drawn=drawn: len(slack.views) == drawn)
