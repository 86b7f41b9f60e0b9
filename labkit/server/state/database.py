"""The state's database: SQLite beside the lab, or PostgreSQL by its address; opened, migrated, and written to
in transactions that wait for each other.

In SQLite a transaction that is to write says so when it begins: one that only finds out later would fail at
once where another writes. It does not know what the rows mean.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session, sessionmaker

from labkit.errors import StoreError
from labkit.server.state.address import Address
from labkit.store import network_file_system

log = logging.getLogger("labkit.server")

BUSY_S = 10
"""How long a transaction waits for others, and for PostgreSQL to answer."""
SCHEMA = "0001"
"""The newest of the migrations."""
MIGRATIONS = Path(__file__).parent / "migrations"
_OURS = (DataError, IntegrityError, ProgrammingError)
"""Errors of what was asked for, not of the database."""
_WRITING, _MIGRATING = 7205759403792793, 7205759403792794


class State:
    """One database of the service. `address` is a path (SQLite) or `postgresql+psycopg://…`.

    Raises `StoreError` where it cannot be opened, lies on a network disk or was written by a newer labkit;
    `DefinitionError` for an address that is none.

    >>> state = State(folder / "lab.serve.sqlite")                             # doctest: +SKIP
    >>> with state.reading() as rows:                                          # doctest: +SKIP
    ...     rows.get(User, user_id)
    """

    def __init__(self, address: str | Path) -> None:
        self.address = address
        """As it was given, a password included."""
        where = Address.parse(address)
        self.is_sqlite = where.file is not None
        self.shown = where.shown
        self._turn = threading.Lock()
        try:
            if where.file is not None:
                _make_file(where.file)
                self.engine = _sqlite(where)
            else:
                self.engine = _postgres(where)
            self._migrate()
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"The service's state {self.shown} cannot be opened: {_words(error)}. "
                "Look whether it is there and may be written, or name another by --database."
            ) from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def __repr__(self) -> str:
        return f"State({self.shown!r})"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads. Raises `StoreError` where the database does not answer.

        Selected columns (`rows.execute(select(User.name, …))`) cost half of what whole objects do.
        """
        with self._told(), self._sessions() as session:
            yield session

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Session]:
        """A session that is committed at the end of the block, and in which nobody else writes in between.

        Not `durable`: what is written survives a kill of this process, but not the loss of power. Raises
        `StoreError` where others wrote for longer than `BUSY_S`, or the database does not answer. A block
        inside another of the same thread would wait for itself.
        """
        with self._told(), self._one_at_a_time(), self._sessions() as session:
            session.connection(execution_options={"labkit_writes": "full" if durable else "normal"})
            if not self.is_sqlite:
                # One writer at a time, as in SQLite: what was looked up stays true until it is written.
                session.execute(_ALONE, {"wait": f"{BUSY_S}s", "lock": _WRITING})
                if not durable:
                    session.execute(text("set local synchronous_commit = off"))
            yield session
            session.commit()

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, NoConnectionLeft) as error:
            if isinstance(error, _OURS):
                raise
            # Who asks over HTTP is told this too: it says nothing of where the state is.
            why = _words(error)
            if "connection to server" in why:  # and where that is
                log.warning("The service's state %s does not answer: %s.", self.shown, why)
                why = "its database does not answer"
            raise StoreError(
                f"The service's state cannot be read or written now: {why}. "
                "Try again; if it stays so, look what holds it and whether its disk is full."
            ) from None

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """This process's threads wait here in a queue: SQLite's own waiting looks again only now and then."""
        if not self._turn.acquire(timeout=BUSY_S):
            raise StoreError(
                f"The service's state was written by others for more than {BUSY_S} s. Try again."
            )
        try:
            yield
        finally:
            self._turn.release()

    def _migrate(self) -> None:
        with self.engine.connect() as connection:
            has_tables = inspect(connection).has_table("alembic_version")
            found = connection.scalar(_SCHEMA) if has_tables else None
        if found == SCHEMA:
            return
        # Its packages take most of a second to import, and a database needs them once.
        from labkit.store.schema_upgrade import upgrade

        with (
            self.engine.connect().execution_options(labkit_writes="full") as connection,
            connection.begin(),
        ):
            if not self.is_sqlite:
                connection.execute(_ALONE, {"wait": f"{BUSY_S}s", "lock": _MIGRATING})
            if not upgrade(connection, found, migrations=MIGRATIONS):
                raise StoreError(
                    f"The service's state {self.shown} was written by a newer labkit (schema {found}). "
                    "Install that version, or name another by --database."
                )


_SCHEMA = text("select version_num from alembic_version")
_ALONE = text("select set_config('lock_timeout', :wait, true), pg_advisory_xact_lock(:lock)")


def _make_file(file: Path) -> None:
    """Make the file, for this user alone: hashes of secrets stand in it. SQLite makes those beside it alike.

    Raises `StoreError` on a network disk, where locks fail or lie.
    """
    if kind := network_file_system(file):
        raise StoreError(
            f"The service's state {file.name} would lie on a network disk ({kind}), where locks fail or lie. "
            "Name a file on a local disk, or a PostgreSQL, by --database."
        )
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for one in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        with contextlib.suppress(FileNotFoundError):
            if one.stat().st_mode & 0o077:
                one.chmod(0o600)


def _sqlite(where: Address) -> Engine:
    engine = create_engine(
        where.url,
        hide_parameters=True,  # they may be hashes of secrets
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
        pool_size=8,
        max_overflow=56,
        pool_timeout=BUSY_S,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # begin and commit are ours to say
        _with_log(connection)
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        kept = connection.get_execution_options().get("labkit_writes")
        if kept:
            connection.exec_driver_sql(f"PRAGMA synchronous={kept}")
            _begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _with_log(connection: sqlite3.Connection) -> None:
    """Have it write ahead to a log. Of several processes that make a database at once, SQLite lets one do so
    and does not have the others wait."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)  # until the other has done it
        else:
            return


def _begin_writing(connection: Connection) -> None:
    """SQLite's own waiting sleeps ever longer, so that one process in four waits most of a second."""
    until = time.monotonic() + BUSY_S
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                if "database is locked" not in str(error.orig) or time.monotonic() > until:
                    raise
            # SQLite wakes nobody whose turn it is; by chance, so that no two look again together, and not by
            # the process's own, which a notebook may have seeded.
            time.sleep(SystemRandom().uniform(0.0005, 0.002))
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_S * 1000}")


def _postgres(where: Address) -> Engine:
    ends = {"connect_timeout": BUSY_S, "tcp_user_timeout": BUSY_S * 1000}
    return create_engine(
        where.url,
        hide_parameters=True,  # they may be hashes of secrets
        connect_args={name: value for name, value in ends.items() if name not in where.url.query},
        pool_size=8,
        max_overflow=56,
        pool_timeout=BUSY_S,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",  # who waited sees what was written meanwhile
    )


def _words(error: Exception) -> str:
    told = str(error.orig) if isinstance(error, DBAPIError) and error.orig else str(error)
    if isinstance(error, OSError):
        told = error.strerror or told
    elif "database is locked" in told or "lock timeout" in told:
        told = f"others wrote for more than {BUSY_S} s"
    elif isinstance(error, NoConnectionLeft):
        told = f"no connection was free for {BUSY_S} s"
    return " ".join(told.split())[:200].rstrip(".")
