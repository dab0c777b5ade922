"""Carrying requests: pacing, retries, deadlines, and where keys may go."""

import asyncio
import itertools
import logging
from base64 import b64encode

import httpx
import pytest

from bot import errors
from bot.transport import (
    Answer,
    Limiter,
    Patience,
    Transport,
    next_wait,
    quiet_http_logging,
    refuse_private,
    resolve,
)

URL = "https://api-co.metrc.com/facilities/v2/"
ASKED = "GET /facilities/v2/"
KEYS = ("vendor-PLANTED-key", "user-PLANTED-key")


class FakeTime:
    """A clock that moves when somebody sleeps. Sleepers wake in the order of their times."""

    def __init__(self):
        self.at = 1000.0
        self.slept = []

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        until = self.at + seconds
        await asyncio.sleep(0)
        self.at = max(self.at, until)


def by_status(answer):
    """The least a reader can know."""
    if answer.status == 429:
        wait = answer.headers.get("retry-after")
        raise errors.MetrcRateLimited("429", status=429, retry_after=None if wait is None else float(wait))
    if answer.status >= 500:
        raise errors.MetrcServerFault("5xx", status=answer.status)
    if answer.status >= 400:
        raise errors.MetrcUnauthorized("401", status=answer.status)
    return answer.body.decode()


class Host:
    """A host with a script of answers; the last one is given for ever."""

    def __init__(self, *script):
        self.script = list(script)
        self.seen = []

    async def __call__(self, request):
        self.seen.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step) if isinstance(step, int) else step


def carried_by(host, clock=None, **more):
    clock = clock or FakeTime()
    return Transport(
        inner=httpx.MockTransport(host), now=clock.now, sleep=clock.sleep, luck=lambda: 1.0, **more
    ), Limiter(now=clock.now, sleep=clock.sleep)


async def ask(transport, limiter, **more):
    return await transport.get(URL, by_status, asked=ASKED, limiter=limiter, auth=KEYS, **more)


# --- when to try again


def limited(wait=None):
    return errors.MetrcRateLimited("429", status=429, retry_after=wait)


def fault(status):
    return errors.MetrcServerFault("5xx", status=status)


DEAD, SLOW = errors.MetrcUnreachable("x"), errors.MetrcTimeout("x")
DECISIONS = [
    # attempt, error, spent, wait
    (1, fault(503), 0, 0.2),
    (2, fault(503), 0, 0.4),
    (3, fault(503), 0, None),  # three tries are enough
    (1, fault(500), 0, 0.2),
    (1, fault(502), 0, 0.2),
    (1, fault(504), 0, 0.2),
    (1, fault(501), 0, None),  # will not pass by waiting
    (1, DEAD, 0, 0.2),
    (1, SLOW, 0, 0.2),
    (2, SLOW, 0, None),  # a second timeout is an answer
    (1, limited(), 0, 1.0),
    (2, limited(), 0, 2.0),
    (1, limited(7), 0, 7),
    (1, limited(0), 0, 0),
    (1, limited(19), 0.5, 19),
    (1, limited(19.5), 0.5, None),  # exactly at the deadline
    (1, limited(120), 0, None),
    (1, fault(503), 19.9, None),
    (1, errors.MetrcUnauthorized("x", status=401), 0, None),
    (1, errors.MetrcForbidden("x", status=403), 0, None),
    (1, errors.MetrcNotFound("x", status=404), 0, None),
    (1, errors.MetrcRejected("x"), 0, None),
    (1, errors.MetrcTooLarge("x", status=413), 0, None),
    (1, errors.MetrcNotJson("x"), 0, None),
]


@pytest.mark.parametrize(("attempt", "error", "spent", "wait"), DECISIONS)
def test_when_to_try_again(attempt, error, spent, wait):
    """Only what may pass is tried again, three times at most, within 20 s."""
    assert next_wait(attempt, error, spent, Patience()) == wait


def test_luck_spreads_the_waits_but_not_those_metrc_asked_for():
    """Full jitter on our own back-off; METRC's own wait is kept to the second."""
    assert next_wait(2, fault(503), 0, Patience(), luck=0.5) == pytest.approx(0.2)
    assert next_wait(1, fault(503), 0, Patience(), luck=0.0) == 0
    assert next_wait(1, limited(7), 0, Patience(), luck=0.0) == 7


def test_retries_can_be_turned_off():
    """One try is one try."""
    assert next_wait(1, fault(503), 0, Patience(tries=1)) is None


# --- carrying


async def test_a_good_answer_is_read_once():
    """One request with the keys as Basic user name and password."""
    host = Host(httpx.Response(200, text="fine"))
    transport, limiter = carried_by(host)
    assert await ask(transport, limiter, params=(("a", "b c+d"),)) == "fine"
    (request,) = host.seen
    assert request.method == "GET"
    assert request.headers["authorization"] == "Basic " + b64encode(":".join(KEYS).encode()).decode()
    assert request.url.query == b"a=b+c%2Bd"
    assert transport.requests == 1


async def test_a_passing_fault_is_tried_again():
    """Two faults and a good answer are a good answer, after two growing waits."""
    clock = FakeTime()
    host = Host(503, httpx.ConnectError("down"), httpx.Response(200, text="fine"))
    transport, limiter = carried_by(host, clock)
    counted = []
    assert await ask(transport, limiter, sent=lambda: counted.append(1)) == "fine"
    assert [wait for wait in clock.slept if wait] == [0.2, 0.4]
    assert (transport.requests, len(counted)) == (3, 3)


@pytest.mark.parametrize(
    ("step", "kind", "tries"),
    [
        (401, errors.MetrcUnauthorized, 1),
        (500, errors.MetrcServerFault, 3),
        (501, errors.MetrcServerFault, 1),
        (429, errors.MetrcRateLimited, 3),
        (httpx.ConnectError("x"), errors.MetrcUnreachable, 3),
        (httpx.RemoteProtocolError("x"), errors.MetrcUnreachable, 3),
        (httpx.ConnectTimeout("x"), errors.MetrcTimeout, 2),
        (httpx.ReadTimeout("x"), errors.MetrcTimeout, 2),
        (httpx.PoolTimeout("x"), errors.MetrcTimeout, 2),
        (httpx.DecodingError("x"), errors.MetrcNotJson, 1),
    ],
)
async def test_what_does_not_pass_is_raised(step, kind, tries):
    """Each failure has its class and its number of tries."""
    host = Host(step)
    transport, limiter = carried_by(host)
    with pytest.raises(kind):
        await ask(transport, limiter)
    assert len(host.seen) == tries


async def test_one_call_can_have_less_patience():
    """A single request may turn retries off."""
    host = Host(503)
    transport, limiter = carried_by(host)
    with pytest.raises(errors.MetrcServerFault):
        await ask(transport, limiter, patience=Patience(tries=1))
    assert len(host.seen) == 1


async def test_a_redirect_is_not_followed():
    """Keys stay where they were meant to go."""
    host = Host(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}, text="moved"))
    transport, limiter = carried_by(host)
    assert await ask(transport, limiter) == "moved"
    assert len(host.seen) == 1


async def test_cookies_are_not_kept():
    """A session got with one key does not travel with another."""
    host = Host(httpx.Response(200, headers={"Set-Cookie": "session=1; Path=/"}, text="fine"))
    transport, limiter = carried_by(host)
    await ask(transport, limiter)
    await ask(transport, limiter)
    assert "cookie" not in host.seen[1].headers


async def test_a_body_without_end_is_cut_off():
    """Past 10 MB nothing more is read."""
    sent = []

    async def flood():
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 1_000_000

    async def host(request):
        return httpx.Response(200, content=flood())

    transport, limiter = carried_by(host)
    with pytest.raises(errors.MetrcNotJson, match="10 MB"):
        await ask(transport, limiter)
    assert len(sent) == 11


async def test_a_body_that_drips_meets_the_total_deadline():
    """Bytes that keep coming do not keep a request alive, though no single wait is long."""

    async def drip():
        while True:
            yield b"x"
            await asyncio.sleep(0.002)

    async def host(request):
        return httpx.Response(200, content=drip())

    transport = Transport(inner=httpx.MockTransport(host))
    began = asyncio.get_running_loop().time()
    with pytest.raises(errors.MetrcTimeout):
        await ask(transport, Limiter(), patience=Patience(total=0.05, attempt=0.04, first_wait=0))
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_a_cancelled_question_is_given_up():
    """Who asked may stop waiting; nothing turns that into an error of METRC."""

    async def host(request):
        await asyncio.sleep(60)

    transport = Transport(inner=httpx.MockTransport(host))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ask(transport, Limiter())


async def test_a_closed_transport_opens_again():
    """Closing gives connections back and is not the end."""
    host = Host(httpx.Response(200, text="fine"))
    transport, limiter = carried_by(host)
    async with transport:
        await ask(transport, limiter)
    assert await ask(transport, limiter) == "fine"
    await transport.close()
    await transport.close()


STEPS = [503, 429, 401, httpx.ConnectError("PLANTED"), httpx.ReadTimeout("PLANTED"), httpx.DecodingError("PLANTED")]


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
async def test_keys_are_in_no_error_and_no_log(step, caplog):
    """Neither key, plain or encoded, is in an error, in what hangs on it, or in a log line at DEBUG."""
    caplog.set_level(logging.DEBUG)
    transport, limiter = carried_by(Host(step))
    with pytest.raises(errors.MetrcError) as caught:
        await ask(transport, limiter)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    seen = f"{error!s} {error!r} {error.__dict__} {caplog.text}"
    assert "PLANTED" not in seen
    assert b64encode(":".join(KEYS).encode()).decode()[:20] not in seen


def test_the_libraries_can_be_kept_quiet(caplog):
    """Request lines, which hold the query string, are not logged at INFO."""
    caplog.set_level(logging.DEBUG)
    before = {name: logging.getLogger(name).level for name in ("httpx", "httpcore")}
    try:
        quiet_http_logging()
        logging.getLogger("httpx").info("HTTP Request: GET https://x/?licenseNumber=1")
        logging.getLogger("httpcore.connection").debug("connect_tcp.started")
        assert caplog.text == ""
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


# --- pacing


async def test_starts_are_evenly_spaced():
    """Ten starts at 5 a second take 1.8 s, the first one at once."""
    clock = FakeTime()
    limiter = Limiter(rate=5, concurrency=1, now=clock.now, sleep=clock.sleep)
    starts = []
    for _ in range(10):
        async with limiter.turn():
            starts.append(round(clock.at - 1000, 3))
    assert starts == [round(0.2 * number, 3) for number in range(10)]


async def test_idle_time_is_not_saved_up():
    """After a pause there is no burst."""
    clock = FakeTime()
    limiter = Limiter(rate=5, now=clock.now, sleep=clock.sleep)
    starts = []
    for pause in (100, 0, 0):
        clock.at += pause
        async with limiter.turn():
            starts.append(round(clock.at - 1100, 3))
    assert starts == [0, 0.2, 0.4]


async def test_late_timers_make_up_for_it_only_within_the_budget_of_a_second():
    """Of starts that a stall held up, no more than a second's worth falls into any second."""
    clock = FakeTime()

    async def oversleep(seconds):
        # every tenth wait ends three quarters of a second late
        oversleep.count += 1
        await clock.sleep(seconds + (0.75 if oversleep.count % 10 == 0 else 0))

    oversleep.count = 0
    limiter = Limiter(rate=20, concurrency=10, now=clock.now, sleep=oversleep)
    starts = []
    for _ in range(200):
        async with limiter.turn():
            starts.append(clock.at)
    worst = max(sum(start <= other < start + 1 for other in starts) for start in starts)
    assert worst <= 20
    assert any(later - earlier < 0.04 for earlier, later in itertools.pairwise(starts))


async def test_what_a_host_grants_is_never_used_up_by_late_ones():
    """Between two that are so many starts apart lies more than a second, so one may be delayed on its way."""
    clock = FakeTime()

    async def oversleep(seconds):
        oversleep.count += 1
        await clock.sleep(seconds + (0.75 if oversleep.count % 10 == 0 else 0))

    oversleep.count = 0
    limiter = Limiter(rate=49, granted=50, concurrency=10, now=clock.now, sleep=oversleep)
    starts = []
    for _ in range(400):
        async with limiter.turn():
            starts.append(clock.at)
    assert min(later - earlier for earlier, later in zip(starts, starts[50:], strict=False)) >= 1.02
    assert any(later - earlier < 0.02 for earlier, later in itertools.pairwise(starts))


async def test_a_wait_for_a_place_is_made_up_for():
    """Who found all places taken starts as if a tenth of a second of that had not been lost; nobody else does."""
    clock = FakeTime()
    limiter = Limiter(rate=5, concurrency=1, now=clock.now, sleep=clock.sleep)
    starts = []

    async def work(seconds):
        async with limiter.turn():
            starts.append(round(clock.at - 1000, 3))
            await asyncio.sleep(0)
            clock.at += seconds

    await asyncio.gather(work(0.35), work(0.05), work(0.05), work(0.05))
    assert starts == [0, 0.35, 0.45, 0.65]


async def test_no_more_than_so_many_at_once():
    """Concurrency is a bound that is reached and kept."""
    limiter = Limiter(rate=100_000, concurrency=3)
    inside, most = 0, 0

    async def work():
        nonlocal inside, most
        async with limiter.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 3


async def test_a_wider_budget_is_shared():
    """Two facilities with one vendor key cannot have more at once than the key may."""
    key = Limiter(rate=100_000, concurrency=2)
    shops = [Limiter(rate=100_000, concurrency=5, shared=key) for _ in range(2)]
    inside, most = 0, 0

    async def work(limiter):
        nonlocal inside, most
        async with limiter.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work(limiter) for limiter in shops * 6))
    assert most == 2


async def test_a_429_stops_everybody_at_this_license():
    """Those already waiting wait too, and start one by one when the quiet is over."""
    clock = FakeTime()
    host = Host(httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200, text="fine"))
    transport, limiter = carried_by(host, clock)
    started = []

    async def one():
        return await ask(transport, limiter, sent=lambda: started.append(round(clock.at - 1000, 3)))

    assert await asyncio.gather(*(one() for _ in range(3))) == ["fine"] * 3
    assert len(host.seen) == 4
    assert started[0] == 0
    assert [start >= 7 for start in started] == [False, True, True, True]
    assert len(set(started)) == 4


async def test_a_429_without_a_wait_stops_everybody_for_a_second():
    """Where METRC names no wait, ours holds for all."""
    clock = FakeTime()
    transport, limiter = carried_by(Host(429, httpx.Response(200, text="fine")), clock)
    await ask(transport, limiter)
    assert clock.at >= 1001


async def test_a_wait_too_long_is_told_at_once():
    """A quiet of two minutes is an answer now, for the one who was told and for the next one too."""
    clock = FakeTime()
    host = Host(httpx.Response(429, headers={"Retry-After": "120"}))
    transport, limiter = carried_by(host, clock)
    with pytest.raises(errors.MetrcRateLimited):
        await ask(transport, limiter)
    with pytest.raises(errors.MetrcRateLimited, match="120 s of quiet"):
        await ask(transport, limiter)
    assert len(host.seen) == 1
    assert clock.at < 1001
    clock.at += 120
    with pytest.raises(errors.MetrcRateLimited):
        await ask(transport, limiter)
    assert len(host.seen) == 2


async def test_the_last_429_still_holds():
    """After giving up, the license is left alone for a second all the same."""
    clock = FakeTime()
    transport, limiter = carried_by(Host(429), clock)
    with pytest.raises(errors.MetrcRateLimited):
        await ask(transport, limiter, patience=Patience(tries=1))
    async with limiter.turn():
        assert clock.at >= 1001


# --- where keys may go


def test_keys_go_to_public_https_hosts_only():
    """What a base URL may be is told in one place, and said in a sentence that repeats no password."""
    refuse_private("https://api-co.metrc.com", dev=False)
    refuse_private("http://127.0.0.1:8080", dev=True)
    for url in ("http://api-co.metrc.com", "https://127.0.0.1", "https://user:password@api-co.metrc.com"):
        with pytest.raises(errors.ConfigurationError, match=r"^The base URL must .*\.$") as caught:
            refuse_private(url, dev=False)
        assert "password@" not in str(caught.value)


def resolving_to(*addresses):
    async def resolve(host, port):
        if not addresses:
            raise OSError("no such name")
        return addresses

    return resolve


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:10.0.0.1"], ["fe80::1%lo"]]
)
async def test_a_public_name_of_a_private_place_gets_nothing(addresses):
    """The address is looked at when connecting, so a name that changed its mind gets no keys."""
    async with Transport(resolve=resolving_to(*addresses), patience=Patience(tries=1)) as transport:
        with pytest.raises(errors.MetrcUnreachable, match="private address"):
            await ask(transport, Limiter())


async def test_a_name_that_leads_nowhere():
    """An unknown name is told as such."""
    async with Transport(resolve=resolving_to(), patience=Patience(tries=1)) as transport:
        with pytest.raises(errors.MetrcUnreachable, match="leads to no address"):
            await ask(transport, Limiter())


async def serve(handle):
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def hello(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def test_dev_mode_reaches_a_stand_in_by_any_of_its_addresses():
    """The next address is tried when the first does not answer; the connection goes to the address looked at."""
    server, port = await serve(hello)
    async with server, Transport(dev=True, resolve=resolving_to("127.0.0.2", "127.0.0.1")) as transport:
        answer = await transport.get(
            f"http://stand-in.example:{port}/", lambda answer: answer, asked=ASKED, limiter=Limiter()
        )
    assert (answer.status, answer.body) == (200, b"hello")
    assert isinstance(answer, Answer)


async def test_tls_asks_for_the_name_though_the_address_is_dialled():
    """The certificate is checked against the name, so a private host cannot pass for METRC."""
    hellos = []

    async def listen(reader, writer):
        hellos.append(await reader.read(2000))
        writer.close()

    server, port = await serve(listen)
    async with server, Transport(dev=True, resolve=resolving_to("127.0.0.1"), patience=Patience(tries=1)) as transport:
        with pytest.raises(errors.MetrcUnreachable):
            await transport.get(f"https://stand-in.example:{port}/", by_status, asked=ASKED, limiter=Limiter())
    assert b"stand-in.example" in hellos[0]


async def test_a_closed_port_is_no_connection():
    """Nobody listening is no connection, without the address in the sentence."""
    server, port = await serve(hello)
    server.close()
    await server.wait_closed()
    async with Transport(dev=True, patience=Patience(tries=1)) as transport:
        with pytest.raises(errors.MetrcUnreachable, match="No connection to METRC for GET /x"):
            await transport.get(f"http://127.0.0.1:{port}/", by_status, asked="GET /x", limiter=Limiter())


async def test_the_systems_resolver_knows_this_machine():
    """Names are resolved by the system."""
    assert "127.0.0.1" in await resolve("127.0.0.1", 443)
