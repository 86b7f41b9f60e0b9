"""Forks processes that ask a plan until they are killed, and mark in shared memory what they are in.

Started by `test_kills.py` and `test_chains.py`, with the folder of the marks as its argument. Reads one
command a line, a JSON list: launch, home, address, whether its labkit is a newer one, and whether it asks a
chain; answers with the child's process id. Not a test itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp  # noqa: F401 - so that the children have it
import duckdb  # noqa: F401
import openai.types.chat  # noqa: F401
import pandas  # noqa: F401
import pyarrow  # noqa: F401

import labkit as lk
from labkit.engine import attempt
from labkit.engine.delivery import Delivery
from labkit.engine.retry import Policy
from labkit.store import access, fold, journal, migrate
from labkit.store.database import Opened, connect

PHASES = ("asking", "journaling", "folding", "checkpointing", "migrating")
ROWS = [{"n": str(number)} for number in range(48)]
CHAIN = lk.Chain(
    "told",
    lk.Step("facts", "A {{ n }}"),
    lk.Step("draft", "B {{ n }} {{ facts }}"),
    lk.Step("told", "C {{ n }} {{ draft }} {{ facts }}"),
)
CHAIN_ROWS = [{"n": str(number)} for number in range(200)]
CONCURRENCY = 8
NOW = len(migrate.steps())
NEWER = (
    migrate.Step(NOW + 1, "twins", "create table log.twins as select * from log.generations"),
    migrate.Step(NOW + 2, "mood", "alter table log.generations add column mood varchar default 'calm'"),
)
POLICY = Policy(backoff_s=0.01, backoff_cap_s=0.02, timeout_s=20.0, deadline_s=40.0)


class Marks:
    """A byte for each phase: how many times this process is in it now; then two that go round: how many ends
    of requests it has handed over to be written, and how many of them it was told are on disk."""

    def __init__(self, folder: Path) -> None:
        self.memory = mmap.mmap(os.open(folder / "marks", os.O_RDWR), 0)

    @contextlib.contextmanager
    def during(self, phase: str) -> Iterator[None]:
        self.memory[PHASES.index(phase)] += 1
        try:
            yield
        finally:
            self.memory[PHASES.index(phase)] -= 1

    def handed(self) -> None:
        self.memory[len(PHASES)] = (self.memory[len(PHASES)] + 1) % 256

    def stored(self) -> None:
        self.memory[len(PHASES) + 1] = (self.memory[len(PHASES) + 1] + 1) % 256


class Watched:
    """A DuckDB connection that marks its transactions and checkpoints."""

    def __init__(self, connection: Any, marks: Marks) -> None:
        self._connection, self._marks = connection, marks
        self._stack = contextlib.ExitStack()

    def execute(self, sql: str, *params: Any) -> Any:
        # DuckDB looks for the rows to insert by their name, in the frame that calls it: now this one.
        labkit_batch = sys._getframe(1).f_locals.get("labkit_batch")  # noqa: F841 - DuckDB finds it here
        if sql == "checkpoint":
            with self._marks.during("checkpointing"):
                return self._connection.execute(sql, *params)
        if sql == "begin":
            self._stack.enter_context(self._marks.during("folding"))
        try:
            return self._connection.execute(sql, *params)
        finally:
            if sql in ("commit", "rollback"):
                self._stack.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def watched(marks: Marks, path: Path, **how: Any) -> Opened:
    """Open a lab whose transactions are marked."""
    opened = connect(path, **how)
    if isinstance(opened.connection, Watched):
        return opened  # kept since an earlier opening
    return replace(opened, connection=Watched(opened.connection, marks))  # type: ignore[arg-type]


def watch(marks: Marks, acks: int) -> None:
    """Let this process mark what it is in, and note every answer that it was told is on disk."""
    real_send, real_append, real_sync = attempt.send, journal.Journal.append, journal.Journal.sync
    real_apply, real_told, real_row = migrate.apply, Delivery._on_disk, Delivery.generation

    async def send(*what: Any) -> Any:
        mark = contextlib.ExitStack()
        mark.enter_context(marks.during("asking"))
        try:
            return await real_send(*what)
        finally:
            # Not before its end was handed over, which follows in this same step: else it were in neither.
            asyncio.get_running_loop().call_soon(mark.close)

    def append(self: journal.Journal, lines: bytes) -> None:
        # Intents are written in another thread than all the rest.
        with contextlib.nullcontext() if "-intents" in self.path.name else marks.during("journaling"):
            real_append(self, lines)

    def sync(self: journal.Journal) -> None:
        with marks.during("journaling"):
            real_sync(self)

    def apply(connection: Any, wanted: Any) -> None:
        with marks.during("migrating"):
            real_apply(connection, wanted)

    def row(self: Delivery, generation: Any) -> None:
        marks.handed()
        real_row(self, generation)

    def attempt_row(self: Delivery, row: Any) -> None:
        if row.error_type is not None:
            marks.handed()
        # A sink of this process is a Writer, and that one tells what it has stored.
        self._sink.put(row, marks.stored if row.error_type is not None else None)  # type: ignore[attr-defined]

    def told(self: Delivery, generation: Any) -> None:
        os.write(acks, f"{generation.generation_id}\n".encode())
        marks.stored()
        real_told(self, generation)

    # Methods are put in place of others here, which mypy does not allow: hence the ignores.
    attempt.send = send
    journal.Journal.append, journal.Journal.sync = append, sync  # type: ignore[method-assign]
    Delivery.attempt = attempt_row  # type: ignore[method-assign]
    Delivery.generation, Delivery._on_disk = row, told  # type: ignore[method-assign]
    access.database.connect = partial(watched, marks)  # type: ignore[assignment]
    migrate.apply = apply
    fold.BATCH_LINES = 10


def ask(folder: Path, launch: str, home: str, address: str, newer: bool, chained: bool = False) -> None:
    """Run the plan once, to its end if nobody kills it."""
    os.environ["LAUNCH_KEY"] = f"sk-{launch}"
    os.chdir(home)
    acks = os.open("acks", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    if newer:
        real = migrate.steps()
        migrate.steps = lambda: (*real, *NEWER)  # type: ignore[assignment]
    watch(Marks(folder), acks)
    lab = lk.Lab("lab.duckdb", user="tester")
    lab.store._shared.background.period_s = 0.1
    model = lk.Model("faulty/m", base_url=address, key_env="LAUNCH_KEY", concurrency=CONCURRENCY)
    prompt, rows = (CHAIN, CHAIN_ROWS) if chained else ("Say {{ n }}.", ROWS)
    plan = lab.plan(prompts=[prompt], models=[model], dataset=rows, scorers=[lk.contains("n")])
    plan.run(policy=POLICY, allow_unpriced=True, progress="none")
    lab.store.close()  # as a process that ends does: it leaves its lab checkpointed


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for command in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                ask(folder, *json.loads(command))
            except BaseException:  # noqa: BLE001 - told through a file
                (folder / f"error-{os.getpid()}").write_text(traceback.format_exc())
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    main()
