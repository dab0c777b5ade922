"""Every function that draws or says something, with hostile texts wherever a text can be: Slack takes it, and it calls nobody.

Which functions there are is read from the package, and what to call them with from their annotations. So one that is
added is tried as well; where this file cannot make its arguments or judge its result, ``test_every_renderer_is_tried``
fails and says so.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import handlers.render
from bot import alerts, model, removals
from bot.alerts import State as AlertState
from bot.digest import Arrivals, Digest, Week
from bot.model import Diagnosis
from bot.opening import Opening, opening
from bot.removals import Intent, Seen, Sight
from bot.settings import FacilitySettings, Settings
from bot.status import Standing
from bot.sweep_groups import Figures, Group, Sweep
from handlers.render import sweep_files, words
from handlers.render.alert import render_letter
from handlers.render.blocks import Message, actions, button, code, confirmation, context, cut, section
from handlers.render.diagnosis import render_answer
from handlers.render.help import render_sentence
from handlers.render.splitting import split_markup
from handlers.render.status import render_status
from tests.handlers import blockkit
from tests.handlers.values import HARBOR
from tests.handlers.values import settings as some_settings

TEN_KB = 10_000
EXAMPLES = 12

# --- texts as they may stand in a record, a file, or a message --------------------------------------------------------

EVIL = ("<@U0EVIL>", "<@W0EVIL|Dana>", "<!subteam^S0EVIL>", "<#C0EVIL|floor>", "<http://evil.example|Approve>")
PIECES = (
    *EVIL, "<!channel>", "<!here>", "<!everyone|x>", "<!date^1^{date}|x>", "@here", "@channel", "`", "```", "`x", "*", "_", "~",
    "*_~`", "&", "<", ">", "&lt;!channel&gt;", "&amp", "|", "\n", "\r\n", "\t", "\x00", "\x1b[31m", "\ud800", "\udfff",
    "\u202e", "\u200f", "\u061c", "\u2066", "\u200b", "\ufeff", "\u2028", "مرحبا ", "שלום ", "🙂", "👩‍👩‍👧‍👦", "🇩🇪", "e\u0301",
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1", "$x^{$", "\\$", "\\", '"', "'", "%s", "{0}", "{", "x", "W", "漢",
    "long label ", "https://evil.example/", " ", "…", "::", "> quote\n", "• \n*Do:* adjust the quantity. ",
)  # fmt: skip
TEXTS = (
    "",
    *PIECES,
    *(f"{piece}name" for piece in PIECES),
    *((piece * (TEN_KB // len(piece) + 1))[:TEN_KB] for piece in PIECES),
    ("".join(PIECES) * 40)[:TEN_KB],
)
WORST = ("<@U0EVIL> <!channel> `x & <script>y</script>", "<!subteam^S0EVIL>" * 600, "🙂&" * 3_334)
HOSTILE = st.sampled_from(WORST) | st.sampled_from(TEXTS)
ANY_TEXT = HOSTILE | st.text(max_size=20)

MARKUP = HOSTILE.map(lambda text: cut(text, 200) or "…") | HOSTILE.map(lambda text: code(text, 200))
LONG_MARKUP = st.builds(
    lambda pieces, times, between: between.join(pieces * times),
    st.lists(MARKUP, min_size=1, max_size=4),
    st.sampled_from([1, 9, 60]),
    st.sampled_from(["\n", " "]),
)
IDS = st.sampled_from(["d-1", "0123456789abcdef" * 2])
METADATA = st.sampled_from(["{}", '{"url": "' + "x" * 1_500 + '"}'])
ZONES = st.sampled_from(["America/Denver", "Asia/Kathmandu", "UTC", "Pacific/Chatham"])
LINKS = st.sampled_from(["https://demo.slack.com/archives/C0FLOOR/p1772508600000100?thread_ts=1.2&cid=C0FLOOR", ""])
PEOPLE = st.sampled_from(["U0DANA", "W0LEE", "S0MANAGERS", "C0FLOOR"]) | HOSTILE
CHANNELS = st.sampled_from(["C0FLOOR", "G0BACK", "D0DANA", ""]) | HOSTILE
MOMENTS = st.sampled_from([datetime(2026, 3, 3, 1, 10, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, tzinfo=UTC)])
DAYS = st.sampled_from([date(2026, 3, 3), date(1999, 1, 1)])
SPANS = st.sampled_from([timedelta(0), timedelta(seconds=59), timedelta(hours=30), timedelta(days=4000)])
COUNTS = st.sampled_from([0, 1, 2, 7, 1_000_000])
SECONDS = st.sampled_from([0.0, 0.4, 59.6, 4_000.0, 10.0**9])
AMOUNTS = st.sampled_from(
    [
        Decimal(text)
        for text in ("0", "1", "-0", "-3.5", "1E+400", "-1E-400", "123456789012345678901234567890.123456789")
    ]
)
MANY = (1, 1, 2, 40, 300)


def several(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """None, some, or hundreds."""
    some = st.lists(of, min_size=least, max_size=2)
    return st.builds(lambda one, times: tuple(one) * times, some, st.sampled_from(MANY))


# --- arguments, by their annotations ----------------------------------------------------------------------------------

BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("id", "key", "sweep_id", "digest", "diagnosis_id", "command"), IDS),
    "command": HOSTILE,
    "metadata": METADATA,
    "zone": ZONES,
    "time_zone": ZONES,
    "address": LINKS,
    **dict.fromkeys(
        ("askers", "person", "by", "decided_by", "approvers", "contact", "escalate_to", "who", "asked_by", "presser", "people"),
        PEOPLE,
    ),
    **dict.fromkeys(("channel", "channel_id"), CHANNELS),
    "markup": MARKUP,
    "between": st.just(", "),
    "block_id": IDS,
    "action_id": IDS,
    "value": IDS,
    "style": st.sampled_from(["primary", None]),
}  # fmt: skip
"""What a text of this name is; any other is hostile."""

BY_NUMBER: dict[str, st.SearchStrategy[int]] = {
    "limit": st.integers(2, 400),
    "most": st.integers(0, 10),
    "number": st.integers(-2, 400),
    "days_left": st.integers(-400, 400),
    "needed": st.integers(1, 3),
}

MARKED = {
    "failed": ("sentence",), "provisional": ("not_read",), "missed_channel": ("why",), "card_record": ("name", "facts"),
    "card_line": ("facts",), "card_open_until": ("when",), "card_looked_at_again": ("when",), "listed": ("items",),
    "difference": ("unit",), "to_remove": ("records",), "digest_short": ("shops",), "status_line": ("told",),
    "status_unwatched_since": ("at",), "status_has_it": ("said",), "status_snoozed": ("said",),
    "alert_goes_to": ("addressee",), "alert_is_in": ("place",), "alert_elsewhere": ("place",), "alert_not_yours": ("place",),
    "and_more": ("named",), "more_causes": ("first",), "looked_again_short": ("text",), "render_form": ("note",),
    "context": ("markups",),
}  # fmt: skip
"""Parameters that are markup already, by their docstrings: whoever calls has escaped them."""

FIXED = {
    "card_record": ("role",),
    "status_line": ("name",),
    "alert_elsewhere": ("reason",),
}
"""Parameters that are words of our own."""

PLAIN = {
    "card_what", "card_where", "card_act", "card_confirm_title", "card_confirm_text", "card_confirm_yes", "posting_failed",
    "not_answered", "one_word", "reference", "removal_act", "removal_question", "counted_so_far", "chart_broke",
    "chart_of_receipts", "chart_of_silence", "chart_by_cause", "chart_of_causes", "charts_of_weeks", "report_heading",
    "status_short", "alert_snooze", "alert_over", "plain_sentence", "one_line", "cut_plain", "safe", "totals",
}  # fmt: skip
"""Functions whose text is plain: what shows it cuts and escapes it, or it stands where nothing is parsed."""

SILENT = {bool, int}
"""Results that nobody reads."""


def arguments(function: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments for a renderer; positional ones of ``*args`` under its name."""
    hints = typing.get_type_hints(function)
    hints.pop("return")
    return st.fixed_dictionaries({name: _argument(function, name, hint) for name, hint in hints.items()})


def _argument(function: Callable[..., Any], name: str, hint: Any) -> st.SearchStrategy[Any]:
    known = SPECIAL.get((function.__name__, name))
    if known is not None:
        return known
    if name in MARKED.get(function.__name__, ()):
        return MARKUP if hint is str else several(MARKUP)
    if name in FIXED.get(function.__name__, ()):
        return st.sampled_from(["Keep", "is_archived"])
    return strategy(hint, name, in_record=False)


def strategy(hint: Any, name: str = "", *, in_record: bool = True) -> st.SearchStrategy[Any]:
    """Values of an annotation; ``name`` is the field's or parameter's. ``in_record``: chosen quickly, there are many."""
    if hint in MADE:
        return MADE[hint]
    if hint is str:
        return BY_NAME.get(name, HOSTILE if in_record else ANY_TEXT)
    if hint is int:
        return BY_NUMBER.get(name, COUNTS)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if is_dataclass(hint):
        return _dataclass(hint)
    return _container(hint, name)


def _container(hint: Any, name: str) -> st.SearchStrategy[Any]:
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of(*(st.none() if one is types.NoneType else strategy(one, name) for one in of))
    if origin is tuple and of[-1] is not Ellipsis:
        return st.tuples(*(strategy(one, name) for one in of))
    if origin in {tuple, Sequence, Iterable, list}:
        return several(strategy(of[0], name))
    if origin is Mapping:
        return st.dictionaries(strategy(of[0]), strategy(of[1]), max_size=3)
    raise LookupError(f"no values are known for {hint} ({name})")


def _dataclass(hint: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(hint)
    return st.builds(hint, **{each.name: strategy(hints[each.name], each.name) for each in fields(hint) if each.init})


MADE: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    float: SECONDS,
    Decimal: AMOUNTS,
    datetime: MOMENTS,
    date: DAYS,
    timedelta: SPANS,
    object: DAYS,
    ZoneInfo: ZONES.map(ZoneInfo),
    Callable[[str], ZoneInfo]: st.just(lambda _license: HARBOR.zone),
    Opening: st.just(opening("America/Denver", "Mo-Su 09:00-21:00")),
}

# tens of thousands of long labels take seconds to write, and show no more than hundreds
MADE[Group] = st.builds(
    Group,
    **{
        each.name: strategy(typing.get_type_hints(Group)[each.name], each.name)
        for each in fields(Group)
        if each.name not in {"labels", "difference", "figures"}
    },
    labels=several(HOSTILE.map(lambda text: text[:60])),
    difference=several(st.tuples(HOSTILE.map(lambda text: text[:60]), AMOUNTS)),
)
PLAUSIBLE = st.sampled_from([None, Decimal(0), Decimal("-2.5"), Decimal(40)])
MADE[Group] = st.builds(
    lambda group, figures: replace(group, figures=(figures,) * len(group.labels)),
    MADE[Group],
    st.none() | st.builds(Figures, HOSTILE, PLAUSIBLE, PLAUSIBLE, PLAUSIBLE, HOSTILE.map(lambda text: text[:60])),
)
MADE[Sweep] = st.builds(
    Sweep,
    facility=HOSTILE,
    packages=COUNTS,
    agree=COUNTS,
    groups=several(MADE[Group]).map(lambda groups: groups[:60]),
    requests=COUNTS,
    seconds=SECONDS,
)

# an answer's packages are answers without packages
_SIMPLE = {
    each.name: strategy(typing.get_type_hints(Diagnosis)[each.name], each.name)
    for each in fields(Diagnosis)
    if each.name != "packages"
}
# seven checks at the most; each finding has its own evidence
_SIMPLE["checks"] = st.lists(strategy(model.Outcome), max_size=7).map(tuple)
MADE[Diagnosis] = st.builds(Diagnosis, **_SIMPLE, packages=several(st.builds(Diagnosis, **_SIMPLE)))

# facts of a difference are the bot's own figures, under names that only the bot makes
_AMOUNT = st.builds(
    lambda amount, unit, label: Seen(removals.difference_name(label), (("amount", str(amount)), ("unit", unit))),
    AMOUNTS,
    HOSTILE,
    HOSTILE,
)
_FACTS = st.builds(
    lambda kind, record, texts: Seen(removals.record_name(kind, record), tuple(texts.items())),
    st.sampled_from([model.DuplicateKind.SALES_RECEIPT, model.DuplicateKind.TRANSFER]),
    HOSTILE,
    st.fixed_dictionaries(dict.fromkeys(("number", "total", "lines", "manifest", "invoice", "packages", "finalized"), HOSTILE)),
)  # fmt: skip
MADE[Sight] = st.builds(Sight, at=MOMENTS, seen=st.lists(_AMOUNT | _FACTS, max_size=4).map(tuple))
_TARGETS = several(strategy(removals.Target), 1)
MADE[Intent] = st.builds(
    Intent,
    **{
        each.name: _TARGETS if each.name == "targets" else strategy(typing.get_type_hints(Intent)[each.name], each.name)
        for each in fields(Intent)
    },
)
_MEMBERS = several(strategy(alerts.Member), 1)
MADE[alerts.Alert] = st.builds(
    alerts.Alert,
    **{
        each.name: _MEMBERS
        if each.name == "members"
        else strategy(typing.get_type_hints(alerts.Alert)[each.name], each.name)
        for each in fields(alerts.Alert)
        if each.name not in {"state", "changes"}
    },
    state=st.sampled_from([state for state in AlertState if state is not AlertState.PENDING]),
)
MADE[FacilitySettings] = st.builds(
    lambda name, license_number, channel, zone: FacilitySettings(
        license_number, name, zone, HARBOR.metrc, HARBOR.pos, channel
    ),
    HOSTILE,
    HOSTILE.map(lambda text: "".join(text.split())[:100] or "402R-X0042"),
    CHANNELS,
    ZONES,
)
MADE[Settings] = several(MADE[FacilitySettings]).map(
    lambda shops: some_settings(
        *(
            FacilitySettings(f"{shop.license}{n}", shop.name, shop.time_zone, shop.metrc, shop.pos, shop.channel)
            for n, shop in enumerate(shops[:150])
        )
    )
)
MADE[Arrivals] = st.builds(
    lambda name, zone, start: Arrivals(
        name,
        zone,
        tuple((start + timedelta(hours=n), n % 5) for n in range(24)),
        (),
        start + timedelta(hours=20),
        start + timedelta(hours=24),
    ),
    HOSTILE,
    ZONES,
    st.just(datetime(2026, 3, 3, 1, tzinfo=UTC)),
)
_WEEK = st.builds(
    Week,
    start=MOMENTS,
    causes=st.sampled_from([{}, dict.fromkeys(model.Cause, 3)]),
    delay=st.none() | st.tuples(SECONDS, SECONDS),
    alerts=st.sampled_from([{}, dict.fromkeys(alerts.Kind, 2)]),
)
MADE[Digest] = st.builds(
    Digest,
    names=several(HOSTILE),
    weeks=st.lists(_WEEK, min_size=2, max_size=8).map(tuple),
    open=several(MADE[alerts.Alert]),
)
MADE[Sequence[Standing]] = several(
    st.builds(
        Standing,
        **{
            each.name: strategy(typing.get_type_hints(Standing)[each.name], each.name)
            for each in fields(Standing)
            if each.name != "synced"
        },
        synced=st.dictionaries(
            st.sampled_from(["sales", "items", "transfers"]), st.none() | MOMENTS, max_size=3
        ),
    )
)  # fmt: skip

_STATUS = st.builds(render_status, MADE[Sequence[Standing]], MOMENTS)
_ANSWER = st.builds(render_answer, MADE[Diagnosis], MADE[FacilitySettings], st.none() | PEOPLE)
_LETTER = st.builds(render_letter, strategy(alerts.Letter), MADE[Opening], MOMENTS, is_repeat=st.booleans())
_BLOCKS = st.one_of(
    LONG_MARKUP.map(section), MARKUP.map(context), st.just(actions("a", [button("x", action_id="a", value="v")]))
)
MADE[Message] = st.builds(
    # in one message every id is there once
    lambda text, blocks: Message(text, tuple(b | ({"block_id": f"b{n}"} if "block_id" in b else {}) for n, b in enumerate(blocks))),
    LONG_MARKUP | st.just(""),
    several(_BLOCKS).map(lambda blocks: blocks[:200]),
)  # fmt: skip

SPECIAL: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("render_elsewhere", "message"): _LETTER,
    ("render_again", "answer"): _ANSWER,
    ("escape", "text"): HOSTILE.map(lambda text: text[:500]),
    ("split_markup", "markup"): LONG_MARKUP,
    ("split_markup", "limit"): st.sampled_from([500, 3000, 3900]),
    ("render_sentence", "markup"): LONG_MARKUP.map(lambda markup: split_markup(markup, 5_500)[0]),
    ("section", "markup"): MARKUP,
    ("actions", "elements"): st.just([button("x", action_id="a", value="v")]),
    ("danger_button", "confirm"): st.builds(
        lambda a, b, c, d: confirmation(a, b, yes=c, no=d), HOSTILE, HOSTILE, HOSTILE, HOSTILE
    ),
    ("render_pending", "links"): LINKS.map(lambda link: {one: link for one in ("d-1", "0123456789abcdef" * 2) if link}),
    ("render_history", "links"): LINKS.map(lambda link: {one: link for one in ("d-1", "0123456789abcdef" * 2) if link}),
    ("link", "address"): LINKS.filter(bool),
    ("asked_before", "address"): LINKS.filter(bool),
    ("no_subject", "kind"): st.sampled_from(sorted(words.EXAMPLES)),
    # a record is told by three facts at the most
    ("card_record", "facts"): st.lists(MARKUP, max_size=3),
    ("card_line", "facts"): st.lists(MARKUP, max_size=3),
}


def _home() -> None:
    home = importlib.import_module("handlers.render.home").Home
    hints = typing.get_type_hints(home)
    given_fields = {
        each.name: strategy(hints[each.name], each.name) for each in fields(home) if each.name != "standing"
    }
    links = LINKS.map(lambda link: {one: link for one in ("d-1", "0123456789abcdef" * 2) if link})
    MADE[home] = st.builds(home, **(given_fields | {"links": links}), standing=st.none() | _STATUS)


_home()

# --- what there is ----------------------------------------------------------------------------------------------------


def renderers() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of the package, by module and name."""
    for found in pkgutil.iter_modules(handlers.render.__path__):
        module = importlib.import_module(f"handlers.render.{found.name}")
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{found.name}.{name}", function


EVERY = dict(renderers())
DRAWN = {
    name: function
    for name, function in EVERY.items()
    if typing.get_type_hints(function)["return"] not in SILENT and name != "help.places"
}
SLOW = {name for name in DRAWN if name.endswith("_chart")}

# --- judging ----------------------------------------------------------------------------------------------------------


def call(function: Callable[..., Any], given_arguments: Mapping[str, Any]) -> Any:
    """Call it with what ``arguments`` has made."""
    positional, named = [], dict(given_arguments)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            one = named.pop(name)
            positional += one if isinstance(one, tuple) else [one]
        elif parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            positional.append(named.pop(name))
    return function(*positional, **named)


def faults(name: str, result: Any) -> list[str]:
    """What is wrong with a result, whatever it is."""
    if result is None:
        return []
    if isinstance(result, words.News):
        return faults(name, result.markup)
    if isinstance(result, Message):
        return _of_message(result)
    if isinstance(result, tuple):
        return [fault for one in result for fault in faults(name, one)]
    if isinstance(result, str):
        return _of_text(name, result)
    if isinstance(result, bytes):
        return FILES[name.rpartition("_")[2]](result)
    if isinstance(result, dict):
        return _of_block(result)
    raise LookupError(f"nobody judges a {type(result).__name__} ({name})")


def _of_message(message: Message) -> list[str]:
    return blockkit.problems(message.text, list(message.blocks)) + _called(message.text) + _called(list(message.blocks))


def _of_text(name: str, text: str) -> list[str]:
    if not text:
        return []
    if name.endswith("_alt"):
        return blockkit.call_problems("files.getUploadURLExternal", {"filename": "x.png", "length": 1, "alt_txt": text})
    plain = name.rpartition(".")[2] in PLAIN
    return _of_message(render_sentence(cut(text, 2000) or "…" if plain else text))


def _of_block(value: dict[str, Any]) -> list[str]:
    if value.get("type") in {"modal", "home"}:
        return blockkit.view_problems(value) + _called(value)
    if value.get("type") == "button":
        return _of_block(actions("row", [value]))
    if "deny" in value:
        return _of_block(button("x", action_id="a", value="v") | {"confirm": value})
    return _of_message(Message("x", (value,)))


def _called(value: Any) -> list[str]:
    """Mentions and links that came out of a text, in markup and in notifications; nothing else is parsed."""
    if isinstance(value, str):
        live = [piece for piece in EVIL if piece[:-1].partition("|")[0] in value]
        return [f"{piece} is live in {value[:300]!r}" for piece in live]
    if isinstance(value, dict) and value.get("type") == "mrkdwn":
        return _called(value["text"])
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [fault for one in parts if not isinstance(one, str) for fault in _called(one)]


def _of_csv(content: bytes) -> list[str]:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row if not re.fullmatch(r"-\d+(\.\d+)?", cell)]
    wrong = [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}]
    wrong += [cell for cell in cells if cell != cell.strip() or "\n" in cell or "\x00" in cell]
    return [f"a cell that is no plain text: {cell[:100]!r}" for cell in wrong] + (
        [] if {len(row) for row in rows} == {len(sweep_files.COLUMNS)} else ["rows of different lengths"]
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(name for name, _ in attrs)}


_OF_A_REPORT = {
    "html", "lang", "head", "meta", "charset", "name", "content", "title", "style", "body", "h1", "h2", "dl", "dt", "dd",
    "section", "p", "code", "table", "tr", "th", "td",
}  # fmt: skip


def _of_html(content: bytes) -> list[str]:
    tags = _Tags()
    tags.feed(content.decode())
    return [f"{tag} is not of a report" for tag in tags.seen - _OF_A_REPORT]


def _of_png(content: bytes) -> list[str]:
    return [] if content.startswith(b"\x89PNG") else ["no picture"]


FILES = {"csv": _of_csv, "html": _of_html, "chart": _of_png}

# --- the laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in SLOW])
def test_slack_takes_whatever_is_drawn(name):
    """Within every limit, with a text, under ten thousand characters, and nobody is called by what a record says."""
    function = DRAWN[name]

    @given(arguments(function))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(given_arguments):
        assert faults(name, call(function, given_arguments)) == []

    holds()


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("text", ["$x^{$ \\$ \\", "".join(PIECES) * 20])
def test_a_chart_is_drawn_whatever_its_shop_is_called(name, text):
    """A dollar sign begins no formula, and what cannot be drawn is left out."""
    start = datetime(2026, 3, 3, 1, tzinfo=UTC)
    of = {
        "charts.silence_chart": (
            Arrivals(
                text, "UTC", tuple((start + timedelta(hours=n), n) for n in range(5)), (), start, start + timedelta(hours=5)
            ),
        ),
        "charts.digest_chart": (Digest((text,), (Week(start, {}, None, {}),) * 8, ()),),
        "charts.causes_chart": (Sweep("L", 0, 0, (), 0, 0.0), text),
    }[name]  # fmt: skip
    assert faults(name, DRAWN[name](*of)) == []


def test_every_renderer_is_tried():
    """One that is added is among them, its arguments can be made, and its kind of result is judged."""
    judged = {
        str,
        bytes,
        Message,
        dict[str, Any],
        tuple[str, ...],
        tuple[Message, ...],
        tuple[str, str],
        words.News | None,
    }
    for name, function in DRAWN.items():
        hints = typing.get_type_hints(function)
        assert hints["return"] in judged, f"nobody judges what {name} returns: {hints['return']}"
        assert hints["return"] is not bytes or name.rpartition("_")[2] in FILES, name
        assert set(hints) - {"return"} == set(inspect.signature(function).parameters), f"{name} lacks annotations"
        arguments(function)
    modules = {name.partition(".")[0] for name in EVERY}
    assert modules == {found.name for found in pkgutil.iter_modules(handlers.render.__path__)}
    named = {*PLAIN, *MARKED, *FIXED, *(name for name, _ in SPECIAL)}
    assert named <= {name.rpartition(".")[2] for name in EVERY}, "a function that is gone is still named here"


@pytest.mark.parametrize("name", [n for n, v in vars(words).items() if n.isupper() and isinstance(v, str | dict)])
def test_every_fixed_sentence_is_markup(name):
    """Words that hold no text of others are sent as they stand."""
    said = getattr(words, name)
    for sentence in said.values() if isinstance(said, dict) else [said]:
        assert _of_message(render_sentence(sentence)) == []


def test_the_judge_sees_a_mention_that_came_out_of_a_text():
    """In markup and in a notification it is live; in plain text it is only shown."""
    for evil in EVIL[:4]:
        assert _called(f"Hello {evil}")
        assert _called(section(f"Hello {evil}"))
        assert not _called(button(evil, action_id="a", value="v"))
