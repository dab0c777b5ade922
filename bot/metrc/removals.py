"""The three calls that take a record back in METRC. There is no other call here, and none that sets a quantity."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from bot.metrc import wire
from bot.metrc.client import Keys
from bot.transport import Answer, Limiter, Transport, refuse_private


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MetrcRemovals:
    """Fits ``bot.ports.Remover``. Every call is one request, never repeated here; the ``deadline`` is in seconds.

    Raises a ``MetrcError``; after ``MetrcRateLimited`` nothing was done, after a refusal (400, 401, 403, 404) nothing
    should have been, and after any other the effect is not known. Raises ``ConfigurationError`` for a base URL that
    keys may not be sent to.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        license_number: str,
        keys: Callable[[], Keys],
        limiter: Limiter,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        refuse_private(base_url, dev=transport.dev)
        self.license = license_number
        self.requests = 0
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._keys = keys
        self._limiter = limiter
        self._now = now

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        """``DELETE /sales/v2/receipts/{id}``: METRC archives the receipt and gives its quantities back."""
        await self._send("DELETE", f"/sales/v2/receipts/{int(receipt_id)}", None, deadline)

    async def unfinalize_receipt(self, receipt_id: int, deadline: float) -> None:
        """``PUT /sales/v2/receipts/unfinalize``: without it a finalized receipt cannot be voided."""
        content = json.dumps([{"Id": int(receipt_id)}]).encode()
        await self._send("PUT", "/sales/v2/receipts/unfinalize", content, deadline)

    async def void_external_transfer(self, transfer_id: int, deadline: float) -> None:
        """``DELETE /transfers/v2/external/incoming/{id}``: only for one that was not received yet."""
        await self._send("DELETE", f"/transfers/v2/external/incoming/{int(transfer_id)}", None, deadline)

    async def _send(self, verb: str, path: str, content: bytes | None, deadline: float) -> None:
        keys = self._keys()
        asked = f"{verb} {path} (license {self.license})"
        await self._transport.undo(
            verb,
            self._base_url,
            path,
            partial(self._read, keys, asked),
            asked=asked,
            limiter=self._limiter,
            deadline=deadline,
            params=(("licenseNumber", self.license),),
            auth=(keys.vendor, keys.user),
            content=content,
            sent=self._count,
        )

    def _read(self, keys: Keys, asked: str, answer: Answer) -> None:
        # What a good answer says is not looked at: whether the record is gone is read afterwards.
        if not 200 <= answer.status < 300:
            wire.decode(answer.status, answer.headers, keys.hide_in(answer.body), asked, now=self._now())

    def _count(self) -> None:
        self.requests += 1
