"""A journal goes only when the lab, opened afresh, shows all of it, and nobody writes it any more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from labkit.store import Store, journal_cleanup
from labkit.store.journal_directory import JournalDirectory

Put = Callable[..., None]


@pytest.fixture
def journals(path: Path) -> Callable[[], list[str]]:
    folder = JournalDirectory(path)
    return lambda: [str(name) for name, _ in folder.journals()]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold counts as settled at once."""
    monkeypatch.setattr(journal_cleanup, "SETTLED_S", 0.0)


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
def test_a_fold_does_not_remove_what_it_folded(store: Store, put: Put, make: Any, journals: Any) -> None:
    """A journal outlives the opening that folded it, and goes in the next."""
    put(make.generation("a"))
    store.writer().close()
    store.fold()
    assert len(journals()) == 1
    store.run_row("x")
    assert journals() == []
    assert store.generations()["generation_id"].tolist() == ["a"]


@pytest.mark.usefixtures("at_once")
def test_a_living_process_keeps_its_journal(store: Store, put: Put, make: Any, journals: Any) -> None:
    """While the process that writes it lives, a journal stays, and what it writes later comes in."""
    put(make.generation("a"))
    for _ in range(3):
        store.fold()
        store.run_row("x")
    assert len(journals()) == 1
    put(make.generation("b"))
    assert store.generations()["generation_id"].tolist() == ["a", "b"]


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
def test_a_followed_journal_goes_while_its_process_lives(
    store: Store, put: Put, make: Any, journals: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that its process has closed for the next one is removed, so that they do not pile up."""
    from labkit.store import per_process_journal

    monkeypatch.setattr(per_process_journal, "ROTATE_BYTES", 1)
    for name in "abc":
        put(make.generation(name))
    assert len(journals()) == 3
    store.fold()
    store.run_row("x")
    assert len(journals()) == 1
    assert sorted(store.generations()["generation_id"]) == ["a", "b", "c"]


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
def test_journals_of_another_process_that_lives_are_left_to_it(
    store: Store, put: Put, make: Any, journals: Any, monkeypatch: pytest.MonkeyPatch, path: Path, python: Any
) -> None:
    """Its closed ones too: so it can tell that another program removed them."""
    from labkit.store import per_process_journal

    monkeypatch.setattr(per_process_journal, "ROTATE_BYTES", 1)
    for name in "abc":
        put(make.generation(name))
    code = """
import sys
from labkit.store import Store, journal_cleanup
journal_cleanup.SETTLED_S = 0.0
store = Store(sys.argv[1])
for _ in range(3):
    store.fold()
    store.run_row("x")
print(len(store.generations()))
"""
    out, err = python(code, path).communicate(timeout=60)
    assert out == "3\n", err
    assert len(journals()) == 3
    store.run_row("x")
    assert len(journals()) == 1


def test_a_recent_fold_is_not_trusted_yet(store: Store, put: Put, make: Any, journals: Any) -> None:
    """For ten seconds after its fold a journal stays, in case another program writes back an older head."""
    put(make.generation("a"))
    store.writer().close()
    store.fold()
    store.run_row("x")
    store.run_row("x")
    assert len(journals()) == 1


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
def test_a_shared_opening_is_not_trusted(
    store: Store, put: Put, make: Any, journals: Any, path: Path
) -> None:
    """While a connection of the person keeps the database open in this process, its word is not the
    file's, and no journal goes."""
    put(make.generation("a"))
    store.fold()
    with duckdb.connect(str(path)) as person:
        put(make.generation("b"))
        store.writer().close()
        for _ in range(3):
            store.fold()
            store.run_row("x")
        assert len(journals()) == 1
        assert person.sql("select count(*) from generations").fetchone() == (2,)
    store.run_row("x")
    assert journals() == []


@pytest.mark.usefixtures("at_once")
def test_an_undone_fold_is_noticed_before_its_journal_goes(
    store: Store, put: Put, make: Any, journals: Any, path: Path
) -> None:
    """If the fold was undone before the next opening, the journal is folded again, not removed."""
    put(make.generation("a"))
    store.checkpoint()
    shutil.copy(path, path.with_name("old"))
    put(make.generation("b"))
    store.writer().close()
    store.checkpoint()
    path.with_name("old").replace(path)
    assert sorted(store.generations()["generation_id"]) == ["a", "b"]
    assert len(journals()) == 1


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
def test_nothing_of_a_dead_process_is_left(store: Store, put: Put, make: Any, path: Path) -> None:
    """After the last journal its process's lock file goes too; only the gate remains."""
    store.check_writable()
    put(make.generation("a"))
    store.writer().close()
    store.fold()
    store.run_row("x")
    assert sorted(file.name for file in JournalDirectory(path).path.iterdir()) == ["gate.lock", "reserve"]


DIES = """
import os, signal, sys
from pathlib import Path
from labkit.store import Store, fold, journal_cleanup

journal_cleanup.SETTLED_S = 0.0
moment, real = sys.argv[2], Path.unlink

def unlink(self, *how, **more):
    if self.suffix == ".jsonl" and moment == "before it goes":
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, *how, **more)
    if self.suffix == ".jsonl" and moment == "after it went":
        os.kill(os.getpid(), signal.SIGKILL)

Path.unlink = unlink
done = fold.Fold.run

def run(self):
    report = done(self)
    if moment == "after the commit":
        os.kill(os.getpid(), signal.SIGKILL)
    return report

fold.Fold.run = run
store = Store(sys.argv[1])
store.fold()
store.run_row("x")
store.run_row("x")
"""


@pytest.mark.unshared("a shared lab keeps its journals for a day")
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("moment", ["after the commit", "before it goes", "after it went"])
def test_a_kill_between_fold_and_removal(
    moment: str, store: Store, put: Put, make: Any, path: Path, python: Any, journals: Any
) -> None:
    """F34: a process killed after a fold's commit, or before or after it removes a journal, leaves every row
    once, and the next one finishes its work."""
    for name in "abc":
        put(make.generation(name))
        store.writer().close()
    process = python(DIES, path, moment)
    assert process.wait(60) == -9, process.stderr.read()
    assert len(journals()) == (2 if moment == "after it went" else 3)
    for _ in range(3):
        assert sorted(store.generations()["generation_id"]) == ["a", "b", "c"]
    assert store.table("select count(*) as n from log.generations")["n"].to_pylist() == [3]
    assert journals() == []
