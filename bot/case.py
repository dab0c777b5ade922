"""What a check is given, and the small words it needs to quote evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from bot.errors import ProblemKind
from bot.model import (
    CheckName,
    Direction,
    Evidence,
    Finding,
    Forbidden,
    Gap,
    MetrcItem,
    Outcome,
    PackageList,
    Quote,
    Reading,
    Result,
    Share,
    SubjectKind,
    Transfer,
    TransferPackage,
    TransferredPackage,
)
from bot.posting import Fate, Matched, match
from bot.units import EACH, LEAST, convert, in_grams, same_unit

T = TypeVar("T")

# the POS took these off and METRC certainly did not
UNPOSTED: Final = (Fate.REFUSED, Fate.NEVER_POSTED, Fate.ON_ITS_WAY, Fate.RECEIPT_VOIDED)


@dataclass(frozen=True)
class Case:
    """The evidence, what the earlier checks said, and the account of the difference as far as they explain it.

    ``gap`` is None when a side could not be read or the units cannot be compared. ``idle``: references of events that
    explained nothing when all the checks had been heard once, so that what is odd but harmless need not be accused.
    ``is_open``: something was left over, so causes that pull the other way are heard as well: they may hide behind others.
    ``leaves``: beside the ``idle`` events there was something that no event explained.
    """

    evidence: Evidence
    earlier: tuple[Outcome, ...] = ()
    gap: Gap | None = None
    idle: frozenset[str] = frozenset()
    is_open: bool = False
    leaves: bool = False
    laid: InitVar[Matched | None] = None
    matched: Matched = field(init=False, compare=False, repr=False)

    def __post_init__(self, laid: Matched | None) -> None:
        """Lay the POS's sales beside METRC's receipts, unless that was done for an earlier check."""
        object.__setattr__(self, "matched", laid or match(self.evidence))

    def has_room(self, by: Decimal | int) -> bool:
        """Whether what is left so far is of this sign, so that an event may be a part of it."""
        return self.is_open or self.gap is None or self.gap.unexplained * by > 0

    @property
    def label(self) -> str:
        """The label that was asked about."""
        return self.evidence.subject.value

    @property
    def now(self) -> datetime:
        """When the question was asked."""
        return self.evidence.asked_at

    def day(self, at: datetime) -> date:
        """The shop's own calendar day."""
        return at.astimezone(ZoneInfo(self.evidence.shop.time_zone)).date()

    def clock(self, at: datetime) -> str:
        """A moment on the shop's own wall clock; with the day when it is not today."""
        return wall_clock(at, self.now, ZoneInfo(self.evidence.shop.time_zone))

    def span(self, first: datetime, last: datetime) -> str:
        """Two moments on the shop's own wall clock: ``12:00–15:00``; one day is named once."""
        start, end = self.clock(first), self.clock(last)
        return f"{start[:5]}–{end}" if start[5:] == end[5:] else f"{start}–{end}"


def wall_clock(at: datetime, now: datetime, zone: ZoneInfo, *, zoned: bool = False) -> str:
    """A moment on a shop's wall clock: ``18:11``, with the day when it is not today's; ``zoned``: ``18:11 MST``."""
    local = at.astimezone(zone)
    name = f" {local.tzname()}" if zoned else ""
    day = "" if local.date() == now.astimezone(zone).date() else f" on {local:%d %b}"
    return f"{local:%H:%M}{name}{day}"


def clear(name: CheckName, summary: str, *evidence: Quote, must_not: tuple[Forbidden, ...] = ()) -> Outcome:
    """Everything this check needs was read, and nothing is wrong."""
    return Outcome(name, Result.CLEAR, summary, evidence=evidence, must_not=must_not)


def unknown(name: CheckName, summary: str, *evidence: Quote, must_not: tuple[Forbidden, ...] = ()) -> Outcome:
    """Something this check needs could not be read."""
    return Outcome(name, Result.UNKNOWN, summary, evidence=evidence, must_not=must_not)


def found(
    name: CheckName, findings: Iterable[Finding], *evidence: Quote, must_not: Iterable[Forbidden] = ()
) -> Outcome:
    """At least one cause; the summary is the first one's headline."""
    findings = tuple(findings)
    more = f" And {len(findings) - 1} more." if len(findings) > 1 else ""
    quoted = tuple(dict.fromkeys(q for finding in findings for q in finding.evidence))
    return Outcome(
        name,
        Result.FOUND,
        findings[0].headline + more,
        findings,
        (*quoted, *(q for q in evidence if q not in quoted)),
        tuple(must_not),
    )


def quote(reading: Reading[T], says: str | None = None) -> Quote:
    """A reading as evidence; a failed one speaks for itself."""
    if reading.problem is not None:
        says = reading.problem.says if says is None else f"{says} (incomplete: {reading.problem.says})"
    return Quote(reading.source, reading.asked, reading.as_of, says or "")


def not_read(*readings: Reading[Any] | None) -> tuple[Quote, ...]:
    """The failed ones among some readings."""
    return tuple(quote(reading) for reading in readings if reading is not None and not reading.was_read)


def not_searched(*readings: Reading[Any] | None) -> tuple[Quote, ...]:
    """The same for METRC's side lists: what a state does not offer at all holds nothing that could be missed."""
    kinds = [(r, r.problem.kind) for r in readings if r is not None and r.problem is not None]
    return tuple(quote(reading) for reading, kind in kinds if kind is not ProblemKind.NOT_OFFERED)


def ago(span: timedelta) -> str:
    """A span in the largest unit that makes sense: ``4 s``, ``12 min``, ``2 h 15 min``, ``3 days``."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def pos_unit(evidence: Evidence) -> str | None:
    """The unit the POS counts this label in."""
    return next((row.unit for row in evidence.pos_rows.value or () if row.unit), None)


def metrc_unit(evidence: Evidence) -> str:
    """The unit the difference is told in: the package's at METRC, else the load's, else the POS's, else pieces."""
    package = evidence.package.value
    if package is not None and package.unit:
        return package.unit
    load = on_the_road(evidence)
    if load is not None and load[1].shipped_unit:
        return load[1].shipped_unit
    sold = next((line.unit for line in evidence.pos_sales.value or () if line.unit), None)
    return pos_unit(evidence) or sold or EACH


def metrc_item(evidence: Evidence) -> MetrcItem | None:
    """The METRC item of the package, or of the load that carries it."""
    if evidence.package.value is not None:
        return evidence.package.value.item
    entry = next(((t, p) for t in evidence.transfers.value or () for p in own(t, evidence.subject.value)), None)
    if entry is None:
        return None
    package = entry[1]
    return MetrcItem(
        id=package.item_id,
        name=package.item_name,
        category=package.item_category,
        unit=package.shipped_unit,
        unit_weight=package.item_unit_weight,
        unit_weight_unit=package.item_unit_weight_unit,
    )


def product_of(evidence: Evidence | None) -> str:
    """What a package is called at the till, else in METRC; empty: not known, or it is asked about something else."""
    if evidence is None or evidence.subject.kind is not SubjectKind.PACKAGE:
        return ""
    item = metrc_item(evidence)
    names = [*(row.product_name for row in evidence.pos_rows.value or ()), item.name if item else None]
    return next((name for name in names if name), "")


def grams_each(evidence: Evidence) -> Decimal | None:
    """What one piece weighs: by METRC's item, else by the POS."""
    item = metrc_item(evidence)
    by_metrc = in_grams(item.unit_weight, item.unit_weight_unit) if item else None
    by_pos = next((row.unit_weight_g for row in evidence.pos_rows.value or () if row.unit_weight_g), None)
    return by_metrc or by_pos


def in_metrc_units(quantity: Decimal, unit: str | None, evidence: Evidence) -> Decimal | None:
    """A POS quantity in the package's METRC unit; None when the two cannot be compared."""
    wanted = metrc_unit(evidence)
    given = unit or pos_unit(evidence) or wanted
    return quantity if same_unit(given, wanted) else convert(quantity, given, wanted, grams_each=grams_each(evidence))


def pos_total(evidence: Evidence) -> Decimal | None:
    """The sum of the POS's rows in the METRC unit; None when there is no row, or it cannot be expressed."""
    rows = evidence.pos_rows.value or ()
    parts = [in_metrc_units(row.quantity, row.unit, evidence) for row in rows]
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(parts) else None


def pos_before(case: Case) -> Decimal | None:
    """What the POS would hold had it not taken off the sales that METRC never had: all that METRC can be short of."""
    held = pos_total(case.evidence)
    if held is None:
        return None
    sales = case.matched.having(*UNPOSTED)
    unit = pos_unit(case.evidence)
    taken = [in_metrc_units(s.sale.quantity, unit, case.evidence) or Decimal(0) for s in sales]
    return held + sum((each for each in taken if each > 0), Decimal(0))


def is_converted(evidence: Evidence) -> bool:
    """Whether a POS row had to be turned into METRC's unit, so that rounding may be left over."""
    return any(not same_unit(row.unit, metrc_unit(evidence)) for row in evidence.pos_rows.value or ())


def has_residue(gap: Gap, evidence: Evidence) -> bool:
    """Whether anything is unexplained."""
    explained = sum((abs(each.quantity) for each in gap.explained), Decimal(0))
    return not is_settled(gap.unexplained, gap, evidence, moved=explained)


def is_settled(left: Decimal, gap: Gap, evidence: Evidence, *, moved: Decimal) -> bool:
    """Whether what is left is nothing; one part in 20,000 is the rounding of an ounce or a pound, and nothing else.

    ``moved``: what sales that were rung up in another unit have moved, for only that much of them was rounded.
    """
    if is_converted(evidence):
        return abs(left) * 20_000 <= max(abs(gap.pos or Decimal(0)), abs(gap.metrc or Decimal(0)))
    units = {line.unit for line in evidence.pos_sales.value or () if line.unit}
    rounded = any(not same_unit(unit, metrc_unit(evidence)) for unit in units) and abs(left) * 20_000 <= moved
    return abs(left) < LEAST or rounded


def metrc_side(evidence: Evidence) -> Decimal | None:
    """What METRC counts at this license: active, on hold or inactive; None for on the road, elsewhere or unknown."""
    package = evidence.package.value
    if package is None or package.listing is PackageList.IN_TRANSIT or on_the_road(evidence) is not None:
        return None
    return package.quantity


def own(transfer: Transfer, label: str) -> tuple[TransferPackage, ...]:
    """The lines of a manifest that carry the label."""
    return tuple(package for package in transfer.packages or () if package.label == label)


def state_of(package: TransferPackage) -> str:
    """Where METRC says a package on a manifest is, in lower case."""
    return (package.state or "").strip().casefold()


def on_the_road(evidence: Evidence) -> tuple[Transfer, TransferPackage] | None:
    """The incoming load that still carries the label: shipped, not received; the one that departed first."""
    package = evidence.package.value
    is_here = package is not None and (package.received_at is not None or package.is_closed)
    # a package that came, left and is on its way back keeps its old receive time
    if package is not None and is_here and package.listing is not PackageList.IN_TRANSIT:
        return None
    loads = [load for load in open_loads(evidence) if state_of(load[1]) == "shipped"]
    return min(loads, key=lambda load: (load[0].departed_at is None, load[0].id), default=None)


def open_loads(evidence: Evidence) -> tuple[tuple[Transfer, TransferPackage], ...]:
    """Incoming manifests, neither received nor voided, that carry the label."""
    return tuple(
        (transfer, package)
        for transfer in evidence.transfers.value or ()
        if transfer.direction is Direction.INCOMING and transfer.received_at is None and not transfer.is_voided
        for package in own(transfer, evidence.subject.value)
    )


def sent_away(evidence: Evidence) -> tuple[tuple[Transfer, TransferPackage], ...]:
    """Manifests of ours, not voided, that carry the label away."""
    return tuple(
        (transfer, package)
        for transfer in evidence.transfers.value or ()
        if transfer.direction is Direction.OUTGOING and not transfer.is_voided
        for package in own(transfer, evidence.subject.value)
    )


def arrived_elsewhere(evidence: Evidence) -> tuple[TransferredPackage, ...]:
    """Rows that say another license received it."""
    rows = evidence.transferred.value or ()
    return tuple(row for row in rows if row.recipient_license not in {None, evidence.shop.license})


def brought_here(evidence: Evidence) -> tuple[tuple[Transfer, TransferPackage], ...]:
    """Manifests to this shop that carry the label, in whatever state."""
    return tuple(
        (transfer, package)
        for transfer in evidence.transfers.value or ()
        if transfer.direction is not Direction.OUTGOING
        for package in own(transfer, evidence.subject.value)
    )


def share(
    code: str, quantity: Decimal | None, *refs: str, rest: bool = False, whole: bool = False
) -> tuple[Share, ...]:
    """An event's share of the difference; nothing when it cannot be expressed or is zero."""
    return (Share(code, quantity, refs, rest or whole, whole),) if quantity else ()
