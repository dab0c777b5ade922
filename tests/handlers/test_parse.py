"""What somebody typed is read as they meant it, or sent back with an example."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model import SubjectKind
from handlers.parse import TEXT_LIMIT, Ask, Help, History, Pending, Status, Unclear, parse, subjects_in
from handlers.places import choose, whole_name
from handlers.render import words
from tests.handlers import blockkit
from tests.handlers.values import HARBOR, HILL, settings

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


@pytest.mark.parametrize(
    "text",
    ["2001", "…2001", "...2001", "#2001", "package …2001", "ends in 2001", "package ending in 2001", "where is 2001?"],
)
def test_four_digits_are_the_end_of_a_tag(text):
    """It is how the bot itself names a package."""
    asked = parse(text, "/reconcile")
    assert asked == Ask("2001")
    assert asked.is_tail


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("02001 02005", ["02001", "02005"]),
        ("package …2001, …2005", ["2001", "2005"]),
        ("02001,02005", ["02001", "02005"]),
        ("02001/02005", ["02001", "02005"]),
        ("…2001,…2005", ["2001", "2005"]),
        ("#02001;#02005", ["02001", "02005"]),
        (f"02001 at 402R-X0042, {LABEL}", ["02001", LABEL]),
        ("where are 02001 and 2005?", ["02001", "2005"]),
        ("2001 2002 2003 2004 2005", ["2001", "2002", "2003", "2004", "2005"]),
        (f"{LABEL} 02005", [LABEL, "02005"]),
        (f"02005 and {LABEL}, please", [LABEL, "02005"]),
        ("1A4FF010000002200000100 02005", ["1A4FF010000002200000100", "02005"]),
        ("02001 2001 02001", ["02001", "2001"]),
    ],
)
def test_several_ends_of_tags_are_several_questions(text, labels):
    """By themselves in the order they were typed, and after a whole tag."""
    assert [ask.label for ask in parse(text, "/reconcile").each()] == labels


def test_six_ends_of_four_digits_are_no_tag_in_pieces():
    """A tag in pieces has letters somewhere."""
    asked = parse("2001 2002 2003 2004 2005 2006", "/reconcile")
    assert [ask.label for ask in asked.each()] == ["2001", "2002", "2003", "2004", "2005"]
    assert asked.left_out == 1


@pytest.mark.parametrize(
    "text",
    [
        f"{LABEL}\t1250\tEach\tNight Lantern 3.5g",
        f"{LABEL} 37.00 of 2026-03-02",
        f"{LABEL} we counted 1,250 at 14:30 today",
    ],
)
def test_a_figure_in_a_row_is_no_end_of_a_tag(text):
    """Beside a whole tag only what stands in a list of tags is another one."""
    asked = parse(text, "/reconcile")
    assert (asked.label, asked.more) == (LABEL, ())


@pytest.mark.parametrize(
    "text", ["0000418902", "#0000418902", "package 0000418902", "0000418902?", "where is 0000418902 now"]
)
def test_a_long_number_by_itself_is_sent_back_with_the_word_for_it(text):
    """No tag is made of ten digits, a manifest's number is."""
    unclear = parse(text, "/diagnose")
    assert isinstance(unclear, Unclear)
    assert "`/diagnose manifest 0000418902`" in unclear.sentence
    assert "`/diagnose receipt 0000418902`" in unclear.sentence


def test_the_number_of_a_sale_by_itself_is_a_receipt():
    """Its shape says so."""
    assert parse("POS–20260302–00417", "/reconcile") == Ask("POS-20260302-00417", kind=SubjectKind.RECEIPT)
    assert parse("history POS-20260302-00417", "/reconcile") == History("POS-20260302-00417")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("receipts 880101 and 880102", ["880101", "880102"]),
        ("receipts 880101, 880102", ["880101", "880102"]),
        ("manifest 0000415006/0000415007", ["0000415006", "0000415007"]),
        ("transfers 0000415006 0000415007", ["0000415006", "0000415007"]),
    ],
)
def test_several_numbers_after_their_word_are_several_questions(text, values):
    """As with tags."""
    assert [ask.label for ask in parse(text, "/reconcile").each()] == values


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("statsu", Status()),
        ("stauts at Harbor Street", Status("Harbor Street")),
        ("facilty", Ask("", None, SubjectKind.FACILITY)),
        ("reciept 880102", Ask("880102", None, SubjectKind.RECEIPT)),
        ("manfest 415006", Ask("415006", None, SubjectKind.MANIFEST)),
        ("prodct Night Lantern", Ask("Night Lantern", None, SubjectKind.PRODUCT)),
        ("pendign", Pending()),
        ("histroy 880102", History("880102")),
        ("packge 02001", Ask("02001")),
        ("hlep", Help()),
    ],
)
def test_a_word_with_one_slip_is_understood(text, meant):
    """One letter missing, wrong, too many or swapped, where that leaves one word only."""
    assert parse(text, "/reconcile") == meant


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("statuuus", "status"),
        ("recpiet of today", "receipt POS-20260302-00417"),
        ("fcilty", "facility"),
        ("halp", "help"),
    ],
)
def test_a_word_with_two_slips_is_suggested(text, line):
    """It is not done unasked."""
    unclear = parse(text, "/diagnose")
    assert isinstance(unclear, Unclear)
    assert f"Did you mean `/diagnose {line}`?" in unclear.sentence


@pytest.mark.parametrize("text", ["score 02001", f"stare at {LABEL}"])
def test_a_word_that_is_like_another_does_not_hide_a_tag(text):
    """What holds a tag is a question about it."""
    assert not isinstance(parse(text, "/reconcile"), Status)
    assert getattr(parse(text, "/reconcile"), "kind", SubjectKind.PACKAGE) is SubjectKind.PACKAGE


@pytest.mark.parametrize(
    ("text", "label", "shop"),
    [
        ("02001 at harbor", "02001", HARBOR),
        ("02001 at 402rx0042", "02001", HARBOR),
        ("02001 at Harbor-Street", "02001", HARBOR),
        ("02001 at hill road please", "02001", HILL),
        ("02001 in Hill Road", "02001", HILL),
        ("02001 in hill", "02001", HILL),
        ("02001 @ Hill Road", "02001", HILL),
        ("02001 @402R-X0043", "02001", HILL),
        (f"{LABEL} in 402R-X0043", LABEL, HILL),
        ("receipt 880102 in Hill Road", "880102", HILL),
        ("receipts 880101 and 880102 @ Hill Road", "880101", HILL),
        ("product Night Lantern in Hill Road", "Night Lantern", HILL),
        ("facility in Hill Road", "", HILL),
        ("02001 at Road", "02001", HILL),
        ("https://1a4.com/3W5E11264SGPN in Hill Road", "", HILL),
        # the channel's shop
        ("02001 in the vault", "02001", HARBOR),
        ("ends in 02001", "02001", HARBOR),
        ("why in 2001", "2001", HARBOR),
        ("product Night in Hill", "Night in Hill", HARBOR),
        ("product Night at Hill", "Night at Hill", HARBOR),
        ("receipt 880102 in the vault", "880102", HARBOR),
        (f"12345 in {LABEL}", LABEL, HARBOR),
    ],
)
def test_a_shop_is_known_by_a_part_of_its_name_or_license(text, label, shop):
    """After ``in`` and ``@`` only what is surely a shop: boxes and vaults are in between."""
    both = settings(HARBOR, HILL)
    asked = whole_name(parse(text, "/reconcile"), both)
    assert next(asked.each()).label == label
    assert choose(asked, "C0FLOOR", both) == shop


@pytest.mark.parametrize("place", ["street", "402R", "r", "X004", "the", "nowhere"])
def test_a_part_that_fits_several_shops_or_none_is_not_guessed(place):
    """Somebody else's stock would be looked up."""
    both = settings(HARBOR, replace(HILL, name="Hill Street"))
    asked = whole_name(parse(f"02001 at {place}", "/reconcile"), both)
    assert isinstance(choose(asked, "C0FLOOR", both), Unclear)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("receipts 880101 and 880102", ["880101", "880102"]),
        ("Receipts *880101*, `880102` & 880103.", ["880101", "880102", "880103"]),
        ("transfer 0000415006/0000415007", ["0000415006", "0000415007"]),
        ("sale POS-20260302-00417 and 19 Each", ["POS-20260302-00417"]),
        ("receipt 880101 and 1250 grams", ["880101"]),
        (
            "5 sales will not reach METRC by themselves: POS-20260302-00417, POS-20260302-00418 and 3 more.",
            ["POS-20260302-00417", "POS-20260302-00418"],
        ),
        ("sales that failed: S-1017, S-1018, S-1020.", ["S-1017", "S-1018", "S-1020"]),
        ("POS-20260302-00417 is gone", ["POS-20260302-00417"]),
        ("sales today: 1250, at 402R-X0042", []),
        ("sales at 14:30", []),
    ],
)
def test_every_number_that_a_message_names_is_found(text, values):
    """In a list after its word, and where the shape is a sale's."""
    assert [ask.label for ask in subjects_in(text)] == values


def test_every_line_of_the_help_is_understood_and_no_word_is_left_out():
    """What is copied out of it is never sent back."""
    lines = re.findall(r"`([^`]*)`", words.usage("/reconcile", [("402R-X0042", "Harbor Street")]))
    copied = [line for line in lines if line.startswith("/reconcile ")]
    assert not [line for line in copied if isinstance(parse(line, "/reconcile"), Unclear)]
    said = {line.split()[1] for line in copied}
    assert said == {"package", "receipt", "manifest", "product", "facility", "status", "pending", "history", "help"}


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
        assert 5 <= len(parsed.label) <= 64 or parsed.is_tail
        assert parsed.label.isalnum()
