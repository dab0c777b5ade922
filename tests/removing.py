"""A METRC of receipts and nothing else, a Slack directory, and an office over a real database.

``Receipts`` is both ends of ``bot.ports``: what is looked at and what takes a record back. Whatever happens to it is a
line in its journal, which may be a file, so that it outlives a process. Every receipt has a twin that stays: its number
without the last digit.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot import removals
from bot.approve import Office
from bot.errors import (
    ChatError,
    MetrcRateLimited,
    MetrcRejected,
    MetrcServerFault,
    MetrcTimeout,
    MetrcUnauthorized,
)
from bot.model import DuplicateKind, Subject, SubjectKind
from bot.removals import Effect, Intent, Pace, Person, Policy, Press, Seen, Sight, Target, Verb, Way
from storage.books import SqlBooks

NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
SHOP = "402R-X0042"
LABEL = "1A4FF0100000022000001002"
HOME = "T0HOME"
ASKER, DANA, LEE, KIT = "U0ASKER", "U0DANA", "U0LEE", "U0KIT"
TWIN = "880102"


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


class Journal:
    """What happened, line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        self._lines.append(line)

    def lines(self) -> list[str]:
        return self._lines


class FileJournal(Journal):
    """The same in a file; a line is there or not, whoever dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def add(self, line: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)

    def lines(self) -> list[str]:
        return self._path.read_text().splitlines()


def keep_of(record: str) -> str:
    return record[:-1]


@dataclass
class Receipts:
    """``script``: what comes of the next deletes; without a word for it, one does what it should.

    ``lost`` after and ``lost_before`` the effect, ``504`` after it, ``late``: it lands 45 s after the caller gave up, ``504_late``: or after that,
    ``429``, ``400``, ``401``, ``200_nothing``; ``unfinal_400`` and ``unfinal_lost`` for an unfinalize.
    """

    clock: Clock
    journal: Journal = field(default_factory=Journal)
    records: tuple[str, ...] = (TWIN,)
    script: deque[str] = field(default_factory=deque)
    overrides: dict[str, dict[str, str]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    untwinned: set[str] = field(default_factory=set)
    landing: list[tuple[datetime, str]] = field(default_factory=list)
    drift: Decimal = Decimal(0)
    down: bool = False
    certain: bool = True
    hold: str = "none"
    retwinned: bool = False

    # --- what happens

    def voided(self) -> set[str]:
        self._land()
        return {line.split()[1] for line in self.journal.lines() if line.startswith("void ")}

    def final(self, record: str) -> bool:
        words = [line.split() for line in self.journal.lines()]
        told = [one[0] for one in words if one[0] in {"final", "unfinal"} and one[1] == record]
        return bool(told) and told[-1] == "final"

    def void(self, record: str, by: str = "other") -> None:
        if record not in self.voided():
            self.journal.add(f"void {record} {by}")

    def deletes(self, record: str | None = None) -> int:
        asked = [line.split()[1] for line in self.journal.lines() if line.startswith("DELETE ")]
        return len(asked) if record is None else asked.count(record)

    def unfinalizes(self) -> int:
        return sum(line.startswith("PUT ") for line in self.journal.lines())

    def effects(self, record: str) -> int:
        return sum(line == f"void {record} bot" for line in self.journal.lines())

    def _land(self) -> None:
        ready = [record for at, record in self.landing if at <= self.clock.now()]
        self.landing = [(at, record) for at, record in self.landing if record not in ready]
        for record in ready:
            self.void(record, "bot")

    # --- bot.ports.Remover

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        record = str(receipt_id)
        self.journal.add(f"DELETE {record}")
        way = self.script.popleft() if self.script else "ok"
        if way in {"ok", "lost", "504"}:
            self._take_away(record)
        self._answer(way, record, deadline)

    def _take_away(self, record: str) -> None:
        if self.final(record):
            raise MetrcRejected("A finalized receipt has to be unfinalized before it can be voided.")
        self.void(record, "bot")

    def _answer(self, way: str, record: str, deadline: float) -> None:
        if way in {"lost", "lost_before", "late"}:
            self.clock.forward(seconds=deadline)
            if way == "late":
                self.landing.append((self.clock.now() + timedelta(seconds=45), record))
            raise MetrcTimeout("METRC did not finish answering.")
        if way == "504_late":
            self.landing.append((self.clock.now() + timedelta(seconds=45), record))
        if way in {"504", "504_late"}:
            raise MetrcServerFault("METRC failed.", status=504)
        if way == "429":
            raise MetrcRateLimited("METRC wants quiet.", status=429, retry_after=7)
        if way == "400":
            raise MetrcRejected("METRC says no.")
        if way == "401":
            raise MetrcUnauthorized("METRC does not know this key.", status=401)

    async def unfinalize_receipt(self, receipt_id: int, deadline: float) -> None:
        way = self.script.popleft() if self.script and self.script[0].startswith("unfinal") else "ok"
        self.journal.add(f"PUT {receipt_id}")
        if way == "unfinal_400":
            raise MetrcRejected("It cannot be unfinalized.")
        self.journal.add(f"unfinal {receipt_id}")
        if way == "unfinal_lost":
            raise MetrcTimeout("METRC did not finish answering.")

    async def void_external_transfer(self, transfer_id: int, deadline: float) -> None:
        await self.void_receipt(transfer_id, deadline)

    # --- bot.ports.Lookout

    async def look(self, intent: Intent, targets: Sequence[Target]) -> Sight:
        self._must_answer()
        return self.sight(targets)

    async def gone(self, intent: Intent, target: Target) -> bool:
        self._must_answer()
        return target.record_id in self.voided()

    def _must_answer(self) -> None:
        if self.down:
            raise MetrcServerFault("METRC failed.", status=503)

    def sight(self, targets: Sequence[Target]) -> Sight:
        ids = [record for target in targets for record in (target.keep, target.record_id)]
        gone = self.voided()
        twins = tuple(r for r in self.records if r not in gone and r not in self.untwinned)
        amount = sum((Decimal(1) for record in self.records if record not in gone), self.drift)
        around = (
            Seen(removals.package_name(LABEL), (("hold", self.hold),)),
            Seen(removals.difference_name(LABEL), (("amount", str(amount)), ("unit", "Each"))),
        )
        again = tuple({keep_of(r) for r in self.records}) if self.retwinned else ()
        return Sight(
            at=self.clock.now(),
            seen=(*around, *(self._seen(record, gone) for record in ids)),
            twins=(*twins, *(("999",) if self.retwinned else ())),
            ready=tuple(record for record in twins if record not in self.waiting),
            kept=(*(keep_of(r) for r in twins), *again),
            certain=self.certain,
        )

    def _seen(self, record: str, gone: set[str]) -> Seen:
        if self.overrides.get(record, {}).get("there") == "no":
            return Seen(removals.receipt_name(record), None)
        facts = {
            removals.STANDING: removals.VOIDED if record in gone else removals.ACTIVE,
            removals.FINALIZED: "yes" if self.final(record) else "no",
            "number": "POS-1",
            "sale time": "2026-03-02T18:00:00-07:00",
            "total": "45",
            "lines": f"1 Each of {LABEL} at 45",
        }
        return Seen(removals.receipt_name(record), tuple((facts | self.overrides.get(record, {})).items()))


@dataclass
class People:
    """``bot.ports.Directory``: everybody is a person of the home workspace unless told otherwise."""

    persons: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    down: bool = False
    asked: int = 0

    async def person(self, user: str) -> Person:
        self._must_answer()
        return self.persons.get(user, Person(user, user.removeprefix("U0").title(), HOME))

    async def members(self, group: str) -> frozenset[str]:
        self._must_answer()
        if group not in self.groups:
            raise ChatError(f"There is no user group {group}.", code="no_such_subteam")
        return self.groups[group]

    def _must_answer(self) -> None:
        self.asked += 1
        if self.down:
            raise ChatError("Slack did not answer.", code="timeout")


ACTING = Policy(approvers=(DANA, LEE), second_person=True, act=True)


class Bench:
    """An office over a database, with everything about it within reach."""

    def __init__(self, books: SqlBooks, receipts: Receipts, policy: Policy = ACTING, pace: Pace | None = None) -> None:
        self.books = books
        self.receipts = receipts
        self.clock = receipts.clock
        self.policy = policy
        self.people = People()
        self.office = self.process("p1", pace)

    def process(self, owner: str, pace: Pace | None = None) -> Office:
        """Another process over the same database."""
        return Office(
            intents=self.books.intents,
            audit=self.books.audit,
            ledger=self.books.ledger,
            directory=self.people,
            fresh_directory=self.people,
            policy=lambda _license: self.policy,
            lookout=lambda _license: self.receipts,
            remover=lambda _license: self.receipts,
            clock=self.clock,
            owner=owner,
            pace=pace or Pace(),
        )

    def intent(self, *records: str, intent_id: str = "i1", way: Way = Way.API, needed: int = 1) -> Intent:
        intent = an_intent(self.receipts, records or self.receipts.records, intent_id)
        return replace(intent, way=way, needed=needed)

    async def proposed(self, *records: str, **more: object) -> Intent:
        """An intent on the table."""
        return await self.books.intents.add(self.intent(*records, **more), lambda _kept: ())

    def press(self, person: str = DANA, verb: Verb = Verb.APPROVE, intent_id: str = "i1", **more: object) -> Press:
        number = more.pop("number", 1)
        pressed = f"{verb}:{person}:{intent_id}:{number}"
        return Press(
            pressed, intent_id, verb, person, str(more.get("team", HOME)), self.clock.now(), str(more.get("reason", ""))
        )

    async def events(self) -> list[str]:
        return [row.event async for row in self.books.audit.rows()]


def an_intent(receipts: Receipts, records: Sequence[str], intent_id: str) -> Intent:
    now = receipts.clock.now()
    targets = tuple(Target(record, keep_of(record), (Effect(LABEL, Decimal(1)),)) for record in records)
    sight = receipts.sight(targets)
    return Intent(
        id=intent_id,
        facility=SHOP,
        system="metrc",
        kind=DuplicateKind.SALES_RECEIPT,
        subject=Subject(SubjectKind.PACKAGE, LABEL),
        diagnosis_id="d1",
        headline="Posted twice.",
        why="The POS keeps the other one.",
        askers=(ASKER,),
        team=HOME,
        proposed_at=now,
        expires_at=now + ACTING.approval,
        way=Way.API,
        needed=1,
        targets=targets,
        sight=sight,
        digest=removals.digest_of("metrc", DuplicateKind.SALES_RECEIPT, targets, sight),
        due_at=now + ACTING.approval,
    )
