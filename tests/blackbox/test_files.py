"""The POS's files over time: several of them, overlapping, repeated, halved, gone, and dirty."""

from __future__ import annotations

import pytest

from tests.blackbox.command import POS_SAMPLES, Asker, Store, as_csv, sale, stock
from tests.blackbox.metrc_files import Answer
from tests.blackbox.rows import add_receipt, label, package, receipt
from tests.blackbox.shape import outcomes

DIRTY = (POS_SAMPLES / "generic_inventory_dirty.csv").read_bytes()
PREFIX = "1A4FF0100000022000001"


def fill(store: Store, pos: object = 10, metrc: float = 10) -> None:
    store.metrc.lists["packages/v2/active"].append(package(1, metrc))
    store.inventory.append(stock(1, pos))


async def test_a_line_in_two_overlapping_files_is_one_line(ask: Asker, store: Store) -> None:
    """Yesterday's and today's export both hold the pending sale: it explains its unit once."""
    fill(store, 9)
    line = sale("POS-10", 1, 1, "2026-03-02T20:27:00-07:00", trace_status="Pending")
    store.sales.append(line)
    store.raw["sales-2.csv"] = as_csv([line])
    answer = await ask(store, 1)
    assert [share["quantity"] for share in answer["gap"]["explained"]] == ["-1"]


async def test_the_newer_file_says_what_became_of_a_sale(ask: Asker, store: Store) -> None:
    """Pending in the older file, reported in the newer one: it arrived."""
    fill(store, 9, 9)
    local = "2026-02-28T12:00:00"
    add_receipt(store.metrc, receipt(900001, "POS-1", f"{local}.000", "2026-02-28T19:05:00+00:00", (1, 1)))
    store.sales.append(sale("POS-1", 1, 1, f"{local}-07:00", trace_status="Pending"))
    store.raw["sales-2.csv"] = as_csv([sale("POS-1", 1, 1, f"{local}-07:00", trace_receipt_id="900001")])
    answer = await ask(store, 1)
    assert (answer["cause"], outcomes(answer)["timing"]) == ("none", "clear")


async def test_of_the_inventory_the_newest_by_name_counts(ask: Asker, store: Store) -> None:
    """An older stock list lies beside the new one: it is not added, and it does not win."""
    fill(store, 10)
    store.raw["inventory-2026-03-02.csv"] = as_csv([stock(9001, 48), stock(1, 10)])
    store.raw["inventory-2026-03-01.csv"] = as_csv([stock(9001, 50), stock(1, 31)])
    store.inventory = [stock(1, 77)]
    assert (await ask(store, 1))["gap"]["pos"] == "10"


@pytest.mark.parametrize(("before", "after"), [(40, 9), (8, 3)])
async def test_a_halved_stock_list_is_refused(ask: Asker, store: Store, before: int, after: int) -> None:
    """Less than half of the rows are left: an upload was cut off, so "not there" would be a lie."""
    fill(store)
    store.inventory += [stock(number, 5) for number in range(101, 101 + before)]
    assert (await ask(store, 1))["gap"]["pos"] == "10"
    store.inventory = [stock(number, 5) for number in range(101, 101 + after)]
    answer = await ask(store, 1)
    assert answer["cause"] == "unknown"
    assert outcomes(answer)["mapping"] == "unknown"


async def test_a_new_file_with_old_content_is_refused(ask: Asker, store: Store) -> None:
    """Today's name, yesterday's bytes: the upload was repeated, and the answer says that it cannot be relied on."""
    fill(store)
    assert (await ask(store, 1))["provisional"] is False
    store.raw["inventory-later.csv"] = as_csv(store.inventory)
    answer = await ask(store, 1)
    assert answer["provisional"]


async def test_an_unchanged_file_read_again_is_no_repeated_upload(ask: Asker, store: Store) -> None:
    """The same file, two questions: both are answered alike."""
    fill(store)
    assert [(await ask(store, 1))["provisional"] for _ in range(3)] == [False, False, False]


async def test_no_stock_list_at_all_is_unknown(ask: Asker, store: Store) -> None:
    """The folder is there and holds no inventory: nobody says that the POS lacks the package."""
    fill(store)
    store.inventory = None  # type: ignore[assignment]
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]) == ("unknown", None)
    assert outcomes(answer)["mapping"] == "unknown"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage\x00\x80", b"a,b,c\n1,2,3\n", b"package_id\n"])
async def test_a_file_that_is_no_stock_list_is_unknown(ask: Asker, store: Store, content: bytes) -> None:
    """Empty, binary, other columns, no rows: not readable, hence unknown, and still an answer."""
    fill(store)
    store.raw["inventory.csv"] = content
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]) == ("unknown", None)


@pytest.mark.parametrize(("number", "quantity"), [("002", "19"), ("006", "453.59")])
async def test_a_dirty_file_is_read_where_it_can_be(ask: Asker, scene: Store, number: str, quantity: str) -> None:
    """Byte-order mark, blanks, lower case, aliases: these rows are whole and count."""
    scene.raw["inventory.csv"] = DIRTY
    answer = await ask(scene, PREFIX + number)
    assert answer["gap"]["pos"] == quantity


@pytest.mark.parametrize("number", ["001", "004"])
async def test_what_a_dirty_file_lost_is_not_absent(ask: Asker, scene: Store, number: str) -> None:
    """One tag became 1.A4FF01E+23: any label that has no row of its own may be the one."""
    scene.raw["inventory.csv"] = DIRTY
    answer = await ask(scene, PREFIX + number)
    assert answer["gap"] is None
    assert outcomes(answer)["mapping"] == "unknown"
    assert answer["cause"] not in {"mapping", "none", "count_error"}


async def test_semicolons_and_other_names_are_the_same_file(ask: Asker, store: Store) -> None:
    """A German-looking export: semicolons, aliases, thousands separators, units in words."""
    fill(store)
    store.metrc.lists["packages/v2/active"][-1]["Quantity"] = 1042.0
    store.inventory = None  # type: ignore[assignment]
    rows = f"Package Label;Item;On Hand;UoM;Exported At\n{label(1)};Test Cookies 1g;1,042.00;ea;2026-03-02T20:30:00-07:00\n"
    store.raw["inventory.csv"] = rows.encode()
    answer = await ask(store, 1)
    assert (answer["gap"]["pos"], answer["gap"]["difference"]) == ("1042", "0")


async def test_sale_times_without_an_offset_are_the_shop_s(ask: Asker, store: Store) -> None:
    """20:27 on the till's wall is 03:27 UTC: three minutes ago, so it is on its way."""
    fill(store, 9)
    store.sales.append(sale("POS-10", 1, 1, "2026-03-02 20:27:00", trace_status="Pending"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["unexplained"]) == ("timing", "0")


async def test_a_file_imported_twice_without_numbers(ask: Asker, store: Store) -> None:
    """S14, the same file twice: two receipts without a number, equal in time and lines, for one POS sale."""
    fill(store, 19, 18)
    local = "2026-03-01T12:15:00"
    for turn, number in enumerate((900001, 900002)):
        recorded = f"2026-03-02T09:0{turn}:00+00:00"
        add_receipt(store.metrc, receipt(number, None, f"{local}.000", recorded, (1, 1)))
    store.sales.append(sale("POS-1", 1, 1, f"{local}-07:00"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["unexplained"]) == ("duplication", "0")
    assert answer["duplicates"][0]["remove"] == ["900002"]


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_package_that_alone_cannot_be_read_is_unknown(ask: Asker, store: Store, status: int) -> None:
    """The lists answer, this label does not: its quantity is not read, which is no absence."""
    fill(store, 9)
    store.metrc.overrides[f"packages/v2/{label(1)}"] = Answer(status, "busy")
    answer = await ask(store, 1)
    assert answer["cause"] in {"unknown", "outage"}
    assert outcomes(answer)["mapping"] != "found"
    assert answer["provisional"] or answer["cause"] == "outage"
