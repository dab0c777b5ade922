"""A store of METRC rows and CSV files, and the two ways to ask about it: the real command, and one process."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.app import Bot, SystemClock
from bot.model import Question, Subject, SubjectKind
from bot.report import as_json
from bot.settings import Settings, load
from bot.transport import Patience, Transport
from storage.books import open_books
from tests.blackbox import shape
from tests.blackbox.metrc_files import NOW, SHOP, USER_KEY, VENDOR_KEY, Loopback, MetrcFiles
from tests.blackbox.rows import label
from tests.blackbox.shape import Answered
from tests.in_process import countlast

POS_SAMPLES = Path(__file__).parent.parent / "data" / "pos-csv"
ROOT = Path(__file__).parent.parent.parent
EXPORTED = "2026-03-02T20:30:00-07:00"
Cells = dict[str, Any]


# --- the POS's files --------------------------------------------------------------------------------------------------


def stock(number: int, quantity: object, **cells: Any) -> Cells:
    """A row of the POS's stock list that fits ``rows.package``."""
    row = {"license_number": SHOP, "package_id": label(number), "product_id": "7001", "product_name": "Test Cookies 1g"}
    row |= {"category": "Pre-Rolls", "metrc_item_name": "Test Cookies 1g", "metrc_category": "Raw Pre-Roll (Each)"}
    row |= {"quantity": quantity, "unit": "Each", "unit_weight_g": "1.0", "room": "Sales Floor"}
    row |= {"received_at": "2026-02-20T10:32:10-07:00", "manifest_number": "0000410001", "status": "Active"}
    return row | {"exported_at": EXPORTED} | cells


def sale(transaction: str, number: int, quantity: object, sold: str, **cells: Any) -> Cells:
    """A line of a POS sale that METRC took."""
    row = {"license_number": SHOP, "transaction_id": transaction, "line_id": "1", "sold_at": sold}
    row |= {"package_id": label(number), "quantity": quantity, "unit": "Each", "is_void": "false"}
    row |= {"is_return": "false", "original_transaction_id": "", "trace_status": "Reported", "trace_receipt_id": ""}
    return row | {"trace_message": "", "reported_at": ""} | cells


def event(  # noqa: PLR0917 - the columns of the log, in their order
    identity: object, number: int, kind: str, at: str, before: object, after: object, **cells: Any
) -> Cells:
    """An entry of the POS's log."""
    row = {"license_number": SHOP, "event_id": identity, "occurred_at": at, "event_type": kind}
    row |= {"package_id": label(number), "from_quantity": before, "to_quantity": after, "unit": "Each"}
    return row | {"actor": "D Orrin", "reason": "", "reference": ""} | cells


def _quiet_day() -> list[Cells]:
    """Sales of another package since before the delivery, so that the books cover the time that matters."""
    return [
        sale("POS-0001", 9001, 1, "2026-02-18T12:00:00-07:00", trace_receipt_id="870001"),
        sale("POS-0002", 9001, 1, "2026-03-02T19:00:00-07:00", trace_receipt_id="870002"),
    ]


def _quiet_log() -> list[Cells]:
    return [event(1, 9001, "receive", "2026-02-18T11:00:00-07:00", 0, 50, reference="0000409999")]


@dataclass
class Store:
    """One shop. ``sales`` or ``events`` None: the POS has no such file. ``extra_toml`` is appended to the file.

    ``files``: a folder whose sample files are used instead; ``raw``: more files of the POS, byte for byte.
    """

    metrc: MetrcFiles
    inventory: list[Cells] = field(default_factory=lambda: [stock(9001, 48)])
    sales: list[Cells] | None = field(default_factory=_quiet_day)
    events: list[Cells] | None = field(default_factory=_quiet_log)
    posting: str = "batch"
    nightly_at: str | None = None
    window_hours: int = 2400
    extra_toml: str = ""
    time_zone: str = "America/Denver"
    files: Path | None = None
    raw: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Everything that the bot reads; returns the configuration file."""
        pos = folder / "pos"
        pos.mkdir(exist_ok=True)
        if self.files is not None:
            for name in ("generic_inventory", "generic_sales", "generic_events"):
                shutil.copy(self.files / f"{name}.csv", pos / f"{name.removeprefix('generic_')}.csv")
        else:
            for name, rows in (("inventory", self.inventory), ("sales", self.sales), ("events", self.events)):
                write_csv(pos / f"{name}.csv", rows)
        for name, content in self.raw.items():
            (pos / name).write_bytes(content)
        config = folder / "facilities.toml"
        config.write_text(self._toml(), encoding="utf-8")
        return config

    def _toml(self) -> str:
        nightly = f'nightly_at = "{self.nightly_at}"\n' if self.nightly_at else ""
        return (
            f'[[facility]]\nlicense = "{SHOP}"\nname = "Harbor Street"\ntime_zone = "{self.time_zone}"\n'
            f'channel = "C0FLOOR"\napprovers = ["U0DANA"]\nact = true\n'
            f'[facility.metrc]\nbase_url = "{self.metrc.base_url}"\nvendor_key = "env:BLACKBOX_VENDOR"\n'
            f'user_key = "env:BLACKBOX_USER"\nwindow_hours = {self.window_hours}\nrequests_per_second = 1000\n'
            f'[facility.pos]\nkind = "csv"\ndirectory = "pos"\nposting = "{self.posting}"\n{nightly}{self.extra_toml}'
        )


def second_facility(base_url: str, user_key: str, license_number: str = "402R-X0043") -> str:
    """Another shop of the group, with a user key of its own (an environment variable)."""
    return (
        f'\n[[facility]]\nlicense = "{license_number}"\nname = "Mill Road"\ntime_zone = "America/Denver"\n'
        f'[facility.metrc]\nbase_url = "{base_url}"\nvendor_key = "env:BLACKBOX_VENDOR"\nuser_key = "{user_key}"\n'
        '[facility.pos]\nkind = "csv"\ndirectory = "pos"\n'
    )


def as_csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The bytes of one file."""
    rows, out = list(rows), io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]] | None) -> None:
    """Write one file; None writes none. Every row has the same columns as the first."""
    if rows is not None:
        path.write_bytes(as_csv(rows))


@contextmanager
def sample_store() -> Iterator[Store]:
    """The sample scene: METRC's files and the POS's files, word for word."""
    with Loopback(MetrcFiles.scene()) as metrc:
        yield Store(metrc, files=POS_SAMPLES)


@contextmanager
def healthy_store() -> Iterator[Store]:
    """A shop with one package that nobody asks about; scenarios add to it."""
    with Loopback(MetrcFiles()) as metrc:
        yield Store(metrc)


# --- asking -----------------------------------------------------------------------------------------------------------


def environment(folder: Path, now: datetime | None = NOW, **more: str) -> dict[str, str]:
    """A minimal clean environment; keys are in it and nowhere else."""
    env = {"COUNTLAST_DEV": "1", "COUNTLAST_CONFIG": str(folder / "facilities.toml")}
    env |= {"DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'countlast.db'}"}
    env |= {"BLACKBOX_VENDOR": VENDOR_KEY, "BLACKBOX_USER": USER_KEY}
    return env | ({"COUNTLAST_NOW": now.isoformat()} if now else {}) | more


@dataclass(frozen=True)
class Ran:
    """One run of the command."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Answered:
        """The JSON object on stdout, checked; exit status 0 is part of the contract."""
        assert self.code == 0, self.err
        return shape.check(json.loads(self.out))


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    """The command line, in this process; the working directory holds nothing of the project."""
    return Ran(*countlast(folder, environment(folder) if env is None else env, *arguments))


def run_process(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    """The same as a user starts it: a process of its own."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | (environment(folder) if env is None else env)
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def run_package(store: Store, folder: Path, wanted: str, *options: str, env: dict[str, str] | None = None) -> Ran:
    """``countlast reconcile package`` about this store."""
    return run(folder, *_package(store, folder, wanted), *options, env=env)


def run_package_process(
    store: Store, folder: Path, wanted: str, *options: str, env: dict[str, str] | None = None
) -> Ran:
    """The same in a process of its own."""
    return run_process(folder, *_package(store, folder, wanted), *options, env=env)


def _package(store: Store, folder: Path, wanted: str) -> tuple[str, ...]:
    store.write(folder)
    return ("reconcile", "package", wanted, "--facility", SHOP, "--json")


async def _quiet(_sentence: str) -> None:
    """Nobody listens."""


@asynccontextmanager
async def _opened(settings: Settings, patience: Patience) -> AsyncIterator[Bot]:
    books = await open_books(settings.database_url)
    try:
        async with Transport(dev=True, patience=patience) as transport:
            yield Bot(settings, books, transport, SystemClock(settings.fixed_now))
    finally:
        await books.close()


class Asker:
    """``await ask(store, number)``: the same as the command, without its start-up; every answer is checked.

    ``template`` is a database with the schema and no rows. ``again`` keeps the database of the question before.
    """

    def __init__(self, folder: Path, template: Path, monkeypatch: Any) -> None:
        self.folder = folder
        self._template = template
        self._monkeypatch = monkeypatch

    async def __call__(
        self, store: Store, wanted: int | str, *, shelf: str | None = None, now: datetime = NOW, deadline: float = 20,
        kind: SubjectKind = SubjectKind.PACKAGE, **env: str,
    ) -> Answered:  # fmt: skip
        """Ask about one package, or about what ``kind`` says."""
        store.write(self.folder)
        if not (self.folder / "countlast.db").exists():
            shutil.copy(self._template, self.folder / "countlast.db")
        variables = environment(self.folder, now, **env)
        # secrets are read from the process's environment at the moment they are needed
        for name in variables.keys() - {"COUNTLAST_NOW"}:
            self._monkeypatch.setenv(name, variables[name])
        subject = Subject(kind, label(wanted) if isinstance(wanted, int) else wanted)
        question = Question(SHOP, subject, Decimal(shelf) if shelf else None, None, deadline)
        quick = Patience(total=0.8, attempt=0.25, first_wait=0.001, first_wait_when_limited=0.001)
        async with _opened(load(variables), quick) as bot:
            answer = as_json(await bot.answer(question, _quiet))
        assert store.metrc.writes == [], "a question wrote to METRC"
        return shape.check(json.loads(json.dumps(answer)))
