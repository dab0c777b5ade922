"""The mirror reads what is missing and nothing else, and loses nothing on the way."""

import asyncio
import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import MetrcServerFault, MetrcUnauthorized, Problem, ProblemKind, StorageError
from bot.mirror import (
    CHUNK,
    MOST_SPANS,
    OVERLAP,
    delays_of,
    freshen,
    join,
    missing,
    posting_delays,
    read_delivery_lines,
    read_receipt_lines,
    read_transfer_packages,
    sync,
)
from bot.model import Backlog, Coverage, Direction, Feed, PackageList, PostingDelays, Reading, Transfer, Window
from storage.books import open_books
from storage.tables import Row
from tests.databases import books, database_url
from tests.forked import ended
from tests.syncing import LICENSE, NOW, SINCE, FakeMetrc, FakePos, day, dying, label, synced

__all__ = ["books", "database_url"]

FEED = Feed.RECEIPTS_ACTIVE
REFUSED = MetrcUnauthorized("METRC answered 401.", status=401)
DOWN = MetrcServerFault("METRC answered 503.", status=503)


def span(start, end):
    return Window(day(start), day(end))


def held(start, end, read=None, earlier=()):
    spans = tuple(span(*each) for each in earlier)
    return Coverage(FEED, span(start, end), day(end if read is None else read), spans)


class MemoryMirror:
    """Only what freshening needs: windows in the order they were stored, joined to a coverage."""

    def __init__(self, coverage=None):
        self.covered = {FEED: coverage} if coverage else {}
        self.stored = []

    async def coverage(self, feed):
        return self.covered.get(feed)

    async def store(self, feed, rows, covered, read_at):
        self.stored.append((covered, tuple(rows)))
        self.covered[feed] = join(self.covered.get(feed), Coverage(feed, covered, read_at))
        return self.covered[feed]


# --- what is held -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "joined"),
    [
        (None, held(0, 2), held(0, 2)),  # the first
        (held(0, 2), held(2, 4), held(0, 4)),  # touching after
        (held(2, 4, read=9), held(0, 2), held(0, 4, read=9)),  # touching before: the end was read then
        (held(0, 3), held(1, 4), held(0, 4)),  # overlapping after
        (held(1, 4, read=9), held(0, 2), held(0, 4, read=9)),  # overlapping before
        (held(0, 9, read=10), held(2, 3, read=11), held(0, 9, read=10)),  # inside: its end is as old as before
        (held(0, 9, read=9), held(2, 9, read=11), held(0, 9, read=11)),  # the same end, read again
        (held(2, 3), held(0, 9), held(0, 9)),  # around
        (held(0, 2), held(3, 4), held(3, 4, earlier=[(0, 2)])),  # a hole, the newer one is the coverage
        (held(3, 4), held(0, 2, read=9), held(3, 4, earlier=[(0, 2)])),  # a hole, the older one lies before it
        (held(6, 7, earlier=[(0, 2)]), held(3, 4), held(6, 7, earlier=[(0, 2), (3, 4)])),  # two holes
        (held(3, 4, earlier=[(0, 2)]), held(2, 3, read=9), held(0, 4)),  # a hole is closed
        (held(6, 7, earlier=[(0, 2), (3, 4)]), held(2, 3), held(6, 7, earlier=[(0, 4)])),  # the older of two is
    ],
)
def test_coverages_join_without_a_hole(old, new, joined):
    """What touches becomes one; across a hole the newer is the coverage, and the older is remembered."""
    assert join(old, new) == joined


def test_of_many_holes_the_oldest_are_forgotten():
    """So that one row stays small; what is forgotten is read again."""
    coverage = None
    for day_ in range(0, 60, 2):
        coverage = join(coverage, held(day_, day_ + 1))
    assert (coverage.window, coverage.earlier[0], len(coverage.earlier)) == (span(58, 59), span(18, 19), MOST_SPANS)


@pytest.mark.parametrize(
    ("coverage", "wanted", "holes"),
    [
        ((3, 6), (3, 6), ()),
        ((3, 6), (4, 5), ()),
        ((3, 6), (1, 7), ((1, 3), (6, 7))),
        ((3, 6), (0, 2), ((0, 2),)),
        ((3, 6), (7, 8), ((7, 8),)),
        ((5, 6, (1, 2), (3, 4)), (0, 6), ((0, 1), (2, 3), (4, 5))),
        ((5, 6, (1, 2), (3, 4)), (3, 6), ((4, 5),)),
        ((5, 6, (1, 2), (3, 4)), (1, 3), ((2, 3),)),
    ],
)
def test_the_holes_of_what_is_wanted_are_named(coverage, wanted, holes):
    """Each span that is not held, oldest first."""
    start, end, *earlier = coverage
    assert held(start, end, earlier=earlier).holes(span(*wanted)) == tuple(span(*hole) for hole in holes)


spans = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple)


@given(st.lists(spans, min_size=1, max_size=8))
def test_a_coverage_never_claims_what_was_not_stored(stored):
    """Whatever is stored in whatever order, every day that is claimed lies in a stored window."""
    coverage = None
    for start, end in stored:
        coverage = join(coverage, held(start, end))
    halves = [n / 2 for n in range(60)]
    spans_held = (*coverage.earlier, coverage.window)
    claimed = [at for at in halves if any(each.start <= day(at) <= each.end for each in spans_held)]
    assert all(any(start <= at <= end for start, end in stored) for at in claimed)
    assert coverage.window.end == day(max(end for _, end in stored))


# --- what is missing --------------------------------------------------------------------------------------------------


def test_an_empty_mirror_is_filled_from_the_oldest_on():
    """In pieces, each touching the one before."""
    assert missing(None, span(0, 17)) == (span(0, 7), span(7, 14), span(14, 17))


def test_a_warm_mirror_reads_only_the_tail():
    """From a little before the end of what is held."""
    assert missing(span(0, 10), span(3, 11)) == (Window(day(10) - OVERLAP, day(11)),)


def test_a_longer_past_is_read_backwards_after_the_tail():
    """First what is newest, then the head, nearest first, so that each piece touches what is held."""
    tail, near, far = missing(span(10, 20), span(0, 21))
    assert tail == Window(day(20) - OVERLAP, day(21))
    assert near == Window(day(7), day(10) + OVERLAP)
    assert far == span(0, 7)


def test_a_question_about_after_the_coverage_reads_no_more_than_it_asks():
    """What lies between an old coverage and the question is not read."""
    assert missing(span(0, 2), span(10, 11)) == (span(10, 11),)


def test_a_clock_that_was_set_back_reads_nothing():
    """Held beyond now, nothing is missing."""
    assert missing(span(0, 10), span(3, 8)) == ()


@given(st.lists(spans, min_size=1, max_size=5), spans)
def test_holes_are_read_once_and_what_is_held_between_them_is_not(stored, wanted):
    """All that was wanted is held in the end; read again is only the overlap at each seam."""
    coverage = None
    for start, end in stored:
        coverage = join(coverage, held(start, end))
    before, read = coverage, []
    for window in missing(coverage.window, span(*wanted), earlier=coverage.earlier):
        coverage = join(coverage, Coverage(FEED, window, NOW))
        read.append(window)
    assert coverage.holes(span(*wanted)) == ()
    if day(wanted[0]) <= before.window.end:
        whole = Window(day(wanted[0]), max(day(wanted[1]), before.window.end))
        lacked = sum((hole.width for hole in before.holes(whole)), timedelta(0))
        assert sum((window.width for window in read), timedelta(0)) <= lacked + 2 * OVERLAP * (len(read) + 1)


async def test_a_window_that_fails_leaves_a_hole_and_costs_nothing_behind_it():
    """The later windows are kept, the error is told, and the next time only the hole is read."""
    mirror, metrc = MemoryMirror(), FailingOnce(day(9))
    with pytest.raises(MetrcServerFault):
        await freshen(metrc, mirror, FEED, day(0), day(28))
    left = await mirror.coverage(FEED)
    assert (left.window, left.earlier) == (span(14, 28), (span(0, 7),))
    metrc.asked.clear()
    coverage = await freshen(metrc, mirror, FEED, day(0), day(28))
    assert (coverage.window, coverage.earlier) == (span(0, 28), ())
    asked = [window for _, window in metrc.asked]
    assert (min(w.start for w in asked), max(w.end for w in asked)) == (day(7) - OVERLAP, day(28))
    assert sum((w.width for w in asked), timedelta(0)) == timedelta(days=7) + 3 * OVERLAP


class FailingOnce(FakeMetrc):
    """Breaks down over the window that holds this moment, the first time."""

    def __init__(self, moment) -> None:
        super().__init__()
        self.moment = moment

    async def receipts(self, *, active, window):
        if self.moment is not None and window.start < self.moment < window.end:
            self.moment = None
            raise DOWN
        return await super().receipts(active=active, window=window)


@given(st.none() | spans, spans)
def test_what_is_missing_makes_the_wanted_span_held(had, wanted):
    """Once the windows are stored in their order, all that was wanted is held, and at no step more than was stored."""
    coverage = held(*had) if had else None
    for window in missing(coverage.window if coverage else None, span(*wanted)):
        after = join(coverage, Coverage(FEED, window, NOW))
        if coverage and coverage.window.end >= window.start:
            assert after.window.start <= coverage.window.start  # nothing that was held is given up
        assert window.width <= CHUNK
        coverage = after
    assert coverage.window.start <= day(wanted[0])
    assert coverage.window.end >= day(wanted[1])


# --- one feed ---------------------------------------------------------------------------------------------------------


async def test_freshening_stores_each_window_and_says_what_is_held():
    """The rows of each window are stored with it, and the whole span is held in the end."""
    mirror = MemoryMirror()
    coverage = await freshen(FakeMetrc(), mirror, FEED, SINCE, NOW)
    assert coverage == Coverage(FEED, Window(SINCE, NOW), NOW)
    assert [len(rows) for _, rows in mirror.stored] == [7, 8, 8, 7, 0]  # a row on a seam is seen from both sides
    assert {row.id for _, rows in mirror.stored for row in rows} == set(range(1, 28))


async def test_freshening_again_asks_for_the_overlap_only():
    """A warm mirror costs one request a feed."""
    mirror, metrc = MemoryMirror(Coverage(FEED, Window(SINCE, NOW), NOW)), FakeMetrc()
    later = NOW + timedelta(minutes=1)
    coverage = await freshen(metrc, mirror, FEED, SINCE, later)
    assert metrc.asked == [("receipts/active", Window(NOW - OVERLAP, later))]
    assert coverage == Coverage(FEED, Window(SINCE, later), later)


async def test_freshening_says_what_is_held_also_when_nothing_is_missing():
    """A clock that was set back asks nothing and claims no more than before."""
    before = Coverage(FEED, Window(SINCE, NOW), NOW)
    metrc = FakeMetrc()
    assert await freshen(metrc, MemoryMirror(before), FEED, SINCE, day(5)) == before
    assert metrc.asked == []


async def test_what_was_stored_before_an_outage_stays():
    """The error is METRC's own, and starting again goes on where it stopped."""
    mirror, metrc = MemoryMirror(), FakeMetrc()
    metrc.failing["receipts/active", span(14, 21)] = DOWN
    with pytest.raises(MetrcServerFault):
        await freshen(metrc, mirror, FEED, SINCE, NOW)
    assert mirror.covered[FEED].earlier == (span(0, 14),)
    metrc.failing.clear()
    metrc.asked.clear()
    assert (await freshen(metrc, mirror, FEED, SINCE, NOW)).window == Window(SINCE, NOW)
    assert min(window.start for _, window in metrc.asked) == day(14) - OVERLAP


async def test_the_past_alone_is_read_where_the_newest_was_read_a_moment_ago():
    """No tail is asked for again, and the end of what is held stays as old as it was."""
    mirror, metrc = MemoryMirror(held(10, 20)), FakeMetrc()
    coverage = await freshen(metrc, mirror, FEED, day(5), day(20), newest=False)
    assert metrc.asked == [("receipts/active", Window(day(5), day(10) + OVERLAP))]
    assert coverage == held(5, 20)


async def test_windows_of_one_feed_are_asked_for_at_once():
    """None waits for another's answer; they are stored in order all the same."""
    mirror, metrc = MemoryMirror(), WaitingMetrc(count=5)
    async with asyncio.timeout(5):
        coverage = await freshen(metrc, mirror, FEED, SINCE, NOW)
    assert coverage.window == Window(SINCE, NOW)
    starts = [window.start for window, _ in mirror.stored]
    assert starts == sorted(starts)


class WaitingMetrc(FakeMetrc):
    """Answers nobody before ``count`` are waiting, then the last of them first."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.all_here = count, asyncio.Event()

    async def receipts(self, *, active, window):
        self.count -= 1
        turn = self.count
        if turn == 0:
            self.all_here.set()
        await self.all_here.wait()
        for _ in range(turn):
            await asyncio.sleep(0)
        return await super().receipts(active=active, window=window)


@pytest.mark.parametrize("feed", Feed)
async def test_every_feed_asks_its_own_list(feed):
    """Each feed is read from the list that it is named after, and from no other."""
    metrc = FakeMetrc()
    await freshen(metrc, MemoryMirror(), feed, day(1), day(2))
    expected = {
        Feed.PACKAGES_TRANSFERRED: "transferred",
        Feed.ADJUSTMENTS: "adjustments",
        Feed.ITEMS: "items",
    }
    assert metrc.asked == [(expected.get(feed, feed.value), span(1, 2))]


# --- lines ------------------------------------------------------------------------------------------------------------


async def test_one_receipt_that_fails_costs_no_other(books):
    """Those read are told and stored; the failure is told with its receipt."""
    metrc, mirror = FakeMetrc(), books.mirror(LICENSE)
    metrc.failing["receipt", 2] = REFUSED
    rows = [replace(row, lines=None) for row in metrc.receipt_rows[:3]]
    read, failed = await read_receipt_lines(metrc, mirror, rows, NOW)
    assert read == (metrc.receipt_rows[0], metrc.receipt_rows[2])
    assert failed == ((rows[1], REFUSED.problem),)
    assert await mirror.receipts_touching(label(1)) == (metrc.receipt_rows[0],)


async def test_deliveries_are_read_by_id(books):
    """With their lines, and stored."""
    metrc, mirror = FakeMetrc(), books.mirror(LICENSE)
    read, failed = await read_delivery_lines(metrc, mirror, metrc.delivery_rows, NOW)
    assert (read, failed) == (tuple(metrc.delivery_rows), ())
    assert await mirror.deliveries_between(Window(SINCE, NOW)) == read


async def test_a_manifest_that_names_no_delivery_is_told(books):
    """It cannot be asked for packages, and the others are read."""
    metrc, mirror = FakeMetrc(), books.mirror(LICENSE)
    blind = Transfer(9, "0000000009", Direction.INCOMING)
    read, failed = await read_transfer_packages(metrc, mirror, [blind, metrc.transfer_rows[0]], NOW)
    assert [one.packages[0].label for one in read] == [label(54)]
    assert [(one, problem.kind) for one, problem in failed] == [(blind, ProblemKind.NOT_FOUND)]
    assert await mirror.transfers_touching(label(54)) == read


class BrokenMirror(MemoryMirror):
    async def store_receipt(self, receipt, read_at):
        raise StorageError("The database is full.")


async def test_a_broken_database_is_told_as_it_is():
    """Its error comes out itself, not in a group, and is never taken for METRC's."""
    metrc = FakeMetrc()
    with pytest.raises(StorageError, match="full"):
        await read_receipt_lines(metrc, BrokenMirror(), metrc.receipt_rows, NOW)


# --- everything -------------------------------------------------------------------------------------------------------


async def test_a_sync_fills_everything(books):
    """Every feed, the lines of all live sales and deliveries, all manifests' packages, and the POS's books."""
    report = await synced(books)
    assert report.problems == {}
    assert {"packages/active", "receipts/lines", "deliveries/lines", "transfers/packages", "pos"} <= set(report.rows)
    assert (report.rows["receipts/lines"], report.rows["deliveries/lines"], report.rows["pos"]) == (27, 2, 3)
    mirror = books.mirror(LICENSE)
    assert {feed: (await mirror.coverage(feed)).window for feed in Feed} == dict.fromkeys(Feed, Window(SINCE, NOW))
    assert await mirror.receipts_unread(SINCE, 9) == ()
    assert await mirror.transfers_unread(SINCE, 9) == ()
    assert len(await mirror.adjustments_of(label(1))) == 2
    assert [one.direction for one in await mirror.transfers_touching(label(54))] == ["incoming", "outgoing"]


async def test_a_second_sync_costs_a_request_a_feed(books):
    """Nothing changed, so no line is read again, and the tail is all that is asked for."""
    first = await synced(books)
    metrc = FakeMetrc()
    second = await sync(metrc, FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW + timedelta(minutes=1))
    assert second.requests == len(Feed) == len(metrc.asked)
    assert first.requests > second.requests


async def test_a_feed_that_is_refused_costs_no_other(books):
    """Items need a right that a good key may lack: it is told, and the rest is synced."""
    metrc = FakeMetrc()
    metrc.failing["items"] = REFUSED
    metrc.failing["receipt", 5] = DOWN
    report = await sync(metrc, FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW)
    assert report.problems == {"items/active": (REFUSED.problem,), "receipts/lines": (DOWN.problem,)}
    assert report.rows["receipts/lines"] == 26
    assert report.requests == metrc.requests
    assert [one.id for one in await books.mirror(LICENSE).receipts_unread(SINCE, 9)] == [5]


async def test_an_outage_ends_a_sync_instead_of_asking_for_ever(books):
    """When whole batches fail, each record is tried once."""
    metrc = FakeMetrc()
    metrc.failing |= {"receipt": DOWN, "transfer_packages": DOWN, "delivery": DOWN}
    report = await sync(metrc, FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW)
    assert report.problems == dict.fromkeys(
        ("receipts/lines", "deliveries/lines", "transfers/packages"), (DOWN.problem,)
    )
    assert sum(name == "receipt" for name, _ in metrc.asked) == 27


async def test_a_receipt_that_metrc_tells_older_by_id_than_in_its_list_is_tried_once(books):
    """A record that stays unread whatever is done does not keep a sync busy."""
    metrc = FakeMetrc()
    stale = replace(metrc.receipt_rows[0], last_modified=day(0))

    async def receipt(_receipt_id):
        return stale

    metrc.receipt_rows = metrc.receipt_rows[:1]
    metrc.receipt = receipt
    async with asyncio.timeout(10):
        await sync(metrc, FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW)


async def test_a_pos_book_that_cannot_be_read_is_told(books):
    """An unreadable book is a problem; one that this POS does not offer is none."""
    broken = Problem(ProblemKind.UNREADABLE, "sales.csv has no column sale_id.")
    missing_book = Reading("pos", "events", problem=Problem(ProblemKind.NOT_OFFERED, "Not offered."))
    pos = FakePos(sales=Reading("pos", "sales", problem=broken), events=missing_book)
    report = await sync(FakeMetrc(), pos, books.mirror(LICENSE), since=SINCE, now=NOW)
    assert report.problems == {"pos": (broken,)}
    assert report.rows["pos"] == 1


async def test_progress_is_told_by_feed(books):
    """Each feed says how many of its windows are done, and ends with all of them."""
    told = []
    await sync(
        FakeMetrc(), FakePos(), books.mirror(LICENSE), since=SINCE, now=NOW, progress=lambda *step: told.append(step)
    )
    assert [step for step in told if step[0] == FEED.value] == [(FEED.value, n, 5) for n in range(1, 6)]
    assert ("receipts/lines", 27, 27) in told


async def test_a_package_that_moves_between_lists_is_told_where_it_is(books):
    """Finished since the last sync, it leaves the active list and is found in the inactive one."""
    await synced(books)
    metrc = FakeMetrc()
    moved = NOW + timedelta(minutes=1)
    metrc.package_rows = [
        replace(one, listing=PackageList.INACTIVE, last_modified=moved) if one.id == 1 else one
        for one in metrc.package_rows
    ]
    mirror = books.mirror(LICENSE)
    await sync(metrc, FakePos(), mirror, since=SINCE, now=moved)
    assert (await mirror.package(label(1))).listing is PackageList.INACTIVE


async def contents(books):
    async with books.database.reading() as connection:
        return {
            name: sorted(map(repr, (await connection.execute(table.select())).all()))
            for name, table in Row.metadata.tables.items()
        }


def sync_until(url, writes):
    return ended(dying, url, writes)


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    """What a sync leaves that nobody disturbs."""

    async def rows():
        alone = await open_books(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('alone')}/alone.db")
        await synced(alone)
        found = await contents(alone)
        await alone.close()
        return found

    return asyncio.run(rows())


@pytest.mark.parametrize("writes", [4, 40, 130])
async def test_a_sync_may_be_killed_anywhere(database_url, left_alone, writes):
    """Killed before its n-th write and started again, it arrives at the same rows as one that was left alone."""
    assert sync_until(database_url, writes) == -signal.SIGKILL
    killed = await open_books(database_url)
    assert await contents(killed) != left_alone
    await synced(killed)
    assert await contents(killed) == left_alone
    await killed.close()


# --- posting delays ---------------------------------------------------------------------------------------------------


def test_delays_are_nearest_rank_percentiles():
    """Each percentile is a delay that happened; one sale is its own distribution."""
    seconds = [timedelta(seconds=n) for n in range(1, 1001)]
    assert posting_delays(reversed(seconds)) == PostingDelays(1000, 500.0, 950.0, 999.0)
    assert posting_delays([timedelta(seconds=1.4)]) == PostingDelays(1, 1.4, 1.4, 1.4)


def test_impossible_delays_are_dropped():
    """A sale recorded before it was rung up tells of a wrong clock, not of a delay."""
    assert posting_delays([timedelta(seconds=-1)]) is None
    assert posting_delays([timedelta(0), timedelta(hours=-7)]) == PostingDelays(1, 0.0, 0.0, 0.0)


# --- after an outage --------------------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
USUAL = [(day(n), day(n) + MINUTE) for n in range(1, 20)]
OUTAGE = [(day(20) + timedelta(minutes=20 * n), day(20) + timedelta(hours=3, minutes=20, seconds=n)) for n in range(10)]


def test_an_outages_delays_are_its_own():
    """Ten sales of three hours arrived within seconds: the shop has not become slower, and they are one event."""
    delays = delays_of([*OUTAGE, *USUAL])
    assert delays.backlogs == (Backlog(10, day(20), OUTAGE[-1][0], OUTAGE[0][1], OUTAGE[-1][1]),)
    assert (delays.p50, delays.p999) == (60.0, 60.0)


def test_what_is_no_outage_is_learned_from():
    """Too few; a shop that always posts so; and late ones beside others that were recorded meanwhile."""
    few, nightly = OUTAGE[:4], OUTAGE
    meanwhile = [(day(20) + n * MINUTE, day(20) + (n + 1) * MINUTE) for n in range(20, 180, 5)]
    assert delays_of([*few, *USUAL]).backlogs == ()
    assert delays_of(nightly).backlogs == ()
    assert delays_of([*OUTAGE, *USUAL, *meanwhile]).backlogs == ()
    assert delays_of([]) is None
