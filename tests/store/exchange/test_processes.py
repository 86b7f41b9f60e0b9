"""Several processes of a machine share a lab: one exchanges, and whatever becomes of it, another goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.store import Store
from tests.proxy import Proxy
from tests.store.exchange.conftest import leave, through

Sql = Callable[..., list[Any]]
Start = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="it stops processes by signals")

# Reads commands, a line each; at the end of the input it ends as every Python does.
PROCESS = """
import sys, time
from pathlib import Path
from labkit.store import Store
from labkit.store.exchange import Address
from tests.store.conftest import Make
make = Make()
store = Store(Path(sys.argv[1]), share=Address.parse(sys.argv[2]))
store.include("tests")
for line in sys.stdin:
    command, _, name = line.strip().partition(" ")
    if command == "put":
        writer = store.writer()
        writer.put(make.generation(name))
        writer.flush()
        print("done", flush=True)
    elif command == "wait":
        time.sleep(float(name))  # the test says how long this process goes on
    elif command == "catch-up":
        print(store.catch_up(wait_s=30), flush=True)
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process of a lab."""
    started: list[subprocess.Popen[str]] = []

    def begin(lab: Path, url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(lab), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


def tell(process: subprocess.Popen[str], command: str) -> str:
    """Give it a command; its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(command + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def sent(sql: Sql) -> list[str]:
    """The answers that the server has."""
    if sql("select to_regclass('labkit_log.generations')") == [(None,)]:
        return []
    return [name for (name,) in sql("select generation_id from labkit_log.generations order by 1")]


def exchanging(lab: Path, processes: list[subprocess.Popen[str]]) -> subprocess.Popen[str] | None:
    """The process that does the exchange now."""
    told = Store(lab).sharing()
    by = (told and told.by) or ""
    return next((process for process in processes if f"process {process.pid} " in by), None)


@pytest.mark.parametrize("how", ["killed", "stopped", "ended"])
def test_another_process_takes_over(
    how: str, start: Start, tmp_path: Path, url: str, sql: Sql, until: Any
) -> None:
    """Where the process that exchanges is killed, stopped or ends, another goes on within seconds."""
    lab = tmp_path / "lab.duckdb"
    processes = [start(lab, url) for _ in range(3)]
    for number, process in enumerate(processes):
        assert tell(process, f"put before-{number}") == "done"
    # Who is stopped while it reads the lab holds that, and no other can read it: so not in its first round.
    done = tmp_path / "lab.duckdb.journal" / "exchange.done"
    until(lambda: len(sent(sql)) == 3 and done.exists())
    first = exchanging(lab, processes)
    assert first is not None
    if how == "killed":
        first.kill()
    elif how == "stopped":
        first.send_signal(signal.SIGSTOP)
    else:
        first.communicate()
    others = [process for process in processes if process is not first]
    for number, process in enumerate(others):
        assert tell(process, f"put after-{number}") == "done"
    names = ["after-0", "after-1", *(f"before-{number}" for number in range(3))]
    until(lambda: sent(sql) == names, within_s=15)
    if how == "stopped":
        first.send_signal(signal.SIGCONT)
        assert tell(first, "put last") == "done"
        until(lambda: sent(sql) == [*names, "last"], within_s=15)


@pytest.mark.parametrize("wait_s", [0.0, 0.02, 0.2, 1.0])
def test_a_process_that_ends_has_sent_what_it_wrote(
    wait_s: float, start: Start, tmp_path: Path, url: str, sql: Sql
) -> None:
    """Where the server answers, what a process wrote is there when it has ended, however short it lived."""
    process = start(tmp_path / "lab.duckdb", url)
    process.communicate(f"put only\nwait {wait_s}\n")
    assert sent(sql) == ["only"]
    again = start(tmp_path / "lab.duckdb", url)
    again.communicate(f"put first\nwait {wait_s}\nput second\n")
    assert sent(sql) == ["first", "only", "second"]


@pytest.mark.alone
@pytest.mark.parametrize("after", ["begin", "sent"])
def test_a_process_ends_though_the_server_is_frozen(
    after: str, start: Start, tmp_path: Path, proxy: Proxy, url: str, sql: Sql
) -> None:
    """A server that says nothing keeps no process from ending; the next one sends what was written."""
    lab = tmp_path / "lab.duckdb"
    process = start(lab, through(proxy, url))
    if after == "sent":
        assert tell(process, "put first") == "done"
        assert tell(process, "catch-up") == "True"
    proxy.freeze()
    assert tell(process, "put waits") == "done"
    began_s = time.monotonic()
    process.communicate()
    took_s = time.monotonic() - began_s
    proxy.mend()
    assert process.returncode == 0
    start(lab, url).communicate("put last\n")
    assert {"waits", "last"} <= set(sent(sql))
    assert took_s < 6


def test_what_waits_at_the_end_is_sent_by_the_next(
    start: Start, tmp_path: Path, proxy: Proxy, url: str, sql: Sql
) -> None:
    """Lines of a process that ended while the server was away are sent by the next process of the lab."""
    proxy.refuse()
    start(tmp_path / "lab.duckdb", through(proxy, url)).communicate("put waits\nwait 1\n")
    proxy.mend()
    start(tmp_path / "lab.duckdb", through(proxy, url)).communicate("put next\n")
    assert sent(sql) == ["next", "waits"]


def test_a_server_that_came_back_is_tried_at_the_end(
    start: Start, tmp_path: Path, proxy: Proxy, url: str, sql: Sql
) -> None:
    """What waits because the server was away is sent when the process ends, if the server is back by then."""
    process = start(tmp_path / "lab.duckdb", through(proxy, url))
    assert tell(process, "put first") == "done"
    assert tell(process, "catch-up") == "True"
    proxy.refuse()
    assert tell(process, "put waits") == "done"
    assert tell(process, "catch-up") == "False"
    proxy.mend()
    process.communicate()
    assert sent(sql) == ["first", "waits"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_all_processes_end_at_once(
    order: tuple[int, ...], start: Start, tmp_path: Path, url: str, sql: Sql
) -> None:
    """Where all processes of a lab write and end at the same moment, the lines of all are sent."""
    processes = [start(tmp_path / "lab.duckdb", url) for _ in range(3)]
    for number, process in enumerate(processes):
        assert tell(process, f"put before-{number}") == "done"
    for number in order:
        stdin = processes[number].stdin
        assert stdin is not None
        stdin.write(f"put last-{number}\n")
        stdin.close()
    for process in processes:
        assert process.wait(60) == 0
    assert sent(sql) == [
        *(f"before-{number}" for number in range(3)),
        *(f"last-{number}" for number in range(3)),
    ]


def test_a_lab_replaced_under_a_process_that_lives(
    start: Start, tmp_path: Path, url: str, sql: Sql, until: Any
) -> None:
    """Where a lab is put in place of the one that a process writes, a new process shares that, though the
    first still lives."""
    lab, other = tmp_path / "lab.duckdb", tmp_path / "other.duckdb"
    first = start(lab, url)
    assert tell(first, "put of the first") == "done"
    assert tell(first, "catch-up") == "True"
    made = Store(other)
    made.fold()
    made.check_writable()
    leave(made)
    os.replace(other, lab)
    lab.with_name("lab.duckdb.wal").unlink(missing_ok=True)
    second = start(lab, url)
    assert tell(second, "put of the second") == "done"
    until(lambda: sent(sql) == ["of the first", "of the second"])
