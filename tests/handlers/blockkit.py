"""What Slack would refuse about a message, and what we refuse besides: raw control sequences and oversized messages.

``problems(text, blocks)``, ``problems_of(payload)``, ``view_problems(view)`` and ``call_problems(method, arguments)``
return one sentence for each fault; none means that it may be sent. Only the blocks this bot uses are known; any other is
a fault. Sizes are counted in UTF-16 units, as Slack's clients do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import Block

from demo import blockkit as slacks_rules

MESSAGE_LIMIT = 10_000
TEXT_LIMIT = 4_000
METADATA_LIMIT = 3_000
FILE_NAME_LIMIT = 255
TITLE_LIMIT = 200
ALT_LIMIT = 1_000
ERROR_LIMIT = 300

# Of these some would turn plain text into mentions, and the others are never needed.
_NEVER_SENT = ("parse", "link_names", "attachments", "markdown_text", "reply_broadcast", "username", "icon_url")

# Everything between < and > that a reader may meet: a user, a date, or nothing at all.
_ALLOWED_CONTROL = re.compile(
    r"<@[UW][A-Z0-9]+>|<#[CG][A-Z0-9]+>|<!subteam\^S[A-Z0-9]{3,}>|<https?://[^<>|\s]+/archives/[A-Z0-9]+/p\d{16}[^<>|\s]*\|[^<>|]+>|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[^<>|&]+>"
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
# A lone surrogate is no text in any encoding; a control character but a new line is shown as nothing, or not at all.
_UNSENDABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def call_problems(method: str, arguments: dict[str, Any]) -> list[str]:
    """Faults of one call of the Web API, whatever it sends: a message, a view, a file; none of any other call."""
    if method in {"chat.postMessage", "chat.update", "chat.postEphemeral"}:
        return problems_of(arguments)
    if method in {"views.open", "views.push", "views.update", "views.publish"}:
        return view_problems(arguments.get("view"))
    if method == "files.getUploadURLExternal":
        return list(_file(arguments))
    if method == "files.completeUploadExternal":
        return [
            fault for file in arguments.get("files") or [{}] for fault in _text("title", file.get("title"), TITLE_LIMIT)
        ]
    return []


def ack_problems(answer: dict[str, Any]) -> list[str]:
    """Faults of what a ``view_submission`` was acknowledged with: a view, or a sentence under each field."""
    found = view_problems(answer["view"]) if "view" in answer else []
    for block, sentence in (answer.get("errors") or {}).items():
        found += _text(f"error under {block}", sentence, ERROR_LIMIT)
        found += _sendable(f"error under {block}", sentence)
    return found


def problems_of(payload: dict[str, Any]) -> list[str]:
    """Faults of a ``chat.postMessage``, ``chat.update`` or ``response_url`` payload."""
    found = [f"{name} is never sent" for name in _NEVER_SENT if name in payload]
    return found + list(_metadata(payload.get("metadata"))) + problems(payload.get("text"), payload.get("blocks") or [])


def view_problems(view: Any) -> list[str]:
    """Faults of a modal or a Home tab: by Slack's rules for views, and by ours for markup and size."""
    found = slacks_rules.view_problems(view)
    for text in _mrkdwn_in(view):
        found += _markup("view", text)
    for number, block in enumerate(view.get("blocks") or [] if isinstance(view, dict) else []):
        found += _second_opinion(f"block {number}", block)
    found += _sendable("view", view)
    total = characters(view)
    if total >= MESSAGE_LIMIT:
        found.append(f"{total} characters in one view")
    return found


def _metadata(metadata: Any) -> Iterator[str]:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        yield "metadata has no event_payload"
        return
    yield from _text("event_type", metadata.get("event_type"), 255)
    if characters(metadata) > METADATA_LIMIT:
        yield "metadata is too large"


def _file(arguments: dict[str, Any]) -> Iterator[str]:
    name = arguments.get("filename")
    yield from _text("filename", name, FILE_NAME_LIMIT)
    if isinstance(name, str) and not re.fullmatch(r"[\w.-]+", name):
        yield f"filename: {name!r} is no plain name"
    if int(arguments.get("length") or 0) <= 0:
        yield "an empty file"
    if arguments.get("alt_txt"):
        yield from _text("alt_txt", arguments["alt_txt"], ALT_LIMIT)
        yield from _sendable("alt_txt", arguments["alt_txt"])
    elif isinstance(name, str) and name.endswith(".png"):
        yield "a picture that nothing describes"


def characters(value: Any) -> int:
    """All characters of a message's or view's texts, in UTF-16 units; ids and values included."""
    return sum(_units(each) for each in _strings(value))


def _mrkdwn_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield str(value.get("text"))
        for each in value.values():
            yield from _mrkdwn_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _mrkdwn_in(each)


def problems(text: Any, blocks: list[dict[str, Any]]) -> list[str]:
    """Faults of one message."""
    return list(_problems(text, blocks))


def _problems(text: Any, blocks: Any) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        yield "no fallback text"
    else:
        yield from _text("fallback", text, TEXT_LIMIT)
        yield from _markup("fallback", text)
    if not isinstance(blocks, list) or len(blocks) > 50:
        yield "blocks must be a list of at most 50"
        return
    for number, block in enumerate(blocks):
        yield from _block(f"block {number}", block)
    yield from slacks_rules.message_problems(blocks)
    yield from _sendable("message", [text, blocks])
    total = characters([text, blocks])
    if total >= MESSAGE_LIMIT:
        yield f"{total} characters in one message"


def _block(where: str, block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    checks = {"section": _section, "context": _context, "actions": _actions, "divider": lambda *_: iter(())}
    if kind not in checks:
        yield f"{where}: unknown block {kind!r}"
        return
    yield from checks[kind](where, block)
    yield from _second_opinion(where, block)


def _second_opinion(where: str, block: Any) -> Iterator[str]:
    try:
        parsed = Block.parse(block)
        if parsed is None:
            yield f"{where}: slack_sdk does not know it"
        else:
            parsed.validate_json()
    except Exception as error:  # noqa: BLE001 - the second opinion raises whatever it likes
        yield f"{where}: slack_sdk says {error}"


def _section(where: str, block: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(where, block, {"type", "text", "block_id"})
    yield from _text_object(where, block.get("text"), 3000, plain=False)


def _context(where: str, block: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(where, block, {"type", "elements", "block_id"})
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= 10:
        yield f"{where}: a context holds 1 to 10 elements"
    for element in elements:
        yield from _text_object(where, element, 3000, plain=False)


def _actions(where: str, block: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(where, block, {"type", "elements", "block_id"})
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= 25:
        yield f"{where}: actions hold 1 to 25 elements"
    if sum(element.get("style") == "primary" for element in elements) > 1:
        yield f"{where}: more than one button is primary"
    for element in elements:
        yield from _button(where, element)


def _button(where: str, button: dict[str, Any]) -> Iterator[str]:
    known = {"type", "text", "action_id", "value", "style", "confirm", "accessibility_label"}
    yield from _unknown(where, button, known)
    if button.get("type") != "button":
        yield f"{where}: only buttons are used"
    yield from _text_object(f"{where} button", button.get("text"), 75, plain=True)
    yield from _text(f"{where} action_id", button.get("action_id"), 255)
    yield from _text(f"{where} value", button.get("value"), 2000)
    if "accessibility_label" in button:
        yield from _text(f"{where} accessibility_label", button["accessibility_label"], 75)
    if button.get("style") not in {None, "primary", "danger"}:
        yield f"{where}: no such style"
    if "confirm" in button:
        yield from _confirm(where, button["confirm"])


def _confirm(where: str, confirm: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(where, confirm, {"title", "text", "confirm", "deny", "style"})
    for name, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text_object(f"{where} confirm {name}", confirm.get(name), limit, plain=True)


def _text_object(where: str, value: Any, limit: int, *, plain: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: a text object is missing"
        return
    yield from _unknown(where, value, {"type", "text"} if plain else {"type", "text", "verbatim"})
    if value.get("type") != ("plain_text" if plain else "mrkdwn"):
        yield f"{where}: {value.get('type')} where {'plain_text' if plain else 'mrkdwn'} belongs"
    yield from _text(where, value.get("text"), limit)
    if not plain and isinstance(value.get("text"), str):
        yield from _markup(where, value["text"])


def _text(where: str, value: Any, limit: int) -> Iterator[str]:
    if not isinstance(value, str) or not value.strip():
        yield f"{where}: empty text"
    elif _units(value) > limit:
        yield f"{where}: {_units(value)} characters, at most {limit}"


def _markup(where: str, value: str) -> Iterator[str]:
    rest = _ALLOWED_CONTROL.sub("", value)
    if "<" in rest or ">" in rest:
        yield f"{where}: a raw control sequence in {rest!r}"
    if _BARE_AMPERSAND.search(rest):
        yield f"{where}: a bare ampersand in {rest!r}"
    for line in value.split("\n"):
        if line.count("`") % 2:
            yield f"{where}: an open code span in {line!r}"
    if re.search("[\u202a-\u202e\u2066-\u2069\u200b]", value):
        yield f"{where}: characters that reorder or hide text"


def _unknown(where: str, value: dict[str, Any], known: set[str]) -> Iterator[str]:
    for key in sorted(set(value) - known):
        yield f"{where}: unknown key {key!r}"


def _sendable(where: str, value: Any) -> Iterator[str]:
    for text in _strings(value):
        if _UNSENDABLE.search(text):
            yield f"{where}: characters that cannot be sent in {text[:200]!r}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
