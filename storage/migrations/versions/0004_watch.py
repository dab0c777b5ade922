"""Alerts, what is to be said about them, the clock's slots, and what a round of monitors remembers."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("channel", AutoString(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_closed_at", "alert", ["closed_at"])
    op.create_index(
        "ix_alert_key",
        "alert",
        ["key"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("alert", AutoString(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("what", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("ref", AutoString(), nullable=True),
        sa.Column("owner", AutoString(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("first_tried_at", UTCDateTime(), nullable=True),
        sa.Column("problem", AutoString(), nullable=True),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    op.create_index("ix_outbox_alert_seq", "outbox", ["alert", "seq"])
    op.create_index("ix_outbox_sent_at_not_before", "outbox", ["sent_at", "not_before"])
    op.create_table(
        "slot",
        sa.Column("job", AutoString(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("job", "starts_at", name="pk_slot"),
    )
    op.create_index("ix_slot_finished_at_lease_until", "slot", ["finished_at", "lease_until"])
    op.create_table(
        "watch_memory",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "name", name="pk_watch_memory"),
    )


def downgrade() -> None:
    for table in ("watch_memory", "slot", "outbox", "alert"):
        op.drop_table(table)
