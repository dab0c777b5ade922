"""What Slack says of the token: who it belongs to, and what it may."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor import SlackLook
from bot.settings import Settings

SECONDS = 10


async def ask_slack(settings: Settings) -> SlackLook | None:
    """One question to Slack; None: no token is set."""
    if not settings.slack.bot_token:
        return None
    client = AsyncWebClient(
        token=settings.slack.bot_token, base_url=settings.slack.api_url, timeout=SECONDS, retry_handlers=[]
    )
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        data = getattr(error.response, "data", None)
        reason = data.get("error") if isinstance(data, Mapping) else None
        return SlackLook(problem=str(reason or getattr(error.response, "status_code", "no answer")))
    except (aiohttp.ClientError, TimeoutError, OSError):
        return SlackLook(problem="no answer")
    return SlackLook(team=str(answer.get("team") or answer.get("team_id") or ""), scopes=_scopes(answer.headers))


def _scopes(headers: Mapping[str, object]) -> frozenset[str] | None:
    for name, value in headers.items():
        if str(name).lower() == "x-oauth-scopes":
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            return frozenset(scope.strip() for scope in text.split(",") if scope.strip())
    return None
