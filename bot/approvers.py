"""Who may decide: people and user groups, asked of Slack, remembered for a moment. When Slack does not say, nobody may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from bot.ports import Clock, Directory
from bot.removals import Person, Policy

T = TypeVar("T")

GROUP_MARK: Final = "S"
"""What the id of a user group begins with; users begin with U or W."""

MOMENT: Final = timedelta(seconds=30)


class RememberingDirectory:
    """A ``Directory`` that asks another one at most once a moment for the same thing. Failures are not remembered."""

    def __init__(self, inner: Directory, clock: Clock, moment: timedelta = MOMENT) -> None:
        self._inner = inner
        self._clock = clock
        self._moment = moment
        self._people: dict[str, tuple[datetime, Person]] = {}
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}

    async def person(self, user: str) -> Person:
        """One user, as of a moment ago at most."""
        return await self._remembered(self._people, user, self._inner.person)

    async def members(self, group: str) -> frozenset[str]:
        """A user group, as of a moment ago at most."""
        return await self._remembered(self._groups, group, self._inner.members)

    async def _remembered(
        self, known: dict[str, tuple[datetime, T]], name: str, ask: Callable[[str], Awaitable[T]]
    ) -> T:
        now = self._clock.now()
        if name in known and now - known[name][0] < self._moment:
            return known[name][1]
        known.pop(name, None)
        value = await ask(name)
        known[name] = (now, value)
        return value


async def is_approver(directory: Directory, policy: Policy, user: str) -> bool:
    """Whether the shop's approvers name this user, or a group with this user in it. Raises ``ChatError``."""
    if user in policy.approvers:
        return True
    for name in policy.approvers:
        if name.startswith(GROUP_MARK) and user in await directory.members(name):
            return True
    return False
