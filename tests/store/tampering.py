"""What another program may do to a file that a process writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def overwrite(path: Path, at_byte: int = 1, data: bytes = b"X") -> None:
    """Change bytes of the file in their place, and leave its times as they were."""
    times = path.stat()
    with open(path, "r+b") as file:
        file.seek(at_byte)
        file.write(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(data)
    new.replace(path)


def _copy(path: Path) -> None:
    shutil.copy2(path, path.with_name("new"))
    path.with_name("new").replace(path)


TAMPERINGS: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: os.truncate(path, 0),
    "cut within a line": lambda path: os.truncate(path, path.stat().st_size - 3),
    "overwritten": overwrite,
    "overwritten whole": lambda path: overwrite(path, 0, b"\0" * path.stat().st_size),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "without its first line": lambda path: path.write_bytes(path.read_bytes().split(b"\n", 1)[1]),
    "edited": lambda path: _replace(path, path.read_bytes().split(b"\n", 1)[1]),
    "replaced": lambda path: _replace(path, b"x"),
    "a copy in its place": _copy,
    "moved": lambda path: path.rename(path.with_name("elsewhere")),
    "removed": lambda path: path.unlink(),
}
