"""Logging: structlog and the standard library write the same lines through one handler, which redacts."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

from bot.redact import RedactingFormatter, Redactor
from bot.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import Processor

# Their INFO lines hold license numbers, bodies and addresses that are secrets for a while, or what nobody asked for.
TALKATIVE: Final = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "asyncio",
    "httpcore",
    "httpx",
    "slack_bolt",
    "slack_sdk",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Set up logging for this process as ``COUNTLAST_LOG`` says; may be called again. Writes to stderr by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(RedactingFormatter(_Formatter(settings.log_format), Redactor(settings.secrets)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    if "structlog" in sys.modules:
        _configure_structlog()


class _Formatter(logging.Formatter):
    """Structlog's, made for the first line: it takes longer to load than many commands to run, and most log nothing."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self._log_format = log_format
        self._inner: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """The line, not redacted yet."""
        if self._inner is None:
            _configure_structlog()
            self._inner = _structlog_formatter(self._log_format)
        return self._inner.format(record)


def _configure_structlog() -> None:
    import structlog  # noqa: PLC0415 - see _Formatter

    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        # loggers are made before this is called, and tests call it again
        cache_logger_on_first_use=False,
    )


def _shared() -> list[Processor]:
    import structlog  # noqa: PLC0415 - see _Formatter

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _structlog_formatter(log_format: str) -> logging.Formatter:
    import structlog  # noqa: PLC0415 - see _Formatter

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(log_format)],
    )


def _renderer(log_format: str) -> list[Processor]:
    import structlog  # noqa: PLC0415 - see _Formatter

    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    # the default traceback would show local variables, and a local variable may hold a key
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
