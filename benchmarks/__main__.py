"""``python -m benchmarks``: run them all, or those named, and print one table."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.acks import acks
from benchmarks.books import books
from benchmarks.diagnosis import diagnosis
from benchmarks.startup import startup
from benchmarks.table import FULL, Row, Scale, printed

ALL = {"startup": startup, "diagnosis": diagnosis, "acks": acks, "books": books}


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
