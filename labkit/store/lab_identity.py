"""Which lab a process's journals are for: another that was put in its place gets nothing of them.

A lab is known by when it was made, so its copies and backups are the same lab. Beside a process's journals
lies a note of the lab that first folded them, `<process>.lab`. It does not know how journals are folded.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from labkit.errors import StoreDamaged
from labkit.store.journal_directory import JournalDirectory

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

_NOTE = ".lab"


def identity(connection: duckdb.DuckDBPyConnection) -> str:
    """What tells an open lab from others."""
    row = connection.execute(
        "select strftime(min(applied_at), '%Y%m%dT%H%M%S.%f') from log.schema_version"
    ).fetchone()
    return str(row[0]) if row else ""


def belongs(folder: JournalDirectory, process: str, lab: str) -> bool:
    """Whether a process's journals are for the lab of that identity. What is nobody's yet becomes so."""
    note = folder.path / f"{process}{_NOTE}"
    try:
        owner = note.read_text(encoding="ascii") if note.exists() else ""
        if not owner:
            note.write_text(lab, encoding="ascii")
            os.chmod(note, 0o600)
    except (OSError, UnicodeDecodeError):
        return True  # what cannot be noted is nobody's
    return owner in ("", lab)


def forget(folder: JournalDirectory, *, but: set[str] | frozenset[str] = frozenset()) -> None:
    """All journals `but` those of some processes become those of the lab that is opened next."""
    for note in folder.of_processes(_NOTE):
        if note.stem not in but:
            note.unlink(missing_ok=True)


def warn(folder: JournalDirectory, processes: set[str]) -> None:
    """Tell of processes whose journals are for another lab."""
    log.warning(
        "%s is not the lab for which %d processes wrote what lies in %s. That stays there: put their lab back"
        " under this name and open it, and it comes in.",
        folder.lab.name,
        len(processes),
        folder.path.name,
    )


def replaced(folder: JournalDirectory) -> StoreDamaged:
    """The error for a process whose lab was replaced."""
    return StoreDamaged(
        f"{folder.lab.name} was replaced by another lab since this process began to write. Its answers stay"
        f" in {folder.path.name}: put its lab back under this name and open it, and they come in. To work"
        " with the one that is there now, start a new kernel."
    )
