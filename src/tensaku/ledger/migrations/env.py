"""How Alembic runs here: on the connection and in the transaction that `tensaku.ledger.migrate` opened."""

from __future__ import annotations

from alembic import context

from tensaku.ledger.migrate import VERSION_TABLE
from tensaku.ledger.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite has no ALTER beyond the simplest: tables are rebuilt
)
context.run_migrations()
