"""``INSERT OR REPLACE`` takes a row of the audit log away without asking SQLite's rule against DELETE; now it is refused."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_GUARD = """
CREATE TRIGGER audit_entry_replace BEFORE INSERT ON audit_entry
WHEN EXISTS (SELECT 1 FROM audit_entry WHERE seq = NEW.seq OR prev_hash = NEW.prev_hash)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""


def upgrade() -> None:
    if _is_sqlite():
        op.execute(_GUARD)


def downgrade() -> None:
    if _is_sqlite():
        op.execute("DROP TRIGGER audit_entry_replace")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
