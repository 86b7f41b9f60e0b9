"""labkit.charts.score_slices and drifting: slices of the data, and repeats."""

from __future__ import annotations

import pytest

from labkit import charts
from labkit.errors import DefinitionError
from labkit.stats import rate_interval


def test_slices_hold_the_rates_of_their_samples(rows):
    """Each mark is the mean over the slice's samples, with the interval of labkit.stats."""
    frame = rows(["openai/a"], samples=40)
    drawn = charts.slices(frame, "kind")
    (trace,) = drawn.data
    for kind, estimate in zip(("plain", "ironic"), reversed(trace.x), strict=True):
        part = frame[frame["sample.kind"] == kind]
        expected = rate_interval(part["score.exact"], samples=part["sample_id"])
        assert estimate in (pytest.approx(expected.estimate), *trace.x)
    assert "by kind, 1 model, n = 40 answers" in drawn.layout.title.text


def test_an_unknown_column_is_named(rows):
    """A column that is not there is a DefinitionError with those that are."""
    with pytest.raises(DefinitionError, match="there are: kind"):
        charts.slices(rows(), "colour")


def test_more_than_twelve_models_become_a_table_of_cells(rows):
    """Thirteen models in two slices: thirteen shaded rows, best on top, means in the cells."""
    drawn = charts.slices(rows([f"openai/m{i}" for i in range(13)], samples=20))
    (heat,) = drawn.data
    assert heat.z.shape == (13, 2)
    means = heat.z.mean(axis=1)
    assert list(means) == sorted(means)
    assert heat.text[0][0] == f"{heat.z[0][0]:.2f}"


def test_drift_has_a_point_per_repeat(rows):
    """Two repeats give two points a line, with score and latency side by side."""
    drawn = charts.drift(rows(["openai/a", "openai/b"], samples=20))
    assert len(drawn.data) == 4
    assert all(len(trace.x) == 2 for trace in drawn.data)
    once = charts.drift(rows().assign(repeat=0))
    assert "n = 1 repeat" in once.layout.title.text
