"""The journals of this process, one after the other, and the stamps of what is written to them.

A failed journal is given up and the next begun, with the same lines under the same stamps. It does not
know threads that wait, nor who is told when a line is on disk.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.errors import StoreError
from labkit.records import Record
from labkit.store import journal_line
from labkit.store.file_locks import FileLock
from labkit.store.journal import Journal
from labkit.store.journal_directory import SCHEMA, JournalDirectory, JournalName

ROTATE_BYTES = 256 * 2**20
"""A journal as long as this is closed and the next begun, so that a fold can remove it while we live."""
CLAIM_S = 1.0


@dataclass(slots=True)
class QueuedLine:
    """A line on its way to the disk. Without a record there is no line, only somebody to tell."""

    record: type[Record] | None
    json: bytes
    stored: Callable[[], None] | None = None
    frame: bytes = b""
    stamp: int = 0


class ProcessIdentity:
    """This process, as its journals name it; held as long as it may write them."""

    def __init__(self, folder: JournalDirectory) -> None:
        self.folder = folder
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._hold: FileLock | None = None
        self._claiming = threading.Lock()
        self._stamping = threading.Lock()
        self._last_stamp = 0

    def stamp(self) -> int:
        """The next stamp: microseconds since 1970, always rising."""
        with self._stamping:
            self._last_stamp = max(self._last_stamp + 1, time.time_ns() // 1000)
            return self._last_stamp

    def claim(self) -> None:
        """Make the folder if need be and mark this process as alive, so that no fold removes its
        journals; again, if somebody removed the mark. Raises `StoreError` or `OSError`."""
        with self._claiming:
            if self._hold is not None and self._hold.stands:
                return
            self.folder.make()
            hold = FileLock.take(self.folder.process_lock(self.process), wait_s=CLAIM_S)
            if hold is None:
                raise StoreError(f"{self.folder.path} refuses a lock for process {self.process}.")
            hold.sign()
            if self._hold is not None:
                self._hold.release()
            self._hold = hold

    def end(self) -> None:
        """Let others remove its journals."""
        if self._hold is not None:
            self._hold.release()
            self._hold = None


class PerProcessJournal:
    """One sequence of journals of a process. Not thread-safe: the caller sees to it."""

    def __init__(self, identity: ProcessIdentity, suffix: str = "") -> None:
        self._identity = identity
        self._suffix = suffix
        self._number = 0
        self._journal: Journal | None = None
        self._bytes = 0
        self._unrescued: list[Journal] = []

    def write(self, entries: Sequence[QueuedLine]) -> None:
        """Append the entries' lines. They get their stamps here, and keep them if they are tried again.

        Raises `OSError` or `StoreError`; then `abandon`.
        """
        while self._unrescued:
            self._unrescued[-1].rescue()
            self._unrescued.pop()
        for entry in entries:
            if not entry.frame and entry.record is not None:
                entry.stamp = self._identity.stamp()
                entry.frame = journal_line.frame(entry.record, entry.stamp, entry.json)
                entry.json = b""
        lines = b"".join(entry.frame for entry in entries)
        if not lines:
            return
        if self._journal is None or self._bytes > ROTATE_BYTES:
            self.end()
            self._open(next(entry.stamp for entry in entries if entry.frame))
        assert self._journal is not None
        self._journal.append(lines)
        self._bytes += len(lines)

    def keep(self) -> None:
        """Hold on to what was written, without waiting for the disk."""
        if self._journal is not None:
            self._journal.keep(self._bytes)

    def sync(self) -> None:
        """Make what was written durable. Raises `OSError` or `StoreError`; then `abandon`."""
        self._identity.claim()
        if self._journal is not None and self._journal.kept_bytes < self._bytes:
            self._journal.sync(self._bytes)

    def prepare(self) -> None:
        """Open a journal, if none is open."""
        if self._journal is None:
            self._open(self._identity.stamp())

    def abandon(self) -> None:
        """Give the journal up; what was not kept is written to the next."""
        if self._journal is not None:
            if not self._journal.abandon():
                self._unrescued.append(self._journal)
            self._journal = None

    def end(self) -> None:
        """Close the journal; the next line begins another."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _open(self, first: int) -> None:
        self._identity.claim()
        self._number += 1
        name = JournalName(
            self._identity.process + self._suffix, self._number, first, SCHEMA, self._identity.process
        )
        self._journal = Journal(self._identity.folder, name)
        self._bytes = 0
