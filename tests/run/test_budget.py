"""A run under a budget: what it asks, what it leaves, and how it goes on."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import labkit as lk
from labkit.dollars import usd
from labkit.errors import AuthenticationFailed
from labkit.records import Request
from labkit.run.earlier import Earlier
from labkit.widgets.view_updates import ViewUpdates

Echo = Callable[..., Any]
ROWS = [{"n": str(number)} for number in range(10)]


def priced(echo: Echo, **more: Any) -> lk.Model:
    """A scripted model at USD 1,000 per million tokens each way: a word costs a tenth of a cent."""
    more.setdefault("answers", lambda request: "ok " * 10)
    return echo("dear", **more).replace(prices={"input": 1000.0, "output": 1000.0})


def test_a_budget_is_never_overshot(lab: lk.Lab, echo: Echo) -> None:
    """The run asks while the worst case fits, stops by itself, and has spent no more than it may."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[priced(echo)], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    frame = run.generations()
    assert 0 < frame["cost_usd"].sum() <= 0.13
    assert set(frame["status"]) == {"done", "stopped"}
    assert run.status == "stopped"
    assert frame.loc[frame["status"] == "stopped", "error_message"].str.contains("budget").all()


def test_an_empty_budget_is_told_where_the_run_is_shown(
    lab: lk.Lab, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was left, why, and what asking it costs stands at the end of lines, grid and table."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[priced(echo)], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13, progress="lines")
    assert run.left is not None
    assert " cost at most USD" in run.left
    assert capsys.readouterr().out.splitlines()[-1].strip() == run.left
    assert run.progress is not None
    head = ViewUpdates(run.progress).head()
    assert (head["state"], head["left"]) == ("stopped", run.left)
    assert html.escape(run.left) in run.progress._repr_html_()


def test_a_resume_with_more_money_goes_on(lab: lk.Lab, echo: Echo) -> None:
    """`run.resume(budget_usd=…)` asks in the same run what the first budget left, and no cell twice."""
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(request.messages[-1]["content"])
        return "ok " * 10

    model = priced(echo, answers=answer)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    assert len(asked) < 10
    again = run.resume(budget_usd=10)
    assert again.run_id == run.run_id
    assert sorted(asked) == sorted(f"Say {number}" for number in range(10))
    assert again.status == "finished"
    assert set(again.generations()["status"]) == {"done"}


def test_a_model_without_a_price_is_refused_beforehand(lab: lk.Lab, echo: Echo) -> None:
    """Under a budget a plan whose costs cannot be bounded is refused before anything is asked, naming each
    such model and what it lacks; with leave it is asked."""
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(request.model)
        return "ok"

    unpriced = lk.Model("elsewhere/model", base_url="http://127.0.0.1:9/v1", key_env="")
    dear = priced(echo, answers=answer).replace(max_output=10)
    endless = unpriced.replace(id="elsewhere/endless", prices={"input": 1.0, "output": 1.0})
    plan = lab.plan(prompts=["Say {{ n }}"], models=[dear, endless, unpriced], dataset=ROWS[:1])
    with pytest.raises(lk.errors.DefinitionError) as caught:
        plan.run(budget_usd=1)
    told = str(caught.value)
    assert "A budget cannot hold for elsewhere/model: its price is not known. Give prices=," in told
    assert "for elsewhere/endless: how long its answers may be is not known. Give max_tokens," in told
    assert "scripted/dear" not in told
    assert not asked
    assert lab.runs().empty
    run = plan.run(budget_usd=1, allow_unpriced=True, policy=lk.Policy(fail_fast=True))
    assert set(run.generations()["status"]) == {"done", "failed"}


def test_a_budget_holds_on_where_none_is_given(
    here: Path, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same cell run again without a budget, and a run of history resumed, keep the last budget given, say
    so and where it comes from; `math.inf` lifts it. What was spent before counts, as the answers cost it."""
    lab = lk.Lab(here / "lab.duckdb", models=[priced(echo)])
    told = {"prompts": ["Say {{ n }}"], "dataset": ROWS, "params": {"max_tokens": 10}}
    plan = lab.plan(**told, models=["scripted/dear"])

    def spent(run: lk.Run) -> float:
        return float(run.generations()["cost_usd"].sum())

    first = plan.run(budget_usd=0.1, progress="lines")
    assert capsys.readouterr().out.splitlines()[0].endswith("; budget USD 0.10")
    began = spent(first)
    assert 0 < began <= 0.1
    run = plan.run(budget_usd=0.11, progress="lines")
    told = capsys.readouterr().out
    assert f"; budget USD 0.11, USD {usd(began)} of it spent" in told
    had = spent(run)
    assert began < had <= 0.11
    for go_on in (plan.run, run.resume, lab.run(run.run_id).resume, lab.again(run.run_id).run):
        run = go_on(progress="lines")
        told = capsys.readouterr().out
        assert "; budget USD 0.11 as at its last launch (budget_usd= changes it), USD " in told
        assert f"USD {usd(had)} of it spent" in told
        assert (run.run_id, run.status, spent(run)) == (first.run_id, "stopped", had)
    run = plan.run(budget_usd=math.inf, progress="lines")
    assert f"; no budget any more, it was USD 0.11, USD {usd(had)} of it spent" in capsys.readouterr().out
    assert (run.run_id, run.status) == (first.run_id, "finished")
    assert spent(run) > 0.11


def test_a_run_of_history_tells_its_counts_and_its_cost(lab: lk.Lab, echo: Echo) -> None:
    """What its name shows is that of a run that was driven here, clocks apart."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[priced(echo)], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    frame = run.generations()
    done, spent = frame["status"].eq("done").sum(), usd(frame["cost_usd"].sum())
    told = f"Run(stopped: {done} of 10 · {10 - done} not asked · USD {spent}) {run.left}"
    assert repr(lab.run(run.run_id)) == told
    plan.head(2).run()
    again = plan.head(2).run()
    assert repr(lab.run(again.run_id)) == "Run(finished: 2 of 2 · 2 known · USD 0.00)"


def test_a_resumed_run_tells_one_budget_and_what_is_known_by_now(lab: lk.Lab, echo: Echo) -> None:
    """The line of what is to be asked is made anew for each launch, out of the plan."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[priced(echo)], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    known, spent = run.generations()["status"].eq("done").sum(), run.generations()["cost_usd"].sum()
    assert 0 < known < 10
    for more_usd in (0.13, 0.14, 10):
        run = run.resume(budget_usd=more_usd)
        assert run.progress is not None
        title = run.progress.title
        assert title.count("budget") == 1
        assert f"10 requests; {known} known" in title
        assert title.endswith(f"budget USD {usd(more_usd)}, USD {usd(spent)} of it spent")
        known, spent = run.generations()["status"].eq("done").sum(), run.generations()["cost_usd"].sum()
    assert known == 10


def test_leave_to_ask_outside_the_budget_holds_as_long_as_the_budget(
    here: Path, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who gave it at one launch need not give it with the next, which says so; with another budget it is to
    be given anew."""
    free = lk.Model("elsewhere/model", base_url="http://127.0.0.1:9/v1", key_env="")
    lab = lk.Lab(here / "lab.duckdb", models=[priced(echo), free])
    plan = lab.plan(
        prompts=["Say {{ n }}"],
        models=["scripted/dear", "elsewhere/model"],
        dataset=ROWS,
        params={"max_tokens": 10},
    )
    once = lk.Policy(fail_fast=True)
    run = plan.run(budget_usd=0.1, allow_unpriced=True, policy=once)
    assert run.status == "stopped"
    capsys.readouterr()
    assert plan.run(policy=once, progress="lines").run_id == run.run_id
    assert (
        "budget USD 0.10 as at its last launch, outside which models without a price"
        in capsys.readouterr().out
    )
    with pytest.raises(lk.errors.DefinitionError, match="A budget cannot hold for elsewhere/model"):
        plan.run(budget_usd=0.11, policy=once)
    assert Earlier.read(lab.store, run.run_id)[:2] == (0.1, True)


def test_the_budget_of_an_older_lab_is_that_of_its_first_launch(lab: lk.Lab, echo: Echo) -> None:
    """Where no launch wrote down its budget the run's provenance tells it."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[priced(echo)], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    older = Earlier.read(lab.store, run.run_id)
    with duckdb.connect(lab.path) as opened:
        opened.execute("update log.run_events set detail = '{}'")
    assert Earlier.read(lab.store, run.run_id) == older
    assert older.budget_usd == 0.13


def test_a_refused_key_stops_its_model_and_the_run_says_so(lab: lk.Lab, echo: Echo) -> None:
    """After one refusal the model's other cells are not asked; the run is `stopped`, and the next goes on."""
    refusing = echo("locked", answers=lambda request: AuthenticationFailed("no such key", status=401))
    one_by_one = refusing.replace(concurrency=1)
    run = lab.plan(prompts=["Say {{ n }}"], models=[one_by_one, echo("open")], dataset=ROWS).run()
    frame = run.generations()
    locked = frame[frame["model"] == "scripted/locked"]
    assert locked["attempts"].sum() == 1
    assert set(locked["status"]) == {"failed", "stopped"}
    assert (frame.loc[frame["model"] == "scripted/open", "status"] == "done").all()
    assert run.status == "stopped"


@pytest.mark.parametrize("budget", [-1, float("nan"), "5"])
def test_a_budget_is_a_number(lab: lk.Lab, echo: Echo, budget: Any) -> None:
    """A budget that is negative or no number is refused before anything is asked."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS[:1])
    with pytest.raises(lk.errors.DefinitionError, match="budget_usd"):
        plan.run(budget_usd=budget)
    assert lab.runs().empty
