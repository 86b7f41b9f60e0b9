"""labkit.stats.ranking: ranks and bands follow from decisions; chances hold on average and know no certainty.

How often the ranks of simulated contenders lie in their intervals stands in test_coverage.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats import bands, best_chances, holm, pairwise, rank_intervals, sample_table, shown_better
from labkit.stats.table import Table


def tabled(means, clusters=None):
    """A table with one value per sample (row) and contender; NaN is missing."""
    means = np.asarray(means, dtype=float)
    counts = (~np.isnan(means)).astype(np.intp)
    return Table(means, counts, np.arange(len(means)), np.arange(means.shape[1]), clusters)


def answers(rng, n, rates):
    """0/1 answers of contenders with these rates to the same samples, half of which all find alike."""
    alike, luck = rng.random((n, 1)) < 0.5, rng.random((n, 1))
    return np.where(alike, luck < rates, rng.random((n, len(rates))) < rates) * 1.0


@st.composite
def decisions(draw):
    """True means, some equal, and any selection of the differences that are true."""
    means = draw(st.lists(st.integers(0, 4), min_size=1, max_size=9))
    truly = np.subtract.outer(means, means) > 0
    found = draw(st.lists(st.booleans(), min_size=truly.size, max_size=truly.size))
    return np.array(means), truly & np.reshape(found, truly.shape)


@given(decisions())
def test_true_decisions_never_exclude_a_true_rank(made):
    """Whatever was found of what is true, each contender's ranks, shared ones too, lie in its interval."""
    means, better = made
    low, high = rank_intervals(better)
    assert (low <= 1 + (means > means[:, None]).sum(axis=1)).all()
    assert (high >= len(means) - (means < means[:, None]).sum(axis=1)).all()


def test_nothing_decided_is_every_rank_and_all_decided_is_one():
    """Without decisions each may have any rank; where all are decided each has its own."""
    low, high = rank_intervals(np.zeros((4, 4), dtype=bool))
    assert (low == 1).all()
    assert (high == 4).all()
    low, high = rank_intervals(np.triu(np.ones((4, 4), dtype=bool), 1))
    assert low.tolist() == high.tolist() == [1, 2, 3, 4]


@given(st.integers(1, 8), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_two_share_a_band_exactly_where_neither_is_shown_to_be_better(k, seed, share):
    """Whatever the decisions; no band lies in another, and each is in the order that was given."""
    rng = np.random.default_rng(seed)
    better = np.triu(rng.random((k, k)) < share, 1)
    order = rng.permutation(k)
    better = better[np.ix_(order, order)]
    found = bands(better, order)
    together = np.zeros((k, k), dtype=bool)
    for band in found:
        together[np.ix_(band, band)] = True
    assert np.array_equal(together, ~(better | better.T))
    assert not any(set(one) < set(two) for one in found for two in found)
    place = order.argsort()
    assert all(np.all(np.diff(place[band]) > 0) for band in found)


def test_bands_of_a_scale_are_runs():
    """Where contenders less than three steps apart cannot be told apart, each band is three in a row."""
    far = np.subtract.outer(np.arange(6), np.arange(6)) <= -3
    assert bands(far, range(6)) == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]


def test_shown_better_is_holm_with_a_direction():
    """Exactly the pairs that Holm decides are shown, from the higher to the lower mean."""
    table = tabled(answers(np.random.default_rng(3), 80, np.linspace(0.2, 0.9, 7)))
    pairs = pairwise(table)
    better = shown_better(pairs, 7)
    for place, p_value in enumerate(holm(pairs.p_value)):
        one, two = pairs.first[place], pairs.second[place]
        if pairs.difference[place] < 0:
            one, two = two, one
        assert better[one, two] == (p_value < 0.05)
        assert not better[two, one]
    assert better.any()


@pytest.mark.parametrize(("k", "n"), [(3, 20), (6, 10), (6, 100), (40, 50)])
def test_equal_contenders_are_best_equally_often(k, n):
    """Over 200 studies of equal contenders each has 1/k on average, and none is ever told to be best."""
    rng = np.random.default_rng(k)
    studies = [tabled(answers(rng, n, np.full(k, 0.6))) for _ in range(200)]
    found = np.array([best_chances(study, draws=200, seed=seed) for seed, study in enumerate(studies)])
    assert found.mean(axis=0) == pytest.approx(np.full(k, 1 / k), abs=5 * found.std() / math.sqrt(200))
    assert (found.max(axis=1) > 0.95).mean() < 0.02
    if k == 40:
        assert found.max(axis=1).mean() < 0.2  # the luckiest of them would have 0.3 without room for luck


def test_a_chance_is_as_good_as_it_says():
    """Of contenders told to be best with such a chance, about that share is."""
    rng = np.random.default_rng(0)
    told, true = [], []
    for seed in range(400):
        rates = np.clip(rng.normal(0.6, 0.1, 8), 0, 1)
        told += list(best_chances(tabled(answers(rng, 60, rates)), draws=200, seed=seed))
        true += list(rates == rates.max())
    told, true = np.array(told), np.array(true)
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 1.01)):
        here = (told >= low) & (told < high)
        assert true[here].mean() == pytest.approx(told[here].mean(), abs=0.08)


@pytest.mark.parametrize(
    ("k", "n", "spread", "tails", "most"),
    [
        (6, 50, 0.02, False, 0.2),
        (6, 10, 0.1, False, 0.06),
        (12, 100, 0.05, False, 0.1),
        (8, 10, 0.3, True, 0.32),
    ],
)
def test_the_one_ahead_is_told_as_the_docstring_says(k, n, spread, tails, most):
    """Over populations of contenders the chance of the one ahead is no further above the truth."""
    rng = np.random.default_rng(k + n)
    told, true = [], []
    for seed in range(250):
        means = rng.normal(0, spread, k)
        if tails:
            table = tabled(means + rng.lognormal(size=(n, k)))
        else:
            table = tabled(answers(rng, n, np.clip(0.6 + means, 0, 1)))
        chances = best_chances(table, draws=200, seed=seed)
        told.append(chances.max())
        true.append(means[chances.argmax()] == means.max())
    assert np.mean(told) - np.mean(true) < most


def test_what_was_never_seen_is_not_impossible():
    """One right of all, the others one wrong each: likely the best, and far from certain, at any n."""
    for n in (3, 20, 200):
        means = np.ones((n, 3))
        means[0, 1] = means[1, 2] = 0
        chances = best_chances(tabled(means))
        assert 0.4 < chances[0] < 0.75
        assert chances[1] == pytest.approx(chances[2], abs=0.05)


def test_two_with_many_samples_are_as_the_normal_distribution_says():
    """With 200 or 20,000 samples the chance is that of the difference over its standard error."""
    for n in (200, 20_000):
        rng = np.random.default_rng(n)
        means = rng.normal(size=(n, 2)) + rng.normal(size=(n, 1))
        apart = means[:, 0] - means[:, 1]
        means[:, 0] += 0.7 * apart.std() / math.sqrt(n) - apart.mean()
        assert best_chances(tabled(means))[0] == pytest.approx(scipy.stats.norm.cdf(0.7), abs=0.025)


def test_all_alike_share_the_chance():
    """Where no sample differs but by the rests of sums, the chance is shared."""
    means = np.repeat(np.random.default_rng(0).random((20, 1)), 6, axis=1)
    assert best_chances(tabled(means)).tolist() == pytest.approx([1 / 6] * 6)
    assert best_chances(tabled(np.nextafter(means, [2, 1, 0, 0, 0, 0]))).tolist() == pytest.approx(
        [1 / 6] * 6
    )
    assert best_chances(tabled(means[:, :1])).tolist() == [1.0]


def test_neither_the_order_nor_the_unit_of_samples_matters():
    """Shuffled samples give the same chances; so does another scale, up to the rounding of sums."""
    rng = np.random.default_rng(4)
    means = answers(rng, 40, np.linspace(0.5, 0.7, 6))
    plain = best_chances(tabled(means))
    assert np.array_equal(best_chances(tabled(rng.permutation(means))), plain)
    assert best_chances(tabled(1000 * means - 7)) == pytest.approx(plain, abs=0.02)
    assert plain.sum() == pytest.approx(1)


def test_clusters_are_weighed_as_wholes():
    """Ten samples of one cluster that all agree are as one: the one ahead is less surely the best."""
    rng = np.random.default_rng(5)
    means = np.repeat(answers(rng, 12, np.array([0.8, 0.5, 0.5])), 10, axis=0)
    alone = best_chances(tabled(means))
    whole = best_chances(tabled(means, np.repeat(np.arange(12), 10)))
    once = best_chances(tabled(means[::10]))
    assert whole == pytest.approx(once, abs=0.03)
    assert whole.max() < alone.max() - 0.03


def test_too_few_samples_take_no_part():
    """One sample says nothing of a contender: NaN for it, and the others share the whole."""
    means = np.ones((10, 4))
    means[1:, 3] = np.nan
    means[:5, 0] = 0
    chances = best_chances(tabled(means))
    assert math.isnan(chances[3])
    assert chances[:3].sum() == pytest.approx(1)
    assert np.isnan(best_chances(tabled(means[:1]))).all()
    assert np.isnan(best_chances(tabled(means, np.zeros(10, dtype=np.intp)))).all()
    assert best_chances(sample_table([], [], [])).size == 0


def test_missing_samples_are_left_out_of_their_own_mean():
    """A contender is weighed over what it has: an equal mean of a tenth of the samples leaves more doubt."""
    means = np.repeat([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0]], 40, axis=0) * 1.0
    full = best_chances(tabled(means))
    assert full[0] > 0.98
    means[np.arange(200) % 10 > 0, 0] = np.nan
    some = best_chances(tabled(means))
    assert 0.5 < some[0] < full[0] - 0.05
    assert some.sum() == pytest.approx(1)
