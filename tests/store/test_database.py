"""Opening the file: no foreign file is touched, and whoever holds it is named."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreError, StoreLocked
from labkit.store import Store, database, path_check

Put = Callable[..., None]


def newer_duckdb_file(path: Path) -> None:
    duckdb.connect(str(path)).close()
    head = bytearray(path.read_bytes())
    head[12:20] = struct.pack("<Q", 999)
    path.write_bytes(head)
    with pytest.raises(duckdb.IOException) as told:
        duckdb.connect(str(path))
    checksum = re.search(r"computed checksum (\d+)", str(told.value))
    assert checksum is not None
    head[:8] = struct.pack("<Q", int(checksum[1]))
    path.write_bytes(head)


def sqlite_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table mine (a)")


def lookalike(path: Path) -> None:
    """A SQLite file of the very size of an empty DuckDB file."""
    sqlite_file(path)
    path.write_bytes(path.read_bytes().ljust(12_288, b"\0"))


FOREIGN = {
    "text": (lambda path: path.write_text("my notes\n" * 5_000), "not a DuckDB file"),
    "short text": (lambda path: path.write_text("hi"), "not a DuckDB file"),
    "empty": (lambda path: path.touch(), "empty file"),
    "SQLite": (sqlite_file, "SQLite file"),
    "SQLite of the same size": (lookalike, "SQLite file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "pipe": (lambda path: os.mkfifo(path), "not an ordinary file"),
    "newer DuckDB": (newer_duckdb_file, "newer DuckDB"),
    "Parquet": (lambda path: path.write_bytes(b"PAR1" * 100), "not a DuckDB file"),
    "a person's DuckDB": (
        lambda path: duckdb.connect(str(path)).execute("create table mine as select 1").close(),
        "tables of its own",
    ),
}


@pytest.mark.unshared("nobody waits, and the exchange looks at the file too")
@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_files_are_refused_and_left_as_they_are(what: str, path: Path) -> None:
    """What is no lab is named for what it is, before anything is asked, and not one byte of it changes."""
    FOREIGN[what][0](path)
    before = path.read_bytes() if path.is_file() else None
    store = Store(path, wait_s=0.0)
    with pytest.raises(StoreError, match=FOREIGN[what][1]):
        store.check_writable()
    with pytest.raises(StoreError, match=FOREIGN[what][1]):
        store.generations()
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    "name",
    [
        "a b.duckdb",
        "#1.duckdb",
        "it's.duckdb",
        'say "x".duckdb',
        "%20.duckdb",
        "ü😀.duckdb",
        "-rf",
        "a:b.duckdb",
        "sqlite:x",
        "x;drop table y",
        ":memory:",
    ],
)
def test_odd_names_are_only_names(name: str, tmp_path: Path, make: Any) -> None:
    """A file name with blanks, quotes or signs that mean something elsewhere is an ordinary lab, also for
    its backup."""
    store = Store(tmp_path / name)
    store.check_writable()
    store.writer().put(make.generation())
    store.close()
    assert len(store.generations()) == 1
    assert (tmp_path / name).is_file()
    copy = store.backup(tmp_path / f"copy of {name}")
    assert len(Store(copy).generations()) == 1
    assert store.sql("select count(*) as n from generations")["n"].tolist() == [1]


def test_a_second_hard_link_is_refused(store: Store, put: Put, make: Any, path: Path) -> None:
    """Two names for one file would have two logs and two gates: both are refused, for writing and reading,
    by whoever had it open before too, and what is journalled waits. With one name again all is there."""
    put(make.generation("a"))
    store.checkpoint()
    other = path.with_name("other.duckdb")
    os.link(path, other)
    put(make.generation("b"))
    for one in (store, Store(other, wait_s=0.0)):
        for use in (one.check_writable, one.generations, lambda one=one: one.sql("from runs")):
            with pytest.raises(StoreError, match=r"has 2 names \(hard links\)"):
                use()
    other.unlink()
    assert store.generations()["generation_id"].tolist() == ["a", "b"]


def test_symbolic_links_are_right(store: Store, put: Put, make: Any, path: Path) -> None:
    """A symbolic link leads to the same gate and the same log."""
    put(make.generation("a"))
    link = path.with_name("link.duckdb")
    link.symlink_to(path)
    assert Store(link).generations()["generation_id"].tolist() == ["a"]
    assert Store(link)._shared is store._shared


def test_the_name_a_lab_was_made_under_is_none(store: Store, put: Put, make: Any, path: Path) -> None:
    """A kill between the two steps in which a lab gets its name leaves both: that is still one lab."""
    put(make.generation("a"))
    store.checkpoint()
    os.link(path, store._folder().path / "new-0a1b2c3d.duckdb")
    assert store.generations()["generation_id"].tolist() == ["a"]


@pytest.mark.parametrize("place", ["why?/lab.duckdb"])
def test_a_question_mark_is_refused(place: str, tmp_path: Path) -> None:
    """DuckDB cannot keep its log beside such a file, so the path is refused, and nothing is made."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    with pytest.raises(StoreError, match="question mark"):
        Store(tmp_path / place).check_writable()
    assert not list(tmp_path.rglob("*.journal"))


@pytest.mark.parametrize(
    "name",
    ["log.duckdb", "LOG.duckdb", "Log", "log.2026.duckdb", ".log.db", "Temp.duckdb", "SYSTEM.db", "Main.db"],
)
def test_a_name_that_duckdb_would_mix_up_is_refused(
    name: str, tmp_path: Path, store: Store, put: Put, make: Any
) -> None:
    """DuckDB calls a database after its file: what then means two things is refused before anything is
    asked, with another name, also for a backup."""
    with pytest.raises(StoreError, match="Choose another name"):
        Store(tmp_path / name).check_writable()
    put(make.generation())
    with pytest.raises(StoreError, match="Choose another name"):
        store.backup(tmp_path / name)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(name)]


@pytest.mark.parametrize("name", ["main", "temp", "system", "memory", "lab", "pg_catalog", "x.log", "logs"])
def test_a_name_of_duckdbs_own_that_can_be_is_a_lab(name: str, tmp_path: Path, make: Any) -> None:
    """Such a lab is written, read, asked and copied, and plain DuckDB reads it."""
    store = Store(tmp_path / f"{name}.duckdb")
    store.check_writable()
    store.writer().put(make.generation())
    store.close()
    assert len(Store(store.backup(tmp_path / "copy.db")).generations()) == 1
    assert len(store.sql("from generations")) == 1
    with duckdb.connect(str(store.path), read_only=True) as plain:
        assert len(plain.sql("from generations").fetchall()) == 1


def test_a_new_lab_is_made_whole_and_private(path: Path) -> None:
    """A new lab has its schema, is 0600 and of the file format of DuckDB 1.5, under a umask of 0."""
    before = os.umask(0)
    try:
        store = Store(path)
        store.check_writable()
    finally:
        os.umask(before)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    with duckdb.connect(str(path)) as plain:
        assert plain.sql(
            "select tags['storage_version'] from duckdb_databases() where path is not null"
        ).fetchone() == ("v1.5.0+",)
    assert not list(Path(f"{path}.journal").glob("new-*"))
    store.close()


def test_the_log_is_private_too(store: Store, put: Put, make: Any, path: Path) -> None:
    """DuckDB's own log, which it makes under the umask, ends up 0600."""
    store.check_writable()
    before = os.umask(0)
    try:
        put(make.generation())
        store.fold()
    finally:
        os.umask(before)
    wal = path.with_name(path.name + ".wal")
    assert oct(wal.stat().st_mode & 0o777) == "0o600"


def test_another_processs_connection_is_named(
    store: Store, put: Put, make: Any, held_by_another: Any, path: Path
) -> None:
    """While a person holds the file elsewhere puts go on, and a read names the process; then all is there."""
    put(make.generation("a"))
    store.fold()
    store.wait_s = 0.2
    with held_by_another(path) as process:
        put(make.generation("b"))
        with pytest.raises(
            StoreLocked,
            match=rf"held by process {process.pid} \(python.*End it or close its.*safe in the journal",
        ):
            store.generations()
        assert not store.checkpoint()
        store.check_writable()
        with pytest.raises(StoreLocked):
            store.sql("from generations")
    store.wait_s = 5.0
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]


def test_a_suspended_holder_is_named_and_waited_for_in_vain(
    store: Store, put: Put, make: Any, held_by_another: Any, path: Path
) -> None:
    """A holder that sleeps, as a laptop's kernel does, stops no put; a read ends after its wait."""
    put(make.generation("a"))
    store.fold()
    store.wait_s = 0.2
    with held_by_another(path) as process:
        process.send_signal(signal.SIGSTOP)
        put(*(make.generation(f"b{number}") for number in range(20)))
        with pytest.raises(StoreLocked, match=str(process.pid)):
            store.generations()
        process.send_signal(signal.SIGCONT)
    assert len(store.generations()) == 21


def test_another_processs_read_only_connection_lets_us_read(
    store: Store, put: Put, make: Any, held_by_another: Any, path: Path
) -> None:
    """Beside a person's read-only connection reads go on, with what the file lacks, and say so and why."""
    put(make.generation("a"))
    store.checkpoint()
    with held_by_another(path, "read") as process:
        put(make.generation("b"))
        frame = store.generations()
        assert frame["generation_id"].tolist() == ["a", "b"]
        assert frame.attrs["labkit"]["unfolded_bytes"] > 0
        assert f"held by process {process.pid}" in frame.attrs["labkit"]["why"]
        counted = store.sql("select count(*) as n from generations")
        assert counted["n"].tolist() == [2]
        assert counted.attrs["labkit"] == frame.attrs["labkit"]
    assert len(store.generations()) == 2


def test_a_plain_connection_in_this_kernel_is_shared(store: Store, put: Put, make: Any, path: Path) -> None:
    """A plain `duckdb.connect` in this very process stops nothing: folds go on and it sees them."""
    put(make.generation("a"))
    store.fold()
    with duckdb.connect(str(path)) as person:
        put(make.generation("b"))
        assert len(store.generations()) == 2
        assert person.sql("select count(*) from generations").fetchone() == (2,)
        store.wait_s = 0.1
        with pytest.raises(StoreLocked, match="this kernel"):
            store.sql("from generations")


def test_a_read_only_connection_in_this_kernel_lets_us_read(
    store: Store, put: Put, make: Any, path: Path
) -> None:
    """Beside the person's read-only connection in this process reads go on, also in SQL, and say so."""
    put(make.generation("a"))
    store.checkpoint()
    with duckdb.connect(str(path), read_only=True) as person:
        assert store.sql("from generations")["generation_id"].tolist() == ["a"]
        put(make.generation("b"))
        for frame in (store.generations(), store.sql("from generations")):
            assert frame["generation_id"].tolist() == ["a", "b"]
            assert "this kernel" in frame.attrs["labkit"]["why"]
        assert person.sql("select count(*) from generations").fetchone() == (1,)
    assert len(store.generations()) == 2


@pytest.mark.parametrize("read_only", [True, False])
def test_a_configured_connection_in_this_kernel_is_named(
    store: Store, put: Put, make: Any, path: Path, read_only: bool
) -> None:
    """A connection under settings of its own shuts us out: a read says that this kernel holds the file."""
    put(make.generation("a"))
    store.checkpoint()
    store.wait_s = 0.1
    with duckdb.connect(str(path), read_only=read_only, config={"threads": 1}):
        put(make.generation("b"))
        with pytest.raises(
            StoreLocked, match=rf"held by this kernel \(process {os.getpid()}\).*Close that connection"
        ):
            store.generations()
    assert len(store.generations()) == 2


def test_a_run_driven_here_is_read_from_its_journal(
    store: Store, put: Put, make: Any, held_by_another: Any, path: Path
) -> None:
    """While another holds the file, a run that is driven here shows its rows all the same, and says so."""
    put(make.generation("old", run_id="run-0"))
    store.checkpoint()
    store.wait_s = 0.1
    with store.drive("run-1"), held_by_another(path):
        put(make.run(), make.generation("a"), make.score("a"))
        frame = store.generations(run="run-1")
        assert frame["generation_id"].tolist() == ["a"]
        assert frame["score.exact"].tolist() == [1.0]
        assert "what this process wrote" in frame.attrs["labkit"]["why"]
        with pytest.raises(StoreLocked):
            store.generations()
    with store.drive("run-1"), held_by_another(path, "read"):
        put(make.generation("b"))
        assert store.generations(run="run-1")["generation_id"].tolist() == ["a", "b"]


def test_reading_the_head_keeps_the_locks_of_this_process(
    store: Store, put: Put, make: Any, path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """Looking at a file a person has open here, as a new store does, does not drop that connection's lock."""
    put(make.generation("a"))
    store.checkpoint()
    path_check._known_files.clear()
    with duckdb.connect(str(path)) as person:
        person.execute("checkpoint")
        path_check.check(path)
        store.backup(path.with_name("copy.duckdb"))
        other = python("import duckdb, sys; duckdb.connect(sys.argv[1])", path)
        _, err = other.communicate(timeout=60)
        assert "Could not set lock" in err


NOBODY = 65534
AS_NOBODY = """
import os, sys
import duckdb, pandas, pyarrow, sqlite3
from labkit.errors import StoreError
from labkit.store import Store
Store("nowhere/nothing.duckdb").generations()     # so that all is imported
os.setgid(65534); os.setuid(65534)
store = Store(sys.argv[1], wait_s=0.1)
try:
    store.check_writable()
    print("writable")
except StoreError as error:
    print(error)
try:
    print(len(store.generations()))
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "says", "reads"),
    [
        (0o555, 0o644, "cannot be written: Permission denied", "1"),
        (0o777, 0o444, "cannot be opened: permission denied", "1"),
        (0o777, 0o000, "cannot be opened", "cannot be opened"),
    ],
)
def test_what_may_not_be_written_is_refused_before_it_is_paid_for(
    make: Any,
    python: Callable[..., subprocess.Popen[str]],
    folder_mode: int,
    file_mode: int,
    says: str,
    reads: str,
) -> None:
    """A read-only folder or file is refused by `check_writable`, and can be read where it may be."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        os.chmod(home, 0o755)
        folder = Path(home) / "shared"
        folder.mkdir()
        path = folder / "lab.duckdb"
        store = Store(path)
        store.writer().put(make.generation())
        store.close()
        store.checkpoint()
        shutil.rmtree(f"{path}.journal")
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        out, err = python(AS_NOBODY, path).communicate(timeout=60)
        first, second = [*out.splitlines(), "", ""][:2]
        assert says in first, (out, err)
        assert second.startswith(reads) or reads in second, (out, err)


def test_a_log_without_its_lab_is_put_aside(store: Store, put: Put, make: Any, path: Path) -> None:
    """If somebody removed the lab but not DuckDB's log, it is renamed, and the journals fill a new lab."""
    put(make.generation("a"))
    store.fold()
    assert path.with_name(path.name + ".wal").exists()
    path.unlink()
    assert store.generations()["generation_id"].tolist() == ["a"]
    assert len(list(path.parent.glob("*.wal.left-*"))) == 1


def test_names_and_texts_are_quoted() -> None:
    """A quote in a value cannot end it."""
    assert database.text("it's") == "'it''s'"
    assert database.name('a"b') == '"a""b"'
    assert sys.executable
