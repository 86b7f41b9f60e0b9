"""Several readings share one opening, show one moment, and leave nothing held behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.prompts import Prompt
from labkit.store import Store
from labkit.store.duckdb_instance import Instance
from labkit.store.file_locks import is_held
from labkit.store.journal_directory import JournalDirectory

Put = Callable[..., None]


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Instance]:
    """Every opening of the file."""
    opened: list[Instance] = []
    attach = Instance.attach

    def attached(self: Instance) -> Any:
        opened.append(self)
        return attach(self)

    monkeypatch.setattr(Instance, "attach", attached)
    return opened


def test_readings_in_a_block_share_one_opening(
    store: Store, put: Put, make: Any, path: Path, openings: list[Instance]
) -> None:
    """However many, and in a block within the block; at its end gate and file are free."""
    put(make.run(), make.generation())
    store.fold()
    openings.clear()
    with store.one_opening():
        assert not is_held(JournalDirectory(path).gate)
        assert len(store.generations()) == 1
        with store.one_opening():
            assert len(store.runs()) == 1
        assert store.spent("run-1") == 0.25
        assert is_held(JournalDirectory(path).gate)
    assert len(openings) == 1
    assert not is_held(JournalDirectory(path).gate)
    with duckdb.connect(str(path)) as plain:
        assert len(plain.sql("from generations")) == 1


def test_a_block_shows_one_moment(store: Store, put: Put, make: Any) -> None:
    """What is put in a block is seen after it, though not in it."""
    put(make.generation("a"))
    with store.one_opening():
        assert len(store.generations()) == 1
        put(make.generation("b"))
        assert len(store.generations()) == 1
    assert len(store.generations()) == 2


def test_what_opens_otherwise_ends_what_is_shared(store: Store, put: Put, make: Any) -> None:
    """A fold, a person's query or a copy in a block does not wait for the block's own opening."""
    put(make.generation("a"))
    with store.one_opening():
        assert len(store.generations()) == 1
        put(make.generation("b"))
        assert store.fold(wait_s=0.0).rows == 1
        assert len(store.generations()) == 2
        assert len(store.sql("from generations")) == 2
        assert len(store.generations()) == 2


def test_each_thread_has_blocks_of_its_own(store: Store, put: Put, make: Any) -> None:
    """Another thread waits for the lab as another process does, and reads after the block."""
    put(make.generation())
    read: list[int] = []
    other = threading.Thread(target=lambda: read.append(len(store.generations())))
    with store.one_opening():
        assert len(store.generations()) == 1
        other.start()
        assert len(store.generations()) == 1
        assert not read
    other.join()
    assert read == [1]


def test_a_failing_block_leaves_nothing_held(store: Store, put: Put, make: Any, path: Path) -> None:
    """An error in a block ends its opening too."""
    put(make.generation())

    def fail() -> None:
        with store.one_opening():
            raise ValueError(len(store.generations()))

    with pytest.raises(ValueError, match="1"):
        fail()
    assert not is_held(JournalDirectory(path).gate)
    with duckdb.connect(str(path)) as plain:
        assert len(plain.sql("from generations")) == 1


@pytest.mark.unshared("a shared lab is made when it meets its server")
def test_a_lab_that_is_made_in_a_block_is_seen_in_it(store: Store, path: Path) -> None:
    """There was none at its first reading, and it is there once it was checked for writing."""
    with store.one_opening():
        assert store.runs().empty
        assert not path.exists()
        store.check_writable()
        assert path.exists()
        assert store.runs().empty


def test_checking_a_lab_takes_no_opening_of_its_own(
    store: Store, put: Put, make: Any, openings: list[Instance]
) -> None:
    """In a block, that a lab could be opened to write and folded is the check."""
    put(make.generation())
    store.fold()
    openings.clear()
    with store.one_opening():
        store.check_writable()
        assert len(store.generations()) == 1
    assert len(openings) == 1


NUMBER = """
import sys
from labkit.prompts import Prompt
from labkit.store import Store
print(Store(sys.argv[1]).save_prompt(Prompt("p", sys.argv[2])).version)
"""


def test_a_number_is_given_once_though_it_is_only_journalled(
    store: Store, path: Path, python: Callable[..., Any]
) -> None:
    """Whoever gives the next number folds the journals first, also those of processes that still live."""
    store.check_writable()
    assert store.save_prompt(Prompt("p", "one")).version == 1
    assert store._shared.access.progress.unfolded()
    other = python(NUMBER, path, "two")
    assert other.communicate()[0] == "2\n"
    assert store.save_prompt(Prompt("p", "three")).version == 3
    with store.one_opening():
        assert store.save_prompt(Prompt("p", "four")).version == 4
        assert store.save_prompt(Prompt("p", "five")).version == 5
        assert store.save_prompt(Prompt("p", "four")).version == 4
