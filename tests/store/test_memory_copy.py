"""A lab that can only be read is shown with its journals, from a copy in memory; nothing is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from labkit.errors import StoreError
from labkit.prompts import Prompt
from labkit.store import Store, memory_copy

Put = Callable[..., None]


@pytest.fixture
def read_only(store: Store, path: Path) -> Iterator[Callable[[], Store]]:
    """Give the lab as it lies on a disk that is mounted read-only, which stops root too."""
    place = path.with_name("mounted")
    mounted = []

    def mount() -> Store:
        place.mkdir()
        for words in (["mount", "--bind"], ["mount", "-o", "remount,ro,bind"]):
            if subprocess.run([*words, str(path.parent), str(place)], capture_output=True).returncode:
                pytest.skip("no file system can be mounted here, which takes root")
            mounted.append(place)
        return Store(place / path.name, wait_s=5.0)

    if sys.platform != "linux":
        pytest.skip("file systems are mounted on Linux only")
    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.iterdir() if path.is_file()]
    files += [path for path in (folder / "lab.duckdb.journal").iterdir() if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("left", ["whole", "torn", "broken", "no file", "a log"])
def test_what_a_dead_process_left_is_shown_as_it_will_be_folded(
    store: Store, put: Put, make: Any, path: Path, read_only: Callable[[], Store], left: str
) -> None:
    """From a read-only disk, whether the last line is torn or broken, the lab's file was not made yet, or has
    DuckDB's log beside it: every whole line is shown, and no file is touched."""
    put(make.run(cells=3), make.event("started"), make.generation("a"))
    if left != "no file":
        store.checkpoint()
    put(make.generation("b"), make.generation("a", text="again"), make.score("b"))
    (newest,) = path.with_name("lab.duckdb.journal").glob("s*[0-9].jsonl")
    store.close()
    if left in ("torn", "broken"):
        with newest.open("ab") as file:
            file.write(b"in the midd" + (b"\n" if left == "broken" else b""))
    if left == "a log":
        with duckdb.connect(str(path)) as person:
            person.execute("pragma disable_checkpoint_on_shutdown")
            person.execute("insert into log.blocks (hash) values ('x')")
        assert path.with_name("lab.duckdb.wal").exists()
    before = contents(path.parent)
    there = read_only()
    frame = there.generations()
    assert sorted(frame["generation_id"]) == ["a", "b"]
    assert "again" in set(frame["text"])
    assert frame.attrs["labkit"]["unfolded_bytes"] > 0
    assert frame.attrs["labkit"]["shown"] == "all"
    assert "ead-only file system" in frame.attrs["labkit"]["why"]
    assert there.runs()["status"].tolist() == ["unfinished"]
    assert there.sql("select count(*) as n from scores")["n"].item() == 1
    with pytest.raises(StoreError, match=r"[Rr]ead-only file system"):
        there.save_prompt(Prompt("p", "text"))
    assert contents(path.parent) == before
    pd.testing.assert_frame_equal(store.generations(), frame)
    assert len(store.damage()) == (left in ("torn", "broken"))


@pytest.mark.unshared("it is said that a read-only lab is not shared")
def test_what_is_folded_is_read_without_a_copy(
    store: Store,
    put: Put,
    make: Any,
    read_only: Callable[[], Store],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the journals have nothing beyond the file, it is read as it is, and nothing is warned of."""
    put(make.generation())
    store.checkpoint()
    monkeypatch.setattr(memory_copy, "copied", None)
    there = read_only()
    frame = there.generations()
    assert len(frame) == 1 == len(there.sql("from generations"))
    assert frame.attrs["labkit"]["unfolded_bytes"] == 0
    assert caplog.messages == []


def test_it_is_said_once_that_rows_are_not_folded_yet(
    store: Store, put: Put, make: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names the lab, why and how much; readings after it do not repeat it, until all was well."""
    put(make.generation("a"))
    store.checkpoint()
    for number in range(2):
        with duckdb.connect(str(path), read_only=True):
            put(make.generation(f"b{number}"))
            assert len(store.generations()) == 2 + number
            assert len(store.sql("from generations")) == 2 + number
        assert len(store.generations()) == 2 + number
    assert len(caplog.messages) == 2
    assert "lab.duckdb can only be read: held by this kernel" in caplog.messages[0]
    assert "shown from a copy in memory" in caplog.messages[0]


def test_a_copy_has_every_row_in_its_order(store: Store, put: Put, make: Any, path: Path) -> None:
    """Of rows with one name and one moment the first or last stays the same as in the file, and when the lab
    was made, by which it is known."""
    put(make.run(), *(make.generation(f"g{number % 50}", text=str(number)) for number in range(500)))
    put(*(make.score(f"g{number % 50}", value=float(number)) for number in range(500)))
    store.checkpoint()
    tables = ("log.generations", "log.scores", "log.runs", "log.journals")
    made = "select * from log.schema_version"
    there = [store.table(f"select rowid, * from {table} order by rowid") for table in tables]
    frame = store.generations()
    with duckdb.connect(str(path), read_only=True):
        put(make.event("finished"))
        shown = store.generations()
        copied = [store.table(f"select rowid, * from {table} order by rowid") for table in tables[:3]]
        copied.append(store.table(made))
    assert copied == [*there[:3], store.table(made)]
    shown.attrs.clear()
    pd.testing.assert_frame_equal(shown, frame)
