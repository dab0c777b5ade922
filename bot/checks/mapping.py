"""Mapping: do the two systems mean the same package, item and unit?

Recognised by: a label one side does not know (typed by hand, lost in a spreadsheet, never imported), a POS product
linked to another METRC item or category, units that do not fit, a receipt in METRC whose sale the POS has elsewhere.

Do: correct the POS's product, unit or label. Never: create a package in either system to make the other one happy, and
never repair a mapping through the quantity.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize

from bot.case import (
    Case,
    arrived_elsewhere,
    brought_here,
    clear,
    found,
    has_residue,
    in_metrc_units,
    metrc_item,
    metrc_side,
    metrc_unit,
    not_read,
    not_searched,
    on_the_road,
    pos_before,
    pos_total,
    quote,
    sent_away,
    share,
    unknown,
)
from bot.labels import as_digits, is_well_formed, nearest
from bot.model import (
    LABEL_LENGTH,
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Evidence,
    Finding,
    Forbidden,
    MetrcItem,
    MetrcReceipt,
    Outcome,
    PosPackage,
    Quote,
    Share,
    Sighting,
)
from bot.posting import Fate, PostedSale, quantity_on
from bot.refusals import Blame, blame, could_be
from bot.splits import copied_from, made_in_pos, unrecorded_sources
from bot.twins import find_twins
from bot.units import EACH, plain, same_unit

NAME = CheckName.MAPPING

# words in a strain's cell that name no strain
NO_STRAIN: Final = frozenset(
    {"a", "i", "n", "s", "h", "na", "none", "no", "null", "unknown", "unspecified", "various", "mixed", "mix", "blend"}
    | {"strain", "hybrid", "indica", "sativa", "dominant"}
)

_SCIENTIFIC: Final = re.compile(r"[0-9A-Z](?:[.,][0-9A-Z]+)?E\+[0-9]{1,3}")


def check(case: Case) -> Outcome:
    """Compare what both sides call the package."""
    findings = [
        *_scientific(case),
        *_labels(case),
        *_units(case),
        *_items(case),
        *_on_other_labels(case),
        *_stray_receipts(case),
    ]
    if findings:
        return found(NAME, findings)
    e = case.evidence
    missing = not_read(e.package, e.pos_rows, e.pos_sales)
    if e.package.value is None:
        missing = (*missing, *not_searched(e.transfers, e.transferred, e.near, e.elsewhere))
    if missing:
        return unknown(NAME, _unreadable(case), *missing)
    return _compared(case)


def _compared(case: Case) -> Outcome:
    e = case.evidence
    item, rows = metrc_item(e), e.pos_rows.value or ()
    if item is None or not rows:
        where = "The POS" if item is not None else "METRC"
        return clear(
            NAME, f"{where} holds no record of this label, and none is mistaken for it.", quote(e.pos_rows, "read")
        )
    named = Quote("pos", rows[0].where, rows[0].as_of, f"product “{rows[0].product_name}”, {rows[0].unit}")
    theirs = quote(e.package, f"item “{item.name}”, category {item.category}, {metrc_unit(e)}")
    if not _link_is_known(rows, item):
        return unknown(NAME, f"The POS does not say which METRC item “{rows[0].product_name}” is.", named, theirs)
    return clear(NAME, "Label, item and unit fit.", named, theirs)


# --- labels -----------------------------------------------------------------------------------------------------------


def _scientific(case: Case) -> list[Finding]:
    """What was asked for is no label any more: a spreadsheet took it for a number."""
    if not _SCIENTIFIC.fullmatch(case.label):
        return []
    return [
        Finding(
            code="mapping.label-mistyped",
            cause=Cause.MAPPING,
            headline=f"{case.label} is what a spreadsheet leaves of a label.",
            action=Action(
                ActionKind.FIX_POS_RECORD,
                "Read the label off the package, correct it in the POS, and export anew without opening the file in a "
                "spreadsheet; or set that column to text first.",
            ),
            evidence=(quote(case.evidence.package, "no such label at this license"),),
            confidence=Confidence.LIKELY,
        )
    ]


def _unreadable(case: Case) -> str:
    """Which row a spreadsheet spoilt so that it may be this one; what is left of its label begins like ours."""
    refused = [(row, row.cell) for row in case.evidence.pos_refused if row.cell]
    broken = next((row for row, cell in refused if _letters_of(cell) == case.label != cell), None)
    if broken is not None:
        return (
            f"{broken.file}, line {broken.line} has this label as “{broken.cell}”: take the extra characters out of the "
            "label in the POS, then export anew."
        )
    rows = [row for row, cell in refused if _begins_like(case.label, cell)]
    if not rows:
        return "Not all could be read, so the two sides cannot be compared."
    return (
        f"A spreadsheet spoilt the label in {rows[0].file}, line {rows[0].line} ({rows[0].cell}); it may be this one. "
        "Export anew without opening the file in a spreadsheet."
    )


def _letters_of(cell: str) -> str:
    return "".join(c for c in cell.upper() if c.isalnum())


def _begins_like(label: str, cell: str) -> bool:
    text = cell.strip().upper()
    return bool(_SCIENTIFIC.fullmatch(text)) and label.startswith(re.sub(r"[.,]|0*E\+.*", "", text))


def _labels(case: Case) -> list[Finding]:
    e = case.evidence
    if not (e.package.was_read and e.pos_rows.was_read) or on_the_road(e) is not None:
        return []
    if e.package.value is None and e.pos_rows.value:
        return _pos_only(case, e.pos_rows.value)
    if e.package.value is not None:
        return _metrc_only(case) if not e.package.value.is_closed and not e.pos_rows.value else []
    return _asked_wrongly(case) or (_nowhere(case) if e.shelf else [])


def _asked_wrongly(case: Case) -> list[Finding]:
    """Nobody has the label, and it cannot be METRC's: it was mistyped in the question, or on the goods."""
    e = case.evidence
    if is_well_formed(case.label) or _SCIENTIFIC.fullmatch(case.label) or _is_elsewhere(e) or not _searched(e):
        return []
    sighted = [s.label for s in (e.near.value if e.near else None) or ()] + [row.label for row in e.pos_near]
    near = nearest(case.label, sighted)
    meant = [label for count, label in near if count == near[0][0]][:5]
    names = " or ".join(meant)
    return [
        Finding(
            code="mapping.label-mistyped",
            cause=Cause.MAPPING,
            headline=f"Neither system has {case.label}: {_odd(case.label)}."
            + (f" Is it {names}?" if len(meant) == 1 else " Some labels are nearly the same." if meant else ""),
            action=Action(
                ActionKind.FIX_POS_RECORD,
                "Read the label off the package again, and ask again"
                + (f" about {names}." if meant else ".")
                + " Change nothing in either system meanwhile.",
            ),
            evidence=(
                quote(e.package, "METRC knows no such label at this license"),
                quote(e.pos_rows, "no row with this label"),
                *([quote(e.near, f"nearly the same: {', '.join(meant)}")] if e.near and meant else ()),
            ),
            related=tuple(meant),
            confidence=Confidence.LIKELY,
        )
    ]


def _nowhere(case: Case) -> list[Finding]:
    """Goods on the shelf under a label that neither system knows."""
    e = case.evidence
    if _is_elsewhere(e) or not _searched(e):
        return []
    said = quote(e.package, "METRC knows no such label at this license")
    counted = Quote("shelf", "counted by a person", case.now, f"{plain(e.shelf or Decimal(0))} on the shelf")
    return [
        Finding(
            code="mapping.label-nowhere",
            cause=Cause.MAPPING,
            headline=f"{plain(e.shelf or Decimal(0))} are on the shelf under a label that neither system knows.",
            action=Action(
                ActionKind.CONTACT_COMPLIANCE,
                "Read the label off the package again. If it is right, set the goods aside and call compliance: "
                "goods without a manifest may not be sold.",
            ),
            evidence=(said, quote(e.pos_rows, "no row with this label"), counted),
            confidence=Confidence.LIKELY,
        )
    ]


def _pos_only(case: Case, rows: tuple[PosPackage, ...]) -> list[Finding]:
    """The POS holds the label and METRC knows nothing of it."""
    e = case.evidence
    if _is_elsewhere(e):
        return []
    twin = _true_label(e, rows[0])
    typed = not is_well_formed(case.label)
    said = quote(e.package, "METRC knows no such label at this license")
    held = Quote(
        "pos", rows[0].where, rows[0].as_of, f"{plain(rows[0].quantity)} {rows[0].unit} of “{rows[0].product_name}”"
    )
    if twin is None and not typed:
        return [_unknown_label(case, said, held)] if _searched(e) and not made_in_pos(e) else []
    return [_typed_label(case, twin, said, held)]


def _typed_label(case: Case, twin: Sighting | None, said: Quote, held: Quote) -> Finding:
    e = case.evidence
    if twin is not None:
        headline = f"The POS has the label mistyped: METRC knows {twin.label}, not {case.label}."
        text = f"Retire the POS row, import {twin.label} and carry the count over, in the POS only."
        seen = (Quote("metrc", e.near.asked, e.near.as_of, f"{twin.label}: “{twin.item}”"),) if e.near else ()
    else:
        headline = f"The label in the POS cannot be right: {_odd(case.label)}."
        text = "Read the label off the package, retire the POS row and import the true label, in the POS only."
        seen = ()
    code = "mapping.label-mistyped"
    return Finding(
        code=code,
        cause=Cause.MAPPING,
        headline=headline,
        action=Action(ActionKind.FIX_POS_RECORD, text),
        evidence=(said, held, *seen),
        shares=share(code, pos_before(case), f"pos package {case.label}", rest=True),
        related=(twin.label,) if twin else (),
        brings_about=("failed_post.refused", "failed_post.never-posted"),
        confidence=Confidence.CERTAIN if twin else Confidence.LIKELY,
    )


def _unknown_label(case: Case, said: Quote, held: Quote) -> Finding:
    code = "mapping.label-unknown"
    return Finding(
        code=code,
        cause=Cause.MAPPING,
        headline="METRC does not know this label at this license, and no label like it.",
        action=Action(
            ActionKind.FIX_POS_RECORD,
            "Compare the label on the package with the POS row and its manifest; correct the POS row, not the count.",
        ),
        evidence=(said, held),
        shares=share(code, pos_before(case), f"pos package {case.label}", rest=True),
        brings_about=("failed_post.refused", "failed_post.never-posted"),
        confidence=Confidence.POSSIBLE,
    )


def _true_label(e: Evidence, row: PosPackage) -> Sighting | None:
    """The one near label that is alive in METRC, unknown to the POS, and of the same product."""
    near = [s for s in (e.near.value if e.near else None) or () if not s.in_pos]
    fitting = [
        s
        for s in near
        if s.item is None or _same_product(row.product_name, s.item) or _same_name(row.metrc_item, s.item)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _may_mean(typed: str, label: str) -> bool:
    """Whether a row's label cannot be METRC's own and may be this one. Read as digits it may name another outright."""
    meant = as_digits(typed)
    return not is_well_formed(typed) and (meant == label or not is_well_formed(meant))


def _metrc_only(case: Case) -> list[Finding]:
    """METRC holds the package and the POS has no row for it."""
    e = case.evidence
    package = e.package.value
    if package is None or not package.quantity:
        return []
    if _just_received(case) or e.pos_events.value or e.pos_sales.value or unrecorded_sources(e) or copied_from(e):
        return []
    came = f"received {case.clock(package.received_at)}" if package.received_at else "made at this license"
    said = quote(e.package, f"{plain(package.quantity)} {package.unit}, {came}")
    typed = [row for row in e.pos_near if _may_mean(row.label, case.label)]
    typed += [row for row in e.pos_unheard if _is_of(row, package.item)]
    if typed:
        return [_mistyped_in_pos(case, typed[0], said)]
    code = "mapping.not-in-pos"
    return [
        Finding(
            code=code,
            cause=Cause.MAPPING,
            headline="METRC has this package; it was never built in the POS.",
            action=Action(
                ActionKind.FIX_MAPPING,
                f"Build or link the POS product for “{package.item.name}”, import the package, then refresh. "
                "Create no package in either system.",
            ),
            evidence=(said, quote(e.pos_rows, "no row with this label, no receive, no sale"), *_siblings(case)),
            shares=share(code, -package.quantity, f"metrc package {package.id}", rest=True),
            confidence=Confidence.LIKELY,
        )
    ]


def _siblings(case: Case) -> tuple[Quote, ...]:
    """The rest of the load is in the POS: then it is not the import that is late."""
    rows = case.evidence.pos_siblings
    labels = ", ".join(sorted({row.label for row in rows}))
    return (Quote("pos", rows[0].where, rows[0].as_of, f"of the same manifest the POS has {labels}"),) if rows else ()


def _is_of(row: PosPackage, item: MetrcItem) -> bool:
    """Whether the POS's row is of that METRC item, by its link or by its name."""
    return item.name is None or _same_name(row.metrc_item, item.name) or _same_product(row.product_name, item.name)


def _mistyped_in_pos(case: Case, row: PosPackage, said: Quote) -> Finding:
    code = "mapping.label-mistyped"
    quantity = metrc_side(case.evidence)
    return Finding(
        code=code,
        cause=Cause.MAPPING,
        headline=f"The POS holds this package under a mistyped label: {row.label}.",
        action=Action(
            ActionKind.FIX_POS_RECORD,
            f"Read the label off the package. If it is {case.label}, retire the POS row {row.label}, import the true label "
            "and carry the count over, in the POS only.",
        ),
        evidence=(said, Quote("pos", row.where, row.as_of, f"{row.label}: {plain(row.quantity)} {row.unit}")),
        shares=share(code, -quantity if quantity else None, f"pos package {row.label}", rest=True),
        related=(row.label,),
        confidence=Confidence.LIKELY,
    )


def _just_received(case: Case) -> bool:
    """A package received within one import interval is timing's, not ours."""
    package = case.evidence.package.value
    if package is None or package.received_at is None or case.evidence.pos_siblings:
        return False
    return case.now - package.received_at < timedelta(minutes=2 * case.evidence.shop.import_minutes)


def _is_elsewhere(e: Evidence) -> bool:
    """Whether METRC knows the label on a manifest or at another license: then custody tells where it is."""
    seen = e.elsewhere.value if e.elsewhere is not None else None
    return bool(sent_away(e) or arrived_elsewhere(e) or brought_here(e) or seen)


def _searched(e: Evidence) -> bool:
    """Whether the label was looked for everywhere it could be."""
    return not not_searched(e.transfers, e.transferred, e.near, e.elsewhere)


def _odd(label: str) -> str:
    if len(label) != LABEL_LENGTH:
        return f"it has {len(label)} characters, a METRC label has {LABEL_LENGTH}"
    letters = sorted(set(re.findall(r"[OIL]", label)))
    return f"it holds the letter {' and '.join(letters)} where labels have digits"


# --- units ------------------------------------------------------------------------------------------------------------


def _units(case: Case) -> list[Finding]:
    """A unit that METRC does not take for this package: in the stock row, or in the sales that failed for it."""
    e = case.evidence
    package = e.package.value
    if package is None or not package.unit:
        return []
    refused = [s for s in case.matched.having(Fate.REFUSED) if s.sale.unit and not same_unit(s.sale.unit, package.unit)]
    texts = [s.sale.message for s in refused]
    rows = [row for row in e.pos_rows.value or () if not same_unit(row.unit, package.unit)]
    # another unit is no fault by itself while it can be converted and the counts agree
    odd_rows = rows if pos_total(e) is None or _of_other_kind(case, rows, package.unit) else []
    if not odd_rows and not (refused and could_be(Blame.UNIT, texts)):
        return []
    unit = refused[0].sale.unit if refused else odd_rows[0].unit
    return [_wrong_unit(case, package.unit, unit or "another unit", refused, odd_rows)]


def _of_other_kind(case: Case, rows: list[PosPackage], unit: str) -> bool:
    """Whether the POS weighs what METRC counts, or the reverse, and the two do not agree."""
    differs = case.gap is not None and has_residue(case.gap, case.evidence)
    return differs and any(same_unit(row.unit, EACH) != same_unit(unit, EACH) for row in rows)


def _wrong_unit(case: Case, wanted: str, used: str, refused: list[PostedSale], rows: list[PosPackage]) -> Finding:
    e = case.evidence
    sales = [
        Quote("pos", s.sale.where, e.pos_sales.as_of, f"sale {s.sale.sale_id}: {s.sale.message}") for s in refused[:3]
    ]
    stock = [Quote("pos", row.where, row.as_of, f"stock in {row.unit}") for row in rows[:1]]
    told = bool(refused) and any(s.sale.message for s in refused)
    held = e.package.value is not None and e.package.value.is_held
    once = " once the hold is lifted" if held else ""
    again = f" Then resend the refused sales{once}, with their true times." if refused else " The count stays."
    return Finding(
        code="mapping.unit",
        cause=Cause.MAPPING,
        headline=f"The POS sells this package in {used}; METRC takes {wanted} for it.",
        action=Action(
            ActionKind.FIX_MAPPING,
            f"Set the POS product's unit to {wanted}.{again}",
        ),
        evidence=(quote(e.package, f"unit of measure: {wanted}"), *sales, *stock),
        brings_about=("failed_post.refused",) if refused else (),
        events=tuple(f"pos sale {s.sale.sale_id}" for s in refused),
        confidence=Confidence.CERTAIN if told or pos_total(e) is None else Confidence.LIKELY,
    )


# --- items ------------------------------------------------------------------------------------------------------------


def _items(case: Case) -> list[Finding]:
    e = case.evidence
    item, rows = metrc_item(e), e.pos_rows.value or ()
    if item is None:
        return []
    named = [r for r in rows if r.metrc_item and not _is_item(r.metrc_item, item)]
    if named:
        return [_other_item(case, item, named[0])]
    twins = _twin_products(case, item, rows)
    if twins:
        return twins
    filed = [r for r in rows if r.metrc_category and item.category and not _same_name(r.metrc_category, item.category)]
    if filed:
        return [_other_category(case, item, filed[0])]
    grown = [r for r in rows if _other_strain_is_stated(r.strain, item.strain)]
    return [_other_strain(case, item, grown[0])] if grown else []


def _other_strain_is_stated(ours: str | None, theirs: str | None) -> bool:
    """Whether both sides name a strain, and not the same one: the kind of plant behind a name is no part of it."""
    one, other = set(_words(ours or "")) - NO_STRAIN, set(_words(theirs or "")) - NO_STRAIN
    return bool(one and other) and one != other and not _same_name(ours, theirs)


def _is_item(cell: str, item: MetrcItem) -> bool:
    """Whether the POS's cell is this item, by its name or by METRC's id; an item without either may be any."""
    if cell.strip().isdecimal() and item.id is not None:
        return int(cell) == item.id or _same_name(cell, item.name)
    return item.name is None or _same_name(cell, item.name)


def _twin_products(case: Case, item: MetrcItem, rows: tuple[PosPackage, ...]) -> list[Finding]:
    """One METRC item, two products in the POS, as an import makes them that finds no product of the item's name."""
    if case.evidence.pos_twins:
        return [_on_the_wrong_twin(case, item, rows[0], case.evidence.pos_twins[0])]
    return _shared_by_twins(case, rows)


def _on_the_wrong_twin(case: Case, item: MetrcItem, row: PosPackage, twin: PosPackage) -> Finding:
    return Finding(
        code="mapping.twin-products",
        cause=Cause.MAPPING,
        headline=f"The POS has two products for METRC's “{item.name}”: this package is on “{row.product_name}”, "
        f"which is linked to no item; {twin.label} is on “{twin.product_name}”.",
        action=Action(
            ActionKind.FIX_MAPPING,
            f"Move the package to “{twin.product_name}”, or link its product to “{item.name}”, and retire the product that "
            "the import made. The count stays.",
        ),
        evidence=(
            quote(case.evidence.package, f"item “{item.name}”"),
            _linked(row, f"product “{row.product_name}”, linked to no METRC item"),
            _linked(twin, f"product “{twin.product_name}”, linked to “{twin.metrc_item}”"),
        ),
        brings_about=("failed_post.refused",) if (events := _blamed(case)) else (),
        events=events,
        related=(twin.label,),
        confidence=Confidence.LIKELY,
    )


def _shared_by_twins(case: Case, rows: tuple[PosPackage, ...]) -> list[Finding]:
    """Two products show the same stock of one package, which was received once: one of the two rows is too many."""
    code = "mapping.twin-products"
    receives = [event for event in case.evidence.pos_events.value or () if event.kind == "receive"]
    if len(rows) != 2 or not case.evidence.pos_events.was_read or len(receives) > 1 or case.gap is None:
        return []
    keep, twin = sorted(rows, key=lambda row: (not row.metrc_item, str(row.received_at or "~"), row.record_id))
    quantity = in_metrc_units(twin.quantity, twin.unit, case.evidence)
    products = {row.product_id or row.product_name for row in rows}
    if (
        len(products) != 2
        or keep.quantity != twin.quantity
        or not quantity
        or (case.gap.unexplained < quantity and not case.is_open)
    ):
        return []
    ref = f"pos row {twin.record_id}"
    if ref in case.idle:
        return []
    return [
        Finding(
            code=code,
            cause=Cause.MAPPING,
            headline=f"Two products of the POS show the same stock of this package: “{keep.product_name}” and "
            f"“{twin.product_name}” have {plain(twin.quantity)} each; it was received once.",
            action=Action(
                ActionKind.FIX_POS_RECORD,
                f"Keep the row of “{keep.product_name}”; take the stock off “{twin.product_name}” in the POS without "
                "telling METRC, and retire that product.",
            ),
            evidence=(
                _linked(keep, f"“{keep.product_name}”: {plain(keep.quantity)}"),
                _linked(twin, f"“{twin.product_name}”: {plain(twin.quantity)}"),
                quote(case.evidence.pos_events, f"{len(receives) or 'no'} receive{'' if len(receives) == 1 else 's'}"),
            ),
            shares=share(code, quantity, ref, rest=True),
            confidence=Confidence.LIKELY,
        )
    ]


def _other_item(case: Case, item: MetrcItem, row: PosPackage) -> Finding:
    return Finding(
        code="mapping.item",
        cause=Cause.MAPPING,
        headline=f"The POS links this package to the METRC item “{row.metrc_item}”; METRC says “{item.name}”.",
        action=Action(ActionKind.FIX_MAPPING, f"Link the POS product to “{item.name}”, then sync. The count stays."),
        evidence=(quote(case.evidence.package, f"item “{item.name}”"), _linked(row, f"linked to “{row.metrc_item}”")),
        brings_about=("failed_post.refused",) if (events := _blamed(case)) else (),
        events=events,
        confidence=Confidence.LIKELY,
    )


def _other_category(case: Case, item: MetrcItem, row: PosPackage) -> Finding:
    return Finding(
        code="mapping.category",
        cause=Cause.MAPPING,
        headline=f"METRC files this item under “{item.category}”; the POS still has “{row.metrc_category}”.",
        action=Action(
            ActionKind.FIX_MAPPING,
            "Bring the POS product to METRC's category by your state's route, then relink and resend what was refused.",
        ),
        evidence=(
            quote(case.evidence.package, f"category {item.category}"),
            _linked(row, f"category {row.metrc_category}"),
        ),
        brings_about=("failed_post.refused",) if (events := _blamed(case)) else (),
        events=events,
        confidence=Confidence.LIKELY,
    )


def _other_strain(case: Case, item: MetrcItem, row: PosPackage) -> Finding:
    return Finding(
        code="mapping.strain",
        cause=Cause.MAPPING,
        headline=f"The POS sells this package as strain “{row.strain}”; METRC's item is of “{item.strain}”.",
        action=Action(
            ActionKind.FIX_MAPPING,
            "Read the strain off the package and its test result, then correct the product in the POS, or have the item "
            "corrected in METRC by whoever made it. The count stays.",
        ),
        evidence=(
            quote(case.evidence.package, f"item “{item.name}”, strain {item.strain}"),
            _linked(row, f"strain {row.strain}"),
        ),
        confidence=Confidence.LIKELY,
    )


def _linked(row: PosPackage, says: str) -> Quote:
    return Quote("pos", row.where, row.as_of, says)


def _blamed(case: Case) -> tuple[str, ...]:
    """The refused sales that may have been refused for the item: the text says so, or no text says anything."""
    refused = case.matched.having(Fate.REFUSED)
    if not could_be(Blame.ITEM, (s.sale.message for s in refused)):
        return ()
    return tuple(f"pos sale {s.sale.sale_id}" for s in refused if blame(s.sale.message) in {Blame.ITEM, None})


def _link_is_known(rows: tuple[PosPackage, ...], item: MetrcItem) -> bool:
    """Whether the POS names METRC's item, or calls its product so nearly the same that no other can be meant."""
    return all(row.metrc_item or not item.name or _same_product(row.product_name, item.name) for row in rows)


def _same_name(one: str | None, other: str | None) -> bool:
    """Equal but for case, accents, punctuation and spaces; dashes and commas are retyped all the time."""
    if one is None or other is None:
        return False
    return _words(one) == _words(other) or _run_together(one) == _run_together(other)


def _same_product(pos_name: str, metrc_name: str) -> bool:
    """Whether most words of the POS's shorter name stand in METRC's longer one."""
    own, theirs = set(_words(pos_name)), set(_words(metrc_name))
    return bool(own) and 3 * len(own & theirs) >= 2 * len(own)


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    """Its words and numbers: ``.5`` is 0.5, ``1.0`` is 1, and an ampersand is a word."""
    plain_letters = "".join(c for c in normalize("NFKD", name.casefold()) if not combining(c)).replace("&", " and ")
    found = re.findall(r"\d+\.\d+|(?<!\w)\.\d+|\d+|[^\W\d_]+", plain_letters)
    return tuple(plain(Decimal(each)) if each[-1].isdecimal() else each for each in found)


def _run_together(name: str) -> str:
    """The same with neighbouring words as one (``Pre-Roll``, ``Preroll``), and a comma between digits as a point."""
    words = _words(re.sub(r"(?<=\d),(?=\d)", ".", name))
    return re.sub(r"(?<=[^\d ]) (?=[^\d ])", "", " ".join(words))


# --- sales and receipts that name different packages --------------------------------------------------------------------


def _on_other_labels(case: Case) -> list[Finding]:
    """Sales of this label whose receipts name another: the till and METRC took it off different packages."""
    moved = case.matched.having(Fate.POSTED_ELSEWHERE)
    if not moved:
        return []
    code = "mapping.sale-on-other-label"
    sale, receipt = moved[0].sale, moved[0].receipts[0]
    more = f" So with {len(moved) - 1} more." if len(moved) > 1 else ""
    return [
        Finding(
            code=code,
            cause=Cause.MAPPING,
            headline=f"The POS took sale {sale.sale_id} off this package; METRC's receipt {receipt.id} of it names "
            f"{' and '.join(_labels_on(receipt)[:3])}.{more}",
            action=Action(
                ActionKind.FIX_POS_RECORD,
                "Find out which package was handed over, then correct the sale where it names the other one: the line in "
                "the POS, or the receipt in METRC's sales screen. Do not send it again.",
            ),
            evidence=tuple(_receipt_says(case, s.receipts[0]) for s in moved[:5]),
            shares=tuple(entry for s in moved for entry in _moved(code, case, s)),
            must_not=(Forbidden.RESEND, Forbidden.REMOVE_RECORD),
            related=tuple(dict.fromkeys(label for s in moved for label in _labels_on(s.receipts[0]))),
        )
    ]


def _labels_on(receipt: MetrcReceipt) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.label for line in receipt.lines or () if line.archived_on is None))


def _moved(code: str, case: Case, posted: PostedSale) -> tuple[Share, ...]:
    sale = posted.sale
    taken = in_metrc_units(sale.quantity, sale.unit, case.evidence)
    refs = (_ref(posted.receipts[0]), f"pos sale {sale.sale_id}")
    return share(code, None if taken is None else -taken, *refs)


def _receipt_says(case: Case, receipt: MetrcReceipt) -> Quote:
    lines = ", ".join(f"{plain(line.quantity)} of {line.label}" for line in receipt.lines or ())
    says = f"receipt {receipt.id}: number {receipt.external_number}, {lines}"
    return Quote("metrc", f"GET /sales/v2/receipts/{receipt.id}", case.evidence.receipts.as_of, says)


def _stray_receipts(case: Case) -> list[Finding]:
    """Receipts on this label that the POS has no sale for, while it should; only where the difference needs them.

    Both sides may well agree on a sale that the POS's files lost.
    """
    e = case.evidence
    since, until = e.pos_sales_since, e.pos_sales_until
    if not e.pos_sales.was_read or since is None or until is None:
        return []
    found = find_twins(e.receipts.value or (), case.matched.all_sales, case.label, e.shop.time_zone).twins
    doubled = {r.id for twins in found for r in twins.remove}
    strays = [
        r
        for r in case.matched.orphans
        if r.id not in doubled and _ref(r) not in case.idle and r.sold_at is not None and since <= r.sold_at <= until
    ]
    return [_stray(case, strays)] if strays else []


def _stray_says(case: Case, receipt: MetrcReceipt) -> str:
    sold = f"sold {case.clock(receipt.sold_at)}" if receipt.sold_at else "no sale time"
    by = f", recorded by {receipt.recorded_by}" if receipt.recorded_by else ""
    return f"receipt {receipt.id}, {sold}, {plain(quantity_on(receipt, case.label))} of this package{by}"


def _ref(receipt: MetrcReceipt) -> str:
    return f"metrc receipt {receipt.id}"


def _stray(case: Case, strays: list[MetrcReceipt]) -> Finding:
    e = case.evidence
    code = "mapping.receipt-without-sale"
    numbers = {r.external_number for r in strays if r.external_number}
    other = [line for line in e.pos_other_lines if line.sale_id in numbers]
    where = f"; the POS has sale {other[0].sale_id} on {other[0].label}" if other else ""
    headline = f"METRC has receipt {strays[0].id} on this label, and the POS has no such sale{where}."
    number = (strays[0].external_number or "").strip()
    if any(sale.sale_id.strip().casefold() == number.casefold() for sale in case.matched.all_sales):
        headline = (
            f"METRC has one more receipt under sale {number}, {strays[0].id}, with other lines than the POS rang up."
        )
    return Finding(
        code=code,
        cause=Cause.MAPPING,
        headline=headline,
        action=Action(
            ActionKind.FIX_POS_RECORD,
            "Find the sale: rung up on another label, entered in METRC by hand, or lost in the POS. Correct it in the sale.",
        ),
        evidence=tuple(
            Quote("metrc", f"GET /sales/v2/receipts/{r.id}", e.receipts.as_of, _stray_says(case, r)) for r in strays[:5]
        ),
        shares=tuple(s for r in strays for s in share(code, quantity_on(r, case.label), _ref(r), whole=True)),
        must_not=(Forbidden.REMOVE_RECORD,),
        related=tuple(dict.fromkeys(line.label for line in other)),
        confidence=Confidence.LIKELY if other else Confidence.POSSIBLE,
    )
