"""``python -m bot`` and the console script ``countlast``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from bot.cli import run  # noqa: PLC0415 - so that an impatient Ctrl-C ends the loading as quietly as the rest

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
