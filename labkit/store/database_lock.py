"""The gate, a lock: whoever opens a lab's DuckDB file holds it, so that labkit's processes take turns.

DuckDB 2.0 reads a file's head before it locks it and so undoes other processes' commits; behind the
gate no version can. It does not know DuckDB itself: programs that open the file without it are
outside its power.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from labkit.errors import StoreLocked
from labkit.store.file_locks import FileLock, holder
from labkit.store.forking import opening
from labkit.store.journal_directory import JournalDirectory


@contextlib.contextmanager
def passed(folder: JournalDirectory, *, wait_s: float) -> Iterator[None]:
    """Hold the gate for the length of a `with` block.

    Raises `StoreLocked`, naming who holds it, after `wait_s`; `StoreError` or `OSError` where the folder
    cannot be written.
    """
    folder.make()
    hold = FileLock.take(folder.gate, wait_s=wait_s)
    if hold is None:
        raise StoreLocked(
            f"{folder.lab.name} is in use by {holder(folder.gate)}; waited {wait_s:g} s. "
            "If that process is suspended, continue or end it."
        )
    try:
        hold.sign()
        with opening():
            yield
    finally:
        hold.release()


def age_s(folder: JournalDirectory) -> float:
    """How long ago somebody passed the gate; infinite if never."""
    try:
        return abs(time.time() - folder.gate.stat().st_mtime)
    except OSError:
        return float("inf")
