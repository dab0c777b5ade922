"""A METRC with one long list, in a process of its own so that its work is not measured: ``python -m benchmarks.bulk_metrc``.

It keeps METRC's limits to the letter: more than 50 starts in any second, or more than 10 requests at a time, are 429.
Every label is the same package but for its tag and quantity, so pages are put together from pieces of text: this process
shares the machine with the one that is measured, and would else take a core for itself.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import deque
from datetime import UTC, datetime
from urllib.parse import parse_qs

from demo.metrc import facility_body, package_body
from demo.serving import running
from demo.world import SHOP, World

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
PAGE = 20
PER_SECOND = 50
AT_ONCE = 10


def tag(number: int) -> str:
    """The label of the package of this number."""
    return f"1A4FF01{number:017d}"


def quantity(number: int) -> int:
    """How much of it there is."""
    return number % 40 + 1


class BulkMetrc:
    """``packages`` active ones; each answer takes ``latency`` seconds. ``limited`` False: nothing is 429."""

    def __init__(self, packages: int, latency: float, *, limited: bool = True) -> None:
        world = World.healthy(NOW)
        self.packages = packages
        self.latency = latency
        self.limited = limited
        self.facility = facility_body(world.licenses[SHOP])
        # told apart by values that stand nowhere else
        row = {**package_body(world.packages[0]), "Id": "*id*", "Label": "*label*", "Quantity": "*quantity*"}
        self._pieces = re.split(r'"\*(id|label|quantity)\*"', json.dumps(row))
        self.refused = self.asked = self.flying = 0
        self._starts: deque[float] = deque()

    async def __call__(self, scope, _receive, send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/told":
            await _answer(send, 200, json.dumps({"asked": self.asked, "refused": self.refused}))
            return
        self.asked += 1
        self.flying += 1
        try:
            status, body = await self._judged(scope["path"], parse_qs(scope["query_string"].decode()))
        finally:
            self.flying -= 1
        await _answer(send, status, body)

    async def _judged(self, path: str, query: dict[str, list[str]]) -> tuple[int, str]:
        if self.limited and self._too_much():
            self.refused += 1
            return 429, json.dumps({"Message": "too many requests"})
        await asyncio.sleep(self.latency)
        if path == "/facilities/v2/":
            return 200, json.dumps([self.facility])
        total = self.packages if path == "/packages/v2/active" else 0
        return 200, self._page(total, int(query["pageNumber"][0]), int(query["pageSize"][0]))

    def _too_much(self) -> bool:
        now = time.monotonic()
        while self._starts and self._starts[0] <= now - 1:
            self._starts.popleft()
        if len(self._starts) >= PER_SECOND or self.flying > AT_ONCE:
            return True
        self._starts.append(now)
        return False

    def _page(self, total: int, number: int, size: int) -> str:
        numbers = range(min(total, (number - 1) * size), min(total, number * size))
        rows = ", ".join(map(self._row, numbers))
        counts = {"Total": total, "TotalRecords": total, "Page": number, "TotalPages": max(1, -(-total // size))}
        return f'{{"Data": [{rows}], {json.dumps(counts)[1:]}'

    def _row(self, number: int) -> str:
        own = {"id": str(number + 1), "label": f'"{tag(number)}"', "quantity": str(quantity(number))}
        return "".join(own.get(piece, piece) for piece in self._pieces)


async def _answer(send, status: int, body: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


async def main() -> None:
    """Serve until the end of the input, the address as the first line of the output."""
    packages, latency, limited = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "limited"
    async with running(BulkMetrc(packages, latency, limited=limited)) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
