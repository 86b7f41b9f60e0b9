"""Labkit's processes take turns at the lab's file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.errors import StoreError, StoreLocked
from labkit.store.database_lock import age_s, passed
from labkit.store.journal_directory import JournalDirectory


def test_one_passes_at_a_time(path: Path) -> None:
    """Who comes second waits, and is told who is inside."""
    folder = JournalDirectory(path)
    refused = pytest.raises(StoreLocked, match=rf"in use by this kernel \(process {os.getpid()}\)")
    with passed(folder, wait_s=0.0), refused, passed(folder, wait_s=0.0):
        pytest.fail("two are inside")
    with passed(folder, wait_s=0.0):
        pass


def test_an_error_inside_opens_it(path: Path) -> None:
    """An error, an interrupt too, leaves the gate free."""
    folder = JournalDirectory(path)
    with pytest.raises(KeyboardInterrupt), passed(folder, wait_s=0.0):
        raise KeyboardInterrupt
    with passed(folder, wait_s=0.0):
        pass


def test_it_tells_when_somebody_last_passed(path: Path) -> None:
    """The age of the last passage is what spaces out the folds of all processes."""
    folder = JournalDirectory(path)
    assert age_s(folder) == float("inf")
    with passed(folder, wait_s=0.0):
        pass
    assert age_s(folder) < 60
    os.utime(folder.gate, (0, 0))
    assert age_s(folder) > 1_000_000


def test_a_folder_that_cannot_be_made_is_named(path: Path) -> None:
    """Where there is no place for the gate, the fault is the folder's."""
    with (
        pytest.raises(StoreError, match="does not exist"),
        passed(JournalDirectory(path.parent / "a" / "b" / "lab"), wait_s=0.0),
    ):
        pass
