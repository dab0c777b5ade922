"""The command itself, and where it matters as a process: JSON and exit status, usage errors, and secrets that stay secret."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.blackbox import shape
from tests.blackbox.command import Ran, Store, environment, run, run_package, run_package_process, run_process
from tests.blackbox.metrc_files import SHOP, USER_KEY, VENDOR_KEY

LABEL = "1A4FF0100000022000001002"


def test_the_command_prints_one_object_and_reads_only(scene: Store, tmp_path: Path) -> None:
    """An empty database, no Slack variables: one JSON object on stdout, exit 0, and nothing but GETs."""
    ran = run_package_process(scene, tmp_path, LABEL)
    assert (ran.answer["cause"], ran.answer["facility"]) == ("duplication", SHOP)
    assert ran.answer["duplicates"][0]["remove"] == ["880102"]
    assert scene.metrc.writes == []
    assert scene.metrc.asked


def test_a_slow_metrc_does_not_outlast_the_deadline(scene: Store, tmp_path: Path) -> None:
    """METRC takes 5 s a call, the question has 2: a valid answer in time, and what was not read is unknown."""
    scene.metrc.latency = 5.0
    started = time.monotonic()
    ran = run_package(scene, tmp_path, LABEL, "--deadline", "2")
    took = time.monotonic() - started
    assert ran.answer["cause"] in {"unknown", "outage"}
    assert ran.answer["provisional"] or ran.answer["cause"] == "outage"
    assert ran.answer["gap"] is None
    # 2 s for the answer; the rest is the first schema on a busy machine
    assert took < 5.0


def test_an_outage_exits_0(scene: Store, tmp_path: Path) -> None:
    """METRC is down: that is an answer, not a failure of the command."""
    scene.metrc.base_url = "http://127.0.0.1:9"
    ran = run_package(scene, tmp_path, LABEL)
    assert (ran.answer["cause"], ran.answer["action"]["kind"]) == ("outage", "retry_later")


@pytest.mark.parametrize("text", ["", "hello there, where is my package?", "📦📦📦📦📦📦", "../../etc/passwd"])
def test_text_that_cannot_hold_a_label_exits_2(scene: Store, tmp_path: Path, text: str) -> None:
    """Usage errors are one sentence on stderr, nothing on stdout, and METRC is not asked."""
    ran = run_package(scene, tmp_path, text)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip()
    assert scene.metrc.asked == []


@pytest.mark.parametrize("shelf", ["-1", "NaN", "ten", "Infinity"])
def test_a_shelf_that_is_no_count_exits_2(scene: Store, tmp_path: Path, shelf: str) -> None:
    """What somebody counted is a number, 0 or more."""
    ran = run_package(scene, tmp_path, LABEL, f"--shelf={shelf}")
    assert (ran.code, ran.out) == (2, "")
    assert "--shelf" in ran.err


def test_an_unknown_facility_exits_2_and_names_the_known_one(scene: Store, tmp_path: Path) -> None:
    """The accepted values are told."""
    scene.write(tmp_path)
    ran = run(tmp_path, "reconcile", "package", LABEL, "--facility", "402R-X9999", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert SHOP in ran.err


def test_every_configuration_problem_is_told_at_once(scene: Store, tmp_path: Path) -> None:
    """Eight things are wrong in file and environment; each is named, none with a secret, exit 2."""
    scene.write(tmp_path)
    bad = (
        f'[[facility]]\nlicense = "{SHOP}"\ntime_zone = "America/Danver"\ncolour = "green"\n'
        '[facility.metrc]\nbase_url = "http://api-co.example"\nvendor_key = "PLANTED-LITERAL-0123456789"\n'
        'user_key = "env:NOT_THERE_AT_ALL"\n[facility.pos]\nkind = "csv"\ndirectory = "no/such/folder"\n'
        f'[[facility]]\nlicense = "{SHOP}"\ntime_zone = "America/Denver"\n'
        f'[facility.metrc]\nbase_url = "{scene.metrc.base_url}"\nvendor_key = "env:BLACKBOX_VENDOR"\n'
        'user_key = "env:BLACKBOX_USER"\n[facility.pos]\nkind = "csv"\ndirectory = "pos"\n'
    )
    (tmp_path / "facilities.toml").write_text(bad, encoding="utf-8")
    env = environment(tmp_path)
    del env["COUNTLAST_DEV"]
    ran = run(tmp_path, "reconcile", "package", LABEL, "--json", env=env)
    assert (ran.code, ran.out) == (2, "")
    for named in (
        "America/Danver", "colour", "base_url", "vendor_key", "NOT_THERE_AT_ALL", "no/such/folder", "more than once",
        "COUNTLAST_NOW",
    ):  # fmt: skip
        assert named in ran.err, named
    assert "PLANTED" not in ran.err


def test_a_usage_error_ends_the_process_with_2(scene: Store, tmp_path: Path) -> None:
    """The status is the process's own, and no traceback is seen."""
    ran = run_package_process(scene, tmp_path, "hello there, where is my package?")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("text", [None, "", "[[facility]\n", "facility = 3\n", "\x00\xff"])
def test_a_configuration_that_is_no_configuration_exits_2(tmp_path: Path, text: str | None) -> None:
    """No file, an empty one, torn TOML, another type, bytes: one sentence that names the file."""
    if text is not None:
        (tmp_path / "facilities.toml").write_bytes(text.encode("latin-1"))
    ran = run(tmp_path, "reconcile", "package", LABEL, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "facilities.toml" in ran.err


def test_no_secret_and_no_patient_is_left_anywhere(scene: Store, tmp_path: Path) -> None:
    """Debug logs as JSON, a whole question: keys and patient numbers are in no output and in no byte of the database."""
    for row in scene.metrc.receipts.values():
        row |= {"PatientLicenseNumber": "PLANTED-PATIENT-1", "CaregiverLicenseNumber": "PLANTED-CAREGIVER-1"}
        row |= {"IdentificationMethod": "PLANTED-IDENTITY"}
    for path in ("sales/v2/receipts/active", "sales/v2/receipts/inactive"):
        for row in scene.metrc.lists[path]:
            row |= {"PatientLicenseNumber": "PLANTED-PATIENT-2", "CaregiverLicenseNumber": "PLANTED-CAREGIVER-2"}
    for row in scene.metrc.lists["packages/v2/active"]:
        row["PatientLicenseNumber"] = "PLANTED-PATIENT-3"
    ran = run_package_process(scene, tmp_path, LABEL, env=environment(tmp_path, COUNTLAST_LOG="json:debug"))
    shape.check(json.loads(ran.out))
    assert scene.metrc.asked
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("countlast.db*"))
    assert b"1A4FF0100000022000001002" in stored
    for text in (ran.out.encode(), ran.err.encode(), stored):
        assert b"PLANTED" not in text
        for key in (VENDOR_KEY, USER_KEY):
            assert key[8:40].encode() not in text


def test_help_needs_no_configuration(tmp_path: Path) -> None:
    """Every command explains itself in an empty folder."""
    for command in (("reconcile",), ("reconcile", "package"), ("sync",), ("run",), ("demo",)):
        _must_help(run(tmp_path, *command, "--help", env={}))
    _must_help(run_process(tmp_path, "--help", env={}))


def _must_help(ran: Ran) -> None:
    assert (ran.code, ran.err) == (0, "")
    assert "Usage" in ran.out
