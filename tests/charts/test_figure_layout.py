"""labkit.charts.figure_layout: axes that turn logarithmic, and a place for 0."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.charts.figure_layout import counted, is_log, scale


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1, 2, 19], False),
        ([1, 21], True),
        ([0, 1, 21], True),
        ([0, 0], False),
        ([], False),
        ([-1, 100], False),
        ([math.nan, 1, 30], True),
    ],
)
def test_an_axis_is_logarithmic_from_20_times_on(values, log):
    """A range above 20× makes a logarithmic axis; zeros do not decide it."""
    assert is_log(values) is log


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=40))
def test_every_value_lies_within_the_axis(values):
    """No value falls off the axis, and zeros stand apart below all others."""
    found = scale(values)
    low, high = found.span
    assert all(low <= found.place(value) <= high for value in values)
    if found.log:
        positive = [value for value in values if value > 0]
        assert all(found.place(0.0) < value for value in positive)
        assert found.axis("cost (USD)")["type"] == "log"


def test_zeros_have_a_tick_of_their_own():
    """On a logarithmic axis the zero_at of zeros is labelled 0."""
    found = scale([0.0, 0.01, 10.0]).axis("cost (USD)")
    assert found["ticktext"][0] == "0"
    assert "log scale" in found["title"]["text"]


def test_error_bars_stay_within_a_logarithmic_axis():
    """A lower limit of 0 or below reaches to the axis' end, not to minus infinity."""
    found = scale([0.01, 10.0], ends=[-3.0, 12.0])
    reach = found.below(0.01, -3.0)
    assert 0 < reach < 0.01
    assert found.below(0.0, 0.0) == 0.0


def test_counts_have_their_noun():
    """One is singular, the rest plural, with separators."""
    assert (counted(1, "answer"), counted(0, "answer"), counted(1234, "row")) == (
        "1 answer",
        "0 answers",
        "1,234 rows",
    )
