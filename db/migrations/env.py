"""Alembic's environment: always handed a connection by db.migrate."""

from alembic import context

import db.tables  # noqa: F401  fills the metadata
from db.base import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
