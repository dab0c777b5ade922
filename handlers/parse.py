"""What somebody typed → what they ask. Pure, never raises, and forgiving: a phone changes quotes, dashes and spaces.

A tag of the wrong length or with a wrong letter is still a question: it is looked up in the POS and among near tags.
Only text that cannot hold a tag is sent back, with one example to copy. So it is with the number of a receipt or
manifest and the name of a product, once the word for it was said.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from bot.errors import QuestionError
from bot.model import LABEL_LENGTH, SubjectKind
from bot.subject_names import readable_subject
from handlers.render import words

TEXT_LIMIT: Final = 500
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
LATER_WORDS: Final = frozenset({"status"})

_DASHES: Final = re.compile("[‐‑‒–—―−﹘﹣]")
_QUOTES: Final = re.compile("[\"'`´‘’‚‛“”„‟«»‹›′″]")
_LINKED: Final = re.compile(r"<[^<>|]*(?:\|([^<>]*))?>")
_ENDS: Final = ".,;:!?()[]{}*_~#…"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question. ``label``: the package's, or the number or name of what ``kind`` says; empty for a whole shop.

    ``place``: what followed ``at``, as typed; None: not named.
    """

    label: str
    place: str | None = None
    kind: SubjectKind = SubjectKind.PACKAGE


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
class Unclear:
    """It cannot be a question. ``sentence`` says why, as markup, with an example to copy."""

    sentence: str


def parse(text: str, command: str) -> Ask | Help | Pending | History | Unclear:
    """The text after the slash command, as Slack sent it. ``command`` is the name used in examples."""
    if len(text) > TEXT_LIMIT:
        return Unclear(words.too_long(command))
    typed = _tokens(text)
    if typed and typed[0].casefold() == command.casefold():
        typed = typed[1:]
    if not typed or typed[0].casefold() in HELP_WORDS:
        return Help()
    return _parse_verb(typed, command)


def _parse_verb(typed: list[str], command: str) -> Ask | Pending | History | Unclear:
    verb = typed[0].casefold().rstrip(_ENDS)
    if verb in PENDING_WORDS | HISTORY_WORDS:
        return _parse_list(typed[1:], command, is_pending=verb in PENDING_WORDS)
    if verb in LATER_WORDS:
        return Unclear(words.not_yet(verb, command))
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
    if len(found) > 1:
        return Unclear(words.several_labels(found, command))
    if not found:
        return Unclear(words.no_label(command))
    return Ask(found[0], place)


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


def _parse_shop(typed: list[str], command: str) -> Ask | Unclear:
    """The whole shop; its license may follow with or without ``at``."""
    named = typed[1:] if typed and typed[0].casefold() == "at" else typed
    if typed and not named:
        return Unclear(words.no_place(command))
    return Ask("", " ".join(named) or None, SubjectKind.FACILITY)


def labels_in(typed: list[str]) -> tuple[str, ...]:
    """The tags these words can hold: whole tags first, else pieces that make one, else the longest likely word."""
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
