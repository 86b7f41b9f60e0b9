"""The lab's file, connected to only where what it defines is labkit's own.

It takes no lock: the caller holds the gate. It does not know what is asked of the connection.
"""

from __future__ import annotations

import time
from dataclasses import replace

from labkit.store import database, sandboxed_sql
from labkit.store.catalog_check import CatalogCheck
from labkit.store.duckdb_instance import Instance
from labkit.store.journal_directory import JournalDirectory


class CheckedFile:
    """The file of one lab. Deadlines are of `time.monotonic`."""

    def __init__(self, folder: JournalDirectory) -> None:
        self._path = folder.lab
        self._folder = folder
        self._instance = Instance(folder.lab)
        self._catalog = CatalogCheck(folder.lab)

    def create(self) -> None:
        """Make an empty lab. Raises `StoreError`."""
        database.create(self._path, self._folder)
        self._catalog.is_ours()

    def connect(self, deadline: float, *, write: bool = False, joinable: bool = False) -> database.Opened:
        """As `database.connect`. Raises what it does, and `StoreError` naming what is not labkit's own."""
        left_s = max(0.0, deadline - time.monotonic())
        instance = None if joinable else self._instance
        opened = database.connect(self._path, instance=instance, wait_s=left_s, write=write)
        try:
            is_known = self._catalog.check(opened.connection)
        except BaseException:
            opened.close(sound=False)
            raise
        return replace(opened, is_known=is_known, closing=self._catalog.is_ours)

    def connect_sealed(self, deadline: float) -> database.Opened:
        """To read only, reaching nothing else, since what the file defines may be anybody's. Raises as
        `database.connect` does."""
        left_s = max(0.0, deadline - time.monotonic())
        sealed = database.connect_sealed(
            self._path, sandboxed_sql.SEALED, then=sandboxed_sql.lock, wait_s=left_s
        )
        return database.Opened(sealed, is_known=False)
