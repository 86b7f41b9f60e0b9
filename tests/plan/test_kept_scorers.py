"""The scorers of an earlier run: every launch's that can be had, and the names of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import labkit as lk
from labkit.errors import DefinitionError

Echo = Callable[..., Any]


def short(generation: lk.Generation, sample: lk.Sample) -> bool:
    """A scorer of one's own."""
    return len(generation.text) < 80


@pytest.fixture
def open_lab(here: Path, echo: Echo) -> Callable[[], lk.Lab]:
    """Opens the same lab as another notebook would; its model costs a tenth of a cent a word."""
    dear = echo("dear", answers=lambda request: "ok " * 10).replace(prices={"input": 1e3, "output": 1e3})
    return lambda: lk.Lab(here / "lab.duckdb", models=[dear])


def begun(lab: lk.Lab, scorers: list[Any]) -> lk.Run:
    """A run that its budget stopped."""
    rows = [{"n": str(number), "target": "ok"} for number in range(10)]
    plan = lab.plan(
        prompts=["Say {{ n }}"],
        models=["scripted/dear"],
        dataset=rows,
        scorers=scorers,
        params={"max_tokens": 10},
    )
    run = plan.run(budget_usd=0.13, progress="none")
    assert run.status == "stopped"
    return run


def test_a_launch_that_is_to_be_scored_later_loses_no_scorer(open_lab: Callable[[], lk.Lab]) -> None:
    """`resume(scorers=[])` leaves the run's scorers known, here and in another notebook, whose resume scores
    what it asks."""
    lab = open_lab()
    run = begun(lab, [lk.contains(), short]).resume(budget_usd=0.15, scorers=[], progress="none")
    assert [scorer.name for scorer in lab.again(run.run_id).scorers] == ["contains", "short"]
    other = open_lab()
    assert [scorer.name for scorer in other.again(run.run_id).scorers] == ["contains"]
    with pytest.raises(DefinitionError, match="was scored by 'short',"):
        other.run(run.run_id).resume(budget_usd=10, progress="none")


def test_the_later_of_two_scorers_of_one_name_is_the_runs(open_lab: Callable[[], lk.Lab]) -> None:
    """A launch may give a name to another scorer."""
    run = begun(open_lab(), [lk.contains(name="found")])
    open_lab().run(run.run_id).resume(budget_usd=0.15, scorers=[lk.exact(name="found")], progress="none")
    (scorer,) = open_lab().again(run.run_id).scorers
    assert scorer.recipe == lk.exact(name="found").recipe


def test_of_a_scorer_that_came_later_only_the_name_is_kept(open_lab: Callable[[], lk.Lab]) -> None:
    """Recipes are a launch's: what `run.score` scored with is to be given again, and so it is said."""
    run = begun(open_lab(), [])
    open_lab().run(run.run_id).score(lk.contains())
    told = "was scored by 'contains', of which only the name is kept. Give all its scorers again: "
    with pytest.raises(DefinitionError, match=told):
        open_lab().run(run.run_id).resume(budget_usd=10, progress="none")


def test_a_row_that_is_no_recipe_is_none(open_lab: Callable[[], lk.Lab], here: Path) -> None:
    """A lab may come from anybody: what names no scorer is passed over."""
    run = begun(open_lab(), [lk.contains()])
    open_lab().store.settle()
    for scorers in (["contains", 5, {}, {"make": "exact"}, {"name": None}], "contains", {"name": "x"}):
        with duckdb.connect(str(here / "lab.duckdb")) as rows:
            rows.execute(
                "insert into log.run_events by name select * replace (written_at + interval 1 minute as"
                " written_at, $detail::json as detail) from log.run_events where event = 'started'",
                {"detail": json.dumps({"scorers": scorers})},
            )
        assert [scorer.name for scorer in open_lab().again(run.run_id).scorers] == ["contains"]
