"""Group commit: one thread writes all lines that wait in one go, and makes them durable in one go.

Then it calls their `stored`. Nothing is acknowledged that is not on disk; what could not be written stays
queued and is tried again every second. On a full disk what is queued goes where the reserve was, and then
`trouble` stands until there is a reserve again. It does not know what the lines say.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from labkit.errors import StoreError
from labkit.store.journal_directory import JournalDirectory
from labkit.store.per_process_journal import PerProcessJournal, QueuedLine

log = logging.getLogger("labkit.store")

GATHER_S = 0.01
"""Least time between two commits: an answer alone is durable at once, a flood shares its syncs."""
RETRY_S = 1.0
EXIT_S = 5.0
COMMIT_BYTES = 8 * 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Flush:
    over: threading.Event = field(default_factory=threading.Event)
    error: StoreError | None = None


class GroupCommit:
    """The lines that wait for one stream, from any thread. The thread that writes them begins with the first.

    `trouble` is a `StoreError` from when writing begins to fail until it works again.
    """

    def __init__(self, folder: JournalDirectory, stream: PerProcessJournal) -> None:
        self.trouble: StoreError | None = None
        self._folder = folder
        self._stream = stream
        self._reserve_spent = False
        self._queue: deque[QueuedLine | _Flush] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False

    def add(self, entry: QueuedLine | _Flush) -> None:
        """Queue a line; returns at once."""
        self._queue.append(entry)
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def flush(self, *, timeout_s: float | None = None) -> None:
        """Wait until all that was added before is on disk. Raises `StoreError` if it cannot be, or not yet.

        What could not be written stays queued.
        """
        if self._thread is None and not self._queue:
            return
        ticket = _Flush()
        self.add(ticket)
        self._hurry.set()
        if not ticket.over.wait(timeout_s):
            raise StoreError(f"{len(self._queue)} records are not on disk after {timeout_s} s; they wait.")
        if ticket.error is not None:
            raise ticket.error

    def end(self) -> None:
        """End the thread once it has tried what waits; what could not be written is lost."""
        if self._thread is not None:
            self._closing = True
            self._wake.set()
            self._thread.join()
            _running.discard(self)

    def reserve_is_back(self) -> None:
        """There is a reserve again: what stood since it was spent is over."""
        if self._reserve_spent:
            self._reserve_spent, self.trouble = False, None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                _running.add(self)
                self._thread = threading.Thread(target=self._work, name="labkit-writer", daemon=True)
                self._thread.start()

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        pending: list[QueuedLine] = []
        ended_s = 0.0
        while True:
            self._wake.wait(RETRY_S if pending else None)
            pause_s = ended_s + GATHER_S - time.monotonic()
            if pause_s > 0:
                # What arrives meanwhile is written with it: that is the gathering. Who waits for a flush
                # has nothing more to add.
                self._hurry.wait(pause_s)
            self._hurry.clear()
            self._wake.clear()
            flushes = self._take(pending)
            self._commit(pending)
            for flush in flushes:
                flush.error = self.trouble if pending else None
                flush.over.set()
            ended_s = time.monotonic()
            if self._closing and (not self._queue or pending):
                return

    def _take(self, pending: list[QueuedLine]) -> list[_Flush]:
        flushes = []
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, _Flush):
                flushes.append(entry)
            else:
                pending.append(entry)
        return flushes

    def _commit(self, pending: list[QueuedLine]) -> None:
        """Make `pending` durable in pieces, taking from it what is. After a failure, once more."""
        failed = False
        while pending:
            piece = _first(pending, COMMIT_BYTES)
            try:
                self._stream.write(piece)
                self._stream.sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the thread goes on
                self._stream.abandon()
                if getattr(error, "errno", None) in FULL and self._folder.spend_reserve():
                    self._reserve_spent = True
                if failed:
                    self._report(error, len(pending))
                    return
                failed = True
            else:
                failed = False
                del pending[: len(piece)]
                _acknowledge(piece)
        if self._reserve_spent:
            self._tell(
                f"The disk is full: {self._folder.path.name} used its reserve to save what was in flight. "
                "Make room on the disk, then go on."
            )
        else:
            self.trouble = None

    def _report(self, error: Exception, waiting: int) -> None:
        cause = getattr(error, "strerror", None) or str(error)
        advice = "Make room on the disk" if getattr(error, "errno", None) in FULL else "Check the disk"
        self._tell(
            f"The journal in {self._folder.path.name} cannot be written: {cause}. {advice}: "
            f"{waiting} records wait in memory and are tried again every {RETRY_S:g} s."
        )

    def _tell(self, what: str) -> None:
        if self.trouble is None:
            log.error("%s", what)
        self.trouble = StoreError(what)


def _first(pending: list[QueuedLine], most_bytes: int) -> list[QueuedLine]:
    size = 0
    for count, entry in enumerate(pending, 1):
        size += len(entry.json) + len(entry.frame)
        if size >= most_bytes:
            return pending[:count]
    return pending[:]


def _acknowledge(piece: list[QueuedLine]) -> None:
    for entry in piece:
        if entry.stored is not None:
            try:
                entry.stored()
            except Exception:
                log.exception("A callback failed; its record is on disk")


_running: set[GroupCommit] = set()


@atexit.register
def _flush_at_exit() -> None:
    for group in list(_running):
        try:
            group.flush(timeout_s=EXIT_S)
        except StoreError as error:
            log.error("At the end of this process: %s", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)
