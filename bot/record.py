"""What the checks of a receipt, manifest or product share: its packages' findings, cut down to the record. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.case import found
from bot.model import (
    ActionKind,
    CheckName,
    Confidence,
    Diagnosis,
    Duplicate,
    Evidence,
    Finding,
    Forbidden,
    Outcome,
    Quote,
    Result,
)

MOST_QUOTES: Final = 12
# one sale or manifest is not told as often as it has labels
OF_ONE_RECORD: Final = ("failed_post.", "timing.", "duplication.receipt", "duplication.manifest")
# how a sentence begins that is about one package and not about the record
BY_PACKAGE: Final = "Package "
OF_THE_LOAD: Final = "Manifest "
SURENESS: Final = (Confidence.UNKNOWN, Confidence.POSSIBLE, Confidence.LIKELY, Confidence.CERTAIN)

Labelled = tuple[str, Finding]
"""A finding of a package, with the package's label."""


@dataclass(frozen=True)
class Record:
    """The evidence about one receipt, manifest or product, and the diagnosis of each package it touches."""

    evidence: Evidence
    packages: tuple[Diagnosis, ...] = ()

    @property
    def value(self) -> str:
        """The number or name that was asked about."""
        return self.evidence.subject.value

    def short(self, label: str) -> str:
        """The end of a tag, or all of it where another package of the record ends the same."""
        others = {package.subject.value for package in self.packages} - {label}
        return label if any(tail(other) == tail(label) for other in others) else tail(label)

    def parts(self) -> Iterator[tuple[Evidence, Diagnosis]]:
        """Each package: what was read of it, and what is said of it."""
        return zip(self.evidence.packages, self.packages, strict=True)

    def outcomes(self, name: CheckName) -> Iterator[tuple[str, Outcome]]:
        """What one check says of each package."""
        for package in self.packages:
            yield from ((package.subject.value, outcome) for outcome in package.checks if outcome.name is name)

    def findings(self, name: CheckName, about: Callable[[Finding], bool] = lambda _: True) -> list[Labelled]:
        """One check's findings of the packages, as far as they are about the record."""
        outcomes = self.outcomes(name)
        return [(label, finding) for label, outcome in outcomes for finding in outcome.findings if about(finding)]

    def untold(self, name: CheckName) -> list[tuple[str, Outcome]]:
        """Packages of which this check cannot tell."""
        return [(label, outcome) for label, outcome in self.outcomes(name) if outcome.result is Result.UNKNOWN]


def tail(label: str) -> str:
    """The end of a tag, by which people know it: ``…1002``."""
    return f"…{label[-4:]}" if len(label) > 8 else label


def count_of(number: int, what: str) -> str:
    """``1 package``, ``3 packages``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def concluded(
    name: CheckName,
    findings: Iterable[Labelled],
    untold: Iterable[tuple[str, Outcome]],
    otherwise: str,
    *quotes: Quote,
) -> Outcome:
    """Found, else unknown for the first package that cannot be told, else clear for the reason that is given."""
    merged = merge(findings)
    if merged:
        return found(name, merged, *quotes)
    for label, outcome in untold:
        return Outcome(name, Result.UNKNOWN, f"{BY_PACKAGE}{tail(label)}: {outcome.summary}", evidence=outcome.evidence)
    return Outcome(name, Result.CLEAR, otherwise, evidence=quotes)


def merge(findings: Iterable[Labelled]) -> tuple[Finding, ...]:
    """Findings of several packages under one code become one, so that one fault is told once."""
    groups: dict[str, list[Labelled]] = {}
    for label, finding in findings:
        groups.setdefault(finding.code, []).append((label, finding))
    return tuple(_merged(group) for group in groups.values())


def _merged(group: list[Labelled]) -> Finding:
    first = group[0][1]
    each = [finding for _, finding in group]
    labels = tuple(dict.fromkeys(label for label, _ in group))
    of_record = first.code.startswith(OF_ONE_RECORD) or first.headline.startswith(OF_THE_LOAD)
    same = of_record and all(finding.headline == first.headline for finding in each)
    waiting = next((f.action for f in each if f.action.kind is ActionKind.WAIT), first.action)
    quotes = tuple(dict.fromkeys(quote for finding in each for quote in finding.evidence))
    return replace(
        first,
        headline=first.headline if same else _of_labels(first.headline, labels),
        action=waiting,
        evidence=quotes[:MOST_QUOTES],
        shares=tuple(share for finding in each for share in finding.shares),
        duplicates=_duplicates(each),
        must_not=tuple(dict.fromkeys(f for finding in each for f in finding.must_not)),
        related=tuple(dict.fromkeys([*labels, *(label for finding in each for label in finding.related)])),
        brings_about=tuple(dict.fromkeys(code for finding in each for code in finding.brings_about)),
        confidence=min((finding.confidence for finding in each), key=SURENESS.index),
    )


def _of_labels(headline: str, labels: Sequence[str]) -> str:
    """Beside a record nobody knows which package “this package” is."""
    if headline.startswith(BY_PACKAGE):
        return headline if len(labels) == 1 else _of_several(headline, len(labels))
    if len(labels) == 1:
        return headline.replace("this package", f"package {tail(labels[0])}")
    return _of_several(headline.replace("this package", "each of them"), len(labels))


def _of_several(headline: str, packages: int) -> str:
    if headline.startswith(BY_PACKAGE):
        return f"{headline} The same of {count_of(packages - 1, 'more package')}."
    return f"{count_of(packages, 'package')}: {headline}"


def _duplicates(findings: Iterable[Finding]) -> tuple[Duplicate, ...]:
    """Twins that several packages tell of are one entry, removable only if nothing of any of them is on its way."""
    entries: dict[tuple[str, str, tuple[str, ...]], Duplicate] = {}
    for twin in (twin for finding in findings for twin in finding.duplicates):
        key = (twin.system, twin.keep, twin.remove)
        other = entries.get(key, twin)
        entries[key] = replace(twin, removable=twin.removable and other.removable)
    return tuple(entries.values())


def lifted(name: CheckName, own: Outcome, record: Record) -> Outcome:
    """The record's outcome, or where that is clear what the packages' own answers rest on."""
    if own.result is not Result.CLEAR:
        return own
    leads = [
        (package.subject.value, _named(record.short(package.subject.value), finding))
        for package in record.packages
        for finding in _findings(package, name)
        if finding.code == package.code
    ]
    if leads:
        return replace(found(name, merge(leads)), must_not=_warnings(record, name))
    untold = [package for package in record.packages if package.code is None and package.cause.value == "unknown"]
    told = {package.subject.value for package in untold}
    return concluded(name, (), [(label, o) for label, o in record.untold(name) if label in told], own.summary)


def _named(package: str, finding: Finding) -> Finding:
    return replace(finding, headline=f"{BY_PACKAGE}{package}: {finding.headline}")


def _findings(package: Diagnosis, name: CheckName) -> Iterator[Finding]:
    return (finding for outcome in package.checks if outcome.name is name for finding in outcome.findings)


def _warnings(record: Record, name: CheckName) -> tuple[Forbidden, ...]:
    return tuple(dict.fromkeys(f for _, outcome in record.outcomes(name) for f in outcome.must_not))
