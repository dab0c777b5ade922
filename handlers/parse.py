"""What somebody typed → what they ask. Pure, never raises, and forgiving: a phone changes quotes, dashes and spaces.

A tag of the wrong length or with a wrong letter is still a question: it is looked up in the POS and among near tags.
Only text that cannot hold a tag is sent back, with one example to copy. So it is with the number of a receipt or
manifest and the name of a product, once the word for it was said; a slip in that word is forgiven. Several tags or
numbers in one text are one question each, up to ``MOST_LABELS``; the end of a tag and a Retail ID link are questions whose
tag somebody else has to find, and whether a shop follows ``in`` only ``handlers.places`` can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from bot.errors import QuestionError
from bot.labels import edits
from bot.model import LABEL_LENGTH, SubjectKind
from bot.subject_names import readable_subject
from handlers.render import words

TEXT_LIMIT: Final = 3000
MESSAGE_LIMIT: Final = 40_000
MOST_LABELS: Final = 5
SHORTEST_RUN: Final = 5
LONGEST_LABEL: Final = 64
NEARLY_A_LABEL: Final = range(LABEL_LENGTH - 4, LABEL_LENGTH + 5)

PACKAGE_WORDS: Final = frozenset({"package", "packages", "pkg", "label", "labels", "tag", "tags"})
HELP_WORDS: Final = frozenset({"help", "?", "usage", "man"})
SHOP_WORDS: Final = frozenset({"facility", "facilities", "shop", "shops", "store", "stores"})
SUBJECT_WORDS: Final = {
    "receipt": SubjectKind.RECEIPT,
    "receipts": SubjectKind.RECEIPT,
    "sale": SubjectKind.RECEIPT,
    "sales": SubjectKind.RECEIPT,
    "manifest": SubjectKind.MANIFEST,
    "manifests": SubjectKind.MANIFEST,
    "transfer": SubjectKind.MANIFEST,
    "transfers": SubjectKind.MANIFEST,
    "product": SubjectKind.PRODUCT,
    "item": SubjectKind.PRODUCT,
}
PENDING_WORDS: Final = frozenset({"pending", "open"})
HISTORY_WORDS: Final = frozenset({"history", "removals"})
STATUS_WORDS: Final = frozenset({"status"})

_EVERY_WORD: Final[dict[str, str]] = {
    **dict.fromkeys(HELP_WORDS - {"?", "man"}, "help"),
    **dict.fromkeys(PACKAGE_WORDS, "package"),
    **dict.fromkeys(SHOP_WORDS, "facility"),
    **{word: kind.value for word, kind in SUBJECT_WORDS.items()},
    **dict.fromkeys(PENDING_WORDS, "pending"),
    **dict.fromkeys(HISTORY_WORDS, "history"),
    **dict.fromkeys(STATUS_WORDS, "status"),
}
"""Every word of the command, with what it means."""

_DASHES: Final = re.compile("[‐‑‒–—―−﹘﹣]")
_QUOTES: Final = re.compile("[\"'`´‘’‚‛“”„‟«»‹›′″]")
# only what Slack itself writes so: a mention, an address, or something with a label; else it is what was typed
_LINKED: Final = re.compile(r"<(?:[@#!][^<>|]*|[A-Za-z][A-Za-z0-9+.-]{0,15}:[^<>|]*|[^<>|]*(?=\|))(?:\|([^<>]*))?>")
_ENDS: Final = ".,;:!?()[]{}*_~#…"
_WHOLE: Final = re.compile(rf"(?<![^\W_])[^\W_]{{{LABEL_LENGTH}}}(?![^\W_])")
_RETAIL_ID: Final = re.compile(
    r"(?<![\w.])(?:id\.)?(?:1a4|14a)\.com/(?:[a-z]{1,12}/)?([A-Za-z0-9]{6,40})(?![\w/])", re.IGNORECASE
)
_TAIL: Final = range(4, 9)
_END_OF_TAG: Final = re.compile(rf"[0-9]{{{_TAIL.start},{_TAIL.stop - 1}}}")
# too long for the end of a tag, too short for a tag
_LONG_NUMBER: Final = re.compile(rf"[0-9]{{{_TAIL.stop},{NEARLY_A_LABEL.start - 1}}}")
_BETWEEN: Final = re.compile(r"[,;/|&+]+")
# the shape of a POS's own numbers: letters, a day, a count
_SALE: Final = re.compile(r"(?<![\w-])[A-Za-z]{2,6}-[0-9]{6,8}-[0-9]{2,8}(?![\w-])")
# in a message: the word, and the number that follows it
_NAMED: Final = re.compile(
    r"\b(receipt|sale|transaction|manifest|transfer)s?\b[\s:#]*(?:(?:no|nr|number|id)\b\.?[\s:#]*)?(?=[A-Za-z0-9])",
    re.IGNORECASE,
)
# a list further on in the same sentence, as an alert has it; no count and no time of day begins like this
_LISTED: Final = re.compile(r"\b(receipt|sale|transaction)s\b[^.:;\d]{1,60}:\s*(?=[A-Za-z]{1,8}-\d)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{2,40}")
_NEXT: Final = re.compile(r"(?=[\s,;|&+])[\s,;|&+]*(?:(?:and|or)\b\s*)?#?")
# what may stand around tags without making a row or a report of them
_JOINING: Final = frozenset(
    {
        "and",
        "or",
        "also",
        "plus",
        "please",
        "why",
        "where",
        "is",
        "are",
        "missing",
        "ends",
        "ending",
        "in",
        "the",
        "with",
    }
)
_BEFORE_NUMBERS: Final = frozenset({"and", "or", "no", "nr", "number", "numbers", "id", "ids", "please"})
_PLACE_WORDS: Final = frozenset({"at", "in", "@"})


@dataclass(frozen=True, slots=True)
class Ask:
    """A question. ``label``: the package's, or the number or name of what ``kind`` says; empty for a whole shop.

    ``place``: what followed ``at``, as typed; None: not named. ``more``: other packages asked about in the same breath;
    ``left_out``: how many more there were. ``retail_id``: the code of a link on a single unit; the label is not known
    then, and empty. ``within``: what is asked instead when its place, which followed ``in`` or ``@``, is a shop.
    """

    label: str
    place: str | None = None
    kind: SubjectKind = SubjectKind.PACKAGE
    more: tuple[str, ...] = ()
    left_out: int = 0
    retail_id: str = ""
    within: Ask | None = field(default=None, compare=False)

    @property
    def is_tail(self) -> bool:
        """Whether it can only be the end of a tag: 4 to 8 digits, which people read off the label's last line."""
        return self.kind is SubjectKind.PACKAGE and len(self.label) in _TAIL and self.label.isdecimal()

    def each(self) -> Iterator[Ask]:
        """One question for each package."""
        for label in (self.label, *self.more):
            yield replace(self, label=label, more=(), left_out=0, within=None)


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
    """What a message of somebody else speaks of: tags, links on units, receipts and manifests.

    Nothing is guessed: a number counts only after its word or in the shape of a sale's, and a tag only when it is whole.
    """
    text = text[:MESSAGE_LIMIT]
    # a colon tells a list from a sentence
    plain = " ".join(_tokens(text, _ENDS.replace(":", "")))
    found = [Ask(label) for label in _whole_labels(plain)]
    found += [Ask("", retail_id=scanned[1]) for scanned in _RETAIL_ID.finditer(text)]
    for named in sorted((*_NAMED.finditer(plain), *_LISTED.finditer(plain)), key=lambda match: match.start()):
        kind = SUBJECT_WORDS.get(named[1].casefold(), SubjectKind.RECEIPT)
        found += [Ask(number, kind=kind) for number in _numbers_at(plain, named.end())]
    known = {ask.label for ask in found}
    found += [Ask(sale, kind=SubjectKind.RECEIPT) for sale in _SALE.findall(plain) if sale not in known]
    return tuple(dict.fromkeys(found))


def _numbers_at(text: str, start: int) -> list[str]:
    """The number that begins here, and those of the same make that follow it in a list."""
    found: list[str] = []
    written = _NUMBER.match(text, start)
    while written:
        numbers = _apart(written[0].rstrip("./-_"))
        if not all(_has_digit(number) and _is_alike(number, (found or numbers)[0]) for number in numbers):
            break
        found += [number for number in numbers if len(number) != LABEL_LENGTH]
        between = _NEXT.match(text, written.end())
        written = _NUMBER.match(text, between.end()) if found and between else None
    return found


def _apart(number: str) -> list[str]:
    """Two numbers with a stroke between them; a number may have a stroke of its own."""
    parts = number.split("/")
    is_list = all(len(part) >= SHORTEST_RUN and _has_digit(part) and _is_alike(part, parts[0]) for part in parts)
    return parts if is_list else [number]


def _is_alike(number: str, other: str) -> bool:
    """Whether both may be numbers of the same kind: a count or a price beside one is shorter or has other signs."""
    made, others = (re.sub(r"[0-9]+", "0", one.casefold()) for one in (number, other))
    return made == others and abs(len(number) - len(other)) <= 1


def _parse_scan(code: str, typed: list[str], command: str) -> Ask | Unclear:
    """A link on a single unit; its words may not look like a tag, so only the place is read from them."""
    return _placed(lambda _, place: Ask("", place, retail_id=code), typed, command)


def _parse_verb(typed: list[str], command: str) -> Parsed:
    verb = typed[0].casefold().rstrip(_ENDS)
    verb = _mended(verb, typed[1:]) or verb
    if verb in HELP_WORDS:
        return Help()
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
    return _placed(lambda what, place: _packages(what, place, command), typed, command)


def _packages(what: list[str], place: str | None, command: str) -> Ask | Unclear:
    """Tags, or numbers that say by their shape that they are sales."""
    if what and all(_SALE.fullmatch(word) for word in what):
        return _several(what, place, SubjectKind.RECEIPT)
    # a whole tag is no part of a shop's name
    found = (*labels_in(what), *_whole_labels(place or ""))
    if not found:
        meant = _suggested(what[0].casefold()) if what else None
        return Unclear(words.did_you_mean(meant, command) if meant else words.no_label(command))
    if len(found) == 1 and _LONG_NUMBER.fullmatch(found[0]):
        return Unclear(words.bare_number(found[0], command))
    return _several(found, place)


def _several(found: Iterable[str], place: str | None, kind: SubjectKind = SubjectKind.PACKAGE) -> Ask:
    asked = tuple(dict.fromkeys(found))
    return Ask(asked[0], place, kind, asked[1:MOST_LABELS], max(0, len(asked) - MOST_LABELS))


def _parse_subject(kind: SubjectKind, typed: list[str], command: str) -> Ask | Unclear:
    return _placed(lambda what, place: _subject(kind, what, place, command), typed, command)


def _subject(kind: SubjectKind, what: list[str], place: str | None, command: str) -> Ask | Unclear:
    """A receipt or manifest by its number, or several; a product by its name, which may be several words."""
    named = [" ".join(what)]
    if kind is not SubjectKind.PRODUCT:
        pieces = [piece for word in what for piece in re.split(r"[,;|&+]+", word)]
        numbers = [piece for piece in pieces if _label_characters(piece) and piece.casefold() not in _BEFORE_NUMBERS]
        named = [number for piece in numbers for number in _apart(piece)] or named
    try:
        return _several([readable_subject(kind, name) for name in named], place, kind)
    except QuestionError:
        return Unclear(words.no_subject(kind, command))


def _placed(ask: Callable[[list[str], str | None], Ask | Unclear], typed: list[str], command: str) -> Ask | Unclear:
    """What is asked, and where: ``at`` says it, ``in`` and ``@`` only when a shop follows."""
    what, place = _split_place(typed)
    if place == "":
        return Unclear(words.no_place(command))
    asked = ask(what, place)
    before, shop = _split_place(what, _PLACE_WORDS) if place is None else (what, None)
    within = ask(before, shop) if shop else None
    if not isinstance(within, Ask):
        return asked
    # a number cannot go on after a blank, so what follows it is no part of it in any case
    return replace(asked if isinstance(asked, Ask) else replace(within, place=None), within=within)


def _parse_list(typed: list[str], command: str, *, is_pending: bool) -> Pending | History | Unclear:
    """What is open, or what there was; a tag or number may follow the latter."""
    what, place = _split_place(typed, _PLACE_WORDS)
    if place == "":
        return Unclear(words.no_place(command))
    if is_pending:
        return Pending(place)
    found = labels_in(what)
    return History(found[0] if len(found) == 1 and len(found[0]) in NEARLY_A_LABEL else " ".join(what), place)


def _parse_status(typed: list[str], command: str) -> Status | Unclear:
    """Of one shop, which may follow with or without ``at``, or of all."""
    named = _without_at(typed)
    return Unclear(words.no_place(command)) if typed and not named else Status(" ".join(named) or None)


def _parse_shop(typed: list[str], command: str) -> Ask | Unclear:
    """The whole shop; its license may follow with or without ``at``."""
    named = _without_at(typed)
    if typed and not named:
        return Unclear(words.no_place(command))
    return Ask("", " ".join(named) or None, SubjectKind.FACILITY)


def _without_at(typed: list[str]) -> list[str]:
    what, place = _split_place(typed[:1], _PLACE_WORDS)
    return typed if place is None else [*what, *typed[1:]]


def _mended(verb: str, rest: list[str]) -> str | None:
    """The word of the command that was meant by one with a slip in it; None: there is none, or more than one.

    In a short word only two letters that are swapped are a slip: others make another word. What holds a tag is about it.
    """
    if verb in _EVERY_WORD or not verb.isalpha():
        return None
    near = {word for word in _EVERY_WORD if _slips(verb, word) == 1 and (len(word) > 5 or sorted(word) == sorted(verb))}
    if len({_EVERY_WORD[word] for word in near}) != 1:
        return None
    word = min(near)
    takes_number = word in SUBJECT_WORDS or word in HISTORY_WORDS or word in PACKAGE_WORDS
    return word if takes_number or not (_whole_labels(" ".join(rest)) or _ends_of_tags(rest)) else None


def _suggested(verb: str) -> str | None:
    """What to ask about instead of the lecture on tags: the nearest word, with a number that shows what follows it."""
    near = sorted((slips, word) for word in _EVERY_WORD if (slips := _slips(verb, word)) <= (2 if len(word) > 5 else 1))
    if not near or near[0][1] in PACKAGE_WORDS or not verb.isalpha():
        return None
    word = near[0][1]
    return f"{word} {words.EXAMPLES[SUBJECT_WORDS[word]]}" if word in SUBJECT_WORDS else word


def _slips(typed: str, word: str) -> int:
    """How many letters are wrong, missing, too many; two neighbours swapped are one slip. 3: more than two."""
    if any(typed == word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)):
        return 1
    found = edits(typed, word)
    return 3 if found is None else found


def labels_in(typed: list[str]) -> tuple[str, ...]:
    """The tags these words can hold, ends of tags last: whole tags, else pieces that make one, else what is likely one."""
    tails = _ends_of_tags(typed)
    pieces = [piece for word in typed if (piece := _label_characters(word))]
    likely = [piece for piece in pieces if _is_run(piece)]
    whole = _whole_labels(" ".join(typed)) or tuple(
        dict.fromkeys(piece for piece in likely if len(piece) == LABEL_LENGTH)
    )
    if whole:
        return (*whole, *tails) if _is_list_of_tags(typed, {*whole, *tails}) else whole
    joined = "".join(pieces)
    is_near = len(joined) == LABEL_LENGTH or (len(joined) in NEARLY_A_LABEL and not _nearly_whole(likely))
    # some piece of a tag has letters and digits: several numbers have not, nor has a sentence with one in it
    is_of_numbers = bool(tails) or any(_LONG_NUMBER.fullmatch(piece) for piece in pieces)
    if is_near and (not is_of_numbers or any(_is_mixed(piece) for piece in pieces)):
        # without a digit these are the words of a sentence that happens to be as long as a tag
        return (joined,) if _has_digit(joined) else ()
    if tails:
        return (*_nearly_whole(likely), *tails)
    return _nearly_whole(likely) or ((max(likely, key=len),) if likely else ())


def _ends_of_tags(typed: list[str]) -> tuple[str, ...]:
    """4 to 8 digits that stand by themselves, or in a list without blanks; no price, time or day is one."""
    parts = [part for word in typed for part in _listed(word)]
    return tuple(dict.fromkeys(part for part in parts if _END_OF_TAG.fullmatch(part)))


def _listed(word: str) -> list[str]:
    """The tags and ends of tags in a list without blanks, else the word as it is."""
    parts = [part.strip(_ENDS) for part in _BETWEEN.split(word)]
    return parts if all(_END_OF_TAG.fullmatch(part) or _WHOLE.fullmatch(part) for part in parts) else [word]


def _is_list_of_tags(typed: list[str], found: set[str]) -> bool:
    """Whether nothing else stands there: the figures of a row or a report are no ends of tags."""
    parts = [part for word in typed for part in _listed(word)]
    others = [part for part in parts if _label_characters(part) and _label_characters(part) not in found]
    return all(part.casefold() in _JOINING | PACKAGE_WORDS for part in others)


def _whole_labels(text: str) -> tuple[str, ...]:
    """Tags that stand by themselves, also between the commas and tabs of a row that was copied out of the POS."""
    return tuple(dict.fromkeys(label for piece in _WHOLE.findall(text) if _has_digit(label := piece.upper())))


def could_be_label(text: str) -> bool:
    """Whether this run of characters may be somebody's idea of a tag or of its end."""
    return _is_run(text) or _END_OF_TAG.fullmatch(text) is not None


def _is_run(text: str) -> bool:
    """Whether it may be a tag with slips: a plain word is none, for tags hold digits."""
    if not SHORTEST_RUN <= len(text) <= LONGEST_LABEL:
        return False
    return _has_digit(text) or len(text) == LABEL_LENGTH


def _is_mixed(text: str) -> bool:
    return _has_digit(text) and any(c.isalpha() for c in text)


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _nearly_whole(pieces: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(piece for piece in pieces if len(piece) in NEARLY_A_LABEL))


def _label_characters(word: str) -> str:
    return "".join(c for c in word if c.isalnum()).upper()


def _split_place(typed: list[str], said: frozenset[str] = frozenset({"at"})) -> tuple[list[str], str | None]:
    """Cut at the last ``at``; no tag can follow it, so one that is part of a spaced tag is left alone."""
    if "@" in said:
        typed = [part for word in typed for part in (("@", word[1:]) if word[:1] == "@" and word[1:] else (word,))]
    cuts = [number for number, word in enumerate(typed) if word.casefold() in said]
    if not cuts:
        return typed, None
    return typed[: cuts[-1]], " ".join(typed[cuts[-1] + 1 :])


def _tokens(text: str, ends: str = _ENDS) -> list[str]:
    """Plain words: Slack's escapes undone, links read as their label, what phones put in taken out, and ``ends``."""
    text = _LINKED.sub(lambda link: f" {link[1] or ''} ", text)
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, plain)
    text = _QUOTES.sub("", _DASHES.sub("-", text))
    text = unicodedata.normalize("NFKC", text)
    text = "".join(_visible(c) for c in text)
    return [token for word in text.split() if (token := word if word == "?" else word.strip(ends + "-"))]


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category in {"Cc", "Cs", "Co", "Cn"} else character
