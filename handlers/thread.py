"""Where the answer to one question goes: a thread, else the asker's own eyes."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from bot.errors import ChatError
from bot.inquiries import Inquiry
from bot.model import Diagnosis, SubjectKind
from bot.settings import FacilitySettings
from handlers.chat import NO_ENTRY, Chat, Posted
from handlers.render import words
from handlers.render.blocks import Message, section
from handlers.render.diagnosis import render_answer, render_evidence, render_summary
from handlers.render.help import render_sentence

log = logging.getLogger(__name__)

BOT_NAME = "countlast"

Offer = Callable[[Posted | None], Awaitable[None]]
"""Posts what may be done, in the thread of this parent; None: the answer was told privately."""


def is_direct(channel: str) -> bool:
    """Whether it is a direct message of one person with the bot."""
    return channel.startswith("D")


@dataclass(frozen=True, slots=True)
class Command:
    """A question as it came in, by whichever entry. ``delivery`` is the same for every repeat of one, or empty.

    ``thread``: the thread that it was asked in, and is answered in; empty: a new one is begun. ``channel`` empty: it was
    asked where there is none. ``response_url``: where its asker can be answered privately, or empty. ``shelf``: what was
    counted. ``place``: the license that was chosen. ``trigger``: opens one form within three seconds.
    ``question``: the id under which it is kept; ``is_alone``: whether it asks one thing only; ``left``: what a process
    that died has begun for it. ``is_counted``: whether it was let in as one of its asker's questions of the minute.
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
    question: str = ""
    is_alone: bool = True
    left: tuple[Inquiry, ...] = ()
    is_counted: bool = False

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
        return is_direct(self.channel)


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
    def progress(self) -> Posted | None:
        """The message that says how far it is; None: there is none."""
        return self._progress

    @property
    def parent(self) -> Posted | None:
        """The message that the thread hangs from; None: there is no thread."""
        return self._parent if self._refusal is None else None

    def move(self, command: Command) -> None:
        """Nothing was told yet, and it belongs elsewhere."""
        self._command = command

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
        self,
        label: str,
        facility: FacilitySettings,
        kind: SubjectKind = SubjectKind.PACKAGE,
        *notes: str,
        key: str | None = None,
        again: bool = False,
    ) -> None:
        """Post the parent and the progress message; where Slack refuses, the answer will be told privately instead.

        ``notes``: what else belongs beside the question, as markup. In a thread there is no parent of our own.
        ``key``: by which both are found; ``again``: an earlier try may have posted them.
        """
        asked = "\n".join([words.asked(label, facility.name, self._command.user, kind), *notes])
        try:
            if self._parent is not None:
                self._read_as = f"{asked}\n" if self._command.thread else ""
            elif self._command.thread:
                self._parent = Posted(self._command.channel, self._command.thread)
                self._read_as = f"{asked}\n"
            elif self._command.channel:
                self._parent = await self._posted(None, asked, f"{key}-parent" if key else None, again=again)
            else:
                self._parent = await self._chat.direct(self._command.user, render_sentence(asked))
            if self._progress is None and self._parent is not None:
                working = self._read_as + words.working()
                self._progress = await self._posted(
                    self._parent, working, f"{key}-progress" if key else None, again=again
                )
        except ChatError as error:
            self._refusal = error.code
            log.warning("the question is answered privately: %s", error)

    async def _posted(self, parent: Posted | None, markup: str, key: str | None, *, again: bool) -> Posted:
        """A message of the thread, or the one that begins it; ``again``: it may be there already."""
        channel = parent.channel if parent else self._command.channel
        under = parent.ts if parent else None
        if again and key:
            try:
                found = await self._chat.find(channel, under, key)
            except ChatError as error:
                log.info("whether a message was posted could not be looked up (%s)", error.code)
            else:
                if found is not None:
                    return found
        return await self._chat.post(channel, render_sentence(markup), thread=under, key=key)

    def rejoin(self, parent: Posted, progress: str | None) -> None:
        """Go on in a thread that another process has opened; ``progress``: its message that says how far it is."""
        self._parent = parent
        self._progress = Posted(parent.channel, progress) if progress else None

    async def show(self, stage: str) -> None:
        """Edit the progress message; raises ``ChatError``."""
        await self._rewrite_progress(words.working(stage))

    async def deliver(
        self,
        diagnosis: Diagnosis,
        facility: FacilitySettings,
        offer: Offer | None = None,
        *,
        key: str | None = None,
        product: str = "",
    ) -> None:
        """The answer, what follows from it (``offer``), what it rests on. ``key``: see ``Chat.post``.

        ``product``: what the package holds; empty: not known.

        Raises ``ChatError`` when not even a private answer was taken.
        """
        await self._close_progress(words.done(self._timer() - self._began))
        answer = render_answer(diagnosis, facility, self._command.user, product)
        try:
            await self._reply(answer, key)
        except ChatError as error:
            await self._tell_privately(answer, render_summary(diagnosis, facility, product), error.code)
            await _offered(offer, None)
            return
        await _offered(offer, self._parent)
        await self._reply_evidence(diagnosis, facility)

    async def deliver_all(self, messages: Sequence[Message], *, key: str | None = None) -> None:
        """An answer of several messages; where the thread does not take the first, it is told privately."""
        await self._close_progress(words.done(self._timer() - self._began))
        try:
            await self._reply(messages[0], key)
        except ChatError as error:
            await self._tell_privately(messages[0], messages[0].text, error.code)
            return
        for message in messages[1:]:
            await self._reply(message)

    async def was_told(self, key: str) -> bool:
        """Whether the answer under this key is in the thread. Raises ``ChatError`` where nobody can look."""
        if self.parent is None:
            raise ChatError(words.posting_failed("no_thread"), code="no_thread")
        return await self._chat.find(self.parent.channel, self.parent.ts, key) is not None

    async def follow(self, offer: Offer | None) -> None:
        """What follows from an answer that was told already."""
        await self._close_progress(words.done(self._timer() - self._began))
        await _offered(offer, self.parent)

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

    async def _reply(self, message: Message, key: str | None = None) -> Posted:
        if self._parent is None or self._refusal is not None:
            raise ChatError(words.posting_failed(self._refusal or "no_thread"), code=self._refusal or "no_thread")
        return await self._chat.post(self._parent.channel, message, thread=self._parent.ts, key=key)

    async def _reply_evidence(self, diagnosis: Diagnosis, facility: FacilitySettings) -> None:
        try:
            for message in render_evidence(diagnosis, facility):
                await self._reply(message)
        except ChatError as error:
            log.warning("the evidence was not posted, the answer was: %s", error)

    async def _tell_privately(self, answer: Message, summary: str, reason: str) -> None:
        """A direct message where the channel is closed to the bot and the scope is granted; else a whisper."""
        if reason in NO_ENTRY and self._command.user:
            channel = self._command.channel
            missed = words.missed_channel(channel, words.cannot_post(reason, BOT_NAME, channel))
            try:
                await self._chat.direct(
                    self._command.user, Message(f"{answer.text}\n{missed}", (*answer.blocks, section(missed)))
                )
            except ChatError as error:
                log.info("there is no direct message (%s)", error.code)
            else:
                return
        why = words.cannot_post(reason, BOT_NAME)
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
