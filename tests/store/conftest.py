"""Labs to write into and records to write, for the store's tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from labkit.records import Attempt, Generation, Intent, RunEvent, RunRecord, Score
from labkit.store import Store
from labkit.store.exchange import Address, ShareDatabase

MOMENT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Make:
    """Records with ordinary values; any field can be set."""

    moment = MOMENT

    def generation(self, generation_id: str = "g1", **fields: Any) -> Generation:
        plain: dict[str, Any] = {
            "generation_id": generation_id,
            "run_id": "run-1",
            "experiment": "tone",
            "workspace": "tests",
            "prompt": "terse",
            "prompt_version": 1,
            "model": "scripted/echo",
            "provider": "scripted",
            "sample_id": "s1",
            "repeat": 0,
            "status": "done",
            "text": "hello",
            "stop_reason": "stop",
            "started_at": MOMENT,
            "latency_s": 0.5,
            "attempts": 1,
            "input_tokens": 10,
            "output_tokens": 5,
            "cost_usd": 0.25,
            "price_id": "test",
            "request_id": f"r1:{generation_id}",
        }
        return Generation(**plain | fields)

    def intent(self, generation_id: str = "g1", **fields: Any) -> Intent:
        plain: dict[str, Any] = {
            "run_id": "run-1",
            "generation_id": generation_id,
            "attempt": 1,
            "sent_at": MOMENT,
            "reserved_usd": 1.0,
        }
        return Intent(**plain | fields)

    def attempt(self, generation_id: str = "g1", **fields: Any) -> Attempt:
        plain: dict[str, Any] = {
            "run_id": "run-1",
            "generation_id": generation_id,
            "attempt": 1,
            "sent_at": MOMENT,
            "latency_s": 0.5,
            "status_code": 200,
            "error_type": None,
            "error_message": None,
            "retry_after_s": None,
            "wait_s": None,
            "maybe_paid": False,
            "provider_request_id": None,
        }
        return Attempt(**plain | fields)

    def run(self, run_id: str = "run-1", **fields: Any) -> RunRecord:
        plain: dict[str, Any] = {
            "run_id": run_id,
            "plan_id": "plan-1",
            "experiment": "tone",
            "workspace": "tests",
            "fresh": False,
            "cells": 2,
            "dataset": "",
            "started_at": MOMENT,
            "user": "tester",
            "provenance": {"seed": 1},
        }
        return RunRecord(**plain | fields)

    def event(self, event: str, run_id: str = "run-1") -> RunEvent:
        return RunEvent(run_id=run_id, event=event, at_time=MOMENT)

    def score(self, generation_id: str = "g1", scorer: str = "exact", **fields: Any) -> Score:
        return Score(
            **{"generation_id": generation_id, "scorer": scorer, "value": 1.0, "scored_at": MOMENT} | fields
        )


@pytest.fixture
def make() -> Make:
    return Make()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of a lab is run with a lab of one machine and with one that is shared through a server, but
    for those of what a lab is only by itself (`unshared`)."""
    if "sharing" in metafunc.fixturenames:
        alone = next(metafunc.definition.iter_markers("unshared"), None)
        metafunc.parametrize("sharing", ["alone"] if alone else ["alone", "shared"], indirect=True)


@pytest.fixture
def sharing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether stores that a test makes in this process are shared."""
    if request.param == "alone":
        yield
        return
    address = Address.parse(request.getfixturevalue("shared_database"))
    made, init = [], Store.__init__

    def shared(self: Store, path: Any, **given: Any) -> None:
        init(self, path, share=address, **given)
        self.include("tests")
        made.append(self)

    monkeypatch.setattr(Store, "__init__", shared)
    yield
    for one in made:
        if (exchange := one._shared.exchange) is not None:
            exchange.stop()


@pytest.fixture(scope="session")
def shared_tables(new_database: Callable[..., URL]) -> str:
    """The name of a database with the tables of shared labs."""
    url = new_database()
    share = ShareDatabase(Address.parse(_plain(url)), machine="template")
    share.open()
    share.close()
    return str(url.database)


@pytest.fixture
def shared_database(new_database: Callable[..., URL], shared_tables: str) -> str:
    """The address of a shared lab without a line."""
    return _plain(new_database(shared_tables))


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def path(tmp_path: Path, sharing: None) -> Path:
    return tmp_path / "lab.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store of an absent lab; nothing folds in the background, so that a test says when."""
    made = Store(path, wait_s=5.0)
    made._shared.background.start = lambda: None  # type: ignore[method-assign]
    # Where it is shared, it met its server: from here on that only sends and receives.
    assert made.catch_up(wait_s=30.0)
    yield made
    made._shared.writer.close()


@pytest.fixture
def put(store: Store) -> Callable[..., None]:
    """Put records and wait until they are on disk."""

    def put(*records: Any) -> None:
        writer = store.writer()
        for record in records:
            writer.put(record)
        writer.flush()

    return put


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own; it is killed at the end, if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *args: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.kill(process.pid, 9)
        process.communicate()


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def held_by_another(python: Callable[..., subprocess.Popen[str]]) -> Callable[..., Any]:
    """Another process holds a DuckDB file for the length of a `with` block."""

    @contextmanager
    def hold(path: Path, how: str = "write") -> Iterator[subprocess.Popen[str]]:
        process = python(HOLD, path, how)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        assert process.stdin is not None
        if process.poll() is None:
            process.stdin.write("\n")
            process.stdin.flush()
        process.wait()

    return hold


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something another thread or process does."""

    def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.002)

    return until
