"""Where the answer to one command goes: a thread under its own parent message, else the asker's own eyes."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bot.errors import ChatError
from bot.model import Diagnosis, SubjectKind
from bot.settings import FacilitySettings
from handlers.chat import Chat, Posted
from handlers.render import words
from handlers.render.blocks import Message, section
from handlers.render.diagnosis import render_diagnosis, render_evidence, render_summary
from handlers.render.help import render_sentence

log = logging.getLogger(__name__)

BOT_NAME = "countlast"

Offer = Callable[[Posted | None], Awaitable[None]]
"""Posts what may be done, in the thread of this parent; None: the answer was told privately."""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command as Slack delivered it. ``delivery`` is the same for every repeat of one delivery, or empty."""

    text: str
    user: str
    channel: str
    team: str
    delivery: str
    response_url: str

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """Read the payload; nothing in it is taken for granted."""
        team = str(payload.get("team_id") or payload.get("enterprise_id") or "")
        trigger = str(payload.get("trigger_id") or "")
        return cls(
            text=str(payload.get("text") or ""),
            user=str(payload.get("user_id") or ""),
            channel=str(payload.get("channel_id") or ""),
            team=team,
            delivery=f"command:{team}:{trigger}" if trigger else "",
            response_url=str(payload.get("response_url") or ""),
        )

    @property
    def person(self) -> str:
        """Who asked; a user id is only unique within its workspace."""
        return f"{self.team}:{self.user}"


class Thread:
    """The conversation about one command. Until ``open`` succeeds, everything is told to the asker alone."""

    def __init__(self, chat: Chat, command: Command, timer: Callable[[], float] = time.monotonic) -> None:
        self._chat = chat
        self._command = command
        self._timer = timer
        self._began = timer()
        self._parent: Posted | None = None
        self._progress: Posted | None = None
        self._refusal: str | None = None

    async def whisper(self, markup: str) -> None:
        """Tell the asker alone; raises ``ChatError``."""
        await self.whisper_message(render_sentence(markup))

    async def whisper_message(self, message: Message) -> None:
        """The same for a whole message."""
        if not self._command.response_url:
            log.warning("a private answer was not sent: the delivery names no address for it")
            return
        await self._chat.whisper(self._command.response_url, message)

    async def open(self, label: str, facility: FacilitySettings, kind: SubjectKind = SubjectKind.PACKAGE) -> None:
        """Post the parent and the progress message; where Slack refuses, the answer will be whispered instead."""
        parent = render_sentence(words.asked(label, facility.name, self._command.user, kind))
        try:
            self._parent = await self._chat.post(self._command.channel, parent)
            self._progress = await self._reply(render_sentence(words.working()))
        except ChatError as error:
            self._refusal = error.code
            log.warning("the question is answered privately: %s", error)

    async def show(self, stage: str) -> None:
        """Edit the progress message; raises ``ChatError``."""
        await self._rewrite_progress(words.working(stage))

    async def deliver(self, diagnosis: Diagnosis, facility: FacilitySettings, offer: Offer | None = None) -> None:
        """The answer, what follows from it (``offer``), what it rests on.

        Raises ``ChatError`` when not even a whisper was taken.
        """
        await self._close_progress(words.done(self._timer() - self._began))
        try:
            await self._reply(render_diagnosis(diagnosis, facility, self._command.user))
        except ChatError as error:
            await self._whisper_answer(diagnosis, error.code)
            await _offered(offer, None)
            return
        await _offered(offer, self._parent)
        await self._reply_evidence(diagnosis, facility)

    async def deliver_all(self, messages: Sequence[Message]) -> None:
        """An answer of several messages; where the thread does not take the first, it is whispered. See ``deliver``."""
        await self._close_progress(words.done(self._timer() - self._began))
        try:
            await self._reply(messages[0])
        except ChatError as error:
            why = words.cannot_post(error.code, BOT_NAME)
            await self.whisper_message(Message(f"{messages[0].text}\n{why}", (*messages[0].blocks, section(why))))
            return
        for message in messages[1:]:
            await self._reply(message)

    async def apologise(self, sentence: str) -> None:
        """Say why there is no answer, in the thread if there is one. Raises ``ChatError``."""
        await self._close_progress(words.stopped(self._timer() - self._began))
        try:
            await self._reply(render_sentence(sentence))
        except ChatError:
            await self.whisper(sentence)

    async def _reply(self, message: Message) -> Posted:
        if self._parent is None or self._refusal is not None:
            raise ChatError(words.posting_failed(self._refusal or "no_thread"), code=self._refusal or "no_thread")
        return await self._chat.post(self._parent.channel, message, thread=self._parent.ts)

    async def _reply_evidence(self, diagnosis: Diagnosis, facility: FacilitySettings) -> None:
        try:
            for message in render_evidence(diagnosis, facility):
                await self._reply(message)
        except ChatError as error:
            log.warning("the evidence was not posted, the answer was: %s", error)

    async def _whisper_answer(self, diagnosis: Diagnosis, reason: str) -> None:
        why = words.cannot_post(reason, BOT_NAME)
        summary = render_summary(diagnosis)
        await self.whisper_message(Message(text=f"{summary}\n{why}", blocks=(section(summary), section(why))))

    async def _close_progress(self, sentence: str) -> None:
        try:
            await self._rewrite_progress(sentence)
        except ChatError as error:
            log.warning("the progress message was not closed: %s", error)

    async def _rewrite_progress(self, markup: str) -> None:
        if self._progress is not None:
            await self._chat.edit(self._progress, render_sentence(markup))


async def _offered(offer: Offer | None, parent: Posted | None) -> None:
    if offer is not None:
        await offer(parent)
