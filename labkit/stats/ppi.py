"""Prediction-powered inference: labels of some rows, weighed with somebody's predictions for all rows.

PPI++ (Angelopoulos, Duchi & Zrnic 2023) for a mean, its weight cut to 0…1, with the interval of
`labkit.stats.adjusted_t` in place of the normal one. Columns in, arrays out. It knows neither judge nor
contender, and not whether the labelled rows were drawn by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labkit.stats import skewness
from labkit.stats.adjusted_t import AdjustedT, Counts, adjusted_t, by_cluster
from labkit.stats.scale import REST, Scale
from labkit.stats.units import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Powered:
    """What the predictions were found to be worth, and the mean that comes of them."""

    weight: Floats
    """λ: 0 is labels alone, 1 takes the predictions at their word."""
    correlation: Floats
    """Of labels and predictions on the labelled rows; NaN where either are all alike."""
    saving: Floats
    """The share of the variance of labels alone that the predictions take away: ρ²·N ÷ (n + N), and less
    where the weight was cut."""
    t: AdjustedT


def powered(
    labels: Floats, predicted: Floats, counts: Bools, clusters: Counts | None, *, scale: Scale
) -> Powered:
    """The mean of each column of `labels` (NaN: not labelled) with predictions for all rows that count.

    Where predictions start from does not matter. Two imagined labelled rows are as large as the labels are;
    for 0/1 answers, whose declared step keeps them from vanishing, as large as what is left of labels less
    predictions.

    >>> labels, predicted = np.array([[1.0, -1, 1, np.nan, np.nan], [1, 0, 1, 0, 0]])[:, :, None]
    >>> found = powered(labels, predicted, np.ones((5, 1), dtype=bool), None, scale=Scale())
    >>> float(found.correlation[0].round(3)), found.t.mean.round(3).tolist()
    (1.0, [-0.259])
    """
    labelled = counts & ~np.isnan(labels)
    rest = counts & ~labelled
    n, others = labelled.sum(axis=0), rest.sum(axis=0)
    units = (by_cluster(rest.astype(float), clusters) > 0).sum(axis=0)
    ours, theirs = (_around_mean(of, labelled) for of in (labels, predicted))
    every = _around_mean(predicted, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = (ours * theirs).sum(axis=0)
        correlation = shared / np.sqrt((ours**2).sum(axis=0) * (theirs**2).sum(axis=0))
        variance = (every**2).sum(axis=0) / (n + others - 1)
        wanted = shared / (n - 1) / ((1 + n / others) * variance)
        wanted = np.where((n > 1) & (units > 1) & (wanted > 0), wanted, 0.0)
        weight = np.minimum(wanted, 1.0)
        part = np.where(wanted > 0, weight / wanted, 1.0)
        saving = np.where(wanted > 0, correlation**2 * others / (n + others) * (1 - (1 - part) ** 2), 0.0)
        beyond = weight * (predicted - np.where(rest, predicted, 0.0).sum(axis=0) / others)
    beyond = np.where(weight > 0, beyond, 0.0)
    residual = scale.without_rests(np.where(labelled, labels - beyond, np.nan), labels)
    t = adjusted_t(residual, clusters, scale=scale, like=residual if scale.binary else labels)
    parts = (np.where(labelled, residual - t.mean, 0.0), labelled), (np.where(rest, beyond, 0.0), rest)
    return Powered(weight, correlation, saving, _with_others(t, *parts, clusters))


def _around_mean(values: Floats, rows: Bools) -> Floats:
    """Values less their mean over some rows; 0 elsewhere, and for what is a rest of adding."""
    some = np.where(rows, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(rows, some - some.sum(axis=0) / rows.sum(axis=0), 0.0)
    return np.where(np.abs(apart) < REST * np.abs(some).max(axis=0, initial=0.0), 0.0, apart)


def _with_others(
    t: AdjustedT, ours: tuple[Floats, Bools], theirs: tuple[Floats, Bools], clusters: Counts | None
) -> AdjustedT:
    """`t` of the labelled rows with what the others add to its errors and skewness.

    Each part is how far its rows lie from their mean, and which rows those are. What the two share within
    clusters may add to the errors, or take away as much as the others add and no more.
    """
    moves: list[Floats] = []
    widened: list[Floats] = []
    for apart, rows in (ours, theirs):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = by_cluster(rows.astype(float), clusters) / rows.sum(axis=0)
            move = np.where(share > 0, by_cluster(apart, clusters) / rows.sum(axis=0), 0.0)
            moves.append(move)
            # Each part's variance by its own leverage, as `clustered.variance_of_mean` has it.
            widened.append(np.where((move != 0) & (share < 1), move / np.sqrt(1 - share), 0.0))
    added = np.maximum((widened[1] ** 2 + 2 * widened[0] * widened[1]).sum(axis=0), 0.0)
    both = (by_cluster((ours[1] | theirs[1]).astype(float), clusters) > 0).sum(axis=0)
    units = np.where((moves[1] != 0).any(axis=0), both, t.units)
    # The skewness of all units, told as if of the labelled ones: the correction divides it by their root.
    skew = skewness.skewness_of(moves[0] + moves[1], units) * np.sqrt(t.units / np.maximum(units, 1))
    error, plain_error = (np.sqrt(of**2 + added) for of in (t.error, t.plain_error))
    return replace(t, error=error, plain_error=plain_error, skewness=skew)
