"""An open lab is brought to the schema of this labkit, or read as it is.

Before a lab that is in use is changed, it is copied whole beside itself. It does not know what the
steps do, and takes no lock: the caller holds the gate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreDamaged, StoreError, StoreTooNew
from labkit.store import backup, migrate

if TYPE_CHECKING:
    import duckdb


def upgrade(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Apply what the lab at `path` still needs, after a copy of it. Raises as `migrate.check` does."""
    needed = migrate.check(connection, migrate.steps(), lab=path)
    if needed:
        if needed[0].version > 1:
            backup.before_upgrade(connection, path, needed[0].version)
        migrate.apply(connection, migrate.steps())


def check_readable(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether the lab's tables are those of this labkit, not another's that can be read all the same. Raises
    `StoreError` if it would have to be upgraded first."""
    try:
        needed = migrate.check(connection, migrate.steps(), lab=path)
    except (StoreTooNew, StoreDamaged):
        return False
    if needed:
        raise StoreError(
            f"{path.name} is not a lab that this labkit can read yet: it needs to be upgraded first."
        )
    return True
