"""Removes journals that are in the tables for good, and what processes that are gone left behind.

A journal goes only if nobody writes it any more, if the database as it was opened afresh shows all of
it, and if that fold was a while ago; never on the word of the fold itself. A program that opened the
lab without our gate can undo a fold: then the rows and the offset are gone together, and the journal,
which is still here, brings both back. Where the lab is shared, the server must have had it for a day, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labkit.store import lab_identity, sharing_state
from labkit.store.file_locks import FileLock, is_held
from labkit.store.journal_directory import JournalDirectory, JournalName
from labkit.store.journal_offsets import Offset

if TYPE_CHECKING:
    import duckdb

SETTLED_S = 10.0
"""A journal outlives its fold at least so long: another program that had read the database's head
before the fold, and then wrote it back, is done by then."""


def opened_afresh(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether this open read the file, rather than joining a connection that this process had already."""
    row = connection.execute("select count(*) from duckdb_connection_count() where count = 1").fetchone()
    return row is not None and row[0] == 1


def settled(offset: Offset) -> bool:
    """Whether its fold was long enough ago, by `offset` as a fresh open showed it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return offset.folded_at is not None and abs((now - offset.folded_at).total_seconds()) >= SETTLED_S


def sweep(folder: JournalDirectory, offsets: Mapping[JournalName, Offset], *, own: str | None = None) -> int:
    """Remove what may go, by `offsets` as a fresh open showed them; returns how many journals went.

    Those of a process that lives are left to it, so that it misses what others remove: `own` is this one.
    """
    removed = 0
    sharing = sharing_state.read(folder)
    journals = [name for name, _ in folder.journals()]
    last = {name.stream: name.number for name in journals}
    for name in journals:
        if (name.number == last[name.stream] or name.process != own) and is_held(
            folder.process_lock(name.process)
        ):
            continue
        path = folder.path / str(name)
        offset = offsets.get(name, Offset())
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            kept = sharing is not None and not name.received and not sharing.has(str(name), size)
            if size == 0 or (settled(offset) and size <= offset.upto and not kept):
                path.unlink()
                removed += 1
    _remove_locks(folder)
    return removed


def _remove_locks(folder: JournalDirectory) -> None:
    living = {name.process for name, _ in folder.journals()}
    lab_identity.forget(folder, but=living)
    for path in folder.of_processes(".lock"):
        if path.stem not in living:
            hold = FileLock.take(path)
            if hold is not None:
                hold.release(remove=True)
