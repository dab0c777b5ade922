"""A METRC with many shops, in a process of its own so that its work is not measured: ``python -m benchmarks.many_shops``.

Each shop rings up a sale every ten minutes, day and night, and METRC has it two minutes later.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from demo.metrc import facility_body, receipt_body
from demo.serving import running
from demo.world import SHOP, World

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
PAGE = 20
EVERY = timedelta(minutes=10)
DELAY = timedelta(minutes=2)


def license_of(number: int) -> str:
    """The license of the shop of this number."""
    return f"402R-M{number:05d}"


def sales_between(start: datetime, end: datetime) -> list[datetime]:
    """When something was rung up; the first of them at ``start`` at the earliest."""
    first = -(-int(start.timestamp()) // int(EVERY.total_seconds()))
    last = int(end.timestamp()) // int(EVERY.total_seconds())
    return [datetime.fromtimestamp(n * EVERY.total_seconds(), UTC) for n in range(first, last + 1)]


def number_of(sold_at: datetime) -> str:
    """The till's number of a sale."""
    return f"M{int(sold_at.timestamp()) // 60}"


class ManyShops:
    """``shops`` of them; each answer takes ``latency`` seconds."""

    def __init__(self, shops: int, latency: float) -> None:
        world = World.healthy(NOW)
        self.latency = latency
        self.asked = 0
        facility = facility_body(world.licenses[SHOP])
        self.facilities = [
            {**facility, "License": {**facility["License"], "Number": license_of(n)}} for n in range(shops)
        ]
        self.receipt = receipt_body(world.receipts[0], world.licenses[SHOP], lines=False)
        self.zone = world.licenses[SHOP].zone

    async def __call__(self, scope, _receive, send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        self.asked += 1
        await asyncio.sleep(self.latency)
        body = self._body(scope["path"], parse_qs(scope["query_string"].decode()))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _body(self, path: str, query: dict[str, list[str]]) -> object:
        if path == "/told":
            return {"asked": self.asked}
        if path == "/facilities/v2/":
            return self.facilities
        rows = self._receipts(query) if path == "/sales/v2/receipts/active" else []
        number, size = int(query["pageNumber"][0]), int(query["pageSize"][0])
        shown = rows[(number - 1) * size : number * size]
        pages = max(1, -(-len(rows) // size))
        return {"Data": shown, "Total": len(rows), "TotalRecords": len(rows), "Page": number, "TotalPages": pages}

    def _receipts(self, query: dict[str, list[str]]) -> list[dict[str, object]]:
        start, end = (_moment(query[name][0]) for name in ("lastModifiedStart", "lastModifiedEnd"))
        return [self._row(sold) for sold in sales_between(start - DELAY, end - DELAY)]

    def _row(self, sold: datetime) -> dict[str, object]:
        recorded = f"{sold + DELAY:%Y-%m-%dT%H:%M:%S+00:00}"
        own = {"Id": int(sold.timestamp()) // 60, "ExternalReceiptNumber": number_of(sold)}
        wall = f"{sold.astimezone(self.zone):%Y-%m-%dT%H:%M:%S.000}"
        times = {"SalesDateTime": wall, "RecordedDateTime": recorded, "LastModified": recorded}
        return {**self.receipt, **own, **times}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def main() -> None:
    """Serve until the end of the input, the address as the first line of the output."""
    async with running(ManyShops(int(sys.argv[1]), float(sys.argv[2]))) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
