"""``.env`` and ``facilities.toml`` → one frozen, validated ``Settings``. The only place that reads the environment.

Secrets are references (``env:NAME`` or ``file:/path``) that are resolved each time they are needed, so that a renewed
key is picked up without a restart. No secret is ever part of a repr or an error.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

from bot.addresses import refusal
from bot.errors import ConfigurationError
from bot.hours import is_zone, nightly_time
from bot.model import Posting, Shop
from bot.opening import ACCEPTED as HOURS_ACCEPTED
from bot.opening import parse_hours

DEFAULT_DATABASE: Final = "sqlite+aiosqlite:///countlast.db"
DEFAULT_SLACK_API: Final = "https://slack.com/api/"
POS_KINDS: Final = ("csv",)
LOG_FORMATS: Final = ("console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_CHANNEL: Final = re.compile(r"[CGD][A-Z0-9]{2,20}")
_PERSON: Final = re.compile(r"[USW][A-Z0-9]{2,20}")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept: ``env:NAME`` or ``file:/path``. Reading it again gives its present value."""

    reference: str

    def read(self) -> str:
        """Return the secret; raises ``ConfigurationError`` when it is not there."""
        value = self._value()
        if not value:
            raise ConfigurationError([f"{self.reference} is not set or empty"])
        return value

    def _value(self) -> str:
        kind, _, rest = self.reference.partition(":")
        if kind == "env":
            return (environment().get(rest) or "").strip()
        try:
            return Path(rest).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):  # no such file, no text, or a path that cannot be one
            return ""


@dataclass(frozen=True, slots=True)
class MetrcSettings:
    """How to reach METRC for one license."""

    base_url: str
    vendor_key: Secret
    user_key: Secret
    key_issued_on: date | None = None
    key_max_age_days: int = 365
    window_hours: int = 24
    requests_per_second: int = 50


@dataclass(frozen=True, slots=True)
class PosSettings:
    """Where the POS's files are and how it posts. ``file_zone`` None: the facility's zone."""

    kind: str
    directory: Path
    posting: Posting = Posting.BATCH
    nightly_at: str | None = None
    import_minutes: int = 10
    max_age_minutes: int = 60
    file_zone: str | None = None
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class FacilitySettings:
    """One METRC license."""

    license: str
    name: str
    time_zone: str
    metrc: MetrcSettings
    pos: PosSettings
    channel: str | None = None
    approvers: tuple[str, ...] = ()
    second_person: bool = True
    act: bool = False
    opening_hours: str | None = None
    holidays: tuple[date, ...] = ()
    contact: str | None = None
    escalate_to: str | None = None
    escalate_after_minutes: int = 30
    drying_percent: Decimal | None = None
    approval_minutes: int = 30
    two_approvals_over: int | None = None
    false_alarms_per_year: Decimal = Decimal(1)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's wall clock."""
        return ZoneInfo(self.time_zone)

    @property
    def shop(self) -> Shop:
        """What a check may need to know of the configuration."""
        return Shop(
            license=self.license,
            name=self.name,
            time_zone=self.time_zone,
            posting=self.pos.posting,
            nightly_at=self.pos.nightly_at,
            import_minutes=self.pos.import_minutes,
            max_age_minutes=self.pos.max_age_minutes,
            drying_percent=self.drying_percent,
        )


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """The Slack app. ``app_token`` set: Socket Mode. Tokens stay out of the repr."""

    bot_token: str | None = field(default=None, repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    app_token: str | None = field(default=None, repr=False)
    api_url: str = DEFAULT_SLACK_API

    def missing(self) -> tuple[str, ...]:
        """One sentence for each variable that the Slack side cannot do without."""
        wanted = {"SLACK_BOT_TOKEN": self.bot_token}
        if self.app_token is None:
            wanted["SLACK_SIGNING_SECRET"] = self.signing_secret
        return tuple(
            f"{name} is not set: countlast run needs it to talk to Slack" for name, v in wanted.items() if not v
        )


WHO_MAY_ASK: Final = ("channel", "workspace")
"""Members of the workspace in the shop's channel, or all members of the workspace; guests and other workspaces never."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``database_url`` may hold a password and stays out of the repr. ``who_may_ask``: of ``WHO_MAY_ASK``."""

    facilities: tuple[FacilitySettings, ...]
    slack: SlackSettings = SlackSettings()
    database_url: str = field(default=DEFAULT_DATABASE, repr=False)
    listen: tuple[str, int] = ("127.0.0.1", 3000)
    command: str = "/reconcile"
    log_format: str = "console"
    log_level: str = "info"
    lease_seconds: int = 120
    alert_hold_seconds: int = 60
    fixed_now: datetime | None = None
    dev: bool = False
    read_only: bool = False
    questions_per_minute: int = 20
    who_may_ask: str = "channel"
    heartbeat_url: str | None = field(default=None, repr=False)

    def facility(self, license_number: str) -> FacilitySettings | None:
        """The facility with this license, whatever the case it was typed in."""
        wanted = license_number.strip().casefold()
        return next((f for f in self.facilities if f.license.casefold() == wanted), None)

    def facilities_of(self, channel: str) -> tuple[FacilitySettings, ...]:
        """Those whose channel this is."""
        return tuple(f for f in self.facilities if f.channel == channel)

    def secrets(self) -> tuple[str, ...]:
        """Every secret value in use now, for the log's redaction."""
        references = [s for f in self.facilities for s in (f.metrc.vendor_key, f.metrc.user_key)]
        values = [_or_empty(reference) for reference in references]
        tokens = [self.slack.bot_token, self.slack.signing_secret, self.slack.app_token]
        password = urlsplit(self.database_url).password or ""
        return tuple({v for v in (*values, *tokens, password, unquote(password)) if v})


def environment() -> dict[str, str]:
    """The process's environment, with ``.env`` of the working directory behind it; raises ``ConfigurationError``."""
    try:
        # a key may hold a dollar sign, so nothing is put in its place
        from_file = dotenv_values(Path.cwd() / ".env", interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError([".env: cannot be read; accepted: a UTF-8 text file of NAME=value lines"]) from None
    return {k: v for k, v in from_file.items() if v is not None} | dict(os.environ)


def load(env: Mapping[str, str] | None = None, *, with_slack: bool = False) -> Settings:
    """Read and check everything; raises ``ConfigurationError`` that lists every problem at once.

    ``with_slack``: whatever the Slack side cannot do without must be set.
    """
    env = environment() if env is None else env
    problems: list[str] = []
    variables = _Variables(env, problems)
    dev = variables.flag("COUNTLAST_DEV")
    facilities, general = _file(Path(env.get("COUNTLAST_CONFIG") or "facilities.toml"), problems, dev=dev, env=env)
    log_format, log_level = variables.log()
    settings = Settings(
        facilities=facilities,
        slack=_slack(variables, dev=dev),
        database_url=variables.database_url(),
        listen=variables.listen(),
        command=variables.command(),
        log_format=log_format,
        log_level=log_level,
        lease_seconds=variables.whole("COUNTLAST_LEASE_SECONDS", 120),
        alert_hold_seconds=variables.whole("COUNTLAST_ALERT_HOLD_SECONDS", 60),
        fixed_now=variables.now(dev=dev),
        dev=dev,
        read_only=general.flag("read_only", default=False),
        questions_per_minute=general.whole("questions_per_minute", 20, least=1),
        who_may_ask=general.choice("who_may_ask", WHO_MAY_ASK, default="channel"),
        heartbeat_url=general.url("heartbeat_url", dev=dev),
    )
    general.refuse_unknown()
    problems += settings.slack.missing() if with_slack else ()
    if problems:
        raise ConfigurationError(tuple(dict.fromkeys(problems)))
    return settings


def switched_off(*, otherwise: bool) -> bool:
    """Whether the facilities file says ``read_only`` at this moment, so that the switch works without a restart.

    ``otherwise``: the answer where there is no such file. One that cannot be understood is taken for a yes.
    """
    try:
        path = Path(environment().get("COUNTLAST_CONFIG") or "facilities.toml")
        general = tomllib.loads(path.read_text(encoding="utf-8")).get("countlast", {})
    except FileNotFoundError:
        return otherwise
    except (OSError, ValueError, ConfigurationError):
        return True
    return not isinstance(general, dict) or general.get("read_only", False) is not False


# --- the environment --------------------------------------------------------------------------------------------------


class _Variables:
    """Environment variables, read one by one; what is wrong is added to the list of problems."""

    def __init__(self, env: Mapping[str, str], problems: list[str]) -> None:
        self._env = env
        self._problems = problems

    def text(self, name: str) -> str | None:
        return (self._env.get(name) or "").strip() or None

    def flag(self, name: str) -> bool:
        value = self.text(name)
        if value not in {None, "0", "1"}:
            self._problems.append(f"{name} must be 1 or 0")
        return value == "1"

    def whole(self, name: str, default: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"\d{1,6}", value) or int(value) < 1:
            self._problems.append(f"{name} must be a whole number of seconds, at least 1")
            return default
        return int(value)

    def command(self) -> str:
        value = self.text("COUNTLAST_COMMAND") or "/reconcile"
        if not re.fullmatch(r"/[^\s/]{1,31}", value):
            self._problems.append("COUNTLAST_COMMAND must be a slash and 1 to 31 more characters without blanks")
        return value

    def url(self, name: str, default: str, *, dev: bool) -> str:
        value = self.text(name) or default
        why_not = refusal(value, dev=dev)
        if why_not:
            self._problems.append(f"{name} {why_not}")
        return value

    def log(self) -> tuple[str, str]:
        form, _, level = (self.text("COUNTLAST_LOG") or "console:info").lower().partition(":")
        level = level or "info"
        if form not in LOG_FORMATS or level not in LOG_LEVELS:
            accepted = f"{' or '.join(LOG_FORMATS)}, and after a colon one of {', '.join(LOG_LEVELS)}"
            self._problems.append(f"COUNTLAST_LOG must be {accepted}")
            return "console", "info"
        return form, level

    def listen(self) -> tuple[str, int]:
        value = self.text("COUNTLAST_LISTEN") or "127.0.0.1:3000"
        parts = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})", value)
        if parts is None or int(parts[3]) > 65535:
            self._problems.append("COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000")
            return "127.0.0.1", 3000
        return parts[1] or parts[2], int(parts[3])

    def database_url(self) -> str:
        value = self.text("DATABASE_URL") or DEFAULT_DATABASE
        if not value.startswith(("sqlite+aiosqlite:///", "postgresql+psycopg://")):
            # not repeated: a database URL often holds a password
            self._problems.append("DATABASE_URL must begin with sqlite+aiosqlite:/// or postgresql+psycopg://")
        elif not _is_url(value):
            self._problems.append("DATABASE_URL is not a URL; accepted: postgresql+psycopg://user:password@host/name")
        else:
            return value
        return DEFAULT_DATABASE

    def now(self, *, dev: bool) -> datetime | None:
        value = self.text("COUNTLAST_NOW")
        if value is None:
            return None
        if not dev:
            self._problems.append("COUNTLAST_NOW fixes the clock and is accepted only with COUNTLAST_DEV=1")
            return None
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):  # the second: year 1 or 9999, moved out of the calendar by its offset
            pass
        self._problems.append("COUNTLAST_NOW must be ISO 8601 with an offset, for example 2026-03-03T03:30:00Z")
        return None


def _slack(variables: _Variables, *, dev: bool) -> SlackSettings:
    api_url = variables.url("SLACK_API_URL", DEFAULT_SLACK_API, dev=dev)
    return SlackSettings(
        bot_token=variables.text("SLACK_BOT_TOKEN"),
        signing_secret=variables.text("SLACK_SIGNING_SECRET"),
        app_token=variables.text("SLACK_APP_TOKEN"),
        api_url=api_url if api_url.endswith("/") else f"{api_url}/",
    )


# --- facilities.toml --------------------------------------------------------------------------------------------------


def _is_url(text: str) -> bool:
    try:
        urlsplit(text).port  # noqa: B018 - the port is only looked at when it is asked for
    except ValueError:
        return False
    return True


class _Table:
    """One table of the file: typed look-ups that collect problems instead of raising, and remember what was read."""

    def __init__(self, rows: Mapping[str, Any], file: str, path: str, problems: list[str]) -> None:
        self._rows = rows
        self._file = file
        self._path = path
        self._problems = problems
        self._read: set[str] = set()

    def complain(self, key: str, sentence: str) -> None:
        """Add a problem about one key."""
        where = f"{self._path}.{key}" if self._path else key
        self._problems.append(f"{self._file}: {where} {sentence}")

    def get(self, key: str) -> object:
        self._read.add(key)
        return self._rows.get(key)

    def refuse_unknown(self) -> None:
        """Complain about every key that nobody asked for, with the nearest known one."""
        for key in sorted(self._rows.keys() - self._read):
            near = difflib.get_close_matches(key, sorted(self._read), n=1)
            hint = f"did you mean {near[0]}?" if near else f"accepted: {', '.join(sorted(self._read))}"
            self.complain(key, f"is not a known key; {hint}")

    def table(self, key: str) -> _Table | None:
        """A table inside this one; None when there is none to read, which was complained about unless it is left out."""
        value = self.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.complain(key, "must be a table")
        if not isinstance(value, Mapping):
            return None
        return _Table(value, self._file, f"{self._path}.{key}" if self._path else key, self._problems)

    def needed_table(self, key: str) -> _Table | None:
        if key not in self._rows:
            self.complain(key, f"is missing: a [facility.{key}] table is needed")
        return self.table(key)

    def text(self, key: str, *, required: bool = False) -> str | None:
        value = self.get(key)
        if value is None:
            if required:
                self.complain(key, "is missing")
            return None
        if not isinstance(value, str) or not value.strip():
            self.complain(key, "must be text in quotes, and not empty")
            return None
        return value.strip()

    def needed(self, key: str) -> str:
        return self.text(key, required=True) or ""

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.complain(key, "must be true or false")
            return default
        return value

    def whole(self, key: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.complain(key, f"must be a whole number from {least} to {most}")
            return default
        return value

    def number(self, key: str, *, most: int) -> Decimal | None:
        """A number above 0; the document is read with decimals in the place of floats."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not _is_between(value, most):
            self.complain(key, f"must be a number above 0, at most {most}")
            return None
        return Decimal(value)

    def day(self, key: str) -> date | None:
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, date):
            self.complain(key, "must be a date without quotes, for example 2026-01-05")
            return None
        return value

    def days(self, key: str) -> tuple[date, ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(type(day) is date for day in value):
            self.complain(key, "must be a list of dates, for example [2026-12-25]")
            return ()
        return tuple(value)

    def people(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) and _PERSON.fullmatch(each) for each in value):
            self.complain(key, 'must be a list of Slack user and user-group ids, for example ["U0DANA", "S0MANAGERS"]')
            return ()
        return tuple(value)

    def channel(self, key: str) -> str | None:
        """Slack's commands name a channel by its id, so a name would never be found again."""
        value = self.text(key)
        if value is not None and not _CHANNEL.fullmatch(value):
            self.complain(key, f"is {value!r}; accepted: a Slack channel id such as C0FLOOR, not the channel's name")
            return None
        return value

    def choice(self, key: str, accepted: Sequence[str], default: str | None = None) -> str:
        value = self.text(key)
        if value is None:
            if default is None and self.get(key) is None:
                self.complain(key, f"is missing; accepted: {', '.join(accepted)}")
            return default or accepted[0]
        if value not in accepted:
            self.complain(key, f"is {value!r}; accepted: {', '.join(accepted)}")
            return default or accepted[0]
        return value

    def zone(self, key: str, *, required: bool) -> str | None:
        value = self.text(key, required=required)
        if value is not None and not is_zone(value):
            self.complain(key, f"is {value!r}; accepted: an IANA time zone such as America/Denver")
            return None
        return value

    def hours(self, key: str) -> str | None:
        value = self.text(key)
        if value is None:
            return None
        try:
            parse_hours(value)
        except ValueError:
            self.complain(key, f"is {value!r}; accepted: {HOURS_ACCEPTED}")
            return None
        return value

    def url(self, key: str, *, dev: bool, required: bool = False) -> str | None:
        value = self.text(key, required=required)
        if value is None:
            return None
        why_not = refusal(value, dev=dev)
        if why_not:
            self.complain(key, why_not)
        return value.rstrip("/")

    def secret(self, key: str, env: Mapping[str, str]) -> Secret:
        value = self.get(key)
        if value is None:
            self.complain(key, "is missing; accepted: env:NAME or file:/path")
            return Secret("env:")
        if not isinstance(value, str) or not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", value):
            # the value itself is not repeated: it may be a real key
            self.complain(key, "holds a literal value; keys are only named: env:NAME or file:/path")
            return Secret("env:")
        reference = Secret(value)
        self._resolve(key, value, env)
        return reference

    def _resolve(self, key: str, value: str, env: Mapping[str, str]) -> None:
        kind, _, rest = value.partition(":")
        if kind == "env" and not (env.get(rest) or "").strip():
            self.complain(key, f"names the environment variable {rest}, which is not set")
        if kind == "file" and not _or_empty(Secret(value)):
            self.complain(key, f"names the file {rest}, which cannot be read or is empty")


def _is_between(value: int | Decimal, most: int) -> bool:
    return Decimal(value).is_finite() and 0 < value <= most


def _file(
    path: Path, problems: list[str], *, dev: bool, env: Mapping[str, str]
) -> tuple[tuple[FacilitySettings, ...], _Table]:
    """The facilities, and the table of what concerns them all."""
    document = _document(path, problems)
    if document is None:
        return (), _Table({}, path.name, "countlast", problems)
    root = _Table(document, path.name, "", problems)
    facilities = _facilities(root, path, dev=dev, env=env)
    general = root.table("countlast") or _Table({}, path.name, "countlast", problems)
    root.refuse_unknown()
    return facilities, general


def _document(path: Path, problems: list[str]) -> Mapping[str, Any] | None:
    """The file's content; None when there is none, which was complained about."""
    try:
        # editors on Windows put a mark before the first character
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError:
        problems.append(f"{path}: no such file; copy facilities.example.toml, or name another with COUNTLAST_CONFIG")
    except (OSError, UnicodeDecodeError):
        problems.append(f"{path}: cannot be read; accepted: a UTF-8 text file")
    except (ValueError, ArithmeticError, RecursionError) as error:  # ours to tell: numbers and nesting beyond reason
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value in it is out of all bounds"
        problems.append(f"{path}: is not valid TOML: {reason}")
    return None


def _facilities(root: _Table, path: Path, *, dev: bool, env: Mapping[str, str]) -> tuple[FacilitySettings, ...]:
    rows = root.get("facility")
    if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        fault = "must be written with two brackets" if isinstance(rows, dict) else "is missing"
        root.complain("facility", f"{fault}: one [[facility]] table for each METRC license is needed")
        return ()
    tables = [_Table(row, path.name, _title(number, row), root._problems) for number, row in enumerate(rows, 1)]  # noqa: SLF001
    facilities = tuple(_facility(table, path.parent, dev=dev, env=env) for table in tables)
    _refuse_repeats(facilities, root)
    return facilities


def _title(number: int, row: Mapping[str, Any]) -> str:
    license_number = row.get("license")
    return f"facility {license_number}" if isinstance(license_number, str) and license_number else f"facility #{number}"


def _refuse_repeats(facilities: Iterable[FacilitySettings], root: _Table) -> None:
    seen: set[str] = set()
    for facility in facilities:
        key = facility.license.casefold()
        if key and key in seen:
            root.complain("facility", f"names the license {facility.license} more than once")
        seen.add(key)


def _facility(table: _Table, folder: Path, *, dev: bool, env: Mapping[str, str]) -> FacilitySettings:
    metrc = _metrc(table.needed_table("metrc"), dev=dev, env=env)
    pos = _pos(table.needed_table("pos"), folder)
    license_number = table.needed("license")
    facility = FacilitySettings(
        license=license_number,
        name=table.text("name") or license_number,
        time_zone=table.zone("time_zone", required=True) or "UTC",
        metrc=metrc,
        pos=pos,
        channel=table.channel("channel"),
        approvers=table.people("approvers"),
        second_person=table.flag("second_person", default=True),
        act=table.flag("act", default=False),
        opening_hours=table.hours("opening_hours"),
        holidays=table.days("holidays"),
        contact=table.text("contact"),
        escalate_to=table.text("escalate_to"),
        escalate_after_minutes=table.whole("escalate_after_minutes", 30, least=1),
        drying_percent=table.number("drying_percent", most=100),
        approval_minutes=table.whole("approval_minutes", 30, least=1, most=1440),
        two_approvals_over=table.whole("two_approvals_over", 0, least=0) or None,
        false_alarms_per_year=table.number("false_alarms_per_year", most=1000) or Decimal(1),
    )
    table.refuse_unknown()
    return facility


def _metrc(table: _Table | None, *, dev: bool, env: Mapping[str, str]) -> MetrcSettings:
    if table is None:
        return MetrcSettings("", Secret("env:"), Secret("env:"))
    metrc = MetrcSettings(
        base_url=table.url("base_url", dev=dev, required=True) or "",
        vendor_key=table.secret("vendor_key", env),
        user_key=table.secret("user_key", env),
        key_issued_on=table.day("key_issued_on"),
        key_max_age_days=table.whole("key_max_age_days", 365, least=1),
        window_hours=table.whole("window_hours", 24, least=1),
        requests_per_second=table.whole("requests_per_second", 50, least=1, most=1000),
    )
    table.refuse_unknown()
    return metrc


def _pos(table: _Table | None, folder: Path) -> PosSettings:
    if table is None:
        return PosSettings(kind="csv", directory=folder)
    posting = Posting(table.choice("posting", [p.value for p in Posting], Posting.BATCH.value))
    pos = PosSettings(
        kind=table.choice("kind", POS_KINDS),
        directory=_directory(table, folder),
        posting=posting,
        nightly_at=_nightly_at(table, posting),
        import_minutes=table.whole("import_minutes", 10, least=1),
        max_age_minutes=table.whole("max_age_minutes", 60, least=1),
        file_zone=table.zone("file_time_zone", required=False),
        date_format=table.text("date_format"),
    )
    table.refuse_unknown()
    return pos


def _directory(table: _Table, folder: Path) -> Path:
    """A relative folder is looked for from the working directory, then beside the configuration file."""
    value = table.needed("directory")
    if not value:
        return folder
    faults = {path: _folder_fault(path) for path in (_at_home(value), folder / value)}
    found = next((path for path, fault in faults.items() if fault is None), None)
    if found is None:
        # the one that exists but cannot be read is the one that was meant
        fault = next((f for f in faults.values() if f != _NO_FOLDER), _NO_FOLDER)
        table.complain("directory", f"is {value!r}, which {fault}; accepted: the folder of the POS's files")
    return found or folder


_NO_FOLDER: Final = "is not there"


def _at_home(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # nobody's home
        return Path(value)


def _folder_fault(path: Path) -> str | None:
    """Why a folder cannot be read; only reading it tells, for rights are not all that can be in the way."""
    try:
        with os.scandir(path):
            return None
    except FileNotFoundError:
        return _NO_FOLDER
    except NotADirectoryError:
        return "is not a folder"
    except PermissionError:
        return "may not be read by this user"
    except (OSError, ValueError):
        return "cannot be read"


def _nightly_at(table: _Table, posting: Posting) -> str | None:
    value = table.text("nightly_at", required=posting is Posting.NIGHTLY)
    if value is None:
        return None
    try:
        nightly_time(value)
    except ValueError:
        table.complain("nightly_at", 'must be a time and a zone, for example "04:00 America/New_York"')
        return None
    return value


def _or_empty(secret: Secret) -> str:
    try:
        return secret.read()
    except ConfigurationError:
        return ""
