"""labkit.store.unknown_values: a filter value that nothing has is told with the nearest there is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError

Echo = Callable[..., Any]


@pytest.fixture
def filled(lab: lk.Lab, echo: Echo) -> lk.Lab:
    """A lab with one run of two models and one prompt."""
    models = [echo("small"), echo("large")]
    prompt = lk.Prompt("triage", "Say {{ n }}")
    lab.plan(prompts=[prompt], models=models, dataset=[{"n": 1}], experiment="tone").run()
    return lab


def told(read: Callable[[], Any]) -> list[str]:
    """What is warned of while something is read; where it points to is this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read()
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        (
            {"model": "scriptd/small"},
            "model 'scriptd/small'; the nearest: 'scripted/small', 'scripted/large'.",
        ),
        ({"model": "SCRIPTED/SMALL"}, "the nearest: 'scripted/small'"),
        ({"prompt": "traige"}, "No generation in this lab has prompt 'traige'; the nearest: 'triage'."),
        ({"experiment": "tune"}, "has experiment 'tune'; the nearest: 'tone'."),
        ({"workspace": "defualt"}, "has workspace 'defualt'; the nearest: 'default'."),
        ({"status": "finished"}, "has status 'finished'; the nearest: "),
        ({"run": "2026"}, "This lab has no run '2026'; the nearest: '2"),
        ({"model": ["scripted/small", "x"]}, "has model 'x'"),
        ({"model": "'); drop table log.runs; --"}, "the nearest: 'scripted/"),
    ],
)
def test_a_value_that_nothing_has_is_told_with_the_nearest(filled: lk.Lab, filters: Any, hint: str) -> None:
    """The rows are as they are without it, and one warning, at the line that asked, names what there is."""
    (warning,) = told(lambda: filled.generations(**filters))
    assert hint in warning
    assert told(lambda: filled.store.generations(**filters)) == []


def test_each_such_value_is_told(filled: lk.Lab) -> None:
    """Several of one filter, and of several filters, and each once."""
    found = told(lambda: filled.generations(model=["a", "b", "a"], prompt="c", workspace="default"))
    assert [warning.partition(";")[0][-3:] for warning in found] == ["'a'", "'b'", "'c'"]


def test_what_is_there_is_never_told(filled: lk.Lab) -> None:
    """Not where other filters leave nothing of it, nor a state that no row is in now."""
    assert told(lambda: filled.generations(model="scripted/small", until="2001-01-01")) == []
    assert told(lambda: filled.generations(status="failed", model=["scripted/small", "scripted/large"])) == []
    assert told(lambda: filled.runs(status="running", experiment="tone")) == []
    assert told(lambda: filled.generations(limit=0)) == []


def test_an_empty_lab_has_nothing_near(lab: lk.Lab) -> None:
    """A script that reads before anything was asked is not warned."""
    assert told(lambda: lab.generations(model="scripted/small")) == []
    assert told(lambda: lab.runs(workspace="x")) == []


def test_runs_attempts_and_prices_are_told_of_too(filled: lk.Lab) -> None:
    """Each reading of the lab by names tells of those it has not."""
    runs = told(lambda: filled.runs(workspace="x", status="done"))
    assert [warning.partition(" '")[0] for warning in runs] == [
        "No run in this lab has workspace",
        "No run in this lab has status",
    ]
    assert told(lambda: filled.attempts(run="x"))[0].startswith("This lab has no run 'x'")
    assert told(lambda: filled.reprice(model="x"))[0].startswith("No generation in this lab has model 'x'")


def test_a_run_that_is_not_there_is_refused_with_the_likest(filled: lk.Lab) -> None:
    """One run is a thing, not a filter: there is none to give."""
    (run_id,) = filled.runs()["run_id"]
    with pytest.raises(DefinitionError, match=f"no run 'x'; its runs, the likest first: '{run_id}'"):
        filled.run("x")
