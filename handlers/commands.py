"""The slash command: keep the question, acknowledge, answer in the background. Typed alone, it opens the form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.response import BoltResponse

from handlers.asking import Asking
from handlers.entries import Next
from handlers.forms import Forms
from handlers.heard import Heard
from handlers.parse import is_bare
from handlers.services import Services
from handlers.thread import Command


class Commands:
    """Answers ``/reconcile``."""

    def __init__(self, services: Services, asking: Asking, forms: Forms) -> None:
        self._services = services
        self._asking = asking
        self._forms = forms

    def listen(self, app: AsyncApp) -> None:
        """Register the listener, and what hears a question before it."""
        app.command(self._services.settings.command, middleware=[self.hear])(self.reconcile)

    async def hear(self, command: dict[str, Any], next: Next) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        """A question is kept, and acknowledged right then: Bolt looks only every 10 ms whether a listener has done so."""
        self._services.metrics.commands.inc()
        received = Command.of(command)
        if is_bare(received.text) and received.trigger:
            await next()
            return None
        if refusal := self._services.door.refusal(received):
            return BoltResponse(status=200, body=refusal)
        await self._asking.take(Heard(replace(received, is_counted=bool(received.delivery))))
        return BoltResponse(status=200)

    async def reconcile(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        """The listener of the bare command."""
        await ack()
        self._forms.start(Command.of(command))
