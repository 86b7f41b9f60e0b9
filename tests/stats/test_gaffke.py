"""labkit.stats.gaffke: the saddlepoint gives what drawing shares gives."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.stats.intervals import bounded_interval


@pytest.mark.parametrize("n", [2, 10, 60])
def test_gaffkes_bounds_are_quantiles_of_dirichlet_means(n):
    """The saddlepoint gives what drawing shares gives."""
    rng = np.random.default_rng(n)
    values = rng.beta(4, 0.4, n)
    shares = rng.dirichlet(np.ones(n + 1), size=200_000)
    found = bounded_interval(values, low=0, high=1)
    assert found.high == pytest.approx(np.quantile(shares @ np.append(values, 1), 0.975), abs=0.005)
    assert found.low == pytest.approx(np.quantile(shares @ np.append(values, 0), 0.025), abs=0.005)
