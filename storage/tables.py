"""The tables. Every row belongs to one license, which is the first column of its key.

Columns are what is asked for; the rest of a record is its ``body``, the frozen value as JSON, in which decimals are text.
So quantities come back exactly as they went in, and none can be summed by the database, which would do it in floats.
``changed_at`` is METRC's ``LastModified``; the year 1970 where METRC tells none.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, MetaData, Table
from sqlmodel import Field, SQLModel

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """What all tables share: names of constraints that are the same on every database."""

    metadata = MetaData(naming_convention=NAMES)


# --- the mirror of METRC ----------------------------------------------------------------------------------------------


class PackageRow(Row, table=True):
    """A package as last seen in any list."""

    __tablename__ = "metrc_package"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    label: str
    listing: str | None
    changed_at: datetime
    read_at: datetime
    body: str


class PackageSourceRow(Row, table=True):
    """Which package names which label as a source."""

    __tablename__ = "metrc_package_source"

    license: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)


class ReceiptRow(Row, table=True):
    """A receipt. ``lines``: as last read; they hold true only while ``lines_read_at`` is set."""

    __tablename__ = "metrc_receipt"
    __table_args__ = (
        Index(None, "license", "external_number"),
        Index(None, "license", "sold_at"),
        Index(None, "license", "lines_read_at", "sold_at"),
    )

    license: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    external_number: str | None
    sold_at: datetime | None
    recorded_at: datetime | None
    archived_on: date | None
    changed_at: datetime
    read_at: datetime
    body: str
    lines: str | None = None
    lines_read_at: datetime | None = None


class ReceiptLineRow(Row, table=True):
    """Which receipt's lines name which label."""

    __tablename__ = "metrc_receipt_line"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    label: str = Field(primary_key=True)


class DeliveryRow(Row, table=True):
    """A sale by delivery; ``lines`` as for receipts, ``archived_on`` is the day it was voided."""

    __tablename__ = "metrc_delivery"
    __table_args__ = (Index(None, "license", "sold_at"),)

    license: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    sold_at: datetime | None
    recorded_at: datetime | None
    archived_on: date | None
    changed_at: datetime
    read_at: datetime
    body: str
    lines: str | None = None
    lines_read_at: datetime | None = None


class TransferRow(Row, table=True):
    """A manifest. METRC may list the same id as incoming and as outgoing, so the direction is part of the key."""

    __tablename__ = "metrc_transfer"
    __table_args__ = (
        Index(None, "license", "manifest"),
        Index(None, "license", "packages_read_at", "changed_at"),
    )

    license: str = Field(primary_key=True)
    direction: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    manifest: str
    changed_at: datetime
    read_at: datetime
    body: str
    packages: str | None = None
    packages_read_at: datetime | None = None


class TransferPackageRow(Row, table=True):
    """Which manifest carries which label."""

    __tablename__ = "metrc_transfer_package"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    direction: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    label: str = Field(primary_key=True)


class TransferredRow(Row, table=True):
    """A package shipped from here and received elsewhere. METRC's row has no time of change, so the later read wins."""

    __tablename__ = "metrc_transferred"

    license: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    manifest: str = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    changed_at: datetime
    body: str


class AdjustmentRow(Row, table=True):
    """An adjustment. METRC gives it no id: the key is what it says, and which one it is among equal ones."""

    __tablename__ = "metrc_adjustment"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    label: str
    adjusted_on: date | None
    read_at: datetime
    body: str


class ItemRow(Row, table=True):
    """An item."""

    __tablename__ = "metrc_item"
    __table_args__ = (Index(None, "license", "name"),)

    license: str = Field(primary_key=True)
    metrc_id: int = Field(primary_key=True, sa_type=BigInteger)
    name: str | None
    changed_at: datetime
    read_at: datetime
    body: str


class CoverageRow(Row, table=True):
    """The span that is held of one feed without a hole."""

    __tablename__ = "feed_coverage"

    license: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    starts_at: datetime
    ends_at: datetime
    read_at: datetime


# --- the POS ----------------------------------------------------------------------------------------------------------


class PosPackageRow(Row, table=True):
    """A row of the newest inventory; ``ordinal`` is its place in it, for two rows may bear one id."""

    __tablename__ = "pos_package"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    record_id: str
    label: str
    as_of: datetime
    body: str


class PosSaleLineRow(Row, table=True):
    """A line of a POS sale."""

    __tablename__ = "pos_sale_line"
    __table_args__ = (Index(None, "license", "label"), Index(None, "license", "sold_at"))

    license: str = Field(primary_key=True)
    sale_id: str = Field(primary_key=True)
    line_id: str = Field(primary_key=True)
    label: str
    sold_at: datetime
    as_of: datetime
    body: str


class PosEventRow(Row, table=True):
    """An entry of the POS's audit log. One receive has one id for all its labels, so the label is part of the key."""

    __tablename__ = "pos_event"
    __table_args__ = (Index(None, "license", "label"),)

    license: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    happened_at: datetime
    as_of: datetime
    body: str


class PosExportRow(Row, table=True):
    """A POS file that was accepted."""

    __tablename__ = "pos_export"
    __table_args__ = (Index(None, "license", "kind", "digest"),)

    license: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    rows: int
    as_of: datetime


# --- the ledger -------------------------------------------------------------------------------------------------------


class DiagnosisRow(Row, table=True):
    """An answer, with the evidence it rests on. Its id is asked for without a license."""

    __tablename__ = "diagnosis"
    __table_args__ = (Index(None, "license", "asked_at"), Index(None, "license", "subject"))

    id: str = Field(primary_key=True)
    license: str
    subject: str
    asked_at: datetime
    asked_by: str | None
    cause: str
    code: str | None
    body: str
    evidence: str


class DeliveryKeyRow(Row, table=True):
    """A delivery (from Slack, from the clock) that was taken on; whoever inserts the row does the work."""

    __tablename__ = "delivery_key"

    key: str = Field(primary_key=True)
    first_seen_at: datetime


def table_of(model: type[Row]) -> Table:
    """The table behind a row class."""
    return Row.metadata.tables[str(model.__tablename__)]
