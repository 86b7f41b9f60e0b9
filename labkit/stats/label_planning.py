"""How many labels it takes beside a judge to decide or to narrow an interval.

By what labels and judge have said so far, and as uncertain as that; say "about". The samples stay: a
label more is one of those that only the judge has valued. `planning` is of samples. Where samples lie in
clusters it takes more labels than are told here, unless they lie in as many more clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special

from labkit.stats.corrected import Corrected
from labkit.stats.intervals import student

_STEPS, _REST = 20, 1e-6


def labels_to_decide(found: Corrected, place: int, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """About how many labels in all would tell the difference of column number `place` from 0.

    If the difference estimated is the true one, so many labels show it (two-sided at `alpha`) with chance
    `power`; with 0.5 they are those at which the interval, kept where it is, would end at 0. None where there
    is no scatter to go by, or where labels for all samples would not do.

    >>> import numpy as np
    >>> from labkit.stats.corrected import corrected_difference
    >>> judged = np.array([1.0, 0, 0, 1, -1, 1, 0, 0] * 40)
    >>> labels = np.where(np.arange(320) < 24, judged, np.nan)
    >>> labels[[0, 9, 18]] = [0, 1, -1]
    >>> labels_to_decide(corrected_difference(labels, judged), 0)
    46
    """
    gap = abs(float(found.t.mean[place]))
    ahead = float(special.ndtri(power))
    return _labels(found, place, gap, lambda freedom: student(freedom, 1 - alpha) + ahead)


def labels_for_width(found: Corrected, place: int, width: float) -> int | None:
    """About how many labels in all would make the interval of column number `place` no wider than `width`.

    None where its error is not known, or where labels for all samples would not do.

    >>> from labkit.stats.corrected import corrected_mean
    >>> found = corrected_mean([1, 0, 1, 1] * 5 + [float("nan")] * 80, [1, 0, 1, 0] * 25)
    >>> labels_for_width(found, 0, 0.3)
    26
    """
    if not width > 0:
        raise ValueError(f"width {width} must be above 0")
    return _labels(found, place, width / 2, lambda freedom: student(freedom, found.level))


def _labels(found: Corrected, place: int, aim: float, reach: Callable[[float], float]) -> int | None:
    """How many labels bring `reach` times the error down to `aim`.

    The variance is as (1 − ρ²) ÷ labels + ρ² ÷ samples; its size is taken from the error so far.
    """
    n, others = int(found.n[place]), int(found.others[place])
    error, freedom = float(found.error[place]), float(found.freedom[place])
    if not (0 < error < math.inf and freedom > 0 and aim > 0):
        return None
    pool = n + others
    square = float(found.saving[place]) * pool / others if others else 0.0
    size = error**2 / ((1 - square) / n + square / pool)
    clustered = int(found.t.units[place]) < n
    labels = float(n)
    for _ in range(_STEPS):
        # More labels bring more degrees of freedom, but perhaps no more clusters.
        room = (aim / reach(freedom if clustered else max(1.0, labels - 1))) ** 2 / size - square / pool
        if room <= 0:
            return None
        labels = (1 - square) / room
    needed = max(2, math.ceil(labels - _REST))
    return needed if needed <= pool else None
