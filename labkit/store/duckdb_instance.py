"""A DuckDB of this process that is kept between two openings of a lab, with no file open in it.

To begin a DuckDB takes ten milliseconds, to attach a file to one that is there takes one. So a lab is
opened by attaching its file, and closed by detaching it: then the file is closed and its lock gone, as if a
connection had been closed. It takes no lock itself and waits for nobody: the caller holds the gate.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

SETTINGS = """
    pragma disable_checkpoint_on_shutdown; set wal_autocheckpoint = '4MB'; set enable_progress_bar = false
"""
"""Whoever closes the lab waits for no checkpoint, and the log stays short all the same. What takes long here
draws no bar into what a person prints."""
SMALL_BYTES = 16 * 2**20
"""Queries over so small a file are over before a second thread has begun: it only costs."""
NAME = "lab"
"""What the file is called while it is attached. Its views name their tables without it."""


class Instance:
    """The kept DuckDB of one lab. Who gets a connection by `attach` gives it back by `detach`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: duckdb.DuckDBPyConnection | None = None

    def attach(self) -> duckdb.DuckDBPyConnection:
        """A connection to the lab's file, to read and write. Raises `duckdb.Error` as `duckdb.connect` does;
        also where another DuckDB of this process has the file open, which a connection could join."""
        connection = self._take()
        try:
            if connection is None:
                connection = self._connect()
            connection.execute(f"set threads = {self._threads()}")
            connection.execute(f"attach {_text(self._path)} as {NAME}")
            connection.execute(f"use {NAME}")
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return connection

    def detach(self, connection: duckdb.DuckDBPyConnection, *, sound: bool) -> None:
        """Close the lab's file. Where something failed, it is not `sound`: then its DuckDB goes too."""
        import duckdb

        if sound:
            try:
                connection.execute("use memory")
                connection.execute(f"detach {NAME}")
            except duckdb.Error as error:
                log.debug("The DuckDB for %s is given up: %s", self._path.name, error)
            else:
                with self._lock:
                    if self._idle is None:
                        self._idle = connection
                        return
        connection.close()

    def close(self) -> None:
        """End the DuckDB that is kept; the next opening begins another."""
        connection = self._take()
        if connection is not None:
            connection.close()

    def _threads(self) -> int:
        try:
            small = self._path.stat().st_size < SMALL_BYTES
        except FileNotFoundError:
            small = True
        return 1 if small else os.cpu_count() or 1

    def _take(self) -> duckdb.DuckDBPyConnection | None:
        with self._lock:
            connection, self._idle = self._idle, None
        return connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        connection = duckdb.connect()
        # What does not fit into memory goes beside the lab, as if the lab had been connected to.
        connection.execute(f"set temp_directory = {_text(f'{self._path}.tmp')}")
        connection.execute(SETTINGS)
        return connection


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


_all: weakref.WeakSet[Instance] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """End every DuckDB that is kept: at the end of the process, and before a fork. A child has none of its
    parent's threads, and a DuckDB that it inherited could not even be closed."""
    for instance in list(_all):
        instance.close()


def forget_all() -> None:
    """In a child: no lock that another thread of its parent had, and nothing of what that had open."""
    for instance in list(_all):
        instance._begin()
