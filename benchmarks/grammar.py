"""The grammar under noise: nothing raises, and what cannot be a question never becomes one that METRC is asked."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from benchmarks.table import Row, Scale
from bot.errors import QuestionError
from bot.model import SubjectKind
from bot.subject_names import readable_subject
from handlers.parse import Ask, could_be_label, parse, subjects_in

LABEL = "1A4FF0100000022000001002"
VERBS = ("", "package ", "receipt ", "manifest ", "product ", "facility ", "status ", "pending ", "history ", "help ")
ALPHABET = (
    "1A4F0O I-–—`'\"“”‘’<>@#&|;:.,!?%=+*_~\n\t\u00a0\u200b\u202e\u2066é🙂👩‍👧שלום\ud800\x00１Ａ²٣"
    + LABEL
    + "at https://1a4.com/ <!channel> <@U0DANA|dana> &lt;&amp;"
)


async def grammar(scale: Scale) -> list[Row]:
    """Seconds for all texts against splitting the same texts; and how many broke a rule."""
    texts = list(_texts(scale.texts))
    began = time.perf_counter()
    for text in texts:
        text.split()
    split = time.perf_counter() - began
    began = time.perf_counter()
    faults = sum(_is_faulty(text) for text in texts)
    read = time.perf_counter() - began
    return [
        Row(f"reading {len(texts):,} fuzzed commands", read, "s", max(split, 1e-9), "splitting the same texts"),
        Row(f"faults in {len(texts):,} fuzzed commands", float(faults), "", 1.0, "one fault"),
    ]


def _texts(count: int) -> Iterator[str]:
    dice = random.Random(20260303)  # noqa: S311 - noise, not keys
    for _ in range(count):
        noise = "".join(dice.choice(ALPHABET) for _ in range(dice.randrange(60)))
        whole = LABEL if dice.random() < 0.1 else ""
        yield f"{dice.choice(VERBS)}{noise}{whole}{noise[::-1] if dice.random() < 0.2 else ''}"


def _is_faulty(text: str) -> bool:
    try:
        parsed = parse(text, "/reconcile")
        subjects_in(text)
    except Exception:  # noqa: BLE001 - any exception is the fault that is counted
        return True
    return isinstance(parsed, Ask) and not all(_may_be_asked(ask) for ask in parsed.each())


def _may_be_asked(ask: Ask) -> bool:
    """Whether METRC may be asked about it: a tag, a code on a unit, a number or name, or the whole shop."""
    if ask.kind is SubjectKind.FACILITY:
        return not ask.label
    if ask.kind is SubjectKind.PACKAGE:
        return ask.retail_id.isalnum() if ask.retail_id else could_be_label(ask.label) and ask.label.isalnum()
    try:
        return readable_subject(ask.kind, ask.label) == ask.label
    except QuestionError:
        return False
