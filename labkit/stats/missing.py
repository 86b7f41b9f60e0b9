"""What missing answers could do to a comparison, at worst.

Comparing common samples is right only where it is chance which answers are missing. The bounds here
assume nothing about that.
"""

from __future__ import annotations

import numpy as np

from labkit.stats.intervals import Interval
from labkit.stats.paired import paired_difference
from labkit.stats.table import Table
from labkit.stats.units import Floats


def worst_case(table: Table, first: int, second: int, *, level: float = 0.95) -> Interval:
    """The difference first − second over all samples of `table`, whatever the missing answers were.

    The estimate is that over common samples; the limits are those of the two extremes: every
    missing answer of the first at the scale's low end and of the second at its high one, and the
    reverse (Horowitz & Manski 2000). With nothing missing it is the ordinary interval. Infinite where the
    table's scale was not declared and something is missing.

    >>> from labkit.stats.table import sample_table
    >>> from labkit.stats.scale import Scale
    >>> rows = sample_table([1, 1, 1, 0, 0], [1, 2, 3, 1, 2], list("aaabb"), scale=Scale(0, 1, 1))
    >>> found = worst_case(rows, 0, 1)
    >>> found.estimate, found.n, found.high
    (1.0, 3, 1.0)
    """
    one, two = table.means[:, first], table.means[:, second]

    def compared(one: Floats, two: Floats) -> Interval:
        return paired_difference(one, two, clusters=table.clusters, scale=table.scale, level=level).interval(
            0
        )

    common = compared(one, two)
    if not table.scale.bounded and np.isnan(one + two).any():
        return Interval(common.estimate, -np.inf, np.inf, len(one), "worst case of missing answers", level)

    def filled(first_at: float, second_at: float) -> Interval:
        return compared(np.where(np.isnan(one), first_at, one), np.where(np.isnan(two), second_at, two))

    low, high = table.scale.low, table.scale.high
    least, most = filled(low, high).low, filled(high, low).high
    return Interval(common.estimate, least, most, len(one), "worst case of missing answers", level)
