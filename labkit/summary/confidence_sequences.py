"""Limits of each pair's difference that hold at any moment, for a study that is watched and stopped.

By Waudby-Smith & Ramdas (2024), over samples in the order they were asked. Scores have declared bounds
here; that is seen to before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labkit.stats import Pairs, sequential_interval
from labkit.summary.contender_table import ContenderTable
from labkit.summary.missing_scores import missing
from labkit.summary.win_counts import by_sample


def anytime_limits(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """The columns of pairs that say where the difference lies and whether that decides."""
    low, high = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        low[place], high[place] = _always(given, first, second, (np.nan, np.nan), level)
    nothing = np.full(len(pairs), np.nan)
    return {
        "low": low,
        "high": high,
        "all_low": low,
        "all_high": high,
        "p_value": nothing,
        "p_holm": nothing,
        "decided": (low > 0) | (high < 0),
    }


def anytime_worst(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """The same limits whatever missing scores would have been."""
    least, most = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    lowest, highest = given.score.scale.low, given.score.scale.high
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        least[place] = _always(given, first, second, (lowest, highest), level)[0]
        most[place] = _always(given, first, second, (highest, lowest), level)[1]
    return {"missing": missing(given, pairs), "worst_low": least, "worst_high": most}


def _always(
    given: ContenderTable, first: int, second: int, absent: tuple[float, float], level: float
) -> tuple[float, float]:
    """Limits of the difference that hold at any moment, with `absent` for missing scores of each."""
    both = []
    for column, value in zip((first, second), absent, strict=True):
        means, asked = given.score.means[:, column], given.asked[:, column]
        both.append(np.where(np.isnan(means) & asked, value, means))
    apart, samples = by_sample(both[0] - both[1], given.sample)
    if not len(apart):
        return math.nan, math.nan
    rank = np.argsort(given.order)
    asked_in = apart[np.argsort(rank[samples], kind="stable")]
    width = given.score.scale.width
    found = sequential_interval(np.clip(asked_in, -width, width), low=-width, high=width, level=level)
    return found.low, found.high
