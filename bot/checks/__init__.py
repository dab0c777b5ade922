"""The seven checks and their order. The order is the product: the count is the last thing to touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.case import Case
from bot.checks import authentication, count, custody, definition, duplication, mapping, timing
from bot.model import CheckName, Outcome

ORDER: Final[tuple[tuple[CheckName, Callable[[Case], Outcome]], ...]] = (
    (authentication.NAME, authentication.check),
    (mapping.NAME, mapping.check),
    (timing.NAME, timing.check),
    (duplication.NAME, duplication.check),
    (custody.NAME, custody.check),
    (definition.NAME, definition.check),
    (count.NAME, count.check),
)
