"""How far this process's folds of one lab have come: which journals hold more than its tables.

It folds into a lab that is open, a slice of time at once. It opens none: the caller does, and holds the gate.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from labkit.errors import StoreError
from labkit.store import database, lab_identity
from labkit.store.fold import Fold, Report
from labkit.store.journal_cleanup import opened_afresh, settled, sweep
from labkit.store.journal_directory import JournalDirectory, JournalName
from labkit.store.journal_offsets import read_offsets

if TYPE_CHECKING:
    import duckdb

    from labkit.store.writer import Writer

SLICE_S = 1.0
"""So long one opening folds; then others get their turn, however much there is to fold."""


class FoldProgress:
    """The folds of one process into one lab."""

    def __init__(self, folder: JournalDirectory) -> None:
        self._lab = folder.lab
        self._folder = folder
        self._last = Report()
        self.writer: Writer | None = None
        """What writes the journals of this process."""
        self._strangers: set[str] = set()
        """The processes whose journals were told to be for another lab."""
        self._folded: dict[JournalName, int] = {}
        """How much of each journal this process knows to be in the tables."""
        self._settled: dict[JournalName, int] = {}

    def unfolded(self) -> list[tuple[JournalName, int]]:
        """The journals that hold more than this process knows to be in the tables, and their sizes."""
        return [
            (name, status.st_size)
            for name, status in self._folder.journals()
            if status.st_size > self._folded.get(name, 0)
        ]

    def settled_bytes(self, name: JournalName) -> int:
        """How much of that journal this process knows to be in the tables for good."""
        return self._settled.get(name, 0)

    def covers(self, wanted: dict[JournalName, int]) -> bool:
        """Whether all that was there when it was asked for is in the tables, or will never be."""
        return not self._last.cut_short or all(
            self._folded.get(name, 0) >= size for name, size in wanted.items()
        )

    def fold(self, connection: duckdb.DuckDBPyConnection, stop: Callable[[], bool] = lambda: False) -> Report:
        """Fold for `SLICE_S` or until `stop` says so. Raises as `Fold.run` does, and `StoreDamaged` where
        what this process wrote is for another lab."""
        own = None
        if self.writer is not None:
            self.writer.look()
            own = self.writer.process
        offsets = read_offsets(connection, self._folder)
        if opened_afresh(connection):
            # Before any is removed: whoever finds a journal gone can tell why.
            self._settled = {name: offset.upto for name, offset in offsets.items() if settled(offset)}
            sweep(self._folder, offsets, own=own)
        enough_s = time.monotonic() + SLICE_S
        fold = Fold(
            connection,
            self._folder,
            offsets,
            lab=lab_identity.identity(connection),
            stop=lambda: stop() or time.monotonic() >= enough_s,
        )
        try:
            self._last = fold.run()
        finally:
            database.make_private(self._lab)
        self.heed(connection)
        self._folded = fold.done
        foreign = self._last.foreign
        if foreign - self._strangers:
            lab_identity.warn(self._folder, foreign)
        self._strangers = foreign
        if own in foreign:
            raise lab_identity.replaced(self._folder)
        return self._last

    def heed(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What this process writes from now on is later than all that is in the open lab."""
        row = connection.execute("select max(stamp) from log.journals").fetchone()
        if self.writer is not None and row is not None and row[0] is not None:
            self.writer.heed(row[0])

    def fold_all(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fold all there is by now, without giving others their turn. Raises `StoreError`."""
        with self.telling_faults():
            wanted = dict(self.unfolded())
            while wanted:
                self.fold(connection)
                if self.covers(wanted):
                    return

    @contextlib.contextmanager
    def telling_faults(self) -> Iterator[None]:
        """What fails within the block is a `StoreError` in plain words."""
        import duckdb

        try:
            yield
        except (duckdb.Error, OSError, MemoryError) as error:
            raise StoreError(
                f"The journals could not be folded into {self._lab.name}: {database.in_a_line(error)}. "
                "They keep everything; it is tried again."
            ) from error
