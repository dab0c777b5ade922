"""Refuses the Block Kit payloads that Slack would refuse, with Slack's kind of sentence and a JSON pointer.

The rules are tables of small checks; a check takes a value and where it stands and yields one sentence per problem.
Only the long-established blocks are known. Newer ones are refused, because not every client draws them. Lengths are in
UTF-16 units, as clients count: an emoji is two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Check = Callable[[object, str], Iterator[str]]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_CHARACTERS = 13_200  # not documented by Slack, but refused with msg_blocks_too_long beyond about this
MARKDOWN_CHARACTERS = 12_000


def message_problems(blocks: object) -> list[str]:
    """What Slack would refuse in the ``blocks`` of a message; empty when it would take them."""
    return [*_listing(_block("message"), 0, MESSAGE_BLOCKS)(blocks, "/blocks"), *_across(blocks)]


def view_problems(view: object) -> list[str]:
    """What Slack would refuse in a modal or Home view; empty when it would take it."""
    problems = list(_VIEW(view, ""))
    if not isinstance(view, dict):
        return problems
    return [*problems, *_across(view.get("blocks")), *_submit_missing(view)]


def characters(value: object) -> int:
    """All characters that a message's blocks show, buttons and labels included."""
    if isinstance(value, list | tuple):
        return sum(characters(part) for part in value)
    if not isinstance(value, dict):
        return 0
    own = value.get("text")
    return (_length(own) if isinstance(own, str) else 0) + sum(characters(part) for part in value.values())


def _problem(sentence: str, pointer: str) -> str:
    return f"[ERROR] {sentence} [json-pointer:{pointer or '/'}]"


# --- checks of single values ---


def _string(most: int, least: int = 1) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _problem("must be a string", pointer)
        elif len(value) < least:
            yield _problem(f"must be more than {least - 1} characters", pointer)
        elif _length(value) > most:
            yield _problem(f"must be less than {most + 1} characters", pointer)

    return check


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _pattern(form: str, example: str) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, str) or not re.fullmatch(form, value):
            yield _problem(f"must be like {example}", pointer)

    return check


def _one_of(*accepted: str) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if value not in accepted:
            yield _problem(f"must be one of: {', '.join(accepted)}", pointer)

    return check


def _boolean(value: object, pointer: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield _problem("must be a boolean", pointer)


def _integer(least: int, most: int) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            yield _problem(f"must be a whole number from {least} to {most}", pointer)

    return check


def _number(value: object, pointer: str) -> Iterator[str]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield _problem("must be a number", pointer)


def _anything(value: object, pointer: str) -> Iterator[str]:  # noqa: ARG001 - a check that never objects
    return iter(())


def _listing(each: Check, least: int, most: int) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, list | tuple):
            yield _problem("must be an array", pointer)
            return
        if len(value) < least:
            yield _problem(f"no fewer than {least} items allowed", pointer)
        if len(value) > most:
            yield _problem(f"no more than {most} items allowed", pointer)
        for place, item in enumerate(value):
            yield from each(item, f"{pointer}/{place}")

    return check


def _shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    known = {**required, **(optional or {})}

    def check(value: object, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _problem("must be an object", pointer)
            return
        for key in required:
            if key not in value:
                yield _problem(f"missing required field: {key}", pointer)
        for key, held in value.items():
            if key in known:
                yield from known[key](held, f"{pointer}/{key}")
            else:
                yield _problem(f"invalid additional property: {key}", pointer)

    return check


def _typed(table: Mapping[str, Check]) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            yield _problem("missing required field: type", pointer)
        elif kind not in table:
            yield _problem(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            yield from table[kind](value, pointer)

    return check


def _exactly_one(*names: str) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, dict) and sum(name in value for name in names) != 1:
            yield _problem(f"exactly one of these is needed: {', '.join(names)}", pointer)

    return check


def _at_least_one(*names: str) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        if isinstance(value, dict) and not any(name in value for name in names):
            yield _problem(f"at least one of these is needed: {', '.join(names)}", pointer)

    return check


def _all(*checks: Check) -> Check:
    def check(value: object, pointer: str) -> Iterator[str]:
        for one in checks:
            yield from one(value, pointer)

    return check


# --- composition objects ---


def _plain(most: int) -> Check:
    return _shape({"type": _one_of("plain_text"), "text": _string(most)}, {"emoji": _boolean})


def _text(most: int) -> Check:
    mrkdwn = _shape({"type": _anything, "text": _string(most)}, {"verbatim": _boolean})
    return _typed({"plain_text": _plain(most), "mrkdwn": mrkdwn})


_ID = _string(255)
_CONFIRM = _shape(
    {"title": _plain(100), "text": _text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": _one_of("primary", "danger")},
)
_OPTION = _shape({"text": _plain(75), "value": _string(150)}, {"description": _plain(75)})
_CHOICE = _shape({"text": _text(75), "value": _string(150)}, {"description": _text(75)})
_OVERFLOW_OPTION = _shape(
    {"text": _plain(75), "value": _string(150)}, {"description": _plain(75), "url": _string(3000)}
)
_GROUP = _shape({"label": _plain(75), "options": _listing(_OPTION, 1, 100)})


# --- elements ---


def _element(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return _shape({"type": _anything, **required}, {"action_id": _ID, **(optional or {})})


def _picker(**initial: Check) -> Check:
    shared = {"placeholder": _plain(150), "confirm": _CONFIRM, "focus_on_load": _boolean}
    return _element({}, {**shared, **initial})


def _initial_is_offered(value: object, pointer: str) -> Iterator[str]:
    if isinstance(value, dict) and "initial_option" in value and value["initial_option"] not in _offered(value):
        yield _problem("must be one of the options", f"{pointer}/initial_option")
    if isinstance(value, dict) and isinstance(value.get("initial_options"), list | tuple):
        offered = _offered(value)
        if any(one not in offered for one in value["initial_options"]):
            yield _problem("must all be among the options", f"{pointer}/initial_options")


def _offered(element: Json) -> list[object]:
    groups = element.get("option_groups", ())
    grouped = [option for group in groups if isinstance(group, dict) for option in group.get("options", ())]
    return [*element.get("options", ()), *grouped]


def _select(**more: Check) -> Check:
    options = {"options": _listing(_OPTION, 1, 100), "option_groups": _listing(_GROUP, 1, 100)}
    return _all(_picker(**options, **more), _exactly_one("options", "option_groups"), _initial_is_offered)


def _choices(**initial: Check) -> Check:
    optional = {"confirm": _CONFIRM, "focus_on_load": _boolean, **initial}
    return _all(_element({"options": _listing(_CHOICE, 1, 10)}, optional), _initial_is_offered)


def _typed_input(required: Mapping[str, Check] | None = None, **more: Check) -> Check:
    shared = {"placeholder": _plain(150), "focus_on_load": _boolean, "dispatch_action_config": _DISPATCH}
    return _element(required or {}, {**shared, "initial_value": _string(3000, 0), **more})


def _initial_fits(value: object, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    least, most, first = value.get("min_length", 0), value.get("max_length", 3000), value.get("initial_value", "")
    if not isinstance(least, int) or not isinstance(most, int):
        return
    if least > most:
        yield _problem("min_length must not be more than max_length", pointer)
    if isinstance(first, str) and _length(first) > most:
        yield _problem("must not be longer than max_length", f"{pointer}/initial_value")


_DISPATCH = _shape({}, {"trigger_actions_on": _listing(_one_of("on_enter_pressed", "on_character_entered"), 1, 2)})
_BUTTON = _element(
    {"text": _plain(75)},
    {
        "value": _string(2000),
        "url": _string(3000),
        "style": _one_of("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": _string(75),
    },
)
_IMAGE_ELEMENT = _shape({"type": _anything, "image_url": _string(3000), "alt_text": _string(2000)})
_OVERFLOW = _element({"options": _listing(_OVERFLOW_OPTION, 1, 5)}, {"confirm": _CONFIRM})

_PRESSED: dict[str, Check] = {
    "button": _BUTTON,
    "overflow": _OVERFLOW,
}
_CHOSEN: dict[str, Check] = {
    "static_select": _select(initial_option=_OPTION),
    "users_select": _picker(initial_user=_string(20)),
    "channels_select": _picker(initial_channel=_string(20), response_url_enabled=_boolean),
    "conversations_select": _picker(
        initial_conversation=_string(20),
        default_to_current_conversation=_boolean,
        response_url_enabled=_boolean,
        filter=_anything,
    ),
    "datepicker": _picker(initial_date=_pattern(r"\d{4}-\d{2}-\d{2}", "2026-03-03")),
    "timepicker": _picker(initial_time=_pattern(r"\d{2}:\d{2}", "09:30"), timezone=_string(100)),
    "checkboxes": _choices(initial_options=_listing(_CHOICE, 1, 10)),
    "radio_buttons": _choices(initial_option=_CHOICE),
}
_CHOSEN_MANY: dict[str, Check] = {
    "multi_static_select": _select(initial_options=_listing(_OPTION, 1, 100), max_selected_items=_integer(1, 100)),
    "multi_users_select": _picker(initial_users=_listing(_string(20), 1, 100), max_selected_items=_integer(1, 100)),
}
_WRITTEN: dict[str, Check] = {
    "plain_text_input": _all(
        _typed_input(multiline=_boolean, min_length=_integer(0, 3000), max_length=_integer(1, 3000)),
        _initial_fits,
    ),
    "number_input": _typed_input({"is_decimal_allowed": _boolean}, min_value=_string(100), max_value=_string(100)),
    "email_text_input": _typed_input(),
    "url_text_input": _typed_input(),
}

_IN_ACTIONS = _typed({**_PRESSED, **_CHOSEN})
_IN_ACCESSORY = _typed({**_PRESSED, **_CHOSEN, **_CHOSEN_MANY, "image": _IMAGE_ELEMENT})
_IN_INPUT = _typed({**_CHOSEN, **_CHOSEN_MANY, **_WRITTEN})
_IN_CONTEXT = _typed({"plain_text": _plain(3000), "mrkdwn": _text(3000), "image": _IMAGE_ELEMENT})


# --- rich text ---

_STYLE = _shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), _boolean))
_RICH_INLINE = _typed(
    {
        "text": _shape({"type": _anything, "text": _string(3000)}, {"style": _STYLE}),
        "link": _shape({"type": _anything, "url": _string(3000)}, {"text": _string(3000), "style": _STYLE}),
        "user": _shape({"type": _anything, "user_id": _string(20)}, {"style": _STYLE}),
        "usergroup": _shape({"type": _anything, "usergroup_id": _string(20)}, {"style": _STYLE}),
        "channel": _shape({"type": _anything, "channel_id": _string(20)}, {"style": _STYLE}),
        "emoji": _shape({"type": _anything, "name": _string(100)}, {"unicode": _string(100), "style": _STYLE}),
        "date": _shape(
            {"type": _anything, "timestamp": _integer(0, 2**40), "format": _string(500)},
            {"fallback": _string(500), "url": _string(3000), "style": _STYLE},
        ),
    }
)
_RICH_LINES = _listing(_RICH_INLINE, 0, 1000)
_RICH_SECTION = _shape({"type": _one_of("rich_text_section"), "elements": _RICH_LINES})
_RICH_PART = _typed(
    {
        "rich_text_section": _RICH_SECTION,
        "rich_text_list": _shape(
            {
                "type": _anything,
                "style": _one_of("bullet", "ordered"),
                "elements": _listing(_RICH_SECTION, 1, 1000),
            },
            {"indent": _integer(0, 8), "offset": _integer(0, 10_000), "border": _integer(0, 1)},
        ),
        "rich_text_quote": _shape({"type": _anything, "elements": _RICH_LINES}, {"border": _integer(0, 1)}),
        "rich_text_preformatted": _shape({"type": _anything, "elements": _RICH_LINES}, {"border": _integer(0, 1)}),
    }
)


# --- blocks ---


def _layout(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return _shape({"type": _anything, **required}, {"block_id": _ID, **(optional or {})})


_RICH_TEXT = _layout({"elements": _listing(_RICH_PART, 1, 100)})
_CELL = _typed(
    {
        "raw_text": _shape({"type": _anything, "text": _string(3000)}),
        "raw_number": _shape({"type": _anything, "value": _number}, {"text": _string(3000)}),
        "rich_text": _RICH_TEXT,
    }
)
_COLUMN = _shape({}, {"align": _one_of("left", "center", "right"), "is_wrapped": _boolean})
_EVERYWHERE: dict[str, Check] = {
    "section": _all(
        _layout(
            {},
            {
                "text": _text(3000),
                "fields": _listing(_text(2000), 1, 10),
                "accessory": _IN_ACCESSORY,
                "expand": _boolean,
            },
        ),
        _at_least_one("text", "fields"),
    ),
    "header": _layout({"text": _plain(150)}),
    "context": _layout({"elements": _listing(_IN_CONTEXT, 1, 10)}),
    "actions": _layout({"elements": _listing(_IN_ACTIONS, 1, 25)}),
    "divider": _layout({}),
    "image": _all(
        _layout(
            {"alt_text": _string(2000)},
            {"image_url": _string(3000), "slack_file": _anything, "title": _plain(2000)},
        ),
        _exactly_one("image_url", "slack_file"),
    ),
    "input": _layout(
        {"label": _plain(2000), "element": _IN_INPUT},
        {"hint": _plain(2000), "optional": _boolean, "dispatch_action": _boolean},
    ),
    "rich_text": _RICH_TEXT,
}
_TABLE = _layout({"rows": _listing(_listing(_CELL, 1, 20), 1, 100)}, {"column_settings": _listing(_COLUMN, 1, 20)})
_ALERT = _layout({"text": _text(200)}, {"level": _one_of("default", "info", "warning", "error", "success")})
_SURFACES: dict[str, Check] = {
    "message": _typed({**_EVERYWHERE, "markdown": _layout({"text": _string(MARKDOWN_CHARACTERS)}), "table": _TABLE}),
    "modal": _typed({**_EVERYWHERE, "alert": _ALERT}),
    "home": _typed({**_EVERYWHERE, "table": _TABLE}),
}


def _block(surface: str) -> Check:
    return _SURFACES[surface]


# --- rules across blocks ---


def _across(blocks: object) -> Iterator[str]:
    listed = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list | tuple) else []
    yield from _repeated([block.get("block_id") for block in listed], "block_id", "/blocks")
    for place, block in enumerate(listed):
        yield from _repeated(_action_ids(block), "action_id", f"/blocks/{place}")
    yield from _one_table(listed)
    yield from _markdown_in_total(listed)


def _action_ids(block: Json) -> list[object]:
    parts = [*_dicts(block.get("elements")), *_dicts([block.get("accessory"), block.get("element")])]
    return [part.get("action_id") for part in parts]


def _dicts(value: object) -> list[Json]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list | tuple) else []


def _repeated(ids: Sequence[object], name: str, pointer: str) -> Iterator[str]:
    given = [one for one in ids if one is not None]
    for one in sorted({str(one) for one in given if given.count(one) > 1}):
        yield _problem(f"{name} {one!r} is used more than once", pointer)


def _one_table(blocks: Sequence[Json]) -> Iterator[str]:
    if sum(block.get("type") == "table" for block in blocks) > 1:
        yield _problem("only_one_table_allowed", "/blocks")


def _markdown_in_total(blocks: Sequence[Json]) -> Iterator[str]:
    written = [str(block.get("text", "")) for block in blocks if block.get("type") == "markdown"]
    if len(written) > 1 and sum(map(len, written)) > MARKDOWN_CHARACTERS:
        yield _problem(
            f"all markdown blocks together must be less than {MARKDOWN_CHARACTERS + 1} characters", "/blocks"
        )


# --- views ---

_KEPT: dict[str, Check] = {
    "callback_id": _ID,
    "external_id": _string(255, 0),
    "private_metadata": _string(3000, 0),
}
_VIEW = _typed(
    {
        "modal": _shape(
            {
                "type": _anything,
                "title": _plain(24),
                "blocks": _listing(_block("modal"), 0, VIEW_BLOCKS),
            },
            {
                **_KEPT,
                "submit": _plain(24),
                "close": _plain(24),
                "clear_on_close": _boolean,
                "notify_on_close": _boolean,
                "submit_disabled": _boolean,
            },
        ),
        "home": _shape({"type": _anything, "blocks": _listing(_block("home"), 0, VIEW_BLOCKS)}, _KEPT),
    }
)


def _submit_missing(view: Json) -> Iterator[str]:
    has_input = any(block.get("type") == "input" for block in _dicts(view.get("blocks")))
    if view.get("type") == "modal" and has_input and "submit" not in view:
        yield _problem("missing required field: submit", "")
