"""The seven checks and their order."""
