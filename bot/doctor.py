"""Is everything that the bot needs there? Pure judging of what was looked at, and the report.

Each finding says what is so and, where something is wrong, what to do. No secret is ever part of one: keys are named by
where they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any, Final

from bot.errors import Problem, ProblemKind
from bot.model import Facility, MetrcReceipt, PosBooks, PosSaleLine, Reading
from bot.monitors import Watched, key_ends, refused_key, renewal
from bot.opening import spoken

CLOCK_WARNS: Final = timedelta(seconds=30)
# Slack refuses what was signed more than five minutes away from its own time
CLOCK_FAILS: Final = timedelta(minutes=2)
KEY_WARNS: Final = 14
# a clock zone is off by whole half hours, a slow till is not
ZONE_STEP: Final = timedelta(minutes=30)
ZONE_SLACK: Final = timedelta(minutes=3)
LEAST_PAIRS: Final = 5
NEEDED_SCOPES: Final = frozenset({"chat:write", "commands", "users:read"})
WISHED_SCOPES: Final = {
    "usergroups:read": "user groups cannot approve",
    "files:write": "alerts and digests come without charts",
    "channels:history": "an alert that may be a repeat is marked instead of looked for",
}


class Health(StrEnum):
    """How it stands: ``fix`` must be mended, ``warning`` may be lived with."""

    FINE = "fine"
    WARNING = "warning"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``facility`` None: it concerns all. ``do`` is empty where nothing is to be done."""

    area: str
    facility: str | None
    health: Health
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class SlackLook:
    """What Slack says of the token. ``problem``: Slack's own word; ``scopes`` None: Slack did not tell."""

    team: str = ""
    scopes: frozenset[str] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ShopLook:
    """What was seen of one shop. ``probes``: why a family of records cannot be read, None: it can. ``far``: METRC's time.

    ``receipts``: what the mirror holds, to compare clocks with. ``acts``: the bot itself is to void what was approved.
    """

    watched: Watched
    at: datetime
    facilities: Reading[tuple[Facility, ...]]
    probes: Mapping[str, Problem | None]
    books: PosBooks
    receipts: Sequence[MetrcReceipt] = ()
    far: datetime | None = None
    acts: bool = False
    approvers: int = 0


# --- judging ----------------------------------------------------------------------------------------------------------


def judge_slack(look: SlackLook | None) -> tuple[Finding, ...]:
    """None: Slack is not configured."""
    if look is None:
        says = "SLACK_BOT_TOKEN is not set: questions can be asked here, and nobody is told of alerts."
        return (Finding("slack", None, Health.WARNING, says, "Set it before countlast run."),)
    if look.problem is not None:
        do = "Check SLACK_BOT_TOKEN and SLACK_API_URL, and that the app is installed."
        return (Finding("slack", None, Health.FIX, f"Slack does not take the token ({look.problem}).", do),)
    return (_fine("slack", None, f"Slack takes the token; the workspace is {look.team}."), *_scopes(look.scopes))


def _scopes(scopes: frozenset[str] | None) -> Iterator[Finding]:
    if scopes is None:
        return
    do = "Give the app the scopes of manifest.yml and install it again."
    if missing := sorted(NEEDED_SCOPES - scopes):
        yield Finding("slack", None, Health.FIX, f"The app lacks the scope {', '.join(missing)}.", do)
    for scope, loss in WISHED_SCOPES.items():
        if scope not in scopes:
            yield Finding("slack", None, Health.WARNING, f"Without the scope {scope} {loss}.", do)


def judge_shop(look: ShopLook) -> tuple[Finding, ...]:
    """Everything about one shop, METRC first."""
    parts = (_metrc(look), _clock(look), _key_age(look), _pos(look), _zone(look), _duties(look))
    return tuple(finding for part in parts for finding in part)


def _metrc(look: ShopLook) -> Iterator[Finding]:
    key, license_number = look.watched.key, look.watched.shop.license
    problem = look.facilities.problem
    if problem is not None:
        yield _unreached(look, problem)
        return
    if license_number not in {facility.license for facility in look.facilities.value or ()}:
        says = f"The key ({key}) lives and does not see license {license_number}."
        yield _fix("metrc", look, says, "Add the key's user to this facility in METRC, or correct the license.")
        return
    yield _fine("metrc", license_number, f"METRC takes the key ({key}), and it sees the license.")
    for family, refusal in look.probes.items():
        if refusal is None:
            yield _fine("rights", license_number, f"The key may read {family}.")
        elif refusal.kind.is_refusal:
            yield _fix("rights", look, f"The key may not read {family}.", "Give its user this right in METRC.")
        else:
            says = f"Whether the key may read {family} is not known: {refusal.says}"
            yield Finding("rights", license_number, Health.WARNING, says, "Run this again in some minutes.")


def _unreached(look: ShopLook, problem: Problem) -> Finding:
    key = look.watched.key
    if problem.kind.is_refusal and problem.status is None:
        return _fix("metrc", look, f"The key cannot be read: {problem.says}.", f"Put it where {key} points.")
    if problem.kind.is_refusal:
        return _fix("metrc", look, f"METRC refuses the user key ({key}).", refused_key(key))
    do = "Nothing is wrong with the key: do not renew it. Check base_url and the network, and run this again."
    return _fix("metrc", look, f"METRC ({look.watched.host}) cannot be asked: {problem.says}", do)


def _clock(look: ShopLook) -> Iterator[Finding]:
    if look.far is None:
        return
    off = abs(look.far - look.at)
    says = f"This machine's clock is {off.total_seconds():.0f} s away from METRC's."
    if off >= CLOCK_FAILS:
        yield _fix("clock", look, says, "Set the clock (NTP); Slack's requests are refused otherwise.")
    elif off >= CLOCK_WARNS:
        yield Finding("clock", look.watched.shop.license, Health.WARNING, says, "Set the clock (NTP).")
    else:
        yield _fine("clock", look.watched.shop.license, "This machine's clock agrees with METRC's.")


def _key_age(look: ShopLook) -> Iterator[Finding]:
    watched, license_number = look.watched, look.watched.shop.license
    ends = key_ends(watched)
    if ends is None:
        says = "When the key ends is not known, so nobody is told before it does."
        yield Finding("key", license_number, Health.WARNING, says, "Put key_issued_on into the facilities file.")
        return
    days = (ends - watched.opening.day_of(look.at)).days
    says = (
        f"The key ends in {days} days, on {ends.isoformat()}." if days >= 0 else f"The key ended on {ends.isoformat()}."
    )
    if days < 0:
        yield _fix("key", look, says, renewal(watched.key))
    elif days <= KEY_WARNS:
        yield Finding("key", license_number, Health.WARNING, says, renewal(watched.key))
    else:
        yield _fine("key", license_number, says)


def _pos(look: ShopLook) -> Iterator[Finding]:
    license_number = look.watched.shop.license
    for name, reading in (("stock", look.books.inventory), ("sales", look.books.sales), ("events", look.books.events)):
        problem: Problem | None = reading.problem
        if problem is None:
            yield _fine("pos", license_number, f"The POS's {name} can be read.")
        elif problem.kind is ProblemKind.NOT_OFFERED:
            says = f"The POS does not tell its {name}, so what needs them stays unknown."
            yield Finding("pos", license_number, Health.WARNING, says)
        else:
            yield _fix("pos", look, f"The POS's {name} cannot be read: {problem.says}", "Start its export again.")
    made = look.books.inventory.as_of if look.books.inventory.problem is None else None
    limit = timedelta(minutes=look.watched.shop.max_age_minutes)
    if made is not None and look.watched.opening.open_time(made, look.at) > limit:
        says = f"The newest export of the stock is {spoken(look.at - made)} old; {spoken(limit)} is allowed."
        yield _fix("pos", look, says, "Start its export again; until then answers are provisional.")


def _zone(look: ShopLook) -> Iterator[Finding]:
    """The same sale bears one time in both systems; where all differ by whole half hours, a zone is wrong."""
    lines = look.books.sales.value or ()
    license_number = look.watched.shop.license
    if any(line.sold_at > look.at + CLOCK_FAILS for line in lines):
        says = "The POS tells of sales that have not happened yet."
        yield _fix("zone", look, says, "Check time_zone and the POS's file_time_zone in the facilities file.")
        return
    offsets = sale_offsets(lines, look.receipts)
    if len(offsets) < LEAST_PAIRS:
        return
    off = median(offset.total_seconds() for offset in offsets)
    steps = round(off / ZONE_STEP.total_seconds())
    if steps and abs(off - steps * ZONE_STEP.total_seconds()) <= ZONE_SLACK.total_seconds():
        says = f"The POS's sale times are {spoken(timedelta(seconds=abs(off)))} {'behind' if off > 0 else 'ahead of'} METRC's."
        yield _fix("zone", look, says, "Check time_zone and the POS's file_time_zone in the facilities file.")
    else:
        yield _fine("zone", license_number, f"Sale times agree in both systems ({len(offsets)} compared).")


def sale_offsets(lines: Iterable[PosSaleLine], receipts: Iterable[MetrcReceipt]) -> list[timedelta]:
    """METRC's time minus the POS's, for each sale that both know by number."""
    sold = {line.sale_id.strip().casefold(): line.sold_at for line in lines if not line.is_return}
    pairs = ((receipt.sold_at, sold.get((receipt.external_number or "").strip().casefold())) for receipt in receipts)
    return [theirs - ours for theirs, ours in pairs if theirs is not None and ours is not None]


def _duties(look: ShopLook) -> Iterator[Finding]:
    license_number = look.watched.shop.license
    if look.watched.channel is None:
        says = "The shop has no channel, so nobody is told of its alerts."
        yield Finding("facility", license_number, Health.WARNING, says, "Put channel into the facilities file.")
    if look.acts and not look.approvers:
        says = "Nobody may approve a removal here."
        yield Finding("facility", license_number, Health.WARNING, says, "Put approvers into the facilities file.")
    if look.acts:
        says = "Whether the key may void a record shows only when one is voided; reading proves nothing."
        yield Finding(
            "rights", license_number, Health.WARNING, says, "Check the user's right to manage sales in METRC."
        )


def _fine(area: str, facility: str | None, says: str) -> Finding:
    return Finding(area, facility, Health.FINE, says)


def _fix(area: str, look: ShopLook, says: str, do: str) -> Finding:
    return Finding(area, look.watched.shop.license, Health.FIX, says, do)


# --- the report -------------------------------------------------------------------------------------------------------

_MARKS: Final = {Health.FINE: "✓", Health.WARNING: "!", Health.FIX: "✗"}


def must_fix(findings: Iterable[Finding]) -> bool:
    """Whether anything must be mended."""
    return any(finding.health is Health.FIX for finding in findings)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """As ``countlast doctor --json`` prints it."""
    rows = [
        {"area": f.area, "facility": f.facility, "health": f.health.value, "says": f.says, "do": f.do or None}
        for f in findings
    ]
    return {"schema": "countlast.doctor/1", "healthy": not must_fix(findings), "findings": rows}


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each, shop by shop; what to do is indented under it."""
    lines: list[str] = []
    shop: str | None = None
    for finding in findings:
        if finding.facility is not None and finding.facility != shop:
            shop = finding.facility
            lines += ["", shop]
        lines.append(f"{_MARKS[finding.health]} {finding.area}: {finding.says}")
        lines += [f"    {finding.do}"] if finding.do else []
    wrong = sum(finding.health is Health.FIX for finding in findings)
    lines += ["", "Nothing must be fixed." if not wrong else f"{wrong} thing{'s' if wrong > 1 else ''} to fix."]
    return "\n".join(lines)
