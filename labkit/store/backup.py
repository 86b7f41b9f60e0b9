"""Copies of a lab: one DuckDB file, or Parquet files with the SQL that loads them.

Made by DuckDB itself from an open connection, never by copying the file: opening and closing the file
by other means drops the locks this process has on it. It takes no gate: the caller holds it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreError
from labkit.paths import shown
from labkit.store import path_check
from labkit.store.database import STORAGE_VERSION, name, text
from labkit.store.journal_directory import put_in_place

if TYPE_CHECKING:
    import duckdb


def copy(connection: duckdb.DuckDBPyConnection, target: Path) -> Path:
    """Copy the open lab into a new file, which is there complete or not at all. The path must be free."""
    import duckdb

    path_check.check_name(target)
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists():
            raise StoreError(f"{shown(target)} is there already. Choose a free path for the copy.")
        part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The copy {shown(target)} could not be made: {error.strerror}.") from None
    row = connection.execute("select current_database()").fetchone()
    assert row is not None
    attached = False
    try:
        connection.execute(
            f"attach {text(part)} as labkit_copy (read_write, storage_version '{STORAGE_VERSION}')"
        )
        attached = True
        os.chmod(part, 0o600)
        connection.execute(f"copy from database {name(row[0])} to labkit_copy")
        # Detaching does not write the log into the file where the lab's own settings say so.
        connection.execute("checkpoint labkit_copy")
        connection.execute("detach labkit_copy")
        attached = False
        put_in_place(part, target)
    except (duckdb.Error, OSError, UnicodeError) as error:
        raise StoreError(f"The copy {shown(target)} could not be made: {error}") from None
    finally:
        if attached:
            connection.execute("detach labkit_copy")
        part.unlink(missing_ok=True)
    return target


def before_upgrade(connection: duckdb.DuckDBPyConnection, lab: Path, version: int) -> Path:
    """The copy that is made, beside the lab, before its schema is changed."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    return copy(connection, lab.with_name(f"{lab.stem}.before-{version:03d}-{moment}{lab.suffix}"))


def export(connection: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    """Every table as Parquet in a new or empty folder, with `schema.sql` and `load.sql`.

    `import database 'folder'` in an empty DuckDB loads it again.
    """
    import duckdb

    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StoreError(
                f"{shown(folder)} is there already and not empty. Choose a new folder for the export."
            )
        folder.mkdir(mode=0o700, exist_ok=True)
        connection.execute(f"export database {text(folder)} (format parquet)")
        load = folder / "load.sql"
        # DuckDB writes the folder's absolute path into it; without that the export can be moved.
        statements = load.read_text(encoding="utf-8").replace(text(folder)[:-1] + "/", "'")
        load.write_text(statements, encoding="utf-8")
        for file in folder.iterdir():
            os.chmod(file, 0o600)
    except (duckdb.Error, OSError, UnicodeError) as error:
        raise StoreError(f"The lab could not be exported to {shown(folder)}: {error}") from None
    return folder
