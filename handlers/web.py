"""The HTTP side: everything Slack sends, and what a supervisor and Prometheus ask.

Slack's requests are verified over the raw body before anybody parses them. Bolt verifies again, but it parses first,
answers 500 to a time stamp that is no number, and logs what it refuses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from handlers.door import Door
from handlers.metrics import Metrics

Ready = Callable[[], Awaitable[tuple[str, ...]]]

BODY_LIMIT: Final = 1_000_000
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"v0=[0-9a-f]{64}")


def build_web(app: AsyncApp, *, ready: Ready, metrics: Metrics, door: Door | None = None) -> Starlette:
    """The routes. ``ready`` returns one sentence for each problem that keeps the bot from answering.

    ``door``: who is told to slow down before Bolt is troubled.
    """
    # Bolt keeps the secret to itself, and asking for it twice would let the two checks drift apart
    gate = Gate(app._signing_secret)  # noqa: SLF001

    async def slack_events(request: Request) -> Response:
        began = time.perf_counter()
        response = await _slack_events(app, gate, door, request)
        metrics.acks.labels(transport="http").observe(time.perf_counter() - began)
        return response

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        problems = await ready()
        return PlainTextResponse("\n".join(problems) or "ready", status_code=503 if problems else 200)

    async def numbers(_: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/slack/events", slack_events, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", numbers),
        ]
    )


class Gate:
    """Lets only requests through that Slack signed within the last five minutes. Without a secret, none."""

    def __init__(self, signing_secret: str) -> None:
        self._verifier = SignatureVerifier(signing_secret) if signing_secret else None

    def lets_in(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Whether the signature is Slack's, over exactly these bytes."""
        if self._verifier is None or not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
            return False
        try:
            return self._verifier.is_valid(body, timestamp, signature)
        except UnicodeDecodeError:
            # Slack writes UTF-8, and the verifier reads nothing else
            return False


async def _slack_events(app: AsyncApp, gate: Gate, door: Door | None, request: Request) -> Response:
    body = await _bounded_body(request)
    if body is None:
        return PlainTextResponse("the request is too large", status_code=413)
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    if not gate.lets_in(body, timestamp, request.headers.get("x-slack-signature", "")):
        return PlainTextResponse("the request is not signed by Slack, or is too old", status_code=401)
    if door is not None and (refusal := door.refusal_of(body)) is not None:
        return JSONResponse(refusal)
    try:
        bolt_request = to_async_bolt_request(request, body)
    except (ValueError, TypeError, AttributeError):
        # signed, yet neither a form nor a JSON object
        return PlainTextResponse("the request cannot be read", status_code=400)
    return to_starlette_response(await app.async_dispatch(bolt_request))


async def _bounded_body(request: Request) -> bytes | None:
    """The raw body; None when it is larger than anything Slack sends."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and len(announced) < 20 and int(announced) > BODY_LIMIT:
        return None
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)
