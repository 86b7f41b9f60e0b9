"""The bootstrap's BCa interval of a mean. It is offered; labkit's own tables use other intervals.

Numbers in, numbers out; it knows no frame. Where it falls short is simulated in `benchmarks/coverage.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from labkit.stats.intervals import NAN, Interval, check_level
from labkit.stats.units import Floats, units


def bootstrap_interval(
    values: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
) -> Interval:
    """The mean over samples with a BCa bootstrap interval (Efron 1987), samples resampled whole.

    Repeats are never resampled again: that would count their noise twice. The same seed gives the
    same interval. It falls short at small n: with n = 20 by 4 points for symmetric values, 8 for
    lognormal ones, 12 where four in five are tied. It has no width where all values are equal.
    labkit's own tables use `rate_interval`, `mean_interval` and `labkit.stats.paired` instead.

    >>> found = bootstrap_interval([1.0, 2.0, 2.5, 4.0, 9.0], seed=1)
    >>> found.low < 3.7 < found.high
    True
    """
    check_level(level)
    found = units(values, samples, clusters)
    if not found.samples:
        return Interval(NAN, NAN, NAN, 0, "BCa", level)
    if found.clusters < 2:
        return Interval(found.mean, -math.inf, math.inf, found.samples, "BCa", level)
    draws = resampled_ratios(found.sums, found.sizes, resamples=resamples, seed=seed)
    total, size = found.sums.sum(), found.sizes.sum()
    left_out = (total - found.sums) / (size - found.sizes)
    low, high = bca_limits(draws, found.mean, left_out, level)
    return Interval(found.mean, low, high, found.samples, "BCa", level)


def resampled_ratios(numerators: Floats, denominators: Floats, *, resamples: int, seed: int) -> Floats:
    """Σ numerators ÷ Σ denominators over `resamples` draws of whole units with replacement."""
    rng = np.random.default_rng(seed)
    n = len(numerators)
    at_once = max(1, min(resamples, 2_000_000 // n))
    parts = []
    for start in range(0, resamples, at_once):
        drawn = rng.integers(0, n, size=(min(at_once, resamples - start), n))
        parts.append(numerators[drawn].sum(axis=1) / denominators[drawn].sum(axis=1))
    return np.concatenate(parts)


def bca_limits(draws: Floats, estimate: float, left_out: Floats, level: float) -> tuple[float, float]:
    """BCa limits from bootstrap `draws` and the jackknife's `left_out` estimates."""
    below = ((draws < estimate).sum() + (draws == estimate).sum() / 2) / len(draws)
    shift = special.ndtri(np.clip(below, 1 / (len(draws) + 1), len(draws) / (len(draws) + 1)))
    pull = left_out.mean() - left_out
    spread = float((pull**2).sum())
    acceleration = float((pull**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    reach = shift + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(draws, special.ndtr(shift + reach / (1 - acceleration * reach)))
    return float(low), float(high)
