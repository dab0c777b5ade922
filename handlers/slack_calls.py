"""Single questions to Slack's Web API. Every refusal is a ``ChatError`` with Slack's own word as its code."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import ChatError
from handlers.chat import retry_after
from handlers.render import words


async def asked(request: Awaitable[AsyncSlackResponse]) -> Mapping[str, Any]:
    """Slack's answer to one request, which is not tried again. Raises ``ChatError``."""
    try:
        answer = await request
    except SlackApiError as error:
        raise _refused(_reason(error), _asked_to_wait(error)) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _refused("unreachable") from error
    return answer.data if isinstance(answer.data, dict) else {}


def mapping(value: object) -> Mapping[str, Any]:
    """Part of an answer that should be an object; empty when it is none."""
    return value if isinstance(value, dict) else {}


def _reason(error: SlackApiError) -> str:
    reason = mapping(getattr(error.response, "data", None)).get("error")
    return str(reason or getattr(error.response, "status_code", None) or "unreadable_answer")


def _asked_to_wait(error: SlackApiError) -> float | None:
    """In how many seconds Slack wants to be asked again; None: it did not say that it is busy."""
    if getattr(error.response, "status_code", None) != 429:
        return None
    return retry_after(getattr(error.response, "headers", {}))


def _refused(reason: str, wait: float | None = None) -> ChatError:
    return ChatError(words.not_answered(reason), code=reason, retry_after=wait)
