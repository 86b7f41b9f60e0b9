"""One journal file: append whole lines, make them durable, give up cleanly.

What fails is cut back to the last durable offset and the file is written no more: a fold may already
have read part of it, so lines must never come to lie where others lay. While it is open its lines stay in
memory, so that it is known whether another program changed them. It does not know what a line says, nor
when to begin the next file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from labkit.store.journal_directory import JournalDirectory, JournalName, sync_folder

COMPARE_BYTES = 2**20
TICK_NS = 50_000_000
"""No file system that has locks tells times apart less finely."""
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Journal:
    """An open journal of this process. Not thread-safe: one thread writes it."""

    def __init__(self, folder: JournalDirectory, name: JournalName) -> None:
        self.path = folder.path / str(name)
        self.kept_bytes = 0
        """How far it holds: `abandon` cuts off what is beyond."""
        self._lines = bytearray()
        self._compared_ns: int | None = None
        self._fd = os.open(self.path, _FLAGS, 0o600)
        try:
            sync_folder(folder.path)
        except OSError:
            self.abandon()
            raise

    @property
    def written_bytes(self) -> int:
        """How long it is, with what does not hold yet."""
        return len(self._lines)

    def append(self, lines: bytes) -> None:
        """Write whole lines to the file; they hold once `keep` or `sync` says so.

        Raises `OSError`; then only `abandon` is left.
        """
        rest = memoryview(lines)
        while rest:
            written = os.write(self._fd, rest)
            if written == 0:
                raise OSError(f"nothing could be written to {self.path.name}")
            rest = rest[written:]
        self._lines += lines

    def keep(self) -> None:
        """Hold on to what was appended: it outlives a kill, but perhaps not a power cut."""
        self.kept_bytes = self.written_bytes

    def sync(self) -> None:
        """Make what was appended durable, and keep it. Raises `OSError`, as `append` does, also if the file
        was removed or cut meanwhile: it would keep nothing."""
        status = os.fstat(self._fd)
        if status.st_nlink == 0 or status.st_size != self.written_bytes:
            raise OSError(f"{self.path.name} is not what was written")
        _sync(self._fd)
        self.keep()

    def stands(self) -> bool:
        """Whether the file is there, and is what was written. Raises `OSError` if that cannot be told.

        It is read only where it was written since it was last compared.
        """
        here = os.fstat(self._fd)
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not os.path.samestat(here, there) or here.st_size != self.written_bytes:
            return False
        if here.st_mtime_ns == self._compared_ns:
            return True
        now_ns = time.time_ns()
        if not self._holds():
            return False
        # What is written within one tick of the file system's clock leaves the same time.
        self._compared_ns = here.st_mtime_ns if abs(now_ns - here.st_mtime_ns) > TICK_NS else None
        return True

    def abandon(self) -> bytes:
        """Cut off what does not hold and close for good; an empty file is removed.

        Gives the lines that should hold, if they are not all in the file: somebody changed or took it.
        """
        kept, lost = bytes(self._lines[: self.kept_bytes]), True
        # If the cut fails, the lines past that point come again in the next journal, and the fold knows
        # them by their stamps.
        with contextlib.suppress(OSError):
            if os.fstat(self._fd).st_size >= len(kept):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, len(kept))
            del self._lines[len(kept) :]
            if kept:
                lost = not (os.path.samestat(os.fstat(self._fd), os.stat(self.path)) and self._holds())
            else:
                self.path.unlink(missing_ok=True)
        self.close()
        return kept if lost else b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _holds(self) -> bool:
        """Whether the file begins with all lines, byte for byte."""
        at_byte = 0
        with memoryview(self._lines) as lines:
            while at_byte < len(lines):
                os.lseek(self._fd, at_byte, os.SEEK_SET)
                piece = os.read(self._fd, COMPARE_BYTES)
                if not piece or piece[: len(lines) - at_byte] != lines[at_byte : at_byte + len(piece)]:
                    return False
                at_byte += len(piece)
        return True


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # On macOS neither fsync nor fdatasync reaches the platter; this does.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)
