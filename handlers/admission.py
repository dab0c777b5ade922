"""Who may ask: members of the workspace who are in the shop's channel, or all of them. Guests and other workspaces never.

Where Slack does not say who somebody is, only the shop's own channel stays open: who is in it reads every answer there
anyway, and a floor must not wait for a lookup. Elsewhere nothing is looked up, and they are told so.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.approvers import RememberingDirectory
from bot.errors import ChatError
from bot.ports import Clock
from bot.settings import FacilitySettings, Settings
from handlers.directory import SlackDirectory
from handlers.render import words
from handlers.slack_calls import asked, mapping

log = logging.getLogger(__name__)

REMEMBERED: Final = timedelta(minutes=5)
PAGE: Final = 1000
MOST_PAGES: Final = 20


class Admission:
    """Of one workspace. Remembers for some minutes who people are and who is in which channel."""

    def __init__(self, settings: Settings, directory: SlackDirectory, client: AsyncWebClient, clock: Clock) -> None:
        self._mode = settings.who_may_ask
        self._directory = directory
        self._people = RememberingDirectory(directory, clock, REMEMBERED)
        self._client = client
        self._clock = clock
        self._members: dict[str, tuple[datetime, frozenset[str]]] = {}

    async def why_not(self, user: str, channel: str, facility: FacilitySettings) -> str | None:
        """Why this person may not ask about this shop, as markup; None: they may. ``channel``: where they ask."""
        try:
            return await self.who_is_not(user) or await self._outside(user, channel, facility)
        except ChatError as error:
            log.warning("who asks could not be looked up: %s", error)
            return None if facility.channel in {None, channel} else words.NOT_KNOWN

    async def who_is_not(self, user: str) -> str | None:
        """Why this person may ask nothing at all; None: they may. Raises ``ChatError``."""
        person = await self._people.person(user)
        if person.is_bot:
            return words.NO_BOTS
        if person.is_guest or person.is_deactivated:
            return words.NO_GUESTS
        return None if person.team == await self._directory.home() else words.NO_STRANGERS

    async def shops_of(self, user: str, facilities: tuple[FacilitySettings, ...]) -> tuple[FacilitySettings, ...]:
        """Those shops that this person may ask about; raises ``ChatError``."""
        return tuple([shop for shop in facilities if await self._outside(user, "", shop) is None])

    async def _outside(self, user: str, channel: str, facility: FacilitySettings) -> str | None:
        if self._mode != "channel" or facility.channel is None or channel == facility.channel:
            return None
        if user in await self._in_channel(facility.channel):
            return None
        return words.not_in_channel(facility.name, facility.channel)

    async def is_in(self, user: str, channel: str) -> bool:
        """Whether this person is in a channel; who is not remembered there is looked up. Raises ``ChatError``."""
        if user in await self._in_channel(channel):
            return True
        # who was invited a minute ago must not be turned away
        self._members.pop(channel, None)
        return user in await self._in_channel(channel)

    async def _in_channel(self, channel: str) -> frozenset[str]:
        now = self._clock.now()
        known = self._members.get(channel)
        if known is not None and now - known[0] < REMEMBERED:
            return known[1]
        members = await self._listed(channel)
        self._members[channel] = (now, members)
        return members

    async def _listed(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await asked(
                self._client.conversations_members(
                    channel=channel, limit=PAGE, **({"cursor": cursor} if cursor else {})
                )
            )
            rows = answer.get("members")
            members.update(str(row) for row in (rows if isinstance(rows, list) else ()))
            cursor = str(mapping(answer.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                break
        return frozenset(members)
