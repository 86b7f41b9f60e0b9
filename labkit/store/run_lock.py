"""One driver per run, and per plan: a lock held while it is asked, gone with the process that holds it.

It does not know what driving is.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import RunBusy
from labkit.store.file_locks import FileLock, holder, is_held
from labkit.store.journal_directory import JournalDirectory

LOOK_S = 0.5
"""Somebody who only looks whether a run is driven holds its lock for an instant."""


def lock_of(folder: JournalDirectory, run_id: str) -> Path:
    """The lock file of a run. An id that is no plain name goes by its hash."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,100}", run_id)
    name = (
        run_id
        if plain
        else "h" + hashlib.blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    )
    return folder.path / f"run-{name}.lock"


@contextlib.contextmanager
def driving(folder: JournalDirectory, run_id: str, *, called: str = "") -> Iterator[None]:
    """Be the only driver of a run, or of what is `called` so, for the length of a `with` block.

    Raises `RunBusy` naming the other.
    """
    folder.make()
    path = lock_of(folder, run_id)
    hold = FileLock.take(path, wait_s=LOOK_S)
    if hold is None:
        raise RunBusy(
            f"{called or f'Run {run_id}'} is driven by {holder(path)}. Wait for it or stop it there; "
            "its rows can be read meanwhile."
        )
    try:
        hold.sign()
        yield
    finally:
        hold.release(remove=True)


def is_driven(folder: JournalDirectory, run_id: str) -> bool:
    """Whether some process drives the run now."""
    return is_held(lock_of(folder, run_id))
