"""What somebody typed is read as they meant it, or sent back with an example."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model import SubjectKind
from handlers.parse import TEXT_LIMIT, Ask, Help, Unclear, parse, subjects_in
from tests.handlers import blockkit

LABEL = "1A4FF0100000022000001002"


@pytest.mark.parametrize(
    "text",
    [
        LABEL,
        f"package {LABEL}",
        f"Package  {LABEL.lower()}",
        f"PKG {LABEL}",
        f"/reconcile package {LABEL}",
        f"package “{LABEL}”",
        f"package `{LABEL}`",
        f"package '{LABEL}'.",
        f"package {LABEL}…",
        f"package\u00a0{LABEL}\u200b",
        f"package \u202a{LABEL}\u202c",
        "package 1A4FF010 00000220 00001002",
        "1A4FF010 00000220 00001002",
        "package 1A4F-F010-0000-0220-0000-1002",
        "package 1A4FF01000000—22000001002",
        "package １Ａ４ＦＦ０１０００００００２２０００００１００２".replace("０００００００２２", "００００００２２"),
        f"package — {LABEL}",
        f"package {LABEL}, please!",
        f"package <https://example.com/x|{LABEL}>",
        f"package {LABEL} {LABEL}",
        f"package &lt;{LABEL}&gt;",
        f"tag {LABEL}\n",
        f"{LABEL},19,Each,Night Lantern 3.5g,Vault",
        f"{LABEL}\t19\tEach\tNight Lantern 3.5g",
        f"Harbor Street;{LABEL.lower()};19;Each",
        f"| {LABEL} | 19 | Each |",
    ],
)
def test_a_tag_is_found_whatever_a_phone_made_of_it(text):
    """Quotes, spaces, dashes, case, invisible characters and politeness do not hide the tag."""
    assert parse(text, "/reconcile") == Ask(LABEL)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("package 1A4FF010000002200000100", "1A4FF010000002200000100"),  # 23
        ("package 1A4FF01000000220000010022", "1A4FF01000000220000010022"),  # 25
        ("package 1A4FFOIOOOOOO22OOOOO1OO2", "1A4FFOIOOOOOO22OOOOO1OO2"),
        ("1A4FF 01000 00022 00000 1002 9", "1A4FF01000000220000010029"),
        ("package 12345", "12345"),
        ("package 1А4FF0100000022000001002", "1А4FF0100000022000001002"),  # a Cyrillic А
        ("ABCDEFGHIJKLMNOPQRSTUVWX", "ABCDEFGHIJKLMNOPQRSTUVWX"),
    ],
)
def test_a_tag_with_a_mistake_is_still_a_question(text, label):
    """Wrong length or alphabet is for the search among near tags to judge, not for the grammar."""
    assert parse(text, "/reconcile") == Ask(label)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{LABEL} at 402R-X0042", "402R-X0042"),
        (f"package {LABEL} AT 402r–x0042.", "402r-x0042"),
        (f"package {LABEL} at “402R-X0042”", "402R-X0042"),
        (f"package {LABEL} at Smith &amp; Sons", "Smith & Sons"),
    ],
)
def test_the_license_after_at_is_read(text, place):
    """Dashes and quotes of phones are undone in a license as well."""
    assert parse(text, "/reconcile") == Ask(LABEL, place)


@pytest.mark.parametrize("text", ["", "   ", "help", "HELP me", "?", "\u200b", "/reconcile", "/reconcile help", "``"])
def test_nothing_and_help_are_answered_with_help(text):
    """An empty command is a call for help."""
    assert parse(text, "/reconcile") == Help()


@pytest.mark.parametrize(
    "text",
    [
        "package",
        "package abc",
        "package 1234",
        "package !!!",
        "package 🙂🙂🙂🙂🙂",
        "package <@U0DANA>",
        "package that is missing",
        "please look up my packages",
        "please fix the big missing x",  # 23 letters, no digit
        "'; DROP TABLE packages;--",
        "receipt",
        "receipt of yesterday",
        "manifest ???",
        "product",
        "product 🙂",
        "manifest 0000418902 at",
        "status at",
        "pending at",
        f"package {LABEL} at",
        f"package {'1' * 65}",
        "x" * 3001,
        f"package {LABEL}{' ' * 3000}",
    ],
)
def test_what_cannot_hold_a_tag_comes_back_with_an_example(text):
    """The sentence holds one line that can be copied as it is."""
    unclear = parse(text, "/diagnose")
    assert isinstance(unclear, Unclear)
    example = unclear.sentence.split("`")[-2]
    assert example.split()[:2] in [["/diagnose", verb] for verb in ("package", "receipt", "manifest", "product")]
    assert isinstance(parse(example, "/diagnose"), Ask)


@pytest.mark.parametrize(
    ("text", "kind", "value", "place"),
    [
        ("receipt 880102", SubjectKind.RECEIPT, "880102", None),
        ("Receipt #POS–20260302–00417 at Harbor Street", SubjectKind.RECEIPT, "POS-20260302-00417", "Harbor Street"),
        ("manifest “0000418902”", SubjectKind.MANIFEST, "0000418902", None),
        ("product Night  Lantern 3.5g at 402R-X0042", SubjectKind.PRODUCT, "Night Lantern 3.5g", "402R-X0042"),
    ],
)
def test_receipts_manifests_and_products_are_asked_by_their_word(text, kind, value, place):
    """The number or name is kept as it was typed, without what a phone put around it."""
    assert parse(text, "/reconcile") == Ask(value, place, kind)


@pytest.mark.parametrize(
    "text",
    [
        "https://1a4.com/3W5E11264SGPN",
        "<https://1a4.com/3W5E11264SGPN>",
        "package <https://id.1a4.com/3W5E11264SGPN>",
        "<https://1a4.com/3W5E11264SGPN|1a4.com/3W5E11264SGPN>",
        "id.14a.com/3W5E11264SGPN.",
    ],
)
def test_a_link_on_a_single_unit_is_a_question(text):
    """Which package it belongs to, METRC has to say."""
    assert parse(text, "/reconcile") == Ask("", retail_id="3W5E11264SGPN")


def test_several_tags_are_several_questions_up_to_five():
    """In any order of words; what is beyond is counted, not dropped in silence."""
    labels = [f"1A4FF01000000220000010{number:02d}" for number in range(7)]
    asked = parse(f"package {' '.join(labels)} at Hill Road", "/reconcile")
    assert [ask.label for ask in asked.each()] == labels[:5]
    assert (asked.left_out, asked.place) == (2, "Hill Road")


def test_the_end_of_a_tag_is_known_by_its_digits():
    """Four to eight of them; anything with letters may be a tag with slips."""
    assert parse("01002", "/reconcile").is_tail
    assert not parse("package 1A4FF01002", "/reconcile").is_tail


def test_what_a_message_speaks_of():
    """Tags, numbers after their word, links; no guess from a bare number or a plain word."""
    text = (
        f"Hi <@U0LEE>, `{LABEL.lower()}` is missing, sale #POS-20260302-00417 and manifest 0000418902. "
        "We counted 19 of 20 at 14:30, the receipt is gone. <https://1a4.com/3W5E11264SGPN>"
    )
    assert subjects_in(text) == (
        Ask(LABEL),
        Ask("", retail_id="3W5E11264SGPN"),
        Ask("POS-20260302-00417", kind=SubjectKind.RECEIPT),
        Ask("0000418902", kind=SubjectKind.MANIFEST),
    )
    assert subjects_in("Nothing to see here, 24 of them") == ()


def test_ten_thousand_random_texts_never_raise_and_every_sentence_can_be_sent():
    """Whatever is typed, the grammar answers, and its answer is a message that Slack takes."""
    dice = random.Random(20260303)  # noqa: S311 - noise, not keys
    alphabet = "1A4F0O I-–—`'\"“”‘’<>@#&|;:.,!?\n\t\u00a0\u200b\u202eé🙂\ud800\x00packgeht" + LABEL
    for _ in range(10_000):
        text = "".join(dice.choice(alphabet) for _ in range(dice.randrange(0, 60)))
        _judge(parse(text, "/reconcile"))


@given(st.text(max_size=TEXT_LIMIT + 5))
def test_any_text_is_read(text):
    """The grammar is total."""
    _judge(parse(text, "/reconcile"))


@given(st.text(max_size=40), st.text(max_size=40))
@example("<", ">000¼")
def test_a_whole_tag_is_never_lost_in_what_surrounds_it(before, after):
    """If the answer is a question at all and the tag stands alone among other words, it is about that tag."""
    found = parse(f"package {before} {LABEL} {after}", "/reconcile")
    if isinstance(found, Ask) and " at " not in f" {before} {after} ".casefold():
        assert found.label == LABEL or len(found.label) == 24


def _judge(parsed):
    if isinstance(parsed, Unclear):
        assert blockkit.problems(parsed.sentence, []) == []
    if isinstance(parsed, Ask) and parsed.kind is SubjectKind.PACKAGE and not parsed.retail_id:
        assert 5 <= len(parsed.label) <= 64
        assert parsed.label.isalnum()
