"""labkit.charts.clocks: distributions of latency and time to first token."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.charts.clocks import latency, ttft


def test_a_curve_is_the_ecdf(rows):
    """Each value is a step, and the last one reaches 100 %."""
    frame = rows(models=["openai/b"], samples=5, latency_s=[3.0, 1.0, 2.0, 5.0, 4.0])
    *_, trace = latency(frame).data
    assert list(trace.x) == [1, 2, 3, 4, 5]
    assert list(trace.y) == pytest.approx([20, 40, 60, 80, 100])
    assert trace.line.shape == "hv"


def test_replayed_and_unfinished_rows_are_left_out_and_said(rows):
    """Only fresh, done answers are drawn; the subtitle says when and what is missing."""
    frame = rows(models=["openai/b"], samples=4)
    frame["replayed_from"] = [None, "g1", None, None]
    frame["status"] = ["done", "done", "failed", "done"]
    frame.loc[1:2, ["latency_s", "ttft_s"]] = 900.0
    found = ttft(frame)
    assert max(found.data[0].x) < 900
    assert "n = 2 answers" in found.layout.title.text
    said = found.layout.title.subtitle.text
    assert "measured 2026-11-23" in said
    assert "1 replayed left out" in said
    assert "1 not finished left out" in said
    assert "at most 4 in flight" in said


def test_many_values_become_quantiles(rows):
    """Above 400 answers of a model the curve has 401 points and the same ends."""
    values = np.random.default_rng(0).lognormal(size=5000)
    *band, trace = latency(rows(models=["openai/b"], samples=5000, latency_s=values)).data
    assert all(len(edge.x) == 121 for edge in band)
    assert len(trace.x) == 401
    assert (trace.x[0], trace.x[-1]) == (values.min(), values.max())
    assert trace.x[200] == np.median(values)


def test_many_models_become_rows_with_the_fastest_on_top(rows):
    """Above 16 models each has one row, sorted by its median."""
    models = [f"openai/m{i:02}" for i in range(20)]
    frame = rows(models=models)
    frame["latency_s"] = frame["model"].str[-2:].astype(int) + 1.0
    labels = list(latency(frame).layout.yaxis.ticktext)
    assert labels == [f"openai/m{i:02}" for i in reversed(range(20))]


def test_up_to_four_curves_have_bands_that_count_samples_once(rows):
    """The band's half-width is the DKW one with n samples, however many repeats; five models have none."""
    few = latency(rows(models=["openai/a", "openai/b"], samples=200))
    lower, upper, curve = few.data[:3]
    middle = len(lower.y) // 2
    assert (upper.y[middle] - lower.y[middle]) / 200 == pytest.approx(np.sqrt(np.log(40) / 400), abs=1e-9)
    assert upper.fill == "tonexty"
    assert curve.line.color == lower.line.color
    assert "bands: 95 %" in few.layout.title.subtitle.text
    many = latency(rows(models=[f"openai/m{i}" for i in range(5)]))
    assert len(many.data) == 5
    assert "bands" not in many.layout.title.subtitle.text
