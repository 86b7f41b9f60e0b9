"""The plan of an earlier run, from what the lab kept of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labkit as lk
from labkit.errors import DefinitionError

SAMPLES = [{"id": name, "word": name.upper()} for name in ("z", "a", "m")]


@pytest.fixture
def lab(here: Path, echo: Callable[..., Any]) -> Any:
    """A lab of two models, one with params of its own."""
    return lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two").replace(params={"seed": 7})])


def plan(lab: Any, **given: Any) -> Any:
    """Two prompts, written down in no particular order, on two models."""
    prompts = [lk.Prompt("tell", "Tell {{ word }}", system="Be kind."), lk.Prompt("say", "Say {{ word }}")]
    models = ["scripted/two", "scripted/one"]
    return lab.plan(prompts=prompts, models=models, dataset=SAMPLES, experiment="twice", **given)


@pytest.mark.parametrize(
    "cut",
    [lambda one: one, lambda one: one.head(2), lambda one: one.select(np.arange(len(one)) % 3 == 0)],
    ids=["whole", "head", "some cells"],
)
def test_the_same_plan(lab: Any, cut: Callable[[Any], Any]) -> None:
    """Whole or cut, with repeats and params, the plan that comes back is the one that was run."""
    first = cut(plan(lab, repeats=2, params={"max_tokens": 9}))
    first.run()
    again = lab.again("latest")
    assert again.plan_id == first.plan_id
    assert again.frame()["known"].all()


def test_a_later_version_changes_nothing(lab: Any) -> None:
    """The prompt comes back in the version that was asked, whatever was saved since."""
    first = plan(lab)
    run = first.run()
    lab.prompts.save(lk.Prompt("say", "Whisper {{ word }}"))
    assert lab.again(run.run_id).plan_id == first.plan_id


def test_it_resumes_what_was_stopped(lab: Any, here: Path, echo: Callable[..., Any]) -> None:
    """Running the plan of a stopped run continues that run."""
    slow = lk.Lab(here / "slow.duckdb", models=[echo("one", delay_s=0.2).replace(concurrency=1), echo("two")])
    run = plan(slow).start()
    run.stop()
    run.wait()
    resumed = slow.again(run.run_id).run()
    assert resumed.run_id == run.run_id
    assert set(resumed.generations()["status"]) == {"done"}


def test_what_cannot_be_told_is_said(lab: Any, here: Path) -> None:
    """A run that is not there, and one whose models the lab does not list, are refused with what to do."""
    with pytest.raises(DefinitionError, match="no run"):
        lab.again("20200101-000000-abcdef")
    run = plan(lab).run()
    with pytest.raises(DefinitionError, match=r"lk\.Lab\(\.\.\., models="):
        lk.Lab(here / "lab.duckdb").again(run.run_id)


def test_params_under_any_name_come_back(here: Path, echo: Callable[..., Any]) -> None:
    """What was sent on purpose in extra_body is sent again, and is none misspelt now."""
    model = lk.Model("scripted/one", client=lk.Script(lambda request: "yes", version="1"))
    with_own = lk.Lab(here / "own.duckdb", models=[model])
    params = {"seed": 1, "extra_body": {"temprature": 3}}
    run = with_own.plan(prompts=["Say {{ w }}"], models=[model], dataset=[{"w": "a"}], params=params).run()
    plan = with_own.again(run.run_id)
    assert plan.frame()["known"].all()
    assert dict(plan.design.params[0]) == {"seed": 1, "temprature": 3}
    assert plan.design.notes == ()
