"""S09, S10, S12 and S15: sales that are late, lost, or there twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.blackbox.command import Asker, Store, sale, stock
from tests.blackbox.metrc_files import NOW
from tests.blackbox.rows import add_receipt, package, receipt
from tests.blackbox.shape import Answered, outcomes

EASTERN = ZoneInfo("America/New_York")


def shelve(store: Store, pos: object, metrc: float, **both: object) -> None:
    """Package 1 on both sides."""
    unit = {"unit": both["unit"]} if "unit" in both else {}
    store.metrc.lists["packages/v2/active"].append(package(1, metrc, **unit))
    store.inventory.append(stock(1, pos, **unit))


def post(store: Store, number: int, external: str | None, local: str, lag: int = 4, **cells: object) -> None:
    """A receipt for one unit of package 1, recorded ``lag`` seconds after the sale."""
    at = datetime.fromisoformat(f"{local}-07:00")
    lines = cells.pop("lines", ((1, 1),))
    recorded = (at + timedelta(seconds=lag)).astimezone(UTC).isoformat()
    add_receipt(store.metrc, receipt(number, external, f"{local}.000", recorded, *lines, **cells))


def not_before(answer: Answered) -> datetime:
    """When to look again."""
    return datetime.fromisoformat(answer["action"]["not_before"])


# --- S09, S10: late ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Pending", "Queued", ""])
@pytest.mark.parametrize("minutes", [(4, 3, 2), (9, 8, 1)])
async def test_young_sales_are_on_their_way(ask: Asker, store: Store, status: str, minutes: tuple[int, ...]) -> None:
    """S09: METRC is 3 higher by exactly the three youngest sales: wait, and say until when."""
    shelve(store, 17, 20)
    for number, ago in enumerate(minutes):
        at = (NOW - timedelta(minutes=ago)).isoformat()
        store.sales.append(sale(f"POS-1{number}", 1, 1, at, trace_status=status))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("timing", "wait")
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("-3", "0")
    assert NOW < not_before(answer) <= NOW + timedelta(hours=1)
    assert {"adjust_quantity", "resend"} <= set(answer["must_not"])


async def test_half_a_gram_on_its_way_is_explained_to_the_hundredth(ask: Asker, store: Store) -> None:
    """S09 by weight: −0.57 g is one sale of 0.57 g, exactly."""
    shelve(store, "112.43", 113.0, unit="Grams")
    store.sales.append(sale("POS-10", 1, "0.57", "2026-03-02T20:25:00-07:00", unit="g", trace_status="Pending"))
    answer = await ask(store, 1)
    assert answer["cause"] == "timing"
    assert [share["quantity"] for share in answer["gap"]["explained"]] == ["-0.57"]


async def test_a_residue_beside_a_late_sale_stays_visible(ask: Asker, store: Store) -> None:
    """S09 with one unit more missing than the sales on their way explain: one stays unexplained."""
    shelve(store, 17, 20)
    for number in range(2):
        store.sales.append(sale(f"POS-1{number}", 1, 1, "2026-03-02T20:27:00-07:00", trace_status="Pending"))
    answer = await ask(store, 1)
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("-3", "-1")
    assert answer["action"]["kind"] == "wait"
    assert answer["confidence"] != "certain"


def nightly(store: Store) -> None:
    store.posting, store.nightly_at = "nightly", "04:00 America/New_York"


async def test_a_nightly_shop_waits_for_its_night(ask: Asker, store: Store) -> None:
    """S10: what was sold this afternoon is not late before the night's run."""
    nightly(store)
    shelve(store, 15, 20)
    store.sales.append(sale("POS-20", 1, 5, "2026-03-02T13:00:00-07:00", trace_status="Pending"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["unexplained"]) == ("timing", "0")
    assert not_before(answer) >= datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


async def test_a_night_that_went_by_makes_the_sale_failed(ask: Asker, store: Store) -> None:
    """S10: a sale of the day before, still unposted after the night's run, will not come by itself."""
    nightly(store)
    shelve(store, 15, 20)
    store.sales.append(sale("POS-20", 1, 5, "2026-03-01T13:00:00-07:00", trace_status="Pending"))
    answer = await ask(store, 1)
    assert answer["cause"] == "failed_post"


async def test_the_night_of_the_clock_change_is_an_hour_shorter(ask: Asker, store: Store) -> None:
    """S10 on 8 March 2026: the run keeps its Eastern wall clock although the offset changed at 02:00."""
    nightly(store)
    shelve(store, 15, 20)
    walls = []
    for now in (datetime(2026, 3, 7, 5, 30, tzinfo=UTC), datetime(2026, 3, 8, 5, 30, tzinfo=UTC)):
        sold = (now - timedelta(hours=3)).isoformat()
        store.sales[2:] = [sale("POS-20", 1, 5, sold, trace_status="Pending")]
        for row in store.inventory:
            row["exported_at"] = now.isoformat()
        store.metrc.now = now
        answer = await ask(store, 1, now=now)
        assert answer["cause"] == "timing"
        walls.append(not_before(answer).astimezone(EASTERN))
    assert walls[0].time() == walls[1].time()
    assert [wall.day for wall in walls] == [7, 8]
    assert walls[1] - walls[0] == timedelta(days=1)  # wall clocks: 23 hours in truth
    assert walls[1].astimezone(UTC) - walls[0].astimezone(UTC) == timedelta(hours=23)


async def test_a_sale_in_the_hour_that_does_not_exist_twice_is_matched(ask: Asker, store: Store) -> None:
    """Autumn: 01:30 local happens twice; a receipt sold then is recognised by its number, not moved by an hour."""
    now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    shelve(store, 19, 19)
    store.metrc.lists["packages/v2/active"][-1] |= {"LastModified": "2026-11-01T08:30:04+00:00"}
    add_receipt(store.metrc, receipt(900001, "POS-1", "2026-11-01T01:30:00.000", "2026-11-01T08:30:04+00:00", (1, 1)))
    for row in store.inventory:
        row |= {"exported_at": now.isoformat(), "received_at": "2026-10-20T10:00:00-06:00"}
    store.metrc.lists["packages/v2/active"][-1]["ReceivedDateTime"] = "2026-10-20T16:00:00+00:00"
    store.sales.append(sale("POS-1", 1, 1, "2026-11-01T01:30:00-07:00", trace_receipt_id="900001"))
    store.metrc.now = now
    answer = await ask(store, 1, now=now)
    assert (answer["cause"], answer["gap"]["difference"]) == ("none", "0")


# --- S12: lost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message"),
    [("Failed", "Quantity must be greater than zero."), ("SubmissionError", ""), ("Pending", ""), ("", "")],
)
@pytest.mark.parametrize("quantity", ["1", "3"])
async def test_an_old_sale_that_metrc_never_took_is_not_late(
    ask: Asker, store: Store, status: str, message: str, quantity: str
) -> None:
    """S12: two days old, no receipt, others around it posted: failed, and a resend with the true time is due."""
    shelve(store, 10 - int(quantity), 10)
    for number, local in ((900001, "2026-02-28T10:00:00"), (900002, "2026-03-02T10:00:00")):
        post(store, number, f"POS-{number}", local)
        store.sales.append(sale(f"POS-{number}", 1, 1, f"{local}-07:00", trace_receipt_id=number))
    lost = sale("POS-LOST", 1, quantity, "2026-02-28T15:20:00-07:00", trace_status=status, trace_message=message)
    store.sales.append(lost)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("failed_post", "resend")
    assert [share["quantity"] for share in answer["gap"]["explained"]] == [f"-{quantity}"]
    assert "POS-LOST" in " ".join(answer["gap"]["explained"][0]["refs"])
    assert "adjust_quantity" in answer["must_not"]


async def test_a_reported_sale_without_any_receipt_explains_its_unit(ask: Asker, store: Store) -> None:
    """S12: the POS claims that it was reported, METRC has no receipt of it: the difference is that sale."""
    shelve(store, 9, 10)
    store.sales.append(sale("POS-LOST", 1, 1, "2026-02-28T15:20:00-07:00", trace_receipt_id="912345"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["unexplained"]) == ("failed_post", "0")


async def test_a_failed_sale_that_was_voided_is_nothing_to_resend(ask: Asker, store: Store) -> None:
    """A failed sale that was voided in the POS took nothing: the two sides agree and nothing is to be resent."""
    shelve(store, 10, 10)
    row = sale("POS-VOID", 1, 1, "2026-02-28T15:20:00-07:00", trace_status="Failed", is_void="true")
    store.sales.append(row)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"], answer["gap"]["explained"]) == ("none", "none", [])


async def test_a_void_that_metrc_never_heard_of_is_a_failed_post(ask: Asker, store: Store) -> None:
    """S27: voided in the POS, alive in METRC: resend the void, never adjust."""
    shelve(store, 20, 19)
    post(store, 900001, "POS-1", "2026-03-01T12:00:00")
    store.sales.append(sale("POS-1", 1, 1, "2026-03-01T12:00:00-07:00", is_void="true", trace_receipt_id="900001"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("failed_post", "resend")
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("1", "0")
    assert answer["duplicates"] == []


# --- S15: twice -------------------------------------------------------------------------------------------------------


def twice(store: Store, *ids: int, quantity: int = 1, stored: int | str = "", **cells: object) -> None:
    """One POS sale of ``quantity``, posted once for each id, four seconds apart."""
    local = "2026-03-01T17:41:07"
    shelve(store, 20 - quantity, 20 - quantity * len(ids))
    for turn, number in enumerate(ids):
        post(store, number, "POS-417", local, lag=4 + 4 * turn, lines=((1, quantity),), **cells)
    store.sales.append(sale("POS-417", 1, quantity, f"{local}-07:00", trace_receipt_id=stored))


CASES = {
    "the stored id is kept": ((900001, 900002), 1, 900001, "900001"),
    "the stored id is kept although it is the later": ((900001, 900002), 1, 900002, "900002"),
    "without a stored id the older is kept": ((900001, 900002), 1, "", "900001"),
    "three copies": ((900001, 900002, 900003), 1, 900001, "900001"),
    "three copies, the middle one stored": ((900001, 900002, 900003), 2, 900002, "900002"),
    "a sale of three": ((900001, 900002), 3, 900001, "900001"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("final", [False, True])
async def test_a_sale_posted_more_than_once(ask: Asker, store: Store, case: str, final: bool) -> None:
    """S15: same number, time and lines: void all but the one that the POS stores; finalized ones hide in inactive."""
    ids, quantity, stored, keep = CASES[case]
    twice(store, *ids, quantity=quantity, stored=stored, IsFinal=final)
    answer = await ask(store, 1)
    gone = sorted(str(number) for number in ids if str(number) != keep)
    assert (answer["cause"], answer["action"]["kind"]) == ("duplication", "remove_duplicate")
    [twin] = answer["duplicates"]
    assert (twin["system"], twin["kind"], twin["keep"]) == ("metrc", "sales_receipt", keep)
    assert (sorted(twin["remove"]), twin["removable"]) == (gone, True)
    assert answer["gap"]["difference"] == str(quantity * len(gone))
    assert answer["gap"]["unexplained"] == "0"
    assert sum(Decimal(share["quantity"]) for share in answer["gap"]["explained"]) == quantity * len(gone)
    assert answer["confidence"] == "certain"


async def test_one_of_two_that_is_voided_already_is_no_twin(ask: Asker, store: Store) -> None:
    """S15, mended: the second receipt is archived, so nothing is there twice."""
    twice(store, 900001, stored=900001)
    post(store, 900002, "POS-417", "2026-03-01T17:41:07", lag=8, ArchivedDate="2026-03-02")
    answer = await ask(store, 1)
    assert (answer["cause"], answer["duplicates"]) == ("none", [])


async def test_a_file_after_the_api_has_no_number(ask: Asker, store: Store) -> None:
    """S14: the second copy has no external number and was recorded a day later; the numbered one is kept."""
    twice(store, 900001, stored=900001)
    store.metrc.lists["packages/v2/active"][-1]["Quantity"] = 18
    post(store, 900002, None, "2026-03-01T17:41:07", lag=86_000)
    answer = await ask(store, 1)
    [twin] = answer["duplicates"]
    assert (answer["cause"], twin["keep"], twin["remove"]) == ("duplication", "900001", ["900002"])


@pytest.mark.parametrize("stored", [True, False])
async def test_two_customers_in_the_same_second_are_two_sales(ask: Asker, store: Store, stored: bool) -> None:
    """Equal lines, equal second, different numbers: never twins, and nobody may remove one."""
    shelve(store, 18, 18)
    for number in (900001, 900002):
        post(store, number, f"POS-{number}", "2026-03-01T17:41:07")
        receipt_id = number if stored else ""
        store.sales.append(sale(f"POS-{number}", 1, 1, "2026-03-01T17:41:07-07:00", trace_receipt_id=receipt_id))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["duplicates"]) == ("none", [])
    assert "remove_record" in answer["must_not"]


async def test_equal_number_and_other_lines_is_no_retry(ask: Asker, store: Store) -> None:
    """A till that counts from 1 every day reuses numbers: other day, other lines, so two sales."""
    shelve(store, 17, 17)
    post(store, 900001, "1001", "2026-02-28T10:00:00")
    post(store, 900002, "1001", "2026-03-01T17:41:07", lines=((1, 2),))
    store.sales.append(sale("1001", 1, 1, "2026-02-28T10:00:00-07:00", trace_receipt_id="900001"))
    store.sales.append(sale("1001", 1, 2, "2026-03-01T17:41:07-07:00", trace_receipt_id="900002", line_id="2"))
    answer = await ask(store, 1)
    assert answer["duplicates"] == []
    assert answer["cause"] == "none"


async def test_a_twin_waits_while_another_sale_is_on_its_way(ask: Asker, store: Store) -> None:
    """The twin's +1 and the pending sale's −1 cancel out; both are told, and nothing is removed before that sale."""
    twice(store, 900001, 900002, stored=900001)
    store.inventory[-1]["quantity"] = 18
    store.sales.append(sale("POS-500", 1, 1, "2026-03-02T20:27:00-07:00", trace_status="Pending"))
    answer = await ask(store, 1)
    [twin] = answer["duplicates"]
    assert (twin["remove"], twin["removable"]) == (["900002"], False)
    assert answer["action"]["kind"] == "wait"
    assert answer["gap"]["difference"] == "0"
    assert sorted(share["quantity"] for share in answer["gap"]["explained"]) == ["-1", "1"]


@pytest.mark.parametrize(
    ("pos", "unit", "metrc"), [("0.1", "Kilograms", 96.5), ("100000", "mg", 96.5), ("3.5273961949580413", "oz", 96.5)]
)
async def test_a_twin_counts_in_the_package_s_unit(ask: Asker, store: Store, pos: str, unit: str, metrc: float) -> None:
    """S15 by weight: the POS counts in another unit; the twin is 3.5 g, and rounding of units is no miscount."""
    shelve(store, pos, metrc, unit="Grams")
    store.inventory[-1] |= {"unit": unit}
    for turn, number in enumerate((900001, 900002)):
        post(store, number, "POS-417", "2026-03-01T17:41:07", lag=4 + 4 * turn, lines=((1, 3.5, "Grams"),))
    store.sales.append(sale("POS-417", 1, "3.5", "2026-03-01T17:41:07-07:00", unit="Grams", trace_receipt_id=900001))
    answer = await ask(store, 1)
    [twin] = answer["duplicates"]
    assert (answer["cause"], twin["remove"], answer["gap"]["unit"]) == ("duplication", ["900002"], "Grams")
    assert [share["quantity"] for share in answer["gap"]["explained"]] == ["3.5"]
    assert abs(Decimal(answer["gap"]["unexplained"])) < Decimal("0.001")
    assert outcomes(answer)["count"] == "clear"


async def test_the_twin_of_a_sale_of_two_packages_counts_only_this_one_s_line(ask: Asker, store: Store) -> None:
    """S15 with a second line: the share is this package's line, and the other package is related."""
    local = "2026-03-01T17:41:07"
    shelve(store, 19, 18)
    store.metrc.lists["packages/v2/active"].append(package(2, 6))
    store.inventory.append(stock(2, 8))
    for turn, number in enumerate((900001, 900002)):
        post(store, number, "POS-417", local, lag=4 + 4 * turn, lines=((1, 1), (2, 2)))
    store.sales.append(sale("POS-417", 1, 1, f"{local}-07:00", trace_receipt_id=900001))
    store.sales.append(sale("POS-417", 2, 2, f"{local}-07:00", trace_receipt_id=900001, line_id="2"))
    answer = await ask(store, 1)
    assert (answer["cause"], answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("duplication", "1", "0")
    assert outcomes(answer)["timing"] == "clear"
