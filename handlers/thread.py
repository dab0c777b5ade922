"""Where the answer to one question goes: a thread, else the asker's own eyes."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from bot.errors import ChatError
from bot.model import Diagnosis, SubjectKind
from bot.settings import FacilitySettings
from handlers.chat import NO_ENTRY, Chat, Posted
from handlers.render import ask_words, words
from handlers.render.blocks import Message, section
from handlers.render.diagnosis import render_answer, render_evidence, render_summary
from handlers.render.help import render_sentence

log = logging.getLogger(__name__)

BOT_NAME = "countlast"

Offer = Callable[[Posted | None], Awaitable[None]]
"""Posts what may be done, in the thread of this parent; None: the answer was told privately."""


@dataclass(frozen=True, slots=True)
class Command:
    """A question as it came in, by whichever entry. ``delivery`` is the same for every repeat of one, or empty.

    ``thread``: the thread that it was asked in, and is answered in; empty: a new one is begun. ``channel`` empty: it was
    asked where there is none. ``response_url``: where its asker can be answered privately, or empty. ``shelf``: what was
    counted. ``place``: the license that was chosen. ``trigger``: opens one form within three seconds.
    """

    text: str
    user: str
    channel: str
    team: str
    delivery: str
    response_url: str = ""
    thread: str = ""
    shelf: Decimal | None = None
    place: str | None = None
    trigger: str = ""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """A slash command; nothing in the payload is taken for granted."""
        team = str(payload.get("team_id") or payload.get("enterprise_id") or "")
        trigger = str(payload.get("trigger_id") or "")
        return cls(
            text=str(payload.get("text") or ""),
            user=str(payload.get("user_id") or ""),
            channel=str(payload.get("channel_id") or ""),
            team=team,
            delivery=f"command:{team}:{trigger}" if trigger else "",
            response_url=str(payload.get("response_url") or ""),
            trigger=trigger,
        )

    @property
    def person(self) -> str:
        """Who asked; a user id is only unique within its workspace."""
        return f"{self.team}:{self.user}"

    @property
    def is_direct(self) -> bool:
        """Whether it was asked in the direct message with the bot."""
        return self.channel.startswith("D")


class Thread:
    """The conversation about one question. Until ``open`` succeeds, everything is told to the asker alone."""

    def __init__(self, chat: Chat, command: Command, timer: Callable[[], float] = time.monotonic) -> None:
        self._chat = chat
        self._command = command
        self._timer = timer
        self._began = timer()
        self._parent: Posted | None = None
        self._progress: Posted | None = None
        self._read_as = ""
        self._refusal: str | None = None

    @property
    def parent(self) -> Posted | None:
        """The message that the thread hangs from; None: there is no thread."""
        return self._parent if self._refusal is None else None

    async def whisper(self, markup: str) -> None:
        """Tell the asker alone; raises ``ChatError``."""
        await self.whisper_message(render_sentence(markup))

    async def whisper_message(self, message: Message) -> None:
        """The same for a whole message."""
        command = self._command
        if command.is_direct and command.user:
            # there is nobody else who could read it
            await self._chat.post(command.channel, message, thread=command.thread or None)
        elif command.response_url:
            await self._chat.whisper(command.response_url, message)
        elif command.user:
            await self._whisper_by_name(message)
        else:
            log.warning("a private answer was not sent: the delivery names no address for it")

    async def _whisper_by_name(self, message: Message) -> None:
        """Where no address came with the question: in its channel, else as a direct message."""
        if self._command.channel:
            try:
                await self._chat.whisper_in(
                    self._command.channel, self._command.user, message, thread=self._command.thread or None
                )
            except ChatError as error:
                log.info("a private answer goes to the direct message (%s)", error.code)
            else:
                return
        await self._chat.direct(self._command.user, message)

    async def open(
        self, label: str, facility: FacilitySettings, kind: SubjectKind = SubjectKind.PACKAGE, *notes: str
    ) -> None:
        """Post the parent and the progress message; where Slack refuses, the answer will be told privately instead.

        ``notes``: what else belongs beside the question, as markup. In a thread there is no parent of our own.
        """
        asked = "\n".join([words.asked(label, facility.name, self._command.user, kind), *notes])
        try:
            if self._command.thread:
                self._parent = Posted(self._command.channel, self._command.thread)
                self._read_as = f"{asked}\n"
            elif self._command.channel:
                self._parent = await self._chat.post(self._command.channel, render_sentence(asked))
            else:
                self._parent = await self._chat.direct(self._command.user, render_sentence(asked))
            self._progress = await self._reply(render_sentence(self._read_as + words.working()))
        except ChatError as error:
            self._refusal = error.code
            log.warning("the question is answered privately: %s", error)

    async def show(self, stage: str) -> None:
        """Edit the progress message; raises ``ChatError``."""
        await self._rewrite_progress(words.working(stage))

    async def deliver(self, diagnosis: Diagnosis, facility: FacilitySettings, offer: Offer | None = None) -> None:
        """The answer, what follows from it (``offer``), what it rests on.

        Raises ``ChatError`` when not even a private answer was taken.
        """
        await self._close_progress(words.done(self._timer() - self._began))
        answer = render_answer(diagnosis, facility, self._command.user)
        try:
            await self._reply(answer)
        except ChatError as error:
            await self._tell_privately(answer, render_summary(diagnosis), error.code)
            await _offered(offer, None)
            return
        await _offered(offer, self._parent)
        await self._reply_evidence(diagnosis, facility)

    async def deliver_all(self, messages: Sequence[Message]) -> None:
        """An answer of several messages; where the thread does not take the first, it is told privately."""
        await self._close_progress(words.done(self._timer() - self._began))
        try:
            await self._reply(messages[0])
        except ChatError as error:
            await self._tell_privately(messages[0], messages[0].text, error.code)
            return
        for message in messages[1:]:
            await self._reply(message)

    async def attach(self, name: str, content: bytes, *, title: str, alt: str) -> bool:
        """A file in the thread; False: there is no thread, or Slack did not take it."""
        if self.parent is None:
            return False
        try:
            await self._chat.upload(self.parent.channel, self.parent.ts, name, content, title=title, alt=alt)
        except ChatError as error:
            log.warning("a file was not shown: %s", error)
            return False
        return True

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

    async def _tell_privately(self, answer: Message, summary: str, reason: str) -> None:
        """A direct message where the channel is closed to the bot and the scope is granted; else a whisper."""
        why = words.cannot_post(reason, BOT_NAME)
        if reason in NO_ENTRY and self._command.user:
            missed = ask_words.missed_channel(self._command.channel, why)
            try:
                await self._chat.direct(
                    self._command.user, Message(f"{answer.text}\n{missed}", (*answer.blocks, section(missed)))
                )
            except ChatError as error:
                log.info("there is no direct message (%s)", error.code)
            else:
                return
        await self.whisper_message(Message(f"{summary}\n{why}", (section(summary), section(why))))

    async def _close_progress(self, sentence: str) -> None:
        try:
            await self._rewrite_progress(sentence)
        except ChatError as error:
            log.warning("the progress message was not closed: %s", error)

    async def _rewrite_progress(self, markup: str) -> None:
        if self._progress is not None:
            await self._chat.edit(self._progress, render_sentence(self._read_as + markup))


async def _offered(offer: Offer | None, parent: Posted | None) -> None:
    if offer is not None:
        await offer(parent)
