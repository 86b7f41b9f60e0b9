"""labkit.stats.quantiles: quantiles with intervals that assume no distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.quantiles import order_ranks, quantile_interval


@given(st.integers(1, 400), st.sampled_from([0.05, 0.25, 0.5, 0.9, 0.95]), st.sampled_from([0.8, 0.95]))
def test_ranks_cover_the_quantile_at_least_at_the_level(n, q, level):
    """The chance that the true quantile lies between the two order statistics is at least the level."""
    low, high = order_ranks(n, q, level)
    assert 0 <= low < high <= n + 1
    below = scipy.stats.binom.cdf([low - 1, high - 1], n, q)
    assert (below[1] if high <= n else 1) - (below[0] if low else 0) >= level - 1e-9


@pytest.mark.parametrize(("n", "q"), [(50, 0.5), (100, 0.95), (200, 0.5), (1000, 0.95)])
def test_ranks_waste_little(n, q):
    """With enough rows the coverage is within 2 points of 95 %, and both tails are small."""
    low, high = order_ranks(n, q, 0.95)
    below = scipy.stats.binom.cdf([low - 1, high - 1], n, q)
    assert 0.95 <= below[1] - below[0] <= 0.97
    assert max(below[0], 1 - below[1]) < 0.04


def test_scipy_finds_the_same_median_interval():
    """For a median of 21 values the limits are those of scipy's quantile test."""
    values = np.random.default_rng(0).lognormal(size=21)
    theirs = scipy.stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    found = quantile_interval(values, 0.5)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_what_the_data_cannot_bound_is_infinite():
    """Twenty rows cannot say how long the slowest 5 % take at most."""
    found = quantile_interval(range(20), 0.95)
    assert found.high == math.inf
    assert found.low <= found.estimate


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.sampled_from([0.1, 0.5, 0.95]))
def test_the_estimate_is_numpys_and_the_interval_contains_it(values, q):
    """The estimate is numpy's quantile, and no limit passes it."""
    found = quantile_interval(values, q)
    assert found.estimate == np.quantile(values, q)
    assert found.low <= found.estimate <= found.high


@given(st.lists(st.floats(0.01, 1e3), min_size=6, max_size=60))
def test_stretching_the_values_stretches_the_interval(values):
    """Order statistics keep their place under a growing function."""
    one, two = quantile_interval(values, 0.5), quantile_interval(np.log(values), 0.5)
    for plain, logged in ((one.low, two.low), (one.high, two.high)):
        assert logged == pytest.approx(math.log(plain) if 0 < plain < math.inf else plain)


def test_repeats_count_as_little_as_their_samples_allow():
    """A row copied five times gives a wider interval than five rows, and n counts samples."""
    values = np.random.default_rng(0).lognormal(size=40)
    copied = quantile_interval(np.repeat(values, 5), 0.5, samples=np.repeat(np.arange(40), 5))
    assert copied.n == 40
    assert copied.width >= 0.8 * quantile_interval(values, 0.5).width
    assert copied.width > quantile_interval(np.repeat(values, 5), 0.5).width


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_nothing_gives_nan(values):
    """Without a row there is no quantile."""
    assert math.isnan(quantile_interval(values, 0.5).estimate)


def test_one_sample_with_repeats_is_unbounded():
    """Repeats of a single sample say nothing about other samples."""
    found = quantile_interval([1.0, 2.0, 3.0], 0.5, samples=["a"] * 3)
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("q", [0, 1, 50, math.nan])
def test_a_quantile_that_is_none_is_refused(q):
    """A quantile is a share between 0 and 1."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_interval([1, 2], q)


@pytest.mark.parametrize("likeness", [0, 0.5, 0.9])
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_latencies_with_repeats_keep_their_level(likeness, q):
    """In 300 studies of lognormal latencies, at most 10 % of the intervals miss the true quantile."""
    rng = np.random.default_rng(round(10 * likeness))
    truth = math.exp(scipy.stats.norm.ppf(q))
    which = np.repeat(np.arange(100), 5)
    covered = 0
    for _ in range(300):
        shared = rng.normal(size=(100, 1)) * math.sqrt(likeness)
        own = rng.normal(size=(100, 5)) * math.sqrt(1 - likeness)
        found = quantile_interval(np.exp(shared + own).ravel(), q, samples=which)
        covered += found.low <= truth <= found.high
    assert covered / 300 >= 0.90
