"""The slash command: acknowledge, then answer in the background. Typed alone, it opens the form."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.asking import Asking
from handlers.deliveries import first_time
from handlers.forms import Forms
from handlers.parse import is_bare
from handlers.services import Services
from handlers.thread import Command

__all__ = ["Commands", "first_time"]


class Commands:
    """Answers ``/reconcile``."""

    def __init__(self, services: Services, asking: Asking, forms: Forms) -> None:
        self._services = services
        self._asking = asking
        self._forms = forms

    async def reconcile(self, ack: AsyncAck, command: dict[str, Any]) -> None:
        """The listener. Slack waits for the acknowledgement, so it comes before everything else."""
        await ack()
        self._services.metrics.commands.inc()
        received = Command.of(command)
        if is_bare(received.text) and received.trigger:
            self._forms.start(received)
        else:
            self._asking.start(received)
