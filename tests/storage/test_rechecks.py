"""Promises to look again: kept once, by one process, however often they are claimed and whoever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.follow_ups import Recheck
from bot.model import SubjectKind

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
LEASE = timedelta(seconds=120)
HOUR = timedelta(hours=1)


def promised(name="d1", due=NOW):
    return Recheck(name, "402R-X0042", SubjectKind.PACKAGE, "1A4", "C0FLOOR", "1.1", "U0DANA", due)


async def test_a_promise_is_kept_once(books):
    """Booked twice, claimed twice, done once, and gone after that."""
    rechecks = books.rechecks
    assert await rechecks.book(promised())
    assert not await rechecks.book(promised())
    assert await rechecks.claim("one", NOW - HOUR, LEASE) is None
    claimed = await rechecks.claim("one", NOW, LEASE)
    assert (claimed.recheck, claimed.tried_since) == (promised(), None)
    assert await rechecks.claim("two", NOW, LEASE) is None
    assert await rechecks.done(claimed, NOW)
    assert not await rechecks.done(claimed, NOW)
    assert await rechecks.claim("two", NOW + HOUR, LEASE) is None
    assert not await rechecks.book(promised())
    await rechecks.prune(NOW + HOUR)
    assert await rechecks.book(promised())


async def test_who_takes_over_knows_that_it_was_tried(books):
    """So that an answer which did go out is looked for; the first one's claim is worth nothing then."""
    rechecks = books.rechecks
    await rechecks.book(promised())
    dead = await rechecks.claim("one", NOW, LEASE)
    heir = await rechecks.claim("two", NOW + HOUR, LEASE)
    assert heir.tried_since == NOW
    assert not await rechecks.postpone(dead, NOW)
    assert not await rechecks.done(dead, NOW)
    assert await rechecks.postpone(heir, NOW + 2 * HOUR)
    assert await rechecks.claim("two", NOW + HOUR, LEASE) is None
    assert (await rechecks.claim("two", NOW + 2 * HOUR, LEASE)).tried_since == NOW


async def test_the_longest_due_comes_first(books):
    """Whatever the order of booking."""
    for name, due in (("b", NOW), ("a", NOW + HOUR), ("c", NOW - HOUR)):
        await books.rechecks.book(promised(name, due))
    claims = [await books.rechecks.claim("one", NOW + HOUR, LEASE) for _ in range(3)]
    assert [claim.recheck.id for claim in claims] == ["c", "b", "a"]
