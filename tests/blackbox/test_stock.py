"""S05, S06, S13, S16, S17, S18, S19, S21, S23 and S26: where the package is, and what it is called."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.blackbox.command import Asker, Store, event, sale, stock
from tests.blackbox.metrc_files import NOW, SHOP
from tests.blackbox.rows import add_receipt, label, package, receipt, shipped, transfer
from tests.blackbox.shape import Answered, outcomes

ROAD = {"ActualDepartureDateTime": "2026-03-02T15:00:00+00:00", "ReceivedDateTime": None}


def explained(answer: Answered, family: str) -> Decimal:
    """What the findings of one cause explain."""
    shares = answer["gap"]["explained"]
    return sum((Decimal(s["quantity"]) for s in shares if s["code"].startswith(f"{family}.")), Decimal(0))


# --- S05, S06: names --------------------------------------------------------------------------------------------------


async def test_a_package_that_was_never_built_in_the_pos_is_mapping(ask: Asker, store: Store) -> None:
    """S05: 12 in METRC for weeks, nothing in the POS, no receive: a missing product, not a miscount."""
    store.metrc.lists["packages/v2/active"].append(package(1, 12))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["pos"], answer["gap"]["difference"]) == ("mapping", None, "-12")
    assert answer["action"]["kind"] in {"fix_mapping", "fix_pos_record"}
    assert answer["gap"]["unexplained"] == "0"


SLIPS = {"one digit": (12345, 12346), "two digits swapped": (12345, 12354), "two digits": (12345, 12399)}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("unknown_is", [0, 1])
async def test_a_mistyped_label_is_told_with_the_true_one(ask: Asker, store: Store, slip: str, unknown_is: int) -> None:
    """S06: METRC knows a near label with the same item that the POS lacks; 401 and 404 read the same."""
    wrong, true = SLIPS[slip]
    for _ in range(unknown_is):
        store.metrc._unknown_record()
    store.inventory.append(stock(wrong, 24, manifest_number=""))
    store.metrc.lists["packages/v2/active"].append(package(true, 24))
    answer = await ask(store, wrong)
    assert (answer["cause"], answer["action"]["kind"]) == ("mapping", "fix_pos_record")
    assert (answer["gap"]["metrc"], answer["gap"]["difference"], explained(answer, "mapping")) == (None, "24", 24)
    assert label(true) in answer["related"]


async def test_the_letter_o_is_told_with_the_label_that_has_a_zero(ask: Asker, store: Store) -> None:
    """S06: the tag was typed with O for 0, and METRC has the true one active."""
    true = label(1011)
    wrong = true[:15] + "O" + true[16:]
    store.inventory.append(stock(1, 24, package_id=wrong))
    store.metrc.lists["packages/v2/active"].append(package(1011, 24))
    answer = await ask(store, wrong)
    assert (answer["cause"], answer["related"], answer["gap"]["unexplained"]) == ("mapping", [true], "0")


async def test_a_near_label_that_the_pos_has_too_is_another_package(ask: Asker, store: Store) -> None:
    """S06, not: the neighbour is in both systems, so it cannot be what the wrong row means."""
    store.inventory += [stock(12345, 24), stock(12346, 24)]
    store.metrc.lists["packages/v2/active"].append(package(12346, 24))
    answer = await ask(store, 12345)
    assert label(12346) not in answer["related"]
    assert answer["cause"] in {"mapping", "unknown"}


async def test_a_near_label_of_another_item_is_not_accused_with_certainty(ask: Asker, store: Store) -> None:
    """S06, not quite: one digit away, but gummies are no pre-rolls."""
    store.inventory.append(stock(12345, 24))
    gummies = {"Name": "Plum Gummies", "ProductCategoryName": "Edibles", "StrainName": None}
    store.metrc.lists["packages/v2/active"].append(package(12346, 24, item=gummies))
    answer = await ask(store, 12345)
    assert answer["confidence"] != "certain"
    assert answer["cause"] in {"mapping", "unknown"}


@pytest.mark.parametrize("manifest", ["0000410001", ""])
async def test_a_label_that_metrc_has_never_seen_is_no_miscount(ask: Asker, store: Store, manifest: str) -> None:
    """S06 without any near label: 24 under a tag that METRC does not know cannot be cured by counting."""
    store.inventory.append(stock(12345, 24, manifest_number=manifest))
    answer = await ask(store, 12345)
    assert answer["cause"] in {"mapping", "unknown"}
    assert (answer["gap"]["pos"], answer["gap"]["metrc"]) == ("24", None)


# --- S13: received twice ----------------------------------------------------------------------------------------------


def received(store: Store, *times: str, shipped_each: int = 40, metrc: float = 40) -> None:
    """One delivery in METRC; the POS received it once for every time."""
    row = package(1, metrc, OriginalPackageQuantity=40.0, ReceivedFromManifestNumber="0000420001")
    row["ReceivedDateTime"] = "2026-03-01T21:30:00+00:00"
    store.metrc.lists["packages/v2/active"].append(row)
    closed = {"ReceivedDateTime": "2026-03-01T21:30:00+00:00", "ReceivedPackageCount": 1}
    closed |= {"DeliveryReceivedPackageCount": 1, "LastModified": "2026-03-01T21:30:00+00:00"}
    made = transfer(420001, delivery=560001, created="2026-03-01T16:00:00+00:00", **closed)
    store.metrc.lists["transfers/v2/incoming"].append(made)
    accepted = {"ShipmentPackageState": "Accepted", "ReceivedQuantity": 40.0, "ReceivedUnitOfMeasureName": "Each"}
    store.metrc.deliveries[560001] = [shipped(1, 40.0, **accepted)]
    for number, at in enumerate(times):
        came = {"received_at": f"2026-03-01T{at}-07:00", "manifest_number": "0000420001", "room": "Vault"}
        store.inventory.append(stock(1, shipped_each, **came))
        store.events.append(
            event(31001 + number, 1, "receive", f"2026-03-01T{at}-07:00", 0, 40, reference="0000420001")
        )


@pytest.mark.parametrize("times", [("14:35:40", "14:47:02"), ("14:35:40", "14:47:02", "14:58:30")])
async def test_one_truck_received_more_than_once(ask: Asker, store: Store, times: tuple[str, ...]) -> None:
    """S13: the newer POS rows go, by a person, in the POS; METRC is not touched."""
    received(store, *times)
    answer = await ask(store, 1)
    extra = 40 * (len(times) - 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("duplication", "remove_duplicate")
    assert (answer["gap"]["difference"], explained(answer, "duplication")) == (str(extra), extra)
    [twin] = answer["duplicates"]
    assert (twin["system"], twin["kind"], twin["keep"], twin["removable"]) == ("pos", "receive", "31001", False)
    assert sorted(twin["remove"]) == [str(31002 + number) for number in range(len(times) - 1)]


async def test_the_receive_that_was_sold_from_is_kept(ask: Asker, store: Store) -> None:
    """S13: three were sold from the second row; that one stays, and the difference is still one delivery."""
    received(store, "14:35:40", "14:47:02", metrc=37)
    store.inventory[-1]["quantity"] = 37
    local = "2026-03-02T12:00:00"
    add_receipt(store.metrc, receipt(900001, "POS-1", f"{local}.000", "2026-03-02T19:00:04+00:00", (1, 3)))
    store.sales.append(sale("POS-1", 1, 3, f"{local}-07:00", trace_receipt_id="900001"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("duplication", "40", "0")
    [twin] = answer["duplicates"]
    assert (twin["keep"], twin["remove"]) == ("31002", ["31001"])


async def test_two_receives_of_two_manifests_are_two_deliveries(ask: Asker, store: Store) -> None:
    """S13, not: METRC counts 80 too; two loads of one label came, so nothing is there twice."""
    received(store, "14:35:40", "14:47:02", metrc=80)
    store.metrc.lists["packages/v2/active"][-1]["OriginalPackageQuantity"] = 80.0
    store.metrc.deliveries[560001][0] |= {"ShippedQuantity": 80.0, "ReceivedQuantity": 80.0}
    answer = await ask(store, 1)
    assert (answer["cause"], answer["duplicates"]) == ("none", [])


@pytest.mark.parametrize("spoil", [lambda row: row.pop("event_id"), lambda row: row.update(event_id="")])
async def test_receives_without_event_ids_are_named_by_time_and_manifest(
    ask: Asker, store: Store, spoil: Callable[[dict[str, object]], object]
) -> None:
    """S13 from a file without ``event_id``: ``received_at`` and the manifest number name the row."""
    received(store, "14:35:40", "14:47:02")
    for row in store.events:
        spoil(row)
    [twin] = (await ask(store, 1))["duplicates"]
    assert "14:35:40" in twin["keep"] or "21:35:40" in twin["keep"]
    assert all("0000420001" in name for name in (twin["keep"], *twin["remove"]))
    assert "47:02" in twin["remove"][0]


NAMELESS = {
    "one time for both": [{"room": "Vault"}, {"room": "Sales Floor"}],
    "one without time and manifest": [{}, {"received_at": "", "manifest_number": ""}],
    "both without": [{"received_at": "", "manifest_number": ""}] * 2,
}


@pytest.mark.parametrize("rows", NAMELESS)
async def test_rows_that_cannot_be_told_apart_are_not_named_for_removal(ask: Asker, store: Store, rows: str) -> None:
    """S13 without the log and without a time or manifest of its own: no twin is listed that nobody could point at."""
    received(store)
    store.inventory += [stock(1, 40, **cells) for cells in NAMELESS[rows]]
    store.events = None
    answer = await ask(store, 1)
    named = [(twin["keep"], *twin["remove"]) for twin in answer["duplicates"]]
    assert all(len(set(names)) == len(names) and all(names) for names in named)
    assert answer["cause"] in {"duplication", "unknown"}


async def test_two_equal_rows_without_an_event_file_are_never_clear(ask: Asker, store: Store) -> None:
    """S13 without the log: the rows themselves are twins, or it is unknown; it is never "clear"."""
    received(store, "14:35:40", "14:47:02")
    store.events = None
    answer = await ask(store, 1)
    assert outcomes(answer)["duplication"] in {"found", "unknown"}
    assert answer["cause"] in {"duplication", "unknown"}


# --- S16: definitions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pos", "metrc"), [("5.0", 1.0), ("1.0", 5.0), ("28.35", 1.0), ("1.5", 1.0), ("0.5", 1.0)])
async def test_equal_counts_and_other_weights_are_a_definition(
    ask: Asker, store: Store, pos: str, metrc: float
) -> None:
    """S16: the count stays; the definition of one unit is what differs."""
    store.metrc.lists["packages/v2/active"].append(package(1, 19, item={"UnitWeight": metrc}))
    store.inventory.append(stock(1, 19, unit_weight_g=pos))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("definition", "fix_definition")
    assert (answer["gap"]["difference"], answer["gap"]["explained"]) == ("0", [])


@pytest.mark.parametrize(
    ("pos", "metrc", "unit"),
    [("1.0", 1000, "Milligrams"), ("28.3495", 1, "Ounces"), ("1", 1, "Grams"), ("1.00", 0.001, "Kilograms")],
)
async def test_the_same_weight_in_another_unit_is_the_same(
    ask: Asker, store: Store, pos: str, metrc: float, unit: str
) -> None:
    """S16, not: 1000 mg are 1 g."""
    item = {"UnitWeight": metrc, "UnitWeightUnitOfMeasureName": unit}
    store.metrc.lists["packages/v2/active"].append(package(1, 19, item=item))
    store.inventory.append(stock(1, 19, unit_weight_g=pos))
    answer = await ask(store, 1)
    assert (answer["cause"], outcomes(answer)["definition"]) == ("none", "clear")


# --- S17, S24: on the road --------------------------------------------------------------------------------------------


def on_the_road(store: Store, *, seen_by_label: bool) -> None:
    store.metrc.hides_in_transit = not seen_by_label
    if seen_by_label:
        row = package(1, 40, ReceivedDateTime=None, ReceivedFromManifestNumber=None)
        store.metrc.lists["packages/v2/intransit"].append(row | {"LastModified": "2026-03-02T15:00:12+00:00"})
    made = transfer(420001, delivery=560001, created="2026-03-01T16:00:00+00:00", **ROAD)
    store.metrc.lists["transfers/v2/incoming"].append(made)
    store.metrc.deliveries[560001] = [shipped(1, 40.0)]


@pytest.mark.parametrize("seen_by_label", [True, False])
@pytest.mark.parametrize("manifest", ["0000420001", ""])
async def test_goods_on_the_road_that_the_pos_received_ahead(
    ask: Asker, store: Store, seen_by_label: bool, manifest: str
) -> None:
    """S17: the manifest was not accepted; the recipient may not even see the label yet."""
    on_the_road(store, seen_by_label=seen_by_label)
    came = {"received_at": "2026-03-02T14:35:40-07:00", "manifest_number": manifest}
    store.inventory.append(stock(1, 40, **came))
    store.events.append(event(31001, 1, "receive", "2026-03-02T14:35:40-07:00", 0, 40, reference=manifest))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("in_transit", "accept_transfer")
    assert (answer["gap"]["pos"], answer["gap"]["metrc"], explained(answer, "in_transit")) == ("40", None, 40)
    assert answer["duplicates"] == []
    assert outcomes(answer)["authentication"] == "clear"


async def test_goods_on_the_road_that_nobody_received(ask: Asker, store: Store) -> None:
    """S17 as it should be: neither side counts it, and the road is still the reason why it reads as missing."""
    on_the_road(store, seen_by_label=False)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["difference"]) == ("in_transit", "0")


@pytest.mark.parametrize("voided", [True, False])
async def test_a_rejected_or_voided_load_is_not_to_be_accepted(ask: Asker, store: Store, voided: bool) -> None:
    """S17, turned: the POS holds 40 of a load that was refused or whose manifest is void."""
    on_the_road(store, seen_by_label=False)
    if voided:
        store.metrc.lists["transfers/v2/incoming"][-1]["IsVoided"] = True
    else:
        store.metrc.lists["transfers/v2/incoming"][-1] |= {"ReceivedDateTime": "2026-03-02T21:30:00+00:00"}
        store.metrc.deliveries[560001][0]["ShipmentPackageState"] = "Rejected"
    store.inventory.append(stock(1, 40, received_at="2026-03-02T14:35:40-07:00", manifest_number="0000420001"))
    answer = await ask(store, 1)
    assert answer["action"]["kind"] != "accept_transfer"
    assert answer["cause"] not in {"none", "count_error"}


async def test_goods_that_left_for_the_sister_shop(ask: Asker, store: Store) -> None:
    """S24: METRC shows them received elsewhere; the POS still lists 20."""
    gone = {"Id": 1, "PackageId": 5600001, "RecipientFacilityLicenseNumber": "402R-X0099", "PackageLabel": label(1)}
    gone |= {"RecipientFacilityName": "Sister", "ManifestNumber": "0000420009", "ShippedQuantity": 20.0}
    gone |= {"ShippedUnitOfMeasureAbbreviation": "ea", "ReceivedQuantity": 20.0, "ShipmentPackageStateName": "Accepted"}
    gone |= {"ReceivedUnitOfMeasureAbbreviation": "ea", "ReceivedDateTime": "2026-03-01T21:30:00+00:00"}
    store.metrc.lists["packages/v2/transferred"].append(gone)
    store.inventory.append(stock(1, 20))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("in_transit", "fix_pos_record")
    assert (answer["gap"]["metrc"], explained(answer, "in_transit")) == (None, 20)


# --- S18, S19, S26: states --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [{"FinishedDate": "2026-02-27", "IsFinished": True}, {"ArchivedDate": "2026-02-27"}])
@pytest.mark.parametrize("left", ["2", "7"])
async def test_finished_with_some_left(ask: Asker, store: Store, ending: dict[str, object], left: str) -> None:
    """S18: inactive in METRC, still for sale in the POS: look at the shelf first."""
    closed = package(1, 0, LastModified="2026-02-27T16:30:00+00:00", **ending)
    store.metrc.lists["packages/v2/inactive"].append(closed)
    store.inventory.append(stock(1, left))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("finished", "recount")
    assert (answer["gap"]["metrc"], str(explained(answer, "finished"))) == ("0", left)


@pytest.mark.parametrize("flag", ["IsOnHold", "IsOnInvestigation", "IsOnRecall"])
async def test_held_at_the_state_and_for_sale_at_the_till(ask: Asker, store: Store, flag: str) -> None:
    """S19: the sales that failed since are the hold's doing; call compliance, resend nothing."""
    held = package(1, 10, LastModified="2026-03-01T15:10:33+00:00", **{flag: True})
    store.metrc.lists["packages/v2/onhold"].append(held)
    store.inventory.append(stock(1, 8))
    for number in (1, 2):
        failed = sale(f"POS-{number}", 1, 1, f"2026-03-02T1{number}:00:00-07:00", trace_status="Failed")
        store.sales.append(failed | {"trace_message": "Package is on hold."})
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("on_hold", "contact_compliance")
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("-2", "0")
    assert "resend" in answer["must_not"]


async def test_a_split_made_in_metrc_explains_the_parent(ask: Asker, store: Store) -> None:
    """S26: a new tag in METRC names the parent and holds the 100 g that are missing there."""
    parent = package(1, 353.6, unit="Grams", item={"Name": "Bulk", "UnitWeight": None})
    child = package(2, 100, unit="Grams", item={"Name": "Bulk", "UnitWeight": None}, SourcePackageLabels=label(1))
    child |= {"PackagedDate": "2026-02-25", "ReceivedDateTime": None, "ReceivedFromManifestNumber": None}
    store.metrc.lists["packages/v2/active"] += [parent, child | {"OriginalPackageQuantity": 100.0}]
    store.inventory.append(stock(1, "453.6", unit="Grams", metrc_item_name="Bulk", unit_weight_g=""))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["related"]) == ("split", [label(2)])
    assert (answer["gap"]["difference"], explained(answer, "split")) == ("100", 100)


# --- S23, S21: nothing, and the count ---------------------------------------------------------------------------------


ROOMS = {
    "three rooms": [("10", {"room": "Vault"}), ("5", {"room": "Sales Floor"}), ("4", {"room": "Online"})],
    "two products": [("12", {}), ("7", {"product_id": "7002", "product_name": "Test Cookies 1g (promo)"})],
    "equal rooms": [("9.5", {"room": "Vault"}), ("9.5", {"room": "Sales Floor"})],
}


@pytest.mark.parametrize("rooms", ROOMS)
async def test_several_rows_that_add_up_are_one_package(ask: Asker, store: Store, rooms: str) -> None:
    """S23: show the sum, remove nothing."""
    store.metrc.lists["packages/v2/active"].append(package(1, 19))
    store.inventory += [stock(1, quantity, **cells) for quantity, cells in ROOMS[rooms]]
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"], answer["duplicates"]) == ("none", "none", [])
    assert (answer["gap"]["pos"], answer["gap"]["difference"]) == ("19", "0")
    assert "remove_record" in answer["must_not"]


async def test_rooms_beside_a_failed_sale_are_still_no_twins(ask: Asker, store: Store) -> None:
    """S23 with S12: the rows' sum is one short, and the one is a failed sale, not a row too many."""
    store.metrc.lists["packages/v2/active"].append(package(1, 20))
    store.inventory += [stock(1, 10, room="Vault"), stock(1, 9, room="Sales Floor")]
    failed = {"trace_status": "Failed", "trace_message": "Quantity must be greater than zero."}
    store.sales.append(sale("POS-9", 1, 1, "2026-02-28T12:00:00-07:00", **failed))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["duplicates"], answer["gap"]["unexplained"]) == ("failed_post", [], "0")


async def test_both_systems_agree_and_the_shelf_does_not(ask: Asker, store: Store) -> None:
    """S21: all clear, 41 and 41, counted 40: now, and only now, a count may be recorded."""
    store.metrc.lists["packages/v2/active"].append(package(1, 41))
    store.inventory.append(stock(1, 41))
    answer = await ask(store, 1, shelf="40")
    assert (answer["cause"], answer["action"]["kind"], answer["gap"]["shelf"]) == ("count_error", "record_count", "40")
    assert (answer["gap"]["explained"], answer["gap"]["unexplained"]) == ([], "0")
    assert "adjust_quantity" not in answer["must_not"]


async def test_a_shelf_that_agrees_is_none(ask: Asker, store: Store) -> None:
    """S21, not: the count confirms both."""
    store.metrc.lists["packages/v2/active"].append(package(1, 41))
    store.inventory.append(stock(1, 41))
    answer = await ask(store, 1, shelf="41.0")
    assert (answer["cause"], answer["action"]["kind"]) == ("none", "none")


async def test_a_residue_that_nothing_explains_asks_for_a_recount(ask: Asker, store: Store) -> None:
    """All else is clear and the shelf is not known: the count check has it, and a recount comes first."""
    store.metrc.lists["packages/v2/active"].append(package(1, 42))
    store.inventory.append(stock(1, 41))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("count_error", "recount")
    assert answer["gap"]["unexplained"] == "-1"


async def test_a_received_package_that_the_pos_will_import_is_timing(ask: Asker, store: Store) -> None:
    """S11: accepted in METRC four minutes ago, the POS imports every ten: wait one interval."""
    just = "2026-03-03T03:26:00+00:00"
    row = package(1, 40, ReceivedDateTime=just, LastModified=just, ReceivedFromManifestNumber="0000420001")
    store.metrc.lists["packages/v2/active"].append(row | {"OriginalPackageQuantity": 40.0})
    closed = {"ReceivedDateTime": just, "ReceivedPackageCount": 1, "DeliveryReceivedPackageCount": 1}
    made = transfer(420001, delivery=560001, created="2026-03-01T16:00:00+00:00", **closed, LastModified=just)
    store.metrc.lists["transfers/v2/incoming"].append(made)
    accepted = {"ShipmentPackageState": "Accepted", "ReceivedQuantity": 40.0}
    store.metrc.deliveries[560001] = [shipped(1, 40.0, **accepted)]
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("timing", "wait")
    assert answer["action"]["not_before"] > NOW.isoformat()
    assert answer["gap"]["unexplained"] == "0"


async def test_two_open_manifests_of_one_load_are_told_by_id(ask: Asker, store: Store) -> None:
    """One load on two open manifests, same label and invoice, seconds apart: METRC twins that only people remove."""
    on_the_road(store, seen_by_label=True)
    store.metrc.lists["transfers/v2/incoming"][-1]["InvoiceNumber"] = "INV-1"
    again = transfer(420002, delivery=560002, created="2026-03-01T16:00:42+00:00", InvoiceNumber="INV-1")
    store.metrc.lists["transfers/v2/incoming"].append(again | {"ActualDepartureDateTime": None})
    store.metrc.deliveries[560002] = [shipped(1, 40.0)]
    answer = await ask(store, 1)
    [twin] = answer["duplicates"]
    assert (twin["system"], twin["kind"], twin["keep"], twin["remove"]) == ("metrc", "transfer", "420001", ["420002"])
    assert (twin["removable"], answer["cause"]) == (False, "in_transit")
    assert answer["facility"] == SHOP
