"""A METRC on loopback that only hands out raw JSON rows: the sample files, and whatever a scenario adds to them.

It parses nothing for the bot and shares no code with it. Every switch is an attribute, so that a test starts from
healthy and breaks one thing.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SAMPLES = Path(__file__).parent.parent / "data" / "metrc-samples"
NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
SHOP = "402R-X0042"
VENDOR_KEY = "PLANTED-VENDOR-0123456789abcdef0123456789"
USER_KEY = "PLANTED-USER-0123456789abcdef0123456789"

Row = dict[str, Any]

LISTS = {
    "packages/v2/active": "packages-active.json",
    "packages/v2/inactive": "packages-inactive.json",
    "packages/v2/onhold": "packages-onhold.json",
    "packages/v2/intransit": "packages-intransit.json",
    "packages/v2/labsamples": "packages-labsamples.json",
    "packages/v2/transferred": "empty-page.json",
    "packages/v2/adjustments": "packages-adjustments.json",
    "items/v2/active": "items-active.json",
    "items/v2/inactive": "items-inactive.json",
    "sales/v2/receipts/active": "sales-receipts-active.json",
    "sales/v2/receipts/inactive": "sales-receipts-inactive.json",
    "sales/v2/deliveries/active": "empty-page.json",
    "sales/v2/deliveries/inactive": "empty-page.json",
    "transfers/v2/incoming": "transfers-incoming.json",
    "transfers/v2/outgoing": "transfers-outgoing.json",
    "transfers/v2/rejected": "transfers-rejected.json",
}
PACKAGE_LISTS = ("active", "inactive", "onhold", "intransit")
# by-id bodies that exist as files; METRC has no other receipt's lines in the sample scene
RECEIPT_FILES = (880101, 880102, 880103, 880104, 880110, 880111)
DELIVERY_FILES = (559001, 560144, 560145)


def sample(name: str) -> Any:
    """One sample file, parsed."""
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Answer:
    """What goes over the wire: a status, the exact body and the headers."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def json(value: object) -> Answer:
        """200 with a JSON body."""
        return Answer(200, json.dumps(value), (("Content-Type", "application/json; charset=utf-8"),))


def failure(name: str) -> Answer:
    """One of the sample failures, word for word."""
    told = sample(f"errors/{name}.json")
    return Answer(told["status"], told["body"], tuple(told["headers"].items()))


UNKNOWN = tuple(failure(name) for name in ("401-empty-body", "404-empty-body"))
TORN = Answer(200, '{"Data": [{"Id": 5510102, "Label": "1A4FF01000000', (("Content-Type", "application/json"),))


@dataclass
class MetrcFiles:
    """The rows and the switches. ``keys``: living user keys and the licenses each of them sees."""

    lists: dict[str, list[Row]] = field(default_factory=lambda: {path: [] for path in LISTS})
    receipts: dict[int, Row] = field(default_factory=dict)
    deliveries: dict[int, list[Row]] = field(default_factory=dict)
    home_deliveries: dict[int, Row] = field(default_factory=dict)
    without_window: dict[str, Row] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=lambda: {USER_KEY: [SHOP]})
    permissions: list[str] | None = None
    now: datetime = NOW
    latency: float = 0.0
    overrides: dict[str, Answer] = field(default_factory=dict)
    everything: Answer | None = None
    widest_window_hours: float | None = None
    hides_in_transit: bool = False
    bare_arrays: bool = False
    slow: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    windows: list[timedelta] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    base_url: str = ""
    _unknown: Any = field(default_factory=lambda: itertools.cycle(UNKNOWN))

    @classmethod
    def scene(cls) -> MetrcFiles:
        """The sample files, verbatim."""
        metrc = cls()
        metrc.lists = {path: sample(name)["Data"] for path, name in LISTS.items()}
        metrc.receipts = {number: sample(f"sales-receipt-by-id-{number}.json") for number in RECEIPT_FILES}
        metrc.deliveries = {number: sample(f"delivery-{number}-packages.json")["Data"] for number in DELIVERY_FILES}
        metrc.without_window = {"packages/v2/active": sample("packages-active-no-window.json")}
        metrc.keys = {USER_KEY: [row["License"]["Number"] for row in sample("facilities.json")]}
        return metrc

    # --- answering ----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, authorization: str) -> Answer:
        """One request."""
        url = urlsplit(target)
        path, query = url.path.strip("/"), dict(parse_qsl(url.query))
        self.asked.append(f"{method} {target}")
        if method != "GET":
            self.writes.append(f"{method} {target}")
            return Answer(405)
        spoiled = self.everything or self._override(path)
        return spoiled or self._gate(path, query, authorization) or self._read(path, query)

    def wait_for(self, target: str) -> float:
        """Seconds before this request is answered."""
        return next((wait for prefix, wait in self.slow.items() if target.startswith(f"/{prefix}")), self.latency)

    def _override(self, path: str) -> Answer | None:
        return next((answer for prefix, answer in self.overrides.items() if path.startswith(prefix)), None)

    def _gate(self, path: str, query: dict[str, str], authorization: str) -> Answer | None:
        licenses = self._licenses(authorization)
        if licenses is None:
            return UNKNOWN[0]
        if path == "facilities/v2":
            return Answer.json([facility(number) for number in licenses])
        number = query.get("licenseNumber")
        if number is not None and number not in licenses:
            return UNKNOWN[0]
        needs_none = path.startswith(("unitsofmeasure/", "transfers/v2/deliveries/")) or path.endswith("/deliveries")
        return failure("400-plain-text") if number is None and not needs_none else None

    def _licenses(self, authorization: str) -> list[str] | None:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Basic":
            return None
        vendor, _, user = base64.b64decode(token).decode().partition(":")
        return self.keys.get(user) if vendor == VENDOR_KEY else None

    def _read(self, path: str, query: dict[str, str]) -> Answer:
        parts = path.split("/")
        if path in self.lists:
            return self._list(path, query)
        if path == "employees/v2/permissions":
            return (
                Answer.json(self.permissions) if self.permissions is not None else failure("404-endpoint-not-deployed")
            )
        if parts[:2] == ["packages", "v2"] and len(parts) == 3:
            return self._package(parts[2])
        if parts[:3] == ["sales", "v2", "receipts"] and len(parts) == 4:
            return self._one(self.receipts.get(int(parts[3])))
        if parts[:3] == ["sales", "v2", "deliveries"] and len(parts) == 4:
            return self._one(self.home_deliveries.get(int(parts[3])))
        if parts[:3] == ["transfers", "v2", "deliveries"] and parts[4:] == ["packages"]:
            rows = self.deliveries.get(int(parts[3]))
            return self._unknown_record() if rows is None else _page(rows, query)
        return self._unknown_record() if parts[0] in {"packages", "sales", "items"} else UNKNOWN[1]

    def _unknown_record(self) -> Answer:
        """401 and 404 in turn: the real status is not settled."""
        return next(self._unknown)

    def _one(self, row: Row | None) -> Answer:
        return Answer.json(row) if row is not None else self._unknown_record()

    def _package(self, wanted: str) -> Answer:
        listings = [name for name in PACKAGE_LISTS if not (name == "intransit" and self.hides_in_transit)]
        rows = itertools.chain.from_iterable(self.lists[f"packages/v2/{name}"] for name in listings)
        return self._one(next((row for row in rows if wanted in {row["Label"], str(row["Id"])}), None))

    def _list(self, path: str, query: dict[str, str]) -> Answer:
        if int(query.get("pageSize", "20")) > 20:
            return failure("400-message-object")
        rows = self.lists[path]
        window = _window(query)
        if window is None:
            if path in self.without_window:
                return Answer.json(self.without_window[path])
            window = (self.now - timedelta(days=1), self.now)
        else:
            self.windows.append(window[1] - window[0])
            if self.widest_window_hours and self.windows[-1] > timedelta(hours=self.widest_window_hours):
                return failure("400-string-list")
        inside = [row for row in rows if window[0] <= _modified(row) <= window[1]]
        return Answer.json(inside) if self.bare_arrays else _page(inside, query)


def facility(number: str) -> Row:
    """A facility as METRC lists it, made of the first sample."""
    row = copy.deepcopy(sample("facilities.json")[0])
    row["License"]["Number"] = number
    return row


def _window(query: dict[str, str]) -> tuple[datetime, datetime] | None:
    if "lastModifiedStart" not in query:
        return None
    end = query.get("lastModifiedEnd", "9999-01-01T00:00:00Z")
    return _time(query["lastModifiedStart"]), _time(end)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _modified(row: Row) -> datetime:
    # adjustments and transferred rows have no LastModified; item rows may lack it too
    for name in ("LastModified", "AdjustmentDate", "ReceivedDateTime", "ApprovalStatusDateTime"):
        if row.get(name):
            return _time(row[name])
    return datetime(2000, 1, 1, tzinfo=UTC)


def _page(rows: list[Row], query: dict[str, str]) -> Answer:
    size = int(query.get("pageSize", "0")) or max(len(rows), 1)
    number = int(query.get("pageNumber", "1"))
    part = rows[(number - 1) * size : number * size]
    pages = max(1, -(-len(rows) // size))
    envelope = {"Total": len(rows), "TotalRecords": len(rows), "PageSize": size, "RecordsOnPage": len(part)}
    return Answer.json({"Data": part, **envelope, "Page": number, "CurrentPage": number, "TotalPages": pages})


# --- the wire ---------------------------------------------------------------------------------------------------------


class Loopback:
    """Serves one ``MetrcFiles`` on 127.0.0.1 in a thread; a context manager."""

    def __init__(self, metrc: MetrcFiles) -> None:
        self.metrc = metrc
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(metrc, self._over))

    def __enter__(self) -> MetrcFiles:
        # a short poll, so that closing does not wait half a second
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.metrc.base_url = f"http://127.0.0.1:{self._server.server_port}"
        return self.metrc

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up waiting is no news."""


def _handler(metrc: MetrcFiles, over: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # head and body leave in one packet; two would wait for a delayed acknowledgement
        wbufsize = -1

        def do_GET(self) -> None:
            self._serve()

        do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the names http.server looks for

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = metrc.answer(self.command, self.path, self.headers.get("Authorization") or "")
            over.wait(metrc.wait_for(self.path))
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    return Handler
