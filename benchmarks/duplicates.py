"""Duplicates in a whole mirror, read with their lines, against DuckDB merely grouping the same rows.

One receipt in five hundred is a twin: half were posted again under their number, half were imported without one.
"""

from __future__ import annotations

import csv
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from sqlalchemy import text

from benchmarks.table import Row, Scale
from bot.model import MetrcLine, MetrcReceipt
from storage import rows
from storage.books import SqlBooks, open_books
from storage.tables import ReceiptRow, table_of
from tests.databases import server_uri
from tests.store import NOW

LICENSE = "402R-X0042"
AT_ONCE = 20_000
EVERY = 500
"""One in so many receipts is a twin of the one before it."""

RECEIPTS = table_of(ReceiptRow)

YARDSTICK = """
    SELECT list(id) FROM receipts WHERE number IS NOT NULL GROUP BY number, lines HAVING count(*) > 1
    UNION ALL
    SELECT list(id) FROM receipts GROUP BY sold_at, total, lines HAVING count(*) > 1 AND count(number) < count(*)
"""


async def duplicates(scale: Scale) -> list[Row]:
    """A mirror of many receipts on SQLite and on PostgreSQL."""
    planted = sum(1 for number in range(scale.receipts) if _is_twin(number))
    floor = _in_duckdb(scale, planted)
    found = []
    for name, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        async with opened() as books:
            await _load(books, scale.receipts)
            seconds = min([await _searched(books, planted) for _ in range(scale.repeats)])
        what = f"duplicates among {scale.receipts:,} receipts, {name}"
        found.append(Row(what, seconds, "s", floor, "DuckDB"))
    return found


async def _searched(books: SqlBooks, planted: int) -> float:
    began = time.perf_counter()
    search = books.mirror(LICENSE).duplicate_receipts(NOW - timedelta(days=4000), planted + 1)
    groups = [[receipt.id for receipt in group] async for group in search]
    seconds = time.perf_counter() - began
    if sorted(groups) != sorted([group[0], group[0] + 1] for group in groups) or len(groups) != planted:
        raise AssertionError(f"{planted} pairs are planted, {len(groups)} groups were found")
    return seconds


# --- the receipts -----------------------------------------------------------------------------------------------------


def _is_twin(number: int) -> bool:
    return number % EVERY == EVERY - 1


def _receipt(number: int) -> MetrcReceipt:
    if _is_twin(number):
        first = _receipt(number - 1)
        bare = (number // EVERY) % 2 == 1
        return replace(first, id=number, external_number=None if bare else first.external_number)
    label = f"1A4FF0100000022{number * 7919 % 3000:09d}"
    line = MetrcLine(label, Decimal(1 + number % 3), "Each", Decimal(42), item_name="Night Lantern 3.5g")
    at = NOW - timedelta(seconds=40 * number)
    lines = (line, replace(line, label=f"{label[:-1]}X")) if number % 2 else (line,)
    return MetrcReceipt(
        number,
        f"{number:010d}",
        f"POS-{number}",
        at,
        at + timedelta(seconds=2),
        at + timedelta(seconds=2),
        total_price=Decimal(42 * len(lines)),
        lines=lines,
    )


def _rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        receipt = _receipt(number)
        columns = rows.receipt_columns(receipt, NOW) | rows.receipt_lines_columns(receipt, NOW)
        yield {"license": LICENSE, **columns}


# --- the databases ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _sqlite() -> AsyncIterator[SqlBooks]:
    with tempfile.TemporaryDirectory() as folder:
        books = await open_books(f"sqlite+aiosqlite:///{folder}/countlast.db")
        try:
            yield books
        finally:
            await books.close()


@asynccontextmanager
async def _postgresql() -> AsyncIterator[SqlBooks]:
    name = f"bench_{uuid.uuid4().hex}"
    with closing(psycopg.connect(server_uri(), autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name}")
        uri = server_uri().replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
        books = await open_books(uri)
        try:
            yield books
        finally:
            await books.close()
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _load(books: SqlBooks, count: int) -> None:
    """In bulk, the indexes made afterwards; PostgreSQL is tidied up as its own housekeeping does soon after."""
    database, waiting = books.database, _rows(count)
    async with database.writing() as connection:
        for index in RECEIPTS.indexes:
            await connection.run_sync(index.drop)
        while some := list(islice(waiting, AT_ONCE)):
            if database.is_sqlite:
                await connection.execute(RECEIPTS.insert(), some)
            else:
                await _copy(await connection.get_raw_connection(), some)
        for index in RECEIPTS.indexes:
            await connection.run_sync(index.create)
    if not database.is_sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE metrc_receipt"))


async def _copy(raw: Any, some: list[dict[str, Any]]) -> None:
    columns = ", ".join(some[0])
    async with raw.driver_connection.cursor().copy(f"COPY metrc_receipt ({columns}) FROM STDIN") as copy:
        for row in some:
            await copy.write_row(tuple(row.values()))


def _in_duckdb(scale: Scale, planted: int) -> float:
    with tempfile.TemporaryDirectory() as folder, closing(duckdb.connect()) as database:
        path = Path(folder) / "receipts.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(_plain(scale.receipts))
        columns = (
            "{'id': 'BIGINT', 'number': 'VARCHAR', 'sold_at': 'TIMESTAMPTZ', 'total': 'DOUBLE', 'lines': 'VARCHAR'}"
        )
        database.execute(f"CREATE TABLE receipts AS FROM read_csv('{path}', header = false, columns = {columns})")
        seconds = []
        for _ in range(scale.repeats):
            began = time.perf_counter()
            found = database.execute(YARDSTICK).fetchall()
            seconds.append(time.perf_counter() - began)
    if len(found) != planted:
        raise AssertionError(f"{planted} pairs are planted, DuckDB found {len(found)}")
    return min(seconds)


def _plain(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        one = _receipt(number)
        lines = ";".join(sorted(f"{x.label} {x.quantity} {x.unit}" for x in one.lines or ()))
        yield one.id, one.external_number, one.sold_at, one.total_price, lines
