"""labkit.stats.skewness: Student's t for skewed values."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.skewness import corrected, corrected_limits, sample_skewness

NUMBERS = st.floats(-30, 30)
SKEWS = st.floats(-8, 8)
COUNTS = st.integers(3, 1000)


def test_the_skewness_is_scipys_adjusted_one():
    """Column by column it is G1."""
    values = np.random.default_rng(0).lognormal(size=(30, 4))
    assert sample_skewness(values) == pytest.approx(scipy.stats.skew(values, bias=False))


def test_no_scatter_and_two_values_have_no_skewness():
    """What cannot be skewed is 0."""
    assert sample_skewness([1.0, 5.0]) == 0
    assert sample_skewness([2.0, 2.0, 2.0]) == 0


@given(NUMBERS, SKEWS, COUNTS, st.floats(0.01, 20), st.floats(1, 15))
def test_zero_is_outside_exactly_where_the_statistic_is_beyond_the_quantile(
    mean, skewness, n, error, critical
):
    """Interval and test decide alike."""
    low, high = corrected_limits(mean, error, skewness, n, critical)
    statistic = corrected(mean / error, skewness, n)
    if abs(abs(statistic) - critical) > 1e-6:
        assert (low > 0 or high < 0) == (abs(statistic) > critical)


@given(NUMBERS, SKEWS, COUNTS, st.floats(0, 20), st.floats(1, 15))
def test_students_interval_is_never_shortened(mean, skewness, n, error, critical):
    """The interval holds Student's, and turned around it is its mirror image."""
    low, high = corrected_limits(mean, error, skewness, n, critical)
    assert low <= mean - critical * error
    assert high >= mean + critical * error
    there = corrected_limits(-mean, error, -skewness, n, critical)
    assert (-float(there[1]), -float(there[0])) == pytest.approx((float(low), float(high)))


@given(NUMBERS, COUNTS, st.floats(0, 20))
def test_without_skewness_it_is_students(mean, n, error):
    """Nothing is added to what is symmetric."""
    low, high = corrected_limits(mean, error, 0.0, n, 2.0)
    assert (float(low), float(high)) == (mean - 2 * error, mean + 2 * error)


def test_the_long_side_is_where_the_values_are_skewed_to():
    """A long upper tail is seldom seen in few values, so the truth may lie further up."""
    low, high = corrected_limits([5.0, 5.0], [1.0, 1.0], [1.5, -1.5], [25, 25], [2.0, 2.0])
    assert high[0] - 5 > 5 - low[0]
    assert 5 - low[1] > high[1] - 5


def test_limits_are_halls_cubic_inverted():
    """The transformed statistic of the true mean, at the end that was moved, is the quantile."""
    skewness, n, critical = 1.5, 25, 2.0
    _, high = corrected_limits(0.0, 1.0, skewness, n, critical)
    t, a, b = -float(high), skewness / (3 * 5), skewness / (6 * 5)
    assert t + a * t**2 + a**2 * t**3 / 3 + b == pytest.approx(-critical)


def test_means_of_skewed_values_are_covered():
    """Lognormal values of sigma 1, n = 50: Student's covers less than .92, this at least .93."""
    rng, n, studies = np.random.default_rng(1), 50, 4000
    values = rng.lognormal(size=(n, studies))
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(n)
    critical = scipy.stats.t.ppf(0.975, n - 1)
    truth = np.exp(0.5)
    low, high = corrected_limits(mean, error, sample_skewness(values), n, critical)
    assert np.mean(np.abs(mean - truth) <= critical * error) < 0.92
    assert np.mean((low <= truth) & (truth <= high)) >= 0.93
