"""The state's database: SQLite beside the lab, or PostgreSQL by its address; opened, migrated, and written to
in transactions that wait for each other.

In SQLite a transaction that is to write says so when it begins: one that only finds out later would fail at
once where another writes. It does not know what the rows mean.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from labkit.errors import StoreError

BUSY_S = 10
"""How long a transaction waits for others."""
MIGRATIONS = Path(__file__).parent / "migrations"


class State:
    """One database of the service. `address` is a path (SQLite) or `postgresql+psycopg://…`.

    Raises `StoreError` where it cannot be opened or was written by a newer labkit.

    >>> state = State(folder / "lab.serve.sqlite")                             # doctest: +SKIP
    >>> with state.reading() as rows:                                          # doctest: +SKIP
    ...     rows.get(User, user_id)
    """

    def __init__(self, address: str | Path) -> None:
        self.is_sqlite = isinstance(address, Path) or "://" not in address
        self.shown = str(address) if self.is_sqlite else re.sub(r"(?<=//)[^@/]*@", "", str(address))
        url = f"sqlite:///{Path(address).absolute()}" if self.is_sqlite else str(address)
        given: dict[str, Any] = {}
        if self.is_sqlite:
            given["connect_args"] = {"timeout": BUSY_S, "check_same_thread": False}
            given["pool_size"], given["max_overflow"] = 8, 56
        else:
            given["pool_pre_ping"] = True
        try:
            if self.is_sqlite:
                # Hashes of passwords stand in it; SQLite gives its other files the same mode.
                os.close(os.open(address, os.O_CREAT | os.O_RDWR, 0o600))
            self.engine = create_engine(url, **given)
            if self.is_sqlite:
                _as_sqlite(self.engine)
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
        """A session that only reads."""
        with self._sessions() as session:
            yield session

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Session]:
        """A session that is committed at the end of the block, and in which nobody else writes in between.

        Not `durable`: what is written survives a kill of this process, but not the loss of power.
        """
        with self._sessions() as session:
            session.connection(execution_options={"labkit_writes": "full" if durable else "normal"})
            if not self.is_sqlite:
                # One writer at a time, as in SQLite: what was looked up stays true until it is written.
                session.execute(text("select pg_advisory_xact_lock(7205759403792793)"))
            yield session
            session.commit()

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        self.engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with (
            self.engine.connect().execution_options(labkit_writes="full") as connection,
            connection.begin(),
        ):
            if not self.is_sqlite:
                connection.execute(text("select pg_advisory_xact_lock(7205759403792794)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _as_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # begin and commit are ours to say
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        kept = connection.get_execution_options().get("labkit_writes")
        if kept:
            connection.exec_driver_sql(f"PRAGMA synchronous={kept}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if kept else "BEGIN")


def _words(error: Exception) -> str:
    told = str(error.orig) if isinstance(error, OperationalError) and error.orig else str(error)
    return " ".join(told.split())[:200].rstrip(".")
