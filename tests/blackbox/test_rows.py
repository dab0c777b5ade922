"""How METRC and the POS write things down: odd cells, long lists, other shapes, and the cases in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.blackbox.command import Asker, Store, event, sale, stock
from tests.blackbox.metrc_files import NOW, Answer, facility, sample
from tests.blackbox.rows import add_receipt, label, package, receipt, shipped, transfer
from tests.blackbox.shape import outcomes

NEVER = "0001-01-01T00:00:00+00:00"


def fill(store: Store, pos: object = 10, metrc: float = 10, **cells: object) -> None:
    store.metrc.lists["packages/v2/active"].append(package(1, metrc, **cells))
    store.inventory.append(stock(1, pos))


def twice(store: Store) -> None:
    """The smallest twin: one sale, two receipts."""
    fill(store, 19, 18)
    for turn, number in enumerate((900001, 900002)):
        recorded = f"2026-03-02T00:41:1{turn}+00:00"
        add_receipt(store.metrc, receipt(number, "POS-417", "2026-03-01T17:41:07.000", recorded, (1, 1)))
    store.sales.append(sale("POS-417", 1, 1, "2026-03-01T17:41:07-07:00", trace_receipt_id="900001"))


# --- METRC's habits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["FinishedDate", "ArchivedDate", "LabTestingStateDate", "RemediationDate"])
async def test_the_year_one_means_never(ask: Asker, store: Store, cell: str) -> None:
    """0001-01-01 is METRC's "not set": the package is neither finished nor archived."""
    fill(store, **{cell: NEVER})
    answer = await ask(store, 1)
    assert (answer["cause"], set(outcomes(answer).values())) == ("none", {"clear"})


async def test_a_receipt_archived_in_the_year_one_is_alive(ask: Asker, store: Store) -> None:
    """The same for receipts: both twins count."""
    twice(store)
    for row in [*store.metrc.receipts.values(), *store.metrc.lists["sales/v2/receipts/active"]]:
        row["ArchivedDate"] = NEVER
    assert (await ask(store, 1))["duplicates"][0]["remove"] == ["900002"]


async def test_seven_digits_of_a_second_are_read(ask: Asker, store: Store) -> None:
    """2026-03-02T00:41:15.7441994+00:00 is a time; empty texts for null are none."""
    twice(store)
    for number, row in store.metrc.receipts.items():
        row["RecordedDateTime"] = row["LastModified"] = f"2026-03-02T00:41:1{number % 10}.7441994+00:00"
    store.metrc.lists["packages/v2/active"][-1] |= {"LastModified": "2026-03-02T00:41:15.7441994+00:00", "Note": ""}
    assert (await ask(store, 1))["duplicates"][0]["remove"] == ["900002"]


@pytest.mark.parametrize("bare", [True, False])
async def test_a_twin_on_the_third_page_is_found(ask: Asker, store: Store, bare: bool) -> None:
    """55 receipts come in pages of 20, or in one bare array; the twin is the last."""
    store.metrc.bare_arrays = bare
    for number in range(1, 54):
        at = datetime(2026, 2, 22, 17, tzinfo=UTC) + timedelta(hours=number)
        local = (at - timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S")
        add_receipt(
            store.metrc, receipt(890000 + number, f"POS-A{number}", f"{local}.000", at.isoformat(), (9001, 0.5))
        )
        store.sales.append(sale(f"POS-A{number}", 9001, "0.5", f"{local}-07:00", trace_receipt_id=890000 + number))
    twice(store)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["duplicates"][0]["remove"]) == ("duplication", ["900002"])


async def test_a_busy_hour_is_not_read_line_by_line(ask: Asker, store: Store) -> None:
    """Two hundred receipts of other packages: their lines are behind one call each, and few are needed."""
    for number in range(1, 201):
        at = datetime(2026, 2, 24, 17, tzinfo=UTC) + timedelta(minutes=20 * number)
        local = (at - timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S")
        add_receipt(
            store.metrc, receipt(880000 + number, f"POS-B{number}", f"{local}.000", at.isoformat(), (9001, 0.1))
        )
        store.sales.append(sale(f"POS-B{number}", 9001, "0.1", f"{local}-07:00", trace_receipt_id=880000 + number))
    twice(store)
    answer = await ask(store, 1)
    assert answer["cause"] == "duplication"
    assert len([asked for asked in store.metrc.asked if "/receipts/8" in asked]) < 40


async def test_two_open_manifests_and_an_unreadable_one(ask: Asker, store: Store) -> None:
    """An outgoing manifest whose packages METRC will not show: the answer is unknown or provisional, not wrong."""
    made = transfer(420009, delivery=560009, created="2026-03-01T16:00:00+00:00")
    store.metrc.lists["transfers/v2/incoming"].append(made)
    store.inventory.append(stock(12345, 24))
    answer = await ask(store, 12345)
    assert answer["provisional"] or answer["cause"] in {"unknown", "mapping"}
    assert outcomes(answer)["custody"] == "unknown"


async def test_a_license_that_ended_is_told(ask: Asker, store: Store) -> None:
    """S04's cousin: the license is listed and ended last month."""
    fill(store)
    row = facility("402R-X0042")
    row["License"]["EndDate"] = "2026-02-01"
    store.metrc.overrides["facilities/v2"] = Answer.json([row])
    answer = await ask(store, 1)
    assert answer["cause"] in {"wrong_license", "authentication"}
    assert answer["action"]["kind"] in {"fix_license", "fix_permission", "contact_compliance"}


async def test_a_key_that_may_only_read_is_a_good_key(ask: Asker, store: Store) -> None:
    """The bot reads; that the key may not write is no finding where nothing failed."""
    fill(store)
    store.metrc.permissions = sample("employees-permissions-read-only.json")
    answer = await ask(store, 1)
    assert (answer["cause"], outcomes(answer)["authentication"]) == ("none", "clear")


async def test_slow_sales_leave_the_package_readable(ask: Asker, store: Store) -> None:
    """Packages answer, sales do not within the deadline: the gap is told, its cause is unknown, nothing is clear."""
    fill(store, 9, 10)
    store.metrc.slow = {"sales/v2": 3.0}
    answer = await ask(store, 1, deadline=1.5)
    assert answer["cause"] in {"unknown", "outage"}
    assert outcomes(answer)["timing"] in {"unknown", "not_reached"}
    assert answer["provisional"] or answer["cause"] == "outage"


# --- cases in between -------------------------------------------------------------------------------------------------


async def test_a_sale_handed_over_by_delivery_is_posted(ask: Asker, store: Store) -> None:
    """A delivered sale is among METRC's deliveries, not its receipts: it reached METRC."""
    fill(store, 9, 9)
    row = sample("sales-deliveries-active.json")["Data"][0]
    lines = receipt(1, None, "2026-03-02T16:10:00.000", "2026-03-02T23:10:05+00:00", (1, 1))["Transactions"]
    store.metrc.lists["sales/v2/deliveries/active"].append(row)
    store.metrc.home_deliveries[row["Id"]] = row | {"Transactions": lines}
    store.sales.append(sale("POS-D1", 1, 1, "2026-03-02T16:10:00-07:00", trace_receipt_id="6611"))
    answer = await ask(store, 1)
    assert (answer["cause"], outcomes(answer)["timing"]) == ("none", "clear")


async def test_a_young_void_is_on_its_way(ask: Asker, store: Store) -> None:
    """S27, two minutes old: the void is late, not lost."""
    fill(store, 20, 19)
    add_receipt(store.metrc, receipt(900001, "POS-1", "2026-03-02T20:20:00.000", "2026-03-03T03:20:03+00:00", (1, 1)))
    voided = {"is_void": "true", "trace_status": "Pending", "reported_at": "2026-03-02T20:28:00-07:00"}
    store.sales.append(sale("POS-1", 1, 1, "2026-03-02T20:20:00-07:00", trace_receipt_id="900001", **voided))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("timing", "wait")
    assert answer["gap"]["unexplained"] == "0"


async def test_another_category_is_a_mapping(ask: Asker, store: Store) -> None:
    """S07: METRC's item is in another category than the POS product says."""
    fill(store)
    store.inventory[-1]["metrc_category"] = "Infused Pre-Roll (Each)"
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("mapping", "fix_mapping")


@pytest.mark.parametrize("text", ["valid values are: Each", "The Unit of Measure is not valid for this package"])
async def test_grams_against_each(ask: Asker, store: Store, text: str) -> None:
    """S08: METRC counts pieces, the till sends grams; the difference is exactly the refused sales."""
    fill(store, 8, 10)
    for number in (1, 2):
        told = {"trace_status": "Failed", "trace_message": text, "unit": "Grams"}
        store.sales.append(sale(f"POS-{number}", 1, 1, f"2026-03-01T1{number}:00:00-07:00", **told))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("mapping", "fix_mapping")
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("-2", "0")
    assert "resend" in answer["must_not"]


@pytest.mark.parametrize("state", ["NotSubmitted", "SubmittedForTesting", "TestFailed", "AwaitingConfirmation"])
async def test_waiting_for_the_lab(ask: Asker, store: Store, state: str) -> None:
    """S20: active, quantities agree, and the state of its test keeps it from the floor."""
    fill(store, LabTestingState=state)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["difference"]) == ("lab_state", "0")
    assert answer["action"]["kind"] == "contact_compliance"


async def test_a_jar_that_dried(ask: Asker, store: Store) -> None:
    """S22: both systems say 453.6 g, the scale 449.8 g."""
    bulk = {"Name": "Bulk", "UnitWeight": None, "ProductCategoryName": "Bud/Flower"}
    store.metrc.lists["packages/v2/active"].append(package(1, 453.6, unit="Grams", item=bulk))
    cells = {"unit": "Grams", "metrc_item_name": "Bulk", "metrc_category": "Bud/Flower", "unit_weight_g": ""}
    store.inventory.append(stock(1, "453.6", **cells))
    answer = await ask(store, 1, shelf="449.8")
    assert (answer["cause"], answer["action"]["kind"], answer["gap"]["shelf"]) == (
        "count_error",
        "record_count",
        "449.8",
    )


async def test_goods_that_left_and_did_not_arrive_yet(ask: Asker, store: Store) -> None:
    """S24 on the way: shipped from here, not received there; the POS still sells it."""
    made = transfer(420009, delivery=560009, created="2026-03-02T16:00:00+00:00")
    made |= {"ShipperFacilityLicenseNumber": "402R-X0042", "ShipperFacilityName": "Harbor Street Dispensary LLC"}
    made |= {"RecipientFacilityLicenseNumber": None, "ActualDepartureDateTime": "2026-03-02T18:00:00+00:00"}
    store.metrc.lists["transfers/v2/outgoing"].append(made)
    store.metrc.deliveries[560009] = [shipped(1, 20.0)]
    store.inventory.append(stock(1, 20))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("in_transit", "fix_pos_record")
    assert answer["gap"]["unexplained"] == "0"


async def test_one_adjustment_entered_twice(ask: Asker, store: Store) -> None:
    """The same loss was written to METRC twice: a twin that only people can set right, never by a blind count."""
    fill(store, 49, 48)
    for turn in range(2):
        row = sample("packages-adjustments.json")["Data"][0]
        row |= {"PackageId": 5600001, "PackageLabel": label(1), "AdjustmentDate": f"2026-02-28T18:1{turn}:00Z"}
        store.metrc.lists["packages/v2/adjustments"].append(row)
    store.events.append(event(7, 1, "adjust", "2026-02-28T11:10:00-07:00", 50, 49, reason="Damaged"))
    answer = await ask(store, 1)
    assert answer["cause"] == "duplication"
    [twin] = answer["duplicates"]
    assert (twin["system"], twin["kind"], twin["removable"]) == ("metrc", "adjustment", False)
    assert "adjust_quantity" in answer["must_not"]


async def test_sold_through_on_both_sides(ask: Asker, store: Store) -> None:
    """A row of 0 against an active package of 0: nothing to find."""
    fill(store, 0, 0)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["pos"], answer["gap"]["metrc"]) == ("none", "0", "0")


@pytest.mark.parametrize("minutes", [1, 12])
async def test_a_receive_younger_than_the_import_keeps_twins_from_removal(
    ask: Asker, store: Store, minutes: int
) -> None:
    """S13, too early: a second receive younger than one import may still be put right by it."""
    came = (NOW - timedelta(minutes=20), NOW - timedelta(minutes=minutes))
    row = package(1, 40, ReceivedDateTime=came[0].isoformat(), OriginalPackageQuantity=40.0)
    store.metrc.lists["packages/v2/active"].append(row | {"LastModified": came[0].isoformat()})
    for number, at in enumerate(came):
        store.inventory.append(stock(1, 40, received_at=at.isoformat()))
        store.events.append(event(31001 + number, 1, "receive", at.isoformat(), 0, 40, reference="0000410001"))
    answer = await ask(store, 1)
    assert answer["gap"]["difference"] == "40"
    assert answer["action"]["kind"] == ("wait" if minutes == 1 else "remove_duplicate")
