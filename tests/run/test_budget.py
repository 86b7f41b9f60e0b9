"""A run under a budget: what it asks, what it leaves, and how it goes on."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import AuthenticationFailed
from labkit.records import Request
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
    assert "lack money costs at most USD" in run.left
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


def test_a_model_without_a_price_needs_leave(lab: lk.Lab, echo: Echo) -> None:
    """Under a budget a model whose price is not known is not asked, unless `allow_unpriced` says so."""
    unpriced = lk.Model("elsewhere/model", base_url="http://127.0.0.1:9/v1")
    plan = lab.plan(prompts=["Say {{ n }}"], models=[unpriced], dataset=ROWS[:1])
    row = plan.run(budget_usd=1).generations().iloc[0]
    assert (row["status"], row["error_type"]) == ("stopped", "CostUnknown")
    assert "at least" in str(plan)


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
