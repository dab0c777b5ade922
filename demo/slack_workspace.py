"""What a Slack workspace remembers: people, channels, messages, views. In memory, one bell for every change."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Json = dict[str, Any]
T = TypeVar("T")

TEAM = "T0DEMO"
DOMAIN = "demo"
APP = "A0BOT"
BOT = "B0BOT"
BOT_USER = "U0BOT"

TRIGGER_SECONDS = 3
VIEW_STACK = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SlackRefusal(Exception):
    """Slack's answer ``{"ok": false, "error": code}``; ``messages`` go into ``response_metadata``."""

    def __init__(self, code: str, messages: Iterable[str] = ()) -> None:
        self.code = code
        self.messages = tuple(messages)
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class User:
    """A person or bot. ``name`` is the handle, ``team`` the home workspace; a guest is a restricted account."""

    id: str
    name: str
    real_name: str
    team: str = TEAM
    time_zone: str = "America/Denver"
    is_bot: bool = False
    is_guest: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation; ``members`` are user ids. A direct message has an id that begins with D."""

    id: str
    name: str
    members: frozenset[str]
    is_private: bool = False
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message as Slack shows it. ``thread_ts`` is the parent's ts in a reply; ``only_for`` the one reader.

    ``files``: as Slack lists them: ``id``, ``name``, ``title``, ``mimetype``, ``alt_txt``, ``url_private``.
    """

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    metadata: Json | None = None
    edited: bool = False
    only_for: str | None = None
    files: tuple[Json, ...] = ()

    @property
    def is_reply(self) -> bool:
        """Whether it stands in a thread and is not its parent."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(frozen=True, slots=True)
class View:
    """A modal or Home tab as it stands before one user. ``errors``: sentence per block id, from the last submit."""

    id: str
    user: str
    hash: str
    payload: Json
    root: str
    previous: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    def as_slack_sends_it(self, state: Json | None = None) -> Json:
        """The view object of API answers and interaction payloads."""
        sent: Json = {
            "blocks": [],
            "title": None,
            "close": None,
            "submit": None,
            "private_metadata": "",
            "callback_id": "",
        }
        own = {"id": self.id, "team_id": TEAM, "app_id": APP, "bot_id": BOT, "hash": self.hash}
        place = {"root_view_id": self.root, "previous_view_id": self.previous, "app_installed_team_id": TEAM}
        return {**sent, **self.payload, **own, **place, "state": {"values": state or {}}}


@dataclass(frozen=True, slots=True)
class Trigger:
    """The right to open one view before ``user``."""

    user: str
    made: datetime
    is_used: bool = False


class Bell:
    """Wakes everybody who waits for a change; may be rung from synchronous code."""

    def __init__(self) -> None:
        self.version = 0
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self.version += 1
        self._next.set()
        self._next = asyncio.Event()

    async def rung_since(self, version: int) -> int:
        """Return the current version as soon as it is not ``version``."""
        while self.version == version:
            await self._next.wait()
        return self.version

    async def until(self, find: Callable[[], T | None]) -> T:
        """The first answer of ``find`` that is not None, looked for now and after every change."""
        while (found := find()) is None:
            await self.rung_since(self.version)
        return found


class Workspace:
    """Team T0DEMO: people, channels, messages and open views. ``clock`` gives aware datetimes."""

    def __init__(self, clock: Callable[[], datetime], bot_name: str) -> None:
        self.clock = clock
        self.bell = Bell()
        self.users = {user.id: user for user in _people(bot_name)}
        self.channels = {channel.id: channel for channel in _channels()}
        self.groups: dict[str, frozenset[str]] = {"S0MANAGERS": frozenset({"U0DANA", "U0LEE"})}
        self.group_names = {"S0MANAGERS": "managers"}
        self._messages: dict[tuple[str, str], Message] = {}
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}
        self._triggers: dict[str, Trigger] = {}
        self._last_ts = 0

    # --- people and places ---

    def user(self, user_id: str) -> User:
        """Refuses an id nobody has."""
        if user_id not in self.users:
            raise SlackRefusal("user_not_found")
        return self.users[user_id]

    def channel(self, channel_id: str) -> Channel:
        """Refuses an id no conversation has; the id of a user stands for the direct message with the bot."""
        if channel_id in self.channels:
            return self.channels[channel_id]
        if channel_id in self.users and channel_id != BOT_USER:
            return self._direct_message(channel_id)
        raise SlackRefusal("channel_not_found")

    def change_user(self, user_id: str, **changes: Any) -> None:  # noqa: ANN401 - any field of User
        """Change a person: a guest now, deleted, of another team."""
        self.users[user_id] = replace(self.user(user_id), **changes)
        self.bell.ring()

    def change_group(self, group_id: str, members: Iterable[str]) -> None:
        """Give a user group other members."""
        self.groups[group_id] = frozenset(members)

    def _direct_message(self, user_id: str) -> Channel:
        made = Channel("D" + user_id[1:], "directmessage", frozenset({user_id, BOT_USER}), is_private=True)
        return self.channels.setdefault(made.id, made)

    # --- messages ---

    def next_ts(self) -> str:
        """A ts no other message has, at or just after the clock's time."""
        now = (self.clock() - _EPOCH) // timedelta(microseconds=1)
        self._last_ts = max(now // 100 * 100, self._last_ts + 100)
        seconds, micros = divmod(self._last_ts, 1_000_000)
        return f"{seconds}.{micros:06d}"

    def put(self, message: Message) -> Message:
        """Store a new message, or another state of one that exists."""
        self._messages[message.channel, message.ts] = message
        self.bell.ring()
        return message

    def drop(self, message: Message) -> None:
        """Take a message away."""
        self._messages.pop((message.channel, message.ts), None)
        self.bell.ring()

    def message(self, channel: str, ts: str) -> Message:
        """A message everybody sees; refuses an unknown one and an ephemeral one alike."""
        found = self._messages.get((channel, ts))
        if found is None or found.only_for is not None:
            raise SlackRefusal("message_not_found")
        return found

    def anywhere(self, ts: str) -> Message:
        """The message with this ts in whichever channel, ephemeral ones included. Raises ``LookupError``."""
        for message in self._messages.values():
            if message.ts == ts:
                return message
        raise LookupError(f"no message has ts {ts}")

    def messages(self, channel: str | None = None) -> list[Message]:
        """What everybody sees, replies included, oldest first."""
        return [
            message for message in self.everything() if message.only_for is None and channel in {None, message.channel}
        ]

    def everything(self) -> list[Message]:
        """Every message, ephemeral ones included, oldest first."""
        return sorted(self._messages.values(), key=lambda message: message.ts)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The parent and its replies, without ephemeral ones, oldest first."""
        return [message for message in self.messages(channel) if ts in {message.ts, message.thread_ts}]

    def ephemerals(self, user: str) -> list[Message]:
        """What only this user sees, oldest first."""
        return [message for message in self.everything() if message.only_for == user]

    # --- triggers and views ---

    def new_trigger(self, user: str) -> str:
        """A trigger id, good for one view before this user within three seconds."""
        trigger = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**11)}.{secrets.token_hex(16)}"
        self._triggers[trigger] = Trigger(user, self.clock())
        return trigger

    def spend_trigger(self, trigger_id: str) -> str:
        """The user whose trigger this is; refuses an unknown, old or already used one."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackRefusal("invalid_trigger_id")
        if trigger.is_used:
            raise SlackRefusal("exchanged_trigger_id")
        if self.clock() - trigger.made > timedelta(seconds=TRIGGER_SECONDS):
            raise SlackRefusal("expired_trigger_id")
        self._triggers[trigger_id] = replace(trigger, is_used=True)
        return trigger.user

    def stack(self, user: str) -> tuple[View, ...]:
        """The modals open before this user, the topmost last."""
        return tuple(self._stacks.get(user, ()))

    def home(self, user: str) -> View | None:
        """The Home tab this user was given."""
        return self._homes.get(user)

    def view(self, view_id: str) -> View:
        """An open modal or a Home tab; refuses an unknown id."""
        return self._found_view(lambda view: view.id == view_id)

    def view_named(self, external_id: str) -> View:
        """The same by ``external_id``."""
        return self._found_view(lambda view: view.payload.get("external_id") == external_id)

    def _found_view(self, fits: Callable[[View], bool]) -> View:
        stacked = [view for stack in self._stacks.values() for view in stack]
        for view in [*stacked, *self._homes.values()]:
            if fits(view):
                return view
        raise SlackRefusal("not_found")

    def open_view(self, user: str, payload: Json) -> View:
        """Put a modal before the user, in place of whatever was open."""
        self._stacks[user] = []
        return self.push_view(user, payload)

    def push_view(self, user: str, payload: Json) -> View:
        """Put a modal on top; refuses the fourth."""
        stack = self._stacks.setdefault(user, [])
        if len(stack) >= VIEW_STACK:
            raise SlackRefusal("push_limit_reached")
        made = _new_view(user, payload, below=stack[-1] if stack else None)
        stack.append(made)
        self.bell.ring()
        return made

    def publish_home(self, user: str, payload: Json) -> View:
        """Give the user a new Home tab."""
        known = self._homes.get(user)
        made = replace(known, payload=payload, hash=_token()) if known else _new_view(user, payload, below=None)
        self._homes[user] = made
        self.bell.ring()
        return made

    def change_view(self, view: View, **changes: Any) -> View:  # noqa: ANN401 - any field of View
        """Replace a view that is still open by itself with other content."""
        changed = replace(view, hash=_token(), **changes)
        stack = self._stacks.get(view.user, [])
        self._stacks[view.user] = [changed if held.id == view.id else held for held in stack]
        if view.user in self._homes and self._homes[view.user].id == view.id:
            self._homes[view.user] = changed
        self.bell.ring()
        return changed

    def close_view(self, view: View, *, every: bool = False) -> None:
        """Take a modal away; ``every`` takes the whole stack."""
        stack = self._stacks.get(view.user, [])
        self._stacks[view.user] = [] if every else [held for held in stack if held.id != view.id]
        self.bell.ring()


def _token() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"


def _new_view(user: str, payload: Json, *, below: View | None) -> View:
    own = "V" + secrets.token_hex(5).upper()
    root = below.root if below else own
    return View(id=own, user=user, hash=_token(), payload=payload, root=root, previous=below.id if below else None)


def _people(bot_name: str) -> tuple[User, ...]:
    return (
        User("U0DANA", "dana", "Dana Orrin"),
        User("U0LEE", "lee", "Lee Marsh"),
        User("U0SAM", "sam", "Sam Ito", is_guest=True),
        User(BOT_USER, bot_name.lower(), bot_name, is_bot=True),
    )


def _channels() -> tuple[Channel, ...]:
    everybody = frozenset({"U0DANA", "U0LEE", "U0SAM", BOT_USER})
    return (Channel("C0FLOOR", "floor", everybody), Channel("C0OPS", "ops", everybody - {"U0SAM"}))
