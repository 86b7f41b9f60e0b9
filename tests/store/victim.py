"""Forks processes that use a lab until they are killed, and mark in shared memory what they are in.

Started by `test_kills.py`, with the lab's folder as its argument. Reads one command a line: `spawn role
slot seed`; answers with the child's process id. Not a test itself.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - so that the children have it
import pyarrow  # noqa: F401 - and this

from labkit.errors import StoreError
from labkit.records import Generation
from labkit.store import Store, access, background_fold, fold, journal, migrate
from labkit.store.database import Opened, connect

PHASES = ("journal", "fold", "checkpoint", "migration")
NOW = len(migrate.steps())
FAKE_STEPS = (
    migrate.Step(
        NOW + 1,
        "copy",
        "create table log.twins as select * from log.generations; insert into log.twins from log.twins",
    ),
    migrate.Step(
        NOW + 2,
        "column",
        "alter table log.generations add column mood varchar default 'calm'; create table log.third (a int)",
    ),
)


class Marks:
    """One byte for each phase of one victim."""

    def __init__(self, folder: Path, slot: int) -> None:
        fd = os.open(folder / "marks", os.O_RDWR)
        self._memory = mmap.mmap(fd, 0)
        self._first = slot * len(PHASES)

    @contextlib.contextmanager
    def during(self, phase: str) -> Iterator[None]:
        place = self._first + PHASES.index(phase)
        self._memory[place] = 1
        try:
            yield
        finally:
            self._memory[place] = 0


class Watched:
    """A DuckDB connection that marks its transactions and checkpoints."""

    def __init__(self, connection: Any, marks: Marks) -> None:
        self._connection = connection
        self._marks = marks
        self._stack = contextlib.ExitStack()

    def execute(self, sql: str, *params: Any) -> Any:
        # DuckDB looks for the rows to insert by their name, in the frame that calls it: now this one.
        labkit_batch = sys._getframe(1).f_locals.get("labkit_batch")  # noqa: F841 - DuckDB finds it here
        if sql == "checkpoint":
            with self._marks.during("checkpoint"):
                return self._connection.execute(sql, *params)
        if sql == "begin":
            self._stack.enter_context(self._marks.during("fold"))
        try:
            return self._connection.execute(sql, *params)
        finally:
            if sql in ("commit", "rollback"):
                self._stack.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def watch(marks: Marks) -> None:
    """Let this process mark what it is in."""
    real_append, real_sync, real_apply = journal.Journal.append, journal.Journal.sync, migrate.apply

    def append(self: journal.Journal, lines: bytes) -> None:
        with marks.during("journal"):
            real_append(self, lines)

    def sync(self: journal.Journal) -> None:
        with marks.during("journal"):
            real_sync(self)

    def apply(connection: Any, wanted: Any) -> None:
        with marks.during("migration"):
            real_apply(connection, wanted)

    def watched(path: Path, **how: Any) -> Opened:
        opened = connect(path, **how)
        if isinstance(opened.connection, Watched):
            return opened  # kept since an earlier opening
        return replace(opened, connection=Watched(opened.connection, marks))  # type: ignore[arg-type]

    journal.Journal.append, journal.Journal.sync = append, sync  # type: ignore[method-assign]
    migrate.apply = apply
    access.database.connect = watched  # type: ignore[assignment]
    fold.BATCH_LINES = 40
    background_fold.PERIOD_S = 1e9


def row(name: str, text: str) -> Generation:
    """A row of that id and text."""
    return Generation(
        generation_id=name,
        run_id="r",
        experiment="e",
        workspace="w",
        prompt="p",
        prompt_version=1,
        model="m/x",
        provider="m",
        sample_id="s",
        repeat=0,
        status="done",
        text=text,
        started_at=datetime.now(UTC),
        request_id=f"r1:{name}",
        attempts=1,
    )


def write(folder: Path, slot: int, seed: int) -> None:
    """Put rows, fold and checkpoint, and note each acknowledged row, until killed."""
    marks = Marks(folder, slot)
    watch(marks)
    chance = random.Random(seed)
    acks = os.open(folder / f"acks-{slot}", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    store = Store(folder / "lab.duckdb")
    writer = store._shared.writer
    number = 0
    while True:
        for _ in range(chance.randrange(1, 40)):
            number += 1
            name = f"{os.getpid()}-{number}"
            writer.generation(
                row(name, "x" * chance.choice([10, 1_000, 1_000, 20_000])),
                lambda name=name: os.write(acks, f"{name}\n".encode()),
            )
        if chance.random() < 0.5:
            writer.flush()
        with contextlib.suppress(StoreError):
            if chance.random() < 0.5:
                store._shared.access.fold(wait_s=0.5, checkpoint=True)
            else:
                store.fold(wait_s=0.5)


def read(folder: Path, slot: int, seed: int) -> None:
    """Count, again and again: the number never falls, and no row is there twice."""
    store = Store(folder / "lab.duckdb", wait_s=60.0)
    most = 0
    with open(folder / f"reader-{slot}", "w") as out:
        while True:
            table = store.table(
                "select count(*) as n, count(distinct generation_id) as d from log.generations"
            )
            (found,) = table.to_pylist()
            wrong = found["n"] < most or found["n"] != found["d"]
            most = found["n"]
            out.write(f"{'WRONG' if wrong else 'right'} {found['n']} {found['d']}\n")
            out.flush()


def upgrade(folder: Path, slot: int, seed: int) -> None:
    """Bring an old lab up to a newer schema."""
    watch(Marks(folder, slot))
    real = migrate.steps()
    migrate.steps = lambda: (*real, *FAKE_STEPS)  # type: ignore[assignment]
    Store(folder / f"old-{seed}" / "lab.duckdb", wait_s=60.0).table("select 1")
    os._exit(0)


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    roles = {"write": write, "read": read, "upgrade": upgrade}
    for command in sys.stdin:
        _, role, slot, seed = command.split()
        child = os.fork()
        if child == 0:
            try:
                roles[role](folder, int(slot), int(seed))
            except BaseException:  # noqa: BLE001 - told through a file
                import traceback

                (folder / f"error-{role}-{slot}-{os.getpid()}").write_text(traceback.format_exc())
            os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
