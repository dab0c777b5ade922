"""Many diagnoses → few groups, each with one cause that its packages share. Pure, and fed one diagnosis at a time.

A package is told by its facets: what its finding has in common with others (an item, a manifest, METRC's words, a posting
run). Packages of one code are parted so that the widest facet takes all it can; what shares nothing but the next step
is told together, and what shares nothing at all is a group of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from bot.case import brought_here, metrc_item, metrc_unit, on_the_road, open_loads, product_of, sent_away
from bot.errors import ProblemKind
from bot.model import Action, ActionKind, Cause, Diagnosis, Duplicate, Evidence, Posting, Result, Submission
from bot.numbers import bare


class Figures(NamedTuple):
    """What each side counts of a package. None: it has no record, or nothing can be compared; then there is no unit."""

    product: str
    pos: Decimal | None
    metrc: Decimal | None
    difference: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True)
class Group:
    """Packages with one cause. ``common``: what they share, in one sentence. ``difference``: a total a unit, by unit.

    ``figures``: one entry a label, as long as the sweep is at hand; a sweep that was kept has none.
    """

    cause: Cause
    code: str | None
    headline: str
    common: str
    labels: tuple[str, ...]
    action: Action
    difference: tuple[tuple[str, Decimal], ...] = ()
    figures: tuple[Figures | None, ...] = field(default=(), compare=False)

    @property
    def needs_nobody(self) -> bool:
        """Whether neither system counts anything of them, so that there is nothing to do."""
        return self.action.kind is ActionKind.NONE

    @property
    def is_unread(self) -> bool:
        """Whether nothing could be compared: the gate was closed, or a needed reading failed."""
        shut = self.cause in GATES and self.code != "authentication.post-refused"
        return not self.difference and (shut or self.cause is Cause.UNKNOWN)

    def lines(self) -> Iterator[tuple[str, Figures | None]]:
        """Each label with its figures."""
        return zip(self.labels, self.figures or (None,) * len(self.labels), strict=True)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A whole shop. ``packages``: labels known to either side; ``agree``: those without a finding.

    ``requests``: sent to METRC; ``seconds``: how long it took. Groups come by their number of packages, largest first,
    of equals the largest difference; what needs nobody comes last.
    """

    facility: str
    packages: int
    agree: int
    groups: tuple[Group, ...]
    requests: int
    seconds: float

    @property
    def unread(self) -> int:
        """How many packages could not be looked at."""
        return sum(len(group.labels) for group in self.groups if group.is_unread)

    @property
    def idle(self) -> int:
        """How many have a finding that needs nobody."""
        return sum(len(group.labels) for group in self.groups if group.needs_nobody)

    @property
    def is_blind(self) -> bool:
        """Whether not one package could be looked at."""
        return bool(self.groups) and all(group.is_unread for group in self.groups) and not self.agree


class Facet(NamedTuple):
    """Something that several packages may share."""

    kind: str
    value: str


class Tally:
    """Takes diagnoses as they come and keeps of them only what the groups need."""

    def __init__(self) -> None:
        self.packages = 0
        self.agree = 0
        self._piles: dict[tuple[Any, ...], _Pile] = {}

    def add(self, evidence: Evidence, diagnosis: Diagnosis) -> None:
        """Account for one package."""
        self.add_all((diagnosis.subject.value,), evidence, diagnosis)

    def add_all(self, labels: Sequence[str], evidence: Evidence, diagnosis: Diagnosis) -> None:
        """Account for packages of which the very same can be said."""
        self.packages += len(labels)
        if diagnosis.cause is Cause.NONE:
            self.agree += len(labels)
            return
        diagnosis = _with_more_to_ask(evidence, diagnosis)
        facets = facets_of(evidence, diagnosis)
        step = "" if facets else diagnosis.action.text
        key = (diagnosis.cause, diagnosis.code, diagnosis.action.kind, facets, step)
        if key not in self._piles:
            self._piles[key] = _Pile(diagnosis.cause, diagnosis.code, facets, diagnosis.headline, diagnosis.action)
        self._piles[key].add(labels, diagnosis, _figures(evidence, diagnosis) if len(labels) == 1 else None)

    def agreed(self, count: int) -> None:
        """Account for packages in which nothing was found."""
        self.packages += count
        self.agree += count

    def groups(self) -> tuple[Group, ...]:
        """The groups, the one with most packages first."""
        # where one needs a person and the other needs nothing, they are not one piece of work
        by_code: dict[tuple[Cause, str | None, ActionKind], list[_Pile]] = {}
        for pile in self._piles.values():
            by_code.setdefault((pile.cause, pile.code, pile.action.kind), []).append(pile)
        found = [group for piles in by_code.values() for group in _parted(piles)]
        return tuple(sorted(found, key=_place))


def _place(group: Group) -> tuple[Any, ...]:
    """What concerns most packages first, then what differs most."""
    most = max((abs(total) for _, total in group.difference), default=Decimal(0))
    return (group.needs_nobody, -len(group.labels), -most, group.code or "~", group.labels)


def _figures(evidence: Evidence, diagnosis: Diagnosis) -> Figures:
    gap, product = diagnosis.gap, product_of(evidence)
    return Figures(product, gap.pos, gap.metrc, gap.difference, gap.unit) if gap else Figures(product, *NO_FIGURES)


def of_whole_shop(diagnosis: Diagnosis) -> Diagnosis:
    """What is said of one package behind a closed gate, in words that fit all of them."""
    return replace(diagnosis, headline=OF_WHOLE_SHOP.get(diagnosis.code or "", diagnosis.headline))


def _with_more_to_ask(evidence: Evidence, diagnosis: Diagnosis) -> Diagnosis:
    """Where a sweep left receipts unopened, a question about the one label opens more of its own."""
    if diagnosis.cause is not Cause.UNKNOWN or not evidence.unread_receipts:
        return diagnosis
    return replace(diagnosis, action=replace(diagnosis.action, text=ASK_ALONE))


@dataclass(slots=True)
class _Pile:
    """Packages of one code with the very same facets. ``headline`` and ``action`` are the first one's."""

    cause: Cause
    code: str | None
    facets: tuple[Facet, ...]
    headline: str
    action: Action
    labels: list[str] = field(default_factory=list)
    figures: dict[str, Figures] = field(default_factory=dict)
    totals: dict[str, Decimal] = field(default_factory=dict)
    one_headline: bool = True
    one_action: bool = True

    def add(self, labels: Sequence[str], diagnosis: Diagnosis, figures: Figures | None) -> None:
        self.labels += labels
        if figures is not None:
            self.figures[labels[0]] = figures
        self.one_headline &= diagnosis.headline == self.headline
        self.one_action &= diagnosis.action.text == self.action.text
        self.action = replace(self.action, not_before=_later(self.action.not_before, diagnosis.action.not_before))
        if diagnosis.gap is not None:
            unit = diagnosis.gap.unit
            self.totals[unit] = self.totals.get(unit, Decimal(0)) + diagnosis.gap.difference * len(labels)


# --- parting ----------------------------------------------------------------------------------------------------------


def _parted(piles: list[_Pile]) -> Iterator[Group]:
    left = list(piles)
    while widest := _widest(left):
        yield _group([pile for pile in left if widest in pile.facets], widest)
        left = [pile for pile in left if widest not in pile.facets]
    yield from _by_step(left)


def _widest(piles: Iterable[_Pile]) -> Facet | None:
    """The facet that most packages share; of equals the one that is named first. None: no two share any."""
    counts: Counter[Facet] = Counter()
    ranks: dict[Facet, int] = {}
    for pile in piles:
        for rank, facet in enumerate(pile.facets):
            counts[facet] += len(pile.labels)
            ranks[facet] = min(rank, ranks.get(facet, rank))
    shared = [facet for facet, count in counts.items() if count > 1]
    return min(shared, key=lambda facet: (-counts[facet], ranks[facet], facet), default=None)


def _by_step(piles: Iterable[_Pile]) -> Iterator[Group]:
    steps: dict[str, list[_Pile]] = {}
    for pile in piles:
        steps.setdefault(pile.action.text, []).append(pile)
    for text, alike in steps.items():
        yield _group(alike, Facet("step", text))


def _group(piles: list[_Pile], shared: Facet) -> Group:
    first = piles[0]
    labels = tuple(sorted(label for pile in piles for label in pile.labels))
    figures = {label: told for pile in piles for label, told in pile.figures.items()}
    totals: dict[str, Decimal] = {}
    for unit, total in (each for pile in piles for each in pile.totals.items()):
        totals[unit] = totals.get(unit, Decimal(0)) + total
    return Group(
        cause=first.cause,
        code=first.code,
        headline=_headline(piles, len(labels)),
        common=common(shared) if len(labels) > 1 or shared.kind in OF_A_LICENSE else ALONE,
        labels=labels,
        action=_action(piles),
        difference=tuple(sorted(totals.items())),
        figures=tuple(figures.get(label) for label in labels),
    )


def _headline(piles: list[_Pile], count: int) -> str:
    first = piles[0]
    if all(pile.one_headline and pile.headline == first.headline for pile in piles):
        return first.headline
    return f"{count} packages: {PHRASES.get(first.code or '') or BY_CAUSE[first.cause]}."


def _action(piles: list[_Pile]) -> Action:
    """The step itself where it is the same for all; else what to do with each, for texts name records."""
    first = piles[0].action
    same = all(pile.one_action and pile.action.text == first.text for pile in piles)
    latest = None
    for pile in piles:
        latest = _later(latest, pile.action.not_before)
    return Action(first.kind, first.text if same else STEPS[first.kind], latest)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


# --- facets -----------------------------------------------------------------------------------------------------------


def facets_of(evidence: Evidence, diagnosis: Diagnosis) -> tuple[Facet, ...]:
    """What a package may share with others, the likeliest common cause first."""
    code = diagnosis.code or diagnosis.cause.value
    own = next((look for prefix, look in _LOOKS if code.startswith(prefix)), _nothing)
    return tuple(dict.fromkeys(Facet(kind, value) for kind, value in own(evidence, diagnosis) if value))


_Found = Iterator[tuple[str, str | None]]


def _nothing(_e: Evidence, _d: Diagnosis) -> _Found:
    return iter(())


def _license(e: Evidence, _d: Diagnosis) -> _Found:
    yield "license", e.shop.license


def _host(e: Evidence, _d: Diagnosis) -> _Found:
    yield "host", e.shop.license


def _unread(e: Evidence, d: Diagnosis) -> _Found:
    """Which side failed and how; else what the first check that cannot tell says."""
    failed = (r.problem for r in (e.package, e.pos_rows) if r.problem and r.problem.kind is not ProblemKind.NOT_OFFERED)
    yield from (("unread", problem.says) for problem in failed)
    yield "unread", next((outcome.summary for outcome in d.checks if outcome.result is Result.UNKNOWN), None)


def _labels(_e: Evidence, d: Diagnosis) -> _Found:
    yield "labels", " and ".join(sorted({d.subject.value, *d.related})) if d.related else None


def _item(e: Evidence, _d: Diagnosis) -> _Found:
    item = metrc_item(e)
    yield "item", item.name if item is not None else None


def _unit(e: Evidence, d: Diagnosis) -> _Found:
    yield from _item(e, d)
    units = sorted({row.unit for row in e.pos_rows.value or ()} | {s.unit for s in e.pos_sales.value or () if s.unit})
    used = next((unit for unit in units if unit.casefold() != metrc_unit(e).casefold()), None)
    yield "unit", f"{used} in the POS and {metrc_unit(e)} in METRC" if used else None


def _link(e: Evidence, _d: Diagnosis) -> _Found:
    item = metrc_item(e)
    linked = next((row.metrc_item for row in e.pos_rows.value or () if row.metrc_item), None)
    if item is not None and linked:
        yield "link", f"“{linked}” where METRC has “{item.name}”"
        yield "linked", linked
        yield "item", item.name


def _category(e: Evidence, _d: Diagnosis) -> _Found:
    item = metrc_item(e)
    filed = next((row.metrc_category for row in e.pos_rows.value or () if row.metrc_category), None)
    if item is not None and filed:
        yield "category", f"“{filed}” where METRC has “{item.category}”"
        yield "filed", filed
        yield "refiled", item.category


def _load(e: Evidence, _d: Diagnosis) -> _Found:
    """The manifest by which it came or goes."""
    road = on_the_road(e)
    loads = [*([road] if road else []), *open_loads(e), *sent_away(e), *brought_here(e)]
    yield from (("manifest", bare(transfer.manifest)) for transfer, _ in loads)
    yield from (("manifest", bare(row.manifest)) for row in e.transferred.value or ())


def _received(e: Evidence, d: Diagnosis) -> _Found:
    """The load it came with, then its item."""
    package = e.package.value
    yield "manifest", bare(package.received_from_manifest) if package is not None else None
    yield from (("manifest", bare(row.manifest)) for row in e.pos_rows.value or ())
    yield from _item(e, d)


def _run(e: Evidence, _d: Diagnosis) -> _Found:
    yield "run", e.shop.nightly_at or "every night"


def _posting(e: Evidence, _d: Diagnosis) -> _Found:
    yield "posting", {Posting.REALTIME: "at once", Posting.NIGHTLY: "at night"}.get(e.shop.posting, "in batches")


def _backlog(_e: Evidence, _d: Diagnosis) -> _Found:
    yield "backlog", "never"


def _message(e: Evidence, _d: Diagnosis) -> _Found:
    refused = [line for line in e.pos_sales.value or () if line.submission is Submission.FAILED and line.message]
    yield from (("message", _wording(line.message or "")) for line in refused)


def _export(_e: Evidence, d: Diagnosis) -> _Found:
    yield "export", d.as_of.pos.isoformat() if d.as_of.pos is not None else None


def _records(e: Evidence, d: Diagnosis) -> _Found:
    """The very record that stands twice, then the upload that brought it."""
    for twin in d.duplicates:
        yield "record", f"{twin.system} {twin.kind.value.replace('_', ' ')} {', '.join(twin.remove)}"
    for twin in d.duplicates:
        yield "upload", _upload(e, twin)


def _upload(e: Evidence, twin: Duplicate) -> str | None:
    """When and by whom the second receipt was entered: an upload enters many on one day."""
    again = [r for r in e.receipts.value or () if str(r.id) in twin.remove and r.recorded_at is not None]
    if twin.system != "metrc" or not again or again[0].recorded_at is None:
        return None
    day = again[0].recorded_at.astimezone(ZoneInfo(e.shop.time_zone)).date()
    return f"on {day} by {again[0].recorded_by or 'an unnamed user'}"


def _closed(e: Evidence, d: Diagnosis) -> _Found:
    package = e.package.value
    on = (package.finished_on or package.archived_on) if package is not None else None
    yield "closed", on.isoformat() if on is not None else None
    yield from _item(e, d)


def _parents(e: Evidence, d: Diagnosis) -> _Found:
    package = e.package.value
    yield from (("parent", label) for label in (package.source_labels if package is not None else ()))
    yield "parent", d.subject.value


_LOOKS: Final[tuple[tuple[str, Callable[[Evidence, Diagnosis], _Found]], ...]] = (
    ("authentication.", _license),
    ("wrong_license.", _license),
    ("outage.", _host),
    ("unknown", _unread),
    ("outage", _host),
    ("mapping.label-mistyped", _labels),
    ("mapping.label-unknown", _received),
    ("mapping.not-in-pos", _received),
    ("mapping.unit", _unit),
    ("mapping.item", _link),
    ("mapping.category", _category),
    ("timing.nightly-post", _run),
    ("timing.sale-on-its-way", _posting),
    ("timing.void-on-its-way", _posting),
    ("timing.import-on-its-way", _received),
    ("timing.export-older", _export),
    ("failed_post.refused", _message),
    ("failed_post.never-posted", _backlog),
    ("duplication.", _records),
    ("in_transit.", _load),
    ("on_hold.", _item),
    ("finished.", _closed),
    ("lab_state.", _received),
    ("split.", _parents),
    ("definition.", _item),
)


def _wording(message: str) -> str:
    """METRC's words without the label or number that each refusal names."""
    return re.sub(r"[\w-]*\d[\w-]*", "…", message).strip()[:200]


# --- words ------------------------------------------------------------------------------------------------------------

OF_A_LICENSE: Final = frozenset({"license", "host"})
GATES: Final = frozenset({Cause.AUTHENTICATION, Cause.WRONG_LICENSE, Cause.OUTAGE})
NO_FIGURES: Final = (None, None, None, "")
OF_WHOLE_SHOP: Final = {
    "outage.metrc-down": "METRC is not answering. Nothing can be told about any package of this shop until it does.",
}

ALONE: Final = "It stands alone: no other package shares this cause."

_COMMON: Final = {
    "license": "They all belong to license {}, and one key speaks for every package of it.",
    "host": "They all belong to license {}, and METRC answers for none of its packages.",
    "unread": "The same could not be read for all of them: {}",
    "labels": "They are one package under two labels: {}.",
    "item": "They are all the METRC item “{}”.",
    "unit": "All of them are counted in {}.",
    "link": "The POS links all of them to {}.",
    "linked": "The POS links all of them to “{}”.",
    "filed": "The POS files all of them under “{}”.",
    "refiled": "METRC files all of them under “{}”, the POS does not.",
    "category": "The POS files all of them under {}.",
    "manifest": "They all belong to manifest {}.",
    "run": "Their sales all wait for the nightly posting run ({}).",
    "posting": "Their sales are all younger than this POS may take; it posts {}.",
    "backlog": "Sales of all of them stopped reaching METRC: the posting is at fault, not the packages.",
    "message": "METRC refused their sales with the same words: “{}”",
    "export": "They all rest on one POS export, of {}.",
    "record": "They all stand on one record: {}.",
    "upload": "Their second receipts were all entered {}.",
    "closed": "METRC closed all of them on {}.",
    "parent": "They all come from package {}.",
    "step": "They share no record, only the kind of problem and the next step.",
}


def common(shared: Facet) -> str:
    """What several packages share, in one sentence."""
    return _COMMON[shared.kind].format(shared.value)


PHRASES: Final = {
    "authentication.post-refused": "METRC refused their sales because a right is missing",
    "mapping.label-mistyped": "a label is mistyped",
    "mapping.label-unknown": "METRC does not know their labels at this license",
    "mapping.not-in-pos": "METRC has them, and they were never built in the POS",
    "mapping.unit": "the POS uses a unit that METRC does not take for them",
    "mapping.item": "the POS links them to another METRC item",
    "mapping.category": "the POS files them under another category than METRC",
    "mapping.strain": "the POS names another strain of them than METRC",
    "mapping.twin-products": "the POS has two products for their METRC item",
    "mapping.siblings-cancel": "packages of one product differ by the same amount, one up, one down",
    "mapping.sale-on-other-label": "the POS took their sales off other packages than METRC",
    "mapping.not-on-manifest": "the POS received them on a manifest that METRC does not have them on",
    "mapping.receipt-without-sale": "METRC has receipts that the POS has no sale for",
    "timing.nightly-post": "their sales wait for the nightly posting",
    "timing.sale-on-its-way": "their sales are on their way to METRC",
    "timing.void-on-its-way": "voids of their sales are on their way to METRC",
    "timing.change-on-its-way": "corrections of them are on their way to METRC",
    "timing.import-on-its-way": "METRC received them, and the POS has not imported them yet",
    "timing.export-older": "the POS export is older than METRC's newest sales",
    "failed_post.refused": "METRC refused their sales, which will not arrive by themselves",
    "failed_post.never-posted": "METRC never took their sales, which will not arrive by themselves",
    "failed_post.receipt-voided": "their receipts are voided in METRC, their sales live in the POS",
    "failed_post.void-not-posted": "their sales are voided in the POS, their receipts live in METRC",
    "failed_post.quantity-differs": "METRC took another quantity than the POS sold",
    "failed_post.note-too-long": "corrections of them were dropped for a note that is too long",
    "duplication.receipt-retry": "sales of them are in METRC twice",
    "duplication.receipt-csv-over-api": "sales of them were uploaded again over what was posted",
    "duplication.receive-twice": "the POS received them twice",
    "duplication.manifest-twice": "they stand on two manifests for one load",
    "duplication.adjustment-twice": "a correction of them was entered twice",
    "duplication.delivery-twice": "deliveries of them are in METRC twice",
    "duplication.package-twice": "METRC made them twice out of one source",
    "duplication.receipt-and-delivery": "sales of them are in METRC as a receipt and as a delivery",
    "in_transit.incoming": "they are on the road, and their manifest was not accepted yet",
    "in_transit.outgoing": "METRC has them at another license",
    "in_transit.elsewhere": "METRC has them at another license",
    "in_transit.rejected": "they were refused at the door and never became this shop's",
    "in_transit.manifest-voided": "the manifest that brought them was voided",
    "in_transit.received-less": "METRC received less of them than the POS took in",
    "in_transit.returned-without-manifest": "the POS gave them back to the vendor, and METRC has them on no manifest",
    "on_hold.hold": "METRC holds them",
    "on_hold.investigation": "METRC holds them for an investigation",
    "on_hold.recall": "METRC holds them for a recall",
    "finished.finished": "METRC has them as finished",
    "finished.discontinued": "METRC has them as discontinued",
    "split.in-pos": "the POS made one out of another, and METRC was never told",
    "split.batch-without-source": "METRC has batches of them made of nothing, the POS made them of other packages",
    "lab_state.waiting": "they wait for the lab",
    "lab_state.failed": "they failed the lab",
    "lab_state.pos-stale": "they passed the lab, and the POS still waits",
    "count_error.unexplained": "nothing explains the difference, so only a count can",
    "count_error.sibling-lots": "lots of one product differ by amounts that cancel",
    "count_error.drying": "they lost no more than drying explains",
    "count_error.below-zero": "a count of them is below zero",
}

BY_CAUSE: Final = {
    Cause.AUTHENTICATION: "a key or a right of this shop is at fault",
    Cause.WRONG_LICENSE: "the license is at fault",
    Cause.OUTAGE: "METRC does not answer",
    Cause.MAPPING: "the two systems do not mean the same package, item or unit",
    Cause.TIMING: "something of them is still on its way",
    Cause.FAILED_POST: "posts of them to METRC failed",
    Cause.DUPLICATION: "a record of them exists twice",
    Cause.IN_TRANSIT: "they are on a manifest, not on this shop's books",
    Cause.ON_HOLD: "METRC holds them",
    Cause.FINISHED: "METRC has closed them",
    Cause.LAB_STATE: "their lab state does not let them be sold",
    Cause.SPLIT: "METRC made one out of another, and the POS does not know",
    Cause.DEFINITION: "one unit weighs something else in the POS than in METRC",
    Cause.COUNT_ERROR: "nothing but a count can tell which side is wrong",
    Cause.NONE: "nothing is wrong",
    Cause.UNKNOWN: "not enough could be read to tell",
}

ASK_ALONE: Final = (
    "Ask about this package alone: a sweep left receipts unopened, and any of them may be the cause. "
    "Until then the count tells nothing."
)

STEPS: Final = {
    ActionKind.FIX_KEY: "Put METRC's present keys into every system that uses them.",
    ActionKind.FIX_PERMISSION: "Grant the missing right, then resend the refused sales with their true times.",
    ActionKind.FIX_LICENSE: "Correct the license, then sync again.",
    ActionKind.FIX_MAPPING: "Correct the POS product once; the counts stay. Resend what was refused for it.",
    ActionKind.WAIT: "Wait, and look again at the time that is told.",
    ActionKind.RESEND: "Resend each of these sales or voids with its true time; each package's own answer names them.",
    ActionKind.REMOVE_DUPLICATE: "Remove each duplicate; each package's own answer names the record and the way.",
    ActionKind.ACCEPT_TRANSFER: "Check the load, then accept its manifest in METRC.",
    ActionKind.FIX_POS_RECORD: "Correct the POS row of each, not the count; each package's own answer says how.",
    ActionKind.CONTACT_COMPLIANCE: "Set the goods aside and call compliance.",
    ActionKind.FIX_DEFINITION: "Decide which unit weight is right and correct that definition. The counts stay.",
    ActionKind.RECOUNT: "Count each of them on the shelf, then ask about each with its count.",
    ActionKind.RECORD_COUNT: "Record each count with its reason.",
    ActionKind.RETRY_LATER: "Get what is missing read first, then ask again. Until then the counts tell nothing.",
    ActionKind.NONE: "Nothing to do.",
}
