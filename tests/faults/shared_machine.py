"""A machine with a lab of its own, shared through a server: it writes at a steady rate, and notes it all.

Started by `test_shared_lab.py` with the lab, the server's address, the machine's name, its file of notes,
how many calls a second it writes, and how many seconds its clock is wrong. It ends its writing at a line of
input, and itself at the end of the input. Each note says what was stored, when it was put (monotonic), how
long the call took, and after how long it was stored; of a reading how long it took, or what it raised. Not
a test.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - whoever asks has these, and what takes long to import is not what is measured
import pandas  # noqa: F401 - the same
import psycopg  # noqa: F401 - the same
import pyarrow  # noqa: F401 - the same
import sqlalchemy  # noqa: F401 - the same

from labkit.errors import StoreError
from labkit.records import Attempt, Generation, Intent, RunRecord, Score
from labkit.store import Store
from labkit.store.exchange import Address

WORKSPACE = "storm"
READ_EVERY_S = 2.0
TEXT = "answer " * 40


def wrong_clock(by_s: float) -> None:
    """From here on this process lives at another time."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + by_s
    time.time_ns = lambda: right_ns() + int(by_s * 1e9)


class Machine:
    """What it writes, and the file in which it notes what it was told."""

    def __init__(self, lab: Path, address: str, name: str, acknowledged: Path) -> None:
        self.store = Store(lab, share=Address.parse(address))
        self.store.include(WORKSPACE)
        self.name = f"{name}-{os.getpid()}"
        self._file = os.open(acknowledged, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def write(self, calls_per_s: float, ended: threading.Event) -> None:
        """Begin a run, and put an intent, an attempt, an answer and a score for each call, until the end."""
        writer = self.store.writer()
        self._put("run", self.name, self._run())
        number = 0
        due_s = time.monotonic()
        while not ended.is_set():
            number += 1
            name = f"{self.name}-{number}"
            self._timed(
                "intent", name, lambda stored, name=name: (writer.intent(self._intent(name)), stored())
            )
            self._put("attempt", name, self._attempt(name))
            self._put("generation", name, self._generation(name))
            self._put("score", name, self._score(name))
            due_s = max(due_s + 1 / calls_per_s, time.monotonic() - 0.5)
            ended.wait(max(0.0, due_s - time.monotonic()))
        writer.flush()

    def read(self, ended: threading.Event) -> None:
        """Count what is there, now and then: it never gets less, and nothing is there twice."""
        most = 0
        while not ended.wait(READ_EVERY_S):
            began_s = time.monotonic()
            try:
                (row,) = self.store.table(
                    "select count(*) as n, count(distinct generation_id) as d from log.generations"
                ).to_pylist()
            except StoreError as error:
                self._note("failed", str(error), began_s)
                continue
            wrong = row["n"] < most or row["n"] != row["d"]
            most = row["n"]
            self._note("wrong" if wrong else "read", f"{row['n']} {row['d']}", began_s)

    def _put(self, kind: str, name: str, record: Any) -> None:
        self._timed(kind, name, lambda stored: self.store.writer().put(record, stored))

    def _timed(self, kind: str, name: str, put: Callable[[Callable[[], None]], object]) -> None:
        put_s = time.monotonic()
        took_s: list[float] = []
        put(lambda: self._note(kind, name, put_s, *took_s))
        took_s.append(time.monotonic() - put_s)

    def _note(self, kind: str, name: str, put_s: float, call_s: float | None = None) -> None:
        line = [kind, name, put_s, call_s, time.monotonic() - put_s]
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def _run(self) -> RunRecord:
        return RunRecord(
            run_id=self.name,
            plan_id="p",
            experiment="e",
            workspace=WORKSPACE,
            fresh=False,
            cells=1,
            dataset="",
            started_at=datetime.now(UTC),
            user="u",
            provenance={},
        )

    def _intent(self, name: str) -> Intent:
        return Intent(
            run_id=self.name, generation_id=name, attempt=1, sent_at=datetime.now(UTC), reserved_usd=1.0
        )

    def _attempt(self, name: str) -> Attempt:
        return Attempt(
            run_id=self.name,
            generation_id=name,
            attempt=1,
            sent_at=datetime.now(UTC),
            latency_s=0.1,
            status_code=200,
            error_type=None,
            error_message=None,
            retry_after_s=None,
            wait_s=None,
            maybe_paid=False,
            provider_request_id=None,
        )

    def _generation(self, name: str) -> Generation:
        return Generation(
            generation_id=name,
            run_id=self.name,
            experiment="e",
            workspace=WORKSPACE,
            prompt="p",
            prompt_version=1,
            model="m/x",
            provider="m",
            sample_id="s",
            repeat=0,
            status="done",
            text=TEXT,
            started_at=datetime.now(UTC),
            request_id=f"r1:{name}",
            attempts=1,
        )

    def _score(self, name: str) -> Score:
        return Score(generation_id=name, scorer="exact", value=1.0, scored_at=datetime.now(UTC))


def main() -> None:
    lab, address, name, acknowledged, calls_per_s, wrong_s = sys.argv[1:]
    wrong_clock(float(wrong_s))
    machine = Machine(Path(lab), address, name, Path(acknowledged))
    ended = threading.Event()
    threads = [
        threading.Thread(target=machine.write, args=(float(calls_per_s), ended)),
        threading.Thread(target=machine.read, args=(ended,)),
    ]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    ended.set()
    for thread in threads:
        thread.join()
    print("quiet", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
