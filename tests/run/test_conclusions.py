"""labkit.run.conclusions: what a run concludes, on a run of scripted models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError

ROWS = [{"text": f"q{i}", "target": "yes" if i % 5 else "no"} for i in range(40)]


@pytest.fixture
def run(lab: Any) -> Any:
    """Two models, one always right and one never."""
    always = lk.Model(
        "scripted/always",
        client=lk.Script(lambda r: "yes", version="1"),
        prices={"input": 1.0, "output": 3.0},
    )
    never = lk.Model("scripted/never", client=lk.Script(lambda r: "perhaps", version="1"))
    plan = lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}")],
        models=[always, never],
        dataset=ROWS,
        scorers=[lk.contains("target")],
    )
    return plan.run()


def test_a_run_gives_its_verdict_and_deciding_rows(run: Any) -> None:
    """The verdict is that of labkit.verdict over the run's rows; the rows that decide are those apart."""
    found = run.verdict("contains")
    assert found.headline == "scripted/always is the better model, over 40 samples."
    assert found.frame()["decided"].all()
    assert not found.watched
    assert run.differences().counts["disagreement"] == 32


def test_prices_are_those_listed_when_it_was_made(run: Any) -> None:
    """USD per million tokens, by model and token class."""
    assert run.prices()["scripted/always"] == {"input": 1.0, "output": 3.0}


def test_the_design_is_rebuilt_from_the_lab(run: Any, lab: Any) -> None:
    """Its cells without answers, and from them the plan's id as it was stored."""
    design = run.design()
    assert len(design) == 80
    assert "text" not in design.columns
    assert run.plan_id() == lab.runs()["plan_id"].item()


def test_two_runs_are_compared(run: Any, lab: Any) -> None:
    """By id or as themselves; a replayed run teaches nothing new, and says so."""
    found = lab.compare(run, run.run_id)
    assert all("is a replay of " in said for said in found.sentences)


def test_a_run_that_does_not_know_its_plan_says_where_to_get_it(run: Any) -> None:
    """A bare handle cannot grow, and names the lab's way."""
    from labkit.run import Run

    bare = Run.find(run.run_id, run._services)
    with pytest.raises(DefinitionError, match=r"lab\.run\("):
        bare.more(rows=1)


def test_nothing_scored_is_told(lab: Any, echo: Callable[..., Any]) -> None:
    """A verdict without a score says what to do."""
    run = lab.plan(prompts=["{{ text }}"], models=[echo()], dataset=ROWS[:2]).run()
    with pytest.raises(DefinitionError, match=r"run\.score"):
        run.verdict()
