"""The sweep command: one JSON object, and the labels that either side's files name."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.blackbox import shape
from tests.blackbox.command import Ran, Store, run, run_process
from tests.blackbox.metrc_files import SHOP
from tests.blackbox.rows import package

TOP = {"schema", "facility", "packages", "agree", "groups", "requests", "seconds"}
GROUP = {"cause", "code", "headline", "common", "packages", "action", "difference"}


def swept(store: Store, folder: Path, run: Callable[..., Ran] = run) -> dict[str, Any]:
    """The object that the command prints, its laws checked."""
    store.write(folder)
    ran = run(folder, "reconcile", "facility", "--facility", SHOP, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    assert found.keys() == TOP
    assert (found["schema"], found["facility"]) == ("countlast.sweep/1", SHOP)
    for group in found["groups"]:
        check_group(group)
    labels = [label for group in found["groups"] for label in group["packages"]]
    assert len(labels) == len(set(labels))
    assert found["agree"] + len(labels) == found["packages"]
    return found


def check_group(group: dict[str, Any]) -> None:
    """What every group must be, whatever it says."""
    assert group.keys() == GROUP
    assert group["code"] is None or group["code"].startswith(group["cause"])
    assert group["headline"].strip()
    assert group["common"].strip()
    assert group["action"].keys() == {"kind", "text", "not_before"}
    assert group["action"]["kind"] in shape.ACTIONS
    assert all(Decimal(total).is_finite() for total in group["difference"].values())


def test_the_sample_shop_is_swept(scene: Store, tmp_path: Path) -> None:
    """In a process of its own: each package of the scene is in the group of its own cause, and METRC is only read."""
    found = swept(scene, tmp_path, run_process)
    codes = {label: group["code"] for group in found["groups"] for label in group["packages"]}
    assert codes["1A4FF0100000022000001002"] == "duplication.receipt-retry"
    assert found["requests"] > 0
    assert scene.metrc.writes == []


def test_a_quiet_shop_has_no_groups(store: Store, tmp_path: Path) -> None:
    """Nothing is wrong, so nothing is grouped."""
    store.metrc.lists["packages/v2/active"].append(package(9001, 48))
    found = swept(store, tmp_path)
    assert (found["groups"], found["agree"]) == ([], found["packages"])
    assert found["packages"] > 0


def test_metrc_out_of_reach_is_one_group_and_exit_0(scene: Store, tmp_path: Path) -> None:
    """METRC is down: one answer for every label that the POS names."""
    scene.metrc.base_url = "http://127.0.0.1:9"
    found = swept(scene, tmp_path)
    (group,) = found["groups"]
    assert (group["cause"], group["action"]["kind"], found["agree"]) == ("outage", "retry_later", 0)
    assert len(group["packages"]) == found["packages"] > 0
