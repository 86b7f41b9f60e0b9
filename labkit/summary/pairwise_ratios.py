"""How many times dearer and slower: the first of each pair over the second, on the cells both have.

Costs by the ratio of means, clocks by that of geometric means (see `labkit.stats.ratios`). Clocks only where
both were timed at the same times (see `clocks`), and no better than labkit's own clocks are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from labkit.stats import Interval, Pairs, Table, ratio_of_means, ratio_of_typical
from labkit.stats.ratios import SERIAL
from labkit.stats.units import Floats
from labkit.summary.clocks import RESOLUTION_S, together
from labkit.summary.contender_table import ContenderTable

_UNKNOWN = Interval(math.nan, math.nan, math.nan, 0, "not known", math.nan)


def ratios(given: ContenderTable, pairs: Pairs, level: float) -> dict[str, Any]:
    """Per pair, as arrays: what an answer costs and how long it takes on common cells, and their ratios.

    `latency_serial` says whether neighbours in time resemble each other, as far as can be told: the
    interval allows for it, or has no limits.
    """
    rows: list[dict[str, float]] = []
    given = _by_columns(given)
    for one, two in zip(pairs.first, pairs.second, strict=True):
        priced = bool(given.cost_known[one] and given.cost_known[two])
        cost = _of_costs(given, one, two, level) if priced else _UNKNOWN
        dollars = _common(given.cost, one, two, np.mean)[1:] if priced else (math.nan, math.nan)
        timed, *times = _common(given.latency, one, two, _typical)
        alike = together(given.clocks[one], given.clocks[two])
        seconds, first = (
            _of_clocks(given, table, one, two, level) if alike else _UNKNOWN
            for table in (given.latency, given.ttft)
        )
        rows.append(
            {
                "first_cost_usd": dollars[0],
                "second_cost_usd": dollars[1],
                "first_latency_s": times[0],
                "second_latency_s": times[1],
                "cost_n": cost.n,
                "latency_n": timed,
                "latency_serial": seconds.method == SERIAL,
            }
            | _limits("cost", cost)
            | _limits("latency", seconds)
            | _limits("ttft", first)
        )
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _by_columns(given: ContenderTable) -> ContenderTable:
    """The same with what is read pair by pair lying contender after contender, which is quicker to read."""
    tables = {name: getattr(given, name) for name in ("cost", "latency", "ttft", "asked_at")}
    return replace(given, **{n: replace(t, means=np.asfortranarray(t.means)) for n, t in tables.items()})


def within_resolution(found: Interval, first: float, second: float) -> Interval:
    """The interval of a ratio of two clocks, widened by what labkit's clocks may be wrong by.

    `first` and `second` are the typical times (s). NaN and limits that are none stay what they are.

    >>> found = within_resolution(Interval(0.5, 0.4, 0.6, 20, "t", 0.95), 0.010, 0.020)
    >>> round(found.low, 3), round(found.high, 3)
    (0.2, 1.2)
    """
    factor = 1 + RESOLUTION_S / min(first, second)
    return replace(found, low=found.low / factor, high=found.high * factor)


def _limits(name: str, found: Interval) -> dict[str, float]:
    return {f"{name}_ratio": found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def _of_costs(given: ContenderTable, one: int, two: int, level: float) -> Interval:
    costs = given.cost.means
    return ratio_of_means(costs[:, one], costs[:, two], clusters=given.score.clusters, level=level)


def _of_clocks(given: ContenderTable, table: Table, one: int, two: int, level: float) -> Interval:
    first, second = table.means[:, one], table.means[:, two]
    times = given.asked_at.means[:, one], given.asked_at.means[:, two]
    if np.isnan(first).all() or np.isnan(second).all():
        return _UNKNOWN
    # What lasts within labkit's own time says nothing of the models.
    told = bool((np.abs(first - second) > RESOLUTION_S).any())
    found = ratio_of_typical(
        first, second, clusters=given.score.clusters, asked_at=times if told else None, level=level
    )
    return within_resolution(found, *_common(table, one, two, _typical)[1:])


def _typical(seconds: Floats) -> float:
    return float(np.exp(np.mean(np.log(seconds))))


def _common(table: Table, one: int, two: int, mean: Callable[[Floats], Any]) -> tuple[int, float, float]:
    """How many cells two have in common, and what each has there on average."""
    first, second = table.means[:, one], table.means[:, two]
    both = ~(np.isnan(first) | np.isnan(second))
    if not both.any():
        return 0, math.nan, math.nan
    return int(both.sum()), float(mean(first[both])), float(mean(second[both]))
