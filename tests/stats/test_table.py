"""labkit.stats.table: one row per sample, one column per contender."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.scale import Scale
from labkit.stats.table import sample_table

NAN = float("nan")


def test_repeats_are_averaged_and_gaps_are_nan():
    """Each cell is a mean over repeats; what was never answered is NaN and counted as missing."""
    found = sample_table([1, 0, 1, NAN], ["a", "a", "b", "b"], ["x", "x", "x", "y"])
    assert found.means[:, 0].tolist() == [0.5, 1.0]
    assert np.isnan(found.means[:, 1]).all()
    assert found.missing.tolist() == [0, 2]
    assert (found.samples.tolist(), found.contenders.tolist()) == (["a", "b"], ["x", "y"])


def test_a_scale_is_what_was_declared_and_no_value_may_lie_outside():
    """The table keeps the scale it is given, guesses none, and refuses what does not fit."""
    assert sample_table([1, 0], ["a", "a"], ["x", "x"]).scale == Scale()
    assert sample_table([1, 0], ["a", "a"], ["x", "x"], scale=Scale(0, 1, 1)).scale.binary
    with pytest.raises(ValueError, match="outside 0 to 1"):
        sample_table([2], ["a"], ["x"], scale=Scale(0, 1, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], ["a", "b"], ["x"]), "do not match"),
        (([float("inf")], ["a"], ["x"]), "infinity"),
    ],
)
def test_faulty_rows_are_refused(arguments, message):
    """Lengths that differ and infinities raise."""
    with pytest.raises(ValueError, match=message):
        sample_table(*arguments)


def test_a_sample_in_two_clusters_is_refused():
    """Clusters are of samples, not of rows."""
    with pytest.raises(ValueError, match="two clusters"):
        sample_table([1, 1], ["a", "a"], ["x", "y"], clusters=[1, 2])
    with pytest.raises(ValueError, match="clusters has 1"):
        sample_table([1, 1], ["a", "a"], ["x", "y"], clusters=[1])


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=80))
def test_the_table_is_what_a_loop_would_give(rows):
    """Every cell equals the mean of its rows, in whatever order they come."""
    found = sample_table(*zip(*rows, strict=True))
    for s, sample in enumerate(found.samples):
        for c, contender in enumerate(found.contenders):
            mine = [value for value, one, who in rows if (one, who) == (sample, contender)]
            assert found.counts[s, c] == len(mine)
            assert found.means[s, c] == pytest.approx(np.mean(mine) if mine else NAN, nan_ok=True)
