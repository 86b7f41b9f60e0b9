"""labkit.stats.units: rows become samples, samples become clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.units import units

NAN = float("nan")


def test_repeats_become_one_mean_per_sample():
    """A sample counts once, whatever the number of its repeats."""
    found = units([1, 1, 1, 0], samples=["a", "a", "a", "b"])
    assert found.means.tolist() == [1.0, 0.0]
    assert (found.mean, found.samples, found.clusters, found.rows) == (0.5, 2, 2, 4)


def test_nan_is_left_out_and_a_sample_without_value_vanishes():
    """A row that was not measured is no row; a sample without any is no sample."""
    found = units([1, NAN, NAN], samples=["a", "a", "b"])
    assert (found.rows, found.samples) == (1, 1)


def test_clusters_gather_samples():
    """With clusters the independent units are the clusters, and the mean still counts samples."""
    found = units([1, 0, 1, 1], samples=[1, 2, 3, 4], clusters=["x", "x", "y", "x"])
    assert found.sums.tolist() == [2.0, 1.0]
    assert found.sizes.tolist() == [3.0, 1.0]
    assert found.mean == 0.75


@pytest.mark.parametrize(
    ("values", "samples", "clusters", "message"),
    [
        ([1.0, float("inf")], None, None, "infinity"),
        ([[1.0]], None, None, "dimensions"),
        ([1, 2], ["a"], None, "samples has 1 entries for 2 values"),
        ([1, 2], ["a", "a"], ["x", "y"], "two clusters"),
    ],
)
def test_what_is_no_list_of_rows_is_refused(values, samples, clusters, message):
    """Infinite values, wrong shapes and a sample in two clusters raise and say which."""
    with pytest.raises(ValueError, match=message):
        units(values, samples, clusters)


def test_nothing_gives_nothing():
    """No rows give no samples and a mean that is NaN."""
    found = units([])
    assert found.samples == 0
    assert np.isnan(found.mean)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 9)), min_size=1, max_size=60))
def test_order_and_names_of_samples_do_not_matter(rows):
    """Shuffling rows or renaming samples changes no mean."""
    values, samples = [row[0] for row in rows], [row[1] for row in rows]
    one = units(values, samples)
    two = units(values[::-1], [f"sample {9 - s}" for s in samples[::-1]])
    assert one.mean == pytest.approx(two.mean, rel=1e-9, abs=1e-6)
    assert sorted(one.means) == pytest.approx(sorted(two.means), rel=1e-9, abs=1e-6)
