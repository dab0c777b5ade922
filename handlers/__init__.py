"""What sets the bot off: Slack and the clock. ``register`` is the map of everything the bot answers."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.bolt import build_bolt
from handlers.chat import Chat
from handlers.commands import Commands
from handlers.decisions import Decisions
from handlers.pace import Pace
from handlers.render.diagnosis import REMOVE_ACTION
from handlers.services import Services
from handlers.unknown import Unknown
from handlers.work import Work

__all__ = ["Services", "Work", "build_bolt", "register"]


def register(app: AsyncApp, services: Services, work: Work) -> None:
    """Everything the bot answers, in the order in which it is tried."""
    settings = services.settings
    chat = Chat(
        # one of our own: Bolt's holds no token, and one of its retry handlers sends a message twice
        AsyncWebClient(token=settings.slack.bot_token, base_url=settings.slack.api_url, retry_handlers=[]),
        services.metrics,
    )
    commands = Commands(services, chat, work, Pace(settings.questions_per_minute))
    decisions = Decisions(services, chat, work)
    unknown = Unknown(settings.command, chat, work)
    anything = re.compile("")

    app.command(settings.command)(commands.reconcile)
    app.action(REMOVE_ACTION)(decisions.remove)

    app.command(anything)(unknown.hint)
    app.action(anything)(unknown.hint)
    app.shortcut(anything)(unknown.hint)
    app.view(anything)(unknown.hint)
    app.view_closed(anything)(unknown.hint)
    app.options(anything)(unknown.no_options)
    app.event(anything)(unknown.event)
