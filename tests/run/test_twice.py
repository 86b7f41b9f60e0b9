"""One run, two processes: the second is told who drives it, and nothing is asked twice: F23, F26."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk

Script = Callable[..., "subprocess.Popen[str]"]
Asked = Callable[[Any], list[str]]
Until = Callable[..., None]

RUN = """
import os, sys
import labkit as lk
from labkit.errors import RunBusy

lab = lk.Lab("lab.duckdb")
model = lk.Model("faulty/m", base_url=sys.argv[1], key_env="MY_KEY", concurrency=4)
plan = lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=[{"n": str(n)} for n in range(12)])
print("ready", flush=True)
sys.stdin.readline()
try:
    run = plan.run(progress="none")
except RunBusy as busy:
    print("busy", busy, flush=True)
else:
    print("ran", run.run_id, flush=True)
"""
ALL = sorted(f"Say {n}." for n in range(12))


def ready(process: subprocess.Popen[str]) -> None:
    """The process has its plan."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]


def go(process: subprocess.Popen[str]) -> None:
    """Let it run the plan."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ends(process: subprocess.Popen[str]) -> str:
    """What it said."""
    said, wrong = process.communicate(timeout=120)
    assert process.returncode == 0, wrong
    return said


def keys(channel: Any) -> set[str]:
    """Who asked."""
    return {one["headers"]["authorization"] for one in channel.seen()}


def test_another_process_is_told_who_drives(script: Script, channel: Any, asked: Asked, until: Until) -> None:
    """F23: while one process drives a run, the same plan in another ends at once with the driver's process id
    and sends nothing; the run goes on undisturbed."""
    channel.script(*[{"first_s": 4.0}] * 4, then={})
    url = str(channel.model().base_url)
    first, second = script(RUN, url, MY_KEY="first"), script(RUN, url, MY_KEY="second")
    ready(first)
    ready(second)
    go(first)
    until(lambda: len(channel.seen()) >= 4)
    go(second)
    said = ends(second)
    assert re.search(rf"busy .+ is driven by process {first.pid} ", said), said
    assert "ran" in ends(first)
    assert sorted(asked(channel)) == ALL
    assert keys(channel) == {"Bearer first"}


@pytest.mark.parametrize("state", ["new", "killed"])
def test_two_at_the_same_moment(
    state: str, script: Script, channel: Any, asked: Asked, until: Until, here: Path
) -> None:
    """F23: of two processes that start the same plan in the same moment, or go on with the same killed run,
    one drives it; the other is told so, or finds it done. The server is asked for nothing twice."""
    channel.script(then={"first_s": 0.4})
    url = str(channel.model().base_url)
    if state == "killed":
        victim = script(RUN, url, MY_KEY="victim")
        ready(victim)
        go(victim)
        until(lambda: len(channel.seen()) >= 8)
        victim.kill()
        victim.wait()
    before = Counter(asked(channel))
    lab = lk.Lab(here / "lab.duckdb")
    lost = 0 if state == "new" else len(lab.sql("from unsettled"))
    pair = [script(RUN, url, MY_KEY=name) for name in ("one", "other")]
    for process in pair:
        ready(process)
    for process in pair:
        go(process)
    said = [ends(process) for process in pair]
    assert sum("ran" in words for words in said) >= 1, said
    later = Counter(asked(channel)) - before
    assert max(later.values()) == 1, said
    assert len(later) == 12 - before.total() + lost
    assert set(before + later) == set(ALL)
    assert len(keys(channel) - {"Bearer victim"}) == 1
    assert set(lab.generations(status="done")["text"].notna()) == {True}
    assert len(lab.runs()) == sum("ran" in words for words in said)


BEGINS = """
import sys
from labkit.run import save_definitions
real = save_definitions.save

def save(*what, **how):
    print("begins", flush=True)
    sys.stdin.readline()
    return real(*what, **how)

save_definitions.save = save
"""


def test_the_first_moment_of_a_run_counts_too(script: Script, channel: Any, asked: Asked) -> None:
    """F23: a plan that another process has begun, whose run the lab does not know yet, is not begun again."""
    url = str(channel.model().base_url)
    first, second = script(BEGINS + RUN, url, MY_KEY="first"), script(RUN, url, MY_KEY="second")
    ready(first)
    ready(second)
    go(first)
    assert first.stdout is not None
    assert first.stdout.readline() == "begins\n"
    go(second)
    assert f"busy This plan is driven by process {first.pid} " in ends(second)
    go(first)
    assert "ran" in ends(first)
    assert sorted(asked(channel)) == ALL


FORKS = """
import json, multiprocessing, os, sys
import labkit as lk

lab = lk.Lab("lab.duckdb")
model = lk.Model("faulty/m", base_url=sys.argv[1], concurrency=4)
rows = [{"n": str(n)} for n in range(24)]
run = lab.plan(prompts=["Say {{ n }}."], models=[model], dataset=rows).start()

def work(number):
    script = lk.Script(lambda request: "from a child", version=str(number))
    child = lab.plan(prompts=[f"Child {number}"], models=[lk.Model("scripted/child", client=script)])
    texts = child.run(progress="none").generations()["text"].tolist()
    return os.getpid(), texts, len(lab.generations())

print("started", flush=True)
sys.stdin.readline()
with multiprocessing.get_context("fork").Pool(2) as pool:
    worked = pool.map(work, range(3))
if (bare := os.fork()) == 0:
    os._exit(0 if run.status == "running" or run.run_id else 1)
os.waitpid(bare, 0)
run.wait()
print(json.dumps([os.getpid(), worked, run.status]), flush=True)
"""


def test_a_child_never_writes_its_parents_journal(
    script: Script, channel: Any, asked: Asked, until: Until, here: Path
) -> None:
    """F26: processes forked in the middle of a run ask plans of their own into journals of their own; the
    parent's run is not disturbed, and every answer is there once."""
    import json

    channel.script(then={"first_s": 0.3})
    process = script(FORKS, str(channel.model().base_url))
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    until(lambda: len(channel.seen()) >= 4)
    go(process)
    parent, worked, status = json.loads(ends(process))
    assert status == "finished"
    assert [texts for _, texts, _ in worked] == [["from a child"]] * 3
    assert sorted(asked(channel)) == sorted(f"Say {n}." for n in range(24))
    lab = lk.Lab(here / "lab.duckdb")
    writers = lab.store.table(
        "select model, written_by, count(*) as n, "
        "count(distinct generation_id) as cells from log.generations group by all"
    ).to_pylist()
    (by_parent,) = (row for row in writers if row["model"] == "faulty/m")
    assert (by_parent["n"], by_parent["cells"]) == (24, 24)
    by_children = [row for row in writers if row["model"] == "scripted/child"]
    assert len(by_children) == len({pid for pid, _, _ in worked})
    assert parent not in {pid for pid, _, _ in worked}
    assert by_parent["written_by"] not in {row["written_by"] for row in by_children}
    assert sum(row["n"] for row in by_children) == 3
