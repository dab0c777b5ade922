"""The rules of the two judges that the other tests rely on: a sound payload passes, and each single fault in it is seen."""

from __future__ import annotations

from copy import deepcopy

import pytest

from demo import blockkit as slacks_rules
from handlers.render.blocks import actions, button, section
from handlers.render.form import render_form
from handlers.render.verdict import render_verdict_form
from tests.handlers import blockkit
from tests.handlers.values import HARBOR, HILL, settings

METADATA = {"event_type": "countlast_message", "event_payload": {"key": "k"}}
FILE = {"filename": "402R-X0042.png", "length": 12, "alt_txt": "Chart: packages by cause."}
ROW = {"type": "table", "rows": [[{"type": "raw_number", "value": 3.5}]]}


def message(**changes):
    return {"channel": "C0FLOOR", "text": "Done", "blocks": [section("Done")], "metadata": METADATA} | changes


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "chat.postEphemeral"])
@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"text": " \n"},
        {"text": "a\x00b"},
        {"text": "a\ud800b"},
        {"text": "<!channel>"},
        {"text": "x" * 3_999, "blocks": [section("x" * 2_990)] * 2 + [section("x" * 100)]},
        {"blocks": [section(" ")]},
        {"blocks": [section("\x1b[31m")]},
        {"blocks": [actions("a", [button("a", action_id=n, value="v", style="primary") for n in "xy"])]},
        {"blocks": [actions("a", [button("a", action_id="x", value="v") | {"url": "https://evil.example"}])]},
        {"blocks": [section("x") | {"accessory": button("a", action_id="x", value="v")}]},
        {"blocks": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}]},
        {"parse": "full"},
        {"link_names": True},
        {"attachments": []},
        {"metadata": {"event_type": "x"}},
        {"metadata": {"event_type": "", "event_payload": {}}},
        {"metadata": METADATA | {"event_payload": {"key": "k" * 3_000}}},
    ],
)
def test_a_fault_of_a_message_is_seen_in_every_way_of_sending_it(method, change):
    """Posted, rewritten, or told to one person."""
    assert blockkit.call_problems(method, message()) == []
    assert blockkit.call_problems(method, message(**change))


def view():
    return deepcopy(render_form(settings(HARBOR, HILL), "C0FLOOR", "{}"))


def changed(path, value):
    """The form with one thing in it changed; ``path`` leads there."""
    form = view()
    place = form
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return form


@pytest.mark.parametrize("method", ["views.open", "views.push", "views.update", "views.publish"])
@pytest.mark.parametrize(
    "broken",
    [
        changed(["title", "text"], "x" * 25),
        changed(["title", "text"], "🙂" * 13),
        changed(["private_metadata"], "🙂" * 1501),
        changed(["callback_id"], "a\x00"),
        changed(["blocks", 0, "hint", "text"], "x" * 2001),
        changed(["blocks", 0, "element", "min_length"], 3001),
        changed(["blocks", 0, "element", "initial_value"], "x" * 3001),
        changed(["blocks", 1, "element", "options", 0, "text", "text"], "x" * 76),
        changed(["blocks", 1, "element", "options", 0, "value"], "x" * 151),
        changed(["blocks", 1, "element", "placeholder", "text"], "x" * 151),
        changed(["blocks", 1, "element", "initial_option"], {"text": {"type": "plain_text", "text": "x"}, "value": "x"}),
        changed(["blocks", 1, "block_id"], "what"),
        changed(["blocks"], [section("<@U0EVIL|x>")]),
        changed(["blocks"], [section("x" * 2_500)] * 4),
        {key: value for key, value in view().items() if key != "submit"},
        None,
    ],
)  # fmt: skip
def test_a_fault_of_a_view_is_seen_in_every_way_of_showing_it(method, broken):
    """Opened, put over another, changed, or shown as the Home tab."""
    assert blockkit.call_problems(method, {"view": view()}) == []
    assert blockkit.call_problems(method, {"view": broken})
    assert blockkit.ack_problems({"response_action": "update", "view": broken})


@pytest.mark.parametrize(
    "change",
    [
        {"filename": ""},
        {"filename": "x" * 256},
        {"filename": "../shop.png"},
        {"filename": "a\x00.png"},
        {"length": 0},
        {"alt_txt": ""},
        {"alt_txt": "x" * 1001},
        {"alt_txt": "a\x1b"},
    ],
)
def test_a_fault_of_a_file_is_seen(change):
    """Its name, its size, and what describes a picture; a table needs no description."""
    assert blockkit.call_problems("files.getUploadURLExternal", FILE) == []
    assert blockkit.call_problems("files.getUploadURLExternal", {"filename": "shop.csv", "length": 1}) == []
    assert blockkit.call_problems("files.getUploadURLExternal", FILE | change)


@pytest.mark.parametrize("title", ["", None, "x" * 201])
def test_a_file_has_a_title(title):
    """It is what people see of it."""
    assert blockkit.call_problems("files.completeUploadExternal", {"files": [{"id": "F1", "title": "The list"}]}) == []
    assert blockkit.call_problems("files.completeUploadExternal", {"files": [{"id": "F1", "title": title}]})


def test_a_sentence_under_a_field_is_judged():
    """Neither empty nor longer than a phone shows."""
    assert blockkit.ack_problems({"response_action": "errors", "errors": {"what": "A number, like 19."}}) == []
    for sentence in ("", "x" * 301, "a\x00b", None):
        assert blockkit.ack_problems({"response_action": "errors", "errors": {"what": sentence}})


def test_calls_that_say_nothing_are_not_judged():
    """There is nothing in them that people read."""
    assert blockkit.call_problems("users.info", {"user": "U0DANA"}) == []


@pytest.mark.parametrize(
    ("element", "change"),
    [
        ({"type": "datepicker", "initial_date": "2026-03-03"}, {"initial_date": "2026/03/03"}),
        ({"type": "timepicker", "initial_time": "09:30"}, {"initial_time": "9.30 "}),
        ({"type": "plain_text_input", "max_length": 5, "initial_value": "x" * 5}, {"initial_value": "x" * 6}),
        ({"type": "plain_text_input", "min_length": 5, "max_length": 5}, {"min_length": 6}),
    ],
)
def test_the_workspace_refuses_what_a_field_cannot_begin_with(element, change):
    """A day, an hour, a text, as Slack expects them."""
    form = render_verdict_form("{}")
    (block, *_) = form["blocks"]
    sound = {**form, "blocks": [{**block, "element": element}]}
    assert slacks_rules.view_problems(sound) == []
    assert slacks_rules.view_problems({**sound, "blocks": [{**block, "element": element | change}]})


def test_the_workspace_refuses_choices_that_are_not_offered_and_cells_that_hold_no_number():
    """Ticked boxes are among the boxes; a number in a table is one."""
    option = {"text": {"type": "plain_text", "text": "x"}, "value": "x"}
    boxes = {"type": "checkboxes", "options": [option], "initial_options": [option]}
    assert slacks_rules.message_problems([actions("a", [boxes])]) == []
    assert slacks_rules.message_problems([actions("a", [boxes | {"initial_options": [option | {"value": "y"}]}])])
    assert slacks_rules.message_problems([ROW]) == []
    assert slacks_rules.message_problems([{**ROW, "rows": [[{"type": "raw_number", "value": "3.5"}]]}])


def test_sizes_are_counted_as_clients_count():
    """An emoji is two."""
    assert slacks_rules.message_problems([section("🙂" * 1500)]) == []
    assert slacks_rules.message_problems([section("🙂" * 1501)])
    assert slacks_rules.characters([section("🙂")]) == 2
