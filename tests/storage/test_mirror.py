"""The mirror in SQL gives back what it was given, never claims what it does not hold, and never goes back in time."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.errors import Problem, ProblemKind
from bot.model import (
    Adjustment,
    Direction,
    Feed,
    MetrcDelivery,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    PackageList,
    PosBooks,
    PosEvent,
    PosPackage,
    PosSaleLine,
    PostingDelays,
    Reading,
    Transfer,
    TransferPackage,
    TransferredPackage,
    Window,
)
from storage.bodies import from_json, to_json
from storage.tables import Row

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOW = T0 + timedelta(days=1)
DAY = Window(T0, NOW)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

A = "1A4FF0100000022000001001"
B = "1A4FF0100000022000001002"
C = "1A4FF0100000022000009933"

LINE = MetrcLine(label=A, quantity=Decimal("1.50"), unit="Grams", price=Decimal("42.00"))
RECEIPT = MetrcReceipt(
    id=880101,
    number="0000880101",
    external_number="POS-1",
    sold_at=T0 + HOUR,
    recorded_at=T0 + HOUR + SECOND,
    last_modified=T0 + HOUR + SECOND,
    total_price=Decimal("42.00"),
)
READ = replace(RECEIPT, lines=(LINE,))
DELIVERY = MetrcDelivery(id=7, number="D7", sold_at=T0 + HOUR, recorded_at=T0 + HOUR, last_modified=T0 + HOUR)
TRANSFER = Transfer(id=418, manifest="0000000418", direction=Direction.INCOMING, delivery_id=9, last_modified=T0 + HOUR)
CARRIED = TransferPackage(label=A, state="Accepted", shipped_quantity=Decimal("40.0"))
ADJUSTMENT = Adjustment(
    label=A, package_id=1, quantity=Decimal("-1.0"), unit="Each", reason="Damage", on=date(2026, 2, 21), by="Dana"
)


def package(label=A, number=1, **changes):
    healthy = MetrcPackage(
        id=number,
        label=label,
        quantity=Decimal(19),
        unit="Each",
        item=MetrcItem(id=31, name="Sunbreak"),
        last_modified=T0 + HOUR,
        listing=PackageList.ACTIVE,
    )
    return replace(healthy, **changes)


def later(record, by=HOUR, **changes):
    return replace(record, last_modified=record.last_modified + by, **changes)


@pytest.fixture
def mirror(books):
    return books.mirror("402R-X0042")


async def listed(mirror, *receipts, feed=Feed.RECEIPTS_ACTIVE):
    await mirror.store(feed, receipts, DAY, NOW)


# --- coverage ---------------------------------------------------------------------------------------------------------


async def test_nothing_is_covered_at_first(mirror):
    """An empty mirror claims nothing."""
    assert await mirror.coverage(Feed.RECEIPTS_ACTIVE) is None


async def test_what_store_says_is_what_coverage_says(mirror):
    """The joined coverage is kept, for this feed only."""
    await mirror.store(Feed.RECEIPTS_ACTIVE, [], DAY, NOW)
    said = await mirror.store(Feed.RECEIPTS_ACTIVE, [], Window(NOW, NOW + HOUR), NOW + HOUR)
    assert said.window == Window(T0, NOW + HOUR)
    assert said == await mirror.coverage(Feed.RECEIPTS_ACTIVE)
    assert await mirror.coverage(Feed.RECEIPTS_INACTIVE) is None


async def test_rows_beside_a_hole_are_kept_though_not_claimed(mirror):
    """A window before the coverage, with a hole between, adds its rows and no claim."""
    await mirror.store(Feed.PACKAGES_ACTIVE, [package()], DAY, NOW)
    before = Window(T0 - 9 * HOUR, T0 - 8 * HOUR)
    said = await mirror.store(Feed.PACKAGES_ACTIVE, [package(B, 2)], before, NOW)
    assert said.window == DAY
    assert await mirror.package(B)


async def test_one_facility_does_not_see_another(books):
    """Rows and claims of one license are not found under another one."""
    ours, theirs = books.mirror("402R-X0042"), books.mirror("402R-X0043")
    await ours.store(Feed.PACKAGES_ACTIVE, [package()], DAY, NOW)
    await ours.store_receipt(READ, NOW)
    await ours.store_transfer_packages(TRANSFER, [CARRIED], NOW)
    await ours.store(Feed.ADJUSTMENTS, [ADJUSTMENT], DAY, NOW)
    assert await theirs.coverage(Feed.PACKAGES_ACTIVE) is None
    assert await theirs.package(A) is None
    assert await theirs.packages_near(B) == ()
    assert await theirs.receipts_touching(A) == ()
    assert await theirs.receipts_like(["POS-1"], [RECEIPT.sold_at]) == ()
    assert await theirs.transfers_touching(A) == ()
    assert await theirs.adjustments_of(A) == ()
    assert await theirs.delays(T0) is None


# --- receipts ---------------------------------------------------------------------------------------------------------


async def test_a_receipt_comes_back_with_its_lines(mirror):
    """What was read by id is found by its labels, equal to what was stored."""
    await listed(mirror, RECEIPT)
    assert await mirror.receipts_touching(A) == ()
    await mirror.store_receipt(READ, NOW)
    assert await mirror.receipts_touching(A) == (READ,)
    assert await mirror.receipts_touching(B) == ()


async def test_seeing_a_receipt_again_unchanged_keeps_its_lines(mirror):
    """A list row with the same time of change does not cost the lines."""
    await mirror.store_receipt(READ, NOW)
    await listed(mirror, RECEIPT)
    assert await mirror.receipts_touching(A) == (READ,)
    assert await mirror.receipts_unread(T0, 9) == ()


async def test_a_receipt_that_moved_on_must_be_read_again(mirror):
    """Its lines may have changed, so until they are read again they are not told, and it is among the unread."""
    await mirror.store_receipt(READ, NOW)
    await listed(mirror, later(RECEIPT))
    assert await mirror.receipts_touching(A) == ()
    assert await mirror.receipts_unread(T0, 9) == (later(RECEIPT),)
    await mirror.store_receipt(later(READ, lines=(replace(LINE, label=B),)), NOW)
    assert await mirror.receipts_touching(A) == ()
    assert len(await mirror.receipts_touching(B)) == 1


async def test_an_older_row_changes_nothing(mirror):
    """A list row or a reading by id that is older than what is held does not overwrite it."""
    newer = later(READ, is_final=True)
    await mirror.store_receipt(newer, NOW)
    await listed(mirror, RECEIPT)
    await mirror.store_receipt(replace(READ, lines=()), NOW)
    assert await mirror.receipts_touching(A) == (newer,)


async def test_a_voided_receipt_is_still_found_by_its_labels(mirror):
    """A void takes no line off a receipt: it leaves the active list, and is told as voided with the same lines."""
    await mirror.store_receipt(READ, NOW)
    voided = later(RECEIPT, archived_on=date(2026, 3, 2))
    await listed(mirror, voided, feed=Feed.RECEIPTS_INACTIVE)
    assert await mirror.receipts_touching(A) == (replace(voided, lines=(LINE,)),)
    assert not voided.is_live
    assert await mirror.receipts_unread(T0, 9) == ()


async def test_a_receipt_without_a_time_of_change_is_taken_when_it_was_just_read(mirror):
    """A reading by id that METRC gave no time does not stay unread for ever."""
    await listed(mirror, RECEIPT)
    await mirror.store_receipt(replace(READ, last_modified=None), NOW)
    assert [one.lines for one in await mirror.receipts_touching(A)] == [(LINE,)]


async def test_a_receipt_without_lines_was_read_too(mirror):
    """No lines is an answer; it is not asked for again."""
    await mirror.store_receipt(replace(RECEIPT, lines=()), NOW)
    assert await mirror.receipts_unread(T0, 9) == ()
    assert await mirror.receipts_like(["POS-1"], []) == (replace(RECEIPT, lines=()),)


async def test_look_alikes_are_found_by_number_or_by_moment(mirror):
    """Each receipt once, with lines where they were read."""
    same_number = replace(RECEIPT, id=2, sold_at=T0 + 2 * HOUR)
    same_moment = replace(RECEIPT, id=3, external_number=None)
    other = replace(RECEIPT, id=4, external_number="POS-4", sold_at=T0 + 3 * HOUR)
    await listed(mirror, same_number, same_moment, other)
    await mirror.store_receipt(READ, NOW)
    assert await mirror.receipts_like(["POS-1"], [RECEIPT.sold_at]) == (same_moment, READ, same_number)
    assert await mirror.receipts_like(["POS-4"], []) == (other,)
    assert await mirror.receipts_like([], []) == ()


async def test_thousands_of_numbers_can_be_asked_for(mirror):
    """The number of look-ups in one question is not limited by the database."""
    await listed(mirror, RECEIPT)
    many = [f"POS-{number}" for number in range(40_000)]
    assert await mirror.receipts_like(many, []) == (RECEIPT,)
    assert await mirror.receipts_foreign(many, DAY, 9) == ()


async def test_unread_receipts_come_newest_first_and_only_live_ones(mirror):
    """Voided ones and those sold before are left out; a receipt of unknown time cannot be ruled out and comes last."""
    old = replace(RECEIPT, id=1, sold_at=T0 - SECOND)
    edge = replace(RECEIPT, id=2, sold_at=T0)
    new = replace(RECEIPT, id=3, sold_at=T0 + 2 * HOUR)
    unknown = replace(RECEIPT, id=4, sold_at=None)
    voided = replace(RECEIPT, id=5, archived_on=date(2026, 3, 2))
    await listed(mirror, old, edge, new, unknown, voided)
    assert await mirror.receipts_unread(T0, 9) == (new, edge, unknown)
    assert await mirror.receipts_unread(T0, 1) == (new,)


async def test_foreign_receipts_are_those_that_the_pos_does_not_know(mirror):
    """Live, in the window, and without a number of ours: an empty number is no number."""
    ours = replace(RECEIPT, id=1)
    none = replace(RECEIPT, id=2, external_number=None, sold_at=T0 + 2 * HOUR)
    empty = replace(RECEIPT, id=3, external_number="", sold_at=T0 + 3 * HOUR)
    theirs = replace(RECEIPT, id=4, external_number="X-9", sold_at=T0 + 4 * HOUR)
    outside = replace(RECEIPT, id=5, external_number=None, sold_at=NOW + SECOND)
    voided = replace(RECEIPT, id=6, external_number=None, archived_on=date(2026, 3, 2))
    await listed(mirror, ours, none, empty, theirs, outside, voided)
    assert await mirror.receipts_foreign(["POS-1", ""], DAY, 9) == (none, empty, theirs)
    assert await mirror.receipts_foreign(["POS-1"], DAY, 2) == (empty, theirs)


async def test_delays_are_those_of_live_receipts_sold_since(mirror):
    """Voided, earlier, unrecorded and impossible ones do not count."""
    counted = [replace(RECEIPT, id=number, recorded_at=RECEIPT.sold_at + number * SECOND) for number in range(1, 101)]
    ignored = [
        replace(RECEIPT, id=201, recorded_at=RECEIPT.sold_at - SECOND),
        replace(RECEIPT, id=202, recorded_at=RECEIPT.sold_at + 9 * HOUR, archived_on=date(2026, 3, 2)),
        replace(RECEIPT, id=203, sold_at=T0 - SECOND),
        replace(RECEIPT, id=204, recorded_at=None),
    ]
    await listed(mirror, *counted, *ignored)
    assert await mirror.delays(T0) == PostingDelays(count=100, p50=50.0, p95=95.0, p999=100.0)
    assert await mirror.delays(NOW) is None


# --- deliveries -------------------------------------------------------------------------------------------------------


async def test_deliveries_come_by_sale_time_with_lines_where_read(mirror):
    """Both ends of the window count, and one that moved on has lost its lines."""
    edge = replace(DELIVERY, id=1, sold_at=T0)
    outside = replace(DELIVERY, id=2, sold_at=NOW + SECOND)
    await mirror.store(Feed.DELIVERIES_ACTIVE, [edge, outside, DELIVERY], DAY, NOW)
    read = replace(DELIVERY, lines=(LINE,))
    await mirror.store_delivery(read, NOW)
    assert await mirror.deliveries_between(DAY) == (edge, read)
    await mirror.store(Feed.DELIVERIES_ACTIVE, [later(DELIVERY)], DAY, NOW)
    assert await mirror.deliveries_between(DAY) == (edge, later(DELIVERY))
    voided = later(DELIVERY, 2 * HOUR, voided_on=date(2026, 3, 2))
    await mirror.store(Feed.DELIVERIES_INACTIVE, [voided], DAY, NOW)
    assert await mirror.deliveries_between(DAY) == (edge, voided)


# --- transfers --------------------------------------------------------------------------------------------------------


async def test_a_manifest_is_found_by_what_it_carries(mirror):
    """The same id may be incoming and outgoing, and each has its own packages."""
    back = replace(TRANSFER, direction=Direction.OUTGOING, last_modified=T0 + 2 * HOUR)
    await mirror.store(Feed.TRANSFERS_INCOMING, [TRANSFER], DAY, NOW)
    await mirror.store(Feed.TRANSFERS_OUTGOING, [back], DAY, NOW)
    assert await mirror.transfers_touching(A) == ()
    await mirror.store_transfer_packages(TRANSFER, [CARRIED], NOW)
    await mirror.store_transfer_packages(back, [CARRIED, replace(CARRIED, label=B)], NOW)
    assert [one.direction for one in await mirror.transfers_touching(A)] == [Direction.INCOMING, Direction.OUTGOING]
    assert await mirror.transfers_touching(B) == (replace(back, packages=(CARRIED, replace(CARRIED, label=B))),)


async def test_a_manifest_that_moved_on_must_be_read_again(mirror):
    """Its packages may be accepted by now, so it is among the unread until they are read again."""
    await mirror.store_transfer_packages(TRANSFER, [CARRIED], NOW)
    assert await mirror.transfers_unread(T0, 9) == ()
    await mirror.store(Feed.TRANSFERS_INCOMING, [later(TRANSFER)], DAY, NOW)
    assert await mirror.transfers_touching(A) == ()
    assert await mirror.transfers_unread(T0, 9) == (later(TRANSFER),)
    assert await mirror.transfers_unread(T0 + 2 * HOUR + SECOND, 9) == ()


async def test_unread_manifests_come_newest_first(mirror):
    """And no more of them than asked for."""
    newer = later(replace(TRANSFER, id=419))
    await mirror.store(Feed.TRANSFERS_INCOMING, [TRANSFER, newer], DAY, NOW)
    assert await mirror.transfers_unread(T0, 9) == (newer, TRANSFER)
    assert await mirror.transfers_unread(T0, 1) == (newer,)


async def test_a_transferred_row_is_told_in_its_latest_state(mirror):
    """Read again, it takes the place of the row that was read before; another recipient is another row."""
    shipped = TransferredPackage(label=A, package_id=1, manifest="1", recipient_license="R", state="Shipped")
    accepted = replace(shipped, state="Accepted", received_quantity=Decimal(40))
    elsewhere = replace(shipped, recipient_license="S")
    await mirror.store(Feed.PACKAGES_TRANSFERRED, [shipped, elsewhere], DAY, NOW)
    await mirror.store(Feed.PACKAGES_TRANSFERRED, [accepted], DAY, NOW + HOUR)
    assert await mirror.transferred_touching(A) == (accepted, elsewhere)
    assert await mirror.transferred_touching(B) == ()


# --- adjustments ------------------------------------------------------------------------------------------------------


async def test_reading_adjustments_again_adds_none(mirror):
    """Two equal ones are two; reading the same window again leaves them two, however METRC writes the number."""
    rows = [ADJUSTMENT, ADJUSTMENT, replace(ADJUSTMENT, note="Jar cracked")]
    await mirror.store(Feed.ADJUSTMENTS, rows, DAY, NOW)
    await mirror.store(Feed.ADJUSTMENTS, [replace(one, quantity=Decimal(-1)) for one in rows], DAY, NOW)
    found = await mirror.adjustments_of(A)
    assert sorted(one.note or "" for one in found) == ["", "", "Jar cracked"]
    assert await mirror.adjustments_of(B) == ()


async def test_adjustments_come_oldest_first(mirror):
    """By the day that the user named."""
    days = [date(2026, 3, 2), None, date(2026, 1, 1)]
    await mirror.store(Feed.ADJUSTMENTS, [replace(ADJUSTMENT, on=day) for day in days], DAY, NOW)
    assert [one.on for one in await mirror.adjustments_of(A)] == [None, date(2026, 1, 1), date(2026, 3, 2)]


# --- packages ---------------------------------------------------------------------------------------------------------


async def test_a_package_is_told_as_last_seen_in_any_list(mirror):
    """Seen later in another list it has moved there, whichever list is read last."""
    finished = later(package(), listing=PackageList.INACTIVE, is_finished=True)
    await mirror.store(Feed.PACKAGES_INACTIVE, [finished], DAY, NOW)
    await mirror.store(Feed.PACKAGES_ACTIVE, [package()], DAY, NOW)
    assert await mirror.package(A) == finished
    assert await mirror.package(B) is None


async def test_a_label_that_came_back_under_another_id_is_told_once(mirror):
    """A package that left and returned has a new id; the one that changed last is meant."""
    returned = later(package(number=99), quantity=Decimal(3))
    await mirror.store(Feed.PACKAGES_ACTIVE, [returned, package()], DAY, NOW)
    assert await mirror.package(A) == returned
    assert await mirror.packages_near(B) == (returned,)


async def test_near_labels_are_found_nearest_first(mirror):
    """At most two edits away, the label itself left out."""
    two, far = package(A[:-2] + "23", 3), package(C, 4)
    await mirror.store(Feed.PACKAGES_ACTIVE, [far, two, package(), package(B, 2)], DAY, NOW)
    assert await mirror.packages_near(A) == (package(B, 2), two)
    assert await mirror.packages_near(C[:-1]) == (far,)


async def test_children_are_found_by_their_source(mirror):
    """Also when a package has several sources; a source that was taken off again no longer counts."""
    child = package(B, 2, source_labels=(A, C))
    await mirror.store(Feed.PACKAGES_ACTIVE, [package(), child], DAY, NOW)
    assert await mirror.children_of(A) == (child,)
    await mirror.store(Feed.PACKAGES_ACTIVE, [later(child, source_labels=(C,))], DAY, NOW)
    assert await mirror.children_of(A) == ()


async def test_items_are_kept_and_one_without_an_id_harms_nothing(mirror):
    """An item row that bears no id is not a list row; the others of its window are stored."""
    covered = await mirror.store(Feed.ITEMS, [MetrcItem(None, "?"), MetrcItem(31, "Sunbreak")], DAY, NOW)
    assert covered.window == DAY


async def test_a_big_window_is_stored_and_searched_quickly(mirror):
    """Five thousand packages with sources are written and read again in seconds, and writing them again doubles none."""
    many = [package(f"1A4FF01000000220{number:08d}", number, source_labels=(A,)) for number in range(1, 5001)]
    began = time.perf_counter()
    for _ in range(2):
        await mirror.store(Feed.PACKAGES_ACTIVE, many, DAY, NOW)
    assert len(await mirror.children_of(A)) == 5000
    assert time.perf_counter() - began < 20


# --- the POS's books --------------------------------------------------------------------------------------------------

POS_PACKAGE = PosPackage(record_id="r1", label=A, quantity=Decimal(20), unit="Each", product_name="Sunbreak")
SALE = PosSaleLine(sale_id="s1", line_id="1", label=A, quantity=Decimal(1), sold_at=T0)
EVENT = PosEvent(event_id="e1", kind="receive", label=A, at=T0, to_quantity=Decimal(40))
UNREADABLE = Reading("pos", "sales", problem=Problem(ProblemKind.UNREADABLE, "No."))


def pos_books(inventory=(POS_PACKAGE,), sales=(SALE,), events=(EVENT,), as_of=NOW):
    return PosBooks(*(Reading("pos", "a book", as_of, book) for book in (inventory, sales, events)))


async def rows_of(books, table):
    async with books.database.reading() as connection:
        return (await connection.execute(select(Row.metadata.tables[table].c.body))).scalars().all()


async def test_inventory_is_the_newest_state_alone(books, mirror):
    """What is no longer in the stock list is gone, and an older list changes nothing."""
    await mirror.store_books(pos_books())
    newest = (replace(POS_PACKAGE, quantity=Decimal(19)), replace(POS_PACKAGE, room="Vault"))
    await mirror.store_books(pos_books(newest, as_of=NOW + HOUR))
    await mirror.store_books(pos_books(as_of=NOW))
    found = await rows_of(books, "pos_package")
    assert {from_json(PosPackage, body) for body in found} == set(newest)


async def test_sales_and_events_are_kept_by_id(books, mirror):
    """Told again they are not doubled, the later word stands, and one event may concern several packages."""
    await mirror.store_books(pos_books(events=(EVENT, replace(EVENT, label=B))))
    changed = replace(SALE, receipt_id="880101")
    await mirror.store_books(pos_books(sales=(changed, replace(SALE, line_id="2")), as_of=NOW + HOUR))
    await mirror.store_books(pos_books(sales=(SALE,), as_of=NOW))
    found = {from_json(PosSaleLine, body) for body in await rows_of(books, "pos_sale_line")}
    assert found == {changed, replace(SALE, line_id="2")}
    assert len(await rows_of(books, "pos_event")) == 2


async def test_a_book_that_could_not_be_read_costs_nothing(books, mirror):
    """An unreadable book is not an empty one: what is held of it stays, and the other books are written."""
    await mirror.store_books(pos_books())
    await mirror.store_books(PosBooks(UNREADABLE, UNREADABLE, pos_books(events=()).events))
    assert [len(await rows_of(books, name)) for name in ("pos_package", "pos_sale_line", "pos_event")] == [1, 1, 1]


# --- exactness --------------------------------------------------------------------------------------------------------

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)
moments = st.timedeltas(timedelta(days=-9999), timedelta(days=9999)).map(lambda since: T0 + since)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
lines = st.builds(MetrcLine, label=texts, quantity=decimals, unit=st.none() | texts, price=st.none() | decimals)
receipts = st.builds(
    MetrcReceipt,
    id=st.integers(1, 2**62),
    number=st.none() | texts,
    external_number=st.none() | texts,
    sold_at=st.none() | moments,
    recorded_at=st.none() | moments,
    last_modified=st.none() | moments,
    archived_on=st.none() | st.dates(),
    total_price=st.none() | decimals,
    lines=st.lists(lines, min_size=1, max_size=3).map(tuple),
)


@given(receipts)
def test_a_body_comes_back_equal_to_the_last_digit(receipt):
    """Decimals keep even their trailing zeros, times their microseconds, texts every character."""
    back = from_json(MetrcReceipt, to_json(MetrcReceipt, receipt))
    assert back == receipt
    assert [str(line.quantity) for line in back.lines] == [str(line.quantity) for line in receipt.lines]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(receipt=receipts)
async def test_a_receipt_comes_back_equal_from_the_database(books, receipt):
    """Whatever a receipt holds, it is found by its label and equal to what went in."""
    mirror = books.mirror(f"{receipt!r}"[:4000])
    await mirror.store_receipt(receipt, NOW)
    assert receipt in await mirror.receipts_touching(receipt.lines[0].label)
