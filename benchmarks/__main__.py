"""``python -m benchmarks``: run them all, or those named, and print one table."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.accuracy import accuracy
from benchmarks.books import books
from benchmarks.dead_key import dead_key
from benchmarks.diagnosis import diagnosis
from benchmarks.duplicates import duplicates
from benchmarks.grammar import grammar
from benchmarks.outbox import outbox
from benchmarks.removals import removals
from benchmarks.rush import rush
from benchmarks.silence import silence
from benchmarks.slots import slots
from benchmarks.startup import startup
from benchmarks.sweep import sweep
from benchmarks.table import FULL, Row, Scale, printed
from benchmarks.watching import watching

ALL = {
    "sweep": sweep,
    "startup": startup,
    "diagnosis": diagnosis,
    "duplicates": duplicates,
    "rush": rush,
    "grammar": grammar,
    "books": books,
    "accuracy": accuracy,
    "removals": removals,
    "silence": silence,
    "outbox": outbox,
    "slots": slots,
    "watching": watching,
    "dead-key": dead_key,
}


async def measured(names: list[str], scale: Scale) -> list[Row]:
    """The rows of the named benchmarks, one benchmark after another so that they do not disturb each other."""
    return [row for name in names for row in await ALL[name](scale)]


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(ALL)}")
    print(printed(asyncio.run(measured(names, FULL))))


if __name__ == "__main__":
    main()
