"""The command line: one sentence a problem, one object where one is asked for, and never a traceback."""

import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

from bot import __version__
from bot.cli import app, reconcile, run
from demo.scene import seeded_shop
from tests.loopback import ROOT, facility, shop_on_loopback

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
LABEL = "1A4FF0100000022000002002"


@pytest.fixture(autouse=True)
def logging_is_put_back():
    """Commands set up logging for their process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="module")
def running_shop(tmp_path_factory):
    with shop_on_loopback(seeded_shop(NOW), tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def shop(running_shop, tmp_path, monkeypatch):
    """The working directory of a shop that can answer; the database is today's and empty."""
    for name in ("facilities.toml", "pos"):
        source = running_shop.folder / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    for name in [name for name in os.environ if name.startswith(("SLACK_", "COUNTLAST_", "METRC_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    for name, value in running_shop.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    running_shop.world.recover()
    return tmp_path


@pytest.fixture
def countlast(capsys):
    """``countlast(argument, …)`` → exit status, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        written = capsys.readouterr()
        assert "Traceback" not in written.err
        return ended.value.code, written.out, written.err

    return call


# --- usage ------------------------------------------------------------------------------------------------------------

# the commands in the order in which they are told
ACCEPTED = ", ".join([*(get_command(app).commands), "--help"])
RECONCILED = ", ".join([*(get_command(reconcile).commands), "--help"])

MISUSED = [
    ((), f"countlast: Missing command; accepted: {ACCEPTED}"),
    (("recncile",), f"countlast: No such command 'recncile'. Did you mean 'reconcile'?; accepted: {ACCEPTED}"),
    (("--nope",), f"countlast: No such option: --nope; accepted: {ACCEPTED}"),
    (("reconcile",), f"countlast reconcile: Missing command; accepted: {RECONCILED}"),
    (("reconcile", "package"), "countlast reconcile package: Missing argument 'LABEL'; accepted: LABEL, --facility, --shelf, --deadline, --json"),
    (("reconcile", "package", "A", "B"), "countlast reconcile package: Got unexpected extra argument(s) (B); accepted: LABEL, --facility, --shelf, --deadline, --json"),
    (("reconcile", "package", LABEL, "--jason"), "countlast reconcile package: No such option: --jason (Possible options: --json); accepted: LABEL, --facility, --shelf, --deadline, --json"),
    (("reconcile", "package", LABEL, "--json=1"), "countlast: Option '--json' does not take a value; see countlast --help"),
    (("reconcile", "package", LABEL, "--facility"), "countlast: Option '--facility' requires an argument; see countlast --help"),
    (("reconcile", "package", LABEL, "--deadline", "soon"), "--deadline is 'soon'; accepted: a number of seconds from 1 to 3600"),
    (("reconcile", "package", LABEL, "--deadline", "0.9"), "--deadline is '0.9'; accepted: a number of seconds from 1 to 3600"),
    (("reconcile", "package", LABEL, "--deadline", "3601"), "--deadline is '3601'; accepted: a number of seconds from 1 to 3600"),
    (("reconcile", "package", LABEL, "--deadline", "nan"), "--deadline is 'nan'; accepted: a number of seconds from 1 to 3600"),
    (("reconcile", "package", LABEL, "--shelf", "ten"), "--shelf is 'ten'; accepted: a number, 0 or more"),
    (("reconcile", "package", LABEL, "--shelf", "-1"), "--shelf is '-1'; accepted: a number, 0 or more"),
    (("reconcile", "package", LABEL, "--shelf", "nan"), "--shelf is 'nan'; accepted: a number, 0 or more"),
    (("reconcile", "package", LABEL, "--shelf", "1e999999"), "--shelf is '1e999999'; accepted: a number, 0 or more"),
    (("reconcile", "package", "what is wrong?"), "'what is wrong?' cannot be a label; accepted: the 24 letters and digits of a METRC tag, for example 1A4FF0100000022000001002"),
    (("reconcile", "package", ""), "'' cannot be a label; accepted: the 24 letters and digits of a METRC tag, for example 1A4FF0100000022000001002"),
    (("reconcile", "receipt", "what is wrong?"), "'what is wrong?' cannot be a receipt; accepted: a METRC receipt's id or number, or the POS's number of the sale, for example 880102 or POS-20260302-00417"),
    (("reconcile", "manifest", "???"), "'???' cannot be a manifest; accepted: the number or id of a METRC manifest, for example 0000418902"),
    (("reconcile", "product", "!"), "'!' cannot be a product; accepted: the name of a POS product or METRC item, or its id, for example Night Lantern Flower 3.5g"),
    (("reconcile", "receipt", "880102", "--facility", "X"), "--facility 'X' is not configured; accepted: 402R-X0042 (Harbor Street)"),
    (("reconcile", "receipt", "880102", "--deadline", "0"), "--deadline is '0'; accepted: a number of seconds from 1 to 3600"),
    (("replay",), "countlast replay needs one of: DIAGNOSIS_ID, --all"),
    (("reconcile", "package", LABEL, "--facility", "X"), "--facility 'X' is not configured; accepted: 402R-X0042 (Harbor Street)"),
    (("sync", "--facility", "X"), "--facility 'X' is not configured; accepted: 402R-X0042 (Harbor Street)"),
    (("sync", "--since", "0d"), "--since is '0d'; accepted: 1 to 3650 and d or h, for example 30d or 12h"),
    (("sync", "--since", "3651d"), "--since is '3651d'; accepted: 1 to 3650 and d or h, for example 30d or 12h"),
    (("sync", "--since", "²d"), "--since is '²d'; accepted: 1 to 3650 and d or h, for example 30d or 12h"),
    (("sync", "--since", ""), "--since is ''; accepted: 1 to 3650 and d or h, for example 30d or 12h"),
    (("demo", "--port", "65536"), "--port is '65536'; accepted: a whole number from 0 to 65535"),
    (("demo", "--exec", "reconcile"), "--exec is 'reconcile'; accepted: a slash command, for example '/reconcile package 1A4FF0100000022000001002'"),
    (("run", "--role", "clock"), "--role is 'clock'; accepted: all, web, worker"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "sentence"), MISUSED)
def test_a_usage_error_is_one_sentence_and_exit_2(shop, countlast, arguments, sentence):
    """It names what was given and what is accepted, on stderr alone; nothing was asked of anybody."""
    code, out, err = countlast(*arguments)
    assert (code, out) == (2, "")
    assert err == f"{sentence}\n"
    assert not (shop / "countlast.db").exists()


def test_usage_is_looked_at_before_the_configuration(shop, countlast):
    """Whoever mistypes an option need not mend the configuration first."""
    (shop / "facilities.toml").unlink()
    assert countlast("sync", "--since", "x")[2].startswith("--since is 'x'")


def test_several_facilities_need_a_choice(shop, running_shop, countlast):
    """The sentence lists them; a license in another case is fine."""
    with (shop / "facilities.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + facility("402R-X0099", running_shop.metrc_url))
    code, _, err = countlast("reconcile", "package", LABEL)
    known = "402R-X0042 (Harbor Street), 402R-X0099 (Harbor Street)"
    assert (code, err) == (2, f"--facility is needed, there are several; accepted: {known}\n")
    code, out, _ = countlast("reconcile", "package", LABEL, "--facility", "402r-x0042", "--json")
    assert (code, json.loads(out)["facility"]) == (0, "402R-X0042")


HELP = [
    (), ("reconcile",), ("reconcile", "package"), ("reconcile", "receipt"), ("reconcile", "manifest"),
    ("reconcile", "product"), ("replay",), ("sync",), ("run",), ("demo",),
]  # fmt: skip


@pytest.mark.parametrize("command", HELP)
def test_every_command_has_help(countlast, command):
    """Without a configuration, on stdout, with every option told in words."""
    code, out, err = countlast(*command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(" ".join(["Usage: countlast", *command]))
    assert all(re.search(r"\s{2,}\S", line[2:]) for line in out.splitlines() if line.startswith("  --"))


def test_the_version_is_told(countlast):
    """Alone, and before anything else is looked at."""
    assert countlast("--version") == (0, f"{__version__}\n", "")
    assert countlast("--version", "nonsense") == (0, f"{__version__}\n", "")


# --- answers ----------------------------------------------------------------------------------------------------------


def test_json_is_exactly_one_object_on_stdout(shop, countlast):
    """On an empty database, without Slack, and with nothing on stderr."""
    code, out, err = countlast("reconcile", "package", LABEL.lower(), "--shelf", "10.50", "--json")
    answer, end = json.JSONDecoder().raw_decode(out)
    assert (code, err, out[end:]) == (0, "", "\n")
    assert (answer["schema"], answer["subject"]["value"]) == ("countlast.diagnosis/1", LABEL)
    assert (answer["code"], answer["gap"]["shelf"]) == ("duplication.receipt-retry", "10.5")


def test_the_text_says_the_same_in_words(shop, countlast):
    """Headline first, progress on stderr."""
    code, out, err = countlast("reconcile", "package", LABEL)
    assert code == 0
    assert "was posted to METRC twice" in out.splitlines()[0]
    assert "Do not adjust the quantity." in out
    assert err.splitlines()[0].endswith(" …")


def test_a_sync_says_what_it_brought(shop, countlast):
    """And a second one needs less."""
    code, out, err = countlast("sync", "--since", "2d")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"Harbor Street \(402R-X0042\): \d+ rows, \d+ requests to METRC\.\n", out)


def test_a_sync_that_could_not_read_exits_1_and_says_what(shop, running_shop, countlast):
    """Each feed with its problem on stderr; what could be read is kept."""
    running_shop.world.outage("503")
    code, out, err = countlast("sync", "--since", "1h")
    assert (code, out.count("\n")) == (1, 1)
    assert "receipts/active: " in err


# --- the database -----------------------------------------------------------------------------------------------------


def _newer(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")


BAD_DATABASES = [
    (lambda path: path.write_bytes(b"not a database, but long enough to be looked at" * 50), "file is not a database"),
    (lambda path: path.mkdir(), "unable to open database file"),
    (_newer, "has schema 9999, and this program knows only up to"),
]


@pytest.mark.parametrize(("spoil", "reason"), BAD_DATABASES)
def test_a_database_that_cannot_be_used_is_a_configuration_error(shop, countlast, spoil, reason):
    """One sentence with the setting, the file and the reason; it is left as it was."""
    spoil(shop / "countlast.db")
    code, out, err = countlast("reconcile", "package", LABEL, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("DATABASE_URL: The database countlast.db ")
    assert reason in err


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite+aiosqlite:///no/such/folder/c.db", "unable to open database file"),
        ("sqlite+aiosqlite:///", "must name a file for SQLite"),
        ("postgresql+psycopg://u:PLANTED@127.0.0.1:9/n", "The database n on 127.0.0.1 cannot be used"),
        ("mysql://u:PLANTED@h/n", "must begin with sqlite+aiosqlite:/// or postgresql+psycopg://"),
    ],
)
def test_a_database_url_that_leads_nowhere(shop, countlast, monkeypatch, url, reason):
    """Exit 2, one sentence, no password."""
    monkeypatch.setenv("DATABASE_URL", url)
    code, out, err = countlast("reconcile", "package", LABEL, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert reason in err
    assert "PLANTED" not in err


# --- as a process -----------------------------------------------------------------------------------------------------

HEAVY = "sqlalchemy sqlmodel alembic httpx slack_bolt slack_sdk pydantic uvicorn starlette matplotlib structlog rich"


def test_help_loads_nothing_heavy():
    """It comes at once, and a mistyped option as well."""
    code = f"import sys, bot.cli; print([m for m in {HEAVY.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_answer_does_not_pay_for_logging_or_slack(shop):
    """Structlog is loaded for the first line that is logged, and an answer logs none."""
    code = (
        "import sys, bot.cli\n"
        "try: bot.cli.run(sys.argv[1:])\n"
        "finally: print([m for m in ('structlog', 'slack_bolt', 'uvicorn', 'aiohttp') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "reconcile", "package", LABEL, "--json"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("}\n[]\n")


def test_a_reader_that_hangs_up_is_no_error(shop, running_shop):
    """``| head -1``: no traceback, no complaint."""
    program = running_shop.program("reconcile", "package", LABEL, "--json")
    assert program.stdout is not None
    program.stdout.close()
    assert program.stderr is not None
    assert program.stderr.read() == ""
    assert program.wait(timeout=30) == 141


def test_ctrl_c_ends_quietly(shop, running_shop):
    """In the middle of a question: status 130, nothing but the progress said until then."""
    running_shop.world.slow(20)
    program = running_shop.program("reconcile", "package", LABEL)
    assert program.stderr is not None
    first = program.stderr.readline()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=15)
    assert (first, out, err) == ("Reading the POS and METRC …\n", "", "")
    assert program.returncode == 130


def test_the_module_and_the_console_script_are_the_same_thing():
    """Both run ``bot.__main__``."""
    script = Path(sys.executable).with_name("countlast")
    for command in ([script], [sys.executable, "-m", "bot"]):
        done = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == f"{__version__}\n"
