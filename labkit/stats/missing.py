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


def worst_case(
    table: Table, first: int, second: int, *, low: float = 0.0, high: float = 1.0, level: float = 0.95
) -> Interval:
    """The difference first − second over all samples of `table`, whatever the missing answers were.

    The estimate is that over common samples; the limits are those of the two extremes: every
    missing answer of the first at `low` and of the second at `high`, and the reverse (Horowitz &
    Manski 2000). With nothing missing it is the ordinary interval. Raises ValueError where a value
    lies outside `low` … `high`.

    >>> from labkit.stats.table import sample_table
    >>> rows = sample_table([1, 1, 1, 0, 0], [1, 2, 3, 1, 2], list("aaabb"))
    >>> found = worst_case(rows, 0, 1)
    >>> found.estimate, found.n, found.high
    (1.0, 3, 1.0)
    """
    one, two = table.means[:, first], table.means[:, second]
    present = np.concatenate([one, two])
    present = present[~np.isnan(present)]
    if len(present) and (present.min() < low or present.max() > high):
        raise ValueError(
            f"values from {present.min():g} to {present.max():g} lie outside {low:g} to {high:g}"
        )

    def compared(one: Floats, two: Floats) -> Interval:
        found = paired_difference(one, two, clusters=table.clusters, binary=table.binary, level=level)
        return found.interval(0)

    def filled(first_at: float, second_at: float) -> Interval:
        return compared(np.where(np.isnan(one), first_at, one), np.where(np.isnan(two), second_at, two))

    least, most = filled(low, high).low, filled(high, low).high
    common = compared(one, two)
    return Interval(common.estimate, least, most, len(one), "worst case of missing answers", level)
