"""The POS's books of a whole shop, laid out so that what concerns one label is at hand. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final, TypeVar

from bot.errors import Problem, ProblemKind
from bot.gather import UNSETTLED, age_of, newest_first, product_keys, siblings_of
from bot.model import LABEL_LENGTH, PosBooks, PosEvent, PosPackage, PosSaleLine, Reading, RefusedRow, Submission
from bot.numbers import bare

T = TypeVar("T")

Product = tuple[str, str]
"""What tells a product among the POS's stock rows; see ``bot.gather.product_keys``."""

MOST_SIBLINGS: Final = 6
RARE: Final = 10
"""One in so many."""
MOST_REFUSED: Final = 20


class ShopBooks:
    """All books of one shop. What is only needed for labels that differ is laid out when it is first asked for."""

    def __init__(self, books: PosBooks) -> None:
        self.books = books
        self._rows = _grouped(books.inventory.value or (), lambda row: row.label)
        self._sales = _grouped(books.sales.value or (), lambda line: line.label)
        self._events = _grouped(books.events.value or (), lambda event: event.label)
        self.sales_until = max((line.sold_at for line in books.sales.value or ()), default=None)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every label that is in stock or has a sale that is not settled, in order."""
        open_sales = {line.label for line in self.books.sales.value or () if line.submission in UNSETTLED}
        return tuple(sorted([*self._rows, *(open_sales - self._rows.keys())]))

    @cached_property
    def sale_ids(self) -> frozenset[str]:
        """The number of every sale in the book."""
        return frozenset(line.sale_id for line in self.books.sales.value or ())

    @cached_property
    def oldest(self) -> datetime | None:
        """When the oldest of what is in stock was received."""
        return min((row.received_at for row in self.books.inventory.value or () if row.received_at), default=None)

    def knows(self, label: str) -> bool:
        """Whether any of the POS's books has this label."""
        return label in self._rows or label in self._sales or label in self._events

    def rows(self, label: str) -> tuple[PosPackage, ...]:
        """The stock rows of a label."""
        return tuple(self._rows.get(label, ()))

    def sales(self, label: str) -> tuple[PosSaleLine, ...]:
        """The sale lines of a label."""
        return tuple(self._sales.get(label, ()))

    def events(self, label: str) -> tuple[PosEvent, ...]:
        """The audit log of a label."""
        return tuple(self._events.get(label, ()))

    def lots_beside(self, label: str) -> tuple[PosPackage, ...]:
        """Rows of other lots of the label's product, as a single question would look at them."""
        keys = dict.fromkeys(key for row in self.rows(label) for key in product_keys(row))
        alike = heapq.merge(*(self._of_product[key] for key in keys), key=age_of, reverse=True)
        return siblings_of(label, alike, self._unsettled, self._in_several_rows)

    def of_item(self, item: str | None, beside: Sequence[PosPackage]) -> tuple[PosPackage, ...]:
        """Rows that name this METRC item in the unit of the given ones, in the stock list's order."""
        keys = {key for row in beside for key in product_keys(replace(row, product_id=None, metrc_item=item))}
        rows = {id(row): row for key in keys for row in self._of_product.get(key, ())}
        return tuple(rows.values())

    def sales_of(self, products: Mapping[Product, datetime]) -> set[str]:
        """The numbers of sales of any lot of these products, of each from its moment on."""
        return {
            line.sale_id
            for key, since in products.items()
            for row in self._of_product.get(key, ())
            for line in self._sales.get(row.label, ())
            if line.sold_at >= since
        }

    def products_in(self, number: str) -> set[Product]:
        """The products that were rung up in a sale, as far as they are in stock."""
        labels = {line.label for line in self._of_sale.get(number, ())}
        return {key for label in labels for row in self._rows.get(label, ()) for key in product_keys(row)}

    def about(
        self, label: str, *, manifest: str | None = None, near: Sequence[str] = (), numbers: Iterable[str] = ()
    ) -> PosBooks:
        """The books cut down to what can matter for one label.

        That is the label itself; a few rows of the manifest that METRC received it on; rows of ``near`` labels; and
        what else was rung up in its own sales and in those of the given ``numbers``.
        """
        rows = self.rows(label)
        beside = [row for row in self._of_manifest.get(bare(manifest), ()) if row.label != label] if manifest else []
        rows = (*rows, *beside[:MOST_SIBLINGS], *(row for other in near for row in self.rows(other)))
        ids = {line.sale_id for line in self.sales(label)} | set(numbers)
        lines = tuple(line for number in sorted(ids) for line in self._of_sale.get(number, ()))
        return replace(
            self.books,
            inventory=_with(self.books.inventory, rows),
            sales=_with(self.books.sales, lines),
            events=_with(self.books.events, self.events(label)),
            refused=self.refused(label),
        )

    def stock(self, label: str) -> Reading[tuple[PosPackage, ...]]:
        """The stock rows as a reading; rows that were refused and may be the label's make it incomplete."""
        rows = self.rows(label)
        return _cut(self.books.inventory, rows, self._lost("inventory", label, is_there=bool(rows)))

    def trade(self, label: str) -> Reading[tuple[PosSaleLine, ...]]:
        """The sale lines as a reading."""
        lines = self.sales(label)
        return _cut(self.books.sales, lines, self._lost("sales", label, is_there=bool(lines)))

    def log(self, label: str) -> Reading[tuple[PosEvent, ...]]:
        """The audit log as a reading."""
        return _cut(self.books.events, self.events(label), None)

    def has_open_sale(self, label: str) -> bool:
        """Whether by the POS's own word a sale may not have reached METRC, so that equal counts do not settle it."""
        return any(
            line.submission in self._open and not line.is_void and not line.receipt_id
            for line in self._sales.get(label, ())
        )

    @cached_property
    def _open(self) -> frozenset[Submission]:
        """To say nothing of a sale means something where the POS says of nearly all the others that they are reported."""
        count = Counter(line.submission for line in self.books.sales.value or () if not line.is_void)
        is_odd = RARE * count[Submission.UNKNOWN] <= count[Submission.REPORTED]
        return UNSETTLED | {Submission.UNKNOWN} if is_odd else UNSETTLED

    def is_torn(self, label: str) -> bool:
        """Whether a row that bears this label could not be used."""
        return label in self._refused

    def refused(self, label: str) -> tuple[RefusedRow, ...]:
        """Rows that could not be used and may be about this label."""
        return (*self._refused.get(label, ()), *self._refused.get("", ()))[:MOST_REFUSED]

    def _lost(self, kind: str, label: str, *, is_there: bool) -> Problem | None:
        """A refused row counts as "not readable", never as "not there"."""
        certain = self._refused.get(label, ())
        possible = () if is_there else self._refused.get("", ())
        lost = [row for row in (*certain, *possible) if not row.kept and _is_of(kind, row)]
        if not lost:
            return None
        return Problem(ProblemKind.UNREADABLE, f"{lost[0].file}, line {lost[0].line}: {lost[0].reason}")

    @cached_property
    def _refused(self) -> dict[str, list[RefusedRow]]:
        """Refused rows by their label; under the empty text those that may be anybody's."""
        return _grouped(self.books.refused, _whose)

    @cached_property
    def _of_product(self) -> dict[Product, list[PosPackage]]:
        groups: dict[Product, list[PosPackage]] = defaultdict(list)
        for row in newest_first(self.books.inventory.value or ()):
            for key in product_keys(row):
                groups[key].append(row)
        return groups

    @cached_property
    def _unsettled(self) -> frozenset[str]:
        return frozenset(line.label for line in self.books.sales.value or () if line.submission in UNSETTLED)

    @cached_property
    def _in_several_rows(self) -> frozenset[str]:
        return frozenset(label for label, rows in self._rows.items() if len(rows) > 1)

    @cached_property
    def _of_manifest(self) -> dict[str, list[PosPackage]]:
        return _grouped(self.books.inventory.value or (), lambda row: bare(row.manifest))

    @cached_property
    def _of_sale(self) -> dict[str, list[PosSaleLine]]:
        return _grouped(self.books.sales.value or (), lambda line: line.sale_id)


def _grouped(rows: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def _whose(row: RefusedRow) -> str:
    cell = (row.cell or "").strip().upper()
    return cell if len(cell) == LABEL_LENGTH and cell.isalnum() else ""


def _is_of(kind: str, row: RefusedRow) -> bool:
    return row.file.rsplit("/", 1)[-1].casefold().startswith(kind)


def _with(book: Reading[tuple[T, ...]], rows: tuple[T, ...]) -> Reading[tuple[T, ...]]:
    return replace(book, value=rows) if book.value is not None else book


def _cut(book: Reading[tuple[T, ...]], own: tuple[T, ...], lost: Problem | None) -> Reading[tuple[T, ...]]:
    value = own if book.value is not None else None
    return Reading(book.source, book.asked, book.as_of, value, book.problem or lost)
