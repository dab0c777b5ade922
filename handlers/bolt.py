"""The Bolt app. Made without asking Slack anything, so that the bot starts while Slack is down."""

from __future__ import annotations

import logging

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import Settings


def build_bolt(settings: Settings) -> AsyncApp:
    """An app of one workspace that verifies signatures and answers nothing yet; ``register`` fills it."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=settings.slack.bot_token)

    _calm_bolt()
    return AsyncApp(
        name="countlast",
        # never None: Bolt would look into the environment, which only the settings may do
        signing_secret=settings.slack.signing_secret or "",
        client=AsyncWebClient(base_url=settings.slack.api_url, retry_handlers=[]),
        authorize=authorize,
    )


def _calm_bolt() -> None:
    """Keep Bolt from warning that it ignores SLACK_BOT_TOKEN: it is given the token in another way, on purpose."""
    bolt_log = logging.getLogger("slack_bolt.AsyncApp")
    if not any(isinstance(each, _TokenWarning) for each in bolt_log.filters):
        bolt_log.addFilter(_TokenWarning())


class _TokenWarning(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the two warnings about where the token comes from."""
        message = str(record.msg)
        return not ("SLACK_BOT_TOKEN" in message and "ignored" in message) and "`token` will be unused" not in message
