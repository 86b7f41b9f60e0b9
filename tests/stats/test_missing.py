"""labkit.stats.missing: what missing answers could do at worst."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.stats.missing import worst_case
from labkit.stats.paired import pairwise
from labkit.stats.scale import Scale
from labkit.stats.table import sample_table

RIGHT = Scale(0, 1, 1)


def _table(one, two, scale=RIGHT):
    samples = np.tile(np.arange(len(one)), 2)
    return sample_table([*one, *two], samples, [0] * len(one) + [1] * len(two), scale=scale)


def test_nothing_missing_changes_nothing():
    """With all answers the bound is the ordinary interval."""
    rng = np.random.default_rng(0)
    table = _table((rng.random(40) < 0.7) * 1.0, (rng.random(40) < 0.5) * 1.0)
    found, plain = worst_case(table, 0, 1), pairwise(table).interval(0)
    assert (found.low, found.estimate, found.high) == (plain.low, plain.estimate, plain.high)


def test_missing_answers_widen_the_bound_on_both_sides():
    """Every missing answer may have been right or wrong."""
    rng = np.random.default_rng(0)
    one, two = (rng.random(100) < 0.7) * 1.0, (rng.random(100) < 0.5) * 1.0
    gaps = one.copy()
    gaps[:30] = np.nan
    plain, found = worst_case(_table(one, two), 0, 1), worst_case(_table(gaps, two), 0, 1)
    assert found.low < plain.low
    assert found.high > plain.high
    assert found.n == 100


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_the_bound_holds_whatever_was_missing(fill):
    """The whole truth, known afterwards, lies inside."""
    rng = np.random.default_rng(1)
    one, two = (rng.random(60) < 0.6) * 1.0, (rng.random(60) < 0.6) * 1.0
    gaps = np.where(one == fill, np.nan, one)
    found = worst_case(_table(gaps, two), 0, 1)
    assert found.low <= np.mean(one) - np.mean(two) <= found.high


def test_without_declared_bounds_what_is_missing_bounds_nothing():
    """A missing score of which nothing was declared may be anything."""
    found = worst_case(_table([1.0, np.nan, 1.0], [1.0, 0.0, 0.0], Scale()), 0, 1)
    assert (found.low, found.estimate, found.high) == (-np.inf, 0.5, np.inf)
