"""How often the answer is right, over random shops whose faults are known.

The yardstick is a naive reading of the very same answers: the first check that found something leads, every receipt that looks
like another is a duplicate, and a difference may be adjusted. The confusion matrix is printed beside the table.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.table import Row, Scale
from bot.model import Diagnosis
from demo.generator import Truth
from storage.books import open_books
from tests.generator import Verdict, answers


async def accuracy(scale: Scale) -> list[Row]:
    """Ask about every package with a known truth in ``scale.shops`` shops."""
    verdicts = await _asked(scale.shops)
    print(matrix(verdicts), *_examples(verdicts), sep="\n")
    shares = sum(len(verdict.truth.events) for verdict in verdicts)
    naive_shares = sum(_first_explains(verdict) for verdict in verdicts)
    right, answered = sum(verdict.is_right for verdict in verdicts), len(verdicts)
    first, largest = (sum(rule(v) in v.truth.causes for v in verdicts) for rule in (_first_found, _largest_share))
    clean = sum(not verdict.wrong_removals for verdict in verdicts)
    safe = sum(not verdict.adjust_allowed for verdict in verdicts)
    return [
        Row(
            f"leading cause right, {answered} packages",
            right / answered,
            "",
            first / answered,
            "first check that found",
        ),
        Row("leading cause right, the same", right / answered, "", largest / answered, "largest share leads"),
        Row(
            f"faults told to the unit, {shares} faults",
            sum(v.recovered for v in verdicts) / shares,
            "",
            naive_shares / shares,
            "the leading cause's alone",
        ),
        Row("answers without a wrong removal", clean / answered, "", _alike_clean(verdicts), "all that look alike go"),
        Row(
            "answers without a wrong leave to adjust",
            safe / answered,
            "",
            _adjusted(verdicts),
            "a difference is adjusted",
        ),
    ]


async def _asked(shops: int) -> list[Verdict]:
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as name:
        template = Path(name, "countlast.db")
        await (await open_books(f"sqlite+aiosqlite:///{template}")).close()
        for seed in range(shops):
            folder = Path(name, str(seed))
            await asyncio.to_thread(folder.mkdir)
            verdicts += [verdict async for verdict in answers(seed, folder, template)]
    return verdicts


# --- the naive readings -----------------------------------------------------------------------------------------------


def _first_found(verdict: Verdict) -> str:
    found = [finding.cause.value for check in verdict.diagnosis.checks for finding in check.findings]
    return found[0] if found else "none"


def _largest_share(verdict: Verdict) -> str:
    shares = verdict.diagnosis.gap.explained if verdict.diagnosis.gap else ()
    if not shares:
        return _first_found(verdict)
    return max(shares, key=lambda share: abs(share.quantity)).code.partition(".")[0]


def _first_explains(verdict: Verdict) -> int:
    """How many faults somebody hears of who is told the leading cause alone."""
    return sum(event.cause == verdict.cause for event in verdict.truth.events)


def _alike_clean(verdicts: Sequence[Verdict]) -> float:
    """Removing all but one of the receipts that look alike hits a real sale wherever two customers look alike."""
    return sum(not _has_lookalikes(verdict.diagnosis) for verdict in verdicts) / len(verdicts)


def _has_lookalikes(diagnosis: Diagnosis) -> bool:
    return any(warning.value == "remove_record" for check in diagnosis.checks for warning in check.must_not)


def _adjusted(verdicts: Sequence[Verdict]) -> float:
    """Adjusting whatever differs is wrong wherever a record explains it."""
    wrong = [v for v in verdicts if not v.truth.is_miscount and v.diagnosis.gap and v.diagnosis.gap.difference]
    return 1 - len(wrong) / len(verdicts)


# --- printing ---------------------------------------------------------------------------------------------------------


def matrix(verdicts: Iterable[Verdict]) -> str:
    """Expected causes down, answered causes across; where two causes may lead the answered one counts as expected."""
    cells = Counter((_expected(verdict), verdict.cause) for verdict in verdicts)
    rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
    lines = ["expected \\ answered".ljust(22) + "".join(f"{name[:13]:>14}" for name in columns)]
    lines += [row.ljust(22) + "".join(f"{cells[row, column] or '·':>14}" for column in columns) for row in rows]
    return "\n".join(lines)


def _expected(verdict: Verdict) -> str:
    return verdict.cause if verdict.is_right else " or ".join(sorted(verdict.truth.causes))


def _examples(verdicts: Iterable[Verdict]) -> list[str]:
    """One answer of each kind of wrong ones."""
    kinds: dict[tuple[str, ...], Verdict] = {}
    for verdict in verdicts:
        if verdict.wrong:
            kinds.setdefault(_kind(verdict.truth, verdict), verdict)
    return [str(verdict) for verdict in kinds.values()]


def _kind(truth: Truth, verdict: Verdict) -> tuple[str, ...]:
    return (verdict.cause, *sorted(fault.hint for fault in truth.faults))
