"""What the bot says: readable in ten seconds, and always a message that Slack takes."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot import checks
from bot import model as m
from handlers.render import words
from handlers.render.blocks import Message, code, cut, cut_between_words, cut_plain, escape, size
from handlers.render.diagnosis import render_diagnosis, render_evidence, render_summary
from handlers.render.evidence import render_evidence_page
from handlers.render.help import render_help
from handlers.render.words import date
from tests.handlers import blockkit
from tests.handlers.values import DOUBLE_RECEIPT, HARBOR, NOW, settings


def shown(message: Message) -> str:
    """All markup of a message, block after block."""
    parts = []
    for block in message.blocks:
        parts += [e["text"] for e in block.get("elements", [block]) if block["type"] != "actions" for e in [e]]
    return "\n".join(part if isinstance(part, str) else part["text"] for part in parts)


def rendered(**changes) -> str:
    return shown(render_diagnosis(replace(DOUBLE_RECEIPT, **changes), HARBOR, "U0DANA"))


def test_the_first_line_is_the_headline():
    """It is enough to act on, so it comes first, in the blocks and in the notification."""
    message = render_diagnosis(DOUBLE_RECEIPT, HARBOR, "U0DANA")
    assert shown(message).split("\n")[0] == "*Sale POS-20260302-00417 was posted to METRC twice, 4 s apart.*"
    assert message.text.split("\n") == [
        "Package …1002 at Harbor Street: Sale POS-20260302-00417 was posted to METRC twice, 4 s apart.",
        "Do: Void METRC receipt 880102 and keep 880101.",
        "Do not adjust the quantity.",
    ]


def test_under_the_headline_stands_what_was_asked_about():
    """Of five answers in one thread each names its own: short to see, whole to copy, with product and shop."""
    message = render_diagnosis(DOUBLE_RECEIPT, HARBOR, "U0DANA", "Night *Lantern* 3.5g")
    head = shown(message).split("\n")[1]
    assert head == "*Package …1002* · `1A4FF0100000022000001002` · Night *Lantern* 3.5g · Harbor Street"
    assert message.text.startswith("Package …1002 (Night *Lantern* 3.5g) at Harbor Street: Sale POS-20260302-00417")
    (evidence, *_) = render_evidence(DOUBLE_RECEIPT, HARBOR)
    assert evidence.text == "What was read · Package …1002"
    page = render_evidence_page(DOUBLE_RECEIPT, HARBOR, 1, "Night Lantern 3.5g")
    assert "`1A4FF0100000022000001002` · Night Lantern 3.5g · Harbor Street" in str(page["blocks"][0])
    assert render_summary(DOUBLE_RECEIPT, HARBOR).startswith("*Package …1002* · `1A4FF0100000022000001002` · Harbor")


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        (m.SubjectKind.RECEIPT, "POS-20260302-00417", "Receipt POS-20260302-00417"),
        (m.SubjectKind.PRODUCT, "Night Lantern 3.5g", "Product Night Lantern 3.5g"),
        (m.SubjectKind.MANIFEST, "0000418902", "Manifest 0000418902"),
    ],
)
def test_a_number_and_a_name_are_told_as_a_whole(kind, value, named):
    """Nobody knows them by their end."""
    message = render_diagnosis(replace(DOUBLE_RECEIPT, subject=m.Subject(kind, value)), HARBOR, "U0DANA")
    assert shown(message).split("\n")[1] == f"*{named}* · Harbor Street"
    assert message.text.startswith(f"{named} at Harbor Street: ")


def test_a_check_does_not_say_the_headline_again():
    """It was read a line above; what it adds to it stays."""
    summary = f"{DOUBLE_RECEIPT.headline} And 1 more."
    checks = tuple(replace(c, summary=summary) if c.findings else c for c in DOUBLE_RECEIPT.checks)
    assert "*● found · Duplication*: And 1 more.\n" in rendered(checks=checks)
    same = tuple(replace(c, summary=DOUBLE_RECEIPT.headline) if c.findings else c for c in DOUBLE_RECEIPT.checks)
    assert "*● found · Duplication*\n" in rendered(checks=same)


def test_checks_that_say_the_same_share_a_line():
    """One gate that is closed is one piece of news, not six; what says nothing keeps its own line."""
    first, *others = DOUBLE_RECEIPT.checks
    shut = [m.Outcome(each.name, m.Result.NOT_REACHED, "METRC could not be read.") for each in others]
    text = rendered(checks=(first, *shut))
    said = "– not reached · Mapping, Timing, Duplication, Custody, Definition, Count: METRC could not be read."
    assert said in text
    assert text.count("METRC could not be read") == 1


def test_seven_checks_have_a_mark_and_a_word():
    """No state is told by a colour or a sign alone; what is clear needs no sentence beside it."""
    checks = tuple(
        replace(check, result=result)
        for check, result in zip(
            DOUBLE_RECEIPT.checks,
            [*m.Result, m.Result.CLEAR, m.Result.CLEAR, m.Result.CLEAR],
            strict=True,
        )
    )
    text = rendered(checks=checks)
    for line in (
        "✓ clear · Authentication\n",
        "*● found · Mapping*: Nothing here.",
        "? not read · Timing: Nothing here.",
        "– not reached · Duplication: One sale, two receipts.",
    ):
        assert line in text


def test_the_account_is_a_small_ledger():
    """Both sides, the difference, each event with its record, and what is left."""
    text = rendered()
    assert "*POS 19 · METRC 18 · difference +1 Each*" in text
    assert "+1  sale sent twice: METRC receipt 880102" in text
    assert "unexplained 0" in text


def test_a_side_without_a_record_and_a_counted_shelf_are_said():
    """None is "no record", not zero."""
    text = rendered(gap=m.Gap(Decimal("3.50"), None, "Grams", (), shelf=Decimal(3)))
    assert "*POS 3.50 · METRC no record · shelf 3 · difference +3.50 Grams*" in text
    assert "unexplained +3.50" in text


def test_no_account_is_said_plainly():
    """A missing account is explained, not left out."""
    assert "a side could not be read" in rendered(gap=None)


def test_what_to_wait_for_is_a_moment_not_a_bit():
    """The time shows on the reader's clock, and on the shop's where that cannot be drawn."""
    action = m.Action(m.ActionKind.WAIT, "Wait for the batch.", datetime(2026, 3, 3, 21, 35, tzinfo=UTC))
    text = rendered(action=action)
    assert "*Not before:* <!date^1772573700^{date_short_pretty} at {time}|14:35 MST on Mar 3>" in text


def test_a_moment_in_the_next_step_is_told_once_on_one_clock():
    """The reader's; a notification, where nothing is drawn, has the shop's with its zone."""
    action = m.Action(m.ActionKind.WAIT, "Nothing to do. Look again at 18:35.", datetime(2026, 3, 3, 1, 35, tzinfo=UTC))
    message = render_diagnosis(replace(DOUBLE_RECEIPT, action=action), HARBOR, "U0DANA")
    drawn = "<!date^1772501700^{date_short_pretty} at {time}|18:35 MST on Mar 2>"
    assert f"*Do:* Nothing to do. Look again at {drawn}.\n" in shown(message)
    assert "Not before" not in shown(message)
    assert "Do: Nothing to do. Look again at 18:35 MST.\n" in message.text


def test_every_event_of_a_difference_has_plain_words():
    """Whatever a check can give a share to; a code that is not known yet is at least readable."""
    sources = "\n".join(path.read_text("utf-8") for path in Path(checks.__file__).parent.glob("*.py"))
    codes = set(re.findall(rf'"((?:{"|".join(m.Cause)})\.[a-z][a-z-]+)"', sources))
    without = {"authentication", "wrong_license", "outage", "on_hold", "lab_state"}
    unsized = {"mapping.category", "mapping.item", "mapping.strain", "mapping.label-nowhere"}
    codes = {code for code in codes if code.partition(".")[0] not in without and code not in unsized}
    assert len(codes) > 40
    # two are the beginnings of codes that are told apart later
    assert codes - set(words.EVENTS) <= {
        "duplication.manifest",
        "duplication.receipt",
        "timing.import",
        "timing.nightly",
        "timing.sale",
        "timing.void",
    }
    assert words.event("mapping.of-tomorrow") == "of tomorrow"


def test_what_not_to_do_is_in_plain_words():
    """Every warning of the diagnosis is there."""
    text = rendered(must_not=tuple(m.Forbidden))
    assert (
        "*Do not adjust the quantity; do not renew the METRC key; do not remove a record; do not send the sale again as it is.*"
    ) in text


def test_a_provisional_answer_names_what_was_not_read():
    """It says that it may change; why each was not read is said once, beside its check."""
    checks = (replace(DOUBLE_RECEIPT.checks[0], result=m.Result.UNKNOWN, summary="METRC did not answer."),)
    text = rendered(provisional=True, checks=checks)
    assert "*This may still change.* Not read: Authentication. Ask again" in text
    assert text.count("METRC did not answer") == 1
    assert "Certain, provisional" in text


@pytest.mark.parametrize(("minutes", "is_said"), [(60, False), (61, True)])
def test_an_old_export_is_said_to_be_old(minutes, is_said):
    """Up to the configured age it is fresh; beyond it, the age is told."""
    as_of = m.AsOf(NOW, NOW - timedelta(minutes=minutes))
    assert ("The POS export is 61 min old." in rendered(as_of=as_of)) is is_said


def test_many_events_are_cut_without_losing_units():
    """The events that are not shown are added up, so the account still closes."""
    shares = tuple(m.Share("timing.unposted-sale", Decimal(-1), (f"sale {n}",)) for n in range(10))
    text = rendered(gap=m.Gap(Decimal(0), Decimal(10), "Each", shares))
    assert "−4  … 4 more" in text
    assert "unexplained 0" in text


def test_evidence_quotes_every_reading_of_every_check():
    """Source, question and answer, a line each, under the check's name; the time where it is not the whole side's."""
    other = replace(DOUBLE_RECEIPT.as_of, metrc=NOW.replace(year=2025))
    (message,) = render_evidence(replace(DOUBLE_RECEIPT, as_of=other), HARBOR)
    text = shown(message)
    assert "• METRC `GET /timing/v2/`, as of <!date^1772500200^" in text
    assert "• POS `sales.csv line 4`" in text
    (message,) = render_evidence(DOUBLE_RECEIPT, HARBOR)
    assert "• METRC `GET /timing/v2/`: 3 rows" in shown(message)
    assert all(f"*{name}*" in text for name in words.CHECKS.values())


def test_long_evidence_is_split_and_then_cut_with_a_count():
    """Three messages at most; the rest is counted, and the question it is kept with is named."""
    quotes = tuple(m.Quote("mirror", f"receipt {n}", NOW, "x" * 390) for n in range(200))
    checks = (replace(DOUBLE_RECEIPT.checks[0], evidence=quotes),)
    messages = render_evidence(replace(DOUBLE_RECEIPT, checks=checks), HARBOR)
    assert len(messages) == 3
    kept = sum(shown(message).count("• METRC, as read before") for message in messages)
    assert f"… {200 - kept} more lines, kept with question `d-1`" in shown(messages[-1])
    for message in messages:
        assert blockkit.problems(message.text, list(message.blocks)) == []


def test_no_evidence_no_message():
    """Nothing was quoted, so nothing is posted."""
    assert render_evidence(replace(DOUBLE_RECEIPT, checks=()), HARBOR) == ()


def test_help_is_a_message_slack_takes_however_many_shops_there_are():
    """A chain of two hundred shops gets the same help, cut."""
    facilities = [replace(HARBOR, license=f"402R-X{n:04}", name="Shop & <b>" * 20) for n in range(200)]
    for chosen in (settings(), settings(*facilities)):
        message = render_help(chosen)
        assert blockkit.problems(message.text, list(message.blocks)) == []
    which = words.which_place([(f.license, f.name) for f in facilities], "1" * 64, "/reconcile")
    assert blockkit.problems(which, []) == []


# --- laws -------------------------------------------------------------------------------------------------------------

nasty = st.sampled_from(
    ["<!channel>", "<!here>", "<@U0DANA>", "<http://evil|Approve>", "`", "```", "*", "&", "&lt;", "\n*Do:* adjust", "\u202e",
     "مرحبا", "שלום", "👩‍👩‍👧‍👦", "🙂", "\ud800", "\x00", "|", ">", "~", "_"]
)  # fmt: skip
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(nasty, st.text(max_size=8)), max_size=12).map("".join),
    st.builds(lambda part, n: part * n, st.one_of(nasty, st.text(min_size=1, max_size=4)), st.integers(1, 2500)),
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
quantities = st.decimals(allow_nan=False, allow_infinity=False)
quotes = st.builds(m.Quote, texts, texts, st.none() | moments, texts)
acts = st.builds(m.Action, st.sampled_from(m.ActionKind), texts, st.none() | moments)
forbidden = st.lists(st.sampled_from(m.Forbidden), max_size=4).map(tuple)
shares = st.builds(m.Share, texts, quantities, st.lists(texts, max_size=5).map(tuple))
gaps = st.builds(
    m.Gap,
    st.none() | quantities,
    st.none() | quantities,
    texts,
    st.lists(shares, max_size=10).map(tuple),
    st.none() | quantities,
)
twins = st.builds(
    m.Duplicate,
    texts,
    st.sampled_from(m.DuplicateKind),
    texts,
    st.lists(texts, max_size=5).map(tuple),
    st.booleans(),
    texts,
)
outcomes = st.builds(
    m.Outcome,
    st.sampled_from(m.CheckName),
    st.sampled_from(m.Result),
    texts,
    st.just(()),
    st.lists(quotes, max_size=4).map(tuple),
)
diagnoses = st.builds(
    m.Diagnosis,
    id=texts,
    facility=texts,
    subject=st.builds(m.Subject, st.just(m.SubjectKind.PACKAGE), texts),
    asked_at=moments,
    as_of=st.builds(m.AsOf, st.none() | moments, st.none() | moments),
    cause=st.sampled_from(m.Cause),
    code=st.none() | texts,
    confidence=st.sampled_from(m.Confidence),
    provisional=st.booleans(),
    headline=texts,
    action=acts,
    must_not=forbidden,
    gap=st.none() | gaps,
    checks=st.lists(outcomes, max_size=7).map(tuple),
    duplicates=st.lists(twins, max_size=5).map(tuple),
    related=st.lists(texts, max_size=9).map(tuple),
)


@given(diagnoses, texts, st.none() | texts)
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_diagnosis_makes_messages_that_slack_takes(diagnosis, name, asked_by):
    """Whatever METRC and the POS put into their records, nothing pings, links, overflows or is empty."""
    facility = replace(HARBOR, name=name)
    for message in (render_diagnosis(diagnosis, facility, asked_by), *render_evidence(diagnosis, facility)):
        assert blockkit.problems(message.text, list(message.blocks)) == []


@given(texts, texts, texts)
def test_any_question_has_a_parent_message_and_any_error_a_sentence(label, place, who):
    """What was typed, and what a broken system says, cannot break the message it is shown in."""
    commands = words.which_place([(place, who), (who, place)], label, "/reconcile")
    for markup in (
        words.asked(label, place, who),
        words.working(label),
        words.failed(cut(who, 900)),
        words.cannot_post(label, place),
        words.unknown_place(place, [(who, label)], label, "/reconcile"),
        commands,
    ):
        assert blockkit.problems(markup, []) == []


@given(texts, st.integers(2, 400))
def test_cut_text_fits_and_never_ends_inside_an_escape(text, limit):
    """At most the limit, in the units Slack counts, and no half of ``&amp;``."""
    short = cut(text, limit)
    assert size(short) <= limit
    assert blockkit.problems(f"{short} .", []) == []
    assert size(cut_plain(text, limit)) <= limit


@given(st.text(max_size=80))
def test_escaped_text_comes_back_whole(text):
    """Escaping loses nothing that can be seen, but white space and back-ticks are evened out."""
    back = escape(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == cut_plain(text, 1000).replace("`", "'")


@pytest.mark.parametrize("text", ["<!channel>", "`<!here>`", "<@U0DANA>", "<http://x|y>", "a\nb", "\u202eevil"])
def test_foreign_markup_is_dead(text):
    """What would ping, link or break a line is only shown."""
    for markup in (escape(text), code(text), cut(text, 50)):
        assert not {"<", ">", "\n", "\u202e"} & set(markup)


def test_a_moment_has_a_fallback_on_the_shops_clock():
    """Across a change to summer time as well."""
    zone = HARBOR.zone
    assert date(datetime(2026, 3, 8, 8, 30, tzinfo=UTC), zone).endswith("|01:30 MST on Mar 8>")
    assert date(datetime(2026, 3, 8, 9, 30, tzinfo=UTC), zone).endswith("|03:30 MDT on Mar 8>")


@pytest.mark.parametrize("filler", ["x", '"', "&", "<", "🙂", "\\", "`", "*"])
def test_the_longest_records_make_a_message_that_fits(filler):
    """Ten kilobytes in every field and more of everything than is shown stay below what Slack refuses."""
    long = filler * 10_000
    quote = m.Quote("metrc", long, NOW, long)
    share = m.Share(long, Decimal("-1234567890.123456789"), (long,) * 9)
    twin = m.Duplicate("pos", m.DuplicateKind.PACKAGE, long, (long,) * 9, removable=False, why=long)
    diagnosis = replace(
        DOUBLE_RECEIPT,
        id=long,
        code=long,
        headline=long,
        provisional=True,
        as_of=m.AsOf(NOW, NOW - timedelta(days=400)),
        action=m.Action(m.ActionKind.REMOVE_DUPLICATE, long, NOW),
        must_not=(m.Forbidden.ADJUST_QUANTITY, m.Forbidden.RENEW_KEY, m.Forbidden.RESEND),
        gap=m.Gap(Decimal(1), None, long, (share,) * 99, shelf=Decimal(7)),
        checks=tuple(m.Outcome(name, m.Result.UNKNOWN, long, evidence=(quote,) * 20) for name in m.CheckName),
        duplicates=(twin,) * 9,
        related=(long,) * 99,
    )
    facility = replace(HARBOR, name=long)
    messages = (render_diagnosis(diagnosis, facility, long), *render_evidence(diagnosis, facility))
    for message in messages:
        assert blockkit.problems(message.text, list(message.blocks)) == []
    assert "actions" not in {block["type"] for block in messages[0].blocks}


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (60, "Sales POS-20260302-00417, POS-20260302-00418 wait"),
        (43, "Sales POS-20260302-00417 …"),
        (26, "Sales POS-20260302-00417,…"),
        (4, "Sal…"),
    ],
)
def test_a_number_is_not_cut_into_another_one(limit, told):
    """What does not fit as a whole is left out as a whole, where there are words at all."""
    assert cut_between_words("Sales POS-20260302-00417, POS-20260302-00418 wait", limit) == told


@given(st.text(alphabet="ab &<>`é🙂 ", max_size=80), st.integers(2, 60))
def test_text_cut_between_words_fits(text, limit):
    """And is never longer than text that is cut anywhere."""
    assert size(cut_between_words(text, limit)) <= max(size(cut(text, limit)), 1)
