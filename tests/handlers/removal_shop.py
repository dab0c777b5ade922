"""The whole Slack side over signed HTTP, with a store in which a sale is in METRC twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.app import Bot
from bot.removals import Intent
from bot.serve import SlackSide, slack_side
from bot.settings import SlackSettings
from demo.metrc import MetrcStandIn
from demo.serving import running
from demo.slack import CommandResult, Message, SlackStandIn, User
from demo.world import TAG, Sale, World
from tests.removing import Clock
from tests.store import NOW, opened_store, settings

LABEL = f"{TAG}3001"
ASKER, LEE, GUEST, KIT, FAR = "U0DANA", "U0LEE", "U0SAM", "U0KIT", "U0FAR"
SECRET, TOKEN = "shhh-decisions", "xoxb-decisions"


@dataclass
class Shop:
    """The running bot and everything around it."""

    bot: Bot
    side: SlackSide
    slack: SlackStandIn
    metrc: MetrcStandIn
    clock: Clock

    @property
    def world(self) -> World:
        return self.metrc.world

    async def ask(self, text: str = f"package {LABEL}", user: str = ASKER) -> None:
        assert (await self.slack.command(text, user=user)).acked
        await self.settle()

    async def settle(self) -> None:
        await self.side.work.idle()

    async def press(self, action_id: str = "remove_duplicate", user: str = LEE, *, card: int = -1) -> CommandResult:
        """Press what stands on a card, and wait for all that follows."""
        result = await self.slack.press(self.cards()[card].ts, action_id, user)
        await self.settle()
        return result

    def cards(self) -> list[Message]:
        """Every card there ever was, oldest first, by the small print that only cards have."""
        return [message for message in self.slack.messages() if "Evidence `" in str(message.blocks)]

    def card(self, number: int = -1) -> str:
        return self.slack.message_as_text(self.cards()[number])

    def replies(self) -> list[str]:
        """What the threads were told beside the cards."""
        return [message.text for message in self.slack.messages() if message.is_reply and message.text.startswith("<@")]

    def told(self, user: str) -> str:
        """What this person alone was told last."""
        return self.slack.message_as_text(self.slack.ephemerals(user)[-1])

    def writes(self) -> list[str]:
        return [f"{write.method} {write.path}" for write in self.metrc.writes]

    async def intent(self) -> Intent:
        (newest, *_) = await self.bot.books.intents.history([self.bot.settings.facilities[0].license], None, 1)
        return newest

    async def events(self) -> list[tuple[str, str]]:
        """Who did what, as the audit log has it."""
        return [(row.event, row.actor) async for row in self.bot.books.audit.rows()]

    async def faults(self) -> list[str]:
        """Why presses were refused, as the audit log has it."""
        rows = [row async for row in self.bot.books.audit.rows() if row.event == "refused" and '"fault"' in row.detail]
        return [row.detail.split('"fault":"')[1].split('"')[0] for row in rows]


@dataclass(frozen=True)
class Asked:
    """A database and a channel in which Dana has asked, so that not every test has to."""

    database: Path
    messages: tuple[Message, ...]
    keep: str
    remove: str


async def asked(folder: Path, template: Path) -> Asked:
    """Ask once. Each test opens a copy of what that left, in front of the same world built anew."""
    world, sale = sold_twice()
    async with opened(folder, template, world) as shop:
        await shop.ask()
        messages = tuple(shop.slack.workspace.everything())
    keep, remove = (str(receipt.id) for receipt in sale.receipts)
    return Asked(folder / "countlast.db", messages, keep, remove)


@asynccontextmanager
async def opened_again(folder: Path, before: Asked) -> AsyncIterator[Shop]:
    """A shop that goes on where ``before`` was left."""
    async with opened(folder, before.database) as shop:
        for message in before.messages:
            shop.slack.workspace.put(message)
        yield shop


def sold_twice() -> tuple[World, Sale]:
    world = World.healthy(NOW)
    sale = world.sell(LABEL)
    world.post_twice(sale)
    return world, sale


@asynccontextmanager
async def opened(folder: Path, template: Path, world: World | None = None, **changes: object) -> AsyncIterator[Shop]:
    """``changes`` are of the facility; Dana asks, Lee approves."""
    slack = SlackStandIn(signing_secret=SECRET, bot_token=TOKEN)
    for user in (User(KIT, "kit", "Kit Voss"), User(FAR, "far", "Far Away", team="T0OTHER")):
        slack.workspace.users[user.id] = user
    async with slack.serving() as page:
        config = settings(folder, now=NOW)
        (facility,) = config.facilities
        facility = replace(facility, **{"act": True, "approvers": (ASKER, LEE), **changes})
        config = replace(config, facilities=(facility,), slack=SlackSettings(TOKEN, SECRET, None, f"{page}/api/"))
        async with opened_store(world or sold_twice()[0], folder, config, template) as (bot, metrc):
            clock = Clock(NOW)
            bot.clock = metrc.clock = clock
            async with slack_side(bot) as side, running(side.web) as url:
                slack.app_url = f"{url}/slack/events"
                yield Shop(bot, side, slack, metrc, clock)
