"""Whether what was measured one after another hangs together in time, and what that adds to a mean's error.

Two things measured on each sample, at two moments: the noise of each may last from one measurement to the
next (a server that is busy for a minute), so that there is less in the differences than their number says.
Noise that both share does no harm where they were asked in mixed order, and is not counted against them.
This module knows arrays only; it does not know what was measured.
"""

from __future__ import annotations

import math

import numpy as np

from labkit.stats.units import Floats

SLOW_WAVES = 6
"""Cosines over the time of asking: so many degrees of freedom has `serial_variance`."""
_LAGS = 3
_BEYOND = 1.64
"""One in twenty, for each of two statistics that go together: 4 to 9 % of independent series are beyond."""


def serially_dependent(apart: Floats, first_at: Floats, second_at: Floats) -> bool:
    """Whether neighbours in time resemble each other: in the order of the first's times and the second's.

    `apart` are differences first − second, one per sample. Their autocorrelations at lag 1, and at lags
    1 to 3 together, are summed over both orders and compared with what independent differences give.
    Noise that lasts (AR(1), ρ = .5) is found in 42 % of series of 20 samples, 82 % of 50, all of 200.

    >>> at = np.arange(40.0)
    >>> bool(serially_dependent(np.sin(at / 5), at, at)), bool(serially_dependent(np.cos(at * 2), at, at))
    (True, False)
    """
    n = len(apart)
    apart = apart - apart.mean()
    square = float((apart**2).sum())
    if n <= _LAGS + 1 or square == 0 or not (_ordered(first_at) and _ordered(second_at)):
        return False
    found = np.zeros(_LAGS)
    for at in (first_at, second_at):
        ordered = apart[np.argsort(at, kind="stable")]
        found += [float((ordered[lag:] * ordered[:-lag]).sum()) / square for lag in range(1, _LAGS + 1)]
    found += 2 / n
    single, several = found[0] * math.sqrt(n / 2), found.sum() * math.sqrt(n / (2 * _LAGS))
    return bool(max(single, several) > _BEYOND)


def serial_variance(apart: Floats, first_at: Floats, second_at: Floats) -> float:
    """The variance of the mean of `apart`, noise that lasts included; its square root goes with Student's t
    of `SLOW_WAVES` degrees of freedom.

    The equal-weighted cosine estimator (Lazarus, Lewis, Stock & Watson 2018), carried over to pairs: each
    difference stands at both its moments among all of them, and what it gives there by being one
    difference (not two) is taken off. May come out below 0, by chance, where nothing lasts.
    """
    n = len(apart)
    apart = apart - apart.mean()
    place = np.empty(2 * n)
    place[np.argsort(np.concatenate([first_at, second_at]), kind="stable")] = np.arange(2 * n) + 0.5
    waves = np.cos(np.outer(np.arange(1, SLOW_WAVES + 1), place) * math.pi / (2 * n)) * math.sqrt(2)
    both = waves[:, :n] + waves[:, n:]
    both -= both.mean(axis=1, keepdims=True)
    powers = (both @ apart) ** 2 - (both**2 - 1) @ apart**2
    return float(powers.mean()) / (n * (n - 1))


def _ordered(at: Floats) -> bool:
    """Whether the times tell an order: all are known, and not all the same."""
    return bool(np.ptp(at) > 0)
