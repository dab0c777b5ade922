"""``python -m bot`` and the console script ``countlast``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from bot.cli import run  # noqa: PLC0415 - keeps the import of this module free of work

    run()


if __name__ == "__main__":
    main()
