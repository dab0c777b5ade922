"""What sets the bot off: Slack and the clock."""
