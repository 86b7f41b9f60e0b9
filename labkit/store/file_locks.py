"""Exclusive locks on files, held until released or until the process is gone.

A hold is the operating system's (`flock`; on Windows `LockFileEx`), so a killed process leaves none
behind. A child made by `fork` drops what it inherited. It does not know what a hold protects.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

import msgspec
from filelock import lock_descriptor, unlock_descriptor

POLL_S = 0.02
_FLAGS = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_LOOK = _FLAGS & ~(os.O_CREAT | os.O_RDWR) | os.O_RDONLY
_all: weakref.WeakSet[FileLock] = weakref.WeakSet()
_no_fork = threading.Lock()
"""Held between opening a file and noting that: a child forked then would keep it open, unknown to itself."""


class FileLock:
    """A held lock. Take one with `FileLock.take`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd: int | None = fd
        _all.add(self)

    @classmethod
    def take(cls, path: Path, *, wait_s: float = 0.0) -> FileLock | None:
        """Hold `path`, made if need be, or None if another has it after `wait_s`. Threads exclude each
        other as processes do. Raises `OSError` where the file cannot be made or locked at all."""
        deadline = time.monotonic() + wait_s
        while True:
            if (hold := cls._try(path)) is not None:
                return hold
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            # Waiting in the lock itself has no end. By chance, so that no two look again together, and not by
            # the process's own, which a notebook may have seeded.
            time.sleep(min(left_s, POLL_S * SystemRandom().uniform(0.1, 1.0)))

    @classmethod
    def _try(cls, path: Path, flags: int = _FLAGS) -> FileLock | None:
        with _no_fork:
            hold = cls(path, os.open(path, flags, 0o600))
        try:
            # The file may have been removed, or removed and made again, between open and lock.
            taken = lock_descriptor(hold._fd if hold._fd is not None else -1, blocking=False) and hold.stands
        except BaseException:
            hold._forget()
            raise
        if not taken:
            hold._forget()
            return None
        return hold

    def __del__(self) -> None:
        self._forget()

    @property
    def stands(self) -> bool:
        """Whether the file is still there: if somebody removed it, others could hold a new one."""
        try:
            here, there = os.fstat(self._fd if self._fd is not None else -1), os.stat(self.path)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def sign(self) -> None:
        """Write into the file who holds it, for those who wait."""
        if self._fd is None:
            return
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "program": os.path.basename(sys.executable or "python"),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # on a full disk nobody can sign, and holds all the same
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, msgspec.json.encode(note))

    def release(self, *, remove: bool = False) -> None:
        """Let go; `remove` deletes the file while it is still held."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            if remove:
                with contextlib.suppress(OSError):
                    self.path.unlink()
            # A child forked meanwhile has the same open file; only an explicit unlock frees it for all.
            unlock_descriptor(fd)
        finally:
            os.close(fd)

    def _forget(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


@contextlib.contextmanager
def held(path: Path, *, wait_s: float = 0.0) -> Iterator[FileLock | None]:
    """`FileLock.take` for the length of a `with` block."""
    hold = FileLock.take(path, wait_s=wait_s)
    try:
        yield hold
    finally:
        if hold is not None:
            hold.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds `path`, or may: one that this user cannot open counts as held. A file that
    is not there is held by nobody."""
    try:
        if not path.exists():
            return False
        try:
            hold = FileLock._try(path)
        except OSError:
            # What can only be read can be locked all the same, but not on every network disk.
            hold = FileLock._try(path, _LOOK)
    except OSError:
        return True
    if hold is None:
        return True
    hold.release()
    return False


def holder(path: Path) -> str:
    """Who signed the lock file: `process 4711 (python3.11) on host since …`, or `another process`."""
    try:
        note: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if note["pid"] == os.getpid() and note["host"] == socket.gethostname():
            return f"this kernel (process {note['pid']})"
        return f"process {note['pid']} ({note['program']}) on {note['host']} since {note['since']}"
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return "another process"


def holder_is_stopped(path: Path) -> bool:
    """Whether who signed the lock file is a process of this machine that stands still, by a signal or in a
    debugger: it may hold the lock for ever. Where the system does not tell, it does not."""
    try:
        note: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if note["host"] != socket.gethostname():
            return False
        state = Path(f"/proc/{int(note['pid'])}/stat").read_bytes().rpartition(b") ")[2][:1]
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return False
    return state in (b"T", b"t")


def _drop_inherited() -> None:
    _no_fork.release()
    for hold in list(_all):
        hold._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_drop_inherited
    )
