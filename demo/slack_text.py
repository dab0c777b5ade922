"""Messages as plain text for a terminal: mrkdwn flattened, blocks in order, buttons in brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from demo.slack_workspace import Message, View, Workspace

Json = dict[str, Any]

_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_MENTION = re.compile(r"<(?:@|#|!subteam\^)([A-Z0-9]+)(?:\|([^>]*))?>")
_LINK = re.compile(r"<((?:https?|mailto):[^|>]+)(?:\|([^>]*))?>")
_MARKED = re.compile(r"(?<![\w*_~`])([*_~`])(?=\S)([^\n]+?)(?<=\S)\1(?![\w*_~`])")
_FENCE = "```"


def thread_as_text(workspace: Workspace, messages: Sequence[Message]) -> str:
    """Messages of one thread, each under the name and UTC time of its author, replies indented."""
    return "\n\n".join(_with_author(workspace, message) for message in messages) + "\n"


def message_as_text(workspace: Workspace, message: Message) -> str:
    """One message: its blocks, or its text where it has none."""
    names = _names(workspace)
    if not message.blocks:
        return flattened(message.text, names)
    return "\n".join(filter(None, (_block(block, names) for block in message.blocks)))


def modal_as_text(workspace: Workspace, view: View) -> str:
    """A form: its title, its blocks, and what sends it."""
    names, payload = _names(workspace), view.payload
    blocks = (_block(block, names) for block in payload.get("blocks", ()))
    ends = (_text(payload.get(name), names) for name in ("submit", "close"))
    return "\n".join(
        filter(None, (_text(payload.get("title"), names), *blocks, *(f"[ {end} ]" for end in ends if end)))
    )


def flattened(mrkdwn: str, names: Mapping[str, str]) -> str:
    """Mrkdwn as plain text: marks gone, dates as their fallback, ids as names, escapes undone."""
    text = _DATE.sub(r"\1", mrkdwn)
    text = _MENTION.sub(lambda found: names.get(found[1]) or found[2] or found[1], text)
    text = _LINK.sub(lambda found: f"{found[2]} ({found[1]})" if found[2] else found[1], text)
    return unescaped(_unmarked(text))


def unescaped(text: str) -> str:
    """The three escapes of Slack undone."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _unmarked(text: str) -> str:
    """Bold, italic, strike and code without their marks; what stands in a code block stays as it is."""
    parts = text.split(_FENCE)
    return "".join(part if place % 2 else _unmarked_lines(part) for place, part in enumerate(parts))


def _unmarked_lines(text: str) -> str:
    before = None
    while before != text:  # marks may be nested: *_both_*
        before, text = text, _MARKED.sub(r"\2", text)
    return text


def _names(workspace: Workspace) -> dict[str, str]:
    people = {user.id: f"@{user.real_name}" for user in workspace.users.values()}
    places = {channel.id: f"#{channel.name}" for channel in workspace.channels.values()}
    return {**people, **places, **{group: f"@{name}" for group, name in workspace.group_names.items()}}


def _with_author(workspace: Workspace, message: Message) -> str:
    sent = datetime.fromtimestamp(int(message.ts.split(".")[0]), tz=UTC)
    author = workspace.users[message.user].real_name
    heading = f"{author}  {sent:%Y-%m-%d %H:%M} UTC"
    margin = "    " if message.is_reply else ""
    lines = [heading, *message_as_text(workspace, message).splitlines()]
    return "\n".join(f"{margin}{line}".rstrip() for line in lines)


# --- blocks ---


def _block(block: Json, names: Mapping[str, str]) -> str:
    write = _BLOCKS.get(str(block.get("type")))
    return write(block, names) if write else f"({block.get('type')})"


def _text(holder: object, names: Mapping[str, str]) -> str:
    if not isinstance(holder, dict):
        return ""
    written = str(holder.get("text", ""))
    return flattened(written, names) if holder.get("type") == "mrkdwn" else written


def _section(block: Json, names: Mapping[str, str]) -> str:
    fields = [_text(field, names) for field in block.get("fields", ())]
    accessory = block.get("accessory")
    pressed = _element(accessory, names) if accessory else ""
    return "\n".join(filter(None, (_text(block.get("text"), names), *fields, pressed)))


def _context(block: Json, names: Mapping[str, str]) -> str:
    return " ".join(_element(element, names) for element in block.get("elements", ()))


def _element(element: Json, names: Mapping[str, str]) -> str:
    kind = element.get("type")
    if kind in {"mrkdwn", "plain_text"}:
        return _text(element, names)
    if kind == "image":
        return f"(picture: {element.get('alt_text', '')})"
    label = _text(element.get("text"), names) or _text(element.get("placeholder"), names)
    if str(kind).endswith("_input"):
        return f"_____ {label}".strip()
    return f"[ {label or kind} ]"


def _image(block: Json, names: Mapping[str, str]) -> str:
    return f"(picture: {_text(block.get('title'), names) or block.get('alt_text', '')})"


def _input(block: Json, names: Mapping[str, str]) -> str:
    return f"{_text(block.get('label'), names)}: {_element(block.get('element', {}), names)}"


def _table(block: Json, names: Mapping[str, str]) -> str:
    return "\n".join(" | ".join(_cell(cell, names) for cell in row) for row in block.get("rows", ()))


def _cell(cell: Json, names: Mapping[str, str]) -> str:
    return _rich(cell, names) if cell.get("type") == "rich_text" else str(cell.get("text", ""))


def _rich(block: Json, names: Mapping[str, str]) -> str:
    return "\n".join(_rich_part(part, names) for part in block.get("elements", ()))


def _rich_part(part: Json, names: Mapping[str, str]) -> str:
    elements = part.get("elements", ())
    if part.get("type") != "rich_text_list":
        return "".join(_rich_inline(element, names) for element in elements)
    margin = "  " * int(part.get("indent", 0))
    marks = [f"{place}." if part.get("style") == "ordered" else "•" for place, _ in enumerate(elements, start=1)]
    return "\n".join(f"{margin}{mark} {_rich_part(item, names)}" for mark, item in zip(marks, elements, strict=True))


def _rich_inline(element: Json, names: Mapping[str, str]) -> str:
    kind = element.get("type")
    if kind == "emoji":
        return f":{element.get('name')}:"
    if kind == "date":
        return str(element.get("fallback", element.get("timestamp")))
    who = element.get("user_id") or element.get("channel_id") or element.get("usergroup_id")
    return names.get(str(who), str(who)) if who else str(element.get("text") or element.get("url", ""))


_BLOCKS: dict[str, Callable[[Json, Mapping[str, str]], str]] = {
    "header": lambda block, names: _text(block.get("text"), names),
    "section": _section,
    "context": _context,
    "actions": _context,
    "divider": lambda _block, _names: "─" * 40,
    "image": _image,
    "input": _input,
    "rich_text": _rich,
    "table": _table,
    "markdown": lambda block, _names: str(block.get("text", "")),
}
