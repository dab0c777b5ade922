"""A whole shop as files: every label with its cause as CSV, and a report to print. Pure."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot.settings import FacilitySettings
from bot.sweep_groups import ALONE, Figures, Group, Sweep
from bot.units import plain
from handlers.render import words
from handlers.render.blocks import one_line

COLUMNS: Final = (
    *("package", "product", "pos", "metrc", "difference", "unit"),
    *("cause", "code", "headline", "shared", "do", "not_before", "license"),
)

# what a spreadsheet would take for a formula
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_STYLE: Final = """
body { font: 11pt/1.4 system-ui, sans-serif; color: #111; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; } dt { color: #555; }
dd { margin: 0; } table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .5rem;
border-bottom: 1px solid #ccc; vertical-align: top; } code { font-size: .9em; word-break: break-all; }
tr { break-inside: avoid; } table { font-size: .85em; margin-top: .4rem; }
@media print { body { margin: 0; max-width: none; } a { color: inherit; } }
"""


def as_csv(sweep: Sweep, facility: FacilitySettings) -> bytes:
    """One row a label, the widest cause first. Nothing in it is taken for a formula; UTF-8 with a byte-order mark.

    Quantities are plain numbers, so that they can be added up.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for group in sweep.groups:
        shared = _shared(group, facility)
        writer.writerows([safe(label), *_figures(figures), *shared] for label, figures in group.lines())
    # Excel reads UTF-8 only with the mark
    return out.getvalue().encode("utf-8-sig", "replace")


def _figures(figures: Figures | None) -> list[str]:
    if figures is None:
        return [""] * 5
    counted = (figures.pos, figures.metrc, figures.difference)
    return [safe(figures.product), *(plain(each) if each is not None else "" for each in counted), safe(figures.unit)]


def _shared(group: Group, facility: FacilitySettings) -> list[str]:
    waits = group.action.not_before
    until = waits.astimezone(facility.zone).isoformat(timespec="minutes") if waits else ""
    texts = (group.cause.value, group.code or "", group.headline, group.common, group.action.text, until)
    return [safe(text) for text in (*texts, facility.license)]


def safe(text: str) -> str:
    """A cell that a spreadsheet shows as it is: one line, and never a formula."""
    plain = one_line(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def as_html(sweep: Sweep, facility: FacilitySettings, at: datetime) -> bytes:
    """A page of its own that can be printed: no script, nothing from elsewhere."""
    body = "\n".join(_report(sweep, facility, at))
    title = html.escape(f"{facility.name}, {facility.license}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n'
    )
    return page.encode("utf-8", "replace")


def _report(sweep: Sweep, facility: FacilitySettings, at: datetime) -> Iterator[str]:
    local = at.astimezone(facility.zone)
    when = f"{local:%Y-%m-%d %H:%M} {local.tzname() or ''}".strip()
    yield f"<h1>{_text(words.report_heading(facility.name))}</h1>"
    yield "<dl>"
    yield from _terms(words.REPORT_LICENSE, facility.license, words.REPORT_AS_OF, when)
    yield from _terms(words.REPORT_PACKAGES, f"{sweep.packages:,}", words.REPORT_AGREE, f"{sweep.agree:,}")
    apart = ((words.REPORT_IDLE, sweep.idle), (words.REPORT_UNREAD, sweep.unread))
    yield from (line for term, count in apart if count for line in _terms(term, f"{count:,}"))
    yield from _terms(words.REPORT_CAUSES, f"{len(sweep.groups):,}")
    yield "</dl>"
    for number, group in enumerate(sweep.groups, 1):
        yield from _section(number, group, facility)
    yield f"<p>{_text(words.REPORT_READ_ONLY)}</p>"


def _section(number: int, group: Group, facility: FacilitySettings) -> Iterator[str]:
    yield f"<section><h2>{number}. {_text(group.headline)}</h2><dl>"
    if group.common != ALONE:
        yield from _terms(words.REPORT_SHARED, group.common)
    yield from _terms(words.REPORT_DO, group.action.text)
    if group.action.not_before is not None:
        local = group.action.not_before.astimezone(facility.zone)
        yield from _terms(words.REPORT_NOT_BEFORE, f"{local:%Y-%m-%d %H:%M} {local.tzname() or ''}")
    if group.code:
        yield from _terms(words.REPORT_CODE, group.code)
    total = words.totals(group.difference)
    if total:
        yield from _terms(words.DIFFERENCE, total)
    yield from _terms(words.REPORT_LABELS, f"{len(group.labels):,}")
    yield "</dl><table><tr>" + "".join(f"<th>{_text(name)}</th>" for name in words.REPORT_COLUMNS) + "</tr>"
    yield from (_row(label, figures) for label, figures in group.lines())
    yield "</table></section>"


def _row(label: str, figures: Figures | None) -> str:
    told = ["", "", "", ""]
    if figures is not None:
        unit = f" {figures.unit}" if figures.unit else ""
        counted = [_counted(each, unit) for each in (figures.pos, figures.metrc)]
        difference = f"{words.signed(figures.difference)}{unit}" if figures.difference is not None else ""
        told = [figures.product, *(counted if figures.unit else ["", ""]), difference]
    return f"<tr><td><code>{_text(label)}</code></td>" + "".join(f"<td>{_text(cell)}</td>" for cell in told) + "</tr>"


def _counted(quantity: Decimal | None, unit: str) -> str:
    return words.side(quantity) if quantity is None else f"{words.side(quantity)}{unit}"


def _terms(*pairs: str) -> Iterator[str]:
    for term, value in zip(pairs[::2], pairs[1::2], strict=True):
        yield f"<dt>{_text(term)}</dt><dd>{_text(value)}</dd>"


def _text(text: str) -> str:
    return html.escape(one_line(text))
