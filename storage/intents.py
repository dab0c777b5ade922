"""The removals that were proposed: ``bot.ports.Intents`` in SQL.

A row is changed only where it is still what was read: state, fence and revision are columns and part of the condition;
all else is the ``body``. The audit rows of a change are written in its transaction, so there is never one without the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.audit import Entry
from bot.errors import StorageError
from bot.removals import MOVES, Card, IllegalMove, Intent, Press, Target, Verb, digest_of
from storage.audit import append_within
from storage.bodies import from_json, to_json
from storage.engine import Database
from storage.tables import RemovalCardRow, RemovalPressRow, RemovalRecordRow, RemovalRow, table_of

_REMOVALS = table_of(RemovalRow)
_CARDS = table_of(RemovalCardRow)
_RECORDS = table_of(RemovalRecordRow)
_PRESSES = table_of(RemovalPressRow)

_TRIES = 5
_WHERE = (_CARDS.c.channel, _CARDS.c.message, _CARDS.c.thread)


class SqlIntents:
    """See ``bot.ports.Intents``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, intent: Intent, told: Callable[[Intent], Sequence[Entry]]) -> Intent:
        """Keep a new intent, but for records that another open intent holds."""
        for _ in range(_TRIES):
            kept = await self._add(intent, told) or await self._holder(intent)
            if kept is not None:
                return kept
        raise StorageError("Others propose and end removals of the same records again and again.")

    async def _add(self, intent: Intent, told: Callable[[Intent], Sequence[Entry]]) -> Intent | None:
        # in one order always, or two that propose the same records could wait for each other
        ordered = sorted(intent.targets, key=lambda target: target.record_id)
        async with self._database.writing() as connection:
            free = {t.record_id for t in ordered if await self._hold(connection, intent, t)}
            if not free:
                return None
            kept = _of_these(intent, [t for t in intent.targets if t.record_id in free])
            await connection.execute(_REMOVALS.insert(), {"id": kept.id, **_columns(kept)})
            await append_within(self._database, connection, told(kept))
            return kept

    async def _holder(self, intent: Intent) -> Intent | None:
        """Whoever holds the first record; None: it was let go between the two questions."""
        return await self.holding(intent.facility, intent.system, intent.kind, intent.targets[0].record_id)

    async def save(self, before: Intent, after: Intent, entries: Sequence[Entry]) -> bool:
        """Write ``after`` if the row is still exactly ``before``. Raises ``IllegalMove`` for a move that there is not."""
        if after.state is not before.state and after.state not in MOVES[before.state]:
            raise IllegalMove(f"A removal that is {before.state} cannot become {after.state}.")
        async with self._database.writing() as connection:
            won = await connection.scalar(_where_still(before).values(**_columns(after)).returning(_REMOVALS.c.id))
            if won is None:
                return False
            if not after.state.is_open:
                await connection.execute(_let_go(after))
            await append_within(self._database, connection, entries)
        return True

    async def get(self, intent_id: str) -> Intent | None:
        """One intent; None: there is none of this id."""
        async with self._database.reading() as connection:
            body = await connection.scalar(select(_REMOVALS.c.body).where(_REMOVALS.c.id == intent_id))
        return body and from_json(Intent, body)

    async def holding(self, facility: str, system: str, kind: str, record_id: str) -> Intent | None:
        """The open intent that holds this record."""
        key = {"license": facility, "system": system, "kind": kind, "record_id": record_id}
        held = select(_RECORDS.c.removal_id).filter_by(**key).where(_RECORDS.c.is_open)
        found = await self._intents(select(_REMOVALS.c.body).where(_REMOVALS.c.id.in_(held)))
        return found[0] if found else None

    async def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Ids of those that the sweep has to look at, longest overdue first."""
        statement = select(_REMOVALS.c.id).where(_REMOVALS.c.due_at <= now).order_by(_REMOVALS.c.due_at).limit(limit)
        async with self._database.reading() as connection:
            return tuple(await connection.scalars(statement))

    async def pending(self, facilities: Collection[str]) -> tuple[Intent, ...]:
        """The open ones of these facilities, oldest first."""
        still = select(_RECORDS.c.removal_id).where(_RECORDS.c.license.in_(facilities), _RECORDS.c.is_open)
        order = (_REMOVALS.c.proposed_at, _REMOVALS.c.id)
        return await self._intents(select(_REMOVALS.c.body).where(_REMOVALS.c.id.in_(still)).order_by(*order))

    async def history(self, facilities: Collection[str], subject: str | None, limit: int) -> tuple[Intent, ...]:
        """All of these facilities, newest first; ``subject``: only those about this label or number."""
        wanted = select(_REMOVALS.c.body).where(_REMOVALS.c.license.in_(facilities))
        if subject is not None:
            wanted = wanted.where(_REMOVALS.c.subject == subject)
        order = (_REMOVALS.c.proposed_at.desc(), _REMOVALS.c.id)
        return await self._intents(wanted.order_by(*order).limit(limit))

    # --- cards

    async def place(self, intent_id: str, card: Card, revision: int) -> None:
        """Remember where a card is, and what it shows; one that is known already stays as it is."""
        columns = asdict(card) | {"removal_id": intent_id, "shown": revision}
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(_CARDS).values(**columns).on_conflict_do_nothing())

    async def cards(self, intent_id: str) -> tuple[Card, ...]:
        """Where the cards of an intent are, those that were posted first in front."""
        own = select(*_WHERE).where(_CARDS.c.removal_id == intent_id).order_by(_CARDS.c.message, _CARDS.c.channel)
        async with self._database.reading() as connection:
            found = (await connection.execute(own)).all()
        return tuple(Card(*where) for where in found)

    async def places(self, limit: int, intent_id: str | None = None) -> tuple[tuple[Intent, Card], ...]:
        """Cards, of this intent or of all, that show an older revision than it has."""
        both = _CARDS.join(_REMOVALS, _CARDS.c.removal_id == _REMOVALS.c.id)
        stale = select(_REMOVALS.c.body, *_WHERE).select_from(both).where(_CARDS.c.shown < _REMOVALS.c.revision)
        if intent_id is not None:
            stale = stale.where(_CARDS.c.removal_id == intent_id)
        async with self._database.reading() as connection:
            found = (await connection.execute(stale.order_by(_REMOVALS.c.proposed_at).limit(limit))).all()
        return tuple((from_json(Intent, body), Card(*where)) for body, *where in found)

    async def shown(self, card: Card, revision: int) -> bool:
        """The card shows this revision now; False: a newer one was shown before, which has to be shown again."""
        own = (_CARDS.c.channel == card.channel, _CARDS.c.message == card.message, _CARDS.c.shown <= revision)
        statement = update(_CARDS).where(*own).values(shown=revision).returning(_CARDS.c.message)
        async with self._database.writing() as connection:
            return await connection.scalar(statement) is not None

    # --- presses

    async def take(self, press: Press) -> bool:
        """Keep a press before it is acknowledged; False: it was taken before."""
        columns = {
            "id": press.id,
            "removal_id": press.intent_id,
            "verb": press.verb,
            "person": press.person,
            "team": press.team,
            "reason": press.reason,
            "pressed_at": press.at,
            "is_answered": False,
        }
        statement = self._database.insert(_PRESSES).values(**columns).on_conflict_do_nothing()

        async def insert(connection: AsyncConnection) -> bool:
            return await connection.scalar(statement.returning(_PRESSES.c.id)) is not None

        # Slack waits for it, and so do others who press at the same moment
        return await self._database.urgent.write(insert)

    async def was_taken(self, press_id: str) -> bool:
        """Whether this press was kept before."""
        async with self._database.reading() as connection:
            return await connection.scalar(select(_PRESSES.c.id).where(_PRESSES.c.id == press_id)) is not None

    async def answered(self, press_id: str) -> None:
        """The press has led to what it leads to."""
        async with self._database.writing() as connection:
            await connection.execute(update(_PRESSES).where(_PRESSES.c.id == press_id).values(is_answered=True))

    async def is_pressed(self, intent_id: str) -> bool:
        """Whether a press on it was taken that is not answered yet."""
        waiting = (_PRESSES.c.removal_id == intent_id, _PRESSES.c.is_answered.is_(False))
        async with self._database.reading() as connection:
            return await connection.scalar(select(_PRESSES.c.id).where(*waiting).limit(1)) is not None

    async def unanswered(self, before: datetime, limit: int) -> tuple[Press, ...]:
        """Presses taken before then that were never answered, oldest first."""
        left = (_PRESSES.c.is_answered.is_(False), _PRESSES.c.pressed_at < before)
        statement = select(_PRESSES).where(*left).order_by(_PRESSES.c.pressed_at).limit(limit)
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).all()
        return tuple(Press(r.id, r.removal_id, Verb(r.verb), r.person, r.team, r.pressed_at, r.reason) for r in found)

    # --- how

    async def _intents(self, statement: Select[Any]) -> tuple[Intent, ...]:
        async with self._database.reading() as connection:
            return tuple(from_json(Intent, body) for body in await connection.scalars(statement))

    async def _hold(self, connection: AsyncConnection, intent: Intent, target: Target) -> bool:
        """Whether the record was free; the database's own rule decides, also between two that try at once."""
        columns = {
            "license": intent.facility,
            "system": intent.system,
            "kind": intent.kind,
            "record_id": target.record_id,
            "removal_id": intent.id,
            "is_open": True,
        }
        statement = self._database.insert(_RECORDS).values(**columns).on_conflict_do_nothing()
        return await connection.scalar(statement.returning(_RECORDS.c.record_id)) is not None


def _of_these(intent: Intent, targets: Sequence[Target]) -> Intent:
    if len(targets) == len(intent.targets):
        return intent
    digest = digest_of(intent.system, intent.kind, targets, intent.sight)
    return replace(intent, targets=tuple(targets), digest=digest)


def _columns(intent: Intent) -> dict[str, Any]:
    return {
        "license": intent.facility,
        "subject": intent.subject.value,
        "state": intent.state,
        "fence": intent.fence,
        "revision": intent.revision,
        "proposed_at": intent.proposed_at,
        "due_at": intent.due_at,
        "body": to_json(Intent, intent),
    }


def _where_still(before: Intent) -> Any:  # noqa: ANN401 - an UPDATE whose type is the dialect's
    return update(_REMOVALS).where(
        _REMOVALS.c.id == before.id,
        _REMOVALS.c.state == before.state,
        _REMOVALS.c.fence == before.fence,
        _REMOVALS.c.revision == before.revision,
    )


def _let_go(intent: Intent) -> Any:  # noqa: ANN401 - as above
    return update(_RECORDS).where(_RECORDS.c.removal_id == intent.id).values(is_open=False)
