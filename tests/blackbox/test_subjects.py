"""A sale, a load, a product: what the contract promises of ``reconcile receipt``, ``manifest``, ``product`` and ``replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.model import SubjectKind
from tests.blackbox import shape
from tests.blackbox.command import Asker, Store, event, run, sale, stock
from tests.blackbox.metrc_files import SHOP, Answer
from tests.blackbox.rows import add_receipt, label, package, receipt, shipped, transfer
from tests.blackbox.shape import Answered, outcomes

RECEIPT, MANIFEST, PRODUCT = SubjectKind.RECEIPT, SubjectKind.MANIFEST, SubjectKind.PRODUCT


def checked(answer: Answered, kind: SubjectKind) -> Answered:
    """The laws of an answer about a record: no account of its own, and a whole answer for each package."""
    assert answer["subject"]["kind"] == kind.value
    assert answer["gap"] is None
    assert answer["packages"] is not None
    for package_answer in answer["packages"]:
        shape.check(package_answer)
        assert package_answer["subject"]["kind"] == "package"
    return answer


def touched(answer: Answered) -> list[str]:
    return [package_answer["subject"]["value"] for package_answer in answer["packages"]]


def shelve(store: Store, number: int, pos: object, metrc: float, **cells: Any) -> None:
    store.metrc.lists["packages/v2/active"].append(package(number, metrc))
    store.inventory.append(stock(number, pos, **cells))


# --- a sale of two packages -------------------------------------------------------------------------------------------

SOLD, RECORDED = "2026-03-01T14:00:00", "2026-03-01T21:00:04+00:00"


@pytest.fixture
def sold(store: Store) -> Store:
    """Sale POS-77 took one of package 1 and two of package 2, and METRC has it as receipt 880700."""
    shelve(store, 1, 19, 19)
    shelve(store, 2, 18, 18)
    store.sales += [
        sale("POS-77", 1, 1, f"{SOLD}-07:00", trace_receipt_id="880700"),
        sale("POS-77", 2, 2, f"{SOLD}-07:00", line_id="2", trace_receipt_id="880700"),
    ]
    add_receipt(store.metrc, receipt(880700, "POS-77", f"{SOLD}.000", RECORDED, (1, 1), (2, 2)))
    return store


@pytest.mark.parametrize("typed", ["880700", "0000880700", "POS-77"])
async def test_a_sale_is_found_by_any_of_its_numbers(ask: Asker, sold: Store, typed: str) -> None:
    """METRC's id, its number, the POS's number: both packages have an answer, and nothing is wrong."""
    answer = checked(await ask(sold, typed, kind=RECEIPT), RECEIPT)
    assert answer["cause"] == "none"
    assert set(touched(answer)) == {label(1), label(2)}
    assert {found["outcome"] for found in answer["checks"]} == {"clear"}


async def test_a_second_receipt_of_the_sale_is_the_twin(ask: Asker, sold: Store) -> None:
    """One entry for the whole sale, however many packages it took; the one the POS stores is kept."""
    add_receipt(sold.metrc, receipt(880701, "POS-77", f"{SOLD}.000", "2026-03-01T21:00:09+00:00", (1, 1), (2, 2)))
    answer = checked(await ask(sold, "880701", kind=RECEIPT), RECEIPT)
    assert (answer["cause"], answer["action"]["kind"]) == ("duplication", "remove_duplicate")
    assert [(d["keep"], d["remove"], d["removable"]) for d in answer["duplicates"]] == [("880700", ["880701"], True)]


async def test_a_refused_sale_names_its_refusal(ask: Asker, sold: Store) -> None:
    """METRC has no receipt, the POS says failed: the sale is to be sent again once its cause is mended."""
    sold.sales.append(sale("POS-78", 1, 1, f"{SOLD}-07:00", trace_status="Failed", trace_message="Try later"))
    answer = checked(await ask(sold, "POS-78", kind=RECEIPT), RECEIPT)
    assert (answer["cause"], answer["action"]["kind"]) == ("failed_post", "resend")
    assert touched(answer) == [label(1)]


async def test_a_number_that_nobody_knows(ask: Asker, sold: Store) -> None:
    """The answer is unknown, names near numbers and accuses nobody."""
    answer = checked(await ask(sold, "POS-79", kind=RECEIPT), RECEIPT)
    assert (answer["cause"], answer["code"], answer["packages"]) == ("unknown", None, [])
    assert "POS-77" in answer["action"]["text"]
    assert "found" not in outcomes(answer).values()


async def test_a_sale_while_metrc_is_down(ask: Asker, sold: Store) -> None:
    """The gate is closed: nothing behind it is reached."""
    sold.metrc.everything = Answer(503)
    answer = checked(await ask(sold, "POS-77", kind=RECEIPT), RECEIPT)
    assert answer["cause"] == "outage"
    assert list(outcomes(answer).values())[1:] == ["not_reached"] * 6


# --- a load -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def riding(store: Store) -> Store:
    """Manifest 415700 carries packages 1 and 2 and was not received; the POS took package 1 in already."""
    store.metrc.lists["transfers/v2/incoming"].append(
        transfer(415700, delivery=551700, created="2026-03-02T12:00:00+00:00", PackageCount=2)
    )
    store.metrc.deliveries[551700] = [shipped(1, 50.0), shipped(2, 50.0)]
    store.inventory.append(stock(1, 50, received_at="2026-03-02T18:00:00-07:00", manifest_number="0000415700"))
    store.events.append(event(9, 1, "receive", "2026-03-02T18:00:00-07:00", 0, 50, reference="0000415700"))
    return store


@pytest.mark.parametrize("typed", ["0000415700", "415700"])
async def test_a_load_on_the_road_is_to_be_accepted(ask: Asker, riding: Store, typed: str) -> None:
    """Each of its packages has an answer, and both are on the road."""
    answer = checked(await ask(riding, typed, kind=MANIFEST), MANIFEST)
    assert (answer["cause"], answer["action"]["kind"]) == ("in_transit", "accept_transfer")
    assert touched(answer) == [label(1), label(2)]
    assert {package_answer["cause"] for package_answer in answer["packages"]} == {"in_transit"}


async def test_a_manifest_that_nobody_knows(ask: Asker, riding: Store) -> None:
    """It is told which lists were searched, and the answer is unknown."""
    answer = checked(await ask(riding, "0000999999", kind=MANIFEST), MANIFEST)
    assert (answer["cause"], answer["packages"]) == ("unknown", [])
    assert "manifests" in answer["headline"]


# --- a product --------------------------------------------------------------------------------------------------------


async def test_a_product_holds_its_packages_of_both_sides(ask: Asker, store: Store) -> None:
    """Package 3 stands in METRC alone and belongs to it by its item."""
    shelve(store, 1, 20, 20)
    shelve(store, 2, 20, 20)
    store.metrc.lists["packages/v2/active"].append(package(3, 20.0))
    answer = checked(await ask(store, "test cookies, 1G", kind=PRODUCT), PRODUCT)
    assert {label(1), label(2), label(3)} <= set(touched(answer))
    assert answer["cause"] == "mapping"


async def test_one_wrong_category_is_one_finding(ask: Asker, store: Store) -> None:
    """Two packages of the product share it; it is mended once."""
    store.inventory.clear()
    shelve(store, 1, 20, 20, metrc_category="Infused Edible (Each)")
    shelve(store, 2, 20, 20, metrc_category="Infused Edible (Each)")
    answer = checked(await ask(store, "Test Cookies 1g", kind=PRODUCT), PRODUCT)
    assert (answer["cause"], answer["action"]["kind"]) == ("mapping", "fix_mapping")
    assert {label(1), label(2)} <= set(answer["related"])


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_one_object_and_replays_it(tmp_path: Path, sold: Store) -> None:
    """Exit 0 and JSON; the same evidence judged again is equal, and METRC is not needed for it."""
    sold.write(tmp_path)
    ran = run(tmp_path, "reconcile", "receipt", "880700", "--facility", SHOP, "--json")
    answer = checked(ran.answer, RECEIPT)
    sold.metrc.everything = Answer(503)
    again = run(tmp_path, "replay", answer["id"], "--json")
    assert (again.code, json.loads(again.out)["equal"]) == (0, True)
    every = run(tmp_path, "replay", "--all", "--json")
    assert (every.code, json.loads(every.out)["answers"]) == (0, 1)


@pytest.mark.parametrize(("kind", "typed"), [("receipt", "what?"), ("manifest", "the blue one"), ("product", "!?")])
def test_what_can_be_no_number_or_name_exits_2(tmp_path: Path, sold: Store, kind: str, typed: str) -> None:
    """One sentence on stderr that names what is accepted; nothing on stdout."""
    sold.write(tmp_path)
    ran = run(tmp_path, "reconcile", kind, typed, "--facility", SHOP)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "accepted: " in ran.err


def test_an_answer_that_was_never_given_exits_2(tmp_path: Path, sold: Store) -> None:
    """One sentence."""
    sold.write(tmp_path)
    ran = run(tmp_path, "replay", "0000000000000000")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
