"""Frozen values ↔ JSON text. Decimals are text in it, times carry their offset; what goes in comes out equal."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(kind: type[T], value: T) -> str:
    """``value`` as JSON text."""
    return _adapter(cast("Hashable", kind)).dump_json(value).decode()


def from_json(kind: type[T], text: str) -> T:
    """The value that ``to_json`` was given. Raises ``ValueError`` for text that is no such value."""
    value: T = _adapter(cast("Hashable", kind)).validate_json(text)
    return value


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    # Built once a type and only when first needed: the one for Evidence takes 80 ms.
    return TypeAdapter(cast("Any", kind))
