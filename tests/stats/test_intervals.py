"""labkit.stats.intervals: rates and means keep their level, also with repeats and clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from labkit.stats.bootstrap import bootstrap_interval
from labkit.stats.intervals import (
    Interval,
    bounded_interval,
    mean_interval,
    rate_interval,
    score_interval,
    wilson,
)
from labkit.stats.scale import Scale

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_is_statsmodels_wilson(count, level):
    """Wilson's limits equal those of statsmodels."""
    k, n = count
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    found = wilson(k, n, level=level)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@given(counts)
def test_a_rate_is_inside_its_interval_and_the_interval_inside_0_and_1(count):
    """0 ≤ low ≤ rate ≤ high ≤ 1, and never an interval of no width."""
    k, n = count
    for found in (wilson(k, n), rate_interval([1] * k + [0] * (n - k))):
        assert 0 <= found.low <= found.estimate <= found.high <= 1
        assert found.width > 0


@given(counts)
def test_counting_failures_mirrors_the_interval(count):
    """The interval of the failures is one minus that of the successes."""
    k, n = count
    one = rate_interval([1] * k + [0] * (n - k))
    two = rate_interval([0] * k + [1] * (n - k))
    assert (one.low, one.high) == pytest.approx((1 - two.high, 1 - two.low), abs=1e-9)


@given(counts)
def test_the_rate_is_never_narrower_than_wilson(count):
    """The mended interval contains Wilson's."""
    k, n = count
    plain, mended = wilson(k, n), rate_interval([1] * k + [0] * (n - k))
    assert mended.low <= plain.low + 1e-12
    assert mended.high >= plain.high - 1e-12


@pytest.mark.parametrize(("n", "least"), [(20, 0.917), (30, 0.924), (50, 0.924), (100, 0.924), (200, 0.93)])
def test_exact_coverage_of_a_rate(n, least):
    """Enumerated over all outcomes, a rate's interval holds its level at every rate from .02 to .98."""
    found = [rate_interval([1] * k + [0] * (n - k)) for k in range(n + 1)]
    low, high = np.array([f.low for f in found]), np.array([f.high for f in found])
    for rate in np.linspace(0.02, 0.98, 193):
        weight = scipy.stats.binom.pmf(np.arange(n + 1), n, rate)
        assert weight[(low <= rate) & (rate <= high)].sum() >= least


def test_perfectly_alike_repeats_count_once():
    """Five repeats that always agree say no more than one."""
    once = [1, 0, 1, 1, 0, 1, 0, 1, 1, 1]
    five = np.repeat(once, 5)
    found = rate_interval(five, samples=np.repeat(np.arange(10), 5))
    assert found.n == 10
    assert found.width >= wilson(7, 10).width


def test_independent_repeats_help():
    """Repeats that differ within samples narrow the interval."""
    rng = np.random.default_rng(0)
    values = rng.random((100, 5)) < 0.5
    samples = np.repeat(np.arange(100), 5)
    assert rate_interval(values.ravel(), samples=samples).width < 0.6 * rate_interval(values[:, 0]).width


def test_all_right_with_repeats_is_not_certain():
    """Twenty samples answered rightly five times are twenty trials, not a hundred."""
    found = rate_interval(np.ones(100), samples=np.repeat(np.arange(20), 5))
    assert found.high == 1
    assert found.low < wilson(20, 20).low + 1e-9


def test_mean_interval_comes_to_scipy_t():
    """Without repeats the interval of a mean of many is scipy's, and never narrower."""
    values = np.random.default_rng(1).normal(size=2500)
    low, high = scipy.stats.t.interval(0.9, 2499, values.mean(), scipy.stats.sem(values))
    found = mean_interval(values, level=0.9)
    assert (found.low, found.high, found.n) == pytest.approx((low, high, 2500), abs=0.002)
    assert found.low - 1e-9 <= low <= high <= found.high + 1e-9


def test_no_scatter_is_no_certainty():
    """Equal values without bounds have no interval; with bounds one that gets narrow with their number."""
    assert mean_interval([5.0] * 20).width == math.inf
    few, many = (bounded_interval([5.0] * n, low=1, high=5) for n in (2, 200))
    assert few.low < 2.5
    assert 4.9 < many.low < many.high == 5


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.sampled_from([0.5, 3.0, 100.0]),
    st.sampled_from([0.0, -7.0]),
)
def test_bounds_move_with_the_scale(values, a, b):
    """a·x + b in place of x multiplies and shifts the limits."""
    plain = bounded_interval(values, low=0, high=1)
    moved = bounded_interval(a * np.array(values) + b, low=b, high=a + b)
    assert (moved.low, moved.high) == pytest.approx((a * plain.low + b, a * plain.high + b), abs=1e-5 * a)
    assert b <= moved.low <= moved.estimate <= moved.high <= a + b


@pytest.mark.parametrize("n", [1, 2, 5, 30])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_gaffkes_bounds_of_0_and_1_are_clopper_and_pearsons(n, k):
    """Of 0/1 values they are the exact interval, up to the saddlepoint's error."""
    theirs = scipy.stats.binomtest(min(k, n), n).proportion_ci(0.95, method="exact")
    found = bounded_interval([1.0] * min(k, n) + [0.0] * (n - min(k, n)), low=0, high=1)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_graded_scores_near_an_end_are_covered():
    """Of scores that are mostly near 1, ten samples cover the mean as they say; Student's does in 80 %."""
    rng = np.random.default_rng(6)
    found = [bounded_interval(rng.beta(2, 0.1, 10), low=0, high=1) for _ in range(300)]
    assert np.mean([one.low <= 2 / 2.1 <= one.high for one in found]) >= 0.95


def test_the_scale_chooses_the_interval():
    """Two values: a rate; bounds: Gaffke's; nothing declared: the adjusted t. Moved scales move it."""
    assert score_interval([1, 0, 1], Scale(0, 1, 1)) == rate_interval([1, 0, 1])
    shifted = score_interval([3, 1, 3], Scale(1, 3, 2))
    assert (shifted.low, shifted.high) == pytest.approx([1 + 2 * end for end in wilson_ends([1, 0, 1])])
    assert score_interval([0.2, 0.4], Scale(0, 1)) == bounded_interval([0.2, 0.4], low=0, high=1)
    assert score_interval([0.2, 0.4], Scale()) == mean_interval([0.2, 0.4])
    with pytest.raises(ValueError, match="outside 0 to 1"):
        bounded_interval([2.0], low=0, high=1)


def wilson_ends(values):
    """Low and high end of the rate."""
    found = rate_interval(values)
    return found.low, found.high


def test_the_docstrings_figures_of_coverage_are_right():
    """Enumerated exactly over rates .02 to .98: 91.8 % at n = 39 is the least, 92.5 % from 40 on."""
    lowest = {}
    for n in range(30, 140):
        found = [rate_interval([1] * k + [0] * (n - k)) for k in range(n + 1)]
        low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
        # Coverage is least just beside an interval's end.
        ends = np.concatenate([low, high])
        rates = np.concatenate([ends - 1e-9, ends + 1e-9])
        rates = rates[(rates >= 0.02) & (rates <= 0.98)]
        chance = scipy.stats.binom.pmf(np.arange(n + 1)[:, None], n, rates)
        inside = (low[:, None] <= rates) & (rates <= high[:, None])
        lowest[n] = float((chance * inside).sum(axis=0).min())
    assert min(lowest, key=lowest.__getitem__) == 39
    assert round(lowest[39], 3) == 0.918
    assert min(of for n, of in lowest.items() if n >= 40) > 0.925


@pytest.mark.parametrize("interval", [rate_interval, mean_interval, bootstrap_interval])
def test_clusters_widen_where_samples_are_alike_within(interval):
    """Ten samples that are copies of one another count as one cluster."""
    rng = np.random.default_rng(4)
    values = np.repeat(rng.integers(0, 2, 20), 10).astype(float)
    wide = interval(values, clusters=np.repeat(np.arange(20), 10))
    assert wide.width > 2 * interval(values).width
    assert wide.n == 200


@pytest.mark.parametrize("interval", [rate_interval, mean_interval, bootstrap_interval])
def test_nothing_is_nan_and_one_unit_is_unbounded(interval):
    """No value gives NaN; a single sample never gives a narrow interval."""
    assert math.isnan(interval([]).estimate)
    assert math.isnan(interval([float("nan")]).low)
    one = interval([1.0], level=0.95)
    assert one.estimate == 1.0
    assert one.low < 0.3


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    """A level is a share between 0 and 1, not a percentage."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, level=level)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_counts_that_cannot_be_are_refused(k, n):
    """More successes than trials, or fewer than none, raise."""
    with pytest.raises(ValueError, match="cannot be"):
        wilson(k, n)


def test_values_outside_0_and_1_are_no_rate():
    """A rate of 2 is refused, not averaged."""
    with pytest.raises(ValueError, match="values 0 and 1"):
        rate_interval([0, 2])


def test_excludes_is_false_without_an_interval():
    """An interval that does not exist excludes nothing."""
    assert not Interval(math.nan, math.nan, math.nan, 0, "t").excludes(0)
    assert wilson(18, 20).excludes(0.5)


def _alike(rng, studies, samples, repeats, rate, likeness):
    """Rates of samples that differ so that two repeats correlate by `likeness`."""
    if likeness == 0:
        of_sample = np.full((studies, samples), rate)
    else:
        strength = 1 / likeness - 1
        of_sample = rng.beta(rate * strength, (1 - rate) * strength, (studies, samples))
    return rng.random((studies, samples, repeats)) < of_sample[..., None]


@pytest.mark.parametrize("likeness", [0, 0.5, 0.9])
@pytest.mark.parametrize(("samples", "rate"), [(20, 0.5), (50, 0.02), (50, 0.98), (200, 0.5)])
def test_rates_with_repeats_keep_their_level(likeness, samples, rate):
    """In 400 simulated studies with 5 repeats at most 9.5 % of the 95 % intervals miss the true rate."""
    rng = np.random.default_rng(samples + round(100 * rate))
    which = np.repeat(np.arange(samples), 5)
    studies = _alike(rng, 400, samples, 5, rate, likeness)
    found = [rate_interval(study.ravel(), samples=which) for study in studies]
    assert np.mean([one.low <= rate <= one.high for one in found]) >= 0.905


def test_means_with_repeats_keep_their_level():
    """In 400 studies of normal values with alike repeats, t covers the mean in 92 to 98 %."""
    rng = np.random.default_rng(0)
    which = np.repeat(np.arange(20), 3)
    covered = 0
    for _ in range(400):
        values = rng.normal(size=(20, 1)) + 0.3 * rng.normal(size=(20, 3))
        found = mean_interval(values.ravel(), samples=which)
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 400 <= 0.98
