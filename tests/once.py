"""What a program makes once, and what tests would make thousands of times: it is made once a run.

Compiled statements: an engine keeps them under the statement and its own dialect; here the kind of dialect is enough,
for all engines of a run are made in the same way. TLS contexts: each would read the same file of authorities.
"""

from __future__ import annotations

import functools
from typing import Any

import httpx
from httpx._transports import default
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from storage import engine

_MOST = 3000


class _Compiled(LRUCache[Any, Any]):
    """``(dialect, statement, …)`` → the compiled statement."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_plain(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_plain(key), compiled)


def _plain(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *rest = key
    return (type(dialect), *rest)


_compiled = _Compiled(_MOST)
_create_async_engine = engine.create_async_engine


def share() -> None:
    """From now on, for every database and every HTTP client that is opened in this process."""
    engine.create_async_engine = _sharing
    default.create_ssl_context = httpx.create_ssl_context = functools.cache(httpx.create_ssl_context)


def _sharing(*arguments: Any, **options: Any) -> AsyncEngine:
    made = _create_async_engine(*arguments, **options)
    made.sync_engine._compiled_cache = _compiled
    return made
