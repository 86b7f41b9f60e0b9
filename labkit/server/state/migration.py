"""Brings a database of the service to the newest schema, by the migrations beside this. It opens nothing."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, found: str | None) -> bool:
    """Apply what the database, which has schema `found`, lacks. False: no migration is known by that name, so
    a newer labkit wrote it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        return False
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True
