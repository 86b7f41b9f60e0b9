"""How far each journal is in the tables, as the tables themselves say.

An offset is written in the transaction that brings the lines, so the two never differ. It does not know
the journals' lines, nor who folds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from labkit.store.journal_directory import JournalDirectory, JournalName

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Offset:
    """How far a journal is in the tables."""

    upto: int = 0
    stamp: int = 0
    """The greatest stamp taken from it."""
    folded_at: datetime | None = None


def read_offsets(
    connection: duckdb.DuckDBPyConnection, folder: JournalDirectory
) -> dict[JournalName, Offset]:
    """How far the journals in the folder, and earlier ones of the same processes, are in the tables."""
    processes = sorted({name.process for name, _ in folder.journals()})
    if not processes:
        return {}
    rows = connection.execute(
        "select journal, max(upto), max(stamp), max(folded_at) from log.journals "
        "where process in (select unnest(?)) group by journal",
        [processes],
    ).fetchall()
    offsets = {JournalName.parse(journal): Offset(*offset) for journal, *offset in rows}
    return {name: offset for name, offset in offsets.items() if name is not None}
