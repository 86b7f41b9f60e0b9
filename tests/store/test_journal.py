"""One journal file: what is kept holds, what is not is cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.store import journal as journal_module
from labkit.store.journal import Journal
from labkit.store.journal_directory import JournalDirectory, JournalName
from tests.store.tampering import TAMPERINGS, overwrite

NAME = JournalName("7-00000000", 1, 1, 1, "7-00000000")


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    folder = JournalDirectory(path)
    folder.make()
    made = Journal(folder, NAME)
    yield made
    made.close()


def test_abandon_keeps_what_is_durable(journal: Journal) -> None:
    """What was appended after the last sync is cut off, and the rest stays."""
    journal.append(b"one\n")
    journal.sync()
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
    journal.keep()
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
        Journal(JournalDirectory(journal.path.parent.parent / "lab.duckdb"), NAME)


@pytest.mark.parametrize("how", TAMPERINGS)
def test_what_another_program_did_is_seen(
    how: str, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed in any way behind our back it does not stand; abandoned it gives back what is not there."""
    monkeypatch.setattr("labkit.store.journal.COMPARE_BYTES", 3)
    journal.append(b"one\n")
    journal.sync()
    journal.append(b"two\n")
    journal.keep()
    assert journal.holds()
    TAMPERINGS[how](journal.path)
    assert journal.holds() == (how == "longer")  # what was kept is there, and no more is appended
    journal.abandon()
    assert journal.holds() == (how == "longer")
    assert journal.remembered() == b"one\ntwo\n"
    if how == "longer":
        assert journal.path.read_bytes() == b"one\ntwo\n"


def test_what_is_forgotten_is_not_compared(journal: Journal) -> None:
    """Whole pieces before a place are forgotten, and only what is kept; the rest is still watched."""
    for lines in (b"one\n", b"two\n", b"three\n"):
        journal.append(lines)
        journal.keep()
    journal.append(b"four\n")
    journal.forget(7)
    assert journal.forgotten_bytes == 4
    overwrite(journal.path, 1)
    assert journal.holds()
    overwrite(journal.path, 5)
    assert not journal.holds()
    journal.forget(100)
    assert journal.forgotten_bytes == journal.kept_bytes == 14
    journal.abandon()
    assert journal.remembered() == b""


@pytest.mark.parametrize("how", ["emptied", "cut within a line", "longer", "removed"])
def test_what_was_tampered_with_is_not_called_durable(how: str, journal: Journal) -> None:
    """Nothing is appended to a removed, cut or longer file: the lines would not be where they should be."""
    journal.append(b"one\n")
    journal.sync()
    TAMPERINGS[how](journal.path)
    with pytest.raises(OSError, match="is not what was written"):
        journal.append(b"two\n")


def test_a_file_is_read_only_where_it_was_written_since(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """A journal that nobody writes is compared once; one that was only touched holds. An overwritten one is
    compared again, even if its times were set back."""
    monkeypatch.setattr(journal_module, "TICK_NS", -1)
    journal.append(b"one\n")
    journal.sync()
    os.utime(journal.path, ns=(0, 10**18))
    assert journal.holds()
    monkeypatch.setattr(os, "read", None)
    assert journal.holds()
    monkeypatch.undo()
    compared = journal.path.stat()

    def overwritten() -> bool:
        overwrite(journal.path)
        return journal.path.stat().st_ctime_ns != compared.st_ctime_ns

    until(overwritten)
    assert journal.path.stat().st_mtime_ns == compared.st_mtime_ns
    assert not journal.holds()


def test_macos_asks_the_disk_itself(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `fdatasync` does not reach the platter, `F_FULLFSYNC` is used; elsewhere `fsync` if need be."""
    import fcntl

    asked: list[Any] = []
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda fd, what: asked.append(what))
    journal.append(b"one\n")
    journal.sync()
    assert asked == [51]
    monkeypatch.undo()
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", lambda fd: asked.append("fsync"))
    journal.sync()
    assert asked == [51, "fsync"]
