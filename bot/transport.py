"""Carries requests: one HTTP client, pacing, deadlines, retries, and a look at where a name leads.

It reads, with patience. It can also take a record back, and knows the three calls that do so by heart (``UNDOING``):
no other path and no other verb leaves here, and these are sent once, whatever comes of them.

What an answer means is not known here: whoever asks hands in ``read``, which returns the meaning or raises the
``MetrcError`` that fits, and that error decides whether to try again.

No error that leaves this module is chained to one of the HTTP library's, for those hold the request with its headers.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import httpcore
import httpx

from bot.addresses import is_public, refusal
from bot.errors import (
    ConfigurationError,
    MetrcError,
    MetrcNotJson,
    MetrcRateLimited,
    MetrcTimeout,
    MetrcUnreachable,
    ProblemKind,
)

T = TypeVar("T")
Monotonic = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_BODY = 10_000_000
"""Bytes of one answer."""

UNDOING: Final = (
    ("PUT", re.compile(r"/sales/v2/receipts/unfinalize")),
    ("DELETE", re.compile(r"/sales/v2/receipts/[0-9]{1,19}")),
    ("DELETE", re.compile(r"/transfers/v2/external/incoming/[0-9]{1,19}")),
)
"""All that can change anything at METRC: verb and path."""


def quiet_http_logging() -> None:
    """Keep the HTTP libraries' own request lines out of the log: at INFO they hold the whole query string."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


# --- when to try again ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one answer may take and how often to ask. Seconds. ``tries=1`` turns retries off.

    ``total`` runs from the first try and does not count the wait for a turn before it; ``attempt`` bounds each try.
    """

    total: float = 20.0
    attempt: float = 10.0
    tries: int = 3
    first_wait: float = 0.2
    first_wait_when_limited: float = 1.0


_AGAIN = frozenset({ProblemKind.RATE_LIMITED, ProblemKind.SERVER_FAULT, ProblemKind.UNREACHABLE})
_PASSING = frozenset({500, 502, 503, 504})


def next_wait(
    attempt: int, error: MetrcError, elapsed: float, patience: Patience, *, luck: float = 1.0
) -> float | None:
    """Seconds to wait before the next try, or None to give up. Only for GET.

    ``attempt``: tries made, from 1. ``luck``: 0 to 1, the share of the back-off to wait, so that many do not return
    at once. A wait that METRC asked for is not shortened; when it does not fit, giving up is the better answer.
    """
    if attempt >= patience.tries or not _may_pass(attempt, error):
        return None
    wait = _wait(attempt, error, patience, luck)
    return wait if elapsed + wait < patience.total else None


def _may_pass(attempt: int, error: MetrcError) -> bool:
    if error.kind is ProblemKind.TIMEOUT:
        return attempt == 1
    if error.kind is ProblemKind.SERVER_FAULT:
        return error.status in _PASSING
    return error.kind in _AGAIN


def _wait(attempt: int, error: MetrcError, patience: Patience, luck: float) -> float:
    if error.retry_after is not None:
        return error.retry_after
    limited = error.kind is ProblemKind.RATE_LIMITED
    first: float = patience.first_wait_when_limited if limited else patience.first_wait
    return first * 2.0 ** (attempt - 1) * luck


# --- pacing -----------------------------------------------------------------------------------------------------------


COUNTED_RATE: Final = 1000.0
"""A second; faster limiters only space."""


SPARE: Final = 0.1
"""Seconds that are made up for where all places were taken: else, with both limits near, each would wait for the other."""


class Limiter:
    """At most ``rate`` starts in any second, evenly spaced, and ``concurrency`` at a time; one for each facility.

    After a stall of this process, or a wait for a place, those that are late may follow one another at once, but never more
    than a second's worth.
    ``granted``: what the host itself grants in a second, a little more than ``rate``. Late ones then keep that little to
    spare, for they do not arrive as evenly as they were sent.
    ``shared`` is a wider limiter that several facilities pass through as well, for the budget of a vendor key.
    ``now`` and ``sleep`` are seconds on one monotonic clock.
    """

    def __init__(
        self,
        *,
        rate: float = 49.0,
        concurrency: int = 10,
        granted: int | None = None,
        shared: Limiter | None = None,
        now: Monotonic = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._gap = 1 / rate
        self._places = asyncio.Semaphore(concurrency)
        self._shared = shared
        self._now = now
        self._sleep = sleep
        self._free_at = 0.0
        self._held_until = 0.0
        most = max(1, granted or int(rate))
        self._second = max(1.0, most / rate) if granted else 1.0
        # the newest starts, a second's worth; nobody counts them at rates that are no limit
        self._starts: deque[float] | None = deque(maxlen=most) if rate <= COUNTED_RATE else None

    @asynccontextmanager
    async def turn(self, patience: float = float("inf")) -> AsyncIterator[None]:
        """Wait for a turn and keep a place while the body runs.

        Raises ``MetrcRateLimited`` when METRC wants more quiet than ``patience`` seconds.
        """
        async with AsyncExitStack() as stack:
            spare = SPARE if self._places.locked() else 0.0
            await stack.enter_async_context(self._places)
            await self._pace(patience, spare)
            if self._shared:
                await stack.enter_async_context(self._shared.turn(patience))
            yield

    def hold(self, seconds: float) -> None:
        """Let nobody start for so long, those already waiting included."""
        self._held_until = max(self._held_until, self._now() + seconds)
        self._free_at = max(self._free_at, self._held_until)

    async def _pace(self, patience: float, spare: float) -> None:
        while True:
            self._must_fit(patience)
            at = max(self._now(), self._free_at)
            self._free_at = max(self._free_at, at - spare) + self._gap
            # a wait of nothing would still let everybody else go first
            if at > self._now():
                await self._sleep(at - self._now())
            await self._leave_room()
            if self._now() >= self._held_until:
                self._note_start()
                return

    async def _leave_room(self) -> None:
        """Wait while the last second is full: timers that fire late would otherwise make up for it."""
        starts = self._starts
        while starts is not None and len(starts) == starts.maxlen and starts[0] + self._second > self._now():
            await self._sleep(starts[0] + self._second - self._now())

    def _note_start(self) -> None:
        if self._starts is not None:
            self._starts.append(self._now())

    def _must_fit(self, patience: float) -> None:
        quiet = self._held_until - self._now()
        if quiet > patience:
            raise MetrcRateLimited(
                f"METRC wants {quiet:.0f} s of quiet for this license (429), which is too long to wait now.",
                status=429,
                retry_after=quiet,
            )


# --- where an address leads -------------------------------------------------------------------------------------------


def refuse_private(url: str, *, dev: bool) -> None:
    """Raise ``ConfigurationError`` unless keys may be sent to this base URL; the rule is that of ``bot.addresses``."""
    fault = refusal(url, dev=dev)
    if fault:
        raise ConfigurationError([f"The base URL {fault}."])


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver. Raises ``OSError``."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _GuardedNetwork(httpcore.AnyIOBackend):
    """Connects to the very address that was looked at, so that a name cannot change between look and connect."""

    def __init__(self, resolve: Resolve, *, dev: bool) -> None:
        super().__init__()
        self._resolve = resolve
        self._dev = dev

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            addresses = []
        if not addresses:
            raise MetrcUnreachable(f"The name {host} leads to no address.")
        if not self._dev and not all(is_public(address) for address in addresses):
            raise MetrcUnreachable(f"The name {host} leads to a private address, so nothing was sent there.")
        return addresses


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """The library's own transport on the guarded network, which it has no argument for."""

    def __init__(self, resolve: Resolve, *, dev: bool) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=30,
            network_backend=_GuardedNetwork(resolve, dev=dev),
        )


# --- carrying ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Ask(Generic[T]):
    """One question on its way."""

    url: str
    asked: str
    read: Callable[[Answer], T]
    limiter: Limiter
    params: Sequence[tuple[str, str]]
    auth: httpx.BasicAuth | None = field(repr=False)
    patience: Patience
    sent: Callable[[], None]
    verb: str = "GET"
    content: bytes | None = None


def _read(ask: _Ask[T], answer: Answer | MetrcError) -> T | MetrcError:
    if isinstance(answer, MetrcError):
        return answer
    try:
        return ask.read(answer)
    except MetrcError as error:
        return error


class Transport:
    """One HTTP client for all hosts and keys. It follows no redirect and keeps no cookie.

    ``dev`` allows private addresses. ``inner`` replaces the network in tests. ``requests`` counts every try.
    """

    def __init__(
        self,
        *,
        dev: bool = False,
        patience: Patience | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = resolve,
        now: Monotonic = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self.dev = dev
        self.requests = 0
        self._patience = patience or Patience()
        self._inner = inner
        self._resolve = resolve
        self._now = now
        self._sleep = sleep
        self._luck = luck
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def get(
        self,
        url: str,
        read: Callable[[Answer], T],
        *,
        asked: str,
        limiter: Limiter,
        params: Sequence[tuple[str, str]] = (),
        auth: tuple[str, str] | None = None,
        patience: Patience | None = None,
        sent: Callable[[], None] = lambda: None,
    ) -> T:
        """Ask until ``read`` returns or patience ends; then the last ``MetrcError`` is raised.

        Raises ``MetrcTimeout`` and ``MetrcUnreachable`` of its own. ``asked`` names the question in errors, ``auth`` is
        user name and password, ``sent`` is called for every try. A 429 stops everybody at ``limiter``.
        """
        basic = httpx.BasicAuth(*auth) if auth else None
        return await self._ask(_Ask(url, asked, read, limiter, params, basic, patience or self._patience, sent))

    async def undo(
        self,
        verb: str,
        base_url: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        asked: str,
        limiter: Limiter,
        deadline: float,
        params: Sequence[tuple[str, str]] = (),
        auth: tuple[str, str] | None = None,
        content: bytes | None = None,
        sent: Callable[[], None] = lambda: None,
    ) -> T:
        """Send one of the calls of ``UNDOING`` once; the wait for a turn is part of the ``deadline`` (seconds).

        Raises what ``get`` raises, ``MetrcRateLimited`` when the turn did not come in time so that nothing was sent,
        and ``ValueError`` for any other verb or path.
        """
        if not any(verb == known and form.fullmatch(path) for known, form in UNDOING):
            raise ValueError(f"{verb} {path} is no call that takes a record back")
        basic = httpx.BasicAuth(*auth) if auth else None
        once = Patience(total=deadline, attempt=deadline, tries=1)
        ask = _Ask(base_url + path, asked, read, limiter, params, basic, once, sent, verb, content)
        return await self._once(ask)

    async def _once(self, ask: _Ask[T]) -> T:
        began = self._now()
        async with AsyncExitStack() as stack:
            await self._turn_within(stack, ask)
            outcome = _read(ask, await self._carry(ask, max(0.0, ask.patience.total - (self._now() - began))))
        if isinstance(outcome, MetrcError):
            self._wait_after(ask, 1, outcome, ask.patience.total)
            raise outcome
        return outcome

    async def _turn_within(self, stack: AsyncExitStack, ask: _Ask[T]) -> None:
        # Only the wait is bounded here: once something was sent, "nothing was sent" must never be said.
        try:
            async with asyncio.timeout(ask.patience.total):
                await stack.enter_async_context(ask.limiter.turn(ask.patience.total))
        except TimeoutError:
            raise MetrcRateLimited(f"No turn came for {ask.asked}, so nothing was sent.") from None

    async def _ask(self, ask: _Ask[T]) -> T:
        spent = 0.0
        for attempt in itertools.count(1):
            left = ask.patience.total - spent
            async with ask.limiter.turn(left):
                began = self._now()
                answer = await self._carry(ask, min(left, ask.patience.attempt))
                spent += self._now() - began
            if isinstance(answer, Answer) and answer.status < 300:
                # reading is work: whoever has waited for this place is let go first
                await asyncio.sleep(0)
            outcome = _read(ask, answer)
            if not isinstance(outcome, MetrcError):
                return outcome
            wait = self._wait_after(ask, attempt, outcome, spent)
            if wait is None:
                # Raised here and not where it was caught, so that nothing hangs on it as its context.
                raise outcome
            spent += wait
            await self._sleep(wait)
        raise AssertionError  # pragma: no cover - the count has no end

    def _wait_after(self, ask: _Ask[T], attempt: int, error: MetrcError, spent: float) -> float | None:
        wait = next_wait(attempt, error, spent, ask.patience, luck=self._luck())
        if error.kind is ProblemKind.RATE_LIMITED:
            quiet = error.retry_after if wait is None else wait
            ask.limiter.hold(ask.patience.first_wait_when_limited if quiet is None else quiet)
        return wait

    async def _carry(self, ask: _Ask[T], seconds: float) -> Answer | MetrcError:
        self.requests += 1
        ask.sent()
        try:
            # The library's read timeout starts anew with every chunk; only this one bounds a body that drips.
            async with asyncio.timeout(seconds):
                return await self._stream(ask)
        except (TimeoutError, httpx.TimeoutException):
            return MetrcTimeout(f"METRC did not finish answering {ask.asked} within {seconds:.0f} s.")
        except httpx.DecodingError:
            return MetrcNotJson(f"METRC's answer to {ask.asked} is badly compressed.")
        except (httpx.RequestError, httpx.InvalidURL):
            return MetrcUnreachable(f"No connection to METRC for {ask.asked}.")
        except MetrcError as error:
            # The frames of its traceback hold the request.
            return error.with_traceback(None)

    async def _stream(self, ask: _Ask[T]) -> Answer:
        params = httpx.QueryParams(list(ask.params))
        headers = {"Content-Type": "application/json"} if ask.content is not None else None
        async with self._opened().stream(
            ask.verb, ask.url, params=params, auth=ask.auth, content=ask.content, headers=headers
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    raise MetrcNotJson(
                        f"METRC's answer to {ask.asked} is larger than 10 MB.", status=response.status_code
                    )
            return Answer(response.status_code, dict(response.headers), bytes(body))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._inner or _GuardedTransport(self._resolve, dev=self.dev),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "countlast"},
                timeout=httpx.Timeout(None, connect=5),
                follow_redirects=False,
                # A session cookie got with one key must not travel with another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,
            )
        return self._client
