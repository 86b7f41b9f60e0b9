"""Opening the DuckDB file, and saying in plain words why it cannot be opened.

Always without a config argument: a process can hold a file under one configuration only, and a plain
one is what a person's `duckdb.connect` has. It takes no lock itself and knows no tables: the caller
holds the gate.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from labkit.errors import StoreError, StoreLocked, StoreTooNew
from labkit.store import forking, interrupts, lab_identity, migrate, path_check
from labkit.store.duckdb_instance import SETTINGS, Instance
from labkit.store.journal_directory import JournalDirectory, put_in_place

if TYPE_CHECKING:
    import duckdb

STORAGE_VERSION = "v1.5.0"
"""The file format of new labs: any DuckDB from 1.5 on reads it."""
BLOCK_BYTES = 65_536
"""What came since the last checkpoint takes a block for each column of text, when it is committed and when
the log is replayed: with DuckDB's own 256 kB a run of one answer costs a third more. With less than this,
each checkpoint of a large lab costs several times as much."""
POLL_S = 0.05


@dataclass(frozen=True)
class Opened:
    """An open lab, to be closed by leaving a `with` block; if it may not be written, why not."""

    connection: duckdb.DuckDBPyConnection
    why_not: str | None = None
    attached: Instance | None = None
    is_known: bool = True
    """Whether its schema is one that this labkit makes."""
    closing: Callable[[], None] = lambda: None
    """Told before the file is closed, if all went well and nobody could join us in writing it."""

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close(sound=kind is None)

    def close(self, *, sound: bool) -> None:
        """Close the file; where something failed, whatever had it open too."""
        if self.attached is None:
            self.connection.close()
        else:
            if sound:
                self.closing()
            self.attached.detach(self.connection, sound=sound)


def exists(path: Path) -> bool:
    """Whether there is a file. Raises `StoreError` if that cannot be told."""
    try:
        return path.exists()
    except OSError as error:
        raise StoreError(
            f"{path.name} cannot be opened: {error.strerror}. Choose a folder that you may read."
        ) from None


def connect(path: Path, *, instance: Instance | None, wait_s: float, write: bool = False) -> Opened:
    """Open the lab to read and write; while somebody else holds it, to read, or wait.

    By attaching it to `instance`, or by a connection of its own, which a person's in this process can join.
    With `write` reading alone is not enough. Raises `StoreLocked` naming who holds the file after
    `wait_s`, and `StoreError` if it is no DuckDB file or cannot be opened.
    """
    import duckdb

    def plain() -> Opened:
        if instance is not None:
            try:
                return Opened(instance.attach(), attached=instance)
            except duckdb.Error as error:
                if not (_who_holds(error) or "").startswith("held by this kernel"):
                    raise
        # It joins a person's own connection in this process, if there is one.
        connection = duckdb.connect(str(path))
        connection.execute(SETTINGS)
        return Opened(connection)

    def reading() -> Opened:
        return Opened(duckdb.connect(str(path), read_only=True))

    return _first(path, [plain] if write else [plain, reading], wait_s)


def connect_sealed(
    path: Path,
    settings: dict[str, str],
    *,
    then: Callable[[duckdb.DuckDBPyConnection], None],
    wait_s: float,
) -> duckdb.DuckDBPyConnection:
    """Open the lab to read only, under settings of its own; `then` is done with it first. Raises as
    `connect` does."""
    import duckdb

    def sealed() -> Opened:
        connection = duckdb.connect(str(path), read_only=True, config=dict(settings))
        then(connection)
        return Opened(connection)

    return _first(path, [sealed], wait_s).connection


def _first(path: Path, ways: Sequence[Callable[[], Opened]], wait_s: float) -> Opened:
    import duckdb

    path_check.check(path)
    forking.check()
    deadline = time.monotonic() + wait_s
    while True:
        hindrance: str | None = None
        for way in ways:
            try:
                return replace(way(), why_not=hindrance)
            except duckdb.Error as error:
                why = _who_holds(error) or _forbids_writing(error)
                if why is None:
                    raise explained(error, path) from None
                hindrance = hindrance or why
        assert hindrance is not None
        if not hindrance.startswith("held"):
            raise StoreError(
                f"{path.name} cannot be opened: {hindrance}. Choose a file that you may write to."
            )
        if time.monotonic() >= deadline:
            raise locked(path, hindrance, wait_s)
        interrupts.raise_if_heard()
        # Nobody tells when a file is free. By chance, so that no two look again together, and not by the
        # process's own, which a notebook may have seeded.
        time.sleep(POLL_S * SystemRandom().uniform(0.2, 1.0))


def locked(path: Path, why: str, wait_s: float) -> StoreLocked:
    """The error that tells who holds the file, and what to do."""
    advice = (
        "Close that connection, or open it with lab.sql"
        if "this kernel" in why
        else "End it or close its connection"
    )
    return StoreLocked(
        f"{path.name} is {why}; waited {wait_s:g} s. {advice}. "
        "What was asked meanwhile is safe in the journal."
    )


def explained(error: duckdb.Error, path: Path) -> StoreError:
    """A `StoreError` in plain words for what DuckDB says when it cannot open a file."""
    text = str(error)
    if (holder := _who_holds(error)) is not None:
        return locked(path, holder, 0)
    if "not a valid DuckDB database file" in text:
        return StoreError(
            f"{path.name} is not a DuckDB file. labkit leaves it as it is: choose another path."
        )
    if "version number" in text or "storage version" in text.lower():
        return StoreTooNew(
            f"{path.name} was written by a newer DuckDB than this one, which cannot read it. "
            "Install that version, or choose another path."
        )
    if "WAL does not match" in text:
        return StoreError(
            f"{path.name} was replaced by another file: {_log(path).name} beside it is the log of the former."
            " Put the former back under this name; what was asked meanwhile is safe in the journal. To use"
            " this one instead, move that log away."
        )
    return StoreError(f"{path.name} cannot be opened: {text.splitlines()[0]}")


def in_a_line(error: BaseException) -> str:
    """What an error says: to a lack of memory DuckDB adds advice on its settings, and Python says nothing."""
    return str(error).partition("\n")[0] or "no memory is left"


def _who_holds(error: duckdb.Error) -> str | None:
    text = str(error)
    if "Could not set lock" in text:
        found = re.search(r"held in (.+?) \(PID (\d+)\)", text)
        who = f"process {found[2]} ({os.path.basename(found[1])})" if found else "another process"
        return f"held by {who}"
    if (
        "different configuration" in text
        or "Unique file handle conflict" in text
        or "already attached" in text
    ):
        return f"held by this kernel (process {os.getpid()}), through a duckdb connection of your own"
    return None


def _forbids_writing(error: duckdb.Error) -> str | None:
    text = str(error)
    for words in ("Permission denied", "Read-only file system", "Operation not permitted"):
        if words in text:
            return words.lower()
    return None


# -- new labs ------------------------------------------------------------------------------------


def create(path: Path, folder: JournalDirectory) -> None:
    """Make an empty lab at `path`, complete or not at all. The caller holds the gate."""
    import duckdb

    path_check.check(path)
    forking.check()
    for left in folder.path.glob("new-*.duckdb*"):
        left.unlink(missing_ok=True)
    wal = _log(path)
    if wal.exists() and not path.exists():
        wal.rename(wal.with_name(f"{wal.name}.left-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
    new = folder.path / f"new-{secrets.token_hex(4)}.duckdb"
    try:
        with duckdb.connect() as connection:
            form = f"storage_version '{STORAGE_VERSION}', block_size {BLOCK_BYTES}"
            connection.execute(f"attach {text(new)} as lab ({form})")
            connection.execute("use lab")
            migrate.apply(connection, migrate.steps())
            connection.execute("use memory")
            connection.execute("checkpoint lab")
            connection.execute("detach lab")
        os.chmod(new, 0o600)
        lab_identity.forget(folder)
        with contextlib.suppress(FileExistsError):
            put_in_place(new, path)
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"The lab {path.name} cannot be made: {error}") from None
    finally:
        new.unlink(missing_ok=True)


def log_bytes(path: Path) -> int:
    """The size of DuckDB's own log beside the lab's file: what is not checkpointed yet."""
    try:
        return _log(path).stat().st_size
    except OSError:
        return 0


def stamps(path: Path) -> list[tuple[int, int] | None]:
    """Size and time of change of the file and of its log; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for file in (path, _log(path)):
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_size, status.st_mtime_ns))
    return found


def _log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def make_private(path: Path) -> None:
    """Leave the lab's files to this user alone, where that can be done."""
    # DuckDB makes its files under the umask; a chmod by path takes no lock away.
    for file in (path, _log(path)):
        with contextlib.suppress(OSError):
            if file.stat().st_mode & 0o077:
                os.chmod(file, 0o600)


def in_memory() -> duckdb.DuckDBPyConnection:
    """An empty lab that lies nowhere: what is read where there is no lab yet."""
    import duckdb

    connection = duckdb.connect()
    migrate.apply(connection, migrate.steps())
    return connection


def text(value: object) -> str:
    """`value` as an SQL text literal, for statements that take no parameters."""
    return "'" + str(value).replace("'", "''") + "'"


def name(value: str) -> str:
    """`value` as an SQL name."""
    return '"' + value.replace('"', '""') + '"'
