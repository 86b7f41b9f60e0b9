"""Missing scores of each pair: how many there are, and the worst they could do to its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.stats import Pairs, pairwise
from labkit.summary.contender_table import ContenderTable
from labkit.summary.corrected_pairs import JUDGE


def worst(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """The columns `missing`, `worst_low`, `worst_high` of pairs; infinite where what lacks has no bounds."""
    table, k = given.score, len(given.names)
    absent = missing(given, pairs)
    least, most = pairs.limits(level)
    if not table.scale.bounded:
        return {
            "missing": absent,
            "worst_low": np.where(absent > 0, -np.inf, least),
            "worst_high": np.where(absent > 0, np.inf, most),
        }
    low, high = given.at_ends()
    for first in np.unique(pairs.first[absent > 0]):
        # Column 0 is this contender with its missing scores lowest, column 1 highest; the others follow.
        means = np.column_stack([low[:, first], high[:, first], low, high])
        filled = replace(table, means=means, counts=(~np.isnan(means)).astype(np.intp))
        at_worst, at_best = (pairwise(filled, level=level, against=side) for side in (0, 1))
        for place in np.flatnonzero((pairs.first == first) & (absent > 0)):
            second = int(pairs.second[place])
            least[place] = -at_worst.high[at_worst.first == 2 + k + second][0]
            most[place] = -at_best.low[at_best.first == 2 + second][0]
    return {"missing": absent, "worst_low": least, "worst_high": most}


def worst_corrected(
    given: ContenderTable, pairs: Pairs, data: dict[str, Any], basis: NDArray[Any]
) -> dict[str, Any]:
    """The same columns of pairs that people labelled: what lacks there are answers, since a verdict that was
    not read is made up for. The worst of them are as far apart as the scale is wide."""
    by_labels = basis != JUDGE
    both = given.asked[:, pairs.first] & given.asked[:, pairs.second]
    answered = given.answered[:, pairs.first] & given.answered[:, pairs.second]
    gone, there = (both & ~answered).sum(axis=0), (both & answered).sum(axis=0)
    with np.errstate(invalid="ignore"):
        share = gone / np.maximum(1, gone + there)
        far = np.where(gone > 0, share * given.score.scale.width, 0.0)
        ends = {
            "worst_low": (1 - share) * data["all_low"] - far,
            "worst_high": (1 - share) * data["all_high"] + far,
        }
    found = {name: np.where(by_labels, end, data[name]) for name, end in ends.items()}
    return {"missing": np.where(by_labels, gone, data["missing"]), **found}


def missing(given: ContenderTable, pairs: Pairs) -> NDArray[np.intp]:
    """For each pair, the cells of both designs that lack a score of one of them."""
    gone = given.asked & np.isnan(given.score.means)
    counts = [
        int(((gone[:, one] & given.asked[:, two]) | (gone[:, two] & given.asked[:, one])).sum())
        for one, two in zip(pairs.first, pairs.second, strict=True)
    ]
    return np.array(counts, dtype=np.intp)
