"""A lab whose file can only be read, copied into memory, where its journals are folded.

So what a killed run left on a disk that is now read-only can be seen, and what is journalled while somebody
else holds the file. Row by row through Arrow, since a connection of this process may have the file open
already. It writes nothing and takes no gate: the caller has what there is of one.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.store import database, lab_identity, upgrade
from labkit.store.fold import Fold
from labkit.store.journal_directory import JournalDirectory
from labkit.store.journal_offsets import Offset, read_offsets
from labkit.store.reading import Reading

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

COPY_BYTES = 2**30
"""The largest file that is copied: that takes some seven seconds, and twice the memory, at each opening."""
_BATCH_ROWS = 10_000
_TABLES = "select table_name from duckdb_tables() where schema_name = 'log'"


def with_journals(
    stack: contextlib.ExitStack, reading: Reading, path: Path, folder: JournalDirectory
) -> Reading:
    """The lab at `path`, whose file can only be read: as it is, or in memory with what its journals have
    beyond it. Not where it is too large or cannot be copied. Raises `StoreError` if its schema is older."""
    # Another labkit's tables can be read all the same, but not be folded into.
    ours = upgrade.check_readable(reading.connection, path)
    offsets = read_offsets(reading.connection, folder) if ours else {}
    beyond = sum(
        max(0, status.st_size - offsets.get(name, Offset()).upto) for name, status in folder.journals()
    )
    reading = replace(reading, unfolded_bytes=beyond)
    wanted = ours and beyond and reading.fault is None
    return copied(stack, reading, path, folder) if wanted else reading


def of_journals(stack: contextlib.ExitStack, folder: JournalDirectory, why: str) -> Reading:
    """A lab whose file was not made yet, and can not be made: what its journals have."""
    connection = stack.enter_context(database.in_memory())
    fold(connection, folder)
    beyond = sum(status.st_size for _, status in folder.journals())
    return Reading(connection, beyond, why, in_memory=True)


def copied(stack: contextlib.ExitStack, reading: Reading, path: Path, folder: JournalDirectory) -> Reading:
    """The lab at `path` in memory with all that is in its journals, or the reading as it was, where that is
    too large or fails."""
    import duckdb
    import pyarrow as pa

    source = reading.connection
    with contextlib.ExitStack() as copying:
        try:
            if path.stat().st_size + database.log_bytes(path) > COPY_BYTES:
                return reading
            made = copying.enter_context(database.in_memory())
            # The copy is the same lab, and says so.
            made.execute("delete from log.schema_version")
            for (table,) in made.execute(_TABLES).fetchall():
                rows = source.execute(f"from log.{table}").to_arrow_reader(_BATCH_ROWS)
                made.register("labkit_rows", rows)
                made.execute(f"insert into log.{table} by name from labkit_rows")
                made.unregister("labkit_rows")
            fold(made, folder, lab=lab_identity.identity(made))
        except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
            log.warning("%s could not be copied into memory: %s", path.name, database.in_a_line(error))
            return reading
        stack.enter_context(copying.pop_all())
    return replace(reading, connection=made, in_memory=True)


def fold(
    connection: duckdb.DuckDBPyConnection,
    folder: JournalDirectory,
    *,
    process: str | None = None,
    lab: str | None = None,
) -> None:
    """Fold all journals, or those of one process or for one lab, into a lab in memory. Raises as `Fold.run`
    does."""
    offsets = read_offsets(connection, folder)
    Fold(connection, folder, offsets, process=process, lab=lab, puts_aside=False).run()
