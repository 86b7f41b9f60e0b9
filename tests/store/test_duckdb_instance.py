"""A DuckDB is kept between openings, and no file with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.errors import StoreError
from labkit.store import Store
from labkit.store.duckdb_instance import Instance

Put = Callable[..., None]


@pytest.fixture
def instance(store: Store, put: Put, make: Any) -> Instance:
    """The one of a lab that was opened before."""
    put(make.generation())
    store.fold()
    return store._shared.access._file._instance


def test_it_is_kept_and_used_again(store: Store, instance: Instance) -> None:
    """Two readings take one DuckDB."""
    kept = instance._idle
    assert kept is not None
    assert len(store.generations()) == 1
    assert instance._idle is kept


def test_no_file_is_open_between_two_openings(
    store: Store, instance: Instance, path: Path, held_by_another: Any
) -> None:
    """Another process and a person in this one can have the file to write; then it is read as ever."""
    assert instance._idle is not None
    with held_by_another(path):
        pass
    with duckdb.connect(str(path)) as plain:
        plain.execute("create table mine (a integer)")
        assert len(store.generations()) == 1  # by joining that connection
        assert plain.sql("select count(*) from mine").fetchall() == [(0,)]
    assert len(store.generations()) == 1


def test_what_failed_is_not_used_again(store: Store, instance: Instance) -> None:
    """An error in an opening ends its DuckDB with it, and the next opening begins another."""
    kept = instance._idle
    with pytest.raises(StoreError, match="nothing_of_that_name"):
        store.table("from nothing_of_that_name")
    assert instance._idle is None
    assert len(store.generations()) == 1
    assert instance._idle is not kept


def test_detaching_does_not_checkpoint(
    store: Store, put: Put, make: Any, instance: Instance, path: Path
) -> None:
    """Nobody who closes the lab waits for that."""
    store.checkpoint()
    put(make.generation("b"))
    store.fold()
    assert path.with_name("lab.duckdb.wal").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_inherits_none(store: Store, instance: Instance) -> None:
    """A forked child finds no DuckDB whose threads it does not have; it ends, and its parent reads on."""
    assert instance._idle is not None
    child = os.fork()
    if child == 0:
        os._exit(0 if instance._idle is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(store.generations()) == 1
