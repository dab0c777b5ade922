"""A healthy answer and the settings of two shops; tests change one thing in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bot.model import (
    Action,
    ActionKind,
    AsOf,
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Duplicate,
    DuplicateKind,
    Finding,
    Forbidden,
    Gap,
    Outcome,
    Quote,
    Result,
    Share,
    Subject,
    SubjectKind,
)
from bot.settings import FacilitySettings, MetrcSettings, PosSettings, Secret, Settings, SlackSettings
from bot.sweep_groups import Group, Sweep

LABEL = "1A4FF0100000022000001002"
NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
BOT_TOKEN = "xoxb-planted-bot-token"
SIGNING_SECRET = "planted-signing-secret"
APP_TOKEN = "xapp-planted-app-token"

HARBOR = FacilitySettings(
    license="402R-X0042",
    name="Harbor Street",
    time_zone="America/Denver",
    metrc=MetrcSettings("https://api-co.metrc.com", Secret("env:NO_SUCH_KEY_A"), Secret("env:NO_SUCH_KEY_B")),
    pos=PosSettings(kind="csv", directory=Path()),
    channel="C0FLOOR",
    act=True,
)
HILL = replace(HARBOR, license="402R-X0043", name="Hill Road", channel="C0HILL")


def settings(*facilities: FacilitySettings, api_url: str = "https://slack.com/api/", **changes) -> Settings:
    slack = SlackSettings(BOT_TOKEN, SIGNING_SECRET, None, api_url)
    return Settings(facilities=facilities or (HARBOR,), slack=slack, dev=True, **changes)


TWIN = Duplicate(
    "metrc", DuplicateKind.SALES_RECEIPT, "880101", ("880102",), removable=True, why="The POS keeps 880101."
)


def outcome(name: CheckName, result: Result = Result.CLEAR, summary: str = "Nothing here.") -> Outcome:
    quote = Quote("metrc", f"GET /{name.value}/v2/", NOW, "3 rows")
    return Outcome(name, result, summary, evidence=(quote,))


DOUBLE_RECEIPT = Diagnosis(
    id="d-1",
    facility=HARBOR.license,
    subject=Subject(SubjectKind.PACKAGE, LABEL),
    asked_at=NOW,
    as_of=AsOf(metrc=NOW, pos=datetime(2026, 3, 3, 1, 5, tzinfo=UTC)),
    cause=Cause.DUPLICATION,
    code="duplication.receipt-retry",
    confidence=Confidence.CERTAIN,
    provisional=False,
    headline="Sale POS-20260302-00417 was posted to METRC twice, 4 s apart.",
    action=Action(ActionKind.REMOVE_DUPLICATE, "Void METRC receipt 880102 and keep 880101."),
    must_not=(Forbidden.ADJUST_QUANTITY,),
    gap=Gap(
        pos=Decimal(19),
        metrc=Decimal(18),
        unit="Each",
        explained=(Share("duplication.receipt-retry", Decimal(1), ("metrc receipt 880102",)),),
    ),
    checks=tuple(
        replace(
            outcome(name, Result.FOUND, "One sale, two receipts."),
            findings=(
                Finding(
                    "duplication.receipt-retry",
                    Cause.DUPLICATION,
                    "twice",
                    Action(ActionKind.REMOVE_DUPLICATE, "Void it."),
                    evidence=(Quote("pos", "sales.csv line 4", NOW, "sold once"),),
                ),
            ),
        )
        if name is CheckName.DUPLICATION
        else outcome(name)
        for name in CheckName
    ),
    duplicates=(TWIN,),
)

SWEEP = Sweep(
    facility=HARBOR.license,
    packages=1000,
    agree=953,
    groups=(
        Group(
            Cause.MAPPING,
            "mapping.category",
            "47 packages: the POS files them under another category than METRC.",
            "The POS files all of them under “Edible” where METRC has “Infused Edible”.",
            tuple(f"1A4FF010000002200000{number:04d}" for number in range(2001, 2048)),
            Action(ActionKind.FIX_MAPPING, "Correct the POS product once; the counts stay."),
            (("Each", Decimal(5)), ("Grams", Decimal(0))),
        ),
    ),
    requests=52,
    seconds=12.4,
)
