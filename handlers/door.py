"""Who asks more than they may is told at the door: such a command is neither kept nor looked at, and costs nobody else."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from bot.settings import Settings
from handlers.pace import Pace
from handlers.parse import Ask, parse
from handlers.render import words
from handlers.thread import Command


class Door:
    """Of one process. ``pace`` counts the questions that were let in, at the moment they are heard.

    Were they counted when they are answered, whoever floods would be let in until the first answer has been begun.
    """

    def __init__(self, settings: Settings) -> None:
        self._command = settings.command
        self.pace = Pace(settings.questions_per_minute)

    def refusal(self, command: Command) -> dict[str, Any] | None:
        """What Slack shows its asker beside the acknowledgement; None: it is let in, and counts.

        What is no question, like ``help``, is never too many.
        """
        if not isinstance(parse(command.text, self._command), Ask):
            return None
        if self.pace.allows(command.person, command.delivery):
            return None
        return {"response_type": "ephemeral", "text": words.slow_down(self.pace.limit)}

    def refusal_of(self, body: bytes) -> dict[str, Any] | None:
        """The same for a signed request as it came, before anything else reads it."""
        if b"command=" not in body:
            return None
        try:
            fields = dict(parse_qsl(body.decode("utf-8"), max_num_fields=100))
        except ValueError:
            return None  # whoever reads it in full tells what is wrong with it
        return self.refusal(Command.of(fields)) if fields.get("command") == self._command else None
