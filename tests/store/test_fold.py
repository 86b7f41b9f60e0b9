"""Every whole line comes into the tables once, whatever happened to the files or the fold before."""

from __future__ import annotations

import errno
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.store import Store, fold, journal_line
from labkit.store.duckdb_instance import Instance
from labkit.store.file_locks import FileLock
from labkit.store.journal_directory import SCHEMA, JournalDirectory, JournalName
from tests.store.tampering import TAMPERINGS

Put = Callable[..., None]
STRANGE = ["\0", "a\0b", "\n" * 5000, "\u2028", "😀", '"}\n{"', "x" * 300_000]


def ids(store: Store) -> list[str]:
    """Every row of log.generations, twins included, in the order they came."""
    return store.table("select generation_id from log.generations order by rowid")[
        "generation_id"
    ].to_pylist()


def journal(
    folder: JournalDirectory, records: list[tuple[int, Any]], *, process: str = "7-00000000", number: int = 1
) -> Path:
    """A journal of a dead process, with these stamps and records."""
    folder.make()
    name = JournalName(process, number, records[0][0] if records else 1, 1, process)
    path = folder.path / str(name)
    path.write_bytes(
        b"".join(
            journal_line.frame(type(record), stamp, journal_line.body(record)) for stamp, record in records
        )
    )
    return path


@pytest.fixture
def folder(path: Path) -> JournalDirectory:
    return JournalDirectory(path)


def test_what_was_put_is_read(store: Store, put: Put, make: Any) -> None:
    """A read shows all that is on disk, without anybody folding first."""
    put(make.generation("a"), make.generation("b"))
    assert ids(store) == ["a", "b"]
    put(make.generation("c"))
    assert ids(store) == ["a", "b", "c"]
    assert ids(store) == ["a", "b", "c"]


def test_folds_are_bounded(store: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes more lines or bytes than the limits, but for one long line."""
    monkeypatch.setattr(fold, "BATCH_LINES", 10)
    put(*(make.generation(f"g{number}") for number in range(95)))
    report = store.fold()
    assert (report.rows, report.transactions) == (95, 10)
    monkeypatch.setattr(fold, "BATCH_BYTES", 5_000)
    put(
        *(make.generation(f"h{number}", text="x" * 2_000) for number in range(6)),
        make.generation("long", text="y" * 50_000),
    )
    report = store.fold()
    assert (report.rows, report.transactions) == (7, 4)
    assert len(set(ids(store))) == 102


def test_nothing_grown_opens_nothing(
    store: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold with nothing to fold does not open DuckDB."""
    put(make.generation())
    store.fold()

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("DuckDB was opened")

    monkeypatch.setattr(duckdb, "connect", refused)
    monkeypatch.setattr(Instance, "attach", refused)
    assert store.fold().rows == 0
    put(make.generation("more"))
    with pytest.raises(AssertionError):
        store.fold()


def test_a_torn_tail_at_every_byte(store: Store, folder: JournalDirectory, make: Any) -> None:
    """Cut anywhere in its last three lines, a dead process's journal gives its whole lines; the rest is
    put aside and told of."""
    records = [(number, make.score(f"g{number}", explanation="é\n" * number)) for number in range(1, 6)]
    whole = journal(folder, records).read_bytes()
    starts = [0]
    while (end := whole.find(b"\n", starts[-1])) >= 0:
        starts.append(end + 1)
    names = {}
    for cut in range(starts[2], len(whole) + 1):
        path = journal(folder, records, process=f"7-{cut:08x}")
        os.truncate(path, cut)
        names[cut] = path.name
    store.fold()
    rows = store.table(
        "select written_by as by, list(generation_id order by rowid) as ids from log.scores group by 1"
    )
    found = dict(zip(rows["by"].to_pylist(), rows["ids"].to_pylist(), strict=True))
    torn = dict(zip(*(store.damage()[column] for column in ("journal", "kept_in")), strict=True))
    for cut in range(starts[2], len(whole) + 1):
        process = f"7-{cut:08x}"
        complete = sum(start <= cut for start in starts[1:])
        assert found[process] == [f"g{number}" for number in range(1, complete + 1)]
        if cut in starts:
            assert names[cut] not in torn
        else:
            assert (folder.path / torn[names[cut]]).read_bytes() == whole[starts[complete] : cut]


def test_a_living_process_may_yet_finish_its_line(store: Store, folder: JournalDirectory, make: Any) -> None:
    """The tail of a journal whose process lives is left, and taken when it is whole."""
    records = [(1, make.generation("a")), (2, make.generation("b"))]
    path = journal(folder, records)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    identity = FileLock.take(folder.process_lock("7-00000000"))
    assert identity is not None
    assert ids(store) == ["a"]
    assert ids(store) == ["a"]
    path.write_bytes(whole)
    assert ids(store) == ["a", "b"]
    assert store.damage().empty
    identity.release()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_flipped_bit_loses_one_line_at_most(data: st.DataObject, tmp_path_factory: Any, make: Any) -> None:
    """One wrong bit puts its line aside, byte for byte; all others come in."""
    store = Store(tmp_path_factory.mktemp("flip") / "lab.duckdb")
    folder = JournalDirectory(store.path)
    path = journal(folder, [(number, make.generation(f"g{number}")) for number in range(1, 6)])
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    found = ids(store)
    damage = store.damage()
    assert len(found) >= 3  # a newline lost, or a new one in a line, touches two lines
    assert set(found) < {f"g{number}" for number in range(1, 6)}
    kept = b"".join((folder.path / name).read_bytes() for name in damage["kept_in"].drop_duplicates())
    lost = {f"g{number}".encode() for number in range(1, 6)} - {name.encode() for name in found}
    assert len(lost) <= len(damage) + 1
    assert len(kept) > 0
    assert len(kept) + sum(len(raw) + 1 for raw in bytes(whole).split(b"\n") if _is_line(raw)) == len(whole)


def _is_line(raw: bytes) -> bool:
    try:
        journal_line.parse(raw)
    except journal_line.BrokenLine:
        return False
    return True


def test_a_row_the_tables_refuse_is_put_aside(
    store: Store, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row that DuckDB will not take does not keep the others of its transaction out."""
    from labkit.store import definition_records

    good = [make.generation(f"g{number}") for number in range(6)]
    bad = definition_records.SampleRecord(
        dataset="d", dataset_name="n", position=0, sample_id="bad", fields={}
    )
    path = journal(folder, [(1, good[0]), (2, bad), *((number, good[number - 2]) for number in range(3, 8))])
    text = path.read_bytes()
    # Valid for a JSON reader, but not for DuckDB's.
    rest = text.split(b"\n")[1][9:].replace(b'"fields":{}', b'"fields":{"a":"\\ud800"}')
    path.write_bytes(text.replace(text.split(b"\n")[1], b"%08x %s" % (zlib.crc32(rest), rest)))
    found = ids(store)
    assert found == ["g0", "g1", "g2", "g3", "g4", "g5"]
    samples = store.table("select sample_id from log.samples")["sample_id"].to_pylist()
    assert len(samples) + len(store.damage()) == 1


def test_absurd_counts_come_in_as_unknown(store: Store, put: Put, make: Any) -> None:
    """A count beyond 64 bits is NULL; the row and its neighbours are there."""
    put(make.generation("a", input_tokens=10**30), make.generation("b", input_tokens=7))
    frame = store.generations(columns=["generation_id", "input_tokens"]).set_index("generation_id")
    assert frame["input_tokens"].isna().to_dict() == {"a": True, "b": False}


def test_lines_written_again_count_once(
    store: Store, folder: JournalDirectory, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines whose sync failed, which a fold had seen meanwhile, and which could not be cut off either, come
    in once, although the next journal has them again."""
    writer = store.writer()
    writer.put(make.generation("before"))
    writer.flush()
    real_sync, real_truncate = os.fdatasync, os.ftruncate
    failures = [True]

    def sync(fd: int) -> None:
        if ".jsonl" in os.readlink(f"/proc/self/fd/{fd}") and failures:
            failures.clear()
            assert set(ids(store)) == {"before", "one", "two"}  # a fold reads what is not yet durable
            raise OSError(errno.EIO, "Input/output error")
        real_sync(fd)

    def truncate(fd: int, size: int) -> None:
        if ".jsonl" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, "Input/output error")
        real_truncate(fd, size)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "ftruncate", truncate)
    writer.put(make.generation("one"))
    writer.put(make.generation("two"))
    writer.flush()
    writer.put(make.generation("after"))
    writer.flush()
    assert len(list(folder.journals())) == 2
    assert sorted(ids(store)) == ["after", "before", "one", "two"]


@pytest.mark.parametrize("folded_first", [0, 1, 2, 3])
def test_stamps_are_shared_out_between_journals(
    store: Store, folder: JournalDirectory, make: Any, folded_first: int
) -> None:
    """However much of an abandoned journal a fold took before the next one began, each stamp counts once."""
    rows = {stamp: make.generation(f"g{stamp}") for stamp in range(1, 7)}
    first = journal(folder, [(stamp, rows[stamp]) for stamp in (1, 2, 3, 4)])
    whole = first.read_bytes()
    if folded_first:
        first.write_bytes(b"\n".join(whole.split(b"\n")[: 1 + folded_first]) + b"\n")
        store.fold()
        first.write_bytes(whole)
    # Stamps 3 and 4 were not durable in the first, and are written again in the second.
    journal(folder, [(stamp, rows[stamp]) for stamp in (3, 4, 5, 6)], number=2)
    assert sorted(ids(store)) == [f"g{stamp}" for stamp in range(1, 7)]


@pytest.mark.parametrize("how", TAMPERINGS)
@pytest.mark.parametrize("folded", ["never", "before", "between", "before and between"])
def test_a_journal_tampered_with_comes_in_once(
    store: Store, put: Put, make: Any, folder: JournalDirectory, how: str, folded: str
) -> None:
    """Whatever another program did to a journal and whenever a fold saw it, each line comes in once: of the
    file as it was, as it is, and as its process writes it again."""
    writer = store.writer()
    put(make.generation("a"), make.score("a"))
    writer.intent(make.intent("a"))
    if "before" in folded:
        store.fold()
    put(make.generation("b"), make.generation("c"))
    kept = {name: (folder.path / str(name)).read_bytes() for name, _ in folder.journals()}
    for name in kept:
        TAMPERINGS[how](folder.path / str(name))
    if "between" in folded:
        store.fold()
    writer.flush()
    put(make.generation("d"))
    writer.intent(make.intent("d"))
    for _ in range(2):
        assert sorted(ids(store)) == ["a", "b", "c", "d"]
        assert sorted(store.table("from log.intents")["generation_id"].to_pylist()) == ["a", "d"]
        assert len(store.table("from log.scores")) == 1
        # Somebody puts back what was there before.
        for name, raw in kept.items():
            (folder.path / str(name)).write_bytes(raw)
    writer.close()
    put(make.generation("e"))
    assert sorted(ids(store)) == ["a", "b", "c", "d", "e"]


def test_two_folds_of_a_copied_folder_are_one(
    store: Store, put: Put, make: Any, folder: JournalDirectory
) -> None:
    """A journal that comes back after it was folded and removed is known, and not taken twice."""
    put(make.generation("a"))
    (name, _) = next(folder.journals())
    copy = folder.path.with_name("kept")
    shutil.copy(folder.path / str(name), copy)
    store.writer().close()
    store.fold()
    (folder.path / str(name)).unlink()
    assert ids(store) == ["a"]
    shutil.copy(copy, folder.path / str(name))
    assert ids(store) == ["a"]


def test_rows_that_another_program_undid_come_back_once(
    store: Store, put: Put, make: Any, path: Path
) -> None:
    """If a program that ignores the gate writes an older file over the lab's, the next fold brings back
    what it undid, once."""
    put(make.generation("a"))
    store.checkpoint()
    old = path.with_name("old")
    shutil.copy(path, old)
    put(make.generation("b"), make.generation("c"))
    store.checkpoint()
    assert ids(store) == ["a", "b", "c"]
    os.replace(old, path)
    assert ids(store) == ["a", "b", "c"]
    assert ids(store) == ["a", "b", "c"]


def test_a_newer_labkits_journal_is_left_to_it(store: Store, folder: JournalDirectory, make: Any) -> None:
    """A journal of a newer schema is neither folded nor removed, and the report says why."""
    path = journal(folder, [(1, make.generation("new"))])
    newer = path.with_name(path.name.replace("s001", f"s{SCHEMA + 1:03d}"))
    path.rename(newer)
    journal(folder, [(1, make.generation("old"))])
    report = store.fold()
    assert ids(store) == ["old"]
    assert report.left == {newer.name: "a newer labkit wrote it, and will fold it"}
    assert newer.exists()


@pytest.mark.parametrize("what", ["folder", "link", "gone", "unreadable"])
def test_one_bad_file_does_not_stop_the_others(
    store: Store, folder: JournalDirectory, make: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that became something else is reported, and all others are folded."""
    bad = journal(folder, [(1, make.generation("bad"))], process="1-00000000")
    journal(folder, [(1, make.generation("good"))], process="2-00000000")
    if what == "unreadable":
        real = os.open

        def denied(target: Any, *rest: Any, **more: Any) -> int:
            if str(target) == str(bad):
                raise PermissionError(errno.EACCES, "Permission denied", str(target))
            return real(target, *rest, **more)

        monkeypatch.setattr(os, "open", denied)
    else:
        bad.unlink()
    if what == "folder":
        bad.mkdir()
    if what == "link":
        bad.symlink_to(folder.path / "elsewhere.jsonl")
    report = store.fold()
    assert ids(store) == ["good"]
    assert (bad.name in report.left) == (what != "gone")


def test_a_failed_commit_leaves_all_in_the_journal(
    store: Store, put: Put, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If DuckDB cannot commit, nothing is half in; the read shows what the tables have and says what is
    missing; later all comes in."""
    put(make.generation("a"))
    store.fold()
    put(make.generation("b"), make.score("b"))

    def full(*_: Any) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(fold, "insert", full)
        frame = store.generations()
        assert frame["generation_id"].tolist() == ["a"]
        assert frame.attrs["labkit"]["unfolded_bytes"] > 0
        assert "No space left" in frame.attrs["labkit"]["why"]
        with pytest.raises(Exception, match="They keep everything"):
            store.fold()
        assert not store.checkpoint()
    frame = store.generations()
    assert frame["generation_id"].tolist() == ["a", "b"]
    assert "labkit" not in frame.attrs
    assert len(store.scores()) == 1


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.text() | st.sampled_from(STRANGE), min_size=1, max_size=6))
def test_texts_come_back_from_the_tables(texts: list[str], tmp_path_factory: Any, make: Any) -> None:
    """An answer's text comes back from `from generations` byte for byte, but for lone surrogates."""
    store = Store(tmp_path_factory.mktemp("texts") / "lab.duckdb")
    folder = JournalDirectory(store.path)
    journal(
        folder, [(number, make.generation(str(number), text=text)) for number, text in enumerate(texts, 1)]
    )
    store.fold()
    with duckdb.connect(str(store.path), read_only=True) as plain:
        found = plain.sql("select text from generations order by generation_id::int").fetchall()
    want = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert [text for (text,) in found] == want


def test_a_very_long_answer_comes_back(store: Store, put: Put, make: Any) -> None:
    """20 MB in one answer, a million newlines in another."""
    texts = {"long": "é" * 10_000_000, "lines": "\n" * 1_000_000, "none": "", "null": None}
    put(*(make.generation(name, text=text) for name, text in texts.items()))
    frame = store.generations(columns=["generation_id", "text"]).set_index("generation_id")["text"]
    assert frame["long"] == texts["long"]
    assert frame["lines"] == texts["lines"]
    assert frame["none"] == ""
    assert frame.isna()["null"]
