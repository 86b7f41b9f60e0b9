"""labkit.stats.significance: tests, families, margins."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from labkit.stats.paired import paired_difference
from labkit.stats.scale import Scale
from labkit.stats.significance import benjamini_hochberg, holm, mcnemar, sign_test, within_margin

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_is_statsmodels_exact_one(outcomes):
    """The p value equals statsmodels' exact McNemar test."""
    one, two = (np.array(column, dtype=float) for column in zip(*outcomes, strict=True))
    square = [[np.sum((one == i) & (two == j)) for j in (1, 0)] for i in (1, 0)]
    found = mcnemar(one, two)
    assert found.p_value == pytest.approx(their_mcnemar(square, exact=True).pvalue)
    assert (found.first, found.second) == (square[0][1], square[1][0])


def test_mcnemar_refuses_means():
    """Means of repeats are no outcomes; the message names the test that takes them."""
    with pytest.raises(ValueError, match="sign_test"):
        mcnemar([0.5], [1.0])


@given(st.lists(st.sampled_from([-0.4, -0.2, 0.0, 0.2, 0.6]), min_size=1, max_size=60))
def test_the_sign_test_is_a_binomial_test(differences):
    """Ties are set aside; the rest is scipy's binomial test."""
    found = sign_test(differences)
    untied = found.first + found.second
    theirs = scipy.stats.binomtest(found.first, untied).pvalue if untied else 1.0
    assert found.p_value == pytest.approx(theirs)
    assert found.first + found.second + found.neither == len(differences)


@pytest.fixture
def without_collections(monkeypatch):
    """Theirs collects garbage at each call, which takes long in a process that holds all tests."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.mark.usefixtures("without_collections")
@settings(max_examples=15, deadline=None)
@given(p_values)
def test_holm_and_benjamini_hochberg_are_statsmodels(values):
    """Adjusted p values equal those of statsmodels."""
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
    assert benjamini_hochberg(values) == pytest.approx(multipletests(values, method="fdr_bh")[1])


@given(p_values)
def test_what_is_unknown_counts_as_no_test(values):
    """NaN stays NaN and changes no other."""
    found = holm([*values, float("nan")])
    assert np.isnan(found[-1])
    assert found[:-1] == pytest.approx(holm(values))


@pytest.mark.parametrize("values", [[1.5], [-0.1]])
def test_what_is_no_p_value_is_refused(values):
    """A p value lies between 0 and 1."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(values)


def test_equal_models_are_equivalent_only_with_enough_samples():
    """Not finding a difference is not equivalence; many samples without one are."""
    few = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10, scale=Scale(0, 1, 1))
    many = paired_difference([1.0, 0.0] * 300, [1.0, 0.0] * 300, scale=Scale(0, 1, 1))
    assert not within_margin(few, 0.02).equivalent[0]
    assert within_margin(many, 0.02).equivalent[0]


def test_no_worse_is_one_sided():
    """A far better model is no worse, and not equivalent."""
    found = within_margin(paired_difference([1.0] * 60, [0.0] * 30 + [1.0] * 30), 0.02)
    assert found.no_worse[0]
    assert not found.equivalent[0]


def test_a_margin_is_above_0():
    """Equivalence without a margin cannot be shown."""
    with pytest.raises(ValueError, match="above 0"):
        within_margin(paired_difference([1, 0], [0, 1]), 0.0)


def test_an_unknown_pair_claims_nothing():
    """Where there is no comparison nothing is claimed."""
    found = within_margin(paired_difference([1.0], [1.0]), 0.5)
    assert not found.no_worse[0]
    assert not found.equivalent[0]
