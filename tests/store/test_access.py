"""Every opening goes through the gate; a reading shows what is on disk; nothing is made by looking."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreError, StoreLocked
from labkit.store import Store, access, fold, fold_progress, journal_directory
from labkit.store.duckdb_instance import Instance
from labkit.store.file_locks import FileLock, is_held
from labkit.store.journal_directory import JournalDirectory

Put = Callable[..., None]


def test_the_gate_is_held_at_every_opening(
    store: Store, put: Put, make: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked of the store, DuckDB opens the lab's file only while this process holds the gate."""
    from labkit.prompts import Prompt

    gate = JournalDirectory(path).gate
    opened: list[str] = []
    real = duckdb.connect

    def watched(database: Any = ":memory:", *rest: Any, **how: Any) -> Any:
        if str(database) == str(path):
            assert is_held(gate), "the lab was opened outside the gate"
            opened.append(str(database))
        return real(database, *rest, **how)

    attach = Instance.attach

    def watched_too(instance: Instance) -> Any:
        assert is_held(gate), "the lab was attached outside the gate"
        opened.append("attached")
        return attach(instance)

    monkeypatch.setattr(duckdb, "connect", watched)
    monkeypatch.setattr(Instance, "attach", watched_too)
    store.check_writable()
    put(make.run(), make.generation("a"))
    store.fold()
    store.checkpoint()
    store.generations()
    store.runs()
    store.sql("from generations")
    store.save_prompt(Prompt("p", "hello"))
    store.spent("run-1")
    store.backup(path.with_name("copy.duckdb"))
    store.export(path.with_name("export"))
    assert len(opened) >= 11
    assert not is_held(gate)


@pytest.mark.unshared("a shared lab is made where it is looked at")
def test_looking_at_nothing_makes_nothing(path: Path) -> None:
    """Every reading of a lab that is not there is empty, has its columns, and leaves no file or folder."""
    store = Store(path)
    assert list(store.runs().columns)[:3] == ["run_id", "plan_id", "experiment"]
    assert store.generations().empty
    assert store.settled("r") == frozenset()
    assert store.unfinished("p", fresh=False) is None
    assert store.spent("r") == 0.0
    assert store.run_row("r") is None
    assert store.sql("from scores").empty
    assert store.saved_prompts() == []
    assert list(path.parent.iterdir()) == []


@pytest.mark.unshared("a shared lab is made when it meets its server")
def test_a_lab_is_made_when_there_is_something_to_keep(store: Store, put: Put, make: Any, path: Path) -> None:
    """Journalled rows make the lab at the first fold."""
    put(make.generation())
    assert not path.exists()
    store.fold()
    assert path.exists()


def test_a_taken_gate_is_waited_for_and_its_holder_named(
    store: Store, put: Put, make: Any, path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """A read waits for another process's fold, and after its wait names that process; puts do not wait."""
    put(make.generation("a"))
    code = """
import sys
from pathlib import Path
from labkit.store.journal_directory import JournalDirectory
from labkit.store.database_lock import passed
with passed(JournalDirectory(Path(sys.argv[1])), wait_s=0):
    print("held", flush=True)
    sys.stdin.readline()
"""
    process = python(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    store.wait_s = 0.1
    put(make.generation("b"))
    with pytest.raises(StoreLocked, match=rf"in use by process {process.pid} .*waited 0\.1 s.*suspended"):
        store.generations()
    threading.Timer(0.05, process.kill).start()
    store.wait_s = 30.0
    assert len(store.generations()) == 2


@pytest.mark.unshared("it counts each wait of this thread")
def test_long_folds_let_others_in(
    store: Store, put: Put, make: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold of much gives the gate away between its turns, and a reading still shows all there was."""
    monkeypatch.setattr(fold_progress, "SLICE_S", 0.0)
    monkeypatch.setattr(fold, "BATCH_LINES", 10)
    put(*(make.generation(f"g{number}") for number in range(60)))
    free: list[bool] = []
    gate = JournalDirectory(path).gate
    here, real = threading.current_thread(), time.sleep

    def between_turns(seconds: float) -> None:
        if threading.current_thread() is here:
            free.append(not is_held(gate))
        else:
            real(seconds)

    monkeypatch.setattr(time, "sleep", between_turns)
    assert len(store.generations()) == 60
    assert free == [True] * 5
    put(*(make.generation(f"h{number}") for number in range(30)))
    assert store.fold().rows == 30


def test_a_reading_does_not_chase_a_flood(
    store: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading ends with what was on disk when it began, however much is written meanwhile."""
    monkeypatch.setattr(fold_progress, "SLICE_S", 0.0)
    monkeypatch.setattr(fold, "BATCH_LINES", 10)
    monkeypatch.setattr(access, "TURN_S", 0.0)
    put(*(make.generation(f"g{number}") for number in range(40)))
    number = iter(range(40, 10**9))
    real = fold_progress.FoldProgress.fold

    def flooded(self: Any, *rest: Any) -> Any:
        put(*(make.generation(f"g{next(number)}") for _ in range(20)))
        return real(self, *rest)

    monkeypatch.setattr(fold_progress.FoldProgress, "fold", flooded)
    assert len(store.generations()) >= 40


def test_threads_take_turns(store: Store, put: Put, make: Any) -> None:
    """Reads, folds and puts from many threads at once all work, and each row is there once."""
    faults: list[BaseException] = []

    def work(part: int) -> None:
        try:
            for number in range(5):
                store.writer().put(make.generation(f"{part}-{number}"))
                store.writer().flush()
                assert f"{part}-{number}" in set(
                    store.generations(columns=["generation_id"])["generation_id"]
                )
        except BaseException as error:  # noqa: BLE001 - told in the test's thread
            faults.append(error)

    store.wait_s = 60.0
    threads = [threading.Thread(target=work, args=(part,)) for part in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(store.generations()) == 25


def test_an_interrupt_in_a_fold_leaves_the_lab_whole(
    store: Store, put: Put, make: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of a fold rolls it back, frees the gate, and the next read shows all, once."""
    put(make.generation("a"), make.generation("b"))
    real = fold.insert

    def interrupted(*what: Any) -> None:
        real(*what)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fold, "insert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.generations()
    assert not is_held(JournalDirectory(path).gate)
    assert store.generations()["generation_id"].tolist() == ["a", "b"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="it mounts a file system")
def test_a_full_disk_loses_nothing(
    small_disk: Path, make: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """F28: when the disk is full what is in flight goes into the reserve's room, and trouble is told; then
    nothing more is acknowledged, and reads still work; with room again everything comes in, once."""
    from labkit.store import group_commit

    monkeypatch.setattr(group_commit, "RETRY_S", 0.02)
    monkeypatch.setattr(journal_directory, "RESERVE_BYTES", 2 * 2**20)
    store = Store(small_disk / "lab.duckdb", wait_s=5.0)
    store._shared.background.start = lambda: None  # type: ignore[method-assign]
    store.check_writable()
    writer = store.writer()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 14 * 2**20)
    stored: list[str] = []
    put: list[str] = []

    def put_one() -> None:
        name = f"g{len(put)}"
        put.append(name)
        writer.generation(make.generation(name, text="x" * 50_000), lambda name=name: stored.append(name))
        writer.flush()

    while writer.trouble is None:
        put_one()
    assert "used its reserve" in str(writer.trouble)
    assert stored == put
    assert not (small_disk / "lab.duckdb.journal" / "reserve").exists()
    with pytest.raises(StoreError, match="No space left"):
        store.check_writable()
    with contextlib.suppress(StoreError):
        while len(put) < 1_000:
            put_one()
    with pytest.raises(StoreError, match="Make room on the disk"):
        writer.flush()
    acknowledged = set(stored)
    assert acknowledged
    assert len(put) > len(acknowledged)
    frame = store.generations(columns=["generation_id"])
    assert "No space left" in frame.attrs["labkit"]["why"] or set(frame["generation_id"]) >= acknowledged
    ballast.unlink()
    until(lambda: len(stored) == len(put))
    writer.flush()
    store.check_writable()
    assert writer.trouble is None
    assert sorted(store.generations()["generation_id"]) == sorted(put)
    store.close()


def test_the_reserve_must_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for the reserve the lab is refused before anything is paid for."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(StoreError, match=r"cannot be written: No space left on device\. Make room"):
        Store(path).check_writable()


def test_two_stores_of_one_file_share_a_journal(path: Path, make: Any) -> None:
    """However a lab's path is written, this process has one writer and one gate for it."""
    link = path.with_name("link.duckdb")
    link.symlink_to(path)
    stores = [Store(path), Store(path.parent / "." / path.name), Store(str(link))]
    assert len({id(store._shared) for store in stores}) == 1
    stores[2].writer().put(make.generation())
    stores[0].close()
    assert len(stores[1].generations()) == 1
    assert not list(path.parent.glob("link.duckdb.journal"))
    hold = FileLock.take(JournalDirectory(path).gate)
    assert hold is not None


SIGNALLED = """
import os, random, signal, sys, threading, time
from datetime import UTC, datetime
from labkit.records import Score
from labkit.store import Store, fold

fold.BATCH_LINES = 200
store = Store(sys.argv[1])
store._shared.background.start = lambda: None
put = 0
told = set()
for seconds in (0.0, 0.005, 0.01, 0.02, 0.04, 0.06, 0.09, 0.13):
    for _ in range(4_000):
        put += 1
        row = Score(generation_id=f"g{put}", scorer="s", value=1.0, scored_at=datetime.now(UTC))
        store.writer().put(row)
    store.writer().flush()
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        while timer.is_alive():
            store.table("select count(*) from log.scores")
        time.sleep(0.05)
    except BaseException as error:
        told.add(type(error).__name__)
    timer.join()
    count = "select count(*) as n, count(distinct generation_id) as d from log.scores"
    found = store.table(count).to_pylist()
    assert found == [{"n": put, "d": put}], (found, put)
print(sorted(told))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="signals as on Linux")
def test_interrupts_in_the_middle_of_folds_leave_the_lab_whole(path: Path, python: Any) -> None:
    """F22: SIGINT at any moment of a reading's fold ends it as an interrupt, not as an error of the lab;
    the next reading in the same process shows every row, once."""
    out, err = python(SIGNALLED, path).communicate(timeout=120)
    assert out == "['KeyboardInterrupt']\n", (out, err)


@pytest.mark.unshared("both labs would have all rows")
def test_a_lab_that_was_replaced_is_not_folded_into(
    store: Store, put: Put, make: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another lab in its place is not written: what this process wrote stays in its journals, which is said
    by folds, readings and whoever begins a run; with its own lab back all comes in, once."""
    other = Store(path.with_name("other.duckdb"))
    other.writer().put(make.generation("other"))
    other.close()
    other.checkpoint()
    put(make.generation("a"))
    store.checkpoint()
    put(make.generation("b"))
    path.rename(path.with_name("aside"))
    shutil.copy(other.path, path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"replaced by another lab .* stay in lab\.duckdb\.journal: put"):
            store.fold()
    assert "is not the lab for which 1 processes wrote" in caplog.text
    assert not store.settle()
    with pytest.raises(StoreError, match="replaced by another lab"):
        store.check_writable()
    frame = store.generations()
    assert frame["generation_id"].tolist() == ["other"]
    assert frame.attrs["labkit"]["unfolded_bytes"] > 0
    assert "was replaced by another lab" in frame.attrs["labkit"]["why"]
    with store.drive("run-1"):  # a run of this process is read from its journals
        assert sorted(store.generations(run="run-1")["generation_id"]) == ["a", "b"]
    put(make.generation("c"))
    path.with_name("aside").replace(path)
    assert sorted(store.generations()["generation_id"]) == ["a", "b", "c"]
    assert sorted(store.generations()["generation_id"]) == ["a", "b", "c"]


def test_a_lab_that_was_replaced_beside_its_log_says_what_to_do(
    store: Store, put: Put, make: Any, path: Path
) -> None:
    """Where the former's log is still there DuckDB opens neither; the journals keep what is put."""
    other = Store(path.with_name("other.duckdb"))
    other.check_writable()
    other.checkpoint()
    other.close()
    put(make.generation("a"))
    store.fold()
    shutil.copy(path, path.with_name("aside"))
    other.path.replace(path)
    put(make.generation("b"))
    with pytest.raises(StoreError, match=r"replaced by another file: lab\.duckdb\.wal beside it .* Put"):
        store.fold()
    path.with_name("aside").replace(path)
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]


def test_another_process_leaves_what_is_for_another_lab(
    store: Store, put: Put, make: Any, path: Path, python: Any
) -> None:
    """A new process works with the lab that is there now, and what is for the other one stays and is said."""
    put(make.generation("a"))
    store.checkpoint()
    put(make.generation("b"))
    path.rename(path.with_name("aside"))
    other = Store(path.with_name("other.duckdb"))
    other.check_writable()
    other.checkpoint()
    other.close()
    other.path.rename(path)
    code = """
import sys
from labkit.store import Store
store = Store(sys.argv[1])
store.check_writable()
print(len(store.generations()), store.fold().left)
store.close()
"""
    out, err = python(code, path).communicate(timeout=60)
    assert out.startswith("0 "), (out, err)
    assert "is not the lab for which 1 processes wrote what lies in lab.duckdb.journal" in err
    path.with_name("aside").replace(path)
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]


def test_a_copy_that_was_restored_is_the_lab(store: Store, put: Put, make: Any, path: Path) -> None:
    """A backup of the lab in its place is the same lab, and gets what the journals have."""
    put(make.generation("a"))
    copy = store.backup(path.with_name("copy.duckdb"))
    put(make.generation("b"))
    store.checkpoint()
    copy.replace(path)
    store.check_writable()
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]


def test_a_lab_that_was_removed_is_made_again(store: Store, put: Put, make: Any, path: Path) -> None:
    """Where the lab's file is gone the journals come into the one that is made in its place."""
    put(make.generation("a"))
    store.checkpoint()
    path.unlink()
    put(make.generation("b"))
    store.check_writable()
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]
