"""labkit.stats.paired: differences over common samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.paired import paired_difference, pairwise
from labkit.stats.scale import Scale
from labkit.stats.table import sample_table

RIGHT = Scale(0, 1, 1)
"""Of answers that are right or wrong."""

shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40)


def test_with_many_samples_it_is_the_paired_t_test():
    """For continuous values difference, interval and p value come to scipy's, and are never narrower."""
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=3000), rng.normal(0.05, 1, size=3000)
    theirs = scipy.stats.ttest_rel(one, two)
    found = paired_difference(one, two)
    assert found.difference[0] == pytest.approx(np.mean(one - two))
    assert theirs.pvalue <= found.p_value[0] == pytest.approx(theirs.pvalue, rel=0.05)
    limits = theirs.confidence_interval(0.95)
    assert (found.low[0], found.high[0]) == pytest.approx((limits.low, limits.high), abs=0.002)
    assert found.low[0] <= limits.low <= limits.high <= found.high[0]
    assert found.effect[0] == pytest.approx(np.mean(one - two) / np.std(one - two, ddof=1))


def test_with_one_outcome_per_sample_it_is_bonett_and_price():
    """For 0/1 outcomes the interval is theirs, with Student's quantile."""
    n, both, first, second = 50, 20, 12, 5
    one = np.array([1] * both + [1] * first + [0] * second + [0] * (n - both - first - second))
    two = np.array([1] * both + [0] * first + [1] * second + [0] * (n - both - first - second))
    p, q = (first + 1) / (n + 2), (second + 1) / (n + 2)
    reach = scipy.stats.t.ppf(0.975, n - 1) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    found = paired_difference(one, two, scale=RIGHT)
    assert (found.low[0], found.high[0]) == pytest.approx((p - q - reach, p - q + reach))
    assert (found.wins[0], found.losses[0], found.ties[0]) == (first, second, n - first - second)


def test_identical_answers_do_not_prove_equality():
    """Where no sample differs the difference is 0, and the interval still has a width."""
    found = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10, scale=RIGHT)
    assert found.difference[0] == 0
    assert found.p_value[0] == 1
    assert 0.05 < found.high[0] < 0.2
    assert found.low[0] == -found.high[0]


def test_without_a_declared_scale_no_difference_bounds_nothing():
    """Values that never differ, and of which nothing was declared, may truly differ by anything."""
    found = paired_difference([5.0, 7.0, 9.0], [5.0, 7.0, 9.0])
    assert (found.low[0], found.high[0], found.p_value[0]) == (-math.inf, math.inf, 1)


@pytest.mark.parametrize("scale", [Scale(), Scale(0, 1), Scale(0, 1, 1), Scale(0, 1, 0.25)])
@pytest.mark.parametrize("n", range(2, 8))
def test_that_no_scatter_was_seen_decides_nothing_before_the_sixth_sample(scale, n):
    """Always better by the same decides from the sixth sample on, as a sign test does."""
    found = paired_difference(np.ones(n), np.full(n, 0.5) if scale.step != 1 else np.zeros(n), scale=scale)
    assert (found.p_value[0] < 0.05) == (n >= 6)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30),
    st.sampled_from([0.25, 1.0, 20.0, 1000.0]),
    st.sampled_from([0.0, -3.0, 0.5]),
    st.booleans(),
)
def test_the_result_does_not_depend_on_the_scale(values, a, b, declared):
    """a·x + b in place of x multiplies every limit by a and changes no p value."""
    one, two = (np.array(of, dtype=float) for of in zip(*values, strict=True))
    scales = [Scale(1, 5, 1), Scale(a + b, 5 * a + b, a)] if declared else [Scale(), Scale()]
    plain = paired_difference(one, two, scale=scales[0])
    moved = paired_difference(a * one + b, a * two + b, scale=scales[1])
    assert moved.p_value[0] == pytest.approx(plain.p_value[0], rel=1e-6, abs=1e-12)
    assert (moved.low[0], moved.high[0]) == pytest.approx((a * plain.low[0], a * plain.high[0]), rel=1e-6)


@pytest.mark.parametrize("scale", [Scale(), Scale(0, 1)])
def test_one_value_beyond_the_rest_does_not_change_the_method(scale):
    """A hair's breadth in one value moves the limits by a hair's breadth: nothing is guessed from values."""
    rng = np.random.default_rng(4)
    one, two = rng.integers(0, 2, (2, 30)).astype(float)
    almost = one.copy()
    almost[0] = abs(one[0] - 2e-7)
    plain, moved = (paired_difference(of, two, scale=scale) for of in (one, almost))
    assert (moved.low[0], moved.high[0]) == pytest.approx((plain.low[0], plain.high[0]), abs=1e-5)


def test_rests_of_adding_are_ties():
    """Repeats added in another order are no difference: no win, no scatter, no claim."""
    found = paired_difference([(0.1 + 0.2 + 0.3) / 3] * 30, [(0.3 + 0.2 + 0.1) / 3] * 30, scale=Scale(0, 1))
    assert (found.wins[0], found.ties[0], found.difference[0], found.p_value[0]) == (0, 30, 0, 1)
    assert found.high[0] > 0.05


def test_few_clusters_can_decide():
    """Five clusters that all speak for the first decide, as they do in CR2 with Satterthwaite's freedom."""
    rng = np.random.default_rng(5)
    won = 0
    for _ in range(100):
        one, two = (rng.random(100) < 0.75) * 1.0, (rng.random(100) < 0.5) * 1.0
        found = paired_difference(one, two, clusters=np.repeat(np.arange(5), 20), scale=RIGHT)
        won += bool(found.p_value[0] < 0.05)
    assert won > 60


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
    found = paired_difference(*zip(*values, strict=True), scale=Scale(0, 1))
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
    table = sample_table(values.ravel(), samples, contenders, scale=RIGHT)
    every = pairwise(table)
    assert len(every) == 6
    for place in range(6):
        one, two = every.first[place], every.second[place]
        alone = paired_difference(table.means[:, one], table.means[:, two], scale=RIGHT)
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
