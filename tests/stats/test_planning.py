"""labkit.stats.planning: how many more samples it would take."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.stats.intervals import Interval, rate_interval, wilson
from labkit.stats.paired import paired_difference
from labkit.stats.planning import samples_for_width, samples_to_decide
from labkit.stats.scale import Scale


def _study(rng, n, gain):
    """Two models, the first better by `gain`, on n samples."""
    luck = rng.random(n)
    two = (luck < 0.5) * 1.0
    one = np.where(rng.random(n) < 2 * gain, 1.0, two)
    return one, two


def test_so_many_samples_do_decide():
    """Studies of the planned size find the difference in about 80 % of cases."""
    rng = np.random.default_rng(0)
    pilot = paired_difference(*_study(rng, 4000, 0.06))
    planned = samples_to_decide(pilot, 0)
    found = [paired_difference(*_study(rng, planned, 0.06)).p_value[0] < 0.05 for _ in range(400)]
    assert 0.70 <= np.mean(found) <= 0.88


def test_a_smaller_difference_takes_more_samples():
    """Halving the difference about quadruples the samples."""
    rng = np.random.default_rng(1)
    small = samples_to_decide(paired_difference(*_study(rng, 20_000, 0.03)), 0)
    large = samples_to_decide(paired_difference(*_study(rng, 20_000, 0.06)), 0)
    assert 1.7 < small / large < 6


def test_what_no_number_would_decide_is_none():
    """No difference, a difference beyond the margin, or nothing to go by."""
    same = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10, scale=Scale(0, 1, 1))
    apart = paired_difference([1.0] * 20, [0.0] * 10 + [1.0] * 10)
    unknown = paired_difference([1.0, 0.0] * 10, [1.0, 0.0] * 10)
    assert samples_to_decide(unknown, 0, margin=0.1) is None
    assert samples_to_decide(same, 0) is None
    assert samples_to_decide(apart, 0, margin=0.1) is None
    assert samples_to_decide(paired_difference([1.0], [0.0]), 0) is None
    assert samples_to_decide(same, 0, margin=0.1) > 20


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_width_comes_out_as_planned(rate):
    """An interval of the planned number of samples is about as wide as wanted."""
    planned = samples_for_width(wilson(100 * rate, 100), 0.1)
    found = rate_interval([1] * round(planned * rate) + [0] * (planned - round(planned * rate)))
    assert found.width == pytest.approx(0.1, rel=0.1)


def test_a_width_that_cannot_be_planned():
    """Without an interval there is no plan; a width of 0 is refused."""
    assert samples_for_width(Interval(0.5, float("-inf"), float("inf"), 1, "t"), 0.1) is None
    with pytest.raises(ValueError, match="above 0"):
        samples_for_width(wilson(1, 2), 0)
