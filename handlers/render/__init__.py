"""Values to Slack blocks and their fallback text. Pure."""
