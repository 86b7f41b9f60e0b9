"""Takes records from any thread, and tells when they are on disk.

`put` queues a line; one thread writes all that wait in one go, makes them durable in one go, and then
calls their `stored`. Nothing is acknowledged that is not on disk; what could not be written stays
queued and is tried again every second. It does not know DuckDB: folding is another's work.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from labkit.errors import StoreError
from labkit.records import Attempt, Generation, Intent, Record, Request
from labkit.store import line
from labkit.store.folder import SCHEMA, Folder, JournalName
from labkit.store.holds import Hold
from labkit.store.journal import Journal

log = logging.getLogger("labkit.store")

GATHER_S = 0.005
"""Least time between two commits: an answer alone is durable at once, a flood shares its syncs."""
RETRY_S = 1.0
EXIT_S = 5.0
COMMIT_BYTES = 8 * 2**20
ROTATE_BYTES = 256 * 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class _Waiting:
    """A queued line, or with no record a `flush` that waits for all before it."""

    record: type[Record] | None
    json: bytes
    stored: Callable[[], None] | None
    frame: bytes = b""
    stamp: int = 0


@dataclass(slots=True)
class _Flush:
    over: threading.Event = field(default_factory=threading.Event)
    error: StoreError | None = None


class Writer:
    """This process's pen for one lab. `Store.writer()` gives it; it implements `labkit.records.Sink`.

    `on_trouble` is called, in the writer's thread, with the `StoreError` when writing begins to fail, so
    that nothing more is asked; `trouble` is that error until writing works again. A child made by `fork`
    begins its own journals and writes none of its parent's lines.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.on_trouble: Callable[[StoreError], None] | None = None
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.trouble: StoreError | None = None
        self._queue: deque[_Waiting | _Flush] = deque()
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._stamping = threading.Lock()
        self._intending = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._hold: Hold | None = None
        self._main = _Stream(self, "")
        self._intents = _Stream(self, "-intents")
        self._last_stamp = 0
        self._requests: set[str] = set()

    # -- putting ---------------------------------------------------------------------------------

    def put(self, record: Record, stored: Callable[[], None] | None = None) -> None:
        """Queue a record; returns at once. `stored` is called in the writer's thread once it is on disk.

        Raises `DefinitionError` if a value in it has no JSON form. A request that the lab has, as
        far as this process knows, is not written again.
        """
        if isinstance(record, Request):
            if record.request_id in self._requests:
                if stored is not None:
                    self._enqueue(_Waiting(None, b"", stored))
                return
            self._requests.add(record.request_id)
        self._enqueue(_Waiting(type(record), line.body(record), stored))

    def generation(self, generation: Generation, stored: Callable[[], None]) -> None:
        """Queue the row of a generation that ended."""
        self._enqueue(_Waiting(Generation, line.body(generation), stored))

    def attempt(self, attempt: Attempt) -> None:
        """Queue the row of an attempt."""
        self._enqueue(_Waiting(Attempt, line.body(attempt), None))

    def intent(self, intent: Intent) -> None:
        """Write, now, that a request is about to be sent: a kill of this process does not lose it.

        One `write` of some 200 bytes into the page cache, without a sync, in the caller's thread; that
        takes microseconds, and only so the line is there before the request leaves.
        """
        json = line.body(intent)
        if self.trouble is None:
            try:
                with self._intending:
                    self._intents.write([_Waiting(Intent, json, None)])
                    self._intents.keep()
                return
            except (OSError, StoreError):
                with self._intending:
                    self._intents.abandon()
        self._enqueue(_Waiting(Intent, json, None))

    def remember(self, request_ids: Iterable[str]) -> None:
        """These requests are in the lab already: `put` passes them over."""
        self._requests.update(request_ids)

    def prepare(self) -> None:
        """Open the journals now, so that the first intent does not wait for that. Raises `OSError` or
        `StoreError`."""
        with self._intending:
            self._intents.prepare()

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
        """Write what waits, close the journals and end the thread. Raises `StoreError` as `flush` does."""
        try:
            self.flush()
        finally:
            if self._thread is not None:
                self._closing = True
                self._wake.set()
                self._thread.join()
            self._main.end()
            self._intents.end()
            if self._hold is not None:
                self._hold.release()
            self._begin()

    def own(self) -> list[JournalName]:
        """The journals this process has written, oldest first."""
        return [name for name, _ in self._folder.journals() if name.process == self.process]

    def _enqueue(self, entry: _Waiting | _Flush) -> None:
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
        pending: list[_Waiting] = []
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

    def _take(self, pending: list[_Waiting]) -> list[_Flush]:
        flushes = []
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, _Flush):
                flushes.append(entry)
            else:
                pending.append(entry)
        return flushes

    def _commit(self, pending: list[_Waiting]) -> None:
        """Make `pending` durable in pieces, taking from it what is. After a failure, once more."""
        tried = 0
        while pending:
            count = size = 0
            while count < len(pending) and size < COMMIT_BYTES:
                size += len(pending[count].json)
                count += 1
            piece = pending[:count]
            try:
                self._main.write(piece)
                self._main.sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the thread goes on
                self._main.abandon()
                if isinstance(error, OSError) and error.errno in FULL:
                    self._folder.spend_reserve()
                tried += 1
                if tried > 1:
                    self._report(error, len(pending))
                    return
            else:
                tried = 0
                del pending[:count]
                self._acknowledge(piece)
        self.trouble = None

    def _acknowledge(self, piece: list[_Waiting]) -> None:
        for entry in piece:
            if entry.stored is not None:
                try:
                    entry.stored()
                except Exception:
                    log.exception("A callback failed; its record is on disk")

    def _report(self, error: Exception, waiting: int) -> None:
        new = self.trouble is None
        cause = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        advice = "Make room on the disk" if getattr(error, "errno", None) in FULL else "Check the disk"
        self.trouble = StoreError(
            f"The journal in {self._folder.path.name} cannot be written: {cause}. {advice}: "
            f"{waiting} records wait in memory and are tried again every {RETRY_S:g} s."
        )
        if new:
            log.error("%s", self.trouble)
            if self.on_trouble is not None:
                try:
                    self.on_trouble(self.trouble)
                except Exception:
                    log.exception("on_trouble failed")

    # -- what the streams share ------------------------------------------------------------------

    def stamp(self) -> int:
        """The next stamp of this process: microseconds, always rising."""
        with self._stamping:
            self._last_stamp = max(self._last_stamp + 1, time.time_ns() // 1000)
            return self._last_stamp

    def claim(self) -> Folder:
        """The folder, made if need be, with this process marked as alive, so that no fold removes its
        journals. Raises `StoreError` or `OSError`."""
        if self._hold is None or not self._hold.stands:
            with self._starting:
                if self._hold is None or not self._hold.stands:
                    self._folder.make()
                    hold = Hold.take(self._folder.process_lock(self.process), wait_s=1.0)
                    if hold is None:
                        raise StoreError(f"{self._folder.path} refuses a lock for process {self.process}.")
                    hold.sign()
                    if self._hold is not None:
                        self._hold.release()
                    self._hold = hold
        return self._folder


class _Stream:
    """The journals of one kind of this process, one after the other."""

    def __init__(self, writer: Writer, suffix: str) -> None:
        self._writer = writer
        self._suffix = suffix
        self._number = 0
        self._journal: Journal | None = None
        self._bytes = 0

    def write(self, entries: list[_Waiting]) -> None:
        """Append the entries' lines. They get their stamps here, and keep them if they are tried again."""
        for entry in entries:
            if not entry.frame and entry.record is not None:
                entry.stamp = self._writer.stamp()
                entry.frame = line.frame(entry.record, entry.stamp, entry.json)
                entry.json = b""
        lines = b"".join(entry.frame for entry in entries)
        if not lines:
            return
        if not self._suffix:
            self._writer.claim()
        if self._journal is None or self._bytes > ROTATE_BYTES:
            self.end()
            self._open(next(entry.stamp for entry in entries if entry.frame))
        assert self._journal is not None
        self._journal.append(lines)
        self._bytes += len(lines)

    def keep(self) -> None:
        if self._journal is not None:
            self._journal.keep(self._bytes)

    def sync(self) -> None:
        if self._journal is not None and self._journal.kept_bytes < self._bytes:
            self._journal.sync(self._bytes)

    def prepare(self) -> None:
        if self._journal is None:
            self._open(self._writer.stamp())

    def abandon(self) -> None:
        if self._journal is not None:
            self._journal.abandon()
            self._journal = None

    def end(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _open(self, first: int) -> None:
        folder = self._writer.claim()
        self._number += 1
        stream = self._writer.process + self._suffix
        name = JournalName(stream, self._number, first, SCHEMA, self._writer.process)
        self._journal = Journal(folder, name)
        self._bytes = 0


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _begin_anew_in_child() -> None:
    for writer in list(_writers):
        writer._main.end()
        writer._intents.end()
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
