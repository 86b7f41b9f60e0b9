"""The service's state for tests: in SQLite, and in the PostgreSQL of `tests.postgresql`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from labkit.server.state import State
from tests.server.running import Running, running


@pytest.fixture(scope="session")
def postgres_databases(new_database: Callable[..., URL]) -> Callable[[bool], str]:
    """Makes a database and gives its address: an empty one, or one with the service's tables."""
    with_tables = new_database()
    State(with_tables.render_as_string(hide_password=False)).close()

    def make(empty: bool) -> str:
        made = new_database() if empty else new_database(str(with_tables.database))
        return made.render_as_string(hide_password=False)

    return make


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
