"""Everything that can go wrong, as one tree. Each error carries one sentence for people in ``str(error)``.

::

    CountlastError
    ├── ConfigurationError        .env or facilities.toml cannot be used; lists every problem at once
    ├── QuestionError             what was asked cannot be a question (no label in it, unknown facility)
    ├── StorageError              the database cannot be used
    │   └── SchemaTooNew          it was written by a newer version of the program
    ├── SourceError               one reading of the outside world failed; carries a Problem
    │   ├── MetrcError
    │   │   ├── MetrcUnauthorized     401: METRC's answer to nearly everything
    │   │   ├── MetrcForbidden        403
    │   │   ├── MetrcNotFound         404: unknown record, or a path this state does not offer
    │   │   ├── MetrcRejected         400: what was sent is not accepted
    │   │   ├── MetrcTooLarge         413
    │   │   ├── MetrcRateLimited      429, with the wait METRC asked for
    │   │   ├── MetrcServerFault      5xx
    │   │   ├── MetrcNotJson          HTML or torn JSON where an answer was expected
    │   │   ├── MetrcTimeout          no answer in time
    │   │   └── MetrcUnreachable      no connection
    │   ├── PosUnreadable             a POS file is missing, refused or broken
    │   └── DeadlineReached           the question's own time ran out before this was read
    └── ChatError                 Slack refused a message

No error ever holds a key, a token or a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ProblemKind(StrEnum):
    """Why a reading failed."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    SERVER_FAULT = "server_fault"
    NOT_JSON = "not_json"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    NOT_OFFERED = "not_offered"
    DEADLINE = "deadline"

    @property
    def is_outage(self) -> bool:
        """Whether the host itself failed to answer, whoever asked."""
        return self in {
            ProblemKind.SERVER_FAULT,
            ProblemKind.NOT_JSON,
            ProblemKind.TIMEOUT,
            ProblemKind.UNREACHABLE,
        }

    @property
    def is_refusal(self) -> bool:
        """Whether METRC answered that this key may not, which may also mean that it knows no such record."""
        return self in {ProblemKind.UNAUTHORIZED, ProblemKind.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reading is missing. ``says`` is one sentence for people; ``status`` the HTTP status if there was one."""

    kind: ProblemKind
    says: str
    status: int | None = None


class CountlastError(Exception):
    """Something went wrong that a person can understand."""


class ConfigurationError(CountlastError):
    """The configuration cannot be used. ``problems``: one sentence each, naming file, key and what is accepted."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class QuestionError(CountlastError):
    """What was asked cannot be a question."""


class StorageError(CountlastError):
    """The database cannot be used."""


class SchemaTooNew(StorageError):
    """The database was written by a newer version of Countlast."""


class SourceError(CountlastError):
    """One reading failed. ``status`` is the HTTP status where there was one, ``retry_after`` is in seconds."""

    kind: ProblemKind = ProblemKind.UNREADABLE

    def __init__(self, sentence: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(sentence)

    @property
    def problem(self) -> Problem:
        """The same as a frozen value that evidence can hold."""
        return Problem(kind=self.kind, says=str(self), status=self.status)


class MetrcError(SourceError):
    """METRC did not give the answer that was asked for."""


class MetrcUnauthorized(MetrcError):
    """401: dead key, missing right, foreign license, or a record METRC does not know. Never enough for a verdict."""

    kind = ProblemKind.UNAUTHORIZED


class MetrcForbidden(MetrcError):
    """403."""

    kind = ProblemKind.FORBIDDEN


class MetrcNotFound(MetrcError):
    """404."""

    kind = ProblemKind.NOT_FOUND


class MetrcRejected(MetrcError):
    """400. ``messages`` are METRC's own sentences, in its order."""

    kind = ProblemKind.REJECTED

    def __init__(self, sentence: str, *, status: int | None = 400, messages: Sequence[str] = ()) -> None:
        super().__init__(sentence, status=status)
        self.messages = tuple(messages)


class MetrcTooLarge(MetrcError):
    """413."""

    kind = ProblemKind.TOO_LARGE


class MetrcRateLimited(MetrcError):
    """429. ``retry_after`` is what METRC asked for, in seconds, or None."""

    kind = ProblemKind.RATE_LIMITED


class MetrcServerFault(MetrcError):
    """5xx."""

    kind = ProblemKind.SERVER_FAULT


class MetrcNotJson(MetrcError):
    """A page of HTML or broken JSON came where an answer was expected."""

    kind = ProblemKind.NOT_JSON


class MetrcTimeout(MetrcError):
    """No complete answer in time."""

    kind = ProblemKind.TIMEOUT


class MetrcUnreachable(MetrcError):
    """No connection to the host."""

    kind = ProblemKind.UNREACHABLE


class PosUnreadable(SourceError):
    """The POS could not be read: a missing folder, a refused file."""

    kind = ProblemKind.UNREADABLE


class DeadlineReached(SourceError):
    """The question's own time ran out before this was read."""

    kind = ProblemKind.DEADLINE


class ChatError(CountlastError):
    """Slack refused. ``code`` is Slack's own word (``not_in_channel``, ``ratelimited`` …).

    ``retry_after``: in how many seconds Slack wants to be asked again, where it said so.
    """

    def __init__(self, sentence: str, *, code: str, retry_after: float | None = None) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(sentence)
