"""How fast lines go to a shared lab: `python benchmarks/share.py [--lines 40000] [--rounds 3]`.

A PostgreSQL of its own on this machine, with its ordinary settings. Generations of 2.5 kB, alone and with an
intent and an attempt each, from one process and from four, beside a bare COPY and `on conflict do nothing` of
the same lines into one table without columns, in alternation. `CPU` is that of the sending processes, per
line. Then another machine fetches all, a run is brought into an empty lab and read there beside the same lab
unshared, and a plan is asked of a scripted model with and without a share, each in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.store import generation
from labkit.records import Attempt, Intent
from labkit.store import Store, journal_line
from labkit.store.exchange import Address, OutLine, ShareDatabase
from tests.postgresql import started

MOST_LINES, MOST_BYTES = 2000, 4_000_000
"""What goes in one transaction."""
HEAD = "{:24} {:>9} {:>9} {:>7} {:>12} {:>7} {:>6}"
ROW = "{:24} {:>9} {:>9,.0f} {:>7.1f} {:>12,.0f} {:>7.1f} {:>6.2f}"
BARE = "create table bare (process text, stamp bigint, body bytea, primary key (process, stamp))"


def lines_of(process: str, generations: int, mixed: bool) -> list[OutLine]:
    """Lines as a process journals them."""
    found: list[OutLine] = []
    now = datetime.now(UTC)

    def add(record: Any) -> None:
        stamp = 1_795_000_000_000_000 + len(found)
        body = journal_line.frame(type(record), stamp, journal_line.body(record))[:-1]
        found.append(OutLine(body[9:].partition(b" ")[0].decode(), process, stamp, body))

    for number in range(generations):
        row = generation(number, 1)
        own = {"run_id": row.run_id, "generation_id": row.generation_id, "attempt": 1, "sent_at": now}
        if mixed:
            add(Intent(**own, reserved_usd=0.01))
            told = dict.fromkeys(("error_type", "error_message", "retry_after_s", "wait_s"))
            add(
                Attempt(
                    **own, **told, latency_s=1.5, status_code=200, maybe_paid=False, provider_request_id="r"
                )
            )
        add(row)
    return found


def batches(lines: Sequence[OutLine]) -> list[list[OutLine]]:
    """As many lines at a time as go in one transaction."""
    made: list[list[OutLine]] = [[]]
    size = 0
    for line in lines:
        if len(made[-1]) == MOST_LINES or size > MOST_BYTES:
            made.append([])
            size = 0
        made[-1].append(line)
        size += len(line.body)
    return made


def by_labkit(address: str, lines: Sequence[OutLine]) -> tuple[float, float]:
    """Seconds and CPU seconds."""
    share = ShareDatabase(Address.parse(address), machine="benchmark")
    sender = share.sender(uuid.uuid4().hex, lab="benchmark")
    begun, cpu = time.perf_counter(), time.process_time()
    for some in batches(lines):
        sender = share.send(sender, some, {"journal": sender.upto})
    took = time.perf_counter() - begun, time.process_time() - cpu
    share.close()
    return took


def bare(address: str, lines: Sequence[OutLine]) -> tuple[float, float]:
    """The same by what one would write first."""
    with psycopg.connect(address) as connection:
        connection.execute(
            "create temp table stage (process text, stamp bigint, body bytea) on commit delete rows"
        )
        connection.commit()
        begun, cpu = time.perf_counter(), time.process_time()
        for some in batches(lines):
            with connection.cursor() as cursor:
                with cursor.copy("copy stage from stdin (format binary)") as copy:
                    copy.set_types(["text", "int8", "bytea"])
                    for _, process, stamp, body in some:
                        copy.write_row((process, stamp, body))
                cursor.execute("insert into bare select * from stage on conflict do nothing")
            connection.commit()
        return time.perf_counter() - begun, time.process_time() - cpu


def _part(
    by: Callable[..., tuple[float, float]],
    address: str,
    generations: int,
    mixed: bool,
    barrier: Any,
    told: Any,
) -> None:
    lines = lines_of(uuid.uuid4().hex, generations, mixed)
    barrier.wait()
    begun = time.time()
    _, cpu = by(address, lines)
    told.put((begun, time.time(), cpu, len(lines)))


def rate(
    by: Callable[..., tuple[float, float]], address: str, generations: int, mixed: bool, processes: int
) -> tuple[float, float]:
    """Lines a second of all together, and CPU microseconds per line of those that send."""
    context = multiprocessing.get_context("fork")
    barrier, told = context.Barrier(processes), context.Queue()
    each = (by, address, generations // processes, mixed, barrier, told)
    started = [context.Process(target=_part, args=each) for _ in range(processes)]
    for one in started:
        one.start()
    parts = [told.get() for _ in started]
    for one in started:
        one.join()
    lines = sum(part[3] for part in parts)
    took = max(part[1] for part in parts) - min(part[0] for part in parts)
    return lines / took, sum(part[2] for part in parts) / lines * 1e6


def fetched(address: str) -> None:
    """Tell how fast all lines of all senders are fetched."""
    share = ShareDatabase(Address.parse(address), machine="benchmark")
    begun, cpu, lines = time.perf_counter(), time.process_time(), 0
    for sender in share.news():
        upto = 0
        while upto < sender.upto:
            some = share.fetch(sender.number, "benchmark", upto, most_bytes=MOST_BYTES)
            upto = some.upto
            lines += len(some.lines)
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{lines:,} lines fetched at {lines / took:,.0f} rows/s, {cpu / lines * 1e6:.1f} µs of CPU each")
    share.close()


def brought_in(address: str, answers: int) -> None:
    """Tell how long another machine takes to have a run of so many answers, and what reading it costs."""
    share = ShareDatabase(Address.parse(address), machine="benchmark")
    sender = share.sender(uuid.uuid4().hex, lab="benchmark")
    lines = lines_of(uuid.uuid4().hex, answers, True)
    for some in batches(lines):
        sender = share.send(sender, some, {"journal": sender.upto})
    share.close()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shared = Store(Path(folder, "shared.duckdb"), share=Address.parse(address))
        shared.include("benchmark")
        begun = time.perf_counter()
        assert shared.catch_up(wait_s=300.0)
        came_s = time.perf_counter() - begun
        assert len(shared.generations(columns=["status"])) >= answers
        read_s = time.perf_counter() - begun
        print(f"{len(lines):,} lines came in {came_s:.1f} s, and were read after {read_s:.1f} s")
        shared.checkpoint()
        alone = Store(shutil.copy(shared.path, Path(folder, "alone.duckdb")))
        for what, read in READINGS.items():
            pairs = [[_seconds(read, store) for store in (shared, alone)] for _ in range(9)]
            times = [statistics.median(column) for column in zip(*pairs, strict=True)]
            ratio = statistics.median(one[0] / one[1] for one in pairs)
            told = f"{times[0] * 1e3:.0f} ms, unshared {times[1] * 1e3:.0f} ms, {ratio:.2f}"
            print(f"reading {what}: {told}")
        shared.close()
        alone.close()


READINGS: dict[str, Callable[[Store], object]] = {
    "numbers": lambda store: store.generations(columns=["model", "latency_s", "cost_usd"]),
    "answers": lambda store: store.generations(),
    "runs": lambda store: store.runs(),
}


def _seconds(read: Callable[[Store], object], store: Store) -> float:
    begun = time.perf_counter()
    read(store)
    return time.perf_counter() - begun


ASK = """
import sys, time
import labkit as lk

share, cells, name = sys.argv[1] or None, int(sys.argv[2]), sys.argv[3]
lab = lk.Lab("lab.duckdb", share=share, workspace=name)
text = "word " * 400
model = lk.Model("scripted/echo", client=lk.Script(lambda messages: text, version="1"))

def plan(rows):
    words = [{"w": f"{name} {row}"} for row in rows]
    return lab.plan(prompts=["{{ w }}"], models=[model], dataset=words, id=None)

plan(range(-1, 0)).run(progress="none")
lab.store.catch_up()
asked = plan(range(cells))
cpu = time.process_time()
asked.run(progress="none")
assert lab.store.catch_up(wait_s=60)
print(time.process_time() - cpu)
"""


def asked(address: str, cells: int, rounds: int) -> None:
    """Tell what asking costs with a share and without: CPU of the asking process, until all was sent."""
    took: list[list[float]] = []
    for number in range(rounds):
        pair = []
        for share in (address, ""):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-c", ASK, share, str(cells), f"round {number}"]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
                pair.append(float(done.stdout))
        took.append(pair)
    (shared, alone), ratio = (
        [statistics.median(column) for column in zip(*took, strict=True)],
        statistics.median(one[0] / one[1] for one in took),
    )
    each = f"{shared / cells * 1e6:.0f} µs, {alone / cells * 1e6:.0f} µs"
    print(f"CPU of asking a scripted cell with a share and without: {each}, {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=40_000)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with started() as url:
        address = f"postgresql://postgres@/postgres?host={url.query['host']}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(BARE)
        ShareDatabase(Address.parse(address), machine="benchmark").open()
        print(HEAD.format("lines", "processes", "rows/s", "CPU µs", "bare rows/s", "CPU µs", "ratio"))
        for mixed in (False, True):
            generations = given.lines // (3 if mixed else 1)
            for processes in (1, 4):
                pairs = [
                    [rate(by, address, generations, mixed, processes) for by in (by_labkit, bare)]
                    for _ in range(given.rounds)
                ]
                ours, theirs = zip(*pairs, strict=True)
                (rows, cpu), (bare_rows, bare_cpu) = (
                    [statistics.median(column) for column in zip(*some, strict=True)]
                    for some in (ours, theirs)
                )
                ratio = statistics.median(one[0][0] / one[1][0] for one in pairs)
                name = "intent, attempt, answer" if mixed else "answers of 2.5 kB"
                print(ROW.format(name, processes, rows, cpu, bare_rows, bare_cpu, ratio))
        fetched(address)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("create database run")
        brought_in(address.replace("/postgres?", "/run?"), given.answers)
        asked(address, given.lines // 5, given.rounds + 2)


if __name__ == "__main__":
    main()
