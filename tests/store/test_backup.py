"""Copies of a lab are whole, private and of one moment."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreError
from labkit.store import Store
from labkit.store.line_kinds import KINDS

Put = Callable[..., None]


@pytest.fixture
def full(store: Store, put: Put, make: Any) -> Store:
    """A lab with rows of several kinds."""
    put(make.run(), make.event("finished"), make.attempt("a"), make.score("a"), make.intent("a"))
    put(*(make.generation(f"g{number}", text="é\0\n" * number) for number in range(50)))
    return store


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {
        kind.table: connection.sql(f"select count(*), bit_xor(hash(t)) from log.{kind.table} as t").fetchone()
        for kind in KINDS
    }


def test_a_backup_is_a_lab(full: Store, path: Path, tmp_path: Path) -> None:
    """A backup has the same rows in every table, works as a lab, and is 0600."""
    copy = full.backup(tmp_path / "copy.duckdb")
    assert oct(copy.stat().st_mode & 0o777) == "0o600"
    with duckdb.connect(str(path)) as one, duckdb.connect(str(copy)) as other:
        assert counts(one) == counts(other)
    frame = Store(copy).generations()
    assert len(frame) == 50
    assert not list(tmp_path.glob("*.part*"))


def test_a_backup_overwrites_nothing(full: Store, tmp_path: Path) -> None:
    """A path that is taken is refused, and what is there stays."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        full.backup(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"
    with pytest.raises(StoreError, match="could not be made"):
        full.backup(tmp_path / "no" / "such" / "folder")


def test_a_backup_during_writing_is_of_one_moment(store: Store, make: Any, tmp_path: Path) -> None:
    """A copy taken while rows are written has each run of rows up to one moment, without a gap."""
    writer = store.writer()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            writer.put(make.generation(f"{number:06d}"))
            number += 1
            if number % 50 == 0:
                writer.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for copy in range(3):
            with duckdb.connect(str(store.backup(tmp_path / f"{copy}.duckdb"))) as plain:
                rows = plain.sql("select generation_id::int from log.generations order by 1").fetchall()
            assert [row[0] for row in rows] == list(range(len(rows)))
    finally:
        stop.set()
        thread.join()


def test_a_backup_beside_a_read_only_holder(full: Store, path: Path, tmp_path: Path) -> None:
    """Also while the person has the lab open read-only in this kernel a backup can be made."""
    full.checkpoint()
    with duckdb.connect(str(path), read_only=True):
        copy = full.backup(tmp_path / "copy.duckdb")
    assert len(Store(copy).generations()) == 50


def test_an_export_can_be_moved_and_loaded(
    full: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export holds every table; moved elsewhere, it loads into an empty database with the same rows and
    views, and names no folder of this machine."""
    before = os.umask(0)
    try:
        exported = full.export(tmp_path / "ex'port")
    finally:
        os.umask(before)
    moved = tmp_path / "elsewhere"
    shutil.move(exported, moved)
    assert {oct(file.stat().st_mode & 0o777) for file in moved.iterdir()} == {"0o600"}
    assert str(tmp_path) not in (moved / "load.sql").read_text()
    monkeypatch.chdir("/")
    with duckdb.connect() as other, duckdb.connect(str(path)) as one:
        other.execute(f"import database '{moved}'")
        assert counts(one) == counts(other)
        assert other.sql("select count(*) from generations").fetchone() == (50,)
        assert other.sql("select status from runs").fetchone() == ("finished",)


def test_an_export_needs_an_empty_folder(full: Store, tmp_path: Path) -> None:
    """A folder with something in it is refused."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        full.export(tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["file"]
