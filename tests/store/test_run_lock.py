"""A run has one driver, and a killed driver leaves it free."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.errors import RunBusy
from labkit.store import Store
from labkit.store.journal_directory import JournalDirectory
from labkit.store.run_lock import is_driven, lock_of

DRIVE = """
import sys
from labkit.store import Store
with Store(sys.argv[1]).drive("run-1"):
    print("drives", flush=True)
    sys.stdin.readline()
"""


def test_the_second_driver_is_told_who_drives(
    path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """While a process drives a run nobody else can, and the message names it; other runs are free."""
    store = Store(path)
    process = python(DRIVE, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "drives\n"
    with (
        pytest.raises(RunBusy, match=rf"Run run-1 is driven by process {process.pid} \(python"),
        store.drive("run-1"),
    ):
        pass
    with store.drive("run-2"):
        pass
    process.kill()
    process.wait()
    with store.drive("run-1"):
        assert is_driven(JournalDirectory(path), "run-1")


def test_the_same_run_twice_in_this_kernel(path: Path) -> None:
    """The same cell run twice at once is told that this kernel drives already; afterwards it may."""
    store = Store(path)
    with store.drive("run-1"):
        with (
            pytest.raises(RunBusy, match=rf"this kernel \(process {os.getpid()}\)"),
            Store(path).drive("run-1"),
        ):
            pass
        assert is_driven(JournalDirectory(path), "run-1")
    assert not is_driven(JournalDirectory(path), "run-1")
    with store.drive("run-1"):
        pass
    assert not lock_of(JournalDirectory(path), "run-1").exists()


def test_an_error_in_the_run_frees_it(path: Path) -> None:
    """A run that ends with an error can be driven again."""
    store = Store(path)
    with pytest.raises(ZeroDivisionError), store.drive("run-1"):
        raise ZeroDivisionError
    with store.drive("run-1"):
        pass


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", "a\0b", "é" * 200, "con", "x" * 300, "\ud800", "-rf"])
def test_any_run_id_is_a_file_in_the_folder(path: Path, run_id: str) -> None:
    """A run's name cannot lead out of the folder, nor be too long for it."""
    with Store(path).drive(run_id):
        assert lock_of(JournalDirectory(path), run_id).parent == JournalDirectory(path).path
        assert is_driven(JournalDirectory(path), run_id)
        assert {file.parent for file in path.parent.rglob("run-*")} == {JournalDirectory(path).path}
