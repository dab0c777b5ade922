"""Questions as they are asked in Slack, who joined them, what people said of the answers, and sweeps to leaf through."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inquiry",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("value", AutoString(), nullable=False),
        sa.Column("shelf", AutoString(), nullable=False),
        sa.Column("asked_by", AutoString(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("channel", AutoString(), nullable=True),
        sa.Column("thread", AutoString(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("diagnosis_id", AutoString(), nullable=True),
        sa.Column("cause", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inquiry"),
    )
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_inquiry_running",
        "inquiry",
        ["license", "kind", "value", "shelf"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    op.create_index("ix_inquiry_license_ended_at", "inquiry", ["license", "ended_at"])
    op.create_index("ix_inquiry_diagnosis_id", "inquiry", ["diagnosis_id"])
    op.create_table(
        "inquiry_asker",
        sa.Column("inquiry_id", AutoString(), nullable=False),
        sa.Column("person", AutoString(), nullable=False),
        sa.Column("joined_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("inquiry_id", "person", name="pk_inquiry_asker"),
    )
    op.create_table(
        "verdict",
        sa.Column("diagnosis_id", AutoString(), nullable=False),
        sa.Column("person", AutoString(), nullable=False),
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("is_right", sa.Boolean(), nullable=False),
        sa.Column("cause", AutoString(), nullable=True),
        sa.Column("note", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("diagnosis_id", "person", name="pk_verdict"),
    )
    op.create_table(
        "kept_sweep",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept_sweep"),
    )


def downgrade() -> None:
    for table in ("kept_sweep", "verdict", "inquiry_asker", "inquiry"):
        op.drop_table(table)
