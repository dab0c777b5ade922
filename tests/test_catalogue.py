"""The catalogue of symptoms as data: every file below ``tests/scenarios`` is one test. Its README tells the form."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pytest

from bot.model import Diagnosis, Duplicate, Posting
from bot.settings import Settings
from bot.units import plain
from demo.world import TAG, Item, World
from tests.store import NOW, Asking, settings

FOLDER: Final = Path(__file__).with_name("scenarios")
CASES: Final = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.toml"))
SPAN: Final = re.compile(r"(\d+)([smhd])")
UNIT: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DAYS_AGO: Final = re.compile(r"(\d+) days? ago at (\d+)")
# what must not be done → the advice that would be just that
CONTRARY: Final = {
    "adjust_quantity": {"record_count"},
    "resend": {"resend"},
    "remove_record": {"remove_duplicate"},
    "renew_key": {"fix_key"},
}

PARTS: Final = {
    "cause", "code", "action", "must_not", "must_not_with", "related", "provisional", "checks", "gap", "duplicates",
}  # fmt: skip

# cases that are still answered wrong, each with the reason
NOT_YET: Final[dict[str, str]] = {}


def test_the_catalogue_is_whole():
    """There is a folder for each of the 27 cases."""
    assert {case[:3] for case in CASES} == {f"S{number:02d}" for number in range(1, 28)}
    assert set(NOT_YET) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_a_case_of_the_catalogue(ask: Asking, tmp_path: Path, name: str):
    """The answer is what the case says it has to be."""
    case = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    scene = Scene(case)
    question = case["question"]
    diagnosis = await ask(
        scene.world,
        scene.label(question["package"]),
        shelf=question.get("shelf"),
        config=_config(case.get("shop", {}), scene.world, tmp_path),
    )
    wrong = scene.wrong_in(diagnosis)
    if name in NOT_YET:
        assert wrong, f"{name} is answered right now: take it off the list"
    else:
        assert not wrong, f"{case['title']}: " + "; ".join(wrong)


def _config(shop: Mapping[str, Any], world: World, folder: Path) -> Settings:
    pos = {key: shop[key] for key in ("nightly_at", "import_minutes") if key in shop}
    config = settings(folder, now=world.now, posting=Posting(shop.get("posting", "batch")), **pos)
    (facility,) = config.facilities
    if "drying_percent" in shop:
        facility = replace(facility, drying_percent=Decimal(shop["drying_percent"]))
    if "key_issued_on" in shop:
        facility = replace(facility, metrc=replace(facility.metrc, key_issued_on=shop["key_issued_on"]))
    return replace(config, facilities=(facility,))


def healthy(now: datetime) -> World:
    """Ten packages, 2001 to 2010, that arrived nine days ago; 2001 sold twice. Both sides agree."""
    world = World.bare(now)
    world.receive_load([f"{TAG}{number}" for number in range(2001, 2011)], days=9)
    for days in (8, 5):
        world.sell(f"{TAG}2001", at=world.shop_time(days))
    return world


class Scene:
    """A healthy shop after the steps of a case; what a step gave is kept under its name."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self.world = healthy(case.get("shop", {}).get("now", NOW))
        self.kept: dict[str, Any] = {}
        self.expected = case["expect"]
        for step in case.get("step", ()):
            self._do(dict(step))

    def label(self, text: str) -> str:
        """Four digits stand for a whole label; ``$name`` for what a step gave; all else for itself."""
        if text.startswith("$"):
            return self.record(text)
        return f"{TAG}{text}" if len(text) == 4 else text

    def record(self, text: str) -> Any:
        """``$twin.id`` → the id of what the step named ``twin`` gave; a number is a place in a list."""
        found, *path = text.removeprefix("$").split(".")
        value = self.kept[found]
        for part in path:
            value = value[int(part)] if part.isdigit() else getattr(value, part)
        return value

    def _do(self, step: dict[str, Any]) -> None:
        name = step.pop("name", None)
        change = step.pop("change", None)
        result = self._changed(change, step) if change else self._called(step.pop("do"), step)
        if name is not None:
            self.kept[name] = result

    def _changed(self, what: str, step: dict[str, Any]) -> Any:
        found = getattr(self.world, what)(self.label(step["label"]))
        for key, value in step["set"].items():
            setattr(found, key, value)
        return found

    def _called(self, method: str, arguments: dict[str, Any]) -> Any:
        call: Callable[..., Any] = getattr(self.world, method)
        hints = get_type_hints(call)
        return call(**{key: self._meant(key, hints[key], value) for key, value in arguments.items()})

    def _meant(self, key: str, hint: Any, value: Any) -> Any:
        if key in {"label", "new_label"}:
            return self.label(value)
        if key == "labels":
            return [self.label(each) for each in value]
        if isinstance(value, str) and value.startswith("$"):
            return self.record(value)
        return self._converted({hint, *get_args(hint)}, value)

    def _converted(self, kinds: set[Any], value: Any) -> Any:
        if timedelta in kinds:
            return _span(value)
        if datetime in kinds:
            return self._moment(value)
        if Item in kinds:
            return self.world.items[value]
        return Decimal(value) if Decimal in kinds else value

    def _moment(self, text: str) -> datetime:
        if days := DAYS_AGO.fullmatch(text):
            return self.world.shop_time(int(days[1]), hour=int(days[2]))
        return self.world.now - _span(text.removesuffix(" ago"))

    # --- judging ------------------------------------------------------------------------------------------------------

    def wrong_in(self, diagnosis: Diagnosis) -> list[str]:
        """Everything in which the answer differs from what the case expects, a sentence each."""
        asked = {
            "cause": diagnosis.cause.value,
            "code": diagnosis.code,
            "action": diagnosis.action.kind.value,
            "must_not": sorted(each.value for each in diagnosis.must_not),
            "must_not_with": sorted(each.value for each in diagnosis.must_not),
            "related": list(diagnosis.related),
            "provisional": diagnosis.provisional,
            "checks": {check.name.value: check.result.value for check in diagnosis.checks},
        }
        wrong = [
            f"{key} is {asked[key]}, not {value}"
            for key, value in self.expected.items()
            if key in asked and not self._fits(key, asked[key], value)
        ]
        return [*wrong, *self._wrong_gap(diagnosis), *self._wrong_twins(diagnosis), *_contradictions(diagnosis)]

    def _fits(self, key: str, value: Any, expected: Any) -> bool:
        if key == "checks":
            return all(value[name] == result for name, result in expected.items())
        if key == "must_not":
            return value == sorted(expected)
        if key == "must_not_with":
            return set(value) >= set(expected)
        if key == "related":
            return value == [self.label(each) for each in expected]
        if key == "code" and expected.endswith("*"):
            return (value or "").startswith(expected[:-1])
        return value == (expected or None) if key == "code" else value == expected

    def _wrong_gap(self, diagnosis: Diagnosis) -> list[str]:
        expected, gap = self.expected.get("gap"), diagnosis.gap
        if gap is None or expected is None or expected == "none":
            return [] if (gap is None and expected == "none") or expected is None else [f"gap is {gap}, not {expected}"]
        said = {
            "difference": plain(gap.difference),
            "unexplained": plain(gap.unexplained),
            "explained": sorted([share.code, plain(share.quantity)] for share in gap.explained),
        }
        meant = {**expected, "explained": sorted(expected.get("explained", []))}
        wrong = [f"{key} is {said[key]}, not {meant[key]}" for key in said if said[key] != meant[key]]
        return wrong + ["a share names no record" for share in gap.explained if not share.refs]

    def _wrong_twins(self, diagnosis: Diagnosis) -> list[str]:
        said = sorted(map(_twin, diagnosis.duplicates), key=str)
        meant = sorted((self._twin_meant(each) for each in self.expected.get("duplicates", [])), key=str)
        return [] if said == meant else [f"duplicates are {said}, not {meant}"]

    def _twin_meant(self, each: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...], bool]:
        keep, *remove = (self._named(one) for one in (each["keep"], *each["remove"]))
        return each["kind"], keep, tuple(remove), each["removable"]

    def _named(self, text: str) -> str:
        return str(self.record(text)) if text.startswith("$") else text


def _span(text: str) -> timedelta:
    found = SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no span of time; accepted: a number and s, m, h or d")
    return timedelta(**{UNIT[found[2]]: int(found[1])})


def _twin(each: Duplicate) -> tuple[str, str, tuple[str, ...], bool]:
    return each.kind.value, each.keep, each.remove, each.removable


def _contradictions(diagnosis: Diagnosis) -> list[str]:
    """Advice that the same answer forbids."""
    kind = diagnosis.action.kind.value
    return [f"{kind} is advised and {no.value} forbidden" for no in diagnosis.must_not if kind in CONTRARY[no.value]]


def test_every_word_of_a_case_is_known():
    """Nothing that somebody writes into a case is silently left unjudged."""
    ways = {name for name in vars(World) if not name.startswith("_")}
    for name in CASES:
        case = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        used = {step["do"] for step in case.get("step", ()) if "do" in step}
        assert used <= ways, name
        assert set(case["expect"]) <= PARTS, name
