"""Tests, and what many tests together may claim.

McNemar's and the sign test take one outcome per sample: repeats are settled before (see `table`).
This module gives p values and decisions; it never gives them instead of an interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from labkit.stats.paired import Pairs
from labkit.stats.units import Floats


@dataclass(frozen=True)
class PairedTest:
    """What a test found: how many samples speak for the first, the second, neither; and its p value."""

    first: int
    second: int
    neither: int
    p_value: float
    method: str


def mcnemar(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """McNemar's exact test (1947) on one 0/1 outcome per sample and contender; NaN is left out.

    Exact, so its false-positive rate never exceeds the level. Raises ValueError for other outcomes.

    >>> mcnemar([1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 0]).p_value
    0.03125
    """
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    for values in (one, two):
        if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
            raise ValueError("McNemar's test needs one outcome per sample, 0 or 1; for means use sign_test")
    found = sign_test(one - two)
    return PairedTest(found.first, found.second, found.neither, found.p_value, "McNemar, exact")


def sign_test(differences: ArrayLike) -> PairedTest:
    """The exact sign test on one difference per sample, two-sided; ties and NaN say nothing.

    >>> sign_test([0.2, 0.1, 0.4, 0.0, 0.3, 0.1]).p_value
    0.0625
    """
    values = np.asarray(differences, dtype=float)
    first, second = int((values > 0).sum()), int((values < 0).sum())
    p_value = float(sign_p_values(np.array([first]), np.array([second]))[0])
    return PairedTest(first, second, int((values == 0).sum()), p_value, "sign test, exact")


def sign_p_values(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Two-sided exact p values of sign tests with these numbers of wins and losses."""
    won, lost = np.asarray(wins), np.asarray(losses)
    return np.asarray(np.minimum(1.0, 2 * special.bdtr(np.minimum(won, lost), won + lost, 0.5)))


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjusted p values (1979): any claim below the level errs at most at that level in all.

    NaN stays NaN and counts as no test.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjusted(p_values, lambda p: np.maximum.accumulate(p * np.arange(len(p), 0, -1)))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Benjamini and Hochberg's adjusted p values (1995): of all claims, at most that share is false.

    Holds for independent and positively dependent tests; comparisons that share a model are mostly
    the latter. NaN stays NaN and counts as no test.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """

    def step_up(p: Floats) -> Floats:
        raised = p * len(p) / np.arange(1, len(p) + 1)
        return np.asarray(np.minimum.accumulate(raised[::-1])[::-1])

    return _adjusted(p_values, step_up)


@dataclass(frozen=True)
class Margin:
    """Comparisons against a margin, one entry per pair: p values and what they allow to say."""

    p_no_worse: Floats
    """Of the first being worse than the second by the margin or more."""
    p_equivalent: Floats
    """Of the two differing by the margin or more (two one-sided tests, Schuirmann 1987)."""
    no_worse: NDArray[np.bool_]
    equivalent: NDArray[np.bool_]
    margin: float


def within_margin(pairs: Pairs, margin: float, *, alpha: float = 0.05) -> Margin:
    """Whether each first is no worse than its second by `margin`, and whether they are equivalent.

    "No worse than 2 points" is `margin=0.02` on a score from 0 to 1. Not finding a difference is not
    equivalence: this is. False claims are made in at most a share `alpha`.

    >>> from labkit.stats.paired import paired_difference
    >>> same = [0.0, 1.0] * 100
    >>> from labkit.stats.scale import Scale
    >>> bool(within_margin(paired_difference(same, same, scale=Scale(0, 1, 1)), 0.05).equivalent[0])
    True
    """
    if not margin > 0:
        raise ValueError(f"margin {margin} must be above 0")
    worse, better = pairs.t.p_below(-margin), pairs.t.p_above(margin)
    both = np.maximum(worse, better)
    return Margin(worse, both, worse < alpha, both < alpha, margin)


def _adjusted(p_values: ArrayLike, rule: Callable[[Floats], Floats]) -> Floats:
    given = np.asarray(p_values, dtype=float)
    if ((given < 0) | (given > 1)).any():
        raise ValueError("a p value lies between 0 and 1")
    found = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    found[order] = np.minimum(1.0, rule(given[order]))
    return found
