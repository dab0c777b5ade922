"""What Alembic runs. The connection is handed in by ``storage.upgrade``, inside a transaction that spans all steps.

On SQLite too a step that dies halfway is rolled back, for that transaction was begun by hand, not by the driver.
"""

from alembic import context

from storage.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    compare_type=True,
)

with context.begin_transaction():
    context.run_migrations()
