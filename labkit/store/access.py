"""Every opening of the lab's file by labkit: through the gate, for one fold or one reading.

What is durable is what is read: a reading folds first. Gate, opening, check, fold and close stay together,
since their order is what keeps other processes' commits. It does not know what is asked of the tables.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew
from labkit.store import (
    database,
    database_lock,
    forking,
    interrupts,
    lab_identity,
    memory_copy,
    sandboxed_sql,
    upgrade,
)
from labkit.store.checked_file import CheckedFile
from labkit.store.fold import Report
from labkit.store.fold_progress import FoldProgress
from labkit.store.journal_directory import JournalDirectory
from labkit.store.reading import Reading
from labkit.store.shared_opening import SharedOpening

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("labkit.store")

WAIT_S = 10.0
TURN_S = 0.05


class Access:
    """The way into one lab."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = JournalDirectory(path)
        self._told: str | None = None
        self.progress = FoldProgress(self.folder)
        self._file = CheckedFile(self.folder)
        self._opening = SharedOpening(self._reading)

    def one_opening(self) -> contextlib.AbstractContextManager[None]:
        """Within the block this thread's readings share one opening and show the lab of one moment, that of
        the first. Others wait for the lab until the block ends: it is for a few queries in a row, not for
        what takes long in between."""
        return self._opening.block()

    @contextlib.contextmanager
    def reading(self, *, wait_s: float = WAIT_S) -> Iterator[Reading]:
        """Fold, and give the open lab. Where there is none and nothing to fold, an empty one in memory.

        Raises `StoreLocked` after `wait_s`, and `StoreError` where what is asked of it fails.
        """
        import duckdb

        try:
            with self._opening.reading(wait_s) as reading:
                yield reading
        except (duckdb.Error, MemoryError) as error:
            raise StoreError(f"{self.path.name} could not be read: {database.in_a_line(error)}") from error

    @contextlib.contextmanager
    def _reading(self, wait_s: float, *, make: bool = False) -> Iterator[Reading]:
        if not make and not self.is_there():
            self.folder.check_place()
            with database.in_memory() as connection:
                yield Reading(connection, in_memory=True)
            return
        with contextlib.ExitStack() as stack:
            wanted = dict(self.progress.unfolded())
            while True:
                with contextlib.ExitStack() as attempt:
                    reading = self._open(attempt, wait_s)
                    if reading.why is not None or self.progress.covers(wanted):
                        stack.enter_context(attempt.pop_all())
                        break
                time.sleep(TURN_S)
            yield reading

    def fold(
        self,
        *,
        wait_s: float = WAIT_S,
        stop: Callable[[], bool] = lambda: False,
        force: bool = False,
        checkpoint: bool = False,
        joinable: bool = False,
    ) -> Report:
        """Move all journals into the tables; without opening the lab if none grew, unless `force`d or to
        `checkpoint`. While it is `joinable` a person may connect to the lab in this process too.

        Raises `StoreLocked` after `wait_s`, `StoreTooNew` and `StoreDamaged` where the lab may not be
        written, and `StoreError` if the fold failed; the journals then keep everything.
        """
        self._opening.give_back()
        wanted = dict(self.progress.unfolded())
        report = Report()
        if not (wanted or force or checkpoint):
            return report
        while True:
            with self._opened_to_write(wait_s, joinable) as connection, self.progress.telling_faults():
                report.add(self.progress.fold(connection, stop))
                if self.progress.covers(wanted) or stop():
                    if checkpoint:
                        connection.execute("checkpoint")
                    return report
            time.sleep(TURN_S)

    @contextlib.contextmanager
    def deciding(self, *, wait_s: float = WAIT_S) -> Iterator[duckdb.DuckDBPyConnection]:
        """The lab with all that is journalled by now, made where there is none, for a decision that nobody
        else may make meanwhile and that goes into the journal: a file that can only be read will do. Raises
        `StoreLocked` and `StoreError`."""
        reading = self._opening.there
        with contextlib.ExitStack() as stack:
            if reading is None or not reading.alone or not (reading.why is None or reading.in_memory):
                self._opening.give_back()
                reading = stack.enter_context(self._reading(wait_s, make=True))
            reading.check_complete(self.path.name)
            if not reading.alone:
                raise StoreError(f"{self.path.name} cannot be written: {reading.why}.")
            if reading.why is None:
                self.progress.fold_all(reading.connection)
            elif reading.in_memory:
                with self.progress.telling_faults():
                    lab = lab_identity.identity(reading.connection)
                    memory_copy.fold(reading.connection, self.folder, lab=lab)
            yield reading.connection

    def can_be_written(self) -> bool:
        """Whether the lab can be opened to write; False if somebody else holds it now. Makes it where there
        is none. Raises as `fold` does, but for `StoreLocked`."""
        with contextlib.suppress(StoreLocked):
            if self._opening.in_block and self.is_there():
                with self.reading(wait_s=0.0) as reading:
                    if reading.alone and (reading.why is None or reading.is_held):
                        return reading.why is None
            self.fold(wait_s=0.0, force=True)
            return True
        return False

    @contextlib.contextmanager
    def sealed(self, *, wait_s: float = WAIT_S) -> Iterator[Reading]:
        """Fold, and give the lab on a sealed connection: see `sandboxed_sql`. Raises as `reading` does."""
        deadline = time.monotonic() + wait_s
        self._opening.give_back()
        with contextlib.ExitStack() as stack:
            with contextlib.ExitStack() as folding:
                reading = folding.enter_context(self._reading(wait_s))
                if reading.is_held_here and not reading.in_memory:
                    # A second DuckDB of this process cannot open the file, under whatever settings.
                    reading = memory_copy.copied(folding, reading, self.path, self.folder)
                if reading.in_memory:
                    stack.enter_context(folding.pop_all())
            opened: list[duckdb.DuckDBPyConnection] = []

            def end() -> None:
                for one in opened:
                    one.interrupt()

            if not reading.in_memory:
                self._pass_gate(stack, max(0.0, deadline - time.monotonic()))
            # A person's own query may take as long as it likes: Ctrl-C ends it.
            stack.enter_context(interrupts.deferred(end))
            if reading.in_memory:
                sandboxed_sql.seal(reading.connection)
            else:
                connection = self._file.connect_sealed(deadline).connection
                stack.callback(connection.close)
                reading = replace(reading, connection=connection)
            opened.append(reading.connection)
            yield reading

    def is_there(self) -> bool:
        """Whether there is a lab: its file, or a journal that waits to be folded into one. Makes nothing."""
        return database.exists(self.path) or any(True for _ in self.folder.journals())

    def fingerprint(self) -> tuple[object, ...]:
        """Something else whenever the file, DuckDB's own log or a journal changed. It opens none of them."""
        journals = [(str(name), status.st_size) for name, status in self.folder.journals()]
        return (*database.stamps(self.path), *journals)

    # -- one opening -------------------------------------------------------------------------

    def _open(self, stack: contextlib.ExitStack, wait_s: float) -> Reading:
        deadline = time.monotonic() + wait_s
        sealed = self._pass_gate(stack, wait_s)
        stack.enter_context(interrupts.deferred())
        if not database.exists(self.path):
            if sealed is not None:
                return self._announced(memory_copy.of_journals(stack, self.folder, sealed))
            self._file.create()
        with contextlib.ExitStack() as first:
            opened = first.enter_context(self._file.connect(deadline))
            why = hindrance = sealed or opened.why_not
            fault = None
            if hindrance is None:
                why, fault = self._bring_up_to_date(opened.connection)
            if why != hindrance or not opened.is_known:
                # A connection on which a commit failed may be of no more use; and what the views of an
                # unknown schema do is not known, so they are read where they can reach nothing.
                first.pop_all()
                opened.close(sound=False)
                again = self._file.connect if opened.is_known else self._file.connect_sealed
                opened = first.enter_context(again(deadline))
            stack.enter_context(first.pop_all())
        if why is None:
            return self._announced(Reading(opened.connection, alone=True))
        reading = Reading(opened.connection, why=why, alone=sealed is None, fault=fault)
        reading = memory_copy.with_journals(stack, reading, self.path, self.folder)
        self.progress.heed(reading.connection)
        return self._announced(reading)

    def _announced(self, reading: Reading) -> Reading:
        """Say once that rows are shown, or are not, that are not folded."""
        told = reading.why if reading.unfolded_bytes else None
        if told is not None and told != self._told:
            log.warning(
                "%s can only be read: %s. What is in its journals alone (%s bytes) is %s.",
                self.path.name,
                told,
                f"{reading.unfolded_bytes:,}",
                "shown from a copy in memory" if reading.is_complete else "not shown: it cannot be copied",
            )
        self._told = told
        return reading

    @contextlib.contextmanager
    def _opened_to_write(self, wait_s: float, joinable: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        deadline = time.monotonic() + wait_s
        with database_lock.passed(self.folder, wait_s=wait_s), interrupts.deferred():
            if not database.exists(self.path):
                self._file.create()
            with self._file.connect(deadline, write=True, joinable=joinable) as opened:
                upgrade.upgrade(opened.connection, self.path)
                yield opened.connection

    def _pass_gate(self, stack: contextlib.ExitStack, wait_s: float) -> str | None:
        """Hold the gate, or say why this lab can only be read: its folder is not ours to write."""
        try:
            stack.enter_context(database_lock.passed(self.folder, wait_s=wait_s))
        except StoreLocked:
            raise
        except (StoreError, OSError) as error:
            if not self.is_there():
                raise
            stack.enter_context(forking.opening())
            return f"the folder {self.folder.path.name} cannot be written ({error})"
        return None

    def _bring_up_to_date(
        self, connection: duckdb.DuckDBPyConnection
    ) -> tuple[str | None, StoreError | None]:
        import duckdb

        try:
            upgrade.upgrade(connection, self.path)
            self.progress.fold(connection)
        except (StoreTooNew, StoreDamaged) as error:
            return str(error), error
        except (duckdb.Error, OSError, MemoryError) as error:
            # What is in the tables can be read all the same; the journals keep the rest.
            log.warning(
                "The journals could not be folded into %s: %s", self.path.name, database.in_a_line(error)
            )
            return f"the fold failed: {database.in_a_line(error)}", None
        return None, None
