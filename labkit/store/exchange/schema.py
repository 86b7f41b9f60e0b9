"""The schema of a shared lab: looked at when a connection opens, and made or brought up to date by Alembic's
migrations, beside this.

A newer one is read and never written. It does not know lines.
"""

from __future__ import annotations

from pathlib import Path

from labkit.errors import StoreAway, StoreError, StoreTooNew
from labkit.store.exchange.address import Address
from labkit.store.exchange.connection import Connection, connect
from labkit.store.exchange.failures import SENT_LATER

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA = "0003"
"""The newest of the migrations."""

VERSION_SCHEMA, VERSION_TABLE = "labkit_log", "schema_version"
"""Where Alembic notes what was applied."""
_MIGRATING = 7205759403792795
_STATE = (
    "select to_regclass('labkit_log.schema_version') is not null, getdatabaseencoding(),"
    " current_setting('transaction_read_only') = 'on'"
)
_MAY_WRITE = (
    "select has_table_privilege('labkit_log.generations', 'INSERT')"
    " and has_table_privilege('labkit_log.senders', 'INSERT')"
    " and has_table_privilege('labkit_log.prompt_numbers', 'INSERT')"
    " and has_database_privilege(current_database(), 'TEMP')"
)


def made_ready(connection: Connection, address: Address, *, machine: str) -> StoreError | None:
    """See that the tables are there, and make or migrate them where they are older. Gives the error for
    whoever writes where the lab can be read alone; None: it can be written.

    Raises `StoreError` for a database that cannot hold a lab, `StoreAway` where its tables cannot be made
    now, and what psycopg raises.
    """
    found, encoding, only_reads = _look(connection)
    if encoding != "UTF8":
        raise StoreError(
            f"The database {address.shown} has the encoding {encoding}, which cannot hold every text. Make"
            " one with: create database NAME encoding 'UTF8' template template0."
        )
    if only_reads and found is None:
        raise StoreAway(f"{address.shown} only reads now, and has no tables of labkit yet. {SENT_LATER}")
    if only_reads:
        return StoreAway(f"{address.shown} only reads now, as a standby does. {SENT_LATER}")
    if found != SCHEMA and not _migrate(address, machine=machine):
        return StoreTooNew(
            f"{address.shown} has schema {found}, this labkit knows {SCHEMA}: it can be read, not written."
            " Install a newer labkit."
        )
    (may_write,) = connection.execute(_MAY_WRITE).fetchone() or (False,)
    connection.commit()
    if may_write:
        return None
    return StoreError(
        f"The user of {address.shown} may read it, not write. Ask whoever keeps it for the right to insert."
    )


def _look(connection: Connection) -> tuple[str | None, str, bool]:
    has_versions, encoding, only_reads = connection.execute(_STATE).fetchone() or (False, "", False)
    row = None
    if has_versions:
        row = connection.execute("select version_num from labkit_log.schema_version").fetchone()
    connection.commit()
    return row[0] if row else None, encoding, only_reads


def _migrate(address: Address, *, machine: str) -> bool:
    """Over a connection of its own. False: a newer labkit wrote the schema."""
    # These take most of a second to import, and a lab needs them once.
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    from labkit.store.schema_upgrade import upgrade

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(address, machine=machine), poolclass=NullPool
    )
    with engine.connect() as db, db.begin():
        # Whoever comes second waits, and then finds it done.
        db.execute(text(f"select pg_advisory_xact_lock({_MIGRATING})"))
        if not db.scalar(text("select to_regnamespace('labkit_log') is not null")):
            db.execute(text("create schema labkit_log"))
        made = db.scalar(text("select to_regclass('labkit_log.schema_version') is not null"))
        found = db.scalar(text("select version_num from labkit_log.schema_version")) if made else None
        return upgrade(db, found, migrations=MIGRATIONS)
