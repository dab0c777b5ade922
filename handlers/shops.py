"""A whole shop: progress, the causes in pages, and the full list as files in the thread."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.errors import ChatError
from bot.inquiries import Inquiry
from bot.investigate import new_id
from bot.model import SubjectKind
from bot.settings import FacilitySettings
from bot.sweep_groups import Sweep
from bot.sweep_report import as_json, from_json
from handlers.answering import answer_key, left_of
from handlers.chat import Chat, Posted, ProgressMessage
from handlers.deliveries import counted, first_time
from handlers.payloads import delivery_of, pressed_in, value_of
from handlers.render import words
from handlers.render.charts import causes_alt, causes_chart
from handlers.render.sweep import PAGE_ACTIONS, render_page, render_sweep
from handlers.render.sweep_files import as_csv, as_html
from handlers.services import Services
from handlers.thread import Command, Thread
from handlers.work import Work

log = logging.getLogger(__name__)

EDIT_SECONDS: Final = 3.0


class Shops:
    """Answers ``/reconcile facility``."""

    def __init__(self, services: Services, chat: Chat) -> None:
        self._services = services
        self._chat = chat

    async def answer(self, command: Command, thread: Thread, facility: FacilitySettings) -> None:
        """Judge the shop, unless it is being judged: then who asks is told where."""
        services, now = self._services, self._services.clock.now()
        one = Inquiry(
            *(new_id(), facility.license, SubjectKind.FACILITY, "", command.user, now),
            question_id=command.question or None,
        )
        left = left_of(one, command)
        if left is not None:
            if left.channel and left.thread:
                thread.rejoin(Posted(left.channel, left.thread), left.progress)
            if left.ended_at is not None or await self._was_told(left, thread):
                return
            one = left
        if left is None or not await services.inquiries.begin_again(left.id, now):
            one = replace(one, id=new_id())
            running = await services.inquiries.begin(one)
            if running is not None:
                await self._told_where(running, command, thread)
                return
        await self._run(one, thread, facility, again=one is left)

    async def _run(self, one: Inquiry, thread: Thread, facility: FacilitySettings, *, again: bool) -> None:
        services = self._services
        try:
            with counted(services.metrics):
                await thread.open("", facility, SubjectKind.FACILITY, key=one.id, again=again)
                if thread.parent is not None:
                    progress = thread.progress.ts if thread.progress else None
                    await services.inquiries.place(one.id, thread.parent.channel, thread.parent.ts, progress)
                sweep = await self._swept(thread, facility)
            is_mine = await services.inquiries.tell(one, services.owner, services.clock.now())
        except BaseException:
            await services.inquiries.end(one.id, services.clock.now(), None, None)
            raise
        if not is_mine:
            log.warning("another process took up a question while this one stood still, and answers it")
            return
        services.metrics.answers.labels(cause="facility").inc()
        body = await asyncio.to_thread(_as_text, sweep)
        await services.inquiries.keep_sweep(one.id, facility.license, services.clock.now(), body)
        try:
            await thread.deliver_all(render_sweep(sweep, facility, one.id), key=answer_key(one))
        finally:
            await services.inquiries.end(one.id, services.clock.now(), None, None)
        await self._attach(thread, sweep, facility)

    async def _was_told(self, left: Inquiry, thread: Thread) -> bool:
        """Whether a process that died has told it, or may have, and nobody can look."""
        if left.told_at is None:
            return False
        try:
            if not await thread.was_told(answer_key(left)):
                return False
            await thread.follow(None)
        except ChatError as error:
            log.warning("whether an answer was told could not be looked up: %s", error)
            await thread.apologise(words.MAYBE_TOLD)
        await self._services.inquiries.end(left.id, self._services.clock.now(), None, None)
        return True

    async def _told_where(self, running: Inquiry, command: Command, thread: Thread) -> None:
        address = ""
        if running.channel is not None and running.thread is not None and running.channel == command.channel:
            address = await self._chat.permalink(Posted(running.channel, running.thread))
        await thread.whisper(words.shop_running(address))

    async def _swept(self, thread: Thread, facility: FacilitySettings) -> Sweep:
        async with ProgressMessage(thread.show, every=EDIT_SECONDS) as message:

            async def progress(stage: str, done: int, total: int) -> None:
                await message.stage(words.counted_so_far(stage, done, total))

            return await self._services.sweep(facility.license, progress)

    async def _attach(self, thread: Thread, sweep: Sweep, facility: FacilitySettings) -> None:
        """The full list, the report to print, the chart; what Slack does not take is missed without a word more."""
        if not sweep.groups or sweep.is_blind or thread.parent is None:
            return
        # a hundred thousand labels take a while to write
        rows = await asyncio.to_thread(as_csv, sweep, facility)
        name = "".join(c for c in facility.license if c.isalnum() or c == "-")
        await thread.attach(f"{name}.csv", rows, title=words.LIST_TITLE, alt="")
        page = await asyncio.to_thread(as_html, sweep, facility, self._services.clock.now())
        await thread.attach(f"{name}.html", page, title=words.REPORT_TITLE, alt="")
        chart = await asyncio.to_thread(causes_chart, sweep, facility.name)
        await thread.attach(f"{name}.png", chart, title=words.CHART_TITLE, alt=causes_alt(sweep, facility.name))


class Leaves:
    """Turns the pages of a shop's causes: the message itself is rewritten, for everybody."""

    def __init__(self, services: Services, chat: Chat, work: Work) -> None:
        self._services = services
        self._chat = chat
        self._work = work

    def listen(self, app: AsyncApp) -> None:
        """Register every listener."""
        for action_id in PAGE_ACTIONS:
            app.action(action_id)(self.turned)

    async def turned(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The listener."""
        await ack()
        self._work.start(partial(self._turn, body), self._unheard)

    async def _turn(self, body: Mapping[str, Any]) -> None:
        shown = pressed_in(body)
        if shown is None or not await first_time(self._services, delivery_of(body)):
            return
        sweep_id, _, page = value_of(body).rpartition(":")
        sweep = _as_sweep(await self._services.inquiries.sweep(sweep_id))
        facility = self._services.settings.facility(sweep.facility) if sweep else None
        if sweep is None or facility is None or not page.isdecimal():
            return
        try:
            await self._chat.edit(shown, render_page(sweep, facility, sweep_id, int(page[:4])))
        except ChatError as error:
            log.warning("a page was not turned: %s", error)

    async def _unheard(self, sentence: str) -> None:
        log.warning("who turned a page was not told: %s", sentence)


def _as_text(sweep: Sweep) -> str:
    return json.dumps(as_json(sweep), separators=(",", ":"))


def _as_sweep(body: str | None) -> Sweep | None:
    """A kept one; None: there is none, or this version cannot read it."""
    try:
        return from_json(json.loads(body)) if body else None
    except ValueError as error:
        log.warning("a kept sweep cannot be read: %s", error)
        return None
