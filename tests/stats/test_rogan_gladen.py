"""labkit.stats.rogan_gladen: a judge's rate corrected by labels of another run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.rogan_gladen import rogan_gladen_interval


@pytest.mark.parametrize(
    ("passed", "sensitivity", "specificity", "said"),
    [
        ((400, 1000), (180, 200), (140, 200), (0.166667, 0.056351, 0.262733)),
        ((248, 400), (54, 60), (34, 40), (0.626667, 0.514526, 0.737474)),
    ],
)
def test_the_reference_values_are_met(passed, sensitivity, specificity, said):
    """Two worked examples of the authors' own formula."""
    found = rogan_gladen_interval(passed, sensitivity=sensitivity, specificity=specificity)
    assert (found.estimate, found.low, found.high) == pytest.approx(said, abs=1e-6)
    assert found.n == passed[1]


def test_a_judge_that_is_always_right_is_taken_at_its_word():
    """Without any error among many labels the estimate is the judge's rate, its interval about Wilson's."""
    found = rogan_gladen_interval((30, 100), sensitivity=(10**6, 10**6), specificity=(10**6, 10**6))
    assert found.estimate == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.219, 0.396), abs=0.002)


@pytest.mark.parametrize("right", [(12, 20), (10, 20), (2, 20)])
def test_a_judge_that_may_be_no_better_than_a_coin_is_refused(right):
    """Where sensitivity + specificity − 1 may be 0 nothing can be divided by it."""
    with pytest.raises(ValueError, match="no better than a coin"):
        rogan_gladen_interval((30, 100), sensitivity=right, specificity=(12, 20))


def test_without_labels_nothing_is_corrected():
    """One answer labelled right and one labelled wrong are the least."""
    with pytest.raises(ValueError, match="at least one"):
        rogan_gladen_interval((30, 100), sensitivity=(0, 0), specificity=(12, 20))


@given(st.integers(0, 60), st.integers(30, 40), st.integers(30, 40), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_lies_between_nothing_and_all(k, hits, rejections, level):
    """Estimate and ends are rates, in order, and a higher level gives no narrower interval."""
    asked = {"sensitivity": (hits, 40), "specificity": (rejections, 40)}
    try:
        found = rogan_gladen_interval((k, 60), level=level, **asked)
    except ValueError:
        return
    assert 0 <= found.low <= found.high <= 1
    assert 0 <= found.estimate <= 1
    assert not math.isnan(found.low)


def test_right_and_wrong_can_be_exchanged():
    """The rate of wrong answers is one minus the rate of right ones."""
    right = rogan_gladen_interval((248, 400), sensitivity=(54, 60), specificity=(34, 40))
    wrong = rogan_gladen_interval((152, 400), sensitivity=(34, 40), specificity=(54, 60))
    assert (wrong.low, wrong.high) == pytest.approx((1 - right.high, 1 - right.low))
