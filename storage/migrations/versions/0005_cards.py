"""Where the cards of a removal are: one in each thread that asked, instead of the one that the removal itself named."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removal_card",
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("message", AutoString(), nullable=False),
        sa.Column("thread", AutoString(), nullable=True),
        sa.Column("removal_id", AutoString(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "message", name="pk_removal_card"),
    )
    op.create_index("ix_removal_card_removal_id", "removal_card", ["removal_id"])
    op.execute(
        "INSERT INTO removal_card (channel, message, removal_id, shown) "
        "SELECT channel, message, id, shown FROM removal WHERE channel IS NOT NULL AND message IS NOT NULL"
    )
    for column in ("channel", "message", "shown"):
        op.execute(f"ALTER TABLE removal DROP COLUMN {column}")


def downgrade() -> None:
    op.add_column("removal", sa.Column("channel", AutoString(), nullable=True))
    op.add_column("removal", sa.Column("message", AutoString(), nullable=True))
    op.add_column("removal", sa.Column("shown", sa.Integer(), nullable=False, server_default="0"))
    op.drop_table("removal_card")
