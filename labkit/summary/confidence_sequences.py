"""Limits of each pair's difference that hold at any moment, for a study that is watched and stopped.

By Waudby-Smith & Ramdas (2024), over samples in the order they were asked. Scores have declared bounds
here; that is seen to before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labkit.stats import Pairs, sequential_interval
from labkit.stats.units import Floats
from labkit.summary.contender_table import ContenderTable
from labkit.summary.missing_scores import missing
from labkit.summary.win_counts import by_sample


def anytime_limits(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """The columns of pairs that say where the difference lies and whether that decides."""
    low, high = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    means = given.score.means
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        low[place], high[place] = _always(given, means[:, first] - means[:, second], level)
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
    lowest, highest = given.at_ends()
    for place, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        least[place] = _always(given, lowest[:, first] - highest[:, second], level)[0]
        most[place] = _always(given, highest[:, first] - lowest[:, second], level)[1]
    return {"missing": missing(given, pairs), "worst_low": least, "worst_high": most}


def _always(given: ContenderTable, differences: Floats, level: float) -> tuple[float, float]:
    """Limits of the mean of differences (one per cell, NaN: none) that hold at any moment."""
    apart, samples = by_sample(differences, given.sample)
    if not len(apart):
        return math.nan, math.nan
    rank = np.argsort(given.order)
    asked_in = apart[np.argsort(rank[samples], kind="stable")]
    width = given.score.scale.width
    found = sequential_interval(np.clip(asked_in, -width, width), low=-width, high=width, level=level)
    return found.low, found.high
