"""The service's state: two databases that behave alike."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text, update
from sqlalchemy.exc import IntegrityError

from labkit.errors import DefinitionError, StoreError
from labkit.server.state import State, database
from labkit.server.state.tables import Base, Meta

Together = Callable[[str, "State | str", int], list[str]]

COUNT = """
state = State(address)
for _ in range(25):
    with state.writing(durable=False) as rows:
        row = rows.get_one(Meta, "n")
        row.value = {"n": row.value["n"] + 1}
"""

STOP_MIDWAY = """
import os, sys, time
from labkit.server.state import State
from labkit.server.state.tables import Meta
with State(sys.argv[1]).writing() as rows:
    rows.get_one(Meta, "n").value = {"n": 99}
    rows.flush()
    print("written", flush=True)
    sys.stdin.readline()
"""


def set_n(state: State, n: int) -> None:
    with state.writing() as rows:
        rows.merge(Meta(name="n", value={"n": n}))


def n_of(state: State) -> int:
    with state.reading() as rows:
        n: int = rows.get_one(Meta, "n").value["n"]
        return n


# -- opening -----------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_of_the_models(empty_address: str) -> None:
    """A state made by the migrations differs in nothing from what the models say."""
    state = State(empty_address)
    with state.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    state.close()


def test_a_state_of_a_newer_labkit_is_refused(state: State) -> None:
    """A schema that this labkit does not know is not opened, and why is said."""
    with state.writing() as rows:
        rows.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer labkit \(schema 9999\)"):
        State(state.address)


def test_several_processes_may_start_at_once(empty_address: str, together: Together) -> None:
    """Four processes that open a state nobody has made yet all get it, with its tables."""
    together("State(address).close()", empty_address, 4)
    state = State(empty_address)
    set_n(state, 1)
    assert n_of(state) == 1
    state.close()


def test_a_state_that_cannot_be_opened_says_where_and_why(tmp_path: Path) -> None:
    """A folder that is not there, and a file that is something else, are told with the path."""
    with pytest.raises(StoreError, match="nowhere/state cannot be opened: No such file or directory"):
        State(tmp_path / "nowhere" / "state")
    (tmp_path / "other").write_text("This is no database.\n" * 100)
    with pytest.raises(StoreError, match="other cannot be opened: file is not a database"):
        State(tmp_path / "other")


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's locks do not hold on a network disk, so no state is made there."""
    monkeypatch.setattr(database, "network_file_system", lambda _: "nfs4")
    with pytest.raises(StoreError, match=r"network disk \(nfs4\)"):
        State(tmp_path / "state")
    assert not list(tmp_path.iterdir())


def test_only_its_user_may_read_the_file(tmp_path: Path) -> None:
    """The SQLite file and those beside it are this user's alone, whatever the umask; one that was open to
    others is closed to them."""
    path = tmp_path / "state"
    before = os.umask(0)
    try:
        for _ in range(2):
            state = State(path)
            set_n(state, 1)
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
            assert modes == dict.fromkeys(("state", "state-wal", "state-shm"), 0o600)
            state.close()
            path.chmod(0o644)
    finally:
        os.umask(before)


# -- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://ada:pass-word@127.0.0.1:1/labkit",
        "postgresql+psycopg://ada@127.0.0.1:1/labkit?password=pass-word",
        "postgresql+psycopg://ada:x@pass-word@127.0.0.1:1/labkit",
        "postgresql+psycopg://ada:x/pass-word@127.0.0.1:1/labkit",
        "postgresql+psycopg://ada:pass-word@127.0.0.1:port/labkit",
        "mysql://ada:pass-word@127.0.0.1:1/labkit",
    ],
)
def test_a_password_is_told_nowhere(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """The password of an address stands in no error, traceback or log, however the address was mistyped."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises((StoreError, DefinitionError)) as raised:
        State(address)
    told = "".join(traceback.format_exception(raised.value))
    assert "pass-word" not in told + caplog.text


def test_the_password_of_an_open_state_is_not_shown(postgres_databases: Callable[[bool], str]) -> None:
    """Its repr and its engine's name the place, not the password."""
    address = make_url(postgres_databases(False))
    address = address.set(password=address.password or "pass-word")
    state = State(address.render_as_string(hide_password=False))
    assert str(address.database) in repr(state)
    assert str(address.password) not in repr(state) + repr(state.engine)
    state.close()


# -- writing -----------------------------------------------------------------------------------------


def test_threads_lose_nothing(state: State) -> None:
    """Eight threads that read a number and write one more lose none."""
    set_n(state, 0)

    def count() -> None:
        for _ in range(20):
            with state.writing(durable=False) as rows:
                row = rows.get_one(Meta, "n")
                row.value = {"n": row.value["n"] + 1}

    threads = [threading.Thread(target=count) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert n_of(state) == 160


def test_a_server_set_up_otherwise_loses_nothing(
    postgres_databases: Callable[[bool], str], together: Together
) -> None:
    """Where PostgreSQL's transactions see by default what was there when they began, the service's see what
    was written while they waited."""
    state = State(postgres_databases(False))
    with state.writing() as rows:
        name = rows.scalar(text("select current_database()"))
        rows.execute(text(f"alter database {name} set default_transaction_isolation = 'repeatable read'"))
    state.close()
    set_n(state, 0)
    together(COUNT, state, 2)
    assert n_of(state) == 50
    state.close()


def test_processes_lose_nothing(state: State, together: Together) -> None:
    """Four processes that read a number and write one more lose none."""
    set_n(state, 0)
    together(COUNT, state, 4)
    assert n_of(state) == 100


def test_a_block_that_fails_writes_nothing(state: State) -> None:
    """An error in a block goes on as it is, and what the block wrote is taken back."""
    set_n(state, 1)

    def fail(more: str) -> None:
        with state.writing() as rows:
            rows.execute(update(Meta).values(value={"n": 2}))
            rows.execute(text(more))
            raise KeyError(more)

    with pytest.raises(KeyError):
        fail("select 1")
    with pytest.raises(IntegrityError):
        fail("insert into meta (name, value) values ('n', '{}')")
    assert n_of(state) == 1


def test_what_others_hold_too_long_is_told(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that others write to for longer than a transaction waits is a `StoreError` in plain words, from
    this process's threads and from another process."""
    monkeypatch.setattr(database, "BUSY_S", 1)
    other = State(state.address)
    words = "for more than 1 s"
    with other.writing(), pytest.raises(StoreError, match=words), other.writing():
        pass
    other.close()
    state = State(state.address)  # as another process would
    holder = State(state.address)
    with holder.writing(), pytest.raises(StoreError, match=words), state.writing():
        pass
    with state.writing():
        pass
    state.close()
    holder.close()


def test_a_lost_connection_is_told(postgres_databases: Callable[[bool], str]) -> None:
    """A connection that PostgreSQL closes in mid-work is a `StoreError`; the next block gets another."""
    state = State(postgres_databases(False))

    def lose() -> None:
        with state.reading() as rows:
            rows.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StoreError, match="terminating connection"):
        lose()
    set_n(state, 1)
    assert n_of(state) == 1
    state.close()


def test_a_kill_in_mid_transaction_leaves_what_was(state: State) -> None:
    """A process that is killed before it commits leaves the state as it was, open to the next writer."""
    set_n(state, 1)
    victim = subprocess.Popen(
        [sys.executable, "-c", STOP_MIDWAY, str(state.address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"written\n"
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    again = State(state.address)
    assert n_of(again) == 1
    set_n(again, 2)
    assert n_of(state) == 2
    again.close()


def test_the_newest_migration_is_known_by_name() -> None:
    """What a database is compared with when it is opened is the newest of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == database.SCHEMA
