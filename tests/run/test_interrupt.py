"""Stopping a run: from Python, by Ctrl-C once and twice, and going on afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import RunBusy, StoreError
from labkit.records import Request
from labkit.widgets.score_mark import mark
from labkit.widgets.view_updates import state

Echo = Callable[..., Any]

# A process that asks four cells, one at a time, each answered after a while.
DRIVER = """
import labkit as lk

ROWS = [{"n": str(i)} for i in range(1, 5)]

def answer(request):
    print("asked", flush=True)
    return request.messages[-1]["content"]

script = lk.Script(answer, version="1", first_token_s=1)
model = lk.Model("scripted/slow", client=script, concurrency=1)
plan = lk.Lab("lab.duckdb").plan(prompts=["{{ n }}"], models=[model], dataset=ROWS)
try:
    plan.run(progress="none")
except KeyboardInterrupt:
    print("raised", flush=True)
print("next cell works", lk.Lab("lab.duckdb").sql("select 40 + 2 as x")["x"].item(), flush=True)
"""


@pytest.fixture
def driver(here: Path) -> Any:
    """A process that runs the plan, its first request already sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=here, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("asked")
    yield process
    process.kill()
    process.wait()


@pytest.mark.alone
def test_one_interrupt_keeps_what_is_in_flight(driver: Any, here: Path) -> None:
    """F22: after SIGINT nothing more is asked, the answer in flight is kept, and the next cell works."""
    driver.send_signal(signal.SIGINT)
    said, _ = driver.communicate(timeout=60)
    assert "next cell works 42" in said
    assert "raised" not in said
    frame = lk.Lab(here / "lab.duckdb").generations()
    assert frame["status"].value_counts().to_dict() == {"stopped": 3, "done": 1}
    assert "asked\n" not in said


@pytest.mark.alone
def test_a_resume_asks_only_what_is_missing(driver: Any, here: Path, echo: Echo) -> None:
    """After an interrupt the same plan continues the same run and asks the three cells that are missing."""
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=60)
    lab = lk.Lab(here / "lab.duckdb")
    stopped = lab.runs()["run_id"].item()
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(request.messages[-1]["content"])
        return asked[-1]

    model = lk.Model("scripted/slow", client=lk.Script(answer, version="1"), concurrency=1)
    rows = [{"n": str(i)} for i in range(1, 5)]
    run = lab.plan(prompts=["{{ n }}"], models=[model], dataset=rows).run()
    assert run.run_id == stopped
    assert len(asked) == 3
    assert sorted(run.generations()["text"]) == ["1", "2", "3", "4"]
    assert run.status == "finished"


def test_a_second_interrupt_ends_at_once(here: Path) -> None:
    """F22: a second SIGINT raises KeyboardInterrupt within two seconds although an answer is in flight."""
    code = DRIVER.replace("first_token_s=1", "first_token_s=600")
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, cwd=here, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "Interrupt again" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert "raised" in said
    assert "next cell works 42" in said


def test_a_run_is_driven_once(lab: lk.Lab, echo: Echo) -> None:
    """F23: while a run goes, the same plan started again is told who drives it, and asks nothing twice."""
    go = threading.Event()
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append("x")
        go.wait(30)
        return "x"

    def plan() -> lk.Plan:
        return lab.plan(prompts=["Say {{ n }}"], models=[echo(answers=answer)], dataset=[{"n": "1"}])

    run = plan().start()
    while not asked:
        threading.Event().wait(0.01)
    with pytest.raises(RunBusy, match=str(os.getpid())):
        plan().start()
    go.set()
    run.wait()
    assert asked == ["x"]


def test_stop_leaves_rows_that_say_why(lab: lk.Lab, echo: Echo) -> None:
    """Cells that were not asked before `stop` have a row each with the reason, and the run is `stopped`."""
    run_of: list[lk.Run] = []

    def answer(request: Request) -> str:
        while not run_of:
            threading.Event().wait(0.01)
        run_of[0].stop("enough seen")
        return "x"

    model = lk.Model("scripted/one", client=lk.Script(answer, version="1"), concurrency=1)
    rows = [{"n": str(i)} for i in range(5)]
    run = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows).start()
    run_of.append(run)
    frame = run.wait().generations()
    assert frame["status"].value_counts().to_dict() == {"stopped": 4, "done": 1}
    assert frame.loc[frame["status"] == "stopped", "error_message"].str.contains("enough seen").all()
    assert run.status == "stopped"
    told = lab.sql("select detail from log.run_events where event = 'stopped'")["detail"].item()
    assert json.loads(told) == {"reason": run.left}
    assert "enough seen" in run.left


def test_what_code_says_to_a_run_is_shown(lab: lk.Lab, echo: Echo) -> None:
    """A run that is paused, sent on or stopped by code says so, as if its buttons had been pressed; when it
    is over it says stopped, and what it left unasked."""
    go = threading.Event()

    def answer(request: Request) -> str:
        go.wait(30)
        return "x"

    model = lk.Model("scripted/one", client=lk.Script(answer, version="1"), concurrency=1)
    rows = [{"n": str(i)} for i in range(4)]
    run = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows).start()
    assert run.progress is not None
    run.pause()
    assert state(run.progress).startswith("paused")
    run.go_on()
    assert state(run.progress) == "running"
    run.stop("enough seen")
    assert state(run.progress).startswith("stopping")
    go.set()
    run.wait()
    assert state(run.progress) == run.status == "stopped"
    assert run.progress.left == run.left
    ended, unasked = run.progress.line().split(" · ")[:2]
    assert int(ended.removesuffix(" of 4")) + int(unasked.removesuffix(" not asked")) == 4


def test_scores_of_a_run_are_shown_with_its_answers(lab: lk.Lab, echo: Echo) -> None:
    """What the plan's scorers say is with each answer when the run is over, and what is scored later too."""
    rows = [{"n": str(i), "target": str(i % 2)} for i in range(4)]
    plan = lab.plan(prompts=["{{ n }}"], models=[echo()], dataset=rows, scorers=[lk.exact("target")])
    run = plan.run()
    assert run.progress is not None

    def marks() -> list[str]:
        assert run.progress is not None
        panels = [panel for row in run.progress.in_order() for panel in row.panels.values()]
        return [mark(panel.scores).kind for panel in panels]

    assert marks() == ["right", "right", "wrong", "wrong"]
    run.score(lk.contains("n"))
    assert marks() == ["several"] * 4


def test_a_run_can_be_awaited(lab: lk.Lab, echo: Echo) -> None:
    """`await plan.start()` works under a running loop and gives the run."""
    import asyncio

    async def main() -> lk.Run:
        return await lab.plan(prompts=["Say hi"], models=[echo()]).start()

    run = asyncio.run(main())
    assert run.generations()["text"].tolist() == ["Say hi"]


def test_run_works_under_a_running_loop(lab: lk.Lab, echo: Echo) -> None:
    """The blocking `plan.run()` works inside a coroutine, as in a notebook's cell."""
    import asyncio

    async def main() -> lk.Run:
        return lab.plan(prompts=["Say hi"], models=[echo()]).run()

    assert asyncio.run(main()).status == "finished"


def test_waiting_has_an_end(lab: lk.Lab, echo: Echo) -> None:
    """`wait(timeout_s=…)` raises TimeoutError when the run goes on longer, and leaves it going."""
    run = lab.plan(prompts=["Say hi"], models=[echo(first_token_s=2)]).start()
    with pytest.raises(TimeoutError, match="still goes on"):
        run.wait(timeout_s=0.1)
    assert run.status == "running"
    assert run.wait().status == "finished"


def test_giving_up_a_wait_does_not_give_up_the_run(lab: lk.Lab) -> None:
    """`asyncio.wait_for` ends the waiting only: the run goes on, can be awaited again and waited for."""
    go = threading.Event()

    def answer(request: Request) -> str:
        assert go.wait(30)
        return "yes"

    async def impatient(run: lk.Run) -> lk.Run:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(run, 0.05)
        assert run.status == "running"
        go.set()
        return await asyncio.wait_for(run, 30)

    model = lk.Model("scripted/slow", client=lk.Script(answer, version="1"))
    run = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=[{"n": "1"}, {"n": "2"}]).start()
    assert asyncio.run(impatient(run)) is run
    assert run.wait().status == "finished"
    assert run.generations()["status"].tolist() == ["done", "done"]


def test_who_awaits_is_told_what_ended_the_run(lab: lk.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a run reaches each who awaits it, also after one that gave up."""
    go = threading.Event()

    def broken(*_: Any) -> None:
        assert go.wait(30)
        raise StoreError("the disk is gone")

    monkeypatch.setattr("labkit.run.launch.Launch.drive", broken)
    script = lk.Script(lambda request: "x", version="1")
    run = lab.plan(prompts=["Say x"], models=[lk.Model("scripted/x", client=script)]).start()

    async def both() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run, 0.05)
        go.set()
        for _ in range(2):
            with pytest.raises(StoreError, match="the disk is gone"):
                await run

    asyncio.run(both())
    with pytest.raises(StoreError, match="the disk is gone"):
        run.wait()


# A process that ends while its run is inside DuckDB: before the run asks, or in the fold at its end.
LEAVER = """
import sys, threading
import labkit as lk
from labkit.store.fold import Fold

inside = threading.Event()
real = Fold.run

def slow(self):
    if threading.current_thread().name.startswith("labkit-2") and answered.is_set():
        inside.set()
        self._connection.execute("select sum(hash(range)) from range(300_000_000)")
    return real(self)

def answer(request):
    answered.set()
    return "yes"

Fold.run = slow
answered = threading.Event()
model = lk.Model("scripted/x", client=lk.Script(answer, version="1"))
plan = lk.Lab("lab.duckdb").plan(prompts=["{{ n }}"], models=[model], dataset=[{"n": "1"}])
plan.start(progress="none")
assert inside.wait(30)
"""


def test_a_process_may_end_while_its_run_is_at_the_lab(script: Any, here: Path) -> None:
    """A process that ends with a run of its own inside DuckDB ends well, without a word, and leaves nothing
    half done: no daemon thread is pulled from under it."""
    process = script(LEAVER)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert lk.Lab("lab.duckdb").generations()["text"].tolist() == ["yes"]
