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
    apart = array - array.mean(axis=0) if len(array) else array
    return skewness_of(apart, len(array))


def skewness_of(residuals: Floats, n: ArrayLike) -> Floats:
    """The same from `residuals` around the mean of `n` values; what is no value is 0 among them.

    >>> round(float(skewness_of(np.array([-3.0, -2.0, -1.0, 6.0]), 4)), 3)
    1.764
    """
    count = np.asarray(n, dtype=np.float64)
    squares = residuals * residuals
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.sqrt(squares.sum(axis=0) / (count - 1))
        found = count / ((count - 1) * (count - 2)) * (squares * residuals).sum(axis=0) / s**3
    return np.where((count > 2) & (s > 0), np.nan_to_num(found), 0.0)


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
        bend = 3 * a * y
        with np.errstate(divide="ignore", invalid="ignore"):
            # Near no skewness the plain difference of roots would be rounding only.
            cubic = np.where(bend > -0.5, np.expm1(np.log1p(bend) / 3), np.cbrt(1 + bend) - 1) / a
        cubic = np.where(a == 0, y, cubic)
        reaches.append(side * np.maximum(side * cubic, critical) * error)
    return mean - reaches[0], mean - reaches[1]


def _terms(skewness: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    term = np.asarray(skewness, dtype=np.float64) / np.sqrt(np.maximum(np.asarray(n, dtype=np.float64), 1))
    return term / 3, term / 6
