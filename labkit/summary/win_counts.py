"""Wins, ties and losses of each pair, sample by sample: a sample counts once, whatever its prompts.

It makes no claim about who is better; it does not know levels or intervals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.stats import Pairs
from labkit.stats.units import Floats
from labkit.summary.contender_table import ContenderTable


def by_sample(apart: Floats, sample: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """The mean per sample of differences per cell, NaN left out, and which samples have any."""
    common = ~np.isnan(apart)
    samples = sample[common]
    count = np.bincount(samples)
    found = np.flatnonzero(count)
    return np.bincount(samples, weights=apart[common])[found] / count[found], found


def win_counts(given: ContenderTable, pairs: Pairs) -> dict[str, Any]:
    """The columns `samples`, `wins`, `ties` and `losses` of compare_pairs."""
    if not given.over:
        return {"samples": pairs.n, "wins": pairs.wins, "ties": pairs.ties, "losses": pairs.losses}
    rows, means = [], given.score.means
    level = given.score.scale.without_rests
    for first, second in zip(pairs.first, pairs.second, strict=True):
        apart = level(by_sample(means[:, first] - means[:, second], given.sample)[0], means)
        rows.append((len(apart), *(int(found.sum()) for found in (apart > 0, apart < 0))))
    samples, wins, losses = np.array(rows, dtype=np.intp).reshape(-1, 3).T
    return {"samples": samples, "wins": wins, "ties": samples - wins - losses, "losses": losses}
