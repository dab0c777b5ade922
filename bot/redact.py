"""Secrets taken out of text that leaves the program: by value, and by what secrets look like. Pure."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

REPLACEMENT: Final = "[redacted]"
SHORTEST: Final = 4

_PATTERNS: Final = (
    re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]+|\bx(?:app|wfp)-[A-Za-z0-9-]+|\bxoxe\.[A-Za-z0-9.-]+"),
    re.compile(r"https?(?::|%3A)(?:\\?/|%2F){2}hooks\.slack\.com[^\s\"'<>]*", re.IGNORECASE),
    re.compile(r"\bv0=[0-9a-f]{64}\b"),
)
# the word before the secret stays, so that the line can still be read
_NAMED: Final = (
    re.compile(r"(?P<name>\b(?:Basic|Bearer)(?:\s|%20|\+)+)[A-Za-z0-9+/=_.~%-]{6,}"),
    re.compile(r"(?P<name>response_urls?(?:%22|%3A|[\\\"':=\s\[])+)(?:(?!%22)(?:\\/|[^\"'&\s\\,}]))+"),
    re.compile(r"(?P<name>\btoken(?:%22|%3A|[\\\"']|\s)*(?:[:=]|%3A)(?:%22|[\\\"']|\s)*)(?:(?!%22)[^\"'&\s\\,}])+"),
)


class Redactor:
    """Takes secrets out of a text. ``secrets`` is asked each time, for keys are renewed while the program runs."""

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for form in sorted({f for secret in self._secrets() for f in forms(secret)}, key=len, reverse=True):
            text = text.replace(form, REPLACEMENT)
        for pattern in _PATTERNS:
            text = pattern.sub(REPLACEMENT, text)
        for pattern in _NAMED:
            text = pattern.sub(rf"\g<name>{REPLACEMENT}", text)
        return text


def forms(secret: str) -> Iterator[str]:
    """A secret as it may appear: as it is, URL-encoded, in base64, and inside quoted text."""
    if len(secret) < SHORTEST:
        return
    encoded = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield quote(encoded, safe="")
    yield quote_plus(encoded)
    yield base64.b64encode(encoded).decode().rstrip("=")
    yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]


class RedactingFormatter(logging.Formatter):
    """Redacts whatever another formatter wrote: message, fields and traceback alike."""

    def __init__(self, inner: logging.Formatter, redact: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line to write."""
        return self._redact(self._inner.format(record))
