"""labkit.stats.paired: differences over common samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.paired import paired_difference, pairwise
from labkit.stats.table import sample_table

shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40)


def test_without_bounds_and_ties_it_is_the_paired_t_test():
    """For continuous values difference, interval and p value are scipy's."""
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=30), rng.normal(0.3, 1, size=30)
    theirs = scipy.stats.ttest_rel(one, two)
    found = paired_difference(one, two)
    assert found.difference[0] == pytest.approx(np.mean(one - two))
    assert found.p_value[0] == pytest.approx(theirs.pvalue)
    limits = theirs.confidence_interval(0.95)
    assert (found.low[0], found.high[0]) == pytest.approx((limits.low, limits.high))
    assert found.effect[0] == pytest.approx(np.mean(one - two) / np.std(one - two, ddof=1))


def test_with_one_outcome_per_sample_it_is_bonett_and_price():
    """For 0/1 outcomes the interval is theirs, with Student's quantile."""
    n, both, first, second = 50, 20, 12, 5
    one = np.array([1] * both + [1] * first + [0] * second + [0] * (n - both - first - second))
    two = np.array([1] * both + [0] * first + [1] * second + [0] * (n - both - first - second))
    p, q = (first + 1) / (n + 2), (second + 1) / (n + 2)
    reach = scipy.stats.t.ppf(0.975, n - 1) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    found = paired_difference(one, two)
    assert (found.low[0], found.high[0]) == pytest.approx((p - q - reach, p - q + reach))
    assert (found.wins[0], found.losses[0], found.ties[0]) == (first, second, n - first - second)


def test_identical_answers_do_not_prove_equality():
    """Where no sample differs the difference is 0, and the interval still has a width."""
    found = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10)
    assert found.difference[0] == 0
    assert found.p_value[0] == 1
    assert 0.05 < found.high[0] < 0.2
    assert found.low[0] == -found.high[0]


def test_identical_costs_are_identical():
    """Unbounded values that never differ have a difference of exactly 0."""
    found = paired_difference([5.0, 7.0, 9.0], [5.0, 7.0, 9.0])
    assert (found.low[0], found.high[0], found.p_value[0]) == (0, 0, 1)


@given(shares)
def test_turning_the_pair_around_turns_everything_around(values):
    """first − second is minus second − first, wins are losses, p stays."""
    one, two = zip(*values, strict=True)
    there, back = paired_difference(one, two), paired_difference(two, one)
    assert there.difference[0] == pytest.approx(-back.difference[0], abs=1e-12)
    assert there.low[0] == pytest.approx(-back.high[0], abs=1e-9)
    assert there.wins[0] == back.losses[0]
    assert there.p_value[0] == pytest.approx(back.p_value[0], abs=1e-9)


@given(shares)
def test_p_and_interval_agree(values):
    """p is below 5 % exactly where the 95 % interval excludes 0, and the interval stays in −1 … 1."""
    found = paired_difference(*zip(*values, strict=True))
    if abs(found.p_value[0] - 0.05) > 1e-9:
        assert (found.p_value[0] < 0.05) == found.interval(0).excludes(0)
    assert -1 <= found.low[0] <= found.high[0] <= 1


def test_only_common_samples_count():
    """A sample that one of the two has not answered is left out for this pair only."""
    nan = math.nan
    found = paired_difference([1.0, 0.5, nan, 0.2], [0.5, nan, 1.0, 0.1])
    assert (found.n[0], found.wins[0]) == (2, 2)
    assert found.difference[0] == pytest.approx(0.3)


@pytest.mark.parametrize("values", [[], [[0.5, 0.5]], [[0.5, math.nan], [math.nan, 0.5]]])
def test_too_little_to_compare_is_nan(values):
    """Without two common samples there is no interval and no claim."""
    one, two = (np.array(values, dtype=float).reshape(-1, 2)[:, place] for place in (0, 1))
    found = paired_difference(one, two)
    assert math.isnan(found.low[0])
    assert math.isnan(found.p_value[0])
    assert not found.interval(0).excludes(0)


def test_all_pairs_are_what_each_pair_is_alone():
    """Comparing many at once gives what comparing two gives."""
    rng = np.random.default_rng(1)
    values = (rng.random((30, 4, 3)) < 0.6).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    samples = np.repeat(np.arange(30), 12)
    contenders = np.tile(np.repeat(np.arange(4), 3), 30)
    table = sample_table(values.ravel(), samples, contenders)
    every = pairwise(table)
    assert len(every) == 6
    for place in range(6):
        one, two = every.first[place], every.second[place]
        alone = paired_difference(table.means[:, one], table.means[:, two], binary=True)
        assert every.interval(place) == alone.interval(0)
        assert every.p_value[place] == alone.p_value[0]


def test_against_one_compares_only_with_it():
    """With a reference each other contender is compared with it, as the first."""
    table = sample_table([1, 0, 1, 0, 1, 1], [1, 2, 1, 2, 1, 2], list("aabbcc"))
    found = pairwise(table, against=1)
    assert found.first.tolist() == [0, 2]
    assert found.second.tolist() == [1, 1]


def test_one_contender_has_no_pairs():
    """Nothing to compare is an empty set of pairs."""
    assert len(pairwise(sample_table([1, 0], [1, 2], ["a", "a"]))) == 0


def test_clusters_count_once():
    """Samples that are copies of one another within clusters make no interval narrower."""
    rng = np.random.default_rng(2)
    one, two = rng.normal(0.5, 1, 15), rng.normal(size=15)
    plain = paired_difference(one, two)
    copied = paired_difference(np.repeat(one, 8), np.repeat(two, 8), clusters=np.repeat(np.arange(15), 8))
    assert copied.n[0] == 120
    assert (copied.low[0], copied.high[0]) == pytest.approx((plain.low[0], plain.high[0]))


def test_repeats_of_agreeing_answers_are_not_taken_for_more_samples():
    """Five agreeing repeats give the interval of one."""
    rng = np.random.default_rng(3)
    values = (rng.random((40, 2)) < 0.5).astype(float)
    once = sample_table(values.ravel(), np.repeat(np.arange(40), 2), np.tile([0, 1], 40))
    five = sample_table(
        np.repeat(values.ravel(), 5), np.repeat(np.arange(40), 10), np.tile(np.repeat([0, 1], 5), 40)
    )
    assert pairwise(five).interval(0) == pairwise(once).interval(0)
