"""A healthy configuration is one frozen value; every broken one is told in sentences, all at once, without a secret."""

import dataclasses
import os
import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigurationError
from bot.model import Posting
from bot.settings import Secret, Settings, environment, load

ROOT = Path(__file__).parent.parent
VENDOR, USER = "vendor-PLANTED-1", "user-PLANTED-2"
TOKENS = {
    "SLACK_BOT_TOKEN": "xoxb-PLANTED-3",
    "SLACK_SIGNING_SECRET": "signing-PLANTED-4",
    "SLACK_APP_TOKEN": "xapp-PLANTED-5",
}

HEALTHY = """\
[[facility]]
license = "402R-X0042"
name = "Harbor Street"
time_zone = "America/Denver"
channel = "C0FLOOR"
approvers = ["U0DANA", "S0MANAGERS"]

[facility.metrc]
base_url = "https://api-co.metrc.com"
vendor_key = "env:VENDOR_KEY"
user_key = "env:USER_KEY"

[facility.pos]
kind = "csv"
directory = "pos"

[countlast]
read_only = false
"""

SECOND = """
[[facility]]
license = "402r-x0042"
time_zone = "America/Denver"
[facility.metrc]
base_url = "https://api-co.metrc.com"
vendor_key = "env:VENDOR_KEY"
user_key = "env:USER_KEY"
[facility.pos]
kind = "csv"
directory = "pos"
"""


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    """A working directory with a healthy configuration, and no variable of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SLACK_", "COUNTLAST_", "METRC_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "pos").mkdir()
    write(HEALTHY)
    return tmp_path


def write(text: str, name: str = "facilities.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def env(**more: str) -> dict[str, str]:
    return {"VENDOR_KEY": VENDOR, "USER_KEY": USER} | more


def problems(toml: str = HEALTHY, **variables: str) -> tuple[str, ...]:
    """What is said about a configuration; fails when nothing is."""
    write(toml)
    with pytest.raises(ConfigurationError) as caught:
        load(env(**variables))
    assert str(caught.value).splitlines() == list(caught.value.problems)
    assert "PLANTED" not in repr(caught.value)
    return caught.value.problems


# --- healthy ----------------------------------------------------------------------------------------------------------


def test_a_healthy_configuration_is_read_with_its_defaults():
    """Whatever is left out has the default that the documentation names."""
    settings = load(env())
    (facility,) = settings.facilities
    assert (settings.listen, settings.command) == (("127.0.0.1", 3000), "/reconcile")
    assert (settings.log_format, settings.log_level, settings.dev) == ("console", "info", False)
    assert (settings.lease_seconds, settings.alert_hold_seconds, settings.questions_per_minute) == (120, 60, 20)
    assert settings.database_url == "sqlite+aiosqlite:///countlast.db"
    assert settings.slack.api_url == "https://slack.com/api/"
    assert (facility.act, facility.second_person, facility.approval_minutes) == (False, True, 30)
    assert facility.false_alarms_per_year == 1
    assert (facility.metrc.key_max_age_days, facility.metrc.window_hours) == (365, 24)
    assert (facility.pos.posting, facility.pos.import_minutes, facility.pos.max_age_minutes) == (Posting.BATCH, 10, 60)
    assert facility.metrc.user_key.read.__self__.reference == "env:USER_KEY"


def test_every_optional_key_arrives():
    """Nothing that is written is lost on the way."""
    toml = HEALTHY.replace(
        'approvers = ["U0DANA", "S0MANAGERS"]',
        'approvers = ["U0DANA"]\nact = true\nsecond_person = false\nopening_hours = "Mo-Su 09:00-21:00"\n'
        'holidays = [2026-12-25]\ncontact = "Ada"\nescalate_to = "U0LEE"\nescalate_after_minutes = 5\n'
        "drying_percent = 2.5\napproval_minutes = 10\ntwo_approvals_over = 50\nfalse_alarms_per_year = 0.1",
    )
    toml = toml.replace(
        'user_key = "env:USER_KEY"',
        'user_key = "env:USER_KEY"\nkey_issued_on = 2026-01-05\nkey_max_age_days = 90\nwindow_hours = 48\n'
        "requests_per_second = 20",
    )
    toml = toml.replace(
        'directory = "pos"',
        'directory = "pos"\nposting = "nightly"\nnightly_at = "04:00 America/New_York"\nimport_minutes = 5\n'
        'max_age_minutes = 30\nfile_time_zone = "UTC"\ndate_format = "%d/%m/%Y"',
    )
    toml += 'questions_per_minute = 3\nheartbeat_url = "https://hc-ping.com/PLANTED"\n'
    write(toml.replace("read_only = false", "read_only = true"))
    settings = load(env())
    (facility,) = settings.facilities
    assert (facility.act, facility.second_person, facility.holidays) == (True, False, (date(2026, 12, 25),))
    assert (facility.drying_percent, facility.false_alarms_per_year) == (Decimal("2.5"), Decimal("0.1"))
    assert (facility.contact, facility.escalate_to, facility.escalate_after_minutes) == ("Ada", "U0LEE", 5)
    assert (facility.approval_minutes, facility.two_approvals_over) == (10, 50)
    assert (facility.metrc.key_issued_on, facility.metrc.window_hours) == (date(2026, 1, 5), 48)
    assert (facility.metrc.key_max_age_days, facility.metrc.requests_per_second) == (90, 20)
    assert (facility.pos.posting, facility.pos.nightly_at) == (Posting.NIGHTLY, "04:00 America/New_York")
    assert (facility.pos.file_zone, facility.pos.date_format) == ("UTC", "%d/%m/%Y")
    assert (facility.shop.drying_percent, facility.shop.import_minutes) == (Decimal("2.5"), 5)
    assert (settings.read_only, settings.questions_per_minute) == (True, 3)
    assert settings.heartbeat_url == "https://hc-ping.com/PLANTED"
    assert "PLANTED" not in repr(settings)


def test_a_facility_is_found_in_any_case():
    """People type licenses as they like; a foreign one finds nothing."""
    settings = load(env())
    assert settings.facility(" 402r-x0042 ") is settings.facilities[0]
    assert settings.facility("402R-X0043") is None
    assert settings.facilities_of("C0FLOOR") == settings.facilities
    assert settings.facilities_of("C0OPS") == ()


def test_a_file_with_a_byte_order_mark_is_read():
    """Editors on Windows write one."""
    Path("facilities.toml").write_text(HEALTHY, encoding="utf-8-sig")
    assert load(env()).facilities


def test_settings_do_not_change():
    """They are handed to everybody, so nobody may write in them."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(env()).dev = True


# --- the file, with one thing broken ----------------------------------------------------------------------------------

HARBOR = "facilities.toml: facility 402R-X0042"
WHOLE = "must be a whole number from"

BROKEN = [
    ('license = "402R-X0042"', "", "facilities.toml: facility #1.license is missing"),
    (
        'license = "402R-X0042"',
        "license = 42",
        "facilities.toml: facility #1.license must be text in quotes, and not empty",
    ),
    ('name = "Harbor Street"', 'name = " "', f"{HARBOR}.name must be text in quotes, and not empty"),
    ('time_zone = "America/Denver"', "", f"{HARBOR}.time_zone is missing"),
    (
        '"America/Denver"',
        '"Mountain"',
        f"{HARBOR}.time_zone is 'Mountain'; accepted: an IANA time zone such as America/Denver",
    ),
    (
        '"America/Denver"',
        '"America"',
        f"{HARBOR}.time_zone is 'America'; accepted: an IANA time zone such as America/Denver",
    ),
    (
        '"C0FLOOR"',
        '"#floor"',
        f"{HARBOR}.channel is '#floor'; accepted: a Slack channel id such as C0FLOOR, not the channel's name",
    ),
    (
        '["U0DANA", "S0MANAGERS"]',
        '"U0DANA"',
        f'{HARBOR}.approvers must be a list of Slack user and user-group ids, for example ["U0DANA", "S0MANAGERS"]',
    ),
    (
        '"U0DANA"',
        '"@dana"',
        f'{HARBOR}.approvers must be a list of Slack user and user-group ids, for example ["U0DANA", "S0MANAGERS"]',
    ),
    ('"C0FLOOR"', '"C0FLOOR"\nact = "yes"', f"{HARBOR}.act must be true or false"),
    ('"C0FLOOR"', '"C0FLOOR"\nsecond_person = 1', f"{HARBOR}.second_person must be true or false"),
    ('"C0FLOOR"', '"C0FLOOR"\napproval_minutes = true', f"{HARBOR}.approval_minutes {WHOLE} 1 to 1440"),
    ('"C0FLOOR"', '"C0FLOOR"\napproval_minutes = 1.5', f"{HARBOR}.approval_minutes {WHOLE} 1 to 1440"),
    ('"C0FLOOR"', '"C0FLOOR"\napproval_minutes = 0', f"{HARBOR}.approval_minutes {WHOLE} 1 to 1440"),
    ('"C0FLOOR"', '"C0FLOOR"\napproval_minutes = 1441', f"{HARBOR}.approval_minutes {WHOLE} 1 to 1440"),
    ('"C0FLOOR"', '"C0FLOOR"\nholidays = ["2026-12-25"]', f"{HARBOR}.holidays must be a list of dates, for example [2026-12-25]"),
    ('"C0FLOOR"', '"C0FLOOR"\ndrying_percent = true', f"{HARBOR}.drying_percent must be a number above 0, at most 100"),
    ('"C0FLOOR"', '"C0FLOOR"\ndrying_percent = nan', f"{HARBOR}.drying_percent must be a number above 0, at most 100"),
    ('"C0FLOOR"', '"C0FLOOR"\ndrying_percent = inf', f"{HARBOR}.drying_percent must be a number above 0, at most 100"),
    ('"C0FLOOR"', '"C0FLOOR"\ndrying_percent = 100.1', f"{HARBOR}.drying_percent must be a number above 0, at most 100"),
    ('"C0FLOOR"', '"C0FLOOR"\nfalse_alarms_per_year = 0', f"{HARBOR}.false_alarms_per_year must be a number above 0, at most 1000"),
    ('"C0FLOOR"', '"C0FLOOR"\nchanel = "C0OPS"', f"{HARBOR}.chanel is not a known key; did you mean channel?"),
    ('base_url = "https://api-co.metrc.com"', "", f"{HARBOR}.metrc.base_url is missing"),
    ("https://api-co.metrc.com", "http://api-co.metrc.com", f"{HARBOR}.metrc.base_url must use https (plain http needs COUNTLAST_DEV=1)"),
    ("https://api-co.metrc.com", "https://10.0.0.1", f"{HARBOR}.metrc.base_url must be a public host (private and loopback addresses need COUNTLAST_DEV=1)"),
    ('"env:VENDOR_KEY"', '"PLANTED-literal"', f"{HARBOR}.metrc.vendor_key holds a literal value; keys are only named: env:NAME or file:/path"),
    ('"env:VENDOR_KEY"', '"env:PLANTED literal"', f"{HARBOR}.metrc.vendor_key holds a literal value; keys are only named: env:NAME or file:/path"),
    ('"env:VENDOR_KEY"', "12345678", f"{HARBOR}.metrc.vendor_key holds a literal value; keys are only named: env:NAME or file:/path"),
    ('vendor_key = "env:VENDOR_KEY"', "", f"{HARBOR}.metrc.vendor_key is missing; accepted: env:NAME or file:/path"),
    ('"env:VENDOR_KEY"', '"env:NO_KEY"', f"{HARBOR}.metrc.vendor_key names the environment variable NO_KEY, which is not set"),
    ('"env:USER_KEY"', '"file:no-such-file"', f"{HARBOR}.metrc.user_key names the file no-such-file, which cannot be read or is empty"),
    ('"env:USER_KEY"', '"file:a\\u0000b"', f"{HARBOR}.metrc.user_key names the file a\0b, which cannot be read or is empty"),
    ('"env:USER_KEY"', '"env:USER_KEY"\nkey_issued_on = "2026-01-05"', f"{HARBOR}.metrc.key_issued_on must be a date without quotes, for example 2026-01-05"),
    ('"env:USER_KEY"', '"env:USER_KEY"\nkey_issued_on = 2026-01-05T00:00:00Z', f"{HARBOR}.metrc.key_issued_on must be a date without quotes, for example 2026-01-05"),
    ('"env:USER_KEY"', '"env:USER_KEY"\nwindow_hours = "24"', f"{HARBOR}.metrc.window_hours {WHOLE} 1 to 1000000"),
    ('"env:USER_KEY"', '"env:USER_KEY"\nrequests_per_second = 1001', f"{HARBOR}.metrc.requests_per_second {WHOLE} 1 to 1000"),
    ('kind = "csv"', "", f"{HARBOR}.pos.kind is missing; accepted: csv"),
    ('kind = "csv"', 'kind = "xls"', f"{HARBOR}.pos.kind is 'xls'; accepted: csv"),
    ('directory = "pos"', "", f"{HARBOR}.pos.directory is missing"),
    ('"pos"', '"pos"\nposting = "weekly"', f"{HARBOR}.pos.posting is 'weekly'; accepted: realtime, batch, nightly"),
    ('"pos"', '"pos"\nposting = "nightly"', f"{HARBOR}.pos.nightly_at is missing"),
    ('"pos"', '"pos"\nnightly_at = "04:00"', f'{HARBOR}.pos.nightly_at must be a time and a zone, for example "04:00 America/New_York"'),
    ('"pos"', '"pos"\nnightly_at = "24:00 UTC"', f'{HARBOR}.pos.nightly_at must be a time and a zone, for example "04:00 America/New_York"'),
    ('"pos"', '"pos"\nfile_time_zone = "GMT+25"', f"{HARBOR}.pos.file_time_zone is 'GMT+25'; accepted: an IANA time zone such as America/Denver"),
    ("read_only = false", 'read_only = "no"', "facilities.toml: countlast.read_only must be true or false"),
    ("read_only = false", 'who_may_ask = "nobody"', "facilities.toml: countlast.who_may_ask is 'nobody'; accepted: channel, workspace"),
    ("read_only = false", "questions_per_minute = 0", f"facilities.toml: countlast.questions_per_minute {WHOLE} 1 to 1000000"),
    ("read_only = false", 'heartbeat_url = "http://hc-ping.com/x"', "facilities.toml: countlast.heartbeat_url must use https (plain http needs COUNTLAST_DEV=1)"),
    ("read_only = false", "readonly = true", "facilities.toml: countlast.readonly is not a known key; did you mean read_only?"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "sentence"), BROKEN)
def test_one_broken_key_is_told_in_one_sentence(good, bad, sentence):
    """It names the file, the facility, the key, and what is accepted, and never repeats what may be a key."""
    assert good in HEALTHY
    assert problems(HEALTHY.replace(good, bad, 1)) == (sentence,)


TABLES = [
    ("", "facilities.toml: facility is missing: one [[facility]] table for each METRC license is needed"),
    ("facility = []", "facilities.toml: facility is missing: one [[facility]] table for each METRC license is needed"),
    ('facility = ["x"]', "facilities.toml: facility is missing: one [[facility]] table for each METRC license is needed"),
    (HEALTHY.replace("[[facility]]", "[facility]"), "facilities.toml: facility must be written with two brackets: one [[facility]] table for each METRC license is needed"),
    (HEALTHY + SECOND, "facilities.toml: facility names the license 402r-x0042 more than once"),
    ("countlast = 1\n" + HEALTHY[: HEALTHY.index("[countlast]")], "facilities.toml: countlast must be a table"),
]  # fmt: skip


@pytest.mark.parametrize(("toml", "sentence"), TABLES)
def test_a_table_that_is_not_as_it_should_be(toml, sentence):
    """No facility, a single bracket, the same license twice in any case."""
    assert problems(toml) == (sentence,)


def test_a_missing_table_is_one_sentence_and_an_empty_one_names_every_missing_key():
    """A missing table is not complained about key by key; an empty one is not taken for a configured one."""
    start, end = HEALTHY.index("[facility.metrc]"), HEALTHY.index("[facility.pos]")
    without = HEALTHY[:start] + HEALTHY[end:]
    assert problems(without) == (f"{HARBOR}.metrc is missing: a [facility.metrc] table is needed",)
    assert problems(without.replace("[facility.pos]", "[facility.metrc]\n[facility.pos]")) == (
        f"{HARBOR}.metrc.base_url is missing",
        f"{HARBOR}.metrc.vendor_key is missing; accepted: env:NAME or file:/path",
        f"{HARBOR}.metrc.user_key is missing; accepted: env:NAME or file:/path",
    )


def test_every_problem_is_told_at_once_and_each_once():
    """Nobody wants to mend a file ten times."""
    toml = HEALTHY.replace('"America/Denver"', '"Mountain"').replace('"env:USER_KEY"', '"PLANTED"')
    toml = toml.replace("read_only = false", "b_key = 1\na_key = 1")
    told = problems(toml, COUNTLAST_LISTEN="3000", COUNTLAST_LOG="loud", COUNTLAST_NOW="2026-03-03T00:00:00Z")
    assert [re.split(r" (?:is|must|holds|fixes) ", sentence)[0] for sentence in told] == [
        f"{HARBOR}.metrc.user_key",
        f"{HARBOR}.time_zone",
        "COUNTLAST_LOG",
        "COUNTLAST_LISTEN",
        "COUNTLAST_NOW",
        "facilities.toml: countlast.a_key",
        "facilities.toml: countlast.b_key",
    ]


@pytest.mark.parametrize(
    "text",
    ['vendor_key = PLANTED-key"', "[[facility", "license = 1\nlicense = 2", f"license = {'9' * 5000}", "a=" + "[" * 5000],
)  # fmt: skip
def test_a_file_that_is_no_toml_is_told_with_its_line_and_without_its_content(text):
    """One sentence, and no complaint about facilities that nobody could read."""
    (sentence,) = problems(text)
    assert sentence.startswith("facilities.toml: is not valid TOML: ")


def test_a_file_that_cannot_be_read_is_told():
    """Missing, a folder, not text: one sentence each."""
    for spoil, sentence in (
        (lambda path: path.unlink(), "facilities.toml: no such file; copy facilities.example.toml, or name another with COUNTLAST_CONFIG"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "facilities.toml: cannot be read; accepted: a UTF-8 text file"),
        (lambda path: path.unlink() or path.mkdir(), "facilities.toml: cannot be read; accepted: a UTF-8 text file"),
    ):  # fmt: skip
        path = Path("facilities.toml")
        path.is_file() or path.write_text("")
        spoil(path)
        with pytest.raises(ConfigurationError) as caught:
            load(env())
        assert caught.value.problems == (sentence,)


# --- the POS's folder -------------------------------------------------------------------------------------------------


def test_a_relative_folder_is_looked_for_here_and_then_beside_the_file(shop):
    """So both a checkout and a configuration kept elsewhere work."""
    (shop / "etc" / "pos").mkdir(parents=True)
    write(HEALTHY, "etc/facilities.toml")
    elsewhere = env(COUNTLAST_CONFIG="etc/facilities.toml")
    assert load(elsewhere).facilities[0].pos.directory == Path("pos")
    (shop / "pos").rmdir()
    assert load(elsewhere).facilities[0].pos.directory == Path("etc/pos")


def _loop(path):
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.write_text("a file"), "is not a folder"),
        (lambda path: path.symlink_to("nowhere"), "is not there"),
        (_loop, "cannot be read"),
    ],
)
def test_a_folder_that_is_none_is_refused(shop, spoil, fault):
    """A file in its place, a link to nowhere, a link to itself: told at the start, not at the first question."""
    (shop / "pos").rmdir()
    spoil(shop / "pos")
    assert problems() == (f"{HARBOR}.pos.directory is 'pos', which {fault}; accepted: the folder of the POS's files",)


def test_a_folder_this_user_may_not_read_is_refused(monkeypatch):
    """Only reading it tells, so reading is what is tried."""

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    fault = "may not be read by this user"
    assert problems() == (f"{HARBOR}.pos.directory is 'pos', which {fault}; accepted: the folder of the POS's files",)


@pytest.mark.parametrize("folder", ["~nobody-of-this-name/pos", "a\\u0000b", "x" * 5000])
def test_a_path_that_cannot_be_one_is_refused(folder):
    """No home of that name, a zero byte, far too long."""
    (sentence,) = problems(HEALTHY.replace('"pos"', f'"{folder}"'))
    assert sentence.startswith(f"{HARBOR}.pos.directory is ")


# --- the environment --------------------------------------------------------------------------------------------------

VARIABLES = [
    ("COUNTLAST_DEV", "yes", "COUNTLAST_DEV must be 1 or 0"),
    ("COUNTLAST_LISTEN", "3000", "COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000"),
    ("COUNTLAST_LISTEN", "localhost:65536", "COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000"),
    ("COUNTLAST_LISTEN", "localhost:²", "COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000"),
    ("COUNTLAST_LISTEN", "::1", "COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000"),
    ("COUNTLAST_LISTEN", "http://localhost:1", "COUNTLAST_LISTEN must be host:port, for example 127.0.0.1:3000 or [::1]:3000"),
    ("COUNTLAST_COMMAND", "reconcile", "COUNTLAST_COMMAND must be a slash and 1 to 31 more characters without blanks"),
    ("COUNTLAST_COMMAND", "/re concile", "COUNTLAST_COMMAND must be a slash and 1 to 31 more characters without blanks"),
    ("COUNTLAST_COMMAND", "/" + "x" * 32, "COUNTLAST_COMMAND must be a slash and 1 to 31 more characters without blanks"),
    ("COUNTLAST_LOG", "xml", "COUNTLAST_LOG must be console or json, and after a colon one of debug, info, warning, error"),
    ("COUNTLAST_LOG", "json:loud", "COUNTLAST_LOG must be console or json, and after a colon one of debug, info, warning, error"),
    ("COUNTLAST_LEASE_SECONDS", "0", "COUNTLAST_LEASE_SECONDS must be a whole number of seconds, at least 1"),
    ("COUNTLAST_LEASE_SECONDS", "1.5", "COUNTLAST_LEASE_SECONDS must be a whole number of seconds, at least 1"),
    ("COUNTLAST_ALERT_HOLD_SECONDS", "-1", "COUNTLAST_ALERT_HOLD_SECONDS must be a whole number of seconds, at least 1"),
    ("COUNTLAST_NOW", "2026-03-03T03:30:00Z", "COUNTLAST_NOW fixes the clock and is accepted only with COUNTLAST_DEV=1"),
    ("SLACK_API_URL", "http://127.0.0.1/api/", "SLACK_API_URL must use https (plain http needs COUNTLAST_DEV=1)"),
    ("DATABASE_URL", "postgres://u:PLANTED@h/n", "DATABASE_URL must begin with sqlite+aiosqlite:/// or postgresql+psycopg://"),
    ("DATABASE_URL", "sqlite+aiosqlite://x.db", "DATABASE_URL must begin with sqlite+aiosqlite:/// or postgresql+psycopg://"),
    ("DATABASE_URL", "postgresql+psycopg://u:PLANTED@h:port/n", "DATABASE_URL is not a URL; accepted: postgresql+psycopg://user:password@host/name"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "sentence"), VARIABLES)
def test_one_broken_variable_is_told_in_one_sentence(name, value, sentence):
    """It names the variable and what is accepted."""
    assert problems(**{name: value}) == (sentence,)


@pytest.mark.parametrize("value", ["2026-03-03T03:30:00", "yesterday", "2026-03-03", "0001-01-01T00:00:00+14:00"])
def test_a_fixed_clock_needs_a_moment_with_an_offset(value):
    """A time without a zone is no moment; neither is one before the calendar begins."""
    (sentence,) = problems(COUNTLAST_NOW=value, COUNTLAST_DEV="1")
    assert sentence == "COUNTLAST_NOW must be ISO 8601 with an offset, for example 2026-03-03T03:30:00Z"


def test_variables_are_read():
    """Each in the form the documentation gives."""
    settings = load(
        env(
            **TOKENS,
            COUNTLAST_DEV="1",
            COUNTLAST_NOW="2026-03-02T20:30:00-07:00",
            COUNTLAST_LISTEN="[::1]:8080",
            COUNTLAST_LOG="JSON:Debug",
            COUNTLAST_COMMAND="/inventar-prüfen",
            COUNTLAST_LEASE_SECONDS="5",
            COUNTLAST_ALERT_HOLD_SECONDS="6",
            DATABASE_URL="postgresql+psycopg://u:PLANTED%2F6@127.0.0.1:5432/n",
            SLACK_API_URL="http://127.0.0.1:9/api",
        )
    )
    assert settings.fixed_now == datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
    assert (settings.listen, settings.command) == (("::1", 8080), "/inventar-prüfen")
    assert (settings.log_format, settings.log_level) == ("json", "debug")
    assert (settings.lease_seconds, settings.alert_hold_seconds, settings.dev) == (5, 6, True)
    assert settings.slack.api_url == "http://127.0.0.1:9/api/"
    assert settings.slack.bot_token == TOKENS["SLACK_BOT_TOKEN"]
    assert {*TOKENS.values(), "PLANTED/6"} <= set(settings.secrets())


def test_an_empty_variable_is_an_unset_one():
    """As in the example file, where they wait to be filled in."""
    settings = load(env(SLACK_APP_TOKEN="", COUNTLAST_LISTEN=" ", COUNTLAST_CONFIG="", COUNTLAST_DEV=""))
    assert settings.slack.app_token is None
    assert settings.listen == ("127.0.0.1", 3000)


@pytest.mark.parametrize(
    ("given_variables", "missing"),
    [
        ((), ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET")),
        (("SLACK_APP_TOKEN",), ("SLACK_BOT_TOKEN",)),
        (("SLACK_BOT_TOKEN",), ("SLACK_SIGNING_SECRET",)),
        (("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"), ()),
        (("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"), ()),
    ],
)
def test_slack_variables_are_missed_only_by_the_slack_side(given_variables, missing):
    """Loading needs none of them; over Socket Mode nothing is signed, so no signing secret is needed."""
    settings = load(env(**{name: TOKENS[name] for name in given_variables}))
    assert tuple(sentence.split()[0] for sentence in settings.slack.missing()) == missing


# --- .env and secrets -------------------------------------------------------------------------------------------------


def test_the_working_directorys_env_file_is_read_and_the_real_environment_wins(monkeypatch):
    """A key with a dollar sign stays as it is written; what is both here and there is taken from here."""
    write("VENDOR_KEY=from-file\nUSER_KEY='$ab${USER_KEY}c'\nexport COUNTLAST_COMMAND=/stock # a comment\n", ".env")
    monkeypatch.setenv("VENDOR_KEY", "from-environment")
    assert environment()["VENDOR_KEY"] == "from-environment"
    assert environment()["USER_KEY"] == "$ab${USER_KEY}c"
    assert load().command == "/stock"


@pytest.mark.parametrize("content", [b"\xff\xfe", "A=ä".encode("latin-1")])
def test_an_env_file_that_is_no_text_is_told(content):
    """A sentence, not a traceback."""
    Path(".env").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^\.env: cannot be read; accepted: a UTF-8 text file"):
        load()


def test_secrets_are_read_each_time_they_are_needed(monkeypatch):
    """A renewed key needs no restart, wherever it is kept."""
    named, in_env_file, in_file = Secret("env:ROTATING"), Secret("env:FROM_ENV_FILE"), Secret("file:key")
    for turn in ("one", "two"):
        monkeypatch.setenv("ROTATING", turn)
        write(f"FROM_ENV_FILE={turn}", ".env")
        write(f" {turn}\n", "key")
        assert (named.read(), in_env_file.read(), in_file.read()) == (turn, turn, turn)


def test_a_secret_that_went_away_is_told_by_its_name():
    """A key file that is being replaced, or was emptied."""
    with pytest.raises(ConfigurationError, match=r"^file:key is not set or empty$"):
        Secret("file:key").read()
    write(" \n", "key")
    with pytest.raises(ConfigurationError, match=r"^file:key is not set or empty$"):
        Secret("file:key").read()


def test_no_repr_holds_a_secret(monkeypatch):
    """Settings end up in tracebacks and debuggers; the redaction still knows every value."""
    for name, value in env(**TOKENS, DATABASE_URL="postgresql+psycopg://u:PLANTED-6@h/n").items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert "PLANTED" not in repr(settings)
    assert "PLANTED" not in repr(settings.facilities[0].metrc.user_key)
    assert {VENDOR, USER, *TOKENS.values(), "PLANTED-6"} == set(settings.secrets())


@given(st.text(min_size=6).filter(lambda text: not re.match(r"(env|file):", text)))
def test_a_literal_key_is_never_repeated(key):
    """Whatever it looks like."""
    escaped = "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in key)
    if any(0xD800 <= ord(c) < 0xE000 for c in key):
        return
    (sentence,) = problems(HEALTHY.replace("env:USER_KEY", escaped))
    assert sentence == f"{HARBOR}.metrc.user_key holds a literal value; keys are only named: env:NAME or file:/path"


# --- what is handed out -----------------------------------------------------------------------------------------------


def test_the_example_files_can_be_used_as_they_are(shop, monkeypatch):
    """With the two keys filled in, a folder for the files, and nothing else."""
    shutil.copy(ROOT / "facilities.example.toml", "facilities.toml")
    (shop / "pos" / "harbor").mkdir()
    filled = (ROOT / ".env.example").read_text(encoding="utf-8")
    write(
        re.sub(r"^(METRC_\w+|SLACK_BOT_TOKEN|SLACK_SIGNING_SECRET)=$", r"\1=value", filled, flags=re.MULTILINE), ".env"
    )
    settings = load()
    assert isinstance(settings, Settings)
    assert (settings.facilities[0].license, settings.dev, settings.slack.missing()) == ("402R-X0042", False, ())
    commented = re.sub(r"^# (?=[A-Z_]+=)", "", filled, flags=re.MULTILINE)
    write(re.sub(r"^(METRC_\w+)=$", r"\1=value", commented, flags=re.MULTILINE), ".env")
    assert dataclasses.replace(load(), slack=settings.slack) == settings
