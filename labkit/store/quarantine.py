"""Journal lines that could not be taken in, put aside in `.bad` files beside the journals.

It does not know why a line is bad, nor the tables that list them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from labkit.store.journal_directory import JournalDirectory


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that could not be taken in, and why. `kept_in` is the file that keeps it."""

    journal: str
    at_byte: int
    raw: bytes = field(repr=False)
    why: str
    kept_in: str = ""


def keep(folder: JournalDirectory, found: Iterable[Bad]) -> list[Bad]:
    """Put the bad lines aside, durably, before the tables say that they were read."""
    kept: dict[str, list[Bad]] = {}
    for bad in found:
        kept.setdefault(bad.journal, []).append(bad)
    done = []
    for journal, lines in kept.items():
        lines.sort(key=lambda bad: bad.at_byte)
        file = f"{journal}.{lines[0].at_byte}.bad"
        fd = os.open(folder.path / file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(b"".join(bad.raw for bad in lines))
            out.flush()
            os.fsync(out.fileno())
        done += [replace(bad, kept_in=file) for bad in lines]
    return done
