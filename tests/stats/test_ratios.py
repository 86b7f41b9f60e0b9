"""labkit.stats.ratios: how many times dearer or slower."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from labkit.stats.ratios import SERIAL, TYPICAL, ratio_of_means, ratio_of_typical

BOTH = pytest.mark.parametrize("ratio", [ratio_of_means, ratio_of_typical])


def test_the_ratio_of_means_is_the_ratio_of_bills():
    """It is Σ ÷ Σ over common samples."""
    found = ratio_of_means([1.0, 3.0, math.nan], [2.0, 6.0, 100.0])
    assert (found.estimate, found.n) == (0.5, 2)


def test_the_typical_ratio_is_scipys_t_on_logarithms():
    """Where their differences are not skewed its limits are those of a paired t interval of logarithms."""
    half = np.random.default_rng(0).normal(size=12)
    one = np.exp(0.3 + np.concatenate([half, -half]))
    two = np.ones(24)
    theirs = scipy.stats.ttest_rel(np.log(one), np.log(two)).confidence_interval(0.95)
    found = ratio_of_typical(one, two)
    assert (found.low, found.high) == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)))


def test_the_typical_ratio_allows_for_skewness():
    """With one value far above the others the interval reaches further up than Student's."""
    one = np.exp([0.1, -0.1, 0.2, -0.2, 0.15, -0.15, 0.05, -0.05, 3.0, 0.0])
    theirs = scipy.stats.ttest_rel(np.log(one), np.zeros(10)).confidence_interval(0.95)
    found = ratio_of_typical(one, np.ones(10))
    assert math.log(found.low) == pytest.approx(theirs.low)
    assert math.log(found.high) > theirs.high + 0.3


def test_one_sided_costs_are_covered():
    """Where only one's costs are skewed (sigma 1.5, n = 20) nineteen intervals of twenty hold: .86 did."""
    rng, truth = np.random.default_rng(3), math.exp(1.5**2 / 2)
    found = [ratio_of_means(rng.lognormal(0, 1.5, 20), np.ones(20)) for _ in range(600)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.92


def test_what_hangs_together_in_time_has_no_limits_with_few_samples_and_wide_ones_with_many():
    """A slow wave over the run: 60 samples cannot tell its length, 200 can, and the interval is wider."""
    rng = np.random.default_rng(5)
    for n in (60, 200):
        at = rng.permutation(n) * 1.0
        one, two = np.exp(np.sin(at / n * 9) + 0.3 * rng.normal(size=n)), np.ones(n)
        told, silent = ratio_of_typical(one, two, asked_at=(at, at + 0.5)), ratio_of_typical(one, two)
        assert (told.method, silent.method) == (SERIAL, TYPICAL)
        assert told.estimate == silent.estimate
        if n == 60:
            assert (told.low, told.high) == (0.0, math.inf)
        else:
            assert 0 < told.low < silent.low
            assert silent.high < told.high < math.inf


def test_times_without_a_pattern_change_nothing():
    """Independent values in any order of asking have the interval that they have without times."""
    rng = np.random.default_rng(0)
    one, two, at = rng.lognormal(size=80), rng.lognormal(size=80), rng.random((2, 80))
    assert ratio_of_typical(one, two, asked_at=(at[0], at[1])) == ratio_of_typical(one, two)


@BOTH
def test_turned_around_it_is_the_inverse(ratio):
    """a ÷ b and b ÷ a are inverse, limits too."""
    rng = np.random.default_rng(1)
    one, two = rng.lognormal(size=20), rng.lognormal(size=20)
    there, back = ratio(one, two), ratio(two, one)
    assert there.estimate == pytest.approx(1 / back.estimate)
    assert there.low == pytest.approx(1 / back.high)


@BOTH
def test_always_twice_is_twice_without_doubt(ratio):
    """Where each sample costs exactly twice as much the ratio is 2."""
    found = ratio([2.0, 4.0, 10.0], [1.0, 2.0, 5.0])
    assert (found.low, found.estimate, found.high) == pytest.approx((2, 2, 2))


@BOTH
@pytest.mark.parametrize(("one", "two"), [([], []), ([0.0, 0.0], [1.0, 1.0]), ([1.0, -1.0], [1.0, 1.0])])
def test_no_ratio_is_nan(ratio, one, two):
    """Nothing, free of charge, or negative: there is no ratio."""
    assert math.isnan(ratio(one, two).estimate)


@BOTH
def test_one_sample_has_no_limits(ratio):
    """A single pair gives a ratio without an interval."""
    found = ratio([2.0], [1.0])
    assert found.estimate == pytest.approx(2)
    assert found.high == math.inf


@BOTH
def test_lengths_have_to_match(ratio):
    """Sample means of different samples are refused."""
    with pytest.raises(ValueError, match="do not match"):
        ratio([1.0], [1.0, 2.0])


@BOTH
def test_clusters_widen(ratio):
    """Copies within clusters narrow nothing."""
    rng = np.random.default_rng(2)
    one, two = rng.lognormal(size=12), rng.lognormal(size=12)
    plain = ratio(one, two)
    copied = ratio(np.repeat(one, 5), np.repeat(two, 5), clusters=np.repeat(np.arange(12), 5))
    assert (copied.low, copied.high) == pytest.approx((plain.low, plain.high))


def test_a_bill_that_one_sample_makes_bounds_nothing():
    """Where all the cost lies in one sample the ratio of means has no limits."""
    found = ratio_of_means([5.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    assert (found.low, found.high) == (0.0, math.inf)
