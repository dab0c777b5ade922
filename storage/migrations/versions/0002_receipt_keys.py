"""What receipts of one sale have in common, so that duplicates are found in the whole mirror at once."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from storage.keys import lines_key, moment_key, number_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AT_ONCE = 5000
KEYS = ("number_key", "moment_key", "lines_key")
BY_NUMBER = "ix_metrc_receipt_twins_by_number"
BY_MOMENT = "ix_metrc_receipt_twins_by_moment"
RECEIPTS = sa.table(
    "metrc_receipt",
    sa.column("license", AutoString()),
    sa.column("metrc_id", sa.BigInteger()),
    sa.column("external_number", AutoString()),
    sa.column("sold_at", UTCDateTime()),
    sa.column("archived_on", sa.Date()),
    sa.column("lines_read_at", UTCDateTime()),
    sa.column("body", AutoString()),
    sa.column("lines", AutoString()),
    *(sa.column(name, sa.BigInteger()) for name in KEYS),
)


def upgrade() -> None:
    for name in KEYS:
        op.add_column("metrc_receipt", sa.Column(name, sa.BigInteger(), nullable=True))
    _fill(op.get_bind())
    comparable = sa.text("lines_key IS NOT NULL")
    for name, keys in ((BY_NUMBER, ["number_key"]), (BY_MOMENT, ["moment_key", "number_key"])):
        columns = ["license", "lines_key", *keys]
        op.create_index(name, "metrc_receipt", columns, sqlite_where=comparable, postgresql_where=comparable)


def downgrade() -> None:
    for name in (BY_MOMENT, BY_NUMBER):
        op.drop_index(name, "metrc_receipt")
    for name in KEYS:
        op.drop_column("metrc_receipt", name)


def _fill(connection: sa.Connection) -> None:
    one = sa.and_(
        RECEIPTS.c.license == sa.bindparam("of_license"),
        RECEIPTS.c.metrc_id == sa.bindparam("of_id"),
    )
    statement = sa.update(RECEIPTS).where(one).values({name: sa.bindparam(name) for name in KEYS})
    for some in _pieces(connection):
        connection.execute(statement, [_keys(row) for row in some])


def _pieces(connection: sa.Connection) -> Iterator[list[sa.Row[Any]]]:
    """All rows by their key, some at a time: a cursor left open would see what is written beside it."""
    key = sa.tuple_(RECEIPTS.c.license, RECEIPTS.c.metrc_id)
    columns = [column for column in RECEIPTS.c if column.name not in KEYS]
    statement = sa.select(*columns).order_by(RECEIPTS.c.license, RECEIPTS.c.metrc_id).limit(AT_ONCE)
    some = list(connection.execute(statement))
    while some:
        yield some
        last = sa.tuple_(sa.literal(some[-1].license), sa.literal(some[-1].metrc_id))
        some = list(connection.execute(statement.where(key > last)))


def _keys(row: sa.Row[Any]) -> dict[str, Any]:
    total = json.loads(row.body).get("total_price")
    lines = "[]" if row.archived_on or not row.lines_read_at else row.lines
    return {
        "of_license": row.license,
        "of_id": row.metrc_id,
        "number_key": number_key(row.external_number),
        "moment_key": moment_key(row.sold_at, None if total is None else Decimal(total)),
        "lines_key": lines_key(_living(json.loads(lines))),
    }


def _living(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Decimal, str | None]]:
    return ((one["label"], Decimal(one["quantity"]), one["unit"]) for one in lines if one["archived_on"] is None)
