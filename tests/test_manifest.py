"""The app manifest is what Slack accepts, asks for no more than the bot uses, and for all that it uses."""

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from bot.cli import app
from bot.errors import ConfigurationError
from bot.settings import Settings
from handlers.entries import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "tests/data/slack-manifest.schema.2.0.0.json"

# Which scope lets the bot call which Web API method. A method that needs none has an empty set.
SCOPES = {
    "chat_postMessage": {"chat:write", "chat:write.public"},
    "chat_update": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_delete": {"chat:write"},
    "chat_getPermalink": set(),
    "views_open": set(),
    "views_update": set(),
    "views_publish": set(),
    "conversations_members": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "users_info": {"users:read"},
    "usergroups_users_list": {"usergroups:read"},
    "auth_test": set(),
    "conversations_history": {"channels:history", "groups:history"},
    "conversations_replies": {"channels:history", "groups:history"},
    "files_getUploadURLExternal": {"files:write"},
    "files_completeUploadExternal": {"files:write"},
}
# Events and the scope without which Slack does not deliver them.
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "app_home_opened": None,
    "message.im": "im:history",
    "app_uninstalled": None,
    "tokens_revoked": None,
}
KNOWN_SCOPES = {"commands", *EVENT_SCOPES.values(), *(scope for scopes in SCOPES.values() for scope in scopes)} - {None}


@pytest.fixture
def manifest():
    return yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))


def faults(manifest) -> list[str]:
    """What Slack refuses although its schema does not say so."""
    settings, features = manifest["settings"], manifest["features"]
    found = []
    if not settings.get("socket_mode_enabled"):
        found += [f"{c['command']} has no url" for c in features.get("slash_commands", []) if "url" not in c]
        for group in ("interactivity", "event_subscriptions"):
            if group in settings and "request_url" not in settings[group]:
                found.append(f"{group} has no request_url")
    if not re.fullmatch(r"[a-z0-9._-]+", features["bot_user"]["display_name"]):
        found.append("the bot's name must be lower case")
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    found += [f"unknown scope {scope}" for scope in sorted(scopes - KNOWN_SCOPES)]
    for event in settings.get("event_subscriptions", {}).get("bot_events", []):
        if event not in EVENT_SCOPES:
            found.append(f"unknown event {event}")
        elif EVENT_SCOPES[event] and EVENT_SCOPES[event] not in scopes:
            found.append(f"{event} needs {EVENT_SCOPES[event]}")
    for kind in ("message", "global"):
        if sum(shortcut["type"] == kind for shortcut in features.get("shortcuts", [])) > 5:
            found.append(f"more than five {kind} shortcuts")
    return found


def called_methods() -> set[str]:
    """Every Web API method that a file of the Slack side calls, by its name in the client."""
    names = {
        node.attr
        for path in (ROOT / "handlers").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    return {
        name for name in names if re.match(r"(chat|views|users|usergroups|conversations|files|auth|reactions)_", name)
    }


def test_slack_accepts_the_manifest(manifest):
    """Against the schema, and against what the schema misses."""
    jsonschema.validate(manifest, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert faults(manifest) == []


def test_what_the_schema_misses_is_noticed(manifest):
    """Each fault is found in a manifest that is healthy but for it."""
    manifest["settings"]["socket_mode_enabled"] = False
    unreachable = ["interactivity has no request_url", "event_subscriptions has no request_url"]
    assert faults(manifest) == ["/reconcile has no url", *unreachable]
    manifest["settings"]["socket_mode_enabled"] = True
    manifest["features"]["bot_user"]["display_name"] = "Countlast"
    manifest["oauth_config"]["scopes"]["bot"].append("chat:wirte")
    manifest["oauth_config"]["scopes"]["bot"].remove("app_mentions:read")
    manifest["settings"]["event_subscriptions"] = {"bot_events": ["app_mention", "app_mentoin"]}
    manifest["features"]["shortcuts"] = [{"type": "global"}] * 6
    assert faults(manifest) == [
        "the bot's name must be lower case",
        "unknown scope chat:wirte",
        "app_mention needs app_mentions:read",
        "unknown event app_mentoin",
        "more than five global shortcuts",
    ]


def test_scopes_are_exactly_those_the_bot_uses(manifest):
    """A scope more, or a call without its scope, fails here."""
    methods = called_methods()
    assert methods
    assert methods <= set(SCOPES), "say which scope the new method needs"
    events = {EVENT_SCOPES[event] for event in manifest["settings"]["event_subscriptions"]["bot_events"]} - {None}
    needed = {"commands"}.union(events, *(SCOPES[name] for name in methods))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed
    assert set(manifest["oauth_config"]["scopes"]["bot_optional"]) < needed


def test_the_command_is_the_one_the_bot_answers(manifest):
    """By default; mentions in its text come with ids."""
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == Settings(facilities=()).command
    assert command["should_escape"] is True


def test_nothing_is_subscribed_that_is_not_answered(manifest):
    """Every event and shortcut has its listener; tokens do not rotate behind a fixed one."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "handlers").glob("*.py"))
    for event in manifest["settings"]["event_subscriptions"]["bot_events"]:
        assert f'app.event("{event.partition(".")[0]}"' in source
    kinds = {shortcut["type"]: shortcut["callback_id"] for shortcut in manifest["features"]["shortcuts"]}
    assert kinds == {"message": MESSAGE_SHORTCUT, "global": GLOBAL_SHORTCUT}
    assert manifest["settings"]["token_rotation_enabled"] is False
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


def printed(*arguments: str):
    return CliRunner().invoke(app, ["slack-manifest", *arguments])


def test_the_file_is_what_the_command_prints(manifest):
    """So that neither grows old."""
    text = printed().stdout
    assert text == (ROOT / "manifest.yml").read_text(encoding="utf-8")


def test_the_http_flavour_names_the_address_in_all_three_places():
    """And Slack accepts it too."""
    told = yaml.safe_load(printed("--mode", "http", "--url", "https://bot.example", "--command", "/count").stdout)
    jsonschema.validate(told, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert faults(told) == []
    url = "https://bot.example/slack/events"
    assert told["features"]["slash_commands"][0]["url"] == url
    assert told["settings"]["interactivity"]["request_url"] == url
    assert told["settings"]["event_subscriptions"]["request_url"] == url
    assert told["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--mode", "pigeon"], "accepted: socket, http"),
        (["--mode", "http"], "begins with https://"),
        (["--mode", "http", "--url", "http://x"], "begins with https://"),
        (["--url", "https://x"], "leave it out"),
        (["--command", "reconcile"], "--command is 'reconcile'"),
    ],
)
def test_what_cannot_be_a_manifest_is_one_sentence(arguments, problem):
    """With the accepted values."""
    with pytest.raises(ConfigurationError, match=problem):
        CliRunner().invoke(app, ["slack-manifest", *arguments], catch_exceptions=False, standalone_mode=False)
