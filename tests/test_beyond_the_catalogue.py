"""Cases that stand in no list: each starts from a package in good order and breaks one thing, or two at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.checks import mapping
from bot.errors import ProblemKind
from bot.gather import holds_all
from bot.mirror import OVERLAP
from bot.model import (
    ActionKind,
    Cause,
    CheckName,
    Coverage,
    DuplicateKind,
    Evidence,
    Feed,
    Forbidden,
    Lot,
    MetrcPackage,
    PosEvent,
    Result,
    Submission,
    Window,
)
from bot.splits import copied_from, unrecorded_sources
from demo.world import World
from tests.evidence import (
    HEALTHY,
    ITEM,
    LABEL,
    NOW,
    OTHER_LABEL,
    absent,
    add_events,
    add_receipts,
    add_sales,
    case,
    codes,
    counted,
    days,
    delivered,
    failed,
    judged,
    line,
    logged,
    minutes,
    outcome_of,
    package,
    read,
    receipt,
    received,
    refused,
    row,
    shares,
    stocked,
    unstocked,
    with_package,
    with_row,
)
from tests.store import NOW as STORE_NOW
from tests.test_gather import evidence_of, store_at, synced_store

SOURCE = "1A4FF0100000022000002600"
FIRST = "1A4FF0100000022000000999"
DAY = date(2026, 3, 1)


# --- asked by the label of a second copy ------------------------------------------------------------------------------


def made(label: str, number: int, **changes: Any) -> MetrcPackage:
    """Ten pieces that METRC made of the source on the first of March."""
    own: dict[str, Any] = {
        "id": number,
        "label": label,
        "quantity": Decimal(10),
        "original_quantity": Decimal(10),
        "packaged_on": DAY,
        "received_at": None,
        "received_from_manifest": None,
        "source_labels": (SOURCE,),
    }
    return package(**(own | changes))


def taken_off(quantity: int = -10) -> PosEvent:
    """The POS's conversion, on the source."""
    return logged(quantity, "convert", NOW - days(2), label=SOURCE)


def copy(*events: PosEvent, kin: tuple[str, ...] = (SOURCE, FIRST), **changes: Any) -> Evidence:
    """METRC made FIRST and the asked label out of the source; the POS knows FIRST and converted once."""
    own = made(LABEL, 5540002, **changes)
    return replace(
        unstocked(),
        package=read(own),
        kindred=read((made(FIRST, 5540001), own)),
        pos_source_events=events or (taken_off(),),
        pos_kin=kin,
    )


def test_the_second_copy_is_a_duplicate_when_it_is_asked_about_itself():
    """The POS took the source down once, so the other label is the one that was meant."""
    diagnosis = judged(copy())
    (twin,) = diagnosis.duplicates
    assert (diagnosis.code, codes(diagnosis)) == ("duplication.package-twice", ["duplication.package-twice"])
    assert (twin.kind, twin.keep, twin.remove, twin.removable) == (
        DuplicateKind.PACKAGE,
        "5540001",
        ("5540002",),
        False,
    )
    assert shares(diagnosis) == [("duplication.package-twice", "-10", f"metrc package {LABEL}")]
    assert diagnosis.related == (SOURCE, FIRST)
    assert f"out of {SOURCE}" in diagnosis.headline


def test_what_the_pos_took_off_the_source_under_no_label_was_never_built():
    """To record the split would take it off the source a second time."""
    own = made(LABEL, 5540002)
    diagnosis = judged(replace(copy(kin=(SOURCE,)), kindred=read((own,))))
    assert (diagnosis.code, diagnosis.action.kind) == ("mapping.not-in-pos", ActionKind.FIX_MAPPING)


def test_without_the_sources_log_it_stays_a_split():
    """Nothing tells that the POS converted at all."""
    silent = replace(copy(), pos_source_events=())
    assert (copied_from(silent), unrecorded_sources(silent)) == (None, (SOURCE,))
    assert judged(silent).code == "split.in-metrc"


def test_a_package_without_label_or_reading_is_no_copy():
    """METRC has nothing, or the POS knows the label."""
    assert copied_from(replace(copy(), package=read(None))) is None
    assert copied_from(replace(copy(), pos_events=read((received(),), "pos"))) is None


# --- lots of one product ----------------------------------------------------------------------------------------------


def test_a_sibling_that_lacks_what_is_too_much_here_is_named_before_a_recount():
    """Two more here and two fewer there: the sum is right, so no number may be recorded."""
    lot = Lot(OTHER_LABEL, Decimal(30), Decimal(32), "Each")
    diagnosis = judged(replace(stocked(40), lots=(lot,)))
    assert (diagnosis.code, diagnosis.related) == ("count_error.sibling-lots", (OTHER_LABEL,))
    assert (diagnosis.action.kind, diagnosis.must_not) == (ActionKind.RECOUNT, (Forbidden.ADJUST_QUANTITY,))


@pytest.mark.parametrize("theirs", [31, 33])
def test_a_sibling_that_does_not_cancel_is_not_named(theirs):
    """Another amount is another story."""
    lot = Lot(OTHER_LABEL, Decimal(30), Decimal(theirs), "Each")
    assert judged(replace(stocked(40), lots=(lot,))).code == "count_error.unexplained"


def two_lots(world: World) -> tuple[str, str]:
    """Two labels of one item that both sides count alike."""
    item = world.packages[0].item.id
    one, other, *_ = sorted(p.label for p in world.packages if p.item.id == item and world.pos_quantity(p.label) > 5)
    return one, other


async def test_lots_are_read_of_the_mirror_and_the_budget_holds(tmp_path):
    """Either of the two names the other, at one request more at most."""
    world = World.healthy(STORE_NOW)
    one, other = two_lots(world)
    world.drift(one, 2)
    world.drift(other, -2)
    async with synced_store(world, tmp_path, timedelta(seconds=50)) as (_, metrc):
        pass
    async with store_at(world, tmp_path, STORE_NOW, metrc) as (bot, metrc):
        before = len(metrc.requests)
        evidence = await evidence_of(bot, one)
        assert len(metrc.requests) - before <= 8
        back = await evidence_of(bot, other)
    assert ([lot.label for lot in evidence.lots], [lot.label for lot in back.lots]) == ([other], [one])
    assert judged(evidence).code == "count_error.sibling-lots"


async def test_a_sale_in_metrc_under_another_lots_label_is_opened_without_a_mirror(ask):
    """The POS rang it up on the one lot, METRC took it off the other; nobody has seen the receipt's lines yet."""
    world = World.healthy(STORE_NOW)
    one, other = two_lots(world)
    sale = world.sell(other, 1, world.shop_time(1))
    number = sale.receipts[0]
    for each in number.lines:
        each.package = world.package(one)
    world.package(one).quantity -= 1
    world.package(other).quantity += 1
    diagnosis = await ask(world, one)
    assert (diagnosis.code, diagnosis.related) == ("mapping.receipt-without-sale", (other,))
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == 0


# --- one sale as receipt and as delivery ------------------------------------------------------------------------------


def test_a_sale_that_is_a_receipt_and_a_delivery_is_twice_and_a_person_voids_it():
    """METRC took it off both ways; the bot voids no delivery."""
    both = replace(counted(37), deliveries=read((delivered(),)))
    diagnosis = judged(both)
    (twin,) = diagnosis.duplicates
    assert diagnosis.code == "duplication.receipt-and-delivery"
    assert (twin.kind, twin.keep, twin.remove, twin.removable) == (
        DuplicateKind.SALES_DELIVERY,
        "8801",
        ("6611",),
        False,
    )
    assert shares(diagnosis) == [("duplication.receipt-and-delivery", "1", "metrc delivery 6611")]


@pytest.mark.parametrize(
    "other",
    [
        delivered(voided_on=DAY),
        delivered(sold_at=None),
        delivered(quantity=2),
        delivered(at=NOW - days(2) + minutes(9)),
    ],
    ids=["voided", "no time", "another size", "another moment"],
)
def test_a_delivery_that_is_not_the_sale_is_no_twin(other):
    """Only the very sale counts."""
    assert "duplication.receipt-and-delivery" not in codes(judged(replace(counted(37), deliveries=read((other,)))))


def test_a_delivery_of_another_sale_of_that_moment_is_its_own():
    """Two sales in one second, one over the counter and one driven out."""
    second = line(9, NOW - days(2), receipt_id=None)
    evidence = replace(stocked(37, counted(37, add_sales(second))), deliveries=read((delivered(),)))
    assert judged(evidence).cause is Cause.NONE


def test_a_delivery_that_the_counts_leave_no_room_for_is_not_accused():
    """Both sides agree, so whatever it is takes nothing."""
    assert codes(judged(replace(HEALTHY, deliveries=read((delivered(),))))) == []


def test_deliveries_without_the_poss_sales_accuse_nobody():
    """Nothing can be told apart."""
    blind = replace(counted(37), deliveries=read((delivered(),)), pos_sales=failed(source="pos"))
    assert "duplication.receipt-and-delivery" not in codes(judged(blind))


def test_two_sales_that_are_both_are_one_finding():
    """The second is counted, and each names its own delivery."""
    second = delivered(NOW - days(3), id=6612)
    diagnosis = judged(replace(counted(36), deliveries=read((delivered(), second))))
    assert [entry.remove for entry in diagnosis.duplicates] == [("6611",), ("6612",)]
    assert "So with 1 more." in diagnosis.headline


# --- given back to the vendor -----------------------------------------------------------------------------------------


def given_back(kind: str = "adjust", reason: str | None = "Returned to vendor", quantity: int = -5) -> PosEvent:
    """The POS took five off because they went back."""
    return logged(quantity, kind, event_id="e7", reason=reason)


@pytest.mark.parametrize("event", [given_back(), given_back("return_to_vendor", None), given_back("rtv", None)])
def test_goods_given_back_without_a_manifest_are_compliances(event):
    """METRC still counts them here."""
    diagnosis = judged(stocked(33, add_events(event)))
    assert diagnosis.code == "in_transit.returned-without-manifest"
    assert (diagnosis.action.kind, shares(diagnosis)[0][1:]) == (ActionKind.CONTACT_COMPLIANCE, ("-5", "pos event e7"))


@pytest.mark.parametrize("event", [given_back(reason="Customer return", quantity=5), given_back(reason="Breakage")])
def test_other_corrections_are_no_return_to_the_vendor(event):
    """What a customer brings back comes in; what breaks is waste."""
    assert "in_transit.returned-without-manifest" not in codes(judged(stocked(33, add_events(event))))


def test_a_return_that_both_sides_know_is_no_finding():
    """The counts agree."""
    assert codes(judged(stocked(33, counted(33, add_events(given_back()))))) == []


# --- twin products ----------------------------------------------------------------------------------------------------

TWIN = row(label=OTHER_LABEL, product_id="5099", product_name="Night Lantern Flower", where="inventory.csv, line 9")


def test_a_package_on_the_product_that_an_import_made_is_a_mapping_fault():
    """METRC's item is linked to another product; nothing of the count is touched."""
    diagnosis = judged(replace(with_row(metrc_item=None), pos_twins=(TWIN,)))
    assert (diagnosis.code, diagnosis.related) == ("mapping.twin-products", (OTHER_LABEL,))
    assert (diagnosis.action.kind, diagnosis.must_not) == (ActionKind.FIX_MAPPING, (Forbidden.ADJUST_QUANTITY,))


def test_two_products_that_show_one_stock_are_counted_once():
    """Received once, shown twice: the unlinked product's row goes."""
    shadow = row(record_id="r2", product_id="5099", product_name="Imported", metrc_item=None, where="line 3")
    rows = (*(HEALTHY.pos_rows.value or ()), shadow)
    diagnosis = judged(replace(HEALTHY, pos_rows=read(rows, "pos")))
    assert diagnosis.code == "mapping.twin-products"
    assert shares(diagnosis) == [("mapping.twin-products", "38", "pos row r2")]
    assert diagnosis.action.kind is ActionKind.FIX_POS_RECORD


def test_a_shadow_that_explains_nothing_is_not_accused():
    """Another event closed the account."""
    shadow = row(record_id="r2", product_id="5099", product_name="Imported", metrc_item=None)
    evidence = replace(HEALTHY, pos_rows=read((*(HEALTHY.pos_rows.value or ()), shadow), "pos"))
    assert codes(mapping.check(replace(case(evidence), idle=frozenset({"pos row r2"}), laid=None))) == []


def test_two_products_made_of_one_package_are_right():
    """A conversion: their sum is METRC's count."""
    rows = (row(quantity=Decimal(19)), row(record_id="r2", product_id="5099", quantity=Decimal(19)))
    assert codes(judged(replace(HEALTHY, pos_rows=read(rows, "pos")))) == []


# --- what passed is stated --------------------------------------------------------------------------------------------


def test_a_clear_key_says_when_it_worked_and_that_no_rights_were_asked():
    """A person sees what was looked at and what was not."""
    said = outcome_of(judged(HEALTHY), CheckName.AUTHENTICATION).summary
    assert said.startswith("The key worked 0 s ago and may read packages and sales and transfers")
    assert "its rights were not asked for" in said


def test_rights_that_were_read_bear_their_time():
    """Twelve seconds old, in so many words."""
    rights = replace(read(frozenset({"manage sales"})), as_of=NOW - timedelta(seconds=12))
    known = replace(HEALTHY, access=replace(HEALTHY.access, rights=rights))
    assert "its rights were read 12 s ago" in outcome_of(judged(known), CheckName.AUTHENTICATION).summary


def test_rights_that_could_not_be_read_are_told_so():
    """A failed reading is no right."""
    unread = replace(HEALTHY, access=replace(HEALTHY.access, rights=failed(ProblemKind.NOT_FOUND)))
    outcome = outcome_of(judged(unread), CheckName.AUTHENTICATION)
    assert "its rights could not be read" in outcome.summary
    assert outcome.evidence[-1].says == "It could not be read."


# --- the state's own time ---------------------------------------------------------------------------------------------


def test_a_failed_sale_past_any_states_time_tells_compliance_too():
    """A day is the longest that is known; younger than that nothing is said."""
    late = judged(stocked(37, add_sales(line(9, NOW - days(2), receipt_id=None, submission=Submission.FAILED))))
    young = judged(stocked(37, add_sales(refused())))
    assert "tell compliance as well" in late.action.text
    assert "24 h" not in young.action.text


# --- a list that need not be read again -------------------------------------------------------------------------------

MOMENTS = st.integers(-100_000, 100_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(start=MOMENTS, width=st.integers(0, 90_000), changed=st.none() | MOMENTS, since=MOMENTS)
def test_a_list_counts_as_read_only_when_it_reaches_past_the_last_change(start, width, changed, since):
    """Else a record of that change may be missing, and a missing reading may never pass for none."""
    held = Coverage(Feed.ADJUSTMENTS, Window(start, start + timedelta(seconds=width)), NOW)
    if holds_all(held, changed, since):
        assert changed is not None
        assert held.window.start <= since
        assert changed + OVERLAP <= held.window.end
    else:
        assert changed is None or held.window.start > since or changed + OVERLAP > held.window.end


# --- variants ---------------------------------------------------------------------------------------------------------


def test_a_receipt_that_is_there_three_times_loses_two():
    """Both extra copies are named, the POS's own is kept."""
    copies = [receipt(1, id=n, recorded_at=NOW - days(2) + timedelta(seconds=n - 8890)) for n in (8897, 8899)]
    diagnosis = judged(counted(36, add_receipts(*copies)))
    assert (diagnosis.duplicates[0].keep, diagnosis.duplicates[0].remove) == ("8801", ("8897", "8899"))
    assert [quantity for _, quantity, _ in shares(diagnosis)] == ["1", "1"]


def test_a_twin_that_was_voided_already_is_not_named_again():
    """Somebody removed it; both sides agree."""
    gone = receipt(1, id=8897, archived_on=DAY)
    assert codes(judged(add_receipts(gone))) == []


def test_a_hold_set_after_the_sales_failed_does_not_take_the_blame():
    """The unit does: the text says so."""
    bad = refused(message="Unit of measure is not valid for the package", unit="Grams")
    diagnosis = judged(with_package(stocked(37, add_sales(bad)), is_on_hold=True, last_modified=NOW - minutes(2)))
    assert diagnosis.code == "mapping.unit"


def test_both_sides_of_nothing_are_nothing():
    """Zero and zero, and no row at all."""
    assert judged(stocked(0, counted(0))).cause is Cause.NONE
    nowhere = judged(replace(absent(), pos_rows=read((), "pos"), pos_events=read((), "pos")))
    assert (nowhere.code, nowhere.must_not) == (None, (Forbidden.ADJUST_QUANTITY,))


def test_a_package_finished_empty_with_a_failed_sale_keeps_both():
    """METRC closed it at one, the POS sold that one and METRC refused it."""
    closed = with_package(stocked(0, counted(1, add_sales(refused(quantity=1)))), is_finished=True, finished_on=DAY)
    diagnosis = judged(closed)
    assert diagnosis.gap is not None
    assert diagnosis.gap.unexplained == 0
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_an_item_that_differs_in_dashes_and_case_is_the_same():
    """Retyped names are the rule."""
    name = (ITEM.name or "").replace(" - ", ", ").upper()
    assert outcome_of(judged(with_row(metrc_item=name)), CheckName.MAPPING).result is Result.CLEAR
