"""Judging that is broken off: by stop, by Ctrl-C, by a kill, by a full disk. Nothing is lost or asked
twice, and the run says what is lacking."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.records import Request
from labkit.store.writer import Writer
from tests.run.judging_kit import GRADES, Judged, writer

Script = Callable[..., "subprocess.Popen[str]"]
Until = Callable[..., None]
ROWS = [{"n": f"{number}."} for number in range(24)]

JUDGE = """
import sys
import labkit as lk

prices = {"input": 1.0, "output": 1.0}
judge = lk.Model("faulty/judge", base_url=sys.argv[1], key_env="MY_KEY", concurrency=2, prices=prices)
script = lk.Script(lambda request: request.messages[-1]["content"], version="1")
writer = lk.Model("scripted/w", client=script)
polite = lk.judge("polite", "Is it polite?", model=judge, grades={"no": 0, "yes": 1})
lab = lk.Lab("lab.duckdb", models=[judge, writer])
rows = [{"n": f"{n}."} for n in range(24)]
scorers = [] if "later" in sys.argv else [polite]
plan = lab.plan(prompts=["Say {{ n }}"], models=[writer], dataset=rows, scorers=scorers)
run = plan.run(progress="none")
if "later" in sys.argv:
    print("answered", flush=True)
    try:
        run.score(polite)
    except KeyboardInterrupt:
        print("raised", flush=True)
frame = run.generations()
scored = frame["score.polite"].notna().sum() if "score.polite" in frame else 0
print(run.status, len(frame), scored, flush=True)
"""
SAYS = '{"reason": "r", "verdict": "yes"}'


def polite(model: lk.Model) -> Any:
    return lk.judge("polite", "Is it polite?", model=model, grades=GRADES)


def plan(lab: lk.Lab, judge: Judged, **more: Any) -> lk.Plan:
    return lab.plan(
        prompts=["Say {{ n }}"], models=[writer()], dataset=ROWS, scorers=[polite(judge.model)], **more
    )


def shown(channel: Any) -> Counter[str]:
    """What the server was asked to judge, without the mark, which is another for each."""
    texts = (one["body"]["messages"][-1]["content"] for one in channel.seen())
    return Counter(text.split("answer\n")[1].partition("\n")[0] for text in texts)


def stopping(count: int) -> tuple[Judged, Callable[[lk.Plan], lk.Run]]:
    """A judge that stops the run when it is asked so often, and what begins that run and waits for it."""
    run_of: list[lk.Run] = []
    begun = threading.Event()

    def says(request: Request) -> str:
        begun.wait(30)
        if len(judge.asked) == count:
            run_of[0].stop("enough seen")
        return "yes"

    def drive(made: lk.Plan) -> lk.Run:
        run_of.append(made.start(progress="none"))
        begun.set()
        return run_of[0].wait()

    judge = Judged(says, concurrency=1)
    return judge, drive


def test_a_run_that_is_stopped_while_it_is_judged_says_so_and_goes_on(lab: lk.Lab) -> None:
    """What was asked is kept and scored, the rest is asked by the next launch, and nothing twice."""
    judge, drive = stopping(5)
    run = drive(plan(lab, judge))
    frame = run.generations()
    assert (frame["status"] == "done").all()
    assert run.status == "stopped"
    asked = len(judge.asked)
    assert 5 <= asked < 24
    assert frame["score.polite"].notna().sum() == asked
    assert lab.runs(kind="judge")[["status", "done"]].to_dict("records") == [
        {"status": "stopped", "done": asked}
    ]
    told = lab.sql("select error from scores where error is not null")["error"]
    assert told.str.contains("enough seen").all()
    assert "enough seen" in str(run.progress and run.progress.notes)
    again = run.resume()
    assert (again.run_id, again.status) == (run.run_id, "finished")
    assert again.generations()["score.polite"].notna().all()
    assert len(judge.asked) == 24
    assert len(lab.runs(kind="judge")) == 1


def test_a_judge_is_not_asked_after_a_stop(lab: lk.Lab) -> None:
    """Neither the second one, nor any where the answers were stopped."""
    judge, drive = stopping(1)
    other = Judged("yes", "other")
    made = lab.plan(
        prompts=["Say {{ n }}"],
        models=[writer()],
        dataset=ROWS,
        scorers=[polite(judge.model), lk.judge("second", "?", model=other.model, grades=GRADES)],
    )
    run = drive(made)
    assert not other.asked
    assert "score.second" not in run.generations()
    assert "judge('second') was not asked: the run was stopped (enough seen)" in str(
        run.progress and run.progress.notes
    )
    assert run.resume().generations()["score.second"].notna().all()


def test_what_holds_the_run_holds_its_judge(lab: lk.Lab) -> None:
    """Paused, nothing more is judged until it goes on."""
    run_of: list[lk.Run] = []
    begun, held = threading.Event(), threading.Event()

    def says(request: Request) -> str:
        begun.wait(30)
        if len(judge.asked) == 3:
            run_of[0].pause()
            held.set()
        return "yes"

    judge = Judged(says, concurrency=1)
    run = plan(lab, judge).start(progress="none")
    run_of.append(run)
    begun.set()
    assert held.wait(30)
    with pytest.raises(TimeoutError):
        run.wait(timeout_s=0.3)
    assert len(judge.asked) <= 4
    run.go_on()
    run.wait()
    assert len(judge.asked) == 24


@pytest.mark.alone
@pytest.mark.parametrize("later", [False, True])
def test_ctrl_c_while_judging_asks_no_more_and_keeps_what_is_in_flight(
    script: Script, channel: Any, until: Until, later: bool
) -> None:
    """In a run, and while a run is scored: the next cell works, and the next launch asks the rest."""
    channel.script(then={"text": SAYS, "first_s": 0.3})
    words = [str(channel.model().base_url), *(["later"] if later else [])]
    process = script(JUDGE, *words, MY_KEY="sk-first", LABKIT_PROGRESS="none")
    until(lambda: len(channel.seen()) >= 4)
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=60)
    assert process.returncode == 0, wrong
    assert "no more is asked" in said
    assert "raised" not in said
    first = shown(channel)
    assert 4 <= sum(first.values()) < 24
    status, cells, scored = said.splitlines()[-1].split()
    assert (status, cells, int(scored)) == ("finished" if later else "stopped", "24", sum(first.values()))
    process = script(JUDGE, *words, MY_KEY="sk-second", LABKIT_PROGRESS="none")
    said, wrong = process.communicate(timeout=120)
    assert process.returncode == 0, wrong
    assert said.splitlines()[-1] == "finished 24 24"
    assert set(shown(channel).values()) == {1}
    assert len(shown(channel)) == 24


@pytest.mark.alone
def test_a_second_ctrl_c_while_a_run_is_scored_ends_at_once(
    script: Script, channel: Any, until: Until
) -> None:
    channel.script(then={"text": SAYS, "first_s": 30})
    process = script(JUDGE, str(channel.model().base_url), "later", MY_KEY="sk-first", LABKIT_PROGRESS="none")
    until(lambda: len(channel.seen()) >= 2)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while "Interrupt again" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=20)
    assert process.returncode == 0, wrong
    assert "raised" in said
    assert len(channel.seen()) == 2


@pytest.mark.alone
@pytest.mark.parametrize("at", [1, 6, 11, 17])
def test_killed_while_it_judges_nothing_is_lost_and_the_rest_alone_is_asked(
    script: Script, channel: Any, until: Until, here: Path, at: int
) -> None:
    """Every answer is there, what was asked a second time was in flight, and what may have been paid for is
    told and counted."""
    channel.script(then={"text": SAYS, "first_s": 0.05})
    words = [str(channel.model().base_url)]
    process = script(JUDGE, *words, MY_KEY="sk-first", LABKIT_PROGRESS="none")
    until(lambda: len(channel.seen()) >= at)
    process.kill()
    process.communicate()
    lab = lk.Lab(here / "lab.duckdb")
    killed = lab.runs()["run_id"].item()
    assert lab.generations()["status"].tolist() == ["done"] * 24
    known = len(lab.sql("from judgements where status = 'done'"))
    run = lab.run(killed)
    assert len(run.maybe_paid()) <= 2
    assert set(run.maybe_paid()["why"]) <= {"sent, and its process ended before it told how that went"}
    assert (
        lab.store.spent(killed)
        >= lab.sql("select coalesce(sum(cost_usd), 0) as usd from judgements")["usd"].item()
    )
    process = script(JUDGE, *words, MY_KEY="sk-second", LABKIT_PROGRESS="none")
    said, wrong = process.communicate(timeout=120)
    assert process.returncode == 0, wrong
    assert said.splitlines()[-1] == "finished 24 24"
    again = (
        [one for one in channel.seen() if one["key"] == "sk-second"] if "key" in channel.seen()[0] else None
    )
    assert again is None or len(again) == 24 - known
    asked = shown(channel)
    assert len(asked) == 24
    assert sum(asked.values()) <= 24 + 2


def test_two_who_judge_the_same_answers_at_once_pay_once(lab: lk.Lab) -> None:
    """The second is told who does, and its run is not held up."""
    go, begun = threading.Event(), threading.Event()

    def says(request: Request) -> str:
        begun.set()
        go.wait(30)
        return "yes"

    judge = Judged(says, concurrency=1)
    run = lab.plan(prompts=["Say {{ n }}"], models=[writer()], dataset=ROWS[:4]).run()
    scoring = threading.Thread(target=run.score, args=[polite(judge.model)])
    scoring.start()
    assert begun.wait(30)
    lab.run(run.run_id).score(polite(judge.model))
    go.set()
    scoring.join()
    assert len(judge.asked) == 4
    assert run.generations()["score.polite"].notna().all()


def test_a_lab_that_cannot_be_written_while_judging_loses_no_answer(
    lab: lk.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are in the lab, the run says that it is not scored yet and how it will be, and scoring it asks
    what is lacking."""
    full = threading.Event()
    flush = Writer.flush

    def says(request: Request) -> str:
        full.set()
        return "yes"

    def hindered(self: Writer, *args: Any, **settings: Any) -> None:
        if full.is_set():
            raise StoreError("The disk is full.")
        flush(self, *args, **settings)

    judge = Judged(says, concurrency=1)
    monkeypatch.setattr(Writer, "flush", hindered)
    run = plan(lab, judge).start(progress="none")
    with pytest.raises(StoreError):
        run.wait()
    monkeypatch.undo()
    monkeypatch.setenv("LABKIT_PROGRESS", "none")
    frame = lab.generations(run=run.run_id)
    assert frame["status"].tolist() == ["done"] * 24
    asked = len(judge.asked)
    scored = lab.run(run.run_id).score(polite(judge.model))
    assert scored["score.polite"].notna().all()
    assert len({str(request.messages) for request in judge.asked}) == 24
    assert len(judge.asked) <= 24 + asked
