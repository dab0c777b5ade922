"""The mirror, the POS's books and the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery_key",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_delivery_key"),
    )
    op.create_table(
        "diagnosis",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("asked_by", AutoString(), nullable=True),
        sa.Column("cause", AutoString(), nullable=False),
        sa.Column("code", AutoString(), nullable=True),
        sa.Column("body", AutoString(), nullable=False),
        sa.Column("evidence", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_diagnosis"),
    )
    op.create_index("ix_diagnosis_license_asked_at", "diagnosis", ["license", "asked_at"])
    op.create_index("ix_diagnosis_license_subject", "diagnosis", ["license", "subject"])

    op.create_table(
        "feed_coverage",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("feed", AutoString(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("license", "feed", name="pk_feed_coverage"),
    )
    op.create_table(
        "metrc_adjustment",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("fingerprint", AutoString(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("adjusted_on", sa.Date(), nullable=True),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "fingerprint", "ordinal", name="pk_metrc_adjustment"),
    )
    op.create_index("ix_metrc_adjustment_license_label", "metrc_adjustment", ["license", "label"])

    op.create_table(
        "metrc_delivery",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("sold_at", UTCDateTime(), nullable=True),
        sa.Column("recorded_at", UTCDateTime(), nullable=True),
        sa.Column("archived_on", sa.Date(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.Column("lines", AutoString(), nullable=True),
        sa.Column("lines_read_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("license", "metrc_id", name="pk_metrc_delivery"),
    )
    op.create_index("ix_metrc_delivery_license_sold_at", "metrc_delivery", ["license", "sold_at"])

    op.create_table(
        "metrc_item",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("name", AutoString(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "metrc_id", name="pk_metrc_item"),
    )
    op.create_index("ix_metrc_item_license_name", "metrc_item", ["license", "name"])

    op.create_table(
        "metrc_package",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("listing", AutoString(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "metrc_id", name="pk_metrc_package"),
    )
    op.create_index("ix_metrc_package_license_label", "metrc_package", ["license", "label"])

    op.create_table(
        "metrc_package_source",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("license", "label", "metrc_id", name="pk_metrc_package_source"),
    )
    op.create_table(
        "metrc_receipt",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("external_number", AutoString(), nullable=True),
        sa.Column("sold_at", UTCDateTime(), nullable=True),
        sa.Column("recorded_at", UTCDateTime(), nullable=True),
        sa.Column("archived_on", sa.Date(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.Column("lines", AutoString(), nullable=True),
        sa.Column("lines_read_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("license", "metrc_id", name="pk_metrc_receipt"),
    )
    op.create_index("ix_metrc_receipt_license_external_number", "metrc_receipt", ["license", "external_number"])
    op.create_index(
        "ix_metrc_receipt_license_lines_read_at_sold_at", "metrc_receipt", ["license", "lines_read_at", "sold_at"]
    )
    op.create_index("ix_metrc_receipt_license_sold_at", "metrc_receipt", ["license", "sold_at"])

    op.create_table(
        "metrc_receipt_line",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "metrc_id", "label", name="pk_metrc_receipt_line"),
    )
    op.create_index("ix_metrc_receipt_line_license_label", "metrc_receipt_line", ["license", "label"])

    op.create_table(
        "metrc_transfer",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("direction", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("manifest", AutoString(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.Column("packages", AutoString(), nullable=True),
        sa.Column("packages_read_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("license", "direction", "metrc_id", name="pk_metrc_transfer"),
    )
    op.create_index("ix_metrc_transfer_license_manifest", "metrc_transfer", ["license", "manifest"])
    op.create_index(
        "ix_metrc_transfer_license_packages_read_at_changed_at",
        "metrc_transfer",
        ["license", "packages_read_at", "changed_at"],
    )

    op.create_table(
        "metrc_transfer_package",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("direction", AutoString(), nullable=False),
        sa.Column("metrc_id", sa.BigInteger(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "direction", "metrc_id", "label", name="pk_metrc_transfer_package"),
    )
    op.create_index("ix_metrc_transfer_package_license_label", "metrc_transfer_package", ["license", "label"])

    op.create_table(
        "metrc_transferred",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("manifest", AutoString(), nullable=False),
        sa.Column("recipient", AutoString(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "label", "manifest", "recipient", name="pk_metrc_transferred"),
    )
    op.create_table(
        "pos_event",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("event_id", AutoString(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("happened_at", UTCDateTime(), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "event_id", "label", name="pk_pos_event"),
    )
    op.create_index("ix_pos_event_license_label", "pos_event", ["license", "label"])

    op.create_table(
        "pos_export",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("license", "kind", "name", "digest", name="pk_pos_export"),
    )
    op.create_index("ix_pos_export_license_kind_digest", "pos_export", ["license", "kind", "digest"])

    op.create_table(
        "pos_package",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("record_id", AutoString(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "ordinal", name="pk_pos_package"),
    )
    op.create_index("ix_pos_package_license_label", "pos_package", ["license", "label"])

    op.create_table(
        "pos_sale_line",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("sale_id", AutoString(), nullable=False),
        sa.Column("line_id", AutoString(), nullable=False),
        sa.Column("label", AutoString(), nullable=False),
        sa.Column("sold_at", UTCDateTime(), nullable=False),
        sa.Column("as_of", UTCDateTime(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("license", "sale_id", "line_id", name="pk_pos_sale_line"),
    )
    op.create_index("ix_pos_sale_line_license_label", "pos_sale_line", ["license", "label"])
    op.create_index("ix_pos_sale_line_license_sold_at", "pos_sale_line", ["license", "sold_at"])


def downgrade() -> None:
    for table in (
        "pos_sale_line",
        "pos_package",
        "pos_export",
        "pos_event",
        "metrc_transferred",
        "metrc_transfer_package",
        "metrc_transfer",
        "metrc_receipt_line",
        "metrc_receipt",
        "metrc_package_source",
        "metrc_package",
        "metrc_item",
        "metrc_delivery",
        "metrc_adjustment",
        "feed_coverage",
        "diagnosis",
        "delivery_key",
    ):
        op.drop_table(table)
