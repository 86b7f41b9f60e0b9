"""Group commit: one thread writes all lines that wait in one go, and makes them durable in one go.

What comes meanwhile waits for the next: so an answer alone is durable at once, and a flood shares its
syncs. Then it calls their `stored`. Nothing is acknowledged that is not on disk; what could not be written
stays queued and is tried again every second. On a full disk what is queued goes where the reserve was, and
then `trouble` stands until there is a reserve again. It does not know what the lines say.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.errors import StoreError
from labkit.store.journal_directory import JournalDirectory
from labkit.store.per_process_journal import PerProcessJournal, QueuedLine

log = logging.getLogger("labkit.store")

RETRY_S = 1.0
LOOK_S = 1.0
"""So often it is looked whether another program changed what was written."""
EXIT_S = 5.0
COMMIT_BYTES = 8 * 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Flush:
    over: threading.Event = field(default_factory=threading.Event)
    error: StoreError | None = None


class GroupCommit:
    """The lines that wait for one stream, from any thread. The thread that writes them begins with the first.

    `trouble` is a `StoreError` from when writing begins to fail until it works again. Should the thread
    die, the next line begins another, which takes up what it had; `trouble` then stands until `begin_again`.
    When the thread looks after what was written, it calls `beside`.
    """

    def __init__(
        self,
        folder: JournalDirectory,
        stream: PerProcessJournal,
        *,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self.trouble: StoreError | None = None
        self._folder = folder
        self._stream = stream
        self._beside = beside
        self._looked_s = time.monotonic()
        self._stands: str | None = None
        self._queue: deque[QueuedLine | _Flush] = deque()
        self._pending: list[QueuedLine] = []
        self._flushes: list[_Flush] = []
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False

    def add(self, entry: QueuedLine | _Flush) -> None:
        """Queue a line; returns at once. Raises `StoreError` if no thread can be begun to write it."""
        self._queue.append(entry)
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    @property
    def waiting(self) -> bool:
        """Whether there are lines that could not be written when it was tried."""
        return bool(self._pending or self._stream.owed)

    def look(self) -> None:
        """See now whether another program changed what was written, and write that again."""
        if self._thread not in (None, threading.current_thread()):
            with contextlib.suppress(StoreError):
                self.flush(timeout_s=LOOK_S)

    def flush(self, *, timeout_s: float | None = None) -> None:
        """Wait until all that was added before is on disk. Raises `StoreError` if it cannot be, or not yet.

        What could not be written stays queued.
        """
        if self._thread is None and not self._queue and not self._pending:
            return
        ticket = _Flush()
        self.add(ticket)
        if not ticket.over.wait(timeout_s):
            raise StoreError(f"{len(self._queue)} records are not on disk after {timeout_s} s; they wait.")
        if ticket.error is not None:
            raise ticket.error

    def end(self) -> None:
        """End the thread once it has tried what waits; what could not be written is lost."""
        self._closing = True
        if (thread := self._thread) is not None:
            self._wake.set()
            thread.join()
        _running.discard(self)

    def begin_again(self) -> None:
        """There is a reserve, and whoever asked was told: what stood until now is over."""
        if self._stands is not None:
            self._stands, self.trouble = None, None

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._work, name="labkit-writer", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._wake.clear()
                self._tell(
                    f"Nothing can be written to {self._folder.path.name}: {error}. End what else runs here,"
                    " or allow this process more threads."
                )
                assert self.trouble is not None
                raise self.trouble from None
            self._thread = thread
            _running.add(self)

    # -- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not end in silence
            self._die(error)

    def _write(self) -> None:
        while True:
            self._wake.wait(RETRY_S if self._pending else LOOK_S)
            self._wake.clear()
            self._take()
            if self._flushes or time.monotonic() - self._looked_s >= LOOK_S:
                self._look()
            self._commit(self._pending)
            self._answer(self.trouble if self._pending or self._stream.owed else None)
            if self._closing and (not self._queue or self._pending):
                return

    def _die(self, error: BaseException) -> None:
        self._stands = (
            f"The thread that writes {self._folder.path.name} ended by {error!r}. Nothing more is asked, and"
            " what was in flight is written by another. Run the plan again: it asks what has no answer."
        )
        with self._starting:
            self._tell(self._stands)
            self._stream.abandon()
            self._thread = None
            # From here on the next line begins a thread. Nobody who waits may wait for that.
            self._wake.clear()
            self._take()
            self._answer(self.trouble)

    def _take(self) -> None:
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, _Flush):
                self._flushes.append(entry)
            else:
                self._pending.append(entry)

    def _answer(self, error: StoreError | None) -> None:
        while self._flushes:
            flush = self._flushes.pop()
            flush.error = error
            flush.over.set()

    def _look(self) -> None:
        """See whether what was written is still there: what is not is owed, and written again."""
        self._looked_s = time.monotonic()
        try:
            self._stream.look()
            self._beside()
        except (OSError, StoreError) as error:
            log.debug("The journals could not be looked at: %s", error)

    def _commit(self, pending: list[QueuedLine]) -> None:
        """Make `pending` durable in pieces, taking from it what is. After a failure, once more."""
        failed = False
        while pending or self._stream.owed:
            piece = _first(pending, COMMIT_BYTES)
            try:
                self._stream.write(piece)
                self._stream.sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the thread goes on
                self._stream.abandon()
                if getattr(error, "errno", None) in FULL and self._folder.spend_reserve():
                    self._stands = (
                        f"The disk is full: {self._folder.path.name} used its reserve to save what was in"
                        " flight. Make room on the disk, then go on."
                    )
                if failed:
                    self._report(error, len(pending) + self._stream.owed)
                    return
                failed = True
            else:
                failed = False
                del pending[: len(piece)]
                _acknowledge(piece)
        if self._stands is not None:
            self._tell(self._stands)
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
            except BaseException:  # whatever it is, it may not end the thread that writes
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
