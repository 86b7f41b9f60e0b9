"""Takes records from any thread, and tells when they are on disk.

`put` queues a line for the group commit, which acknowledges it once it is on disk; an intent is written
at once, in the caller's thread. It does not know DuckDB: folding is another's work.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable

from labkit.errors import StoreError
from labkit.records import Attempt, Generation, Intent, Record, Request
from labkit.store import journal_line
from labkit.store.group_commit import GroupCommit
from labkit.store.journal_directory import RECEIVED, JournalDirectory, JournalName
from labkit.store.per_process_journal import PerProcessJournal, ProcessIdentity, QueuedLine

MOST_REQUESTS = 100_000
"""So many requests that the lab has are remembered. What is forgotten is written again, and folded once."""


class Writer:
    """This process's writer for one lab. `Store.writer()` gives it; it implements `labkit.records.Sink`.

    `trouble` is a `StoreError` from when writing begins to fail until it works again: ask nothing more
    while it stands. `settled` tells how much of a journal is in the tables for good: that is watched no more.
    A child made by `fork` begins its own journals and writes none of its parent's lines.
    """

    def __init__(
        self, folder: JournalDirectory, *, settled: Callable[[JournalName], int] = lambda name: 0
    ) -> None:
        self._folder = folder
        self._settled = settled
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        self._identity = ProcessIdentity(self._folder)
        self._main = PerProcessJournal(self._identity, settled=self._settled)
        self._intents = PerProcessJournal(self._identity, "-intents", settled=self._settled)
        self._intending = threading.Lock()
        self._lines = GroupCommit(self._folder, self._main, beside=self._look_at_intents)
        self._requests: set[str] = set()

    @property
    def process(self) -> str:
        """How this process's journals are named."""
        return self._identity.process

    @property
    def trouble(self) -> StoreError | None:
        return self._lines.trouble

    # -- putting ---------------------------------------------------------------------------------

    def put(self, record: Record, stored: Callable[[], None] | None = None) -> None:
        """Queue a record; returns at once. `stored` is called in the writer's thread once it is on disk.

        A request that the lab has, as far as this process knows, is not written again. Raises
        `DefinitionError` if a value in it has no JSON form.
        """
        if isinstance(record, Request):
            if record.request_id in self._requests:
                if stored is not None:
                    self._lines.add(QueuedLine(None, b"", stored))
                return
            if len(self._requests) >= MOST_REQUESTS:
                self._requests.clear()
            self._requests.add(record.request_id)
        self._lines.add(QueuedLine(type(record), journal_line.body(record), stored))

    def generation(self, generation: Generation, stored: Callable[[], None]) -> None:
        """Queue the row of a generation that ended."""
        self._lines.add(QueuedLine(Generation, journal_line.body(generation), stored))

    def attempt(self, attempt: Attempt) -> None:
        """Queue the row of an attempt."""
        self._lines.add(QueuedLine(Attempt, journal_line.body(attempt)))

    def intent(self, intent: Intent) -> None:
        """Write, now, that a request is about to be sent: a kill of this process does not lose it.

        One `write` of some 200 bytes into the page cache, without a sync, in the caller's thread: it
        takes microseconds, and only so the line is there before the request leaves. A journal that fails
        is given up for another, once. Raises `StoreError` if it could not be written: then send nothing.
        """
        if self.trouble is not None:
            raise self.trouble
        entry = QueuedLine(Intent, journal_line.body(intent))
        with self._intending:
            for again in (True, False):
                try:
                    self._intents.write([entry])
                except (OSError, StoreError) as error:
                    self._intents.abandon()
                    if not again:
                        raise StoreError(
                            f"The journal in {self._folder.path.name} cannot be written:"
                            f" {getattr(error, 'strerror', None) or error}. What is not noted beforehand is"
                            " not sent. Check the disk and the room on it, then run the plan again."
                        ) from None
                else:
                    self._intents.keep()
                    return

    def look(self) -> None:
        """See now whether another program changed what was written, and write that again. What cannot be, is
        tried again, and stands in `trouble`."""
        self._lines.look()

    def _look_at_intents(self) -> None:
        self._intents.look(self._intending)
        with self._intending:
            if self._intents.owed:
                try:
                    self._intents.write([])
                except (OSError, StoreError):
                    self._intents.abandon()
                    raise
                self._intents.keep()

    def stamp(self) -> int:
        """This process's next stamp."""
        return self._identity.stamp()

    def received(self) -> PerProcessJournal:
        """A journal for what other machines wrote; one thread writes it."""
        return PerProcessJournal(self._identity, RECEIVED, settled=self._settled)

    def heed(self, stamp: int) -> None:
        """Rows up to this stamp are in the lab: all that is put from now on is later than those."""
        self._identity.heed(stamp)

    def remember(self, request_ids: Iterable[str]) -> None:
        """These requests are in the lab already: `put` passes them over."""
        self._requests.update(request_ids)

    def forget(self, request_ids: Iterable[str]) -> None:
        """What the lab has of these requests is not to be relied on: `put` writes them again."""
        self._requests.difference_update(request_ids)

    def prepare(self) -> None:
        """Open the journal of intents now, so that the first does not wait for that; there is a reserve
        again, what stood in `trouble` is over, and what could not be written is, before anybody looks what
        the lab has. Raises `OSError` or `StoreError`."""
        with self._intending:
            self._intents.prepare()
        self._lines.begin_again()
        if self._lines.waiting:
            self._lines.flush()

    def flush(self, *, timeout_s: float | None = None) -> None:
        """Wait until all that was put before is on disk. Raises `StoreError` if it cannot be, or not yet.

        What could not be written stays queued.
        """
        self._lines.flush(timeout_s=timeout_s)

    def close(self) -> None:
        """Write what waits, close the journals and end the thread; the next `put` begins anew.

        Raises `StoreError` if something could not be written: it is lost then.
        """
        try:
            self.flush()
        finally:
            self._lines.end()
            self._end()
            self._begin()

    def _end(self) -> None:
        self._main.end()
        self._intents.end()
        self._identity.end()


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _begin_anew_in_child() -> None:
    for writer in list(_writers):
        writer._end()
        writer._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
