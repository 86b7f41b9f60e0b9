"""A fork and an open lab: the child opens labs as ever, or is told why not; it never waits for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.store import Store, forking
from labkit.store.file_locks import is_held

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
Put = Callable[..., None]


def ended(child: int, within_s: float = 30.0) -> int:
    """The exit code of a child, which must end."""
    deadline = time.monotonic() + within_s
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(found[1])


def forked(act: Callable[[], object], before: Callable[[], object] = lambda: None) -> int:
    """How a child ended that did `act`: 0, or 1 if that raised, with its words on stderr. The parent does
    `before` first."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(there)
            os.read(here, 1)
            act()
            code = 0
        except BaseException as error:  # noqa: BLE001 - told by the exit code
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    before()
    os.close(there)
    os.close(here)
    return ended(child)


class Reader:
    """Another thread, which has the lab open until it is told to close it."""

    def __init__(self, store: Store) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._read, args=(store,))
        self.thread.start()
        assert self.inside.wait(30)

    def _read(self, store: Store) -> None:
        with store._reading() as reading:
            reading.connection.execute("select count(*) from generations")
            self.inside.set()
            assert self.leave.wait(60)


def test_a_fork_waits_for_another_threads_opening(store: Store, put: Put, make: Any) -> None:
    """The child of a fork in the middle of a reading reads, writes and folds; the lab stays open to all."""
    put(make.generation("a"))
    reader = Reader(store)
    threading.Timer(0.3, reader.leave.set).start()

    def use() -> None:
        store.writer().put(make.generation("b"))
        store.writer().flush(timeout_s=10)
        store.fold()
        assert len(store.generations()) == 2

    assert forked(use) == 0
    reader.thread.join()
    assert not is_held(store._folder().gate)
    assert store.generations()["generation_id"].tolist() == ["a", "b"]


def test_a_child_of_a_long_reading_is_told(
    store: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the other thread reads too long the fork goes on, and the child is told and holds nothing."""
    monkeypatch.setattr(forking, "FORK_S", 0.05)
    put(make.generation("a"))
    codes = []
    for use in (
        store.generations,
        lambda: store._shared.access.fold(force=True),
        lambda: store.sql("from runs"),
    ):
        reader = Reader(store)

        def leave(reader: Reader = reader) -> None:
            reader.leave.set()
            reader.thread.join()

        codes.append(forked(use, leave))
    assert codes == [1, 1, 1]
    assert capfd.readouterr().err.count("StoreError: This process was forked while a lab was open") == 3
    assert not is_held(store._folder().gate)
    assert len(store.generations()) == 1


def test_openings_wait_while_a_fork_is_under_way(store: Store, put: Put, make: Any) -> None:
    """Forks and readings of many threads never wait for each other for ever."""
    put(make.generation("a"))
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            assert len(store.generations()) == 1
            over.wait(0.02)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        codes = [forked(store.generations) for _ in range(8)]
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert codes == [0] * 8


HOLDER = """
import os, sys, threading, time
from pathlib import Path
from labkit.store.file_locks import FileLock

path, over = Path(sys.argv[1]), threading.Event()

def take():
    while not over.is_set():
        hold = FileLock.take(path)
        if hold is not None:
            hold.release()

threading.Thread(target=take, daemon=True).start()
children = []
for _ in range(40):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    children.append(child)
print(*children, flush=True)
time.sleep(60)
"""


def test_no_child_keeps_a_lock_of_its_parent(tmp_path: Path, python: Any, until: Any) -> None:
    """Forked at any moment while another thread takes and releases a lock, a child that lives on after its
    parent was killed keeps nobody out, once it has run at all."""
    process = python(HOLDER, tmp_path / "lock")
    children = [int(child) for child in process.stdout.readline().split()]
    try:
        process.kill()
        process.wait()
        until(lambda: not is_held(tmp_path / "lock"))
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
