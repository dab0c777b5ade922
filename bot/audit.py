"""The audit log as a chain of hashes. Pure: sealing, checking, anchors; where the rows lie is not known here.

Each row's hash covers the row and the hash before it, so a change anywhere breaks the chain from there on. Two things a
chain alone cannot show: that its end was cut off, and that all of it was written anew. For these there are anchors: a
row's number and hash, kept where whoever rules the database cannot reach.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from bot.errors import QuestionError

GENESIS: Final = "0" * 64
"""What stands before the first row."""

COLUMNS: Final = ("seq", "at", "event", "actor", "facility", "intent", "subject", "detail", "prev_hash", "hash")

PROGRAM: Final = "countlast"
"""The actor of what nobody did by hand."""

Detail = Mapping[str, object]


class Event(StrEnum):
    """What is written down of a question, a removal and an alert. ``refused``: a press, or the removal itself, was turned down."""

    ASKED = "asked"
    PROPOSED = "proposed"
    JOINED = "joined"
    APPROVED = "approved"
    DENIED = "denied"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    CLAIMED = "claimed"
    POSTPONED = "postponed"
    UNFINALIZED = "unfinalized"
    SENT = "sent"
    REMOVED = "removed"
    DONE = "done"
    UNKNOWN = "unknown"
    HANDED_OVER = "handed_over"
    ABANDONED = "abandoned"
    VERIFIED = "verified"
    DID_NOT_HOLD = "did_not_hold"
    ALERT_OPENED = "alert_opened"
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERT_SNOOZED = "alert_snoozed"
    ALERT_ESCALATED = "alert_escalated"
    ALERT_CLOSED = "alert_closed"
    CLOSED_DAY = "closed_day"
    KEY_RENEWED = "key_renewed"


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, before it has its place in the chain.

    ``actor``: a Slack user id, or ``countlast``. ``facility`` is a license; ``subject`` what the question was about.
    ``detail`` holds texts, whole numbers, truth values, lists and mappings of those; never a key, never a customer.
    """

    at: datetime
    event: str
    actor: str
    facility: str
    intent: str
    subject: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the log, as it is stored and exported: ``at`` is text in UTC, ``detail`` canonical JSON."""

    seq: int
    at: str
    event: str
    actor: str
    facility: str
    intent: str
    subject: str
    detail: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A row's number and hash, as they were when somebody put them away. Shown as ``SEQ:HASH``."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


EMPTY: Final = Anchor(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``broken``: the number of the first row that is not as it was written, None when all are. ``says``: in words."""

    rows: int
    head: Anchor
    broken: int | None
    says: str

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.broken is None


def canonical(value: object) -> str:
    """JSON with sorted keys and no blanks, so that equal values are equal texts. Raises ``TypeError`` for a float."""
    _no_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def seal(entry: Entry, after: Anchor) -> Row:
    """The entry as the row that follows ``after``. Raises ``ValueError`` for a time without a zone."""
    if entry.at.tzinfo is None:
        raise ValueError(f"{entry.at.isoformat()} has no time zone")
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    detail = canonical(entry.detail)
    row = Row(
        after.seq + 1,
        at,
        str(entry.event),
        entry.actor,
        entry.facility,
        entry.intent,
        entry.subject,
        detail,
        after.hash,
        "",
    )
    return replace(row, hash=_hash(row))


def seal_all(entries: Iterable[Entry], after: Anchor) -> tuple[Row, ...]:
    """Several in a row."""
    rows: list[Row] = []
    for entry in entries:
        rows.append(seal(entry, head_of(rows[-1]) if rows else after))
    return tuple(rows)


def head_of(row: Row) -> Anchor:
    """The anchor that this row is."""
    return Anchor(row.seq, row.hash)


class Walk:
    """Checks a chain row by row, so that a long one need not be held.

    ``anchors``: kept elsewhere, or read off the database before the rows. ``after``: a row that is known to be good.
    """

    def __init__(self, anchors: Iterable[Anchor] = (), after: Anchor = EMPTY) -> None:
        self._wanted = _by_row(anchors)
        self._last = after
        self._fault = ""

    def feed(self, row: Row) -> None:
        """The next row. Behind a broken one nothing is looked at."""
        if not self._fault:
            self._fault = _fault(row, self._last, self._wanted.get(self._last.seq + 1, set()))
        if not self._fault:
            self._last = head_of(row)

    def verdict(self, head: Anchor | None = None) -> Verdict:
        """What was found. ``head``: where the database said that it ends, after the rows were read."""
        last, furthest = self._last, max(self._wanted, default=0)
        if self._fault:
            return Verdict(last.seq, last, last.seq + 1, self._fault)
        if furthest > last.seq:
            says = f"the log ends at row {last.seq}, but there was a row {furthest}"
            return Verdict(last.seq, last, last.seq + 1, says)
        if head is not None and head.seq < last.seq:
            return Verdict(last.seq, last, head.seq + 1, f"row {head.seq + 1} was put behind the last one")
        return Verdict(last.seq, last, None, f"{last.seq} rows, all as they were written; the last is {last}")


def verify(rows: Iterable[Row], anchors: Iterable[Anchor] = (), head: Anchor | None = None) -> Verdict:
    """Check a whole chain. ``head``: where the database says that it ends, when nobody is writing."""
    walk = Walk([*anchors, *([head] if head else [])])
    for row in rows:
        walk.feed(row)
    return walk.verdict(head)


def _by_row(anchors: Iterable[Anchor]) -> dict[int, set[str]]:
    wanted: dict[int, set[str]] = {}
    for anchor in anchors:
        if anchor.seq:
            wanted.setdefault(anchor.seq, set()).add(anchor.hash)
    return wanted


def parse_anchor(text: str) -> Anchor:
    """``SEQ:HASH`` back. Raises ``QuestionError``."""
    parts = re.fullmatch(r"([0-9]{1,12}):([0-9a-f]{64})", text.strip())
    if parts is None:
        raise QuestionError(f"{text[:80]!r} is no anchor; accepted: SEQ:HASH as countlast audit verify prints it")
    return Anchor(int(parts[1]), parts[2])


def _hash(row: Row) -> str:
    told = {name: getattr(row, name) for name in COLUMNS if name not in {"prev_hash", "hash"}}
    return hashlib.sha256((row.prev_hash + canonical(told)).encode()).hexdigest()


def _fault(row: Row, last: Anchor, wanted: set[str]) -> str:
    if row.seq != last.seq + 1:
        return f"row {last.seq + 1} should come next, and row {row.seq} is there"
    if row.prev_hash != last.hash:
        return f"row {row.seq} does not follow from the row before it"
    if row.hash != _hash(row):
        return f"row {row.seq} is not as it was written"
    if wanted - {row.hash}:
        return f"row {row.seq} is another one than was put away as row {row.seq}"
    return ""


def _no_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; the audit log holds decimals as text")
    children: Iterable[object] = ()
    if isinstance(value, Mapping):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    for child in children:
        _no_floats(child)


# --- export -----------------------------------------------------------------------------------------------------------


def as_jsonl(rows: Iterable[Row]) -> Iterator[str]:
    """One JSON object a line, keys in the order of ``COLUMNS``."""
    for row in rows:
        yield json.dumps({name: getattr(row, name) for name in COLUMNS}, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """A header, then one line a row."""
    yield _line(COLUMNS)
    for row in rows:
        yield _line([getattr(row, name) for name in COLUMNS])


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
