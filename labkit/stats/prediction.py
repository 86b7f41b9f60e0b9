"""What the total of values still to come will be, told from a few that were seen.

Numbers in, numbers out. It assumes that the values to come are drawn like those seen (at random from
the same rows), and nothing of their distribution but its bounds. How often its range holds is simulated
in `benchmarks/estimates.py`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.stats.intervals import Interval, check_level


def total_interval(
    seen: ArrayLike,
    more: int,
    *,
    lowest: float,
    highest: float,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """The total of `more` values to come, none below `lowest` or above `highest`, from those `seen`.

    n values leave n + 1 gaps, and whatever the distribution, the numbers of values to come in each are a
    Pólya urn's (Hill 1968). The high end puts each at its gap's upper end, the topmost at `highest`, and
    takes the quantile of that total; the low end likewise from below. For the mean of many values these
    are the bounds of Gaffke (2005), in practice never seen to fail (Phan, Thomas & Learned-Miller 2021).
    Where all seen are alike the high end has a share of 1 − 0.05^(1/n), about 3/n, at `highest`: the rule
    of three (Hanley & Lippman-Hand 1983).

    The same seed gives the same interval. Where `highest` is a guess, the level holds as far as it does.

    >>> found = total_interval([30, 31, 32, 31, 30] * 4, 100, lowest=1, highest=64)
    >>> found.estimate, found.low > 2500, found.high < 3700
    (3080.0, True, True)
    """
    check_level(level)
    values = np.sort(np.asarray(seen, dtype=float))
    if not len(values):
        raise ValueError("nothing was seen; a total cannot be told from no values")
    if not (np.isfinite(values).all() and lowest <= values[0] and values[-1] <= highest):
        raise ValueError(f"the values seen must lie from {lowest} to {highest}")
    if more < 0:
        raise ValueError(f"more is {more}; there cannot be fewer than no values to come")
    counts = _urn(len(values) + 1, more, draws, seed)
    tail = (1 - level) / 2
    low = np.quantile(counts @ np.concatenate(([lowest], values)), tail)
    high = np.quantile(counts @ np.concatenate((values, [highest])), 1 - tail)
    estimate = float(values.mean()) * more
    # With few draws the middle may lie beyond an end by the draws' own error.
    return Interval(
        estimate, min(float(low), estimate), max(float(high), estimate), len(values), "Pólya urn", level
    )


@lru_cache(maxsize=8)
def _urn(gaps: int, more: int, draws: int, seed: int) -> NDArray[np.int64]:
    """How many of `more` fall into each gap, a draw a row. Kept: the cells of a plan mostly share one."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(more, rng.dirichlet(np.ones(gaps), size=draws))
    counts.setflags(write=False)
    return counts
