"""A load: did it arrive, all of it, and once? The seven checks about one manifest. Pure.

Each label on it has its own diagnosis; what those find about the way here is told once for the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from bot.case import not_read, not_searched, quote, state_of
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Evidence,
    Finding,
    Outcome,
    Quote,
    Result,
    Transfer,
    TransferPackage,
)
from bot.numbers import bare, same_number
from bot.record import OF_THE_LOAD, Labelled, Record, concluded, count_of, tail
from bot.units import plain

MOST_SUMMED: Final = 5
TURNED_AWAY: Final = frozenset({"rejected", "returned"})


def is_known(record: Record) -> bool:
    """Whether METRC has such a manifest, or the POS names one."""
    e = record.evidence
    return bool(e.transfers.value or e.pos_rows.value or e.pos_events.value)


def name(record: Record) -> str:
    """``Manifest 0000418902``, with its direction where METRC has it."""
    transfers = record.evidence.transfers.value or ()
    if not transfers:
        return f"Manifest {record.value}"
    return f"Manifest {transfers[-1].manifest} ({transfers[-1].direction.value})"


def where_looked(_: Record) -> str:
    """Which lists were searched for it."""
    return "METRC's incoming, outgoing and rejected manifests by number and id; the POS's stock list and its log"


def manifest_labels(evidence: Evidence) -> tuple[str, ...]:
    """Every label on it, as METRC ships them, then those that only the POS received under its number."""
    labels = [package.label for transfer in evidence.transfers.value or () for package in transfer.packages or ()]
    labels += [row.label for row in evidence.pos_rows.value or ()]
    labels += [event.label for event in evidence.pos_events.value or ()]
    return tuple(dict.fromkeys(labels))


# --- the checks -------------------------------------------------------------------------------------------------------


def check_mapping(record: Record) -> Outcome:
    """Whether the POS received the labels that are on it."""
    found = [*_strangers(record)]
    found += record.findings(CheckName.MAPPING, lambda f: f.code != "mapping.receipt-without-sale")
    said = f"Both sides name the same {count_of(len(record.packages), 'package')}."
    return _or_unread(
        record, concluded(CheckName.MAPPING, found, record.untold(CheckName.MAPPING), said, *_manifests(record))
    )


def check_timing(record: Record) -> Outcome:
    """Whether the POS may still import it."""
    found = record.findings(CheckName.TIMING, lambda f: f.code.startswith("timing.import"))
    said = "Nothing of it is on its way from METRC to the POS."
    return _or_unread(record, concluded(CheckName.TIMING, found, (), said))


def check_duplication(record: Record) -> Outcome:
    """Whether the load is on two manifests, or was received twice."""
    found = record.findings(CheckName.DUPLICATION, lambda f: f.code == "duplication.receive-twice")
    found += record.findings(CheckName.DUPLICATION, lambda f: _is_of(f, record))
    said = "The load is on one manifest and was received at most once."
    return _or_unread(record, concluded(CheckName.DUPLICATION, found, (), said))


def check_custody(record: Record) -> Outcome:
    """Where each package of it is: shipped, accepted, rejected or returned."""
    found = [_of_the_load(each, record) for each in record.findings(CheckName.CUSTODY, _is_about_the_way)]
    found += [entry for entry in _turned_away(record) if not found]
    said = _states(record) or "METRC lists no package on it."
    return _or_unread(record, concluded(CheckName.CUSTODY, found, (), said, *_manifests(record)))


def check_definition(record: Record) -> Outcome:
    """Whether what it brought weighs on both sides the same."""
    found = record.findings(CheckName.DEFINITION)
    return concluded(CheckName.DEFINITION, found, (), "No package of it has two unit weights.")


def check_count(record: Record) -> Outcome:
    """A manifest is not counted; what METRC received of it is told."""
    short = [
        f"{plain(p.received_quantity)} of {plain(p.shipped_quantity)} {p.shipped_unit or ''}".strip()
        + f" of {tail(p.label)}"
        for p in _listed(record)
        if p.received_quantity is not None
        and p.shipped_quantity is not None
        and p.received_quantity < p.shipped_quantity
    ]
    said = f"METRC received less than was shipped: {'; '.join(short[:3])}." if short else "A manifest is not counted."
    return Outcome(CheckName.COUNT, Result.CLEAR, said, evidence=tuple(_manifests(record)))


CHECKS: Final = (
    (CheckName.MAPPING, check_mapping),
    (CheckName.TIMING, check_timing),
    (CheckName.DUPLICATION, check_duplication),
    (CheckName.CUSTODY, check_custody),
    (CheckName.DEFINITION, check_definition),
    (CheckName.COUNT, check_count),
)


# --- labels -----------------------------------------------------------------------------------------------------------


def _strangers(record: Record) -> Iterator[Labelled]:
    """Labels that the POS received under this number and METRC does not have on it."""
    e = record.evidence
    lists = [t for t in e.transfers.value or () if t.packages is not None]
    on_it = {package.label for package in _listed(record)}
    received = [event.label for event in e.pos_events.value or () if event.kind == "receive"]
    received += [row.label for row in e.pos_rows.value or ()]
    strangers = [label for label in dict.fromkeys(received) if label not in on_it]
    if lists and e.transfers.was_read and strangers:
        yield strangers[0], _stranger(record, lists[-1], strangers)


def _stranger(record: Record, transfer: Transfer, labels: list[str]) -> Finding:
    e = record.evidence
    names = ", ".join(labels[:3])
    return Finding(
        code="mapping.not-on-manifest",
        cause=Cause.MAPPING,
        headline=f"The POS received {names} under manifest {transfer.manifest}, which does not carry it.",
        action=Action(
            ActionKind.FIX_POS_RECORD,
            f"Compare the tags on the goods with manifest {transfer.manifest}, and correct the label or the manifest "
            "number in the POS.",
        ),
        evidence=(
            *_manifests(record),
            quote(e.pos_rows, f"received under this number: {names}"),
        ),
        related=tuple(labels),
        confidence=Confidence.LIKELY,
    )


# --- states -----------------------------------------------------------------------------------------------------------


def _listed(record: Record) -> list[TransferPackage]:
    return [package for transfer in record.evidence.transfers.value or () for package in transfer.packages or ()]


def _is_about_the_way(finding: Finding) -> bool:
    return finding.cause is Cause.IN_TRANSIT


def _of_the_load(each: Labelled, record: Record) -> Labelled:
    """What is on the road is the load: it is accepted once, with everything on it."""
    label, finding = each
    open_loads = [t for t in record.evidence.transfers.value or () if _holds(t, label)]
    if finding.code != "in_transit.incoming" or not open_loads:
        return each
    load = open_loads[-1]
    ahead = any(package.gap is not None and package.gap.pos is not None for package in record.packages)
    then = " The POS received it ahead of that." if ahead else ""
    block = " Block sales of it in the POS until then." if ahead else ""
    step = f"Check the load, then accept manifest {load.manifest} ({_shipped(load)}) in METRC.{block}"
    return label, replace(
        finding,
        headline=f"{OF_THE_LOAD}{load.manifest} is on the road: it was not accepted in METRC yet.{then}",
        action=replace(finding.action, text=step),
    )


def _holds(transfer: Transfer, label: str) -> bool:
    return any(package.label == label for package in transfer.packages or ())


def _shipped(load: Transfer) -> str:
    """``40 Each``, ``2 packages: 40 + 60 Each``."""
    packages = load.packages or ()
    counts: dict[str, list[str]] = {}
    for package in packages:
        if package.shipped_quantity is not None:
            counts.setdefault(package.shipped_unit or "", []).append(plain(package.shipped_quantity))
    told = ", ".join(f"{' + '.join(some[:MOST_SUMMED])} {unit}".strip() for unit, some in counts.items())
    if len(packages) == 1:
        return told or "1 package"
    whole = all(len(some) <= MOST_SUMMED for some in counts.values())
    return f"{count_of(len(packages), 'package')}: {told}" if told and whole else count_of(len(packages), "package")


def _turned_away(record: Record) -> Iterator[Labelled]:
    """Packages that went back, which need nothing where neither side counts them."""
    for transfer in record.evidence.transfers.value or ():
        for package in transfer.packages or ():
            if state_of(package) in TURNED_AWAY:
                yield package.label, _rejected(record, transfer, package)


def _rejected(record: Record, transfer: Transfer, package: TransferPackage) -> Finding:
    state = state_of(package)
    return Finding(
        code="in_transit.rejected",
        cause=Cause.IN_TRANSIT,
        headline=f"{tail(package.label)} was {state} on manifest {transfer.manifest}.",
        action=Action(ActionKind.NONE, "Nothing to do here: it went back to the shipper."),
        evidence=tuple(_manifests(record)),
    )


def _states(record: Record) -> str:
    states: dict[str, int] = {}
    for package in _listed(record):
        state = state_of(package) or "of no told state"
        states[state] = states.get(state, 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    return f"{_received(record)}: {told}." if told else ""


def _received(record: Record) -> str:
    transfers = record.evidence.transfers.value or ()
    if any(transfer.is_voided for transfer in transfers):
        return "Voided"
    return "Received" if any(transfer.received_at for transfer in transfers) else "Not received"


def _is_of(finding: Finding, record: Record) -> bool:
    """Whether a finding about two manifests is about this one."""
    if finding.code != "duplication.manifest-twice":
        return False
    ids = {str(transfer.id) for transfer in record.evidence.transfers.value or ()}
    return any(ids & {twin.keep, *twin.remove} for twin in finding.duplicates)


def _manifests(record: Record) -> tuple[Quote, ...]:
    e = record.evidence
    told = [
        f"{t.direction.value} {t.manifest}, {count_of(len(t.packages or ()), 'package')}"
        for t in e.transfers.value or ()
    ]
    return (quote(e.transfers, "; ".join(told[:5]) or "no such manifest"),)


def _or_unread(record: Record, outcome: Outcome) -> Outcome:
    """A list that was not read keeps a check from being clear."""
    e = record.evidence
    missing = (*not_read(e.pos_rows), *not_searched(e.transfers))
    if outcome.result is not Result.CLEAR or not missing:
        return outcome
    return Outcome(outcome.name, Result.UNKNOWN, "Not all that names this manifest could be read.", evidence=missing)


def own_manifests(transfers: Iterable[Transfer], number: str) -> tuple[Transfer, ...]:
    """Those that bear the number; where none does, those that bear it as their id."""
    transfers = tuple(transfers)
    by_number = tuple(transfer for transfer in transfers if same_number(transfer.manifest, number))
    return by_number or tuple(transfer for transfer in transfers if str(transfer.id) == bare(number))
