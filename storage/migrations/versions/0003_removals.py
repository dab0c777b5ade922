"""Removals, the presses that decide them, and the audit log that nobody can rewrite."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REFUSAL = "the audit log is append-only"

_ON_SQLITE = (
    f"CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
)
_ON_POSTGRESQL = (
    (
        "CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    ),
    (
        "CREATE TRIGGER audit_entry_change BEFORE UPDATE OR DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse()"
    ),
    (
        "CREATE TRIGGER audit_entry_empty BEFORE TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse()"
    ),
)


def upgrade() -> None:
    op.create_table(
        "removal",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("proposed_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("channel", AutoString(), nullable=True),
        sa.Column("message", AutoString(), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("body", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removal"),
    )
    op.create_index("ix_removal_due_at", "removal", ["due_at"])
    op.create_index("ix_removal_license_proposed_at", "removal", ["license", "proposed_at"])
    op.create_index("ix_removal_license_subject", "removal", ["license", "subject"])

    op.create_table(
        "removal_record",
        sa.Column("license", AutoString(), nullable=False),
        sa.Column("system", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("record_id", AutoString(), nullable=False),
        sa.Column("removal_id", AutoString(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("license", "system", "kind", "record_id", "removal_id", name="pk_removal_record"),
    )
    op.create_index(
        "ix_removal_record_open",
        "removal_record",
        ["license", "system", "kind", "record_id"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_index("ix_removal_record_removal_id", "removal_record", ["removal_id"])

    op.create_table(
        "removal_press",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("removal_id", AutoString(), nullable=False),
        sa.Column("verb", AutoString(), nullable=False),
        sa.Column("person", AutoString(), nullable=False),
        sa.Column("team", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("pressed_at", UTCDateTime(), nullable=False),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removal_press"),
    )
    op.create_index("ix_removal_press_is_answered_pressed_at", "removal_press", ["is_answered", "pressed_at"])

    op.create_table(
        "audit_head",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audit_head"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", AutoString(), nullable=False),
        sa.Column("event", AutoString(), nullable=False),
        sa.Column("actor", AutoString(), nullable=False),
        sa.Column("facility", AutoString(), nullable=False),
        sa.Column("intent", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("detail", AutoString(), nullable=False),
        sa.Column("prev_hash", AutoString(), nullable=False),
        sa.Column("hash", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_intent", "audit_entry", ["intent"])
    op.create_index("ix_audit_entry_prev_hash", "audit_entry", ["prev_hash"], unique=True)
    for statement in _ON_SQLITE if _is_sqlite() else _ON_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    for table in ("audit_entry", "audit_head", "removal_press", "removal_record", "removal"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION audit_entry_refuse()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
