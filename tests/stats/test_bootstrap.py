"""labkit.stats.bootstrap: the BCa interval of a mean."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from labkit.stats.bootstrap import bootstrap_interval


def test_bootstrap_agrees_with_scipy():
    """BCa limits equal scipy's up to the noise of resampling."""
    values = np.random.default_rng(2).lognormal(size=60)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    found = bootstrap_interval(values, resamples=20_000)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.03)


def test_bootstrap_is_repeatable():
    """The same seed gives the same limits, another seed others."""
    values = np.random.default_rng(2).lognormal(size=30)
    assert bootstrap_interval(values, seed=7) == bootstrap_interval(values, seed=7)
    assert bootstrap_interval(values, seed=7) != bootstrap_interval(values, seed=8)
