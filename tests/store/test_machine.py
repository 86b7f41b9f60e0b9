"""Any order of what can happen to a lab leaves every acknowledged row there, once."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from labkit.errors import StoreError
from labkit.records import Score
from labkit.store import (
    Store,
    database,
    fold,
    journal,
    journal_cleanup,
    journal_directory,
    migrate,
    process_resources,
)
from tests.store.tampering import TAMPERINGS

SHORT = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
"""Memory, where there is such a folder: a thousand labs are made, and what a disk does is made up here."""
RESERVE = 4_000
NEVER, AT_ONCE = 1e9, 0.0
FULL = OSError(errno.ENOSPC, "No space left on device")
NOW = len(migrate.steps())
UPGRADES = (
    migrate.Step(NOW + 1, "twins", "create table log.twins as select generation_id from log.scores"),
    migrate.Step(NOW + 2, "mood", "alter table log.scores add column mood varchar default 'calm'"),
)
BROKEN = migrate.Step(NOW + 2, "broken", "create table log.half (a int); select error('the process ends')")


class Disk:
    """The journals' system calls: they can fail once, find no room, or stop for ever with their process."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.dies_after: int | None = None
        self.dead = False
        self.failing: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("open", "ftruncate", "fdatasync", "fsync", "fstat", "rename"):
            return real

        def call(*what: Any, **how: Any) -> Any:
            self.fail(name)
            return real(*what, **how)

        return call

    def fail(self, name: str) -> None:
        if self.dead:
            raise OSError(errno.EIO, "the process is gone")
        if (number := self.failing.pop(name, None)) is not None:
            raise OSError(number, os.strerror(number))

    def write(self, fd: int, data: Any) -> int:
        self.fail("write")
        if self.dies_after is not None:
            self.dies_after -= len(data)
            if self.dies_after < 0:
                os.write(fd, data[: self.dies_after])
                self.dead = True
                raise OSError(errno.EIO, "the process is gone")
        if self.room is not None:
            if self.room <= 0:
                raise FULL
            data = data[: self.room]
            self.room -= len(data)
        return os.write(fd, data)


class LabMachine(RuleBasedStateMachine):
    """One lab, written by one process after the other. The model is the set of acknowledged rows."""

    disk: Disk

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="labkit-machine-", dir=SHORT))
        self.path = self.home / "lab.duckdb"
        self.acknowledged: set[str] = set()
        self.put_: set[str] = set()
        self.given_up: set[str] = set()
        """What a process took with it: its caller was never told that it is on disk."""
        self.seen: set[str] = set()
        self.person: duckdb.DuckDBPyConnection | None = None
        self.settled = False
        LabMachine.disk = journal.os = self.disk = Disk()  # type: ignore[attr-defined]
        self._upgrades = 0
        self._begin()

    def _begin(self) -> None:
        self.disk.dead, self.disk.dies_after = False, None
        self.disk.failing.clear()
        process_resources._all.pop(self.path, None)
        self.store = Store(self.path, wait_s=0.02)
        self.store._shared.background.start = lambda: None  # type: ignore[method-assign]

    def _end(self) -> None:
        with contextlib.suppress(StoreError):
            self.store.close()

    @property
    def full(self) -> bool:
        return self.disk.room is not None

    @initialize(lines=st.integers(1, 5), count=st.integers(0, 4))
    def small_folds(self, lines: int, count: int) -> None:
        fold.BATCH_LINES = lines
        self.put(count)

    # -- put -------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 8))
    def put(self, count: int) -> None:
        """Put rows and wait until they are on disk, as far as they can be."""
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
        try:
            self.store.writer().flush()
        except StoreError:
            assert self.full or self.disk.dead
        else:
            assert self.acknowledged >= self.put_ - self.given_up

    @rule(
        call=st.sampled_from(["write", "fdatasync", "ftruncate", "fstat", "open", "fsync"]),
        number=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EINTR]),
    )
    def put_while_a_call_fails(self, call: str, number: int) -> None:
        self.disk.failing = {call: number}
        if call == "ftruncate":
            self.disk.failing["fdatasync"] = number
        self.put(3)
        self.disk.failing.clear()

    # -- fold ------------------------------------------------------------------------------------

    @rule(count=st.integers(0, 4))
    def fold_now(self, count: int) -> None:
        self.put(count)
        try:
            self.store.fold()
        except StoreError:
            assert self.person is not None or self.full

    @rule(count=st.integers(0, 4))
    def checkpoint(self, count: int) -> None:
        self.put(count)
        assert self.store.checkpoint() or self.person is not None or self.full

    @precondition(lambda self: self.person is None)
    @rule(count=st.integers(1, 8))
    def a_fold_is_broken_off(self, count: int) -> None:
        self.put(count)
        real = fold.insert

        def broken(*what: Any) -> None:
            real(*what)
            raise KeyboardInterrupt

        fold.insert = broken
        try:
            with contextlib.suppress(KeyboardInterrupt, StoreError):
                self.store.fold()
        finally:
            fold.insert = real

    @rule()
    def look(self) -> None:
        if self.person is not None or self.full:
            return
        with self.store._reading() as reading:
            assert reading.why is None
            found = [
                name for (name,) in reading.connection.sql("select generation_id from log.scores").fetchall()
            ]
            whys = reading.connection.sql("select distinct left(why, 13) from log.damage").fetchall()
        assert set(whys) <= {("it has no end",), ("its checksum ",), ("it is not of ",)}
        assert len(found) == len(set(found)), "a row is there twice"
        assert self.acknowledged <= set(found), "an acknowledged row is lost"
        assert self.seen <= set(found) <= self.put_, "a row that was there is gone"
        self.seen = set(found)

    # -- kill and tear ---------------------------------------------------------------------------

    @rule()
    def process_ends(self) -> None:
        self._end()
        self.given_up = self.put_ - self.acknowledged
        self._begin()

    @rule(count=st.integers(1, 8), written=st.integers(0, 900))
    def process_is_killed(self, count: int, written: int) -> None:
        self.disk.dies_after = written
        self.put(count)
        self.disk.dead = True
        self.process_ends()

    @rule(cut=st.integers(1, 57))
    def process_dies_in_the_middle_of_a_line(self, cut: int) -> None:
        process = self.store._shared.writer.process
        where = self.store._shared.access.folder
        names = [name for name, _ in where.journals() if name.process == process]
        self.process_ends()
        if names and (where.path / str(names[-1])).exists():
            with open(where.path / str(names[-1]), "ab") as file:
                file.write(b'00000000 score 17 {"generation_id":"never acknowledged"}\n'[:cut])

    # -- hold ------------------------------------------------------------------------------------

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

    # -- fill ------------------------------------------------------------------------------------

    @precondition(lambda self: not self.full)
    @rule(left=st.integers(0, 1_500), reserve=st.booleans())
    def the_disk_fills_up(self, left: int, reserve: bool) -> None:
        if reserve:
            self.store._folder().make()
            self.store._folder().keep_reserve()
        self.disk.room = left

    @precondition(lambda self: self.full)
    @rule()
    def somebody_makes_room(self) -> None:
        self.disk.room = None

    # -- migrate ---------------------------------------------------------------------------------

    @precondition(lambda self: self.person is None and not self.full and self._upgrades < len(UPGRADES))
    @rule(breaks_off=st.booleans())
    def a_newer_labkit_comes(self, breaks_off: bool) -> None:
        self.process_ends()
        self._upgrades += 1
        real = _steps
        if breaks_off and self._upgrades == len(UPGRADES):
            migrate.steps = lambda: (*real(), UPGRADES[0], BROKEN)  # type: ignore[assignment]
            if self.path.exists():
                with pytest.raises(StoreError, match="the process ends"):
                    self.store.fold() if self.store._shared.access.progress.unfolded() else self.store.table(
                        "select 1"
                    )
        steps = (*real(), *UPGRADES[: self._upgrades])
        migrate.steps = lambda: steps  # type: ignore[assignment]

    # -- what others do to the file ----------------------------------------------------------------

    @precondition(lambda self: self.path.exists() and self.person is None and not self.full)
    @rule(count=st.integers(1, 4), ends=st.booleans())
    def somebody_writes_an_older_file_back(self, count: int, ends: bool) -> None:
        self.store.checkpoint()
        shutil.copy(self.path, self.home / "older")
        self.put(count)
        self.store.checkpoint()
        if ends:
            self.process_ends()
            self.look()
        os.replace(self.home / "older", self.path)
        self.path.with_name("lab.duckdb.wal").unlink(missing_ok=True)

    @precondition(lambda self: not self.full)
    @rule(how=st.sampled_from(sorted(TAMPERINGS)), count=st.integers(0, 4), folded=st.booleans())
    def somebody_changes_the_journal(self, how: str, count: int, folded: bool) -> None:
        """While its process lives. What a fold saw of that, it put aside."""
        journal = self.store.writer()._main._journal
        if journal is None or not journal.written_bytes or not journal.path.exists():
            return
        TAMPERINGS[how](journal.path)
        if folded:
            with contextlib.suppress(StoreError):
                self.store.fold()
        self.put(count)

    @precondition(lambda self: self.person is None and not self.settled)
    @rule()
    def somebody_removes_the_lab(self) -> None:
        self.path.unlink(missing_ok=True)

    @precondition(lambda self: self.person is None and not self.full)
    @rule()
    def time_passes(self) -> None:
        """Journals go: from now on a lab that is removed is gone."""
        journal_cleanup.SETTLED_S = AT_ONCE
        self.look()
        self.look()
        journal_cleanup.SETTLED_S = NEVER
        self.settled = True

    def teardown(self) -> None:
        try:
            if self.person is not None:
                self.the_person_closes_it()
            self.disk.room = None
            self._end()
            self.look()
        finally:
            self._end()
            process_resources._all.pop(self.path, None)
            migrate.steps = _steps
            shutil.rmtree(self.home)


_steps = migrate.steps


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small numbers, no waiting, and everything the machine turns is turned back."""
    for module, name, value in (
        (fold, "BATCH_LINES", fold.BATCH_LINES),
        (fold, "insert", fold.insert),
        (journal, "COMPARE_BYTES", 64),
        (journal, "os", os),
        (migrate, "steps", migrate.steps),
        (journal_cleanup, "SETTLED_S", NEVER),
        (journal_directory, "RESERVE_BYTES", RESERVE),
        (database, "POLL_S", 0.002),
    ):
        monkeypatch.setattr(module, name, value)
    spend, insert = journal_directory.JournalDirectory.spend_reserve, fold.insert

    def spent(self: journal_directory.JournalDirectory) -> bool:
        if (gone := spend(self)) and LabMachine.disk.room is not None:
            LabMachine.disk.room += RESERVE
        return gone

    def inserted(*what: Any) -> None:
        if LabMachine.disk.room is not None and LabMachine.disk.room <= 0:
            raise duckdb.IOException("IO Error: No space left on device")
        insert(*what)

    monkeypatch.setattr(journal_directory.JournalDirectory, "spend_reserve", spent)
    monkeypatch.setattr(fold, "insert", inserted)


def run(examples: int, steps: int, **more: Any) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        LabMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=checks,
            database=None,
            **more,
        ),
    )


def test_any_history_keeps_every_row() -> None:
    """F40: put, fold, kill, tear, hold, fill and migrate in any order: every acknowledged row, once."""
    run(examples=200, steps=8, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_histories_keep_every_row() -> None:
    """F40: the same for many and longer histories, other ones each time."""
    run(examples=500, steps=40)
