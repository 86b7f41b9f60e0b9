"""Student's t for skewed values: the statistic and its limits, corrected for their skewness.

With skewed values t is skewed the other way, so that its interval misses on one side. Hall's cubic
transformation takes that out (Hall, P. (1992), On the removal of skewness by transformation, JRSS B
54, 221–228). Since it shortens the other side by about as much, on the word of a skewness that few values
tell badly, here Student's interval is never shortened: the two are united.
This module knows arrays only; it does not know what was averaged, nor whether units were clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from labkit.stats.units import Floats


def sample_skewness(values: ArrayLike) -> Floats:
    """The adjusted skewness of `values` along the first axis; 0 with fewer than three or no scatter.

    n ÷ ((n−1)(n−2)) · Σ((x − mean) ÷ s)³, as `scipy.stats.skew(values, bias=False)`.

    >>> round(float(sample_skewness([1.0, 2.0, 3.0, 10.0])), 3)
    1.764
    """
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n < 3:
        return np.zeros(array.shape[1:])
    apart = array - array.mean(axis=0)
    s = np.sqrt((apart**2).sum(axis=0) / (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        cubes = ((apart / s) ** 3).sum(axis=0)
    return np.where(s > 0, n / ((n - 1) * (n - 2)) * cubes, 0.0)


def corrected(t: ArrayLike, skewness: ArrayLike, n: ArrayLike) -> Floats:
    """Mean ÷ standard error, corrected for the `skewness` of the `n` values: Hall's, where nearer to 0.

    Where the result is compared with Student's quantile, the test says what `corrected_limits` says.
    All three may be arrays.

    >>> float(corrected(-3.0, 1.5, 25)), float(corrected(3.0, 1.5, 25))
    (-2.14, 3.0)
    """
    t = np.asarray(t, dtype=np.float64)
    a, b = _terms(skewness, n)
    with np.errstate(invalid="ignore"):
        cubic = t + a * t**2 + a**2 * t**3 / 3 + b
        return np.where(np.abs(cubic) < np.abs(t), cubic, t)


def corrected_limits(
    mean: ArrayLike, error: ArrayLike, skewness: ArrayLike, n: ArrayLike, critical: ArrayLike
) -> tuple[Floats, Floats]:
    """Low and high end of the interval of a mean with that standard error and skewness of `n` values.

    `critical` is Student's quantile. The interval holds both Student's and Hall's. All may be arrays.

    >>> low, high = corrected_limits(5.0, 1.0, 1.5, 25, 2.0)
    >>> round(float(low), 2), round(float(high), 2)
    (3.0, 7.73)
    """
    mean, error, critical = (np.asarray(one, dtype=np.float64) for one in (mean, error, critical))
    a, b = _terms(skewness, n)
    reaches = []
    for side in (1, -1):
        y = side * critical - b
        with np.errstate(divide="ignore", invalid="ignore"):
            cubic = np.where(a == 0, y, (np.cbrt(1 + 3 * a * y) - 1) / a)
        reaches.append(side * np.maximum(side * cubic, critical) * error)
    return mean - reaches[0], mean - reaches[1]


def _terms(skewness: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    term = np.asarray(skewness, dtype=np.float64) / np.sqrt(np.asarray(n, dtype=np.float64))
    return term / 3, term / 6
