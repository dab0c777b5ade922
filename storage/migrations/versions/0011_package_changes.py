"""The newest change of a shop's packages is found without looking at all of them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEX = "ix_metrc_package_license_changed_at"


def upgrade() -> None:
    op.create_index(INDEX, "metrc_package", ["license", "changed_at"])


def downgrade() -> None:
    op.drop_index(INDEX, "metrc_package")
