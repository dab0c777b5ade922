"""The command line in this process: what ``python -m bot`` would print and end with, without starting Python anew."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.cli import run


def countlast(folder: Path, env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr. ``folder`` is the working directory, ``env`` the whole environment but for PATH.

    What the program does not foresee is raised, where a process would print a traceback.
    """
    out, err = io.StringIO(), io.StringIO()
    captured = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with _surroundings(folder, env), captured[0], captured[1], pytest.raises(SystemExit) as ended:
        run(arguments)
    assert "Traceback" not in err.getvalue(), err.getvalue()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def _surroundings(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Those of a process of its own; a command also sets up logging, which is put back."""
    kept = {"PATH": os.environ["PATH"]}
    with pytest.MonkeyPatch.context() as patch, _same_logging():
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in (kept | dict(env)).items():
            patch.setenv(name, value)
        patch.chdir(folder)
        yield


@contextlib.contextmanager
def _same_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
