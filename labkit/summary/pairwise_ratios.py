"""How many times dearer and slower: the first of each pair over the second, on the cells both have.

Costs by the ratio of means, clocks by that of geometric means (see `labkit.stats.ratios`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.stats import Interval, Pairs, Table, ratio_of_means, ratio_of_typical
from labkit.stats.units import Floats
from labkit.summary.contender_table import ContenderTable


def ratios(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """Per pair, as arrays: what an answer costs and how long it takes on common cells, and their ratios."""
    rows: list[dict[str, float]] = []
    clusters = given.score.clusters
    for one, two in zip(pairs.first, pairs.second, strict=True):
        priced = bool(given.cost_known[one] and given.cost_known[two])
        cost = _ratio(given.cost, one, two, ratio_of_means, clusters, level, known=priced)
        seconds = _ratio(given.latency, one, two, ratio_of_typical, clusters, level)
        first = _ratio(given.ttft, one, two, ratio_of_typical, clusters, level)
        dollars = _common(given.cost, one, two, np.mean) if priced else (math.nan, math.nan)
        times = _common(given.latency, one, two, lambda found: np.exp(np.mean(np.log(found))))
        rows.append(
            {
                "first_cost_usd": dollars[0],
                "second_cost_usd": dollars[1],
                "first_latency_s": times[0],
                "second_latency_s": times[1],
                "cost_n": cost.n,
                "latency_n": seconds.n,
            }
            | _limits("cost", cost)
            | _limits("latency", seconds)
            | _limits("ttft", first)
        )
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _limits(name: str, found: Interval) -> dict[str, float]:
    return {f"{name}_ratio": found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def _ratio(
    table: Table,
    first: int,
    second: int,
    method: Callable[..., Interval],
    clusters: NDArray[np.intp] | None,
    level: float,
    *,
    known: bool = True,
) -> Interval:
    one, two = table.means[:, first], table.means[:, second]
    if not known:
        return Interval(math.nan, math.nan, math.nan, 0, "not known", level)
    return method(one, two, clusters=clusters, level=level)


def _common(table: Table, first: int, second: int, mean: Callable[[Floats], Any]) -> tuple[float, float]:
    one, two = table.means[:, first], table.means[:, second]
    both = ~np.isnan(one) & ~np.isnan(two)
    if not both.any():
        return math.nan, math.nan
    return float(mean(one[both])), float(mean(two[both]))
