"""What keeping costs and how fast it reads: `python benchmarks/store.py [--rows 100000] [--runs 1000]`.

Prints one table. Seconds depend on the machine; the column `ratio` compares with the plainest thing
that does the same work in the same process a moment before or after: JSON lines with one `fdatasync` a
hundred, and plain DuckDB over the same file. Reads are the median of five, everything imported and
nothing to fold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from labkit.records import Attempt, Generation, Intent, RunEvent, RunRecord, Score
from labkit.store import SampleRecord, Store

NUMBERS = [
    "run_id",
    "prompt",
    "model",
    "sample_id",
    "repeat",
    "status",
    "started_at",
    "queue_s",
    "first_event_s",
    "ttft_s",
    "latency_s",
    "retry_s",
    "attempts",
    "in_flight",
    "input_tokens",
    "output_tokens",
    "cost_usd",
]
MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-3-5-haiku", "local/smollm2-135m"]
WORDS = [blake2b(str(i).encode(), digest_size=4).hexdigest() for i in range(3000)]


def text(number: int, words: int) -> str:
    """Text that compresses about as little as prose."""
    return " ".join(WORDS[(number * 7919 + i * 104729) % len(WORDS)] for i in range(words))


def generation(number: int, run: int) -> Generation:
    return Generation(
        generation_id=f"g1:{number:032x}",
        run_id=f"run-{run:06d}",
        experiment=f"experiment-{run % 20}",
        workspace="benchmark",
        prompt=f"prompt-{number % 2}",
        prompt_version=1,
        model=MODELS[number % 4],
        provider=MODELS[number % 4].partition("/")[0],
        sample_id=f"s{number % 40}",
        repeat=0,
        status="done" if number % 50 else "failed",
        text=text(number, 110),
        stop_reason="stop",
        started_at=datetime.now(UTC),
        queue_s=0.01,
        first_event_s=0.2,
        ttft_s=0.21,
        latency_s=1.0 + number % 13,
        retry_s=0.0,
        attempts=1,
        in_flight=8,
        input_tokens=200 + number % 7,
        cache_read_tokens=0,
        cache_write_tokens=0,
        output_tokens=110,
        reasoning_tokens=0,
        cost_usd=0.0012,
        price_id="genai-prices@2026-11-01",
        response_model="gpt-4o-2024-08-06",
        response_id=f"chatcmpl-{number:024x}",
        request_id=f"r1:{number:032x}",
        raw=json.dumps(
            {"id": number, "usage": {"prompt_tokens": 200, "completion_tokens": 110}, "x": text(number, 30)}
        ),
        user="benchmark",
    )


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Wall and CPU time of a block, in seconds."""
    spent: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent.update(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def median_s(work: Callable[[], Any], times: int = 5) -> float:
    measured = []
    for _ in range(times):
        with clocked() as spent:
            work()
        measured.append(spent["wall"])
    return statistics.median(measured)


def put_all(store: Store, rows: int, runs: int) -> list[dict[str, float]]:
    """Fill the lab through the journal, as runs do; what that cost, and what plain JSON lines cost."""
    writer = store.writer()
    for number in range(40):
        fields = {"text": text(number, 20), "target": "yes"}
        writer.put(
            SampleRecord(
                dataset="t1:x", dataset_name="x", position=number, sample_id=f"s{number}", fields=fields
            )
        )
    made = [generation(number, number * runs // rows) for number in range(rows)]
    acknowledged = 0

    def stored() -> None:
        nonlocal acknowledged
        acknowledged += 1

    writer.flush()
    with clocked() as ours:
        for row in made:
            writer.intent(
                Intent(
                    run_id=row.run_id,
                    generation_id=row.generation_id,
                    attempt=1,
                    sent_at=row.started_at or datetime.now(UTC),
                    reserved_usd=0.01,
                )
            )
            writer.attempt(
                Attempt(
                    run_id=row.run_id,
                    generation_id=row.generation_id,
                    attempt=1,
                    sent_at=row.started_at or datetime.now(UTC),
                    latency_s=1.0,
                    status_code=200,
                    error_type=None,
                    error_message=None,
                    retry_after_s=None,
                    wait_s=None,
                    maybe_paid=False,
                    provider_request_id=f"req_{row.generation_id}",
                )
            )
            writer.generation(row, stored)
        writer.flush()
    assert acknowledged == rows
    plain = store.path.with_name("plain.jsonl")
    with clocked() as theirs, plain.open("w") as file:
        for number, row in enumerate(made):
            file.write(json.dumps({name: str(getattr(row, name)) for name in row.__struct_fields__}) + "\n")
            if number % 100 == 99:
                file.flush()
                os.fdatasync(file.fileno())
    now = datetime.now(UTC)
    for run in range(runs):
        provenance = {"labkit": "0.1.0", "packages": dict.fromkeys(WORDS[:20], "1.0")}
        writer.put(
            RunRecord(
                run_id=f"run-{run:06d}",
                plan_id=f"plan-{run}",
                experiment="e",
                workspace="benchmark",
                fresh=False,
                cells=rows // runs,
                dataset="t1:x",
                started_at=now,
                user="benchmark",
                provenance=provenance,
            )
        )
        writer.put(RunEvent(run_id=f"run-{run:06d}", event="finished", at_time=now))
    for row in made:
        writer.put(Score(generation_id=row.generation_id, scorer="exact", value=1.0, scored_at=now))
    writer.flush()
    plain.unlink()
    return [ours, theirs]


def paced(store: Store, seconds: float = 6.0, per_s: int = 100) -> list[float]:
    """Put to on-disk, in ms, at a notebook's pace while the lab is folded in the background."""
    writer = store.writer()
    done: list[float] = []
    start = time.perf_counter()
    for number in range(int(seconds * per_s)):
        while time.perf_counter() - start < number / per_s:
            time.sleep(0.001)
        if number % per_s == per_s // 2:
            store.fold()
        put = time.perf_counter()
        writer.generation(
            generation(10_000_000 + number, 0), lambda put=put: done.append((time.perf_counter() - put) * 1e3)
        )
    writer.flush()
    return sorted(done)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1_000)
    options = parser.parse_args()
    rows, runs = options.rows, options.runs
    table: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "lab.duckdb")
        store.check_writable()
        ours, theirs = put_all(store, rows, runs)
        table.append(
            (
                "put to journal with intent and attempt, CPU",
                f"{ours['cpu'] / rows * 1e6:.0f} µs a generation",
                f"{ours['cpu'] / theirs['cpu']:.2f} × json + fdatasync",
            )
        )
        table.append(("put to journal, flood", f"{rows / ours['wall']:,.0f} generations/s", ""))
        with clocked() as fold:
            report = store.fold()
        assert not report.bad
        table.append(
            (
                "fold, CPU",
                f"{fold['cpu'] / rows * 1e6:.0f} µs a generation",
                f"{report.rows / fold['wall']:,.0f} lines/s",
            )
        )
        store.checkpoint()
        waits = paced(store)
        table.append(
            (
                "put to on disk, 100/s, folds meanwhile",
                f"p50 {waits[len(waits) // 2]:.1f} ms, p99 {waits[int(len(waits) * 0.99)]:.1f} ms",
                "",
            )
        )
        store.checkpoint()
        keys = pa.table({"request_id": [f"r1:{n:032x}" for n in range(rows)], "draw": [0] * rows})
        path = str(store.path)

        def plainly(query: str) -> pd.DataFrame:
            with duckdb.connect(path) as connection:
                return connection.sql(query).df()

        reads: list[tuple[str, Callable[[], Any], Callable[[], Any] | None]] = [
            ("open, read one number", lambda: store.table("select 1"), lambda: plainly("select 1")),
            (
                f"numeric columns of {rows:,} generations",
                lambda: store.generations(columns=NUMBERS),
                lambda: plainly(f"select {', '.join(NUMBERS)} from log.generations"),
            ),
            (
                f"all columns of {rows:,}, samples and scores",
                lambda: store.generations(),
                lambda: plainly("from log.generations"),
            ),
            ("one run's generations", lambda: store.generations(run="run-000500"), None),
            (
                "newest 50, all columns",
                lambda: store.generations(limit=50),
                lambda: plainly("from log.generations order by written_at desc limit 50"),
            ),
            (f"runs over {runs:,} runs", store.runs, lambda: plainly("from runs")),
            (f"known for {rows:,} keys, all columns", lambda: store.known(keys), None),
            ("known, keys only", lambda: store.known(keys, columns=["request_id", "draw"]), None),
            ("spent of a run", lambda: store.spent("run-000500"), None),
            (
                "lab.sql, median per model",
                lambda: store.sql("select model, median(latency_s) from generations group by 1"),
                None,
            ),
        ]
        for name, work, baseline in reads:
            work()
            taken = median_s(work)
            ratio = f"{taken / median_s(baseline):.2f} × plain DuckDB" if baseline else ""
            table.append((name, f"{taken * 1e3:,.0f} ms", ratio))
        size = store.path.stat().st_size / rows
        table.append(("file", f"{size:,.0f} bytes a generation", ""))
        store.close()
    width = max(len(name) for name, _, _ in table)
    for name, value, ratio in table:
        print(f"{name:{width}}  {value:28} {ratio}")


if __name__ == "__main__":
    main()
