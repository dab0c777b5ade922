"""Find in the whole mirror at once what may be one sale entered twice. Finds candidates only; ``bot.twins`` judges them.

Two receipts belong together when their lines are equal and either their numbers are, or their sale times and totals are
while one of them bears no number. Each of the two is one walk along an index that holds all it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true

from bot.model import MetrcReceipt
from storage import rows
from storage.engine import Database
from storage.tables import ReceiptRow, table_of

Group = tuple[MetrcReceipt, ...]

AT_ONCE: Final = 200
"""Receipts whose bodies are held at once, but that a group is never cut."""

_RECEIPTS = table_of(ReceiptRow)
_NUMBER, _MOMENT, _LINES = _RECEIPTS.c.number_key, _RECEIPTS.c.moment_key, _RECEIPTS.c.lines_key


@dataclass(frozen=True)
class _Found:
    """Ids of receipts that share a key, and the time of their newest sale in seconds, 0 if unknown."""

    ids: tuple[int, ...]
    newest: float


async def duplicate_receipts(
    database: Database, license_number: str, since: datetime, limit: int
) -> AsyncIterator[Group]:
    """Groups of live receipts that may be one sale, each by id; the group with the newest sale first.

    Only groups with a sale since then, at most ``limit`` of them. Raises ``StorageError``.
    """
    groups = _joined(await _search(database, license_number, since, limit))[:limit]
    for some in _pieces(groups):
        found = await _read(database, license_number, [one for group in some for one in group])
        for group in some:
            # what was voided or changed since the search began is a candidate no more
            left = tuple(found[one] for one in group if one in found)
            if len(left) > 1:
                yield left


async def _search(database: Database, license_number: str, since: datetime, limit: int) -> list[_Found]:
    """By number and by moment at the same time: each walk keeps one processor busy."""
    statements = [
        (_NUMBER, _groups(license_number, _NUMBER, true(), since, limit)),
        (_MOMENT, _groups(license_number, _MOMENT, func.count(_NUMBER) < func.count(), since, limit)),
    ]
    try:
        async with asyncio.TaskGroup() as group:
            walks = [group.create_task(_walk(database, license_number, *each)) for each in statements]
    except ExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return [found for walk in walks for found in walk.result()]
    raise failure


async def _walk(
    database: Database, license_number: str, key: ColumnElement[Any], statement: Select[Any]
) -> list[_Found]:
    found: list[_Found] = []
    async with database.reading() as connection:
        for row in (await connection.execute(statement)).all():
            newest = row.newest.timestamp() if row.newest else 0.0
            ids = (row.first, row.last)
            if row.many > len(ids):
                same = and_(_RECEIPTS.c.license == license_number, row.lines_key == _LINES, key == row.twin_key)
                ids = tuple(await connection.scalars(select(_RECEIPTS.c.metrc_id).where(same)))
            found.append(_Found(ids, newest))
    return found


def _groups(
    license_number: str, key: ColumnElement[Any], more: ColumnElement[bool], since: datetime, limit: int
) -> Select[Any]:
    """First the keys that are there twice, off the index alone; then of these few what else is to be known.

    By an outer join, though nothing is missing: SQLite would begin an inner one at the large table.
    """
    twice = (
        select(_LINES, key.label("twin_key"))
        .where(_RECEIPTS.c.license == license_number, _LINES.is_not(None), key.is_not(None))
        .group_by(_LINES, key)
        .having(and_(func.count() > 1, more))
        .subquery()
    )
    same = and_(_RECEIPTS.c.license == license_number, twice.c.lines_key == _LINES, twice.c.twin_key == key)
    newest, id_ = func.max(_RECEIPTS.c.sold_at), _RECEIPTS.c.metrc_id
    told = (
        newest.label("newest"),
        func.count().label("many"),
        func.min(id_).label("first"),
        func.max(id_).label("last"),
    )
    return (
        select(twice.c.lines_key, twice.c.twin_key, *told)
        .select_from(twice.outerjoin(_RECEIPTS, same))
        .group_by(twice.c.lines_key, twice.c.twin_key)
        # a receipt of unknown time cannot be told to be too old
        .having(or_(newest >= since, newest.is_(None)))
        .order_by(newest.desc().nulls_last())
        .limit(limit)
    )


def _joined(found: Iterable[_Found]) -> list[list[int]]:
    """Groups that share a receipt are one; the newest first, the ids in order."""
    home: dict[int, set[int]] = {}
    newest: dict[int, float] = {}
    for one in found:
        whole = set(one.ids).union(*(home.get(id_, ()) for id_ in one.ids))
        home.update((id_, whole) for id_ in whole)
        newest.update((id_, max(one.newest, newest.get(id_, 0.0))) for id_ in one.ids)
    groups = [sorted(group) for group in {id(group): group for group in home.values()}.values()]
    return sorted(groups, key=lambda group: (-max(newest[id_] for id_ in group), group[0]))


def _pieces(groups: Sequence[list[int]]) -> Iterator[list[list[int]]]:
    piece: list[list[int]] = []
    for group in groups:
        if piece and sum(map(len, piece)) + len(group) > AT_ONCE:
            yield piece
            piece = []
        piece.append(group)
    if piece:
        yield piece


async def _read(database: Database, license_number: str, ids: Sequence[int]) -> dict[int, MetrcReceipt]:
    found: dict[int, MetrcReceipt] = {}
    async with database.reading() as connection:
        for at in range(0, len(ids), AT_ONCE):
            some = _RECEIPTS.c.metrc_id.in_(ids[at : at + AT_ONCE])
            statement = select(_RECEIPTS.c.metrc_id, _RECEIPTS.c.body, _RECEIPTS.c.lines, _LINES)
            answer = await connection.execute(statement.where(_RECEIPTS.c.license == license_number, some))
            # asked for here, for SQLite would take the condition as a reason to walk an index of all receipts
            found |= {row.metrc_id: rows.receipt_of(row.body, row.lines) for row in answer if row.lines_key is not None}
    return found
