"""Numbers of receipts and manifests and names of products: as people type them, and how two are told apart. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from bot.errors import QuestionError
from bot.labels import nearest
from bot.model import SubjectKind
from bot.numbers import same_number

LONGEST_NUMBER: Final = 64
LONGEST_NAME: Final = 200
MOST_ALIKE: Final = 5

ACCEPTED: Final = {
    SubjectKind.RECEIPT: (
        "a METRC receipt's id or number, or the POS's number of the sale, for example 880102 or POS-20260302-00417"
    ),
    SubjectKind.MANIFEST: "the number or id of a METRC manifest, for example 0000418902",
    SubjectKind.PRODUCT: "the name of a POS product or METRC item, or its id, for example Night Lantern Flower 3.5g",
}

_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_WRAPPING: Final = " \t\r\n\u00a0`'\"“”‘’«»*_~<>()[]{}.,;:!?#"
_DASHES: Final = re.compile("[‐‑‒–—―−﹘﹣]")
_NUMBER: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_./:+-]{{0,{LONGEST_NUMBER - 1}}}")
_CLOSE: Final = 0.72


def readable_subject(kind: SubjectKind, text: str) -> str:
    """What was typed as a receipt, manifest or product, without what surrounds it.

    Raises ``QuestionError`` for text that can be none at all; one that nobody knows is still a question.
    """
    value = " ".join(_DASHES.sub("-", text.translate(_INVISIBLE)).split()).strip(_WRAPPING)
    if kind is SubjectKind.PRODUCT:
        fits = len(value) <= LONGEST_NAME and sum(character.isalnum() for character in value) >= 2
    else:
        fits = _NUMBER.fullmatch(value) is not None and any(character.isdigit() for character in value)
    if not fits:
        raise QuestionError(f"{text.strip()[:40]!r} cannot be a {kind.value}; accepted: {ACCEPTED[kind]}")
    return value


def name_words(name: str | None) -> tuple[str, ...]:
    """A name as it is compared: dashes, commas, case and spaces are retyped all the time, words and numbers are not."""
    return tuple(re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", (name or "").casefold()))


def telling_word(name: str) -> str:
    """The longest word of a name, by which names like it are looked up."""
    return max(name_words(name), key=len, default=name.strip().casefold())


def numbers_alike(number: str, others: Iterable[str]) -> tuple[str, ...]:
    """Those of ``others`` that end like it or are nearly the same, nearest first; at most ``MOST_ALIKE``."""
    distinct = {other for other in others if other and not same_number(other, number)}
    tails = sorted(other for other in distinct if len(number) >= 3 and other.casefold().endswith(number.casefold()))
    # in a short number two slips leave nothing that could be recognised
    close = nearest(number, distinct - set(tails), 2 if len(number) >= 8 else 1)
    return (*tails, *(other for _, other in close))[:MOST_ALIKE]


def names_alike(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Those of ``others`` that hold all its words, then those spelled nearly so; at most ``MOST_ALIKE``."""
    wanted = name_words(name)
    by_words = {name_words(other): other for other in others if other}
    by_words.pop(wanted, None)
    holding = sorted(words for words in by_words if set(wanted) <= set(words))
    keys = {" ".join(words): words for words in by_words if words not in holding}
    close = difflib.get_close_matches(" ".join(wanted), sorted(keys), MOST_ALIKE, _CLOSE)
    return tuple(by_words[words] for words in (*holding, *(keys[key] for key in close)))[:MOST_ALIKE]
