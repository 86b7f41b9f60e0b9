"""Runs the migrations on the connection that the exchange opened; alembic loads it by its name."""

from alembic import context

from labkit.store.exchange.schema import VERSIONS

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSIONS.table,
    version_table_schema=VERSIONS.schema,
)
context.run_migrations()
