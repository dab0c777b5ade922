"""The slash command: keep the question, acknowledge, answer in the background. Typed alone, it opens the form."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.asking import Asking
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

    async def reconcile(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        """The listener. What was acknowledged is kept, so whatever dies next, it is answered."""
        self._services.metrics.commands.inc()
        received = Command.of(command)
        if is_bare(received.text) and received.trigger:
            await ack()
            self._forms.start(received)
        else:
            await self._asking.take(Heard(received))
            await ack()
