"""Folding goes on by itself, once for the whole lab, and never troubles those who ask."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreError
from labkit.store import Store
from labkit.store.background_fold import BackgroundFold
from labkit.store.database_lock import passed
from labkit.store.fold import Fold
from labkit.store.journal_directory import JournalDirectory

Put = Callable[..., None]


@pytest.fixture
def background(store: Store) -> BackgroundFold:
    return BackgroundFold(store._shared.access, period_s=0.0)


def rows(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as plain:
        return len(plain.sql("from generations"))


def test_it_folds_what_is_journalled(store: Store, put: Put, make: Any, path: Path, until: Any) -> None:
    """What is put comes into the tables without anybody reading."""
    others = set(threading.enumerate())
    background = BackgroundFold(store._shared.access, period_s=0.01)
    background.start()
    background.start()
    assert [thread.name for thread in set(threading.enumerate()) - others] == ["labkit-fold"]
    put(make.generation())
    progress = store._shared.access.progress
    until(lambda: path.exists() and not progress.unfolded())
    background.stop()
    assert rows(path) == 1
    assert "labkit-fold" not in [thread.name for thread in set(threading.enumerate()) - others]


def test_one_fold_a_period_for_the_whole_lab(store: Store, put: Put, make: Any, path: Path) -> None:
    """If somebody passed the gate within the period, this process does not."""
    put(make.generation("a"))
    store.fold()
    put(make.generation("b"))
    BackgroundFold(store._shared.access, period_s=3_600.0).once(store._shared.access)
    assert rows(path) == 1
    BackgroundFold(store._shared.access, period_s=0.0).once(store._shared.access)
    assert rows(path) == 2


def test_a_person_may_connect_while_it_folds(
    store: Store, put: Put, make: Any, path: Path, background: BackgroundFold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain connection of this very kernel joins the fold's, whenever it comes, and sees its rows then."""
    put(make.generation("a"))
    store.fold()
    put(make.generation("b"))
    run, joined = Fold.run, []

    def met(self: Fold) -> Any:
        joined.append(duckdb.connect(str(path)))
        return run(self)

    monkeypatch.setattr(Fold, "run", met)
    background.once(store._shared.access)
    (person,) = joined
    assert len(person.sql("from generations")) == 2
    person.close()


@pytest.mark.unshared("a shared lab is made when it meets its server")
def test_a_taken_gate_is_left_alone(
    store: Store, put: Put, make: Any, path: Path, background: BackgroundFold
) -> None:
    """While another folds it does nothing, and that is no trouble."""
    put(make.generation())
    with passed(JournalDirectory(path), wait_s=0.0):
        background.once(store._shared.access)
    assert not path.exists()
    assert background.trouble is None


def test_a_held_file_is_no_trouble(
    store: Store, put: Put, make: Any, path: Path, background: BackgroundFold, held_by_another: Any
) -> None:
    """While a person holds the file it waits for the next time."""
    put(make.generation("a"))
    store.fold()
    put(make.generation("b"))
    with held_by_another(path):
        background.once(store._shared.access)
    assert background.trouble is None
    background.once(store._shared.access)
    assert rows(path) == 2


@pytest.mark.parametrize(
    "error",
    [duckdb.IOException("IO Error: No space left"), OSError(5, "Input/output error"), ValueError("?")],
)
def test_a_fault_is_kept_and_told_once(
    store: Store,
    put: Put,
    make: Any,
    background: BackgroundFold,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """A fold that fails is logged once and kept in `trouble` until one works; nobody else hears of it."""
    put(make.generation())

    def failing(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("labkit.store.fold.Fold.run", failing)
        for _ in range(3):
            background.once(store._shared.access)
        assert isinstance(background.trouble, StoreError)
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    background.once(store._shared.access)
    assert background.trouble is None


def test_it_ends_with_its_store(path: Path, until: Any) -> None:
    """When nobody has the store any more the thread ends by itself."""
    from labkit.store.access import Access

    access = Access(path)
    background = BackgroundFold(access, period_s=0.01)
    background.start()
    thread = background._thread
    assert thread is not None
    del access
    gc.collect()
    until(lambda: not thread.is_alive())


def test_it_can_be_done_without(store: Store, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be begun for it, that is told, and whoever reads folds all the same."""
    background = BackgroundFold(store._shared.access)

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        background.start()
    assert "Nothing is folded in the background: can't start new thread" in str(background.trouble)
    store.writer().put(make.generation())
    store.writer().flush()
    assert len(store.generations()) == 1
    background.start()
    background.stop()
