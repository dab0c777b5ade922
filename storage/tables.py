"""The tables. Every row belongs to one license, which is the first column of its key.

Columns are what is asked for; the rest of a record is its ``body``, the frozen value as JSON, in which decimals are text.
So quantities come back exactly as they went in, and none can be summed by the database, which would do it in floats.
``changed_at`` is METRC's ``LastModified``; the year 1970 where METRC tells none.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, MetaData, Table, text
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
    __table_args__ = (Index(None, "license", "label"), Index(None, "license", "changed_at"))

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


# every column that is named here must be in the index, or SQLite looks each row up in the table
_COMPARABLE = text("lines_key IS NOT NULL")


class ReceiptRow(Row, table=True):
    """A receipt. ``lines``: as last read; they hold true only while ``lines_read_at`` is set.

    The keys are those of ``storage.keys``; ``lines_key`` is set while the receipt may have a twin: it is live, and its
    lines hold true. The search for duplicates walks the two indexes over the keys and little else.
    """

    __tablename__ = "metrc_receipt"
    __table_args__ = (
        Index(None, "license", "external_number"),
        Index(None, "license", "sold_at"),
        Index(None, "license", "lines_read_at", "sold_at"),
        Index(
            "ix_metrc_receipt_twins_by_number",
            *("license", "lines_key", "number_key"),
            sqlite_where=_COMPARABLE,
            postgresql_where=_COMPARABLE,
        ),
        Index(
            "ix_metrc_receipt_twins_by_moment",
            *("license", "lines_key", "moment_key", "number_key"),
            sqlite_where=_COMPARABLE,
            postgresql_where=_COMPARABLE,
        ),
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
    number_key: int | None = Field(default=None, sa_type=BigInteger)
    moment_key: int | None = Field(default=None, sa_type=BigInteger)
    lines_key: int | None = Field(default=None, sa_type=BigInteger)


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
    """The span that is held of one feed without a hole; ``earlier``: spans before holes, as JSON."""

    __tablename__ = "feed_coverage"

    license: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    starts_at: datetime
    ends_at: datetime
    read_at: datetime
    earlier: str | None = None


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


# --- removing a duplicate ---------------------------------------------------------------------------------------------


class RemovalRow(Row, table=True):
    """A removal that was proposed. Its id is pressed without a license."""

    __tablename__ = "removal"
    __table_args__ = (Index(None, "due_at"), Index(None, "license", "proposed_at"), Index(None, "license", "subject"))

    id: str = Field(primary_key=True)
    license: str
    subject: str
    state: str
    fence: int
    revision: int
    proposed_at: datetime
    due_at: datetime | None
    body: str


class RemovalCardRow(Row, table=True):
    """A message in Slack that shows a removal; each thread that asked has its own.

    ``thread``: the parent's ``ts``. ``shown``: which revision it shows.
    """

    __tablename__ = "removal_card"
    __table_args__ = (Index(None, "removal_id"),)

    channel: str = Field(primary_key=True)
    message: str = Field(primary_key=True)
    thread: str | None = None
    removal_id: str
    shown: int


class RemovalRecordRow(Row, table=True):
    """Which removal speaks of which record. The database itself allows one open removal a record."""

    __tablename__ = "removal_record"
    __table_args__ = (
        Index(
            "ix_removal_record_open",
            "license",
            "system",
            "kind",
            "record_id",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
        Index(None, "removal_id"),
    )

    license: str = Field(primary_key=True)
    system: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    removal_id: str = Field(primary_key=True)
    is_open: bool


class RemovalPressRow(Row, table=True):
    """A press of a button, kept before it is acknowledged; the id is the same for every repeat of it."""

    __tablename__ = "removal_press"
    __table_args__ = (Index(None, "is_answered", "pressed_at"),)

    id: str = Field(primary_key=True)
    removal_id: str
    verb: str
    person: str
    team: str
    reason: str
    pressed_at: datetime
    is_answered: bool = False


class AuditRow(Row, table=True):
    """A row of the audit log, exactly as ``bot.audit.Row`` has it. Triggers refuse to change or delete one."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "prev_hash", unique=True), Index(None, "intent"))

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: str
    event: str
    actor: str
    facility: str
    intent: str
    subject: str
    detail: str
    prev_hash: str
    hash: str


class AuditHeadRow(Row, table=True):
    """Where the log ends. Whoever appends holds this row, so that two never write the same number."""

    __tablename__ = "audit_head"

    name: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    hash: str


# --- the watch ---------------------------------------------------------------------------------------------------------


class AlertRow(Row, table=True):
    """An episode of an alert. Of one key only one episode is live, which the database itself holds."""

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            None,
            "key",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "closed_at"),
    )

    id: str = Field(primary_key=True)
    key: str
    kind: str
    state: str
    channel: str | None
    version: int
    closed_at: datetime | None
    body: str


class OutboxRow(Row, table=True):
    """A letter. ``lease_until``: until when one process has it in hand; ``fence`` grows with every claim."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "alert", "seq"), Index(None, "sent_at", "not_before"))

    key: str = Field(primary_key=True)
    alert: str
    seq: int
    what: str
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None = None
    ref: str | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    fence: int = 0
    first_tried_at: datetime | None = None
    problem: str | None = None
    body: str


class SlotRow(Row, table=True):
    """A piece of work that the clock proposed; whoever inserts the row, or finds its lease run out, does it."""

    __tablename__ = "slot"
    __table_args__ = (Index(None, "finished_at", "lease_until"),)

    job: str = Field(primary_key=True)
    starts_at: datetime = Field(primary_key=True)
    owner: str
    lease_until: datetime
    fence: int
    finished_at: datetime | None = None


class WatchMemoryRow(Row, table=True):
    """What a round remembers of a facility: the rights it had, what was already told, what it learned."""

    __tablename__ = "watch_memory"

    license: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    changed_at: datetime
    body: str


class RecheckRow(Row, table=True):
    """A question that is asked again at ``due_at``. ``not_before`` is later where it could not be answered then."""

    __tablename__ = "recheck"
    __table_args__ = (Index(None, "done_at", "not_before"),)

    id: str = Field(primary_key=True)
    due_at: datetime
    not_before: datetime
    done_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    fence: int = 0
    first_tried_at: datetime | None = None
    body: str


# --- questions in Slack -------------------------------------------------------------------------------------------------


class InquiryRow(Row, table=True):
    """A question. ``ended_at`` null: it is being answered, and of the same question only one is.

    ``question_id``: the delivery that asked it. ``told_at``: when its answer began to be told; ``progress``: the message
    that shows how far it is.
    """

    __tablename__ = "inquiry"
    __table_args__ = (
        Index(
            "ix_inquiry_running",
            *("license", "kind", "value", "shelf"),
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "license", "ended_at"),
        Index(None, "diagnosis_id"),
        Index(None, "question_id"),
    )

    id: str = Field(primary_key=True)
    license: str
    kind: str
    value: str
    shelf: str
    asked_by: str
    started_at: datetime
    channel: str | None = None
    thread: str | None = None
    ended_at: datetime | None = None
    diagnosis_id: str | None = None
    cause: str | None = None
    question_id: str | None = None
    progress: str | None = None
    told_at: datetime | None = None


class InquiryAskerRow(Row, table=True):
    """Who asked or joined a question."""

    __tablename__ = "inquiry_asker"

    inquiry_id: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    joined_at: datetime


class KeptQuestionRow(Row, table=True):
    """A question as it came in. ``done_at`` null: its answer is still owed."""

    __tablename__ = "kept_question"
    __table_args__ = (Index(None, "done_at"),)

    id: str = Field(primary_key=True)
    body: str
    kept_at: datetime
    owner: str
    taken_up_at: datetime | None = None
    done_at: datetime | None = None


class ListenerRow(Row, table=True):
    """A process that answers Slack, and when it last said that it lives."""

    __tablename__ = "listener"

    id: str = Field(primary_key=True)
    seen_at: datetime


class VerdictRow(Row, table=True):
    """What somebody said of an answer."""

    __tablename__ = "verdict"

    diagnosis_id: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    license: str
    at: datetime
    is_right: bool
    cause: str | None = None
    note: str


class KeptSweepRow(Row, table=True):
    """The groups of a whole shop, to be leafed through in Slack."""

    __tablename__ = "kept_sweep"

    id: str = Field(primary_key=True)
    license: str
    at: datetime
    body: str


def table_of(model: type[Row]) -> Table:
    """The table behind a row class."""
    return Row.metadata.tables[str(model.__tablename__)]
