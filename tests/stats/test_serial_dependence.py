"""labkit.stats.serial_dependence: what lasts from one measurement to the next."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from labkit.stats.serial_dependence import serial_variance, serially_dependent


def series(rng, n, rho):
    """AR(1) of variance 1."""
    noise = rng.normal(size=n + 200) * np.sqrt(1 - rho**2)
    return scipy.signal.lfilter([1], [1, -rho], noise)[200:]


def pairs(rng, n, rho, *, shared=False):
    """Differences of two whose requests went out in mixed order; noise lasts within each one, or in both."""
    order = rng.permutation(2 * n)
    one, two = order[:n], order[n:]
    if shared:
        noise = series(rng, 2 * n, rho)
        return noise[one] - noise[two], one * 1.0, two * 1.0
    own = [series(rng, n, rho)[np.argsort(np.argsort(at))] for at in (one, two)]
    return own[0] - own[1], one * 1.0, two * 1.0


def share(rho, n, studies=400, **more):
    rng = np.random.default_rng(n)
    return np.mean([serially_dependent(*pairs(rng, n, rho, **more)) for _ in range(studies)])


@pytest.mark.parametrize("n", [20, 50, 200])
def test_independent_series_are_seldom_called_dependent(n):
    """About one in twelve."""
    assert share(0, n) <= 0.12


@pytest.mark.parametrize(("n", "least"), [(20, 0.3), (50, 0.7), (200, 0.98)])
def test_noise_that_lasts_is_found(n, least):
    """AR(1) of each one's own, ρ = .5: mostly, from 50 samples on."""
    assert share(0.5, n) >= least


def test_the_variance_is_that_of_the_mean():
    """On average it is what the means of many studies scatter by, with noise of each one's own and shared."""
    rng, n = np.random.default_rng(2), 200
    for rho, shared in ((0, False), (0.5, False), (0.5, True)):
        found = [pairs(rng, n, rho, shared=shared) for _ in range(1500)]
        true = np.var([apart.mean() for apart, _, _ in found])
        told = np.mean([serial_variance(*one) for one in found])
        assert told == pytest.approx(true, rel=0.25 if shared else 0.12)


@pytest.mark.parametrize("at", [np.zeros(40), np.full(40, np.nan)])
def test_without_an_order_nothing_is_called_dependent(at):
    """Times that are unknown or all the same tell no order."""
    assert not serially_dependent(np.sin(np.arange(40) / 5), at, at)


def test_the_order_of_rows_does_not_matter():
    """Rows may come in any order; the times alone decide."""
    rng = np.random.default_rng(4)
    apart, one, two = pairs(rng, 60, 0.6)
    mixed = rng.permutation(60)
    assert serial_variance(apart[mixed], one[mixed], two[mixed]) == pytest.approx(
        serial_variance(apart, one, two)
    )
    assert serially_dependent(apart[mixed], one[mixed], two[mixed]) == serially_dependent(apart, one, two)
