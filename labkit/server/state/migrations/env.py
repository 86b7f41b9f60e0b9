"""Runs the migrations on the connection that the service opened; alembic loads it by its name."""

from alembic import context

from labkit.server.state.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
