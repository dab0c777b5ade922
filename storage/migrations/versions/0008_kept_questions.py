"""Questions are kept before they are acknowledged, and taken up again when their process has died."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_question",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.Column("kept_at", UTCDateTime(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("taken_up_at", UTCDateTime(), nullable=True),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_kept_question"),
    )
    op.create_index("ix_kept_question_done_at", "kept_question", ["done_at"])
    op.create_table(
        "listener",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_listener"),
    )
    op.add_column("inquiry", sa.Column("question_id", AutoString(), nullable=True))
    op.add_column("inquiry", sa.Column("progress", AutoString(), nullable=True))
    op.add_column("inquiry", sa.Column("told_at", UTCDateTime(), nullable=True))
    op.create_index("ix_inquiry_question_id", "inquiry", ["question_id"])


def downgrade() -> None:
    op.drop_index("ix_inquiry_question_id", "inquiry")
    for column in ("told_at", "progress", "question_id"):
        op.drop_column("inquiry", column)
    for table in ("listener", "kept_question"):
        op.drop_table(table)
