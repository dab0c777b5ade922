"""The sample scene, label by label, with answers worked out by hand from the sample files.

``REPORTED`` is the table: cause, family of the code, POS, METRC, what each cause explains, action, what must not be done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from tests.blackbox.command import Asker, Store
from tests.blackbox.shape import outcomes

PREFIX = "1A4FF0100000022000001"


@dataclass(frozen=True)
class Expected:
    """One line of the table. ``explained``: cause → its part of the difference. None in ``pos``: no record."""

    causes: set[str]
    pos: str | None
    metrc: str | None
    actions: set[str]
    explained: dict[str, str] = field(default_factory=dict)
    also_found: set[str] = field(default_factory=set)
    must_not: set[str] = field(default_factory=set)
    twins: tuple[tuple[str, str, str, tuple[str, ...], bool], ...] = ()


REPORTED = {
    # 42 against 41: 880111 is 880110 again, uploaded the next morning without a number
    "001": Expected(
        {"duplication"}, "42", "41", {"remove_duplicate"}, {"duplication": "1"},
        twins=(("metrc", "sales_receipt", "880110", ("880111",), True),),
    ),
    # 19 against 18: 880102 is 880101 four seconds later; the 5-pack's weight differs besides, which moves no unit
    "002": Expected(
        {"duplication"}, "19", "18", {"remove_duplicate"}, {"duplication": "1"}, {"definition"},
        twins=(("metrc", "sales_receipt", "880101", ("880102",), True),),
    ),
    # sold through: 0 in METRC and no row in the POS are the same
    "003": Expected({"none", "unknown"}, None, "0", {"none", "retry_later"}),
    # 11 against 12: sale 00423 was rung up 110 seconds ago
    "004": Expected({"timing"}, "11", "12", {"wait"}, {"timing": "-1"}),
    "005": Expected({"finished", "none"}, None, "0", {"none"}),
    # 452.59 against 453.59: sale 00422 in Each was refused for its unit; the hold is there too, but did not refuse it
    "006": Expected(
        {"mapping"}, "452.59", "453.59", {"fix_mapping"}, {"failed_post": "-1"}, {"failed_post", "on_hold"}, {"resend"}
    ),
    # 40 + 40 against a load that is still on the road, entered on two manifests
    "007": Expected(
        {"in_transit"}, "80", None, {"accept_transfer"}, {"in_transit": "40", "duplication": "40"}, {"duplication"},
        twins=(("pos", "receive", "31001", ("31003",), False), ("metrc", "transfer", "418902", ("418903",), False)),
    ),
    "008": Expected({"finished", "none"}, None, "0", {"none"}),
    "009": Expected(
        {"in_transit"}, None, None, {"accept_transfer"},
        twins=(("metrc", "transfer", "418902", ("418903",), False),),
    ),
    "010": Expected({"in_transit"}, None, None, {"none"}),
}  # fmt: skip


@pytest.mark.parametrize("number", REPORTED)
async def test_a_label_of_the_scene(ask: Asker, scene: Store, number: str) -> None:
    """Each label has the cause, the account and the twins that its records show."""
    expected = REPORTED[number]
    answer = await ask(scene, PREFIX + number)
    gap = answer["gap"]
    assert answer["cause"] in expected.causes
    assert (gap["pos"], gap["metrc"], gap["unexplained"]) == (expected.pos, expected.metrc, "0")
    by_cause: dict[str, Decimal] = {}
    for share in gap["explained"]:
        family = share["code"].partition(".")[0]
        by_cause[family] = by_cause.get(family, Decimal(0)) + Decimal(share["quantity"])
    assert by_cause == {family: Decimal(part) for family, part in expected.explained.items()}
    assert answer["action"]["kind"] in expected.actions
    assert expected.must_not | {"adjust_quantity"} <= set(answer["must_not"])
    twins = [(t["system"], t["kind"], t["keep"], tuple(t["remove"]), t["removable"]) for t in answer["duplicates"]]
    assert sorted(twins) == sorted(expected.twins)
    found = {check["code"].partition(".")[0] for check in answer["checks"] if check["code"]}
    assert found >= expected.also_found
    assert outcomes(answer)["authentication"] == "clear"


async def test_the_retry_is_certain(ask: Asker, scene: Store) -> None:
    """…002: named records and arithmetic that closes are "certain"; no reading could change the answer."""
    answer = await ask(scene, f"{PREFIX}002")
    assert (answer["confidence"], answer["provisional"]) == ("certain", False)


async def test_the_retry_is_certain_when_every_receipt_has_its_lines(ask: Asker, scene: Store) -> None:
    """…002 again, with lines for the finalized receipt that the files list and do not spell out."""
    lines = scene.metrc.receipts[880104]["Transactions"]
    for row in scene.metrc.lists["sales/v2/receipts/inactive"]:
        scene.metrc.receipts[row["Id"]] = row | {"Transactions": lines}
    answer = await ask(scene, f"{PREFIX}002")
    assert (answer["confidence"], answer["provisional"]) == ("certain", False)


async def test_an_old_package_is_found_although_the_plain_list_hides_it(ask: Asker, scene: Store) -> None:
    """…004 last changed in January, so the list without a window does not hold it."""
    assert PREFIX + "004" not in str(scene.metrc.without_window)
    answer = await ask(scene, f"{PREFIX}004")
    assert answer["gap"]["metrc"] == "12"
    assert answer["action"]["not_before"] > "2026-03-03T03:30:00Z"


@pytest.mark.parametrize("turn", [0, 1])
async def test_the_letter_o_is_a_mapping_whatever_metrc_answers(ask: Asker, scene: Store, turn: int) -> None:
    """…22O00001011: a letter where digits belong; 401 and 404 for it read the same, and neither is about the key."""
    for _ in range(turn):
        scene.metrc._unknown_record()
    answer = await ask(scene, "1A4FF0100000022O00001011")
    assert (answer["cause"], answer["action"]["kind"]) == ("mapping", "fix_pos_record")
    assert outcomes(answer)["authentication"] == "clear"
    assert (answer["gap"]["pos"], answer["gap"]["metrc"], answer["gap"]["unexplained"]) == ("24", None, "0")
    assert f"{PREFIX}001" not in answer["related"]


async def test_the_scene_answers_the_same_in_narrow_windows(ask: Asker, scene: Store) -> None:
    """A host that takes 24 hours at most changes nothing about …002."""
    scene.window_hours, scene.metrc.widest_window_hours = 24, 24
    answer = await ask(scene, f"{PREFIX}002")
    assert (answer["cause"], answer["duplicates"][0]["remove"]) == ("duplication", ["880102"])
