"""Paths at which no lab can lie: another program's file, a folder, a file of two names, what DuckDB would
take for a query or for a name of its own.

What lies there is looked at and left as it is. It does not use DuckDB: whether a DuckDB file is a lab
is told by its schema (see `migrate`).
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

from labkit.errors import StoreError
from labkit.paths import shown
from labkit.store.journal_directory import JournalDirectory

_HEAD = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read(16))"
_DUCKDBS_OWN = ("main", "system", "temp")
_known_files: set[tuple[int, int]] = set()


def check(path: Path) -> None:
    """Raise `StoreError` for a folder, or a file that DuckDB would take for another program's.

    For a SQLite file DuckDB would fetch an extension from the network. The file's head is read by a
    child process: closing a file drops every lock this process has on it, also those of a connection
    that is open here.
    """
    if "?" in str(path):
        raise StoreError(
            f"The path {shown(path)} has a question mark in it, which DuckDB takes for the start of a query. "
            "Choose a path without."
        )
    check_name(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{shown(path)} cannot be opened: {error.strerror}.") from None
    key = (status.st_dev, status.st_ino)
    _check_names(path, status)
    if key in _known_files:
        return
    if path.is_dir():
        raise StoreError(
            f"{path.name} is a folder. Give the lab a file name, such as {path.name}/lab.duckdb."
        )
    if not path.is_file():
        raise StoreError(f"{path.name} is not an ordinary file. Choose another path.")
    if status.st_size == 0:
        raise StoreError(f"{path.name} is an empty file, not a lab. Remove it, or choose another path.")
    head = _head(path)
    if head.startswith(b"SQLite format 3"):
        raise StoreError(f"{path.name} is a SQLite file. labkit leaves it as it is: choose another path.")
    if len(head) >= 12 and head[8:12] != b"DUCK":
        raise StoreError(f"{path.name} is not a DuckDB file. labkit leaves it as it is: choose another path.")
    _known_files.add(key)


def check_name(path: Path) -> None:
    """Raise `StoreError` for a file name after which DuckDB could not tell the lab from what is in it.

    DuckDB calls a database by its file's name up to the dot; `log` is where a lab has its tables.
    """
    word = path.name.lstrip(".").partition(".")[0]
    # Of these, DuckDB itself calls a file of just this spelling something else.
    own = word.lower() in _DUCKDBS_OWN and word not in _DUCKDBS_OWN
    if own or word.lower() == "log":
        raise StoreError(
            f"No lab can be called {path.name}: DuckDB would call it {word}, which is the name of something "
            f"within. Choose another name, such as my-{path.name.lstrip('.')}."
        )


def _check_names(path: Path, status: os.stat_result) -> None:
    if status.st_nlink == 1 or not stat.S_ISREG(status.st_mode):
        return
    # The one under which a lab was made may still be there, where a kill left it.
    made = 0
    for one in JournalDirectory(path).path.glob("new-*.duckdb"):
        with contextlib.suppress(FileNotFoundError):
            made += os.path.samefile(one, path)
    names = path.stat().st_nlink - made
    if names > 1:
        raise StoreError(
            f"{path.name} has {names} names (hard links). Two programs that open it by different names, each"
            " with a log of its own, destroy it. Keep one: remove the others, or replace them by symbolic"
            " links; labkit backup makes a copy."
        )


def _head(path: Path) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own words; the path is an argument
            [sys.executable, "-I", "-S", "-c", _HEAD, str(path)],
            capture_output=True,
            check=False,
        )
    except OSError:
        return b""
    return done.stdout
