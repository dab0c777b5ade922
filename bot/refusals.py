"""What METRC's refusal texts are about. Pure.

The wording differs by state and endpoint and is documented nowhere, so a text is only ever used to choose between
causes that other facts already show; it never makes a finding on its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Blame(StrEnum):
    """What a refusal text points at."""

    ACCESS = "access"
    UNIT = "unit"
    HOLD = "hold"
    LAB = "lab"
    ITEM = "item"
    ABSENT = "absent"
    FIELD = "field"


_PATTERNS: Final = (
    (Blame.ACCESS, r"unauthori[sz]ed|not authori[sz]ed|forbidden|permission|access denied|api ?key|\b40[13]\b"),
    (Blame.UNIT, r"unit ?of ?measure|\buom\b|valid values? (is|are)|unit (is )?(not|in)valid"),
    (Blame.HOLD, r"\bon ?hold\b|\bhold\b|recall|quarantine|investigation"),
    (Blame.LAB, r"notsubmitted|\blab\b|testing state|not (been )?tested|testpassed|testfailed"),
    (Blame.ITEM, r"\bitem\b|categor"),
    (Blame.ABSENT, r"not be found|not found|does not exist|not active|inactive|finished|discontinued|in ?transit"),
    # what the sender left out is neither the package's fault nor the item's; last, for it may name any of them
    (Blame.FIELD, r"not (been )?specified|is required|must be (specified|provided)|cannot be (null|empty|blank)"),
)


def blame(text: str | None) -> Blame | None:
    """What the text is about; None when it does not say, or there is none."""
    if not text:
        return None
    return next((about for about, pattern in _PATTERNS if re.search(pattern, text, re.IGNORECASE)), None)


def blames(texts: Iterable[str | None]) -> frozenset[Blame]:
    """All that several texts are about."""
    return frozenset(about for about in map(blame, texts) if about is not None)


def could_be(wanted: Blame, texts: Iterable[str | None]) -> bool:
    """Whether refusals with these texts may have come from that: a text says so, or no text says anything."""
    said = blames(texts)
    return wanted in said or not said
