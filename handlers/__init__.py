"""What sets the bot off: Slack and the clock. ``register`` is the map of everything the bot answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.admission import Admission
from handlers.alerting import Alerting
from handlers.asking import Asking
from handlers.bolt import build_bolt
from handlers.cards import Cards
from handlers.chat import Chat
from handlers.commands import Commands
from handlers.decisions import Decisions
from handlers.directory import SlackDirectory
from handlers.entries import Entries
from handlers.follow_ups import FollowUps
from handlers.forms import Forms
from handlers.home import HomeTab
from handlers.services import Services
from handlers.shops import Leaves
from handlers.taking_up import TakingUp
from handlers.unknown import Unknown
from handlers.work import Work

__all__ = ["Services", "Unfinished", "Work", "build_bolt", "register"]


@dataclass(frozen=True)
class Unfinished:
    """What processes that died have left. ``cards``: of removals, None where nothing is removed."""

    cards: Cards | None
    questions: TakingUp


def register(app: AsyncApp, services: Services, work: Work) -> Unfinished:
    """Everything the bot answers, in the order in which it is tried. What comes back has to be called in rounds."""
    settings = services.settings
    # one of our own: Bolt's holds no token, and one of its retry handlers sends a message twice
    client = AsyncWebClient(token=settings.slack.bot_token, base_url=settings.slack.api_url, retry_handlers=[])
    chat = Chat(client, services.metrics, sleep=services.sleep, aside=work.aside)
    cards = _cards(services, chat, client)
    directory = SlackDirectory(client)
    admission = Admission(settings, directory, client, services.clock)
    asking = Asking(services, chat, work, admission, cards=cards)
    forms = Forms(services, chat, work, asking)
    unknown = Unknown(services, chat, work)
    anything = re.compile("")

    Commands(services, asking, forms).listen(app)
    forms.listen(app)
    Entries(services, asking, forms).listen(app)
    FollowUps(services, chat, work, asking, admission).listen(app)
    Leaves(services, chat, work).listen(app)
    HomeTab(services, chat, work, forms, admission, directory=directory, cards=cards).listen(app)
    if cards is not None:
        Decisions(services, cards, chat, client, work).listen(app)
    if services.attending is not None:
        Alerting(services, services.attending, chat, client, work, admission=admission).listen(app)

    app.command(anything)(unknown.hint)
    app.action(anything)(unknown.hint)
    app.shortcut(anything)(unknown.hint)
    app.view(anything)(unknown.hint)
    app.view_closed(anything)(unknown.hint)
    app.options(anything)(unknown.no_options)
    app.event(anything)(unknown.event)
    return Unfinished(cards, TakingUp(services, asking, work))


def _cards(services: Services, chat: Chat, client: AsyncWebClient) -> Cards | None:
    if services.office is None:
        return None
    directory = SlackDirectory(client)
    return Cards(services.office(directory), chat, directory, services.settings, client)
