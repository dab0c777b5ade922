"""What somebody typed → what they ask. Pure, never raises, and forgiving: a phone changes quotes, dashes and spaces.

A tag of the wrong length or with a wrong letter is still a question: it is looked up in the POS and among near tags.
Only text that cannot hold a tag is sent back, with one example to copy. So it is with the number of a receipt or
manifest and the name of a product, once the word for it was said. Several tags in one text are one question each, up to
``MOST_LABELS``; the end of a tag and a Retail ID link are questions whose tag somebody else has to find.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bot.errors import QuestionError
from bot.model import LABEL_LENGTH, SubjectKind
from bot.subject_names import readable_subject
from handlers.render import words

TEXT_LIMIT: Final = 3000
MESSAGE_LIMIT: Final = 40_000
MOST_LABELS: Final = 5
SHORTEST_RUN: Final = 5
LONGEST_LABEL: Final = 64
NEARLY_A_LABEL: Final = range(LABEL_LENGTH - 4, LABEL_LENGTH + 5)

PACKAGE_WORDS: Final = frozenset({"package", "packages", "pkg", "label", "tag"})
HELP_WORDS: Final = frozenset({"help", "?", "usage", "man"})
SHOP_WORDS: Final = frozenset({"facility", "shop", "store"})
SUBJECT_WORDS: Final = {
    "receipt": SubjectKind.RECEIPT,
    "receipts": SubjectKind.RECEIPT,
    "sale": SubjectKind.RECEIPT,
    "manifest": SubjectKind.MANIFEST,
    "transfer": SubjectKind.MANIFEST,
    "product": SubjectKind.PRODUCT,
    "item": SubjectKind.PRODUCT,
}
PENDING_WORDS: Final = frozenset({"pending", "open"})
HISTORY_WORDS: Final = frozenset({"history", "removals"})
STATUS_WORDS: Final = frozenset({"status"})

_DASHES: Final = re.compile("[‐‑‒–—―−﹘﹣]")
_QUOTES: Final = re.compile("[\"'`´‘’‚‛“”„‟«»‹›′″]")
# only what Slack itself writes so: a mention, an address, or something with a label; else it is what was typed
_LINKED: Final = re.compile(r"<(?:[@#!][^<>|]*|[A-Za-z][A-Za-z0-9+.-]{0,15}:[^<>|]*|[^<>|]*(?=\|))(?:\|([^<>]*))?>")
_ENDS: Final = ".,;:!?()[]{}*_~#…"
_WHOLE: Final = re.compile(rf"(?<![^\W_])[^\W_]{{{LABEL_LENGTH}}}(?![^\W_])")
_RETAIL_ID: Final = re.compile(
    r"(?<![\w.])(?:id\.)?(?:1a4|14a)\.com/(?:[a-z]{1,12}/)?([A-Za-z0-9]{6,40})(?![\w/])", re.IGNORECASE
)
# in a message: the word, and the number that follows it
_NAMED: Final = re.compile(
    r"\b(receipt|sale|transaction|manifest|transfer)s?\b[\s:#]*(?:(?:no|nr|number|id)\b\.?[\s:#]*)?"
    r"([A-Za-z0-9][A-Za-z0-9_./-]{2,40})",
    re.IGNORECASE,
)
_TAIL: Final = range(4, 9)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question. ``label``: the package's, or the number or name of what ``kind`` says; empty for a whole shop.

    ``place``: what followed ``at``, as typed; None: not named. ``more``: other packages asked about in the same breath;
    ``left_out``: how many more there were. ``retail_id``: the code of a link on a single unit; the label is not known
    then, and empty.
    """

    label: str
    place: str | None = None
    kind: SubjectKind = SubjectKind.PACKAGE
    more: tuple[str, ...] = ()
    left_out: int = 0
    retail_id: str = ""

    @property
    def is_tail(self) -> bool:
        """Whether it can only be the end of a tag: 4 to 8 digits, which people read off the label's last line."""
        return self.kind is SubjectKind.PACKAGE and len(self.label) in _TAIL and self.label.isdecimal()

    def each(self) -> Iterator[Ask]:
        """One question for each package."""
        for label in (self.label, *self.more):
            yield replace(self, label=label, more=(), left_out=0)


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody wants to know what can be asked."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody wants to know which removals are open. ``place`` as in ``Ask``."""

    place: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Somebody wants to know which removals there were; ``label`` empty: of all packages."""

    label: str = ""
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Somebody wants to know how the shops stand. ``place`` as in ``Ask``."""

    place: str | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """It cannot be a question. ``sentence`` says why, as markup, with an example to copy."""

    sentence: str


Parsed = Ask | Help | Pending | History | Status | Unclear


def is_bare(text: str) -> bool:
    """Whether nothing was typed that anybody could see."""
    return not _tokens(text[:TEXT_LIMIT]) and not _RETAIL_ID.search(text[:TEXT_LIMIT])


def parse(text: str, command: str) -> Parsed:
    """The text after the slash command, as Slack sent it. ``command`` is the name used in examples."""
    if len(text) > TEXT_LIMIT:
        return Unclear(words.too_long(command))
    typed = _tokens(text)
    if typed and typed[0].casefold() == command.casefold():
        typed = typed[1:]
    scanned = _RETAIL_ID.search(text)
    if scanned:
        return _parse_scan(scanned[1], typed, command)
    if not typed or typed[0].casefold() in HELP_WORDS:
        return Help()
    return _parse_verb(typed, command)


def subjects_in(text: str) -> tuple[Ask, ...]:
    """What a message of somebody else speaks of: tags, links on units, receipts and manifests, at most ``MOST_LABELS``.

    Nothing is guessed: a number counts only after its word, and a tag only when it is whole.
    """
    text = text[:MESSAGE_LIMIT]
    plain = " ".join(_tokens(text))
    found = [Ask(label) for label in _whole_labels(plain)]
    found += [Ask("", retail_id=scanned[1]) for scanned in _RETAIL_ID.finditer(text)]
    for named in _NAMED.finditer(plain):
        kind = SUBJECT_WORDS.get(named[1].casefold(), SubjectKind.RECEIPT)
        number = named[2].rstrip("./-_")
        if any(c.isdigit() for c in number) and len(number) != LABEL_LENGTH:
            found.append(Ask(number, kind=kind))
    return tuple(dict.fromkeys(found))[:MOST_LABELS]


def _parse_scan(code: str, typed: list[str], command: str) -> Ask | Unclear:
    """A link on a single unit; its words may not look like a tag, so only the place is read from them."""
    place = _split_place(typed)[1]
    return Unclear(words.no_place(command)) if place == "" else Ask("", place, retail_id=code)


def _parse_verb(typed: list[str], command: str) -> Ask | Pending | History | Status | Unclear:
    verb = typed[0].casefold().rstrip(_ENDS)
    if verb in PENDING_WORDS | HISTORY_WORDS:
        return _parse_list(typed[1:], command, is_pending=verb in PENDING_WORDS)
    if verb in STATUS_WORDS:
        return _parse_status(typed[1:], command)
    if verb in PACKAGE_WORDS:
        return _parse_package(typed[1:], command) if typed[1:] else Unclear(words.no_label(command))
    if verb in SHOP_WORDS:
        return _parse_shop(typed[1:], command)
    if verb in SUBJECT_WORDS:
        return _parse_subject(SUBJECT_WORDS[verb], typed[1:], command)
    return _parse_package(typed, command)


def _parse_package(typed: list[str], command: str) -> Ask | Unclear:
    what, place = _split_place(typed)
    if place == "":
        return Unclear(words.no_place(command))
    found = labels_in(what)
    if not found:
        return Unclear(words.no_label(command))
    asked = found[:MOST_LABELS]
    return Ask(asked[0], place, more=asked[1:], left_out=len(found) - len(asked))


def _parse_subject(kind: SubjectKind, typed: list[str], command: str) -> Ask | Unclear:
    """A receipt or manifest by its number, a product by its name; a name may be several words."""
    what, place = _split_place(typed)
    if place == "":
        return Unclear(words.no_place(command))
    try:
        return Ask(readable_subject(kind, " ".join(what)), place, kind)
    except QuestionError:
        return Unclear(words.no_subject(kind, command))


def _parse_list(typed: list[str], command: str, *, is_pending: bool) -> Pending | History | Unclear:
    """What is open, or what there was; a tag or number may follow the latter."""
    what, place = _split_place(typed)
    if place == "":
        return Unclear(words.no_place(command))
    if is_pending:
        return Pending(place)
    found = labels_in(what)
    return History(found[0] if len(found) == 1 else " ".join(what), place)


def _parse_status(typed: list[str], command: str) -> Status | Unclear:
    """Of one shop, which may follow with or without ``at``, or of all."""
    named = typed[1:] if typed and typed[0].casefold() == "at" else typed
    return Unclear(words.no_place(command)) if typed and not named else Status(" ".join(named) or None)


def _parse_shop(typed: list[str], command: str) -> Ask | Unclear:
    """The whole shop; its license may follow with or without ``at``."""
    named = typed[1:] if typed and typed[0].casefold() == "at" else typed
    if typed and not named:
        return Unclear(words.no_place(command))
    return Ask("", " ".join(named) or None, SubjectKind.FACILITY)


def labels_in(typed: list[str]) -> tuple[str, ...]:
    """The tags these words can hold: whole tags first, else pieces that make one, else the longest likely word."""
    found = _whole_labels(" ".join(typed))
    if found:
        return found
    pieces = [piece for word in typed if (piece := _label_characters(word))]
    likely = [piece for piece in pieces if could_be_label(piece)]
    whole = tuple(dict.fromkeys(piece for piece in likely if len(piece) == LABEL_LENGTH))
    if whole:
        return whole
    joined = "".join(pieces)
    if len(joined) == LABEL_LENGTH or (len(joined) in NEARLY_A_LABEL and not _has_nearly_whole(likely)):
        # without a digit these are the words of a sentence that happens to be as long as a tag
        return (joined,) if _has_digit(joined) else ()
    return (max(likely, key=len),) if likely else ()


def _whole_labels(text: str) -> tuple[str, ...]:
    """Tags that stand by themselves, also between the commas and tabs of a row that was copied out of the POS."""
    return tuple(dict.fromkeys(label for piece in _WHOLE.findall(text) if _has_digit(label := piece.upper())))


def could_be_label(text: str) -> bool:
    """Whether this run of characters may be somebody's idea of a tag: a plain word is none, for tags hold digits."""
    if not SHORTEST_RUN <= len(text) <= LONGEST_LABEL:
        return False
    return _has_digit(text) or len(text) == LABEL_LENGTH


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _has_nearly_whole(pieces: list[str]) -> bool:
    return any(len(piece) in NEARLY_A_LABEL for piece in pieces)


def _label_characters(word: str) -> str:
    return "".join(c for c in word if c.isalnum()).upper()


def _split_place(typed: list[str]) -> tuple[list[str], str | None]:
    """Cut at the last ``at``; no tag can follow it, so one that is part of a spaced tag is left alone."""
    cuts = [number for number, word in enumerate(typed) if word.casefold() == "at"]
    if not cuts:
        return typed, None
    return typed[: cuts[-1]], " ".join(typed[cuts[-1] + 1 :])


def _tokens(text: str) -> list[str]:
    """Plain words: Slack's escapes undone, links read as their label, what phones put in taken out."""
    text = _LINKED.sub(lambda link: f" {link[1] or ''} ", text)
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, plain)
    text = _QUOTES.sub("", _DASHES.sub("-", text))
    text = unicodedata.normalize("NFKC", text)
    text = "".join(_visible(c) for c in text)
    return [token for word in text.split() if (token := word if word == "?" else word.strip(_ENDS + "-"))]


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category in {"Cc", "Cs", "Co", "Cn"} else character
