"""One journal file: append whole lines, make them durable, give up cleanly.

What fails is cut back to the last durable offset and the file is written no more: a fold may already
have read part of it, so lines must never come to lie where others lay. Its lines stay in memory until
`forget`, so that it is known whether another program changed them. It does not know what a line says, nor
when to begin the next file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Iterator

from labkit.store.journal_directory import JournalDirectory, JournalName, sync_folder

COMPARE_BYTES = 2**18
TICK_NS = 50_000_000
"""No file system that has locks tells times apart less finely."""
_BINARY = getattr(os, "O_BINARY", 0)
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | _BINARY
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _BINARY


class Journal:
    """A journal of this process. Not thread-safe, but for `holds` and `forget`: one thread writes it."""

    def __init__(self, folder: JournalDirectory, name: JournalName) -> None:
        self.path = folder.path / str(name)
        self.name = name
        self.written_bytes = 0
        """How long it is, with what does not hold yet."""
        self.kept_bytes = 0
        """How far it holds: `abandon` cuts off what is beyond."""
        self.forgotten_bytes = 0
        """How much of it is not in memory any more."""
        self.settled_bytes = 0
        """How much of it was in the tables for good when it was last found as it was written."""
        self._pieces: deque[bytes] = deque()
        self._seen: tuple[int, int] | None = None
        self._fd = os.open(self.path, _FLAGS, 0o600)
        self._status = os.fstat(self._fd)
        try:
            sync_folder(folder.path)
        except OSError:
            self.abandon()
            raise

    def append(self, lines: bytes) -> None:
        """Write whole lines to the file; they hold once `keep` or `sync` says so.

        Raises `OSError`, also if the file was removed, cut or added to meanwhile: the lines are not where
        they should be. Then only `abandon` is left.
        """
        rest = memoryview(lines)
        while rest:
            written = os.write(self._fd, rest)
            if written == 0:
                raise OSError(f"nothing could be written to {self.path.name}")
            rest = rest[written:]
        self._pieces.append(lines)
        self.written_bytes += len(lines)
        status = os.fstat(self._fd)
        if status.st_nlink == 0 or status.st_size != self.written_bytes:
            raise OSError(f"{self.path.name} is not what was written")

    def keep(self) -> None:
        """Hold on to what was appended: it outlives a kill, but perhaps not a power cut."""
        self.kept_bytes = self.written_bytes

    def sync(self) -> None:
        """Make what was appended durable, and keep it. Raises `OSError`, as `append` does."""
        _sync(self._fd)
        self.keep()

    def close(self) -> None:
        """Write it no more. It can still be looked at."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """Cut off what does not hold and close for good; an empty file is removed."""
        # If the cut fails, the lines past that point come again in the next journal, and the fold knows
        # them by their stamps.
        with contextlib.suppress(OSError):
            if os.fstat(self._fd).st_size >= self.kept_bytes:
                os.ftruncate(self._fd, self.kept_bytes)
            if self.kept_bytes == 0:
                self.path.unlink(missing_ok=True)
        while self.written_bytes > self.kept_bytes and self._pieces:
            self.written_bytes -= len(self._pieces.pop())
        self.close()

    # -- what another program may have done ----------------------------------------------------------

    def holds(self) -> bool:
        """Whether the file is there and has, byte for byte, what is in memory of it.

        Any thread may ask, also while another appends. It is read only if it was written since it was last
        compared. Raises `OSError` if that cannot be told.
        """
        kept_bytes, at_byte = self.kept_bytes, self.forgotten_bytes
        try:
            now_ns, status = time.time_ns(), os.stat(self.path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not os.path.samestat(status, self._status) or status.st_size < kept_bytes:
            return False
        # The time of a change cannot be set back, as that of a writing can.
        seen = status.st_ctime_ns, kept_bytes
        if seen == self._seen:
            return True
        fd = os.open(self.path, _READ)
        try:
            os.lseek(fd, at_byte, os.SEEK_SET)
            for block in _blocks(list(self._pieces)):
                if os.read(fd, len(block)) != block:
                    return False
        finally:
            os.close(fd)
        # What is changed within one tick of the file system's clock leaves the same time.
        self._seen = seen if abs(now_ns - status.st_ctime_ns) > TICK_NS else None
        return True

    def forget(self, upto: int) -> None:
        """Keep what lies before that place in memory no longer; not while `holds` is asked."""
        while self._pieces and self.forgotten_bytes + len(self._pieces[0]) <= min(upto, self.kept_bytes):
            self.forgotten_bytes += len(self._pieces.popleft())

    def remembered(self) -> bytes:
        """What an abandoned journal holds, as far as it is in memory."""
        return b"".join(self._pieces)


def _blocks(pieces: list[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= COMPARE_BYTES:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # On macOS neither fsync nor fdatasync reaches the platter; this does.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)
