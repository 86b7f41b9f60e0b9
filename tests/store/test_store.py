"""The front of the floor: checked before anything is paid for, closed without loss."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError, StoreError, StoreTooNew
from labkit.store import Store
from labkit.store.process_resources import resources_of


def test_making_a_store_touches_nothing(path: Path) -> None:
    """A store is a value until it is used, with a plain repr."""
    store = Store(path)
    assert repr(store) == f"Store({str(path)!r})"
    assert list(path.parent.iterdir()) == []
    with pytest.raises(DefinitionError, match="NUL"):
        Store("a\0b")


@pytest.mark.unshared("a shared lab is made when it meets its server")
def test_a_lab_is_there_from_its_first_line_on(store: Store, path: Path, put: Any, make: Any) -> None:
    """Before anything is written there is none, and asking makes none; a journal alone is one already."""
    assert not store.is_there()
    assert list(path.parent.iterdir()) == []
    put(make.generation())
    assert not path.exists()
    assert store.is_there()
    store.fold()
    assert path.exists()
    assert store.is_there()


def test_a_relative_path_stays_where_it_was_meant(
    path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing the working folder later does not move the lab."""
    monkeypatch.chdir(path.parent)
    store = Store("lab.duckdb")
    monkeypatch.chdir("/")
    store.writer().put(make.generation())
    store.close()
    assert len(store.generations()) == 1
    assert path.exists()


@pytest.mark.parametrize("place", ["a.duckdb", "c/lab.duckdb"])
def test_links_that_lead_round_in_a_circle_are_refused(place: str, tmp_path: Path) -> None:
    """A link to itself, at the lab or on the way to it, is one sentence, to write and to read."""
    for one, other in (("a.duckdb", "a.duckdb"), ("b", "c"), ("c", "b")):
        (tmp_path / one).symlink_to(tmp_path / other)
    store = Store(tmp_path / place)
    for use in (store.check_writable, store.generations, lambda: store.sql("from runs")):
        with pytest.raises(StoreError, match="in a circle"):
            use()


def test_the_home_folder_of_nobody_is_refused() -> None:
    """A path from the home folder of a user there is none of is an error of labkit's."""
    for name in ("~x.duckdb", "~no-such/lab.duckdb"):
        with pytest.raises(DefinitionError, match="no home folder"):
            Store(name)


def test_a_checked_lab_is_ready(store: Store, path: Path) -> None:
    """After `check_writable` the lab, its journal of intents and its reserve are there; again is free."""
    store.check_writable()
    store.check_writable()
    names = {
        file.name.split("-")[-1] if "intents" not in file.name else "intents"
        for file in Path(f"{path}.journal").iterdir()
    }
    assert path.exists()
    assert "intents" in names
    assert "reserve" in names


@pytest.mark.unshared("a shared lab is made when it meets its server")
def test_a_checked_journal_opens_no_lab(store: Store, path: Path) -> None:
    """`check_journal` makes the journal and leaves the lab alone; one that the last fold found may not be
    written is refused."""
    store.check_journal()
    assert Path(f"{path}.journal").is_dir()
    assert not path.exists()
    resources_of(path).background.tell(StoreTooNew("a newer labkit wrote it"))
    with pytest.raises(StoreTooNew, match="a newer labkit wrote it"):
        store.check_journal()
    resources_of(path).background.tell(StoreError("the disk is full"))
    store.check_journal()


def test_a_network_disk_is_warned_of(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where locks lie the lab is used all the same, with a warning."""
    monkeypatch.setattr("labkit.store.store.network_file_system", lambda _: "nfs4")
    store.check_writable()
    assert "lies on a network disk (nfs4)" in caplog.text


def test_close_writes_what_waits(path: Path, make: Any) -> None:
    """Closing loses nothing, and the store can be used again after it."""
    store = Store(path)
    for number in range(100):
        store.writer().put(make.generation(f"g{number}"))
    store.close()
    store.writer().put(make.generation("later"))
    store.close()
    assert len(store.generations()) == 101


def test_a_failing_disk_is_told_at_close(path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last rows cannot be written, closing says so."""
    store = Store(path)
    store.writer().prepare()

    def failing(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fdatasync", failing)
    store.writer().put(make.generation())
    with pytest.raises(StoreError, match="Input/output error"):
        store.close()


def test_importing_the_store_loads_nothing_heavy() -> None:
    """The floor is imported without DuckDB, pandas or pyarrow; they come with the first reading."""
    heavy = ("duckdb", "pandas", "pyarrow", "numpy")
    code = f"import sys, labkit.store; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_copied_records_are_all_exported() -> None:
    """`labkit.store` exports what its `__all__` names."""
    import labkit.store

    assert all(hasattr(labkit.store, name) for name in labkit.store.__all__)
