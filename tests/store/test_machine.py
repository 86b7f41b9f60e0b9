"""Any order of what can happen to a lab leaves every acknowledged row there, once."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from labkit.errors import StoreError
from labkit.records import Score
from labkit.store import Store, fold, journal


class LabMachine(RuleBasedStateMachine):
    """One lab, written by one process after the other. The model is the set of acknowledged rows."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="labkit-machine-"))
        self.path = self.home / "lab.duckdb"
        self.acknowledged: set[str] = set()
        self.put_: set[str] = set()
        self.person: duckdb.DuckDBPyConnection | None = None
        self.copied = False
        self._begin()

    def _begin(self) -> None:
        self.store = Store(self.path, wait_s=0.2)
        self.store._desk.background.start = lambda: None  # type: ignore[method-assign]

    @initialize(lines=st.integers(1, 5))
    def small_folds(self, lines: int) -> None:
        fold.BATCH_LINES = lines

    @rule(count=st.integers(1, 8))
    def put(self, count: int) -> None:
        from datetime import UTC, datetime

        for _ in range(count):
            name = f"g{len(self.put_)}"
            self.put_.add(name)
            row = Score(
                generation_id=name,
                scorer="s",
                value=1.0,
                scored_at=datetime.now(UTC),
                explanation="x\n" * len(name),
            )
            self.store.writer().put(row, lambda name=name: self.acknowledged.add(name))
        self.store.writer().flush()

    @rule(
        call=st.sampled_from(["write", "fdatasync", "ftruncate"]),
        number=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def put_while_a_call_fails(self, call: str, number: int) -> None:
        real = getattr(os, call)
        failed = []

        def failing(fd: int, *rest: Any) -> Any:
            if not failed and ".jsonl" in os.readlink(f"/proc/self/fd/{fd}"):
                failed.append(fd)
                raise OSError(number, os.strerror(number))
            return real(fd, *rest)

        setattr(os, call, failing)
        try:
            self.put(3)
        finally:
            setattr(os, call, real)

    @rule()
    def fold_now(self) -> None:
        if self.person is None or self.path.exists():
            try:
                self.store.fold()
            except StoreError:
                assert self.person is not None

    @rule()
    def checkpoint(self) -> None:
        assert self.store.checkpoint() or self.person is not None

    @rule()
    def process_ends(self) -> None:
        self.store.close()
        self._begin()

    @rule(cut=st.integers(1, 40))
    def process_dies_in_the_middle_of_a_line(self, cut: int) -> None:
        process = self.store._desk.writer.process
        folder = self.store._desk.access.folder
        names = [name for name, _ in folder.journals() if name.process == process]
        self.store.close()
        if names:
            with open(folder.path / str(names[-1]), "ab") as file:
                file.write(b'00000000 score 17 {"generation_id":"never acknowledged"}'[:cut])
        self._begin()

    @precondition(lambda self: self.path.exists() and self.person is None)
    @rule(how=st.sampled_from(["plain", "read only", "configured"]))
    def a_person_opens_it(self, how: str) -> None:
        options: dict[str, dict[str, Any]] = {
            "plain": {},
            "read only": {"read_only": True},
            "configured": {"config": {"threads": 1}},
        }
        self.person = duckdb.connect(str(self.path), **options[how])

    @precondition(lambda self: self.person is not None)
    @rule()
    def the_person_closes_it(self) -> None:
        assert self.person is not None
        self.person.close()
        self.person = None

    @precondition(lambda self: self.path.exists() and self.person is None)
    @rule()
    def somebody_copies_the_file(self) -> None:
        self.store.checkpoint()
        shutil.copy(self.path, self.home / "copy")
        self.copied = True

    @precondition(lambda self: self.copied and self.person is None)
    @rule()
    def somebody_writes_an_older_file_back(self) -> None:
        self.store.checkpoint()
        shutil.copy(self.home / "copy", self.home / "copy2")
        os.replace(self.home / "copy2", self.path)
        self.path.with_name("lab.duckdb.wal").unlink(missing_ok=True)

    @precondition(lambda self: self.person is None)
    @rule()
    def somebody_removes_the_lab(self) -> None:
        self.path.unlink(missing_ok=True)

    @precondition(lambda self: self.person is None)
    @invariant()
    def every_acknowledged_row_is_there_once(self) -> None:
        found = self.store.table("select generation_id from log.scores")["generation_id"].to_pylist()
        assert len(found) == len(set(found))
        assert self.acknowledged == self.put_
        assert set(found) == self.put_

    def teardown(self) -> None:
        if self.person is not None:
            self.person.close()
        self.store.close()
        shutil.rmtree(self.home)


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "BATCH_LINES", fold.BATCH_LINES)
    monkeypatch.setattr(journal, "COPY_BYTES", 64)


def run(examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        LabMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
        ),
    )


def test_any_history_keeps_every_row() -> None:
    """Puts, folds, faults, deaths, holders and undone files, in any order: every acknowledged row, once."""
    run(examples=8, steps=12)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_histories_keep_every_row() -> None:
    """The same for many and longer histories."""
    run(examples=400, steps=40)
