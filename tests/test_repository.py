"""What stands beside the code keeps up with it: README, lock files, examples, the machine's entry."""

from __future__ import annotations

import ast
import inspect
import os
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import typer

from bot import settings
from bot.cli import app
from bot.model import Cause
from bot.twins import HowTwinned

ROOT: Final = Path(__file__).resolve().parent.parent
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
CODE: Final = re.compile(rf"(?:{'|'.join(cause.value for cause in Cause)})\.[a-z][a-z-]*[a-z]")


def codes() -> set[str]:
    """Every code that can be given, about a package by the checks, about a receipt, manifest or product by itself."""
    written = {
        node.value
        for path in sorted((ROOT / "bot" / "checks").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }
    of_records = {
        word.value.value
        for path in sorted((ROOT / "bot").glob("*_subject.py"))
        for word in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(word, ast.keyword) and word.arg == "code" and isinstance(word.value, ast.Constant)
    }
    twinned = {f"duplication.{how}" for how in HowTwinned}
    return written | of_records | twinned


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_code_is_told_with_its_meaning_and_its_remedy(code):
    """A floor manager can look up whatever stands under an answer."""
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{code}` |")]
    meaning, remedy = [cell.strip() for cell in row.strip("|").split("|")[1:]]
    assert len(meaning) > 10
    assert len(remedy) > 3


def test_no_code_is_told_that_cannot_be_given():
    """The table holds nothing of the past."""
    told = {match for match in re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE) if CODE.fullmatch(match)}
    assert told == codes()


def test_every_variable_is_told():
    """What the environment can say stands in the README and in the example."""
    names = set(re.findall(r'"((?:SLACK|COUNTLAST|DATABASE)_[A-Z_]+)"', inspect.getsource(settings)))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert len(names) >= 12
    for name in sorted(names):
        assert f"`{name}`" in README, name
        assert name in example, name


def test_every_key_of_the_facilities_file_is_told():
    """A key that is accepted is explained; the example holds those that are needed, and can be read."""
    asked = set(re.findall(r'table\.\w+\(\s*"([a-z_]+)"', inspect.getsource(settings)))
    example = tomllib.loads((ROOT / "facilities.example.toml").read_text(encoding="utf-8"))
    assert example["facility"][0]["metrc"]["base_url"].startswith("https://")
    for key in sorted(asked - {"facility", "metrc", "pos", "countlast"}):
        assert f"`{key}`" in README, key


def commands(group: typer.core.TyperGroup, before: str = "countlast") -> list[str]:
    """Every command by its whole name."""
    found = []
    for name, command in group.commands.items():
        whole = f"{before} {name}"
        found += commands(command, whole) if isinstance(command, typer.core.TyperGroup) else [whole]
    return found


def test_every_command_is_told():
    """What ``--help`` offers stands in the README's table."""
    names = commands(typer.main.get_command(app))
    assert "countlast reconcile package" in names
    for name in names:
        assert re.search(rf"^\| `{name}\b", README, re.MULTILINE), name


def test_every_link_and_picture_of_the_readme_is_there():
    """Nothing that the README points at is missing."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("lock", ["build", "runtime", "dev"])
def test_lock_files_hold_hashes_and_name_no_index(lock):
    """Plain pip can install them from any index, and only what was locked."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    assert "index-url" not in text
    assert "://" not in text
    pins = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert pins
    for pin in pins:
        assert "==" in pin.split()[0], pin
        assert "--hash=sha256:" in pin, pin


def test_a_machine_runs_the_checks_and_the_tests():
    """The machine's entry may be executed and calls both."""
    path = ROOT / ".ci" / "run"
    text = path.read_text(encoding="utf-8")
    assert os.access(path, os.X_OK)
    assert "make check" in text
    assert "make test" in text


def test_the_makefile_offers_what_is_promised():
    """One entry each."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("install", "demo", "test", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
