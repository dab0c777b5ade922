"""Who people are, as Slack says now: ``bot.ports.Directory``. Whatever Slack does not say clearly counts against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ChatError
from bot.removals import Person
from handlers.render import words
from handlers.slack_calls import asked, mapping

# it answers users.info like a person
SLACKBOT: Final = "USLACKBOT"
NOWHERE: Final = ""


class SlackDirectory:
    """Of one workspace, through one bot token. Remembers only which workspace that is."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._home: str | None = None

    async def home(self) -> str:
        """The id of the workspace the bot is installed in. Raises ``ChatError``."""
        if self._home is None:
            answer = await asked(self._client.auth_test())
            self._home = _told(answer.get("team_id"))
        return self._home

    async def person(self, user: str) -> Person:
        """One user. Raises ``ChatError``, also for an id that nobody has."""
        home = await self.home()
        answer = await asked(self._client.users_info(user=user))
        return person_of(mapping(answer.get("user")), home)

    async def members(self, group: str) -> frozenset[str]:
        """The user ids in a user group (``S…``). Raises ``ChatError``."""
        answer = await asked(self._client.usergroups_users_list(usergroup=group))
        users = answer.get("users")
        if not isinstance(users, list):
            raise ChatError(words.not_answered("no_users"), code="no_users")
        return frozenset(str(user) for user in users)


def person_of(user: Mapping[str, Any], home: str) -> Person:
    """Slack's user object as a value. Raises ``ChatError`` for one without an id."""
    profile = mapping(user.get("profile"))
    user_id = _told(user.get("id"))
    names = (profile.get("display_name"), user.get("real_name"), profile.get("real_name"), user.get("name"))
    return Person(
        id=user_id,
        name=next((str(name) for name in names if name), user_id),
        team=_team(user, home),
        is_bot=bool(user.get("is_bot") or user.get("is_workflow_bot")) or user_id == SLACKBOT,
        is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        is_deactivated=bool(user.get("deleted")),
    )


def _team(user: Mapping[str, Any], home: str) -> str:
    """The home workspace, also where none is named; nowhere for somebody whom only a shared channel brings in."""
    if user.get("is_stranger"):
        return NOWHERE
    own = str(user.get("team_id", home) or NOWHERE)
    # in an organisation one account belongs to several workspaces
    others = mapping(user.get("enterprise_user")).get("teams")
    return home if isinstance(others, list) and home in others else own


def _told(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ChatError(words.not_answered("no_id"), code="no_id")
    return value
