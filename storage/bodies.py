"""Frozen values ↔ JSON text. Decimals are text in it, times carry their offset; what goes in comes out equal.

What is stored outlives the version that stored it. A field that a type gained since is filled with its default, so every
new field must have one; a field that it lost is passed over; an enum may gain members. What cannot be read even so (a
member of a newer version, a torn text) raises, and is never guessed at.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


def to_json(kind: type[T], value: T) -> str:
    """``value`` as JSON text."""
    return _adapter(cast("Hashable", kind)).dump_json(value).decode()


def from_json(kind: type[T], text: str) -> T:
    """The value that ``to_json`` was given, in this or an older version. Raises ``ValueError`` for anything else."""
    value: T = _adapter(cast("Hashable", kind)).validate_json(text)
    return value


def ready(kind: type[Any]) -> None:
    """Build now what the first value of this kind would have to wait for."""
    _adapter(cast("Hashable", kind))


def why_unreadable(error: ValueError) -> str:
    """Where in a stored text it stops to be readable, in a few words: ``cause: Input should be …``."""
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"][:6]) or "the whole text"
    return f"{place}: {first['msg'][:120]}"


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    # Built once a type and only when first needed: the one for Evidence takes 80 ms.
    return TypeAdapter(cast("Any", kind))
