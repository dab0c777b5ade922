"""The clock: proposes work again and again; a row decides who does it, and whether it was done.

APScheduler only ticks here. It holds nothing of value: a slot is a job's name and the moment from which it is due, and
whoever wins the slot's row does the work. So any number of processes may tick, and a tick that is lost, late or doubled
changes nothing. After a sleep or a restart only the newest slot is due, so what was missed is done once. Moments on a
shop's wall clock are computed here and not by a trigger, for a trigger fires twice, or never, when clocks change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zlib import crc32
from zoneinfo import ZoneInfo

from bot.errors import CountlastError
from bot.ports import Clock, Slots

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]
Due = Callable[[datetime], datetime]
"""The newest slot that has begun."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# of a lease; two chances to say that the work lives
EXTEND_SHARE: Final = 1 / 3
JITTER_SHARE: Final = 0.1
GRACE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Duty:
    """Work of which each slot is done once among all processes. ``limit``: how long it may take at most.

    ``at_first``: whether a bot that has never run before does the slot that lies behind it.
    """

    name: str
    due: Due
    work: Work
    limit: timedelta
    at_first: bool = True


@dataclass(frozen=True, slots=True)
class Chore:
    """What is looked at every so often. Its duties go one beside the other, at most ``at_once``.

    ``work`` is for what decides by rows of its own, and is done by every process. ``more``: duties that are known only
    when it is looked, proposed after the others are done; they bear the name of one of them.
    """

    name: str
    every: timedelta
    duties: Sequence[Duty] = ()
    work: Work | None = None
    more: Callable[[], Awaitable[Sequence[Duty]]] | None = None
    at_once: int = 4


# --- when -------------------------------------------------------------------------------------------------------------


def every(period: timedelta, name: str = "") -> Due:
    """Every so often; ``name`` moves the slots, so that many of one kind do not begin together."""
    offset = timedelta(seconds=crc32(name.encode()) % max(1, int(period.total_seconds()))) if name else timedelta(0)

    def due(now: datetime) -> datetime:
        return _EPOCH + offset + (now - _EPOCH - offset) // period * period

    return due


def daily(zone: ZoneInfo, at: time) -> Due:
    """Once each local day, also on those that have 23 or 25 hours."""
    return _local(zone, at, None)


def weekly(zone: ZoneInfo, weekday: int, at: time) -> Due:
    """Once each local week; Monday is 0."""
    return _local(zone, at, weekday)


def _local(zone: ZoneInfo, at: time, weekday: int | None) -> Due:
    def due(now: datetime) -> datetime:
        today = now.astimezone(zone).date()
        days = (today - timedelta(days=back) for back in range(9))
        moments = (datetime.combine(day, at, zone).astimezone(UTC) for day in days if weekday in {None, day.weekday()})
        return next(moment for moment in moments if moment <= now)

    return due


# --- who --------------------------------------------------------------------------------------------------------------


@dataclass
class Rota:
    """Tries for slots on behalf of this process. What it remembers only saves questions to the database."""

    slots: Slots
    clock: Clock
    owner: str
    lease: timedelta
    _not_before: dict[tuple[str, datetime], datetime] = field(default_factory=dict)

    async def propose(self, duty: Duty) -> bool:
        """Do the slot that is due, if it is ours; whether its work was done here and now.

        What fails in an error of our own is logged and tried again, after the lease or in the next slot.
        """
        now = self.clock.now()
        slot = duty.due(now)
        if now < self._not_before.get((duty.name, slot), now):
            return False
        try:
            return await self._try(duty, slot, now)
        except (CountlastError, TimeoutError) as error:
            log.warning("%s was not done: %s", duty.name, str(error) or "it took too long")
            return False
        finally:
            self._forget(duty.name, slot)

    async def sweep(self, duties: Iterable[Duty]) -> int:
        """Take over what others began and left behind; how many slots that were.

        One that a newer slot of its job has overtaken is only closed, for that one did the work of both.
        """
        known, now, taken = {duty.name: duty for duty in duties}, self.clock.now(), 0
        for name, slot in await self.slots.abandoned(now):
            if name not in known or slot == known[name].due(now):
                continue
            fence = await self.slots.win(name, slot, self.owner, now, self.lease)
            taken += fence is not None and await self.slots.finish(name, slot, fence, now)
        return taken

    async def _try(self, duty: Duty, slot: datetime, now: datetime) -> bool:
        is_first = not duty.at_first and await self.slots.last(duty.name) is None
        fence = await self.slots.win(duty.name, slot, self.owner, now, self.lease)
        # whether it is done, or in somebody's hand, is worth a question once a lease
        self._not_before[duty.name, slot] = now + self.lease
        if fence is None:
            return False
        if not is_first:
            async with self._holding(duty, slot, fence), asyncio.timeout(duty.limit.total_seconds()):
                await duty.work()
        return await self.slots.finish(duty.name, slot, fence, self.clock.now()) and not is_first

    @asynccontextmanager
    async def _holding(self, duty: Duty, slot: datetime, fence: int) -> AsyncIterator[None]:
        """Say now and then that the work lives; stop it when somebody else has taken it over."""
        worker = asyncio.current_task()
        is_lost = False

        async def extend() -> None:
            nonlocal is_lost
            while True:
                await asyncio.sleep(self.lease.total_seconds() * EXTEND_SHARE)
                if not await self.slots.extend(duty.name, slot, fence, self.clock.now() + self.lease):
                    is_lost = True
                    assert worker is not None  # noqa: S101 - a coroutine runs in a task
                    worker.cancel()
                    return

        extender = asyncio.create_task(extend())
        try:
            yield
        except asyncio.CancelledError:
            if not is_lost or worker is None or worker.uncancel():
                raise
            raise TimeoutError("another process has taken it over") from None
        finally:
            extender.cancel()

    def _forget(self, name: str, slot: datetime) -> None:
        for known in [key for key in self._not_before if key[0] == name and key[1] != slot]:
            del self._not_before[known]


async def do(chore: Chore, rota: Rota) -> int:
    """One tick of a chore; how many of its duties were done here. Errors of our own are logged, never raised."""
    gate = asyncio.Semaphore(chore.at_once)

    async def propose(duty: Duty) -> bool:
        async with gate:
            return await rota.propose(duty)

    async def every_one(duties: Iterable[Duty]) -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(propose(duty)) for duty in duties]
        return sum(task.result() for task in tasks)

    done = await every_one(chore.duties)
    try:
        if chore.more is not None:
            done += await every_one(await chore.more())
        if chore.work is not None:
            await chore.work()
    except (CountlastError, TimeoutError) as error:
        log.warning("%s was not done: %s", chore.name, str(error) or "it took too long")
    return done


# --- ticking ----------------------------------------------------------------------------------------------------------


async def tick(chores: Sequence[Chore], rota: Rota, stop: asyncio.Event, wait: timedelta = timedelta(0)) -> None:
    """Do every chore again and again until ``stop`` is set, for the first time after ``wait``.

    What runs then gets some seconds to end; what is cut off goes on after its lease, here or elsewhere.
    """
    duties = [duty for chore in chores for duty in chore.duties]
    swept = Chore("what was left behind", rota.lease, work=lambda: rota.sweep(duties))
    scheduler, hands = _scheduler(), _Hands(rota)
    begin = datetime.now(UTC) + wait
    for chore in (*chores, swept):
        seconds = chore.every.total_seconds()
        jitter = seconds * JITTER_SHARE
        scheduler.add_job(
            hands.take, "interval", (chore,), seconds=seconds, jitter=jitter, next_run_time=begin, name=chore.name
        )
    scheduler.start()
    try:
        await stop.wait()
    finally:
        scheduler.shutdown(wait=False)
        await hands.close()


class _Hands:
    """Work under way, each chore once at a time. Tasks of our own: APScheduler would cut its jobs off, and complain."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._running: dict[str, asyncio.Task[int]] = {}

    async def take(self, chore: Chore) -> None:
        """Begin a chore, unless it is under way."""
        if chore.name not in self._running:
            task = asyncio.create_task(do(chore, self._rota), name=chore.name)
            self._running[chore.name] = task
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[int]) -> None:
        del self._running[task.get_name()]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())

    async def close(self) -> None:
        """Let the work end, for some seconds; then stop it."""
        if self._running:
            await asyncio.wait(set(self._running.values()), timeout=GRACE_SECONDS)
        late = set(self._running.values())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=GRACE_SECONDS)


def _scheduler() -> AsyncIOScheduler:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415 - heavy, and only `run` needs it

    # its lines about every tick say nothing
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    # late is better than never, and once is enough
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    return AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
