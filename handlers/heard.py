"""A question as it was heard, and as it is kept: JSON that only this module reads and writes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bot.model import SubjectKind
from handlers.parse import Ask
from handlers.slack_calls import mapping
from handlers.thread import Command

log = logging.getLogger(__name__)

_TEXTS: Final = ("text", "user", "channel", "team", "delivery", "response_url", "thread")


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody asked: what they typed, or ``asks`` read from a form or a message, or an answer to be asked again."""

    command: Command
    asks: tuple[Ask, ...] = ()
    again: str = ""


def as_body(heard: Heard) -> str:
    """To be kept until it is answered. The trigger is left out: it lives three seconds."""
    command = heard.command
    kept = {name: getattr(command, name) for name in _TEXTS}
    shelf = None if command.shelf is None else str(command.shelf)
    body = {**kept, "shelf": shelf, "place": command.place, "asks": [asdict(ask) for ask in heard.asks]}
    return json.dumps({**body, "again": heard.again}, separators=(",", ":"))


def from_body(body: str) -> Heard | None:
    """None: another version wrote it, and this one cannot read it."""
    try:
        kept = mapping(json.loads(body))
        text, user, channel, team, delivery, url, thread = (str(kept[name]) for name in _TEXTS)
        shelf = None if kept["shelf"] is None else Decimal(kept["shelf"])
        command = Command(text, user, channel, team, delivery, url, thread, shelf, kept["place"])
        return Heard(command, tuple(_ask(mapping(ask)) for ask in kept["asks"]), str(kept["again"]))
    except (ValueError, KeyError, TypeError, InvalidOperation) as error:
        log.warning("a kept question cannot be read: %s", error)
        return None


def _ask(kept: Mapping[str, Any]) -> Ask:
    return Ask(**{**kept, "kind": SubjectKind(kept["kind"]), "more": tuple(kept["more"])})
