"""What the mirror shows of a shop's rhythm, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bot.model import Feed, MetrcDelivery, MetrcItem, MetrcReceipt, Window
from bot.ports import Portion
from storage.watching import SqlStatistics

NOW = datetime(2026, 3, 3, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(NOW - 9 * HOUR, NOW)

EARLY = MetrcReceipt(1, None, "S1", NOW - 5 * HOUR, NOW - 4 * HOUR, NOW - 4 * HOUR)
LATE = MetrcReceipt(2, None, None, NOW - 2 * HOUR, NOW - HOUR, NOW - HOUR, archived_on=date(2026, 3, 3))
UNTIMED = MetrcReceipt(3, None, "S3", None, NOW - 3 * HOUR, NOW - 3 * HOUR)


@pytest.fixture
async def statistics(books):
    mirror = books.mirror("L1")
    await mirror.store(Feed.RECEIPTS_ACTIVE, [EARLY, LATE, UNTIMED], WINDOW, NOW)
    await mirror.store(Feed.DELIVERIES_ACTIVE, [MetrcDelivery(7, None, NOW - HOUR, NOW, NOW)], WINDOW, NOW)
    await mirror.store(Feed.ITEMS, [MetrcItem(1, "Night Lantern", last_modified=NOW), MetrcItem(2, None)], WINDOW, NOW)
    other = books.mirror("L2")
    await other.store(Feed.RECEIPTS_ACTIVE, [MetrcReceipt(9, None, "X", NOW, NOW, NOW)], WINDOW, NOW)
    return SqlStatistics(books.database, "L1")


async def test_receipts_and_deliveries_are_those_sold_since_then(statistics):
    """Oldest sale first, voided ones too, of this license only."""
    found = await statistics.receipts(NOW - 5 * HOUR)
    assert [(r.id, r.external_number, r.recorded_at, r.archived_on) for r in found] == [
        (1, "S1", NOW - 4 * HOUR, None),
        (2, None, NOW - HOUR, date(2026, 3, 3)),
    ]
    assert [r.id for r in await statistics.receipts(NOW - 4 * HOUR)] == [2]
    assert [(d.id, d.sold_at) for d in await statistics.deliveries(NOW - HOUR)] == [(7, NOW - HOUR)]


async def test_records_come_in_the_order_of_recording(statistics):
    """With the moment of the sale, where METRC tells it."""
    assert await statistics.recorded(NOW - 4 * HOUR) == (
        (NOW - 5 * HOUR, NOW - 4 * HOUR),
        (None, NOW - 3 * HOUR),
        (NOW - 2 * HOUR, NOW - HOUR),
    )
    assert await statistics.newest_record() == NOW - HOUR


async def test_a_shop_without_records_has_no_newest_one(books):
    """Nothing was mirrored, so there is nothing to tell."""
    empty = SqlStatistics(books.database, "L9")
    assert await empty.newest_record() is None
    assert await empty.recorded(NOW - HOUR) == ()


async def test_receipts_and_deliveries_are_read_at_one_moment(statistics):
    """The same as each by itself."""
    both = await statistics.receipts(NOW - 5 * HOUR), await statistics.deliveries(NOW - 5 * HOUR)
    assert await statistics.sold(NOW - 5 * HOUR) == both


async def test_several_feeds_are_stored_together_and_told_of_together(books):
    """Rows and claims of all in one transaction; what is held of every license comes in one answer, holes and all."""
    mirror, other = books.mirror("L1"), books.mirror("L2")
    old = Window(NOW - 9 * HOUR, NOW - 5 * HOUR)
    await mirror.store(Feed.RECEIPTS_ACTIVE, [EARLY], old, NOW)
    fresh = Window(NOW - HOUR, NOW)
    feeds = (Feed.RECEIPTS_ACTIVE, Feed.ITEMS)
    portions = [Portion(feeds[0], [LATE], fresh), Portion(feeds[1], [MetrcItem(1, "A", last_modified=NOW)], fresh)]
    stored = await mirror.store_all(portions, NOW)
    assert {feed: coverage.window for feed, coverage in stored.items()} == dict.fromkeys(feeds, fresh)
    assert stored[feeds[0]].earlier == (old,)
    await other.store(Feed.ITEMS, [], fresh, NOW)
    held = await books.holdings.held(feeds)
    assert held == {"L1": stored, "L2": {Feed.ITEMS: await other.coverage(Feed.ITEMS)}}
    assert len(await books.statistics("L1").receipts(NOW - 9 * HOUR)) == 2
