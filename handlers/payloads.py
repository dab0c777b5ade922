"""What stands in Slack's payloads of presses and forms. Nothing is taken for granted, and texts are cut to what ids need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from handlers.chat import Posted
from handlers.slack_calls import mapping

VALUE_LIMIT: Final = 1000
METADATA_LIMIT: Final = 2000


def action_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was pressed; empty when nothing was."""
    rows = body.get("actions")
    return mapping(rows[0]) if isinstance(rows, list) and rows else {}


def value_of(body: Mapping[str, Any]) -> str:
    """What the button holds: an id of ours."""
    return str(action_of(body).get("value") or "")[:VALUE_LIMIT]


def presser_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Workspace and id. The workspace is the presser's own, which in a shared channel is not the one of the button."""
    user = mapping(body.get("user"))
    team = user.get("team_id") or mapping(body.get("team")).get("id")
    return str(team or ""), str(user.get("id") or "")


def pressed_in(body: Mapping[str, Any]) -> Posted | None:
    """The message that was pressed; None for one that only one person sees, which nobody can rewrite."""
    container = mapping(body.get("container"))
    channel, ts = container.get("channel_id"), container.get("message_ts")
    if container.get("is_ephemeral") or not channel or not ts:
        return None
    return Posted(str(channel), str(ts))


def delivery_of(body: Mapping[str, Any]) -> str:
    """One key for every repeat of the same press; empty when the press does not say when it was made."""
    action = action_of(body)
    pressed_at = action.get("action_ts") or body.get("trigger_id")
    if not pressed_at:
        return ""
    container = mapping(body.get("container"))
    parts = (
        mapping(body.get("team")).get("id"),
        mapping(body.get("user")).get("id"),
        container.get("channel_id"),
        container.get("message_ts") or mapping(body.get("view")).get("id"),
        action.get("action_id"),
        pressed_at,
    )
    return ":".join(["action", *(str(part or "") for part in parts)])


def sent_view(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """A form that was sent, and one key for every repeat of it."""
    view = mapping(body.get("view"))
    team, person = presser_of(body)
    return view, f"view:{team}:{person}:{view.get('id')}"


def metadata_of(view: Mapping[str, Any], *names: str) -> dict[str, str]:
    """What our own form brought along; each name is there, empty when nothing was told."""
    try:
        told = mapping(json.loads(str(view.get("private_metadata") or "{}")))
    except ValueError:
        told = {}
    return {name: str(told.get(name) or "")[:METADATA_LIMIT] for name in names}


def input_of(view: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    """The state of one of our fields, whose action bears the name of its block."""
    values = mapping(mapping(view.get("state")).get("values"))
    return mapping(mapping(values.get(block)).get(block))


def typed_in(view: Mapping[str, Any], block: str) -> str:
    """What was typed, its ends cut."""
    return str(input_of(view, block).get("value") or "").strip()


def chosen_in(view: Mapping[str, Any], block: str) -> str:
    """The value that was chosen; empty when none was."""
    return str(mapping(input_of(view, block).get("selected_option")).get("value") or "")
