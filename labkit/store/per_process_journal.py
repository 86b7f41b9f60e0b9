"""The journals of this process, one after the other, and the stamps of what is written to them.

A failed journal is given up and the next begun, with the same lines under the same stamps. One that another
program changed or took is given up too, and all that it held written again to a stream of its own, whose
lines the fold takes by what they are and not by where they lie. It does not know threads that wait, nor who
is told when a line is on disk.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from labkit.errors import StoreError
from labkit.records import Record
from labkit.store import journal_line
from labkit.store.file_locks import FileLock
from labkit.store.journal import Journal
from labkit.store.journal_directory import AGAIN, SCHEMA, JournalDirectory, JournalName

log = logging.getLogger("labkit.store")

ROTATE_BYTES = 256 * 2**20
"""A journal as long as this is closed and the next begun, so that a fold can remove it while we live."""
KEEP_BYTES = 32 * 2**20
"""So much of what is not in the tables for good is kept in memory, to write it again: the latest."""
CLAIM_S = 1.0
_NO_LOCK = contextlib.nullcontext()


def _nothing(name: JournalName) -> int:
    return 0


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
        self.process = secrets.token_hex(16)
        self._hold: FileLock | None = None
        self._claiming = threading.Lock()
        self._stamping = threading.Lock()
        self._last_stamp = 0

    def stamp(self) -> int:
        """The next stamp: microseconds since 1970, always rising, and beyond all that was `heed`ed.

        So it is no clock alone: what was written by who knew of another row is later than that, whatever the
        clocks of two machines say (a hybrid logical clock: Kulkarni et al., 2014, "Logical physical clocks").
        """
        with self._stamping:
            self._last_stamp = max(self._last_stamp + 1, time.time_ns() // 1000)
            return self._last_stamp

    def heed(self, stamp: int) -> None:
        """A row of this stamp is known: what comes after it is later."""
        with self._stamping:
            self._last_stamp = max(self._last_stamp, stamp)

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
    """One sequence of journals of a process. Not thread-safe: the caller sees to it.

    `settled` tells how much of a journal is in the tables for good, and so need not be watched.
    """

    def __init__(
        self, identity: ProcessIdentity, suffix: str = "", *, settled: Callable[[JournalName], int] = _nothing
    ) -> None:
        self._identity = identity
        self._suffix = suffix
        self._settled = settled
        self._number = 0
        self._again = False
        self._journal: Journal | None = None
        self._closed: list[Journal] = []
        self._owed = b""

    @property
    def owed(self) -> int:
        """How many lines that held must be written again."""
        return self._owed.count(b"\n")

    def write(self, entries: Sequence[QueuedLine]) -> None:
        """Append the entries' lines, and what is owed. They get their stamps here, and keep them if they are
        tried again.

        Raises `OSError` or `StoreError`; then `abandon`.
        """
        for entry in entries:
            if not entry.frame and entry.record is not None:
                entry.stamp = self._identity.stamp()
                entry.frame = journal_line.frame(entry.record, entry.stamp, entry.json)
                entry.json = b""
        lines = self._owed + b"".join(entry.frame for entry in entries)
        if not lines:
            return
        if self._journal is not None and self._journal.written_bytes > ROTATE_BYTES:
            self._retire()
        if self._journal is None:
            first = next((entry.stamp for entry in entries if entry.frame), None)
            self._open(first or self._identity.stamp())
        assert self._journal is not None
        self._journal.append(lines)

    def keep(self) -> None:
        """Hold on to what was written, without waiting for the disk."""
        if self._journal is not None:
            self._journal.keep()
            self._owed = b""

    def sync(self) -> None:
        """Make what was written durable. Raises `OSError` or `StoreError`; then `abandon`."""
        self._identity.claim()
        if self._journal is not None and self._journal.kept_bytes < self._journal.written_bytes:
            self._journal.sync()
            self._owed = b""

    def prepare(self) -> None:
        """Open a journal, if none is open."""
        if self._journal is None:
            self._open(self._identity.stamp())

    def look(self, lock: AbstractContextManager[object] = _NO_LOCK) -> None:
        """Give up what is not as it was written, so that it is owed; forget what is in the tables for good.

        Where others write, `lock` keeps them out, but not while files are read. Raises `OSError` if something
        cannot be told.
        """
        # Who removes a lab with its folder does not want it back.
        if not self._identity.folder.stands():
            return
        with lock:
            journals = [*self._closed, *([self._journal] if self._journal is not None else [])]
        spare_bytes = KEEP_BYTES
        for journal in reversed(journals):
            # Asked before: a fold that has read what another program wrote is not relied on.
            settled = self._settled(journal.name)
            holds = journal.holds()
            with lock:
                if not holds and not journal.holds():
                    self._give_up(journal)
                    continue
                if journal in self._closed and settled >= journal.kept_bytes:
                    self._closed.remove(journal)
            journal.settled_bytes = min(settled, journal.kept_bytes)
            journal.forget(max(settled, journal.kept_bytes - spare_bytes))
            spare_bytes -= min(spare_bytes, journal.kept_bytes - journal.forgotten_bytes)

    def abandon(self) -> None:
        """Give the journal up; what was not kept is written to the next, and what is lost of the rest."""
        if (journal := self._journal) is not None:
            journal.abandon()
            self._retire()
            with contextlib.suppress(OSError):
                if journal in self._closed and not journal.holds():
                    self._give_up(journal)

    def end(self) -> None:
        """Close the journal and watch none; the next line begins another."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._closed.clear()

    def _retire(self) -> None:
        assert self._journal is not None
        self._journal.close()
        if self._journal.kept_bytes:
            self._closed.append(self._journal)
        self._journal = None

    def _give_up(self, journal: Journal) -> None:
        if journal is self._journal:
            self.abandon()
            return
        self._closed.remove(journal)
        if self._settled(journal.name) >= journal.kept_bytes and not journal.path.exists():
            return  # this process removed it itself: it is in the tables for good
        if lines := journal.remembered():
            self._owed += lines
            self._again = True
        log.warning(
            "%s was changed or removed by another program; its last %d records are written again.",
            journal.path.name,
            lines.count(b"\n"),
        )
        if (lost_bytes := journal.forgotten_bytes - journal.settled_bytes) > 0:
            log.error(
                "%d bytes of %s were no longer in memory: what of them is not in the lab is lost.",
                lost_bytes,
                journal.path.name,
            )

    def _open(self, first: int) -> None:
        self._identity.claim()
        self._number += 1
        stream = self._identity.process + self._suffix + (AGAIN if self._again else "")
        name = JournalName(stream, self._number, first, SCHEMA, self._identity.process)
        self._journal = Journal(self._identity.folder, name)
