"""The variance of a mean over clusters of samples, and how many degrees of freedom it has.

Sums and sizes per cluster in, by columns. Without clusters each sample is one of size 1 and all comes to
the ordinary s²/n with n − 1. It knows no interval.
"""

from __future__ import annotations

import numpy as np

from labkit.stats.units import Floats


def variance_of_mean(sums: Floats, sizes: Floats) -> Floats:
    """The CR2 variance of Σ sums ÷ Σ sizes (Bell & McCaffrey 2002), per column.

    A cluster of size 0 counts as none. NaN or infinite with fewer than two clusters.

    >>> variance_of_mean(np.array([[1.0], [2.0], [3.0]]), np.ones((3, 1))).round(3).tolist()
    [0.333]
    """
    total = sizes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = sums - sums.sum(axis=0) / total * sizes
        return np.asarray((residuals**2 / (1 - sizes / total)).sum(axis=0) / total**2)


def freedom(sizes: Floats) -> Floats:
    """Satterthwaite's degrees of freedom of that variance, per column: clusters − 1 where they are alike.

    Fewer where sizes differ (Pustejovsky & Tipton 2018, with independent samples as working model).

    >>> freedom(np.ones((5, 1))).tolist(), freedom(np.array([[8.0], [1.0], [1.0]])).round(2).tolist()
    ([4.0], [1.25])
    """
    total = sizes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = sizes**2 / (1 - sizes / total)
        apart = (weights.sum(axis=0) ** 2 - (weights**2).sum(axis=0)) / total**2
        found = total**2 / ((sizes**2).sum(axis=0) + apart)
    return np.where((sizes > 0).sum(axis=0) > 1, found, 0.0)
