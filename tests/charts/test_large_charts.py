"""labkit.charts: what holds for every chart of very many models or answers."""

from __future__ import annotations

import pandas as pd
import plotly.io
import pytest

from labkit import charts
from tests.charts.test_charts import PER_MODEL, _texts, every_chart


@pytest.mark.parametrize("chart", PER_MODEL, ids=lambda chart: chart.__name__)
@pytest.mark.parametrize("number", [1, 2, 12, 16, 17, 40, 60])
def test_n_and_units_are_told(chart, rows, number):
    """The title says n, the axes have units, and no label is lost, with one model or sixty."""
    found = chart(rows([f"openai/m{i}" for i in range(number)], prompts=["p", "q"]))
    called = f"{number} model" if chart is charts.scores else f"{2 * number} combinations,"
    assert f"of {called}" in found.layout.title.text
    assert f"n = {number * 24:,} answers" in found.layout.title.text
    across = found.layout.xaxis.title.text
    assert any(unit in across for unit in ("(s", "(USD", "tokens", "mean over samples"))
    drawn = _texts(found)
    assert all(f'm{i}"' in drawn or f"m{i}<" in drawn or f"m{i}," in drawn for i in range(number))


@every_chart
@pytest.mark.parametrize("number", [2, 12, 13, 40])
def test_the_title_says_n_and_no_model_is_lost(chart, rows, number):
    """With two models or forty, n stands in the title and each model's name in the figure."""
    found = chart(rows([f"openai/m{i}" for i in range(number)]))
    assert f"n = {number * 12:,} answers" in found.layout.title.text
    drawn = _texts(found)
    assert all(
        f'm{i}"' in drawn or f"m{i}<" in drawn or f"m{i}," in drawn or f"m{i} (" in drawn
        for i in range(number)
    )


@every_chart
def test_many_rows_are_drawn_as_aggregates(chart, rows):
    """A hundred thousand rows weigh no more than 300 kB."""
    small = rows([f"openai/m{i}" for i in range(4)])
    large = pd.concat([small] * 2100, ignore_index=True)
    large["latency_s"] += large.index / len(large)
    large["ttft_s"] = large["latency_s"] / 3
    assert len(large) > 100_000
    assert len(plotly.io.to_html(chart(large), include_plotlyjs=False)) < 300_000
