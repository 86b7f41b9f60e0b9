"""What is acknowledged is on disk; what is not stays queued; nothing is written twice."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError, StoreError
from labkit.records import Request
from labkit.store import group_commit, journal_line, per_process_journal
from labkit.store.journal import Journal
from labkit.store.journal_directory import JournalDirectory, JournalName
from labkit.store.writer import Writer
from tests.store.tampering import TAMPERINGS


@pytest.fixture
def folder(path: Path) -> JournalDirectory:
    return JournalDirectory(path)


@pytest.fixture
def writer(folder: JournalDirectory) -> Iterator[Writer]:
    made = Writer(folder)
    yield made
    made.close()


def lines_in(folder: JournalDirectory, *, broken: bool = False) -> list[Any]:
    """All whole lines in all journals, parsed, in the order of files; without the `broken` ones, or there
    are none."""
    found = []
    for name, _ in folder.journals():
        for raw in (folder.path / str(name)).read_bytes().split(b"\n")[:-1]:
            try:
                found.append(journal_line.parse(raw))
            except journal_line.BrokenLine:
                assert broken
    return found


def ids_in(folder: JournalDirectory) -> list[str]:
    return [parsed.row.generation_id for parsed in lines_in(folder) if parsed.kind.tag == "generation"]


class Failing:
    """Fails a system call of this process's journals at chosen calls; all others pass."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: JournalDirectory, call: str, *errors: Any
    ) -> None:
        self.calls = 0
        real = getattr(os, call)
        left = list(errors)

        def failing(fd: int, *rest: Any) -> Any:
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.endswith(".journal") or (".jsonl" in target and "-intents" not in target):
                self.calls += 1
                if left:
                    error = left.pop(0)
                    if error == "short":
                        return real(fd, bytes(rest[0])[: len(rest[0]) // 2])
                    if error is not None:
                        raise OSError(error, os.strerror(error))
            return real(fd, *rest)

        monkeypatch.setattr(os, call, failing)


def test_acknowledged_means_on_disk(writer: Writer, folder: JournalDirectory, make: Any) -> None:
    """When `stored` is called, the line is in the file and synced."""
    seen: list[bool] = []
    for number in range(50):
        name = f"g{number}"
        writer.generation(make.generation(name), lambda name=name: seen.append(name in ids_in(folder)))
    writer.flush()
    assert seen == [True] * 50


def test_stored_is_called_after_the_sync(writer: Writer, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is acknowledged before `fdatasync` has returned."""
    order: list[str] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (real(fd), order.append("sync")))
    writer.generation(make.generation(), lambda: order.append("stored"))
    writer.flush()
    assert order == ["sync", "stored"]


def test_a_flood_shares_its_syncs(writer: Writer, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand records of several threads need far fewer syncs, and every one is acknowledged once."""
    syncs = 0
    real = os.fdatasync

    def counting(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        real(fd)

    monkeypatch.setattr(os, "fdatasync", counting)
    stored: list[str] = []

    def put(part: int) -> None:
        for number in range(2_500):
            name = f"g{part}-{number}"
            writer.generation(make.generation(name), lambda name=name: stored.append(name))

    threads = [threading.Thread(target=put, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    assert len(stored) == len(set(stored)) == 10_000
    assert syncs < 2_000


def test_an_intent_is_in_the_file_when_put_returns(
    writer: Writer, folder: JournalDirectory, make: Any
) -> None:
    """Before the request leaves, its intent is in the page cache, where a kill cannot reach it."""
    writer.intent(make.intent("g7"))
    assert [parsed.row.generation_id for parsed in lines_in(folder)] == ["g7"]


def test_stamps_rise_even_if_the_clock_goes_back(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of a process has a greater stamp than all before it."""
    clock = iter([5_000_000, 4_000_000, 4_000_000, 9_000_000] + [1_000_000] * 100)
    monkeypatch.setattr(per_process_journal.time, "time_ns", lambda: next(clock) * 1000)
    for number in range(6):
        writer.put(make.generation(f"g{number}"))
    writer.flush()
    stamps = [parsed.stamp for parsed in lines_in(folder)]
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("write", "short"),
        ("write", errno.EINTR),
        ("write", errno.EIO),
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT),
        ("fdatasync", errno.EIO),
        ("fdatasync", errno.ENOSPC),
        ("ftruncate", errno.EIO),
        ("fstat", errno.EIO),
        ("fsync", errno.EIO),
    ],
)
def test_each_system_call_may_fail_once(
    writer: Writer,
    folder: JournalDirectory,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: Any,
) -> None:
    """One failure of any call is survived: all is acknowledged, and each line counts once."""
    if call != "fsync":  # that is for the folder, once a file is new
        writer.put(make.generation("before"))
        writer.flush()
    failing = Failing(monkeypatch, folder, call, error)
    if call == "ftruncate":
        Failing(monkeypatch, folder, "write", errno.EIO)
    stored: list[str] = []
    writer.generation(make.generation("during"), lambda: stored.append("during"))
    writer.flush()
    assert failing.calls > 0
    assert stored == ["during"]
    assert writer.trouble is None
    monkeypatch.undo()
    assert ids_in(folder) == (["during"] if call == "fsync" else ["before", "during"])


@pytest.mark.parametrize("call", ["open", "write", "ftruncate"])
def test_a_failing_call_for_an_intent_is_survived(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """F21: where the journal of intents cannot be begun or written, it is given up for another."""
    real, left = getattr(os, call), [errno.EIO]

    def failing(what: Any, *rest: Any, **more: Any) -> Any:
        target = str(what) if call == "open" else os.readlink(f"/proc/self/fd/{what}")
        if "-intents" in target and left:
            raise OSError(left.pop(), "Input/output error")
        return real(what, *rest, **more)

    monkeypatch.setattr(os, call, failing)
    if call == "ftruncate":
        Failing(monkeypatch, folder, "write", errno.EIO)
        writer._intents.prepare()
        monkeypatch.setattr(writer._intents._journal, "append", lambda lines: os.write(-1, lines))
    for number in range(3):
        writer.intent(make.intent(f"g{number}"))
    writer.flush()
    assert left == []
    assert sorted(parsed.row.generation_id for parsed in lines_in(folder)) == ["g0", "g1", "g2"]
    assert writer.trouble is None


def test_an_intent_that_cannot_be_written_is_refused(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is about to send is told at once that it cannot be noted; once it can be, intents go on."""
    writer.intent(make.intent("before"))
    real = os.write

    def failing(fd: int, data: Any) -> int:
        if "-intents" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, data)

    monkeypatch.setattr(os, "write", failing)
    for _ in range(3):
        with pytest.raises(
            StoreError, match=r"Input/output error\. What is not noted beforehand is not sent"
        ):
            writer.intent(make.intent("never sent"))
    monkeypatch.undo()
    writer.intent(make.intent("after"))
    assert [parsed.row.generation_id for parsed in lines_in(folder)] == ["before", "after"]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_the_thread_that_writes_may_die(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whatever ends it, that is told and stands until somebody begins again; nobody waits for a thread that
    is not there, and another writes what the first had, once."""
    writer.put(make.generation("before"))
    writer.flush()
    real, deaths = getattr(os, call), [SystemExit("killed"), MemoryError()]

    def deadly(fd: int, *rest: Any) -> Any:
        if ".jsonl" in os.readlink(f"/proc/self/fd/{fd}") and deaths:
            raise deaths.pop(0)
        return real(fd, *rest)

    monkeypatch.setattr(os, call, deadly)
    stored: list[str] = []
    writer.generation(make.generation("during"), lambda: stored.append("during"))
    with pytest.raises(StoreError, match=r"thread that writes lab\.duckdb\.journal ended by SystemExit"):
        writer.flush(timeout_s=30)
    assert (stored, ids_in(folder)) == ([], ["before"])
    writer.generation(make.generation("later"), lambda: stored.append("later"))
    writer.flush(timeout_s=30)
    assert stored == ["during", "later"]
    assert ids_in(folder) == ["before", "during", "later"]
    assert "ended by SystemExit" in str(writer.trouble)
    with pytest.raises(StoreError, match="ended by SystemExit"):
        writer.intent(make.intent())
    writer.prepare()
    assert writer.trouble is None


def test_no_thread_to_write_with_is_said(
    folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be begun, `put` and `trouble` say so; with threads again all is written."""
    writer = Writer(folder)

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    for name in ("a", "b"):
        with pytest.raises(StoreError, match="can't start new thread"):
            writer.put(make.generation(name))
    assert "can't start new thread" in str(writer.trouble)
    monkeypatch.undo()
    writer.put(make.generation("c"))
    writer.flush(timeout_s=30)
    assert ids_in(folder) == ["a", "b", "c"]
    assert writer.trouble is None
    writer.close()


def test_opening_a_journal_may_fail_once(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F21: if the file cannot be made, or this process's mark cannot be locked, it is tried again."""
    real, left = os.open, [errno.EMFILE, errno.EIO]

    def failing(path: Any, *rest: Any, **more: Any) -> int:
        if ".jsonl" in str(path) and left:
            raise OSError(left.pop(), "no")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    monkeypatch.setattr(group_commit, "RETRY_S", 0.01)
    stored: list[str] = []
    writer.generation(make.generation("a"), lambda: stored.append("a"))
    while not stored:
        with contextlib.suppress(StoreError):
            writer.flush()
    assert (left, stored, ids_in(folder)) == ([], ["a"], ["a"])


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_lasting_failure_keeps_everything_for_later(
    writer: Writer,
    folder: JournalDirectory,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    until: Any,
    call: str,
) -> None:
    """While nothing can be written nothing is acknowledged; once it can be, all is, once."""
    monkeypatch.setattr(group_commit, "RETRY_S", 0.01)
    writer.put(make.generation("before"))
    writer.flush()
    Failing(monkeypatch, folder, call, *[errno.EIO] * 1_000_000)
    stored: list[str] = []
    writer.generation(make.generation("during"), lambda: stored.append("during"))
    with pytest.raises(StoreError, match=r"cannot be written: Input/output error.*1 records wait"):
        writer.flush()
    assert stored == []
    assert writer.trouble is not None
    with pytest.raises(StoreError, match="cannot be written"):
        writer.intent(make.intent("later"))
    writer.generation(make.generation("later"), lambda: stored.append("later"))
    monkeypatch.undo()
    until(lambda: len(stored) == 2)
    writer.flush()
    assert writer.trouble is None
    assert ids_in(folder) == ["before", "during", "later"]


def test_a_full_disk_takes_the_reserve(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On ENOSPC the reserve is given up and what is in flight is written with it; that is trouble, until
    there is a reserve again."""
    folder.make()
    folder.keep_reserve()
    Failing(monkeypatch, folder, "write", errno.ENOSPC)
    writer.put(make.generation("in flight"))
    writer.flush()
    assert ids_in(folder) == ["in flight"]
    assert not folder.reserve.exists()
    assert "The disk is full" in str(writer.trouble)
    writer.put(make.generation("later"))
    writer.flush()
    assert writer.trouble is not None
    folder.keep_reserve()
    writer.prepare()
    assert writer.trouble is None


def test_a_journal_that_failed_to_sync_is_not_written_again(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed `fdatasync` the lines go to a new file, and the old one keeps only what was durable."""
    writer.put(make.generation("before"))
    writer.flush()
    (first, _) = next(folder.journals())
    size = (folder.path / str(first)).stat().st_size
    Failing(monkeypatch, folder, "fdatasync", errno.EIO)
    writer.put(make.generation("during"))
    writer.flush()
    names = [name for name, _ in folder.journals()]
    assert [name.number for name in names] == [1, 2]
    assert (folder.path / str(first)).stat().st_size == size
    assert lines_in(folder)[1].stamp == names[1].first


def test_a_removed_journal_is_written_again(
    writer: Writer, folder: JournalDirectory, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """If somebody removes the file, or the whole folder, the next commit brings back all its lines, and says
    so."""
    import shutil

    writer.put(make.generation("a"))
    writer.flush()
    (name, _) = next(folder.journals())
    (folder.path / str(name)).unlink()
    writer.put(make.generation("b"))
    writer.flush()
    assert ids_in(folder) == ["a", "b"]
    shutil.rmtree(folder.path)
    writer.put(make.generation("c"))
    writer.flush()
    assert ids_in(folder) == ["a", "b", "c"]
    assert [name.again for name, _ in folder.journals()] == [True]
    assert "removed by another program; its last 2 records are written again" in caplog.text
    assert folder.process_lock(writer.process).exists()


@pytest.mark.parametrize("how", TAMPERINGS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_journal_that_was_tampered_with_is_written_again(
    writer: Writer,
    folder: JournalDirectory,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    until: Any,
    caplog: pytest.LogCaptureFixture,
    how: str,
    busy: bool,
) -> None:
    """Whatever another program did to a file, what was acknowledged is found again, also by a process that
    writes nothing more; and it is told of at once. The same for the journal of intents."""
    monkeypatch.setattr(group_commit, "LOOK_S", 0.02)
    for name in ("a", "b", "c"):
        writer.put(make.generation(name))
        writer.flush()
        writer.intent(make.intent(name))
    for name, _ in list(folder.journals()):
        TAMPERINGS[how](folder.path / str(name))
    if busy:
        writer.put(make.generation("d"))
        writer.intent(make.intent("d"))
        writer.flush()
    if how != "longer":  # that is cut off, and nothing was lost
        until(lambda: sum(name.again for name, _ in folder.journals()) == 2)
        until(lambda: caplog.text.count("was changed or removed by another program") == 2)
    writer.flush()
    found: dict[str, set[str]] = {"generation": set(), "intent": set()}
    for line in lines_in(folder, broken=True):
        found[line.kind.tag].add(line.row.generation_id)
    expected = {"a", "b", "c", "d"} if busy else {"a", "b", "c"}
    assert found == {"generation": expected, "intent": expected}
    assert writer.trouble is None


def test_closed_journals_are_watched_too(
    folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal that was followed by the next is written again like the open one, until it is in the tables
    for good: then it may go."""
    monkeypatch.setattr(per_process_journal, "ROTATE_BYTES", 1)
    settled: dict[JournalName, int] = {}
    writer = Writer(folder, settled=lambda name: settled.get(name, 0))
    for name in "abcd":
        writer.put(make.generation(name))
        writer.flush()
    first, second, third, _ = folder.journals()
    settled[first[0]] = first[1].st_size
    (folder.path / str(first[0])).unlink()
    writer.flush()
    assert "was changed or removed" not in caplog.text
    os.truncate(folder.path / str(second[0]), 0)
    (folder.path / str(third[0])).unlink()
    writer.flush()
    assert sorted(ids_in(folder)) == ["b", "c", "d"]
    assert caplog.text.count("was changed or removed by another program; its last 1 records are") == 2
    writer.close()


def test_what_is_no_longer_in_memory_is_said_to_be_lost(
    folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only so much is kept in memory, the latest. What cannot be written again is told of, but for what is in
    the tables for good."""
    monkeypatch.setattr(per_process_journal, "KEEP_BYTES", 1_500)
    settled = [0]
    writer = Writer(folder, settled=lambda name: settled[0])
    for generation in "abcd":
        writer.put(make.generation(generation, text="x" * 600))
        writer.flush()
    (name, status) = next(folder.journals())
    settled[0] = status.st_size // 4
    writer.flush()
    os.truncate(folder.path / str(name), 0)
    writer.flush()
    kept = ids_in(folder)
    assert 1 <= len(kept) < 3
    assert kept == list("abcd")[-len(kept) :]
    lost_bytes = status.st_size * (3 - len(kept)) // 4
    assert f"{lost_bytes} bytes of {name} were no longer in memory: what of them is not" in caplog.text
    writer.close()


def test_intents_are_written_while_files_are_compared(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intent does not wait for the comparison of its journal."""
    real = Journal.holds

    def holds(self: Journal) -> bool:
        threading.Thread(target=lambda: (writer.intent(make.intent("b")), written.set())).start()
        assert written.wait(10)
        return real(self)

    written = threading.Event()
    writer.intent(make.intent("a"))
    monkeypatch.setattr(Journal, "holds", holds)
    writer.put(make.generation("a"))
    writer.flush()
    monkeypatch.undo()
    writer.flush()
    assert {line.row.generation_id for line in lines_in(folder)} == {"a", "b"}


def test_what_cannot_be_written_again_is_trouble_at_once(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """While a journal that was cut cannot be written again that stands as trouble, and once it can, it is."""
    monkeypatch.setattr(group_commit, "LOOK_S", 0.02)
    monkeypatch.setattr(group_commit, "RETRY_S", 0.02)
    for name in ("a", "b"):
        writer.put(make.generation(name))
    writer.flush()
    Failing(monkeypatch, folder, "write", *[errno.EIO] * 1_000_000)
    (name, _) = next(folder.journals())
    os.truncate(folder.path / str(name), 0)
    until(lambda: writer.trouble is not None)
    assert "2 records wait in memory" in str(writer.trouble)
    with pytest.raises(StoreError, match="cannot be written"):
        writer.flush()
    monkeypatch.undo()
    until(lambda: writer.trouble is None)
    assert ids_in(folder) == ["a", "b"]


def test_a_journal_that_failed_and_was_cut_is_written_again(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that another program cut just when a sync of it fails gives nothing up."""
    writer.put(make.generation("a"))
    writer.flush()
    (name, _) = next(folder.journals())
    real = os.fdatasync

    def failing(fd: int) -> None:
        monkeypatch.setattr(os, "fdatasync", real)
        os.truncate(folder.path / str(name), 0)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    writer.put(make.generation("b"))
    writer.flush()
    assert sorted(ids_in(folder)) == ["a", "b"]


def test_a_removed_lab_does_not_come_back_by_itself(
    writer: Writer, folder: JournalDirectory, make: Any
) -> None:
    """Who removes a lab and its folder has removed it, until something new is put."""
    import shutil

    writer.put(make.generation("a"))
    writer.flush()
    shutil.rmtree(folder.path)
    writer.flush()
    assert not folder.path.exists()
    writer.put(make.generation("b"))
    writer.flush()
    assert ids_in(folder) == ["a", "b"]


def test_a_removed_journal_survives_a_full_disk(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """If the file is removed while the disk is full, what was acknowledged comes back once there is room."""
    monkeypatch.setattr(group_commit, "RETRY_S", 0.01)
    writer.put(make.generation("acknowledged"))
    writer.flush()
    (name, _) = next(folder.journals())
    (folder.path / str(name)).unlink()
    real = os.write
    room = threading.Event()

    def write(fd: int, data: Any) -> int:
        target = os.readlink(f"/proc/self/fd/{fd}")
        if not room.is_set() and ".jsonl" in target:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    stored: list[str] = []
    writer.generation(make.generation("waiting"), lambda: stored.append("waiting"))
    with pytest.raises(StoreError, match="No space"):
        writer.flush()
    assert stored == []
    room.set()
    until(lambda: stored == ["waiting"])
    writer.flush()
    assert ids_in(folder) == ["acknowledged", "waiting"]


def test_a_request_is_written_once(writer: Writer, folder: JournalDirectory) -> None:
    """The same request is written once a process, never if the lab has it, and always acknowledged."""

    def request(name: str) -> Request:
        return Request(
            request_id=name,
            provider="p",
            dialect="d",
            endpoint="e",
            model="m",
            name="n",
            messages=(),
            params={},
        )

    writer.remember(["known"])
    stored: list[int] = []
    for number, name in enumerate(["a", "a", "known", "b", "a"]):
        writer.put(request(name), lambda number=number: stored.append(number))
    writer.flush()
    assert [parsed.row.request_id for parsed in lines_in(folder)] == ["a", "b"]
    assert stored == [0, 1, 2, 3, 4]


def test_what_cannot_be_written_is_refused_at_once(
    writer: Writer, folder: JournalDirectory, make: Any
) -> None:
    """A record with an object in it raises where it is put, and nothing of it is queued."""
    with pytest.raises(DefinitionError):
        writer.put(make.score(metadata={"x": object()}))
    writer.put(make.generation("good"))
    writer.flush()
    assert ids_in(folder) == ["good"]


def test_a_failing_callback_does_not_stop_the_others(writer: Writer, make: Any) -> None:
    """A callback that raises, whatever it is, is reported; the rest are called and writing goes on."""
    stored: list[str] = []

    def bad() -> None:
        raise SystemExit("mine")

    writer.generation(make.generation("a"), bad)
    writer.generation(make.generation("b"), lambda: stored.append("b"))
    writer.flush()
    assert stored == ["b"]


def test_flush_of_nothing_makes_nothing(folder: JournalDirectory) -> None:
    """A writer that was given nothing makes no folder, no file and no thread."""
    before = threading.active_count()
    writer = Writer(folder)
    writer.flush()
    writer.close()
    assert not folder.path.exists()
    assert threading.active_count() == before


def test_a_flush_that_takes_too_long_says_so(
    writer: Writer, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush with a time-out raises, and what it waited for is still written."""
    gate = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (gate.wait(), real(fd)))
    stored: list[int] = []
    writer.generation(make.generation(), lambda: stored.append(1))
    with pytest.raises(StoreError, match=r"not on disk after 0\.01 s"):
        writer.flush(timeout_s=0.01)
    gate.set()
    writer.flush()
    assert stored == [1]


def test_close_ends_the_thread_and_a_later_put_begins_anew(folder: JournalDirectory, make: Any) -> None:
    """After `close` the process holds nothing; writing again begins a journal of a new identity."""
    others = set(threading.enumerate())
    writer = Writer(folder)
    writer.put(make.generation("a"))
    first = writer.process
    writer.close()
    assert not set(threading.enumerate()) - others
    writer.put(make.generation("b"))
    writer.close()
    assert sorted(ids_in(folder)) == ["a", "b"]
    assert len({name.process for name, _ in folder.journals()}) == 2
    assert first != writer.process


def test_long_journals_are_followed_by_new_ones(
    writer: Writer, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal beyond the limit is closed, and the next takes up its stamps."""
    monkeypatch.setattr(per_process_journal, "ROTATE_BYTES", 1_000)
    for number in range(5):
        writer.put(make.generation(f"g{number}", text="x" * 600))
        writer.flush()
    names = [name for name, _ in folder.journals()]
    assert len(names) >= 3
    assert ids_in(folder) == [f"g{number}" for number in range(5)]
    assert [name.first for name in names] == sorted(name.first for name in names)


FORK = """
import json, os, sys, threading
sys.path[:0] = json.loads(sys.argv[2])
from pathlib import Path
from datetime import datetime, UTC
from labkit.records import Score
from labkit.store.journal_directory import JournalDirectory
from labkit.store.writer import Writer

def score(name):
    return Score(generation_id=name, scorer="s", value=1.0, scored_at=datetime.now(UTC))

writer = Writer(JournalDirectory(Path(sys.argv[1])))
writer.put(score("parent before")); writer.flush()
block = threading.Event()
real = os.fdatasync
os.fdatasync = lambda fd: (block.wait(), real(fd))
writer.put(score("parent during"))          # the writer's thread is in the middle of a commit
if (child := os.fork()) == 0:
    os.fdatasync = real
    writer.put(score("child")); writer.flush()
    print(writer.process, flush=True)
    os._exit(0)
os.waitpid(child, 0)
block.set()
writer.flush()
print(writer.process, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_writes_its_own_journal(folder: JournalDirectory, python: Callable[..., Any]) -> None:
    """A child begins a journal of its own, also if its parent was writing; no line is written by both."""
    import sys

    out, err = python(FORK, folder.lab, json.dumps(sys.path)).communicate(timeout=60)
    child, parent = out.split()
    written: dict[str, list[str]] = {}
    for name, _ in folder.journals():
        raw = (folder.path / str(name)).read_bytes().split(b"\n")[:-1]
        written[name.process] = [journal_line.parse(one).row.generation_id for one in raw]
    assert written == {child: ["child"], parent: ["parent before", "parent during"]}, err


def test_what_waits_at_the_end_of_a_process_is_written(
    folder: JournalDirectory, python: Callable[..., Any]
) -> None:
    """A script that puts and ends without a flush loses nothing."""
    code = FORK[: FORK.index("writer.put")] + "for i in range(1000): writer.put(score(str(i)))\n"
    import sys

    process = python(code, folder.lab, json.dumps(sys.path))
    assert process.wait(60) == 0
    assert [parsed.row.generation_id for parsed in lines_in(folder)] == [str(i) for i in range(1000)]
