"""Intervals that hold at every moment, so that a study may be watched and stopped when it is decided.

An ordinary interval holds for a number of samples fixed beforehand; looked at after every sample it
is wrong far more often than its level says. These are wider, and right at any stopping time. They
need bounds for the values, and samples in the order in which they were asked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from labkit.stats.intervals import NAN, Interval, check_level
from labkit.stats.scale import Scale
from labkit.stats.units import Floats, units

GRID = 2001
"""Candidate means that are tried; limits are rounded outwards to the next one."""


def sequential_interval(
    values: ArrayLike, *, low: float = 0.0, high: float = 1.0, level: float = 0.95
) -> Interval:
    """The mean of bounded `values`, one per sample in their order, with an always-valid interval.

    The chance that the true mean *ever* leaves the intervals after 1, 2, 3 … samples is at most
    1 − level, whatever the distribution (hedged betting; Waudby-Smith & Ramdas 2024, section 4).
    For differences of scores from 0 to 1 use `low=-1, high=1`; with repeats give sample means. NaN
    is left out. Raises ValueError where a value lies outside the bounds.

    >>> found = sequential_interval([1, 0, 1, 1] * 25)
    >>> round(found.low, 2), found.estimate, round(found.high, 2)
    (0.61, 0.75, 0.87)
    """
    check_level(level)
    given = np.asarray(values, dtype=np.float64)
    given = given[~np.isnan(given)]
    if not len(given):
        return Interval(NAN, NAN, NAN, 0, "always valid", level)
    if given.min() < low or given.max() > high:
        raise ValueError(f"values from {given.min():g} to {given.max():g} lie outside {low:g} to {high:g}")
    share = (given - low) / (high - low)
    grid = np.linspace(0, 1, GRID)
    kept = np.flatnonzero(_largest_wealth(share, grid, level) < math.log(1 / (1 - level)))
    # A mean between two grid points may still stand where its neighbours fell.
    step = 1 / (GRID - 1)
    least, most = (grid[kept[0]], grid[kept[-1]]) if len(kept) else (share.mean(), share.mean())
    limits = [low + (high - low) * min(1.0, max(0.0, end)) for end in (least - step, most + step)]
    return Interval(
        float(given.mean()), float(limits[0]), float(limits[1]), len(given), "always valid", level
    )


def watched_interval(values: ArrayLike, scale: Scale, *, samples: ArrayLike, level: float = 0.95) -> Interval:
    """The mean over samples of scores on a bounded `scale`, always valid; `samples` numbers them as asked.

    >>> watched_interval([1, 5, 3, 4], Scale(1, 5), samples=[0, 0, 1, 2]).estimate
    3.3333333333333335
    """
    found = units(values, samples)
    means = np.clip(found.means, scale.low, scale.high)  # a mean may be a rounding beyond
    return sequential_interval(means, low=scale.low, high=scale.high, level=level)


def _largest_wealth(share: Floats, grid: Floats, level: float) -> Floats:
    """For each candidate mean the most a gambler against it ever owned, as a logarithm."""
    stakes = _stakes(share, level)
    wealth_up, wealth_down = np.zeros(len(grid)), np.zeros(len(grid))
    largest = np.full(len(grid), -np.inf)
    # Never stake more than half of what a candidate allows, so that no gambler goes broke.
    with np.errstate(divide="ignore"):
        most_up, most_down = 0.5 / grid, 0.5 / (1 - grid)
    for value, stake in zip(share, stakes, strict=True):
        wealth_up += np.log1p(np.minimum(stake, most_up) * (value - grid))
        wealth_down += np.log1p(-np.minimum(stake, most_down) * (value - grid))
        np.maximum(largest, np.maximum(wealth_up, wealth_down), out=largest)
    return largest - math.log(2)


def _stakes(share: Floats, level: float) -> Floats:
    # Each stake is known before its value: mean and variance are of the values before it.
    n = np.arange(1, len(share) + 1)
    mean = (0.5 + np.cumsum(share)) / (n + 1)
    variance = (0.25 + np.cumsum((share - mean) ** 2)) / (n + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    return np.sqrt(2 * math.log(2 / (1 - level)) / (before * n * np.log1p(n)))
