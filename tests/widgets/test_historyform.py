"""The form of the history, driven without a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.widgets.history import History


@pytest.fixture
def history(here: Path, echo: Callable[..., Any]) -> History:
    """The history of a lab with two runs."""
    lab = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])
    for model in ("one", "two"):
        lab.plan(prompts=["Say hi"], models=[f"scripted/{model}"], experiment=model).run()
    return History(lab)


def press(history: History, words: str) -> str:
    """Press a button of the form; returns what the status line says."""
    row = next(box for box in history.form.widget.children if words in names(box))
    next(one for one in row.children if getattr(one, "description", "") == words).click()
    said: str = history.form._status.widget.value
    return said


def names(box: Any) -> list[str]:
    """What the children of a box are called."""
    return [getattr(child, "description", "") for child in getattr(box, "children", ())]


def test_open_compare_and_code(history: History) -> None:
    """Open shows a run's results, Compare two what is to be compared, Show code the Python."""
    first, second = (choice.value for choice in history.choices)
    history.choose([first])
    assert first in press(history, "Open")
    assert "Say hi" in history.form._results._answers.value
    history.choose([first, second])
    assert "two runs, 1 sample in common" in press(history, "Compare two")
    told, side_by_side, _ = history.form._place.children
    assert "run.score(lk.exact())" in told.value
    assert f"<b>A</b>: {history.choices[1].name}, run {second}" in told.value
    assert "Say hi" in side_by_side.value
    assert "nan" not in told.value + side_by_side.value
    press(history, "Show code")
    assert f"lab.run(&#x27;{first}&#x27;)" in history.form._code.value


def test_runs_without_a_common_sample_say_so(here: Path, echo: Callable[..., Any]) -> None:
    """Where nothing can be compared, that is said and no empty table is drawn."""
    lab = lk.Lab(here / "lab.duckdb", models=[echo("one")])
    for word in ("hi", "ho"):
        lab.plan(
            prompts=["Say {{ word }}"], models=["scripted/one"], dataset=[{"word": word, "target": word}],
            scorers=[lk.contains()],
        ).run(progress="none")  # fmt: skip
    history = History(lab)
    history.choose([choice.value for choice in history.choices])
    assert "0 samples in common" in press(history, "Compare two")
    told, side_by_side, _ = history.form._place.children
    assert "no sample in common" in told.value
    assert side_by_side.value == ""


def test_run_again(history: History) -> None:
    """Run again starts the plan anew and lists the new run when it is over."""
    history.choose([history.choices[0].value])
    press(history, "Run again")
    for thread in [t for t in threading.enumerate() if t.name in ("labkit-await", "labkit-results")]:
        thread.join(30)
    assert len(history.choices) == 3


def test_what_cannot_be_done_is_said(history: History) -> None:
    """Pressing without ticking says what to tick."""
    assert "Tick one" in press(history, "Open")
    assert "Tick two" in press(history, "Compare two")


def test_since(history: History) -> None:
    """The day narrows the list."""
    history.form._since.value = date(2999, 1, 1)
    assert history.choices == ()
