"""labkit.charts.money: cost against latency, tokens and cost."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.charts.money import cost_latency, tokens_cost
from labkit.stats import mean_interval, quantile_interval


def test_marks_and_bars_are_those_of_stats(rows):
    """A mark is the mean cost and median latency, its bars their intervals."""
    frame = rows(models=["openai/b"], samples=30)
    frame["cost_usd"] = np.linspace(0.001, 0.002, 30)
    (trace,) = cost_latency(frame).data
    cost = mean_interval(frame["cost_usd"] * 1000)
    seconds = quantile_interval(frame["latency_s"], 0.5)
    assert (trace.x[0], trace.y[0]) == pytest.approx((cost.estimate, seconds.estimate))
    assert trace.error_x.array[0] == pytest.approx(cost.high - cost.estimate)
    assert trace.error_y.arrayminus[0] == pytest.approx(seconds.estimate - seconds.low)


def test_unknown_cost_is_named_and_not_drawn_at_0(rows):
    """A model without a known price is said under the title, not placed at nothing."""
    frame = rows(models=["openai/b", "openai/c"])
    frame.loc[frame["model"] == "openai/c", "cost_usd"] = None
    found = cost_latency(frame)
    assert [trace.name for trace in found.data] == ["openai/b"]
    assert "cost or clock not known: openai/c" in found.layout.title.subtitle.text
    assert "not known" in [note.text for note in tokens_cost(frame).layout.annotations]


def test_free_models_stand_in_their_lane(rows):
    """Beside costs that span decades, a cost of 0 gets a tick of its own left of them."""
    frame = rows(models=["local/a", "openai/b", "openai/c"])
    frame["cost_usd"] = frame["model"].map({"local/a": 0.0, "openai/b": 1e-5, "openai/c": 1e-2})
    found = cost_latency(frame)
    free = next(trace for trace in found.data if trace.name == "local/a")
    assert found.layout.xaxis.type == "log"
    assert 0 < free.x[0] < 0.01
    assert found.layout.xaxis.ticktext[0] == "0"


def test_where_all_is_free_latency_alone_is_drawn(rows):
    """Nothing costs anything: no line of marks at 0, but a row each, fastest on top."""
    frame = rows(models=["local/a", "local/b"])
    frame["latency_s"] = np.where(frame["model"] == "local/a", 1.0, 2.0)
    found = cost_latency(frame)
    assert "2 models, all free" in found.layout.title.text
    assert list(found.layout.yaxis.ticktext) == ["local/b", "local/a"]
    assert [trace.x[0] for trace in found.data] == [2, 1]


def test_tokens_have_a_row_per_model_dearest_on_top(rows):
    """Input is hollow, output filled, and models are sorted by cost."""
    frame = rows(models=["openai/b", "openai/c"])
    frame.loc[frame["model"] == "openai/b", "cost_usd"] = 0.005
    found = tokens_cost(frame)
    assert list(found.layout.yaxis.ticktext) == ["openai/c", "openai/b"]
    assert {trace.marker.symbol for trace in found.data if trace.mode == "markers"} == {
        "circle",
        "circle-open",
        "square",
        "square-open",
    }
