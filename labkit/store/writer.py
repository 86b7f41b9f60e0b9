"""Takes records from any thread, and tells when they are on disk.

`put` queues a line; one thread writes all that wait in one go, makes them durable in one go, and then
calls their `stored`. Nothing is acknowledged that is not on disk; what could not be written stays
queued and is tried again every second. On a full disk what is queued goes where the reserve was, and then
`trouble` stands until there is a reserve again. It does not know DuckDB: folding is another's work.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from labkit.errors import StoreError
from labkit.records import Attempt, Generation, Intent, Record, Request
from labkit.store import line
from labkit.store.folder import Folder
from labkit.store.stream import Life, Stream, Waiting

log = logging.getLogger("labkit.store")

GATHER_S = 0.005
"""Least time between two commits: an answer alone is durable at once, a flood shares its syncs."""
RETRY_S = 1.0
EXIT_S = 5.0
COMMIT_BYTES = 8 * 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Flush:
    over: threading.Event = field(default_factory=threading.Event)
    error: StoreError | None = None


class Writer:
    """This process's pen for one lab. `Store.writer()` gives it; it implements `labkit.records.Sink`.

    `trouble` is a `StoreError` from when writing begins to fail until it works again: ask nothing more
    while it stands. A child made by `fork` begins its own journals and writes none of its parent's lines.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        self.trouble: StoreError | None = None
        self._reserve_spent = False
        self._life = Life(self._folder)
        self._main = Stream(self._life)
        self._intents = Stream(self._life, "-intents")
        self._intending = threading.Lock()
        self._queue: deque[Waiting | _Flush] = deque()
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._requests: set[str] = set()

    @property
    def process(self) -> str:
        """How this process's journals are named."""
        return self._life.process

    # -- putting ---------------------------------------------------------------------------------

    def put(self, record: Record, stored: Callable[[], None] | None = None) -> None:
        """Queue a record; returns at once. `stored` is called in the writer's thread once it is on disk.

        A request that the lab has, as far as this process knows, is not written again. Raises
        `DefinitionError` if a value in it has no JSON form.
        """
        if isinstance(record, Request):
            if record.request_id in self._requests:
                if stored is not None:
                    self._enqueue(Waiting(None, b"", stored))
                return
            self._requests.add(record.request_id)
        self._enqueue(Waiting(type(record), line.body(record), stored))

    def generation(self, generation: Generation, stored: Callable[[], None]) -> None:
        """Queue the row of a generation that ended."""
        self._enqueue(Waiting(Generation, line.body(generation), stored))

    def attempt(self, attempt: Attempt) -> None:
        """Queue the row of an attempt."""
        self._enqueue(Waiting(Attempt, line.body(attempt)))

    def intent(self, intent: Intent) -> None:
        """Write, now, that a request is about to be sent: a kill of this process does not lose it.

        One `write` of some 200 bytes into the page cache, without a sync, in the caller's thread: it
        takes microseconds, and only so the line is there before the request leaves.
        """
        entry = Waiting(Intent, line.body(intent))
        if self.trouble is None:
            with self._intending:
                try:
                    self._intents.write([entry])
                except (OSError, StoreError):
                    self._intents.abandon()
                else:
                    self._intents.keep()
                    return
        self._enqueue(Waiting(Intent, line.body(intent)))

    def remember(self, request_ids: Iterable[str]) -> None:
        """These requests are in the lab already: `put` passes them over."""
        self._requests.update(request_ids)

    def forget(self, request_ids: Iterable[str]) -> None:
        """What the lab has of these requests is not to be relied on: `put` writes them again."""
        self._requests.difference_update(request_ids)

    def prepare(self) -> None:
        """Open the journal of intents now, so that the first does not wait for that; there is a reserve
        again. Raises `OSError` or `StoreError`."""
        with self._intending:
            self._intents.prepare()
        if self._reserve_spent:
            self._reserve_spent, self.trouble = False, None

    def flush(self, *, timeout_s: float | None = None) -> None:
        """Wait until all that was put before is on disk. Raises `StoreError` if it cannot be, or not yet.

        What could not be written stays queued.
        """
        if self._thread is None and not self._queue:
            return
        ticket = _Flush()
        self._enqueue(ticket)
        if not ticket.over.wait(timeout_s):
            raise StoreError(f"{len(self._queue)} records are not on disk after {timeout_s} s; they wait.")
        if ticket.error is not None:
            raise ticket.error

    def close(self) -> None:
        """Write what waits, close the journals and end the thread; the next `put` begins anew.

        Raises `StoreError` if something could not be written: it is lost then.
        """
        try:
            self.flush()
        finally:
            if self._thread is not None:
                self._closing = True
                self._wake.set()
                self._thread.join()
            self._end()
            self._begin()

    def _end(self) -> None:
        self._main.end()
        self._intents.end()
        self._life.end()

    def _enqueue(self, entry: Waiting | _Flush) -> None:
        self._queue.append(entry)
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="labkit-writer", daemon=True)
                self._thread.start()

    # -- writing, in the thread ------------------------------------------------------------------

    def _work(self) -> None:
        pending: list[Waiting] = []
        ended_s = 0.0
        while True:
            self._wake.wait(RETRY_S if pending else None)
            pause_s = ended_s + GATHER_S - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            self._wake.clear()
            flushes = self._take(pending)
            self._commit(pending)
            for flush in flushes:
                flush.error = self.trouble if pending else None
                flush.over.set()
            ended_s = time.monotonic()
            if self._closing and (not self._queue or pending):
                return

    def _take(self, pending: list[Waiting]) -> list[_Flush]:
        flushes = []
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, _Flush):
                flushes.append(entry)
            else:
                pending.append(entry)
        return flushes

    def _commit(self, pending: list[Waiting]) -> None:
        """Make `pending` durable in pieces, taking from it what is. After a failure, once more."""
        failed = False
        while pending:
            piece = _first(pending, COMMIT_BYTES)
            try:
                self._main.write(piece)
                self._main.sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the thread goes on
                self._main.abandon()
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


def _first(pending: list[Waiting], most_bytes: int) -> list[Waiting]:
    size = 0
    for count, entry in enumerate(pending, 1):
        size += len(entry.json) + len(entry.frame)
        if size >= most_bytes:
            return pending[:count]
    return pending[:]


def _acknowledge(piece: list[Waiting]) -> None:
    for entry in piece:
        if entry.stored is not None:
            try:
                entry.stored()
            except Exception:
                log.exception("A callback failed; its record is on disk")


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _begin_anew_in_child() -> None:
    for writer in list(_writers):
        writer._end()
        writer._begin()


@atexit.register
def _flush_at_exit() -> None:
    for writer in list(_writers):
        try:
            writer.flush(timeout_s=EXIT_S)
        except StoreError as error:
            log.error("At the end of this process: %s", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
