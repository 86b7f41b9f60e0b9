"""labkit.stats.agreement: the numbers of two packages, and intervals that take no agreement for certain."""

from __future__ import annotations

import math

import evalica
import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labkit.stats import cohen_kappa, krippendorff_alpha, percent_agreement

NONE = math.nan
MEASURES = ("nominal", "ordinal", "interval", "ratio")

THREE_BY_FIFTEEN = np.array(
    [
        [NONE] * 5 + [3, 4, 1, 2, 1, 1, 3, 3, NONE, 3],
        [1, NONE, 2, 1, 3, 3, 4, 3] + [NONE] * 7,
        [NONE, NONE, 2, 1, 3, 4, 4, NONE, 2, 1, 1, 3, 3, NONE, 4],
    ]
)
"""Wikipedia's example, the sample of the package krippendorff."""
# codings.csv of evalica 0.4.2 (github.com/dustalov/evalica, Apache-2.0).
FOUR_BY_TWELVE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
)


def alpha(table, **how):
    """α of a table with a row per rater and a column per unit."""
    return krippendorff_alpha(table.ravel(), np.tile(np.arange(table.shape[1]), len(table)), **how)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (THREE_BY_FIFTEEN, (0.691358, 0.806721, 0.810845, 0.808944)),
        (FOUR_BY_TWELVE, (0.743421, 0.815388, 0.849107, 0.797403)),
    ],
)
def test_alpha_is_the_published_one(table, expected):
    """Two tables with missing values, by each measure; both packages say the same."""
    for measure, figure in zip(MEASURES, expected, strict=True):
        found = alpha(table, measure=measure).interval
        assert found.estimate == pytest.approx(figure, abs=1e-6)
        assert found.estimate == pytest.approx(krippendorff.alpha(table, level_of_measurement=measure))
        assert found.estimate == pytest.approx(evalica.alpha(pd.DataFrame(table), measure).alpha)
        assert found.n == ((~np.isnan(table)).sum(axis=0) > 1).sum()


@given(st.integers(2, 5), st.integers(2, 30), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_alpha_is_the_packages_on_any_table(raters, units, values, seed):
    """Random ratings, a fifth of them missing."""
    rng = np.random.default_rng(seed)
    table = rng.integers(1, values + 1, (raters, units)) * 1.0
    table[rng.random(table.shape) < 0.2] = np.nan
    shared = table[:, (~np.isnan(table)).sum(axis=0) > 1]
    assume(len(np.unique(shared[~np.isnan(shared)])) > 1)
    for measure in MEASURES:
        found = alpha(table, measure=measure, resamples=20).interval
        assert found.estimate == pytest.approx(krippendorff.alpha(table, level_of_measurement=measure))
        assert found.low <= found.estimate <= found.high


@given(st.integers(0, 2**32 - 1))
def test_order_of_ratings_and_of_raters_changes_nothing(seed):
    """The same table in any order, its labels under other names, has the same α."""
    rng = np.random.default_rng(seed)
    value, unit = rng.integers(0, 4, 60), rng.integers(0, 20, 60)
    order, names = rng.permutation(60), np.array(["tie", "first", "neither", "second"])
    plain, turned = krippendorff_alpha(value, unit), krippendorff_alpha(names[value[order]], unit[order])
    assert turned.interval.estimate == pytest.approx(plain.interval.estimate)


def test_all_alike_is_a_flag_and_no_error():
    """One value only tells nothing of agreement beyond chance."""
    for found in (krippendorff_alpha([1, 1, 1, 1], [0, 0, 1, 1]), cohen_kappa(["a"] * 3, ["a"] * 3)):
        assert found.all_alike
        assert math.isnan(found.interval.estimate)


def test_nothing_shared_is_nothing_told():
    """Units that one rater alone has rated do not count, and without any there is no estimate."""
    found = krippendorff_alpha([1, 2, 1], [0, 1, 2])
    assert found.interval.n == 0
    assert not found.all_alike
    assert math.isnan(found.interval.estimate)
    assert math.isnan(percent_agreement([1, 2, 1], [0, 1, 2]).estimate)
    assert math.isnan(cohen_kappa([], []).interval.estimate)


def test_one_shared_unit_leaves_everything_possible():
    """The interval is as wide as agreement can be."""
    found = krippendorff_alpha([1, 2], [0, 0]).interval
    assert (found.low, found.high) == (-1, 1)


def test_raters_who_all_agree_are_not_certain_to():
    """20 units alike: α is 1, and its interval reaches down as far as three in twenty at random do."""
    found = krippendorff_alpha(["a", "a", "b", "b"] * 10, np.repeat(np.arange(20), 2)).interval
    assert found.estimate == found.high == 1
    assert 0.75 < found.low < 0.9


def test_random_raters_agree_as_chance_has_it():
    """Over 400 tables of 30 units α and κ are 0 on average, and their intervals nearly always hold it."""
    rng = np.random.default_rng(5)
    both = rng.integers(0, 4, (400, 2, 30))
    units = np.tile(np.arange(30), 2)
    alphas = [krippendorff_alpha(one.ravel(), units, resamples=100).interval for one in both]
    kappas = [cohen_kappa(*one, resamples=100).interval for one in both]
    for some in (alphas, kappas):
        assert abs(np.mean([one.estimate for one in some])) < 0.02
        assert np.mean([one.low <= 0 <= one.high for one in some]) > 0.9


def test_kappa_is_cohens():
    """45 and 15, 25 and 15 of a hundred (Wikipedia's second example): κ is 0.1304."""
    first = ["yes"] * 60 + ["no"] * 40
    second = ["yes"] * 45 + ["no"] * 15 + ["yes"] * 25 + ["no"] * 15
    found = cohen_kappa(first, second).interval
    assert found.estimate == pytest.approx(0.1304, abs=1e-4)
    assert found.n == 100
    assert found.low < 0.1304 < found.high


def test_missing_labels_are_left_out():
    """None and NaN among words or numbers are no label, on either side."""
    assert cohen_kappa(["a", "b", None, "a"], ["a", "b", "b", math.nan]).interval.n == 2
    assert krippendorff_alpha(["a", None, "b", "b", math.nan], [0, 0, 1, 1, 1]).interval.n == 1


def test_percent_is_of_pairs_of_ratings():
    """Two of three raters alike are one pair of three; with two raters it is the plain share."""
    assert percent_agreement(["a", "a", "b"], [0, 0, 0]).estimate == pytest.approx(1 / 3)
    found = percent_agreement(["a", "a", "a", "b"], [0, 0, 1, 1])
    assert (found.estimate, found.n, found.method) == (0.5, 2, "Wilson")


def test_the_same_seed_gives_the_same_interval():
    """And another one nearly the same."""
    one, same, other = (alpha(FOUR_BY_TWELVE, seed=seed).interval for seed in (3, 3, 4))
    assert one == same
    assert one.low == pytest.approx(other.low, abs=0.1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: krippendorff_alpha([1, 2], [0]), "2 values and 1 units"),
        (lambda: krippendorff_alpha(["a", "b"], [0, 0], measure="interval"), "only a nominal measure"),
        (lambda: krippendorff_alpha([1, 2], [0, 0], measure="linear"), "'linear' is none of"),
        (lambda: krippendorff_alpha([1, 2], [0, 0], level=95), "must lie between 0 and 1"),
        (lambda: cohen_kappa([1], [1, 2]), "1 and 2 ratings"),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    """Each with what is wrong."""
    with pytest.raises(ValueError, match=said):
        call()
