"""One journal file: what is kept holds, what is not is cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.store.journal import Journal
from labkit.store.journal_directory import JournalDirectory, JournalName


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    folder = JournalDirectory(path)
    folder.make()
    made = Journal(folder, JournalName("7-00000000", 1, 1, 1, "7-00000000"))
    yield made
    made.close()


def test_abandon_keeps_what_is_durable(journal: Journal) -> None:
    """What was appended after the last sync is cut off, and the rest stays."""
    journal.append(b"one\n")
    journal.sync(4)
    journal.append(b"two\n")
    journal.abandon()
    assert journal.path.read_bytes() == b"one\n"


def test_abandon_of_nothing_leaves_no_file(journal: Journal) -> None:
    """A journal in which nothing held is removed."""
    journal.append(b"one\n")
    journal.abandon()
    assert not journal.path.exists()


def test_kept_is_kept_without_a_sync(journal: Journal) -> None:
    """Intents are kept without waiting for the disk."""
    journal.append(b"one\n")
    journal.keep(4)
    journal.abandon()
    assert journal.path.read_bytes() == b"one\n"


def test_short_writes_are_continued(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes only a part is followed by one of the rest; one that takes nothing is an error."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    journal.append(b"a longer line\n")
    assert journal.path.read_bytes() == b"a longer line\n"
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    with pytest.raises(OSError, match="nothing could be written"):
        journal.append(b"x\n")


def test_a_journal_is_private(journal: Journal) -> None:
    """The file is 0600, and a name is never used twice."""
    assert oct(journal.path.stat().st_mode & 0o777) == "0o600"
    with pytest.raises(FileExistsError):
        Journal(JournalDirectory(journal.path.parent.parent / "lab.duckdb"), journal.name)


def test_a_removed_file_comes_back_whole(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed behind our back, the file is written again under its name with all it had."""
    monkeypatch.setattr("labkit.store.journal.COPY_BYTES", 3)
    journal.append(b"one\n")
    journal.sync(4)
    journal.path.unlink()
    journal.append(b"two\n")
    journal.sync(8)
    assert journal.path.read_bytes() == b"one\ntwo\n"
    journal.append(b"three\n")
    journal.sync(14)
    assert journal.path.read_bytes() == b"one\ntwo\nthree\n"


def test_macos_asks_the_disk_itself(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `fdatasync` does not reach the platter, `F_FULLFSYNC` is used; elsewhere `fsync` if need be."""
    import fcntl

    asked: list[Any] = []
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda fd, what: asked.append(what))
    journal.append(b"one\n")
    journal.sync(4)
    assert asked == [51]
    monkeypatch.undo()
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", lambda fd: asked.append("fsync"))
    journal.sync(4)
    assert asked == [51, "fsync"]
