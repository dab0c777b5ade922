"""The three calls that take a record back: exactly these requests, once, whatever comes of them."""

import asyncio
import base64

import httpx
import pytest

from bot.errors import (
    ConfigurationError,
    MetrcForbidden,
    MetrcNotFound,
    MetrcNotJson,
    MetrcRateLimited,
    MetrcRejected,
    MetrcServerFault,
    MetrcTimeout,
    MetrcUnauthorized,
    MetrcUnreachable,
)
from bot.metrc.client import Keys
from bot.metrc.removals import MetrcRemovals
from bot.transport import Limiter, Patience, Transport

LICENSE = "402R-X0042"
AUTH = "Basic " + base64.b64encode(b"vendor:user").decode()
IMPATIENT = Patience(total=30, attempt=10, tries=5, first_wait=0)  # would try five times, were it asked to


class Network:
    """Keeps what was sent; ``reply`` is what comes of it."""

    def __init__(self, reply):
        self.sent, self.reply = [], reply

    async def __call__(self, request):
        self.sent.append(request)
        reply = self.reply
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, float):
            await asyncio.sleep(reply)
            return httpx.Response(200)
        return reply


def removals_of(network, **more):
    transport = Transport(inner=httpx.MockTransport(network), patience=IMPATIENT, luck=lambda: 0.0)
    limiter = more.pop("limiter", None) or Limiter(rate=1e9)
    return MetrcRemovals(
        transport,
        base_url=more.pop("base_url", "https://api-co.metrc.com/"),
        license_number=LICENSE,
        keys=lambda: Keys("vendor", "user"),
        limiter=limiter,
    )


CALLS = {
    "void_receipt": ("DELETE", "/sales/v2/receipts/7", b""),
    "unfinalize_receipt": ("PUT", "/sales/v2/receipts/unfinalize", b'[{"Id": 7}]'),
    "void_external_transfer": ("DELETE", "/transfers/v2/external/incoming/7", b""),
}


@pytest.mark.parametrize("call", CALLS)
async def test_each_call_is_one_request_as_metrc_documents_it(call):
    """Verb, path, license, keys and body; nothing of the answer is needed."""
    network = Network(httpx.Response(200))
    removals = removals_of(network)
    await getattr(removals, call)(7, 5.0)
    (request,) = network.sent
    assert (request.method, request.url.path, request.content) == CALLS[call]
    assert dict(request.url.params) == {"licenseNumber": LICENSE}
    assert request.headers["authorization"] == AUTH
    assert removals.requests == 1


BUSY = httpx.Response(429, headers={"Retry-After": "3"})
FAILURES = [
    (httpx.Response(400, json={"Message": "no"}), MetrcRejected),
    (httpx.Response(401), MetrcUnauthorized),
    (httpx.Response(403), MetrcForbidden),
    (httpx.Response(404), MetrcNotFound),
    (BUSY, MetrcRateLimited),
    (httpx.Response(500), MetrcServerFault),
    (httpx.Response(504, text="upstream request timeout"), MetrcServerFault),
    (httpx.ReadError("reset"), MetrcUnreachable),
    (httpx.RemoteProtocolError("cut off"), MetrcUnreachable),
    (httpx.ReadTimeout("late"), MetrcTimeout),
    (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), MetrcNotJson),
]


@pytest.mark.parametrize(("reply", "error"), FAILURES)
async def test_whatever_fails_is_told_and_never_sent_again(reply, error):
    """One request, also where a reading would be repeated."""
    network = Network(reply)
    with pytest.raises(error):
        await removals_of(network).void_receipt(7, 5.0)
    assert len(network.sent) == 1


async def test_no_answer_in_time_is_a_timeout():
    """The deadline is for all of it, and the effect is not known."""
    network = Network(5.0)
    with pytest.raises(MetrcTimeout):
        await removals_of(network).void_receipt(7, 0.01)
    assert len(network.sent) == 1


async def test_a_turn_that_does_not_come_sends_nothing():
    """While METRC wants quiet, or others are at it, nothing leaves, and the error says that nothing was done."""
    network = Network(httpx.Response(200))
    limiter = Limiter(rate=1e9)
    limiter.hold(60)
    with pytest.raises(MetrcRateLimited):
        await removals_of(network, limiter=limiter).void_receipt(7, 0.01)
    crowded = Limiter(rate=1e9, concurrency=1)
    async with crowded.turn():
        with pytest.raises(MetrcRateLimited, match="nothing was sent"):
            await removals_of(network, limiter=crowded).void_receipt(7, 0.01)
    assert network.sent == []


async def test_a_429_stops_everybody_at_this_license():
    """The next one to come waits as long as METRC asked for."""
    limiter = Limiter(rate=1e9)
    with pytest.raises(MetrcRateLimited) as told:
        await removals_of(Network(BUSY), limiter=limiter).void_receipt(7, 5.0)
    assert told.value.retry_after == 3
    with pytest.raises(MetrcRateLimited):
        async with limiter.turn(1.0):
            pass


async def test_no_error_holds_a_key():
    """A host that echoes what it refuses does not bring the keys into an error."""
    echo = httpx.Response(400, json={"Message": f"bad key vendor user {AUTH}"})
    with pytest.raises(MetrcRejected) as told:
        await removals_of(Network(echo)).void_receipt(7, 5.0)
    for secret in ("vendor", "user ", AUTH):
        assert secret not in str(told.value)


def test_keys_go_to_no_private_host():
    """The same rule as for reading."""
    with pytest.raises(ConfigurationError):
        removals_of(Network(None), base_url="http://127.0.0.1:8080")
