"""Small writes that come at the same moment are committed together.

A commit costs a wait for the disk, whatever is in it. What has to be written before Slack is acknowledged must not queue for
one wait after another, so whoever comes while a commit is under way shares the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StorageError

T = TypeVar("T")
Row = Mapping[str, Any]
_Waiting = tuple[Callable[[AsyncConnection], Awaitable[Any]], asyncio.Future[Any]]

MOST_TOGETHER: Final = 200


class Together:
    """``writing`` opens a transaction. A group that fails is written one by one, so that nobody pays for another."""

    def __init__(
        self, writing: Callable[[], AbstractAsyncContextManager[AsyncConnection]], most: int = MOST_TOGETHER
    ) -> None:
        """``most`` in one group: each is a statement of its own, and what is urgent waits for the whole group."""
        self._writing = writing
        self._most = most
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, write: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What ``write`` returns, once it is committed. Raises ``StorageError``."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        if self._writer is None or self._writer.done():
            # a task of its own: whoever gives up waiting must not take the others' write with them
            self._writer = asyncio.create_task(self._write_all())
        return cast("T", await done)

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                await self._write(group)
            finally:
                for _, done in group:
                    # only when this process is being ended
                    done.cancel()

    async def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            async with self._writing() as connection:
                answers = [await write(connection) for write, _ in group]
        except StorageError as error:
            if len(group) > 1:
                for one in group:
                    await self._write([one])
            else:
                _settle(group[0][1], error)
            return
        for (_, done), answer in zip(group, answers, strict=True):
            if not done.done():
                done.set_result(answer)


class RowsTogether:
    """New rows of one table, all that wait in one statement. ``statement`` inserts those that are new, returns their keys."""

    def __init__(
        self,
        writing: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        statement: Callable[[Sequence[Row]], Executable],
        key: str,
    ) -> None:
        self._writing = writing
        self._statement = statement
        self._key = key
        self._waiting: list[tuple[Row, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def insert(self, row: Row) -> bool:
        """Whether it is new, once it is committed. Raises ``StorageError``."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                await self._write(group)
            finally:
                for _, done in group:
                    # only when this process is being ended
                    done.cancel()

    async def _write(self, group: Sequence[tuple[Row, asyncio.Future[bool]]]) -> None:
        rows = list({row[self._key]: row for row, _ in reversed(group)}.values())
        try:
            async with self._writing() as connection:
                new = set((await connection.execute(self._statement(rows))).scalars())
        except StorageError as error:
            if len(group) > 1:
                for one in group:
                    await self._write([one])
            else:
                _settle(group[0][1], error)
            return
        for row, done in group:
            if not done.done():
                # of several with the same key the first is the new one
                done.set_result(row[self._key] in new)
            new.discard(row[self._key])


def _settle(done: asyncio.Future[Any], error: StorageError) -> None:
    if not done.done():
        done.set_exception(StorageError(str(error)))
