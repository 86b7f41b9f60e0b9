"""How long charts of a run of 1,000,000 answers take, and how much they weigh: wanted are 3 s and 300 kB.

    python benchmarks/charts.py [rows] [replays]

The run lies in a lab of its own: four models, two repeats, samples in five slices, texts of 480
characters. Each chart is asked for as a person does, `run.chart(…)`, so that reading the lab counts, and
written as HTML without plotly.js. Beside its seconds stands their ratio to one group-by of plain DuckDB
over the same rows, which tells machines apart. With `replays` they are of a second run of that lab, each of
whose answers replays one of the first, so that its clocks are those of the first asking. The run's summary
and its rows (numbers, names and scores) are timed too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import duckdb
import plotly.io

import labkit as lk
from labkit import charts

WANTED_S, WANTED_KB = 3.0, 300.0
MANY = """
insert into log.samples by name
select dataset, dataset_name, i + 1 as position, 's' || i as sample_id, written_at, written_by,
    json_object('text', 'text ' || i, 'kind', ['a', 'b', 'c', 'd', 'e'][i % 5 + 1]) as fields
from (from log.samples limit 1), range({samples}) as made(i);

insert into log.generations by name
select one.* replace (
    'g1:' || lpad(i::varchar, 32, '0') as generation_id,
    'r1:' || lpad(i::varchar, 32, '0') as request_id,
    ['scripted/a', 'openai/b', 'openai/c', 'anthropic/d'][i // {per_model} + 1] as model,
    's' || (i // 2 % {samples}) as sample_id,
    i % 2 as repeat,
    repeat('lorem ipsum ', 40) as text,
    repeat('{{"usage": 1}}', 40) as raw,
    0.3 + random() as latency_s,
    0.1 + random() / 10 as ttft_s,
    random() / 1000 as cost_usd,
    1 + i % 500 as output_tokens,
    100 + i % 7 as input_tokens,
    written_at + to_microseconds(i) as written_at
)
from (from log.generations limit 1) as one, range({rows}) as made(i);

insert into log.scores by name
select one.* replace ('g1:' || lpad(i::varchar, 32, '0') as generation_id, (random() < 0.6)::double as value)
from (from log.scores limit 1) as one, range({rows}) as made(i);
"""
AGAIN = """
insert into log.runs by name select * replace ('{again}' as run_id) from log.runs;
insert into log.run_events by name select * replace ('{again}' as run_id) from log.run_events;
insert into log.generations by name
select * replace (
    '{again}' as run_id, 'g2:' || generation_id[4:] as generation_id, generation_id as replayed_from,
    null as started_at, null as queue_s, null as first_event_s, null as ttft_s, null as latency_s,
    null as retry_s, null as in_flight, 0 as attempts, written_at + interval 1 day as written_at
) from log.generations;
insert into log.scores by name
select * replace ('g2:' || generation_id[4:] as generation_id, written_at + interval 1 day as written_at)
from log.scores;
"""
COLUMNS = ["prompt", "model", "sample_id", "repeat", "latency_s", "cost_usd", "first.*", "score.*"]


def many(rows: int) -> str:
    """The id of a run with so many answers more than the one it asked, in a lab of this folder."""
    echo = lk.Model("scripted/a", client=lk.Script(lambda request: "yes", version="1"))
    lab = lk.Lab("lab.duckdb")
    plan = lab.plan(
        prompts=["{{ text }}"],
        models=[echo],
        dataset=[{"text": "one", "kind": "a", "target": "yes"}],
        scorers=[lk.contains("target")],
    )
    run = plan.run(progress="none")
    run.generations()
    with duckdb.connect("lab.duckdb") as connection:
        connection.execute(MANY.format(rows=rows, samples=rows // 8, per_model=rows // 4))
    return run.run_id


def replayed(run_id: str) -> str:
    """The id of a second run in the lab, whose answers are all replays of that one's."""
    again = f"{run_id[:-6]}ffffff"
    with duckdb.connect("lab.duckdb") as connection:
        connection.execute(AGAIN.format(again=again))
    return again


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the faster of two calls, and what it gave."""
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def plain(run_id: str) -> Any:
    """A group-by without labkit."""
    with duckdb.connect("lab.duckdb", read_only=True) as connection:
        return connection.execute(
            "select model, avg(latency_s), avg(cost_usd), avg(value)"
            " from generations join scores using (generation_id) where run_id = ? group by model",
            [run_id],
        ).fetchall()


def main() -> None:
    given = sys.argv[1:]
    rows = next((int(one) for one in given if one.isdecimal()), 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_id = many(rows)
        if "replays" in given:
            run_id = replayed(run_id)
        usual, _ = timed(lambda: plain(run_id))
        print(f"{rows:,} answers of 4 models; a group-by of plain DuckDB takes {usual:.2f} s\n")
        print(f"{'chart':<14}{'seconds':>9}{'ratio':>8}{'kB':>7}")
        run = lk.Lab("lab.duckdb").run(run_id)
        missed = []
        for name in charts.__all__:
            seconds, found = timed(lambda name=name: run.chart(name))
            weight = len(plotly.io.to_html(found, include_plotlyjs=False, full_html=False)) / 1000
            print(f"{name:<14}{seconds:>9.2f}{seconds / usual:>8.1f}{weight:>7.0f}", flush=True)
            if seconds > WANTED_S or weight > WANTED_KB:
                missed.append(name)
        for name, call in (
            ("summary()", run.summary),
            ("generations()", lambda: run.generations(columns=COLUMNS)),
        ):
            seconds, _ = timed(call)
            print(f"{name:<14}{seconds:>9.2f}{seconds / usual:>8.1f}")
        within = "all" if not missed else f"not {', '.join(missed)}"
        print(f"\nwithin {WANTED_S:g} s and {WANTED_KB:g} kB: {within}")
        os.chdir("/")


if __name__ == "__main__":
    main()
