"""The catalogue's cases in a whole shop: a healthy store, one thing broken, one question to the real bot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.model import Cause, CheckName, Diagnosis, Posting, Result
from bot.units import plain
from demo.world import TAG, World
from tests.evidence import codes, outcome_of
from tests.store import NOW, Asking, settings

LABEL = f"{TAG}2001"
WRONG_UNIT = "Unit of Measure is not valid for the Package."


@pytest.fixture
def world() -> World:
    """A load of ten that arrived nine days ago and sold twice, in good order on both sides."""
    shop = World.bare(NOW)
    shop.receive_load([f"{TAG}{number}" for number in range(2001, 2011)], days=9)
    for days in (8, 5):
        shop.sell(LABEL, at=shop.shop_time(days))
    return shop


def account(diagnosis: Diagnosis) -> tuple[str, list[tuple[str, str]], str]:
    """Difference, the shares as code and quantity, and what is unexplained."""
    gap = diagnosis.gap
    assert gap is not None
    return plain(gap.difference), [(s.code, plain(s.quantity)) for s in gap.explained], plain(gap.unexplained)


def must_not(diagnosis: Diagnosis) -> set[str]:
    return {forbidden.value for forbidden in diagnosis.must_not}


def twins(diagnosis: Diagnosis) -> list[tuple[str, str, tuple[str, ...], bool]]:
    return [(d.kind.value, d.keep, d.remove, d.removable) for d in diagnosis.duplicates]


async def test_a_healthy_package_has_nothing(ask: Asking, world: World):
    """Both sides hold 38, every check is clear."""
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, account(diagnosis)) == (Cause.NONE, ("0", [], "0"))
    assert {outcome.result for outcome in diagnosis.checks} == {Result.CLEAR}


# --- S01, S03, S04, S25: the way to METRC -----------------------------------------------------------------------------


async def test_s01_a_dead_key_makes_everything_missing(ask: Asking, world: World):
    """METRC refuses the cheapest read and everything else; no count is looked at."""
    world.kill_key()
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.AUTHENTICATION, "fix_key")
    assert (diagnosis.gap, must_not(diagnosis)) == (None, {"adjust_quantity"})
    assert [outcome.result for outcome in diagnosis.checks[1:]] == [Result.NOT_REACHED] * 6


async def test_s01_the_key_is_the_root_whatever_else_is_wrong(ask: Asking, world: World):
    """Behind a dead key a hold and a twin are guesses."""
    world.hold(LABEL)
    world.post_twice(world.sell(LABEL))
    world.kill_key()
    assert (await ask(world, LABEL)).cause is Cause.AUTHENTICATION


async def test_s03_a_right_that_the_bot_itself_lacks(ask: Asking, world: World):
    """Packages read, sales do not: that is a right, not a license and not a key."""
    world.drop_right("sales")
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("authentication.permission-missing", "fix_permission")
    assert "sales" in diagnosis.headline


async def test_s03_posts_of_the_pos_that_are_refused_for_a_right(ask: Asking, world: World):
    """The bot reads everything; the POS's receipt comes back "Unauthorized"."""
    world.sale_failed(LABEL, "Unauthorized")
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("authentication.post-refused", "fix_permission")
    assert account(diagnosis) == ("-1", [("failed_post.refused", "-1")], "0")
    assert must_not(diagnosis) == {"adjust_quantity", "resend"}
    assert Result.NOT_REACHED not in {outcome.result for outcome in diagnosis.checks}


async def test_s04_a_license_that_is_not_on_the_key(ask: Asking, world: World):
    """The list of facilities answers and does not name this shop."""
    world.unlist_license()
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.WRONG_LICENSE, "fix_license")
    assert diagnosis.gap is None


@pytest.mark.parametrize("kind", ["503", "504", "html200", "torn"])
async def test_s25_the_state_is_down(ask: Asking, world: World, kind: str):
    """An error, a page of HTML or half an answer: stop, and never touch the key."""
    world.outage(kind)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.OUTAGE, "retry_later")
    assert must_not(diagnosis) >= {"adjust_quantity", "renew_key"}
    assert diagnosis.provisional


# --- S05, S06, S08: mapping -------------------------------------------------------------------------------------------


async def test_s05_a_package_that_was_never_built_in_the_pos(ask: Asking, world: World):
    """METRC has 40 and the POS knows nothing of them."""
    label = f"{TAG}2002"
    world.never_built(label)
    diagnosis = await ask(world, label)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.not-in-pos", "fix_mapping")
    assert account(diagnosis) == ("-40", [("mapping.not-in-pos", "-40")], "0")


async def test_s06_a_tag_with_the_letter_o(ask: Asking, world: World):
    """The true label is living in METRC and unknown to the POS."""
    label = f"{TAG}2002"
    typed = world.mistype_tag(label)
    diagnosis = await ask(world, typed)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.label-mistyped", "fix_pos_record")
    assert diagnosis.related == (label,)
    assert account(diagnosis) == ("40", [("mapping.label-mistyped", "40")], "0")


async def test_s06_asked_from_the_other_side(ask: Asking, world: World):
    """The true label is missing in the POS, and the mistyped row is named."""
    label = f"{TAG}2002"
    typed = world.mistype_tag(label)
    diagnosis = await ask(world, label)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.MAPPING, "fix_pos_record")
    assert diagnosis.related == (typed,)
    assert account(diagnosis)[2] == "0"


def typed_as(world: World, label: str, typed: str) -> None:
    """All of the POS's books have the label mistyped."""
    for entry in (*world.pos_rows, *world.pos_events):
        entry.label = typed if entry.label == label else entry.label


@pytest.mark.parametrize("typed", [f"{TAG}2080", f"{TAG}9908"])
async def test_s06_wrong_digits_asked_from_the_other_side(ask: Asking, world: World, typed: str):
    """A label of the right shape among its load's neighbours: METRC knows them and not this one."""
    label = f"{TAG}2008"
    typed_as(world, label, typed)
    diagnosis = await ask(world, label)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.label-mistyped", "fix_pos_record")
    assert diagnosis.related == (typed,)
    assert account(diagnosis)[2] == "0"


async def test_s06_the_mistyped_row_is_found_among_its_neighbours(ask: Asking, world: World):
    """The eighth of a load of ten."""
    label = f"{TAG}2008"
    typed = world.mistype_tag(label)
    assert (await ask(world, label)).related == (typed,)


async def test_s06_a_label_that_lost_a_character(ask: Asking, world: World):
    """23 characters in the POS, and one label in METRC that has them all."""
    label = f"{TAG}2002"
    short = label[:10] + label[11:]
    for row in world.pos_rows:
        row.label = short if row.label == label else row.label
    diagnosis = await ask(world, short)
    assert (diagnosis.code, diagnosis.related) == ("mapping.label-mistyped", (label,))


async def test_s08_a_unit_that_metrc_does_not_take(ask: Asking, world: World):
    """The refused sale is the whole difference, and the wrong unit its root."""
    world.wrong_unit(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.unit", "fix_mapping")
    assert account(diagnosis) == ("-1", [("failed_post.refused", "-1")], "0")
    assert must_not(diagnosis) == {"adjust_quantity", "resend"}


# --- S09, S10, S11, S12, S27: timing ----------------------------------------------------------------------------------


async def test_s09_three_sales_of_four_minutes_ago(ask: Asking, world: World):
    """METRC is three higher; wait until a told time and resend nothing."""
    for age in (2, 3, 4):
        world.sale_pending(LABEL, age=timedelta(minutes=age))
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("timing.sale-on-its-way", "wait")
    assert diagnosis.action.not_before == NOW + timedelta(minutes=13)
    assert account(diagnosis) == ("-3", [("timing.sale-on-its-way", "-1")] * 3, "0")
    assert must_not(diagnosis) == {"adjust_quantity", "resend"}


async def test_s09_is_over_when_the_batch_ran(ask: Asking, world: World):
    """The same sales, posted: nothing is wrong."""
    sale = world.sale_pending(LABEL)
    world.post(sale, NOW - timedelta(minutes=1))
    assert (await ask(world, LABEL)).cause is Cause.NONE


async def test_s10_a_shop_that_posts_at_night(ask: Asking, world: World, tmp_path: Path):
    """Off by the afternoon's sales until the nightly run and its grace."""
    config = settings(tmp_path, posting=Posting.NIGHTLY, nightly_at="04:00 America/New_York")
    world.sale_pending(LABEL, age=timedelta(hours=5))
    diagnosis = await ask(world, LABEL, config=config)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("timing.nightly-post", "wait")
    assert diagnosis.action.not_before == datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def just_accepted(world: World, labels: list[str]) -> None:
    """A load that METRC received six minutes ago."""
    world.receive_load(labels, days=0)
    for each in (*(world.package(label) for label in labels), world.transfers[-1]):
        each.received_at = each.modified = NOW - timedelta(minutes=6)


async def test_s11_accepted_a_moment_ago(ask: Asking, world: World):
    """None of the load is in the POS yet: wait for two imports."""
    labels = [f"{TAG}{number}" for number in range(2101, 2104)]
    just_accepted(world, labels)
    for label in labels:
        world.never_built(label)
    diagnosis = await ask(world, labels[0])
    assert (diagnosis.code, diagnosis.action.kind.value) == ("timing.import-on-its-way", "wait")
    assert diagnosis.action.not_before == NOW + timedelta(minutes=14)
    assert account(diagnosis) == ("-40", [("timing.import-on-its-way", "-40")], "0")


async def test_s11_the_rest_of_the_load_arrived_and_one_did_not(ask: Asking, world: World):
    """Then it is not late, it was never built."""
    labels = [f"{TAG}{number}" for number in range(2101, 2104)]
    just_accepted(world, labels)
    world.never_built(labels[0])
    diagnosis = await ask(world, labels[0])
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.not-in-pos", "fix_mapping")
    assert account(diagnosis) == ("-40", [("mapping.not-in-pos", "-40")], "0")


async def test_a_sale_that_metrc_has_on_another_package_is_not_sent_again(ask: Asking, world: World):
    """The receipt bears the sale's number and names the label next to it."""
    other = f"{TAG}2002"
    sale = world.sell(LABEL, 2, posted=False)
    sale.lines[0].label = other
    receipt = world.post(sale, sale.at + timedelta(seconds=3))
    sale.lines[0].label = LABEL
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("mapping.sale-on-other-label", "fix_pos_record")
    assert account(diagnosis) == ("-2", [("mapping.sale-on-other-label", "-2")], "0")
    assert (diagnosis.related, str(receipt.id) in diagnosis.headline) == ((other,), True)
    assert "resend" in must_not(diagnosis)
    beside = await ask(world, other)
    assert (beside.code, beside.related) == ("mapping.receipt-without-sale", (LABEL,))
    assert account(beside) == ("2", [("mapping.receipt-without-sale", "2")], "0")
    assert {"adjust_quantity", "remove_record"} <= must_not(beside)


async def test_of_two_reported_sales_the_one_that_metrc_lacks_is_named(ask: Asking, world: World):
    """Two sales without a receipt, a difference of one of them."""
    there = world.sell(LABEL, 2, NOW - timedelta(days=3), posted=False)
    lost = world.sell(LABEL, 1, NOW - timedelta(days=2), posted=False)
    for sale in (there, lost):
        sale.lines[0].status = "reported"
    world.package(LABEL).quantity -= 2
    diagnosis = await ask(world, LABEL)
    assert account(diagnosis) == ("-1", [("failed_post.never-posted", "-1")], "0")
    assert (lost.id in diagnosis.action.text, there.id in diagnosis.action.text) == (True, False)


async def test_s06_a_label_that_a_spreadsheet_took_for_a_number(ask: Asking, world: World):
    """The file's row cannot be read any more: what is left of its label begins like this one, and is told."""
    label = f"{TAG}2002"
    world.pos_row(label).label = "1.A4FF01E+23"
    diagnosis = await ask(world, label)
    assert (diagnosis.cause, diagnosis.gap, diagnosis.provisional) == (Cause.UNKNOWN, None, True)
    assert "inventory.csv, line 3 (1.A4FF01E+23)" in diagnosis.headline
    asked = await ask(world, "1.A4FF01E+23")
    assert (asked.code, asked.action.kind.value) == ("mapping.label-mistyped", "fix_pos_record")


async def test_s12_a_sale_that_metrc_refused_two_days_ago(ask: Asking, world: World):
    """One lower in the POS, and it does not move: resend it, never adjust."""
    world.sale_failed(LABEL, "Total Amount was not specified.")
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.FAILED_POST, "resend")
    assert account(diagnosis) == ("-1", [("failed_post.refused", "-1")], "0")
    assert must_not(diagnosis) == {"adjust_quantity"}


@pytest.mark.parametrize(
    ("age", "cause"), [(timedelta(minutes=59), Cause.TIMING), (timedelta(minutes=61), Cause.FAILED_POST)]
)
async def test_s12_past_the_retry_limit_a_sale_is_not_late(ask: Asking, world: World, age: timedelta, cause: Cause):
    """Batch posting tries for an hour."""
    world.sale_never_posted(LABEL, age=age)
    diagnosis = await ask(world, LABEL)
    assert diagnosis.cause is cause
    assert account(diagnosis)[2] == "0"


async def test_s12_the_sale_and_a_drift_are_told_apart(ask: Asking, world: World):
    """Two are missing and one sale explains one: the rest stays unexplained and nobody adjusts."""
    world.sale_never_posted(LABEL)
    world.drift(LABEL, -1)
    diagnosis = await ask(world, LABEL)
    assert diagnosis.cause is Cause.FAILED_POST
    assert account(diagnosis) == ("-2", [("failed_post.never-posted", "-1")], "-1")
    assert "adjust_quantity" in must_not(diagnosis)


async def test_s27_voided_here_and_alive_there(ask: Asking, world: World):
    """METRC is one lower; the void is sent again, the package is not adjusted."""
    world.void_in_pos(world.sell(LABEL))
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("failed_post.void-not-posted", "resend")
    assert account(diagnosis) == ("1", [("failed_post.void-not-posted", "1")], "0")
    assert diagnosis.duplicates == ()


# --- S13, S14, S15, S23: duplication ----------------------------------------------------------------------------------


async def test_s13_one_truck_and_two_receives(ask: Asking, world: World):
    """The POS has double, METRC the shipped quantity once; the newer, unsold row goes."""
    world.receive_twice(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("duplication.receive-twice", "remove_duplicate")
    assert account(diagnosis) == ("40", [("duplication.receive-twice", "40")], "0")
    assert [(kind, removable) for kind, _, _, removable in twins(diagnosis)] == [("receive", False)]
    log = [event for event in world.pos_events if event.label == LABEL and event.kind == "receive"]
    assert twins(diagnosis)[0][1:3] == (str(log[0].event_id), (str(log[1].event_id),))


async def test_s13_without_a_log_the_rows_tell(ask: Asking, world: World):
    """Two rows of different times that hold more than METRC received."""
    world.receive_twice(LABEL)
    world.pos_events = [event for event in world.pos_events if event.label != LABEL]
    diagnosis = await ask(world, LABEL)
    assert diagnosis.code == "duplication.receive-twice"
    assert account(diagnosis)[2] == "0"


async def test_s13_waits_for_a_young_sale(ask: Asking, world: World):
    """A sale of the package is on its way, so nothing is removed now."""
    world.receive_twice(LABEL)
    world.sale_pending(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("duplication.receive-twice", "wait")
    assert must_not(diagnosis) == {"adjust_quantity", "resend", "remove_record"}


async def test_s14_an_afternoon_imported_over_the_api(ask: Asking, world: World):
    """Three sales, three copies without a number: METRC is three lower and three copies go."""
    sales = [world.sell(LABEL, at=world.shop_time(2, hour=hour)) for hour in (13, 14, 15)]
    copies = [world.csv_over_api(sale) for sale in sales]
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("duplication.receipt-csv-over-api", "remove_duplicate")
    assert account(diagnosis) == ("3", [("duplication.receipt-csv-over-api", "1")] * 3, "0")
    assert [entry[2] for entry in twins(diagnosis)] == [(str(copy.id),) for copy in copies]
    assert all(str(copy.id) in diagnosis.action.text for copy in copies)


async def test_s15_timeout_retry_twin(ask: Asking, world: World):
    """Two receipts of one number, four seconds apart: the one whose id the POS did not store goes."""
    sale = world.sell(LABEL)
    twin = world.post_twice(sale)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("duplication.receipt-retry", "remove_duplicate")
    assert account(diagnosis) == ("1", [("duplication.receipt-retry", "1")], "0")
    assert twins(diagnosis) == [("sales_receipt", str(sale.receipts[0].id), (str(twin.id),), True)]
    assert must_not(diagnosis) == {"adjust_quantity"}


async def test_s15_the_stored_id_decides_and_not_the_age(ask: Asking, world: World):
    """The POS stored the second answer, so the first receipt goes."""
    sale = world.sell(LABEL)
    twin = world.post_twice(sale)
    sale.lines[0].receipt_id = str(twin.id)
    assert twins(await ask(world, LABEL)) == [("sales_receipt", str(twin.id), (str(sale.receipts[0].id),), True)]


async def test_s15_a_voided_twin_is_settled(ask: Asking, world: World):
    """After the void both sides agree and nothing is left to remove."""
    twin = world.post_twice(world.sell(LABEL))
    world.void_receipt(twin, NOW - timedelta(minutes=30))
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.duplicates) == (Cause.NONE, ())


async def test_s15_two_customers_are_no_twins(ask: Asking, world: World):
    """Equal lines, different numbers, one second: two sales, and nobody removes one."""
    at = world.shop_time(2)
    world.sell(LABEL, at=at)
    world.sell(LABEL, at=at)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.duplicates) == (Cause.NONE, ())
    assert "remove_record" in must_not(diagnosis)


async def test_s15_while_another_sale_is_on_its_way(ask: Asking, world: World):
    """Two twins and a young sale: the twins are listed, not removable, and the action waits."""
    for hour in (13, 14):
        world.post_twice(world.sell(LABEL, at=world.shop_time(2, hour=hour)))
    world.sale_pending(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.DUPLICATION, "wait")
    assert [entry[3] for entry in twins(diagnosis)] == [False, False]
    assert must_not(diagnosis) == {"adjust_quantity", "resend", "remove_record"}


async def test_s23_three_rows_and_one_package(ask: Asking, world: World):
    """Rooms whose sum is METRC's count; a removal would create the very error."""
    world.rooms(LABEL, (8, 11))
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, account(diagnosis)) == (Cause.NONE, ("0", [], "0"))
    assert must_not(diagnosis) == {"adjust_quantity", "remove_record"}


async def test_s23_two_products_made_of_one_package(ask: Asking, world: World):
    """A conversion weighs something else and is no wrong definition."""
    row = world.pos_row(LABEL)
    other = replace(row, product_id="9", product_name="Single", quantity=Decimal(8), unit_weight_g=Decimal(1))
    row.quantity -= 8
    world.pos_rows.append(other)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, codes(diagnosis)) == (Cause.NONE, [])


# --- S16, S17, S18, S19, S20, S24 -------------------------------------------------------------------------------------


async def test_s16_five_sticks_or_one(ask: Asking, world: World):
    """The counts agree; the unit weights differ five to one. The count stays."""
    world.unit_weight(LABEL, pos=Decimal("17.5"))
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("definition.pack-vs-piece", "fix_definition")
    assert account(diagnosis) == ("0", [], "0")


async def test_s16_beside_a_twin_the_twin_leads(ask: Asking, world: World):
    """The twin explains a unit, the definition none."""
    world.unit_weight(LABEL, pos=Decimal("17.5"))
    world.post_twice(world.sell(LABEL))
    diagnosis = await ask(world, LABEL)
    assert diagnosis.cause is Cause.DUPLICATION
    assert codes(outcome_of(diagnosis, CheckName.DEFINITION)) == ["definition.pack-vs-piece"]


async def test_s17_on_the_road(ask: Asking, world: World):
    """The POS received 40 ahead of the acceptance; METRC has no package here yet."""
    label = f"{TAG}2900"
    transfer = world.ship(label)
    diagnosis = await ask(world, label)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("in_transit.incoming", "accept_transfer")
    assert account(diagnosis) == ("40", [("in_transit.incoming", "40")], "0")
    assert transfer.manifest in diagnosis.action.text


async def test_s17_with_sales_already_made(ask: Asking, world: World):
    """Sold before it was accepted: the sale failed because of the road, and is not resent yet."""
    label = f"{TAG}2900"
    world.ship(label)
    row = world.pos_row(label)
    row.quantity -= 1
    sale = world.sale_failed(LABEL, "Package could not be found", age=timedelta(hours=2))
    sale.lines[0].label = label
    world.pos_row(LABEL).quantity += 1
    diagnosis = await ask(world, label)
    assert diagnosis.code == "in_transit.incoming"
    assert sorted(account(diagnosis)[1]) == [("failed_post.refused", "-1"), ("in_transit.incoming", "40")]
    assert "resend" in must_not(diagnosis)


async def test_s17_one_load_on_two_manifests(ask: Asking, world: World):
    """Accept the one that left; the other is listed."""
    label = f"{TAG}2900"
    first = world.ship(label)
    second = world.twin_manifest(first)
    diagnosis = await ask(world, label)
    assert diagnosis.code == "in_transit.incoming"
    assert twins(diagnosis) == [("transfer", str(first.id), (str(second.id),), False)]


async def test_s17_a_voided_manifest_leaves_goods_without_one(ask: Asking, world: World):
    """The POS received what the shipper took back on paper."""
    label = f"{TAG}2900"
    world.void_transfer(world.ship(label), NOW - timedelta(hours=1))
    diagnosis = await ask(world, label)
    assert diagnosis.cause is not Cause.COUNT_ERROR
    assert "adjust_quantity" in must_not(diagnosis)


@pytest.mark.parametrize(("shelf", "kind"), [(None, "recount"), ("0", "fix_pos_record"), ("2", "contact_compliance")])
async def test_s18_finished_with_two_left(ask: Asking, world: World, shelf: str | None, kind: str):
    """The shelf decides whether the row is closed or the package unfinished."""
    world.finish(LABEL)
    diagnosis = await ask(world, LABEL, shelf=shelf)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("finished.finished", kind)
    assert account(diagnosis) == ("2", [("finished.finished", "2")], "0")


async def test_s19_held_at_the_state_and_sellable_at_the_till(ask: Asking, world: World):
    """The hold makes the sale fail; no count and no resend."""
    world.hold(LABEL, days=3)
    world.sale_failed(LABEL, "Package is on administrative hold.")
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("on_hold.hold", "contact_compliance")
    assert account(diagnosis) == ("-1", [("failed_post.refused", "-1")], "0")
    assert must_not(diagnosis) == {"adjust_quantity", "resend"}


async def test_s20_waiting_for_the_laboratory(ask: Asking, world: World):
    """The quantity agrees; the lab state keeps it off the floor."""
    world.await_lab(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("lab_state.waiting", "contact_compliance")


async def test_s24_gone_to_the_sister_shop(ask: Asking, world: World):
    """The POS has no transfer out."""
    label = f"{TAG}2003"
    world.transfer_out(label)
    diagnosis = await ask(world, label)
    assert (diagnosis.code, diagnosis.action.kind.value) == ("in_transit.outgoing", "fix_pos_record")
    assert account(diagnosis) == ("40", [("in_transit.outgoing", "40")], "0")


# --- S21, S22: the count ----------------------------------------------------------------------------------------------


async def test_s21_both_systems_agree_and_the_shelf_does_not(ask: Asking, world: World):
    """Somebody miscounted, every other check is clear, and now a number may be touched."""
    diagnosis = await ask(world, LABEL, shelf="37")
    assert (diagnosis.code, diagnosis.action.kind.value) == ("count_error.shelf", "record_count")
    assert must_not(diagnosis) == set()


async def test_s21_one_more_in_the_pos_and_no_record_why(ask: Asking, world: World):
    """Count the shelf first."""
    world.drift(LABEL)
    diagnosis = await ask(world, LABEL)
    assert (diagnosis.cause, diagnosis.action.kind.value) == (Cause.COUNT_ERROR, "recount")
    assert account(diagnosis) == ("1", [], "1")
    assert must_not(diagnosis) == set()


async def test_s21_a_correction_entered_twice_is_no_miscount(ask: Asking, world: World):
    """METRC has the correction twice, the POS once."""
    world.adjust_twice(LABEL)
    diagnosis = await ask(world, LABEL)
    assert diagnosis.code == "duplication.adjustment-twice"
    assert account(diagnosis) == ("1", [("duplication.adjustment-twice", "1")], "0")
    assert "adjust_quantity" in must_not(diagnosis)


async def test_s21_an_unread_sales_book_forbids_the_count(ask: Asking, world: World):
    """A residue while the sales could not be read is unknown."""
    world.drift(LABEL)
    diagnosis = await ask(world, LABEL, spoil=lambda folder: (folder / "sales.csv").unlink())
    assert (diagnosis.cause, diagnosis.code) == (Cause.UNKNOWN, None)
    assert outcome_of(diagnosis, CheckName.TIMING).result is Result.UNKNOWN
    assert "adjust_quantity" in must_not(diagnosis)


async def test_a_sale_by_delivery_is_no_lost_sale(ask: Asking, world: World):
    """METRC keeps it among the deliveries."""
    world.deliver(LABEL)
    assert (await ask(world, LABEL)).cause is Cause.NONE
