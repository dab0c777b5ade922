"""The payloads Slack sends when somebody types, presses, submits or mentions. Values in, values out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from demo.slack_workspace import APP, BOT, BOT_USER, DOMAIN, TEAM, Channel, Message, User, View

Json = dict[str, Any]

_TOKEN = "deprecated-verification-token"  # noqa: S105 - Slack still sends this field; nobody may rely on it
_TEAM = {"id": TEAM, "domain": DOMAIN}
_ANSWER_FIELDS = {
    "static_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}


# --- blocks and what is in them ---


def with_ids(blocks: Sequence[Json]) -> tuple[Json, ...]:
    """The same blocks with every missing ``block_id`` and ``action_id`` filled in, as Slack does."""
    return tuple(_with_ids(block) for block in blocks)


def _with_ids(block: Json) -> Json:
    named = {"block_id": secrets.token_urlsafe(4), **block}
    if block.get("type") == "actions":
        named["elements"] = [_with_action_id(element) for element in block["elements"]]
    for single in ("accessory", "element"):
        if single in block:
            named[single] = _with_action_id(block[single])
    return named


def _with_action_id(element: Json) -> Json:
    return element if element.get("type") == "image" else {"action_id": secrets.token_urlsafe(4), **element}


def interactive_elements(blocks: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    """Every element somebody can press or fill, with the id of its block."""
    for block in blocks:
        held = [*(block.get("elements") or ()), block.get("accessory"), block.get("element")]
        for element in held:
            if isinstance(element, dict) and "action_id" in element:
                yield block["block_id"], element


def found_element(
    blocks: Sequence[Json], action_id: str, *, block_id: str | None = None, value: str | None = None
) -> tuple[str, Json]:
    """The first element with this action id (and block, and value). Raises ``LookupError``: nobody can press it."""
    for holder, element in interactive_elements(blocks):
        if element["action_id"] != action_id or block_id not in {None, holder}:
            continue
        if value is None or element.get("value") == value:
            return holder, element
    raise LookupError(f"there is nothing to press with action_id {action_id!r}")


def state_values(blocks: Sequence[Json], typed: Mapping[str, Mapping[str, object]]) -> Json:
    """``state.values``: for each element that holds an answer, what was typed or its initial value.

    ``typed`` is ``{block_id: {action_id: plain value}}``; options are given by their value.
    """
    state: Json = {}
    for block_id, element in interactive_elements(blocks):
        if element["type"] in {"button", "overflow"}:
            continue
        given = typed.get(block_id, {})
        action_id = element["action_id"]
        answer = _answer(element, given[action_id]) if action_id in given else _untouched(element)
        state.setdefault(block_id, {})[action_id] = answer
    return state


def _answer(element: Json, value: object) -> Json:
    kind = element["type"]
    name = _ANSWER_FIELDS.get(kind, "value")
    if name == "selected_option":
        return {"type": kind, name: None if value is None else _option(element, value)}
    if name == "selected_options":
        chosen = value if isinstance(value, list | tuple) else [value]
        return {"type": kind, name: [_option(element, one) for one in chosen]}
    return {"type": kind, name: value or None}


def _untouched(element: Json) -> Json:
    name = _ANSWER_FIELDS.get(element["type"], "value")
    initial = element.get("initial_" + name.removeprefix("selected_"))
    empty: object = [] if name in {"selected_options", "selected_users"} else None
    return {"type": element["type"], name: empty if initial is None else initial}


def _option(element: Json, value: object) -> Json:
    groups = element.get("option_groups") or [element]
    for group in groups:
        for option in group.get("options", ()):
            if option["value"] == value:
                return dict(option)
    raise LookupError(f"{value!r} is not among the options of {element['action_id']!r}")


# --- payloads ---


def command_fields(
    command: str, text: str, user: User, channel: Channel, *, trigger_id: str, response_url: str
) -> dict[str, str]:
    """The form of a slash command."""
    return {
        "token": _TOKEN,
        "team_id": TEAM,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def message_as_slack_sends_it(message: Message) -> Json:
    """A message as in API answers and interaction payloads."""
    sent: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": TEAM}
    if message.user == BOT_USER:
        sent |= {"bot_id": BOT, "app_id": APP}
    optional = {
        "blocks": list(message.blocks) or None,
        "thread_ts": message.thread_ts,
        "metadata": message.metadata,
        "files": list(message.files) or None,
        "edited": {"user": message.user, "ts": message.ts} if message.edited else None,
    }
    return sent | {name: value for name, value in optional.items() if value is not None}


def message_press(
    message: Message, action: Json, user: User, channel: Channel, *, trigger_id: str, response_url: str, state: Json
) -> Json:
    """``block_actions`` from a message; an ephemeral one is not itself part of the payload."""
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
        **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
    }
    shown = {} if message.only_for else {"message": message_as_slack_sends_it(message)}
    return {
        **_envelope("block_actions", user, trigger_id),
        "container": container,
        "channel": _place(channel),
        **shown,
        "state": {"values": state},
        "response_url": response_url,
        "actions": [action],
    }


def view_press(view: View, action: Json, user: User, *, trigger_id: str, state: Json) -> Json:
    """``block_actions`` from a modal or the Home tab: no channel, no message, no response_url."""
    return {
        **_envelope("block_actions", user, trigger_id),
        "container": {"type": "view", "view_id": view.id},
        "view": view.as_slack_sends_it(state),
        "actions": [action],
    }


def pressed(block_id: str, element: Json, *, selected: object, action_ts: str) -> Json:
    """One entry of ``actions``."""
    action = {"type": element["type"], "action_id": element["action_id"], "block_id": block_id, "action_ts": action_ts}
    if element["type"] != "button":
        return {**_answer(element, selected), **action}
    return {**action, **{name: element[name] for name in ("text", "value", "style") if name in element}}


def view_submission(view: View, user: User, *, trigger_id: str, state: Json) -> Json:
    """A modal's submit button was pressed."""
    return {
        **_envelope("view_submission", user, trigger_id),
        "view": view.as_slack_sends_it(state),
        "response_urls": [],
    }


def view_closed(view: View, user: User, *, is_cleared: bool) -> Json:
    """A modal was dismissed; sent only when it asked for that."""
    envelope = _envelope("view_closed", user, "")
    del envelope["trigger_id"]
    return {**envelope, "view": view.as_slack_sends_it(), "is_cleared": is_cleared}


def global_shortcut(callback_id: str, user: User, *, trigger_id: str, action_ts: str) -> Json:
    """A shortcut from the menu: no channel, no response_url."""
    return {**_envelope("shortcut", user, trigger_id), "callback_id": callback_id, "action_ts": action_ts}


def message_shortcut(
    callback_id: str,
    message: Message,
    user: User,
    channel: Channel,
    *,
    trigger_id: str,
    response_url: str,
    action_ts: str,
) -> Json:
    """A shortcut used on a message."""
    return {
        **_envelope("message_action", user, trigger_id),
        "callback_id": callback_id,
        "action_ts": action_ts,
        "response_url": response_url,
        "channel": _place(channel),
        "message_ts": message.ts,
        "message": message_as_slack_sends_it(message),
    }


def event_callback(event: Json, *, event_id: str, event_time: int) -> Json:
    """The outer body of an Events API delivery."""
    authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}
    return {
        "token": _TOKEN,
        "team_id": TEAM,
        "api_app_id": APP,
        "type": "event_callback",
        "event": event,
        "event_id": event_id,
        "event_time": event_time,
        "authorizations": [{**authorization, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
    }


def mention_event(message: Message) -> Json:
    """``app_mention``; ``thread_ts`` only where the mention stands in a thread."""
    event = {
        "type": "app_mention",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "event_ts": message.ts,
        "channel": message.channel,
        "team": TEAM,
    }
    return {**event, "thread_ts": message.thread_ts} if message.is_reply else event


def direct_event(message: Message) -> Json:
    """``message.im``: somebody wrote in the direct message with the bot."""
    event = {
        "type": "message",
        "channel_type": "im",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "event_ts": message.ts,
        "channel": message.channel,
        "team": TEAM,
    }
    return {**event, "thread_ts": message.thread_ts} if message.is_reply else event


def _envelope(kind: str, user: User, trigger_id: str) -> Json:
    return {
        "type": kind,
        "token": _TOKEN,
        "team": dict(_TEAM),
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": APP,
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": trigger_id,
    }


def _place(channel: Channel) -> Json:
    return {"id": channel.id, "name": channel.name}
