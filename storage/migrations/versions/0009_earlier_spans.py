"""What is held of a feed before a hole is remembered, so that only the hole is read again."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_coverage", sa.Column("earlier", AutoString(), nullable=True))


def downgrade() -> None:
    op.drop_column("feed_coverage", "earlier")
