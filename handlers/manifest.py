"""The app manifest that Slack makes the app from: least scopes, each with its reason; in two flavours. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from handlers.entries import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT

NEEDED: Final = {
    "commands": "the slash command and the shortcuts",
    "chat:write": "answer in the thread",
    "chat:write.public": "also in public channels the bot was not invited to",
    "app_mentions:read": "be asked by a mention, also inside a thread",
    "users:read": "whether who asks or approves is a guest, a bot, or of another workspace",
    "usergroups:read": "who is in a user group that approves",
    "channels:read": "whether who asks is in the shop's public channel",
    "groups:read": "the same for a private one",
}
OPTIONAL: Final = {
    "im:history": "be asked by direct message",
    "im:write": "tell somebody directly how to let the bot into a channel",
    "files:write": "lists, reports and charts",
    "channels:history": "only to look for a message already posted before repeating it after a lost answer",
    "groups:history": "the same in private channels",
}
EVENTS: Final = ("app_mention", "app_home_opened", "message.im")
DESCRIPTION: Final = "Why METRC cannot find a package that is on the shelf. The count is the last thing to touch."


def manifest(*, command: str, url: str | None) -> dict[str, Any]:
    """As an object. ``url``: where Slack reaches the bot over HTTP; None: Socket Mode."""
    slash: dict[str, Any] = {
        "command": command,
        "description": "Explain why a package does not match",
        "usage_hint": "package 1A4FF0100000022000001002",
        "should_escape": True,
    }
    reached = {} if url is None else {"request_url": url}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {"name": "Countlast", "description": DESCRIPTION, "background_color": "#1f3b4d"},
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "countlast", "always_online": True},
            "slash_commands": [slash if url is None else {**slash, "url": url}],
            "shortcuts": [
                {
                    "name": "Why is this missing?",
                    "type": "message",
                    "callback_id": MESSAGE_SHORTCUT,
                    "description": "Look up the packages, receipts and manifests in this message",
                },
                {
                    "name": "Ask about a package",
                    "type": "global",
                    "callback_id": GLOBAL_SHORTCUT,
                    "description": "Open the form: tag, shop, what the shelf says",
                },
            ],
        },
        "oauth_config": {"scopes": {"bot": [*NEEDED, *OPTIONAL], "bot_optional": [*OPTIONAL]}},
        "settings": {
            "event_subscriptions": {**reached, "bot_events": [*EVENTS]},
            "interactivity": {"is_enabled": True, **reached},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def as_yaml(told: dict[str, Any]) -> str:
    """As the YAML that Slack's form takes, with the reason beside each scope."""
    return "\n".join([*_lines(told, 0), ""])


def _lines(value: dict[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, held in value.items():
        if isinstance(held, dict):
            yield f"{pad}{name}:"
            yield from _lines(held, depth + 1)
        elif isinstance(held, list):
            yield f"{pad}{name}:"
            for item in held:
                yield from _item(item, depth + 1, with_reason=name == "bot")
        else:
            yield f"{pad}{name}: {json.dumps(held, ensure_ascii=False)}"


def _item(item: Any, depth: int, *, with_reason: bool) -> Iterator[str]:  # noqa: ANN401 - an object or a text
    pad = "  " * depth
    if not isinstance(item, dict):
        reason = {**NEEDED, **OPTIONAL}.get(item, "") if with_reason else ""
        yield f"{pad}- {json.dumps(item)}" + (f" # {reason}" if reason else "")
        return
    first, *rest = _lines(item, depth + 1)
    yield f"{pad}- {first.strip()}"
    yield from rest
