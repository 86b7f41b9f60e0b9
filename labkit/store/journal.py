"""One journal file: append whole lines, make them durable, give up cleanly.

What fails is cut back to the last durable offset and the file is written no more: a fold may already
have read part of it, so lines must never come to lie where others lay. It does not know what a line
says, nor when to begin the next file.
"""

from __future__ import annotations

import contextlib
import os
import sys

from labkit.store.journal_directory import JournalDirectory, JournalName, sync_folder

COPY_BYTES = 2**20
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Journal:
    """An open journal of this process. Not thread-safe: one thread writes it."""

    def __init__(self, folder: JournalDirectory, name: JournalName) -> None:
        self.path = folder.path / str(name)
        self.name = name
        self.kept_bytes = 0
        """How far it holds: `abandon` cuts off what is beyond."""
        self._fd = os.open(self.path, _FLAGS, 0o600)
        try:
            sync_folder(folder.path)
        except OSError:
            self.abandon()
            raise

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

    def keep(self, total_bytes: int) -> None:
        """Hold on to the first `total_bytes`: they outlive a kill, but perhaps not a power cut."""
        self.kept_bytes = total_bytes

    def sync(self, total_bytes: int) -> None:
        """Make the first `total_bytes` durable, and keep them. Raises `OSError`, as `append` does.

        A file that was removed meanwhile would keep nothing: it is written again under its name.
        """
        if os.fstat(self._fd).st_nlink == 0:
            self._write_again()
        _sync(self._fd)
        self.keep(total_bytes)

    def abandon(self) -> bool:
        """Cut off what does not hold and close for good; an empty file is removed.

        False if somebody removed the file, so that what it held is nowhere else: then it stays open, for
        `rescue`.
        """
        # If this fails, the lines past that point come again in the next journal, and the fold knows
        # them by their stamps.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self.kept_bytes)
            if self.kept_bytes == 0:
                self.path.unlink(missing_ok=True)
            elif os.fstat(self._fd).st_nlink == 0:
                return False
        self.close()
        return True

    def rescue(self) -> None:
        """Write again what an abandoned journal held, durably, and close it. Raises `OSError`."""
        self._write_again()
        _sync(self._fd)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _write_again(self) -> None:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        part = self.path.with_suffix(".again")
        fd = os.open(part, _FLAGS & ~os.O_EXCL | os.O_TRUNC, 0o600)
        try:
            os.lseek(self._fd, 0, os.SEEK_SET)
            while piece := os.read(self._fd, COPY_BYTES):
                while piece:
                    piece = piece[os.write(fd, piece) :]
            os.rename(part, self.path)
        except OSError:
            os.close(fd)
            part.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd = fd
        sync_folder(self.path.parent)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # On macOS neither fsync nor fdatasync reaches the platter; this does.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)
