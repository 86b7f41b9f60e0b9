"""Quantiles of latencies and the like, with intervals that assume no distribution.

Numbers in, numbers out; a limit the data cannot give is infinite and says so. This module knows
nothing of what was measured.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from labkit.stats.intervals import NAN, Interval, check_level, student
from labkit.stats.units import Floats, Units, units


def quantile_interval(
    values: ArrayLike,
    q: float,
    *,
    samples: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The quantile `q` (0.5: median) of `values` over all rows, NaN left out, with its interval.

    The estimate interpolates linearly (numpy's default). One row per sample: the interval runs
    between the two order statistics with the smallest coverage of at least `level` (Conover 1999,
    section 3.2), whatever the distribution. With repeats (`samples` given and rows sharing one):
    Woodruff's interval (1952) with the effective number of rows (Korn & Graubard 1998). Where the
    rows cannot bound it on one side that limit is infinite: a p95 needs about 60 rows, a median 6.
    The second method was simulated at 93 % and more, lowest for a p95 of 50 samples with very alike repeats.

    `n` is the number of rows without repeats, else of samples.

    >>> quantile_interval(range(1, 101), 0.5)
    Interval(estimate=50.5, low=41.0, high=61.0, n=100, method='order statistics', level=0.95)
    """
    check_level(level)
    if not 0 < q < 1:
        raise ValueError(f"q {q} must lie between 0 and 1, as 0.5 does")
    array = np.asarray(values, dtype=np.float64)
    found = units(array, samples)
    if not found.rows:
        return Interval(NAN, NAN, NAN, 0, "order statistics", level)
    ordered = np.sort(array[~np.isnan(array)])
    estimate = float(np.quantile(ordered, q))
    if found.rows == found.samples:
        low, high = order_ranks(found.rows, q, level)
        return Interval(estimate, *_ranked(ordered, low, high), found.rows, "order statistics", level)
    below = np.where(np.isnan(array), np.nan, array <= estimate)
    low_at, high_at = _share_limits(q, _effective_rows(units(below, samples), q, level), level)
    low_value = float(np.quantile(ordered, low_at)) if low_at > 0 else -math.inf
    high_value = float(np.quantile(ordered, high_at)) if high_at < 1 else math.inf
    return Interval(estimate, low_value, high_value, found.samples, "Woodruff", level)


@lru_cache(maxsize=4096)
def order_ranks(n: int, q: float, level: float) -> tuple[int, int]:
    """The ranks (1-based) of the order statistics that bound quantile `q` of `n` values.

    0 and n + 1 stand for minus and plus infinity.

    >>> order_ranks(20, 0.5, 0.95)
    (6, 15)
    """
    # below[r]: the chance that fewer than r values lie below the quantile, r = 0 … n + 1.
    below = np.concatenate([[0.0], special.bdtr(np.arange(n), n, q), [1.0]])
    best = (math.inf, math.inf, 0, n + 1)
    for low in range(int(np.searchsorted(below, 1 - level, side="right"))):
        high = int(np.searchsorted(below, below[low] + level - 1e-12))
        if high > n + 1:
            continue
        endless = int(low == 0) + int(high == n + 1)
        coverage = below[high] - below[low]
        lopsided = 0.0 if endless else abs(below[low] - (1 - below[high]))
        best = min(best, (endless, round(coverage + lopsided / 2, 9), -low, high))
    return -best[2], best[3]


def _ranked(ordered: Floats, low: int, high: int) -> tuple[float, float]:
    return (
        float(ordered[low - 1]) if low >= 1 else -math.inf,
        float(ordered[high - 1]) if high <= len(ordered) else math.inf,
    )


def _effective_rows(below: Units, q: float, level: float) -> float:
    # How often a row lies below the quantile is a rate; its scatter between samples tells how many
    # independent rows these are worth. One more sample whose repeats agree fully is added to it: the
    # scatter of a rare thing is mostly judged too small.
    n = below.samples
    scatter = float(((below.means - below.mean) ** 2).sum()) + q * (1 - q)
    rows = float(np.clip(q * (1 - q) * n * n / scatter, n, below.rows))
    return rows * (float(special.ndtri((1 + level) / 2)) / student(n - 1, level)) ** 2


def _share_limits(q: float, trials: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    hits = q * trials
    low = float(special.betaincinv(hits, trials - hits + 1, tail)) if (1 - q) ** trials < tail else 0.0
    high = float(special.betaincinv(hits + 1, trials - hits, 1 - tail)) if q**trials < tail else 1.0
    return low, high
