"""What a run came to, in tabs, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.widgets.forms import Status
from labkit.widgets.results import BY, CHARTS, ROWS, Results

ANSWERS, SUMMARY, CHART, TABLE = range(4)


@pytest.fixture
def run(here: Path, echo: Callable[..., Any]) -> Any:
    """A finished run of two models over sixty samples."""
    lab = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two", answers=["other"])])
    words = [{"word": f"w{n}", "target": f"w{n}"} for n in range(60)]
    plan = lab.plan(
        prompts=["Say {{ word }}"],
        models=["scripted/one", "scripted/two"],
        dataset=words,
        scorers=[lk.contains("target")],
    )
    return plan.run()


def test_each_tab(run: Any) -> None:
    """Answers with scores, summary, chart and rows are drawn when they are looked at."""
    status = Status()
    results = Results(status)
    results.show(run)
    assert "✓ right" in results._answers.value
    assert "✗ wrong" in results._answers.value
    assert results._against.value == 0
    for tab in (SUMMARY, CHART, TABLE):
        results.tabs.selected_index = tab
    assert "labkit-summary" in results._summary.value
    assert "score.contains" in results._rows.value
    assert status.widget.value == ""


def test_every_chart_is_a_small_figure(run: Any) -> None:
    """Each chart is a figure as Plotly writes it, without its program, well below a megabyte."""
    results = Results(Status())
    results.show(run)
    results.tabs.selected_index = CHART
    for kind in CHARTS:
        results._kind.value = kind
        (output,) = results._chart.outputs
        assert output["data"]["application/vnd.plotly.v1+json"]["data"]
        assert len(str(output)) < 200_000


def test_charts_tell_apart_what_is_chosen(run: Any) -> None:
    """Prompts and models as in the summary; models or prompts alone where that is chosen."""
    results = Results(Status())
    results.show(run)
    results.tabs.selected_index = CHART
    titles = []
    for by in BY.values():
        results._by.value = by
        (output,) = results._chart.outputs
        titles.append(output["data"]["application/vnd.plotly.v1+json"]["layout"]["title"]["text"])
    assert "combination" in titles[0]
    assert " model" in titles[1]
    assert " prompt" in titles[2]


def test_pages(run: Any) -> None:
    """Rows and answers have pages, and none before the first or after the last."""
    results = Results(Status())
    results.show(run)
    results.tabs.selected_index = TABLE
    assert f"rows 1–{ROWS} of 120" in results._rows.value
    before, after = results._pagers[1].widget.children
    for _ in range(5):
        after.click()
    assert "rows 101–120 of 120" in results._rows.value
    for _ in range(5):
        before.click()
    assert f"rows 1–{ROWS} of 120" in results._rows.value


def test_a_failing_chart_is_said(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a tab cannot draw is said in the status line."""

    def broken(kind: str, *, by: Any) -> Any:
        raise RuntimeError("no ink")

    monkeypatch.setattr(run, "chart", broken)
    status = Status()
    results = Results(status)
    results.show(run)
    results.tabs.selected_index = CHART
    assert "no ink" in status.widget.value


def test_unknown_charts_are_refused(run: Any) -> None:
    """A chart that does not exist is refused, with those that do."""
    with pytest.raises(lk.errors.DefinitionError, match="cost_latency"):
        run.chart("pie")
