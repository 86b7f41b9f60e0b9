"""labkit.charts.cost_breakdown and throughput: what a cost is made of, and how fast models write."""

from __future__ import annotations

import numpy as np
import pytest

from labkit import charts

PRICES = {"openai/b": {"input": 1.0, "cache_read": 0.1, "output": 4.0}}


def _bars(found):
    return {trace.name: list(trace.x) for trace in found.data}


def test_classes_add_up_to_the_cost(rows):
    """Fresh and cached input, visible output and reasoning times their prices: together the cost."""
    frame = rows(["openai/b"], cache_read_tokens=40, reasoning_tokens=5)
    cost = (60 * 1.0 + 40 * 0.1 + 20 * 4.0) / 1e6
    bars = _bars(charts.cost_parts(frame.assign(cost_usd=cost), prices=PRICES))
    assert bars["fresh input"] == [pytest.approx(0.06)]
    assert bars["read from cache"] == [pytest.approx(0.004)]
    assert bars["visible output"] == [pytest.approx(0.06)]
    assert bars["reasoning"] == [pytest.approx(0.02)]
    assert sum(value[0] for value in bars.values()) == pytest.approx(cost * 1000)


def test_what_prices_do_not_explain_is_drawn_as_such(rows):
    """Without listed prices all of the cost is unexplained; an unknown cost is named."""
    bars = _bars(charts.cost_parts(rows(["openai/b"])))
    assert bars == {"not explained by listed prices": [pytest.approx(1.0)]}
    frame = rows(["openai/a", "openai/b"])
    frame.loc[frame["model"] == "openai/a", "cost_usd"] = None
    assert "cost not known: openai/a" in charts.cost_parts(frame).layout.title.subtitle.text


def test_a_run_gives_its_own_prices(rows):
    """What has `prices()` needs none given."""

    class Run:
        def generations(self, *, columns=None):
            return rows(["openai/b"])

        def prices(self):
            return PRICES

    assert "fresh input" in _bars(charts.cost_parts(Run()))


def test_speed_is_all_tokens_by_all_seconds(rows):
    """The mark is Σ tokens ÷ Σ seconds of fresh answers, as in the summary."""
    frame = rows(["openai/b"], samples=30)
    (trace,) = charts.speed(frame).data
    assert trace.x[0] == pytest.approx(frame["output_tokens"].sum() / frame["latency_s"].sum())
    assert np.isfinite(trace.error_x.array).all()
