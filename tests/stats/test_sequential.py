"""labkit.stats.sequential: intervals that may be watched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.stats.intervals import wilson
from labkit.stats.sequential import sequential_interval


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.98])
def test_it_never_loses_the_truth_more_often_than_it_says(rate):
    """In 300 studies the truth leaves the intervals, at any moment, in at most 5 % (and some chance)."""
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(300):
        found = sequential_interval((rng.random(120) < rate) * 1.0)
        lost += not found.low <= rate <= found.high
    assert lost / 300 <= 0.07


def test_watching_an_ordinary_interval_loses_it_far_more_often():
    """The reason for it: an ordinary interval, watched, is wrong several times as often."""
    rng = np.random.default_rng(1)
    lost = 0
    for _ in range(200):
        hits = np.cumsum(rng.random(200) < 0.5)
        lost += any(wilson(hits[n - 1], n).excludes(0.5) for n in range(10, 201, 5))
    assert lost / 200 > 0.15


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=60))
def test_it_only_ever_narrows(values):
    """More samples never widen it, and it stays within the bounds."""
    before, after = sequential_interval(values[:-1]), sequential_interval(values)
    step = 2 / 2000
    assert after.low >= before.low - step
    assert after.high <= before.high + step
    assert 0 <= after.low <= after.high <= 1


def test_other_bounds_are_a_change_of_scale():
    """Differences from −1 to 1 give the same interval, stretched."""
    rng = np.random.default_rng(2)
    values = rng.random(80)
    plain, wide = sequential_interval(values), sequential_interval(2 * values - 1, low=-1, high=1)
    assert (wide.low, wide.high) == pytest.approx((2 * plain.low - 1, 2 * plain.high - 1))


def test_it_is_not_hopelessly_wide():
    """After 500 samples it is less than twice as wide as Wilson's."""
    values = (np.random.default_rng(3).random(500) < 0.7) * 1.0
    assert sequential_interval(values).width < 2 * wilson(values.sum(), 500).width


def test_nothing_and_nonsense():
    """No value gives NaN, one beyond the bounds is refused."""
    assert math.isnan(sequential_interval([]).low)
    assert sequential_interval([1.0]).n == 1
    with pytest.raises(ValueError, match="outside 0 to 1"):
        sequential_interval([2.0])
