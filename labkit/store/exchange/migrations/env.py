"""Runs the migrations on the connection that the exchange opened; alembic loads it by its name."""

from alembic import context

from labkit.store.exchange.schema import VERSION_SCHEMA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=VERSION_SCHEMA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
