"""The Slack side of the bot, driven as Slack drives it."""
