"""How many times dearer or slower: ratios over common samples, with intervals.

For costs the ratio of means (what a bill shows), for latencies the ratio of geometric means (what
one waits, typically), since latencies are skewed. Samples, or clusters of samples, are wholes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from labkit.stats.intervals import NAN, Interval, check_level, mean_interval, student
from labkit.stats.units import Floats, units

_LARGEST = 300.0
"""A factor beyond e to this is no bound."""


def ratio_of_means(
    first: ArrayLike, second: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Mean of `first` ÷ mean of `second` over the samples that both have (NaN: has not).

    The interval is Student's on the logarithm (Fieller's problem avoided since costs are positive). Its
    variance is the sum of squares of what leaving out each unit changes: the jackknife without its factor
    (n−1)/n, as in HC3 (MacKinnon & White 1985), since the linearised variance fell to a coverage of 91 %
    with skewed costs at n = 20. NaN where a mean is 0 or values are negative.

    >>> found = ratio_of_means([2.0, 4.1, 6.0], [1.0, 2.0, 3.1])
    >>> round(found.estimate, 3), found.n
    (1.984, 3)
    """
    check_level(level)
    one, two, cluster = _common(first, second, clusters)
    if not len(one) or one.min() < 0 or two.min() < 0 or one.sum() == 0 or two.sum() == 0:
        return Interval(NAN, NAN, NAN, len(one), "log ratio of means", level)
    log = math.log(one.mean() / two.mean())
    parts = [units(values, clusters=cluster).sums for values in (one, two)]
    n = len(parts[0])
    reach = math.inf
    if n > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            # All of it may lie in one unit: leaving that out there is no ratio, and nothing bounds it.
            left_out = [np.log(np.maximum(part.sum() - part, 0.0)) for part in parts]
            changes = left_out[0] - left_out[1] - log
        if np.isfinite(changes).all():
            reach = student(n - 1, level) * math.sqrt(float((changes**2).sum()))
    limits = (math.exp(log - reach), math.exp(log + reach)) if reach < _LARGEST else (0.0, math.inf)
    return Interval(math.exp(log), *limits, len(one), "log ratio of means", level)


def ratio_of_typical(
    first: ArrayLike, second: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Geometric mean of `first` ÷ that of `second` over the samples that both have (NaN: has not).

    Student's interval on the paired differences of logarithms: right for latencies, whose
    logarithms are about symmetric. NaN where a value is 0 or negative.

    >>> found = ratio_of_typical([2.0, 4.0, 8.0], [1.0, 2.0, 4.0])
    >>> round(found.estimate, 3)
    2.0
    """
    one, two, cluster = _common(first, second, clusters)
    if not len(one) or one.min() <= 0 or two.min() <= 0:
        return Interval(NAN, NAN, NAN, len(one), "log ratio of geometric means", level)
    found = mean_interval(np.log(one / two), clusters=cluster, level=level)
    limits = [float(np.exp(value)) for value in (found.estimate, found.low, found.high)]
    return Interval(limits[0], limits[1], limits[2], found.n, "log ratio of geometric means", level)


def _common(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, ArrayLike | None]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(f"{one.size} and {two.size} sample means do not match")
    both = ~np.isnan(one) & ~np.isnan(two)
    return one[both], two[both], None if clusters is None else np.asarray(clusters)[both]
