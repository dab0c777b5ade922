"""Stored answers judged again by today's checks, and what is answered otherwise now. Pure but for the stream it reads.

Nothing is asked of METRC or of a POS and nothing is written: the evidence is all there is, so a difference comes from
the program alone. Wording is not compared; what is compared is what somebody would do because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.inquiries import Verdict
from bot.model import Diagnosis, Stored
from bot.report import as_json
from bot.subjects import judge

SCHEMA: Final = "countlast.replay/1"
# what is named one by one; everything is counted
MOST_NAMED: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is answered otherwise now.

    ``what``: ``cause``, ``code``, ``gap``, ``action``, ``must_not``, ``checks.timing`` and the like; what belongs to one
    package of a receipt, manifest or product begins with ``packages.LABEL.``. The sides are plain JSON values.
    """

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Replayed:
    """One answer judged again. ``today`` None: the stored evidence cannot be read by this version."""

    stored: Stored
    today: Diagnosis | None
    differences: tuple[Difference, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether it was read and nothing is answered otherwise."""
        return self.today is not None and not self.differences

    @property
    def move(self) -> tuple[str, str]:
        """From which code to which; the cause where there is no code."""
        before = self.stored.kept[0] if self.stored.kept else None
        return _name(before), _name(self.today)


@dataclass(frozen=True, slots=True)
class Truth:
    """Answers that somebody judged: ``hits`` name today the cause that turned out, ``misses`` another one.

    ``untold``: said to be wrong, and nobody knew what it really was; they are a miss only as long as the same is said.
    ``missed``: the misses by what turned out and what is said today, and how many.
    """

    hits: int = 0
    misses: int = 0
    untold: int = 0
    missed: tuple[tuple[tuple[str, str], int], ...] = ()


class _Bench:
    """Counts hits and misses; of several verdicts on one answer the newest counts."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._said = {verdict.diagnosis_id: verdict for verdict in sorted(verdicts, key=lambda one: one.at)}
        self._hits = self._misses = self._untold = 0
        self._missed: Counter[tuple[str, str]] = Counter()

    def judge(self, one: Replayed) -> None:
        verdict = self._said.get(one.stored.id)
        if verdict is None or one.today is None or one.stored.kept is None:
            return
        told, today = one.stored.kept[0].cause, one.today.cause
        truth = told if verdict.is_right else verdict.cause
        if truth is None and today is not told:
            self._untold += 1
        elif truth is today:
            self._hits += 1
        else:
            self._misses += 1
            self._missed[truth.value if truth else f"not {told.value}", today.value] += 1

    def truth(self) -> Truth:
        ordered = tuple(sorted(self._missed.items(), key=lambda one: (-one[1], one[0])))
        return Truth(self._hits, self._misses, self._untold, ordered)


@dataclass(frozen=True, slots=True)
class Regression:
    """A whole ledger judged again.

    ``moves``: how many changed answers went from which code to which. ``changed`` and ``unreadable`` name the first
    ``MOST_NAMED``; the counts are of all. ``truth``: how today's answers stand against what people said turned out.
    """

    answers: int
    equal: int
    changed_count: int
    unreadable_count: int
    moves: tuple[tuple[tuple[str, str], int], ...]
    changed: tuple[Replayed, ...]
    unreadable: tuple[Stored, ...]
    truth: Truth = Truth()

    @property
    def is_equal(self) -> bool:
        """Whether every answer was read and is the same today."""
        return self.answers == self.equal


def replay(stored: Stored) -> Replayed:
    """Judge one stored answer's evidence by today's checks."""
    if stored.kept is None:
        return Replayed(stored, None)
    before, evidence = stored.kept
    today = judge(evidence, before.id)
    return Replayed(stored, today, differences(before, today))


async def replay_all(answers: AsyncIterator[Stored], verdicts: Iterable[Verdict] = ()) -> Regression:
    """Judge every answer of the stream; only counts and the named ones are kept.

    ``verdicts``: what people said turned out, so that hits and misses are counted.
    """
    bench = _Bench(verdicts)
    moves: Counter[tuple[str, str]] = Counter()
    equal, lost = 0, 0
    changed: list[Replayed] = []
    unreadable: list[Stored] = []
    async for stored in answers:
        one = replay(stored)
        bench.judge(one)
        if one.is_equal:
            equal += 1
        elif one.today is None:
            lost += 1
            unreadable += [stored] if lost <= MOST_NAMED else []
        else:
            moves[one.move] += 1
            changed += [one] if len(changed) < MOST_NAMED else []
    total = moves.total()
    # the most frequent first, equal ones by name, so that two runs print the same
    ordered = tuple(sorted(moves.items(), key=lambda move: (-move[1], move[0])))
    named = tuple(changed), tuple(unreadable)
    return Regression(equal + lost + total, equal, total, lost, ordered, *named, truth=bench.truth())


def differences(before: Diagnosis, after: Diagnosis) -> tuple[Difference, ...]:
    """What is answered otherwise, in the order of an answer's own fields."""
    old, new = dict(_facts(before)), dict(_facts(after))
    names = [*old, *(name for name in new if name not in old)]
    return tuple(Difference(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n))


def _facts(diagnosis: Diagnosis) -> Iterator[tuple[str, Any]]:
    told = as_json(diagnosis)
    action = told["action"]
    yield "cause", told["cause"]
    yield "code", told["code"]
    yield "gap", told["gap"]
    yield "action", {"kind": action["kind"], "not_before": action["not_before"]}
    yield "must_not", sorted(told["must_not"])
    for check in told["checks"]:
        yield f"checks.{check['name']}", {"outcome": check["outcome"], "code": check["code"]}
    for package in diagnosis.packages:
        yield from ((f"packages.{package.subject.value}.{name}", value) for name, value in _facts(package))


def _name(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return "unreadable"
    return diagnosis.code or diagnosis.cause.value


# --- as JSON ----------------------------------------------------------------------------------------------------------


def replayed_as_json(one: Replayed) -> dict[str, Any]:
    """One answer: its id, both codes, and the differences; ``problem`` where it could not be read."""
    return {"schema": SCHEMA, **_entry(one), "problem": one.stored.problem}


def regression_as_json(all_of_them: Regression) -> dict[str, Any]:
    """Counts, moves from code to code, and the answers by name."""
    r = all_of_them
    return {
        "schema": SCHEMA,
        "answers": r.answers,
        "equal": r.equal,
        "changed": r.changed_count,
        "unreadable": r.unreadable_count,
        "judged": {
            "hits": r.truth.hits,
            "misses": r.truth.misses,
            "untold": r.truth.untold,
            "missed": [{"was": was, "said": said, "answers": count} for (was, said), count in r.truth.missed],
        },
        "moves": [{"from": move[0], "to": move[1], "answers": count} for move, count in r.moves],
        "changed_answers": [_entry(one) for one in r.changed],
        "unreadable_answers": [{"id": s.id, "subject": s.subject, "problem": s.problem} for s in r.unreadable],
    }


def _entry(one: Replayed) -> dict[str, Any]:
    before, after = one.move
    return {
        "id": one.stored.id,
        "facility": one.stored.facility,
        "subject": one.stored.subject,
        "equal": one.is_equal,
        "before": before,
        "after": after,
        "differences": [{"what": d.what, "before": d.before, "after": d.after} for d in one.differences],
    }


# --- as text ----------------------------------------------------------------------------------------------------------


def replayed_as_text(one: Replayed) -> str:
    """One answer for a terminal."""
    s = one.stored
    if one.today is None:
        return f"{s.subject}, asked {s.asked_at:%Y-%m-%d %H:%M} UTC: cannot be read by this version ({s.problem})."
    head = f"{s.subject}, asked {s.asked_at:%Y-%m-%d %H:%M} UTC"
    if one.is_equal:
        return f"{head}: today's checks say the same, {one.move[1]}."
    lines = [f"  {d.what}: {_short(d.before)} → {_short(d.after)}" for d in one.differences]
    return "\n".join(
        [f"{head}: {len(lines)} thing{'s' if len(lines) > 1 else ''} would be answered otherwise.", *lines]
    )


def regression_as_text(all_of_them: Regression) -> str:
    """Counts, the table of moves, and the answers by name."""
    r = all_of_them
    counts = f"{r.equal} equal, {r.changed_count} changed, {r.unreadable_count} unreadable"
    answers = "1 answer" if r.answers == 1 else f"{r.answers} answers"
    return "\n".join([f"{answers} judged again: {counts}.", *_judged(r.truth), *_moves(r), *_named(r)])


def _judged(truth: Truth) -> Iterator[str]:
    known = truth.hits + truth.misses
    if not known + truth.untold:
        return
    share = f" ({100 * truth.hits / known:.0f} of 100)" if known else ""
    untold = f", {truth.untold} wrong before and otherwise today" if truth.untold else ""
    yield f"Of those that somebody judged: {truth.hits} hits, {truth.misses} misses{share}{untold}."
    yield from (f"{count:>6}  was {was}, said {said}" for (was, said), count in truth.missed)


def _moves(r: Regression) -> Iterator[str]:
    if not r.moves:
        return
    width = max(len(move[0]) for move, _ in r.moves)
    yield ""
    yield from (f"{count:>6}  {move[0]:<{width}} → {move[1]}" for move, count in r.moves)


def _named(r: Regression) -> Iterator[str]:
    if r.changed:
        yield ""
    for one in r.changed:
        yield f"{one.stored.id}  {one.stored.subject}: {', '.join(d.what for d in one.differences[:6])}"
    if r.changed_count > len(r.changed):
        yield f"… {r.changed_count - len(r.changed)} more changed"
    yield from (f"{s.id}  {s.subject}: cannot be read ({s.problem})" for s in r.unreadable)
    if r.unreadable_count > len(r.unreadable):
        yield f"… {r.unreadable_count - len(r.unreadable)} more cannot be read"


def _short(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A JSON value in one line: ``found timing.sale-on-its-way``, ``POS 19, METRC 18 …``."""
    if isinstance(value, Mapping):
        return _gap(value) if "unexplained" in value else " ".join(str(v) for v in value.values() if v is not None)
    if isinstance(value, list):
        return ", ".join(str(entry) for entry in value) or "nothing"
    return "nothing" if value is None else str(value)


def _gap(gap: Mapping[str, Any]) -> str:
    shares = [f"{share['quantity']} {share['code']} ({', '.join(share['refs'])})" for share in gap["explained"]]
    rest = f"{gap['unexplained']} unexplained"
    return f"difference {gap['difference']} {gap['unit']} = {' + '.join([*shares, rest])}"
