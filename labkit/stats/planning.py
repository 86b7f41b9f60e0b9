"""How many more samples it would take: to decide a comparison, or to narrow an interval.

Both go by the data so far and are as uncertain as these; say "about". This module knows no price.
"""

from __future__ import annotations

import math

from scipy import special

from labkit.stats.intervals import Interval
from labkit.stats.paired import Pairs


def samples_to_decide(
    pairs: Pairs, place: int, *, power: float = 0.8, alpha: float = 0.05, margin: float = 0.0
) -> int | None:
    """About how many samples in all would tell the two of pair number `place` apart.

    If the difference seen is the true one, so many samples show it (two-sided at `alpha`) with
    chance `power`. With a `margin`: show that the difference lies within it. None where the pair
    has no scatter to go by, or no number would do (no difference; a difference beyond the margin).

    >>> from labkit.stats.paired import paired_difference
    >>> found = paired_difference([1, 0, 1, 1, 0, 1, 1, 0] * 5, [1, 0, 0, 1, 1, 1, 0, 0] * 5)
    >>> samples_to_decide(found, 0)
    187
    """
    seen, n = float(pairs.difference[place]), int(pairs.n[place])
    error, clusters = float(pairs.error[place]), int(pairs.freedom[place]) + 1
    if not 0 < error < math.inf or clusters < 2:
        return None
    if margin > 0:
        gap, level = margin - abs(seen), 1 - alpha
    else:
        gap, level = abs(seen), 1 - alpha / 2
    if gap <= 0:
        return None
    reach = float(special.ndtri(level) + special.ndtri(power))
    return max(2, math.ceil(n * (reach * error / gap) ** 2))


def samples_for_width(found: Interval, width: float) -> int | None:
    """About how many samples in all would make the interval `found` no wider than `width`.

    Its width is taken to shrink with the root of n. None where it has no finite width.

    >>> from labkit.stats.intervals import wilson
    >>> samples_for_width(wilson(50, 100), 0.1)
    370
    """
    if not width > 0:
        raise ValueError(f"width {width} must be above 0")
    if not math.isfinite(found.width):
        return None
    return max(2, math.ceil(found.n * (found.width / width) ** 2))
