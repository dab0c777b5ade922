"""Duplicates in the whole mirror: the search in SQL misses nothing that the judge would call twins."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bot.model import Feed, MetrcLine, MetrcReceipt, Window
from bot.twins import find_twins
from storage.bodies import to_json
from storage.books import open_books
from storage.engine import connect
from storage.keys import lines_key, moment_key, number_key
from storage.rows import Lines
from storage.tables import ReceiptRow, table_of
from storage.upgrade import MIGRATIONS, upgrade

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOW = T0 + timedelta(days=2)
SECOND = timedelta(seconds=1)
A, B = "1A4FF0100000022000001001", "1A4FF0100000022000001002"
LINE = MetrcLine(A, Decimal(1), "Each")
RECEIPT = MetrcReceipt(
    1, "0000000001", "POS-1", T0, T0 + SECOND, T0 + SECOND, total_price=Decimal("42.00"), lines=(LINE,)
)


def receipt(number: int, **changes: object) -> MetrcReceipt:
    return replace(RECEIPT, id=number, **changes)


@pytest.fixture
def mirror(books):
    return books.mirror("402R-X0042")


async def found(mirror, *receipts, since=T0 - timedelta(days=1), limit=100):
    for one in receipts:
        await mirror.store_receipt(one, NOW)
    return [[one.id for one in group] async for group in mirror.duplicate_receipts(since, limit)]


# --- what belongs together --------------------------------------------------------------------------------------------


async def test_a_number_used_twice_on_equal_lines_is_found(mirror):
    """Whatever the number's case, the order of the lines, and how METRC writes a quantity."""
    two = (LINE, MetrcLine(B, Decimal("1.50"), "Grams"))
    turned = (MetrcLine(B, Decimal("1.5"), "grams"), replace(LINE, quantity=Decimal("1.0")))
    alike = receipt(2, external_number=" pos-1", sold_at=T0 + SECOND, lines=turned)
    assert await found(mirror, receipt(1, lines=two), alike) == [[1, 2]]


async def test_a_sale_without_a_number_is_found_beside_the_one_with_it(mirror):
    """Same sale time, lines and total; of two sales that both have a number none is a candidate."""
    late = receipt(2, external_number=None, recorded_at=T0 + timedelta(hours=14))
    other = receipt(3, external_number="POS-3", lines=(replace(LINE, label=B),))
    fourth = receipt(4, external_number="POS-4", lines=(replace(LINE, label=B),))
    assert await found(mirror, receipt(1), late, other, fourth) == [[1, 2]]


async def test_groups_that_share_a_receipt_are_one(mirror):
    """A retry with the same number and an import without one hit the same sale."""
    again, bare = receipt(2, sold_at=T0 + SECOND), receipt(3, external_number="")
    assert await found(mirror, receipt(1), again, bare) == [[1, 2, 3]]


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": (replace(LINE, quantity=Decimal(2)),)},
        {"lines": (replace(LINE, unit="Grams"),)},
        {"lines": (LINE, LINE)},
        {"external_number": "POS-2"},
        {"external_number": None, "sold_at": T0 + SECOND},
        {"external_number": None, "total_price": Decimal(41)},
        {"external_number": None, "sold_at": None},
        {"archived_on": date(2026, 3, 2)},
        {"lines": None},
        {"lines": (replace(LINE, archived_on=date(2026, 3, 2)),)},
    ],
    ids=str,
)
async def test_one_difference_is_enough_to_be_another_sale(mirror, changes):
    """Other lines, another number, another time or total without a number; a voided or unread one is no candidate."""
    assert await found(mirror, receipt(1), receipt(2, **changes)) == []


async def test_one_that_was_voided_or_changed_since_is_a_candidate_no_more(mirror):
    """The list tells it before the lines are read again."""
    assert await found(mirror, receipt(1), receipt(2), receipt(3), receipt(4, external_number="X")) == [[1, 2, 3]]
    voided = receipt(2, lines=None, archived_on=date(2026, 3, 2), last_modified=NOW)
    changed = receipt(3, lines=None, last_modified=NOW)
    await mirror.store(Feed.RECEIPTS_ACTIVE, [voided, changed], Window(T0, NOW), NOW)
    assert await found(mirror) == []


async def test_a_number_that_was_corrected_counts_as_it_is_now(mirror):
    """Also where METRC tells no time of change, so that the lines still hold."""
    bare = {"last_modified": None, "sold_at": T0 + timedelta(hours=3)}
    assert await found(mirror, receipt(1, last_modified=None), receipt(2, **bare)) == [[1, 2]]
    corrected = receipt(2, **bare, external_number="POS-2", lines=None)
    await mirror.store(Feed.RECEIPTS_ACTIVE, [corrected], Window(T0, NOW), NOW)
    assert await found(mirror) == []


# --- which of them, and how many --------------------------------------------------------------------------------------


async def test_the_newest_come_first_and_no_more_than_asked_for(mirror):
    """By the newest sale of a group; groups whose sales are all older are left out, those of unknown time are not."""
    pairs = [
        receipt(id_, external_number=f"POS-{day}", sold_at=T0 + timedelta(days=day))
        for day in range(4)
        for id_ in (10 * day + 1, 10 * day + 2)
    ]
    unknown = [receipt(id_, external_number="POS-9", sold_at=None) for id_ in (91, 92)]
    ids = await found(mirror, *pairs, *unknown, since=T0 + timedelta(days=1))
    assert ids == [[31, 32], [21, 22], [11, 12], [91, 92]]
    assert await found(mirror, limit=2) == [[31, 32], [21, 22]]


async def test_many_groups_come_one_after_another_whole(mirror):
    """More receipts than are read at once: no group is cut or lost, each comes with its lines."""
    receipts = [receipt(n, external_number=f"POS-{n % 150}") for n in range(1, 451)]
    rows = [replace(one, lines=None) for one in receipts]
    await mirror.store(Feed.RECEIPTS_ACTIVE, rows, Window(T0, NOW), NOW)
    for one in receipts[:20] + receipts[150:170] + receipts[300:320]:
        await mirror.store_receipt(one, NOW)
    groups = [group async for group in mirror.duplicate_receipts(T0, 1000)]
    assert Counter(len(group) for group in groups) == {3: 20}
    assert all(one.lines == (LINE,) for group in groups for one in group)


async def test_a_facility_sees_its_own_receipts_alone(books):
    """The same number at another license is another sale."""
    await books.mirror("402R-X0099").store_receipt(receipt(2), NOW)
    assert await found(books.mirror("402R-X0042"), receipt(1)) == []


# --- against the judge ------------------------------------------------------------------------------------------------

LINES = st.lists(
    st.builds(
        MetrcLine,
        st.sampled_from([A, B]),
        st.sampled_from([Decimal(1), Decimal("1.0"), Decimal(2)]),
        st.sampled_from(["Each", "each", None]),
        archived_on=st.sampled_from([None, None, None, date(2026, 3, 2)]),
    ),
    max_size=2,
).map(tuple)
RECEIPTS = st.lists(
    st.builds(
        replace,
        st.just(RECEIPT),
        external_number=st.sampled_from([None, "", "POS-1", "pos-1 ", "POS-2"]),
        sold_at=st.sampled_from([None, T0, T0, T0 + SECOND]),
        total_price=st.sampled_from([None, Decimal(42), Decimal("42.00"), Decimal(7)]),
        archived_on=st.sampled_from([None, None, None, date(2026, 3, 2)]),
        lines=st.one_of(st.just((LINE,)), st.just((LINE,)), LINES, st.none()),
    ),
    max_size=7,
).map(lambda some: [replace(one, id=number) for number, one in enumerate(some, 1)])


@given(receipts=RECEIPTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_the_judge_calls_twins_is_among_the_candidates(books, licenses, receipts):
    """For any receipts and every label, with the POS's sales unread or none: kept and removed ones share a group."""
    groups = await found(books.mirror(next(licenses)), *receipts)
    for label in (A, B):
        for sales in (None, ()):
            for twins in find_twins(receipts, sales, label).twins:
                together = {twins.keep.id, *(one.id for one in twins.remove)}
                assert any(together <= set(group) for group in groups)


@given(receipts=RECEIPTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_groups_are_those_of_the_plain_definition(books, licenses, receipts):
    """Comparing each pair by hand gives the same groups, so a candidate is never a chance likeness."""
    groups = await found(books.mirror(next(licenses)), *receipts)
    by_hand = {frozenset((one.id, other.id)) for one, other in combinations(receipts, 2) if alike(one, other)}
    in_groups = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    assert by_hand <= in_groups
    assert {one for pair in by_hand for one in pair} == {one for group in groups for one in group}
    assert sum(map(len, groups)) == len({one for group in groups for one in group})


@pytest.fixture
def licenses():
    """A license for each example, so that all may share one database."""
    return (f"402R-{number:05d}" for number in range(100_000))


def alike(one: MetrcReceipt, other: MetrcReceipt) -> bool:
    lines = living(one)
    if not (one.is_live and other.is_live and lines) or lines != living(other):
        return False
    mine, theirs = ((x.external_number or "").strip().casefold() for x in (one, other))
    if mine and mine == theirs:
        return True
    moment = one.sold_at is not None and (one.sold_at, one.total_price) == (other.sold_at, other.total_price)
    return moment and not (mine and theirs)


def living(one: MetrcReceipt) -> Counter:
    lines = [line for line in one.lines or () if line.archived_on is None]
    return Counter((line.label, line.quantity, (line.unit or "").casefold()) for line in lines)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_equal_values_have_equal_keys_and_fit_into_a_column():
    """However a number is written; 64 bits with a sign."""
    one = [(A, Decimal("1.50"), "Grams"), (B, Decimal("-0"), None)]
    other = [(B, Decimal(0), ""), (A, Decimal("1.5"), "GRAMS")]
    assert lines_key(one) == lines_key(other)
    assert lines_key(one) != lines_key(one[:1])
    assert lines_key([]) is None
    assert number_key(" Straße ") == number_key("STRASSE")
    assert number_key("  ") is None
    assert moment_key(T0, Decimal("42.0")) == moment_key(T0.astimezone(), Decimal(42))
    assert moment_key(T0, None) != moment_key(T0, Decimal(0))
    assert all(-(2**63) <= number_key(str(n)) < 2**63 for n in range(1000))


async def test_receipts_of_the_first_schema_are_found_after_the_upgrade(empty_url, tmp_path):
    """The keys of rows that were there before are those that a row written today gets."""
    first = tmp_path / "first"
    shutil.copytree(MIGRATIONS, first)
    for migration in (first / "versions").glob("[0-9]*.py"):
        if not migration.name.startswith("0001_"):
            migration.unlink()
    await upgrade(empty_url, first)
    old = [receipt(1), receipt(2, external_number=None), receipt(3, sold_at=None, total_price=None, lines=None)]
    await write_old(empty_url, old)
    books = await open_books(empty_url)
    mirror = books.mirror("402R-X0042")
    assert await found(mirror) == [[1, 2]]
    before = await keys(books)
    assert None not in before[0]
    for one in old[:2]:
        await mirror.store_receipt(one, NOW)
    await mirror.store(Feed.RECEIPTS_ACTIVE, [old[2]], Window(T0, NOW), NOW)
    assert await keys(books) == before
    await books.close()


async def write_old(url, receipts):
    database = connect(url)
    async with database.writing() as connection:
        await connection.execute(table_of(ReceiptRow).insert(), [old_columns(one) for one in receipts])
    await database.close()


def old_columns(one):
    lines = None if one.lines is None else to_json(Lines, one.lines)
    return {
        "license": "402R-X0042",
        "metrc_id": one.id,
        "external_number": one.external_number,
        "sold_at": one.sold_at,
        "recorded_at": one.recorded_at,
        "archived_on": one.archived_on,
        "changed_at": one.last_modified,
        "read_at": NOW,
        "body": to_json(MetrcReceipt, replace(one, lines=None)),
        "lines": lines,
        "lines_read_at": NOW if lines else None,
    }


async def keys(books):
    statement = text("SELECT number_key, moment_key, lines_key FROM metrc_receipt ORDER BY metrc_id")
    async with books.database.reading() as connection:
        return [tuple(row) for row in (await connection.execute(statement)).all()]
