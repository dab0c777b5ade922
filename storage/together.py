"""Small writes that come at the same moment are committed together.

A commit costs a wait for the disk, whatever is in it. What has to be written before Slack is acknowledged must not queue for
one wait after another, so whoever comes while a commit is under way shares the next one.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StorageError

T = TypeVar("T")
Item = TypeVar("Item")
Row = Mapping[str, Any]
Write = Callable[[AsyncConnection], Awaitable[Any]]
Writing = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

MOST_TOGETHER: Final = 200


class _Groups(ABC, Generic[Item, T]):
    """Whoever comes while a group is written is in the next one.

    A group that fails is written one by one, so that nobody pays for another.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[T]]] = []
        self._writer: asyncio.Task[None] | None = None

    @abstractmethod
    async def _written(self, group: Sequence[Item]) -> Sequence[T]:
        """Commit these; an answer for each. Raises ``StorageError`` when none of them was."""

    async def _in_a_group(self, item: Item) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writer is None or self._writer.done():
            # a task of its own: whoever gives up waiting must not take the others' write with them
            self._writer = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                await self._write(group)
            finally:
                for _, done in group:
                    # only when this process is being ended
                    done.cancel()

    async def _write(self, group: Sequence[tuple[Item, asyncio.Future[T]]]) -> None:
        try:
            answers = await self._written([item for item, _ in group])
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


class Together(_Groups[Write, Any]):
    """Any writes, each a statement or more of its own. ``writing`` opens a transaction."""

    def __init__(self, writing: Writing, most: int = MOST_TOGETHER) -> None:
        """``most`` in one group: what is urgent waits for the whole group."""
        super().__init__(most)
        self._writing = writing

    async def write(self, write: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What ``write`` returns, once it is committed. Raises ``StorageError``."""
        return cast("T", await self._in_a_group(write))

    async def _written(self, group: Sequence[Write]) -> Sequence[Any]:
        async with self._writing() as connection:
            return [await write(connection) for write in group]


class RowsTogether(_Groups[Row, bool]):
    """New rows of one table, all that wait in one statement. ``statement`` inserts those that are new, returns their keys."""

    def __init__(self, writing: Writing, statement: Callable[[Sequence[Row]], Executable], key: str) -> None:
        super().__init__(MOST_TOGETHER)
        self._writing = writing
        self._statement = statement
        self._key = key

    async def insert(self, row: Row) -> bool:
        """Whether it is new, once it is committed. Raises ``StorageError``."""
        return await self._in_a_group(row)

    async def _written(self, group: Sequence[Row]) -> Sequence[bool]:
        first = {row[self._key]: row for row in reversed(group)}
        async with self._writing() as connection:
            new = set((await connection.execute(self._statement(list(first.values())))).scalars())
        # of several with the same key the first is the new one
        return [row is first[row[self._key]] and row[self._key] in new for row in group]


def _settle(done: asyncio.Future[Any], error: StorageError) -> None:
    if not done.done():
        done.set_exception(StorageError(str(error)))
