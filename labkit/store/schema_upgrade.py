"""Brings a server's or a service's tables to the newest schema, by a folder of Alembic's migrations.

It opens nothing and takes no lock: the caller does. What DuckDB's tables need is in `migrate`.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, found: str | None, *, migrations: Path) -> bool:
    """Apply what the database, which has schema `found`, lacks. False: no migration is known by that name, so
    a newer labkit wrote it."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        return False
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True
