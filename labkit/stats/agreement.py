"""How far raters agree: Krippendorff's α, Cohen's κ and the plain share, with intervals over units.

A unit is what was rated (an answer, a pair of answers); only those that two raters or more have rated count.
α and κ are 1 where all agree and 0 where they agree as often as chance would have it. This module knows no
rater by name and judges no figure: what is called good agreement is not its matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.stats.bootstrap import bca_limits
from labkit.stats.intervals import NAN, Interval, check_level, score_interval
from labkit.stats.scale import Scale
from labkit.stats.units import Floats, coded

Measure = Literal["nominal", "ordinal", "interval", "ratio"]
Statistic = Callable[[Floats, Floats, float], Floats]
"""Agreement by weights of units (one row each), by the weight of one more unit that is imagined, and by how
much of the disagreement by chance that one shows."""

_AT_ONCE = 2_000_000
"""So many weights are drawn at once."""


@dataclass(frozen=True)
class Agreement:
    """An agreement with its interval, of which `n` counts the units that two raters or more have rated."""

    interval: Interval
    all_alike: bool
    """Every rating of those units is the same: that tells nothing of agreement, and the estimate is NaN."""


def krippendorff_alpha(
    values: ArrayLike,
    units: ArrayLike,
    *,
    measure: Measure = "nominal",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Krippendorff's α (2018, chapter 12) of ratings, one entry each; `units` names what was rated.

    `values` are labels for a nominal `measure`, else numbers; NaN and None are left out. The interval is the
    bootstrap's BCa one over units, united with one from units weighed by the exponential distribution (Rubin
    1981) and an imagined unit besides: rated at random for the low end, alike for the high one. That 20 units
    all agree is no certainty.

    Simulated with 20, 50 and 200 units, 2 and 4 raters and a true α of 0, 0.5 and 0.95, it held the truth in
    93 % of studies and more where no value was much more frequent than all others. Where nine in ten ratings
    are of one value, few units do not tell how rare the other is: then it held in as few as 74 % of studies
    with 20 units, 82 % with 50 and 83 % with 200.

    >>> krippendorff_alpha(["a", "a", "b", "b", "a", "b"], [1, 1, 2, 2, 3, 3]).interval.estimate
    0.4444444444444444
    """
    if measure not in ("nominal", "ordinal", "interval", "ratio"):
        raise ValueError(f"measure {measure!r} is none of nominal, ordinal, interval, ratio")
    value, unit = _known(values, units, numbers=measure != "nominal")
    names, code = coded(value)
    _, of = coded(unit)
    counts = np.zeros((int(of.max(initial=-1)) + 1, len(names)))
    np.add.at(counts, (of, code), 1.0)
    counts = counts[counts.sum(axis=1) > 1]
    return _agreement(_alpha(counts, names, measure), counts, "Krippendorff's α", level, resamples, seed)


def cohen_kappa(
    first: ArrayLike, second: ArrayLike, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Agreement:
    """Cohen's κ (1960) of two raters' labels of the same units, in the same order; None and NaN are left out.

    The interval is made as that of `krippendorff_alpha`.

    >>> round(cohen_kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"]).interval.estimate, 3)
    0.5
    """
    one, two = _labels(first), _labels(second)
    if one.shape != two.shape:
        raise ValueError(f"{one.size} and {two.size} ratings do not match")
    keep = _there(one) & _there(two)
    names, code = coded(np.concatenate([one[keep], two[keep]]))
    places = code.reshape(2, -1)
    rows = np.arange(places.shape[1])
    by_rater = np.zeros((2, places.shape[1], len(names)))
    by_rater[0, rows, places[0]] = by_rater[1, rows, places[1]] = 1.0
    return _agreement(_kappa(*by_rater), by_rater.sum(axis=0), "Cohen's κ", level, resamples, seed)


def percent_agreement(values: ArrayLike, units: ArrayLike, *, level: float = 0.95) -> Interval:
    """The mean over units of the share of pairs of ratings that are the same label.

    Wilson's interval where each unit has two ratings, Gaffke's bounds otherwise.

    >>> percent_agreement(["a", "a", "b", "b", "a", "b"], [1, 1, 2, 2, 3, 3]).estimate
    0.6666666666666666
    """
    value, unit = _known(values, units, numbers=False)
    (names, code), (_, of) = coded(value), coded(unit)
    counts = np.zeros((int(of.max(initial=-1)) + 1, len(names)))
    np.add.at(counts, (of, code), 1.0)
    rated = counts.sum(axis=1)
    counts, rated = counts[rated > 1], rated[rated > 1]
    shares = (counts * (counts - 1)).sum(axis=1) / (rated * (rated - 1))
    return score_interval(shares, Scale(0, 1, 1) if (rated == 2).all() else Scale(0, 1), level=level)


def _agreement(
    statistic: Statistic, counts: Floats, method: str, level: float, resamples: int, seed: int
) -> Agreement:
    check_level(level)
    n = len(counts)
    if n == 0 or (counts > 0).any(axis=0).sum() < 2:
        return Agreement(Interval(NAN, NAN, NAN, n, method, level), n > 0)
    nothing = np.zeros(1)
    estimate = float(statistic(np.ones((1, n)), nothing, 0.0)[0])
    if n == 1:
        return Agreement(Interval(estimate, -1.0, 1.0, n, method, level), False)
    rng = np.random.default_rng(seed)
    drawn, lower, higher, left_out = [], [], [], []
    at_once = max(1, _AT_ONCE // n)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        drawn.append(statistic(rng.multinomial(n, np.full(n, 1 / n), size).astype(float), nothing, 0.0))
        weights, thought = rng.standard_exponential((size, n)), rng.standard_exponential(size)
        lower.append(statistic(weights, thought, 1.0))
        higher.append(statistic(weights, thought, 0.0))
    for start in range(0, n, at_once):
        rows = np.arange(start, min(start + at_once, n))
        weights = np.ones((len(rows), n))
        weights[np.arange(len(rows)), rows] = 0.0
        left_out.append(statistic(weights, nothing, 0.0))
    low, high = bca_limits(np.concatenate(drawn), estimate, np.concatenate(left_out), level)
    low = min(low, float(np.quantile(np.concatenate(lower), (1 - level) / 2)), estimate)
    high = max(high, float(np.quantile(np.concatenate(higher), (1 + level) / 2)), estimate)
    return Agreement(Interval(estimate, low, high, n, method, level), False)


def _alpha(counts: Floats, names: NDArray[Any], measure: Measure) -> Statistic:
    rated = counts.sum(axis=1)

    def disagreement(apart: Floats) -> Floats:
        """Of each unit: the sum over pairs of its ratings, as α counts them."""
        return np.asarray(((counts @ apart) * counts).sum(axis=1) / (rated - 1))

    def statistic(weights: Floats, thought: Floats, by: float) -> Floats:
        of_value = weights @ counts
        total = of_value.sum(axis=1)
        if measure == "ordinal":
            rank = np.cumsum(of_value, axis=1) - of_value / 2
            seen = np.array([w @ disagreement(_squares(r)) for w, r in zip(weights, rank, strict=True)])
            by_chance = 2 * (total * (of_value * rank**2).sum(axis=1) - (of_value * rank).sum(axis=1) ** 2)
        else:
            seen = weights @ disagreement(fixed)
            by_chance = ((of_value @ fixed) * of_value).sum(axis=1)
        expected = by_chance / (total * np.maximum(total - 1, 1e-300))
        more = thought * rated.mean()
        return _beyond_chance((seen + by * more * expected) / (total + more), expected)

    fixed = np.zeros((0, 0)) if measure == "ordinal" else _distances(names, measure)
    return statistic


def _kappa(one: Floats, two: Floats) -> Statistic:
    apart = 1 - (one * two).sum(axis=1)

    def statistic(weights: Floats, thought: Floats, by: float) -> Floats:
        total = weights.sum(axis=1)
        expected = 1 - ((weights @ one) * (weights @ two)).sum(axis=1) / total**2
        return _beyond_chance((weights @ apart + by * thought * expected) / (total + thought), expected)

    return statistic


def _beyond_chance(seen: Floats, expected: Floats) -> Floats:
    """1 − seen ÷ expected; 1 where a draw has one value only, since there none disagree."""
    return np.asarray(1 - seen / np.where(expected > 0, expected, 1.0))


def _distances(names: NDArray[Any], measure: Measure) -> Floats:
    if measure == "nominal":
        return np.asarray(1 - np.eye(len(names)))
    if measure == "interval":
        return _squares(names)
    total = np.add.outer(names, names)
    return np.asarray(_squares(names) / np.where(total != 0, total, 1.0) ** 2)


def _squares(values: Floats) -> Floats:
    return np.asarray(np.subtract.outer(values, values) ** 2)


def _known(values: ArrayLike, units: ArrayLike, *, numbers: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    value, unit = _labels(values), np.asarray(units)
    if value.shape != unit.shape:
        raise ValueError(f"{value.size} values and {unit.size} units do not match")
    keep = _there(value)
    value, unit = value[keep], unit[keep]
    if numbers:
        try:
            value = value.astype(np.float64)
        except ValueError:
            raise ValueError("only a nominal measure takes labels; others take numbers") from None
    return value, unit


def _labels(values: ArrayLike) -> NDArray[Any]:
    # As objects, since a NaN among words would else become one.
    return values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)


def _there(values: NDArray[Any]) -> NDArray[np.bool_]:
    # NaN alone differs from itself.
    return np.array([one is not None and one == one for one in values.tolist()], dtype=bool)
