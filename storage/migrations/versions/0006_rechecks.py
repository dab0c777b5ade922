"""Questions that are looked at again at a stated time, and answered in the thread that asked."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recheck",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("owner", AutoString(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("first_tried_at", UTCDateTime(), nullable=True),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recheck"),
    )
    op.create_index("ix_recheck_done_at_not_before", "recheck", ["done_at", "not_before"])


def downgrade() -> None:
    op.drop_table("recheck")
